//! Configs made by program: the starter for `new`, a cover of all legal pairs of options, random ones for judging the cost model.

use bitlathe_spec::{Family, Target};
use serde_json::{Value, json};

use super::Quantizer;
use super::config::MethodName;
use crate::pairwise::{OptionValues, Space};
use crate::random::Random;
use crate::room::legal;

/// A commented config for a target.
pub fn starter(target: &Target) -> String {
    let lanes = match target.family {
        Family::Xcup | Family::Xc7 => 16,
        Family::Ecp5 => 8,
        Family::Ice40 => 2,
    };
    format!(
        r#"# A requantizer: y[r, c] = saturate(round(x[r, c] * mult / 2^shift) + zp).
kind = "quantizer"
name = "my-quantizer"

[target]
name = "{}"

[shape]
c_max = 4096            # largest row; any length from 1 to this at run time

[input]
bits = 26               # bits of an element, two's complement

[parallel]
lanes = {lanes}              # elements a cycle

[method]
name = "requant"        # requant, stochastic, dual-scale, iqr, absmax, mx, pot, ovp or hadamard
rounding = "half-even"  # half-even, half-up, half-away, floor or stochastic
per_channel = false     # true: multiplier and zero point come as streams

[output]
bits = 8                # 4 or 8
narrow = false          # true: -127 instead of -128
shift = 24              # constant, or [lo, hi] for a run-time shift
"#,
        target.name
    )
}

fn all_options() -> Vec<OptionValues> {
    let v = |values: &[&str]| values.iter().map(|s| json!(s)).collect::<Vec<_>>();
    let n = |values: &[i64]| values.iter().map(|s| json!(s)).collect::<Vec<_>>();
    vec![
        (
            "method",
            "name",
            v(&["requant", "stochastic", "dual-scale", "iqr", "absmax", "mx", "pot", "ovp", "hadamard"]),
        ),
        ("input", "bits", n(&[32, 8, 12, 16])),
        ("parallel", "lanes", n(&[4, 1, 6, 16])),
        ("method", "rounding", v(&["half-even", "half-up", "half-away", "floor", "stochastic"])),
        ("method", "per_channel", vec![json!(false), json!(true)]),
        ("output", "bits", n(&[8, 4])),
        ("output", "narrow", vec![json!(false), json!(true)]),
        ("output", "shift", vec![json!(24), json!(0), json!(5), json!([2, 47])]),
        ("method", "seeds", vec![json!((1..=15).collect::<Vec<_>>()), json!([9, 4])]),
        ("method", "element", v(&["int8", "e4m3", "e5m2", "e3m2", "e2m3", "e2m1"])),
        ("method", "block", n(&[32, 8])),
        ("input", "frac", n(&[0, 4])),
        ("method", "size", n(&[64, 2, 8])),
    ]
}

/// All options with what decides whether they are legal together.
pub fn space() -> Space {
    Space {
        options: all_options(),
        base: |name| {
            json!({
                "kind": "quantizer", "name": name, "target": {"name": "kv260"}, "shape": {"c_max": 77},
                "input": {}, "parallel": {}, "method": {}, "output": {},
            })
        },
        legal: legal::<Quantizer>,
        acts,
        decide: &["name", "lanes", "bits", "shift"],
    }
}

/// Whether the method reads an option.
fn acts(config: &Value, table: &str, key: &str) -> bool {
    let name: Result<MethodName, _> = serde_json::from_value(config["method"]["name"].clone());
    let reads = name.is_ok_and(|n| n.reads(&format!("{table}.{key}")));
    // Without a parameter there is nothing to have per channel.
    let idle = key == "per_channel"
        && (config["method"]["name"] == "pot" || config["method"]["name"] == "stochastic")
        && !config["output"]["shift"].is_array();
    reads && !idle
}

/// Whether a constant shift leaves the scaled value bits enough for its output: beyond, synthesis would find constants.
fn fills_its_output(c: &Value) -> bool {
    let bits = |table: &str| c[table]["bits"].as_u64().unwrap_or_default();
    let product = match c["method"]["name"].as_str() {
        Some("requant" | "dual-scale" | "iqr" | "ovp") => bits("input") + 16,
        Some("pot" | "stochastic") => bits("input"),
        _ => return true,
    };
    c["output"]["shift"].as_u64().is_none_or(|shift| shift + bits("output") <= product)
}

/// A config of realistic size.
pub fn random_config(_: &Target, r: &mut Random) -> Value {
    let space = space();
    loop {
        let mut c = space.config(&space.draw(r), "");
        c["shape"]["c_max"] = json!(1024 + r.below(4096));
        c["parallel"]["lanes"] = json!(1u64 << (2 + r.below(4)));
        if fills_its_output(&c) {
            return c;
        }
    }
}
