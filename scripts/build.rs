//! The build script of every crate here: makes its binaries and tests find libtorch when they start.
//!
//! tch tells the linker where libtorch is, but leaves no trace of that in what is linked: without the
//! rpath below a binary stops at "libtorch_cpu.so: cannot open shared object file". It also checks,
//! before minutes of compilation, that libtorch is there and is the release that tch was written for.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::exit;

/// The libtorch that tch 0.24 binds; also the pin of `scripts/libtorch-*.txt`.
const VERSION: &str = "2.11.0";

fn main() {
    for name in ["LIBTORCH", "LIBTORCH_LIB", "LIBTORCH_BYPASS_VERSION_CHECK"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    let without_tch = path("CARGO_PKG_NAME").is_some_and(|name| name == Path::new("rlcore"))
        && path("CARGO_FEATURE_TCH").is_none();
    if without_tch {
        return;
    }
    if let Err(what) = link() {
        println!("cargo::error={what}");
        exit(1);
    }
}

fn link() -> Result<(), String> {
    // Cargo sets it from .cargo/config.toml, which it reads only when started inside the clone.
    let root = path("LIBTORCH").ok_or(
        "LIBTORCH is not set: run cargo inside the clone, where .cargo/config.toml sets it",
    )?;
    let lib = path("LIBTORCH_LIB").unwrap_or_else(|| root.clone()).join("lib");

    let cpu = lib.join("libtorch_cpu.so");
    // A libtorch that was replaced is newer: `scripts/libtorch.py` sees to it.
    println!("cargo::rerun-if-changed={}", cpu.display());
    if !cpu.exists() {
        return Err(format!(
            "libtorch is not here ({} does not exist): run `make setup` in the clone",
            cpu.display()
        ));
    }
    check_version(&root)?;

    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    if lib.join("libtorch_cuda.so").exists() {
        // No symbol of ours refers to it, so the linker would drop it, and `Cuda::is_available()`
        // would be false on a machine with a GPU.
        println!("cargo::rustc-link-arg=-L{}", lib.display());
        println!("cargo::rustc-link-arg=-Wl,--push-state,--no-as-needed,-ltorch_cuda,--pop-state");
    }
    Ok(())
}

/// Wheels carry `version.py`, the zip from PyTorch's site `build-version`; a tree with neither passes.
fn check_version(root: &Path) -> Result<(), String> {
    if env::var_os("LIBTORCH_BYPASS_VERSION_CHECK").is_some() {
        return Ok(());
    }
    let found = fs::read_to_string(root.join("build-version")).ok().or_else(|| {
        let text = fs::read_to_string(root.join("version.py")).ok()?;
        let line = text.lines().find(|line| line.starts_with("__version__"))?;
        Some(line.split('\'').nth(1)?.to_owned())
    });
    match found {
        // "2.11.0", "2.11.0+cpu", "2.11.0+cu130"
        Some(found) if found.trim().split('+').next() != Some(VERSION) => Err(format!(
            "libtorch in {} is {}, tch needs {VERSION}: unset LIBTORCH and run `make setup`",
            root.display(),
            found.trim()
        )),
        _ => Ok(()),
    }
}

fn path(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from)
}
