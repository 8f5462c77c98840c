//! Predicted resources of `softmax`, part by part.

use bitlathe_spec::{Family, Register};

use super::hardware::{Hardware, Online, RowScale, Walk};
use super::lanes::{self, FACTOR_BITS};
use super::scale::{INVERSE_BITS, RECIPROCAL_BITS};
use crate::parts::delay_line::delay_cost;
use crate::parts::memory::select_lut;
use crate::parts::register_file::register_file_cost;
use crate::parts::{buffer, carry, divider, fifo, max_tree, multiply_add, normalise, row_walk};
use crate::{Cost, PartCost};

fn entry(part: &str, count: i64, each: Cost) -> PartCost {
    PartCost { part: part.into(), count: count as u64, cost: each * count as f64 }
}

fn sum(costs: impl IntoIterator<Item = Cost>) -> Cost {
    costs.into_iter().fold(Cost::default(), |mut a, b| {
        a += b;
        a
    })
}

/// One entry a part.
pub fn parts(hw: &Hardware, registers: &[Register], family: Family) -> Vec<PartCost> {
    let mut out = vec![
        entry("registers", 1, register_file_cost(family, registers)),
        entry("input", 1, intake(hw, family)),
        entry("exponential", hw.exponential_stages(), hw.stage.cost(family)),
        entry("sum", 1, row_sum(hw, family)),
    ];
    let maximum = if hw.online.is_some() { "running maximum" } else { "maximum" };
    out.push(entry(maximum, 1, row_maximum(hw, family)));
    let (x_word, e_word) = (hw.lanes * hw.in_bits + 2, hw.lanes * hw.stage.e_bits() + 2);
    if hw.walk != Walk::One {
        out.push(entry("buffer of elements", 1, buffer::cost(x_word, hw.depth(), family)));
    }
    if hw.walk == Walk::Three && hw.waits_for_sum() {
        out.push(entry("buffer of exponentials", 1, buffer::cost(e_word, hw.depth(), family)));
    }
    if !hw.waits_for_sum() {
        let word = e_word - 1 + hw.online.map_or(0, |o| o.max_bits(hw.in_bits));
        out.push(entry("output queue", 1, fifo::cost(word, hw.queue_log2(), family)));
    } else if hw.row_scale() != RowScale::Sum {
        out.push(entry("scale of a row", 1, row_scale(hw, family)));
        out.push(entry("output lane", hw.lanes, lane(hw, family)));
    }
    out.push(entry("control", 1, control(hw, family)));
    out
}

impl Hardware {
    /// Copies of the exponential stage: two walks have one each.
    fn exponential_stages(&self) -> i64 {
        if self.walk == Walk::Two { 2 } else { 1 }
    }
}

/// Place in the row, and a mask a lane.
fn intake(hw: &Hardware, family: Family) -> Cost {
    let n = hw.lanes as f64;
    let mask = if hw.lanes > 1 { n } else { 0.0 };
    sum([row_walk::cost(hw.n_max, family), Cost::logic(mask + 4.0, n + 1.0)])
}

/// The largest element of a beat, and what follows it.
fn row_maximum(hw: &Hardware, family: Family) -> Cost {
    let (n, w) = (hw.lanes as f64, hw.in_bits as f64);
    let levels = max_tree::latency(hw.lanes);
    let keys = Cost::logic(n, n * w);
    let flags = delay_cost(family, 2, levels + 1, true);
    let tree = max_tree::cost(hw.lanes, hw.in_bits, family);
    let rest = match hw.online {
        None => sum([Cost::logic(1.5 * w + 4.0, w + 2.0), fifo::cost(hw.in_bits, hw.slots_log2(), family)]),
        Some(online) => {
            let m = online.max_bits(hw.in_bits) as f64;
            let raise = if matches!(online, Online::Octaves(_)) { m } else { 0.0 };
            let logic = Cost::logic(raise + 3.0 * m + 8.0, m + 7.0 + 3.0);
            sum([logic, delay_cost(family, hw.lanes * hw.in_bits, levels + 2, false)])
        }
    };
    sum([keys, flags, tree, rest])
}

/// Masked terms, a tree that grows a bit a level, the running sum and its queue.
fn row_sum(hw: &Hardware, family: Family) -> Cost {
    let (n, e, s) = (hw.lanes as f64, hw.stage.e_bits() as f64, hw.sum_bits() as f64);
    let mut cost = Cost::logic(if hw.lanes > 1 { n } else { 0.0 }, n * e);
    let (mut terms, mut bits) = (hw.lanes, hw.stage.e_bits());
    while terms > 1 {
        bits += 1;
        cost.lut += (terms / 2) as f64 * carry::adder_lut(family, bits);
        terms = (terms + 1) / 2;
        cost.ff += (terms * bits) as f64;
    }
    let sums = hw.sum();
    let levels = max_tree::latency(hw.lanes) + 1;
    cost += Cost::logic(s + 4.0, s + 2.0);
    cost += delay_cost(family, 2, levels, true);
    cost += fifo::cost(sums.word_bits(), hw.slots_log2(), family);
    if hw.online.is_some() {
        let max = sums.max_bits.unwrap_or(0);
        // A barrel of seven levels, two of them a look-up table; rounding.
        cost += Cost::logic(3.2 * s, max as f64);
        cost += delay_cost(family, 7 + max, levels, false);
    }
    cost
}

/// What a row's sum becomes.
fn row_scale(hw: &Hardware, family: Family) -> Cost {
    let scaler = hw.scaler();
    let (s, z, max) = (scaler.sum_bits, scaler.zeros_bits() as f64, scaler.max_bits.unwrap_or(0) as f64);
    let normal = || {
        let waits = Cost::logic(3.0, s as f64 + z + max + 1.0);
        sum([normalise::cost(s, scaler.most_zeros, family) * 0.7, waits])
    };
    match scaler.scale {
        RowScale::Reciprocal(_) => {
            let product = lanes::product_bits(&hw.stage.e_bits().into()).value() as f64;
            let factor = (FACTOR_BITS - 1) as f64;
            // The shift of the reciprocal; the factor times the middle, with half of the last place.
            let shared = Cost::logic(1.7 * factor + factor, factor + 0.7 * product + z + max);
            sum([normal(), divider::cost(s, RECIPROCAL_BITS, family), shared, Cost::logic(0.0, z + max)])
        }
        RowScale::Magnitude => sum([normal(), Cost::logic(0.0, 2.0 * (s as f64) + z)]),
        RowScale::Inverse => {
            sum([divider::cost(s, INVERSE_BITS, family), Cost::logic(4.0, 2.0 * max + INVERSE_BITS as f64)])
        }
        RowScale::Sum => Cost::default(),
    }
}

/// One output.
fn lane(hw: &Hardware, family: Family) -> Cost {
    let (e, s) = (hw.stage.e_bits(), hw.sum_bits());
    match hw.row_scale() {
        RowScale::Reciprocal(bits) => {
            let lane = hw.scale_lane(bits);
            let mut product = multiply_add::cost(FACTOR_BITS, e, lane.product_bits(), family);
            if !lane.names_block() {
                // All lanes share the registers of factor and addend.
                product.ff -= (FACTOR_BITS + lane.product_bits()) as f64 * (1.0 - 1.0 / hw.lanes as f64);
            }
            let window = select_lut(family, lane.steps() + 1).max(1.0) * (bits + 1) as f64;
            sum([product, Cost::logic(window, bits as f64)])
        }
        RowScale::Magnitude => {
            // Two alignments of as many levels as a sum has bits in its number of bits, two sums, two comparisons.
            let s = s as f64;
            Cost::logic(2.45 * s * s.log2() + 15.0, 2.0 * s + 3.0 * (s + 3.0) + 25.0)
        }
        RowScale::Inverse => Cost::logic(19.0, INVERSE_BITS as f64),
        RowScale::Sum => Cost::default(),
    }
}

/// Slots, room, enables, and what travels beside the beats.
fn control(hw: &Hardware, family: Family) -> Cost {
    let counter = |most: i64| {
        let bits = f64::from(64 - most.leading_zeros());
        Cost::logic(1.5 * bits + 2.0, bits)
    };
    let mut cost = Cost::logic(12.0, 8.0);
    cost += counter(1 << hw.slots_log2());
    if hw.walk == Walk::Three {
        cost += counter(1 << hw.slots_log2());
        cost += counter(if hw.waits_for_sum() { hw.depth() } else { 1 << hw.queue_log2() });
        cost.ff += hw.in_bits as f64;
        cost += delay_cost(family, 2, hw.exponential_latency, false);
        cost.ff += hw.exponential_latency as f64;
    } else {
        let max = hw.online.map_or(0, |o| o.max_bits(hw.in_bits));
        cost += delay_cost(family, max + 8, hw.exponential_latency, false);
        cost.ff += hw.exponential_latency as f64 + if hw.walk == Walk::Two { max as f64 } else { 0.0 };
    }
    if hw.waits_for_sum() {
        cost.ff += hw.lane_latency() as f64;
        cost += delay_cost(family, 1, hw.lane_latency(), false);
    }
    if hw.row_scale() == RowScale::Sum && hw.waits_for_sum() {
        cost.ff += hw.sum_bits() as f64 + 1.0;
    }
    cost
}
