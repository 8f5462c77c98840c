//! Predicted resources of `mixpe-gemm`, part by part, as Yosys 0.70 maps them; those of the array come from
//! [`Array::parts`](super::array::Array::parts).
//!
//! Registers, adders and memories are counted from the structure; control has figures fitted to synthesized cores.
//! `docs/cost-model.md` says how far the sums are off.

use bitlathe_hdl::{RamStyle, clog2};
use bitlathe_spec::{Family, Rounding};

use super::foot::memory_style;
use super::hardware::Hardware;
use super::interface::registers;
use crate::parts::carry::{adder_lut, implementation};
use crate::parts::delay_line::delay_cost;
use crate::parts::memory::{block_memory, lut_memory};
use crate::parts::register_file::register_file_cost;
use crate::parts::requantize;
use crate::{Cost, PartCost};

/// One entry a part.
pub fn parts(hw: &Hardware, family: Family) -> Vec<PartCost> {
    let entry = |part: &str, count: i64, cost: Cost| PartCost { part: part.into(), count: count as u64, cost };
    let cols = hw.array.cols;
    let mut out = hw.array.parts(family, hw.leaves_products(family));
    if hw.adds_tiles() {
        out.push(entry("sum over a group's tiles", 1, group_sum(hw, family)));
    }
    out.push(entry("column foot (zero point, scale)", cols, hw.foot().cost(cols, family)));
    if hw.groups_max() > 1 {
        out.push(entry("accumulator memory", 1, memory(hw, cols * hw.acc_bits(), family)));
    }
    if let Some(r) = hw.requant {
        out.push(entry("requantizer lane", cols, r.cost(r.lane(hw.acc_bits(), 1, 1), family, cols)));
    }
    out.push(entry("tile walk", 1, tile_walk(hw, family)));
    out.push(entry("weight loader", 1, weight_loader(hw)));
    out.push(entry("control beside the data", 1, delays(hw, family)));
    out.push(entry("register file", 1, register_file_cost(family, &registers(hw))));
    out
}

/// A word a row of a block, read into a register. What is written meets what is read as far as synthesis knows.
fn memory(hw: &Hardware, word: i64, family: Family) -> Cost {
    if memory_style(hw.t_block, family) == RamStyle::Block {
        return block_memory(family, word, hw.t_block.max(2), false);
    }
    let mut cost = lut_memory(family, 1, word, hw.t_block.max(2));
    cost.ff += word as f64;
    cost
}

/// Memory, and sums of columns and activations with a register behind them.
fn group_sum(hw: &Hardware, family: Family) -> Cost {
    let word = hw.array.cols * hw.group_bits() + hw.foot().total_bits();
    let sums = hw.array.cols as f64 * adder_lut(family, hw.group_bits()) + adder_lut(family, hw.foot().total_bits());
    // AMD's adders gate the sum before in the same look-up table; elsewhere that which chooses what a block memory yields does.
    let own = implementation(family) == 0 && memory_style(hw.t_block, family) == RamStyle::Distributed;
    let gates = if own { word } else { 0 };
    let mut cost = memory(hw, word, family);
    cost += Cost::logic(sums + gates as f64, word as f64);
    cost
}

/// Counters, and comparisons with the sizes of the job.
fn tile_walk(hw: &Hardware, family: Family) -> Cost {
    let walk = hw.walk();
    let count = |max: i64| clog2(max + 1);
    let counters = clog2(walk.t_block).max(1)
        + count(walk.k_tiles_max)
        + count(walk.m_tiles_max)
        + clog2(walk.tiles_a_group).max(1);
    let left = count(walk.t_max);
    let bit = if implementation(family) == 0 { 3.3 } else { 2.0 };
    Cost::logic(bit * (counters + left) as f64, (counters + left + 5) as f64)
}

fn weight_loader(hw: &Hardware) -> Cost {
    let row = clog2(hw.array.rows) as f64;
    Cost::logic(row + 2.0, row + 1.0)
}

/// What a row of activations needs further down, delayed to where it is used: lines of bits, stages, and whether with reset.
fn delays(hw: &Hardware, family: Family) -> Cost {
    let [array, zero, scale, sum] = [hw.array_latency(), hw.zero_stage(), hw.scale_stage(), hw.sum_stage()];
    let row = clog2(hw.t_block).max(1);
    // Lines of flip-flops that carry the same are one; those of shift registers are not.
    let shared = implementation(family) == 0;
    let mut lines = vec![(1, sum, true), (1, sum, false), (1, zero, false), (1, scale - zero, false)];
    if hw.adds_tiles() {
        lines.extend([(row, array - 1, false), (row, 2, false), (1, array, false), (1, array + 1, true)]);
    } else {
        lines.push((row, array, false));
    }
    if hw.groups_max() > 1 {
        lines.extend([(row, scale - zero, false), (row, sum - scale, false), (1, scale + 1, false)]);
    }
    // The last row of the job, all the way to the output: random numbers start anew on the way.
    match hw.requant {
        Some(r) if r.rounding == Rounding::Stochastic => {
            lines.extend([(1, sum, false), (1, requantize::LATENCY, false)]);
        }
        _ => lines.push((1, hw.output_stage(), false)),
    }
    if hw.requant.is_some() {
        lines.extend([(1, if shared { sum - scale } else { sum }, false), (1, requantize::LATENCY, true)]);
    }
    lines.into_iter().map(|(bits, stages, reset)| delay_cost(family, bits, stages, reset)).sum()
}
