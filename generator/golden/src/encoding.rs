//! The four codes of a ternary weight stream: groups of {-1, 0, 1} as few bits, and back.

use thiserror::Error;

/// A code for groups of ternary weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// One weight in two bits, two's complement; `10` is illegal.
    Trit2,
    /// Three weights in five bits: v = 9·w0 + 3·w1 + w2, bit 4 its sign, bits 3:0 its magnitude (0..=13).
    Index5,
    /// Five weights in a byte: Σ (w_j + 1)·3^j; 243..=255 are illegal.
    Byte5,
    /// Four weights of which exactly one is zero in five bits: bit 4 the sign of the first nonzero weight, bits 3:2 the
    /// place of the zero, bit 1 and bit 0 whether the second and third nonzero weight differ in sign from the first.
    Sherry5,
}

/// Weights that have no code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum EncodeError {
    #[error("weight {value} at position {position} is not -1, 0 or 1")]
    NotTernary { position: usize, value: i8 },
    #[error("a group of {encoding} holds at most {max} weights, not {got}", encoding = encoding.name())]
    TooMany { encoding: Encoding, max: usize, got: usize },
    #[error("sherry5 needs exactly one zero in each group of four weights, this group has {zeros}")]
    Pattern { zeros: usize },
}

/// A group of a matrix that breaks the 3:4 pattern of `sherry5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "row {row}, columns {first}..={last}: sherry5 needs exactly one zero in each group of four weights, this group has \
     {zeros}; prune to the 3:4 pattern or take the encoding index5, byte5 or trit2"
)]
pub struct PatternError {
    /// Row of the matrix.
    pub row: usize,
    /// First column of the group.
    pub first: usize,
    /// Last column of the group that lies in the matrix.
    pub last: usize,
    /// Zeros found.
    pub zeros: usize,
}

impl Encoding {
    /// Every code, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Trit2, Self::Index5, Self::Byte5, Self::Sherry5];

    /// The name in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trit2 => "trit2",
            Self::Index5 => "index5",
            Self::Byte5 => "byte5",
            Self::Sherry5 => "sherry5",
        }
    }

    /// The code of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.name() == name)
    }

    /// Weights in one code.
    pub fn group(self) -> usize {
        match self {
            Self::Trit2 => 1,
            Self::Index5 => 3,
            Self::Byte5 => 5,
            Self::Sherry5 => 4,
        }
    }

    /// Bits of one code.
    pub fn code_bits(self) -> u32 {
        match self {
            Self::Trit2 => 2,
            Self::Index5 | Self::Sherry5 => 5,
            Self::Byte5 => 8,
        }
    }

    /// The code of a group. A slice shorter than [`Encoding::group`] is padded: with zeros, or for `sherry5` so that the
    /// group has exactly one zero (a zero where the weights have none, then ones).
    pub fn encode(self, weights: &[i8]) -> Result<u8, EncodeError> {
        let group = self.group();
        if weights.len() > group {
            return Err(EncodeError::TooMany { encoding: self, max: group, got: weights.len() });
        }
        if let Some(position) = weights.iter().position(|w| !(-1..=1).contains(w)) {
            return Err(EncodeError::NotTernary { position, value: weights[position] });
        }
        let mut whole = [0i8; 5];
        whole[..weights.len()].copy_from_slice(weights);
        match self {
            Self::Trit2 => Ok(whole[0] as u8 & 0b11),
            Self::Index5 => Ok(encode_index5(&whole)),
            Self::Byte5 => Ok(whole.iter().rev().fold(0, |code, w| code * 3 + (w + 1) as u8)),
            Self::Sherry5 => encode_sherry5(&whole, weights.len()),
        }
    }

    /// The code of a whole group in which padding is already zero, as a stream's walk delivers it.
    ///
    /// For `sherry5` every zero after the first is taken for padding and becomes a one; that a matrix has the pattern is
    /// checked beforehand by [`check_three_four`].
    pub fn encode_zero_padded(self, weights: &[i8]) -> Result<u8, EncodeError> {
        if self != Self::Sherry5 {
            return self.encode(weights);
        }
        let mut zeros = 0;
        let filled: Vec<i8> = weights
            .iter()
            .map(|&w| {
                zeros += usize::from(w == 0);
                if w == 0 && zeros > 1 { 1 } else { w }
            })
            .collect();
        self.encode(&filled)
    }

    /// The weights of a code; `None` for an illegal one, which hardware counts as zeros.
    pub fn decode(self, code: u8) -> Option<Vec<i8>> {
        if u32::from(code) >> self.code_bits() != 0 {
            return None;
        }
        match self {
            Self::Trit2 => match code {
                0b00 => Some(vec![0]),
                0b01 => Some(vec![1]),
                0b11 => Some(vec![-1]),
                _ => None,
            },
            Self::Index5 => decode_index5(code),
            Self::Byte5 => decode_byte5(code),
            Self::Sherry5 => Some(decode_sherry5(code)),
        }
    }
}

/// Checks that every row of a row-major matrix has the 3:4 pattern. Groups start anew every `slab` columns (the columns of
/// one beat), and the last group of a slab or row may be short, with one zero at most.
pub fn check_three_four(weights: &[i8], columns: usize, slab: usize) -> Result<(), PatternError> {
    for (row, values) in weights.chunks(columns.max(1)).enumerate() {
        for (index, part) in values.chunks(slab.max(1)).enumerate() {
            for (place, group) in part.chunks(4).enumerate() {
                let zeros = group.iter().filter(|w| **w == 0).count();
                if zeros > 1 || (zeros == 0 && group.len() == 4) {
                    let first = index * slab.max(1) + 4 * place;
                    return Err(PatternError { row, first, last: first + group.len() - 1, zeros });
                }
            }
        }
    }
    Ok(())
}

fn encode_index5(w: &[i8; 5]) -> u8 {
    let v = 9 * w[0] + 3 * w[1] + w[2];
    (u8::from(v < 0) << 4) | v.unsigned_abs()
}

fn decode_index5(code: u8) -> Option<Vec<i8>> {
    let (negative, magnitude) = (code >> 4 == 1, (code & 15) as i8);
    if magnitude > 13 || (negative && magnitude == 0) {
        return None;
    }
    let v = if negative { -magnitude } else { magnitude };
    // Balanced ternary: adding 13 = 9 + 3 + 1 makes every digit 0..=2.
    let digits = v + 13;
    Some(vec![digits / 9 - 1, digits / 3 % 3 - 1, digits % 3 - 1])
}

fn decode_byte5(code: u8) -> Option<Vec<i8>> {
    let mut rest = code;
    let weights = (0..5)
        .map(|_| {
            let digit = rest % 3;
            rest /= 3;
            digit as i8 - 1
        })
        .collect();
    (rest == 0).then_some(weights)
}

fn encode_sherry5(weights: &[i8; 5], given: usize) -> Result<u8, EncodeError> {
    let mut group = [weights[0], weights[1], weights[2], weights[3]];
    let zeros = group[..given].iter().filter(|w| **w == 0).count();
    group[given..].fill(1);
    if zeros == 0 && given < 4 {
        group[given] = 0;
    } else if zeros != 1 {
        return Err(EncodeError::Pattern { zeros });
    }
    let mut zero = 0;
    let mut nonzero = [0i8; 3];
    let mut found = 0;
    for (place, &w) in group.iter().enumerate() {
        if w == 0 {
            zero = place as u8;
        } else {
            nonzero[found] = w;
            found += 1;
        }
    }
    let differs = |n: usize| u8::from(nonzero[n] != nonzero[0]);
    Ok((u8::from(nonzero[0] < 0) << 4) | (zero << 2) | (differs(1) << 1) | differs(2))
}

fn decode_sherry5(code: u8) -> Vec<i8> {
    let first = if code & 16 == 0 { 1 } else { -1 };
    let sign = |bit: u8| if code >> bit & 1 == 0 { first } else { -first };
    let mut weights = vec![first, sign(1), sign(0)];
    weights.insert(usize::from(code >> 2 & 3), 0);
    weights
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// All ternary groups of a length, first weight varying slowest.
    fn groups(length: u32) -> impl Iterator<Item = Vec<i8>> {
        (0..3i32.pow(length)).map(move |n| (0..length).rev().map(|j| (n / 3i32.pow(j) % 3 - 1) as i8).collect())
    }

    fn is_three_four(w: &[i8]) -> bool {
        w.iter().filter(|v| **v == 0).count() == 1
    }

    #[test]
    fn every_group_survives_and_every_other_code_is_illegal() {
        for encoding in Encoding::ALL {
            let mut codes = BTreeMap::new();
            for w in groups(encoding.group() as u32) {
                if encoding == Encoding::Sherry5 && !is_three_four(&w) {
                    assert!(matches!(encoding.encode(&w), Err(EncodeError::Pattern { .. })), "{w:?}");
                    continue;
                }
                let code = encoding.encode(&w).unwrap();
                assert_eq!(encoding.encode_zero_padded(&w), Ok(code));
                assert_eq!(codes.insert(code, w), None, "two groups share code {code} of {encoding:?}");
            }
            for code in 0..=u8::MAX {
                assert_eq!(encoding.decode(code), codes.get(&code).cloned(), "{encoding:?} {code}");
            }
            let legal = match encoding {
                Encoding::Trit2 => 3,
                Encoding::Index5 => 27,
                Encoding::Byte5 => 243,
                Encoding::Sherry5 => 32,
            };
            assert_eq!(codes.len(), legal);
        }
    }

    #[test]
    fn codes_by_hand() {
        use Encoding::*;
        for (encoding, weights, code) in [
            (Trit2, &[-1][..], 0b11),
            (Trit2, &[1], 0b01),
            (Index5, &[1, 1, 1], 0b0_1101),
            (Index5, &[-1, 0, 1], 0b1_1000),
            (Index5, &[0, 0, 0], 0),
            (Byte5, &[0, 0, 0, 0, 0], 121),
            (Byte5, &[1, -1, -1, -1, -1], 2),
            (Byte5, &[-1, -1, -1, -1, 1], 162),
            (Sherry5, &[0, 1, 1, 1], 0b0_00_00),
            (Sherry5, &[-1, 0, -1, 1], 0b1_01_01),
            (Sherry5, &[1, -1, 1, 0], 0b0_11_10),
        ] {
            assert_eq!(encoding.encode(weights), Ok(code), "{encoding:?} {weights:?}");
        }
    }

    #[test]
    fn illegal_codes_by_hand() {
        assert_eq!(Encoding::Trit2.decode(0b10), None);
        for code in [0b0_1110, 0b0_1111, 0b1_0000, 0b1_1110, 0b1_1111, 0b10_0000] {
            assert_eq!(Encoding::Index5.decode(code), None, "{code:#b}");
        }
        assert!((243..=255).all(|code| Encoding::Byte5.decode(code).is_none()));
    }

    #[test]
    fn padding_keeps_the_weights_and_the_pattern() {
        for encoding in Encoding::ALL {
            for length in 0..encoding.group() {
                for w in groups(length as u32) {
                    let zeros = w.iter().filter(|v| **v == 0).count();
                    if encoding == Encoding::Sherry5 && zeros > 1 {
                        assert_eq!(encoding.encode(&w), Err(EncodeError::Pattern { zeros }));
                        continue;
                    }
                    let code = encoding.encode(&w).unwrap();
                    let back = encoding.decode(code).unwrap();
                    assert_eq!(back[..length], w);
                    let mut zero_padded = w.clone();
                    zero_padded.resize(encoding.group(), 0);
                    assert_eq!(encoding.encode_zero_padded(&zero_padded), Ok(code), "{encoding:?} {w:?}");
                }
            }
        }
    }

    #[test]
    fn refusals() {
        assert_eq!(Encoding::Trit2.encode(&[2]), Err(EncodeError::NotTernary { position: 0, value: 2 }));
        assert_eq!(Encoding::Sherry5.encode(&[1, 0, -3]), Err(EncodeError::NotTernary { position: 2, value: -3 }));
        let many = Encoding::Index5.encode(&[0; 4]).unwrap_err();
        assert_eq!(many.to_string(), "a group of index5 holds at most 3 weights, not 4");
        assert_eq!(Encoding::from_name("byte5"), Some(Encoding::Byte5));
        assert_eq!(Encoding::from_name("byte6"), None);
    }

    #[test]
    fn pattern_errors_name_the_place() {
        let good = [1, 0, -1, 1, /**/ 1, 1, /* next row */ 0, 1, 1, 1, /**/ 0, 1];
        assert_eq!(check_three_four(&good, 6, 8), Ok(()));
        let mut bad = good;
        bad[11] = 0;
        assert_eq!(check_three_four(&bad, 6, 8), Err(PatternError { row: 1, first: 4, last: 5, zeros: 2 }));
        bad = good;
        bad[1] = -1;
        assert_eq!(check_three_four(&bad, 6, 8), Err(PatternError { row: 0, first: 0, last: 3, zeros: 0 }));
        // Slabs of six columns start a new group at column 6.
        let row = [1, 0, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0];
        assert_eq!(check_three_four(&row, 12, 6), Ok(()));
        assert_eq!(check_three_four(&row, 12, 12).unwrap_err().first, 8);
    }
}
