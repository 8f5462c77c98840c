//! Keeps synthesis results in the per-user cache: an identical request with the same tools is answered at once.
//!
//! An entry is a folder named by the hash of everything that decides the result, the flow's own source text included. It
//! is made aside and renamed, so an entry is whole or absent.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::{SynthReport, SynthRequest};
use crate::tools::Tools;

const REPORT: &str = "report.json";
/// A change in any of these may change a report.
const OWN_TEXT: [&str; 5] = [
    include_str!("cells.rs"),
    include_str!("mod.rs"),
    include_str!("netlist.rs"),
    include_str!("route.rs"),
    include_str!("script.rs"),
];

/// The place of one request's result.
pub(super) struct Entry {
    root: PathBuf,
    folder: PathBuf,
}

impl Entry {
    pub fn of(request: &SynthRequest, versions: &[(&'static str, String)], tools: &Tools) -> Self {
        let root = tools.cache().join("synth");
        let folder = root.join(key(request, versions));
        Self { root, folder }
    }

    /// The stored report; its files are those of the entry. An entry that cannot be read counts as absent.
    pub fn load(&self) -> Option<SynthReport> {
        let text = fs::read(self.folder.join(REPORT)).ok()?;
        let mut report: SynthReport = serde_json::from_slice(&text).ok()?;
        report.place_in(&self.folder);
        report.files().iter().all(|f| f.is_file()).then_some(report)
    }

    /// A new folder beside the entries to work in.
    pub fn workspace(&self) -> io::Result<TempDir> {
        fs::create_dir_all(&self.root)?;
        tempfile::Builder::new().prefix("run-").tempdir_in(&self.root)
    }

    /// Makes an entry of the files worth keeping, in place of an older one.
    pub fn store(&self, workspace: TempDir, mut report: SynthReport) -> io::Result<SynthReport> {
        let whole = tempfile::Builder::new().prefix("new-").tempdir_in(&self.root)?;
        report.place_in(workspace.path());
        for file in report.files() {
            if let Some(name) = file.file_name() {
                fs::copy(file, whole.path().join(name))?;
            }
        }
        report.place_in(Path::new(""));
        fs::write(whole.path().join(REPORT), serde_json::to_vec_pretty(&report)?)?;
        if self.folder.exists() {
            // Another process may take it away first, which is as good.
            let _ = fs::remove_dir_all(&self.folder);
        }
        let whole = whole.keep();
        if fs::rename(&whole, &self.folder).is_err() {
            // Another process has just stored the same result.
            fs::remove_dir_all(&whole)?;
        }
        report.place_in(&self.folder);
        Ok(report)
    }
}

/// Hash of the request, the tool versions and the flow's own text; every piece goes in with its length.
fn key(request: &SynthRequest, versions: &[(&'static str, String)]) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |piece: &str| {
        hasher.update(&(piece.len() as u64).to_le_bytes());
        hasher.update(piece.as_bytes());
    };
    OWN_TEXT.iter().for_each(|t| add(t));
    for (tool, version) in versions {
        add(tool);
        add(version);
    }
    let SynthRequest { top, family, module, parameters, nodsp, route, .. } = request;
    add(&format!("{top} {family:?} {module:?} {parameters:?} {nodsp} {route:?}"));
    for file in request.files {
        add(&file.path);
        add(&file.text);
    }
    hasher.finalize().to_hex()[..32].to_string()
}
