//! mixpe-gemm where small sizes show nothing: wide and deep arrays, blocks of every length, broken hardware.

use bitlathe_cores::{Core, kinds};
use bitlathe_flow::generate;
use bitlathe_flow::sim::{Simulator, StallMode, Stalls};
use bitlathe_flow::tools::Tools;
use bitlathe_flow::verify::compare;
use bitlathe_spec::{DType, Job, Tensor};
use serde_json::{Value, json};

#[path = "support/broken.rs"]
mod broken;
#[path = "support/sizes.rs"]
mod sizes;

use broken::broken;
use sizes::assert_same_but_for_sizes;

fn core(changes: &[(&str, Value)]) -> Box<dyn Core> {
    let mut config = json!({
        "kind": "mixpe-gemm", "name": "wide", "target": {"name": "kv260"},
        "shape": {"k_max": 1024, "m_max": 256, "t_block": 64}, "act": {}, "weights": {}, "output": {},
        "array": {"rows": 16, "cols": 16, "kernel": "shared-3a"},
    });
    for (path, value) in changes {
        *path.split('.').fold(&mut config, |at, key| &mut at[key]) = value.clone();
    }
    let kind = kinds().iter().find(|k| k.name() == "mixpe-gemm").expect("registered");
    kind.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
}

/// Values that differ from element to element, without regard to order.
fn job(group: u64, [t, k, m]: [u64; 3]) -> Job {
    let tensor = |dtype, shape: [u64; 2], seed: i64, low: i64, count: i64| {
        let value = |n: i64| low + (n * n % 8191 * seed + n * 37 + seed).rem_euclid(count);
        let data = (0..(shape[0] * shape[1]) as i64).map(value).collect();
        Tensor::new(dtype, shape.map(|v| v as usize), data)
    };
    let groups = k.div_ceil(group);
    let tensors = [
        ("x", tensor(DType::I8, [t, k], 5, -128, 256)),
        ("w", tensor(DType::U8, [m, k], 7, 0, 16)),
        ("z", tensor(DType::U8, [m, groups], 11, 0, 17)),
        ("s", tensor(DType::U16, [m, groups], 13, 0, 65536)),
    ];
    let dims = [("T", t), ("K", k), ("M", m)].map(|(n, v)| (n.to_string(), v)).into();
    Job { dims, tensors: tensors.map(|(n, t)| (n.to_string(), t)).into() }
}

/// Jobs with and without stalls against model and schedule.
fn check(core: &dyn Core, group: u64, sizes: &[[u64; 3]]) {
    let tools = Tools::discover().expect("tools");
    let rtl = generate::print(core).expect("prints");
    let simulator = Simulator::build(&core.interface(), &rtl.files, &tools, rtl.simulation()).expect("builds");
    for size in sizes {
        let job = job(group, *size);
        for mode in [StallMode::None, StallMode::IdleSource, StallMode::Both] {
            let run = simulator.run(&job, &|_, _| 0, Stalls { mode, seed: 3 }, None).expect("runs");
            let mismatch = compare(core, &simulator, &job, &run).expect("compares");
            assert!(mismatch.is_none(), "{}\n{size:?} {mode:?}: {}", core.config(), mismatch.unwrap());
            if mode == StallMode::None {
                assert_eq!(run.cycles, core.schedule(&job.dims), "{}\n{size:?}", core.config());
            }
        }
    }
}

#[test]
fn arrays_of_every_shape() {
    let shape = |rows: u64, cols: u64, kernel: &str| {
        core(&[("array.rows", json!(rows)), ("array.cols", json!(cols)), ("array.kernel", json!(kernel))])
    };
    check(shape(128, 2, "shared-pair").as_ref(), 128, &[[70, 1000, 5], [3, 128, 2]]);
    check(shape(64, 5, "shared-3a").as_ref(), 128, &[[65, 513, 11]]);
    check(shape(16, 33, "dsp-packed").as_ref(), 128, &[[65, 300, 70]]);
}

/// Blocks shorter than a tile is loaded, as long, longer; down to one row, where sums are needed again at once.
#[test]
fn jobs_of_every_number_of_rows() {
    let sizes: Vec<[u64; 3]> = (1..=12).chain([15, 16, 17, 63, 64, 65, 129]).map(|t| [t, 70, 9]).collect();
    for rows in [4, 8] {
        let core = core(&[("array.rows", json!(rows)), ("array.cols", json!(4)), ("weights.group", json!(32))]);
        check(core.as_ref(), 32, &sizes);
    }
}

/// A layer of 1024 x 256 with 1024 rows in blocks of 512: the share of useful cycles that the simulation itself counts.
#[test]
fn a_large_layer_keeps_the_cells_busy() {
    let core = core(&[("shape.t_block", json!(512))]);
    let tools = Tools::discover().expect("tools");
    let rtl = generate::print(core.as_ref()).expect("prints");
    let simulator = Simulator::build(&core.interface(), &rtl.files, &tools, rtl.simulation()).expect("builds");
    let job = job(128, [1024, 1024, 256]);
    let run = simulator.run(&job, &|_, _| 0, Stalls::NONE, None).expect("runs");
    assert_eq!(run.cycles, core.schedule(&job.dims));
    let useful = core.useful_ops(&job.dims) as f64 / (core.ops_per_cycle() * run.cycles) as f64;
    assert!(useful > 0.999, "{useful}");
    assert!(compare(core.as_ref(), &simulator, &job, &run).expect("compares").is_none());
}

/// Each fault, put into the Verilog, is found by the corner and random jobs.
#[test]
fn faults_are_found() {
    let small = [("shape.k_max", json!(100)), ("shape.m_max", json!(9)), ("array.rows", json!(8))];
    let small = [&small[..], &[("array.cols", json!(3)), ("weights.group", json!(32))]].concat();
    let found = |changes: &[(&str, Value)], file: &str, from: &str, to: &str| {
        broken(core(&[&small[..], changes].concat()).as_ref(), file, from, to);
    };
    let short = [("shape.t_block", json!(5))];
    // Sums of another group count, in the group and in the row; a row is read before it is written.
    found(&short, "group_sum.v", "{keep_i}", "{1'b1}");
    found(&short, "wide.v", ".value_i(~sum_first)", ".value_i(1'b1)");
    found(&[("shape.t_block", json!(2))], "tile_walk.v", "pause_q[0]", "1'b0");
    // A short last group does not end, a short block ends late, a tile is loaded over the one that waits.
    found(&short, "tile_walk.v", "full_group | k_last", "full_group");
    found(&short, "tile_walk.v", "last_block ? short_end : whole_end", "whole_end");
    found(&short, "weight_loader.v", "(~full_q | swap_i)", "1'b1");
    // The largest zero point and scale are taken as negative.
    found(&short, "column_foot.v", "{1'b0, z_i}", "{z_i[4], z_i}");
    found(&short, "column_foot.v", "{1'b0, s_i}", "{s_i[15], s_i}");
    // A group goes on without its zero points; an output is offered twice while scales are missing.
    found(&short, "wide.v", "~at_zero_delayed | z_valid_i", "1'b1");
    found(&[], "wide.v", "leaves & parameters_there", "leaves");
}

#[test]
fn a_larger_core_is_the_same_text() {
    let sizes = [("shape.k_max", json!(4096)), ("array.cols", json!(64)), ("shape.t_block", json!(2048))];
    assert_same_but_for_sizes(core(&[("shape.t_block", json!(128))]).as_ref(), core(&sizes).as_ref());
}
