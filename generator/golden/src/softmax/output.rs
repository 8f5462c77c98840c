//! What leaves a softmax: probabilities of 8 or 16 bits, their logarithm, or the exponentials themselves.

use bitlathe_spec::{DType, Rounding};

use super::row::Row;
use crate::division::Reciprocal;
use crate::rounding::shift_round;

/// What leaves, S the row's sum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// min(2^8 - 1, half-up(e·R / 2^(shift - 8))) with R, shift the [`Reciprocal`] of S.
    U8,
    /// The same with 16 bits.
    U16,
    /// L = floor(log2 v) of v = half-even(S / e), one more where v - 2^L ≥ 2^(L-1); at most 15, and 15 for e = 0. It stands for
    /// 2^-L. From the log-int-softmax of FQ-ViT and HyQ.
    Log2x4,
    /// e itself.
    Raw,
}

impl Output {
    /// Every kind, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::U8, Self::U16, Self::Log2x4, Self::Raw];

    /// The name in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::Log2x4 => "log2-4",
            Self::Raw => "raw",
        }
    }

    /// Element type in files.
    pub fn dtype(self) -> DType {
        match self {
            Self::U8 | Self::Log2x4 => DType::U8,
            Self::U16 => DType::U16,
            Self::Raw => DType::U64,
        }
    }

    /// The output of a row.
    pub(super) fn finish(self, row: &Row) -> Vec<i64> {
        match self {
            Self::U8 => divided(row, 8),
            Self::U16 => divided(row, 16),
            Self::Log2x4 => row.e.iter().map(|e| logarithm(*e, row.sum)).collect(),
            Self::Raw => row.e.iter().map(|e| *e as i64).collect(),
        }
    }
}

fn divided(row: &Row, bits: u32) -> Vec<i64> {
    let reciprocal = Reciprocal::of(row.sum);
    let scaled = |e: &u64| {
        let product = i128::from(*e) * i128::from(reciprocal.value);
        let rounded = shift_round(product, reciprocal.shift - bits, Rounding::HalfUp, None);
        rounded.min((1 << bits) - 1) as i64
    };
    row.e.iter().map(scaled).collect()
}

pub(super) fn logarithm(e: u64, sum: u64) -> i64 {
    if e == 0 {
        return 15;
    }
    let (floor, rest) = (sum / e, sum % e);
    let twice = 2 * u128::from(rest);
    let up = twice > e.into() || (twice == e.into() && floor % 2 == 1);
    let ratio = floor + u64::from(up);
    let whole = ratio.ilog2();
    // v - 2^L ≥ 2^(L-1), as 2v ≥ 3·2^L.
    let more = 2 * u128::from(ratio) >= 3u128 << whole;
    i64::from((whole + u32::from(more)).min(15))
}
