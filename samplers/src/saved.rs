//! The state of a sampler in a checkpoint: bytes as arrays, the rest as values.
//!
//! Observations, recurrent states and the saved states of environments are bytes, kilobytes to megabytes per column; as JSON they
//! would take ten times their size. The rest is a few numbers per column.
use crate::error::SamplerError;
use crate::state::{ActState, ColumnState, EnvState, SamplerState};
use rlcore::DType;
use rlcore::checkpoint::{ArraySource, CheckpointError, NamedArray};
use rlcore::seed::Rng;
use rlcore::traj::Trackers;
use serde::{Deserialize, Serialize};

/// A [`SamplerState`] without its arrays.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SavedSampler {
    columns: Vec<SavedColumn>,
}

/// Numbers of one column.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct SavedColumn {
    /// Number of bytes of the environment's saved state; `None` if it cannot save its state.
    env: Option<usize>,
    prev_reward: f32,
    fresh: u8,
    to_reset: u8,
    tracker: Trackers,
    rng: Rng,
}

/// The parts of a column that are stored leaf by leaf, with the names of their arrays.
type Part = (&'static str, fn(&mut ColumnState) -> &mut Vec<Vec<u8>>);

const PARTS: [Part; 3] = [
    ("observation", |c| &mut c.env.observation),
    ("prev_action", |c| &mut c.env.prev_action),
    ("agent_state", |c| &mut c.act.state),
];

impl SamplerState {
    /// Arrays `observation/<leaf>`, `prev_action/<leaf>` and `agent_state/<leaf>`, `[B, bytes] u8`; `env`, `[bytes] u8`, the
    /// environments' own states one after another; and the rest.
    ///
    /// # Errors
    /// Columns that differ in their leaves.
    pub fn into_saved(mut self) -> Result<(SavedSampler, Vec<NamedArray<'static>>), SamplerError> {
        let mut arrays = Vec::new();
        for (part, leaves) in PARTS {
            let first = self.columns.first_mut().map(leaves);
            let widths: Vec<usize> = first.iter().flat_map(|l| l.iter().map(Vec::len)).collect();
            for column in &mut self.columns {
                if leaves(column).iter().map(Vec::len).ne(widths.iter().copied()) {
                    let what = format!("columns differ in the leaves of {part}");
                    return Err(SamplerError::State(what));
                }
            }
            for (leaf, width) in widths.into_iter().enumerate() {
                let bytes: Vec<u8> = self
                    .columns
                    .iter_mut()
                    .flat_map(|c| std::mem::take(&mut leaves(c)[leaf]))
                    .collect();
                arrays.push(array(&format!("{part}/{leaf}"), &[self.columns.len(), width], bytes));
            }
        }
        let mut env = Vec::new();
        let columns = self.columns.into_iter().map(|ColumnState { env: e, act }| {
            env.extend(e.env.iter().flatten());
            SavedColumn {
                env: e.env.map(|bytes| bytes.len()),
                prev_reward: e.prev_reward,
                fresh: e.fresh,
                to_reset: e.to_reset,
                tracker: e.tracker,
                rng: act.rng,
            }
        });
        let columns = columns.collect();
        arrays.push(array("env", &[env.len()], env));
        Ok((SavedSampler { columns }, arrays))
    }

    /// Puts the state together that [`SamplerState::into_saved`] took apart.
    ///
    /// # Errors
    /// Arrays that are missing, have another size or cannot be read.
    pub fn from_saved(
        saved: SavedSampler,
        arrays: &dyn ArraySource,
    ) -> Result<Self, CheckpointError> {
        let sizes = saved.columns.iter().filter_map(|c| c.env);
        let env = arrays.vec::<u8>("env", &[sizes.fold(0, usize::saturating_add)])?;
        let mut rest = env.as_slice();
        let mut take = |size: usize| {
            let (bytes, behind) = rest.split_at(size.min(rest.len()));
            rest = behind;
            bytes.to_vec()
        };
        let columns = saved.columns.into_iter().map(|c| {
            let (observation, prev_action) = (Vec::new(), Vec::new());
            let (env, prev_reward, fresh, to_reset, tracker) =
                (c.env.map(&mut take), c.prev_reward, c.fresh, c.to_reset, c.tracker);
            let env =
                EnvState { env, observation, prev_action, prev_reward, fresh, to_reset, tracker };
            ColumnState { env, act: ActState { state: Vec::new(), rng: c.rng } }
        });
        let mut columns: Vec<ColumnState> = columns.collect();
        for (part, leaves) in PARTS {
            for leaf in 0.. {
                let name = format!("{part}/{leaf}");
                let Some(info) = arrays.find(&name) else { break };
                let width = info.shape.get(1).copied().unwrap_or(0);
                let bytes = arrays.vec::<u8>(&name, &[columns.len(), width])?;
                for (i, column) in columns.iter_mut().enumerate() {
                    leaves(column).push(bytes[i * width..][..width].to_vec());
                }
            }
        }
        Ok(Self { columns })
    }
}

fn array(name: &str, shape: &[usize], bytes: Vec<u8>) -> NamedArray<'static> {
    let (name, shape) = (name.to_owned(), shape.to_owned());
    NamedArray { name, shape, dtype: DType::U8, bytes: bytes.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rlcore::{EnvSpaces, Space, seed};

    fn column(i: u8, own: Option<Vec<u8>>) -> ColumnState {
        wide_column(i, own, 8)
    }

    /// `width`: bytes of the first leaf of the observation.
    fn wide_column(i: u8, own: Option<Vec<u8>>, width: usize) -> ColumnState {
        let spaces = EnvSpaces::new(
            Space::uniform_box(DType::F32, &[2], 0.0, 1.0),
            Space::Discrete { n: 2 },
        );
        let env = EnvState {
            env: own,
            observation: vec![vec![i; width], vec![i + 1; 3]],
            prev_action: vec![vec![i + 2; 8]],
            prev_reward: f32::NAN,
            fresh: i,
            to_reset: 1,
            tracker: Trackers::new(1, 0.99, &spaces),
        };
        ColumnState { env, act: ActState { state: vec![], rng: seed::rng(i.into()) } }
    }

    #[test]
    fn a_state_comes_back_as_it_was() {
        let states = [Some(vec![7; 5]), None, Some(vec![]), Some(vec![9])];
        let columns = states.into_iter().zip(0..).map(|(own, i)| column(i, own)).collect();
        let state = SamplerState { columns };
        let want = format!("{state:?}");
        let (saved, arrays) = state.into_saved().unwrap();
        let shape = |name: &str| arrays.iter().find(|a| a.name == name).unwrap().shape.clone();
        assert_eq!((shape("observation/1"), shape("env")), (vec![4, 3], vec![6]));
        // Numbers per column, none per byte.
        let text = rlcore::exact::to_bytes(&saved).unwrap();
        let saved = rlcore::exact::from_bytes(&text).unwrap();
        let back = SamplerState::from_saved(saved, &arrays).unwrap();
        assert_eq!(format!("{back:?}"), want);
        assert!(!back.exact());
    }

    /// Broken by bytes that stay among the numbers: an image of 100 kB would take half a megabyte of JSON per column.
    #[test]
    fn the_numbers_take_the_same_room_whatever_the_bytes_take() {
        let numbers = |bytes: usize| {
            let column = |i| {
                let mut column = wide_column(i, Some(vec![7; bytes]), bytes);
                column.env.prev_action = vec![vec![1; bytes]];
                column.act.state = vec![vec![2; bytes]];
                column
            };
            let state = SamplerState { columns: vec![column(0), column(1)] };
            let (saved, arrays) = state.into_saved().unwrap();
            assert!(arrays.iter().map(|a| a.bytes.len()).sum::<usize>() > 8 * bytes);
            rlcore::exact::to_bytes(&saved).unwrap().len()
        };
        assert_eq!(numbers(100), numbers(999));
        assert!(numbers(100) < 4000, "{}", numbers(100));
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let two = || SamplerState { columns: vec![column(0, None), column(1, None)] };
        let (saved, arrays) = two().into_saved().unwrap();
        let less: Vec<_> = arrays.iter().filter(|a| a.name != "env").cloned().collect();
        assert!(SamplerState::from_saved(saved.clone(), &less).is_err());
        let mut other = arrays;
        other[0] = array("observation/0", &[1, 16], vec![0; 16]);
        assert!(SamplerState::from_saved(saved, &other).is_err());
        let mut state = two();
        state.columns[1].env.observation.pop();
        assert!(state.into_saved().unwrap_err().to_string().contains("leaves of observation"));
    }
}
