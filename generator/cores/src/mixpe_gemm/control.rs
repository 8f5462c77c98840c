//! Which row of activations meets which weight tile, and when: the walk over a job, and the loading of weights behind it.

use std::ops::RangeInclusive;
use std::rc::Rc;

use bitlathe_hdl::{Dim, Module, Unit, bit, concat, lit, uint};

/// Fewest cycles from a row of activations to the same row of the next tile, which reads what the first has written. No tile is
/// loaded faster, so that the array has at least as many rows.
pub const LEAST_ROWS: i64 = 4;

/// Rows of a block for which the text of the walk is the same: the pause after short blocks is made for their rows.
pub fn blocks(t_block: i64) -> RangeInclusive<i64> {
    if t_block < LEAST_ROWS { t_block..=t_block } else { LEAST_ROWS..=65536 }
}

/// Bits that count to `max`.
fn count_bits(max: &Dim) -> Dim {
    (max + 1).clog2()
}

/// Sizes of the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// Rows of a weight tile.
    pub rows: i64,
    /// Activation rows of a block.
    pub t_block: i64,
    /// Most activation rows of a job.
    pub t_max: i64,
    /// Most weight tiles along K.
    pub k_tiles_max: i64,
    /// Most weight tiles along M.
    pub m_tiles_max: i64,
    /// Weight tiles of a whole group.
    pub tiles_a_group: i64,
}

/// Walks blocks of activation rows, in each the tiles along M, in each the tiles along K, in each the rows of the block.
pub fn tile_walk(w: Walk) -> Rc<Unit> {
    let m = Module::new("tile_walk");
    m.doc(
        "Where a row of activations belongs: blocks of T_BLOCK rows, in each the weight tiles along M, in each those along K,\n\
         in each the rows of the block. The outputs describe the row that accept_i takes.",
    );
    let t_block = m.param("T_BLOCK", w.t_block, blocks(w.t_block), "activation rows of a block");
    let t_max = m.param("T_MAX", w.t_max, 1..=1 << 24, "most activation rows of a job");
    let k_max = m.param("K_TILES_MAX", w.k_tiles_max, 1..=65536, "most weight tiles along K");
    let m_max = m.param("M_TILES_MAX", w.m_tiles_max, 1..=65536, "most weight tiles along M");
    let each = m.param("TILES_A_GROUP", w.tiles_a_group, 1..=64, "weight tiles of a whole group");
    let (tw, kw, mw) = (count_bits(&t_max), count_bits(&k_max), count_bits(&m_max));
    let row_w = t_block.clog2().larger(1);
    let ck = m.clock();
    let (en, accept) = (m.input("en_i", bit()), m.input("accept_i", bit()));
    let rows = m.input("rows_i", uint(&tw));
    let k_tiles = m.input("k_tiles_i", uint(&kw));
    let m_tiles = m.input("m_tiles_i", uint(&mw));

    let counter = |name: &str, width: &Dim| ck.reg(name, uint(width)).reset_to(0);
    let (row, k_tile, m_tile) = (counter("row_q", &row_w), counter("k_tile_q", &kw), counter("m_tile_q", &mw));
    let gw = each.clog2().larger(1);
    let of_group = counter("of_group_q", &gw);
    let first_group = ck.reg("first_group_q", bit()).reset_to(1);
    let first_block = ck.reg("first_block_q", bit()).reset_to(1);
    let left = ck.reg("left_q", uint(&tw));
    m.describe(&left, "activation rows from the present block on, after the first block");

    m.comment("Rows of the block: the last one of a job may be short");
    let remaining = m.wire("remaining", &first_block.select(&rows, &*left));
    let last_block = m.wire("last_block", &remaining.le(m.constant("BLOCK", &t_block, &tw)));
    let next_row = m.wire("next_row", &row.wrapping_add(1));
    let whole = m.wire("whole_end", &row.eq_to(m.constant("LAST_ROW", &t_block - 1, &row_w)));
    let short_end = m.wire("short_end", &next_row.eq_to(remaining.slice(0, &row_w)));
    let row_last = m.wire("row_last", &last_block.select(&short_end, &whole));
    let ends_tile = m.wire("ends_tile", &(&accept & &row_last));

    m.comment(&format!(
        "A row meets its sums of the tile before after {LEAST_ROWS} cycles at the earliest: a pause follows shorter blocks"
    ));
    let pause = ck.reg("pause_q", uint(LEAST_ROWS - 1)).reset_to(0);
    let shorter = |than: i64| {
        let ends: Vec<_> = (0..than).filter(|r| *r < w.t_block).map(|r| row.eq_to(r)).collect();
        ends.into_iter().reduce(|a, b| a | b).unwrap_or_else(|| lit(0, bit()))
    };
    let needed: Vec<_> = (1..LEAST_ROWS).map(shorter).collect();
    let needed = m.wire("pause_needed", &concat(&needed.iter().collect::<Vec<_>>()));
    let counted = concat(&[&lit(0, bit()), &pause.slice(1, LEAST_ROWS - 2)]);
    pause.next_when(&en, ends_tile.select(&needed, counted));
    m.comment("Tiles along K, in groups, of which the last may be short");
    let next_k = m.wire("next_k", &k_tile.wrapping_add(1));
    let k_last = m.wire("k_last", &next_k.eq_to(&k_tiles));
    let full_group = m.wire("full_group", &of_group.eq_to(m.constant("LAST_OF_GROUP", &each - 1, &gw)));
    let group_end = m.wire("group_end", &(&full_group | &k_last));
    let ends_k = m.wire("ends_k", &(&ends_tile & &k_last));

    m.comment("Tiles along M, then the next block");
    let next_m = m.wire("next_m", &m_tile.wrapping_add(1));
    let m_last = m.wire("m_last", &next_m.eq_to(&m_tiles));
    let ends_block = m.wire("ends_block", &(&ends_k & &m_last));
    row.next_when(&accept, row_last.select(0, &next_row));
    k_tile.next_when(&ends_tile, k_last.select(0, &next_k));
    of_group.next_when(&ends_tile, group_end.select(0, of_group.wrapping_add(1)));
    first_group.next_when(&m.wire("ends_group", &(&ends_tile & &group_end)), &k_last);
    m_tile.next_when(&ends_k, m_last.select(0, &next_m));
    first_block.next_when(&ends_block, &last_block);
    left.next_when(&ends_block, remaining.wrapping_sub(m.constant("BLOCK", &t_block, &tw)));

    let out = |name: &str, value: &bitlathe_hdl::Expr, doc: &str| m.describe(&m.output(name, value), doc);
    out("row_o", &row, "row within its block");
    out("pause_o", &pause.bit(0), "the first row of a block must not be accepted");
    out("row_first_o", &row.eq_to(0), "the first row of its block");
    out("row_last_o", &row_last, "the last row of its block");
    out("group_first_o", &of_group.eq_to(0), "its weight tile is the first of a group");
    out("group_end_o", &group_end, "its weight tile is the last of a group");
    out("sum_first_o", &first_group, "its group is the first along K");
    out("sum_end_o", &k_last, "its weight tile is the last along K");
    out("job_last_o", &(&row_last & &k_last & &m_last & &last_block), "the last row of the job");
    m.finish()
}

/// Takes the rows of the next weight tile while the present one is in use.
pub fn weight_loader(rows: i64) -> Rc<Unit> {
    let m = Module::new("weight_loader");
    m.doc(
        "Loads weight tiles row by row: one tile ahead, and in the cycle of the swap the first row of the one after it.\n\
         full_o says that a whole tile waits for its swap.",
    );
    let n = m.param("ROWS", rows, LEAST_ROWS..=256, "rows of a tile");
    let width = n.clog2().larger(1);
    let ck = m.clock();
    let en = m.input("en_i", bit());
    let (valid, ready) = (m.input("w_valid_i", bit()), m.output_wire("w_ready_o", bit()));
    let swap = m.input("swap_i", bit());
    let row = ck.reg("row_q", uint(&width)).reset_to(0);
    let full = ck.reg("full_q", bit()).reset_to(0);
    m.describe(&swap, "the waiting tile comes into use");
    ready.drive(&en & (!&*full | &swap));
    let load = m.wire("load", &(&valid & &*ready));
    let last = m.wire("last", &row.eq_to(m.constant("LAST", &n - 1, &width)));
    row.next_when(&load, last.select(0, row.wrapping_add(1)));
    let filled = m.wire("filled", &(&load & &last));
    full.next(&filled | (&*full & !&swap));
    m.describe(&m.output("load_o", &load), "a row of weights comes in");
    m.describe(&m.output("row_o", &row), "its place in the tile");
    m.describe(&m.output("full_o", &full), "a tile waits for its swap");
    m.finish()
}
