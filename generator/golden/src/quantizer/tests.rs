//! Whole jobs: scales, channels and random numbers meet the elements that they belong to; what makes no job is refused.

use bitlathe_spec::Rounding;
use proptest::prelude::*;

use super::*;
use crate::rounding::{OutputFormat, Random, requantize};

pub(super) fn matrix(columns: usize, data: Vec<i64>) -> Tensor {
    Tensor::new(DType::I32, [data.len() / columns, columns], data)
}

pub(super) fn row(dtype: DType, data: &[i64]) -> Tensor {
    Tensor::new(dtype, [data.len()], data.to_vec())
}

/// y of a job that must be legal.
pub(super) fn y(quantizer: &Quantizer, inputs: &Inputs<'_>) -> Vec<i64> {
    quantizer.run(inputs).unwrap_or_else(|e| panic!("{e}"))["y"].data.clone()
}

pub(super) const INT8: OutputFormat = OutputFormat { bits: 8, narrow: false };

fn rescale(shift: Option<u32>, rounding: Rounding) -> Rescale {
    Rescale { format: INT8, rounding, shift }
}

fn quantizer(method: Method) -> Quantizer {
    Quantizer { input_bits: 32, lanes: 4, method }
}

#[test]
fn requant_by_hand() {
    let x = matrix(2, vec![5, -5, 1000, i64::from(i32::MIN)]);
    let (mult, zp) = (row(DType::U16, &[3]), row(DType::I8, &[1, -1]));
    let inputs = Inputs { mult: Some(&mult), zero_point: Some(&zp), ..Inputs::of(&x) };
    // ±15 / 2 is ±7.5: to even ±8, then the zero point of the column; the rest saturates.
    let got = y(&quantizer(Method::Requant(rescale(Some(1), Rounding::HalfEven))), &inputs);
    assert_eq!(got, [9, -9, 127, -128]);
    let narrow = Rescale { format: OutputFormat { bits: 4, narrow: true }, ..rescale(Some(1), Rounding::Floor) };
    assert_eq!(y(&quantizer(Method::Requant(narrow)), &inputs), [7, -7, 7, -7]);
}

#[test]
fn the_widest_product_does_not_overflow() {
    let x = matrix(1, vec![i32::MIN.into(), i32::MAX.into()]);
    let mult = row(DType::U16, &[65_535]);
    let inputs = Inputs { mult: Some(&mult), ..Inputs::of(&x) };
    for rounding in Rounding::ALL {
        for shift in [0, 1, 40, 47] {
            let wide = (i128::from(i32::MAX) * 65_535) >> shift;
            let got = y(&quantizer(Method::Requant(rescale(Some(shift), rounding))), &inputs);
            if wide > 128 {
                assert_eq!(got, [-128, 127], "{rounding:?} {shift}");
            }
        }
    }
}

#[test]
fn pot_takes_a_shift_a_channel() {
    let x = matrix(3, vec![10, 10, 10, -11, -11, -11]);
    let shift = row(DType::U8, &[0, 2, 47]);
    let inputs = Inputs { shift: Some(&shift), ..Inputs::of(&x) };
    assert_eq!(y(&quantizer(Method::Pot(rescale(None, Rounding::HalfAway))), &inputs), [10, 3, 0, -11, -3, 0]);
}

#[test]
fn pot_is_requant_with_one() {
    let x = matrix(7, (-350..350).map(|v| v * 37).collect());
    let one = row(DType::U16, &[1]);
    for rounding in Rounding::ALL {
        let method = rescale(Some(7), rounding);
        let requant = y(&quantizer(Method::Requant(method)), &Inputs { mult: Some(&one), ..Inputs::of(&x) });
        assert_eq!(y(&quantizer(Method::Pot(method)), &Inputs::of(&x)), requant, "{rounding:?}");
    }
}

/// r of the element at (row, column) for `requant`, from the number of beats that came before its own.
fn drawn(at: (usize, usize), columns: usize, lanes: usize, shift: u32) -> Random {
    let beats = at.0 * columns.div_ceil(lanes) + at.1 / lanes;
    let mut state = ((at.1 % lanes + 1) * 0x9E37) as u16;
    for _ in 0..beats {
        let bit = |n: u32| state >> (n - 1) & 1;
        state = state << 1 | (bit(16) ^ bit(15) ^ bit(13) ^ bit(4));
    }
    let bits = shift.min(16);
    Random { value: u32::from(state) >> (16 - bits), bits }
}

#[derive(Clone, Debug)]
struct Case {
    x: Vec<i64>,
    columns: usize,
    lanes: usize,
    mult: Vec<i64>,
    shift: Vec<i64>,
    zp: Vec<i64>,
    rounding: Rounding,
    bits: u32,
    narrow: bool,
}

fn cases() -> impl Strategy<Value = Case> {
    let one_or_each = |columns: usize| prop_oneof![Just(1), Just(columns)];
    let sizes = (1usize..5, 1usize..20, 1usize..8);
    let sizes =
        sizes.prop_flat_map(move |(r, c, lanes)| (Just((r, c, lanes)), one_or_each(c), one_or_each(c), one_or_each(c)));
    sizes
        .prop_flat_map(|((r, c, lanes), m, s, z)| {
            (
                prop::collection::vec(any::<i32>().prop_map(i64::from), r * c),
                prop::collection::vec(0..=65_535i64, m),
                prop::collection::vec(prop_oneof![0..=47i64, 28..=44i64], s),
                prop::collection::vec(-128..=127i64, z),
                (Just((c, lanes)), 0usize..5, any::<bool>(), any::<bool>()),
            )
        })
        .prop_map(|(x, mult, shift, zp, ((columns, lanes), rounding, four, narrow))| Case {
            x,
            columns,
            lanes,
            mult,
            shift,
            zp,
            rounding: Rounding::ALL[rounding],
            bits: if four { 4 } else { 8 },
            narrow,
        })
}

proptest! {
    #[test]
    fn every_element_meets_its_own_scale_and_draw(case in cases()) {
        let format = OutputFormat { bits: case.bits, narrow: case.narrow };
        let method = Rescale { format, rounding: case.rounding, shift: None };
        let x = matrix(case.columns, case.x.clone());
        let (mult, shift) = (row(DType::U16, &case.mult), row(DType::U8, &case.shift));
        let zp = row(DType::I8, &case.zp);
        let inputs =
            Inputs { mult: Some(&mult), shift: Some(&shift), zero_point: Some(&zp), ..Inputs::of(&x) };
        let core = Quantizer { input_bits: 32, lanes: case.lanes, method: Method::Requant(method) };
        let got = y(&core, &inputs);
        for (i, (&got, &value)) in got.iter().zip(&case.x).enumerate() {
            let at = (i / case.columns, i % case.columns);
            let of = |v: &[i64]| v[at.1 % v.len()];
            let s = of(&case.shift) as u32;
            let random = drawn(at, case.columns, case.lanes, s);
            let (m, z) = (of(&case.mult) as u16, of(&case.zp));
            prop_assert_eq!(got, requantize(value, m, s, z, format, case.rounding, Some(random)), "at {:?}", at);
        }
    }
}

#[test]
fn refusals_of_parameters() {
    let text = |input_bits, lanes, method| Quantizer { input_bits, lanes, method }.check().unwrap_err().to_string();
    let pot = |bits, shift| {
        Method::Pot(Rescale { format: OutputFormat { bits, narrow: false }, rounding: Rounding::Floor, shift })
    };
    let seeds = |seeds: &[u8]| Method::Stochastic(Stochastic { format: INT8, shift: Some(4), seeds: seeds.to_vec() });
    let mx = |block, frac| Method::Mx(Mx { element: Element::E2m1, block, frac });
    let iqr = Method::Iqr(DualScale { bits: 8, rounding: Rounding::Floor, shift: None });
    assert_eq!(text(33, 1, pot(8, None)), "`pot` takes inputs of 2 to 32 bits, not 33");
    assert_eq!(text(26, 1, Method::AbsMax(AbsMax { bits: 8 })), "`absmax` takes inputs of 16 or 32 bits, not 26");
    assert_eq!(text(7, 1, iqr), "`iqr` takes inputs of 8 to 32 bits, not 7");
    assert_eq!(text(32, 0, pot(8, None)), "a quantizer has at least one lane");
    assert_eq!(text(32, 1, pot(5, None)), "outputs have 4 or 8 bits, not 5");
    assert_eq!(text(32, 1, Method::AbsMax(AbsMax { bits: 16 })), "outputs have 4 or 8 bits, not 16");
    assert_eq!(text(32, 1, pot(8, Some(48))), "the constant shift 48 is outside 0..=47");
    assert_eq!(text(32, 1, Method::Ovp(Ovp { shift: Some(99) })), "the constant shift 99 is outside 0..=47");
    for bad in [&[][..], &[0], &[16], &[3, 3]] {
        assert!(text(32, 1, seeds(bad)).contains("one to fifteen different numbers"), "{bad:?}");
    }
    assert_eq!(text(32, 1, mx(24, 0)), "a block of 24 elements is no power of two in 8..=256");
    assert_eq!(text(32, 1, mx(32, 65)), "65 fraction bits are more than 64");
    let hadamard = |size| Method::Hadamard(Hadamard { size });
    assert_eq!(text(16, 1, hadamard(12)), "a transform of 12 elements is no power of two from 2 on");
    assert_eq!(text(16, 1, hadamard(1)), "a transform of 1 elements is no power of two from 2 on");
    let grown = "a transform of 131072 elements of 16 bits needs 33 bits, more than 32";
    assert_eq!(text(16, 1, hadamard(1 << 17)), grown);
    assert_eq!(Quantizer { input_bits: 16, lanes: 1, method: hadamard(1 << 16) }.check(), Ok(()));
}

#[test]
fn refusals_of_tensors() {
    let x = matrix(2, vec![1, 2]);
    let text = |core: &Quantizer, inputs: &Inputs<'_>| core.run(inputs).unwrap_err().to_string();
    let requant = quantizer(Method::Requant(rescale(None, Rounding::HalfEven)));
    assert_eq!(text(&requant, &Inputs::of(&x)), "the job needs the tensor `mult`");
    let mult = row(DType::U16, &[1; 3]);
    let bad = text(&requant, &Inputs { mult: Some(&mult), ..Inputs::of(&x) });
    assert_eq!(bad, "tensor `mult` has shape [3], expected [2] or [1]");
    let (mult, shift) = (row(DType::U16, &[1]), row(DType::U8, &[48]));
    let inputs = Inputs { mult: Some(&mult), ..Inputs::of(&x) };
    assert_eq!(text(&requant, &inputs), "the job needs the tensor `shift`");
    let bad = text(&requant, &Inputs { shift: Some(&shift), ..inputs });
    assert_eq!(bad, "tensor `shift` holds 48 at index 0, outside 0..=47");
    let zp = row(DType::I16, &[128]);
    let shift = row(DType::U8, &[1]);
    let bad = text(&requant, &Inputs { shift: Some(&shift), zero_point: Some(&zp), ..inputs });
    assert_eq!(bad, "tensor `zp` holds 128 at index 0, outside -128..=127");

    let narrow = Quantizer { input_bits: 12, ..quantizer(Method::Pot(rescale(Some(1), Rounding::Floor))) };
    assert_eq!(
        text(&narrow, &Inputs::of(&matrix(1, vec![2048]))),
        "tensor `x` holds 2048 at index 0, outside -2048..=2047"
    );
    for shape in [vec![0, 2], vec![2, 0], vec![4], vec![1, 1, 1]] {
        let x = Tensor::new(DType::I32, shape.clone(), vec![0; shape.iter().product()]);
        let bad = text(&narrow, &Inputs::of(&x));
        assert_eq!(bad, format!("tensor `x` has shape {shape:?}, expected [R, C] with at least one element"));
    }

    let dual = quantizer(Method::DualScale(DualScale { bits: 8, rounding: Rounding::HalfEven, shift: Some(4) }));
    let thr = row(DType::I32, &[5]);
    let one_plane = Inputs { mult: Some(&mult), threshold: Some(&thr), ..Inputs::of(&x) };
    assert_eq!(text(&dual, &one_plane), "tensor `mult` has shape [1], expected [2, 2] or [2, 1]");
    assert_eq!(text(&dual, &inputs), "the job needs the tensor `thr`");
    for (thr, message) in [
        (row(DType::I32, &[-1]), "tensor `thr` holds -1 at index 0, outside 0..=2147483647"),
        (row(DType::I32, &[1, 2]), "tensor `thr` has shape [2], expected [1]"),
    ] {
        assert_eq!(text(&dual, &Inputs { threshold: Some(&thr), ..one_plane }), message);
    }
    let hadamard = Quantizer { input_bits: 16, ..quantizer(Method::Hadamard(Hadamard { size: 4 })) };
    assert_eq!(text(&hadamard, &Inputs::of(&x)), "tensor `x` has shape [1, 2], expected [R, a multiple of 4]");
}

#[test]
fn outputs_have_the_documented_names_types_and_shapes() {
    let x = matrix(40, (0..80).collect());
    let mult = Tensor::new(DType::U16, [2, 1], vec![1, 1]);
    let run = |method| {
        let core = Quantizer { input_bits: 16, lanes: 8, method };
        let out = core.run(&Inputs { mult: Some(&mult), ..Inputs::of(&x) }).unwrap();
        out.into_iter().map(|(name, t)| format!("{name} {} {:?}", t.dtype.name(), t.shape)).collect::<Vec<_>>()
    };
    assert_eq!(run(Method::AbsMax(AbsMax { bits: 8 })), ["amax uint32 [2]", "y int8 [2, 40]"]);
    let mx = Mx { element: Element::E4m3, block: 32, frac: 0 };
    assert_eq!(run(Method::Mx(mx)), ["e uint8 [2, 2]", "y int8 [2, 40]"]);
    let iqr = DualScale { bits: 8, rounding: Rounding::HalfEven, shift: Some(0) };
    assert_eq!(run(Method::Iqr(iqr)), ["thr int32 [1]", "y int8 [2, 40]"]);
    assert_eq!(run(Method::Hadamard(Hadamard { size: 8 })), ["y int32 [2, 40]"]);
}
