//! The README's path to one's own core, run as it stands there.

use std::process::Command;

#[test]
fn the_readme_path_to_ones_own_core_works() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");
    let text = std::fs::read_to_string(readme).expect("the README");
    let section = text.split("## Your own core").nth(1).expect("the section");
    let block = section.split("```").nth(1).expect("a command block");
    let lines: Vec<&str> = block.lines().skip(1).filter(|l| !l.is_empty()).collect();
    assert_eq!(lines.len(), 5, "the path has five lines");
    let folder = tempfile::tempdir().expect("a folder");
    let program = env!("CARGO_BIN_EXE_bitlathe");
    for line in lines {
        assert!(line.contains("cargo run -p bitlathe --"), "{line}");
        let command = line.replace("cargo run -p bitlathe --", program);
        let out = Command::new("sh").arg("-c").arg(&command).current_dir(folder.path()).output().expect("sh");
        assert!(out.status.success(), "{line}\n{}", String::from_utf8_lossy(&out.stderr));
    }
    for file in ["datasheet.html", "model.md", "my-core.json", "my-core.core", "rtl/my_core.v", "tb/my_core_tb.v"] {
        assert!(folder.path().join("my-core").join(file).is_file(), "{file} is missing");
    }
}
