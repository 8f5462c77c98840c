//! Probabilities before their division: 2^(-u / 2^12) from sixteen points an octave and the lines between them.

use super::{AttentionError, LOGIT_BITS, P_BITS, half_up};

/// Points of an octave.
const POINTS: usize = 16;
/// Bits of the place between two points.
const LINE_BITS: u32 = LOGIT_BITS - POINTS.ilog2();
/// Fraction bits of a point beyond those of a probability.
const EXTRA_BITS: u32 = 2;
/// Unit of the powers of two that points are made from.
const POWER_BITS: u32 = 64;

/// p(u) = min(2^p_bits - 1, half-up(E / 2^(10 + ip))) with E = 256·B[i] - (B[i] - B[i + 1])·g.
///
/// ip = u >> 12, i = bits 11:8 and g = bits 7:0 of u.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exponential {
    /// Bits of p.
    pub p_bits: u32,
    /// B[i], the integer nearest to 2^(-i / 16)·2^(p_bits + 2); B[16] = 2^(p_bits + 1).
    pub points: [i64; POINTS + 1],
}

impl Exponential {
    /// The table of a number of bits, 8 to 16.
    pub fn new(p_bits: u32) -> Result<Self, AttentionError> {
        if !P_BITS.contains(&p_bits) {
            return Err(AttentionError::ProbabilityBits(p_bits));
        }
        let point = |i| (power(i) >> (POWER_BITS - p_bits - EXTRA_BITS - 1)).div_ceil(2) as i64;
        Ok(Self { p_bits, points: std::array::from_fn(point) })
    }

    /// p at a distance u ≥ 0 from the maximum. It never rises: the points fall, and the last is half of the first.
    pub fn at(&self, u: i64) -> i64 {
        let (octaves, rest) = (u >> LOGIT_BITS, u & ((1 << LOGIT_BITS) - 1));
        let (i, g) = ((rest >> LINE_BITS) as usize, rest & ((1 << LINE_BITS) - 1));
        let line = (self.points[i] << LINE_BITS) - (self.points[i] - self.points[i + 1]) * g;
        half_up(line, i64::from(LINE_BITS + EXTRA_BITS) + octaves).min(self.most())
    }

    /// The largest p, 2^p_bits - 1.
    pub fn most(&self) -> i64 {
        (1 << self.p_bits) - 1
    }

    /// The smallest p of a row's largest logit, which is less than an octave below the maximum.
    pub fn least_of_maximum(&self) -> i64 {
        self.at((1 << LOGIT_BITS) - 1)
    }
}

/// 2^(-i / 16) in units of 2^-64, short by less than 16 of them: roots of 1/2, floored, and their products.
fn power(i: usize) -> u128 {
    let (mut root, mut value) = (1u128 << (POWER_BITS - 1), 1u128 << POWER_BITS);
    for weight in [8, 4, 2, 1] {
        root = (root << POWER_BITS).isqrt();
        if i & weight != 0 {
            value = (value * root) >> POWER_BITS;
        }
    }
    if i == POINTS { 1 << (POWER_BITS - 1) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let e = Exponential::new(16).unwrap();
        // 2^18, 2^18 / 2^(1/16), 2^18 / √2, 2^17.
        assert_eq!([0, 1, 8, 16].map(|i| e.points[i]), [262_144, 251_030, 185_364, 131_072]);
        assert_eq!(
            [0, 1, 4095, 4096, 17 << 12, (17 << 12) + 256, 18 << 12].map(|u| e.at(u)),
            [65_535, 65_525, 32_774, 32_768, 1, 0, 0]
        );
        assert_eq!(e.at(i64::MAX), 0);
        assert_eq!(Exponential::new(7), Err(AttentionError::ProbabilityBits(7)));
        assert_eq!(Exponential::new(17), Err(AttentionError::ProbabilityBits(17)));
    }

    #[test]
    fn points_are_nearest_and_no_bit_that_is_lost_decides() {
        for p_bits in P_BITS {
            for (i, point) in Exponential::new(p_bits).unwrap().points.into_iter().enumerate() {
                let shift = POWER_BITS - p_bits - EXTRA_BITS - 1;
                assert_eq!((power(i) + 16) >> shift, power(i) >> shift, "{p_bits} bits, point {i}");
                let real = (-(i as f64) / 16.0).exp2() * f64::from(1 << (p_bits + 2));
                assert!((real - point as f64).abs() <= 0.5, "{p_bits} bits, point {i}: {point}, {real}");
            }
        }
    }

    #[test]
    fn it_falls_from_the_largest_to_zero_close_to_the_exponential() {
        for p_bits in P_BITS {
            let e = Exponential::new(p_bits).unwrap();
            let p: Vec<i64> = (0..=(i64::from(p_bits) + 2) << 12).map(|u| e.at(u)).collect();
            assert!(p.is_sorted_by(|a, b| a >= b));
            assert_eq!((p[0], p[p.len() - 1]), (e.most(), 0));
            assert!(e.least_of_maximum() >= 1 << (p_bits - 1));
            let last = (p_bits as usize + 1) << 12;
            assert_eq!((p[last], p[last + 1]), (1, 0));
            for (u, p) in p.iter().enumerate() {
                let real = (-(u as f64) / 4096.0).exp2() * f64::from(1 << p_bits);
                // The chord of a sixteenth of an octave is at most (ln2 / 16)² / 8 of its value above the curve.
                let limit = 1.01 + real * 2.4e-4;
                assert!((real - *p as f64).abs() <= limit, "{p_bits} bits, u = {u}: {p}, {real}");
            }
        }
    }
}
