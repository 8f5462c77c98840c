//! Judges the cost model: predicted against synthesized resources of twelve random legal configs, as a Markdown table.
//!
//! `cargo run --release -p bitlathe-flow --example cost_model FAMILY SEED` prints a table of `docs/cost-model.md`; FAMILY is `xcup`, `ecp5`
//! or `ice40`. Exit code 1: some LUT or FF figure is more than 10 % off.

use std::process::ExitCode;
use std::time::Instant;

use bitlathe_cores::{Core, Kind, kinds};
use bitlathe_flow::compare::{Comparison, compare};
use bitlathe_flow::tools::Tools;
use bitlathe_spec::{TARGETS, Target};
use rayon::prelude::*;
use serde_json::Value;

const CONFIGS: usize = 12;
/// Runs of Yosys side by side.
const THREADS: usize = 2;

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (family, seed) = (arguments.next().unwrap_or_default(), arguments.next().unwrap_or_default());
    let target = TARGETS
        .iter()
        .find(|t| t.family.name() == family)
        .ok_or("the first argument is a family: xcup, ecp5, ice40")?;
    let seed: u64 = seed.parse().map_err(|_| "the second argument is the seed of the configs, a number")?;
    let tools = Tools::discover()?;
    let start = Instant::now();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build()?;
    println!(
        "| config | LUT predicted | LUT Yosys | | FF predicted | FF Yosys | | memory LUT | DSP | block RAM | UltraRAM |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    let mut held = true;
    for kind in kinds() {
        let rows: Result<Vec<(bool, String)>, String> = pool.install(|| {
            kind.random_configs(target, seed, CONFIGS).par_iter().map(|c| judge(*kind, c, target, &tools)).collect()
        });
        for (holds, row) in rows? {
            println!("{row}");
            held &= holds;
        }
    }
    eprintln!("{:.0} s", start.elapsed().as_secs_f64());
    Ok(if held { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the model holds for a config, and its row.
fn judge(kind: &dyn Kind, config: &Value, target: &Target, tools: &Tools) -> Result<(bool, String), String> {
    let core = kind.configure(config).map_err(|e| format!("{config}: {e:?}"))?;
    let result = compare(core.as_ref(), tools).map_err(|e| format!("{config} on {}: {e}", target.name))?;
    Ok((result.holds(), row(core.as_ref(), &result)))
}

fn row(core: &dyn Core, comparison: &Comparison) -> String {
    let (p, m) = (&comparison.predicted, &comparison.measured);
    let [lut, ff] = comparison.errors().map(|e| format!("{:+.1} %", 100.0 * e));
    // One number where the prediction is exact.
    let exact = |p: f64, m: f64| if p == m { format!("{m}") } else { format!("{p}, Yosys {m}") };
    format!(
        "| {} | {:.0} | {} | {lut} | {:.0} | {} | {ff} | {} | {} | {} | {} |",
        name(&core.config()),
        p.lut,
        m.lut,
        p.ff,
        m.ff,
        exact(p.lutram, m.lutram),
        exact(p.dsp, m.dsp),
        exact(p.bram, m.bram),
        exact(p.uram, m.uram)
    )
}

/// A config in a few words.
fn name(config: &Value) -> String {
    let [act, parallel, lookup, weights, output] =
        ["act", "parallel", "lookup", "weights", "output"].map(|table| &config[table]);
    let mut words = vec![
        format!("{} {} group {} int{}", lookup["style"], weights["encoding"], lookup["group"], act["bits"]),
        format!("{}x{}", parallel["k_lanes"], parallel["m_lanes"]),
    ];
    let mut say = |said: bool, text: String| words.extend(said.then_some(text));
    say(parallel["batch"] != 1, format!("batch {}", parallel["batch"]));
    say(weights["planes"] != 1, format!("{} planes", weights["planes"]));
    say(weights["source"] != "stream", "resident".into());
    if output["kind"] == "requant" {
        say(true, format!("to int{} by {} {}", output["bits"], output["rounding"], output["shift"]));
        say(output["per_row"] == true, "per row".into());
        say(output["narrow"] == true, "narrow".into());
    }
    words.join(" ").replace('"', "")
}
