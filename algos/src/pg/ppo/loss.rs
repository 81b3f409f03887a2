//! The clipped surrogate objective: Schulman et al. 2017, as in rlpyt's `algos/pg/ppo.py`.
//!
//! Differs: the ratio is `exp` of a difference of log-likelihoods, for every distribution, where rlpyt divides probabilities
//! with 1e-8 added to both (a relative difference of 1e-8 over the probability).
use crate::pg::Ratio;
use crate::pg::loss::{Coefficients, Losses, Outputs, Policy, Targets, combine, valid_mean};
use tch::Tensor;

/// `-mean(min(r A, clip(r, 1-e, 1+e) A))` with `r = exp(log_ratio)`, the value's loss (see
/// [`value_error`](crate::pg::loss::value_error)) and the entropy's; also what is logged of the ratio.
pub fn loss(
    outputs: &Outputs,
    targets: &Targets,
    c: Coefficients,
    ratio_clip: f64,
    value_clip: Option<f64>,
) -> (Losses, Ratio) {
    let (policy, log_ratio) = surrogate(outputs, targets, ratio_clip);
    (combine(policy, outputs, targets, c, value_clip), Ratio { log_ratio, clip: ratio_clip })
}

/// The gradient of `r A` with respect to the log-likelihood is `r A` itself, and that of a clipped term is zero. So the dot product of
/// the log-likelihoods with constants has the gradient of the loss.
// PERF: two nodes of the graph instead of eight; with the likelihood of `Categorical` in one node for three, 304 us a minibatch
// of 64 instead of 340 (`experiments bench learner`).
fn surrogate(outputs: &Outputs, targets: &Targets, ratio_clip: f64) -> (Policy, Tensor) {
    let valid = targets.valid.as_ref();
    let (value, slope, log_ratio) = {
        let _guard = tch::no_grad_guard();
        let log_ratio = &outputs.log_likelihood - &targets.old_log_likelihood;
        // The ratio of an invalid step may overflow, and infinity times a mask of zero is NaN.
        let log_ratio = match valid {
            Some(valid) => log_ratio.masked_fill(&valid.eq(0), 0.0),
            None => log_ratio,
        };
        let ratio = log_ratio.exp();
        let free = &ratio * &targets.advantage;
        let held = ratio.clamp(1.0 - ratio_clip, 1.0 + ratio_clip) * &targets.advantage;
        let value = -valid_mean(&free.minimum(&held), valid);
        let moves = free.less_equal_tensor(&held);
        let steps = match valid {
            Some(valid) => (free * valid) / valid.sum(valid.kind()).g_mul_scalar(-1.0),
            None => free.g_mul_scalar(-1.0 / targets.advantage.numel() as f64),
        };
        (value, steps * moves, log_ratio)
    };
    (Policy { descent: outputs.log_likelihood.dot(&slope), value }, log_ratio)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg::golden::losses_agree;

    /// Broken by a maximum for the minimum, a clip of one side only, a value without its half.
    #[test]
    fn golden() {
        losses_agree("ppo", |outputs, targets, c, clip| {
            loss(outputs, targets, c, clip.unwrap(), None).0
        });
    }

    /// Broken by a mask that is multiplied with the product.
    #[test]
    fn a_skipped_step_counts_for_nothing_whatever_its_ratio() {
        let tensor = |x: &[f32]| Tensor::from_slice(x);
        let run = |likelihood: f32, valid: Option<&[f32]>| {
            let n = valid.map_or(1, <[f32]>::len);
            let log_likelihood = tensor(&[-0.5, likelihood][..n]).set_requires_grad(true);
            let outputs = Outputs {
                log_likelihood: log_likelihood.shallow_clone(),
                entropy: tensor(&[0.7, 0.0][..n]),
                value: tensor(&[1.0, 0.0][..n]),
            };
            let targets = Targets {
                old_log_likelihood: tensor(&[-0.6, -300.0][..n]),
                advantage: tensor(&[2.0, 0.0][..n]),
                return_: tensor(&[0.5, 0.0][..n]),
                old_value: tensor(&[1.0, 0.0][..n]),
                valid: valid.map(tensor),
            };
            let c = Coefficients { value: 1.0, entropy: 0.01 };
            let (losses, ratio) = loss(&outputs, &targets, c, 0.2, None);
            losses.descent.backward();
            let slope = log_likelihood.grad().double_value(&[0]);
            let kl = ratio.kl(targets.valid.as_ref());
            [losses.total.double_value(&[]), slope, kl]
        };
        let want = run(0.0, None);
        assert!(want.iter().all(|x| x.is_finite()), "{want:?}");
        assert_eq!(run(-0.1, Some(&[1.0, 0.0])), want, "a ratio of e^299.9");
    }

    #[test]
    fn a_clipped_value_counts_the_larger_error_and_stops_there() {
        let tensor = |x: &[f64]| Tensor::from_slice(x);
        let value = tensor(&[1.0, 3.0]).set_requires_grad(true);
        let targets = Targets {
            old_log_likelihood: tensor(&[0.0, 0.0]),
            advantage: tensor(&[0.0, 0.0]),
            return_: tensor(&[2.0, 3.0]),
            old_value: tensor(&[0.0, 1.0]),
            valid: None,
        };
        let error = crate::pg::loss::value_error(&value, &targets, Some(0.5), 0.5);
        // Held at 0.5 and 1.5: errors 1.5 and 1.5, both larger than 1 and 0, and without gradient.
        assert_eq!(error.double_value(&[]), 0.5 * 1.5f64.powi(2));
        error.backward();
        assert_eq!(Vec::<f64>::try_from(value.grad()).unwrap(), [0.0, 0.0]);
        assert_eq!(
            crate::pg::loss::value_error(&value, &targets, None, 0.5).double_value(&[]),
            0.25
        );
    }
}
