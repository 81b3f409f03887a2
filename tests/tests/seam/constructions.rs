//! Every environment is constructed exactly as often as it is needed: once for each column, once for each environment of the
//! evaluation, and once for an example, from which the memory is laid out.
use agents::RandomAgentConfig;
use libtest_mimic::Failed;
use rlcore::block::BlockOptions;
use rlcore::envs::{CartPole, CartPoleEnv};
use rlcore::seed::EvalSeries;
use rlcore::slice::ResetMode;
use rlcore::{EnvContext, EnvError, EnvFactory, GlobalSteps, MakeEnv};
use samplers::{HostKind, SamplerKind, Setup};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::{Body, setups};

/// CartPole that appends a line to a file whenever it is constructed, in any process.
#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct Counted {
    file: PathBuf,
    max_steps: usize,
}

impl MakeEnv for Counted {
    type Env = CartPoleEnv;

    fn make(&self, context: &EnvContext) -> Result<CartPoleEnv, EnvError> {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(&self.file);
        let line = format!("{}\n", context.env_rank.0);
        let written = file.and_then(|mut f| f.write_all(line.as_bytes()));
        written.map_err(|e| EnvError::new(e.to_string()))?;
        CartPole { max_steps: self.max_steps }.make(context)
    }
}

/// Env ranks of the environments constructed since the last call, in ascending order.
fn constructed(file: &Path) -> Result<Vec<usize>, Failed> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    if file.exists() {
        std::fs::remove_file(file)?;
    }
    let mut ranks = text.lines().map(str::parse).collect::<Result<Vec<usize>, _>>()?;
    ranks.sort_unstable();
    Ok(ranks)
}

/// The environment of the evaluation.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Evaluated {
    Nothing,
    /// The training environment.
    Same,
    /// The training environment with another time limit.
    Another,
}

fn counted(
    kind: SamplerKind,
    workers: usize,
    host: HostKind,
    eval: Evaluated,
) -> Result<(), Failed> {
    let dir = tempfile::tempdir()?;
    let env = Counted { file: dir.path().join("constructed"), max_steps: 20 };
    let serial = setups::serial(&env, &RandomAgentConfig::default(), 8, ResetMode::AtOnce);
    let mut setup = match kind {
        SamplerKind::Serial => serial,
        _ => setups::parallel(&serial, kind, workers, host),
    };
    let other = EnvFactory::new(&Counted { max_steps: 30, ..env.clone() })?;
    setup.options = BlockOptions::default();
    setup.eval = match (eval, setup.eval.take()) {
        (Evaluated::Nothing, _) | (_, None) => None,
        (Evaluated::Same, config) => config,
        (Evaluated::Another, Some((_, config))) => Some((other, config)),
    };
    let (b, n) = (setup.config.b, setup.eval.as_ref().map_or(0, |(_, e)| e.n_envs));

    let plan = Setup::check(setup)?;
    let examples = if eval == Evaluated::Another { vec![0, 0] } else { vec![0] };
    equal("examples", &constructed(&env.file)?, &examples)?;

    let mut sampler = plan.build()?;
    sampler.obtain_samples(GlobalSteps(0))?;
    let mut all: Vec<usize> = (0..b).chain(0..n).collect();
    all.sort_unstable();
    equal("environments", &constructed(&env.file)?, &all)?;

    if n > 0 {
        sampler.evaluate(EvalSeries::Training(0), n, GlobalSteps(0))?;
    }
    let state = sampler.save()?;
    sampler.load(state)?;
    sampler.obtain_samples(GlobalSteps(0))?;
    drop(sampler);
    equal("environments after the start", &constructed(&env.file)?, &[])
}

/// CartPole with a slow constructor: each takes less than the time-out, all together take more.
#[derive(serde::Serialize, serde::Deserialize)]
struct SlowStart {}

impl MakeEnv for SlowStart {
    type Env = CartPoleEnv;

    fn make(&self, context: &EnvContext) -> Result<CartPoleEnv, EnvError> {
        std::thread::sleep(Duration::from_millis(150));
        CartPole::default().make(context)
    }
}

/// Broken by a progress word that does not change with every constructor: the run ends as stalled.
fn slow_start(kind: SamplerKind) -> Result<(), Failed> {
    let mut setup =
        setups::serial(&SlowStart {}, &RandomAgentConfig::default(), 8, ResetMode::AtOnce);
    setup.options = BlockOptions::default();
    setup.config.worker.step_timeout = 1.0;
    if kind != SamplerKind::Serial {
        setup = setups::parallel(&setup, kind, 1, HostKind::Process);
    }
    samplers::build(setup)?.obtain_samples(GlobalSteps(0))?;
    Ok(())
}

fn equal(what: &str, got: &[usize], want: &[usize]) -> Result<(), Failed> {
    if got == want {
        return Ok(());
    }
    Err(format!("{what}: env ranks {got:?} were constructed, not {want:?}").into())
}

pub(crate) fn cases() -> Vec<(String, Body)> {
    let mut cases: Vec<(String, Body)> = Vec::new();
    for eval in [Evaluated::Nothing, Evaluated::Same, Evaluated::Another] {
        for (kind, workers, host) in [
            (SamplerKind::Serial, 1, HostKind::Thread),
            (SamplerKind::Cpu, 3, HostKind::Process),
            (SamplerKind::Gpu, 2, HostKind::Thread),
            (SamplerKind::Gpu, 3, HostKind::Process),
            (SamplerKind::Alternating, 2, HostKind::Process),
        ] {
            let name = format!("constructed_{kind:?}_{host:?}_evaluating_{eval:?}").to_lowercase();
            cases.push((name, Box::new(move || counted(kind, workers, host, eval))));
        }
    }
    for kind in [SamplerKind::Serial, SamplerKind::Gpu] {
        let name = format!("slow_constructors_{kind:?}").to_lowercase();
        cases.push((name, Box::new(move || slow_start(kind))));
    }
    cases
}
