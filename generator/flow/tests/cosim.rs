//! Co-simulation and verification on a small core written by hand, whole and broken on purpose.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use bitlathe_cores::{Operand, Stimulus};
use bitlathe_flow::sim::{Options, Rule, SimError, Simulator, StallMode, Stalls, Wave};
use bitlathe_flow::tools::Tools;
use bitlathe_flow::verify::{FailureKind, Subject, VerifyOptions, VerifyReport, compare, verify};
use bitlathe_spec::{
    Access, Axis, Carrier, DType, DimSpec, Dims, Dir, Extent, Field, FieldValue, Interface, Job, LaneVar, Layout,
    LoopVar, Register, Role, SourceFile, Stream, Tensor, TensorSpec,
};

const VERILOG: &str = include_str!("cosim/row_sum.v");

fn ceil(dim: &str, by: u64) -> Extent {
    Extent::CeilDiv { dim: dim.into(), by }
}

fn axis(terms: &[(&str, u64)], tile: u64) -> Axis {
    Axis { terms: terms.iter().map(|(n, s)| (n.to_string(), *s)).collect(), tile }
}

fn stream(name: &str, dir: Dir, loops: &[(&str, Extent)], lanes: u64, lane_bits: u32, axes: Vec<Axis>) -> Stream {
    let loops = loops.iter().map(|(n, e)| LoopVar { name: n.to_string(), extent: e.clone() }).collect();
    let lanes = vec![LaneVar { name: "c".into(), extent: lanes }];
    let code = if name == "b" { "excess128" } else { "plain" }.to_string();
    let layout = Layout { loops, lanes, group: 1, lane_bits, code, axes, shape: vec![] };
    Stream { name: name.into(), dir, layout, signed: true, last: dir == Dir::Out, doc: String::new() }
}

fn tensor(name: &str, role: Role, dtype: DType, shape: &[&str], carrier: Carrier) -> TensorSpec {
    let shape = shape.iter().map(|s| s.parse().map_or(DimSpec::Named(s.to_string()), DimSpec::Fixed)).collect();
    let default = (name == "bias").then_some(0);
    let range = dtype.bounds().expect("an integer type");
    TensorSpec { name: name.into(), role, dtype, shape, range, default, carrier, doc: String::new() }
}

fn field(name: &str, lsb: u32, width: u32, access: Access, value: FieldValue) -> Field {
    let max = (1 << width) - 1;
    Field { name: name.into(), lsb, width, access, min: 0, max, reset: 0, value, doc: String::new() }
}

fn register(name: &str, offset: u32, fields: Vec<Field>) -> Register {
    Register { name: name.into(), offset, fields, doc: String::new() }
}

fn interface() -> Interface {
    use Access::{ReadWrite, WriteOneToClear};
    let extent = |dim, by| FieldValue::Extent(ceil(dim, by));
    let on = |name: &str| Carrier::Stream(name.into());
    let (t, n) = (("t", ceil("T", 1)), ("n", ceil("N", 1)));
    let x = [t.clone(), n.clone(), ("k", ceil("K", 4))];
    let b = [t.clone(), ("n", ceil("N", 2))];
    let y = [t, n];
    Interface {
        top: "row_sum".into(),
        sizes: vec![],
        tensors: vec![
            tensor("x", Role::In, DType::I8, &["N", "K"], on("x")),
            tensor("b", Role::In, DType::I8, &["T", "N"], on("b")),
            tensor("bias", Role::In, DType::I8, &["1"], Carrier::Fields(vec!["bias".into()])),
            tensor("y", Role::Out, DType::I16, &["T", "N"], on("y")),
        ],
        streams: vec![
            stream("x", Dir::In, &x, 4, 8, vec![axis(&[("n", 1)], 1), axis(&[("k", 4), ("c", 1)], 4)]),
            stream("b", Dir::In, &b, 2, 8, vec![axis(&[("t", 1)], 1), axis(&[("n", 2), ("c", 1)], 2)]),
            stream("y", Dir::Out, &y, 1, 16, vec![axis(&[("t", 1)], 1), axis(&[("n", 1)], 1)]),
        ],
        registers: vec![
            register(
                "size",
                0,
                vec![
                    field("rows", 0, 16, ReadWrite, extent("N", 1)),
                    field("slabs", 16, 16, ReadWrite, extent("K", 4)),
                ],
            ),
            register(
                "passes",
                4,
                vec![
                    field("passes", 0, 16, ReadWrite, extent("T", 1)),
                    field("bias", 16, 8, ReadWrite, FieldValue::Element { tensor: "bias".into(), index: 0 }),
                ],
            ),
            register("status", 8, vec![field("seen_min", 0, 1, WriteOneToClear, FieldValue::None)]),
        ],
    }
}

/// A job of the given sizes with values from a seed, none of them -128.
fn job(t: usize, n: usize, k: usize, seed: u64) -> Job {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut values = |count: usize| -> Vec<i64> {
        let mut next = || {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            (state >> 40) as i64 % 255 - 127
        };
        (0..count).map(|_| next()).collect()
    };
    let dims = [("T", t), ("N", n), ("K", k)].map(|(d, v)| (d.to_string(), v as u64));
    let tensors = [
        ("x", Tensor::new(DType::I8, [n, k], values(n * k))),
        ("b", Tensor::new(DType::I8, [t, n], values(t * n))),
        ("bias", Tensor::new(DType::I8, [1], values(1))),
    ];
    let tensors = tensors.into_iter().map(|(name, tensor)| (name.to_string(), tensor)).collect();
    Job { dims: Dims::from(dims), tensors }
}

fn encode(code: &str, values: &[i64]) -> u64 {
    assert_eq!(code, "excess128");
    (values[0] + 128) as u64
}

/// The model of the fixture.
struct RowSum;

impl Subject for RowSum {
    fn golden(&self, job: &Job) -> BTreeMap<String, Tensor> {
        let (x, b) = (&job.tensors["x"], &job.tensors["b"]);
        let bias = job.tensors.get("bias").map_or(0, |t| t.data[0]);
        let (t, n, k) = (b.shape[0], b.shape[1], x.shape[1]);
        let sum = |row: usize| x.data[row * k..][..k].iter().sum::<i64>();
        let data = (0..t * n).map(|i| bias + b.data[i] + sum(i % n)).collect();
        BTreeMap::from([("y".to_string(), Tensor::new(DType::I16, [t, n], data))])
    }
    fn schedule(&self, dims: &Dims) -> u64 {
        dims["T"] * dims["N"] * dims["K"].div_ceil(4) + 1
    }
    fn encode(&self, code: &str, values: &[i64]) -> u64 {
        encode(code, values)
    }
    fn coverage(&self) -> Vec<&'static str> {
        vec!["one element", "ragged"]
    }
    fn corners(&self) -> Vec<Stimulus> {
        vec![
            Stimulus { name: "one element".into(), job: job(1, 1, 1, 1), covers: vec!["one element"] },
            Stimulus { name: "ragged".into(), job: job(2, 7, 9, 2), covers: vec!["ragged"] },
        ]
    }
    fn random_job(&self, seed: u64) -> Job {
        job(1 + seed as usize % 3, 1 + seed as usize % 11, 1 + seed as usize % 13, seed)
    }
    fn operands(&self, job: &Job, tensor: &str, index: usize) -> Vec<Operand> {
        assert_eq!(tensor, "y");
        let (x, b) = (&job.tensors["x"], &job.tensors["b"]);
        let (row, k) = (index % x.shape[0], x.shape[1]);
        vec![
            Operand { name: format!("x[{row}]"), values: x.data[row * k..][..k].to_vec() },
            Operand { name: "b".into(), values: vec![b.data[index]] },
        ]
    }
}

/// Builds the fixture with a piece of its text replaced.
fn build(from: &str, to: &str) -> Simulator {
    assert!(from.is_empty() || VERILOG.matches(from).count() == 1, "`{from}` stands once in the fixture");
    let text = if from.is_empty() { VERILOG.to_string() } else { VERILOG.replace(from, to) };
    let files = [SourceFile { path: "rtl/row_sum.v".into(), text }];
    let tools = Tools::discover().expect("a place for the tools");
    let options = Options { watchdog: 500, ..Options::default() };
    Simulator::build(&interface(), &files, &tools, options).unwrap_or_else(|e| panic!("{e}"))
}

fn whole() -> Simulator {
    build("", "")
}

fn verified(simulator: &Simulator, jobs: u64, waves: Option<&Path>) -> VerifyReport {
    let command = "bitlathe verify row_sum.toml".to_string();
    let options = VerifyOptions { jobs, seed: 40, threads: Some(2), command, waves: waves.map(Path::to_path_buf) };
    verify(&RowSum, simulator, &options, &|_, _| ()).expect("threads and folders")
}

#[test]
fn every_stall_mode_gives_the_models_outputs() {
    let simulator = whole();
    let job = job(3, 50, 21, 5);
    let expected = RowSum.golden(&job);
    let mut cycles = BTreeMap::new();
    for mode in StallMode::ALL {
        let run =
            simulator.run(&job, &encode, Stalls { mode, seed: 9 }, None).unwrap_or_else(|e| panic!("{mode}: {e}"));
        assert_eq!(run.outputs, expected, "{mode}");
        assert_eq!(run.flags, BTreeMap::new(), "{mode}");
        assert_eq!(run.beats, [("b", 75), ("x", 900), ("y", 150)].map(|(n, b)| (n.to_string(), b)).into());
        assert_eq!(run.stalled["y"] > 0, matches!(mode, StallMode::Backpressure | StallMode::Both), "{mode}");
        assert_eq!(run.beat_cycles["y"].len(), 150);
        cycles.insert(mode.to_string(), run.cycles);
    }
    assert_eq!(cycles["no stalls"], RowSum.schedule(&job.dims));
    assert!(cycles.iter().all(|(mode, c)| mode == "no stalls" || *c > cycles["no stalls"]), "{cycles:?}");
}

#[test]
fn a_seed_repeats_its_stalls_and_another_does_not() {
    let simulator = whole();
    let job = job(1, 30, 8, 6);
    let run = |seed| simulator.run(&job, &encode, Stalls { mode: StallMode::Both, seed }, None).expect("finishes");
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).beat_cycles, run(2).beat_cycles);
}

#[test]
fn verification_fills_the_coverage_and_passes() {
    let calls = Mutex::new(Vec::new());
    let command = "bitlathe verify row_sum.toml".to_string();
    let options = VerifyOptions { jobs: 20, seed: 1, threads: Some(2), command, waves: None };
    let told = |done, of| calls.lock().expect("no panic in a progress call").push((done, of));
    let report = verify(&RowSum, &whole(), &options, &told).expect("threads");
    assert!(report.passed(), "{:?}", report.failures);
    assert_eq!((report.jobs, report.mismatches), (22, 0));
    assert_eq!(report.coverage, [("one element", 1), ("ragged", 1)].map(|(n, j)| (n.to_string(), j)).into());
    let elements = |i: u64| (1 + i % 3) * (1 + i % 11);
    assert_eq!(report.outputs_compared, 4 * (1 + 14 + (1..=20).map(elements).sum::<u64>()));
    let mut calls = calls.into_inner().expect("no panic in a progress call");
    calls.sort();
    assert_eq!(calls, (1..=22).map(|n| (n, 22)).collect::<Vec<_>>());
}

#[test]
fn an_uncovered_point_is_a_failure() {
    struct Demanding;
    impl Subject for Demanding {
        fn golden(&self, job: &Job) -> BTreeMap<String, Tensor> {
            RowSum.golden(job)
        }
        fn schedule(&self, dims: &Dims) -> u64 {
            RowSum.schedule(dims)
        }
        fn encode(&self, code: &str, values: &[i64]) -> u64 {
            encode(code, values)
        }
        fn coverage(&self) -> Vec<&'static str> {
            vec!["all extremes"]
        }
        fn corners(&self) -> Vec<Stimulus> {
            vec![]
        }
        fn random_job(&self, seed: u64) -> Job {
            RowSum.random_job(seed)
        }
        fn operands(&self, job: &Job, tensor: &str, index: usize) -> Vec<Operand> {
            RowSum.operands(job, tensor, index)
        }
    }
    let options = VerifyOptions { jobs: 1, seed: 1, threads: Some(1), command: String::new(), waves: None };
    let report = verify(&Demanding, &whole(), &options, &|_, _| ()).expect("threads");
    assert_eq!((report.failures.len(), &report.uncovered[..]), (0, &["all extremes".to_string()][..]));
    assert!(!report.passed());
}

#[test]
fn a_dropped_handshake_names_the_blocked_stream() {
    let simulator = build("(half || last_row)", "(half && last_row)");
    let error = simulator.run(&job(1, 9, 4, 1), &encode, Stalls::NONE, None).expect_err("b is never taken");
    let SimError::Blocked(blocked) = &error else { panic!("{error}") };
    let named: Vec<_> = blocked.streams.iter().map(|s| (s.name.as_str(), s.valid, s.ready, s.done, s.beats)).collect();
    assert_eq!(named, [("b", true, false, 0, 5)]);
    let text = error.to_string();
    assert!(text.contains("input `b` has valid = 1, ready = 0 after 0 of 5 beats"), "{text}");
    assert!(text.contains("no stream accepted a beat for 500 cycles"), "{text}");
}

#[test]
fn a_silent_output_is_named_too() {
    let simulator = build("y_valid_o <= 1'b1;", "y_valid_o <= 1'b0;");
    let error = simulator.run(&job(2, 9, 4, 1), &encode, Stalls::NONE, None).expect_err("y never comes");
    let SimError::Blocked(blocked) = &error else { panic!("{error}") };
    assert_eq!(blocked.streams.len(), 1, "the inputs were taken: {error}");
    assert!(error.to_string().contains("output `y` has valid = 0, ready = 1 after 0 of 18 beats"), "{error}");
}

#[test]
fn a_lost_output_beat_is_noticed_by_last() {
    let simulator = build("y_valid_o <= 1'b1;", "y_valid_o <= row != 16'd3;");
    let error = simulator.run(&job(1, 9, 4, 1), &encode, Stalls::NONE, None).expect_err("a beat of y is lost");
    let SimError::Protocol(violation) = &error else { panic!("{error}") };
    assert_eq!((violation.rule, violation.beat, violation.beats), (Rule::LastEarly, 7, 9));
}

#[test]
fn a_wrong_bit_is_reported_with_operands_and_a_wave() {
    let simulator = build("y_data_o <= sum +", "y_data_o <= {15'd0, row == 16'd5} ^ sum +");
    let folder = tempfile::tempdir().expect("a folder");
    let report = verified(&simulator, 0, Some(folder.path()));
    let [failure] = &report.failures[..] else { panic!("{:?}", report.failures) };
    let FailureKind::Mismatch(found) = &failure.kind else { panic!("{failure}") };
    assert_eq!((found.tensor.as_str(), found.index, &found.position[..]), ("y", 5, &[0, 5][..]));
    assert_eq!((found.expected ^ found.got, found.differing, found.compared), (1, 2, 14));
    assert_eq!(found.operands, RowSum.operands(&job(2, 7, 9, 2), "y", 5));
    assert_eq!(report.mismatches, 2);
    let text = failure.to_string();
    assert!(text.contains("to repeat: bitlathe verify row_sum.toml --jobs 0 --seed 40"), "{text}");
    assert!(text.contains("x[5] = ["), "{text}");

    let cycle = found.cycle.expect("the beat's cycle is known");
    let path = failure.wave.as_ref().expect("a wave of the first failure");
    assert_eq!(path.extension().and_then(|e| e.to_str()), Some("fst"));
    let shown = values_at(path, "y_data_o", 10 * cycle);
    assert_eq!(shown, Some(format!("{:016b}", found.got as u16)), "the wave shows the wrong beat at its cycle");
}

#[test]
fn a_wave_holds_its_window_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("window.fst");
    let wave = Wave { window: (100, 120), ..Wave::whole(&path) };
    whole().run(&job(1, 60, 16, 3), &encode, Stalls::NONE, Some(wave)).expect("finishes");
    let wave = wellen::simple::read(&path).expect("a readable FST");
    let times = wave.time_table();
    assert_eq!((&times[..2], times.last()), (&[0, 1000][..], Some(&1205)), "nothing is known before the window");
    assert_eq!(wave.hierarchy().timescale().map(|t| (t.factor, t.unit)), Some((1, wellen::TimescaleUnit::NanoSeconds)));
}

/// The bits of a top-level signal at a time.
fn values_at(path: &Path, name: &str, time: u64) -> Option<String> {
    let mut wave = wellen::simple::read(path).expect("a readable FST");
    let hierarchy = wave.hierarchy();
    let var = hierarchy.all_vars().map(|v| &hierarchy[v]).find(|v| v.name(hierarchy) == name)?;
    let signal = var.signal_ref();
    wave.load_signals(&[signal]);
    let index = wave.time_table().iter().rposition(|t| *t <= time)? as u32;
    let signal = wave.get_signal(signal)?;
    let offset = signal.get_offset(index)?;
    match signal.get_value_at(&offset, 0) {
        wellen::SignalValueRef::BitVec(bits) => Some(bits.bit_string()),
        _ => None,
    }
}

#[test]
fn protocol_violations_are_named() {
    let cases = [
        ("wire out_free = !y_valid_o || y_ready_i;", "wire out_free = 1'b1;", Rule::DataChanged),
        ("if (y_ready_i) y_valid_o", "y_valid_o", Rule::ValidDropped),
        ("y_last_o <= last_row && last_pass;", "y_last_o <= 1'b0;", Rule::LastMissing),
        ("y_last_o <= last_row && last_pass;", "y_last_o <= last_row;", Rule::LastEarly),
        ("if (y_ready_i) y_valid_o <= 1'b0;", "if (y_ready_i && !y_last_o) y_valid_o <= 1'b0;", Rule::ExtraBeat),
    ];
    for (from, to, rule) in cases {
        let stalls = Stalls { mode: StallMode::Backpressure, seed: 3 };
        let error = build(from, to).run(&job(2, 40, 3, 1), &encode, stalls, None).expect_err(to);
        let SimError::Protocol(violation) = error else { panic!("{to}: {error}") };
        assert_eq!((violation.rule, violation.stream.as_str()), (rule, "y"), "{to}");
    }
}

#[test]
fn state_left_by_a_job_is_found_and_told_apart() {
    let simulator = build("half <= last_row ? 1'b0 : !half;", "half <= !half;");
    let alone = job(1, 7, 9, 2);
    let run = simulator.run(&alone, &encode, Stalls::NONE, None).expect("finishes");
    assert_eq!(compare(&RowSum, &simulator, &alone, &run).expect("comparable"), None, "a single job is right");
    let folder = tempfile::tempdir().expect("a folder");
    let report = verified(&simulator, 0, Some(folder.path()));
    let failure = report.failures.iter().find(|f| f.job == "one element").expect("the next job is wrong");
    assert!(failure.after_other_jobs, "{failure}");
    assert_eq!(failure.stalls.mode, StallMode::IdleSource);
}

#[test]
fn a_wrong_schedule_fails() {
    let simulator = build(
        "x_ready_o = !last_slab || (b_valid_i",
        "x_ready_o = (!last_slab && !y_valid_o) || (last_slab && b_valid_i",
    );
    let report = verified(&simulator, 0, None);
    let [failure] = &report.failures[..] else { panic!("{:?}", report.failures) };
    assert!(matches!(failure.kind, FailureKind::Schedule { predicted: 43, simulated: 44.. }), "{failure}");
    assert_eq!(failure.stalls.mode, StallMode::None);
}

#[test]
fn sticky_flags_are_reported_once() {
    let simulator = whole();
    let (mut extreme, calm) = (job(1, 3, 4, 1), job(1, 3, 4, 2));
    extreme.tensors.get_mut("x").expect("x").data[4] = -128;
    let mut instance = simulator.instance(1, false).expect("an instance");
    let run = instance.run(&extreme, &encode, Stalls::NONE, None).expect("finishes");
    assert_eq!(run.flags, BTreeMap::from([("seen_min".to_string(), 1)]));
    let run = instance.run(&calm, &encode, Stalls::NONE, None).expect("finishes");
    assert_eq!(run.flags, BTreeMap::new());
}

#[test]
fn registers_are_read_back() {
    let simulator = build("2'd1: {bias, passes} <= reg_wdata_i[23:0];", "2'd1: passes <= reg_wdata_i[15:0];");
    let error = simulator.run(&job(1, 1, 1, 1), &encode, Stalls::NONE, None).expect_err("bias is not kept");
    assert!(matches!(&error, SimError::Register { register, .. } if register == "passes"), "{error}");
}

#[test]
fn an_absent_tensor_takes_its_default_or_is_named() {
    let simulator = whole();
    let mut job = job(1, 5, 5, 4);
    job.tensors.remove("bias");
    let run = simulator.run(&job, &encode, Stalls::NONE, None).expect("bias is 0");
    assert_eq!(run.outputs, RowSum.golden(&job));
    job.tensors.remove("x");
    let error = simulator.run(&job, &encode, Stalls::NONE, None).expect_err("x has no default");
    assert_eq!(error.to_string(), "tensor `x` is not given");
}

#[test]
fn broken_verilog_shows_what_verilator_says() {
    let files = [SourceFile { path: "row_sum.v".into(), text: VERILOG.replace("endmodule", "endmodul") }];
    let tools = Tools::discover().expect("a place for the tools");
    let built = Simulator::build(&interface(), &files, &tools, Options::default());
    let error = built.err().expect("a syntax error").to_string();
    assert!(error.starts_with("Verilator refused the model:") && error.contains("row_sum.v:"), "{error}");
}

#[test]
fn a_port_of_another_width_is_refused() {
    let text = VERILOG.replace("input wire [31:0] x_data_i", "input wire [63:0] x_data_i");
    let files = [SourceFile { path: "row_sum.v".into(), text }];
    let tools = Tools::discover().expect("a place for the tools");
    let error = Simulator::build(&interface(), &files, &tools, Options::default()).err().expect("too wide").to_string();
    assert!(error.contains("`x_data_i` is not 32 bits wide"), "{error}");
}

/// A register stage without a register port: what goes in comes out.
fn echo(bits: u64) -> (Interface, SourceFile) {
    let top = bits - 1;
    let text = format!(
        "module echo #(parameter IMPL = 1) (input wire clk_i, input wire rst_i,
           input wire a_valid_i, output wire a_ready_o, input wire [{top}:0] a_data_i,
           output reg z_valid_o, input wire z_ready_i, output reg [{top}:0] z_data_o, output wire z_last_o);
         assign a_ready_o = !z_valid_o || z_ready_i;
         reg [7:0] left;
         assign z_last_o = left == 8'd1;
         always @(posedge clk_i) begin
           if (rst_i) begin z_valid_o <= 1'b0; left <= 8'd50; end
           else begin
             if (a_ready_o) z_valid_o <= a_valid_i;
             if (z_valid_o && z_ready_i) left <= left - 8'd1;
           end
           if (a_ready_o && a_valid_i) z_data_o <= a_data_i;
         end
       endmodule"
    );
    let stream = |name, dir| {
        let n = [("n", ceil("N", 1))];
        stream(name, dir, &n, bits, 1, vec![axis(&[("n", 1)], 1), axis(&[("c", 1)], bits)])
    };
    let tensor =
        |name: &str, role| tensor(name, role, DType::I8, &["N", &bits.to_string()], Carrier::Stream(name.to_string()));
    let interface = Interface {
        top: "echo".into(),
        sizes: vec![],
        tensors: vec![tensor("a", Role::In), tensor("z", Role::Out)],
        streams: vec![stream("a", Dir::In), stream("z", Dir::Out)],
        registers: vec![],
    };
    (interface, SourceFile { path: "echo.v".into(), text })
}

#[test]
fn beats_of_every_storage_width_pass_unchanged() {
    let tools = Tools::discover().expect("a place for the tools");
    for bits in [1, 9, 20, 40, 100] {
        let (interface, file) = echo(bits);
        let simulator =
            Simulator::build(&interface, &[file], &tools, Options::default()).unwrap_or_else(|e| panic!("{e}"));
        let data: Vec<i64> = job(1, 50, bits as usize, bits).tensors["x"].data.iter().map(|v| -(v & 1)).collect();
        let sent = Tensor::new(DType::I8, [50, bits as usize], data);
        let dims = Dims::from([("N".to_string(), 50)]);
        let job = Job { dims, tensors: BTreeMap::from([("a".to_string(), sent.clone())]) };
        let stalls = Stalls { mode: StallMode::Both, seed: bits };
        let run = simulator.run(&job, &encode, stalls, None).unwrap_or_else(|e| panic!("{bits} bits: {e}"));
        assert_eq!(run.outputs["z"], sent, "{bits} bits");
    }
}
