//! Weights of a model file as the tensors `w`, `z` and `s` of a job, with `exp` beside them.

use bitlathe_golden::float::{ErrorFigures, compare};
use bitlathe_golden::grouped::{integer_scales, quantize_groups};
use bitlathe_golden::mixpe::MAX_WEIGHT;
use bitlathe_spec::{DType, Tensor};

use crate::{Imported, ModelTensor};

/// Zero point of symmetric codes -8..=7, which are stored as 0..=15.
const SYMMETRIC_ZERO: u8 = 8;

/// Codes with their groups; (code - zero) · scale is a weight.
struct Groups {
    shape: [usize; 2],
    group: usize,
    codes: Vec<u8>,
    zeros: Vec<u8>,
    scales: Vec<f64>,
}

/// The tensors of a matrix for a core with groups of `group` columns.
///
/// Real numbers are quantized round-to-nearest. Integers in -8..=7 are taken as they are, with a scale of 1. The groups of
/// packed layers may be whole multiples of the core's, or whole rows.
pub fn import(group: usize, weights: &ModelTensor) -> Result<Imported, String> {
    match weights {
        ModelTensor::Float { shape, data } => {
            let groups = quantized(*shape, group, data)?;
            let (mut imported, values) = groups.tensors(vec![])?;
            let figures = compare(&values, data);
            imported.notes.insert(0, format!("round-to-nearest in groups of {group}: {}", written(&figures)));
            Ok(imported)
        }
        ModelTensor::Int { shape, data } => Ok(symmetric(*shape, group, data)?.tensors(vec![])?.0),
        ModelTensor::Grouped { shape, group: of_file, codes, zeros, scales, notes } => {
            let scales = scales.iter().map(|s| f64::from(*s)).collect();
            let packed = Groups { shape: *shape, group: *of_file, codes: codes.clone(), zeros: zeros.clone(), scales };
            Ok(packed.split(group)?.tensors(notes.clone())?.0)
        }
        ModelTensor::Ternary { .. } => {
            Err("the weights are ternary; `ternary-gemm` multiplies them without multipliers".into())
        }
    }
}

fn written(figures: &ErrorFigures) -> String {
    format!("{:.1} dB signal to noise, largest error {:.3e}", figures.sqnr_db, figures.max_abs)
}

fn quantized(shape: [usize; 2], group: usize, data: &[f64]) -> Result<Groups, String> {
    let columns = shape[1];
    let place = |at: usize| format!("row {}, column {}", at / columns, at % columns);
    let q = quantize_groups(data, columns, group)
        .map_err(|e| format!("{}: {} is not a finite number", place(e.index), e.value))?;
    Ok(Groups { shape, group, codes: q.codes, zeros: q.zeros, scales: q.scales })
}

fn symmetric(shape: [usize; 2], group: usize, data: &[i64]) -> Result<Groups, String> {
    let code = |(at, value): (usize, &i64)| {
        let shifted = value.checked_add(SYMMETRIC_ZERO.into()).filter(|v| (0..=MAX_WEIGHT).contains(v));
        let (row, column) = (at / shape[1], at % shape[1]);
        shifted.map(|v| v as u8).ok_or_else(|| format!("row {row}, column {column}: {value} is outside -8..=7"))
    };
    let codes = data.iter().enumerate().map(code).collect::<Result<_, _>>()?;
    let count = shape[0] * shape[1].div_ceil(group);
    Ok(Groups { shape, group, codes, zeros: vec![SYMMETRIC_ZERO; count], scales: vec![1.0; count] })
}

impl Groups {
    fn groups(&self) -> usize {
        self.shape[1].div_ceil(self.group)
    }

    /// The same weights in smaller groups.
    fn split(self, group: usize) -> Result<Self, String> {
        if self.group < self.shape[1] && !self.group.is_multiple_of(group) {
            return Err(format!(
                "its groups of {} columns are not made of whole groups of {group}; configure [weights] group so that it divides \
                 them",
                self.group
            ));
        }
        let (own, wanted) = (self.groups(), self.shape[1].div_ceil(group));
        let from = |at: usize| at / wanted * own + at % wanted * group / self.group;
        let count = self.shape[0] * wanted;
        let zeros = (0..count).map(|at| self.zeros[from(at)]).collect();
        let scales = (0..count).map(|at| self.scales[from(at)]).collect();
        Ok(Self { group, zeros, scales, ..self })
    }

    /// The tensors, a note more, and the weights that the integers stand for.
    fn tensors(&self, mut notes: Vec<String>) -> Result<(Imported, Vec<f64>), String> {
        let ([rows, columns], groups) = (self.shape, self.groups());
        let (mut s, mut exponents, mut worst) = (Vec::with_capacity(rows * groups), Vec::with_capacity(rows), 0f64);
        for (row, scales) in self.scales.chunks(groups).enumerate() {
            let found = integer_scales(scales).map_err(|e| format!("row {row}: {e}"))?;
            s.extend(found.values.iter().map(|v| i64::from(*v)));
            exponents.push(i64::from(found.exponent));
            worst = worst.max(found.worst_error);
        }
        let value = |at: usize| {
            let (row, of_group) = (at / columns, at / columns * groups + at % columns / self.group);
            let step = s[of_group] as f64 * 2f64.powi(-exponents[row] as i32);
            (f64::from(self.codes[at]) - f64::from(self.zeros[of_group])) * step
        };
        let values = (0..self.codes.len()).map(value).collect();
        let wide = |data: &[u8]| data.iter().map(|v| i64::from(*v)).collect::<Vec<i64>>();
        let tensors = [
            ("w", Tensor::new(DType::U8, [rows, columns], wide(&self.codes))),
            ("z", Tensor::new(DType::U8, [rows, groups], wide(&self.zeros))),
            ("s", Tensor::new(DType::U16, [rows, groups], s)),
            ("exp", Tensor::new(DType::I8, [rows], exponents)),
        ];
        let scales = if worst == 0.0 {
            "scales are exact".into()
        } else {
            format!("a group's scale is off by at most {worst:.1e} of itself")
        };
        notes.push(format!("y · 2^-exp is the product with the real weights, exp one a row; {scales}"));
        let tensors = tensors.map(|(name, tensor)| (name.to_owned(), tensor)).into();
        Ok((Imported { tensors, notes }, values))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn data(imported: &Imported, name: &str) -> Vec<i64> {
        imported.tensors[name].data.clone()
    }

    fn packed(group: usize) -> ModelTensor {
        let notes = vec!["AWQ".into()];
        let (codes, zeros, scales) = (vec![1, 2, 3, 4, 5, 6, 7, 8], vec![16, 2], vec![0.5, 2.0]);
        ModelTensor::Grouped { shape: [1, 8], group, codes, zeros, scales, notes }
    }

    #[test]
    fn packed_layers_keep_their_codes() {
        let found = import(4, &packed(4)).unwrap();
        assert_eq!(data(&found, "w"), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(found.tensors["z"], Tensor::new(DType::U8, [1, 2], vec![16, 2]));
        assert_eq!(found.tensors["s"], Tensor::new(DType::U16, [1, 2], vec![8192, 32_768]));
        assert_eq!(found.tensors["exp"], Tensor::new(DType::I8, [1], vec![14]));
        assert!(found.notes[0] == "AWQ" && found.notes[1].ends_with("scales are exact"), "{:?}", found.notes);
    }

    #[test]
    fn larger_groups_are_repeated_and_others_refused() {
        let found = import(2, &packed(4)).unwrap();
        assert_eq!((data(&found, "z"), data(&found, "s")), (vec![16, 16, 2, 2], vec![8192, 8192, 32_768, 32_768]));
        let text = import(3, &packed(4)).err().unwrap();
        assert!(text.contains("groups of 4 columns are not made of whole groups of 3"), "{text}");
        let whole = ModelTensor::Grouped {
            shape: [2, 5],
            group: 5,
            codes: vec![0; 10],
            zeros: vec![1, 2],
            scales: vec![1.0; 2],
            notes: vec![],
        };
        assert_eq!(data(&import(2, &whole).unwrap(), "z"), [1, 1, 1, 2, 2, 2]);
    }

    #[test]
    fn integers_and_what_is_refused() {
        let found = import(2, &ModelTensor::Int { shape: [1, 3], data: vec![-8, 0, 7] }).unwrap();
        assert_eq!((data(&found, "w"), data(&found, "z")), (vec![0, 8, 15], vec![8, 8]));
        assert_eq!((data(&found, "s"), data(&found, "exp")), (vec![32_768; 2], vec![15]));
        let text = import(2, &ModelTensor::Int { shape: [1, 3], data: vec![0, 0, 8] }).err().unwrap();
        assert_eq!(text, "row 0, column 2: 8 is outside -8..=7");
        let text = import(2, &ModelTensor::Float { shape: [2, 2], data: vec![0.0, 0.0, 0.0, f64::NAN] }).err().unwrap();
        assert_eq!(text, "row 1, column 1: NaN is not a finite number");
        let ternary = ModelTensor::Ternary { shape: [1, 1], data: vec![0], scale: vec![1.0], notes: vec![] };
        assert!(import(2, &ternary).err().unwrap().contains("ternary-gemm"));
    }

    proptest! {
        #[test]
        fn real_weights_come_back_within_a_step(
            rows in 1usize..4, columns in 1usize..40, group in 1usize..9, seed in prop::collection::vec(-2.0f64..2.0, 120),
        ) {
            let real = &seed[..(rows * columns).min(120)];
            prop_assume!(real.len() == rows * columns);
            let found = import(group, &ModelTensor::Float { shape: [rows, columns], data: real.to_vec() }).unwrap();
            let groups = columns.div_ceil(group);
            let (w, z, s, e) = (data(&found, "w"), data(&found, "z"), data(&found, "s"), data(&found, "exp"));
            for (at, value) in real.iter().enumerate() {
                let g = at / columns * groups + at % columns / group;
                let unit = 2f64.powi(-e[at / columns] as i32);
                let step = s[g] as f64 * unit;
                let got = (w[at] - z[g]) as f64 * step;
                // A rounding of the code, one of the zero point, and at most 15 half units of the scale.
                prop_assert!((got - value).abs() <= step + 9.0 * unit, "{} became {}", value, got);
            }
            prop_assert!(found.notes[0].contains("dB signal to noise"));
        }
    }
}
