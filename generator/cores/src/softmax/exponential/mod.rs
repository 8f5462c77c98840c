//! The exponential stage: e(max - x) for every lane, one module `softmax_exp` whatever the method.
//!
//! It is a part of its own: softmax wraps it in passes over a row, attention in its walk over tiles. Methods are defined in
//! `docs/softmax.md`; their integer constants are computed here ([`constants`]), apart from the golden models.

mod base2;
mod constants;
mod table;

use std::rc::Rc;

use bitlathe_golden::softmax::Method;
use bitlathe_hdl::{Module, Unit, bit, concat, lit, sint, uint};
use bitlathe_spec::Family;
use thiserror::Error;

use crate::Cost;

/// A constant of the scale that comes with the job, an input of the stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Name of the port without `_i`.
    pub name: &'static str,
    /// Bits.
    pub bits: i64,
}

/// What the differences count from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maximum {
    /// The largest element.
    Element,
    /// `base2` only: whole octaves of 2^F steps, the least that is not below the largest element.
    Octave,
}

/// A stage.
#[derive(Clone, Debug)]
pub struct Stage {
    method: Method,
    maximum: Maximum,
    in_bits: i64,
    lanes: i64,
    table: Vec<u64>,
}

/// A method and a scale that make no stage.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum StageError {
    #[error("{method} has no constants of at most 63 bits at scale {scale}")]
    Scale { method: &'static str, scale: f64 },
    #[error("{0} is made for one scale")]
    Runtime(&'static str),
    #[error("{0} does not count its maximum in octaves")]
    Octave(&'static str),
}

impl Stage {
    /// A stage for elements of `in_bits` bits at a scale, or at one that comes with the job.
    pub fn new(
        method: Method,
        scale: Option<f64>,
        maximum: Maximum,
        in_bits: i64,
        lanes: i64,
    ) -> Result<Self, StageError> {
        let name = method.name();
        if maximum == Maximum::Octave && !matches!(method, Method::Base2 { .. }) {
            return Err(StageError::Octave(name));
        }
        let table = match method {
            Method::ExpTable { width } => {
                let scale = scale.ok_or(StageError::Runtime(name))?;
                constants::exp_table(scale, width).ok_or(StageError::Scale { method: name, scale })?
            }
            Method::Base2 { octave_bits, width, line } => base2::values(&if line {
                constants::base2_line(octave_bits, width)
            } else {
                constants::base2_table(octave_bits, width)
            }),
            _ => return Err(StageError::Runtime(name)),
        };
        Ok(Self { method, maximum, in_bits, lanes, table })
    }

    /// Cycles from an element to its exponential.
    pub fn latency(&self) -> i64 {
        table::LATENCY
    }

    /// Inputs beside elements and maximum.
    pub fn parameters(&self) -> Vec<Parameter> {
        vec![]
    }

    /// Bits of an exponential.
    pub fn e_bits(&self) -> i64 {
        i64::from(u64::BITS - self.table[0].leading_zeros())
    }

    /// Bits of the port `max_i`.
    pub fn max_bits(&self) -> i64 {
        // The octave above the largest element may lie one step beyond the elements.
        match (self.maximum, self.method) {
            (Maximum::Octave, Method::Base2 { octave_bits, .. }) => self.in_bits + 1 - i64::from(octave_bits),
            _ => self.in_bits,
        }
    }

    /// The module `softmax_exp`.
    pub fn module(&self) -> Rc<Unit> {
        let m = Module::new("softmax_exp");
        m.doc(&format!("e = e(max - x) by {}, latency {} enabled cycles.", self.method, self.latency()));
        let n = m.param("LANES", self.lanes, 1..=256, "elements a cycle");
        let w = m.param("IN_W", self.in_bits, 4..=32, "bits of an element");
        let (ck, en) = (m.clock(), m.input("en_i", bit()));
        let x = m.input("x_i", uint(&n * &w));
        let max = match (self.maximum, self.method) {
            (Maximum::Octave, Method::Base2 { octave_bits, .. }) => {
                let max = m.input("max_i", sint(&w + 1 - octave_bits));
                m.describe(&max, "in whole octaves, not below any element");
                m.wire("max_step", &concat(&[&max, &lit(0, uint(octave_bits))]).as_signed())
            }
            _ => {
                let max = m.input("max_i", sint(&w));
                m.describe(&max, "not below any element");
                max
            }
        };
        let e_bits = self.e_bits();
        let lane = table::lane(&self.lane_name(), &self.table, e_bits, self.in_bits, self.maximum == Maximum::Octave);
        let e = m.output_wire("e_o", uint(&n * e_bits));
        m.generate_for("g_lane", &n, |i| {
            m.instance("u_lane", &lane)
                .param("IN_W", &w)
                .clock(&ck)
                .input("en_i", &en)
                .input("x_i", &x.lane(i, &w))
                .input("max_i", &max)
                .output_part("e_o", &e, i * e_bits, e_bits)
                .done();
        });
        m.finish()
    }

    fn lane_name(&self) -> String {
        format!("{}_lane", self.method.name().replace('-', "_"))
    }

    /// Predicted resources.
    pub fn cost(&self, _: Family) -> Cost {
        let each = Cost::logic((self.in_bits + 2 * self.e_bits()) as f64, (self.in_bits + self.e_bits()) as f64);
        each * self.lanes as f64
    }
}
