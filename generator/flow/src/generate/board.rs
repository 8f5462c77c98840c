//! A core on an open board: the self-test around it, what the model says of it, pins, bench and the commands to a bitstream.
//!
//! The self-test plays a job of the core's own from memory (`cores/src/selftest/`). What must come out, cycles, signatures and text, is
//! computed here from the golden model and the schedule alone.

use std::cell::Cell;

use bitlathe_cores::selftest::{self, Line, Pass, Plan, RegisterWord, TIME_MAX, Traffic, Verdict, WORD};
use bitlathe_cores::{Core, Cost};
use bitlathe_spec::{Dims, Dir, Job, SourceFile, Stream};
use bitlathe_templates::Template;
use bitlathe_templates::board::{BOARD_SIM, BoardBench, BoardMake, BoardTop, MakeStep};

use super::vectors::{self, Beats, JobVectors, Write};
use super::{GenerateError, Options, Refusal, Rtl, Subject, design_error, file, testbench};
use crate::constraints::{Board, ConstraintError, SelfTestPins, boards};
use crate::synth::BoardBuild;

/// Bits a second on the UART.
const BAUD: f64 = 115_200.0;
/// Jobs of up to so many cycles are taken; the longest of these.
const CYCLES: u64 = 4096;
/// Bits of stimulus that memory may hold: the text of a memory is a line a beat.
const STIMULUS_BITS: u64 = 1 << 16;
/// Seconds between two tests.
const PAUSE: f64 = 1.0;

/// A core on a board with everything that is known of its test.
pub struct SelfTest {
    /// The job, by its name and sizes.
    pub job: String,
    /// Its sizes.
    pub dims: Dims,
    /// The line that a sound core prints.
    pub expected: String,
    /// Predicted resources of core and self-test.
    pub predicted: Cost,
    /// How the bitstream is made.
    pub build: BoardBuild,
    plan: Plan,
}

/// Refuses a core that cannot stand on the board.
pub fn check(core: &dyn Core, board: &'static Board) -> Result<(), Refusal> {
    if board.self_test.is_none() {
        let able: Vec<&str> = boards().iter().filter(|b| b.self_test.is_some()).map(|b| b.name.as_str()).collect();
        let reason = format!("no open tool makes a bitstream for {}", board.name);
        let help = format!("--board {}; docs/boards.md says how the others are done", able.join(" or --board "));
        return Err(Refusal { reason, help });
    }
    if !core.wrap().is_none() {
        let reason = "a self-test drives the streams of the bare core".into();
        return Err(Refusal { reason, help: "add --set wrap=none".into() });
    }
    match &board.target {
        Some(target) if target != core.target().name => {
            let reason = format!("the config is for `{}`, and {} has `{target}`", core.target().name, board.name);
            Err(Refusal { reason, help: format!("add --set target.name={target}") })
        }
        _ => Ok(()),
    }
}

/// The self-test of a core, or why its memories cannot hold one.
pub fn self_test(
    core: &dyn Core,
    rtl: &Rtl,
    board: &'static Board,
) -> Result<Result<SelfTest, Refusal>, GenerateError> {
    plan(&Subject::new(core, rtl, &Options::default())?, board)
}

/// The files of the board's folder.
pub(super) fn files(subject: &Subject, board: &'static Board) -> Result<Vec<SourceFile>, GenerateError> {
    let test = plan(subject, board)?.map_err(|refusal| subject.contradiction(refusal.reason))?;
    let Some(pins) = &board.self_test else { return Err(subject.contradiction("a board without a self-test".into())) };
    let folder = &test.build.folder;
    let in_folder = |name: &str, text: String| file(format!("{folder}/{name}"), text);
    let mut files = verilog(subject, &test, folder)?;
    files.push(in_folder(&format!("{}.v", test.build.top), top(subject, board, pins, &test)?));
    let pin_file = pin_file(board, pins).map_err(|e| subject.contradiction(e.to_string()))?;
    files.push(in_folder(&pin_file.path, pin_file.text));
    files.push(in_folder("bench.v", bench(subject, board, pins, &test)?));
    files.push(in_folder("sim.cpp", with_banner(subject, BOARD_SIM)));
    files.push(SourceFile { path: format!("{folder}/expected.txt"), text: test.expected.clone() });
    files.push(file(test.build.script_file(), test.build.script()));
    files.push(in_folder("Makefile", makefile(subject, pins, &test)?));
    Ok(files)
}

/// The Verilog of the self-test that the core does not have already.
fn verilog(subject: &Subject, test: &SelfTest, folder: &str) -> Result<Vec<SourceFile>, GenerateError> {
    let design = subject.core.rtl().map_err(design_error)?;
    let design = selftest::design(&design, &subject.interface, &test.plan).map_err(design_error)?;
    let files = design.files(&subject.banner).into_iter();
    let own = files.filter(|(path, _)| subject.rtl.files.iter().all(|f| f.path != *path));
    Ok(own.map(|(path, text)| SourceFile { path: format!("{folder}/rtl/{path}"), text }).collect())
}

fn plan(subject: &Subject, board: &'static Board) -> Result<Result<SelfTest, Refusal>, GenerateError> {
    let (core, interface) = (subject.core, &subject.interface);
    let target = core.target();
    let least = Cell::new(f64::INFINITY);
    let room = target.capacity.bram as f64 - core.whole_cost(target.family).bram;
    let takes = |job: &Job| {
        let (bits, blocks) = stimulus_size(subject, job)?;
        least.set(least.get().min(blocks));
        Ok(bits <= STIMULUS_BITS && blocks <= room)
    };
    let Some(job) = vectors::test_job(subject, CYCLES, &takes)? else {
        return Ok(Err(no_room(board, room, least.get())));
    };
    let plan = job_plan(subject, board, &job);
    let mut predicted = core.whole_cost(target.family);
    selftest::cost(interface, &plan, target.family).into_iter().for_each(|part| predicted += part.cost);
    if predicted.bram > target.capacity.bram as f64 {
        let reason = format!("core and self-test take {:.0} of {} block RAMs", predicted.bram, target.capacity.bram);
        return Ok(Err(Refusal { reason, help: "a core of a smaller shape leaves more".into() }));
    }
    let numbers = numbers(subject, &job, &plan);
    let expected = plan.line.text(&numbers, &Verdict::Pass);
    let build = build(subject, board, &plan)?;
    Ok(Ok(SelfTest { job: job.name, dims: job.dims, expected, predicted, build, plan }))
}

/// None of the core's jobs fits; `least` block RAMs are what the smallest needs.
fn no_room(board: &Board, room: f64, least: f64) -> Refusal {
    let reason = if least.is_finite() {
        format!(
            "the beats of no job find room on {}: the core leaves {:.0} block RAMs, of which a self-test takes up to \
             {STIMULUS_BITS} bits, and the shortest job needs {least:.0}",
            board.name,
            room.max(0.0)
        )
    } else {
        "no job of the core fills the same lanes of every output beat".into()
    };
    Refusal { reason, help: "a core of a smaller shape or with fewer lanes has shorter jobs".into() }
}

/// Bits and block RAMs of a job's beats in memory.
fn stimulus_size(subject: &Subject, job: &Job) -> Result<(u64, f64), GenerateError> {
    let (mut bits, mut blocks) = (0, 0.0);
    for stream in subject.interface.streams.iter().filter(|s| s.dir == Dir::In) {
        let (beats, width) = (vectors::pass_beats(subject, stream, job)?, stream.layout.beat_bits());
        bits += beats.saturating_mul(width);
        blocks += selftest::memory(beats, width, subject.core.target().family).bram;
    }
    Ok((bits, blocks))
}

/// What the self-test does, from the beats of the job.
fn job_plan(subject: &Subject, board: &Board, job: &JobVectors) -> Plan {
    let (interface, clock) = (&subject.interface, board.clock.mhz * 1e6);
    let names = |dir: Option<Dir>| -> Vec<&str> {
        interface.streams.iter().filter(|s| dir.is_none_or(|d| s.dir == d)).map(|s| s.name.as_str()).collect()
    };
    let word = |w: &Write| RegisterWord { offset: w.offset, mask: w.mask, value: w.value };
    let head = format!("bitlathe {} {}", subject.core.kind(), subject.hash);
    Plan {
        writes: job.writes.iter().map(word).collect(),
        checks: interface.registers.iter().filter_map(testbench::settled).map(|w| word(&w)).collect(),
        traffic: interface.streams.iter().zip(&job.streams).map(|(s, beats)| traffic(s, beats)).collect(),
        // Pauses on every side make a run a few times as long as the schedule.
        patience: (32 * subject.core.schedule(&job.dims) + 4096).min(TIME_MAX),
        pause: ((PAUSE * clock) as u64).min(TIME_MAX),
        divider: (clock / BAUD).round() as u64,
        line: Line::new(&head, &names(Some(Dir::Out)), &names(None)),
    }
}

fn traffic(stream: &Stream, beats: &Beats) -> Traffic {
    let words = |list: &[String]| list.iter().map(|hex| words(hex)).collect::<Vec<_>>();
    let count = beats.data.len() as u64;
    match stream.dir {
        Dir::In => Traffic::In { pass: Pass(words(one_pass(&beats.data))), beats: count },
        Dir::Out => {
            let mask = beats.mask.first().map(|hex| self::words(hex)).unwrap_or_default();
            let signature = signature(stream, &words(&beats.data), &mask);
            Traffic::Out { beats: count, mask, signature }
        }
    }
}

/// The shortest beginning whose repetition is the whole.
fn one_pass(beats: &[String]) -> &[String] {
    let repeats = |n: &usize| beats.len().is_multiple_of(*n) && beats[*n..].iter().zip(beats).all(|(a, b)| a == b);
    let length = (1..=beats.len()).find(repeats).unwrap_or(beats.len());
    &beats[..length]
}

/// Hexadecimal digits as words, lowest first.
fn words(hex: &str) -> Vec<u32> {
    let digits = hex.as_bytes().rchunks(WORD as usize / 4);
    let value = |digits: &[u8]| digits.iter().fold(0, |v, d| 16 * v + (*d as char).to_digit(16).unwrap_or_default());
    digits.map(value).collect()
}

/// CRC-32 of the beats of two runs, each as whole bytes.
fn signature(stream: &Stream, beats: &[Vec<u32>], mask: &[u32]) -> u32 {
    let bytes = stream.layout.beat_bits().div_ceil(8) as usize;
    let mut crc = crc32fast::Hasher::new();
    for beat in beats.iter().chain(beats) {
        let masked = beat.iter().zip(mask).flat_map(|(word, mask)| (word & mask).to_le_bytes());
        crc.update(&masked.take(bytes).collect::<Vec<u8>>());
    }
    crc.finalize()
}

/// The numbers of the text: cycles by the schedule, signatures by the model.
fn numbers(subject: &Subject, job: &JobVectors, plan: &Plan) -> Vec<u32> {
    let signatures = plan.traffic.iter().filter_map(|t| match t {
        Traffic::Out { signature, .. } => Some(*signature),
        Traffic::In { .. } => None,
    });
    std::iter::once(subject.core.schedule(&job.dims) as u32).chain(signatures).collect()
}

/// How its bitstream is made.
fn build(subject: &Subject, board: &Board, plan: &Plan) -> Result<BoardBuild, GenerateError> {
    let (core, interface) = (subject.core, &subject.interface);
    let design = core.rtl().map_err(design_error)?;
    let design = selftest::design(&design, interface, plan).map_err(design_error)?;
    let folder = format!("board/{}", board.name);
    let top = format!("{}_{}", interface.top, board.name.replace('-', "_"));
    let of_core = |path: &String| subject.rtl.files.iter().any(|f| f.path == *path);
    let place = |path: String| if of_core(&path) { format!("rtl/{path}") } else { format!("{folder}/rtl/{path}") };
    let sources = design.files(&[]).into_iter().map(|(path, _)| place(path));
    Ok(BoardBuild {
        board: board.name.clone(),
        target: core.target(),
        clock_mhz: board.clock.mhz,
        sources: sources.chain([format!("{folder}/{top}.v")]).collect(),
        pins: format!("{folder}/{}", board.pin_file_name()),
        nodsp: !core.infers_dsp(core.target().family, None),
        top,
        folder,
    })
}

/// Ports of the top have the names of the board's signals.
fn pin_file(board: &Board, pins: &SelfTestPins) -> Result<SourceFile, ConstraintError> {
    let signals = [&board.clock.from, &pins.text, &pins.lights];
    let width = |name: &String| board.signals.get(name).map_or(0, |s| s.pins.len() as u64);
    let ports = signals.map(|name| (name.clone(), width(name)));
    board.pins(&ports, &signals.map(|name| (name.as_str(), name.as_str())))
}

fn top(subject: &Subject, board: &Board, pins: &SelfTestPins, test: &SelfTest) -> Result<String, GenerateError> {
    let lights = board.signals.get(&pins.lights).map_or(1, |s| s.pins.len());
    let dark = vec!["1'b0".to_string(); lights.saturating_sub(pins.shows.len())];
    let shows = pins.shows.iter().rev().map(|light| light.name().to_string());
    let named: Vec<&str> = pins.shows.iter().map(|light| light.name()).collect();
    let real = board.clock.mhz * 1e6 / test.plan.divider as f64;
    let top = BoardTop {
        banner: &subject.banner,
        about: &[
            format!("{}, {}: the self-test of `{}` at its pins.", board.about, board.part, subject.interface.top),
            format!("Lights from bit 0 on: {}.", named.join(", ")),
        ],
        top: &test.build.top,
        self_test: &selftest::top(&subject.interface),
        implementation: subject.rtl.impl_parameter.then(|| implementation(subject)),
        clock: &board.clock.from,
        text: &pins.text,
        lights: &pins.lights,
        lights_msb: lights - 1,
        shows: &dark.into_iter().chain(shows).collect::<Vec<_>>(),
        lit_by_zero: pins.lit_by_zero,
        divider: test.plan.divider,
        pause: test.plan.pause,
        baud: format!("{real:.0} a second of {} MHz", board.clock.mhz),
    };
    Ok(top.render()?)
}

/// The core's own choice of primitives.
fn implementation(subject: &Subject) -> i64 {
    let parameters = subject.core.rtl().map(|d| d.top_manifest().params).unwrap_or_default();
    parameters.iter().find(|p| p.name == "IMPL").map_or(0, |p| p.value)
}

fn bench(subject: &Subject, board: &Board, pins: &SelfTestPins, test: &SelfTest) -> Result<String, GenerateError> {
    let expected = test.expected.replace('\r', "\\015").replace('\n', "\\n");
    let bench = BoardBench {
        banner: &subject.banner,
        top: &test.build.top,
        implementation: subject.rtl.impl_parameter,
        clock: &board.clock.from,
        text: &pins.text,
        expected: &expected,
        length: test.expected.len(),
        // Two tests of two runs, and their text at four cycles a bit with room for more of it.
        patience: 4 * test.plan.patience + 2 * 40 * (test.expected.len() as u64 + 100) + 4096,
    };
    Ok(bench.render()?)
}

fn with_banner(subject: &Subject, text: &str) -> String {
    let banner: String = subject.banner.iter().map(|l| format!("// {l}\n")).collect();
    banner + text
}

fn makefile(subject: &Subject, pins: &SelfTestPins, test: &SelfTest) -> Result<String, GenerateError> {
    let wrong = |e: crate::synth::SynthError| subject.contradiction(e.to_string());
    let step = |command: &crate::synth::Command| MakeStep {
        variable: command.tool.replace('-', "_").to_uppercase(),
        tool: command.tool.into(),
        arguments: command.arguments.join(" "),
    };
    let steps = test.build.commands().map_err(wrong)?;
    let make = BoardMake {
        banner: &subject.banner,
        folder: &test.build.folder,
        top: &test.build.top,
        bitstream: &test.build.bitstream().map_err(wrong)?,
        steps: &steps.iter().map(step).collect::<Vec<_>>(),
        load: &pins.load,
        sources: &test.build.sources,
    };
    Ok(make.render()?)
}
