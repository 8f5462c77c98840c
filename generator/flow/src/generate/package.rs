//! Packages: a wrapped core's folder with what one consumer needs beside it. All of it is made from the AXI interface.

use bitlathe_cores::Core;
use bitlathe_cores::wrap::Wrap;
use bitlathe_spec::axi::{ADDRESS_BITS, AxiInterface, AxiStream, CONTROL};
use bitlathe_spec::{Access, Carrier, Dir, Field, Register, Role, SourceFile, Stream, TensorSpec};
use bitlathe_templates::Template;
use bitlathe_templates::package::{
    DESIGN, DesignCore, DesignStream, FieldText, GENERATOR_SCRIPT, GeneratorCore, Header, IpProject, OutOfContext,
    PYNQ_CORE, PYNQ_LAYOUT, PackageIp, PynqDriver, RegisterText, Sort, SystemRdl,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::vectors::field_mask;
use super::{GenerateError, Subject, VERSION, describe, file, xrt};
use crate::constraints::{self, Board, Format};

/// Vendor and library of the IP, as of the FuseSoC core.
const VENDOR: &str = "bitlathe";
const LIBRARY: &str = "cores";

/// For whom a package is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Package {
    /// FuseSoC systems.
    FuseSoc,
    /// Block designs of Vivado.
    Vivado,
    /// Python on the board, with what Vivado needs for the bitstream.
    Pynq,
    /// Cards that XRT drives: a kernel for `v++`, and its host program.
    Xrt,
}

impl Package {
    /// Every package, in the order in which `bitlathe list` shows them.
    pub const ALL: [Self; 4] = [Self::FuseSoc, Self::Vivado, Self::Pynq, Self::Xrt];

    /// The name as given to `--for`.
    pub fn name(self) -> &'static str {
        match self {
            Self::FuseSoc => "fusesoc",
            Self::Vivado => "vivado",
            Self::Pynq => "pynq",
            Self::Xrt => "xrt",
        }
    }

    /// What it adds to the core's folder, in one line.
    pub fn about(self) -> &'static str {
        match self {
            Self::FuseSoc => "C header, SystemRDL, bitlathe as a FuseSoC generator",
            Self::Vivado => "C header, SystemRDL, scripts for a Vivado IP and for place and route alone",
            Self::Pynq => "the same as vivado, the script of a design with DMA engines, and a PYNQ driver",
            Self::Xrt => "C header, SystemRDL, scripts for a kernel and its link, a host program in C++",
        }
    }

    /// The wrapper that it takes, where one alone will do.
    fn wrapper(self) -> Option<Wrap> {
        match self {
            Self::FuseSoc => None,
            Self::Vivado | Self::Pynq => Some(Wrap::Axi),
            Self::Xrt => Some(Wrap::Kernel),
        }
    }

    /// Where to begin.
    pub fn start(self) -> &'static str {
        match self {
            Self::FuseSoc => "add the folder with `fusesoc library add`",
            Self::Vivado => "vivado -mode batch -source package_ip.tcl",
            Self::Pynq => {
                "vivado -mode batch -source design.tcl, then the bitstream and the folder below pynq/ to the board"
            }
            Self::Xrt => "vivado -mode batch -source package_xo.tcl, then v++ as link.cfg says, and xrt/host.cpp",
        }
    }
}

/// Why a core cannot be packaged: its config must change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub help: String,
}

/// Refuses a core that a package cannot hold.
pub fn check(core: &dyn Core, package: Package) -> Result<(), Refusal> {
    let (target, name) = (core.target(), package.name());
    let wrapper = package.wrapper();
    let asked = if wrapper == Some(Wrap::Kernel) { "kernel" } else { "axi" };
    let help = format!("write `wrap = \"{asked}\"` at the head of the config, or add --set wrap={asked}");
    if core.wrap().is_none() {
        let reason = format!("`{}` is a bare core; a package needs its AXI interfaces", core.name());
        return Err(Refusal { reason, help });
    }
    if wrapper.is_some_and(|w| w != core.wrap()) {
        return Err(Refusal { reason: format!("`{}` is not wrapped for `{name}`", core.name()), help });
    }
    let other = |reason: &str, takes: &dyn Fn(&Board) -> bool| {
        let targets = constraints::boards().iter().filter(|b| takes(b)).filter_map(|b| b.target.clone());
        let targets: Vec<String> = targets.map(|t| format!("--set target.name={t}")).collect();
        Refusal { reason: format!("target `{}` {reason}", target.name), help: targets.join(" or ") }
    };
    let board = Board::of(target);
    match package {
        Package::FuseSoc => Ok(()),
        _ if !board.is_some_and(is_of_vivado) => Err(other("is on no board that Vivado knows", &is_of_vivado)),
        Package::Pynq if !board.is_some_and(Board::has_processor) => {
            Err(other(&format!("has no processor that `{name}` could run on"), &Board::has_processor))
        }
        Package::Xrt if !board.is_some_and(Board::has_xrt) => {
            Err(other("is on no card that XRT knows", &Board::has_xrt))
        }
        _ => Ok(()),
    }
}

fn is_of_vivado(board: &Board) -> bool {
    board.format == Format::Xdc
}

/// The files that a package has beside the core's own.
pub(super) fn files(subject: &Subject, package: Package) -> Result<Vec<SourceFile>, GenerateError> {
    let Some(axi) = &subject.axi else { return Err(subject.contradiction("a package of a bare core".into())) };
    let registers: Vec<RegisterText> = axi.registers.iter().map(register_text).collect();
    let mut files = software(subject, axi, &registers)?;
    match package {
        Package::FuseSoc => files.extend(generator(subject)?),
        Package::Vivado => files.extend(vivado(subject, axi, &registers)?),
        Package::Pynq => {
            files.extend(vivado(subject, axi, &registers)?);
            files.extend(design(subject, axi)?);
            files.extend(driver(subject, axi)?);
        }
        Package::Xrt => files.extend(xrt::files(subject, axi)?),
    }
    Ok(files)
}

/// C header and SystemRDL.
fn software(
    subject: &Subject,
    axi: &AxiInterface,
    registers: &[RegisterText],
) -> Result<Vec<SourceFile>, GenerateError> {
    let (banner, top) = (subject.banner.as_slice(), axi.top.as_str());
    let header = Header { banner, top, prefix: &top.to_uppercase(), registers };
    let rdl = SystemRdl { banner, top, title: &rdl_text(&title(subject)), registers };
    Ok(vec![file(format!("registers/{top}.h"), header.render()?), file(format!("registers/{top}.rdl"), rdl.render()?)])
}

pub(super) fn title(subject: &Subject) -> String {
    subject.core.about().title.replace('\n', " ")
}

fn register_text(register: &Register) -> RegisterText {
    RegisterText {
        name: register.name.clone(),
        upper: register.name.to_uppercase(),
        rdl: rdl_name(&register.name),
        offset: format!("0x{:03x}", register.offset),
        doc: register.doc.clone(),
        text: rdl_text(&register.doc),
        tcl: tcl_word(&register.doc),
        fields: register.fields.iter().map(field_text).collect(),
    }
}

fn field_text(field: &Field) -> FieldText {
    let sort = match field.access {
        Access::ReadOnly if field.min == field.max => Sort::Constant,
        Access::ReadOnly => Sort::Read,
        Access::ReadToClear => Sort::Cleared,
        Access::ReadWrite => Sort::Written,
        Access::WriteOneToClear => Sort::Sticky,
        Access::Trigger => Sort::Trigger,
    };
    let (access, write) = match sort {
        Sort::Constant | Sort::Read | Sort::Cleared => ("read-only", "modify"),
        Sort::Written => ("read-write", "modify"),
        Sort::Sticky => ("read-write", "oneToClear"),
        Sort::Trigger => ("read-write", "oneToSet"),
    };
    FieldText {
        name: field.name.clone(),
        upper: field.name.to_uppercase(),
        rdl: rdl_name(&field.name),
        lsb: field.lsb,
        msb: field.lsb + field.width - 1,
        width: field.width,
        mask: format!("0x{:08x}", field_mask(field)),
        sort,
        reset: format!("{:#x}", field.reset),
        min: field.min,
        max: field.max,
        access,
        write,
        doc: field.doc.clone(),
        text: rdl_text(&field.doc),
        tcl: tcl_word(&field.doc),
    }
}

/// A name in SystemRDL, where a backslash keeps it from being read as one of the many reserved words.
fn rdl_name(name: &str) -> String {
    format!("\\{name}")
}

/// Text within quotation marks of SystemRDL.
pub(super) fn rdl_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Text as one word of Tcl, in a list as in a command.
pub(super) fn tcl_word(text: &str) -> String {
    let mut word = String::from("\"");
    for c in text.chars() {
        if "\\\"{}[]$".contains(c) {
            word.push('\\');
        }
        word.push(c);
    }
    word + "\""
}

/// What a script that makes an IP says of it.
pub(super) fn ip_project(subject: &Subject, axi: &AxiInterface) -> IpProject {
    IpProject {
        banner: subject.banner.clone(),
        top: axi.top.clone(),
        title: tcl_word(&title(subject)),
        vendor: VENDOR,
        library: LIBRARY,
        version: ip_version(),
        part: subject.core.target().part,
        rtl: subject.rtl_files(),
        xdc: format!("constraints/{}.xdc", axi.top),
        buses: axi.buses().map(str::to_owned).collect(),
        control: CONTROL,
        range: 1 << ADDRESS_BITS,
        clock: axi.clock.into(),
        reset: axi.reset.into(),
    }
}

/// The scripts that make an IP.
fn vivado(subject: &Subject, axi: &AxiInterface, registers: &[RegisterText]) -> Result<Vec<SourceFile>, GenerateError> {
    let package_ip = PackageIp { ip: ip_project(subject, axi), registers };
    let mut files = out_of_context(subject, axi)?;
    files.push(file("package_ip.tcl".into(), package_ip.render()?));
    Ok(files)
}

/// The clock of the board's, and the script that places and routes the top alone under it.
pub(super) fn out_of_context(subject: &Subject, axi: &AxiInterface) -> Result<Vec<SourceFile>, GenerateError> {
    let (banner, top, target) = (subject.banner.as_slice(), axi.top.as_str(), subject.core.target());
    let board = board_of(subject)?;
    let mhz = board.clock.mhz;
    let xdc = format!("constraints/{top}.xdc");
    let ports: Vec<(String, u64)> = axi.ports().into_iter().map(|p| (p.name, p.width)).collect();
    let about = format!("{mhz} MHz: {}. For the core alone; in a design its clock comes from outside.", board.about);
    let constraint =
        constraints::clock(banner, &ports, axi.clock, mhz, &about).map_err(|e| subject.contradiction(e.to_string()))?;
    let rtl = subject.rtl_files();
    let (mhz, clock) = (mhz.to_string(), axi.clock);
    let alone = OutOfContext { banner, top, part: target.part, mhz, rtl: &rtl, xdc: &xdc, clock };
    Ok(vec![file(xdc.clone(), constraint), file("out_of_context.tcl".into(), alone.render()?)])
}

/// The board that says which clock there is.
fn board_of(subject: &Subject) -> Result<&'static Board, GenerateError> {
    let target = subject.core.target();
    Board::of(target).ok_or_else(|| subject.contradiction(format!("target `{}` is on no board", target.name)))
}

/// Vivado takes two numbers.
fn ip_version() -> String {
    VERSION.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}

/// Vendor, library, name and version of the IP.
fn vlnv(top: &str) -> String {
    format!("{VENDOR}:{LIBRARY}:{top}:{}", ip_version())
}

/// The script of a whole design with what it must know of the core.
fn design(subject: &Subject, axi: &AxiInterface) -> Result<Vec<SourceFile>, GenerateError> {
    let stream = |s: &AxiStream| DesignStream {
        name: s.stream.clone(),
        interface: s.name.clone(),
        direction: if s.dir == Dir::In { "in" } else { "out" },
        bytes: s.bytes(),
    };
    let facts = DesignCore {
        banner: &subject.banner,
        top: &axi.top,
        vlnv: &vlnv(&axi.top),
        control: CONTROL,
        part: subject.core.target().part,
        mhz: board_of(subject)?.clock.mhz.to_string(),
        streams: axi.streams.iter().map(stream).collect(),
    };
    Ok(vec![file("design_core.tcl".into(), facts.render()?), file("design.tcl".into(), with_banner(subject, DESIGN))])
}

/// The driver: a Python package of the top's name.
fn driver(subject: &Subject, axi: &AxiInterface) -> Result<Vec<SourceFile>, GenerateError> {
    let top = axi.top.as_str();
    let module = |name: &str, text: String| file(format!("pynq/{top}/{name}"), text);
    let inputs = subject.interface.tensors.iter().filter(|t| t.role == Role::In && t.default.is_none());
    let driver = PynqDriver {
        banner: &subject.banner,
        top,
        title: &title(subject).replace('\\', " ").replace("\"\"\"", "'"),
        class: top.split('_').map(capitalised).collect(),
        run: inputs.map(|t| format!("{0}={0}", t.name)).collect(),
        tensors: describe::tensor_rows(&subject.interface),
        vlnv: vlnv(top),
    };
    Ok(vec![
        module("__init__.py", driver.render()?),
        module("core.py", with_banner(subject, PYNQ_CORE)),
        module("layout.py", with_banner(subject, PYNQ_LAYOUT)),
        module("interface.json", serde_json::to_string_pretty(&interface(subject, axi))?),
    ])
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn with_banner(subject: &Subject, python: &str) -> String {
    with_comment(subject, "#", python)
}

/// A text below the lines of the banner.
pub(super) fn with_comment(subject: &Subject, comment: &str, text: &str) -> String {
    let banner: String = subject.banner.iter().map(|l| format!("{comment} {l}\n")).collect();
    banner + text
}

/// What the driver knows of the core: as in `<name>.json`, with element types of numpy and with the codes of weights as tables.
fn interface(subject: &Subject, axi: &AxiInterface) -> Value {
    let interface = &subject.interface;
    let tensor = |t: &TensorSpec| {
        let mut value = json!(t);
        value["dtype"] = json!(t.dtype.name());
        value
    };
    json!({
        "top": axi.top,
        "config_hash": subject.hash,
        "registers": axi.registers,
        "sizes": interface.sizes,
        "tensors": interface.tensors.iter().map(tensor).collect::<Vec<_>>(),
        "streams": interface.streams,
        "axi_streams": axi.streams,
        "codes": codes(subject),
    })
}

/// A code of weights as tables.
pub(super) struct Code {
    /// The range of an element.
    range: (i64, i64),
    /// The lane of each group; element 0 counts fastest.
    pub encode: Vec<u64>,
    /// The group of each lane; one that stands for nothing has elements outside the range.
    decode: Vec<Vec<i64>>,
}

/// The code of an input's lanes, where they have one.
pub(super) fn codes_of(subject: &Subject, stream: &Stream) -> Option<Code> {
    let coded = stream.dir == Dir::In && stream.layout.code != "plain";
    let carried = |t: &&TensorSpec| t.carrier == Carrier::Stream(stream.name.clone());
    let (low, high) = subject.interface.tensors.iter().find(carried).filter(|_| coded)?.range;
    let (code, group, span) = (stream.layout.code.as_str(), stream.layout.group as u32, (high - low + 1).max(1));
    let values = |n: i64| (0..group).map(|i| low + n / span.pow(i) % span).collect::<Vec<i64>>();
    let nothing = || vec![low - 1; group as usize];
    let lanes = 0..1u64 << stream.layout.lane_bits;
    Some(Code {
        range: (low, high),
        encode: (0..span.pow(group)).map(|n| subject.core.encode(code, &values(n))).collect(),
        decode: lanes.map(|lane| subject.core.decode(code, lane).unwrap_or_else(nothing)).collect(),
    })
}

/// Every code by its name.
fn codes(subject: &Subject) -> Value {
    let streams = subject.interface.streams.iter().filter_map(|s| Some((s, codes_of(subject, s)?)));
    let entry = |(s, code): (&Stream, Code)| {
        (s.layout.code.clone(), json!({"range": code.range, "encode": code.encode, "decode": code.decode}))
    };
    streams.map(entry).collect::<Map<String, Value>>().into()
}

/// The program as a generator of FuseSoC.
fn generator(subject: &Subject) -> Result<Vec<SourceFile>, GenerateError> {
    let core = GeneratorCore { banner: &subject.banner, version: VERSION };
    Ok(vec![
        file("generator/bitlathe_generator.core".into(), core.render()?),
        file("generator/bitlathe_generator.py".into(), with_banner(subject, GENERATOR_SCRIPT)),
    ])
}
