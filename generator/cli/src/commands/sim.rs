//! `bitlathe sim`: a job on the core's Verilog, compared with the model.

use bitlathe_cores::Core;
use bitlathe_flow::sim::{Run, StallMode, Stalls, Wave};
use bitlathe_flow::verify::{Mismatch, compare};
use bitlathe_spec::Dims;
use serde_json::{Value, json};

use super::golden::{Prepared, described, listing, prepare, sizes};
use super::{Context, identity, merge, rtl};
use crate::args::Sim;
use crate::job;
use crate::report::{Done, Exit, Failure};
use crate::text::thousands;

/// Runs the hardware.
pub fn run(context: &Context, args: &Sim) -> Result<Done, Failure> {
    let config = context.load(&args.job.config)?;
    let core = config.core.as_ref();
    let Prepared { job, mut files, staged } = prepare(core, &args.job)?;
    let wave = args.wave.as_deref().map(|w| files.stage(w)).transpose().map_err(|f| Failure::input(vec![f]))?;
    let simulator = context.simulator(core, &rtl(core)?)?;
    let stalls = args.stalls.map_or(Stalls::NONE, |seed| Stalls { mode: StallMode::Both, seed });
    let spinner = context.progress.spinner("simulating");
    let encode = |code: &str, values: &[i64]| core.encode(code, values);
    let run = simulator.run(&job, &encode, stalls, wave.as_deref().map(Wave::whole))?;
    let mismatch = compare(core, &simulator, &job, &run)?;
    spinner.finish_and_clear();
    job::write(&staged, &run.outputs)?;
    files.commit()?;
    let result = Judged::new(core, &job.dims, &run, stalls, mismatch);
    let mut text = format!("{}\n{}{}", sizes(core, &job.dims), listing(&run.outputs, &args.job.outputs), result.text());
    if !result.wrong().is_empty() && args.wave.is_none() {
        text.push_str("to see it: the same command with --wave job.fst\n");
    }
    let outputs =
        json!({ "sizes": job.dims, "outputs": described(&run.outputs, &args.job.outputs), "wave": args.wave });
    let done = Done::new(text, merge([identity(core), result.json(), outputs]));
    Ok(Done { exit: if result.wrong().is_empty() { Exit::Success } else { Exit::No }, ..done })
}

/// A run held against model and schedule.
struct Judged<'a> {
    run: &'a Run,
    stalls: Stalls,
    predicted: u64,
    useful: u64,
    utilization: f64,
    op: &'static str,
    mismatch: Option<Mismatch>,
}

impl<'a> Judged<'a> {
    fn new(core: &dyn Core, dims: &Dims, run: &'a Run, stalls: Stalls, mismatch: Option<Mismatch>) -> Self {
        let (predicted, useful) = (core.schedule(dims), core.useful_ops(dims));
        let peak = core.ops_per_cycle() as f64 * run.cycles as f64;
        let utilization = if peak > 0.0 { useful as f64 / peak } else { 0.0 };
        Self { run, stalls, predicted, useful, utilization, op: core.op(), mismatch }
    }

    /// Everything in which the run is not as it should be.
    fn wrong(&self) -> Vec<String> {
        let mut wrong: Vec<String> = self.mismatch.iter().map(|m| format!("model and hardware differ: {m}")).collect();
        if self.stalls.mode == StallMode::None && self.predicted != self.run.cycles {
            wrong.push(format!("the schedule says {} cycles, the hardware took {}", self.predicted, self.run.cycles));
        }
        if !self.run.flags.is_empty() {
            wrong.push(format!("the job left the status fields {:?} set", self.run.flags));
        }
        wrong
    }

    fn text(&self) -> String {
        let run = self.run;
        let mut text = format!(
            "{} cycles ({} predicted without stalls), {} useful {}s, utilization {:.3}\n",
            thousands(run.cycles),
            thousands(self.predicted),
            thousands(self.useful),
            self.op,
            self.utilization
        );
        for (stream, cycles) in &run.stalled {
            let beats = run.beats.get(stream).copied().unwrap_or(0);
            text.push_str(&format!("{stream}: {} beats, {} cycles stalled\n", thousands(beats), thousands(*cycles)));
        }
        let wrong = self.wrong();
        if wrong.is_empty() {
            text.push_str("equal to the model in every element\n");
        }
        text + &wrong.iter().map(|w| format!("WRONG: {w}\n")).collect::<String>()
    }

    fn json(&self) -> Value {
        json!({
            "cycles": self.run.cycles,
            "predicted_cycles": self.predicted,
            "useful_ops": self.useful,
            "utilization": self.utilization,
            "stalled": self.run.stalled,
            "beats": self.run.beats,
            "stalls": self.stalls,
            "flags": self.run.flags,
            "matches_model": self.mismatch.is_none(),
            "mismatch": self.mismatch,
        })
    }
}
