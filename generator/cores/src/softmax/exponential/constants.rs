//! Integer constants of the methods, from the definitions of `docs/softmax.md`, in integer arithmetic.
//!
//! The golden models round doubles and divide rationals; here everything is fixed point with 62 fraction bits or long division, so
//! that a wrong constant in one is not in the other.

/// Fraction bits of real values from 0 to 1.
const FRACTION: u32 = 62;
const ONE: u64 = 1 << FRACTION;

/// A positive scale, exactly as the double that it is: mantissa / 2^exponent.
#[derive(Clone, Copy)]
struct Exact {
    mantissa: u64,
    exponent: u32,
}

impl Exact {
    /// `None` for what is no scale, and for 2^53 and more.
    fn new(scale: f64) -> Option<Self> {
        if !scale.is_normal() || scale < 0.0 {
            return None;
        }
        let bits = scale.to_bits();
        let mantissa = (bits & ((1 << 52) - 1)) | 1 << 52;
        let exponent = (1023 + 52u32).checked_sub((bits >> 52) as u32)?;
        Some(Self { mantissa, exponent })
    }
}

/// Product of two values with [`FRACTION`] fraction bits.
fn product(a: u64, b: u64) -> u64 {
    ((u128::from(a) * u128::from(b)) >> FRACTION) as u64
}

/// x·(2^width - 1), rounded to nearest. The values are irrational but for 1 and 1/2, of which only the half meets a tie: to even.
fn fraction(x: u64, width: u32) -> u64 {
    let exact = u128::from(x) * ((1u128 << width) - 1);
    let (whole, rest) = ((exact >> FRACTION) as u64, exact % u128::from(ONE));
    let half = u128::from(ONE / 2);
    whole + u64::from(rest > half || rest == half && whole % 2 == 1)
}

/// exp(-scale): the series at the scale over a power of two, squared back.
fn exp_of_minus(scale: Exact) -> u64 {
    let (mut x, mut exponent, mut squarings) = (u128::from(scale.mantissa), scale.exponent, 0);
    // Below one half the series gains a bit a term, and more.
    while exponent < 54 {
        (exponent, squarings) = (exponent + 1, squarings + 1);
    }
    x = (x << (FRACTION + 8)) >> exponent.min(127) >> 8;
    let (mut sum, mut term) = (ONE, ONE);
    for n in 1..40 {
        term = product(term, x as u64) / n;
        sum = if n % 2 == 1 { sum - term } else { sum + term };
    }
    (0..squarings).fold(sum, |y, _| product(y, y))
}

/// 2^(-i / 2^bits) for i = 0, 1, …, 2^bits: products of repeated square roots of one half.
fn octave(bits: u32) -> Vec<u64> {
    let mut step = ONE / 2;
    for _ in 0..bits {
        step = (u128::from(step) << FRACTION).isqrt() as u64;
    }
    let power = |i: u64| (0..i).fold(ONE, |y, _| product(y, step));
    (0..1 << bits).map(power).chain([ONE / 2]).collect()
}

/// T of `exp-table`: half-even(exp(-s·d)·(2^W - 1)), 256 values.
pub fn exp_table(scale: f64, width: u32) -> Option<Vec<u64>> {
    let step = exp_of_minus(Exact::new(scale)?);
    let powers = std::iter::successors(Some(ONE), |y| Some(product(*y, step)));
    Some(powers.take(256).map(|y| fraction(y, width)).collect())
}

/// T of `base2`'s table: half-even(2^(-j / 2^F)·(2^W - 1)), 2^F values.
pub fn octave_table(octave_bits: u32, width: u32) -> Vec<u64> {
    octave(octave_bits)[..1 << octave_bits].iter().map(|y| fraction(*y, width)).collect()
}

/// floor(numerator·2^shift / divisor) and whether there is a rest: long division, a bit at a time.
fn quotient(numerator: u64, shift: u32, divisor: u128) -> Option<(u128, bool)> {
    let (mut q, mut rest) = (u128::from(numerator) / divisor, u128::from(numerator) % divisor);
    for _ in 0..shift {
        rest <<= 1;
        if q >> 126 != 0 || rest >> 126 != 0 {
            return None;
        }
        q = 2 * q + u128::from(rest >= divisor);
        rest = if rest >= divisor { rest - divisor } else { rest };
    }
    Some((q, rest > 0))
}

/// floor(numerator / (denominator·scale)) and whether there is a rest.
fn over_scale(numerator: u64, denominator: u64, scale: f64) -> Option<(u128, bool)> {
    let s = Exact::new(scale)?;
    quotient(numerator, s.exponent, u128::from(denominator) * u128::from(s.mantissa))
}

/// o = -floor(-0.6931 / s) of `linmax` and `ibert`.
fn hyq_octave(scale: f64) -> Option<u64> {
    let (whole, rest) = over_scale(6_931, 10_000, scale)?;
    u64::try_from(whole + u128::from(rest)).ok()
}

/// `linmax`: o and b = floor((0.12121466 / 0.08947606) / s).
pub fn linmax(scale: f64) -> Option<(u64, u64)> {
    Some((hyq_octave(scale)?, u64::try_from(over_scale(12_121_466, 8_947_606, scale)?.0).ok()?))
}

/// `ibert`: o, b' = floor((0.96963238 / 0.35815147) / s) and c' = floor((1 / 0.35815147) / s²).
pub fn ibert(scale: f64) -> Option<(u64, u64, u64)> {
    let s = Exact::new(scale)?;
    let linear = over_scale(96_963_238, 35_815_147, scale)?.0;
    // floor(floor(a / b) / c) = floor(a / (b·c)): one factor s at a time, all powers of two first.
    let once = quotient(100_000_000, 2 * s.exponent, 35_815_147 * u128::from(s.mantissa))?.0;
    let constant = once / u128::from(s.mantissa);
    Some((hyq_octave(scale)?, u64::try_from(linear).ok()?, u64::try_from(constant).ok()?))
}

/// `shiftmax`: o = floor(1 / s) + 1.
pub fn shiftmax(scale: f64) -> Option<u64> {
    u64::try_from(over_scale(1, 1, scale)?.0).ok()?.checked_add(1)
}

/// log2(e) - 1 with [`FRACTION`] fraction bits: 0.4426950408889634073599246810018921374.
const LOG2_E_LESS_ONE: u64 = 0x1c55_1d94_ae0b_f85d;

/// C = half-even(s·log2(e)·2^16): 1 to 2^24 - 1.
pub fn step(scale: f64) -> Option<u64> {
    let s = Exact::new(scale)?;
    let exact = u128::from(s.mantissa) * u128::from(ONE + LOG2_E_LESS_ONE);
    // An irrational number meets no tie.
    let cut = (FRACTION + s.exponent).checked_sub(16)?;
    let step = if cut > 120 { 0 } else { ((exact >> (cut - 1)) + 1) >> 1 };
    u64::try_from(step).ok().filter(|c| (1..1 << 24).contains(c))
}

/// Y of `pwl`: half-even(2^(-i / K)·(2^W - 1)), K + 1 values.
pub fn points(segments: u32, width: u32) -> Vec<u64> {
    octave(segments.ilog2()).iter().map(|y| fraction(*y, width)).collect()
}

/// `linmax-plus`: B and B - A, the ends of its line: round(0.96972·2^W), and that less round(0.49616·2^W).
pub fn line(width: u32) -> Vec<u64> {
    let round = |parts: u64| ((parts << width) + 50_000) / 100_000;
    vec![round(96_972), round(96_972) - round(49_616)]
}
