//! Text that Bitlathe writes for others to read or compile: structs for askama templates, no arithmetic.

pub mod datasheet;
pub mod fusesoc;
pub mod model_page;
pub mod shim;
pub mod testbench;

pub use askama::{Error as RenderError, Template};
