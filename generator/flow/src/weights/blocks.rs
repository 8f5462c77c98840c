//! The packed ternary layouts of GGUF: TQ1_0, TQ2_0 and two of the three called I2_S.

use bitlathe_cores::ModelTensor;
use half::f16;

use super::error::WeightProblem;
use super::options::I2sLayout;

/// Weights in a block of TQ1_0 and TQ2_0.
pub const BLOCK: usize = 256;

/// A layout of 256 weights and one fp16 scale at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockLayout {
    /// 54 bytes: qs[48] with five trits each, qh[4] with four trits each.
    Tq1_0,
    /// 66 bytes: qs[64] with four two-bit codes each.
    Tq2_0,
}

impl BlockLayout {
    /// The name in GGUF.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tq1_0 => "TQ1_0",
            Self::Tq2_0 => "TQ2_0",
        }
    }

    /// Bytes in a block.
    pub fn bytes(self) -> usize {
        match self {
            Self::Tq1_0 => 54,
            Self::Tq2_0 => 66,
        }
    }

    /// Weight `e` of a block, as -1, 0, 1, or 2 for the two-bit code that is no weight.
    fn weight(self, block: &[u8], e: usize) -> i8 {
        match self {
            Self::Tq1_0 => {
                let (byte, digit) = match e {
                    ..160 => (block[e % 32], e / 32),
                    160..240 => (block[32 + (e - 160) % 16], (e - 160) / 16),
                    _ => (block[48 + (e - 240) % 4], (e - 240) / 4),
                };
                trit(byte, digit)
            }
            Self::Tq2_0 => {
                let (h, l, m) = (e / 128, e % 128 / 32, e % 32);
                (block[32 * h + m] >> (2 * l) & 3) as i8 - 1
            }
        }
    }
}

/// Digit `n` of a byte ceil(q · 256 / 243), the most significant of q's base-3 digits first, as a weight.
fn trit(byte: u8, n: usize) -> i8 {
    const POWERS: [u8; 5] = [1, 3, 9, 27, 81];
    let fraction = byte.wrapping_mul(POWERS[n]);
    ((3 * u16::from(fraction)) >> 8) as i8 - 1
}

/// Decodes rows of blocks. `bytes` holds exactly `shape[0] · shape[1] / 256` blocks.
pub fn decode_blocks(
    tensor: &str,
    layout: BlockLayout,
    shape: [usize; 2],
    bytes: &[u8],
) -> Result<ModelTensor, WeightProblem> {
    let [rows, columns] = shape;
    let mut data = Vec::with_capacity(rows * columns);
    let mut scales = Vec::with_capacity(rows);
    for (row, row_bytes) in bytes.chunks_exact(columns / BLOCK * layout.bytes()).enumerate() {
        let mut row_scale = None;
        for (block, block_bytes) in row_bytes.chunks_exact(layout.bytes()).enumerate() {
            let start = data.len();
            data.extend((0..BLOCK).map(|e| layout.weight(block_bytes, e)));
            let weights = &mut data[start..];
            check_weights(tensor, row, block * BLOCK, weights)?;
            let scale = block_scale(tensor, row, block, block_bytes)?;
            if scale == 0.0 {
                weights.fill(0);
            }
            if weights.iter().any(|w| *w != 0) {
                let expected = *row_scale.get_or_insert(scale);
                if scale != expected {
                    let (first, last) = (block * BLOCK, block * BLOCK + BLOCK - 1);
                    let tensor = tensor.into();
                    return Err(WeightProblem::UnequalScales { tensor, row, block, first, last, got: scale, expected });
                }
            }
        }
        scales.push(row_scale);
    }
    let (scale, mut notes) = fill_zero_rows(&scales);
    notes.insert(0, format!("{}: one scale a row, equal in all its blocks", layout.name()));
    Ok(ModelTensor::Ternary { shape, data, scale, notes })
}

fn check_weights(tensor: &str, row: usize, first: usize, weights: &[i8]) -> Result<(), WeightProblem> {
    match weights.iter().position(|w| *w > 1) {
        Some(place) => {
            let value = weights[place].into();
            Err(WeightProblem::NotTernary { tensor: tensor.into(), row, column: first + place, value })
        }
        None => Ok(()),
    }
}

fn block_scale(tensor: &str, row: usize, block: usize, bytes: &[u8]) -> Result<f32, WeightProblem> {
    let end = bytes.len();
    let value = f16::from_le_bytes([bytes[end - 2], bytes[end - 1]]).to_f32();
    if value.is_finite() {
        Ok(value)
    } else {
        Err(WeightProblem::BlockScale { tensor: tensor.into(), row, block, value })
    }
}

/// A row of zeros has no scale of its own and takes the first that another row has, or 1.
fn fill_zero_rows(scales: &[Option<f32>]) -> (Vec<f32>, Vec<String>) {
    let stand_in = scales.iter().flatten().next().copied().unwrap_or(1.0);
    let zero_rows = scales.iter().filter(|s| s.is_none()).count();
    let mut notes = Vec::new();
    if zero_rows > 0 {
        notes.push(format!("{zero_rows} rows are all zero; they take the scale {stand_in:e}"));
    }
    (scales.iter().map(|s| s.unwrap_or(stand_in)).collect(), notes)
}

impl I2sLayout {
    /// Weights in a block.
    pub fn block(self) -> usize {
        match self {
            Self::X86 => 128,
            Self::Arm => 64,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86",
            Self::Arm => "ARM",
        }
    }
}

/// Bytes of an I2_S tensor up to the end of its scale: four weights a byte, then one fp32.
pub fn i2s_bytes(weights: u64) -> u64 {
    weights / 4 + 4
}

/// Decodes I2_S: quarter g of a block lies in bits 7-2g:6-2g of the block's bytes; code - 1 is the weight.
pub fn decode_i2s(
    tensor: &str,
    layout: I2sLayout,
    shape: [usize; 2],
    bytes: &[u8],
) -> Result<ModelTensor, WeightProblem> {
    let [rows, columns] = shape;
    let quarter = layout.block() / 4;
    let (codes, scale_bytes) = bytes.split_at(rows * columns / 4);
    let mut data = Vec::with_capacity(rows * columns);
    for block in codes.chunks_exact(quarter) {
        for shift in [6, 4, 2, 0] {
            data.extend(block.iter().map(|byte| (byte >> shift & 3) as i8 - 1));
        }
    }
    if let Some(place) = data.iter().position(|w| *w > 1) {
        let (row, column, value) = (place / columns, place % columns, data[place].into());
        return Err(WeightProblem::NotTernary { tensor: tensor.into(), row, column, value });
    }
    let scale = scale_bytes.iter().rev().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
    let scale = f32::from_bits(scale);
    if !(scale.is_finite() && scale > 0.0) {
        let fault = format!("is {scale}");
        return Err(WeightProblem::BadScale { scale: format!("{tensor} (the scale after its codes)"), fault });
    }
    let note = format!("I2_S in the {} layout, one scale for the matrix", layout.name());
    Ok(ModelTensor::Ternary { shape, data, scale: vec![scale; rows], notes: vec![note] })
}
