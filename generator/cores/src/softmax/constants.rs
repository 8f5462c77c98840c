//! A scale that comes with the job: files give the real number, registers hold the integers that the method makes of it.

use std::collections::BTreeMap;

use bitlathe_golden::softmax::{Exponential, IBert, LinMax, LinMaxPlus, Pwl, ShiftMax};
use bitlathe_spec::{Carrier, DType, Job, Role, Tensor, TensorSpec};

use super::config::Derived;
use crate::Given;
use crate::boundary::fixed;

/// Name of the tensor in files.
const SCALE: &str = "scale";

/// Constants of an exponential as the registers name them.
pub fn of(exponential: &Exponential) -> Vec<(&'static str, u64)> {
    match exponential {
        Exponential::LinMax(m) => vec![("octave", m.octave), ("intercept", m.intercept)],
        Exponential::IBert(m) => vec![("octave", m.octave), ("linear", m.linear), ("constant", m.constant)],
        Exponential::ShiftMax(m) => vec![("octave", m.octave)],
        Exponential::LinMaxPlus(m) => vec![("step", m.step.into())],
        Exponential::Pwl(m) => vec![("step", m.step.into())],
        Exponential::ExpTable(_) | Exponential::Base2(_) | Exponential::ItaMax => vec![],
    }
}

/// The exponential with the constants that a job gives, where it gives any.
pub fn with(exponential: &Exponential, job: &Job) -> Exponential {
    let constant = |name: &str, otherwise: u64| {
        let value = job.tensors.get(name).and_then(|t| t.data.first());
        value.map_or(otherwise, |v| *v as u64)
    };
    match exponential.clone() {
        Exponential::LinMax(m) => Exponential::LinMax(LinMax {
            octave: constant("octave", m.octave),
            intercept: constant("intercept", m.intercept),
            ..m
        }),
        Exponential::IBert(m) => Exponential::IBert(IBert {
            octave: constant("octave", m.octave),
            linear: constant("linear", m.linear),
            constant: constant("constant", m.constant),
            ..m
        }),
        Exponential::ShiftMax(m) => Exponential::ShiftMax(ShiftMax { octave: constant("octave", m.octave), ..m }),
        Exponential::LinMaxPlus(m) => {
            Exponential::LinMaxPlus(LinMaxPlus { step: constant("step", m.step.into()) as u32, ..m })
        }
        Exponential::Pwl(m) => Exponential::Pwl(Pwl { step: constant("step", m.step.into()) as u32, ..m }),
        other @ (Exponential::ExpTable(_) | Exponential::Base2(_) | Exponential::ItaMax) => other,
    }
}

/// `scale`, where the job gives it.
pub fn given(d: &Derived) -> Vec<Given> {
    let makes: Vec<String> = d.hardware.stage.parameters().iter().map(|p| p.name.to_owned()).collect();
    if makes.is_empty() {
        return vec![];
    }
    let spec = TensorSpec {
        name: SCALE.into(),
        role: Role::In,
        dtype: DType::F64,
        shape: vec![fixed(1)],
        range: (i64::MIN, i64::MAX),
        default: None,
        carrier: Carrier::Fields(makes.clone()),
        doc: "The real value of one step of a logit.".into(),
    };
    vec![Given { spec, makes }]
}

/// The registers' values at a scale, or why there are none.
pub fn at(d: &Derived, scale: f64) -> Result<BTreeMap<String, Tensor>, String> {
    let exponential = d.method.exponential(scale).map_err(|e| e.to_string())?;
    let values = of(&exponential);
    for (p, (name, value)) in d.hardware.stage.parameters().iter().zip(&values) {
        let most = (1u64 << p.bits) - 1;
        if *value > most {
            return Err(format!("scale {scale:e} is too fine: `{name}` would be {value}, its register holds {most}"));
        }
    }
    let tensor = |value: u64| Tensor::new(DType::U32, [1], vec![value as i64]);
    Ok(values.into_iter().map(|(name, value)| (name.to_owned(), tensor(value))).collect())
}

/// What a given tensor makes.
pub fn translate(d: &Derived, name: &str, tensor: &Tensor) -> Result<BTreeMap<String, Tensor>, String> {
    match tensor.to_f64().first() {
        Some(scale) if name == SCALE => at(d, *scale),
        _ => Ok(BTreeMap::new()),
    }
}
