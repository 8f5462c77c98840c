//! Deep FIFO in block or distributed memory, with a registered read: rows and blocks wait here for a number that all of
//! their elements decide.

use std::rc::Rc;

use bitlathe_hdl::{Module, RamStyle, Unit, bit, lit, uint};
use bitlathe_spec::Family;

use crate::Cost;

/// Cycles from an accepted beat to its offer at an empty buffer.
pub const LATENCY: i64 = 2;

/// Depth from which block memory is taken.
const BLOCK_FROM: i64 = 128;

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
    let pointer = (depth as f64).log2().ceil();
    let mut c = Cost { lut: 2.0 * pointer + 5.0, ff: 3.0 * pointer + 2.0, ..Cost::default() };
    if depth >= BLOCK_FROM {
        // Blocks of 36 kb in UltraScale+ and 7 series, half a block at a time; 18 kb in ECP5, 4 kb in iCE40.
        let (word, words, each) = match family {
            Family::Xcup | Family::Xc7 => (36, 512, 0.5),
            Family::Ecp5 => (36, 512, 1.0),
            Family::Ice40 => (16, 256, 1.0),
        };
        let up = |a: i64, b: i64| ((a + b - 1) / b) as f64;
        c.bram = up(width, word) * up(depth, words) * each;
        return c;
    }
    // RAM32M16: fourteen bits of 32 words in eight sites.
    c.lutram = (8 * ((width + 13) / 14) * ((depth + 31) / 32)) as f64;
    c.lut += c.lutram;
    c.ff += width as f64;
    c
}
