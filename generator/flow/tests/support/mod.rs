//! A small ternary matrix product with hand-written Verilog: a core whose folder the tests of `generate` can judge.

use std::collections::BTreeMap;

use bitlathe_cores::{
    About, Block, Core, Cost, Imported, Issue, ModelTensor, Operand, PartCost, ProvenRange, Stimulus,
};
use bitlathe_flow::generate::Rtl;
use bitlathe_spec::{
    Access, Axis, Carrier, DType, DimSpec, Dims, Dir, Extent, Family, Field, FieldValue, Interface, Job, LaneVar,
    Layout, LoopVar, Register, Role, Scalar, SourceFile, Stream, Target, Tensor, TensorSpec,
};
use serde_json::json;

/// Largest K and M.
const MAX: (u64, u64) = (96, 32);

/// The core. Its Verilog is `fake_gemm.v`; its `rtl` is a design that lacks most of the ports.
pub struct FakeGemm;

/// The Verilog of the core, after a change of its text where the test wants one that is broken.
pub fn rtl(change: Option<(&str, &str)>) -> Rtl {
    let mut text = include_str!("fake_gemm.v").to_string();
    if let Some((from, to)) = change {
        assert!(text.contains(from), "the Verilog has no `{from}`");
        text = text.replace(from, to);
    }
    Rtl { files: vec![SourceFile { path: "fake_gemm.v".into(), text }], impl_parameter: true }
}

fn ceil(dim: &str, by: u64) -> Extent {
    Extent::CeilDiv { dim: dim.into(), by }
}

fn loops(list: &[(&str, Extent)]) -> Vec<LoopVar> {
    list.iter().map(|(name, extent)| LoopVar { name: name.to_string(), extent: extent.clone() }).collect()
}

fn lanes(list: &[(&str, u64)]) -> Vec<LaneVar> {
    list.iter().map(|(name, extent)| LaneVar { name: name.to_string(), extent: *extent }).collect()
}

fn axis(terms: &[(&str, u64)], tile: u64) -> Axis {
    Axis { terms: terms.iter().map(|(n, s)| (n.to_string(), *s)).collect(), tile }
}

fn streams() -> Vec<Stream> {
    let pass = ("pass", ceil("T", 2));
    let (slab, tile) = (("slab", ceil("K", 6)), ("tile", ceil("M", 2)));
    let token = ("b", Extent::Const(2));
    let x = Layout {
        loops: loops(&[pass.clone(), slab.clone(), token.clone()]),
        lanes: lanes(&[("k", 6)]),
        group: 1,
        lane_bits: 8,
        code: "plain".into(),
        axes: vec![axis(&[("pass", 2), ("b", 1)], 2), axis(&[("slab", 6), ("k", 1)], 6)],
        shape: vec![],
    };
    let w = Layout {
        loops: loops(&[pass.clone(), slab, tile.clone()]),
        lanes: lanes(&[("r", 2), ("c", 2)]),
        group: 3,
        lane_bits: 5,
        code: "index5".into(),
        axes: vec![axis(&[("tile", 2), ("r", 1)], 2), axis(&[("slab", 6), ("c", 3), ("i", 1)], 6)],
        shape: vec![],
    };
    let y = Layout {
        loops: loops(&[pass, tile, token]),
        lanes: lanes(&[("r", 2)]),
        group: 1,
        lane_bits: 32,
        code: "plain".into(),
        axes: vec![axis(&[("pass", 2), ("b", 1)], 2), axis(&[("tile", 2), ("r", 1)], 2)],
        shape: vec![],
    };
    let stream = |name: &str, dir, layout, last, doc: &str| Stream {
        name: name.into(),
        dir,
        layout,
        signed: true,
        last,
        doc: doc.into(),
    };
    vec![
        stream("x", Dir::In, x, false, "Activations, one token and one slab of inputs a beat."),
        stream("w", Dir::In, w, false, "Weights, two rows and one slab of inputs a beat; the same for every pass."),
        stream("y", Dir::Out, y, true, "Dot products, two rows of one token a beat."),
    ]
}

fn tensors() -> Vec<TensorSpec> {
    let tensor = |name: &str, role, dtype, shape: [&str; 2], range, doc: &str| TensorSpec {
        name: name.into(),
        role,
        dtype,
        shape: shape.iter().map(|d| DimSpec::Named(d.to_string())).collect(),
        range,
        default: None,
        carrier: Carrier::Stream(name.into()),
        doc: doc.into(),
    };
    let sum = 128 * MAX.0 as i64;
    vec![
        tensor("x", Role::In, DType::I8, ["T", "K"], (-128, 127), "Activations."),
        tensor("w", Role::In, DType::I8, ["M", "K"], (-1, 1), "Ternary weights."),
        tensor("y", Role::Out, DType::I32, ["T", "M"], (-sum, sum), "Dot products."),
    ]
}

fn registers() -> Vec<Register> {
    let count = |name: &str, offset, width, max, extent, doc: &str| Register {
        name: name.to_string(),
        offset,
        fields: vec![Field {
            name: name.into(),
            lsb: 0,
            width,
            access: Access::ReadWrite,
            min: 1,
            max,
            reset: 1,
            value: FieldValue::Extent(extent),
            doc: doc.into(),
        }],
        doc: "Set-up of a job.".into(),
    };
    let fixed = |name: &str, lsb, width, access, value, doc: &str| Field {
        name: name.into(),
        lsb,
        width,
        access,
        min: value,
        max: if access == Access::ReadOnly { value } else { 1 },
        reset: value,
        value: FieldValue::None,
        doc: doc.into(),
    };
    let sticky = Access::WriteOneToClear;
    vec![
        Register {
            name: "id".into(),
            offset: 0,
            fields: vec![fixed("magic", 0, 32, Access::ReadOnly, 0x4254_4c31, "The letters BTL1.")],
            doc: "Identification.".into(),
        },
        count("k_slabs", 4, 5, MAX.0 / 6, ceil("K", 6), "Slabs of six inputs."),
        count("m_tiles", 8, 5, MAX.1 / 2, ceil("M", 2), "Tiles of two rows."),
        count("passes", 12, 8, 255, ceil("T", 2), "Passes of two tokens."),
        Register {
            name: "status".into(),
            offset: 16,
            fields: vec![
                fixed("config_error", 0, 1, sticky, 0, "A register write was out of range."),
                fixed("code_error", 1, 1, sticky, 0, "A weight code was illegal; it counts as zero."),
            ],
            doc: "Sticky error bits.".into(),
        },
    ]
}

fn job(t: usize, k: usize, m: usize, mut value: impl FnMut(i64, i64) -> i64) -> Job {
    let x = (0..t * k).map(|_| value(-128, 127)).collect();
    let w = (0..m * k).map(|_| value(-1, 1)).collect();
    let tensors = [("x", Tensor::new(DType::I8, [t, k], x)), ("w", Tensor::new(DType::I8, [m, k], w))];
    let dims = [("T", t), ("K", k), ("M", m)].map(|(n, v)| (n.to_string(), v as u64));
    Job { dims: dims.into(), tensors: tensors.map(|(n, t)| (n.to_string(), t)).into() }
}

impl Core for FakeGemm {
    fn kind(&self) -> &'static str {
        "fake-gemm"
    }
    fn name(&self) -> &str {
        "fake"
    }
    fn target(&self) -> &'static Target {
        Target::find("kv260").expect("a target of the table")
    }
    fn config(&self) -> serde_json::Value {
        json!({
            "kind": "fake-gemm", "name": "fake", "target": {"board": "kv260"},
            "shape": {"k_max": MAX.0, "m_max": MAX.1}, "parallel": {"k_lanes": 6, "m_lanes": 2, "batch": 2},
            "weights": {"encoding": "index5", "file": null},
        })
    }
    fn warnings(&self) -> Vec<Issue> {
        Vec::new()
    }
    fn interface(&self) -> Interface {
        let size = |name: &str, max, doc: &str| Scalar { name: name.into(), min: 1, max, doc: doc.into() };
        let sizes = vec![size("T", 510, "Tokens."), size("K", MAX.0, "Inputs."), size("M", MAX.1, "Rows.")];
        Interface { top: "fake_gemm".into(), sizes, tensors: tensors(), streams: streams(), registers: registers() }
    }
    fn rtl(&self) -> Result<bitlathe_hdl::Checked, bitlathe_hdl::Errors> {
        let module = bitlathe_hdl::Module::new("fake_gemm");
        let clock = module.clock();
        let seen = clock.reg("seen_q", bitlathe_hdl::bit());
        seen.next(module.input("x_valid_i", bitlathe_hdl::bit()));
        module.output("x_ready_o", &seen);
        bitlathe_hdl::check(&module.finish())
    }
    fn golden(&self, job: &Job) -> BTreeMap<String, Tensor> {
        let (x, w) = (&job.tensors["x"], &job.tensors["w"]);
        let (t, k, m) = (x.shape[0], x.shape[1], w.shape[0]);
        let dot = |n: usize| (0..k).map(|i| x.data[n / m * k + i] * w.data[n % m * k + i]).sum();
        BTreeMap::from([("y".to_string(), Tensor::new(DType::I32, [t, m], (0..t * m).map(dot).collect()))])
    }
    fn check_job(&self, _: &Job) -> Result<(), String> {
        Ok(())
    }
    fn schedule(&self, dims: &Dims) -> u64 {
        let (passes, slabs, tiles) = (dims["T"].div_ceil(2), dims["K"].div_ceil(6), dims["M"].div_ceil(2));
        passes * (slabs * (2 + tiles) + 2 * tiles)
    }
    fn beat_cycles(&self, dims: &Dims) -> Option<Vec<Vec<u64>>> {
        let (mut x, mut w, mut y) = (vec![], vec![], vec![]);
        let tiles = dims["M"].div_ceil(2);
        let mut now = 0..;
        for _ in 0..dims["T"].div_ceil(2) {
            for _ in 0..dims["K"].div_ceil(6) {
                x.extend(now.by_ref().take(2));
                w.extend(now.by_ref().take(tiles as usize));
            }
            y.extend(now.by_ref().take(2 * tiles as usize));
        }
        Some(vec![x, w, y])
    }
    fn useful_ops(&self, dims: &Dims) -> u64 {
        dims["T"] * dims["K"] * dims["M"]
    }
    fn ops_per_cycle(&self) -> u64 {
        24
    }
    fn op(&self) -> &'static str {
        "mac"
    }
    fn cost(&self, family: Family) -> Vec<PartCost> {
        let lut = if family == Family::Xcup { 180.0 } else { 240.0 };
        let part = |part: &str, count, lut, lutram, ff, bram| PartCost {
            part: part.into(),
            count,
            cost: Cost { lut, lutram, ff, dsp: 0.0, bram, uram: 0.0 },
        };
        vec![
            part("lookup_table", 8, lut, 128.0, 96.0, 0.0),
            part("adder_tree", 4, 92.4, 0.0, 120.0, 0.0),
            part("accumulator", 4, 128.0, 0.0, 128.0, 0.5),
            part("register_file", 1, 31.0, 0.0, 20.0, 0.0),
        ]
    }
    fn ranges(&self) -> Vec<ProvenRange> {
        vec![
            ProvenRange {
                signal: "dot product of a slab".into(),
                bits: 11,
                min: -768,
                max: 768,
                proof: "6 * max(|x|) * max(|w|) = 6 * 128 * 1 = 768 < 2^10".into(),
            },
            ProvenRange {
                signal: "accumulator".into(),
                bits: 32,
                min: -12_288,
                max: 12_288,
                proof: "k_max * max(|x|) * max(|w|) = 96 * 128 * 1 = 12288 < 2^31".into(),
            },
        ]
    }
    fn coverage(&self) -> Vec<&'static str> {
        vec!["extremes", "one"]
    }
    fn corners(&self) -> Vec<Stimulus> {
        vec![
            Stimulus { name: "one".into(), job: job(1, 1, 1, |_, max| max), covers: vec!["one"] },
            Stimulus {
                name: "all_minus_128".into(),
                job: job(2, 96, 4, |min, _| min),
                covers: vec!["extremes", "one"],
            },
        ]
    }
    fn random_job(&self, seed: u64) -> Job {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut draw = move |min: i64, max: i64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            min + ((state >> 33) as i64).rem_euclid(max - min + 1)
        };
        let sizes = [draw(1, 7), draw(1, MAX.0 as i64), draw(1, MAX.1 as i64)].map(|v| v as usize);
        job(sizes[0], sizes[1], sizes[2], draw)
    }
    fn about(&self) -> About {
        let block = |name: &str, detail: &str, from: &[&str]| Block {
            name: name.into(),
            detail: detail.into(),
            from: from.iter().map(|f| f.to_string()).collect(),
        };
        About {
            title: "Ternary matrix product, 2 rows × 6 inputs × 2 tokens a cycle".into(),
            paragraphs: vec![
                "Multiplies activations of 8 bits with weights -1, 0 and +1. Three activations have 27 signed sums; a \
                 table of them is filled once and read by every row."
                    .into(),
                "Sizes are set at run time and need not be multiples of the lanes.".into(),
            ],
            definition: vec![
                "y[t, m] = sum over k of w[m, k] * x[t, k]".into(),
                "0 <= t < T, 0 <= m < M, 0 <= k < K".into(),
            ],
            blocks: vec![
                block("table fill", "2 x 2 tables, ping-pong", &["x"]),
                block("decoder", "index5, 4 codes", &["w"]),
                block("table read", "8 ports", &["table fill", "decoder"]),
                block("adder tree", "4 sums of 2 terms", &["table read", "decoder"]),
                block("accumulator", "32 bits, RAM", &["adder tree", "accumulator"]),
                block("output", "2 lanes of 32 bits", &["accumulator"]),
            ],
        }
    }
    fn operands(&self, _: &Job, _: &str, _: usize) -> Vec<Operand> {
        Vec::new()
    }
    fn encode(&self, code: &str, values: &[i64]) -> u64 {
        assert_eq!(code, "index5");
        let v = 9 * values[0] + 3 * values[1] + values[2];
        (u64::from(v < 0) << 4) | v.unsigned_abs()
    }
    fn import(&self, _: &ModelTensor) -> Result<Imported, String> {
        Err("this core takes no files".into())
    }
    fn reference(&self, _: &Job) -> BTreeMap<String, Vec<f64>> {
        BTreeMap::new()
    }
}
