//! Predicted resources of `softmax`, part by part.

use bitlathe_spec::Family;

use super::hardware::Hardware;
use crate::PartCost;

/// One entry a part.
pub fn parts(hw: &Hardware, family: Family) -> Vec<PartCost> {
    vec![PartCost { part: "exponential".into(), count: hw.lanes as u64, cost: hw.stage.cost(family) }]
}
