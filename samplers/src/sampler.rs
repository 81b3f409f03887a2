//! What every sampler offers, and how one is built from its settings.
use crate::config::{EvalConfig, SamplerConfig, SamplerKind};
use crate::error::SamplerError;
use crate::evaluation::{Evaluation, trajectories};
use crate::state::SamplerState;
use crate::{ParallelSampler, SerialSampler};
use agents::params::ModelSize;
use agents::{AgentContext, AgentFactory, AgentOutline};
use rlcore::block::{AgentSchema, Block, BlockOptions, Columns, Layout};
use rlcore::traj::TrajInfo;
use rlcore::{BatchSpec, EnvFactory, EnvSpaces, World};
use std::path::PathBuf;

/// Everything a sampler is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Settings.
    pub config: SamplerConfig,
    /// Training environments.
    pub env: EnvFactory,
    /// Evaluation environments and settings, where evaluation is wanted.
    pub eval: Option<(EnvFactory, EvalConfig)>,
    /// The agent.
    pub agent: AgentFactory,
    /// Device of agents that act in this process; workers always act on the CPU.
    pub device: String,
    /// Replica.
    pub world: World,
    /// Of the run.
    pub seed: u64,
    /// For `DiscountedReturn`.
    pub discount: f64,
    /// What the block records beside the obvious.
    pub options: BlockOptions,
    /// Where workers' own output goes, one file each.
    pub worker_logs: Option<PathBuf>,
}

/// A setup that was found sound, and what one example environment and one example agent said: shapes first, processes last.
/// [`Plan::build`] starts the sampler and constructs neither example again.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The setup. Fields that change no shape may still be set, such as `worker_logs`.
    pub setup: Setup,
    pub(crate) spaces: EnvSpaces,
    /// Those of the evaluation environment: `truncates_every` may differ.
    pub(crate) eval_spaces: Option<EnvSpaces>,
    pub(crate) schema: AgentSchema,
    pub(crate) model: ModelSize,
    pub(crate) context: AgentContext,
    pub(crate) layout: Layout,
}

impl Plan {
    /// The training environment's spaces.
    pub fn spaces(&self) -> &EnvSpaces {
        &self.spaces
    }

    /// The sampler that the settings name.
    pub fn build(self) -> Result<Box<dyn Sampler>, SamplerError> {
        Ok(match self.setup.config.kind {
            SamplerKind::Serial => Box::new(SerialSampler::start(self)?),
            _ => Box::new(ParallelSampler::start(self)?),
        })
    }
}

impl Setup {
    /// One replica on the CPU with seed 0 and discount 0.99, without evaluation. Change the fields for more.
    pub fn new(config: SamplerConfig, env: EnvFactory, agent: AgentFactory) -> Self {
        Self {
            config,
            env,
            agent,
            eval: None,
            device: "cpu".into(),
            world: World::default(),
            seed: 0,
            discount: 0.99,
            options: BlockOptions::default(),
            worker_logs: None,
        }
    }

    /// `T` and `B`.
    pub fn spec(&self) -> BatchSpec {
        BatchSpec { t: self.config.t, b: self.config.b }
    }

    /// Global number of the environment in column 0.
    pub(crate) fn first_rank(&self) -> usize {
        self.world.first_rank(self.spec()).0
    }

    /// Spaces of the training environment, learned from an example. A panic of its constructor is an error.
    pub fn example_spaces(env: &EnvFactory) -> Result<EnvSpaces, SamplerError> {
        let seen = std::panic::catch_unwind(|| env.spaces());
        match seen {
            Ok(Ok(spaces)) => Ok(spaces),
            Ok(Err(e)) => Err(SamplerError::Example(e.to_string())),
            Err(payload) => Err(SamplerError::Example(format!(
                "panicked: {}",
                crate::error::panic_text(&*payload)
            ))),
        }
    }

    /// Refuses whatever can be refused before memory is taken and processes start. One example of the training environment is
    /// constructed under watch, one of the evaluation environment where that is another, and one agent.
    pub fn check(self) -> Result<Plan, SamplerError> {
        crate::serial::watched_plan(self)
    }

    pub(crate) fn plan(self) -> Result<Plan, SamplerError> {
        self.config.check().map_err(SamplerError::Config)?;
        if let Some((_, eval)) = &self.eval {
            eval.check().map_err(SamplerError::Config)?;
        }
        let spaces = Self::example_spaces(&self.env)?;
        let mut eval_spaces = self.eval.as_ref().map(|_| spaces.clone());
        if let Some((env, _)) = &self.eval
            && *env != self.env
        {
            let other = Self::example_spaces(env)?;
            eval_spaces = Some(other.clone());
            if other != (EnvSpaces { truncates_every: other.truncates_every, ..spaces.clone() }) {
                return Err(SamplerError::Config(
                    "the evaluation environment (eval_env) has other spaces or info than the training environment (env): give it the same kind, or remove it with `--set eval_env=`"
                        .into(),
                ));
            }
        }
        let context = AgentContext {
            spaces: spaces.clone(),
            global_b: self.world.global_b(self.spec()),
            local: (self.world.first_rank(self.spec()), self.config.b),
            device: self.device.clone(),
        };
        let cpu = AgentContext { device: "cpu".into(), ..context.clone() };
        let AgentOutline { schema, model } = self.agent.outline(&cpu)?;
        let layout = Layout::new(self.spec(), &spaces, &schema, self.options);
        Ok(Plan { setup: self, spaces, eval_spaces, schema, model, context, layout })
    }
}

/// One batch, lent until dropped. Everything in it is overwritten by the next.
#[derive(Debug)]
pub struct Samples<'a> {
    columns: &'a mut Columns,
    first_rank: usize,
    notes: Vec<(usize, String)>,
}

impl<'a> Samples<'a> {
    pub(crate) fn new(
        columns: &'a mut Columns,
        first_rank: usize,
        mut notes: Vec<(usize, String)>,
    ) -> Self {
        notes.sort_by_key(|(rank, _)| *rank);
        Self { columns, first_rank, notes }
    }

    /// The `[T, B]` block: slices and tensors of every part.
    pub fn columns(&self) -> &Columns {
        self.columns
    }

    /// Episodes that ended in this batch, ordered by (t, env rank).
    pub fn trajectories(&self) -> Vec<TrajInfo> {
        trajectories(self.columns, 0, self.first_rank)
    }

    /// Free-form notes of environments by env rank, then in order of time.
    pub fn notes(&self) -> &[(usize, String)] {
        &self.notes
    }
}

impl Drop for Samples<'_> {
    fn drop(&mut self) {
        if cfg!(debug_assertions) {
            self.columns.poison();
        }
    }
}

/// Fills blocks, one at a time.
pub trait Sampler: Send {
    /// `T` and `B`.
    fn spec(&self) -> BatchSpec;

    /// The environment's spaces.
    fn spaces(&self) -> &EnvSpaces;

    /// The weights that the next batch or evaluation acts with.
    fn publish(&mut self, weights: &[f32]) -> Result<(), SamplerError>;

    /// Collects one batch. `env_steps`: global environment steps so far, for schedules.
    fn obtain_samples(&mut self, env_steps: u64) -> Result<Samples<'_>, SamplerError>;

    /// Measures the agent over `episodes` in environments of its own. The same `number` gives the same episodes.
    fn evaluate(
        &mut self,
        number: u64,
        episodes: usize,
        env_steps: u64,
    ) -> Result<Evaluation, SamplerError>;

    /// Episodes of an evaluation, as the settings have it.
    fn eval_episodes(&self) -> usize;

    /// What a resumed run needs, taken between batches.
    fn save(&mut self) -> Result<SamplerState, SamplerError>;

    /// Takes back what [`Sampler::save`] gave.
    fn load(&mut self, state: SamplerState) -> Result<(), SamplerError>;

    /// Processes of the workers; empty without.
    fn worker_pids(&self) -> Vec<i32> {
        Vec::new()
    }
}

/// The sampler that the settings name.
pub fn build(setup: Setup) -> Result<Box<dyn Sampler>, SamplerError> {
    setup.check()?.build()
}

pub(crate) fn block_for(plan: &Plan) -> Result<(Block, Columns), SamplerError> {
    let block = Block::create(plan.layout.clone())?;
    let reader = block.reader();
    Ok((block, reader))
}
