//! `ovp`: outlier-victim pairs in four bits an element.

use bitlathe_spec::Rounding;

use super::Inputs;
use super::beats::Matrix;
use super::rescale::multipliers;
use crate::arguments::{ArgumentError, shift_per_channel};
use crate::rounding::{OutputFormat, requantize};

/// Magnitudes of an outlier with the codes 1..=7: OliVe's 4-bit abfloat (two exponent bits, one mantissa bit, bias 2).
pub const OUTLIERS: [i64; 7] = [12, 16, 24, 32, 48, 64, 96];
/// The code that makes its neighbour an outlier and is itself worth zero.
pub const VICTIM: i64 = 0b1000;
/// Largest magnitude that is no outlier: 10 is nearer to 12 than to 7.
const NORMAL: i64 = 9;

/// v = half-even(x·m / 2^s) in units of the grid; m and s one for the tensor or one a channel.
///
/// Columns 2j and 2j+1 are a pair. |v| <= 9 is normal: sign and magnitude, saturated to 7, as {sign, magnitude}; zero
/// is 0000. A larger |v| is an outlier: {sign, code} of the nearest of [`OUTLIERS`], ties to the smaller, more than 96 as
/// 96. The partner of an outlier becomes [`VICTIM`]; of two outliers the left survives. The last column of an odd number has
/// no partner that could mark it, and is coded as normal whatever its magnitude. A code stands in the low four bits.
///
/// |x·m| < 2^47. OliVe (Guo et al., ISCA 2023), with its grid and its rule for two outliers (that of its released
/// simulator). Ours: sign and magnitude where OliVe has two's complement with -8 as the victim, the ties, the odd column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ovp {
    /// The constant shift, 0..=47; `None`: the input `shift` gives it.
    pub shift: Option<u32>,
}

impl Ovp {
    pub(super) fn run(&self, x: &Matrix, inputs: &Inputs<'_>) -> Result<Vec<i64>, ArgumentError> {
        let mult = multipliers(inputs, x.columns)?;
        let shift = shift_per_channel(self.shift, inputs.shift, x.columns)?;
        let grid = |(column, &value): (usize, &i64)| {
            let (m, s) = (mult.at(column) as u16, shift.at(column) as u32);
            requantize(value, m, s, 0, OutputFormat { bits: 64, narrow: false }, Rounding::HalfEven, None)
        };
        let mut codes = Vec::with_capacity(x.data.len());
        for row in x.rows() {
            let v: Vec<i64> = row.iter().enumerate().map(grid).collect();
            codes.extend(v.chunks(2).flat_map(encode));
        }
        Ok(codes)
    }
}

/// The codes of a pair, or of a last column alone.
fn encode(pair: &[i64]) -> Vec<i64> {
    match *pair {
        [left, _] if left.abs() > NORMAL => vec![outlier(left), VICTIM],
        [_, right] if right.abs() > NORMAL => vec![VICTIM, outlier(right)],
        _ => pair.iter().map(|&v| signed(v, v.abs().min(7))).collect(),
    }
}

fn outlier(v: i64) -> i64 {
    let passed = OUTLIERS.windows(2).filter(|w| 2 * v.abs() > w[0] + w[1]).count();
    signed(v, passed as i64 + 1)
}

fn signed(v: i64, magnitude: i64) -> i64 {
    i64::from(v < 0) << 3 | magnitude
}

/// What the codes of a pair stand for, in units of the grid; a last column alone is its code beside 0. No job gives two
/// victims; they are worth zero.
pub fn decode_pair(left: i64, right: i64) -> (i64, i64) {
    let sign = |code: i64| if code & 0b1000 == 0 { 1 } else { -1 };
    let normal = |code: i64| sign(code) * (code & 7);
    let large = |code: i64| match code & 7 {
        0 => 0,
        n => sign(code) * OUTLIERS[n as usize - 1],
    };
    match (left, right) {
        (VICTIM, _) => (0, large(right)),
        (_, VICTIM) => (large(left), 0),
        _ => (normal(left), normal(right)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{matrix, row, y};
    use super::super::{Method, Quantizer};
    use super::*;
    use bitlathe_spec::DType;

    fn run(columns: usize, data: Vec<i64>, mult: i64, shift: u32) -> Vec<i64> {
        let core = Quantizer { input_bits: 32, lanes: 2, method: Method::Ovp(Ovp { shift: Some(shift) }) };
        let mult = row(DType::U16, &[mult]);
        y(&core, &Inputs { mult: Some(&mult), ..Inputs::of(&matrix(columns, data)) })
    }

    #[test]
    fn pairs_by_hand() {
        let codes = run(4, vec![7, -8, 9, 0, 10, 3, -1, -96, 48, -64, i32::MIN.into(), i32::MAX.into()], 1, 0);
        assert_eq!(codes, [7, 15, 7, 0, 1, 8, 8, 15, 5, 8, 15, 8]);
    }

    #[test]
    fn the_grid_rounds_half_to_even_before_the_pairing() {
        // 19 / 2 = 9.5 becomes 10, an outlier; 17 / 2 = 8.5 becomes 8.
        assert_eq!(run(2, vec![19, 17, 17, -19], 1, 1), [1, 8, 8, 9]);
    }

    #[test]
    fn a_last_column_without_partner_is_normal() {
        assert_eq!(run(3, vec![1, 2, -50, 20, 1, 4], 1, 0), [1, 2, 15, 2, 8, 4]);
        assert_eq!(run(1, vec![1000, -3], 1, 0), [7, 11]);
    }

    /// Every pair of grid values: an outlier is decoded to the nearest of its magnitudes, its partner to zero.
    #[test]
    fn all_pairs_are_decoded_to_the_nearest_values() {
        let large = |v: i64| {
            let best = OUTLIERS.iter().min_by_key(|o| (2 * (*o - v.abs()).abs(), **o)).unwrap();
            best * v.signum()
        };
        let values: Vec<i64> = (-120..=120).collect();
        let pairs: Vec<i64> = values.iter().flat_map(|&l| values.iter().flat_map(move |&r| [l, r])).collect();
        let codes = run(2, pairs.clone(), 1, 0);
        for (pair, code) in pairs.chunks(2).zip(codes.chunks(2)) {
            let (l, r) = (pair[0], pair[1]);
            let expected = match (l.abs() > 9, r.abs() > 9) {
                (true, _) => (large(l), 0),
                (false, true) => (0, large(r)),
                _ => (l.clamp(-7, 7), r.clamp(-7, 7)),
            };
            assert_eq!(decode_pair(code[0], code[1]), expected, "{l} {r}");
            assert!(code.iter().all(|c| (0..16).contains(c)));
            assert_eq!(
                code.contains(&VICTIM),
                l.abs() > 9 || r.abs() > 9,
                "{l} {r}: the free code marks outliers alone"
            );
        }
    }

    #[test]
    fn wide_products_do_not_overflow() {
        assert_eq!(run(2, vec![i32::MIN.into(), 0, 0, i32::MAX.into()], 65_535, 0), [15, 8, 8, 7]);
        assert_eq!(run(2, vec![i32::MIN.into(), i32::MAX.into()], 65_535, 47), [9, 1], "a little less than ±1");
    }
}
