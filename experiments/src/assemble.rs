//! From a configuration to the parts of a run. Everything that can be refused is refused before memory is taken.
mod fit;
mod learning;
mod needs;

use self::learning::Learning;
use crate::config::{Config, Section};
use crate::program::Program;
use agents::model::MakeQModel;
use agents::params::Params;
use agents::pg::PgSettings;
use agents::torch::TorchPolicy;
use agents::{AgentFactory, Policy};
use algos::{Algo, LearnContext};
use anyhow::{Context, Error, Result, anyhow, ensure};
use rlcore::checkpoint::steps_of;
use rlcore::memory::Need;
use rlcore::{BatchSpec, EnvFactory, GlobalSteps, World, memory};
use samplers::{Plan, Sampler, SamplerError, Setup};
use std::path::{Path, PathBuf};

/// The parts that a runner runs.
pub struct Parts {
    /// Collects samples.
    pub sampler: Box<dyn Sampler>,
    /// Learns from them.
    pub algo: Box<dyn Algo>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parts({:?})", self.sampler.spec())
    }
}

/// The environments that `env`, the table at `path` of a configuration, names.
pub fn env_factory(
    program: &Program,
    path: &str,
    env: &Section,
    time_limit: Option<usize>,
) -> Result<EnvFactory> {
    program.env_of(path, env)?.factory(time_limit)
}

/// Says what contradicts itself in a configuration, before anything is built.
pub fn check(program: &Program, config: &Config) -> Result<()> {
    config.sampler.check().map_err(Error::msg)?;
    config.eval.check().map_err(Error::msg)?;
    config.runner.check().map_err(Error::msg)?;
    Learning::of(program, config)?.check(spec(config)).map_err(Error::msg)?;
    ensure!(
        config.time_limit != Some(0),
        "time_limit = 0: it must be at least 1; unset it with `--set time_limit=none`"
    );
    let device = &config.device.0;
    agents::device(device).map(|_| ()).map_err(|e| match device.parse::<usize>() {
        Ok(index) => anyhow!("{e}: write `--device cuda:{index}`"),
        Err(_) if device.starts_with("cuda") => {
            anyhow!("{e}: use `--device cpu`, or fetch the CUDA libtorch with `make setup CUDA=1`")
        }
        Err(_) => e.into(),
    })
}

fn spec(config: &Config) -> BatchSpec {
    BatchSpec { t: config.sampler.t, b: config.sampler.b }
}

fn n_steps(config: &Config) -> GlobalSteps {
    GlobalSteps(config.runner.n_steps)
}

/// The agent that a configuration names.
pub fn agent_factory(program: &Program, config: &Config) -> Result<AgentFactory> {
    Learning::of(program, config)?.agent()
}

/// The agent that a configuration names, as PyTorch source.
pub(crate) fn torch_policy(program: &Program, config: &Config) -> Result<TorchPolicy> {
    let spaces = env_factory(program, "env", &config.env, config.time_limit)?.spaces()?;
    let model = program.agent_of(config)?.model();
    if let Some(model) = model.downcast_ref::<Box<dyn MakeQModel>>() {
        return Ok(TorchPolicy::of_values(&**model, &spaces)?);
    }
    if let Some(agent) = model.downcast_ref::<Box<dyn PgSettings>>() {
        let distribution = agent.distribution(&spaces)?;
        return Ok(TorchPolicy::of_policy(agent.model(), &*distribution, &spaces)?);
    }
    anyhow::bail!(
        "agent.kind = \"{}\" acts neither by the values of a Q-model nor by a policy, so nobody knows its PyTorch source: read the weights of the checkpoint (model.safetensors) with your own",
        config.agent.kind
    )
}

/// A trained agent outside of a sampler, with the weights in a checkpoint.
pub(crate) fn policy(program: &Program, config: &Config, checkpoint: &Path) -> Result<Policy> {
    let plan = acting(program, config)?;
    let weights = weights(&plan, checkpoint)?;
    let agent = agent_factory(program, config)?;
    let now = GlobalSteps(steps_of(checkpoint).unwrap_or(1).max(1));
    let (spaces, device) = (plan.spaces(), &config.device.0);
    Ok(Policy::new(&agent, spaces, device, &weights, config.seed, now)?)
}

/// A sampler's setup; `worker_logs`: where workers write what environments print.
pub fn setup(program: &Program, config: &Config, worker_logs: Option<PathBuf>) -> Result<Setup> {
    let learning = Learning::of(program, config)?;
    let env = env_factory(program, "env", &config.env, config.time_limit)?;
    let eval_env = match &config.eval_env {
        Some(other) => env_factory(program, "eval_env", other, config.time_limit)?,
        None => env.clone(),
    };
    Ok(Setup {
        config: config.sampler.clone(),
        env,
        eval: config.runner.evaluate.then_some((eval_env, config.eval)),
        agent: learning.agent()?,
        device: config.device.0.clone(),
        world: World::default(),
        seed: config.seed,
        discount: learning.settings().discount(),
        options: learning.settings().records(spec(config)),
        slots: 1,
        worker_logs,
    })
}

/// The parts of a run that need neither its directory nor processes.
pub struct Prepared {
    plan: Plan,
    algo: Box<dyn Algo>,
    needs: Vec<Need>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prepared({:?})", self.plan.setup.spec())
    }
}

/// A sampler that acts with saved weights (see [`weights`]): no algorithm is built, and nothing of its memory is asked for.
pub fn acting(program: &Program, config: &Config) -> Result<Plan> {
    check(program, config)?;
    // Threads of this process are set before its first op; workers set theirs.
    tch::set_num_threads(config.runner.threads as i32);
    setup(program, config, None)?.check().map_err(|e| match e {
        SamplerError::Agent(e) => fit::other_agents(program, config, &e.to_string())
            .unwrap_or_else(|| needs::named(config, &e)),
        e => e.into(),
    })
}

/// The weights in a checkpoint, as the flat vector that agents take.
pub fn weights(plan: &Plan, checkpoint: &Path) -> Result<Vec<f32>> {
    let params = Params::from_safetensors(plan.specs(), &runners::weights(checkpoint)?)?;
    let mut flat = vec![0.0; params.len()];
    params.write_to(&mut flat);
    Ok(flat)
}

/// Refuses a run of which `runs` at a time do not fit into the memory that is free now. Nothing is built but what a plan takes.
pub fn check_together(program: &Program, config: &Config, runs: usize) -> Result<()> {
    let plan = acting(program, config)?;
    let share = memory::available() / runs.max(1) as u64;
    needs::check(program, config, &plan, share).with_context(|| {
        format!("{runs} runs at a time share the memory: run fewer (--jobs), or")
    })?;
    Ok(())
}

/// Builds the algorithm; everything about the configuration that can be refused is refused here, so that a mistake leaves no
/// run directory behind and replaces none.
pub fn prepare(program: &Program, config: &Config) -> Result<Prepared> {
    let plan = acting(program, config)?;
    let needs = needs::check(program, config, &plan, memory::available())?;
    let learning = Learning::of(program, config)?;
    let context = LearnContext {
        device: agents::device(&config.device.0)?,
        ..LearnContext::new(plan.spaces(), spec(config), n_steps(config), config.seed)
    };
    let algo = learning.algo(&context)?;
    Ok(Prepared { plan, algo, needs })
}

impl Prepared {
    /// The memory that the run takes, by what it is for: an upper estimate, made before any of it was taken.
    pub fn needs(&self) -> &[Need] {
        &self.needs
    }

    /// Starts the sampler; `worker_logs`: where workers write what environments print.
    pub fn start(mut self, worker_logs: Option<PathBuf>) -> Result<Parts> {
        self.plan.setup.worker_logs = worker_logs;
        Ok(Parts { sampler: self.plan.build()?, algo: self.algo })
    }
}
