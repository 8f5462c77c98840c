//! `shift-add`: the literal four terms, a·u = Σ u_k·(a << k), added up in every cell. The yardstick of the shared kernels.

use std::rc::Rc;

use bitlathe_hdl::Unit;
use bitlathe_spec::Family;

use super::cell::{LaneCell, product_cell_cost};
use super::{Kernel, Shape, Size, WEIGHT};
use crate::Cost;

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
    /// Fitted to synthesized cores of 8 and 16 bits: synthesis takes the terms apart into carry-save stages.
    fn cell_cost(&self, at: &Size) -> Cost {
        let [once, bit] = match at.family {
            Family::Xcup | Family::Xc7 => [1.0, 5.25],
            Family::Ecp5 => [12.0, 6.9],
            Family::Ice40 => [8.6, 7.0],
        };
        product_cell_cost(self, at, once + bit * at.act as f64)
    }
}
