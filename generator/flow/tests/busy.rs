//! When streams and units of a core were busy, as `sim --gantt` draws it: held against the beats of the job, with and without stalls.

use std::path::Path;

use bitlathe_cores::{Core, kinds};
use bitlathe_flow::generate;
use bitlathe_flow::sim::{Busy, Simulator, StallMode, Stalls, Wave, scopes};
use bitlathe_flow::tools::Tools;
use rayon::prelude::*;
use serde_json::{Value, json};

/// The catalogue's core of a kind, with values of its config replaced.
fn core(kind: &str, sets: &[(&str, Value)]) -> Box<dyn Core> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ip").join(kind).join("core.toml");
    let text = std::fs::read_to_string(path).expect("the catalogue's config");
    let mut config: Value = toml::from_str(&text).expect("TOML");
    for (table, value) in sets {
        config[*table] = value.clone();
    }
    let kind = kinds().iter().find(|k| k.name() == kind).expect("registered");
    kind.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
}

/// The cycles of a phase and its longest span.
fn cycles(busy: &[Busy], unit: &str, phase: &str) -> (u64, u64) {
    let found = busy.iter().find(|b| b.unit == unit && b.phase == phase);
    let found = found.unwrap_or_else(|| panic!("no {unit}, {phase} in {busy:?}"));
    (found.cycles(), found.spans.iter().map(|(from, to)| to - from).max().unwrap_or(0))
}

fn beats(busy: &[Busy], stream: &str) -> u64 {
    cycles(busy, stream, "beats").0
}

/// Streams and units of a random job.
fn busy(core: &dyn Core, stalls: Stalls) -> (Vec<Busy>, u64) {
    let rtl = generate::print(core).expect("prints");
    let tools = Tools::discover().expect("tools");
    let simulator = Simulator::build(&core.interface(), &rtl.files, &tools, rtl.simulation()).expect("builds");
    let activities = core.activities();
    let (folder, scopes) = (tempfile::tempdir().expect("a folder"), scopes(&activities));
    let path = folder.path().join("units.fst");
    let job = core.random_job(7);
    let encode = |code: &str, values: &[i64]| core.encode(code, values);
    let wave = Wave { scopes: &scopes, ..Wave::whole(&path) };
    let run = simulator.run(&job, &encode, stalls, Some(wave)).expect("finishes");
    let busy = simulator.busy(&run, Some(&path), &activities).expect("every signal is there");
    for stream in busy.iter().filter(|b| b.is_stream) {
        assert_eq!(stream.cycles(), run.beats[&stream.unit], "{}", stream.unit);
    }
    assert!(busy.iter().flat_map(|b| &b.spans).all(|(from, to)| from < to && *to <= run.cycles));
    (busy, run.cycles)
}

#[test]
fn units_are_busy_as_often_as_beats_ask_for_it() {
    let absmax =
        [("input", json!({ "bits": 16 })), ("method", json!({ "name": "absmax" })), ("output", json!({ "bits": 8 }))];
    let cores = [
        core("flash-attention", &[]),
        core("mixpe-gemm", &[]),
        core("ternary-gemm", &[]),
        core("softmax", &[]),
        core("quantizer", &absmax),
    ];
    let both = Stalls { mode: StallMode::Both, seed: 3 };
    cores.par_iter().for_each(|core| {
        for stalls in [Stalls::NONE, both] {
            let (busy, all) = busy(core.as_ref(), stalls);
            let divided =
                || cycles(&busy, "divider", if core.kind() == "flash-attention" { "reciprocals" } else { "scales" });
            match core.kind() {
                "flash-attention" => {
                    assert_eq!(cycles(&busy, "array", "Q K^T").0, beats(&busy, "k"));
                    assert_eq!(cycles(&busy, "array", "P V").0, beats(&busy, "v"));
                    assert!((1..all).contains(&cycles(&busy, "softmax", "scores to probabilities").0));
                    assert!(divided().0 > 0);
                }
                "mixpe-gemm" => {
                    assert_eq!(cycles(&busy, "array", "rows of activations").0, beats(&busy, "x"));
                }
                "ternary-gemm" => {
                    assert_eq!(cycles(&busy, "rows", "slabs").0, beats(&busy, "w"));
                    assert!((1..all).contains(&cycles(&busy, "tables", "fill").0));
                }
                // A bit of the quotient a cycle.
                _ => assert!(divided().1 >= 8, "{:?}", divided()),
            }
        }
    });
}

#[test]
fn a_signal_that_a_wave_lacks_is_an_error() {
    let core = core("softmax", &[]);
    let rtl = generate::print(core.as_ref()).expect("prints");
    let tools = Tools::discover().expect("tools");
    let simulator = Simulator::build(&core.interface(), &rtl.files, &tools, rtl.simulation()).expect("builds");
    let mut activities = core.activities();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("units.fst");
    let scopes = scopes(&activities);
    let encode = |code: &str, values: &[i64]| core.encode(code, values);
    let wave = Wave { scopes: &scopes, ..Wave::whole(&path) };
    let run = simulator.run(&core.random_job(1), &encode, Stalls::NONE, Some(wave)).expect("finishes");
    activities[0].signals = vec!["u_scale.no_such".into()];
    let error = simulator.busy(&run, Some(&path), &activities).expect_err("it is not recorded").to_string();
    assert!(error.contains("u_scale.no_such"), "{error}");
}
