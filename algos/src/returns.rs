//! Returns and advantages of a `[T, B]` batch, computed in plain Rust backwards over time.
//!
//! Schulman et al. 2016 (GAE) and rlpyt's `algos/utils.py`; differs in that terminated and truncated steps are distinguished:
//! a truncated step is followed by the value of its own final observation, where rlpyt has zero. Slices are time-major
//! `[T * B]`, flags 0 or 1; inputs are f32 or f64, and everything is computed in f64.

/// Rewards, ends and value estimates of a batch. `F` is f32 or f64.
#[derive(Clone, Copy, Debug)]
pub struct Steps<'a, F> {
    /// Rewards `[T * B]`.
    pub reward: &'a [F],
    /// `[T * B]`: the episode terminated, and nothing follows. Takes precedence over `truncated`.
    pub terminated: &'a [u8],
    /// `[T * B]`: the episode was truncated; `final_value` is the value of what would follow.
    pub truncated: &'a [u8],
    /// `V(s_t)` `[T * B]`, as recorded while sampling.
    pub value: &'a [F],
    /// `[T * B]`: at truncated steps the value of the final observation; not read elsewhere.
    pub final_value: &'a [F],
    /// `[B]`: value of the observation after the last step.
    pub bootstrap_value: &'a [F],
}

/// Generalised advantage estimates `[T * B]`: with `d_t = r_t + discount V'_t - V_t`, the sum of `(discount lambda)^k d_{t+k}`
/// up to the end of the episode or of the batch. `V'_t` is 0 after a terminated step, `final_value` after a truncated one.
/// The return that a value function learns is `advantage + value`. Steps that
/// `valid` `[T * B]` leaves out are 0.
pub fn gae<F: Copy + Into<f64>>(
    steps: &Steps<'_, F>,
    valid: &[u8],
    discount: f64,
    lambda: f64,
) -> Vec<f64> {
    let b = steps.bootstrap_value.len();
    let mut advantage = vec![0.0; steps.reward.len()];
    for column in 0..b {
        let mut next_value: f64 = steps.bootstrap_value[column].into();
        let mut sum = 0.0;
        for i in (column..steps.reward.len()).step_by(b).rev() {
            let value: f64 = steps.value[i].into();
            if valid[i] != 0 {
                if steps.terminated[i] != 0 {
                    (next_value, sum) = (0.0, 0.0);
                } else if steps.truncated[i] != 0 {
                    (next_value, sum) = (steps.final_value[i].into(), 0.0);
                }
                sum = steps.reward[i].into() + discount * next_value - value
                    + discount * lambda * sum;
                advantage[i] = sum;
            }
            next_value = value;
        }
    }
    advantage
}

/// Lambda returns `[T * B]`, with `steps.value` being V: `G_t = r_t + discount (lambda G_{t+1} + (1 - lambda) V_{t+1})`, where
/// both are `bootstrap_value` after the last row, 0 after a terminated step and `final_value` after a truncated one. These are
/// the targets of Peng's Q(lambda) (Peng and Williams 1996) where V is the largest value of the actions.
/// Steps that `valid` `[T * B]` leaves out are 0.
///
/// Computed as [`gae`] plus V, which is the same sum.
pub fn lambda_returns<F: Copy + Into<f64>>(
    steps: &Steps<'_, F>,
    valid: &[u8],
    discount: f64,
    lambda: f64,
) -> Vec<f64> {
    let mut returns = gae(steps, valid, discount, lambda);
    for (i, return_) in returns.iter_mut().enumerate().filter(|(i, _)| valid[*i] != 0) {
        *return_ += steps.value[i].into();
    }
    returns
}

/// `R_t = r_t + discount (1 - done_t) R_{t+1}` `[T * B]`, with `bootstrap_value` `[B]` after the last row.
pub fn discount_return<F: Copy + Into<f64>>(
    reward: &[F],
    done: &[u8],
    bootstrap_value: &[F],
    discount: f64,
) -> Vec<f64> {
    let b = bootstrap_value.len();
    let mut return_ = vec![0.0; reward.len()];
    for (column, bootstrap) in bootstrap_value.iter().enumerate() {
        let mut next: f64 = (*bootstrap).into();
        for i in (column..reward.len()).step_by(b).rev() {
            let follows = if done[i] == 0 { next } else { 0.0 };
            next = reward[i].into() + discount * follows;
            return_[i] = next;
        }
    }
    return_
}

/// Smallest standard deviation that advantages are divided by, as in rlpyt.
const LEAST_STD: f64 = 1e-6;

/// Shifts and scales `values` so that the entries where `valid` is set have mean 0 and standard deviation 1 (unbiased); the other entries
/// are shifted and scaled by the same numbers. A single valid entry becomes 0.
pub fn normalize(values: &mut [f64], valid: &[u8]) {
    let kept = || values.iter().zip(valid).filter(|(_, valid)| **valid != 0);
    let n = kept().count();
    if n == 0 {
        return;
    }
    let mean = kept().map(|(x, _)| x).sum::<f64>() / n as f64;
    let variance = kept().map(|(x, _)| (x - mean).powi(2)).sum::<f64>() / (n - 1).max(1) as f64;
    let scale = 1.0 / variance.sqrt().max(LEAST_STD);
    for x in values {
        *x = (*x - mean) * scale;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden::{cases_with, close, flags, numbers};
    use proptest::prelude::*;

    #[test]
    fn golden_returns() {
        for case in cases_with("returns", "kind", "discount_return") {
            let [reward, bootstrap] = ["reward", "bootstrap_value"].map(|k| numbers(&case[k]));
            let gamma = case["gamma"].as_f64().unwrap();
            let got = discount_return(&reward, &flags(&case["done"]), &bootstrap, gamma);
            close("return", &got, &case["return_"], 1e-9);
        }
    }

    #[test]
    fn golden_advantages() {
        for (kind, done) in [("gae", true), ("gae_tt", false)] {
            for case in cases_with("returns", "kind", kind) {
                let [reward, value, bootstrap_value] =
                    ["reward", "value", "bootstrap_value"].map(|k| numbers(&case[k]));
                let zeros = vec![0.0; reward.len()];
                let (terminated, truncated, final_value) = if done {
                    (flags(&case["done"]), vec![0; reward.len()], zeros)
                } else {
                    let final_value = numbers(&case["final_value"]);
                    (flags(&case["terminated"]), flags(&case["truncated"]), final_value)
                };
                let steps = Steps {
                    reward: &reward,
                    terminated: &terminated,
                    truncated: &truncated,
                    value: &value,
                    final_value: &final_value,
                    bootstrap_value: &bootstrap_value,
                };
                let [gamma, lambda] = ["gamma", "gae_lambda"].map(|k| case[k].as_f64().unwrap());
                let got = gae(&steps, &vec![1; reward.len()], gamma, lambda);
                close("advantage", &got, &case["advantage"], 1e-9);
                let return_: Vec<f64> = got.iter().zip(&value).map(|(a, v)| a + v).collect();
                close("return", &return_, &case["return_"], 1e-9);
            }
        }
    }

    /// rlpyt's order of work: estimate, then normalise over what is valid.
    #[test]
    fn golden_processing() {
        for case in cases_with("ppo_losses", "kind", "process_returns") {
            let [reward, value, bootstrap_value] =
                ["reward", "value", "bootstrap_value"].map(|k| numbers(&case[k]));
            let (done, never) = (flags(&case["done"]), vec![0; reward.len()]);
            let steps = Steps {
                reward: &reward,
                terminated: &done,
                truncated: &never,
                value: &value,
                final_value: &value,
                bootstrap_value: &bootstrap_value,
            };
            let all = vec![1; reward.len()];
            let valid = if case["valid"].is_null() { all.clone() } else { flags(&case["valid"]) };
            let [gamma, lambda] = ["gamma", "gae_lambda"].map(|k| case[k].as_f64().unwrap());
            let mut advantage = gae(&steps, &all, gamma, lambda);
            let return_: Vec<f64> = advantage.iter().zip(&value).map(|(a, v)| a + v).collect();
            if case["normalize"] == 1 {
                normalize(&mut advantage, &valid);
            }
            close("advantage", &advantage, &case["advantage"], 1e-9);
            close("return", &return_, &case["return_"], 1e-9);
        }
    }

    /// A column that waits after its end is estimated as if the batch had ended there; what lies in the skipped rows is unread.
    #[test]
    fn skipped_steps_change_nothing() {
        let steps = Steps {
            reward: &[1f32, 2.0, 50.0, 60.0],
            terminated: &[0, 0, 0, 0],
            truncated: &[0, 1, 1, 0],
            value: &[0.5, 0.25, 70.0, 80.0],
            final_value: &[0.0, 4.0, 90.0, 0.0],
            bootstrap_value: &[100.0],
        };
        let got = gae(&steps, &[1, 1, 0, 0], 0.5, 1.0);
        assert_eq!(got, [1.0 + 0.5 * (2.0 + 0.5 * 4.0) - 0.5, 2.0 + 0.5 * 4.0 - 0.25, 0.0, 0.0]);
    }

    #[test]
    fn equal_values_normalise_to_zero() {
        for mut values in [vec![3.0], vec![2.0; 4]] {
            let all = vec![1; values.len()];
            normalize(&mut values, &all);
            assert!(values.iter().all(|x| *x == 0.0), "{values:?}");
        }
    }

    /// Four steps of one environment, computed by hand.
    #[test]
    fn lambda_returns_of_four_steps() {
        for (terminated, want) in [
            ([0, 0, 0, 0], [2.46326, 1.96283, 3.6245, 1.7]),
            ([0, 1, 0, 0], [1.315, 0.0, 3.6245, 1.7]),
            ([0, 0, 1, 0], [1.907_312, 1.0125, 2.0, 1.7]),
        ] {
            let steps = Steps {
                reward: &[1.0, 0.0, 2.0, -1.0],
                terminated: &terminated,
                truncated: &[0; 4],
                value: &[0.5, 1.0, -0.5, 2.0],
                final_value: &[0.0; 4],
                bootstrap_value: &[3.0],
            };
            let got = lambda_returns(&steps, &[1; 4], 0.9, 0.65);
            got.iter().zip(want).for_each(|(g, w)| assert!((g - w).abs() < 1e-5, "{got:?}"));
        }
    }

    /// What may happen at one step of one environment.
    #[derive(Clone, Copy, Debug)]
    struct Step {
        reward: f64,
        value: f64,
        final_value: f64,
        terminated: bool,
        truncated: bool,
    }

    fn step() -> impl Strategy<Value = Step> {
        let x = || -2.0..2.0f64;
        (x(), x(), x(), prop::bool::weighted(0.15), prop::bool::weighted(0.15)).prop_map(
            |(reward, value, final_value, terminated, truncated)| Step {
                reward,
                value,
                final_value,
                terminated,
                truncated,
            },
        )
    }

    /// The forward view: the mean of the n-step returns from `steps[0]` on, weighed by powers of lambda. The longest ends where
    /// the episode or the batch does.
    fn forward_view(steps: &[Step], bootstrap: f64, discount: f64, lambda: f64) -> f64 {
        let (mut mean, mut rewards) = (0.0, 0.0);
        for (k, s) in steps.iter().enumerate() {
            rewards += discount.powi(k as i32) * s.reward;
            let (follows, ends) = match steps.get(k + 1) {
                _ if s.terminated => (0.0, true),
                _ if s.truncated => (s.final_value, true),
                Some(next) => (next.value, false),
                None => (bootstrap, true),
            };
            let n_step = rewards + discount.powi(k as i32 + 1) * follows;
            let weight = lambda.powi(k as i32);
            mean += if ends { weight } else { (1.0 - lambda) * weight } * n_step;
            if ends {
                break;
            }
        }
        mean
    }

    proptest! {
        /// Broken by a return that goes on over an end, by the bootstrap of another column or step, by a truncated step that
        /// is worth the observation after its reset, by a column that waits for its reset and is learned from.
        #[test]
        fn lambda_returns_are_means_of_n_step_returns(
            columns in prop::collection::vec(prop::collection::vec(step(), 9), 3),
            bootstrap in prop::collection::vec(-2.0..2.0f64, 3),
            discount in 0.0..=1.0f64,
            lambda in 0.0..=1.0f64,
            waits in any::<bool>(),
        ) {
            let (t, b) = (9, columns.len());
            let of = |f: &dyn Fn(&Step) -> f64| -> Vec<f64> {
                (0..t * b).map(|i| f(&columns[i % b][i / b])).collect()
            };
            let flags = |f: &dyn Fn(&Step) -> bool| -> Vec<u8> {
                (0..t * b).map(|i| u8::from(f(&columns[i % b][i / b]))).collect()
            };
            let ended = |column: &[Step]| column.iter().any(|s| s.terminated || s.truncated);
            let valid: Vec<u8> =
                (0..t * b).map(|i| u8::from(!(waits && ended(&columns[i % b][..i / b])))).collect();
            let steps = Steps {
                reward: &of(&|s| s.reward),
                terminated: &flags(&|s| s.terminated),
                truncated: &flags(&|s| s.truncated),
                value: &of(&|s| s.value),
                final_value: &of(&|s| s.final_value),
                bootstrap_value: &bootstrap,
            };
            let got = lambda_returns(&steps, &valid, discount, lambda);
            for (i, got) in got.iter().enumerate() {
                let rest = &columns[i % b][i / b..];
                let want = if valid[i] == 0 {
                    0.0
                } else {
                    forward_view(rest, bootstrap[i % b], discount, lambda)
                };
                prop_assert!((got - want).abs() < 1e-9, "step {} of column {}: {got} for {want}", i / b, i % b);
            }
        }
    }
}
