//! Documentation of settings as Markdown.
use super::{Docs, join, shown};
use std::fmt::Write;

pub(super) fn write(docs: &Docs, level: usize) -> String {
    let mut out = Out { text: String::new(), kinds: Vec::new() };
    out.rows("", &docs.keys);
    out.tables("", "", &docs.keys, level);
    out.text
}

struct Out<'a> {
    text: String,
    /// The choices written so far, with their tables: a choice that comes again is referred to.
    kinds: Vec<(&'a [(String, Docs)], String)>,
}

impl<'a> Out<'a> {
    /// The settings of one table that are no tables.
    fn rows(&mut self, path: &str, keys: &[(String, Docs)]) {
        let single: Vec<_> = keys.iter().filter(|(_, docs)| !docs.is_table()).collect();
        if single.is_empty() {
            return;
        }
        self.text += "\n| setting | takes | default | |\n|---|---|---|---|\n";
        for (key, docs) in single {
            let default =
                docs.default.as_ref().map_or(String::new(), |d| format!("`{}`", shown(d)));
            let mut about = docs.about.replace("\n\n", "<br>");
            for (word, what) in docs.words.iter().filter(|(_, what)| !what.is_empty()) {
                let _ = write!(about, "<br>`{word}`: {}", what.replace("\n\n", " "));
            }
            let takes = if docs.words.is_empty() {
                docs.takes.clone()
            } else {
                docs.takes.replace(", ", "<br>")
            };
            let cells = [format!("`{}`", join(path, key)), takes, default, about];
            let _ = writeln!(self.text, "| {} |", cells.map(|c| c.replace('|', "\\|")).join(" | "));
        }
    }

    /// A section for each setting that is a table. `of`: the kind of the table that they belong to.
    fn tables(&mut self, path: &str, of: &str, keys: &'a [(String, Docs)], level: usize) {
        for (key, docs) in keys.iter().filter(|(_, docs)| docs.is_table()) {
            let path = join(path, key);
            let _ = writeln!(self.text, "\n{} `{path}`{of}\n\n{}", "#".repeat(level), docs.about);
            if docs.is_optional {
                let _ = writeln!(self.text, "\nDefault: `\"none\"`.");
            }
            if let Some((_, other)) =
                self.kinds.iter().find(|(kinds, _)| *kinds == docs.kinds && !kinds.is_empty())
            {
                let _ =
                    writeln!(self.text, "\nThe kinds and their settings are those of `{other}`.");
                continue;
            }
            if !docs.kinds.is_empty() {
                self.kinds
                    .push((&docs.kinds, format!("{path}`{of}").trim_end_matches('`').to_owned()));
            }
            self.rows(&path, &docs.keys);
            self.tables(&path, of, &docs.keys, level + 1);
            for (kind, docs) in &docs.kinds {
                let heading = format!("`{path}.kind = \"{kind}\"`{of}");
                let _ =
                    writeln!(self.text, "\n{} {heading}\n\n{}", "#".repeat(level + 1), docs.about);
                self.rows(&path, &docs.keys);
                let of = format!(" with `{path}.kind = \"{kind}\"`");
                self.tables(&path, &of, &docs.keys, level + 2);
            }
        }
    }
}
