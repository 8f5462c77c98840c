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
pub fn base2_table(octave_bits: u32, width: u32) -> Vec<u64> {
    octave(octave_bits)[..1 << octave_bits].iter().map(|y| fraction(*y, width)).collect()
}

/// T of `base2`'s line: (2^(F + 1) - j)·2^(W - F - 1), 2^F values.
pub fn base2_line(octave_bits: u32, width: u32) -> Vec<u64> {
    (0..1 << octave_bits).map(|j: u64| ((2 << octave_bits) - j) << (width - octave_bits - 1)).collect()
}
