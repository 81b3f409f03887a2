//! Experiments: configuration as data, presets, and what the command line does with them.
#![forbid(unsafe_code)]

/// Prints a line; a closed pipe (`| head`) is no error.
#[macro_export]
macro_rules! say {
    ($($text:tt)*) => {{
        let _ = std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{}\n", format_args!($($text)*)));
    }};
}

pub mod assemble;
pub mod bench;
mod builtin;
pub mod commands;
pub mod config;
pub mod failure;
pub mod figure;
mod font;
mod presets;
pub mod program;
pub mod render;

pub use program::Program;
