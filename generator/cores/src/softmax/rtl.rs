//! The hardware of `softmax`: what rows pass through in one, two or three walks.
//!
//! Everything in front of the last buffer runs freely: a row starts only when there are slots for its maximum and its sum, and
//! a beat only when the buffer or queue behind the exponentials has room for it. Only the last walk stops, by an enable, when
//! an output beat waits.

use std::rc::Rc;

use bitlathe_hdl::{
    Checked, Clock, Dim, Errors, Expr, Module, Stream, Unit, Wire, bit, check, concat, lit, sint, uint,
};
use bitlathe_spec::Interface;

use super::front::{DROP_BITS, row_mask, row_maximum, running_maximum};
use super::hardware::{Hardware, Online, RowScale, Walk};
use super::lanes::ScaleLane;
use super::scale::{INVERSE_BITS, RECIPROCAL_BITS, Scaler};
use super::sum::RowSum;
use crate::parts::buffer::buffer;
use crate::parts::carry::impl_param;
use crate::parts::delay_line::delayed;
use crate::parts::fifo::fifo;
use crate::parts::register_file::connect;
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
pub struct Top<'a> {
    /// Numbers.
    pub hw: &'a Hardware,
    interface: &'a Interface,
    /// The module.
    pub m: Module,
    /// Its clock.
    pub ck: Clock,
    /// Elements of a beat, as a symbol.
    pub lanes: Dim,
    in_w: Dim,
    n_max: Dim,
    /// Bits of an exponential, as a symbol.
    pub e_w: Dim,
    /// Bits of a sum, as a symbol.
    pub sum_w: Dim,
    /// `IMPL`, where lanes name a vendor's block.
    pub imp: Option<Dim>,
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
pub struct Waiting {
    valid: Expr,
    ready: Wire,
    /// What waited.
    pub data: Expr,
    end: Expr,
    /// Last beat of the job.
    pub last: Expr,
}

/// Words of a row that are offered: its maximum, its sum, its scale.
pub struct Offered {
    valid: Expr,
    ready: Wire,
    /// By name.
    words: Vec<(&'static str, Expr)>,
}

impl Offered {
    /// A word by name.
    pub fn word(&self, name: &str) -> Option<&Expr> {
        self.words.iter().find(|(n, _)| *n == name).map(|(_, e)| e)
    }
}

/// A walk over waiting rows.
pub struct Release {
    /// A beat leaves the buffer.
    pub take: Expr,
    /// A row's words are taken over.
    pub load: Expr,
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
        self.fields = connect(&self.m, &self.ck, self.interface, &[("COLUMNS_MAX", &self.n_max)], &[]);
        match self.hw.walk {
            Walk::Three if self.hw.waits_for_sum() => self.three(),
            Walk::Three => self.three_raw(),
            Walk::Two => self.two(),
            Walk::One => self.one(),
        }
        self.m.finish()
    }

    fn field(&self, name: &str, width: impl Into<Dim>) -> Expr {
        let found = self.fields.iter().find(|(n, _)| n == name);
        found.map_or_else(|| lit(0, uint(width)), |(_, e)| e.clone())
    }

    /// A wire that is driven later.
    pub fn wire(&self, name: &str, width: impl Into<Dim>) -> Wire {
        self.m.wire_later(name, uint(width))
    }

    /// A value `n` enabled cycles later.
    pub fn delayed(&self, name: &str, en: &Expr, value: &Expr, n: i64, reset: bool) -> Expr {
        delayed(&self.m, &self.ck, name, en, value, n, reset)
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
    pub fn exponentials(&self, name: &str, en: &Expr, x: &Expr, max: &Expr) -> Expr {
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
    pub fn release(&self, name: &str, row: &Offered, waiting: &Waiting, go: &Expr, free: &Expr) -> Release {
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
    pub fn held(&self, name: &str, load: &Expr, value: &Expr) -> Expr {
        let q = self.ck.reg(name, value.ty().clone());
        q.next_when(load, value);
        (*q).clone()
    }

    /// Maximum, then exponentials of the beats that waited for it: what both forms of three walks begin with. Beats move when
    /// there is room behind the exponentials.
    fn summed(&self, room: &Wire, free: &Wire) -> Exponentials {
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
        let n = self.hw.exponential_latency;
        let flags = m.wire("exp_flags", &concat(&[&waiting.last, &waiting.end]));
        let flags = self.delayed("exp_flags", &always, &flags, n, false);
        let valid = self.delayed("exp_valid", &always, &go.take, n, true);
        Exponentials { take: go.take, load: go.load, valid, end: flags.bit(0), last: flags.bit(1), e, tail }
    }

    /// Three walks with an output that waits for the sum.
    fn three(&self) {
        let m = &self.m;
        m.doc(
            "Softmax in three walks, each over another row: maximum; exponentials and their sum; output.\n\
             Rows wait in memory between the walks.",
        );
        let (room, free) = (self.wire("exp_room", 1), self.wire("sum_free", 1));
        let exp = self.summed(&room, &free);
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
        let exp = self.summed(&room, &free);
        let sums = self.sums(&exp.valid, &exp.end, &exp.tail, &exp.e, None);
        m.comment("Output");
        let word = m.wire("beat", &concat(&[&exp.last, &exp.e]));
        self.y_output(self.queue(&exp.valid, &word, &exp.take, &room));
        free.drive(self.slots("sums", &exp.load, &self.sum_output(sums)));
    }

    /// Words behind a queue, which has room for all that `enters` and is on its way to it: drives `room`.
    fn queue(&self, push: &Expr, word: &Expr, enters: &Expr, room: &Wire) -> Stream {
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
        let leaves = m.wire("queue_leaves", &(&*valid & &*ready));
        room.drive(self.open("queued", &Dim::from(1i64 << self.hw.queue_log2()), enters, &leaves));
        m.stream("queued", (*valid).clone(), (*out).clone(), None, ready)
    }

    /// The stream `y` from the low bits of words, its last above them.
    fn y_output(&self, words: Stream) {
        let (m, width) = (&self.m, &self.lanes * &self.e_w);
        let ready = self.wire("y_ready", 1);
        let beat = words.take(&ready);
        let (data, last) = (m.wire("y_data", &beat.data.slice(0, &width)), beat.data.bit(&width));
        m.stream("y", beat.valid, data, Some(last), ready).source("y");
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
        let n = self.hw.exponential_latency;
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
        let (y, octave) = self.queue(&exp.valid, &word, &exp.take, &x.room).fork(&self.ck, "fork");
        let above = &self.lanes * &self.e_w + 1;
        octave.map("octave", |w| w.slice(above, self.max_w(online))).source("octave");
        self.y_output(y);
        x.slot.drive(self.slots("rows", &x.starts, &self.sum_output(sums)));
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
