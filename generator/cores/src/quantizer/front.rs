//! The first half of the methods that need a group's largest magnitude before its first output: elements wait in a
//! buffer while a tree finds the maximum.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, Wire, bit, concat, lit, uint};

use crate::parts::buffer::buffer;
use crate::parts::delay_line::delay_line;
use crate::parts::fifo::fifo;
use crate::parts::max_tree::{self, max_tree};
use crate::parts::row_walk::{column_bits, row_walk};

/// What has one maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// A row.
    Row,
    /// This many beats of a row, fewer at its end.
    Beats(i64),
    /// Each of this many parts of a beat.
    Parts(i64),
}

impl Span {
    /// Maxima that are known together.
    pub fn maxima(self) -> i64 {
        if let Self::Parts(n) = self { n } else { 1 }
    }

    /// log2 of the groups that may be under way between their first beat and the use of their maximum.
    pub fn slots_log2(self) -> i64 {
        if self == Self::Row { 1 } else { 4 }
    }

    /// Beats of the longest group.
    pub fn beats(self, row_beats: i64) -> i64 {
        match self {
            Self::Row => row_beats,
            Self::Beats(n) => n.min(row_beats),
            Self::Parts(_) => 1,
        }
    }

    /// Beats that the buffer holds beyond two groups.
    pub fn slack(self) -> i64 {
        1 << self.slots_log2()
    }

    /// Beats that the buffer holds.
    pub fn depth(self, row_beats: i64) -> i64 {
        2 * self.beats(row_beats) + self.slack()
    }
}

/// Cycles from a group's last accepted beat to its offered maximum.
pub fn latency(lanes: i64, span: Span) -> i64 {
    // Magnitude, tree, running maximum where a group has several beats, queue.
    let running = i64::from(!matches!(span, Span::Parts(_)));
    1 + max_tree::latency(lanes / span.maxima()) + running + 1
}

/// Sizes of the front.
#[derive(Clone, Copy, Debug)]
pub struct Front {
    /// Elements of a beat.
    pub lanes: i64,
    /// Bits of an element.
    pub in_bits: i64,
    /// Largest row.
    pub c_max: i64,
    /// What has one maximum.
    pub span: Span,
}

impl Front {
    /// Beats of the longest row.
    fn row_beats(&self) -> i64 {
        (self.c_max + self.lanes - 1) / self.lanes
    }

    /// Beats that wait.
    pub fn depth(&self) -> i64 {
        self.span.depth(self.row_beats())
    }

    /// The module: x in; maxima (`a`) and, behind a buffer, the beats with their ends (`m`) out.
    pub fn unit(&self) -> Rc<Unit> {
        let name = match self.span {
            Span::Row => "row_maximum",
            Span::Beats(_) => "block_maximum",
            Span::Parts(_) => "beat_maxima",
        };
        let m = Module::new(name);
        m.doc(
            "Largest magnitude of each group of elements (a_*), and the elements behind it (m_*), which wait in a buffer.\n\
             A new group starts only when there is a slot for its maximum; used_i gives a slot back.",
        );
        let n = m.param("LANES", self.lanes, 1..=256, "elements of a beat");
        let w = m.param("IN_W", self.in_bits, 4..=32, "bits of an element");
        let c = m.param("C_MAX", self.c_max, 1..=65536, "largest row");
        let depth = m.param("DEPTH", self.depth(), 2..=1 << 20, "beats that wait");
        let ck = m.clock();
        let columns = m.input("columns_i", uint(column_bits(&c)));
        let x = m.sink("x", uint(&n * &w), true);
        let used = m.input("used_i", bit());
        m.describe(&used, "a maximum is taken over: its slot is free");

        m.comment("Ends of rows and groups");
        let (accept, ready) = (m.wire_later("accept", bit()), m.wire_later("ready", bit()));
        let beat = x.take(&ready);
        let row_end = m.wire_later("row_end", bit());
        let remaining = m.wire_later("remaining", uint(column_bits(&c)));
        m.allow(&remaining, "UNUSEDSIGNAL", "only the row's end counts");
        m.instance("u_walk", &row_walk(self.lanes, self.c_max))
            .param("LANES", &n)
            .param("C_MAX", &c)
            .clock(&ck)
            .input("columns_i", &columns)
            .input("accept_i", &accept)
            .output("remaining_o", &remaining)
            .output("end_o", &row_end)
            .done();
        let end = self.group_end(&m, &ck, &accept, &row_end);
        let first = ck.reg("first_q", bit()).reset_to(1);
        first.next_when(&accept, &end);

        m.comment("Slots for maxima");
        let slots = Dim::from(self.span.slots_log2());
        let open = ck.reg("open_q", uint(&slots + 1)).reset_to(0);
        let starts = m.wire("starts", &(&*accept & &*first));
        let counted = m.wire("counted", &starts.select(open.wrapping_add(1), open.wrapping_sub(1)));
        open.next_when(&m.wire("changes", &starts.xor(&used)), &counted);
        let slot = m.wire("slot", &(!&*first | !open.msb()));

        m.comment("Elements wait");
        let word_w = &n * &w + 2;
        let last = beat.last.unwrap_or_else(|| lit(0, bit()));
        let word = m.wire("word", &concat(&[&last, &end, &beat.data]));
        let room = m.wire_later("room", bit());
        ready.drive(&slot & &*room);
        accept.drive(&beat.valid & &*ready);
        let offered = m.wire("offered", &(&beat.valid & &slot));
        let out = m.wire_later("waiting", uint(&word_w));
        let (m_valid, m_ready) = (m.output_wire("m_valid_o", bit()), m.input("m_ready_i", bit()));
        m.instance("u_buffer", &buffer(self.lanes * self.in_bits + 2, self.depth()))
            .param("WIDTH", &word_w)
            .param("DEPTH", &depth)
            .clock(&ck)
            .input("s_valid_i", &offered)
            .output("s_ready_o", &room)
            .input("s_data_i", &word)
            .output("m_valid_o", &m_valid)
            .input("m_ready_i", &m_ready)
            .output("m_data_o", &out)
            .done();
        m.output("m_data_o", &out.slice(0, &n * &w));
        m.output("m_end_o", &out.bit(&n * &w));
        m.output("m_last_o", &out.bit(&n * &w + 1));

        m.comment("Maximum");
        self.maximum(&m, &ck, [&n, &w], [&beat.data, &accept, &end]);
        m.finish()
    }

    fn group_end(&self, m: &Module, ck: &Clock, accept: &Wire, row_end: &Wire) -> Expr {
        let Span::Beats(beats) = self.span else {
            return match self.span {
                Span::Row => m.wire("group_end", row_end),
                _ => {
                    m.allow(row_end, "UNUSEDSIGNAL", "every beat is a group");
                    m.wire("group_end", &lit(1, bit()))
                }
            };
        };
        let beats = m.param("BLOCK_BEATS", beats, 2..=256, "beats of a block");
        let bits = beats.clog2();
        let at = ck.reg("beat_q", uint(&bits)).reset_to(0);
        let full = at.eq_to(m.constant("LAST_BEAT", &beats - 1, &bits));
        let end = m.wire("group_end", &(full | &**row_end));
        at.next_when(accept, end.select(0, at.wrapping_add(1)));
        end
    }

    fn maximum(&self, m: &Module, ck: &Clock, [n, w]: [&Dim; 2], [data, accept, end]: [&Expr; 3]) {
        let parts = self.span.maxima();
        let magnitudes = ck.reg("magnitudes_q", uint(n * w));
        m.generate_for("g_magnitude", n, |i| {
            let x = m.wire("x", &data.lane(i, w));
            let folded = m.wire("folded", &x.xor(x.msb().repeat(w)));
            let one = concat(&[&lit(0, uint(w - 1)), &x.msb()]);
            magnitudes.next_lane(i, w, None, &folded.wrapping_add(one));
        });
        let maxima = m.wire_later("maxima", uint(w * parts));
        let each = n.div(parts);
        m.generate_for("g_tree", parts, |i| {
            m.instance("u_tree", &max_tree(self.lanes / parts, self.in_bits))
                .param("TERMS", &each)
                .param("WIDTH", w)
                .clock(ck)
                .input("values_i", &magnitudes.lane(i, &(&each * w)))
                .output_lane("max_o", &maxima, i, w)
                .done();
        });
        let levels = 1 + max_tree::latency(self.lanes / parts);
        let moved = m.wire_later("moved", uint(2));
        let flags = m.wire("flags", &concat(&[&(accept & end), accept]));
        m.instance("u_flags", &delay_line(2, levels, true))
            .param("WIDTH", 2)
            .param("STAGES", levels)
            .clock(ck)
            .input("en_i", &lit(1, bit()))
            .input("value_i", &flags)
            .output("value_o", &moved)
            .done();
        let (push, result) = if parts == 1 {
            let fresh = ck.reg("fresh_q", bit()).reset_to(1);
            let running = ck.reg("running_q", uint(w));
            let done = ck.reg("done_q", bit()).reset_to(0);
            let present = moved.bit(0);
            fresh.next_when(&present, moved.bit(1));
            let keep = m.wire("keep", &(!&*fresh & running.gt(&*maxima)));
            running.next_when(&present, keep.select(&*running, &*maxima));
            done.next(moved.bit(1));
            ((*done).clone(), (*running).clone())
        } else {
            m.allow(&moved, "UNUSEDSIGNAL", "every beat ends its groups");
            (m.wire("done", &moved.bit(1)), (*maxima).clone())
        };
        let full_n = m.wire_later("queue_ready", bit());
        m.allow(&full_n, "UNUSEDSIGNAL", "a slot was counted before");
        let (a_valid, a_ready) = (m.output_wire("a_valid_o", bit()), m.input("a_ready_i", bit()));
        let a_data = m.output_wire("a_data_o", uint(w * parts));
        m.instance("u_queue", &fifo(self.in_bits * parts, self.span.slots_log2()))
            .param("WIDTH", w * parts)
            .param("DEPTH_W", self.span.slots_log2())
            .clock(ck)
            .input("s_valid_i", &push)
            .output("s_ready_o", &full_n)
            .input("s_data_i", &result)
            .output("m_valid_o", &a_valid)
            .input("m_ready_i", &a_ready)
            .output("m_data_o", &a_data)
            .done();
    }
}
