//! Distributions of actions: agents draw from them on slices, learners compute with them on tensors.
//!
//! Follows `rlpyt/distributions/`; differs: a distribution is given by one vector `dist` per row (logits, or means and log
//! standard deviations) and not by probabilities, so that likelihoods are exact (log-softmax) and need no epsilon; draws use the
//! column's own random stream and depend on nothing except that stream and the column's `dist`.
mod categorical;
mod gaussian;

pub use self::categorical::Categorical;
pub use self::gaussian::{Bound, Gaussian, GaussianConfig, Std};
use crate::AgentError;
use rlcore::cells::CellMut;
use rlcore::seed::Rng;
use rlcore::{EnvSpaces, LeafSpec, Space};
use tch::Tensor;

/// How an action is chosen from a distribution.
#[derive(Debug)]
pub enum Draw<'a> {
    /// Drawn, with this random stream.
    Sample(&'a mut Rng),
    /// The most likely action.
    Mode,
}

/// Which values of `dist` a model computes, and how.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heads {
    /// Number of first values of `dist`, which are computed from the observation.
    pub outputs: usize,
    /// The remaining values of `dist`, which are the same for every observation.
    pub tail: Option<Tail>,
}

/// Values of `dist` that are a parameter and not a function of the observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tail {
    /// Name of the parameter.
    pub name: &'static str,
    /// Number of values.
    pub len: usize,
    /// Their initial value.
    pub start: f64,
    /// Whether they are trained, or a constant buffer.
    pub role: crate::params::ParamRole,
}

/// Draws that have a gradient with respect to `dist`.
#[derive(Debug)]
pub struct Rsample {
    /// The actions, `[..., D]`.
    pub action: Tensor,
    /// The draws before bounds are applied, `[..., D]`, as [`Distribution::log_likelihood`] takes them.
    pub drawn: Tensor,
    /// Log of the density of the actions, `[...]`, with a gradient through the draws too. With [`Bound::Squash`] it includes the
    /// Jacobian of tanh.
    pub log_likelihood: Tensor,
}

/// A distribution of actions, given by `dist` `[len]`. Tensors may have any leading dimensions; results have the same.
pub trait Distribution: Send + std::fmt::Debug {
    /// Width of `dist`: A logits, or D means and D log standard deviations.
    fn len(&self) -> usize;

    /// Whether `dist` is empty.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which values of `dist` a model computes from the observation.
    fn heads(&self) -> Heads {
        Heads { outputs: self.len(), tail: None }
    }

    /// Leaves of `agent_info` that the distribution records. The first is `dist` `[len] f32`, as the likelihoods use it.
    fn info(&self) -> Vec<LeafSpec>;

    /// Chooses the action of one column from `dist` `[len]`, and writes the leaves of [`Distribution::info`], which are those of `info`
    /// from index `first` on. `allowed` `[A]` is non-zero where an action may be taken.
    fn draw(
        &self,
        dist: &[f32],
        allowed: Option<&[u8]>,
        draw: Draw<'_>,
        action: &mut CellMut<'_>,
        info: &mut CellMut<'_>,
        first: usize,
    );

    /// Log of the probability (density) `[N]` of what was drawn (see [`Distribution::drawn`]), `dist: [N, len]`.
    fn log_likelihood(&self, dist: &Tensor, drawn: &Tensor) -> Tensor;

    /// Entropy in nats, `[N, len] -> [N]`.
    fn entropy(&self, dist: &Tensor) -> Tensor;

    /// Kullback-Leibler divergence of `new` from `old` in nats, two `[N, len] -> [N]`.
    fn kl(&self, old: &Tensor, new: &Tensor) -> Tensor;

    /// The recorded tensor whose likelihood is computed: the action, or one of `info`, the leaves of [`Distribution::info`] in their
    /// order.
    fn drawn<'a>(&self, action: &'a [Tensor], info: &'a [Tensor]) -> &'a Tensor;

    /// Number of standard normal values per draw of [`Distribution::rsample`].
    fn noise_len(&self) -> usize {
        0
    }

    /// Draws with a gradient (reparameterised: Kingma and Welling 2014): `dist` `[..., len]` and standard normal `noise`
    /// `[..., noise_len]`, which the caller draws, so that the result is a function of the caller's random stream.
    ///
    /// # Errors
    /// A distribution over discrete actions: such a draw has no gradient.
    fn rsample(&self, _dist: &Tensor, _noise: &Tensor) -> Result<Rsample, AgentError> {
        Err(AgentError::new(format!(
            "a draw from {self:?} has no gradient: sum over the actions with their probabilities instead, or use a gaussian distribution"
        )))
    }

    /// How a model's output becomes the most likely action, as lines of Python, for `experiments export`; none for a distribution
    /// without PyTorch source. `output` `[outputs]` is what [`Heads::outputs`] counts; where there is an action mask, what it forbids is
    /// `-inf`. The lines return the action: an `int`, or a tensor of the shape of the box.
    fn torch(&self) -> Option<Vec<String>> {
        None
    }

    /// Applies an action mask `[N, A] u8` to a model's output.
    fn mask(&self, dist: Tensor, _allowed: Option<&Tensor>) -> Tensor {
        dist
    }
}

/// The distribution over an action space: [`Categorical`] for a discrete one, [`Gaussian`] for a box.
pub fn distribution(
    spaces: &EnvSpaces,
    gaussian: &GaussianConfig,
) -> Result<Box<dyn Distribution>, AgentError> {
    Ok(match &spaces.action {
        Space::Box(_) => Box::new(Gaussian::new(spaces, gaussian)?),
        _ => Box::new(Categorical::new(spaces)?),
    })
}

#[cfg(test)]
mod golden;
