//! A TOML document as a tree of values that remember where they were written.

use std::sync::Arc;

use serde_json::json;
use toml::de::{DeTable, DeValue};

use crate::report::{Finding, Place, Source};

/// Syntax errors shown of one file; what follows them is mostly their echo.
const MOST_SYNTAX_ERRORS: usize = 20;

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it was written; for a table its header.
    pub place: Place,
}

/// A TOML value.
#[derive(Clone, Debug)]
pub enum Value {
    /// Text.
    String(String),
    /// An integer of 64 bits.
    Integer(i64),
    /// An integer beyond 64 bits, as written.
    Huge(String),
    /// A number with a point.
    Float(f64),
    /// `true` or `false`.
    Bool(bool),
    /// A date or a time, as written.
    Datetime(String),
    /// Values in order.
    Array(Vec<Node>),
    /// Entries in the order of the file.
    Table(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key was written.
    pub place: Place,
    /// The value.
    pub node: Node,
}

impl Node {
    /// The entry of a table.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Table(entries) => entries.iter().find(|e| e.key == key),
            _ => None,
        }
    }

    /// What kind of value it is, with its article.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::String(_) => "a string",
            Value::Integer(_) | Value::Huge(_) => "an integer",
            Value::Float(_) => "a number with a point",
            Value::Bool(_) => "a boolean",
            Value::Datetime(_) => "a date or time",
            Value::Array(_) => "an array",
            Value::Table(_) => "a table",
        }
    }

    /// The value as in a message: short values as written, long ones by their kind.
    pub fn shown(&self) -> String {
        match &self.value {
            Value::String(s) if s.chars().count() <= 40 => format!("{s:?}"),
            Value::Huge(s) | Value::Datetime(s) if s.len() <= 40 => s.clone(),
            Value::Integer(n) => n.to_string(),
            Value::Float(n) => format!("{n:?}"),
            Value::Bool(b) => b.to_string(),
            _ => self.kind().to_string(),
        }
    }

    /// A scalar as JSON; `None` for what JSON has no number or type for, and for arrays and tables.
    pub fn scalar(&self) -> Option<serde_json::Value> {
        match &self.value {
            Value::String(s) => Some(json!(s)),
            Value::Integer(n) => Some(json!(n)),
            Value::Float(n) => n.is_finite().then(|| json!(n)),
            Value::Bool(b) => Some(json!(b)),
            Value::Huge(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
        }
    }

    /// The node at a dotted path (`a.b`, `a.0`, `a[0]`), or the innermost node above it, and whether it is the node itself.
    pub fn find(&self, path: &str) -> (&Self, bool) {
        let mut node = self;
        let path = path.replace('[', ".").replace(']', "");
        for step in path.split('.').filter(|s| !s.is_empty()) {
            let next = match &node.value {
                Value::Array(items) => step.parse::<usize>().ok().and_then(|i| items.get(i)),
                _ => node.get(step).map(|e| &e.node),
            };
            match next {
                Some(next) => node = next,
                None => return (node, false),
            }
        }
        (node, true)
    }
}

/// Reads a document; otherwise its syntax errors.
pub fn parse(source: &Arc<Source>) -> Result<Node, Vec<Finding>> {
    let (table, errors) = DeTable::parse_recoverable(source.text());
    if !errors.is_empty() {
        return Err(errors.iter().take(MOST_SYNTAX_ERRORS).map(|e| syntax_error(e, source, 0)).collect());
    }
    Ok(Node { value: from_table(table.get_ref(), source, 0), place: Place::new(source, 0..0) })
}

/// Reads a single value that starts at `offset` of its source.
pub fn parse_value(source: &Arc<Source>, offset: usize) -> Result<Node, Vec<Finding>> {
    let text = source.text().get(offset..).unwrap_or_default();
    let (value, errors) = DeValue::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|e| syntax_error(e, source, offset)).collect());
    }
    Ok(from_value(value.get_ref(), Place::new(source, offset + value.span().start..offset + value.span().end), offset))
}

fn syntax_error(error: &toml::de::Error, source: &Arc<Source>, offset: usize) -> Finding {
    let span = error.span().unwrap_or(0..0);
    Finding::new("E003", format!("this is no TOML: {}", error.message()))
        .help("TOML is `key = value` under `[table]`; text stands in double quotes, lists in square brackets")
        .at(&Place::new(source, offset + span.start..offset + span.end), "here")
}

fn from_table(table: &DeTable, source: &Arc<Source>, offset: usize) -> Value {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| {
            let place = |span: std::ops::Range<usize>| Place::new(source, offset + span.start..offset + span.end);
            let node = from_value(value.get_ref(), place(value.span()), offset);
            Entry { key: key.get_ref().to_string(), place: place(key.span()), node }
        })
        .collect();
    entries.sort_by_key(|e| e.place.span.start);
    Value::Table(entries)
}

fn from_value(value: &DeValue, place: Place, offset: usize) -> Node {
    let value = match value {
        DeValue::String(s) => Value::String(s.to_string()),
        DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
            Ok(n) => Value::Integer(n),
            Err(_) => Value::Huge(n.to_string()),
        },
        DeValue::Float(n) => n.as_str().parse().map_or_else(|_| Value::Huge(n.to_string()), Value::Float),
        DeValue::Boolean(b) => Value::Bool(*b),
        DeValue::Datetime(d) => Value::Datetime(d.to_string()),
        DeValue::Array(items) => {
            let source = &place.source;
            let item = |v: &toml::Spanned<DeValue>| {
                from_value(v.get_ref(), Place::new(source, offset + v.span().start..offset + v.span().end), offset)
            };
            Value::Array(items.iter().map(item).collect())
        }
        DeValue::Table(table) => from_table(table, &place.source, offset),
    };
    Node { value, place }
}
