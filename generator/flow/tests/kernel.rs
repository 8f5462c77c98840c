//! Cores with `wrap = "kernel"`: lint, the rules of AXI by proof, and memories that Bitlathe did not write: those of cocotbext-axi run
//! whole jobs in Icarus and Verilator (testbench/cocotb/kernel.py says what they check).

use bitlathe_cores::{Core, kinds};
use bitlathe_flow::tools::Tools;
use bitlathe_flow::{generate, lint};
use clients::{catalogue, clients, complaint, judge_all, no_registers, parsed, wrapped};

#[path = "support/clients.rs"]
mod clients;

#[test]
fn kernels_are_lint_clean() {
    let tools = Tools::discover().expect("tools");
    let covers = kinds().iter().flat_map(|k| k.space().cover().into_iter().step_by(12).map(|c| wrapped(*k, c, "kernel")));
    let cores: Vec<_> = catalogue("kernel").into_iter().chain([no_registers("kernel")]).chain(covers).collect();
    judge_all(&cores, |core| {
        let rtl = generate::print(core.as_ref()).expect("prints");
        let found = lint::lint(&rtl.files, &generate::top(core.as_ref()), &tools).expect("lint runs");
        (!found.is_empty()).then(|| format!("{}: {found:?}", core.config()))
    });
}
