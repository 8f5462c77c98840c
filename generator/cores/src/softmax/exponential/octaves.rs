//! `linmax`, `ibert`, `shiftmax`: q octaves and r steps of the difference, a polynomial in r, a shift left by n - q.
//!
//! All bits below the shift are zeros, so nothing is rounded. The polynomial is first shifted by the two low bits of the amount, a
//! multiplexer of four inputs a bit; the rest moves it by whole groups of four bits, and an output bit chooses among few of them.

use std::rc::Rc;

use bitlathe_hdl::{Expr, Module, Unit, bit, clog2, concat, lit, sint, uint};
use bitlathe_spec::Family;

use super::pipe::{Near, Pipe, difference_cost};
use super::quotient::{Quotient, bits_to, by_digits, by_steps, has_digits};
use crate::Cost;

/// The polynomial's constants, o and what else it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polynomial {
    /// `linmax`: max(0, b - r).
    Line {
        /// o: steps of an octave.
        octave: u64,
        /// b.
        intercept: u64,
    },
    /// `ibert`: (r - b')·r + c'.
    Parabola {
        /// o: steps of an octave.
        octave: u64,
        /// b'.
        linear: u64,
        /// c'.
        constant: u64,
    },
    /// `shiftmax`: o - ceil(r / 2), where q and r divide p = d + ceil(d / 2) - ceil(d / 16).
    Halves {
        /// o: steps of an octave.
        octave: u64,
    },
}

/// A method of octaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Octaves {
    /// The polynomial; with a scale of the job the largest constants that its inputs hold.
    pub polynomial: Polynomial,
    /// The constants are inputs.
    pub runtime: bool,
    /// n: octaves after which e stays.
    pub n: u64,
}

/// Constants as values in the lane.
struct Constants {
    octave: Expr,
    /// b or b'.
    linear: Expr,
    /// c'.
    constant: Expr,
}

/// p = d + ceil(d / 2) - ceil(d / 16).
fn stretched(d: u64) -> u64 {
    d + d.div_ceil(2) - d.div_ceil(16)
}

impl Polynomial {
    /// o.
    pub fn octave(self) -> u64 {
        match self {
            Self::Line { octave, .. } | Self::Parabola { octave, .. } | Self::Halves { octave } => octave,
        }
    }

    /// Its value at r = 0, the largest.
    fn largest(self) -> u64 {
        match self {
            Self::Line { intercept, .. } => intercept,
            Self::Parabola { constant, .. } => constant,
            Self::Halves { octave } => octave,
        }
    }

    fn at(self, r: u64) -> u64 {
        match self {
            Self::Line { intercept, .. } => intercept.saturating_sub(r),
            Self::Parabola { linear, constant, .. } => constant.wrapping_sub(linear.wrapping_sub(r).wrapping_mul(r)),
            Self::Halves { octave } => octave - r.div_ceil(2),
        }
    }

    /// Names and values of the constants, in the order of the ports.
    pub fn constants(self) -> Vec<(&'static str, u64)> {
        match self {
            Self::Line { octave, intercept } => vec![("octave", octave), ("intercept", intercept)],
            Self::Parabola { octave, linear, constant } => {
                vec![("octave", octave), ("linear", linear), ("constant", constant)]
            }
            Self::Halves { octave } => vec![("octave", octave)],
        }
    }
}

impl Octaves {
    /// Bits of e.
    pub fn e_bits(&self) -> i64 {
        bits_to(self.polynomial.largest()) + self.n as i64
    }

    /// The lane and its latency.
    pub fn lane(&self, name: &str, in_bits: i64) -> (Rc<Unit>, i64) {
        let doc = "e = polynomial(r) << (n - q) for q octaves and r steps of max - x, n octaves at most.";
        let mut p = Pipe::new(name, doc);
        let c = self.inputs(&p);
        let (d, far) = self.dividend(&mut p, in_bits);
        let divided = match self.runtime || !has_digits(self.polynomial.octave()) {
            true => by_steps(&mut p, &d, &far, &c.octave, self.n),
            false => by_digits(&mut p, d, far, self.polynomial.octave(), self.n),
        };
        let e = self.shifted(&mut p, &c, divided);
        p.m.output("e_o", &e);
        let latency = p.latency();
        (p.m.finish(), latency)
    }

    /// Cost of a lane.
    pub fn cost(&self, wide: i64, family: Family) -> Cost {
        let octave_bits = bits_to(self.polynomial.octave());
        let (v, w) = (bits_to(self.polynomial.largest()), bits_to(self.polynomial.largest()) + 3);
        let halves = matches!(self.polynomial, Polynomial::Halves { .. });
        let near = if self.runtime { wide } else { self.near(halves).min(wide) };
        let mut cost = difference_cost(wide, near);
        if halves {
            cost += Cost::logic(2.0 * near as f64, 2.0 * near as f64 + 2.0);
        }
        let digits = !self.runtime && has_digits(self.polynomial.octave());
        let steps = bits_to(self.n);
        let divide = if digits {
            Cost::logic(10.0, 11.0)
        } else {
            let (bits, waiting) = ((octave_bits + 1) * (steps + 1), octave_bits + steps / 2 + 4);
            Cost::logic((bits + near) as f64, ((steps + 1) * waiting) as f64)
        };
        cost += divide;
        // The polynomial, its shift within four bits, the choices that places share, and a reset for each place.
        let turns = 1i64 << clog2((w + 3) / 4);
        let choices = if turns > 4 { 8 * turns } else { 4 * turns };
        let places = (self.n / 4) as i64 + (w + 3) / 4;
        cost += Cost::logic((w + choices + places) as f64, (w + steps + self.e_bits()) as f64);
        if !digits || self.multiplies() {
            cost += Cost::logic(v as f64 + 8.0, (v + steps) as f64);
        }
        if self.multiplies() {
            let (r, factor) = (octave_bits, bits_to(self.polynomial.constants()[1].1));
            let dsp = if family == Family::Ice40 { 0.0 } else { 1.0 };
            let lut = factor as f64 + if dsp == 0.0 { (r * factor) as f64 } else { 0.0 };
            cost += Cost { dsp, ..Cost::logic(lut, (2 * (r + factor + steps)) as f64) };
        }
        cost
    }

    /// Constants from ports, or as numbers.
    fn inputs(&self, p: &Pipe) -> Constants {
        let values: Vec<Expr> = (self.polynomial.constants().into_iter())
            .map(|(name, value)| {
                let ty = uint(bits_to(value));
                if self.runtime { p.m.input(&format!("{name}_i"), ty) } else { lit(value as i64, ty) }
            })
            .collect();
        let at = |n: usize| values.get(n).cloned().unwrap_or_else(|| lit(0, uint(1)));
        Constants { octave: at(0), linear: at(1), constant: at(2) }
    }

    /// What is divided by the octave: the difference, or p of it; and whether it is beyond all that counts.
    fn dividend(&self, p: &mut Pipe, in_bits: i64) -> (Expr, Expr) {
        let halves = matches!(self.polynomial, Polynomial::Halves { .. });
        let near = if self.runtime { in_bits } else { self.near(halves).min(in_bits) };
        let Near { low: d, far } = p.near_difference(in_bits, false, near);
        if !halves {
            return (d, far);
        }
        // The bit below the point makes ceilings: a sum carries it, a difference borrows for it.
        let (sum_bits, m) = (near + 1, p.m.clone());
        let point = |value: &Expr, bit: &Expr, width: i64| {
            let above = width - value.width().value();
            if above > 0 { concat(&[&lit(0, uint(above)), value, bit]) } else { concat(&[value, bit]) }
        };
        let half = point(&d.slice(1, near - 1), &d.bit(0), sum_bits);
        let sum = m.wire("and_half", &point(&d, &lit(1, bit()), sum_bits).wrapping_add(&half));
        m.allow(&sum, "UNUSEDSIGNAL", "the bit below the point only makes the carry");
        let part = point(&d.slice(4, near - 4), &d.slice(0, 4).any(), sum_bits);
        p.advance();
        let sum = sum.slice(1, sum_bits);
        let [sum, part, far] = p.keep_all([("sum", &sum), ("part", &part), ("far", &far)]);
        let stretched = m.wire("stretched", &point(&sum, &lit(0, bit()), sum_bits).wrapping_sub(&part));
        m.allow(&stretched, "UNUSEDSIGNAL", "the bit below the point only makes the borrow");
        p.advance();
        let [stretched, far] = p.keep_all([("p", &stretched.slice(1, sum_bits)), ("far", &far)]);
        (stretched, far)
    }

    /// Bits of the differences that count, at least five.
    fn near(&self, halves: bool) -> i64 {
        let limit = self.n * self.polynomial.octave();
        let dividend = |d: u64| if halves { stretched(d) } else { d };
        (5..63).find(|bits| dividend(1 << bits) >= limit).unwrap_or(63)
    }

    /// The polynomial, shifted in two steps.
    fn shifted(&self, p: &mut Pipe, c: &Constants, divided: Quotient) -> Expr {
        let m = p.m.clone();
        let largest = self.polynomial.largest();
        let v_bits = bits_to(largest);
        // The shift is what is left in these bits; what the last octave leaves are zeros below e.
        let bits = bits_to(self.n).max(3);
        let end = (1 << bits) - 1 - self.n;
        let left = match bits - divided.left.width().value() {
            more if more > 0 => m.wire("left_wide", &concat(&[&lit(-1, sint(more)).as_unsigned(), &divided.left])),
            0 => divided.left.clone(),
            _ => {
                m.allow(&divided.left, "UNUSEDSIGNAL", "no more than n octaves are left");
                m.wire("left_low", &divided.left.slice(0, bits))
            }
        };
        let small = !self.runtime && divided.r.width().value() <= 6 && !self.multiplies();
        let (w, coarse) = if small {
            let values: Vec<u64> = (0..1 << divided.r.width().value()).map(|r| self.polynomial.at(r)).collect();
            let v = m.rom("polynomial", &divided.r, v_bits, &values);
            let fixed = |value: u64, bits: i64| lit(value as i64, uint(bits));
            let w = divided.over.select(fixed(largest << (end & 3), v_bits + 3), moved(&m, &v, &left));
            (w, divided.over.select(fixed(end >> 2, bits - 2), left.slice(2, bits - 2)))
        } else {
            let (v, over, left) = self.evaluate(p, c, divided.r, divided.over, left);
            p.advance();
            let v = p.keep("v", &over.select(self.top(c), &v));
            let left = p.keep("left", &over.select(lit(end as i64, uint(bits)), &left));
            (moved(&m, &v, &left), left.slice(2, bits - 2))
        };
        p.advance();
        let [w, coarse] = p.keep_all([("w", &w), ("coarse", &coarse)]);
        let all = placed(p, &w, &coarse);
        m.allow(&all, "UNUSEDSIGNAL", "zeros around e");
        m.wire("e", &all.slice(end as i64, self.e_bits()))
    }

    fn multiplies(&self) -> bool {
        matches!(self.polynomial, Polynomial::Parabola { .. })
    }

    /// The polynomial at r = 0.
    fn top<'c>(&self, c: &'c Constants) -> &'c Expr {
        match self.polynomial {
            Polynomial::Line { .. } => &c.linear,
            Polynomial::Parabola { .. } => &c.constant,
            Polynomial::Halves { .. } => &c.octave,
        }
    }

    /// The polynomial at r by arithmetic, with the flag and the octaves left that go along.
    fn evaluate(&self, p: &mut Pipe, c: &Constants, r: Expr, over: Expr, left: Expr) -> (Expr, Expr, Expr) {
        let m = p.m.clone();
        let top = self.top(c);
        let v_bits = top.width().value();
        match self.polynomial {
            Polynomial::Line { .. } => {
                let wide = v_bits.max(r.width().value()) + 1;
                let difference = resized(&m, "b_wide", top, wide).wrapping_sub(resized(&m, "r_wide", &r, wide));
                let difference = m.wire("line", &difference);
                (difference.msb().select(0, difference.slice(0, v_bits)), over, left)
            }
            Polynomial::Halves { .. } => {
                let wide = v_bits + 1;
                let two = concat(&[top, &lit(0, bit())]);
                let difference = m.wire("halves", &two.wrapping_sub(resized(&m, "r_wide", &r, wide)));
                m.allow(&difference, "UNUSEDSIGNAL", "the bit below the point only makes the borrow");
                (difference.slice(1, v_bits), over, left)
            }
            Polynomial::Parabola { .. } => {
                p.advance();
                let bits = c.linear.width().value();
                let rest = m.wire("factor", &c.linear.wrapping_sub(resized(&m, "r_wide", &r, bits)));
                let [r, rest, over, left] =
                    p.keep_all([("r", &r), ("factor", &rest), ("over", &over), ("left", &left)]);
                p.advance();
                let product = m.wire("product", &(&r * &rest));
                let [product, over, left] = p.keep_all([("product", &product), ("over", &over), ("left", &left)]);
                // The polynomial is positive, so that its low bits are all of it.
                let product = resized(&m, "product_low", &product, v_bits);
                (m.wire("parabola", &top.wrapping_sub(&product)), over, left)
            }
        }
    }
}

/// The value shifted left by the two low bits of the amount.
fn moved(m: &Module, v: &Expr, amount: &Expr) -> Expr {
    let padded = m.wire("v_padded", &concat(&[&lit(0, uint(3)), v]));
    m.wire("moved", &padded.shl(&m.wire("fine", &amount.slice(0, 2))))
}

/// w shifted left by four times `coarse`, registered: turned among the places of a power of two of groups of four bits, which
/// later places share, and zero by a register's reset where its groups are elsewhere.
fn placed(p: &mut Pipe, w: &Expr, coarse: &Expr) -> Expr {
    let m = p.m.clone();
    let own = (w.width().value() + 3) / 4;
    let (turns, places) = (1i64 << clog2(own), 1i64 << coarse.width().value());
    let ring = match 4 * turns - w.width().value() {
        0 => w.clone(),
        more => m.wire("ring", &w.extend(w.width() + more)),
    };
    let twice = m.wire("twice", &concat(&[&ring, &ring]));
    let turned = match clog2(own).min(coarse.width().value()) {
        // A single group has nowhere to turn to.
        0 => twice.clone(),
        bits => {
            let turn = m.wire("turn", &concat(&[&coarse.slice(0, bits), &lit(0, uint(2))]));
            m.wire("turned", &twice.shl(&turn))
        }
    };
    m.allow(&turned, "UNUSEDSIGNAL", "the upper half is turned");
    let place = m.wire("place", &lit(1, uint(places)).shl(coarse));
    let around = m.wire("place_wide", &concat(&[&lit(0, uint(own)), &place, &lit(0, uint(own))]));
    m.allow(&around, "UNUSEDSIGNAL", "zeros at both ends");
    p.advance();
    p.keep_lanes("e", own + places - 1, 4, |i| {
        let live = m.wire("live", &around.slice(i + 1, own).any());
        let within = i - i.div(turns) * turns;
        let value = m.wire("value", &turned.slice((within + turns) * 4, 4));
        live.select(&value, 0)
    })
}

/// The low bits of a named value, or the value below zeros.
fn resized(m: &Module, name: &str, value: &Expr, bits: i64) -> Expr {
    let own = value.width().value();
    match bits - own {
        0 => value.clone(),
        more if more > 0 => m.wire(&format!("{name}_{bits}"), &value.extend(bits)),
        _ => {
            m.allow(value, "UNUSEDSIGNAL", "never reaches its upper bits");
            m.wire(&format!("{name}_{bits}"), &value.slice(0, bits))
        }
    }
}
