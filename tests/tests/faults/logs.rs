//! Worker logs of environments that print: a resume that is refused leaves the run directory as it was, logs included.
use agents::model::QMlp;
use agents::{AgentFactory, DqnAgentConfig, EpsilonGreedy};
use algos::{Dqn, DqnConfig, LearnContext};
use libtest_mimic::Failed;
use rlcore::checkpoint::latest;
use rlcore::envs::{CartPole, CartPoleEnv};
use rlcore::run_dir::{Existing, RunDir};
use rlcore::slice::ResetMode;
use rlcore::{EnvContext, EnvError, GlobalSteps, MakeEnv};
use runners::{MinibatchRl, RunnerConfig};
use samplers::{HostKind, Sampler, SamplerKind};
use std::path::Path;
use tests::tree::{tree, unchanged};
use tests::{Body, setups};

/// CartPole whose constructor prints a line.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Printing {}

impl MakeEnv for Printing {
    type Env = CartPoleEnv;

    fn make(&self, context: &EnvContext) -> Result<CartPoleEnv, EnvError> {
        println!("constructed {}", context.env_rank.0);
        CartPole::default().make(context)
    }
}

/// A sampler with this many workers, and an algorithm whose network has this width.
fn parts(workers: usize, width: usize, logs: &Path) -> Result<(Box<dyn Sampler>, Dqn), Failed> {
    let model = QMlp { hidden: vec![width], ..Default::default() };
    let exploration = EpsilonGreedy::default();
    let agent = DqnAgentConfig { model: model.clone(), exploration };
    let mut setup = setups::serial(&Printing {}, &agent, 8, ResetMode::AtOnce);
    setup.agent = AgentFactory::new(&agent)?;
    setup.options = rlcore::block::BlockOptions::default();
    setup.worker_logs = Some(logs.to_owned());
    let setup = setups::parallel(&setup, SamplerKind::Cpu, workers, HostKind::Process);
    let sampler = samplers::build(setup)?;
    let config = DqnConfig { replay_size: 800, min_steps_learn: 1000, ..Default::default() };
    let context = LearnContext::new(sampler.spaces(), sampler.spec(), GlobalSteps(160), 7);
    let replay = config.uniform_replay(&context)?;
    let algo = Dqn::new(config, &model, replay, &context)?;
    Ok((sampler, algo))
}

/// Broken by logs that keep what the workers of the refused resume printed, and by a log of a worker that the run did not have.
fn refused() -> Result<(), Failed> {
    let temp = tempfile::tempdir()?;
    let root = temp.path().join("run");
    let config = RunnerConfig { n_steps: 160, log_interval_steps: 80, ..Default::default() };
    let dir = RunDir::create(&root, Existing::Refuse)?;
    dir.write_config("")?;
    let (sampler, algo) = parts(2, 8, &dir.workers())?;
    MinibatchRl::new(config.clone(), sampler, Box::new(algo), dir)?.run()?;
    let log = std::fs::read_to_string(root.join("workers/worker_0.log"))?;
    if !log.contains("constructed 0") {
        return Err(format!("the log of worker 0 is {log:?}").into());
    }
    let checkpoint = latest(&root.join("checkpoints"))?.ok_or("no checkpoint")?;
    let before = tree(&root);
    let dir = RunDir::resume(&root)?;
    let (sampler, algo) = parts(3, 9, &dir.workers())?;
    let resumed = MinibatchRl::resume(config, sampler, Box::new(algo), dir, &checkpoint);
    let Err(error) = resumed else { return Err("another width was not refused".into()) };
    if !error.to_string().contains("online") {
        return Err(format!("refused for another reason: {error}").into());
    }
    unchanged(&root, &before, "a refused resume with environments that print");
    Ok(())
}

pub(crate) fn tests() -> Vec<(String, Body)> {
    vec![("logs::refused_resume".into(), Box::new(refused))]
}
