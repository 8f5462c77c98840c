//! Configs made by program: the starter for `new`, a cover of all legal pairs of options, random ones for judging the cost model.

use bitlathe_spec::{Family, Target};
use serde_json::{Value, json};

use super::Softmax;
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
table = "logic"         # or block: the table of exp-table in block memory

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
        ("method", "table", v(&["logic", "block"])),
        ("method", "n", vec![Value::Null, json!(5)]),
    ]
}

/// All options with what decides whether they are legal together.
pub fn space() -> Space {
    Space {
        // Lanes, bits and the longest row begin with values that are legal with everything.
        options: all_options(),
        base: |name| {
            json!({
                "kind": "softmax", "name": name, "target": {"name": "kv260"}, "shape": {},
                "input": {}, "parallel": {}, "method": {}, "passes": {}, "output": {},
            })
        },
        legal: legal::<Softmax>,
        acts,
        decide: &["name", "count", "scale", "kind", "n"],
    }
}

/// Whether the method reads an option.
fn acts(config: &Value, table: &str, key: &str) -> bool {
    let name: Result<MethodName, _> = serde_json::from_value(config["method"]["name"].clone());
    name.is_ok_and(|n| n.reads(&format!("{table}.{key}")))
}

/// A config of realistic size.
pub fn random_config(_: &Target, r: &mut Random) -> Value {
    let space = space();
    let mut c = space.config(&space.draw(r), "");
    c["shape"]["n_max"] = json!(256 + r.below(3840));
    c["parallel"]["lanes"] = json!(1u64 << (2 + r.below(4)));
    c
}
