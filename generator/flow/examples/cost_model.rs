//! Judges the cost model: predicted against synthesized resources of random legal configs, as a Markdown table.
//!
//! `cargo run -p bitlathe-flow --example cost_model KIND TARGET SEED COUNT`, such as `ternary-gemm kv260 777 12`, prints a
//! table of `docs/cost-model.md`. A seed judges the model only if nobody looked at its table while fitting. Exit code 1: some LUT or
//! FF figure is more than 10 % off.

use std::process::ExitCode;

use bitlathe_cores::{Core, Kind, kinds};
use bitlathe_flow::prediction::{Prediction, judge};
use bitlathe_flow::tools::Tools;
use bitlathe_spec::Target;
use rayon::prelude::*;
use serde_json::Value;

/// Runs of Yosys side by side; each takes up to 2 GB.
const THREADS: usize = 2;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [kind, target, seed, count] = &args[..] else { return Err("give KIND TARGET SEED COUNT".into()) };
    let kind = kinds().iter().find(|k| k.name() == kind).ok_or("no such kind")?;
    let target = Target::find(target).ok_or("no such target")?;
    let configs = kind.random_configs(target, seed.parse()?, count.parse()?);
    let tools = Tools::discover()?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build()?;
    let judged: Result<Vec<(bool, String)>, String> =
        pool.install(|| configs.par_iter().map(|c| judged(*kind, c, &tools)).collect());
    println!("| config | LUT predicted | LUT Yosys | | FF predicted | FF Yosys | | DSP | block RAM | UltraRAM |");
    println!("|---|---|---|---|---|---|---|---|---|---|");
    let mut held = true;
    for (holds, row) in judged? {
        println!("{row}");
        held &= holds;
    }
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the model holds for a config, and its row.
fn judged(kind: &dyn Kind, config: &Value, tools: &Tools) -> Result<(bool, String), String> {
    let core = kind.configure(config).map_err(|e| format!("{config}: {e:?}"))?;
    let result = judge(core.as_ref(), tools).map_err(|e| format!("{config}: {e}"))?;
    Ok((result.holds(), row(core.as_ref(), &result)))
}

fn row(core: &dyn Core, comparison: &Prediction) -> String {
    let (p, m) = (&comparison.predicted, &comparison.measured);
    let [lut, ff] = comparison.errors().map(|e| format!("{:+.1} %", 100.0 * e));
    // One number where the prediction is exact.
    let exact = |p: f64, m: f64| if p == m { format!("{m}") } else { format!("{p}, Yosys {m}") };
    let [dsp, bram, uram] = [(p.dsp, m.dsp), (p.bram, m.bram), (p.uram, m.uram)].map(|(p, m)| exact(p, m));
    format!(
        "| {} | {:.0} | {} | {lut} | {:.0} | {} | {ff} | {dsp} | {bram} | {uram} |",
        summary(core),
        p.lut,
        m.lut,
        p.ff,
        m.ff
    )
}

/// The values of a config's tables but the device's and the sizes'.
fn summary(core: &dyn Core) -> String {
    let config = core.config();
    let tables = config.as_object().into_iter().flatten().filter(|(k, _)| *k != "target" && *k != "shape");
    let values = tables.filter_map(|(_, v)| v.as_object()).flatten();
    let words = values.map(|(key, v)| match v {
        Value::String(s) => s.clone(),
        Value::Array(a) if a.len() > 2 => format!("{} {key}", a.len()),
        other => format!("{key} {other}"),
    });
    words.collect::<Vec<_>>().join(", ")
}
