//! How the program ends when something went wrong: one line on standard error, and nothing of a C++ backtrace.
use rlcore::panics;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::ExitCode;

/// Installs a panic hook that prints nothing for a libtorch exception: the code that catches it prints one line. Call it before anything
/// else, so that workers have it too.
pub fn quiet_exceptions() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !is_exception(&panics::text(info.payload())) {
            before(info);
        }
    }));
}

/// Runs the program. An exception of libtorch is an error, since what raises one is beyond the program: memory that is taken by
/// others, a device that fails. Any other panic is a mistake of ours and stays one.
pub fn exit(run: impl FnOnce() -> anyhow::Result<i32>) -> ExitCode {
    let error = match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(code)) => return ExitCode::from(code as u8),
        Ok(Err(e)) => line(&e),
        Err(payload) => {
            let text = panics::text(&*payload);
            if !is_exception(&text) {
                resume_unwind(payload)
            }
            said(&text)
        }
    };
    // A full or closed standard error is no reason to panic.
    let _ = writeln!(std::io::stderr(), "error: {error}");
    ExitCode::FAILURE
}

/// tch panics with what libtorch said inside the debug print of its error type.
const EXCEPTION: &str = "Torch(\"";

fn is_exception(text: &str) -> bool {
    text.contains(EXCEPTION)
}

fn said(text: &str) -> String {
    let words = text.split_once(EXCEPTION).map_or(text, |(_, words)| words);
    let words = words.trim_end_matches(['"', ')']);
    let memory = ["can't allocate memory", "out of memory"].iter().any(|t| words.contains(t));
    let repair = if memory {
        "; memory ran out while the program ran: lower sampler.b, sampler.t, the sizes in agent.model or what an update takes, or end other programs"
    } else {
        ""
    };
    format!("libtorch: {words}{repair}")
}

/// An error with its causes on one line; a cause that its effect has quoted is not said again.
pub fn line(e: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in e.chain() {
        let cause = cause.to_string();
        if !text.contains(&cause) {
            text += if text.is_empty() { "" } else { ": " };
            text += &cause;
        }
    }
    text.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn causes_are_said_once() {
        let io = || std::io::Error::other("disk\non fire");
        let quoting = anyhow::Error::new(io()).context("reading: disk\non fire");
        assert_eq!(line(&quoting), "reading: disk on fire");
        let chain: anyhow::Result<()> = Err(io()).context("run");
        assert_eq!(line(&chain.unwrap_err()), "run: disk on fire");
    }

    #[test]
    fn exceptions_of_libtorch_lose_their_backtrace() {
        let payload = std::panic::catch_unwind(|| {
            let _ = tch::Tensor::zeros([1 << 60], (tch::Kind::Float, tch::Device::Cpu));
        });
        let text = panics::text(&*payload.unwrap_err());
        assert!(is_exception(&text) && !text.contains("frame #"), "{text}");
        assert!(said(&text).starts_with("libtorch: ") && !said(&text).contains("Torch("), "{text}");
        let memory = "called `Result::unwrap()` on an `Err` value: Torch(\"[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory";
        assert!(said(memory).contains("lower sampler.b"));
        assert!(!is_exception("index out of bounds"));
    }
}
