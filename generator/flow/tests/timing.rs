//! The timing diagram of the datasheet against a recording of the hardware, signal by signal and cycle by cycle.

use std::path::Path;

use bitlathe_cores::{Core, kinds};
use bitlathe_flow::generate::{self, Trace};
use bitlathe_flow::sim::{Options, Simulator, Stalls, Wave, pack_stream};
use bitlathe_flow::tools::Tools;
use bitlathe_spec::{Dims, Dir, Interface, Job, Role, Tensor};
use serde_json::{Value, json};

fn core(changes: &[(&str, &str, Value)]) -> Box<dyn Core> {
    let mut config = json!({
        "kind": "ternary-gemm", "name": "timed", "target": {"name": "kv260"}, "shape": {"k_max": 60, "m_max": 40},
        "parallel": {"k_lanes": 12, "m_lanes": 4, "batch": 1}, "lookup": {}, "weights": {}, "output": {},
    });
    for (table, key, value) in changes {
        config[table][key] = value.clone();
    }
    let kind = kinds().iter().find(|k| k.name() == "ternary-gemm").expect("registered");
    kind.configure(&config).unwrap_or_else(|e| panic!("{e:?}"))
}

/// A job of the given sizes with values that differ from beat to beat.
fn job(interface: &Interface, dims: &Dims) -> Job {
    let inputs = interface.tensors.iter().filter(|t| t.role == Role::In);
    let tensors = inputs.map(|spec| {
        let shape = spec.resolve(dims).expect("sizes");
        let (low, high) = spec.range;
        let data = (0..shape.iter().product::<usize>() as i64).map(|n| low + n * n % 251 % (high - low + 1)).collect();
        (spec.name.clone(), Tensor::new(spec.dtype, shape, data))
    });
    Job { dims: dims.clone(), tensors: tensors.collect() }
}

/// The bits of every signal of the top at the rising edges of a recorded job: `signals[name][cycle]`.
struct Recording(wellen::simple::Waveform);

impl Recording {
    fn read(path: &Path) -> Self {
        Self(wellen::simple::read(path).expect("a readable FST"))
    }

    /// Value of a signal in each of the job's cycles, just before the rising edge that ends it.
    fn values(&mut self, name: &str, cycles: usize) -> Vec<String> {
        let hierarchy = self.0.hierarchy();
        let var = hierarchy.all_vars().map(|v| &hierarchy[v]).find(|v| v.name(hierarchy) == name);
        let signal = var.unwrap_or_else(|| panic!("`{name}` is not recorded")).signal_ref();
        self.0.load_signals(&[signal]);
        let at = |cycle: usize| {
            let index = self.0.time_table().iter().rposition(|t| *t <= 10 * cycle as u64)? as u32;
            let signal = self.0.get_signal(signal)?;
            match signal.get_value_at(&signal.get_offset(index)?, 0) {
                wellen::SignalValueRef::BitVec(bits) => Some(bits.bit_string()),
                _ => None,
            }
        };
        (0..cycles).map(|c| at(c).unwrap_or_else(|| panic!("`{name}` is unknown in cycle {c}"))).collect()
    }
}

/// The beats of a stream as bits, highest first.
fn beats(core: &dyn Core, job: &Job, name: &str) -> Vec<String> {
    let interface = core.interface();
    let stream = interface.stream(name).expect("a stream");
    let golden = core.golden(job);
    let tensor = if stream.dir == Dir::In { &job.tensors[name] } else { &golden[name] };
    let bytes = pack_stream(stream, &job.dims, tensor, &|code, values| core.encode(code, values)).expect("packs");
    let bits = stream.layout.beat_bits() as usize;
    let text = |beat: &[u8]| {
        let all: String = beat.iter().rev().map(|b| format!("{b:08b}")).collect();
        all[all.len() - bits..].to_string()
    };
    bytes.chunks(bits.div_ceil(8)).map(text).collect()
}

/// Every known value of the diagram is what the hardware shows in that cycle; gives the number of values compared.
fn compare(core: &dyn Core, trace: &Trace, job: &Job, recording: &mut Recording) -> usize {
    let mut compared = 0;
    for signal in trace.signals.iter().filter(|s| !s.name.starts_with("reg_")) {
        let shown = &signal.values[trace.lead..];
        let recorded = recording.values(&signal.name, shown.len());
        let stream = signal.name.split('_').next().expect("a stream");
        let beats = beats(core, job, stream);
        for (cycle, (shown, recorded)) in shown.iter().zip(&recorded).enumerate() {
            let Some(shown) = shown else { continue };
            let expected = match shown.parse::<usize>() {
                Ok(beat) if signal.bus => &beats[beat % beats.len()],
                _ => shown,
            };
            assert_eq!(recorded, expected, "{} in cycle {cycle} of {}", signal.name, core.config());
            compared += 1;
        }
    }
    compared
}

#[test]
fn the_timing_diagram_is_what_the_hardware_does() {
    let requant = [("output", "kind", json!("requant")), ("output", "shift", json!(9)), ("act", "bits", json!(8))];
    let resident = [("weights", "source", json!("resident")), ("output", "per_row", json!(true))];
    let batch =
        [("parallel", "batch", json!(2)), ("weights", "planes", json!(2)), ("lookup", "style", json!("addsub"))];
    let tools = Tools::discover().expect("tools");
    for core in [core(&[]), core(&[&requant[..], &resident].concat()), core(&batch)] {
        let core = core.as_ref();
        let trace = generate::timing(core).expect("a schedule").expect("one that tells single beats");
        let interface = core.interface();
        let job = job(&interface, &trace.dims);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("job.fst");
        let rtl = generate::print(core).expect("prints");
        let simulator = Simulator::build(&interface, &rtl.files, &tools, Options::default()).expect("builds");
        let encode = |code: &str, values: &[i64]| core.encode(code, values);
        let run = simulator.run(&job, &encode, Stalls::NONE, Some(Wave::whole(&path))).expect("finishes");
        assert_eq!(run.cycles as usize, trace.signals[0].values.len() - trace.lead);
        let compared = compare(core, &trace, &job, &mut Recording::read(&path));
        assert!(compared > 6 * run.cycles as usize, "only {compared} values are known");
    }
}
