//! Judges a core's hardware against its model: corner and random jobs, every stall mode, results and cycles.
//!
//! Called by `bitlathe verify` and, for a single job, by `bitlathe sim`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use bitlathe_cores::{Core, Operand, Stimulus};
use bitlathe_spec::{Dims, Job, Tensor};
use rayon::prelude::*;
use serde::Serialize;
use thiserror::Error;

use crate::sim::{Instance, Run, SimError, Simulator, StallMode, Stalls, Wave};

/// What judging needs of a core; every [`Core`] is one.
pub trait Subject: Sync {
    /// Outputs of a job by the model.
    fn golden(&self, job: &Job) -> BTreeMap<String, Tensor>;
    /// Cycles of a job without stalls.
    fn schedule(&self, dims: &Dims) -> u64;
    /// The cycle of each beat of each stream, where the schedule tells it.
    fn beat_cycles(&self, _: &Dims) -> Option<Vec<Vec<u64>>> {
        None
    }
    /// The code of one lane.
    fn encode(&self, code: &str, values: &[i64]) -> u64;
    /// Coverage points to be filled.
    fn coverage(&self) -> Vec<&'static str>;
    /// Corner jobs.
    fn corners(&self) -> Vec<Stimulus>;
    /// A random job.
    fn random_job(&self, seed: u64) -> Job;
    /// What went into one output element.
    fn operands(&self, job: &Job, tensor: &str, index: usize) -> Vec<Operand>;
}

impl<C: Core + ?Sized> Subject for C {
    fn golden(&self, job: &Job) -> BTreeMap<String, Tensor> {
        Core::golden(self, job)
    }
    fn schedule(&self, dims: &Dims) -> u64 {
        Core::schedule(self, dims)
    }
    fn beat_cycles(&self, dims: &Dims) -> Option<Vec<Vec<u64>>> {
        Core::beat_cycles(self, dims)
    }
    fn encode(&self, code: &str, values: &[i64]) -> u64 {
        Core::encode(self, code, values)
    }
    fn coverage(&self) -> Vec<&'static str> {
        Core::coverage(self)
    }
    fn corners(&self) -> Vec<Stimulus> {
        Core::corners(self)
    }
    fn random_job(&self, seed: u64) -> Job {
        Core::random_job(self, seed)
    }
    fn operands(&self, job: &Job, tensor: &str, index: usize) -> Vec<Operand> {
        Core::operands(self, job, tensor, index)
    }
}

/// The first element in which hardware and model differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Mismatch {
    /// Output tensor.
    pub tensor: String,
    /// Row-major index of the element.
    pub index: usize,
    /// The same along each axis.
    pub position: Vec<usize>,
    /// Value by the model.
    pub expected: i64,
    /// Value by the hardware.
    pub got: i64,
    /// Elements that differ, in all outputs of the job.
    pub differing: u64,
    /// Elements compared.
    pub compared: u64,
    /// Cycle at which the hardware gave the element, counted from the start of the job.
    pub cycle: Option<u64>,
    /// What went into it.
    pub operands: Vec<Operand>,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { tensor, position, expected, got, differing, compared, .. } = self;
        write!(f, "{tensor}{position:?}: expected {expected}, got {got}; {differing} of {compared} elements differ")?;
        if let Some(cycle) = self.cycle {
            write!(f, "\n  at cycle {cycle} of the job")?;
        }
        self.operands.iter().try_for_each(|operand| write!(f, "\n  {}", in_short(operand)))
    }
}

/// Values of an operand that a report in text shows; the JSON has all.
const SHOWN: usize = 64;

fn in_short(operand: &Operand) -> String {
    let shown = &operand.values[..operand.values.len().min(SHOWN)];
    let more = match operand.values.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{} = {shown:?}{more}", operand.name)
}

/// Compares a run with the model's outputs; `None` when every element is equal.
pub fn compare<S: Subject + ?Sized>(
    subject: &S,
    simulator: &Simulator,
    job: &Job,
    run: &Run,
) -> Result<Option<Mismatch>, SimError> {
    let expected = subject.golden(job);
    let Some(mut mismatch) = first_difference(&expected, &run.outputs) else { return Ok(None) };
    mismatch.cycle = simulator.cycle_of(run, &job.dims, &mismatch.tensor, mismatch.index)?;
    mismatch.operands = subject.operands(job, &mismatch.tensor, mismatch.index);
    Ok(Some(mismatch))
}

/// A tensor that one side lacks, or that has another size, differs in every element.
fn first_difference(expected: &BTreeMap<String, Tensor>, got: &BTreeMap<String, Tensor>) -> Option<Mismatch> {
    let mut first: Option<Mismatch> = None;
    let (mut differing, mut compared) = (0, 0);
    let empty = Tensor::new(bitlathe_spec::DType::I64, [0], vec![]);
    let names: std::collections::BTreeSet<&String> = expected.keys().chain(got.keys()).collect();
    for name in names {
        let (want, have) = (expected.get(name).unwrap_or(&empty), got.get(name).unwrap_or(&empty));
        for index in 0..want.data.len().max(have.data.len()) {
            compared += 1;
            let (w, h) = (want.data.get(index).copied(), have.data.get(index).copied());
            if w == h {
                continue;
            }
            differing += 1;
            first.get_or_insert_with(|| Mismatch {
                tensor: name.clone(),
                index,
                position: position(if w.is_some() { &want.shape } else { &have.shape }, index),
                expected: w.unwrap_or(0),
                got: h.unwrap_or(0),
                differing: 0,
                compared: 0,
                cycle: None,
                operands: vec![],
            });
        }
    }
    first.map(|m| Mismatch { differing, compared, ..m })
}

fn position(shape: &[usize], mut index: usize) -> Vec<usize> {
    let mut along = vec![0; shape.len()];
    for (at, &size) in along.iter_mut().zip(shape).rev() {
        *at = index % size.max(1);
        index /= size.max(1);
    }
    along
}

/// What a verification does.
#[derive(Clone, Debug)]
pub struct VerifyOptions {
    /// Random jobs beside the corners.
    pub jobs: u64,
    /// Seed of the random jobs and of every stall pattern; random job `i` has the seed `seed + i`.
    pub seed: u64,
    /// Threads; `None` for one a processor.
    pub threads: Option<usize>,
    /// Command that verifies the same core, such as `bitlathe verify core.toml`; `--jobs` and `--seed` are added to it.
    pub command: String,
    /// Folder for the wave of the first failure; `None` writes none.
    pub waves: Option<PathBuf>,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VerifyReport {
    /// Jobs, each run under all stall modes.
    pub jobs: u64,
    /// Output elements compared.
    pub outputs_compared: u64,
    /// Output elements that differ.
    pub mismatches: u64,
    /// Jobs for each coverage point.
    pub coverage: BTreeMap<String, u64>,
    /// Coverage points that no job fills.
    pub uncovered: Vec<String>,
    /// What went wrong, corners first.
    pub failures: Vec<Failure>,
}

impl VerifyReport {
    /// Whether hardware and model agree everywhere and every coverage point is filled.
    pub fn passed(&self) -> bool {
        self.failures.is_empty() && self.uncovered.is_empty()
    }
}

/// A job that failed under one stall pattern.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// Name of the job.
    pub job: String,
    /// Stall pattern.
    pub stalls: Stalls,
    /// Whether the job fails only when the earlier stall modes of the same job ran before it without a reset.
    pub after_other_jobs: bool,
    /// What happened.
    pub kind: FailureKind,
    /// Command that repeats it.
    pub repeat: String,
    /// FST of the cycles around it.
    pub wave: Option<PathBuf>,
}

/// How a job failed.
#[derive(Clone, Debug, PartialEq, Serialize, Error)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// An output element differs.
    #[error("{0}")]
    Mismatch(Mismatch),
    /// The cycles differ from the schedule.
    #[error("the job took {simulated} cycles, the schedule says {predicted}")]
    #[allow(missing_docs)]
    Schedule { predicted: u64, simulated: u64 },
    /// A beat moved in another cycle than the schedule says.
    #[error("beat {beat} of `{stream}` moved in cycle {simulated}, the schedule says {predicted}")]
    #[allow(missing_docs)]
    Beat { stream: String, beat: usize, predicted: u64, simulated: u64 },
    /// Sticky status fields were set by a legal job.
    #[error("a legal job set the status fields {0:?}")]
    Flags(BTreeMap<String, u64>),
    /// The job did not end, or broke the protocol.
    #[error("{message}")]
    #[allow(missing_docs)]
    Aborted { message: String, cycle: Option<u64> },
}

impl FailureKind {
    fn cycle(&self) -> Option<u64> {
        match self {
            Self::Mismatch(m) => m.cycle,
            Self::Schedule { .. } | Self::Flags(_) => None,
            Self::Beat { simulated, .. } => Some(*simulated),
            Self::Aborted { cycle, .. } => *cycle,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let after = if self.after_other_jobs { ", only after other jobs without a reset between" } else { "" };
        write!(f, "job `{}` ({}, seed {}){after}: {}", self.job, self.stalls.mode, self.stalls.seed, self.kind)?;
        write!(f, "\n  to repeat: {}", self.repeat)?;
        match &self.wave {
            Some(wave) => write!(f, "\n  wave: {}", wave.display()),
            None => Ok(()),
        }
    }
}

/// A verification that could not take place.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The thread pool could not be made.
    #[error("cannot start threads: {0}")]
    Threads(#[from] rayon::ThreadPoolBuildError),
    /// The folder for waves could not be made.
    #[error("cannot make `{}`: {source}", path.display())]
    #[allow(missing_docs)]
    Folder { path: PathBuf, source: std::io::Error },
}

/// Runs every corner and random job under all stall modes and judges results, cycles and status.
///
/// One job's four runs follow each other on one instance without a reset, as jobs do in hardware. `progress` is told
/// how many jobs are done, and of how many.
pub fn verify<S: Subject + ?Sized>(
    subject: &S,
    simulator: &Simulator,
    options: &VerifyOptions,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<VerifyReport, VerifyError> {
    if let Some(path) = &options.waves {
        std::fs::create_dir_all(path).map_err(|source| VerifyError::Folder { path: path.clone(), source })?;
    }
    let corners = subject.corners();
    let total = corners.len() as u64 + options.jobs;
    let done = AtomicU64::new(0);
    let trial = |number: u64| Trial::new(subject, simulator, options, &corners, number);
    let judge = |number: u64| {
        let verdict = trial(number).judge();
        progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
        verdict
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads.unwrap_or(0)).build()?;
    let mut verdicts: Vec<Verdict> = pool.install(|| (0..total).into_par_iter().map(judge).collect());
    let first = verdicts.iter_mut().zip(0..).find_map(|(v, number)| Some((v.failures.first_mut()?, number)));
    if let (Some((failure, number)), Some(folder)) = (first, &options.waves) {
        failure.wave = trial(number).record(failure, folder);
    }
    Ok(report(subject, &corners, total, verdicts))
}

fn report<S: Subject + ?Sized>(subject: &S, corners: &[Stimulus], jobs: u64, verdicts: Vec<Verdict>) -> VerifyReport {
    let mut coverage: BTreeMap<String, u64> = subject.coverage().into_iter().map(|c| (c.to_string(), 0)).collect();
    for point in corners.iter().flat_map(|c| &c.covers) {
        *coverage.entry(point.to_string()).or_default() += 1;
    }
    let uncovered = coverage.iter().filter(|(_, jobs)| **jobs == 0).map(|(point, _)| point.clone()).collect();
    let outputs_compared = verdicts.iter().map(|v| v.compared).sum();
    let failures: Vec<Failure> = verdicts.into_iter().flat_map(|v| v.failures).collect();
    let differing = |f: &Failure| if let FailureKind::Mismatch(m) = &f.kind { m.differing } else { 0 };
    let mismatches = failures.iter().map(differing).sum();
    VerifyReport { jobs, outputs_compared, mismatches, coverage, uncovered, failures }
}

/// Cycles recorded of a failure that belongs to no single cycle.
const FIRST_CYCLES: u64 = 4096;

/// What one job's runs found.
#[derive(Default)]
struct Verdict {
    compared: u64,
    failures: Vec<Failure>,
}

/// One job under all stall modes.
struct Trial<'a, S: Subject + ?Sized> {
    subject: &'a S,
    simulator: &'a Simulator,
    name: String,
    job: Job,
    seed: u64,
    repeat: String,
}

impl<'a, S: Subject + ?Sized> Trial<'a, S> {
    fn new(
        subject: &'a S,
        simulator: &'a Simulator,
        options: &VerifyOptions,
        corners: &[Stimulus],
        number: u64,
    ) -> Self {
        let VerifyOptions { seed, command, .. } = options;
        let trial = |name: String, job, seed, jobs| {
            let repeat = format!("{command} --jobs {jobs} --seed {seed}");
            Self { subject, simulator, name, job, seed, repeat }
        };
        match corners.get(number as usize) {
            Some(corner) => trial(corner.name.clone(), corner.job.clone(), *seed, 0),
            None => {
                let seed = seed.wrapping_add(number - corners.len() as u64);
                trial(format!("random {seed}"), subject.random_job(seed), seed, 1)
            }
        }
    }

    fn encode(&self) -> impl Fn(&str, &[i64]) -> u64 {
        |code: &str, values: &[i64]| self.subject.encode(code, values)
    }

    fn stalls(&self, mode: StallMode) -> Stalls {
        Stalls { mode, seed: self.seed }
    }

    /// Stops at the first failure: what follows on the same instance would not be news.
    fn judge(&self) -> Verdict {
        let mut verdict = Verdict::default();
        let mut instance = match self.simulator.instance(self.seed, false) {
            Ok(instance) => instance,
            Err(e) => {
                let kind = FailureKind::Aborted { message: e.to_string(), cycle: None };
                verdict.failures.push(self.failure(StallMode::None, kind, false));
                return verdict;
            }
        };
        for mode in StallMode::ALL {
            let kind = match self.run(&mut instance, mode, None) {
                Ok(run) => {
                    verdict.compared += run.outputs.values().map(|t| t.data.len() as u64).sum::<u64>();
                    self.wrong(mode, &run)
                }
                Err(e) => Some(aborted(&e)),
            };
            if let Some(kind) = kind {
                verdict.failures.push(self.explain(mode, kind));
                break;
            }
        }
        verdict
    }

    fn run(&self, instance: &mut Instance, mode: StallMode, wave: Option<Wave>) -> Result<Run, SimError> {
        instance.run(&self.job, &self.encode(), self.stalls(mode), wave)
    }

    /// What is wrong with a finished run.
    fn wrong(&self, mode: StallMode, run: &Run) -> Option<FailureKind> {
        match compare(self.subject, self.simulator, &self.job, run) {
            Ok(None) => {}
            Ok(Some(mismatch)) => return Some(FailureKind::Mismatch(mismatch)),
            Err(e) => return Some(aborted(&e)),
        }
        if !run.flags.is_empty() {
            return Some(FailureKind::Flags(run.flags.clone()));
        }
        if mode != StallMode::None {
            return None;
        }
        let (predicted, simulated) = (self.subject.schedule(&self.job.dims), run.cycles);
        if predicted != simulated {
            return Some(FailureKind::Schedule { predicted, simulated });
        }
        self.wrong_beat(run)
    }

    /// The first beat of a run without stalls that moved in another cycle than the schedule says.
    fn wrong_beat(&self, run: &Run) -> Option<FailureKind> {
        let expected = self.subject.beat_cycles(&self.job.dims)?;
        let streams = &self.simulator.interface().streams;
        let first = streams.iter().filter_map(|s| run.beat_cycles.get(&s.name)?.first()).min().copied().unwrap_or(0);
        streams.iter().zip(expected).find_map(|(stream, predicted)| {
            let moved = run.beat_cycles.get(&stream.name)?;
            let mut beats = moved.iter().map(|c| c - first).zip(predicted).enumerate();
            let (beat, (simulated, predicted)) = beats.find(|(_, (s, p))| s != p)?;
            Some(FailureKind::Beat { stream: stream.name.clone(), beat, predicted, simulated })
        })
    }

    /// Finds out whether the failure needs the jobs before it.
    fn explain(&self, mode: StallMode, kind: FailureKind) -> Failure {
        let alone = self.simulator.instance(self.seed, false).and_then(|mut fresh| self.run(&mut fresh, mode, None));
        let after = mode != StallMode::None && alone.is_ok_and(|run| self.wrong(mode, &run).is_none());
        self.failure(mode, kind, after)
    }

    /// Repeats a failure on the traced build, with the jobs before it where it needs them.
    fn record(&self, failure: &Failure, folder: &Path) -> Option<PathBuf> {
        let Failure { kind, stalls: Stalls { mode, .. }, after_other_jobs: after, .. } = failure;
        let name: String = self.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
        let path = folder.join(format!("{name}.fst"));
        let wave =
            kind.cycle().map_or(Wave { window: (0, FIRST_CYCLES), ..Wave::whole(&path) }, |c| Wave::around(&path, c));
        let repeated = self.simulator.instance(self.seed, true).and_then(|mut instance| {
            for earlier in StallMode::ALL.into_iter().take_while(|m| *after && m != mode) {
                self.run(&mut instance, earlier, None)?;
            }
            self.run(&mut instance, *mode, Some(wave))
        });
        if let Err(e) = repeated {
            tracing::debug!("while recording {}: {e}", path.display());
        }
        path.exists().then_some(path)
    }

    fn failure(&self, mode: StallMode, kind: FailureKind, after_other_jobs: bool) -> Failure {
        let (job, repeat) = (self.name.clone(), self.repeat.clone());
        Failure { job, stalls: self.stalls(mode), after_other_jobs, kind, repeat, wave: None }
    }
}

fn aborted(e: &SimError) -> FailureKind {
    FailureKind::Aborted { message: e.to_string(), cycle: e.cycle() }
}
