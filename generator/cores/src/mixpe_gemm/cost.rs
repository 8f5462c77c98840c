//! Predicted resources of `mixpe-gemm`, part by part.

use bitlathe_spec::Family;

use super::hardware::Hardware;
use super::interface::registers;
use crate::parts::register_file::register_file_cost;
use crate::{Cost, PartCost};

fn entry(part: &str, count: i64, cost: Cost) -> PartCost {
    PartCost { part: part.into(), count: count as u64, cost }
}

/// All parts.
pub fn parts(hw: &Hardware, family: Family) -> Vec<PartCost> {
    vec![
        entry("array", 1, hw.array.cost(family, false)),
        entry("register file", 1, register_file_cost(family, &registers(hw))),
    ]
}
