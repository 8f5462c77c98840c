//! Predicted resources of `quantizer`, part by part.

use bitlathe_spec::{Family, Rounding};

use super::front::Span;
use super::mx;
use super::rtl::{Hardware, Method};
use crate::parts::requantize::{RequantizeLane, Shift};
use crate::parts::{buffer, divider, max_tree, sum_tree};
use crate::{Cost, PartCost};

fn entry(part: &str, count: i64, each: Cost) -> PartCost {
    PartCost { part: part.into(), count: count as u64, cost: each * count as f64 }
}

fn logic(lut: f64, ff: f64) -> Cost {
    Cost { lut, ff, ..Cost::default() }
}

/// One entry a part.
pub fn parts(hw: &Hardware, family: Family) -> Vec<PartCost> {
    let mut out = vec![];
    let w = hw.in_bits as f64;
    if let Some(s) = hw.scaled() {
        if let (Some(lane), false) = (hw.requantizer(), matches!(hw.method, Method::Stochastic(..))) {
            out.push(entry("requantizer lane", hw.lanes, scaled_lane(hw, &lane, family)));
            if s.rounding == Rounding::Stochastic {
                out.push(entry("LFSR", hw.lanes, logic(2.0, 16.0)));
            }
        }
        match &hw.method {
            Method::Stochastic(s, _) => {
                out.push(entry("rounding lane", hw.lanes, stochastic_lane(hw, s.shift, s.out_bits)));
                out.push(entry("LFSR", hw.lfsr_seeds().len() as i64, logic(1.0, 4.0)));
            }
            Method::DualScale(_) | Method::Iqr(_) => {
                out.push(entry("region", hw.lanes, logic(w * 0.75 + 16.0, w + 18.0)));
            }
            Method::Ovp(_) => out.push(entry("pair", hw.lanes / 2, logic(50.0, 8.0))),
            _ => {}
        }
    }
    match &hw.method {
        Method::Absmax { out_bits } => {
            out.extend(front(hw, Span::Row, family));
            let lane = hw.absmax_lane(*out_bits);
            out.push(entry("reciprocal", 1, reciprocal(hw, family)));
            out.push(entry(
                "normalised lane",
                hw.lanes,
                sum(lane.cost(family, 1, true), logic(2.0 * (w + 1.0), w + 1.0)),
            ));
        }
        Method::Mx { block, element, .. } => {
            out.extend(front(hw, hw.mx_span(*block), family));
            out.push(entry("element lane", hw.lanes, element_lane(hw, element.bits())));
        }
        Method::Hadamard { size } => out.extend(transform(hw, *size)),
        Method::Iqr(_) => {
            let counter = Cost { lut: 48.0, ff: 85.0, bram: 0.5, ..Cost::default() };
            out.push(entry("bin counter", hw.lanes, sum(counter, logic(w, 9.0))));
            out.push(entry("sum of bins", 1, sum_tree::cost(hw.lanes, super::iqr::COUNT_W, family)));
            out.push(entry("quartiles", 1, logic(330.0, 260.0)));
        }
        _ => {}
    }
    out.push(entry("control", 1, logic(8.0, 6.0)));
    if hw.counts_columns() || hw.scaled().is_some_and(|s| !s.per_channel) && !hw.parameters().is_empty() {
        out.push(entry("registers", 1, logic(60.0, 8.0 + register_bits(hw))));
    }
    out
}

fn sum(mut a: Cost, b: Cost) -> Cost {
    a += b;
    a
}

fn register_bits(hw: &Hardware) -> f64 {
    let fields: i64 = hw.parameters().iter().map(|p| p.bits * p.planes).sum();
    let columns = if hw.counts_columns() { 64 - (hw.c_max as u64).leading_zeros() } else { 0 };
    (fields + i64::from(columns)) as f64
}

fn scaled_lane(hw: &Hardware, lane: &RequantizeLane, family: Family) -> Cost {
    let mut cost = lane.cost(family, 1, true);
    if matches!(hw.method, Method::Pot(_)) {
        // No product: the element is its own.
        cost.dsp = 0.0;
        cost.ff += hw.in_bits as f64;
    }
    cost
}

fn stochastic_lane(hw: &Hardware, shift: Shift, out_bits: i64) -> Cost {
    let out = out_bits as f64;
    let above = match shift {
        Shift::Constant(s) => (hw.in_bits - s - out_bits).max(0) as f64,
        Shift::Range(..) => hw.in_bits as f64,
    };
    let bounds = if above > 0.0 { out + above / 5.0 } else { 0.0 };
    let shifter = if matches!(shift, Shift::Range(..)) { 2.5 * hw.in_bits as f64 } else { 0.0 };
    logic(5.0 + bounds + shifter, out)
}

fn front(hw: &Hardware, span: Span, family: Family) -> Vec<PartCost> {
    let (w, width) = (hw.in_bits as f64, hw.lanes * hw.in_bits + 2);
    let depth = hw.front(span).depth();
    let parts = span.maxima();
    vec![
        entry("magnitude", hw.lanes, logic(w, w)),
        entry("maximum tree", parts, max_tree::cost(hw.lanes / parts, hw.in_bits, family)),
        entry("buffer", 1, buffer::cost(width, depth, family)),
        entry("running maximum and queue", parts, logic(4.0 * w, 2.0 * w + 8.0)),
    ]
}

fn reciprocal(hw: &Hardware, family: Family) -> Cost {
    let w = hw.in_bits as f64;
    sum(divider::cost(hw.in_bits, 16, family), logic(3.0 * w, 4.0 * w + 32.0))
}

fn element_lane(hw: &Hardware, code_bits: i64) -> Cost {
    let (w, code) = (hw.in_bits as f64, code_bits as f64);
    logic(5.5 * w + 4.0 * code, 2.0 * w + 8.0 + code + mx::LANE_LATENCY as f64)
}

fn transform(hw: &Hardware, size: i64) -> Vec<PartCost> {
    let stages = hw.stages(size);
    let mut out = vec![];
    let mut width = hw.in_bits + 1;
    for _ in &stages.lanes {
        out.push(entry("lane butterfly", hw.lanes, logic(width as f64, width as f64)));
        width += 1;
    }
    for d in &stages.beats {
        let kept = if *d > 1 { (hw.lanes * width) as f64 * (*d as f64 / 32.0).ceil() / 2.0 } else { 0.0 };
        let lanes = (hw.lanes * width) as f64;
        let flops = if *d == 1 { 2.0 * lanes } else { lanes };
        out.push(entry(
            "beat butterfly",
            1,
            Cost { lut: 3.0 * lanes + kept, lutram: kept, ff: flops, ..Cost::default() },
        ));
        width += 1;
    }
    out
}
