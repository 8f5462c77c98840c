//! Jobs for the testbench with their beats from the golden model, as hexadecimal text.

use bitlathe_cores::Core;
use bitlathe_spec::{
    Access, DType, Dims, Dir, Extent, Field, FieldValue, Interface, Job, Register, SourceFile, Stream, Tensor,
};

use super::{GenerateError, Subject, numbers};
use crate::sim::pack_stream;

/// Bits of beats that a corner job and a random job may take in the testbench.
const CORNER_BITS: u64 = 1 << 17;
const RANDOM_BITS: u64 = 1 << 19;
/// Random jobs to choose from, for the testbench and for a board.
const SEEDS: u64 = 16;
const TEST_SEEDS: u64 = 64;

/// A job with everything that crosses the core's boundary.
pub struct JobVectors {
    /// Name of the job.
    pub name: String,
    /// Its sizes.
    pub dims: Dims,
    /// Inputs and outputs.
    pub job: Job,
    /// Register values that it needs, in the order of the register map.
    pub writes: Vec<Write>,
    /// Beats of each stream, in the interface's order.
    pub streams: Vec<Beats>,
}

/// A register write.
pub struct Write {
    /// Byte offset.
    pub offset: u32,
    /// The word.
    pub value: u32,
    /// Bits that software can read back.
    pub mask: u32,
    /// Register and field values in words.
    pub note: String,
}

/// The beats of one stream in one job, hexadecimal.
pub struct Beats {
    /// The data pins.
    pub data: Vec<String>,
    /// Outputs: ones where a lane carries an element.
    pub mask: Vec<String>,
}

/// One corner job and one random job whose sizes do not divide the core's lanes.
pub fn jobs(subject: &Subject) -> Result<Vec<JobVectors>, GenerateError> {
    let interface = &subject.interface;
    let weigh = |job: &Job| bits(interface, &job.dims);
    let corners = subject.core.corners().into_iter().map(|s| (s.covers.len() as u64, s.name, s.job));
    let corner = choose(corners, CORNER_BITS, weigh)?;
    let random = (0..SEEDS).map(|seed| (seed, subject.core.random_job(seed)));
    let random = random.filter(|(_, job)| is_ragged(interface, &job.dims));
    let random = random.map(|(seed, job)| {
        // A choice that is 0 is no size.
        let merit = job.dims.values().map(|v| *v.max(&1)).product();
        (merit, format!("random_{seed}"), job)
    });
    let ragged = choose(random, RANDOM_BITS, weigh)?;
    [corner, ragged].into_iter().flatten().map(|(name, job)| vectors(subject, name, job)).collect()
}

/// A job of up to `cycles` cycles whose outputs have elements in the same lanes of every beat, or else the shortest such job; the most
/// data among those for which `takes` says yes.
pub fn test_job(
    subject: &Subject,
    cycles: u64,
    takes: &dyn Fn(&Job) -> Result<bool, GenerateError>,
) -> Result<Option<JobVectors>, GenerateError> {
    let interface = &subject.interface;
    let corners = subject.core.corners().into_iter().map(|s| (s.name, s.job));
    let random = (0..TEST_SEEDS).map(|seed| (format!("random_{seed}"), subject.core.random_job(seed)));
    let mut fit = Vec::new();
    for (name, mut job) in corners.chain(random) {
        add_defaults(interface, &mut job);
        if is_uniform(subject, &job.dims)? && takes(&job)? {
            fit.push((bits(interface, &job.dims)?, name, job));
        }
    }
    let chosen = choose(fit.into_iter(), cycles, |job| Ok(subject.core.schedule(&job.dims)))?;
    chosen.map(|(name, job)| vectors(subject, name, job)).transpose()
}

/// Whether each output has elements in the same lanes of every beat.
fn is_uniform(subject: &Subject, dims: &Dims) -> Result<bool, GenerateError> {
    for stream in subject.interface.streams.iter().filter(|s| s.dir == Dir::Out) {
        let shape = subject.interface.tensor(&stream.name).and_then(|t| t.resolve(dims));
        let shape = shape.ok_or_else(|| missing(subject, &format!("stream `{}`", stream.name)))?;
        let mask = mask(subject, stream, dims, shape)?;
        if mask.windows(2).any(|pair| pair[0] != pair[1]) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The job of the highest merit among those within the limit, else the smallest; the first of equals.
fn choose(
    jobs: impl Iterator<Item = (u64, String, Job)>,
    limit: u64,
    weigh: impl Fn(&Job) -> Result<u64, GenerateError>,
) -> Result<Option<(String, Job)>, GenerateError> {
    let mut best: Option<((bool, i128), String, Job)> = None;
    for (merit, name, job) in jobs {
        let size = weigh(&job)?;
        let small = size <= limit;
        let rank = (small, if small { i128::from(merit) } else { -i128::from(size) });
        if best.as_ref().is_none_or(|(b, _, _)| rank > *b) {
            best = Some((rank, name, job));
        }
    }
    Ok(best.map(|(_, name, job)| (name, job)))
}

fn bits(interface: &Interface, dims: &Dims) -> Result<u64, GenerateError> {
    interface.streams.iter().map(|s| Ok(s.layout.beats(dims)?.saturating_mul(s.layout.beat_bits()))).sum()
}

/// Whether some size leaves a lane unused; true for a core without such sizes.
fn is_ragged(interface: &Interface, dims: &Dims) -> bool {
    let loops = interface.streams.iter().flat_map(|s| &s.layout.loops);
    let divided: Vec<(&String, u64)> = loops
        .filter_map(|l| match &l.extent {
            Extent::CeilDiv { dim, by } if *by > 1 => Some((dim, *by)),
            _ => None,
        })
        .collect();
    divided.is_empty() || divided.iter().any(|(dim, by)| dims.get(*dim).is_some_and(|d| !d.is_multiple_of(*by)))
}

fn vectors(subject: &Subject, name: String, mut job: Job) -> Result<JobVectors, GenerateError> {
    let interface = &subject.interface;
    add_defaults(interface, &mut job);
    job.tensors.extend(subject.core.golden(&job));
    let writes =
        writes(subject.registers(), &job).map_err(|e| e.unwrap_or_else(|| missing(subject, "a register field")))?;
    let streams = interface.streams.iter().map(|s| beats(subject, s, &job)).collect::<Result<_, _>>()?;
    Ok(JobVectors { name, dims: job.dims.clone(), job, writes, streams })
}

fn add_defaults(interface: &Interface, job: &mut Job) {
    for spec in &interface.tensors {
        if let (false, Some(value), Some(shape)) =
            (job.tensors.contains_key(&spec.name), spec.default, spec.resolve(&job.dims))
        {
            let data = vec![value; shape.iter().product()];
            job.tensors.insert(spec.name.clone(), Tensor { dtype: spec.dtype, shape, data });
        }
    }
}

fn missing(subject: &Subject, what: &str) -> GenerateError {
    subject.contradiction(format!("a job of the core's own gives no tensor for {what}"))
}

/// Whether a job writes the field.
pub fn is_set_by_job(field: &Field) -> bool {
    matches!(field.access, Access::ReadWrite | Access::Trigger) && field.value != FieldValue::None
}

/// The bits of a field within its register.
pub fn field_mask(field: &Field) -> u32 {
    ((u64::MAX >> (64 - field.width.clamp(1, 32))) << field.lsb) as u32
}

/// The writes of a job; the error is `None` where the job lacks a tensor.
fn writes(registers: &[Register], job: &Job) -> Result<Vec<Write>, Option<GenerateError>> {
    registers.iter().filter(|r| r.fields.iter().any(is_set_by_job)).map(|register| write(register, job)).collect()
}

fn write(register: &Register, job: &Job) -> Result<Write, Option<GenerateError>> {
    let mut write = Write { offset: register.offset, value: 0, mask: 0, note: String::new() };
    let mut notes = Vec::new();
    for field in register.fields.iter().filter(|f| matches!(f.access, Access::ReadWrite | Access::Trigger)) {
        let value = match &field.value {
            FieldValue::None => field.reset,
            FieldValue::Extent(extent) => extent.value(&job.dims).map_err(|e| Some(e.into()))?,
            FieldValue::Beats(layout) => layout.beats(&job.dims).map_err(|e| Some(e.into()))?,
            FieldValue::Product(extents) => {
                let beats: Result<u64, _> = extents.iter().map(|e| e.value(&job.dims)).product();
                beats.map_err(|e| Some(e.into()))?
            }
            FieldValue::Element { tensor, index } => {
                *job.tensors.get(tensor).and_then(|t| t.data.get(*index)).ok_or(None)? as u64
            }
        };
        write.value |= ((value << field.lsb) as u32) & field_mask(field);
        write.mask |= field_mask(field);
        notes.push(format!("{} = {value}", field.name));
    }
    write.note = notes.join(", ");
    Ok(write)
}

fn beats(subject: &Subject, stream: &Stream, job: &Job) -> Result<Beats, GenerateError> {
    let tensor = job.tensors.get(&stream.name).ok_or_else(|| missing(subject, &format!("stream `{}`", stream.name)))?;
    let data = pack(subject.core, stream, &job.dims, tensor)?;
    let mask = match stream.dir {
        Dir::In => Vec::new(),
        Dir::Out => mask(subject, stream, &job.dims, tensor.shape.clone())?,
    };
    Ok(Beats { data, mask })
}

/// Ones where the lanes of an output's beats carry elements.
fn mask(subject: &Subject, stream: &Stream, dims: &Dims, shape: Vec<usize>) -> Result<Vec<String>, GenerateError> {
    let data = vec![all_ones(stream); shape.iter().product()];
    pack(subject.core, stream, dims, &Tensor { dtype: DType::I64, shape, data })
}

/// The value that sets every bit of a lane.
fn all_ones(stream: &Stream) -> i64 {
    if stream.signed { -1 } else { (u64::MAX >> (64 - stream.layout.lane_bits.clamp(1, 64))) as i64 }
}

/// Beats of an input that memory must hold to play them: those of one pass.
pub fn pass_beats(subject: &Subject, stream: &Stream, job: &Job) -> Result<u64, GenerateError> {
    let tensor = job.tensors.get(&stream.name).ok_or_else(|| missing(subject, &format!("stream `{}`", stream.name)))?;
    let bytes = pack_pass(subject.core, stream, &job.dims, tensor)?;
    Ok(bytes.len() as u64 / stream.layout.beat_bits().div_ceil(8).max(1))
}

fn pack_pass(core: &dyn Core, stream: &Stream, dims: &Dims, tensor: &Tensor) -> Result<Vec<u8>, GenerateError> {
    let encode = |code: &str, values: &[i64]| core.encode(code, values);
    pack_stream(stream, dims, tensor, &encode).map_err(|e| GenerateError::Pack(Box::new(e)))
}

/// The beats of a whole job: those of one pass, as often as the layout repeats it.
fn pack(core: &dyn Core, stream: &Stream, dims: &Dims, tensor: &Tensor) -> Result<Vec<String>, GenerateError> {
    let bytes = pack_pass(core, stream, dims, tensor)?;
    let beat_bytes = stream.layout.beat_bits().div_ceil(8).max(1) as usize;
    let digits = stream.layout.beat_bits().div_ceil(4) as usize;
    let pass: Vec<String> = bytes.chunks_exact(beat_bytes).map(|b| hex(b, digits)).collect();
    let beats = stream.layout.beats(dims)? as usize;
    Ok(pass.iter().cycle().take(beats).cloned().collect())
}

/// Little-endian bytes as hexadecimal digits.
fn hex(bytes: &[u8], digits: usize) -> String {
    let text: String = bytes.iter().rev().map(|b| format!("{b:02x}")).collect();
    text[text.len() - digits..].to_string()
}

/// Name of the file of a stream's beats below `tb/`.
pub fn beats_file(stream: &Stream) -> String {
    match stream.dir {
        Dir::In => format!("{}.hex", stream.name),
        Dir::Out => format!("{}_expected.hex", stream.name),
    }
}

/// Name of the file of an output's masks.
pub fn mask_file(stream: &Stream) -> String {
    format!("{}_mask.hex", stream.name)
}

/// The vector files; one beat a line, the jobs one after the other.
pub fn files(subject: &Subject, jobs: &[JobVectors]) -> Vec<SourceFile> {
    let mut files = Vec::new();
    for (n, stream) in subject.interface.streams.iter().enumerate() {
        files.push(column(subject, jobs, beats_file(stream), |job| &job.streams[n].data));
        if stream.dir == Dir::Out {
            files.push(column(subject, jobs, mask_file(stream), |job| &job.streams[n].mask));
        }
    }
    files
}

fn column(
    subject: &Subject,
    jobs: &[JobVectors],
    file: String,
    lines: impl Fn(&JobVectors) -> &Vec<String>,
) -> SourceFile {
    let mut text: String = subject.banner.iter().map(|l| format!("// {l}\n")).collect();
    let names: Vec<&str> = subject.interface.sizes.iter().map(|s| s.name.as_str()).collect();
    for job in jobs {
        text += &format!("// {}: {}\n", job.name, numbers::sizes(names.iter().copied(), &job.dims));
        for line in lines(job) {
            text += line;
            text.push('\n');
        }
    }
    SourceFile { path: format!("tb/{file}"), text }
}
