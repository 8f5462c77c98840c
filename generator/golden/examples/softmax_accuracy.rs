//! Prints the accuracy tables of `docs/softmax.md`: every method against float softmax of the same integers.
//!
//! `cargo run -p bitlathe-golden --example softmax_accuracy`

use bitlathe_golden::softmax::accuracy::{Point, Rows, SweepError, scales, sweep};
use bitlathe_golden::softmax::{Method, Output};

/// Rows of every scale, and the seed they come from.
const COUNT: usize = 16;
const SEED: u64 = 2026;

fn rows(n: usize, sigma: f64) -> Rows {
    Rows { n, sigma, count: COUNT, seed: SEED }
}

/// The four kinds of rows of the tables.
const KINDS: [(usize, f64); 4] = [(197, 1.0), (197, 3.0), (1024, 1.0), (1024, 3.0)];

fn largest(points: &[Point], of: fn(&Point) -> f64) -> f64 {
    points.iter().map(of).fold(0.0, f64::max)
}

fn print(output: Output, methods: &[Method], of: fn(&Point) -> f64) -> Result<(), SweepError> {
    let heads: Vec<String> = KINDS.iter().map(|(n, sigma)| format!("N = {n}, σ = {sigma}")).collect();
    println!("| method | {} |\n|---|{}", heads.join(" | "), "---|".repeat(heads.len()));
    for method in methods {
        print!("| `{method}` |");
        for (n, sigma) in KINDS {
            let points = sweep(*method, output, &rows(n, sigma), &scales(0.02, 0.2, 60))?;
            print!(" {:.1e} |", largest(&points, of));
        }
        println!();
    }
    println!();
    Ok(())
}

fn main() -> Result<(), SweepError> {
    println!("Total variation of raw, the largest over rows and scales\n");
    print(Output::Raw, &Method::ALL, |p| p.figures.total_variation)?;
    println!("Total variation of u8, the largest over rows and scales\n");
    print(Output::U8, &Method::ALL, |p| p.figures.total_variation)?;
    println!("Largest error of an element of u8\n");
    print(Output::U8, &Method::ALL, |p| p.figures.max_error)
}
