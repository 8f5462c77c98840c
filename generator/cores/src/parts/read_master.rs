//! AXI4 master that reads a stream from memory.
//!
//! A burst is requested when its words have room in the queue, so `rready_o` never waits for the core; enough of them are under
//! way to cover the latency of a memory ([`DEPTH`]). One identifier keeps bursts in order.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, bit, concat, lit, uint};
use bitlathe_spec::Family;
use bitlathe_spec::axi::OUTSTANDING;

use super::burst_walk::{self, WalkShape, burst_walk};
use super::{buffer, fifo};
use crate::Cost;

/// Words of the queue: a latency of more than 400 cycles is covered, as that of HBM under load.
pub const DEPTH: i64 = 512;

/// Logarithm of the bursts under way.
const OUTSTANDING_BITS: i64 = OUTSTANDING.trailing_zeros() as i64;

/// A master with a queue of `depth` words, which takes at least the longest burst twice.
pub fn read_master(shape: &WalkShape, depth: i64) -> Rc<Unit> {
    let m = Module::new("read_master");
    m.doc(
        "Reads a walk through memory (burst_walk) over AXI4. Words wait in a queue where each burst has its room before it is \
         requested. m_last_o marks the last word of the last pass.",
    );
    let shape = shape.parameters(&m);
    let d = m.param("DEPTH", depth, 4..=4096, "words of the queue");
    m.guard(d.ge(shape.burst.pow2() * 2), "while one burst comes in, the next is requested");
    let ck = m.clock();
    let start = m.input("start_i", bit());
    let address = m.input("address_i", uint(64));
    let (words, passes) = (m.input("words_i", uint(&shape.count)), m.input("passes_i", uint(&shape.pass)));
    let arready = m.input("arready_i", bit());
    let (rvalid, rlast) = (m.input("rvalid_i", bit()), m.input("rlast_i", bit()));
    let rdata = m.input("rdata_i", uint(shape.word_bits()));
    let rresp = m.input("rresp_i", uint(2));
    m.allow(&rresp, "UNUSEDSIGNAL", "the upper bit tells errors");
    let ready = m.input("m_ready_i", bit());

    m.comment("Bursts");
    let length_w = &shape.burst + 1;
    let [active, offered, last, take] = ["active", "offered", "last", "take"].map(|n| m.wire_later(n, bit()));
    m.allow(&active, "UNUSEDSIGNAL", "the last word tells the end");
    let (place, length) = (m.wire_later("place", uint(64)), m.wire_later("length", uint(&length_w)));
    let walk = m.instance("u_walk", &burst_walk(&shape.values())).clock(&ck);
    let walk = walk.param("WORD_W", &shape.word).param("BURST_W", &shape.burst);
    let walk = walk.param("COUNT_W", &shape.count).param("PASS_W", &shape.pass);
    let walk = walk.input("start_i", &start).input("address_i", &address).input("words_i", &words);
    let walk = walk.input("passes_i", &passes).input("m_ready_i", &take).output("active_o", &active);
    let walk = walk.output("m_valid_o", &offered).output("m_address_o", &place).output("m_length_o", &length);
    walk.output("m_last_o", &last).done();

    m.comment("A request needs room for the longest burst, and a place among those under way");
    let used_w = (&d + 1).clog2();
    let used = ck.reg("used_q", uint(&used_w)).reset_to(0);
    m.describe(&used, "words in the queue or under way");
    let (arvalid, known) = (ck.reg("arvalid_q", bit()).reset_to(0), m.wire_later("known", bit()));
    let room = m.wire("room", &used.le(m.constant("ENOUGH", &d - shape.burst.pow2(), &used_w)));
    let may = m.wire("may", &(&room & &*known & (!&*arvalid | &arready)));
    take.drive(&may);
    let issue = m.wire("issue", &(&*offered & &may));
    arvalid.next(&issue | (&*arvalid & !&arready));
    let (araddr, arlen) = (ck.reg("araddr_q", uint(64)), ck.reg("arlen_q", uint(&shape.burst)));
    let less = m.wire("less", &length.wrapping_sub(1));
    m.allow(&less, "UNUSEDSIGNAL", "of the longest burst the number of words has one bit more");
    araddr.next_when(&issue, &*place);
    arlen.next_when(&issue, less.slice(0, &shape.burst));

    m.comment("Which burst is the last of the walk");
    let [final_valid, is_final] = ["final_valid", "is_final"].map(|n| m.wire_later(n, bit()));
    m.allow(&final_valid, "UNUSEDSIGNAL", "words come for requests only");
    let rready = m.wire_later("rready", bit());
    let ends = m.wire("ends", &(&rvalid & &*rready & &rlast));
    let finals = m.instance("u_finals", &fifo::fifo(1, OUTSTANDING_BITS)).clock(&ck);
    let finals = finals.param("WIDTH", 1).param("DEPTH_W", OUTSTANDING_BITS);
    let finals = finals.input("s_valid_i", &issue).output("s_ready_o", &known).input("s_data_i", &last);
    finals.output("m_valid_o", &final_valid).input("m_ready_i", &ends).output("m_data_o", &is_final).done();

    m.comment("The queue");
    let beat_w = shape.word_bits() + 1;
    let (valid, front) = (m.wire_later("valid", bit()), m.wire_later("front", uint(&beat_w)));
    let packed = concat(&[&(&rlast & &*is_final), &rdata]);
    let queue = m.instance("u_queue", &buffer::buffer(beat_w.value(), d.value())).clock(&ck);
    let queue = queue.param("WIDTH", &beat_w).param("DEPTH", &d);
    let queue = queue.input("s_valid_i", &rvalid).output("s_ready_o", &rready).input("s_data_i", &packed);
    queue.output("m_valid_o", &valid).input("m_ready_i", &ready).output("m_data_o", &front).done();
    let leaves = m.wire("leaves", &(&*valid & &ready));
    let entering = m.wire("entering", &issue.select(length.extend(&used_w), 0));
    let leaving = concat(&[&lit(0, uint(&used_w - 1)), &leaves]);
    used.next(used.wrapping_add(&entering).wrapping_sub(&leaving));

    m.output("arvalid_o", &arvalid);
    m.output("araddr_o", &araddr);
    m.output("arlen_o", &arlen.extend(8));
    m.output("rready_o", &rready);
    m.output("error_o", &(&rvalid & &*rready & rresp.bit(1)));
    m.output("m_valid_o", &valid);
    m.output("m_data_o", &front.slice(0, shape.word_bits()));
    m.output("m_last_o", &front.msb());
    m.finish()
}

/// Cost: walk, queue, the request under way, and counts.
pub fn cost(shape: &WalkShape, depth: i64, family: Family) -> Cost {
    let mut cost = burst_walk::cost(shape, family);
    cost += buffer::cost((8 << shape.word) + 1, depth, family);
    cost += fifo::cost(1, OUTSTANDING_BITS, family);
    cost += Cost::logic(38.0, (64 - shape.word) as f64 + shape.burst as f64 + 11.0);
    cost
}
