//! The agent trait: rows in, actions out.
//!
//! The sampler owns everything that belongs to an environment: its random stream, its recurrent state, its previous action.
//! An agent therefore has no hidden per-environment state, works on any slice of columns, and needs no alternating variant.
//! Whether it trains or evaluates is an argument of each call. Weights come from outside: the algorithm owns the trained
//! parameters, and every acting agent holds a copy that it is told to load.
use crate::error::AgentError;
use crate::model::ModelInput;
use crate::params::{ModelSize, ParamSpec};
use rlcore::block::AgentSchema;
use rlcore::cells::{Row, RowMut};
use rlcore::fnptr::Portable;
use rlcore::seed::Rng;
use rlcore::table::Values;
use rlcore::{EnvRank, EnvSpaces, GlobalSteps};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// The purpose of the actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Sampling for training.
    Sample {
        /// Environment steps of all replicas before the batch, for schedules.
        now: GlobalSteps,
    },
    /// Evaluating the agent.
    Evaluate {
        /// Environment steps of all replicas before the evaluation, for schedules.
        now: GlobalSteps,
    },
}

/// What an agent sees of one time step: `n` columns of the sample block.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Rank of the environment in column 0; the ranks of the other columns follow it.
    pub first_rank: EnvRank,
    /// Observations, `[n, ...]` for each leaf.
    pub observation: Row<'a>,
    /// Previous actions, null at an episode's start.
    pub prev_action: Row<'a>,
    /// Previous rewards `[n]`, zero at an episode's start.
    pub prev_reward: &'a [f32],
    /// The same as tensors on the CPU, `[n, ...]` for each leaf, with the recurrent state. There is no `reset`: the state is already
    /// zero at an episode's start.
    pub tensors: ModelInput<'a>,
}

/// One time step of an acting agent: its inputs, and the memory for its outputs.
#[derive(Debug)]
pub struct ActIo<'a> {
    /// The inputs.
    pub seen: Seen<'a>,
    /// The actions, to be written.
    pub action: RowMut<'a>,
    /// The leaves of `agent_info`, to be written.
    pub info: RowMut<'a>,
    /// Recurrent state before the step on entry, after it on return; zero at an episode's start. `seen.tensors.state` is the
    /// same memory.
    pub state: RowMut<'a>,
    /// The random stream of each environment for acting.
    pub rng: &'a mut [Rng],
}

/// Chooses actions.
pub trait Agent: Send {
    /// The leaves that the agent records in `agent_info`, and those of its recurrent state.
    fn schema(&self) -> AgentSchema;

    /// Chooses an action for every column.
    ///
    /// # Errors
    /// A policy that is not finite, or whatever the agent cannot act on: the run ends with it.
    fn act(&mut self, io: &mut ActIo<'_>, phase: Phase) -> Result<(), AgentError>;

    /// Writes the values of the observations to `out` `[n]`, for bootstrapping. The recurrent state does not change.
    fn value(&mut self, _seen: &Seen<'_>, _out: &mut [f32]) -> Result<(), AgentError> {
        Err(AgentError::new("this agent has no values to bootstrap from"))
    }

    /// Number of `f32` weights, running statistics included.
    fn weight_count(&self) -> usize {
        0
    }

    /// Loads the weights `[weight_count]` that the algorithm published.
    fn load_weights(&mut self, _weights: &[f32]) {}
}

/// What an agent is told when it is built.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgentContext {
    /// The environment's spaces.
    pub spaces: EnvSpaces,
    /// Number of environments of all replicas.
    pub global_b: usize,
    /// Rank of this replica's first environment, and the number of its environments.
    pub local: (EnvRank, usize),
    /// Device that the model computes on: `cpu`, `cuda:0`.
    pub device: String,
}

/// The libtorch device of this name: `cpu`, `cuda`, `cuda:1`.
pub fn device(name: &str) -> Result<tch::Device, AgentError> {
    let cuda = |index: usize| {
        if (tch::Cuda::device_count() as usize) > index {
            Ok(tch::Device::Cuda(index))
        } else {
            let found = tch::Cuda::device_count();
            Err(AgentError::new(format!(
                "device {name} is not there: {found} CUDA devices were found"
            )))
        }
    };
    match name.split_once(':') {
        None if name == "cpu" => Ok(tch::Device::Cpu),
        None if name == "cuda" => cuda(0),
        Some(("cuda", index)) if index.parse::<usize>().is_ok() => {
            cuda(index.parse().unwrap_or_default())
        }
        _ => {
            Err(AgentError::new(format!("device {name:?} is not one of cpu, cuda, cuda:<number>")))
        }
    }
}

/// Settings that build an agent; they travel to worker processes.
pub trait MakeAgent: Serialize + DeserializeOwned + Send + 'static {
    /// The agent's type.
    type Agent: Agent + 'static;

    /// Builds the agent. Its weights are loaded afterwards.
    fn make(&self, context: &AgentContext) -> Result<Self::Agent, AgentError>;

    /// What the agent records and how large its model is. The default builds an agent to find out. Implement it for an agent with a
    /// model by declaring the parameters alone, so that a model beyond memory is refused before memory is allocated for it.
    fn outline(&self, context: &AgentContext) -> Result<AgentOutline, AgentError> {
        let agent = self.make(context)?;
        let params = agent.weight_count();
        let model = ModelSize { params, trained: params, largest: params, ..Default::default() };
        Ok(AgentOutline { schema: agent.schema(), model, specs: Arc::new([]) })
    }

    /// The values that the agent's schedules have after `now` environment steps, under the names that the log gives them, such as
    /// `epsilon`. Computed from the settings alone, since the agents themselves may live in worker processes.
    fn schedules(&self, _context: &AgentContext, _now: GlobalSteps) -> Values {
        Values::new()
    }
}

/// What a run must know about an agent before it builds one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentOutline {
    /// The leaves that the agent records in `agent_info`, and those of its recurrent state.
    pub schema: AgentSchema,
    /// Size of the model.
    pub model: ModelSize,
    /// Names and shapes of the model's parameters, with which they can be read from a checkpoint. Empty where the agent does not
    /// provide them.
    pub specs: Arc<[ParamSpec]>,
}

type BuildAgent = fn(&[u8], &AgentContext) -> Result<Box<dyn Agent>, AgentError>;
type OutlineAgent = fn(&[u8], &AgentContext) -> Result<AgentOutline, AgentError>;
type Schedules = fn(&[u8], &AgentContext, &GlobalSteps) -> Result<Values, AgentError>;

/// Builds agents with the same settings in any process of this program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgentFactory {
    build: Portable<BuildAgent>,
    outline: Portable<OutlineAgent>,
    schedules: Portable<Schedules>,
    settings: Vec<u8>,
}

impl AgentFactory {
    /// A factory for agents with these settings.
    pub fn new<M: MakeAgent>(settings: &M) -> Result<Self, AgentError> {
        let settings = rlcore::exact::to_bytes(settings).map_err(|e| {
            AgentError::new(format!("the agent's settings cannot be sent to a worker: {e}"))
        })?;
        let build = Portable::new(build_agent::<M> as BuildAgent);
        let outline = Portable::new(outline_agent::<M> as OutlineAgent);
        let schedules = Portable::new(schedules::<M> as Schedules);
        Ok(Self { build, outline, schedules, settings })
    }

    /// Builds an agent.
    pub fn build(&self, context: &AgentContext) -> Result<Box<dyn Agent>, AgentError> {
        (self.build.get())(&self.settings, context)
    }

    /// What an agent would record, and the size of its model: see [`MakeAgent::outline`].
    pub fn outline(&self, context: &AgentContext) -> Result<AgentOutline, AgentError> {
        (self.outline.get())(&self.settings, context)
    }

    /// The values of the agent's schedules after `now` environment steps: see [`MakeAgent::schedules`].
    pub fn schedules(
        &self,
        context: &AgentContext,
        now: GlobalSteps,
    ) -> Result<Values, AgentError> {
        (self.schedules.get())(&self.settings, context, &now)
    }
}

fn received<M: MakeAgent>(settings: &[u8]) -> Result<M, AgentError> {
    rlcore::exact::from_bytes(settings).map_err(|e| {
        AgentError::new(format!("the agent's settings do not survive serialisation: {e}"))
    })
}

fn build_agent<M: MakeAgent>(
    settings: &[u8],
    context: &AgentContext,
) -> Result<Box<dyn Agent>, AgentError> {
    Ok(Box::new(received::<M>(settings)?.make(context)?))
}

fn outline_agent<M: MakeAgent>(
    settings: &[u8],
    context: &AgentContext,
) -> Result<AgentOutline, AgentError> {
    received::<M>(settings)?.outline(context)
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "portable function pointers take references")]
fn schedules<M: MakeAgent>(
    settings: &[u8],
    context: &AgentContext,
    now: &GlobalSteps,
) -> Result<Values, AgentError> {
    Ok(received::<M>(settings)?.schedules(context, *now))
}
