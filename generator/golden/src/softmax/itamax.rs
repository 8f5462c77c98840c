//! `itamax`: the streaming softmax of pulp ITA (Islamoglu et al., ISLPED 2023), with its own sum and its own output.
//!
//! Source: `streamingPartialSoftmax` in PyITA/softmax.py of pulp-platform/ITA, without masks, and src/ita_softmax.sv, which
//! agree. An octave has 32 steps, so the scale is ln2 / 32. Differences become shifts by half-up(d / 32).

use super::row::Row;

/// Elements of a block.
pub const BLOCK: usize = 16;
/// log2 of the steps of an octave: B / 2^B for B = 8 bits. The Python model was later changed to one step; the paper and every
/// version of the hardware have 32.
const OCTAVE_BITS: u32 = 5;
/// (2^8 - 1)·2^8, the dividend of the inverse.
const DIVIDEND: u64 = 255 << 8;

/// half-up(d / 32).
fn octaves(d: u64) -> u64 {
    (d + (1 << (OCTAVE_BITS - 1))) >> OCTAVE_BITS
}

/// 2^8 >> half-up(d / 32).
pub fn at(d: u64) -> u64 {
    (1u64 << 8).checked_shr(octaves(d).min(64) as u32).unwrap_or(0)
}

/// Block by block the maximum M' = max(M, largest x); where it grew, the sum is shifted right by half-up((M' - M) / 32); then the
/// block's e(M' - x) are added. The exponentials returned count from the last maximum.
pub fn row(x: &[i64]) -> Row {
    let (mut max, mut sum) = (i64::from(i8::MIN), 0u64);
    for block in x.chunks(BLOCK) {
        let now = block.iter().copied().fold(max, i64::max);
        sum >>= octaves((now - max) as u64);
        sum += block.iter().map(|v| at((now - v) as u64)).sum::<u64>();
        max = now;
    }
    Row { e: x.iter().map(|v| at((max - v) as u64)).collect(), sum, octaves: vec![] }
}

/// y = floor(65280 / sum) >> half-up((max - x) / 32): 255 stands for one. As e = 2^8 >> k is a power of two or 0, the shift k is
/// read back from it; over 8 octaves both are 0.
///
/// The sum is at least 2^8, from the block that held the maximum, so y is at most 255.
pub fn finish(row: &Row) -> Vec<i64> {
    let inverse = DIVIDEND / row.sum;
    row.e.iter().map(|e| ((inverse * e) >> 8) as i64).collect()
}
