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
//!    `deny_unknown_fields`; the attribute only lets serde list the keys of a kind that the preset does not have.
//! 2. A choice is an internally tagged enum, `#[serde(tag = "kind")]`, whose variants are units, structs or newtypes of structs that
//!    follow rule 1. Where the variants have named fields, `default` goes on each field and `deny_unknown_fields` on the enum. A new
//!    `kind` drops the settings of the old one that it does not know; those of the same name and type stay.
//! 3. `deny_unknown_fields` and `flatten` exclude each other (serde refuses the flattened keys): leave the attribute off there.
//! 4. What is written must be what is read: no `alias`, no `skip_serializing`.
//! 5. A setting that may be unset is an `Option` whose default is `None`, never a sentinel. In TOML `None` is the word `"none"`
//!    ([`UNSET`]); the doc comment of the field says what it means in a sentence that begins with `None:`. TOML integers end at
//!    `i64::MAX`, seeds included.
//! 6. Doc comments become documentation ([`Docs`]) where the type derives `schemars::JsonSchema` as well; that is optional.
mod apply;
mod assign;
mod docs;
mod error;
mod probe;
mod repair;
mod suggest;
#[cfg(test)]
mod tests;

pub use assign::{Given, Origin};
pub use docs::Docs;
pub use error::{ConfigError, Repair};
pub use probe::Refusal;
pub use suggest::closest;

use serde::{Serialize, de::DeserializeOwned};
use std::marker::PhantomData;
use std::path::Path;
use toml::{Table, Value};

/// The value that an optional setting has in TOML while it is unset: `stop_return = "none"`.
pub const UNSET: &str = "none";

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

    /// Every setting of `config`, unset ones as [`UNSET`].
    ///
    /// # Errors
    /// See [`to_toml`].
    fn write(&self, config: &Self::Config) -> Result<Table, ConfigError> {
        to_full_table(config)
    }

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
/// Tables merge, arrays are replaced whole. `key=value` takes TOML values; bare words are strings, `1e6` is a whole number, `key=none`
/// unsets an optional setting, `key=` removes the key: back to serde's default.
pub fn resolve<C: Serialize + DeserializeOwned>(
    preset: &C,
    file: Option<(&Path, &str)>,
    sets: &[String],
) -> Result<C, ConfigError> {
    let given: Vec<Given> = sets.iter().cloned().map(Given::Set).collect();
    resolve_as(&Plain::default(), preset, file, &given)
}

/// As [`resolve`], for a configuration of another form, and with settings that may come from flags of their own.
pub fn resolve_as<F: Form>(
    form: &F,
    preset: &F::Config,
    file: Option<(&Path, &str)>,
    given: &[Given],
) -> Result<F::Config, ConfigError> {
    // Through text: there an f32 keeps its short form, which error messages and `config.toml` show.
    let base = to_table(preset)?;
    let mut layers = Vec::new();
    if let Some((path, text)) = file {
        layers.push(assign::from_file(path, text)?);
    }
    let mut last = Vec::new();
    for given in given {
        last.extend(assign::from_given(given)?);
    }
    layers.push(last);
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

/// Every setting of `config` as TOML that [`read`] and [`resolve`] take back, unset ones as [`UNSET`].
///
/// # Errors
/// What TOML cannot say: an integer above `i64::MAX`.
pub fn to_toml<C: Serialize>(config: &C) -> Result<String, ConfigError> {
    text(&to_full_table(config)?)
}

/// As [`to_toml`], for a configuration of another form.
pub fn to_toml_as<F: Form>(form: &F, config: &F::Config) -> Result<String, ConfigError> {
    text(&form.write(config)?)
}

fn text(table: &Table) -> Result<String, ConfigError> {
    toml::to_string_pretty(table).map_err(|e| ConfigError::Preset { message: e.to_string() })
}

/// `config` as a table that serde reads back, in which an f32 keeps its short form; settings that are unset are not in it.
///
/// # Errors
/// See [`to_toml`].
pub fn to_table<C: Serialize>(config: &C) -> Result<Table, ConfigError> {
    // Through text, and parsed again: the serialiser writes integers that the parser refuses.
    let text = toml::to_string_pretty(config)
        .map_err(|e| ConfigError::Preset { message: e.to_string() })?;
    toml::from_str(&text).map_err(|e| ConfigError::Preset { message: e.message().to_owned() })
}

/// [`to_table`], and [`UNSET`] for every setting that is unset: the table that [`to_toml`] writes.
///
/// # Errors
/// See [`to_toml`].
pub fn to_full_table<C: Serialize>(config: &C) -> Result<Table, ConfigError> {
    Ok(with_unset(to_table(config)?, config))
}

/// `table`, which `config` makes, with the settings that TOML leaves out because they are unset: JSON has a word for them.
fn with_unset<C: Serialize>(mut table: Table, config: &C) -> Table {
    if let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(config) {
        fill(&mut table, &fields);
    }
    table
}

fn fill(table: &mut Table, fields: &serde_json::Map<String, serde_json::Value>) {
    for (key, field) in fields {
        match (table.get_mut(key), field) {
            (Some(Value::Table(inner)), serde_json::Value::Object(fields)) => fill(inner, fields),
            (None, serde_json::Value::Null) => {
                table.insert(key.clone(), Value::String(UNSET.into()));
            }
            _ => {}
        }
    }
}
