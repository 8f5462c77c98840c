//! The hardware of `mixpe-gemm`: weight loader and walk, array, group sums, column feet, accumulators, output.
//!
//! Stages are counted from the accepted row of activations, see [`Hardware::array_latency`] and what follows it. One enable moves all
//! of them; it stops when an output beat waits, or when a group's zero points or scales have not come.

use std::rc::Rc;

use bitlathe_hdl::{Checked, Clock, Dim, Errors, Expr, Module, Unit, Wire, bit, check, lit, uint};
use bitlathe_spec::Interface;

use super::array::{Array, array_impl_param};
use super::control::{Walk, blocks, tile_walk, weight_loader};
use super::foot::{group_sum, memory_style};
use super::hardware::{Hardware, SCALE_BITS, WEIGHT_BITS, ZERO_BITS, ZERO_LANE};
use super::interface::T_MAX;
use crate::parts::delay_line::delayed;
use crate::parts::register_file::connect;
use crate::parts::requantize;
use crate::parts::sign::widen;
use crate::requantized::{Lanes, Requantized, Tile};

/// The whole core.
pub fn design(hw: &Hardware, interface: &Interface) -> Result<Checked, Errors> {
    check(&Top::new(hw, interface).build())
}

impl Hardware {
    /// Sizes of the walk over a job.
    pub fn walk(&self) -> Walk {
        Walk {
            rows: self.array.rows,
            t_block: self.t_block,
            t_max: T_MAX as i64,
            k_tiles_max: self.k_tiles_max,
            m_tiles_max: self.m_tiles_max,
            tiles_a_group: self.tiles_a_group(),
        }
    }
}

struct Top<'a> {
    hw: &'a Hardware,
    interface: &'a Interface,
    m: Module,
    ck: Clock,
    rows: Dim,
    cols: Dim,
    act: Dim,
    group: Dim,
    t_block: Dim,
    acc: Dim,
    imp: Dim,
    /// Moves every stage.
    en: Wire,
}

/// An accepted row of activations.
struct Row {
    accept: Expr,
    x: Expr,
    swap: Expr,
    load: Expr,
    w_row: Expr,
    w: Expr,
    /// Where it belongs, as the walk says.
    row: Expr,
    row_last: Expr,
    group_first: Expr,
    group_end: Expr,
    sum_first: Expr,
    sum_end: Expr,
    job_last: Expr,
}

/// Sums of a group of all columns, at the stage of the zero point.
struct Sums {
    columns: Expr,
    total: Expr,
    /// Row of the block.
    row: Expr,
}

/// Rows whose group ends, by the stages that they pass.
struct Ends {
    zero: Expr,
    scale: Expr,
    sum: Expr,
}

impl<'a> Top<'a> {
    fn new(hw: &'a Hardware, interface: &'a Interface) -> Self {
        let m = Module::new(&hw.top);
        m.doc(
            "Matrix product Y[t,m] = sum over k of X[t,k] * (W[m,k] - Z[m,g]) * S[m,g], g the group of k.\n\
             Weights stand in an array, two tiles of them, while activations stream past.",
        );
        let Array { rows, cols, act_bits, .. } = hw.array;
        // Stages are counted for these sizes, lanes of y made for these accumulators; the other sizes may be overridden.
        let rows = m.param("ROWS", rows, rows..=rows, "activations that enter together");
        let cols = m.param("COLS", cols, 1..=256, "columns");
        let act = m.param("ACT_W", act_bits, 2..=16, "bits of an activation");
        let group = m.param("GROUP", hw.group, hw.group..=hw.group, "activations of a group");
        let t_block = m.param("T_BLOCK", hw.t_block, blocks(hw.t_block), "activation rows that pass a weight tile");
        let acc = m.param("ACC_W", hw.acc_bits(), 8..=hw.exact_lane_bits(), "bits of an accumulator");
        let imp = array_impl_param(&m, hw.array.implementation());
        let ck = m.clock();
        let en = m.wire_later("en", bit());
        m.describe(&en, "moves every stage; low while an output beat waits or a group lacks its parameters");
        Self { hw, interface, m, ck, rows, cols, act, group, t_block, acc, imp, en }
    }

    fn build(self) -> Rc<Unit> {
        let (m, hw) = (&self.m, self.hw);
        let k_tiles = m.param("K_TILES_MAX", hw.k_tiles_max, 1..=65536, "most weight tiles along K");
        let m_tiles = m.param("M_TILES_MAX", hw.m_tiles_max, 1..=65536, "most weight tiles along M");
        let t_max = Dim::from(T_MAX as i64);
        let maxima = [("T_ROWS_MAX", &t_max), ("K_TILES_MAX", &k_tiles), ("M_TILES_MAX", &m_tiles)];
        let fields = connect(m, &self.ck, self.interface, &maxima, &[]);
        let field = |name: &str| {
            let found = fields.iter().find(|(n, _)| n == name);
            found.map_or_else(|| lit(0, bit()), |(_, e)| e.clone())
        };
        let row = self.intake(&field, &k_tiles, &m_tiles);
        let sums = self.sums(&row);
        let ends = self.ends(&row);
        let (y, supplied) = self.feet(&row, &sums, &ends);
        self.output(&row, &ends, &y, &supplied, &field);
        self.m.finish()
    }

    fn wire(&self, name: &str, width: impl Into<Dim>) -> Wire {
        self.m.wire_later(name, uint(width))
    }

    /// A value `n` enabled cycles later.
    fn delay(&self, name: &str, value: &Expr, n: i64) -> Expr {
        delayed(&self.m, &self.ck, name, &self.en, value, n, false)
    }

    /// The same for what must be low before the first row.
    fn delay_valid(&self, name: &str, value: &Expr, n: i64) -> Expr {
        delayed(&self.m, &self.ck, name, &self.en, value, n, true)
    }

    /// Weights a tile ahead, and rows of activations that meet them.
    fn intake(&self, field: &dyn Fn(&str) -> Expr, k_tiles: &Dim, m_tiles: &Dim) -> Row {
        let (m, hw, walk) = (&self.m, self.hw, self.hw.walk());
        m.comment("Weights: one row of a tile a beat, loaded behind the tile in use");
        let [swap, w_ready, load, full] = ["swap", "w_ready", "load", "full"].map(|n| self.wire(n, 1));
        let w_row = self.wire("w_row", self.rows.clog2().larger(1));
        let w = m.sink("w", uint(&self.cols * WEIGHT_BITS), false).take(&w_ready);
        m.instance("u_loader", &weight_loader(hw.array.rows))
            .param("ROWS", &self.rows)
            .clock(&self.ck)
            .input("en_i", &self.en)
            .input("w_valid_i", &w.valid)
            .output("w_ready_o", &w_ready)
            .input("swap_i", &swap)
            .output("load_o", &load)
            .output("row_o", &w_row)
            .output("full_o", &full)
            .done();
        m.comment("Activations: a row enters whole; the first of a block waits for its weight tile");
        let [x_ready, accept, row_first, pause] = ["x_ready", "accept", "row_first", "pause"].map(|n| self.wire(n, 1));
        let x = m.sink("x", uint(&self.rows * &self.act), false).take(&x_ready);
        x_ready.drive(&*self.en & (!&*row_first | (&*full & !&*pause)));
        accept.drive(&x.valid & &*x_ready);
        swap.drive(&*accept & &*row_first);
        let row = self.wire("row", self.t_block.clog2().larger(1));
        let names = ["row_last", "group_first", "group_end", "sum_first", "sum_end", "job_last"];
        let flags = names.map(|n| self.wire(n, 1));
        let mut i = m
            .instance("u_walk", &tile_walk(walk))
            .param("T_BLOCK", &self.t_block)
            .param("T_MAX", walk.t_max)
            .param("K_TILES_MAX", k_tiles)
            .param("M_TILES_MAX", m_tiles)
            .param("TILES_A_GROUP", self.group.div(&self.rows))
            .clock(&self.ck)
            .input("en_i", &self.en)
            .input("accept_i", &accept)
            .input("rows_i", &field("t_rows"))
            .input("k_tiles_i", &field("k_tiles"))
            .input("m_tiles_i", &field("m_tiles"))
            .output("row_o", &row)
            .output("pause_o", &pause)
            .output("row_first_o", &row_first);
        for (name, wire) in names.iter().zip(&flags) {
            i = i.output(&format!("{name}_o"), wire);
        }
        i.done();
        let e = |w: &Wire| (**w).clone();
        let [row_last, group_first, group_end, sum_first, sum_end, job_last] = flags.map(|f| e(&f));
        let (load, w_row, accept, swap, row) = (e(&load), e(&w_row), e(&accept), e(&swap), e(&row));
        let (x, w) = (x.data, w.data);
        Row { accept, x, swap, load, w_row, w, row, row_last, group_first, group_end, sum_first, sum_end, job_last }
    }

    /// The array, and behind it the sums over the tiles of a group.
    fn sums(&self, r: &Row) -> Sums {
        let (m, hw) = (&self.m, self.hw);
        m.comment("The array");
        let sums = self.wire("tile_sums", &self.cols * Array::sum_width(&self.act, &self.rows));
        let total = self.wire("tile_total", Array::total_width(&self.act, &self.rows));
        m.instance("u_array", &hw.array.unit())
            .param("ROWS", &self.rows)
            .param("COLS", &self.cols)
            .param("ACT_W", &self.act)
            .param("IMPL", &self.imp)
            .clock(&self.ck)
            .input("en_i", &self.en)
            .input("x_i", &r.x)
            .input("swap_i", &r.swap)
            .input("load_i", &r.load)
            .input("w_row_i", &r.w_row)
            .input("w_i", &r.w)
            .output("sums_o", &sums)
            .output("total_o", &total)
            .done();
        let latency = hw.array_latency();
        if !hw.adds_tiles() {
            m.allow(&r.group_first, "UNUSEDSIGNAL", "every tile is a group");
            let row = self.delay("row", &r.row, latency);
            return Sums { columns: (*sums).clone(), total: (*total).clone(), row };
        }
        let waits = m.wire("group_goes_on", &(&r.accept & !&r.group_end));
        let keep = self.delay("keep", &!&r.group_first, latency);
        let read_row = self.delay("read_row", &r.row, latency - 1);
        let write_row = self.delay("write_row", &read_row, 2);
        let write = self.delay_valid("group_goes_on", &waits, latency + 1);
        let columns = self.wire("group_sums", &self.cols * Array::sum_width(&self.act, &self.group));
        let group_total = self.wire("group_total", Array::total_width(&self.act, &self.group));
        m.instance("u_group", &group_sum(hw))
            .param("ROWS", &self.rows)
            .param("COLS", &self.cols)
            .param("ACT_W", &self.act)
            .param("GROUP", &self.group)
            .param("T_BLOCK", &self.t_block)
            .clock(&self.ck)
            .input("en_i", &self.en)
            .input("sums_i", &sums)
            .input("total_i", &total)
            .input("keep_i", &keep)
            .input("read_row_i", &read_row)
            .input("write_row_i", &write_row)
            .input("write_i", &write)
            .output("sums_o", &columns)
            .output("total_o", &group_total)
            .done();
        Sums { columns: (*columns).clone(), total: (*group_total).clone(), row: write_row }
    }

    /// Where a row ends its group, at the stages where something is done about it.
    fn ends(&self, r: &Row) -> Ends {
        let hw = self.hw;
        let ends = self.m.wire("ends_group", &(&r.accept & &r.group_end));
        let zero = self.delay_valid("at_zero", &ends, hw.zero_stage());
        let scale = self.delay_valid("at_scale", &zero, hw.scale_stage() - hw.zero_stage());
        let sum = self.delay_valid("at_sum", &scale, hw.sum_stage() - hw.scale_stage());
        Ends { zero, scale, sum }
    }

    /// A stream with one beat a group: it stays until the group's last row has passed. Gives the beat and whether it is there.
    fn parameters(&self, name: &str, lane: i64, passes: &Expr, row_last: &Expr) -> (Expr, Expr) {
        let m = &self.m;
        let taken = m.wire(&format!("{name}_taken"), &(&*self.en & passes & row_last));
        let beat = m.sink(name, uint(&self.cols * lane), false).take(&taken);
        (beat.data, !passes | &beat.valid)
    }

    /// Zero point, scale and accumulators of the columns; gives the sums, and whether all parameters are there.
    fn feet(&self, r: &Row, sums: &Sums, ends: &Ends) -> (Expr, Expr) {
        let (m, hw) = (&self.m, self.hw);
        m.comment("Zero points and scales, once a group");
        let zero_last = self.delay("zero_last", &r.row_last, hw.zero_stage());
        let scale_last = self.delay("scale_last", &zero_last, hw.scale_stage() - hw.zero_stage());
        let (z, z_there) = self.parameters("z", ZERO_LANE, &ends.zero, &zero_last);
        let (s, s_there) = self.parameters("s", SCALE_BITS, &ends.scale, &scale_last);
        m.allow(&z, "UNUSEDSIGNAL", "a zero point has five bits");
        let y = self.wire("sums", &self.cols * &self.acc);
        let (partial, keep) = self.partial(r, &sums.row, ends, &y);
        let foot = hw.foot();
        let unit = foot.unit();
        let (sum_w, zero_lane, scale) =
            (Array::sum_width(&self.act, &self.group), Dim::from(ZERO_LANE), Dim::from(SCALE_BITS));
        m.generate_for("g_column", &self.cols, |c| {
            m.instance("u_foot", &unit)
                .param("ACT_W", &self.act)
                .param("GROUP", &self.group)
                .param("ACC_W", &self.acc)
                .param("IMPL", &self.imp)
                .clock(&self.ck)
                .input("en_i", &self.en)
                .input("acc_i", &sums.columns.lane(c, &sum_w))
                .input("total_i", &sums.total)
                .input("z_i", &z.slice(c * &zero_lane, ZERO_BITS))
                .input("s_i", &s.lane(c, &scale))
                .input("partial_i", &partial.lane(c, &self.acc))
                .input("keep_i", &keep)
                .output_lane("y_o", &y, c, &self.acc)
                .done();
        });
        ((*y).clone(), m.wire("parameters_there", &(z_there & s_there)))
    }

    /// Sums over the groups before, a cycle after the scale, and whether they count. `row` is that of the zero point's stage.
    fn partial(&self, r: &Row, row: &Expr, ends: &Ends, y: &Wire) -> (Expr, Expr) {
        let (m, hw) = (&self.m, self.hw);
        let word = &self.cols * &self.acc;
        if hw.groups_max() == 1 {
            m.allow(row, "UNUSEDSIGNAL", "one group is all");
            m.allow(&r.sum_first, "UNUSEDSIGNAL", "one group is all");
            return (lit(0, uint(word)), lit(0, bit()));
        }
        m.comment("Sums over groups wait in memory; the last group's leave");
        let at = hw.scale_stage();
        let read_row = self.delay("sum_read_row", row, at - hw.zero_stage());
        let write_row = self.delay("sum_write_row", &read_row, hw.sum_stage() - at);
        let style = memory_style(hw.t_block, hw.array.family);
        let mem = m.memory("accumulators", &word, &self.t_block, style, "a row of a block: the sums of its columns");
        let partial = mem.read_registered(&self.ck, "partial_q", &self.en, &read_row);
        mem.write(&self.ck, &m.wire("sum_write", &(&ends.sum & &*self.en)), &write_row, y);
        let keep = self.delay("sum_keep", &!&r.sum_first, at + 1);
        (partial, keep)
    }

    /// Sums over all groups leave, straight or through the requantizer.
    fn output(&self, r: &Row, ends: &Ends, y: &Expr, supplied: &Expr, field: &dyn Fn(&str) -> Expr) {
        let (m, hw) = (&self.m, self.hw);
        m.comment("Output: a row of a block and a tile along M a beat");
        let at = hw.sum_stage();
        let sum_end = self.delay("sum_end", &r.sum_end, at);
        let last = self.delay("job_last", &r.job_last, at);
        let leaves = m.wire("leaves", &(&ends.sum & &sum_end));
        match hw.requant {
            None => self.exact(&leaves, &last, y, supplied),
            Some(requant) => {
                let row_last = self.delay("output_row_last", &r.row_last, at);
                self.requantized(requant, &leaves, &row_last, &last, y, supplied, field);
            }
        }
    }

    fn exact(&self, leaves: &Expr, last: &Expr, y: &Expr, supplied: &Expr) {
        let (m, lane) = (&self.m, Dim::from(self.hw.exact_lane_bits()));
        let data = self.wire("y_data", &self.cols * &lane);
        m.generate_for("g_output", &self.cols, |c| {
            let sum = m.wire("sum", &y.lane(c, &self.acc));
            data.drive_lane(c, &lane, &widen(m, "wide_sum", &sum, &lane));
        });
        let ready = self.wire("y_ready", 1);
        self.en.drive((!leaves | &*ready) & supplied);
        // While parameters are missing nothing moves: y must not be offered twice.
        let valid = m.wire("y_offered", &(leaves & supplied));
        m.stream("y", valid, (*data).clone(), Some(last.clone()), ready).source("y");
    }

    #[allow(clippy::too_many_arguments)]
    fn requantized(
        &self,
        requant: Requantized,
        leaves: &Expr,
        row_last: &Expr,
        last: &Expr,
        y: &Expr,
        supplied: &Expr,
        field: &dyn Fn(&str) -> Expr,
    ) {
        let m = &self.m;
        let lane = requant.lane(self.hw.acc_bits(), 1, 1);
        let lanes = Lanes { m, ck: &self.ck, en: &self.en, requant, lane, rows: &self.cols, acc: &self.acc };
        let taken = m.wire("parameters_taken", &(&*self.en & leaves & row_last));
        if !requant.per_row {
            m.allow(&taken, "UNUSEDSIGNAL", "parameters are registers");
        }
        let parameters = lanes.parameters(field, &taken, None);
        let y = lanes.build(&Tile { valid: leaves, last, sums: y, second: None }, &parameters);
        let y_valid = self.delay_valid("y_valid", leaves, requantize::LATENCY);
        let y_last = self.delay("y_last", last, requantize::LATENCY);
        let there = m.wire("all_there", &(supplied & (!leaves | &parameters.offered)));
        let ready = self.wire("y_ready", 1);
        self.en.drive((!&y_valid | &*ready) & &there);
        // While parameters are missing nothing moves: y must not be offered twice.
        let offered = m.wire("y_offered", &(&y_valid & &there));
        m.stream("y", offered, (*y).clone(), Some(y_last), ready).source("y");
    }
}
