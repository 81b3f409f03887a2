//! Declaring parameters: names, shapes, starts.
use super::orthogonal::orthogonal;
use rand::RngExt;
use rlcore::seed::Rng;
use std::sync::Arc;

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform in `-bound..bound`.
    Uniform(f64),
    /// All the same.
    Constant(f64),
    /// Rows (or columns, where there are fewer) of `[shape[0], the rest]` orthogonal and of length `gain`: Saxe et al. 2014, as
    /// `torch.nn.init.orthogonal_`.
    Orthogonal(f64),
}

impl Init {
    pub(super) fn draw(self, shape: &[i64], rng: &mut Rng) -> Vec<f32> {
        let len = shape.iter().product::<i64>() as usize;
        match self {
            Self::Uniform(bound) => {
                (0..len).map(|_| (bound * (2.0 * rng.random::<f64>() - 1.0)) as f32).collect()
            }
            Self::Constant(value) => vec![value as f32; len],
            Self::Orthogonal(gain) => {
                let rows = shape.first().map_or(1, |d| *d as usize);
                orthogonal(rows, len / rows.max(1), gain, rng)
            }
        }
    }
}

/// What becomes of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamRole {
    /// Gradients change it.
    Trained,
    /// Statistics and the like: saved and published with the rest, never a gradient.
    Buffer,
}

/// Name (as PyTorch would have it), shape and start of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    /// Such as `layers.0.weight`.
    pub name: String,
    /// Shape.
    pub shape: Vec<i64>,
    /// Initial values.
    pub init: Init,
    /// Trained, or a buffer.
    pub role: ParamRole,
    pub(super) offset: usize,
}

impl ParamSpec {
    pub(super) fn len(&self) -> usize {
        self.shape.iter().product::<i64>() as usize
    }
}

/// Handle of one parameter within its [`super::Params`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamId(pub(super) usize);

/// Collects the parameters of a model.
#[derive(Debug, Default)]
pub struct ParamBuilder {
    specs: Vec<ParamSpec>,
    prefix: Vec<String>,
}

impl ParamBuilder {
    /// Declares a parameter. Panics where the name is taken, which is a mistake in the model.
    pub fn add(&mut self, name: &str, shape: &[i64], init: Init) -> ParamId {
        self.push(name, shape, init, ParamRole::Trained)
    }

    /// Declares values that no gradient reaches; they come last in the flat vector, whatever the order of declaration.
    pub fn add_buffer(&mut self, name: &str, shape: &[i64], init: Init) -> ParamId {
        self.push(name, shape, init, ParamRole::Buffer)
    }

    fn push(&mut self, name: &str, shape: &[i64], init: Init, role: ParamRole) -> ParamId {
        let name =
            self.prefix.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
        assert!(!self.specs.iter().any(|s| s.name == name), "parameter {name} is declared twice");
        self.specs.push(ParamSpec { name, shape: shape.to_vec(), init, role, offset: 0 });
        ParamId(self.specs.len() - 1)
    }

    /// Declares under `name.`.
    pub fn within<T>(&mut self, name: &str, f: impl FnOnce(&mut Self) -> T) -> T {
        self.prefix.push(name.to_owned());
        let out = f(self);
        self.prefix.pop();
        out
    }

    /// The declared parameters, in order of declaration.
    pub fn finish(mut self) -> Arc<[ParamSpec]> {
        let mut offset = 0;
        for role in [ParamRole::Trained, ParamRole::Buffer] {
            for spec in self.specs.iter_mut().filter(|s| s.role == role) {
                spec.offset = offset;
                offset += spec.len();
            }
        }
        self.specs.into()
    }
}
