//! Values logged for updates: kept on the device, read once per epoch.
use super::loss::{Losses, Outputs, valid_mean};
use crate::algo::OptInfo;
use crate::trained::{NotFinite, finite};
use tch::{Device, Kind, Tensor};

/// Names of the scalars of an update, in the order in which they are kept.
const SCALARS: [&str; 5] = ["loss", "gradNorm", "entropy", "piLoss", "valueLoss"];
/// Names of the values that are means over the steps of an update.
const MEANS: [&str; 3] = ["perplexity", "kl", "clipFraction"];

/// How far the policy of an update is from the policy that sampled.
#[derive(Debug)]
pub struct Ratio {
    /// Differences of log-likelihoods `[N]`, without gradient.
    pub log_ratio: Tensor,
    /// Ratios whose distance from 1 is larger count as clipped.
    pub clip: f64,
}

/// Logged values of the updates from a batch. Only algorithms with a likelihood ratio have `kl` and `clipFraction`.
#[derive(Debug, Default)]
pub(super) struct Log {
    values: [Vec<f64>; SCALARS.len() + MEANS.len()],
    /// Scalars of the updates since the last reading: [`SCALARS`] of the first update, then of the next.
    scalars: Vec<Tensor>,
    steps: Vec<Steps>,
}

/// Per-step values of an update, `[N]` each.
#[derive(Debug)]
struct Steps {
    entropy: Tensor,
    ratio: Option<Ratio>,
    valid: Option<Tensor>,
}

/// A logged loss or gradient norm that is not finite.
#[derive(Debug)]
pub(super) struct Bad {
    pub(super) found: NotFinite,
    /// Number of updates in the log before it.
    pub(super) update: usize,
}

impl Ratio {
    /// The estimate of KL(old, new) in nats, over the valid steps. Waits for the device.
    pub(super) fn kl(&self, valid: Option<&Tensor>) -> f64 {
        let log_ratio = self.log_ratio.to_kind(Kind::Double);
        let valid = valid.map(|v| v.to_kind(Kind::Double));
        valid_mean(&(log_ratio.expm1() - log_ratio), valid.as_ref()).double_value(&[])
    }
}

impl Log {
    pub(super) fn add(
        &mut self,
        losses: &Losses,
        norm: &Tensor,
        outputs: &Outputs,
        ratio: Option<Ratio>,
        valid: Option<&Tensor>,
    ) {
        let scalars = [&losses.total, norm, &losses.entropy, &losses.policy, &losses.value];
        self.scalars.extend(scalars.map(Tensor::detach));
        let (entropy, valid) = (outputs.entropy.detach(), valid.map(Tensor::shallow_clone));
        self.steps.push(Steps { entropy, ratio, valid });
    }

    /// Copies the values that were added since the last reading to the host, in one copy for each kind.
    pub(super) fn read(&mut self) -> Result<(), Bad> {
        let (scalars, steps) = (std::mem::take(&mut self.scalars), std::mem::take(&mut self.steps));
        if steps.is_empty() {
            return Ok(());
        }
        for (i, value) in host(&Tensor::stack(&scalars, 0)).into_iter().enumerate() {
            self.values[i % SCALARS.len()].push(value);
        }
        for (update, (loss, norm)) in self.values[0].iter().zip(&self.values[1]).enumerate() {
            finite(*loss, *norm).map_err(|found| Bad { found, update })?;
        }
        let all = |of: &dyn Fn(&Steps) -> Option<&Tensor>| -> Vec<f64> {
            let parts: Vec<&Tensor> = steps.iter().filter_map(of).collect();
            if parts.is_empty() { vec![] } else { host(&Tensor::cat(&parts, 0)) }
        };
        let entropy = all(&|s| Some(&s.entropy));
        let log_ratio = all(&|s| s.ratio.as_ref().map(|r| &r.log_ratio));
        let mut first = 0;
        for s in &steps {
            let range = first..first + s.entropy.numel();
            first = range.end;
            let valid = s.valid.as_ref().map(host);
            let mean = |x: &[f64], f: &dyn Fn(f64) -> f64| -> f64 {
                let weight = |i: usize| valid.as_ref().map_or(1.0, |v| v[i]);
                let sum: f64 = x.iter().enumerate().map(|(i, x)| weight(i) * f(*x)).sum();
                sum / (0..x.len()).map(weight).sum::<f64>()
            };
            let [perplexity, kls, clipped] = &mut self.values[SCALARS.len()..] else {
                unreachable!("three means follow the scalars")
            };
            perplexity.push(mean(&entropy[range.clone()], &f64::exp));
            if let Some(Ratio { clip, .. }) = s.ratio {
                let log_ratio = &log_ratio[range];
                clipped.push(mean(log_ratio, &|r| f64::from(u8::from(is_clipped(r, clip)))));
                kls.push(mean(log_ratio, &kl_term));
            }
        }
        Ok(())
    }

    /// Number of updates read since the last [`Log::take`].
    pub(super) fn len(&self) -> usize {
        self.values[0].len()
    }

    /// The values that were read; the log is empty afterwards.
    pub(super) fn take(&mut self) -> OptInfo {
        let values = std::mem::take(&mut self.values);
        let named = SCALARS.into_iter().chain(MEANS).zip(values);
        named.filter(|(name, v)| !v.is_empty() || !["kl", "clipFraction"].contains(name)).collect()
    }
}

/// `r - 1 - log r`, which is never negative; its mean over actions of the old policy estimates KL(old, new) (Schulman 2020,
/// "Approximating KL divergence", estimator k3).
fn kl_term(log_ratio: f64) -> f64 {
    log_ratio.exp_m1() - log_ratio
}

fn is_clipped(log_ratio: f64, clip: f64) -> bool {
    log_ratio.exp_m1().abs() > clip
}

fn host(t: &Tensor) -> Vec<f64> {
    let mut values = vec![0f32; t.numel()];
    let len = values.len();
    t.to_kind(Kind::Float).to_device(Device::Cpu).copy_data(&mut values, len);
    values.into_iter().map(f64::from).collect()
}
