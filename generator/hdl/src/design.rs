//! A design: a top with all the modules below it. Only a checked one can be printed.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::checks;
use crate::error::{Code, Error, Errors};
use crate::expr::Ty;
use crate::module::{Param, SigKind, Unit, Waiver};
use crate::verilog;

/// A design that passed every check.
#[derive(Debug)]
pub struct Checked {
    top: String,
    units: Vec<Rc<Unit>>,
}

/// A port of a finished module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Name.
    pub name: String,
    /// True for inputs.
    pub input: bool,
    /// Bits under this config.
    pub width: u64,
    /// Width as printed.
    pub width_text: String,
    /// Two's complement.
    pub signed: bool,
    /// One line.
    pub doc: String,
}

/// What is known of a finished module, as data.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Module name.
    pub name: String,
    /// What it does.
    pub doc: String,
    /// Parameters with their defaults and ranges.
    pub params: Vec<Param>,
    /// Ports in order.
    pub ports: Vec<Port>,
    /// Lint rules broken on purpose.
    pub waivers: Vec<Waiver>,
}

/// Checks a design from its top; all errors of all modules at once.
pub fn check(top: &Rc<Unit>) -> Result<Checked, Errors> {
    let mut units = Vec::new();
    let mut errors = Vec::new();
    gather(top, &mut units, &mut errors);
    for unit in &units {
        errors.extend(unit.data.errors.iter().cloned());
        for pass in checks::PASSES {
            (pass.run)(unit, &mut errors);
        }
    }
    if errors.is_empty() { Ok(Checked { top: top.name().into(), units }) } else { Err(Errors(errors)) }
}

/// Children first; two units of one name must print the same text apart from parameter defaults.
fn gather(unit: &Rc<Unit>, units: &mut Vec<Rc<Unit>>, errors: &mut Vec<Error>) {
    for child in &unit.children {
        gather(child, units, errors);
    }
    match units.iter().find(|u| u.name() == unit.name()) {
        Some(known) if Rc::ptr_eq(known, unit) => {}
        Some(known) => {
            if shape(known) != shape(unit) {
                errors.push(Error {
                    code: Code::Clash,
                    module: unit.name().into(),
                    cause: format!("`{}` was built twice with different structure", unit.name()),
                    help: "what changes the structure belongs into the module's name".into(),
                    place: std::panic::Location::caller(),
                });
            }
            // The errors of a second build count too, even when the text is that of the first.
            errors.extend(unit.data.errors.iter().cloned());
        }
        None => units.push(unit.clone()),
    }
}

/// The text without parameter defaults.
fn shape(unit: &Unit) -> String {
    let text = verilog::print(unit, &[]);
    text.lines().filter(|l| !l.trim_start().starts_with("parameter ")).collect::<Vec<_>>().join("\n")
}

impl Checked {
    /// Name of the top module.
    pub fn top(&self) -> &str {
        &self.top
    }

    /// The top itself, to be instantiated in a larger design.
    pub fn unit(&self) -> &Rc<Unit> {
        self.units.last().unwrap_or_else(|| unreachable!("a design holds its top"))
    }

    /// One file a module, `<module>.v`, with the banner lines as a comment at its head.
    pub fn files(&self, banner: &[String]) -> Vec<(String, String)> {
        self.units.iter().map(|u| (format!("{}.v", u.name()), verilog::print(u, banner))).collect()
    }

    /// What is known of each module, children first, the top last.
    pub fn manifest(&self) -> Vec<Manifest> {
        self.units.iter().map(|u| u.manifest()).collect()
    }

    /// What is known of the top.
    pub fn top_manifest(&self) -> Manifest {
        self.unit().manifest()
    }
}

impl Unit {
    /// What is known of the module, as data.
    pub fn manifest(&self) -> Manifest {
        let d = &self.data;
        let ports = d.ports.iter().map(|id| &d.signals[*id]).map(|s| Port {
            name: s.name.clone(),
            input: s.kind == SigKind::Input,
            width: s.ty.width.value().max(0) as u64,
            width_text: s.ty.width.to_string(),
            signed: s.ty.signed,
            doc: s.doc.clone(),
        });
        let (name, doc) = (d.name.clone(), d.doc.clone());
        Manifest { name, doc, params: d.params.clone(), ports: ports.collect(), waivers: d.waivers.clone() }
    }

    pub(crate) fn port_type(&self, name: &str) -> Option<Ty> {
        self.data.ports.iter().map(|id| &self.data.signals[*id]).find(|s| s.name == name).map(|s| s.ty.clone())
    }
}

/// Parameter defaults by module name, for tests that compare two sizes.
pub fn defaults(checked: &Checked) -> BTreeMap<String, Vec<(String, i64)>> {
    checked
        .manifest()
        .into_iter()
        .map(|m| (m.name, m.params.into_iter().map(|p| (p.name, p.value)).collect()))
        .collect()
}
