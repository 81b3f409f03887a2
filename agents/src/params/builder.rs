//! Declaration of parameters: names, shapes, initial values, and the memory that they will take.
use super::orthogonal::orthogonal;
use crate::AgentError;
use rand::RngExt;
use rlcore::seed::Rng;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Initial values of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform in `-bound..bound`.
    Uniform(f64),
    /// All equal.
    Constant(f64),
    /// As `torch.nn.init.orthogonal_` (Saxe et al. 2014): seen as a matrix `[shape[0], product of the rest]`, its rows (its columns,
    /// where there are fewer) are orthogonal and of length `gain`.
    Orthogonal(f64),
}

impl Init {
    /// Fills `out` with the initial values of a parameter of `shape`.
    pub(super) fn draw(
        self,
        shape: &[i64],
        rng: &mut Rng,
        out: &mut [f32],
    ) -> Result<(), AgentError> {
        match self {
            Self::Uniform(bound) => {
                out.fill_with(|| (bound * (2.0 * rng.random::<f64>() - 1.0)) as f32);
            }
            Self::Constant(value) => out.fill(value as f32),
            Self::Orthogonal(gain) => {
                let rows = shape.first().map_or(1, |d| *d as usize);
                orthogonal(rows, out.len() / rows.max(1), gain, rng, out)?;
            }
        }
        Ok(())
    }
}

/// Whether a parameter is trained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamRole {
    /// An optimiser changes it.
    Trained,
    /// A buffer, such as running statistics: saved and published with the rest, without a gradient.
    Buffer,
}

/// Name (in PyTorch's style), shape and initial values of one parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    /// Full name, such as `layers.0.weight`.
    pub name: String,
    /// Shape. [`ParamBuilder::finish`] has checked that its product can be addressed.
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

/// Sizes of a model, known before any memory is allocated for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelSize {
    /// Number of parameters, buffers included: the `f32` values that are published to agents.
    pub params: usize,
    /// Number of parameters that are trained.
    pub trained: usize,
    /// Number of values of the largest parameter.
    pub largest: usize,
    /// Number of values that all layers together keep per input row until the backward pass. 0 where the layers did not declare it
    /// with [`ParamBuilder::puts_out`].
    pub activations: usize,
    /// Number of outputs of the widest layer per input row.
    pub widest: usize,
}

/// Handle of one parameter within its [`super::Params`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamId(pub(super) usize);

/// A size as a dimension of a tensor. A size that does not fit becomes `i64::MAX`, which [`ParamBuilder::finish`] refuses.
pub(crate) fn dim(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Number of values of this shape; none where their bytes cannot be addressed.
fn values(shape: &[i64]) -> Option<usize> {
    let len = shape.iter().try_fold(1usize, |n, d| n.checked_mul(usize::try_from(*d).ok()?))?;
    (len <= isize::MAX as usize / size_of::<f32>()).then_some(len)
}

/// Collects the parameters of a model.
#[derive(Debug, Default)]
pub struct ParamBuilder {
    specs: Vec<ParamSpec>,
    prefix: Vec<String>,
    activations: usize,
    widest: usize,
}

impl ParamBuilder {
    /// Declares a trained parameter. [`ParamBuilder::finish`] refuses a shape that no memory holds.
    ///
    /// # Panics
    /// A name that is declared already: a mistake in the model.
    pub fn add(&mut self, name: &str, shape: &[i64], init: Init) -> ParamId {
        self.push(name, shape, init, ParamRole::Trained)
    }

    /// Declares a buffer, which has no gradient. Buffers come last in the flat vector, whatever the order of declaration.
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

    /// Runs `declare` with `name.` in front of the names that it declares.
    pub fn within<T>(&mut self, name: &str, f: impl FnOnce(&mut Self) -> T) -> T {
        self.prefix.push(name.to_owned());
        let out = f(self);
        self.prefix.pop();
        out
    }

    /// Declares that a layer has `values` outputs per input row, which are kept until the backward pass. The memory of an update is
    /// estimated from this (see [`ModelSize`]). The layers of [`crate::nn`] call it themselves.
    pub fn puts_out(&mut self, values: usize) {
        self.keeps(values);
        self.widest = self.widest.max(values);
    }

    /// Declares that a layer keeps `values` further numbers per input row until the backward pass, apart from its outputs.
    pub fn keeps(&mut self, values: usize) {
        self.activations = self.activations.saturating_add(values);
    }

    /// Sizes of the parameters declared so far.
    ///
    /// # Errors
    /// More values than can be addressed.
    pub fn size(&self) -> Result<ModelSize, AgentError> {
        let (activations, widest) = (self.activations, self.widest);
        let mut size = ModelSize { activations, widest, ..Default::default() };
        for spec in &self.specs {
            let len = values(&spec.shape).and_then(|len| {
                size.params = size.params.checked_add(len)?;
                values(&[dim(size.params)]).map(|_| len)
            });
            let len = len.ok_or_else(|| {
                AgentError::new(format!(
                    "the model is too large: with the parameter {} of shape {:?} it has more values than can be addressed; lower the sizes of its layers",
                    spec.name, spec.shape
                ))
            })?;
            size.largest = size.largest.max(len);
            size.trained += if spec.role == ParamRole::Trained { len } else { 0 };
        }
        Ok(size)
    }

    /// The declared parameters, in order of declaration.
    ///
    /// # Errors
    /// Those of [`ParamBuilder::size`]. No memory is allocated for the values yet.
    pub fn finish(mut self) -> Result<Arc<[ParamSpec]>, AgentError> {
        self.size()?;
        let mut offset = 0;
        for role in [ParamRole::Trained, ParamRole::Buffer] {
            for spec in self.specs.iter_mut().filter(|s| s.role == role) {
                spec.offset = offset;
                offset += spec.len();
            }
        }
        Ok(self.specs.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_counted_before_anything_is_allocated() {
        let mut b = ParamBuilder::default();
        b.add("weight", &[1 << 20, 1 << 20], Init::Orthogonal(1.0));
        b.add("bias", &[1 << 20], Init::Constant(0.0));
        b.add_buffer("mean", &[3], Init::Constant(0.0));
        b.puts_out(1 << 20);
        let size = b.size().unwrap();
        assert_eq!((size.trained, size.largest), ((1 << 40) + (1 << 20), 1 << 40));
        b.keeps(7);
        let more = b.size().unwrap();
        assert_eq!((size.params, size.activations), (size.trained + 3, 1 << 20));
        assert_eq!((more.activations, more.widest), ((1 << 20) + 7, 1 << 20));
    }

    #[test]
    fn more_than_can_be_addressed_is_an_error() {
        let huge = dim(usize::MAX);
        for shapes in [&[&[huge, 4][..]][..], &[&[-1]], &[&[huge]], &[&[huge >> 2], &[huge >> 2]]] {
            let mut b = ParamBuilder::default();
            for (i, shape) in shapes.iter().enumerate() {
                b.add(&format!("layer.{i}"), shape, Init::Constant(0.0));
            }
            let text = b.finish().unwrap_err().to_string();
            assert!(text.contains("too large") && text.contains("layer."), "{text}");
        }
    }
}
