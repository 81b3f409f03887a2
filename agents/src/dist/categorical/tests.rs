use super::super::golden::{assert_close, cases, matrix};
use super::*;
use rlcore::cells::Tree;

fn over(actions: usize) -> Categorical {
    let observation = Space::uniform_box(DType::F32, &[1], 0.0, 1.0);
    Categorical::new(&EnvSpaces::new(observation, Space::Discrete { n: actions })).unwrap()
}

/// One draw: the action, and the recorded logits.
fn draw(
    dist: Categorical,
    logits: &[f32],
    allowed: Option<&[u8]>,
    draw: Draw<'_>,
) -> (i64, Vec<f32>) {
    let mut specs = vec![LeafSpec::scalar("value", DType::F32)];
    specs.extend(dist.info());
    let mut info = Tree::owned(&specs, 1, 1);
    let mut action = Tree::owned(&[LeafSpec::scalar("action", DType::I64)], 1, 1);
    dist.draw(logits, allowed, draw, &mut action.cell_mut(0, 0), &mut info.cell_mut(0, 0), 1);
    (action.cell(0, 0).discrete(), info.cell(0, 0).f32(1).to_vec())
}

#[test]
fn likelihoods_agree_with_the_golden_ones() {
    let mut seen = 0;
    for case in cases("categorical").iter().filter(|c| c.get("old_logits").is_some()) {
        let actions = case["A"].as_i64().unwrap();
        let dist = over(actions as usize);
        for kind in [Kind::Double, Kind::Float] {
            let old = matrix(&case["old_logits"], actions, kind);
            let new = matrix(&case["new_logits"], actions, kind);
            let drawn = matrix(&case["action"], 1, Kind::Int64).squeeze_dim(1);
            let close = |what: &str, got: &Tensor| assert_close(what, got, &case[what], kind);
            let log = dist.log_likelihood(&new, &drawn);
            close("exact_log_likelihood", &log);
            close("exact_ratio", &(&log - dist.log_likelihood(&old, &drawn)).exp());
            close("exact_kl", &dist.kl(&old, &new));
            close("exact_entropy", &dist.entropy(&new));
        }
        seen += 1;
    }
    assert!(seen >= 5);
}

#[test]
fn draws_have_the_probabilities_of_the_softmax() {
    let dist = over(4);
    let logits = [1.0f32, -0.5, 300.0f32.ln(), 2.0];
    let total: f64 = logits.iter().map(|l| f64::from(*l).exp()).sum();
    let mut rng = rlcore::seed::rng(4);
    let n = 40_000;
    let mut seen = [0usize; 4];
    for _ in 0..n {
        seen[draw(dist, &logits, None, Draw::Sample(&mut rng)).0 as usize] += 1;
    }
    for (count, logit) in seen.iter().zip(logits) {
        let p = f64::from(logit).exp() / total;
        let sigma = (p * (1.0 - p) / f64::from(n)).sqrt();
        assert!((*count as f64 / f64::from(n) - p).abs() < 5.0 * sigma, "{seen:?}");
    }
    assert_eq!(draw(dist, &logits, None, Draw::Mode).0, 2);
    assert_eq!(draw(dist, &[1.0, 3.0, 3.0, 0.0], None, Draw::Mode).0, 1, "ties go to the first");
}

#[test]
fn one_uniform_a_draw_and_nothing_for_the_mode() {
    let (dist, mut a, mut b) = (over(3), rlcore::seed::rng(9), rlcore::seed::rng(9));
    draw(dist, &[0.0, 1e30, -1e30], None, Draw::Sample(&mut a));
    draw(dist, &[0.0, 1.0, 2.0], None, Draw::Mode);
    let _: f64 = b.random();
    assert_eq!(a, b);
}

#[test]
fn what_a_mask_forbids_is_never_drawn_and_has_no_part() {
    let (dist, mut rng) = (over(3), rlcore::seed::rng(1));
    let logits = [50.0f32, 0.25, -0.5];
    let mask = [0u8, 1, 1];
    for _ in 0..1000 {
        assert_ne!(draw(dist, &logits, Some(&mask), Draw::Sample(&mut rng)).0, 0);
    }
    let (mode, recorded) = draw(dist, &logits, Some(&mask), Draw::Mode);
    assert_eq!(mode, 1);
    let allowed = Tensor::from_slice(&mask).reshape([1, 3]);
    let given = Tensor::from_slice(&logits).reshape([1, 3]).set_requires_grad(true);
    let masked = dist.mask(given.shallow_clone(), Some(&allowed));
    assert_eq!(Vec::<f32>::try_from(masked.reshape([-1])).unwrap(), recorded);
    let two = Tensor::from_slice(&logits[1..]).reshape([1, 2]);
    let value = |t: Tensor| t.double_value(&[0]);
    assert!((value(dist.entropy(&masked)) - value(over(2).entropy(&two))).abs() < 1e-6);
    assert_eq!(value(dist.kl(&masked, &masked)), 0.0);
    let drawn = Tensor::from_slice(&[1i64]);
    let loss = dist.entropy(&masked) + dist.log_likelihood(&masked, &drawn);
    loss.sum(Kind::Float).backward();
    let grad = Vec::<f32>::try_from(given.grad().reshape([-1])).unwrap();
    assert!(grad[0] == 0.0 && grad[1] != 0.0 && grad.iter().all(|g| g.is_finite()), "{grad:?}");
}

#[test]
fn other_spaces_are_refused() {
    let observation = Space::uniform_box(DType::F32, &[1], 0.0, 1.0);
    let refusal = |action| {
        let spaces = EnvSpaces::new(observation.clone(), action);
        Categorical::new(&spaces).unwrap_err().to_string()
    };
    let text = refusal(Space::uniform_box(DType::F32, &[2], -1.0, 1.0));
    assert!(text.contains("use the gaussian agent"), "{text}");
    let text = refusal(Space::MultiDiscrete { n: vec![2, 3] });
    assert!(text.contains("one Discrete space"), "{text}");
}

/// Broken by a loss that takes the second dimension for the classes.
#[test]
fn leading_dimensions_may_be_any() {
    let dist = over(3);
    let logits: Vec<f64> = (0..24).map(|i| f64::from(i * i % 7) * 0.3).collect();
    let (flat, action) = (
        Tensor::from_slice(&logits).reshape([8, 3]),
        Tensor::from_slice(&[0i64, 2, 1, 1, 0, 2, 2, 1]),
    );
    let want = dist.log_likelihood(&flat, &action);
    for lead in [vec![2i64, 4], vec![2, 2, 2], vec![8, 1], vec![3 - 2, 8]] {
        let got = dist.log_likelihood(
            &flat.reshape([lead.as_slice(), &[3]].concat()),
            &action.reshape(lead.as_slice()),
        );
        assert_eq!(got.size(), lead);
        assert_eq!(got.reshape([-1]), want);
    }
    let one = dist.log_likelihood(&flat.get(1), &action.get(1));
    assert_eq!((one.dim(), one.double_value(&[])), (0, want.double_value(&[1])));
}

#[test]
fn a_discrete_draw_has_no_gradient() {
    let logits = Tensor::zeros([2, 3], (Kind::Float, tch::Device::Cpu));
    let error = over(3).rsample(&logits, &logits).unwrap_err().to_string();
    assert!(error.contains("sum over the actions"), "{error}");
}
