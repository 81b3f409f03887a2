//! The agent that acts by the values of a Q-model, feed-forward or recurrent.
mod settings;

pub use self::settings::DqnAgentSettings;
use crate::AgentError;
use crate::acting::Acting;
use crate::agent::{ActIo, Agent, AgentContext, AgentOutline, MakeAgent, Phase, Seen, device};
use crate::exploration::{EpsilonGreedy, Exploration, MakeExploration, greedy};
use crate::model::{MakeQModel, ModelInput, QMlp, QModel, QOutput, action_count};
use crate::params::{Grad, ParamBuilder, Params};
use rlcore::block::AgentSchema;
use rlcore::config::Settings;
use rlcore::table::Values;
use rlcore::tensor::slice;
use rlcore::{DType, GlobalSteps, LeafSpec};
use serde::{Deserialize, Serialize};
use tch::{Device, Tensor, no_grad_guard};

/// Name of the leaf of `agent_info` with the values of the actions, `[A] f32`.
pub const Q: &str = "q";

/// Settings of a [`DqnAgent`]: any Q-model, any exploration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DqnAgentConfig<M = QMlp, E = EpsilonGreedy> {
    /// The model.
    pub model: M,
    /// How actions are chosen from their values.
    pub exploration: E,
}

impl<M: MakeQModel + Settings, E: MakeExploration> MakeAgent for DqnAgentConfig<M, E> {
    type Agent = DqnAgent;

    fn make(&self, context: &AgentContext) -> Result<DqnAgent, AgentError> {
        let device = device(&context.device)?;
        let actions = action_count(&context.spaces)?;
        let mut builder = ParamBuilder::default();
        let model = self.model.make(&context.spaces, &mut builder)?;
        let params = Params::zeros(&builder.finish()?, device, Grad::Off)?;
        let state = model.state();
        Ok(DqnAgent {
            acting: Acting::new(device, !state.is_empty()),
            exploration: self.exploration.make(context)?,
            mask: context.spaces.action_mask,
            model,
            params,
            state,
            actions,
        })
    }

    fn outline(&self, context: &AgentContext) -> Result<AgentOutline, AgentError> {
        let mut builder = ParamBuilder::default();
        let model = self.model.make(&context.spaces, &mut builder)?;
        let schema = schema(action_count(&context.spaces)?, model.state());
        Ok(AgentOutline { schema, model: builder.size()?, specs: builder.finish()? })
    }

    fn schedules(&self, context: &AgentContext, now: GlobalSteps) -> Values {
        self.exploration.schedules(context, now)
    }
}

/// Chooses actions from their values. Records [`Q`], and the model's recurrent state where it has one.
pub struct DqnAgent {
    model: Box<dyn QModel>,
    params: Params,
    acting: Acting,
    exploration: Box<dyn Exploration>,
    state: Vec<LeafSpec>,
    actions: usize,
    mask: Option<usize>,
}

impl std::fmt::Debug for DqnAgent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DqnAgent({} weights, {} actions)", self.params.len(), self.actions)
    }
}

impl DqnAgent {
    /// Values `[N, A]` (`[1, N, A]` of a recurrent model) and the next state, all contiguous on the CPU.
    fn run(&mut self, rows: &ModelInput<'_>) -> QOutput {
        let _guard = no_grad_guard();
        let Self { model, params, acting, .. } = self;
        let QOutput { q, state } = acting.run(rows, |input| model.forward(params, input));
        let host =
            |t: Tensor| if acting.is_staged() { t.to_device(Device::Cpu) } else { t }.contiguous();
        let q = if model.atoms().is_some() { model.values(&q) } else { q };
        QOutput { q: host(q), state: state.into_iter().map(host).collect() }
    }
}

fn schema(actions: usize, state: Vec<LeafSpec>) -> AgentSchema {
    AgentSchema { info: vec![LeafSpec::array(Q, DType::F32, &[actions])], state }
}

impl Agent for DqnAgent {
    fn schema(&self) -> AgentSchema {
        schema(self.actions, self.state.clone())
    }

    fn act(&mut self, io: &mut ActIo<'_>, phase: Phase) -> Result<(), AgentError> {
        let out = self.run(&io.seen.tensors);
        let q = slice::<f32>(&out.q);
        // The only leaf.
        io.info.get::<f32>(0).copy_from_slice(q);
        self.exploration.choose_all(q, self.actions, self.mask, io, phase);
        for (leaf, state) in out.state.iter().enumerate() {
            io.state.get::<f32>(leaf).copy_from_slice(slice(state));
        }
        Ok(())
    }

    fn value(&mut self, seen: &Seen<'_>, out: &mut [f32]) -> Result<(), AgentError> {
        let q = self.run(&seen.tensors).q;
        for (c, q) in slice::<f32>(&q).chunks_exact(self.actions).enumerate() {
            let allowed = self.mask.map(|leaf| seen.observation.cell(c).u8(leaf));
            out[c] = q[greedy(q, allowed)];
        }
        Ok(())
    }

    fn weight_count(&self) -> usize {
        self.params.len()
    }

    fn load_weights(&mut self, weights: &[f32]) {
        self.params.read_from(weights);
    }
}

#[cfg(test)]
mod tests;
