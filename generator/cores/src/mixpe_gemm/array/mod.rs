//! The compute array `mixpe_array`: for every column the sum of a·u over the rows, u in 0..15, and the sum of a once for all.
//!
//! Weights stand still, two tiles of them: one in use, one that is loaded row by row while activations stream past the other.
//! A row of activations enters whole, one a cycle; inside it is skewed, a step a cycle, so that the partial sums of a column
//! move from step to step through registers and grow with the row. Segments of at most 16 rows end in a foot that joins the
//! lanes of a column's sum; the segments' sums join one after the other.
//!
//! Contract, all under one enable: row r of the next tile is loaded by `load_i`, `w_row_i` = r and `w_i`. `swap_i` comes with the first
//! activations that meet the loaded tile. The next load may begin in the cycle of `swap_i` if rows come in ascending order,
//! no two in a cycle: row r is written r cycles later, when the swap has reached it. `sums_o` and `total_o` follow
//! `x_i` by [`Array::latency`] enabled cycles; what is valid is the caller's to know.

mod booth;
mod cell;
mod dsp;
mod dsp_packed;
mod multiply;
mod planes;
mod segment;
mod shared_3a;
mod shared_pair;
mod shift_add;

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, Wire, bit, concat, lit, uint};
use bitlathe_spec::Family;

use crate::parts::carry::{ECP5_FORM, adder_lut, implementation};
use crate::parts::sign::widen;
use crate::{Cost, PartCost};
use segment::{Segment, skew};

/// Rows that share a column foot.
const SEGMENT: i64 = 16;
/// Bits of a weight.
const WEIGHT: i64 = 4;
/// Largest weight.
const LARGEST: i64 = 15;

/// How a cell multiplies and adds. A new kernel is a file with this and a line in [`kernels`]. What is not said otherwise is
/// that of a cell which adds whole products.
pub trait Kernel: Sync {
    /// Name in configs.
    fn name(&self) -> &'static str;
    /// What it does, in one line.
    fn about(&self) -> &'static str;
    /// Whether the cell is a DSP block, or part of one.
    fn on_blocks(&self) -> bool {
        false
    }
    /// Whether a family has what the cell is made of.
    fn exists_on(&self, family: Family) -> bool {
        !self.on_blocks() || implementation(family) != 0
    }
    /// Whether activations may have so many bits.
    fn takes(&self, _act_bits: i64) -> bool {
        true
    }
    /// Rows that a cell adds at once.
    fn rows_a_step(&self) -> i64 {
        1
    }
    /// Columns that a cell serves.
    fn cols_a_cell(&self) -> i64 {
        1
    }
    /// Lanes of a cell's partial sum.
    fn lanes(&self) -> i64 {
        1
    }
    /// Bits of a lane after so many rows.
    fn lane_bits(&self, act: &Dim, rows: &Dim) -> Dim {
        whole_bits(act, rows)
    }
    /// What all columns share of a step's activations `x`, and their sum. The sum is one register behind `x`.
    fn table(&self, at: &Place, x: &Expr) -> Table {
        product_table(at, x)
    }
    /// Bits of the table.
    fn table_bits(&self, act: &Dim) -> Dim {
        act.clone()
    }
    /// The cell of one column and step, made by [`cell`].
    fn cell(&self, shape: Shape) -> Rc<Unit>;
    /// Cycles from a step's activations to the cell's partial sum.
    fn step_latency(&self) -> i64 {
        3
    }
    /// The columns' sums of a cell's lanes after the last row.
    fn foot(&self, at: &Place, lanes: &Expr, sum_bits: &Dim) -> Expr {
        whole_foot(at, lanes, sum_bits)
    }
    /// Cycles through the foot.
    fn foot_latency(&self) -> i64 {
        0
    }
    /// Cost of a step's table.
    fn table_cost(&self, at: &Size) -> Cost {
        Cost::logic(0.0, at.act as f64)
    }
    /// Cost of the cell of one step.
    fn cell_cost(&self, at: &Size) -> Cost;
    /// Cost of the foot of a cell's columns.
    fn foot_cost(&self, _at: &Size) -> Cost {
        Cost::default()
    }
}

impl std::fmt::Debug for dyn Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What [`Kernel::table`] gives.
pub struct Table {
    /// For the cells.
    pub shared: Expr,
    /// Sum of the activations, registered.
    pub total: Expr,
}

/// Where a kernel builds hardware inside a segment.
pub struct Place<'a> {
    /// The segment.
    pub m: &'a Module,
    /// Its clock.
    pub ck: &'a Clock,
    /// Its enable.
    pub en: &'a Expr,
    /// Bits of an activation.
    pub act: &'a Dim,
    /// Rows of the segment, padding included.
    pub rows: &'a Dim,
    /// Bits of a lane of the cells' sums.
    pub lane: &'a Dim,
    /// `IMPL`.
    pub imp: &'a Dim,
}

/// What decides the cost of a kernel's hardware at a step of a segment.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// What it is mapped to.
    pub family: Family,
    /// Whether synthesis may put products into DSP blocks.
    pub infers_dsp: bool,
    /// Bits of an activation.
    pub act: i64,
    /// Rows down to this step, its own included; for a foot those of the segment.
    pub rows: i64,
}

impl Size {
    /// Bits of a column's sum over the rows.
    pub fn sum_bits(&self) -> i64 {
        whole_bits(&self.act.into(), &self.rows.into()).value()
    }

    /// Whether a step of so many rows is the first, whose cells have no partial sum to add to.
    pub fn is_first(&self, rows_a_step: i64) -> bool {
        self.rows == rows_a_step
    }
}

/// Numbers that decide a segment and its cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Rows.
    pub rows: i64,
    /// Columns.
    pub cols: i64,
    /// Bits of an activation.
    pub act_bits: i64,
    /// `IMPL`.
    pub implementation: i64,
}

/// Bits of the whole sum of so many rows.
fn whole_bits(act: &Dim, rows: &Dim) -> Dim {
    act + (rows * LARGEST).clog2()
}

/// The activation alone, registered.
fn product_table(at: &Place, x: &Expr) -> Table {
    let x_q = at.ck.reg("x_q", uint(at.act));
    x_q.next_when(at.en, x);
    Table { shared: (*x_q).clone(), total: (*x_q).clone() }
}

/// The one lane is the sum.
fn whole_foot(_: &Place, lanes: &Expr, sum_bits: &Dim) -> Expr {
    lanes.slice(0, sum_bits)
}

/// `IMPL` of the array for a family.
pub fn array_implementation(family: Family) -> i64 {
    if family == Family::Ecp5 { ECP5_FORM } else { implementation(family) }
}

/// The `IMPL` parameter of the array and of what it is made of.
pub fn array_impl_param(m: &Module, value: i64) -> Dim {
    m.param("IMPL", value, 0..=ECP5_FORM, "0 behavioural, 1 UltraScale+ cells, 2 7-series cells, 3 ECP5 cells")
}

/// `IMPL` for macros that have no form for ECP5.
pub(super) fn amd_form(imp: &Dim) -> Dim {
    Dim::from(0).when(imp.eq_to(ECP5_FORM), imp)
}

/// Every kernel, in the order in which tables list them.
pub fn kernels() -> &'static [&'static dyn Kernel] {
    &[
        &shared_pair::SharedPair,
        &shared_3a::Shared3a,
        &planes::Planes,
        &shift_add::ShiftAdd,
        &booth::Booth,
        &multiply::Multiply,
        &dsp::Dsp,
        &dsp_packed::DspPacked,
    ]
}

/// The array.
#[derive(Clone, Copy, Debug)]
pub struct Array {
    /// How cells compute.
    pub kernel: &'static dyn Kernel,
    /// Rows: activations that enter together.
    pub rows: i64,
    /// Columns: outputs that leave together.
    pub cols: i64,
    /// Bits of an activation.
    pub act_bits: i64,
    /// Decides the form of the macros.
    pub family: Family,
}

impl Array {
    fn segments(&self) -> i64 {
        (self.rows + SEGMENT - 1) / SEGMENT
    }

    fn segment(&self) -> Segment {
        let rows = (self.rows + self.segments() - 1) / self.segments();
        let Self { kernel, cols, act_bits, family, .. } = *self;
        Segment { kernel, shape: Shape { rows, cols, act_bits, implementation: array_implementation(family) } }
    }

    /// Enabled cycles from `x_i` to the sums that hold it.
    pub fn latency(&self) -> i64 {
        self.segment().latency() + self.segments() - 1
    }

    /// `IMPL` of the array.
    pub fn implementation(&self) -> i64 {
        array_implementation(self.family)
    }

    /// Bits of a column's sum over so many rows.
    pub fn sum_width(act: &Dim, rows: &Dim) -> Dim {
        whole_bits(act, rows)
    }

    /// Bits of the sum of so many activations.
    pub fn total_width(act: &Dim, rows: &Dim) -> Dim {
        act + rows.clog2()
    }

    /// Bits of a column's sum.
    pub fn sum_bits(&self) -> i64 {
        Self::sum_width(&self.act_bits.into(), &self.rows.into()).value()
    }

    /// Bits of the sum of a row of activations.
    pub fn total_bits(&self) -> i64 {
        Self::total_width(&self.act_bits.into(), &self.rows.into()).value()
    }

    /// Predicted resources by part.
    pub fn parts(&self, family: Family, infers_dsp: bool) -> Vec<PartCost> {
        let (segment, segments) = (self.segment(), self.segments());
        let size = Size { family, infers_dsp, act: self.act_bits, rows: 0 };
        let entry = |part: &str, count: i64, cost: Cost| PartCost { part: part.into(), count: count as u64, cost };
        let all = |cost: Cost| cost * segments as f64;
        vec![
            entry("cell", segments * segment.cells(), all(segment.cells_cost(size))),
            entry("row table", segments * segment.steps(), all(segment.tables_cost(size))),
            entry("column sum", self.cols, self.column_sums_cost(&segment, size)),
            entry("activation sum", 1, self.total_cost(&segment, size)),
            entry("skew and weight load", 1, self.moves_cost(&segment)),
        ]
    }

    /// Predicted resources.
    pub fn cost(&self, family: Family, infers_dsp: bool) -> Cost {
        self.parts(family, infers_dsp).into_iter().map(|p| p.cost).sum()
    }

    /// Feet of all segments, and the additions that join them.
    fn column_sums_cost(&self, segment: &Segment, size: Size) -> Cost {
        let joints = ((self.segments() - 1) * self.cols) as f64;
        let bits = self.sum_bits();
        let mut cost = segment.feet_cost(size) * self.segments() as f64;
        cost += Cost::logic(adder_lut(size.family, bits), bits as f64) * joints;
        cost
    }

    /// Sums of the activations inside the segments, and the additions that join them.
    fn total_cost(&self, segment: &Segment, size: Size) -> Cost {
        let bits = self.total_bits();
        let mut cost = segment.total_cost(size) * self.segments() as f64;
        cost += Cost::logic(adder_lut(size.family, bits), bits as f64) * (self.segments() - 1) as f64;
        cost
    }

    /// Registers in which activations wait for their step, and what writes and swaps the weights. Each later segment waits a cycle
    /// longer than the one before; the registers of the swap are the same in all of them.
    fn moves_cost(&self, segment: &Segment) -> Cost {
        let (steps, row) = (segment.steps(), self.act_bits * segment.rows());
        let waits = (self.segments() - 1) * (self.segments() - 2).max(0) / 2;
        let inside = steps * (steps - 1) / 2 * self.act_bits * segment.kernel.rows_a_step();
        let longest = (self.segments() - 2).max(0) + steps - 1;
        let stages = self.segments() * inside + waits * row + longest;
        // An enable a row, whose decoder has a shared input, and an enable of the swap at each delay.
        Cost::logic((self.rows + 1 + longest + 1) as f64, stages as f64)
    }

    /// The module `mixpe_array`.
    pub fn unit(&self) -> Rc<Unit> {
        let segment = self.segment();
        let m = Module::new("mixpe_array");
        m.doc(&format!(
            "ROWS by COLS multiply-accumulate cells with standing int4 weights, kernel {}.\n\
             Row r of the next weight tile is written by load_i; swap_i comes with the first x_i that meets the loaded tile.\n\
             The next load may begin in that cycle, if its rows come in ascending order.",
            self.kernel.name()
        ));
        let rows = m.param("ROWS", self.rows, 1..=256, "activations that enter together");
        let cols = m.param("COLS", self.cols, 1..=256, "columns");
        let act = m.param("ACT_W", self.act_bits, 2..=16, "bits of an activation");
        let imp = array_impl_param(&m, segment.shape.implementation);
        let (ck, en) = (m.clock(), m.input("en_i", bit()));
        let x = m.input("x_i", uint(&rows * &act));
        let swap = m.input("swap_i", bit());
        let load = m.input("load_i", bit());
        let row_bits = rows.clog2().larger(1);
        let w_row = m.input("w_row_i", uint(&row_bits));
        let w = m.input("w_i", uint(&cols * WEIGHT));
        m.describe(&x, "signed; row 0 lowest");
        m.describe(&swap, "this row of activations is the first that meets the tile loaded last");
        m.describe(&w, "one row of the next tile, column 0 lowest");
        let sums_o = m.output_wire("sums_o", uint(&cols * whole_bits(&act, &rows)));
        let total_o = m.output_wire("total_o", uint(&act + rows.clog2()));
        m.describe(&sums_o, "signed; sum of activation times weight of each column");
        m.describe(&total_o, "signed; sum of the activations");

        let sum_w = m.localparam("SUM_W", whole_bits(&act, &rows));
        let total_w = m.localparam("TOTAL_W", &act + rows.clog2());
        let segments = m.localparam("SEGMENTS", rows.ceil_div(SEGMENT));
        let each = m.localparam("EACH", rows.ceil_div(&segments));
        let part_w = m.localparam("PART_W", whole_bits(&act, &each));
        let part_total_w = m.localparam("PART_TOTAL_W", &act + each.clog2());
        // Rows that the last segment lacks have activations of zero and the weights of the last row.
        let padded = m.wire("padded", &concat(&[&lit(0, uint(&segments * &act)), &x]));
        m.allow(&padded, "UNUSEDSIGNAL", "padding of the last segment");
        let loads = m.wire_later("loads", uint(&segments * &each));
        m.generate_for("g_load", &segments * &each, |r| {
            let row = m.constant("ROW", r.smaller(&rows - 1), &row_bits);
            loads.drive_part(r, 1, &(&load & w_row.eq_to(row)));
        });
        let joined = m.wire_later("joined", uint(&segments * &cols * &sum_w));
        let totals = m.wire_later("totals", uint(&segments * &total_w));
        let (ck, en) = (&ck, &en);
        let joint = Joint { m: &m, ck, en, cols: &cols, part_w, part_total_w, sum_w, total_w, joined, totals };
        let build = |tag: &str, at: &Dim, wait: &Dim| {
            let (x, swap) = skew(&m, ck, en, tag, &padded.lane(at, &(&each * &act)), &swap, wait);
            let parts = m.wire_later(&format!("{tag}_parts"), uint(&cols * &joint.part_w));
            let total = m.wire_later(&format!("{tag}_total"), uint(&joint.part_total_w));
            m.instance(&format!("u_{tag}"), &segment.unit())
                .param("ROWS", &each)
                .param("COLS", &cols)
                .param("ACT_W", &act)
                .param("IMPL", &imp)
                .clock(ck)
                .input("en_i", en)
                .input("x_i", &x)
                .input("swap_i", &swap)
                .input("loads_i", &loads.lane(at, &each))
                .input("w_i", &w)
                .output("sums_o", &parts)
                .output("total_o", &total)
                .done();
            (parts, total)
        };
        let (parts, total) = build("first", &Dim::from(0), &Dim::from(0));
        joint.first(&parts, &total);
        let later = |i: &Dim| {
            let (parts, total) = build("later", &(i + 1), i);
            joint.later(i, &parts, &total);
        };
        m.generate_if(
            segments.gt(1),
            ["g_joined", "g_alone"],
            || m.generate_for("g_later", &segments - 1, later),
            || {},
        );
        let last = &segments - 1;
        sums_o.drive(joint.joined.slice(&last * &cols * &joint.sum_w, sums_o.width()));
        total_o.drive(joint.totals.slice(&last * &joint.total_w, total_o.width()));
        m.finish()
    }
}

/// Where the sums of the segments join, one segment a cycle.
struct Joint<'a> {
    m: &'a Module,
    ck: &'a Clock,
    en: &'a Expr,
    cols: &'a Dim,
    /// Bits of a segment's sum of a column, and of its activations.
    part_w: Dim,
    part_total_w: Dim,
    /// Bits of the array's.
    sum_w: Dim,
    total_w: Dim,
    /// Sums of all columns after each segment, and of the activations.
    joined: Wire,
    totals: Wire,
}

impl Joint<'_> {
    fn first(&self, parts: &Expr, total: &Expr) {
        self.m.generate_for("g_first_sum", self.cols, |c| {
            let part = self.m.wire("first_part", &parts.lane(c, &self.part_w));
            self.joined.drive_lane(c, &self.sum_w, &widen(self.m, "wide_first", &part, &self.sum_w));
        });
        let wide = widen(self.m, "wide_first_total", total, &self.total_w);
        self.totals.drive_lane(0, &self.total_w, &wide);
    }

    /// Adds segment `i` + 1.
    fn later(&self, i: &Dim, parts: &Expr, total: &Expr) {
        let Self { m, ck, en, cols, sum_w, total_w, .. } = self;
        m.generate_for("g_sum", *cols, |c| {
            let part = m.wire("later_part", &parts.lane(c, &self.part_w));
            let below = self.joined.lane(i * *cols + c, sum_w);
            let sum_q = ck.reg("sum_q", uint(sum_w));
            sum_q.next_when(en, below.wrapping_add(widen(m, "wide_later", &part, sum_w)));
            self.joined.drive_lane((i + 1) * *cols + c, sum_w, &sum_q);
        });
        let total_q = ck.reg("total_q", uint(total_w));
        let below = self.totals.lane(i, total_w);
        total_q.next_when(en, below.wrapping_add(widen(m, "wide_later_total", total, total_w)));
        self.totals.drive_lane(i + 1, total_w, &total_q);
    }
}
