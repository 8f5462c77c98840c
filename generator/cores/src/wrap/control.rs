//! What a wrapped core has beside its streams and registers: counters, the end of a packet, start and end of a kernel's job.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, bit, concat, lit, uint};
use bitlathe_spec::axi::ADDRESS_BITS;

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

/// The control block of `ap_ctrl_hs`: the first four words of a kernel's registers, which [`super::registers`] describes.
///
/// A job runs from the start to the cycle after every stream has told its end. Done and ready come at once: a job keeps its arguments
/// to its end.
pub fn ap_control(streams: i64) -> Rc<Unit> {
    let m = Module::new("ap_control");
    m.doc("Start and end of jobs as ap_ctrl_hs has them: control, global interrupt enable, interrupt enable, interrupt status.");
    let streams = m.param("STREAMS", streams, 1..=64, "streams");
    let ck = m.clock();
    let (write, read) = (m.input("write_i", bit()), m.input("read_i", bit()));
    let addr = m.input("addr_i", uint(ADDRESS_BITS));
    m.allow(&addr, "UNUSEDSIGNAL", "the two lowest bits address bytes");
    let wdata = m.input("wdata_i", uint(32));
    m.allow(&wdata, "UNUSEDSIGNAL", "no word uses every bit");
    let ended = m.input("done_i", uint(&streams));
    m.describe(&ended, "a stream has moved its last beat, or stands still after it");
    let word = m.wire("word", &addr.slice(2, i64::from(ADDRESS_BITS) - 2));
    let at = [0, 1, 2, 3].map(|n| m.wire(&format!("at_{n}"), &word.eq_to(n)));
    let writes = |n: usize| &write & &at[n];
    let flag = |name: &str| ck.reg(name, bit()).reset_to(0);

    m.comment("A job runs until every stream has ended");
    let (started, running, repeat) = (flag("started_q"), flag("running_q"), flag("repeat_q"));
    let open = ck.reg("open_q", uint(&streams)).reset_to(0);
    m.describe(&open, "streams that have not ended");
    let control = m.wire("write_control", &writes(0));
    let start = m.wire("start", &(&*started & !&*running));
    let done = m.wire("done", &(&*running & !open.any()));
    running.next(&start | (&*running & !&done));
    open.next(start.select(lit(1, bit()).repeat(&streams), &*open & !&ended));
    started.next((&control & wdata.bit(0)) | (&*started & !(&done & !&*repeat)));
    repeat.next_when(&control, wdata.bit(7));

    m.comment("Done and ready stay until they are read");
    let seen = m.wire("seen", &(&read & &at[0]));
    let was_done = flag("done_q");
    was_done.next(&done | (&*was_done & !&seen));

    m.comment("Interrupts: a written one clears its bit");
    let enabled = flag("enabled_q");
    enabled.next_when(&writes(1), wdata.bit(0));
    let mask = ck.reg("mask_q", uint(2)).reset_to(0);
    mask.next_when(&writes(2), wdata.slice(0, 2));
    let status = ck.reg("status_q", uint(2)).reset_to(0);
    let clear = m.wire("clear", &(writes(3).repeat(2) & wdata.slice(0, 2)));
    status.next((done.repeat(2) & &*mask) | (&*status & !&clear));
    let interrupt = flag("interrupt_q");
    interrupt.next(&*enabled & status.any());

    let idle = !(&*started | &*running);
    let zeros = |bits: i64| lit(0, uint(bits));
    let shown = [
        concat(&[&zeros(24), &*repeat, &zeros(3), &*was_done, &idle, &*was_done, &*started]),
        concat(&[&zeros(31), &*enabled]),
        concat(&[&zeros(30), &*mask]),
        concat(&[&zeros(30), &*status]),
    ];
    let shown = at.iter().zip(&shown).map(|(at, word)| at.repeat(32) & word).reduce(|a, b| a | b);
    m.output("rdata_o", &shown.unwrap_or_else(|| zeros(32)));
    m.output("start_o", &start);
    m.output("interrupt_o", &interrupt);
    m.finish()
}

/// Cost of the control block.
pub fn ap_control_cost(streams: usize) -> Cost {
    let streams = streams as f64;
    Cost::logic(28.0 + 1.2 * streams, 10.0 + streams)
}
