//! Text that Bitlathe writes for others to read or compile: structs for askama templates, no arithmetic.

pub mod board;
pub mod constraints;
pub mod datasheet;
pub mod fusesoc;
pub mod model_page;
pub mod package;
pub mod shim;
pub mod testbench;

pub use askama::{Error as RenderError, Template};
