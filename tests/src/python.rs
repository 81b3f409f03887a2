//! The Python of tests that ask other programs whether they can read what we write.
//!
//! `COLONY_PYTHON` names it (default `python3`). Where it lacks the modules a test is left out, which is an error with
//! `COLONY_REQUIRE_TORCH=1`, as in CI.
use crate::leave_out::left_out;
use std::process::Command;

/// The interpreter.
pub fn path() -> String {
    std::env::var("COLONY_PYTHON").unwrap_or_else(|_| "python3".into())
}

/// Whether it has `modules` (`torch, numpy`); says so where not.
pub fn imports(modules: &str) -> bool {
    let python = path();
    let why = match Command::new(&python).args(["-c", &format!("import {modules}")]).output() {
        Ok(out) if out.status.success() => return true,
        Ok(out) => String::from_utf8_lossy(&out.stderr).lines().last().unwrap_or("").to_owned(),
        Err(e) => e.to_string(),
    };
    let reason =
        format!("{python} cannot import {modules} ({why}): set COLONY_PYTHON to one that can");
    left_out(&reason, "COLONY_REQUIRE_TORCH");
    false
}
