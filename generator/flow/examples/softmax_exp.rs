//! LUT sites, flip-flops and DSP blocks a lane of the exponential stage, every method, 16 lanes: the table of
//! `docs/decisions/0007-exponential-stages.md`.

use bitlathe_cores::softmax::exponential::{Maximum, Stage};
use bitlathe_flow::synth::{SynthRequest, synthesize};
use bitlathe_flow::tools::Tools;
use bitlathe_golden::softmax::Method;
use bitlathe_hdl::check;
use bitlathe_spec::{Family, SourceFile};

const LANES: i64 = 16;

fn measure(stage: &Stage, tools: &Tools) -> Result<String, Box<dyn std::error::Error>> {
    let design = check(&stage.module())?;
    let files: Vec<SourceFile> = design.files(&[]).into_iter().map(|(path, text)| SourceFile { path, text }).collect();
    let got = synthesize(&SynthRequest::new(&files, "softmax_exp", Family::Xcup), tools)?;
    let lane = |n: f64| n / LANES as f64;
    let predicted = stage.cost(Family::Xcup);
    Ok(format!(
        "{:.1} | {:.1} | {} | {} | {:.1} | {} |",
        lane(got.lut as f64),
        lane(got.ff as f64),
        lane(got.dsp as f64),
        stage.latency(),
        lane(predicted.lut),
        got.logic_depth.unwrap_or_default()
    ))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tools = Tools::discover()?;
    let only: Vec<String> = std::env::args().skip(1).collect();
    println!("| method | input | scale | LUT a lane | FF | DSP | cycles | predicted LUT | depth |");
    println!("|---|---|---|---|---|---|---|---|---|");
    for method in Method::ALL {
        if !only.is_empty() && !only.iter().any(|o| o == method.name()) {
            continue;
        }
        for in_bits in [8, 16, 32] {
            for scale in [Some(method.own_scale().unwrap_or(0.05)), None] {
                if let Ok(stage) = Stage::new(method, scale, Maximum::Element, in_bits, LANES) {
                    let at = scale.map_or("run time".into(), |s| format!("{s:.4}"));
                    println!("| {method} | int{in_bits} | {at} | {}", measure(&stage, &tools)?);
                }
            }
        }
    }
    Ok(())
}
