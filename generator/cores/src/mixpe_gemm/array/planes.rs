//! `planes`: every bit of a weight gates the activation onto a lane of its own. The kernel for ECP5, whose carry cells gate one operand
//! for nothing, but have no input left for a choice among several. Two rows a step halve the registers, which ECP5 has one a table.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Expr, Unit};
use bitlathe_spec::Family;

use super::cell::{LaneCell, lane_bits, lane_cell_cost};
use super::shared_pair::{join_planes, join_planes_cost, pair_registers, pair_registers_cost};
use super::{Kernel, Place, Shape, Size, Table, WEIGHT};
use crate::Cost;
use crate::parts::carry::{adder_lut, gated_add};
use crate::parts::sign::widen;

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
    fn rows_a_step(&self) -> i64 {
        2
    }
    fn lane_bits(&self, act: &Dim, rows: &Dim) -> Dim {
        act + rows.clog2()
    }
    fn table_bits(&self, act: &Dim) -> Dim {
        act * 2
    }

    /// {b, a}
    fn table(&self, at: &Place, x: &Expr) -> Table {
        let (rows, both) = pair_registers(at, x);
        Table { shared: rows, total: both }
    }

    fn cell(&self, shape: Shape) -> Rc<Unit> {
        LaneCell::unit(
            self,
            shape,
            |cell| {
                ["a", "b"].map(|name| {
                    let row = cell.m.wire(name, &cell.table.lane(i64::from(name == "b"), &cell.act));
                    cell.m.wire(&format!("{name}_x"), &widen(&cell.m, &format!("wide_{name}"), &row, &cell.sum_w))
                })
            },
            |cell, rows, bit, below| {
                let add = |sum: Expr, (row, x): (i64, &Expr)| gate_and_add(cell, row, bit, x, &sum);
                (0..).zip(rows).fold(below.clone(), add)
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
    fn table_cost(&self, at: &Size) -> Cost {
        pair_registers_cost(at)
    }
    /// The carry cells of ECP5 gate one operand of each row. Elsewhere AMD's look-up tables gate the rows while they bring three
    /// operands to two; those of iCE40 gate them first.
    fn cell_cost(&self, at: &Size) -> Cost {
        let bits = lane_bits(self, at);
        let (gates, first) = (2.0 * at.act as f64, at.is_first(self.rows_a_step()));
        let lane = match at.family {
            Family::Ecp5 => 2.0 * adder_lut(at.family, bits),
            Family::Ice40 => gates + if first { bits as f64 } else { 2.0 * bits as f64 },
            Family::Xcup | Family::Xc7 if first => bits as f64,
            Family::Xcup | Family::Xc7 => 2.0 * bits as f64 + 0.8,
        };
        lane_cell_cost(self, at, lane)
    }
    fn foot_cost(&self, at: &Size) -> Cost {
        join_planes_cost(at, lane_bits(self, at))
    }
}

/// `below` plus the activation of a row where that bit of its weight is set.
fn gate_and_add(cell: &LaneCell, row: i64, bit: i64, x: &Expr, below: &Expr) -> Expr {
    let sum = cell.m.wire_later(&format!("sum_{bit}_{row}"), below.ty().clone());
    cell.m
        .instance(&format!("u_add_{bit}_{row}"), &gated_add(cell.widest, cell.implementation))
        .param("WIDTH", &cell.sum_w)
        .param("IMPL", &cell.imp)
        .input("gate_i", &cell.weight_bit(row, bit))
        .input("x_i", x)
        .input("sum_i", below)
        .output("sum_o", &sum)
        .done();
    (*sum).clone()
}
