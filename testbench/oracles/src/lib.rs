//! What the oracle tests share: modules as simulators with one tensor a stream, and hardware written in both languages.

pub mod array;
#[allow(dead_code)]
#[path = "../../../generator/hdl/examples/mac_cell.rs"]
pub mod mac_cell;
pub mod rust_hdl;

use std::collections::BTreeMap;

use bitlathe_flow::sim::{Options, Simulator, StallMode, Stalls};
use bitlathe_flow::tools::Tools;
use bitlathe_hdl::Checked;
use bitlathe_spec::{
    Axis, Carrier, DType, DimSpec, Dims, Dir, Extent, Interface, Job, LaneVar, Layout, LoopVar, Role, SourceFile,
    Stream, Tensor, TensorSpec,
};

/// A stream of beats of some lanes, signed integers each.
#[derive(Clone, Copy)]
pub struct Lanes {
    /// Name of the stream.
    pub name: &'static str,
    /// Lanes of a beat.
    pub count: usize,
    /// Bits of a lane.
    pub bits: u32,
    /// The stream carries `last`.
    pub last: bool,
}

/// The printed modules.
pub fn files(design: &Checked) -> Vec<SourceFile> {
    design.files(&[]).into_iter().map(|(path, text)| SourceFile { path, text }).collect()
}

/// A module with one input and one output stream; a beat of the input gives a beat of the output.
pub struct Bench {
    simulator: Simulator,
    input: Lanes,
    output: Lanes,
}

impl Bench {
    /// Compiles the module.
    pub fn new(top: &str, files: &[SourceFile], input: Lanes, output: Lanes) -> Self {
        let tools = Tools::discover().unwrap_or_else(|e| panic!("{e}"));
        let options = Options { parameters: vec![], ..Options::default() };
        let simulator = Simulator::build(&interface(top, input, output), files, &tools, options);
        Self { simulator: simulator.unwrap_or_else(|e| panic!("{top}: {e}")), input, output }
    }

    /// Sends all beats and gives those that come back, lane after lane.
    pub fn run(&self, lanes: &[i64], mode: StallMode, seed: u64) -> Vec<i64> {
        let beats = lanes.len() / self.input.count;
        let dims: Dims = BTreeMap::from([("N".to_owned(), beats as u64)]);
        let tensor = Tensor::new(DType::I64, [beats, self.input.count], lanes.to_vec());
        let job = Job { dims, tensors: BTreeMap::from([(self.input.name.to_owned(), tensor)]) };
        let run = self.simulator.run(&job, &|_, _| 0, Stalls { mode, seed }, None).unwrap_or_else(|e| panic!("{e}"));
        run.outputs[self.output.name].data.clone()
    }
}

fn interface(top: &str, input: Lanes, output: Lanes) -> Interface {
    let ends = [(input, Dir::In, Role::In), (output, Dir::Out, Role::Out)];
    let tensors = ends.map(|(s, _, role)| TensorSpec {
        name: s.name.into(),
        role,
        dtype: DType::I64,
        shape: vec![DimSpec::Named("N".into()), DimSpec::Fixed(s.count as u64)],
        range: (i64::MIN, i64::MAX),
        default: None,
        carrier: Carrier::Stream(s.name.into()),
        doc: String::new(),
    });
    let streams = ends.map(|(s, dir, _)| Stream {
        name: s.name.into(),
        dir,
        layout: layout(s),
        signed: true,
        last: s.last,
        doc: String::new(),
    });
    let (top, tensors, streams) = (top.into(), tensors.into(), streams.into());
    Interface { top, sizes: vec![], tensors, streams, registers: vec![] }
}

fn layout(s: Lanes) -> Layout {
    Layout {
        loops: vec![LoopVar { name: "n".into(), extent: Extent::CeilDiv { dim: "N".into(), by: 1 } }],
        lanes: vec![LaneVar { name: "lane".into(), extent: s.count as u64 }],
        group: 1,
        lane_bits: s.bits,
        code: "plain".into(),
        axes: vec![
            Axis { terms: vec![("n".into(), 1)], tile: 1 },
            Axis { terms: vec![("lane".into(), 1)], tile: s.count as u64 },
        ],
        shape: vec![],
    }
}
