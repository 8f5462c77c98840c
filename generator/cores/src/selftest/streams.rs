//! What a self-test puts at a stream: beats from memory, and a count of beats.

use std::rc::Rc;

use bitlathe_hdl::{Expr, Module, Unit, bit, clog2, concat, lit, uint};
use bitlathe_spec::Family;

use crate::Cost;
use crate::parts::memory::block_memory;

/// Bits of a word of memory and of text.
pub const WORD: i64 = 32;
/// Up to so many beats stand in look-up tables.
const SHORT: usize = 16;

/// Beats, each as words of [`WORD`] bits, lowest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass(pub Vec<Vec<u32>>);

impl Pass {
    /// A column of memory and its bits.
    fn columns(&self, beat_bits: u64) -> Vec<(i64, Vec<u64>)> {
        let column = |n: usize| self.0.iter().map(|beat| u64::from(beat[n])).collect();
        (0..words(beat_bits)).map(|n| (word_bits(beat_bits, n), column(n))).collect()
    }
}

fn words(beat_bits: u64) -> usize {
    beat_bits.div_ceil(WORD as u64) as usize
}

/// Bits of a word of a beat.
fn word_bits(beat_bits: u64, word: usize) -> i64 {
    (beat_bits as i64 - WORD * word as i64).min(WORD)
}

/// Offers the beats of a pass one after the other, again and again.
pub fn stimulus(name: &str, pass: &Pass, beat_bits: u64) -> Rc<Unit> {
    let m = Module::new(name);
    let depth = pass.0.len() as i64;
    m.doc(&format!(
        "The {depth} beats of a pass, over and over: the one after a beat stands there when that has moved."
    ));
    let ck = m.clock();
    let (restart, next) = (m.input("restart_i", bit()), m.input("next_i", bit()));
    let width = clog2(depth).max(1);
    let index = ck.reg("index_q", uint(width)).reset_to(0);
    let over = m.wire("over", &index.eq_to(depth - 1));
    let following = m.wire("following", &over.select(0, index.wrapping_add(1)));
    let at = m.wire("at", &restart.select(0, next.select(&following, &*index)));
    index.next(&at);
    let words: Vec<Expr> = (pass.columns(beat_bits).iter().enumerate())
        .map(|(n, (bits, values))| {
            let word = format!("word{n}");
            let word = if values.len() > SHORT {
                m.block_rom(&word, &at, *bits, values)
            } else {
                m.rom(&word, &at, *bits, values)
            };
            let q = ck.reg(&format!("word{n}_q"), uint(*bits));
            q.next(&word);
            (*q).clone()
        })
        .collect();
    m.output("data_o", &concat(&words.iter().rev().collect::<Vec<_>>()));
    m.finish()
}

/// Cost of the memory of a pass and its counter.
pub fn memory(beats: u64, beat_bits: u64, family: Family) -> Cost {
    let index = clog2(beats as i64).max(1) as f64;
    let mut cost = Cost::logic(2.0 * index + 4.0, index);
    for n in 0..words(beat_bits) {
        let bits = word_bits(beat_bits, n);
        if beats as usize > SHORT {
            cost += block_memory(family, bits, beats as i64, true);
        } else {
            cost += Cost::logic(bits as f64, bits as f64);
        }
    }
    cost
}

/// Says which beat is the last of a run, and that it has moved.
pub fn beat_counter(beats: i64) -> Rc<Unit> {
    let m = Module::new("beat_counter");
    m.doc("Counts the beats of a run.");
    let beats = m.param("BEATS", beats, 1..=i64::from(i32::MAX), "beats of a run");
    let ck = m.clock();
    let (restart, moves) = (m.input("restart_i", bit()), m.input("moves_i", bit()));
    let left = ck.reg("left_q", uint(31)).reset_to(0);
    m.describe(&left, "beats after this one");
    let ended = ck.reg("ended_q", bit()).reset_to(0);
    let last = m.wire("last", &left.eq_to(0));
    let first = m.constant("AFTER_FIRST", &beats - 1, 31);
    let fewer = m.wire("fewer", &left.wrapping_sub(1));
    left.next_when(&(&restart | &moves), restart.select(&first, &fewer));
    ended.next(!&restart & (&*ended | (&moves & &last)));
    m.output("last_o", &last);
    m.output("ended_o", &ended);
    m.finish()
}

/// A mask of `bits` from words, lowest first; `None` where it is all ones.
pub fn partial(words: &[u32], bits: i64) -> Option<Expr> {
    let full = |n: usize| (1u64 << word_bits(bits as u64, n)) - 1;
    if words.iter().enumerate().all(|(n, word)| u64::from(*word) == full(n)) {
        return None;
    }
    let word = |(n, word): (usize, &u32)| lit(i64::from(*word), uint(word_bits(bits as u64, n)));
    let parts: Vec<Expr> = words.iter().enumerate().map(word).collect();
    Some(concat(&parts.iter().rev().collect::<Vec<_>>()))
}
