//! The AXI interfaces of a core: its streams under their AXI names, and its registers with those of the wrapper.

use std::ops::Range;

use bitlathe_spec::axi::{AxiBus, AxiInterface, AxiLast, AxiMemory, AxiStream, WRAPPER_OFFSET};
use bitlathe_spec::{Access, Dir, Extent, Field, FieldValue, Interface, Register, Stream};

use crate::boundary::{field, identification, register, sticky};
use crate::parts::register_file::CONFIG_ERROR;

/// Version of the generator: major, minor, patch.
const VERSION: [&str; 3] =
    [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")];
/// Bits of the length of a packet, or of a pass through memory: as many as a parameter of Verilog can bound.
pub const LENGTH_BITS: u32 = 31;

/// Name of the field that holds the core in reset.
pub const RESET: &str = "reset";

/// Name of the field that counts the cycles of a job.
pub const CYCLES: &str = "cycles";

/// Words of a kernel's control block, which has hardware of its own.
pub const CONTROL_WORDS: usize = 4;
/// Where a kernel's arguments begin, and what a pointer among them takes.
const ARGUMENTS: u32 = 4 * CONTROL_WORDS as u32;
const POINTER_BYTES: u32 = 12;
/// Bytes of a master's word. Half of the widest takes what a channel of HBM on U280 gives, so wider ones gain nothing.
const WORD_BYTES: [u64; 2] = [4, 64];

/// The core's registers between those of the wrapper, in the order of their offsets.
struct Map {
    registers: Vec<Register>,
    core: Range<usize>,
}

impl Map {
    fn new(core: &Interface, core_offset: u32, mut before: Vec<Register>, after: Vec<Register>) -> Self {
        let first = before.len();
        let own = if core.registers.is_empty() { &vec![identification()] } else { &core.registers };
        before.extend(own.iter().map(|r| Register { offset: r.offset + core_offset, ..r.clone() }));
        before.extend(after);
        Self { registers: before, core: first..first + core.registers.len() }
    }
}

/// A core behind AXI4-Stream; `config_hash` are the first 32 bits of its config's hash.
pub fn axi_interface(core: &Interface, config_hash: u32) -> AxiInterface {
    let streams: Vec<AxiStream> = core.streams.iter().map(axi_stream).collect();
    let Map { registers, core: core_registers } =
        Map::new(core, 0, vec![], stream_registers(core, &streams, config_hash));
    AxiInterface {
        top: format!("{}_axi", core.top),
        clock: "aclk",
        reset: "aresetn",
        interrupt: false,
        streams,
        registers,
        core_registers,
        core_offset: 0,
        reserved_below: 0,
    }
}

/// A core as a kernel. The words up to the last argument are contiguous for XRT, which writes all of them.
pub fn kernel_interface(core: &Interface, config_hash: u32) -> AxiInterface {
    let pointers = (ARGUMENTS..).step_by(POINTER_BYTES as usize);
    let streams: Vec<AxiStream> =
        core.streams.iter().zip(pointers).map(|(stream, address)| memory_stream(stream, address)).collect();
    let before = [control_registers(), arguments(core, &streams)].concat();
    let end = before.last().map_or(0, |r| r.offset + 4);
    // The core's own addresses are the lower bits.
    let core_offset = end.next_multiple_of(1 << core.address_bits());
    let Map { registers, core: core_registers } =
        Map::new(core, core_offset, before, memory_registers(&streams, config_hash));
    let end = registers.iter().map(|r| r.offset + 4).filter(|end| *end <= WRAPPER_OFFSET).max();
    AxiInterface {
        top: format!("{}_kernel", core.top),
        clock: "ap_clk",
        reset: "ap_rst_n",
        interrupt: true,
        streams,
        registers,
        core_registers,
        core_offset,
        reserved_below: end.unwrap_or_default(),
    }
}

fn axi_stream(stream: &Stream) -> AxiStream {
    let (side, last) = match (stream.dir, stream.last) {
        (Dir::In, true) => ("s", AxiLast::Core),
        (Dir::In, false) => ("s", AxiLast::Ignored),
        (Dir::Out, true) => ("m", AxiLast::Core),
        (Dir::Out, false) => ("m", AxiLast::Counted(beats(&stream.name))),
    };
    AxiStream {
        name: format!("{side}_axis_{}", stream.name),
        stream: stream.name.clone(),
        dir: stream.dir,
        beat_bits: stream.layout.beat_bits(),
        bus: AxiBus::Stream(last),
    }
}

/// A beat is a word of the port, or several where it is wider than the widest.
fn memory_stream(stream: &Stream, address: u32) -> AxiStream {
    let beat_bits = stream.layout.beat_bits();
    let bytes = beat_bits.div_ceil(8).next_power_of_two();
    let word_bytes = bytes.clamp(WORD_BYTES[0], WORD_BYTES[1]);
    let memory = AxiMemory { word_bytes, beat_words: bytes.div_ceil(word_bytes), address };
    AxiStream {
        name: format!("m_axi_{}", stream.name),
        stream: stream.name.clone(),
        dir: stream.dir,
        beat_bits,
        bus: AxiBus::Memory(memory),
    }
}

/// Name of the field that counts a stream's stalls.
pub fn stalls(stream: &str) -> String {
    format!("{stream}_stalls")
}

/// Name of the field, and of the register, with half of the address of a stream's first beat.
pub fn half(stream: &str, upper: bool) -> String {
    format!("{stream}_address_{}", if upper { "high" } else { "low" })
}

/// Name of the field that says how many beats a stream has: of a packet, of a pass through memory.
pub fn beats(stream: &str) -> String {
    format!("{stream}_beats")
}

/// Name of the field that says how often a pass through memory is made.
pub fn passes(stream: &str) -> String {
    format!("{stream}_passes")
}

/// Name of the sticky bit for error responses of a stream's memory.
pub fn error(stream: &str) -> String {
    format!("{stream}_memory_error")
}

/// A row of registers, one behind the other.
struct Row {
    next: u32,
    registers: Vec<Register>,
}

impl Row {
    fn at(offset: u32) -> Self {
        Self { next: offset, registers: vec![] }
    }

    fn add(&mut self, name: &str, fields: Vec<Field>, doc: &str) {
        self.registers.push(register(name, self.next, fields, doc));
        self.next += 4;
    }

    /// What the core is.
    fn identity(&mut self, streams: &[AxiStream], config_hash: u32) {
        let [major, minor, patch] = VERSION.map(|n| n.parse().unwrap_or_default());
        let version = [("patch", 0, 16, patch), ("minor", 16, 8, minor), ("major", 24, 8, major)];
        let version =
            version.map(|(n, lsb, width, v)| constant(&format!("version_{n}"), lsb, width, v, "Of three numbers."));
        self.add("version", version.into(), "Version of the generator.");
        let hash = constant("config_hash", 0, 32, config_hash.into(), "First 32 bits of the config's hash.");
        self.add("config_hash", vec![hash], "Which config the core was made from.");
        let count = |dir| streams.iter().filter(|s| s.dir == dir).count() as u64;
        let inputs = constant("input_streams", 0, 8, count(Dir::In), "Streams into the core.");
        let outputs = constant("output_streams", 8, 8, count(Dir::Out), "Streams out of the core.");
        self.add("capabilities", vec![inputs, outputs], "What is there.");
    }

    fn counters(&mut self, streams: &[AxiStream], since: &str) {
        let cycles =
            format!("From the first beat that the core took since {since} to the last that it gave, inclusive.");
        self.add(CYCLES, vec![counter(CYCLES, &cycles)], "Cycles, modulo 2^32.");
        for s in streams {
            let doc = format!("Cycles in which a beat of {} was offered and not taken.", s.stream);
            let doc_of_word = format!("Stalls at the core since {since}, modulo 2^32.");
            self.add(&stalls(&s.stream), vec![counter(&stalls(&s.stream), &doc)], &doc_of_word);
        }
    }
}

/// The registers at [`WRAPPER_OFFSET`] of a core behind AXI4-Stream: what it is, control, counters, lengths of packets.
fn stream_registers(core: &Interface, streams: &[AxiStream], config_hash: u32) -> Vec<Register> {
    let mut row = Row::at(WRAPPER_OFFSET);
    row.identity(streams, config_hash);
    let clear = field("clear_counters", Access::Trigger, (0, 1), 0, FieldValue::None, "Zeroes the counters.");
    let offered = "An output offers a beat; AXI forbids to withdraw it, not even by `reset`.";
    let offered = flag("output_offered", 1, Access::ReadOnly, offered);
    let reset = "Holds the core, its registers and the counters in reset; beats that come in are taken and dropped.";
    row.add("wrapper_control", vec![clear, offered, flag(RESET, 2, Access::ReadWrite, reset)], "Control.");
    row.counters(streams, "they were cleared");
    let counted = streams.iter().filter_map(|s| match s.last() {
        Some(AxiLast::Counted(field)) => Some((s, field)),
        _ => None,
    });
    let counted: Vec<(&AxiStream, &String)> = counted.collect();
    for (s, name) in &counted {
        let loops = core.stream(&s.stream).map(|s| s.layout.factors());
        let value = FieldValue::Product(loops.unwrap_or_default());
        let beats = length(name, 1, value, &format!("Beats of a packet on {}.", s.name));
        row.add(name, vec![beats], "Length of a packet, whose last beat carries tlast.");
    }
    if !counted.is_empty() {
        let refused = sticky(&format!("wrapper_{CONFIG_ERROR}"), 0, "A write of an illegal length was refused.");
        row.add("wrapper_status", vec![refused], "Sticky errors of the wrapper.");
    }
    row.registers
}

/// The control block of `ap_ctrl_hs`.
fn control_registers() -> Vec<Register> {
    let mut row = Row::at(0);
    let control = vec![
        flag("ap_start", 0, Access::Trigger, "Starts a job; reads one until it is done."),
        flag("ap_done", 1, Access::ReadToClear, "A job is done."),
        Field { reset: 1, ..flag("ap_idle", 2, Access::ReadOnly, "No job runs.") },
        flag("ap_ready", 3, Access::ReadToClear, "The next job may be set up: as `ap_done`."),
        flag("auto_restart", 7, Access::ReadWrite, "The end of a job starts it anew."),
    ];
    row.add("ap_control", control, "Start and end of jobs.");
    let on = flag("global_interrupt_enable", 0, Access::ReadWrite, "Lets interrupts out.");
    row.add("global_interrupt_enable", vec![on], "Interrupts at all.");
    let bits = |access, what: &str, doc: &str| {
        let bit = |(n, event)| flag(&format!("{event}_interrupt{what}"), n, access, &format!("`ap_{event}` {doc}"));
        [(0, "done"), (1, "ready")].map(bit).to_vec()
    };
    row.add("interrupt_enable", bits(Access::ReadWrite, "_enable", "sets its status bit."), "Which interrupts.");
    row.add("interrupt_status", bits(Access::WriteOneToClear, "", "came."), "Interrupts that wait.");
    row.registers
}

/// What a job says of its streams: an address of two words and a reserved one each, then numbers of beats and passes.
fn arguments(core: &Interface, streams: &[AxiStream]) -> Vec<Register> {
    let mut row = Row::at(ARGUMENTS);
    for (s, memory) in streams.iter().filter_map(|s| Some((s, s.memory()?))) {
        row.next = memory.address;
        for upper in [false, true] {
            let name = half(&s.stream, upper);
            let doc = if upper {
                "Upper half."
            } else {
                "Lower half; a multiple of the port's bytes, other bits are ignored."
            };
            let bits = field(&name, Access::ReadWrite, (0, u32::MAX.into()), 0, FieldValue::None, doc);
            row.add(&name, vec![bits], &format!("Address of the first beat of {}.", s.stream));
        }
    }
    row.next = ARGUMENTS + POINTER_BYTES * streams.len() as u32;
    for stream in &core.streams {
        let (name, layout) = (&stream.name, &stream.layout);
        let repeats: Vec<Extent> = match stream.dir {
            Dir::In => layout.repeats().iter().map(|l| l.extent.clone()).collect(),
            Dir::Out => vec![],
        };
        let pass = if repeats.is_empty() { layout.clone() } else { layout.one_pass() };
        let doc = "Beats in memory; a job leaves a stream of none alone.";
        let number = length(&beats(name), 0, FieldValue::Beats(Box::new(pass)), doc);
        row.add(&beats(name), vec![number], &format!("Length of {name}."));
        if !repeats.is_empty() {
            let number = length(&passes(name), 1, FieldValue::Product(repeats), "Passes through these beats.");
            row.add(&passes(name), vec![number], &format!("How often {name} is read."));
        }
    }
    row.registers
}

/// The registers at [`WRAPPER_OFFSET`] of a kernel: what it is, counters, errors.
fn memory_registers(streams: &[AxiStream], config_hash: u32) -> Vec<Register> {
    let mut row = Row::at(WRAPPER_OFFSET);
    row.identity(streams, config_hash);
    row.counters(streams, "the job's start");
    let refused = sticky(&format!("wrapper_{CONFIG_ERROR}"), 0, "A write of an illegal length was refused.");
    let answers = (1..).zip(streams);
    let answers = answers
        .map(|(n, s)| sticky(&error(&s.stream), n, &format!("The memory of {} answered with an error.", s.stream)));
    row.add("wrapper_status", [refused].into_iter().chain(answers).collect(), "Sticky errors of the wrapper.");
    row.registers
}

fn constant(name: &str, lsb: u32, width: u32, value: u64, doc: &str) -> Field {
    Field { lsb, width, ..field(name, Access::ReadOnly, (value, value), value, FieldValue::None, doc) }
}

fn flag(name: &str, lsb: u32, access: Access, doc: &str) -> Field {
    Field { lsb, ..field(name, access, (0, 1), 0, FieldValue::None, doc) }
}

fn counter(name: &str, doc: &str) -> Field {
    field(name, Access::ReadOnly, (0, u32::MAX.into()), 0, FieldValue::None, doc)
}

fn length(name: &str, min: u64, value: FieldValue, doc: &str) -> Field {
    field(name, Access::ReadWrite, (min, (1 << LENGTH_BITS) - 1), 1, value, doc)
}
