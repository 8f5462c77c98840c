//! AXI4 master that writes a stream to memory.
//!
//! A burst is requested when all of its words wait in the queue, so it never stands still for the core and takes nothing from
//! others who use the memory. The walk is done when every response came.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, bit, concat, lit, uint};
use bitlathe_spec::Family;
use bitlathe_spec::axi::OUTSTANDING;

use super::burst_walk::{self, WalkShape, burst_walk};
use super::{buffer, fifo};
use crate::Cost;

/// Words of the queue: one burst comes together while others are sent.
pub const DEPTH: i64 = 256;

/// Logarithm of the bursts under way.
const OUTSTANDING_BITS: i64 = OUTSTANDING.trailing_zeros() as i64;

/// A master with a queue of `depth` words, which takes at least the longest burst twice. It makes one pass.
pub fn write_master(shape: &WalkShape, depth: i64) -> Rc<Unit> {
    let m = Module::new("write_master");
    m.doc(
        "Writes a walk through memory (burst_walk, one pass) over AXI4. A burst is requested when all of its words wait in the \
         queue. idle_o is one when every word is written and answered.",
    );
    let shape = shape.parameters(&m);
    let d = m.param("DEPTH", depth, 4..=4096, "words of the queue");
    m.guard(d.ge(shape.burst.pow2() * 2), "while one burst is sent, the next comes together");
    let ck = m.clock();
    let start = m.input("start_i", bit());
    let (address, words) = (m.input("address_i", uint(64)), m.input("words_i", uint(&shape.count)));
    let (s_valid, s_data) = (m.input("s_valid_i", bit()), m.input("s_data_i", uint(shape.word_bits())));
    let (awready, wready) = (m.input("awready_i", bit()), m.input("wready_i", bit()));
    let (bvalid, bresp) = (m.input("bvalid_i", bit()), m.input("bresp_i", uint(2)));
    m.allow(&bresp, "UNUSEDSIGNAL", "the upper bit tells errors");

    m.comment("Bursts");
    let length_w = &shape.burst + 1;
    let [active, offered, last, take] = ["active", "offered", "last", "take"].map(|n| m.wire_later(n, bit()));
    m.allow(&last, "UNUSEDSIGNAL", "the responses tell the end");
    let (place, length) = (m.wire_later("place", uint(64)), m.wire_later("length", uint(&length_w)));
    let walk = m.instance("u_walk", &burst_walk(&shape.values())).clock(&ck);
    let walk = walk.param("WORD_W", &shape.word).param("BURST_W", &shape.burst);
    let walk = walk.param("COUNT_W", &shape.count).param("PASS_W", &shape.pass);
    let once = m.constant("ONCE", 1, &shape.pass);
    let walk = walk.input("start_i", &start).input("address_i", &address).input("words_i", &words);
    let walk = walk.input("passes_i", &once).input("m_ready_i", &take).output("active_o", &active);
    let walk = walk.output("m_valid_o", &offered).output("m_address_o", &place).output("m_length_o", &length);
    walk.output("m_last_o", &last).done();

    m.comment("The queue");
    let (s_ready, valid) = (m.wire_later("s_ready", bit()), m.wire_later("valid", bit()));
    let (front, step) = (m.wire_later("front", uint(shape.word_bits())), m.wire_later("step", bit()));
    let queue = m.instance("u_queue", &buffer::buffer(shape.word_bits().value(), d.value())).clock(&ck);
    let queue = queue.param("WIDTH", shape.word_bits()).param("DEPTH", &d);
    let queue = queue.input("s_valid_i", &s_valid).output("s_ready_o", &s_ready).input("s_data_i", &s_data);
    queue.output("m_valid_o", &valid).input("m_ready_i", &step).output("m_data_o", &front).done();

    m.comment("A request needs its words, and a place among those under way");
    let held_w = (&d + 2).clog2();
    let held = ck.reg("held_q", uint(&held_w)).reset_to(0);
    m.describe(&held, "words in the queue that no burst was promised");
    let pending = ck.reg("pending_q", uint(OUTSTANDING_BITS + 1)).reset_to(0);
    m.describe(&pending, "bursts without a response");
    let awvalid = ck.reg("awvalid_q", bit()).reset_to(0);
    let whole = m.wire("whole", &held.ge(length.extend(&held_w)));
    let may = m.wire("may", &(&whole & !pending.msb() & (!&*awvalid | &awready)));
    take.drive(&may);
    let issue = m.wire("issue", &(&*offered & &may));
    awvalid.next(&issue | (&*awvalid & !&awready));
    let (awaddr, awlen) = (ck.reg("awaddr_q", uint(64)), ck.reg("awlen_q", uint(&shape.burst)));
    let less = m.wire("less", &length.wrapping_sub(1));
    m.allow(&less, "UNUSEDSIGNAL", "of the longest burst the number of words has one bit more");
    awaddr.next_when(&issue, &*place);
    awlen.next_when(&issue, less.slice(0, &shape.burst));
    let enters = concat(&[&lit(0, uint(&held_w - 1)), &(&s_valid & &*s_ready)]);
    let promised = m.wire("promised", &issue.select(length.extend(&held_w), 0));
    held.next(held.wrapping_add(&enters).wrapping_sub(&promised));
    let counted = m.wire("counted", &issue.select(pending.wrapping_add(1), pending.wrapping_sub(1)));
    pending.next_when(&m.wire("changes", &issue.xor(&bvalid)), &counted);

    m.comment("Words of the oldest burst");
    let [known, sends] = ["known", "sends"].map(|n| m.wire_later(n, bit()));
    m.allow(&known, "UNUSEDSIGNAL", "no more lengths wait than responses");
    let longest = m.wire_later("longest", uint(&shape.burst));
    let beat = ck.reg("beat_q", uint(&shape.burst)).reset_to(0);
    let ends = m.wire("ends", &beat.eq_to(&*longest));
    let wvalid = m.wire("wvalid", &(&*valid & &*sends));
    let moves = m.wire("moves", &(&wvalid & &wready));
    let closes = m.wire("closes", &(&moves & &ends));
    step.drive(&(&*sends & &wready));
    beat.next_when(&moves, ends.select(0, beat.wrapping_add(1)));
    let lengths = m.instance("u_lengths", &fifo::fifo(shape.burst.value(), OUTSTANDING_BITS)).clock(&ck);
    let lengths = lengths.param("WIDTH", &shape.burst).param("DEPTH_W", OUTSTANDING_BITS);
    let lengths = lengths.input("s_valid_i", &issue).output("s_ready_o", &known);
    let lengths = lengths.input("s_data_i", &less.slice(0, &shape.burst)).output("m_valid_o", &sends);
    lengths.input("m_ready_i", &closes).output("m_data_o", &longest).done();

    m.output("idle_o", &(!&*active & !pending.any()));
    m.output("error_o", &(&bvalid & bresp.bit(1)));
    m.output("s_ready_o", &s_ready);
    m.output("awvalid_o", &awvalid);
    m.output("awaddr_o", &awaddr);
    m.output("awlen_o", &awlen.extend(8));
    m.output("wvalid_o", &wvalid);
    m.output("wdata_o", &front);
    m.output("wlast_o", &ends);
    m.finish()
}

/// Cost: walk, queue, the request under way, the lengths of those before it, and counts.
pub fn cost(shape: &WalkShape, depth: i64, family: Family) -> Cost {
    let mut cost = burst_walk::cost(shape, family);
    cost += buffer::cost(8 << shape.word, depth, family);
    cost += fifo::cost(shape.burst, OUTSTANDING_BITS, family);
    let burst = shape.burst as f64;
    cost += Cost::logic(48.0 + 2.0 * burst, (64 - shape.word) as f64 + 2.0 * burst + 15.0);
    cost
}
