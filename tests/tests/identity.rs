//! Serial and CPU samplers, with any number of workers, as processes or threads, give the same samples and trajectory
//! informations to the bit.
#![allow(missing_docs)]
use libtest_mimic::Failed;
use rlcore::envs::columns::ResetMode;
use rlcore::envs::{CartPole, Catch, DictToy};
use rlcore::traj::TrajInfo;
use samplers::{Evaluation, HostKind, SamplerKind, Setup};
use tests::policies::{SlicePolicy, grid_dqn, grid_weights};
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

fn record(setup: &Setup, weights: &[f32], evaluate: bool) -> Result<Record, Failed> {
    let mut sampler = samplers::build(setup.clone())?;
    let mut out = Record { parts: vec![], trajectories: vec![], notes: vec![], evaluation: None };
    let batch = sampler.spec().steps() as u64;
    sampler.publish(weights)?;
    for i in 0..BATCHES {
        if evaluate && i == BATCHES / 2 {
            out.evaluation = Some(sampler.evaluate(3, 8, i as u64 * batch)?);
        }
        let samples = sampler.obtain_samples(i as u64 * batch)?;
        out.parts.push(bytes(&samples));
        out.trajectories.push(samples.trajectories());
        out.notes.push(samples.notes().to_vec());
    }
    Ok(out)
}

fn bytes(samples: &samplers::Samples<'_>) -> Vec<(String, Vec<u8>)> {
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

fn identical(setup: &Setup) -> Result<(), Failed> {
    let weights = grid_weights(setups::weight_count(setup), 5);
    let want = record(setup, &weights, true)?;
    let episodes: usize = want.trajectories.iter().map(Vec::len).sum();
    if episodes == 0 && setup.config.t > 1 {
        return Err("no episode ended: the test shows nothing".into());
    }
    compare(&want, &record(setup, &weights, false)?, "serial without evaluation")?;
    for kind in [SamplerKind::Cpu, SamplerKind::Gpu, SamplerKind::Alternating] {
        for workers in 1..=4 {
            let other = setups::parallel(setup, kind, workers, HostKind::Process);
            let got = record(&other, &weights, workers % 2 == 0)?;
            compare(&want, &got, &format!("{kind:?}, {workers} processes"))?;
        }
        let threads = setups::parallel(setup, kind, 3, HostKind::Thread);
        compare(&want, &record(&threads, &weights, true)?, &format!("{kind:?}, 3 threads"))?;
    }
    Ok(())
}

fn cases() -> Vec<(String, Body)> {
    let mut cases: Vec<(String, Body)> = Vec::new();
    for t in [1, 20] {
        for reset in [ResetMode::AtOnce, ResetMode::Wait] {
            macro_rules! case {
                ($env:expr, $policy:expr) => {{
                    let setup = setups::serial(&$env, &$policy, t, reset);
                    let name =
                        format!("{}_{}_t{t}_{reset:?}", stringify!($env), stringify!($policy));
                    let name = name
                        .replace(" :: default()", "")
                        .replace("::default()", "")
                        .replace("()", "");
                    cases.push((name, Box::new(move || identical(&setup))));
                }};
            }
            let (cartpole, catch) = (CartPole { max_steps: 25 }, Catch::default());
            let dict_toy = rlcore::envs::TimeLimit { env: DictToy::default(), max_steps: 9 };
            case!(cartpole, SlicePolicy::default());
            case!(cartpole, grid_dqn());
            case!(catch, SlicePolicy::default());
            case!(catch, grid_dqn());
            case!(dict_toy, SlicePolicy::default());
            case!(dict_toy, grid_dqn());
        }
    }
    cases
}

fn main() -> std::process::ExitCode {
    if let Err(e) = rlcore::forkserver::init() {
        eprintln!("{e}");
        return std::process::ExitCode::FAILURE;
    }
    tests::main(cases())
}
