//! `shift-add`: the literal four terms, a·u = Σ u_k·(a << k), added up in every cell. The yardstick of the shared kernels.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Expr, Unit};

use super::cell::LaneCell;
use super::{Kernel, Place, Shape, Table, WEIGHT, product_table, whole_bits, whole_foot};

/// The kernel.
pub(super) struct ShiftAdd;

impl Kernel for ShiftAdd {
    fn name(&self) -> &'static str {
        "shift-add"
    }
    fn about(&self) -> &'static str {
        "Four shifted terms, each gated by a weight bit"
    }
    fn lane_bits(&self, act: &Dim, rows: &Dim) -> Dim {
        whole_bits(act, rows)
    }
    fn table_bits(&self, act: &Dim) -> Dim {
        act.clone()
    }
    fn table(&self, at: &Place, x: &Expr) -> Table {
        product_table(at, x)
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
    fn step_latency(&self) -> i64 {
        3
    }
    fn foot(&self, at: &Place, lanes: &Expr, sum_bits: &Dim) -> Expr {
        whole_foot(at, lanes, sum_bits)
    }
    fn foot_latency(&self) -> i64 {
        0
    }
}
