//! The quantizer's models against onnxruntime, ml_dtypes, a Hadamard matrix and exact arithmetic in Python.
//!
//! All cases are written to one folder and judged by one run of `python/quantizer_oracle.py`; each test looks at its judge's
//! verdicts.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use bitlathe_cores::random::Random;
use bitlathe_flow::npy;
use bitlathe_flow::process;
use bitlathe_flow::tools::Tools;
use bitlathe_golden::quantizer::{
    AbsMax, DualScale, Element, Hadamard, Inputs, Method, Mx, Ovp, Quantizer, Rescale, SEEDS, Stochastic,
};
use bitlathe_golden::{OutputFormat, dyadic_constant_shift, dyadic_runtime};
use bitlathe_spec::{DType, Rounding, Tensor};
use serde_json::{Value, json};

const ORACLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/quantizer_oracle.py");
const LIMIT: Duration = Duration::from_secs(300);

/// One job with the judge of its results and what the judge has to know.
struct Case {
    judge: &'static str,
    /// What kind of case it is, for verdicts that are not plain equality.
    group: &'static str,
    core: Quantizer,
    tensors: BTreeMap<&'static str, Tensor>,
    parameters: Value,
}

/// What the oracle says of a case.
struct Verdict {
    judge: String,
    group: String,
    compared: u64,
    differences: u64,
    largest: u64,
}

/// The verdicts, or why there are none.
static VERDICTS: LazyLock<Result<Vec<Verdict>, String>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let cases = cases();
    for (n, case) in cases.iter().enumerate() {
        write(&folder.path().join(format!("{n:03}")), case);
    }
    judge(folder.path(), &cases)
});

fn write(folder: &Path, case: &Case) {
    std::fs::create_dir(folder).unwrap();
    let get = |name| case.tensors.get(name);
    let x = &case.tensors["x"];
    let inputs = Inputs { x, mult: get("mult"), shift: get("shift"), zero_point: get("zp"), threshold: get("thr") };
    let outputs = case.core.run(&inputs).unwrap_or_else(|e| panic!("{}: {e}", case.judge));
    let inputs = case.tensors.iter().map(|(name, tensor)| (*name, tensor));
    for (name, tensor) in inputs.chain(outputs.iter().map(|(name, tensor)| (name.as_str(), tensor))) {
        npy::write(&folder.join(format!("{name}.npy")), tensor).unwrap();
    }
    let mut text = case.parameters.clone();
    text["judge"] = json!(case.judge);
    std::fs::write(folder.join("case.json"), text.to_string()).unwrap();
}

fn judge(folder: &Path, cases: &[Case]) -> Result<Vec<Verdict>, String> {
    let tools = Tools::discover().map_err(|e| e.to_string())?;
    let mut python = tools.command("python").map_err(|e| e.to_string())?;
    let output = process::run(python.arg(ORACLE).arg(folder), LIMIT).unwrap();
    match output.code {
        Some(0) => {}
        Some(3) => return Err(output.stderr.trim().to_owned()),
        _ => panic!("{}", output.stderr),
    }
    let verdicts: Vec<Verdict> = (output.stdout.lines().zip(cases))
        .map(|(line, case)| {
            let v: Value = serde_json::from_str(line).unwrap();
            let number = |key: &str| v[key].as_u64().unwrap();
            Verdict {
                judge: v["judge"].as_str().unwrap().into(),
                group: case.group.into(),
                compared: number("compared"),
                differences: number("differences"),
                largest: number("largest"),
            }
        })
        .collect();
    assert_eq!(verdicts.len(), cases.len());
    Ok(verdicts)
}

/// The sums over the cases of a judge and a group; `None` where the oracle could not run.
fn sum(judge: &str, group: &str) -> Option<Verdict> {
    let verdicts = match &*VERDICTS {
        Ok(verdicts) => verdicts,
        Err(reason) => {
            println!("skipped: {reason}");
            return None;
        }
    };
    let mut sum = Verdict { judge: judge.into(), group: group.into(), compared: 0, differences: 0, largest: 0 };
    for v in verdicts.iter().filter(|v| v.judge == judge && v.group == group) {
        sum.compared += v.compared;
        sum.differences += v.differences;
        sum.largest = sum.largest.max(v.largest);
    }
    assert!(sum.compared > 1000, "{judge}, {group}: only {} values compared", sum.compared);
    let rate = sum.differences as f64 / sum.compared as f64;
    println!(
        "{judge}, {group}: {} values, {} differ ({rate:.2e}), at most by {}",
        sum.compared, sum.differences, sum.largest
    );
    Some(sum)
}

fn identical(judge: &str, group: &str) {
    if let Some(sum) = sum(judge, group) {
        assert_eq!(sum.differences, 0);
    }
}

/// Equal but for single steps at a rate below a bound.
fn within_a_step(judge: &str, group: &str, rate: f64) {
    if let Some(sum) = sum(judge, group) {
        assert!(sum.largest <= 1 && (sum.differences as f64) < rate * sum.compared as f64);
        assert!(sum.differences > 0, "an identical result would be worth claiming");
    }
}

#[test]
fn requant_is_onnx_quantize_linear_for_every_power_of_two() {
    identical("onnxruntime QuantizeLinear", "power of two");
}

#[test]
fn requant_is_a_rare_step_from_onnx_quantize_linear_for_other_scales() {
    within_a_step("onnxruntime QuantizeLinear", "run-time shift", 2e-3);
    within_a_step("onnxruntime QuantizeLinear", "constant shift", 2e-2);
}

#[test]
fn requant_is_onnx_dynamic_quantize_linear() {
    identical("onnxruntime DynamicQuantizeLinear", "power of two");
    within_a_step("onnxruntime DynamicQuantizeLinear", "run-time shift", 2e-3);
}

#[test]
fn microscaling_elements_are_the_casts_of_ml_dtypes() {
    for element in Element::ALL {
        identical("ml_dtypes", element.name());
    }
}

#[test]
fn the_transform_is_the_product_with_a_hadamard_matrix() {
    identical("numpy Hadamard matrix", "all");
}

#[test]
fn every_other_rule_is_the_same_in_python() {
    for judge in [
        "requant in int64",
        "dual-scale in numpy",
        "absmax in fractions",
        "ovp by search",
        "stochastic by bit sequence",
    ] {
        identical(judge, "all");
    }
}

fn cases() -> Vec<Case> {
    let mut r = Random::new(3);
    let mut cases = vec![];
    power_of_two_scales(&mut r, &mut cases);
    other_scales(&mut r, &mut cases);
    dynamic_scales(&mut r, &mut cases);
    microscaling(&mut r, &mut cases);
    transforms(&mut r, &mut cases);
    roundings(&mut r, &mut cases);
    regions(&mut r, &mut cases);
    rows_and_pairs(&mut r, &mut cases);
    lanes(&mut r, &mut cases);
    cases
}

fn between(r: &mut Random, min: i64, max: i64) -> i64 {
    min + r.below((max - min + 1) as u64) as i64
}

/// Elements of all magnitudes within `bits`, both ends among them.
fn spread(r: &mut Random, count: usize, bits: u32) -> Vec<i64> {
    let top = 1i64 << (bits - 1);
    let mut draw = |i: usize| match i {
        0 => -top,
        1 => top - 1,
        _ => between(r, -top, top - 1) >> r.below(bits.into()),
    };
    (0..count).map(&mut draw).collect()
}

fn x_of(bits: u32, columns: usize, data: Vec<i64>) -> Tensor {
    let dtype = if bits <= 16 { DType::I16 } else { DType::I32 };
    Tensor::new(dtype, [data.len() / columns, columns], data)
}

fn vector(dtype: DType, data: Vec<i64>) -> Tensor {
    Tensor::new(dtype, [data.len()], data)
}

fn core(input_bits: u32, lanes: usize, method: Method) -> Quantizer {
    Quantizer { input_bits, lanes, method }
}

fn requant(bits: u32, shift: Option<u32>) -> Method {
    Method::Requant(Rescale { format: OutputFormat { bits, narrow: false }, rounding: Rounding::HalfEven, shift })
}

/// Scales 2^k of y, k from -4 to 23, as m / 2^s in several ways; a third of the elements sits on ties.
fn power_of_two_scales(r: &mut Random, cases: &mut Vec<Case>) {
    let columns = 32;
    for (n, k) in (-4..=23i64).enumerate() {
        let bits = if n % 3 == 0 { 4 } else { 8 };
        let input_bits = if k < 12 && n % 2 == 0 { 16 } else { 25 };
        let channels = if n % 4 == 1 { columns } else { 1 };
        // m = 2^j and s = j + k, j a constant or one a channel.
        let smallest = (-k).max(0);
        let exponents: Vec<i64> = (0..channels).map(|_| between(r, smallest, 15)).collect();
        let constant = (n % 2 == 0 && channels == 1).then(|| (exponents[0] + k) as u32);
        let half = if k > 0 { 1i64 << (k - 1) } else { 1 };
        // float32 holds the integers up to 2^24.
        let top = (1i64 << (input_bits - 1)) - 1;
        let reach = (half << bits).min(top);
        let x = (0..16 * columns).map(|i| match i % 3 {
            0 => (between(r, -600, 600) * half).clamp(-top, top),
            1 => between(r, -reach, reach),
            _ => between(r, -top, top),
        });
        let x = x.collect();
        let zero_points = 1i64 << (bits - 1);
        let mut tensors = BTreeMap::from([
            ("x", x_of(input_bits, columns, x)),
            ("mult", vector(DType::U16, exponents.iter().map(|j| 1 << j).collect())),
            ("scale", Tensor::from_f32([channels], &vec![2f32.powi(k as i32); channels])),
            ("zp", vector(DType::I8, (0..channels).map(|_| between(r, -zero_points, zero_points - 1)).collect())),
        ]);
        if constant.is_none() {
            tensors.insert("shift", vector(DType::U8, exponents.iter().map(|j| j + k).collect()));
        }
        let core = core(input_bits, 8, requant(bits, constant));
        let parameters = json!({"bits": bits});
        cases.push(Case { judge: "onnxruntime QuantizeLinear", group: "power of two", core, tensors, parameters });
    }
}

/// A real scale of y, log-uniform, and elements that span the output's range and a little more.
fn random_scale(r: &mut Random, exponents: (i64, i64)) -> f32 {
    let fraction = 1.0 + r.below(1 << 23) as f32 / (1 << 23) as f32;
    fraction * 2f32.powi(between(r, exponents.0, exponents.1) as i32)
}

fn other_scales(r: &mut Random, cases: &mut Vec<Case>) {
    let columns = 64;
    for (constant, exponents) in [(None, (1, 15)), (Some(24), (8, 10))] {
        for n in 0..24 {
            let channels = if n % 2 == 0 { columns } else { 1 };
            let scales: Vec<f32> = (0..channels).map(|_| random_scale(r, exponents)).collect();
            let pair = |y: &f32| match constant {
                Some(s) => dyadic_constant_shift(1.0 / f64::from(*y), s),
                None => dyadic_runtime(1.0 / f64::from(*y)),
            };
            let pairs: Vec<_> = scales.iter().map(|y| pair(y).unwrap()).collect();
            let x = (0..64 * columns).map(|i| {
                let reach = (140.0 * scales[i % columns % channels]) as i64;
                between(r, -reach, reach)
            });
            let mut tensors = BTreeMap::from([
                ("x", x_of(25, columns, x.collect())),
                ("mult", vector(DType::U16, pairs.iter().map(|p| p.mult.into()).collect())),
                ("scale", Tensor::from_f32([channels], &scales)),
            ]);
            if constant.is_none() {
                tensors.insert("shift", vector(DType::U8, pairs.iter().map(|p| p.shift.into()).collect()));
            }
            let group = if constant.is_some() { "constant shift" } else { "run-time shift" };
            let core = core(25, 8, requant(8, constant));
            let parameters = json!({"bits": 8});
            cases.push(Case { judge: "onnxruntime QuantizeLinear", group, core, tensors, parameters });
        }
    }
}

/// The scale and zero point that ONNX defines for a tensor, in its float32 arithmetic, and their integer forms.
fn dynamic_scales(r: &mut Random, cases: &mut Vec<Case>) {
    for n in 0..20 {
        let exact = n % 2 == 0;
        let (low, high) = match exact {
            // (high - low) / 255 is a power of two.
            true => (-127i64 << (n / 2), 128i64 << (n / 2)),
            false => (-between(r, 200, 1 << 20), between(r, 200, 1 << 20)),
        };
        let mut x: Vec<i64> = (0..4096).map(|_| between(r, low, high)).collect();
        (x[0], x[1]) = (low, high);
        let scale = (high as f32 - low as f32) / 255.0;
        let zero = (-(low as f32) / scale).round_ties_even().clamp(0.0, 255.0) as i64;
        let pair = dyadic_runtime(1.0 / f64::from(scale)).unwrap();
        let tensors = BTreeMap::from([
            ("x", x_of(25, 64, x)),
            ("mult", vector(DType::U16, vec![pair.mult.into()])),
            ("shift", vector(DType::U8, vec![pair.shift.into()])),
            ("zp", vector(DType::I8, vec![zero - 128])),
        ]);
        let group = if exact { "power of two" } else { "run-time shift" };
        let core = core(25, 8, requant(8, None));
        cases.push(Case { judge: "onnxruntime DynamicQuantizeLinear", group, core, tensors, parameters: json!({}) });
    }
}

fn microscaling(r: &mut Random, cases: &mut Vec<Case>) {
    for element in Element::ALL {
        for (input_bits, block, frac, columns) in
            [(32, 32, 0, 100), (16, 32, 12, 96), (32, 8, 31, 17), (32, 256, 5, 300)]
        {
            // Rows of their own magnitude, so that blocks differ; one row of zeros.
            let mut x = vec![0; columns];
            for row in 0..12 {
                let smaller = (2 * row).min(input_bits - 4);
                x.extend(spread(r, columns, input_bits - smaller));
            }
            let mx = Mx { element, block, frac };
            let parameters = json!({"element": element.name(), "block": block, "frac": frac});
            let tensors = BTreeMap::from([("x", x_of(input_bits, columns, x))]);
            let core = core(input_bits, 8, Method::Mx(mx));
            cases.push(Case { judge: "ml_dtypes", group: element.name(), core, tensors, parameters });
        }
    }
}

fn transforms(r: &mut Random, cases: &mut Vec<Case>) {
    for (input_bits, size) in [(31, 2), (16, 4), (8, 16), (26, 64), (16, 256), (16, 1024), (22, 1024)] {
        let columns = size * 2;
        let x = spread(r, 3 * columns, input_bits);
        let tensors = BTreeMap::from([("x", x_of(input_bits, columns, x))]);
        let core = core(input_bits, 16, Method::Hadamard(Hadamard { size }));
        let parameters = json!({"size": size});
        cases.push(Case { judge: "numpy Hadamard matrix", group: "all", core, tensors, parameters });
    }
}

const DETERMINISTIC: [Rounding; 4] = [Rounding::HalfEven, Rounding::HalfUp, Rounding::HalfAway, Rounding::Floor];

fn roundings(r: &mut Random, cases: &mut Vec<Case>) {
    for (n, rounding) in DETERMINISTIC.into_iter().cycle().take(32).enumerate() {
        let (bits, narrow) = (if n % 8 < 4 { 8 } else { 4 }, n % 16 < 8);
        let shift = [0, 1, 13, 24, 40, 47, 3, 30][n / 4];
        let input_bits = [32, 16, 26][n % 3];
        let method = Rescale { format: OutputFormat { bits, narrow }, rounding, shift: Some(shift) };
        // Products on ties and beside them, and products of all magnitudes.
        let step = 1i64 << shift.saturating_sub(1).min(input_bits - 9);
        let top = 1i64 << (input_bits - 1);
        let mut x = spread(r, 320, input_bits);
        x.extend((0..320).map(|i| (between(r, -300, 300) * step + i % 3 - 1).clamp(-top, top - 1)));
        let mut tensors = BTreeMap::from([("x", x_of(input_bits, 16, x))]);
        let pot = n % 4 == n / 4 % 4;
        if !pot {
            tensors.insert("mult", vector(DType::U16, (0..16).map(|i| between(r, 1, 65_535) >> i).collect()));
            tensors.insert("zp", vector(DType::I8, (0..16).map(|_| between(r, -128, 127)).collect()));
        }
        let core = core(input_bits, 5, if pot { Method::Pot(method) } else { Method::Requant(method) });
        let parameters = json!({"rounding": rounding.name(), "bits": bits, "narrow": narrow, "shift": shift});
        cases.push(Case { judge: "requant in int64", group: "all", core, tensors, parameters });
    }
}

fn regions(r: &mut Random, cases: &mut Vec<Case>) {
    for (n, rounding) in DETERMINISTIC.into_iter().cycle().take(24).enumerate() {
        let (bits, input_bits) = (if n % 3 == 0 { 4 } else { 8 }, [32, 16, 8][n / 2 % 3]);
        let shift = between(r, 0, i64::from(input_bits) + 6) as u32;
        let method = DualScale { bits, rounding, shift: Some(shift) };
        let (columns, top) = (20, 1i64 << (input_bits - 1));
        // Small jobs have quartiles that a wrong rank misses.
        let rows = 1 + n / 4 * 5;
        let x = (0..rows * columns).map(|_| between(r, -top, top - 1) >> r.below(6)).collect();
        let iqr = n % 2 == 0;
        let channels = if n % 5 == 0 { columns } else { 1 };
        let mult = (0..2 * channels).map(|_| between(r, 0, 65_535)).collect();
        let mut tensors = BTreeMap::from([
            ("x", x_of(input_bits, columns, x)),
            ("mult", Tensor::new(DType::U16, [2, channels], mult)),
        ]);
        if !iqr {
            tensors.insert("thr", vector(DType::I32, vec![between(r, 0, top / 4)]));
        }
        let name = if iqr { "iqr" } else { "dual-scale" };
        let method = if iqr { Method::Iqr(method) } else { Method::DualScale(method) };
        let parameters = json!({
            "method": name, "input_bits": input_bits, "bits": bits, "rounding": rounding.name(), "shift": shift,
        });
        let core = core(input_bits, 6, method);
        cases.push(Case { judge: "dual-scale in numpy", group: "all", core, tensors, parameters });
    }
}

fn rows_and_pairs(r: &mut Random, cases: &mut Vec<Case>) {
    for (n, columns) in [1, 2, 33, 128].into_iter().enumerate() {
        for input_bits in [16, 32] {
            let mut x = vec![0; columns];
            (0..10).for_each(|row| x.extend(spread(r, columns, input_bits - row)));
            let bits = if n % 2 == 0 { 8 } else { 4 };
            let core = core(input_bits, 8, Method::AbsMax(AbsMax { bits }));
            let parameters = json!({"input_bits": input_bits, "bits": bits});
            let tensors = BTreeMap::from([("x", x_of(input_bits, columns, x))]);
            cases.push(Case { judge: "absmax in fractions", group: "all", core, tensors, parameters });
        }
        let mult: Vec<i64> = (0..columns).map(|_| between(r, 1 << 14, 65_535)).collect();
        // Grid units around the limit of a normal value, and far over the largest outlier.
        let x = (0..16 * columns).map(|i| between(r, -1, 1) * 600 + between(r, -1200, 1200) * (1 << (i % 4)));
        let tensors = BTreeMap::from([("x", x_of(16, columns, x.collect())), ("mult", vector(DType::U16, mult))]);
        let core = core(16, 8, Method::Ovp(Ovp { shift: Some(22) }));
        cases.push(Case { judge: "ovp by search", group: "all", core, tensors, parameters: json!({"shift": 22}) });
    }
}

fn lanes(r: &mut Random, cases: &mut Vec<Case>) {
    for (lanes, columns, shift, bits, seeds) in
        [(16, 40, 4, 8, &SEEDS[..]), (5, 3, 9, 4, &[7, 1]), (64, 64, 0, 8, &[3]), (32, 100, 20, 8, &SEEDS[..])]
    {
        let narrow = bits == 4;
        let format = OutputFormat { bits, narrow };
        let method = Stochastic { format, shift: Some(shift), seeds: seeds.to_vec() };
        let top = 1i64 << (shift + bits).min(31);
        let x = (0..20 * columns).map(|_| between(r, -top, top - 1)).collect();
        let parameters = json!({"lanes": lanes, "seeds": seeds, "shift": shift, "bits": bits, "narrow": narrow});
        let tensors = BTreeMap::from([("x", x_of(32, columns, x))]);
        let core = core(32, lanes, Method::Stochastic(method));
        cases.push(Case { judge: "stochastic by bit sequence", group: "all", core, tensors, parameters });
    }
}
