//! In which order a stream walks its tensor: a loop nest of beats, lanes within a beat, padding, repeats.
//!
//! ```text
//! for pass in 0..ceil(T / 2)          loops, outermost first; one beat per innermost step
//!   for slab in 0..ceil(K / 24)
//!     beat: for r in 0..14, c in 0..8   lanes; the last varies fastest; lane 0 in the least significant bits
//!       lane holds 3 elements (i)       a code of `group` elements
//! element = w[14*tile + r, 24*slab + 3*c + i]
//! ```

use serde::Serialize;
use thiserror::Error;

use crate::tensor::Dims;

/// How often a loop runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// Always this often.
    Const(u64),
    /// `ceil(dim / by)`.
    CeilDiv {
        /// Run-time size by name.
        dim: String,
        /// Divisor, at least 1.
        by: u64,
    },
    /// `min(by, dim - by * block)`: the steps of one block, of which the last may be short.
    Within {
        /// Run-time size by name.
        dim: String,
        /// Steps of a whole block, at least 1.
        by: u64,
        /// The loop over the blocks, further out, `ceil(dim / by)` of them.
        block: String,
    },
    /// `ceil(product of some sizes / (another size * by))`.
    Share {
        /// Run-time sizes by name, at least one.
        of: Vec<String>,
        /// The run-time size that divides them.
        among: String,
        /// Divisor, at least 1.
        by: u64,
    },
    /// Tiles of keys that a block of rows sees under a causal mask: row r of the walk is query r mod `queries`, which sees the keys up
    /// to its own, counted from the last. Without the mask all tiles.
    Causal {
        /// The run-time size that is 1 under the mask, else 0.
        when: String,
        /// The loop over blocks of rows, further out.
        block: String,
        /// Rows of a block.
        rows: u64,
        /// The run-time number of queries.
        queries: String,
        /// The run-time number of keys, no less.
        keys: String,
        /// Keys of a tile.
        by: u64,
    },
}

impl Extent {
    /// The number under given sizes; of steps within a block, that of the first; of tiles under a causal mask, the most.
    pub fn value(&self, dims: &Dims) -> Result<u64, LayoutError> {
        let size = |dim: &String| dims.get(dim).copied().ok_or_else(|| LayoutError::UnknownDim(dim.clone()));
        match self {
            Self::Const(n) => Ok(*n),
            Self::CeilDiv { dim, by } => Ok(size(dim)?.div_ceil(*by)),
            Self::Within { dim, by, .. } => Ok(size(dim)?.min(*by)),
            Self::Share { of, among, by } => {
                let product = of.iter().map(size).product::<Result<u64, _>>()?;
                Ok(product.div_ceil((size(among)? * by).max(1)))
            }
            Self::Causal { keys, by, .. } => Ok(size(keys)?.div_ceil(*by)),
        }
    }

    /// The number at a step of the loop that it depends on; the same everywhere for others.
    fn at(&self, dims: &Dims, counter: impl Fn(&str) -> u64) -> Result<u64, LayoutError> {
        let size = |dim: &String| dims.get(dim).copied().ok_or_else(|| LayoutError::UnknownDim(dim.clone()));
        if let Self::Within { dim, by, block } = self {
            return Ok(size(dim)?.saturating_sub(by * counter(block)).min(*by));
        }
        let Self::Causal { when, block, rows, queries, keys, by } = self else { return self.value(dims) };
        let masked = size(when)? > 0;
        let (queries, keys) = (size(queries)?.max(1), size(keys)?);
        let first = counter(block) * rows % queries;
        // A block that reaches a head's last query sees every key.
        let seen =
            if !masked || first + rows >= queries { keys } else { (first + rows + keys).saturating_sub(queries) };
        Ok(seen.div_ceil(*by))
    }

    /// The loop whose step decides the number, if one does.
    pub fn depends_on(&self) -> Option<&str> {
        match self {
            Self::Within { block, .. } | Self::Causal { block, .. } => Some(block),
            _ => None,
        }
    }

    /// As text, such as `ceil(K / 24)`.
    pub fn text(&self) -> String {
        match self {
            Self::Const(n) => n.to_string(),
            Self::CeilDiv { dim, by: 1 } => dim.clone(),
            Self::CeilDiv { dim, by } => format!("ceil({dim} / {by})"),
            Self::Within { dim, by, block } => format!("min({by}, {dim} - {by}*{block})"),
            Self::Share { of, among, by: 1 } => format!("{} / {among}", of.join("*")),
            Self::Share { of, among, by } => format!("ceil({} / ({by}*{among}))", of.join("*")),
            Self::Causal { block, keys, by, .. } => format!("ceil({keys} seen by {block} / {by})"),
        }
    }
}

/// One loop of the nest. A loop that no axis names repeats what is inside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LoopVar {
    /// Name used by [`Axis`].
    pub name: String,
    /// Trip count.
    pub extent: Extent,
}

/// One counter over the lanes of a beat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LaneVar {
    /// Name used by [`Axis`].
    pub name: String,
    /// Number of lanes along it.
    pub extent: u64,
}

/// Where along one tensor axis an element lies: the sum of `stride * counter`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Axis {
    /// Counters (loops, lanes, or `i`, the element within a code) with their strides.
    pub terms: Vec<(String, u64)>,
    /// Offsets made by lanes and `i` alone that reach this are padding (a code may overhang its tile).
    pub tile: u64,
}

/// The walk of a stream over its tensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Layout {
    /// Loops, outermost first; one beat per innermost step.
    pub loops: Vec<LoopVar>,
    /// Lane counters; the last varies fastest.
    pub lanes: Vec<LaneVar>,
    /// Elements in one lane: 1, or the group of a code.
    pub group: u64,
    /// Bits of one lane.
    pub lane_bits: u32,
    /// Name of the code of a lane: `plain` (two's complement or unsigned), or a weight encoding.
    pub code: String,
    /// One entry per tensor axis, outermost first.
    pub axes: Vec<Axis>,
    /// Sizes of the axes where the walk takes the row-major tensor in another shape than its own; empty: its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub shape: Vec<Extent>,
}

/// Where an element of a beat comes from or goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Flat row-major index into the tensor.
    Element(usize),
    /// Padding: zero when sent, ignored when received.
    Pad,
}

/// A layout that does not fit the sizes it is used with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[allow(missing_docs)]
pub enum LayoutError {
    #[error("the layout needs the size `{0}`, which the job does not give")]
    UnknownDim(String),
}

impl Layout {
    /// Lanes in a beat.
    pub fn lane_count(&self) -> u64 {
        self.lanes.iter().map(|l| l.extent).product()
    }

    /// Bits in a beat.
    pub fn beat_bits(&self) -> u64 {
        self.lane_count() * u64::from(self.lane_bits)
    }

    /// The outermost loops that only repeat what is inside them: no axis names them, and no other loop depends on them.
    pub fn repeats(&self) -> &[LoopVar] {
        let moves = |l: &LoopVar| self.axes.iter().any(|a| a.terms.iter().any(|(n, _)| *n == l.name));
        let decides = |l: &LoopVar| self.loops.iter().any(|o| o.extent.depends_on() == Some(&l.name));
        let count = self.loops.iter().take_while(|l| !moves(l) && !decides(l)).count();
        &self.loops[..count]
    }

    /// The walk without these loops.
    pub fn one_pass(&self) -> Self {
        Self { loops: self.loops[self.repeats().len()..].to_vec(), ..self.clone() }
    }

    /// What the number of beats in a job is the product of: the loops, where blocks and the steps within them are one factor.
    pub fn factors(&self) -> Vec<Extent> {
        let parted =
            |name: &str| self.loops.iter().any(|l| matches!(&l.extent, Extent::Within { block, .. } if block == name));
        let whole = self.loops.iter().filter(|l| !parted(&l.name)).map(|l| match &l.extent {
            Extent::Within { dim, .. } => Extent::CeilDiv { dim: dim.clone(), by: 1 },
            other => other.clone(),
        });
        whole.collect()
    }

    /// Beats in a job.
    pub fn beats(&self, dims: &Dims) -> Result<u64, LayoutError> {
        self.beats_from(0, dims, &mut vec![0; self.loops.len()])
    }

    /// Beats of the loops from `at` on, at given counters of those further out.
    fn beats_from(&self, at: usize, dims: &Dims, counters: &mut Vec<u64>) -> Result<u64, LayoutError> {
        let Some(this) = self.loops.get(at) else { return Ok(1) };
        let extent = this.extent.at(dims, |name| self.counter(name, counters))?;
        let decides = self.loops.iter().any(|l| l.extent.depends_on() == Some(&this.name));
        if !decides {
            return Ok(extent * self.beats_from(at + 1, dims, counters)?);
        }
        let mut step = |step: u64| {
            counters[at] = step;
            self.beats_from(at + 1, dims, counters)
        };
        // Whole blocks are alike.
        let causal = |l: &LoopVar| matches!(&l.extent, Extent::Causal { block, .. } if *block == this.name);
        if extent > 0 && !self.loops.iter().any(causal) {
            return Ok((extent - 1) * step(0)? + step(extent - 1)?);
        }
        (0..extent).map(step).sum()
    }

    /// The counter of a loop by name.
    fn counter(&self, name: &str, counters: &[u64]) -> u64 {
        self.loops.iter().zip(counters).find(|(l, _)| l.name == name).map_or(0, |(_, c)| *c)
    }

    /// Calls `visit(beat, slots)` for every beat in order. `slots` holds `lane_count() * group` entries, lane 0 first.
    pub fn walk(&self, dims: &Dims, shape: &[usize], mut visit: impl FnMut(u64, &[Slot])) -> Result<(), LayoutError> {
        let lanes = self.lane_offsets();
        let folded = self.shape.iter().map(|e| e.value(dims).map(|n| n as usize)).collect::<Result<Vec<_>, _>>()?;
        let shape = if folded.is_empty() { shape } else { &folded };
        let mut slots = vec![Slot::Pad; lanes.len()];
        let beats = self.beats(dims)?;
        let mut counters = vec![0u64; self.loops.len()];
        for beat in 0..beats {
            let base: Vec<u64> = self.axes.iter().map(|a| self.loop_offset(a, &counters)).collect();
            for (slot, lane) in slots.iter_mut().zip(&lanes) {
                *slot = flat_index(&base, lane.as_deref(), shape);
            }
            visit(beat, &slots);
            for at in (0..counters.len()).rev() {
                let extent = self.loops[at].extent.at(dims, |name| self.counter(name, &counters))?;
                counters[at] += 1;
                if counters[at] < extent {
                    break;
                }
                counters[at] = 0;
            }
        }
        Ok(())
    }

    fn loop_offset(&self, axis: &Axis, counters: &[u64]) -> u64 {
        let stride = |name: &str| axis.terms.iter().filter(|(n, _)| n == name).map(|(_, s)| s).sum::<u64>();
        self.loops.iter().zip(counters).map(|(l, c)| stride(&l.name) * c).sum()
    }

    /// Per element of a beat its offset along each axis; `None` where it overhangs the tile.
    fn lane_offsets(&self) -> Vec<Option<Vec<u64>>> {
        let mut vars: Vec<(&str, u64)> = self.lanes.iter().map(|l| (l.name.as_str(), l.extent)).collect();
        vars.push(("i", self.group));
        let total: u64 = vars.iter().map(|v| v.1).product();
        (0..total)
            .map(|flat| {
                let mut rest = flat;
                let mut values = vec![0u64; vars.len()];
                for (value, (_, extent)) in values.iter_mut().zip(&vars).rev() {
                    *value = rest % extent;
                    rest /= extent;
                }
                self.axes
                    .iter()
                    .map(|axis| {
                        let offset: u64 = vars
                            .iter()
                            .zip(&values)
                            .map(|((name, _), v)| {
                                axis.terms.iter().filter(|(n, _)| n == name).map(|(_, s)| s * v).sum::<u64>()
                            })
                            .sum();
                        (offset < axis.tile).then_some(offset)
                    })
                    .collect()
            })
            .collect()
    }
}

fn flat_index(base: &[u64], lane: Option<&[u64]>, shape: &[usize]) -> Slot {
    let Some(lane) = lane else { return Slot::Pad };
    let mut flat = 0usize;
    for ((b, l), &size) in base.iter().zip(lane).zip(shape) {
        let index = (b + l) as usize;
        if index >= size {
            return Slot::Pad;
        }
        flat = flat * size + index;
    }
    Slot::Element(flat)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seven rows in blocks of three, each block sent twice, two columns a beat.
    fn blocks() -> Layout {
        let named = |name: &str, extent| LoopVar { name: name.into(), extent };
        Layout {
            loops: vec![
                named("block", Extent::CeilDiv { dim: "T".into(), by: 3 }),
                named("again", Extent::Const(2)),
                named("t", Extent::Within { dim: "T".into(), by: 3, block: "block".into() }),
            ],
            lanes: vec![LaneVar { name: "c".into(), extent: 2 }],
            group: 1,
            lane_bits: 8,
            code: "plain".into(),
            axes: vec![
                Axis { terms: vec![("block".into(), 3), ("t".into(), 1)], tile: 1 },
                Axis { terms: vec![("c".into(), 1)], tile: 2 },
            ],
            shape: vec![],
        }
    }

    #[test]
    fn a_short_last_block_has_no_more_beats_than_rows() {
        let (layout, dims) = (blocks(), Dims::from([("T".to_owned(), 7)]));
        let mut rows = vec![];
        layout.walk(&dims, &[7, 2], |_, slots| rows.push(slots[0])).unwrap();
        let expected = [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5, 6, 6].map(|row| Slot::Element(2 * row));
        assert_eq!(rows, expected);
        assert_eq!(layout.beats(&dims), Ok(14));
        let texts: Vec<String> = layout.factors().iter().map(Extent::text).collect();
        assert_eq!(texts, ["2", "T"]);
        assert_eq!(layout.loops[2].extent.text(), "min(3, T - 3*block)");
        assert_eq!(layout.beats(&Dims::new()), Err(LayoutError::UnknownDim("T".into())));
    }

    fn dims(sizes: &[(&str, u64)]) -> Dims {
        sizes.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
    }

    fn looped(name: &str, extent: Extent) -> LoopVar {
        LoopVar { name: name.into(), extent }
    }

    fn axis(terms: &[(&str, u64)], tile: u64) -> Axis {
        Axis { terms: terms.iter().map(|(n, s)| ((*n).to_owned(), *s)).collect(), tile }
    }

    #[test]
    fn a_share_is_rounded_up_once() {
        let share = |by| Extent::Share { of: vec!["H".into(), "L".into()], among: "K".into(), by };
        let sizes = dims(&[("H", 6), ("L", 5), ("K", 2)]);
        assert_eq!([1, 4, 15, 16].map(|by| share(by).value(&sizes)), [Ok(15), Ok(4), Ok(1), Ok(1)]);
        assert_eq!(share(4).text(), "ceil(H*L / (4*K))");
        assert_eq!(share(1).value(&dims(&[("H", 1), ("K", 1)])), Err(LayoutError::UnknownDim("L".into())));
    }

    /// Five queries of each of two heads, in blocks of four, over seven keys in tiles of two.
    #[test]
    fn tiles_follow_what_a_block_sees() {
        let [when, block, queries, keys] = ["mask", "block", "L", "K"].map(String::from);
        let rows = Extent::CeilDiv { dim: "R".into(), by: 4 };
        let tiles = Extent::Causal { when, block, rows: 4, queries, keys, by: 2 };
        let layout = Layout {
            loops: vec![looped("block", rows), looped("tile", tiles)],
            lanes: vec![LaneVar { name: "key".into(), extent: 2 }],
            group: 1,
            lane_bits: 8,
            code: "plain".into(),
            axes: vec![axis(&[("tile", 2), ("key", 1)], 2)],
            shape: vec![],
        };
        let sizes = dims(&[("R", 10), ("L", 5), ("K", 7), ("mask", 1)]);
        // Queries 0 to 3 see six keys; 4, 0, 1, 2 and 3, 4 see all.
        assert_eq!(layout.beats(&sizes), Ok(3 + 4 + 4));
        let mut first = vec![];
        layout.walk(&sizes, &[7], |_, slots| first.push(slots[0])).expect("all sizes are there");
        assert_eq!(first, [0, 2, 4, 0, 2, 4, 6, 0, 2, 4, 6].map(Slot::Element));
        assert_eq!(layout.beats(&dims(&[("R", 10), ("L", 5), ("K", 7), ("mask", 0)])), Ok(3 * 4));
    }

    #[test]
    fn a_tensor_is_walked_in_another_shape() {
        let size = |dim: &str| Extent::CeilDiv { dim: dim.into(), by: 1 };
        let layout = Layout {
            loops: vec![looped("block", Extent::CeilDiv { dim: "R".into(), by: 4 })],
            lanes: vec![LaneVar { name: "row".into(), extent: 4 }],
            group: 1,
            lane_bits: 8,
            code: "plain".into(),
            axes: vec![axis(&[("block", 4), ("row", 1)], 4)],
            shape: vec![size("R")],
        };
        let mut last = vec![];
        layout.walk(&dims(&[("R", 6)]), &[2, 3], |_, slots| last.push(slots[3])).expect("all sizes are there");
        assert_eq!(last, [Slot::Element(3), Slot::Pad]);
    }
}
