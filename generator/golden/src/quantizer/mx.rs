//! `mx`: blocks of elements with a shared power-of-two scale, the OCP Microscaling formats.

use bitlathe_spec::Rounding;

use super::QuantizerError;
use super::beats::Matrix;
use crate::rounding::{OutputFormat, saturate, shift_round};

/// Element formats of OCP MX v1.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Two's complement with six fraction bits, ±127/64.
    Int8,
    /// FP8: no infinity, one NaN, largest 448.
    E4m3,
    /// FP8: largest 57344.
    E5m2,
    /// FP6: largest 28.
    E3m2,
    /// FP6: largest 7.5.
    E2m3,
    /// FP4: largest 6.
    E2m1,
}

/// Fields of a small float.
#[derive(Clone, Copy)]
struct Float {
    exponent_bits: u32,
    mantissa_bits: u32,
    /// Largest finite magnitude, as a code.
    largest: i64,
}

impl Element {
    /// Every format, in the order of the documentation.
    pub const ALL: [Self; 6] = [Self::Int8, Self::E4m3, Self::E5m2, Self::E3m2, Self::E2m3, Self::E2m1];

    /// The name in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::Int8 => "int8",
            Self::E4m3 => "e4m3",
            Self::E5m2 => "e5m2",
            Self::E3m2 => "e3m2",
            Self::E2m3 => "e2m3",
            Self::E2m1 => "e2m1",
        }
    }

    /// Bits of a code.
    pub fn bits(self) -> u32 {
        self.float().map_or(8, |f| 1 + f.exponent_bits + f.mantissa_bits)
    }

    /// The exponent of the largest power of two that the format holds.
    pub fn emax(self) -> i64 {
        match self {
            Self::Int8 => 0,
            Self::E4m3 => 8,
            Self::E5m2 => 15,
            Self::E3m2 => 4,
            Self::E2m3 | Self::E2m1 => 2,
        }
    }

    /// What a code stands for before the block's scale; NaN and infinities of the FP8 formats included.
    pub fn value(self, code: u8) -> f64 {
        let Some(f) = self.float() else { return f64::from(code as i8) / 64.0 };
        let code = i64::from(code);
        let magnitude = code & ((1 << (self.bits() - 1)) - 1);
        let (exponent, mantissa) = (magnitude >> f.mantissa_bits, magnitude & ((1 << f.mantissa_bits) - 1));
        let significand = if exponent == 0 { mantissa } else { mantissa + (1 << f.mantissa_bits) };
        let scale = exponent.max(1) - 1 + f.exponent_min() - i64::from(f.mantissa_bits);
        let finite = significand as f64 * 2f64.powi(scale as i32);
        let value = match (magnitude <= f.largest, self, mantissa) {
            (true, ..) => finite,
            (false, Self::E5m2, 0) => f64::INFINITY,
            (false, ..) => f64::NAN,
        };
        if code >> (self.bits() - 1) & 1 == 1 { -value } else { value }
    }

    fn float(self) -> Option<Float> {
        let float = |exponent_bits, mantissa_bits, largest| Float { exponent_bits, mantissa_bits, largest };
        match self {
            Self::Int8 => None,
            Self::E4m3 => Some(float(4, 3, 0x7E)),
            Self::E5m2 => Some(float(5, 2, 0x7B)),
            Self::E3m2 => Some(float(3, 2, 0x1F)),
            Self::E2m3 => Some(float(2, 3, 0x1F)),
            Self::E2m1 => Some(float(2, 1, 0x07)),
        }
    }
}

impl Float {
    /// Exponent of the smallest normal number: 1 - bias.
    fn exponent_min(self) -> i64 {
        2 - (1 << (self.exponent_bits - 1))
    }
}

/// Per block of 32 (or another power of two) along a row, the last block of a row as long as it is: L = floor(log2 max |x|),
/// E = L - frac - emax + 127 as an E8M0 byte, elements half-even of x / 2^(L - emax), saturating. A block of zeros has
/// E = 0 and codes 0. x stands for x·2^-frac, so code · 2^(E - 127) approximates what x stands for.
///
/// E is in 48..=158, so neither end of E8M0 is reached and E = 0 marks zeros alone. Floats keep subnormals and the sign of
/// what rounds to zero; a magnitude over the largest finite becomes the largest finite. int8 saturates to ±127, as
/// the format's authors' library does: -128 is left unused.
///
/// OCP Microscaling Formats v1.0 (2023; Rouhani et al., arXiv 2310.10537). Integer input and frac are ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mx {
    /// Element format.
    pub element: Element,
    /// Elements that share a scale: 32 in OCP's formats; a power of two in 8..=256.
    pub block: usize,
    /// Fraction bits of x, 0..=64.
    pub frac: u32,
}

impl Mx {
    pub(super) fn check(&self) -> Result<(), QuantizerError> {
        if !(self.block.is_power_of_two() && (8..=256).contains(&self.block)) {
            return Err(QuantizerError::Block(self.block));
        }
        if self.frac > 64 { Err(QuantizerError::Fraction(self.frac)) } else { Ok(()) }
    }

    /// The codes, and E of every block.
    pub(super) fn run(&self, x: &Matrix) -> (Vec<i64>, Vec<i64>) {
        let mut codes = Vec::with_capacity(x.data.len());
        let mut exponents = Vec::new();
        for block in x.rows().flat_map(|row| row.chunks(self.block)) {
            let largest = block.iter().map(|v| v.abs()).max().filter(|&a| a > 0).map(floor_log2);
            exponents.push(largest.map_or(0, |l| l - i64::from(self.frac) - self.element.emax() + 127));
            codes.extend(block.iter().map(|&v| largest.map_or(0, |l| self.element.code(v, l))));
        }
        (codes, exponents)
    }
}

impl Element {
    /// The code of x / 2^(l - emax) as a tensor holds it, |x| < 2^(l+1).
    fn code(self, x: i64, l: i64) -> i64 {
        match self.float() {
            None => {
                let rounded = scaled(x.abs(), l - 6);
                saturate(i128::from(rounded * x.signum()), OutputFormat { bits: 8, narrow: true })
            }
            Some(f) => {
                let code = i64::from(x < 0) << (self.bits() - 1) | f.magnitude(x.abs(), l - self.emax());
                if self.bits() == 8 { i64::from(code as u8 as i8) } else { code }
            }
        }
    }
}

impl Float {
    /// The code of |x| / 2^unit without its sign.
    ///
    /// A float with the exponent d has steps of 2^(d - M). Counted in them x rounds to at most 2^(M+1), where the carry
    /// makes the code of the next exponent by itself.
    fn magnitude(self, x: i64, unit: i64) -> i64 {
        if x == 0 {
            return 0;
        }
        let exponent = (floor_log2(x) - unit).max(self.exponent_min());
        let steps = scaled(x, exponent - i64::from(self.mantissa_bits) + unit);
        (((exponent - self.exponent_min()) << self.mantissa_bits) + steps).min(self.largest)
    }
}

fn floor_log2(x: i64) -> i64 {
    x.ilog2().into()
}

/// half-even(x / 2^shift) of either sign of the shift.
fn scaled(x: i64, shift: i64) -> i64 {
    match u32::try_from(shift) {
        Ok(shift) => shift_round(x.into(), shift, Rounding::HalfEven, None) as i64,
        Err(_) => x << -shift,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::matrix;
    use super::super::{Inputs, Method, Quantizer};
    use super::*;
    use proptest::prelude::*;

    fn run(element: Element, block: usize, frac: u32, columns: usize, data: &[i64]) -> (Vec<i64>, Vec<i64>) {
        let core = Quantizer { input_bits: 32, lanes: 8, method: Method::Mx(Mx { element, block, frac }) };
        let mut out = core.run(&Inputs::of(&matrix(columns, data.to_vec()))).unwrap();
        let mut take = |name| out.remove(name).map(|t| t.data).unwrap();
        (take("y"), take("e"))
    }

    /// The code of the nearest finite value, ties to the even code, found among all codes.
    fn nearest(element: Element, v: f64) -> u8 {
        let magnitudes = (0..1u32 << (element.bits() - 1)).map(|c| c as u8).filter(|c| element.value(*c).is_finite());
        let distance = |c: u8| (element.value(c) - v.abs()).abs();
        let better = |a: u8, b: u8| match distance(a).total_cmp(&distance(b)) {
            std::cmp::Ordering::Less => a,
            std::cmp::Ordering::Greater => b,
            std::cmp::Ordering::Equal => {
                if a.is_multiple_of(2) {
                    a
                } else {
                    b
                }
            }
        };
        let code = magnitudes.reduce(better).unwrap();
        match element {
            Element::Int8 if v < 0.0 => code.wrapping_neg(),
            _ => code | u8::from(v.is_sign_negative()) << (element.bits() - 1),
        }
    }

    #[test]
    fn largest_finite_values_and_exponents() {
        let largest = [127.0 / 64.0, 448.0, 57_344.0, 28.0, 7.5, 6.0];
        for (element, largest) in Element::ALL.into_iter().zip(largest) {
            let finite = (0..1u32 << (element.bits() - 1)).map(|c| element.value(c as u8)).filter(|v| v.is_finite());
            assert_eq!(finite.reduce(f64::max), Some(largest), "{}", element.name());
            assert_eq!(largest.log2().floor(), element.emax() as f64, "{}", element.name());
        }
        assert!(Element::E4m3.value(0x7F).is_nan() && Element::E5m2.value(0xFC) == f64::NEG_INFINITY);
        assert_eq!((Element::E4m3.value(1), Element::E5m2.value(1)), (2f64.powi(-9), 2f64.powi(-16)));
    }

    #[test]
    fn blocks_by_hand() {
        // Block of 8: the largest magnitude 12 gives L = 3, E = 3 - 2 + 127 and elements x / 2.
        let (y, e) = run(Element::E2m1, 8, 0, 10, &[12, -12, 0, 1, 2, -1, 3, 5, -1, 0]);
        assert_eq!(e, [128, 125]);
        // 6, -6, 0, 0.5, 1, -0.5, 1.5, 2.5 (a tie: 2); then -1 / 2^-2 = -4 and 0.
        assert_eq!(y, [7, 15, 0, 1, 2, 9, 3, 4, 14, 0]);
    }

    #[test]
    fn zeros_extremes_and_saturation() {
        for element in Element::ALL {
            let (y, e) = run(element, 8, 3, 8, &[0; 16]);
            assert_eq!((y, e), (vec![0; 16], vec![0; 2]), "{}", element.name());
            // The lowest value is a power of two: exact. All ones lies over the largest code and saturates.
            let (y, e) = run(element, 8, 0, 2, &[i32::MIN.into(), i32::MAX.into()]);
            assert_eq!(e, [31 - element.emax() + 127]);
            let value = |c: i64| element.value(c as u8);
            assert_eq!(value(y[0]), -(2f64.powi(element.emax() as i32)), "{}", element.name());
            assert!(value(y[1]).is_finite());
            assert_eq!(
                y[1],
                i64::from(nearest(element, 2f64.powi(element.emax() as i32))),
                "2^31 - 1 is nearest to 2^31"
            );
            let (y, _) = run(element, 8, 0, 2, &[0x7FFF, -0x7FFF]);
            let largest = (0..128).map(value).filter(|v| v.is_finite()).fold(0.0, f64::max);
            assert_eq!((value(y[0]), value(y[1])), (largest, -largest), "{}", element.name());
        }
        assert_eq!(run(Element::Int8, 8, 0, 2, &[-0x7FFF, 0x7FFF]).0, [-127, 127]);
    }

    #[test]
    fn what_rounds_to_zero_keeps_its_sign() {
        assert_eq!(run(Element::E2m1, 8, 0, 3, &[1 << 20, -1, 1]).0, [6, 8, 0]);
        assert_eq!(run(Element::E4m3, 8, 0, 3, &[1 << 20, -1, 1]).0, [0x78, -128, 0]);
        assert_eq!(run(Element::Int8, 8, 0, 3, &[1 << 20, -1, 1]).0, [64, 0, 0]);
    }

    #[test]
    fn a_row_ends_its_block_and_fractions_move_the_exponent_alone() {
        let row: Vec<i64> = (0..80).map(|i: i64| ((i - 40) * 11) << (i / 32)).collect();
        let (whole, e) = run(Element::E3m2, 32, 0, 40, &row);
        assert_eq!(e.len(), 4);
        for (r, row) in row.chunks(40).enumerate() {
            for (b, block) in row.chunks(32).enumerate() {
                let (y, alone) = run(Element::E3m2, 32, 7, block.len(), block);
                assert_eq!((alone[0], &y[..]), (e[2 * r + b] - 7, &whole[40 * r + 32 * b..][..block.len()]));
            }
        }
    }

    /// Every value of 13 bits beside every largest element of a binade.
    #[test]
    fn every_small_value_becomes_the_nearest_code() {
        for element in Element::ALL {
            for l in [0, 1, 5, 9, 12] {
                let inside = (-(2i64 << l) + 1..2i64 << l).collect::<Vec<_>>();
                for values in inside.chunks(255) {
                    let block = [values, &[1i64 << l][..]].concat();
                    let (y, e) = run(element, 256, 0, block.len(), &block);
                    assert_eq!(e, [l - element.emax() + 127]);
                    for (x, code) in block.iter().zip(y) {
                        let v = *x as f64 / 2f64.powi((l - element.emax()) as i32);
                        assert_eq!(
                            code as u8 & 0xFF >> (8 - element.bits()),
                            nearest(element, v),
                            "{} {x} of {l}",
                            element.name()
                        );
                    }
                }
            }
        }
    }

    proptest! {
        #[test]
        fn wide_values_become_the_nearest_code(x in prop::collection::vec((any::<i32>(), 0u32..32), 1..32), n in 0usize..6) {
            let data: Vec<i64> = x.into_iter().map(|(v, s)| i64::from(v >> s)).collect();
            let element = Element::ALL[n];
            let (y, e) = run(element, 32, 0, data.len(), &data);
            let a = data.iter().map(|v| v.abs()).max().unwrap();
            prop_assert_eq!(e[0] == 0, a == 0);
            for (x, code) in data.iter().zip(y) {
                // -0 never stands in an integer tensor; 2^31 and eight fraction bits are exact in f64.
                let v = *x as f64 * 2f64.powi(127 - e[0] as i32);
                prop_assert_eq!(code as u8 & 0xFF >> (8 - element.bits()), if a == 0 { 0 } else { nearest(element, v) });
            }
        }
    }
}
