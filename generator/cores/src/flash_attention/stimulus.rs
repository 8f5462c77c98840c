//! Jobs that try a configured core: corners with a coverage list, and random ones.

use std::collections::BTreeMap;

use bitlathe_golden::attention::Inputs;
use bitlathe_spec::{DType, Dims, Job, Tensor};

use super::config::Derived;
use super::interface::{CAUSAL, dtype, is_causal};
use crate::Stimulus;
use crate::random::Random;

const ONE_KEY: &str = "one key";
const ONE_COLUMN: &str = "one column";
const EQUAL: &str = "all keys equal";
const HIGHEST: &str = "scores at their largest";
const LOWEST: &str = "scores at their smallest";
const BOTH: &str = "scores at both ends in one tile";
const RISING: &str = "a maximum that rises in the last tile";
const LEAP: &str = "a maximum that leaves nothing of what was before";
const FALLING: &str = "a maximum in the first tile";
const RAGGED: &str = "a last tile and a last block that are not full";
const WHOLE: &str = "whole tiles and blocks";
const GROUPED: &str = "several query heads a key/value head, in one block";
const HEADS: &str = "several key/value heads";
const DECODING: &str = "one query a head";
const BLOCKS: &str = "more blocks than are under way at once";
const DIAGONAL: &str = "tiles on the diagonal of a causal mask";
const UNMASKED: &str = "a job without the mask on a core that has it";
const SHARED: &str = "rows of a walk that see nothing of its last tiles";
const WIDEST: &str = "most columns";
const LONGEST: &str = "most keys";

/// Columns times keys times queries that keep a corner quick.
const CORNER_PRODUCTS: u64 = 60_000;

/// Coverage points that `verify` must fill.
pub fn coverage(d: &Derived) -> Vec<&'static str> {
    let hw = &d.hardware;
    let mut points = vec![
        ONE_KEY, ONE_COLUMN, EQUAL, HIGHEST, LOWEST, BOTH, RISING, LEAP, FALLING, RAGGED, WHOLE, BLOCKS, WIDEST,
        LONGEST,
    ];
    if hw.heads_max > 1 {
        points.extend([GROUPED, HEADS, DECODING]);
    }
    if hw.causal {
        points.extend([DIAGONAL, UNMASKED]);
        points.extend((hw.resident > 1).then_some(SHARED));
    }
    points
}

/// Sizes of a job.
#[derive(Clone, Copy)]
struct Sizes {
    heads: u64,
    kv_heads: u64,
    queries: u64,
    keys: u64,
    columns: u64,
    causal: bool,
}

/// Jobs that fill the coverage list.
pub fn corners(d: &Derived) -> Vec<Stimulus> {
    let hw = &d.hardware;
    let [n, l, columns, heads] = [hw.n, hw.l_max, hw.d_max, hw.heads_max].map(|v| v as u64);
    let top = 1i64 << (hw.bits - 1);
    let few = columns.min(5);
    let one = Sizes { heads: 1, kv_heads: 1, queries: 1, keys: 1, columns: few, causal: hw.causal };
    let mut out = vec![];
    let causal = hw.causal;
    let mut add = |name: &str, covers: &[&'static str], sizes: Sizes, qk: &dyn Fn(Kind, u64, u64) -> i64| {
        // Under the mask there are no fewer keys than queries.
        let sizes = if sizes.causal { Sizes { queries: sizes.queries.min(sizes.keys), ..sizes } } else { sizes };
        let seed = out.len() as u64;
        let value = |tensor, at, column| match tensor {
            Kind::V => spread(hw.bits, seed ^ at << 20 ^ column << 8, hw.bits as u64),
            _ => qk(tensor, at, column).clamp(-top, top - 1),
        };
        out.push(Stimulus { name: name.into(), job: make(d, sizes, &value), covers: covers.to_vec() });
    };
    let any = |seed: u64, bits: u64| {
        move |tensor: Kind, at: u64, c: u64| spread(hw.bits, seed ^ (tensor as u64) << 50 ^ at << 20 ^ c << 4, bits)
    };
    let some = (2 * n + 1).min(l);
    let mild = hw.bits as u64 / 2;
    let many = l.min(5 * n * hw.resident as u64);
    add("one key", &[ONE_KEY], Sizes { queries: 2, ..one }, &any(1, hw.bits as u64));
    add(
        "one column",
        &[ONE_COLUMN, BLOCKS],
        Sizes { queries: many, columns: 1, keys: if causal { many } else { n - 1 }, ..one },
        &any(2, mild),
    );
    let tiles = Sizes { queries: n.min(3), keys: some, ..one };
    add("equal keys", &[EQUAL], tiles, &|t, at, c| if t == Kind::Q { at as i64 * 7 - c as i64 } else { 3 + c as i64 });
    add("largest scores", &[HIGHEST], tiles, &|_, _, _| -top);
    add("smallest scores", &[LOWEST], tiles, &|t, _, _| if t == Kind::Q { -top } else { top - 1 });
    add("both ends", &[BOTH], tiles, &|t, at, _| if t == Kind::Q || at % 2 == 0 { -top } else { top - 1 });
    // Keys that grow by a little each tile, the last by much.
    let unit = |at: u64| (at / n) as i64 * (top >> 6).max(1) + (at % 3) as i64;
    add("rising", &[RISING], tiles, &|t, at, _| if t == Kind::Q { top / 4 } else { unit(at) });
    let last = some - 1;
    add("leap", &[LEAP], tiles, &|t, at, _| {
        if t == Kind::Q || at == last { top - 1 } else { -top + at as i64 }
    });
    add("falling", &[FALLING], tiles, &|t, at, _| if t == Kind::Q { top / 4 } else { -unit(at) });
    add("ragged", &[RAGGED], Sizes { queries: (n + 1).min(l), keys: some, ..one }, &any(3, mild));
    if causal {
        let most = l.min(3 * n * hw.resident as u64);
        let covers: &[&str] = if hw.resident > 1 { &[DIAGONAL, SHARED] } else { &[DIAGONAL] };
        add("diagonal", covers, Sizes { queries: most, keys: most, ..one }, &any(10, mild));
        let fewer = most - n.min(3);
        add("diagonal aside", &[DIAGONAL], Sizes { queries: fewer, keys: most, ..one }, &any(11, mild));
        let less = Sizes { queries: most, keys: most - n.min(3), causal: false, ..one };
        add("no mask", &[UNMASKED], less, &any(12, mild));
    }
    let whole = Sizes { queries: (2 * n).min(l / n * n), keys: (2 * n).min(l / n * n), ..one };
    add("whole tiles", &[WHOLE], whole, &any(4, mild));
    let rows = n.min(l);
    let keys = (CORNER_PRODUCTS / (columns * rows)).clamp(1, some);
    add("most columns", &[WIDEST], Sizes { queries: rows, keys, columns, ..one }, &any(5, mild));
    let longest = l.min(CORNER_PRODUCTS / few);
    add("most keys", &[LONGEST], Sizes { queries: 1, keys: longest, ..one }, &any(6, mild));
    if heads > 1 {
        let kv = if heads >= 4 { heads.min(8) / 2 } else { 1 };
        let group = heads.min(8) / kv;
        let shared =
            Sizes { heads: kv * group, kv_heads: kv, queries: 3.min(l), keys: (n + 2).min(l), columns: few, ..one };
        add("grouped heads", &[GROUPED], Sizes { heads: group, kv_heads: 1, ..shared }, &any(7, mild));
        add(
            "heads of their own",
            &[HEADS],
            Sizes { heads: heads.min(3), kv_heads: heads.min(3), ..shared },
            &any(8, mild),
        );
        add("decoding", &[DECODING], Sizes { queries: 1, ..shared }, &any(9, mild));
    }
    out
}

/// The tensors of a job.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Q,
    K,
    V,
}

/// A random element: mostly within 2^`bits`, one in sixteen anywhere.
fn spread(width: i64, seed: u64, bits: u64) -> i64 {
    let mut r = Random::new(seed);
    let bits = if r.below(16) == 0 { width as u64 } else { bits.clamp(1, width as u64) };
    r.below(1 << bits) as i64 - (1i64 << (bits - 1))
}

/// A job of a few tiles, sizes by the seed.
pub fn random_job(d: &Derived, seed: u64) -> Job {
    let hw = &d.hardware;
    let mut r = Random::new(seed);
    let [n, l, columns, heads] = [hw.n, hw.l_max, hw.d_max, hw.heads_max].map(|v| v as u64);
    let kv_heads = 1 + r.below(heads.min(3));
    let group = 1 + r.below((heads / kv_heads).min(4));
    let columns = 1 + r.below(columns);
    let most = (CORNER_PRODUCTS / (columns * kv_heads * group)).max(1);
    let keys = 1 + r.below(l.min(4 * n).min(most));
    let queries = 1 + r.below(l.min(3 * n * hw.resident as u64).min((most / keys).max(1)));
    let causal = hw.causal && r.below(4) > 0;
    let keys = if causal { keys.max(queries) } else { keys };
    let (bits, root) = (1 + r.below(hw.bits as u64), r.below(1 << 40));
    let sizes = Sizes { heads: kv_heads * group, kv_heads, queries, keys, columns, causal };
    make(d, sizes, &|tensor, at, c| spread(hw.bits, root ^ (tensor as u64) << 60 ^ at << 20 ^ c, bits))
}

fn make(d: &Derived, s: Sizes, value: &dyn Fn(Kind, u64, u64) -> i64) -> Job {
    let tensor = |kind, heads: u64, length: u64| {
        let data = (0..heads * length).flat_map(|at| (0..s.columns).map(move |c| value(kind, at, c))).collect();
        Tensor::new(dtype(d.hardware.bits), [heads, length, s.columns].map(|n| n as usize), data)
    };
    let tensors = [
        ("q", tensor(Kind::Q, s.heads, s.queries)),
        ("k", tensor(Kind::K, s.kv_heads, s.keys)),
        ("v", tensor(Kind::V, s.kv_heads, s.keys)),
        (CAUSAL, Tensor::new(DType::U8, [1], vec![s.causal.into()])),
    ];
    let sizes = [("H", s.heads), ("Hkv", s.kv_heads), ("Lq", s.queries), ("Lk", s.keys), ("d", s.columns)];
    let dims = sizes.into_iter().chain([(CAUSAL, s.causal.into())]);
    Job {
        dims: dims.map(|(name, n)| (name.to_owned(), n)).collect::<Dims>(),
        tensors: tensors.map(|(name, t)| (name.to_owned(), t)).into_iter().collect(),
    }
}

/// The model's view of a job.
pub fn inputs(job: &Job) -> Option<Inputs<'_>> {
    let tensor = |name: &str| job.tensors.get(name);
    Some(Inputs { q: tensor("q")?, k: tensor("k")?, v: tensor("v")? })
}

/// Attention of the same numbers in floating point, in units of the output.
pub fn reference(d: &Derived, job: &Job) -> BTreeMap<String, Vec<f64>> {
    let Some(real) = inputs(job).and_then(|i| d.model.real(&i).ok()) else { return BTreeMap::new() };
    let unit = f64::from(d.model.output_frac).exp2();
    let o = real.attention(is_causal(&job.dims)).into_iter().map(|o| o * unit).collect();
    BTreeMap::from([("o".to_owned(), o)])
}
