//! Plain data that every Bitlathe crate shares: what a core's ports, registers, tensors and streams are.
//!
//! A leaf crate: it computes nothing but index arithmetic, and imports no other Bitlathe crate.

pub mod axi;
mod interface;
mod layout;
mod rounding;
mod target;
mod tensor;

pub use interface::{Access, Dir, Field, FieldValue, Interface, Register, Scalar, Stream};
pub use layout::{Axis, Extent, LaneVar, Layout, LayoutError, LoopVar, Slot};
pub use rounding::Rounding;
pub use target::{Capacity, Family, Flow, TARGETS, Target};
pub use tensor::{Carrier, DType, DimSpec, Dims, Job, Role, Shape, SourceFile, Tensor, TensorError, TensorSpec};
