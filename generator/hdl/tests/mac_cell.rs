//! The example `mac_cell`: its Verilog in full, and the proof that it carries. `testbench/oracles` simulates it.

#[allow(dead_code)]
#[path = "../examples/mac_cell.rs"]
mod example;

use bitlathe_hdl::{Code, check};
use example::{Mac, mac_cell};

#[test]
fn the_verilog_reads_as_one_would_write_it() {
    let design = check(&mac_cell(&Mac { width: 8, acc: 24, terms: 256 })).unwrap_or_else(|e| panic!("{e}"));
    let files = design.files(&[]);
    assert_eq!(files.len(), 1);
    insta::assert_snapshot!(files[0].1);
}

#[test]
fn one_term_more_than_the_sum_holds_is_refused() {
    // 512 products of -128 * -128 are one more than 24 bits hold.
    assert!(check(&mac_cell(&Mac { width: 8, acc: 24, terms: 511 })).is_err_and(|e| e.0[0].code == Code::Parameter));
    let errors = check(&mac_cell(&Mac { width: 8, acc: 24, terms: 512 })).expect_err("the sum overflows");
    assert!(errors.0.iter().any(|e| e.code == Code::Overflow), "{errors}");
}
