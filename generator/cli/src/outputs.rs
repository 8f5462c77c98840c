//! Files that a command writes: staged beside their targets and renamed together at the end, so that a failed run leaves nothing.

use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::report::{Exit, Failure, Finding};

/// Files under way. Dropped without [`Outputs::commit`], they are gone.
#[derive(Debug, Default)]
pub struct Outputs {
    staged: Vec<(TempPath, PathBuf)>,
}

impl Outputs {
    /// A temporary file beside the target, to be written by the caller.
    pub fn stage(&mut self, target: &Path) -> Result<PathBuf, Finding> {
        if target.is_dir() {
            return Err(refused(target, "it is a folder", "name a file"));
        }
        if self.staged.iter().any(|(_, t)| t == target) {
            return Err(refused(target, "two outputs name it", "give each output a file of its own"));
        }
        let folder = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".bitlathe-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).map_err(|e| {
            refused(target, &format!("nothing can be written in `{}`: {e}", folder.display()), "make the folder first")
        })?;
        let path = file.into_temp_path();
        self.staged.push((path, target.to_path_buf()));
        Ok(self.staged.last().map(|(p, _)| p.to_path_buf()).unwrap_or_default())
    }

    /// Renames every file to its target.
    pub fn commit(self) -> Result<Vec<PathBuf>, Failure> {
        let rename = |(from, to): (TempPath, PathBuf)| match from.persist(&to) {
            Ok(()) => Ok(to),
            Err(e) => Err(Failure::one(Exit::Input, refused(&to, &e.error.to_string(), "name another file"))),
        };
        self.staged.into_iter().map(rename).collect()
    }
}

fn refused(target: &Path, reason: &str, help: &str) -> Finding {
    Finding::new("E020", format!("cannot write `{}`: {reason}", target.display())).help(help)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn files_appear_together_or_not_at_all() {
        let home = tempfile::tempdir().expect("a folder");
        let [a, b] = ["a", "b"].map(|n| home.path().join(n));
        let mut outputs = Outputs::default();
        for target in [&a, &b] {
            fs::write(outputs.stage(target).expect("writable"), "x").expect("writable");
        }
        assert!(!a.exists());
        assert!(outputs.stage(&a).is_err(), "the same file twice");
        assert_eq!(outputs.commit().expect("renamed"), [a.clone(), b.clone()]);
        assert_eq!(fs::read_to_string(&b).expect("there"), "x");
        let mut dropped = Outputs::default();
        dropped.stage(&home.path().join("c")).expect("writable");
        drop(dropped);
        assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), 2, "something is left behind");
    }

    #[test]
    fn places_that_cannot_be_written_are_refused_before_any_work() {
        let home = tempfile::tempdir().expect("a folder");
        let mut outputs = Outputs::default();
        assert!(outputs.stage(home.path()).expect_err("a folder").message.contains("it is a folder"));
        assert!(outputs.stage(&home.path().join("no/such")).is_err());
    }
}
