//! Questions to a JSON schema: what it takes, in words, and an example of it.

use serde_json::{Map, Value as Json, json};

use super::document::{Node, Value};

/// Longest chain of references and deepest nesting followed; a schema made by `schemars` has two or three.
const DEEPEST: usize = 32;

/// A schema to which `$ref` refers.
#[derive(Clone, Copy)]
pub struct Describe<'a> {
    /// The whole schema.
    pub root: &'a Json,
}

impl<'a> Describe<'a> {
    /// The schema behind references.
    pub fn resolve(&self, mut schema: &'a Json) -> &'a Json {
        for _ in 0..DEEPEST {
            let Some(target) = schema.get("$ref").and_then(Json::as_str) else { break };
            let Some(next) = self.root.pointer(target.trim_start_matches('#')) else { break };
            schema = next;
        }
        schema
    }

    /// The schemas of which one must hold, without references and without `null`, which TOML does not have.
    pub fn alternatives(&self, schema: &'a Json) -> Vec<&'a Json> {
        let mut found = Vec::new();
        self.gather(schema, &mut found, DEEPEST);
        found
    }

    fn gather(&self, schema: &'a Json, found: &mut Vec<&'a Json>, deepest: usize) {
        let schema = self.resolve(schema);
        let several = ["anyOf", "oneOf", "allOf"].iter().find_map(|k| schema.get(k).and_then(Json::as_array));
        match several {
            Some(branches) if deepest > 0 => branches.iter().for_each(|b| self.gather(b, found, deepest - 1)),
            _ if schema.get("type").is_some_and(|t| t == "null") => {}
            _ => found.push(schema),
        }
    }

    /// The legal values, where the schema lists them.
    pub fn choices(&self, schema: &'a Json) -> Option<Vec<Json>> {
        let mut legal = Vec::new();
        for leaf in self.alternatives(schema) {
            match (leaf.get("const"), leaf.get("enum").and_then(Json::as_array)) {
                (Some(value), _) => legal.push(value.clone()),
                (None, Some(values)) => legal.extend(values.iter().filter(|v| !v.is_null()).cloned()),
                (None, None) => return None,
            }
        }
        (!legal.is_empty()).then_some(legal)
    }

    /// Whether a value has a type that the schema takes; bounds are not looked at.
    pub fn accepts(&self, schema: &'a Json, node: &Node) -> bool {
        if let Some(legal) = self.choices(schema) {
            let same = |v: &Json| match node.value {
                Value::String(_) => v.is_string(),
                Value::Integer(_) | Value::Huge(_) => v.is_i64() || v.is_u64(),
                Value::Float(_) => v.is_f64(),
                Value::Bool(_) => v.is_boolean(),
                _ => false,
            };
            return legal.iter().any(same);
        }
        types(schema).iter().any(|t| match node.value {
            Value::String(_) => *t == "string",
            Value::Integer(_) | Value::Huge(_) => *t == "integer" || *t == "number",
            Value::Float(_) => *t == "number",
            Value::Bool(_) => *t == "boolean",
            Value::Datetime(_) => false,
            Value::Array(_) => *t == "array",
            Value::Table(_) => *t == "object",
        })
    }

    /// Whether the schema takes numbers alone.
    pub fn is_numeric(&self, schema: &'a Json) -> bool {
        types(schema).iter().all(|t| *t == "integer" || *t == "number")
    }

    /// Whether the schema takes text.
    pub fn takes_text(&self, schema: &'a Json) -> bool {
        types(schema).contains(&"string")
    }

    /// Whether the schema takes tables alone.
    pub fn is_table(&self, schema: &'a Json) -> bool {
        self.alternatives(schema).iter().all(|s| types(s) == ["object"])
    }

    /// Smallest and largest legal number.
    pub fn bounds(&self, schema: &'a Json) -> (Option<f64>, Option<f64>) {
        let of = |key: &str| schema.get(key).and_then(Json::as_f64);
        let step = if types(schema) == ["integer"] { 1.0 } else { 0.0 };
        let low = of("minimum").or(of("exclusiveMinimum").map(|v| v + step));
        let high = of("maximum").or(of("exclusiveMaximum").map(|v| v - step));
        (low, high)
    }

    /// The bounds in words.
    pub fn range(&self, schema: &'a Json) -> String {
        match self.bounds(schema) {
            (Some(low), Some(high)) => format!("{}..={}", plain(low), plain(high)),
            (Some(low), None) => format!("{} or more", plain(low)),
            (None, Some(high)) => format!("{} or less", plain(high)),
            (None, None) => "the 64-bit integers".into(),
        }
    }

    /// Least and most elements of an array.
    pub fn lengths(&self, schema: &'a Json) -> (usize, usize) {
        let of = |key: &str| schema.get(key).and_then(Json::as_u64).map(|n| n as usize);
        let tuple = schema.get("prefixItems").and_then(Json::as_array).map(Vec::len);
        (of("minItems").or(tuple).unwrap_or(0), of("maxItems").or(tuple).unwrap_or(usize::MAX))
    }

    /// The schema of an array's element.
    pub fn element(&self, schema: &'a Json, index: usize) -> Option<&'a Json> {
        let tuple = schema.get("prefixItems").and_then(Json::as_array).and_then(|t| t.get(index));
        tuple.or_else(|| schema.get("items").filter(|s| s.is_object()))
    }

    /// The schema of a table's key.
    pub fn property(&self, schema: &'a Json, key: &str) -> Option<&'a Json> {
        properties(schema)?.get(key)
    }

    /// The keys of a table.
    pub fn keys(&self, schema: &'a Json) -> impl Iterator<Item = &'a str> + use<'a> {
        properties(schema).into_iter().flat_map(|p| p.keys().map(String::as_str))
    }

    /// The keys that a table must have.
    pub fn required(&self, schema: &'a Json) -> impl Iterator<Item = &'a str> + use<'a> {
        schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str)
    }

    /// The first sentence of a value's description.
    pub fn about(&self, schema: &'a Json) -> Option<String> {
        let text = schema.get("description").or_else(|| self.resolve(schema).get("description"))?.as_str()?;
        let sentence = text.split(". ").next()?.lines().collect::<Vec<_>>().join(" ");
        Some(sentence.trim_end_matches('.').to_string())
    }

    /// Dotted paths of the tables that have a key of this name; empty for the top.
    pub fn homes(&self, key: &str) -> Vec<String> {
        let mut found = Vec::new();
        self.search(self.root, key, "", &mut found, DEEPEST);
        found
    }

    fn search(&self, schema: &'a Json, key: &str, path: &str, found: &mut Vec<String>, deepest: usize) {
        let schema = self.resolve(schema);
        if deepest == 0 {
            return;
        }
        for (name, property) in properties(schema).into_iter().flatten() {
            if name == key {
                found.push(path.to_string());
            }
            let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.search(property, key, &below, found, deepest - 1);
        }
    }

    /// What the schema takes, in words.
    pub fn expected(&self, schema: &'a Json) -> String {
        let texts: Vec<String> = match self.choices(schema) {
            Some(legal) => legal.iter().map(Json::to_string).collect(),
            None => self.alternatives(schema).iter().map(|s| self.expected_leaf(s)).collect(),
        };
        match texts.as_slice() {
            [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
            other => other.concat(),
        }
    }

    fn expected_leaf(&self, schema: &'a Json) -> String {
        if let Some(legal) = self.choices(schema) {
            return legal.iter().map(Json::to_string).collect::<Vec<_>>().join(", ");
        }
        let bounded = |what: &str| match self.bounds(schema) {
            (None, None) => what.to_string(),
            (Some(_), Some(_)) => format!("{what} in {}", self.range(schema)),
            _ => format!("{what}, {}", self.range(schema)),
        };
        match types(schema).first().copied() {
            Some("integer") => bounded("an integer"),
            Some("number") => bounded("a number"),
            Some("string") => "a string".into(),
            Some("boolean") => "true or false".into(),
            Some("object") => "a table".into(),
            Some("array") => self.expected_array(schema),
            _ => "another value".into(),
        }
    }

    fn expected_array(&self, schema: &'a Json) -> String {
        let of = self.element(schema, 0).map(|e| self.expected(e));
        let of = of.map_or_else(String::new, |e| format!(", each {e}"));
        match self.lengths(schema) {
            (least, most) if least == most => format!("an array of {least}{of}"),
            (least, usize::MAX) if least > 0 => format!("an array of at least {least}{of}"),
            (_, usize::MAX) => format!("an array{of}"),
            (least, most) => format!("an array of {least}..={most}{of}"),
        }
    }

    /// A legal value: the first of them or, with `last`, another one where there is one.
    pub fn example(&self, schema: &'a Json, last: bool) -> Option<Json> {
        self.make(schema, last, DEEPEST)
    }

    fn make(&self, schema: &'a Json, last: bool, deepest: usize) -> Option<Json> {
        if let Some(legal) = self.choices(schema) {
            return if last { legal.last() } else { legal.first() }.cloned();
        }
        let leaf = *self.alternatives(schema).first()?;
        let deeper = deepest.checked_sub(1)?;
        match types(leaf).first().copied()? {
            "integer" => {
                let (low, high) = self.bounds(leaf);
                let low = low.unwrap_or(1.0) as i64;
                let other = high.map_or(low.saturating_add(1), |h| h as i64);
                Some(json!(if last { other } else { low }))
            }
            "number" => Some(json!(self.bounds(leaf).0.unwrap_or(0.0) + f64::from(u8::from(last)))),
            "string" => Some(json!(if last { "name_b" } else { "name_a" })),
            "boolean" => Some(json!(last)),
            "array" => {
                let count = self.lengths(leaf).0;
                (0..count)
                    .map(|i| self.make(self.element(leaf, i)?, last, deeper))
                    .collect::<Option<Vec<_>>>()
                    .map(Json::Array)
            }
            "object" => {
                let made = |key: &str| Some((key.to_string(), self.make(self.property(leaf, key)?, last, deeper)?));
                self.required(leaf).map(made).collect::<Option<Map<_, _>>>().map(Json::Object)
            }
            _ => None,
        }
    }
}

/// The types that a schema names, or the one that its keywords show.
fn types(schema: &Json) -> Vec<&str> {
    let named = match schema.get("type") {
        Some(Json::String(name)) => vec![name.as_str()],
        Some(Json::Array(names)) => names.iter().filter_map(Json::as_str).collect(),
        _ if schema.get("properties").is_some() => vec!["object"],
        _ if schema.get("items").or(schema.get("prefixItems")).is_some() => vec!["array"],
        _ => vec!["string", "integer", "number", "boolean", "array", "object"],
    };
    named.into_iter().filter(|t| *t != "null").collect()
}

fn properties(schema: &Json) -> Option<&Map<String, Json>> {
    schema.get("properties")?.as_object()
}

/// A number's value; not a number for values that are none.
pub fn number(node: &Node) -> f64 {
    match &node.value {
        Value::Integer(n) => *n as f64,
        Value::Float(n) => *n,
        Value::Huge(text) => huge(text),
        _ => f64::NAN,
    }
}

/// An integer beyond 64 bits, to the precision of a float; hexadecimal and its like are positive.
fn huge(text: &str) -> f64 {
    text.parse().unwrap_or(f64::INFINITY)
}

/// A bound without a needless point.
pub fn plain(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value:.0}") } else { value.to_string() }
}
