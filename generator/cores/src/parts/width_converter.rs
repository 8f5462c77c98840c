//! Width converters: wide beats to narrow ones and back, lowest lane first, at full throughput.
//!
//! | | narrow | widen |
//! |---|---|---|
//! | beats | one of `RATIO` words leaves as `RATIO` of one | `RATIO` of one word leave as one of `RATIO` |
//! | latency | 1 cycle to the first word | 1 cycle from the last word |
//! | throughput | one word a cycle, without pauses | one word a cycle, without pauses |
//! | `last` | none | closes a wide beat early: the words that it lacks are zero |
//!
//! `s_ready_o` follows `m_ready_i` in the same cycle; a stream register cuts that path where it is too long.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, bit, clog2, concat, lit, uint};
use bitlathe_spec::Family;

use crate::Cost;

/// Cycles from the word that completes a beat (wide beat for narrow ones) to its offer.
pub const LATENCY: i64 = 1;

/// `RATIO` narrow beats for each wide one; a new wide beat follows without a pause.
pub fn narrow_converter(width: i64, ratio: i64) -> Rc<Unit> {
    let m = Module::new("narrow_converter");
    m.doc("Each beat of RATIO words leaves as RATIO beats of one word, lowest first, without pauses.");
    let w = m.param("WIDTH", width, 1..=65536, "bits of a word");
    let r = m.param("RATIO", ratio, 2..=64, "words of a wide beat");
    let ck = m.clock();
    let (s_valid, s_data) = (m.input("s_valid_i", bit()), m.input("s_data_i", uint(&w * &r)));
    let s_ready = m.output_wire("s_ready_o", bit());
    let m_ready = m.input("m_ready_i", bit());
    let valid = ck.reg("valid_q", bit()).reset_to(0);
    let word = ck.reg("word_q", uint(r.clog2())).reset_to(0);
    let data = ck.reg("data_q", uint(&w * &r));
    let last = m.wire("last", &word.eq_to(m.constant("LAST", &r - 1, r.clog2())));
    let step = m.wire("step", &(&*valid & &m_ready));
    let free = m.wire("free", &(!&*valid | (&m_ready & &last)));
    s_ready.drive(&free);
    let take = m.wire("take", &(&s_valid & &free));
    valid.next(&take | (&*valid & !(&step & &last)));
    data.next_when(&take, &s_data);
    word.next_when(&step, last.select(0, word.wrapping_add(1)));
    m.output("m_valid_o", &valid);
    m.output("m_data_o", &data.lane_at(&word, &w));
    m.finish()
}

/// One wide beat for `RATIO` narrow ones, or for fewer where a narrow one is `last`.
pub fn widen_converter(width: i64, ratio: i64) -> Rc<Unit> {
    let m = Module::new("widen_converter");
    m.doc(
        "RATIO beats of one word leave as one beat of RATIO words, first word lowest, without pauses. A word with s_last_i\n\
         ends its wide beat, which then carries m_last_o and zeros in place of the words it lacks.",
    );
    let w = m.param("WIDTH", width, 1..=65536, "bits of a word");
    let r = m.param("RATIO", ratio, 2..=64, "words of a wide beat");
    let ck = m.clock();
    let (s_valid, s_data) = (m.input("s_valid_i", bit()), m.input("s_data_i", uint(&w)));
    let s_last = m.input("s_last_i", bit());
    let s_ready = m.output_wire("s_ready_o", bit());
    let m_ready = m.input("m_ready_i", bit());
    let valid = ck.reg("valid_q", bit()).reset_to(0);
    let last = ck.reg("last_q", bit());
    let here = ck.reg("here_q", uint(&r)).reset_to(1);
    m.describe(&here, "one-hot: where the next word goes");
    let data = ck.reg("data_q", uint(&w * &r));
    let free = m.wire("free", &(!&*valid | &m_ready));
    s_ready.drive(&free);
    let take = m.wire("take", &(&s_valid & &free));
    let ends = m.wire("ends", &(&s_last | here.msb()));
    valid.next((&take & &ends) | (&*valid & !&m_ready));
    last.next_when(&take, &s_last);
    let moved = m.wire("moved", &concat(&[&*here, &here.msb()]));
    m.allow(&moved, "UNUSEDSIGNAL", "the highest bit went round to the lowest");
    let first = concat(&[&lit(0, uint(&r - 1)), &lit(1, bit())]);
    here.next_when(&take, ends.select(&first, moved.slice(0, &r)));
    m.generate_for("g_word", &r, |i| {
        // The first word clears the others, so that a beat cut short holds zeros.
        let mine = m.wire("mine", &here.bit(i));
        let write = m.wire("write", &(&take & (&mine | here.bit(0))));
        data.next_lane(i, &w, Some(&write), &mine.select(&s_data, 0));
    });
    m.output("m_valid_o", &valid);
    m.output("m_last_o", &last);
    m.output("m_data_o", &data);
    m.finish()
}

/// Cost of a narrowing converter: the wide register, and a multiplexer of `ratio` inputs a bit.
pub fn narrow_cost(width: i64, ratio: i64, _: Family) -> Cost {
    let (w, r, count) = (width as f64, ratio as f64, clog2(ratio) as f64);
    // A LUT6 selects one of four; MUXF7 and MUXF8 join four of them.
    Cost { lut: w * (r / 4.0).ceil() + count + 4.0, ff: w * r + count + 1.0, ..Cost::default() }
}

/// Cost of a widening converter: the wide register, cleared by its own resets, and a one-hot pointer.
pub fn widen_cost(width: i64, ratio: i64, _: Family) -> Cost {
    let (w, r) = (width as f64, ratio as f64);
    Cost { lut: 2.0 * r + 4.0, ff: w * r + r + 2.0, ..Cost::default() }
}
