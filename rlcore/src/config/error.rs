//! What can be wrong with a configuration, said so that the reader knows what to change.
use super::assign::Origin;
use std::path::PathBuf;

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// The file is not TOML.
    #[error("{}, line {line}: this is not TOML: {message}", file.display())]
    Syntax {
        /// The file.
        file: PathBuf,
        /// Counted from 1.
        line: usize,
        /// The parser's words.
        message: String,
    },
    /// A `--set` that cannot be read.
    #[error("--set {text}: {message}")]
    Set {
        /// What was given.
        text: String,
        /// What is wrong with it.
        message: String,
    },
    /// No such key.
    #[error("{origin}: unknown key `{key}`{}", hint(nearest.as_deref(), known))]
    UnknownKey {
        /// Full dotted path.
        key: String,
        /// The known key that looks most like it.
        nearest: Option<String>,
        /// The keys that its table has.
        known: Vec<String>,
        /// Where it was given.
        origin: Box<Origin>,
    },
    /// A value of another type, or none of the values allowed.
    #[error("{origin}: {} must be {wanted}, not {given}{}", subject(origin, key), repair.as_ref().map_or(String::new(), ToString::to_string))]
    WrongType {
        /// Full dotted path.
        key: String,
        /// What is wanted, in words.
        wanted: String,
        /// The value given, as TOML.
        given: String,
        /// What was probably meant.
        repair: Option<Repair>,
        /// Where it was given.
        origin: Box<Origin>,
    },
    /// A key below a key that holds a single value.
    #[error(
        "{origin}: `{key}` cannot be set because `{parent}` is a single value ({value}); set `{parent}` itself"
    )]
    NotATable {
        /// Full dotted path.
        key: String,
        /// The part of it that is no table.
        parent: String,
        /// What it holds.
        value: String,
        /// Where the key was given.
        origin: Box<Origin>,
    },
    /// A key without default was not given or was removed.
    #[error("`{key}` has no default: give it with `--set {key}=VALUE` or in the --config file")]
    Missing {
        /// Full dotted path, as far as serde knows it.
        key: String,
    },
    /// Refused by the configuration's own check.
    #[error("{}`{key}`: {message}", origin.as_ref().map_or(String::new(), |o| format!("{o}: ")))]
    Invalid {
        /// Full dotted path of the key after which the check failed.
        key: String,
        /// The check's words.
        message: String,
        /// Where it was given.
        origin: Option<Box<Origin>>,
    },
    /// The configuration in the code cannot be written as TOML.
    #[error(
        "this configuration cannot be written as TOML: {message}; see the rules in rlcore::config"
    )]
    Preset {
        /// The serialiser's words.
        message: String,
    },
}

/// A flag says by itself which setting it is short for.
fn subject(origin: &Origin, key: &str) -> String {
    if matches!(origin, Origin::Flag(_)) { "it".into() } else { format!("`{key}`") }
}

/// What a value of the wrong type was probably meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Repair {
    /// The allowed value that looks most like the one given.
    #[error("; did you mean `{0}`?")]
    Nearest(String),
    /// The assignment, as one writes it there.
    #[error("; write {0}")]
    Assignment(String),
}

fn hint(nearest: Option<&str>, known: &[String]) -> String {
    match (nearest, known) {
        (Some(key), _) => format!("; did you mean `{key}`?"),
        (None, []) => String::new(),
        (None, known) => format!("; the keys there are {}", known.join(", ")),
    }
}
