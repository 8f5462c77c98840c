//! Cores with `wrap = "kernel"`: lint, the rules of AXI by proof, and memories that Bitlathe did not write: those of cocotbext-axi run
//! whole jobs in Icarus and Verilator (testbench/cocotb/kernel.py says what they check).

use bitlathe_cores::parts::burst_walk::WalkShape;
use bitlathe_cores::parts::read_master::read_master;
use bitlathe_cores::parts::write_master::write_master;
use bitlathe_cores::{Core, kinds};
use bitlathe_flow::synth::{FormalMode, Verdict, prove_formal};
use bitlathe_flow::tools::Tools;
use bitlathe_flow::{generate, lint};
use bitlathe_hdl::check;
use bitlathe_spec::SourceFile;
use clients::{catalogue, clients, complaint, judge_all, no_registers, parsed, wrapped};

#[path = "support/clients.rs"]
mod clients;

#[test]
fn kernels_are_lint_clean() {
    let tools = Tools::discover().expect("tools");
    let covers =
        kinds().iter().flat_map(|k| k.space().cover().into_iter().step_by(12).map(|c| wrapped(*k, c, "kernel")));
    let cores: Vec<_> = catalogue("kernel").into_iter().chain([no_registers("kernel")]).chain(covers).collect();
    judge_all(&cores, |core| {
        let rtl = generate::print(core.as_ref()).expect("prints");
        let found = lint::lint(&rtl.files, &generate::top(core.as_ref()), &tools).expect("lint runs");
        (!found.is_empty()).then(|| format!("{}: {found:?}", core.config()))
    });
}

#[test]
fn foreign_memories_run_jobs_in_icarus() {
    let cores: Vec<_> = catalogue("kernel").into_iter().chain(more()).collect();
    judge_all(&cores, |core| complaint(core.as_ref(), "kernel", "icarus"));
}

#[test]
fn foreign_memories_run_jobs_in_verilator() {
    let core = catalogue("kernel").into_iter().find(|core| core.kind() == "softmax").expect("in the catalogue");
    assert_eq!(complaint(core.as_ref(), "kernel", "verilator"), None);
}

/// Beats of several words, in and out.
const WIDE: &str = r#"
kind = "quantizer"
name = "wide"
target.name = "u280"
shape.c_max = 260
input.bits = 16
parallel.lanes = 130
method.name = "pot"
"#;

fn wide() -> Box<dyn Core> {
    parsed(WIDE, "kernel")
}

/// Without registers, and with beats of several words.
fn more() -> Vec<Box<dyn Core>> {
    vec![no_registers("kernel"), wide()]
}

/// Each fault must fail the test that looks for it.
#[test]
fn foreign_memories_find_broken_kernels() {
    let faults = [
        ("burst_walk.v", "(passes_q == 1)", "1'b1", "jobs_equal_the_model"),
        ("ap_control.v", "open_q & ~done_i", "open_q & done_i", "jobs_equal_the_model"),
        ("ap_control.v", "done_q & ~seen", "done_q", "jobs_equal_the_model"),
        ("ap_control.v", "status_q & ~clear", "status_q", "interrupts_and_restarts"),
        ("ap_control.v", "done & ~repeat_q", "done", "interrupts_and_restarts"),
        ("read_master.v", "rresp_i[1]", "1'b0", "an_error_of_the_memory"),
    ];
    let cores = catalogue("kernel");
    judge_all(&faults, |(file, from, to, test)| {
        let repeats = |c: &dyn Core| {
            generate::axi_interface(c).is_some_and(|axi| axi.registers.iter().any(|r| r.name.ends_with("_passes")))
        };
        let core = cores.iter().find(|c| repeats(c.as_ref())).expect("a core with passes");
        let (good, text) = clients(core.as_ref(), "kernel", "icarus", Some((file, from, to)))?;
        let failed = text.lines().any(|l| l.contains(&format!("kernel.{test}")) && l.contains("FAIL"));
        (good || !failed).then(|| format!("{file}: `{to}` for `{from}`\n{text}"))
    });
}

/// `cargo test -p bitlathe-flow --test kernel a_port -- --nocapture` prints the figures of docs/wrapped.md.
#[test]
fn a_port_moves_at_least_95_percent_of_a_word_a_cycle() {
    let Some((good, text)) = clients(no_registers("kernel").as_ref(), "bandwidth", "icarus", None) else { return };
    let ports: Vec<&str> = text.lines().filter(|l| l.starts_with("port ")).collect();
    println!("{}", ports.join("\n"));
    assert!(good && ports.len() == 2, "{text}");
}

/// A master with small parameters, and what is asserted inside of its parts.
fn master(writes: bool) -> Vec<SourceFile> {
    let shape = WalkShape { word: 2, burst: 1, count: 4, pass: if writes { 1 } else { 2 } };
    let unit = if writes { write_master(&shape, 4) } else { read_master(&shape, 4) };
    let files = check(&unit).expect("the part checks").files(&[]);
    let mut files: Vec<SourceFile> = files.into_iter().map(|(path, text)| SourceFile { path, text }).collect();
    for (file, inside) in [
        (
            "burst_walk.v",
            "walk_inside inside (.clk_i(clk_i), .start(start_i), .active(active_q), .offered(offered_q), .ends(ends_q), \
             .low(place_q[0]), .length(length_q), .left(left_q), .words(words_i));",
        ),
        ("write_master.v", "write_inside inside (.clk_i(clk_i), .bvalid(bvalid_i), .pending(pending_q));"),
    ] {
        for f in files.iter_mut().filter(|f| f.path == file) {
            f.text = f.text.replace("\nendmodule", &format!("\n{inside}\nendmodule"));
        }
    }
    let rules = include_str!("../../../testbench/formal/master_rules.v").into();
    files.push(SourceFile { path: "master_rules.v".into(), text: rules });
    files
}

/// The judgement of a master after a change to one of its files: for all time (offers, blocks of 4 KiB, bursts under way), or in
/// every run of ten cycles (which words, in which order, how many).
fn judge(writes: bool, forever: bool, change: Option<(&str, &str, &str)>) -> Verdict {
    let mut files = master(writes);
    if let Some((file, from, to)) = change {
        let victim = files.iter_mut().find(|f| f.path == file).expect("the file is there");
        assert!(victim.text.contains(from), "{file} does not hold `{from}`");
        victim.text = victim.text.replacen(from, to, 1);
    }
    let top = format!("{}_{}", if writes { "write" } else { "read" }, if forever { "offers" } else { "rules" });
    let (mode, depth) = if forever { (FormalMode::Induction, 4) } else { (FormalMode::Bmc, 10) };
    prove_formal(&files, &top, mode, depth, &Tools::discover().expect("tools")).expect("a verdict")
}

#[test]
fn masters_keep_the_rules_of_axi_whatever_core_and_memory_do() {
    let cases = [(false, true), (true, true), (true, false), (false, false)];
    judge_all(&cases, |(writes, forever)| {
        let verdict = judge(*writes, *forever, None);
        (verdict != Verdict::Proven).then(|| format!("writes {writes}, forever {forever}: {verdict:?}"))
    });
}

#[test]
fn broken_masters_are_refuted() {
    let faults = [
        (false, "burst_walk.v", "fits ? left_q[BURST_W:0] : room", "room"),
        (false, "read_master.v", "rlast_i & is_final", "rlast_i"),
        (false, "read_master.v", "(~arvalid_q | arready_i)", "1'b1"),
        (true, "write_master.v", "whole & ~pending_q", "~pending_q"),
        (true, "write_master.v", "beat_q == longest", "beat_q != longest"),
    ];
    judge_all(&faults, |(writes, file, from, to)| {
        let verdict = judge(*writes, false, Some((file, from, to)));
        (!matches!(verdict, Verdict::Refuted(_))).then(|| format!("{file}: `{to}` for `{from}`: {verdict:?}"))
    });
}
