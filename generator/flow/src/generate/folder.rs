//! Puts a finished set of files in place of a folder: written beside it, then renamed, so that a failed run changes nothing.

use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::{env, fs};

use bitlathe_spec::SourceFile;
use serde_json::Value;
use tempfile::TempDir;

use super::GenerateError;

/// What stands where the folder shall be.
enum Present {
    Nothing,
    Empty,
    /// Made by an earlier run, with the files that it wrote.
    Ours(BTreeSet<PathBuf>),
}

/// Refuses a place that must not be replaced.
pub fn check(dir: &Path, name: &str) -> Result<(), GenerateError> {
    present(dir, name).map(|_| ())
}

/// Writes the files and returns where they are. Files of the old folder that no run wrote move into the new one.
pub fn replace(dir: &Path, name: &str, files: &[SourceFile]) -> Result<Vec<PathBuf>, GenerateError> {
    let present = present(dir, name)?;
    let parent = parent(dir)?;
    fs::create_dir_all(&parent).map_err(failed("create", &parent))?;
    let fresh = beside(&parent)?;
    for file in files {
        let path = fresh.path().join(inside(&file.path)?);
        let folder = path.parent().unwrap_or(fresh.path());
        fs::create_dir_all(folder).map_err(failed("create", folder))?;
        fs::write(&path, &file.text).map_err(failed("write", &path))?;
    }
    match present {
        Present::Nothing => {}
        Present::Empty => fs::remove_dir(dir).map_err(failed("replace", dir))?,
        Present::Ours(old) => return swap(dir, &parent, fresh, &old, files),
    }
    fs::rename(fresh.keep(), dir).map_err(failed("create", dir))?;
    Ok(files.iter().map(|f| dir.join(&f.path)).collect())
}

fn swap(
    dir: &Path,
    parent: &Path,
    fresh: TempDir,
    old: &BTreeSet<PathBuf>,
    files: &[SourceFile],
) -> Result<Vec<PathBuf>, GenerateError> {
    let aside = beside(parent)?;
    let earlier = aside.path().join("earlier");
    fs::rename(dir, &earlier).map_err(failed("replace", dir))?;
    if let Err(error) = fs::rename(fresh.path(), dir) {
        fs::rename(&earlier, dir).map_err(failed("restore", dir))?;
        return Err(failed("replace", dir)(error));
    }
    let _moved = fresh.keep();
    if let Err(error) = keep_foreign(&earlier, dir, Path::new(""), old) {
        let _left_for_the_user = aside.keep();
        return Err(failed("keep the files in", &earlier)(error));
    }
    Ok(files.iter().map(|f| dir.join(&f.path)).collect())
}

/// Moves every file that is not among `old` and that the new folder does not hold.
fn keep_foreign(from: &Path, to: &Path, below: &Path, old: &BTreeSet<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(from.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        let (source, target) = (from.join(&path), to.join(&path));
        if entry.file_type()?.is_dir() && (target.is_dir() || holds_ours(&path, old)) {
            keep_foreign(from, to, &path, old)?;
        } else if !old.contains(&path) && !target.exists() {
            fs::create_dir_all(target.parent().unwrap_or(to))?;
            fs::rename(source, target)?;
        }
    }
    Ok(())
}

fn holds_ours(folder: &Path, old: &BTreeSet<PathBuf>) -> bool {
    old.iter().any(|p| p.starts_with(folder))
}

fn present(dir: &Path, name: &str) -> Result<Present, GenerateError> {
    match fs::symlink_metadata(dir) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Present::Nothing),
        Err(e) => return Err(failed("read", dir)(e)),
        Ok(meta) if !meta.is_dir() => return Err(GenerateError::NoFolder { dir: dir.into() }),
        Ok(_) => {}
    }
    if fs::read_dir(dir).map_err(failed("read", dir))?.next().is_none() {
        return Ok(Present::Empty);
    }
    let manifest = format!("{name}.json");
    match written_before(&dir.join(&manifest)) {
        Some(files) => Ok(Present::Ours(files)),
        None => Err(GenerateError::Occupied { dir: dir.into(), manifest }),
    }
}

/// The files that a manifest of an earlier run lists; `None` where the file is no such manifest.
fn written_before(manifest: &Path) -> Option<BTreeSet<PathBuf>> {
    let json: Value = serde_json::from_slice(&fs::read(manifest).ok()?).ok()?;
    json.get("generator")?.as_str()?.strip_prefix("bitlathe ")?;
    let files = json.get("files")?.as_array()?;
    files.iter().map(|f| f.as_str().map(PathBuf::from)).collect()
}

/// The folder that holds `dir`, as an absolute path.
fn parent(dir: &Path) -> Result<PathBuf, GenerateError> {
    let here = env::current_dir().map_err(failed("find", Path::new(".")))?;
    let whole = here.join(dir);
    match whole.parent() {
        Some(parent) if whole.file_name().is_some() => Ok(parent.into()),
        _ => Err(GenerateError::NoFolder { dir: dir.into() }),
    }
}

/// A temporary folder on the same file system, removed when dropped.
fn beside(parent: &Path) -> Result<TempDir, GenerateError> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".bitlathe-");
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder.tempdir_in(parent).map_err(failed("write in", parent))
}

/// A relative path without detours.
fn inside(path: &str) -> Result<&Path, GenerateError> {
    let relative = Path::new(path);
    if !path.is_empty() && relative.components().all(|c| matches!(c, Component::Normal(_))) {
        return Ok(relative);
    }
    let reason = io::Error::new(io::ErrorKind::InvalidInput, "the path leaves the folder");
    Err(failed("write", relative)(reason))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> GenerateError + use<> {
    let path = path.to_path_buf();
    move |source| GenerateError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.into(), text: text.into() }
    }

    fn manifest(files: &[&str]) -> SourceFile {
        file("c.json", &serde_json::json!({"generator": "bitlathe 0.1.0", "files": files}).to_string())
    }

    #[test]
    fn replaces_its_own_files_and_keeps_those_of_others() {
        let home = tempfile::tempdir().expect("a folder");
        let dir = home.path().join("deep/out");
        let first = [file("rtl/old.v", "1"), file("rtl/same.v", "1"), manifest(&["rtl/old.v", "rtl/same.v", "c.json"])];
        replace(&dir, "c", &first).expect("a new folder");
        fs::write(dir.join("rtl/notes.txt"), "mine").expect("writable");
        fs::create_dir(dir.join("build")).expect("writable");
        fs::write(dir.join("build/log"), "mine too").expect("writable");
        let second = [file("rtl/same.v", "2"), manifest(&["rtl/same.v", "c.json"])];
        let paths = replace(&dir, "c", &second).expect("its own folder");
        assert_eq!(paths, [dir.join("rtl/same.v"), dir.join("c.json")]);
        assert!(!dir.join("rtl/old.v").exists(), "a file that is no longer generated stays behind");
        let read = |p: &str| fs::read_to_string(dir.join(p)).unwrap_or_default();
        assert_eq!([read("rtl/same.v"), read("rtl/notes.txt"), read("build/log")], ["2", "mine", "mine too"]);
        let left = fs::read_dir(home.path().join("deep")).expect("a folder").count();
        assert_eq!(left, 1, "temporary folders are left behind");
    }

    #[test]
    fn leaves_alone_what_it_did_not_make() {
        let home = tempfile::tempdir().expect("a folder");
        let files = [file("a.v", ""), manifest(&["a.v"])];
        fs::write(home.path().join("thesis.tex"), "x").expect("writable");
        let error = replace(home.path(), "c", &files).expect_err("another's folder").to_string();
        assert!(error.contains("holds no `c.json` of an earlier run"), "{error}");
        fs::write(home.path().join("c.json"), "{\"name\": \"package\"}").expect("writable");
        assert!(matches!(check(home.path(), "c"), Err(GenerateError::Occupied { .. })), "a foreign c.json");
        assert!(matches!(check(&home.path().join("c.json"), "c"), Err(GenerateError::NoFolder { .. })));
        assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), 2, "something was written");
    }

    #[test]
    fn a_failed_run_leaves_nothing() {
        let home = tempfile::tempdir().expect("a folder");
        let dir = home.path().join("out");
        let files = [file("a.v", ""), file("../b.v", "")];
        assert!(replace(&dir, "c", &files).expect_err("leaves the folder").to_string().contains("leaves the folder"));
        assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), 0);
    }
}
