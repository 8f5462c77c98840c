//! `requant` and `pot`: a scale as an integer pair, or as a power of two.

use bitlathe_spec::Rounding;

use super::beats::Matrix;
use super::{Inputs, QuantizerError, check_output_bits, check_shift};
use crate::arguments::{ArgumentError, PerChannel, per_channel, shift_per_channel};
use crate::lfsr::Lfsr;
use crate::rounding::{OutputFormat, Random, requantize};

/// `requant`: y = sat(round(x·m / 2^s) + zp). `pot`: y = sat(round(x / 2^s)).
///
/// Rounding by name, saturation last. m, s and zp are one for the tensor or one a channel. |x·m| < 2^47, so the product of
/// a lane has 48 bits.
///
/// Stochastic rounding: lane i owns the 16-bit LFSR [`Lfsr::of_lane`]; a beat takes the min(s, 16) most significant bits
/// of its state as r.
///
/// `requant` is the dyadic arithmetic of I-ViT (Li and Gu, ICCV 2023) and HAWQ-V3 (Yao et al., ICML 2021); `pot` the
/// power-of-two scale of FastMamba (Wang et al., 2025) and LightMamba (Wei et al., DATE 2025). The rounding names and the
/// widths are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rescale {
    /// Integer type of the output: 4 or 8 bits.
    pub format: OutputFormat,
    /// How a product is rounded.
    pub rounding: Rounding,
    /// The constant shift, 0..=47; `None`: the input `shift` gives it.
    pub shift: Option<u32>,
}

/// What one element is scaled by.
pub(super) struct Scale {
    pub mult: u16,
    pub shift: u32,
    pub zero_point: i64,
}

impl Rescale {
    pub(super) fn check(&self) -> Result<(), QuantizerError> {
        check_output_bits(self.format.bits)?;
        check_shift(self.shift)
    }

    /// `requant`.
    pub(super) fn scaled(&self, x: &Matrix, inputs: &Inputs<'_>, lanes: usize) -> Result<Vec<i64>, ArgumentError> {
        let mult = multipliers(inputs, x.columns)?;
        let shift = shift_per_channel(self.shift, inputs.shift, x.columns)?;
        let zero_point = match inputs.zero_point {
            Some(tensor) => per_channel("zp", tensor, x.columns, (i8::MIN.into(), i8::MAX.into()))?,
            None => PerChannel::constant(0),
        };
        let scale = |_, c| Scale { mult: mult.at(c) as u16, shift: shift.at(c) as u32, zero_point: zero_point.at(c) };
        Ok(rescale(x, lanes, self.rounding, self.format, scale))
    }

    /// `pot`.
    pub(super) fn shifted(&self, x: &Matrix, inputs: &Inputs<'_>, lanes: usize) -> Result<Vec<i64>, ArgumentError> {
        let shift = shift_per_channel(self.shift, inputs.shift, x.columns)?;
        let scale = |_, c| Scale { mult: 1, shift: shift.at(c) as u32, zero_point: 0 };
        Ok(rescale(x, lanes, self.rounding, self.format, scale))
    }
}

/// The tensor `mult` of one plane.
pub(super) fn multipliers(inputs: &Inputs<'_>, channels: usize) -> Result<PerChannel, ArgumentError> {
    let mult = inputs.mult.ok_or(ArgumentError::Missing("mult"))?;
    per_channel("mult", mult, channels, (0, u16::MAX.into()))
}

/// Every element with the scale that `scale(value, column)` gives it, rounded by name in its lane.
pub(super) fn rescale(
    x: &Matrix,
    lanes: usize,
    rounding: Rounding,
    format: OutputFormat,
    scale: impl Fn(i64, usize) -> Scale,
) -> Vec<i64> {
    let lfsrs = match rounding {
        Rounding::Stochastic => (0..lanes.min(x.columns)).map(Lfsr::of_lane).collect(),
        _ => Vec::new(),
    };
    x.map_beats(lanes, lfsrs, |value, column, lfsrs| {
        let s = scale(value, column);
        let random = lfsrs.get(column % lanes).map(|l| Random::of_lane(l, s.shift));
        requantize(value, s.mult, s.shift, s.zero_point, format, rounding, random)
    })
}
