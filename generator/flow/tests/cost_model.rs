//! Holds the cost model to 10 % of Yosys on small cores of every family, and `lookup.style = "auto"` to what Yosys finds cheapest.
//! `docs/cost-model.md` has the same for cores of realistic size.

use bitlathe_cores::{Core, Cost, kinds};
use bitlathe_flow::generate;
use bitlathe_flow::prediction::{Prediction, judge};
use bitlathe_flow::tools::Tools;
use rayon::prelude::*;
use serde_json::{Value, json};

fn core(config: &Value) -> Box<dyn Core> {
    let kind = kinds().iter().find(|k| config["kind"] == k.name()).expect("the kind is registered");
    kind.configure(config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
}

fn compared(config: &Value) -> Prediction {
    let tools = Tools::discover().expect("tools");
    judge(core(config).as_ref(), &tools).unwrap_or_else(|e| panic!("{config}: {e}"))
}

/// What is wrong with a prediction: LUT and FF beyond a tenth, or memories and DSP blocks that are not exact.
fn miss(config: &Value, found: &Prediction) -> Option<String> {
    let blocks = |c: &Cost| [c.lutram, c.dsp, c.bram, c.uram];
    let wrong = !found.holds() || blocks(&found.predicted) != blocks(&found.measured);
    wrong.then(|| format!("{config}\n  errors of LUT, FF {:?}\n  {found:?}", found.errors()))
}

fn assert_held(configs: &[Value]) {
    let misses: Vec<String> = configs.par_iter().filter_map(|c| miss(c, &compared(c))).collect();
    assert!(misses.is_empty(), "{}", misses.join("\n"));
}

fn ternary(target: &str, style: &str) -> Value {
    json!({
        "kind": "ternary-gemm", "name": "small_core", "target": {"name": target}, "shape": {"k_max": 2000, "m_max": 2000},
        "parallel": {"k_lanes": 9, "m_lanes": 3}, "lookup": {"style": style, "group": 3}, "weights": {"encoding": "index5"},
    })
}

/// The Verilog without the banner, which holds the hash of the config.
fn verilog(config: &Value) -> Vec<String> {
    let files = generate::print(core(config).as_ref()).expect("prints").files;
    let body = |text: &str| text.lines().filter(|l| !l.starts_with("//")).collect::<Vec<_>>().join("\n");
    files.iter().map(|f| body(&f.text)).collect()
}

#[test]
fn every_style_is_predicted_and_auto_is_the_cheapest() {
    let families = [
        ("kv260", &["lutram", "mux", "addsub", "multiply"][..]),
        ("ecp5-85f", &["lutram", "mux", "addsub", "multiply"]),
        ("ice40-hx8k", &["mux", "addsub", "multiply"]),
    ];
    for (target, styles) in families {
        let configs: Vec<Value> = styles.iter().map(|style| ternary(target, style)).collect();
        let found: Vec<Prediction> = configs.par_iter().map(compared).collect();
        let misses: Vec<String> = configs.iter().zip(&found).filter_map(|(c, f)| miss(c, f)).collect();
        assert!(misses.is_empty(), "{}", misses.join("\n"));
        let (cheapest, _) = configs
            .iter()
            .zip(&found)
            .min_by(|(_, a), (_, b)| a.measured.lut.total_cmp(&b.measured.lut))
            .expect("styles");
        let style = &cheapest["lookup"]["style"];
        assert_eq!(verilog(&ternary(target, "auto")), verilog(cheapest), "{target}: Yosys prefers {style}");
    }
}

#[test]
fn other_options_of_the_product_are_predicted() {
    let with = |target: &str, style: &str, changes: Value| {
        let mut config = ternary(target, style);
        for (table, keys) in changes.as_object().expect("tables") {
            for (key, value) in keys.as_object().expect("keys") {
                config[table][key] = value.clone();
            }
        }
        config
    };
    assert_held(&[
        with(
            "kv260",
            "lutram",
            json!({
                "weights": {"encoding": "byte5", "planes": 2},
                "output": {"kind": "requant", "bits": 8, "rounding": "stochastic", "shift": 18},
            }),
        ),
        with("kv260", "addsub", json!({"lookup": {"tree": "dsp"}, "parallel": {"k_lanes": 26}})),
        with(
            "ecp5-85f",
            "lutram",
            json!({"shape": {"m_max": 300}, "weights": {"encoding": "trit2", "source": "resident"}}),
        ),
        with(
            "ice40-hx8k",
            "addsub",
            json!({
                "weights": {"encoding": "sherry5"}, "parallel": {"m_lanes": 1}, "output": {"kind": "requant", "shift": [4, 20]},
            }),
        ),
    ]);
}

#[test]
fn quantizers_are_predicted() {
    let with = |input: i64, method: Value, output: Value| {
        json!({
            "kind": "quantizer", "name": "small_core", "target": {"name": "kv260"}, "shape": {"c_max": 1000},
            "input": {"bits": input}, "parallel": {"lanes": 8}, "method": method, "output": output,
        })
    };
    assert_held(&[
        with(16, json!({"name": "dual-scale", "rounding": "half-even"}), json!({"bits": 8, "shift": 5})),
        with(8, json!({"name": "mx", "element": "e4m3"}), json!({})),
        with(16, json!({"name": "absmax"}), json!({"bits": 8})),
        with(12, json!({"name": "hadamard", "size": 32}), json!({})),
    ]);
}

#[test]
fn products_of_four_bit_weights_are_predicted() {
    let with = |target: &str, kernel: &str, rest: Value| {
        let mut config = json!({
            "kind": "mixpe-gemm", "name": "small_core", "target": {"name": target}, "weights": {"group": 64},
            "shape": {"k_max": 1000, "m_max": 1000, "t_block": 256}, "array": {"rows": 8, "cols": 2, "kernel": kernel},
        });
        for (table, value) in rest.as_object().expect("tables") {
            config[table] = value.clone();
        }
        config
    };
    let requant = json!({"kind": "requant", "bits": 8, "shift": 20});
    let one_segment_more = json!({"rows": 32, "cols": 3, "kernel": "dsp-packed"});
    assert_held(&[
        with("kv260", "shared-pair", json!({})),
        with("kv260", "dsp", json!({"act": {"bits": 16}, "output": requant})),
        with("kv260", "", json!({"array": one_segment_more})),
        with("kv260", "booth", json!({})),
        with("ecp5-85f", "planes", json!({})),
        with("ecp5-85f", "multiply", json!({"output": requant})),
        with("ecp5-85f", "shift-add", json!({})),
        with("ice40-hx8k", "shared-3a", json!({"array": {"rows": 4, "cols": 1, "kernel": "shared-3a"}})),
    ]);
}

#[test]
fn attention_is_predicted() {
    let with = |cell: &str, resident: i64, bits: i64, causal: bool| {
        json!({
            "kind": "flash-attention", "name": "small_core", "target": {"name": "kv260"}, "input": {"bits": bits, "frac": 4},
            "shape": {"d_max": 64, "l_max": 512}, "array": {"n": 4, "cell": cell, "resident_rows": resident},
            "mask": {"causal": causal},
        })
    };
    // How many short lines of registers become LUT memory is not counted exactly; what the LUT are in all is.
    let blocks = |c: &Cost| [c.dsp, c.bram, c.uram];
    let misses: Vec<String> = [with("dsp", 1, 8, true), with("lut", 2, 8, false)]
        .par_iter()
        .map(|c| (c, compared(c)))
        .filter(|(_, found)| !found.holds() || blocks(&found.predicted) != blocks(&found.measured))
        .map(|(c, found)| format!("{c}: {found:?}"))
        .collect();
    assert!(misses.is_empty(), "{}", misses.join("\n"));
}
