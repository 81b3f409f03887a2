//! Learning curves from run directories: what `experiments plot` draws.
//!
//! Runs whose `config.toml` differs in nothing but the seed are one configuration ([`group`]), drawn as a line and a band
//! ([`curve`]). One function draws the figure for SVG and PNG ([`draw`], [`output`]).
//!
//! As rlpyt's `viskit` does for its `progress.csv`, with these differences: seeds are interpolated onto a common grid instead of
//! cut to the shortest, and the legend is found from the settings that differ instead of asked for.
pub mod curve;
pub mod draw;
pub mod group;
pub mod output;
pub mod run;
pub mod ticks;
