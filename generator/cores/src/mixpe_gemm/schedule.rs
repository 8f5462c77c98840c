//! The exact number of cycles of a job without stalls: weight tiles follow each other as fast as they are loaded or used.
//!
//! Times are cycles after the first accepted weight. A tile takes as many cycles as rows of activations pass it, and at least those
//! in which the next one is loaded.

use super::hardware::Hardware;

/// Sizes of a job in units of the hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JobSize {
    /// Rows of activations.
    pub rows: i64,
    /// Weight tiles along K.
    pub k_tiles: i64,
    /// Weight tiles along M.
    pub m_tiles: i64,
}

/// A weight tile in a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TileTime {
    /// When its first row of weights is loaded.
    load: i64,
    /// When the first row of activations meets it.
    start: i64,
    /// Rows of activations that pass it.
    rows: i64,
    /// It ends a group.
    group_end: bool,
    /// It is the last along K.
    last: bool,
}

/// Cycles that a tile takes when so many rows of activations pass it.
fn period(hw: &Hardware, rows: i64) -> i64 {
    rows.max(hw.array.rows)
}

/// Cycles from the first accepted input beat to the last output beat, inclusive.
pub fn cycles(hw: &Hardware, size: JobSize) -> u64 {
    let (whole, rest) = (size.rows / hw.t_block, size.rows % hw.t_block);
    let tiles = size.k_tiles * size.m_tiles;
    let last_rows = if rest > 0 { rest } else { hw.t_block };
    let short = if rest > 0 { tiles * period(hw, rest) } else { 0 };
    let all = whole * tiles * period(hw, hw.t_block) + short;
    let last_row = hw.array.rows + all - period(hw, last_rows) + last_rows - 1;
    (last_row + hw.output_stage() + 1) as u64
}

/// The cycle in which each beat of a job moves, stream by stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BeatCycles {
    /// Weights.
    pub w: Vec<u64>,
    /// Activations.
    pub x: Vec<u64>,
    /// Zero points.
    pub z: Vec<u64>,
    /// Scales.
    pub s: Vec<u64>,
    /// Parameters of the requantizer.
    pub parameters: Vec<u64>,
    /// Outputs.
    pub y: Vec<u64>,
}

/// The same beat by beat, for small jobs.
pub fn beat_cycles(hw: &Hardware, size: JobSize) -> BeatCycles {
    let mut cycles = BeatCycles::default();
    let along = |from: i64, n: i64| (from..from + n).map(|c| c as u64);
    for tile in tiles(hw, size) {
        cycles.w.extend(along(tile.load, hw.array.rows));
        cycles.x.extend(along(tile.start, tile.rows));
        let last_row = tile.start + tile.rows - 1;
        if tile.group_end {
            cycles.z.push((last_row + hw.zero_stage()) as u64);
            cycles.s.push((last_row + hw.scale_stage()) as u64);
        }
        if tile.last {
            cycles.parameters.push((last_row + hw.sum_stage()) as u64);
            cycles.y.extend(along(tile.start + hw.output_stage(), tile.rows));
        }
    }
    cycles
}

/// All tiles of a job in their order.
fn tiles(hw: &Hardware, size: JobSize) -> impl Iterator<Item = TileTime> {
    let blocks = (0..size.rows).step_by(hw.t_block as usize);
    let rows = blocks.map(move |at| hw.t_block.min(size.rows - at));
    let along_k = move |rows: i64| (0..size.m_tiles * size.k_tiles).map(move |n| (rows, n % size.k_tiles));
    let (each, loads) = (hw.tiles_a_group(), hw.array.rows);
    // The first tile is loaded before the first row; every other one while the tile before it is in use.
    let (mut load, mut start) = (0, loads);
    rows.flat_map(along_k).map(move |(rows, k)| {
        let last = k + 1 == size.k_tiles;
        let tile = TileTime { load, start, rows, group_end: last || (k + 1) % each == 0, last };
        (load, start) = (start, start + rows.max(loads));
        tile
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use crate::mixpe_gemm::{MixpeGemm, config::Config};

    fn hardware(rows: u32, t_block: u32) -> Hardware {
        let config = serde_json::json!({
            "kind": "mixpe-gemm", "name": "core", "target": {"name": "kv260"}, "array": {"rows": rows, "cols": 16},
            "shape": {"k_max": 1024, "m_max": 256, "t_block": t_block},
        });
        MixpeGemm.configure(&config).unwrap_or_else(|e| panic!("{e:?}"));
        let config: Config = serde_json::from_value(config).unwrap();
        config.derive().unwrap().hardware
    }

    #[test]
    fn the_closed_form_is_the_last_output_of_the_walk() {
        for (rows, t_block) in [(4, 3), (16, 16), (8, 21)] {
            let hw = hardware(rows, t_block);
            for (t, k_tiles, m_tiles) in [(1, 1, 1), (3, 9, 2), (21, 2, 3), (40, 3, 1), (64, 1, 1)] {
                let size = JobSize { rows: t, k_tiles, m_tiles };
                assert_eq!(
                    beat_cycles(&hw, size).y.last(),
                    Some(&(cycles(&hw, size) - 1)),
                    "{rows} {t_block} {size:?}"
                );
            }
        }
    }

    /// A thousand rows through a square layer keep the cells busy: loading is hidden.
    #[test]
    fn a_long_job_wastes_next_to_nothing() {
        let hw = hardware(16, 512);
        let c = cycles(&hw, JobSize { rows: 1024, k_tiles: 64, m_tiles: 16 });
        assert!((1024 * 64 * 16) as f64 / c as f64 > 0.999, "{c}");
    }
}
