//! From l and O to outputs: one reciprocal a row, then a column a cycle of a quarter of the rows at once.

use std::rc::Rc;

use bitlathe_hdl::{Clock, Dim, Expr, Module, Unit, Wire, bit, clog2, concat, lit, sint, uint};
use bitlathe_spec::Family;

use super::hardware::{Hardware, PARTS};
use crate::Cost;
use crate::parts::carry::{impl_param, implementation};
use crate::parts::delay_line::{delay_cost, delayed};
use crate::parts::fifo::{self, fifo};
use crate::parts::multiply_add::{self, Form, fitting, multiply_add};
use crate::parts::sign::widen;
use crate::parts::{divider, normalise};
use crate::softmax::hardware::RowScale;
use crate::softmax::scale::{RECIPROCAL_BITS, Scaler};

/// Bits of O that one block multiplies.
const LIMB_BITS: i64 = 17;
/// Cycles from a product to its output: rounding, saturation.
const ROUNDING: i64 = 2;
/// Cycles from a column's word to the first product: choice of the part, shift.
const SHIFTING: i64 = 2;

/// Reciprocals of l are those of softmax, whatever the output.
const SCALE: RowScale = RowScale::Reciprocal(16);

/// Blocks of a product.
fn limbs(weighted_bits: i64) -> i64 {
    1 + (weighted_bits - 18 + LIMB_BITS - 1).max(0) / LIMB_BITS
}

/// Cycles by which limb `n` comes later than the first: the sum of what is below is its addend.
fn limb_delay(n: i64) -> i64 {
    (multiply_add::LATENCY - 1) * n
}

/// Cycles from O to the output.
pub fn latency(hw: &Hardware) -> i64 {
    SHIFTING + limb_delay(limbs(hw.weighted_bits) - 1) + multiply_add::LATENCY + ROUNDING
}

impl Hardware {
    /// From l to its reciprocal.
    fn scaler(&self) -> Scaler {
        let (sum_bits, most_zeros) = (self.sum_bits, self.most_zeros());
        Scaler { scale: SCALE, sum_bits, most_zeros, max_bits: None }
    }

    /// log2 of the complete blocks that wait.
    fn waiting_log2(&self) -> i64 {
        self.slot_bits()
    }
}

/// The unit: complete blocks in, beats of o out.
pub fn unit(hw: &Hardware) -> Rc<Unit> {
    let m = Module::new("attention_output");
    m.doc(
        "Reads complete blocks, a quarter of their rows at a time: the reciprocals of its l, then column by column O, multiplied, rounded,\n\
         saturated. The reciprocals of the next quarter are made meanwhile.",
    );
    let lanes = m.param("LANES", hw.output_lanes(), 1..=8, "rows of a beat");
    let imp = impl_param(&m, hw.implementation);
    let ck = m.clock();
    let out = Output { hw, m, ck, lanes, imp };
    out.build();
    out.m.finish()
}

struct Output<'a> {
    hw: &'a Hardware,
    m: Module,
    ck: Clock,
    lanes: Dim,
    imp: Dim,
}

/// Where in the walk over slots and quarters something is.
struct Place {
    part: Expr,
    slot: Expr,
    part_last: Expr,
}

impl Output<'_> {
    fn build(&self) {
        let (m, hw) = (&self.m, self.hw);
        let always = lit(1, bit());
        let (done, job_done) = (m.input("done_i", bit()), m.input("job_done_i", bit()));
        let columns = m.input("columns_i", uint(hw.column_bits()));
        m.comment("Reciprocals");
        let lane_bits = clog2(hw.output_lanes()).max(1);
        let feeds = m.wire_later("feeds", bit());
        let lane = self.ck.reg("feed_lane_q", uint(lane_bits)).reset_to(0);
        let lane_last = m.wire("feed_lane_last", &lane.eq_to(hw.output_lanes() - 1));
        lane.next_when(&feeds, lane_last.select(0, lane.wrapping_add(1)));
        let feed = self.place("feed", &m.wire("feeds_last", &(&*feeds & &lane_last)));
        let fed = m.wire("fed", &(&*feeds & &lane_last & &feed.part_last));
        let (waiting, _) = self.blocks("fed", &done, &always, &fed);
        let scale_room = m.wire_later("scale_room", uint(&self.lanes));
        feeds.drive(&waiting & scale_room.lane_at(&lane, 1));
        let at = if hw.output_lanes() > 1 {
            concat(&[&feed.slot, &feed.part, &*lane])
        } else {
            concat(&[&feed.slot, &feed.part])
        };
        m.output("l_at_o", &at);
        let l = m.input("l_i", uint(hw.sum_bits));

        m.comment("Columns");
        let en = m.wire_later("en", bit());
        let offered = m.wire_later("scale_offered", uint(&self.lanes));
        m.allow(&offered, "UNUSEDSIGNAL", "the last lane is the last to be there");
        let busy = self.ck.reg("busy_q", bit()).reset_to(0);
        let place = self.ck.reg("place_q", uint(hw.place_bits()));
        let end = m.wire("last_place", &columns.wrapping_sub(1));
        m.allow(&end, "UNUSEDSIGNAL", "a place has one bit less where the largest number of columns is a power of two");
        let last = m.wire("column_last", &(&*busy & place.eq_to(end.slice(0, hw.place_bits()))));
        // While backpressure holds the lanes, divisions go on: a scale waits until the one before has passed.
        let start = m.wire_later("start", bit());
        let passing = self.passing(&en, &start);
        start.drive(offered.bit(&self.lanes - 1) & &*en & (!&*busy | &last) & !passing.any());
        busy.next_when(&en, &*start | (&*busy & !&last));
        place.next_when(&en, start.select(0, place.wrapping_add(1)));
        let leaves = m.wire("leaves", &(&last & &*en));
        let read = self.place("read", &leaves);
        let drained = m.wire("drained", &(&leaves & &read.part_last));
        m.output("drained_o", &drained);
        let (_, job_end) = self.blocks("left", &done, &job_done, &drained);
        m.output("o_read_o", &en);
        m.output("o_at_o", &concat(&[&read.slot, &*place]));
        let words = m.input("o_i", uint(PARTS * &self.lanes * hw.weighted_bits));
        let part = delayed(m, &self.ck, "part", &en, &read.part, 1, false);
        let word = m.wire("part_words", &words.lane_at(&part, &self.lanes * hw.weighted_bits));

        // The last beat of a job, and whether there is one, beside the lanes.
        let flags = m.wire("flags", &concat(&[&(&last & &read.part_last & &job_end), &*busy]));
        let flags = delayed(m, &self.ck, "flags", &en, &flags, hw.output_latency(), true);
        let taps: Vec<Expr> = start_delays(hw).into_iter().rev().map(|n| passing.bit(n - 1)).collect();
        let taps: Vec<&Expr> = taps.iter().chain([&*start]).collect();
        let starts = m.wire("starts", &concat(&taps));
        let y = m.wire_later("o_lanes", uint(&self.lanes * hw.out_bits));
        let unit = self::lane(hw);
        m.generate_for("g_lane", &self.lanes, |i| {
            let number = m.constant("LANE", i, lane_bits);
            let own = m.wire("own", &(&waiting & lane.eq_to(&number)));
            m.instance("u_lane", &unit)
                .param("L_W", hw.sum_bits)
                .param("O_W", hw.weighted_bits)
                .param("IMPL", &self.imp)
                .clock(&self.ck)
                .input("en_i", &en)
                .input("l_valid_i", &own)
                .output_part("l_ready_o", &scale_room, i, 1)
                .input("l_i", &l)
                .output_part("scale_valid_o", &offered, i, 1)
                .input("starts_i", &starts)
                .input("word_i", &word.lane(i, &Dim::from(hw.weighted_bits)))
                .output_lane("o_o", &y, i, &Dim::from(hw.out_bits))
                .done();
        });
        let ready = m.wire_later("ready", bit());
        let valid = flags.bit(0);
        en.drive(!&valid | &*ready);
        m.stream("o", valid, (*y).clone(), Some(flags.bit(1)), ready).source("o");
    }

    /// Walks over slots, four quarters each.
    fn place(&self, name: &str, moves: &Expr) -> Place {
        let m = &self.m;
        let part = self.ck.reg(&format!("{name}_part_q"), uint(clog2(PARTS))).reset_to(0);
        part.next_when(moves, part.wrapping_add(1));
        let part_last = m.wire(&format!("{name}_part_last"), &part.all());
        let slot = self.ck.reg(&format!("{name}_slot_q"), uint(self.hw.slot_bits())).reset_to(0);
        slot.next_when(&m.wire(&format!("{name}_slot_moves"), &(moves & &part_last)), slot.wrapping_add(1));
        Place { part: (*part).clone(), slot: (*slot).clone(), part_last }
    }

    /// Complete blocks that wait, with a flag of the first.
    fn blocks(&self, name: &str, done: &Expr, flag: &Expr, leaves: &Expr) -> (Expr, Expr) {
        let m = &self.m;
        let [valid, room, out] = ["there", "room", "flag"].map(|w| m.wire_later(&format!("{name}_{w}"), uint(1)));
        m.allow(&room, "UNUSEDSIGNAL", "there are no more blocks than slots");
        m.allow(&out, "UNUSEDSIGNAL", "one of the two queues only counts");
        m.allow(&valid, "UNUSEDSIGNAL", "a block that is read is there");
        m.instance(&format!("u_{name}"), &fifo(1, self.hw.waiting_log2()))
            .param("WIDTH", 1)
            .param("DEPTH_W", self.hw.waiting_log2())
            .clock(&self.ck)
            .input("s_valid_i", done)
            .output("s_ready_o", &room)
            .input("s_data_i", flag)
            .output("m_valid_o", &valid)
            .input("m_ready_i", leaves)
            .output("m_data_o", &out)
            .done();
        ((*valid).clone(), (*out).clone())
    }

    /// A bit for each enabled cycle since a quarter's start, as long as its scale is on its way through the lanes.
    fn passing(&self, en: &Expr, start: &Wire) -> Expr {
        let m = &self.m;
        let stages = start_delays(self.hw).into_iter().max().unwrap_or(1);
        let passing = self.ck.reg("passing_q", uint(stages)).reset_to(0);
        let moved = m.wire("passing", &concat(&[&*passing, &**start]));
        m.allow(&moved, "UNUSEDSIGNAL", "the oldest bit leaves");
        passing.next_when(en, moved.slice(0, stages));
        (*passing).clone()
    }
}

/// Enabled cycles from a quarter's start to the register of its shift, and of the reciprocal of each limb.
fn start_delays(hw: &Hardware) -> Vec<i64> {
    // The first column's word comes two cycles after the start.
    let first = 2;
    let limb = |n| first + SHIFTING - 1 + limb_delay(n);
    std::iter::once(first).chain((0..limbs(hw.weighted_bits)).map(limb)).collect()
}

/// A lane: the reciprocal of l, and o = sat(half-even(O·R / 2^(L_W + 17 - n - gain))).
fn lane(hw: &Hardware) -> Rc<Unit> {
    let m = Module::new("attention_output_lane");
    m.doc(&format!(
        "o = sat(half-even((O << n) * R / 2^{})): n leading zeros of l, R its reciprocal, to {} bits. starts_i takes a new scale over, step by step\n\
         as the first column passes.",
        shift(hw),
        hw.out_bits
    ));
    let lw = m.param("L_W", hw.sum_bits, 16..=64, "bits of l");
    let w = m.param("O_W", hw.weighted_bits, 19..=64, "bits of O");
    let imp = impl_param(&m, hw.implementation);
    let ck = m.clock();
    let en = m.input("en_i", bit());
    let starts = m.input("starts_i", uint(start_delays(hw).len() as i64 + 1));
    let take = m.wire("take", &(&en & starts.bit(0)));
    let scaler = hw.scaler();
    let [zeros, reciprocal] =
        [("zeros", scaler.zeros_bits()), ("reciprocal", RECIPROCAL_BITS)].map(|(n, w)| m.wire_later(n, uint(w)));
    let (l_ready, offered) = (m.output_wire("l_ready_o", bit()), m.output_wire("scale_valid_o", bit()));
    m.instance("u_scale", &scaler.unit())
        .param("SUM_W", &lw)
        .clock(&ck)
        .input("sum_valid_i", &m.input("l_valid_i", bit()))
        .output("sum_ready_o", &l_ready)
        .input("sum_i", &m.input("l_i", uint(&lw)))
        .output("scale_valid_o", &offered)
        .input("scale_ready_i", &take)
        .output("zeros_o", &zeros)
        .output("reciprocal_o", &reciprocal)
        .done();
    let held = |name: &str, when: &Expr, value: &Expr| {
        let q = ck.reg(name, value.ty().clone());
        q.next_when(when, value);
        (*q).clone()
    };
    let begins = |n: i64| m.wire(&format!("begins_{n}"), &(&en & starts.bit(n)));
    let zeros = held("zeros_q", &take, &zeros);
    let own = m.wire("own", &concat(&[&lit(0, bit()), &held("reciprocal_q", &take, &reciprocal)]).as_signed());
    let moved_by = held("moved_by_q", &begins(1), &zeros);
    let word = held("word_q", &en, &m.input("word_i", uint(&w)));
    let moved = held("moved_q", &en, &word.shl(&moved_by));

    let product = products(&m, &ck, hw, &en, &imp, &moved, |n| held(&format!("factor_{n}_q"), &begins(2 + n), &own));
    let rounded = rounded(&m, &ck, hw, &en, &product);
    m.output("o_o", &held("o_q", &en, &rounded));
    m.finish()
}

/// Bits by which a product is shifted.
fn shift(hw: &Hardware) -> i64 {
    hw.sum_bits + 17 - hw.gain
}

/// (O << n)·R, limb by limb from below, each with what the limb below leaves above its seventeenth bit.
fn products(
    m: &Module,
    ck: &Clock,
    hw: &Hardware,
    en: &Expr,
    imp: &Dim,
    value: &Expr,
    factor: impl Fn(i64) -> Expr,
) -> Expr {
    let count = limbs(hw.weighted_bits);
    let factor_w = RECIPROCAL_BITS + 1;
    let mut carry: Option<Expr> = None;
    let mut parts: Vec<Expr> = vec![];
    for n in 0..count {
        let top = n + 1 == count;
        let bits = if top { hw.weighted_bits - LIMB_BITS * n } else { LIMB_BITS };
        let limb = m.wire(&format!("limb_{n}"), &value.slice(LIMB_BITS * n, bits));
        let limb = delayed(m, ck, &format!("limb_{n}"), en, &limb, limb_delay(n), false);
        let limb = if top { limb.as_signed() } else { concat(&[&lit(0, bit()), &limb]).as_signed() };
        let limb = m.wire(&format!("limb_{n}_factor"), &limb);
        let width = product_bits(hw, n);
        let addend = match &carry {
            Some(c) => m.wire(&format!("addend_{n}"), &widen(m, &format!("carry_{n}_wide"), c, width).as_signed()),
            None => lit(0, sint(width)),
        };
        let p = m.wire_later(&format!("product_{n}"), sint(width));
        let implementation = fitting(hw.implementation, factor_w, limb.width().value(), width);
        m.instance(
            &format!("u_product_{n}"),
            &multiply_add(Form::PlusC, factor_w, limb.width().value(), width, implementation),
        )
        .param("A_W", factor_w)
        .param("B_W", limb.width())
        .param("P_W", width)
        .param("IMPL", if implementation == 0 { Dim::from(0) } else { imp.clone() })
        .clock(ck)
        .input("en_i", en)
        .input("a_i", &factor(n))
        .input("b_i", &limb)
        .input("c_i", &addend)
        .output("p_o", &p)
        .done();
        if top {
            parts.push((*p).clone());
        } else {
            let low = m.wire(&format!("low_{n}"), &p.slice(0, LIMB_BITS));
            let wait = limb_delay(count - 1 - n);
            parts.push(delayed(m, ck, &format!("low_{n}"), en, &low, wait, false));
            carry = Some(m.wire(&format!("carry_{n}"), &p.slice(LIMB_BITS, width - LIMB_BITS).as_signed()));
        }
    }
    let all: Vec<&Expr> = parts.iter().rev().collect();
    m.wire("product", &concat(&all))
}

/// Bits of the product of limb `n` with its addend.
fn product_bits(hw: &Hardware, n: i64) -> i64 {
    let bits = (hw.weighted_bits - LIMB_BITS * n).min(LIMB_BITS + 1);
    RECIPROCAL_BITS + 1 + bits + 1
}

fn rounded(m: &Module, ck: &Clock, hw: &Hardware, en: &Expr, product: &Expr) -> Expr {
    let (shift, out) = (shift(hw), hw.out_bits);
    let width = product.width().value() - shift;
    let half = product.bit(shift - 1);
    let rest = m.wire("rest", &product.slice(0, shift - 1).any());
    let whole = m.wire("whole", &product.slice(shift, width));
    let up = m.wire("up", &(&half & (&rest | whole.bit(0))));
    let whole = m.wire("whole_wide", &concat(&[&whole.msb(), &whole]));
    let nearest = whole.wrapping_add(concat(&[&lit(0, uint(width)), &up]));
    let q = ck.reg("nearest_q", uint(width + 1));
    q.next_when(en, &nearest);
    if width < out {
        return widen(m, "nearest_wide", &q, out);
    }
    let sign = q.msb();
    let above = m.wire("above", &q.slice(out - 1, width + 2 - out));
    let fits = m.wire("fits", &(above.all() | !above.any()));
    let end = m.wire("nearest_end", &concat(&[&sign, &(!&sign).repeat(out - 1)]));
    m.wire("saturated", &fits.select(q.slice(0, out), &end))
}

/// Cost: lanes, choice of the quarter, the walk.
pub fn cost(hw: &Hardware, family: Family) -> Cost {
    let (w, l) = (hw.weighted_bits, hw.sum_bits);
    let scaler = hw.scaler();
    let mut lane = normalise::cost(l, hw.most_zeros(), family);
    lane += divider::cost(l, RECIPROCAL_BITS, family);
    lane += Cost::logic(0.0, (l + 2 * scaler.zeros_bits()) as f64);
    // What is shifted begins the shift registers of all limbs but the first.
    let kept = if implementation(family) != 0 { w.min(LIMB_BITS) } else { w };
    lane += Cost::logic(w as f64, (w + kept) as f64);
    lane += Cost::logic(w as f64 * (scaler.zeros_bits() as f64 / 2.0).ceil(), 0.0);
    let count = limbs(w);
    for n in 0..count {
        let bits = (w - LIMB_BITS * n).min(LIMB_BITS + 1);
        lane += multiply_add::cost(RECIPROCAL_BITS + 1, bits, product_bits(hw, n), family);
        let own = if n > 0 && implementation(family) != 0 { 1 } else { 0 };
        lane += delay_cost(family, bits, limb_delay(n) + own, false);
        lane += Cost::logic(0.0, RECIPROCAL_BITS as f64);
        if n + 1 < count {
            lane += delay_cost(family, LIMB_BITS, limb_delay(count - 1 - n), false);
        }
    }
    let whole = w + RECIPROCAL_BITS + 1 - shift(hw);
    lane += Cost::logic(shift(hw) as f64 / 5.0 + whole as f64 + hw.out_bits as f64 + 4.0, (whole + hw.out_bits) as f64);
    let mut cost = lane * hw.output_lanes() as f64;
    cost += fifo::cost(1, hw.waiting_log2(), family) * 2.0;
    let places = 2 * hw.place_bits() + 2 * hw.slot_bits() + 4;
    cost += Cost::logic(3.0 * places as f64 + 10.0, (places + 2 * hw.output_latency() + 12) as f64);
    cost
}

/// Cycles of a division.
pub fn division() -> i64 {
    divider::latency(RECIPROCAL_BITS)
}
