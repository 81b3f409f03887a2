//! The loss of deep Q-learning, as pure functions of tensors; N transitions, A actions.
//!
//! Mnih et al. 2015, double Q-learning of van Hasselt et al. 2016, n-step targets; formulas as in
//! rlpyt's `algos/dqn/dqn.py`. Difference: each transition has its bootstrap factor `gamma^m (1 - terminated)`
//! instead of `done_n`, so that truncated windows bootstrap. All functions keep the dtype of their
//! inputs and wait for no device.
use crate::error::AlgoError;
use agents::model::QModel;
use rlcore::tensor::slice;
use tch::{Device, Reduction, Tensor};

/// An error where a model has more than one value for each action, or a state. `kind`: the algorithm's name.
pub(crate) fn check_model(model: &dyn QModel, kind: &str) -> Result<(), AlgoError> {
    if model.state().is_empty() && model.atoms().is_none() {
        return Ok(());
    }
    Err(AlgoError::Config(format!(
        "algo.kind = \"{kind}\" learns one value for each action from single steps: use a model without a recurrent state and without atoms"
    )))
}

/// Mean absolute difference of two `[N] f32`. Waits for a device other than the CPU.
// PERF: 0.3 us where tensor operations take 4.5; an update has waited for the device already.
pub(crate) fn mean_distance(a: &Tensor, b: &Tensor) -> f64 {
    let (a, b) = (a.to_device(Device::Cpu), b.to_device(Device::Cpu));
    let (a, b) = (slice::<f32>(&a), slice::<f32>(&b));
    a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / a.len() as f64
}

/// `Q(s, a)`, `[N]`: from `q [N, A]` the entries at `action [N] i64`.
pub fn chosen(q: &Tensor, action: &Tensor) -> Tensor {
    q.gather(1, &action.unsqueeze(1), false).squeeze_dim(1)
}

/// `R_n + bootstrap * max_a target_q`, `[N]`, without gradient. `return_` and `bootstrap` are `[N]`;
/// `target_q` `[N, A]` are the target network's values of the next observation.
pub fn target(return_: &Tensor, bootstrap: &Tensor, target_q: &Tensor) -> Tensor {
    let _guard = tch::no_grad_guard();
    return_.addcmul(bootstrap, &target_q.amax(1, false))
}

/// As [`target`], but with the target network's value of the action that maximises `next_q [N, A]`,
/// the online network's values of the next observation.
pub fn double_target(
    return_: &Tensor,
    bootstrap: &Tensor,
    target_q: &Tensor,
    next_q: &Tensor,
) -> Tensor {
    let _guard = tch::no_grad_guard();
    return_.addcmul(bootstrap, &chosen(target_q, &next_q.argmax(1, false)))
}

/// Loss of each transition, `[N]`: with d = y - q, `d^2 / 2` where `|d| <= delta_clip`, else
/// `delta_clip (|d| - delta_clip/2)`. `delta_clip` is above zero; infinity squares everywhere. The
/// gradient flows into `q`.
pub fn huber(q: &Tensor, y: &Tensor, delta_clip: f64) -> Tensor {
    if delta_clip.is_infinite() {
        (q - y).square().g_mul_scalar(0.5)
    } else {
        q.huber_loss(y, Reduction::None, delta_clip)
    }
}

/// The mean of [`huber`], a scalar, computed without the losses of single transitions.
// PERF: with its backward pass 3.7 us less than `weighted_mean` of `huber`, of 20 (64 transitions).
pub fn mean_huber(q: &Tensor, y: &Tensor, delta_clip: f64) -> Tensor {
    if delta_clip.is_infinite() {
        weighted_mean(&huber(q, y, delta_clip), None)
    } else {
        q.huber_loss(y, Reduction::Mean, delta_clip)
    }
}

/// `mean(weights * losses)`, a scalar; without weights the plain mean. Importance weights `[N]` are
/// not normalised.
pub fn weighted_mean(losses: &Tensor, weights: Option<&Tensor>) -> Tensor {
    match weights {
        Some(weights) => (losses * weights).mean(losses.kind()),
        None => losses.mean(losses.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use golden::numbers;
    use serde_json::Value;
    use tch::Kind;

    fn close(name: &str, got: &Tensor, want: &Value, tolerance: f64) {
        let got = Vec::<f64>::try_from(got.to_kind(Kind::Double).view(-1)).unwrap();
        golden::close(name, &got, want, tolerance);
    }

    fn agrees(kind: Kind, tolerance: f64) {
        for case in golden::cases("dqn_loss") {
            let (n, a) = (case["B"].as_i64().unwrap(), case["A"].as_i64().unwrap());
            let vector = |key: &str| Tensor::from_slice(&numbers(&case[key])).to_kind(kind);
            let table = |key: &str| vector(key).view((n, a));
            let power = case["gamma"].as_f64().unwrap().powi(case["n"].as_i64().unwrap() as i32);
            let bootstrap =
                (Tensor::ones([n], (kind, tch::Device::Cpu)) - vector("done_n")) * power;
            let clip = case["delta_clip"].as_f64().unwrap_or(f64::INFINITY);
            let q = table("q").set_requires_grad(true);

            let y = if case["double_dqn"] == 1 {
                double_target(&vector("return_"), &bootstrap, &table("target_q"), &table("next_q"))
            } else {
                target(&vector("return_"), &bootstrap, &table("target_q"))
            };
            let q_a = chosen(&q, &vector("action").to_kind(Kind::Int64));
            let losses = huber(&q_a, &y, clip);
            let weights = (case["prioritized"] == 1).then(|| vector("is_weights"));
            let loss = weighted_mean(&losses, weights.as_ref());
            if weights.is_none() {
                close("mean_huber", &mean_huber(&q_a, &y, clip), &case["loss"], tolerance);
            }
            loss.backward();

            close("y", &y, &case["y"], tolerance);
            close("losses", &losses, &case["losses"], tolerance);
            close("loss", &loss, &case["loss"], tolerance);
            close("grad_q", &q.grad(), &case["grad_q"], tolerance);
            assert_eq!(loss.kind(), kind);
        }
    }

    #[test]
    fn golden_in_f64() {
        agrees(Kind::Double, 1e-9);
    }

    #[test]
    fn golden_in_f32() {
        agrees(Kind::Float, 1e-5);
    }

    #[test]
    fn targets_carry_no_gradient() {
        let q = Tensor::rand([3, 2], (Kind::Float, tch::Device::Cpu)).set_requires_grad(true);
        let one = Tensor::ones([3], (Kind::Float, tch::Device::Cpu));
        for y in [target(&one, &one, &q), double_target(&one, &one, &q, &q)] {
            assert!(!y.requires_grad());
        }
    }
}
