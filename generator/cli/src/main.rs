//! The program `bitlathe`: reads a config, calls the cores and the flow, prints what they say.
//!
//! Exit codes: 0 done; 1 done, and the answer is no; 2 the input is wrong; 3 a tool is missing or failed.

mod args;
mod bug;
mod commands;
mod config;
#[cfg(test)]
mod demo;
mod errors;
mod gantt;
mod job;
mod nearest;
mod outputs;
mod plot;
mod progress;
mod report;
mod text;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind as Usage;
use serde_json::Value;

use args::Cli;
use report::{Exit, Failure, Finding, Style, render};

fn main() -> ExitCode {
    bug::install_hook();
    let exit = std::panic::catch_unwind(run).unwrap_or_else(|_| {
        if wants_json() {
            print_json(&bug::failure().json());
        }
        Exit::Tool
    });
    ExitCode::from(exit as u8)
}

fn run() -> Exit {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    if cli.common.verbose {
        let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(std::io::stderr);
        subscriber.without_time().init();
    }
    match commands::run(&cli) {
        Ok(done) => {
            show_findings(&done.warnings);
            let printed = if cli.common.json { print_json(&done.json) } else { print(&done.text) };
            if printed { done.exit } else { Exit::Tool }
        }
        Err(failure) => {
            if cli.common.json {
                print_json(&failure.json());
            } else {
                show_findings(&failure.findings);
            }
            failure.exit
        }
    }
}

/// Help and version go out as asked; anything else is wrong input.
fn usage(error: &clap::Error) -> Exit {
    let asked = matches!(error.kind(), Usage::DisplayHelp | Usage::DisplayVersion);
    if wants_json() && !asked {
        let text = error.render().to_string();
        let (message, help) = text.split_once("\n\n").unwrap_or((&text, ""));
        let finding = Finding::new("E000", message.trim_start_matches("error: ").trim()).help(help.trim());
        print_json(&Failure::one(Exit::Input, finding).json());
    } else {
        // A closed pipe is the reader's choice.
        let _ = error.print();
    }
    if asked { Exit::Success } else { Exit::Input }
}

/// Also before the arguments are understood.
fn wants_json() -> bool {
    std::env::args_os().any(|a| a == "--json")
}

fn show_findings(findings: &[Finding]) {
    if !findings.is_empty() {
        // Nobody is left to be told where standard error is closed.
        let _ = std::io::stderr().write_all(render(findings, Style::of_stderr()).as_bytes());
    }
}

fn print_json(object: &Value) -> bool {
    print(&format!("{object:#}\n"))
}

/// Whether the text went out. A reader that closed the pipe has what it wanted.
fn print(text: &str) -> bool {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => true,
        Err(e) if e.kind() == ErrorKind::BrokenPipe => true,
        Err(e) => {
            show_findings(&[Finding::new("E021", format!("cannot write to standard output: {e}"))]);
            false
        }
    }
}
