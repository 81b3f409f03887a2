//! Which agent learns by which algorithm, and what the two ask of the rest of a run.
use crate::config::{Config, Section};
use crate::program::Program;
use crate::program::kind::{AnyAgent, AnyAlgo};
use agents::AgentFactory;
use algos::{Algo, AlgoSettings, LearnContext};
use anyhow::{Context, Result};
use rlcore::BatchSpec;

/// An agent and an algorithm that fit each other.
pub(super) struct Learning {
    agent: Box<dyn AnyAgent>,
    algo: Box<dyn AnyAlgo>,
}

impl Learning {
    /// The pair that a configuration names, or why there is none.
    pub(super) fn of(program: &Program, config: &Config) -> Result<Self> {
        let (agent, algo) = (program.agent_of(config)?, program.algo_of(config)?);
        if agent.model_type() != algo.model_type() {
            anyhow::bail!(unfit(program, &config.agent, &*agent, &config.algo, &*algo));
        }
        Ok(Self { agent, algo })
    }

    /// Says what contradicts itself in the settings of the two.
    pub(super) fn check(&self, spec: BatchSpec) -> Result<(), String> {
        self.agent.check(spec)?;
        self.algo.settings().check(spec)
    }

    /// What the algorithm's settings say.
    pub(super) fn settings(&self) -> &dyn AlgoSettings {
        self.algo.settings()
    }

    /// The agent, wherever it is built.
    pub(super) fn agent(&self) -> Result<AgentFactory> {
        self.agent.factory(self.settings().annealing())
    }

    /// The algorithm.
    pub(super) fn algo(&self, context: &LearnContext<'_>) -> Result<Box<dyn Algo>> {
        let made = self.algo.make(&*self.agent.model(), context);
        made.context("the agent has the algorithm's model")?
    }
}

/// Says which agents and algorithms fit.
fn unfit(
    program: &Program,
    agent: &Section,
    acts: &dyn AnyAgent,
    algo: &Section,
    learns: &dyn AnyAlgo,
) -> String {
    let agents = program.agents_with(learns.model_type());
    let algos = program.algos_with(acts.model_type());
    let set = |key: &str, names: &[&str]| match names {
        [] => None,
        names => Some(format!("{key} to {}", names.join(" or "))),
    };
    let repair = [set("agent.kind", &agents), set("algo.kind", &algos)];
    let repair: Vec<String> = repair.into_iter().flatten().collect();
    format!(
        "algo.kind = \"{}\" cannot train agent.kind = \"{}\": set {}",
        algo.kind,
        agent.kind,
        repair.join(", or ")
    )
}
