//! The FuseSoC description (CAPI2) of a generated core.

use askama::Template;

/// A `.core` file, by [`Template::render`].
#[derive(Template)]
#[template(path = "fusesoc.core", escape = "none")]
pub struct FuseSoc {
    /// Lines of the head comment, without the comment mark.
    pub banner: Vec<String>,
    /// The core's name.
    pub name: String,
    /// Version of the generator, which is that of the core.
    pub version: String,
    /// One line on what it computes, without quotation marks.
    pub description: String,
    /// The top module.
    pub top: String,
    /// The module of the testbench.
    pub testbench: String,
    /// RTL files relative to the folder.
    pub rtl: Vec<String>,
    /// Vector files of the testbench, below `tb/`.
    pub vectors: Vec<String>,
    /// Whether the top takes `IMPL`, which selects the behavioural form of vendor primitives when 0.
    pub impl_parameter: bool,
    /// Yosys architecture: `xilinx`, `ecp5`, `ice40`.
    pub arch: &'static str,
    /// Options of its synthesis command.
    pub synth_options: Vec<&'static str>,
}
