//! Methods by name and option, and the integer constants that a real scale gives them.
//!
//! The scale is taken exactly as the double that it is, and quotients by it are floored as exact rationals.

use num_rational::BigRational;
use thiserror::Error;

use super::{Base2, ExpTable, Exponential, IBert, LinMax, LinMaxPlus, Pwl, ShiftMax};

/// Default n of `linmax` and `ibert`, from their code.
pub const N_DEFAULT: u32 = 30;
/// Default n of `shiftmax`, from its TVM code; the PyTorch code has 15.
pub const SHIFTMAX_N_DEFAULT: u32 = 16;
/// Default W.
pub const WIDTH_DEFAULT: u32 = 18;

/// A method with its options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Method {
    LinMax {
        /// Octaves after which e stays.
        n: u32,
    },
    LinMaxPlus {
        /// Fraction width W.
        width: u32,
    },
    ExpTable {
        /// Fraction width W.
        width: u32,
    },
    Base2 {
        /// F of s = ln2 / 2^F: 3 or 4.
        octave_bits: u32,
        /// Fraction width W.
        width: u32,
        /// The chord of the octave instead of a table.
        line: bool,
    },
    Pwl {
        /// Fraction width W.
        width: u32,
        /// Segments of an octave: 1, 2, 4 or 8.
        segments: u32,
    },
    IBert {
        /// Octaves after which e stays.
        n: u32,
    },
    ShiftMax {
        /// Octaves after which e stays.
        n: u32,
    },
    ItaMax,
}

/// A scale or an option that makes no constants.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum ExponentialError {
    #[error("scale {0} is not a positive, finite number")]
    NotPositive(f64),
    #[error("scale {scale} is too coarse for {method}: its constants vanish; {most:.4} at most")]
    Coarse { method: &'static str, scale: f64, most: f64 },
    #[error("scale {scale:e} is too fine for {method}: its exponentials exceed 63 bits")]
    Fine { method: &'static str, scale: f64 },
    #[error("scale {scale:e} is outside {least:.3e} to {most:.1}, which a step of 16 fraction bits can hold")]
    Step { scale: f64, least: f64, most: f64 },
    #[error("n = {n} octaves of {method} are outside 1..={most}, with which an exponential has at most 63 bits")]
    Shifts { method: &'static str, n: u32, most: u32 },
    #[error("a fraction width of {0} is outside 8..=24")]
    Width(u32),
    #[error("{0} segments; there are 1, 2, 4 or 8")]
    Segments(u32),
    #[error("octaves of 2^{0} steps; base2 has 2^3 or 2^4")]
    OctaveBits(u32),
}

impl Method {
    /// Every method with its default options, and with each of the options that change its accuracy.
    pub const ALL: [Self; 14] = [
        Self::LinMax { n: N_DEFAULT },
        Self::LinMaxPlus { width: WIDTH_DEFAULT },
        Self::ExpTable { width: WIDTH_DEFAULT },
        Self::Base2 { octave_bits: 3, width: WIDTH_DEFAULT, line: false },
        Self::Base2 { octave_bits: 4, width: WIDTH_DEFAULT, line: false },
        Self::Base2 { octave_bits: 3, width: WIDTH_DEFAULT, line: true },
        Self::Base2 { octave_bits: 4, width: WIDTH_DEFAULT, line: true },
        Self::Pwl { width: WIDTH_DEFAULT, segments: 1 },
        Self::Pwl { width: WIDTH_DEFAULT, segments: 2 },
        Self::Pwl { width: WIDTH_DEFAULT, segments: 4 },
        Self::Pwl { width: WIDTH_DEFAULT, segments: 8 },
        Self::IBert { n: N_DEFAULT },
        Self::ShiftMax { n: SHIFTMAX_N_DEFAULT },
        Self::ItaMax,
    ];

    /// The method's name in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::LinMax { .. } => "linmax",
            Self::LinMaxPlus { .. } => "linmax-plus",
            Self::ExpTable { .. } => "exp-table",
            Self::Base2 { .. } => "base2",
            Self::Pwl { .. } => "pwl",
            Self::IBert { .. } => "ibert",
            Self::ShiftMax { .. } => "shiftmax",
            Self::ItaMax => "itamax",
        }
    }

    /// The one scale that a method is made for, where it has one: an octave is a power of two of steps.
    pub fn own_scale(self) -> Option<f64> {
        let octave_bits = match self {
            Self::Base2 { octave_bits, .. } => octave_bits,
            Self::ItaMax => 5,
            _ => return None,
        };
        Some(std::f64::consts::LN_2 / f64::from(1u32 << octave_bits))
    }

    /// The exponential at a scale; methods with a scale of their own do not read it.
    pub fn exponential(self, scale: f64) -> Result<Exponential, ExponentialError> {
        Ok(match self {
            Self::LinMax { n } => Exponential::LinMax(LinMax::new(scale, n)?),
            Self::LinMaxPlus { width } => Exponential::LinMaxPlus(LinMaxPlus::new(scale, width)?),
            Self::ExpTable { width } => Exponential::ExpTable(ExpTable::new(scale, width)?),
            Self::Base2 { octave_bits, width, line: false } => Exponential::Base2(Base2::table(octave_bits, width)?),
            Self::Base2 { octave_bits, width, line: true } => Exponential::Base2(Base2::line(octave_bits, width)?),
            Self::Pwl { width, segments } => Exponential::Pwl(Pwl::new(scale, width, segments)?),
            Self::IBert { n } => Exponential::IBert(IBert::new(scale, n)?),
            Self::ShiftMax { n } => Exponential::ShiftMax(ShiftMax::new(scale, n)?),
            Self::ItaMax => Exponential::ItaMax,
        })
    }
}

/// The method with the options that tell it from the others of its name.
impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Base2 { octave_bits, line, .. } => {
                write!(f, " {}, F = {octave_bits}", if *line { "line" } else { "table" })
            }
            Self::Pwl { segments, .. } => write!(f, ", segments = {segments}"),
            _ => Ok(()),
        }
    }
}

pub(super) fn check_scale(scale: f64) -> Result<(), ExponentialError> {
    if scale.is_finite() && scale > 0.0 { Ok(()) } else { Err(ExponentialError::NotPositive(scale)) }
}

/// Few enough bits that a table entry in double precision is off by less than 2^-20 of its unit before it is rounded.
pub(super) fn check_width(width: u32) -> Result<(), ExponentialError> {
    if (8..=24).contains(&width) { Ok(()) } else { Err(ExponentialError::Width(width)) }
}

/// The scale as an exact rational.
pub(super) fn exact(scale: f64) -> Result<BigRational, ExponentialError> {
    check_scale(scale)?;
    BigRational::from_float(scale).ok_or(ExponentialError::NotPositive(scale))
}

/// A constant as printed, or a quotient of two.
pub(super) fn decimal(numerator: u64, denominator: u64) -> BigRational {
    BigRational::new(numerator.into(), denominator.into())
}
