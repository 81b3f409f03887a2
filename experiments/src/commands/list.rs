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
    crate::say!("\nenvironments (--set env.kind=...)");
    for (name, about) in ENVIRONMENTS {
        crate::say!("  {name:<24}{about}");
    }
}
