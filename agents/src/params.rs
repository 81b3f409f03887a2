//! Parameters as views of one flat tensor.
//!
//! Publishing weights is one copy, a checkpoint one array, an optimiser works on one vector. Initial values are drawn by our
//! own generator, since libtorch's cannot be saved or split.
use rand::RngExt;
use rlcore::seed;
use safetensors::tensor::{Dtype, TensorView};
use std::sync::Arc;
use tch::{Device, Kind, Tensor, no_grad_guard};

use crate::AgentError;

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Uniform in `-bound..bound`.
    Uniform(f64),
    /// All the same.
    Constant(f64),
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
    offset: usize,
}

impl ParamSpec {
    fn len(&self) -> usize {
        self.shape.iter().product::<i64>() as usize
    }
}

/// Handle of one parameter within its [`Params`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParamId(usize);

/// Collects the parameters of a model.
#[derive(Debug, Default)]
pub struct ParamBuilder {
    specs: Vec<ParamSpec>,
    prefix: Vec<String>,
}

impl ParamBuilder {
    /// Declares a parameter. Panics where the name is taken, which is a mistake in the model.
    pub fn add(&mut self, name: &str, shape: &[i64], init: Init) -> ParamId {
        let name =
            self.prefix.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join(".");
        assert!(!self.specs.iter().any(|s| s.name == name), "parameter {name} is declared twice");
        let offset = self.specs.last().map_or(0, |s| s.offset + s.len());
        self.specs.push(ParamSpec { name, shape: shape.to_vec(), init, offset });
        ParamId(self.specs.len() - 1)
    }

    /// Declares under `name.`.
    pub fn within<T>(&mut self, name: &str, f: impl FnOnce(&mut Self) -> T) -> T {
        self.prefix.push(name.to_owned());
        let out = f(self);
        self.prefix.pop();
        out
    }

    /// The declared parameters, in order.
    pub fn finish(self) -> Arc<[ParamSpec]> {
        self.specs.into()
    }
}

/// Values of a model's parameters.
#[derive(Debug)]
pub struct Params {
    specs: Arc<[ParamSpec]>,
    flat: Tensor,
    views: Vec<Tensor>,
    /// Transposes of the matrices, for acting; none where gradients are wanted.
    transposed: Vec<Option<Tensor>>,
}

/// Whether gradients are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grad {
    /// For acting and for target networks.
    Off,
    /// For training.
    On,
}

impl Params {
    /// Initial values drawn from `seed`; the same on every device.
    pub fn init(specs: &Arc<[ParamSpec]>, seed: u64, device: Device, grad: Grad) -> Self {
        let mut rng = seed::rng(seed);
        let mut values = Vec::new();
        for spec in specs.iter() {
            values.extend((0..spec.len()).map(|_| match spec.init {
                Init::Uniform(bound) => (bound * (2.0 * rng.random::<f64>() - 1.0)) as f32,
                Init::Constant(value) => value as f32,
            }));
        }
        Self::over(specs, Tensor::from_slice(&values).to_device(device), grad)
    }

    /// Other values for the same specs, all zero.
    #[must_use]
    pub fn zeros(specs: &Arc<[ParamSpec]>, device: Device, grad: Grad) -> Self {
        let len: usize = specs.iter().map(ParamSpec::len).sum();
        Self::over(specs, Tensor::zeros([len as i64], (Kind::Float, device)), grad)
    }

    fn over(specs: &Arc<[ParamSpec]>, flat: Tensor, grad: Grad) -> Self {
        let view = |s: &ParamSpec| {
            let v =
                flat.narrow(0, s.offset as i64, s.len() as i64).view(s.shape.as_slice()).detach();
            v.set_requires_grad(grad == Grad::On)
        };
        let views: Vec<Tensor> = specs.iter().map(view).collect();
        let matrix = |v: &Tensor| (grad == Grad::Off && v.dim() == 2).then(|| v.tr());
        let transposed = views.iter().map(matrix).collect();
        Self { specs: specs.clone(), flat, views, transposed }
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.flat.numel()
    }

    /// Whether the model has no parameters.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One parameter.
    pub fn get(&self, id: ParamId) -> &Tensor {
        &self.views[id.0]
    }

    /// The transpose of a matrix where no gradients are wanted.
    pub(crate) fn transposed(&self, id: ParamId) -> Option<&Tensor> {
        self.transposed[id.0].as_ref()
    }

    /// Names and shapes.
    pub fn specs(&self) -> &Arc<[ParamSpec]> {
        &self.specs
    }

    /// All values, `[len] f32`. Writing it (under `no_grad`) changes every view.
    pub fn flat(&self) -> &Tensor {
        &self.flat
    }

    /// As [`Params::flat`], for an optimiser.
    pub fn flat_mut(&mut self) -> &mut Tensor {
        &mut self.flat
    }

    /// d loss / d parameters as one vector, in the order of the flat tensor. A parameter that the loss does not depend on is
    /// an error of libtorch.
    pub fn gradient(&self, loss: &Tensor) -> Result<Tensor, AgentError> {
        let grads = Tensor::f_run_backward(&[loss], &self.views, false, false)?;
        let flat: Vec<Tensor> = grads.iter().map(|g| g.reshape([-1])).collect();
        Ok(Tensor::f_cat(&flat, 0)?)
    }

    /// Takes the values of `from`.
    pub fn copy_from(&mut self, from: &Self) {
        let _guard = no_grad_guard();
        self.flat.copy_(&from.flat);
    }

    /// Copies the values out, whatever the device.
    pub fn write_to(&self, out: &mut [f32]) {
        let len = out.len();
        self.flat.to_device(Device::Cpu).copy_data(out, len);
    }

    /// Takes values, whatever the device.
    pub fn read_from(&mut self, values: &[f32]) {
        assert_eq!(values.len(), self.len(), "weights of another model");
        let _guard = no_grad_guard();
        if self.flat.device() == Device::Cpu {
            rlcore::tensor::slice_mut::<f32>(&mut self.flat).copy_from_slice(values);
        } else {
            self.flat.copy_(&Tensor::from_slice(values));
        }
    }

    /// The parameters under their names, in the safetensors format: `torch.nn.Module.load_state_dict` takes it.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, AgentError> {
        let mut values = vec![0f32; self.len()];
        self.write_to(&mut values);
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let mut views = Vec::new();
        for s in self.specs.iter() {
            let shape = s.shape.iter().map(|d| *d as usize).collect();
            let data = &bytes[4 * s.offset..4 * (s.offset + s.len())];
            let view = TensorView::new(Dtype::F32, shape, data)
                .map_err(|e| AgentError::new(e.to_string()))?;
            views.push((s.name.as_str(), view));
        }
        safetensors::serialize(views, None).map_err(|e| AgentError::new(e.to_string()))
    }

    /// Takes the values of a file of [`Params::to_safetensors`]; names, shapes and types must agree.
    pub fn load_safetensors(&mut self, bytes: &[u8]) -> Result<(), AgentError> {
        let file = safetensors::SafeTensors::deserialize(bytes)
            .map_err(|e| AgentError::new(format!("weights: {e}")))?;
        let mut values = Vec::with_capacity(self.len());
        for s in self.specs.iter() {
            let view = file
                .tensor(&s.name)
                .map_err(|e| AgentError::new(format!("weights of {}: {e}", s.name)))?;
            let shape: Vec<i64> = view.shape().iter().map(|d| *d as i64).collect();
            if shape != s.shape || view.dtype() != Dtype::F32 {
                return Err(AgentError::new(format!(
                    "weights of {}: the file holds {:?} {shape:?}, the model F32 {:?}",
                    s.name,
                    view.dtype(),
                    s.shape
                )));
            }
            values.extend(
                view.data().chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            );
        }
        self.read_from(&values);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs() -> Arc<[ParamSpec]> {
        let mut b = ParamBuilder::default();
        b.within("layers", |b| {
            b.add("weight", &[2, 3], Init::Uniform(0.5));
            b.add("bias", &[2], Init::Constant(1.0))
        });
        b.finish()
    }

    #[test]
    fn views_and_flat_are_one() {
        let mut p = Params::init(&specs(), 1, Device::Cpu, Grad::On);
        assert_eq!(p.len(), 8);
        assert_eq!(p.get(ParamId(1)).double_value(&[0]), 1.0);
        p.read_from(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        assert_eq!(p.get(ParamId(0)).double_value(&[1, 2]), 5.0);
        let loss = (p.get(ParamId(0)).sum(Kind::Float) * 2.0)
            + p.get(ParamId(1)).square().sum(Kind::Float);
        let mut grad = [0f32; 8];
        p.gradient(&loss).unwrap().copy_data(&mut grad, 8);
        assert_eq!(grad, [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 12.0, 14.0]);
    }

    #[test]
    fn files_carry_names_and_refuse_other_models() {
        let p = Params::init(&specs(), 3, Device::Cpu, Grad::Off);
        let bytes = p.to_safetensors().unwrap();
        let mut q = Params::zeros(&specs(), Device::Cpu, Grad::Off);
        q.load_safetensors(&bytes).unwrap();
        assert_eq!(p.flat(), q.flat());
        let mut b = ParamBuilder::default();
        b.add("layers.weight", &[3, 2], Init::Constant(0.0));
        let mut other = Params::zeros(&b.finish(), Device::Cpu, Grad::Off);
        assert!(other.load_safetensors(&bytes).unwrap_err().to_string().contains("layers.weight"));
    }
}
