//! A MAC cell, printed as Verilog: `cargo run -p bitlathe-hdl --example mac_cell`.

use std::rc::Rc;

use bitlathe_hdl::{Errors, Module, Unit, bit, check, sint};

/// Sizes of a cell.
pub struct Mac {
    /// Bits of an operand.
    pub width: i64,
    /// Bits of the sum.
    pub acc: i64,
    /// Products that one sum takes.
    pub terms: i64,
}

/// Output-stationary MAC cell: `a` moves right, `b` moves down, one cell a cycle.
pub fn mac_cell(cfg: &Mac) -> Rc<Unit> {
    let m = Module::new("mac_cell");
    m.doc("Output-stationary MAC cell: a moves right, b moves down, one cell a cycle.");
    let w = m.param("W", cfg.width, 2..=16, "bits of an operand");
    let acc = m.param("ACC", cfg.acc, 8..=48, "bits of the sum");
    let terms = m.param("TERMS", cfg.terms, 1..=65536, "products that one sum takes");
    m.guard(acc.ge(&w * 2 + terms.clog2()), "TERMS products fit the sum");
    let ck = m.clock();
    let a = m.input("a_i", sint(&w));
    let b = m.input("b_i", sint(&w));
    let clear = m.input("clear_i", bit());
    m.describe(&clear, "this product starts a new sum");
    let product = m.wire("product", &(&a * &b));
    let sum = ck.reg("sum_q", sint(&acc));
    m.describe(&sum, "running dot product");
    sum.accumulate(None, &clear, &product, cfg.terms.into()); // proves that `terms` products fit
    m.output("a_o", &ck.delay("a", &a, 1));
    m.output("b_o", &ck.delay("b", &b, 1));
    m.output("sum_o", &sum);
    m.finish()
}

fn main() -> Result<(), Errors> {
    let design = check(&mac_cell(&Mac { width: 8, acc: 24, terms: 256 }))?;
    for (_, text) in design.files(&[]) {
        print!("{text}");
    }
    Ok(())
}
