//! Real scales as integer pairs: S ≈ m / 2^s, m of 16 bits. The one place where such a pair is chosen.

use thiserror::Error;

/// Largest shift of a requantizer.
pub const MAX_SHIFT: u32 = 47;

/// A scale m / 2^s with how far it is from the real one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dyadic {
    /// m.
    pub mult: u16,
    /// s, 0..=47.
    pub shift: u32,
    /// |m / 2^s - S| / S.
    pub relative_error: f64,
}

/// A scale that has no pair.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum DyadicError {
    #[error("scale {0} is not a positive, finite number")]
    NotPositive(f64),
    #[error("shift {0} is outside 0..=47")]
    Shift(u32),
    #[error("scale {scale:e} with the constant shift {shift} is outside {min:e} to {max:e}; {help}")]
    Constant { scale: f64, shift: u32, min: f64, max: f64, help: ConstantHelp },
    #[error("scale {scale:e} is outside 2^-32 to 65535, which 16 bits with a shift of 0 to 47 can hold")]
    Runtime { scale: f64 },
}

/// What to do about a scale that a constant shift cannot express.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum ConstantHelp {
    /// This constant shift keeps 16 significant bits.
    Use(u32),
    /// No shift does.
    None,
}

impl std::fmt::Display for ConstantHelp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Use(shift) => write!(f, "a shift of {shift} holds it with 16 bits"),
            Self::None => write!(f, "no shift in 0..=47 holds it with 16 bits"),
        }
    }
}

/// The pair with a given constant shift: m = half-even(S · 2^shift), any of 1..=65535.
pub fn dyadic_constant_shift(scale: f64, shift: u32) -> Result<Dyadic, DyadicError> {
    check_positive(scale)?;
    if shift > MAX_SHIFT {
        return Err(DyadicError::Shift(shift));
    }
    let mult = round_scaled(scale, shift);
    if (1.0..=65_535.0).contains(&mult) {
        return Ok(pair(scale, mult, shift));
    }
    let step = power_of_two(-(shift as i32));
    let help = dyadic_runtime(scale).map_or(ConstantHelp::None, |d| ConstantHelp::Use(d.shift));
    Err(DyadicError::Constant { scale, shift, min: step, max: 65_535.0 * step, help })
}

/// The pair for a run-time shift: m normalised (32768..=65535), s in 0..=47. An m that rounds to 65536 renormalises.
pub fn dyadic_runtime(scale: f64) -> Result<Dyadic, DyadicError> {
    check_positive(scale)?;
    // Shift 48 is tried too: its m may round to 65536, which is 32768 with shift 47.
    for shift in 0..=MAX_SHIFT + 1 {
        let mult = round_scaled(scale, shift);
        if mult > 65_536.0 {
            break;
        }
        if mult == 65_536.0 && shift > 0 {
            return Ok(pair(scale, 32_768.0, shift - 1));
        }
        if (32_768.0..65_536.0).contains(&mult) && shift <= MAX_SHIFT && scale * power_of_two(shift as i32) >= 32_768.0
        {
            return Ok(pair(scale, mult, shift));
        }
    }
    Err(DyadicError::Runtime { scale })
}

fn check_positive(scale: f64) -> Result<(), DyadicError> {
    if scale.is_finite() && scale > 0.0 { Ok(()) } else { Err(DyadicError::NotPositive(scale)) }
}

/// half-even(S · 2^shift); the product is exact because the factor is a power of two.
fn round_scaled(scale: f64, shift: u32) -> f64 {
    (scale * power_of_two(shift as i32)).round_ties_even()
}

fn power_of_two(exponent: i32) -> f64 {
    2f64.powi(exponent)
}

fn pair(scale: f64, mult: f64, shift: u32) -> Dyadic {
    let value = mult * power_of_two(-(shift as i32));
    Dyadic { mult: mult as u16, shift, relative_error: ((value - scale) / scale).abs() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn exact_scales() {
        let one = dyadic_runtime(1.0).unwrap();
        assert_eq!((one.mult, one.shift, one.relative_error), (32_768, 15, 0.0));
        let d = dyadic_constant_shift(3.0 / 1024.0, 10).unwrap();
        assert_eq!((d.mult, d.shift, d.relative_error), (3, 10, 0.0));
    }

    #[test]
    fn rounding_to_two_to_the_sixteen_renormalises() {
        let almost = 1.0 - 2f64.powi(-20);
        let d = dyadic_runtime(almost).unwrap();
        assert_eq!((d.mult, d.shift), (32_768, 15));
        // The same at the lower end: only by renormalising does it fit.
        let d = dyadic_runtime(2f64.powi(-32) * almost).unwrap();
        assert_eq!((d.mult, d.shift), (32_768, 47));
    }

    #[test]
    fn ends_of_the_range() {
        assert_eq!(dyadic_runtime(65_535.0).map(|d| (d.mult, d.shift)), Ok((65_535, 0)));
        assert_eq!(dyadic_runtime(65_535.4).map(|d| (d.mult, d.shift)), Ok((65_535, 0)));
        assert!(matches!(dyadic_runtime(65_535.5), Err(DyadicError::Runtime { .. })));
        assert!(matches!(dyadic_runtime(2f64.powi(-32) * 0.999), Err(DyadicError::Runtime { .. })));
        assert_eq!(dyadic_constant_shift(65_535.0, 0).map(|d| d.mult), Ok(65_535));
        assert!(dyadic_constant_shift(65_536.0, 0).is_err());
        assert!(dyadic_constant_shift(0.5, 0).is_err(), "half rounds to an even zero");
    }

    #[test]
    fn refusals_name_a_way_out() {
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(matches!(dyadic_runtime(bad), Err(DyadicError::NotPositive(_))));
            assert!(matches!(dyadic_constant_shift(bad, 24), Err(DyadicError::NotPositive(_))));
        }
        let text = dyadic_constant_shift(1.0, 24).unwrap_err().to_string();
        assert!(text.contains("a shift of 15 holds it"), "{text}");
        assert_eq!(dyadic_constant_shift(1.0, 48), Err(DyadicError::Shift(48)));
        assert!(dyadic_constant_shift(f64::MIN_POSITIVE, 47).is_err());
        assert!(dyadic_runtime(f64::MAX).is_err());
    }

    proptest! {
        #[test]
        fn runtime_pairs_are_normalised_and_close(exponent in -31i32..15, fraction in 1.0f64..2.0) {
            let scale = fraction * 2f64.powi(exponent);
            let d = dyadic_runtime(scale).unwrap();
            prop_assert!(d.mult >= 32_768 && d.shift <= 47);
            prop_assert!(d.relative_error <= 2f64.powi(-16));
            // No other normalised pair is closer.
            let error = |m: f64, s: u32| (m / 2f64.powi(s as i32) - scale).abs();
            let own = error(d.mult.into(), d.shift);
            for s in d.shift.saturating_sub(1)..=(d.shift + 1).min(47) {
                let near = (scale * 2f64.powi(s as i32)).floor();
                for m in [near, near + 1.0] {
                    prop_assert!(!(32_768.0..=65_535.0).contains(&m) || own <= error(m, s));
                }
            }
        }

        #[test]
        fn constant_pairs_are_nearest(mult in 1u16.., shift in 0u32..=47, off in -0.49f64..0.49) {
            let scale = (f64::from(mult) + off) / 2f64.powi(shift as i32);
            let d = dyadic_constant_shift(scale, shift).unwrap();
            prop_assert_eq!((d.mult, d.shift), (mult, shift));
        }
    }
}
