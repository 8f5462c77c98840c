//! Judges the cost model: predicted against synthesized LUT and FF of random legal configs, as a Markdown table.
//!
//! `cargo run -p bitlathe-flow --example cost_model KIND TARGET SEED [COUNT]`, such as `ternary-gemm kv260 777 12`. A seed
//! judges the model only if nobody looked at its table while fitting.

use bitlathe_cores::{Core, Cost, Kind, kinds};
use bitlathe_flow::generate;
use bitlathe_flow::synth::{SynthRequest, synthesize};
use bitlathe_flow::tools::Tools;
use bitlathe_spec::Target;
use rayon::prelude::*;
use serde_json::Value;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [kind, target, seed, count @ ..] = &args[..] else { return Err("give KIND TARGET SEED [COUNT]".into()) };
    let kind = kinds().iter().find(|k| k.name() == kind).ok_or("no such kind")?;
    let target = Target::find(target).ok_or("no such target")?;
    let count = count.first().map_or(Ok(12), |c| c.parse())?;
    let tools = Tools::discover()?;
    println!("| config | LUT predicted | LUT Yosys | | FF predicted | FF Yosys | |\n|---|---|---|---|---|---|---|");
    let configs = kind.random_configs(target, seed.parse()?, count);
    let rows: Vec<Result<String, String>> = configs.par_iter().map(|c| row(*kind, c, &tools)).collect();
    for row in rows {
        println!("{}", row?);
    }
    Ok(())
}

fn row(kind: &dyn Kind, config: &Value, tools: &Tools) -> Result<String, String> {
    let core = kind.configure(config).map_err(|e| format!("{e:?}"))?;
    let family = core.target().family;
    let rtl = generate::print(core.as_ref()).map_err(|e| e.to_string())?;
    let top = core.interface().top;
    let mut request = SynthRequest::new(&rtl.files, &top, family);
    request.nodsp = !core.infers_dsp(family);
    let report = synthesize(&request, tools).map_err(|e| e.to_string())?;
    let mut cost = Cost::default();
    core.cost(family).into_iter().for_each(|p| cost += p.cost);
    let off = |p: f64, m: f64| format!("{:+.1} %", 100.0 * (p - m) / m);
    let (lut, ff) = (report.lut as f64, report.ff as f64);
    let (off_lut, off_ff) = (off(cost.lut, lut), off(cost.ff, ff));
    Ok(format!(
        "| {} | {:.0} | {lut} | {off_lut} | {:.0} | {ff} | {off_ff} |",
        summary(core.as_ref()),
        cost.lut,
        cost.ff
    ))
}

/// The values of a config's tables but the device's and the sizes'.
fn summary(core: &dyn Core) -> String {
    let config = core.config();
    let tables = config.as_object().into_iter().flatten().filter(|(k, _)| *k != "target" && *k != "shape");
    let values = tables.filter_map(|(_, v)| v.as_object()).flatten();
    let words = values.map(|(key, v)| match v {
        Value::String(s) => s.clone(),
        other => format!("{key} {other}"),
    });
    words.collect::<Vec<_>>().join(", ")
}
