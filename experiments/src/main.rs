//! `experiments`: see `experiments --help`.
fn main() -> std::process::ExitCode {
    experiments::Program::new().main()
}
