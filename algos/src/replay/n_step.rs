//! The n-step return that starts at each step of a ring. Returns are updated when steps are appended,
//! so that a draw only reads them.
//!
//! Follows rlpyt's `replays/n_step.py`: `return_ = sum_{k<m} gamma^k r[t+k]`, where the window of m
//! steps ends after n steps or with the first done. Differences: a truncated step bootstraps from
//! its own final observation with its own exponent (rlpyt drops such targets, or uses the reset
//! observation), and `timeout` is the outcome that ended the window (rlpyt sees it only at distance
//! n-1). A window never reads past a skipped step.
use super::ReplayError;
use super::leaf::zeroed;
use super::outcome::Outcome;
use super::store::Store;

/// The return that starts at one step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// `sum_{k<horizon} gamma^k r[t+k]`, summed in f64.
    pub return_: f32,
    /// Steps in the window, 1 to n; 0 where the step itself is skipped.
    pub horizon: u16,
    /// Outcome of its last step: `Running` bootstraps from the observation `horizon` rows on,
    /// `Truncated` from the last step's final observation, `Terminated` not at all.
    pub end: Outcome,
    pub(super) final_slot: u32,
}

impl Default for Window {
    /// The window of a skipped step.
    fn default() -> Self {
        Self { return_: 0.0, horizon: 0, end: Outcome::Skipped, final_slot: 0 }
    }
}

/// The windows of all steps of a ring.
#[derive(Debug)]
pub struct NStep {
    n: usize,
    powers: Vec<f64>,
    windows: Vec<Window>,
}

impl NStep {
    /// Windows for a ring of `cells` steps, all of them skipped. `n` is at least 1.
    ///
    /// # Errors
    /// Too little memory.
    pub fn new(n: usize, discount: f64, cells: usize) -> Result<Self, ReplayError> {
        let powers = (0..=n).map(|k| discount.powi(k as i32)).collect();
        Ok(Self { n, powers, windows: zeroed(cells)? })
    }

    /// Length of the return.
    pub fn n(&self) -> usize {
        self.n
    }

    /// The window that starts at a cell.
    #[inline]
    pub fn window(&self, cell: usize) -> Window {
        self.windows[cell]
    }

    /// The factor of the value after the window: `gamma^horizon`, or zero after termination.
    #[inline]
    pub fn bootstrap(&self, window: Window) -> f32 {
        if window.end == Outcome::Terminated {
            0.0
        } else {
            self.powers[window.horizon as usize] as f32
        }
    }

    /// Recomputes the windows that `appended` new steps change: their own and those of the `n - 1`
    /// steps before them. A window that reaches the newest step ends there.
    pub fn update(&mut self, store: &Store, appended: usize) {
        let changed = (appended + self.n - 1).min(store.filled());
        for age in 0..changed {
            let first = store.row_of_age(age) * store.columns();
            for column in 0..store.columns() {
                self.windows[first + column] = self.compute(store, age, column);
            }
        }
    }

    fn compute(&self, store: &Store, age: usize, column: usize) -> Window {
        let mut window = Window::default();
        let mut sum = 0.0;
        let mut row = store.row_of_age(age);
        for k in 0..self.n.min(age + 1) {
            let cell = row * store.columns() + column;
            let outcome = store.outcome_at(cell);
            if outcome == Outcome::Skipped {
                break;
            }
            sum += self.powers[k] * store.reward_at(cell) as f64;
            window = Window {
                return_: sum as f32,
                horizon: k as u16 + 1,
                end: outcome,
                final_slot: store.final_slot_at(cell),
            };
            if outcome != Outcome::Running {
                break;
            }
            row = store.ahead(row, 1);
        }
        window
    }

    /// Bytes of memory in use.
    pub fn bytes(&self) -> u64 {
        (self.windows.len() * size_of::<Window>()) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::testing::{Step, empty_block, set_step, spaces};
    use crate::replay::transitions::stored;
    use ::golden::{cases_with, numbers, size};
    use rlcore::BatchSpec;
    use serde_json::Value;

    /// A ring and its windows, fed with empty observations; `outcome` of stream step and column.
    fn feed(
        case: &Value,
        rows: usize,
        n: usize,
        chunks: &[usize],
        outcome: impl Fn(usize, usize) -> Outcome,
        mut after: impl FnMut(&Store, &NStep, usize),
    ) {
        let reward = case.get("reward").unwrap_or(&case["rew"]);
        let columns = numbers(&reward[0]).len();
        let mut ring =
            Store::new(BatchSpec { t: 1, b: columns }, rows, stored(&spaces()), true).unwrap();
        let mut n_step = NStep::new(n, case["gamma"].as_f64().unwrap(), rows * columns).unwrap();
        let mut s = 0;
        for (i, chunk) in chunks.iter().enumerate() {
            let mut block = empty_block(&spaces(), *chunk, columns);
            for t in 0..*chunk {
                for column in 0..columns {
                    let reward = numbers(&reward[s])[column] as f32;
                    set_step(&mut block, t, column, Step { reward, outcome: outcome(s, column) });
                }
                s += 1;
            }
            ring.append(&block).unwrap();
            n_step.update(&ring, *chunk);
            after(&ring, &n_step, i);
        }
    }

    fn at(case: &Value, key: &str, s: usize, column: usize) -> bool {
        numbers(&case[key][s])[column] != 0.0
    }

    fn assert_close(got: f64, want: f64) {
        assert!((got - want).abs() <= 1e-5 * (1.0 + want.abs()), "{got} for {want}");
    }

    fn cases(kind: &str) -> Vec<Value> {
        cases_with("nstep", "kind", kind)
    }

    #[test]
    fn golden_returns() {
        for case in cases("return_n") {
            let (steps, n) = (size(&case["T"]), size(&case["n"]));
            let outcome =
                |s, c| if at(&case, "done", s, c) { Outcome::Terminated } else { Outcome::Running };
            feed(&case, steps, n, &[steps], outcome, |ring, n_step, _| {
                for (t, row) in case["return_"].as_array().unwrap().iter().enumerate() {
                    for (column, want) in numbers(row).into_iter().enumerate() {
                        let window = n_step.window(t * ring.columns() + column);
                        assert_close(window.return_ as f64, want);
                        let done = window.end != Outcome::Running;
                        assert_eq!(done, at(&case, "done_n", t, column));
                    }
                }
            });
        }
    }

    #[test]
    fn golden_ring() {
        for case in cases("replay") {
            let outcome = |s, c| match (at(&case, "done", s, c), at(&case, "timeout", s, c)) {
                (_, true) => Outcome::Truncated,
                (true, false) => Outcome::Terminated,
                _ => Outcome::Running,
            };
            let chunks: Vec<usize> = case["chunks"].as_array().unwrap().iter().map(size).collect();
            feed(
                &case,
                size(&case["T_ring"]),
                size(&case["n"]),
                &chunks,
                outcome,
                |ring, n_step, i| {
                    let snapshot = &case["snapshots"][i];
                    assert_eq!(ring.cursor(), size(&snapshot["cursor"]));
                    for (i, row) in snapshot["valid_T"].as_array().unwrap().iter().enumerate() {
                        for column in 0..ring.columns() {
                            let window = n_step.window(size(row) * ring.columns() + column);
                            assert_close(
                                window.return_ as f64,
                                numbers(&snapshot["return_"][i])[column],
                            );
                            assert_eq!(
                                window.end != Outcome::Running,
                                at(snapshot, "done_n", i, column)
                            );
                            assert_eq!(
                                window.end == Outcome::Truncated,
                                at(snapshot, "timeout_n", i, column)
                            );
                        }
                    }
                },
            );
        }
    }

    #[test]
    fn golden_targets_of_truncated_steps() {
        for case in cases("target") {
            let steps = numbers(&case["rew"]).len();
            let outcome = |s, c| match (at(&case, "terminated", s, c), at(&case, "truncated", s, c))
            {
                (true, _) => Outcome::Terminated,
                (false, true) => Outcome::Truncated,
                _ => Outcome::Running,
            };
            let values = numbers(&case["q_next"]);
            for output in case["outputs"].as_array().unwrap() {
                let chunks = vec![1; steps];
                feed(
                    &case,
                    size(&case["size"]),
                    size(&output["n"]),
                    &chunks,
                    outcome,
                    |ring, n_step, i| {
                        if i + 1 < steps {
                            return;
                        }
                        for (k, s) in
                            case["stream_index"].as_array().unwrap().iter().map(size).enumerate()
                        {
                            let window = n_step.window(s % ring.rows());
                            let last = s + window.horizon as usize - 1;
                            assert_eq!(last, size(&output["bootstrap_index"][k]));
                            let bootstrap = n_step.bootstrap(window) as f64 * values[last];
                            let want = output["target"][k].as_f64().unwrap();
                            assert_close(window.return_ as f64 + bootstrap, want);
                        }
                    },
                );
            }
        }
    }
}
