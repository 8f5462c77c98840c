//! Shared stream parts: under random stalls against the beats that went in, and their handshakes by formal proof.

use std::collections::BTreeMap;
use std::rc::Rc;

use bitlathe_cores::parts::{fifo, stream_register, width_converter};
use bitlathe_cores::random::Random;
use bitlathe_flow::lint;
use bitlathe_flow::sim::{Options, Simulator, StallMode, Stalls};
use bitlathe_flow::synth::{FormalMode, Verdict, prove_formal};
use bitlathe_flow::tools::Tools;
use bitlathe_hdl::{Unit, check};
use bitlathe_spec::{
    Axis, Carrier, DType, DimSpec, Dims, Dir, Extent, Interface, Job, LaneVar, Layout, LoopVar, Role, SourceFile,
    Stream, Tensor, TensorSpec,
};

fn printed(unit: &Rc<Unit>) -> Vec<SourceFile> {
    let design = check(unit).unwrap_or_else(|e| panic!("{e}"));
    design.files(&[]).into_iter().map(|(path, text)| SourceFile { path, text }).collect()
}

/// Ports `s` and `m` over one tensor of words: `wide` words a beat in, one or as many out.
fn interface(top: &str, wide: u64, narrow: u64) -> Interface {
    let layout = |lanes: u64| Layout {
        loops: vec![LoopVar { name: "n".into(), extent: Extent::CeilDiv { dim: "N".into(), by: lanes } }],
        lanes: vec![LaneVar { name: "lane".into(), extent: lanes }],
        group: 1,
        lane_bits: 8,
        code: "plain".into(),
        axes: vec![Axis { terms: vec![("n".into(), lanes), ("lane".into(), 1)], tile: lanes }],
    };
    let tensor = |name: &str, role| TensorSpec {
        name: name.into(),
        role,
        dtype: DType::I8,
        shape: vec![DimSpec::Named("N".into())],
        range: (-128, 127),
        default: None,
        carrier: Carrier::Stream(name.into()),
        doc: String::new(),
    };
    let stream = |name: &str, dir, lanes| Stream {
        name: name.into(),
        dir,
        layout: layout(lanes),
        signed: true,
        last: false,
        doc: String::new(),
    };
    Interface {
        top: top.into(),
        sizes: vec![],
        tensors: vec![tensor("s", Role::In), tensor("m", Role::Out)],
        streams: vec![stream("s", Dir::In, wide), stream("m", Dir::Out, narrow)],
        registers: vec![],
    }
}

/// Parts with the words of a beat on either side and the cycles a beat takes at full speed.
fn parts() -> Vec<(Rc<Unit>, u64, u64)> {
    vec![
        (stream_register::stream_register(8), 1, 1),
        (fifo::fifo(8, 1), 1, 1),
        (fifo::fifo(8, 4), 1, 1),
        (width_converter::narrow_converter(8, 3), 3, 1),
        (width_converter::narrow_converter(8, 4), 4, 1),
    ]
}

#[test]
fn beats_come_out_in_order_under_every_stall_pattern_and_without_bubbles() {
    let tools = Tools::discover().expect("tools");
    for (unit, wide, narrow) in parts() {
        let files = printed(&unit);
        let options = Options { parameters: vec![], ..Options::default() };
        let sim = Simulator::build(&interface(unit.name(), wide, narrow), &files, &tools, options).expect("builds");
        let n = 600usize;
        let mut r = Random::new(5);
        let data: Vec<i64> = (0..n).map(|_| r.below(256) as i64 - 128).collect();
        let dims: Dims = BTreeMap::from([("N".to_owned(), n as u64)]);
        let tensors = BTreeMap::from([("s".to_owned(), Tensor::new(DType::I8, [n], data.clone()))]);
        let job = Job { dims, tensors };
        for mode in [StallMode::None, StallMode::IdleSource, StallMode::Backpressure, StallMode::Both] {
            let run = sim
                .run(&job, &|_, _| 0, Stalls { mode, seed: 7 }, None)
                .unwrap_or_else(|e| panic!("{}: {e}", unit.name()));
            assert_eq!(run.outputs["m"].data, data, "{} {mode:?}", unit.name());
            if mode == StallMode::None {
                assert!(run.cycles <= n as u64 / narrow + 2, "{} takes {} cycles", unit.name(), run.cycles);
            }
        }
        let found = lint::lint(&files, unit.name(), &tools).expect("lint runs");
        assert!(found.is_empty(), "{}: {found:?}", unit.name());
    }
}

/// Proves the stream rules of a part; `from` and `to` break it on purpose.
fn proof(unit: &Rc<Unit>, from: &str, to: &str) -> Verdict {
    let tools = Tools::discover().expect("tools");
    let rules = include_str!("../../../testbench/formal/stream_rules.v").replace("PART", unit.name());
    let mut files = printed(unit);
    for f in &mut files {
        assert!(from.is_empty() || f.text.contains(from), "{} does not hold `{from}`", f.path);
        f.text = f.text.replace(from, if from.is_empty() { "" } else { to });
    }
    files.push(SourceFile { path: "stream_rules.v".into(), text: rules });
    prove_formal(&files, "stream_rules", FormalMode::Bmc, 12, &tools).expect("the prover runs")
}

#[test]
fn handshakes_are_proven_and_a_broken_one_is_refuted() {
    let register = stream_register::stream_register(4);
    let queue = fifo::fifo(4, 1);
    for unit in [&register, &queue] {
        let verdict = proof(unit, "", "");
        assert!(matches!(verdict, Verdict::Proven), "{}: {verdict:?}", unit.name());
    }
    // The spare word is forgotten.
    let verdict = proof(&register, "spare_q ? held_q : s_data_i", "s_data_i");
    assert!(matches!(verdict, Verdict::Refuted(_)), "{verdict:?}");
}
