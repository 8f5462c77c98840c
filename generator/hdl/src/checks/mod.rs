//! The checks of a finished module, one pass a file; each has a name and a one-line description.

mod clocks;
mod driven;
mod loops;
mod names;
mod streams;
pub(crate) mod walk;

use crate::error::Error;
use crate::module::Unit;

/// One check over a finished module.
pub struct Pass {
    /// Short name.
    pub name: &'static str,
    /// What it refuses, in one line.
    pub about: &'static str,
    pub(crate) run: fn(&Unit, &mut Vec<Error>),
}

/// Every pass, in the order in which they run.
pub const PASSES: &[Pass] = &[names::PASS, driven::PASS, loops::PASS, clocks::PASS, streams::PASS];
