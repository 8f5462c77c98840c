//! Diagnostics of configs: ten mistakes at once, every kind of error, and random input.

use bitlathe_cores::kinds;
use bitlathe_spec::{Dims, TARGETS};
use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::demo::{Demo, LEGAL};
use crate::report::{Style, render};

fn attempt(text: &str, sets: &[&str]) -> Result<Config, Vec<Finding>> {
    let sets: Vec<String> = sets.iter().map(|s| s.to_string()).collect();
    configure(&[&Demo], &Source::file("core.toml", text.into()), &sets)
}

fn errors(text: &str, sets: &[&str]) -> Vec<Finding> {
    match attempt(text, sets) {
        Ok(_) => panic!("the config is taken"),
        Err(findings) => findings,
    }
}

fn shown(text: &str, sets: &[&str]) -> String {
    render(&errors(text, sets), Style::Plain)
}

fn codes(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|f| f.code).collect()
}

#[test]
fn a_legal_config_is_taken_with_its_values() {
    let config = attempt(LEGAL, &["parallel.m_lanes = 2", "output.rounding=floor", "act.bits=4"]).expect("legal");
    let json = config.core.config();
    assert_eq!(json.pointer("/parallel/m_lanes"), Some(&Json::from(2)));
    assert_eq!(json.pointer("/output/rounding"), Some(&Json::from("floor")));
    assert_eq!(json.pointer("/act/bits"), Some(&Json::from(4)));
    assert!(config.warnings.is_empty());
}

#[test]
fn ten_mistakes_are_ten_errors() {
    let text = r#"
kind = "demo"
name = ""
extra = true

[target]
name = "kv26"

[shape]
k_max = 100000
m_max = "32"

[act]
bits = 7

[parallel]
k_lane = 8
m_lanes = 4.0
batch = 8

[output]
rounding = "half_evn"
shift = [0, 24, 48]
"#;
    let findings = errors(text, &[]);
    assert_eq!(findings.len(), 11, "{:?}", codes(&findings));
    assert!(findings.iter().all(|f| f.place.is_some() && !f.help.is_empty()));
    assert_snapshot!(render(&findings, Style::Plain));
    let lines: Vec<Json> = findings.iter().map(Finding::json).collect();
    assert_snapshot!(serde_json::to_string_pretty(&lines[..3]).expect("plain data"));
}

#[test]
fn an_override_bears_the_caret() {
    assert_snapshot!(shown(LEGAL, &["act.bits=5", "parallel.k_lanes = 'x'", "shape.n_max=3", "target.name=zcu102"]));
    let finding = &errors(LEGAL, &["act.bits=5"])[0].json();
    assert_eq!((&finding["line"], &finding["source"]), (&Json::Null, &Json::from("--set act.bits=5")));
}

#[test]
fn malformed_overrides_are_refused() {
    assert_snapshot!(shown(LEGAL, &["act.bits", "act..bits=3", "=3", "act.bits=", "act.bits=[1", "name.x=1", "a b=1"]));
}

#[test]
fn syntax_errors_stand_alone() {
    assert_snapshot!(shown("kind = \"demo\"\nname = small\n[target\nname = \"kv260\"\nk_max = 8 8\n", &[]));
}

#[test]
fn the_kind_comes_first() {
    assert_snapshot!(shown("", &[]));
    assert_snapshot!(shown("kind = 3", &[]));
    assert_snapshot!(shown("kind = \"dem0\"\nbits = 3", &[]));
}

#[test]
fn missing_tables_and_keys_are_named_with_what_they_are() {
    assert_snapshot!(shown("kind = \"demo\"\nname = \"a\"\n[target]\n[shape]\nk_max = 1\n", &[]));
}

#[test]
fn numbers_beyond_their_types() {
    let text = LEGAL
        .replace("k_max = 64", "k_max = 99999999999999999999999")
        .replace("m_max = 32", "m_max = -99999999999999999999999")
        .replace("k_lanes = 8", "k_lanes = 7")
        .replace("m_lanes = 4", "m_lanes = 0xFFFFFFFFFFFFFFFFFFFF")
        .replace("shift = [0, 24]", "shift = 1e999");
    assert_snapshot!(shown(&text, &[]));
}

#[test]
fn every_type_of_value_in_every_wrong_place() {
    for wrong in
        ["1979-05-27T07:32:00Z", "07:32:00", "nan", "inf", "[[1], [2]]", "{ a = 1 }", "true", "\"8\"", "[]", "-1"]
    {
        for key in ["name", "target", "shape", "shape.k_max", "act.bits", "output.shift", "target.name"] {
            let legal = (key == "name" || key == "target.name") && wrong.starts_with('"');
            let findings = attempt(LEGAL, &[&format!("{key}={wrong}")]).err().unwrap_or_default();
            assert!(legal || !findings.is_empty(), "{key} = {wrong}");
            assert!(findings.iter().all(|f| f.place.is_some()), "{key} = {wrong}");
        }
    }
    let findings = errors("kind = \"demo\"\n[[target]]\nname = \"kv260\"\n", &[]);
    let target = findings.iter().find(|f| f.message.starts_with("`target`"));
    assert_eq!(target.map(|f| f.message.as_str()), Some("`target` is an array, expected a table"));
}

#[test]
fn a_semantic_error_shows_beside_a_broken_value_unless_it_hangs_on_it() {
    let text = LEGAL.replace("m_lanes = 4", "m_lanes = 4\nbatch = 8").replace("m_max = 32", "m_max = 0");
    assert_eq!(codes(&errors(&text, &[])), ["E013", "C003"]);
    let hangs = errors(LEGAL, &["act.bits=17", "parallel.k_lanes=64"]);
    assert_eq!(codes(&hangs), ["E014"], "64 lanes of 16 bits are too wide, of 4 bits they are not");
}

#[test]
fn warnings_stop_nothing() {
    let config = attempt(LEGAL, &["parallel.m_lanes=64"]).expect("legal");
    assert_eq!(codes(&config.warnings), ["C004"]);
    assert!(config.warnings[0].warning);
}

#[test]
fn a_value_that_is_not_written_is_shown_at_its_table() {
    let text = LEGAL.replace("k_lanes = 8", "k_lanes = 64").replace("bits", "") + "\n[act]\nbits = 16\n";
    let finding = &errors(&text, &[])[0];
    assert_eq!(finding.place.as_ref().map(|p| p.text()), Some("64"));
}

/// The paths of all values that a kind's schema knows, such as `parallel.k_lanes`, each with its largest value if it has one.
fn keys(schema: &Json) -> Vec<(String, Option<u64>)> {
    let inside = |key: &String, table: &Json| -> Vec<(String, Option<u64>)> {
        let table = table["$ref"].as_str().and_then(|r| schema.pointer(r.trim_start_matches('#'))).unwrap_or(table);
        let largest = |value: &Json| value["maximum"].as_u64();
        match table["properties"].as_object() {
            Some(values) => values.iter().map(|(name, value)| (format!("{key}.{name}"), largest(value))).collect(),
            None => vec![(key.clone(), largest(table))],
        }
    };
    schema["properties"].as_object().into_iter().flatten().flat_map(|(key, table)| inside(key, table)).collect()
}

/// Calls everything that a command asks of a core before it simulates or synthesizes, with the largest job that it takes.
fn exercise(core: &dyn Core) {
    let interface = core.interface();
    let largest: Dims = interface.sizes.iter().map(|s| (s.name.clone(), s.max)).collect();
    let smallest: Dims = interface.sizes.iter().map(|s| (s.name.clone(), s.min)).collect();
    assert!(core.schedule(&smallest) <= core.schedule(&largest), "{}", core.config());
    assert!(core.useful_ops(&smallest) <= core.useful_ops(&largest), "{}", core.config());
    for stream in &interface.streams {
        assert!(stream.layout.beats(&largest).is_ok(), "{}: {}", core.config(), stream.name);
    }
    let (_, _, _) = (core.about(), core.ranges(), core.cost(core.target().family));
    core.rtl().unwrap_or_else(|e| panic!("{}: {e}", core.config()));
}

#[test]
fn the_largest_shapes_hold_together() {
    for kind in kinds() {
        let known = keys(&kind.schema());
        let largest = known.iter().filter(|(key, _)| key.starts_with("shape."));
        let sets: Vec<String> = largest.filter_map(|(key, value)| value.map(|v| format!("{key}={v}"))).collect();
        assert!(!sets.is_empty(), "{} has no shape", kind.name());
        let source = Source::file("core.toml", kind.starter(&TARGETS[0]));
        for lanes in [&["parallel.k_lanes=6", "parallel.m_lanes=1"][..], &[]] {
            let own = |set: &&&str| known.iter().any(|(key, _)| set.starts_with(&format!("{key}=")));
            let sets: Vec<String> =
                sets.iter().cloned().chain(lanes.iter().filter(own).map(|s| s.to_string())).collect();
            let config = configure(kinds(), &source, &sets).map_err(|f| render(&f, Style::Plain));
            exercise(config.unwrap_or_else(|text| panic!("{sets:?}: {text}")).core.as_ref());
        }
    }
}

/// Text for a value: numbers at every edge, names, lists, and what is no TOML.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => (0i64..70).prop_map(|n| n.to_string()),
        2 => (0u32..63, -1i64..2).prop_map(|(bit, more)| ((1i64 << bit) + more).to_string()),
        1 => any::<i64>().prop_map(|n| n.to_string()),
        1 => any::<f64>().prop_map(|n| format!("{n:?}")),
        1 => (0u8..60, 0u8..60).prop_map(|(low, high)| format!("[{low}, {high}]")),
        4 => "(auto|lutram|mux|addsub|multiply|trit2|index5|byte5|sherry5|stream|resident|int32|requant|half-even|floor)",
        1 => "(true|false|stochastic|fabric|dsp|kv260|ecp5-85f|ice40)",
        1 => ".{0,12}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// The real kinds with many values changed at once: refused with a reason, or a core that holds together.
    #[test]
    fn real_configs_are_refused_or_hold_together(
        target in 0..TARGETS.len(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), value()), 1..7),
    ) {
        for kind in kinds() {
            let keys = keys(&kind.schema());
            let sets: Vec<String> =
                changes.iter().map(|(key, value)| format!("{}={value}", keys[key.index(keys.len())].0)).collect();
            let source = Source::file("core.toml", kind.starter(&TARGETS[target]));
            match configure(kinds(), &source, &sets) {
                Ok(config) => exercise(config.core.as_ref()),
                Err(findings) => prop_assert!(findings.iter().any(|f| !f.warning), "{sets:?}"),
            }
        }
    }

    /// The text of a real config with a piece replaced, read from a file of any bytes.
    #[test]
    fn damaged_real_files_are_taken_or_explained(
        at in any::<prop::sample::Index>(),
        cut in 0..60usize,
        put in proptest::collection::vec(any::<u8>(), 0..9),
    ) {
        for kind in kinds() {
            let mut bytes = kind.starter(&TARGETS[0]).into_bytes();
            let at = at.index(bytes.len());
            let end = (at + cut).min(bytes.len());
            bytes.splice(at..end, put.clone());
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("core.toml");
            std::fs::write(&path, bytes).expect("writable");
            match load(kinds(), &path, &[]) {
                Ok(config) => exercise(config.core.as_ref()),
                Err(failure) => prop_assert!(!render(&failure.findings, Style::Plain).is_empty()),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        let findings = errors(&text, &[]);
        prop_assert!(!render(&findings, Style::Terminal).is_empty());
    }

    #[test]
    fn damaged_configs_are_taken_or_explained(at in 0..LEGAL.len(), cut in 0..40usize, put in "[ -~\n]{0,12}") {
        let end = (at + cut).min(LEGAL.len());
        let text = format!("{}{put}{}", &LEGAL[..at], &LEGAL[end..]);
        if let Err(findings) = attempt(&text, &[]) {
            prop_assert!(findings.iter().any(|f| !f.warning));
            prop_assert!(!render(&findings, Style::Plain).is_empty());
        }
    }

    #[test]
    fn random_overrides_never_panic(argument in "[a-z.=\\[\\]{}\"' 0-9-]{0,30}", key in "(act.bits|shape|output.shift|name)", value in ".{0,20}") {
        let _ = attempt(LEGAL, &[&argument]);
        if let Err(findings) = attempt(LEGAL, &[&format!("{key}={value}")]) {
            prop_assert!(!render(&findings, Style::Plain).is_empty());
        }
    }
}
