//! Weights of every format that `bitlathe pack` reads, through the program: packed, then simulated against a product
//! computed here; and every refusal, which writes nothing.

#[allow(dead_code)]
#[path = "../../flow/src/weights/tests/files.rs"]
mod files;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use bitlathe_flow::npy;
use bitlathe_spec::{DType, Tensor};
use files::{Packer, Plain, blocks_of, gguf_file, hf_pack, safetensors_file, ternary, tq1_block, tq2_block};
use half::bf16;
use safetensors::Dtype;
use serde_json::Value;
use tempfile::TempDir;

/// Activation vectors of a simulated job.
const VECTORS: usize = 2;

/// A folder with the config of a small core.
fn home() -> TempDir {
    home_of("ternary-gemm", &["shape.k_max=512", "shape.m_max=256", "parallel.k_lanes=12", "parallel.m_lanes=4"])
}

fn home_of(kind: &str, sizes: &[&str]) -> TempDir {
    let home = tempfile::tempdir().expect("a folder");
    let sets = sizes.iter().flat_map(|s| ["--set", s]);
    let config = Command::new(env!("CARGO_BIN_EXE_bitlathe")).args(["new", kind]).args(sets).output();
    fs::write(home.path().join("core.toml"), config.expect("it starts").stdout).expect("writable");
    home
}

/// Exit code and the JSON object that the program printed.
fn run(home: &Path, args: &[&str]) -> (Option<i32>, Value) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_bitlathe"));
    let output = program.current_dir(home).args(args).arg("--json").stdin(Stdio::null()).output().expect("it starts");
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    (output.status.code(), json)
}

/// Packs weights, finds the given values in the result, and runs it on the hardware.
fn assert_packs(home: &Path, weights: &[&str], shape: [usize; 2], expected: &[i8], scale: Option<&[f32]>) {
    let mut args = [&["pack", "core.toml", "-o", "w.npy", "--stream", "w.bin", "--weights"], weights].concat();
    if scale.is_some() {
        args.extend(["--out", "scale=scale.npy"]);
    }
    let (code, json) = run(home, &args);
    assert_eq!(code, Some(0), "{weights:?}: {json}");
    let w = npy::read(&home.join("w.npy")).expect("written");
    let values = expected.iter().map(|w| i64::from(*w)).collect();
    assert_eq!(w, Tensor::new(DType::I8, shape, values), "{weights:?}");
    if let Some(scale) = scale {
        assert_eq!(npy::read(&home.join("scale.npy")).expect("written"), Tensor::from_f32([scale.len()], scale));
    }
    // 12 x 4 weights a beat, three in five bits.
    let [rows, columns] = shape;
    let beats = rows.div_ceil(4) * columns.div_ceil(12);
    assert_eq!(fs::metadata(home.join("w.bin")).expect("written").len() as usize, beats * 10, "{weights:?}");

    let x: Vec<i64> = (0..VECTORS * columns).map(|n| (n * n) as i64 % 256 - 128).collect();
    npy::write(&home.join("x.npy"), &Tensor::new(DType::I8, [VECTORS, columns], x.clone())).expect("writable");
    let (code, json) = run(home, &["sim", "core.toml", "--in", "x=x.npy", "--in", "w=w.npy", "--out", "y=y.npy"]);
    assert_eq!((code, &json["matches_model"]), (Some(0), &Value::Bool(true)), "{weights:?}: {json}");
    let dot = |n: usize| -> i64 {
        let (x, w) = (&x[n / rows * columns..][..columns], &expected[n % rows * columns..][..columns]);
        x.iter().zip(w).map(|(x, w)| x * i64::from(*w)).sum()
    };
    let y = npy::read(&home.join("y.npy")).expect("written");
    assert_eq!((y.shape, y.data), (vec![VECTORS, rows], (0..VECTORS * rows).map(dot).collect()), "{weights:?}");
}

#[test]
fn gguf_blocks_reach_the_hardware() {
    let home = home();
    let w = ternary(5 * 512, 3);
    let scales = [0.5, 0.5, 2.0, 2.0, 0.25, 0.25, 1.0, 1.0, 8.0, 8.0];
    let packers: [(u32, Packer); 2] = [(34, tq1_block), (35, tq2_block)];
    for (type_id, pack) in packers {
        let blocks = blocks_of(&w, &scales, pack);
        let tensors = [("norm", vec![3], 0, vec![0; 12]), ("blk.0.up", vec![512, 5], type_id, blocks)];
        fs::write(home.path().join("model.gguf"), gguf_file(3, &tensors)).expect("writable");
        let scale: Vec<f32> = scales.iter().step_by(2).copied().collect();
        assert_packs(home.path(), &["model.gguf:blk.0.up"], [5, 512], &w, Some(&scale));
    }
}

#[test]
fn hf_bitnet_reaches_the_hardware_with_either_use_of_its_scale() {
    let home = home();
    let (rows, columns) = (8, 30);
    let w = ternary(rows * columns, 9);
    let (packed, scale) = (hf_pack(&w, rows, columns), bf16::from_f32(4.0).to_le_bytes());
    let file = safetensors_file(&[
        ("up.weight", Dtype::U8, &[rows / 4, columns], &packed),
        ("up.weight_scale", Dtype::BF16, &[1], &scale),
    ]);
    fs::write(home.path().join("model.safetensors"), file).expect("writable");
    for (convention, scale) in [("divide", 0.25), ("multiply", 4.0)] {
        let args = ["model.safetensors:up.weight", "--scale", convention];
        assert_packs(home.path(), &args, [rows, columns], &w, Some(&[scale; 8]));
    }
    let message = refused(home.path(), &["model.safetensors:up.weight"], "W001");
    assert!(message.contains("divides in layers of class BitLinear and multiplies in AutoBitLinear"), "{message}");
    assert!(message.contains("--scale divide for BitLinear"), "{message}");
}

#[test]
fn plain_matrices_reach_the_hardware() {
    let home = home();
    let digits = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/digits/weights.safetensors");
    let file = fs::read(digits).expect("the digits' weights");
    let w1 = safetensors::SafeTensors::deserialize(&file).expect("valid").tensor("w1").expect("there").data().to_vec();
    let w1: Vec<i8> = w1.into_iter().map(|b| b as i8).collect();
    assert_packs(home.path(), &[&format!("{digits}:w1")], [250, 65], &w1, None);

    // The mean magnitude is 1: what is below one half becomes zero.
    let real = [0.4, -1.6, 0.5, 1.5, -0.49, 1.51];
    npy::write(&home.path().join("real.npy"), &Tensor::from_f32([2, 3], &real)).expect("writable");
    let args = ["real.npy", "--ternarize", "absmean"];
    assert_packs(home.path(), &args, [2, 3], &[0, -1, 0, 1, 0, 1], Some(&[1.0; 2]));

    // The same numbers with the first axis fastest.
    let fortran = npy_file("|i1", true, "(2, 3)", &[1, 0, 0xff, 1, 0, 0xff]);
    fs::write(home.path().join("fortran.npy"), fortran).expect("writable");
    assert_packs(home.path(), &["fortran.npy"], [2, 3], &[1, -1, 0, 0, 1, -1], None);
}

/// Packs four-bit weights, runs them on the hardware, and finds the product with the real weights of the file but for the rounding
/// of scales to sixteen bits; gives the notes.
fn assert_packs_four_bits(
    home: &Path,
    weights: &[&str],
    [rows, columns]: [usize; 2],
    real: impl Fn(usize) -> f64,
    tolerance: f64,
) -> String {
    let outputs = ["--out", "w=w.npy", "--out", "z=z.npy", "--out", "s=s.npy", "--out", "exp=exp.npy", "--weights"];
    let (code, json) = run(home, &[&["pack", "core.toml"], &outputs[..], weights].concat());
    assert_eq!(code, Some(0), "{weights:?}: {json}");
    let x: Vec<i64> = (0..VECTORS * columns).map(|n| (n * n) as i64 % 256 - 128).collect();
    npy::write(&home.join("x.npy"), &Tensor::new(DType::I8, [VECTORS, columns], x.clone())).expect("writable");
    let inputs = ["--in", "x=x.npy", "--in", "w=w.npy", "--in", "z=z.npy", "--in", "s=s.npy"];
    let (code, sim) = run(home, &[&["sim", "core.toml", "--out", "y=y.npy"], &inputs[..]].concat());
    assert_eq!((code, &sim["matches_model"]), (Some(0), &Value::Bool(true)), "{weights:?}: {sim}");
    let [y, exponents] = ["y.npy", "exp.npy"].map(|f| npy::read(&home.join(f)).expect("written"));
    assert_eq!((y.dtype, &y.shape[..]), (DType::I64, &[VECTORS, rows][..]));
    for (n, y) in y.data.iter().enumerate() {
        let (t, m) = (n / rows, n % rows);
        let terms = (0..columns).map(|k| x[t * columns + k] as f64 * real(m * columns + k));
        let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), v| (sum + v, size + v.abs()));
        let got = *y as f64 * 2f64.powi(-exponents.data[m] as i32);
        assert!((got - sum).abs() <= tolerance * size, "{weights:?}, [{t}, {m}]: {got}, expected {sum}");
    }
    json["notes"].to_string()
}

#[test]
fn four_bit_layers_reach_the_hardware() {
    let sizes = ["shape.k_max=256", "shape.m_max=64", "array.rows=8", "array.cols=4", "weights.group=32"];
    let home = home_of("mixpe-gemm", &[&sizes[..], &["shape.t_block=8"]].concat());
    let (path, layer) = (home.path(), Plain::new(24, 128, 64, 7));
    fs::write(path.join("awq.safetensors"), layer.awq()).expect("writable");
    fs::write(path.join("gptq.safetensors"), layer.gptq(None)).expect("writable");
    let real = |added: u8| {
        let layer = &layer;
        move |at: usize| {
            let group = at / 128 * 2 + at % 128 / 64;
            (f64::from(layer.codes[at]) - f64::from(layer.zeros[group] + added)) * f64::from(layer.scales[group])
        }
    };
    // A scale keeps sixteen bits below the largest of its row.
    for (args, added) in [
        (&["awq.safetensors"][..], 0),
        (&["gptq.safetensors:up.qweight", "--gptq-zeros", "v1"], 1),
        (&["gptq.safetensors:up.qweight", "--gptq-zeros", "v2"], 0),
    ] {
        let notes = assert_packs_four_bits(path, args, [24, 128], real(added), 1e-3);
        assert!(notes.contains("packing"), "{notes}");
    }
    let values: Vec<f32> = (0..6 * 50).map(|n| ((n * n % 101) as f32 - 50.0) / 64.0).collect();
    npy::write(&path.join("real.npy"), &Tensor::from_f32([6, 50], &values)).expect("writable");
    // A step is a fifteenth of the range, so rounding is off by a thirtieth of it.
    let notes = assert_packs_four_bits(path, &["real.npy"], [6, 50], |at| f64::from(values[at]), 0.12);
    assert!(notes.contains("dB signal to noise"), "{notes}");
}

/// An npy file written by hand.
fn npy_file(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    text += &" ".repeat(63 - (10 + text.len()) % 64);
    text.push('\n');
    [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes(), data].concat()
}

fn listing(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .expect("a folder")
        .map(|e| e.expect("an entry").file_name().display().to_string())
        .collect();
    names.sort();
    names
}

/// The one error of a `pack` that must be refused, with its help; nothing may be written.
fn refused(home: &Path, weights: &[&str], error_code: &str) -> String {
    let before = listing(home);
    let args = [&["pack", "core.toml", "-o", "none.npy", "--stream", "none.bin", "--weights"], weights].concat();
    let (code, json) = run(home, &args);
    assert_eq!(code, Some(2), "{weights:?}: {json}");
    assert_eq!(listing(home), before, "{weights:?}: something was written");
    let errors = json["errors"].as_array().unwrap_or_else(|| panic!("{weights:?}: {json}"));
    assert_eq!((errors.len(), errors[0]["code"].as_str()), (1, Some(error_code)), "{weights:?}: {json}");
    format!(
        "{} | {}",
        errors[0]["message"].as_str().unwrap_or_default(),
        errors[0]["help"].as_str().unwrap_or_default()
    )
}

#[test]
fn what_cannot_be_packed_is_refused_with_one_message_and_nothing_written() {
    let home = home();
    let path = home.path();
    let write = |name: &str, bytes: &[u8]| fs::write(path.join(name), bytes).expect("writable");
    let tq2 = gguf_file(3, &[("w", vec![256, 4], 35, blocks_of(&ternary(1024, 1), &[1.0; 4], tq2_block))]);
    write("cut.gguf", &tq2[..tq2.len() - 100]);
    write("head.gguf", &tq2[..30]);
    write("i2s.gguf", &gguf_file(3, &[("w", vec![128, 1], 36, vec![0x55; 64])]));
    write("q4.gguf", &gguf_file(3, &[("w", vec![256, 1], 12, vec![0; 144])]));
    write("scales.gguf", &gguf_file(3, &[("w", vec![512, 1], 35, blocks_of(&[1; 512], &[1.0, 2.0], tq2_block))]));
    write("wide.gguf", &gguf_file(3, &[("w", vec![768, 1], 35, blocks_of(&[1; 768], &[1.0; 3], tq2_block))]));
    write("values.npy", &npy_file("|i1", false, "(2, 2)", &[1, 0, 2, 1]));
    write("real.npy", &npy_file("<f4", false, "(1, 1)", &1.0f32.to_le_bytes()));
    write("vector.npy", &npy_file("|i1", false, "(4,)", &[1, 0, 0, 1]));
    write("cube.npy", &npy_file("|i1", false, "(1, 2, 2)", &[1, 0, 0, 1]));
    write("bool.npy", &npy_file("|b1", false, "(2, 2)", &[1, 0, 0, 1]));
    write("short.npy", &npy_file("|i1", true, "(2, 3)", &[1, 0, 0, 1]));
    write("text.npy", b"not an array");
    let cases: [(&[&str], &str, &str); 15] = [
        (&["cut.gguf"], "W001", "needs bytes"),
        (&["head.gguf"], "W001", "cannot fit the"),
        (&["i2s.gguf"], "W001", "three incompatible layouts are in use"),
        (&["q4.gguf:w"], "W001", "GGUF type 12, which is not read"),
        (&["scales.gguf"], "W001", "needs equal scales along a row"),
        (&["wide.gguf"], "J008", "K = 768 is outside 1..=512"),
        (&["values.npy"], "W002", "row 1, column 0"),
        (&["real.npy"], "W002", "--ternarize absmean"),
        (&["vector.npy"], "W001", "a weight matrix has two axes"),
        (&["cube.npy"], "W001", "a weight matrix has two axes"),
        (&["bool.npy"], "W001", "element type '|b1' is not supported"),
        (&["short.npy"], "W001", "it is truncated"),
        (&["text.npy"], "W001", "neither a GGUF"),
        (&["values.npy:w"], "W001", "leave the name out"),
        (&["values.npy", "--ternarize", "absmean"], "W001", "only real numbers can be ternarized"),
    ];
    for (weights, code, expected) in cases {
        let message = refused(path, weights, code);
        assert!(message.contains(expected), "{weights:?}: {message}");
    }
}
