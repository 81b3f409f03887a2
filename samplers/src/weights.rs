//! The weights that agents act with: a double buffer with versions, written through [`Publisher`] handles while batches are under way.
//!
//! Version `v` lies in buffer `v % 2`; version 0 is what agents were built with. A sampler names the newest version in each
//! order, and uses that version for the whole batch. A publisher overwrites the version before
//! the newest. If that version was the last one ordered, the publisher first waits until every worker has confirmed that it has loaded
//! it (`taken` of [`rlcore::control::WorkerControl`]).
use crate::error::SamplerError;
use agents::Agent;
use rlcore::cells::Tree;
use rlcore::control::WorkerControl;
use rlcore::stopwatch::Stopwatch;
use rlcore::{DType, LeafSpec};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Number of buffers.
pub(crate) const BUFFERS: usize = 2;

/// Index of the buffer that holds a version.
pub(crate) fn buffer(version: u64) -> usize {
    version as usize % BUFFERS
}

/// How long a publisher sleeps between two checks of the workers' confirmations.
const LOOK_EVERY: Duration = Duration::from_micros(100);

struct Buffers {
    /// `[count] f32` each.
    buffers: Vec<Tree>,
    count: usize,
    newest: u64,
    /// The version that workers were last ordered to load.
    ordered: u64,
    readers: Vec<&'static WorkerControl>,
    /// Seconds after which a waiting publisher returns an error.
    limit: f64,
    /// The sampler has failed or was dropped.
    closed: bool,
}

impl Buffers {
    /// Index of a worker that may still be reading the buffer into which `version` is to be written.
    fn reader(&self, version: u64) -> Option<usize> {
        let ordered = self.ordered;
        if buffer(ordered) != buffer(version) {
            return None;
        }
        self.readers.iter().position(|control| control.taken() != ordered)
    }
}

fn lock(buffers: &Mutex<Buffers>) -> MutexGuard<'_, Buffers> {
    // A panic under the lock can only leave a half-written buffer that no version names yet.
    buffers.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Publishes weights to a sampler, from any thread, also while a batch is under way.
#[derive(Clone)]
pub struct Publisher(Arc<Mutex<Buffers>>);

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Publisher(version {})", self.version())
    }
}

impl Publisher {
    /// Publishes the flat weights of the model: batches and evaluations that begin from now on act with them. Returns their
    /// version: 1 for the first, then one more each time.
    ///
    /// Waits (microseconds) if a worker has not yet loaded the weights that this call overwrites, at most
    /// `sampler.worker.step_timeout`.
    ///
    /// # Errors
    /// Another number of weights than the agent has, a failed sampler, or a worker that does not load its weights in time.
    pub fn publish(&self, weights: &[f32]) -> Result<u64, SamplerError> {
        let mut waited = Stopwatch::start();
        loop {
            let mut b = lock(&self.0);
            if b.closed {
                return Err(SamplerError::Unusable);
            }
            if weights.len() != b.count {
                return Err(SamplerError::Weights { published: weights.len(), agent: b.count });
            }
            let version = b.newest + 1;
            if let Some(worker) = b.reader(version) {
                let seconds = waited.look();
                if seconds > b.limit {
                    return Err(SamplerError::NotTaken { worker, version: b.ordered, seconds });
                }
                drop(b);
                std::thread::sleep(LOOK_EVERY);
                continue;
            }
            b.buffers[buffer(version)].row_mut(0).get::<f32>(0).copy_from_slice(weights);
            b.newest = version;
            return Ok(version);
        }
    }

    /// The newest version published; 0 before the first.
    pub fn version(&self) -> u64 {
        lock(&self.0).newest
    }
}

/// The sampler's handle. Dropping it closes all publishers.
pub(crate) struct Weights(Arc<Mutex<Buffers>>);

impl Weights {
    /// Buffers of `count` weights that the workers of these control words read. A publisher waits for them at most `limit` seconds.
    pub(crate) fn new(
        buffers: Vec<Tree>,
        count: usize,
        readers: Vec<&'static WorkerControl>,
        limit: f64,
    ) -> Self {
        let (newest, ordered, closed) = (0, 0, false);
        Self(Arc::new(Mutex::new(Buffers {
            buffers,
            count,
            newest,
            ordered,
            readers,
            limit,
            closed,
        })))
    }

    /// Buffers in memory of this process, for its own agents.
    pub(crate) fn local(count: usize) -> Self {
        let leaf = [LeafSpec::array("weights", DType::F32, &[count])];
        let buffers = (0..BUFFERS).map(|_| Tree::owned(&leaf, 1, 1)).collect();
        Self::new(buffers, count, vec![], 0.0)
    }

    pub(crate) fn publisher(&self) -> Publisher {
        Publisher(Arc::clone(&self.0))
    }

    /// The newest version; the caller orders its workers to act with it.
    pub(crate) fn order(&self) -> u64 {
        let mut b = lock(&self.0);
        b.ordered = b.newest;
        b.newest
    }

    /// Loads the newest version into an agent of this process, which holds version `held`, and returns it. No worker is ordered to
    /// read it.
    pub(crate) fn order_here(&self, agent: &mut dyn Agent, held: &mut u64) -> u64 {
        // Under the lock: a publisher does not wait for this agent.
        let b = lock(&self.0);
        if b.newest != *held {
            agent.load_weights(b.buffers[buffer(b.newest)].row(0).get(0));
            *held = b.newest;
        }
        b.newest
    }

    /// Makes publishing an error, because the sampler has failed.
    pub(crate) fn close(&self) {
        lock(&self.0).closed = true;
    }
}

impl Drop for Weights {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A worker that was ordered version 1 and has not confirmed it.
    fn reading(limit: f64) -> (Weights, &'static WorkerControl) {
        let control: &'static WorkerControl = Box::leak(Box::default());
        let leaf = [LeafSpec::array("weights", DType::F32, &[1])];
        let buffers = (0..BUFFERS).map(|_| Tree::owned(&leaf, 1, 1)).collect();
        let weights = Weights::new(buffers, 1, vec![control], limit);
        assert_eq!(weights.publisher().publish(&[1.0]).unwrap(), 1);
        assert_eq!(weights.order(), 1);
        (weights, control)
    }

    fn value(weights: &Weights, version: u64) -> f32 {
        lock(&weights.0).buffers[buffer(version)].row(0).get::<f32>(0)[0]
    }

    #[test]
    fn weights_that_a_worker_may_read_are_not_overwritten() {
        let (weights, control) = reading(0.02);
        let publisher = weights.publisher();
        assert_eq!(publisher.publish(&[2.0]).unwrap(), 2);
        let error = publisher.publish(&[3.0]).unwrap_err().to_string();
        assert!(error.contains("worker 0 has not loaded version 1"), "{error}");
        assert_eq!((value(&weights, 1), value(&weights, 2)), (1.0, 2.0));
        control.take(1);
        assert_eq!(publisher.publish(&[3.0]).unwrap(), 3);
        assert_eq!((value(&weights, 3), value(&weights, 2)), (3.0, 2.0));
    }

    #[test]
    fn a_publisher_waits_for_a_worker_that_is_late() {
        let (weights, control) = reading(60.0);
        let publisher = weights.publisher();
        publisher.publish(&[2.0]).unwrap();
        let waits = std::thread::spawn(move || publisher.publish(&[3.0]).unwrap());
        control.take(1);
        assert_eq!(waits.join().unwrap(), 3);
        assert_eq!(value(&weights, 3), 3.0);
    }

    #[test]
    fn nothing_is_published_to_a_sampler_that_failed() {
        let (weights, _) = reading(60.0);
        let publisher = weights.publisher();
        weights.close();
        assert!(matches!(publisher.publish(&[2.0]), Err(SamplerError::Unusable)));
    }
}
