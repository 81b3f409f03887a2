//! `experiments list`.
use crate::config::ENVIRONMENTS;
use crate::presets::PRESETS;

pub(super) fn run() {
    crate::say!("presets (experiments train <preset>)");
    for p in PRESETS {
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
    crate::say!("\nenvironments (--set env.kind=...)");
    for (name, about) in ENVIRONMENTS {
        crate::say!("  {name:<24}{about}");
    }
}
