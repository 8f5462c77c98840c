//! The hardware of `softmax`: what rows pass through in one, two or three walks.
//!
//! Everything in front of the last buffer runs freely: a row starts only when there are slots for its maximum and its sum, and
//! a beat only when the buffer or queue behind the exponentials has room for it. Only the last walk stops, by an enable, when
//! an output beat waits.

use std::rc::Rc;

use bitlathe_hdl::{Checked, Clock, Dim, Errors, Expr, Module, Unit, Wire, bit, check, concat, lit, sint, uint};
use bitlathe_spec::Interface;

use super::front::{DROP_BITS, row_mask, row_maximum, running_maximum};
use super::hardware::{Hardware, Online, RowScale, Walk};
use super::lanes::{self, FACTOR_BITS, STEP, ScaleLane, ita_lane, log_lane, product_bits};
use super::scale::{INVERSE_BITS, RECIPROCAL_BITS, Scaler};
use super::sum::RowSum;
use crate::parts::buffer::buffer;
use crate::parts::carry::impl_param;
use crate::parts::delay_line::delay_line;
use crate::parts::fifo::fifo;
use crate::parts::register_file::register_file;
use crate::parts::row_walk::{column_bits, row_walk};

/// The whole core.
pub fn design(hw: &Hardware, interface: &Interface) -> Result<Checked, Errors> {
    check(&Top::new(hw, interface).build())
}

impl Hardware {
    /// Sizes of the row's sum.
    pub fn sum(&self) -> RowSum {
        RowSum {
            lanes: self.lanes,
            e_bits: self.stage.e_bits(),
            sum_bits: self.sum_bits(),
            slots_log2: self.slots_log2(),
            online: self.online,
            max_bits: self.online.filter(|_| self.waits_for_sum()).map(|o| o.max_bits(self.in_bits)),
        }
    }

    /// Sizes of what the sum becomes.
    pub fn scaler(&self) -> Scaler {
        Scaler {
            scale: self.row_scale(),
            sum_bits: self.sum_bits(),
            most_zeros: self.most_zeros(),
            max_bits: self.online.map(|o| o.max_bits(self.in_bits)),
        }
    }

    /// A lane that multiplies.
    pub fn scale_lane(&self, out_bits: i64) -> ScaleLane {
        ScaleLane {
            e_bits: self.stage.e_bits(),
            sum_bits: self.sum_bits(),
            most_zeros: self.most_zeros(),
            out_bits,
            implementation: self.implementation,
        }
    }
}

/// The top module under construction.
struct Top<'a> {
    hw: &'a Hardware,
    interface: &'a Interface,
    m: Module,
    ck: Clock,
    lanes: Dim,
    in_w: Dim,
    n_max: Dim,
    e_w: Dim,
    sum_w: Dim,
    imp: Option<Dim>,
    /// Beats of a buffer: a row, and what rows shorter than a reciprocal pile up.
    depth: Dim,
    fields: Vec<(String, Expr)>,
}

/// An accepted beat.
struct Taken {
    accept: Wire,
    /// Room for a beat: driven by who keeps it.
    room: Wire,
    /// A beat comes in, and its row may start.
    valid: Expr,
    may: Expr,
    data: Expr,
    mask: Expr,
    end: Expr,
    last: Expr,
    /// First beat of a row moves.
    starts: Expr,
    /// The first beat of a row may move.
    slot: Wire,
}

/// Beats behind a buffer.
struct Waiting {
    valid: Expr,
    ready: Wire,
    data: Expr,
    end: Expr,
    last: Expr,
}

/// Words of a row that are offered: its maximum, its sum, its scale.
struct Offered {
    valid: Expr,
    ready: Wire,
    /// By name.
    words: Vec<(&'static str, Expr)>,
}

impl Offered {
    fn word(&self, name: &str) -> Option<&Expr> {
        self.words.iter().find(|(n, _)| *n == name).map(|(_, e)| e)
    }
}

/// A walk over waiting rows.
struct Release {
    /// A beat leaves the buffer.
    take: Expr,
    /// A row's words are taken over.
    load: Expr,
}

impl<'a> Top<'a> {
    fn new(hw: &'a Hardware, interface: &'a Interface) -> Self {
        let m = Module::new(&hw.top);
        let lanes = m.param("LANES", hw.lanes, 1..=64, "elements of a beat");
        let in_w = m.param("IN_W", hw.in_bits, 8..=32, "bits of an element");
        let n_max = m.param("N_MAX", hw.n_max, 1..=65536, "longest row");
        let e_bits = hw.stage.e_bits();
        let e_w = m.param("E_W", e_bits, e_bits..=e_bits, "bits of an exponential");
        let sum_w = m.param("SUM_W", hw.sum_bits(), 2..=64, "bits of a sum");
        m.guard(sum_w.ge(&e_w + n_max.clog2()), "a sum holds the longest row");
        let names_block = matches!(hw.row_scale(), RowScale::Reciprocal(bits) if hw.scale_lane(bits).names_block());
        let imp = names_block.then(|| impl_param(&m, hw.implementation));
        let ck = m.clock();
        let depth = (n_max.ceil_div(&lanes) + hw.slack()).larger(hw.least_depth());
        let depth = if hw.walk == Walk::One { depth } else { m.localparam("DEPTH", depth) };
        Self { hw, interface, m, ck, lanes, in_w, n_max, e_w, sum_w, imp, depth, fields: vec![] }
    }

    fn build(mut self) -> Rc<Unit> {
        self.registers();
        match self.hw.walk {
            Walk::Three if self.hw.waits_for_sum() => self.three(),
            Walk::Three => self.three_raw(),
            Walk::Two => self.two(),
            Walk::One => self.one(),
        }
        self.m.finish()
    }

    fn registers(&mut self) {
        let (m, bits) = (&self.m, self.interface.address_bits());
        m.comment("Registers");
        let unit = register_file("register_file", bits, &self.interface.registers);
        let write = m.input("reg_write_i", bit());
        let addr = m.input("reg_addr_i", uint(bits));
        let wdata = m.input("reg_wdata_i", uint(32));
        let rdata = m.output_wire("reg_rdata_o", uint(32));
        let mut i = m
            .instance("u_registers", &unit)
            .param("COLUMNS_MAX", &self.n_max)
            .clock(&self.ck)
            .input("write_i", &write)
            .input("addr_i", &addr)
            .input("wdata_i", &wdata)
            .output("rdata_o", &rdata);
        for f in self.interface.registers.iter().flat_map(|r| &r.fields) {
            if unit.has_port(&format!("{}_o", f.name)) {
                let width = if f.name == "columns" { column_bits(&self.n_max) } else { Dim::from(f.width) };
                let wire = m.wire_later(&f.name, uint(width));
                i = i.output(&format!("{}_o", f.name), &wire);
                self.fields.push((f.name.clone(), (*wire).clone()));
            }
        }
        i.done();
    }

    fn field(&self, name: &str, width: impl Into<Dim>) -> Expr {
        let found = self.fields.iter().find(|(n, _)| n == name);
        found.map_or_else(|| lit(0, uint(width)), |(_, e)| e.clone())
    }

    fn wire(&self, name: &str, width: impl Into<Dim>) -> Wire {
        self.m.wire_later(name, uint(width))
    }

    /// A value `n` enabled cycles later.
    fn delayed(&self, name: &str, en: &Expr, value: &Expr, n: i64, reset: bool) -> Expr {
        if n == 0 {
            return value.clone();
        }
        let out = self.wire(&format!("{name}_delayed"), value.width());
        self.m
            .instance(&format!("u_delay_{name}"), &delay_line(value.width().value(), n, reset))
            .param("WIDTH", value.width())
            .param("STAGES", n)
            .clock(&self.ck)
            .input("en_i", en)
            .input("value_i", value)
            .output("value_o", &out)
            .done();
        (*out).clone()
    }

    /// Counts what has begun and has not been given back; whether fewer than `limit` have.
    fn open(&self, name: &str, limit: &Dim, begins: &Expr, ends: &Expr) -> Expr {
        let m = &self.m;
        let width = (limit + 1).clog2();
        let count = self.ck.reg(&format!("{name}_q"), uint(&width)).reset_to(0);
        let counted = m.wire(&format!("{name}_next"), &begins.select(count.wrapping_add(1), count.wrapping_sub(1)));
        count.next_when(&m.wire(&format!("{name}_changes"), &begins.xor(ends)), &counted);
        m.wire(
            &format!("{name}_free"),
            &count.ne_to(m.constant(&format!("{}_LIMIT", name.to_uppercase()), limit, &width)),
        )
    }

    /// Rows with a slot.
    fn slots(&self, name: &str, begins: &Expr, ends: &Expr) -> Expr {
        self.open(name, &Dim::from(1i64 << self.hw.slots_log2()), begins, ends)
    }

    /// Takes beats of x where there is room, and a row's first only where it has a slot.
    fn intake(&self) -> Taken {
        let m = &self.m;
        m.comment("Input");
        let (accept, ready, room, slot) =
            (self.wire("accept", 1), self.wire("ready", 1), self.wire("room", 1), self.wire("slot", 1));
        let x = m.sink("x", uint(&self.lanes * &self.in_w), true).take(&ready);
        let (end, remaining) = (self.wire("row_end", 1), self.wire("remaining", column_bits(&self.n_max)));
        m.instance("u_walk", &row_walk(self.hw.lanes, self.hw.n_max))
            .param("LANES", &self.lanes)
            .param("C_MAX", &self.n_max)
            .clock(&self.ck)
            .input("columns_i", &self.field("columns", column_bits(&self.n_max)))
            .input("accept_i", &accept)
            .output("remaining_o", &remaining)
            .output("end_o", &end)
            .done();
        m.allow(&remaining, "UNUSEDSIGNAL", "a row's last beat holds LANES elements at most");
        let mask = self.wire("mask", &self.lanes);
        m.instance("u_mask", &row_mask(self.hw.lanes))
            .param("LANES", &self.lanes)
            .input("end_i", &end)
            .input("remaining_i", &remaining.slice(0, (&self.lanes + 1).clog2()))
            .output("mask_o", &mask)
            .done();
        let first = self.ck.reg("first_q", bit()).reset_to(1);
        first.next_when(&accept, &*end);
        let may = m.wire("may", &(!&*first | &*slot));
        ready.drive(&may & &*room);
        accept.drive(&x.valid & &*ready);
        let starts = m.wire("starts", &(&*accept & &*first));
        let last = x.last.unwrap_or_else(|| lit(0, bit()));
        let e = |w: &Wire| (**w).clone();
        Taken { valid: x.valid, may, data: x.data, mask: e(&mask), end: e(&end), last, starts, slot, accept, room }
    }

    /// The mask of a row's last beat, which is the same for all rows of a job.
    fn tail(&self, x: &Taken) -> Expr {
        let tail = self.ck.reg("tail_q", uint(&self.lanes));
        self.m.describe(&tail, "lanes that hold an element in a row's last beat");
        tail.next_when(&(&*x.accept & &x.end), &x.mask);
        (*tail).clone()
    }

    /// A buffer of beats with end and last; `valid` offers a beat to it.
    fn waiting(&self, name: &str, depth: &Dim, valid: &Expr, room: &Wire, word: [&Expr; 3]) -> Waiting {
        let m = &self.m;
        let [data, end, last] = word;
        let width = data.width() + 2;
        let out = self.wire(&format!("{name}_word"), &width);
        let (m_valid, ready) = (self.wire(&format!("{name}_valid"), 1), self.wire(&format!("{name}_ready"), 1));
        m.instance(&format!("u_{name}"), &buffer(width.value(), depth.value()))
            .param("WIDTH", &width)
            .param("DEPTH", depth)
            .clock(&self.ck)
            .input("s_valid_i", valid)
            .output("s_ready_o", room)
            .input("s_data_i", &m.wire(&format!("{name}_in"), &concat(&[last, end, data])))
            .output("m_valid_o", &m_valid)
            .input("m_ready_i", &ready)
            .output("m_data_o", &out)
            .done();
        Waiting {
            valid: (*m_valid).clone(),
            ready,
            data: m.wire(&format!("{name}_data"), &out.slice(0, data.width())),
            end: out.bit(data.width()),
            last: out.bit(data.width() + 1),
        }
    }

    /// x behind a buffer.
    fn buffered_x(&self, x: &Taken) -> Waiting {
        self.m.comment("Elements wait");
        let offered = self.m.wire("offered", &(&x.valid & &x.may));
        self.waiting("elements", &self.depth, &offered, &x.room, [&x.data, &x.end, &x.last])
    }

    /// Exponentials, under an enable.
    fn exponentials(&self, name: &str, en: &Expr, x: &Expr, max: &Expr) -> Expr {
        let e = self.wire(name, &self.lanes * &self.e_w);
        let mut i = self
            .m
            .instance(&format!("u_{name}"), &self.hw.stage.module())
            .param("LANES", &self.lanes)
            .param("IN_W", &self.in_w)
            .clock(&self.ck)
            .input("en_i", en)
            .input("x_i", x)
            .input("max_i", max);
        for p in self.hw.stage.parameters() {
            i = i.input(&format!("{}_i", p.name), &self.field(p.name, p.bits));
        }
        i.output("e_o", &e).done();
        (*e).clone()
    }

    /// Sums of rows in a queue, with their maxima where these run along.
    fn sums(&self, valid: &Expr, end: &Expr, mask: &Expr, e: &Expr, running: Option<(&Expr, &Expr)>) -> Offered {
        let m = &self.m;
        m.comment("Sum");
        let (sum_valid, ready, sum) =
            (self.wire("sum_valid", 1), self.wire("sum_ready", 1), self.wire("sum_word", &self.sum_w));
        let mut words = vec![("sum", (*sum).clone())];
        let mut i = m
            .instance("u_sum", &self.hw.sum().unit())
            .param("LANES", &self.lanes)
            .param("E_W", &self.e_w)
            .param("SUM_W", &self.sum_w)
            .param("SLOTS_W", self.hw.slots_log2());
        if let (Some((max, drop)), Some(online)) = (running, self.hw.online) {
            let max_w = self.max_w(online);
            i = i.input("drop_i", drop);
            if self.hw.waits_for_sum() {
                let late = self.wire("sum_max", &max_w);
                i = i.param("MAX_W", &max_w).input("max_i", max).output("max_o", &late);
                words.push(("max", (*late).clone()));
            }
        }
        i.clock(&self.ck)
            .input("valid_i", valid)
            .input("end_i", end)
            .input("mask_i", mask)
            .input("e_i", e)
            .output("sum_valid_o", &sum_valid)
            .input("sum_ready_i", &ready)
            .output("sum_o", &sum)
            .done();
        Offered { valid: (*sum_valid).clone(), ready, words }
    }

    /// Bits of a running maximum.
    fn max_w(&self, online: Online) -> Dim {
        match online {
            Online::Octaves(f) => &self.in_w + 1 - f,
            Online::Ita => self.in_w.clone(),
        }
    }

    /// What the sums become.
    fn scales(&self, sums: Offered) -> Offered {
        let (m, scaler) = (&self.m, self.hw.scaler());
        if scaler.scale == RowScale::Sum {
            return sums;
        }
        m.comment("Scale of a row");
        let (valid, ready) = (self.wire("scale_valid", 1), self.wire("scale_ready", 1));
        let mut words = vec![];
        let unit = scaler.unit();
        let mut i = m.instance("u_scale", &unit).param("SUM_W", &self.sum_w);
        if let (Some(max), Some(online)) = (sums.word("max"), self.hw.online) {
            i = i.param("MAX_W", self.max_w(online)).input("max_i", max);
        }
        for (name, width) in [
            ("zeros", Dim::from(scaler.zeros_bits())),
            ("reciprocal", Dim::from(RECIPROCAL_BITS)),
            ("normal", self.sum_w.clone()),
            ("inverse", Dim::from(INVERSE_BITS)),
            ("max", self.hw.online.map_or(Dim::from(1), |o| self.max_w(o))),
        ] {
            if unit.has_port(&format!("{name}_o")) {
                let word = self.wire(&format!("scale_{name}"), &width);
                i = i.output(&format!("{name}_o"), &word);
                words.push((name, (*word).clone()));
            }
        }
        i.clock(&self.ck)
            .input("sum_valid_i", &sums.valid)
            .output("sum_ready_o", &sums.ready)
            .input("sum_i", sums.word("sum").unwrap_or(&sums.valid))
            .output("scale_valid_o", &valid)
            .input("scale_ready_i", &ready)
            .done();
        Offered { valid: (*valid).clone(), ready, words }
    }

    /// Takes over a row's words when the last beat of the row before leaves; `go` moves beats, `free` lets a row in.
    fn release(&self, name: &str, row: &Offered, waiting: &Waiting, go: &Expr, free: &Expr) -> Release {
        let m = &self.m;
        let have = self.ck.reg(&format!("{name}_have_q"), bit()).reset_to(0);
        let moves = m.wire(&format!("{name}_moves"), &(&*have & go));
        waiting.ready.drive(&moves);
        let take = m.wire(&format!("{name}_take"), &(&moves & &waiting.valid));
        let ending = m.wire(&format!("{name}_ending"), &(&take & &waiting.end));
        row.ready.drive((!&*have | &ending) & free);
        let load = m.wire(&format!("{name}_load"), &(&row.valid & &*row.ready));
        have.next(&load | (&*have & !&ending));
        Release { take, load }
    }

    /// A word of a row while its beats leave.
    fn held(&self, name: &str, load: &Expr, value: &Expr) -> Expr {
        let q = self.ck.reg(name, value.ty().clone());
        q.next_when(load, value);
        (*q).clone()
    }

    /// Maximum, then exponentials of the beats that waited for it: what both forms of three walks begin with. Beats move when
    /// there is room behind the exponentials.
    fn summed(&self, room: &Wire, free: &Wire) -> (Exponentials, Expr) {
        let m = &self.m;
        let x = self.intake();
        let waiting = self.buffered_x(&x);
        m.comment("Maximum");
        let tail = self.tail(&x);
        let (valid, ready, max) = (self.wire("max_valid", 1), self.wire("max_ready", 1), self.wire("max", &self.in_w));
        m.instance("u_maximum", &row_maximum(self.hw.lanes, self.hw.in_bits, self.hw.slots_log2()))
            .param("LANES", &self.lanes)
            .param("IN_W", &self.in_w)
            .param("SLOTS_W", self.hw.slots_log2())
            .clock(&self.ck)
            .input("accept_i", &x.accept)
            .input("end_i", &x.end)
            .input("mask_i", &x.mask)
            .input("data_i", &x.data)
            .output("max_valid_o", &valid)
            .input("max_ready_i", &ready)
            .output("max_o", &max)
            .done();
        let row = Offered { valid: (*valid).clone(), ready, words: vec![] };
        m.comment("Exponentials");
        let go = self.release("second", &row, &waiting, room, free);
        x.slot.drive(self.slots("rows", &x.starts, &go.load));
        let max = self.held("max_q", &go.load, &max.as_signed());
        let always = lit(1, bit());
        let e = self.exponentials("exp", &always, &waiting.data, &max);
        let n = self.hw.stage.latency();
        let flags = m.wire("exp_flags", &concat(&[&waiting.last, &waiting.end]));
        let flags = self.delayed("exp_flags", &always, &flags, n, false);
        let valid = self.delayed("exp_valid", &always, &go.take, n, true);
        let out = Exponentials { take: go.take, load: go.load, valid, end: flags.bit(0), last: flags.bit(1), e, tail };
        (out, always)
    }

    /// Three walks with an output that waits for the sum.
    fn three(&self) {
        let m = &self.m;
        m.doc(
            "Softmax in three walks, each over another row: maximum; exponentials and their sum; output.\n\
             Rows wait in memory between the walks.",
        );
        let (room, free) = (self.wire("exp_room", 1), self.wire("sum_free", 1));
        let (exp, _) = self.summed(&room, &free);
        let sums = self.sums(&exp.valid, &exp.end, &exp.tail, &exp.e, None);
        m.comment("Exponentials wait");
        let never_full = self.wire("kept_room", 1);
        m.allow(&never_full, "UNUSEDSIGNAL", "a beat moves only when there is room for it");
        let waiting = self.waiting("kept", &self.depth, &exp.valid, &never_full, [&exp.e, &exp.end, &exp.last]);
        let scales = self.scales(sums);
        let go = self.last_walk(&scales, &waiting);
        room.drive(self.open("kept_beats", &self.depth, &exp.take, &go.take));
        free.drive(self.slots("sums", &exp.load, &go.load));
    }

    /// Three walks whose output needs no sum: it leaves with the second, the sum follows.
    fn three_raw(&self) {
        let m = &self.m;
        m.doc("Exponentials of rows and their sums: the maximum first, then both in one walk.");
        let (room, free) = (self.wire("exp_room", 1), self.wire("sum_free", 1));
        let (exp, _) = self.summed(&room, &free);
        let sums = self.sums(&exp.valid, &exp.end, &exp.tail, &exp.e, None);
        m.comment("Output");
        let word = concat(&[&exp.last, &exp.e]);
        let (y, moved) = self.queue(&exp.valid, &word);
        let (data, last) = (m.wire("y_data", &y.slice(0, &self.lanes * &self.e_w)), y.bit(&self.lanes * &self.e_w));
        let (valid, ready) = (self.wire("y_valid", 1), self.wire("y_ready", 1));
        valid.drive(&moved.0);
        moved.1.drive(&*ready);
        let left = m.wire("y_leaves", &(&*valid & &*ready));
        room.drive(self.open("queued", &Dim::from(1i64 << self.hw.queue_log2()), &exp.take, &left));
        m.stream("y", (*valid).clone(), data, Some(last), ready).source("y");
        free.drive(self.slots("sums", &exp.load, &self.sum_output(sums)));
    }

    /// A queue behind the exponentials: its front word, and valid with ready.
    fn queue(&self, push: &Expr, word: &Expr) -> (Expr, (Expr, Wire)) {
        let m = &self.m;
        let never_full = self.wire("queue_room", 1);
        m.allow(&never_full, "UNUSEDSIGNAL", "a beat moves only when there is room for it");
        let (valid, ready, out) =
            (self.wire("queue_valid", 1), self.wire("queue_ready", 1), self.wire("queue_word", word.width()));
        m.instance("u_output", &fifo(word.width().value(), self.hw.queue_log2()))
            .param("WIDTH", word.width())
            .param("DEPTH_W", self.hw.queue_log2())
            .clock(&self.ck)
            .input("s_valid_i", push)
            .output("s_ready_o", &never_full)
            .input("s_data_i", word)
            .output("m_valid_o", &valid)
            .input("m_ready_i", &ready)
            .output("m_data_o", &out)
            .done();
        ((*out).clone(), ((*valid).clone(), ready))
    }

    /// The stream `sum` straight from its queue; when a sum leaves.
    fn sum_output(&self, sums: Offered) -> Expr {
        let m = &self.m;
        let leaves = m.wire("sum_leaves", &(&sums.valid & &*sums.ready));
        let sum = sums.words.into_iter().find(|(n, _)| *n == "sum").map_or_else(|| lit(0, bit()), |(_, e)| e);
        m.stream("sum", sums.valid, sum, None, sums.ready).source("sum");
        leaves
    }

    /// Beats with their maximum so far, their exponentials, and the sums: what walks with a running maximum begin with.
    fn online(&self, x: &Taken, online: Online) -> (Exponentials, Expr, Offered) {
        let m = &self.m;
        m.comment("Running maximum and exponentials");
        let tail = self.tail(x);
        let max_w = self.max_w(online);
        let max = m.wire_later("run_max", sint(&max_w));
        let (valid, end, drop) = (self.wire("run_valid", 1), self.wire("run_end", 1), self.wire("run_drop", DROP_BITS));
        let data = self.wire("run_data", &self.lanes * &self.in_w);
        m.instance("u_running", &running_maximum(self.hw.lanes, self.hw.in_bits, online))
            .param("LANES", &self.lanes)
            .param("IN_W", &self.in_w)
            .clock(&self.ck)
            .input("accept_i", &x.accept)
            .input("end_i", &x.end)
            .input("mask_i", &x.mask)
            .input("data_i", &x.data)
            .output("valid_o", &valid)
            .output("end_o", &end)
            .output("max_o", &max)
            .output("drop_o", &drop)
            .output("data_o", &data)
            .done();
        let always = lit(1, bit());
        let e = self.exponentials("exp", &always, &data, &max);
        let n = self.hw.stage.latency();
        let words = m.wire("exp_words", &concat(&[&max.as_unsigned(), &*drop, &*end]));
        let words = self.delayed("exp_words", &always, &words, n, false);
        let valid = self.delayed("exp_valid", &always, &valid, n, true);
        let (end, drop) = (words.bit(0), words.slice(1, DROP_BITS));
        let max = m.wire("exp_max", &words.slice(1 + DROP_BITS, &max_w));
        let sums = self.sums(&valid, &end, &tail, &e, Some((&max, &drop)));
        let take = (*x.accept).clone();
        let last = lit(0, bit());
        (Exponentials { take, load: x.starts.clone(), valid, end, last, e, tail }, max, sums)
    }

    /// Two walks: the sum under the running maximum, then the output under the last one.
    fn two(&self) {
        let (m, Some(online)) = (&self.m, self.hw.online) else { return };
        m.doc(
            "Softmax in two walks over a row: sum under the maximum so far, rescaled when it grows;\n\
             output under the row's last maximum, while the next row is summed. Rows wait in memory.",
        );
        let x = self.intake();
        let waiting = self.buffered_x(&x);
        let (_, _, sums) = self.online(&x, online);
        let scales = self.scales(sums);
        let go = self.last_walk(&scales, &waiting);
        x.slot.drive(self.slots("rows", &x.starts, &go.load));
    }

    /// One walk: exponentials under the maximum so far, which leaves beside them; the sum follows.
    fn one(&self) {
        let (m, Some(online)) = (&self.m, self.hw.online) else { return };
        m.doc(
            "Exponentials of rows in one walk, each beat under the maximum of its row so far, in octaves;\n\
             that maximum; and each row's sum under its last maximum.",
        );
        let x = self.intake();
        let (exp, max, sums) = self.online(&x, online);
        m.comment("Output");
        let n = self.hw.online_latency();
        let last = self.delayed("job_last", &lit(1, bit()), &x.last, n, false);
        let word = m.wire("beat", &concat(&[&max, &last, &exp.e]));
        let (out, (valid, ready)) = self.queue(&exp.valid, &word);
        x.room.drive(self.open(
            "queued",
            &Dim::from(1i64 << self.hw.queue_log2()),
            &exp.take,
            &m.wire("leaves", &(&valid & &*ready)),
        ));
        let width = &self.lanes * &self.e_w;
        let (y, octave) = m.stream("beats", valid, out, None, ready).fork(&self.ck, "fork");
        octave.map("octave", |w| w.slice(&width + 1, self.max_w(online))).source("octave");
        let y_ready = self.wire("y_taken", 1);
        let beat = y.take(&y_ready);
        let data = m.wire("y_data", &beat.data.slice(0, &width));
        m.stream("y", beat.valid, data, Some(beat.data.bit(&width)), y_ready).source("y");
        x.slot.drive(self.slots("rows", &x.starts, &self.sum_output(sums)));
    }

    /// The walk that writes y, under an enable.
    fn last_walk(&self, row: &Offered, waiting: &Waiting) -> Release {
        let (m, hw) = (&self.m, self.hw);
        m.comment("Output");
        let en = self.wire("en", 1);
        m.describe(&en, "moves the last walk; low while an output beat waits");
        let raw = hw.row_scale() == RowScale::Sum;
        let side = raw.then(|| (self.ck.reg("sum_offered_q", bit()).reset_to(0), self.wire("sum_out_ready", 1)));
        let free = side.as_ref().map_or_else(|| lit(1, bit()), |(valid, ready)| !&**valid | &**ready);
        let go = self.release("last", row, waiting, &en, &m.wire("row_free", &free));
        let n = hw.lane_latency();
        let valid = self.delayed("y_valid", &en, &go.take, n, true);
        let last = self.delayed("y_last", &en, &waiting.last, n, false);
        let e = match row.word("max") {
            Some(max) => {
                let max = self.held("last_max_q", &go.load, &max.as_signed());
                self.exponentials("last_exp", &en, &waiting.data, &max)
            }
            None => waiting.data.clone(),
        };
        // The words of a row reach the lanes with its exponentials.
        let behind = if hw.walk == Walk::Two { hw.stage.latency() } else { 0 };
        let y = match hw.row_scale() {
            RowScale::Reciprocal(bits) => self.scale_lanes(&en, &go, row, &e, behind, bits),
            RowScale::Magnitude => self.log_lanes(&en, &go, row, &e, behind),
            RowScale::Inverse => self.ita_lanes(&en, &go, row, &e, behind),
            RowScale::Sum => e,
        };
        let ready = self.wire("y_ready", 1);
        en.drive(!&valid | &*ready);
        m.stream("y", valid, y, Some(last), ready).source("y");
        if let Some((offered, ready)) = side {
            offered.next(&go.load | (&*offered & !&*ready));
            let sum = self.held("sum_q", &go.load, row.word("sum").unwrap_or(&go.load));
            m.stream("sum", (*offered).clone(), sum, None, ready).source("sum");
        }
        go
    }

    /// A word of a row, when its first exponentials reach the lanes.
    fn at_lanes(&self, name: &str, en: &Expr, go: &Release, row: &Offered, behind: i64) -> Expr {
        let word = row.word(name).unwrap_or(&go.load);
        let held = self.held(&format!("row_{name}_q"), &go.load, word);
        self.delayed(&format!("row_{name}"), en, &held, behind, false)
    }

    fn scale_lanes(&self, en: &Expr, go: &Release, row: &Offered, e: &Expr, behind: i64, bits: i64) -> Expr {
        let (m, lane) = (&self.m, self.hw.scale_lane(bits));
        let zeros_w = self.hw.scaler().zeros_bits();
        let zero = lit(0, bit());
        let (zeros, reciprocal) = (row.word("zeros").unwrap_or(&zero), row.word("reciprocal").unwrap_or(&zero));
        // Leading zeros of the sum, as far as one factor can take them over.
        let fine_w = zeros_w.min(bitlathe_hdl::clog2(STEP));
        let fine = m.wire("fine", &zeros.slice(0, fine_w));
        let wide = concat(&[&lit(0, uint(STEP - 1)), reciprocal]);
        let factor = self.held("factor_q", &go.load, &m.wire("shifted_reciprocal", &wide.shl(&fine)));
        let coarse = if zeros_w > fine_w { zeros.slice(fine_w, zeros_w - fine_w) } else { zero };
        let step_w = lane.step_bits();
        let coarse = m.wire("coarse", &coarse);
        let step = self.held("step_q", &go.load, &coarse.slice(0, step_w));
        let factor = self.delayed("factor", en, &factor, behind, false);
        let step = self.delayed("step", en, &step, behind, false);

        let pw = product_bits(&self.e_w);
        let above = &pw - (FACTOR_BITS - 1) - (&self.e_w - 1);
        let middle = concat(&[&lit(0, uint(above)), &factor, &lit(0, uint(&self.e_w - 1))]);
        let place = &self.sum_w + 16 - bits;
        let top_half = concat(&[&lit(0, uint(&pw - &place - 1)), &lit(1, bit()), &lit(0, uint(&place))]);
        let half = m.wire("half", &m.wire("first_half", &top_half).shr(&concat(&[&step, &lit(0, uint(3))])));
        let addend = self.ck.reg("addend_q", uint(&pw));
        addend.next_when(en, m.wire("middle", &middle).wrapping_add(&half));
        let addend = m.wire("addend", &addend.as_signed());
        let late = self.delayed("late_step", en, &step, lanes::latency(RowScale::Reciprocal(bits)) - 1, false);

        let y = self.wire("y_lanes", &self.lanes * bits);
        let unit = lane.unit();
        let imp = self.imp.clone().unwrap_or_default();
        m.generate_for("g_lane", &self.lanes, |i| {
            m.instance("u_lane", &unit)
                .param("E_W", &self.e_w)
                .param("SUM_W", &self.sum_w)
                .param("OUT_W", bits)
                .param("STEPS", lane.steps())
                .param("IMPL", &imp)
                .clock(&self.ck)
                .input("en_i", en)
                .input("e_i", &e.lane(i, &self.e_w))
                .input("factor_i", &factor)
                .input("addend_i", &addend)
                .input("step_i", &late)
                .output_part("y_o", &y, i * bits, bits)
                .done();
        });
        (*y).clone()
    }

    fn log_lanes(&self, en: &Expr, go: &Release, row: &Offered, e: &Expr, behind: i64) -> Expr {
        let zeros = self.at_lanes("zeros", en, go, row, behind);
        let normal = self.at_lanes("normal", en, go, row, behind);
        let normal = self.delayed("late_normal", en, &normal, 1, false);
        let (m, zeros_w) = (&self.m, self.hw.scaler().zeros_bits());
        let y = self.wire("y_lanes", &self.lanes * 4);
        let unit = log_lane(self.hw.stage.e_bits(), self.hw.sum_bits(), zeros_w);
        m.generate_for("g_lane", &self.lanes, |i| {
            m.instance("u_lane", &unit)
                .param("E_W", &self.e_w)
                .param("SUM_W", &self.sum_w)
                .param("ZEROS_W", zeros_w)
                .clock(&self.ck)
                .input("en_i", en)
                .input("e_i", &e.lane(i, &self.e_w))
                .input("zeros_i", &zeros)
                .input("normal_i", &normal)
                .output_part("y_o", &y, i * 4, 4)
                .done();
        });
        (*y).clone()
    }

    fn ita_lanes(&self, en: &Expr, go: &Release, row: &Offered, e: &Expr, behind: i64) -> Expr {
        let inverse = self.at_lanes("inverse", en, go, row, behind);
        let y = self.wire("y_lanes", &self.lanes * INVERSE_BITS);
        let unit = ita_lane();
        self.m.generate_for("g_lane", &self.lanes, |i| {
            self.m
                .instance("u_lane", &unit)
                .clock(&self.ck)
                .input("en_i", en)
                .input("e_i", &e.lane(i, &self.e_w))
                .input("inverse_i", &inverse)
                .output_part("y_o", &y, i * INVERSE_BITS, INVERSE_BITS)
                .done();
        });
        (*y).clone()
    }
}

/// Exponentials of a beat with what belongs to it.
struct Exponentials {
    /// The beat entered.
    take: Expr,
    /// Its row began.
    load: Expr,
    valid: Expr,
    end: Expr,
    last: Expr,
    e: Expr,
    /// Mask of a row's last beat.
    tail: Expr,
}
