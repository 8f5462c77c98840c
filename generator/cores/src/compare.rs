//! The methods of a kind judged on random data, for choosing one: the error of each beside the config that makes it.

use serde::Serialize;
use serde_json::Value;

/// The data that methods are judged on: normal numbers, quantized in steps of each of some scales.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Data {
    /// Elements of a row.
    pub n: usize,
    /// Standard deviation of the real numbers.
    pub sigma: f64,
    /// Real values of one step.
    pub scales: Vec<f64>,
}

/// Methods side by side.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What the errors are, such as `total variation against softmax in floating point`.
    pub measure: &'static str,
    /// The output in which [`Choice::finished`] counts, such as `u8`.
    pub output: String,
    /// The methods, in the order of the docs.
    pub choices: Vec<Choice>,
    /// Methods that make no core of this config.
    pub refused: Vec<Refused>,
}

/// A method that makes no core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// Name with its options.
    pub name: String,
    /// Why.
    pub reason: String,
}

/// One method.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Name with its options, such as `pwl, 4 segments`.
    pub name: String,
    /// The config that makes it, at the middle scale or its own.
    pub config: Value,
    /// Scale and error of the method itself, before its output is rounded; one point where it has a scale of its own.
    pub points: Vec<(f64, f64)>,
    /// Mean error over the scales in the output of the config.
    pub finished: f64,
}

impl Choice {
    /// Mean error of the method itself over the scales.
    pub fn mean(&self) -> f64 {
        self.points.iter().map(|p| p.1).sum::<f64>() / self.points.len().max(1) as f64
    }

    /// The scale with the largest error, and that error.
    pub fn largest(&self) -> (f64, f64) {
        self.points.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default()
    }
}
