//! The parts that the losses of all policy gradients share, as pure functions of tensors; N steps.
//!
//! Formulas as in rlpyt's `algos/pg/{a2c,ppo}.py`. All functions keep the dtype of their inputs and wait for no device.
use tch::{Reduction, Tensor};

/// What the model computes for a minibatch, each `[N]` and with gradient.
#[derive(Debug)]
pub struct Outputs {
    /// Log-likelihood of the action that was taken.
    pub log_likelihood: Tensor,
    /// Entropy of the policy.
    pub entropy: Tensor,
    /// Value of the observation.
    pub value: Tensor,
}

/// What the losses compare [`Outputs`] with, each `[N]`, without gradient.
#[derive(Debug)]
pub struct Targets {
    /// Log-likelihood of the action when it was taken.
    pub old_log_likelihood: Tensor,
    /// Advantage of the action.
    pub advantage: Tensor,
    /// Target of the value function.
    pub return_: Tensor,
    /// Value as recorded while sampling.
    pub old_value: Tensor,
    /// 1 for valid steps, 0 for the others; none where all are valid.
    pub valid: Option<Tensor>,
}

/// A loss and its parts, 0-d each.
#[derive(Debug)]
pub struct Losses {
    /// The tensor that is differentiated: its gradient is the total's, its value may differ.
    pub descent: Tensor,
    /// The sum of the parts.
    pub total: Tensor,
    /// The policy's part.
    pub policy: Tensor,
    /// The value function's part, times its coefficient.
    pub value: Tensor,
    /// Mean entropy. Its part of the total is `-coefficient * entropy`.
    pub entropy: Tensor,
}

/// Coefficients of the parts of a loss.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficients {
    /// Coefficient of half the squared error of the value.
    pub value: f64,
    /// Coefficient of the entropy bonus.
    pub entropy: f64,
}

/// Mean of `x` `[N]` over the valid steps, 0-d.
pub fn valid_mean(x: &Tensor, valid: Option<&Tensor>) -> Tensor {
    match valid {
        Some(valid) => x.dot(valid) / valid.sum(x.kind()),
        None => x.mean(x.kind()),
    }
}

/// The policy's part of a loss, 0-d.
#[derive(Debug)]
pub struct Policy {
    /// The tensor that is differentiated.
    pub descent: Tensor,
    /// The value of the loss.
    pub value: Tensor,
}

/// `factor * mean((V - R)^2)`. With `clip`, the larger of that error and the error of V clamped to within `clip` of the old value (as in
/// the code of Schulman et al. 2017; Engstrom et al. 2020 found that it does not help).
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

/// Adds up the policy's part, half the squared error of the value, and the entropy bonus.
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
