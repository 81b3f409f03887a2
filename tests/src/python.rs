//! The Python of tests that ask other programs whether they can read what we write.
//!
//! `COLONY_PYTHON` names it (default `python3`). Where it lacks the modules a test is left out, which is an error with
//! `COLONY_REQUIRE_TORCH=1`, as in CI.
use std::process::Command;

/// The interpreter.
pub fn path() -> String {
    std::env::var("COLONY_PYTHON").unwrap_or_else(|_| "python3".into())
}

/// Whether it has `modules` (`torch, numpy`); says so where not.
pub fn imports(modules: &str) -> bool {
    let python = path();
    match Command::new(&python).args(["-c", &format!("import {modules}")]).output() {
        Ok(out) if out.status.success() => return true,
        Ok(out) => println!("note: {}", String::from_utf8_lossy(&out.stderr).trim()),
        Err(e) => println!("note: {python}: {e}"),
    }
    assert_ne!(
        std::env::var("COLONY_REQUIRE_TORCH").as_deref(),
        Ok("1"),
        "{python} cannot import {modules}: set COLONY_PYTHON to one that can, or do not set COLONY_REQUIRE_TORCH",
    );
    println!("note: left out; set COLONY_PYTHON to a Python that can import {modules}");
    false
}
