//! `bitlathe list`: kinds, targets, boards, flows, packages.

use bitlathe_flow::constraints::{Board, boards};
use bitlathe_flow::generate::Package;
use bitlathe_spec::{Family, Flow, TARGETS};
use serde_json::{Value, json};

use super::Context;
use crate::report::{Done, Failure};
use crate::row;
use crate::text::{table, thousands};

/// The way to a bitstream.
fn made_by(board: &Board) -> &'static str {
    if board.self_test.is_some() { "bitlathe board" } else { "Vivado" }
}

/// Lists what can be named in a config or on the command line.
pub fn run(context: &Context) -> Result<Done, Failure> {
    let kinds: Vec<Vec<String>> = context.kinds.iter().map(|k| row![format!("  {}", k.name()), k.about()]).collect();
    let mut targets = vec![row!["  name", "flow", "part", "LUT", "FF", "DSP", "block RAM", "UltraRAM"]];
    targets.extend(TARGETS.iter().map(|t| {
        let c = t.capacity;
        let [lut, ff] = [c.lut, c.ff].map(thousands);
        row![format!("  {}", t.name), t.family.name(), t.part, lut, ff, c.dsp, c.bram, c.uram]
    }));
    let mut board_rows = vec![row!["  name", "part", "MHz", "bitstream", "about"]];
    board_rows.extend(boards().iter().map(|b| row![format!("  {}", b.name), b.part, b.clock.mhz, made_by(b), b.about]));
    let flows: Vec<Flow> = Family::ALL.into_iter().map(Flow::of).collect();
    let flow_rows: Vec<Vec<String>> = flows.iter().map(|f| row![format!("  {}", f.family.name()), f.about]).collect();
    let packages: Vec<Vec<String>> = Package::ALL.iter().map(|p| row![format!("  {}", p.name()), p.about()]).collect();
    let tables = [kinds, targets, board_rows, flow_rows, packages].map(|rows| table(&rows));
    let titles = ["Kinds", "Targets", "Boards", "Flows", "Packages"];
    let parts: Vec<String> = titles.iter().zip(tables).map(|(title, table)| format!("{title}\n{table}")).collect();
    let text = parts.join("\n");
    let kinds: Vec<Value> = context.kinds.iter().map(|k| json!({ "name": k.name(), "about": k.about() })).collect();
    let packages: Vec<Value> = Package::ALL.iter().map(|p| json!({ "name": p.name(), "about": p.about() })).collect();
    let json = json!({ "kinds": kinds, "targets": TARGETS, "boards": boards(), "flows": flows, "packages": packages });
    Ok(Done::new(text, json).warn(context.idle_overrides()))
}
