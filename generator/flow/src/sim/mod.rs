//! Co-simulation: a core's Verilog, compiled by Verilator, runs whole jobs of tensors.
//!
//! [`Simulator`] is a compiled core; [`Instance`] is one running copy with its own state. Both know the core by its
//! [`Interface`] alone.

mod build;
mod busy;
mod error;
mod ffi;
mod pack;
mod toolchain;
mod wave;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use bitlathe_cores::Activity;
use bitlathe_spec::{
    Access, Dims, Dir, Field, FieldValue, Interface, Job, Register, SourceFile, Stream, Tensor, TensorError, TensorSpec,
};
use serde::Serialize;

pub use busy::{Busy, scopes};
pub use error::{Blocked, BlockedStream, Rule, SimError, Violation};
pub use pack::{Encode, pack_stream};

use build::Recipe;
use ffi::{Ended, Handle, Loaded, Plan, Status, Trace, Transfer};
use toolchain::Toolchain;

use crate::tools::Tools;

/// How a core is built and run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Parameters of the top module that differ from their defaults.
    pub parameters: Vec<(String, String)>,
    /// Cycles without an accepted beat on any stream after which a job counts as blocked.
    pub watchdog: u64,
}

impl Default for Options {
    /// Behavioural forms of vendor primitives (`IMPL = 0`); a watchdog of 100,000 cycles.
    fn default() -> Self {
        Self { parameters: vec![("IMPL".into(), "0".into())], watchdog: 100_000 }
    }
}

/// Which sides of the streams stall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StallMode {
    /// Sources always offer, sinks always take.
    None,
    /// Sources pause.
    IdleSource,
    /// Sinks refuse.
    Backpressure,
    /// Sources pause and sinks refuse.
    Both,
}

impl StallMode {
    /// Every mode, the unstalled one first.
    pub const ALL: [Self; 4] = [Self::None, Self::IdleSource, Self::Backpressure, Self::Both];
}

impl fmt::Display for StallMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no stalls",
            Self::IdleSource => "idle source",
            Self::Backpressure => "backpressure",
            Self::Both => "idle source and backpressure",
        })
    }
}

/// A stall pattern: which sides stall, and the seed from which each stream's stalls are drawn cycle by cycle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Stalls {
    /// Which sides.
    pub mode: StallMode,
    /// Also decides the values of everything that reset leaves unset.
    pub seed: u64,
}

impl Stalls {
    /// No stalls.
    pub const NONE: Self = Self { mode: StallMode::None, seed: 0 };
}

/// A wave to record: a window of a job's cycles, as FST. A cycle lasts 10 ns there; before the window all is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wave<'a> {
    /// File to write.
    pub path: &'a Path,
    /// First and last cycle, counted from the start of the job.
    pub window: (u64, u64),
    /// The modules whose signals are recorded, by their path below the top; all of them when there is none.
    pub scopes: &'a [String],
}

impl<'a> Wave<'a> {
    /// The whole job.
    pub fn whole(path: &'a Path) -> Self {
        Self { path, window: (0, u64::MAX), scopes: &[] }
    }

    /// A window of cycles around one.
    pub fn around(path: &'a Path, cycle: u64) -> Self {
        Self { window: (cycle.saturating_sub(64), cycle.saturating_add(16)), ..Self::whole(path) }
    }
}

/// A finished job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Output tensors by name.
    pub outputs: BTreeMap<String, Tensor>,
    /// Cycles from the first accepted input beat to the last output beat, inclusive.
    pub cycles: u64,
    /// Cycle of the first accepted input beat, counted from the start of the job.
    pub first_input: u64,
    /// For each stream the cycles in which it had valid and no ready.
    pub stalled: BTreeMap<String, u64>,
    /// For each stream the beats of the job.
    pub beats: BTreeMap<String, u64>,
    /// For each stream the cycle at which each beat was accepted, counted from the start of the job.
    pub beat_cycles: BTreeMap<String, Vec<u64>>,
    /// Sticky status fields that the job left set, with their values.
    pub flags: BTreeMap<String, u64>,
}

/// A core compiled for simulation. Cheap to share; jobs on it run side by side.
pub struct Simulator {
    interface: Interface,
    files: Vec<SourceFile>,
    tools: Tools,
    options: Options,
    plain: Arc<Loaded>,
    traced: OnceLock<Arc<Loaded>>,
}

impl Simulator {
    /// Verilates and compiles a core, or finds it in the cache.
    pub fn build(
        interface: &Interface,
        files: &[SourceFile],
        tools: &Tools,
        options: Options,
    ) -> Result<Self, SimError> {
        let plain = load(interface, files, tools, &options, false)?;
        let (interface, files, tools) = (interface.clone(), files.to_vec(), tools.clone());
        Ok(Self { interface, files, tools, options, plain, traced: OnceLock::new() })
    }

    /// The boundary of the core.
    pub fn interface(&self) -> &Interface {
        &self.interface
    }

    /// A running copy, just reset. With `trace` it can record one wave.
    pub fn instance(&self, seed: u64, trace: bool) -> Result<Instance<'_>, SimError> {
        let library = if trace { self.traced()? } else { self.plain.clone() };
        let mut handle = Handle::new(library, (seed ^ seed >> 32) as u32)
            .ok_or_else(|| SimError::Load { path: self.interface.top.clone().into(), reason: "no memory".into() })?;
        handle.reset();
        Ok(Instance { simulator: self, handle })
    }

    /// Runs one job on a fresh copy, with a wave where one is asked for.
    pub fn run(&self, job: &Job, encode: &Encode, stalls: Stalls, wave: Option<Wave>) -> Result<Run, SimError> {
        self.instance(stalls.seed, wave.is_some())?.run(job, encode, stalls, wave)
    }

    /// The cycle at which a run accepted the output beat that carries an element.
    pub fn cycle_of(&self, run: &Run, dims: &Dims, tensor: &str, index: usize) -> Result<Option<u64>, SimError> {
        let (Some(stream), Some(got)) = (self.interface.stream(tensor), run.outputs.get(tensor)) else {
            return Ok(None);
        };
        let beat = pack::beat_of(&stream.layout, dims, &got.shape, index)?;
        Ok(beat.and_then(|b| run.beat_cycles.get(tensor)?.get(b as usize).copied()))
    }

    /// When the streams of a run moved beats and the units of the core worked, in the order of the interface and of the activities. `wave`
    /// is that of the run, with the scopes of the activities.
    pub fn busy(&self, run: &Run, wave: Option<&Path>, activities: &[Activity]) -> Result<Vec<Busy>, SimError> {
        let mut busy = busy::streams(&self.interface, run);
        if let Some(wave) = wave {
            busy.extend(busy::units(run, wave, &self.interface.top, activities)?);
        }
        Ok(busy)
    }

    /// The build that can record waves, made when it is first needed.
    fn traced(&self) -> Result<Arc<Loaded>, SimError> {
        if let Some(library) = self.traced.get() {
            return Ok(library.clone());
        }
        let library = load(&self.interface, &self.files, &self.tools, &self.options, true)?;
        Ok(self.traced.get_or_init(|| library).clone())
    }
}

fn load(
    interface: &Interface,
    files: &[SourceFile],
    tools: &Tools,
    options: &Options,
    trace: bool,
) -> Result<Arc<Loaded>, SimError> {
    let tools = &Toolchain::new(tools)?;
    let path = Recipe { interface, files, tools, parameters: &options.parameters, trace }.build()?;
    Loaded::open(&path, interface.streams.iter().map(|s| s.dir == Dir::Out).collect())
}

/// One running copy of a core. Jobs follow each other without a reset, as they do in hardware.
pub struct Instance<'a> {
    simulator: &'a Simulator,
    handle: Handle,
}

impl Instance<'_> {
    /// Writes the registers, sends and receives every beat, reads the status.
    pub fn run(&mut self, job: &Job, encode: &Encode, stalls: Stalls, wave: Option<Wave>) -> Result<Run, SimError> {
        self.write_registers(job)?;
        let interface = &self.simulator.interface;
        let mut transfers = interface
            .streams
            .iter()
            .map(|s| transfer(interface, s, job, encode))
            .collect::<Result<Vec<_>, SimError>>()?;
        let ended = self.play(&mut transfers, stalls, wave)?;
        self.judge(&ended, &transfers)?;
        let flags = self.take_flags();
        self.collect(job, &ended, transfers, flags)
    }

    fn play(&mut self, transfers: &mut [Transfer], stalls: Stalls, wave: Option<Wave>) -> Result<Ended, SimError> {
        let mode = match stalls.mode {
            StallMode::None => 0,
            StallMode::IdleSource => 1,
            StallMode::Backpressure => 2,
            StallMode::Both => 3,
        };
        let mut plan = Plan { mode, seed: stalls.seed, watchdog: self.simulator.options.watchdog, trace: None };
        let Some(wave) = wave else {
            return self.handle.run(&plan, transfers).ok_or_else(|| self.no_trace(Path::new("")));
        };
        let folder = tempfile::tempdir().map_err(SimError::io("make a folder for", wave.path))?;
        let vcd = folder.path().join("wave.vcd");
        let c_path = CString::new(vcd.as_os_str().as_encoded_bytes()).map_err(|_| self.no_trace(&vcd))?;
        let line = |path: &String| if path.is_empty() { "\n".into() } else { format!(".{path}\n") };
        let scopes: String = wave.scopes.iter().map(line).collect();
        let scopes = CString::new(scopes).map_err(|_| self.no_trace(&vcd))?;
        plan.trace = Some(Trace { path: &c_path, scopes: &scopes, window: wave.window });
        let ended = self.handle.run(&plan, transfers).ok_or_else(|| self.no_trace(&vcd))?;
        wave::vcd_to_fst(&vcd, wave.path)?;
        Ok(ended)
    }

    fn no_trace(&self, path: &Path) -> SimError {
        SimError::Wave { path: path.into(), reason: "the model cannot open it".into() }
    }

    /// Turns a job that did not finish into its error.
    fn judge(&self, ended: &Ended, transfers: &[Transfer]) -> Result<(), SimError> {
        let streams = &self.simulator.interface.streams;
        match ended.status {
            Status::Finished => Ok(()),
            Status::Blocked => {
                let left =
                    streams.iter().zip(transfers).filter(|(_, t)| t.done < t.beats).map(|(s, t)| BlockedStream {
                        name: s.name.clone(),
                        dir: s.dir,
                        valid: t.valid,
                        ready: t.ready,
                        done: t.done,
                        beats: t.beats,
                    });
                let watchdog = self.simulator.options.watchdog;
                Err(Blocked { watchdog, cycle: ended.cycle - 1, streams: left.collect() }.into())
            }
            Status::Fault { rule, stream } => {
                let (name, transfer) = (&streams[stream].name, &transfers[stream]);
                let (cycle, beat, beats) = (ended.cycle - 1, transfer.done, transfer.beats);
                Err(Violation { stream: name.clone(), rule, cycle, beat, beats }.into())
            }
        }
    }

    fn collect(
        &self,
        job: &Job,
        ended: &Ended,
        transfers: Vec<Transfer>,
        flags: BTreeMap<String, u64>,
    ) -> Result<Run, SimError> {
        let (first_input, cycles) = match ended.last_output.checked_sub(ended.first_input) {
            Some(after) => (ended.first_input, after + 1),
            None => (0, 0),
        };
        let (outputs, stalled, beats, beat_cycles) = Default::default();
        let mut run = Run { outputs, cycles, first_input, stalled, beats, beat_cycles, flags };
        for (stream, transfer) in self.simulator.interface.streams.iter().zip(transfers) {
            run.stalled.insert(stream.name.clone(), transfer.stalled);
            run.beats.insert(stream.name.clone(), transfer.beats);
            if stream.dir == Dir::Out {
                let (spec, shape) = shape_of(&self.simulator.interface, stream, &job.dims)?;
                let tensor = pack::unpack(stream, &job.dims, spec.dtype, shape, &transfer.words)?;
                run.outputs.insert(stream.name.clone(), tensor);
            }
            run.beat_cycles.insert(stream.name.clone(), transfer.cycles);
        }
        Ok(run)
    }

    /// Writes every register that a job sets and reads it back.
    fn write_registers(&mut self, job: &Job) -> Result<(), SimError> {
        let interface = &self.simulator.interface;
        for register in interface.registers.iter().filter(|r| r.fields.iter().any(is_set_by_job)) {
            let (mut word, mut writable) = (0u64, 0u64);
            for field in register.fields.iter().filter(|f| matches!(f.access, Access::ReadWrite | Access::Trigger)) {
                let mask = field_mask(field);
                word |= field_value(interface, field, job)? << field.lsb & mask;
                writable |= mask;
            }
            self.handle.write(register.offset, word as u32);
            let got = self.handle.read(register.offset) & writable as u32;
            if got != word as u32 {
                return Err(SimError::Register { register: register.name.clone(), wrote: word as u32, got });
            }
        }
        Ok(())
    }

    /// Reads the sticky status fields and clears those that are set.
    fn take_flags(&mut self) -> BTreeMap<String, u64> {
        let mut flags = BTreeMap::new();
        let sticky = |r: &&Register| r.fields.iter().any(|f| f.access == Access::WriteOneToClear);
        for register in self.simulator.interface.registers.iter().filter(sticky) {
            let word = u64::from(self.handle.read(register.offset));
            let fields = register.fields.iter().filter(|f| f.access == Access::WriteOneToClear);
            let set: Vec<&Field> = fields.filter(|f| word & field_mask(f) != 0).collect();
            let clear = set.iter().fold(0, |bits, f| bits | word & field_mask(f));
            let kept = register.fields.iter().filter(|f| f.access == Access::ReadWrite);
            let kept = kept.fold(0, |bits, f| bits | word & field_mask(f));
            if clear != 0 {
                self.handle.write(register.offset, (clear | kept) as u32);
            }
            flags.extend(set.iter().map(|f| (f.name.clone(), (word & field_mask(f)) >> f.lsb)));
        }
        flags
    }
}

fn is_set_by_job(field: &Field) -> bool {
    matches!(field.access, Access::ReadWrite | Access::Trigger) && field.value != FieldValue::None
}

/// The field's bits within its register.
fn field_mask(field: &Field) -> u64 {
    u64::MAX >> (64 - field.width.clamp(1, 32)) << field.lsb
}

/// What a job writes into a field, not yet cut to its width.
fn field_value(interface: &Interface, field: &Field, job: &Job) -> Result<u64, SimError> {
    match &field.value {
        FieldValue::None => Ok(field.reset),
        FieldValue::Extent(extent) => Ok(extent.value(&job.dims)?),
        FieldValue::Beats(layout) => Ok(layout.beats(&job.dims)?),
        FieldValue::Product(extents) => Ok(extents.iter().map(|e| e.value(&job.dims)).product::<Result<u64, _>>()?),
        FieldValue::Element { tensor, index } => {
            let given = job.tensors.get(tensor).and_then(|t| t.data.get(*index)).copied();
            let value = given.or_else(|| interface.tensor(tensor)?.default);
            value.map(|v| v as u64).ok_or_else(|| TensorError::Missing { name: tensor.clone() }.into())
        }
    }
}

fn shape_of<'a>(
    interface: &'a Interface,
    stream: &Stream,
    dims: &Dims,
) -> Result<(&'a TensorSpec, Vec<usize>), SimError> {
    let spec = interface.tensor(&stream.name).ok_or_else(|| SimError::NoTensor { stream: stream.name.clone() })?;
    let shape = spec.resolve(dims).ok_or_else(|| {
        let missing = Interface::names(spec).find(|n| !dims.contains_key(*n)).unwrap_or_default();
        bitlathe_spec::LayoutError::UnknownDim(missing.to_string())
    })?;
    Ok((spec, shape))
}

/// A stream's beats for a job: packed for an input, room for an output.
fn transfer(interface: &Interface, stream: &Stream, job: &Job, encode: &Encode) -> Result<Transfer, SimError> {
    let beats = stream.layout.beats(&job.dims)?;
    if stream.dir == Dir::Out {
        return Ok(Transfer::output(pack::stride(&stream.layout), beats));
    }
    let (spec, shape) = shape_of(interface, stream, &job.dims)?;
    let packed = match (job.tensors.get(&stream.name), spec.default) {
        (Some(tensor), _) if tensor.shape != shape => {
            let (name, expected) = (stream.name.clone(), format!("{shape:?}"));
            return Err(TensorError::Shape { name, got: tensor.shape.clone(), expected }.into());
        }
        (Some(tensor), _) => pack::pack(stream, &job.dims, tensor, encode)?,
        (None, Some(value)) => {
            let data = vec![value; shape.iter().product()];
            pack::pack(stream, &job.dims, &Tensor { dtype: spec.dtype, shape, data }, encode)?
        }
        (None, None) => return Err(TensorError::Missing { name: stream.name.clone() }.into()),
    };
    Ok(Transfer::input(packed.words, packed.stride, packed.period, beats))
}
