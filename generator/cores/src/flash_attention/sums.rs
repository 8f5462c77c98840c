//! l of all rows: half-up(l / 2^drop) + the tile's sum. The sums of a tile are complete row by row, a cycle apart, so one adder serves all.

use std::rc::Rc;

use bitlathe_hdl::{Module, RamStyle, Unit, bit, concat, lit, uint};
use bitlathe_spec::Family;

use super::array::select::{self, PICK_BITS};
use super::drop;
use super::hardware::{DROP_BITS, GUARD_BITS, Hardware};
use crate::Cost;
use crate::parts::carry::impl_param;
use crate::parts::delay_line::{delay_cost, delayed};
use crate::parts::memory::lut_memory;

/// The unit.
pub fn unit(hw: &Hardware) -> Rc<Unit> {
    let m = Module::new("attention_sums");
    m.doc(
        "l of the rows of all blocks: l = half-up(l / 2^drop) + tile * 2^8, or tile * 2^8 in a block's first tile, one row a cycle.\n\
         pick_i chooses the row; valid_i, first_i and at_i come with its first step. A second port reads for the output.",
    );
    let n = m.param("N", hw.n, 4..=32, "rows");
    let tile_w = m.param("TILE_W", hw.tile_bits(), 8..=32, "bits of a tile's sum");
    let w = m.param("L_W", hw.sum_bits, 16..=drop::MOST - 1, "bits of l");
    let aw = m.param("A_W", hw.sum_address_bits(), 1..=16, "bits of an address");
    let imp = impl_param(&m, hw.implementation);
    m.guard(w.gt(&tile_w + GUARD_BITS), "a tile's sum fits");
    let ck = m.clock();
    let always = lit(1, bit());
    let (valid, first) = (m.input("valid_i", bit()), m.input("first_i", bit()));
    let (at, pick) = (m.input("at_i", uint(&aw)), m.input("pick_i", uint(PICK_BITS)));
    let (tiles, drops) = (m.input("tiles_i", uint(&n * &tile_w)), m.input("drops_i", uint(&n * DROP_BITS)));
    let word_w = &tile_w + DROP_BITS;
    let words = m.wire_later("words", uint(&n * &word_w));
    m.generate_for("g_word", &n, |i| {
        let word = m.wire("word", &concat(&[&drops.lane(i, &DROP_BITS.into()), &tiles.lane(i, &tile_w)]));
        words.drive_lane(i, &word_w, &word);
    });
    let word = m.wire_later("chosen", uint(&word_w));
    m.instance("u_select", &select::select_tree(hw.n, hw.tile_bits() + DROP_BITS, hw.implementation))
        .param("IMPL", &imp)
        .param("TERMS", &n)
        .param("WIDTH", &word_w)
        .clock(&ck)
        .input("pick_i", &pick)
        .input("values_i", &words)
        .output("value_o", &word)
        .done();
    let steps = select::latency(hw.n);
    let marks = m.wire("marks", &concat(&[&at, &first, &valid]));
    let marks = m.wire("marks_late", &delayed(&m, &ck, "marks", &always, &marks, steps, true));
    let (valid, first, at) = (marks.bit(0), marks.bit(1), m.wire("place", &marks.slice(2, &aw)));
    let (tile, drop) = (word.slice(0, &tile_w), m.wire("drop", &word.slice(&tile_w, DROP_BITS)));
    let sums = m.memory("sums", &w, aw.pow2(), RamStyle::Distributed, "");
    let halves = m.wire("halves", &concat(&[&lit(0, bit()), &sums.read(&at), &lit(0, bit())]).as_signed());
    let kept = ck.reg("kept_q", uint(&w + 1));
    let steps = m.wire("steps_now", &drop::decoded(&m, &drop));
    m.allow(&steps, "UNUSEDSIGNAL", "narrow numbers have no shift by 48");
    let coarse = m.wire("coarse", &drop::coarse(&m, &halves, &steps));
    m.allow(&coarse, "UNUSEDSIGNAL", "l has no sign");
    kept.next(first.select(0, coarse.slice(0, &w + 1)));
    let fine = ck.delay("fine", &steps.slice(0, drop::FINE_BITS), 1);
    let tile = ck.delay("tile", &tile, 1);
    let (valid, at) = (ck.delay("valid", &valid, 1), ck.delay("place", &at, 1));
    // The lowest bit of what is kept is its half; a one beside it rounds.
    let more = concat(&[&lit(0, uint(&w - GUARD_BITS - &tile_w)), &tile, &lit(1, uint(GUARD_BITS + 1))]);
    let total = drop::sum(&m, &kept, &fine, &more);
    m.allow(&total, "UNUSEDSIGNAL", "the half is cut");
    sums.write(&ck, &valid, &at, &total.slice(1, &w));
    m.output("l_o", &sums.read(&m.input("read_at_i", uint(&aw))));
    m.finish()
}

/// Cost: the choice of a row, the memory for two readers, the shifter, the adder.
pub fn cost(hw: &Hardware, family: Family) -> Cost {
    let w = hw.sum_bits;
    let mut cost = select::cost(hw.n, hw.tile_bits() + DROP_BITS, family);
    cost += lut_memory(family, 2, w, 1 << hw.sum_address_bits());
    cost += delay_cost(family, hw.sum_address_bits() + 2, select::latency(hw.n), true);
    cost += Cost::logic(drop::lut(w, family), (w + hw.tile_bits() + hw.sum_address_bits() + 2) as f64);
    cost
}
