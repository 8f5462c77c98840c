//! The Yosys scripts: one function a step, text only.

use std::fmt::Write;

use bitlathe_spec::Family;

/// Files that the scripts write, relative to the working folder.
pub(super) const STAT: &str = "stat.json";
pub(super) const NETLIST: &str = "netlist.json";
pub(super) const MAPPED: &str = "mapped.il";
pub(super) const ELABORATED: &str = "elaborated.il";
pub(super) const HIERARCHY: &str = "hierarchy.json";
pub(super) const ROUTABLE: &str = "routable.json";

/// Yosys' name for the architecture of a family: its synthesis command is `synth_` and this name.
pub(crate) fn architecture(family: Family) -> &'static str {
    match family {
        Family::Xcup | Family::Xc7 => "xilinx",
        Family::Ecp5 => "ecp5",
        Family::Ice40 => "ice40",
    }
}

/// Options of the synthesis command.
pub(crate) fn options(family: Family, nodsp: bool) -> Vec<&'static str> {
    let mut options = match family {
        Family::Xcup | Family::Xc7 => vec!["-family", family.name(), "-flatten", "-noiopad"],
        Family::Ecp5 => vec![],
        // Without `-dsp` no multiplier block is used; the HX parts have none.
        Family::Ice40 => return vec!["-device", "hx"],
    };
    if nodsp {
        options.push("-nodsp");
    }
    options
}

/// The synthesis command of a family. iCE40 has no memory of look-up tables: what asks for it gets flip-flops.
fn synth(family: Family, top: &str, nodsp: bool) -> String {
    let words = options(family, nodsp).into_iter().chain(["-top", top]);
    let command = format!("synth_{} {}", architecture(family), words.collect::<Vec<_>>().join(" "));
    match family {
        Family::Ice40 => format!("hierarchy -top {top}\nsetattr -unset ram_style a:ram_style=distributed\n{command}"),
        _ => command,
    }
}

/// Reads the design and sets the parameters of its top. Unknown cells are left for the synthesis command, which knows the
/// library.
pub(super) fn read(sources: &[String], top: &str, parameters: &[(String, i64)]) -> String {
    let mut script = String::from("read_verilog -defer");
    for source in sources {
        let _ = write!(script, " \"{source}\"");
    }
    let _ = write!(script, "\nhierarchy -top {top}");
    for (name, value) in parameters {
        let _ = write!(script, " -chparam {name} {value}");
    }
    let _ = writeln!(script, "\nrename -top {top}");
    script
}

/// Keeps the elaborated design and writes the list of its modules with their parameter values.
pub(super) fn list_modules() -> String {
    format!("write_rtlil {ELABORATED}\nproc\nwrite_json {HIERARCHY}\n")
}

/// Starts from the kept design with one of its modules as the top, under its source name.
pub(super) fn read_module(elaborated_name: &str, name: &str) -> String {
    format!("read_rtlil {ELABORATED}\nhierarchy -top {elaborated_name}\nrename -top {name}\n")
}

/// Synthesizes and writes statistics and netlist; the mapped module too if it is to be routed.
pub(super) fn map(family: Family, top: &str, nodsp: bool, keep: bool) -> String {
    let mut script = synth(family, top, nodsp);
    let _ = write!(script, "\ndelete */t:$scopeinfo\ntee -q -o {STAT} stat -json -top {top}\nwrite_json {NETLIST}\n");
    if keep {
        let _ = write!(script, "select {top}\nwrite_rtlil -selected {MAPPED}\n");
    }
    script
}

/// Synthesizes the harness around the mapped core, which stays as it is, and writes the netlist to route.
pub(super) fn harness(family: Family, harness_file: &str, harness: &str, core: &str) -> String {
    format!(
        "read_verilog {harness_file}\n{}\ndelete {core}\nread_rtlil {MAPPED}\nhierarchy -top {harness}\nflatten\nclean\n\
         delete */t:$scopeinfo\ntee -q -o {STAT} stat -json -top {harness}\nwrite_json {ROUTABLE}\n",
        synth(family, harness, true)
    )
}

/// From sources to a netlist with the pins of its top, and statistics; every file below `folder`.
pub(super) fn with_pins(family: Family, top: &str, nodsp: bool, sources: &[String], folder: &str) -> String {
    let read: String = sources.iter().map(|s| format!("read_verilog {s}\n")).collect();
    let synth = synth(family, top, nodsp);
    format!(
        "{read}{synth}\ndelete */t:$scopeinfo\ntee -q -o {folder}/{STAT} stat -json -top {top}\n\
         write_json {folder}/{NETLIST}\n"
    )
}
