//! `bitlathe sim`: a job on the core's Verilog, compared with the model.

use std::path::PathBuf;

use bitlathe_cores::{Activity, Core};
use bitlathe_flow::sim::{Busy, Run, Simulator, StallMode, Stalls, Wave, scopes};
use bitlathe_flow::verify::{Mismatch, compare};
use bitlathe_spec::Dims;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::golden::{Prepared, described, listing, prepare, sizes};
use super::{Context, identity, merge, rtl};
use crate::args::Sim;
use crate::gantt::Gantt;
use crate::job;
use crate::report::{Done, Exit, Failure, Finding};
use crate::text::thousands;

/// Runs the hardware.
pub fn run(context: &Context, args: &Sim) -> Result<Done, Failure> {
    let config = context.load(&args.job.config)?;
    let core = config.core.as_ref();
    let Prepared { job, mut files, staged } = prepare(core, &args.job)?;
    let [wave, gantt] = [&args.wave, &args.gantt].map(|file| file.as_deref().map(|f| files.stage(f)).transpose());
    let recorder = Recorder::new(core, wave.map_err(refused)?, gantt.map_err(refused)?)?;
    let simulator = context.simulator(core, &rtl(core)?)?;
    let stalls = args.stalls.map_or(Stalls::NONE, |seed| Stalls { mode: StallMode::Both, seed });
    let spinner = context.progress.spinner("simulating");
    let encode = |code: &str, values: &[i64]| core.encode(code, values);
    let run = simulator.run(&job, &encode, stalls, recorder.wave())?;
    let mismatch = compare(core, &simulator, &job, &run)?;
    let busy = recorder.draw(&simulator, &run, &sizes(core, &job.dims))?;
    spinner.finish_and_clear();
    job::write(&staged, &run.outputs)?;
    files.commit()?;
    let result = Judged::new(core, &job.dims, &run, stalls, mismatch, busy);
    let mut text = format!("{}\n{}{}", sizes(core, &job.dims), listing(&run.outputs, &args.job.outputs), result.text());
    if !result.wrong().is_empty() && args.wave.is_none() {
        text.push_str("to see it: the same command with --wave job.fst\n");
    }
    let outputs = json!({ "sizes": job.dims, "outputs": described(&run.outputs, &args.job.outputs), "wave": args.wave, "gantt": args.gantt });
    let done = Done::new(text, merge([identity(core), result.json(), outputs]));
    Ok(Done { exit: if result.wrong().is_empty() { Exit::Success } else { Exit::No }, ..done })
}

fn refused(finding: Finding) -> Failure {
    Failure::input(vec![finding])
}

/// What is recorded of a run beside its outputs.
struct Recorder {
    activities: Vec<Activity>,
    /// Modules that the picture alone needs; a wave that is asked for has all.
    scopes: Vec<String>,
    wave: Option<PathBuf>,
    gantt: Option<PathBuf>,
    /// Holds the wave that only the picture needs.
    folder: Option<TempDir>,
}

impl Recorder {
    fn new(core: &dyn Core, wave: Option<PathBuf>, gantt: Option<PathBuf>) -> Result<Self, Failure> {
        let activities = core.activities();
        let (whole, pictured) = (wave.is_some(), gantt.is_some());
        let mut recorder = Self { activities, scopes: vec![], wave, gantt, folder: None };
        if pictured && !whole && !recorder.activities.is_empty() {
            let folder = tempfile::tempdir().map_err(|e| refused(Finding::new("E020", e.to_string())))?;
            recorder.scopes = scopes(&recorder.activities);
            recorder.wave = Some(folder.path().join("units.fst"));
            recorder.folder = Some(folder);
        }
        Ok(recorder)
    }

    fn wave(&self) -> Option<Wave<'_>> {
        self.wave.as_deref().map(|path| Wave { scopes: &self.scopes, ..Wave::whole(path) })
    }

    /// Draws the picture where one is asked for.
    fn draw(&self, simulator: &Simulator, run: &Run, sizes: &str) -> Result<Option<Vec<Busy>>, Failure> {
        let Some(path) = &self.gantt else { return Ok(None) };
        let busy = simulator.busy(run, self.wave.as_deref(), &self.activities)?;
        let title = format!("{}: {sizes}, {} cycles", simulator.interface().top, thousands(run.cycles));
        let gantt = Gantt { title, cycles: run.cycles, busy: &busy };
        gantt.write(path).map_err(|e| Failure::one(Exit::Tool, Finding::new("E020", e.to_string())))?;
        Ok(Some(busy))
    }
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
    busy: Option<Vec<Busy>>,
}

impl<'a> Judged<'a> {
    fn new(
        core: &dyn Core,
        dims: &Dims,
        run: &'a Run,
        stalls: Stalls,
        mismatch: Option<Mismatch>,
        busy: Option<Vec<Busy>>,
    ) -> Self {
        let (predicted, useful) = (core.schedule(dims), core.useful_ops(dims));
        let peak = core.ops_per_cycle() as f64 * run.cycles as f64;
        let utilization = if peak > 0.0 { useful as f64 / peak } else { 0.0 };
        Self { run, stalls, predicted, useful, utilization, op: core.op(), mismatch, busy }
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
        for busy in self.busy.iter().flatten().filter(|b| !b.is_stream) {
            text.push_str(&format!("{}, {}: {} cycles busy\n", busy.unit, busy.phase, thousands(busy.cycles())));
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
            "busy": self.busy.as_ref().map(|busy| busy.iter().map(described_busy).collect::<Vec<_>>()),
            "matches_model": self.mismatch.is_none(),
            "mismatch": self.mismatch,
        })
    }
}

fn described_busy(busy: &Busy) -> Value {
    json!({ "unit": busy.unit, "phase": busy.phase, "cycles": busy.cycles() })
}
