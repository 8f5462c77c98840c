//! Real weights as four-bit codes with a zero point and a scale a group, and real scales as integers.

use thiserror::Error;

use crate::mixpe::{MAX_SCALE, MAX_WEIGHT};
use crate::quantize::{NotFinite, check_finite};

/// A matrix in groups along its rows: `(code - zero) · scale` approximates the input.
#[derive(Clone, Debug, PartialEq)]
pub struct Grouped {
    /// Codes in 0..=15, in the order of the input.
    pub codes: Vec<u8>,
    /// Zero points in 0..=15, [rows, groups].
    pub zeros: Vec<u8>,
    /// Scales, [rows, groups]; 0 for a group of zeros.
    pub scales: Vec<f64>,
}

/// Round-to-nearest: a group's codes span min(w, 0)..=max(w, 0) in 15 steps, so that 0 is a code.
///
/// s = (max - min) / 15, z = half-even(-min / s), u = clamp(half-even(w / s) + z, 0, 15). A row's last group may be short.
/// The range and the roundings are those of GPTQ's asymmetric `Quantizer` (IST-DASLab/gptq, quant.py).
///
/// # Panics
/// When `columns` or `group` is 0.
pub fn quantize_groups(weights: &[f64], columns: usize, group: usize) -> Result<Grouped, NotFinite> {
    check_finite(weights)?;
    let mut grouped = Grouped { codes: Vec::with_capacity(weights.len()), zeros: vec![], scales: vec![] };
    for w in weights.chunks(columns).flat_map(|row| row.chunks(group)) {
        let (min, max) = w.iter().fold((0f64, 0f64), |(min, max), v| (min.min(*v), max.max(*v)));
        let top = MAX_WEIGHT as f64;
        let scale = max / top - min / top;
        // A group of zeros has no scale, and neither has one too small for a float.
        let steps = |v: f64| if scale == 0.0 { 0.0 } else { (v / scale).round_ties_even() };
        let zero = steps(-min).min(top);
        grouped.codes.extend(w.iter().map(|v| (steps(*v) + zero).clamp(0.0, top) as u8));
        grouped.zeros.push(zero as u8);
        grouped.scales.push(scale);
    }
    Ok(grouped)
}

/// The scales of a row of weights as integers: s ≈ S / 2^e.
#[derive(Clone, Debug, PartialEq)]
pub struct RowScales {
    /// S, one a group.
    pub values: Vec<u16>,
    /// e.
    pub exponent: i8,
    /// The largest |S / 2^e - s| / s of a group whose s is not 0.
    pub worst_error: f64,
}

/// Scales that integers cannot stand for.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum ScaleError {
    #[error("scale {value} of group {group} is negative or not finite")]
    Value { group: usize, value: f64 },
    #[error("the row's largest scale {0:e} is outside 2^-112 to 2^143, which an 8-bit exponent reaches")]
    Exponent(f64),
}

/// e is the largest with half-even(s · 2^e) ≤ 65535 for all scales of the row, S = half-even(s · 2^e). A row of zeros has
/// e = 0.
pub fn integer_scales(scales: &[f64]) -> Result<RowScales, ScaleError> {
    if let Some(group) = scales.iter().position(|s| !s.is_finite() || *s < 0.0) {
        return Err(ScaleError::Value { group, value: scales[group] });
    }
    let largest = scales.iter().fold(0f64, |m, s| m.max(*s));
    if largest == 0.0 {
        return Ok(RowScales { values: vec![0; scales.len()], exponent: 0, worst_error: 0.0 });
    }
    let exponent = exponent(largest).ok_or(ScaleError::Exponent(largest))?;
    let factor = 2f64.powi(exponent.into());
    let rounded = |s: &f64| (s * factor).round_ties_even();
    let error = |s: &f64| (rounded(s) / factor - s).abs() / s;
    let worst_error = scales.iter().filter(|s| **s > 0.0).map(error).fold(0.0, f64::max);
    Ok(RowScales { values: scales.iter().map(|s| rounded(s) as u16).collect(), exponent, worst_error })
}

/// The largest exponent of eight bits that is right for a scale; `None` where a ninth bit is needed.
fn exponent(scale: f64) -> Option<i8> {
    let fits = |e: i32| (scale * 2f64.powi(e)).round_ties_even() <= MAX_SCALE as f64;
    let right = |e: &i8| fits((*e).into()) && !fits(i32::from(*e) + 1);
    // Within one of the logarithm, whatever its rounding.
    let near = 15 - scale.log2().floor() as i32;
    (near - 2..=near + 1).filter_map(|e| i8::try_from(e).ok()).find(right)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn groups_by_hand() {
        // -1.5..1.5 in steps of 0.2, zero at 7.5, which goes to even; then one column, 0..3 in steps of 0.2.
        let q = quantize_groups(&[-1.5, 1.5, 0.0, 3.0], 4, 3).unwrap();
        assert_eq!(q.zeros, [8, 0]);
        assert_eq!(q.codes, [0, 15, 8, 15]);
        assert!(q.scales.iter().all(|s| (s - 0.2).abs() < 1e-15));
        let zeros = quantize_groups(&[0.0, -0.0, -3.0, -1.0], 2, 128).unwrap();
        assert_eq!(zeros, Grouped { codes: vec![0, 0, 0, 10], zeros: vec![0, 15], scales: vec![0.0, 0.2] });
        assert_eq!(quantize_groups(&[0.0, f64::NAN], 2, 2).unwrap_err().index, 1);
        assert!(quantize_groups(&[f64::MAX, -f64::MAX], 2, 2).unwrap().scales[0].is_finite());
        assert_eq!(quantize_groups(&[5e-324], 1, 1).unwrap().scales, [0.0]);
    }

    #[test]
    fn scales_by_hand() {
        let scales = |s: &[f64]| integer_scales(s).unwrap();
        let found = scales(&[1.0, 0.5, 0.0, 2f64.powi(-16)]);
        // 2^-16 · 2^15 is a half and goes to 0.
        assert_eq!(found, RowScales { values: vec![32_768, 16_384, 0, 0], exponent: 15, worst_error: 1.0 });
        assert_eq!(scales(&[65_535.4]).exponent, 0);
        assert_eq!(scales(&[65_535.5]), RowScales { exponent: -1, ..scales(&[65_536.0]) }.with_error_of(65_535.5));
        assert_eq!(scales(&[0.0; 2]), RowScales { values: vec![0; 2], exponent: 0, worst_error: 0.0 });
        assert_eq!(scales(&[2f64.powi(-112)]).exponent, 127);
        assert_eq!(integer_scales(&[2f64.powi(-113)]), Err(ScaleError::Exponent(2f64.powi(-113))));
        assert_eq!(integer_scales(&[2f64.powi(144)]), Err(ScaleError::Exponent(2f64.powi(144))));
        assert_eq!(integer_scales(&[f64::MAX]), Err(ScaleError::Exponent(f64::MAX)));
        assert_eq!(integer_scales(&[5e-324]), Err(ScaleError::Exponent(5e-324)));
        assert_eq!(integer_scales(&[1.0, -1.0]), Err(ScaleError::Value { group: 1, value: -1.0 }));
    }

    impl RowScales {
        fn with_error_of(self, scale: f64) -> Self {
            let value = f64::from(self.values[0]) / 2f64.powi(self.exponent.into());
            Self { worst_error: (value - scale).abs() / scale, ..self }
        }
    }

    proptest! {
        #[test]
        fn a_weight_is_at_most_a_step_away(
            weights in prop::collection::vec(-4.0f64..4.0, 1..80), group in 1usize..40,
        ) {
            // Half a step by rounding w, half a step by rounding the zero point.
            let q = quantize_groups(&weights, weights.len(), group).unwrap();
            for (i, w) in weights.iter().enumerate() {
                let (z, s) = (q.zeros[i / group], q.scales[i / group]);
                let got = (f64::from(q.codes[i]) - f64::from(z)) * s;
                prop_assert!((got - w).abs() <= s * (1.0 + 1e-9), "{w} became {got}");
            }
        }

        #[test]
        fn scales_keep_sixteen_bits_and_no_exponent_is_larger(scales in prop::collection::vec(1e-6f64..1e6, 1..9)) {
            let found = integer_scales(&scales).unwrap();
            let top = found.values.iter().copied().max().unwrap();
            prop_assert!(top >= 32_768);
            for (s, v) in scales.iter().zip(&found.values) {
                let step = 2f64.powi(-i32::from(found.exponent));
                prop_assert!((f64::from(*v) * step - s).abs() <= step / 2.0);
            }
            let largest = scales.iter().copied().fold(0.0, f64::max);
            prop_assert!((largest * 2f64.powi(i32::from(found.exponent) + 1)).round_ties_even() > 65_535.0);
        }
    }
}
