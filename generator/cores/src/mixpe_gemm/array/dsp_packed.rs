//! `dsp-packed`: two columns a DSP block, which share the activation: a·(u1·2^20 + u0) holds both products (the idea of AMD WP486).
//!
//! The lower sum is a lane of 20 bits: 16 rows of 15·(-128) take 16 of them, and two weights 20 bits apart fit the 24 bits that operand
//! A has without its sign in either family. A negative lower sum borrows one from the upper; the foot gives it back.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Expr, Unit, concat, lit, uint};

use super::dsp::{direct_table, dsp_cell};
use super::{Kernel, Place, Shape, Size, Table, WEIGHT};
use crate::Cost;
use crate::parts::dsp_mac::{self, SUM_BITS, WEIGHT_BITS};

/// The kernel.
pub(super) struct DspPacked;

/// Bits of the lower lane.
const LANE: i64 = WEIGHT_BITS - WEIGHT;

impl Kernel for DspPacked {
    fn name(&self) -> &'static str {
        "dsp-packed"
    }
    fn about(&self) -> &'static str {
        "Two columns a DSP block, which share the activation"
    }
    fn takes(&self, act_bits: i64) -> bool {
        act_bits <= 8
    }
    fn cols_a_cell(&self) -> i64 {
        2
    }
    fn on_blocks(&self) -> bool {
        true
    }
    fn lane_bits(&self, _: &Dim, _: &Dim) -> Dim {
        SUM_BITS.into()
    }
    fn table_bits(&self, act: &Dim) -> Dim {
        act.clone()
    }
    fn table(&self, at: &Place, x: &Expr) -> Table {
        direct_table(at, x)
    }

    fn cell(&self, shape: Shape) -> Rc<Unit> {
        dsp_cell(self, shape, |m, w| {
            let between = lit(0, uint(LANE - WEIGHT));
            m.wire("weights", &concat(&[&w.slice(WEIGHT, WEIGHT), &between, &w.slice(0, WEIGHT)]))
        })
    }
    fn step_latency(&self) -> i64 {
        dsp_mac::LATENCY
    }

    fn foot(&self, at: &Place, lanes: &Expr, sum_bits: &Dim) -> Expr {
        at.m.allow(lanes, "UNUSEDSIGNAL", "copies of the sign");
        let borrowed = concat(&[&lit(0, uint(sum_bits - 1)), &lanes.bit(LANE - 1)]);
        let sums_q = at.ck.reg("sums_q", uint(sum_bits * 2));
        let upper = lanes.slice(LANE, sum_bits).wrapping_add(borrowed);
        sums_q.next_when(at.en, concat(&[&upper, &lanes.slice(0, sum_bits)]));
        (*sums_q).clone()
    }
    fn foot_latency(&self) -> i64 {
        1
    }
    fn cell_cost(&self, _: &Size) -> Cost {
        Cost { dsp: 1.0, ..Cost::default() }
    }
    /// The carry chain takes the upper sum as it is; one look-up table takes the borrowed bit.
    fn foot_cost(&self, at: &Size) -> Cost {
        Cost::logic(1.0, (2 * at.sum_bits()) as f64)
    }
}
