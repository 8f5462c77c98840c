//! The model of mixpe-gemm against Python's integers and fractions; one run of `python/mixpe_oracle.py` judges all cases.

use std::path::Path;
use std::time::Duration;

use bitlathe_cores::random::Random;
use bitlathe_flow::{npy, process, tools::Tools};
use bitlathe_golden::OutputFormat;
use bitlathe_golden::mixpe::{Inputs, MAX_SCALE, MAX_WEIGHT, MAX_ZERO, Mixpe, Requant};
use bitlathe_spec::{DType, Rounding, Tensor};
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
    let mut python = Tools::discover().unwrap().command("python").unwrap();
    let output = process::run(python.arg(ORACLE).arg(folder.path()), LIMIT).unwrap();
    if output.code == Some(3) {
        println!("skipped: {}", output.stderr.trim());
        return;
    }
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    let verdicts: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(verdicts.len(), cores.len());
    for (verdict, core) in verdicts.iter().zip(&cores) {
        assert_eq!(verdict["differences"], 0, "{core:?}: {verdict}");
        assert!(verdict["compared"].as_u64() >= Some(20), "{verdict}");
    }
}
