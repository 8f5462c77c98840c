//! Configs made by program: the starter for `new`, a cover of all legal pairs of options, random ones for judging the cost model.

use bitlathe_spec::{Family, Target};
use serde_json::{Value, json};

use super::config::{Config, MethodName};
use crate::pairwise::{OptionValues, Space};
use crate::random::Random;

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
pub fn space() -> Space<'static> {
    Space {
        options: all_options(),
        base: |name| {
            json!({
                "kind": "quantizer", "name": name, "target": {"name": "kv260"}, "shape": {"c_max": 77},
                "input": {}, "parallel": {}, "method": {}, "output": {},
            })
        },
        legal: &legal,
        acts,
        decide: &["name", "lanes", "bits"],
    }
}

fn legal(c: &Value) -> bool {
    serde_json::from_value::<Config>(c.clone()).is_ok_and(|c| c.derive().is_ok())
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

/// Configs that together try every pair of option values that some legal config tries.
pub fn legal_pairs() -> Vec<Value> {
    space().cover()
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

/// Legal configs of realistic size.
pub fn random_configs(target: &Target, seed: u64, count: usize) -> Vec<Value> {
    let (space, mut r) = (space(), Random::new(seed));
    let mut out = vec![];
    while out.len() < count {
        let mut c = space.config(&space.draw(&mut r), &format!("random{}", out.len()));
        c["target"]["name"] = json!(target.name);
        c["shape"]["c_max"] = json!(1024 + r.below(4096));
        c["parallel"]["lanes"] = json!(1u64 << (2 + r.below(4)));
        if legal(&c) && fills_its_output(&c) {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cover_is_legal_and_small() {
        let pairs = legal_pairs();
        assert!(pairs.iter().all(legal));
        assert!(pairs.len() <= 75, "{} configs", pairs.len());
        for method in ["requant", "stochastic", "dual-scale", "iqr", "absmax", "mx", "pot", "ovp", "hadamard"] {
            assert!(pairs.iter().any(|c| c["method"]["name"] == method), "{method}");
        }
    }

    #[test]
    fn starters_are_legal_on_every_target() {
        for target in bitlathe_spec::TARGETS {
            let document: toml::Table = starter(target).parse().unwrap_or_else(|e| panic!("{}: {e}", target.name));
            assert!(legal(&serde_json::to_value(document).unwrap()), "{}", target.name);
        }
    }

    #[test]
    fn random_configs_are_legal_and_follow_from_the_seed() {
        for target in bitlathe_spec::TARGETS {
            let configs = random_configs(target, 7, 12);
            assert!(configs.iter().all(legal));
            assert_eq!(configs, random_configs(target, 7, 12));
        }
    }
}
