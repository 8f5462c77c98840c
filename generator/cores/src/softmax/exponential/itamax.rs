//! `itamax`: 2^8 >> half-up(d / 32), one bit of nine.

use std::rc::Rc;

use bitlathe_hdl::{Unit, concat, lit, uint};

use super::pipe::{Near, Pipe, difference_cost};
use crate::Cost;

/// Bits of e.
pub const E_BITS: i64 = 9;
/// Steps of half an octave.
const HALF: i64 = 16;

/// The lane and its latency.
pub fn lane(name: &str, in_bits: i64) -> (Rc<Unit>, i64) {
    let mut p = Pipe::new(name, "e = 2^8 >> ((max - x + 16) >> 5).");
    let Near { low: rounded, far } = p.near_difference_and(HALF, in_bits, false, 9);
    let m = p.m.clone();
    m.allow(&rounded, "UNUSEDSIGNAL", "steps within an octave");
    let one = lit(1 << (E_BITS - 1), uint(E_BITS));
    let shifted = one.shr(&m.wire("octaves", &concat(&[&rounded.slice(5, 4)])));
    p.advance();
    let e = p.keep("e", &far.select(0, &shifted));
    m.output("e_o", &e);
    let latency = p.latency();
    (p.m.finish(), latency)
}

/// Cost of a lane.
pub fn cost(wide: i64) -> Cost {
    let mut cost = difference_cost(wide + 1, E_BITS);
    cost += Cost::logic(E_BITS as f64, E_BITS as f64);
    cost
}
