//! The maximum of a row: found before the exponentials, or running along with them.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Expr, Module, Unit, bit, concat, lit, sint, uint};

use super::hardware::Online;
use crate::parts::delay_line::delay_line;
use crate::parts::fifo::{self, fifo};
use crate::parts::max_tree::{self, max_tree};

/// Bits of the shift that rescales a running sum; larger ones clear it as well.
pub const DROP_BITS: i64 = 7;

/// Cycles from a beat to its largest element.
fn beat_latency(lanes: i64) -> i64 {
    1 + max_tree::latency(lanes)
}

/// Cycles from a row's last accepted beat to its offered maximum: beat, running maximum, queue.
pub fn maximum_latency(lanes: i64) -> i64 {
    beat_latency(lanes) + 1 + fifo::LATENCY
}

/// Cycles from an accepted beat to its running maximum.
pub fn online_latency(lanes: i64) -> i64 {
    beat_latency(lanes) + 1
}

/// One bit a lane: it holds an element of the row, not padding.
pub fn row_mask(lanes: i64) -> Rc<Unit> {
    let m = Module::new("softmax_row_mask");
    m.doc("One bit a lane: it holds an element, not the padding behind a row's end.");
    let n = m.param("LANES", lanes, 1..=64, "elements of a beat");
    let width = (&n + 1).clog2();
    let end = m.input("end_i", bit());
    let remaining = m.input("remaining_i", uint(&width));
    m.describe(&remaining, "elements of the row's last beat");
    let mask = m.output_wire("mask_o", uint(&n));
    m.generate_for("g_lane", &n, |i| {
        mask.drive_part(i, 1, &(!&end | remaining.gt(m.constant("LANE", i, &width))));
    });
    m.finish()
}

/// The largest element of a beat.
fn beat_maximum(lanes: i64, in_bits: i64) -> Rc<Unit> {
    let m = Module::new("softmax_beat_maximum");
    m.doc("Largest element of a beat, padding aside: latency 1 + $clog2(LANES) cycles.");
    let n = m.param("LANES", lanes, 1..=64, "elements of a beat");
    let w = m.param("IN_W", in_bits, 8..=32, "bits of an element");
    let ck = m.clock();
    let (mask, data) = (m.input("mask_i", uint(&n)), m.input("data_i", uint(&n * &w)));
    // With the sign bit inverted, two's complement orders like unsigned numbers and zero is the least.
    let keys = ck.reg("keys_q", uint(&n * &w));
    m.generate_for("g_key", &n, |i| {
        let x = m.wire("x", &data.lane(i, &w));
        let key = m.wire("key", &concat(&[&!&x.msb(), &x.slice(0, &w - 1)]));
        keys.next_lane(i, &w, None, &mask.bit(i).select(&key, 0));
    });
    let top = m.wire_later("top", uint(&w));
    m.instance("u_tree", &max_tree(lanes, in_bits))
        .param("TERMS", &n)
        .param("WIDTH", &w)
        .clock(&ck)
        .input("values_i", &keys)
        .output("max_o", &top)
        .done();
    m.output("max_o", &concat(&[&!&top.msb(), &top.slice(0, &w - 1)]).as_signed());
    m.finish()
}

/// What the modules that follow a beat's maximum have in common.
struct Beats {
    m: Module,
    ck: bitlathe_hdl::Clock,
    n: Dim,
    w: Dim,
    data: Expr,
    /// Largest element, present and end of row, `beat_latency` cycles after the beat.
    top: Expr,
    present: Expr,
    end: Expr,
}

fn beats(name: &str, doc: &str, lanes: i64, in_bits: i64) -> Beats {
    let m = Module::new(name);
    m.doc(doc);
    let n = m.param("LANES", lanes, 1..=64, "elements of a beat");
    let w = m.param("IN_W", in_bits, 8..=32, "bits of an element");
    let ck = m.clock();
    let (accept, end) = (m.input("accept_i", bit()), m.input("end_i", bit()));
    let (mask, data) = (m.input("mask_i", uint(&n)), m.input("data_i", uint(&n * &w)));
    let top = m.wire_later("top", sint(&w));
    m.instance("u_beat", &beat_maximum(lanes, in_bits))
        .param("LANES", &n)
        .param("IN_W", &w)
        .clock(&ck)
        .input("mask_i", &mask)
        .input("data_i", &data)
        .output("max_o", &top)
        .done();
    let flags = m.wire("flags", &concat(&[&(&accept & &end), &accept]));
    let moved = m.wire_later("moved", uint(2));
    // The number of stages follows the depth of the tree.
    let stages = n.clog2() + 1;
    m.instance("u_flags", &delay_line(2, stages.value(), true))
        .param("WIDTH", 2)
        .param("STAGES", &stages)
        .clock(&ck)
        .input("en_i", &lit(1, bit()))
        .input("value_i", &flags)
        .output("value_o", &moved)
        .done();
    let (present, end) = (moved.bit(0), moved.bit(1));
    Beats { m, ck, n, w, data, top: (*top).clone(), present, end }
}

/// The maximum of each row, in a queue of 2^`slots_log2`.
pub fn row_maximum(lanes: i64, in_bits: i64, slots_log2: i64) -> Rc<Unit> {
    let doc = "Largest element of each row, offered 3 + $clog2(LANES) cycles after the row's last beat.";
    let Beats { m, ck, w, top, present, end, .. } = beats("softmax_row_maximum", doc, lanes, in_bits);
    let slots = m.param("SLOTS_W", slots_log2, 1..=8, "log2 of the maxima that wait");
    let fresh = ck.reg("fresh_q", bit()).reset_to(1);
    fresh.next_when(&present, &end);
    let running = ck.reg("running_q", sint(&w));
    let keep = m.wire("keep", &(!&*fresh & running.gt(&top)));
    running.next_when(&present, keep.select(&*running, &top));
    let done = ck.reg("done_q", bit()).reset_to(0);
    done.next(&end);
    let room = m.wire_later("queue_ready", bit());
    m.allow(&room, "UNUSEDSIGNAL", "a row starts only when there is a slot for it");
    let (valid, ready) = (m.output_wire("max_valid_o", bit()), m.input("max_ready_i", bit()));
    let max = m.output_wire("max_o", uint(&w));
    m.instance("u_queue", &fifo(in_bits, slots_log2))
        .param("WIDTH", &w)
        .param("DEPTH_W", &slots)
        .clock(&ck)
        .input("s_valid_i", &done)
        .output("s_ready_o", &room)
        .input("s_data_i", &m.wire("word", &running.as_unsigned()))
        .output("m_valid_o", &valid)
        .input("m_ready_i", &ready)
        .output("m_data_o", &max)
        .done();
    m.finish()
}

impl Online {
    /// Bits of the running maximum.
    pub fn max_bits(self, in_bits: i64) -> i64 {
        match self {
            Self::Octaves(f) => in_bits + 1 - f,
            Self::Ita => in_bits,
        }
    }

    /// The maximum of a beat as it is kept.
    fn own(self, m: &Module, top: &Expr, w: &Dim) -> Expr {
        match self {
            Self::Octaves(f) => {
                let wide = m.wire("raised", &top.extend(w + 1).wrapping_add(lit((1 << f) - 1, sint(w + 1))));
                m.allow(&wide, "UNUSEDSIGNAL", "the steps within an octave are cut");
                m.wire("own", &wide.slice(f, w + 1 - f).as_signed())
            }
            Self::Ita => m.wire("own", top),
        }
    }

    /// Octaves of a growth of the maximum, cut to [`DROP_BITS`].
    fn drop(self, m: &Module, growth: &Expr) -> Expr {
        let octaves = match self {
            Self::Octaves(_) => growth.clone(),
            Self::Ita => {
                let raised = m.wire("raised", &(growth + 16));
                m.allow(&raised, "UNUSEDSIGNAL", "steps below half an octave are cut");
                m.wire("octaves", &raised.slice(5, raised.width() - 5))
            }
        };
        let padded = m.wire("padded", &concat(&[&lit(0, uint(DROP_BITS)), &octaves]));
        let far = padded.slice(DROP_BITS, octaves.width()).any();
        m.wire("drop", &(padded.slice(0, DROP_BITS) | far.repeat(DROP_BITS)))
    }
}

/// Beats with the maximum of their row up to them.
pub fn running_maximum(lanes: i64, in_bits: i64, online: Online) -> Rc<Unit> {
    let (name, doc) = match online {
        Online::Octaves(_) => (
            "softmax_running_octave",
            "Beats with the maximum of their row so far, in whole octaves, and the octaves by which it grew:\n\
             latency 2 + $clog2(LANES) cycles.",
        ),
        Online::Ita => (
            "softmax_running_maximum",
            "Beats with the maximum of their row so far and the octaves by which it grew, to the nearest:\n\
             latency 2 + $clog2(LANES) cycles.",
        ),
    };
    let Beats { m, ck, n, w, data, top, present, end } = beats(name, doc, lanes, in_bits);
    let max_w = match online {
        Online::Octaves(f) => &w + 1 - f,
        Online::Ita => w.clone(),
    };
    let own = online.own(&m, &top, &w);
    let fresh = ck.reg("fresh_q", bit()).reset_to(1);
    fresh.next_when(&present, &end);
    let max = ck.reg("max_q", sint(&max_w));
    let grows = m.wire("grows", &(&*fresh | own.gt(&*max)));
    max.next_when(&present, grows.select(&own, &*max));
    // The growth is not negative: it needs no bit for a sign.
    let growth = m.wire("growth", &own.as_unsigned().wrapping_sub(max.as_unsigned()));
    let drop = ck.reg("drop_q", uint(DROP_BITS));
    let octaves = online.drop(&m, &growth);
    drop.next_when(&present, grows.select(&octaves, 0));
    for (name, port, value) in [("valid_q", "valid_o", &present), ("row_ends_q", "end_o", &end)] {
        let q = ck.reg(name, bit()).reset_to(0);
        q.next(value);
        m.output(port, &q);
    }
    m.output("max_o", &max);
    m.output("drop_o", &drop);
    let late = m.output_wire("data_o", uint(&n * &w));
    let stages = n.clog2() + 2;
    m.instance("u_data", &delay_line(lanes * in_bits, stages.value(), false))
        .param("WIDTH", &n * &w)
        .param("STAGES", &stages)
        .clock(&ck)
        .input("en_i", &lit(1, bit()))
        .input("value_i", &data)
        .output("value_o", &late)
        .done();
    m.finish()
}
