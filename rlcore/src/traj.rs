//! Trajectory information: the summary of a finished episode, with rlpyt's fields.
use crate::cells::{CellMut, Row};
use crate::env::{EnvSpaces, Reduce};
use serde::{Deserialize, Serialize};

/// One finished episode.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrajInfo {
    /// Time step of the batch at which it ended.
    pub t: usize,
    /// Env rank of the environment.
    pub env_rank: usize,
    /// Number of steps.
    pub length: f64,
    /// Sum of rewards.
    pub ret: f64,
    /// Number of steps with a reward other than zero.
    pub nonzero_rewards: f64,
    /// Sum of rewards discounted from the episode's start.
    pub discounted_return: f64,
    /// The environment's own fields, named by [`user_fields`].
    pub user: Vec<f64>,
}

/// Number of values of a trajectory before the environment's own fields.
pub const FIXED_FIELDS: usize = 4;

/// Names of the environment's own trajectory fields, with the info leaf and the reduction of each.
pub fn user_fields(spaces: &EnvSpaces) -> Vec<(String, usize, Reduce)> {
    let logged = spaces.info.iter().enumerate().filter(|(_, i)| i.log != Reduce::None);
    logged.map(|(leaf, i)| (i.spec.name.clone(), leaf, i.log)).collect()
}

impl TrajInfo {
    /// Reads a record of [`Trackers::finish`].
    pub fn from_record(t: usize, env_rank: usize, record: &[f64]) -> Self {
        let [length, ret, nonzero_rewards, discounted_return] =
            [record[0], record[1], record[2], record[3]];
        Self {
            t,
            env_rank,
            length,
            ret,
            nonzero_rewards,
            discounted_return,
            user: record[FIXED_FIELDS..].to_vec(),
        }
    }

    /// Names and values, rlpyt's names first.
    pub fn fields<'a>(&self, user: &'a [String]) -> Vec<(&'a str, f64)> {
        let fixed = [
            ("Length", self.length),
            ("Return", self.ret),
            ("NonzeroRewards", self.nonzero_rewards),
            ("DiscountedReturn", self.discounted_return),
        ];
        fixed
            .into_iter()
            .chain(user.iter().map(String::as_str).zip(self.user.iter().copied()))
            .collect()
    }
}

/// Running sums of the unfinished episodes of a slice, one entry per column in each array.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trackers {
    discount: f64,
    length: Vec<f64>,
    ret: Vec<f64>,
    nonzero: Vec<f64>,
    discounted: Vec<f64>,
    weight: Vec<f64>,
    user: Vec<(usize, Reduce, Vec<f64>)>,
}

impl Trackers {
    /// Fresh episodes in `columns` columns.
    pub fn new(columns: usize, discount: f64, spaces: &EnvSpaces) -> Self {
        let user = user_fields(spaces)
            .into_iter()
            .map(|(_, leaf, reduce)| (leaf, reduce, vec![0.0; columns]));
        Self {
            discount,
            length: vec![0.0; columns],
            ret: vec![0.0; columns],
            nonzero: vec![0.0; columns],
            discounted: vec![0.0; columns],
            weight: vec![1.0; columns],
            user: user.collect(),
        }
    }

    /// Adds one step of every running column.
    pub fn step(&mut self, running: &[u8], reward: &[f32], info: Row<'_>) {
        let n = running.len();
        let (length, ret, nonzero) =
            (&mut self.length[..n], &mut self.ret[..n], &mut self.nonzero[..n]);
        let (discounted, weight) = (&mut self.discounted[..n], &mut self.weight[..n]);
        for c in 0..n {
            let on = f64::from(running[c]);
            let r = f64::from(reward[c]) * on;
            length[c] += on;
            ret[c] += r;
            nonzero[c] += f64::from(u8::from(r != 0.0));
            discounted[c] += weight[c] * r;
            weight[c] *= if running[c] == 0 { 1.0 } else { self.discount };
        }
        for (leaf, reduce, values) in &mut self.user {
            for c in (0..n).filter(|c| running[*c] != 0) {
                let now = info.cell(c).first_f64(*leaf);
                values[c] = match reduce {
                    Reduce::None => 0.0,
                    Reduce::Sum => values[c] + now,
                    Reduce::Last => now,
                    Reduce::Max if self.length[c] <= 1.0 => now,
                    Reduce::Max => values[c].max(now),
                };
            }
        }
    }

    /// Writes the record of a finished episode and starts the next.
    pub fn finish(&mut self, column: usize, record: &mut CellMut<'_>) {
        let record = record.f64(0);
        record[..FIXED_FIELDS].copy_from_slice(&[
            self.length[column],
            self.ret[column],
            self.nonzero[column],
            self.discounted[column],
        ]);
        for ((_, _, values), out) in self.user.iter().zip(&mut record[FIXED_FIELDS..]) {
            *out = values[column];
        }
        self.restart(column);
    }

    /// Discards the unfinished episode of a column.
    pub fn restart(&mut self, column: usize) {
        for field in [&mut self.length, &mut self.ret, &mut self.nonzero, &mut self.discounted] {
            field[column] = 0.0;
        }
        self.weight[column] = 1.0;
        for (_, _, values) in &mut self.user {
            values[column] = 0.0;
        }
    }

    /// Number of steps of the unfinished episode.
    pub fn length(&self, column: usize) -> f64 {
        self.length[column]
    }

    /// Whether this has one column and the same fields as `other`.
    pub fn is_column_of(&self, other: &Self) -> bool {
        let fields =
            |t: &Self| -> Vec<(usize, Reduce)> { t.user.iter().map(|u| (u.0, u.1)).collect() };
        let one = |v: &Vec<f64>| v.len() == 1;
        let all = [&self.length, &self.ret, &self.nonzero, &self.discounted, &self.weight];
        all.into_iter().all(one)
            && self.user.iter().all(|u| one(&u.2))
            && fields(self) == fields(other)
    }

    /// Copies column `from_column` of `from` into column `first`.
    pub fn paste(&mut self, first: usize, from: &Self, from_column: usize) {
        let (to, at) = (first, from_column);
        self.length[to] = from.length[at];
        self.ret[to] = from.ret[at];
        self.nonzero[to] = from.nonzero[at];
        self.discounted[to] = from.discounted[at];
        self.weight[to] = from.weight[at];
        for (mine, theirs) in self.user.iter_mut().zip(&from.user) {
            mine.2[to] = theirs.2[at];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cells::Tree;
    use crate::env::InfoLeaf;
    use crate::schema::{DType, LeafSpec};
    use crate::space::Space;

    #[test]
    fn records_are_what_brute_force_says() {
        let info = InfoLeaf { spec: LeafSpec::scalar("Score", DType::F32), log: Reduce::Sum };
        let spaces = EnvSpaces {
            info: vec![info],
            ..EnvSpaces::new(Space::Discrete { n: 1 }, Space::Discrete { n: 1 })
        };
        let mut trackers = Trackers::new(2, 0.5, &spaces);
        let mut infos = Tree::owned(&[LeafSpec::scalar("Score", DType::F32)], 1, 2);
        let mut record = Tree::owned(&[LeafSpec::array("r", DType::F64, &[5])], 1, 1);
        let rewards = [[1.0f32, 5.0], [0.0, 5.0], [4.0, 5.0]];
        for (t, r) in rewards.iter().enumerate() {
            infos.row_mut(0).get::<f32>(0).copy_from_slice(&[t as f32, 9.0]);
            trackers.step(&[1, u8::from(t == 0)], r, infos.row(0));
        }
        trackers.finish(0, &mut record.cell_mut(0, 0));
        assert_eq!(record.cell(0, 0).f64(0), [3.0, 5.0, 2.0, 2.0, 3.0]);
        trackers.finish(1, &mut record.cell_mut(0, 0));
        assert_eq!(
            record.cell(0, 0).f64(0),
            [1.0, 5.0, 1.0, 5.0, 9.0],
            "a waiting column does not count"
        );
        trackers.finish(0, &mut record.cell_mut(0, 0));
        assert_eq!(record.cell(0, 0).f64(0), [0.0; 5], "a finished episode leaves nothing behind");
    }
}
