//! `planes`: every bit of a weight gates the activation onto a lane of its own. The kernel for ECP5, whose carry cells gate one operand
//! for nothing, but have no input left for a choice among several.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Expr, Unit};

use super::cell::{LaneCell, widen};
use super::shared_pair::join_planes;
use super::{Kernel, Place, Shape, Table, WEIGHT, product_table};
use crate::parts::carry::gated_add;

/// The kernel.
pub(super) struct Planes;

impl Kernel for Planes {
    fn name(&self) -> &'static str {
        "planes"
    }
    fn about(&self) -> &'static str {
        "Each weight bit gates the activation onto a lane of its own"
    }
    fn lanes(&self) -> i64 {
        WEIGHT
    }
    fn lane_bits(&self, act: &Dim, rows: &Dim) -> Dim {
        act + rows.clog2()
    }
    fn table_bits(&self, act: &Dim) -> Dim {
        act.clone()
    }
    fn table(&self, at: &Place, x: &Expr) -> Table {
        product_table(at, x)
    }

    fn cell(&self, shape: Shape) -> Rc<Unit> {
        LaneCell::unit(
            self,
            shape,
            |cell| cell.m.wire("x", &widen(&cell.m, "wide_x", &cell.table, &cell.sum_w)),
            |cell, x, bit, below| {
                let sum = cell.m.wire_later(&format!("sum_{bit}"), below.ty().clone());
                cell.m
                    .instance(&format!("u_add_{bit}"), &gated_add(cell.widest, cell.implementation))
                    .param("WIDTH", &cell.sum_w)
                    .param("IMPL", &cell.imp)
                    .input("gate_i", &cell.weight_bit(0, bit))
                    .input("x_i", x)
                    .input("sum_i", below)
                    .output("sum_o", &sum)
                    .done();
                (*sum).clone()
            },
        )
    }
    fn step_latency(&self) -> i64 {
        2
    }
    fn foot(&self, at: &Place, lanes: &Expr, sum_bits: &Dim) -> Expr {
        join_planes(at, lanes, sum_bits)
    }
    fn foot_latency(&self) -> i64 {
        2
    }
}
