//! Delay line: a value a fixed number of enabled cycles later.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, bit, concat, uint};
use bitlathe_spec::Family;

use crate::Cost;

/// Cost of `stages` registers of `width` bits one after the other, as `techlibs/xilinx/cells_map.v` of Yosys 0.70 maps them: without
/// reset, three or more are a shift-register LUT of up to 32 stages, two above that; 17 and 33 are one stage too many for it.
pub fn delay_cost(family: Family, width: i64, stages: i64, reset: bool) -> Cost {
    let (luts, registers) = match (family, stages) {
        (Family::Ecp5 | Family::Ice40, _) | (_, ..=2) => (0, stages),
        _ if reset => (0, stages),
        (_, 17 | 33) => (1, 1),
        _ => ((stages + 31) / 32, 0),
    };
    let sites = (width * luts) as f64;
    Cost { lutram: sites, ..Cost::logic(sites, (width * registers) as f64) }
}

/// The line; with `reset` every stage starts at zero, without it the stages map to shift-register look-up tables.
pub fn delay_line(width: i64, stages: i64, reset: bool) -> Rc<Unit> {
    let m = Module::new(if reset { "delay_line_reset" } else { "delay_line" });
    m.doc("A value STAGES enabled cycles later.");
    let w = m.param("WIDTH", width, 1..=65536, "bits of the value");
    let n = m.param("STAGES", stages, 1..=64, "cycles");
    let ck = m.clock();
    let en = m.input("en_i", bit());
    let value = m.input("value_i", uint(&w));
    let line = ck.reg("line_q", uint(&n * &w));
    let line = if reset { line.reset_to(0) } else { line };
    let moved = m.wire("moved", &concat(&[&*line, &value]));
    m.allow(&moved, "UNUSEDSIGNAL", "the oldest value leaves");
    line.next_when(&en, moved.slice(0, &n * &w));
    m.output("value_o", &line.slice((&n - 1) * &w, &w));
    m.finish()
}

/// A value `n` enabled cycles later, by an instance `u_delay_<name>`.
pub fn delayed(m: &Module, ck: &Clock, name: &str, en: &Expr, value: &Expr, n: impl Into<Dim>, reset: bool) -> Expr {
    let n = n.into();
    if n.value() == 0 {
        return value.clone();
    }
    let out = m.wire_later(&format!("{name}_delayed"), uint(value.width()));
    m.instance(&format!("u_delay_{name}"), &delay_line(value.width().value(), n.value(), reset))
        .param("WIDTH", value.width())
        .param("STAGES", n)
        .clock(ck)
        .input("en_i", en)
        .input("value_i", value)
        .output("value_o", &out)
        .done();
    (*out).clone()
}
