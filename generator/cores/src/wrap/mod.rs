//! Wrapped tops: a core behind standard buses, made from its interface in the same way for every kind.

mod axi;
pub(crate) mod control;
mod kernel;
mod registers;
mod top;

use bitlathe_hdl::{Checked, Errors};
use bitlathe_spec::axi::AxiInterface;
use bitlathe_spec::{Family, Interface};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::PartCost;

/// What stands around the core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Wrap {
    /// Nothing: valid/ready streams and a register port.
    #[default]
    None,
    /// AXI4-Stream and AXI4-Lite.
    Axi,
    /// A kernel of XRT: an AXI4 master for each stream, `ap_ctrl_hs` and arguments over AXI4-Lite.
    Kernel,
}

impl Wrap {
    /// Whether the core stays bare; a config then needs no word on it.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }

    /// Ports and registers of a core's wrapped top; `config_hash` are the first 32 bits of its config's hash.
    pub fn interface(self, core: &Interface, config_hash: u32) -> Option<AxiInterface> {
        match self {
            Self::None => None,
            Self::Axi => Some(registers::axi_interface(core, config_hash)),
            Self::Kernel => Some(registers::kernel_interface(core, config_hash)),
        }
    }

    /// The core with its wrapper, which has this interface.
    pub fn design(self, core: Checked, interface: &Interface, axi: &AxiInterface) -> Result<Checked, Errors> {
        match self {
            Self::None => Ok(core),
            Self::Axi => axi::design(&core, interface, axi),
            Self::Kernel => kernel::design(&core, interface, axi),
        }
    }

    /// Cost of what stands around the core.
    pub fn cost(self, axi: &AxiInterface, family: Family) -> Vec<PartCost> {
        match self {
            Self::None => vec![],
            Self::Axi => axi::cost(axi, family),
            Self::Kernel => kernel::cost(axi, family),
        }
    }
}
