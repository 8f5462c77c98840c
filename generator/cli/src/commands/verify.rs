//! `bitlathe verify`: corner and random jobs under every stall pattern, the Verilog against model and schedule; and lint.

use std::path::PathBuf;

use bitlathe_flow::lint::{LintMessage, Severity, lint};
use bitlathe_flow::tools::Tools;
use bitlathe_flow::verify::{VerifyOptions, VerifyReport, verify};
use serde_json::{Value, json};

use super::{Context, identity, merge, rtl};
use crate::args::Verify;
use crate::report::{Done, Exit, Failure, Finding};
use crate::text::{shell_word, thousands};

/// Failures told in full; more of them are mostly the same one.
const MOST_FAILURES: usize = 5;

/// Verifies.
pub fn run(context: &Context, args: &Verify) -> Result<Done, Failure> {
    let config = context.load(&args.config)?;
    let core = config.core.as_ref();
    let rtl = rtl(core)?;
    let mut warnings = Vec::new();
    let tools = Tools::discover()?;
    let lint = if tools.has("verilator") && tools.has("slang") {
        let spinner = context.progress.spinner("linting");
        let messages = lint(&rtl.files, &core.interface().top, &tools)?;
        spinner.finish_and_clear();
        Some(messages)
    } else {
        let finding = Finding::new("T001", "the Verilog was not linted: `slang` or `verilator` is missing").warning();
        warnings.push(finding.help("to get them: bitlathe doctor --install"));
        None
    };
    let simulator = context.simulator(core, &rtl)?;
    let bar = context.progress.bar("verifying");
    let progress = |done: u64, total: u64| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let waves = PathBuf::from(format!("{}-waves", core.name()));
    let options = VerifyOptions {
        jobs: args.jobs,
        seed: args.seed,
        threads: None,
        command: command(context, args),
        waves: Some(waves.clone()),
    };
    let report = verify(core, &simulator, &options, &progress)?;
    bar.finish_and_clear();
    // Without a failure the folder is empty and goes; one with waves in it stays.
    let _ = std::fs::remove_dir(&waves);
    let clean = lint.as_ref().is_none_or(|l| l.iter().all(|m| m.severity != Severity::Error));
    let exit = if report.passed() && clean { Exit::Success } else { Exit::No };
    let json = merge([identity(core), serde_json::to_value(&report).unwrap_or(Value::Null), json!({ "lint": lint })]);
    Ok(Done { exit, text: text(&report, lint.as_deref()), json, warnings })
}

/// The command that verifies the same core; `--jobs` and `--seed` are added to it.
fn command(context: &Context, args: &Verify) -> String {
    let mut words =
        vec!["bitlathe".to_string(), "verify".into(), shell_word(&args.config.config.display().to_string())];
    words.extend(context.common.set.iter().flat_map(|s| ["--set".into(), shell_word(s)]));
    words.join(" ")
}

fn text(report: &VerifyReport, lint: Option<&[LintMessage]>) -> String {
    let mut text = format!(
        "{} jobs under 4 stall patterns each: {} outputs compared, {} differ; {} of {} coverage points filled\n",
        thousands(report.jobs),
        thousands(report.outputs_compared),
        thousands(report.mismatches),
        report.coverage.len() - report.uncovered.len(),
        report.coverage.len()
    );
    for message in lint.into_iter().flatten() {
        text.push_str(&format!("lint: {message}\n"));
    }
    for point in &report.uncovered {
        text.push_str(&format!("NOT COVERED: {point}\n"));
    }
    for failure in report.failures.iter().take(MOST_FAILURES) {
        text.push_str(&format!("WRONG: {failure}\n"));
    }
    if report.failures.len() > MOST_FAILURES {
        text.push_str(&format!("and {} more\n", report.failures.len() - MOST_FAILURES));
    }
    text
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command, Common};
    use crate::progress::Progress;

    fn parsed(words: &[String]) -> (Common, Verify) {
        match Cli::try_parse_from(words).unwrap_or_else(|e| panic!("{e}")) {
            Cli { common, command: Command::Verify(args) } => (common, args),
            other => panic!("{other:?}"),
        }
    }

    /// What a report tells to paste gives the shell the same config and overrides.
    #[test]
    fn the_command_that_repeats_survives_a_shell() {
        let sets = ["--set", "output.shift=[4, 20]", "--set", "name=\"it's\""];
        let words = [&["bitlathe", "verify", "my core.toml"][..], &sets].concat();
        let words: Vec<String> = words.into_iter().map(str::to_string).collect();
        let (common, args) = parsed(&words);
        let context = Context { kinds: &[], common: &common, progress: Progress { hidden: true } };
        let line = format!("printf '%s\\n' {} --jobs 1 --seed 7", command(&context, &args));
        let output = std::process::Command::new("sh").args(["-c", &line]).output().expect("sh");
        let again: Vec<String> = String::from_utf8_lossy(&output.stdout).lines().map(str::to_string).collect();
        let (common_again, args_again) = parsed(&again);
        assert_eq!((common_again.set, args_again.config.config), (common.set, args.config.config));
        assert_eq!((args_again.jobs, args_again.seed), (1, 7));
    }
}
