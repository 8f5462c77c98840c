//! `shift-add`: the literal four terms, a·u = Σ u_k·(a << k), added up in every cell. The yardstick of the shared kernels.

use std::rc::Rc;

use bitlathe_hdl::Unit;

use super::cell::LaneCell;
use super::{Kernel, Shape, WEIGHT};

/// The kernel.
pub(super) struct ShiftAdd;

impl Kernel for ShiftAdd {
    fn name(&self) -> &'static str {
        "shift-add"
    }
    fn about(&self) -> &'static str {
        "Four shifted terms, each gated by a weight bit"
    }

    fn cell(&self, shape: Shape) -> Rc<Unit> {
        LaneCell::product_unit(self, shape, |cell, bits| {
            let term = |k: i64| {
                let shifted = cell.shifted(&format!("term_{k}"), &cell.table, k, bits);
                &shifted & cell.weight_bit(0, k).repeat(bits)
            };
            (1..WEIGHT).fold(term(0), |sum, k| sum.wrapping_add(term(k)))
        })
    }
}
