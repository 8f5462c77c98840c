//! Predicted resources of `quantizer`, part by part, as Yosys 0.70 maps them.
//!
//! Registers, adders and memories are counted from the structure; comparisons and selections have the figures of synthesized cores of
//! each method. `docs/cost-model.md` says how far the sums are off.

use bitlathe_hdl::clog2;
use bitlathe_spec::{Family, Register};

use super::absmax::LANE_LATENCY;
use super::config::ElementName;
use super::front::Span;
use super::iqr::COUNT_W;
use super::mx;
use super::rtl::{Hardware, Method, Scaled};
use crate::parts::delay_line::delay_cost;
use crate::parts::lfsr::lfsr_cost;
use crate::parts::memory::lut_memory;
use crate::parts::register_file::register_file_cost;
use crate::parts::requantize::{self, RequantizeLane, Shift, Tied};
use crate::parts::{buffer, divider, fifo, max_tree, sum_tree};
use crate::{Cost, PartCost};

fn entry(part: &str, count: i64, cost: Cost) -> PartCost {
    PartCost { part: part.into(), count: count as u64, cost }
}

fn sum(parts: &[Cost]) -> Cost {
    let mut total = Cost::default();
    parts.iter().for_each(|p| total += p.clone());
    total
}

/// One entry a part.
pub fn parts(hw: &Hardware, registers: &[Register], family: Family) -> Vec<PartCost> {
    let mut out = match &hw.method {
        Method::Absmax { out_bits } => absmax(hw, *out_bits, family),
        Method::Mx { element, block, .. } => {
            let mut out = front(hw, hw.mx_span(*block), family);
            out.push(entry("element lane", hw.lanes, element_lane(hw, *element, family) * hw.lanes as f64));
            out.push(entry("release", 1, release(mx::LANE_LATENCY, 16.0, family)));
            out
        }
        Method::Hadamard { size } => transform(hw, *size, family),
        _ => elementwise(hw, family),
    };
    if !registers.is_empty() {
        out.push(entry("registers", 1, register_file_cost(family, registers)));
    }
    // Where every beat is a group, nobody asks for the row's end.
    if hw.counts_columns() && !matches!(hw.span(), Some(Span::Parts(_))) {
        let bits = clog2(hw.c_max + 1) as f64;
        out.push(entry("position in the row", 1, Cost::logic(2.0 * bits, bits + 1.0)));
    }
    out
}

/// The methods of fixed latency: lanes, and the valid and last bits beside them.
fn elementwise(hw: &Hardware, family: Family) -> Vec<PartCost> {
    let Some(s) = hw.scaled() else { return vec![] };
    let lanes = hw.lanes as f64;
    let n = hw.latency();
    let beside = sum(&[delay_cost(family, 1, n, true), delay_cost(family, 1, n, false), Cost::logic(4.0, 0.0)]);
    let mut out = vec![entry("control", 1, beside)];
    if let Method::Stochastic(s, _) = &hw.method {
        out.push(entry("rounding lane", hw.lanes, stochastic_lane(hw, s) * lanes));
        // Without a fraction nothing meets the random numbers.
        let seeds = if s.shift == Shift::Constant(0) { 0 } else { hw.lfsr_seeds().len() as i64 };
        out.push(entry("LFSR", seeds, Cost::logic(1.0, 4.0) * seeds as f64));
    }
    let Some(lane) = hw.requantizer() else { return out };
    let tied = match hw.method {
        Method::Requant(_) => Tied::Nothing,
        Method::Pot(_) => Tied::ZeroPointAndMultiplier,
        _ => Tied::ZeroPoint,
    };
    out.push(entry("requantizer lane", hw.lanes, lane.cost(family, hw.lanes, s.per_channel, tied)));
    if lane.random_bits() > 0 {
        out.push(entry("LFSR", hw.lanes, lfsr_cost() * lanes));
    }
    match &hw.method {
        Method::DualScale(_) | Method::Iqr(_) => out.push(entry("region", hw.lanes, regions(hw, s, &lane, family))),
        Method::Ovp(_) => {
            let alone = delay_cost(family, 1, requantize::LATENCY, false);
            let pair = sum(&[Cost::logic(58.0, 8.0), alone]);
            out.push(entry("pair", hw.lanes / 2, pair * (lanes / 2.0)));
        }
        _ => {}
    }
    if matches!(hw.method, Method::Iqr(_)) {
        out.extend(quartiles(hw, family));
    }
    out
}

/// The comparison with the threshold, the chosen multiplier, and the registers in front of the requantizer lanes.
fn regions(hw: &Hardware, s: &Scaled, lane: &RequantizeLane, family: Family) -> Cost {
    let w = hw.in_bits as f64;
    // Up to eight bits the comparison takes no carry chain.
    let choice = if hw.in_bits <= 8 { 26.0 } else { 28.0 + 0.7 * w };
    let each = sum(&[
        Cost::logic(choice, w + 16.0 + lane.random_bits() as f64),
        delay_cost(family, 1, 1 + requantize::LATENCY, false),
    ]);
    let copies = if s.per_channel { hw.lanes } else { 1 };
    let mut cost = each * hw.lanes as f64;
    cost.ff += (lane.shift_bits() * copies) as f64;
    cost
}

/// The histogram of the magnitudes and what finds the quartiles in it.
fn quartiles(hw: &Hardware, family: Family) -> Vec<PartCost> {
    // A count on its way, its bin and three flags; the magnitude's bin in front.
    let counter = Cost { bram: 0.5, ..Cost::logic(90.0 + 0.25 * hw.in_bits as f64, (COUNT_W + 20) as f64) };
    vec![
        entry("bin counter", hw.lanes, counter * hw.lanes as f64),
        entry("sum of bins", 1, sum_tree::cost(hw.lanes, COUNT_W, family)),
        entry("quartiles", 1, Cost::logic(270.0, 180.0)),
    ]
}

fn stochastic_lane(hw: &Hardware, s: &Scaled) -> Cost {
    // Four bits of fraction below the element pass a shifter of three levels of four.
    let (smallest, shifter) = match s.shift {
        Shift::Constant(shift) => (shift, 0.0),
        Shift::Range(low, _) => (low, 2.0 * (hw.in_bits + 4) as f64),
    };
    let above = (hw.in_bits - smallest - s.out_bits).max(0) as f64;
    let adder = if s.shift == Shift::Constant(0) { 0.0 } else { 5.0 };
    let bounds = if above > 0.0 { 3.0 + 0.6 * above } else { 0.0 };
    let narrow = if s.narrow { 2.5 } else { 0.0 };
    Cost::logic(adder + bounds + narrow + shifter, s.out_bits as f64)
}

/// Elements that wait while a tree finds the largest magnitude of their group.
fn front(hw: &Hardware, span: Span, family: Family) -> Vec<PartCost> {
    let (w, width) = (hw.in_bits as f64, hw.lanes * hw.in_bits + 2);
    let parts = span.maxima();
    let lanes = hw.lanes as f64;
    let flags = delay_cost(family, 2, 1 + max_tree::latency(hw.lanes / parts), true);
    let queue = fifo::cost(hw.in_bits * parts, span.slots_log2(), family);
    let running = if parts == 1 { Cost::logic(2.0 * w, w + 2.0) } else { Cost::default() };
    let slots = Cost::logic(6.0, span.slots_log2() as f64 + 2.0);
    vec![
        entry("magnitude", hw.lanes, Cost::logic(w, w) * lanes),
        entry("maximum tree", parts, max_tree::cost(hw.lanes / parts, hw.in_bits, family) * parts as f64),
        entry("buffer", 1, buffer::cost(width, hw.front(span).depth(), family)),
        entry("running maximum and queue", 1, sum(&[running, queue, slots, flags])),
    ]
}

fn absmax(hw: &Hardware, out_bits: i64, family: Family) -> Vec<PartCost> {
    let (w, lanes) = (hw.in_bits as f64, hw.lanes as f64);
    let mut out = front(hw, Span::Row, family);
    let scale = sum(&[divider::cost(hw.in_bits, 16, family), Cost::logic(3.0 * w, 4.0 * w + 32.0)]);
    out.push(entry("reciprocal", 1, scale));
    let requantized = hw.absmax_lane(out_bits).cost(family, hw.lanes, true, Tied::ZeroPoint);
    // Multiplexers of four inputs, two bits of the shift a level.
    let levels = ((clog2(hw.in_bits) + 1) / 2) as f64;
    let aligned = Cost::logic(1.1 * levels * (w + 1.0), w + 1.0) * lanes;
    out.push(entry("normalised lane", hw.lanes, sum(&[requantized, aligned])));
    out.push(entry("release", 1, release(LANE_LATENCY, 15.0, family)));
    out
}

/// What moves elements with their scale out of the buffer: the valid and last bits of `latency` stages, and `ff` bits of state.
fn release(latency: i64, ff: f64, family: Family) -> Cost {
    let beside = [delay_cost(family, 1, latency, true), delay_cost(family, 1, latency, false)];
    sum(&[sum(&beside), Cost::logic(8.0, ff)])
}

/// An element of a block: its alignment, its normalisation as far as the element has bits, the rounding and the code.
fn element_lane(hw: &Hardware, element: ElementName, family: Family) -> Cost {
    let (w, code) = (hw.in_bits as f64, element.bits() as f64);
    let count = clog2(element.octaves() + 1);
    let levels = count.min(clog2(hw.in_bits)) as f64;
    let normalised = if count > 0 { 0.8 * w * levels - 3.0 } else { 0.0 };
    let lane = Cost::logic(4.0 * w - 4.0 + normalised, 2.0 * w + count as f64 + code);
    // Beside a magnitude the sign passes untouched; in two's complement it takes part in the output.
    let sign = if count > 0 { delay_cost(family, 1, mx::LANE_LATENCY, false) } else { Cost::logic(0.0, 3.0) };
    sum(&[lane, sign, Cost::logic(0.0, -1.0)])
}

fn transform(hw: &Hardware, size: i64, family: Family) -> Vec<PartCost> {
    let stages = hw.stages(size);
    let steps = clog2(stages.latency() + 1) as f64;
    let mut out = vec![entry("control", 1, Cost::logic(3.0 + 4.0 * steps, 2.0 * steps + 2.0))];
    let mut width = hw.in_bits;
    for _ in &stages.lanes {
        let butterfly = Cost::logic(width as f64, (width + 1) as f64);
        out.push(entry("lane butterfly", hw.lanes, butterfly * hw.lanes as f64));
        width += 1;
    }
    for &distance in &stages.beats {
        width += 1;
        let bits = hw.lanes * width;
        // Sum and difference, and the choice between each of them and what passes.
        let mut cost = Cost::logic(4.0 * bits as f64, (bits + clog2(distance) + 1) as f64);
        if distance == 1 {
            cost.ff += bits as f64;
        } else {
            cost += lut_memory(family, 1, bits, distance);
        }
        out.push(entry("beat butterfly", 1, cost));
    }
    out
}
