//! What packages add to a core's folder: registers for software, scripts for Vivado, a driver for PYNQ, a generator for FuseSoC.

use askama::Template;

/// What a register field is to software.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Always reads the same.
    Constant,
    /// Set by the core.
    Read,
    /// Set by the core, cleared by reading.
    Cleared,
    /// Read and written by software.
    Written,
    /// Set by the core, cleared by writing a one.
    Sticky,
    /// Set by writing a one, cleared by the core.
    Trigger,
}

/// A register as the templates of this file show it.
#[derive(Clone, Debug)]
pub struct RegisterText {
    /// Its name.
    pub name: String,
    /// Its name in capitals.
    pub upper: String,
    /// Its name in SystemRDL.
    pub rdl: String,
    /// Byte offset, hexadecimal.
    pub offset: String,
    /// One sentence.
    pub doc: String,
    /// The same within quotation marks of SystemRDL.
    pub text: String,
    /// The same as one word of Tcl.
    pub tcl: String,
    /// Fields, lowest bit first.
    pub fields: Vec<FieldText>,
}

/// A field as the templates of this file show it; names and sentences as of a register.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct FieldText {
    pub name: String,
    pub upper: String,
    pub rdl: String,
    pub lsb: u32,
    pub msb: u32,
    pub width: u32,
    /// Its bits in the register, hexadecimal.
    pub mask: String,
    pub sort: Sort,
    /// Value after reset, hexadecimal.
    pub reset: String,
    pub min: u64,
    pub max: u64,
    /// Access in words of IP-XACT.
    pub access: &'static str,
    /// What a written one does, in words of IP-XACT.
    pub write: &'static str,
    pub doc: String,
    pub text: String,
    pub tcl: String,
}

/// `#define`s of offsets, shifts, masks.
#[derive(Template)]
#[template(path = "registers.h", escape = "none")]
pub struct Header<'a> {
    /// Lines of the head comment.
    pub banner: &'a [String],
    /// The top module.
    pub top: &'a str,
    /// What every name begins with.
    pub prefix: &'a str,
    /// Registers by offset.
    pub registers: &'a [RegisterText],
}

/// The registers in SystemRDL 2.0.
#[derive(Template)]
#[template(path = "registers.rdl", escape = "none")]
pub struct SystemRdl<'a> {
    /// Lines of the head comment.
    pub banner: &'a [String],
    /// The top module.
    pub top: &'a str,
    /// One line on the core, within quotation marks of SystemRDL.
    pub title: &'a str,
    /// Registers by offset.
    pub registers: &'a [RegisterText],
}

/// What every script that makes an IP says of it.
#[derive(Clone, Debug)]
pub struct IpProject {
    /// Lines of the head comment.
    pub banner: Vec<String>,
    /// The top module, which is the name of the IP.
    pub top: String,
    /// One line on the core, as one word of Tcl.
    pub title: String,
    /// Vendor of the IP.
    pub vendor: &'static str,
    /// Library of the IP.
    pub library: &'static str,
    /// Version of the IP: two numbers.
    pub version: String,
    /// The device.
    pub part: &'static str,
    /// Verilog files relative to the folder.
    pub rtl: Vec<String>,
    /// The clock constraint relative to the folder.
    pub xdc: String,
    /// Every bus interface.
    pub buses: Vec<String>,
    /// The one with the registers.
    pub control: &'static str,
    /// Bytes of its address space.
    pub range: u32,
    /// Its clock.
    pub clock: String,
    /// Its reset.
    pub reset: String,
}

/// The script that makes a Vivado IP.
#[derive(Template)]
#[template(path = "package_ip.tcl", escape = "none")]
pub struct PackageIp<'a> {
    /// The IP.
    pub ip: IpProject,
    /// Registers by offset.
    pub registers: &'a [RegisterText],
}

/// The script that makes a kernel of XRT.
#[derive(Template)]
#[template(path = "package_xo.tcl", escape = "none")]
pub struct PackageXo<'a> {
    /// The IP that it is.
    pub ip: IpProject,
    /// Arguments of the kernel in their order.
    pub arguments: &'a [Argument],
}

/// An argument of a kernel.
#[derive(Clone, Debug)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Byte offset, hexadecimal.
    pub offset: String,
    /// 64 of a pointer, else 32.
    pub bits: u32,
    /// The master that a pointer is for.
    pub bus: String,
    /// One sentence as one word of Tcl.
    pub tcl: String,
}

/// How `v++` links a kernel.
#[derive(Template)]
#[template(path = "xrt/link.cfg", escape = "none")]
pub struct XrtLink<'a> {
    /// Lines of the head comment.
    pub banner: &'a [String],
    /// The kernel.
    pub top: &'a str,
    /// The card.
    pub about: &'a str,
    /// Its platform.
    pub platform: &'a str,
    /// Masters with their first and last channel of HBM.
    pub channels: Vec<(String, u32, u32)>,
}

/// A tensor in a host program.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct HostTensor {
    pub name: String,
    /// Element type in words of numpy.
    pub npy: &'static str,
    pub input: bool,
    /// Whether there is a value where a job leaves it out.
    pub optional: bool,
    pub value: i64,
    pub low: i64,
    pub high: i64,
    /// An expression of C++ for each axis.
    pub shape: Vec<String>,
}

/// A stream in a host program, with the walk over its tensor in C++.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct XrtStream {
    pub name: String,
    pub doc: String,
    /// The lane of each group; none where a lane is its element.
    pub code: Vec<u64>,
    pub beat_bytes: u64,
    pub lane_bits: u32,
    pub group: u64,
    pub is_signed: bool,
    pub low: i64,
    pub high: i64,
    /// Heads of the loops over beats.
    pub loops: Vec<String>,
    /// Heads of the loops over lanes.
    pub lanes: Vec<String>,
    /// The shape that is walked.
    pub walked: String,
    /// Conditions under which an element is no padding.
    pub inside: Vec<String>,
    /// Its index.
    pub index: String,
}

/// What a host program knows of its kernel.
#[derive(Template)]
#[template(path = "xrt/kernel.hpp", escape = "none")]
pub struct XrtKernel<'a> {
    /// Lines of the head comment.
    pub banner: &'a [String],
    /// The kernel.
    pub top: &'a str,
    /// Tensors.
    pub tensors: Vec<HostTensor>,
    /// Sizes with a tensor and its axis that fix each.
    pub fixes: Vec<(String, String, usize)>,
    /// Sizes that are a tensor's value: the size, the tensor, its default.
    pub values: Vec<(String, String, i64)>,
    /// Streams in the order of the arguments.
    pub streams: Vec<XrtStream>,
    /// Registers that are arguments, with their values in C++.
    pub scalars: Vec<(String, String)>,
    /// Offset, mask and sentence of each sticky error.
    pub sticky: Vec<(String, String, String)>,
}

/// What the host program does with a stream.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct XrtStreamUse {
    pub name: String,
    pub input: bool,
    pub npy: &'static str,
}

/// The host program; [`XRT_TENSOR`] stands beside it.
#[derive(Template)]
#[template(path = "xrt/host.cpp", escape = "none")]
pub struct XrtHost<'a> {
    /// Lines of the head comment.
    pub banner: &'a [String],
    /// The kernel.
    pub top: &'a str,
    /// One line on the core.
    pub title: String,
    /// What the names of its registers begin with.
    pub prefix: String,
    /// Names of the inputs.
    pub inputs: Vec<String>,
    /// Names of the outputs.
    pub outputs: Vec<String>,
    /// Streams in the order of the arguments.
    pub streams: Vec<XrtStreamUse>,
}

/// Tensors and their beats for it.
pub const XRT_TENSOR: &str = include_str!("../templates/xrt/tensor.hpp");

/// The script that places and routes the top alone.
#[derive(Template)]
#[template(path = "out_of_context.tcl", escape = "none")]
pub struct OutOfContext<'a> {
    /// Lines of the head comment.
    pub banner: &'a [String],
    /// The top module.
    pub top: &'a str,
    /// The device.
    pub part: &'a str,
    /// Frequency of the clock.
    pub mhz: String,
    /// Verilog files relative to the folder.
    pub rtl: &'a [String],
    /// The clock constraint relative to the folder.
    pub xdc: &'a str,
    /// The clock.
    pub clock: &'a str,
}

/// What the script of a whole design, [`DESIGN`], must know of a core.
#[derive(Template)]
#[template(path = "design_core.tcl", escape = "none")]
pub struct DesignCore<'a> {
    /// Lines of the head comment.
    pub banner: &'a [String],
    /// The top module.
    pub top: &'a str,
    /// Vendor, library, name and version of the IP.
    pub vlnv: &'a str,
    /// The interface with the registers.
    pub control: &'a str,
    /// The device.
    pub part: &'a str,
    /// Frequency of the clock.
    pub mhz: String,
    /// Streams.
    pub streams: Vec<DesignStream>,
}

/// A stream of a core in a design.
#[derive(Clone, Debug)]
pub struct DesignStream {
    /// The stream of the core.
    pub name: String,
    /// Its interface.
    pub interface: String,
    /// `in` or `out`.
    pub direction: &'static str,
    /// Bytes of a beat.
    pub bytes: u64,
}

/// The script of a whole design for a board with a processor.
pub const DESIGN: &str = include_str!("../templates/pynq/design.tcl");

/// The module with the driver class; [`PYNQ_CORE`] and [`PYNQ_LAYOUT`] stand beside it.
#[derive(Template)]
#[template(path = "pynq/__init__.py", escape = "none")]
pub struct PynqDriver<'a> {
    /// Lines of the head comment.
    pub banner: &'a [String],
    /// The top module, which is the name of the Python package.
    pub top: &'a str,
    /// One line on the core.
    pub title: &'a str,
    /// Name of the class.
    pub class: String,
    /// Arguments of `run` in the example.
    pub run: Vec<String>,
    /// Tensors.
    pub tensors: Vec<crate::model_page::TensorRow>,
    /// Vendor, library, name and version of the IP.
    pub vlnv: String,
}

/// The driver of every core.
pub const PYNQ_CORE: &str = include_str!("../templates/pynq/core.py");
/// Packing and unpacking of streams for it.
pub const PYNQ_LAYOUT: &str = include_str!("../templates/pynq/layout.py");

/// The core that offers the program to FuseSoC as a generator; [`GENERATOR_SCRIPT`] stands beside it.
#[derive(Template)]
#[template(path = "generator.core", escape = "none")]
pub struct GeneratorCore<'a> {
    /// Lines of the head comment.
    pub banner: &'a [String],
    /// Version of the program.
    pub version: &'a str,
}

/// What FuseSoC runs.
pub const GENERATOR_SCRIPT: &str = include_str!("../templates/bitlathe_generator.py");
