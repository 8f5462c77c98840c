//! What each kernel of `mixpe_array` takes: one Markdown table from Yosys, the module with its weight registers and column feet.
//!
//! `cargo run -p bitlathe-flow --example mixpe_array [FAMILY [ROWS COLS ACT_BITS]]`, by default `xcup 16 16 8`.

use bitlathe_cores::mixpe_gemm::array::{Array, Kernel, kernels};
use bitlathe_flow::synth::{SynthReport, SynthRequest, synthesize};
use bitlathe_flow::tools::Tools;
use bitlathe_hdl::check;
use bitlathe_spec::{Family, SourceFile};
use rayon::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let family = args.first().map_or("xcup", |f| f);
    let family = Family::ALL.into_iter().find(|f| f.name() == family).ok_or("no such family")?;
    let number = |n: usize, or: i64| args.get(n).map_or(Ok(or), |v| v.parse());
    let (rows, cols, act_bits) = (number(1, 16)?, number(2, 16)?, number(3, 8)?);
    let tools = Tools::discover()?;
    println!("| kernel | LUT | FF | DSP | carry | depth | LUT / cell | FF / cell | latency |");
    println!("|---|---|---|---|---|---|---|---|---|");
    let fitting: Vec<&'static dyn Kernel> = kernels().iter().copied().filter(|k| k.takes(act_bits)).collect();
    let lines: Vec<Result<String, String>> = fitting
        .par_iter()
        .map(|kernel| {
            let array = Array { kernel: *kernel, rows, cols, act_bits, family };
            let report = area(&array, &tools).map_err(|e| format!("{}: {e}", kernel.name()))?;
            Ok(line(&array, &report))
        })
        .collect();
    for line in lines {
        println!("{}", line?);
    }
    Ok(())
}

/// Synthesized without inferred DSP blocks: kernels that use them instantiate them.
fn area(array: &Array, tools: &Tools) -> Result<SynthReport, Box<dyn std::error::Error>> {
    let design = check(&array.unit()).map_err(|e| e.to_string())?;
    let files: Vec<SourceFile> = design.files(&[]).into_iter().map(|(path, text)| SourceFile { path, text }).collect();
    let mut request = SynthRequest::new(&files, "mixpe_array", array.family);
    request.nodsp = true;
    Ok(synthesize(&request, tools)?)
}

fn line(array: &Array, r: &SynthReport) -> String {
    let cells = (array.rows * array.cols) as f64;
    let depth = r.logic_depth.map_or("-".into(), |d| d.to_string());
    format!(
        "| `{}` | {} | {} | {} | {} | {depth} | {:.1} | {:.1} | {} |",
        array.kernel.name(),
        r.lut,
        r.ff,
        r.dsp,
        r.carry,
        r.lut as f64 / cells,
        r.ff as f64 / cells,
        array.latency()
    )
}
