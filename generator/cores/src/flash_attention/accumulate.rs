//! O of a row: half-up(O / 2^drop) + the tile's sum of products, one column a cycle.

use std::rc::Rc;

use bitlathe_hdl::{Module, RamStyle, Unit, bit, concat, lit, sint, uint};
use bitlathe_spec::Family;

use super::drop;
use super::hardware::{DROP_BITS, GUARD_BITS, Hardware};
use crate::Cost;
use crate::parts::delay_line::delay_cost;
use crate::parts::memory::{block_memory, lut_memory};
use crate::parts::sign::widen;

/// Cycles from a sum of products until the column may be read.
pub const LATENCY: i64 = 2;
/// Words from which block memory is taken.
const BLOCK_FROM: i64 = 64;

/// The unit.
pub fn unit(hw: &Hardware) -> Rc<Unit> {
    let block = 1 << hw.address_bits() >= BLOCK_FROM;
    let m = Module::new(if block { "attention_accumulate" } else { "attention_accumulate_small" });
    m.doc(
        "O of the columns of blocks, in memory: O = half-up(O / 2^drop) + product * 2^8, or product * 2^8 in a block's first tile.\n\
         The address comes two cycles before the product; drop_i is taken with load_i, at the address of a tile's first column. A second port\n\
         reads for the output: word_o follows read_at_i by a cycle in which read_i is set.",
    );
    let w = m.param("O_W", hw.weighted_bits, 16..=drop::MOST - 1, "bits of O");
    let sw = m.param("SUM_W", hw.product_bits(), 16..=48, "bits of a sum of products");
    let aw = m.param("A_W", hw.address_bits(), 1..=20, "bits of an address");
    m.guard(w.ge(&sw + GUARD_BITS), "a tile's sum fits");
    let ck = m.clock();
    let [valid, load, first] = ["valid_i", "load_i", "first_i"].map(|n| m.input(n, bit()));
    let at = m.input("at_i", uint(&aw));
    let drop = m.input("drop_i", uint(DROP_BITS));
    let product = m.input("product_i", sint(&sw));
    let (read, read_at) = (m.input("read_i", bit()), m.input("read_at_i", uint(&aw)));
    let style = if block { RamStyle::Block } else { RamStyle::Distributed };
    let words = m.memory("words", &w, aw.pow2(), style, "");
    let before = words.read_registered(&ck, "before_q", &lit(1, bit()), &at);
    let steps = ck.reg("steps_q", uint(drop::STEP_BITS));
    m.allow(&steps, "UNUSEDSIGNAL", "narrow numbers have no shift by 48");
    steps.next_when(&load, drop::decoded(&m, &drop));
    let first = ck.delay("first", &first, 1);
    // With the bit below it, which is its half.
    let halves = m.wire("halves", &concat(&[&before, &lit(0, bit())]).as_signed());
    let kept = ck.reg("kept_q", sint(&w + 1));
    kept.next(first.select(0, drop::coarse(&m, &halves, &steps).as_signed()));
    let fine = ck.delay("fine", &steps.slice(0, drop::FINE_BITS), 1);
    // A one beside the half rounds.
    let scaled = m.wire("scaled", &concat(&[&product, &lit(1, uint(GUARD_BITS + 1))]).as_signed());
    let total = drop::sum(&m, &kept, &fine, &widen(&m, "scaled_wide", &scaled, &w + 1));
    m.allow(&total, "UNUSEDSIGNAL", "the half is cut");
    let word = ck.delay("word", &total.slice(1, &w), 1);
    let (valid, at) = (ck.delay("valid", &valid, 3), ck.delay("at", &at, 3));
    words.write(&ck, &valid, &at, &word);
    m.output("word_o", &words.read_registered(&ck, "read_q", &read, &read_at));
    m.finish()
}

/// Cost: the memory for two readers, the shift and the addition, the address on its way.
pub fn cost(hw: &Hardware, family: Family) -> Cost {
    let (w, a) = (hw.weighted_bits, hw.address_bits());
    let mut cost = Cost::logic(drop::lut(w, family), (2 * w + 1 + drop::STEP_BITS + drop::FINE_BITS + 1) as f64);
    cost += delay_cost(family, a + 1, 3, false);
    if 1 << a >= BLOCK_FROM {
        let one = block_memory(family, w, 1 << a, false);
        cost += one * 2.0;
    } else {
        cost += lut_memory(family, 2, w, 1 << a);
        cost.ff += 2.0 * w as f64;
    }
    cost
}
