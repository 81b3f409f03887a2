//! A policy that was exported acts in PyTorch as it does here.
//!
//! Needs a Python with torch (`tests::python`).
#![allow(missing_docs, clippy::unwrap_used)]
use agents::dist::{Bound, GaussianConfig, Std};
use agents::model::{MakeQModel, QConv, QMlp};
use agents::params::{Grad, Params};
use agents::pg::{
    CategoricalPgAgentConfig, GaussianPgAgentConfig, MakePgModel, PgConv, PgMlp, PgSettings,
    ValueTrunk,
};
use agents::torch::TorchPolicy;
use agents::{AgentFactory, DqnAgentConfig, EpsilonGreedy, MakeAgent, Policy};
use rand::RngExt;
use rlcore::cells::CellMut;
use rlcore::seed::Rng;
use rlcore::{DType, EnvSpaces, GlobalSteps, Space, seed};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use tch::Device;
use tests::program::Program;
use tests::python;

/// Arguments: the directory with one directory per case. Imports each policy, lets it act on what ours acted on.
const SCRIPT: &str = r#"
import importlib.util, json, pathlib, sys
import torch

compared = 0
for case in sorted(p for p in pathlib.Path(sys.argv[1]).iterdir() if p.is_dir()):
    spec = importlib.util.spec_from_file_location("policy", case / "policy.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    policy = module.Policy()
    reward = 0.0
    for step in json.load(open(case / "steps.json")):
        if step["start"]:
            policy.start()
            reward = 0.0
        seen = step["observation"]
        state, before = policy.state, getattr(policy, "action", None)
        output = policy.output(seen if len(seen) > 1 else seen[0], reward)
        policy.state, policy.action = state, before
        if step["named"]:
            seen = {name: leaf for (name, _, _), leaf in zip(module.LEAVES, seen)}
        action = policy.act(seen if len(module.LEAVES) > 1 else step["observation"][0], reward)
        ours = torch.tensor(step["output"])[: len(output)]
        # Ours records the values of forbidden actions too.
        allowed = output > -1e30
        assert allowed.any(), (case.name, output)
        worst = ((output - ours).abs() / (1.0 + ours.abs()))[allowed].max().item()
        assert worst <= 1e-5, (case.name, worst, output, ours)
        if isinstance(action, int):
            assert action == step["action"], (case.name, action, step["action"])
        else:
            taken = torch.tensor(step["action"]).reshape(action.shape)
            assert (action - taken).abs().max() <= 1e-5 * (1.0 + taken.abs().max()), (case.name, action, taken)
        reward = step["reward"]
        compared += 1
print("compared", compared, "steps")
"#;

const STEPS: usize = 12;

const BINARY: &str = env!("CARGO_BIN_EXE_experiments-under-test");

/// Arguments: the directory of the two files. Says what the policy does with an observation.
const ACT: &str = r"
import json, sys
sys.path.insert(0, sys.argv[1])
from policy import Policy
policy = Policy()
seen = [0.1, -0.2, 0.3, -0.4, 0.5, -0.6]
print(json.dumps([policy.act(seen), policy.output(seen).tolist()]))
";

/// The command, for a network with normalised observations: its two files act as the library does with the run.
#[test]
fn a_run_is_exported() {
    if !python::imports("torch") {
        return;
    }
    let program = Program::new(BINARY);
    let sets = ["runner.n_steps=8192", "runner.evaluate=false", "runner.stop_return="];
    let mut args = vec!["train", "acrobot-ppo", "--run-dir", "run"];
    args.extend(sets.iter().flat_map(|s| ["--set", s]));
    program.succeeds(&args);
    let said = program.succeeds(&["export", "run", "--out", "files"]).stdout;
    assert!(said.contains("files/policy.py") && said.contains("step_000000008192"), "{said}");
    let mut command = Command::new(python::path());
    command.args(["-c", ACT]).arg(program.path("files"));
    let end = program.spawn(command).end().code(0);
    let (action, logits): (i64, Vec<f32>) = serde_json::from_str(&end.stdout).unwrap();

    let mut policy = experiments::Program::new().policy(&program.path("run"), None).unwrap();
    let ours = policy.act_on(&[0.1f32, -0.2, 0.3, -0.4, 0.5, -0.6]).unwrap().discrete();
    let dist = policy.info().f32(1);
    assert_eq!(action, ours);
    for (theirs, ours) in logits.iter().zip(dist) {
        assert!((theirs - ours).abs() <= 1e-5 * (1.0 + ours.abs()), "{logits:?} {dist:?}");
    }
    assert_ne!(dist[0], dist[1]);
    let text = policy.act_on(&[0.1f32]).unwrap_err().to_string();
    assert!(text.contains("6 elements"), "{text}");
}

fn discrete(observation: Space) -> EnvSpaces {
    EnvSpaces::new(observation, Space::Discrete { n: 4 })
}

fn boxed(low: f64, high: f64) -> EnvSpaces {
    let observation = Space::uniform_box(DType::F32, &[3], -9.0, 9.0);
    EnvSpaces::new(observation, Space::uniform_box(DType::F32, &[2], low, high))
}

fn vector() -> EnvSpaces {
    discrete(Space::uniform_box(DType::F32, &[5], -9.0, 9.0))
}

fn image() -> EnvSpaces {
    discrete(Space::uniform_box(DType::U8, &[2, 9, 8], 0.0, 255.0))
}

fn nested() -> EnvSpaces {
    let observation = Space::Dict(vec![
        ("board".into(), Space::uniform_box(DType::U8, &[3, 3], 0.0, 255.0)),
        ("kind".into(), Space::Discrete { n: 3 }),
        ("mask".into(), Space::uniform_box(DType::U8, &[4], 0.0, 1.0)),
        ("cards".into(), Space::MultiDiscrete { n: vec![2, 5] }),
    ]);
    EnvSpaces { action_mask: Some(2), ..discrete(observation) }
}

/// Writes an observation that could be one.
fn observe(spaces: &EnvSpaces, rng: &mut Rng, cell: &mut CellMut<'_>) {
    spaces.observation.sample(rng, cell);
    if let Some(mask) = spaces.action_mask {
        cell.u8(mask)[rng.random_range(0..4)] = 1;
    }
}

/// Lets our policy act, and writes all that PyTorch needs to do the same. `output`: the leaf of `agent_info` to compare.
fn case(
    dir: &Path,
    name: &str,
    agent: &impl MakeAgent,
    torch: &TorchPolicy,
    spaces: &EnvSpaces,
    output: usize,
) {
    let dir = dir.join(name);
    std::fs::create_dir(&dir).unwrap();
    let mut rng = seed::rng(name.len() as u64);
    let mut params = Params::zeros(torch.specs(), Device::Cpu, Grad::Off).unwrap();
    let weights: Vec<f32> =
        (0..params.len()).map(|_| 0.3 + 0.7 * (rng.random::<f32>() - 0.5)).collect();
    params.read_from(&weights);
    std::fs::write(dir.join("policy.safetensors"), params.to_safetensors().unwrap()).unwrap();
    std::fs::write(dir.join("policy.py"), torch.source(name, "policy.safetensors")).unwrap();
    let factory = AgentFactory::new(agent).unwrap();
    let mut policy = Policy::new(&factory, spaces, "cpu", &weights, 0, GlobalSteps(1)).unwrap();
    let mut steps = Vec::new();
    for i in 0..STEPS {
        let start = i == 0 || i == 7;
        if start {
            policy.start();
        }
        observe(spaces, &mut rng, &mut policy.observation());
        let leaves = spaces.observation.leaves("").len();
        let observation: Vec<Value> = {
            let cell = policy.observation();
            (0..leaves).map(|leaf| json!(cell.as_ref().to_f64(leaf))).collect()
        };
        let action = policy.act().unwrap().to_f64(0);
        let action = if spaces.action.discrete_n().is_some() {
            json!(action[0] as i64)
        } else {
            json!(action)
        };
        let reward = rng.random::<f32>();
        steps.push(json!({
            "start": start,
            "named": i % 2 == 0,
            "observation": observation,
            "output": policy.info().f32(output),
            "action": action,
            "reward": reward,
        }));
        policy.reward(reward);
    }
    std::fs::write(dir.join("steps.json"), json!(steps).to_string()).unwrap();
}

fn values<M>(dir: &Path, name: &str, model: M, spaces: &EnvSpaces)
where
    M: MakeQModel,
    DqnAgentConfig<M>: MakeAgent,
{
    let torch = TorchPolicy::of_values(&model, spaces).unwrap();
    let agent = DqnAgentConfig { model, exploration: EpsilonGreedy::default() };
    case(dir, name, &agent, &torch, spaces, 0);
}

fn policy<M: MakePgModel, A: MakeAgent + PgSettings>(
    dir: &Path,
    name: &str,
    model: &M,
    agent: &A,
    spaces: &EnvSpaces,
) {
    let distribution = agent.distribution(spaces).unwrap();
    let torch = TorchPolicy::of_policy(model, &*distribution, spaces).unwrap();
    case(dir, name, agent, &torch, spaces, 1);
}

fn categorical(dir: &Path, name: &str, model: PgMlp, spaces: &EnvSpaces) {
    let agent = CategoricalPgAgentConfig { model: model.clone(), ..Default::default() };
    policy(dir, name, &model, &agent, spaces);
}

fn gaussian(
    dir: &Path,
    name: &str,
    lstm: Option<usize>,
    gaussian: GaussianConfig,
    spaces: &EnvSpaces,
) {
    let model = PgMlp { hidden: vec![6], lstm, ..Default::default() };
    let agent = GaussianPgAgentConfig { model: model.clone(), gaussian, ..Default::default() };
    policy(dir, name, &model, &agent, spaces);
}

/// Broken by a layer, an encoding, a mask, a bound, a memory or a previous action that PyTorch's file has otherwise.
#[test]
fn exported_policies_act_in_pytorch_as_here() {
    if !python::imports("torch") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mlp = |layer_norm| QMlp { hidden: vec![7, 6], layer_norm };
    values(dir, "q_mlp", mlp(false), &vector());
    values(dir, "q_layer_norm", mlp(true), &vector());
    values(dir, "q_linear", QMlp { hidden: vec![], layer_norm: false }, &vector());
    values(dir, "q_nested", mlp(false), &nested());
    let conv = QConv {
        channels: vec![3, 4],
        kernels: vec![3, 2],
        strides: vec![2, 1],
        paddings: vec![1, 0],
        fc: vec![5],
    };
    values(dir, "q_conv", conv, &image());
    let plane = discrete(Space::uniform_box(DType::F32, &[6, 6], 0.0, 1.0));
    let small = QConv {
        channels: vec![2],
        kernels: vec![3],
        strides: vec![1],
        paddings: vec![0],
        fc: vec![],
    };
    values(dir, "q_plane", small, &plane);

    let net = PgMlp { hidden: vec![6], normalise_observation: true, ..Default::default() };
    categorical(dir, "separate", net.clone(), &vector());
    let shared = PgMlp { value_trunk: ValueTrunk::Shared, ..net.clone() };
    categorical(dir, "shared", shared, &vector());
    categorical(dir, "masked", net.clone(), &nested());
    categorical(dir, "lstm", PgMlp { lstm: Some(5), ..net.clone() }, &vector());
    categorical(dir, "lstm_alone", PgMlp { hidden: vec![], lstm: Some(5), ..net }, &nested());
    let model = PgConv {
        channels: vec![3],
        kernels: vec![3],
        strides: vec![2],
        paddings: vec![0],
        fc: vec![5],
        lstm: Some(4),
        ..Default::default()
    };
    let agent = CategoricalPgAgentConfig { model: model.clone(), ..Default::default() };
    policy(dir, "conv_lstm", &model, &agent, &image());
    let bound = |bound| GaussianConfig { bound, ..Default::default() };
    gaussian(dir, "clipped", None, bound(Bound::Clip), &boxed(-0.5, 0.25));
    gaussian(dir, "squashed_lstm", Some(4), bound(Bound::Squash), &boxed(1.0, 3.0));
    let head = GaussianConfig { std: Std::Head, ..bound(Bound::None) };
    gaussian(dir, "unbounded", None, head, &boxed(f64::NEG_INFINITY, f64::INFINITY));
    let half = GaussianConfig { std: Std::Fixed, ..bound(Bound::Clip) };
    gaussian(dir, "one_sided", None, half, &boxed(0.0, f64::INFINITY));

    let end = Command::new(python::path()).args(["-c", SCRIPT]).arg(dir).output().unwrap();
    assert!(end.status.success(), "{}", String::from_utf8_lossy(&end.stderr));
    let cases = std::fs::read_dir(dir).unwrap().count();
    let want = format!("compared {} steps\n", cases * STEPS);
    assert_eq!(String::from_utf8_lossy(&end.stdout), want);
}
