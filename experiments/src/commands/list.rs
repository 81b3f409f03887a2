//! `experiments list`.
use crate::config::ENVIRONMENTS;
use crate::presets::PRESETS;

pub(super) fn run() {
    println!("presets (experiments train <preset>)");
    for p in PRESETS {
        println!("  {:<16}{}", p.name, p.about);
    }
    println!("\nsamplers (--sampler)");
    println!("  {:<16}environments and agent in this process", "serial");
    println!("  {:<16}both in worker processes (--workers N); same samples to the bit", "cpu");
    println!("\nenvironments (--set env.kind=...)");
    for (name, about) in ENVIRONMENTS {
        println!("  {name:<16}{about}");
    }
}
