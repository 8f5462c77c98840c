//! The self-test of open boards: the top of a board prints in simulation what the model predicts, a broken core says so, and
//! the tools make a bitstream of it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bitlathe_cores::{Core, kinds};
use bitlathe_flow::constraints::{Board, boards};
use bitlathe_flow::generate::{self, Options, Rtl, SelfTest, board};
use bitlathe_flow::lint;
use bitlathe_flow::tools::Tools;
use bitlathe_spec::SourceFile;
use rayon::prelude::*;
use serde_json::{Value, json};

#[path = "support/path.rs"]
mod path;

const ULX3S: &str = include_str!("../../../fpga/ulx3s/core.toml");
const ICEBREAKER: &str = include_str!("../../../fpga/icebreaker/core.toml");

fn board_of(name: &str) -> &'static Board {
    boards().iter().find(|b| b.name == name).expect("a board")
}

fn configured(config: &Value) -> Box<dyn Core> {
    let kind = kinds().iter().find(|k| config["kind"] == k.name()).expect("registered");
    kind.configure(config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
}

/// The committed config of a board with other values.
fn committed(text: &str, changes: &[(&str, &str, Value)]) -> Box<dyn Core> {
    let mut config: Value = toml::from_str(text).expect("TOML");
    changes.iter().for_each(|(table, key, value)| config[table][key] = value.clone());
    configured(&config)
}

/// The reference core of a kind, for the board's device.
fn reference(kind: &str, board: &Board, changes: &[(&str, &str, Value)]) -> Box<dyn Core> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ip").join(kind).join("core.toml");
    let mut config: Value = toml::from_str(&fs::read_to_string(path).expect("core.toml")).expect("TOML");
    config["target"]["name"] = json!(board.target);
    changes.iter().for_each(|(table, key, value)| config[table][key] = value.clone());
    configured(&config)
}

/// A folder of a core with its self-test.
struct Placed {
    home: tempfile::TempDir,
    test: SelfTest,
    tools: Tools,
}

impl Placed {
    fn new(core: &dyn Core, board: &'static Board) -> Self {
        let rtl = generate::print(core).expect("prints");
        Self::with(core, board, &rtl)
    }

    fn with(core: &dyn Core, board: &'static Board, rtl: &Rtl) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let test = board::self_test(core, rtl, board).expect("plans").unwrap_or_else(|e| panic!("{e:?}"));
        let options = Options { board: Some(board), ..Options::default() };
        generate::write(core, rtl, &home.path().join("core"), &options).expect("writes");
        Self { home, test, tools: Tools::discover().expect("tools") }
    }

    /// The core's folder.
    fn dir(&self) -> PathBuf {
        self.home.path().join("core")
    }

    /// Replaces text in one of its files.
    fn change(&self, file: &str, from: &str, to: &str) {
        let path = self.dir().join(file);
        let text = fs::read_to_string(&path).expect("written");
        assert!(text.contains(from), "{file} does not hold `{from}`");
        fs::write(path, text.replacen(from, to, 1)).expect("writable");
    }

    /// Runs a target of its Makefile: whether it succeeds, and what it prints. `None` where a tool is missing.
    fn make(&self, target: &str, needs: &[&str]) -> Option<(bool, String)> {
        if let Some(error) = needs.iter().find_map(|name| self.tools.command(name).err()) {
            println!("skipped: {error}");
            return None;
        }
        let mut make = Command::new("make");
        make.args(["-s", "-C"]).arg(self.dir().join(&self.test.build.folder)).arg(target);
        if target == "sim" {
            path::offer_verilator(&mut make, &self.tools, self.home.path());
        }
        let output = make.output().expect("it starts");
        Some((output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()))
    }

    /// The first line that the board's top prints in Icarus.
    fn line(&self) -> Option<String> {
        let (_, text) = self.make("sim-icarus", &["iverilog", "vvp"])?;
        Some(text.lines().find(|l| l.starts_with("bitlathe ")).unwrap_or_else(|| panic!("{text}")).trim().to_string())
    }

    /// What is wrong with its text in a simulator.
    fn complaint(&self, target: &str, needs: &[&str]) -> Option<String> {
        let (good, text) = self.make(target, needs)?;
        // Twice: a test leaves nothing behind that the next one trips over.
        let right = good && text.matches(&self.test.expected).count() == 2 && text.lines().any(|l| l == "PASS");
        (!right).then(|| format!("{}\nexpected twice: {}", text, self.test.expected))
    }
}

/// A core that the tools are done with in seconds.
fn smallest() -> Box<dyn Core> {
    let lanes = ("parallel", "lanes", json!(1));
    committed(ICEBREAKER, &[("method", "name", json!("pot")), lanes, ("output", "shift", json!(8))])
}

/// Judges all at once; every failure is shown.
fn judge_all<T: Sync>(list: &[T], judge: impl Fn(&T) -> Option<String> + Sync + Send) {
    let failures: Vec<String> = list.par_iter().filter_map(judge).collect();
    assert!(failures.is_empty(), "{} of {} fail\n{}", failures.len(), list.len(), failures.join("\n\n"));
}

/// A core of every kind, three on each board.
fn cores() -> Vec<(Box<dyn Core>, &'static Board)> {
    let (ulx3s, icebreaker) = (board_of("ulx3s"), board_of("icebreaker"));
    let mux = [("lookup", "style", json!("mux")), ("parallel", "m_lanes", json!(2))];
    vec![
        (committed(ULX3S, &[]), ulx3s),
        (reference("mixpe-gemm", ulx3s, &[]), ulx3s),
        (reference("flash-attention", ulx3s, &[]), ulx3s),
        (committed(ICEBREAKER, &[]), icebreaker),
        (reference("softmax", icebreaker, &[("parallel", "lanes", json!(2))]), icebreaker),
        (reference("ternary-gemm", icebreaker, &mux), icebreaker),
    ]
}

#[test]
fn the_text_in_verilator_is_that_of_the_model() {
    judge_all(&cores(), |(core, board)| {
        let placed = Placed::new(core.as_ref(), board);
        assert!(placed.test.expected.ends_with(" PASS\r\n"), "{}", placed.test.expected);
        let complaint = placed.complaint("sim", &["verilator", "make", "g++", "perl"]);
        complaint.map(|text| format!("{} on {}: {text}", core.config(), board.name))
    });
}

#[test]
fn the_text_in_icarus_is_that_of_the_model() {
    let small = [(committed(ICEBREAKER, &[]), board_of("icebreaker")), (committed(ULX3S, &[]), board_of("ulx3s"))];
    judge_all(&small, |(core, board)| Placed::new(core.as_ref(), board).complaint("sim-icarus", &["iverilog", "vvp"]));
}

#[test]
fn tops_are_lint_clean() {
    judge_all(&cores(), |(core, board)| {
        let placed = Placed::new(core.as_ref(), board);
        let source =
            |p: &String| SourceFile { path: p.clone(), text: fs::read_to_string(placed.dir().join(p)).expect(p) };
        let files: Vec<SourceFile> = placed.test.build.sources.iter().map(source).collect();
        let found = lint::lint(&files, &placed.test.build.top, &placed.tools).expect("lint runs");
        (!found.is_empty()).then(|| format!("{}: {found:?}", core.config()))
    });
}

/// A fault: file, text, what stands in its place, and how the line then ends.
type Fault = (&'static str, &'static str, &'static str, &'static str);

const CORE: &str = "rtl/absmax.v";
const TEST: &str = "board/icebreaker/rtl/absmax_selftest.v";

/// Faults that leave every signature as it is.
const RIGHT_DATA: [Fault; 3] = [
    (CORE, "assign y_last_o = last_delayed;", "assign y_last_o = 1'b0;", " FAIL"),
    ("rtl/register_file.v", "32'h424c5447", "32'h424c5446", " FAIL"),
    // None.
    (CORE, "// Lanes", "// All lanes", " PASS"),
];

/// Faults that change or lose beats.
const WRONG_DATA: [Fault; 6] = [
    (CORE, "assign y_data_o = y_data;", "assign y_data_o = y_data ^ 16'd1;", " FAIL"),
    // A result is lost where its reader lets it wait, which only the run with pauses shows.
    (CORE, "& amax_free;", ";", " TIMEOUT, waiting: amax"),
    (CORE, "assign amax_valid_o = amax_valid_q;", "assign amax_valid_o = 1'b0;", " TIMEOUT, waiting: amax"),
    (CORE, "assign x_ready_o = x_ready;", "assign x_ready_o = 1'b0;", " TIMEOUT, waiting: x"),
    // A beat comes twice where another output waits.
    (CORE, "(amax_valid_q & ~amax_ready);", "(amax_valid_q & ~(amax_ready & y_ready));", " FAIL"),
    // Rows of another length than the job's.
    (TEST, "wire reg_write = set_up;", "wire reg_write = 1'b0;", ""),
];

#[test]
fn a_broken_core_fails_on_the_board() {
    let core = committed(ICEBREAKER, &[]);
    let faults: Vec<(&Fault, bool)> =
        RIGHT_DATA.iter().map(|f| (f, true)).chain(WRONG_DATA.iter().map(|f| (f, false))).collect();
    judge_all(&faults, |((file, from, to, says), right)| {
        let placed = Placed::new(core.as_ref(), board_of("icebreaker"));
        let signatures = placed.test.expected.trim().trim_end_matches(" PASS").to_string();
        placed.change(file, from, to);
        let line = placed.line()?;
        let good = line.ends_with(says) && line.starts_with(&signatures) == *right;
        (!good).then(|| format!("{file}: `{to}` for `{from}` gives {line}"))
    });
}

/// A fault that only the second test of a power-up meets: the bench reads two.
#[test]
fn the_bench_sees_a_second_test_that_differs() {
    let placed = Placed::new(committed(ICEBREAKER, &[]).as_ref(), board_of("icebreaker"));
    placed.change(TEST, "assign heartbeat_o = heartbeat_q;", "assign heartbeat_o = heartbeat_q; // fault");
    placed.change(TEST, ".data_i(y_data)", ".data_i(y_data ^ {15'd0, heartbeat_q})");
    let Some((good, text)) = placed.make("sim-icarus", &["iverilog", "vvp"]) else { return };
    assert!(!good && text.contains(" PASS\r\n") && text.contains(" FAIL\r\n"), "{text}");
}

#[test]
fn a_bitstream_comes_out_and_a_stranger_makes_the_same() {
    let placed = Placed::new(smallest().as_ref(), board_of("icebreaker"));
    let tools = ["yosys", "nextpnr-ice40", "icepack"];
    if let Some(error) = tools.iter().find_map(|name| placed.tools.command(name).err()) {
        println!("skipped: {error}");
        return;
    }
    let report = placed.test.build.run(&placed.dir(), &placed.tools).expect("builds");
    assert!(report.meets_clock() && report.does_not_fit.is_empty(), "{report:?}");
    let close = |measured: f64, predicted: f64| (measured - predicted).abs() < 0.35 * measured;
    assert!(close(report.area.ff, placed.test.predicted.ff), "{report:?} {:?}", placed.test.predicted);
    assert_eq!(report.area.bram, placed.test.predicted.bram);
    let bitstream = fs::read(report.bitstream.expect("a bitstream")).expect("readable");
    assert!(bitstream.len() > 100_000, "{} bytes", bitstream.len());
    let programs = tools.map(|tool| {
        let program = placed.tools.command(tool).expect("found before").get_program().to_owned();
        format!("{}={}", tool.replace('-', "_").to_uppercase(), Path::new(&program).display())
    });
    let folder = placed.dir().join(&placed.test.build.folder);
    let made = folder.join("build").join(placed.test.build.bitstream().expect("a name"));
    fs::remove_file(&made).expect("ours");
    let output = Command::new("make").arg("-C").arg(&folder).args(&programs).output().expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
    assert!(fs::read(made).expect("made again") == bitstream, "the Makefile makes another bitstream");
}

#[test]
fn a_top_that_is_too_large_is_not_routed() {
    let placed = Placed::new(smallest().as_ref(), board_of("icebreaker"));
    if let Some(error) = ["yosys", "nextpnr-ice40"].iter().find_map(|name| placed.tools.command(name).err()) {
        println!("skipped: {error}");
        return;
    }
    let mut build = placed.test.build.clone();
    let mut small = *build.target;
    small.capacity.lut = 100;
    build.target = Box::leak(Box::new(small));
    let report = build.run(&placed.dir(), &placed.tools).expect("synthesizes");
    assert!(report.does_not_fit[0].starts_with("LUT: "), "{report:?}");
    assert!(!report.meets_clock() && report.bitstream.is_none(), "{report:?}");
}

/// What is said to a core that cannot stand on a board.
#[test]
fn what_cannot_be_is_refused_with_a_way_out() {
    let refusal = |config: &str, changes: &[(&str, &str, Value)], name: &str| {
        let (core, board) = (committed(config, changes), board_of(name));
        let rtl = generate::print(core.as_ref()).expect("prints");
        let planned = || board::self_test(core.as_ref(), &rtl, board).expect("plans").err();
        let refusal = board::check(core.as_ref(), board).err().or_else(planned).expect("refused");
        format!("{}; {}", refusal.reason, refusal.help)
    };
    let said = refusal(ULX3S, &[], "kv260");
    assert_eq!(
        said,
        "no open tool makes a bitstream for kv260; --board icebreaker or --board ulx3s; docs/boards.md says how the others are done"
    );
    let said = refusal(ULX3S, &[], "icebreaker");
    assert_eq!(said, "the config is for `ecp5-85f`, and icebreaker has `ice40-up5k`; add --set target.name=ice40-up5k");
    let mut wrapped: Value = toml::from_str(ULX3S).expect("TOML");
    wrapped["wrap"] = json!("axi");
    let wrapped = board::check(configured(&wrapped).as_ref(), board_of("ulx3s")).expect_err("refused");
    assert_eq!(wrapped.help, "add --set wrap=none");
    let said = refusal(ICEBREAKER, &[("shape", "c_max", json!(32768))], "icebreaker");
    assert!(said.contains("block RAMs") && said.contains("smaller shape"), "{said}");
}

/// Options of every kind, whatever their device: among the core's own jobs is one for a self-test.
#[test]
fn every_kind_finds_a_job() {
    let board = board_of("ulx3s");
    let configs = kinds().iter().flat_map(|k| k.space().cover().into_iter().step_by(12).map(|c| configured(&c)));
    let cores: Vec<Box<dyn Core>> = configs.collect();
    judge_all(&cores, |core| {
        let rtl = generate::print(core.as_ref()).expect("prints");
        let refusal = board::self_test(core.as_ref(), &rtl, board).expect("plans").err()?;
        Some(format!("{}: {}", core.config(), refusal.reason))
    });
}
