//! What the settings of an algorithm tell before anything is built: whether they are sound, the discount, what must be recorded, the
//! memory.
use crate::algo::Algo;
use crate::context::LearnContext;
use crate::error::AlgoError;
use agents::params::ModelSize;
use rlcore::block::BlockOptions;
use rlcore::memory::Need;
use rlcore::{BatchSpec, EnvSpaces};
use std::ops::Range;

/// The settings of an algorithm, and what follows from them alone.
pub trait AlgoSettings: std::fmt::Debug {
    /// Checks the settings against each other and against the size of a batch.
    ///
    /// # Errors
    /// A text that names the setting, its value and what to change.
    fn check(&self, _spec: BatchSpec) -> Result<(), String> {
        Ok(())
    }

    /// Discount per environment step.
    fn discount(&self) -> f64;

    /// Environment steps of all replicas during which the agent's exploration falls to its final value. Empty: exploration has its
    /// final value from the beginning.
    fn annealing(&self) -> Range<u64> {
        0..0
    }

    /// What the sampler must record for the algorithm, in addition to what every batch holds: for `Setup::options`.
    fn records(&self, _spec: BatchSpec) -> BlockOptions {
        BlockOptions::default()
    }

    /// Peak memory of the algorithm, an upper estimate made before anything is built. The sampler's memory is not included. The default
    /// counts none.
    fn needs(&self, _spaces: &EnvSpaces, _spec: BatchSpec, _model: &ModelSize) -> AlgoNeeds {
        AlgoNeeds::default()
    }
}

/// Settings that build their algorithm, so that a program can offer it by name.
pub trait MakeAlgo: AlgoSettings {
    /// What is trained: the [`AgentSettings::Model`](agents::AgentSettings::Model) of the agents that the algorithm fits.
    type Model: 'static;

    /// Builds the algorithm for the model of an agent, with initial weights from the run's seed.
    ///
    /// # Errors
    /// A model that cannot be built or does not fit; settings that contradict each other or the batches; too little memory.
    fn make(
        &self,
        model: &Self::Model,
        context: &LearnContext<'_>,
    ) -> Result<Box<dyn Algo>, AlgoError>;
}

/// Memory of an algorithm, by the place where it is allocated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlgoNeeds {
    /// In host memory: a replay, copies of a batch.
    pub host: Vec<Need>,
    /// On the learner's device, which may be the host too: parameters, optimiser, intermediate values of an update.
    pub device: Vec<Need>,
}

/// Vectors as long as the trained parameters, apart from the parameters themselves: Adam's two moments and its scratch, the gradients
/// per parameter, and the flat gradient.
const TRAINING: u64 = 5;
/// Values that the loss keeps per row, apart from the model's: likelihoods, ratios, entropies, errors and their gradients.
const LOSS: u64 = 40;

const MODEL: &str = "the sizes in agent.model";

/// Memory of the parameters with their gradient and optimiser. `others`: further copies of the parameters alone, such as a target
/// network.
pub(crate) fn training(model: &ModelSize, others: u64) -> Need {
    let trained = (model.trained as u64).saturating_mul(TRAINING);
    let values = (model.params as u64).saturating_mul(1 + others);
    let bytes = trained.saturating_add(values).saturating_mul(4);
    Need::new(format!("{} parameters in training", model.params), bytes, MODEL)
}

/// Memory of an update over `rows` rows: the layers' outputs for the backward pass and, while that runs, the gradients of about two
/// and a half layers of the greatest width.
pub(crate) fn pass(model: &ModelSize, rows: u64, lower: &str) -> Need {
    let gradients = (model.widest as u64).saturating_mul(5) / 2;
    let values = (model.activations as u64).saturating_add(gradients).saturating_add(LOSS);
    let bytes = values.saturating_mul(rows).saturating_mul(4);
    Need::new(format!("an update over {rows} rows"), bytes, format!("{lower} or {MODEL}"))
}

/// Bytes of one step's observation and action.
pub(crate) fn step_bytes(spaces: &EnvSpaces) -> u64 {
    let leaves = spaces.observation.leaves("").into_iter().chain(spaces.action.leaves(""));
    leaves.map(|leaf| leaf.cell_bytes() as u64).fold(0, u64::saturating_add)
}

/// Largest learning rate: Adam moves each parameter by about the learning rate per step.
const MOST_RATE: f64 = 1e3;

/// An error that names the first setting that is out of range. `positive` must be above zero, `shares` within 0 and 1, `others` zero or
/// above. Tensors hold f32, so that a value must also be finite, and not rounded to zero, as f32.
pub(crate) fn check(
    positive: &[(&str, f64)],
    shares: &[(&str, f64)],
    others: &[(&str, f64)],
) -> Result<(), String> {
    let not = |all: &[(&str, f64)], fits: fn(f64) -> bool, rule: &str| {
        let bad = all.iter().find(|(_, v)| !((*v as f32).is_finite() && fits(*v)));
        bad.map_or(Ok(()), |(name, value)| Err(format!("algo.{name} = {value}: it must {rule}")))
    };
    not(
        positive,
        |v| v as f32 > 0.0,
        "be above zero and finite, as f32 too (about 1e-45 to 3e38)",
    )?;
    let rate = positive.iter().find(|(name, v)| *name == "learning_rate" && *v > MOST_RATE);
    if let Some((name, value)) = rate {
        return Err(format!("algo.{name} = {value}: it must be at most {MOST_RATE}"));
    }
    not(shares, |v| (0.0..=1.0).contains(&v), "lie within 0 and 1")?;
    not(others, |v| v >= 0.0, "be zero or above, and finite, as f32 too (up to about 3e38)")
}

/// An error where the setting `name`, which bounds something, is neither above zero (as f32 too) nor infinite.
pub(crate) fn check_limit(name: &str, value: f64) -> Result<(), String> {
    if value == f64::INFINITY || (value as f32 > 0.0 && (value as f32).is_finite()) {
        return Ok(());
    }
    Err(format!(
        "algo.{name} = {value}: it must be above zero, as f32 too (about 1e-45 to 3e38); inf switches it off"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_as_tensors_hold_them() {
        let positive = |v| check(&[("x", v)], &[], &[]);
        positive(1e-30).unwrap();
        for v in [0.0, -1.0, 1e-320, 1e308, f64::INFINITY, f64::NAN] {
            assert!(positive(v).unwrap_err().contains("algo.x = "), "{v}");
        }
        let rate = |v| check(&[("learning_rate", v)], &[], &[]);
        rate(1.0).unwrap();
        assert!(rate(9e18).unwrap_err().contains("at most"));
        check(&[], &[("x", 1.0)], &[("y", 0.0)]).unwrap();
        assert!(check(&[], &[("x", 1.1)], &[]).is_err());
        assert!(check(&[], &[], &[("y", 1e308)]).is_err());
    }

    #[test]
    fn infinity_switches_a_limit_off() {
        for v in [1e-30, 1.0, f64::INFINITY] {
            check_limit("x", v).unwrap();
        }
        for v in [0.0, -1.0, 1e-320, 1e308, f64::NEG_INFINITY, f64::NAN] {
            let text = check_limit("x", v).unwrap_err();
            assert!(text.contains("algo.x = ") && text.contains("inf switches it off"), "{text}");
        }
    }
}
