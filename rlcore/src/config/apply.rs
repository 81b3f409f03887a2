//! Settings applied one at a time; the first that serde refuses is named.
//!
//! A configuration may be incomplete in between (a new `kind` whose required keys come next, two values checked together): "missing
//! field" and the struct's own messages count only at the end. Within a layer `kind` goes first, outermost first.
use super::assign::Assign;
use super::suggest::{explain, table_at, unknown};
use super::{ConfigError, Origin};
use serde::{Serialize, de::DeserializeOwned};
use std::marker::PhantomData;
use toml::{Table, Value};

const TAG: &str = "kind";

pub(super) fn resolve<C: Serialize + DeserializeOwned>(
    base: Table,
    layers: Vec<Vec<Assign>>,
) -> Result<C, ConfigError> {
    let mut merge =
        Merge::<C> { good: base.clone(), doc: base, unsettled: Vec::new(), _c: PhantomData };
    for mut layer in layers {
        layer.sort_by_key(|a| if is_tag(a) { a.path.len() } else { usize::MAX });
        for assign in layer {
            merge.apply(assign)?;
        }
    }
    merge.finish()
}

struct Merge<C> {
    doc: Table,
    /// The last `doc` that was complete, with every optional key that serde shows.
    good: Table,
    /// Applied since then.
    unsettled: Vec<Assign>,
    _c: PhantomData<C>,
}

impl<C: Serialize + DeserializeOwned> Merge<C> {
    fn apply(&mut self, assign: Assign) -> Result<(), ConfigError> {
        self.refuse_scalar_parent(&assign)?;
        let Some(value) = assign.value.clone() else { return self.remove(assign) };
        let (last, parent) = split(&assign.path);
        if is_tag(&assign) {
            let old = table_at(&self.doc, parent).and_then(|t| t.get(TAG));
            if old.is_some_and(|old| *old != value) {
                self.change_kind(parent, &value);
            }
        }
        match (table_mut(&mut self.doc, parent).get(last), &value) {
            (Some(Value::Table(_)), Value::Table(_)) => {} // an empty table over a full one
            _ => drop(table_mut(&mut self.doc, parent).insert(last.to_owned(), value)),
        }
        self.settle(assign)
    }

    /// Reads the document; blames a refusal on whoever caused it.
    fn settle(&mut self, assign: Assign) -> Result<(), ConfigError> {
        self.unsettled.push(assign);
        match read::<C>(&self.doc) {
            Ok((_, kept)) => {
                for assign in std::mem::take(&mut self.unsettled) {
                    let (Some(given), true) = (&assign.value, present(&self.doc, &assign)) else {
                        continue;
                    };
                    if let Some(key) = lost(given, Some(&kept), &assign.path) {
                        return Err(unknown(&assign, &key, &kept, &learned::<C>(&self.doc, &key)));
                    }
                }
                self.good = kept;
                Ok(())
            }
            Err(refusal) if refusal.may_be_completed() => Ok(()),
            Err(refusal) => {
                Err(explain(self.culprit(&refusal.message), &refusal.message, &self.good))
            }
        }
    }

    /// Of the unsettled settings the one without which all would be well; else the last.
    fn culprit(&self, message: &str) -> &Assign {
        let mut other = None;
        for assign in &self.unsettled {
            let (mut doc, (last, parent)) = (self.doc.clone(), split(&assign.path));
            table_mut(&mut doc, parent).remove(last);
            match read::<C>(&doc) {
                Ok(_) => return assign,
                Err(e) if e.message != message && !e.may_be_completed() => other = Some(assign),
                Err(_) => {}
            }
        }
        other.unwrap_or(&self.unsettled[self.unsettled.len() - 1])
    }

    fn remove(&mut self, assign: Assign) -> Result<(), ConfigError> {
        let (last, parent) = split(&assign.path);
        if table_at(&self.doc, parent).is_some_and(|t| t.contains_key(last)) {
            table_mut(&mut self.doc, parent).remove(last);
            return self.settle(assign);
        }
        // Absent: either already at "none", or no such key. Serde knows.
        let mut doc = self.doc.clone();
        table_mut(&mut doc, parent).insert(last.to_owned(), Value::Boolean(true));
        let known = match read::<C>(&doc) {
            Ok((_, kept)) => table_at(&kept, parent).is_some_and(|t| t.contains_key(last)),
            Err(e) => !e.message.starts_with("unknown field"),
        };
        if known {
            return Ok(());
        }
        Err(unknown(&assign, &assign.path, &self.good, &learned::<C>(&doc, &assign.path)))
    }

    /// Keeps of the table at `path` only what `kind` understands.
    fn change_kind(&mut self, path: &[String], kind: &Value) {
        let old = std::mem::take(table_mut(&mut self.doc, path));
        let alone = Table::from_iter([(TAG.to_owned(), kind.clone())]);
        let probe = |doc: &mut Table, table: &Table| {
            table_mut(doc, path).clone_from(table);
            read::<C>(doc)
        };
        let without = probe(&mut self.doc, &alone).err().map(|e| e.message);
        let mut new = alone.clone();
        for (key, value) in old {
            if key == TAG {
                continue;
            }
            let mut table = alone.clone();
            table.insert(key.clone(), value.clone());
            let understood = match probe(&mut self.doc, &table) {
                Ok((_, kept)) => {
                    let full = [path, std::slice::from_ref(&key)].concat();
                    lost(&value, Some(&kept), &full).is_none()
                }
                // Serde meets unknown keys before it misses any; a fault elsewhere says nothing about this key.
                Err(e) => e.message.starts_with("missing field") || Some(e.message) == without,
            };
            if understood {
                new.insert(key, value);
            }
        }
        *table_mut(&mut self.doc, path) = new;
    }

    fn refuse_scalar_parent(&self, assign: &Assign) -> Result<(), ConfigError> {
        let mut table = &self.doc;
        for (i, part) in assign.path[..assign.path.len() - 1].iter().enumerate() {
            match table.get(part) {
                Some(Value::Table(inner)) => table = inner,
                None => break,
                Some(single) => {
                    let (key, origin) = (assign.key(), assign.origin.clone());
                    let parent = assign.path[..=i].join(".");
                    return Err(ConfigError::NotATable {
                        key,
                        parent,
                        value: single.to_string(),
                        origin,
                    });
                }
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<C, ConfigError> {
        let refusal = match read::<C>(&self.doc) {
            Ok((config, _)) => return Ok(config),
            Err(refusal) => refusal,
        };
        if let Some(field) = refusal.message.strip_prefix("missing field ") {
            let field = field.trim_matches('`');
            let key = if refusal.at.is_empty() {
                field.to_owned()
            } else {
                format!("{}.{field}", refusal.at)
            };
            return Err(ConfigError::Missing { key });
        }
        let first = self.unsettled.first();
        let origin: Option<Origin> = first.map(|a| a.origin.clone());
        let key = first.map_or(refusal.at, Assign::key);
        Err(ConfigError::Invalid { key, message: refusal.message, origin })
    }
}

/// What serde said, and in which table as far as it knows.
struct Refusal {
    message: String,
    at: String,
}

impl Refusal {
    fn may_be_completed(&self) -> bool {
        const FINAL: [&str; 5] =
            ["unknown field", "unknown variant", "invalid type", "invalid value", "invalid length"];
        !FINAL.iter().any(|f| self.message.starts_with(f))
    }
}

/// The configuration, and the document as it writes it back.
fn read<C: Serialize + DeserializeOwned>(doc: &Table) -> Result<(C, Table), Refusal> {
    let refusal = |message: &str, text: &str| {
        let at = text.rsplit_once("in `").map_or("", |(_, at)| at.trim_end().trim_end_matches('`'));
        Refusal { message: message.to_owned(), at: at.to_owned() }
    };
    let config: C = Value::Table(doc.clone())
        .try_into()
        .map_err(|e: toml::de::Error| refusal(e.message(), &e.to_string()))?;
    let kept = Table::try_from(&config).map_err(|e| refusal(&e.to_string(), ""))?;
    Ok((config, kept))
}

/// The keys that serde lists when it meets a key that cannot exist beside `key`.
fn learned<C: Serialize + DeserializeOwned>(doc: &Table, key: &[String]) -> Vec<String> {
    let (mut doc, (last, parent)) = (doc.clone(), split(key));
    let table = table_mut(&mut doc, parent);
    table.remove(last);
    table.insert("\u{1}".into(), Value::Boolean(true));
    match read::<C>(&doc) {
        Err(e) if e.message.starts_with("unknown field `\u{1}`") => {
            e.message.split('`').skip(3).step_by(2).map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// The first key of `given`, set at `path`, that `kept` lacks.
fn lost(given: &Value, kept: Option<&Table>, path: &[String]) -> Option<Vec<String>> {
    let (last, parent) = split(path);
    for (i, _) in parent.iter().enumerate() {
        if kept.and_then(|k| table_at(k, &path[..=i])).is_none() {
            return Some(path[..=i].to_vec());
        }
    }
    let Some(found) = kept.and_then(|k| table_at(k, parent)).and_then(|t| t.get(last)) else {
        return Some(path.to_vec());
    };
    lost_inside(given, found, path)
}

fn lost_inside(given: &Value, found: &Value, path: &[String]) -> Option<Vec<String>> {
    match (given, found) {
        (Value::Table(given), Value::Table(found)) => given.iter().find_map(|(key, value)| {
            let full = [path, std::slice::from_ref(key)].concat();
            found.get(key).map_or(Some(full.clone()), |f| lost_inside(value, f, &full))
        }),
        (Value::Array(given), Value::Array(found)) => {
            given.iter().zip(found).find_map(|(g, f)| lost_inside(g, f, path))
        }
        _ => None,
    }
}

fn present(doc: &Table, assign: &Assign) -> bool {
    let (last, parent) = split(&assign.path);
    table_at(doc, parent).is_some_and(|t| t.contains_key(last))
}

fn is_tag(assign: &Assign) -> bool {
    assign.value.is_some() && assign.path.last().is_some_and(|k| k == TAG)
}

fn split(path: &[String]) -> (&str, &[String]) {
    path.split_last().map_or(("", path), |(last, parent)| (last.as_str(), parent))
}

/// The table at `path`, made where it is missing.
fn table_mut<'a>(table: &'a mut Table, path: &[String]) -> &'a mut Table {
    path.iter().fold(table, |t, key| {
        let entry = t.entry(key.clone()).or_insert_with(|| Value::Table(Table::new()));
        if !entry.is_table() {
            *entry = Value::Table(Table::new());
        }
        match entry {
            Value::Table(inner) => inner,
            _ => unreachable!("made a table just above"),
        }
    })
}
