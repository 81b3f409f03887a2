//! The bounds: the same environment steps, random draws and forward passes as in a sampler, without the sampler.
use super::measure::{Contender, median};
use agents::model::{MakeQModel, ModelInput, QMlp, QModel};
use agents::params::{Grad, ParamBuilder, Params};
use anyhow::Result;
use rand::RngExt;
use rlcore::block::{AgentSchema, Block, BlockOptions, Layout};
use rlcore::cells::StepCells;
use rlcore::envs::{CartPole, CartPoleEnv};
use rlcore::seed::{Rng, rng};
use rlcore::{BatchSpec, Env, EnvContext, EnvRank, EnvSpaces, MakeEnv};
use std::time::Instant;

/// Time steps per call. Each fills a row of a block, as a sampler's steps do.
pub(super) const ROWS: usize = 64;

pub(super) struct Bare {
    envs: Vec<CartPoleEnv>,
    columns: rlcore::block::Columns,
    spaces: EnvSpaces,
    rngs: Vec<Rng>,
}

impl Bare {
    /// `b` environments, reset, each with its random stream for actions.
    pub(super) fn new(b: usize) -> Result<Self> {
        let mut envs = Vec::new();
        for i in 0..b {
            envs.push(CartPole::default().make(&EnvContext { env_rank: EnvRank(i) })?);
        }
        let spaces = envs[0].spaces();
        let layout = Layout::new(
            BatchSpec { t: ROWS, b },
            &spaces,
            &AgentSchema::default(),
            BlockOptions::default(),
        );
        let mut columns = Block::create(layout)?.columns(0..b);
        for (i, env) in envs.iter_mut().enumerate() {
            env.seed(i as u64);
            env.reset(&mut columns.observation.cell_mut(ROWS, i))?;
        }
        let rngs = (0..b).map(|i| rng(i as u64)).collect();
        Ok(Self { envs, columns, spaces, rngs })
    }

    /// Draws the actions of row `t` and steps all environments.
    pub(super) fn random_step(&mut self, t: usize) -> Result<()> {
        let [action] = self.columns.action.row_mut(t).split::<i64, 1>();
        for (a, rng) in action.iter_mut().zip(&mut self.rngs) {
            *a = rng.random_range(0..2);
        }
        self.step(t, self.envs.len())
    }

    /// Steps the first `n` environments with the actions of row `t`, resets included.
    fn step(&mut self, t: usize, n: usize) -> Result<()> {
        let c = &mut self.columns;
        let mut cells =
            StepCells::new(c.action.row(t), c.observation.row_mut(t + 1), c.env_info.row_mut(t));
        for (i, env) in self.envs.iter_mut().take(n).enumerate() {
            cells.move_to(i);
            if env.step(cells.action, &mut cells.observation, &mut cells.info)?.reset {
                env.reset(&mut cells.observation)?;
            }
        }
        Ok(())
    }
}

/// Work on one core: action draws, steps, observation writes, resets.
pub(super) fn random(b: usize) -> Result<Contender> {
    let mut bare = Bare::new(b)?;
    let work = move || {
        (0..ROWS).try_for_each(|t| bare.random_step(t))?;
        Ok((b * ROWS) as u64)
    };
    Ok(Contender::new(format!("bare loop, {b} rows"), vec![], work))
}

fn model(spaces: &EnvSpaces, width: usize) -> Result<(Box<dyn QModel>, Params)> {
    let mut builder = ParamBuilder::default();
    let model =
        QMlp { hidden: vec![width, width], ..Default::default() }.make(spaces, &mut builder)?;
    Ok((model, Params::init(&builder.finish()?, 1, tch::Device::Cpu, Grad::Off)?))
}

/// Work on one core: forward pass over `b` rows, argmax, then steps and resets.
pub(super) fn mlp(b: usize) -> Result<Contender> {
    forward_and_step(format!("bound, {b} rows"), b, b)
}

/// Work on one core: forward pass over `b` rows, argmax, then steps of the first `stepped` environments. Counts as `b` steps.
pub(super) fn forward_and_step(name: String, b: usize, stepped: usize) -> Result<Contender> {
    let mut bare = Bare::new(b)?;
    let (model, params) = model(&bare.spaces, 64)?;
    let seen = bare.columns.observation.row_tensors();
    let nothing = tch::Tensor::zeros([0], (tch::Kind::Float, tch::Device::Cpu));
    let work = move || {
        let _guard = tch::no_grad_guard();
        for t in 0..ROWS {
            // As in a sampler, where row 0 of a batch repeats the last row of the previous batch.
            let row = &seen[if t == 0 { ROWS } else { t }];
            let q = model.forward(&params, &ModelInput::of(row, &nothing)).q;
            let [action] = bare.columns.action.row_mut(t).split::<i64, 1>();
            for (a, q) in action.iter_mut().zip(rlcore::tensor::slice::<f32>(&q).chunks_exact(2)) {
                *a = i64::from(q[1] > q[0]);
            }
            bare.step(t, stepped)?;
        }
        Ok((b * ROWS) as u64)
    };
    Ok(Contender::new(name, vec![], work))
}

/// Median duration of a forward pass over `b` rows with two hidden layers of `width` units, seconds.
pub(super) fn forward_seconds(b: usize, width: usize) -> Result<f64> {
    let bare = Bare::new(b)?;
    let (model, params) = model(&bare.spaces, width)?;
    let seen = bare.columns.observation.row_tensors();
    let nothing = tch::Tensor::zeros([0], (tch::Kind::Float, tch::Device::Cpu));
    let _guard = tch::no_grad_guard();
    let mut seconds = Vec::new();
    for i in 0..600 {
        let begun = Instant::now();
        let _q = model.forward(&params, &ModelInput::of(&seen[i % ROWS], &nothing));
        seconds.push(begun.elapsed().as_secs_f64());
    }
    Ok(median(seconds))
}
