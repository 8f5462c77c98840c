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

/// softmax(Q·Kᵀ / √d)·V of one head in f64: q [Lq, d], k and v [Lk, d]. With `causal`, query i sees key j iff j ≤ i + Lk - Lq.
///
/// # Panics
/// When `d` does not divide a length, or a query sees no key.
pub fn attention(q: &[f64], k: &[f64], v: &[f64], d: usize, causal: bool) -> Vec<f64> {
    let (queries, keys) = (q.len() / d, k.len() / d);
    let row = |(i, query): (usize, &[f64])| {
        let visible = if causal { i + 1 + keys - queries } else { keys };
        let scale = (d as f64).sqrt().recip();
        let logits: Vec<f64> = matmul(query, &k[..visible * d], d).iter().map(|s| s * scale).collect();
        let mut o = vec![0.0; d];
        for (p, values) in softmax(&logits).iter().zip(v.chunks_exact(d)) {
            o.iter_mut().zip(values).for_each(|(o, v)| *o += p * v);
        }
        o
    };
    q.chunks_exact(d).enumerate().flat_map(row).collect()
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

/// Side of the windows of [`ssim`].
const WINDOW: usize = 7;

/// Mean structural similarity of two images with rows of `columns` pixels; `None` where no window of 7 x 7 fits or the
/// reference is constant.
///
/// Wang et al. (2004) as scikit-image computes it by default in double precision: all pixels of a window count the same,
/// variances and covariance are of samples (divided by 48), K1 = 0.01, K2 = 0.03, and only windows inside the image count. The
/// data range is that of the reference.
///
/// # Panics
/// When the lengths differ.
pub fn ssim(got: &[f64], reference: &[f64], columns: usize) -> Option<f64> {
    assert_eq!(got.len(), reference.len(), "as many outputs as reference values");
    let rows = got.len().checked_div(columns)?;
    let corners = |length: usize| 0..(length + 1).saturating_sub(WINDOW);
    let (low, high) = reference.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    let window = |x: &[f64], row: usize, column: usize| -> Vec<f64> {
        (row..row + WINDOW).flat_map(|r| x[r * columns + column..][..WINDOW].to_vec()).collect()
    };
    let each = |(row, column)| similarity(&window(got, row, column), &window(reference, row, column), high - low);
    let windows = corners(rows).flat_map(|row| corners(columns).map(move |column| (row, column)));
    let (sum, count) = windows.map(each).fold((0.0, 0), |(sum, count), s| (sum + s, count + 1));
    (count > 0 && high > low).then(|| sum / f64::from(count))
}

/// Structural similarity of two windows.
fn similarity(x: &[f64], y: &[f64], range: f64) -> f64 {
    let count = x.len() as f64;
    let mean = |x: &[f64]| x.iter().sum::<f64>() / count;
    let (mx, my) = (mean(x), mean(y));
    let covariance = |a: &[f64], ma: f64, b: &[f64], mb: f64| {
        a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).sum::<f64>() / (count - 1.0)
    };
    let (c1, c2) = ((0.01 * range).powi(2), (0.03 * range).powi(2));
    let light = (2.0 * mx * my + c1) / (mx * mx + my * my + c1);
    light * (2.0 * covariance(x, mx, y, my) + c2) / (covariance(x, mx, x, mx) + covariance(y, my, y, my) + c2)
}

/// Normal numbers by Box and Muller (1958) over splitmix64 (Steele et al. 2014): data for error figures.
pub fn normal(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed;
    let mut uniform = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // 53 bits, in (0, 1].
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64 + f64::EPSILON / 2.0
    };
    let mut pair = || {
        let (radius, angle) = ((-2.0 * uniform().ln()).sqrt(), std::f64::consts::TAU * uniform());
        [radius * angle.cos(), radius * angle.sin()]
    };
    (0..count.div_ceil(2)).flat_map(|_| pair()).take(count).collect()
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
    fn attention_by_hand() {
        // √4 = 2: logits ln3 and 0 of the first query, 0 and ln3 of the second.
        let ln3 = 3f64.ln();
        let q = [2.0, 0.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0];
        let k = [ln3, 0.0, 0.0, 0.0, 0.0, ln3, 0.0, 0.0];
        let v = [4.0, 0.0, 1.0, -4.0, 0.0, 4.0, 1.0, -8.0];
        let near = |got: &[f64], want: &[f64]| got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(near(&attention(&q, &k, &v, 4, false), &[3.0, 1.0, 1.0, -5.0, 1.0, 3.0, 1.0, -7.0]));
        assert!(near(&attention(&q, &k, &v, 4, true), &[4.0, 0.0, 1.0, -4.0, 1.0, 3.0, 1.0, -7.0]));
        // One query after the keys of another sees both.
        assert!(near(&attention(&q[4..], &k, &v, 4, true), &[1.0, 3.0, 1.0, -7.0]));
    }

    #[test]
    fn similarity_by_hand() {
        let ramp: Vec<f64> = (0..80).map(|i| f64::from(i % 10)).collect();
        assert!((ssim(&ramp, &ramp, 10).unwrap() - 1.0).abs() < 1e-15);
        assert_eq!(ssim(&ramp[..60], &ramp[..60], 10), None, "six rows");
        assert_eq!(ssim(&[], &[], 0), None);
        assert_eq!(ssim(&ramp, &[3.0; 80], 10), None, "nothing to compare with");
        // Windows of the columns m - 3..=m + 3 have the mean m and the variance 28·7 / 48.
        let brighter: Vec<f64> = ramp.iter().map(|v| v + 2.0).collect();
        let light = |m: f64| (2.0 * m * (m + 2.0) + 0.0081) / (m * m + (m + 2.0) * (m + 2.0) + 0.0081);
        let mean = (light(3.0) + light(4.0) + light(5.0) + light(6.0)) / 4.0;
        assert!((ssim(&brighter, &ramp, 10).unwrap() - mean).abs() < 1e-12);
        // Twice the contrast: means 2m, covariance twice and variance four times 28·7 / 48.
        let steeper: Vec<f64> = ramp.iter().map(|v| v * 2.0).collect();
        let (variance, c2) = (28.0 * 7.0 / 48.0, 0.0729);
        let light = |m: f64| (4.0 * m * m + 0.0081) / (5.0 * m * m + 0.0081);
        let contrast = (4.0 * variance + c2) / (5.0 * variance + c2);
        let mean = (light(3.0) + light(4.0) + light(5.0) + light(6.0)) / 4.0 * contrast;
        assert!((ssim(&steeper, &ramp, 10).unwrap() - mean).abs() < 1e-12);
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
