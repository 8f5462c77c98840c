//! `exp-table` and `base2`: e of a difference from a table, 0 beyond it.

use std::rc::Rc;

use bitlathe_hdl::{Unit, clog2};

use super::pipe::{Near, Pipe};
use super::quotient::bits_to;

/// A power of two of values that never rise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Values.
    pub values: Vec<u64>,
}

impl Table {
    /// Bits of e.
    pub fn e_bits(&self) -> i64 {
        bits_to(self.values[0])
    }

    /// The lane and its latency.
    pub fn lane(&self, name: &str, in_bits: i64, octave: bool) -> (Rc<Unit>, i64) {
        let mut p = Pipe::new(name, "e = T[max - x], 0 beyond the table.");
        let index = clog2(self.values.len() as i64);
        let Near { low, far } = p.near_difference(in_bits, octave, index);
        let value = p.m.rom("value", &low, self.e_bits(), &self.values);
        p.advance();
        let e = p.keep("e", &far.select(0, &value));
        p.m.output("e_o", &e);
        let latency = p.latency();
        (p.m.finish(), latency)
    }
}
