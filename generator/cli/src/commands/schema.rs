//! `bitlathe schema`: the JSON schema of a kind's config, for editors.

use super::Context;
use crate::args::Schema;
use crate::report::{Done, Failure};

/// Prints the schema.
pub fn run(context: &Context, args: &Schema) -> Result<Done, Failure> {
    let schema = context.kind(&args.kind)?.schema();
    Ok(Done::new(format!("{schema:#}\n"), schema).warn(context.idle_overrides()))
}
