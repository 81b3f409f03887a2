//! The agent trait: rows in, actions out.
//!
//! The sampler owns everything that belongs to an environment: its random stream, its recurrent state, its previous action.
//! An agent therefore has no hidden per-environment state, works on any slice of columns, and needs no alternating variant.
//! Phase is an argument. Weights come from outside: the algorithm owns the trained parameters, every acting agent holds a
//! copy that it is told to take.
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

/// What the actions are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    /// Sampling for training.
    Sample {
        /// Environment steps before the batch: what schedules count.
        now: GlobalSteps,
    },
    /// Measuring the agent.
    Evaluate {
        /// Environment steps before the evaluation: what schedules count.
        now: GlobalSteps,
    },
}

/// What an agent sees of one time step: `n` columns of the sample block.
#[derive(Clone, Copy, Debug)]
pub struct Seen<'a> {
    /// Environment behind column 0; the others follow.
    pub first_rank: EnvRank,
    /// Observations, `[n, ...]` for each leaf.
    pub observation: Row<'a>,
    /// Previous actions, null at an episode's start.
    pub prev_action: Row<'a>,
    /// Previous rewards `[n]`, zero at an episode's start.
    pub prev_reward: &'a [f32],
    /// The same as tensors, `[n, ...]` for each leaf on the CPU, and the recurrent state; no `reset`, since a state is zero at
    /// an episode's start.
    pub tensors: ModelInput<'a>,
}

/// One time step: what an agent sees, and where its answers go.
#[derive(Debug)]
pub struct ActIo<'a> {
    /// What it sees.
    pub seen: Seen<'a>,
    /// Where the actions go.
    pub action: RowMut<'a>,
    /// Where `agent_info` goes.
    pub info: RowMut<'a>,
    /// Recurrent state before the step on entry, after it on return; zero at an episode's start. `seen.tensors.state` is the
    /// same memory.
    pub state: RowMut<'a>,
    /// The acting stream of each environment.
    pub rng: &'a mut [Rng],
}

/// Chooses actions.
pub trait Agent: Send {
    /// What is recorded and carried for each environment.
    fn schema(&self) -> AgentSchema;

    /// Chooses the actions of all rows.
    fn act(&mut self, io: &mut ActIo<'_>, phase: Phase) -> Result<(), AgentError>;

    /// The value of what is observed, `out: [n]`, for bootstrapping. No state changes.
    fn value(&mut self, _seen: &Seen<'_>, _out: &mut [f32]) -> Result<(), AgentError> {
        Err(AgentError::new("this agent has no values to bootstrap from"))
    }

    /// Number of `f32` weights, running statistics included.
    fn weight_count(&self) -> usize {
        0
    }

    /// Takes new weights, as the algorithm publishes them.
    fn load_weights(&mut self, _weights: &[f32]) {}
}

/// Where an agent finds itself when it is built.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AgentContext {
    /// The environment's spaces.
    pub spaces: EnvSpaces,
    /// Environments over all replicas.
    pub global_b: usize,
    /// Environments of this replica, and the first of them.
    pub local: (EnvRank, usize),
    /// Where tensors are computed: `cpu`, `cuda:0`.
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
                "device {name} is not there ({found} CUDA devices found): use --device cpu, or fetch the CUDA libtorch with `make setup CUDA=1`"
            )))
        }
    };
    match name.split_once(':') {
        None if name == "cpu" => Ok(tch::Device::Cpu),
        None if name == "cuda" => cuda(0),
        Some(("cuda", index)) if index.parse::<usize>().is_ok() => {
            cuda(index.parse().unwrap_or_default())
        }
        _ => Err(AgentError::new(format!("device {name:?} is not one of cpu, cuda, cuda:<n>"))),
    }
}

/// Settings that build an agent; they travel to worker processes.
pub trait MakeAgent: Serialize + DeserializeOwned + Send + 'static {
    /// What is built.
    type Agent: Agent + 'static;

    /// Builds the agent. Its weights are loaded afterwards.
    fn make(&self, context: &AgentContext) -> Result<Self::Agent, AgentError>;

    /// What the agent records and how large its model is. Unless this is implemented, an agent is built to find out; an agent
    /// with a model declares its parameters alone, so that a model beyond memory is refused before memory is taken for it.
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

/// What a run has to know of an agent before it builds one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentOutline {
    /// What is recorded and carried for each environment.
    pub schema: AgentSchema,
    /// Size of the model.
    pub model: ModelSize,
    /// Names and shapes of the model's parameters: what it takes to read them from a checkpoint. Empty where the agent does not
    /// say.
    pub specs: Arc<[ParamSpec]>,
}

type BuildAgent = fn(&[u8], &AgentContext) -> Result<Box<dyn Agent>, AgentError>;
type OutlineAgent = fn(&[u8], &AgentContext) -> Result<AgentOutline, AgentError>;
type Schedules = fn(&[u8], &AgentContext, &GlobalSteps) -> Result<Values, AgentError>;

/// Builds agents of one kind anywhere in this program's processes.
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

    /// One agent.
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

fn schedules<M: MakeAgent>(
    settings: &[u8],
    context: &AgentContext,
    now: &GlobalSteps,
) -> Result<Values, AgentError> {
    Ok(received::<M>(settings)?.schedules(context, *now))
}
