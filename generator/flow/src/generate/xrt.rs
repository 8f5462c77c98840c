//! What a kernel of XRT has beside its Verilog: packaging and link scripts, and a host program in C++ made from the layouts.

use bitlathe_spec::axi::{AxiInterface, WRAPPER_OFFSET};
use bitlathe_spec::{
    Access, Carrier, DType, DimSpec, Dir, Extent, Field, FieldValue, Interface, Layout, Register, Role, SourceFile,
    Stream, TensorSpec,
};
use bitlathe_templates::Template;
use bitlathe_templates::package::{
    Argument, HostTensor, PackageXo, XRT_TENSOR, XrtHost, XrtKernel, XrtLink, XrtStream, XrtStreamUse,
};

use super::package::{codes_of, ip_project, out_of_context, rdl_text, tcl_word, title, with_comment};
use super::vectors::field_mask;
use super::{GenerateError, Subject, file};
use crate::constraints::Board;

/// The files of a package for XRT.
pub(super) fn files(subject: &Subject, axi: &AxiInterface) -> Result<Vec<SourceFile>, GenerateError> {
    let mut files = out_of_context(subject, axi)?;
    let (top, banner, target) = (axi.top.as_str(), subject.banner.as_slice(), subject.core.target());
    let Some((board, xrt)) = Board::of(target).and_then(|b| Some((b, b.xrt.as_ref()?))) else {
        return Err(subject.contradiction(format!("target `{}` is on no card that XRT knows", target.name)));
    };
    let package_xo = PackageXo { ip: ip_project(subject, axi), arguments: &arguments(axi) };
    // As many channels for each master, neighbours.
    let share = xrt.hbm_channels / axi.streams.len().max(1) as u32;
    let channels = axi.streams.iter().zip(0..).map(|(s, n)| (s.name.clone(), n * share, (n + 1) * share - 1));
    let link = XrtLink { banner, top, about: &board.about, platform: &xrt.platform, channels: channels.collect() };
    files.extend([
        file("package_xo.tcl".into(), package_xo.render()?),
        file("link.cfg".into(), link.render()?),
        file("xrt/tensor.hpp".into(), with_comment(subject, "//", XRT_TENSOR)),
        file(format!("xrt/{top}.hpp"), kernel(subject, axi).render()?),
        file("xrt/host.cpp".into(), host(subject, axi).render()?),
    ]);
    Ok(files)
}

/// The registers that are arguments of the kernel: what a job writes, or may write. Pointers come first.
fn scalars(axi: &AxiInterface) -> impl Iterator<Item = &Register> {
    let pointers = axi.streams.iter().filter_map(|s| s.memory()).map(|m| m.address).max().unwrap_or_default();
    let written = |r: &&Register| r.fields.iter().any(|f| matches!(f.access, Access::ReadWrite | Access::Trigger));
    axi.registers.iter().filter(move |r| r.offset > pointers + 4 && r.offset < WRAPPER_OFFSET).filter(written)
}

fn arguments(axi: &AxiInterface) -> Vec<Argument> {
    let pointers = axi.streams.iter().filter_map(|s| {
        let tcl = tcl_word(&format!("Beats of {}.", s.stream));
        let offset = format!("0x{:03x}", s.memory()?.address);
        Some(Argument { name: s.stream.clone(), offset, bits: 64, bus: s.name.clone(), tcl })
    });
    let scalar = |r: &Register| {
        let offset = format!("0x{:03x}", r.offset);
        Argument { name: r.name.clone(), offset, bits: 32, bus: String::new(), tcl: tcl_word(&r.doc) }
    };
    pointers.chain(scalars(axi).map(scalar)).collect()
}

fn kernel<'a>(subject: &'a Subject, axi: &'a AxiInterface) -> XrtKernel<'a> {
    let interface = &subject.interface;
    let inputs = interface.tensors.iter().filter(|t| t.role == Role::In);
    let fixes = inputs.flat_map(|t| {
        let named = t.shape.iter().zip(0..).filter_map(|(d, axis)| Some((name_of(d)?, t.name.clone(), axis)));
        named.collect::<Vec<_>>()
    });
    let sticky = axi.registers.iter().flat_map(|r| r.fields.iter().map(move |f| (r, f)));
    let sticky = sticky.filter(|(r, f)| f.access == Access::WriteOneToClear && r.offset >= axi.core_offset);
    XrtKernel {
        banner: &subject.banner,
        top: &axi.top,
        tensors: interface.tensors.iter().map(tensor).collect(),
        fixes: fixes.collect(),
        values: interface.tensors.iter().filter_map(value).collect(),
        streams: interface.streams.iter().map(|s| stream(subject, axi, s)).collect(),
        scalars: scalars(axi).map(|r| (r.name.clone(), word(r))).collect(),
        sticky: sticky
            .map(|(r, f)| (format!("0x{:03x}", r.offset), format!("0x{:x}", field_mask(f)), text(f)))
            .collect(),
    }
}

fn text(field: &Field) -> String {
    rdl_text(&format!("{}: {}", field.name, field.doc))
}

/// A tensor whose element is a size: the size, the tensor, what it is where a job leaves it out.
fn value(spec: &TensorSpec) -> Option<(String, String, i64)> {
    let Carrier::Size(size) = &spec.carrier else { return None };
    Some((size.clone(), spec.name.clone(), spec.default.unwrap_or_default()))
}

fn name_of(dim: &DimSpec) -> Option<String> {
    if let DimSpec::Named(name) = dim { Some(name.clone()) } else { None }
}

fn tensor(spec: &TensorSpec) -> HostTensor {
    HostTensor {
        name: spec.name.clone(),
        npy: npy(spec.dtype),
        input: spec.role == Role::In,
        optional: spec.default.is_some(),
        value: spec.default.unwrap_or_default(),
        low: spec.range.0,
        high: spec.range.1,
        shape: spec.shape.iter().map(dim).collect(),
    }
}

fn dim(spec: &DimSpec) -> String {
    match spec {
        DimSpec::Fixed(n) => n.to_string(),
        DimSpec::Named(name) => size(name),
        DimSpec::CeilDiv { dim, by } => format!("ceil_div({}, {by})", size(dim)),
    }
}

fn size(name: &str) -> String {
    format!("s.at(\"{name}\")")
}

/// The type in the words of a `.npy` file.
fn npy(dtype: DType) -> &'static str {
    match dtype {
        DType::I8 => "|i1",
        DType::I16 => "<i2",
        DType::I32 => "<i4",
        DType::I64 => "<i8",
        DType::U8 => "|u1",
        DType::U16 => "<u2",
        DType::U32 => "<u4",
        DType::U64 => "<u8",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
    }
}

fn extent(extent: &Extent) -> String {
    match extent {
        Extent::Const(n) => n.to_string(),
        Extent::CeilDiv { dim, by } => format!("ceil_div({}, {by})", size(dim)),
        Extent::Within { dim, by, block } => {
            format!("std::min<uint64_t>({by}, {} - {by} * n_{block})", size(dim))
        }
        Extent::Share { of, among, by } => {
            let product: Vec<String> = of.iter().map(|n| size(n)).collect();
            format!("ceil_div({}, std::max<uint64_t>({} * {by}, 1))", product.join(" * "), size(among))
        }
        Extent::Causal { when, block, rows, queries, keys, by } => {
            format!("seen({}, n_{block}, {rows}, {}, {}, {by})", size(when), size(queries), size(keys))
        }
    }
}

/// What a job writes into a register.
fn word(register: &Register) -> String {
    let set = |f: &&Field| matches!(f.access, Access::ReadWrite | Access::Trigger);
    let fields = register.fields.iter().filter(set).map(|f| {
        let value = match &f.value {
            FieldValue::None => f.reset.to_string(),
            FieldValue::Extent(e) => extent(e),
            FieldValue::Product(factors) => {
                let factors: Vec<String> = factors.iter().map(extent).collect();
                if factors.is_empty() { "1".into() } else { factors.join(" * ") }
            }
            // The beats of a stream, which is the first part of its register's name.
            FieldValue::Beats(_) => format!("stream_{}::beats(s)", f.name.trim_end_matches("_beats")),
            FieldValue::Element { tensor, index } => format!("tensors.at(\"{tensor}\").data.at({index})"),
        };
        format!("(uint64_t({value}) << {} & 0x{:08x})", f.lsb, field_mask(f))
    });
    fields.collect::<Vec<_>>().join(" | ")
}

fn stream(subject: &Subject, axi: &AxiInterface, stream: &Stream) -> XrtStream {
    let layout = &stream.layout;
    let spec = subject.interface.tensor(&stream.name);
    let memory = axi.streams.iter().find(|s| s.stream == stream.name).and_then(|s| s.memory());
    let (low, high) = spec.map_or((0, 0), |t| t.range);
    let pass = if stream.dir == Dir::In { layout.one_pass() } else { layout.clone() };
    let loops = pass.loops.iter().zip(1..).map(|(l, depth)| step(&format!("n_{}", l.name), &extent(&l.extent), depth));
    let lanes =
        pass.lanes.iter().zip(2..).map(|(l, depth)| step(&format!("l_{}", l.name), &l.extent.to_string(), depth));
    let walked: Vec<String> = layout.shape.iter().map(extent).collect();
    let (inside, index) = element(&pass);
    XrtStream {
        name: stream.name.clone(),
        doc: stream.doc.clone(),
        code: codes_of(subject, stream).map_or_else(Vec::new, |code| code.encode),
        beat_bytes: memory.map_or(0, |m| m.beat_bytes()),
        lane_bits: layout.lane_bits,
        group: layout.group,
        is_signed: stream.signed,
        low,
        high,
        loops: loops.collect(),
        lanes: lanes.collect(),
        walked: if walked.is_empty() { "own_shape".into() } else { format!("{{{}}}", walked.join(", ")) },
        inside,
        index,
    }
}

/// The head of a loop.
fn step(name: &str, extent: &str, depth: usize) -> String {
    format!("{}for (uint64_t {name} = 0; {name} < {extent}; ++{name})", "  ".repeat(depth))
}

/// Conditions under which an element is no padding, and its index.
fn element(layout: &Layout) -> (Vec<String>, String) {
    let counter = |name: &str| match name {
        "i" => "i".to_owned(),
        name if layout.lanes.iter().any(|l| l.name == name) => format!("l_{name}"),
        name => format!("n_{name}"),
    };
    let sum = |terms: Vec<&(String, u64)>| {
        let terms: Vec<String> = terms.iter().map(|(name, stride)| format!("{stride} * {}", counter(name))).collect();
        if terms.is_empty() { "0".to_owned() } else { terms.join(" + ") }
    };
    // Loops that only repeat a pass are not there, and no axis names them.
    let in_beat = |name: &str| name == "i" || layout.lanes.iter().any(|l| l.name == name);
    let (mut inside, mut index) = (vec![], String::from("0"));
    for (n, axis) in layout.axes.iter().enumerate() {
        let within = sum(axis.terms.iter().filter(|(name, _)| in_beat(name)).collect());
        let whole = sum(axis.terms.iter().collect());
        inside.push(format!("uint64_t({within}) < {}", axis.tile));
        inside.push(format!("uint64_t({whole}) < in[{n}]"));
        index = format!("({index}) * in[{n}] + ({whole})");
    }
    (inside, index)
}

fn host<'a>(subject: &'a Subject, axi: &'a AxiInterface) -> XrtHost<'a> {
    let interface: &Interface = &subject.interface;
    let names = |role| interface.tensors.iter().filter(move |t| t.role == role).map(|t| t.name.clone());
    let used = |s: &Stream| XrtStreamUse {
        name: s.name.clone(),
        input: s.dir == Dir::In,
        npy: interface
            .tensors
            .iter()
            .find(|t| t.carrier == Carrier::Stream(s.name.clone()))
            .map_or("", |t| npy(t.dtype)),
    };
    XrtHost {
        banner: &subject.banner,
        top: &axi.top,
        title: title(subject),
        prefix: axi.top.to_uppercase(),
        inputs: names(Role::In).collect(),
        outputs: names(Role::Out).collect(),
        streams: interface.streams.iter().map(used).collect(),
    }
}
