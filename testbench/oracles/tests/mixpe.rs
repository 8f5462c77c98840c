//! The model of mixpe-gemm against Python's integers and fractions, and the hardware of each kernel against numpy's integers; one run of
//! `python/mixpe_oracle.py` judges all cases.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bitlathe_cores::mixpe_gemm::array::kernels;
use bitlathe_cores::random::Random;
use bitlathe_cores::{Core, kinds};
use bitlathe_flow::sim::{Simulator, StallMode, Stalls};
use bitlathe_flow::{generate, npy, process, tools::Tools};
use bitlathe_golden::OutputFormat;
use bitlathe_golden::mixpe::{Inputs, MAX_SCALE, MAX_WEIGHT, MAX_ZERO, Mixpe, Requant};
use bitlathe_spec::{DType, Job, Rounding, Tensor};
use rayon::prelude::*;
use serde_json::{Value, json};

const ORACLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/mixpe_oracle.py");
const LIMIT: Duration = Duration::from_secs(120);

/// A tensor with numbers of a range, its ends frequent.
fn tensor(r: &mut Random, dtype: DType, shape: &[usize], (min, max): (i64, i64)) -> Tensor {
    let mut draw = || match r.below(6) {
        0 => min,
        1 => max,
        _ => min + r.below((max - min + 1) as u64) as i64,
    };
    Tensor::new(dtype, shape, (0..shape.iter().product()).map(|_| draw()).collect())
}

/// Runs the model on random tensors and writes the job with its result.
fn write(folder: &Path, r: &mut Random, core: &Mixpe, [t, k, m]: [usize; 3]) {
    std::fs::create_dir(folder).unwrap();
    let (top, groups) = (1 << (core.act_bits - 1), k.div_ceil(core.group));
    let act = if core.act_bits == 8 { DType::I8 } else { DType::I16 };
    let mut tensors = vec![
        ("x", tensor(r, act, &[t, k], (-top, top - 1))),
        ("w", tensor(r, DType::U8, &[m, k], (0, MAX_WEIGHT))),
        ("z", tensor(r, DType::U8, &[m, groups], (0, MAX_ZERO))),
        ("s", tensor(r, DType::U16, &[m, groups], (0, MAX_SCALE))),
    ];
    let mut case = json!({"group": core.group});
    if let Some(requant) = &core.requant {
        tensors.push(("mult", tensor(r, DType::U16, &[m], (0, u16::MAX.into()))));
        tensors.push(("zp", tensor(r, DType::I8, &[1], (-128, 127))));
        match requant.shift {
            Some(shift) => case["shift"] = shift.into(),
            None => tensors.push(("shift", tensor(r, DType::U8, &[m], (38, 47)))),
        }
        for (key, value) in [
            ("bits", json!(requant.format.bits)),
            ("narrow", json!(requant.format.narrow)),
            ("rounding", json!(requant.rounding.name())),
            ("lanes", json!(requant.lanes)),
            ("t_block", json!(requant.t_block)),
        ] {
            case[key] = value;
        }
    }
    let get = |name: &str| tensors.iter().find(|(n, _)| *n == name).map(|(_, tensor)| tensor);
    let [x, w, z, s] = ["x", "w", "z", "s"].map(|name| get(name).unwrap());
    let y = core.run(&Inputs { x, w, z, s, mult: get("mult"), shift: get("shift"), zero_point: get("zp") }).unwrap();
    for (name, tensor) in tensors.iter().map(|(name, tensor)| (*name, tensor)).chain([("y", &y)]) {
        npy::write(&folder.join(format!("{name}.npy")), tensor).unwrap();
    }
    std::fs::write(folder.join("case.json"), case.to_string()).unwrap();
}

/// Calls the oracle on a folder of cases; `None` where Python lacks a package.
fn judged(folder: &Path) -> Option<Vec<Value>> {
    let mut python = Tools::discover().unwrap().command("python").unwrap();
    let output = process::run(python.arg(ORACLE).arg(folder), LIMIT).unwrap();
    if output.code == Some(3) {
        println!("skipped: {}", output.stderr.trim());
        return None;
    }
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    Some(output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn cores() -> Vec<Mixpe> {
    let mut cores = vec![];
    for (act_bits, group) in [(8, 32), (8, 128), (16, 64), (16, 128)] {
        cores.push(Mixpe { act_bits, group, requant: None });
        for (n, rounding) in Rounding::ALL.into_iter().enumerate() {
            let format = OutputFormat { bits: if n % 2 == 0 { 8 } else { 16 }, narrow: n % 3 == 0 };
            // With these shifts most results stay within eight bits.
            let shift = if group == 128 { None } else { Some(30 + act_bits) };
            let requant = Requant { format, rounding, shift, lanes: 3 + n, t_block: 4 };
            cores.push(Mixpe { act_bits, group, requant: Some(requant) });
        }
    }
    cores
}

#[test]
fn the_model_agrees_with_exact_arithmetic_in_python() {
    let (folder, mut r) = (tempfile::tempdir().unwrap(), Random::new(11));
    let cores = cores();
    for (n, core) in cores.iter().enumerate() {
        // Enough beats that every bit of an LFSR is replaced, and short last blocks.
        let sizes = [41 + n % 5, 1 + (37 * n) % 300, 4 + n % 7];
        write(&folder.path().join(format!("{n:02}")), &mut r, core, sizes);
    }
    let Some(verdicts) = judged(folder.path()) else { return };
    assert_eq!(verdicts.len(), cores.len());
    for (verdict, core) in verdicts.iter().zip(&cores) {
        assert_eq!(verdict["differences"], 0, "{core:?}: {verdict}");
        assert!(verdict["compared"].as_u64() >= Some(20), "{verdict}");
    }
}

/// A core with ragged sizes: three columns, blocks of five rows, groups of 32.
fn configured(kernel: &str, act_bits: i64) -> Box<dyn Core> {
    let config = json!({
        "kind": "mixpe-gemm", "name": "judged", "target": {"name": "kv260"},
        "shape": {"k_max": 100, "m_max": 10, "t_block": 5}, "act": {"bits": act_bits}, "weights": {"group": 32},
        "array": {"rows": 8, "cols": 3, "kernel": kernel},
    });
    let kind = kinds().iter().find(|k| k.name() == "mixpe-gemm").unwrap();
    kind.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
}

/// Ends of the ranges and anything between: activations, weights, zero points, scales.
fn ranges(act_bits: i64) -> Vec<[(i64, i64); 4]> {
    let top = 1i64 << (act_bits - 1);
    let same = |v| (v, v);
    vec![
        [(-top, top - 1), (0, MAX_WEIGHT), (0, MAX_ZERO), (0, MAX_SCALE)],
        [same(-top), same(MAX_WEIGHT), same(0), same(MAX_SCALE)],
        [same(top - 1), same(MAX_WEIGHT), same(0), same(MAX_SCALE)],
        [same(-top), same(0), same(MAX_ZERO), same(MAX_SCALE)],
        [same(-top), same(MAX_WEIGHT), same(MAX_ZERO), same(MAX_SCALE)],
        [(-top, -top + 1), (0, MAX_WEIGHT), (MAX_ZERO - 1, MAX_ZERO), (1, 2)],
    ]
}

/// The hardware on random and extreme jobs of ragged sizes, its streams stalled, judged by numpy alone.
#[test]
fn the_hardware_of_every_kernel_agrees_with_numpy() {
    let (folder, tools) = (tempfile::tempdir().unwrap(), Tools::discover().unwrap());
    let pairs = kernels().iter().flat_map(|k| [8, 16].map(|bits| (*k, bits)));
    let pairs: Vec<_> = pairs.filter(|(k, bits)| k.takes(*bits)).collect();
    let cases = pairs.par_iter().map(|(kernel, act_bits)| {
        let core = configured(kernel.name(), *act_bits);
        let rtl = generate::print(core.as_ref()).unwrap();
        let simulator = Simulator::build(&core.interface(), &rtl.files, &tools, rtl.simulation()).unwrap();
        let mut r = Random::new(17);
        for (n, [x, w, z, s]) in ranges(*act_bits).into_iter().enumerate() {
            let [t, k, m] = [7 + n, 99 - 8 * n, 10 - n];
            let act = if *act_bits == 8 { DType::I8 } else { DType::I16 };
            let mut tensors = BTreeMap::from([
                ("x".to_owned(), tensor(&mut r, act, &[t, k], x)),
                ("w".to_owned(), tensor(&mut r, DType::U8, &[m, k], w)),
                ("z".to_owned(), tensor(&mut r, DType::U8, &[m, k.div_ceil(32)], z)),
                ("s".to_owned(), tensor(&mut r, DType::U16, &[m, k.div_ceil(32)], s)),
            ]);
            let dims = [("T", t), ("K", k), ("M", m)].map(|(name, v)| (name.to_owned(), v as u64)).into();
            let job = Job { dims, tensors: tensors.clone() };
            let stalls = Stalls { mode: StallMode::Both, seed: n as u64 };
            let run = simulator.run(&job, &|_, _| 0, stalls, None).unwrap_or_else(|e| panic!("{e}"));
            tensors.insert("y".into(), run.outputs["y"].clone());
            let case = folder.path().join(format!("{}-{act_bits}-{n}", kernel.name()));
            std::fs::create_dir(&case).unwrap();
            for (name, tensor) in &tensors {
                npy::write(&case.join(format!("{name}.npy")), tensor).unwrap();
            }
            std::fs::write(case.join("case.json"), json!({"group": 32}).to_string()).unwrap();
        }
        ranges(*act_bits).len()
    });
    let cases: usize = cases.sum();
    let Some(verdicts) = judged(folder.path()) else { return };
    assert_eq!((verdicts.len(), pairs.len()), (cases, 2 * kernels().len() - 1));
    for verdict in &verdicts {
        assert_eq!(verdict["differences"], 0, "{verdict}");
        assert!(verdict["compared"].as_u64() >= Some(30), "{verdict}");
    }
}
