//! The environment seam: how often environments are constructed, and what a slice of columns may do.
#![allow(missing_docs)]
#[path = "seam/constructions.rs"]
mod constructions;

use tests::Body;

fn main() -> std::process::ExitCode {
    if let Err(e) = rlcore::forkserver::init() {
        eprintln!("{e}");
        return std::process::ExitCode::FAILURE;
    }
    let cases: Vec<(String, Body)> = constructions::cases();
    tests::main(cases)
}
