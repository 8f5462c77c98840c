//! `bitlathe board`: the core's folder with a self-test for an open board, and its bitstream.

use std::fs;

use bitlathe_flow::generate::{Options, Refusal, SelfTest, board, write};
use bitlathe_flow::synth::BoardReport;
use bitlathe_flow::tools::Tools;
use serde_json::{Value, json};

use super::generate::{file_name, names};
use super::{Context, identity, merge, rtl, too_large};
use crate::args::Board;
use crate::report::{Done, Exit, Failure, Finding};
use crate::row;
use crate::text::{table, thousands};

/// Writes the folder and, where asked to, makes the bitstream.
pub fn run(context: &Context, args: &Board) -> Result<Done, Failure> {
    let config = context.load(&args.config)?;
    let core = config.core.as_ref();
    board::check(core, args.board).map_err(refused)?;
    let rtl = rtl(core)?;
    let test = board::self_test(core, &rtl, args.board)?.map_err(refused)?;
    let options = Options { config_file: file_name(&args.config), board: Some(args.board), ..Options::default() };
    let files = write(core, &rtl, &args.out, &options)?;
    let folder = args.out.join(&test.build.folder);
    let mut text = format!("{}: {} files. The text of a sound core:\n{}", folder.display(), files.len(), test.expected);
    let mut json = json!({
        "dir": args.out,
        "board": args.board.name,
        "top": test.build.top,
        "job": { "name": test.job, "sizes": test.dims },
        "expected": test.expected,
        "predicted": test.predicted,
        "files": names(&files, &args.out),
    });
    let mut warnings = config.warnings;
    let mut exit = Exit::Success;
    if args.build {
        let spinner = context.progress.spinner(format!("making the bitstream for {}", args.board.name));
        let report = test.build.run(&args.out, &Tools::discover()?)?;
        spinner.finish_and_clear();
        let place = folder.join("build/report.json");
        let object = report_json(&report);
        fs::write(&place, format!("{object:#}\n")).map_err(|e| {
            Failure::one(Exit::Input, Finding::new("E020", format!("cannot write `{}`: {e}", place.display())))
        })?;
        if !report.meets_clock() {
            exit = Exit::No;
        }
        text.push_str(&shown(&report, &test));
        json["build"] = object;
    } else {
        warnings.extend(too_large("the core with its self-test", &test.predicted, core.target()));
        text.push_str(&format!("Next: make -C {} (sim, load), or --build.\n", folder.display()));
    }
    let done = Done::new(text, merge([identity(core), json])).warn(warnings);
    Ok(Done { exit, ..done })
}

fn refused(refusal: Refusal) -> Failure {
    Failure::one(Exit::Input, Finding::new("P002", refusal.reason).help(refusal.help))
}

fn report_json(report: &BoardReport) -> Value {
    merge([json!(report), json!({ "meets_clock": report.meets_clock() })])
}

fn shown(report: &BoardReport, test: &SelfTest) -> String {
    let (m, p, has) = (&report.area, &test.predicted, test.build.target.capacity);
    let n = |value: f64| thousands(value.round() as u64);
    let mut rows = vec![row!["core and self-test", "measured", "predicted", "part"]];
    rows.push(row!["LUT sites", n(m.lut), n(p.lut), thousands(has.lut)]);
    rows.push(row!["flip-flops", n(m.ff), n(p.ff), thousands(has.ff)]);
    rows.push(row!["DSP", m.dsp, n(p.dsp), has.dsp]);
    rows.push(row!["block RAM", m.bram, n(p.bram), has.bram]);
    if let Some(fmax) = report.fmax_mhz {
        rows.push(row!["frequency, routed", format!("{fmax:.1} MHz"), "", format!("clock: {} MHz", report.clock_mhz)]);
    }
    let mut text = format!("{} for {}\n{}", report.top, report.part, table(&rows));
    for lack in &report.does_not_fit {
        text.push_str(&format!("DOES NOT FIT {}: {lack}\n", report.board));
    }
    if report.fmax_mhz.is_some() && !report.meets_clock() {
        text.push_str("TOO SLOW for the board's clock\n");
    }
    if let Some(bitstream) = &report.bitstream {
        text.push_str(&format!("bitstream: {}\n", bitstream.display()));
    }
    text
}
