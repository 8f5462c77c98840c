//! Configs made by program: the starter for `new`, a cover of all legal pairs of options, random ones for judging the cost model.

use bitlathe_spec::{Family, Target};
use serde_json::{Value, json};

use super::TernaryGemm;
use crate::pairwise::{OptionValues, Space};
use crate::parts::simd_add::splits;
use crate::random::Random;
use crate::room::legal;

/// A commented config for a target.
pub fn starter(target: &Target) -> String {
    let (k, m, k_max) = match target.family {
        Family::Xcup => (24, 14, 4096),
        Family::Xc7 => (24, 12, 4096),
        Family::Ecp5 => (12, 8, 2048),
        Family::Ice40 => (6, 2, 256),
    };
    format!(
        r#"# A ternary matrix product: y[t, m] = sum over k of w[m, k] * x[t, k], w in {{-1, 0, +1}}.
kind = "ternary-gemm"
name = "my-core"

[target]
name = "{}"

[shape]
k_max = {k_max}            # largest K; any K from 1 to this at run time
m_max = {k_max}            # largest M

[act]
bits = 8                # 4, 8 or 16

[parallel]
k_lanes = {k}            # activations a cycle
m_lanes = {m}            # rows a cycle; multiples of 7 fit UltraScale+ LUT memory best
batch = 1               # activation vectors that share one pass over the weights

[lookup]
style = "auto"          # lutram, mux, addsub, multiply, or the cheapest of them
group = 3               # activations of a table
tree = "fabric"         # or dsp: adders of DSP blocks, on AMD devices

[weights]
encoding = "index5"     # trit2, index5, byte5, sherry5
source = "stream"       # or resident: loaded once a job
planes = 1

[output]
kind = "int32"          # or requant, with bits, rounding, shift, per_row
"#,
        target.name
    )
}

fn all_options() -> Vec<OptionValues> {
    let v = |values: &[&str]| values.iter().map(|s| json!(s)).collect::<Vec<_>>();
    let n = |values: &[i64]| values.iter().map(|s| json!(s)).collect::<Vec<_>>();
    vec![
        ("lookup", "style", v(&["lutram", "mux", "addsub", "multiply"])),
        ("lookup", "group", n(&[2, 3, 4])),
        ("lookup", "tree", v(&["fabric", "dsp"])),
        ("weights", "encoding", v(&["trit2", "index5", "byte5", "sherry5"])),
        ("act", "bits", n(&[4, 8, 16])),
        ("parallel", "batch", n(&[1, 2, 3])),
        ("weights", "planes", n(&[1, 2])),
        ("weights", "source", v(&["stream", "resident"])),
        ("output", "kind", v(&["int32", "requant"])),
        ("output", "rounding", v(&["half-even", "half-up", "half-away", "floor", "stochastic"])),
        ("output", "bits", n(&[4, 8, 16])),
        ("output", "shift", vec![json!(0), json!(13), json!([4, 20])]),
        ("output", "per_row", vec![json!(true), json!(false)]),
        ("output", "narrow", vec![json!(false), json!(true)]),
        ("parallel", "k_lanes", n(&[5, 12])),
        ("parallel", "m_lanes", n(&[2, 3])),
    ]
}

/// All options with what decides whether they are legal together.
pub fn space() -> Space {
    Space {
        options: all_options(),
        base: |name| {
            json!({
                "kind": "ternary-gemm", "name": name, "target": {"name": "kv260"}, "shape": {"k_max": 53, "m_max": 17},
                "act": {}, "parallel": {}, "lookup": {"tree": "fabric"}, "weights": {}, "output": {},
            })
        },
        legal: legal::<TernaryGemm>,
        acts,
        decide: &["style", "group", "encoding", "batch", "planes", "kind", "per_row"],
    }
}

/// Whether an option has an effect: exact sums have no rounding, styles without tables no group.
fn acts(config: &Value, table: &str, key: &str) -> bool {
    match (table, key) {
        ("output", "kind") => true,
        ("output", _) => config["output"]["kind"] == "requant",
        ("lookup", "group") => config["lookup"]["style"] == "lutram" || config["lookup"]["style"] == "mux",
        _ => true,
    }
}

/// Sizes that [`random_configs`] draws from: lowest value and number of values.
struct Sizes {
    k_max: (u64, u64),
    m_max: (u64, u64),
    k_lanes: (u64, u64),
    m_lanes: (u64, u64),
}

/// Cores that fill a fair part of a family's devices and that Yosys maps within minutes.
fn sizes(family: Family) -> Sizes {
    match family {
        Family::Xcup | Family::Xc7 => {
            Sizes { k_max: (256, 6000), m_max: (256, 6000), k_lanes: (6, 27), m_lanes: (4, 13) }
        }
        Family::Ecp5 => Sizes { k_max: (128, 3000), m_max: (128, 3000), k_lanes: (6, 19), m_lanes: (3, 10) },
        Family::Ice40 => Sizes { k_max: (64, 500), m_max: (64, 500), k_lanes: (4, 7), m_lanes: (1, 4) },
    }
}

/// A config of realistic size, with every option in play; the common values come up more often.
pub fn random_config(target: &Target, r: &mut Random) -> Value {
    let size = sizes(target.family);
    let between = |r: &mut Random, (low, values): (u64, u64)| low + r.below(values);
    let of = |r: &mut Random, values: &[&'static str]| r.pick(values).unwrap_or_default();
    // Within the bits of the smallest product that a draw can have: beyond them the outputs would be constant.
    let low = r.below(12);
    let shift = if r.below(3) == 0 { json!([low, low + 1 + r.below(12)]) } else { json!(8 + r.below(17)) };
    let tree = if splits(target.family) { of(r, &["fabric", "fabric", "dsp"]) } else { "fabric" };
    json!({
        "target": {}, "shape": {"k_max": between(r, size.k_max), "m_max": between(r, size.m_max)},
        "act": {"bits": r.pick(&[4, 8, 8, 16]).unwrap_or(8)},
        "parallel": {
            "k_lanes": between(r, size.k_lanes), "m_lanes": between(r, size.m_lanes), "batch": r.pick(&[1, 1, 2]).unwrap_or(1),
        },
        "lookup": {"style": of(r, &["lutram", "lutram", "mux", "addsub", "multiply"]), "group": 2 + r.below(3), "tree": tree},
        "weights": {
            "encoding": of(r, &["trit2", "index5", "byte5", "sherry5"]),
            "source": of(r, &["stream", "stream", "stream", "resident"]), "planes": r.pick(&[1, 1, 1, 2]).unwrap_or(1),
        },
        "output": {
            "kind": of(r, &["int32", "int32", "requant"]), "bits": r.pick(&[4, 8, 8, 16]).unwrap_or(8), "shift": shift,
            "rounding": of(r, &["half-even", "half-up", "half-away", "floor", "stochastic"]),
            "per_row": r.below(2) == 0, "narrow": r.below(3) == 0,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pairs in which both options act, judged from the config's text and without the cover's own rule.
    fn tried(c: &Value) -> Vec<String> {
        let (requant, tables) =
            (c["output"]["kind"] == "requant", ["lutram", "mux"].map(|s| c["lookup"]["style"] == s));
        let mut live: Vec<String> = vec![];
        for (table, key, _) in all_options() {
            let dead = match key {
                "rounding" | "shift" | "per_row" | "narrow" => !requant,
                "bits" => table == "output" && !requant,
                "group" => tables == [false, false],
                _ => false,
            };
            if !dead {
                live.push(format!("{table}.{key}={}", c[table][key]));
            }
        }
        live.sort();
        let pair = |(n, a): (usize, &String)| live[n + 1..].iter().map(|b| format!("{a} {b}")).collect::<Vec<_>>();
        live.iter().enumerate().flat_map(pair).collect()
    }

    /// Draws thousands of legal configs blindly: no pair that acts in one of them may be missing from the cover.
    #[test]
    fn no_legal_config_holds_a_pair_that_the_cover_lacks() {
        let space = space();
        let covered: std::collections::BTreeSet<String> = space.cover().iter().flat_map(tried).collect();
        let mut r = Random::new(77);
        let mut drawn = 0;
        for _ in 0..20_000 {
            let c = space.config(&space.draw(&mut r), "drawn");
            if (space.legal)(&c) {
                drawn += 1;
                for pair in tried(&c) {
                    assert!(covered.contains(&pair), "{pair}");
                }
            }
        }
        assert!(drawn > 2_000, "only {drawn} of the draws are legal");
    }
}
