//! Attention, softmax(Q·Kᵀ / √d)·V, in one walk over the keys: a running maximum in whole octaves, sums that are shifted when
//! it grows, and one division a row.

pub mod accuracy;
mod exponential;
mod row;
mod scale;

use std::ops::RangeInclusive;

use bitlathe_spec::{DType, Rounding, Tensor};
use thiserror::Error;

use crate::arguments::{ArgumentError, narrowed};
use crate::rounding::{OutputFormat, shift_round};
pub use exponential::Exponential;
use row::{Row, octave_above};
pub use scale::Scale;

/// Most columns of a head.
pub const D_MAX: usize = 4096;
/// Most queries or keys of a head.
pub const L_MAX: usize = 1 << 20;
/// Legal bits of a probability.
pub const P_BITS: RangeInclusive<u32> = 8..=16;
/// Fraction bits of a logit.
pub const LOGIT_BITS: u32 = 12;
/// Fraction bits of l and O beyond those of a probability.
pub const GUARD_BITS: u32 = 8;

/// Attention of heads of any length, d columns each. For a query, over tiles of `tile` visible keys in rising order:
///
/// S = Σ q·k, t = half-up(S·C / 2^r) ([`Scale`]), M' = max(M, ceil(max t / 2^12)), Δ = M' - M,
/// p = 2^(-u / 2^12)·2^p_bits of u = M'·2^12 - t ([`Exponential`]),
/// l = half-up(l / 2^Δ) + (Σ p)·2^8, O = half-up(O / 2^Δ) + (Σ p·v)·2^8.
///
/// The first tile has M' = ceil(max t / 2^12), Δ = 0, l = O = 0. In the end o = sat(half-even(O / l·2^(output_frac - frac))) by
/// the [`Reciprocal`](crate::Reciprocal) of l.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attention {
    /// Bits of q, k and v, 8 or 16.
    pub bits: u32,
    /// Fraction bits of q, k and v, less than `bits`.
    pub frac: u32,
    /// Bits of a probability, 8 to 16.
    pub p_bits: u32,
    /// Bits of the output, 8, 16 or 32.
    pub output_bits: u32,
    /// Fraction bits of the output, less than `output_bits`.
    pub output_frac: u32,
    /// Keys of a tile, at least 1.
    pub tile: usize,
    /// Query i sees key j iff j ≤ i + Lk - Lq; otherwise it sees every key.
    pub causal: bool,
}

/// Tensors of a job.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// Queries, [H, Lq, d].
    pub q: &'a Tensor,
    /// Keys, [Hkv, Lk, d]: head h of the queries uses head floor(h·Hkv / H).
    pub k: &'a Tensor,
    /// Values, as the keys.
    pub v: &'a Tensor,
}

/// Sizes of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// H, a multiple of Hkv.
    pub heads: usize,
    /// Hkv.
    pub kv_heads: usize,
    /// Lq; no more than Lk under a causal mask.
    pub queries: usize,
    /// Lk.
    pub keys: usize,
    /// d.
    pub columns: usize,
}

/// What makes no job.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum AttentionError {
    #[error(transparent)]
    Argument(#[from] ArgumentError),
    #[error("inputs of {0} bits; 8 and 16 are defined")]
    Bits(u32),
    #[error("{frac} fraction bits of {bits}-bit inputs; there are 0 to {}", bits - 1)]
    Frac { frac: u32, bits: u32 },
    #[error("probabilities of {0} bits; there are {min} to {max}", min = P_BITS.start(), max = P_BITS.end())]
    ProbabilityBits(u32),
    #[error("an output of {0} bits; 8, 16 and 32 are defined")]
    OutputBits(u32),
    #[error("{frac} fraction bits of a {bits}-bit output; there are 0 to {}", bits - 1)]
    OutputFrac { frac: u32, bits: u32 },
    #[error("a tile of 0 keys; it has at least 1")]
    Tile,
    #[error("{0} columns a head; there are 1 to {D_MAX}")]
    Columns(usize),
    #[error("{0} queries or keys a head; there are at most {L_MAX}")]
    Length(usize),
    #[error("{heads} query heads cannot share {kv_heads} key heads evenly; the first must be a multiple of the second")]
    Heads { heads: usize, kv_heads: usize },
    #[error(
        "under a causal mask the first of {queries} queries sees none of {keys} keys; it takes at least as many keys"
    )]
    Causal { queries: usize, keys: usize },
}

impl Attention {
    /// The output `o` of a job, [H, Lq, d].
    pub fn run(&self, inputs: &Inputs<'_>) -> Result<Tensor, AttentionError> {
        self.check()?;
        let sizes = self.sizes(inputs)?;
        let (exponential, scale) = (Exponential::new(self.p_bits)?, Scale::new(sizes.columns, self.frac)?);
        let half = 1 << (self.bits - 1);
        let read = |name, tensor| narrowed::<i32>(name, tensor, (-half, half - 1));
        let (q, k, v) = (read("q", inputs.q)?, read("k", inputs.k)?, read("v", inputs.v)?);
        let (d, of_head) = (sizes.columns, sizes.keys * sizes.columns);
        let of_tile = self.tile.saturating_mul(d);
        let mut o = Vec::with_capacity(q.len());
        for (at, query) in q.chunks_exact(d).enumerate() {
            let visible = d * sizes.visible(at % sizes.queries, self.causal);
            let first = of_head * sizes.kv_head(at / sizes.queries);
            let seen = first..first + visible;
            let mut row = Row::new(d);
            for (keys, values) in k[seen.clone()].chunks(of_tile).zip(v[seen].chunks(of_tile)) {
                let logits: Vec<i64> = keys.chunks_exact(d).map(|key| scale.logit(dot(query, key))).collect();
                row.take(&exponential, &logits, values);
            }
            o.extend(row.finish(i64::from(self.output_frac) - i64::from(self.frac), self.format()));
        }
        Ok(Tensor::new(self.dtype(), [sizes.heads, sizes.queries, d], o))
    }

    /// Refuses parameters that are not defined.
    pub fn check(&self) -> Result<(), AttentionError> {
        let Self { bits, frac, p_bits, output_bits, output_frac, tile, .. } = *self;
        if ![8, 16].contains(&bits) {
            return Err(AttentionError::Bits(bits));
        }
        if frac >= bits {
            return Err(AttentionError::Frac { frac, bits });
        }
        if !P_BITS.contains(&p_bits) {
            return Err(AttentionError::ProbabilityBits(p_bits));
        }
        if ![8, 16, 32].contains(&output_bits) {
            return Err(AttentionError::OutputBits(output_bits));
        }
        if output_frac >= output_bits {
            return Err(AttentionError::OutputFrac { frac: output_frac, bits: output_bits });
        }
        if tile == 0 { Err(AttentionError::Tile) } else { Ok(()) }
    }

    /// The sizes of a job, checked.
    pub fn sizes(&self, inputs: &Inputs<'_>) -> Result<Sizes, AttentionError> {
        let wrong = |name, tensor: &Tensor, expected: String| -> AttentionError {
            ArgumentError::Shape { name, got: tensor.shape.clone(), expected }.into()
        };
        let (heads, queries, columns) = match *inputs.q.shape.as_slice() {
            [h, l, d] if h > 0 && l > 0 && d > 0 => (h, l, d),
            _ => return Err(wrong("q", inputs.q, "[H, Lq, d], at least one of each".into())),
        };
        let (kv_heads, keys) = match *inputs.k.shape.as_slice() {
            [h, l, d] if h > 0 && l > 0 && d == columns => (h, l),
            _ => return Err(wrong("k", inputs.k, format!("[Hkv, Lk, {columns}], at least one head and key"))),
        };
        if inputs.v.shape != inputs.k.shape {
            return Err(wrong("v", inputs.v, format!("[{kv_heads}, {keys}, {columns}]")));
        }
        let sizes = Sizes { heads, kv_heads, queries, keys, columns };
        sizes.check(self.causal).map(|()| sizes)
    }

    /// Element type of the output in files.
    pub fn dtype(&self) -> DType {
        match self.output_bits {
            8 => DType::I8,
            16 => DType::I16,
            _ => DType::I32,
        }
    }

    fn format(&self) -> OutputFormat {
        OutputFormat { bits: self.output_bits, narrow: false }
    }
}

/// What each intermediate can be, smallest and largest. Parameters and sizes are legal ones.
impl Attention {
    /// S over d columns, both ends reached.
    ///
    /// A product is at most 2^(2·bits - 2), of the two least numbers, and at least -2^(bits - 1)·(2^(bits - 1) - 1).
    pub fn score_range(&self, columns: usize) -> (i64, i64) {
        let (half, columns) = (1i64 << (self.bits - 1), columns as i64);
        (-columns * half * (half - 1), columns * half * half)
    }

    /// t of d columns, both ends reached. d columns have wider ends than fewer: √d grows by more than C / 2^r is rounded.
    pub fn logit_range(&self, columns: usize) -> Result<(i64, i64), AttentionError> {
        let scale = Scale::new(columns, self.frac)?;
        let (low, high) = self.score_range(columns);
        Ok((scale.logit(low), scale.logit(high)))
    }

    /// M of d columns after the first tile, both ends reached.
    pub fn octave_range(&self, columns: usize) -> Result<(i64, i64), AttentionError> {
        let (low, high) = self.logit_range(columns)?;
        Ok((octave_above(low), octave_above(high)))
    }

    /// l at the end of a row of some keys, and at most l at any time before.
    ///
    /// **Largest**: a probability is at most 2^p_bits - 1, and half-up(l / 2^Δ) ≤ l. Reached by logits of 0.
    /// **Smallest**: the key that raised M last is less than an octave below it; from then on Δ = 0 and l only grows. Reached
    /// by one key with t = 1 - 2^12·n, which exists where C ≤ 2^r.
    pub fn sum_range(&self, keys: usize) -> Result<(i64, i64), AttentionError> {
        let exponential = Exponential::new(self.p_bits)?;
        Ok((exponential.least_of_maximum() << GUARD_BITS, (keys as i64 * exponential.most()) << GUARD_BITS))
    }

    /// O after any number of tiles with some keys in all, both ends reached by logits of 0.
    ///
    /// As for l: |p·v| is at most (2^p_bits - 1)·|v|, and half-up(O / 2^Δ) is between 0 and O.
    pub fn weighted_range(&self, keys: usize) -> Result<(i64, i64), AttentionError> {
        let (_, sum) = self.sum_range(keys)?;
        let half = 1i64 << (self.bits - 1);
        Ok((-sum * half, sum * (half - 1)))
    }
}

impl Sizes {
    fn check(&self, causal: bool) -> Result<(), AttentionError> {
        let Self { heads, kv_heads, queries, keys, columns } = *self;
        if columns > D_MAX {
            return Err(AttentionError::Columns(columns));
        }
        let longest = queries.max(keys);
        if longest > L_MAX {
            return Err(AttentionError::Length(longest));
        }
        if heads % kv_heads != 0 {
            return Err(AttentionError::Heads { heads, kv_heads });
        }
        if causal && queries > keys { Err(AttentionError::Causal { queries, keys }) } else { Ok(()) }
    }

    /// How many keys a query sees: the first ones, at least one.
    fn visible(&self, query: usize, causal: bool) -> usize {
        if causal { query + self.keys - self.queries + 1 } else { self.keys }
    }

    /// The head of keys that a head of queries uses.
    fn kv_head(&self, head: usize) -> usize {
        head * self.kv_heads / self.heads
    }
}

fn dot(a: &[i32], b: &[i32]) -> i64 {
    a.iter().zip(b).map(|(a, b)| i64::from(*a) * i64::from(*b)).sum()
}

/// half-up(value / 2^shift); a shift beyond the value's width leaves 0.
fn half_up(value: i64, shift: i64) -> i64 {
    shift_round(value.into(), shift.min(94) as u32, Rounding::HalfUp, None) as i64
}

#[cfg(test)]
mod tests;
