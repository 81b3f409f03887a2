//! A contender that collects batches with one of our samplers.
use super::measure::Contender;
use agents::epsilon::EpsilonConfig;
use agents::model::QMlp;
use agents::{AgentFactory, DqnAgentConfig, EpsilonGreedy, RandomAgentConfig};
use anyhow::Result;
use rlcore::{BatchSpec, EnvFactory, GlobalSteps};
use samplers::SamplerKind::Serial;
use samplers::{Sampler, SamplerConfig, SamplerKind, Setup, WorkerConfig};
use serde::{Deserialize, Serialize};

/// Who chooses the actions.
#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) enum Policy {
    Random,
    Mlp(usize),
}

impl Policy {
    pub(super) fn name(self) -> String {
        match self {
            Self::Random => "random actions".into(),
            Self::Mlp(width) => format!("MLP {width}-{width}"),
        }
    }

    fn agent(self) -> Result<AgentFactory> {
        let Self::Mlp(width) = self else {
            return Ok(AgentFactory::new(&RandomAgentConfig {})?);
        };
        let epsilon = EpsilonConfig { eps_init: 0.01, eps_final: 0.01, ..Default::default() };
        let model = QMlp { hidden: vec![width, width], ..Default::default() };
        let exploration = EpsilonGreedy { epsilon, start_steps: 0, end_steps: 1 };
        Ok(AgentFactory::new(&DqnAgentConfig { model, exploration })?)
    }
}

/// Name of a contender, such as `gpu, 1 worker`.
pub(super) fn title(kind: SamplerKind, workers: usize) -> String {
    match (kind, workers) {
        (Serial, _) => "serial".to_owned(),
        (_, 1) => format!("{kind:?}, 1 worker").to_lowercase(),
        _ => format!("{kind:?}, {workers} workers").to_lowercase(),
    }
}

/// A sampler that collects one batch per call.
pub(super) fn sampler(
    policy: Policy,
    kind: SamplerKind,
    workers: usize,
    spec: BatchSpec,
    env: &EnvFactory,
) -> Result<Contender> {
    let worker = WorkerConfig { n: workers, ..Default::default() };
    let config = SamplerConfig { kind, t: spec.t, b: spec.b, worker, ..Default::default() };
    let setup = Setup::new(config, env.clone(), policy.agent()?);
    let mut sampler: Box<dyn Sampler> = samplers::build(setup)?;
    let pids = sampler.worker_pids();
    let work = move || {
        sampler.obtain_samples(GlobalSteps(1 << 40))?;
        Ok(spec.steps() as u64)
    };
    Ok(Contender::new(title(kind, workers), pids, work))
}
