//! The same operations in floating point, for error figures only.

/// How far outputs are from a reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ErrorFigures {
    /// Largest absolute difference.
    pub max_abs: f64,
    /// Root of the mean squared difference.
    pub rms: f64,
    /// Signal-to-noise ratio in dB; infinite where nothing differs.
    pub sqnr_db: f64,
}

/// Y[t, m] = Σ_k W[m, k] · X[t, k] in f64, X as [T, K] and W as [M, K], row-major.
///
/// # Panics
/// When `k` does not divide both lengths.
pub fn matmul(x: &[f64], w: &[f64], k: usize) -> Vec<f64> {
    assert!(k > 0 && x.len().is_multiple_of(k) && w.len().is_multiple_of(k), "rows of {k} elements");
    x.chunks_exact(k)
        .flat_map(|token| w.chunks_exact(k).map(move |row| row.iter().zip(token).map(|(a, b)| a * b).sum()))
        .collect()
}

/// exp(x) / Σ exp(x) of one row in f64.
pub fn softmax(x: &[f64]) -> Vec<f64> {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<f64> = x.iter().map(|v| (v - max).exp()).collect();
    let sum: f64 = e.iter().sum();
    e.into_iter().map(|v| v / sum).collect()
}

/// Figures of `got` against `reference`, element by element.
///
/// # Panics
/// When the lengths differ.
pub fn compare(got: &[f64], reference: &[f64]) -> ErrorFigures {
    assert_eq!(got.len(), reference.len(), "as many outputs as reference values");
    let mut noise = 0.0;
    let mut signal = 0.0;
    let mut max_abs = 0.0f64;
    for (g, r) in got.iter().zip(reference) {
        max_abs = max_abs.max((g - r).abs());
        noise += (g - r) * (g - r);
        signal += r * r;
    }
    let rms = (noise / got.len().max(1) as f64).sqrt();
    let sqnr_db = if noise == 0.0 { f64::INFINITY } else { 10.0 * (signal / noise).log10() };
    ErrorFigures { max_abs, rms, sqnr_db }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn product_by_hand() {
        assert_eq!(
            matmul(&[1.0, 2.0, 3.0, 4.0], &[1.0, -1.0, 0.5, 0.0, 0.0, 2.0], 2),
            [-1.0, 0.5, 4.0, -1.0, 1.5, 8.0]
        );
    }

    #[test]
    fn softmax_by_hand() {
        let p = softmax(&[700.0, 700.0 + 3f64.ln()]);
        assert!((p[0] - 0.25).abs() < 1e-12 && (p[1] - 0.75).abs() < 1e-12);
        assert_eq!(softmax(&[-1e9, 0.0]), [0.0, 1.0]);
    }

    #[test]
    fn figures_by_hand() {
        let f = compare(&[1.0, 2.0], &[1.0, 4.0]);
        assert_eq!(f.max_abs, 2.0);
        assert_eq!(f.rms, 2f64.sqrt());
        assert!((f.sqnr_db - 10.0 * (17f64 / 4.0).log10()).abs() < 1e-12);
        assert_eq!(compare(&[1.0], &[1.0]).sqnr_db, f64::INFINITY);
    }
}
