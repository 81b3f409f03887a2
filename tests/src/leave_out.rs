//! Tests that this machine cannot run: left out with a line on the terminal, or an error where that is asked for, as in CI.
use std::io::Write;

/// Says on standard error, past the test harness, which keeps what a passing test prints, that a test is left out because of
/// `reason`.
///
/// # Panics
/// Where the environment variable `required` is 1: nothing may be left out.
pub fn left_out(reason: &str, required: &str) {
    assert_ne!(
        std::env::var(required).as_deref(),
        Ok("1"),
        "{reason}; this must not be left out, because {required}=1 is set",
    );
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Whoever closed standard error does not want to know.
    let _ = writeln!(
        std::io::stderr(),
        "LEFT OUT: {test}: {reason} ({required}=1 makes this an error)"
    );
}
