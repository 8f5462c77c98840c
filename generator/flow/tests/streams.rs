//! The steps of a stream in the RTL language: under every stall pattern against plain Rust, their rules by formal proof.

use std::collections::BTreeMap;

use bitlathe_cores::parts::buffered::Buffered;
use bitlathe_cores::random::Random;
use bitlathe_flow::lint;
use bitlathe_flow::sim::{Options, Run, Simulator, StallMode, Stalls};
use bitlathe_flow::synth::{FormalMode, Verdict, prove_formal};
use bitlathe_flow::tools::Tools;
use bitlathe_hdl::{Clock, Module, check, sint, uint};
use bitlathe_spec::{
    Axis, Carrier, DType, DimSpec, Dims, Dir, Extent, Interface, Job, LaneVar, Layout, LoopVar, Role, SourceFile,
    Stream, Tensor, TensorSpec,
};

const BEATS: usize = 400;

/// A module with streams, built by a closure; unused clocks are no fault in it.
fn module(name: &str, build: impl Fn(&Module, &Clock)) -> Vec<SourceFile> {
    let m = Module::new(name);
    let ck = m.clock();
    for signal in [ck.reset(), m.clock_value(&ck)] {
        m.allow(&signal, "UNUSEDSIGNAL", "a step may be combinational");
    }
    build(&m, &ck);
    let design = check(&m.finish()).unwrap_or_else(|e| panic!("{e}"));
    design.files(&[]).into_iter().map(|(path, text)| SourceFile { path, text }).collect()
}

/// What is simulated: input streams, output streams, and whether they carry `last`.
struct Case {
    name: &'static str,
    inputs: &'static [&'static str],
    outputs: &'static [&'static str],
    last: bool,
    build: fn(&Module, &Clock),
    /// The outputs for the inputs; an arbiter has none.
    model: Option<Model>,
}

type Model = fn(&[Vec<i64>]) -> Vec<Vec<i64>>;

fn wrapped(v: i64) -> i64 {
    i64::from(v as i8)
}

const CASES: &[Case] = &[
    Case {
        name: "mapped",
        inputs: &["s"],
        outputs: &["m"],
        last: true,
        build: |m, _| m.sink("s", uint(8), true).map("flip", |d| !d).source("m"),
        model: Some(|x| vec![x[0].iter().map(|v| !v).collect()]),
    },
    Case {
        name: "piped",
        inputs: &["s"],
        outputs: &["m"],
        last: true,
        build: |m, ck| m.sink("s", uint(8), true).pipe(ck, 3).source("m"),
        model: Some(|x| x.to_vec()),
    },
    Case {
        name: "skidded",
        inputs: &["s"],
        outputs: &["m"],
        last: true,
        build: |m, ck| m.sink("s", sint(8), true).skid(ck, "skid").source("m"),
        model: Some(|x| x.to_vec()),
    },
    Case {
        name: "queued",
        inputs: &["s"],
        outputs: &["m"],
        last: true,
        build: |m, ck| m.sink("s", uint(8), true).fifo(ck, "queue", 2).source("m"),
        model: Some(|x| x.to_vec()),
    },
    Case {
        name: "forked",
        inputs: &["s"],
        outputs: &["p", "q"],
        last: true,
        build: |m, ck| {
            let (p, q) = m.sink("s", uint(8), true).fork(ck, "both");
            p.source("p");
            q.map("flip", |d| !d).source("q");
        },
        model: Some(|x| vec![x[0].clone(), x[0].iter().map(|v| !v).collect()]),
    },
    Case {
        name: "joined",
        inputs: &["a", "b"],
        outputs: &["m"],
        last: true,
        build: |m, _| {
            let (a, b) = (m.sink("a", uint(8), true), m.sink("b", uint(8), true));
            m.join("sum", a, b, |a, b| a.wrapping_add(b)).source("m");
        },
        model: Some(|x| vec![x[0].iter().zip(&x[1]).map(|(a, b)| wrapped(a + b)).collect()]),
    },
    // Two ways of different length meet again: neither may overtake or starve the other.
    Case {
        name: "reconverged",
        inputs: &["s"],
        outputs: &["m"],
        last: true,
        build: |m, ck| {
            let (p, q) = m.sink("s", uint(8), true).fork(ck, "both");
            let (p, q) = (p.pipe(ck, 2), q.fifo(ck, "queue", 2));
            m.join("sum", p, q, |a, b| a.wrapping_add(b)).skid(ck, "skid").source("m");
        },
        model: Some(|x| vec![x[0].iter().map(|v| wrapped(2 * v)).collect()]),
    },
    Case {
        name: "arbitrated",
        inputs: &["a", "b"],
        outputs: &["m"],
        last: false,
        build: |m, ck| {
            let (a, b) = (m.sink("a", uint(8), false), m.sink("b", uint(8), false));
            m.arbiter(ck, "turns", a, b).source("m");
        },
        model: None,
    },
];

/// Streams of one byte a beat. An output is as long as `N`, where there is no model as long as all inputs together.
fn interface(case: &Case) -> Interface {
    let dim = |dir| if dir == Dir::Out && case.model.is_none() { "ALL" } else { "N" };
    let layout = |dir| Layout {
        loops: vec![LoopVar { name: "n".into(), extent: Extent::CeilDiv { dim: dim(dir).into(), by: 1 } }],
        lanes: vec![LaneVar { name: "lane".into(), extent: 1 }],
        group: 1,
        lane_bits: 8,
        code: "plain".into(),
        axes: vec![Axis { terms: vec![("n".into(), 1)], tile: 1 }],
        shape: vec![],
    };
    let names = || {
        let inputs = case.inputs.iter().map(|n| (*n, Dir::In, Role::In));
        inputs.chain(case.outputs.iter().map(|n| (*n, Dir::Out, Role::Out)))
    };
    let tensors = names().map(|(name, dir, role)| TensorSpec {
        name: name.into(),
        role,
        dtype: DType::I8,
        shape: vec![DimSpec::Named(dim(dir).into())],
        range: (-128, 127),
        default: None,
        carrier: Carrier::Stream(name.into()),
        doc: String::new(),
    });
    let streams = names().map(|(name, dir, _)| Stream {
        name: name.into(),
        dir,
        layout: layout(dir),
        signed: true,
        last: case.last,
        doc: String::new(),
    });
    Interface {
        top: case.name.into(),
        sizes: vec![],
        tensors: tensors.collect(),
        streams: streams.collect(),
        registers: vec![],
    }
}

/// Bytes; where there is no model the top bit is the input's number, so that the output tells whose beat it is.
fn inputs(case: &Case) -> Vec<Vec<i64>> {
    let mut r = Random::new(5);
    let byte = |n: usize, r: &mut Random| match case.model {
        Some(_) => r.below(256) as i64 - 128,
        None => r.below(128) as i64 - 128 * n as i64,
    };
    (0..case.inputs.len()).map(|n| (0..BEATS).map(|_| byte(n, &mut r)).collect()).collect()
}

/// Checks one run; `at_full_speed` says that nobody stalled.
fn judge(case: &Case, given: &[Vec<i64>], run: &Run, at_full_speed: bool) {
    let got: Vec<&Vec<i64>> = case.outputs.iter().map(|o| &run.outputs[*o].data).collect();
    if let Some(model) = case.model {
        assert!(model(given).iter().eq(got), "{}", case.name);
        // A beat a cycle and some to fill the pipeline.
        assert!(!at_full_speed || run.cycles <= BEATS as u64 + 8, "{} takes {} cycles", case.name, run.cycles);
        return;
    }
    for (n, data) in given.iter().enumerate() {
        let own: Vec<i64> = got[0].iter().copied().filter(|v| usize::from(*v < 0) == n).collect();
        assert_eq!(own, *data, "{}: beats of input {n}", case.name);
    }
    // When both wait all the time they take turns.
    let turns = got[0].windows(2).all(|w| (w[0] < 0) != (w[1] < 0));
    assert!(!at_full_speed || turns, "{} is not fair", case.name);
}

#[test]
fn every_step_keeps_order_and_loses_nothing_under_every_stall_pattern() {
    let tools = Tools::discover().expect("tools");
    for case in CASES {
        let files = module(case.name, case.build);
        let found = lint::lint(&files, case.name, &tools).expect("lint runs");
        assert!(found.is_empty(), "{}: {found:?}", case.name);
        let options = Options { parameters: vec![], ..Options::default() };
        let sim = Simulator::build(&interface(case), &files, &tools, options).expect("builds");
        let given = inputs(case);
        let all = (BEATS * given.len()) as u64;
        let dims: Dims = BTreeMap::from([("N".to_owned(), BEATS as u64), ("ALL".to_owned(), all)]);
        let tensors = case.inputs.iter().zip(&given);
        let tensors = tensors.map(|(n, d)| ((*n).to_owned(), Tensor::new(DType::I8, [BEATS], d.clone()))).collect();
        let job = Job { dims, tensors };
        for seed in 0..8 {
            for mode in [StallMode::None, StallMode::IdleSource, StallMode::Backpressure, StallMode::Both] {
                let run = sim.run(&job, &|_, _| 0, Stalls { mode, seed }, None);
                let run = run.unwrap_or_else(|e| panic!("{} {mode:?} {seed}: {e}", case.name));
                judge(case, &given, &run, mode == StallMode::None);
            }
        }
    }
}

/// Proves a module by rules that name it `PART`; `from` and `to` break it on purpose.
fn proof(mut files: Vec<SourceFile>, rules: &str, (from, to): (&str, &str)) -> Verdict {
    let tools = Tools::discover().expect("tools");
    let (top, part) = (files.last().expect("a module").path.replace(".v", ""), rules.lines());
    let name = part.clone().find_map(|l| l.strip_prefix("module ")).expect("a module").replace(" (", "");
    if !from.is_empty() {
        assert!(files.iter().any(|f| f.text.contains(from)), "no file holds `{from}`");
        files.iter_mut().for_each(|f| f.text = f.text.replace(from, to));
    }
    files.push(SourceFile { path: format!("{name}.v"), text: rules.replace("PART", &top) });
    prove_formal(&files, &name, FormalMode::Bmc, 12, &tools).expect("the prover runs")
}

fn arbiter(packets: bool) -> (Vec<SourceFile>, String) {
    let files = module("part", |m, ck| {
        let (a, b) = (m.sink("a", uint(4), packets), m.sink("b", uint(4), packets));
        m.arbiter(ck, "turns", a, b).source("y");
    });
    let rules = include_str!("../../../testbench/formal/arbiter_rules.v");
    (files, if packets { format!("`define PACKETS\n{rules}") } else { rules.into() })
}

const INTACT: (&str, &str) = ("", "");

#[test]
fn an_arbiter_is_proven_fair_and_steady() {
    for packets in [false, true] {
        let (files, rules) = arbiter(packets);
        let verdict = proof(files, &rules, INTACT);
        assert!(matches!(verdict, Verdict::Proven), "{packets}: {verdict:?}");
    }
    // The turn never passes; it passes before the offer is taken; a packet is interrupted.
    let broken = [
        (false, ("turns_second ^ turns_ready", "1'b0")),
        (false, ("turns_second ^ turns_ready", "~turns_second")),
        (true, ("turns_within_q ? turns_turn_q : ", "")),
    ];
    for (packets, change) in broken {
        let (files, rules) = arbiter(packets);
        let verdict = proof(files, &rules, change);
        assert!(matches!(verdict, Verdict::Refuted(_)), "{change:?}: {verdict:?}");
    }
}

#[test]
fn a_fork_gives_each_side_every_beat_once() {
    let files = || {
        module("part", |m, ck| {
            let (p, q) = m.sink("s", uint(4), false).fork(ck, "both");
            p.source("p");
            q.source("q");
        })
    };
    let rules = include_str!("../../../testbench/formal/fork_rules.v");
    let verdict = proof(files(), rules, INTACT);
    assert!(matches!(verdict, Verdict::Proven), "{verdict:?}");
    // A side that has its beat is offered it again.
    let verdict = proof(files(), rules, ("s_valid_i & ~both_0_done_q", "s_valid_i"));
    assert!(matches!(verdict, Verdict::Refuted(_)), "{verdict:?}");
}

#[test]
fn pipes_and_meeting_ways_keep_the_stream_rules() {
    let builds: [fn(&Module, &Clock); 3] = [
        |m, ck| m.sink("s", uint(4), false).pipe(ck, 2).source("m"),
        |m, ck| m.sink("s", uint(4), false).skid(ck, "skid").source("m"),
        |m, ck| {
            let (p, q) = m.sink("s", uint(4), false).fork(ck, "both");
            let (p, q) = (p.pipe(ck, 1), q.fifo(ck, "queue", 1));
            m.join("same", p, q, |a, b| a & b).source("m");
        },
    ];
    let rules = include_str!("../../../testbench/formal/stream_rules.v");
    for (n, build) in builds.into_iter().enumerate() {
        let verdict = proof(module("part", build), rules, INTACT);
        assert!(matches!(verdict, Verdict::Proven), "{n}: {verdict:?}");
    }
}
