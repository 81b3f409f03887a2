//! Tests that this machine cannot run. Such a test prints a line on the terminal and passes, or fails where an environment variable
//! requires it to run, as in CI.
use std::io::Write;

/// Reports that a test is left out because of `reason`. The line goes directly to standard error, because the test harness does not
/// show what a passing test prints.
///
/// # Panics
/// The environment variable named `required` is 1: the test must not be left out.
pub fn left_out(reason: &str, required: &str) {
    assert_ne!(
        std::env::var(required).as_deref(),
        Ok("1"),
        "{reason}; this must not be left out, because {required}=1 is set",
    );
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Ignored: standard error may be closed.
    let _ = writeln!(
        std::io::stderr(),
        "LEFT OUT: {test}: {reason} ({required}=1 makes this an error)"
    );
}
