//! What stands around the array of `flash-attention`, part by part: logits, probabilities and O against the golden arithmetic, the choice
//! of a sum by proof, the refusal of a mask that leaves a query without keys. Vendor forms of products are proven elsewhere, so
//! simulation runs their behavioural form.

use std::rc::Rc;

use bitlathe_cores::flash_attention::array::select;
use bitlathe_cores::flash_attention::{Config, Derived, accumulate, control, logit, probability};
use bitlathe_cores::random::Random;
use bitlathe_flow::synth::{Circuit, Start, Verdict, prove_equal};
use bitlathe_golden::attention::{Exponential, Scale};
use bitlathe_golden::rounding::shift_round;
use bitlathe_hdl::Unit;
use bitlathe_spec::{Rounding, SourceFile};
use serde_json::json;

use super::bench::{Bench, Cycle, Part};
use super::{printed, tools};

fn derived(n: i64, bits: i64, d_max: i64, p_bits: i64) -> Derived {
    let config: Config = serde_json::from_value(json!({
        "kind": "flash-attention", "name": "parts", "target": {"name": "ecp5-85f"},
        "shape": {"d_max": d_max, "l_max": 65536}, "array": {"n": n}, "input": {"bits": bits, "frac": bits - 4},
        "softmax": {"p_bits": p_bits}, "output": {"bits": 8, "frac": 3}, "mask": {"causal": true},
    }))
    .expect("a config");
    config.derive().expect("a legal one")
}

/// Values of all inputs in the order of the ports; what is not named is zero.
fn inputs(unit: &Rc<Unit>, named: &[(&str, i64)]) -> Vec<i64> {
    let ports = unit.manifest().ports.into_iter().filter(|p| p.input && !matches!(p.name.as_str(), "clk_i" | "rst_i"));
    ports.map(|p| named.iter().find(|(name, _)| *name == p.name).map_or(0, |(_, value)| *value)).collect()
}

/// Scores at both ends, beside ties and anywhere.
fn scores(scale: Scale, (low, high): (i64, i64), r: &mut Random) -> Vec<i64> {
    let mut out = vec![low, low + 1, -1, 0, 1, high - 1, high];
    for _ in 0..60 {
        let bits = r.below(1 + high.ilog2() as u64);
        let any = r.below(2 << bits) as i64 - (1 << bits);
        // Where S·C / 2^r is close to a half.
        let tie = ((2 * any + 1) << scale.shift.min(40) >> 1) / i64::from(scale.mult);
        out.extend([any, tie - 1, tie, tie + 1].map(|s| s.clamp(low, high)));
    }
    out
}

#[test]
fn logits_are_the_models() {
    for (bits, d_max) in [(16, 128), (8, 64), (8, 1)] {
        let d = derived(4, bits, d_max, 16);
        let unit = logit::unit(&d.hardware);
        let bench = Bench::new("logits", &[Part::new(unit.clone())]);
        let latency = logit::latency(d.hardware.score_bits) as usize;
        let mut r = Random::new(3);
        for columns in [1, 2, 3, 7, 31, 64, 65, 127, 128].into_iter().filter(|c| *c <= d_max) {
            let scale = Scale::new(columns as usize, (bits - 4) as u32).expect("a legal number of columns");
            let (mult, shift) = (65_536 - i64::from(scale.mult), i64::from(scale.shift));
            let constants =
                [("mult_i", mult), ("shift_i", shift - d.hardware.shifts().0), ("half_i", (1 << (shift - 1)) - 1)];
            let scores = scores(scale, d.model.score_range(columns as usize), &mut r);
            let with = |s: i64| vec![inputs(&unit, &[&constants[..], &[("s_i", s)]].concat())];
            let last = scores.last().copied().unwrap_or_default();
            let cycles: Vec<Cycle> =
                scores.iter().copied().chain(std::iter::repeat_n(last, latency)).map(with).collect();
            let found = bench.play(&cycles);
            for (n, s) in scores.iter().enumerate() {
                assert_eq!(found[n + latency][0], [-scale.logit(*s)], "{bits} bits, {columns} columns, S = {s}");
            }
        }
    }
}

#[test]
fn probabilities_are_the_models() {
    for p_bits in [8, 14, 15, 16] {
        let d = derived(4, 16, 64, p_bits);
        let (unit, model) = (probability::unit(&d.hardware), Exponential::new(p_bits as u32).expect("legal bits"));
        let bench = Bench::new("probabilities", &[Part::new(unit.clone())]);
        let latency = probability::LATENCY as usize;
        let most = (1i64 << d.hardware.logit_bits()) - 1;
        // All that are not zero, at every place of a line for one number of bits, then what is far.
        let step = if p_bits == 16 { 1 } else { 7 };
        let near = (0..20 << 12).step_by(step);
        let far = (12..d.hardware.logit_bits()).flat_map(|b| [(1 << b) - 1, 1 << b, (1 << b) + 4095]);
        let u: Vec<i64> = near.chain(far).map(|u| u.min(most)).chain([most]).collect();
        // Every eleventh does not count.
        let live = |n: usize| i64::from(n % 11 != 5);
        let cycle = |n: usize| {
            let now = u.get(n).copied().unwrap_or(0);
            vec![inputs(&unit, &[("u_i", now), ("live_i", live((n + 1).saturating_sub(latency)))])]
        };
        let found = bench.play(&(0..u.len() + latency).map(cycle).collect::<Vec<_>>());
        for (n, u) in u.iter().enumerate() {
            assert_eq!(found[n + latency][0], [model.at(*u) * live(n)], "{p_bits} bits, u = {u}");
        }
    }
}

/// A tile of O: which octaves it drops, and the products of its columns.
struct Tile {
    first: bool,
    drop: i64,
    from: i64,
    products: Vec<i64>,
}

/// Tiles that make O as large as it gets, one of every drop on what that is, then tiles of any kind.
fn tiles(columns: i64, product_bits: i64, r: &mut Random) -> Vec<Tile> {
    let most = (1i64 << (product_bits - 1)) - 1;
    let end = |column: i64| if column % 2 == 0 { -most - 1 } else { most };
    let grow = |first| Tile { first, drop: 0, from: 0, products: (0..columns).map(end).collect() };
    let mut out: Vec<Tile> = (0..900).map(|n| grow(n == 0)).collect();
    let two = |drop: i64, r: &mut Random| (0..2).map(|_| r.below(1 << (drop % 20)) as i64).collect();
    for drop in 0..columns / 2 {
        out.push(Tile { first: false, drop, from: 2 * drop, products: two(drop, r) });
    }
    for n in 0..60 {
        let bits = r.below(product_bits as u64);
        let drop = if r.below(3) == 0 { r.below(64) } else { r.below(4) } as i64;
        let products = (0..columns).map(|_| r.below(1 << bits) as i64 - (1 << bits >> 1)).collect();
        out.push(Tile { first: n % 10 == 9, drop, from: 0, products });
    }
    out
}

#[test]
fn weighted_values_are_shifted_and_rounded_once() {
    let d = derived(32, 16, 128, 16);
    let hw = &d.hardware;
    let unit = accumulate::unit(hw);
    let bench = Bench::new("weighted", &[Part::new(unit.clone())]);
    let columns = hw.d_max;
    let mut o = vec![0i64; columns as usize];
    let mut cycles: Vec<Vec<(&str, i64)>> = vec![];
    // The cycle of each, and its value.
    let (mut products, mut reads) = (vec![], vec![]);
    for (n, tile) in tiles(columns, hw.product_bits(), &mut Random::new(6)).iter().enumerate() {
        for (c, product) in tile.products.iter().enumerate() {
            let at = tile.from + c as i64;
            let first = i64::from(tile.first);
            let load = i64::from(c == 0);
            // What is not taken must not matter.
            let drop = if c == 0 { tile.drop } else { 63 - tile.drop };
            products.push((cycles.len() + 2, *product));
            cycles.push(vec![("valid_i", 1), ("load_i", load), ("first_i", first), ("at_i", at), ("drop_i", drop)]);
            let kept = if tile.first { 0 } else { o[at as usize] };
            o[at as usize] = shift_round(kept.into(), tile.drop as u32, Rounding::HalfUp, None) as i64 + (product << 8);
        }
        // A column comes again after some cycles at the soonest.
        cycles.extend(std::iter::repeat_n(vec![], 6));
        if n % 64 == 0 || n > 890 {
            for c in 0..columns {
                reads.push((cycles.len() + 1, o[c as usize]));
                cycles.push(vec![("read_i", 1), ("read_at_i", c)]);
            }
        }
    }
    cycles.push(vec![]);
    products.iter().for_each(|(at, p)| cycles[*at].push(("product_i", *p)));
    let found = bench.play(&cycles.iter().map(|c| vec![inputs(&unit, c)]).collect::<Vec<_>>());
    assert!(reads.iter().any(|(_, o)| o.unsigned_abs() >> 48 > 0), "O is large");
    for (at, expected) in &reads {
        let bits = 64 - hw.weighted_bits;
        assert_eq!(found[*at][0][0] << bits >> bits, *expected, "cycle {at}");
    }
}

fn choice_of_sixteen() -> Vec<SourceFile> {
    let files = printed(&select::choice(2, 1));
    assert_eq!(files.len(), 1);
    files
}

fn choice_proof(files: &[SourceFile]) -> Verdict {
    let circuit = |parameters| Circuit { top: "choice_of_sixteen", parameters };
    let (gold, gate) = ([("IMPL", 0)], [("IMPL", 1)]);
    prove_equal(files, circuit(&gold), circuit(&gate), Start::ZeroFor { cycles: 1 }, &tools()).expect("the prover runs")
}

#[test]
fn the_choice_in_a_slice_equals_its_behavioural_form() {
    let verdict = choice_proof(&choice_of_sixteen());
    assert!(matches!(verdict, Verdict::Proven), "{verdict:?}");
    let mut files = choice_of_sixteen();
    assert!(files[0].text.contains(".S(pick_i[3])"), "{}", files[0].text);
    files[0].text = files[0].text.replace(".S(pick_i[3])", ".S(pick_i[2])");
    let verdict = choice_proof(&files);
    assert!(matches!(verdict, Verdict::Refuted(_)), "{verdict:?}");
}

#[test]
fn a_masked_job_with_more_queries_than_keys_is_told() {
    let unit = control::unit(&derived(4, 16, 16, 16).hardware);
    let bench = Bench::new("mask", &[Part::new(unit.clone())]);
    let error =
        unit.manifest().ports.iter().filter(|p| !p.input).position(|p| p.name == "mask_error_o").expect("a port");
    for (queries, keys, causal, expected) in [(5, 4, 1, 1), (4, 4, 1, 0), (5, 4, 0, 0), (65536, 1, 1, 1)] {
        let sizes = [("columns_i", 3), ("rows_i", queries), ("kv_heads_i", 1), ("keys_i", keys)];
        let mask = [("queries_i", queries), ("causal_i", causal)];
        let streams = ["q_valid_i", "k_valid_i", "v_valid_i"].map(|name| (name, 1));
        let cycle: Cycle = vec![inputs(&unit, &[&sizes[..], &mask, &streams].concat())];
        let told = bench.play(&vec![cycle; 20]).iter().any(|outputs| outputs[0][error] == 1);
        assert_eq!(i64::from(told), expected, "{queries} queries, {keys} keys, causal {causal}");
    }
}
