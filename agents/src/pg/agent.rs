//! Agents that draw actions from a policy.
//!
//! Follows `rlpyt/agents/pg/{categorical,gaussian}.py`; differs: the recurrent and alternating variants are the same agent, since the
//! sampler owns the recurrent state; evaluation takes the mode unless it is told to sample.
use super::evaluate::Evaluate;
use super::model::{MakePgModel, PgModel, PgOutput};
use crate::AgentError;
use crate::acting::Acting;
use crate::agent::{ActIo, Agent, AgentContext, AgentOutline, Phase, Seen, device};
use crate::dist::{Categorical, Distribution, Draw, Gaussian};
use crate::model::ModelInput;
use crate::params::{Grad, ParamBuilder, Params};
use crate::staging::bring;
use rlcore::block::AgentSchema;
use rlcore::tensor::slice;
use rlcore::{DType, EnvRank, LeafSpec};
use tch::{Tensor, no_grad_guard};

/// Name of the leaf of `agent_info` with the value of the observation, f32.
pub const VALUE: &str = "value";

/// Draws discrete actions.
pub type CategoricalPgAgent = PgAgent<Categorical>;
/// Draws actions in a box.
pub type GaussianPgAgent = PgAgent<Gaussian>;

/// Draws actions from a model's distribution. Records `value f32`, then the leaves of the distribution.
pub struct PgAgent<D> {
    dist: D,
    model: Box<dyn PgModel>,
    params: Params,
    state: Vec<LeafSpec>,
    mask: Option<usize>,
    evaluate: Evaluate,
    acting: Acting,
    /// Index of the leaf of `agent_info` with the value, and of the first leaf of the distribution.
    value_at: usize,
    dist_at: usize,
    /// Scratch for one row's `dist`, whose last values are the tail that all rows share.
    tail: Vec<f32>,
    row: Vec<f32>,
}

impl<D: Distribution> std::fmt::Debug for PgAgent<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PgAgent({:?}, {} weights)", self.dist, self.params.len())
    }
}

impl<D: Distribution> PgAgent<D> {
    /// An agent with zero weights; the real ones are loaded afterwards.
    pub fn new(
        dist: D,
        model: &dyn MakePgModel,
        evaluate: Evaluate,
        context: &AgentContext,
    ) -> Result<Self, AgentError> {
        let device = device(&context.device)?;
        let mut builder = ParamBuilder::default();
        let model = model.make(&context.spaces, &dist, &mut builder)?;
        let params = Params::zeros(&builder.finish()?, device, Grad::Off)?;
        let state = model.state();
        let info = schema(&dist, vec![]).info;
        let at = |name: &str| info.iter().position(|leaf| leaf.name == name);
        let first = dist.info().into_iter().next();
        Ok(Self {
            tail: model.tail(&params),
            row: vec![0.0; dist.len()],
            acting: Acting::new(device, !state.is_empty()),
            value_at: at(VALUE).unwrap_or_default(),
            dist_at: first.and_then(|leaf| at(&leaf.name)).unwrap_or_default(),
            state,
            mask: context.spaces.action_mask,
            dist,
            model,
            params,
            evaluate,
        })
    }

    /// What an agent with these settings records, and the size of its model. Nothing is allocated.
    pub(super) fn outline(
        dist: &D,
        model: &dyn MakePgModel,
        context: &AgentContext,
    ) -> Result<AgentOutline, AgentError> {
        let mut builder = ParamBuilder::default();
        let model = model.make(&context.spaces, dist, &mut builder)?;
        let schema = schema(dist, model.state());
        Ok(AgentOutline { schema, model: builder.size()?, specs: builder.finish()? })
    }

    /// Runs the model. The results are contiguous on the CPU.
    fn run(&mut self, rows: &ModelInput<'_>) -> PgOutput {
        let _guard = no_grad_guard();
        let Self { model, params, acting, .. } = self;
        let out = acting.run(rows, |input| model.act(params, input));
        if !acting.is_staged() {
            return PgOutput {
                dist: out.dist.contiguous(),
                value: out.value.contiguous(),
                state: out.state.iter().map(Tensor::contiguous).collect(),
            };
        }
        let parts: Vec<&Tensor> = [&out.dist, &out.value].into_iter().chain(&out.state).collect();
        let mut back = bring(&parts).into_iter();
        let mut next = || back.next().expect("as many as were sent");
        PgOutput { dist: next(), value: next(), state: out.state.iter().map(|_| next()).collect() }
    }
}

fn schema(dist: &dyn Distribution, state: Vec<LeafSpec>) -> AgentSchema {
    let mut info = vec![LeafSpec::scalar(VALUE, DType::F32)];
    info.extend(dist.info());
    AgentSchema { info, state }
}

impl<D: Distribution> Agent for PgAgent<D> {
    fn schema(&self) -> AgentSchema {
        schema(&self.dist, self.state.clone())
    }

    fn act(&mut self, io: &mut ActIo<'_>, phase: Phase) -> Result<(), AgentError> {
        let out = self.run(&io.seen.tensors);
        io.info.get::<f32>(self.value_at).copy_from_slice(slice(&out.value));
        let dist = slice::<f32>(&out.dist);
        let width = self.row.len() - self.tail.len();
        finite(dist, width, io.seen.first_rank)?;
        finite(&self.tail, usize::MAX, io.seen.first_rank)?;
        self.row[width..].copy_from_slice(&self.tail);
        let sample = self.evaluate == Evaluate::Sample || matches!(phase, Phase::Sample { .. });
        for (c, row) in dist.chunks_exact(width).enumerate() {
            let row = if self.tail.is_empty() {
                row
            } else {
                self.row[..width].copy_from_slice(row);
                &self.row
            };
            let allowed = self.mask.map(|leaf| io.seen.observation.cell(c).u8(leaf));
            let draw = if sample { Draw::Sample(&mut io.rng[c]) } else { Draw::Mode };
            let (mut action, mut info) = (io.action.cell(c), io.info.cell(c));
            self.dist.draw(row, allowed, draw, &mut action, &mut info, self.dist_at);
        }
        for (leaf, state) in out.state.iter().enumerate() {
            io.state.get::<f32>(leaf).copy_from_slice(slice(state));
        }
        Ok(())
    }

    fn value(&mut self, seen: &Seen<'_>, out: &mut [f32]) -> Result<(), AgentError> {
        out.copy_from_slice(slice(&self.run(&seen.tensors).value));
        Ok(())
    }

    fn weight_count(&self) -> usize {
        self.params.len()
    }

    fn load_weights(&mut self, weights: &[f32]) {
        self.params.read_from(weights);
        self.tail = self.model.tail(&self.params);
    }
}

/// An error that names the environment where a value is NaN or infinite.
fn finite(values: &[f32], width: usize, first: EnvRank) -> Result<(), AgentError> {
    // Fast pass without branches, which the compiler vectorises: a value that is not finite is rare and ends the run.
    if values.iter().fold(true, |ok, v| ok & v.is_finite()) {
        return Ok(());
    }
    let at = values.iter().position(|v| !v.is_finite()).unwrap_or_default();
    Err(AgentError::new(format!(
        "the policy of environment {} is {}: the weights have diverged (lower the learning rate or clip the gradient), or an \
         observation was not finite",
        first.0 + at / width,
        values[at]
    )))
}

#[cfg(test)]
mod tests;
