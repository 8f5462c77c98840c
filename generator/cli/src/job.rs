//! A job from `--in NAME=F.npy` arguments: read, bound to the core's sizes, checked, defaults filled in; all errors at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use bitlathe_cores::Core;
use bitlathe_flow::npy;
use bitlathe_spec::{Carrier, DType, DimSpec, Dims, Interface, Job, Role, Tensor, TensorError, TensorSpec};

use crate::nearest::suggest;
use crate::outputs::Outputs;
use crate::report::{Failure, Finding};

/// `NAME=FILE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Tensor.
    pub name: String,
    /// Its npy file.
    pub path: PathBuf,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, path)) if !name.trim().is_empty() && !path.is_empty() => {
                Ok(Self { name: name.trim().into(), path: path.into() })
            }
            _ => Err("expected NAME=FILE, for example x=x.npy".into()),
        }
    }
}

/// Reads and checks the inputs of a job.
pub fn assemble(core: &dyn Core, given: &[Assignment]) -> Result<Job, Vec<Finding>> {
    let interface = core.interface();
    let inputs = inputs(core, &interface);
    let mut findings = Vec::new();
    let tensors = read(&interface, &inputs, given, &mut findings);
    let mut job = bind(tensors, &mut findings);
    choose(&inputs, &mut job);
    findings.extend(sizes(&interface, &job.dims));
    findings.extend(missing(&inputs, given));
    findings.extend(translate(core, &mut job));
    // What follows needs a job without gaps.
    if findings.is_empty() {
        findings.extend(fill(&interface, &mut job));
    }
    if findings.is_empty() {
        let refused = |reason| {
            Finding::new("J009", reason).help("the `model.md` that `bitlathe gen` writes says what the core takes")
        };
        findings.extend(core.check_job(&job).err().map(refused));
    }
    if findings.is_empty() { Ok(job) } else { Err(findings) }
}

/// The tensors that files give: the inputs of the interface, save what the core makes of others.
fn inputs(core: &dyn Core, interface: &Interface) -> Vec<TensorSpec> {
    let given = core.given();
    let made = |t: &TensorSpec| given.iter().any(|g| g.makes.contains(&t.name));
    let own = interface.tensors.iter().filter(|t| t.role == Role::In && !made(t));
    own.chain(given.iter().map(|g| &g.spec)).cloned().collect()
}

/// Replaces what files give in other words by what the core makes of it.
fn translate(core: &dyn Core, job: &mut Job) -> Vec<Finding> {
    let mut findings = Vec::new();
    for given in core.given() {
        let Some(tensor) = job.tensors.remove(&given.spec.name) else { continue };
        match core.translate(&given.spec.name, &tensor) {
            Ok(made) => job.tensors.extend(made),
            Err(reason) => {
                let finding = Finding::new("J011", format!("tensor `{}`: {reason}", given.spec.name));
                findings.push(finding.help(given.spec.doc));
            }
        }
    }
    findings
}

/// Stages a file for each `--out`; the names are checked against the tensors that the command gives.
pub fn stage(
    outputs: &[Assignment],
    names: &[&str],
    files: &mut Outputs,
) -> Result<BTreeMap<String, PathBuf>, Vec<Finding>> {
    let (mut staged, mut findings) = (BTreeMap::new(), Vec::new());
    for output in outputs {
        if !names.contains(&output.name.as_str()) {
            let finding = Finding::new("J002", format!("there is no output tensor `{}`", output.name));
            findings.push(finding.help(suggest(&output.name, names.iter().copied())));
        } else if staged.contains_key(&output.name) {
            findings.push(twice(&output.name, "--out"));
        } else {
            match files.stage(&output.path) {
                Ok(path) => drop(staged.insert(output.name.clone(), path)),
                Err(finding) => findings.push(finding),
            }
        }
    }
    if findings.is_empty() { Ok(staged) } else { Err(findings) }
}

/// Writes tensors to their staged files.
pub fn write(staged: &BTreeMap<String, PathBuf>, tensors: &BTreeMap<String, Tensor>) -> Result<(), Failure> {
    for (name, path) in staged {
        let Some(tensor) = tensors.get(name) else { continue };
        npy::write(path, tensor).map_err(|e| {
            Failure::input(vec![
                Finding::new("E020", format!("cannot write tensor `{name}`: {}", e.problem))
                    .help("is there room on the disk, and may you write there?"),
            ])
        })?;
    }
    Ok(())
}

/// The names of an interface's tensors of one role.
pub fn names(interface: &Interface, role: Role) -> Vec<&str> {
    interface.tensors.iter().filter(|t| t.role == role).map(|t| t.name.as_str()).collect()
}

fn twice(name: &str, option: &str) -> Finding {
    Finding::new("J003", format!("`{option} {name}=…` is given twice")).help("leave one of them out")
}

/// The tensors whose files can be read, in the order of the interface.
fn read<'a>(
    interface: &Interface,
    inputs: &'a [TensorSpec],
    given: &'a [Assignment],
    findings: &mut Vec<Finding>,
) -> Vec<Given<'a>> {
    let known = || inputs.iter().map(|t| t.name.as_str());
    let mut tensors: Vec<Given> = Vec::new();
    for Assignment { name, path } in given {
        let Some(spec) = inputs.iter().find(|t| t.name == *name) else {
            let what = if interface.tensor(name).is_some_and(|t| t.role == Role::Out) {
                "is an output of this core"
            } else {
                "is no tensor of this core"
            };
            findings.push(Finding::new("J002", format!("`{name}` {what}")).help(suggest(name, known())));
            continue;
        };
        if tensors.iter().any(|t| t.spec.name == *name) {
            findings.push(twice(name, "--in"));
            continue;
        }
        match npy::read(path) {
            Ok(tensor) => tensors.push(Given { spec, path, tensor }),
            Err(e) => findings.push(Finding::new("J004", format!("cannot read tensor `{name}`: {e}")).help(format!(
                "`{name}` is an npy file of {} {}, as numpy.save writes it",
                spec.dtype.name(),
                spec.shape_text()
            ))),
        }
    }
    tensors.sort_by_key(|t| inputs.iter().position(|s| s.name == t.spec.name));
    tensors
}

/// A tensor that was read.
struct Given<'a> {
    spec: &'a TensorSpec,
    path: &'a Path,
    tensor: Tensor,
}

impl Given<'_> {
    /// Whether it may be one value for all: shape [1] where the specification names a size.
    fn is_single(&self) -> bool {
        matches!(self.spec.shape.as_slice(), [DimSpec::Named(_)]) && self.tensor.shape == [1]
    }
}

/// Binds the tensors to sizes.
fn bind(tensors: Vec<Given>, findings: &mut Vec<Finding>) -> Job {
    let mut job = Job::default();
    // A size is known from tensors that have it in full before a single value is spread over it.
    let (single, full): (Vec<Given>, Vec<Given>) = tensors.into_iter().partition(Given::is_single);
    let mut origins: BTreeMap<String, String> = BTreeMap::new();
    for mut given in full.into_iter().chain(single) {
        if given.is_single() {
            spread(&mut given, &job.dims);
        }
        let bound = given.spec.bind(&given.tensor, &mut job.dims);
        for dim in Interface::names(given.spec).filter(|d| job.dims.contains_key(*d)) {
            origins.entry(dim.to_string()).or_insert_with(|| given.spec.name.clone());
        }
        match bound {
            Ok(()) => drop(job.tensors.insert(given.spec.name.clone(), given.tensor)),
            Err(e) => findings.push(explain(&e, &given, &origins)),
        }
    }
    job
}

/// Sizes that a tensor's value is, by their defaults where no file gives them.
fn choose(inputs: &[TensorSpec], job: &mut Job) {
    for spec in inputs {
        if let (Carrier::Size(name), Some(value)) = (&spec.carrier, spec.default) {
            job.dims.entry(name.clone()).or_insert(value as u64);
        }
    }
}

/// Gives every tensor that is not there its default; says which sizes no tensor tells.
fn fill(interface: &Interface, job: &mut Job) -> Vec<Finding> {
    let unknown = interface.sizes.iter().filter(|s| !job.dims.contains_key(&s.name));
    let findings: Vec<Finding> = unknown
        .map(|s| {
            let has = |t: &&TensorSpec| t.role == Role::In && Interface::names(t).any(|n| n == s.name);
            let tellers: Vec<&str> = interface.tensors.iter().filter(has).map(|t| t.name.as_str()).collect();
            Finding::new("J010", format!("no tensor says how large {} is", s.name))
                .help(format!("give one of {}", tellers.join(", ")))
        })
        .collect();
    for spec in interface.tensors.iter().filter(|t| t.role == Role::In) {
        if let (Some(value), Some(shape)) = (spec.default, spec.resolve(&job.dims)) {
            let data = || vec![value; shape.iter().product()];
            job.tensors.entry(spec.name.clone()).or_insert_with(|| Tensor::new(spec.dtype, shape.clone(), data()));
        }
    }
    findings
}

/// Repeats a single value over a known size.
fn spread(given: &mut Given, dims: &Dims) {
    if let (Some(shape), Some(&value)) = (given.spec.resolve(dims), given.tensor.data.first()) {
        let data = vec![value; shape.iter().product()];
        given.tensor = Tensor::new(given.tensor.dtype, shape, data);
    }
}

/// Sizes outside of what the core was made for.
pub fn sizes(interface: &Interface, dims: &Dims) -> Vec<Finding> {
    let mut findings = Vec::new();
    for size in &interface.sizes {
        let Some(&value) = dims.get(&size.name) else { continue };
        if !(size.min..=size.max).contains(&value) {
            let error = TensorError::Dim { dim: size.name.clone(), value, min: size.min, max: size.max };
            let help = match value < size.min {
                true => format!("{} is at least {}", size.name, size.min),
                false => {
                    format!("split the job, or make the core for more: its config says how large {} may be", size.name)
                }
            };
            findings.push(Finding::new("J008", error.to_string()).help(help));
        }
    }
    findings
}

/// Inputs without a default that nobody gave.
fn missing(inputs: &[TensorSpec], given: &[Assignment]) -> Vec<Finding> {
    let needed = inputs.iter().filter(|t| t.default.is_none());
    needed
        .filter(|t| given.iter().all(|g| g.name != t.name))
        .map(|t| {
            let (name, dtype, shape) = (&t.name, t.dtype.name(), t.shape_text());
            Finding::new("J001", TensorError::Missing { name: name.clone() }.to_string())
                .help(format!("add --in {name}=F.npy, an array of {dtype} {shape}: {}", t.doc))
        })
        .collect()
}

fn explain(error: &TensorError, given: &Given, origins: &BTreeMap<String, String>) -> Finding {
    let spec = given.spec;
    let file = given.path.display();
    let (code, help) = match error {
        TensorError::DType { .. } => {
            let loss =
                if matches!(given.tensor.dtype, DType::F32 | DType::F64) { "quantize it first, then " } else { "" };
            ("J005", format!("{loss}save it as {0}: numpy.save(\"{file}\", a.astype(numpy.{0}))", spec.dtype.name()))
        }
        TensorError::Shape { .. } => ("J006", format!("`{}` is {}", spec.name, spec.doc)),
        TensorError::Conflict { dim, expected, .. } => {
            let from = origins.get(dim).map_or("another tensor", String::as_str);
            ("J006", format!("{dim} = {expected} comes from `{from}`; `{}` has shape {}", spec.name, spec.shape_text()))
        }
        TensorError::Range { min, max, .. } => ("J007", format!("every value lies in {min}..={max}: {}", spec.doc)),
        TensorError::Missing { .. } | TensorError::Unknown { .. } | TensorError::Dim { .. } => {
            ("J006", spec.doc.clone())
        }
    };
    Finding::new(code, format!("{error} ({file})")).help(help)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::configure;
    use crate::demo::{Demo, LEGAL};
    use crate::report::{Source, Style, render};

    /// Runs [`assemble`] on tensors written to files.
    fn job(tensors: &[(&str, Tensor)], extra: &[&str]) -> Result<Job, String> {
        let home = tempfile::tempdir().expect("a folder");
        let mut given: Vec<Assignment> = Vec::new();
        for (name, tensor) in tensors {
            let path = home.path().join(format!("{name}.npy"));
            npy::write(&path, tensor).expect("writable");
            given.push(Assignment { name: name.to_string(), path });
        }
        given.extend(extra.iter().map(|e| e.parse::<Assignment>().expect("well formed")));
        let core = configure(&[&Demo], &Source::file("core.toml", LEGAL.into()), &[]).expect("legal").core;
        assemble(core.as_ref(), &given)
            .map_err(|f| render(&f, Style::Plain).replace(&home.path().display().to_string(), "DIR"))
    }

    fn tensor(dtype: DType, shape: &[usize], value: i64) -> Tensor {
        Tensor::new(dtype, shape, vec![value; shape.iter().product()])
    }

    #[test]
    fn binds_sizes_spreads_single_values_and_fills_defaults() {
        let x = tensor(DType::I8, &[2, 3], 1);
        let w = tensor(DType::I8, &[4, 3], -1);
        let mult = tensor(DType::U16, &[1], 7);
        let job = job(&[("mult", mult), ("x", x), ("w", w)], &[]).expect("a legal job");
        assert_eq!(job.dims, Dims::from([("T".into(), 2), ("K".into(), 3), ("M".into(), 4)]));
        assert_eq!(job.tensors["mult"], tensor(DType::U16, &[4], 7));
        assert_eq!(job.tensors["zp"], tensor(DType::I8, &[4], 0));
    }

    #[test]
    fn a_single_row_keeps_a_single_value() {
        let one = |d| tensor(d, &[1, 1], 1);
        let job = job(&[("x", one(DType::I8)), ("w", one(DType::I8)), ("mult", tensor(DType::U16, &[1], 7))], &[]);
        assert_eq!(job.expect("a legal job").tensors["mult"].shape, [1]);
    }

    #[test]
    fn every_error_of_a_job_is_shown_at_once() {
        let x = tensor(DType::F32, &[2, 3], 1);
        let w = tensor(DType::I8, &[4, 65], 5);
        let zp = tensor(DType::I8, &[2, 2], 5);
        let again = ["x=other.npy", "y=y.npy", "multt=m.npy"];
        insta::assert_snapshot!(job(&[("x", x), ("w", w), ("zp", zp)], &again).expect_err("illegal"));
    }

    #[test]
    fn sizes_must_agree_and_lie_within_the_core() {
        let x = tensor(DType::I8, &[2, 65], 1);
        let w = tensor(DType::I8, &[0, 64], 0);
        let mult = tensor(DType::U16, &[5], 0);
        insta::assert_snapshot!(job(&[("x", x), ("w", w), ("mult", mult)], &["zp=no_such.npy"]).expect_err("illegal"));
    }

    #[test]
    fn relations_between_tensors_come_last() {
        let (x, w) = (tensor(DType::I8, &[1, 1], 13), tensor(DType::I8, &[1, 1], 0));
        let error = job(&[("x", x), ("w", w), ("mult", tensor(DType::U16, &[1], 0))], &[]).expect_err("a 13");
        assert!(error.contains("x holds a 13"), "{error}");
    }
}
