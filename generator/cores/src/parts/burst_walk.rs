//! The bursts in which an AXI4 master walks through memory.
//!
//! A burst ends where the walk ends, or at a multiple of `2^BURST_W` words. Such a block divides 4 KiB, so no burst crosses a
//! boundary of 4 KiB, and the address of all bursts but the first of a pass is a block's: its lower bits are zero and its upper
//! bits count, without an adder as long as an address.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Module, Unit, bit, concat, lit, uint};
use bitlathe_spec::Family;

use crate::Cost;

/// Cycles from the start to the first burst, and at least from one to the next.
pub const LATENCY: i64 = 2;

/// How a walk is sized, as logarithms and bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WalkShape<D = i64> {
    /// Logarithm of the bytes of a word.
    pub word: D,
    /// Logarithm of the words of the longest burst.
    pub burst: D,
    /// Bits of the number of words.
    pub count: D,
    /// Bits of the number of passes.
    pub pass: D,
}

impl WalkShape {
    /// The parameters of a module that holds such a walk.
    pub fn parameters(&self, m: &Module) -> WalkShape<Dim> {
        let shape = WalkShape {
            word: m.param("WORD_W", self.word, 2..=7, "logarithm of the bytes of a word"),
            burst: m.param("BURST_W", self.burst, 1..=8, "logarithm of the words of the longest burst"),
            count: m.param("COUNT_W", self.count, 3..=40, "bits of the number of words"),
            pass: m.param("PASS_W", self.pass, 1..=31, "bits of the number of passes"),
        };
        m.guard((&shape.word + &shape.burst).lt(13), "a burst stays within 4 KiB");
        m.guard((&shape.burst + 1).lt(shape.count.clone()), "a number of words holds a burst");
        shape
    }
}

impl WalkShape<Dim> {
    /// The same as numbers.
    pub fn values(&self) -> WalkShape {
        let Self { word, burst, count, pass } = self;
        WalkShape { word: word.value(), burst: burst.value(), count: count.value(), pass: pass.value() }
    }

    /// Bits of a word.
    pub fn word_bits(&self) -> Dim {
        self.word.pow2() * 8
    }
}

/// Walks through `words_i` words from `address_i` on, `passes_i` times; all three hold until the last burst is taken.
pub fn burst_walk(shape: &WalkShape) -> Rc<Unit> {
    let m = Module::new("burst_walk");
    m.doc(
        "Bursts of a walk through memory: words_i words from address_i on, passes_i times. A burst ends with its pass, or at a \
         multiple of 2^BURST_W words. What the walk is made of holds until the last burst is taken.",
    );
    let WalkShape { word: b, burst: w, count: c, pass: p } = shape.parameters(&m);
    let ck = m.clock();
    let start = m.input("start_i", bit());
    let address = m.input("address_i", uint(64));
    m.allow(&address, "UNUSEDSIGNAL", "bursts begin at whole words");
    let (words, passes) = (m.input("words_i", uint(&c)), m.input("passes_i", uint(&p)));
    let ready = m.input("m_ready_i", bit());
    let length_w = &w + 1;
    let (active, offered) = (ck.reg("active_q", bit()).reset_to(0), ck.reg("offered_q", bit()).reset_to(0));
    let place = ck.reg("place_q", uint(64 - &b));
    m.describe(&place, "the next word");
    let (left, passes_left) = (ck.reg("left_q", uint(&c)), ck.reg("passes_q", uint(&p)));
    let (length, ends) = (ck.reg("length_q", uint(&length_w)), ck.reg("ends_q", bit()));

    m.comment("A burst is measured in one cycle and offered from the next on");
    let measure = m.wire("measure", &(&*active & !&*offered));
    let take = m.wire("take", &(&*offered & &ready));
    offered.next(&measure | (&*offered & !&ready));
    let low = concat(&[&lit(0, bit()), &place.slice(0, &w)]);
    let room = m.wire("room", &m.constant("BLOCK", w.pow2(), &length_w).wrapping_sub(&low));
    m.describe(&room, "words up to the end of the block");
    let fits = m.wire("fits", &left.le(room.extend(&c)));
    length.next_when(&measure, fits.select(left.slice(0, &length_w), &room));
    ends.next_when(&measure, &fits);

    m.comment("After it comes the next block, or the next pass");
    let last = m.wire("last", &(&*ends & passes_left.eq_to(1)));
    let anew = m.wire("anew", &(&start | &*ends));
    let step = m.wire("step", &(&start | &take));
    let upper = 64 - &b - &w;
    let next = concat(&[&place.slice(&w, &upper).wrapping_add(1), &lit(0, uint(&w))]);
    place.next_when(&step, anew.select(address.slice(&b, 64 - &b), &next));
    left.next_when(&step, anew.select(&words, left.wrapping_sub(length.extend(&c))));
    let pass = m.wire("pass", &(&start | (&take & &*ends)));
    passes_left.next_when(&pass, start.select(&passes, passes_left.wrapping_sub(1)));
    active.next(&start | (&*active & !(&take & &last)));

    m.output("active_o", &active);
    m.output("m_valid_o", &offered);
    m.output("m_address_o", &concat(&[&*place, &lit(0, uint(&b))]));
    m.output("m_length_o", &length);
    m.output("m_last_o", &last);
    m.finish()
}

/// Cost: an address with its counter, the words left and the passes left, and the length of a burst.
pub fn cost(shape: &WalkShape, _: Family) -> Cost {
    let place = (64 - shape.word) as f64;
    let (count, pass, length) = (shape.count as f64, shape.pass as f64, shape.burst as f64 + 1.0);
    Cost::logic(place + 1.5 * count + pass + 2.0 * length + 6.0, place + count + pass + length + 3.0)
}
