//! How much Verilog an array of 16 by 16 MAC cells takes in our language and in `rust-hdl` 0.46, and how long it takes to print.

use std::time::Instant;

use bitlathe_hdl::{Errors, check};
use bitlathe_oracles::array::mac_array;
use bitlathe_oracles::mac_cell::Mac;
use bitlathe_oracles::rust_hdl;

/// The fastest of several runs.
fn timed(print: impl Fn() -> String) -> (String, f64) {
    let run = |_| {
        let started = Instant::now();
        (print(), started.elapsed().as_secs_f64() * 1e3)
    };
    (0..5).map(run).min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or_default()
}

fn report(name: &str, size: i64, (verilog, ms): &(String, f64)) {
    let count = |wanted: fn(&str) -> bool| verilog.lines().filter(|l| wanted(l.trim_start())).count();
    let (lines, blank) = (count(|_| true), count(str::is_empty));
    let (modules, parameters) = (count(|l| l.starts_with("module ")), count(|l| l.starts_with("parameter ")));
    println!("{name:<10} {size:>3}x{size:<3} {lines:>7} {:>11} {modules:>8} {parameters:>11} {ms:>9.1}", lines - blank);
}

fn main() -> Result<(), Errors> {
    let cfg = Mac { width: rust_hdl::W as i64, acc: rust_hdl::ACC as i64, terms: 65536 };
    println!(
        "{:<10} {:^7} {:>7} {:>11} {:>8} {:>11} {:>9}",
        "", "cells", "lines", "not blank", "modules", "parameters", "ms"
    );
    for size in [16, 64] {
        check(&mac_array(size, &cfg))?;
        let ours =
            || check(&mac_array(size, &cfg)).map_or(String::new(), |d| d.files(&[]).into_iter().map(|f| f.1).collect());
        report("bitlathe", size, &timed(ours));
    }
    report("rust-hdl", rust_hdl::SIZE as i64, &timed(rust_hdl::mac_array));
    Ok(())
}
