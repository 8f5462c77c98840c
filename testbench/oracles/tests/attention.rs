//! The model of attention against Python's integers, fractions and decimals, and its error figures against numpy; one run of
//! `python/attention_oracle.py` judges all cases.

use std::path::Path;
use std::time::Duration;

use bitlathe_cores::random::Random;
use bitlathe_flow::{npy, process, tools::Tools};
use bitlathe_golden::attention::accuracy::{Figures, Real};
use bitlathe_golden::attention::{Attention, Inputs, Sizes};
use bitlathe_spec::{DType, Tensor};
use serde_json::{Value, json};

const ORACLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/attention_oracle.py");
const LIMIT: Duration = Duration::from_secs(300);

/// What is in q, k and v.
#[derive(Clone, Copy, Debug)]
enum Content {
    /// Normal numbers of deviation 1, as attention meets them.
    Normal,
    /// Any number, the ends frequent.
    Wide,
    /// Keys that grow, so that the maximum does in every tile, and values at the ends.
    Rising,
    /// The same end everywhere in a tensor.
    Ends([bool; 3]),
}

/// A core with a job.
#[derive(Clone, Debug)]
struct Case {
    core: Attention,
    sizes: Sizes,
    content: Content,
    tensors: [Tensor; 3],
}

impl Case {
    fn new(r: &mut Random, core: Attention, sizes: Sizes, content: Content) -> Self {
        let Sizes { heads, kv_heads, queries, keys, columns } = sizes;
        let dtype = if core.bits == 8 { DType::I8 } else { DType::I16 };
        let top = 1i64 << (core.bits - 1);
        let shapes = [[heads, queries, columns], [kv_heads, keys, columns], [kv_heads, keys, columns]];
        let end = |low: bool| if low { -top } else { top - 1 };
        let wide = |r: &mut Random| match r.below(6) {
            0 => -top,
            1 => top - 1,
            _ => r.below(2 * top as u64) as i64 - top,
        };
        let mut element = |tensor: usize, row: usize| match content {
            Content::Ends(low) => end(low[tensor]),
            Content::Rising if tensor == 0 => r.below(top as u64 / 2) as i64,
            Content::Rising if tensor == 1 => (row % keys) as i64 * top / keys as i64 - top / 2,
            Content::Rising => end(r.below(2) == 0),
            _ => wide(r),
        };
        let data =
            |n: usize, shape: [usize; 3]| (0..shape.iter().product()).map(|at| element(n, at / columns)).collect();
        let mut data = data;
        let tensors = match content {
            Content::Normal => Real::normal(sizes, r.below(1 << 40)).quantized(core.bits, core.frac),
            _ => [0, 1, 2].map(|n| Tensor::new(dtype, shapes[n], data(n, shapes[n]))),
        };
        Self { core, sizes, content, tensors: tensors.map(|t| Tensor { dtype, ..t }) }
    }

    fn inputs(&self) -> Inputs<'_> {
        let [q, k, v] = &self.tensors;
        Inputs { q, k, v }
    }

    /// Writes the job with an output.
    fn write(&self, folder: &Path, o: &Tensor) {
        std::fs::create_dir(folder).unwrap();
        let [q, k, v] = &self.tensors;
        for (name, tensor) in [("q", q), ("k", k), ("v", v), ("o", o)] {
            npy::write(&folder.join(format!("{name}.npy")), tensor).unwrap();
        }
        let Attention { bits, frac, p_bits, output_bits, output_frac, tile, causal } = self.core;
        let case = json!({
            "bits": bits, "frac": frac, "p_bits": p_bits, "output_bits": output_bits, "output_frac": output_frac,
            "tile": tile, "causal": causal,
        });
        std::fs::write(folder.join("case.json"), case.to_string()).unwrap();
    }

    /// The errors that the model reports against float on the same integers.
    fn figures(&self) -> Figures {
        let reference = self.core.real(&self.inputs()).unwrap().attention(self.core.causal);
        self.sizes.figures(&self.core.real_output(&self.inputs()).unwrap(), &reference)
    }
}

/// Random cores on random sizes: every width, heads that share keys, short last tiles, tiles that few queries see.
fn random_cases(r: &mut Random) -> Vec<Case> {
    let case = |n: u64| {
        let bits = 8 << (n % 2);
        let output_bits = 8 << (n % 3);
        let core = Attention {
            bits,
            frac: r.below(bits.into()) as u32,
            p_bits: 8 + r.below(9) as u32,
            output_bits,
            output_frac: r.below(output_bits.into()) as u32,
            tile: [1, 3, 4, 8, 16, 32][r.below(6) as usize],
            causal: n % 4 < 2,
        };
        let kv_heads = 1 + r.below(2) as usize;
        let queries = 1 + r.below(12) as usize;
        let sizes = Sizes {
            heads: kv_heads * (1 + r.below(3) as usize),
            kv_heads,
            queries,
            keys: queries + r.below(40) as usize,
            columns: 1 + r.below(20) as usize,
        };
        let content = match n % 5 {
            0 => Content::Rising,
            1 => Content::Wide,
            2 => Content::Ends([r.below(2) == 0, r.below(2) == 0, r.below(2) == 0]),
            _ => Content::Normal,
        };
        Case::new(r, core, sizes, content)
    };
    (0..120).map(case).collect()
}

/// Sizes and formats as they are used, every end of every tensor, more queries than keys, and many constants of the scale.
fn chosen_cases(r: &mut Random) -> Vec<Case> {
    let core = Attention { bits: 16, frac: 12, p_bits: 16, output_bits: 32, output_frac: 24, tile: 16, causal: false };
    let sizes = |queries, keys, columns| Sizes { heads: 1, kv_heads: 1, queries, keys, columns };
    let narrow = Attention { bits: 8, frac: 5, output_bits: 8, output_frac: 6, ..core };
    let middle = Attention { output_bits: 16, output_frac: 13, causal: true, ..core };
    let mut cases = vec![
        Case::new(r, core, sizes(16, 256, 64), Content::Normal),
        Case::new(r, middle, sizes(40, 72, 64), Content::Normal),
        Case::new(r, narrow, sizes(16, 100, 64), Content::Normal),
        Case::new(r, core, sizes(9, 2, 128), Content::Normal),
        Case::new(r, Attention { tile: 4, ..core }, sizes(3, 50, 3), Content::Rising),
    ];
    for ends in 0..8 {
        let content = Content::Ends([ends & 1 > 0, ends & 2 > 0, ends & 4 > 0]);
        for core in [core, narrow, Attention { output_bits: 32, output_frac: 31, ..narrow }] {
            cases.push(Case::new(r, core, sizes(2, 40, 5), content));
        }
    }
    for columns in (1..48).chain([581, 1009, 2048, 4095, 4096]) {
        let core = Attention { frac: columns as u32 % 16, tile: 2, ..core };
        cases.push(Case::new(r, core, sizes(1, 3, columns), Content::Wide));
    }
    cases
}

/// What the oracle says of every case, in their order; `None` where numpy is missing.
fn verdicts(folder: &Path) -> Option<Vec<Value>> {
    let mut python = Tools::discover().unwrap().command("python").unwrap();
    let output = process::run(python.arg(ORACLE).arg(folder), LIMIT).unwrap();
    if output.code == Some(3) {
        println!("skipped: {}", output.stderr.trim());
        return None;
    }
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    Some(output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[test]
fn the_model_agrees_with_exact_arithmetic_in_python() {
    let (folder, mut r) = (tempfile::tempdir().unwrap(), Random::new(17));
    let cases = [random_cases(&mut r), chosen_cases(&mut r)].concat();
    for (n, case) in cases.iter().enumerate() {
        let o = case.core.run(&case.inputs()).unwrap_or_else(|e| panic!("{:?}: {e}", case.core));
        case.write(&folder.path().join(format!("{n:03}")), &o);
    }
    let Some(verdicts) = verdicts(folder.path()) else { return };
    assert_eq!(verdicts.len(), cases.len());
    let mut similar = 0;
    for (verdict, case) in verdicts.iter().zip(&cases) {
        let what = format!("{:?}, {:?}, {:?}: {verdict}", case.core, case.sizes, case.content);
        assert_eq!(verdict["differences"], 0, "{what}");
        assert_eq!(verdict["compared"], case.tensors[0].data.len(), "{what}");
        similar += usize::from(check_figures(case, verdict, &what));
    }
    assert!(similar > 10, "{similar} cases had a structural similarity");
}

/// The figures that the model reports are numpy's; whether there was a structural similarity.
fn check_figures(case: &Case, verdict: &Value, what: &str) -> bool {
    let ours = case.figures();
    let theirs = verdict["mse"].as_f64().unwrap();
    assert!((ours.mse - theirs).abs() <= 1e-9 * theirs + 1e-24, "{what}: {ours:?}");
    if !matches!(case.content, Content::Normal) {
        // The range of an output of equal values is what double precision makes of it.
        return false;
    }
    assert_eq!(ours.ssim.is_some(), verdict["ssim"].is_f64(), "{what}: {ours:?}");
    let both = ours.ssim.zip(verdict["ssim"].as_f64());
    assert!(both.is_none_or(|(ours, theirs)| (ours - theirs).abs() < 1e-9), "{what}: {ours:?}");
    both.is_some()
}

#[test]
fn the_oracle_sees_one_wrong_value() {
    let (folder, mut r) = (tempfile::tempdir().unwrap(), Random::new(3));
    let case = random_cases(&mut r).swap_remove(3);
    let mut o = case.core.run(&case.inputs()).unwrap();
    o.data[0] ^= 1;
    case.write(&folder.path().join("0"), &o);
    let Some(verdicts) = verdicts(folder.path()) else { return };
    assert_eq!(verdicts[0]["differences"], 1);
    let first = format!("o[0, 0, 0]: expected {}, got {}", o.data[0] ^ 1, o.data[0]);
    assert_eq!(verdicts[0]["first"], first);
}
