//! The conformance suite: checks that an environment keeps the contract of [`crate::env`].
//!
//! Modelled on dm_env's `test_utils.EnvironmentTestMixin` and Gymnasium's `env_checker`. To check an environment, pass its settings:
//!
//! ```no_run
//! rlcore::conformance::assert_conforms(&rlcore::envs::CartPole::default());
//! ```
//!
//! Violations are listed in full sentences. Several instances take the same random actions side by side and
//! are compared to the bit: one built from the same settings, one from settings that were serialised, one that writes into
//! cells full of garbage, one that was used before, and some restored from a saved state. So nothing has to be recorded, and a
//! check of any length needs the memory of one step. A panic counts as a failure of the call that panicked.
//!
//! The suite cannot check whether rewards and dynamics are correct.
mod instance;
mod lockstep;
mod probes;
mod spaces;
#[cfg(test)]
mod tests;

use crate::env::{EnvSpaces, MakeEnv};
use crate::exact;
use crate::factory::EnvFactory;
use instance::{Instance, Paint};
use std::fmt;

/// Options of a check.
#[derive(Clone, Debug)]
pub struct Options {
    /// Steps that each instance takes.
    pub steps: usize,
    /// Seed of the environments and of the actions.
    pub seed: u64,
    /// Whether another seed must make a difference.
    pub randomness: Randomness,
    /// Whether episodes end.
    pub episodes: Episodes,
}

/// Whether an environment's episodes end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Episodes {
    /// At least one ends within the steps of the check.
    End,
    /// None may end within the steps of the check: a continuing task, or very long episodes. The clauses about ends are then
    /// not examined.
    MayGoOn,
}

/// How an environment depends on its seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Randomness {
    /// Another seed makes a difference within the steps of the check.
    Seeded,
    /// Nothing in the environment is random.
    None,
}

impl Default for Options {
    fn default() -> Self {
        Self { steps: 3000, seed: 1, randomness: Randomness::Seeded, episodes: Episodes::End }
    }
}

/// Parts of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Clause {
    /// Spaces can be laid out, are consistent in themselves, and are the same at every call.
    Spaces,
    /// Settings that were serialised build the same environment.
    Settings,
    /// Building, `reset` and a `step` with an allowed action succeed: also after a lost life, and with the dtypes and shapes
    /// that the spaces declare.
    Runs,
    /// `reset` and `step` write the whole observation and read nothing from its cell.
    WholeObservation,
    /// Observations lie in their space.
    InsideSpace,
    /// Float observations are never NaN.
    NanObservation,
    /// Rewards are finite as `f32`.
    FiniteReward,
    /// Info is finite.
    FiniteInfo,
    /// At least one action is allowed.
    ActionMask,
    /// Notes of an episode exist when it ends, before the reset, and not after the reset.
    Notes,
    /// The same seed and actions give the same results, to the bit.
    Deterministic,
    /// `seed` and then `reset` make a used environment equal to a new one.
    Reseed,
    /// Another seed gives other results.
    Seeded,
    /// A reset is only asked for with `terminated` or `truncated`, and always with `truncated`.
    Flags,
    /// Truncations are declared, and not more frequent than declared.
    TruncatesEvery,
    /// An episode ends within the steps of the check, unless [`Options::episodes`] says otherwise.
    Ends,
    /// A step after the end is an error, and a reset recovers from it.
    StepAfterEnd,
    /// An action outside a discrete space is an error.
    InvalidAction,
    /// A restored environment continues to the bit.
    SaveState,
    /// `close` may be called twice.
    Close,
}

/// One violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The violated clause.
    pub clause: Clause,
    /// What was observed and where, a sentence.
    pub text: String,
}

/// All violated clauses, with the first occurrence of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations(pub Vec<Violation>);

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = self.0.len();
        write!(
            f,
            "the environment breaks {n} clause{} of its contract:",
            if n == 1 { "" } else { "s" }
        )?;
        self.0.iter().try_for_each(|v| write!(f, "\n- {:?}: {}", v.clause, v.text))
    }
}

impl std::error::Error for Violations {}

impl Violations {
    fn add(&mut self, clause: Clause, text: impl fmt::Display) {
        if self.0.iter().all(|v| v.clause != clause) {
            self.0.push(Violation { clause, text: text.to_string() });
        }
    }
}

/// What a check has covered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Number of steps of the first instance.
    pub steps: usize,
    /// Number of episodes that asked for a reset.
    pub episodes: usize,
    /// Number of truncated steps.
    pub truncations: usize,
    /// Number of steps that were terminated without a reset.
    pub lives_lost: usize,
    /// Number of states that were saved in the middle of an episode and continued in another instance; 0 if the environment cannot save.
    pub restored: usize,
}

/// Runs the suite on environments built from `settings`.
pub fn check<M: MakeEnv>(settings: &M, options: &Options) -> Result<Coverage, Violations> {
    let mut found = Violations::default();
    let coverage = examine(settings, options, &mut found).unwrap_or_default();
    if found.0.is_empty() && coverage.steps == 0 {
        found.add(Clause::Runs, "No step was taken, so nothing is known of the environment.");
    }
    if found.0.is_empty() && coverage.episodes == 0 && options.episodes == Episodes::End {
        let text = format!(
            "In {} steps no episode ended, so nothing is known of ends and resets: raise Options::steps, shorten the episodes in the settings, or set Options::episodes to Episodes::MayGoOn.",
            coverage.steps
        );
        found.add(Clause::Ends, text);
    }
    if found.0.is_empty() { Ok(coverage) } else { Err(found) }
}

/// [`check`] with the default options, for tests: panics with the list of violations.
#[track_caller]
pub fn assert_conforms<M: MakeEnv>(settings: &M) -> Coverage {
    assert_conforms_with(settings, &Options::default())
}

/// As [`assert_conforms`], with other options.
#[track_caller]
pub fn assert_conforms_with<M: MakeEnv>(settings: &M, options: &Options) -> Coverage {
    check(settings, options).unwrap_or_else(|violations| panic!("{violations}"))
}

/// `None` if a violation made the rest meaningless.
fn examine<M: MakeEnv>(
    settings: &M,
    options: &Options,
    found: &mut Violations,
) -> Option<Coverage> {
    let declared = declared_spaces(settings, found)?;
    spaces::consistent(&declared, found)?;
    let sent = sent_settings(settings, &declared, found)?;
    let coverage = lockstep::run(settings, &sent, &declared, options, found);
    probes::step_after_end(settings, &declared, options, found);
    probes::invalid_actions(settings, &declared, options, found);
    probes::close(settings, &declared, options, found);
    coverage
}

fn declared_spaces<M: MakeEnv>(settings: &M, found: &mut Violations) -> Option<EnvSpaces> {
    match instance::build(settings).and_then(|env| instance::spaces_of(&env)) {
        Ok(spaces) => Some(spaces),
        Err(e) => {
            found.add(Clause::Runs, format!("Building the environment {e}"));
            None
        }
    }
}

/// The settings as a worker would receive them.
fn sent_settings<M: MakeEnv>(
    settings: &M,
    declared: &EnvSpaces,
    found: &mut Violations,
) -> Option<M> {
    let seen = instance::guarded(|| EnvFactory::new(settings)?.spaces());
    match seen {
        Ok(spaces) if spaces == *declared => {}
        Ok(_) => found
            .add(Clause::Settings, "Serialised settings build an environment with other spaces."),
        Err(e) => found.add(Clause::Settings, format!("Building from serialised settings {e}")),
    }
    // In the format in which `EnvFactory` sends them.
    let received = exact::to_bytes(settings).and_then(|bytes| exact::from_bytes(&bytes));
    let lost =
        |e| found.add(Clause::Settings, format!("Settings do not survive serialisation: {e}."));
    received.map_err(lost).ok()
}

/// Builds an instance; notes a violation if that fails.
fn fresh<M: MakeEnv>(
    settings: &M,
    declared: &EnvSpaces,
    paint: Paint,
    found: &mut Violations,
) -> Option<Instance<M::Env>> {
    let instance = Instance::new(settings, declared, paint);
    instance.map_err(|e| found.add(Clause::Runs, format!("Building the environment {e}"))).ok()
}
