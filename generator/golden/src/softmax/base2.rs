//! Methods that shift a table or a line of one octave: e(d) = half-up(m(f) / 2^q), q the whole octaves of s·d·log2(e) and f
//! the rest. W is the fraction width: e(0) is about 2^W. And `exp-table`, which stores every e(d).

use super::ExponentialError;
use super::method::{check_scale, check_width};
use super::row::half_up;

/// Fraction bits of t = d·C.
const STEP_BITS: u32 = 16;
/// Bits of C: scales up to 177.
const MOST_STEP_BITS: u32 = 24;

/// `linmax-plus`: t = d·C, q = t >> 16, f = t mod 2^16, e = half-up((B - A·f / 2^16) / 2^q), one rounding.
///
/// The line of `linmax` with the phase counted in 2^-16 octaves instead of whole steps; ours. C = half-even(s·log2(e)·2^16),
/// A = round(0.49616·2^W), B = round(0.96972·2^W).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinMaxPlus {
    /// C: octaves of a step, in 2^-16.
    pub step: u32,
    /// A: fall of the line over an octave.
    pub slope: u64,
    /// B: e(0).
    pub intercept: u64,
}

/// `exp-table`: e(d) = T[d] = half-even(exp(-s·d)·(2^W - 1)) for d < 256, and 0 beyond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpTable {
    /// T.
    pub values: Vec<u64>,
}

/// `base2`: for s = ln2 / 2^F, q = d >> F, j = d mod 2^F, e = half-up(T[j] / 2^q): no multiplier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base2 {
    /// F: an octave has 2^F steps.
    pub octave_bits: u32,
    /// T, 2^F values.
    pub values: Vec<u64>,
}

/// `pwl`: t as in `linmax-plus`; K segments an octave between the points Y[i] = half-even(2^(-i / K)·(2^W - 1)), one rounding
/// after the shift.
///
/// With k = log2(K), i = f >> (16 - k) and g = f mod 2^(16 - k): e = half-up((Y[i]·2^(16 - k) - (Y[i] - Y[i + 1])·g) /
/// 2^(16 - k + q)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pwl {
    /// C: octaves of a step, in 2^-16.
    pub step: u32,
    /// Y, K + 1 values.
    pub points: Vec<u64>,
}

/// C = half-even(s·log2(e)·2^16), refused outside 1..2^24.
fn step(scale: f64) -> Result<u32, ExponentialError> {
    check_scale(scale)?;
    let unit = std::f64::consts::LOG2_E * f64::from(1u32 << STEP_BITS);
    let step = (scale * unit).round_ties_even();
    let most = f64::from((1u32 << MOST_STEP_BITS) - 1);
    if (1.0..=most).contains(&step) {
        return Ok(step as u32);
    }
    Err(ExponentialError::Step { scale, least: 0.5 / unit, most: most / unit })
}

/// q and f of a difference.
fn phase(d: u64, step: u32) -> (u64, u64) {
    let t = d * u64::from(step);
    (t >> STEP_BITS, t % (1 << STEP_BITS))
}

/// half-even(x·(2^W - 1)).
fn fraction(x: f64, width: u32) -> u64 {
    (x * ((1u64 << width) - 1) as f64).round_ties_even() as u64
}

impl LinMaxPlus {
    /// The constants of a scale and a width.
    pub fn new(scale: f64, width: u32) -> Result<Self, ExponentialError> {
        check_width(width)?;
        // round(numerator / 100000 · 2^W); 5^5 divides no power of two, so there are no ties.
        let line = |numerator: u64| ((numerator << (width + 1)) + 100_000) / 200_000;
        Ok(Self { step: step(scale)?, slope: line(49_616), intercept: line(96_972) })
    }

    /// e(d). The line falls within an octave and starts each at half of the one before: e(0) is the largest.
    pub fn at(&self, d: u64) -> u64 {
        let (q, f) = phase(d, self.step);
        half_up((self.intercept << STEP_BITS) - self.slope * f, q + u64::from(STEP_BITS))
    }
}

impl ExpTable {
    /// The table of a scale and a width.
    pub fn new(scale: f64, width: u32) -> Result<Self, ExponentialError> {
        check_scale(scale)?;
        check_width(width)?;
        Ok(Self { values: (0..256).map(|d| fraction((-scale * f64::from(d)).exp(), width)).collect() })
    }

    /// e(d), which never rises.
    pub fn at(&self, d: u64) -> u64 {
        usize::try_from(d).ok().and_then(|d| self.values.get(d)).copied().unwrap_or(0)
    }
}

impl Base2 {
    /// T[j] = half-even(2^(-j / 2^F)·(2^W - 1)).
    pub fn table(octave_bits: u32, width: u32) -> Result<Self, ExponentialError> {
        check_octave(octave_bits, width)?;
        let steps = 1u32 << octave_bits;
        let value = |j| fraction((-f64::from(j) / f64::from(steps)).exp2(), width);
        Ok(Self { octave_bits, values: (0..steps).map(value).collect() })
    }

    /// T[j] = (2^(F + 1) - j)·2^(W - F - 1): the chord of the octave. e(0) = 2^W takes a bit more than the table.
    pub fn line(octave_bits: u32, width: u32) -> Result<Self, ExponentialError> {
        check_octave(octave_bits, width)?;
        let value = |j: u64| ((2 << octave_bits) - j) << (width - octave_bits - 1);
        Ok(Self { octave_bits, values: (0..1 << octave_bits).map(value).collect() })
    }

    /// e(d). T falls and ends above T[0] / 2: it never rises.
    pub fn at(&self, d: u64) -> u64 {
        half_up(self.values[(d % (1 << self.octave_bits)) as usize], d >> self.octave_bits)
    }

    /// ceil(x / 2^F): the whole octave at or above x.
    pub fn octave_above(&self, x: i64) -> i64 {
        (x + (1 << self.octave_bits) - 1) >> self.octave_bits
    }

    /// The input at which an octave begins.
    pub fn step_of(&self, octave: i64) -> i64 {
        octave << self.octave_bits
    }
}

impl Pwl {
    /// The constants of a scale, a width and 1, 2, 4 or 8 segments.
    pub fn new(scale: f64, width: u32, segments: u32) -> Result<Self, ExponentialError> {
        check_width(width)?;
        if ![1, 2, 4, 8].contains(&segments) {
            return Err(ExponentialError::Segments(segments));
        }
        let point = |i| fraction((-f64::from(i) / f64::from(segments)).exp2(), width);
        Ok(Self { step: step(scale)?, points: (0..=segments).map(point).collect() })
    }

    /// e(d). The points fall, and the last one, 2^(W - 1), rounds like half of the first: it never rises.
    pub fn at(&self, d: u64) -> u64 {
        let (q, f) = phase(d, self.step);
        let rest_bits = STEP_BITS - (self.points.len() as u32 - 1).ilog2();
        let (i, g) = ((f >> rest_bits) as usize, f % (1 << rest_bits));
        let (left, right) = (self.points[i], self.points[i + 1]);
        half_up((left << rest_bits) - (left - right) * g, q + u64::from(rest_bits))
    }
}

fn check_octave(octave_bits: u32, width: u32) -> Result<(), ExponentialError> {
    check_width(width)?;
    if (3..=4).contains(&octave_bits) { Ok(()) } else { Err(ExponentialError::OctaveBits(octave_bits)) }
}
