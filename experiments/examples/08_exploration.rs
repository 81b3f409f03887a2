//! Exploration of one's own, given to DQN's agent. `cargo run --release --example 08_exploration -- train near-best`
//!
//! Epsilon-greedy tries bad actions as often as good ones. This one tries any action that is worth nearly as much as the best,
//! and a margin that shrinks with the steps says what "nearly" is.
use agents::exploration::{Exploration, MakeExploration, greedy};
use agents::model::{MakeQModel, QNet};
use agents::{AgentContext, AgentError, AgentFactory, AgentSettings, DqnAgentConfig, Phase};
use algos::DqnConfig;
use experiments::{Program, config::Config};
use rand::RngExt;
use rlcore::{EnvRank, envs::CartPole, seed::Rng};
use runners::RunnerConfig;
use serde::{Deserialize, Serialize};
use std::{ops::Range, process::ExitCode};

/// Draws among the actions whose value is within a margin of the best; the margin is zero after so many environment steps.
#[derive(Clone, Serialize, Deserialize)]
struct NearBest {
    margin: f32,
    end_steps: u64,
}

impl MakeExploration for NearBest {
    fn make(&self, _context: &AgentContext) -> Result<Box<dyn Exploration>, AgentError> {
        Ok(Box::new(self.clone()))
    }
}

impl Exploration for NearBest {
    fn choose(
        &mut self,
        q: &[f32],
        allowed: Option<&[u8]>,
        phase: Phase,
        _rank: EnvRank,
        rng: &mut Rng,
    ) -> usize {
        let best = greedy(q, allowed);
        let Phase::Sample { now } = phase else { return best };
        let margin = self.margin * (1.0 - now.0 as f32 / self.end_steps as f32).max(0.0);
        let near = |a: &usize| allowed.is_none_or(|m| m[*a] != 0) && q[*a] >= q[best] - margin;
        let near: Vec<usize> = (0..q.len()).filter(near).collect();
        near[rng.random_range(0..near.len())]
    }
}

/// DQN's agent with it, as it stands in a configuration: `--set agent.model.hidden=[32]`.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct NearBestAgent {
    model: QNet,
}

impl AgentSettings for NearBestAgent {
    type Model = Box<dyn MakeQModel>;

    fn model(&self) -> Self::Model {
        Box::new(self.model.clone())
    }

    // The algorithm says when exploration ends.
    fn factory(&self, annealing: Range<u64>) -> Result<AgentFactory, AgentError> {
        let exploration = NearBest { margin: 2.0, end_steps: annealing.end };
        AgentFactory::new(&DqnAgentConfig { model: self.model.clone(), exploration })
    }
}

fn near_best() -> Config<CartPole, NearBestAgent, DqnConfig> {
    let algo = DqnConfig { min_steps_learn: 500, replay_size: 20_000, ..Default::default() };
    let runner = RunnerConfig { n_steps: 50_000, log_interval_steps: 5_000, ..Default::default() };
    Config { algo: DqnConfig { eps_steps: 20_000, ..algo }, runner, ..Default::default() }
}

fn main() -> ExitCode {
    let about = "draws among the actions that are worth about as much as the best";
    Program::new()
        .agent::<NearBestAgent>("near-best", about)
        .preset("near-best", about, near_best)
        .main()
}
