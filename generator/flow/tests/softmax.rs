//! Softmax where small rows show nothing: long rows, wide beats, the pace of rows.

use bitlathe_cores::{Core, kinds};
use bitlathe_flow::generate;
use bitlathe_flow::sim::{Simulator, StallMode, Stalls};
use bitlathe_flow::tools::Tools;
use bitlathe_flow::verify::compare;
use bitlathe_spec::{DType, Dims, Job, Tensor};
use serde_json::{Value, json};

#[path = "support/broken.rs"]
mod broken;
#[path = "support/sizes.rs"]
mod sizes;

use broken::broken;
use sizes::assert_same_but_for_sizes;

fn core(changes: &[(&str, Value)]) -> Box<dyn Core> {
    let mut config = json!({
        "kind": "softmax", "name": "long", "target": {"name": "kv260"}, "shape": {"n_max": 4096},
        "input": {"bits": 8, "scale": 0.05}, "parallel": {"lanes": 16}, "method": {}, "passes": {}, "output": {},
    });
    for (path, value) in changes {
        *path.split('.').fold(&mut config, |at, key| &mut at[key]) = value.clone();
    }
    let kind = kinds().iter().find(|k| k.name() == "softmax").expect("registered");
    kind.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
}

fn dims(rows: u64, n: u64) -> Dims {
    Dims::from([("R".to_string(), rows), ("N".to_string(), n)])
}

/// Rows in which every difference from 0 to 255 occurs, the largest element last, first, or everywhere.
fn job(dtype: DType, rows: u64, n: u64) -> Job {
    let value = |r: u64, c: u64| match r % 4 {
        0 => (c as i64 * 255 / (n as i64 - 1).max(1)) - 128,
        1 => 127 - (c as i64 * 255 / (n as i64 - 1).max(1)),
        2 => (c as i64 * 37 + c as i64 * c as i64) % 256 - 128,
        _ => -1,
    };
    let data = (0..rows).flat_map(|r| (0..n).map(move |c| (r, c))).map(|(r, c)| value(r, c)).collect();
    let x = Tensor::new(dtype, [rows as usize, n as usize], data);
    Job { dims: dims(rows, n), tensors: [("x".to_string(), x)].into() }
}

/// A job of long rows, with and without stalls, against model and schedule.
fn check(core: &dyn Core, dtype: DType, sizes: &[(u64, u64)]) {
    let tools = Tools::discover().expect("tools");
    let rtl = generate::print(core).expect("prints");
    let simulator = Simulator::build(&core.interface(), &rtl.files, &tools, rtl.simulation()).expect("builds");
    for (rows, n) in sizes {
        let job = job(dtype, *rows, *n);
        for stalls in [Stalls::NONE, Stalls { mode: StallMode::Both, seed: 3 }] {
            let run = simulator.run(&job, &|_, _| 0, stalls, None).expect("runs");
            let mismatch = compare(core, &simulator, &job, &run).expect("compares");
            assert!(mismatch.is_none(), "{}\n{rows} rows of {n}: {}", core.config(), mismatch.unwrap());
            if stalls == Stalls::NONE {
                assert_eq!(run.cycles, core.schedule(&job.dims), "{}\n{rows} rows of {n}", core.config());
            }
        }
    }
}

#[test]
fn rows_of_4096_elements() {
    let base2 = [("method.name", json!("base2")), ("input.scale", json!(0.0866)), ("method.line", json!(true))];
    let with = |more: &[(&str, Value)]| core(&[&base2[..], more].concat());
    let sizes = [(5, 4096), (3, 4001)];
    for output in ["u8", "u16", "log2-4", "raw"] {
        check(core(&[("output.kind", json!(output))]).as_ref(), DType::I8, &sizes);
    }
    let (two, one) = (("passes.count", json!(2)), ("passes.count", json!(1)));
    check(with(&[two, ("output.kind", json!("u16"))]).as_ref(), DType::I8, &sizes);
    check(with(&[one, ("output.kind", json!("raw")), ("parallel.lanes", json!(64))]).as_ref(), DType::I8, &sizes);
    let linmax = [("method.name", json!("linmax")), ("input.bits", json!(32)), ("output.kind", json!("u16"))];
    check(core(&linmax).as_ref(), DType::I32, &sizes[..1]);
}

#[test]
fn sixty_four_lanes_and_rows_of_every_number_of_beats() {
    let core = core(&[("parallel.lanes", json!(64)), ("output.kind", json!("u16"))]);
    let sizes: Vec<(u64, u64)> = (1..=40).map(|beats| (7, 64 * beats - beats % 3)).collect();
    check(core.as_ref(), DType::I8, &sizes);
}

#[test]
fn rows_of_every_length() {
    let lengths: Vec<(u64, u64)> = (1..=40).map(|n| (6, n)).collect();
    let base2 = [("method.name", json!("base2")), ("input.scale", json!(0.0433))];
    for lanes in [3, 16] {
        let size = [("shape.n_max", json!(40)), ("parallel.lanes", json!(lanes))];
        check(core(&size).as_ref(), DType::I8, &lengths);
        let online = [&base2[..], &size, &[("passes.count", json!(2)), ("output.kind", json!("raw"))]].concat();
        check(core(&online).as_ref(), DType::I8, &lengths);
    }
}

/// Each fault, put into the Verilog, is found by the corner jobs of a core of the method.
#[test]
fn faults_are_found() {
    let found = |changes: &[(&str, Value)], file: &str, from: &str, to: &str| {
        let core = core(&[&[("shape.n_max", json!(300)), ("parallel.lanes", json!(4))], changes].concat());
        broken(core.as_ref(), file, from, to);
    };
    let line = [("method.name", json!("base2")), ("input.scale", json!(0.0866)), ("method.line", json!(true))];
    let base2 = [&line[..], &[("passes.count", json!(2))]].concat();
    // The sum itself shows what is lost when it is rescaled; eight bits of output hide it.
    let base2 = [&base2[..], &[("output.kind", json!("raw"))]].concat();
    let log = [&line[..], &[("output.kind", json!("log2-4"))]].concat();
    // Padding counts as an element, of the maximum and of the sum; a row's first beat adds to the row before.
    found(&[], "softmax_row_mask.v", "~end_i | ", "1'b1 | ");
    found(&[], "softmax_sum.v", "padding ? 0 :", "1'b0 ? 0 :");
    found(&[], "softmax_sum.v", "fresh_q ? beat_sum :", "1'b0 ? beat_sum :");
    // A probability of one overflows; the coarse part of a shift is lost; a half is not rounded up.
    found(&[], "softmax_scale_lane.v", "{OUT_W{window[OUT_W]}}", "{OUT_W{1'b0}}");
    found(&[], "softmax_scale_lane.v", "reach << {step_i, 3'd0}", "reach");
    found(&[], "long.v", "middle + half", "middle");
    // One slot too many, one beat too few.
    found(&[], "long.v", "ROWS_LIMIT = 4", "ROWS_LIMIT = 5");
    // Rescaling is not rounded, or does not happen; ties of the logarithm.
    found(&base2, "softmax_online_sum.v", ", halves[0]};", ", 1'b0};");
    found(&base2, "softmax_running_octave.v", "grows ? drop : 7'd0", "7'd0");
    found(&log, "softmax_log_lane.v", "{one_octave, two_octaves}", "{1'b0, two_octaves}");
    found(&log, "softmax_log_lane.v", "{one_octave, two_octaves}", "{one_octave, 1'b0}");
    found(&log, "softmax_log_lane.v", "(same ? 0 : one_e)", "one_e");
    // Where e(0) is just below a power of two.
    found(&[("output.kind", json!("log2-4"))], "softmax_log_lane.v", "(one_octave ? 0 : two_e)", "two_e");
}

#[test]
fn two_sizes_differ_in_parameter_defaults_only() {
    let sized = |n_max: u64, lanes: u64| core(&[("shape.n_max", json!(n_max)), ("parallel.lanes", json!(lanes))]);
    assert_same_but_for_sizes(sized(3000, 16).as_ref(), sized(4000, 24).as_ref());
}

/// Rows of as many beats as a reciprocal takes, and rows of any length where nothing is divided, follow without a pause.
#[test]
fn rows_follow_without_bubbles() {
    for (name, scale, count, kind, least) in [
        ("exp-table", 0.05, 3, "u8", 21),
        ("exp-table", 0.05, 3, "log2-4", 1),
        ("exp-table", 0.05, 3, "raw", 1),
        ("linmax", 0.05, 3, "u16", 21),
        ("ibert", 0.05, 3, "raw", 1),
        ("base2", 0.0866, 2, "u8", 21),
        ("base2", 0.0866, 2, "log2-4", 1),
        ("base2", 0.0866, 2, "raw", 1),
        ("base2", 0.0866, 1, "raw", 1),
        ("itamax", 0.02166, 2, "u8", 10),
    ] {
        let core = core(&[
            ("method.name", json!(name)),
            ("input.scale", json!(scale)),
            ("passes.count", json!(count)),
            ("output.kind", json!(kind)),
        ]);
        let cycles = |rows: u64, beats: u64| core.schedule(&dims(rows, 16 * beats));
        for beats in least..least + 40 {
            assert_eq!(cycles(1001, beats) - cycles(1, beats), 1000 * beats, "{name}, {count} passes, {kind}, {beats}");
        }
        for beats in 1..least {
            assert_eq!(
                cycles(1001, beats) - cycles(901, beats),
                100 * least,
                "{name}, {count} passes, {kind}, {beats}"
            );
        }
    }
}
