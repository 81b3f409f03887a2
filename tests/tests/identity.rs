//! Every sampler, with any number of workers, as processes or threads, gives the same samples and trajectory informations as
//! the serial one, to the bit: bootstrap values, recurrent state and evaluations as well. So does every sampler with two slots,
//! where the samples of a batch are held while the next is collected and its weights are published meanwhile.
//!
//! By default combinations that contain every pair of settings ([`tests::pairwise`]). The full product, every combination:
//! `COLONY_FULL=1 cargo test -p tests --test identity`.
#![allow(missing_docs)]
use agents::pg::{CategoricalPgAgentConfig, GaussianPgAgentConfig, PgMlp};
use agents::{AgentFactory, MakeAgent};
use libtest_mimic::Failed;
use rlcore::envs::{CartPole, Catch, DictToy, Pendulum, TimeLimit};
use rlcore::seed::EvalSeries;
use rlcore::slice::ResetMode;
use rlcore::traj::TrajInfo;
use rlcore::{EnvFactory, GlobalSteps, MakeEnv};
use samplers::{Evaluation, HostKind, SamplerKind, Samples, Setup};
use tests::pairwise::{pairwise, product};
use tests::policies::{ByRow, GridPg, SlicePolicy, grid_dqn, grid_weights};
use tests::{Body, setups};

const BATCHES: usize = 50;

/// Everything that a sampler gave, one entry a batch.
#[derive(PartialEq)]
struct Record {
    parts: Vec<Vec<(String, Vec<u8>)>>,
    trajectories: Vec<Vec<TrajInfo>>,
    notes: Vec<Vec<(usize, String)>>,
    evaluation: Option<Evaluation>,
}

impl Record {
    fn add(&mut self, samples: &Samples) {
        self.parts.push(bytes(samples));
        self.trajectories.push(samples.trajectories());
        self.notes.push(samples.notes().to_vec());
    }
}

/// The weights of a batch: each acts with others than the one before.
fn weights_of(batch: usize, weights: &[f32]) -> Vec<f32> {
    let sign = if batch.is_multiple_of(2) { 1.0 } else { -1.0 };
    weights.iter().map(|w| sign * w).collect()
}

fn record(setup: &Setup, weights: &[f32], evaluate: bool) -> Result<Record, Failed> {
    let mut sampler = samplers::build(setup.clone())?;
    let mut out = Record { parts: vec![], trajectories: vec![], notes: vec![], evaluation: None };
    let batch = sampler.spec().steps() as u64;
    for i in 0..BATCHES {
        let now = GlobalSteps(i as u64 * batch);
        sampler.publisher().publish(&weights_of(i, weights))?;
        if evaluate && i == BATCHES / 2 {
            out.evaluation = Some(sampler.evaluate(EvalSeries::Training(3), 8, now)?);
        }
        out.add(&sampler.obtain_samples(now)?);
    }
    Ok(out)
}

/// As [`record`] with two slots: each batch is held, and looked at only when the next is complete. The next one's weights are
/// published while a batch is under way.
fn record_held(setup: &Setup, weights: &[f32], evaluate: bool) -> Result<Record, Failed> {
    let mut sampler = samplers::build(Setup { slots: 2, ..setup.clone() })?;
    let mut out = Record { parts: vec![], trajectories: vec![], notes: vec![], evaluation: None };
    let batch = sampler.spec().steps() as u64;
    let publisher = sampler.publisher();
    publisher.publish(&weights_of(0, weights))?;
    let mut held: Option<Samples> = None;
    for i in 0..BATCHES {
        let now = GlobalSteps(i as u64 * batch);
        if evaluate && i == BATCHES / 2 {
            out.evaluation = Some(sampler.evaluate(EvalSeries::Training(3), 8, now)?);
        }
        sampler.begin(now)?;
        publisher.publish(&weights_of(i + 1, weights))?;
        let samples = sampler.finish()?;
        if samples.weights_version() != i as u64 + 1 {
            return Err(format!("batch {i}: weights {}", samples.weights_version()).into());
        }
        held.iter().for_each(|before| out.add(before));
        held = Some(samples);
    }
    held.iter().for_each(|last| out.add(last));
    Ok(out)
}

fn bytes(samples: &Samples) -> Vec<(String, Vec<u8>)> {
    let columns = samples.columns();
    let mut out = Vec::new();
    for (part, tree) in columns.parts() {
        // Records and final observations beyond those of this batch are left over from earlier ones.
        if matches!(part, rlcore::block::Part::Trajectory | rlcore::block::Part::FinalObservation) {
            continue;
        }
        for (leaf, spec) in tree.specs().iter().enumerate() {
            let rows = (0..tree.rows()).flat_map(|row| tree.row_bytes(leaf, row).to_vec());
            out.push((spec.name.clone(), rows.collect()));
        }
    }
    let flags = &columns.flags;
    for column in 0..flags.columns() {
        let cut = |t: &usize| {
            let cell = flags.cell(*t, column);
            cell.u8(rlcore::block::flag::TRUNCATED)[0] != 0
                && cell.u8(rlcore::block::flag::TERMINATED)[0] == 0
        };
        let used = (0..flags.rows()).filter(cut).count();
        for slot in 0..used {
            for leaf in 0..columns.final_observation.specs().len() {
                let seen = columns.final_observation.cell(slot, column).bytes(leaf).to_vec();
                out.push((format!("final {column} {slot} {leaf}"), seen));
            }
        }
    }
    out
}

fn compare(want: &Record, got: &Record, who: &str) -> Result<(), Failed> {
    for (batch, (w, g)) in want.parts.iter().zip(&got.parts).enumerate() {
        for ((name, w), (other, g)) in w.iter().zip(g) {
            if name != other || w != g {
                return Err(format!("{who}: batch {batch}: {name} differs").into());
            }
        }
    }
    if want.trajectories != got.trajectories {
        return Err(format!("{who}: trajectory informations differ").into());
    }
    if want.notes != got.notes {
        return Err(format!("{who}: notes differ").into());
    }
    if got.evaluation.is_some() && want.evaluation != got.evaluation {
        return Err(format!("{who}: evaluations differ").into());
    }
    Ok(())
}

/// What acts. `Lstm` is the real agent with a real LSTM, row by row; `Grid` ones act on all rows at once.
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

/// Who collects.
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
// What stands first stands in more rows.
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
    fn pg<M: agents::pg::MakePgModel + Default>(model: M, of: Environment) -> AgentFactory {
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

/// Rows of one scene: the serial sampler first, then all others.
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
