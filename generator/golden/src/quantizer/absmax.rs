//! `absmax`: each row scaled by its largest magnitude, in integers.

use bitlathe_spec::Rounding;

use super::beats::Matrix;
use crate::rounding::shift_round;

/// Per row of W-bit elements, W = 16 or 32, and b output bits: A = max |x|, n = leading zeros of A in W bits,
/// R = floor(Q·2^(W+8) / (A << n)) with Q = 2^(b-1) - 1 (127 or 7), y = half-even((x << n)·R / 2^(W+8)), and A itself.
/// A row of zeros gives zeros.
///
/// A << n is in 2^(W-1)..2^W, so R < 2^16 and |(x << n)·R| <= Q·2^(W+8) < 2^47: nothing saturates, and the element of
/// the largest magnitude becomes ±Q, because its quotient lies less than 2^-8 below Q. Every other quotient is as
/// close, so a result differs from half-even(x·Q / A) by one step where that lies within 2^-8 of a tie, and else not.
///
/// The activation quantizer of BitNet b1.58 (Ma et al., 2024), whose scale is 127 / max |x|; the reciprocal is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbsMax {
    /// Bits of the output: 4 or 8.
    pub bits: u32,
}

impl AbsMax {
    /// The codes, and A of every row.
    pub(super) fn run(&self, x: &Matrix, input_bits: u32) -> (Vec<i64>, Vec<i64>) {
        let mut codes = Vec::with_capacity(x.data.len());
        let mut largest = Vec::with_capacity(x.rows);
        for row in x.rows() {
            let a = row.iter().map(|v| v.abs()).max().unwrap_or(0);
            largest.push(a);
            codes.extend(row.iter().map(|&v| if a == 0 { 0 } else { self.element(v, a, input_bits) }));
        }
        (codes, largest)
    }

    fn element(&self, value: i64, a: i64, input_bits: u32) -> i64 {
        let top = (1i64 << (self.bits - 1)) - 1;
        let zeros = input_bits - (i64::BITS - a.leading_zeros());
        let reciprocal = (top << (input_bits + 8)) / (a << zeros);
        shift_round(i128::from((value << zeros) * reciprocal), input_bits + 8, Rounding::HalfEven, None) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{matrix, y};
    use super::super::{Inputs, Method, Quantizer};
    use super::*;
    use crate::quantize::quantize_token;
    use proptest::prelude::*;

    fn core(input_bits: u32, bits: u32) -> Quantizer {
        Quantizer { input_bits, lanes: 8, method: Method::AbsMax(AbsMax { bits }) }
    }

    /// half-even(x·Q / A) in whole numbers.
    fn exact(x: i64, a: i64, top: i64) -> i64 {
        let twice = 2 * i128::from(x) * i128::from(top) + i128::from(a);
        let (a2, q) = (2 * i128::from(a), twice.div_euclid(2 * i128::from(a)));
        let tie = twice.rem_euclid(a2) == 0;
        (q - i128::from(tie && q % 2 != 0)) as i64
    }

    #[test]
    fn rows_by_hand() {
        let x = matrix(4, vec![1, -2, 0, 4, 3, -3, 6, 1, 0, 0, 0, 0, -32_768, 32_767, 129, -128]);
        let out = core(16, 8).run(&Inputs::of(&x)).unwrap();
        // 4 is a power of two, its reciprocal exact: 31.75, and -63.5 goes to even. A sixth is not: 63.5 comes out below.
        let expected = [[32, -64, 0, 127], [63, -63, 127, 21], [0; 4], [-127, 127, 0, 0]];
        assert_eq!(out["y"].data, expected.concat());
        assert_eq!(out["amax"].data, [4, 6, 0, 32_768]);
        assert_eq!(y(&core(16, 4), &Inputs::of(&x))[..8], [2, -4, 0, 7, 3, -3, 7, 1]);
    }

    /// Every magnitude of 16 bits, and a spread of 32 bits: the row's largest element becomes ±Q.
    #[test]
    fn the_largest_magnitude_becomes_the_largest_code() {
        let wide = (0..32).flat_map(|n| [-1, 0, 1].map(|d| (1i64 << n) + d)).filter(|a| (1..=1 << 31).contains(a));
        for (input_bits, a) in (1..=32_768).map(|a| (16, a)).chain(wide.map(|a| (32, a))) {
            for (bits, top) in [(4, 7), (8, 127)] {
                let method = AbsMax { bits };
                assert_eq!(method.element(-a, a, input_bits), -top, "{a} of {input_bits} bits");
                assert_eq!(method.element(a.min((1 << (input_bits - 1)) - 1), a, input_bits), top, "{a}");
            }
        }
    }

    #[test]
    fn a_16_bit_row_in_32_bits_gives_the_same_codes() {
        let x = matrix(1000, (0..1000).map(|i: i64| (i * 7919) % 20_011 - 10_000).collect());
        assert_eq!(y(&core(16, 8), &Inputs::of(&x)), y(&core(32, 8), &Inputs::of(&x)));
    }

    /// BitNet's own quantizer in floating point: a rare step of difference at ties, never more.
    #[test]
    fn bitnet_activations_differ_at_ties_alone() {
        let x: Vec<i64> = (0..100_000).map(|i: i64| (i * 48_271) % 60_013 - 30_006).collect();
        let real = quantize_token(&x.iter().map(|v| *v as f64).collect::<Vec<_>>()).unwrap();
        let got = y(&core(16, 8), &Inputs::of(&matrix(x.len(), x.clone())));
        let steps = |(g, r): (&i64, &i8)| (g - i64::from(*r)).abs();
        let differences: Vec<i64> = got.iter().zip(&real.values).map(steps).filter(|d| *d > 0).collect();
        println!("{} of {} differ by a step", differences.len(), got.len());
        assert!(differences.iter().all(|d| *d == 1));
        assert!(differences.len() < got.len() / 256, "{} of {}", differences.len(), got.len());
    }

    proptest! {
        #[test]
        fn at_most_a_256th_of_a_step_from_the_exact_quotient(
            mut row in prop::collection::vec(any::<i32>(), 1..12), shift in 0u32..31, four: bool,
        ) {
            row.iter_mut().for_each(|v| *v >>= shift);
            let a = row.iter().map(|v| i64::from(*v).abs()).max().unwrap();
            prop_assume!(a > 0);
            let (bits, top) = if four { (4, 7) } else { (8, 127) };
            let data: Vec<i64> = row.iter().map(|v| i64::from(*v)).collect();
            let got = y(&core(32, bits), &Inputs::of(&matrix(data.len(), data.clone())));
            for (&got, &x) in got.iter().zip(&data) {
                let ideal = exact(x, a, top);
                // In 512ths of a step, and exactly: 2·|x|·Q·256 / (2A) against the tie beside the result.
                let near_tie = |step: i64| {
                    let off = 512 * i128::from(x) * i128::from(top) - 256 * i128::from(got + ideal) * i128::from(a);
                    step == 0 || off.abs() <= 2 * i128::from(a)
                };
                prop_assert!((got - ideal).abs() <= 1 && near_tie(got - ideal), "{} of {}: {} for {}", x, a, got, ideal);
            }
        }
    }
}
