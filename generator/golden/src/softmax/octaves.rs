//! Methods of integer-only networks, which count octaves in steps of the input: d = q·o + r with o ≈ ln2 / s, then a
//! polynomial in r and a shift by q. They differ in the polynomial: linear (`linmax`), quadratic (`ibert`), a shift
//! (`shiftmax`). All clamp d to n octaves, so that e never falls below the value at n octaves.

use num_rational::BigRational;
use num_traits::ToPrimitive;

use super::ExponentialError;
use super::method::{decimal, exact};

/// Bits of the largest exponential: sums are uint64 below 2^63.
const MOST_BITS: u32 = 63;

/// `linmax`: e = max(0, b - r)·2^(n - q).
///
/// HyQ (Kim et al., IJCAI 2024), its code's `int_exp_first_8` read on exact integers: x0 = floor(-0.6931 / s), b =
/// floor((0.12121466 / 0.08947606) / s), xi = max(-d, n·x0), q = floor(xi / x0), r' = xi - x0·q, e = max(0, (r' + b)·2^(n - q)).
/// Here `octave` is -x0 and r = -r'.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinMax {
    /// o = -x0: steps of an octave, at least 1.
    pub octave: u64,
    /// b, at least 1: e(0) / 2^n.
    pub intercept: u64,
    /// n: octaves after which e stays.
    pub n: u32,
}

/// `ibert`: e = ((r' + b')·r' + c')·2^(n - q), with x0, q and r' as in `linmax`.
///
/// I-BERT (Kim et al., ICML 2021), i-exp of its code: a = 0.35815147, b = 0.96963238, c = 1; b' = floor(b / a / s), c' =
/// floor(c / a / s²). The polynomial is positive: its least value is c' - b'²/4 ≥ 0.959 / s² - 1 > 0 for s < 0.979, and beyond
/// s = 0.6931 an octave is one step, so that r' = 0 and e = c'·2^(n - q).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IBert {
    /// o = -x0: steps of an octave, at least 1.
    pub octave: u64,
    /// b'.
    pub linear: u64,
    /// c', at least 1.
    pub constant: u64,
    /// n: octaves after which e stays.
    pub n: u32,
}

/// `shiftmax`: p = d + ceil(d / 2) - ceil(d / 16), q and r by o from p, e = (o - ceil(r / 2))·2^(n - q).
///
/// I-ViT (Li and Gu, ICCV 2023), `shift_exp` of its TVM code, where x = -d: p' = x + (x >> 1) - (x >> 4) approximates
/// x·log2(e), x0 = trunc(-1 / s - 1), p' = max(p', n·x0), q = trunc(p' / x0), r' = p' - q·x0, e = ((r' >> 1) - x0) << (n - q).
/// Here `octave` is -x0 = floor(1 / s) + 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShiftMax {
    /// o = -x0: steps of an octave of base 2, at least 1.
    pub octave: u64,
    /// n: octaves after which e stays.
    pub n: u32,
}

/// q and r = d - q·octave, clamped to n octaves.
fn split(d: u64, octave: u64, n: u32) -> (u32, u64) {
    let q = d / octave;
    if q >= n.into() { (n, 0) } else { (q as u32, d % octave) }
}

impl LinMax {
    /// The constants of a scale; refused where b is 0 or e(0) = b·2^n needs over 63 bits.
    pub fn new(scale: f64, n: u32) -> Result<Self, ExponentialError> {
        let s = exact(scale)?;
        let intercept = floor("linmax", scale, &(decimal(12_121_466, 8_947_606) / &s))?;
        if intercept == 0 {
            return Err(ExponentialError::Coarse { method: "linmax", scale, most: 12_121_466.0 / 8_947_606.0 });
        }
        check_shift("linmax", scale, intercept, n)?;
        Ok(Self { octave: octave("linmax", scale, &s)?, intercept, n })
    }

    /// e(d). It falls within an octave, and e at r = 0 halves from octave to octave: e(0) is the largest.
    pub fn at(&self, d: u64) -> u64 {
        let (q, r) = split(d, self.octave, self.n);
        self.intercept.saturating_sub(r) << (self.n - q)
    }
}

impl IBert {
    /// The constants of a scale; refused where c' is 0 or c'·2^n needs over 63 bits.
    pub fn new(scale: f64, n: u32) -> Result<Self, ExponentialError> {
        let s = exact(scale)?;
        let linear = floor("ibert", scale, &(decimal(96_963_238, 35_815_147) / &s))?;
        let constant = floor("ibert", scale, &(decimal(100_000_000, 35_815_147) / (&s * &s)))?;
        if constant == 0 {
            let most = (100_000_000.0f64 / 35_815_147.0).sqrt();
            return Err(ExponentialError::Coarse { method: "ibert", scale, most });
        }
        check_shift("ibert", scale, constant, n)?;
        Ok(Self { octave: octave("ibert", scale, &s)?, linear, constant, n })
    }

    /// e(d). The polynomial falls as long as r < b'/2, and r ≤ 0.6931 / s < 1.353 / s - 1/2 ≤ b'/2: e(0) is the largest.
    pub fn at(&self, d: u64) -> u64 {
        let (q, r) = split(d, self.octave, self.n);
        self.polynomial(r) << (self.n - q)
    }

    /// (r' + b')·r' + c' at r' = -r.
    fn polynomial(&self, r: u64) -> u64 {
        let (r, b, c) = (i128::from(r), i128::from(self.linear), i128::from(self.constant));
        ((r - b) * r + c) as u64
    }
}

impl ShiftMax {
    /// The constants of a scale; refused where e(0) = o·2^n needs over 63 bits.
    pub fn new(scale: f64, n: u32) -> Result<Self, ExponentialError> {
        let octave = floor("shiftmax", scale, &(exact(scale)?.recip() + decimal(1, 1)))?;
        check_shift("shiftmax", scale, octave, n)?;
        Ok(Self { octave, n })
    }

    /// e(d). p rises with d, and within an octave o - ceil(r / 2) ≥ o / 2: e never rises.
    pub fn at(&self, d: u64) -> u64 {
        let p = d + d.div_ceil(2) - d.div_ceil(16);
        let (q, r) = split(p, self.octave, self.n);
        (self.octave - r.div_ceil(2)) << (self.n - q)
    }
}

/// -floor(-0.6931 / s), the octave of `linmax` and `ibert`.
fn octave(method: &'static str, scale: f64, s: &BigRational) -> Result<u64, ExponentialError> {
    floor(method, scale, &(decimal(6_931, 10_000) / s).ceil())
}

fn floor(method: &'static str, scale: f64, value: &BigRational) -> Result<u64, ExponentialError> {
    value.floor().to_integer().to_u64().ok_or(ExponentialError::Fine { method, scale })
}

/// Refuses a shift by n that would take the largest polynomial value over 63 bits.
fn check_shift(method: &'static str, scale: f64, polynomial: u64, n: u32) -> Result<(), ExponentialError> {
    let bits = u64::BITS - polynomial.leading_zeros();
    match MOST_BITS.saturating_sub(bits) {
        0 => Err(ExponentialError::Fine { method, scale }),
        most if !(1..=most).contains(&n) => Err(ExponentialError::Shifts { method, n, most }),
        _ => Ok(()),
    }
}
