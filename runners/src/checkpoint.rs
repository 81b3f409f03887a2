//! Writes and reads a run's checkpoint: the states of the runner, the sampler and the algorithm, and the model's weights under
//! their PyTorch names.
use crate::config::RunnerConfig;
use crate::error::RunError;
use crate::journal::Stop;
use crate::record::Record;
use algos::{Algo, AlgoError, Restored, SaveScope};
use rlcore::checkpoint::{CheckpointReader, CheckpointWriter, Prefixed};
use samplers::{Sampler, SamplerState, SavedSampler};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Name of the file within a checkpoint that holds the weights, under the names that `torch.nn.Module.load_state_dict` expects.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// The circumstances that the last bits of a result depend on. A resumed run prints a note where they differ from those of its
/// checkpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Build {
    pub(crate) version: String,
    pub(crate) threads: usize,
    pub(crate) cpu: String,
    /// The kind of sampler and its number of workers ([`Sampler::arrangement`]).
    pub(crate) sampler: String,
}

impl Build {
    pub(crate) fn this(threads: usize, sampler: &dyn Sampler) -> Self {
        let cpu = rlcore::run_dir::Machine::this().cpu;
        let (version, sampler) = (rlcore::run_dir::binary_version(), sampler.arrangement());
        Self { version, threads, cpu, sampler }
    }
}

impl Build {
    /// The notes to print when a run continues under `now` from a checkpoint that was written under `self`.
    pub(crate) fn differs_from(&self, now: &Self) -> Vec<String> {
        let mut notes = Vec::new();
        let of = |b: &Self| (b.version.clone(), b.threads, b.cpu.clone());
        if of(self) != of(now) {
            notes.push(format!(
                "note: the checkpoint was written by version {} with {} threads on {:?}, this is version {} with {} threads on {:?}: results may differ in the last bits",
                self.version, self.threads, self.cpu, now.version, now.threads, now.cpu
            ));
        }
        if self.sampler != now.sampler {
            notes.push(format!(
                "note: the checkpoint was written under a {}, this is a {}: libtorch rounds a row of a network by the batch that it stands in, so results may differ in the last bits",
                self.sampler, now.sampler
            ));
        }
        notes
    }
}

/// Whether the algorithm has a replay, which means that a checkpoint can omit it.
pub(crate) fn has_replay(algo: &dyn Algo) -> Result<bool, RunError> {
    let count = |scope| match algo.save(scope) {
        Ok(saved) => Ok(saved.arrays.len()),
        Err(error) => Err(RunError::Algo { error: Box::new(error), checkpoint: None }),
    };
    Ok(count(SaveScope::Everything)? > count(SaveScope::WithoutReplay)?)
}

pub(crate) fn save(
    dir: &Path,
    record: &Record,
    sampler: SamplerState,
    algo: &dyn Algo,
    scope: SaveScope,
    build: &Build,
) -> Result<(), RunError> {
    let failed = |error| RunError::Algo { error: Box::new(error), checkpoint: None };
    let saved = algo.save(scope).map_err(failed)?;
    let mut writer = CheckpointWriter::new();
    if scope == SaveScope::WithoutReplay {
        writer.lacks_replay();
    }
    writer.value("record", record)?;
    let (sampler, arrays) = sampler.into_saved()?;
    writer.value("sampler", &sampler)?;
    for a in arrays {
        writer.array(&format!("sampler/{}", a.name), a.dtype, &a.shape, a.bytes)?;
    }
    writer.value("build", build)?;
    writer.value("algo", &saved.values)?;
    for a in saved.arrays {
        writer.array(&format!("algo/{}", a.name), a.dtype, &a.shape, a.bytes)?;
    }
    let weights = algo.params().to_safetensors().map_err(|e| failed(AlgoError::Model(e)))?;
    writer.file(WEIGHTS_FILE, weights)?;
    Ok(writer.commit(dir)?)
}

pub(crate) struct Loaded {
    pub(crate) record: Record,
    pub(crate) sampler: SamplerState,
    pub(crate) build: Build,
    pub(crate) has_replay: bool,
}

/// Reads a checkpoint. The algorithm is changed last, after all files have been verified and everything else has been read.
pub(crate) fn load(dir: &Path, algo: &mut dyn Algo) -> Result<Loaded, RunError> {
    let reader = CheckpointReader::open(dir)?;
    reader.verify()?;
    let loaded = Loaded {
        record: reader.value("record")?,
        sampler: SamplerState::from_saved(
            reader.value::<SavedSampler>("sampler")?,
            &Prefixed::new(&reader, "sampler/"),
        )?,
        build: reader.value("build")?,
        has_replay: reader.has_replay(),
    };
    let arrays = Prefixed::new(&reader, "algo/");
    algo.load(&Restored { arrays: &arrays, values: reader.value("algo")? }).map_err(|error| {
        RunError::Algo { error: Box::new(error), checkpoint: Some(dir.to_owned()) }
    })?;
    Ok(loaded)
}

/// The bytes of a checkpoint's weights file ([`WEIGHTS_FILE`]).
pub fn weights(checkpoint: &Path) -> Result<Vec<u8>, RunError> {
    Ok(CheckpointReader::open(checkpoint)?.file(WEIGHTS_FILE)?)
}

/// How far a run had come at a checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Progress {
    /// Environment steps of all replicas.
    pub env_steps: u64,
    /// Seconds of all parts of the run, evaluation included.
    pub seconds: f64,
    /// Mean return: of the last evaluation, or of its confirmation where that held; without evaluation, of the last
    /// `runner.log_traj_window` training episodes. None before there is one.
    pub last_return: Option<f64>,
    /// The best evaluation up to here, and the name of its checkpoint, which is kept beside the newest.
    pub best: Option<(f64, String)>,
    /// Why a run with these settings ends here; none where it goes on.
    pub stop: Option<Stop>,
}

impl Progress {
    /// Reads a checkpoint of a run that has or shall have these settings.
    ///
    /// # Errors
    /// A checkpoint that is missing or damaged.
    pub fn at(checkpoint: &Path, config: &RunnerConfig) -> Result<Self, RunError> {
        let record: Record = CheckpointReader::open(checkpoint)?.value("record")?;
        let evaluated = record.trusted_return.or(record.last_return);
        Ok(Self {
            env_steps: record.env_steps.0,
            seconds: record.seconds,
            last_return: if config.evaluate { evaluated } else { record.recent_return() },
            stop: record.stop(config),
            best: record.best,
        })
    }
}
