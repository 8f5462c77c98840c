//! From exact products to logits: the one place where 2^12·log2(e) / (√d·2^(2·frac)) becomes integers.

use super::{AttentionError, D_MAX, LOGIT_BITS, half_up};

/// floor(log2(e)²·2^96).
const LOG2_E_SQUARED: u128 = 0x2_14d4_98f8_53f3_43ed_13fd_a08f;
const LOG2_E_SQUARED_BITS: u32 = 96;
/// Largest r of an integer input: that of d = 4096.
const R_MAX: u32 = 9;

/// t = half-up(S·C / 2^r): logits in units of 2^-12 octaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// C, 2^15..2^16.
    pub mult: u16,
    /// r, 3..=39.
    pub shift: u32,
}

impl Scale {
    /// C / 2^r nearest to 2^12·log2(e) / (√d·2^(2·frac)): r the largest whose C, the nearest integer, is at most 65535.
    ///
    /// Twice C before its rounding is z = √(2^(26 + 2·r0)·log2(e)² / d) with r0 = r - 2·frac, and C = floor((floor(z) + 1) / 2).
    /// There are no ties: log2(e) is transcendental. For no d do the bits of the constant beyond the 96th decide.
    pub fn new(d: usize, frac: u32) -> Result<Self, AttentionError> {
        if !(1..=D_MAX).contains(&d) {
            return Err(AttentionError::Columns(d));
        }
        let mult = |r: u32| nearest(LOG2_E_SQUARED, r, d as u128);
        // No d needs less than r = 3, which d = 1 has.
        let r = (3..=R_MAX).rev().find(|r| mult(*r) <= u16::MAX.into()).unwrap_or(3);
        Ok(Self { mult: mult(r) as u16, shift: r + 2 * frac })
    }

    /// t of an exact product.
    pub fn logit(self, score: i64) -> i64 {
        half_up(score * i64::from(self.mult), self.shift.into())
    }
}

/// The integer nearest to 2^(12 + r)·√(square / 2^96) / √d.
fn nearest(square: u128, r: u32, d: u128) -> u128 {
    let square_of_twice = ((square << (2 * r)) / d) >> (LOG2_E_SQUARED_BITS - 2 * (LOGIT_BITS + 1));
    square_of_twice.isqrt().div_ceil(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // 4096·log2(e) = 5909.279: times 8 it has 16 bits, and √64 takes 3 of them.
        assert_eq!(Scale::new(1, 0), Ok(Scale { mult: 47_274, shift: 3 }));
        assert_eq!(Scale::new(64, 12), Ok(Scale { mult: 47_274, shift: 30 }));
        assert_eq!(Scale::new(4096, 15), Ok(Scale { mult: 47_274, shift: 39 }));
        // 47274.23 / √2 = 33427.9.
        assert_eq!(Scale::new(128, 12), Ok(Scale { mult: 33_428, shift: 30 }));
        assert_eq!(Scale::new(0, 0), Err(AttentionError::Columns(0)));
        assert_eq!(Scale::new(4097, 0), Err(AttentionError::Columns(4097)));
    }

    #[test]
    fn every_pair_is_normalised_and_no_bit_beyond_the_constant_decides() {
        for d in 1..=D_MAX {
            let scale = Scale::new(d, 0).unwrap();
            assert!(scale.mult >= 1 << 15 && (3..=R_MAX).contains(&scale.shift), "{d}: {scale:?}");
            assert_eq!(nearest(LOG2_E_SQUARED + 1, scale.shift, d as u128), scale.mult.into(), "{d}");
            let real = 4096.0 * std::f64::consts::LOG2_E / (d as f64).sqrt() * f64::from(1 << scale.shift);
            assert!((real - f64::from(scale.mult)).abs() <= 0.5 + 1e-9, "{d}: {scale:?}, {real}");
        }
    }

    #[test]
    fn logits_round_half_up() {
        let half = Scale { mult: 32_768, shift: 16 };
        assert_eq!([-3, -2, -1, 0, 1, 2, 3].map(|s| half.logit(s)), [-1, -1, 0, 0, 1, 1, 2]);
    }
}
