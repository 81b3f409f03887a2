//! PyTorch loads the weights of a run by name and computes the same values.
//!
//! Needs a Python with torch, safetensors and numpy (`tests::python`).
#![allow(missing_docs, clippy::unwrap_used)]
use agents::model::{MakeQModel, ModelInput, QMlp};
use agents::params::{Grad, ParamBuilder, Params};
use rlcore::checkpoint::{ArraySource, CheckpointReader, latest};
use rlcore::{DType, EnvSpaces, Space};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use tch::{Device, Kind, Tensor};
use tests::program::Program;
use tests::python;

const BINARY: &str = env!("CARGO_BIN_EXE_experiments-under-test");

/// Arguments: weights, the JSON file with widths, inputs and our outputs.
const SCRIPT: &str = r#"
import json, sys
import torch
from safetensors.torch import load_file

want = json.load(open(sys.argv[2]))
widths = want["widths"]

class Mlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        pairs = zip(widths, widths[1:])
        self.layers = torch.nn.ModuleList([torch.nn.Linear(i, o) for i, o in pairs])

    def forward(self, x):
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)

model = Mlp()
model.load_state_dict(load_file(sys.argv[1]), strict=True)
with torch.no_grad():
    q = model(torch.tensor(want["inputs"], dtype=torch.float32))
ours = torch.tensor(want["outputs"], dtype=torch.float32)
assert q.shape == ours.shape, (q.shape, ours.shape)
worst = (q - ours).abs().max().item()
assert worst <= 1e-5 * max(1.0, q.abs().max().item()), f"differs by {worst}: {q} {ours}"
print("compared", q.numel(), "values")
"#;

const ROWS: i64 = 32;
const HIDDEN: [usize; 2] = [24, 16];

/// Our values for these observations, row by row, with the weights of the learner's state and not those of the exported file.
fn values(checkpoint: &Path, inputs: &Tensor) -> Vec<Vec<f32>> {
    let observation = Space::uniform_box(DType::F32, &[4], -10.0, 10.0);
    let spaces = EnvSpaces::new(observation, Space::Discrete { n: 2 });
    let mut builder = ParamBuilder::default();
    let model =
        QMlp { hidden: HIDDEN.into(), ..Default::default() }.make(&spaces, &mut builder).unwrap();
    let mut params = Params::zeros(&builder.finish().unwrap(), Device::Cpu, Grad::Off).unwrap();
    let reader = CheckpointReader::open(checkpoint).unwrap();
    let mut flat = vec![0; reader.find("algo/online").unwrap().bytes()];
    reader.read("algo/online", &mut flat).unwrap();
    let flat = flat.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]));
    params.read_from(&flat.collect::<Vec<_>>());
    let (observation, nothing) =
        ([inputs.shallow_clone()], Tensor::zeros([0], (Kind::Float, Device::Cpu)));
    let q = model.forward(&params, &ModelInput::of(&observation, &nothing)).q;
    Vec::<Vec<f32>>::try_from(q).unwrap()
}

#[test]
fn weights_load_into_pytorch() {
    if !python::imports("torch, safetensors, numpy") {
        return;
    }
    let program = Program::new(BINARY);
    let hidden = format!("agent.model.hidden={HIDDEN:?}");
    let sets = [
        &hidden,
        "algo.min_steps_learn=256",
        "algo.batch_size=16",
        "runner.n_steps=1024",
        "runner.evaluate=false",
        "runner.stop_return=",
    ];
    let mut args = vec!["train", "cartpole-dqn", "--run-dir", "run"];
    args.extend(sets.iter().flat_map(|s| ["--set", s]));
    program.succeeds(&args);
    let checkpoint = latest(&program.path("run/checkpoints")).unwrap().expect("a checkpoint");
    let weights = checkpoint.join(runners::WEIGHTS_FILE);

    let inputs = (Tensor::arange(ROWS * 4, (Kind::Float, Device::Cpu)) * 0.37).sin() * 2.0;
    let inputs = inputs.reshape([ROWS, 4]);
    let outputs = values(&checkpoint, &inputs);
    assert!(outputs.iter().flatten().any(|q| *q != outputs[0][0]), "all values are equal");
    let question = json!({
        "widths": [4, HIDDEN[0], HIDDEN[1], 2],
        "inputs": Vec::<Vec<f32>>::try_from(&inputs).unwrap(),
        "outputs": outputs,
    });
    let asked = program.path("question.json");
    std::fs::write(&asked, question.to_string()).unwrap();
    let mut command = Command::new(python::path());
    command.args(["-c", SCRIPT]).arg(&weights).arg(&asked);
    let end = program.spawn(command).end().code(0);
    assert_eq!(end.stdout, format!("compared {} values\n", ROWS * 2));
}
