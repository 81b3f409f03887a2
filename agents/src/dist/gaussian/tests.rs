use super::super::golden::{assert_close, cases, matrix};
use super::*;
use rlcore::cells::Tree;
use serde_json::Value;

fn over(low: &[f64], high: &[f64], config: &GaussianConfig) -> Result<Gaussian, AgentError> {
    let action = Space::Box(rlcore::BoxSpace {
        dtype: DType::F32,
        shape: vec![low.len()],
        low: low.to_vec(),
        high: high.to_vec(),
    });
    let observation = Space::uniform_box(DType::F32, &[1], 0.0, 1.0);
    Gaussian::new(&EnvSpaces::new(observation, action), config)
}

fn config(case: &Value, bound: Bound) -> GaussianConfig {
    GaussianConfig {
        min_std: case["min_std"].as_f64(),
        max_std: case["max_std"].as_f64(),
        noise_clip: case.get("noise_clip").and_then(Value::as_f64),
        bound,
        ..Default::default()
    }
}

/// `dist [N, 2D]`.
fn dist_of(case: &Value, mean: &str, log_std: &str, d: i64, kind: Kind) -> Tensor {
    let mean = matrix(&case[mean], d, kind);
    let log_std = if case[log_std].is_null() {
        let std = Tensor::from_slice(&golden::numbers(&case["std"])).to_kind(kind);
        std.log().expand([mean.size()[0], d], false)
    } else {
        matrix(&case[log_std], d, kind)
    };
    Tensor::cat(&[mean, log_std], 1)
}

/// Samples `[N, D]` from the noise of the case.
fn samples(gaussian: &Gaussian, case: &Value, d: i64) -> Tensor {
    let (mean, log_std) = gaussian.split(&dist_of(case, "mean", "log_std", d, Kind::Double));
    let (mean, log_std) = (mean.contiguous(), log_std.contiguous());
    let [mean, log_std] = [&mean, &log_std].map(rlcore::tensor::slice::<f64>);
    let noise = golden::numbers(&case["noise"]);
    let sample = |i: usize| {
        gaussian.bounded(gaussian.raw(mean[i], log_std[i], noise[i]), i % gaussian.dims())
    };
    Tensor::from_slice(&(0..noise.len()).map(sample).collect::<Vec<f64>>())
}

#[test]
fn likelihoods_and_samples_agree_with_the_golden_ones() {
    for case in cases("gaussian") {
        let d = case["D"].as_i64().unwrap();
        let clip = case["clip"].as_f64().unwrap_or(f64::INFINITY);
        let gaussian =
            over(&vec![-clip; d as usize], &vec![clip; d as usize], &config(&case, Bound::Clip))
                .unwrap();
        for kind in [Kind::Double, Kind::Float] {
            let new = dist_of(&case, "mean", "log_std", d, kind);
            let old = dist_of(&case, "old_mean", "old_log_std", d, kind);
            let x = matrix(&case["x"], d, kind);
            let log = gaussian.log_likelihood(&new, &x);
            assert_close("likelihood", &log, &case["exact_log_likelihood"], kind);
            assert_close("entropy", &gaussian.entropy(&new), &case["entropy"], kind);
            assert_close("kl", &gaussian.kl(&old, &new), &case["kl"], kind);
            // rlpyt's has 1e-8 beside each standard deviation, which f64 sees.
            let ratio = (log - gaussian.log_likelihood(&old, &x)).exp();
            let want = matrix(&case["likelihood_ratio"], 1, kind).squeeze_dim(1);
            let error = ((ratio - &want) / (&want + 1.0)).abs().max().double_value(&[]);
            assert!(error < 1e-4, "ratio: {error}");
        }
        assert_close("sample", &samples(&gaussian, &case, d), &case["sample"], Kind::Double);
    }
}

#[test]
fn squashed_likelihoods_and_samples_agree_with_the_golden_ones() {
    for case in cases("squashed") {
        let (d, s) = (case["D"].as_i64().unwrap(), case["squash"].as_f64().unwrap());
        let gaussian =
            over(&vec![-s; d as usize], &vec![s; d as usize], &config(&case, Bound::Squash))
                .unwrap();
        for kind in [Kind::Double, Kind::Float] {
            let dist = dist_of(&case, "mean", "log_std", d, kind);
            let log = gaussian.log_likelihood(&dist, &matrix(&case["x"], d, kind));
            assert_close("likelihood", &log, &case["log_likelihood_safe"], kind);
        }
        assert_close("sample", &samples(&gaussian, &case, d), &case["sample"], Kind::Double);
    }
}

/// Acts `n` times on one row; returns action, recorded `dist` and `raw` of each.
fn act(g: &Gaussian, dist: &[f32], n: usize, seed: Option<u64>) -> Vec<[Vec<f32>; 3]> {
    let mut specs = vec![LeafSpec::scalar("value", DType::F32)];
    specs.extend(g.info());
    let mut info = Tree::owned(&specs, 1, 1);
    let mut action = Tree::owned(&[LeafSpec::array("action", DType::F32, &[g.dims()])], 1, 1);
    let mut rng = rlcore::seed::rng(seed.unwrap_or_default());
    let mut one = |_| {
        let draw = if seed.is_some() { Draw::Sample(&mut rng) } else { Draw::Mode };
        g.draw(dist, None, draw, &mut action.cell_mut(0, 0), &mut info.cell_mut(0, 0), 1);
        let info = info.cell(0, 0);
        [action.cell(0, 0).f32(0).to_vec(), info.f32(1).to_vec(), info.f32(2).to_vec()]
    };
    (0..n).map(&mut one).collect()
}

#[test]
fn draws_have_mean_and_deviation_and_stay_in_the_box() {
    let (low, high) = ([-1.0, 0.0], [0.5, 4.0]);
    let settings = GaussianConfig { min_std: Some(0.5), ..Default::default() };
    let dist = [0.25, 1.0, -3.0, 0.2f32];
    for bound in [Bound::None, Bound::Clip, Bound::Squash] {
        let g = over(&low, &high, &GaussianConfig { bound, ..settings.clone() }).unwrap();
        let n = 20_000;
        let drawn = act(&g, &dist, n, Some(3));
        for (i, std) in [0.5, 0.2f64.exp()].into_iter().enumerate() {
            let raw = || drawn.iter().map(|[_, _, raw]| f64::from(raw[i]));
            let mean = raw().sum::<f64>() / n as f64;
            let var = raw().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n as f64;
            assert!((mean - f64::from(dist[i])).abs() < 5.0 * std / (n as f64).sqrt());
            assert!((var.sqrt() / std - 1.0).abs() < 0.03, "{bound:?} {i}: {}", var.sqrt());
            let within = |a: f32| (low[i]..=high[i]).contains(&f64::from(a));
            assert_eq!(drawn.iter().all(|[a, _, _]| within(a[i])), bound != Bound::None);
        }
        assert_eq!(drawn[0][1], [0.25, 1.0, 0.5f32.ln(), 0.2], "recorded as it was used");
        let [mode, _, raw] = &act(&g, &dist, 1, None)[0];
        assert_eq!(raw, &[0.25, 1.0]);
        let want = if bound == Bound::Squash {
            [-0.25 + 0.75 * 0.25f32.tanh(), 2.0 + 2.0 * 1f32.tanh()]
        } else {
            [0.25, 1.0]
        };
        assert!(mode.iter().zip(want).all(|(m, w)| (m - w).abs() < 1e-6), "{mode:?}");
    }
}

#[test]
fn a_squashed_density_has_total_one() {
    let g = over(&[-0.5], &[3.0], &GaussianConfig { bound: Bound::Squash, ..Default::default() })
        .unwrap();
    // The integral over actions, as a sum over equal steps of the draw before tanh.
    let (n, step) = (4000, 0.005);
    let raw = (Tensor::arange(n, (Kind::Double, tch::Device::Cpu)) - n / 2) * step;
    let dist = Tensor::from_slice(&[0.3, -0.4]).expand([n, 2], false);
    let action = raw.tanh() * 1.75;
    let width = action.narrow(0, 2, n - 2) - action.narrow(0, 0, n - 2);
    let density = g.log_likelihood(&dist, &raw.unsqueeze(1)).exp().narrow(0, 1, n - 2);
    let total = (density * width / 2.0).sum(Kind::Double).double_value(&[]);
    assert!((total - 1.0).abs() < 1e-4, "{total}");
}

#[test]
fn settings_that_contradict_are_refused() {
    let refusal = |config: GaussianConfig| config.check().unwrap_err();
    let base = GaussianConfig::default;
    assert!(refusal(GaussianConfig { min_std: Some(0.0), ..base() }).contains("min_std"));
    assert!(
        refusal(GaussianConfig { min_std: Some(2.0), max_std: Some(1.0), ..base() })
            .contains("above max_std")
    );
    assert!(
        refusal(GaussianConfig { std: Std::Head, init_std: 0.5, ..base() }).contains("parameter")
    );
    assert!(refusal(GaussianConfig { max_std: Some(0.5), ..base() }).contains("init_std"));
    let squash = GaussianConfig { bound: Bound::Squash, ..base() };
    let text = over(&[0.0], &[f64::INFINITY], &squash).unwrap_err().to_string();
    assert!(text.contains("clip"), "{text}");
}

/// The same actions as an acting agent's; gradients by finite differences; the density of the squashed action by the slope of
/// its inverse. Broken by a missing Jacobian, by a detached draw, by the scale of the box.
#[test]
fn draws_have_gradients_and_densities() {
    let (low, high) = ([-2.0, 0.0], [2.0, 1.0]);
    for bound in [Bound::None, Bound::Clip, Bound::Squash] {
        for noise_clip in [None, Some(0.4)] {
            let config = GaussianConfig { noise_clip, bound, ..Default::default() };
            let g = over(&low, &high, &config).unwrap();
            let numbers = [0.3, 0.4, -0.7, 0.2, -1.1, 0.6, 0.1, -0.4];
            let noise = [0.5f64, -0.3, 1.2, 0.1];
            // Leading dimensions [2, 1].
            let z = Tensor::from_slice(&noise).reshape([2, 1, 2]);
            let dist = |x: &[f64]| Tensor::from_slice(x).reshape([2, 1, 4]);
            let score = |x: &Tensor| {
                let out = g.rsample(x, &z).unwrap();
                assert_eq!(
                    (out.action.size(), out.log_likelihood.size()),
                    (vec![2, 1, 2], vec![2, 1])
                );
                (out.action * 3.0).sin().sum(Kind::Double) + out.log_likelihood.sum(Kind::Double)
            };
            let x = dist(&numbers).set_requires_grad(true);
            score(&x).backward();
            let slopes = Vec::<f64>::try_from(x.grad().reshape([-1])).unwrap();
            for i in 0..numbers.len() {
                let at = |step: f64| {
                    let mut moved = numbers;
                    moved[i] += step;
                    score(&dist(&moved)).double_value(&[])
                };
                let want = (at(1e-6) - at(-1e-6)) / 2e-6;
                assert!((slopes[i] - want).abs() < 1e-6, "{bound:?} {i}: {} {want}", slopes[i]);
            }

            let out = g.rsample(&dist(&numbers), &z).unwrap();
            let [action, raw] =
                [&out.action, &out.drawn].map(|t| Vec::<f64>::try_from(t.reshape([-1])).unwrap());
            for (i, noise) in noise.iter().enumerate() {
                let (row, d) = (i / 2, i % 2);
                let (mean, log_std) = (numbers[4 * row + d], numbers[4 * row + 2 + d]);
                assert!((raw[i] - g.raw(mean, log_std, *noise)).abs() < 1e-12);
                assert!((action[i] - g.bounded(raw[i], d)).abs() < 1e-12, "{bound:?}");
            }
            // p(action) = p(raw) / |d action / d raw|.
            let log = Vec::<f64>::try_from(out.log_likelihood.reshape([-1])).unwrap();
            for row in 0..2 {
                let of = |d: usize| {
                    let (mean, log_std) = (numbers[4 * row + d], numbers[4 * row + 2 + d]);
                    let raw = raw[2 * row + d];
                    let z = (raw - mean) / log_std.exp();
                    let normal = -0.5 * z * z - log_std - 0.5 * (2.0 * PI).ln();
                    let step = 1e-6;
                    let slope =
                        (g.bounded(raw + step, d) - g.bounded(raw - step, d)) / (2.0 * step);
                    normal - if bound == Bound::Squash { slope.ln() } else { 0.0 }
                };
                assert!((log[row] - (of(0) + of(1))).abs() < 1e-7, "{bound:?}");
            }
        }
    }
}
