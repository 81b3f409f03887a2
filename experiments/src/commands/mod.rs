//! The command line.
mod arguments;
mod doctor;
mod eval;
mod export;
mod list;
mod plot;
mod resume;
pub(crate) mod saved_run;
mod seeds;
mod settings;
mod summary;
mod train;
mod watch;

use self::summary::quoted;
use crate::config::Config;
use crate::program::Program;
use anyhow::{Context, Result, bail};
use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use rlcore::config::Given;
use samplers::SamplerKind;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use toml::Value;

/// Train and measure reinforcement-learning agents: samplers in worker processes, learning on libtorch.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train an agent from a preset.
    Train(train::TrainArgs),
    /// Continue a run from its newest checkpoint.
    Resume(resume::ResumeArgs),
    /// Measure the agents of runs over fresh episodes.
    Eval(eval::EvalArgs),
    /// Draw learning curves of runs: mean and band over seeds, several configurations in one figure, as SVG and PNG.
    Plot(plot::PlotArgs),
    /// Play evaluation episodes of a run's agent and draw them: an animated GIF, and a sheet of frames as PNG.
    Watch(watch::WatchArgs),
    /// Write a run's policy as a Python file that runs it on PyTorch, and its weights.
    Export(export::ExportArgs),
    /// List presets, environments, agents, networks, algorithms, samplers and wrappers.
    List,
    /// Print every setting that `train` would use, each with its description, as TOML that `train --config` reads back.
    ShowConfig(settings::ShowArgs),
    /// Describe every setting, as Markdown.
    Settings,
    /// Check that this machine can run: libtorch, memory, worker processes, CUDA.
    Doctor,
    /// Measure speed on this machine.
    #[command(subcommand)]
    Bench(crate::bench::BenchCommand),
    /// One run of `train --jobs`, in its process.
    #[command(hide = true)]
    Job(seeds::JobArgs),
}

/// Where a configuration comes from: preset, then file, then settings, each over the one before.
#[derive(Clone, Debug, Args)]
pub struct ConfigArgs {
    /// Preset to start from; `experiments list` shows them. Not needed with a --config that says everything.
    preset: Option<String>,
    /// TOML file of settings that differ from the preset's, named as `show-config` prints them; without a preset, of all that the run
    /// needs, such as what `show-config` prints, or the config.toml of a run.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting, such as `algo.learning_rate=3e-4`; may be given several times. `show-config` prints all of them; `key=none`
    /// unsets an optional setting, `key=` brings back the default.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
    /// Another environment than the preset's, from its own defaults (short for --set env.kind=...); `list` shows them.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
    /// How samples are collected: serial, cpu, gpu or alternating (short for --set sampler.kind=...).
    #[arg(long)]
    sampler: Option<String>,
    /// Worker processes, where the sampler has any; 0 for one per CPU (short for --set sampler.worker.n=...).
    #[arg(long, value_name = "N")]
    workers: Option<u64>,
    /// Where to learn: cpu, cuda, cuda:1 (short for --set device=...).
    #[arg(long)]
    device: Option<String>,
}

impl ConfigArgs {
    fn resolve(&self, program: &Program, seed: Option<u64>) -> Result<Config> {
        let file = match &self.config {
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("--config {}", path.display()))?;
                Some((path, text))
            }
            None => None,
        };
        let mut given = match &self.env {
            Some(env) => program.env_given(env)?,
            None => Vec::new(),
        };
        given.extend(self.sets.iter().cloned().map(Given::Set));
        let text = |text: &Option<String>| text.clone().map(Value::String);
        let flags = [
            ("--sampler", "sampler.kind", text(&self.sampler)),
            ("--workers", "sampler.worker.n", whole("--workers", self.workers)?),
            ("--device", "device", text(&self.device)),
            ("--seed", "seed", whole("--seed", seed)?),
        ];
        for (flag, key, value) in flags {
            given.extend(value.map(|value| Given::flag(flag, key, value)));
        }
        let file = file.as_ref().map(|(path, text)| (path.as_path(), text.as_str()));
        let config = match (&self.preset, file) {
            (Some(name), file) => {
                program.resolve_given(&program.preset_named(name)?, file, &given)?
            }
            (None, Some((path, text))) => {
                let whole = program.read(path, text).with_context(|| {
                    format!(
                        "{} is given without a preset, and so has to say all that a run needs",
                        path.display()
                    )
                })?;
                program.resolve_given(&whole, None, &given)?
            }
            (None, None) => {
                let names: Vec<&str> = program.presets().iter().map(|p| p.name).collect();
                bail!("which experiment? give a preset ({}), or --config FILE", names.join(", "))
            }
        };
        if let (Some(n), SamplerKind::Serial) = (self.workers, config.sampler.kind) {
            bail!(
                "--workers {n}: the serial sampler has no workers; add --sampler cpu (or gpu, alternating), or leave --workers out"
            );
        }
        Ok(config)
    }

    /// What to call a run: by its preset, as long as it trains what the preset does, or else by its environment and algorithm.
    fn name(&self, program: &Program, config: &Config) -> Result<String> {
        if let Some(name) = &self.preset {
            let preset = program.preset_named(name)?;
            let kinds = |c: &Config| [&c.env, &c.agent, &c.algo].map(|s| s.kind.clone());
            let parts = |c: &Config| {
                let model = c.agent.settings.get("model").and_then(toml::Value::as_table);
                // An LSTM that is there or not, another kind of network.
                model.map(|m| (m.get("kind").cloned(), m.keys().cloned().collect::<Vec<_>>()))
            };
            if kinds(&preset) == kinds(config) && parts(&preset) == parts(config) {
                return Ok(name.clone());
            }
        }
        Ok(format!("{}-{}", config.env.kind, config.algo.kind))
    }

    /// The arguments that choose these settings, as they can be given again; the seed is not among them.
    fn given(&self) -> String {
        let mut all: Vec<String> = self.preset.iter().map(|p| quoted(p)).collect();
        let mut option = |name: &str, value: Option<String>| {
            all.extend(value.map(|v| format!("--{name} {}", quoted(&v))));
        };
        option("config", self.config.as_ref().map(|p| p.display().to_string()));
        option("env", self.env.clone());
        for set in &self.sets {
            option("set", Some(set.clone()));
        }
        option("sampler", self.sampler.clone());
        option("workers", self.workers.map(|n| n.to_string()));
        option("device", self.device.clone());
        all.join(" ")
    }
}

fn whole(flag: &str, value: Option<u64>) -> Result<Option<Value>> {
    let fits = |n| i64::try_from(n).with_context(|| format!("{flag} {n}: at most {}", i64::MAX));
    value.map(|n| Ok(Value::Integer(fits(n)?))).transpose()
}

/// Runs the command that the process was called with; the value is the exit code.
pub(crate) fn run(program: &Program) -> Result<i32> {
    let name = std::env::args().next().unwrap_or_else(|| "experiments".into());
    let name = Path::new(&name).file_name().map_or(name.clone(), |n| n.to_string_lossy().into());
    let first = program.presets().first().map_or("<preset>", |p| p.name);
    let start = format!("Start with: {name} train {first}\n            {name} list");
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let matches = Cli::command().after_help(start).try_get_matches_from(&arguments);
    let matches = matches.unwrap_or_else(|e| arguments::explained(program, &arguments, e).exit());
    Cli::from_arg_matches(&matches).unwrap_or_else(|e| e.exit()).run(program)
}

impl Cli {
    /// The value is the exit code.
    fn run(self, program: &Program) -> Result<i32> {
        match self.command {
            Command::Train(args) => args.run(program),
            Command::Resume(args) => args.run(program),
            Command::Eval(args) => args.run(program).map(|()| 0),
            Command::Plot(args) => args.run().map(|()| 0),
            Command::Watch(args) => args.run(program).map(|()| 0),
            Command::Export(args) => args.run(program).map(|()| 0),
            Command::List => list::run(program).map(|()| 0),
            Command::ShowConfig(args) => settings::show(&args, program).map(|()| 0),
            Command::Settings => settings::document(program).map(|()| 0),
            Command::Doctor => Ok(doctor::run()),
            Command::Bench(command) => command.run().map(|()| 0),
            Command::Job(_) => seeds::JobArgs::run(program),
        }
    }
}
