//! Rounding, saturation and requantization: how an exact integer becomes an output of few bits.

use bitlathe_spec::Rounding;

use crate::lfsr::Lfsr;

/// A random number r of b bits for stochastic rounding, standing for the fraction r / 2^b.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Random {
    /// r, less than 2^b.
    pub value: u32,
    /// b, at most 32; 0 adds nothing.
    pub bits: u32,
}

impl Random {
    /// What a requantizer lane draws for a shift: the min(shift, 16) most significant bits of its 16-bit LFSR.
    pub fn of_lane(lfsr: &Lfsr, shift: u32) -> Self {
        let bits = shift.min(16);
        Self { value: lfsr.top(bits), bits }
    }
}

/// The integer type of an output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputFormat {
    /// Width in two's complement, 1..=64.
    pub bits: u32,
    /// Leaves the most negative value out: -127..127 instead of -128..127.
    pub narrow: bool,
}

impl OutputFormat {
    /// Smallest and largest value.
    pub fn bounds(self) -> (i64, i64) {
        let max = i64::MAX >> (64 - self.bits);
        (if self.narrow { -max } else { -max - 1 }, max)
    }
}

/// `value / 2^shift` as an integer. Shift 0 rounds nothing.
///
/// # Panics
/// When `shift` is over 94, or the rounding is stochastic, the shift is not 0 and `random` is `None`.
pub fn shift_round(value: i128, shift: u32, rounding: Rounding, random: Option<Random>) -> i128 {
    assert!(shift <= 94, "shift {shift} is over 94");
    if shift == 0 {
        return value;
    }
    let floor = value >> shift;
    let remainder = value & ((1i128 << shift) - 1);
    let half = 1i128 << (shift - 1);
    let up = match rounding {
        Rounding::Floor => false,
        Rounding::HalfUp => remainder >= half,
        Rounding::HalfEven => remainder > half || (remainder == half && floor & 1 == 1),
        Rounding::HalfAway => remainder > half || (remainder == half && value >= 0),
        Rounding::Stochastic => {
            let Some(Random { value: r, bits }) = random else {
                panic!("stochastic rounding needs a random number");
            };
            // remainder / 2^shift + r / 2^bits >= 1, over the common denominator 2^(shift + bits)
            (remainder << bits) + (i128::from(r) << shift) >= 1i128 << (shift + bits)
        }
    };
    floor + i128::from(up)
}

/// The nearest value that the format holds.
pub fn saturate(value: i128, format: OutputFormat) -> i64 {
    let (min, max) = format.bounds();
    value.clamp(min.into(), max.into()) as i64
}

/// A scaled accumulator as an output: multiply, shift with rounding, add the zero point, saturate, in this order.
///
/// # Panics
/// As [`shift_round`].
pub fn requantize(
    acc: i64,
    mult: u16,
    shift: u32,
    zero_point: i64,
    format: OutputFormat,
    rounding: Rounding,
    random: Option<Random>,
) -> i64 {
    let product = i128::from(acc) * i128::from(mult);
    saturate(shift_round(product, shift, rounding, random) + i128::from(zero_point), format)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The definitions as rational arithmetic: floor((n·a + b) / c), by Euclidean division.
    fn by_definition(n: i128, shift: u32, rounding: Rounding, random: Random) -> i128 {
        let d = 1i128 << shift;
        let floor = |p: i128, q: i128| p.div_euclid(q);
        match rounding {
            _ if shift == 0 => n,
            Rounding::Floor => floor(n, d),
            Rounding::HalfUp => floor(2 * n + d, 2 * d),
            Rounding::HalfAway => n.signum() * floor(2 * n.abs() + d, 2 * d),
            Rounding::HalfEven => {
                let down = floor(n, d);
                let twice = 2 * (n - down * d);
                match twice.cmp(&d) {
                    std::cmp::Ordering::Less => down,
                    std::cmp::Ordering::Greater => down + 1,
                    std::cmp::Ordering::Equal => down + down.rem_euclid(2),
                }
            }
            Rounding::Stochastic => {
                let b = 1i128 << random.bits;
                floor(n * b + i128::from(random.value) * d, d * b)
            }
        }
    }

    #[test]
    fn small_values_exhaustively() {
        for rounding in Rounding::ALL {
            for shift in 0..6 {
                for value in -200..200 {
                    for r in 0..16 {
                        let random = Random { value: r, bits: 4 };
                        let expected = by_definition(value, shift, rounding, random);
                        assert_eq!(
                            shift_round(value, shift, rounding, Some(random)),
                            expected,
                            "{value} / 2^{shift} {rounding:?} {r}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn ties_by_name() {
        let at = |halves: i128, rounding| shift_round(halves, 1, rounding, None);
        // -2.5, -1.5, -0.5, 0.5, 1.5, 2.5
        let ties = [-5, -3, -1, 1, 3, 5];
        let all = |rounding| ties.map(|t| at(t, rounding));
        assert_eq!(all(Rounding::HalfEven), [-2, -2, 0, 0, 2, 2]);
        assert_eq!(all(Rounding::HalfUp), [-2, -1, 0, 1, 2, 3]);
        assert_eq!(all(Rounding::HalfAway), [-3, -2, -1, 1, 2, 3]);
        assert_eq!(all(Rounding::Floor), [-3, -2, -1, 0, 1, 2]);
    }

    #[test]
    fn stochastic_is_unbiased_over_all_random_numbers() {
        for value in -64i128..64 {
            let sum: i128 =
                (0..16).map(|r| shift_round(value, 4, Rounding::Stochastic, Some(Random { value: r, bits: 4 }))).sum();
            assert_eq!(sum, value);
        }
    }

    #[test]
    fn bounds_of_formats() {
        assert_eq!(OutputFormat { bits: 8, narrow: false }.bounds(), (-128, 127));
        assert_eq!(OutputFormat { bits: 8, narrow: true }.bounds(), (-127, 127));
        assert_eq!(OutputFormat { bits: 1, narrow: false }.bounds(), (-1, 0));
        assert_eq!(OutputFormat { bits: 64, narrow: false }.bounds(), (i64::MIN, i64::MAX));
    }

    #[test]
    fn zero_point_comes_before_saturation() {
        let int8 = OutputFormat { bits: 8, narrow: false };
        assert_eq!(requantize(400, 1, 1, -100, int8, Rounding::HalfEven, None), 100);
        assert_eq!(requantize(400, 1, 1, -60, int8, Rounding::HalfEven, None), 127);
        assert_eq!(requantize(-5, 1, 1, 1, int8, Rounding::HalfAway, None), -2);
        assert_eq!(requantize(-1000, 3, 2, 0, OutputFormat { bits: 8, narrow: true }, Rounding::Floor, None), -127);
    }

    proptest! {
        #[test]
        fn wide_values(value in -(1i128 << 70)..(1i128 << 70), shift in 0u32..=47, name in 0usize..5, r in 0u32..65_536) {
            let random = Random { value: r, bits: 16 };
            let rounding = Rounding::ALL[name];
            prop_assert_eq!(
                shift_round(value, shift, rounding, Some(random)),
                by_definition(value, shift, rounding, random)
            );
        }

        #[test]
        fn requantized_is_the_nearest_in_range(acc in any::<i32>(), mult in any::<u16>(), shift in 0u32..=47, zp in -128i64..128) {
            let format = OutputFormat { bits: 8, narrow: false };
            let got = requantize(acc.into(), mult, shift, zp, format, Rounding::HalfEven, None);
            // |2^shift (got - zp) - acc·mult| is at most half a step wherever the output did not saturate
            let error = ((i128::from(got - zp) << shift) - i128::from(acc) * i128::from(mult)).abs();
            let (min, max) = format.bounds();
            prop_assert!(2 * error <= 1i128 << shift || got == min || got == max);
            prop_assert!((min..=max).contains(&got));
        }
    }
}
