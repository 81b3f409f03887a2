//! Settings and samples that are refused, with what to change.
use super::{MEMORY, NOW, PLAIN, ppo};
use crate::algo::{Restored, SaveScope};
use crate::pg::PolicyGradient;
use crate::pg::testing::{Ends, SPEC, Toy, algorithm, block, leased, spaces};
use crate::{Algo, AlgoError, Average, LearnContext, PpoConfig};
use agents::dist::Categorical;
use rlcore::GlobalSteps;
use rlcore::block::Lease;
use tch::{Kind, Tensor};

/// Samples of a sampler that was told nothing, and of an agent of another model: errors, where there were panics.
#[test]
fn samples_that_lack_something_are_refused() {
    use rlcore::block::{AgentSchema, Block, BlockOptions, Layout};
    use rlcore::{DType, LeafSpec};
    let value = LeafSpec::scalar("value", DType::F32);
    let dist = |n: usize| LeafSpec::array("dist", DType::F32, &[n]);
    let h = |n: usize| LeafSpec::array("h", DType::F32, &[n]);
    let bootstrap = BlockOptions { bootstrap_value: true, state_interval: SPEC.t };
    let refused = |info: Vec<LeafSpec>, state: Vec<LeafSpec>, options, weights: usize| {
        let mut algo = algorithm(ppo(), MEMORY, 1000).unwrap();
        let layout = Layout::new(SPEC, &spaces(), &AgentSchema { info, state }, options);
        let weights = if weights == 0 { algo.params().len() } else { weights };
        let checked = algo.requires().check(&layout, weights, 0.9).unwrap_err().to_string();
        if weights == algo.params().len() {
            let samples = Block::create(layout).unwrap().columns(0..SPEC.b);
            let taken = algo.take_in(Lease::unslotted(samples), NOW).unwrap_err().to_string();
            assert_eq!(checked, taken);
        }
        checked
    };
    let all = || vec![value.clone(), dist(3)];
    let text = refused(all(), vec![h(1)], BlockOptions::default(), 0);
    assert!(
        text.contains("no bootstrap_value") && text.contains("AlgoSettings::records"),
        "{text}"
    );
    let text = refused(vec![], vec![h(1)], bootstrap, 0);
    assert!(text.contains("does not record agent_info.value"), "{text}");
    let text = refused(vec![dist(5), value.clone()], vec![h(1)], bootstrap, 0);
    assert!(text.contains("agent_info.dist as f32 [5], the algorithm needs f32 [3]"), "{text}");
    let text = refused(all(), vec![h(7)], bootstrap, 0);
    assert!(text.contains("state is h f32 [7], the algorithm's model has h f32 [1]"), "{text}");
    let text = refused(all(), vec![h(1)], bootstrap, 12);
    assert!(text.contains("the agent has 12 weights"), "{text}");
    // More leaves, in another order, are none of its business.
    let algo = algorithm(ppo(), MEMORY, 1000).unwrap();
    let info = vec![LeafSpec::scalar("mu", DType::F32), dist(3), value.clone()];
    let schema = AgentSchema { info, state: vec![h(1)] };
    let layout = Layout::new(SPEC, &spaces(), &schema, bootstrap);
    let check = |discount| algo.requires().check(&layout, algo.params().len(), discount);
    check(ppo().discount).unwrap();
    let text = check(0.5).unwrap_err().to_string();
    let discount = ppo().discount;
    assert!(text.contains("by 0.5") && text.contains(&format!("of {discount}:")), "{text}");
}

/// Broken by parameters that are restored before the statistics are known to be there.
#[test]
fn a_refused_load_changes_nothing() {
    let model = Toy { remembers: false, normalises: true };
    let learned = |seed| {
        let mut algo = algorithm(ppo(), model, 1000).unwrap();
        algo.optimize(leased(SPEC, Ends::GoOn, seed), NOW).unwrap();
        algo
    };
    let (from, mut to) = (learned(3), learned(4));
    let all = from.save(SaveScope::Everything).unwrap();
    assert_eq!(all.arrays.len(), 5, "parameters, two moments of Adam, two of the observations");
    let state = |algo: &dyn Algo| {
        let saved = algo.save(SaveScope::Everything).unwrap();
        (format!("{:?}", saved.arrays), saved.values)
    };
    let before = state(&to);
    assert_ne!(before, state(&from));
    for missing in 0..all.arrays.len() {
        let mut arrays = all.arrays.clone();
        let name = arrays.remove(missing).name;
        let saved = Restored { arrays: &arrays, values: all.values.clone() };
        let text = to.load(&saved).unwrap_err().to_string();
        assert!(text.contains(&name), "{text}");
        assert_eq!(state(&to), before, "{name}");
    }
    let nonsense = serde_json::json!({ "updates": 1 });
    assert!(to.load(&Restored { arrays: &all.arrays, values: nonsense }).is_err());
    assert_eq!(state(&to), before);
    to.load(&Restored { arrays: &all.arrays, values: all.values.clone() }).unwrap();
    assert_eq!(state(&to), state(&from));
}

/// Broken by a comparison of this replica's own estimate: replicas would stop after different numbers of updates.
#[test]
fn replicas_decide_together_whether_the_policy_has_moved_too_far() {
    /// Another replica, which has the same gradients and statistics, and this estimate of KL.
    #[derive(Debug)]
    struct Other(f64);

    impl Average for Other {
        fn mean(&self, values: &mut Tensor) -> Result<(), AlgoError> {
            if values.kind() == Kind::Double {
                *values = (&*values + self.0) / 2.0;
            }
            Ok(())
        }
    }

    let updates = |other: f64| {
        let config = PpoConfig { target_kl: Some(1e3), ..ppo() };
        let spaces = spaces();
        let context = LearnContext {
            average: std::sync::Arc::new(Other(other)),
            ..LearnContext::new(&spaces, SPEC, GlobalSteps(1000), 5)
        };
        let categorical = Box::new(Categorical::new(&spaces).unwrap());
        let mut algo = PolicyGradient::new(config, &PLAIN, categorical, &context).unwrap();
        algo.optimize(leased(SPEC, Ends::GoOn, 3), NOW).unwrap();
        algo.updates()
    };
    assert!(updates(0.0) > 0);
    assert_eq!(updates(1e4), 0, "the mean is above the limit");
}

#[test]
fn errors_say_what_to_change() {
    let refused =
        |config: PpoConfig, model| algorithm(config, model, 1000).unwrap_err().to_string();
    let many = PpoConfig { minibatches: 8, ..ppo() };
    assert!(refused(many.clone(), MEMORY).contains("raise sampler.b"));
    assert!(algorithm(many, PLAIN, 1000).is_ok());
    assert!(
        refused(PpoConfig { gae_lambda: 1.5, ..ppo() }, PLAIN).contains("algo.gae_lambda = 1.5")
    );
    assert!(refused(PpoConfig { target_kl: Some(0.0), ..ppo() }, PLAIN).contains("algo.target_kl"));

    for huge in
        [PpoConfig { ratio_clip: 1e308, ..ppo() }, PpoConfig { value_clip: Some(1e308), ..ppo() }]
    {
        assert!(refused(huge, PLAIN).contains("_clip = 1000"), "no tensor holds it");
    }

    let mut samples = block(SPEC, Ends::GoOn, 4);
    samples.reward.cell_mut(2, 3).f32(0)[0] = 1e30;
    let mut algo = algorithm(ppo(), PLAIN, 1000).unwrap();
    let error = algo.optimize(Lease::unslotted(samples), NOW).unwrap_err().to_string();
    assert!(error.contains("of update 0 is") && error.contains("environment 3"), "{error}");
    assert!(error.contains("84 environment steps"), "{error}");
}
