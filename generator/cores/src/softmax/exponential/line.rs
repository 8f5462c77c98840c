//! The line of `base2`: a mantissa and an exponent that are the bits of the difference.
//!
//! e = half-up((2^(F + 1) - j)·2^(W - F - 1 - q)) is half-up((2^F + i)·2^s) with i = -d mod 2^F and s = W - F - ceil(d / 2^F), for
//! j = 0 too. So -d, raised until its exponents have a sign bit of their own, is s and i side by side. Four exponents are a group:
//! one shift of a few bits, and a place for it. Only the groups below s = 0 round.

use std::rc::Rc;

use bitlathe_hdl::{Expr, Module, Unit, bit, concat, lit, uint};

use super::pipe::{Near, Pipe, difference_cost};
use crate::Cost;

/// Bits of an exponent within a group.
const FINE_BITS: i64 = 2;

/// The line over octaves of 2^F steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// F.
    pub octave_bits: u32,
    /// W.
    pub width: u32,
}

impl Line {
    /// Bits of e: e(0) is 2^W.
    pub fn e_bits(self) -> i64 {
        i64::from(self.width) + 1
    }

    /// Bits of s below its sign.
    fn exponent_bits(self) -> u32 {
        (self.width - self.octave_bits).ilog2() + 1
    }

    /// The mantissa at its place in a group, by {exact, fine, i}: rounded in the group below s = 0.
    fn group_values(self) -> Vec<u64> {
        let address_bits = i64::from(self.octave_bits) + FINE_BITS;
        let value = |at: u64| {
            let (fine, i) = (at >> self.octave_bits & 3, at % (1 << self.octave_bits));
            let moved = ((1 << self.octave_bits) + i) << fine;
            let rounded = (moved + 8) >> 4;
            match at >> address_bits {
                1 => moved,
                _ if self.rounds_far() => rounded,
                // The upper bits of this group go nowhere: they need not know of it.
                _ => moved >> 4 << 4 | rounded,
            }
        };
        (0..2 << address_bits).map(value).collect()
    }

    /// The lane and its latency.
    pub fn lane(self, name: &str, in_bits: i64, octave: bool) -> (Rc<Unit>, i64) {
        let f = i64::from(self.octave_bits);
        let mut p = Pipe::new(name, "e = half-up((2^F + i) * 2^s), where s and i are the bits of x - max.");
        // The top bit is set where s is not negative.
        let bits = f + i64::from(self.exponent_bits()) + 1;
        let most = (1i64 << (bits - 1)) + (i64::from(self.width - self.octave_bits) << f);
        let Near { low, far } = p.near_difference_and((1 << bits) - 1 - most, in_bits, octave, bits);
        let m = p.m.clone();
        let t = m.wire("t", &!low);
        m.describe(&t, "from the top: s with its sign bit set for s >= 0, i");
        let group = m.wire("group", &t.slice(f + FINE_BITS, bits - f - FINE_BITS));
        let w = self.moved(&m, &t, &group);
        p.advance();
        // Kept as it comes: an inverter between two registers takes a LUT.
        let [w, not_group, far] = p.keep_all([("w", &w), ("not_group", &m.wire("not_group", &!&group)), ("far", &far)]);
        let group = m.wire("group_now", &!&not_group);
        let e = self.placed(&mut p, &w, &group, &far);
        m.output("e_o", &e);
        let latency = p.latency();
        (p.m.finish(), latency)
    }

    /// Cost of a lane.
    pub fn cost(self, wide: i64) -> Cost {
        let f = i64::from(self.octave_bits);
        let near = f + i64::from(self.exponent_bits()) + 1;
        let mut cost = difference_cost(wide + 1, near);
        // w, two choices of four bits that its places share, and a reset for each place; F = 4 needs more than a LUT for a bit of w.
        let (w, places) = (f + 4, self.e_bits() / 4 + 1);
        let w_luts = if self.rounds_far() { 3 * w } else { w };
        cost += Cost::logic((w_luts + 8 + places) as f64, (w + near - f - 1 + self.e_bits()) as f64);
        cost
    }

    /// The first group that is not negative.
    fn first_group(self) -> i64 {
        1 << (i64::from(self.exponent_bits()) - FINE_BITS)
    }

    /// The mantissa at its place in a group of four exponents.
    fn moved(self, m: &Module, t: &Expr, group: &Expr) -> Expr {
        let f = i64::from(self.octave_bits);
        let w_bits = f + (1 << FINE_BITS);
        let fine = t.slice(f, FINE_BITS);
        let address = m.wire("address", &concat(&[&t.msb(), &fine, &t.slice(0, f)]));
        let moved = m.rom("moved", &address, w_bits, &self.group_values());
        if !self.rounds_far() {
            return moved;
        }
        let one = concat(&[&lit(0, uint(w_bits - 1)), &fine.all()]);
        m.wire("w", &group.eq_to(self.first_group() - 2).select(&one, &moved))
    }

    /// Whether 2^(F + 1)·2^-5, below a group that rounds, is half a unit or more.
    fn rounds_far(self) -> bool {
        self.octave_bits == 4
    }

    /// w at the place of its group. A group of four bits of e is the low part of w, the rest of it from the group below, or zero:
    /// by a register's reset, so that groups with the same choice share it.
    fn placed(self, p: &mut Pipe, w: &Expr, group: &Expr, far: &Expr) -> Expr {
        let m = p.m.clone();
        let places = i64::from(self.width - self.octave_bits) >> FINE_BITS;
        let (first, more) = (self.first_group(), w.width().value() - 4);
        let low = w.slice(0, 4);
        let rest = if more == 4 { w.slice(4, 4) } else { concat(&[&lit(0, uint(4 - more)), &w.slice(4, more)]) };
        p.advance();
        let mut e: Vec<Expr> = vec![];
        for place in 0..=places + 1 {
            let is = |at: i64| group.eq_to(at);
            let mut live = if place > places { is(first + places) } else { is(first + place) | is(first + place - 1) };
            let mut own = if place % 2 == 1 { group.bit(0) } else { !group.bit(0) };
            if self.rounds_far() && place < 2 {
                // The rounding group reaches into the second place, and the one below it rounds to one.
                live = live | is(first - 1 - (1 - place));
                own = if place == 1 { is(first + 1) } else { lit(1, bit()) };
            }
            let value = match place {
                0 => low.clone(),
                _ if place > places => rest.clone(),
                _ => own.select(&low, &rest),
            };
            let bits = (self.e_bits() - 4 * place).min(4);
            if bits > 0 {
                let value = m.wire(&format!("value_{place}"), &value);
                if bits < 4 {
                    m.allow(&value, "UNUSEDSIGNAL", "e ends within it");
                }
                let live = m.wire(&format!("live_{place}"), &(live & !far));
                e.insert(0, p.keep(&format!("e{place}"), &live.select(value.slice(0, bits), 0)));
            }
        }
        concat(&e.iter().collect::<Vec<_>>())
    }
}
