//! PQN's network, targets, loss, gradient, clipping and optimiser against PyTorch, over several batches.
//!
//! Needs a Python with torch (`tests::python`).
#![allow(missing_docs, clippy::unwrap_used)]
use agents::Q;
use agents::model::QMlp;
use agents::params::Params;
use algos::{Algo, LearnContext, Pqn, PqnConfig};
use rand::RngExt;
use rlcore::block::{AgentSchema, Block, BlockOptions, Columns, Layout, Lease, flag};
use rlcore::{BatchSpec, DType, EnvSpaces, GlobalSteps, LeafSpec, Space, seed};
use serde_json::{Value, json};
use std::process::Command;
use tests::python;

const SPEC: BatchSpec = BatchSpec { t: 10, b: 4 };
const INPUTS: usize = 3;
const ACTIONS: usize = 4;
const HIDDEN: [usize; 2] = [8, 6];
const BATCHES: u64 = 3;
/// So that the budget is not used up: what is left of the learning rate is 1, 0.75 and 0.5.
const BUDGET: u64 = 160;

const SCRIPT: &str = r#"
import json, sys
import torch

want = json.load(open(sys.argv[1]))
c = want["config"]
widths = want["widths"]

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList([torch.nn.Linear(i, o) for i, o in zip(widths, widths[1:])])
        self.norms = torch.nn.ModuleList([torch.nn.LayerNorm(w) for w in widths[1:-1]])

    def forward(self, x):
        for layer, norm in zip(self.layers, self.norms):
            x = torch.relu(norm(layer(x)))
        return self.layers[-1](x)

def load(weights):
    return {name: torch.tensor(values).reshape(shape) for name, (shape, values) in weights.items()}

net = Net()
net.load_state_dict(load(want["begun"]), strict=True)
optimiser = torch.optim.RAdam(net.parameters(), lr=c["learning_rate"], eps=c["adam_eps"])

for number, batch in enumerate(want["batches"]):
    left = 1.0 - number * len(batch["reward"]) * len(batch["reward"][0]) / want["budget"]
    optimiser.param_groups[0]["lr"] = c["learning_rate"] * left
    T, B = len(batch["reward"]), len(batch["reward"][0])
    observation, action, target = [], [], []
    for b in range(B):
        # Final observations are numbered over time; the recursion goes backwards.
        cut = [t for t in range(T) if batch["truncated"][t][b] and not batch["terminated"][t][b]]
        after = value = batch["bootstrap"][b]
        for t in reversed(range(T)):
            if not batch["valid"][t][b]:
                continue
            if batch["terminated"][t][b]:
                follows = 0.0
            elif batch["truncated"][t][b]:
                last = batch["final_observation"][cut.index(t)][b]
                with torch.no_grad():
                    follows = net(torch.tensor(last)[None]).max().item()
            else:
                follows = c["lambda"] * after + (1.0 - c["lambda"]) * value
            after = batch["reward"][t][b] + c["discount"] * follows
            value = max(batch["q"][t][b])
            observation.append(batch["observation"][t][b])
            action.append(batch["action"][t][b])
            target.append(after)
    observation, action, target = torch.tensor(observation), torch.tensor(action), torch.tensor(target)
    for loss_ours, norm_ours in zip(batch["loss"], batch["gradNorm"]):
        q = net(observation).gather(1, action[:, None]).squeeze(1)
        loss = 0.5 * torch.nn.functional.mse_loss(q, target)
        optimiser.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(net.parameters(), c["clip_grad_norm"])
        assert abs(loss.item() - loss_ours) <= 1e-4 * (1.0 + loss.item()), ("loss", loss.item(), loss_ours)
        assert abs(norm.item() - norm_ours) <= 1e-3 * (1.0 + norm.item()), ("norm", norm.item(), norm_ours)
        optimiser.step()

ours, compared = load(want["ended"]), 0
for name, theirs in net.state_dict().items():
    worst = (theirs - ours[name]).abs().max().item()
    moved = (theirs - load(want["begun"])[name]).abs().max().item()
    assert worst <= 1e-4 and moved > 1e-3, (name, worst, moved)
    compared += theirs.numel()
print("compared", compared, "weights")
"#;

fn spaces() -> EnvSpaces {
    let observation = Space::uniform_box(DType::F32, &[INPUTS], -1.0, 1.0);
    EnvSpaces {
        truncates_every: Some(1),
        ..EnvSpaces::new(observation, Space::Discrete { n: ACTIONS })
    }
}

/// Random steps; one in six ends an episode in one way or the other, or both. The columns of every second batch wait for its end
/// then.
fn batch(number: u64) -> Columns {
    let schema =
        AgentSchema { info: vec![LeafSpec::array(Q, DType::F32, &[ACTIONS])], state: vec![] };
    let options = BlockOptions { bootstrap_value: true, state_interval: 1 };
    let layout = Layout::new(SPEC, &spaces(), &schema, options);
    let mut c = Block::create(layout).unwrap().columns(0..SPEC.b);
    let mut rng = seed::rng(number);
    let mut fill = |values: &mut [f32]| values.fill_with(|| rng.random::<f32>() * 4.0 - 2.0);
    for t in 0..SPEC.t {
        fill(c.observation.row_mut(t).get(0));
        fill(c.final_observation.row_mut(t).get(0));
        fill(c.reward.row_mut(t).get(0));
        fill(c.agent_info.row_mut(t).get(0));
    }
    fill(c.bootstrap_value.row_mut(0).get(0));
    for b in 0..SPEC.b {
        let mut waits = false;
        for t in 0..SPEC.t {
            c.action.cell_mut(t, b).i64(0)[0] = rng.random_range(0..ACTIONS) as i64;
            let (terminated, truncated) = match rng.random_range(0..18) {
                _ if waits => (0, 0),
                0 => (1, 0),
                1 => (0, 1),
                2 => (1, 1),
                _ => (0, 0),
            };
            let mut flags = c.flags.cell_mut(t, b);
            flags.u8(flag::VALID)[0] = u8::from(!waits);
            flags.u8(flag::TERMINATED)[0] = terminated;
            flags.u8(flag::TRUNCATED)[0] = truncated;
            waits |= !number.is_multiple_of(2) && terminated + truncated > 0;
        }
    }
    c
}

fn shown(c: &Columns) -> Value {
    let table = |of: &dyn Fn(usize, usize) -> Value| -> Value {
        (0..SPEC.t).map(|t| (0..SPEC.b).map(|b| of(t, b)).collect::<Value>()).collect()
    };
    let flags = |leaf: usize| table(&|t, b| json!(c.flags.cell(t, b).u8(leaf)[0]));
    json!({
        "observation": table(&|t, b| json!(c.observation.cell(t, b).f32(0))),
        "final_observation": table(&|t, b| json!(c.final_observation.cell(t, b).f32(0))),
        "reward": table(&|t, b| json!(c.reward.cell(t, b).f32(0)[0])),
        "action": table(&|t, b| json!(c.action.cell(t, b).i64(0)[0])),
        "q": table(&|t, b| json!(c.agent_info.cell(t, b).f32(0))),
        "bootstrap": c.bootstrap_value.row(0).get::<f32>(0),
        "terminated": flags(flag::TERMINATED),
        "truncated": flags(flag::TRUNCATED),
        "valid": flags(flag::VALID),
    })
}

fn weights(params: &Params) -> Value {
    let mut flat = vec![0f32; params.len()];
    params.write_to(&mut flat);
    let mut rest = flat.as_slice();
    let mut named = serde_json::Map::new();
    for spec in params.specs().iter() {
        let (own, others) = rest.split_at(spec.shape.iter().product::<i64>() as usize);
        named.insert(spec.name.clone(), json!([spec.shape, own]));
        rest = others;
    }
    named.into()
}

/// One minibatch a pass, so that the order of its steps does not matter; eight passes, so that `RAdam` rectifies. Broken by any of
/// what the first line says.
#[test]
fn pqn_learns_as_pytorch_does() {
    if !python::imports("torch") {
        return;
    }
    let config = PqnConfig {
        minibatches: 1,
        epochs: 8,
        learning_rate: 0.01,
        clip_grad_norm: 0.5,
        ..Default::default()
    };
    let (spaces, model) = (spaces(), QMlp { hidden: HIDDEN.into(), layer_norm: true });
    let context = LearnContext::new(&spaces, SPEC, GlobalSteps(BUDGET), 5);
    let mut algo = Pqn::new(config.clone(), &model, &context).unwrap();
    let begun = weights(algo.params());
    let mut batches = vec![];
    let steps = SPEC.steps() as u64;
    for i in 0..BATCHES {
        let columns = batch(i);
        let mut question = shown(&columns);
        // A column that waits takes steps of the environment no more; the budget counts those that happened.
        let valid = columns.valid_steps().0;
        let logged =
            algo.optimize(Lease::unslotted(columns), GlobalSteps(i * steps + valid)).unwrap();
        for (name, values) in logged {
            question[name] = json!(values);
        }
        batches.push(question);
    }
    let question = json!({
        "widths": [INPUTS, HIDDEN[0], HIDDEN[1], ACTIONS],
        "config": serde_json::to_value(&config).unwrap(),
        "budget": BUDGET,
        "begun": begun,
        "ended": weights(algo.params()),
        "batches": batches,
    });
    let dir = tempfile::tempdir().unwrap();
    let asked = dir.path().join("question.json");
    std::fs::write(&asked, question.to_string()).unwrap();
    let end = Command::new(python::path()).args(["-c", SCRIPT]).arg(&asked).output().unwrap();
    assert!(end.status.success(), "{}", String::from_utf8_lossy(&end.stderr));
    let count = algo.params().len();
    assert_eq!(String::from_utf8_lossy(&end.stdout), format!("compared {count} weights\n"));
}
