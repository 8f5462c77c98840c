//! Softmax against its definitions written out in signed integers, its bounds, and its accuracy.

use super::accuracy::{Rows, scales, sweep};
use super::*;
use proptest::prelude::*;

fn tensor(rows: usize, data: &[i64]) -> Tensor {
    Tensor::new(DType::I32, [rows, data.len() / rows], data.to_vec())
}

fn exponential(method: Method, scale: f64) -> Exponential {
    method.exponential(scale).unwrap_or_else(|e| panic!("{method} at {scale}: {e}"))
}

fn model(method: Method, scale: f64, output: Output) -> Softmax {
    let exponential = exponential(method, scale);
    let (passes, output) = match exponential {
        Exponential::ItaMax => (Passes::Two { lanes: 16 }, Output::U8),
        _ => (Passes::Three, output),
    };
    Softmax { exponential, passes, output, n_max: 4096 }
}

fn run(model: &Softmax, x: &[i64]) -> Outputs {
    model.run(&tensor(1, x)).unwrap_or_else(|e| panic!("{e}"))
}

/// Methods whose e(d) has no fixed scale.
fn scaled() -> impl Iterator<Item = Method> {
    Method::ALL.into_iter().filter(|m| m.own_scale().is_none())
}

// The definitions as their sources write them, with x = -d and x0 negative.

fn linmax(d: i128, x0: i128, b: i128, n: i128) -> i128 {
    let xi = (-d).max(n * x0);
    let q = (-xi).div_euclid(-x0);
    let r = xi - x0 * q;
    assert!(x0 < r && r <= 0 && q >= 0);
    0.max((r + b) << (n - q))
}

fn ibert(d: i128, x0: i128, (b, c): (i128, i128), n: i128) -> i128 {
    let xi = (-d).max(n * x0);
    let q = (-xi).div_euclid(-x0);
    let r = xi - x0 * q;
    ((r + b) * r + c) << (n - q)
}

fn shift_exp(d: i128, x0: i128, n: i128) -> i128 {
    let x = -d;
    let p = (x + (x >> 1) - (x >> 4)).max(n * x0);
    let q = p / x0;
    let r = p - q * x0;
    ((r >> 1) - x0) << (n - q)
}

/// floor(a / 2^shift + 1/2) by rationals.
fn half_up(a: i128, shift: i128) -> i128 {
    if shift > 100 { 0 } else { (2 * a + (1 << shift)).div_euclid(2 << shift) }
}

fn linmax_plus(d: i128, c: i128, (a, b): (i128, i128)) -> i128 {
    let t = d * c;
    half_up((b << 16) - a * (t % 65_536), 16 + t / 65_536)
}

fn pwl(d: i128, c: i128, y: &[u64]) -> i128 {
    let k = y.len() as i128 - 1;
    let t = d * c;
    let (f, width) = (t % 65_536, 65_536 / k);
    let (i, g) = ((f / width) as usize, f % width);
    let at = |i: usize| i128::from(y[i]);
    half_up(at(i) * width - (at(i) - at(i + 1)) * g, i128::from(width.ilog2()) + t / 65_536)
}

fn by_definition(exponential: &Exponential, d: u64) -> i128 {
    let d = d.into();
    let wide = |v: u64| i128::from(v);
    match exponential {
        Exponential::LinMax(m) => linmax(d, -wide(m.octave), wide(m.intercept), m.n.into()),
        Exponential::LinMaxPlus(m) => linmax_plus(d, m.step.into(), (wide(m.slope), wide(m.intercept))),
        Exponential::ExpTable(m) => m.values.get(d as usize).map_or(0, |v| wide(*v)),
        Exponential::Base2(m) => {
            let steps = m.values.len() as i128;
            half_up(wide(m.values[(d % steps) as usize]), d / steps)
        }
        Exponential::Pwl(m) => pwl(d, m.step.into(), &m.points),
        Exponential::IBert(m) => ibert(d, -wide(m.octave), (wide(m.linear), wide(m.constant)), m.n.into()),
        Exponential::ShiftMax(m) => shift_exp(d, -wide(m.octave), m.n.into()),
        Exponential::ItaMax => 256 >> half_up(d, 5).min(100),
    }
}

/// Differences that reach every row of an octave, the last entry of a table, and the ends of int16 and int32.
fn differences() -> impl Iterator<Item = u64> {
    let ends = [4096, 65_534, 65_535, 65_536, (1 << 32) - 2, (1 << 32) - 1];
    (0..2000).chain(ends)
}

#[test]
fn exponentials_are_their_definitions() {
    for method in Method::ALL {
        for scale in [0.02, 0.05, 0.0625, 0.1, 0.2, 0.5, 0.68, 0.69, 0.7, 1.3, 1e-4] {
            let e = exponential(method, scale);
            for d in differences() {
                assert_eq!(i128::from(e.at(d)), by_definition(&e, d), "{method} at {scale}: e({d})");
            }
        }
    }
}

#[test]
fn constants_by_hand() {
    // 0.6931 / 0.05 = 13.86, 1.35474 / 0.05 = 27.09; 2.70735 / 0.05 = 54.1, 2.79212 / 0.0025 = 1116.8.
    let (octave, n) = (14, 30);
    assert_eq!(LinMax::new(0.05, 30), Ok(LinMax { octave, intercept: 27, n }));
    assert_eq!(IBert::new(0.05, 30), Ok(IBert { octave, linear: 54, constant: 1116, n }));
    // The double next to 0.05 is above it, so that 1 / s is below 20; 1 / 0.0625 is 16.
    assert_eq!(ShiftMax::new(0.05, 16), Ok(ShiftMax { octave: 20, n: 16 }));
    assert_eq!(ShiftMax::new(0.0625, 16), Ok(ShiftMax { octave: 17, n: 16 }));
    // 0.0625 · 1.442695 · 65536 = 5909.28; 0.49616 · 2^18 = 130065.4; 0.96972 · 2^18 = 254206.3.
    assert_eq!(LinMaxPlus::new(0.0625, 18), Ok(LinMaxPlus { step: 5909, slope: 130_065, intercept: 254_206 }));
    assert_eq!(Pwl::new(0.0625, 8, 2), Ok(Pwl { step: 5909, points: vec![255, 180, 128] }));
    assert_eq!(Base2::table(3, 8).map(|m| m.values), Ok(vec![255, 234, 214, 197, 180, 165, 152, 139]));
    assert_eq!(Base2::line(3, 8).map(|m| m.values), Ok(vec![256, 240, 224, 208, 192, 176, 160, 144]));
    // Fine scales show every digit of the constants, coarse ones those of log2(e).
    let fine = 2f64.powi(-30);
    assert_eq!(LinMax::new(fine, 1), Ok(LinMax { octave: 744_210_459, intercept: 1_454_615_347, n: 1 }));
    let (linear, constant) = (2_838_835, 3_069_962_627_197);
    assert_eq!(IBert::new(2f64.powi(-20), 1), Ok(IBert { octave: 726_769, linear, constant, n: 1 }));
    assert_eq!(LinMaxPlus::new(150.0, 18).map(|m| m.step), Ok(14_182_269));
    let table = ExpTable::new(0.05, 18).unwrap().values;
    // exp(-0.05) · 262143 = 249358.1; exp(-12.75) · 262143 = 0.76.
    assert_eq!((table.len(), table[0], table[1], table[255]), (256, 262_143, 249_358, 1));
}

/// The temperature of `linmax` is off by the rounding of ln2 / s: the figures of the documentation.
#[test]
fn the_octave_of_linmax_is_rounded_up() {
    let error = |s: f64| LinMax::new(s, 8).unwrap().octave as f64 * s / std::f64::consts::LN_2 - 1.0;
    assert!((error(0.05) - 0.0099).abs() < 1e-4 && (error(0.5) - 0.4427).abs() < 1e-4);
}

#[test]
fn no_exponential_is_above_its_start_and_some_never_rise() {
    for method in Method::ALL {
        for scale in [1e-4, 0.02, 0.0311, 0.05, 0.2, 0.69, 1.3] {
            let e = exponential(method, scale);
            let falls = !matches!(method, Method::LinMax { .. } | Method::LinMaxPlus { .. } | Method::IBert { .. });
            assert!(e.largest() > 0);
            let mut before = e.largest();
            for d in differences() {
                let now = e.at(d);
                assert!(now <= if falls { before } else { e.largest() }, "{method} at {scale}: e({d})");
                before = now;
            }
        }
    }
}

#[test]
fn widths_hold_the_widest_row_and_no_more() {
    let bits = |method, scale, n_max| {
        let widths = Softmax { n_max, ..model(method, scale, Output::Raw) }.widths().unwrap();
        (widths.exponential_bits(), widths.sum_bits())
    };
    // b = 67 and 6 at n = 30.
    assert_eq!(bits(Method::LinMax { n: 30 }, 0.02, 4096), (37, 49));
    assert_eq!(bits(Method::LinMax { n: 30 }, 0.2, 1), (33, 33));
    assert_eq!(bits(Method::ExpTable { width: 18 }, 0.05, 1024), (18, 28));
    assert_eq!(bits(Method::Base2 { octave_bits: 4, width: 18, line: true }, 0.05, 1024), (19, 29));
    assert_eq!(bits(Method::ItaMax, 0.05, 1), (9, 9));
}

#[test]
fn what_does_not_fit_is_refused_with_what_does() {
    let text = |method: Method, scale: f64| method.exponential(scale).unwrap_err().to_string();
    assert!(text(Method::LinMax { n: 30 }, 1.36).contains("1.3547 at most"));
    assert!(Method::LinMax { n: 30 }.exponential(1.3547).is_ok());
    assert!(text(Method::IBert { n: 30 }, 1.68).contains("1.6710 at most"));
    assert!(text(Method::LinMax { n: 57 }, 0.02).contains("outside 1..=56"));
    assert!(text(Method::LinMax { n: 0 }, 0.02).contains("outside 1..=56"));
    assert!(Method::LinMax { n: 56 }.exponential(0.02).is_ok());
    assert!(text(Method::IBert { n: 1 }, 1e-10).contains("too fine"));
    assert!(text(Method::ShiftMax { n: 1 }, 1e-300).contains("too fine"));
    assert!(text(Method::ShiftMax { n: 1 }, 2f64.powi(-63)).contains("too fine"));
    assert!(text(Method::LinMaxPlus { width: 18 }, 1e-6).contains("5.288e-6 to 177.4"));
    assert!(Method::LinMaxPlus { width: 18 }.exponential(177.4).is_ok());
    assert!(text(Method::Pwl { width: 18, segments: 3 }, 0.05).contains("1, 2, 4 or 8"));
    assert!(text(Method::ExpTable { width: 25 }, 0.05).contains("8..=24"));
    assert!(text(Method::Base2 { octave_bits: 5, width: 18, line: false }, 0.05).contains("2^3 or 2^4"));
    for scale in [0.0, -0.05, f64::NAN, f64::INFINITY] {
        for method in scaled() {
            assert!(matches!(method.exponential(scale), Err(ExponentialError::NotPositive(_))), "{method}");
        }
    }
    let wide = Softmax { n_max: 129, ..model(Method::LinMax { n: 56 }, 0.05, Output::Raw) };
    // 27·2^56 fits 4 times into 2^63.
    assert_eq!(wide.widths(), Err(SoftmaxError::Sum { exponential: 27 << 56, n_max: 129, longest: 4 }));
    assert!(Softmax { n_max: 4, ..wide }.widths().is_ok());
}

#[test]
fn walks_that_are_not_defined_are_refused() {
    let base2 = model(Method::Base2 { octave_bits: 4, width: 18, line: false }, 0.05, Output::U8);
    let lanes = 4;
    let with = |model: &Softmax, passes, output| Softmax { passes, output, ..model.clone() }.widths().unwrap_err();
    assert_eq!(with(&base2, Passes::One { lanes }, Output::U8), SoftmaxError::Unnormalised);
    assert_eq!(with(&base2, Passes::Two { lanes: 0 }, Output::U8), SoftmaxError::Empty);
    let table = model(Method::ExpTable { width: 18 }, 0.05, Output::U8);
    assert_eq!(with(&table, Passes::Two { lanes }, Output::U8), SoftmaxError::Passes("exp-table"));
    let ita = model(Method::ItaMax, 0.05, Output::U8);
    assert_eq!(with(&ita, Passes::Three, Output::U8), SoftmaxError::ItaMax);
    assert_eq!(with(&ita, Passes::Two { lanes: 16 }, Output::Raw), SoftmaxError::ItaMax);
    let refused = |model: &Softmax, shape: &[usize], x: Vec<i64>| {
        model.run(&Tensor::new(DType::I32, shape, x)).unwrap_err().to_string()
    };
    assert!(refused(&table, &[4097], vec![0; 4097]).contains("[R, N]"));
    assert!(refused(&table, &[1, 4097], vec![0; 4097]).contains("1..=4096"));
    assert!(refused(&table, &[0, 4], vec![]).contains("[R, N]"));
    assert!(refused(&table, &[1, 2], vec![0, 1 << 31]).contains("holds 2147483648 at index 1"));
    assert!(refused(&ita, &[1, 1], vec![128]).contains("-128..=127"));
}

/// Rows that hide shift and width faults when they are left out.
fn corners() -> Vec<Vec<i64>> {
    let alternating = |n: usize| (0..n).map(|i| if i % 2 == 0 { -128 } else { 127 }).collect::<Vec<i64>>();
    let mut dominant = vec![-128; 4096];
    dominant[1234] = 127;
    let mut late = vec![-100; 33];
    late[32] = 127;
    vec![
        vec![0],
        vec![-128],
        vec![127, -128],
        vec![-128, 127],
        vec![5; 197],
        vec![-128; 4096],
        vec![127; 4096],
        alternating(4096),
        alternating(17),
        dominant,
        late,
        (0..256).map(|i| i - 128).collect(),
        (0..256).map(|i| 127 - i).collect(),
        (0..1000).map(|i| (i * 7919) % 251 - 125).collect(),
    ]
}

/// Ends of int32, for methods other than `itamax`.
fn wide_corners() -> Vec<Vec<i64>> {
    let (low, high) = (i32::MIN.into(), i32::MAX.into());
    vec![vec![low, high], vec![high; 3], vec![low; 4096], vec![low, 0, high, high - 1, high - 255, high - 256]]
}

fn all_corners(method: Method) -> Vec<Vec<i64>> {
    let wide = if method == Method::ItaMax { vec![] } else { wide_corners() };
    [corners(), wide].concat()
}

/// Numerator and denominator of a row's probabilities from the definitions.
fn exact_row(e: &Exponential, x: &[i64]) -> (Vec<i128>, i128) {
    let max = x.iter().max().unwrap();
    let e: Vec<i128> = x.iter().map(|v| by_definition(e, (max - v) as u64)).collect();
    let sum = e.iter().sum();
    (e, sum)
}

#[test]
fn raw_rows_are_exponentials_and_their_sum() {
    for method in scaled().chain([Method::ALL[3]]) {
        for x in all_corners(method) {
            let out = run(&model(method, 0.05, Output::Raw), &x);
            let (e, sum) = exact_row(&exponential(method, 0.05), &x);
            assert!(out.y.data.iter().map(|v| i128::from(*v)).eq(e), "{method}");
            assert_eq!(i128::from(out.sum.unwrap().data[0]), sum, "{method}");
            assert!(sum >= i128::from(exponential(method, 0.05).at(0)), "{method}");
        }
    }
}

/// The nearest, but for the reciprocal, which is short by less than 2^-17 of the result.
fn check_divided(y: i64, e: i128, sum: i128, bits: u32) {
    let top = (1i128 << bits) - 1;
    // |y - e·2^b / S| ≤ 1/2 + e·2^b / S · 2^-17, over the denominator 2^18·S.
    let exact = (e << bits) << 18;
    let got = (i128::from(y) * sum) << 18;
    let (low, high) = (got - (sum << 17), got + (sum << 17) + 2 * (e << bits));
    assert!((0..=top).contains(&y.into()));
    assert!(exact >= low || y == 0, "{y} is more than {e} / {sum}");
    assert!(exact <= high || i128::from(y) == top, "{y} is less than {e} / {sum}");
}

#[test]
fn divided_rows_are_the_nearest() {
    for method in scaled().chain([Method::ALL[3], Method::ALL[6]]) {
        for x in all_corners(method) {
            let (e, sum) = exact_row(&exponential(method, 0.05), &x);
            for (output, bits) in [(Output::U8, 8), (Output::U16, 16)] {
                let out = run(&model(method, 0.05, output), &x);
                assert!(out.sum.is_none());
                for (y, e) in out.y.data.iter().zip(&e) {
                    check_divided(*y, *e, sum, bits);
                }
            }
        }
    }
}

/// By comparing with halves of odd numbers: no division.
fn logarithm(e: i128, sum: i128) -> i64 {
    if e == 0 {
        return 15;
    }
    // half-even(S / e) ≥ v: above v - 1/2, or at it when v is even.
    let at_least = |v: i128| 2 * sum > (2 * v - 1) * e || (2 * sum == (2 * v - 1) * e && v % 2 == 0);
    // L is k or more from v = 3·2^(k-2), k = 1 from v = 2.
    (1..=15).take_while(|k| at_least(if *k == 1 { 2 } else { 3 << (k - 2) })).count() as i64
}

#[test]
fn logarithms_are_rounded_twice() {
    for (e, sum, expected) in
        [(1, 1, 0), (2, 3, 1), (2, 5, 1), (2, 7, 2), (1, 3, 2), (1, 5, 2), (1, 6, 3), (3, 1 << 20, 15), (0, 9, 15)]
    {
        assert_eq!((output::logarithm(e, sum), logarithm(e.into(), sum.into())), (expected, expected), "{sum} / {e}");
    }
    for method in scaled() {
        for x in all_corners(method) {
            let (e, sum) = exact_row(&exponential(method, 0.05), &x);
            let out = run(&model(method, 0.05, Output::Log2x4), &x);
            assert!(out.y.data.iter().copied().eq(e.into_iter().map(|e| logarithm(e, sum))), "{method}");
        }
    }
}

#[test]
fn long_flat_rows_collapse_in_u8() {
    let x = vec![3; 1024];
    for method in scaled() {
        assert_eq!(run(&model(method, 0.05, Output::U8), &x).y.data, [0; 1024], "{method}");
        assert_eq!(run(&model(method, 0.05, Output::U16), &x).y.data, [64; 1024], "{method}");
        // 256 / 511 is just above a half; of 512 elements the reciprocal is a little short, so that a half is missed.
        assert_eq!(run(&model(method, 0.05, Output::U8), &x[..511]).y.data, [1; 511], "{method}");
    }
}

/// The figure of the documentation: what u8 loses of a long row, whatever the method.
#[test]
fn long_rows_lose_a_third_in_u8() {
    let rows = Rows { n: 1024, sigma: 1.0, count: 4, seed: 7 };
    for method in [Method::ExpTable { width: 18 }, Method::ShiftMax { n: 16 }] {
        for point in sweep(method, Output::U8, &rows, &[0.03, 0.05, 0.1]).unwrap() {
            assert!((point.figures.total_variation - 0.36).abs() < 0.01, "{method}: {point:?}");
        }
    }
}

#[test]
fn one_element_saturates() {
    for method in Method::ALL {
        assert_eq!(run(&model(method, 0.05, Output::U8), &[-7]).y.data, [255], "{method}");
    }
    for method in scaled() {
        assert_eq!(run(&model(method, 0.05, Output::U16), &[-7]).y.data, [65_535], "{method}");
        assert_eq!(run(&model(method, 0.05, Output::Log2x4), &[-7]).y.data, [0], "{method}");
    }
}

#[test]
fn rows_are_independent() {
    let x: Vec<i64> = (0..60).map(|i| (i * 37) % 255 - 127).collect();
    for method in Method::ALL {
        let model = model(method, 0.05, Output::U8);
        let together = model.run(&tensor(4, &x)).unwrap().y.data;
        let apart: Vec<i64> = x.chunks(15).flat_map(|row| run(&model, row).y.data).collect();
        assert_eq!(together, apart, "{method}");
    }
}

/// The walk of [`Passes::Two`] by another hand: octaves by division, sums in i128.
fn online(base2: &Base2, x: &[i64], lanes: usize) -> (i64, i128, Vec<i64>) {
    let steps = 1i64 << base2.octave_bits;
    let e = Exponential::Base2(base2.clone());
    let (mut m, mut sum, mut octaves) = (i64::MIN, 0i128, vec![]);
    for beat in x.chunks(lanes) {
        let top = *beat.iter().max().unwrap();
        let own = -(-top).div_euclid(steps);
        if own > m {
            sum = if m == i64::MIN { 0 } else { half_up(sum, i128::from(own - m)) };
            m = own;
        }
        sum += beat.iter().map(|v| by_definition(&e, (m * steps - v) as u64)).sum::<i128>();
        octaves.push(m);
    }
    (m, sum, octaves)
}

#[test]
fn online_rows_follow_the_beats() {
    for (octave_bits, line) in [(3, false), (4, false), (3, true), (4, true)] {
        let method = Method::Base2 { octave_bits, width: 18, line };
        let Exponential::Base2(base2) = exponential(method, 0.05) else { panic!() };
        let e = Exponential::Base2(base2.clone());
        for (x, lanes) in all_corners(method).iter().flat_map(|x| [1, 3, 16, 5000].map(|lanes| (x, lanes))) {
            let (last, sum, octaves) = online(&base2, x, lanes);
            let at = |m: i64, v: i64| by_definition(&e, ((m << octave_bits) - v) as u64) as i64;
            let base = model(method, 0.05, Output::Raw);
            let two = run(&Softmax { passes: Passes::Two { lanes }, ..base.clone() }, x);
            assert!(two.y.data.iter().copied().eq(x.iter().map(|v| at(last, *v))));
            assert_eq!((two.sum.unwrap().data, two.octave), (vec![sum as i64], None));
            // No exponential exceeds the sum, which stays within the width that three passes need.
            assert!(two.y.data.iter().all(|e| i128::from(*e) <= sum));
            assert!(sum as u64 <= base.widths().unwrap().sum);
            let one = run(&Softmax { passes: Passes::One { lanes }, ..base }, x);
            assert_eq!(one.sum.unwrap().data, [sum as i64]);
            let expected = x.chunks(lanes).zip(&octaves).flat_map(|(beat, m)| beat.iter().map(|v| at(*m, *v)));
            assert!(one.y.data.iter().copied().eq(expected));
            assert_eq!(one.octave.unwrap(), Tensor::new(DType::I32, [1, octaves.len()], octaves));
        }
    }
}

/// The model of pulp ITA, column by column as its Python does it.
fn ita(x: &[i64]) -> Vec<i64> {
    let rounded = |d: i64| (f64::from(d as i32) * 8.0 / 256.0 + 0.5 + f64::from(f32::EPSILON)).floor() as i64;
    let (mut max, mut sum) = (-128, 0i64);
    for block in x.chunks(16) {
        let now = *block.iter().max().unwrap();
        if now > max {
            sum >>= rounded(now - max);
            max = now;
        }
        sum += block.iter().map(|v| 256i64 >> rounded(max - v)).sum::<i64>();
    }
    let inverse = 255 * 256 / sum;
    x.iter().map(|v| inverse >> rounded(max - v)).collect()
}

#[test]
fn itamax_is_the_python_model() {
    let model = model(Method::ItaMax, 0.05, Output::U8);
    for x in corners() {
        assert_eq!(run(&model, &x).y.data, ita(&x));
    }
    // 2^8 + 2^7 of two elements an octave apart: floor(65280 / 384) = 170.
    assert_eq!(run(&model, &[32, 0]).y.data, [170, 85]);
}

#[derive(Clone, Debug)]
struct Case {
    method: Method,
    scale: f64,
    x: Vec<i64>,
}

fn cases() -> impl Strategy<Value = Case> {
    let x = prop::collection::vec(prop_oneof![4 => -128i64..128, 1 => Just(-128), 1 => Just(127)], 1..300);
    (0..Method::ALL.len(), 0.01f64..1.3, x).prop_map(|(m, scale, x)| Case { method: Method::ALL[m], scale, x })
}

proptest! {
    #[test]
    fn random_rows_are_nearest_and_bounded(case in cases()) {
        let Case { method, scale, x } = case;
        if method == Method::ItaMax {
            prop_assert_eq!(run(&model(method, scale, Output::U8), &x).y.data, ita(&x));
            return Ok(());
        }
        let (e, sum) = exact_row(&exponential(method, scale), &x);
        let raw = model(method, scale, Output::Raw);
        let most = Softmax { n_max: x.len(), ..raw.clone() }.widths().unwrap().sum;
        prop_assert!(sum > 0 && sum <= most.into());
        prop_assert!(run(&raw, &x).y.data.into_iter().map(i128::from).eq(e.iter().copied()));
        for (y, e) in run(&model(method, scale, Output::U8), &x).y.data.iter().zip(&e) {
            check_divided(*y, *e, sum, 8);
        }
        let logs = run(&model(method, scale, Output::Log2x4), &x).y.data;
        prop_assert!(logs.into_iter().eq(e.iter().map(|e| logarithm(*e, sum))));
    }

    /// Every scale and n that are not refused: no value leaves the proven width, at octave ends least of all.
    #[test]
    fn legal_constants_stay_within_the_width(
        exponent in -40f64..0.6, n in 1u32..63, octave in 0u64..70, near in -2i64..3, which in 0usize..3
    ) {
        let scale = exponent.exp2();
        let method = [Method::LinMax { n }, Method::IBert { n }, Method::ShiftMax { n }][which];
        let made = match method.exponential(scale) {
            Ok(made) => made,
            Err(e) => {
                let constants = matches!(e, ExponentialError::Coarse { .. } | ExponentialError::Fine { .. });
                let shifts = matches!(e, ExponentialError::Shifts { most, .. } if n > most);
                prop_assert!(constants || shifts);
                return Ok(());
            }
        };
        let steps = match &made {
            Exponential::LinMax(m) => m.octave,
            Exponential::IBert(m) => m.octave,
            Exponential::ShiftMax(m) => m.octave * 16 / 23,
            _ => unreachable!(),
        };
        let d = (octave * steps).saturating_add_signed(near).min(u64::from(u32::MAX));
        let expected = by_definition(&made, d);
        prop_assert_eq!(i128::from(made.at(d)), expected);
        prop_assert!((0..=i128::from(made.largest())).contains(&expected) && made.largest() < 1 << 63);
    }

    /// Adding a constant to a row changes nothing, save for the running maxima of an online walk.
    #[test]
    fn only_differences_count(case in cases(), offset in -1_000_000i64..1_000_000) {
        let Case { method, scale, x } = case;
        if method != Method::ItaMax {
            let moved: Vec<i64> = x.iter().map(|v| v + offset).collect();
            let model = model(method, scale, Output::U16);
            prop_assert_eq!(run(&model, &x), run(&model, &moved));
        }
    }

    #[test]
    fn online_sums_are_near_the_exponentials(case in cases(), lanes in 1usize..20) {
        let method = Method::Base2 { octave_bits: 3, width: 18, line: false };
        let model = Softmax { passes: Passes::Two { lanes }, ..model(method, 0.05, Output::Raw) };
        let out = run(&model, &case.x);
        let (sum, exact) = (out.sum.unwrap().data[0], out.y.data.iter().sum::<i64>());
        // An element rounds by half a unit at first and once more each time the maximum grows, shared by all summed so far.
        let growths = 32;
        prop_assert!((sum - exact).abs() <= case.x.len() as i64 + growths, "{sum} {exact}");
    }
}

// Limits of the accuracy against float softmax of the same integers.

const KINDS: [(usize, f64); 4] = [(197, 1.0), (197, 3.0), (1024, 1.0), (1024, 3.0)];

fn variations(method: Method, n: usize, sigma: f64) -> Vec<f64> {
    let rows = Rows { n, sigma, count: 4, seed: 7 };
    let points = sweep(method, Output::Raw, &rows, &scales(0.02, 0.2, 60)).unwrap();
    points.iter().map(|p| p.figures.total_variation).collect()
}

#[test]
fn tables_and_four_segments_are_within_a_thousandth_at_every_scale() {
    for method in [Method::ExpTable { width: 18 }, Method::Pwl { width: 18, segments: 4 }] {
        for (n, sigma) in KINDS {
            let worst = variations(method, n, sigma).into_iter().fold(0.0, f64::max);
            assert!(worst <= 1e-3, "{method}, N = {n}, σ = {sigma}: {worst}");
        }
    }
}

#[test]
fn one_line_an_octave_is_within_eleven_thousandths_over_the_scales() {
    for method in [Method::LinMaxPlus { width: 18 }, Method::Pwl { width: 18, segments: 1 }] {
        for (n, sigma) in KINDS {
            let variations = variations(method, n, sigma);
            let mean = variations.iter().sum::<f64>() / variations.len() as f64;
            assert!(mean <= 0.011, "{method}, N = {n}, σ = {sigma}: {mean}");
        }
    }
}

#[test]
fn u8_of_the_table_is_within_four_thousandths() {
    for (n, sigma) in KINDS {
        let rows = Rows { n, sigma, count: 4, seed: 7 };
        for point in sweep(Method::ExpTable { width: 18 }, Output::U8, &rows, &scales(0.02, 0.2, 60)).unwrap() {
            assert!(point.figures.max_error <= 4e-3, "N = {n}, σ = {sigma}: {point:?}");
        }
    }
    // The worst there is: a probability of one is 255 / 256.
    let one = model(Method::ExpTable { width: 18 }, 0.05, Output::U8);
    let figures = one.figures(0.05, &tensor(1, &[0])).unwrap();
    assert_eq!((figures.max_error, figures.total_variation), (1.0 / 256.0, 1.0 / 512.0));
}

#[test]
fn rows_for_figures_are_normal_and_repeatable() {
    let rows = Rows { n: 1000, sigma: 1.0, count: 20, seed: 1 };
    let x = rows.quantized(0.05);
    assert_eq!(x, rows.quantized(0.05));
    assert_ne!(x, Rows { seed: 2, ..rows }.quantized(0.05));
    let moment = |k: i32| x.data.iter().map(|v| (*v as f64 * 0.05).powi(k)).sum::<f64>() / 20_000.0;
    assert!(moment(1).abs() < 0.02 && (moment(2) - 1.0).abs() < 0.03 && (moment(4) - 3.0).abs() < 0.2);
    assert_eq!(scales(0.02, 0.2, 60).len(), 60);
    assert!((scales(0.02, 0.2, 60)[59] - 0.2).abs() < 1e-12);
    assert_eq!(scales(0.5, 0.7, 1), [0.5]);
}
