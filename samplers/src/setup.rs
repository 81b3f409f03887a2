//! The parts of a sampler, and the checks and shapes that are known before memory is allocated and processes start.
use crate::collector::CollectorSpec;
use crate::config::{EvalConfig, SamplerConfig};
use crate::error::SamplerError;
use crate::watchdog::{NOBODY, Watchdog, Who};
use agents::params::{ModelSize, ParamSpec};
use agents::{AgentContext, AgentFactory, AgentOutline};
use rlcore::block::{AgentSchema, BlockOptions, Layout};
use rlcore::progress::Progress;
use rlcore::slice::ResetMode;
use rlcore::{BatchSpec, EnvFactory, EnvRank, EnvSpaces, World};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// Everything a sampler is made of.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Settings.
    pub config: SamplerConfig,
    /// Training environments.
    pub env: EnvFactory,
    /// Evaluation environments and settings, where evaluation is wanted.
    pub eval: Option<(EnvFactory, EvalConfig)>,
    /// The agent.
    pub agent: AgentFactory,
    /// Device of agents that act in this process; workers always act on the CPU.
    pub device: String,
    /// This process among the replicas of the run.
    pub world: World,
    /// Seed of the run.
    pub seed: u64,
    /// Discount per step, for the `DiscountedReturn` of episodes: that of the algorithm, which a runner compares.
    pub discount: f64,
    /// Optional parts of the block.
    pub options: BlockOptions,
    /// Number of slots for batches, at least 1: one more than the number of batches that are held while another is collected.
    pub slots: usize,
    /// Directory for the standard output and error of the workers, one file per worker.
    pub worker_logs: Option<PathBuf>,
}

/// A setup that has passed all checks, with the spaces of an example environment and the outline of the agent. [`Plan::build`] starts
/// the sampler and constructs neither again.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The setup. Fields that affect no shape, such as `worker_logs`, may still be set.
    pub setup: Setup,
    pub(crate) spaces: EnvSpaces,
    /// Spaces of the evaluation environment: `truncates_every` may differ.
    pub(crate) eval_spaces: Option<EnvSpaces>,
    pub(crate) schema: AgentSchema,
    pub(crate) model: ModelSize,
    pub(crate) specs: Arc<[ParamSpec]>,
    pub(crate) context: AgentContext,
    pub(crate) layout: Layout,
}

impl Plan {
    /// The training environment's spaces.
    pub fn spaces(&self) -> &EnvSpaces {
        &self.spaces
    }

    /// The memory layout of a batch.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Size of the agent's model.
    pub fn model(&self) -> ModelSize {
        self.model
    }

    /// Names and shapes of the parameters of the agent's model, as [`AgentOutline::specs`].
    pub fn specs(&self) -> &Arc<[ParamSpec]> {
        &self.specs
    }

    /// Settings of a collector of these columns of the training environments.
    pub(crate) fn collector_spec(&self, columns: Range<usize>) -> CollectorSpec {
        let setup = &self.setup;
        CollectorSpec {
            env: setup.env.clone(),
            spaces: self.spaces.clone(),
            first_rank: EnvRank(setup.first_rank()).offset(columns.start),
            columns: columns.len(),
            mode: setup.config.reset,
            seed: setup.seed,
            discount: setup.discount,
            state_interval: setup.options.state_interval.max(1),
        }
    }

    /// Settings of the evaluation; an error if the setup has none.
    pub(crate) fn eval_config(&self) -> Result<EvalConfig, SamplerError> {
        let config = self.setup.eval.as_ref().map(|(_, config)| *config);
        config.ok_or_else(|| {
            SamplerError::Config("evaluation was not asked for when the sampler was built".into())
        })
    }

    /// Settings of a collector of these evaluation environments; `None` if the setup has no evaluation.
    pub(crate) fn eval_spec(&self, ranks: Range<usize>) -> Option<CollectorSpec> {
        let (env, _) = self.setup.eval.as_ref()?;
        Some(CollectorSpec {
            env: env.clone(),
            spaces: self.eval_spaces.clone()?,
            first_rank: EnvRank(ranks.start),
            columns: ranks.len(),
            mode: ResetMode::AtOnce,
            seed: self.setup.seed,
            discount: self.setup.discount,
            state_interval: 1,
        })
    }
}

impl Setup {
    /// One replica on the CPU with seed 0 and discount 0.99, without evaluation. Change the fields for more.
    pub fn new(config: SamplerConfig, env: EnvFactory, agent: AgentFactory) -> Self {
        Self {
            config,
            env,
            agent,
            eval: None,
            device: "cpu".into(),
            world: World::default(),
            seed: 0,
            discount: 0.99,
            options: BlockOptions::default(),
            slots: 1,
            worker_logs: None,
        }
    }

    /// `T` and `B`.
    pub fn spec(&self) -> BatchSpec {
        BatchSpec { t: self.config.t, b: self.config.b }
    }

    /// Global number of the environment in column 0.
    pub(crate) fn first_rank(&self) -> usize {
        self.world.first_rank(self.spec()).0
    }

    /// Spaces of the training environment, taken from an example environment. A panic of its constructor is returned as an error.
    pub fn example_spaces(env: &EnvFactory) -> Result<EnvSpaces, SamplerError> {
        let seen = std::panic::catch_unwind(|| env.spaces());
        match seen {
            Ok(Ok(spaces)) => Ok(spaces),
            Ok(Err(e)) => Err(SamplerError::Example(e.to_string())),
            Err(payload) => Err(SamplerError::Example(format!(
                "panicked: {}",
                crate::error::panic_text(&*payload)
            ))),
        }
    }

    /// Performs every check that is possible before memory is allocated and processes start. Constructs one example of the training
    /// environment and, if it differs, one of the evaluation environment, both under the watchdog, and asks the agent for its outline.
    pub fn check(self) -> Result<Plan, SamplerError> {
        // Settings first: the watchdog needs the time-out.
        self.config.check().map_err(SamplerError::Config)?;
        if self.slots == 0 {
            return Err(SamplerError::Config("a sampler needs at least 1 slot, not 0".into()));
        }
        let watchdog = Watchdog::start(self.config.worker.step_timeout)?;
        let who = Who { worker: "the master, for an example", env_ranks: 0..1 };
        watchdog.watch(&who, || self.plan(watchdog.progress()))
    }

    fn plan(self, progress: &Progress) -> Result<Plan, SamplerError> {
        if let Some((_, eval)) = &self.eval {
            eval.check().map_err(SamplerError::Config)?;
        }
        let spaces = Self::example_spaces(&self.env)?;
        let mut eval_spaces = self.eval.as_ref().map(|_| spaces.clone());
        if let Some((env, _)) = &self.eval
            && *env != self.env
        {
            progress.tick(NOBODY);
            let other = Self::example_spaces(env)?;
            eval_spaces = Some(other.clone());
            if other != (EnvSpaces { truncates_every: other.truncates_every, ..spaces.clone() }) {
                return Err(SamplerError::Config(
                    "the evaluation environment (eval_env) has other spaces or info than the training environment (env): give it the same kind, or leave it unset"
                        .into(),
                ));
            }
        }
        let context = AgentContext {
            spaces: spaces.clone(),
            global_b: self.world.global_b(self.spec()),
            local: (self.world.first_rank(self.spec()), self.config.b),
            device: self.device.clone(),
        };
        let cpu = AgentContext { device: "cpu".into(), ..context.clone() };
        progress.tick(NOBODY);
        let AgentOutline { schema, model, specs } = self.agent.outline(&cpu)?;
        let layout = Layout::new(self.spec(), &spaces, &schema, self.options);
        Ok(Plan { setup: self, spaces, eval_spaces, schema, model, specs, context, layout })
    }
}
