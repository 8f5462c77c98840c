//! How far attention on integers is from attention in floating point: for tables and limits, never for a verdict on hardware.

use bitlathe_spec::{DType, Tensor};

use super::{Attention, AttentionError, Inputs, Sizes};
use crate::float;

/// Real numbers of a job: q [H, Lq, d], k and v [Hkv, Lk, d].
#[derive(Clone, Debug, PartialEq)]
pub struct Real {
    /// Sizes.
    pub sizes: Sizes,
    /// Queries.
    pub q: Vec<f64>,
    /// Keys.
    pub k: Vec<f64>,
    /// Values.
    pub v: Vec<f64>,
}

/// Errors of outputs against a reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Mean of the squared errors.
    pub mse: f64,
    /// Mean structural similarity of the heads, each an image [Lq, d]; `None` where one has none ([`float::ssim`]).
    pub ssim: Option<f64>,
}

impl Real {
    /// Unit-normal numbers, the same for a seed.
    pub fn normal(sizes: Sizes, seed: u64) -> Self {
        let of_keys = sizes.kv_heads * sizes.keys * sizes.columns;
        let q = float::normal(seed, sizes.heads * sizes.queries * sizes.columns);
        let [k, v] = [1, 2].map(|n| float::normal(seed.wrapping_add(n), of_keys));
        Self { sizes, q, k, v }
    }

    /// q, k and v as integers of some bits, 16 at most: half-even(x·2^frac), saturated.
    pub fn quantized(&self, bits: u32, frac: u32) -> [Tensor; 3] {
        let Sizes { heads, kv_heads, queries, keys, columns } = self.sizes;
        let (unit, top) = (f64::from(1u32 << frac), f64::from(1u32 << (bits - 1)));
        let integer = |x: &f64| (x * unit).round_ties_even().clamp(-top, top - 1.0) as i64;
        let of_keys = [kv_heads, keys, columns];
        let tensor = |shape, x: &[f64]| Tensor::new(DType::I16, shape, x.iter().map(integer).collect());
        [tensor([heads, queries, columns], &self.q), tensor(of_keys, &self.k), tensor(of_keys, &self.v)]
    }

    /// The output in floating point.
    pub fn attention(&self, causal: bool) -> Vec<f64> {
        let Sizes { heads, queries, keys, columns, .. } = self.sizes;
        let head = |h: usize| {
            let (of_head, of_keys) = (queries * columns, keys * columns);
            let first = self.sizes.kv_head(h) * of_keys;
            let (q, seen) = (&self.q[h * of_head..][..of_head], first..first + of_keys);
            float::attention(q, &self.k[seen.clone()], &self.v[seen], columns, causal)
        };
        (0..heads).flat_map(head).collect()
    }
}

impl Sizes {
    /// The errors of an output against a reference, both [H, Lq, d].
    pub fn figures(&self, output: &[f64], reference: &[f64]) -> Figures {
        let head = self.queries * self.columns;
        let images = output.chunks_exact(head).zip(reference.chunks_exact(head));
        let similarities: Option<Vec<f64>> = images.map(|(o, r)| float::ssim(o, r, self.columns)).collect();
        Figures {
            mse: float::compare(output, reference).rms.powi(2),
            ssim: similarities.map(|s| s.iter().sum::<f64>() / self.heads as f64),
        }
    }
}

impl Attention {
    /// What the integers of a job stand for.
    pub fn real(&self, inputs: &Inputs<'_>) -> Result<Real, AttentionError> {
        let unit = f64::from(1u32 << self.frac);
        let real = |x: &Tensor| x.data.iter().map(|v| *v as f64 / unit).collect();
        Ok(Real { sizes: self.sizes(inputs)?, q: real(inputs.q), k: real(inputs.k), v: real(inputs.v) })
    }

    /// The output of a job as the numbers that it stands for.
    pub fn real_output(&self, inputs: &Inputs<'_>) -> Result<Vec<f64>, AttentionError> {
        let unit = f64::from(1u32 << self.output_frac);
        Ok(self.run(inputs)?.data.into_iter().map(|o| o as f64 / unit).collect())
    }
}
