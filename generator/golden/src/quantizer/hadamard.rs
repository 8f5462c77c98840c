//! `hadamard`: the exact Walsh–Hadamard transform of blocks of a row.

use bitlathe_spec::Tensor;

use super::QuantizerError;
use super::beats::Matrix;
use crate::arguments::ArgumentError;

/// Every block of 2^n elements along a row: y[i] = Σ_j (-1)^popcount(i & j) · x[j], the natural (Sylvester) order. C is a
/// multiple of the block. The result is exact, has n bits more than x, and leaves as int32; the factor 1/√2^n belongs into
/// the scale that follows.
///
/// A sum of 2^n elements of b bits reaches -2^(b-1+n) at y[0] alone and never its negative: b + n bits hold it.
///
/// Online rotations before a quantizer: QuaRot (Ashkboos et al., NeurIPS 2024), FastMamba (Wang et al., 2025), LightMamba
/// (Wei et al., DATE 2025). Leaving the factor out is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hadamard {
    /// Elements of a block, 2^n from 2 on; input bits + n at most 32.
    pub size: usize,
}

impl Hadamard {
    pub(super) fn check(&self, input_bits: u32) -> Result<(), QuantizerError> {
        if !self.size.is_power_of_two() || self.size < 2 {
            return Err(QuantizerError::TransformSize(self.size));
        }
        let needed = input_bits + self.size.trailing_zeros();
        if needed > 32 {
            return Err(QuantizerError::TransformGrowth { size: self.size, bits: input_bits, needed });
        }
        Ok(())
    }

    pub(super) fn run(&self, x: &Matrix, tensor: &Tensor) -> Result<Vec<i64>, ArgumentError> {
        if !x.columns.is_multiple_of(self.size) {
            let expected = format!("[R, a multiple of {}]", self.size);
            return Err(ArgumentError::Shape { name: "x", got: tensor.shape.clone(), expected });
        }
        let mut y = x.data.clone();
        y.chunks_exact_mut(self.size).for_each(transform);
        Ok(y)
    }
}

/// n passes of sums and differences; each doubles the distance of the elements that meet.
fn transform(block: &mut [i64]) {
    let mut half = 1;
    while half < block.len() {
        for group in block.chunks_exact_mut(2 * half) {
            let (low, high) = group.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{matrix, y};
    use super::super::{Inputs, Method, Quantizer};
    use super::*;
    use proptest::prelude::*;

    fn run(input_bits: u32, size: usize, columns: usize, data: Vec<i64>) -> Vec<i64> {
        let core = Quantizer { input_bits, lanes: 4, method: Method::Hadamard(Hadamard { size }) };
        y(&core, &Inputs::of(&matrix(columns, data)))
    }

    #[test]
    fn four_by_hand() {
        assert_eq!(run(8, 4, 4, vec![1, 2, 3, 4]), [10, -2, -4, 0]);
        assert_eq!(run(8, 2, 4, vec![1, 2, 3, 4, 0, 0, 0, 5]), [3, -1, 7, -1, 0, 0, 5, -5]);
    }

    /// Both ends of every row's range, from the elements that the row's signs make largest and smallest.
    #[test]
    fn the_widest_sums_fit_32_bits() {
        let (bits, size) = (26, 64usize);
        let (low, high) = (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1);
        for i in 0..size {
            let plus = |j: usize| (i & j).count_ones().is_multiple_of(2);
            let largest = run(bits, size, size, (0..size).map(|j| if plus(j) { high } else { low }).collect());
            let smallest = run(bits, size, size, (0..size).map(|j| if plus(j) { low } else { high }).collect());
            assert!(largest.iter().chain(&smallest).all(|v| i32::try_from(*v).is_ok()), "{i}");
            assert_eq!(i32::try_from(smallest[0]).map(|v| v == i32::MIN), Ok(i == 0));
        }
    }

    proptest! {
        #[test]
        fn sums_with_the_signs_of_the_definition(data in prop::collection::vec(any::<i16>(), 64), n in 1u32..=6) {
            let size = 1 << n;
            let data: Vec<i64> = data.into_iter().map(i64::from).collect();
            let got = run(16, size, 64, data.clone());
            for (block, got) in data.chunks(size).zip(got.chunks(size)) {
                for (i, got) in got.iter().enumerate() {
                    let sign = |j: usize| if (i & j).count_ones().is_multiple_of(2) { 1 } else { -1 };
                    prop_assert_eq!(*got, block.iter().enumerate().map(|(j, x)| sign(j) * x).sum::<i64>());
                }
            }
        }

        #[test]
        fn twice_is_the_block_size_times_the_input(data in prop::collection::vec(-512i64..512, 32)) {
            let twice = run(26, 32, 32, run(10, 32, 32, data.clone()));
            prop_assert_eq!(twice, data.iter().map(|x| 32 * x).collect::<Vec<_>>());
        }
    }
}
