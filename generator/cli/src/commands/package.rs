//! `bitlathe package`: the core's folder with what one consumer needs beside it.

use bitlathe_flow::generate::{Options, generate, package, top};
use serde_json::json;

use super::generate::{file_name, names};
use super::{Context, identity, merge};
use crate::args::Package;
use crate::report::{Done, Exit, Failure, Finding};

/// Writes the folder.
pub fn run(context: &Context, args: &Package) -> Result<Done, Failure> {
    let config = context.load(&args.config)?;
    let core = config.core.as_ref();
    package::check(core, args.whom)
        .map_err(|refusal| Failure::one(Exit::Input, Finding::new("P001", refusal.reason).help(refusal.help)))?;
    let options = Options { config_file: file_name(&args.config), package: Some(args.whom), ..Options::default() };
    let files = generate(core, &args.out, &options)?;
    let (dir, start) = (args.out.display(), args.whom.start());
    let text = format!("{dir}: {} files; the top is `{}`. Next: {start}.\n", files.len(), top(core));
    let json = json!({ "dir": args.out, "package": args.whom, "top": top(core), "files": names(&files, &args.out) });
    Ok(Done::new(text, merge([identity(core), json])).warn(config.warnings))
}
