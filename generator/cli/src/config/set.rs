//! `--set table.key=value`: overrides a value of the config; the value is TOML, a bare word is text.

use std::ops::Range;
use std::sync::Arc;

use super::document::{Entry, Node, Value, parse_value};
use crate::report::{Finding, Place, Source};

/// A parsed override.
#[derive(Clone, Debug)]
pub struct Override {
    source: Arc<Source>,
    /// Key parts with their places in the argument.
    keys: Vec<(String, Range<usize>)>,
    /// The value.
    pub node: Node,
}

impl Override {
    /// Reads an argument.
    pub fn parse(argument: &str) -> Result<Self, Vec<Finding>> {
        let source = Source::argument(argument);
        let whole = Place::new(&source, 0..argument.len());
        let Some(equals) = argument.find('=') else {
            return Err(vec![malformed("it has no `=`", &whole)]);
        };
        let keys = keys(&argument[..equals]);
        if let Some((key, span)) = keys.iter().find(|(key, _)| !is_bare(key)) {
            let reason = if key.is_empty() { "a key is empty".into() } else { format!("`{key}` is no key") };
            return Err(vec![malformed(&reason, &Place::new(&source, span.clone()))]);
        }
        let node = value(&source, equals + 1)?;
        Ok(Self { source, keys, node })
    }

    /// The keys, outermost first.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.iter().map(|(k, _)| k.as_str())
    }

    /// Puts the value into a document; tables that are not there are made.
    pub fn apply(&self, root: &mut Node) -> Result<(), Finding> {
        let mut node = root;
        let Some(((last, last_span), tables)) = self.keys.split_last() else { return Ok(()) };
        for (key, span) in tables {
            let place = Place::new(&self.source, span.clone());
            let table = Node { value: Value::Table(vec![]), place: place.clone() };
            node = &mut entry(node, key, place, table)?.node;
        }
        let place = Place::new(&self.source, last_span.clone());
        let entry = entry(node, last, place.clone(), self.node.clone())?;
        entry.node = self.node.clone();
        entry.place = place;
        Ok(())
    }
}

/// The entry of that key, made from `fresh` where there is none.
fn entry<'a>(node: &'a mut Node, key: &str, place: Place, fresh: Node) -> Result<&'a mut Entry, Finding> {
    let kind = node.kind();
    let Value::Table(entries) = &mut node.value else {
        let message = format!("`{key}` cannot be set: what should hold it is {kind}, not a table");
        return Err(Finding::new("E004", message)
            .help("set the value that holds it instead")
            .at(&place, "no table here"));
    };
    let index = entries.iter().position(|e| e.key == key).unwrap_or_else(|| {
        entries.push(Entry { key: key.to_string(), place, node: fresh });
        entries.len() - 1
    });
    Ok(&mut entries[index])
}

fn malformed(reason: &str, place: &Place) -> Finding {
    Finding::new("E004", format!("this override cannot be read: {reason}"))
        .help("write --set table.key=value, for example --set parallel.k_lanes=48 or --set lookup.style=mux")
        .at(place, "")
}

/// The parts of a dotted key without the spaces around them.
fn keys(text: &str) -> Vec<(String, Range<usize>)> {
    let mut start = 0;
    text.split('.')
        .map(|part| {
            let key = part.trim();
            let at = start + part.find(key).unwrap_or(0);
            start += part.len() + 1;
            (key.to_string(), at..at + key.len())
        })
        .collect()
}

fn is_bare(key: &str) -> bool {
    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

fn value(source: &Arc<Source>, start: usize) -> Result<Node, Vec<Finding>> {
    let text = &source.text()[start..];
    let word = text.trim();
    let offset = start + text.find(word).unwrap_or(0);
    let place = Place::new(source, offset..offset + word.len());
    if word.is_empty() {
        let place = Place::new(source, 0..source.text().len());
        return Err(vec![malformed("it has no value", &place)]);
    }
    match parse_value(source, offset) {
        Ok(node) => Ok(node),
        // Quotes and brackets begin a TOML value; anything else that is none is a word.
        Err(_) if !word.starts_with(['"', '\'', '[', '{']) => Ok(Node { value: Value::String(word.into()), place }),
        Err(findings) => Err(findings),
    }
}
