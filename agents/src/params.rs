//! Parameters as views of one flat tensor.
//!
//! So weights are published in one copy, are one array of a checkpoint, and are one vector for the optimiser. Buffers (running
//! statistics) come last in the flat tensor: they are published with the weights, and the optimiser does not see them. Initial values
//! are drawn by our own generator, since libtorch's can be neither saved nor split.
mod builder;
mod file;
mod orthogonal;

pub(crate) use self::builder::dim;
pub use self::builder::{Init, ModelSize, ParamBuilder, ParamId, ParamRole, ParamSpec};
use crate::AgentError;
use rlcore::seed;
use std::sync::Arc;
use tch::{Device, Kind, Tensor, no_grad_guard};

/// Values of a model's parameters.
#[derive(Debug)]
pub struct Params {
    specs: Arc<[ParamSpec]>,
    flat: Tensor,
    trained_len: usize,
    views: Vec<Tensor>,
    /// Transposed views of the matrices, for acting; none with gradients.
    transposed: Vec<Option<Tensor>>,
}

/// Whether gradients with respect to the parameters are computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grad {
    /// They are not: for acting and for target networks.
    Off,
    /// They are: for training.
    On,
}

impl Params {
    /// Parameters with initial values drawn from `seed`, the same on every device.
    ///
    /// # Errors
    /// Too little memory, on the host or the device.
    pub fn init(
        specs: &Arc<[ParamSpec]>,
        seed: u64,
        device: Device,
        grad: Grad,
    ) -> Result<Self, AgentError> {
        let mut rng = seed::rng(seed);
        let mut flat = zeroed(specs, Device::Cpu)?;
        let values = rlcore::tensor::slice_mut::<f32>(&mut flat);
        for spec in specs.iter() {
            let own = &mut values[spec.offset..spec.offset + spec.len()];
            spec.init.draw(&spec.shape, &mut rng, own)?;
        }
        let flat = if device == Device::Cpu {
            flat
        } else {
            flat.f_to_device(device).map_err(|e| no_memory(specs, &e))?
        };
        Ok(Self::over(specs, flat, grad))
    }

    /// Parameters that are all zero.
    ///
    /// # Errors
    /// As [`Params::init`].
    pub fn zeros(specs: &Arc<[ParamSpec]>, device: Device, grad: Grad) -> Result<Self, AgentError> {
        Ok(Self::over(specs, zeroed(specs, device)?, grad))
    }

    fn over(specs: &Arc<[ParamSpec]>, flat: Tensor, grad: Grad) -> Self {
        let view = |s: &ParamSpec| {
            let v =
                flat.narrow(0, s.offset as i64, s.len() as i64).view(s.shape.as_slice()).detach();
            v.set_requires_grad(grad == Grad::On && s.role == ParamRole::Trained)
        };
        let views: Vec<Tensor> = specs.iter().map(view).collect();
        let matrix = |v: &Tensor| (grad == Grad::Off && v.dim() == 2).then(|| v.tr());
        let transposed = views.iter().map(matrix).collect();
        let trained = specs.iter().filter(|s| s.role == ParamRole::Trained);
        let trained_len = trained.map(ParamSpec::len).sum();
        Self { specs: specs.clone(), flat, trained_len, views, transposed }
    }

    /// Number of values, buffers included.
    pub fn len(&self) -> usize {
        self.flat.numel()
    }

    /// Number of values that are trained; they come first in the flat tensor.
    pub fn trained_len(&self) -> usize {
        self.trained_len
    }

    /// Whether the model has no parameters.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Device of the values.
    pub fn device(&self) -> Device {
        self.flat.device()
    }

    /// A view of one parameter.
    pub fn get(&self, id: ParamId) -> &Tensor {
        &self.views[id.0]
    }

    /// Overwrites one parameter; meant for buffers.
    ///
    /// # Panics
    /// The number of values differs.
    pub fn set(&mut self, id: ParamId, values: &[f32]) {
        let spec = &self.specs[id.0];
        assert_eq!(values.len(), spec.len(), "{} holds {:?}", spec.name, spec.shape);
        let _guard = no_grad_guard();
        let mut part = self.flat.narrow(0, spec.offset as i64, spec.len() as i64);
        part.copy_(&Tensor::from_slice(values));
    }

    /// The transposed view of a matrix; none with [`Grad::On`].
    pub(crate) fn transposed(&self, id: ParamId) -> Option<&Tensor> {
        self.transposed[id.0].as_ref()
    }

    /// Names and shapes of the parameters.
    pub fn specs(&self) -> &Arc<[ParamSpec]> {
        &self.specs
    }

    /// All values, `[len] f32`, of which each parameter is a view.
    pub fn flat(&self) -> &Tensor {
        &self.flat
    }

    /// [`Params::flat`], mutable: to copy weights in.
    pub fn flat_mut(&mut self) -> &mut Tensor {
        &mut self.flat
    }

    /// A view of the trained values, `[trained_len] f32`, which an optimiser updates.
    pub fn trained_mut(&mut self) -> Tensor {
        self.flat.narrow(0, 0, self.trained_len as i64)
    }

    /// The gradient of `loss` (0-d) with respect to the trained parameters, as one vector `[trained_len] f32` in the order of the flat
    /// tensor; zero for a parameter that the loss does not depend on.
    ///
    /// # Errors
    /// libtorch cannot differentiate the loss.
    pub fn gradient(&self, loss: &Tensor) -> Result<Tensor, AgentError> {
        let trained =
            self.specs.iter().zip(&self.views).filter(|(s, _)| s.role == ParamRole::Trained);
        let inputs: Vec<&Tensor> = trained.map(|(_, v)| v).collect();
        let grads = Tensor::f_run_backward(&[loss], &inputs, false, false)?;
        if self.device() == Device::Cpu {
            return Ok(self.gathered(&inputs, &grads));
        }
        let flat = |(grad, input): (&Tensor, &&Tensor)| {
            if grad.defined() { grad.reshape([-1]) } else { input.zeros_like().reshape([-1]) }
        };
        let flat: Vec<Tensor> = grads.iter().zip(&inputs).map(flat).collect();
        Ok(Tensor::f_cat(&flat, 0)?)
    }

    /// Concatenates gradients on the CPU, with zeros for undefined ones.
    // PERF: a copy instead of a tensor operation for each parameter, 25 of 304 us of a PPO minibatch
    // (`experiments bench learner`).
    fn gathered(&self, inputs: &[&Tensor], grads: &[Tensor]) -> Tensor {
        let mut all = Tensor::zeros([self.trained_len() as i64], (Kind::Float, Device::Cpu));
        let mut rest = rlcore::tensor::slice_mut::<f32>(&mut all);
        for (input, grad) in inputs.iter().zip(grads) {
            let (own, others) = rest.split_at_mut(input.numel());
            if grad.defined() {
                let grad = grad.contiguous();
                own.copy_from_slice(rlcore::tensor::slice(&grad));
            }
            rest = others;
        }
        all
    }

    /// Copies all values of `from`, which has the same specs.
    pub fn copy_from(&mut self, from: &Self) {
        let _guard = no_grad_guard();
        self.flat.copy_(&from.flat);
    }

    /// Copies all values to `out` `[len]`, from any device.
    pub fn write_to(&self, out: &mut [f32]) {
        let len = out.len();
        self.flat.to_device(Device::Cpu).copy_data(out, len);
    }

    /// Overwrites all values, on any device.
    ///
    /// # Panics
    /// The number of values differs.
    pub fn read_from(&mut self, values: &[f32]) {
        assert_eq!(values.len(), self.len(), "weights of another model");
        let _guard = no_grad_guard();
        if self.flat.device() == Device::Cpu {
            rlcore::tensor::slice_mut::<f32>(&mut self.flat).copy_from_slice(values);
        } else {
            self.flat.copy_(&Tensor::from_slice(values));
        }
    }
}

/// A tensor `[len] f32` of zeros for all values of a model.
fn zeroed(specs: &[ParamSpec], device: Device) -> Result<Tensor, AgentError> {
    let len: usize = specs.iter().map(ParamSpec::len).sum();
    Tensor::f_zeros([len as i64], (Kind::Float, device)).map_err(|e| no_memory(specs, &e))
}

/// Adds to libtorch's error, which has the number of bytes, what they were for.
fn no_memory(specs: &[ParamSpec], e: &tch::TchError) -> AgentError {
    let len: usize = specs.iter().map(ParamSpec::len).sum();
    AgentError::new(format!(
        "no memory for the {len} parameters of the model ({}): lower the sizes of its layers",
        rlcore::panics::without_backtrace(&e.to_string())
    ))
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
        b.finish().unwrap()
    }

    #[test]
    fn views_and_flat_are_one() {
        let mut p = Params::init(&specs(), 1, Device::Cpu, Grad::On).unwrap();
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
    fn buffers_come_last_and_have_no_gradient() {
        let mut b = ParamBuilder::default();
        let mean = b.add_buffer("mean", &[2], Init::Constant(3.0));
        let used = b.add("used", &[2], Init::Constant(1.0));
        let unused = b.add("unused", &[3], Init::Constant(2.0));
        let mut p = Params::init(&b.finish().unwrap(), 1, Device::Cpu, Grad::On).unwrap();
        assert_eq!((p.len(), p.trained_len()), (7, 5));
        let values = Vec::<f32>::try_from(p.flat()).unwrap();
        assert_eq!(values, [1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0]);
        let loss = (p.get(used) * p.get(mean)).sum(Kind::Float);
        let grad = Vec::<f32>::try_from(p.gradient(&loss).unwrap()).unwrap();
        assert_eq!(grad, [3.0, 3.0, 0.0, 0.0, 0.0]);
        p.set(mean, &[5.0, 6.0]);
        {
            let _guard = no_grad_guard();
            let _ = p.trained_mut().g_add_scalar_(1.0);
        }
        assert_eq!(Vec::<f32>::try_from(p.get(mean)).unwrap(), [5.0, 6.0]);
        assert_eq!(Vec::<f32>::try_from(p.get(unused)).unwrap(), [3.0; 3]);
    }
}
