//! `exp-table` and `base2`: e of a difference from a table, 0 beyond it; the table in look-up tables or in block memory.
//!
//! In look-up tables it is cut into runs of 64 values, a LUT6 for each bit of each: as values never rise, later runs have fewer
//! bits, and the upper bits of e come from the first run alone.

use std::rc::Rc;

use bitlathe_hdl::{Expr, Unit, clog2, concat, lit, uint};
use bitlathe_spec::Family;

use super::pipe::{Near, Pipe, at_least, difference_cost};
use super::quotient::bits_to;
use crate::Cost;
use crate::parts::memory::block_memory;

/// Values that one LUT6 a bit holds.
const RUN: usize = 64;

/// A power of two of values that never rise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Values, 64 at least.
    pub values: Vec<u64>,
    /// In block memory.
    pub block: bool,
}

impl Table {
    /// Bits of e.
    pub fn e_bits(&self) -> i64 {
        bits_to(self.values[0])
    }

    /// Bits of the values of each run, as long as they are not all zero.
    fn runs(&self) -> Vec<(&[u64], i64)> {
        self.values.chunks(RUN).map(|run| (run, bits_to(run[0]))).filter(|run| run.1 > 0).collect()
    }

    /// The lane and its latency.
    pub fn lane(&self, name: &str, in_bits: i64, octave: bool) -> (Rc<Unit>, i64) {
        let mut p = Pipe::new(name, "e = T[max - x], 0 beyond the table.");
        let index = clog2(self.values.len() as i64);
        let Near { low, far } = p.near_difference(in_bits, octave, index);
        p.advance();
        let e = if self.block { self.block(&mut p, &low, &far) } else { self.logic(&mut p, &low, &far) };
        p.m.output("e_o", &e);
        let latency = p.latency();
        (p.m.finish(), latency)
    }

    /// A word of block memory and its output register.
    fn block(&self, p: &mut Pipe, low: &Expr, far: &Expr) -> Expr {
        let word = p.m.block_rom("word", low, self.e_bits(), &self.values);
        let [word, far] = p.keep_all([("word", &word), ("far", far)]);
        p.advance();
        p.keep("e", &far.select(0, &word))
    }

    /// A value of each run, then one of them.
    fn logic(&self, p: &mut Pipe, low: &Expr, far: &Expr) -> Expr {
        let m = p.m.clone();
        let place = m.wire("place", &low.slice(0, 6));
        let runs = self.runs();
        let found: Vec<Expr> = (runs.iter().enumerate())
            .map(|(n, (run, bits))| p.keep(&format!("run{n}"), &m.rom(&format!("value{n}"), &place, *bits, run)))
            .collect();
        let select_bits = low.width().value() - 6;
        let run = p.keep("run", &if select_bits > 0 { low.slice(6, select_bits) } else { lit(0, uint(1)) });
        let far = p.keep("far", far);
        p.advance();
        // From the top: bits that the same number of runs have.
        let mut e: Vec<Expr> = vec![];
        for (n, (_, bits)) in runs.iter().enumerate() {
            let from = runs.get(n + 1).map_or(0, |next| next.1);
            if from == *bits {
                continue;
            }
            let bits_here = bits - from;
            let piece = |at: usize| found[at].slice(from, bits_here);
            let chosen = (0..n).rev().fold(piece(n), |rest, at| run.eq_to(at as i64).select(piece(at), rest));
            let chosen = m.wire(&format!("from{from}"), &chosen);
            let beyond = m.wire(&format!("beyond{from}"), &(&far | at_least(&run, n as u64 + 1)));
            e.push(p.keep(&format!("e{from}"), &beyond.select(0, &chosen)));
        }
        concat(&e.iter().collect::<Vec<_>>())
    }

    /// Cost of a lane.
    pub fn cost(&self, wide: i64, family: Family) -> Cost {
        let e_bits = self.e_bits();
        let mut cost = difference_cost(wide, clog2(self.values.len() as i64));
        if self.block {
            cost += block_memory(family, e_bits, self.values.len() as i64, true);
            cost.ff += e_bits as f64;
            return cost;
        }
        let (runs, bits) = (self.runs(), self.runs().iter().map(|run| run.1).sum::<i64>());
        // A multiplexer where a bit has more than one run.
        let shared = runs.get(1).map_or(0, |second| second.1);
        cost += Cost::logic((bits + shared + 2) as f64, (bits + e_bits + 2) as f64);
        cost
    }
}
