//! The AXI interface of a core: its streams under their AXI names, and its registers with those of the wrapper.

use bitlathe_spec::axi::{AxiInterface, AxiLast, AxiStream, WRAPPER_OFFSET};
use bitlathe_spec::{Access, Dir, Extent, Field, FieldValue, Interface, Register, Stream};

use crate::boundary::{field, identification, register, sticky};
use crate::parts::register_file::CONFIG_ERROR;

/// Version of the generator: major, minor, patch.
const VERSION: [&str; 3] =
    [env!("CARGO_PKG_VERSION_MAJOR"), env!("CARGO_PKG_VERSION_MINOR"), env!("CARGO_PKG_VERSION_PATCH")];
/// Bits of the length of a packet: as many as a parameter of Verilog can bound.
pub const LENGTH_BITS: u32 = 31;

/// Name of the field that holds the core in reset.
pub const RESET: &str = "reset";

/// A core behind AXI; `config_hash` are the first 32 bits of its config's hash.
pub fn axi_interface(core: &Interface, config_hash: u32) -> AxiInterface {
    let streams: Vec<AxiStream> = core.streams.iter().map(axi_stream).collect();
    let mut registers = core.registers.clone();
    if registers.is_empty() {
        registers.push(identification());
    }
    registers.extend(wrapper_registers(core, &streams, config_hash));
    AxiInterface { top: format!("{}_axi", core.top), streams, registers, core_registers: core.registers.len() }
}

fn axi_stream(stream: &Stream) -> AxiStream {
    let (side, last) = match (stream.dir, stream.last) {
        (Dir::In, true) => ("s", AxiLast::Core),
        (Dir::In, false) => ("s", AxiLast::Ignored),
        (Dir::Out, true) => ("m", AxiLast::Core),
        (Dir::Out, false) => ("m", AxiLast::Counted(format!("{}_beats", stream.name))),
    };
    AxiStream {
        name: format!("{side}_axis_{}", stream.name),
        stream: stream.name.clone(),
        dir: stream.dir,
        beat_bits: stream.layout.beat_bits(),
        last,
    }
}

/// Name of the field that counts a stream's stalls.
pub fn stalls(stream: &str) -> String {
    format!("{stream}_stalls")
}

/// The registers at [`WRAPPER_OFFSET`]: what the core is, control, counters, lengths of packets.
fn wrapper_registers(core: &Interface, streams: &[AxiStream], config_hash: u32) -> Vec<Register> {
    let mut out = vec![];
    let mut add = |name: &str, fields: Vec<Field>, doc: &str| {
        out.push(register(name, WRAPPER_OFFSET + 4 * out.len() as u32, fields, doc));
    };
    let [major, minor, patch] = VERSION.map(|n| n.parse().unwrap_or_default());
    let version = [("patch", 0, 16, patch), ("minor", 16, 8, minor), ("major", 24, 8, major)];
    let version =
        version.map(|(n, lsb, width, v)| constant(&format!("version_{n}"), lsb, width, v, "Of three numbers."));
    add("version", version.into(), "Version of the generator.");
    let hash = constant("config_hash", 0, 32, config_hash.into(), "First 32 bits of the config's hash.");
    add("config_hash", vec![hash], "Which config the core was made from.");
    let count = |dir| streams.iter().filter(|s| s.dir == dir).count() as u64;
    let inputs = constant("input_streams", 0, 8, count(Dir::In), "Streams into the core.");
    let outputs = constant("output_streams", 8, 8, count(Dir::Out), "Streams out of the core.");
    add("capabilities", vec![inputs, outputs], "What is there.");
    let clear = field("clear_counters", Access::Trigger, (0, 1), 0, FieldValue::None, "Zeroes the counters.");
    let offered = "An output offers a beat; AXI forbids to withdraw it, not even by `reset`.";
    let offered = flag("output_offered", 1, Access::ReadOnly, offered);
    let reset = "Holds the core, its registers and the counters in reset; beats that come in are taken and dropped.";
    add("wrapper_control", vec![clear, offered, flag(RESET, 2, Access::ReadWrite, reset)], "Control.");
    let cycles = "From the first beat that the core took since they were cleared to the last that it gave, inclusive.";
    add("cycles", vec![counter("cycles", cycles)], "Cycles, modulo 2^32.");
    for s in streams {
        let doc = format!("Cycles in which a beat of {} was offered and not taken.", s.stream);
        add(
            &stalls(&s.stream),
            vec![counter(&stalls(&s.stream), &doc)],
            "Stalls at the core since cleared, modulo 2^32.",
        );
    }
    let counted: Vec<(&AxiStream, &String)> = streams
        .iter()
        .filter_map(|s| if let AxiLast::Counted(field) = &s.last { Some((s, field)) } else { None })
        .collect();
    for (s, name) in &counted {
        let loops = core.stream(&s.stream).map(|s| s.layout.factors());
        let beats = packet(name, loops.unwrap_or_default(), &format!("Beats of a packet on {}.", s.name));
        add(name, vec![beats], "Length of a packet, whose last beat carries tlast.");
    }
    if !counted.is_empty() {
        let refused = sticky(&format!("wrapper_{CONFIG_ERROR}"), 0, "A write of an illegal length was refused.");
        add("wrapper_status", vec![refused], "Sticky errors of the wrapper.");
    }
    out
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

fn packet(name: &str, loops: Vec<Extent>, doc: &str) -> Field {
    field(name, Access::ReadWrite, (1, (1 << LENGTH_BITS) - 1), 1, FieldValue::Product(loops), doc)
}
