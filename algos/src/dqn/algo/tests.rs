use super::*;
use agents::AgentError;
use agents::params::{Init, ParamId};
use rlcore::block::{AgentSchema, Block, BlockOptions, Layout, flag};
use rlcore::checkpoint::NamedArray;
use rlcore::{BatchSpec, DType, EnvSpaces, LeafSpec, Space};

const SPEC: BatchSpec = BatchSpec { t: 6, b: 2 };
/// Values of the actions of [`Constant`]; the largest is forbidden in the tests with a mask.
const VALUES: [f32; 3] = [1.0, 5.0, 3.0];
const ALLOWED: [u8; 3] = [1, 0, 1];

/// The same values whatever is seen, scaled by a buffer.
#[derive(Clone, Serialize, Deserialize)]
struct Constant {
    state: bool,
}

struct ConstantModel {
    values: ParamId,
    scale: ParamId,
    state: bool,
}

impl MakeQModel for Constant {
    fn make(
        &self,
        _spaces: &EnvSpaces,
        b: &mut ParamBuilder,
    ) -> Result<Box<dyn QModel>, AgentError> {
        let scale = b.add_buffer("scale", &[1], Init::Constant(1.0));
        let values = b.add("values", &[3], Init::Constant(0.0));
        Ok(Box::new(ConstantModel { values, scale, state: self.state }))
    }
}

impl QModel for ConstantModel {
    fn state(&self) -> Vec<LeafSpec> {
        vec![LeafSpec::scalar("h", DType::F32); usize::from(self.state)]
    }

    fn forward(&self, p: &Params, input: &ModelInput<'_>) -> agents::model::QOutput {
        let n = input.observation[0].size()[0];
        (p.get(self.values) * p.get(self.scale)).expand([n, 3], false).into()
    }
}

fn spaces() -> EnvSpaces {
    let observation = Space::Dict(vec![
        ("x".into(), Space::uniform_box(DType::F32, &[1], -1.0, 1.0)),
        ("mask".into(), Space::uniform_box(DType::U8, &[3], 0.0, 1.0)),
    ]);
    EnvSpaces {
        action_mask: Some(1),
        truncates_every: Some(1),
        ..EnvSpaces::new(observation, Space::Discrete { n: 3 })
    }
}

fn config() -> DqnConfig {
    DqnConfig {
        batch_size: 8,
        min_steps_learn: 0,
        replay_size: 100,
        replay_ratio: 4.0,
        learning_rate: 0.01,
        ..Default::default()
    }
}

fn dqn(config: &DqnConfig) -> Result<Dqn, AlgoError> {
    let (spaces, model) = (spaces(), Constant { state: false });
    let context = LearnContext::new(&spaces, SPEC, GlobalSteps(1000), 3);
    let replay = config.uniform_replay(&context)?;
    let mut dqn = Dqn::new(config.clone(), &model, replay, &context)?;
    // The buffer comes last.
    let weights = [VALUES.as_slice(), &[1.0]].concat();
    dqn.params_mut().read_from(&weights);
    dqn.target.read_from(&weights);
    Ok(dqn)
}

/// Steps that are all alike: action 0 and no reward, `ALLOWED` throughout, unless `change` says otherwise.
fn batch(change: impl Fn(&mut rlcore::block::Columns)) -> Lease {
    let options = BlockOptions::default();
    let layout = Layout::new(SPEC, &spaces(), &AgentSchema::default(), options);
    let mut c = Block::create(layout).unwrap().columns(0..SPEC.b);
    for t in 0..=SPEC.t {
        for b in 0..SPEC.b {
            c.observation.cell_mut(t, b).u8(1).copy_from_slice(&ALLOWED);
        }
    }
    for t in 0..SPEC.t {
        c.flags.row_mut(t).get::<u8>(flag::VALID).fill(1);
    }
    change(&mut c);
    Lease::unslotted(c)
}

fn now(batches: usize) -> GlobalSteps {
    GlobalSteps((batches * SPEC.steps()) as u64)
}

fn logged(info: &OptInfo, name: &str) -> Vec<f64> {
    info.iter().find(|(n, _)| *n == name).unwrap().1.clone()
}

#[test]
fn distances_are_absolute_and_averaged() {
    let (a, b) = (Tensor::from_slice(&[1f32, 2.0]), Tensor::from_slice(&[0f32, 4.0]));
    assert_eq!(loss::mean_distance(&a.set_requires_grad(true), &b), 1.5);
}

/// Broken by a target that takes a forbidden action, in either kind of Q-learning.
#[test]
fn targets_obey_the_mask() {
    for double_dqn in [false, true] {
        let mut dqn = dqn(&DqnConfig { double_dqn, ..config() }).unwrap();
        dqn.take_in(batch(|_| ()), now(1)).unwrap();
        let info = dqn.learn(1).unwrap();
        // The best that is allowed is worth 3, action 0 was thought to be worth 1.
        let want = 0.99 * 3.0 - 1.0;
        let got = logged(&info, "tdAbsErr")[0];
        assert!((got - want).abs() < 1e-6, "{got} {want}");
    }
}

/// Broken by a target of f32::MIN where an episode goes on; by an error where it has ended.
#[test]
fn an_observation_that_allows_nothing_has_no_value() {
    let forbid = |terminated: u8| {
        batch(move |c| {
            for b in 0..SPEC.b {
                for t in 1..=SPEC.t {
                    c.observation.cell_mut(t, b).u8(1).fill(0);
                }
                for t in 0..SPEC.t {
                    c.flags.cell_mut(t, b).u8(flag::TERMINATED)[0] = terminated;
                }
            }
        })
    };
    let mut refused = dqn(&config()).unwrap();
    refused.take_in(forbid(0), now(1)).unwrap();
    let text = refused.learn(1).unwrap_err().to_string();
    assert!(text.contains("environment ") && text.contains("allows no action"), "{text}");
    let mut ended = dqn(&config()).unwrap();
    ended.take_in(forbid(1), now(1)).unwrap();
    let error = logged(&ended.learn(1).unwrap(), "tdAbsErr")[0];
    assert!((error - 1.0).abs() < 1e-6, "nothing follows an end: {error}");
}

/// The optimiser sees what is trained, and nothing else. Broken by moments of the whole vector, beside a gradient of a part.
#[test]
fn a_buffer_of_the_model_keeps_its_value() {
    let mut dqn = dqn(&config()).unwrap();
    dqn.optimize(batch(|_| ()), now(1)).unwrap();
    assert!(dqn.updates() > 3);
    let weights = Vec::<f32>::try_from(dqn.params().flat()).unwrap();
    assert_eq!(weights[3], 1.0);
    assert_ne!(weights[0], VALUES[0]);
    assert_eq!(weights[1..3], VALUES[1..], "actions that were not taken");
    let saved = dqn.save(SaveScope::WithoutReplay).unwrap();
    let shape = |name: &str| saved.arrays.iter().find(|a| a.name == name).unwrap().shape.clone();
    assert_eq!((shape("online"), shape("online.adam_first_moment")), (vec![4], vec![3]));
}

#[test]
fn learning_can_stop_between_any_two_updates() {
    let (mut whole, mut cut) = (dqn(&config()).unwrap(), dqn(&config()).unwrap());
    let batch = |i| batch(|c| c.reward.row_mut(i).get::<f32>(0).fill(0.7));
    for i in 0..3 {
        let want = whole.optimize(batch(i), now(i + 1)).unwrap();
        cut.take_in(batch(i), now(i + 1)).unwrap();
        let (mut losses, mut calls) = (vec![], 0);
        while cut.due() > 0 {
            let before = cut.updates();
            losses.extend(logged(&cut.learn(1 + calls % 2).unwrap(), "loss"));
            assert!(cut.updates() - before <= 1 + calls % 2);
            calls += 1;
        }
        assert!(calls > 1);
        assert_eq!(losses, logged(&want, "loss"));
        assert_eq!(cut.params().flat(), whole.params().flat());
    }
}

/// The updates of all replicas together learn from `replay_ratio` transitions for each step of all replicas.
#[test]
fn replicas_share_the_replay_ratio() {
    let (spaces, config) = (spaces(), config());
    let due = |size: usize, batches: usize| {
        let world = rlcore::World { rank: 0, size };
        let context =
            LearnContext { world, ..LearnContext::new(&spaces, SPEC, GlobalSteps(1000), 3) };
        let replay = config.uniform_replay(&context).unwrap();
        let model = Constant { state: false };
        let mut dqn = Dqn::new(config.clone(), &model, replay, &context).unwrap();
        dqn.take_in(batch(|_| ()), now(batches)).unwrap();
        dqn.due()
    };
    assert_eq!((due(1, 1), due(3, 3)), (6, 6));
}

fn bits(dqn: &Dqn) -> Vec<NamedArray<'_>> {
    dqn.save(SaveScope::Everything).unwrap().arrays
}

/// Broken by a replay that is replaced before the networks are known to be there.
#[test]
fn a_refused_load_changes_nothing() {
    let mut from = dqn(&config()).unwrap();
    from.optimize(batch(|_| ()), now(1)).unwrap();
    let all = from.save(SaveScope::Everything).unwrap();
    let mut to = dqn(&config()).unwrap();
    to.optimize(batch(|c| c.reward.row_mut(2).get::<f32>(0).fill(2.0)), now(1)).unwrap();
    let before: Vec<NamedArray<'static>> = bits(&to)
        .into_iter()
        .map(|a| NamedArray { bytes: a.bytes.into_owned().into(), ..a })
        .collect();
    for missing in 0..all.arrays.len() {
        let mut arrays = all.arrays.clone();
        let name = arrays.remove(missing).name;
        let saved = Restored { arrays: &arrays, values: all.values.clone() };
        let text = to.load(&saved).unwrap_err().to_string();
        assert!(text.contains(name.trim_start_matches(REPLAY)), "{text}");
        assert_eq!(bits(&to), before, "{name}");
    }
    to.load(&Restored { arrays: &all.arrays, values: all.values.clone() }).unwrap();
    assert_eq!(bits(&to), all.arrays);
}

#[test]
fn a_state_without_its_replay_starts_with_an_empty_one() {
    let mut from = dqn(&config()).unwrap();
    from.optimize(batch(|_| ()), now(1)).unwrap();
    let saved = from.save(SaveScope::WithoutReplay).unwrap();
    let mut to = dqn(&config()).unwrap();
    to.optimize(batch(|_| ()), now(1)).unwrap();
    to.load(&Restored { arrays: &saved.arrays, values: saved.values.clone() }).unwrap();
    assert_eq!(to.params().flat(), from.params().flat());
    assert_eq!((to.updates(), to.due()), (from.updates(), 0), "nothing to draw");
}

/// Broken by updates from the first batch in the empty replay, by updates made up for after it is filled, and by a state that
/// forgets how far it is filled.
#[test]
fn a_replay_that_a_checkpoint_lacked_is_filled_as_at_the_start() {
    let config = DqnConfig { min_steps_learn: SPEC.steps() as u64, eps_steps: 1000, ..config() };
    let mut from = dqn(&config).unwrap();
    for i in 1..=3 {
        from.optimize(batch(|_| ()), now(i)).unwrap();
    }
    assert_eq!(from.updates(), 12, "two batches of 12 steps, learned from 4 times in updates of 8");
    let load = |from: &Dqn, scope| {
        let saved = from.save(scope).unwrap();
        let mut to = dqn(&config).unwrap();
        to.load(&Restored { arrays: &saved.arrays, values: saved.values.clone() }).unwrap();
        to
    };
    let mut to = load(&from, SaveScope::WithoutReplay);
    to.take_in(batch(|_| ()), now(4)).unwrap();
    assert_eq!(to.due(), 0, "the replay holds as much as at the start of learning");
    let mut again = load(&to, SaveScope::Everything);
    for dqn in [&mut to, &mut again] {
        dqn.take_in(batch(|_| ()), now(5)).unwrap();
        assert_eq!(dqn.due(), 6);
    }
}

/// Broken by a state that is taken in the middle of a batch: a resumed run would make the rest of its updates with the next
/// batch in its replay.
#[test]
fn a_half_learned_batch_is_not_saved() {
    let mut dqn = dqn(&config()).unwrap();
    dqn.take_in(batch(|_| ()), now(1)).unwrap();
    dqn.learn(1).unwrap();
    for scope in [SaveScope::Everything, SaveScope::WithoutReplay] {
        let text = dqn.save(scope).unwrap_err().to_string();
        assert!(text.contains("5 updates of a batch are still due"), "{text}");
    }
    dqn.learn(u64::MAX).unwrap();
    dqn.save(SaveScope::Everything).unwrap();
}

/// Broken by a replica that learns from a batch in which a column waited: it would make fewer updates than the others.
#[test]
fn replicas_refuse_batches_in_which_columns_waited() {
    let (spaces, config) = (spaces(), config());
    let taken = |size: usize| {
        let world = rlcore::World { rank: 0, size };
        let context =
            LearnContext { world, ..LearnContext::new(&spaces, SPEC, GlobalSteps(1000), 3) };
        let replay = config.uniform_replay(&context).unwrap();
        let mut dqn =
            Dqn::new(config.clone(), &Constant { state: false }, replay, &context).unwrap();
        let waits = |c: &mut rlcore::block::Columns| {
            c.flags.cell_mut(SPEC.t - 1, 1).u8(flag::VALID)[0] = 0;
        };
        dqn.take_in(batch(waits), now(1))
    };
    taken(1).unwrap();
    let text = taken(2).unwrap_err().to_string();
    assert!(text.contains("11 of the 12 steps") && text.contains("at-once"), "{text}");
}

#[test]
fn settings_that_are_left_out_have_a_meaning() {
    assert_eq!(config().adam_eps(), 0.01 / 8.0);
    assert_eq!(DqnConfig { adam_eps: Some(0.5), ..config() }.adam_eps(), 0.5);
    // A gradient of the size of the error, whatever the default limit is.
    let large = |clip_grad_norm| {
        let config = DqnConfig { clip_grad_norm, delta_clip: f64::INFINITY, ..config() };
        let mut dqn = dqn(&config).unwrap();
        let rewards = |c: &mut rlcore::block::Columns| {
            (0..SPEC.t).for_each(|t| c.reward.row_mut(t).get::<f32>(0).fill(1e4));
        };
        dqn.take_in(batch(rewards), now(1)).unwrap();
        dqn.learn(u64::MAX).unwrap();
        let saved = dqn.save(SaveScope::WithoutReplay).unwrap().arrays;
        let moment = saved.iter().find(|a| a.name == "online.adam_first_moment").unwrap();
        let values =
            moment.bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        values.map(f32::abs).fold(0.0, f32::max)
    };
    assert!(large(1.0) <= 1.0);
    let free = large(f64::INFINITY);
    assert!(free > 1.0, "{free}");
}

#[test]
fn models_that_need_more_than_single_transitions_are_refused() {
    let (spaces, config) = (spaces(), config());
    let context = LearnContext::new(&spaces, SPEC, GlobalSteps(1000), 3);
    let replay = config.uniform_replay(&context).unwrap();
    let error = Dqn::new(config, &Constant { state: true }, replay, &context).unwrap_err();
    assert!(error.to_string().contains("without a recurrent state"), "{error}");
}
