//! Steps of a `[T, B]` batch on the host, in vectors numbered `t * B + b`.
use crate::error::AlgoError;
use crate::replay::ReplayError;
use rlcore::block::Columns;
use rlcore::cells::Tree;
use rlcore::schema::Element;
use rlcore::{GlobalSteps, World};

/// The values of a scalar leaf, row after row.
pub(crate) fn numbers<T: Element + Copy>(tree: &Tree, leaf: usize) -> Vec<T> {
    (0..tree.rows()).flat_map(|row| tree.row(row).get::<T>(leaf)).copied().collect()
}

/// A truncated step and the row of its final observation in the block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Final {
    pub(crate) t: usize,
    pub(crate) column: usize,
    pub(crate) slot: usize,
}

/// The truncated steps of B = `b` columns in order of time. A step that is also terminated counts as terminated and has no final
/// observation. `capacity`: rows of final observations in the block.
pub(crate) fn finals(
    terminated: &[u8],
    truncated: &[u8],
    b: usize,
    capacity: usize,
) -> Result<Vec<Final>, AlgoError> {
    let mut used = vec![0; b];
    let mut found = Vec::new();
    for (i, truncated) in truncated.iter().enumerate() {
        if *truncated != 0 && terminated[i] == 0 {
            let column = i % b;
            found.push(Final { t: i / b, column, slot: used[column] });
            used[column] += 1;
        }
    }
    match used.iter().position(|n| *n > capacity) {
        Some(column) => {
            let truncated = used[column];
            Err(ReplayError::NoFinalObservation { column, truncated, capacity }.into())
        }
        None => Ok(found),
    }
}

/// The share, within 0 and 1, of the run's `n_steps` that came before a batch. `now`: environment steps of all replicas, the
/// batch included.
pub(crate) fn progress(
    samples: &Columns,
    now: GlobalSteps,
    n_steps: GlobalSteps,
    world: World,
) -> f64 {
    let own = world.global(samples.valid_steps());
    let before = now.0.saturating_sub(own.0) as f64;
    (before / n_steps.0.max(1) as f64).min(1.0)
}

/// Names the step with the largest absolute return, or the first that is NaN, for the error that ends a run. `b`: number of columns.
pub(crate) fn largest_return(returns: &[f64], b: usize) -> String {
    let further = |far: (usize, f64), (i, x): (usize, &f64)| {
        if !far.1.is_nan() && (x.is_nan() || x.abs() > far.1.abs()) { (i, *x) } else { far }
    };
    let (step, return_) = returns.iter().enumerate().fold((0, 0.0), further);
    format!("largest return: {return_} at step {} of environment {}", step / b, step % b)
}
