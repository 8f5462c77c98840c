//! FIFO: keeps up to `2^DEPTH_W` beats in order, in look-up-table memory.
//!
//! Ports `s_*` and `m_*`, valid, ready and data. A beat is offered one cycle after it was taken by an empty FIFO; ready and
//! valid depend on the pointers alone, so no path leads through.

use std::rc::Rc;

use bitlathe_hdl::{Module, RamStyle, Unit, bit, concat, lit, uint};
use bitlathe_spec::Family;

use super::memory::lut_memory;
use crate::Cost;

/// Cycles from an accepted beat to its offer by an empty FIFO.
pub const LATENCY: i64 = 1;

/// A first-word-fall-through FIFO of a power-of-two depth in look-up-table memory.
pub fn fifo(width: i64, depth_bits: i64) -> Rc<Unit> {
    let m = Module::new("fifo");
    m.doc("First-word-fall-through FIFO of 2^DEPTH_W beats in distributed memory.");
    let w = m.param("WIDTH", width, 1..=65536, "bits of a beat");
    let a = m.param("DEPTH_W", depth_bits, 1..=12, "address bits");
    let ck = m.clock();
    let (s_valid, s_data) = (m.input("s_valid_i", bit()), m.input("s_data_i", uint(&w)));
    let s_ready = m.output_wire("s_ready_o", bit());
    let m_ready = m.input("m_ready_i", bit());
    // One bit more than an address tells full from empty.
    let pointer = &a + 1;
    let (head, tail) = (ck.reg("head_q", uint(&pointer)).reset_to(0), ck.reg("tail_q", uint(&pointer)).reset_to(0));
    let used = m.wire("used", &tail.wrapping_sub(&*head));
    let empty = m.wire("empty", &used.eq_to(0));
    s_ready.drive(!used.msb());
    let push = m.wire("push", &(&s_valid & !used.msb()));
    let pop = m.wire("pop", &(&m_ready & !&empty));
    let one = concat(&[&lit(0, uint(&a)), &lit(1, bit())]);
    tail.next_when(&push, tail.wrapping_add(&one));
    head.next_when(&pop, head.wrapping_add(&one));
    let mem = m.memory("beats", &w, a.pow2(), RamStyle::Distributed, "");
    mem.write(&ck, &push, &tail.slice(0, &a), &s_data);
    let front = m.wire("front", &mem.read(&head.slice(0, &a)));
    m.output("m_valid_o", &!&empty);
    m.output("m_data_o", &front);
    m.finish()
}

/// Cost: the memory and two pointers of one bit more than an address.
pub fn cost(width: i64, depth_bits: i64, family: Family) -> Cost {
    let pointer = depth_bits as f64 + 1.0;
    let mut cost = lut_memory(family, 1, width, 1 << depth_bits);
    cost += Cost::logic(3.0 * pointer + 3.0, 2.0 * pointer);
    cost
}
