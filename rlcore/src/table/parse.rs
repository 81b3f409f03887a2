//! Parsing a log that may be incomplete or damaged: the complete rows at its head, and the reason why they end.
use super::unquoted;

/// The rows at the head of a log.
#[derive(Debug, Default)]
pub(super) struct Head<'a> {
    pub(super) columns: Vec<String>,
    /// The rows, each with its line break.
    pub(super) rows: Vec<&'a str>,
    /// Why the rows end.
    pub(super) end: End,
}

/// What follows the last row that was taken.
#[derive(Debug, Default, PartialEq)]
pub(super) enum End {
    /// All requested rows exist.
    #[default]
    Enough,
    /// Nothing, or a row that was being written when the system stopped: a part of it, or zeros. Later rows were lost.
    Lost,
    /// A damaged line, counted from 1, and what is wrong with it.
    Damaged { line: usize, what: String },
}

/// Parses the header and at most `rows` rows.
pub(super) fn head(bytes: &[u8], rows: u64) -> Head<'_> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // A crash may have cut a character in two; the complete text ends before it.
        Err(e) => std::str::from_utf8(&bytes[..e.valid_up_to()]).unwrap_or_default(),
    };
    let mut out = Head::default();
    let mut at = 0;
    let mut header = false;
    while (out.rows.len() as u64) < rows {
        let what = match line(&text[at..]) {
            Line::Whole(line) => {
                let count = fields(line).len();
                if !header {
                    out.columns = fields(line).into_iter().map(unquoted).collect();
                    header = true;
                } else if count == out.columns.len() {
                    out.rows.push(line);
                } else {
                    let columns = out.columns.len();
                    out.end = damaged(bytes, at, format!("{count} cells for {columns} columns"));
                    return out;
                }
                at += line.len();
                continue;
            }
            Line::CutOff => "it has no end".to_owned(),
            Line::Bad(what) => what.to_owned(),
        };
        // A row that was being written is the last line.
        let lost = !bytes[at..].contains(&b'\n');
        out.end = if lost { End::Lost } else { damaged(bytes, at, what) };
        return out;
    }
    out
}

fn damaged(bytes: &[u8], at: usize, what: String) -> End {
    let line = bytes[..at].split(|b| *b == b'\n').count();
    End::Damaged { line, what }
}

enum Line<'a> {
    Whole(&'a str),
    CutOff,
    Bad(&'static str),
}

/// The first line of `text`, by RFC 4180: a field has quotes all around it or none, and only a quoted one may hold a line break.
fn line(text: &str) -> Line<'_> {
    #[derive(PartialEq)]
    enum At {
        FieldStart,
        Plain,
        Quoted,
        /// After a quote within quotes: the end of the field, or the first quote of a pair.
        Quote,
    }
    let mut state = At::FieldStart;
    for (i, c) in text.char_indices() {
        state = match (state, c) {
            (_, '\0') => return Line::Bad("a zero byte"),
            (At::Quoted, '"') => At::Quote,
            (At::FieldStart | At::Quote, '"') | (At::Quoted, _) => At::Quoted,
            (At::Plain, '"') => return Line::Bad("a quote within a cell"),
            (_, '\n') => return Line::Whole(&text[..=i]),
            (_, ',') => At::FieldStart,
            (At::Quote, _) => return Line::Bad("text behind a quoted cell"),
            (At::FieldStart | At::Plain, _) => At::Plain,
        };
    }
    if state == At::Quoted { Line::Bad("a quote that is not closed") } else { Line::CutOff }
}

/// The fields of a whole line, still quoted.
pub(super) fn fields(line: &str) -> Vec<&str> {
    let mut inside = false;
    let line = line.strip_suffix('\n').unwrap_or(line);
    line.split(|c| {
        inside ^= c == '"';
        c == ',' && !inside
    })
    .collect()
}
