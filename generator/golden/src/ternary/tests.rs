//! The product against definitions written differently: element by element, in wide integers, from counted steps.

use super::*;
use crate::rounding::requantize;
use proptest::prelude::*;

fn tensor(dtype: DType, shape: &[usize], data: Vec<i64>) -> Tensor {
    Tensor::new(dtype, shape, data)
}

/// A repeatable sequence of numbers in a range.
fn numbers(seed: u64, count: usize, min: i64, max: i64) -> Vec<i64> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            min + ((state >> 33) as i64).rem_euclid(max - min + 1)
        })
        .collect()
}

fn inputs<'a>(x: &'a Tensor, w: &'a Tensor) -> Inputs<'a> {
    Inputs { x, w, mult: None, shift: None, zero_point: None }
}

/// One accumulator by counting the signs.
fn accumulator(x: &[i64], w: &[i64]) -> i64 {
    let plus: i64 = x.iter().zip(w).filter(|(_, w)| **w == 1).map(|(x, _)| x).sum();
    let minus: i64 = x.iter().zip(w).filter(|(_, w)| **w == -1).map(|(x, _)| x).sum();
    plus - minus
}

const INT8: OutputFormat = OutputFormat { bits: 8, narrow: false };

#[test]
fn product_by_hand() {
    let x = tensor(DType::I8, &[2, 3], vec![1, 2, 3, -4, 5, -128]);
    let w = tensor(DType::I8, &[2, 3], vec![1, 0, -1, -1, -1, -1]);
    let y = TernaryGemm { planes: 1, output: Output::Int32 }.run(&inputs(&x, &w)).unwrap();
    assert_eq!(y, tensor(DType::I32, &[2, 2], vec![-2, -6, 124, 127]));
}

#[test]
fn extremes_are_exact_beyond_one_chunk() {
    let k = 70_000;
    let x = tensor(DType::I16, &[1, k], vec![-32_768; k]);
    let w = tensor(DType::I8, &[1, k], vec![-1; k]);
    let y = TernaryGemm { planes: 1, output: Output::Int32 }.run(&inputs(&x, &w)).unwrap();
    assert_eq!(y.data, [32_768 * 70_000]);
}

#[test]
fn two_planes_of_int32_are_stacked() {
    let x = tensor(DType::I8, &[1, 2], vec![3, 5]);
    let w = tensor(DType::I8, &[2, 1, 2], vec![1, 1, 0, -1]);
    let y = TernaryGemm { planes: 2, output: Output::Int32 }.run(&inputs(&x, &w)).unwrap();
    assert_eq!(y, tensor(DType::I32, &[2, 1, 1], vec![8, -5]));
}

#[test]
fn two_planes_round_once() {
    // 1·1 + 1·1 over 2^1 is 1; rounding 0.5 twice to even would give 0.
    let x = tensor(DType::I8, &[1, 1], vec![1]);
    let w = tensor(DType::I8, &[2, 1, 1], vec![1, 1]);
    let mult = tensor(DType::U16, &[2, 1], vec![1, 1]);
    let requant = Requant { format: INT8, rounding: Rounding::HalfEven, shift: Some(1), m_lanes: 1, batch: 1 };
    let gemm = TernaryGemm { planes: 2, output: Output::Requant(requant) };
    let y = gemm.run(&Inputs { mult: Some(&mult), ..inputs(&x, &w) }).unwrap();
    assert_eq!(y, tensor(DType::I8, &[1, 1], vec![1]));
}

#[test]
fn a_large_layer_takes_a_blink() {
    let (t, k, m) = (4, 2560, 2560);
    let x = tensor(DType::I8, &[t, k], numbers(1, t * k, -128, 127));
    let w = tensor(DType::I8, &[m, k], numbers(2, m * k, -1, 1));
    let start = std::time::Instant::now();
    let y = TernaryGemm { planes: 1, output: Output::Int32 }.run(&inputs(&x, &w)).unwrap();
    assert!(start.elapsed().as_secs_f64() < 2.0, "took {:?}", start.elapsed());
    let (t, row) = (3, 2559);
    assert_eq!(y.data[t * m + row], accumulator(&x.data[t * k..][..k], &w.data[row * k..][..k]));
}

#[test]
fn refusals_name_the_tensor() {
    let gemm = TernaryGemm { planes: 1, output: Output::Int32 };
    let x = tensor(DType::I8, &[1, 2], vec![1, 2]);
    let text = |x: &Tensor, w: &Tensor| gemm.run(&inputs(x, w)).unwrap_err().to_string();
    assert_eq!(text(&x, &tensor(DType::I8, &[1, 3], vec![0; 3])), "tensor `w` has shape [1, 3], expected [M, 2]");
    assert_eq!(text(&x, &tensor(DType::I8, &[1, 2], vec![0, 2])), "tensor `w` holds 2 at index 1, outside -1..=1");
    let empty = tensor(DType::I8, &[0, 2], vec![]);
    assert!(text(&empty, &tensor(DType::I8, &[1, 2], vec![0, 0])).contains("`x`"));
    let requant = Requant { format: INT8, rounding: Rounding::HalfEven, shift: None, m_lanes: 1, batch: 1 };
    let gemm = TernaryGemm { planes: 1, output: Output::Requant(requant) };
    let w = tensor(DType::I8, &[2, 2], vec![0; 4]);
    assert_eq!(gemm.run(&inputs(&x, &w)).unwrap_err(), ArgumentError::Missing("mult").into());
    let mult = tensor(DType::U16, &[3], vec![1; 3]);
    let shift = tensor(DType::U8, &[1], vec![48]);
    let bound = Inputs { mult: Some(&mult), shift: Some(&shift), ..inputs(&x, &w) };
    assert!(gemm.run(&bound).unwrap_err().to_string().contains("outside 0..=47"));
    let shift = tensor(DType::U8, &[1], vec![4]);
    let bound = Inputs { mult: Some(&mult), shift: Some(&shift), ..inputs(&x, &w) };
    assert!(gemm.run(&bound).unwrap_err().to_string().contains("expected [2] or [1]"));
}

#[derive(Clone, Debug)]
struct Case {
    sizes: (usize, usize, usize),
    planes: usize,
    per_row: bool,
    runtime_shift: bool,
    zero_point: bool,
    rounding: Rounding,
    lanes: (usize, usize),
    seed: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let sizes = (1usize..7, 1usize..20, 1usize..9);
    let flags = (1usize..3, any::<bool>(), any::<bool>(), any::<bool>(), 0usize..5);
    (sizes, flags, (1usize..5, 1usize..4), any::<u64>()).prop_map(|(sizes, flags, lanes, seed)| Case {
        sizes,
        planes: flags.0,
        per_row: flags.1,
        runtime_shift: flags.2,
        zero_point: flags.3,
        rounding: Rounding::ALL[flags.4],
        lanes,
        seed,
    })
}

/// r of an element from the number of steps that its beat comes after.
fn drawn(case: &Case, t: usize, m: usize, shift: u32) -> Random {
    let (m_lanes, batch) = case.lanes;
    let tiles = case.sizes.2.div_ceil(m_lanes);
    let steps = ((t / batch) * tiles + m / m_lanes) * batch + t % batch;
    let mut state = ((m % m_lanes + 1) * 0x9E37) as u16;
    for _ in 0..steps {
        let bit = |n: u32| state >> (n - 1) & 1;
        state = state << 1 | (bit(16) ^ bit(15) ^ bit(13) ^ bit(4));
    }
    let bits = shift.min(16);
    Random { value: u32::from(state) >> (16 - bits), bits }
}

fn check(case: &Case) -> Result<(), TestCaseError> {
    let (t, k, m) = case.sizes;
    let rows = if case.per_row { m } else { 1 };
    let planes = |shape: &[usize]| if case.planes == 2 { [&[2], shape].concat() } else { shape.to_vec() };
    let x = tensor(DType::I8, &[t, k], numbers(case.seed, t * k, -128, 127));
    let w = tensor(DType::I8, &planes(&[m, k]), numbers(case.seed ^ 1, case.planes * m * k, -1, 1));
    let mult = tensor(DType::U16, &planes(&[rows]), numbers(case.seed ^ 2, case.planes * rows, 0, 65_535));
    let shift = tensor(DType::U8, &[rows], numbers(case.seed ^ 3, rows, 10, 26));
    let zp = tensor(DType::I8, &[rows], numbers(case.seed ^ 4, rows, -128, 127));
    let requant = Requant {
        format: INT8,
        rounding: case.rounding,
        shift: (!case.runtime_shift).then_some(19),
        m_lanes: case.lanes.0,
        batch: case.lanes.1,
    };
    let y = TernaryGemm { planes: case.planes, output: Output::Requant(requant) }
        .run(&Inputs {
            x: &x,
            w: &w,
            mult: Some(&mult),
            shift: case.runtime_shift.then_some(&shift),
            zero_point: case.zero_point.then_some(&zp),
        })
        .unwrap();
    for (ti, mi) in (0..t).flat_map(|ti| (0..m).map(move |mi| (ti, mi))) {
        let row = if case.per_row { mi } else { 0 };
        let s = if case.runtime_shift { shift.data[row] as u32 } else { 19 };
        let zero = if case.zero_point { zp.data[row] } else { 0 };
        let acc = |p: usize| accumulator(&x.data[ti * k..][..k], &w.data[(p * m + mi) * k..][..k]);
        // One product with the multiplier 1 stands for the sum over the planes.
        let sum: i64 = (0..case.planes).map(|p| acc(p) * mult.data[p * rows + row]).sum();
        let expected = requantize(sum, 1, s, zero, INT8, case.rounding, Some(drawn(case, ti, mi, s)));
        prop_assert_eq!(y.data[ti * m + mi], expected, "at ({}, {})", ti, mi);
    }
    Ok(())
}

proptest! {
    #[test]
    fn requantized_products_match_the_definition(case in cases()) {
        check(&case)?;
    }

    #[test]
    fn int32_products_match_counting(sizes in (1usize..6, 1usize..70, 1usize..9), planes in 1usize..3, seed: u64) {
        let (t, k, m) = sizes;
        let x = tensor(DType::I16, &[t, k], numbers(seed, t * k, -32_768, 32_767));
        let shape = if planes == 2 { vec![2, m, k] } else { vec![m, k] };
        let w = tensor(DType::I8, &shape, numbers(seed ^ 9, planes * m * k, -1, 1));
        let y = TernaryGemm { planes, output: Output::Int32 }.run(&inputs(&x, &w)).unwrap();
        for p in 0..planes {
            for (ti, mi) in (0..t).flat_map(|ti| (0..m).map(move |mi| (ti, mi))) {
                let expected = accumulator(&x.data[ti * k..][..k], &w.data[(p * m + mi) * k..][..k]);
                prop_assert_eq!(y.data[(p * t + ti) * m + mi], expected);
            }
        }
    }
}
