//! The sum of a row's exponentials, by a pipelined tree; where the maximum runs along, rescaled when it grows.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, bit, concat, lit, uint};

use super::front::DROP_BITS;
use super::hardware::Online;
use crate::parts::delay_line::delay_line;
use crate::parts::fifo::{self, fifo};
use crate::parts::sum_tree::{self, sum_tree};

/// Cycles from a row's last exponentials to its offered sum: mask, tree, running sum, queue.
pub fn latency(lanes: i64) -> i64 {
    1 + sum_tree::latency(lanes) + 1 + fifo::LATENCY
}

/// Sizes of a sum.
#[derive(Clone, Copy, Debug)]
pub struct RowSum {
    /// Exponentials of a beat.
    pub lanes: i64,
    /// Bits of an exponential.
    pub e_bits: i64,
    /// Bits of a sum, more than those.
    pub sum_bits: i64,
    /// log2 of the sums that may wait.
    pub slots_log2: i64,
    /// Rescaling.
    pub online: Option<Online>,
    /// Bits of the maximum that travels along, where somebody wants it.
    pub max_bits: Option<i64>,
}

impl RowSum {
    /// Bits of a word of the queue: the sum, and the row's maximum above it.
    pub fn word_bits(&self) -> i64 {
        self.sum_bits + self.max_bits.unwrap_or(0)
    }

    /// The module: exponentials in, a queue of sums out.
    pub fn unit(&self) -> Rc<Unit> {
        let m = Module::new(match self.online {
            None => "softmax_sum",
            Some(Online::Octaves(_)) => "softmax_online_sum",
            Some(Online::Ita) => "softmax_ita_sum",
        });
        m.doc(match self.online {
            None => "Sum of each row's exponentials, offered 3 + $clog2(LANES) cycles after the row's last.",
            Some(Online::Octaves(_)) => {
                "Sum of each row's exponentials, offered 3 + $clog2(LANES) cycles after the row's last.\n\
                 Before a beat is added, the sum is shifted by drop_i, rounded half up."
            }
            Some(Online::Ita) => {
                "Sum of each row's exponentials, offered 3 + $clog2(LANES) cycles after the row's last.\n\
                 Before a beat is added, the sum is shifted by drop_i."
            }
        });
        let n = m.param("LANES", self.lanes, 1..=64, "exponentials of a beat");
        let ew = m.param("E_W", self.e_bits, 1..=63, "bits of an exponential");
        let sw = m.param("SUM_W", self.sum_bits, 2..=64, "bits of a sum");
        let slots = m.param("SLOTS_W", self.slots_log2, 1..=8, "log2 of the sums that wait");
        m.guard(sw.gt(&ew), "a sum is wider than its terms");
        let ck = m.clock();
        let (valid, end) = (m.input("valid_i", bit()), m.input("end_i", bit()));
        let mask = m.input("mask_i", uint(&n));
        m.describe(&mask, "lanes that hold an element in a row's last beat");
        let e = m.input("e_i", uint(&n * &ew));

        let masked = ck.reg("masked_q", uint(&n * &ew));
        let terms = m.wire_later("terms", uint(&n * &sw));
        m.generate_for("g_term", &n, |i| {
            let padding = m.wire("padding", &(&end & !&mask.bit(i)));
            masked.next_lane(i, &ew, None, &padding.select(0, e.lane(i, &ew)));
            terms.drive_lane(i, &sw, &concat(&[&lit(0, uint(&sw - &ew)), &masked.lane(i, &ew)]));
        });
        let beat = m.wire_later("beat_sum", uint(&sw));
        m.instance("u_tree", &sum_tree(self.lanes, self.sum_bits))
            .param("TERMS", &n)
            .param("WIDTH", &sw)
            .clock(&ck)
            .input("values_i", &terms)
            .output("sum_o", &beat)
            .done();
        let stages = n.clog2() + 1;
        let delayed = |name: &str, value: &bitlathe_hdl::Expr, reset: bool| {
            let width = value.width().clone();
            let out = m.wire_later(&format!("{name}_late"), uint(&width));
            m.instance(&format!("u_{name}"), &delay_line(width.value(), stages.value(), reset))
                .param("WIDTH", width)
                .param("STAGES", &stages)
                .clock(&ck)
                .input("en_i", &lit(1, bit()))
                .input("value_i", value)
                .output("value_o", &out)
                .done();
            (*out).clone()
        };
        let flags = delayed("flags", &m.wire("flags", &concat(&[&(&valid & &end), &valid])), true);
        let (present, ends) = (flags.bit(0), flags.bit(1));
        let fresh = ck.reg("fresh_q", bit()).reset_to(1);
        fresh.next_when(&present, &ends);
        let sum = ck.reg("sum_q", uint(&sw));
        let kept = match self.online {
            None => (*sum).clone(),
            Some(online) => {
                let drop = delayed("drop", &m.input("drop_i", uint(DROP_BITS)), false);
                match online {
                    Online::Octaves(_) => {
                        let halves = m.wire("halves", &concat(&[&*sum, &lit(0, bit())]).shr(&drop));
                        let half = concat(&[&lit(0, uint(&sw - 1)), &halves.bit(0)]);
                        m.wire("rescaled", &halves.slice(1, &sw).wrapping_add(half))
                    }
                    Online::Ita => m.wire("rescaled", &sum.shr(&drop)),
                }
            }
        };
        let max = self.max_bits.map(|bits| {
            let mw = m.param("MAX_W", bits, 2..=33, "bits of a maximum");
            let max = delayed("max", &m.input("max_i", uint(&mw)), false);
            let q = ck.reg("max_q", uint(&mw));
            q.next_when(&present, &max);
            (*q).clone()
        });
        sum.next_when(&present, fresh.select(&*beat, kept.wrapping_add(&*beat)));
        let done = ck.reg("done_q", bit()).reset_to(0);
        done.next(&ends);

        let word = match &max {
            Some(max) => concat(&[max, &*sum]),
            None => (*sum).clone(),
        };
        let width = word.width().clone();
        let room = m.wire_later("queue_ready", bit());
        m.allow(&room, "UNUSEDSIGNAL", "a row starts only when there is a slot for it");
        let (sum_valid, ready) = (m.output_wire("sum_valid_o", bit()), m.input("sum_ready_i", bit()));
        let front = m.wire_later("front", uint(&width));
        m.instance("u_queue", &fifo(self.word_bits(), self.slots_log2))
            .param("WIDTH", &width)
            .param("DEPTH_W", &slots)
            .clock(&ck)
            .input("s_valid_i", &done)
            .output("s_ready_o", &room)
            .input("s_data_i", &word)
            .output("m_valid_o", &sum_valid)
            .input("m_ready_i", &ready)
            .output("m_data_o", &front)
            .done();
        m.output("sum_o", &front.slice(0, &sw));
        if let Some(max) = &max {
            m.output("max_o", &front.slice(&sw, max.width()));
        }
        m.finish()
    }
}
