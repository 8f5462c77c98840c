//! One row: its exponentials and their sum, walked in three passes or online.

use bitlathe_spec::Rounding;

use super::{Base2, Exponential};
use crate::rounding::shift_round;

/// The exponentials of a row with their sum.
pub struct Row {
    /// e of each element.
    pub e: Vec<u64>,
    /// The sum.
    pub sum: u64,
    /// The maximum in octaves after each beat; empty for a row that is walked as a whole.
    pub octaves: Vec<i64>,
}

impl Row {
    /// Differences from the row's own maximum.
    pub fn whole(exponential: &Exponential, x: &[i64]) -> Self {
        let max = largest(x);
        let e: Vec<u64> = x.iter().map(|v| exponential.at((max - v) as u64)).collect();
        Self { sum: e.iter().sum(), e, octaves: vec![] }
    }

    /// Differences from the running maximum in whole octaves; an octave more halves the sum.
    pub fn online(base2: &Base2, x: &[i64], lanes: usize) -> Self {
        let mut row = Self { e: Vec::with_capacity(x.len()), sum: 0, octaves: vec![] };
        for beat in x.chunks(lanes) {
            let own = base2.octave_above(largest(beat));
            let before = row.octaves.last().copied().unwrap_or(own);
            let now = before.max(own);
            row.sum = half_up(row.sum, (now - before) as u64);
            for v in beat {
                let e = base2.at((base2.step_of(now) - v) as u64);
                row.sum += e;
                row.e.push(e);
            }
            row.octaves.push(now);
        }
        row
    }

    /// The same sum, with each exponential counted again from the last maximum.
    pub fn recounted(self, base2: &Base2, x: &[i64]) -> Self {
        let max = base2.step_of(self.octaves.last().copied().unwrap_or_default());
        Self { e: x.iter().map(|v| base2.at((max - v) as u64)).collect(), ..self }
    }
}

fn largest(x: &[i64]) -> i64 {
    x.iter().copied().max().unwrap_or_default()
}

/// half-up(value / 2^shift); a shift beyond the value's width leaves 0.
pub fn half_up(value: u64, shift: u64) -> u64 {
    shift_round(value.into(), shift.min(94) as u32, Rounding::HalfUp, None) as u64
}
