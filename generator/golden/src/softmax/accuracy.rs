//! How far a method is from softmax in floating point, over rows of normal logits: for tables, plots and limits, never for a
//! verdict on hardware.

use bitlathe_spec::{DType, Tensor};
use thiserror::Error;

use super::{Exponential, ExponentialError, ITAMAX_BLOCK, Method, Output, Outputs, Passes, Softmax, SoftmaxError};
use crate::float;

/// Rows of int8 logits, half-even(σ·z / s) saturated to -128..127, z normal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rows {
    /// Elements of a row.
    pub n: usize,
    /// Standard deviation of the real logits.
    pub sigma: f64,
    /// How many rows.
    pub count: usize,
    /// Where z comes from: the same for every scale, so that scales are compared on the same logits.
    pub seed: u64,
}

/// Errors against float softmax of the same integers, p = softmax(s·x).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Total variation ½ Σ |y - p| of a row, the mean over the rows.
    pub total_variation: f64,
    /// The largest total variation of a row.
    pub worst_total_variation: f64,
    /// Largest |y - p| of an element.
    pub max_error: f64,
}

/// A method's errors at one scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The scale.
    pub scale: f64,
    /// The errors.
    pub figures: Figures,
}

/// A sweep that a method or an output does not allow.
#[derive(Clone, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum SweepError {
    #[error(transparent)]
    Exponential(#[from] ExponentialError),
    #[error(transparent)]
    Softmax(#[from] SoftmaxError),
}

/// `count` scales from `first` to `last`, evenly spaced.
pub fn scales(first: f64, last: f64, count: usize) -> Vec<f64> {
    let step = (last - first) / count.saturating_sub(1).max(1) as f64;
    (0..count).map(|i| first + step * i as f64).collect()
}

/// The errors of a method at each scale, or at its own where it has one. `itamax` has its own output too, u8.
pub fn sweep(method: Method, output: Output, rows: &Rows, scales: &[f64]) -> Result<Vec<Point>, SweepError> {
    let own = method.own_scale();
    let scales = own.as_ref().map_or(scales, std::slice::from_ref);
    let point = |&scale: &f64| {
        let exponential = method.exponential(scale)?;
        let (passes, output) = match exponential {
            Exponential::ItaMax => (Passes::Two { lanes: ITAMAX_BLOCK }, Output::U8),
            _ => (Passes::Three, output),
        };
        let model = Softmax { exponential, passes, output, n_max: rows.n };
        Ok(Point { scale, figures: model.figures(scale, &rows.quantized(scale))? })
    };
    scales.iter().map(point).collect()
}

impl Rows {
    /// The rows at a scale, int8 [count, n].
    pub fn quantized(&self, scale: f64) -> Tensor {
        let z = float::normal(self.seed, self.count * self.n);
        let x = z.iter().map(|z| (z * self.sigma / scale).round_ties_even().clamp(-128.0, 127.0) as i64);
        Tensor::new(DType::I8, [self.count, self.n], x.collect())
    }
}

impl Softmax {
    /// The errors on a job, x [R, N] of the given scale.
    pub fn figures(&self, scale: f64, x: &Tensor) -> Result<Figures, SoftmaxError> {
        let outputs = self.run(x)?;
        let n = outputs.y.shape[1];
        let mut figures = Figures::default();
        let rows = x.data.chunks_exact(n).zip(outputs.y.data.chunks_exact(n)).enumerate();
        let count = outputs.y.shape[0] as f64;
        for (row, (x, y)) in rows {
            let logits: Vec<f64> = x.iter().map(|v| *v as f64 * scale).collect();
            let errors = float::softmax(&logits)
                .into_iter()
                .zip(y)
                .map(|(p, y)| (self.probability(*y, row, &outputs) - p).abs());
            let errors: Vec<f64> = errors.collect();
            let variation = errors.iter().sum::<f64>() / 2.0;
            figures.total_variation += variation / count;
            figures.worst_total_variation = figures.worst_total_variation.max(variation);
            figures.max_error = errors.into_iter().fold(figures.max_error, f64::max);
        }
        Ok(figures)
    }

    /// The probability that an output value stands for.
    fn probability(&self, y: i64, row: usize, outputs: &Outputs) -> f64 {
        match (self.output, &outputs.sum) {
            (Output::U8, _) if self.exponential == Exponential::ItaMax => y as f64 / 255.0,
            (Output::U8, _) => y as f64 / 256.0,
            (Output::U16, _) => y as f64 / 65_536.0,
            (Output::Log2x4, _) => (-y as f64).exp2(),
            (Output::Raw, sum) => y as f64 / sum.as_ref().map_or(1.0, |s| s.data[row] as f64),
        }
    }
}
