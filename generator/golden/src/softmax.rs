//! Softmax over whole jobs: rows of integers in, probabilities out, by eight methods on exact integers.
//!
//! A method is an [`Exponential`] e(d) of the difference d = max - x ≥ 0; made by [`Method::exponential`] from a real scale,
//! all of it integers afterwards. [`Softmax`] finds maxima, sums the exponentials of a row and makes the output. Each
//! method's definition, source and error: `docs/softmax.md`.

pub mod accuracy;
mod base2;
mod exponential;
mod itamax;
mod method;
mod octaves;
mod output;
mod row;

use bitlathe_spec::{DType, Tensor};
use thiserror::Error;

pub use base2::{Base2, ExpTable, LinMaxPlus, Pwl};
pub use exponential::Exponential;
pub use itamax::BLOCK as ITAMAX_BLOCK;
pub use method::{ExponentialError, Method};
pub use octaves::{IBert, LinMax, ShiftMax};
pub use output::Output;
use row::Row;

/// How often a row is walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passes {
    /// Maximum, sum, output: d counts from the row's maximum.
    Three,
    /// Maximum and sum at once, then output.
    ///
    /// A row comes in beats of `lanes` elements, the last one maybe short. For [`Exponential::Base2`] the maximum M is kept
    /// in whole octaves of 2^F steps. Beat by beat M' = max(M, ceil(largest x / 2^F)), the sum becomes half-up(sum /
    /// 2^(M' - M)) + Σ e(M'·2^F - x) over the beat, and M = M'; the first beat has nothing to shift. Outputs count from
    /// the last M. For [`Exponential::ItaMax`] a beat is its block of 16, and it has its own rule.
    Two {
        /// Elements of a beat.
        lanes: usize,
    },
    /// Walked once, for a consumer that rescales by itself: the exponentials of a beat count from its M' as in
    /// [`Passes::Two`], and M' itself leaves as `octave`.
    One {
        /// Elements of a beat.
        lanes: usize,
    },
}

/// Parameters of a softmax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Softmax {
    /// e(d) with its constants.
    pub exponential: Exponential,
    /// How rows are walked.
    pub passes: Passes,
    /// What leaves.
    pub output: Output,
    /// Longest row.
    pub n_max: usize,
}

/// Largest values that a legal row can reach, proven from the constants and the longest row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    /// Largest e(d).
    pub exponential: u64,
    /// Largest sum of a row: `n_max` times that. A rescaled sum only shrinks.
    pub sum: u64,
}

impl Widths {
    /// Bits of an exponential.
    pub fn exponential_bits(self) -> u32 {
        u64::BITS - self.exponential.leading_zeros()
    }

    /// Bits of a sum.
    pub fn sum_bits(self) -> u32 {
        u64::BITS - self.sum.leading_zeros()
    }
}

/// Tensors of a finished job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outputs {
    /// The output, [R, N]: uint8 for `u8` and `log2-4`, uint16 for `u16`, uint64 for `raw`.
    pub y: Tensor,
    /// The sum of each row, uint64 [R], of a raw output.
    pub sum: Option<Tensor>,
    /// The maximum in octaves after each beat, int32 [R, ceil(N / lanes)], of a single pass.
    pub octave: Option<Tensor>,
}

/// Parameters or tensors that do not make a job.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum SoftmaxError {
    #[error("rows of {n_max} elements of at most {exponential} sum to over 63 bits; n_max is {longest} at most")]
    Sum { exponential: u64, n_max: usize, longest: u64 },
    #[error("the longest row and a beat have at least one element")]
    Empty,
    #[error("only base2 can walk a row in fewer than three passes, not {0}: its maximum moves by whole octaves")]
    Passes(&'static str),
    #[error("itamax walks a row in two passes of beats of 16 and has an output of its own, u8")]
    ItaMax,
    #[error("a single pass leaves exponentials and sums: its output is raw")]
    Unnormalised,
    #[error("tensor `x` has shape {got:?}, expected [R, N] with R at least 1 and N in 1..={n_max}")]
    Shape { got: Vec<usize>, n_max: usize },
    #[error("tensor `x` holds {value} at index {index}, outside {min}..={max}")]
    Range { value: i64, index: usize, min: i64, max: i64 },
}

impl Softmax {
    /// Largest values, or why the parameters make no core.
    pub fn widths(&self) -> Result<Widths, SoftmaxError> {
        self.check_passes()?;
        if self.n_max == 0 {
            return Err(SoftmaxError::Empty);
        }
        let exponential = self.exponential.largest();
        // Tensors hold uint64 up to 2^63 - 1.
        let longest = i64::MAX as u64 / exponential;
        if self.n_max as u64 > longest {
            return Err(SoftmaxError::Sum { exponential, n_max: self.n_max, longest });
        }
        Ok(Widths { exponential, sum: exponential * self.n_max as u64 })
    }

    fn check_passes(&self) -> Result<(), SoftmaxError> {
        match (&self.exponential, self.passes) {
            (_, Passes::Two { lanes: 0 } | Passes::One { lanes: 0 }) => Err(SoftmaxError::Empty),
            (Exponential::ItaMax, passes) => {
                let own = passes == Passes::Two { lanes: ITAMAX_BLOCK } && self.output == Output::U8;
                if own { Ok(()) } else { Err(SoftmaxError::ItaMax) }
            }
            (_, Passes::Three) => Ok(()),
            (Exponential::Base2(_), Passes::One { .. }) if self.output != Output::Raw => {
                Err(SoftmaxError::Unnormalised)
            }
            (Exponential::Base2(_), _) => Ok(()),
            (other, _) => Err(SoftmaxError::Passes(other.name())),
        }
    }

    /// The outputs of a job, x [R, N] within 32 bits, or 8 for `itamax`.
    pub fn run(&self, x: &Tensor) -> Result<Outputs, SoftmaxError> {
        self.widths()?;
        let n = self.check_job(x)?;
        let rows: Vec<Row> = x.data.chunks_exact(n).map(|row| self.row(row)).collect();
        let y = rows.iter().flat_map(|row| self.finish(row)).collect();
        let count = x.shape[0];
        let column = |name: fn(&Row) -> i64| rows.iter().map(name).collect::<Vec<_>>();
        let octave = || rows.iter().flat_map(|r| r.octaves.iter().copied()).collect::<Vec<_>>();
        Ok(Outputs {
            y: Tensor::new(self.output.dtype(), [count, n], y),
            sum: (self.output == Output::Raw).then(|| Tensor::new(DType::U64, [count], column(|r| r.sum as i64))),
            octave: match self.passes {
                Passes::One { lanes } => Some(Tensor::new(DType::I32, [count, n.div_ceil(lanes)], octave())),
                Passes::Two { .. } | Passes::Three => None,
            },
        })
    }

    /// The length of a row.
    fn check_job(&self, x: &Tensor) -> Result<usize, SoftmaxError> {
        let n = match *x.shape.as_slice() {
            [rows, n] if rows > 0 && (1..=self.n_max).contains(&n) => n,
            _ => return Err(SoftmaxError::Shape { got: x.shape.clone(), n_max: self.n_max }),
        };
        let (min, max) = match self.exponential {
            Exponential::ItaMax => (i8::MIN.into(), i8::MAX.into()),
            _ => (i32::MIN.into(), i32::MAX.into()),
        };
        match x.data.iter().position(|v| !(min..=max).contains(v)) {
            Some(index) => Err(SoftmaxError::Range { value: x.data[index], index, min, max }),
            None => Ok(n),
        }
    }

    fn row(&self, x: &[i64]) -> Row {
        match (&self.exponential, self.passes) {
            (Exponential::ItaMax, _) => itamax::row(x),
            (Exponential::Base2(base2), Passes::Two { lanes }) => Row::online(base2, x, lanes).recounted(base2, x),
            (Exponential::Base2(base2), Passes::One { lanes }) => Row::online(base2, x, lanes),
            (exponential, _) => Row::whole(exponential, x),
        }
    }

    fn finish(&self, row: &Row) -> Vec<i64> {
        match self.exponential {
            Exponential::ItaMax => itamax::finish(row),
            _ => self.output.finish(row),
        }
    }
}

#[cfg(test)]
mod tests;
