//! Adam, gradient clipping and target updates on flat vectors.
//!
//! All parameters of an optimiser are one tensor `[P]`, their gradients another, so that a step is
//! one loop (on an accelerator: seven operations) and a checkpoint two tensors; tch's own
//! optimisers can neither save their state nor return a gradient norm. Kingma and Ba 2015 with
//! PyTorch's placement of epsilon. Nothing here waits for a device; numbers on the host are
//! functions of the step count. With [`AdamKind::Rectified`] it is `RAdam` (Liu et al. 2020), as `torch.optim.RAdam`.
use rlcore::tensor::{slice, slice_mut};
use serde::{Deserialize, Serialize};
use tch::{Device, Kind, Tensor};

/// How Adam scales its first steps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdamKind {
    /// Kingma and Ba 2015.
    #[default]
    Plain,
    /// `RAdam` (Liu et al. 2020, "On the Variance of the Adaptive Learning Rate and Beyond"): steps are not scaled by the second
    /// moment while too few gradients were seen to estimate it (the first five steps with the default betas), and are shortened
    /// by its uncertainty afterwards. Epsilon is added before the correction of the second moment's bias, as in PyTorch.
    Rectified,
}

/// Settings of Adam; the defaults are the paper's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamConfig {
    /// Plain Adam, or `RAdam`.
    pub kind: AdamKind,
    /// Step size, at least 0.
    pub learning_rate: f64,
    /// Decay of the first and the second moment, each in [0, 1).
    pub betas: [f64; 2],
    /// Added to the root of the second moment, above 0.
    pub eps: f64,
    /// L2 penalty: this factor times the parameters is added to the gradient (not decoupled).
    pub weight_decay: f64,
}

impl Default for AdamConfig {
    fn default() -> Self {
        Self {
            kind: AdamKind::Plain,
            learning_rate: 1e-3,
            betas: [0.9, 0.999],
            eps: 1e-8,
            weight_decay: 0.0,
        }
    }
}

/// A step is `rate * m / (root * sqrt(v) + eps)`, m and v being the moments without correction of their bias.
#[derive(Clone, Copy, Debug)]
struct Scale {
    rate: f64,
    root: f64,
    eps: f64,
}

impl AdamConfig {
    /// Of step number `step`, counted from 1.
    fn scale(&self, step: u64) -> Scale {
        let Self { kind, learning_rate, betas: [beta1, beta2], eps, .. } = *self;
        let t = step as f64;
        // c = 1 - beta^t, of the second moment its root.
        let c1 = 1.0 - beta1.powf(t);
        let power = beta2.powf(t);
        let c2 = (1.0 - power).sqrt();
        match kind {
            AdamKind::Plain => Scale { rate: learning_rate / c1, root: 1.0 / c2, eps },
            AdamKind::Rectified => {
                // Length of the simple moving average that the second moment stands for: at the end, and at this step.
                let end = 2.0 / (1.0 - beta2) - 1.0;
                let now = end - 2.0 * t * power / (1.0 - power);
                if now > 5.0 {
                    let shorter =
                        (now - 4.0) * (now - 2.0) * end / ((end - 4.0) * (end - 2.0) * now);
                    Scale { rate: learning_rate / c1 * shorter.sqrt() * c2, root: 1.0, eps }
                } else {
                    Scale { rate: learning_rate / c1, root: 0.0, eps: 1.0 }
                }
            }
        }
    }
}

/// A saved state of a vector of another length or type.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "saved optimiser: {found} where {expected} is needed: resume with the model it was saved with"
)]
pub struct StateMismatch {
    expected: String,
    found: String,
}

/// The state of [`Adam`].
#[derive(Debug)]
pub struct AdamState {
    /// Steps taken.
    pub steps: u64,
    /// `[P]`: running mean of the gradient.
    pub first_moment: Tensor,
    /// `[P]`: running mean of its square.
    pub second_moment: Tensor,
}

/// Adam for one flat vector.
#[derive(Debug)]
pub struct Adam {
    config: AdamConfig,
    state: AdamState,
    scratch: Tensor,
}

impl Adam {
    /// An optimiser for parameters like `params` `[P]`: on the same device, of the same dtype.
    pub fn new(config: AdamConfig, params: &Tensor) -> Self {
        let zeros = || params.detach().zeros_like();
        let state = AdamState { steps: 0, first_moment: zeros(), second_moment: zeros() };
        Self { config, state, scratch: zeros() }
    }

    /// The settings.
    pub fn config(&self) -> &AdamConfig {
        &self.config
    }

    /// Sets the step size from the next step on, for schedules.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.config.learning_rate = learning_rate;
    }

    /// Updates `params` `[P]` in place with `grads` `[P]`, which is not changed.
    ///
    /// # Panics
    /// The lengths differ from those of the parameters that the optimiser was made for.
    pub fn step(&mut self, params: &mut Tensor, grads: &Tensor) {
        let lens = [params.numel(), grads.numel(), self.scratch.numel()];
        assert!(
            lens[0] == lens[1] && lens[1] == lens[2],
            "parameters, gradient, moments: {lens:?}"
        );
        let _guard = tch::no_grad_guard();
        let AdamConfig { betas: [beta1, beta2], weight_decay, .. } = self.config;
        let AdamState { steps, first_moment, second_moment } = &mut self.state;
        let decayed;
        let grads = if weight_decay == 0.0 {
            grads
        } else {
            decayed = params.g_mul_scalar(weight_decay).g_add_(grads);
            &decayed
        };
        *steps += 1;
        let Scale { rate, root, eps } = self.config.scale(*steps);
        if params.device() == Device::Cpu && params.kind() == Kind::Float {
            let moments = (slice_mut(first_moment), slice_mut(second_moment));
            let factors = [1.0 - beta1, 1.0 - beta2, rate, root, eps];
            step_on_host(slice_mut(params), slice(grads), moments, factors.map(|f| f as f32));
            return;
        }
        let _ = first_moment.lerp_(grads, 1.0 - beta1);
        let _ = grads.square_out(&self.scratch);
        let _ = second_moment.lerp_(&self.scratch, 1.0 - beta2);
        if rate == 0.0 {
            return;
        }
        // p -= rate * m / (root * sqrt(v) + eps), with the scalar factors moved into the denominator: tch's addcdiv_ takes none.
        let scale = -1.0 / rate;
        let _ = second_moment.sqrt_out(&self.scratch);
        let _ = self.scratch.g_mul_scalar_(scale * root);
        let _ = self.scratch.g_add_scalar_(scale * eps);
        let _ = params.addcdiv_(first_moment, &self.scratch);
    }

    /// What a checkpoint needs in addition to the settings.
    pub fn state(&self) -> &AdamState {
        &self.state
    }

    /// Restores a saved state; further steps are the same to the bit.
    ///
    /// # Errors
    /// Moments of another shape or dtype; the state is then unchanged.
    pub fn load(&mut self, saved: &AdamState) -> Result<(), StateMismatch> {
        let describe = |t: &Tensor| format!("{:?} {:?}", t.kind(), t.size());
        let expected = describe(&self.scratch);
        for moment in [&saved.first_moment, &saved.second_moment] {
            let found = describe(moment);
            if found != expected {
                return Err(StateMismatch { expected, found });
            }
        }
        self.state.steps = saved.steps;
        self.state.first_moment.copy_(&saved.first_moment);
        self.state.second_moment.copy_(&saved.second_moment);
        Ok(())
    }
}

/// One pass over all vectors. Factors: of the new gradient in the two moments, of the whole step, of
/// the second moment's root, and epsilon.
// PERF: 4.6k parameters take 3 us instead of the tensor operations' 14 (MLP 64-64, an update of
// `experiments bench peers`' DQN).
fn step_on_host(
    params: &mut [f32],
    grads: &[f32],
    (first, second): (&mut [f32], &mut [f32]),
    [new1, new2, rate, root, eps]: [f32; 5],
) {
    for (((p, g), m), v) in params.iter_mut().zip(grads).zip(first).zip(second) {
        *m += new1 * (g - *m);
        *v += new2 * (g * g - *v);
        *p -= rate * *m / (root * v.sqrt() + eps);
    }
}

/// Scales `grads` `[P]` in place so that their 2-norm is at most `max_norm`; returns the norm
/// before that, a 0-d tensor: reading it (`double_value`) is the only thing that waits for a
/// device other than the host. As `torch.nn.utils.clip_grad_norm_`, whose 1e-6 in the divisor we keep. A NaN anywhere
/// makes norm and gradients NaN. With an infinite `max_norm` the gradients stay as they are.
pub fn clip_grad_norm(grads: &mut Tensor, max_norm: f64) -> Tensor {
    let _guard = tch::no_grad_guard();
    let norm = grads.norm();
    if max_norm.is_infinite() {
        return norm;
    }
    if grads.device() == Device::Cpu {
        // PERF: 1.5 us instead of 7 for 4.6k parameters: here the host knows the norm already.
        let divisor = (norm.double_value(&[]) + 1e-6) / max_norm;
        if divisor > 1.0 || divisor.is_nan() {
            let _ = grads.g_div_scalar_(divisor);
        }
        return norm;
    }
    let mut divisor = norm.g_add_scalar(1e-6);
    let _ = divisor.g_mul_scalar_(1.0 / max_norm);
    let _ = divisor.clamp_min_(1.0);
    let _ = grads.g_div_(&divisor);
    norm
}

/// `target = tau * online + (1 - tau) * target` in place, both `[P]`; `tau` 1 copies.
pub fn update_target(target: &mut Tensor, online: &Tensor, tau: f64) {
    let _guard = tch::no_grad_guard();
    if tau == 1.0 {
        target.copy_(online);
    } else {
        let _ = target.lerp_(online, tau);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::nn::{self, OptimizerConfig};
    use tch::{Device, Kind};

    const P: usize = 257;

    /// A gradient that depends on the parameters and the step, of very different magnitudes.
    fn gradient(params: &[f64], step: usize) -> Vec<f64> {
        let one = |(i, p): (usize, &f64)| {
            let size = 10f64.powi(i as i32 % 7 - 4);
            if i % 11 == 0 { 0.0 } else { size * (p + ((i * 7 + step * 3) as f64).sin()) }
        };
        params.iter().enumerate().map(one).collect()
    }

    fn start() -> Vec<f64> {
        (0..P).map(|i| (i as f64 * 0.37).cos()).collect()
    }

    fn values(t: &Tensor) -> Vec<f64> {
        Vec::<f64>::try_from(t.detach().to_kind(Kind::Double)).unwrap()
    }

    fn reference(config: AdamConfig, steps: usize) -> Vec<f64> {
        let AdamConfig { kind, learning_rate, betas: [b1, b2], eps, weight_decay } = config;
        let (mut p, mut m, mut v) = (start(), vec![0.0; P], vec![0.0; P]);
        for step in 1..=steps {
            let grads = gradient(&p, step);
            for i in 0..P {
                let g = grads[i] + weight_decay * p[i];
                m[i] = b1 * m[i] + (1.0 - b1) * g;
                v[i] = b2 * v[i] + (1.0 - b2) * g * g;
                let (c1, c2) = (1.0 - b1.powi(step as i32), 1.0 - b2.powi(step as i32));
                let mean = m[i] / c1;
                let rho_inf = 2.0 / (1.0 - b2) - 1.0;
                let rho_t = rho_inf - 2.0 * step as f64 * (1.0 - c2) / c2;
                p[i] -= learning_rate
                    * match kind {
                        AdamKind::Plain => mean / ((v[i] / c2).sqrt() + eps),
                        AdamKind::Rectified if rho_t <= 5.0 => mean,
                        AdamKind::Rectified => {
                            let r = ((rho_t - 4.0) * (rho_t - 2.0) * rho_inf
                                / ((rho_inf - 4.0) * (rho_inf - 2.0) * rho_t))
                                .sqrt();
                            mean * r * c2.sqrt() / (v[i].sqrt() + eps)
                        }
                    };
            }
        }
        p
    }

    fn run(adam: &mut Adam, params: &mut Tensor, steps: std::ops::RangeInclusive<usize>) {
        for step in steps {
            let grads = Tensor::from_slice(&gradient(&values(params), step)).to_kind(params.kind());
            adam.step(params, &grads);
        }
    }

    fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs() / (1.0 + b.abs())).fold(0.0, f64::max)
    }

    #[test]
    fn follows_the_formula_for_200_steps() {
        let plain = AdamConfig { learning_rate: 0.01, ..AdamConfig::default() };
        let other = AdamConfig { betas: [0.5, 0.9], eps: 1e-3, weight_decay: 0.1, ..plain };
        let rectified = AdamConfig { kind: AdamKind::Rectified, ..plain };
        for config in [plain, other, rectified] {
            for (kind, tolerance) in [(Kind::Double, 1e-11), (Kind::Float, 1e-4)] {
                let mut params = Tensor::from_slice(&start()).to_kind(kind);
                run(&mut Adam::new(config, &params), &mut params, 1..=200);
                let difference = largest_difference(&values(&params), &reference(config, 200));
                assert!(difference < tolerance, "{kind:?} {difference}");
            }
        }
    }

    #[test]
    fn agrees_with_libtorch() {
        let config = AdamConfig { learning_rate: 0.01, ..AdamConfig::default() };
        let store = nn::VarStore::new(Device::Cpu);
        let initial = Tensor::from_slice(&start()).to_kind(Kind::Float);
        let theirs = store.root().var_copy("p", &initial);
        let mut optimizer = nn::Adam::default().build(&store, config.learning_rate).unwrap();
        let mut ours = initial.copy();
        let mut adam = Adam::new(config, &ours);
        for step in 1..=200 {
            // The same gradients for both: those of our parameters.
            let grads = Tensor::from_slice(&gradient(&values(&ours), step)).to_kind(Kind::Float);
            optimizer.backward_step(&(&theirs * &grads).sum(Kind::Float));
            adam.step(&mut ours, &grads);
        }
        let difference = largest_difference(&values(&ours), &values(&theirs));
        assert!(difference < 1e-5, "{difference}");
    }

    #[test]
    fn a_loaded_state_continues_to_the_bit() {
        let config = AdamConfig::default();
        let mut params = Tensor::from_slice(&start()).to_kind(Kind::Float);
        let mut adam = Adam::new(config, &params);
        run(&mut adam, &mut params, 1..=20);
        let (mut again, mut resumed) = (params.copy(), Adam::new(config, &params));
        resumed.load(adam.state()).unwrap();
        run(&mut adam, &mut params, 21..=40);
        run(&mut resumed, &mut again, 21..=40);
        assert_eq!(values(&params), values(&again));

        let mut smaller = Adam::new(config, &params.narrow(0, 0, 5));
        let error = smaller.load(adam.state()).unwrap_err().to_string();
        assert!(error.contains("[257]") && error.contains("[5]"), "{error}");
    }

    #[test]
    fn a_zero_learning_rate_moves_nothing() {
        let mut params = Tensor::from_slice(&start());
        let mut adam =
            Adam::new(AdamConfig { learning_rate: 0.0, ..AdamConfig::default() }, &params);
        run(&mut adam, &mut params, 1..=3);
        assert_eq!(values(&params), start());
        assert_eq!(adam.state().steps, 3);
    }

    #[test]
    fn clipping_caps_the_norm_and_returns_it() {
        for (max, want) in [(1.0, 1.0), (5.0, 5.0), (10.0, 5.0)] {
            let mut grads = Tensor::from_slice(&[3f64, 0.0, -4.0]);
            assert_eq!(clip_grad_norm(&mut grads, max).double_value(&[]), 5.0);
            let got = values(&grads);
            let factor = (max / (5.0 + 1e-6)).min(1.0); // torch's
            let expected = [3.0 * factor, 0.0, -4.0 * factor];
            assert!(largest_difference(&got, &expected) < 1e-15, "{got:?}");
            assert!((grads.norm().double_value(&[]) - want).abs() < 1e-5);
        }
        let mut bad = Tensor::from_slice(&[1f64, f64::NAN]);
        assert!(clip_grad_norm(&mut bad, 1.0).double_value(&[]).is_nan());
        assert!(values(&bad)[0].is_nan());
        let mut large = Tensor::from_slice(&[3e10f64, 4e10]);
        assert_eq!(clip_grad_norm(&mut large, f64::INFINITY).double_value(&[]), 5e10);
        assert_eq!(values(&large), [3e10, 4e10], "no limit");
    }

    #[test]
    fn targets_follow_softly_or_at_once() {
        let online = Tensor::from_slice(&[1f64, 2.0]).set_requires_grad(true);
        let mut target = Tensor::from_slice(&[0f64, -2.0]);
        update_target(&mut target, &online, 0.25);
        assert_eq!(values(&target), [0.25, -1.0]);
        update_target(&mut target, &online, 1.0);
        assert_eq!(values(&target), [1.0, 2.0]);
        assert!(!target.requires_grad());
    }
}
