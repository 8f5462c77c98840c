//! `dual-scale` and `iqr`: one scale for what lies within a threshold, another for what lies outside.

use bitlathe_spec::Rounding;

use super::beats::Matrix;
use super::rescale::{Scale, rescale};
use super::{Inputs, QuantizerError, check_output_bits, check_shift};
use crate::arguments::{ArgumentError, narrowed, planes_per_channel, shift_per_channel};
use crate::rounding::OutputFormat;

/// With a threshold T: c = (|g| > T), q = round(g·m_c / 2^s) saturated to ±(2^(b-2) - 1), code {c, q[b-2:0]} for b bits
/// of output: ±63 and {c, q[6:0]} for 8, ±3 and {c, q[2:0]} for 4.
///
/// m_0 scales the inside, m_1 the outside; both share s, and are one for the tensor or one a channel. Rounding by name;
/// stochastic rounding draws as `requant` does. |g·m| < 2^47.
///
/// `dual-scale` takes T as an input. It is the two-region gradient quantizer of LowGradQ (DAGQ, DATE 2025); the code is
/// ours, the paper gives none. `iqr` finds T by [`iqr_threshold`] first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DualScale {
    /// Bits of a code: 4 or 8.
    pub bits: u32,
    /// How a product is rounded.
    pub rounding: Rounding,
    /// The constant shift, 0..=47; `None`: the input `shift` gives it.
    pub shift: Option<u32>,
}

impl DualScale {
    pub(super) fn check(&self) -> Result<(), QuantizerError> {
        check_output_bits(self.bits)?;
        check_shift(self.shift)
    }

    /// `dual-scale`.
    pub(super) fn with_given_threshold(
        &self,
        x: &Matrix,
        inputs: &Inputs<'_>,
        lanes: usize,
    ) -> Result<Vec<i64>, ArgumentError> {
        let tensor = inputs.threshold.ok_or(ArgumentError::Missing("thr"))?;
        let [threshold] = narrowed("thr", tensor, (0, i32::MAX.into()))?[..] else {
            return Err(ArgumentError::Shape { name: "thr", got: tensor.shape.clone(), expected: "[1]".into() });
        };
        self.run(x, inputs, lanes, threshold)
    }

    pub(super) fn run(
        &self,
        x: &Matrix,
        inputs: &Inputs<'_>,
        lanes: usize,
        threshold: i64,
    ) -> Result<Vec<i64>, ArgumentError> {
        let mult = inputs.mult.ok_or(ArgumentError::Missing("mult"))?;
        let mult = planes_per_channel("mult", mult, 2, x.columns, (0, u16::MAX.into()))?;
        let shift = shift_per_channel(self.shift, inputs.shift, x.columns)?;
        let outside = |value: i64| value.abs() > threshold;
        let scale = |value, c| Scale {
            mult: mult[usize::from(outside(value))].at(c) as u16,
            shift: shift.at(c) as u32,
            zero_point: 0,
        };
        let format = OutputFormat { bits: self.bits - 1, narrow: true };
        let q = rescale(x, lanes, self.rounding, format, scale);
        Ok(q.iter().zip(&x.data).map(|(&q, &value)| encode(outside(value), q, self.bits)).collect())
    }
}

/// {c, q} in `bits`, as a tensor holds it: the byte's two's complement, or a nibble with zeros above.
fn encode(outside: bool, q: i64, bits: u32) -> i64 {
    let code = i64::from(outside) << (bits - 1) | q & ((1 << (bits - 1)) - 1);
    if bits == 8 { i64::from(code as u8 as i8) } else { code }
}

/// A code's region (whether it lies outside the threshold) and q.
pub fn decode_region(code: i64, bits: u32) -> (bool, i64) {
    let unused = i64::BITS - (bits - 1);
    (code >> (bits - 1) & 1 == 1, code << unused >> unused)
}

/// The threshold of `iqr` for elements of `bits` (8..=32), at least one of them.
///
/// A histogram of |g| >> (bits - 8) over the whole tensor has 256 bins (0..=128 can occur); Q1 and Q3 are the first bins
/// whose cumulative count reaches ceil(N/4) and ceil(3N/4); T = (Q3 + floor(3·(Q3 - Q1) / 2)) << (bits - 8), at most
/// 2^(bits-1) - 1. The sum in front of the shift is at most 128 + 192, so T needs bits + 1 bits before it is bounded.
///
/// Tukey's fence at the quartiles of the magnitude is GradQ-ViT's (Choi and Kim, AAAI 2025); the histogram is ours.
pub fn iqr_threshold(elements: &[i64], bits: u32) -> i64 {
    let mut histogram = [0u64; 256];
    for g in elements {
        histogram[(g.unsigned_abs() >> (bits - 8)) as usize] += 1;
    }
    let n = elements.len() as u64;
    let (q1, q3) = (quantile(&histogram, n.div_ceil(4)), quantile(&histogram, (3 * n).div_ceil(4)));
    ((q3 + 3 * (q3 - q1) / 2) << (bits - 8)).min((1 << (bits - 1)) - 1)
}

/// The first bin whose cumulative count reaches the rank.
fn quantile(histogram: &[u64; 256], rank: u64) -> i64 {
    let mut below = 0;
    let reached = |count: &u64| {
        below += count;
        below >= rank
    };
    histogram.iter().position(reached).unwrap_or(histogram.len() - 1) as i64
}

#[cfg(test)]
mod tests {
    use super::super::tests::{matrix, row, y};
    use super::super::{Method, Quantizer};
    use super::*;
    use crate::rounding::shift_round;
    use bitlathe_spec::{DType, Tensor};
    use proptest::prelude::*;

    fn dual(bits: u32) -> DualScale {
        DualScale { bits, rounding: Rounding::HalfEven, shift: Some(1) }
    }

    fn codes(method: Method, x: &Tensor, mult: [i64; 2], threshold: i64) -> Vec<i64> {
        let (mult, thr) = (Tensor::new(DType::U16, [2, 1], mult.to_vec()), row(DType::I32, &[threshold]));
        let inputs = Inputs { mult: Some(&mult), threshold: Some(&thr), ..Inputs::of(x) };
        y(&Quantizer { input_bits: 32, lanes: 3, method }, &inputs)
    }

    #[test]
    fn codes_by_hand() {
        let x = matrix(1, vec![10, -10, 11, -11, 0, i32::MIN.into(), i32::MAX.into()]);
        let got = codes(Method::DualScale(dual(8)), &x, [5, 2], 10);
        // Inside: ±25 = {0, q}; outside: ±11 = {1, q}, saturated ±63.
        assert_eq!(got, [25, 0x67, 0x8B - 256, 0xF5 - 256, 0, 0xC1 - 256, 0xBF - 256]);
        assert!(got.iter().all(|c| i8::try_from(*c).is_ok()));
        let got = codes(Method::DualScale(dual(4)), &x, [1, 1], 10);
        assert_eq!(got, [3, 0b0101, 0b1011, 0b1101, 0, 0b1101, 0b1011]);
    }

    #[test]
    fn a_threshold_of_nothing_leaves_zeros_inside_and_the_largest_leaves_all() {
        let x = matrix(1, vec![0, 1, -1, i32::MAX.into(), i32::MIN.into()]);
        let regions = |t| {
            codes(Method::DualScale(dual(8)), &x, [1, 1], t).iter().map(|c| decode_region(*c, 8).0).collect::<Vec<_>>()
        };
        assert_eq!(regions(0), [false, true, true, true, true]);
        assert_eq!(regions(i32::MAX.into()), [false, false, false, false, true]);
    }

    #[test]
    fn the_threshold_by_hand() {
        let at = |x: &[i64]| iqr_threshold(x, 16);
        // Bins 1, 2, 3, 4: Q1 = 1, Q3 = 3, fence 3 + 3.
        assert_eq!(at(&[256, -512, 768, -1024]), 6 << 8);
        assert_eq!(at(&[0; 5]), 0, "all zero");
        assert_eq!(at(&[-700; 5]), 2 << 8, "all equal: the bin itself");
        assert_eq!(at(&[700]), 2 << 8, "a single element");
        assert_eq!(at(&[-32_768, 0, 0, 0]), 0, "a quarter does not move the quartiles");
        assert_eq!(at(&[-32_768; 2]), 32_767, "bin 128 saturates");
        assert_eq!(at(&[0, 32_767]), 32_767, "127 + 190 saturates");
        assert_eq!(iqr_threshold(&[i32::MIN.into()], 32), i64::from(i32::MAX));
        assert_eq!(iqr_threshold(&[-128, 1, 2, 3], 8), 3 + 3);
    }

    #[test]
    fn iqr_is_dual_scale_with_its_threshold() {
        let x = matrix(5, (0..100).map(|i: i64| (i - 50).pow(5)).collect());
        let method = DualScale { rounding: Rounding::Stochastic, shift: Some(12), ..dual(8) };
        let threshold = iqr_threshold(&x.data, 32);
        let found = codes(Method::Iqr(method), &x, [3, 1], 0);
        assert_eq!(found, codes(Method::DualScale(method), &x, [3, 1], threshold));
        assert!(found.iter().any(|c| *c < 0) && found.iter().any(|c| *c > 0));
    }

    proptest! {
        #[test]
        fn codes_hold_the_region_and_the_nearest_value(
            g in any::<i32>(), mult in any::<[u16; 2]>(), shift in 0u32..=47, threshold in 0..=i32::MAX, four: bool,
        ) {
            let bits = if four { 4 } else { 8 };
            let x = matrix(1, vec![g.into()]);
            let method = Method::DualScale(DualScale { shift: Some(shift), ..dual(bits) });
            let code = codes(method, &x, mult.map(i64::from), threshold.into())[0];
            let outside = g.unsigned_abs() > threshold.unsigned_abs();
            let limit = (1i128 << (bits - 2)) - 1;
            let m = i128::from(mult[usize::from(outside)]);
            let q = shift_round(i128::from(g) * m, shift, Rounding::HalfEven, None).clamp(-limit, limit);
            prop_assert_eq!(decode_region(code, bits), (outside, q as i64));
        }

        /// The quartiles as ranks of the sorted magnitudes.
        #[test]
        fn the_threshold_is_the_fence_over_sorted_bins(mut g in prop::collection::vec(any::<i16>(), 1..200)) {
            let elements: Vec<i64> = g.iter().map(|v| i64::from(*v)).collect();
            g.sort_by_key(|v| v.unsigned_abs());
            let bin = |rank: usize| i64::from(g[rank - 1].unsigned_abs() >> 8);
            let (q1, q3) = (bin(g.len().div_ceil(4)), bin((3 * g.len()).div_ceil(4)));
            prop_assert_eq!(iqr_threshold(&elements, 16), ((q3 + (q3 - q1) * 3 / 2) * 256).min(32_767));
        }
    }
}
