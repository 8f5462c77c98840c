//! Every shared hardware part alone: values against Rust arithmetic or the golden models, handshakes by formal proof, costs
//! against synthesis. `docs/parts.md` says which is where.

mod arithmetic;
mod attention;
mod bench;
mod costs;
mod handshakes;
mod mixpe_array;
mod multiply_add;
mod random_numbers;
mod registers;
mod replay;
mod requantize;
mod self_test;
mod softmax_exp;
mod streams;
mod tables;

use std::rc::Rc;

use bitlathe_flow::lint;
use bitlathe_flow::tools::Tools;
use bitlathe_hdl::{Unit, check};
use bitlathe_spec::SourceFile;

fn tools() -> Tools {
    Tools::discover().expect("tools")
}

fn printed(unit: &Rc<Unit>) -> Vec<SourceFile> {
    let design = check(unit).unwrap_or_else(|e| panic!("{e}"));
    design.files(&[]).into_iter().map(|(path, text)| SourceFile { path, text }).collect()
}

fn assert_lint_clean(unit: &Rc<Unit>) {
    let found = lint::lint(&printed(unit), unit.name(), &tools()).expect("lint runs");
    assert!(found.is_empty(), "{}: {found:?}", unit.name());
}
