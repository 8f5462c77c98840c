//! `mixpe_array`, every kernel in several sizes, against plain integer sums; its macros by proof. The vendor forms of the macros are
//! proven, so simulation runs their behavioural form.

use bitlathe_cores::mixpe_gemm::array::{Array, Kernel, kernels};
use bitlathe_cores::parts::carry::{ECP5_FORM, choice_add, gated_add};
use bitlathe_cores::parts::dsp_mac::{self, dsp_mac};
use bitlathe_cores::random::Random;
use bitlathe_flow::synth::{Circuit, Start, SynthRequest, Verdict, prove_equal, synthesize};
use bitlathe_spec::{Family, SourceFile};
use rayon::prelude::*;

use super::bench::{Bench, Cycle, Part};
use super::{printed, tools};

/// Cycles of a run: several tiles of the largest array.
const CYCLES: usize = 400;
/// Rows, columns and bits of an activation: no segment, odd numbers, a whole segment, two even ones, three with padding.
const SHAPES: [(i64, i64, i64); 7] =
    [(1, 1, 8), (3, 5, 8), (16, 16, 8), (20, 4, 8), (33, 2, 8), (16, 2, 16), (33, 2, 16)];

fn array(kernel: &'static dyn Kernel, (rows, cols, act_bits): (i64, i64, i64), family: Family) -> Array {
    Array { kernel, rows, cols, act_bits, family }
}

fn shapes(kernel: &dyn Kernel) -> Vec<(i64, i64, i64)> {
    SHAPES.into_iter().filter(|s| kernel.takes(s.2)).collect()
}

/// A weight of tile `tile`: the largest everywhere, then none, then the two extremes mixed, then any.
fn weight(r: &mut Random, tile: u64) -> i64 {
    match tile % 4 {
        0 => 15,
        1 if r.below(3) == 0 => 0,
        1 => 15,
        _ => r.below(16) as i64,
    }
}

/// Activations: long runs of the smallest, of the largest, of both mixed, and any.
fn activation(r: &mut Random, bits: i64, run: usize) -> i64 {
    let low = -(1i64 << (bits - 1));
    match run % 4 {
        0 => low,
        1 => -low - 1,
        2 if r.below(2) == 0 => low,
        2 => -low - 1,
        _ => low + r.below(1 << bits) as i64,
    }
}

/// Inputs of one array cycle by cycle, in the order of its ports, and what enabled cycle `n` must lead to.
#[derive(Default)]
struct Play {
    inputs: Vec<Vec<i64>>,
    enables: Vec<bool>,
    /// The columns' sums and the sum of the activations; nothing before the first tile is in use.
    expected: Vec<Option<(Vec<i64>, i64)>>,
}

fn play(a: &Array, seed: u64, pauses: bool) -> Play {
    let r = &mut Random::new(seed);
    let (rows, cols) = (a.rows as usize, a.cols as usize);
    let mut out = Play::default();
    let (mut used, mut next): (Option<Vec<Vec<i64>>>, Vec<Vec<i64>>) = (None, vec![]);
    // The first tile has nothing to hide behind.
    let (mut loaded, mut tile) = (0, 0);
    while out.enables.len() < CYCLES {
        let enable = !(pauses && r.below(4) == 0);
        let swap = enable && loaded == rows && !(pauses && r.below(5) == 0);
        if swap {
            used = Some(std::mem::take(&mut next));
            (loaded, tile) = (0, tile + 1);
        }
        // Row 0 of the next tile may come in the very cycle of the swap.
        let load = enable && loaded < rows && (swap || tile == 0 || !(pauses && r.below(6) == 0));
        let x: Vec<i64> = (0..rows).map(|_| activation(r, a.act_bits, out.expected.len() / 24)).collect();
        let mut w: Vec<i64> = (0..cols).map(|_| weight(r, tile)).collect();
        let mut row = loaded as i64;
        if load {
            next.push(w.clone());
            loaded += 1;
        } else {
            // What is not enabled must not matter.
            w = w.iter().map(|v| 15 - v).collect();
            row = r.below(rows as u64) as i64;
        }
        if enable {
            out.expected.push(used.as_ref().map(|used| {
                let sum = |c: usize| x.iter().zip(used).map(|(x, w)| x * w[c]).sum();
                ((0..cols).map(sum).collect(), x.iter().sum())
            }));
        }
        // A pause shows every other input at its busiest.
        let (swap, load) = (i64::from(swap || !enable), i64::from(load || !enable));
        let mut inputs = vec![i64::from(enable)];
        inputs.extend(x);
        inputs.extend([swap, load, row]);
        inputs.extend(w);
        out.inputs.push(inputs);
        out.enables.push(enable);
    }
    out
}

fn signed(v: i64, bits: i64) -> i64 {
    v << (64 - bits) >> (64 - bits)
}

/// The sums of every cycle, those of a pause too, are the ones that the enabled cycles before it lead to.
fn judge(a: &Array, plan: &Play, outputs: &[Vec<i64>]) {
    let (mut enabled, mut judged) = (0, 0);
    for (cycle, (seen, enable)) in outputs.iter().zip(&plan.enables).enumerate() {
        if let Some(Some((sums, total))) =
            (enabled as usize).checked_sub(a.latency() as usize).map(|n| &plan.expected[n])
        {
            let (got_sums, got_total) = seen.split_at(seen.len() - 1);
            let got_sums: Vec<i64> = got_sums.iter().map(|v| signed(*v, a.sum_bits())).collect();
            let place = format!("{} {}x{} int{}, cycle {cycle}", a.kernel.name(), a.rows, a.cols, a.act_bits);
            assert_eq!((&got_sums, signed(got_total[0], a.total_bits())), (sums, *total), "{place}");
            judged += 1;
        }
        enabled += usize::from(*enable) as i64;
    }
    assert!(judged > CYCLES / 2, "{judged} cycles judged");
}

/// Every size of a kernel is the same text with other parameters, so they share one bench.
fn bench(kernel: &'static dyn Kernel) -> (Bench, Vec<Array>) {
    let arrays: Vec<Array> = shapes(kernel).into_iter().map(|s| array(kernel, s, Family::Ice40)).collect();
    let parts: Vec<Part> = arrays
        .iter()
        .map(|a| {
            let (rows, cols) = (a.rows as usize, a.cols as usize);
            Part::new(a.unit()).vector("x_i", rows).vector("w_i", cols).vector("sums_o", cols)
        })
        .collect();
    (Bench::new(&format!("mixpe_{}", kernel.name().replace('-', "_")), &parts), arrays)
}

#[test]
fn every_kernel_gives_the_integer_sums() {
    kernels().par_iter().for_each(|kernel| {
        let (bench, arrays) = bench(*kernel);
        for pauses in [false, true] {
            let plans: Vec<Play> = arrays.iter().zip(1..).map(|(a, seed)| play(a, seed, pauses)).collect();
            let cycles: Vec<Cycle> = (0..CYCLES).map(|n| plans.iter().map(|p| p.inputs[n].clone()).collect()).collect();
            let outputs = bench.play(&cycles);
            for (n, (a, plan)) in arrays.iter().zip(&plans).enumerate() {
                let seen: Vec<Vec<i64>> = outputs.iter().map(|cycle| cycle[n].clone()).collect();
                judge(a, plan, &seen);
            }
        }
    });
}

#[test]
fn two_sizes_differ_in_parameter_defaults_only() {
    let text = |kernel, shape| -> Vec<String> {
        let files = printed(&array(kernel, shape, Family::Xcup).unit());
        let lines = files.iter().flat_map(|f| f.text.lines());
        lines.filter(|l| !l.trim_start().starts_with("parameter ")).map(str::to_owned).collect()
    };
    for kernel in kernels() {
        let small = text(*kernel, (1, 1, 4));
        for shape in shapes(*kernel) {
            assert_eq!(small, text(*kernel, shape), "{} {shape:?}", kernel.name());
        }
    }
}

/// What `docs/decisions/0008-mixpe-array.md` says of 16 columns, in the bounds that hold for four, which share less.
#[test]
fn cells_take_what_the_decision_page_says() {
    let area = |name: &str| {
        let kernel = kernels().iter().find(|k| k.name() == name).expect("the kernel exists");
        let files = printed(&array(*kernel, (16, 4, 8), Family::Xcup).unit());
        let mut request = SynthRequest::new(&files, "mixpe_array", Family::Xcup);
        request.nodsp = true;
        let report = synthesize(&request, &tools()).expect("synthesizes");
        (report.lut, report.dsp)
    };
    let cells = 64;
    let (pair, three, terms, packed) = (area("shared-pair"), area("shared-3a"), area("shift-add"), area("dsp-packed"));
    assert!(pair.0 <= 30 * cells && pair.1 == 0, "{pair:?}");
    assert!(pair.0 < three.0 && 2 * pair.0 <= terms.0, "{pair:?} {three:?} {terms:?}");
    let (shared, literal) = (three.0 as f64 / cells as f64, terms.0 as f64 / three.0 as f64);
    assert!(
        shared <= 32.0 && three.1 == 0 && literal >= 1.75,
        "shared-3a: {shared} a cell, {literal} times under shift-add"
    );
    assert!(packed.0 <= 8 * cells && packed.1 == cells / 2, "{packed:?}");
}

fn prove(files: &[SourceFile], top: &str, forms: [&[(&str, i64)]; 2], start: Start) -> Verdict {
    let [gold, gate] = forms.map(|parameters| Circuit { top, parameters });
    prove_equal(files, gold, gate, start, &tools()).expect("the prover runs")
}

#[test]
fn the_choosing_adder_equals_its_behavioural_form() {
    let files = printed(&choice_add(10, 1));
    let verdict = |files: &[SourceFile], imp, width| {
        let form = |i| [("WIDTH", width), ("IMPL", i)];
        prove(files, "choice_add", [&form(0), &form(imp)], Start::Any { ignore: 0 })
    };
    for (imp, width) in [(1, 9), (1, 16), (2, 9), (2, 12)] {
        let found = verdict(&files, imp, width);
        assert!(matches!(found, Verdict::Proven), "{imp} {width}: {found:?}");
    }
    for (from, to) in [(".di_i(sum_i)", ".di_i(s)"), (".I2(z_i[", ".I2(y_i[")] {
        let mut broken = files.clone();
        assert!(broken.iter().any(|f| f.text.contains(from)), "{from}");
        broken.iter_mut().for_each(|f| f.text = f.text.replace(from, to));
        let found = verdict(&broken, 1, 9);
        assert!(matches!(found, Verdict::Refuted(_)), "{from}: {found:?}");
    }
}

#[test]
fn the_gated_adder_equals_its_behavioural_form() {
    let files = printed(&gated_add(10, ECP5_FORM));
    let verdict = |files: &[SourceFile], width| {
        let form = |i| [("WIDTH", width), ("IMPL", i)];
        prove(files, "gated_add", [&form(0), &form(ECP5_FORM)], Start::Any { ignore: 0 })
    };
    for width in [9, 12] {
        let found = verdict(&files, width);
        assert!(matches!(found, Verdict::Proven), "{width}: {found:?}");
    }
    for (from, to) in [("16'h66aa", "16'h66a8"), (".D1(gate_i)", ".D1(1'b1)")] {
        let mut broken = files.clone();
        assert!(broken.iter().any(|f| f.text.contains(from)), "{from}");
        broken.iter_mut().for_each(|f| f.text = f.text.replace(from, to));
        let found = verdict(&broken, 9);
        assert!(matches!(found, Verdict::Refuted(_)), "{from}: {found:?}");
    }
}

/// `dsp_mac` with one or two weights and an activation of a few bits, for a multiplier's proof grows with its operands: it is one operator
/// in both forms, and the proof is about registers, enables, modes and where operands sit. FREE: enables are inputs; otherwise all
/// are high, which makes it a pipeline.
const DRIVEN: &str = "
module driven #(parameter IMPL = 0, parameter CHAINED = 1, parameter ACT_W = 8, parameter PACKED = 0, parameter FREE = 0) (
  input wire clk_i, input wire en_i, input wire load_i, input wire swap_i, input wire [7:0] u_i,
  input wire [ACT_W-1:0] x_i, input wire [47:0] cascade_i, output wire [47:0] sum_o, output wire [47:0] cascade_o
);
  wire [23:0] w = PACKED == 1 ? {u_i[7:4], 16'd0, u_i[3:0]} : {20'd0, u_i[3:0]};
  wire [17:0] x = {{18{x_i[ACT_W-1]}}, x_i};
  dsp_mac #(.CHAINED(CHAINED), .IMPL(IMPL)) u_dut (.clk_i(clk_i), .en_i(en_i | (FREE == 0)),
    .load_i(load_i | (FREE == 0)), .swap_i(swap_i | (FREE == 0)), .w_i(w), .x_i(x), .cascade_i(cascade_i),
    .sum_o(sum_o), .cascade_o(cascade_o));
endmodule
";

/// Every input sequence with the enables high; with free enables, eight cycles from reset.
fn mac_proof(files: &[SourceFile], act: i64, packed: i64, chained: i64, free: bool) -> Verdict {
    let form = |i| [("IMPL", i), ("ACT_W", act), ("PACKED", packed), ("CHAINED", chained), ("FREE", i64::from(free))];
    let start = if free { Start::ZeroFor { cycles: 8 } } else { Start::Any { ignore: dsp_mac::LATENCY as u32 + 2 } };
    prove(files, "driven", [&form(0), &form(2)], start)
}

fn mac_files() -> Vec<SourceFile> {
    let mut files = printed(&dsp_mac(true, 0));
    files.push(SourceFile { path: "driven.v".into(), text: DRIVEN.into() });
    files
}

#[test]
fn the_dsp48e1_form_of_a_cell_equals_the_behavioural_form() {
    for (act, packed, chained, free) in [(4, 1, 1, false), (4, 1, 0, false), (4, 0, 1, false), (3, 1, 1, true)] {
        let verdict = mac_proof(&mac_files(), act, packed, chained, free);
        assert!(matches!(verdict, Verdict::Proven), "int{act} {packed} {chained} {free}: {verdict:?}");
    }
}

#[test]
fn a_shifted_weight_and_a_lost_swap_are_refuted() {
    for (from, to, free) in [
        (".B(x_i)", ".B({x_i[16:0], 1'b0})", false),
        (".CEA2(swap_i)", ".CEA2(load_i)", true),
        (".CEM(en_i)", ".CEM(1'b1)", true),
    ] {
        let mut files = mac_files();
        assert!(files[0].text.contains(from), "{from}");
        files[0].text = files[0].text.replace(from, to);
        let verdict = mac_proof(&files, 4, 1, 1, free);
        assert!(matches!(verdict, Verdict::Refuted(_)), "{from}: {verdict:?}");
    }
}

/// What the proof of one form says of the other hangs on this: the cells differ in the widths of two ports and in one attribute.
#[test]
fn the_two_dsp_forms_of_a_cell_differ_in_three_places() {
    let files = mac_files();
    let form = |cell: &str| -> Vec<String> {
        let from = files[0].text.lines().skip_while(|l| !l.contains(&format!("{cell} #("))).skip(1);
        from.take_while(|l| l.trim() != ");").map(|l| l.trim().trim_end_matches(',').to_owned()).collect()
    };
    let only = |a: &[String], b: &[String]| -> Vec<String> {
        a.iter().filter(|l| !b.contains(l) && l.starts_with('.')).cloned().collect()
    };
    let (new, old) = (form("DSP48E2"), form("DSP48E1"));
    assert_eq!(only(&new, &old), [".D(27'd0)", ".OPMODE({2'd0, opmode})"]);
    assert_eq!(only(&old, &new), [".USE_DPORT(\"FALSE\")", ".D(25'd0)", ".OPMODE(opmode)"]);
}
