//! Attention against its definition over single numbers, by hand, at its extremes, and through what must not change it.

use proptest::prelude::*;

use super::accuracy::Real;
use super::*;

const CORE: Attention =
    Attention { bits: 16, frac: 12, p_bits: 16, output_bits: 32, output_frac: 24, tile: 4, causal: false };

fn tensor(shape: [usize; 3], data: Vec<i64>) -> Tensor {
    Tensor::new(DType::I16, shape, data)
}

/// q, k and v of a job.
#[derive(Clone, Debug)]
struct Job([Tensor; 3]);

impl Job {
    fn new([heads, kv_heads, queries, keys, columns]: [usize; 5], [q, k, v]: [Vec<i64>; 3]) -> Self {
        let of_keys = [kv_heads, keys, columns];
        Self([tensor([heads, queries, columns], q), tensor(of_keys, k), tensor(of_keys, v)])
    }

    /// The same numbers everywhere.
    fn constant(sizes: [usize; 5], [q, k, v]: [i64; 3]) -> Self {
        let [heads, kv_heads, queries, keys, columns] = sizes;
        let of_keys = kv_heads * keys * columns;
        Self::new(sizes, [vec![q; heads * queries * columns], vec![k; of_keys], vec![v; of_keys]])
    }

    /// One head, one query, one column, so that the logits of a query of 1 follow the keys.
    fn column(k: &[i64], v: &[i64]) -> Self {
        Self::new([1, 1, 1, k.len(), 1], [vec![1], k.to_vec(), v.to_vec()])
    }

    fn inputs(&self) -> Inputs<'_> {
        let [q, k, v] = &self.0;
        Inputs { q, k, v }
    }

    fn run(&self, core: &Attention) -> Vec<i64> {
        core.run(&self.inputs()).unwrap_or_else(|e| panic!("{core:?}: {e}")).data
    }

    /// The keys that one query of one head sees, and their values.
    fn seen(&self, head: usize, query: usize, causal: bool) -> Vec<[Vec<i64>; 2]> {
        let [q, k, v] = &self.0;
        let ([heads, queries, d], [kv_heads, keys]) = ([q.shape[0], q.shape[1], q.shape[2]], [k.shape[0], k.shape[1]]);
        let visible = |j: &usize| !causal || *j as i64 <= query as i64 + keys as i64 - queries as i64;
        let at = |t: &Tensor, j| {
            let first = (head / (heads / kv_heads) * keys + j) * d;
            t.data[first..first + d].to_vec()
        };
        (0..keys).filter(visible).map(|j| [at(k, j), at(v, j)]).collect()
    }
}

/// floor(a / 2^shift + 1/2) by rationals.
fn half_up_by_definition(a: i128, shift: i64) -> i128 {
    if shift > 100 { 0 } else { (2 * a + (1 << shift)).div_euclid(2 << shift) }
}

/// An output element in wide integers, each sum counted on its own.
fn by_definition(core: &Attention, job: &Job, head: usize, query: usize, column: usize) -> i64 {
    let q = &job.0[0];
    let d = q.shape[2];
    let scale = Scale::new(d, core.frac).unwrap();
    let exponential = Exponential::new(core.p_bits).unwrap();
    let q = &q.data[(head * q.shape[1] + query) * d..][..d];
    let (mut max, mut l, mut o) = (None, 0i128, 0i128);
    for tile in job.seen(head, query, core.causal).chunks(core.tile) {
        let logit = |[k, _]: &[Vec<i64>; 2]| {
            let s: i128 = k.iter().zip(q).map(|(k, q)| i128::from(*k) * i128::from(*q)).sum();
            half_up_by_definition(s * i128::from(scale.mult), scale.shift.into()) as i64
        };
        let t: Vec<i64> = tile.iter().map(logit).collect();
        let own = t.iter().map(|t| t.div_euclid(4096) + i64::from(t.rem_euclid(4096) > 0)).max().unwrap();
        let now = max.map_or(own, |m: i64| m.max(own));
        let delta = now - max.unwrap_or(own);
        (l, o) = (half_up_by_definition(l, delta), half_up_by_definition(o, delta));
        for (t, [_, v]) in t.iter().zip(tile) {
            let p = i128::from(exponential.at(now * 4096 - t));
            l += p * 256;
            o += p * 256 * i128::from(v[column]);
        }
        max = Some(now);
    }
    // In a register of 60 bits, as hardware divides.
    let n = 60 - (128 - l.leading_zeros());
    let product = o * ((1 << 77) / (l << n));
    let divisor = 1i128 << (77 + core.frac - n - core.output_frac);
    let floor = product.div_euclid(divisor);
    let twice = 2 * product.rem_euclid(divisor);
    let up = twice > divisor || (twice == divisor && floor % 2 != 0);
    let top = 1i128 << (core.output_bits - 1);
    (floor + i128::from(up)).clamp(-top, top - 1) as i64
}

#[test]
fn by_hand_with_a_maximum_that_grows_in_the_second_tile() {
    // C / 2^r = 5909.25 at d = 1, frac = 0: keys 0, -1 give t = 0, -5909; then 1 gives 5909, which is in octave 2.
    let core = Attention { bits: 8, frac: 0, output_bits: 16, output_frac: 8, tile: 2, ..CORE };
    let job = Job::column(&[0, -1, 1], &[64, 32, -16]);
    let p = Exponential::new(16).unwrap();
    let first = [p.at(0), p.at(5909)];
    assert_eq!(first, [65_535, 24_112]);
    let (l, o) = ((first[0] + first[1]) << 8, (first[0] * 64 + first[1] * 32) << 8);
    let last = p.at(2 * 4096 - 5909);
    let (l, o) = ((l + 2) / 4 + (last << 8), (o + 2) / 4 - ((last * 16) << 8));
    let real = o as f64 / l as f64 * 256.0;
    assert_eq!(job.run(&core), [real.round() as i64]);
    let e = 1f64.exp();
    assert!((real / 256.0 - (64.0 + 32.0 / e - 16.0 * e) / (1.0 + 1.0 / e + e)).abs() < 2e-3);
}

#[test]
fn one_key_gives_its_values() {
    for (bits, frac) in [(8, 5), (16, 12), (16, 15)] {
        let core = Attention { bits, frac, output_bits: bits, output_frac: frac, ..CORE };
        let top = 1 << (bits - 1);
        // R is short by less than 2^-17 of itself: by less than half a unit of 16 bits.
        let v = vec![-top, -top + 1, -1, 0, 1, top / 3, top - 2, top - 1];
        let job = Job::new([1, 1, 1, 1, 8], [vec![top - 1; 8], (-4..4).collect(), v.clone()]);
        assert_eq!(job.run(&core), v);
    }
}

#[test]
fn equal_keys_give_the_mean() {
    let core = Attention { output_frac: 12, ..CORE };
    let v: Vec<i64> = (0..100).map(|j| (j * 7919) % 3001 - 1500).collect();
    let mean = v.iter().sum::<i64>() as f64 / 100.0;
    for key in [-32_768, 0, 5, 32_767] {
        let job = Job::new([1, 1, 1, 100, 1], [vec![12_345], vec![key; 100], v.clone()]);
        let got = job.run(&core)[0] as f64;
        assert!((got - mean).abs() <= 0.5 + mean.abs() / f64::from(1 << 17), "{key}: {got}, {mean}");
    }
}

#[test]
fn a_far_larger_maximum_in_the_last_tile_leaves_nothing_of_the_rest() {
    let core = Attention { frac: 0, output_frac: 0, tile: 1, ..CORE };
    let job = Job::column(&[0, -32_768, 100, 32_767], &[9, 9, 9, -5]);
    assert_eq!(job.run(&core), [-5]);
    // The other way round the tiles that follow vanish.
    let job = Job::column(&[32_767, 100, -32_768, 0], &[-5, 9, 9, 9]);
    assert_eq!(job.run(&core), [-5]);
}

#[test]
fn products_and_logits_reach_their_ends() {
    for bits in [8, 16] {
        let core = Attention { bits, frac: bits - 4, ..CORE };
        let top = 1i64 << (bits - 1);
        for d in [1, 64, 4096] {
            let scale = Scale::new(d, core.frac).unwrap();
            let scores = [(-top, -top), (-top, top - 1)].map(|(q, k)| dot(&vec![q as i32; d], &vec![k as i32; d]));
            assert_eq!(core.score_range(d), (scores[1], scores[0]));
            let logits = scores.map(|s| scale.logit(s));
            assert_eq!(core.logit_range(d), Ok((logits[1], logits[0])));
            assert_eq!(core.octave_range(d), Ok((octave_above(logits[1]), octave_above(logits[0]))));
        }
    }
    // int16 with 12 fraction bits, 64 columns: S of 38 bits, t of 23.
    assert_eq!(CORE.score_range(64), (-64 * 32_768 * 32_767, 1 << 36));
    assert_eq!(CORE.logit_range(64), Ok((-3_025_444, 3_025_536)));
    assert_eq!(CORE.octave_range(64), Ok((-738, 739)));
}

#[test]
fn more_columns_have_wider_logits() {
    for (bits, frac) in [(8, 0), (8, 7), (16, 12), (16, 15)] {
        let core = Attention { bits, frac, ..CORE };
        let mut before = (0, 0);
        for d in 1..=D_MAX {
            let (low, high) = core.logit_range(d).unwrap();
            assert!(low <= before.0 && high >= before.1, "{bits} bits, {frac} fraction bits, {d} columns");
            before = (low, high);
        }
    }
}

/// A row over tiles of one value a key.
fn row(core: &Attention, tiles: &[(&[i64], i32)]) -> Row {
    let exponential = Exponential::new(core.p_bits).unwrap();
    let mut row = Row::new(1);
    for (logits, v) in tiles {
        row.take(&exponential, logits, &vec![*v; logits.len()]);
    }
    row
}

#[test]
fn sums_reach_their_ends() {
    for (bits, p_bits) in [(8, 8), (8, 16), (16, 12), (16, 16)] {
        let core = Attention { bits, p_bits, ..CORE };
        let top = 1 << (bits - 1);
        let ends = [-top, top - 1].map(|v| row(&core, &[(&[0; 60], v), (&[0; 40], v)]));
        let (least, most) = core.sum_range(100).unwrap();
        assert_eq!([ends[0].sum, ends[1].sum], [most; 2]);
        assert_eq!((ends[0].weighted[0], ends[1].weighted[0]), core.weighted_range(100).unwrap());
        assert_eq!(row(&core, &[(&[1 - 4096], 0)]).sum, least);
    }
    assert_eq!(CORE.sum_range(4096), Ok((32_774 << 8, 4096 * 65_535 * 256)));
    // The widest job there is leaves room in 64 bits.
    assert_eq!(CORE.weighted_range(L_MAX).map(|(low, _)| low), Ok(-(1 << 20) * 65_535 * 256 * 32_768));
}

#[test]
fn the_least_sum_with_the_widest_weights_finds_its_output() {
    // l = 2^15·2^8 and a bit, R almost 2^18, the output as fine as it gets.
    for (output_bits, output_frac) in [(8, 7), (16, 15), (32, 31), (32, 0)] {
        for p_bits in [8, 16] {
            let core = Attention { frac: 0, p_bits, output_bits, output_frac, ..CORE };
            let low = row(&core, &[(&[1 - 4096], -32_768)]);
            let gain = output_frac.into();
            let got = low.finish(gain, core.format()).next();
            let want = core.format().bounds().0.max(-32_768 << gain);
            assert_eq!(got, Some(want), "{core:?}");
        }
    }
}

#[test]
fn refusals_say_what_is_wrong() {
    let job = Job::constant([2, 1, 3, 3, 4], [0; 3]);
    let text = |core: Attention, inputs: &Inputs<'_>| core.run(inputs).unwrap_err().to_string();
    let all = job.inputs();
    for (core, what) in [
        (Attention { bits: 4, ..CORE }, "inputs of 4 bits; 8 and 16 are defined"),
        (Attention { frac: 16, ..CORE }, "16 fraction bits of 16-bit inputs; there are 0 to 15"),
        (Attention { p_bits: 17, ..CORE }, "probabilities of 17 bits; there are 8 to 16"),
        (Attention { output_bits: 24, ..CORE }, "an output of 24 bits; 8, 16 and 32 are defined"),
        (Attention { output_frac: 32, ..CORE }, "32 fraction bits of a 32-bit output; there are 0 to 31"),
        (Attention { tile: 0, ..CORE }, "a tile of 0 keys; it has at least 1"),
    ] {
        assert_eq!(text(core, &all), what);
    }
    let [empty, other] = [[0, 3, 4], [1, 3, 5]].map(|s| tensor(s, vec![0; s.iter().product()]));
    assert!(
        text(CORE, &Inputs { q: &empty, ..all }).starts_with("tensor `q` has shape [0, 3, 4], expected [H, Lq, d]")
    );
    assert!(
        text(CORE, &Inputs { k: &empty, ..all }).starts_with("tensor `k` has shape [0, 3, 4], expected [Hkv, Lk, 4]")
    );
    assert!(text(CORE, &Inputs { k: &other, ..all }).starts_with("tensor `k` has shape [1, 3, 5]"));
    assert_eq!(text(CORE, &Inputs { v: &other, ..all }), "tensor `v` has shape [1, 3, 5], expected [1, 3, 4]");
    let three = tensor([2, 3, 4], vec![0; 24]);
    let heads = Job::constant([3, 2, 3, 3, 4], [0; 3]);
    assert!(text(CORE, &heads.inputs()).starts_with("3 query heads cannot share 2 key heads evenly"));
    let few = Job::constant([1, 1, 3, 2, 4], [0; 3]);
    assert!(
        text(Attention { causal: true, ..CORE }, &few.inputs()).contains("the first of 3 queries sees none of 2 keys")
    );
    assert!(CORE.run(&few.inputs()).is_ok());
    assert!(CORE.run(&Inputs { k: &three, v: &three, ..all }).is_ok());
    let wide = Job::constant([1, 1, 1, 1, 4097], [0; 3]);
    assert_eq!(text(CORE, &wide.inputs()), "4097 columns a head; there are 1 to 4096");
    let long = Job::constant([1, 1, 1, L_MAX + 1, 1], [0; 3]);
    assert_eq!(text(CORE, &long.inputs()), "1048577 queries or keys a head; there are at most 1048576");
    for (at, name) in ["q", "k", "v"].into_iter().enumerate() {
        let mut wrong = job.clone();
        wrong.0[at].data[2] = 128;
        let text = text(Attention { bits: 8, frac: 4, ..CORE }, &wrong.inputs());
        assert_eq!(text, format!("tensor `{name}` holds 128 at index 2, outside -128..=127"));
    }
}

/// Numbers of few and of all bits, ends included: logits that are close together, and far apart.
fn numbers(bits: u32, count: usize) -> impl Strategy<Value = Vec<i64>> {
    let top = 1i64 << (bits - 1);
    let one = prop_oneof![2 => -top..top, 3 => -40..40i64, 1 => Just(-top), 1 => Just(top - 1)];
    prop::collection::vec(one, count)
}

fn cores() -> impl Strategy<Value = Attention> {
    let widths = prop_oneof![Just(8u32), Just(16)];
    let outputs = prop_oneof![Just(8u32), Just(16), Just(32)];
    (widths, outputs, P_BITS, 1usize..9, any::<bool>(), 0u32..32, 0u32..32).prop_map(
        |(bits, output_bits, p_bits, tile, causal, frac, output_frac)| Attention {
            bits,
            frac: frac % bits,
            p_bits,
            output_bits,
            output_frac: output_frac % output_bits,
            tile,
            causal,
        },
    )
}

/// A core with a job: heads that share keys, and no more queries than keys, so that every mask is legal.
fn jobs() -> impl Strategy<Value = (Attention, Job)> {
    (cores(), 1usize..3, 1usize..4, 1usize..5, 0usize..14, 1usize..5).prop_flat_map(
        |(core, kv_heads, group, queries, more, columns)| {
            let sizes = [kv_heads * group, kv_heads, queries, queries + more, columns];
            let counts = [sizes[0] * queries * columns, kv_heads * sizes[3] * columns];
            let [q, k, v] = [counts[0], counts[1], counts[1]].map(|count| numbers(core.bits, count));
            (Just(core), (q, k, v).prop_map(move |(q, k, v)| Job::new(sizes, [q, k, v])))
        },
    )
}

/// Keys of a tile, up to all there ever are.
fn tiles() -> impl Strategy<Value = usize> {
    prop_oneof![1usize..20, Just(usize::MAX)]
}

proptest! {
    #[test]
    fn every_element_is_its_definition((core, job) in jobs()) {
        let o = job.run(&core);
        let [_, queries, d] = *job.0[0].shape.as_slice() else { unreachable!() };
        for (at, o) in o.into_iter().enumerate() {
            let (head, query, column) = (at / d / queries, at / d % queries, at % d);
            prop_assert_eq!(o, by_definition(&core, &job, head, query, column), "{} {} {}", head, query, column);
        }
    }

    /// The number of keys of a tile matters only where the maximum grows after the first: not with the largest key first.
    #[test]
    fn tiles_do_not_matter_while_the_maximum_stands((core, job) in jobs(), tile in tiles()) {
        let core = Attention { causal: false, ..core };
        let mut job = job;
        let [q, k, _] = &mut job.0;
        let d = q.shape[2];
        q.data.iter_mut().for_each(|q| *q = q.abs().min((1 << (core.bits - 1)) - 1));
        for head in k.data.chunks_exact_mut(k.shape[1] * d) {
            for column in 0..d {
                head[column] = head[column..].iter().step_by(d).copied().max().unwrap();
            }
        }
        prop_assert_eq!(job.run(&Attention { tile, ..core }), job.run(&core));
    }

    #[test]
    fn a_causal_query_sees_the_keys_up_to_its_own((core, job) in jobs()) {
        let core = Attention { causal: true, ..core };
        let o = job.run(&core);
        let [q, k, v] = &job.0;
        let [heads, queries, d] = *q.shape.as_slice() else { unreachable!() };
        for query in 0..queries {
            let keys = query + k.shape[1] - queries + 1;
            let cut = |t: &Tensor, range: std::ops::Range<usize>| {
                let heads = t.data.chunks_exact(t.shape[1] * d);
                heads.flat_map(|head| head[range.start * d..range.end * d].to_vec()).collect::<Vec<_>>()
            };
            let alone = Job::new(
                [heads, k.shape[0], 1, keys, d],
                [cut(q, query..query + 1), cut(k, 0..keys), cut(v, 0..keys)],
            );
            let want = alone.run(&Attention { causal: false, ..core });
            let o = Tensor::new(DType::I32, [heads, queries, d], o.clone());
            prop_assert_eq!(cut(&o, query..query + 1), want);
        }
    }

    #[test]
    fn shared_keys_are_repeated_keys((core, job) in jobs()) {
        let [q, k, v] = &job.0;
        let group = q.shape[0] / k.shape[0];
        let repeated = |t: &Tensor| {
            let heads = t.data.chunks_exact(t.shape[1] * t.shape[2]);
            heads.flat_map(|head| head.repeat(group)).collect::<Vec<_>>()
        };
        let sizes = [q.shape[0], q.shape[0], q.shape[1], k.shape[1], q.shape[2]];
        let own = Job::new(sizes, [q.data.clone(), repeated(k), repeated(v)]);
        prop_assert_eq!(own.run(&core), job.run(&core));
    }

    /// In every state, not in the last alone.
    #[test]
    fn no_state_leaves_its_range(
        p_bits in P_BITS, tiles in prop::collection::vec((prop::collection::vec(-60_000i64..60_000, 1..6), -128i32..128), 1..12)
    ) {
        let core = Attention { bits: 8, p_bits, ..CORE };
        let tiles: Vec<(&[i64], i32)> = tiles.iter().map(|(logits, v)| (logits.as_slice(), *v)).collect();
        for end in 1..=tiles.len() {
            let keys = tiles[..end].iter().map(|(logits, _)| logits.len()).sum();
            let state = row(&core, &tiles[..end]);
            let (sums, weights) = (core.sum_range(keys).unwrap(), core.weighted_range(keys).unwrap());
            prop_assert!((sums.0..=sums.1).contains(&state.sum));
            prop_assert!((weights.0..=weights.1).contains(&state.weighted[0]));
        }
    }
}

// Limits of the errors against attention in floating point.

/// One head of unit-normal numbers, its output in floating point, and its integers of 16 bits with 12 of fraction.
fn normal_head(length: usize) -> (Real, Vec<f64>, Job) {
    let real = Real::normal(Sizes { heads: 1, kv_heads: 1, queries: length, keys: length, columns: 64 }, 7);
    let job = Job(real.quantized(16, 12));
    let reference = real.attention(false);
    (real, reference, job)
}

#[test]
fn sixteen_bits_are_within_their_limits() {
    let (real, unquantized, job) = normal_head(1024);
    let same = CORE.real(&job.inputs()).unwrap().attention(false);
    let figures = |output_bits, output_frac| {
        let core = Attention { output_bits, output_frac, tile: 16, ..CORE };
        let output = core.real_output(&job.inputs()).unwrap();
        [&same, &unquantized].map(|reference| real.sizes.figures(&output, reference))
    };
    for (output, most) in [((32, 20), [1e-10, 2e-10]), ((16, 13), [1.5e-9, 1.5e-9])] {
        for (figures, most) in figures(output.0, output.1).iter().zip(most) {
            assert!(figures.mse <= most, "{output:?}: {figures:?}");
            assert!(figures.ssim.is_some_and(|s| s >= 0.9999), "{output:?}: {figures:?}");
        }
    }
}

#[test]
fn figures_follow_the_fraction_bits_and_the_heads() {
    // A query of zeros weighs its keys equally: their mean, 0.5 and -0.25 with 4 fraction bits, half of it with 5.
    let job = Job::new([2, 2, 1, 2, 1], [vec![0, 0], vec![0; 4], vec![0, 16, -8, 0]]);
    for (frac, unit) in [(4, 1.0), (5, 2.0)] {
        let core = Attention { frac, output_bits: 8, output_frac: 5, ..CORE };
        let real = core.real(&job.inputs()).unwrap();
        assert_eq!(real.v, [0.0, 1.0 / unit, -0.5 / unit, 0.0]);
        assert_eq!(real.attention(true), [0.5 / unit, -0.25 / unit]);
        assert_eq!(core.real_output(&job.inputs()).unwrap(), [0.5 / unit, -0.25 / unit]);
        let figures = real.sizes.figures(&[0.5, 0.25], &[0.0, 0.25]);
        assert!((figures.mse - 0.125).abs() < 1e-15 && figures.ssim.is_none());
    }
    let real = Real { q: vec![0.3125], k: vec![9.0], v: vec![-9.0], ..Real::normal(SMALL, 1) };
    assert_eq!(real.quantized(8, 3).map(|t| t.data), [vec![2], vec![72], vec![-72]]);
    assert_eq!(real.quantized(8, 4).map(|t| t.data), [vec![5], vec![127], vec![-128]]);
}

const SMALL: Sizes = Sizes { heads: 1, kv_heads: 1, queries: 1, keys: 1, columns: 1 };
