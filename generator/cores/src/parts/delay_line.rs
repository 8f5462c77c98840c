//! Delay line: a value a fixed number of enabled cycles later.
//!
//! Ports `en_i`, `value_i`, `value_o`; one value an enabled cycle, latency `STAGES` of them. No handshake.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, bit, concat, uint};
use bitlathe_spec::Family;

use crate::Cost;

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

/// Cost: flip-flops with a reset or up to two stages; longer lines without one become shift registers and a last flip-flop.
pub fn cost(width: i64, stages: i64, reset: bool, family: Family) -> Cost {
    let w = width as f64;
    if reset || stages <= 2 || !matches!(family, Family::Xcup | Family::Xc7) {
        return Cost { ff: w * stages as f64, ..Cost::default() };
    }
    // SRL16E: one site for up to 16 stages, of which the last may be the flip-flop behind it.
    let lutram = w * ((stages + 15) / 16) as f64;
    Cost { lut: lutram, lutram, ..Cost::default() }
}
