//! `bitlathe doctor`: the outside tools of this machine.

use std::io::{IsTerminal, Write};

use bitlathe_flow::tools::{ToolStatus, Tools, install};
use serde_json::json;

use super::Context;
use crate::args::Doctor;
use crate::report::{Done, Failure};
use crate::row;
use crate::text::table;

/// Looks for the tools, after installing what is missing where that is asked for.
pub fn run(context: &Context, args: &Doctor) -> Result<Done, Failure> {
    let tools = if args.install { installed(context)? } else { Tools::discover()? };
    let spinner = context.progress.spinner("asking the tools for their versions");
    let status = tools.status();
    spinner.finish_and_clear();
    let missing: Vec<&ToolStatus> = status.iter().filter(|t| t.path.is_none()).collect();
    let json = json!({ "tools": status, "missing": missing.iter().map(|t| t.name).collect::<Vec<_>>() });
    let rows: Vec<Vec<String>> = status.iter().map(line).collect();
    let summary =
        if missing.is_empty() { "Everything is here.\n".to_string() } else { format!("\n{}", lines_to_get(&missing)) };
    Ok(Done::new(table(&rows) + &summary, json).warn(context.idle_overrides()))
}

fn line(tool: &ToolStatus) -> Vec<String> {
    match &tool.path {
        Some(path) => row!["ok", tool.name, number(tool.version.as_deref()), tool.unlocks, path.display()],
        None => row!["MISSING", tool.name, "-", tool.unlocks],
    }
}

/// The number in what a tool prints about its version; `--json` has all of it.
fn number(version: Option<&str>) -> &str {
    let words = version.unwrap_or_default().split_whitespace();
    let number = words.map(|w| w.trim_matches(|c: char| !c.is_ascii_alphanumeric()).trim_start_matches("version='"));
    number.into_iter().find(|w| w.contains('.') && w.starts_with(|c: char| c.is_ascii_digit())).unwrap_or("-")
}

/// Each line that gets something, once, with what it gets.
fn lines_to_get(missing: &[&ToolStatus]) -> String {
    let mut lines: Vec<(&str, Vec<&str>)> = Vec::new();
    for tool in missing {
        match lines.iter_mut().find(|(get, _)| *get == tool.get) {
            Some((_, names)) => names.push(tool.name),
            None => lines.push((&tool.get, vec![tool.name])),
        }
    }
    let rows: Vec<Vec<String>> = lines.iter().map(|(get, names)| row![format!("  {get}"), names.join(", ")]).collect();
    format!("To get what is missing:\n{}", table(&rows))
}

fn installed(context: &Context) -> Result<Tools, Failure> {
    let spinner = context.progress.spinner("installing tools");
    let in_lines = !context.progress.hidden && !std::io::stderr().is_terminal();
    let tools = install(&mut |step| {
        spinner.set_message(step.to_string());
        if in_lines {
            // Nobody is left to be told where standard error is closed.
            let _ = writeln!(std::io::stderr(), "{step}");
        }
    })?;
    spinner.finish_and_clear();
    Ok(tools)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_found_in_what_tools_print() {
        assert_eq!(number(Some("nextpnr-ice40 -- Next Generation Place and Route (Version 0.4-1+b1)")), "0.4-1+b1");
        assert_eq!(number(Some("version='5.36.0';")), "5.36.0");
        assert_eq!(number(Some("Yosys 0.70 (git sha1 28ba3cb92)")), "0.70");
        assert_eq!([number(Some("no number")), number(None)], ["-", "-"]);
    }
}
