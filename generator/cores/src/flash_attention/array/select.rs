//! One of the sums of a row, which are complete one after the other: sixteen to one, with a register, until one is left.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Expr, Module, Unit, Wire, concat, lit, uint};
use bitlathe_spec::Family;

use crate::Cost;
use crate::parts::carry::{impl_param, implementation};
use crate::parts::memory::select_lut;

/// Values that a step chooses among: four look-up tables of four values and the multiplexers behind them (AMD UG574, "CLB
/// Multiplexers") have room for sixteen.
const STEP: i64 = 16;
/// Bits of the choice of a step.
pub const STEP_BITS: i64 = 4;
/// Bits of the choices of all steps.
pub const PICK_BITS: i64 = 2 * STEP_BITS;
/// Values that a look-up table has room for.
const QUAD: i64 = 4;

/// Cycles from a value to its output.
pub fn latency(terms: i64) -> i64 {
    if terms > 1 { 1 + latency((terms + STEP - 1) / STEP) } else { 0 }
}

/// The tree. The choice of step n comes n cycles after that of the first: bits 4n+3:4n.
pub fn select_tree(terms: i64, width: i64, implementation: i64) -> Rc<Unit> {
    let m = Module::new("select_tree");
    m.doc(
        "One of TERMS values, sixteen to one a cycle: four bits of pick_i a step, the lowest first; those of a step count one cycle\n\
         after those of the step before.",
    );
    let n = m.param("TERMS", terms, 1..=64, "values");
    let w = m.param("WIDTH", width, 1..=64, "bits of a value");
    let imp = impl_param(&m, implementation);
    let ck = m.clock();
    let pick = m.input("pick_i", uint(PICK_BITS));
    let values = m.input("values_i", uint(&n * &w));
    let out = m.output_wire("value_o", uint(&w));
    m.allow(&m.clock_value(&ck), "UNUSEDSIGNAL", "the last instance has no register");
    m.allow(&pick, "UNUSEDSIGNAL", "the last instance chooses nothing");
    // A look-up table alone is enough for four.
    let form = if terms > QUAD { implementation } else { 0 };
    let step = || {
        let next = m.localparam("NEXT", n.ceil_div(STEP));
        let chosen = ck.reg("chosen_q", uint(&next * &w));
        let padded = m.wire("padded", &concat(&[&lit(0, uint((&next * STEP - &n + 1) * &w)), &values]));
        m.allow(&padded, "UNUSEDSIGNAL", "padding behind the last group");
        m.generate_for("g_group", &next, |i| {
            let one = m.wire_later("one", uint(&w));
            m.instance("u_choice", &choice(width, form))
                .param("WIDTH", &w)
                .param("IMPL", if form == 0 { Dim::from(0) } else { imp.clone() })
                .input("pick_i", &pick.slice(0, STEP_BITS))
                .input("values_i", &padded.slice(i * STEP * &w, STEP * &w))
                .output("value_o", &one)
                .done();
            chosen.next_lane(i, &w, None, &one);
        });
        m.recursive_instance("u_rest")
            .param("TERMS", next)
            .param("WIDTH", &w)
            .param("IMPL", &imp)
            .clock(&ck)
            .input("pick_i", &concat(&[&lit(0, uint(STEP_BITS)), &pick.slice(STEP_BITS, PICK_BITS - STEP_BITS)]))
            .input("values_i", &chosen)
            .output("value_o", &out)
            .done();
    };
    m.generate_if(n.gt(1), ["g_step", "g_leaf"], step, || out.drive(values.slice(0, &w)));
    m.finish()
}

/// One of sixteen values. Synthesis that is not told takes a fifth look-up table a bit in place of the multiplexers.
pub fn choice(width: i64, implementation: i64) -> Rc<Unit> {
    let m = Module::new("choice_of_sixteen");
    m.doc("One of sixteen values: four look-up tables a bit, and the multiplexers of a slice behind them.");
    let w = m.param("WIDTH", width, 1..=64, "bits of a value");
    let imp = impl_param(&m, implementation);
    let pick = m.input("pick_i", uint(STEP_BITS));
    let values = m.input("values_i", uint(&w * STEP));
    let out = m.output_wire("value_o", uint(&w));
    let vendor = || {
        let own = m.wire("own", &pick.slice(0, 2));
        let quads: Vec<_> = (0..STEP / QUAD)
            .map(|n| {
                let four = m.wire(&format!("four_{n}"), &values.slice(&w * QUAD * n, &w * QUAD));
                m.wire(&format!("quad_{n}"), &four.lane_at(&own, &w))
            })
            .collect();
        let [low, high] = ["low", "high"].map(|name| m.wire_later(name, uint(&w)));
        m.generate_for("g_bit", &w, |i| {
            let one = Dim::from(1);
            let join = |name: &str, cell: &str, [a, b]: [&Expr; 2], at: i64, to: &Wire| {
                m.primitive(name, cell, &[])
                    .input("I0", &a.lane(i, &one))
                    .input("I1", &b.lane(i, &one))
                    .input("S", &pick.bit(at))
                    .output_lane("O", to, i, &one)
                    .done();
            };
            join("u_low", "MUXF7", [&quads[0], &quads[1]], 2, &low);
            join("u_high", "MUXF7", [&quads[2], &quads[3]], 2, &high);
            join("u_out", "MUXF8", [&low, &high], 3, &out);
        });
    };
    m.generate_if(imp.eq_to(0), ["g_behavioural", "g_vendor"], || out.drive(values.lane_at(&pick, &w)), vendor);
    m.finish()
}

/// Cost: a multiplexer a bit and group.
pub fn cost(terms: i64, width: i64, family: Family) -> Cost {
    let (mut n, mut groups) = (terms, 0);
    let mut lut = 0.0;
    // Behind four values a vendor's multiplexers take no look-up table.
    let each = |n: i64| if implementation(family) != 0 { (n + QUAD - 1) / QUAD } else { select_lut(family, n) as i64 };
    while n > 1 {
        let whole = n / STEP;
        lut += (width * (whole * each(STEP) + if n % STEP > 1 { each(n % STEP) } else { 0 })) as f64;
        n = (n + STEP - 1) / STEP;
        groups += n;
    }
    Cost::logic(lut, (groups * width) as f64)
}
