//! The whole command line, with what this crate has beside everything that is built in.
mod algo;
mod env;
mod model;

use agents::DqnAgentSettings;
use algo::OneStep;
use env::Reach;
use experiments::Program;
use experiments::config::Config;
use model::Towards;
use std::process::ExitCode;

fn main() -> ExitCode {
    Program::new()
        .environment::<Reach>("reach", "position and goal, each [2] f32, 4 actions: walk there")
        .renderer::<Reach>(|_, _| Ok(env::renderer()))
        .agent::<DqnAgentSettings<Towards>>("towards", "acts by values of the way to the goal")
        .algorithm::<OneStep>("one-step", "Q-learning from each batch, without a replay")
        .preset("reach-one-step", "one-step Q-learning walks to the goal (0.8 of 1)", preset)
        .main()
}

fn preset() -> Config<Reach, DqnAgentSettings<Towards>, OneStep> {
    let mut config = Config::default();
    (config.sampler.t, config.sampler.b) = (16, 16);
    (config.runner.n_steps, config.runner.log_interval_steps) = (200_000, 10_000);
    config.runner.stop_return = Some(0.8);
    config
}
