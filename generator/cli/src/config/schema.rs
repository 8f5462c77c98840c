//! Holds a document against a JSON schema and collects everything that is wrong, each with its place and a legal alternative.
//!
//! Understands what `schemars` writes for plain configs: types, enums, bounds, arrays, tables, alternatives, `$ref`.
//! A key that a table's schema does not list is an error even where the schema leaves that open.

use serde_json::{Map, Value as Json, json};

use super::describe::{Describe, number, plain};
use super::document::{Entry, Node, Value};
use crate::nearest::{nearest, neighbours};
use crate::report::{Finding, Place};

/// What stands in for a wrong or missing value, so that the rest of the document can still be judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Optional values are left out, required ones take the first legal value.
    First,
    /// Both take the last legal value.
    Last,
}

/// A document held against its schema.
#[derive(Debug)]
pub struct Checked {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// The document as JSON, wrong values filled in.
    pub json: Json,
    /// Dotted paths of the values that were filled in or left out.
    pub filled: Vec<String>,
}

/// Checks a document.
pub fn check(schema: &Json, document: &Node, fill: Fill) -> Checked {
    let mut checker = Checker { describe: Describe { root: schema }, fill, findings: vec![], filled: vec![] };
    let json = checker.value(schema, document, "").unwrap_or_else(|| json!({}));
    Checked { findings: checker.findings, json, filled: checker.filled }
}

struct Checker<'a> {
    describe: Describe<'a>,
    fill: Fill,
    findings: Vec<Finding>,
    filled: Vec<String>,
}

impl<'a> Checker<'a> {
    /// The value as JSON; `None` if it is wrong, which is then among the findings.
    fn value(&mut self, schema: &'a Json, node: &Node, path: &str) -> Option<Json> {
        if let Some(legal) = self.describe.choices(schema) {
            return self.choice(&legal, node, path);
        }
        match self.describe.alternatives(schema).as_slice() {
            [only] => self.single(only, node, path),
            several => self.any_of(schema, several, node, path),
        }
    }

    /// A value that must be one of a few.
    fn choice(&mut self, legal: &[Json], node: &Node, path: &str) -> Option<Json> {
        let got = node.scalar();
        if let Some(got) = got.as_ref().filter(|g| legal.contains(g)) {
            return Some(got.clone());
        }
        let all = legal.iter().map(Json::to_string).collect::<Vec<_>>().join(", ");
        let same_type =
            got.as_ref().is_some_and(|g| legal.iter().any(|l| std::mem::discriminant(l) == std::mem::discriminant(g)));
        let (shown, name) = (node.shown(), title(path));
        let near = near_choice(legal, node);
        let help = if near.is_empty() { format!("legal: {all}") } else { format!("nearest: {near}; legal: {all}") };
        let finding = if same_type || matches!(node.value, Value::Huge(_)) {
            Finding::new("E014", format!("{name} = {shown} is not one of the legal values"))
                .at(&node.place, "not legal")
        } else {
            let expected = if legal.iter().all(Json::is_string) { "a string" } else { "an integer" };
            wrong_type(node, path, expected)
        };
        self.findings.push(finding.help(help));
        None
    }

    /// A value that must obey at least one of several schemas.
    fn any_of(&mut self, schema: &'a Json, branches: &[&'a Json], node: &Node, path: &str) -> Option<Json> {
        let start = (self.findings.len(), self.filled.len());
        let mut best: Option<(Vec<Finding>, Vec<String>)> = None;
        for branch in branches {
            let value = match self.describe.choices(branch) {
                Some(legal) => self.choice(&legal, node, path),
                None => self.single(branch, node, path),
            };
            let (findings, filled) = (self.findings.split_off(start.0), self.filled.split_off(start.1));
            if findings.is_empty() {
                return value;
            }
            let suits = self.describe.accepts(branch, node);
            if suits && best.as_ref().is_none_or(|(b, _)| findings.len() < b.len()) {
                best = Some((findings, filled));
            }
        }
        match best {
            Some((findings, filled)) => {
                self.findings.extend(findings);
                self.filled.extend(filled);
            }
            None => self.findings.push(wrong_type(node, path, &self.describe.expected(schema))),
        }
        None
    }

    /// A value of one type.
    fn single(&mut self, schema: &'a Json, node: &Node, path: &str) -> Option<Json> {
        if !self.describe.accepts(schema, node) {
            let finding = wrong_type(node, path, &self.describe.expected(schema));
            self.findings.push(match &node.value {
                Value::Float(n) if n.fract() == 0.0 && n.abs() < 1e15 => finding.help(format!("write {n:.0}")),
                Value::String(s) if s.parse::<i64>().is_ok() && self.describe.is_numeric(schema) => {
                    finding.help(format!("write {s} without quotes"))
                }
                Value::Datetime(d) if self.describe.takes_text(schema) => {
                    finding.help(format!("text needs quotes: \"{d}\""))
                }
                _ => finding,
            });
            return None;
        }
        match &node.value {
            Value::Table(entries) => Some(self.table(schema, entries, &node.place, path)),
            Value::Array(items) => self.array(schema, items, node, path),
            Value::String(text) => self.text(schema, text, node, path),
            Value::Bool(b) => Some(json!(b)),
            Value::Integer(_) | Value::Huge(_) | Value::Float(_) => self.number(schema, node, path),
            Value::Datetime(_) => None,
        }
    }

    fn number(&mut self, schema: &'a Json, node: &Node, path: &str) -> Option<Json> {
        let (low, high) = self.describe.bounds(schema);
        let step = schema.get("multipleOf").and_then(Json::as_f64).filter(|s| *s > 0.0);
        let value = number(node);
        let below = low.is_some_and(|l| value < l);
        let above = high.is_some_and(|h| value > h);
        let huge = matches!(node.value, Value::Huge(_)) || !value.is_finite();
        if below || above || huge {
            let limit = if below || (huge && value < 0.0) { low } else { high };
            let range = self.describe.range(schema);
            let message = format!("{} = {} is outside {range}", title(path), node.shown());
            let help =
                limit.map_or_else(|| format!("legal: {range}"), |l| format!("nearest: {}; legal: {range}", plain(l)));
            self.findings.push(Finding::new("E013", message).help(help).at(&node.place, "out of range"));
            return None;
        }
        if let Some(step) = step.filter(|s| value % s != 0.0) {
            let (down, up) = ((value / step).floor() * step, (value / step).ceil() * step);
            let message = format!("{} = {} is not a multiple of {}", title(path), node.shown(), plain(step));
            let help = format!("nearest: {}, {}", plain(down), plain(up));
            self.findings.push(Finding::new("E013", message).help(help).at(&node.place, "not a multiple"));
            return None;
        }
        node.scalar()
    }

    fn text(&mut self, schema: &'a Json, text: &str, node: &Node, path: &str) -> Option<Json> {
        let limit = |key| schema.get(key).and_then(Json::as_u64).map(|n| n as usize);
        let length = text.chars().count();
        let (least, most) = (limit("minLength").unwrap_or(0), limit("maxLength").unwrap_or(usize::MAX));
        if (least..=most).contains(&length) {
            return Some(json!(text));
        }
        let help = if length < least { format!("at least {least}") } else { format!("at most {most}") };
        let message = format!("{} has {length} characters", title(path));
        self.findings.push(Finding::new("E015", message).help(help).at(&node.place, "wrong length"));
        None
    }

    fn array(&mut self, schema: &'a Json, items: &[Node], node: &Node, path: &str) -> Option<Json> {
        let (least, most) = self.describe.lengths(schema);
        let mut whole = true;
        if !(least..=most).contains(&items.len()) {
            let message = format!("{} has {} elements", title(path), items.len());
            let help = format!("expected {}", self.describe.expected(schema));
            self.findings.push(Finding::new("E015", message).help(help).at(&node.place, "wrong length"));
            whole = false;
        }
        let mut values = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let Some(schema) = self.describe.element(schema, index) else { continue };
            match self.value(schema, item, &format!("{path}[{index}]")) {
                Some(value) => values.push(value),
                None => whole = false,
            }
        }
        whole.then_some(Json::Array(values))
    }

    /// A table; what is wrong in it is filled in, so that it always has a value.
    fn table(&mut self, schema: &'a Json, entries: &[Entry], place: &Place, path: &str) -> Json {
        let others = schema.get("additionalProperties").filter(|s| s.is_object());
        let mut object = Map::new();
        let mut meant = Vec::new();
        for entry in entries {
            let path = join(path, &entry.key);
            match self.describe.property(schema, &entry.key).or(others) {
                None => meant.extend(self.unknown(schema, entry, &path, entries)),
                Some(property) => match self.value(property, &entry.node, &path) {
                    Some(value) => drop(object.insert(entry.key.clone(), value)),
                    None => self.fill_in(&mut object, schema, &entry.key, &path),
                },
            }
        }
        for key in self.describe.required(schema).filter(|k| entries.iter().all(|e| e.key != *k)) {
            let path = join(path, key);
            if !meant.iter().any(|m| m == key) {
                self.findings.push(self.missing(schema, key, &path, place));
            }
            self.fill_in(&mut object, schema, key, &path);
        }
        Json::Object(object)
    }

    /// Reports a key that the table does not have; returns the missing key that it was meant to be.
    fn unknown(&mut self, schema: &'a Json, entry: &Entry, path: &str, present: &[Entry]) -> Option<String> {
        let absent = self.describe.keys(schema).filter(|k| present.iter().all(|e| e.key != *k));
        let meant = nearest(&entry.key, absent);
        let near = meant.or_else(|| nearest(&entry.key, self.describe.keys(schema)));
        let homes = self.describe.homes(&entry.key);
        let all = self.describe.keys(schema).collect::<Vec<_>>().join(", ");
        let help = match (near, homes.first()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, Some(home)) if home.is_empty() => {
                format!("`{}` belongs at the top of the file, above all tables", entry.key)
            }
            (None, Some(home)) => format!("`{}` belongs in [{home}]", entry.key),
            (None, None) if all.is_empty() => "this table takes no keys".into(),
            (None, None) => format!("legal keys here: {all}"),
        };
        self.filled.push(path.to_string());
        let finding = Finding::new("E010", format!("`{path}` is no key of this kind of core"));
        self.findings.push(finding.help(help).at(&entry.place, "unknown key"));
        meant.map(String::from)
    }

    fn missing(&self, schema: &'a Json, key: &str, path: &str, place: &Place) -> Finding {
        let Some(property) = self.describe.property(schema, key) else {
            return Finding::new("E011", format!("`{path}` is missing")).at(place, "missing here");
        };
        let (what, help) = if self.describe.is_table(property) {
            let keys = self.describe.keys(self.describe.resolve(property)).collect::<Vec<_>>().join(", ");
            (format!("the table [{path}]"), format!("add [{path}] with {keys}"))
        } else {
            (format!("`{path}`"), format!("add `{key} = …`, {}", self.describe.expected(property)))
        };
        let about = self.describe.about(property).map(|a| format!(": {a}")).unwrap_or_default();
        Finding::new("E011", format!("{what} is missing{about}"))
            .help(help)
            .at(place, format!("`{key}` is missing here"))
    }

    /// Puts a legal value where there is none.
    fn fill_in(&mut self, object: &mut Map<String, Json>, schema: &'a Json, key: &str, path: &str) {
        self.filled.push(path.to_string());
        let optional = self.describe.required(schema).all(|k| k != key);
        if optional && self.fill == Fill::First {
            return;
        }
        let value = self.describe.property(schema, key).and_then(|p| self.describe.example(p, self.fill == Fill::Last));
        if let Some(value) = value {
            object.insert(key.to_string(), value);
        }
    }
}

fn wrong_type(node: &Node, path: &str, expected: &str) -> Finding {
    let shown = node.shown();
    let got = if shown == node.kind() { shown } else { format!("{} ({shown})", node.kind()) };
    let message = format!("{} is {got}, expected {expected}", title(path));
    Finding::new("E012", message).help(format!("write {expected}")).at(&node.place, "wrong type")
}

/// The legal values nearest to a wrong one, as text.
fn near_choice(legal: &[Json], node: &Node) -> String {
    let near: Vec<&Json> = match &node.value {
        Value::String(s) => {
            let names = legal.iter().filter_map(Json::as_str);
            let near = nearest(s, names);
            let same = |l: &&Json| l.as_str().is_some_and(|l| Some(l) == near) || l.to_string() == *s;
            legal.iter().filter(same).collect()
        }
        _ => {
            let value = number(node);
            match legal.iter().find(|l| l.as_f64() == Some(value)) {
                Some(same) => vec![same],
                None => neighbours(value, legal),
            }
        }
    };
    near.iter().map(|v| v.to_string()).collect::<Vec<_>>().join(", ")
}

fn title(path: &str) -> String {
    if path.is_empty() { "the config".into() } else { format!("`{path}`") }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.into() } else { format!("{path}.{key}") }
}
