//! Which agent learns by which algorithm, and what the two ask of the rest of a run.
use crate::config::{AgentConfig, AlgoConfig, Config, DqnAgentSettings, PgNet};
use agents::pg::PgSettings;
use agents::{AgentFactory, DqnAgentConfig, EpsilonGreedy};
use algos::pg::{Method, PolicyGradient};
use algos::{Algo, AlgoSettings, Dqn, DqnConfig, LearnContext};
use anyhow::Result;
use rlcore::BatchSpec;

type MakeAlgo<'a> = Box<dyn Fn(&LearnContext<'_>) -> Result<Box<dyn Algo>> + 'a>;

/// An agent and an algorithm that fit each other.
pub(super) struct Learning<'a> {
    /// Says what contradicts itself in the agent's settings.
    check_agent: Box<dyn Fn(BatchSpec) -> Result<(), String> + 'a>,
    agent: Box<dyn Fn() -> Result<AgentFactory> + 'a>,
    algo: MakeAlgo<'a>,
    settings: &'a dyn AlgoSettings,
}

impl<'a> Learning<'a> {
    /// The pair that a configuration names, or why there is none.
    pub(super) fn of(config: &'a Config) -> Result<Self, String> {
        use AgentConfig::{CategoricalPg, Dqn, GaussianPg};
        use AlgoConfig::{A2c, Ppo, Reinforce};
        Ok(match (&config.agent, &config.algo) {
            (Dqn(agent), AlgoConfig::Dqn(algo)) => dqn(agent, algo),
            (CategoricalPg(agent), A2c(algo)) => pg(agent, algo),
            (CategoricalPg(agent), Ppo(algo)) => pg(agent, algo),
            (CategoricalPg(agent), Reinforce(algo)) => pg(agent, algo),
            (GaussianPg(agent), A2c(algo)) => pg(agent, algo),
            (GaussianPg(agent), Ppo(algo)) => pg(agent, algo),
            (GaussianPg(agent), Reinforce(algo)) => pg(agent, algo),
            (Dqn(_), other) => {
                return Err(format!(
                    "agent.kind = \"dqn\" acts by values, and algo.kind = \"{}\" learns a policy: set agent.kind to categorical-pg (discrete actions) or gaussian-pg (a box), or algo.kind to dqn",
                    other.kind()
                ));
            }
            (_, AlgoConfig::Dqn(_)) => {
                return Err(
                    "algo.kind = \"dqn\" learns values, and the agent draws from a policy: set agent.kind to dqn, or algo.kind to ppo, a2c or reinforce".into(),
                );
            }
        })
    }

    /// Says what contradicts itself in the settings of the two.
    pub(super) fn check(&self, spec: BatchSpec) -> Result<(), String> {
        (self.check_agent)(spec)?;
        self.settings.check(spec)
    }

    /// What the algorithm's settings say.
    pub(super) fn settings(&self) -> &'a dyn AlgoSettings {
        self.settings
    }

    /// The agent, wherever it is built.
    pub(super) fn agent(&self) -> Result<AgentFactory> {
        (self.agent)()
    }

    /// The algorithm.
    pub(super) fn algo(&self, context: &LearnContext<'_>) -> Result<Box<dyn Algo>> {
        (self.algo)(context)
    }
}

fn dqn<'a>(agent: &'a DqnAgentSettings, algo: &'a DqnConfig) -> Learning<'a> {
    Learning {
        check_agent: Box::new(|spec| agent.epsilon.check(spec)),
        agent: Box::new(|| {
            Ok(AgentFactory::new(&DqnAgentConfig {
                model: agent.model.clone(),
                exploration: EpsilonGreedy {
                    epsilon: agent.epsilon.clone(),
                    start_steps: algo.min_steps_learn,
                    end_steps: algo.eps_steps,
                },
            })?)
        }),
        algo: Box::new(|context| {
            let replay = algo.uniform_replay(context)?;
            Ok(Box::new(Dqn::new(algo.clone(), &agent.model, replay, context)?))
        }),
        settings: algo,
    }
}

fn pg<'a, A, M>(agent: &'a A, algo: &'a M) -> Learning<'a>
where
    A: PgSettings<Model = PgNet>,
    M: Method + 'static,
{
    Learning {
        check_agent: Box::new(|_| agent.check().map_err(|e| format!("agent.{e}"))),
        agent: Box::new(|| Ok(AgentFactory::new(agent)?)),
        algo: Box::new(|context| {
            let distribution = agent.distribution(context.spaces)?;
            let made = PolicyGradient::new(algo.clone(), agent.model(), distribution, context)?;
            Ok(Box::new(made))
        }),
        settings: algo,
    }
}
