//! An algorithm of one's own: advantage-weighted regression. `cargo run --release --example 09_algorithm -- train awr`
//!
//! A policy-gradient [`Method`] says what actions were worth and what the loss of a minibatch is; passes over the batch,
//! optimiser, log and checkpoints are there. An algorithm of another kind implements [`algos::Algo`]: `algos/src/pqn` is one.
use agents::pg::{CategoricalPgAgentConfig, PgNet};
use algos::pg::loss::{Coefficients, Losses, Outputs, Policy, Targets, combine, valid_mean};
use algos::pg::{Batch, Learner, Method, Normalized, Ratio, estimated};
use algos::{AlgoError, AlgoSettings, TrainedSettings, optim::AdamKind};
use experiments::{Program, config::Config};
use rlcore::block::{BlockOptions, Columns};
use rlcore::{BatchSpec, envs::CartPole};
use runners::RunnerConfig;
use samplers::SamplerConfig;
use serde::{Deserialize, Serialize};
use std::process::ExitCode;

/// Peng et al. 2019: the likelihood of each action is raised by `exp(advantage / temperature)`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Awr {
    temperature: f64,
}

impl Default for Awr {
    fn default() -> Self {
        Self { temperature: 0.5 }
    }
}

impl AlgoSettings for Awr {
    fn discount(&self) -> f64 {
        0.99
    }

    fn records(&self, spec: BatchSpec) -> BlockOptions {
        BlockOptions { state_interval: spec.t, bootstrap_value: true }
    }
}

impl Method for Awr {
    fn optimiser(&self) -> TrainedSettings {
        let (kind, clip_grad_norm) = (AdamKind::Plain, 0.5);
        TrainedSettings { kind, learning_rate: 1e-3, adam_eps: 1e-8, clip_grad_norm }
    }

    fn entropy_loss_coeff(&self) -> f64 {
        0.0
    }

    fn epochs(&self) -> usize {
        8
    }

    fn normalized(&self) -> Normalized {
        Normalized::Each
    }

    fn estimate(&self, learner: &Learner, samples: &Columns) -> Result<Batch, AlgoError> {
        estimated(learner, samples, self.discount(), 0.95)
    }

    fn loss(&self, outputs: &Outputs, targets: &Targets, _left: f64) -> (Losses, Option<Ratio>) {
        let weight = (&targets.advantage / self.temperature).exp().clamp_max(20.0);
        let descent = -valid_mean(&(&outputs.log_likelihood * weight), targets.valid.as_ref());
        let policy = Policy { value: descent.detach(), descent };
        let coefficients = Coefficients { value: 0.5, entropy: 0.0 };
        (combine(policy, outputs, targets, coefficients, None), None)
    }
}

fn awr() -> Config<CartPole, CategoricalPgAgentConfig<PgNet>, Awr> {
    let sampler = SamplerConfig { t: 32, b: 16, ..Default::default() };
    let runner = RunnerConfig { n_steps: 100_000, log_interval_steps: 5_000, ..Default::default() };
    Config { sampler, runner, ..Default::default() }
}

fn main() -> ExitCode {
    let about = "advantage-weighted regression";
    Program::new().algorithm::<Awr>("awr", about).preset("awr", about, awr).main()
}
