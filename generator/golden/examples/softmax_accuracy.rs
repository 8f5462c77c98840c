//! Prints the accuracy tables of `docs/softmax.md`: every method against float softmax of the same integers.
//!
//! `cargo run -p bitlathe-golden --example softmax_accuracy`

use bitlathe_golden::softmax::accuracy::{Figures, Rows, SweepError, scales, sweep};
use bitlathe_golden::softmax::{Method, Output};

/// Length and σ of the rows of each column.
const KINDS: [(usize, f64); 4] = [(197, 1.0), (197, 3.0), (1024, 1.0), (1024, 3.0)];

fn main() -> Result<(), SweepError> {
    print("Total variation of raw", Output::Raw, |f| f.total_variation)?;
    print("Total variation of u8", Output::U8, |f| f.total_variation)?;
    print("Total variation of log2-4", Output::Log2x4, |f| f.total_variation)?;
    print("Largest error of an element of u8", Output::U8, |f| f.max_error)
}

/// One table: the mean over the scales, and the largest at a scale in brackets.
fn print(title: &str, output: Output, of: fn(&Figures) -> f64) -> Result<(), SweepError> {
    let heads = KINDS.map(|(n, sigma)| format!("N = {n}, σ = {sigma}"));
    println!("{title}\n\n| method | {} |\n|---|{}", heads.join(" | "), "---|".repeat(heads.len()));
    for method in Method::ALL {
        print!("| `{method}` |");
        for (n, sigma) in KINDS {
            let rows = Rows { n, sigma, count: 16, seed: 2026 };
            let points = sweep(method, output, &rows, &scales(0.02, 0.2, 60))?;
            let mean = points.iter().map(|p| of(&p.figures)).sum::<f64>() / points.len() as f64;
            let largest = points.iter().map(|p| of(&p.figures)).fold(0.0, f64::max);
            print!(" {mean:.1e} ({largest:.1e}) |");
        }
        println!();
    }
    println!();
    Ok(())
}
