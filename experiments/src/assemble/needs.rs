//! Whether a run fits into memory, asked before any of it is taken.
//!
//! Each part says what it takes: the sampler ([`samplers::Plan::needs`]), the algorithm ([`algos::AlgoSettings::needs`]), and here
//! what the runner does. Not counted: what environments allocate themselves, the memory of an accelerator (libtorch cannot say how
//! much is free), and the program as it is once it has started.
use super::learning::Learning;
use super::spec;
use crate::config::Config;
use crate::program::Program;
use agents::AgentError;
use anyhow::{Result, anyhow};
use rlcore::LeafSpec;
use rlcore::memory::{self, Need};
use samplers::Plan;
use toml::Value;

/// Vectors of the size of the parameters that the runner holds at once: what it publishes, and while a checkpoint is written the
/// copies of parameters and moments, and the weights as a file for PyTorch.
const RUNNER_COPIES: u64 = 6;
/// What libtorch's kernels keep for themselves once they have computed something large, and the allocator of what was freed. 50 to 80 MB
/// were measured.
const KERNELS: u64 = 128 << 20;
/// An observation of so many bytes is worth a word when memory is short.
const LARGE_OBSERVATION: usize = 1 << 16;

/// What the run takes, by what it is for.
fn needs(program: &Program, config: &Config, plan: &Plan) -> Result<Vec<Need>> {
    let learning = Learning::of(program, config)?;
    let model = plan.model();
    let mut needs = plan.needs();
    let algo = learning.settings().needs(plan.spaces(), spec(config), &model);
    needs.extend(algo.host);
    if config.device.0 == "cpu" {
        needs.extend(algo.device);
    }
    let copies = (model.params as u64).saturating_mul(4 * RUNNER_COPIES);
    needs.push(Need::new("libtorch's own buffers", KERNELS, ""));
    needs.push(Need::new("published weights and checkpoints", copies, "the sizes in agent.model"));
    Ok(needs)
}

/// What the run takes; refuses one that needs more than the `available` bytes, and says which settings to lower.
pub(super) fn check(
    program: &Program,
    config: &Config,
    plan: &Plan,
    available: u64,
) -> Result<Vec<Need>> {
    let needs = needs(program, config, plan)?;
    let Err(e) = memory::check(needs.clone(), available) else { return Ok(needs) };
    let mut text = e.to_string();
    if text.contains("agent.model") {
        text = format!("{text}; agent.model holds {}", sizes(config, "agent.model"));
    }
    let leaves = plan.spaces().observation.leaves("");
    let observation = leaves.iter().map(LeafSpec::cell_bytes).fold(0, usize::saturating_add);
    if observation >= LARGE_OBSERVATION {
        let bytes = memory::readable(observation as u64);
        text = format!("{text}; one observation takes {bytes}, from {}", sizes(config, "env"));
    }
    Err(anyhow!(text))
}

/// An error of the agent with the settings that it follows from: models know no names of settings.
pub(super) fn named(config: &Config, e: &AgentError) -> anyhow::Error {
    anyhow!("the agent cannot be built: {e} (agent.model holds {})", sizes(config, "agent.model"))
}

/// The whole numbers, and lists of them, in one table of a configuration: `hidden = [64, 64], lstm = 32`.
fn sizes(config: &Config, table: &str) -> String {
    let whole = |v: &Value| match v {
        Value::Integer(_) => true,
        Value::Array(all) => all.iter().all(Value::is_integer),
        _ => false,
    };
    let document = Value::try_from(config).ok();
    let found = table.split('.').try_fold(document.as_ref(), |at, key| Some(at?.get(key)));
    let Some(Some(Value::Table(found))) = found else { return "no sizes".into() };
    let said = found.iter().filter(|(_, v)| whole(v)).map(|(k, v)| format!("{k} = {v}"));
    said.collect::<Vec<_>>().join(", ")
}
