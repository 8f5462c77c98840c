//! Bytes as asynchronous serial: one start bit, eight data bits, one stop bit; no parity.
//!
//! Ports: a byte with `s_valid_i` and `s_ready_o`; the line `tx_o`, high when nothing is sent.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, bit, concat, lit, uint};

use crate::Cost;

/// Bits of a byte on the line.
const FRAME: i64 = 10;

/// The transmitter; a bit takes so many cycles.
pub fn uart_transmitter(divider: i64) -> Rc<Unit> {
    let m = Module::new("uart_transmitter");
    m.doc("Bytes as asynchronous serial, 8N1, least significant bit first. The next byte is taken when the stop bit is over.");
    let divider = m.param("DIVIDER", divider, 2..=65535, "clock cycles of a bit");
    let ck = m.clock();
    let valid = m.input("s_valid_i", bit());
    let ready = m.output_wire("s_ready_o", bit());
    let byte = m.input("s_data_i", uint(8));
    let left = ck.reg("left_q", uint(4)).reset_to(0);
    m.describe(&left, "bits of the frame that are not over");
    let line = ck.reg("line_q", uint(9)).reset_to(0x1ff);
    m.describe(&line, "what is on the line, and what follows");
    let time = ck.reg("time_q", uint(16)).reset_to(0);
    m.describe(&time, "cycles that the bit still lasts");
    let idle = m.wire("idle", &left.eq_to(0));
    ready.drive(&idle);
    let take = m.wire("take", &(&valid & &idle));
    let over = m.wire("over", &time.eq_to(0));
    let last = m.constant("LAST", &divider - 1, 16);
    let next = m.wire("next_time", &time.wrapping_sub(1));
    time.next((&take | &over).select(&last, &next));
    let fewer = m.wire("fewer", &left.wrapping_sub(1));
    let moves = m.wire("moves", &(&take | (&over & !&idle)));
    left.next_when(&moves, take.select(FRAME, &fewer));
    let start = concat(&[&byte, &lit(0, bit())]);
    let shifted = concat(&[&lit(1, bit()), &line.slice(1, 8)]);
    line.next_when(&moves, take.select(&start, &shifted));
    m.output("tx_o", &line.bit(0));
    m.finish()
}

/// Cost: the frame, and the counters of bits and cycles.
pub fn cost() -> Cost {
    Cost::logic(9.0 + 16.0 + 16.0, 9.0 + 4.0 + 16.0)
}
