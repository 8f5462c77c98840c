//! Every number that the hardware of `flash-attention` depends on, and the latencies that the schedule is made of.

use bitlathe_hdl::clog2;

use super::accumulate;
use super::array::{cell, select};
use super::{logit, output, probability};

/// Parts in which the rows of a block leave: one output lane serves so many rows.
pub const PARTS: i64 = 4;
/// Bits of a correction shift; the largest stands for all beyond.
pub const DROP_BITS: i64 = 6;
/// Fraction bits of a logit.
pub const LOGIT_BITS: i64 = 12;
/// Fraction bits of sums beyond those of a probability.
pub const GUARD_BITS: i64 = 8;

/// Every number that the hardware depends on.
#[derive(Clone, Debug)]
pub struct Hardware {
    /// Name of the top module.
    pub top: String,
    /// N: rows and columns of the array, queries of a block, keys of a tile.
    pub n: i64,
    /// Most columns of a head.
    pub d_max: i64,
    /// Most queries or keys of a head.
    pub l_max: i64,
    /// Most query heads.
    pub heads_max: i64,
    /// Blocks of queries that one walk over the keys serves.
    pub resident: i64,
    /// Whether jobs may be masked.
    pub causal: bool,
    /// Bits of q, k and v.
    pub bits: i64,
    /// Bits of a probability.
    pub p_bits: i64,
    /// Bits of an output.
    pub out_bits: i64,
    /// Fraction bits of an output beyond those of an input.
    pub gain: i64,
    /// Bits of S.
    pub score_bits: i64,
    /// Bits of M.
    pub octave_bits: i64,
    /// Bits of l.
    pub sum_bits: i64,
    /// Bits of the least l at the end of a row.
    pub least_sum_bits: i64,
    /// Bits of O.
    pub weighted_bits: i64,
    /// C and r of every number of columns, 1 to `d_max`.
    pub scales: Vec<(u64, i64)>,
    /// `IMPL` of the cells.
    pub cell_implementation: i64,
    /// `IMPL` of other vendor macros.
    pub implementation: i64,
    /// Whether synthesis may put the products of cells into DSP blocks.
    pub infers_dsp: bool,
}

impl Hardware {
    /// Least and largest r.
    pub fn shifts(&self) -> (i64, i64) {
        let shifts = || self.scales.iter().map(|s| s.1);
        (shifts().min().unwrap_or(0), shifts().max().unwrap_or(0))
    }

    /// Bits of t.
    pub fn logit_bits(&self) -> i64 {
        self.octave_bits + LOGIT_BITS
    }

    /// Bits of a row's sum of products of a tile.
    pub fn product_bits(&self) -> i64 {
        self.p_bits + self.bits + clog2(self.n)
    }

    /// Bits of a tile's sum of probabilities.
    pub fn tile_bits(&self) -> i64 {
        self.p_bits + clog2(self.n)
    }

    /// Bits of a cell's sum: those of its block, or of the widest sum.
    pub fn cell_bits(&self) -> i64 {
        if self.cell_implementation == 0 { self.score_bits.max(self.product_bits()) } else { cell::BLOCK_BITS }
    }

    /// Most leading zeros of l.
    pub fn most_zeros(&self) -> i64 {
        self.sum_bits - self.least_sum_bits
    }

    /// Output lanes: elements of a beat of o.
    pub fn output_lanes(&self) -> i64 {
        self.n / PARTS
    }

    /// Bits that count columns.
    pub fn column_bits(&self) -> i64 {
        clog2(self.d_max + 1)
    }

    /// Address bits of a column.
    pub fn place_bits(&self) -> i64 {
        clog2(self.d_max).max(1)
    }

    /// Bits that number the blocks of both banks: one is at work, one leaves.
    pub fn slot_bits(&self) -> i64 {
        1 + clog2(self.resident)
    }

    /// Bits of the address of O.
    pub fn address_bits(&self) -> i64 {
        self.slot_bits() + self.place_bits()
    }

    /// Bits of a number of keys that a row sees from a tile on, which may be negative.
    pub fn reach_bits(&self) -> i64 {
        clog2(self.l_max + 1) + 2
    }

    /// Bits of the address of l: block and row.
    pub fn sum_address_bits(&self) -> i64 {
        self.slot_bits() + clog2(self.n)
    }

    /// Cycles from the last q and k of column 0 to the logit of key 0.
    pub fn logit_latency(&self) -> i64 {
        cell::LATENCY + select::latency(self.n) + logit::latency(self.score_bits)
    }

    /// Cycles from the last q and k of column 0 to the maximum of a row.
    pub fn maximum_latency(&self) -> i64 {
        // A register for the octave, one for the maximum.
        self.logit_latency() + self.n - 1 + 2
    }

    /// Cycles from the last q and k of column 0 to the probability of key 0; N more follow.
    pub fn probability_latency(&self) -> i64 {
        // M of the row, then u.
        self.maximum_latency() + 2 + probability::LATENCY
    }

    /// Cycles from v of column 0 to the row's sum over all columns.
    pub fn row_latency(&self) -> i64 {
        cell::LATENCY + self.n - 1
    }

    /// Cycles from the last v of a block to the last O of its last row in memory.
    pub fn block_latency(&self) -> i64 {
        self.row_latency() + accumulate::LATENCY + self.n - 1
    }

    /// Cycles from a column's read to its output.
    pub fn output_latency(&self) -> i64 {
        1 + output::latency(self)
    }
}
