//! From a TOML file and `--set` arguments to a configured core, or to everything that is wrong with them at once.

mod describe;
mod document;
mod schema;
mod set;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use bitlathe_cores::{Core, Issue, Kind};
use serde_json::Value as Json;

use crate::nearest::suggest;
use crate::report::{Exit, Failure, Finding, Source};
use document::{Node, Value};
use schema::Fill;
pub use set::Override;

/// Largest config read, in bytes; a real one has two thousand.
const LARGEST: u64 = 1 << 20;

/// A config that is right.
pub struct Config {
    /// The core.
    pub core: Box<dyn Core>,
    /// What is legal but worth a word.
    pub warnings: Vec<Finding>,
}

/// Reads and checks a config; `-` is standard input.
pub fn load(kinds: &[&dyn Kind], path: &Path, sets: &[String]) -> Result<Config, Failure> {
    let source = read(path).map_err(|f| Failure::one(Exit::Input, f))?;
    configure(kinds, &source, sets).map_err(Failure::input)
}

/// Checks the text of a config.
pub fn configure(kinds: &[&dyn Kind], source: &Arc<Source>, sets: &[String]) -> Result<Config, Vec<Finding>> {
    judge(kinds, source, sets).map_err(|mut findings| {
        findings.sort_by_key(Finding::order);
        findings
    })
}

fn judge(kinds: &[&dyn Kind], source: &Arc<Source>, sets: &[String]) -> Result<Config, Vec<Finding>> {
    let document = document(source, sets)?;
    let kind = find_kind(kinds, &document).map_err(|f| vec![*f])?;
    let schema = kind.schema();
    let checked = schema::check(&schema, &document, Fill::First);
    if checked.findings.is_empty() {
        return match kind.configure(&checked.json) {
            Ok(core) => {
                let warnings = core.warnings().iter().map(|i| locate(i, &document)).collect();
                Ok(Config { core, warnings })
            }
            Err(issues) => Err(findings(&issues, &document, kind)),
        };
    }
    let issues = certain(kind, &schema, &document, &checked);
    let mut all = checked.findings;
    all.extend(issues.iter().map(|i| locate(i, &document)));
    Err(all)
}

/// The document with every override applied.
fn document(source: &Arc<Source>, sets: &[String]) -> Result<Node, Vec<Finding>> {
    let mut wrong = Vec::new();
    let mut document = document::parse(source)?;
    for argument in sets {
        match Override::parse(argument) {
            Ok(set) => wrong.extend(set.apply(&mut document).err()),
            Err(findings) => wrong.extend(findings),
        }
    }
    if wrong.is_empty() { Ok(document) } else { Err(wrong) }
}

fn find_kind<'a>(kinds: &[&'a dyn Kind], document: &Node) -> Result<&'a dyn Kind, Box<Finding>> {
    let names = kinds.iter().map(|k| k.name());
    let all = names.clone().collect::<Vec<_>>().join(", ");
    let Some(entry) = document.get("kind") else {
        let finding = Finding::new("E005", "`kind` is missing: it says which core the config describes");
        return Err(Box::new(
            finding.help(format!("add `kind = \"…\"` at the top; kinds: {all}")).at(&document.place, ""),
        ));
    };
    let Value::String(name) = &entry.node.value else {
        let finding = Finding::new("E005", format!("`kind` is {}, expected a string", entry.node.kind()));
        return Err(Box::new(finding.help(format!("kinds: {all}")).at(&entry.node.place, "expected a string")));
    };
    kinds.iter().find(|k| k.name() == name).copied().ok_or_else(|| {
        let finding = Finding::new("E005", format!("there is no kind of core called {}", entry.node.shown()));
        Box::new(finding.help(suggest(name, names)).at(&entry.node.place, "unknown kind"))
    })
}

/// The semantic errors of a document that breaks its schema: those that do not depend on what stands in for the broken
/// values. Two ways of filling these in are tried, and what both find alike is certain.
fn certain(kind: &dyn Kind, schema: &Json, document: &Node, first: &schema::Checked) -> Vec<Issue> {
    let last = schema::check(schema, document, Fill::Last);
    let (Err(found), Err(again)) = (kind.configure(&first.json), kind.configure(&last.json)) else { return vec![] };
    let touches = |issue: &Issue| {
        let inside = |a: &str, b: &str| a == b || a.strip_prefix(b).is_some_and(|r| r.starts_with(['.', '[']));
        first.filled.iter().any(|f| inside(&issue.path, f) || inside(f, &issue.path))
    };
    found.into_iter().filter(|i| !i.warning && again.contains(i) && !touches(i)).collect()
}

/// A kind's issues as findings; a kind that refuses without saying why is reported as such.
fn findings(issues: &[Issue], document: &Node, kind: &dyn Kind) -> Vec<Finding> {
    let mut findings: Vec<Finding> = issues.iter().map(|i| locate(i, document)).collect();
    if findings.iter().all(|f| f.warning) {
        let message = format!("`{}` refuses this config without saying why; this is a bug of bitlathe", kind.name());
        findings.push(Finding::new("E019", message).help("start from `bitlathe new` and change one value at a time"));
    }
    findings
}

/// An issue with the place of its value; of a value that is not written, with the place of the table it would be in.
fn locate(issue: &Issue, document: &Node) -> Finding {
    let (node, exact) = document.find(&issue.path);
    let last = issue.path.rsplit('.').next().unwrap_or_default();
    let label = if exact { String::new() } else { format!("`{last}` is not written, its default counts") };
    let finding = Finding::new(issue.code, issue.message.clone()).help(issue.help.clone()).at(&node.place, label);
    if issue.warning { finding.warning() } else { finding }
}

fn read(path: &Path) -> Result<Arc<Source>, Finding> {
    let (name, bytes) = if path == Path::new("-") {
        ("<stdin>".to_string(), read_some(std::io::stdin().lock()))
    } else {
        (path.display().to_string(), std::fs::File::open(path).and_then(read_some))
    };
    let unreadable = |reason: &str| Finding::new("E001", format!("cannot read the config `{name}`: {reason}"));
    let start = "a config is a TOML file; `bitlathe new KIND` prints one to start from";
    let bytes = bytes.map_err(|e| unreadable(&e.to_string()).help(start))?;
    if bytes.len() as u64 > LARGEST {
        return Err(unreadable("it is larger than 1 MiB").help(start));
    }
    String::from_utf8(bytes).map(|text| Source::file(&name, text)).map_err(|e| {
        let offset = e.utf8_error().valid_up_to();
        let source = Source::file(&name, String::from_utf8_lossy(e.as_bytes()).into_owned());
        let place = crate::report::Place::new(&source, offset..offset + 1);
        Finding::new("E002", format!("`{name}` is not UTF-8 text: byte {offset} belongs to no character"))
            .help("save the file as UTF-8")
            .at(&place, "not UTF-8")
    })
}

fn read_some(reader: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(LARGEST + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
