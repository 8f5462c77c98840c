//! The quantizer over whole jobs: wide integers [R, C] to few bits, by one of nine methods.
//!
//! Every definition is in integers and stands at its method. What all share: x is [R, C], a row a token and a column a
//! channel. A beat holds `lanes` columns; every row starts a new beat at lane 0, so column c sits in lane c mod `lanes`
//! of beat c / `lanes` of its row, and the last beat of a row may be padded. Everything that draws random numbers holds its
//! seeds at the start of a job and steps once after each beat, whether a lane holds an element or padding.
//!
//! y is int8 with one element a code: a number with its sign; a code of 8 bits as the byte's two's complement; a shorter
//! code in the low bits with zeros above.

mod absmax;
mod beats;
mod dual_scale;
mod hadamard;
mod mx;
mod ovp;
mod rescale;
mod stochastic;

use std::collections::BTreeMap;

use bitlathe_spec::{DType, Tensor};
use thiserror::Error;

pub use absmax::AbsMax;
pub use dual_scale::{DualScale, decode_region, iqr_threshold};
pub use hadamard::Hadamard;
pub use mx::{Element, Mx};
pub use ovp::{OUTLIERS, Ovp, VICTIM, decode_pair};
pub use rescale::Rescale;
pub use stochastic::{SEEDS, Stochastic};

use crate::arguments::ArgumentError;
use crate::dyadic::MAX_SHIFT;
use beats::Matrix;

/// A quantizer core.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantizer {
    /// Bits of an input element, two's complement, 2..=32; some methods take fewer widths.
    pub input_bits: u32,
    /// Columns of a beat. Read for random numbers alone.
    pub lanes: usize,
    /// How an element becomes few bits.
    pub method: Method,
}

/// The methods by name; each struct says what it computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Method {
    /// `requant`: a real scale as an integer pair.
    Requant(Rescale),
    /// `stochastic`: four fraction bits against a 4-bit LFSR.
    Stochastic(Stochastic),
    /// `dual-scale`: one scale below a given threshold, one above.
    DualScale(DualScale),
    /// `iqr`: the same with the threshold taken from the tensor's quartiles.
    Iqr(DualScale),
    /// `absmax`: each row scaled by its largest magnitude.
    AbsMax(AbsMax),
    /// `mx`: blocks with a shared power-of-two scale.
    Mx(Mx),
    /// `pot`: a power of two as the scale.
    Pot(Rescale),
    /// `ovp`: outliers that take the code of their neighbour.
    Ovp(Ovp),
    /// `hadamard`: the exact transform before a quantizer.
    Hadamard(Hadamard),
}

impl Method {
    /// The name in a config.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Requant(_) => "requant",
            Self::Stochastic(_) => "stochastic",
            Self::DualScale(_) => "dual-scale",
            Self::Iqr(_) => "iqr",
            Self::AbsMax(_) => "absmax",
            Self::Mx(_) => "mx",
            Self::Pot(_) => "pot",
            Self::Ovp(_) => "ovp",
            Self::Hadamard(_) => "hadamard",
        }
    }
}

/// Tensors of a job. A method ignores those that it does not name.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Elements [R, C], at least one, within the input bits.
    pub x: &'a Tensor,
    /// Multipliers, uint16, [C] or [1]; for `dual-scale` and `iqr` [2, C] or [2, 1]: inside, then outside the threshold.
    pub mult: Option<&'a Tensor>,
    /// Shifts 0..=47, [C] or [1], where the shift is no constant.
    pub shift: Option<&'a Tensor>,
    /// Zero points of `requant`, int8, [C] or [1]; 0 when absent.
    pub zero_point: Option<&'a Tensor>,
    /// Threshold of `dual-scale`, 0..=2^31 - 1, [1].
    pub threshold: Option<&'a Tensor>,
}

impl<'a> Inputs<'a> {
    /// A job of nothing but elements.
    pub fn of(x: &'a Tensor) -> Self {
        Self { x, mult: None, shift: None, zero_point: None, threshold: None }
    }
}

/// Parameters that make no quantizer, or tensors that make no job for it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum QuantizerError {
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    #[error("`{method}` takes inputs of {legal} bits, not {bits}")]
    InputBits { method: &'static str, bits: u32, legal: &'static str },
    #[error("outputs have 4 or 8 bits, not {0}")]
    OutputBits(u32),
    #[error("a quantizer has at least one lane")]
    Lanes,
    #[error("the constant shift {0} is outside 0..=47")]
    Shift(u32),
    #[error("the seeds {0:?} are not one to fifteen different numbers in 1..=15")]
    Seeds(Vec<u8>),
    #[error("a block of {0} elements is no power of two in 8..=256")]
    Block(usize),
    #[error("{0} fraction bits are more than 64")]
    Fraction(u32),
    #[error("a transform of {0} elements is no power of two from 2 on")]
    TransformSize(usize),
    #[error("a transform of {size} elements of {bits} bits needs {needed} bits, more than 32")]
    TransformGrowth { size: usize, bits: u32, needed: u32 },
}

impl Quantizer {
    /// The outputs of a job by name: `y` [R, C]; `amax` uint32 [R] from `absmax`; `e` uint8 [R, blocks of a row] from `mx`;
    /// `thr` int32 [1] from `iqr`.
    pub fn run(&self, inputs: &Inputs<'_>) -> Result<BTreeMap<String, Tensor>, QuantizerError> {
        self.check()?;
        let x = Matrix::new(inputs.x, self.input_bits)?;
        let named = |name: &str, tensor| (name.to_owned(), tensor);
        let y = |data| named("y", Tensor::new(DType::I8, [x.rows, x.columns], data));
        Ok(match &self.method {
            Method::Requant(m) => [y(m.scaled(&x, inputs, self.lanes)?)].into(),
            Method::Pot(m) => [y(m.shifted(&x, inputs, self.lanes)?)].into(),
            Method::Stochastic(m) => [y(m.run(&x, inputs, self.lanes)?)].into(),
            Method::DualScale(m) => [y(m.with_given_threshold(&x, inputs, self.lanes)?)].into(),
            Method::Iqr(m) => {
                let threshold = iqr_threshold(&x.data, self.input_bits);
                let thr = Tensor::new(DType::I32, [1], vec![threshold]);
                [y(m.run(&x, inputs, self.lanes, threshold)?), named("thr", thr)].into()
            }
            Method::AbsMax(m) => {
                let (codes, largest) = m.run(&x, self.input_bits);
                [y(codes), named("amax", Tensor::new(DType::U32, [x.rows], largest))].into()
            }
            Method::Mx(m) => {
                let (codes, exponents) = m.run(&x);
                let blocks = x.columns.div_ceil(m.block);
                [y(codes), named("e", Tensor::new(DType::U8, [x.rows, blocks], exponents))].into()
            }
            Method::Ovp(m) => [y(m.run(&x, inputs)?)].into(),
            Method::Hadamard(m) => {
                [named("y", Tensor::new(DType::I32, [x.rows, x.columns], m.run(&x, inputs.x)?))].into()
            }
        })
    }

    /// Refuses parameters that make no quantizer.
    pub fn check(&self) -> Result<(), QuantizerError> {
        let legal = match self.method {
            Method::AbsMax(_) => (matches!(self.input_bits, 16 | 32), "16 or 32"),
            Method::Iqr(_) => ((8..=32).contains(&self.input_bits), "8 to 32"),
            _ => ((2..=32).contains(&self.input_bits), "2 to 32"),
        };
        if let (false, legal) = legal {
            return Err(QuantizerError::InputBits { method: self.method.name(), bits: self.input_bits, legal });
        }
        if self.lanes == 0 {
            return Err(QuantizerError::Lanes);
        }
        match &self.method {
            Method::Requant(m) | Method::Pot(m) => m.check(),
            Method::Stochastic(m) => m.check(),
            Method::DualScale(m) | Method::Iqr(m) => m.check(),
            Method::AbsMax(m) => check_output_bits(m.bits),
            Method::Mx(m) => m.check(),
            Method::Ovp(m) => check_shift(m.shift),
            Method::Hadamard(m) => m.check(self.input_bits),
        }
    }
}

fn check_output_bits(bits: u32) -> Result<(), QuantizerError> {
    if matches!(bits, 4 | 8) { Ok(()) } else { Err(QuantizerError::OutputBits(bits)) }
}

fn check_shift(shift: Option<u32>) -> Result<(), QuantizerError> {
    match shift {
        Some(s) if s > MAX_SHIFT => Err(QuantizerError::Shift(s)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
