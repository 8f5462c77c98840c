//! The one model of a core's boundary: RTL ports, shim, testbench, drivers, packages and datasheet are made from it.

use serde::Serialize;

use crate::layout::{Extent, Layout};
use crate::tensor::{DimSpec, TensorSpec};

/// Direction as seen from the core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Dir {
    In,
    Out,
}

/// A valid/ready stream. Its ports are `<name>_valid_i`, `<name>_ready_o`, `<name>_data_i`, `<name>_last_i` (or `_o`, `_i`, …).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stream {
    /// Port prefix, equal to the tensor's name.
    pub name: String,
    /// Direction.
    pub dir: Dir,
    /// Walk over the tensor of the same name.
    pub layout: Layout,
    /// Whether lane values are signed (for `plain` lanes).
    pub signed: bool,
    /// Whether the stream carries `last`, which marks the job's last beat.
    pub last: bool,
    /// One sentence for documentation.
    pub doc: String,
}

/// Who may change a register field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Access {
    /// Read and write by software.
    ReadWrite,
    /// Set by the core only.
    ReadOnly,
    /// Set by the core, cleared by reading it.
    ReadToClear,
    /// Set by the core, cleared by writing a one.
    WriteOneToClear,
    /// Set by writing a one, reads as one until the core has done what it asks for.
    Trigger,
}

/// What software writes into a field before a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldValue {
    /// Nothing: the field is not part of a job's set-up.
    None,
    /// A count that follows from the job's sizes.
    Extent(Extent),
    /// The product of such counts: how often a nest of loops runs.
    Product(Vec<Extent>),
    /// The beats of a walk.
    Beats(Box<Layout>),
    /// One element of a tensor, counted in row-major order.
    Element {
        /// Name of the tensor.
        tensor: String,
        /// Which element.
        index: usize,
    },
}

/// One field of a register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Name, unique in the core.
    pub name: String,
    /// Lowest bit.
    pub lsb: u32,
    /// Width in bits.
    pub width: u32,
    /// Who changes it.
    pub access: Access,
    /// Smallest legal value.
    pub min: u64,
    /// Largest legal value; a write outside is refused and sets the `config_error` status bit.
    pub max: u64,
    /// Value after reset.
    pub reset: u64,
    /// What a job writes.
    pub value: FieldValue,
    /// One sentence for documentation.
    pub doc: String,
}

/// A 32-bit register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Register {
    /// Name, unique in the core.
    pub name: String,
    /// Byte offset, a multiple of 4.
    pub offset: u32,
    /// Fields, lowest bit first.
    pub fields: Vec<Field>,
    /// One sentence for documentation.
    pub doc: String,
}

/// A run-time size of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Scalar {
    /// Name used in shapes.
    pub name: String,
    /// Smallest legal value.
    pub min: u64,
    /// Largest legal value.
    pub max: u64,
    /// One sentence for documentation.
    pub doc: String,
}

/// Everything that crosses a core's boundary.
///
/// Beside its streams a core has `clk_i`, `rst_i` (synchronous, active high) and, when it has registers, the register port:
/// `reg_write_i`, `reg_addr_i` (byte address), `reg_wdata_i[31:0]`, `reg_rdata_o[31:0]` (same cycle, by address).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Interface {
    /// Name of the top module.
    pub top: String,
    /// Run-time sizes with their bounds.
    pub sizes: Vec<Scalar>,
    /// Tensors of a job.
    pub tensors: Vec<TensorSpec>,
    /// Streams, inputs first.
    pub streams: Vec<Stream>,
    /// Register map.
    pub registers: Vec<Register>,
}

impl Interface {
    /// Width of the register address port: enough bits for the last byte offset.
    pub fn address_bits(&self) -> u32 {
        let last = self.registers.iter().map(|r| r.offset).max().unwrap_or(0);
        (last + 4).next_power_of_two().trailing_zeros().max(3)
    }

    /// Looks a stream up by name.
    pub fn stream(&self, name: &str) -> Option<&Stream> {
        self.streams.iter().find(|s| s.name == name)
    }

    /// Looks a tensor up by name.
    pub fn tensor(&self, name: &str) -> Option<&TensorSpec> {
        self.tensors.iter().find(|t| t.name == name)
    }

    /// Looks a register field up by name.
    pub fn field(&self, name: &str) -> Option<(&Register, &Field)> {
        self.registers.iter().find_map(|r| r.fields.iter().find(|f| f.name == name).map(|f| (r, f)))
    }

    /// The names of the sizes that a tensor's shape uses.
    pub fn names(spec: &TensorSpec) -> impl Iterator<Item = &str> {
        spec.shape.iter().filter_map(|d| match d {
            DimSpec::Named(s) => Some(s.as_str()),
            DimSpec::CeilDiv { dim, .. } => Some(dim.as_str()),
            DimSpec::Fixed(_) => None,
        })
    }
}
