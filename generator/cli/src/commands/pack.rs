//! `bitlathe pack`: weights of a model file as the tensors and beats that the core takes.

use std::path::{Path, PathBuf};

use bitlathe_cores::{Core, Imported};
use bitlathe_flow::sim::pack_stream;
use bitlathe_flow::weights::{self, ImportOptions};
use bitlathe_spec::{Dims, Role, Tensor};
use serde_json::json;

use super::golden::{described, listing};
use super::{Context, identity, merge};
use crate::args::Pack;
use crate::job::{self, Assignment};
use crate::outputs::Outputs;
use crate::report::{Done, Exit, Failure, Finding};

/// The tensor that holds the weights.
const WEIGHTS: &str = "w";

/// Reads, converts, checks, writes.
pub fn run(context: &Context, args: &Pack) -> Result<Done, Failure> {
    let config = context.load(&args.config)?;
    let core = config.core.as_ref();
    let mut outputs = args.outputs.clone();
    outputs.extend(args.out.clone().map(|path| Assignment { name: WEIGHTS.into(), path }));
    if outputs.is_empty() && args.stream.is_none() {
        let finding = Finding::new("E009", "nothing to write: neither -o, --out nor --stream is given");
        return Err(Failure::one(Exit::Input, finding.help("add -o w.npy")));
    }
    let (file, tensor) = split(&args.weights);
    let options =
        ImportOptions { ternarize: args.ternarize, scale: args.scale, i2s: args.i2s, gptq_zeros: args.gptq_zeros };
    let spinner = context.progress.spinner(format!("reading {}", file.display()));
    let model = weights::read(&file, tensor.as_deref(), &options)?;
    let imported = core.import(&model).map_err(|reason| refused(&args.weights, reason))?;
    spinner.finish_and_clear();
    let dims = bind(core, &imported)?;
    let mut files = Outputs::default();
    let names: Vec<&str> = imported.tensors.keys().map(String::as_str).collect();
    let staged = job::stage(&outputs, &names, &mut files).map_err(Failure::input)?;
    let beats = match &args.stream {
        Some(path) => Some(write_stream(core, &imported, &dims, path, &mut files)?),
        None => None,
    };
    job::write(&staged, &imported.tensors)?;
    files.commit()?;
    let notes: String = imported.notes.iter().map(|n| format!("note: {n}\n")).collect();
    let json = json!({
        "sizes": dims,
        "outputs": described(&imported.tensors, &outputs),
        "notes": imported.notes,
        "stream": args.stream.as_ref().zip(beats).map(|(file, bytes)| json!({ "file": file, "bytes": bytes })),
    });
    let text = listing(&imported.tensors, &outputs) + &notes;
    Ok(Done::new(text, merge([identity(core), json])))
}

fn refused(weights: &str, reason: String) -> Failure {
    let finding = Finding::new("W002", format!("the core cannot take `{weights}`: {reason}"));
    Failure::one(Exit::Input, finding.help("`bitlathe check` shows what the core takes"))
}

/// `FILE[:TENSOR]`; a file whose own name has a colon is taken as it is.
fn split(text: &str) -> (PathBuf, Option<String>) {
    if !Path::new(text).exists() {
        let mut parts = text.match_indices(':').map(|(at, _)| (&text[..at], &text[at + 1..]));
        let first = parts.clone().next();
        if let Some((file, tensor)) = parts.find(|(file, _)| Path::new(file).is_file()).or(first) {
            return (file.into(), Some(tensor.into()).filter(|t: &String| !t.is_empty()));
        }
    }
    (text.into(), None)
}

/// Checks the tensors that the core takes against its interface; side results such as `scale` are free.
fn bind(core: &dyn Core, imported: &Imported) -> Result<Dims, Failure> {
    let interface = core.interface();
    let mut dims = Dims::new();
    let mut findings = Vec::new();
    for spec in interface.tensors.iter().filter(|t| t.role == Role::In) {
        if let Some(tensor) = imported.tensors.get(&spec.name) {
            let help = format!("the core takes `{}` as {} {}", spec.name, spec.dtype.name(), spec.shape_text());
            findings.extend(spec.bind(tensor, &mut dims).err().map(|e| Finding::new("W003", e.to_string()).help(help)));
        }
    }
    findings.extend(job::sizes(&interface, &dims));
    if findings.is_empty() { Ok(dims) } else { Err(Failure::input(findings)) }
}

/// Writes the beats of the weight stream and returns their bytes.
fn write_stream(
    core: &dyn Core,
    imported: &Imported,
    dims: &Dims,
    path: &Path,
    files: &mut Outputs,
) -> Result<usize, Failure> {
    let interface = core.interface();
    let found: Option<(_, &Tensor)> = interface.stream(WEIGHTS).zip(imported.tensors.get(WEIGHTS));
    let Some((stream, tensor)) = found else {
        let finding = Finding::new("W004", "this core has no weight stream");
        return Err(Failure::one(Exit::Input, finding.help("leave --stream out")));
    };
    let staged = files.stage(path).map_err(|f| Failure::input(vec![f]))?;
    let encode = |code: &str, values: &[i64]| core.encode(code, values);
    let bytes = pack_stream(stream, dims, tensor, &encode)?;
    std::fs::write(&staged, &bytes).map_err(|e| {
        let finding = Finding::new("E020", format!("cannot write `{}`: {e}", path.display()));
        Failure::one(Exit::Input, finding.help("is there room on the disk?"))
    })?;
    Ok(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_name_follows_the_file() {
        let home = tempfile::tempdir().expect("a folder");
        let odd = home.path().join("a:b.gguf");
        std::fs::write(&odd, "").expect("writable");
        let odd = odd.display().to_string();
        assert_eq!(split(&odd), (odd.clone().into(), None));
        assert_eq!(split(&format!("{odd}:blk.0:x")), (odd.into(), Some("blk.0:x".into())));
        assert_eq!(split("no.gguf:t"), ("no.gguf".into(), Some("t".into())));
        assert_eq!(split("no.gguf"), ("no.gguf".into(), None));
    }
}
