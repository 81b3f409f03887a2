//! The Python interpreter for tests in which other programs read our files.
//!
//! `COLONY_PYTHON` names the interpreter (default `python3`). If it lacks a module, the test is left out; with
//! `COLONY_REQUIRE_TORCH=1`, as in CI, the test fails.
use crate::leave_out::left_out;
use std::process::Command;

/// The interpreter.
pub fn path() -> String {
    std::env::var("COLONY_PYTHON").unwrap_or_else(|_| "python3".into())
}

/// Whether the interpreter can import `modules` (for example `torch, numpy`); see [`left_out`] for what happens if not.
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
