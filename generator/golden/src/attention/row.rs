//! One query: its maximum, sum and weighted values, which grow tile by tile, and its output.

use bitlathe_spec::Rounding;

use super::{Exponential, GUARD_BITS, LOGIT_BITS, half_up};
use crate::division::Reciprocal;
use crate::rounding::{OutputFormat, saturate, shift_round};

/// What is kept of a query between two tiles of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// M, the maximum in whole octaves; none before the first tile.
    pub octave: Option<i64>,
    /// l, the sum of probabilities, counted from M, with guard bits.
    pub sum: i64,
    /// O, the values weighted by probabilities, with guard bits; one a column.
    pub weighted: Vec<i64>,
}

impl Row {
    pub fn new(columns: usize) -> Self {
        Self { octave: None, sum: 0, weighted: vec![0; columns] }
    }

    /// A tile of at least one key: its logits, and its values [keys, columns].
    pub fn take(&mut self, exponential: &Exponential, logits: &[i64], values: &[i32]) {
        let own = logits.iter().copied().map(octave_above).max().unwrap_or_default();
        let before = self.octave.unwrap_or(own);
        let now = before.max(own);
        let p: Vec<i64> = logits.iter().map(|t| exponential.at((now << LOGIT_BITS) - t)).collect();
        let mut products = vec![0; self.weighted.len()];
        for (p, values) in p.iter().zip(values.chunks_exact(products.len())) {
            for (product, v) in products.iter_mut().zip(values) {
                *product += p * i64::from(*v);
            }
        }
        self.sum = grown(self.sum, now - before, p.iter().sum());
        for (weighted, product) in self.weighted.iter_mut().zip(products) {
            *weighted = grown(*weighted, now - before, product);
        }
        self.octave = Some(now);
    }

    /// o = sat(half-even(O·R / 2^(L + 17 - gain))) with R and L + 17 the [`Reciprocal`] of l.
    pub fn finish(&self, gain: i64, format: OutputFormat) -> impl Iterator<Item = i64> {
        let reciprocal = Reciprocal::of(self.sum as u64);
        let shift = (i64::from(reciprocal.shift) - gain) as u32;
        self.weighted.iter().map(move |weighted| {
            let product = i128::from(*weighted) * i128::from(reciprocal.value);
            saturate(shift_round(product, shift, Rounding::HalfEven, None), format)
        })
    }
}

/// ceil(t / 2^12).
pub(super) fn octave_above(logit: i64) -> i64 {
    -(-logit >> LOGIT_BITS)
}

/// half-up(total / 2^octaves) + tile·2^8.
fn grown(total: i64, octaves: i64, tile: i64) -> i64 {
    half_up(total, octaves) + (tile << GUARD_BITS)
}
