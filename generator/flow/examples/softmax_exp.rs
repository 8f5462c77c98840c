//! What a lane of the exponential stage takes, for every method, with 16 lanes: the table of
//! `docs/decisions/0007-exponential-stages.md`. Arguments choose methods.

use std::error::Error;

use bitlathe_cores::softmax::exponential::{Maximum, Stage};
use bitlathe_flow::synth::{SynthRequest, synthesize};
use bitlathe_flow::tools::Tools;
use bitlathe_golden::softmax::Method;
use bitlathe_hdl::check;
use bitlathe_spec::{Family, SourceFile};

const LANES: i64 = 16;

/// A row of the table.
fn row(name: &str, in_bits: i64, scale: Option<f64>, stage: &Stage, tools: &Tools) -> Result<(), Box<dyn Error>> {
    let design = check(&stage.module())?;
    let files: Vec<SourceFile> = design.files(&[]).into_iter().map(|(path, text)| SourceFile { path, text }).collect();
    let got = synthesize(&SynthRequest::new(&files, "softmax_exp", Family::Xcup), tools)?;
    let lane = |n: f64| n / LANES as f64;
    let scale = scale.map_or("job".into(), |s| format!("{s:.4}"));
    let (predicted, cycles) = (stage.cost(Family::Xcup), stage.latency());
    println!(
        "| `{name}` | int{in_bits} | {scale} | {:.1} | {:.1} | {} | {} | {cycles} | {:.1} | {:.1} |",
        lane(got.lut as f64),
        lane(got.ff as f64),
        lane(got.dsp as f64),
        lane(got.bram),
        lane(predicted.lut),
        lane(predicted.ff),
    );
    Ok(())
}

fn main() -> Result<(), Box<dyn Error>> {
    let tools = Tools::discover()?;
    let only: Vec<String> = std::env::args().skip(1).collect();
    println!("| method | input | scale | LUT a lane | FF | DSP | BRAM | cycles | predicted LUT | FF |");
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for method in Method::ALL.into_iter().filter(|m| only.is_empty() || only.iter().any(|o| o == m.name())) {
        for in_bits in if method == Method::ItaMax { vec![8] } else { vec![8, 32] } {
            let stage = |scale| Stage::new(method, scale, Maximum::Element, in_bits, LANES);
            let fixed = Some(method.own_scale().unwrap_or(0.05));
            row(&method.to_string(), in_bits, fixed, &stage(fixed)?, &tools)?;
            if matches!(method, Method::ExpTable { .. }) {
                row("exp-table", in_bits, Some(0.1), &stage(Some(0.1))?, &tools)?;
                row("exp-table in blocks", in_bits, fixed, &stage(fixed)?.with_block_table(), &tools)?;
            }
            let job = stage(None).ok().filter(|s| !s.parameters().is_empty());
            job.map_or(Ok(()), |job| row(&method.to_string(), in_bits, None, &job, &tools))?;
        }
    }
    Ok(())
}
