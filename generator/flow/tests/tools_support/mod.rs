//! Shared by the tests that run lint, synthesis and proofs: the machine's tools with a cache of the test's own.

use bitlathe_flow::tools::Tools;
use bitlathe_spec::SourceFile;
use tempfile::TempDir;

/// The tools with an empty cache of results, so that every test runs them.
pub fn tools() -> (Tools, TempDir) {
    let cache = tempfile::tempdir().unwrap();
    let installed = Tools::discover().unwrap();
    for name in ["yosys", "verilator", "slang", "z3"] {
        assert!(installed.has(name), "{}", installed.command(name).unwrap_err());
    }
    (installed.with_cache(cache.path()), cache)
}

/// One source file.
pub fn source(path: &str, text: &str) -> SourceFile {
    SourceFile { path: path.to_string(), text: text.to_string() }
}
