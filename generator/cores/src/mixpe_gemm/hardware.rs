//! Every number that the hardware of `mixpe-gemm` depends on: sizes, widths, latencies.

use bitlathe_golden::mixpe::{MAX_SCALE, Mixpe};
use bitlathe_hdl::clog2;
use bitlathe_spec::Family;

use super::array::Array;
use super::foot::ColumnFoot;
use crate::parts::multiply_add;
use crate::parts::requantize;
use crate::requantized::Requantized;

/// Bits of a weight.
pub const WEIGHT_BITS: i64 = 4;
/// Bits of a scale.
pub const SCALE_BITS: i64 = 16;
/// Bits of a zero point.
pub const ZERO_BITS: i64 = 5;
/// Bits of a zero point's lane: a byte, so that software need not pack.
pub const ZERO_LANE: i64 = 8;

/// Every number that the hardware depends on.
#[derive(Clone, Debug)]
pub struct Hardware {
    /// Name of the top module.
    pub top: String,
    /// The compute array.
    pub array: Array,
    /// Columns of the weight matrix that share a zero point and a scale.
    pub group: i64,
    /// Activation rows that pass a weight tile.
    pub t_block: i64,
    /// Most weight tiles along K.
    pub k_tiles_max: i64,
    /// Most weight tiles along M.
    pub m_tiles_max: i64,
    /// Bits that hold both ends of a sum.
    pub sum_bits: i64,
    /// Output stage; `None` for exact sums.
    pub requant: Option<Requantized>,
}

impl Hardware {
    /// Bits of a sum over `k_max` columns. The largest is farther from zero than the smallest; 64 bits hold every legal K.
    pub fn needed_bits(act_bits: i64, k_max: u32) -> i64 {
        let high = Mixpe::range(act_bits as u32, k_max as usize).map_or(i64::MAX, |(_, high)| high);
        i64::from(64 - high.leading_zeros()) + 1
    }

    /// Weight tiles of a whole group.
    pub fn tiles_a_group(&self) -> i64 {
        self.group / self.array.rows
    }

    /// Most groups of a row.
    pub fn groups_max(&self) -> i64 {
        let each = self.tiles_a_group();
        (self.k_tiles_max + each - 1) / each
    }

    /// Bits of a column's sum of a·u over a group.
    pub fn group_bits(&self) -> i64 {
        Array { rows: self.group, ..self.array }.sum_bits()
    }

    /// Sizes of a column's foot.
    pub fn foot(&self) -> ColumnFoot {
        self.foot_for(self.acc_bits())
    }

    fn foot_for(&self, acc_bits: i64) -> ColumnFoot {
        let Array { act_bits, family, .. } = self.array;
        ColumnFoot { act_bits, group: self.group, acc_bits, family }
    }

    /// Bits of an accumulator: those of the sum, and at least those with which a product cannot overflow.
    pub fn acc_bits(&self) -> i64 {
        self.sum_bits.max(self.foot_for(0).debt_bits() + clog2(MAX_SCALE + 1) + 2)
    }

    /// Bits of a lane of the exact output: whole bytes.
    pub fn exact_lane_bits(&self) -> i64 {
        (self.acc_bits() + 7) / 8 * 8
    }

    /// Whether zero points, scales or the requantizer leave products to synthesis, because no block is named for them.
    pub fn leaves_products(&self, family: Family) -> bool {
        self.requant.is_some() || self.foot().leaves_product(family)
    }

    /// Whether the sums of a group's tiles are added before the scale: a group of one tile has nothing to add.
    pub fn adds_tiles(&self) -> bool {
        self.tiles_a_group() > 1
    }

    /// Cycles from an accepted row of activations to the array's sums.
    pub fn array_latency(&self) -> i64 {
        self.array.latency()
    }

    /// Cycles from an accepted row to the sums of its group, where they meet the zero point.
    pub fn zero_stage(&self) -> i64 {
        self.array_latency() + i64::from(self.adds_tiles())
    }

    /// Cycles from an accepted row to where its group meets the scale.
    pub fn scale_stage(&self) -> i64 {
        self.zero_stage() + multiply_add::LATENCY
    }

    /// Cycles from an accepted row to its accumulators, which leave or go back to memory.
    pub fn sum_stage(&self) -> i64 {
        self.scale_stage() + multiply_add::LATENCY
    }

    /// Cycles from an accepted row to its output beat.
    pub fn output_stage(&self) -> i64 {
        self.sum_stage() + self.requant.map_or(0, |_| requantize::LATENCY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_have_the_bits_that_both_ends_need() {
        for (act, k_max) in [(8, 1), (8, 32), (8, 4096), (8, 65536), (16, 1), (16, 4096), (16, 65536)] {
            let (low, high) = Mixpe::range(act as u32, k_max as usize).unwrap();
            let bits = Hardware::needed_bits(act, k_max);
            let holds = |bits: i64| i128::from(low) >= -(1i128 << (bits - 1)) && i128::from(high) < 1i128 << (bits - 1);
            assert!(holds(bits) && !holds(bits - 1), "{act} {k_max}: {bits}");
        }
    }
}
