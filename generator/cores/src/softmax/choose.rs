//! All methods of softmax on the same rows, for `bitlathe compare`: how far each is from floating point, and its config.

use bitlathe_golden::softmax::Output;
use bitlathe_golden::softmax::accuracy::{Rows, sweep};
use serde_json::{Value, json};

use super::config::Config;
use crate::Issue;
use crate::compare::{Choice, Comparison, Data, Refused};

/// Rows at each scale.
const ROWS: usize = 16;
/// Seed of the rows.
const SEED: u64 = 2026;

/// A method as a designer calls it, its keys in `[method]`, and its own scale: ln2 / 2^F.
type Candidate = (&'static str, Value, Option<u32>);

fn candidates() -> Vec<Candidate> {
    let pwl = |segments: u32| json!({"name": "pwl", "segments": segments});
    let base2 = |line: bool| json!({"name": "base2", "line": line});
    vec![
        ("exp-table", json!({"name": "exp-table"}), None),
        ("exp-table, block", json!({"name": "exp-table", "table": "block"}), None),
        ("pwl, 8 segments", pwl(8), None),
        ("pwl, 4 segments", pwl(4), None),
        ("pwl, 2 segments", pwl(2), None),
        ("pwl, 1 segment", pwl(1), None),
        ("linmax-plus", json!({"name": "linmax-plus"}), None),
        ("linmax", json!({"name": "linmax"}), None),
        ("base2, 16 steps", base2(false), Some(4)),
        ("base2, 16 steps, line", base2(true), Some(4)),
        ("base2, 8 steps", base2(false), Some(3)),
        ("base2, 8 steps, line", base2(true), Some(3)),
        ("ibert", json!({"name": "ibert"}), None),
        ("shiftmax", json!({"name": "shiftmax"}), None),
        ("itamax", json!({"name": "itamax"}), Some(5)),
    ]
}

/// Every method in the place of the base config's, in three passes where it may; rows are int8 whatever the input's bits.
pub fn compare(base: &Value, data: &Data) -> Comparison {
    let middle = data.scales.get(data.scales.len() / 2).copied().unwrap_or(1.0);
    let mut comparison = Comparison {
        measure: "total variation against softmax in floating point, mean of 16 rows of int8 logits",
        output: base["output"]["kind"].as_str().unwrap_or_default().to_owned(),
        choices: vec![],
        refused: vec![],
    };
    for (name, method, octave_bits) in candidates() {
        let scale = octave_bits.map_or(middle, |f| std::f64::consts::LN_2 / f64::from(1u32 << f));
        let config = with_method(base, data.n, method, scale);
        match errors(&config, data) {
            Ok([points, output]) => {
                let finished = output.iter().map(|p| p.1).sum::<f64>() / output.len().max(1) as f64;
                comparison.choices.push(Choice { name: name.into(), config, points, finished });
            }
            Err(reason) => comparison.refused.push(Refused { name: name.into(), reason }),
        }
    }
    comparison
}

fn with_method(base: &Value, n: usize, method: Value, scale: f64) -> Value {
    let mut config = base.clone();
    config["input"]["scale"] = json!(scale);
    config["shape"]["n_max"] = json!(n);
    config["passes"]["count"] = json!(3);
    config["method"] = method;
    match config["method"]["name"].as_str() {
        Some("itamax") => {
            config["passes"]["count"] = json!(2);
            config["input"]["bits"] = json!(8);
            config["output"]["kind"] = json!("u8");
            config["parallel"]["lanes"] = json!(16);
        }
        Some("linmax" | "ibert" | "shiftmax") => {}
        _ => config["method"]["fraction_bits"] = base["method"]["fraction_bits"].clone(),
    }
    config
}

/// Scale and error of the exponentials divided exactly, and of the output; or why there is no such core.
fn errors(config: &Value, data: &Data) -> Result<[Vec<(f64, f64)>; 2], String> {
    let config: Config = serde_json::from_value(config.clone()).map_err(|e| e.to_string())?;
    let joined = |issues: Vec<Issue>| issues.into_iter().map(|i| i.message).collect::<Vec<_>>().join("; ");
    let derived = config.derive().map_err(joined)?;
    let rows = Rows { n: data.n, sigma: data.sigma, count: ROWS, seed: SEED };
    let points = |output| -> Result<Vec<(f64, f64)>, String> {
        let swept = sweep(derived.method, output, &rows, &data.scales).map_err(|e| e.to_string())?;
        Ok(swept.into_iter().map(|p| (p.scale, p.figures.total_variation)).collect())
    };
    Ok([points(Output::Raw)?, points(derived.output)?])
}

#[cfg(test)]
mod tests {
    use bitlathe_spec::Target;

    use super::*;
    use crate::Kind;
    use crate::softmax::Softmax;

    fn base() -> Value {
        let starter: toml::Table = Softmax.starter(Target::find("kv260").unwrap()).parse().unwrap();
        Softmax.configure(&serde_json::to_value(starter).unwrap()).unwrap_or_else(|e| panic!("{e:?}")).config()
    }

    fn data(scales: &[f64]) -> Data {
        Data { n: 197, sigma: 1.0, scales: scales.to_vec() }
    }

    #[test]
    fn every_method_has_a_legal_config_and_an_error() {
        let found = Softmax.compare(&base(), &data(&[0.05, 0.1])).unwrap();
        assert_eq!((found.choices.len(), found.refused.len()), (candidates().len(), 0), "{:?}", found.refused);
        for choice in &found.choices {
            Softmax.configure(&choice.config).unwrap_or_else(|e| panic!("{}: {e:?}", choice.name));
            assert!(choice.points.iter().all(|p| p.1 > 0.0 && p.1 < 0.5), "{}: {:?}", choice.name, choice.points);
            // In u8 half a step of 2^-8 an element is lost, whatever the method.
            assert!(choice.finished > 0.05, "{}: {}", choice.name, choice.finished);
        }
    }

    /// HyQ's integers are coarse at coarse scales, I-BERT's end; the rest goes on.
    #[test]
    fn coarse_scales_refuse_methods_with_their_limit() {
        let found = Softmax.compare(&base(), &data(&[1.5])).unwrap();
        let limited = |name: &str| found.refused.iter().find(|r| r.name == name).map(|r| r.reason.clone());
        assert!(limited("linmax").is_some_and(|r| r.contains("1.3547")), "{:?}", found.refused);
        assert!(found.choices.iter().any(|c| c.name == "exp-table"));
    }
}
