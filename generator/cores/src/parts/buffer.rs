//! Deep FIFO in block or distributed memory, with a registered read: rows and blocks wait here for a number that all of
//! their elements decide.

use std::rc::Rc;

use bitlathe_hdl::{Module, RamStyle, Unit, bit, clog2, lit, uint};
use bitlathe_spec::Family;

use super::memory::{block_memory, lut_memory};
use crate::Cost;

/// Cycles from an accepted beat to its offer at an empty buffer.
pub const LATENCY: i64 = 2;

/// Depth from which block memory is taken.
pub const BLOCK_FROM: i64 = 128;

/// A FIFO of `depth` beats and one more in its output register.
pub fn buffer(width: i64, depth: i64) -> Rc<Unit> {
    let block = depth >= BLOCK_FROM;
    let m = Module::new(if block { "buffer_block" } else { "buffer_small" });
    m.doc("FIFO of DEPTH beats with a registered read: a beat is offered two cycles after it was taken, then one a cycle.");
    let w = m.param("WIDTH", width, 1..=65536, "bits of a beat");
    let d = m.param("DEPTH", depth, 2..=1 << 20, "beats");
    let ck = m.clock();
    let (s_valid, s_data) = (m.input("s_valid_i", bit()), m.input("s_data_i", uint(&w)));
    let s_ready = m.output_wire("s_ready_o", bit());
    let m_ready = m.input("m_ready_i", bit());
    let (aw, cw) = (d.clog2(), (&d + 1).clog2());
    let [head, tail] = ["head_q", "tail_q"].map(|n| ck.reg(n, uint(&aw)).reset_to(0));
    let used = ck.reg("used_q", uint(&cw)).reset_to(0);
    let valid = ck.reg("valid_q", bit()).reset_to(0);
    let full = m.wire("full", &used.eq_to(m.constant("FULL", &d, &cw)));
    s_ready.drive(!&full);
    let push = m.wire("push", &(&s_valid & !&full));
    let pop = m.wire("pop", &(used.any() & (&m_ready | !&*valid)));
    let end = m.constant("END", &d - 1, &aw);
    for (pointer, step) in [(&tail, &push), (&head, &pop)] {
        pointer.next_when(step, pointer.eq_to(&end).select(0, pointer.wrapping_add(1)));
    }
    let counted = m.wire("counted", &push.select(used.wrapping_add(1), used.wrapping_sub(1)));
    used.next_when(&m.wire("changes", &push.xor(&pop)), &counted);
    let mem = m.memory("beats", &w, &d, if block { RamStyle::Block } else { RamStyle::Distributed }, "");
    mem.write(&ck, &push, &tail, &s_data);
    let data = mem.read_registered(&ck, "data_q", &pop, &head);
    valid.next(pop.select(lit(1, bit()), &*valid & !&m_ready));
    m.output("m_valid_o", &valid);
    m.output("m_data_o", &data);
    m.finish()
}

/// Cost: the memory, two pointers and a count.
pub fn cost(width: i64, depth: i64, family: Family) -> Cost {
    let pointer = clog2(depth) as f64;
    // Where the depth is no power of two, the pointers are compared with their end.
    let wrap = if depth & (depth - 1) == 0 { 0.0 } else { pointer };
    let mut cost = Cost::logic(pointer + 12.0 + wrap, 2.0 * pointer + clog2(depth + 1) as f64 + 1.0);
    if depth >= BLOCK_FROM {
        cost += block_memory(family, width, depth, false);
    } else {
        cost += lut_memory(family, 1, width, depth);
        cost.ff += width as f64;
    }
    cost
}
