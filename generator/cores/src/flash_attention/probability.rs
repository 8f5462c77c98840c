//! Probabilities before their division: p = 2^(-u / 2^12)·2^p_bits from sixteen points an octave and the lines between them.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, bit, concat, lit, sint, uint};
use bitlathe_spec::Family;

use super::drop;
use super::hardware::{Hardware, LOGIT_BITS};
use crate::Cost;
use crate::parts::carry::impl_param;
use crate::parts::delay_line::{delay_cost, delayed};
use crate::parts::multiply_add::{self, Form, multiply_add};

/// Cycles from u to p.
pub const LATENCY: i64 = multiply_add::LATENCY + 2;
/// Bits of the place between two points.
const LINE_BITS: i64 = 8;
/// Fraction bits of a point beyond those of p.
const EXTRA_BITS: i64 = 2;
/// Bits of the octaves by which p is shifted: more leave nothing.
const OCTAVE_BITS: i64 = 5;

/// Bits of the last choice of a shift.
const FINE_BITS: i64 = 2;
/// Octaves from which the first choice has none.
const FAR: i64 = 1 << (OCTAVE_BITS - 1);

/// The points 2^(-i / 16)·2^(p_bits + 2), to the nearest integer; 17 of them.
fn points(p_bits: i64) -> Vec<i64> {
    let one = f64::from(1u32 << (p_bits + EXTRA_BITS));
    (0..=16).map(|i| (one * (-f64::from(i) / 16.0).exp2()).round_ties_even() as i64).collect()
}

/// The unit.
pub fn unit(hw: &Hardware) -> Rc<Unit> {
    let p_bits = hw.p_bits;
    let m = Module::new("attention_probability");
    m.doc(&format!(
        "p = 2^(-u / 2^12) in units of 2^-{p_bits}, at most 2^{p_bits} - 1: a line between two of sixteen points of the octave, shifted by the\n\
         octaves, rounded once, half up. live_i comes one cycle before p_o and lets p through. Latency {LATENCY} cycles."
    ));
    let uw = m.param("U_W", hw.logit_bits(), 13..=48, "bits of u");
    let imp = impl_param(&m, hw.implementation);
    let ck = m.clock();
    let always = lit(1, bit());
    let u = m.input("u_i", uint(&uw));
    let live = m.input("live_i", bit());
    let points = points(p_bits);
    let (point_w, step_w) = (p_bits + EXTRA_BITS + 1, p_bits - 1);
    let at = m.wire("at", &u.slice(LINE_BITS, LOGIT_BITS - LINE_BITS));
    let first: Vec<u64> = points[..16].iter().map(|b| *b as u64).collect();
    let falls: Vec<u64> = points.windows(2).map(|b| ((b[1] - b[0]) & ((1 << step_w) - 1)) as u64).collect();
    let point = ck.delay("point", &m.rom("point", &at, point_w, &first), 1);
    let fall = m.wire("fall", &m.rom("falls", &at, step_w, &falls).as_signed());
    let place = m.wire("place", &concat(&[&lit(0, bit()), &u.slice(0, LINE_BITS)]).as_signed());
    let line_w = p_bits + EXTRA_BITS + LINE_BITS + 2;
    let start = m.wire("start", &concat(&[&lit(0, bit()), &point, &lit(0, uint(LINE_BITS))]).as_signed());
    let line = m.wire_later("line", sint(line_w));
    m.allow(&line, "UNUSEDSIGNAL", "the lowest bits are rounded away; a line is not negative");
    m.instance("u_line", &multiply_add(Form::PlusC, step_w, LINE_BITS + 1, line_w, hw.implementation))
        .param("A_W", step_w)
        .param("B_W", LINE_BITS + 1)
        .param("P_W", line_w)
        .param("IMPL", imp)
        .clock(&ck)
        .input("en_i", &always)
        .input("a_i", &fall)
        .input("b_i", &place)
        .input("c_i", &start)
        .output("p_o", &line)
        .done();
    let octaves = m.wire("octaves", &concat(&[&lit(0, uint(OCTAVE_BITS)), &u.slice(LOGIT_BITS, &uw - LOGIT_BITS)]));
    let far = m.wire("far", &octaves.slice(OCTAVE_BITS, &uw - LOGIT_BITS).any());
    let shift = m.wire("shift", &(octaves.slice(0, OCTAVE_BITS) | far.repeat(OCTAVE_BITS)));
    let shift = delayed(&m, &ck, "shift", &always, &shift, multiply_add::LATENCY, false);
    // One bit more than p and one for the rounding.
    let bits = (p_bits + 2).max((3 << FINE_BITS) + 1);
    let raised = concat(&[&lit(0, uint(bits)), &line.slice(LINE_BITS + EXTRA_BITS - 1, p_bits + 2)]);
    let raised = m.wire("raised_all", &raised);
    m.allow(&raised, "UNUSEDSIGNAL", "a narrow p has room for every shift");
    let raised = m.wire("raised", &raised.slice(0, bits));
    let coarse = drop::chosen(&m, "coarse", &raised, 1 << FINE_BITS, &shift.slice(FINE_BITS, 2));
    // From sixteen octaves on nothing is left, but for the highest bits of a wide p.
    let near = !shift.slice(FINE_BITS, 2).any();
    let left = (bits - FAR).max(0);
    let rest = if left > 0 {
        let high = m.wire("high", &(raised.slice(FAR, left) & near.repeat(left)));
        concat(&[&lit(0, uint(FAR)), &high])
    } else {
        lit(0, uint(bits))
    };
    let shifted = ck.delay("shifted", &m.wire("shifted", &shift.bit(OCTAVE_BITS - 1).select(&rest, &coarse)), 1);
    let fine = ck.delay("fine", &shift.slice(0, FINE_BITS), 1);
    // The one comes first: the choice is made in the table of the addition.
    let rounded = lit(1, uint(bits)).wrapping_add(drop::chosen(&m, "fine_moved", &shifted, 1, &fine));
    let rounded = m.wire("rounded", &rounded);
    m.allow(&rounded, "UNUSEDSIGNAL", "the rounding bit is cut");
    let full = rounded.bit(p_bits + 1);
    let p = m.wire("p", &((rounded.slice(1, p_bits) | full.repeat(p_bits)) & live.repeat(p_bits)));
    m.output("p_o", &ck.delay("p", &p, 1));
    m.finish()
}

/// Cost: two tables of sixteen values, a block, a shifter, a rounding.
pub fn cost(hw: &Hardware, family: Family) -> Cost {
    let (p, line) = (hw.p_bits, hw.p_bits + EXTRA_BITS + LINE_BITS + 2);
    let tables = (2 * p + EXTRA_BITS) as f64;
    let shifter = (p + 2) as f64 * 2.5;
    let mut cost = Cost::logic(tables + shifter + 2.0 * p as f64 + 3.0, (3 * p + 6) as f64);
    cost += multiply_add::cost(p - 1, LINE_BITS + 1, line, family);
    cost += delay_cost(family, OCTAVE_BITS, multiply_add::LATENCY, false);
    cost
}
