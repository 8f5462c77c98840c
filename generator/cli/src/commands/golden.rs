//! `bitlathe golden`: a job by the bit-exact model.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bitlathe_cores::Core;
use bitlathe_spec::{Dims, Role, Tensor};
use serde_json::{Value, json};

use super::{Context, identity, merge};
use crate::args::Job;
use crate::job::{self, Assignment};
use crate::outputs::Outputs;
use crate::report::{Done, Failure, Finding};

/// A job with files for its outputs.
pub struct Prepared {
    /// The job.
    pub job: bitlathe_spec::Job,
    /// Files under way.
    pub files: Outputs,
    /// Where each output tensor is written before it is renamed.
    pub staged: BTreeMap<String, PathBuf>,
}

/// Runs the model.
pub fn run(context: &Context, args: &Job) -> Result<Done, Failure> {
    let config = context.load(&args.config)?;
    let core = config.core.as_ref();
    let Prepared { job, files, staged } = prepare(core, args)?;
    let spinner = context.progress.spinner("running the model");
    let outputs = core.golden(&job);
    spinner.finish_and_clear();
    job::write(&staged, &outputs)?;
    files.commit()?;
    let text = format!("{}\n{}", sizes(core, &job.dims), listing(&outputs, &args.outputs));
    let json = json!({
        "sizes": job.dims,
        "predicted_cycles": core.schedule(&job.dims),
        "useful_ops": core.useful_ops(&job.dims),
        "outputs": described(&outputs, &args.outputs),
    });
    Ok(Done::new(text, merge([identity(core), json])))
}

/// Reads and checks a job and the places of its outputs; all that is wrong with either at once.
pub fn prepare(core: &dyn Core, args: &Job) -> Result<Prepared, Failure> {
    let interface = core.interface();
    let mut files = Outputs::default();
    let staged = job::stage(&args.outputs, &job::names(&interface, Role::Out), &mut files);
    match (job::assemble(core, &args.inputs), staged) {
        (Ok(job), Ok(staged)) => Ok(Prepared { job, files, staged }),
        (job, staged) => {
            let findings: Vec<Finding> = [job.err(), staged.err()].into_iter().flatten().flatten().collect();
            Err(Failure::input(findings))
        }
    }
}

/// The sizes in one line.
pub fn sizes(core: &dyn Core, dims: &Dims) -> String {
    let names = core.interface().sizes.into_iter().map(|s| s.name);
    let named = names.filter_map(|name| Some(format!("{name} = {}", dims.get(&name)?)));
    named.collect::<Vec<_>>().join(", ")
}

/// One line for each output.
pub fn listing(tensors: &BTreeMap<String, Tensor>, files: &[Assignment]) -> String {
    let line = |(name, tensor): (&String, &Tensor)| {
        let file =
            files.iter().find(|f| f.name == *name).map(|f| format!(", in {}", f.path.display())).unwrap_or_default();
        format!("{name}: {} {:?}{file}\n", tensor.dtype.name(), tensor.shape)
    };
    tensors.iter().map(line).collect()
}

/// The same for a program.
pub fn described(tensors: &BTreeMap<String, Tensor>, files: &[Assignment]) -> Value {
    let entry = |(name, tensor): (&String, &Tensor)| {
        let file = files.iter().find(|f| f.name == *name).map(|f| f.path.display().to_string());
        (name.clone(), json!({ "dtype": tensor.dtype.name(), "shape": tensor.shape, "file": file }))
    };
    Value::Object(tensors.iter().map(entry).collect())
}
