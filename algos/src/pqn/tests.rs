//! PQN on blocks of random steps.
use super::{Pqn, PqnConfig};
use crate::pg::testing::{ACTIONS, Ends, SPEC, block_of, spaces};
use crate::{Algo, AlgoError, LearnContext, OptInfo, Restored, SaveScope};
use agents::Q;
use agents::model::{MakeQModel, ModelInput, QMlp, QModel, QOutput};
use agents::params::{Init, ParamBuilder, ParamId, Params};
use rlcore::block::{AgentSchema, Block, BlockOptions, Columns, Layout, Lease, flag};
use rlcore::{BatchSpec, DType, EnvSpaces, GlobalSteps, LeafSpec, Space};
use serde::{Deserialize, Serialize};
use tch::Tensor;

fn config() -> PqnConfig {
    PqnConfig { minibatches: 3, epochs: 2, learning_rate: 0.01, ..Default::default() }
}

fn model() -> QMlp {
    QMlp { hidden: vec![8], layer_norm: true }
}

fn pqn(config: PqnConfig) -> Result<Pqn, AlgoError> {
    let spaces = spaces();
    Pqn::new(config, &model(), &LearnContext::new(&spaces, SPEC, GlobalSteps(1000), 5))
}

fn schema() -> AgentSchema {
    AgentSchema { info: vec![LeafSpec::array(Q, DType::F32, &[ACTIONS])], state: vec![] }
}

fn block(ends: Ends, seed: u64) -> Columns {
    block_of(schema(), SPEC, ends, seed)
}

fn batch(i: u64) -> Lease {
    Lease::unslotted(block(if i.is_multiple_of(2) { Ends::GoOn } else { Ends::Wait }, i))
}

fn now(i: u64) -> GlobalSteps {
    GlobalSteps((i + 1) * SPEC.steps() as u64)
}

fn weights(algo: &Pqn) -> Vec<f32> {
    let mut all = vec![0.0; algo.params().len()];
    algo.params().write_to(&mut all);
    all
}

fn logged<'a>(info: &'a OptInfo, name: &str) -> &'a [f64] {
    &info.iter().find(|(n, _)| *n == name).unwrap().1
}

/// One minibatch of all steps: its loss is that of the forward view, step by step. Broken by a final observation of another
/// episode, by a step that never happened, by the values of actions that were not taken.
#[test]
fn the_loss_is_half_the_squared_distance_to_lambda_returns() {
    for ends in [Ends::GoOn, Ends::Wait] {
        let config = PqnConfig { minibatches: 1, epochs: 1, lambda: 0.7, ..config() };
        let mut algo = pqn(config.clone()).unwrap();
        let samples = block(ends, 3);
        let q =
            |observation: Tensor| Vec::<f32>::try_from(algo.q(&[observation]).view(-1)).unwrap();
        let most = |q: &[f32]| q.iter().copied().map(f64::from).fold(f64::MIN, f64::max);
        let (mut losses, mut errors, mut truncations) = (vec![], vec![], 0);
        for b in 0..SPEC.b {
            let flags = |t: usize| {
                let cell = samples.flags.cell(t, b);
                [flag::VALID, flag::TERMINATED, flag::TRUNCATED].map(|f| cell.u8(f)[0] != 0)
            };
            let slots: Vec<usize> = (0..SPEC.t)
                .scan(0, |next, t| {
                    let [_, terminated, truncated] = flags(t);
                    let slot = *next;
                    *next += usize::from(truncated && !terminated);
                    Some(slot)
                })
                .collect();
            let recorded = |t: usize| most(samples.agent_info.cell(t, b).f32(0));
            let mut next = f64::from(samples.bootstrap_value.cell(0, b).f32(0)[0]);
            let mut value = next;
            for t in (0..SPEC.t).rev() {
                let [valid, terminated, truncated] = flags(t);
                if !valid {
                    continue;
                }
                let follows = if terminated {
                    0.0
                } else if truncated {
                    truncations += 1;
                    let last = samples.final_observation.tensors()[0].get(slots[t] as i64);
                    most(&q(last.narrow(0, b as i64, 1)))
                } else {
                    0.7 * next + 0.3 * value
                };
                next = f64::from(samples.reward.cell(t, b).f32(0)[0]) + config.discount * follows;
                value = recorded(t);
                let action = samples.action.cell(t, b).i64(0)[0] as usize;
                let seen = samples.observation.tensors()[0].get(t as i64).narrow(0, b as i64, 1);
                let error = f64::from(q(seen)[action]) - next;
                losses.push(0.5 * error * error);
                errors.push(error.abs());
            }
        }
        assert!(truncations > 1, "{truncations}");
        let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
        let info = algo.optimize(Lease::unslotted(samples), now(0)).unwrap();
        for (name, want) in [("loss", mean(&losses)), ("tdAbsErr", mean(&errors))] {
            let got = logged(&info, name);
            assert!((got[0] - want).abs() < 1e-5 && got.len() == 1, "{name}: {got:?} for {want}");
        }
    }
}

/// Where the work stands lies in the algorithm: cut into calls of `learn`, it gives the same bits.
#[test]
fn learning_can_stop_between_any_two_updates() {
    let (mut whole, mut cut) = (pqn(config()).unwrap(), pqn(config()).unwrap());
    for i in 0..3 {
        let want = whole.optimize(batch(i), now(i)).unwrap();
        assert_eq!((whole.due(), whole.updates()), (0, 6 * (i + 1)));
        cut.take_in(batch(i), now(i)).unwrap();
        let mut got: OptInfo = want.iter().map(|(name, _)| (*name, vec![])).collect();
        for at_most in [0, 1, 2, 1, 1, 1, 1] {
            let (due, before) = (cut.due(), cut.updates());
            if due > 0 {
                assert!(cut.save(SaveScope::Everything).is_err(), "half a batch");
                assert!(cut.take_in(batch(i), now(i)).is_err(), "one batch at a time");
            }
            let info = cut.learn(at_most).unwrap();
            assert_eq!(cut.updates() - before, at_most.min(due));
            got.iter_mut().zip(info).for_each(|((_, all), (_, v))| all.extend(v));
        }
        assert_eq!((cut.due(), got), (0, want));
        assert_eq!(weights(&whole), weights(&cut));
    }
}

/// Broken by any state that is not saved: moments, the optimiser's step count, the number of updates that seeds the draws.
#[test]
fn a_loaded_algorithm_continues_to_the_bit() {
    let (mut straight, mut resumed) = (pqn(config()).unwrap(), pqn(config()).unwrap());
    for i in 0..2 {
        straight.optimize(batch(i), now(i)).unwrap();
    }
    let saved = straight.save(SaveScope::Everything).unwrap();
    resumed.load(&Restored { arrays: &saved.arrays, values: saved.values.clone() }).unwrap();
    drop(saved);
    for i in 2..4 {
        let want = straight.optimize(batch(i), now(i)).unwrap();
        assert_eq!(resumed.optimize(batch(i), now(i)).unwrap(), want);
    }
    assert_eq!(weights(&straight), weights(&resumed));
}

#[test]
fn the_learning_rate_falls_with_the_budget() {
    let moved = |linear_lr_schedule, env_steps| {
        let config = PqnConfig { linear_lr_schedule, minibatches: 1, epochs: 1, ..config() };
        let mut algo = pqn(config).unwrap();
        let begun = weights(&algo);
        algo.optimize(batch(0), GlobalSteps(env_steps)).unwrap();
        begun.iter().zip(weights(&algo)).map(|(a, b)| f64::from((a - b).abs())).fold(0.0, f64::max)
    };
    let steps = SPEC.steps() as u64;
    let all = moved(true, steps);
    assert!(all > 0.0 && (moved(true, steps + 500) / all - 0.5).abs() < 1e-2);
    assert_eq!(moved(true, steps + 1000), 0.0);
    assert_eq!(moved(false, steps + 1000), all);
}

#[test]
fn nothing_to_learn_from_is_no_update() {
    let mut samples = block(Ends::GoOn, 4);
    samples.flags.zero();
    let mut algo = pqn(config()).unwrap();
    algo.optimize(Lease::unslotted(samples), now(0)).unwrap();
    assert_eq!((algo.updates(), algo.due()), (0, 0));
}

/// Values that are the same for every observation.
#[derive(Clone, Serialize, Deserialize)]
struct Constant;

struct ConstantModel(ParamId);

impl MakeQModel for Constant {
    fn make(
        &self,
        _spaces: &EnvSpaces,
        b: &mut ParamBuilder,
    ) -> Result<Box<dyn QModel>, agents::AgentError> {
        Ok(Box::new(ConstantModel(b.add("values", &[3], Init::Constant(0.0)))))
    }
}

impl QModel for ConstantModel {
    fn forward(&self, p: &Params, input: &ModelInput<'_>) -> QOutput {
        p.get(self.0).expand([input.observation[0].size()[0], 3], false).into()
    }
}

/// Broken by a target that takes a forbidden action, of a recorded or of a final observation.
#[test]
fn targets_obey_the_mask() {
    let spec = BatchSpec { t: 2, b: 1 };
    let observation = Space::Dict(vec![
        ("x".into(), Space::uniform_box(DType::F32, &[1], -1.0, 1.0)),
        ("mask".into(), Space::uniform_box(DType::U8, &[3], 0.0, 1.0)),
    ]);
    let spaces = EnvSpaces {
        action_mask: Some(1),
        truncates_every: Some(1),
        ..EnvSpaces::new(observation, Space::Discrete { n: 3 })
    };
    let run = |last: [u8; 3]| {
        let config =
            PqnConfig { lambda: 0.0, discount: 0.5, minibatches: 1, epochs: 1, ..config() };
        let context = LearnContext::new(&spaces, spec, GlobalSteps(1000), 5);
        let mut algo = Pqn::new(config, &Constant, &context).unwrap();
        algo.params_mut().read_from(&[1.0, 9.0, 5.0]);
        let options = BlockOptions { bootstrap_value: true, state_interval: 1 };
        let layout = Layout::new(spec, &spaces, &schema(), options);
        let mut c = Block::create(layout).unwrap().columns(0..1);
        for t in 0..2 {
            c.flags.cell_mut(t, 0).u8(flag::VALID)[0] = 1;
            c.observation.cell_mut(t, 0).u8(1).copy_from_slice(&[1, 0, 1]);
            c.agent_info.cell_mut(t, 0).f32(0).copy_from_slice(&[2.0, 8.0, 4.0]);
        }
        // Step 0 goes on to step 1, whose episode is cut off.
        c.flags.cell_mut(1, 0).u8(flag::TRUNCATED)[0] = 1;
        c.final_observation.cell_mut(0, 0).u8(1).copy_from_slice(&last);
        algo.optimize(Lease::unslotted(c), GlobalSteps(2))
    };
    let info = run([1, 0, 1]).unwrap();
    // Both steps took action 0 of value 1; what follows is worth 4 as recorded, and 5 by the model.
    let want = f64::midpoint((1.0f64 - 0.5 * 4.0).abs(), (1.0f64 - 0.5 * 5.0).abs());
    assert!((logged(&info, "tdAbsErr")[0] - want).abs() < 1e-6, "{info:?}");
    let text = run([0; 3]).unwrap_err().to_string();
    assert!(text.contains("step 1 of environment 0") && text.contains("no action"), "{text}");
}

#[test]
fn errors_say_what_to_change() {
    let refused = |config| pqn(config).unwrap_err().to_string();
    assert!(refused(PqnConfig { lambda: 1.5, ..config() }).contains("algo.lambda = 1.5"));
    assert!(refused(PqnConfig { minibatches: 0, ..config() }).contains("algo.minibatches = 0"));
    let text = refused(PqnConfig { minibatches: 85, ..config() });
    assert!(text.contains("algo.minibatches = 85") && text.contains("84 steps"), "{text}");
    let mut samples = block(Ends::GoOn, 4);
    samples.reward.cell_mut(2, 3).f32(0)[0] = 1e30;
    let text = pqn(config()).unwrap().optimize(Lease::unslotted(samples), now(0));
    let text = text.unwrap_err().to_string();
    assert!(text.contains("of update 0") && text.contains("environment 3"), "{text}");
}
