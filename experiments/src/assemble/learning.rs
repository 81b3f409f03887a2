//! Which agent learns by which algorithm, and what the two ask of the rest of a run.
use crate::config::{AgentConfig, AlgoConfig, Config, DqnAgentSettings, PgNet};
use agents::dist::Distribution;
use agents::pg::{CategoricalPgAgentConfig, GaussianPgAgentConfig, PgSettings};
use agents::{AgentFactory, DqnAgentConfig};
use algos::pg::{Method, PgContext, PolicyGradient};
use algos::{A2cConfig, Algo, Dqn, DqnConfig, PpoConfig, ReinforceConfig};
use anyhow::Result;
use rlcore::block::BlockOptions;
use rlcore::{BatchSpec, EnvSpaces};

/// An agent and an algorithm that fit each other.
pub(super) enum Learning<'a> {
    /// By values.
    Dqn(&'a DqnAgentSettings, &'a DqnConfig),
    /// By a policy.
    Pg(PgAgent<'a>, PgAlgo<'a>),
}

/// Agents that draw from a policy.
pub(super) enum PgAgent<'a> {
    Categorical(&'a CategoricalPgAgentConfig<PgNet>),
    Gaussian(&'a GaussianPgAgentConfig<PgNet>),
}

/// Algorithms that learn policies.
pub(super) enum PgAlgo<'a> {
    A2c(&'a A2cConfig),
    Ppo(&'a PpoConfig),
    Reinforce(&'a ReinforceConfig),
}

impl<'a> Learning<'a> {
    /// The pair that a configuration names, or why there is none.
    pub(super) fn of(config: &'a Config) -> Result<Self, String> {
        let agent = match &config.agent {
            AgentConfig::Dqn(agent) => {
                return match &config.algo {
                    AlgoConfig::Dqn(algo) => Ok(Self::Dqn(agent, algo)),
                    other => Err(format!(
                        "agent.kind = \"dqn\" acts by values, and algo.kind = \"{}\" learns a policy: set agent.kind to categorical-pg (discrete actions) or gaussian-pg (a box), or algo.kind to dqn",
                        other.kind()
                    )),
                };
            }
            AgentConfig::CategoricalPg(agent) => PgAgent::Categorical(agent),
            AgentConfig::GaussianPg(agent) => PgAgent::Gaussian(agent),
        };
        let algo = match &config.algo {
            AlgoConfig::Dqn(_) => {
                return Err(
                    "algo.kind = \"dqn\" learns values, and the agent draws from a policy: set agent.kind to dqn, or algo.kind to ppo, a2c or reinforce".into(),
                );
            }
            AlgoConfig::A2c(algo) => PgAlgo::A2c(algo),
            AlgoConfig::Ppo(algo) => PgAlgo::Ppo(algo),
            AlgoConfig::Reinforce(algo) => PgAlgo::Reinforce(algo),
        };
        Ok(Self::Pg(agent, algo))
    }

    /// Says what contradicts itself in the settings of the two.
    pub(super) fn check(&self, spec: BatchSpec) -> Result<(), String> {
        match self {
            Self::Dqn(agent, algo) => {
                agent.epsilon.check()?;
                algo.check(spec.t.saturating_mul(spec.b))?;
                if agent.epsilon.eps_shared_by_pairs && !spec.b.is_multiple_of(2) {
                    return Err(format!(
                        "agent.epsilon.eps_shared_by_pairs with sampler.b = {}: pairs need an even number",
                        spec.b
                    ));
                }
                Ok(())
            }
            Self::Pg(agent, algo) => {
                if let PgAgent::Gaussian(agent) = agent {
                    agent.gaussian.check().map_err(|e| format!("agent.{e}"))?;
                }
                match algo {
                    PgAlgo::A2c(c) => c.check(),
                    PgAlgo::Ppo(c) => c.check(),
                    PgAlgo::Reinforce(c) => c.check(),
                }
            }
        }
    }

    /// Discount of the returns that are logged.
    pub(super) fn discount(&self) -> f64 {
        match self {
            Self::Dqn(_, algo) => algo.discount,
            Self::Pg(_, PgAlgo::A2c(algo)) => algo.discount,
            Self::Pg(_, PgAlgo::Ppo(algo)) => algo.discount,
            Self::Pg(_, PgAlgo::Reinforce(algo)) => algo.discount,
        }
    }

    /// Transitions that are remembered over batches.
    pub(super) fn remembered(&self) -> u64 {
        match self {
            Self::Dqn(_, algo) => algo.replay_size as u64,
            Self::Pg(..) => 0,
        }
    }

    /// What the block has to hold for the algorithm.
    pub(super) fn block(&self, spec: BatchSpec) -> BlockOptions {
        match self {
            Self::Dqn(..) => BlockOptions::default(),
            // Recurrent models learn from the state before row 0 alone.
            Self::Pg(..) => BlockOptions { state_interval: spec.t, bootstrap_value: true },
        }
    }

    /// The agent, wherever it is built.
    pub(super) fn agent(&self) -> Result<AgentFactory> {
        Ok(match self {
            Self::Dqn(agent, algo) => AgentFactory::new(&DqnAgentConfig {
                model: agent.model.clone(),
                epsilon: agent.epsilon.clone(),
                eps_start_steps: algo.min_steps_learn,
                eps_steps: algo.eps_steps,
            })?,
            Self::Pg(PgAgent::Categorical(agent), _) => AgentFactory::new(*agent)?,
            Self::Pg(PgAgent::Gaussian(agent), _) => AgentFactory::new(*agent)?,
        })
    }

    /// The algorithm.
    pub(super) fn algo(
        &self,
        config: &Config,
        spaces: &EnvSpaces,
        spec: BatchSpec,
    ) -> Result<Box<dyn Algo>> {
        let device = agents::device(&config.device.0)?;
        let (agent, algo) = match self {
            Self::Dqn(agent, algo) => {
                let algo = (*algo).clone();
                let dqn = Dqn::new(algo, &agent.model, spaces, spec, config.seed, device)?;
                return Ok(Box::new(dqn));
            }
            Self::Pg(agent, algo) => (agent, algo),
        };
        let (model, distribution) = match agent {
            PgAgent::Categorical(agent) => (agent.model(), agent.distribution(spaces)?),
            PgAgent::Gaussian(agent) => (agent.model(), agent.distribution(spaces)?),
        };
        let (seed, n_steps) = (config.seed, config.runner.n_steps);
        let context = PgContext { spaces, spec, n_steps, seed, device };
        match algo {
            PgAlgo::A2c(algo) => learn(*algo, model, distribution, &context),
            PgAlgo::Ppo(algo) => learn(*algo, model, distribution, &context),
            PgAlgo::Reinforce(algo) => learn(*algo, model, distribution, &context),
        }
    }
}

fn learn<M: Method + Clone + 'static>(
    method: &M,
    model: &PgNet,
    distribution: Box<dyn Distribution>,
    context: &PgContext<'_>,
) -> Result<Box<dyn Algo>> {
    Ok(Box::new(PolicyGradient::new(method.clone(), model, distribution, context)?))
}
