//! Every sampler, with any number of workers, as processes or threads, gives the same samples and trajectory informations as the
//! serial sampler to the bit, including bootstrap values, recurrent state and evaluations. So does every sampler with two slots, whose
//! batches are held while the next is collected and weights are published.
//!
//! By default, combinations that contain every pair of settings are tested ([`tests::pairwise`]). All combinations:
//! `COLONY_FULL=1 cargo test -p tests --test identity`.
#![allow(missing_docs)]
use agents::pg::{CategoricalPgAgentConfig, GaussianPgAgentConfig, PgMlp};
use agents::{AgentFactory, MakeAgent};
use libtest_mimic::Failed;
use rlcore::envs::{CartPole, Catch, DictToy, Pendulum, TimeLimit};
use rlcore::slice::ResetMode;
use rlcore::{EnvFactory, MakeEnv};
use samplers::{HostKind, SamplerKind, Setup};
use tests::pairwise::{pairwise, product};
use tests::policies::{ByRow, GridPg, SlicePolicy, grid_dqn, grid_weights};
use tests::record::{compare, record, record_held};
use tests::{Body, setups};

/// The agent. `Lstm` is the real agent with a real LSTM, evaluated row by row; the `Grid` agents act on all rows at once.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Policy {
    Slice,
    GridDqn,
    GridPg,
    GridMemory,
    Lstm,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Environment {
    CartPole,
    Catch,
    DictToy,
    Pendulum,
}

/// The kind of sampler.
#[derive(Clone, Copy, Debug)]
enum Arrangement {
    Cpu,
    Gpu,
    Alternating,
    AlternatingInTurn,
}

const ENVIRONMENTS: [Environment; 4] =
    [Environment::CartPole, Environment::Catch, Environment::DictToy, Environment::Pendulum];
const POLICIES: [Policy; 5] =
    [Policy::Slice, Policy::GridDqn, Policy::GridPg, Policy::GridMemory, Policy::Lstm];
const RESETS: [ResetMode; 2] = [ResetMode::AtOnce, ResetMode::Wait];
// The first value of each axis appears in more of the combinations.
const STEPS: [usize; 2] = [20, 1];
const ARRANGEMENTS: [Arrangement; 4] =
    [Arrangement::Cpu, Arrangement::Gpu, Arrangement::Alternating, Arrangement::AlternatingInTurn];
const WORKERS: [usize; 4] = [1, 2, 3, 4];
const HOSTS: [HostKind; 2] = [HostKind::Process, HostKind::Thread];

const SIZES: [usize; 7] = [
    ENVIRONMENTS.len(),
    POLICIES.len(),
    RESETS.len(),
    STEPS.len(),
    ARRANGEMENTS.len(),
    WORKERS.len(),
    HOSTS.len(),
];

/// There are no Q values of a continuous action.
fn valid(row: &[usize]) -> bool {
    ENVIRONMENTS[row[0]] != Environment::Pendulum || POLICIES[row[1]] != Policy::GridDqn
}

/// Episodes end in some columns of a batch of 20 and not in others: by themselves, cut off, and as lost lives.
fn environment(which: Environment) -> EnvFactory {
    fn factory(env: &impl MakeEnv) -> EnvFactory {
        EnvFactory::new(env).expect("it serialises")
    }
    match which {
        Environment::CartPole => factory(&CartPole { max_steps: 25 }),
        Environment::Catch => factory(&Catch::default()),
        Environment::DictToy => factory(&TimeLimit { env: DictToy::default(), max_steps: 9 }),
        Environment::Pendulum => factory(&Pendulum { max_steps: 13 }),
    }
}

fn policy(which: Policy, of: Environment) -> AgentFactory {
    fn factory(agent: &impl MakeAgent) -> AgentFactory {
        AgentFactory::new(agent).expect("it serialises")
    }
    fn pg<M: agents::pg::MakePgModel + rlcore::config::Settings + Default>(
        model: M,
        of: Environment,
    ) -> AgentFactory {
        if of == Environment::Pendulum {
            factory(&GaussianPgAgentConfig { model, ..Default::default() })
        } else {
            factory(&CategoricalPgAgentConfig { model, ..Default::default() })
        }
    }
    match which {
        Policy::Slice => factory(&SlicePolicy::default()),
        Policy::GridDqn => factory(&grid_dqn()),
        Policy::GridPg => pg(GridPg { memory: 0 }, of),
        Policy::GridMemory => pg(GridPg { memory: 8 }, of),
        Policy::Lstm => {
            pg(ByRow { model: PgMlp { hidden: vec![8], lstm: Some(8), ..PgMlp::default() } }, of)
        }
    }
}

fn scene(row: &[usize]) -> Setup {
    let (env, which) = (ENVIRONMENTS[row[0]], POLICIES[row[1]]);
    let (reset, t) = (RESETS[row[2]], STEPS[row[3]]);
    let mut setup = setups::serial(&CartPole::default(), &SlicePolicy::default(), t, reset);
    setup.env = environment(env);
    setup.eval = setup.eval.map(|(_, config)| (environment(env), config));
    setup.agent = policy(which, env);
    setup
}

fn arranged(scene: &Setup, row: &[usize]) -> (Setup, String, bool) {
    let (how, workers, host) = (ARRANGEMENTS[row[4]], WORKERS[row[5]], HOSTS[row[6]]);
    let kind = match how {
        Arrangement::Cpu => SamplerKind::Cpu,
        Arrangement::Gpu => SamplerKind::Gpu,
        Arrangement::Alternating | Arrangement::AlternatingInTurn => SamplerKind::Alternating,
    };
    let mut setup = setups::parallel(scene, kind, workers, host);
    setup.config.overlap = !matches!(how, Arrangement::AlternatingInTurn);
    let evaluate = (row[4] + row[5]).is_multiple_of(2);
    (setup, format!("{how:?}, {workers} workers, each a {host:?}"), evaluate)
}

/// Compares the samplers of one scene (environment, policy, reset, T): all others with the serial sampler.
fn identical(rows: &[Vec<usize>]) -> Result<(), Failed> {
    let setup = scene(&rows[0]);
    let weights = grid_weights(setups::weight_count(&setup), 5);
    let want = record(&setup, &weights, true)?;
    let episodes: usize = want.trajectories.iter().map(Vec::len).sum();
    if episodes == 0 {
        return Err("no episode ended: the test shows nothing".into());
    }
    compare(&want, &record(&setup, &weights, false)?, "serial without evaluation")?;
    compare(&want, &record_held(&setup, &weights, true)?, "serial, two slots")?;
    for row in rows {
        let (other, who, evaluate) = arranged(&setup, row);
        compare(&want, &record(&other, &weights, evaluate)?, &who)?;
        compare(&want, &record_held(&other, &weights, evaluate)?, &format!("{who}, two slots"))?;
    }
    Ok(())
}

fn cases(full: bool) -> Vec<(String, Body)> {
    let all = product(&SIZES, valid);
    let mut rows = if full { all } else { pairwise(&all) };
    rows.sort();
    let scenes = rows.chunk_by(|a, b| a[..4] == b[..4]);
    let case = |rows: &[Vec<usize>]| -> (String, Body) {
        let (env, policy) = (ENVIRONMENTS[rows[0][0]], POLICIES[rows[0][1]]);
        let (reset, t) = (RESETS[rows[0][2]], STEPS[rows[0][3]]);
        let rows = rows.to_vec();
        let name = format!("{env:?}_{policy:?}_t{t}_{reset:?}_{}_ways", rows.len());
        (name, Box::new(move || identical(&rows)))
    };
    scenes.map(case).collect()
}

fn main() -> std::process::ExitCode {
    if let Err(e) = rlcore::forkserver::init() {
        eprintln!("{e}");
        return std::process::ExitCode::FAILURE;
    }
    tests::main(cases(std::env::var_os("COLONY_FULL").is_some()))
}
