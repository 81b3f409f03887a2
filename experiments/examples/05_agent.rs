//! An agent of one's own: it draws actions by their value. `cargo run --release --example 05_agent -- train boltzmann`
//!
//! An agent maps rows to actions; all that belongs to an environment, random streams included, is the sampler's. This one has
//! DQN's agent compute the values, and chooses by itself.
use agents::model::{MakeQModel, QNet};
use agents::{ActIo, Agent, AgentContext, AgentError, AgentFactory, AgentOutline, AgentSettings};
use agents::{DqnAgent, DqnAgentConfig, EpsilonGreedy, MakeAgent, Phase};
use algos::DqnConfig;
use experiments::{Program, config::Config};
use rand::distr::{Distribution, weighted::WeightedIndex};
use rlcore::{block::AgentSchema, envs::CartPole};
use serde::{Deserialize, Serialize};
use std::{ops::Range, process::ExitCode};

/// Action `a` with probability proportional to `exp(Q(a))`; the best one in evaluation.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Boltzmann {
    model: QNet,
}

impl AgentSettings for Boltzmann {
    type Model = Box<dyn MakeQModel>;

    fn model(&self) -> Self::Model {
        Box::new(self.model.clone())
    }

    fn factory(&self, _annealing: Range<u64>) -> Result<AgentFactory, AgentError> {
        AgentFactory::new(self)
    }
}

impl Boltzmann {
    fn dqn(&self) -> DqnAgentConfig<QNet> {
        DqnAgentConfig { model: self.model.clone(), exploration: EpsilonGreedy::default() }
    }
}

impl MakeAgent for Boltzmann {
    type Agent = BoltzmannAgent;

    fn make(&self, context: &AgentContext) -> Result<BoltzmannAgent, AgentError> {
        Ok(BoltzmannAgent(self.dqn().make(context)?))
    }

    // Names of the weights, so that `eval` and `watch` read them from a checkpoint.
    fn outline(&self, context: &AgentContext) -> Result<AgentOutline, AgentError> {
        self.dqn().outline(context)
    }
}

struct BoltzmannAgent(DqnAgent);

impl Agent for BoltzmannAgent {
    fn act(&mut self, io: &mut ActIo<'_>, phase: Phase) -> Result<(), AgentError> {
        self.0.act(io, phase)?;
        let Phase::Sample { .. } = phase else { return Ok(()) };
        for (column, rng) in io.rng.iter_mut().enumerate() {
            let mut info = io.info.cell(column);
            let weights = info.f32(0).iter().map(|q| q.clamp(-80.0, 80.0).exp());
            let drawn = WeightedIndex::new(weights).map_err(|e| AgentError::new(e.to_string()))?;
            io.action.cell(column).i64(0)[0] = drawn.sample(rng) as i64;
        }
        Ok(())
    }

    fn schema(&self) -> AgentSchema {
        self.0.schema()
    }

    fn weight_count(&self) -> usize {
        self.0.weight_count()
    }

    fn load_weights(&mut self, weights: &[f32]) {
        self.0.load_weights(weights);
    }
}

fn main() -> ExitCode {
    let about = "draws actions with probability proportional to exp(Q)";
    let program = Program::new().agent::<Boltzmann>("boltzmann", about);
    let algo = DqnConfig { min_steps_learn: 500, replay_size: 20_000, ..Default::default() };
    let config = move || Config { algo: algo.clone(), ..Default::default() };
    program.preset::<CartPole, Boltzmann, DqnConfig>("boltzmann", about, config).main()
}
