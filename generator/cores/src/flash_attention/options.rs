//! Configs made by program: the starter for `new`, a cover of all legal pairs of options, random ones for judging the cost model.

use bitlathe_spec::{Family, Target};
use serde_json::{Value, json};

use super::FlashAttention;
use crate::pairwise::{OptionValues, Space};
use crate::random::Random;
use crate::room::legal;

/// A commented config for a target.
pub fn starter(target: &Target) -> String {
    let (n, cell, bits, frac, d_max) = match target.family {
        Family::Xcup | Family::Xc7 => (16, "dsp", 16, 12, 128),
        Family::Ecp5 => (8, "dsp", 16, 12, 64),
        Family::Ice40 => (4, "lut", 8, 4, 32),
    };
    format!(
        r#"# Attention: o = softmax(q k^T / sqrt(d)) v, both products on one array, head by head.
kind = "flash-attention"
name = "my-attention"

[target]
name = "{}"

[shape]
d_max = {d_max}             # most columns of a head
l_max = 4096            # most queries or keys of a head
heads_max = 32          # most query heads

[array]
n = {n}                  # cells along a side: 4, 8, 16 or 32
cell = "{cell}"            # dsp or lut
resident_rows = 1       # blocks of n queries that one walk over k and v serves: 1, 2, 4 or 8

[input]
bits = {bits}               # 8 or 16
frac = {frac}               # fraction bits of q, k and v

[softmax]
p_bits = 16             # bits of a probability, 8 to 16

[output]
bits = 16               # 8, 16 or 32
frac = 13               # fraction bits of o

[mask]
causal = false          # true: a job may ask that query i sees key j iff j <= i + Lk - Lq
"#,
        target.name
    )
}

fn all_options() -> Vec<OptionValues> {
    let n = |values: &[i64]| values.iter().map(|s| json!(s)).collect::<Vec<_>>();
    let v = |values: &[&str]| values.iter().map(|s| json!(s)).collect::<Vec<_>>();
    vec![
        ("array", "n", n(&[4, 8])),
        ("array", "cell", v(&["dsp", "lut"])),
        ("array", "resident_rows", n(&[1, 2, 4])),
        ("input", "bits", n(&[16, 8])),
        ("input", "frac", n(&[4, 0, 12])),
        ("softmax", "p_bits", n(&[16, 8, 11])),
        ("output", "bits", n(&[32, 16, 8])),
        ("output", "frac", n(&[7, 0, 13])),
        ("shape", "d_max", n(&[20, 1, 64])),
        ("shape", "l_max", n(&[90, 16, 1000])),
        ("shape", "heads_max", n(&[6, 1])),
        ("mask", "causal", vec![json!(false), json!(true)]),
        ("target", "name", v(&["kv260", "ecp5-85f"])),
    ]
}

/// All options with what decides whether they are legal together.
pub fn space() -> Space {
    Space {
        options: all_options(),
        base: |name| {
            json!({
                "kind": "flash-attention", "name": name, "target": {}, "shape": {}, "array": {}, "input": {}, "softmax": {},
                "output": {}, "mask": {},
            })
        },
        legal: legal::<FlashAttention>,
        acts: |_, _, _| true,
        decide: &["bits", "frac", "causal", "resident_rows"],
    }
}

/// A config of realistic size.
pub fn random_config(_: &Target, r: &mut Random) -> Value {
    let space = space();
    let mut c = space.config(&space.draw(r), "");
    c["shape"]["d_max"] = json!(32u64 << r.below(3));
    c["shape"]["l_max"] = json!(512u64 << r.below(4));
    c["array"]["n"] = json!(4u64 << r.below(2));
    c
}
