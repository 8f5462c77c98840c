//! `bitlathe gen`: the core's folder.

use std::path::{Path, PathBuf};

use bitlathe_flow::generate::{Options, generate, top};
use serde_json::{Value, json};

use super::{Context, identity, merge};
use crate::args::{self, Gen};
use crate::report::{Done, Exit, Failure, Finding};

/// Largest synthesis result read, in bytes.
const LARGEST: u64 = 16 << 20;

/// Writes the folder.
pub fn run(context: &Context, args: &Gen) -> Result<Done, Failure> {
    let config = context.load(&args.config)?;
    let core = config.core.as_ref();
    let synth = args.synth.iter().map(|p| read_synth(p)).collect::<Result<Vec<_>, _>>()?;
    let options = Options { config_file: file_name(&args.config), synth, ..Options::default() };
    let files = generate(core, &args.out, &options)?;
    let dir = args.out.display();
    let text = format!(
        "{dir}: {} files. Start with {dir}/datasheet.html; the Verilog is in {dir}/rtl, its top is `{}`.\n",
        files.len(),
        top(core)
    );
    let json = json!({ "dir": args.out, "top": top(core), "files": names(&files, &args.out) });
    Ok(Done::new(text, merge([identity(core), json])).warn(config.warnings))
}

/// The config's name for commands in the documentation; empty where it is standard input.
pub fn file_name(config: &args::Config) -> String {
    let name = config.config.file_name().map(|n| n.to_string_lossy().into_owned());
    name.filter(|n| n != "-").unwrap_or_default()
}

/// Files relative to the folder.
pub fn names(files: &[PathBuf], dir: &Path) -> Vec<String> {
    files.iter().map(|f| f.strip_prefix(dir).unwrap_or(f).display().to_string()).collect()
}

/// A result of `bitlathe synth --json`.
fn read_synth(path: &Path) -> Result<Value, Failure> {
    let refused = |reason: String| {
        let finding = Finding::new("E008", format!("cannot read the synthesis result `{}`: {reason}", path.display()));
        Failure::one(Exit::Input, finding.help("it is what `bitlathe synth CONFIG --json` prints"))
    };
    let size = std::fs::metadata(path).map_err(|e| refused(e.to_string()))?.len();
    if size > LARGEST {
        return Err(refused(format!("{size} bytes are too many")));
    }
    let bytes = std::fs::read(path).map_err(|e| refused(e.to_string()))?;
    let value: Value = serde_json::from_slice(&bytes).map_err(|e| refused(e.to_string()))?;
    match (value.get("flow"), value.get("lut")) {
        (Some(Value::String(_)), Some(Value::Number(_))) => Ok(value),
        _ => Err(refused("it has no `flow` and `lut`".into())),
    }
}
