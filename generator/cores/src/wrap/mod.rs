//! Wrapped tops: a core behind standard buses, made from its interface in the same way for every kind.

pub mod axi;
pub(crate) mod control;
mod registers;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use registers::axi_interface;

/// What stands around the core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wrap {
    /// Nothing: valid/ready streams and a register port.
    #[default]
    None,
    /// AXI4-Stream and AXI4-Lite.
    Axi,
}

impl Wrap {
    /// Whether the core stays bare; a config then needs no word on it.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}
