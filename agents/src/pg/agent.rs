//! Acting by drawing from a policy.
//!
//! `rlpyt/agents/pg/{categorical,gaussian}.py` and their recurrent and alternating variants in one: memory belongs to the
//! sampler, so there is nothing to vary. Differs: evaluation takes the mode unless told to sample.
use super::model::{MakePgModel, PgInput, PgModel, PgOutput};
use super::settings::Evaluate;
use crate::agent::{ActIo, Agent, AgentContext, AgentError, AgentOutline, Phase, ValueIo, device};
use crate::dist::{Categorical, Distribution, Draw, Gaussian};
use crate::params::{Grad, ParamBuilder, Params};
use crate::staging::{Staging, bring};
use rlcore::block::AgentSchema;
use rlcore::tensor::slice;
use rlcore::{DType, EnvRank, LeafSpec};
use tch::{Tensor, no_grad_guard};

/// Name of the leaf of agent_info that holds the value of the observation, f32.
pub const VALUE: &str = "value";

/// Draws discrete actions.
pub type CategoricalPgAgent = PgAgent<Categorical>;
/// Draws actions in a box.
pub type GaussianPgAgent = PgAgent<Gaussian>;

/// Draws actions from a model's distribution. Records `value f32`, then what the distribution does.
pub struct PgAgent<D> {
    dist: D,
    model: Box<dyn PgModel>,
    params: Params,
    state: Vec<LeafSpec>,
    mask: Option<usize>,
    evaluate: Evaluate,
    staging: Option<Staging>,
    /// The last values of every row's `dist`, and room for one row.
    tail: Vec<f32>,
    row: Vec<f32>,
}

impl<D: Distribution> std::fmt::Debug for PgAgent<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PgAgent({:?}, {} weights)", self.dist, self.params.len())
    }
}

/// What an agent is shown, for acting and for a value alike.
struct Shown<'a> {
    observation: &'a [Tensor],
    prev_action: &'a [Tensor],
    prev_reward: &'a Tensor,
    state: &'a [Tensor],
}

impl<D: Distribution> PgAgent<D> {
    /// An agent whose weights are loaded afterwards.
    pub fn new<M: MakePgModel>(
        dist: D,
        model: &M,
        evaluate: Evaluate,
        context: &AgentContext,
    ) -> Result<Self, AgentError> {
        let device = device(&context.device)?;
        let mut builder = ParamBuilder::default();
        let model = model.make(&context.spaces, &dist, &mut builder)?;
        let params = Params::zeros(&builder.finish()?, device, Grad::Off)?;
        Ok(Self {
            tail: model.tail(&params),
            row: vec![0.0; dist.len()],
            state: model.state(),
            mask: context.spaces.action_mask,
            staging: Staging::unless_cpu(device),
            dist,
            model,
            params,
            evaluate,
        })
    }

    /// What an agent of these settings records, and the size of its model; nothing is allocated.
    pub(super) fn outline<M: MakePgModel>(
        dist: &D,
        model: &M,
        context: &AgentContext,
    ) -> Result<AgentOutline, AgentError> {
        let mut builder = ParamBuilder::default();
        let model = model.make(&context.spaces, dist, &mut builder)?;
        Ok(AgentOutline { schema: schema(dist, model.state()), model: builder.size()? })
    }

    /// Runs the model. All that comes back lies contiguous on the CPU.
    fn run(&mut self, shown: &Shown<'_>) -> PgOutput {
        let _guard = no_grad_guard();
        let recurrent = !self.state.is_empty();
        let Some(staging) = &mut self.staging else {
            let out = forward(&*self.model, &self.params, recurrent, shown);
            return PgOutput {
                dist: out.dist.contiguous(),
                value: out.value.contiguous(),
                state: out.state.iter().map(Tensor::contiguous).collect(),
            };
        };
        let mut leaves: Vec<&Tensor> = shown.observation.iter().collect();
        if recurrent {
            leaves.extend(shown.prev_action);
            leaves.push(shown.prev_reward);
            leaves.extend(shown.state);
        }
        let sent = staging.send(&leaves);
        let (observation, rest) = sent.split_at(shown.observation.len());
        let shown = if recurrent {
            let (prev_action, rest) = rest.split_at(shown.prev_action.len());
            Shown { observation, prev_action, prev_reward: &rest[0], state: &rest[1..] }
        } else {
            Shown { observation, ..*shown }
        };
        let out = forward(&*self.model, &self.params, recurrent, &shown);
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

/// One step of the model: `[N]` for feed-forward models, `[1, N]` for recurrent ones.
fn forward(model: &dyn PgModel, params: &Params, recurrent: bool, shown: &Shown<'_>) -> PgOutput {
    if !recurrent {
        let Shown { observation, prev_action, prev_reward, state } = *shown;
        let input = PgInput { observation, prev_action, prev_reward, state, reset: None };
        return model.act(params, &input);
    }
    let row =
        |leaves: &[Tensor]| -> Vec<Tensor> { leaves.iter().map(|l| l.unsqueeze(0)).collect() };
    let input = PgInput {
        observation: &row(shown.observation),
        prev_action: &row(shown.prev_action),
        prev_reward: &shown.prev_reward.unsqueeze(0),
        state: shown.state,
        reset: None,
    };
    model.act(params, &input)
}

impl<D: Distribution> Agent for PgAgent<D> {
    fn schema(&self) -> AgentSchema {
        schema(&self.dist, self.state.clone())
    }

    fn act(&mut self, io: &mut ActIo<'_>, phase: Phase) -> Result<(), AgentError> {
        let out = self.run(&Shown {
            observation: io.observation_tensors,
            prev_action: io.prev_action_tensors,
            prev_reward: io.prev_reward_tensor,
            state: io.state_tensors,
        });
        io.info.get::<f32>(0).copy_from_slice(slice(&out.value));
        let dist = slice::<f32>(&out.dist);
        let width = self.row.len() - self.tail.len();
        finite(dist, width, io.first_rank)?;
        finite(&self.tail, usize::MAX, io.first_rank)?;
        self.row[width..].copy_from_slice(&self.tail);
        let sample = self.evaluate == Evaluate::Sample || matches!(phase, Phase::Sample { .. });
        for (c, row) in dist.chunks_exact(width).enumerate() {
            let row = if self.tail.is_empty() {
                row
            } else {
                self.row[..width].copy_from_slice(row);
                &self.row
            };
            let allowed = self.mask.map(|leaf| io.observation.cell(c).u8(leaf));
            let draw = if sample { Draw::Sample(&mut io.rng[c]) } else { Draw::Mode };
            self.dist.draw(row, allowed, draw, &mut io.action.cell(c), &mut io.info.cell(c));
        }
        for (leaf, state) in out.state.iter().enumerate() {
            io.state.get::<f32>(leaf).copy_from_slice(slice(state));
        }
        Ok(())
    }

    fn value(&mut self, io: &ValueIo<'_>, out: &mut [f32]) -> Result<(), AgentError> {
        let shown = Shown {
            observation: io.observation_tensors,
            prev_action: io.prev_action_tensors,
            prev_reward: io.prev_reward_tensor,
            state: io.state_tensors,
        };
        out.copy_from_slice(slice(&self.run(&shown).value));
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

/// An error that says where, if a value is NaN or infinite.
fn finite(values: &[f32], width: usize, first: EnvRank) -> Result<(), AgentError> {
    // Without a branch in the loop, so that it is vectorised.
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
