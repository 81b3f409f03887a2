//! Golden losses and gradients of policy-gradient methods.
use super::loss::{Coefficients, Losses, Outputs, Targets, valid_mean};
use golden::{cases_with, close, numbers};
use tch::{Kind, Tensor};

/// Runs a loss on the golden cases of `kind`, in f64 and f32, and compares every part and every gradient.
pub(super) fn losses_agree(
    kind: &str,
    loss: impl Fn(&Outputs, &Targets, Coefficients, Option<f64>) -> Losses,
) {
    // f64: rlpyt adds 1e-8 to probabilities, we add nothing; the smallest golden probability makes that 1e-6.
    for (float, tolerance) in [(Kind::Double, 1e-6), (Kind::Float, 1e-5)] {
        for case in cases_with("ppo_losses", "kind", kind) {
            let n = case["N"].as_i64().unwrap();
            let vector = |key: &str| Tensor::from_slice(&numbers(&case[key])).to_kind(float);
            let table = |key: &str| vector(key).view((n, -1));
            let leaf = |t: Tensor| t.set_requires_grad(true);
            let (inputs, names, log_likelihood, entropy, old) = if case["dist"] == "categorical" {
                let logits = leaf(table("logits"));
                let log_p = logits.log_softmax(-1, float);
                let action = vector("action").to_kind(Kind::Int64).unsqueeze(1);
                let entropy = -(log_p.exp() * &log_p).sum_dim_intlist(-1, false, float);
                let old = (!case["old_prob"].is_null()).then(|| table("old_prob").log());
                let pick = |t: Tensor| t.gather(1, &action, false).squeeze_dim(1);
                let taken = pick(log_p);
                (vec![logits], vec!["grad_logits"], taken, entropy, old.map(pick))
            } else {
                let (mean, log_std, action) =
                    (leaf(table("mean")), leaf(table("log_std")), table("action"));
                let likelihood = |mean: &Tensor, log_std: &Tensor| {
                    let z = (&action - mean) / log_std.exp();
                    let each =
                        -(z.square() + log_std * 2.0 + (2.0 * std::f64::consts::PI).ln()) / 2.0;
                    each.sum_dim_intlist(-1, false, float)
                };
                let entropy = (&log_std + 0.5 * (1.0 + (2.0 * std::f64::consts::PI).ln()))
                    .sum_dim_intlist(-1, false, float);
                let old = (!case["old_mean"].is_null())
                    .then(|| likelihood(&table("old_mean"), &table("old_log_std")));
                let taken = likelihood(&mean, &log_std);
                (vec![mean, log_std], vec!["grad_mean", "grad_log_std"], taken, entropy, old)
            };
            let outputs = Outputs { log_likelihood, entropy, value: leaf(vector("value")) };
            let targets = Targets {
                old_log_likelihood: old.unwrap_or_else(|| outputs.log_likelihood.detach()),
                advantage: vector("advantage"),
                return_: vector("return_"),
                old_value: outputs.value.detach(),
                valid: (!case["valid"].is_null()).then(|| vector("valid")),
            };
            let number = |key: &str| case[key].as_f64();
            let c = Coefficients {
                value: number("value_coeff").unwrap(),
                entropy: number("entropy_coeff").unwrap(),
            };
            let got = loss(&outputs, &targets, c, number("ratio_clip"));
            got.descent.backward();

            let perplexity = valid_mean(&outputs.entropy.exp(), targets.valid.as_ref());
            let same = |key: &str, t: &Tensor| {
                let got = Vec::<f64>::try_from(t.detach().to_kind(Kind::Double).view(-1)).unwrap();
                close(key, &got, &case[key], tolerance);
                assert_eq!(t.kind(), float);
            };
            same("loss", &got.total);
            same("pi_loss", &got.policy);
            same("value_loss", &got.value);
            same("entropy", &got.entropy);
            same("entropy_loss", &(&got.entropy * -c.entropy));
            same("perplexity", &perplexity);
            names.iter().zip(&inputs).for_each(|(name, t)| same(name, &t.grad()));
            same("grad_value", &outputs.value.grad());
        }
    }
}
