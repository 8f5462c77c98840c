//! Requantized output of a matrix product: its table in a config, its numbers, its tensors and registers, its lanes.
//!
//! Multiplier, shift and zero point belong to a row of weights and come as streams, one beat a tile; or one of each serves all rows
//! and stands in registers.

use std::collections::BTreeMap;

use bitlathe_golden::rounding::OutputFormat;
use bitlathe_hdl::{Clock, Dim, Expr, Module, Wire, bit, clog2, concat, lit, sint, uint};
use bitlathe_spec::{DType, Dir, Family, Field, LoopVar, Register, Rounding, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::boundary::{Carry, axis, element, fixed, lane, named, plain, register};
use crate::common::ShiftValue;
use crate::parts::lfsr;
use crate::parts::requantize::{RequantizeLane, Shift, Tied};
use crate::random::Random;
use crate::{Cost, Issue};

/// The output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, bound(deserialize = "K: Default + Deserialize<'de>"))]
#[schemars(rename = "OutputTable", bound = "K: Default + Serialize + JsonSchema")]
pub struct OutputTable<K> {
    /// Exact sums or requantized.
    pub kind: K,
    /// Bits of a requantized output: 4, 8 or 16.
    #[schemars(extend("enum" = [4, 8, 16]))]
    pub bits: u32,
    /// Rounding name.
    pub rounding: Rounding,
    /// Constant shift, or `[lo, hi]` for the input `shift`.
    pub shift: ShiftValue,
    /// Multiplier, shift and zero point for every row; otherwise one of each, in registers.
    pub per_row: bool,
    /// Saturate to -(2^(bits-1) - 1) instead of -2^(bits-1).
    pub narrow: bool,
}

impl<K: Default> Default for OutputTable<K> {
    fn default() -> Self {
        Self {
            kind: K::default(),
            bits: 8,
            rounding: Rounding::HalfEven,
            shift: ShiftValue::Constant(24),
            per_row: true,
            narrow: false,
        }
    }
}

impl<K> OutputTable<K> {
    /// Refuses what makes no requantizer.
    pub fn check(&self, issues: &mut Vec<Issue>) {
        self.shift.check("output.shift", issues);
    }

    /// The numbers of a requantized output.
    pub fn requantized(&self) -> Requantized {
        Requantized {
            bits: self.bits.into(),
            narrow: self.narrow,
            rounding: self.rounding,
            shift: self.shift.shift(),
            per_row: self.per_row,
        }
    }
}

/// Requantized output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requantized {
    /// Bits of an output.
    pub bits: i64,
    /// Symmetric saturation.
    pub narrow: bool,
    /// Rounding rule.
    pub rounding: Rounding,
    /// Constant or run-time shift.
    pub shift: Shift,
    /// Parameters come as streams, one lane a row.
    pub per_row: bool,
}

impl Requantized {
    /// Element type of the output in files.
    pub fn dtype(&self) -> DType {
        if self.bits <= 8 { DType::I8 } else { DType::I16 }
    }

    /// Smallest and largest output.
    pub fn range(&self) -> (i64, i64) {
        let top = 1i64 << (self.bits - 1);
        (if self.narrow { 1 - top } else { -top }, top - 1)
    }

    /// As the golden models take it.
    pub fn format(&self) -> OutputFormat {
        OutputFormat { bits: self.bits as u32, narrow: self.narrow }
    }

    /// The shift that is fixed at generation.
    pub fn constant_shift(&self) -> Option<u32> {
        match self.shift {
            Shift::Constant(s) => Some(s as u32),
            Shift::Range(..) => None,
        }
    }

    /// Bits of the run-time shift's register.
    pub fn shift_bits(&self) -> i64 {
        clog2(self.shift.largest() + 1).max(1)
    }

    /// Smallest shift that a job may use.
    pub fn smallest_shift(&self) -> i64 {
        match self.shift {
            Shift::Constant(s) | Shift::Range(s, _) => s,
        }
    }

    /// A lane for accumulators of so many bits.
    pub fn lane(&self, acc_bits: i64, planes: i64, batch: i64) -> RequantizeLane {
        let Self { bits, narrow, rounding, shift, .. } = *self;
        RequantizeLane { acc_bits, shift, rounding, out_bits: bits, narrow, planes, batch }
    }

    /// Cost of `lanes` lanes with their random numbers.
    pub fn cost(&self, lane: RequantizeLane, family: Family, lanes: i64) -> Cost {
        let mut cost = lane.cost(family, lanes, self.per_row, Tied::Nothing);
        if self.rounding == Rounding::Stochastic {
            cost += lfsr::lfsr_cost() * lanes as f64;
        }
        cost
    }

    /// Multiplier, shift and zero point, one of each a row of weights or one each. Their streams carry `lanes` rows a beat, `tiles`
    /// says when; the last of `tiles` counts the tiles.
    pub fn parameters(&self, tiles: &[LoopVar], lanes: i64) -> Vec<Carry> {
        let tile = tiles.last().map_or("", |l| l.name.as_str());
        let carry = |name, dtype, range, default, doc, bits| {
            let axes = vec![axis(&[(tile, lanes), ("row", 1)], lanes)];
            let layout = || plain(tiles.to_vec(), vec![lane("row", lanes)], bits, axes);
            let shape = vec![if self.per_row { named("M") } else { fixed(1) }];
            let stream = self.per_row.then(|| (layout(), false));
            Carry { name, dir: Dir::In, dtype, shape, range, default, doc, stream }
        };
        let mut out = vec![carry("mult", DType::U16, (0, 65535), None, "Multiplier of the scale, mult / 2^shift.", 16)];
        if let Shift::Range(lo, hi) = self.shift {
            out.push(carry("shift", DType::U8, (lo, hi), None, "Shift of the scale.", 8));
        }
        out.push(carry("zp", DType::I8, (-128, 127), Some(0), "Zero point, added after the rounding.", 8));
        out
    }

    /// Registers of the parameters that all rows share, at `offset` and the two words behind it; a second plane's multiplier lies 16
    /// bytes behind the first's.
    pub fn registers(&self, offset: u32, planes: i64) -> Vec<Register> {
        if self.per_row {
            return vec![];
        }
        let mult = |name, plane| vec![element(name, "mult", plane, 65535, "Multiplier.")];
        let mut out = if planes == 2 {
            vec![
                register("scale_0", offset, mult("mult_0", 0), "Multiplier of every row of the first plane."),
                register("scale_1", offset + 16, mult("mult_1", 1), "Multiplier of every row of the second plane."),
            ]
        } else {
            vec![register("scale", offset, mult("mult", 0), "Multiplier of every row.")]
        };
        if let Shift::Range(lo, hi) = self.shift {
            let shift = element("shift", "shift", 0, hi as u64, "Shift.");
            let shift = Field { min: lo as u64, reset: lo as u64, ..shift };
            out.push(register("shift", offset + 4, vec![shift], "Shift of every row."));
        }
        let zero_point = element("zp", "zp", 0, 255, "Two's complement.");
        out.push(register("zero_point", offset + 8, vec![zero_point], "Zero point of every row."));
        out
    }

    /// Values for a job with `m` rows of weights: multipliers whose results use the whole output range, and beyond at random, or the
    /// largest.
    pub fn values(&self, planes: usize, m: usize, largest: bool, r: &mut Random) -> BTreeMap<String, Tensor> {
        let rows = if self.per_row { m } else { 1 };
        let mult = |r: &mut Random| (1i64 << r.below(17)).min(65535) - i64::from(r.below(2) == 0);
        let mults = (0..planes * rows).map(|_| if largest { 65535 - i64::from(r.below(2) == 0) } else { mult(r) });
        let mults = mults.collect();
        let shape = if planes == 2 { vec![2, rows] } else { vec![rows] };
        let mut out = BTreeMap::from([("mult".to_owned(), Tensor::new(DType::U16, shape, mults))]);
        if let Shift::Range(lo, hi) = self.shift {
            let shifts = (0..rows).map(|_| lo + r.below((hi - lo + 1) as u64) as i64).collect();
            out.insert("shift".into(), Tensor::new(DType::U8, [rows], shifts));
        }
        let zps = (0..rows).map(|_| r.below(256) as i64 - 128).collect();
        out.insert("zp".into(), Tensor::new(DType::I8, [rows], zps));
        out
    }

    /// The formulas of the datasheet from `sum`, the text of one plane's sum or of each plane's.
    pub fn definition(&self, sums: &[&str]) -> Vec<String> {
        let row = |name: &str| if self.per_row { format!("{name}[m]") } else { name.into() };
        let shift = match self.shift {
            Shift::Constant(s) => s.to_string(),
            Shift::Range(..) => row("shift"),
        };
        let of_plane = |(p, sum): (usize, &&str)| {
            format!("{sum} * {}", if self.per_row { format!("mult[{p},m]") } else { format!("mult[{p}]") })
        };
        let scaled = match sums {
            [sum] => format!("{sum} * {}", row("mult")),
            _ => format!("({})", sums.iter().enumerate().map(of_plane).collect::<Vec<_>>().join(" + ")),
        };
        let (low, high) = self.range();
        vec![
            format!("Y[t,m] = saturate(round({scaled} / 2^{shift}) + {})", row("zp")),
            format!("round: {}; saturate: to {low} .. {high}", self.rounding.name()),
        ]
    }

    /// Names of the streams of its parameters.
    pub fn streams(&self) -> Vec<&'static str> {
        let shift = matches!(self.shift, Shift::Range(..));
        let given = [("mult", true), ("shift", shift), ("zp", true)];
        given.into_iter().filter(|(_, given)| self.per_row && *given).map(|(name, _)| name).collect()
    }

    /// The result without rounding and saturation of the exact `sums` of the planes for row `row` of the weights.
    pub fn real(&self, tensors: &BTreeMap<String, Tensor>, row: usize, sums: &[f64]) -> f64 {
        let scalar = |name: &str, plane: usize| {
            let tensor = tensors.get(name)?;
            let rows = tensor.shape.last().copied().unwrap_or(1).max(1);
            tensor.data.get(plane * rows + row % rows).map(|v| *v as f64)
        };
        let shift = match self.shift {
            Shift::Constant(s) => s as f64,
            Shift::Range(..) => scalar("shift", 0).unwrap_or(0.0),
        };
        let sum: f64 = sums.iter().enumerate().map(|(p, sum)| sum * scalar("mult", p).unwrap_or(0.0)).sum();
        sum / shift.exp2() + scalar("zp", 0).unwrap_or(0.0)
    }
}

/// Where the lanes stand: one a row of a tile.
pub struct Lanes<'a> {
    /// Module.
    pub m: &'a Module,
    /// Its clock.
    pub ck: &'a Clock,
    /// Moves the lanes.
    pub en: &'a Expr,
    /// What they compute.
    pub requant: Requantized,
    /// Numbers of a lane.
    pub lane: RequantizeLane,
    /// Rows of a tile.
    pub rows: &'a Dim,
    /// Bits of an accumulator.
    pub acc: &'a Dim,
}

/// A beat of accumulators as the lanes take it.
pub struct Tile<'a> {
    /// There is one.
    pub valid: &'a Expr,
    /// The last of the job.
    pub last: &'a Expr,
    /// Accumulators, row 0 lowest.
    pub sums: &'a Expr,
    /// With two planes: it belongs to the second, with the distance between the planes.
    pub second: Option<(&'a Expr, &'a Dim)>,
}

/// What every row is scaled with.
pub struct Parameters {
    mult: Expr,
    shift: Option<Expr>,
    zp: Expr,
    /// All streams of them offer a beat.
    pub offered: Expr,
}

impl Lanes<'_> {
    /// Multipliers, shifts and zero points of the present tile: from streams, whose beats `taken` ends, or of register fields by name.
    pub fn parameters(&self, field: impl Fn(&str) -> Expr, taken: &Expr, second: Option<&Expr>) -> Parameters {
        let (m, rows) = (self.m, self.rows);
        let runtime = matches!(self.requant.shift, Shift::Range(..));
        let mut offered = lit(1, bit());
        if !self.requant.per_row {
            let spread = |name: &str, v: &Expr, n: i64| m.wire(name, &v.repeat(n * rows));
            let mult = match second {
                Some(second) => m.wire("mult", &second.select(field("mult_1"), field("mult_0"))),
                None => field("mult"),
            };
            let shift = runtime.then(|| {
                let pad = lit(0, uint(8 - self.requant.shift_bits()));
                let byte = m.wire("shift_byte", &concat(&[&pad, &field("shift")]));
                spread("shift_all", &byte, 8)
            });
            let (mult, zp) = (spread("mult_all", &mult, 16), spread("zp_all", &field("zp"), 8));
            return Parameters { mult, shift, zp, offered };
        }
        let once = second.map_or_else(|| taken.clone(), |second| m.wire("once_a_tile", &(taken & second)));
        let mut stream = |name: &str, bits: i64, take: &Expr| {
            let s = m.sink(name, uint(bits * rows), false).take(take);
            offered = &offered & &s.valid;
            s.data
        };
        let mult = stream("mult", 16, taken);
        let shift = runtime.then(|| stream("shift", 8, &once));
        let zp = stream("zp", 8, &once);
        Parameters { mult, shift, zp, offered }
    }

    /// The lanes; gives their outputs, [`LATENCY`](crate::parts::requantize::LATENCY) enabled cycles later.
    pub fn build(&self, tile: &Tile, parameters: &Parameters) -> Wire {
        let (m, r) = (self.m, self.requant);
        let unit = self.lane.unit();
        let y = m.wire_later("y_data", uint(r.bits * self.rows));
        let drawn = tile.second.map_or_else(|| tile.valid.clone(), |(second, _)| tile.valid & second);
        let draw = m.wire("draw", &(self.en & &drawn));
        let restart = m.wire("restart", &(&draw & tile.last));
        if r.rounding != Rounding::Stochastic {
            m.allow(&draw, "UNUSEDSIGNAL", "nothing is drawn");
            m.allow(&restart, "UNUSEDSIGNAL", "nothing is drawn");
        }
        m.generate_for("g_requantize", self.rows, |i| {
            let sum = m.wire("sum", &tile.sums.lane(i, self.acc).as_signed());
            // A wire of its own: Yosys 0.70 fails on a port that takes `$signed` of a whole vector, as with one row.
            let zero_point = m.wire("zero_point", &parameters.zp.lane(i, &Dim::from(8)).as_signed());
            let mut lane = m
                .instance("u_lane", &unit)
                .param("ACC_W", self.acc)
                .clock(self.ck)
                .input("en_i", self.en)
                .input("acc_i", &sum)
                .input("mult_i", &parameters.mult.lane(i, &Dim::from(16)))
                .input("zp_i", &zero_point);
            if let Some(s) = &parameters.shift {
                lane = lane.input("shift_i", &s.slice(i * 8, 6));
            }
            if let Some((second, batch)) = tile.second {
                lane = lane.param("BATCH", batch).input("take_i", tile.valid).input("add_i", second);
            }
            if r.rounding == Rounding::Stochastic {
                lane = lane.input("random_i", &self.random(i, &draw, &restart));
            }
            let out = m.wire_later("lane_y", sint(r.bits));
            lane.output("y_o", &out).done();
            y.drive_lane(i, &Dim::from(r.bits), &out.as_unsigned());
        });
        y
    }

    /// The random number of lane `i`.
    fn random(&self, i: &Dim, draw: &Expr, restart: &Expr) -> Expr {
        let state = self.m.wire_later("random", uint(16));
        // Seed of lane i: (i + 1) * 0x9e37 modulo 2^16, one where that is zero.
        let seed = (i + 1) * 0x9e37;
        self.m
            .instance("u_lfsr", &lfsr::lfsr16())
            .param("SEED", seed)
            .clock(self.ck)
            .input("step_i", draw)
            .input("restart_i", restart)
            .output("state_o", &state)
            .done();
        (*state).clone()
    }
}
