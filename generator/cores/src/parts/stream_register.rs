//! Stream register: cuts every path between its two sides, at full throughput.
//!
//! Ports `s_*` and `m_*`, valid, ready and data. A beat is offered one cycle after it was taken; valid, data and ready all
//! come from flip-flops.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, bit, uint};
use bitlathe_spec::Family;

use crate::Cost;

/// Cycles from an accepted beat to its offer.
pub const LATENCY: i64 = 1;

/// A skid buffer: two words, both directions registered.
pub fn stream_register(width: i64) -> Rc<Unit> {
    let m = Module::new("stream_register");
    m.doc("Two-word stream register: valid, data and ready all come from flip-flops; one beat a cycle.");
    let w = m.param("WIDTH", width, 1..=65536, "bits of a beat");
    let ck = m.clock();
    let (s_valid, s_data) = (m.input("s_valid_i", bit()), m.input("s_data_i", uint(&w)));
    let s_ready = m.output_wire("s_ready_o", bit());
    let m_ready = m.input("m_ready_i", bit());
    let (valid, spare) = (ck.reg("valid_q", bit()).reset_to(0), ck.reg("spare_q", bit()).reset_to(0));
    let (data, held) = (ck.reg("data_q", uint(&w)), ck.reg("held_q", uint(&w)));
    s_ready.drive(!&*spare);
    let take = m.wire("take", &(&s_valid & !&*spare));
    let free = m.wire("free", &(&m_ready | !&*valid));
    valid.next(&take | &*spare | (&*valid & !&free));
    data.next_when(&free, spare.select(&*held, &s_data));
    held.next_when(&take, &s_data);
    spare.next((&take | &*spare) & !&free);
    m.output("m_valid_o", &valid);
    m.output("m_data_o", &data);
    m.finish()
}

/// Cost: two words, and a multiplexer a bit.
pub fn cost(width: i64, _: Family) -> Cost {
    Cost { lut: width as f64 + 4.0, ff: 2.0 * width as f64 + 2.0, ..Cost::default() }
}
