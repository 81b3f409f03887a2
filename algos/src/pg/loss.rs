//! What the losses of the policy-gradient family share, as pure functions of tensors; N steps.
//!
//! Formulas as in rlpyt's `algos/pg/{a2c,ppo}.py`. Everything keeps the dtype of its inputs and waits for no device.
use tch::{Reduction, Tensor};

/// What the learner computes of a minibatch, each `[N]` and with gradient.
#[derive(Debug)]
pub struct Outputs {
    /// Log-likelihood of the action that was taken.
    pub log_likelihood: Tensor,
    /// Entropy of the policy.
    pub entropy: Tensor,
    /// Value of the observation.
    pub value: Tensor,
}

/// What the losses hold against it, each `[N]`, without gradient.
#[derive(Debug)]
pub struct Targets {
    /// Log-likelihood of the action when it was taken.
    pub old_log_likelihood: Tensor,
    /// How much better the action was than the policy's mean.
    pub advantage: Tensor,
    /// What the value should have been.
    pub return_: Tensor,
    /// Value as recorded while sampling.
    pub old_value: Tensor,
    /// 1 for steps that happened, else 0; none where all did.
    pub valid: Option<Tensor>,
}

/// A loss and its parts, 0-d each.
#[derive(Debug)]
pub struct Losses {
    /// What is differentiated: it has the total's gradient, and not always its value.
    pub descent: Tensor,
    /// The sum of the parts.
    pub total: Tensor,
    /// Of the policy.
    pub policy: Tensor,
    /// Of the value, times its coefficient.
    pub value: Tensor,
    /// Mean entropy; its part of the total is minus this times its coefficient.
    pub entropy: Tensor,
}

/// Weights of the parts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficients {
    /// Of half the squared error of the value.
    pub value: f64,
    /// Of the entropy, which is rewarded.
    pub entropy: f64,
}

/// Mean of `x` `[N]` over the valid steps, 0-d.
pub fn valid_mean(x: &Tensor, valid: Option<&Tensor>) -> Tensor {
    match valid {
        Some(valid) => x.dot(valid) / valid.sum(x.kind()),
        None => x.mean(x.kind()),
    }
}

/// What goes down where the policy gets better, 0-d.
#[derive(Debug)]
pub struct Policy {
    /// Has the gradient of the loss.
    pub descent: Tensor,
    /// The loss.
    pub value: Tensor,
}

/// `factor * mean((V - R)^2)`. With `clip` the larger of that error and the one that V would have within `clip` of the old
/// value (the code of Schulman et al. 2017; Engstrom et al. 2020 found that it does not help).
pub fn value_error(value: &Tensor, targets: &Targets, clip: Option<f64>, factor: f64) -> Tensor {
    let error = match (clip, &targets.valid) {
        (None, None) => {
            return value.mse_loss(&targets.return_, Reduction::Mean).g_mul_scalar(factor);
        }
        (None, Some(_)) => (value - &targets.return_).square(),
        (Some(clip), _) => {
            let near = &targets.old_value + (value - &targets.old_value).clamp(-clip, clip);
            let (free, held) = (value - &targets.return_, near - &targets.return_);
            free.square().maximum(&held.square())
        }
    };
    valid_mean(&error, targets.valid.as_ref()).g_mul_scalar(factor)
}

/// Adds the parts up; half the squared error of the value counts.
pub fn combine(
    policy: Policy,
    outputs: &Outputs,
    targets: &Targets,
    c: Coefficients,
    value_clip: Option<f64>,
) -> Losses {
    let value = value_error(&outputs.value, targets, value_clip, 0.5 * c.value);
    let entropy = valid_mean(&outputs.entropy, targets.valid.as_ref());
    let with_entropy = |both: Tensor| {
        if c.entropy == 0.0 { both } else { both - entropy.g_mul_scalar(c.entropy) }
    };
    let descent = with_entropy(&policy.descent + &value);
    let total = {
        let _guard = tch::no_grad_guard();
        with_entropy(&policy.value + &value)
    };
    Losses { descent, total, policy: policy.value, value, entropy }
}
