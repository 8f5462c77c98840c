//! A segment: at most 16 rows of the array, all its columns, with the columns' feet; called by [`super::Array`].

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, Wire, bit, clog2, concat, lit, uint};

use super::{Kernel, LARGEST, Place, Shape, Size, WEIGHT, array_impl_param};
use crate::Cost;
use crate::parts::carry::adder_lut;
use crate::parts::delay_line::{delay_cost, delay_line};
use crate::parts::sign::widen;

/// Cycles from a step's activations to the sum that holds them.
const TOTAL_LATENCY: i64 = 2;

/// A segment.
#[derive(Clone, Copy)]
pub(super) struct Segment {
    pub kernel: &'static dyn Kernel,
    pub shape: Shape,
}

/// Activations and the swap that goes with them, `wait` cycles later. The stages have a reset, which keeps them in flip-flops:
/// cells leave more of those than look-up tables.
pub(super) fn skew(m: &Module, ck: &Clock, en: &Expr, tag: &str, x: &Expr, swap: &Expr, wait: &Dim) -> (Expr, Expr) {
    let now = m.wire(&format!("{tag}_now"), &concat(&[swap, x]));
    if wait.constant() == Some(0) {
        return (now.slice(0, x.width()), now.msb());
    }
    let skewed = m.wire_later(&format!("{tag}_skewed"), now.ty().clone());
    m.generate_if(
        wait.gt(0),
        ["g_wait", "g_at_once"],
        || {
            m.instance("u_wait", &delay_line(now.width().value(), 1, true))
                .param("WIDTH", now.width())
                .param("STAGES", wait)
                .clock(ck)
                .input("en_i", en)
                .input("value_i", &now)
                .output("value_o", &skewed)
                .done();
        },
        || skewed.drive(&now),
    );
    (skewed.slice(0, x.width()), skewed.msb())
}

impl Segment {
    pub(super) fn steps(&self) -> i64 {
        let a_step = self.kernel.rows_a_step();
        (self.shape.rows + a_step - 1) / a_step
    }

    /// Rows, padding included.
    pub(super) fn rows(&self) -> i64 {
        self.steps() * self.kernel.rows_a_step()
    }

    /// Cells of a step.
    fn cells_a_step(&self) -> i64 {
        let a_cell = self.kernel.cols_a_cell();
        (self.shape.cols + a_cell - 1) / a_cell
    }

    /// Cells.
    pub(super) fn cells(&self) -> i64 {
        self.steps() * self.cells_a_step()
    }

    /// The steps as a kernel sees them.
    fn sizes(&self, size: Size) -> impl Iterator<Item = Size> {
        let a_step = self.kernel.rows_a_step();
        (1..=self.steps()).map(move |step| Size { rows: step * a_step, ..size })
    }

    /// Cost of the cells.
    pub(super) fn cells_cost(&self, size: Size) -> Cost {
        let column: Cost = self.sizes(size).map(|at| self.kernel.cell_cost(&at)).sum();
        column * self.cells_a_step() as f64
    }

    /// Cost of what all columns share.
    pub(super) fn tables_cost(&self, size: Size) -> Cost {
        self.sizes(size).map(|at| self.kernel.table_cost(&at)).sum()
    }

    /// Cost of the columns' feet. Where the last cell lacks columns nothing is left of theirs.
    pub(super) fn feet_cost(&self, size: Size) -> Cost {
        let cells = self.shape.cols as f64 / self.kernel.cols_a_cell() as f64;
        self.kernel.foot_cost(&Size { rows: self.rows(), ..size }) * cells
    }

    /// Cost of the sum of the activations, with its delay, of which the last sum is the first stage.
    pub(super) fn total_cost(&self, size: Size) -> Cost {
        let bits = |rows: i64| size.act + clog2(rows);
        let (a_step, last) = (self.kernel.rows_a_step(), bits(self.rows()));
        let mut cost = delay_cost(size.family, last, 1 + self.total_wait(), false);
        for step in 1..self.steps() {
            cost.lut += adder_lut(size.family, bits((step + 1) * a_step));
            cost.ff += bits(step * a_step) as f64;
        }
        cost
    }

    /// Enabled cycles from activations to sums.
    pub(super) fn latency(&self) -> i64 {
        self.steps() - 1 + self.kernel.step_latency() + self.kernel.foot_latency()
    }

    pub(super) fn unit(&self) -> Rc<Unit> {
        let kernel = self.kernel;
        let m = Module::new(&format!("mixpe_segment_{}", kernel.name().replace('-', "_")));
        m.doc(&format!("Rows of the array that share a column foot. {}.", kernel.about()));
        let rows = m.param("ROWS", self.shape.rows, 1..=16, "rows");
        let cols = m.param("COLS", self.shape.cols, 1..=256, "columns");
        let act = m.param("ACT_W", self.shape.act_bits, 2..=16, "bits of an activation");
        let imp = array_impl_param(&m, self.shape.implementation);
        let (ck, en) = (m.clock(), m.input("en_i", bit()));
        let x = m.input("x_i", uint(&rows * &act));
        let swap = m.input("swap_i", bit());
        let loads = m.input("loads_i", uint(&rows));
        let w = m.input("w_i", uint(&cols * WEIGHT));
        let sums_o = m.output_wire("sums_o", uint(&cols * (&act + (&rows * LARGEST).clog2())));
        let total_o = m.output_wire("total_o", uint(&act + rows.clog2()));
        m.describe(&loads, "rows that take w_i");

        let (a_step, a_cell) = (kernel.rows_a_step(), kernel.cols_a_cell());
        let steps = m.localparam("STEPS", rows.ceil_div(a_step));
        let cells = m.localparam("CELLS", cols.ceil_div(a_cell));
        let padded_rows = m.localparam("PADDED_ROWS", &steps * a_step);
        let lane_w = m.localparam("LANE_W", kernel.lane_bits(&act, &padded_rows));
        let chain_w = m.localparam("CHAIN_W", &lane_w * kernel.lanes());
        let total_w = m.localparam("TOTAL_W", &act + padded_rows.clog2());
        let at = Place { m: &m, ck: &ck, en: &en, act: &act, rows: &padded_rows, lane: &lane_w, imp: &imp };
        let pad = |name: &str, v: &Expr, more: &Dim| {
            let padded = m.wire(name, &concat(&[&lit(0, uint(more)), v]));
            m.allow(&padded, "UNUSEDSIGNAL", "padding of the last step or cell");
            padded
        };
        let (x, w) = if a_step > 1 { (pad("padded_x", &x, &(&act * (a_step - 1))), w) } else { (x, w) };
        let w = if a_cell > 1 { pad("padded_w", &w, &Dim::from(WEIGHT * (a_cell - 1))) } else { w };
        let [chain, sums] = ["chain", "lane_sums"].map(|n| m.wire_later(n, uint((&steps + 1) * &cells * &chain_w)));
        m.allow(&chain, "UNUSEDSIGNAL", "nobody takes the last one");
        m.allow(&sums, "UNUSEDSIGNAL", "only the last step's leave");
        let below_all = &cells * &chain_w;
        chain.drive_part(0, &below_all, &lit(0, uint(&below_all)));
        sums.drive_part(0, &below_all, &lit(0, uint(&below_all)));
        let totals = m.wire_later("totals", uint((&steps + 1) * &total_w));
        totals.drive_part(0, &total_w, &lit(0, uint(&total_w)));
        m.allow(&ck.reset(), "UNUSEDSIGNAL", "one step holds nothing back");
        m.allow(&totals, "UNUSEDSIGNAL", "a padded row widens the last sum and adds nothing");
        let cell_unit = kernel.cell(self.shape);
        let takes = |name: &str| cell_unit.manifest().params.iter().any(|p| p.name == name);
        m.generate_for("g_step", &steps, |p| {
            let here = (p + 1) * a_step;
            let (moved, swapped) = skew(&m, &ck, &en, "step", &x.lane(p, &(&act * a_step)), &swap, p);
            let moved = m.wire("x", &moved);
            let table = kernel.table(&at, &moved);
            // A padded row takes the weights of the last one, lest it stay undefined.
            let load_bits: Vec<Expr> =
                (0..a_step).rev().map(|i| &loads.bit((p * a_step + i).smaller(&rows - 1)) & &en).collect();
            let load = m.wire("load", &concat(&load_bits.iter().collect::<Vec<_>>()));
            let swap = m.wire("swap", &(&swapped & &en));
            let total_q = ck.reg("total_q", uint(&act + here.clog2()));
            let wide_total = widen(&m, "wide_total", &table.total, total_q.width());
            total_q.next_when(&en, totals.slice(p * &total_w, total_q.width()).wrapping_add(wide_total));
            totals.drive_lane(p + 1, &total_w, &widen(&m, "wide_sum", &total_q, &total_w));
            m.generate_for("g_cell", &cells, |c| {
                let mut i = m.instance("u_cell", &cell_unit);
                let first = Dim::from(0).when(p.gt(0), 1);
                for (name, value) in [
                    ("ACT_W", act.clone()),
                    ("LANE_W", lane_w.clone()),
                    ("SUM_W", kernel.lane_bits(&act, &here)),
                    ("FIRST", first),
                    ("IMPL", imp.clone()),
                ] {
                    if takes(name) {
                        i = i.param(name, value);
                    }
                }
                i.clock(&ck)
                    .input("en_i", &en)
                    .input("load_i", &load)
                    .input("swap_i", &swap)
                    .input("w_i", &w.lane(c, &Dim::from(WEIGHT * a_cell)))
                    .input("table_i", &table.shared)
                    .input("chain_i", &chain.lane(p * &cells + c, &chain_w))
                    .output_lane("chain_o", &chain, (p + 1) * &cells + c, &chain_w)
                    .output_lane("sum_o", &sums, (p + 1) * &cells + c, &chain_w)
                    .done();
            });
        });
        let last = m.wire("last_sums", &sums.slice(&steps * &below_all, &below_all));
        self.feet(&at, &last, &chain_w, &sums_o);
        self.total(&at, &m.wire("total", &totals.slice(&steps * &total_w, total_o.width())), &total_o);
        m.finish()
    }

    /// The foot of every cell's columns.
    fn feet(&self, at: &Place, last: &Expr, chain_w: &Dim, out: &Wire) {
        let (m, a_cell) = (at.m, self.kernel.cols_a_cell());
        let cells = last.width().div(chain_w);
        let sum_w = m.localparam("SUM_W", at.act + (at.rows * LARGEST).clog2());
        let foot_w = &sum_w * a_cell;
        let feet = m.wire_later("feet", uint(&cells * &foot_w));
        m.allow(&feet, "UNUSEDSIGNAL", "a column that the last cell lacks");
        m.generate_for("g_foot", &cells, |c| {
            let lanes = m.wire("lanes", &last.lane(c, chain_w));
            feet.drive_lane(c, &foot_w, &self.kernel.foot(at, &lanes, &sum_w));
        });
        out.drive(feet.slice(0, out.width()));
    }

    /// Cycles that the sum of the activations waits for the columns'.
    fn total_wait(&self) -> i64 {
        self.kernel.step_latency() + self.kernel.foot_latency() - TOTAL_LATENCY
    }

    /// The sum of the activations, in step with the feet.
    fn total(&self, at: &Place, total: &Expr, out: &Wire) {
        let wait = self.total_wait();
        at.m.instance("u_total", &delay_line(total.width().value(), wait, false))
            .param("WIDTH", total.width())
            .param("STAGES", wait)
            .clock(at.ck)
            .input("en_i", at.en)
            .input("value_i", total)
            .output("value_o", out)
            .done();
    }
}
