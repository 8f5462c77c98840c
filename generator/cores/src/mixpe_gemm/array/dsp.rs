//! `dsp`: one DSP block a cell; weights, product, sum and the cascade of a column stay inside the blocks.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Expr, Module, Unit, concat, lit, uint};

use super::cell::Ports;
use super::{Kernel, Place, Shape, Size, Table, WEIGHT, amd_form, array_impl_param, product_table, whole_foot};
use crate::Cost;
use crate::parts::dsp_mac::{self, ACT_BITS, SUM_BITS, WEIGHT_BITS, dsp_mac};
use crate::parts::sign::widen;

/// The kernel.
pub(super) struct Dsp;

impl Kernel for Dsp {
    fn name(&self) -> &'static str {
        "dsp"
    }
    fn about(&self) -> &'static str {
        "One DSP block a cell, sums on the cascade"
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
        dsp_cell(self, shape, |m, w| m.wire("weight", &concat(&[&lit(0, uint(WEIGHT_BITS - WEIGHT)), w])))
    }
    fn step_latency(&self) -> i64 {
        dsp_mac::LATENCY
    }
    fn foot(&self, at: &Place, lanes: &Expr, sum_bits: &Dim) -> Expr {
        at.m.allow(lanes, "UNUSEDSIGNAL", "copies of the sign");
        whole_foot(at, lanes, sum_bits)
    }
    fn foot_latency(&self) -> i64 {
        0
    }
    fn cell_cost(&self, _: &Size) -> Cost {
        Cost { dsp: 1.0, ..Cost::default() }
    }
}

/// The activation itself: the blocks register it.
pub(super) fn direct_table(at: &Place, x: &Expr) -> Table {
    Table { shared: x.clone(), ..product_table(at, x) }
}

/// A cell that is one DSP block; `pack` makes its weight operand.
pub(super) fn dsp_cell(kernel: &dyn Kernel, shape: Shape, pack: impl Fn(&Module, &Expr) -> Expr) -> Rc<Unit> {
    let m = Module::new(&format!("mixpe_cell_{}", kernel.name().replace('-', "_")));
    m.doc(&format!("One row. {}.", kernel.about()));
    let act = m.param("ACT_W", shape.act_bits, 2..=16, "bits of an activation");
    let first = m.param("FIRST", 0, 0..=1, "1: the column's first block, nothing comes through the cascade");
    let imp = array_impl_param(&m, shape.implementation);
    let p = Ports::new(&m, kernel, &act, &Dim::from(SUM_BITS));
    let weight = pack(&m, &p.w);
    let x = m.wire("x", &widen(&m, "wide_x", &p.table, Dim::from(ACT_BITS)));
    m.instance("u_mac", &dsp_mac(true, amd_form(&imp).value()))
        .param("CHAINED", Dim::from(1) - &first)
        .param("IMPL", amd_form(&imp))
        .clock(&p.ck)
        .input("en_i", &p.en)
        .input("load_i", &p.load)
        .input("swap_i", &p.swap)
        .input("w_i", &weight)
        .input("x_i", &x)
        .input("cascade_i", &p.chain)
        .output("sum_o", &p.sum_o)
        .output("cascade_o", &p.chain_o)
        .done();
    m.finish()
}
