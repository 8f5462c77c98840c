//! Proves with Yosys: that two modules compute the same, and that a module's assertions hold.
//!
//! `prove_equal` serves macros that exist as vendor primitives and as behavioural Verilog; vendor primitives get the
//! simulation models of the Yosys library. `DSP48E2` has none there: prove such a macro in its `DSP48E1` form.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use bitlathe_spec::SourceFile;

use super::run::Run;
use super::{SynthError, check_names};
use crate::process;
use crate::sources::write_sources;
use crate::tools::Tools;

/// Time for one proof.
const LIMIT: Duration = Duration::from_secs(1800);
/// Longest induction that is tried.
const MAX_STEPS: u32 = 40;
/// The module that compares the two circuits.
const MITER: &str = "bitlathe_miter";

/// A module with parameter values.
#[derive(Clone, Copy, Debug)]
pub struct Circuit<'a> {
    /// Module name.
    pub top: &'a str,
    /// Values for its parameters.
    pub parameters: &'a [(&'a str, i64)],
}

/// In which state both circuits start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Any; the outputs count from this cycle on, which is the latency of a pipeline without feedback. 0 for combinational
    /// circuits.
    Any {
        /// Cycles whose outputs are not compared.
        ignore: u32,
    },
    /// All registers zero.
    Zero,
    /// All registers zero, and only so many cycles are looked at: for circuits that may stand still for any time, where
    /// equal outputs say nothing of the state and induction cannot close.
    ZeroFor {
        /// Cycles from the start.
        cycles: u32,
    },
}

/// The method of `prove_formal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormalMode {
    /// Every run of that many cycles from the initial state; finds faults, proves no more than the depth.
    Bmc,
    /// Bounded check and induction: proves the assertions for all time.
    Induction,
}

/// The answer of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It holds (under [`FormalMode::Bmc`]: for the given depth).
    Proven,
    /// It does not; the counterexample as the tool shows it.
    Refuted(String),
    /// Neither was shown; the reason.
    Unknown(String),
}

/// Whether two modules with the same ports give the same outputs for all inputs, cycle by cycle.
pub fn prove_equal(
    files: &[SourceFile],
    gold: Circuit,
    gate: Circuit,
    start: Start,
    tools: &Tools,
) -> Result<Verdict, SynthError> {
    for circuit in [gold, gate] {
        check_names(circuit.parameters.iter().map(|(n, _)| *n).chain([circuit.top]))?;
    }
    let folder = tempfile::tempdir()?;
    let sources = write_sources(files, folder.path())?;
    let run = Run::new(tools, folder.path(), LIMIT);
    let library = library(files);
    let mut script = elaborate(&sources, library, gold, "gold") + &elaborate(&sources, library, gate, "gate");
    let _ = writeln!(
        script,
        "design -reset\nread_rtlil gold.il\nread_rtlil gate.il\n\
         miter -equiv -flatten -make_assert -make_outputs gold gate {MITER}\nhierarchy -top {MITER}\n\
         opt_clean\ntee -q -o registers.txt select -list t:$*ff* t:$*latch*"
    );
    run.yosys("elaborate", &(script + "write_rtlil miter.il\n"))?;
    let sequential = !fs::read_to_string(folder.path().join("registers.txt"))?.trim().is_empty();
    let mut sat = String::from("sat -prove-asserts -show-ports");
    match start {
        Start::ZeroFor { cycles } => {
            let _ = write!(sat, " -tempinduct-baseonly -maxsteps {cycles}");
        }
        _ if sequential => {
            let _ = write!(sat, " -tempinduct -maxsteps {MAX_STEPS}");
        }
        _ => {}
    }
    match start {
        Start::Any { ignore: 0 } => {}
        Start::Any { ignore } => {
            let _ = write!(sat, " -seq {ignore}");
        }
        Start::Zero | Start::ZeroFor { .. } => sat.push_str(" -set-init-zero"),
    }
    run.yosys("prove", &format!("read_rtlil miter.il\ntee -o sat.txt {sat}\n"))?;
    Ok(sat_verdict(&fs::read_to_string(folder.path().join("sat.txt"))?))
}

/// Models of the vendor whose cells the sources instantiate; the libraries share names such as `LUT4`, so only one is read.
fn library(files: &[SourceFile]) -> &'static str {
    if files.iter().any(|f| f.text.contains("CCU2C #(")) { "+/ecp5/cells_sim.v" } else { "+/xilinx/cells_sim.v" }
}

/// Elaborates one circuit down to gates of the Yosys library and keeps it as `<name>.il`. Cells of the vendor library are
/// read after the sources: a module of the design wins.
fn elaborate(sources: &[String], library: &str, circuit: Circuit, name: &str) -> String {
    let parameters: Vec<(String, i64)> = circuit.parameters.iter().map(|(n, v)| (n.to_string(), *v)).collect();
    let mut script = String::from("design -reset\nread_verilog -defer -nooverwrite");
    for source in sources {
        let _ = write!(script, " \"{source}\"");
    }
    let _ = write!(script, "\nread_verilog -defer -nooverwrite {library}\nhierarchy -check -top {}", circuit.top);
    for (parameter, value) in parameters {
        let _ = write!(script, " -chparam {parameter} {value}");
    }
    script
        + &format!(
            "\nrename -top {name}\nproc\nflatten\nopt -full\nasync2sync\nmemory -nordff\nmemory_map\ndffunmap\nopt_clean\n\
             rename -top {name}\nselect {name}\nwrite_rtlil -selected {name}.il\nselect -clear\n"
        )
}

/// Reads what `sat` printed.
fn sat_verdict(text: &str) -> Verdict {
    if text.contains("SUCCESS!") {
        return Verdict::Proven;
    }
    match text.find("FAIL!") {
        Some(at) => {
            let lines = text[at..].lines().skip(1).map(str::trim_end).filter(|l| !l.is_empty());
            Verdict::Refuted(lines.take_while(|l| !l.starts_with("Warning")).take(60).collect::<Vec<_>>().join("\n"))
        }
        None => Verdict::Unknown(process::tail(text)),
    }
}

/// Whether the immediate assertions in the design under `top` hold, its `assume`s granted.
pub fn prove_formal(
    files: &[SourceFile],
    top: &str,
    mode: FormalMode,
    depth: u32,
    tools: &Tools,
) -> Result<Verdict, SynthError> {
    check_names([top])?;
    let folder = tempfile::tempdir()?;
    let sources = write_sources(files, folder.path())?;
    let run = Run::new(tools, folder.path(), LIMIT);
    let mut script = String::from("read_verilog -formal -defer");
    for source in &sources {
        let _ = write!(script, " \"{source}\"");
    }
    let _ = write!(
        script,
        "\nprep -flatten -top {top}\nasync2sync\nchformal -lower\nmemory_nordff\ndffunmap\nsetundef -undriven -anyseq\n\
         opt_clean\ntee -q -o asserts.txt select -list t:$assert\nwrite_smt2 -wires design.smt2\n"
    );
    run.yosys("elaborate", &script)?;
    if fs::read_to_string(folder.path().join("asserts.txt"))?.trim().is_empty() {
        return Ok(Verdict::Unknown(format!("the design under `{top}` has no assertion")));
    }
    let bounded = smtbmc(&run, &[], depth)?;
    match (mode, &bounded) {
        (FormalMode::Induction, Verdict::Proven) => Ok(match smtbmc(&run, &["-i"], depth)? {
            Verdict::Refuted(text) => {
                Verdict::Unknown(format!("induction over {depth} cycles does not close:\n{text}"))
            }
            other => other,
        }),
        _ => Ok(bounded),
    }
}

fn smtbmc(run: &Run, arguments: &[&str], depth: u32) -> Result<Verdict, SynthError> {
    // The solver is started by name; asking for it here names it when it is missing.
    run.tools.command("z3")?;
    let mut command = run.tools.command("yosys-smtbmc")?;
    command.args(["-s", "z3", "--noprogress", "-t", &depth.to_string()]).args(arguments).arg("design.smt2");
    let output = process::run(command.current_dir(run.folder), LIMIT)?;
    let text = output.stdout + &output.stderr;
    if text.contains("Status: PASSED") || text.contains("Status: passed") {
        Ok(Verdict::Proven)
    } else if text.contains("Status: FAILED") || text.contains("Status: failed") {
        Ok(Verdict::Refuted(process::tail(&text)))
    } else if output.code == Some(0) {
        Ok(Verdict::Unknown(process::tail(&text)))
    } else {
        Err(SynthError::Tool { tool: "yosys-smtbmc", message: "no verdict".to_string(), tail: process::tail(&text) })
    }
}
