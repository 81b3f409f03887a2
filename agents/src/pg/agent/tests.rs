use super::super::{
    CategoricalPgAgentConfig, GaussianPgAgentConfig, PgConv, PgMlp, PgSettings, ValueTrunk,
};
use super::*;
use crate::agent::MakeAgent;
use crate::dist::{Bound, GaussianConfig, Std};
use crate::testing::{Stand, tensors};
use rlcore::seed::rng;
use rlcore::{BoxSpace, EnvSpaces, GlobalSteps, Space};
use tch::Kind;

const SAMPLE: Phase = Phase::Sample { now: GlobalSteps(0) };
const EVALUATE: Phase = Phase::Evaluate { now: GlobalSteps(0) };

fn discrete() -> EnvSpaces {
    let observation = Space::uniform_box(DType::F32, &[3], -1.0, 1.0);
    EnvSpaces::new(observation, Space::Discrete { n: 4 })
}

fn boxed() -> EnvSpaces {
    let action =
        BoxSpace { dtype: DType::F32, shape: vec![2], low: vec![-2.0, 0.0], high: vec![2.0, 1.0] };
    EnvSpaces::new(Space::uniform_box(DType::F32, &[3], -1.0, 1.0), Space::Box(action))
}

fn context(spaces: &EnvSpaces) -> AgentContext {
    AgentContext {
        spaces: spaces.clone(),
        global_b: 8,
        local: (EnvRank(0), 8),
        device: "cpu".into(),
    }
}

/// The learner's side: model and weights.
struct Learner {
    model: Box<dyn PgModel>,
    dist: Box<dyn Distribution>,
    params: Params,
}

/// Agent and learner with the same weights, which are large enough to matter.
fn pair<S: PgSettings + MakeAgent>(settings: &S, spaces: &EnvSpaces) -> (S::Agent, Learner) {
    let dist = settings.distribution(spaces).unwrap();
    let mut b = ParamBuilder::default();
    let model = settings.model().make(spaces, &*dist, &mut b).unwrap();
    let mut params = Params::init(&b.finish().unwrap(), 5, tch::Device::Cpu, Grad::On).unwrap();
    {
        let _guard = no_grad_guard();
        let wave = (Tensor::arange(params.len() as i64, (Kind::Float, tch::Device::Cpu)) * 1.7)
            .sin()
            * 0.4;
        params.flat_mut().copy_(&wave);
    }
    if let Some(norm) = model.norm() {
        let features = norm.features();
        norm.set(&mut params, &vec![0.1; features], &vec![0.25; features]);
    }
    let mut agent = settings.make(&context(spaces)).unwrap();
    let mut weights = vec![0.0; agent.weight_count()];
    params.write_to(&mut weights);
    agent.load_weights(&weights);
    (agent, Learner { model, dist, params })
}

fn small() -> PgMlp {
    PgMlp { hidden: vec![6], normalise_observation: true, ..PgMlp::default() }
}

fn error(got: &[f32], want: &Tensor) -> f64 {
    let got = Tensor::from_slice(got);
    (got - want.reshape([-1])).abs().max().double_value(&[])
}

/// What an agent records is what the learner computes, row by row.
fn agrees<S: PgSettings + MakeAgent>(settings: &S, spaces: &EnvSpaces) {
    let (mut agent, learner) = pair(settings, spaces);
    let mut stand = Stand::new(spaces, &agent, 0, 5);
    stand.observe(0, 1);
    stand.act(&mut agent, SAMPLE).unwrap();
    let reward = Tensor::from_slice(&stand.prev_reward);
    let input = ModelInput {
        observation: &tensors(&stand.observation),
        prev_action: &[],
        prev_reward: &reward,
        state: &[],
        reset: None,
    };
    let out = learner.model.forward(&learner.params, &input);
    let (action, info) = (tensors(&stand.action), tensors(&stand.info));
    assert_eq!(out.value.size(), [5]);
    assert_eq!(out.dist.size(), [5, learner.dist.len() as i64]);
    assert!(error(stand.info.row(0).get(0), &out.value) < 1e-5);
    assert!(error(stand.info.row(0).get(1), &out.dist) < 1e-5);
    let drawn = learner.dist.drawn(&action, &info[1..]);
    let log = learner.dist.log_likelihood(&out.dist, drawn);
    let recorded = learner.dist.log_likelihood(&info[1], drawn);
    assert!((&log - recorded).abs().max().double_value(&[]) < 1e-4);
    assert!(learner.params.gradient(&log.sum(Kind::Float)).is_ok());
    assert_eq!(stand.value(&mut agent), stand.info.row(0).get::<f32>(0));
}

#[test]
fn what_is_recorded_is_what_the_learner_computes() {
    agrees(&CategoricalPgAgentConfig { model: small(), ..Default::default() }, &discrete());
    let shared = PgMlp { value_trunk: ValueTrunk::Shared, ..small() };
    agrees(&CategoricalPgAgentConfig { model: shared, ..Default::default() }, &discrete());
    for std in [Std::Parameter, Std::Head, Std::Fixed] {
        for bound in [Bound::None, Bound::Clip, Bound::Squash] {
            let gaussian = GaussianConfig { std, bound, ..Default::default() };
            let settings = GaussianPgAgentConfig { model: small(), gaussian, ..Default::default() };
            agrees(&settings, &boxed());
        }
    }
    let image = Space::uniform_box(DType::U8, &[1, 6, 5], 0.0, 255.0);
    let model = PgConv {
        channels: vec![2, 3],
        kernels: vec![3, 2],
        strides: vec![1, 2],
        paddings: vec![1, 0],
        fc: vec![7],
        ..PgConv::default()
    };
    let settings = CategoricalPgAgentConfig { model, ..Default::default() };
    agrees(&settings, &EnvSpaces::new(image, Space::Discrete { n: 4 }));
}

/// Acts `T` steps, zeroing memory where an episode ends, and compares with one pass of the learner over `[T, N]`.
fn remembers<S: PgSettings + MakeAgent>(settings: &S, spaces: &EnvSpaces) {
    const T: usize = 6;
    let (mut agent, learner) = pair(settings, spaces);
    let n = 3;
    let mut stand = Stand::new(spaces, &agent, 0, n);
    for i in 0..2 {
        stand.state.row_mut(0).get::<f32>(i).fill(0.3);
    }
    let before = tensors(&stand.state);
    let (mut rows, mut infos) = (Vec::new(), Vec::new());
    let mut resets = vec![0f32; T * n];
    for t in 0..T {
        stand.observe(0, t);
        let reward = Tensor::from_slice(&stand.prev_reward);
        rows.push((tensors(&stand.observation), tensors(&stand.prev_action), reward));
        let held = tensors(&stand.state);
        let value = stand.value(&mut agent);
        assert_eq!(tensors(&stand.state), held, "a value moves no memory");
        stand.act(&mut agent, SAMPLE).unwrap();
        assert!(error(&value, &Tensor::from_slice(stand.info.row(0).get::<f32>(0))) < 1e-6);
        infos.push(tensors(&stand.info));
        stand.prev_action.row_mut(0).copy_from(stand.action.row(0));
        stand.prev_reward = (0..n).map(|c| (t + c) as f32 * 0.5).collect();
        // Columns 1 and 2 end an episode after steps 1 and 3.
        let ended = match t {
            1 => 1,
            3 => 2,
            _ => continue,
        };
        stand.prev_reward[ended] = 0.0;
        stand.prev_action.cell_mut(0, ended).zero();
        stand.state.cell_mut(0, ended).zero();
        resets[(t + 1) * n + ended] = 1.0;
    }
    let stack = |leaves: Vec<&Tensor>| Tensor::stack(&leaves, 0);
    let input = ModelInput {
        observation: &[stack(rows.iter().map(|r| &r.0[0]).collect())],
        prev_action: &[stack(rows.iter().map(|r| &r.1[0]).collect())],
        prev_reward: &stack(rows.iter().map(|r| &r.2).collect()),
        state: &before,
        reset: Some(&Tensor::from_slice(&resets).reshape([T as i64, n as i64])),
    };
    let out = learner.model.forward(&learner.params, &input);
    assert_eq!(out.value.size(), [T as i64, n as i64]);
    let values = stack(infos.iter().map(|i| &i[0]).collect());
    let dists = stack(infos.iter().map(|i| &i[1]).collect());
    assert!((out.value - values).abs().max().double_value(&[]) < 1e-5);
    assert!((out.dist - dists).abs().max().double_value(&[]) < 1e-5);
    for (i, state) in out.state.iter().enumerate() {
        assert!(error(stand.state.row(0).get(i), state) < 1e-5);
    }
}

#[test]
fn one_pass_over_time_equals_step_by_step() {
    let model = PgMlp { lstm: Some(5), ..small() };
    remembers(
        &CategoricalPgAgentConfig { model: model.clone(), ..Default::default() },
        &discrete(),
    );
    remembers(&GaussianPgAgentConfig { model, ..Default::default() }, &boxed());
    let image = Space::uniform_box(DType::U8, &[4, 5], 0.0, 255.0);
    let model = PgConv {
        channels: vec![2],
        kernels: vec![3],
        strides: vec![1],
        paddings: vec![1],
        fc: vec![7],
        lstm: Some(4),
        ..PgConv::default()
    };
    let settings = CategoricalPgAgentConfig { model, ..Default::default() };
    remembers(&settings, &EnvSpaces::new(image, Space::Discrete { n: 4 }));
}

#[test]
fn a_draw_belongs_to_its_column() {
    let settings = CategoricalPgAgentConfig { model: small(), ..Default::default() };
    let (mut agent, _) = pair(&settings, &discrete());
    let mut actions = |first: usize, n: usize| -> Vec<i64> {
        let mut stand = Stand::new(&discrete(), &agent, first, n);
        let mut seen = Vec::new();
        for t in 0..20 {
            stand.observe(first, t);
            stand.act(&mut agent, SAMPLE).unwrap();
            seen.push(stand.action.row(0).get::<i64>(0)[n - 1]);
        }
        seen
    };
    let alone = actions(4, 1);
    assert_eq!(alone, actions(0, 5));
    assert!(alone.iter().any(|a| *a != alone[0]));
}

#[test]
fn evaluation_takes_the_mode_unless_told_otherwise() {
    let mut settings = CategoricalPgAgentConfig { model: small(), ..Default::default() };
    for evaluate in [Evaluate::Mode, Evaluate::Sample] {
        settings.evaluate = evaluate;
        let (mut agent, _) = pair(&settings, &discrete());
        let mut stand = Stand::new(&discrete(), &agent, 0, 64);
        stand.observe(0, 0);
        stand.act(&mut agent, EVALUATE).unwrap();
        let largest = |q: &[f32]| q.iter().all(|v| *v <= q[0]);
        let mut modes = 0;
        for c in 0..64 {
            let (action, dist) = (stand.action.cell(0, c).discrete(), stand.info.cell(0, c).f32(1));
            let mut turned = dist.to_vec();
            turned.swap(0, action as usize);
            modes += usize::from(largest(&turned));
        }
        assert_eq!(modes == 64, evaluate == Evaluate::Mode, "{modes}");
        assert_eq!(stand.rng[3] == rng(3), evaluate == Evaluate::Mode);
    }
}

#[test]
fn masks_are_obeyed_and_recorded() {
    let observation = Space::Dict(vec![
        ("speed".into(), Space::uniform_box(DType::F32, &[3], -1.0, 1.0)),
        ("mask".into(), Space::uniform_box(DType::U8, &[4], 0.0, 1.0)),
    ]);
    let spaces =
        EnvSpaces { action_mask: Some(1), ..EnvSpaces::new(observation, Space::Discrete { n: 4 }) };
    let settings = CategoricalPgAgentConfig { model: small(), ..Default::default() };
    let (mut agent, _) = pair(&settings, &spaces);
    let mut stand = Stand::new(&spaces, &agent, 0, 4);
    for t in 0..50 {
        stand.observe(0, t);
        for c in 0..4 {
            let mask: Vec<u8> = (0..4).map(|a| (a == (c + 1) % 4 || a == t % 4).into()).collect();
            stand.observation.cell_mut(0, c).u8(1).copy_from_slice(&mask);
        }
        stand.act(&mut agent, if t % 2 == 0 { SAMPLE } else { EVALUATE }).unwrap();
        for c in 0..4 {
            let mask = stand.observation.cell(0, c).u8(1);
            assert_eq!(mask[stand.action.cell(0, c).discrete() as usize], 1);
            let recorded = stand.info.cell(0, c).f32(1);
            assert!(mask.iter().zip(recorded).all(|(m, r)| (*m == 0) == (*r == f32::MIN)));
        }
    }
}

#[test]
fn what_is_staged_for_a_device_gives_the_same() {
    let model = PgMlp { lstm: Some(5), ..small() };
    let settings = GaussianPgAgentConfig { model, ..Default::default() };
    let act = |staged: bool| {
        let (mut agent, _) = pair(&settings, &boxed());
        if staged {
            agent.acting.stage_on_cpu();
        }
        let mut stand = Stand::new(&boxed(), &agent, 0, 3);
        for t in 0..4 {
            stand.observe(0, t);
            stand.act(&mut agent, SAMPLE).unwrap();
            stand.prev_action.row_mut(0).copy_from(stand.action.row(0));
            stand.prev_reward.fill(t as f32);
        }
        let value = stand.value(&mut agent);
        (tensors(&stand.action), tensors(&stand.info), tensors(&stand.state), value)
    };
    assert_eq!(act(false), act(true));
}

#[test]
fn weights_that_are_not_finite_are_an_error() {
    let settings = GaussianPgAgentConfig { model: small(), ..Default::default() };
    let (mut agent, learner) = pair(&settings, &boxed());
    let mut stand = Stand::new(&boxed(), &agent, 0, 3);
    stand.observe(0, 0);
    stand.observation.cell_mut(0, 1).f32(0)[0] = f32::NAN;
    let text = stand.act(&mut agent, SAMPLE).unwrap_err().to_string();
    assert!(text.contains("environment 41") && text.contains("learning rate"), "{text}");
    stand.observe(0, 0);
    let mut weights = vec![0.0; agent.weight_count()];
    learner.params.write_to(&mut weights);
    stand.act(&mut agent, SAMPLE).unwrap();
    let tail = learner.params.specs().iter().position(|s| s.name == "log_std").unwrap();
    let at: usize = learner.params.specs()[..tail]
        .iter()
        .filter(|s| s.role == crate::params::ParamRole::Trained)
        .map(|s| s.shape.iter().product::<i64>() as usize)
        .sum();
    weights[at] = f32::NAN;
    agent.load_weights(&weights);
    assert!(stand.act(&mut agent, SAMPLE).is_err());
}

#[test]
fn a_new_policy_hardly_depends_on_what_is_seen() {
    let settings = CategoricalPgAgentConfig::<PgMlp>::default();
    let dist = settings.distribution(&discrete()).unwrap();
    let mut b = ParamBuilder::default();
    let model = settings.model.make(&discrete(), &*dist, &mut b).unwrap();
    let params = Params::init(&b.finish().unwrap(), 1, tch::Device::Cpu, Grad::Off).unwrap();
    let observation = [Tensor::eye(3, (Kind::Float, tch::Device::Cpu))];
    let prev_reward = Tensor::zeros([3], (Kind::Float, tch::Device::Cpu));
    let (prev_action, state): (&[Tensor], &[Tensor]) = (&[], &[]);
    let input = ModelInput {
        observation: &observation,
        prev_action,
        prev_reward: &prev_reward,
        state,
        reset: None,
    };
    let out = model.forward(&params, &input);
    let largest = out.dist.abs().max().double_value(&[]);
    assert!(largest > 0.0 && largest < 0.05, "{largest}");
    assert!(out.value.abs().max().double_value(&[]) > 0.05);
}

#[test]
fn settings_survive_the_way_to_a_worker_and_refuse_unknown_keys() {
    let settings = GaussianPgAgentConfig {
        model: PgMlp { lstm: Some(8), ..PgMlp::default() },
        gaussian: GaussianConfig { max_std: Some(2.0), ..Default::default() },
        evaluate: Evaluate::Sample,
    };
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<GaussianPgAgentConfig>(&text).unwrap(), settings);
    let wrong = text.replace("max_std", "max_sdt");
    assert!(serde_json::from_str::<GaussianPgAgentConfig>(&wrong).is_err());
    let short = r#"{"model": {"hidden": [32]}, "evaluate": "sample"}"#;
    let read: CategoricalPgAgentConfig = serde_json::from_str(short).unwrap();
    assert_eq!((read.model.hidden, read.model.lstm), (vec![32], None));
}
