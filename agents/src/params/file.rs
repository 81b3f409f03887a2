//! Parameters as a safetensors file, which PyTorch can read.
use super::{Grad, ParamSpec, Params};
use crate::AgentError;
use safetensors::tensor::{Dtype, TensorView};
use std::sync::Arc;
use tch::Device;

impl Params {
    /// A file in the safetensors format with the parameters under their names, for `torch.nn.Module.load_state_dict`.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, AgentError> {
        let mut values = vec![0f32; self.len()];
        self.write_to(&mut values);
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let mut views = Vec::new();
        for s in self.specs().iter() {
            let shape = s.shape.iter().map(|d| *d as usize).collect();
            let data = &bytes[4 * s.offset..4 * (s.offset + s.len())];
            let view = TensorView::new(Dtype::F32, shape, data)
                .map_err(|e| AgentError::new(e.to_string()))?;
            views.push((s.name.as_str(), view));
        }
        safetensors::serialize(views, None).map_err(|e| AgentError::new(e.to_string()))
    }

    /// Parameters for acting, on the CPU, with the values of a file that [`Params::to_safetensors`] made. `specs`: the parameters that
    /// the model declares ([`super::ParamBuilder::finish`], [`crate::AgentOutline::specs`]). Neither an algorithm nor an agent is needed.
    ///
    /// # Errors
    /// Those of [`Params::load_safetensors`]; too little memory.
    pub fn from_safetensors(specs: &Arc<[ParamSpec]>, bytes: &[u8]) -> Result<Self, AgentError> {
        let mut params = Self::zeros(specs, Device::Cpu, Grad::Off)?;
        params.load_safetensors(bytes)?;
        Ok(params)
    }

    /// Loads the values of a file that [`Params::to_safetensors`] made.
    ///
    /// # Errors
    /// Names, shapes or types that differ from those of the model.
    pub fn load_safetensors(&mut self, bytes: &[u8]) -> Result<(), AgentError> {
        let file = safetensors::SafeTensors::deserialize(bytes)
            .map_err(|e| AgentError::new(format!("weights: {e}")))?;
        let mut values = vec![0f32; self.len()];
        for s in self.specs().iter() {
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
            let (data, _) = view.data().as_chunks::<4>();
            let to = &mut values[s.offset..s.offset + s.len()];
            to.iter_mut().zip(data).for_each(|(to, b)| *to = f32::from_le_bytes(*b));
        }
        self.read_from(&values);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Init, ParamBuilder};
    use super::*;

    #[test]
    fn files_carry_names_and_refuse_other_models() {
        let mut b = ParamBuilder::default();
        b.within("norm", |b| b.add_buffer("mean", &[2], Init::Uniform(1.0)));
        b.within("layers", |b| b.add("weight", &[2, 3], Init::Uniform(0.5)));
        let specs = b.finish().unwrap();
        let p = Params::init(&specs, 3, Device::Cpu, Grad::Off).unwrap();
        let bytes = p.to_safetensors().unwrap();
        let q = Params::from_safetensors(&specs, &bytes).unwrap();
        assert_eq!(p.flat(), q.flat());
        let mut b = ParamBuilder::default();
        b.add("layers.weight", &[3, 2], Init::Constant(0.0));
        let mut other = Params::zeros(&b.finish().unwrap(), Device::Cpu, Grad::Off).unwrap();
        assert!(other.load_safetensors(&bytes).unwrap_err().to_string().contains("layers.weight"));
    }
}
