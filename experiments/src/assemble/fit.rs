//! An agent that does not fit its environment, and what does.
use super::{env_factory, spec};
use crate::config::Config;
use crate::program::Program;
use agents::AgentContext;
use anyhow::anyhow;
use rlcore::EnvSpaces;

/// What to change where an agent cannot act in the environment of its run; `cause`: why it cannot. None: other agents cannot
/// either, or this one can with other settings.
pub(super) fn other_agents(
    program: &Program,
    config: &Config,
    cause: &str,
) -> Option<anyhow::Error> {
    let env = env_factory(program, "env", &config.env, config.time_limit).ok()?;
    let spaces = env.spaces().ok()?;
    let fit = program.agents().map(|(name, _)| name);
    let fit: Vec<&str> = fit.filter(|name| acts(program, config, name, &spaces)).collect();
    if fit.is_empty() || fit.contains(&config.agent.kind.as_str()) {
        return None;
    }
    let mut changes: Vec<String> = Vec::new();
    for agent in fit {
        let algos = program.algos_for(agent);
        let set = match algos.as_slice() {
            [] => continue,
            all if all.contains(&config.algo.kind.as_str()) => String::new(),
            [one] => format!(" and algo.kind={one}"),
            [first, others @ ..] => {
                format!(" and algo.kind={first} (or {})", others.join(", "))
            }
        };
        changes.push(format!("set agent.kind={agent}{set}"));
    }
    let presets = program
        .presets()
        .iter()
        .filter(|p| program.preset_config(p).is_ok_and(|c| c.env.kind == config.env.kind));
    changes.extend(presets.map(|p| format!("start from the preset {}", p.name)).take(3));
    Some(anyhow!(
        "agent.kind = \"{}\" does not fit env.kind = \"{}\": {cause}; {}",
        config.agent.kind,
        config.env.kind,
        changes.join(", or ")
    ))
}

/// Whether the agent of this name, with its default settings, acts in an environment with these spaces.
fn acts(program: &Program, config: &Config, agent: &str, spaces: &EnvSpaces) -> bool {
    let context = AgentContext {
        spaces: spaces.clone(),
        global_b: spec(config).b,
        local: (rlcore::EnvRank(0), spec(config).b),
        device: "cpu".into(),
    };
    program.agent_defaults(agent).is_ok_and(|factory| factory.outline(&context).is_ok())
}
