//! The ternary matrix product over whole jobs: Y[t, m] = Σ_k W[m, k] · X[t, k], as int32 or requantized.

use bitlathe_spec::{DType, Rounding, Tensor};
use thiserror::Error;

use crate::arguments::{ArgumentError, PerChannel, narrowed, per_channel, planes_per_channel, shift_per_channel};
use crate::lfsr::Lfsr;
use crate::rounding::{OutputFormat, Random, saturate, shift_round};

/// Requantized output of a [`TernaryGemm`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requant {
    /// Integer type of the output.
    pub format: OutputFormat,
    /// How a product is rounded.
    pub rounding: Rounding,
    /// The constant shift; `None`: the input `shift` gives it.
    pub shift: Option<u32>,
    /// Output rows in a tile: requantizer lanes. Read for stochastic rounding alone.
    pub m_lanes: usize,
    /// Activation vectors in a pass. Read for stochastic rounding alone.
    pub batch: usize,
}

/// What leaves the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The accumulators themselves.
    Int32,
    /// Multiplied, shifted, offset, saturated.
    Requant(Requant),
}

/// Parameters of the product.
///
/// With two planes W is [2, M, K]. As int32 the output is [2, T, M]. Requantized it is [T, M], with one rounding of
/// a1·m1 + a2·m2, where a1, a2 are the accumulators of the planes and m1, m2 the multipliers of the row in each.
///
/// **Stochastic rounding.** Output lane r serves the rows m with m mod `m_lanes` = r and owns one LFSR of 16 bits,
/// [`Lfsr::of_lane`]: polynomial x^16 + x^15 + x^13 + x^4 + 1, Fibonacci, shifting left, seed ((r + 1) · 0x9E37) mod 2^16 (1
/// where that is zero). At the start of every job all of them hold their seeds. The output beats of a job are walked as
/// [pass][tile][batch]: passes of `batch` vectors, tiles of `m_lanes` rows, one vector a beat. After each beat every LFSR
/// steps once, whether the beat or the lane holds an element or padding. An element at (t, m) is therefore rounded after
/// ((t / batch) · ⌈M / m_lanes⌉ + m / m_lanes) · batch + t mod batch steps, with r = the b most significant bits of the
/// state, b = min(shift, 16): floor(v + r / 2^b).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TernaryGemm {
    /// Weight planes, 1 or 2.
    pub planes: usize,
    /// What leaves.
    pub output: Output,
}

/// Tensors of a job.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Activations, [T, K], within 16 bits.
    pub x: &'a Tensor,
    /// Weights in -1..=1, [M, K], or [2, M, K] with two planes.
    pub w: &'a Tensor,
    /// Multipliers, uint16, [M] or [1]; [2, M] or [2, 1] with two planes. Requantized output needs them.
    pub mult: Option<&'a Tensor>,
    /// Shifts, [M] or [1], where the shift is no constant.
    pub shift: Option<&'a Tensor>,
    /// Zero points, [M] or [1]; 0 when absent.
    pub zero_point: Option<&'a Tensor>,
}

/// Tensors that do not make a job.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum GemmError {
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    #[error("a product has 1 or 2 planes, not {0}")]
    Planes(usize),
    #[error("a requantizer with {m_lanes} lanes and batch {batch} computes nothing; both are at least 1")]
    Lanes { m_lanes: usize, batch: usize },
}

/// Sizes of a job.
#[derive(Clone, Copy)]
struct Sizes {
    t: usize,
    k: usize,
    m: usize,
}

/// The inputs of a requantizer, by row.
struct Scales {
    mult: Vec<PerChannel>,
    shift: PerChannel,
    zero_point: PerChannel,
}

impl TernaryGemm {
    /// The output `y` of a job: [T, M], or [2, T, M] for two planes of int32.
    pub fn run(&self, inputs: &Inputs<'_>) -> Result<Tensor, GemmError> {
        let sizes = self.sizes(inputs)?;
        let x = narrowed::<i32>("x", inputs.x, (i16::MIN.into(), i16::MAX.into()))?;
        let w = narrowed::<i8>("w", inputs.w, (-1, 1))?;
        let plane_size = sizes.m * sizes.k;
        let accumulators: Vec<Vec<i64>> =
            (0..self.planes).map(|p| product(&x, &w[p * plane_size..(p + 1) * plane_size], sizes)).collect();
        match &self.output {
            Output::Int32 => {
                let mut shape = vec![sizes.t, sizes.m];
                if self.planes == 2 {
                    shape.insert(0, 2);
                }
                Ok(Tensor::new(DType::I32, shape, accumulators.concat()))
            }
            Output::Requant(requant) => {
                let scales = requant.scales(inputs, self.planes, sizes.m)?;
                let data = requant.run(&accumulators, &scales, sizes);
                Ok(Tensor::new(requant.dtype(), [sizes.t, sizes.m], data))
            }
        }
    }

    fn sizes(&self, inputs: &Inputs<'_>) -> Result<Sizes, GemmError> {
        if !(1..=2).contains(&self.planes) {
            return Err(GemmError::Planes(self.planes));
        }
        let wrong = |name, tensor: &Tensor, expected: String| -> GemmError {
            ArgumentError::Shape { name, got: tensor.shape.clone(), expected }.into()
        };
        let &[t, k] = inputs.x.shape.as_slice() else {
            return Err(wrong("x", inputs.x, "[T, K]".into()));
        };
        let m = match (inputs.w.shape.as_slice(), self.planes) {
            (&[m, columns], 1) | (&[2, m, columns], 2) if columns == k => m,
            (_, 1) => return Err(wrong("w", inputs.w, format!("[M, {k}]"))),
            (_, _) => return Err(wrong("w", inputs.w, format!("[2, M, {k}]"))),
        };
        match (t, k, m) {
            (0, _, _) | (_, 0, _) => Err(wrong("x", inputs.x, "at least one row and column".into())),
            (_, _, 0) => Err(wrong("w", inputs.w, "at least one row".into())),
            _ => Ok(Sizes { t, k, m }),
        }
    }
}

impl Requant {
    /// Element type of the output in files.
    pub fn dtype(&self) -> DType {
        match self.format.bits {
            ..=8 => DType::I8,
            9..=16 => DType::I16,
            17..=32 => DType::I32,
            _ => DType::I64,
        }
    }

    fn scales(&self, inputs: &Inputs<'_>, planes: usize, m: usize) -> Result<Scales, GemmError> {
        if self.m_lanes == 0 || self.batch == 0 {
            return Err(GemmError::Lanes { m_lanes: self.m_lanes, batch: self.batch });
        }
        let mult = inputs.mult.ok_or(ArgumentError::Missing("mult"))?;
        let shift = shift_per_channel(self.shift, inputs.shift, m)?;
        let zero_point = match inputs.zero_point {
            Some(tensor) => per_channel("zp", tensor, m, (i32::MIN.into(), i32::MAX.into()))?,
            None => PerChannel::constant(0),
        };
        Ok(Scales { mult: planes_per_channel("mult", mult, planes, m, (0, u16::MAX.into()))?, shift, zero_point })
    }

    fn run(&self, accumulators: &[Vec<i64>], scales: &Scales, sizes: Sizes) -> Vec<i64> {
        let mut lanes = self.random_states(sizes);
        let mut y = vec![0; sizes.t * sizes.m];
        for pass in 0..sizes.t.div_ceil(self.batch) {
            for tile in 0..sizes.m.div_ceil(self.m_lanes) {
                for t in pass * self.batch..(pass + 1) * self.batch {
                    for lane in 0..self.m_lanes {
                        let m = tile * self.m_lanes + lane;
                        if t < sizes.t && m < sizes.m {
                            let sum = (accumulators.iter().zip(&scales.mult))
                                .map(|(acc, mult)| i128::from(acc[t * sizes.m + m]) * i128::from(mult.at(m)))
                                .sum();
                            y[t * sizes.m + m] = self.element(sum, scales, m, lanes.get(lane));
                        }
                    }
                    lanes.iter_mut().for_each(Lfsr::step);
                }
            }
        }
        y
    }

    fn element(&self, product: i128, scales: &Scales, m: usize, lfsr: Option<&Lfsr>) -> i64 {
        let shift = scales.shift.at(m) as u32;
        let random = lfsr.map(|l| Random::of_lane(l, shift));
        let rounded = shift_round(product, shift, self.rounding, random);
        saturate(rounded + i128::from(scales.zero_point.at(m)), self.format)
    }

    /// One LFSR a lane that holds rows, at its seed; none where the rounding draws nothing.
    fn random_states(&self, sizes: Sizes) -> Vec<Lfsr> {
        if self.rounding != Rounding::Stochastic {
            return Vec::new();
        }
        (0..self.m_lanes.min(sizes.m)).map(Lfsr::of_lane).collect()
    }
}

/// Accumulators [T, M] of one plane.
fn product(x: &[i32], w: &[i8], sizes: Sizes) -> Vec<i64> {
    let mut y = vec![0i64; sizes.t * sizes.m];
    for (m, row) in w.chunks_exact(sizes.k).enumerate() {
        for (t, token) in x.chunks_exact(sizes.k).enumerate() {
            y[t * sizes.m + m] = dot(row, token);
        }
    }
    y
}

/// Σ w·x with |x| ≤ 2^15: chunks of 2^15 terms cannot leave an i32.
fn dot(w: &[i8], x: &[i32]) -> i64 {
    let chunk = 1 << 15;
    (w.chunks(chunk).zip(x.chunks(chunk)))
        .map(|(w, x)| i64::from(w.iter().zip(x).map(|(&w, &x)| i32::from(w) * x).sum::<i32>()))
        .sum()
}

#[cfg(test)]
mod tests;
