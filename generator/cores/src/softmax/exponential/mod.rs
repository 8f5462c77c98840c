//! The exponential stage: e(max - x) for every lane, one module `softmax_exp` whatever the method.
//!
//! It is a part of its own: softmax wraps it in walks over a row, attention in its walk over tiles. Methods are defined in
//! `docs/softmax.md`; their integer constants are computed here, apart from the golden models.

mod base2;
mod constants;
mod itamax;
mod line;
mod octaves;
mod pipe;
mod quotient;
mod segments;
mod table;

use std::rc::Rc;

use bitlathe_golden::softmax::Method;
use bitlathe_hdl::{Expr, Module, Unit, bit, concat, lit, sint, uint};
use bitlathe_spec::Family;
use thiserror::Error;

use self::line::Line;
use self::octaves::{Octaves, Polynomial};
use self::segments::Segments;
use self::table::Table;
use crate::Cost;

/// Bits of the ports of o and b of `linmax` and o of `shiftmax`.
const STEP_PORT_BITS: u32 = 16;
/// Bits of the port of c' of `ibert`, which goes with 1 / s².
const SQUARE_PORT_BITS: u32 = 31;

/// A constant of the scale that comes with the job. It is read throughout a row: change it between rows only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Name: the port is `<name>_i`.
    pub name: &'static str,
    /// Bits.
    pub bits: i64,
}

/// What the differences count from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maximum {
    /// The largest element.
    Element,
    /// `base2` only: whole octaves of 2^F steps, the least number that is not below the largest element.
    Octave,
}

/// What a lane is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    Table(Table),
    Line(Line),
    Octaves(Octaves),
    Segments(Segments),
    ItaMax,
}

/// A stage.
#[derive(Clone, Debug)]
pub struct Stage {
    method: Method,
    maximum: Maximum,
    in_bits: i64,
    lanes: i64,
    form: Form,
}

/// A method and a scale that make no stage.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
#[allow(missing_docs)]
pub enum StageError {
    #[error("{method} has no constants at scale {scale:e}")]
    Scale { method: &'static str, scale: f64 },
    #[error("{0} is a table of one scale")]
    Runtime(&'static str),
    #[error("{0} does not count its maximum in octaves")]
    Octave(&'static str),
}

impl Stage {
    /// A stage for elements of `in_bits` bits at a scale, or at one that comes with the job. Methods with a scale of their own do
    /// not read it.
    pub fn new(
        method: Method,
        scale: Option<f64>,
        maximum: Maximum,
        in_bits: i64,
        lanes: i64,
    ) -> Result<Self, StageError> {
        if maximum == Maximum::Octave && !matches!(method, Method::Base2 { .. }) {
            return Err(StageError::Octave(method.name()));
        }
        let form = match scale {
            Some(scale) => fixed(method, scale).ok_or(StageError::Scale { method: method.name(), scale })?,
            None => runtime(method).ok_or(StageError::Runtime(method.name()))?,
        };
        Ok(Self { method, maximum, in_bits, lanes, form })
    }

    /// The same with its table, if it has one, in block memory: half a block of 36 kb a lane instead of look-up tables.
    #[must_use]
    pub fn with_block_table(mut self) -> Self {
        if let Form::Table(table) = &mut self.form {
            table.block = true;
        }
        self
    }

    /// Cycles from an element to its exponential.
    pub fn latency(&self) -> i64 {
        self.lane().1
    }

    /// Inputs beside elements and maximum.
    pub fn parameters(&self) -> Vec<Parameter> {
        match &self.form {
            Form::Octaves(Octaves { polynomial, runtime: true, .. }) => (polynomial.constants().into_iter())
                .map(|(name, largest)| Parameter { name, bits: quotient::bits_to(largest) })
                .collect(),
            Form::Segments(Segments { step: None, .. }) => {
                vec![Parameter { name: "step", bits: segments::STEP_BITS }]
            }
            _ => vec![],
        }
    }

    /// Bits of an exponential.
    pub fn e_bits(&self) -> i64 {
        match &self.form {
            Form::Table(t) => t.e_bits(),
            Form::Line(l) => l.e_bits(),
            Form::Octaves(o) => o.e_bits(),
            Form::Segments(s) => s.e_bits(),
            Form::ItaMax => itamax::E_BITS,
        }
    }

    /// Bits of the port `max_i`.
    pub fn max_bits(&self) -> i64 {
        // The octave above the largest element may lie one step beyond all elements.
        self.octave_bits().map_or(self.in_bits, |f| self.in_bits + 1 - f)
    }

    /// F, where the maximum is counted in octaves.
    fn octave_bits(&self) -> Option<i64> {
        match (self.maximum, self.method) {
            (Maximum::Octave, Method::Base2 { octave_bits, .. }) => Some(octave_bits.into()),
            _ => None,
        }
    }

    /// The module `softmax_exp`.
    pub fn module(&self) -> Rc<Unit> {
        let (lane, latency) = self.lane();
        let e_bits = self.e_bits();
        let m = Module::new("softmax_exp");
        m.doc(&format!("Exponentials by {}: e = e(max - x) of LANES elements, {latency} enabled cycles.", self.method));
        let n = m.param("LANES", self.lanes, 1..=256, "elements a cycle");
        let w = m.param("IN_W", self.in_bits, 4..=32, "bits of an element");
        let (ck, en) = (m.clock(), m.input("en_i", bit()));
        let x = m.input("x_i", uint(&n * &w));
        m.describe(&x, "signed elements, lane 0 lowest");
        let max = match self.octave_bits() {
            None => {
                let max = m.input("max_i", sint(&w));
                m.describe(&max, "not below any element");
                max
            }
            Some(f) => {
                let max = m.input("max_i", sint(&w + 1 - f));
                m.describe(&max, "in whole octaves, not below any element");
                m.wire("max_steps", &concat(&[&max, &lit(0, uint(f))]).as_signed())
            }
        };
        let constants: Vec<(String, Expr)> = (self.parameters().iter())
            .map(|c| (format!("{}_i", c.name), m.input(&format!("{}_i", c.name), uint(c.bits))))
            .collect();
        let e = m.output_wire("e_o", uint(&n * e_bits));
        m.generate_for("g_lane", &n, |i| {
            let lane = m
                .instance("u_lane", &lane)
                .param("IN_W", &w)
                .clock(&ck)
                .input("en_i", &en)
                .input("x_i", &x.lane(i, &w))
                .input("max_i", &max);
            let lane = constants.iter().fold(lane, |lane, (port, value)| lane.input(port, value));
            lane.output_part("e_o", &e, i * e_bits, e_bits).done();
        });
        m.finish()
    }

    /// A lane and its latency.
    fn lane(&self) -> (Rc<Unit>, i64) {
        let name = format!("{}_lane", self.method.name().replace('-', "_"));
        match &self.form {
            Form::Table(t) => t.lane(&name, self.in_bits, self.maximum == Maximum::Octave),
            Form::Line(l) => l.lane(&name, self.in_bits, self.maximum == Maximum::Octave),
            Form::Octaves(o) => o.lane(&name, self.in_bits),
            Form::Segments(s) => s.lane(&name, self.in_bits),
            Form::ItaMax => itamax::lane(&name, self.in_bits),
        }
    }

    /// Predicted resources, from the structure of a lane.
    pub fn cost(&self, family: Family) -> Cost {
        let wide = self.in_bits + i64::from(self.maximum == Maximum::Octave);
        let each = match &self.form {
            Form::Table(t) => t.cost(wide, family),
            Form::Line(l) => l.cost(wide),
            Form::Octaves(o) => o.cost(wide, family),
            Form::Segments(s) => s.cost(wide, family),
            Form::ItaMax => itamax::cost(wide),
        };
        each * self.lanes as f64
    }
}

/// The lane of a method at a scale; `None` where a constant vanishes or does not fit 63 bits.
fn fixed(method: Method, scale: f64) -> Option<Form> {
    let octaves = |polynomial, n: u32| {
        let form = Octaves { polynomial, runtime: false, n: n.into() };
        (form.polynomial.octave() > 0 && form.e_bits() <= 63 && form.e_bits() > n.into()).then_some(Form::Octaves(form))
    };
    match method {
        Method::LinMax { n } => {
            let (octave, intercept) = constants::linmax(scale)?;
            octaves(Polynomial::Line { octave, intercept }, n)
        }
        Method::IBert { n } => {
            let (octave, linear, constant) = constants::ibert(scale)?;
            octaves(Polynomial::Parabola { octave, linear, constant }, n)
        }
        Method::ShiftMax { n } => octaves(Polynomial::Halves { octave: constants::shiftmax(scale)? }, n),
        Method::LinMaxPlus { width } => {
            Some(Form::Segments(Segments { points: constants::line(width), step: Some(constants::step(scale)?) }))
        }
        Method::Pwl { width, segments } => {
            let points = constants::points(segments, width);
            Some(Form::Segments(Segments { points, step: Some(constants::step(scale)?) }))
        }
        Method::ExpTable { width } => {
            Some(Form::Table(Table { values: constants::exp_table(scale, width)?, block: false }))
        }
        Method::Base2 { .. } | Method::ItaMax => runtime(method),
    }
}

/// The lane of a method at a scale that comes with the job, or at the method's own.
fn runtime(method: Method) -> Option<Form> {
    let (step, square) = ((1u64 << STEP_PORT_BITS) - 1, (1u64 << SQUARE_PORT_BITS) - 1);
    let octaves = |polynomial, n: u32| Some(Form::Octaves(Octaves { polynomial, runtime: true, n: n.into() }));
    match method {
        Method::LinMax { n } => octaves(Polynomial::Line { octave: step, intercept: step }, n),
        Method::IBert { n } => octaves(Polynomial::Parabola { octave: step, linear: 2 * step, constant: square }, n),
        Method::ShiftMax { n } => octaves(Polynomial::Halves { octave: step }, n),
        Method::LinMaxPlus { width } => Some(Form::Segments(Segments { points: constants::line(width), step: None })),
        Method::Pwl { width, segments } => {
            Some(Form::Segments(Segments { points: constants::points(segments, width), step: None }))
        }
        Method::Base2 { octave_bits, width, line: true } => Some(Form::Line(Line { octave_bits, width })),
        Method::Base2 { octave_bits, width, line: false } => Some(Form::Table(Table {
            values: base2::values(&constants::octave_table(octave_bits, width)),
            block: false,
        })),
        Method::ItaMax => Some(Form::ItaMax),
        Method::ExpTable { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use bitlathe_hdl::check;

    use super::*;

    #[test]
    fn lane_counts_differ_in_parameter_defaults_only() {
        let text = |method, scale, lanes| {
            let stage = Stage::new(method, scale, Maximum::Element, 8, lanes).expect("constants");
            let files = check(&stage.module()).unwrap_or_else(|e| panic!("{e}")).files(&[]);
            let lines = files.iter().flat_map(|(_, text)| text.lines());
            lines.filter(|l| !l.trim_start().starts_with("parameter ")).map(str::to_owned).collect::<Vec<_>>()
        };
        for method in Method::ALL {
            assert_eq!(text(method, Some(0.05), 3), text(method, Some(0.05), 16), "{method}");
        }
        assert_eq!(text(Method::IBert { n: 30 }, None, 1), text(Method::IBert { n: 30 }, None, 16));
    }

    #[test]
    fn what_makes_no_stage_is_refused() {
        let new = |method, scale, maximum| Stage::new(method, scale, maximum, 8, 4).map(|_| ());
        let (table, line) = (Method::ExpTable { width: 18 }, Method::LinMax { n: 30 });
        assert_eq!(new(table, None, Maximum::Element), Err(StageError::Runtime("exp-table")));
        assert_eq!(new(line, Some(0.05), Maximum::Octave), Err(StageError::Octave("linmax")));
        for scale in [0.0, -1.0, f64::NAN, f64::INFINITY, 1.4] {
            assert!(new(line, Some(scale), Maximum::Element).is_err(), "{scale}");
        }
    }
}
