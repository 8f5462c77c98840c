//! Width converter: wide beats leave as several narrow ones, lowest lane first.

use std::rc::Rc;

use bitlathe_hdl::{Module, Unit, bit, uint};

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
