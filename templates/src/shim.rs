//! The C++ that binds the pins of one core to the fixed co-simulation driver. `flow::sim` writes and compiles it.

use askama::Template;
use bitlathe_spec::{Dir, Interface, Stream};

/// The generated half of the co-simulation shim, as C++ text by [`Template::render`].
#[derive(Template)]
#[template(path = "shim.cpp", escape = "none")]
pub struct Shim {
    top: String,
    registers: bool,
    address_bits: u32,
    address_bytes: u64,
    ports: Vec<Port>,
}

/// One stream's pins by name.
struct Port {
    input: bool,
    valid: String,
    ready: String,
    /// Address of the `last` pin, or a null pointer.
    last: String,
    data: String,
    bits: u64,
    bytes: u64,
}

impl Shim {
    /// Binds every stream, in the interface's order, and the register port where there is one.
    pub fn new(interface: &Interface) -> Self {
        Self {
            top: interface.top.clone(),
            registers: !interface.registers.is_empty(),
            address_bits: interface.address_bits(),
            address_bytes: storage_bytes(u64::from(interface.address_bits())),
            ports: interface.streams.iter().map(Port::new).collect(),
        }
    }
}

impl Port {
    fn new(stream: &Stream) -> Self {
        let (name, bits) = (&stream.name, stream.layout.beat_bits());
        let (with, against) = match stream.dir {
            Dir::In => ("i", "o"),
            Dir::Out => ("o", "i"),
        };
        Self {
            input: stream.dir == Dir::In,
            valid: format!("{name}_valid_{with}"),
            ready: format!("{name}_ready_{against}"),
            last: if stream.last { format!("&top->{name}_last_{with}") } else { "nullptr".to_string() },
            data: format!("{name}_data_{with}"),
            bits,
            bytes: storage_bytes(bits),
        }
    }
}

/// Bytes in which Verilator keeps a signal: 1, 2, 4, 8, then whole 32-bit words.
fn storage_bytes(bits: u64) -> u64 {
    match bits {
        0..=8 => 1,
        9..=16 => 2,
        17..=32 => 4,
        33..=64 => 8,
        _ => 4 * bits.div_ceil(32),
    }
}

#[cfg(test)]
mod tests {
    use bitlathe_spec::{LaneVar, Layout};

    use super::*;

    fn stream(name: &str, dir: Dir, lanes: u64, lane_bits: u32, last: bool) -> Stream {
        let lanes = vec![LaneVar { name: "c".into(), extent: lanes }];
        let layout =
            Layout { loops: vec![], lanes, group: 1, lane_bits, code: "plain".into(), axes: vec![], shape: vec![] };
        Stream { name: name.into(), dir, layout, signed: true, last, doc: String::new() }
    }

    #[test]
    fn binds_every_pin_with_its_storage_size() {
        let interface = Interface {
            top: "adder".into(),
            sizes: vec![],
            tensors: vec![],
            streams: vec![stream("x", Dir::In, 13, 5, false), stream("y", Dir::Out, 4, 32, true)],
            registers: vec![],
        };
        let text = Shim::new(&interface).render().expect("the template renders");
        assert!(text.contains("{true, &top->x_valid_i, &top->x_ready_o, nullptr, &top->x_data_i, 12, 65}"), "{text}");
        let y = "{false, &top->y_valid_o, &top->y_ready_i, &top->y_last_o, &top->y_data_o, 16, 128}";
        assert!(text.contains(y), "{text}");
        assert!(!text.contains("reg_"), "a core without registers has no register port:\n{text}");
    }
}
