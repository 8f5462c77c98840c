//! What the configs of all kinds have in common: the device, the name, the shift, and their checks.

use bitlathe_hdl::{Code, Errors};
use bitlathe_spec::{TARGETS, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Issue;
use crate::parts::requantize::Shift;

/// The device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetTable {
    /// A name that `bitlathe list` shows.
    pub name: String,
}

/// A constant shift, or the bounds of a run-time one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ShiftValue {
    /// Fixed at generation.
    Constant(#[schemars(range(min = 0, max = 47))] u32),
    /// Lowest and highest run-time shift.
    Range(#[schemars(inner(range(min = 0, max = 47)))] [u32; 2]),
}

impl ShiftValue {
    /// As the hardware takes it.
    pub fn shift(self) -> Shift {
        match self {
            Self::Constant(s) => Shift::Constant(s.into()),
            Self::Range([lo, hi]) => Shift::Range(lo.into(), hi.into()),
        }
    }

    /// The constant, if it is one.
    pub fn constant(self) -> Option<u32> {
        match self {
            Self::Constant(s) => Some(s),
            Self::Range(_) => None,
        }
    }

    /// Refuses bounds that leave no choice.
    pub fn check(self, path: &str, issues: &mut Vec<Issue>) {
        if let Self::Range([lo, hi]) = self
            && lo >= hi
        {
            let message = format!("a run-time shift from {lo} to {hi} leaves no choice");
            let help =
                if lo == hi { format!("shift = {lo}") } else { format!("shift = [{hi}, {lo}], the lower bound first") };
            issues.push(issue("C006", path, message, help));
        }
    }
}

/// An error at a place.
pub fn issue(code: &'static str, path: &str, message: String, help: String) -> Issue {
    Issue { code, path: path.into(), message, help, warning: false }
}

/// The issue of a document that its schema lets pass and serde refuses.
pub fn unreadable(kind: &str, error: &serde_json::Error) -> Vec<Issue> {
    let help = format!("`bitlathe schema {kind}` gives the legal keys and values");
    vec![issue("C000", "", error.to_string(), help)]
}

/// The device of a name.
pub fn check_target(name: &str, issues: &mut Vec<Issue>) -> Option<&'static Target> {
    let target = Target::find(name);
    if target.is_none() {
        let names: Vec<&str> = TARGETS.iter().map(|t| t.name).collect();
        let message = format!("there is no target `{name}`");
        issues.push(issue("C001", "target.name", message, format!("targets: {}", names.join(", "))));
    }
    target
}

/// A core's name must make a Verilog identifier.
pub fn check_name(name: &str, issues: &mut Vec<Issue>) {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !(name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(word)) {
        let kept: String = name.chars().filter(|c| word(*c)).collect();
        let message = format!("`{name}` cannot name a Verilog module");
        let help = format!("begin with a letter; letters, digits, - and _ only, such as `core_{kept}`");
        issues.push(issue("C002", "name", message, help));
    }
}

/// Name of the top module.
pub fn top_module(name: &str) -> String {
    name.replace('-', "_")
}

/// Refuses a name that is a Verilog keyword or that of a module below the top.
pub fn check_top<T>(name: &str, rtl: &Result<T, Errors>) -> Result<(), Vec<Issue>> {
    let top = top_module(name);
    let taken = |e: &bitlathe_hdl::Error| matches!(e.code, Code::Name | Code::Clash) && e.module == top;
    match rtl {
        Err(errors) if errors.0.iter().any(taken) => {
            let message = format!("`{top}` is a Verilog keyword or the name of a module of this core");
            Err(vec![issue("C002", "name", message, format!("another name, such as `{name}-core`"))])
        }
        _ => Ok(()),
    }
}
