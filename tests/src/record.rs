//! Records everything that a sampler returns, to compare it with another sampler's to the bit.
use libtest_mimic::Failed;
use rlcore::GlobalSteps;
use rlcore::block::{Part, flag};
use rlcore::seed::EvalSeries;
use rlcore::traj::TrajInfo;
use samplers::{Evaluation, Samples, Setup};

const BATCHES: usize = 50;

/// Everything that a sampler returned, one entry per batch.
#[derive(Debug, PartialEq)]
pub struct Record {
    parts: Vec<Vec<(String, Vec<u8>)>>,
    /// Trajectory informations of each batch.
    pub trajectories: Vec<Vec<TrajInfo>>,
    /// Notes of each batch, with the env rank of their environment.
    pub notes: Vec<Vec<(usize, String)>>,
    evaluation: Option<Evaluation>,
}

impl Record {
    fn add(&mut self, samples: &Samples) {
        self.parts.push(bytes(samples));
        self.trajectories.push(samples.trajectories());
        self.notes.push(samples.notes().to_vec());
    }
}

/// The weights for a batch, different from those for the previous batch.
fn weights_of(batch: usize, weights: &[f32]) -> Vec<f32> {
    let sign = if batch.is_multiple_of(2) { 1.0 } else { -1.0 };
    weights.iter().map(|w| sign * w).collect()
}

/// Collects `BATCHES` batches, with an evaluation halfway if `evaluate` is set.
pub fn record(setup: &Setup, weights: &[f32], evaluate: bool) -> Result<Record, Failed> {
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

/// As [`record`], with two slots: each batch is held and read only after the next is complete, and the weights for the next batch
/// are published while a batch is under way.
pub fn record_held(setup: &Setup, weights: &[f32], evaluate: bool) -> Result<Record, Failed> {
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
        if let Some(before) = &held {
            out.add(before);
        }
        held = Some(samples);
    }
    if let Some(last) = &held {
        out.add(last);
    }
    Ok(out)
}

/// Name and bytes of every leaf of a batch.
pub fn bytes(samples: &Samples) -> Vec<(String, Vec<u8>)> {
    let columns = samples.columns();
    let mut out = Vec::new();
    for (part, tree) in columns.parts() {
        // Records and final observations beyond those of this batch are left over from earlier ones.
        if matches!(part, Part::Trajectory | Part::FinalObservation) {
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
            cell.u8(flag::TRUNCATED)[0] != 0 && cell.u8(flag::TERMINATED)[0] == 0
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

/// Compares two records; `got` may lack the evaluation.
///
/// # Errors
/// The first difference.
pub fn compare(want: &Record, got: &Record, who: &str) -> Result<(), Failed> {
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
