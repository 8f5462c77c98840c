//! Which weight beat belongs to which slab, tile and plane, and when it may be accepted.

use std::rc::Rc;

use bitlathe_hdl::{Dim, Module, Unit, bit, concat, lit, uint};

/// Fewest cycles between two uses of a partial sum: read, register, add, write.
pub const MIN_SLAB_CYCLES: i64 = 4;

/// Address bits of a tile's partial sums.
pub fn address_bits(tiles: &Dim) -> Dim {
    tiles.clog2().larger(1)
}

/// The issue control: counts tiles inside slabs, waits for filled banks, spaces the last slab's beats for `BATCH` output beats.
pub fn issue_control(slabs: i64, tiles: i64, batch: i64, planes: i64) -> Rc<Unit> {
    let m = Module::new(if planes == 2 { "issue_control_planes" } else { "issue_control" });
    m.doc("Accepts weight beats: for each slab of activations, all tiles of rows. Says what each beat is.");
    let s_max = m.param("SLABS_MAX", slabs, 1..=65536, "largest number of slabs");
    let t_max = m.param("TILES_MAX", tiles, 1..=65536, "largest number of tiles");
    let b = m.param("BATCH", batch, 1..=16, "output beats a tile");
    let (sw, tw) = ((&s_max + 1).clog2(), (&t_max + 1).clog2());
    let aw = address_bits(&t_max);
    let ck = m.clock();
    let en = m.input("en_i", bit());
    let (full, final_i) = (m.input("full_i", uint(2)), m.input("final_i", uint(2)));
    let (slabs_i, tiles_i) = (m.input("k_slabs_i", uint(&sw)), m.input("m_tiles_i", uint(&tw)));
    let valid = m.input("w_valid_i", bit());
    let ready = m.output_wire("w_ready_o", bit());
    m.describe(&full, "banks that hold a slab");
    m.describe(&final_i, "banks whose slab belongs to the job's last pass");
    let slab = ck.reg("slab_q", uint(&sw)).reset_to(0);
    let tile = ck.reg("tile_q", uint(&tw)).reset_to(0);
    let bank = ck.reg("bank_q", bit()).reset_to(0);
    let start = ck.reg("start_q", bit()).reset_to(1);
    let first = ck.reg("first_q", bit()).reset_to(1);
    m.comment("Where the beat after this one belongs");
    let next_slab = m.wire("next_slab", &slab.wrapping_add(1));
    let next_tile = m.wire("next_tile", &tile.wrapping_add(1));
    let last_slab = m.wire("last_slab", &next_slab.eq_to(&slabs_i));
    let last_tile = m.wire("last_tile", &next_tile.eq_to(&tiles_i));
    m.comment(&format!(
        "Two uses of a partial sum lie at least {MIN_SLAB_CYCLES} cycles apart: a slab of fewer beats is followed by a pause"
    ));
    let pause = ck.reg("pause_q", uint(MIN_SLAB_CYCLES - 1)).reset_to(0);
    let beats = m.wire("tiles_wide", &concat(&[&lit(0, uint(2)), &tiles_i]));
    let shorter = |than: i64| {
        let fits = (1..than).filter(|b| b % planes == 0).map(|b| beats.eq_to(b / planes));
        fits.reduce(|a, b| a | b).unwrap_or_else(|| lit(0, bit()))
    };
    let needed = m.wire("pause_needed", &concat(&[&shorter(2), &shorter(3), &shorter(4)]));
    m.comment("A beat whose sums are final leaves as BATCH output beats: the next one waits for them");
    let gap_w = b.clog2() + 1;
    let gap = ck.reg("gap_q", uint(&gap_w)).reset_to(0);
    let filled = m.wire("filled", &bank.select(full.bit(1), full.bit(0)));
    let may = m.wire("may", &(&en & &filled & !(&*start & pause.bit(0)) & gap.eq_to(0)));
    ready.drive(&may);
    let accept = m.wire("accept", &(&valid & &may));
    let space = m.constant("GAP", &b - 1, &gap_w);
    let counted = gap.eq_to(0).select(0, gap.wrapping_sub(1));
    gap.next_when(&en, (&accept & &last_slab).select(&space, counted));
    m.comment("Counters");
    let (tile_done, plane) = if planes == 2 {
        let plane = ck.reg("plane_q", bit()).reset_to(0);
        plane.next_when(&accept, !&*plane);
        let address = concat(&[&tile.slice(0, &aw), &plane]);
        m.describe(&m.output("address_o", &address), "where the beat's partial sum is kept");
        m.output("plane_o", &plane);
        ((*plane).clone(), true)
    } else {
        m.describe(&m.output("address_o", &tile.slice(0, &aw)), "where the beat's partial sum is kept");
        (lit(1, bit()), false)
    };
    let ends_tile = if plane { m.wire("ends_tile", &(&accept & &tile_done)) } else { accept.clone() };
    let ends_slab = m.wire("ends_slab", &(&ends_tile & &last_tile));
    let counted_pause = concat(&[&lit(0, bit()), &pause.slice(1, MIN_SLAB_CYCLES - 2)]);
    pause.next_when(&en, ends_slab.select(&needed, counted_pause));
    tile.next_when(&ends_tile, last_tile.select(0, &next_tile));
    slab.next_when(&ends_slab, last_slab.select(0, &next_slab));
    first.next_when(&ends_slab, &last_slab);
    bank.next_when(&ends_slab, !&*bank);
    start.next_when(&accept, &ends_slab);
    m.describe(&m.output("accept_o", &accept), "a beat is taken; the other outputs say what it is");
    m.describe(&m.output("bank_o", &bank), "bank of activations that it meets");
    m.describe(&m.output("keep_o", &!&*first), "it adds to the partial sum; low on the first slab");
    m.describe(&m.output("emit_o", &last_slab), "its sums are final");
    m.describe(&m.output("slab_end_o", &ends_slab), "it is the last of its slab");
    let bank_final = bank.select(final_i.bit(1), final_i.bit(0));
    m.describe(&m.output("last_o", &(&ends_slab & &last_slab & &bank_final)), "it is the last of the job");
    m.finish()
}
