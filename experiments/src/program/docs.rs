//! Documentation of every setting of a program.
use super::Program;
use super::kind::{Kinds, Written};
use crate::config::Config;
use anyhow::Result;
use rlcore::config::{Docs, UNSET};
use schemars::JsonSchema;
use std::any::TypeId;
use toml::{Table, Value};

impl Program {
    /// The doc comments of the settings `S` are what `show-config` and `settings` say of them. Without this the settings of an
    /// environment, an agent or an algorithm are shown without comments.
    #[must_use]
    pub fn documented<S: JsonSchema + 'static>(mut self) -> Self {
        self.docs.insert(TypeId::of::<S>(), Docs::of::<S>);
        self
    }

    /// Every setting that a configuration can have, with the kinds of this program.
    ///
    /// # Errors
    /// A kind whose defaults cannot be written down.
    pub fn docs(&self) -> Result<Docs> {
        let mut docs = Docs::of::<Config>();
        for (key, docs) in &mut docs.keys {
            match key.as_str() {
                "env" | "eval_env" => docs.kinds = self.kinds(&self.environments)?,
                "agent" => docs.kinds = self.kinds(&self.agents)?,
                "algo" => docs.kinds = self.kinds(&self.algorithms)?,
                _ => {}
            }
        }
        Ok(docs)
    }

    fn kinds<T: Written + ?Sized + 'static>(
        &self,
        kinds: &Kinds<T>,
    ) -> Result<Vec<(String, Docs)>> {
        let of = |kind: &super::kind::Kind<T>| {
            let known = self.docs.get(&kind.settings).map(|docs| docs());
            let docs = match known {
                Some(docs) => docs,
                None => bare(&kind.default().full_table()?),
            };
            Ok((kind.name.to_owned(), Docs { about: kind.about.to_owned(), ..docs }))
        };
        kinds.all.iter().map(of).collect()
    }
}

/// What the values of settings without documentation say.
fn bare(table: &Table) -> Docs {
    let of = |value: &Value| match value {
        Value::Table(inner) => bare(inner),
        value => Docs {
            takes: match value {
                Value::String(text) if text == UNSET => "",
                Value::String(_) => "text",
                Value::Integer(_) => "a whole number",
                Value::Float(_) => "a number",
                Value::Boolean(_) => "`true` or `false`",
                _ => "a list",
            }
            .into(),
            is_optional: value.as_str() == Some(UNSET),
            default: Some(value.clone()),
            ..Docs::default()
        },
    };
    let keys = table.iter().filter(|(key, _)| *key != "kind");
    Docs { keys: keys.map(|(key, value)| (key.clone(), of(value))).collect(), ..Docs::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::{Deserialize, Serialize};

    /// What is missing in the documentation of a table at `path`.
    fn missing(docs: &Docs, path: &str, found: &mut Vec<String>) {
        let of_kinds = docs.kinds.iter().flat_map(|(_, docs)| &docs.keys);
        for (key, docs) in docs.keys.iter().chain(of_kinds) {
            let path = format!("{path}.{key}");
            let says_none = docs.about.contains("None:") || docs.takes.contains("`none`");
            if docs.about.is_empty() || docs.is_optional && !says_none {
                found.push(path.clone());
            }
            missing(docs, &path, found);
        }
    }

    /// Broken by a part that is registered without `documented`, by a setting without a doc comment, and by an optional one that
    /// does not say what unset means.
    #[test]
    fn every_setting_of_ours_is_documented() {
        let program = Program::new();
        let mut found = Vec::new();
        missing(&program.docs().unwrap(), "", &mut found);
        assert_eq!(found, Vec::<String>::new());
        let kinds = program.docs().unwrap();
        for (key, kinds) in &kinds.keys {
            let about = kinds.kinds.iter().all(|(_, docs)| !docs.about.is_empty());
            assert!(about, "a kind of {key} has no description");
        }
    }

    #[derive(Clone, Debug, Serialize, Deserialize)]
    #[serde(default)]
    struct Plain {
        x: f64,
        y: Option<usize>,
    }

    impl Default for Plain {
        fn default() -> Self {
            Self { x: 0.5, y: None }
        }
    }

    #[test]
    fn settings_without_documentation_are_known_by_their_values() {
        let docs = bare(&rlcore::config::to_full_table(&Plain::default()).unwrap());
        let (x, y) = (docs.key("x", None).unwrap(), docs.key("y", None).unwrap());
        assert_eq!((x.takes.as_str(), &x.default), ("a number", &Some(Value::Float(0.5))));
        assert!(y.is_optional && !x.is_optional);
    }
}
