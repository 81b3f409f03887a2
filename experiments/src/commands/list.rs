//! `experiments list`.
use crate::program::Program;
use anyhow::Result;
use rlcore::config::Docs;

type Line<'a> = (&'a str, &'a str);

/// Settings that change any environment.
const WRAPPERS: [&str; 1] = ["time_limit"];

pub(super) fn run(program: &Program) -> Result<()> {
    let docs = program.docs()?;
    let presets: Vec<Line<'_>> = program.presets().iter().map(|p| (p.name, p.about)).collect();
    section("presets (train <preset>)", &presets);
    section("environments (--env <name>)", &program.environments().collect::<Vec<_>>());
    section("agents (--set agent.kind=<name>)", &program.agents().collect::<Vec<_>>());
    section("networks (--set agent.model.kind=<name>)", &networks(&docs));
    section("algorithms (--set algo.kind=<name>)", &program.algorithms().collect::<Vec<_>>());
    let samplers = docs.key("sampler", None).and_then(|d| d.key("kind", None));
    let samplers = samplers.map_or(&[][..], |kind| &kind.words);
    section("samplers (--sampler <name>)", &lines(samplers.iter().map(|(k, d)| (k, d))));
    let wrappers =
        WRAPPERS.iter().filter_map(|key| Some((*key, first(&docs.key(key, None)?.about))));
    section("wrappers (--set <name>=...)", &wrappers.collect::<Vec<_>>());
    Ok(())
}

/// The kinds of model of all agents, each once.
fn networks(docs: &Docs) -> Vec<Line<'_>> {
    let agents = docs.key("agent", None).map_or(&[][..], |agent| &agent.kinds);
    let models = agents.iter().filter_map(|(_, agent)| agent.key("model", None));
    let kinds = models.flat_map(|model| &model.kinds).map(|(kind, docs)| (kind, &docs.about));
    let mut all: Vec<Line<'_>> = Vec::new();
    for line in lines(kinds) {
        if !all.iter().any(|(name, _)| *name == line.0) {
            all.push(line);
        }
    }
    all
}

fn lines<'a>(all: impl Iterator<Item = (&'a String, &'a String)>) -> Vec<Line<'a>> {
    all.map(|(name, about)| (name.as_str(), first(about))).collect()
}

/// The first sentence.
fn first(about: &str) -> &str {
    about.split_once(". ").map_or(about, |(first, _)| first).trim_end_matches('.')
}

fn section(title: &str, lines: &[Line<'_>]) {
    crate::say!("{title}");
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, about) in lines {
        crate::say!("  {name:<width$}  {about}");
    }
    crate::say!("");
}
