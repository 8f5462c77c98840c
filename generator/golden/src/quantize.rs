//! Real weights and activations as integers, as BitNet b1.58 defines them.

use thiserror::Error;

/// A weight matrix as {-1, 0, 1} with one scale.
#[derive(Clone, Debug, PartialEq)]
pub struct Ternarized {
    /// Values in -1..=1, in the order of the input.
    pub values: Vec<i8>,
    /// mean |W|; `values · scale` approximates the input. Zero for an all-zero matrix.
    pub scale: f64,
}

/// A value that cannot be quantized.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[error("value {value} at index {index} is not finite")]
pub struct NotFinite {
    /// The value.
    pub value: f64,
    /// Its flat index.
    pub index: usize,
}

/// Absmean ternarization: clip(half-even(W / mean |W|), -1, 1). A matrix without a nonzero value stays zero.
pub fn absmean_ternarize(weights: &[f64]) -> Result<Ternarized, NotFinite> {
    check_finite(weights)?;
    let largest = largest_magnitude(weights);
    if largest == 0.0 {
        return Ok(Ternarized { values: vec![0; weights.len()], scale: 0.0 });
    }
    // Relative to the largest magnitude, so that the sum cannot overflow.
    let relative = weights.iter().map(|w| w.abs() / largest).sum::<f64>() / weights.len() as f64;
    let scale = relative * largest;
    let values = weights.iter().map(|w| (w / scale).round_ties_even().clamp(-1.0, 1.0) as i8).collect();
    Ok(Ternarized { values, scale })
}

/// A value that is no ternary weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("row {row}, column {column}: {value} is not a ternary weight (-1, 0 or 1)")]
pub struct NotTernary {
    /// Row of the matrix.
    pub row: usize,
    /// Column of the matrix.
    pub column: usize,
    /// The value.
    pub value: i64,
}

/// A row-major integer matrix as ternary weights; the first other value is refused with its place.
pub fn ternary_values(values: &[i64], columns: usize) -> Result<Vec<i8>, NotTernary> {
    let convert = |(index, &value): (usize, &i64)| match value {
        -1..=1 => Ok(value as i8),
        _ => Err(NotTernary { row: index / columns.max(1), column: index % columns.max(1), value }),
    };
    values.iter().enumerate().map(convert).collect()
}

/// One token's activations in int8 with the factor that made them.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedToken {
    /// q = clamp(half-even(x · s), -128, 127).
    pub values: Vec<i8>,
    /// s = 127 / max(max |x|, 1e-5); `values / factor` approximates the input.
    pub factor: f64,
}

/// BitNet b1.58's activation quantizer for one token.
pub fn quantize_token(x: &[f64]) -> Result<QuantizedToken, NotFinite> {
    check_finite(x)?;
    let factor = 127.0 / largest_magnitude(x).max(1e-5);
    let values = x.iter().map(|v| (v * factor).round_ties_even().clamp(-128.0, 127.0) as i8).collect();
    Ok(QuantizedToken { values, factor })
}

fn largest_magnitude(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m: f64, v| m.max(v.abs()))
}

pub(crate) fn check_finite(values: &[f64]) -> Result<(), NotFinite> {
    match values.iter().position(|v| !v.is_finite()) {
        Some(index) => Err(NotFinite { value: values[index], index }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn absmean_by_hand() {
        // mean |W| = 1: 0.5 and -1.5 are ties and go to even.
        let t = absmean_ternarize(&[0.5, -1.5, 0.4, 1.6]).unwrap();
        assert_eq!(t.values, [0, -1, 0, 1]);
        assert_eq!(t.scale, 1.0);
    }

    #[test]
    fn zeros_and_bad_values() {
        assert_eq!(absmean_ternarize(&[0.0, -0.0]).unwrap(), Ternarized { values: vec![0, 0], scale: 0.0 });
        assert!(absmean_ternarize(&[]).unwrap().values.is_empty());
        assert_eq!(absmean_ternarize(&[1.0, f64::INFINITY]).unwrap_err().index, 1);
        assert!(absmean_ternarize(&[f64::MAX, f64::MAX]).unwrap().scale.is_finite());
    }

    #[test]
    fn integers_are_checked_with_their_place() {
        assert_eq!(ternary_values(&[-1, 0, 1, 1], 2).unwrap(), [-1, 0, 1, 1]);
        let text = ternary_values(&[0, 1, -1, 0, 1, -2], 3).unwrap_err().to_string();
        assert_eq!(text, "row 1, column 2: -2 is not a ternary weight (-1, 0 or 1)");
    }

    #[test]
    fn token_by_hand() {
        let q = quantize_token(&[1.0, -2.0, 0.25]).unwrap();
        assert_eq!(q.factor, 63.5);
        assert_eq!(q.values, [64, -127, 16]);
        assert_eq!(quantize_token(&[0.0; 3]).unwrap().values, [0; 3]);
        assert_eq!(quantize_token(&[1e-7, -1e-5]).unwrap().values, [1, -127]);
    }

    proptest! {
        #[test]
        fn ternarizing_again_changes_nothing(weights in prop::collection::vec(-4.0f64..4.0, 1..64)) {
            let first = absmean_ternarize(&weights).unwrap();
            let again: Vec<f64> = first.values.iter().map(|&v| f64::from(v)).collect();
            prop_assert_eq!(absmean_ternarize(&again).unwrap().values, first.values);
        }
    }
}
