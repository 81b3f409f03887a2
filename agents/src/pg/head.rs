//! The output layer of a policy.
use crate::dist::Distribution;
use crate::nn::{Linear, Start};
use crate::params::{Init, ParamBuilder, ParamId, ParamRole, Params, dim};
use tch::{Device, Tensor};

/// From features to `dist`: a linear layer `policy`, and a parameter for the values that do not depend on the observation.
#[derive(Clone, Copy, Debug)]
pub struct DistHead {
    policy: Linear,
    tail: Option<(ParamId, i64)>,
}

impl DistHead {
    /// Declares `policy` (orthogonal weights have gain 0.01, so that the initial policy hardly depends on the observation) and the
    /// distribution's tail under the tail's name.
    pub fn new(
        b: &mut ParamBuilder,
        features: usize,
        dist: &dyn Distribution,
        start: Start,
    ) -> Self {
        let heads = dist.heads();
        let policy = Linear::starting(b, "policy", features, heads.outputs, start, 0.01);
        let tail = heads.tail.map(|t| {
            let (shape, init) = ([dim(t.len)], Init::Constant(t.start));
            let id = match t.role {
                ParamRole::Trained => b.add(t.name, &shape, init),
                ParamRole::Buffer => b.add_buffer(t.name, &shape, init),
            };
            (id, t.len as i64)
        });
        Self { policy, tail }
    }

    /// From `[N, features]` to the values that depend on the observation, `[N, outputs]`.
    pub fn outputs(&self, p: &Params, features: &Tensor) -> Tensor {
        self.policy.forward(p, features)
    }

    /// From `[N, outputs]` to `dist` `[N, len]`, the tail appended.
    pub fn complete(&self, p: &Params, outputs: Tensor) -> Tensor {
        match self.tail {
            Some((id, len)) => {
                let tail = p.get(id).expand([outputs.size()[0], len], false);
                Tensor::cat(&[outputs, tail], 1)
            }
            None => outputs,
        }
    }

    /// The last values of `dist`, where they are a parameter.
    pub fn tail(&self, p: &Params) -> Vec<f32> {
        self.tail.map_or_else(Vec::new, |(id, _)| {
            rlcore::tensor::slice::<f32>(&p.get(id).to_device(Device::Cpu)).to_vec()
        })
    }
}
