//! The models of softmax against Python's integers, fractions and decimals, and their error figures against numpy.

use std::path::Path;
use std::time::Duration;

use bitlathe_flow::{npy, process, tools::Tools};
use bitlathe_golden::softmax::{ITAMAX_BLOCK, Method, Output, Passes, Softmax};
use bitlathe_spec::{DType, Tensor};
use serde_json::{Value, json};

/// A job for the oracle.
struct Job {
    method: Method,
    scale: f64,
    passes: Passes,
    output: Output,
    x: Tensor,
}

impl Job {
    fn model(&self) -> Softmax {
        let exponential = self.method.exponential(self.scale).unwrap_or_else(|e| panic!("{}: {e}", self.method));
        Softmax { exponential, passes: self.passes, output: self.output, n_max: self.x.shape[1] }
    }

    fn options(&self) -> Value {
        let mut options = json!({"method": self.method.name(), "scale": self.scale, "output": self.output.name()});
        let mut set = |key: &str, value: Value| options[key] = value;
        match self.method {
            Method::LinMax { n } | Method::IBert { n } | Method::ShiftMax { n } => set("n", n.into()),
            Method::LinMaxPlus { width } | Method::ExpTable { width } => set("width", width.into()),
            Method::Base2 { octave_bits, width, line } => {
                set("octave_bits", octave_bits.into());
                set("width", width.into());
                set("line", line.into());
            }
            Method::Pwl { width, segments } => {
                set("width", width.into());
                set("segments", segments.into());
            }
            Method::ItaMax => {}
        }
        let (passes, lanes) = match self.passes {
            Passes::Three => (3, 1),
            Passes::Two { lanes } => (2, lanes),
            Passes::One { lanes } => (1, lanes),
        };
        set("passes", passes.into());
        set("lanes", lanes.into());
        options
    }

    /// Writes the job with the model's results.
    fn write(&self, folder: &Path) {
        std::fs::create_dir(folder).unwrap();
        let outputs = self.model().run(&self.x).unwrap_or_else(|e| panic!("{}: {e}", self.method));
        let tensors = [("x", Some(&self.x)), ("y", Some(&outputs.y))];
        let others = [("sum", outputs.sum.as_ref()), ("octave", outputs.octave.as_ref())];
        for (name, tensor) in tensors.into_iter().chain(others) {
            if let Some(tensor) = tensor {
                npy::write(&folder.join(format!("{name}.npy")), tensor).unwrap();
            }
        }
        std::fs::write(folder.join("softmax.json"), self.options().to_string()).unwrap();
    }
}

/// What the oracle says of the folders `0`, `1`, … in a folder.
fn oracle(folder: &Path, count: usize) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/softmax_oracle.py");
    let mut command = Tools::discover().unwrap().command("python").unwrap();
    command.arg(script).args((0..count).map(|i| i.to_string())).current_dir(folder);
    let output = process::run(&mut command, Duration::from_secs(300)).unwrap();
    let verdicts: Vec<Value> = output.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!(verdicts.len(), count, "{}", output.stderr);
    verdicts
}

/// Rows of 8-bit corners and of numbers without a pattern: differences of 255, 16 whole beats and a ragged one.
fn narrow(seed: i64) -> Tensor {
    let n = 261;
    let mut x = vec![-128; n];
    x[250] = 127;
    x.extend((0..n as i64).map(|i| 127 - i.min(255)));
    x.extend((0..n as i64).map(|i| (i * i * 31 + i * seed) % 256 - 128));
    x.extend((0..n as i64).map(|i| (i * i * 17 + i * seed) % 61 - 30));
    x.extend(vec![-77; n]);
    Tensor::new(DType::I8, [5, n], x)
}

/// Rows at the ends of int32, and falling from an end in growing steps.
fn wide() -> Tensor {
    let (low, high) = (i64::from(i32::MIN), i64::from(i32::MAX));
    let falling = (0..64).map(|i| high - (1i64 << (i / 2)) - i);
    let x = [vec![low; 64], (0..64).map(|i| if i % 3 == 0 { low } else { high }).collect(), falling.collect()].concat();
    Tensor::new(DType::I32, [3, 64], x)
}

fn walks(method: Method) -> Vec<(Passes, Output)> {
    let three = Output::ALL.map(|output| (Passes::Three, output)).to_vec();
    match method {
        Method::ItaMax => vec![(Passes::Two { lanes: ITAMAX_BLOCK }, Output::U8)],
        Method::Base2 { .. } => {
            let online = [
                (Passes::Two { lanes: 5 }, Output::Raw),
                (Passes::Two { lanes: 16 }, Output::U8),
                (Passes::One { lanes: 16 }, Output::Raw),
            ];
            [three, online.to_vec()].concat()
        }
        _ => three,
    }
}

#[test]
fn models_of_softmax_agree_with_fractions() {
    let mut jobs = vec![];
    for method in Method::ALL {
        let own = method.own_scale().map(|s| vec![s]);
        for scale in own.unwrap_or_else(|| vec![0.02, 0.05, 0.0625, 0.1234, 0.2, 0.68]) {
            let job = |(passes, output), x| Job { method, scale, passes, output, x };
            let seed = jobs.len() as i64;
            jobs.extend(walks(method).into_iter().map(|walk| job(walk, narrow(seed))));
            let raw = walks(method).into_iter().filter(|(_, output)| *output == Output::Raw);
            jobs.extend(raw.map(|walk| job(walk, wide())));
        }
    }
    // A narrow and a wide fraction, many octaves, and a row of 4096.
    let long = |i: i64| (i * 7919) % 255 - 127;
    let flat = Tensor::new(DType::I8, [2, 4096], (0..8192).map(|i| if i < 4096 { 9 } else { long(i) }).collect());
    for method in [
        Method::LinMax { n: 44 },
        Method::LinMaxPlus { width: 24 },
        Method::ExpTable { width: 8 },
        Method::Base2 { octave_bits: 3, width: 24, line: false },
        Method::Base2 { octave_bits: 4, width: 8, line: true },
        Method::Pwl { width: 8, segments: 8 },
        Method::IBert { n: 4 },
        Method::ShiftMax { n: 30 },
    ] {
        for output in [Output::Raw, Output::U16] {
            jobs.push(Job { method, scale: 0.03, passes: Passes::Three, output, x: flat.clone() });
        }
    }
    let folder = tempfile::tempdir().unwrap();
    for (i, job) in jobs.iter().enumerate() {
        job.write(&folder.path().join(i.to_string()));
    }
    for (job, verdict) in jobs.iter().zip(oracle(folder.path(), jobs.len())) {
        let what = format!("{} at {}, {:?}, {}", job.method, job.scale, job.passes, job.output.name());
        assert_eq!(verdict["difference"], Value::Null, "{what}");
        if job.passes == Passes::Three {
            check_figures(job, &verdict, &what);
        }
    }
}

/// The figures that the model reports are numpy's.
fn check_figures(job: &Job, verdict: &Value, what: &str) {
    let figures = job.model().figures(job.scale, &job.x).unwrap();
    for (name, ours) in [("total_variation", figures.worst_total_variation), ("max_error", figures.max_error)] {
        let theirs = verdict[name].as_f64().unwrap();
        assert!((ours - theirs).abs() < 1e-9, "{what}: {name} {ours}, numpy {theirs}");
    }
}

#[test]
fn the_oracle_sees_one_wrong_value() {
    let x = Tensor::new(DType::I8, [1, 3], vec![-128, 127, 126]);
    let job =
        Job { method: Method::ExpTable { width: 18 }, scale: 0.05, passes: Passes::Three, output: Output::Raw, x };
    let folder = tempfile::tempdir().unwrap();
    job.write(&folder.path().join("0"));
    let mut y = job.model().run(&job.x).unwrap().y;
    y.data[2] -= 1;
    npy::write(&folder.path().join("0/y.npy"), &y).unwrap();
    let verdict = &oracle(folder.path(), 1)[0];
    assert_eq!(verdict["difference"], "y[0, 2]: expected 249358, got 249357; 1 of 3 values differ");
}
