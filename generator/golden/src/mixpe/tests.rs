//! The product against its definition over single weights in wide integers, at its extremes and with every rounding.

use proptest::prelude::*;

use super::*;

fn tensor(dtype: DType, shape: [usize; 2], data: Vec<i64>) -> Tensor {
    Tensor::new(dtype, shape, data)
}

fn row(dtype: DType, data: &[i64]) -> Tensor {
    Tensor::new(dtype, [data.len()], data.to_vec())
}

/// x, w, z and s of a job.
#[derive(Clone, Debug)]
struct Job([Tensor; 4]);

impl Job {
    fn new(group: usize, [t, k, m]: [usize; 3], [x, w, z, s]: [Vec<i64>; 4]) -> Self {
        let groups = k.div_ceil(group);
        Self([
            tensor(DType::I16, [t, k], x),
            tensor(DType::U8, [m, k], w),
            tensor(DType::U8, [m, groups], z),
            tensor(DType::U16, [m, groups], s),
        ])
    }

    /// The same four numbers everywhere.
    fn constant(group: usize, sizes: [usize; 3], [x, w, z, s]: [i64; 4]) -> Self {
        let [t, k, m] = sizes;
        let groups = k.div_ceil(group);
        Self::new(group, sizes, [vec![x; t * k], vec![w; m * k], vec![z; m * groups], vec![s; m * groups]])
    }

    fn inputs(&self) -> Inputs<'_> {
        let [x, w, z, s] = &self.0;
        Inputs { x, w, z, s, mult: None, shift: None, zero_point: None }
    }

    /// Every weight brought to its real size before the product: Σ_k a·(u - z)·S.
    fn by_definition(&self, group: usize) -> Vec<i128> {
        let [x, w, z, s] = &self.0;
        let (t, k, m) = (x.shape[0], x.shape[1], w.shape[0]);
        let wide = |tensor: &Tensor, row: usize, column: usize| i128::from(tensor.data[row * tensor.shape[1] + column]);
        let weight = |m: usize, k: usize| (wide(w, m, k) - wide(z, m, k / group)) * wide(s, m, k / group);
        let element = |t: usize, m: usize| (0..k).map(|k| wide(x, t, k) * weight(m, k)).sum();
        (0..t * m).map(|at| element(at / m, at % m)).collect()
    }
}

fn exact(act_bits: u32, group: usize) -> Mixpe {
    Mixpe { act_bits, group, requant: None }
}

#[test]
fn by_hand_with_a_short_last_group() {
    let job = Job::new(2, [1, 3, 1], [vec![1, -2, 3], vec![15, 0, 4], vec![8, 16], vec![10, 100]]);
    // Group 0: acc 15, A -1, c 15 + 8 = 23. Group 1, one column: acc 12, A 3, c 12 - 48 = -36.
    let y = exact(8, 2).run(&job.inputs()).unwrap();
    assert_eq!(y, tensor(DType::I64, [1, 1], vec![23 * 10 - 36 * 100]));
}

#[test]
fn extremes_reach_the_proven_range_and_do_not_leave_it() {
    let (group, k) = (128, 300);
    for act_bits in [8, 16] {
        let (low, high) = Mixpe::range(act_bits, k).unwrap();
        let mut seen = (0, 0);
        let top = 1 << (act_bits - 1);
        for a in [-top, top - 1] {
            for (u, z) in [(0, 0), (15, 0), (0, 16), (15, 16)] {
                let job = Job::constant(group, [2, k, 2], [a, u, z, 65_535]);
                let y = exact(act_bits, group).run(&job.inputs()).unwrap().data;
                assert_eq!(y, [a * (u - z) * 65_535 * k as i64; 4]);
                seen = (seen.0.min(y[0]), seen.1.max(y[0]));
            }
        }
        assert_eq!(seen, (low, high), "{act_bits}");
    }
}

#[test]
fn sixty_four_bits_hold_what_they_hold() {
    assert_eq!(Mixpe::range(8, 1), Some((-65_535 * 2032, 65_535 * 2048)));
    let k = i64::MAX / 65_535 / (1 << 19);
    assert!(Mixpe::range(16, k as usize).is_some());
    assert_eq!(Mixpe::range(16, k as usize + 1), None);
    assert_eq!(Mixpe::range(8, usize::MAX), None);
}

#[test]
fn refusals_name_the_tensor() {
    let job = Job::constant(2, [1, 3, 1], [0; 4]);
    let text = |core: Mixpe, inputs: &Inputs<'_>| core.run(inputs).unwrap_err().to_string();
    let core = exact(8, 2);
    assert_eq!(text(exact(4, 2), &job.inputs()), "activations of 4 bits; 8 and 16 are defined");
    assert_eq!(text(exact(8, 0), &job.inputs()), "a group of 0 columns has no scale; it has at least 1");
    let one = tensor(DType::U8, [1, 1], vec![0]);
    assert_eq!(text(core, &Inputs { z: &one, ..job.inputs() }), "tensor `z` has shape [1, 1], expected [1, 2]");
    assert!(text(core, &Inputs { w: &one, ..job.inputs() }).starts_with("tensor `w` has shape [1, 1]"));
    assert!(text(core, &Inputs { x: &row(DType::I8, &[0]), ..job.inputs() }).starts_with("tensor `x`"));
    for (at, value, what) in [(0, 128, "-128..=127"), (1, 16, "0..=15"), (2, 17, "0..=16"), (3, 65_536, "0..=65535")] {
        let mut wrong = job.clone();
        wrong.0[at].data[1] = value;
        let text = text(core, &wrong.inputs());
        assert!(text.ends_with(&format!("holds {value} at index 1, outside {what}")), "{text}");
    }
    let requant = Requant { format: FORMAT, rounding: Rounding::HalfEven, shift: Some(1), lanes: 0, t_block: 1 };
    assert!(text(Mixpe { requant: Some(requant), ..core }, &job.inputs()).contains("0 lanes"));
    let requant = Requant { lanes: 1, ..requant };
    assert_eq!(text(Mixpe { requant: Some(requant), ..core }, &job.inputs()), "the job needs the tensor `mult`");
}

const FORMAT: OutputFormat = OutputFormat { bits: 8, narrow: false };

#[test]
fn the_widest_product_is_requantized_without_overflow() {
    let job = Job::constant(128, [1, 4096, 1], [-32_768, 0, 16, 65_535]);
    let mult = row(DType::U16, &[65_535]);
    for rounding in Rounding::ALL {
        let requant = Requant { format: FORMAT, rounding, shift: Some(47), lanes: 4, t_block: 2 };
        let core = Mixpe { act_bits: 16, group: 128, requant: Some(requant) };
        let y = core.run(&Inputs { mult: Some(&mult), ..job.inputs() }).unwrap();
        assert_eq!(y, tensor(DType::I8, [1, 1], vec![127]));
    }
}

fn jobs() -> impl Strategy<Value = (u32, usize, Job)> {
    let sizes = (prop_oneof![Just(8u32), Just(16)], 1usize..9, [1usize..6, 1..30, 1..7]);
    sizes.prop_flat_map(|(act_bits, group, [t, k, m])| {
        let (top, groups) = (1i64 << (act_bits - 1), k.div_ceil(group));
        let numbers = |count: usize, min: i64, max: i64| {
            prop::collection::vec(prop_oneof![4 => min..=max, 1 => Just(min), 1 => Just(max)], count)
        };
        let parts = (
            numbers(t * k, -top, top - 1),
            numbers(m * k, 0, MAX_WEIGHT),
            numbers(m * groups, 0, MAX_ZERO),
            numbers(m * groups, 0, MAX_SCALE),
        );
        parts.prop_map(move |(x, w, z, s)| (act_bits, group, Job::new(group, [t, k, m], [x, w, z, s])))
    })
}

/// r of an element, from the number of beats that went before its own.
fn drawn(requant: &Requant, [rows, columns]: [usize; 2], t: usize, m: usize, shift: u32) -> Random {
    let tiles = columns.div_ceil(requant.lanes);
    let first = t / requant.t_block * requant.t_block;
    let height = requant.t_block.min(rows - first);
    let beats = first * tiles + m / requant.lanes * height + (t - first);
    let mut state = ((m % requant.lanes + 1) * 0x9E37) as u16;
    for _ in 0..beats {
        let bit = |n: u32| state >> (n - 1) & 1;
        state = state << 1 | (bit(16) ^ bit(15) ^ bit(13) ^ bit(4));
    }
    let bits = shift.min(16);
    Random { value: u32::from(state) >> (16 - bits), bits }
}

proptest! {
    #[test]
    fn groups_give_what_single_weights_give((act_bits, group, job) in jobs()) {
        let y = exact(act_bits, group).run(&job.inputs()).unwrap();
        let got: Vec<i128> = y.data.iter().map(|v| i128::from(*v)).collect();
        prop_assert_eq!(got, job.by_definition(group));
    }

    #[test]
    fn requantized_once_at_the_end(
        (act_bits, group, job) in jobs(),
        name in 0usize..5,
        (lanes, t_block) in (1usize..5, 1usize..4),
        (bits, narrow) in (prop_oneof![Just(8u32), Just(16)], any::<bool>()),
        mult in 1i64..=65_535,
        shifts in prop::collection::vec(0i64..=47, 6),
        (runtime, zp) in (any::<bool>(), -128i64..=127),
    ) {
        let [rows, columns] = [job.0[0].shape[0], job.0[1].shape[0]];
        let (format, rounding) = (OutputFormat { bits, narrow }, Rounding::ALL[name]);
        let constant = (!runtime).then_some(shifts[0] as u32);
        let requant = Requant { format, rounding, shift: constant, lanes, t_block };
        let (mult, zp) = (row(DType::U16, &[mult]), row(DType::I8, &[zp]));
        let shift = row(DType::U8, &shifts[..columns]);
        let inputs = Inputs { mult: Some(&mult), shift: Some(&shift), zero_point: Some(&zp), ..job.inputs() };
        let y = Mixpe { act_bits, group, requant: Some(requant) }.run(&inputs).unwrap();
        prop_assert_eq!(y.dtype, if bits == 8 { DType::I8 } else { DType::I16 });
        for (at, value) in job.by_definition(group).into_iter().enumerate() {
            let (t, m) = (at / columns, at % columns);
            let s = if runtime { shifts[m] } else { shifts[0] } as u32;
            let random = drawn(&requant, [rows, columns], t, m, s);
            let rounded = crate::shift_round(value * i128::from(mult.data[0]), s, rounding, Some(random));
            let expected = crate::saturate(rounded + i128::from(zp.data[0]), format);
            prop_assert_eq!(y.data[at], expected, "({}, {})", t, m);
        }
    }
}
