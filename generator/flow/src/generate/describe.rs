//! The interface in words: ports, tensors, the loop nest of a stream. Shared by JSON, `model.md` and the datasheet.

use bitlathe_spec::axi::{AxiInterface, AxiPort};
use bitlathe_spec::{Access, Axis, Carrier, Dir, Extent, FieldValue, Interface, Layout, Role, Stream, TensorSpec};
use bitlathe_templates::model_page::{SizeRow, StreamWalk, TensorRow};

use super::numbers::grouped;

/// A port of the top module.
pub struct PortInfo {
    pub name: String,
    pub dir: Dir,
    pub width: u64,
    pub doc: String,
}

/// Every port, in the order clock, reset, registers, streams.
pub fn ports(interface: &Interface) -> Vec<PortInfo> {
    let port = |name: &str, dir, width, doc: &str| PortInfo { name: name.into(), dir, width, doc: doc.into() };
    let mut ports = vec![
        port("clk_i", Dir::In, 1, "Clock, rising edge."),
        port("rst_i", Dir::In, 1, "Synchronous reset, active high."),
    ];
    if !interface.registers.is_empty() {
        ports.push(port("reg_write_i", Dir::In, 1, "Writes the addressed register."));
        ports.push(port("reg_addr_i", Dir::In, interface.address_bits().into(), "Byte address of a register."));
        ports.push(port("reg_wdata_i", Dir::In, 32, "Word to write."));
        ports.push(port("reg_rdata_o", Dir::Out, 32, "The addressed register, in the same cycle."));
    }
    ports.extend(interface.streams.iter().flat_map(stream_ports));
    ports
}

/// Every port of a core behind AXI.
pub fn axi_ports(axi: &AxiInterface) -> Vec<PortInfo> {
    let port = |p: AxiPort| PortInfo { name: p.name, dir: p.dir, width: p.width, doc: p.doc };
    axi.ports().into_iter().map(port).collect()
}

fn stream_ports(stream: &Stream) -> Vec<PortInfo> {
    let name = &stream.name;
    let (with, against, back) = match stream.dir {
        Dir::In => ("i", "o", Dir::Out),
        Dir::Out => ("o", "i", Dir::In),
    };
    let port = |part: &str, suffix: &str, dir, width, doc: String| PortInfo {
        name: format!("{name}_{part}_{suffix}"),
        dir,
        width,
        doc,
    };
    let mut ports = vec![
        port("valid", with, stream.dir, 1, "A beat is offered.".into()),
        port("ready", against, back, 1, "The beat is taken at the next rising edge.".into()),
    ];
    if stream.last {
        ports.push(port("last", with, stream.dir, 1, "Marks the last beat of a job.".into()));
    }
    ports.push(port(
        "data",
        with,
        stream.dir,
        stream.layout.beat_bits(),
        format!("{}, lane 0 lowest.", lanes(&stream.layout)),
    ));
    ports
}

/// Such as `6 lanes of 8 bits`.
pub fn lanes(layout: &Layout) -> String {
    match layout.lane_count() {
        1 => format!("1 lane of {} bits", layout.lane_bits),
        n => format!("{n} lanes of {} bits", layout.lane_bits),
    }
}

/// `in` or `out`, as seen from the core.
pub fn direction(dir: Dir) -> &'static str {
    match dir {
        Dir::In => "in",
        Dir::Out => "out",
    }
}

/// Who changes a register field.
pub fn access(access: Access) -> &'static str {
    match access {
        Access::ReadWrite => "read, write",
        Access::ReadOnly => "read",
        Access::ReadToClear => "read to clear",
        Access::WriteOneToClear => "read, write 1 to clear",
        Access::Trigger => "write 1 to start, reads 1 until done",
    }
}

/// What a job writes into a field.
pub fn field_value(value: &FieldValue) -> String {
    match value {
        FieldValue::None => "nothing".into(),
        FieldValue::Extent(extent) => extent.text(),
        FieldValue::Product(extents) => product(extents),
        FieldValue::Beats(layout) => product(&layout.factors()),
        FieldValue::Element { tensor, index } => format!("{tensor}[{index}]"),
    }
}

/// Rows of the table of sizes.
pub fn size_rows(interface: &Interface) -> Vec<SizeRow> {
    let row = |s: &bitlathe_spec::Scalar| SizeRow {
        name: s.name.clone(),
        min: grouped(s.min),
        max: grouped(s.max),
        doc: s.doc.clone(),
    };
    interface.sizes.iter().map(row).collect()
}

/// Rows of the table of tensors.
pub fn tensor_rows(interface: &Interface) -> Vec<TensorRow> {
    interface.tensors.iter().map(tensor_row).collect()
}

fn tensor_row(spec: &TensorSpec) -> TensorRow {
    let default = spec.default.map(|v| format!(" Where not given, every element is {v}.")).unwrap_or_default();
    TensorRow {
        name: spec.name.clone(),
        role: match spec.role {
            Role::In => "in",
            Role::Out => "out",
        },
        dtype: spec.dtype.name(),
        shape: spec.shape_text(),
        range: format!("{} .. {}", grouped(spec.range.0), grouped(spec.range.1)),
        carrier: match &spec.carrier {
            Carrier::Stream(name) => format!("stream {name}"),
            Carrier::Fields(names) if names.len() == 1 => format!("field {}", names[0]),
            Carrier::Fields(names) => format!("fields {}", names.join(", ")),
            Carrier::Size(name) => format!("size {name}"),
        },
        doc: format!("{}{default}", spec.doc),
    }
}

/// The walk of a stream, for the documentation.
pub fn walk(stream: &Stream) -> StreamWalk {
    StreamWalk {
        name: stream.name.clone(),
        direction: direction(stream.dir),
        doc: stream.doc.clone(),
        bits: stream.layout.beat_bits(),
        lanes: lanes(&stream.layout),
        code: stream.layout.code.clone(),
        nest: nest(stream),
        beats: beats_formula(&stream.layout),
        notes: notes(stream),
    }
}

/// The number of beats of a job, such as `ceil(T / 2) * ceil(K / 6)`.
pub fn beats_formula(layout: &Layout) -> String {
    product(&layout.factors())
}

fn product<'a>(extents: impl IntoIterator<Item = &'a Extent>) -> String {
    let factors: Vec<String> = extents.into_iter().map(Extent::text).filter(|t| t != "1").collect();
    if factors.is_empty() { "1".into() } else { factors.join(" * ") }
}

/// The loop nest as pseudocode.
fn nest(stream: &Stream) -> Vec<String> {
    let layout = &stream.layout;
    let mut lines = Vec::new();
    let mut depth = 0;
    let mut line = |depth: usize, text: String| lines.push(format!("{}{text}", "  ".repeat(depth)));
    for l in layout.loops.iter().filter(|l| l.extent != Extent::Const(1)) {
        let repeat = if moves(layout, &l.name) { "" } else { "    # repeats" };
        line(depth, format!("for {} in 0 .. {}{repeat}", l.name, l.extent.text()));
        depth += 1;
    }
    line(depth, format!("one beat of {} bits:", layout.beat_bits()));
    depth += 1;
    if layout.lane_count() > 1 {
        let counters: Vec<String> = layout.lanes.iter().map(|l| format!("{} in 0 .. {}", l.name, l.extent)).collect();
        line(depth, format!("for {}", counters.join(", ")));
        depth += 1;
    }
    let bits = lane_bits(layout);
    let indices: Vec<String> = layout.axes.iter().map(|a| index(layout, a)).collect();
    let element = format!("{}[{}]", stream.name, indices.join(", "));
    line(
        depth,
        match (layout.code.as_str(), layout.group) {
            ("plain", _) => format!("{bits} = {element}"),
            (code, group) => format!("{bits} = {code}({element} for i in 0 .. {group})"),
        },
    );
    lines
}

/// The data pins of a lane, such as `data[5*(2*r + c) +: 5]`.
fn lane_bits(layout: &Layout) -> String {
    let bits = layout.lane_bits;
    match lane_index(layout).as_str() {
        "0" => format!("data[{}:0]", bits - 1),
        sum if sum.contains('+') => format!("data[{bits}*({sum}) +: {bits}]"),
        lane => format!("data[{bits}*{lane} +: {bits}]"),
    }
}

/// The lane's number from its counters.
fn lane_index(layout: &Layout) -> String {
    let mut stride = 1;
    let mut terms = Vec::new();
    for l in layout.lanes.iter().rev().filter(|l| l.extent > 1) {
        terms.push(term(&l.name, stride));
        stride *= l.extent;
    }
    terms.reverse();
    if terms.is_empty() { "0".into() } else { terms.join(" + ") }
}

fn term(name: &str, stride: u64) -> String {
    if stride == 1 { name.into() } else { format!("{stride}*{name}") }
}

fn index(layout: &Layout, axis: &Axis) -> String {
    let terms: Vec<String> =
        axis.terms.iter().filter(|(n, s)| *s > 0 && !is_still(layout, n)).map(|(n, s)| term(n, *s)).collect();
    if terms.is_empty() { "0".into() } else { terms.join(" + ") }
}

/// How often a lane counter runs; `None` for a loop.
fn extent(layout: &Layout, name: &str) -> Option<u64> {
    match name {
        "i" => Some(layout.group),
        _ => layout.lanes.iter().find(|l| l.name == name).map(|l| l.extent),
    }
}

/// Whether a counter stays at 0.
fn is_still(layout: &Layout, name: &str) -> bool {
    extent(layout, name) == Some(1) || layout.loops.iter().any(|l| l.name == name && l.extent == Extent::Const(1))
}

fn moves(layout: &Layout, name: &str) -> bool {
    layout.axes.iter().any(|a| a.terms.iter().any(|(n, s)| n == name && *s > 0))
}

fn notes(stream: &Stream) -> Vec<String> {
    let layout = &stream.layout;
    let mut notes = Vec::new();
    let loops = layout.loops.iter().filter(|l| l.extent != Extent::Const(1)).map(|l| l.name.as_str());
    let repeats: Vec<&str> = loops.filter(|n| !moves(layout, n)).collect();
    if !repeats.is_empty() {
        notes.push(format!("Each step of {} sends the same beats again.", repeats.join(" and ")));
    }
    for l in &layout.loops {
        if let Extent::Causal { when, block, rows, queries, keys, .. } = &l.extent {
            notes.push(format!(
                "{block} sees all {keys} keys where {when} = 0 or f + {rows} >= {queries} with f = {rows}*{block} mod {queries}, else the first f + {rows} + \
                 {keys} - {queries}."
            ));
        }
    }
    if !layout.shape.is_empty() {
        let sizes: Vec<String> = layout.shape.iter().map(Extent::text).collect();
        notes.push(format!("{} is read, row-major, as [{}].", stream.name, sizes.join(", ")));
    }
    for axis in &layout.axes {
        if let Some(text) = overhang(layout, axis) {
            notes.push(text);
        }
    }
    let padding = match stream.dir {
        Dir::In if layout.code == "plain" => "send zeros",
        // A code need not have a word for zeros alone, and what meets padding counts nothing.
        Dir::In => "any values that make a legal code",
        Dir::Out => "ignore them",
    };
    notes.push(format!("Elements outside the tensor are padding: {padding}."));
    if stream.last {
        let side = if stream.dir == Dir::In { "i" } else { "o" };
        notes.push(format!("{}_last_{side} marks the last beat of a job.", stream.name));
    }
    notes
}

/// Where lanes reach beyond their tile, the condition of it.
fn overhang(layout: &Layout, axis: &Axis) -> Option<String> {
    let inner: Vec<(&str, u64, u64)> =
        axis.terms.iter().filter_map(|(n, s)| extent(layout, n).map(|e| (n.as_str(), *s, e))).collect();
    let largest: u64 = inner.iter().map(|(_, s, e)| s * (e - 1)).sum();
    (largest >= axis.tile).then(|| {
        let sum: Vec<String> = inner.iter().map(|(n, s, _)| term(n, *s)).collect();
        format!("Elements with {} >= {} are padding: a code overhangs its slice.", sum.join(" + "), axis.tile)
    })
}
