//! What a wrapped core has beside its streams and registers: counters, and the end of a packet.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, bit, uint};

use crate::Cost;

/// Cycles from the first input to the latest output, and stalls of each stream.
pub fn job_counters(streams: i64) -> Rc<Unit> {
    let m = Module::new("job_counters");
    m.doc("Cycles from the first beat that went in to the latest that came out, inclusive; and stalls of each stream.");
    let streams = m.param("STREAMS", streams, 1..=64, "streams");
    let ck = m.clock();
    let clear = m.input("clear_i", bit());
    let (enters, leaves) = (m.input("enters_i", bit()), m.input("leaves_i", bit()));
    m.describe(&enters, "a beat goes in");
    m.describe(&leaves, "a beat comes out");
    let stalled = m.input("stalled_i", uint(&streams));
    m.describe(&stalled, "a beat is offered and not taken");

    let runs = ck.reg("runs_q", bit()).reset_to(0);
    m.describe(&runs, "the first beat went in");
    runs.next((&*runs | &enters) & !&clear);
    let time = ck.reg("time_q", uint(32)).reset_to(0);
    let now = m.wire("now", &time.wrapping_add(1));
    time.next_when(&(&*runs | &enters | &clear), clear.select(0, &now));
    let cycles = ck.reg("cycles_q", uint(32)).reset_to(0);
    cycles.next_when(&(&leaves | &clear), clear.select(0, &now));

    let stalls = m.output_wire("stalls_o", uint(&streams * 32));
    m.generate_for("g_stalls", &streams, |n| {
        let count = ck.reg("count_q", uint(32)).reset_to(0);
        let next = m.wire("count", &count.wrapping_add(1));
        count.next_when(&(stalled.bit(n) | &clear), clear.select(0, &next));
        stalls.drive_lane(n, &32.into(), &count);
    });
    m.output("cycles_o", &cycles);
    m.finish()
}

/// Cost of the counters: cycles, their copy when a beat leaves, and stalls of each stream.
pub fn job_counters_cost(streams: usize) -> Cost {
    let streams = streams as f64;
    Cost::logic(32.0 * (1.0 + streams) + 7.0, 32.0 * (2.0 + streams) + 1.0)
}

/// Marks the last of so many beats, for a stream without `last`.
pub fn packet_last(bits: i64) -> Rc<Unit> {
    let m = Module::new("packet_last");
    m.doc("Marks the last beat of a packet of beats_i.");
    let w = m.param("COUNT_W", bits, 1..=32, "bits of the length");
    let ck = m.clock();
    let (beats, moves) = (m.input("beats_i", uint(&w)), m.input("moves_i", bit()));
    m.describe(&moves, "a beat is taken");
    let count = ck.reg("count_q", uint(&w)).reset_to(1);
    let last = m.wire("last", &count.eq_to(&beats));
    let next = m.wire("next", &count.wrapping_add(1));
    count.next_when(&moves, last.select(1, &next));
    m.output("last_o", &last);
    m.finish()
}

/// Cost of the counter and its comparison.
pub fn packet_last_cost(bits: u32) -> Cost {
    let bits = f64::from(bits);
    Cost::logic(2.0 * bits + 2.0, bits)
}
