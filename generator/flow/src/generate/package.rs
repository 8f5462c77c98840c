//! Packages: a wrapped core's folder with what one consumer needs beside it. All of it is made from the AXI interface.

use bitlathe_cores::Core;
use bitlathe_spec::axi::{ADDRESS_BITS, AxiInterface, CONTROL};
use bitlathe_spec::{Access, Carrier, Dir, Field, Register, Role, SourceFile, TensorSpec};
use bitlathe_templates::Template;
use bitlathe_templates::package::{
    FieldText, GENERATOR_SCRIPT, GeneratorCore, Header, OutOfContext, PYNQ_CORE, PYNQ_LAYOUT, PackageIp, PynqDriver,
    RegisterText, Sort, SystemRdl,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::vectors::field_mask;
use super::{GenerateError, Subject, VERSION, describe, file};
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
}

impl Package {
    /// Every package, in the order in which `bitlathe list` shows them.
    pub const ALL: [Self; 3] = [Self::FuseSoc, Self::Vivado, Self::Pynq];

    /// The name as given to `--for`.
    pub fn name(self) -> &'static str {
        match self {
            Self::FuseSoc => "fusesoc",
            Self::Vivado => "vivado",
            Self::Pynq => "pynq",
        }
    }

    /// What it adds to the core's folder, in one line.
    pub fn about(self) -> &'static str {
        match self {
            Self::FuseSoc => "C header, SystemRDL, bitlathe as a FuseSoC generator",
            Self::Vivado => "C header, SystemRDL, scripts for a Vivado IP and for place and route alone",
            Self::Pynq => "the same as vivado, and a PYNQ driver",
        }
    }

    /// Where to begin.
    pub fn start(self) -> &'static str {
        match self {
            Self::FuseSoc => "add the folder with `fusesoc library add`",
            Self::Vivado => "vivado -mode batch -source package_ip.tcl",
            Self::Pynq => "package_ip.tcl for the bitstream, the folder below pynq/ for the board",
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
    if core.wrap().is_none() {
        let reason = format!("`{}` is a bare core; a package needs its AXI interfaces", core.name());
        let help = "write `wrap = \"axi\"` at the head of the config, or add --set wrap=axi".into();
        return Err(Refusal { reason, help });
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
            files.extend(driver(subject, axi)?);
        }
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

fn title(subject: &Subject) -> String {
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
fn rdl_text(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// Text as one word of Tcl, in a list as in a command.
fn tcl_word(text: &str) -> String {
    let mut word = String::from("\"");
    for c in text.chars() {
        if "\\\"{}[]$".contains(c) {
            word.push('\\');
        }
        word.push(c);
    }
    word + "\""
}

/// The scripts that need Vivado, with the clock that they constrain.
fn vivado(subject: &Subject, axi: &AxiInterface, registers: &[RegisterText]) -> Result<Vec<SourceFile>, GenerateError> {
    let (banner, top) = (subject.banner.as_slice(), axi.top.as_str());
    let target = subject.core.target();
    let Some(board) = Board::of(target) else {
        return Err(
            subject.contradiction(format!("target `{}` has no board that says which clock there is", target.name))
        );
    };
    let mhz = board.clock.mhz;
    let xdc = format!("constraints/{top}.xdc");
    let rtl: Vec<String> = subject.rtl.files.iter().map(|f| format!("rtl/{}", f.path)).collect();
    let ports: Vec<(String, u64)> = axi.ports().into_iter().map(|p| (p.name, p.width)).collect();
    let about = format!("{mhz} MHz: {}. For the core alone; in a design its clock comes from outside.", board.about);
    let constraint =
        constraints::clock(banner, &ports, "aclk", mhz, &about).map_err(|e| subject.contradiction(e.to_string()))?;
    let buses: Vec<String> = axi.buses().map(str::to_owned).collect();
    let package_ip = PackageIp {
        banner,
        top,
        title: &tcl_word(&title(subject)),
        vendor: VENDOR,
        library: LIBRARY,
        version: &ip_version(),
        part: target.part,
        rtl: &rtl,
        xdc: &xdc,
        buses: &buses,
        control: CONTROL,
        range: 1 << ADDRESS_BITS,
        registers,
    };
    let alone = OutOfContext { banner, top, part: target.part, mhz: mhz.to_string(), rtl: &rtl, xdc: &xdc };
    Ok(vec![
        file(xdc.clone(), constraint),
        file("package_ip.tcl".into(), package_ip.render()?),
        file("out_of_context.tcl".into(), alone.render()?),
    ])
}

/// Vivado takes two numbers.
fn ip_version() -> String {
    VERSION.splitn(3, '.').take(2).collect::<Vec<_>>().join(".")
}

/// The driver: a Python package of the top's name.
fn driver(subject: &Subject, axi: &AxiInterface) -> Result<Vec<SourceFile>, GenerateError> {
    let top = axi.top.as_str();
    let module = |name: &str, text: String| file(format!("pynq/{top}/{name}"), text);
    let channel = |s: &bitlathe_spec::axi::AxiStream| {
        let side = if s.dir == Dir::In { "send" } else { "recv" };
        format!("{}=dma_{}.{side}channel", s.stream, s.stream)
    };
    let inputs = subject.interface.tensors.iter().filter(|t| t.role == Role::In && t.default.is_none());
    let driver = PynqDriver {
        banner: &subject.banner,
        top,
        title: &title(subject).replace('\\', " ").replace("\"\"\"", "'"),
        class: top.split('_').map(capitalised).collect(),
        connect: axi.streams.iter().map(channel).collect(),
        run: inputs.map(|t| format!("{0}={0}", t.name)).collect(),
        tensors: describe::tensor_rows(&subject.interface),
        vlnv: format!("{VENDOR}:{LIBRARY}:{top}:{}", ip_version()),
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
    let banner: String = subject.banner.iter().map(|l| format!("# {l}\n")).collect();
    banner + python
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

/// Per code: the range of an element, the lane of each group (element 0 counts fastest), the group of each lane. A lane that
/// stands for nothing has elements outside the range.
fn codes(subject: &Subject) -> Value {
    let coded = subject.interface.streams.iter().filter(|s| s.dir == Dir::In && s.layout.code != "plain");
    let mut codes = Map::new();
    for stream in coded {
        let carried = |t: &&TensorSpec| t.carrier == Carrier::Stream(stream.name.clone());
        let Some((low, high)) = subject.interface.tensors.iter().find(carried).map(|t| t.range) else { continue };
        let (code, group, span) = (stream.layout.code.as_str(), stream.layout.group as u32, (high - low + 1).max(1));
        let values = |n: i64| (0..group).map(|i| low + n / span.pow(i) % span).collect::<Vec<i64>>();
        let encode: Vec<u64> = (0..span.pow(group)).map(|n| subject.core.encode(code, &values(n))).collect();
        let nothing = || vec![low - 1; group as usize];
        let decode: Vec<Vec<i64>> = (0..1u64 << stream.layout.lane_bits)
            .map(|lane| subject.core.decode(code, lane).unwrap_or_else(nothing))
            .collect();
        codes.insert(code.into(), json!({"range": [low, high], "encode": encode, "decode": decode}));
    }
    codes.into()
}

/// The program as a generator of FuseSoC.
fn generator(subject: &Subject) -> Result<Vec<SourceFile>, GenerateError> {
    let core = GeneratorCore { banner: &subject.banner, version: VERSION };
    Ok(vec![
        file("generator/bitlathe_generator.core".into(), core.render()?),
        file("generator/bitlathe_generator.py".into(), with_banner(subject, GENERATOR_SCRIPT)),
    ])
}
