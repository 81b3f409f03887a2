//! SIGINT (Ctrl-C) and SIGTERM. After the first signal the run finishes its iteration and writes a checkpoint; a second signal
//! ends the process at once.
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

static CAUGHT: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// Installs the signal handlers. Call this after the fork server was started; further calls have no effect.
pub fn listen() -> std::io::Result<()> {
    begin(true)
}

/// As [`listen`], except that a second signal changes nothing: for a process whose parent decides when to wait no longer, and which a
/// terminal's Ctrl-C reaches as well as the parent's signal.
pub fn listen_patiently() -> std::io::Result<()> {
    begin(false)
}

fn begin(second_exits: bool) -> std::io::Result<()> {
    if CAUGHT.get().is_some() {
        return Ok(());
    }
    let (caught, again) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    for signal in [SIGINT, SIGTERM] {
        if second_exits {
            // In this order: a first signal finds `again` unset, a second one set.
            flag::register_conditional_shutdown(signal, exit_code(signal), again.clone())?;
            flag::register(signal, again.clone())?;
        }
        flag::register_usize(signal, caught.clone(), signal as usize)?;
    }
    // Lost only to another caller, whose handlers then do the same.
    let _ = CAUGHT.set(caught);
    Ok(())
}

/// The signal that was received, if any.
pub fn caught() -> Option<i32> {
    let signal = CAUGHT.get()?.load(Ordering::Relaxed) as i32;
    (signal != 0).then_some(signal)
}

/// The exit code of a process that a signal ended: 130 for SIGINT, 143 for SIGTERM.
pub fn exit_code(signal: i32) -> i32 {
    128 + signal
}
