//! One of the sums of a row, which are complete one after the other: four to one, with a register, until one is left.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, concat, lit, uint};
use bitlathe_spec::Family;

use crate::Cost;
use crate::parts::memory::select_lut;

/// Values that a step chooses among: a look-up table has room for four with their choice.
const STEP: i64 = 4;
/// Bits of the choices of all steps.
pub const PICK_BITS: i64 = 6;

/// Cycles from a value to its output.
pub fn latency(terms: i64) -> i64 {
    if terms > 1 { 1 + latency((terms + STEP - 1) / STEP) } else { 0 }
}

/// The tree. The choice of step n comes n cycles after that of the first: bits 2n+1:2n.
pub fn select_tree(terms: i64, width: i64) -> Rc<Unit> {
    let m = Module::new("select_tree");
    m.doc(
        "One of TERMS values, four to one a cycle: two bits of pick_i a step, the lowest first; those of a step count one cycle\n\
         after those of the step before.",
    );
    let n = m.param("TERMS", terms, 1..=64, "values");
    let w = m.param("WIDTH", width, 1..=64, "bits of a value");
    let ck = m.clock();
    let pick = m.input("pick_i", uint(PICK_BITS));
    let values = m.input("values_i", uint(&n * &w));
    let out = m.output_wire("value_o", uint(&w));
    m.allow(&m.clock_value(&ck), "UNUSEDSIGNAL", "the last instance has no register");
    m.allow(&pick, "UNUSEDSIGNAL", "the last instance chooses nothing");
    let step = || {
        let next = m.localparam("NEXT", n.ceil_div(STEP));
        let chosen = ck.reg("chosen_q", uint(&next * &w));
        let own = m.wire("own", &pick.slice(0, 2));
        let padded = m.wire("padded", &concat(&[&lit(0, uint((&next * STEP - &n + 1) * &w)), &values]));
        m.allow(&padded, "UNUSEDSIGNAL", "padding behind the last group");
        m.generate_for("g_group", &next, |i| {
            let group = m.wire("group", &padded.slice(i * STEP * &w, STEP * &w));
            chosen.next_lane(i, &w, None, &group.lane_at(&own, &w));
        });
        m.recursive_instance("u_rest")
            .param("TERMS", next)
            .param("WIDTH", &w)
            .clock(&ck)
            .input("pick_i", &concat(&[&lit(0, uint(2)), &pick.slice(2, PICK_BITS - 2)]))
            .input("values_i", &chosen)
            .output("value_o", &out)
            .done();
    };
    m.generate_if(n.gt(1), ["g_step", "g_leaf"], step, || out.drive(values.slice(0, &w)));
    m.finish()
}

/// Cost: a multiplexer a bit and group.
pub fn cost(terms: i64, width: i64, family: Family) -> Cost {
    let (mut n, mut groups) = (terms, 0);
    let mut lut = 0.0;
    while n > 1 {
        let whole = (n / STEP) as f64;
        lut += width as f64 * (whole * select_lut(family, STEP) + select_lut(family, n % STEP));
        n = (n + STEP - 1) / STEP;
        groups += n;
    }
    Cost::logic(lut, (groups * width) as f64)
}
