//! The boundary of a core behind AXI: AXI4-Stream or AXI4 masters for its streams, AXI4-Lite for its registers. Ports of the wrapped
//! top, clients, drivers and packages are made from it.

use std::ops::Range;

use serde::Serialize;

use crate::interface::{Dir, Register};

/// How a wrapped stream comes by its `tlast`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AxiLast {
    /// It is the `last` of the core's stream.
    Core,
    /// The core's input has no `last`: taken and ignored.
    Ignored,
    /// The core's output has no `last`: it marks the last of as many beats as the register field of this name says.
    Counted(String),
}

/// The bus of a wrapped stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AxiBus {
    /// AXI4-Stream: a beat is one beat of the core's stream, padded to whole bytes.
    Stream(AxiLast),
    /// An AXI4 master: beats lie one after the other in memory.
    Memory(AxiMemory),
}

/// How an AXI4 master moves the beats of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AxiMemory {
    /// Bytes of a word of the port, a power of two.
    pub word_bytes: u64,
    /// Words of a beat, a power of two.
    pub beat_words: u64,
    /// Byte offset of the register with the lower half of the address of the first beat; the upper half follows.
    pub address: u32,
}

impl AxiMemory {
    /// Bytes that a beat takes in memory.
    pub fn beat_bytes(&self) -> u64 {
        self.word_bytes * self.beat_words
    }

    /// Words of the longest burst. Bursts end at multiples of it, and its bytes divide 4 KiB, so that none crosses such a boundary.
    pub fn burst_words(&self) -> u64 {
        LONGEST_BURST.min(4096 / self.word_bytes)
    }
}

/// A stream of a wrapped core.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AxiStream {
    /// Prefix of its ports, such as `s_axis_x` or `m_axi_x`.
    pub name: String,
    /// The stream of the core.
    pub stream: String,
    /// Direction as seen from the core.
    pub dir: Dir,
    /// Bits of a beat without the padding above them.
    pub beat_bits: u64,
    /// What it travels on.
    pub bus: AxiBus,
}

/// A core behind AXI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AxiInterface {
    /// Name of the wrapped top.
    pub top: String,
    /// Name of the clock.
    pub clock: &'static str,
    /// Name of the reset.
    pub reset: &'static str,
    /// Whether there is an interrupt.
    pub interrupt: bool,
    /// Streams in the order of the core's.
    pub streams: Vec<AxiStream>,
    /// All registers, by offset.
    pub registers: Vec<Register>,
    /// Which of them are the core's.
    pub core_registers: Range<usize>,
    /// What is added to the core's own offsets.
    pub core_offset: u32,
    /// Below this offset a word without a register is reserved: it reads zero and takes every write. Elsewhere both answer SLVERR.
    pub reserved_below: u32,
}

/// A port of a wrapped top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AxiPort {
    /// Name.
    pub name: String,
    /// Direction.
    pub dir: Dir,
    /// Bits.
    pub width: u64,
    /// One sentence for documentation.
    pub doc: String,
    /// Which signal of which bus it is, as the attribute `X_INTERFACE_INFO` says it.
    pub info: String,
    /// The attribute `X_INTERFACE_PARAMETER`, where the port carries one.
    pub parameter: Option<String>,
}

/// Prefix of the AXI4-Lite ports.
pub const CONTROL: &str = "s_axi_control";
/// Bits of an AXI4-Lite address: 4 KiB.
pub const ADDRESS_BITS: u32 = 12;
/// Where the registers begin that every wrapper has; the core's are below, and the identification of a core that has none.
pub const WRAPPER_OFFSET: u32 = 0x800;
/// Words of the longest burst of a master.
pub const LONGEST_BURST: u64 = 64;
/// Most bursts that a master has under way.
pub const OUTSTANDING: u64 = 16;

impl AxiStream {
    /// Bits of data that the bus carries at once.
    pub fn data_bits(&self) -> u64 {
        8 * self.bytes()
    }

    /// Bytes of these: of a whole beat on AXI4-Stream, of a word of memory on AXI4.
    pub fn bytes(&self) -> u64 {
        match &self.bus {
            AxiBus::Stream(_) => self.beat_bits.div_ceil(8),
            AxiBus::Memory(memory) => memory.word_bytes,
        }
    }

    /// How its `tlast` comes about, on AXI4-Stream.
    pub fn last(&self) -> Option<&AxiLast> {
        match &self.bus {
            AxiBus::Stream(last) => Some(last),
            AxiBus::Memory(_) => None,
        }
    }

    /// How it lies in memory, on AXI4.
    pub fn memory(&self) -> Option<&AxiMemory> {
        match &self.bus {
            AxiBus::Stream(_) => None,
            AxiBus::Memory(memory) => Some(memory),
        }
    }

    fn ports(&self) -> Vec<AxiPort> {
        match &self.bus {
            AxiBus::Stream(last) => self.stream_ports(last),
            AxiBus::Memory(memory) => self.memory_ports(memory),
        }
    }

    /// The channels of a master that reads, or of one that writes.
    fn memory_ports(&self, memory: &AxiMemory) -> Vec<AxiPort> {
        let (mode, way, channel) = match self.dir {
            Dir::In => ("READ_ONLY", "READ", "AR"),
            Dir::Out => ("WRITE_ONLY", "WRITE", "AW"),
        };
        let parameter = format!(
            "READ_WRITE_MODE {mode}, MAX_BURST_LENGTH {}, NUM_{way}_OUTSTANDING {OUTSTANDING}, SUPPORTS_NARROW_BURST 0",
            memory.burst_words()
        );
        let port = |(signal, dir, width, doc): (&str, Dir, u64, &str)| {
            bus_port("aximm", &self.name, signal, dir, width, doc.into())
        };
        let mut ports: Vec<AxiPort> = ADDRESS_CHANNEL
            .into_iter()
            .map(|(signal, dir, width, doc)| port((&format!("{channel}{signal}"), dir, width, doc)))
            .collect();
        ports[0].parameter = Some(parameter);
        let data = match self.dir {
            Dir::In => vec![
                ("RID", Dir::In, 1, "Ignored: there is one identifier."),
                ("RDATA", Dir::In, self.data_bits(), "A word."),
                ("RRESP", Dir::In, 2, "An error sets a sticky bit."),
                ("RLAST", Dir::In, 1, "Marks the last word of a burst."),
                ("RVALID", Dir::In, 1, "A word is offered."),
                ("RREADY", Dir::Out, 1, "The word is taken: always one where a burst is under way."),
            ],
            Dir::Out => vec![
                ("WDATA", Dir::Out, self.data_bits(), "A word; zeros above the beat."),
                ("WSTRB", Dir::Out, self.bytes(), "All ones: every word is whole."),
                ("WLAST", Dir::Out, 1, "Marks the last word of a burst."),
                ("WVALID", Dir::Out, 1, "A word is offered."),
                ("WREADY", Dir::In, 1, "The word is taken."),
                ("BID", Dir::In, 1, "Ignored: there is one identifier."),
                ("BRESP", Dir::In, 2, "An error sets a sticky bit."),
                ("BVALID", Dir::In, 1, "A burst is written."),
                ("BREADY", Dir::Out, 1, "Always one."),
            ],
        };
        ports.extend(data.into_iter().map(port));
        ports
    }

    fn stream_ports(&self, last: &AxiLast) -> Vec<AxiPort> {
        let (with, back) = match self.dir {
            Dir::In => (Dir::In, Dir::Out),
            Dir::Out => (Dir::Out, Dir::In),
        };
        let port = |signal: &str, dir, width, doc: String| {
            bus_port("axis", &self.name, &format!("T{}", signal.to_uppercase()), dir, width, doc)
        };
        let keep = match self.dir {
            Dir::In => "Ignored: every beat is whole.",
            Dir::Out => "All ones: every beat is whole.",
        };
        let last = match last {
            AxiLast::Core => "Marks the last beat of a job.".into(),
            AxiLast::Ignored => "Ignored: the sizes say where a job ends.".into(),
            AxiLast::Counted(field) => format!("Marks the last of as many beats as `{field}` says."),
        };
        let data = match self.data_bits() - self.beat_bits {
            0 => format!("A beat of `{}`.", self.stream),
            pad => format!("A beat of `{}` in the lowest {} bits, {pad} of padding.", self.stream, self.beat_bits),
        };
        vec![
            port("data", with, self.data_bits(), data),
            port("keep", with, self.bytes(), keep.into()),
            port("last", with, 1, last),
            port("valid", with, 1, "A beat is offered.".into()),
            port("ready", back, 1, "The beat is taken at the next rising edge.".into()),
        ]
    }
}

impl AxiInterface {
    /// The registers in the core.
    pub fn core_registers(&self) -> &[Register] {
        &self.registers[self.core_registers.clone()]
    }

    /// The registers in the wrapper.
    pub fn wrapper_registers(&self) -> Vec<Register> {
        [&self.registers[..self.core_registers.start], &self.registers[self.core_registers.end..]].concat()
    }

    /// Every bus: of the streams, and of the registers.
    pub fn buses(&self) -> impl Iterator<Item = &str> {
        self.streams.iter().map(|s| s.name.as_str()).chain([CONTROL])
    }

    /// Every port, in the order clock, reset, interrupt, registers, streams.
    pub fn ports(&self) -> Vec<AxiPort> {
        let single = |name: &str, dir, kind: &str, signal: &str, parameter: String, doc: &str| AxiPort {
            name: name.into(),
            dir,
            width: 1,
            doc: doc.into(),
            info: format!("xilinx.com:signal:{kind}:1.0 {name} {signal}"),
            parameter: Some(parameter),
        };
        let buses: Vec<&str> = self.buses().collect();
        let clocked = format!("ASSOCIATED_BUSIF {}, ASSOCIATED_RESET {}", buses.join(":"), self.reset);
        let low = "POLARITY ACTIVE_LOW".into();
        let mut ports = vec![
            single(self.clock, Dir::In, "clock", "CLK", clocked, "Clock of all ports, rising edge."),
            single(self.reset, Dir::In, "reset", "RST", low, "Synchronous reset, active low."),
        ];
        if self.interrupt {
            let level = "SENSITIVITY LEVEL_HIGH".into();
            let doc = "One while an interrupt that is enabled waits.";
            ports.push(single("interrupt", Dir::Out, "interrupt", "INTERRUPT", level, doc));
        }
        ports.extend(control_ports());
        ports.extend(self.streams.iter().flat_map(AxiStream::ports));
        ports
    }
}

/// The address channel of a master, of which one identifier and plain incrementing bursts of whole words are used.
const ADDRESS_CHANNEL: [(&str, Dir, u64, &str); 9] = [
    ("ID", Dir::Out, 1, "Zero."),
    ("ADDR", Dir::Out, 64, "Byte address of a burst, a multiple of the word."),
    ("LEN", Dir::Out, 8, "Words of the burst less one."),
    ("SIZE", Dir::Out, 3, "Logarithm of the bytes of a word."),
    ("BURST", Dir::Out, 2, "INCR."),
    ("CACHE", Dir::Out, 4, "Modifiable and bufferable."),
    ("PROT", Dir::Out, 3, "Data, secure, unprivileged."),
    ("VALID", Dir::Out, 1, "A burst is offered."),
    ("READY", Dir::In, 1, "The burst is taken."),
];

/// The five channels of AXI4-Lite.
fn control_ports() -> impl Iterator<Item = AxiPort> {
    let address = u64::from(ADDRESS_BITS);
    [
        ("AWADDR", Dir::In, address, "Byte address of a write; the two lowest bits are ignored."),
        ("AWPROT", Dir::In, 3, "Ignored."),
        ("AWVALID", Dir::In, 1, "A write address is offered."),
        ("AWREADY", Dir::Out, 1, "The write address is taken."),
        ("WDATA", Dir::In, 32, "Word to write."),
        ("WSTRB", Dir::In, 4, "Bytes to write."),
        ("WVALID", Dir::In, 1, "Write data are offered."),
        ("WREADY", Dir::Out, 1, "The write data are taken."),
        ("BRESP", Dir::Out, 2, "OKAY, or SLVERR where nothing is."),
        ("BVALID", Dir::Out, 1, "A write is answered."),
        ("BREADY", Dir::In, 1, "The answer is taken."),
        ("ARADDR", Dir::In, address, "Byte address of a read; the two lowest bits are ignored."),
        ("ARPROT", Dir::In, 3, "Ignored."),
        ("ARVALID", Dir::In, 1, "A read address is offered."),
        ("ARREADY", Dir::Out, 1, "The read address is taken."),
        ("RDATA", Dir::Out, 32, "The register; zero where there is none."),
        ("RRESP", Dir::Out, 2, "OKAY, or SLVERR where nothing is."),
        ("RVALID", Dir::Out, 1, "A read is answered."),
        ("RREADY", Dir::In, 1, "The answer is taken."),
    ]
    .into_iter()
    .map(|(signal, dir, width, doc)| bus_port("aximm", CONTROL, signal, dir, width, doc.into()))
}

fn bus_port(kind: &str, bus: &str, signal: &str, dir: Dir, width: u64, doc: String) -> AxiPort {
    let info = format!("xilinx.com:interface:{kind}:1.0 {bus} {signal}");
    AxiPort { name: format!("{bus}_{}", signal.to_lowercase()), dir, width, doc, info, parameter: None }
}
