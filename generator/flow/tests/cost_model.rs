//! Holds the cost model to 10 % of Yosys on small cores of every family, and `lookup.style = "auto"` to what Yosys finds cheapest.
//! `docs/cost-model.md` has the same for cores of realistic size.

use bitlathe_cores::{Core, Kind, kinds};
use bitlathe_flow::compare::{Comparison, compare};
use bitlathe_flow::generate;
use bitlathe_flow::tools::Tools;
use rayon::prelude::*;
use serde_json::{Value, json};

fn kind() -> &'static dyn Kind {
    *kinds().iter().find(|k| k.name() == "ternary-gemm").expect("the kind is registered")
}

fn core(config: &Value) -> Box<dyn Core> {
    kind().configure(config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
}

/// Compares, and requires that memories and DSP blocks are exact, LUT and FF within a tenth.
fn held(config: &Value) -> Comparison {
    let tools = Tools::discover().expect("tools");
    let found = compare(core(config).as_ref(), &tools).unwrap_or_else(|e| panic!("{config}: {e}"));
    assert!(found.holds(), "{config}: {:?}\n{found:?}", found.errors());
    let blocks = |c: &bitlathe_cores::Cost| [c.lutram, c.dsp, c.bram, c.uram];
    assert_eq!(blocks(&found.predicted), blocks(&found.measured), "{config}");
    found
}

fn small(target: &str, style: &str) -> Value {
    json!({
        "kind": "ternary-gemm", "name": "small", "target": {"name": target}, "shape": {"k_max": 256, "m_max": 256},
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
    families.par_iter().for_each(|(target, styles)| {
        let measured = styles.par_iter().map(|s| (held(&small(target, s)).measured.lut, s));
        let (_, cheapest) = measured.min_by(|a, b| a.0.total_cmp(&b.0)).expect("styles");
        assert_eq!(
            verilog(&small(target, "auto")),
            verilog(&small(target, cheapest)),
            "{target}: Yosys prefers {cheapest}"
        );
    });
}

#[test]
fn the_other_options_are_predicted() {
    let requant = json!({"kind": "requant", "bits": 8, "rounding": "stochastic", "shift": 18});
    let configs = [
        ("kv260", "lutram", json!({"encoding": "byte5", "planes": 2}), requant),
        ("ecp5-85f", "lutram", json!({"encoding": "trit2", "source": "resident"}), json!({})),
        ("ice40-hx8k", "addsub", json!({"encoding": "sherry5"}), json!({"kind": "requant", "shift": [4, 20]})),
    ];
    configs.par_iter().for_each(|(target, style, weights, output)| {
        let mut config = small(target, style);
        (config["weights"], config["output"]) = (weights.clone(), output.clone());
        config["parallel"]["m_lanes"] = json!(if *target == "ice40-hx8k" { 1 } else { 3 });
        held(&config);
    });
}
