//! Calls that must be refused, or tolerated; each on its own instance.
use super::instance::{Actions, Failure, Instance, Paint};
use super::{Clause, Options, Violations, fresh};
use crate::env::{Env, EnvSpaces, MakeEnv, Step};
use crate::seed::{Role, seed_of};
use crate::space::Space;

/// Number of components of an action space that are tried: the first ones.
const TRIED: usize = 8;

/// What was wrong with the answer to a call that must be refused, or `None`.
fn not_refused(answer: Result<Step, Failure>) -> Option<String> {
    match answer {
        Err(Failure::Error(_)) => None,
        Err(Failure::Panic(text)) => Some(format!("panicked ({text})")),
        Ok(_) => Some("was accepted".to_owned()),
    }
}

/// An instance at the start of its first episode; a failure here has occurred in the main run too.
fn started<M: MakeEnv>(
    settings: &M,
    declared: &EnvSpaces,
    options: &Options,
    found: &mut Violations,
) -> Option<(Instance<M::Env>, Actions)> {
    let mut instance = fresh(settings, declared, Paint::Zero, found)?;
    instance.seed(options.seed).ok()?;
    instance.reset().ok()?;
    Some((instance, Actions::new(declared, seed_of(options.seed, Role::Act, 1))))
}

/// Plays to the end of an episode and one step further, then resets. Reports nothing if no episode ends in time.
pub(super) fn step_after_end<M: MakeEnv>(
    settings: &M,
    declared: &EnvSpaces,
    options: &Options,
    found: &mut Violations,
) -> Option<()> {
    let (mut instance, mut actions) = started(settings, declared, options, found)?;
    let ended =
        (0..options.steps).find_map(|_| step(&mut instance, &mut actions).filter(|s| s.reset));
    ended?;
    let action = actions.draw(instance.observation())?;
    if let Some(fault) = not_refused(instance.step(action)) {
        let text = format!("A step after the end of an episode {fault}; it must return an error.");
        found.add(Clause::StepAfterEnd, text);
        return None;
    }
    if let Err(e) = instance.reset() {
        let text = format!("After the error of a step after the end, the reset {e}");
        found.add(Clause::StepAfterEnd, text);
    }
    Some(())
}

fn step<E: Env>(instance: &mut Instance<E>, actions: &mut Actions) -> Option<Step> {
    let action = actions.draw(instance.observation())?;
    instance.step(action).ok()
}

/// Tries the two values next to each discrete component.
pub(super) fn invalid_actions<M: MakeEnv>(
    settings: &M,
    declared: &EnvSpaces,
    options: &Options,
    found: &mut Violations,
) -> Option<()> {
    let mut components = Vec::new();
    for (leaf, (_, space)) in declared.action.leaf_spaces("action").into_iter().enumerate() {
        let n = match space {
            Space::Discrete { n } => std::slice::from_ref(n),
            Space::MultiDiscrete { n } => n,
            _ => &[],
        };
        components.extend(n.iter().enumerate().map(|(element, n)| (leaf, element, *n as i64)));
    }
    for (leaf, element, n) in components.into_iter().take(TRIED) {
        for value in [-1, n] {
            let (mut instance, mut actions) = started(settings, declared, options, found)?;
            actions.draw(instance.observation())?;
            if let Some(fault) = not_refused(instance.step(actions.spoiled(leaf, element, value))) {
                let text = format!("Action {value} of 0..{n} {fault}; it must return an error.");
                found.add(Clause::InvalidAction, text);
            }
        }
    }
    Some(())
}

/// Calls `close` twice.
pub(super) fn close<M: MakeEnv>(
    settings: &M,
    declared: &EnvSpaces,
    options: &Options,
    found: &mut Violations,
) -> Option<()> {
    let (mut instance, _) = started(settings, declared, options, found)?;
    for time in ["first", "second"] {
        if let Err(e) = instance.close() {
            found.add(Clause::Close, format!("The {time} `close` {e}"));
        }
    }
    Some(())
}
