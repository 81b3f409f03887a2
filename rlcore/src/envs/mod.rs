//! Native environments, and the slice that steps many of one kind.
pub mod columns;
