//! `experiments list`.
use crate::program::Program;

pub(super) fn run(program: &Program) {
    crate::say!("presets (train <preset>)");
    for p in program.presets() {
        crate::say!("  {:<16}{}", p.name, p.about);
    }
    crate::say!("\nsamplers (--sampler)");
    crate::say!("  {:<16}environments and agent in this process", "serial");
    crate::say!("  {:<16}both in worker processes (--workers N)", "cpu");
    crate::say!("  {:<16}environments in workers, the agent here, on all of them at once", "gpu");
    crate::say!(
        "  {:<16}the same by halves: workers step one, the agent acts on the other",
        "alternating"
    );
    crate::say!("\nenvironments (--env)");
    all(program.environments());
    crate::say!("\nagents (--set agent.kind=...)");
    all(program.agents());
    crate::say!("\nalgorithms (--set algo.kind=...)");
    all(program.algorithms());
}

fn all(kinds: impl Iterator<Item = (&'static str, &'static str)>) {
    for (name, about) in kinds {
        crate::say!("  {name:<24}{about}");
    }
}
