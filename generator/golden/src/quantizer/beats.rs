//! The elements of a job and the order in which a core's lanes meet them.

use bitlathe_spec::Tensor;

use crate::arguments::{ArgumentError, narrowed};
use crate::lfsr::Lfsr;

/// Elements [R, C], checked.
pub(super) struct Matrix {
    pub rows: usize,
    pub columns: usize,
    pub data: Vec<i64>,
}

impl Matrix {
    /// Refuses anything but [R, C] with at least one element, and elements outside `bits`.
    pub fn new(x: &Tensor, bits: u32) -> Result<Self, ArgumentError> {
        let &[rows @ (1..), columns @ (1..)] = x.shape.as_slice() else {
            let expected = "[R, C] with at least one element".into();
            return Err(ArgumentError::Shape { name: "x", got: x.shape.clone(), expected });
        };
        let top = 1i64 << (bits - 1);
        Ok(Self { rows, columns, data: narrowed("x", x, (-top, top - 1))? })
    }

    pub fn rows(&self) -> impl Iterator<Item = &[i64]> {
        self.data.chunks_exact(self.columns)
    }

    /// Every element through `code(value, column, lfsrs)`, in the order of beats; the LFSRs step after each beat.
    pub fn map_beats(
        &self,
        lanes: usize,
        mut lfsrs: Vec<Lfsr>,
        mut code: impl FnMut(i64, usize, &[Lfsr]) -> i64,
    ) -> Vec<i64> {
        let mut codes = Vec::with_capacity(self.data.len());
        for row in self.rows() {
            for (beat, values) in row.chunks(lanes).enumerate() {
                let first = beat * lanes;
                codes.extend(values.iter().enumerate().map(|(lane, &v)| code(v, first + lane, &lfsrs)));
                lfsrs.iter_mut().for_each(Lfsr::step);
            }
        }
        codes
    }
}
