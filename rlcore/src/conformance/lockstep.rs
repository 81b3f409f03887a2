//! The main run: one instance plays, others follow it action by action and must agree.
use super::instance::{Actions, Instance, Paint};
use super::{Clause, Coverage, Options, Randomness, Violations, fresh};
use crate::env::{Env, EnvSpaces, MakeEnv, Step};
use crate::seed::{Role, seed_of};
use std::fmt;

/// Plays `options.steps` steps; `None` if a violation made the rest meaningless.
pub(super) fn run<M: MakeEnv>(
    settings: &M,
    sent: &M,
    declared: &EnvSpaces,
    options: &Options,
    found: &mut Violations,
) -> Option<Coverage> {
    let mut run = Run::new(settings, sent, declared, options, found)?;
    run.advance(Due::Reset)?;
    while run.coverage.steps < options.steps {
        run.advance(if run.at_end() { Due::Reset } else { Due::Step })?;
        if run.save_is_due() {
            run.save_and_restore(settings);
            run.check_spaces();
        }
    }
    if run.stranger.is_some() && options.randomness == Randomness::Seeded {
        run.found.add(
            Clause::Seeded,
            format!("In {} steps another seed made no difference.", options.steps),
        );
    }
    Some(run.coverage)
}

/// An instance that takes the same actions, and the clause that is violated if it differs.
struct Follower<E> {
    clause: Clause,
    instance: Instance<E>,
}

/// How a sentence about a follower begins.
fn subject(clause: Clause) -> &'static str {
    match clause {
        Clause::Settings => "An environment from serialised settings",
        Clause::WholeObservation => "An environment that writes into a cell full of other values",
        Clause::Reseed => "An environment that was used before it was seeded",
        Clause::SaveState => "An environment restored from a saved state",
        _ => "A second environment with the same seed and actions",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
    Reset,
    Step,
}

/// The position in the run that a sentence refers to.
#[derive(Clone, Copy, Debug)]
struct Place {
    due: Due,
    after_lost_life: bool,
    /// Number of steps before.
    steps: usize,
    /// Number of episodes before.
    episodes: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (step, episode) = (self.steps + 1, self.episodes + 1);
        match self.due {
            Due::Reset => write!(f, "the reset of episode {episode} (before step {step})"),
            Due::Step if self.after_lost_life => {
                write!(f, "step {step} (episode {episode}), the first after a lost life,")
            }
            Due::Step => write!(f, "step {step} (episode {episode})"),
        }
    }
}

struct Run<'a, E> {
    declared: &'a EnvSpaces,
    options: &'a Options,
    found: &'a mut Violations,
    actions: Actions,
    first: Instance<E>,
    followers: Vec<Follower<E>>,
    /// An instance with another seed; removed once it differed.
    stranger: Option<Instance<E>>,
    coverage: Coverage,
    /// The number of the last truncated step.
    truncated_at: Option<usize>,
    /// A Fibonacci number and the next one: states are saved at these steps, so that old and young states continue for short and long
    /// times.
    save_at: (usize, usize),
}

impl<'a, E: Env> Run<'a, E> {
    fn new<M: MakeEnv<Env = E>>(
        settings: &M,
        sent: &M,
        declared: &'a EnvSpaces,
        options: &'a Options,
        found: &'a mut Violations,
    ) -> Option<Self> {
        let other_seed = seed_of(options.seed, Role::Env, 1);
        let mut instance = |settings: &M, paint| fresh(settings, declared, paint, found);
        let mut first = instance(settings, Paint::Zero)?;
        let mut stranger = instance(settings, Paint::Zero)?;
        let mut used = instance(settings, Paint::Zero)?;
        // The order matters: comparisons after the first difference are meaningless.
        let mut followers = vec![
            Follower { clause: Clause::Deterministic, instance: instance(settings, Paint::Zero)? },
            Follower {
                clause: Clause::WholeObservation,
                instance: instance(settings, Paint::Ones)?,
            },
            Follower { clause: Clause::Settings, instance: instance(sent, Paint::Zero)? },
        ];
        // A failure here also occurs in the main run, where its position is reported.
        let _ = used.wear(declared, other_seed, 37);
        followers.push(Follower { clause: Clause::Reseed, instance: used });
        let mut seeded = [first.seed(options.seed), stranger.seed(other_seed)].to_vec();
        seeded.extend(followers.iter_mut().map(|f| f.instance.seed(options.seed)));
        if let Some(e) = seeded.into_iter().find_map(Result::err) {
            found.add(Clause::Runs, format!("Seeding {e}"));
            return None;
        }
        Some(Self {
            declared,
            options,
            found,
            actions: Actions::new(declared, seed_of(options.seed, Role::Act, 0)),
            first,
            followers,
            stranger: Some(stranger),
            coverage: Coverage::default(),
            truncated_at: None,
            save_at: (1, 2),
        })
    }

    fn at_end(&self) -> bool {
        self.first.last.is_some_and(|s| s.reset)
    }

    /// One call of every instance, and all checks of the results.
    fn advance(&mut self, due: Due) -> Option<()> {
        let Self { first, followers, found, actions, .. } = self;
        let after_lost_life = first.last.is_some_and(|s| s.done() && !s.reset);
        let Coverage { steps, episodes, .. } = self.coverage;
        let place = Place { due, after_lost_life, steps, episodes };
        let action = match due {
            Due::Reset => None,
            Due::Step => Some(actions.draw(first.observation())?),
        };
        if let Err(e) = first.advance(action) {
            found.add(Clause::Runs, capital(&format!("{place} {e}")));
            return None;
        }
        let mut broken = None;
        followers.retain_mut(|f| {
            let fault = match f.instance.advance(action) {
                _ if broken.is_some() => return true,
                Err(e) => format!("{}, at {place}: the call {e}", subject(f.clause)),
                Ok(()) => match first.difference(&f.instance) {
                    None => return true,
                    Some(what) => format!("{} differed at {place} in {what}.", subject(f.clause)),
                },
            };
            found.add(f.clause, fault);
            broken = Some(f.clause);
            false
        });
        if broken == Some(Clause::Deterministic) {
            return None;
        }
        self.stranger.take_if(|s| s.advance(action).is_err() || s.difference(first).is_some());
        self.check_observation(place);
        if due == Due::Reset && !self.first.notes.is_empty() {
            let text = format!(
                "After {place} there were notes ({:?}); they are taken before the reset, so these are lost or told of the next episode.",
                self.first.notes
            );
            self.found.add(Clause::Notes, text);
        }
        if let Some(step) = self.first.last {
            self.coverage.steps += 1;
            self.check_step(step, place);
        }
        Some(())
    }

    fn check_observation(&mut self, place: Place) {
        let seen = self.first.observation();
        let leaves = self.declared.observation.leaves("observation");
        let is_nan = |leaf: usize| seen.to_f64(leaf).iter().any(|v| v.is_nan());
        if let Some(leaf) = (0..leaves.len()).find(|leaf| is_nan(*leaf)) {
            let name = &leaves[leaf].name;
            self.found.add(Clause::NanObservation, format!("After {place} `{name}` has a NaN."));
        } else if let Err(e) = self.declared.observation.contains(seen) {
            let e = e.replacen("value", "observation", 1);
            self.found.add(Clause::InsideSpace, format!("After {place} {e}."));
        }
        if let Some(mask) = self.declared.action_mask
            && seen.to_f64(mask).iter().all(|v| *v == 0.0)
        {
            self.found.add(Clause::ActionMask, format!("After {place} the mask allows no action."));
        }
    }

    fn check_step(&mut self, step: Step, place: Place) {
        if !(step.reward as f32).is_finite() {
            let text = format!("At {place} the reward was {}.", step.reward);
            self.found.add(Clause::FiniteReward, text);
        }
        for (leaf, i) in self.declared.info.iter().enumerate() {
            if self.first.info().to_f64(leaf).iter().any(|v| !v.is_finite()) {
                let text = format!("At {place} info `{}` was not finite.", i.spec.name);
                self.found.add(Clause::FiniteInfo, text);
            }
        }
        if step.reset && !step.done() {
            let text =
                format!("At {place} a reset was asked for, without terminated or truncated.");
            self.found.add(Clause::Flags, text);
        }
        if step.truncated && !step.reset {
            let text = format!("At {place} the episode was truncated, but no reset asked for.");
            self.found.add(Clause::Flags, text);
        }
        if step.truncated {
            self.check_truncation(place);
        }
        self.coverage.episodes += usize::from(step.reset);
        self.coverage.truncations += usize::from(step.truncated);
        self.coverage.lives_lost += usize::from(step.terminated && !step.reset);
    }

    fn check_truncation(&mut self, place: Place) {
        let passed =
            self.truncated_at.replace(self.coverage.steps).map(|at| self.coverage.steps - at);
        match (self.declared.truncates_every, passed) {
            (None, _) => {
                let text = format!("At {place} it truncated; its spaces say that it never does.");
                self.found.add(Clause::TruncatesEvery, text);
            }
            (Some(every), Some(passed)) if passed < every => {
                let text = format!(
                    "At {place} it truncated {passed} steps after the truncation before; its spaces promise {every}."
                );
                self.found.add(Clause::TruncatesEvery, text);
            }
            _ => {}
        }
    }

    fn save_is_due(&mut self) -> bool {
        if self.first.last.is_none() {
            return false;
        }
        if self.coverage.steps == self.save_at.0 {
            self.save_at = (self.save_at.1, self.save_at.0 + self.save_at.1);
            return true;
        }
        self.at_end() && self.coverage.episodes == 1
    }

    /// Restores the state of the first instance in a used one, which then follows it.
    fn save_and_restore<M: MakeEnv<Env = E>>(&mut self, settings: &M) {
        let state = match self.first.save() {
            Ok(Some(state)) => state,
            Ok(None) => return,
            Err(e) => return self.found.add(Clause::SaveState, format!("`save_state` {e}")),
        };
        let Some(mut instance) = fresh(settings, self.declared, Paint::Zero, self.found) else {
            return;
        };
        let _ = instance.wear(self.declared, seed_of(self.options.seed, Role::Env, 2), 5);
        if let Err(e) = instance.load(&state) {
            let text = format!("`load_state` of what `save_state` gave {e}");
            return self.found.add(Clause::SaveState, text);
        }
        self.coverage.restored += usize::from(!self.at_end());
        self.followers.retain(|f| f.clause != Clause::SaveState);
        self.followers.push(Follower { clause: Clause::SaveState, instance });
    }

    fn check_spaces(&mut self) {
        if !self.first.spaces().is_ok_and(|spaces| spaces == *self.declared) {
            let text = format!("After {} steps `spaces` differs from before.", self.coverage.steps);
            self.found.add(Clause::Spaces, text);
        }
    }
}

fn capital(text: &str) -> String {
    text.chars().take(1).flat_map(char::to_uppercase).chain(text.chars().skip(1)).collect()
}
