//! Factories, with which any process of this program builds environments: the settings are sent, the code is already there.
use crate::batch_spec::{EnvRank, split_columns};
use crate::env::{Env, EnvContext, EnvError, EnvSpaces, MakeEnv};
use crate::envs::columns::EnvColumns;
use crate::exact;
use crate::fnptr::Portable;
use crate::manifest::SharedMemory;
use crate::progress::Progress;
use crate::slice::{EnvSlice, Several, SliceError, Ticks};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::ops::Range;

/// The columns of a slice, and the memory that they lie in.
#[derive(Clone, Debug, Default)]
pub struct SlicePlace {
    /// The columns of the block that belong to the slice.
    pub columns: Range<usize>,
    /// The segment that the block lies in, for programs that map it; `None` if the rows are private memory of this process.
    pub memory: Option<SharedMemory>,
}

impl SlicePlace {
    /// The place of the columns `part`, counted from the first column of this place.
    #[must_use]
    pub fn part(&self, part: &Range<usize>) -> Self {
        let first = self.columns.start;
        Self { columns: first + part.start..first + part.end, memory: self.memory.clone() }
    }
}

/// Settings that build a slice of columns: see [`crate::slice`]. To build one environment at a time implement [`MakeEnv`] instead.
pub trait MakeSlice: Serialize + DeserializeOwned + Send + 'static {
    /// Most columns of one slice, at least 1. A worker with more columns has several slices, which step at the same time.
    fn most_columns(&self) -> usize {
        usize::MAX
    }

    /// Spaces of each environment. Called once, before memory is laid out.
    fn spaces(&self) -> Result<EnvSpaces, EnvError>;

    /// Builds the environments of these contexts, in this order. Ticks the column of each environment before constructing it, so that
    /// many slow constructors are not mistaken for a stalled one. The environments are seeded afterwards.
    fn make(
        &self,
        contexts: &[EnvContext],
        place: &SlicePlace,
        ticks: Ticks<'_>,
    ) -> Result<Box<dyn EnvSlice>, SliceError>;
}

/// What a factory's function is to build.
enum Wanted {
    Spaces,
    Slice(Vec<EnvContext>, SlicePlace),
}

/// What a factory's function has built.
enum Built {
    Spaces(EnvSpaces),
    Slice(Box<dyn EnvSlice>),
}

type Build = fn(&[u8], &Wanted, &Progress) -> Result<Built, SliceError>;

/// Builds slices of environments in any process of this program. Two factories are equal if they have the same type of settings with the
/// same values.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvFactory {
    build: Portable<Build>,
    settings: Vec<u8>,
    /// Made from [`MakeSlice`] settings: its columns need doors.
    has_doors: bool,
}

impl EnvFactory {
    /// A factory for environments with these settings.
    pub fn new<M: MakeEnv>(settings: &M) -> Result<Self, EnvError> {
        Ok(Self { build: Portable::new(envs::<M>), settings: sent(settings)?, has_doors: false })
    }

    /// A factory for slices with these settings.
    pub fn slice<M: MakeSlice>(settings: &M) -> Result<Self, EnvError> {
        Ok(Self { build: Portable::new(slices::<M>), settings: sent(settings)?, has_doors: true })
    }

    /// Number of doors ([`crate::door`]) in the segment of a block with `columns` columns.
    pub fn doors(&self, columns: usize) -> usize {
        if self.has_doors { columns } else { 0 }
    }

    /// Builds one environment per context, in this order, as one slice or as several side by side.
    pub fn build(
        &self,
        contexts: &[EnvContext],
        place: &SlicePlace,
        progress: &Progress,
    ) -> Result<Box<dyn EnvSlice>, SliceError> {
        let wanted = Wanted::Slice(contexts.to_vec(), place.clone());
        match (self.build.get())(&self.settings, &wanted, progress)? {
            Built::Slice(slice) => Ok(slice),
            Built::Spaces(_) => unreachable!("a slice was ordered"),
        }
    }

    /// The spaces of an environment, from an example if the settings cannot tell.
    pub fn spaces(&self) -> Result<EnvSpaces, EnvError> {
        let progress = Progress::default();
        match (self.build.get())(&self.settings, &Wanted::Spaces, &progress) {
            Ok(Built::Spaces(spaces)) => Ok(spaces),
            Ok(Built::Slice(_)) => unreachable!("spaces were ordered"),
            Err(e) => Err(e.error),
        }
    }
}

fn sent<M: Serialize>(settings: &M) -> Result<Vec<u8>, EnvError> {
    exact::to_bytes(settings).map_err(|e| {
        EnvError::new(format!("the environment's settings cannot be sent to a worker: {e}"))
    })
}

fn received<M: DeserializeOwned>(settings: &[u8]) -> Result<M, SliceError> {
    exact::from_bytes(settings).map_err(|e| {
        let text = format!("the environment's settings do not survive serialisation: {e}");
        SliceError::new(0, EnvError::new(text))
    })
}

fn envs<M: MakeEnv>(
    settings: &[u8],
    wanted: &Wanted,
    progress: &Progress,
) -> Result<Built, SliceError> {
    let settings: M = received(settings)?;
    let Wanted::Slice(contexts, _) = wanted else {
        let mut one = settings
            .make(&EnvContext { env_rank: EnvRank(0) })
            .map_err(|e| SliceError::new(0, e))?;
        let spaces = one.spaces();
        one.close();
        return Ok(Built::Spaces(spaces));
    };
    let mut envs = Vec::with_capacity(contexts.len());
    for (column, context) in contexts.iter().enumerate() {
        progress.tick(column);
        envs.push(settings.make(context).map_err(|e| SliceError::new(column, e))?);
    }
    Ok(Built::Slice(Box::new(EnvColumns::new(envs))))
}

fn slices<M: MakeSlice>(
    settings: &[u8],
    wanted: &Wanted,
    progress: &Progress,
) -> Result<Built, SliceError> {
    let settings: M = received(settings)?;
    let Wanted::Slice(contexts, place) = wanted else {
        return settings.spaces().map(Built::Spaces).map_err(|e| SliceError::new(0, e));
    };
    let n = contexts.len().div_ceil(settings.most_columns().max(1)).max(1);
    let mut parts = Vec::with_capacity(n);
    for columns in split_columns(contexts.len(), n) {
        let first = columns.start;
        let ticks = Ticks::new(progress).from_column(first);
        let slice = settings
            .make(&contexts[columns.clone()], &place.part(&columns), ticks)
            .map_err(|e| e.from_column(first))?;
        parts.push((columns, slice));
    }
    let slice = match <[_; 1]>::try_from(parts) {
        Ok([(_, only)]) => only,
        Err(parts) => Box::new(Several::new(parts)),
    };
    Ok(Built::Slice(slice))
}
