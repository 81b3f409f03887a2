//! The loss of the advantage actor-critic: Mnih et al. 2016, as in rlpyt's `algos/pg/a2c.py`.
use crate::pg::loss::{Coefficients, Losses, Outputs, Policy, Targets, combine, valid_mean};

/// `-mean(log pi(a) A) + c_v mean((V - R)^2 / 2) - c_e mean(H)`.
pub fn loss(outputs: &Outputs, targets: &Targets, c: Coefficients) -> Losses {
    let gain = &outputs.log_likelihood * &targets.advantage;
    let value = -valid_mean(&gain, targets.valid.as_ref());
    let policy = Policy { descent: value.shallow_clone(), value };
    combine(policy, outputs, targets, c, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg::golden::losses_agree;

    /// Broken by a mean over all steps instead of the valid, a wrong sign, a gradient into the advantage.
    #[test]
    fn golden() {
        losses_agree("a2c", |outputs, targets, c, _| loss(outputs, targets, c));
    }
}
