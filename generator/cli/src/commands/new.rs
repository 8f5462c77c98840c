//! `bitlathe new`: a commented config to start from.

use bitlathe_spec::Target;
use serde_json::json;
use toml_edit::{Decor, DocumentMut, Item, Table, Value};

use super::Context;
use crate::args::New;
use crate::config::{Override, configure};
use crate::report::{Done, Exit, Failure, Finding, Source};

/// Prints the config, with overrides written into it.
pub fn run(context: &Context, args: &New) -> Result<Done, Failure> {
    let kind = context.kind(&args.kind)?;
    let Some(target) = Target::find(&args.target) else {
        let finding = Finding::new("E007", format!("there is no target `{}`", args.target));
        return Err(Failure::one(Exit::Input, finding.help("`bitlathe list` shows them")));
    };
    let mut text = kind.starter(target);
    if !context.common.set.is_empty() {
        let source = Source::file("the new config", text.clone());
        configure(context.kinds, &source, &context.common.set).map_err(Failure::input)?;
        text = with_overrides(&text, &context.common.set)?;
    }
    let json = json!({ "kind": kind.name(), "target": target.name, "config": text });
    Ok(Done::new(text, json))
}

/// Writes checked overrides into a config; comments stay.
fn with_overrides(text: &str, sets: &[String]) -> Result<String, Failure> {
    let unreadable = |e: toml_edit::TomlError| Failure::one(Exit::Tool, Finding::new("B003", e.to_string()));
    let mut document: DocumentMut = text.parse().map_err(unreadable)?;
    for set in sets {
        let set = Override::parse(set).map_err(Failure::input)?;
        let value = set.node.place.text();
        let value: Value = value.parse().unwrap_or_else(|_| Value::from(value));
        put(document.as_table_mut(), &set.keys().collect::<Vec<_>>(), value);
    }
    Ok(document.to_string())
}

/// The old value's decor, with its comment in the column where it stood.
fn decor(old: &Value, new: &Value) -> Decor {
    let mut decor = old.decor().clone();
    let length = |value: &Value| value.clone().decorated("", "").to_string().chars().count();
    let suffix = decor.suffix().and_then(|s| s.as_str()).unwrap_or_default();
    if let Some(spaces) = suffix.find('#') {
        let spaces = (spaces + length(old)).saturating_sub(length(new)).max(1);
        let suffix = format!("{}{}", " ".repeat(spaces), suffix.trim_start());
        decor.set_suffix(suffix);
    }
    decor
}

/// Puts a value in place of the old one, whose comment it keeps.
fn put(table: &mut Table, keys: &[&str], mut value: Value) {
    match keys {
        [] => {}
        [key] => {
            if let Some(old) = table.get(key).and_then(Item::as_value) {
                let decor = decor(old, &value);
                *value.decor_mut() = decor;
            }
            match table.get_mut(key) {
                Some(item) => *item = Item::Value(value),
                None => drop(table.insert(key, Item::Value(value))),
            }
        }
        [key, rest @ ..] => {
            let inner = table.entry(key).or_insert_with(toml_edit::table);
            if let Some(inner) = inner.as_table_mut() {
                put(inner, rest, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::LEGAL;

    #[test]
    fn overrides_keep_the_comments() {
        let sets = ["target.name=u280", "act.bits = 4", "output.shift=[0, 8]", "parallel.batch=2"].map(String::from);
        let text = with_overrides(LEGAL, &sets).expect("legal");
        for line in
            ["# A small core.", "name = \"u280\"           # board", "[act]\nbits = 4", "shift = [0, 8]", "batch = 2"]
        {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
    }
}
