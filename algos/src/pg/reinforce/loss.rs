//! The loss of REINFORCE: Williams 1992.
use crate::pg::loss::{Losses, Outputs, Targets, valid_mean};

/// `-mean(log pi(a) A) - c_e mean(H)`, where A is the return, normalised or not. There is no value function.
pub fn loss(outputs: &Outputs, targets: &Targets, entropy_coeff: f64) -> Losses {
    let valid = targets.valid.as_ref();
    let policy = -valid_mean(&(&outputs.log_likelihood * &targets.advantage), valid);
    let entropy = valid_mean(&outputs.entropy, valid);
    let total = if entropy_coeff == 0.0 {
        policy.shallow_clone()
    } else {
        &policy - entropy.g_mul_scalar(entropy_coeff)
    };
    Losses { descent: total.shallow_clone(), total, value: policy.zeros_like(), policy, entropy }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pg::golden::losses_agree;
    use crate::pg::loss::value_error;

    /// A2C's golden numbers without the value's part: the policies' gradients are the same. Broken by a wrong sign or mean.
    #[test]
    fn golden() {
        losses_agree("a2c", |outputs, targets, c, _| {
            let mut losses = loss(outputs, targets, c.entropy);
            let value = value_error(&outputs.value, targets, None, 0.5 * c.value);
            losses.descent = &losses.descent + &value;
            losses.total = &losses.total + &value;
            losses.value = value;
            losses
        });
    }
}
