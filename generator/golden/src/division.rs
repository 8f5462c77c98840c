//! Division by a sum, as softmax and attention do it: one reciprocal a row, then one product and one rounding an element.

/// The reciprocal of a sum S as an integer: 1 / S ≈ `value` / 2^`shift`, from below, closer than 2^-17 of itself.
///
/// Hardware holds S in a register of a proven width W and shifts it left by its leading zeros n: R = floor(2^(W + 17) /
/// (S << n)), and x / S · 2^b = x · R / 2^(W + 17 - n - b). As S << n = S · 2^n exactly, R depends only on the bits that S
/// itself has, L = W - n: R = floor(2^(L + 17) / S), which is how it is computed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reciprocal {
    /// R, in 2^17..=2^18.
    pub value: u32,
    /// L + 17.
    pub shift: u32,
}

impl Reciprocal {
    /// The reciprocal of a sum.
    ///
    /// # Panics
    /// When the sum is zero, which the models rule out by construction.
    pub fn of(sum: u64) -> Self {
        assert!(sum > 0, "a sum of zero has no reciprocal");
        let shift = u64::BITS - sum.leading_zeros() + 17;
        Self { value: ((1u128 << shift) / u128::from(sum)) as u32, shift }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn by_hand() {
        assert_eq!(Reciprocal::of(1), Reciprocal { value: 1 << 18, shift: 18 });
        assert_eq!(Reciprocal::of(3), Reciprocal { value: (1 << 19) / 3, shift: 19 });
        assert_eq!(Reciprocal::of(u64::MAX), Reciprocal { value: 1 << 17, shift: 81 });
    }

    proptest! {
        /// As hardware computes it, in a register of any width that holds the sum.
        #[test]
        fn the_width_of_the_register_does_not_matter(sum in 1u64.., keep in 0u32..64, extra in 0u32..8) {
            let sum = (sum >> keep).max(1);
            let width = 64 - sum.leading_zeros() + extra;
            let n = extra;
            let r = Reciprocal::of(sum);
            prop_assert_eq!(u128::from(r.value), (1u128 << (width + 17)) / (u128::from(sum) << n));
            prop_assert_eq!(r.shift, width + 17 - n);
            prop_assert!(r.value >= 1 << 17 && r.value <= 1 << 18);
            // 2^shift / S - 1 < R <= 2^shift / S
            let product = u128::from(r.value) * u128::from(sum);
            prop_assert!(product <= 1 << r.shift && product + u128::from(sum) > 1 << r.shift);
        }
    }
}
