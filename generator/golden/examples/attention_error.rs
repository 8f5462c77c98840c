//! Prints the precision tables of `docs/attention.md`: attention on integers against attention in floating point.
//!
//! `cargo run --release -p bitlathe-golden --example attention_error`
//!
//! Unit-normal q, k and v. Two references: float on the integers themselves, which sees the arithmetic alone, and float on
//! the numbers before they were quantized.

use std::error::Error;

use bitlathe_golden::attention::accuracy::{Figures, Real};
use bitlathe_golden::attention::{Attention, Inputs, Sizes};

/// Fine enough that the output's rounding does not count: 2^-56 / 12.
const FINE: (u32, u32) = (32, 28);

/// One line: integers of `value_bits` bits in a core of 8 or 16.
struct Line {
    value_bits: u32,
    frac: u32,
    p_bits: u32,
    output: (u32, u32),
}

const LINES: [Line; 9] = [
    Line { value_bits: 8, frac: 5, p_bits: 16, output: FINE },
    Line { value_bits: 8, frac: 5, p_bits: 8, output: FINE },
    Line { value_bits: 10, frac: 7, p_bits: 12, output: FINE },
    Line { value_bits: 16, frac: 12, p_bits: 12, output: FINE },
    Line { value_bits: 16, frac: 12, p_bits: 16, output: FINE },
    Line { value_bits: 16, frac: 12, p_bits: 16, output: (32, 20) },
    Line { value_bits: 16, frac: 12, p_bits: 16, output: (16, 13) },
    Line { value_bits: 16, frac: 13, p_bits: 16, output: FINE },
    Line { value_bits: 8, frac: 5, p_bits: 16, output: (8, 7) },
];

fn main() -> Result<(), Box<dyn Error>> {
    let sizes = Sizes { heads: 4, kv_heads: 4, queries: 1024, keys: 1024, columns: 64 };
    println!("{} heads, L = {}, d = {}, tiles of 16\n", sizes.heads, sizes.keys, sizes.columns);
    println!("| inputs | p_bits | output | MSE, unquantized inputs | MSE, same integers | SSIM, unquantized inputs |");
    println!("|---|---|---|---|---|---|");
    let real = Real::normal(sizes, 2026);
    let reference = real.attention(false);
    for line in &LINES {
        let [unquantized, same] = line.figures(&real, &reference, line.core(16, false))?;
        println!("| {line} | {:.1e} | {:.1e} | {} |", unquantized.mse, same.mse, ssim(&unquantized));
    }
    println!("\n16 bits, frac 12, p_bits 16, output 32 bits, frac 28, one head\n");
    println!("| L | d | tile | mask | MSE, unquantized inputs | MSE, same integers |\n|---|---|---|---|---|---|");
    for (length, columns, tile, causal) in [
        (64, 64, 16, false),
        (256, 64, 16, false),
        (1024, 64, 4, false),
        (1024, 64, 64, false),
        (1024, 64, 16, true),
        (1024, 128, 16, false),
        (4096, 64, 16, false),
    ] {
        let sizes = Sizes { heads: 1, kv_heads: 1, queries: length, keys: length, columns };
        let real = Real::normal(sizes, 2026);
        let line = &LINES[4];
        let [unquantized, same] = line.figures(&real, &real.attention(causal), line.core(tile, causal))?;
        let mask = if causal { "causal" } else { "none" };
        println!("| {length} | {columns} | {tile} | {mask} | {:.1e} | {:.1e} |", unquantized.mse, same.mse);
    }
    Ok(())
}

impl Line {
    fn core(&self, tile: usize, causal: bool) -> Attention {
        let (output_bits, output_frac) = self.output;
        let bits = if self.value_bits <= 8 { 8 } else { 16 };
        Attention { bits, frac: self.frac, p_bits: self.p_bits, output_bits, output_frac, tile, causal }
    }

    /// Errors against float on the unquantized inputs, whose output is given, and on the same integers.
    fn figures(&self, real: &Real, reference: &[f64], core: Attention) -> Result<[Figures; 2], Box<dyn Error>> {
        let [q, k, v] = real.quantized(self.value_bits, self.frac);
        let inputs = Inputs { q: &q, k: &k, v: &v };
        let output = core.real_output(&inputs)?;
        let same = core.real(&inputs)?.attention(core.causal);
        Ok([reference, &same].map(|reference| real.sizes.figures(&output, reference)))
    }
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (bits, frac) = self.output;
        write!(f, "{} bits, frac {} | {} | {bits} bits, frac {frac}", self.value_bits, self.frac, self.p_bits)
    }
}

fn ssim(figures: &Figures) -> String {
    figures.ssim.map_or("-".into(), |s| format!("{s:.6}"))
}
