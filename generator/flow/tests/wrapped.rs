//! Cores with `wrap = "axi"`: lint, the rules of AXI by proof, and clients that Bitlathe did not write: the bus models of
//! cocotbext-axi run whole jobs in Icarus and Verilator (testbench/cocotb/wrapped.py says what they check).

use bitlathe_cores::{Core, kinds};
use bitlathe_flow::synth::{FormalMode, Verdict, prove_formal};
use bitlathe_flow::tools::Tools;
use bitlathe_flow::{generate, lint};
use bitlathe_spec::axi::AxiInterface;
use bitlathe_spec::{Dir, SourceFile};
use clients::{catalogue, clients, complaint, judge_all, no_registers, parsed, wrapped};

#[path = "support/clients.rs"]
mod clients;

/// Whole rows by one walk: three outputs, of which two do not say where a job ends.
const THREE_OUTPUTS: &str = r#"
kind = "softmax"
name = "three-outputs"
target.name = "ecp5-85f"
shape.n_max = 64
input = { bits = 8, scale = 0.04332 }
parallel.lanes = 3
method.name = "base2"
passes.count = 1
output.kind = "raw"
"#;

/// The cores of the catalogue, one with an output of each sort, one without registers.
fn cores() -> Vec<Box<dyn Core>> {
    catalogue("axi").into_iter().chain([three_outputs(), no_registers("axi")]).collect()
}

fn three_outputs() -> Box<dyn Core> {
    parsed(THREE_OUTPUTS, "axi")
}

#[test]
fn wrapped_cores_are_lint_clean() {
    let tools = Tools::discover().expect("tools");
    let covers = kinds().iter().flat_map(|k| k.space().cover().into_iter().step_by(12).map(|c| wrapped(*k, c, "axi")));
    let cores: Vec<_> = cores().into_iter().chain(covers).collect();
    judge_all(&cores, |core| {
        let rtl = generate::print(core.as_ref()).expect("prints");
        let found = lint::lint(&rtl.files, &generate::top(core.as_ref()), &tools).expect("lint runs");
        (!found.is_empty()).then(|| format!("{}: {found:?}", core.config()))
    });
}

#[test]
fn foreign_clients_run_jobs_in_icarus() {
    judge_all(&cores(), |core| complaint(core.as_ref(), "wrapped", "icarus"));
}

#[test]
fn foreign_clients_run_jobs_in_verilator() {
    assert_eq!(complaint(three_outputs().as_ref(), "wrapped", "verilator"), None);
}

/// Each fault must fail the test that looks for it.
#[test]
fn foreign_clients_find_broken_wrappers() {
    let faults = [
        ("axi_lite.v", "(rdata_i & keep_i & ~mask)", "(rdata_i & ~mask)", "registers_keep_to_bytes"),
        ("axi_lite.v", "(w_data_q & mask)", "w_data_q", "odd_strobes"),
        ("axi_lite.v", " & ~writes;", ";", "reads_and_writes_at_once"),
        (
            "ternary_gemm_axi.v",
            "u_core (\n    .clk_i(aclk),\n    .rst_i(core_reset)",
            "u_core (\n    .clk_i(aclk),\n    .rst_i(port_reset)",
            "a_reset_by_software",
        ),
        ("stream_register.v", "spare_q ? held_q : s_data_i", "s_data_i", "jobs_equal_the_model"),
        ("packet_last.v", "last ? ", "moves_i ? ", "jobs_equal_the_model"),
        ("job_counters.v", "time_q + 32'd1", "time_q", "jobs_equal_the_model"),
    ];
    judge_all(&faults, |(file, from, to, test)| {
        let core = cores().into_iter().find(|core| {
            let files = generate::print(core.as_ref()).expect("prints").files;
            files.iter().any(|f| f.path == *file && f.text.contains(from))
        });
        let (good, text) =
            clients(core.expect("a core with that file").as_ref(), "wrapped", "icarus", Some((file, from, to)))?;
        let failed = text.lines().any(|l| l.contains(&format!("wrapped.{test}")) && l.contains("FAIL"));
        (good || !failed).then(|| format!("{file}: `{to}` for `{from}`\n{text}"))
    });
}

/// The wrapped top between free clients, with a core in it that does whatever it likes.
struct Harness {
    axi: AxiInterface,
    files: Vec<SourceFile>,
}

impl Harness {
    fn new(core: &dyn Core) -> Self {
        let axi = generate::axi_interface(core).expect("wrapped");
        let top = core.interface().top;
        let mut files = generate::print(core).expect("prints").files;
        let kept = |f: &SourceFile| {
            let parts = ["axi_lite.v", "stream_register.v", "job_counters.v", "packet_last.v"];
            parts.contains(&f.path.as_str()) || f.path.starts_with(&axi.top)
        };
        files.retain(kept);
        files.push(SourceFile { path: "core.v".into(), text: free_core(core, &top) });
        let words: Vec<String> = axi.registers.iter().map(|r| format!("10'd{}", r.offset / 4)).collect();
        let rules = include_str!("../../../testbench/formal/axi_rules.v").replace("REGISTER_WORDS", &words.join(", "));
        files.push(SourceFile { path: "axi_rules.v".into(), text: rules });
        Self { axi, files }
    }

    /// The judgement of a copy with one text replaced.
    fn judge(&self, responses: bool, change: Option<(&str, &str, &str)>) -> Verdict {
        let mut files = self.files.clone();
        if let Some((file, from, to)) = change {
            let victim = files.iter_mut().find(|f| f.path == file).expect("the file is there");
            assert!(victim.text.contains(from), "{file} does not hold `{from}`");
            victim.text = victim.text.replacen(from, to, 1);
        }
        files.push(SourceFile { path: "harness.v".into(), text: self.text(responses) });
        // Induction cannot tell which address a request had; a fault shows within so many cycles.
        let bounded = responses || change.is_some();
        let (mode, depth) = if bounded { (FormalMode::Bmc, 10) } else { (FormalMode::Induction, 6) };
        prove_formal(&files, "harness", mode, depth, &Tools::discover().expect("tools")).expect("a verdict")
    }

    fn text(&self, responses: bool) -> String {
        let ports = self.axi.ports();
        let (inputs, outputs): (Vec<_>, Vec<_>) = ports.iter().partition(|p| p.dir == Dir::In);
        let inputs: Vec<String> = inputs.iter().map(|p| format!("input wire [{}:0] {}", p.width - 1, p.name)).collect();
        let wires: Vec<String> = outputs.iter().map(|p| format!("wire [{}:0] {};\n", p.width - 1, p.name)).collect();
        let named: Vec<String> = ports.iter().map(|p| format!(".{0}({0})", p.name)).collect();
        let lite = ports.iter().filter_map(|p| Some((p, p.name.strip_prefix("s_axi_control_")?)));
        let lite = lite.filter(|(_, s)| !["awprot", "arprot", "wdata", "wstrb"].contains(s));
        let lite: Vec<String> = lite.map(|(p, s)| format!(".{s}({})", p.name)).collect();
        let streams = self.axi.streams.iter().filter(|s| s.dir == Dir::Out).map(|s| {
            let (n, bits) = (&s.name, s.data_bits() + s.bytes() + 1);
            format!(
                "axi_stream_rules #(.PAYLOAD({bits})) rules_{n} (.aclk(aclk), .aresetn(aresetn), .tvalid({n}_tvalid),\n\
                 .tready({n}_tready), .payload({{{n}_tlast, {n}_tkeep, {n}_tdata}}));\n\
                 always @(posedge aclk) assert (&{n}_tkeep);\n"
            )
        });
        format!(
            "module harness ({});\n{}{} top ({});\naxi_lite_rules #(.RESPONSES({})) rules (.aclk(aclk), .aresetn(aresetn),\n{});\n{}endmodule\n",
            inputs.join(", "),
            wires.concat(),
            self.axi.top,
            named.join(", "),
            u8::from(responses),
            lite.join(", "),
            streams.collect::<String>()
        )
    }
}

/// A module with the ports of a core whose outputs are free in every cycle.
fn free_core(core: &dyn Core, top: &str) -> String {
    let manifest = core.rtl().expect("checks").top_manifest();
    let (inputs, outputs): (Vec<_>, Vec<_>) = manifest.ports.iter().partition(|p| p.input);
    let inputs = inputs.iter().map(|p| format!("input wire [{}:0] {}", p.width - 1, p.name));
    let ports: Vec<String> =
        inputs.chain(outputs.iter().map(|p| format!("output wire [{}:0] {}", p.width - 1, p.name))).collect();
    let free = outputs
        .iter()
        .map(|p| format!("(* anyseq *) reg [{}:0] any_{1}; assign {1} = any_{1};\n", p.width - 1, p.name));
    let parameter = if manifest.params.iter().any(|p| p.name == "IMPL") { "#(parameter IMPL = 0) " } else { "" };
    format!("module {top} {parameter}({});\n{}endmodule\n", ports.join(", "), free.collect::<String>())
}

#[test]
fn wrapped_cores_keep_the_rules_of_axi_whatever_the_core_does() {
    judge_all(&cores(), |core| {
        let harness = Harness::new(core.as_ref());
        let verdicts = [false, true].map(|responses| harness.judge(responses, None));
        (verdicts != [Verdict::Proven, Verdict::Proven]).then(|| format!("{}: {verdicts:?}", core.config()))
    });
}

#[test]
fn broken_wrappers_are_refuted() {
    let core = three_outputs();
    let harness = Harness::new(core.as_ref());
    let port = ".m_data_o(y_beat),\n    .clk_i(aclk),\n    .rst_i";
    let (kept, dropped) = (format!("{port}(port_reset)"), format!("{port}(core_reset)"));
    let faults = [
        (false, "stream_register.v", "if (free)", "if (take | free)"),
        (false, "stream_register.v", "valid_q & ~free", "1'b0"),
        (false, "three_outputs_axi.v", &kept, &dropped),
        (false, "axi_lite.v", "bvalid_q & ~bready_i", "1'b0"),
        (false, "axi_lite.v", "aw_held_q & w_held_q & ~bvalid_q", "aw_held_q & ~bvalid_q"),
        (false, "axi_lite.v", "ar_held_q & ~rvalid_q & ~writes", "ar_held_q & ~rvalid_q & ~aw_held_q"),
        (true, "axi_lite.v", "{berror_q, 1'b0}", "{rerror_q, 1'b0}"),
        (true, "three_outputs_axi.v", "wire at_core = word <= 10'd2", "wire at_core = word <= 10'd3"),
    ];
    judge_all(&faults, |(responses, file, from, to)| {
        let verdict = harness.judge(*responses, Some((file, from, to)));
        (!matches!(verdict, Verdict::Refuted(_))).then(|| format!("{file}: `{to}` for `{from}`: {verdict:?}"))
    });
}
