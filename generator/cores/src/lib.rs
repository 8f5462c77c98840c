//! The cores: one folder each, and the hardware parts that they share.

mod core;

pub use crate::core::*;
