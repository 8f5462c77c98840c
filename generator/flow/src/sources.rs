//! Writes source files into a tool's working folder; lint, synthesis and proofs start with it.

use std::path::{Component, Path, PathBuf};
use std::{fs, io};

use bitlathe_spec::SourceFile;

/// Writes files under a folder and lists the Verilog among them; a path that leaves the folder is refused.
pub(crate) fn write_sources(files: &[SourceFile], folder: &Path) -> io::Result<Vec<String>> {
    let mut sources = Vec::new();
    for file in files {
        let path = Path::new(&file.path);
        let inside = path.components().all(|c| matches!(c, Component::Normal(_)));
        if !inside || file.path.is_empty() || file.path.contains(['"', '\n', '\\']) {
            let reason = format!("the source path {:?} is not a plain relative path", file.path);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        let target: PathBuf = folder.join(path);
        fs::create_dir_all(target.parent().unwrap_or(folder))?;
        fs::write(target, &file.text)?;
        if path.extension().is_some_and(|e| e == "v" || e == "sv") {
            sources.push(file.path.clone());
        }
    }
    Ok(sources)
}
