//! The product with four-bit weights whose zero point and scale are applied once a group, over whole jobs.

use bitlathe_spec::{DType, Rounding, Tensor};
use thiserror::Error;

use crate::arguments::{ArgumentError, PerChannel, narrowed, per_channel, shift_per_channel};
use crate::lfsr::Lfsr;
use crate::rounding::{OutputFormat, Random, requantize};

/// Largest weight code u.
pub const MAX_WEIGHT: i64 = 15;
/// Largest zero point z. Five bits: GPTQ stores z - 1 in four.
pub const MAX_ZERO: i64 = 16;
/// Largest integer scale S.
pub const MAX_SCALE: i64 = u16::MAX as i64;

/// The product: for each group g of `group` columns along K (the last may be short)
///
/// acc_g = Σ a·u, A_g = Σ a, c_g = acc_g - z_g·A_g, and y = Σ_g c_g·S_g.
///
/// Nothing is rounded inside; y is exact, see [`Mixpe::range`]. Requantized output rounds once, at the very end.
///
/// The grouping of the products is that of MixPE (arXiv 2411.16158); integer scales and widths are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mixpe {
    /// Bits of an activation, 8 or 16.
    pub act_bits: u32,
    /// Columns that share a zero point and a scale.
    pub group: usize,
    /// What leaves; `None`: y itself, in 64 bits.
    pub requant: Option<Requant>,
}

/// Requantized output: sat(round(y·m / 2^s) + zp).
///
/// **Stochastic rounding.** Output lane r serves the rows m of W with m mod `lanes` = r and owns [`Lfsr::of_lane`], at its
/// seed at the start of every job. The output beats of a job are walked as [block][tile][row]: blocks of `t_block`
/// activation rows, tiles of `lanes` rows of W, one activation row a beat; the last block may be short, and rows beyond T
/// have no beats. Every LFSR steps once a beat, lanes beyond M too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requant {
    /// Integer type of the output.
    pub format: OutputFormat,
    /// How y·m is rounded.
    pub rounding: Rounding,
    /// The constant shift; `None`: the input `shift` gives it.
    pub shift: Option<u32>,
    /// Output lanes: columns of the array. Read for stochastic rounding alone.
    pub lanes: usize,
    /// Activation rows in a block. Read for stochastic rounding alone.
    pub t_block: usize,
}

/// Tensors of a job.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Activations, [T, K].
    pub x: &'a Tensor,
    /// Weight codes u in 0..=15, [M, K].
    pub w: &'a Tensor,
    /// Zero points in 0..=16, [M, ⌈K / group⌉].
    pub z: &'a Tensor,
    /// Scales, uint16, [M, ⌈K / group⌉].
    pub s: &'a Tensor,
    /// Multipliers, uint16, [M] or [1]. Requantized output needs them.
    pub mult: Option<&'a Tensor>,
    /// Shifts, [M] or [1], where the shift is no constant.
    pub shift: Option<&'a Tensor>,
    /// Zero points of the output, int8, [M] or [1]; 0 when absent.
    pub zero_point: Option<&'a Tensor>,
}

/// What makes no job.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum MixpeError {
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    #[error("activations of {0} bits; 8 and 16 are defined")]
    ActBits(u32),
    #[error("a group of 0 columns has no scale; it has at least 1")]
    Group,
    #[error("a requantizer with {lanes} lanes and blocks of {t_block} rows computes nothing; both are at least 1")]
    Lanes { lanes: usize, t_block: usize },
    #[error("{k} columns of {act_bits}-bit activations need more than 64 bits")]
    Width { k: usize, act_bits: u32 },
}

/// Sizes of a job.
#[derive(Clone, Copy)]
struct Sizes {
    t: usize,
    k: usize,
    m: usize,
}

/// Inputs of a requantizer, by row of W.
struct Scales {
    mult: PerChannel,
    shift: PerChannel,
    zero_point: PerChannel,
}

impl Mixpe {
    /// Smallest and largest y over `k` columns, both reached; `None` where 64 bits do not hold them.
    ///
    /// A column adds S·(u - z)·a with u - z in -16..=15 and a in -2^(b-1)..2^(b-1): at most S·2^(b+3) (u - z = -16, a
    /// least), at least -S·(2^(b+3) - 16) (u - z = -16, a largest), S at most 65535.
    pub fn range(act_bits: u32, k: usize) -> Option<(i64, i64)> {
        let term = 1i64.checked_shl(act_bits + 3)?;
        let columns = i64::try_from(k).ok()?.checked_mul(MAX_SCALE)?;
        Some((-columns.checked_mul(term - MAX_ZERO)?, columns.checked_mul(term)?))
    }

    /// The output `y` of a job, [T, M].
    pub fn run(&self, inputs: &Inputs<'_>) -> Result<Tensor, MixpeError> {
        let sizes = self.sizes(inputs)?;
        let exact = self.exact(inputs, sizes)?;
        let shape = [sizes.t, sizes.m];
        match &self.requant {
            None => Ok(Tensor::new(DType::I64, shape, exact)),
            Some(requant) => {
                let data = requant.run(&exact, &requant.scales(inputs, sizes.m)?, sizes);
                Ok(Tensor::new(requant.dtype(), shape, data))
            }
        }
    }

    fn sizes(&self, inputs: &Inputs<'_>) -> Result<Sizes, MixpeError> {
        if ![8, 16].contains(&self.act_bits) {
            return Err(MixpeError::ActBits(self.act_bits));
        }
        if self.group == 0 {
            return Err(MixpeError::Group);
        }
        let wrong = |name, tensor: &Tensor, expected: String| -> MixpeError {
            ArgumentError::Shape { name, got: tensor.shape.clone(), expected }.into()
        };
        let (t, k) = match *inputs.x.shape.as_slice() {
            [t, k] if t > 0 && k > 0 => (t, k),
            _ => return Err(wrong("x", inputs.x, "[T, K], at least one row and column".into())),
        };
        let m = match *inputs.w.shape.as_slice() {
            [m, columns] if m > 0 && columns == k => m,
            _ => return Err(wrong("w", inputs.w, format!("[M, {k}], at least one row"))),
        };
        let groups = k.div_ceil(self.group);
        for (name, tensor) in [("z", inputs.z), ("s", inputs.s)] {
            if tensor.shape != [m, groups] {
                return Err(wrong(name, tensor, format!("[{m}, {groups}]")));
            }
        }
        Self::range(self.act_bits, k).ok_or(MixpeError::Width { k, act_bits: self.act_bits })?;
        Ok(Sizes { t, k, m })
    }

    /// y of all elements, [T, M].
    fn exact(&self, inputs: &Inputs<'_>, sizes: Sizes) -> Result<Vec<i64>, ArgumentError> {
        let top = 1i64 << (self.act_bits - 1);
        let x = narrowed::<i64>("x", inputs.x, (-top, top - 1))?;
        let w = narrowed::<i64>("w", inputs.w, (0, MAX_WEIGHT))?;
        let z = narrowed::<i64>("z", inputs.z, (0, MAX_ZERO))?;
        let s = narrowed::<i64>("s", inputs.s, (0, MAX_SCALE))?;
        let groups = sizes.k.div_ceil(self.group);
        let mut y = Vec::with_capacity(sizes.t * sizes.m);
        for a in x.chunks_exact(sizes.k) {
            let sums: Vec<i64> = a.chunks(self.group).map(|a| a.iter().sum()).collect();
            for (m, u) in w.chunks_exact(sizes.k).enumerate() {
                let products = a.chunks(self.group).zip(u.chunks(self.group)).map(|(a, u)| dot(a, u));
                let of_group = |(g, acc): (usize, i64)| {
                    let at = m * groups + g;
                    (acc - z[at] * sums[g]) * s[at]
                };
                y.push(products.enumerate().map(of_group).sum());
            }
        }
        Ok(y)
    }
}

fn dot(a: &[i64], u: &[i64]) -> i64 {
    a.iter().zip(u).map(|(a, u)| a * u).sum()
}

impl Requant {
    /// Element type of the output in files.
    pub fn dtype(&self) -> DType {
        if self.format.bits <= 8 { DType::I8 } else { DType::I16 }
    }

    fn scales(&self, inputs: &Inputs<'_>, m: usize) -> Result<Scales, MixpeError> {
        if self.lanes == 0 || self.t_block == 0 {
            return Err(MixpeError::Lanes { lanes: self.lanes, t_block: self.t_block });
        }
        let mult = inputs.mult.ok_or(ArgumentError::Missing("mult"))?;
        let zero_point = match inputs.zero_point {
            Some(tensor) => per_channel("zp", tensor, m, (i8::MIN.into(), i8::MAX.into()))?,
            None => PerChannel::constant(0),
        };
        let mult = per_channel("mult", mult, m, (0, u16::MAX.into()))?;
        Ok(Scales { mult, shift: shift_per_channel(self.shift, inputs.shift, m)?, zero_point })
    }

    /// The beats in their order, whose number is how far every LFSR has come.
    fn run(&self, exact: &[i64], scales: &Scales, sizes: Sizes) -> Vec<i64> {
        let mut lfsrs: Vec<Lfsr> = match self.rounding {
            Rounding::Stochastic => (0..self.lanes.min(sizes.m)).map(Lfsr::of_lane).collect(),
            _ => Vec::new(),
        };
        let mut y = vec![0; exact.len()];
        for block in (0..sizes.t).step_by(self.t_block) {
            for tile in (0..sizes.m).step_by(self.lanes) {
                for t in block..(block + self.t_block).min(sizes.t) {
                    for m in tile..(tile + self.lanes).min(sizes.m) {
                        let at = t * sizes.m + m;
                        y[at] = self.element(exact[at], scales, m, lfsrs.get(m - tile));
                    }
                    lfsrs.iter_mut().for_each(Lfsr::step);
                }
            }
        }
        y
    }

    fn element(&self, exact: i64, scales: &Scales, m: usize, lfsr: Option<&Lfsr>) -> i64 {
        let (mult, shift) = (scales.mult.at(m) as u16, scales.shift.at(m) as u32);
        let random = lfsr.map(|l| Random::of_lane(l, shift));
        requantize(exact, mult, shift, scales.zero_point.at(m), self.format, self.rounding, random)
    }
}

#[cfg(test)]
mod tests;
