//! `linmax-plus` and `pwl`: t octaves with 16 fraction bits, a line between two points, a shift right, one rounding.

use std::rc::Rc;

use bitlathe_hdl::{Expr, Unit, concat, lit, uint};
use bitlathe_spec::Family;

use super::pipe::{Near, Pipe, difference_cost};
use super::quotient::bits_to;
use crate::Cost;

/// Fraction bits of t.
const PHASE_BITS: i64 = 16;
/// Bits of a step that comes with the job.
pub const STEP_BITS: i64 = 24;
/// Bits of q: 31 octaves and more leave nothing of 24 bits.
const OCTAVE_BITS: i64 = 5;

/// The points of an octave's segments, and the step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segments {
    /// Values at the ends of each segment, falling.
    pub points: Vec<u64>,
    /// C: octaves of a step of the input, in 2^-16; an input where it is absent.
    pub step: Option<u64>,
}

impl Segments {
    /// Bits of e.
    pub fn e_bits(&self) -> i64 {
        bits_to(self.points[0])
    }

    /// The lane and its latency.
    pub fn lane(&self, name: &str, in_bits: i64) -> (Rc<Unit>, i64) {
        let doc =
            "e = half-up(m(f) / 2^q): q octaves and the fraction f of (max - x) * step, m a line in each segment.";
        let mut p = Pipe::new(name, doc);
        let (octaves, phase, over) = self.phase(&mut p, in_bits);
        let (line, octaves, over) = self.line(&mut p, octaves, &phase, over);
        let e = shifted(&mut p, &line, &octaves, &over);
        p.m.output("e_o", &e);
        let latency = p.latency();
        (p.m.finish(), latency)
    }

    /// Bits of the differences that leave something.
    fn near(&self, in_bits: i64) -> i64 {
        // The first difference of e_bits + 1 octaves.
        let zero = |step: u64| ((self.e_bits() as u64 + 1) << PHASE_BITS).div_ceil(step);
        self.step.map_or(in_bits, |step| bits_to(zero(step)).min(in_bits))
    }

    /// Cost of a lane.
    pub fn cost(&self, wide: i64, family: Family) -> Cost {
        let near = self.near(wide);
        let (e, step) = (self.e_bits(), self.step.map_or(STEP_BITS, bits_to));
        // A block multiplies 26 bits by 17; iCE40 has none in use.
        let blocks = ((near.max(step) + 25) / 26) * ((near.min(step) + 16) / 17);
        let dsp = if family == Family::Ice40 { 0 } else { blocks + 1 };
        let products =
            if dsp == 0 { (near * step + 16 * e) as f64 } else { (blocks - 1) as f64 * (near + step) as f64 * 0.6 };
        // Fitted: what a segment of several adds to the choice of points.
        let looked_up = if self.points.len() > 2 { (self.points.len() as i64 - 1) * e } else { 0 } as f64;
        let mut cost = difference_cost(wide, near);
        let t = (near + step).min(60);
        let shift = 2.7 * e as f64;
        let lut = products + 0.3 * looked_up + shift + (e + 2) as f64;
        cost += Cost { dsp: dsp as f64, ..Cost::logic(lut, (t + 3 * e + 32) as f64 + 0.37 * looked_up) };
        cost
    }

    /// q, f, and whether nothing is left.
    fn phase(&self, p: &mut Pipe, in_bits: i64) -> (Expr, Expr, Expr) {
        let step = match self.step {
            None => p.m.input("step_i", uint(STEP_BITS)),
            Some(step) => lit(step as i64, uint(bits_to(step))),
        };
        let near = self.near(in_bits);
        let Near { low, far } = p.near_difference(in_bits, false, near);
        let product = p.m.wire("product", &(&low * &step));
        p.advance();
        let [t, over] = p.keep_all([("t", &product), ("over", &far)]);
        let m = &p.m;
        let t_bits = PHASE_BITS + OCTAVE_BITS;
        let t = match t_bits - t.width().value() {
            more if more > 0 => m.wire("t_wide", &t.extend(t_bits)),
            _ => t,
        };
        let octaves = m.wire("octaves", &t.slice(PHASE_BITS, OCTAVE_BITS));
        let over = match t.width().value() - t_bits {
            0 => over,
            more => m.wire("beyond", &(over | t.slice(t_bits, more).any())),
        };
        (octaves, m.wire("phase", &t.slice(0, PHASE_BITS)), over)
    }

    /// The line at f with one fraction bit.
    fn line(&self, p: &mut Pipe, octaves: Expr, phase: &Expr, over: Expr) -> (Expr, Expr, Expr) {
        let segments = self.points.len() as i64 - 1;
        let index_bits = i64::from(segments.ilog2());
        let rest_bits = PHASE_BITS - index_bits;
        let y_bits = self.e_bits();
        let falls: Vec<u64> = self.points.windows(2).map(|y| y[0] - y[1]).collect();
        let fall_bits = bits_to(falls.iter().copied().max().unwrap_or(1));
        let (left, fall) = if segments == 1 {
            (lit(self.points[0] as i64, uint(y_bits)), lit(falls[0] as i64, uint(fall_bits)))
        } else {
            let index = p.m.wire("segment", &phase.slice(rest_bits, index_bits));
            let left = p.m.rom("left", &index, y_bits, &self.points[..segments as usize]);
            let fall = p.m.rom("fall", &index, fall_bits, &falls);
            p.m.describe(&left, "value where the segment begins");
            p.m.describe(&fall, "from there to its end");
            p.advance();
            (p.keep("left", &left), p.keep("fall", &fall))
        };
        let (rest, octaves, over) = if segments == 1 {
            (phase.clone(), octaves, over)
        } else {
            let [rest, octaves, over] =
                p.keep_all([("rest", &phase.slice(0, rest_bits)), ("octaves", &octaves), ("over", &over)]);
            (rest, octaves, over)
        };
        let product = p.m.wire("descent", &(&rest * &fall));
        p.advance();
        let [product, octaves, over] = p.keep_all([("descent", &product), ("octaves", &octaves), ("over", &over)]);
        let left = if segments == 1 { left } else { p.keep("left", &left) };
        let m = &p.m;
        // What lies below the bit that rounds borrows from it.
        let (cut, wide) = (rest_bits - 1, y_bits + 2);
        let above = product.width().value() - cut;
        let pad = |bits: i64| lit(0, uint(bits));
        let below = product.slice(0, cut).any();
        let minuend = concat(&[&left, &pad(2)]);
        let subtrahend = concat(&[&pad(wide - above - 1), &product.slice(cut, above), &below]);
        let line = m.wire("line", &minuend.wrapping_sub(&subtrahend));
        m.allow(&line, "UNUSEDSIGNAL", "the lowest bit only makes the borrow");
        p.advance();
        let [line, octaves, over] =
            p.keep_all([("line", &line.slice(1, y_bits + 1)), ("octaves", &octaves), ("over", &over)]);
        (line, octaves, over)
    }
}

/// half-up(line / 2^(1 + octaves)).
fn shifted(p: &mut Pipe, line: &Expr, octaves: &Expr, over: &Expr) -> Expr {
    let moved = p.m.wire("moved", &line.shr(octaves));
    p.advance();
    let [moved, over] = p.keep_all([("moved", &moved), ("over", over)]);
    let e_bits = line.width().value() - 1;
    let round = concat(&[&lit(0, uint(e_bits - 1)), &moved.bit(0)]);
    let rounded = p.m.wire("rounded", &moved.slice(1, e_bits).wrapping_add(&round));
    p.advance();
    p.keep("e", &over.select(0, &rounded))
}
