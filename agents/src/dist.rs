//! Distributions of actions, seen from both sides: an acting agent draws on slices, a learner computes on tensors.
//!
//! Follows `rlpyt/distributions/`; differs: a distribution is given by one vector `dist` a row (logits, or means and log
//! standard deviations) and not by probabilities, so likelihoods are exact through log-softmax and need no epsilon; draws come
//! from the column's own stream and depend on nothing but that column's `dist`.
mod categorical;
mod gaussian;

pub use self::categorical::Categorical;
pub use self::gaussian::{Bound, Gaussian, GaussianConfig, Std};
use crate::AgentError;
use rlcore::cells::CellMut;
use rlcore::seed::Rng;
use rlcore::{EnvSpaces, LeafSpec, Space};
use tch::Tensor;

/// How an action is taken from a distribution.
#[derive(Debug)]
pub enum Draw<'a> {
    /// At random, from this stream.
    Sample(&'a mut Rng),
    /// The most likely one.
    Mode,
}

/// What a model has to compute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Heads {
    /// The first values of `dist`, computed from the observation.
    pub outputs: usize,
    /// The other values of `dist`, the same for every observation.
    pub tail: Option<Tail>,
}

/// Values of `dist` that are a parameter and not a function of the observation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tail {
    /// Name of the parameter.
    pub name: &'static str,
    /// Number of values.
    pub len: usize,
    /// Where they start.
    pub start: f64,
    /// Trained, or a buffer that stays as it is.
    pub role: crate::params::ParamRole,
}

/// Draws with a gradient with respect to `dist`.
#[derive(Debug)]
pub struct Rsample {
    /// The actions, `[..., D]`.
    pub action: Tensor,
    /// What [`Distribution::log_likelihood`] takes, `[..., D]`: the draws before any bound.
    pub drawn: Tensor,
    /// Log of the density of the actions, `[...]`, through the draws too; with [`Bound::Squash`] it includes tanh's Jacobian.
    pub log_likelihood: Tensor,
}

/// Turns rows of `len` numbers into actions and likelihoods. Tensors may have any leading dimensions; results have those.
pub trait Distribution: Send + std::fmt::Debug {
    /// Width of `dist`: A logits, or D means and D log standard deviations.
    fn len(&self) -> usize;

    /// Whether there is nothing to choose.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Which part of `dist` a model computes from the observation.
    fn heads(&self) -> Heads {
        Heads { outputs: self.len(), tail: None }
    }

    /// Leaves of agent_info that the distribution records. The first is `dist` `[len] f32`, as the likelihoods use it.
    fn info(&self) -> Vec<LeafSpec>;

    /// Draws one column's action from `dist` `[len]`, and fills the leaves of [`Distribution::info`], which are the leaves of
    /// `info` from `first` on. `allowed` `[A]` is non-zero where an action may be taken.
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

    /// Which recorded tensor the likelihood is of: the action, or one of `info`, the leaves of [`Distribution::info`] in their
    /// order.
    fn drawn<'a>(&self, action: &'a [Tensor], info: &'a [Tensor]) -> &'a Tensor;

    /// Standard normal numbers in one draw of [`Distribution::rsample`].
    fn noise_len(&self) -> usize {
        0
    }

    /// Draws with a gradient (reparameterised: Kingma and Welling 2014): `dist` `[..., len]` and standard normal `noise`
    /// `[..., noise_len]`, which the caller draws, so that draws are a function of its stream.
    ///
    /// # Errors
    /// A distribution over discrete actions: such a draw has no gradient.
    fn rsample(&self, _dist: &Tensor, _noise: &Tensor) -> Result<Rsample, AgentError> {
        Err(AgentError::new(format!(
            "a draw from {self:?} has no gradient: sum over the actions with their probabilities instead, or use a gaussian distribution"
        )))
    }

    /// How a model's output becomes the most likely action, as lines of Python, for `experiments export`; none where nobody has
    /// written it. `output` `[outputs]` is what [`Heads::outputs`] counts; where there is an action mask, what it forbids is
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
