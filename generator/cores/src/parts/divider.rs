//! Serial divider: one quotient bit a cycle, the restoring method.
//!
//! Ports: operands with `s_valid_i` and `s_ready_o`, quotient with `m_valid_o` and `m_ready_i`. One division at a time, the
//! quotient [`latency`] cycles after its operands; the next operands are taken the cycle after the quotient left.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, bit, concat, lit, uint};
use bitlathe_spec::Family;

use crate::Cost;

/// Cycles from the accepted operands to the offered quotient.
pub fn latency(quotient_bits: i64) -> i64 {
    quotient_bits + 1
}

/// `floor(num / den)` where the caller guarantees `num < den * 2^Q_W`: the quotient then has Q_W bits.
pub fn divider(den_bits: i64, quotient_bits: i64) -> Rc<Unit> {
    let m = Module::new("divider");
    m.doc(
        "floor(num / den) of unsigned numbers, num < den * 2^Q_W, one quotient bit a cycle: Q_W + 1 cycles from operands to\n\
         quotient. Other operands give a quotient without meaning, in the same time.",
    );
    let d = m.param("DEN_W", den_bits, 1..=64, "bits of the divisor");
    let q = m.param("Q_W", quotient_bits, 1..=64, "bits of the quotient");
    let ck = m.clock();
    let s_valid = m.input("s_valid_i", bit());
    let s_ready = m.output_wire("s_ready_o", bit());
    let num = m.input("num_i", uint(&d + &q));
    let den = m.input("den_i", uint(&d));
    let m_ready = m.input("m_ready_i", bit());
    let busy = ck.reg("busy_q", bit()).reset_to(0);
    let done = ck.reg("done_q", bit()).reset_to(0);
    // One bit for each step that is still to come.
    let steps = ck.reg("steps_q", uint(&q));
    let remainder = ck.reg("remainder_q", uint(&d));
    let low = ck.reg("low_q", uint(&q));
    m.describe(&low, "numerator bits leave at the top, quotient bits enter below");
    let divisor = ck.reg("divisor_q", uint(&d));
    s_ready.drive(!&*busy & !&*done);
    let take = m.wire("take", &(&s_valid & !&*busy & !&*done));
    let shifted = m.wire("shifted", &concat(&[&*remainder, &low.msb()]));
    let difference = m.wire("difference", &shifted.wrapping_sub(concat(&[&lit(0, bit()), &*divisor])));
    // shifted < 2 * divisor, so the sign of the difference is its top bit.
    let negative = difference.msb();
    let kept = m.wire("kept", &negative.select(shifted.slice(0, &d), difference.slice(0, &d)));
    remainder.next(take.select(num.slice(&q, &d), &kept));
    let moved = m.wire("moved", &concat(&[&*low, &!&negative]));
    m.allow(&moved, "UNUSEDSIGNAL", "the oldest numerator bit is used up");
    low.next_when(&m.wire("step", &(&take | &*busy)), take.select(num.slice(0, &q), moved.slice(0, &q)));
    divisor.next_when(&take, &den);
    let last = m.wire("last", &(&*busy & &steps.bit(0)));
    let fewer = m.wire("fewer", &concat(&[&lit(0, bit()), &*steps]));
    let all = m.wire("all_steps", &concat(&[&lit(1, bit()), &lit(0, uint(&q))]));
    steps.next(take.select(all.slice(1, &q), fewer.slice(1, &q)));
    m.allow(&fewer, "UNUSEDSIGNAL", "the step that is done leaves");
    m.allow(&all, "UNUSEDSIGNAL", "one step for each quotient bit");
    busy.next(&take | (&*busy & !&last));
    done.next(&last | (&*done & !&m_ready));
    m.output("m_valid_o", &done);
    m.output("quotient_o", &low);
    m.finish()
}

/// Cost: a subtractor, a multiplexer and the shift registers.
pub fn cost(den_bits: i64, quotient_bits: i64, _: Family) -> Cost {
    let (d, q) = (den_bits as f64, quotient_bits as f64);
    Cost { lut: 2.0 * d + q + 4.0, ff: 2.0 * d + 2.0 * q + 2.0, ..Cost::default() }
}
