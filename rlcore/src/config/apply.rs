//! Settings applied one at a time; the first that serde refuses is named.
//!
//! A configuration may be incomplete in between (a new `kind` whose required keys come next, two values checked together): "missing
//! field" and the struct's own messages count only at the end. Within a layer `kind` goes first, outermost first.
use super::assign::Assign;
use super::probe::{learned, lost, read, split, table_mut};
use super::repair::instead;
use super::suggest::{explain, table_at, unknown};
use super::{ConfigError, Form, Repair, UNSET};
use toml::{Table, Value};

const TAG: &str = "kind";

pub(super) fn resolve<F: Form>(
    form: &F,
    base: Table,
    layers: Vec<Vec<Assign>>,
) -> Result<F::Config, ConfigError> {
    let mut merge = Merge { form, good: base.clone(), doc: base, unsettled: Vec::new() };
    for mut layer in layers {
        layer.sort_by_key(|a| if is_tag(a) { a.path.len() } else { usize::MAX });
        for assign in layer {
            merge.apply(assign)?;
        }
    }
    merge.finish()
}

struct Merge<'a, F> {
    form: &'a F,
    doc: Table,
    /// The last `doc` that was complete, with every optional key that serde shows.
    good: Table,
    /// Applied since then.
    unsettled: Vec<Assign>,
}

impl<F: Form> Merge<'_, F> {
    fn apply(&mut self, assign: Assign) -> Result<(), ConfigError> {
        self.refuse_scalar_parent(&assign)?;
        let Some(value) = assign.value.clone() else { return self.remove(assign) };
        if value.as_str() == Some(UNSET) && self.is_optional(&assign) {
            let (last, parent) = split(&assign.path);
            table_mut(&mut self.doc, parent).remove(last);
            return self.settle(Assign { value: None, ..assign });
        }
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

    /// Whether a setting that is removed is unset.
    fn is_optional(&self, assign: &Assign) -> bool {
        let (last, parent) = split(&assign.path);
        let without = |doc: &Table| {
            let mut doc = doc.clone();
            table_mut(&mut doc, parent).remove(last);
            read(self.form, &doc).map(|(_, kept)| {
                table_at(&kept, parent).and_then(|t| t.get(last)?.as_str()) == Some(UNSET)
            })
        };
        match without(&self.doc) {
            Ok(is_optional) => is_optional,
            // Something else is still missing: a key of the last complete configuration, or one that does not take the word.
            Err(e) if e.may_be_completed() => {
                let mut doc = self.doc.clone();
                table_mut(&mut doc, parent).insert(last.to_owned(), UNSET.into());
                let refused = "invalid type: string \"none\"";
                without(&self.good).is_ok_and(|is_optional| is_optional)
                    || read(self.form, &doc).err().is_some_and(|e| e.message.starts_with(refused))
            }
            Err(_) => false,
        }
    }

    /// Reads the document; blames a refusal on whoever caused it.
    fn settle(&mut self, assign: Assign) -> Result<(), ConfigError> {
        self.unsettled.push(assign);
        match read(self.form, &self.doc) {
            Ok((_, kept)) => {
                for assign in std::mem::take(&mut self.unsettled) {
                    let (Some(given), true) = (&assign.value, present(&self.doc, &assign)) else {
                        continue;
                    };
                    if let Some(key) = lost(given, &kept, &assign.path) {
                        return Err(unknown(
                            &assign,
                            &key,
                            &kept,
                            &learned(self.form, &self.doc, &key),
                        ));
                    }
                }
                self.good = kept;
                Ok(())
            }
            Err(refusal) if refusal.may_be_completed() => Ok(()),
            Err(refusal) => {
                let culprit = self.culprit(&refusal.message);
                Err(match explain(culprit, &refusal.message, &self.good) {
                    ConfigError::WrongType { key, wanted, given, repair, origin } => {
                        let instead = instead(culprit, |value| {
                            let (mut doc, (last, parent)) =
                                (self.doc.clone(), split(&culprit.path));
                            table_mut(&mut doc, parent).insert(last.to_owned(), value.clone());
                            read(self.form, &doc).is_ok()
                        });
                        let repair = repair.or(instead.map(Repair::Assignment));
                        ConfigError::WrongType { key, wanted, given, repair, origin }
                    }
                    other => other,
                })
            }
        }
    }

    /// Of the unsettled settings the one without which all would be well; else the last.
    fn culprit(&self, message: &str) -> &Assign {
        let mut other = None;
        for assign in &self.unsettled {
            let (mut doc, (last, parent)) = (self.doc.clone(), split(&assign.path));
            table_mut(&mut doc, parent).remove(last);
            match read(self.form, &doc) {
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
        let known = match read(self.form, &doc) {
            Ok((_, kept)) => table_at(&kept, parent).is_some_and(|t| t.contains_key(last)),
            Err(e) => !e.message.starts_with("unknown field"),
        };
        if known {
            return Ok(());
        }
        Err(unknown(&assign, &assign.path, &self.good, &learned(self.form, &doc, &assign.path)))
    }

    /// What the form begins with; else of the table at `path` only what `kind` understands is kept.
    fn change_kind(&mut self, path: &[String], kind: &Value) {
        let form = self.form;
        if let Value::String(kind) = kind
            && form.begin(&mut self.doc, path, kind)
        {
            return;
        }
        let old = std::mem::take(table_mut(&mut self.doc, path));
        let alone = Table::from_iter([(TAG.to_owned(), kind.clone())]);
        let probe = |doc: &mut Table, table: &Table| {
            table_mut(doc, path).clone_from(table);
            read(form, doc)
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
                    lost(&value, &kept, &full).is_none()
                }
                // Serde meets unknown keys before it misses any; a fault elsewhere says nothing about this key. Where the
                // kind needs no other key, what is missing is missing inside of this one: it is of the old kind.
                Err(e) => {
                    let missing = without.is_some() && e.message.starts_with("missing field");
                    missing || Some(e.message) == without
                }
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

    fn finish(self) -> Result<F::Config, ConfigError> {
        let refusal = match read(self.form, &self.doc) {
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
        let origin = first.map(|a| a.origin.clone());
        let key = first.map_or(refusal.at, Assign::key);
        Err(ConfigError::Invalid { key, message: refusal.message, origin })
    }
}

fn present(doc: &Table, assign: &Assign) -> bool {
    let (last, parent) = split(&assign.path);
    table_at(doc, parent).is_some_and(|t| t.contains_key(last))
}

fn is_tag(assign: &Assign) -> bool {
    assign.value.is_some() && assign.path.last().is_some_and(|k| k == TAG)
}
