//! `ternary-gemm` under Verilator: every legal pair of options against the golden model, under every stall pattern.

use bitlathe_cores::{Core, Kind, kinds};
use bitlathe_flow::sim::{Options, Simulator};
use bitlathe_flow::tools::Tools;
use bitlathe_flow::verify::{VerifyOptions, verify};
use bitlathe_flow::{generate, lint};
use rayon::prelude::*;
use serde_json::Value;

fn kind() -> &'static dyn Kind {
    *kinds().iter().find(|k| k.name() == "ternary-gemm").expect("the kind is registered")
}

fn core(config: &Value) -> Box<dyn Core> {
    kind().configure(config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
}

fn check(config: &Value, tools: &Tools) -> Result<(), String> {
    let core = core(config);
    let fail = |e: &dyn std::fmt::Display| format!("{config}\n{e}");
    let rtl = generate::print(core.as_ref()).map_err(|e| fail(&e))?;
    let simulator = Simulator::build(&core.interface(), &rtl.files, tools, Options::default()).map_err(|e| fail(&e))?;
    let options = VerifyOptions { jobs: 6, seed: 11, threads: Some(1), command: String::new(), waves: None };
    let report = verify(core.as_ref(), &simulator, &options, &|_, _| ()).map_err(|e| fail(&e))?;
    if report.passed() {
        Ok(())
    } else {
        Err(fail(&report.failures.first().map_or("coverage is not filled".into(), ToString::to_string)))
    }
}

#[test]
fn every_legal_pair_of_options_equals_the_model() {
    let tools = Tools::discover().expect("tools");
    let failures: Vec<String> = kind().legal_pairs().par_iter().filter_map(|c| check(c, &tools).err()).collect();
    assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn generated_verilog_is_lint_clean() {
    let tools = Tools::discover().expect("tools");
    let messages: Vec<String> = kind()
        .legal_pairs()
        .par_iter()
        .step_by(4)
        .flat_map_iter(|c| {
            let core = core(c);
            let rtl = generate::print(core.as_ref()).expect("prints");
            let found = lint::lint(&rtl.files, &core.interface().top, &tools).expect("lint runs");
            found.into_iter().map(|m| format!("{c}: {m:?}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(messages.is_empty(), "{}", messages.join("\n"));
}
