//! The environment seam: how often environments are constructed, and what a slice of columns may do.
#![allow(missing_docs)]
#[path = "seam/constructions.rs"]
mod constructions;
#[path = "seam/foreign.rs"]
mod foreign;

use tests::Body;

fn main() -> std::process::ExitCode {
    if let Err(e) = rlcore::forkserver::init() {
        eprintln!("{e}");
        return std::process::ExitCode::FAILURE;
    }
    let mut cases: Vec<(String, Body)> = constructions::cases();
    cases.extend(foreign::cases());
    tests::main(cases)
}
