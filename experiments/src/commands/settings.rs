//! `experiments show-config` and `experiments settings`.
use super::ConfigArgs;
use crate::program::Program;
use anyhow::Result;
use clap::Args;
use rlcore::config::Form;

const HEAD: &str = "\
# Every setting of a run. `train --config FILE` reads it back; a file may leave settings out. An optional setting that
# is \"none\" is unset.
";

/// Arguments of `show-config`: those of `train` that choose settings.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Seed of the run [default: the preset's, which is 0] (short for --set seed=...).
    #[arg(long)]
    seed: Option<u64>,
}

/// Prints the configuration that `train` would use, every setting under its documentation.
pub(super) fn show(args: &ShowArgs, program: &Program) -> Result<()> {
    let config = args.config.resolve(program, args.seed)?;
    crate::assemble::check(program, &config)?;
    let text = program.docs()?.commented(&program.write(&config)?);
    crate::say!("{HEAD}\n{}", text.trim_end());
    Ok(())
}

const TITLE: &str = "\
# Settings

Every setting of a run: its name, the values that it takes, its default, and what it is for. `experiments settings` prints this
page, with the parts of your own program where it is one.

A preset sets some of them: `experiments show-config <preset>` prints all settings of a preset, each under its description.
`--set key=value` changes one, `--config FILE` those that a TOML file names; what `show-config` prints is such a file. An
optional setting is unset with `--set key=none`, and with `key = \"none\"` in a file. `--set key=` brings back the default.

A table with a `kind` is a choice: the other settings of the table are those of the kind. A new environment starts from its own
defaults.
";

/// Prints the documentation of all settings as Markdown.
pub(super) fn document(program: &Program) -> Result<()> {
    crate::say!("{TITLE}{}", program.docs()?.markdown(2).trim_end());
    Ok(())
}
