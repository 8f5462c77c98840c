//! Predicted resources of `flash-attention`, part by part.

use bitlathe_spec::{Family, Register};

use super::array::cell;
use super::hardware::Hardware;
use super::rtl::BLOCK_FROM;
use super::wave::Wave;
use super::{control, output, row, sums};
use crate::parts::delay_line::delay_cost;
use crate::parts::memory::{block_memory, lut_memory, select_lut};
use crate::parts::register_file::register_file_cost;
use crate::{Cost, PartCost};

fn entry(part: &str, count: i64, each: Cost) -> PartCost {
    PartCost { part: part.into(), count: count as u64, cost: each * count as f64 }
}

/// One entry a part.
pub fn parts(hw: &Hardware, registers: &[Register], family: Family) -> Vec<PartCost> {
    vec![
        entry("registers", 1, register_file_cost(family, registers)),
        entry("control", 1, control::cost(hw, family)),
        entry("columns", 1, columns(hw, family)),
        entry("cell", hw.n * hw.n, cell::cost(hw, family)),
        entry("row", hw.n, row::cost(hw, family)),
        entry("sums", 1, sums::cost(hw, family)),
        entry("output", 1, output::cost(hw, family)),
    ]
}

/// Bits of control that pass along a row.
const ALONG: i64 = 5;

fn memory(family: Family, width: i64, address_bits: i64) -> Cost {
    if 1 << address_bits >= BLOCK_FROM {
        return block_memory(family, width, 1 << address_bits, false);
    }
    let mut cost = lut_memory(family, 1, width, 1 << address_bits);
    cost.ff += width as f64;
    cost
}

/// q, k and v on their way into the array: memories, choice, skews; and the scale of the logits.
fn columns(hw: &Hardware, family: Family) -> Cost {
    let beat = hw.n * hw.bits;
    let mut cost = memory(family, beat, hw.address_bits());
    cost += Cost::logic(beat as f64, beat as f64);
    if hw.resident > 1 {
        cost += memory(family, beat, hw.place_bits()) * 2.0;
        cost += Cost::logic(beat as f64, 2.0);
    }
    for stages in 1..hw.n {
        cost += delay_cost(family, hw.bits, stages, false) * 2.0;
    }
    // From row to row: k or v of all columns, and control, which from the last row passes on along it.
    let control = Wave::new(hw).bits() + ALONG;
    cost += Cost::logic(0.0, ((hw.n - 1) * (beat + control)) as f64);
    let table = select_lut(family, (hw.d_max + 1).div_euclid(64) + 1) + (hw.d_max as f64 / 64.0).ceil();
    cost += Cost::logic(18.0 * table, (18 + hw.half_bits()) as f64);
    cost
}
