//! The C ABI of a compiled model: the only unsafe code of co-simulation. Mirrors `testbench/shim/driver.cpp`.

use std::ffi::{CStr, c_char, c_void};
use std::path::Path;
use std::ptr::NonNull;
use std::sync::Arc;

use libloading::Library;

use super::{Rule, SimError};

/// One stream's part of a job; repeats `Transfer` of the driver.
#[repr(C)]
struct RawTransfer {
    words: *mut u32,
    cycles: *mut u64,
    stride: u64,
    period: u64,
    beats: u64,
    done: u64,
    stalled: u64,
    valid: u32,
    ready: u32,
}

/// A job under way; repeats `Task` of the driver.
#[repr(C)]
struct RawTask {
    transfers: *mut RawTransfer,
    seed: u64,
    watchdog: u64,
    drain: u64,
    trace_from: u64,
    trace_to: u64,
    cycle: u64,
    idle: u64,
    first_input: u64,
    last_output: u64,
    mode: u32,
    status: u32,
    fault: u32,
    fault_stream: u32,
}

/// The driver's entry points.
#[derive(Clone, Copy)]
struct Api {
    create: unsafe extern "C" fn(u32) -> *mut c_void,
    destroy: unsafe extern "C" fn(*mut c_void),
    reset: unsafe extern "C" fn(*mut c_void),
    read: unsafe extern "C" fn(*mut c_void, u32) -> u32,
    write: unsafe extern "C" fn(*mut c_void, u32, u32),
    start: unsafe extern "C" fn(*mut c_void, *const c_char, *const c_char) -> u32,
    advance: unsafe extern "C" fn(*mut c_void, *mut RawTask, u64),
}

/// A loaded model library.
pub(super) struct Loaded {
    api: Api,
    /// For each stream whether it is an output.
    outputs: Vec<bool>,
    _library: Library,
}

/// Cycles simulated between two returns to the host.
const BATCH: u64 = 1 << 16;

impl Loaded {
    /// Loads a library that was built for streams of these directions.
    pub fn open(path: &Path, outputs: Vec<bool>) -> Result<Arc<Self>, SimError> {
        let fail = |e: libloading::Error| SimError::Load { path: path.into(), reason: e.to_string() };
        // SAFETY: the library was compiled from the driver and a Verilator model, whose initialisers only fill tables.
        let library = unsafe { Library::new(path) }.map_err(fail)?;
        // SAFETY: every symbol has the type that the driver gives it, and is used only while `_library` lives.
        let api = unsafe {
            Api {
                create: *library.get(b"bitlathe_create\0").map_err(fail)?,
                destroy: *library.get(b"bitlathe_destroy\0").map_err(fail)?,
                reset: *library.get(b"bitlathe_reset\0").map_err(fail)?,
                read: *library.get(b"bitlathe_read\0").map_err(fail)?,
                write: *library.get(b"bitlathe_write\0").map_err(fail)?,
                start: *library.get(b"bitlathe_start\0").map_err(fail)?,
                advance: *library.get(b"bitlathe_advance\0").map_err(fail)?,
            }
        };
        Ok(Arc::new(Self { api, outputs, _library: library }))
    }
}

/// A stream's beats on the host's side.
pub(super) struct Transfer {
    /// Beats to send, or room for those received.
    pub words: Vec<u32>,
    /// Cycle of each beat.
    pub cycles: Vec<u64>,
    /// Words of one beat.
    pub stride: usize,
    /// Beats after which `words` starts again.
    pub period: u64,
    /// Beats of the job.
    pub beats: u64,
    /// Beats accepted so far.
    pub done: u64,
    /// Cycles with valid and without ready.
    pub stalled: u64,
    /// Last seen valid.
    pub valid: bool,
    /// Last seen ready.
    pub ready: bool,
}

impl Transfer {
    /// An input that repeats the given beats.
    pub fn input(words: Vec<u32>, stride: usize, period: u64, beats: u64) -> Self {
        let cycles = vec![0; beats as usize];
        Self { words, cycles, stride, period, beats, done: 0, stalled: 0, valid: false, ready: false }
    }

    /// An output with room for its beats.
    pub fn output(stride: usize, beats: u64) -> Self {
        let (words, cycles) = (vec![0; stride * beats as usize], vec![0; beats as usize]);
        Self { words, cycles, stride, period: beats, beats, done: 0, stalled: 0, valid: false, ready: false }
    }

    /// The driver reads or writes `stride` words for each of `period` beats, and one cycle for each beat.
    fn is_sound(&self, output: bool) -> bool {
        let room = self.words.len() as u64 >= self.period * self.stride as u64;
        let timed = self.cycles.len() as u64 >= self.beats;
        room && timed && (self.period > 0 || self.beats == 0) && (!output || self.period >= self.beats)
    }
}

/// How a job is run.
pub(super) struct Plan<'a> {
    pub mode: u32,
    pub seed: u64,
    pub watchdog: u64,
    /// VCD to write.
    pub trace: Option<Trace<'a>>,
}

/// A VCD to write.
pub(super) struct Trace<'a> {
    pub path: &'a CStr,
    /// Scopes that it holds, each a line; all when there is none.
    pub scopes: &'a CStr,
    /// First and last cycle.
    pub window: (u64, u64),
}

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Finished,
    Blocked,
    Fault { rule: Rule, stream: usize },
}

/// Counters at the end of a job.
pub(super) struct Ended {
    pub status: Status,
    pub cycle: u64,
    pub first_input: u64,
    pub last_output: u64,
}

/// Cycles without a beat after the last one, to catch surplus beats.
const DRAIN: u64 = 16;

/// One running copy of a model.
pub(super) struct Handle {
    library: Arc<Loaded>,
    model: NonNull<c_void>,
}

// SAFETY: a model holds all its state behind its own handle and context, and every method takes `&mut self`.
unsafe impl Send for Handle {}

impl Handle {
    pub fn new(library: Arc<Loaded>, seed: u32) -> Option<Self> {
        // SAFETY: creating a model has no preconditions.
        let model = NonNull::new(unsafe { (library.api.create)(seed) })?;
        Some(Self { library, model })
    }

    pub fn reset(&mut self) {
        // SAFETY: `model` is alive until drop.
        unsafe { (self.library.api.reset)(self.model.as_ptr()) }
    }

    /// Reads a register; the caller knows that the core has a register port.
    pub fn read(&mut self, address: u32) -> u32 {
        // SAFETY: `model` is alive until drop.
        unsafe { (self.library.api.read)(self.model.as_ptr(), address) }
    }

    /// Writes a register; the caller knows that the core has a register port.
    pub fn write(&mut self, address: u32, value: u32) {
        // SAFETY: `model` is alive until drop.
        unsafe { (self.library.api.write)(self.model.as_ptr(), address, value) }
    }

    /// Runs a job to its end. `None` when the trace cannot be opened.
    ///
    /// # Panics
    /// When the transfers are not one for each stream with room for all their beats.
    pub fn run(&mut self, plan: &Plan, transfers: &mut [Transfer]) -> Option<Ended> {
        let outputs = &self.library.outputs;
        assert_eq!(transfers.len(), outputs.len(), "one transfer a stream");
        let sound = transfers.iter().zip(outputs).all(|(t, &output)| t.is_sound(output));
        assert!(sound, "every transfer has room for its beats");
        let mut raw: Vec<RawTransfer> = transfers.iter_mut().map(raw).collect();
        let mut task = task(plan, &mut raw);
        let (path, scopes) = plan.trace.as_ref().map_or((std::ptr::null(), c""), |t| (t.path.as_ptr(), t.scopes));
        // SAFETY: `model` is alive; `path` is null or a C string that outlives the call, as `scopes` does.
        if unsafe { (self.library.api.start)(self.model.as_ptr(), path, scopes.as_ptr()) } == 0 {
            return None;
        }
        while task.status == 0 {
            // SAFETY: `task` points to one sound transfer for each of the model's streams, whose buffers `transfers`
            // keeps alive and nobody else touches during the call.
            unsafe { (self.library.api.advance)(self.model.as_ptr(), &mut task, BATCH) }
        }
        for (transfer, raw) in transfers.iter_mut().zip(&raw) {
            (transfer.done, transfer.stalled) = (raw.done, raw.stalled);
            (transfer.valid, transfer.ready) = (raw.valid != 0, raw.ready != 0);
        }
        let status = match task.status {
            1 => Status::Finished,
            2 => Status::Blocked,
            _ => Status::Fault { rule: rule(task.fault), stream: task.fault_stream as usize },
        };
        let RawTask { cycle, first_input, last_output, .. } = task;
        Some(Ended { status, cycle, first_input, last_output })
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: `model` came from `create` and is destroyed once; the library is still loaded.
        unsafe { (self.library.api.destroy)(self.model.as_ptr()) }
    }
}

/// The driver's number of a broken rule.
fn rule(fault: u32) -> Rule {
    match fault {
        1 => Rule::ValidDropped,
        2 => Rule::DataChanged,
        3 => Rule::LastMissing,
        4 => Rule::LastEarly,
        _ => Rule::ExtraBeat,
    }
}

fn raw(transfer: &mut Transfer) -> RawTransfer {
    RawTransfer {
        words: transfer.words.as_mut_ptr(),
        cycles: transfer.cycles.as_mut_ptr(),
        stride: transfer.stride as u64,
        period: transfer.period,
        beats: transfer.beats,
        done: 0,
        stalled: 0,
        valid: 0,
        ready: 0,
    }
}

fn task(plan: &Plan, transfers: &mut [RawTransfer]) -> RawTask {
    let (trace_from, trace_to) = plan.trace.as_ref().map_or((1, 0), |t| t.window);
    RawTask {
        transfers: transfers.as_mut_ptr(),
        seed: plan.seed,
        watchdog: plan.watchdog,
        drain: DRAIN,
        trace_from,
        trace_to,
        cycle: 0,
        idle: 0,
        first_input: u64::MAX,
        last_output: 0,
        mode: plan.mode,
        status: 0,
        fault: 0,
        fault_stream: 0,
    }
}
