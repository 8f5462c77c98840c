//! On-chip copy of a stream: loaded once, then repeated endlessly. Keeps weights that every pass needs again.

use std::rc::Rc;

use bitlathe_hdl::{Module, RamStyle, Unit, bit, lit, uint};
use bitlathe_spec::Family;

use super::memory::{block_memory, ultra_memory};
use crate::Cost;

/// Idle cycles between the cycle after the last loaded beat and the first repeated one.
pub const FIRST_BEAT_LATENCY: i64 = 1;

/// The buffer. It loads until a beat carries `last`, then offers the beats in order, over and over, one a cycle.
pub fn replay_buffer(width: i64, depth: i64, ultra: bool) -> Rc<Unit> {
    let m = Module::new(if ultra { "replay_buffer_ultra" } else { "replay_buffer" });
    m.doc("Loads a stream until its last beat, then repeats it endlessly, one beat a cycle. reload_i starts over.");
    let w = m.param("WIDTH", width, 1..=65536, "bits of a beat");
    let d = m.param("DEPTH", depth, 1..=1 << 20, "largest number of beats");
    let ck = m.clock();
    let reload = m.input("reload_i", bit());
    let s = [m.input("s_valid_i", bit()), m.input("s_data_i", uint(&w)), m.input("s_last_i", bit())];
    let s_ready = m.output_wire("s_ready_o", bit());
    let m_ready = m.input("m_ready_i", bit());
    m.describe(&reload, "forget the beats and load again");
    let aw = d.clog2().larger(1);
    let loading = ck.reg("loading_q", bit()).reset_to(1);
    let at = ck.reg("write_q", uint(&aw)).reset_to(0);
    let last = ck.reg("last_q", uint(&aw));
    let read = ck.reg("read_q", uint(&aw)).reset_to(0);
    let valid = ck.reg("valid_q", bit()).reset_to(0);
    s_ready.drive(&*loading);
    let take = m.wire("take", &(&s[0] & &*loading));
    let ends = m.wire("ends", &(&take & &s[2]));
    loading.next(&reload | (&*loading & !&ends));
    let next_write = take.select(at.wrapping_add(1), &*at);
    at.next((&reload | &ends).select(0, &next_write));
    last.next_when(&ends, &*at);
    let style = if ultra { RamStyle::Ultra } else { RamStyle::Block };
    let mem = m.memory("beats", &w, &d, style, "");
    mem.write(&ck, &take, &at, &s[1]);
    let advance = m.wire("advance", &((!&*valid | &m_ready) & !&*loading));
    let data = mem.read_registered(&ck, "data_q", &advance, &read);
    let wrapped = read.eq_to(&*last).select(0, read.wrapping_add(1));
    let next_read = advance.select(&wrapped, &*read);
    read.next(reload.select(0, &next_read));
    let emptied = m_ready.select(lit(0, bit()), &*valid);
    valid.next(advance.select(lit(1, bit()), &emptied) & !&reload);
    m.output("m_valid_o", &valid);
    m.output("m_data_o", &data);
    m.finish()
}

/// Cost of the buffer: its memory, three addresses and the two counters among them.
pub fn replay_cost(family: Family, width: i64, depth: i64, ultra: bool) -> Cost {
    let address = (depth as f64).log2().ceil().max(1.0);
    let mut cost = if ultra { ultra_memory(family, width, depth) } else { block_memory(family, width, depth, true) };
    cost += Cost::logic(2.0 * address + 7.0, 3.0 * address + 2.0);
    cost
}
