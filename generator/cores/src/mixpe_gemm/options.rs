//! Configs made by program: the starter for `new`, a cover of all legal pairs of options, random ones for judging the cost model.

use bitlathe_spec::{Family, Target};
use serde_json::{Value, json};

use super::MixpeGemm;
use super::array::{Kernel, kernels};
use crate::pairwise::{OptionValues, Space};
use crate::random::Random;
use crate::room::legal;

/// A commented config for a target.
pub fn starter(target: &Target) -> String {
    let (rows, cols, k_max) = match target.family {
        Family::Xcup | Family::Xc7 => (16, 16, 4096),
        Family::Ecp5 => (8, 8, 2048),
        Family::Ice40 => (8, 2, 256),
    };
    let names: Vec<&str> = kernels().iter().filter(|k| k.exists_on(target.family)).map(|k| k.name()).collect();
    format!(
        r#"# A matrix product with four-bit weights: y[t, m] = sum over k of x[t, k] * (w[m, k] - z[m, g]) * s[m, g], g the group of k.
kind = "mixpe-gemm"
name = "my-core"

[target]
name = "{}"

[shape]
k_max = {k_max}            # largest K; any K from 1 to this at run time
m_max = {k_max}            # largest M
t_block = 512           # activation rows that pass a weight tile

[act]
bits = 8                # 8 or 16

[array]
rows = {rows:<16} # activations that enter together; they divide the group
cols = {cols:<16} # outputs that leave together
kernel = "auto"         # {}
prefer = "lut"          # or dsp: what auto builds cells of

[weights]
group = 128             # columns that share a zero point and a scale: 32, 64 or 128

[output]
kind = "exact"          # or requant, with bits, rounding, shift, per_row, narrow
"#,
        target.name,
        names.join(", ")
    )
}

fn kernel_options() -> Vec<Value> {
    kernels().iter().map(|k| json!(k.name())).collect()
}

fn all_options() -> Vec<OptionValues> {
    let v = |values: &[&str]| values.iter().map(|s| json!(s)).collect::<Vec<_>>();
    let n = |values: &[i64]| values.iter().map(|s| json!(s)).collect::<Vec<_>>();
    vec![
        ("array", "kernel", kernel_options()),
        ("act", "bits", n(&[8, 16])),
        ("weights", "group", n(&[32, 64, 128])),
        ("array", "rows", n(&[8, 4, 32])),
        ("array", "cols", n(&[3, 1, 4])),
        ("shape", "t_block", n(&[5, 1, 40])),
        ("output", "kind", v(&["exact", "requant"])),
        ("output", "rounding", v(&["half-even", "half-up", "half-away", "floor", "stochastic"])),
        ("output", "bits", n(&[4, 8, 16])),
        ("output", "shift", vec![json!(0), json!(29), json!([4, 36])]),
        ("output", "per_row", vec![json!(true), json!(false)]),
        ("output", "narrow", vec![json!(false), json!(true)]),
    ]
}

/// All options with what decides whether they are legal together.
pub fn space() -> Space {
    Space {
        options: all_options(),
        base: |name| {
            json!({
                "kind": "mixpe-gemm", "name": name, "target": {"name": "kv260"}, "shape": {"k_max": 300, "m_max": 13},
                "act": {}, "array": {}, "weights": {}, "output": {},
            })
        },
        legal: legal::<MixpeGemm>,
        acts,
        decide: &["kernel", "kind", "bits"],
    }
}

/// Whether an option has an effect: exact sums have no rounding.
fn acts(config: &Value, table: &str, key: &str) -> bool {
    table != "output" || key == "kind" || config["output"]["kind"] == "requant"
}

/// Cores that Yosys maps within a minute or two: rows, and the fewest columns with how many counts there are.
fn sizes(family: Family) -> ([u64; 3], (u64, u64)) {
    match family {
        Family::Xcup | Family::Xc7 => ([8, 16, 32], (2, 5)),
        Family::Ecp5 => ([4, 8, 16], (2, 4)),
        Family::Ice40 => ([4, 4, 8], (1, 2)),
    }
}

/// A config of realistic size, with every option in play; the common values come up more often.
pub fn random_config(target: &Target, r: &mut Random) -> Value {
    let (rows, (least_cols, cols)) = sizes(target.family);
    let of = |r: &mut Random, values: &[&'static str]| r.pick(values).unwrap_or_default();
    let exist: Vec<&dyn Kernel> = kernels().iter().copied().filter(|k| k.exists_on(target.family)).collect();
    let kernel = r.pick(&exist).map_or("", |k| k.name());
    // Within the bits of the smallest product that a draw can have: beyond them the outputs would be constant.
    let low = r.below(12);
    let shift = if r.below(3) == 0 { json!([low, low + 1 + r.below(12)]) } else { json!(12 + r.below(20)) };
    json!({
        "target": {}, "shape": {
            "k_max": 128 + r.below(4000), "m_max": 128 + r.below(4000), "t_block": r.pick(&[64, 256, 512]).unwrap_or(256),
        },
        "act": {"bits": r.pick(&[8, 8, 16]).unwrap_or(8)},
        "array": {"rows": r.pick(&rows).unwrap_or(8), "cols": least_cols + r.below(cols), "kernel": kernel},
        "weights": {"group": r.pick(&[32, 64, 128, 128]).unwrap_or(128)},
        "output": {
            "kind": of(r, &["exact", "exact", "requant"]), "bits": r.pick(&[4, 8, 8, 16]).unwrap_or(8), "shift": shift,
            "rounding": of(r, &["half-even", "half-up", "half-away", "floor", "stochastic"]),
            "per_row": r.below(2) == 0, "narrow": r.below(3) == 0,
        },
    })
}
