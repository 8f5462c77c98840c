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
        r#"# Softmax over rows: y[r, c] = exp(scale * x[r, c]) / sum of its row, in 2^-8.
kind = "softmax"
name = "my-softmax"

[target]
name = "{}"

[shape]
n_max = 256             # longest row; any length from 1 to this at run time

[input]
bits = 8                # bits of a logit: 8, 16 or 32
scale = 0.05            # real value of one step, or "runtime"

[parallel]
lanes = {lanes}              # elements a cycle

[method]
name = "exp-table"      # exp-table, base2, pwl, linmax-plus, linmax, ibert, shiftmax or itamax
fraction_bits = 18      # width W of exp-table, base2, pwl and linmax-plus

[passes]
count = 3               # 2 or 1 with base2, 2 with itamax

[output]
kind = "u8"             # u8, u16, log2-4 or raw
"#,
        target.name
    )
}

fn all_options() -> Vec<OptionValues> {
    let v = |values: &[&str]| values.iter().map(|s| json!(s)).collect::<Vec<_>>();
    let n = |values: &[i64]| values.iter().map(|s| json!(s)).collect::<Vec<_>>();
    vec![
        ("method", "name", v(&["exp-table", "base2", "linmax", "linmax-plus", "pwl", "ibert", "shiftmax", "itamax"])),
        ("passes", "count", n(&[3, 2, 1])),
        ("output", "kind", v(&["u8", "u16", "log2-4", "raw"])),
        ("input", "bits", n(&[8, 16, 32])),
        (
            "input",
            "scale",
            vec![json!(0.05), json!(0.0866), json!(0.0433), json!(0.02166), json!(0.7), json!("runtime")],
        ),
        ("parallel", "lanes", n(&[16, 1, 3, 4])),
        ("shape", "n_max", n(&[70, 19, 300])),
        ("method", "segments", n(&[4, 1, 2, 8])),
        ("method", "fraction_bits", n(&[18, 8, 24])),
        ("method", "line", vec![json!(false), json!(true)]),
        ("method", "n", vec![Value::Null, json!(5)]),
    ]
}

/// All options with what decides whether they are legal together.
pub fn space() -> Space<'static> {
    Space {
        // Lanes, bits and the longest row begin with values that are legal with everything.
        options: all_options(),
        base: |name| {
            json!({
                "kind": "softmax", "name": name, "target": {"name": "kv260"}, "shape": {},
                "input": {}, "parallel": {}, "method": {}, "passes": {}, "output": {},
            })
        },
        legal: &legal,
        acts,
        decide: &["name", "count", "scale", "kind"],
    }
}

fn legal(c: &Value) -> bool {
    serde_json::from_value::<Config>(c.clone()).is_ok_and(|c| c.derive().is_ok())
}

/// Whether the method reads an option.
fn acts(config: &Value, table: &str, key: &str) -> bool {
    let name: Result<MethodName, _> = serde_json::from_value(config["method"]["name"].clone());
    name.is_ok_and(|n| n.reads(&format!("{table}.{key}")))
}

/// Configs that together try every pair of option values that some legal config tries.
pub fn legal_pairs() -> Vec<Value> {
    space().cover()
}

/// Legal configs of realistic size.
pub fn random_configs(target: &Target, seed: u64, count: usize) -> Vec<Value> {
    let (space, mut r) = (space(), Random::new(seed));
    let mut out = vec![];
    while out.len() < count {
        let mut c = space.config(&space.draw(&mut r), &format!("random{}", out.len()));
        c["target"]["name"] = json!(target.name);
        c["shape"]["n_max"] = json!(256 + r.below(3840));
        c["parallel"]["lanes"] = json!(1u64 << (2 + r.below(4)));
        if legal(&c) {
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
        for method in ["exp-table", "base2", "linmax", "linmax-plus", "pwl", "ibert", "shiftmax", "itamax"] {
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
