//! Configs made by program: the starter for `new`, a cover of all legal pairs of options, random ones for judging the cost model.

use std::collections::BTreeSet;

use bitlathe_spec::{Family, Target};
use serde_json::{Value, json};

use super::config::Config;
use crate::random::Random;

/// A commented config for a target.
pub fn starter(target: &Target) -> String {
    let (k, m, k_max) = match target.family {
        Family::Xcup => (24, 14, 4096),
        Family::Xc7 => (24, 12, 4096),
        Family::Ecp5 => (12, 8, 2048),
        Family::Ice40 => (6, 2, 256),
    };
    format!(
        r#"# A ternary matrix product: y[t, m] = sum over k of w[m, k] * x[t, k], w in {{-1, 0, +1}}.
kind = "ternary-gemm"
name = "my-core"

[target]
name = "{}"

[shape]
k_max = {k_max}            # largest K; any K from 1 to this at run time
m_max = {k_max}            # largest M

[act]
bits = 8                # 4, 8 or 16

[parallel]
k_lanes = {k}            # activations a cycle
m_lanes = {m}            # rows a cycle; multiples of 7 fit UltraScale+ LUT memory best
batch = 1               # activation vectors that share one pass over the weights

[lookup]
style = "auto"          # lutram, mux, addsub, multiply, or the cheapest of them
group = 3               # activations of a table

[weights]
encoding = "index5"     # trit2, index5, byte5, sherry5
source = "stream"       # or resident: loaded once a job
planes = 1

[output]
kind = "int32"          # or requant, with bits, rounding, shift, per_row
"#,
        target.name
    )
}

/// One option: where it lies and what it may be.
type OptionValues = (&'static str, &'static str, Vec<Value>);

fn all_options() -> Vec<OptionValues> {
    let v = |values: &[&str]| values.iter().map(|s| json!(s)).collect::<Vec<_>>();
    let n = |values: &[i64]| values.iter().map(|s| json!(s)).collect::<Vec<_>>();
    vec![
        ("lookup", "style", v(&["lutram", "mux", "addsub", "multiply"])),
        ("lookup", "group", n(&[2, 3, 4])),
        ("weights", "encoding", v(&["trit2", "index5", "byte5", "sherry5"])),
        ("act", "bits", n(&[4, 8, 16])),
        ("parallel", "batch", n(&[1, 2, 3])),
        ("weights", "planes", n(&[1, 2])),
        ("weights", "source", v(&["stream", "resident"])),
        ("output", "kind", v(&["int32", "requant"])),
        ("output", "rounding", v(&["half-even", "half-up", "half-away", "floor", "stochastic"])),
        ("output", "bits", n(&[4, 8, 16])),
        ("output", "shift", vec![json!(0), json!(13), json!([4, 20])]),
        ("output", "per_row", vec![json!(true), json!(false)]),
        ("output", "narrow", vec![json!(false), json!(true)]),
        ("parallel", "k_lanes", n(&[5, 12])),
        ("parallel", "m_lanes", n(&[2, 3])),
    ]
}

fn config(options: &[OptionValues], choice: &[usize], name: &str) -> Value {
    let mut c = json!({
        "kind": "ternary-gemm", "name": name, "target": {"name": "kv260"}, "shape": {"k_max": 53, "m_max": 17},
        "act": {}, "parallel": {}, "lookup": {"tree": "fabric"}, "weights": {}, "output": {},
    });
    for ((table, key, values), &i) in options.iter().zip(choice) {
        c[*table][*key] = values[i].clone();
    }
    c
}

fn legal(c: &Value) -> bool {
    serde_json::from_value::<Config>(c.clone()).is_ok_and(|c| c.derive().is_ok())
}

/// An option by number with one of its values.
type Choice = (usize, usize);

fn pairs_of(choice: &[usize]) -> impl Iterator<Item = (Choice, Choice)> {
    (0..choice.len()).flat_map(move |a| (a + 1..choice.len()).map(move |b| ((a, choice[a]), (b, choice[b]))))
}

/// Configs that together hold every pair of option values that some legal config holds, found greedily.
pub fn legal_pairs() -> Vec<Value> {
    let options = all_options();
    let mut r = Random::new(1);
    let mut draw = |fixed: &[(usize, usize)]| -> Vec<usize> {
        let mut choice: Vec<usize> = options.iter().map(|o| r.below(o.2.len() as u64) as usize).collect();
        fixed.iter().for_each(|&(o, v)| choice[o] = v);
        choice
    };
    let mut open: BTreeSet<(Choice, Choice)> = BTreeSet::new();
    for a in 0..options.len() {
        for b in a + 1..options.len() {
            for x in 0..options[a].2.len() {
                open.extend((0..options[b].2.len()).map(|y| ((a, x), (b, y))));
            }
        }
    }
    let mut configs = vec![];
    while let Some(&(first, second)) = open.iter().next() {
        let candidates: Vec<Vec<usize>> = (0..60).map(|_| draw(&[first, second])).collect();
        let best = candidates
            .into_iter()
            .filter(|c| legal(&config(&options, c, "pair")))
            .max_by_key(|c| pairs_of(c).filter(|p| open.contains(p)).count());
        match best {
            Some(choice) => {
                pairs_of(&choice).for_each(|p| {
                    open.remove(&p);
                });
                let name = format!("pair{}", configs.len());
                configs.push(config(&options, &choice, &name));
            }
            // No legal config in sixty draws holds the pair: it is one that `check` refuses.
            None => {
                open.remove(&(first, second));
            }
        }
    }
    configs
}

/// Legal configs of realistic size.
pub fn random_configs(seed: u64, count: usize) -> Vec<Value> {
    let mut r = Random::new(seed);
    let mut out = vec![];
    while out.len() < count {
        let pick = |r: &mut Random, v: &[&'static str]| r.pick(v).unwrap_or("auto");
        let c = json!({
            "kind": "ternary-gemm", "name": format!("random{}", out.len()), "target": {"name": "kv260"},
            "shape": {"k_max": 256 + r.below(6000), "m_max": 256 + r.below(6000)},
            "act": {"bits": r.pick(&[4, 8, 8, 16]).unwrap_or(8)},
            "parallel": {"k_lanes": 6 + r.below(43), "m_lanes": 4 + r.below(25), "batch": 1 + r.below(2)},
            "lookup": {"style": pick(&mut r, &["lutram", "lutram", "mux", "addsub", "multiply"]), "group": 2 + r.below(3)},
            "weights": {"encoding": pick(&mut r, &["trit2", "index5", "byte5", "sherry5"])},
            "output": {},
        });
        if legal(&c) {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starters_are_legal_and_the_pair_cover_is_small() {
        let pairs = legal_pairs();
        assert!(pairs.len() < 80, "{} configs", pairs.len());
        assert!(pairs.iter().all(legal));
        assert_eq!(random_configs(7, 12).len(), 12);
    }
}
