//! Cost functions against Yosys.

use std::rc::Rc;

use bitlathe_cores::Cost;
use bitlathe_cores::parts::requantize::{RequantizeLane, Shift, Tied};
use bitlathe_cores::parts::{
    axi_lite, buffer, delay_line, divider, fifo, lfsr, max_tree, multiply_add, normalise, register_file, replay,
    row_walk, stream_register, sum_tree, width_converter,
};
use bitlathe_flow::synth::{SynthRequest, synthesize};
use bitlathe_hdl::Unit;
use bitlathe_spec::{Family, Rounding};

use super::{arithmetic, printed, registers, tools};

const FAMILY: Family = Family::Xcup;

fn lane(acc_bits: i64, shift: Shift, rounding: Rounding, out_bits: i64) -> RequantizeLane {
    RequantizeLane { acc_bits, shift, rounding, out_bits, narrow: false, planes: 1, batch: 1 }
}

fn parts() -> Vec<(Rc<Unit>, Cost)> {
    let lanes = [
        lane(26, Shift::Constant(24), Rounding::HalfEven, 8),
        lane(16, Shift::Constant(12), Rounding::HalfUp, 4),
        lane(26, Shift::Range(0, 31), Rounding::HalfAway, 8),
        lane(20, Shift::Constant(18), Rounding::Stochastic, 8),
        lane(18, Shift::Range(0, 15), Rounding::HalfUp, 8),
        lane(26, Shift::Range(0, 31), Rounding::Stochastic, 8),
        lane(32, Shift::Constant(20), Rounding::Floor, 16),
    ];
    let mut out: Vec<(Rc<Unit>, Cost)> =
        lanes.iter().map(|l| (l.unit(), l.cost(FAMILY, 1, true, Tied::Nothing))).collect();
    for (width, depth) in [(16, 32), (34, 40), (66, 512)] {
        out.push((buffer::buffer(width, depth), buffer::cost(width, depth, FAMILY)));
    }
    for (d, q) in [(8, 16), (16, 16)] {
        out.push((divider::divider(d, q), divider::cost(d, q, FAMILY)));
    }
    for (terms, width) in [(8, 8), (5, 16)] {
        out.push((max_tree::max_tree(terms, width), max_tree::cost(terms, width, FAMILY)));
        out.push((sum_tree::sum_tree(terms, width), sum_tree::cost(terms, width, FAMILY)));
    }
    for (a, b, p, implementation) in [(27, 18, 46, 1), (27, 24, 52, 0), (27, 35, 63, 0)] {
        out.push((
            multiply_add::multiply_add(multiply_add::Form::PlusC, a, b, p, implementation),
            multiply_add::cost(a, b, p, FAMILY),
        ));
    }
    out.push((row_walk::row_walk(16, 4096), row_walk::cost(4096, FAMILY)));
    out.push((stream_register::stream_register(32), stream_register::cost(32, FAMILY)));
    out.push((fifo::fifo(24, 4), fifo::cost(24, 4, FAMILY)));
    out.push((width_converter::narrow_converter(8, 6), width_converter::narrow_cost(8, 6, FAMILY)));
    out.push((width_converter::widen_converter(8, 6), width_converter::widen_cost(8, 6, FAMILY)));
    out.push((lfsr::lfsr16(), lfsr::lfsr_cost()));
    for stages in [5, 17, 40] {
        let cost = delay_line::delay_cost(FAMILY, 16, stages, false);
        out.push((delay_line::delay_line(16, stages, false), cost));
    }
    out.push((replay::replay_buffer(40, 600, false), replay::replay_cost(FAMILY, 40, 600, false)));
    let map = registers::map();
    out.push((
        register_file::register_file("registers_under_test", 8, &map),
        register_file::register_file_cost(FAMILY, &map),
    ));
    out.push((axi_lite::axi_lite(12), axi_lite::cost(12, FAMILY)));
    out.push((arithmetic::normaliser(16, 15), normalise::cost(16, 15, FAMILY)));
    out
}

#[test]
fn costs_are_within_a_tenth_of_synthesis() {
    let tools = tools();
    let mut wrong = vec![];
    for (unit, cost) in parts() {
        let files = printed(&unit);
        let got = synthesize(&SynthRequest::new(&files, unit.name(), FAMILY), &tools).expect("synthesis");
        let close = |cost: f64, got: f64| (cost - got).abs() <= (0.1 * got).max(6.0);
        let line = format!(
            "{} {:?}: LUT {:.0} is {}, FF {:.0} is {}, LUTRAM {:.0} is {}, DSP {} is {}, BRAM {} is {}",
            unit.name(),
            unit.manifest().params.iter().map(|p| p.value).collect::<Vec<_>>(),
            cost.lut,
            got.lut,
            cost.ff,
            got.ff,
            cost.lutram,
            got.lutram,
            cost.dsp,
            got.dsp,
            cost.bram,
            got.bram
        );
        println!("{line}");
        let logic = close(cost.lut, got.lut as f64) && close(cost.ff, got.ff as f64);
        let memory = close(cost.lutram, got.lutram as f64) && cost.bram == got.bram;
        if !(logic && memory && cost.dsp == got.dsp as f64) {
            wrong.push(line);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
