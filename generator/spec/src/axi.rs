//! The boundary of a core behind AXI: AXI4-Stream for its streams, AXI4-Lite for its registers. Ports of the wrapped top,
//! clients, drivers and packages are made from it.

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

/// An AXI4-Stream of a wrapped core. A beat is one beat of the core's stream, padded to whole bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AxiStream {
    /// Prefix of its ports, such as `s_axis_x`.
    pub name: String,
    /// The stream of the core.
    pub stream: String,
    /// Direction as seen from the core.
    pub dir: Dir,
    /// Bits of a beat without the padding above them.
    pub beat_bits: u64,
    /// Whether `tlast` means anything.
    pub last: AxiLast,
}

/// A core behind AXI.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AxiInterface {
    /// Name of the wrapped top.
    pub top: String,
    /// Streams in the order of the core's.
    pub streams: Vec<AxiStream>,
    /// The core's registers at their own offsets, then the wrapper's.
    pub registers: Vec<Register>,
    /// How many of them are the core's.
    pub core_registers: usize,
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
/// Where the wrapper's registers begin; the core's are below, and the identification of a core that has none.
pub const WRAPPER_OFFSET: u32 = 0x800;

impl AxiStream {
    /// Bits of `tdata`.
    pub fn data_bits(&self) -> u64 {
        8 * self.bytes()
    }

    /// Bytes of a beat, which is the width of `tkeep`.
    pub fn bytes(&self) -> u64 {
        self.beat_bits.div_ceil(8)
    }

    fn ports(&self) -> Vec<AxiPort> {
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
        let last = match &self.last {
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
        &self.registers[..self.core_registers]
    }

    /// The registers in the wrapper.
    pub fn wrapper_registers(&self) -> &[Register] {
        &self.registers[self.core_registers..]
    }

    /// Every port, in the order clock, reset, registers, streams.
    pub fn ports(&self) -> Vec<AxiPort> {
        let single = |name: &str, kind: &str, signal: &str, parameter: String, doc: &str| AxiPort {
            name: name.into(),
            dir: Dir::In,
            width: 1,
            doc: doc.into(),
            info: format!("xilinx.com:signal:{kind}:1.0 {name} {signal}"),
            parameter: Some(parameter),
        };
        let buses: Vec<&str> = self.streams.iter().map(|s| s.name.as_str()).chain([CONTROL]).collect();
        let clocked = format!("ASSOCIATED_BUSIF {}, ASSOCIATED_RESET aresetn", buses.join(":"));
        let mut ports = vec![
            single("aclk", "clock", "CLK", clocked, "Clock of all ports, rising edge."),
            single("aresetn", "reset", "RST", "POLARITY ACTIVE_LOW".into(), "Synchronous reset, active low."),
        ];
        ports.extend(control_ports());
        ports.extend(self.streams.iter().flat_map(AxiStream::ports));
        ports
    }
}

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
        ("BRESP", Dir::Out, 2, "OKAY, or SLVERR where no register is."),
        ("BVALID", Dir::Out, 1, "A write is answered."),
        ("BREADY", Dir::In, 1, "The answer is taken."),
        ("ARADDR", Dir::In, address, "Byte address of a read; the two lowest bits are ignored."),
        ("ARPROT", Dir::In, 3, "Ignored."),
        ("ARVALID", Dir::In, 1, "A read address is offered."),
        ("ARREADY", Dir::Out, 1, "The read address is taken."),
        ("RDATA", Dir::Out, 32, "The register; zero where there is none."),
        ("RRESP", Dir::Out, 2, "OKAY, or SLVERR where no register is."),
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
