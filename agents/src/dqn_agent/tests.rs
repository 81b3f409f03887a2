use super::*;
use crate::epsilon::EpsilonConfig;
use crate::testing::{Stand, tensors};
use rlcore::seed::{Rng, rng};
use rlcore::{EnvRank, EnvSpaces, Space};
use tch::Kind;

const SAMPLE: Phase = Phase::Sample { now: rlcore::GlobalSteps(0) };
/// Values of the memory, and actions.
const MEMORY: usize = 3;
const ACTIONS: usize = 4;

fn context(spaces: &EnvSpaces) -> AgentContext {
    AgentContext {
        spaces: spaces.clone(),
        global_b: 64,
        local: (EnvRank(0), 64),
        device: "cpu".into(),
    }
}

fn spaces() -> EnvSpaces {
    let observation = Space::uniform_box(DType::F32, &[2], -1.0, 1.0);
    EnvSpaces::new(observation, Space::Discrete { n: ACTIONS })
}

fn loaded<M: MakeQModel + Settings, E: MakeExploration>(model: M, exploration: E) -> DqnAgent {
    let settings = DqnAgentConfig { model, exploration };
    let mut agent = settings.make(&context(&spaces())).unwrap();
    let weights: Vec<f32> = (0..agent.weight_count()).map(|i| (i as f32 * 1.7).sin()).collect();
    agent.load_weights(&weights);
    agent
}

/// Explores with probability `eps` in every phase.
fn epsilon(eps: f64) -> EpsilonGreedy {
    let epsilon = EpsilonConfig { eps_init: eps, eps_final: eps, ..Default::default() };
    EpsilonGreedy { epsilon, start_steps: 0, end_steps: 1 }
}

#[test]
fn what_is_staged_for_a_device_gives_the_same() {
    let mut agent = loaded(QMlp::default(), epsilon(0.0));
    let mut stand = Stand::new(&spaces(), &agent, 0, 5);
    stand.observe(0, 1);
    stand.act(&mut agent, SAMPLE).unwrap();
    let direct = tensors(&stand.info);
    agent.acting.stage_on_cpu();
    stand.act(&mut agent, SAMPLE).unwrap();
    assert_eq!(tensors(&stand.info), direct);
    assert!(direct[0].abs().max().double_value(&[]) > 0.1);
}

/// Settings of a model that remembers: `h' = tanh(W [x, one-hot of the previous action, previous reward, h])`, `q = V h'`.
#[derive(Clone, Serialize, Deserialize)]
struct Remembering {
    /// Numbers for each action, whose mean is its value.
    atoms: Option<usize>,
}

struct RememberingModel {
    memory: crate::nn::Linear,
    q: crate::nn::Linear,
    atoms: Option<usize>,
}

impl MakeQModel for Remembering {
    fn make(
        &self,
        spaces: &EnvSpaces,
        b: &mut ParamBuilder,
    ) -> Result<Box<dyn QModel>, AgentError> {
        let actions = action_count(spaces)?;
        let seen = 2 + actions + 1 + MEMORY;
        let outputs = actions * self.atoms.unwrap_or(1);
        Ok(Box::new(RememberingModel {
            memory: crate::nn::Linear::new(b, "memory", seen, MEMORY),
            q: crate::nn::Linear::new(b, "q", MEMORY, outputs),
            atoms: self.atoms,
        }))
    }
}

impl QModel for RememberingModel {
    fn state(&self) -> Vec<LeafSpec> {
        vec![LeafSpec::array("h", DType::F32, &[MEMORY])]
    }

    fn atoms(&self) -> Option<usize> {
        self.atoms
    }

    fn forward(&self, p: &Params, input: &ModelInput<'_>) -> QOutput {
        let (mut h, mut q) = (input.state[0].shallow_clone(), vec![]);
        let t = input.prev_reward.size()[0];
        for t in 0..t {
            if let Some(reset) = input.reset {
                h *= (1.0f64 - reset.get(t)).unsqueeze(1);
            }
            let numbers = Tensor::arange(ACTIONS as i64, (Kind::Int64, Device::Cpu));
            let action = input.prev_action[0].get(t).unsqueeze(1).eq_tensor(&numbers);
            let x = [
                input.observation[0].get(t),
                action.to_kind(Kind::Float),
                input.prev_reward.get(t).unsqueeze(1),
                h,
            ];
            h = self.memory.forward(p, &Tensor::cat(&x, 1)).tanh();
            let out = self.q.forward(p, &h);
            q.push(match self.atoms {
                Some(atoms) => out.reshape([-1, ACTIONS as i64, atoms as i64]),
                None => out,
            });
        }
        QOutput { q: Tensor::stack(&q, 0), state: vec![h] }
    }
}

/// Acting step by step, with the state carried by the sampler, computes what the model computes of the whole sequence. Broken
/// by a state that is not carried or not recorded, by a previous action that is not shown, by a missing time dimension.
#[test]
fn a_recurrent_model_acts_with_the_state_that_it_is_lent() {
    for atoms in [None, Some(5)] {
        let mut agent = loaded(Remembering { atoms }, epsilon(0.5));
        assert_eq!(agent.schema().state, [LeafSpec::array("h", DType::F32, &[MEMORY])]);
        let (n, steps) = (3, 6);
        let mut stand = Stand::new(&spaces(), &agent, 0, n);
        let (mut observations, mut actions, mut rewards) = (vec![], vec![], vec![]);
        let mut values = vec![];
        for t in 0..steps {
            stand.observe(0, t);
            observations.push(tensors(&stand.observation).remove(0));
            actions.push(tensors(&stand.prev_action).remove(0));
            rewards.push(Tensor::from_slice(&stand.prev_reward));
            let value = stand.value(&mut agent);
            stand.act(&mut agent, SAMPLE).unwrap();
            let q = tensors(&stand.info).remove(0);
            let greedy = Vec::<f32>::try_from(q.amax(1, false)).unwrap();
            assert_eq!(value, greedy, "a value is asked with the state before the step");
            values.push(q);
            for c in 0..n {
                let action = stand.action.cell(0, c).discrete();
                stand.prev_action.cell_mut(0, c).i64(0)[0] = action;
                stand.prev_reward[c] = (t + c) as f32 * 0.25 - 0.5;
            }
        }
        let zero = Tensor::zeros([n as i64, MEMORY as i64], (Kind::Float, Device::Cpu));
        let _guard = no_grad_guard();
        let out = agent.model.forward(
            &agent.params,
            &ModelInput {
                observation: &[Tensor::stack(&observations, 0)],
                prev_action: &[Tensor::stack(&actions, 0)],
                prev_reward: &Tensor::stack(&rewards, 0),
                state: &[zero],
                reset: None,
            },
        );
        let want = agent.model.values(&out.q);
        assert_eq!(want.size(), [steps as i64, n as i64, ACTIONS as i64]);
        let apart = (Tensor::stack(&values, 0) - want).abs().max().double_value(&[]);
        assert!(apart < 1e-6, "{apart}");
        let state = tensors(&stand.state).remove(0);
        assert!((state - &out.state[0]).abs().max().double_value(&[]) < 1e-6);
    }
}

/// Always the worst action that is allowed, whatever the phase: an exploration of a user's own.
#[derive(Clone, Serialize, Deserialize)]
struct Worst {}

impl MakeExploration for Worst {
    fn make(&self, _context: &AgentContext) -> Result<Box<dyn Exploration>, AgentError> {
        Ok(Box::new(self.clone()))
    }
}

impl Exploration for Worst {
    fn choose(
        &mut self,
        q: &[f32],
        allowed: Option<&[u8]>,
        _phase: Phase,
        _rank: EnvRank,
        _rng: &mut Rng,
    ) -> usize {
        let negative: Vec<f32> = q.iter().map(|q| -q).collect();
        greedy(&negative, allowed)
    }
}

#[test]
fn exploration_is_given_to_the_agent() {
    let mut agent = loaded(QMlp::default(), Worst {});
    let mut stand = Stand::new(&spaces(), &agent, 0, 8);
    stand.observe(0, 3);
    stand.act(&mut agent, SAMPLE).unwrap();
    for c in 0..8 {
        let q = stand.info.cell(0, c).f32(0);
        let action = stand.action.cell(0, c).discrete() as usize;
        assert!(q.iter().all(|other| *other >= q[action]), "{q:?} {action}");
    }
}

/// Broken by an index taken from nothing: a column that waits shows zeros, its mask included.
#[test]
fn a_mask_that_allows_nothing_panics_nowhere() {
    let observation = Space::Dict(vec![
        ("x".into(), Space::uniform_box(DType::F32, &[2], -1.0, 1.0)),
        ("mask".into(), Space::uniform_box(DType::U8, &[ACTIONS], 0.0, 1.0)),
    ]);
    let spaces = EnvSpaces {
        action_mask: Some(1),
        ..EnvSpaces::new(observation, Space::Discrete { n: ACTIONS })
    };
    let settings = DqnAgentConfig { model: QMlp::default(), exploration: epsilon(0.5) };
    let mut agent = settings.make(&context(&spaces)).unwrap();
    let mut stand = Stand::new(&spaces, &agent, 0, 9);
    stand.rng = (0..9).map(rng).collect();
    stand.act(&mut agent, SAMPLE).unwrap();
    assert!((0..9).all(|c| stand.action.cell(0, c).discrete() == 0));
    assert_eq!(stand.value(&mut agent), [0.0; 9]);
}
