//! The RTL language: parametrised, readable Verilog-2005 built and checked in Rust.
//!
//! `examples/mac_cell.rs` prints a whole cell; this is its heart:
//!
//! ```
//! use bitlathe_hdl::{Module, bit, check, sint};
//!
//! let m = Module::new("mac_cell");
//! let (w, acc) = (m.param("W", 8, 2..=16, "operand width"), m.param("ACC", 24, 8..=48, "accumulator width"));
//! let ck = m.clock();
//! let (a, b) = (m.input("a_i", sint(&w)), m.input("b_i", sint(&w)));
//! let clear = m.input("clear_i", bit());
//! let product = m.wire("product", &(&a * &b));
//! let sum = ck.reg("sum_q", sint(&acc));
//! sum.accumulate(None, &clear, &product, 256); // proves that 256 products fit
//! m.output("sum_o", &sum);
//! let design = check(&m.finish()).unwrap();
//! assert!(design.files(&[])[0].1.contains("parameter W = 8"));
//! ```

pub mod checks;
mod design;
mod dim;
mod error;
mod expr;
mod module;
mod stream;
mod verilog;

pub use design::{Checked, Manifest, Port, check, defaults};
pub use dim::{Cond, Dim, clog2};
pub use error::{Code, Error, Errors};
pub use expr::{Expr, Operand, Ty, bit, concat, lit, sint, uint};
pub use module::{Clock, Index, InstanceBuilder, Mem, Module, Param, RamStyle, Reg, Unit, Waiver, Wire};
pub use stream::{Beat, Stream};
