//! Two cores that differ in their sizes alone, as Verilog.

use bitlathe_cores::Core;

/// The Verilog without parameter defaults and the line with the name of the top.
fn without_sizes(core: &dyn Core) -> Vec<String> {
    let files = core.rtl().unwrap_or_else(|e| panic!("{}: {e}", core.config())).files(&[]);
    let top = format!("module {} ", core.interface().top);
    let lines = files.iter().flat_map(|(_, text)| text.lines().map(str::to_owned));
    lines.filter(|l| !l.trim_start().starts_with("parameter ") && !l.starts_with(&top)).collect()
}

/// Requires that two cores differ in parameter defaults and the name of the top only.
pub fn assert_same_but_for_sizes(a: &dyn Core, b: &dyn Core) {
    let (left, right) = (without_sizes(a), without_sizes(b));
    for (x, y) in left.iter().zip(&right) {
        assert_eq!(x, y, "{}", a.config());
    }
    assert_eq!(left.len(), right.len(), "{}", a.config());
}
