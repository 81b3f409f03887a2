//! Proximal policy optimisation.
pub mod loss;
