//! The one font of all pictures, in the program: a fresh machine has none.
//!
//! Ubuntu Light (Ubuntu Font Licence 1.0), as egui ships it. An SVG names only the family `sans-serif`, and its viewer chooses.

/// The font's file, TrueType.
pub(crate) const FONT: &[u8] = epaint_default_fonts::UBUNTU_LIGHT;
