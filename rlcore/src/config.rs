//! Configuration as data: TOML, resolved in layers, before anything is allocated.
//!
//! Layers, each over the one before: serde's defaults, the preset, `--config FILE`, every `--set key=value` in turn. A mistake is named
//! by its full key, where it was given, and what to write instead. Settings are applied one at a time to a configuration known to be
//! good, because serde loses the path of an error inside a tagged enum; whatever first fails is the culprit.
//!
//! # Rules for configuration structs
//!
//! 1. Derive `Serialize` and `Deserialize`; `#[serde(default, deny_unknown_fields)]` on each struct. Every field has a default, so that
//!    `--set a.b=` can remove it. A key that does not come back when the result is serialised counts as unknown, with or without
//!    `deny_unknown_fields`; the attribute only lets serde list the optional keys that the preset leaves out.
//! 2. A choice is an internally tagged enum, `#[serde(tag = "kind")]`, whose variants are units, structs or newtypes of structs that
//!    follow rule 1. Where the variants have named fields, `default` goes on each field and `deny_unknown_fields` on the enum. A new
//!    `kind` drops the settings of the old one that it does not know; those of the same name and type stay.
//! 3. `deny_unknown_fields` and `flatten` exclude each other (serde refuses the flattened keys): leave the attribute off there.
//! 4. What is written must be what is read: no `alias`, `skip_serializing`, `skip_serializing_if` other than `Option::is_none`.
//! 5. A setting that may be absent is an `Option`, never a sentinel; TOML integers end at `i64::MAX`, seeds included.
mod apply;
mod assign;
mod error;
mod probe;
mod suggest;
#[cfg(test)]
mod tests;

pub use assign::Origin;
pub use error::ConfigError;
pub use probe::Refusal;

use serde::{Serialize, de::DeserializeOwned};
use std::marker::PhantomData;
use std::path::Path;
use toml::Table;

/// Data that names a part of a run: written to TOML and read back, and sent to worker processes. Implemented for every type
/// that has the traits.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be settings",
    note = "derive `Clone`, `serde::Serialize` and `serde::Deserialize` for it"
)]
pub trait Settings: Serialize + DeserializeOwned + Clone + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Clone + Send + 'static> Settings for T {}

/// How a document becomes a configuration. [`Plain`] is serde alone; another form knows kinds that serde cannot list, such as
/// those that a program registers when it starts.
pub trait Form {
    /// What is made. It is written back by serde, and a key that is then gone counts as unknown.
    type Config: Serialize;

    /// The configuration that `document` states.
    ///
    /// # Errors
    /// [`Refusal`]: in serde's words, from which the error for the user is made.
    fn read(&self, document: &Table) -> Result<Self::Config, Refusal>;

    /// Called when `kind` replaces another kind in the table at `path`: puts there what the new kind begins with, and takes away
    /// what belonged to the old one elsewhere. False: the settings of the old kind that the new one knows are kept, the rest
    /// dropped.
    fn begin(&self, _document: &mut Table, _path: &[String], _kind: &str) -> bool {
        false
    }
}

/// Whatever serde makes of a document.
#[derive(Clone, Copy, Debug)]
pub struct Plain<C>(PhantomData<C>);

impl<C> Default for Plain<C> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<C: Serialize + DeserializeOwned> Form for Plain<C> {
    type Config = C;

    fn read(&self, document: &Table) -> Result<C, Refusal> {
        document.clone().try_into().map_err(|e| Refusal::new(&e))
    }
}

/// `preset` changed by the text of a `--config` file (name for messages, content), then by the right sides of `--set`.
///
/// Tables merge, arrays are replaced whole. `key=value` takes TOML values; bare words are strings, `1e6` is a whole number, `key=` removes the key: back to serde's default.
pub fn resolve<C: Serialize + DeserializeOwned>(
    preset: &C,
    file: Option<(&Path, &str)>,
    sets: &[String],
) -> Result<C, ConfigError> {
    resolve_as(&Plain::default(), preset, file, sets)
}

/// As [`resolve`], for a configuration of another form.
pub fn resolve_as<F: Form>(
    form: &F,
    preset: &F::Config,
    file: Option<(&Path, &str)>,
    sets: &[String],
) -> Result<F::Config, ConfigError> {
    // Through text: there an f32 keeps its short form, which error messages and `config.toml` show.
    let (base, _) = written(preset)?;
    let mut layers = Vec::new();
    if let Some((path, text)) = file {
        layers.push(assign::from_file(path, text)?);
    }
    let mut given = Vec::new();
    for set in sets {
        given.extend(assign::from_set(set)?);
    }
    layers.push(given);
    apply::resolve(form, base, layers)
}

/// A configuration that `text` states in full, such as the `config.toml` of a run; what it lacks takes serde's defaults.
pub fn read<C: Serialize + DeserializeOwned>(path: &Path, text: &str) -> Result<C, ConfigError> {
    read_as(&Plain::default(), path, text)
}

/// As [`read`], for a configuration of another form.
pub fn read_as<F: Form>(form: &F, path: &Path, text: &str) -> Result<F::Config, ConfigError> {
    apply::resolve(form, Table::new(), vec![assign::from_file(path, text)?])
}

/// `config` as a table in which an f32 keeps its short form.
///
/// # Errors
/// See [`to_toml`].
pub fn to_table<C: Serialize>(config: &C) -> Result<Table, ConfigError> {
    written(config).map(|(table, _)| table)
}

/// The whole of `config` as TOML that [`read`] takes back. Fails only for what TOML cannot say (an integer above `i64::MAX`).
pub fn to_toml<C: Serialize>(config: &C) -> Result<String, ConfigError> {
    written(config).map(|(_, text)| text)
}

/// As text, and parsed again: the serialiser writes integers that the parser refuses.
fn written<C: Serialize>(config: &C) -> Result<(Table, String), ConfigError> {
    let text = toml::to_string_pretty(config)
        .map_err(|e| ConfigError::Preset { message: e.to_string() })?;
    let table = toml::from_str(&text)
        .map_err(|e| ConfigError::Preset { message: e.message().to_owned() })?;
    Ok((table, text))
}
