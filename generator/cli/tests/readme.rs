//! Every command block of the READMEs, run as it stands there in a folder that looks like a fresh checkout.
//!
//! `cargo` is a stand-in that runs the program of this test for `cargo run -p bitlathe --` and notes `cargo test`, which is
//! what runs this test.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use bitlathe_flow::tools::Tools;
use tempfile::TempDir;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository")
}

/// A folder with everything of the repository but what a run makes, and programs that come first on the `PATH`.
struct Checkout {
    home: TempDir,
    path: std::ffi::OsString,
}

impl Checkout {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let top = home.path().join("top");
        fs::create_dir(&top).expect("writable");
        for entry in fs::read_dir(repository()).expect("readable").flatten() {
            if !["build", "target", ".git"].iter().any(|made| entry.file_name() == *made) {
                symlink(entry.path(), top.join(entry.file_name())).expect("writable");
            }
        }
        let programs = home.path().join("bin");
        let program = env!("CARGO_BIN_EXE_bitlathe");
        let python = Tools::discover().expect("tools").command("python").expect("python");
        script(&programs.join("bitlathe"), &format!("exec '{program}' \"$@\""));
        script(&programs.join("python3"), &format!("exec '{}' \"$@\"", Path::new(python.get_program()).display()));
        script(
            &programs.join("cargo"),
            &format!(
                "case \"$*\" in\n\
                 'run -p bitlathe -- '*) shift 4 ;;\n\
                 'run --quiet -p bitlathe -- '*) shift 5 ;;\n\
                 'test --workspace --no-fail-fast -- --show-output') echo \"$*\" > '{}'; exit ;;\n\
                 *) echo \"the stand-in for cargo does not know: $*\" >&2; exit 9 ;;\n\
                 esac\nexec '{program}' \"$@\"",
                home.path().join("tested").display()
            ),
        );
        let search = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(programs).chain(std::env::split_paths(&search));
        Self { path: std::env::join_paths(folders).expect("a search path"), home }
    }

    fn top(&self) -> PathBuf {
        self.home.path().join("top")
    }

    /// Runs the command blocks of a document; gives their number.
    fn run(&self, document: &str) -> usize {
        let text = fs::read_to_string(repository().join(document)).expect("the document");
        let blocks: Vec<&str> = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
        for block in &blocks {
            if block.contains("pip install") {
                println!("skipped: a block of {document} fetches packages");
                continue;
            }
            let mut shell = Command::new("sh");
            shell.args(["-e", "-c", block]).current_dir(self.top()).env("PATH", &self.path);
            let output = shell.output().expect("it starts");
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(output.status.success(), "{document}:\n{block}\n{said}");
        }
        blocks.len()
    }
}

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
    fs::write(path, format!("#!/bin/sh\n{text}\n")).expect("writable");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("ours");
}

#[test]
fn the_readme_does_what_it_says() {
    let checkout = Checkout::new();
    assert_eq!(checkout.run("README.md"), 2);
    assert!(checkout.home.path().join("tested").is_file(), "`make test` runs no test");
    let top = checkout.top();
    for file in ["datasheet.html", "model.md", "my-core.json", "my-core.core", "rtl/my_core.v", "tb/my_core_tb.v"] {
        assert!(top.join("my-core").join(file).is_file(), "my-core/{file} is missing");
    }
    for file in ["layer1/datasheet.html", "layer2/datasheet.html", "digits.svg"] {
        assert!(top.join("build/digits").join(file).is_file(), "`make demo` leaves no {file}");
    }
    let sheet = fs::read_to_string(top.join("build/digits/layer1/datasheet.html")).expect("text");
    assert!(sheet.contains("Measured, flow xcup"), "`make demo` measures nothing");
}

#[test]
fn the_other_documents_do_what_they_say() {
    let repository = repository();
    let folders = ["examples", "ip", "docs", "docs/decisions", "fpga"];
    let inside = folders.iter().flat_map(|f| fs::read_dir(repository.join(f)).expect("readable").flatten());
    let documents = inside.flat_map(|entry| [entry.path(), entry.path().join("README.md")]);
    let documents = documents.filter(|p| p.is_file() && p.extension().is_some_and(|e| e == "md"));
    let checkout = Checkout::new();
    let relative = |p: PathBuf| p.strip_prefix(&repository).expect("inside").display().to_string();
    let blocks: usize = documents.map(|document| checkout.run(&relative(document))).sum();
    assert!(blocks >= 4, "only {blocks} command blocks were found");
}
