//! `bitlathe list`: kinds, targets, flows.

use bitlathe_spec::{Family, Flow, TARGETS};
use serde_json::{Value, json};

use super::Context;
use crate::report::{Done, Failure};
use crate::row;
use crate::text::{table, thousands};

/// Lists what can be named in a config or on the command line.
pub fn run(context: &Context) -> Result<Done, Failure> {
    let kinds: Vec<Vec<String>> = context.kinds.iter().map(|k| row![format!("  {}", k.name()), k.about()]).collect();
    let mut targets = vec![row!["  name", "flow", "part", "LUT", "FF", "DSP", "block RAM", "UltraRAM"]];
    targets.extend(TARGETS.iter().map(|t| {
        let c = t.capacity;
        let [lut, ff] = [c.lut, c.ff].map(thousands);
        row![format!("  {}", t.name), t.family.name(), t.part, lut, ff, c.dsp, c.bram, c.uram]
    }));
    let flows: Vec<Flow> = Family::ALL.into_iter().map(Flow::of).collect();
    let flow_rows: Vec<Vec<String>> = flows.iter().map(|f| row![format!("  {}", f.family.name()), f.about]).collect();
    let text = format!("Kinds\n{}\nTargets\n{}\nFlows\n{}", table(&kinds), table(&targets), table(&flow_rows));
    let kinds: Vec<Value> = context.kinds.iter().map(|k| json!({ "name": k.name(), "about": k.about() })).collect();
    let json = json!({ "kinds": kinds, "targets": TARGETS, "flows": flows });
    Ok(Done::new(text, json).warn(context.idle_overrides()))
}
