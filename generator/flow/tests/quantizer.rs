//! `quantizer`: sizes, and hardware that was broken on purpose.

use bitlathe_cores::{Core, kinds};
use serde_json::{Value, json};

#[path = "support/broken.rs"]
mod broken;
#[path = "support/sizes.rs"]
mod sizes;

use broken::broken;
use sizes::assert_same_but_for_sizes;

/// A core of a method with lanes and the longest row.
fn core(name: &str, method: &str, lanes: u64, c_max: u64) -> Box<dyn Core> {
    let method: Value =
        if method == "per channel" { json!({"name": "requant", "per_channel": true}) } else { json!({"name": method}) };
    let kind = kinds().iter().find(|k| k.name() == "quantizer").expect("the kind is registered");
    let config = json!({
        "kind": "quantizer", "name": name, "target": {"name": "kv260"}, "shape": {"c_max": c_max},
        "input": {"bits": 16}, "parallel": {"lanes": lanes}, "method": method, "output": {},
    });
    kind.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
}

#[test]
fn two_sizes_differ_in_parameter_defaults_banner_and_top_name_only() {
    for method in ["requant", "per channel", "stochastic", "dual-scale", "iqr", "absmax", "pot", "ovp"] {
        let (small, large) = (core("sized_small", method, 16, 77), core("sized_large", method, 128, 4096));
        assert_same_but_for_sizes(small.as_ref(), large.as_ref());
    }
}

#[test]
fn a_wrong_rounding_is_reported_with_its_operands() {
    let requant = core("broken", "requant", 4, 77);
    let report = broken(requant.as_ref(), "requantize_half_even.v", "sticky | nearby[0]", "1'b1");
    for part in ["y[", "expected", "got", "x[", "mult of channel", "to repeat: verify --jobs ", "wave: "] {
        assert!(report.contains(part), "no `{part}` in:\n{report}");
    }
}

/// A row that never ends leaves its maximum unknown, and the elements behind it wait.
#[test]
fn a_row_without_an_end_names_the_blocked_stream() {
    let report =
        broken(core("broken", "absmax", 4, 77).as_ref(), "row_walk.v", "assign end_o = ", "assign end_o = 1'b0 & ");
    assert!(report.contains("`x`") || report.contains("`y`"), "{report}");
}
