//! Sign extension of vectors to symbolic widths, of which some may be the vector's own: Verilog has no replication of nothing.

use bitlathe_hdl::{Dim, Expr, Module, concat};

/// The value with copies of its sign, `to` bits wide; at least as wide as it is.
pub fn widen(m: &Module, name: &str, v: &Expr, to: impl Into<Dim>) -> Expr {
    let to = to.into();
    let wide = m.wire(name, &concat(&[&v.msb().repeat(&to), v]));
    m.allow(&wide, "UNUSEDSIGNAL", "copies of the sign");
    wide.slice(0, to)
}
