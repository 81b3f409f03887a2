//! Experiments: configuration as data, presets, and what the command line does with them.
#![forbid(unsafe_code)]

pub mod assemble;
pub mod bench;
pub mod commands;
pub mod config;
pub mod demo;
pub mod presets;
