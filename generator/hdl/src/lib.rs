//! The RTL language.

/// A design that passed every check.
pub struct Checked;
/// All errors of a design.
#[derive(Debug)]
pub struct Errors;
