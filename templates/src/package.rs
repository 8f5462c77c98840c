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

/// The script that makes a Vivado IP.
#[derive(Template)]
#[template(path = "package_ip.tcl", escape = "none")]
pub struct PackageIp<'a> {
    /// Lines of the head comment.
    pub banner: &'a [String],
    /// The top module, which is the name of the IP.
    pub top: &'a str,
    /// One line on the core, as one word of Tcl.
    pub title: &'a str,
    /// Vendor of the IP.
    pub vendor: &'a str,
    /// Library of the IP.
    pub library: &'a str,
    /// Version of the IP: two numbers.
    pub version: &'a str,
    /// The device.
    pub part: &'a str,
    /// Verilog files relative to the folder.
    pub rtl: &'a [String],
    /// The clock constraint relative to the folder.
    pub xdc: &'a str,
    /// Every bus interface.
    pub buses: &'a [String],
    /// The one with the registers.
    pub control: &'a str,
    /// Bytes of its address space.
    pub range: u32,
    /// Registers by offset.
    pub registers: &'a [RegisterText],
}

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
}

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
    /// Arguments of `connect` in the example.
    pub connect: Vec<String>,
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
