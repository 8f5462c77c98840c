//! A configured core against its golden model and schedule: corner and random jobs under every stall pattern.

use bitlathe_cores::Core;
use bitlathe_flow::generate;
use bitlathe_flow::sim::Simulator;
use bitlathe_flow::tools::Tools;
use bitlathe_flow::verify::{VerifyOptions, verify};

/// The first failure, with the config.
pub fn check(core: &dyn Core, tools: &Tools) -> Result<(), String> {
    let fail = |e: &dyn std::fmt::Display| format!("{}\n{e}", core.config());
    let rtl = generate::print(core).map_err(|e| fail(&e))?;
    let simulator = Simulator::build(&core.interface(), &rtl.files, tools, rtl.simulation()).map_err(|e| fail(&e))?;
    let options = VerifyOptions { jobs: 6, seed: 11, threads: Some(1), command: String::new(), waves: None };
    let report = verify(core, &simulator, &options, &|_, _| ()).map_err(|e| fail(&e))?;
    match report.failures.first() {
        _ if report.passed() => Ok(()),
        Some(failure) => Err(fail(failure)),
        None => Err(fail(&"coverage is not filled")),
    }
}
