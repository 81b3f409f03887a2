//! Arguments that the parser refuses, answered with what was probably meant.
use crate::program::Program;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::ffi::OsString;

/// The parser's answer, and in place of its advice what is known of this program's settings.
pub(super) fn explained(program: &Program, arguments: &[OsString], e: clap::Error) -> clap::Error {
    let words: Vec<String> = arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    match better(program, &words, &e) {
        Some(text) => {
            clap::Error::raw(e.kind(), format!("{text}\n\nFor more information, try '--help'.\n"))
        }
        None => e,
    }
}

fn better(program: &Program, words: &[String], e: &clap::Error) -> Option<String> {
    let of = |kind| match e.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    match e.kind() {
        ErrorKind::UnknownArgument => {
            let given = of(ContextKind::InvalidArg)?;
            let at = words.iter().position(|w| w.split('=').next() == Some(given));
            let before = at.and_then(|i| words.get(i.checked_sub(1)?)).map_or("", String::as_str);
            unknown(program, words, given, before, at)
        }
        ErrorKind::ValueValidation => {
            let text = e.to_string();
            let whole = text.contains("invalid digit") || text.contains("is not in 0..");
            let flag = of(ContextKind::InvalidArg)?.split(' ').next()?;
            let value = of(ContextKind::InvalidValue)?;
            whole.then(|| format!("{flag} {value}: it takes a whole number, 0 or more"))
        }
        _ => None,
    }
}

fn unknown(
    program: &Program,
    words: &[String],
    given: &str,
    before: &str,
    at: Option<usize>,
) -> Option<String> {
    if given.strip_prefix('-').is_some_and(|n| n.parse::<f64>().is_ok()) && before.starts_with("--")
    {
        return Some(format!("{before} {given}: it takes a whole number, 0 or more"));
    }
    let two_before = at.and_then(|i| words.get(i.checked_sub(2)?)).map_or("", String::as_str);
    if two_before == "--set" && !before.contains('=') {
        return Some(format!("--set {before} {given}: write --set {before}={given}"));
    }
    if let Some(name) = given.strip_prefix("--") {
        let key = name.replace('-', "_");
        let paths = program.docs().ok()?.paths();
        let path = paths.iter().find(|p| p.rsplit('.').next() == Some(key.as_str()))?;
        let next = at.and_then(|i| words.get(i + 1)).filter(|w| !w.starts_with('-'));
        let value = next.map_or("VALUE", String::as_str);
        return Some(format!("there is no option {given}: write --set {path}={value}"));
    }
    None
}
