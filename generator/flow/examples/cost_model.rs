//! Judges the cost model: predicted against synthesized LUT and FF of random legal configs, as a Markdown table.
//!
//! `cargo run -p bitlathe-flow --example cost_model` prints the table of `docs/cost-model.md`. The seed was not used in fitting.

use bitlathe_cores::{Cost, kinds};
use bitlathe_flow::generate;
use bitlathe_flow::synth::{SynthRequest, synthesize};
use bitlathe_flow::tools::Tools;
use bitlathe_spec::Family;
use rayon::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seed = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(777);
    let tools = Tools::discover()?;
    println!("| config | LUT predicted | LUT Yosys | | FF predicted | FF Yosys | |\n|---|---|---|---|---|---|---|");
    for kind in kinds() {
        let rows: Vec<Result<String, String>> = kind
            .random_configs(seed, 12)
            .par_iter()
            .map(|config| {
                let core = kind.configure(config).map_err(|e| format!("{e:?}"))?;
                let rtl = generate::print(core.as_ref()).map_err(|e| e.to_string())?;
                let top = core.interface().top;
                let mut request = SynthRequest::new(&rtl.files, &top, Family::Xcup);
                request.nodsp = true;
                let report = synthesize(&request, &tools).map_err(|e| e.to_string())?;
                let mut cost = Cost::default();
                core.cost(Family::Xcup).into_iter().for_each(|p| cost += p.cost);
                let off = |p: f64, m: f64| format!("{:+.1} %", 100.0 * (p - m) / m);
                let (lut, ff) = (report.lut as f64, report.ff as f64);
                let c = core.config();
                let name = format!(
                    "{} {} group {} int{} {}x{} batch {}",
                    c["lookup"]["style"],
                    c["weights"]["encoding"],
                    c["lookup"]["group"],
                    c["act"]["bits"],
                    c["parallel"]["k_lanes"],
                    c["parallel"]["m_lanes"],
                    c["parallel"]["batch"]
                );
                let name = name.replace('"', "");
                Ok(format!(
                    "| {name} | {:.0} | {lut} | {} | {:.0} | {ff} | {} |",
                    cost.lut,
                    off(cost.lut, lut),
                    cost.ff,
                    off(cost.ff, ff)
                ))
            })
            .collect();
        for row in rows {
            println!("{}", row?);
        }
    }
    Ok(())
}
