//! Models as PyTorch source: what `experiments export` writes beside the weights.
//!
//! The layers of `__init__` follow from the names and shapes of the parameters; a model provides the body of `forward`
//! ([`TorchModel`]), a distribution the code that turns its output into an action. Both are defined beside their Rust equivalents.
//! [`TorchPolicy`] combines them.
use crate::AgentError;
use crate::dist::Distribution;
use crate::model::MakeQModel;
use crate::params::{ParamBuilder, ParamSpec};
use crate::pg::MakePgModel;
use rlcore::{DType, EnvSpaces, LeafSpec, Space};
use std::fmt::Write;
use std::sync::Arc;

/// What the body of `forward(self, observation, previous, state)` of a `torch.nn.Module` computes.
///
/// `observation`: a list of tensors `[N, ...]`, one for each leaf, of the leaf's type. `previous` `[N, A + 1]`: the action before as
/// a recurrent model sees it, then its reward. `state`: what the last call returned, `None` at an episode's start. The body
/// returns `output, state`, the output being the values `[N, A]` of a Q-model, or what a distribution begins with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TorchModel {
    /// Lines of the body. `torch`, `nn` and `F` are imported; `flat(leaf)` and `one_hot(leaf, sizes)` are defined.
    pub forward: Vec<String>,
    /// Strides and paddings of the convolutions `conv.0`, `conv.1`, ..., in pixels.
    pub convolutions: Vec<(i64, i64)>,
    /// Number of values of the previous action that a recurrent model takes: the one-hot length, or the elements of a box. None for a
    /// feed-forward model.
    pub previous: Option<usize>,
}

/// A policy as PyTorch source.
#[derive(Clone, Debug)]
pub struct TorchPolicy {
    spaces: EnvSpaces,
    specs: Arc<[ParamSpec]>,
    model: TorchModel,
    /// Lines that return the action for `output` `[outputs]`.
    act: Vec<String>,
}

/// The error where a model or distribution has no PyTorch source.
fn unwritten(what: &str, trait_: &str) -> AgentError {
    AgentError::new(format!(
        "{what} has no PyTorch source: implement {trait_}::torch for it, or read the weights with your own"
    ))
}

impl TorchPolicy {
    /// The source of an agent that takes the action with the largest value.
    ///
    /// # Errors
    /// Spaces that the model does not fit; a model without a source.
    pub fn of_values(
        model: &(impl MakeQModel + ?Sized),
        spaces: &EnvSpaces,
    ) -> Result<Self, AgentError> {
        let mut b = ParamBuilder::default();
        let model = model.make(spaces, &mut b)?;
        let model = model.torch().ok_or_else(|| unwritten("this Q-model", "QModel"))?;
        let act = vec!["return int(output.argmax())".into()];
        Ok(Self { spaces: spaces.clone(), specs: b.finish()?, model, act })
    }

    /// The source of an agent that takes the most likely action of a distribution.
    ///
    /// # Errors
    /// Spaces that the model does not fit; a model or distribution without a source.
    pub fn of_policy(
        model: &(impl MakePgModel + ?Sized),
        distribution: &dyn Distribution,
        spaces: &EnvSpaces,
    ) -> Result<Self, AgentError> {
        let mut b = ParamBuilder::default();
        let model = model.make(spaces, distribution, &mut b)?;
        let model = model.torch().ok_or_else(|| unwritten("this policy's model", "PgModel"))?;
        let act = distribution
            .torch()
            .ok_or_else(|| unwritten("this distribution of actions", "Distribution"))?;
        Ok(Self { spaces: spaces.clone(), specs: b.finish()?, model, act })
    }

    /// Names and shapes of the parameters that the source loads.
    pub fn specs(&self) -> &Arc<[ParamSpec]> {
        &self.specs
    }

    /// The Python file. `title`: its first line; `weights`: name of the safetensors file beside it.
    pub fn source(&self, title: &str, weights: &str) -> String {
        let net = module(&self.specs, &self.model);
        let mut helpers = String::new();
        for (name, text) in HELPERS {
            if net.contains(&format!("{name}(")) {
                helpers += text;
            }
        }
        let lines = |depth: usize, lines: &[String]| {
            let indented: Vec<String> =
                lines.iter().map(|l| format!("{:1$}{l}", "", 4 * depth)).collect();
            indented.join("\n")
        };
        // The title is part of a docstring.
        let title = title.replace('\\', "/").replace('"', "'");
        TEMPLATE
            .replace("@title@", &title)
            .replace("@weights@", weights)
            .replace("@leaves@", &lines(1, &self.leaves()))
            .replace("@helpers@", &helpers)
            .replace("@net@", &net)
            .replace("@start@", &lines(2, &self.start()))
            .replace("@output@", &lines(2, &self.output()))
            .replace("@act@", &lines(2, &self.acting()))
    }

    fn leaves(&self) -> Vec<String> {
        let leaf = |l: &LeafSpec| {
            let name = l.name.strip_prefix("observation.").unwrap_or(&l.name);
            format!("({name:?}, {}, {}),", dtype(l.dtype), tuple(&l.shape))
        };
        self.spaces.observation.leaves("observation").iter().map(leaf).collect()
    }

    fn start(&self) -> Vec<String> {
        let mut lines = vec!["self.state = None".to_owned()];
        if let Some(width) = self.model.previous {
            lines.push(format!("self.action = torch.zeros({width})"));
            // The null action: number 0, or zero as far as the bounds of the box allow.
            match &self.spaces.action {
                Space::Discrete { .. } => lines.push("self.action[0] = 1.0".into()),
                Space::Box(_) => {
                    let mut null =
                        rlcore::cells::Tree::owned(&self.spaces.action.leaves("action"), 1, 1);
                    self.spaces.action.null(&mut null.cell_mut(0, 0));
                    let values = null.cell(0, 0).to_f64(0);
                    if values.iter().any(|v| *v != 0.0) {
                        lines.push(format!("self.action += torch.tensor({values:?})"));
                    }
                }
                _ => {}
            }
        }
        lines
    }

    /// For recurrent models, the code that keeps the action for the next call.
    fn acting(&self) -> Vec<String> {
        let mut lines = self.act.clone();
        if self.model.previous.is_none() {
            return lines;
        }
        if let Some(last) = lines.last_mut()
            && let Some(value) = last.strip_prefix("return ")
        {
            *last = format!("action = {value}");
        }
        lines.push(match self.spaces.action {
            Space::Discrete { n } => {
                format!("self.action = F.one_hot(torch.tensor(action), {n}).float()")
            }
            _ => "self.action = action.flatten()".into(),
        });
        lines.push("return action".into());
        lines
    }

    fn output(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.model.previous.is_some() {
            lines.push("previous = torch.cat([self.action, torch.tensor([reward])])[None]".into());
            lines.push("output, self.state = self.net(leaves, previous, self.state)".into());
        } else {
            lines.push("output, _ = self.net(leaves)".into());
        }
        lines.push("output = output[0]".into());
        if let Some(mask) = self.spaces.action_mask {
            let forbidden = format!("leaves[{mask}].flatten() == 0");
            lines.push(format!("output = output.masked_fill({forbidden}, float(\"-inf\"))"));
        }
        lines.push("return output".into());
        lines
    }
}

const TEMPLATE: &str = include_str!("torch/policy.py");

/// Functions and classes that a network may use, by name.
const HELPERS: [(&str, &str); 3] = [
    (
        "flat",
        "def flat(leaf):
    \"\"\"[N, ...] to [N, elements]; bytes are scaled to 0..1.\"\"\"
    x = leaf.flatten(1) if leaf.dim() > 1 else leaf[:, None]
    return x.float() / 255 if x.dtype == torch.uint8 else x.float()


",
    ),
    (
        "one_hot",
        "def one_hot(leaf, sizes):
    \"\"\"[N] or [N, components] to [N, sum of sizes].\"\"\"
    components = leaf.reshape(leaf.shape[0], -1).unbind(1)
    return torch.cat([F.one_hot(c, n).float() for c, n in zip(components, sizes)], 1)


",
    ),
    (
        "ObsNorm",
        "class ObsNorm(nn.Module):
    \"\"\"Shifts and scales by the statistics of the observations in training.\"\"\"

    def __init__(self, features):
        super().__init__()
        self.mean = nn.Parameter(torch.zeros(features))
        self.std = nn.Parameter(torch.ones(features))

    def forward(self, x):
        return ((x - self.mean) / self.std).clamp(-10, 10)


",
    ),
];

fn dtype(dtype: DType) -> &'static str {
    match dtype {
        DType::F32 => "torch.float32",
        DType::F64 => "torch.float64",
        DType::I32 => "torch.int32",
        DType::I64 => "torch.int64",
        DType::U8 => "torch.uint8",
        DType::Bool => "torch.bool",
    }
}

/// A shape in Python's syntax.
fn tuple(shape: &[usize]) -> String {
    let all: Vec<String> = shape.iter().map(usize::to_string).collect();
    format!("({}{})", all.join(", "), if shape.len() == 1 { "," } else { "" })
}

/// Applies `layers` to `x` with an activation after each.
pub(crate) fn apply(x: &str, layers: &str, activation: &str) -> Vec<String> {
    vec![format!("for layer in self.{layers}:"), format!("    {x} = {activation}(layer({x}))")]
}

/// The class `Net`: layers under the names of `specs`, so that `load_state_dict` takes the weights unchanged, and the `forward` of
/// `model`. A parameter that belongs to no PyTorch layer is declared as an `nn.Parameter`.
fn module(specs: &[ParamSpec], model: &TorchModel) -> String {
    let mut init = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for spec in specs {
        let top = spec.name.split('.').next().unwrap_or_default();
        if seen.contains(&top) {
            continue;
        }
        seen.push(top);
        let own: Vec<&ParamSpec> =
            specs.iter().filter(|s| s.name.split('.').next() == Some(top)).collect();
        init.push(format!("self.{top} = {}", declared(top, &own, model)));
    }
    let mut text = String::from("class Net(nn.Module):\n    def __init__(self):\n");
    text.push_str("        super().__init__()\n");
    let body = init.iter().map(|line| format!("        {line}\n"));
    text.extend(body);
    text.push_str("\n    def forward(self, observation, previous=None, state=None):\n");
    text.extend(model.forward.iter().map(|line| format!("        {line}\n")));
    text
}

/// An expression that declares all parameters under one name.
fn declared(top: &str, own: &[&ParamSpec], model: &TorchModel) -> String {
    let shape = |name: &str| {
        let full = format!("{top}.{name}");
        own.iter().find(|s| s.name == full).map(|s| s.shape.as_slice())
    };
    if let [one] = own
        && one.name == top
    {
        return format!("nn.Parameter(torch.zeros({:?}))", one.shape);
    }
    if let Some([features]) = shape("mean") {
        return format!("ObsNorm({features})");
    }
    if let Some([_, inputs]) = shape("weight_ih") {
        let hidden = shape("weight_hh").map_or(0, |s| s[1]);
        return format!("nn.LSTMCell({inputs}, {hidden})");
    }
    if let Some(shape) = shape("weight") {
        return layer(shape, None);
    }
    let mut list = String::from("nn.ModuleList([");
    for i in 0.. {
        let Some(shape) = shape(&format!("{i}.weight")) else { break };
        let convolution = model.convolutions.get(i).filter(|_| shape.len() == 4);
        let comma = if i == 0 { "" } else { ", " };
        let _ = write!(list, "{comma}{}", layer(shape, convolution));
    }
    list + "])"
}

/// A layer with a weight of this shape.
fn layer(weight: &[i64], convolution: Option<&(i64, i64)>) -> String {
    match (weight, convolution) {
        ([out, into, kernel, _], Some((stride, padding))) => {
            format!("nn.Conv2d({into}, {out}, {kernel}, stride={stride}, padding={padding})")
        }
        ([features], _) => format!("nn.LayerNorm({features})"),
        ([out, into], _) => format!("nn.Linear({into}, {out})"),
        other => format!("None  # a weight of shape {:?}", other.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MakeQModel, QMlp};
    use crate::params::ParamBuilder;
    use rlcore::{DType, EnvSpaces, Space};

    #[test]
    fn a_network_is_source_that_one_can_read() {
        let observation = Space::uniform_box(DType::F32, &[4], -1.0, 1.0);
        let spaces = EnvSpaces::new(observation, Space::Discrete { n: 2 });
        let mut b = ParamBuilder::default();
        let net = QMlp { hidden: vec![8], layer_norm: true }.make(&spaces, &mut b).unwrap();
        let text = module(&b.finish().unwrap(), &net.torch().unwrap());
        let want = "class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 8), nn.Linear(8, 2)])
        self.norms = nn.ModuleList([nn.LayerNorm(8)])

    def forward(self, observation, previous=None, state=None):
        x = flat(observation[0])
        for layer, norm in zip(self.layers, self.norms):
            x = F.relu(norm(layer(x)))
        return self.layers[-1](x), state
";
        assert_eq!(text, want);
    }
}
