//! What Yosys makes of a memory: blocks or look-up-table sites, and the multiplexers that join them.
//!
//! The choice of a block's shape repeats `passes/memory/memory_libmap.cc` of Yosys 0.70 with its libraries
//! `xilinx/lutrams_xcu.txt`, `xilinx/urams.txt`, `lattice/brams_16kd.txt`, `ice40/brams.txt`: a memory deeper than a block is cut into
//! slices; the slices of a word lie packed side by side, each from a byte on; a multiplexer takes the addressed one.

use bitlathe_spec::Family;

use crate::Cost;

/// A kind of block with the weights that Yosys gives it.
struct Block {
    /// Address bits at the first of `widths`; each further width has one less.
    address_bits: u32,
    /// Bits of a word.
    widths: &'static [i64],
    /// Bits under one write enable.
    byte: i64,
    /// Cost in the unit of the library.
    cost: f64,
    /// Blocks in the family's own unit.
    blocks: f64,
}

const fn block(address_bits: u32, widths: &'static [i64], byte: i64, cost: f64, blocks: f64) -> Block {
    Block { address_bits, widths, byte, cost, blocks }
}

const XILINX: [Block; 2] =
    [block(14, &[1, 2, 4, 9, 18, 36], 9, 129.0, 0.5), block(15, &[1, 2, 4, 9, 18, 36, 72], 9, 257.0, 1.0)];
const ECP5: [Block; 1] = [block(14, &[1, 2, 4, 9, 18, 36], 9, 128.0, 1.0)];
const ICE40: [Block; 1] = [block(11, &[2, 4, 8, 16], 1, 64.0, 1.0)];
/// UltraRAM has byte enables of eight or of nine bits.
const ULTRA: [Block; 2] = [block(12, &[72], 8, 1024.0, 1.0), block(12, &[72], 9, 1024.0, 1.0)];

fn blocks(family: Family) -> &'static [Block] {
    match family {
        Family::Xcup | Family::Xc7 => &XILINX,
        Family::Ecp5 => &ECP5,
        Family::Ice40 => &ICE40,
    }
}

/// `a / b`, rounded up.
fn up(a: i64, b: i64) -> i64 {
    (a + b - 1) / b
}

/// Blocks and slices of the cheapest shape.
fn cheapest(kinds: &[Block], width: i64, depth: i64) -> (f64, i64) {
    let mut best = (f64::INFINITY, 0.0, 1);
    for kind in kinds {
        for (narrower, &unit) in (0..).zip(kind.widths) {
            let slices = up(depth, 1 << (kind.address_bits - narrower));
            let byte = kind.byte.min(unit);
            let used = up(slices * up(width, byte) * byte, unit);
            let select = if slices > 1 { (slices - 1) * width + slices } else { 0 };
            let cost = kind.cost * used as f64 + 0.5 * select as f64;
            if cost < best.0 {
                best = (cost, kind.blocks * used as f64, slices);
            }
        }
    }
    (best.1, best.2)
}

/// Memory in blocks with one write port and one registered read port, which yields the old word where both meet.
///
/// `exclusive`: reads and writes never happen in one cycle. Otherwise blocks that cannot read before they write get the write
/// one cycle late, and a multiplexer gives the word on its way to a read that meets it.
pub fn block_memory(family: Family, width: i64, depth: i64, exclusive: bool) -> Cost {
    let (bram, slices) = cheapest(blocks(family), width, depth);
    let mut cost = Cost { bram, ..slice_logic(family, width, slices) };
    if !exclusive && matches!(family, Family::Ecp5 | Family::Ice40) {
        let address = address_bits(depth);
        cost += Cost::logic((width + address + 3) as f64, (2 * width + address + 4) as f64);
    }
    cost
}

/// Memory in UltraRAM, for which the same holds.
pub fn ultra_memory(family: Family, width: i64, depth: i64) -> Cost {
    let (uram, slices) = cheapest(&ULTRA, width, depth);
    Cost { uram, ..slice_logic(family, width, slices) }
}

/// What joins slices: a multiplexer a bit, a write enable a slice, and the registered number of the slice.
fn slice_logic(family: Family, width: i64, slices: i64) -> Cost {
    if slices == 1 {
        return Cost::default();
    }
    Cost::logic(width as f64 * select_lut(family, slices) + slices as f64, address_bits(slices) as f64)
}

/// Memory of look-up tables: sites for one write port and `ports` read ports, with the multiplexers between banks of words.
pub fn lut_memory(family: Family, ports: i64, width: i64, depth: i64) -> Cost {
    let (sites, banks) = match family {
        Family::Xcup => xilinx_sites(ports, width, depth, 8, 14, 7, 2),
        Family::Xc7 => xilinx_sites(ports, width, depth, 4, 6, 3, 2),
        // DPR16X4: sixteen words of four bits in four sites, one read port.
        Family::Ecp5 => (ports * up(width, 4) * up(depth, 16) * 4, up(depth, 16)),
        Family::Ice40 => return Cost::default(),
    };
    // Of four banks ECP5 gets the faster multiplexer, which takes a look-up table more.
    let faster = if family == Family::Ecp5 && (3..=4).contains(&banks) { 1.0 } else { 0.0 };
    let select = (ports * width) as f64 * (select_lut(family, banks) + faster);
    Cost { lutram: sites as f64, ..Cost::logic(sites as f64 + select, 0.0) }
}

/// Sites of AMD's cells of `cell` look-up tables and the number of banks: either one read port of `wide` bits, or `shared` read ports of
/// `narrow` bits; half as many bits above 32 words.
fn xilinx_sites(ports: i64, width: i64, depth: i64, cell: i64, wide: i64, shared: i64, narrow: i64) -> (i64, i64) {
    let (words, wide, narrow) = if depth <= 32 { (32, wide, narrow) } else { (64, wide / 2, narrow / 2) };
    let banks = up(depth, words);
    // Yosys counts only the used bits of a cell ("widthscale"), so that shared ports win where none of them is left over.
    let weight = |bits: i64, of: i64| (16 * banks * width) as f64 / bits as f64 * of as f64;
    let cells = if weight(narrow, up(ports, shared)) <= weight(wide, ports) {
        up(ports, shared) * up(width, narrow)
    } else {
        ports * up(width, wide)
    };
    (cells * banks * cell, banks)
}

/// Bits that number `n` things.
fn address_bits(n: i64) -> i64 {
    i64::from(64 - (n - 1).max(0).leading_zeros())
}

/// LUTs of a multiplexer of `inputs`, a bit. The wide multiplexers behind LUTs (`MUXF7`, `PFUMX`) are not counted.
pub fn select_lut(family: Family, inputs: i64) -> f64 {
    let n = inputs as f64;
    match (family, inputs) {
        (_, ..=1) => 0.0,
        (_, 2) => 1.0,
        (Family::Xcup | Family::Xc7, 3..=4) => 1.0,
        (Family::Xcup | Family::Xc7, _) => 0.53 * n - 1.0,
        (_, 3..=4) => 2.0,
        (Family::Ecp5 | Family::Ice40, _) => 0.85 * n - 0.6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Read off netlists of Yosys 0.70.
    #[test]
    fn blocks_are_those_that_yosys_takes() {
        let xcup = |width, depth| block_memory(Family::Xcup, width, depth, false).bram;
        assert_eq!([xcup(136, 1188), xcup(520, 239), xcup(504, 70)], [6.0, 7.5, 7.0]);
        let ecp5 = |width, depth| block_memory(Family::Ecp5, width, depth, true);
        assert_eq!((ecp5(420, 3860).bram, ecp5(220, 77).bram), (94.0, 7.0));
        assert_eq!(ecp5(420, 3860).lut, 420.0 + 2.0, "two slices, one LUT a bit to choose");
        let ultra = |width, depth| ultra_memory(Family::Xcup, width, depth).uram;
        assert_eq!(
            [ultra(600, 9548), ultra(160, 94_333), ultra(336, 13_636), ultra(560, 13_824)],
            [25.0, 54.0, 19.0, 32.0]
        );
    }

    #[test]
    fn read_ports_share_cells_where_none_is_left_over() {
        let sites = |ports, width, depth| lut_memory(Family::Xcup, ports, width, depth).lutram;
        assert_eq!([sites(14, 10, 32), sites(16, 10, 32), sites(13, 17, 16)], [80.0, 128.0, 208.0]);
        assert_eq!(
            [sites(21, 17, 32), sites(21, 18, 32)],
            [336.0, 216.0],
            "rounding decides between equals, as in Yosys"
        );
        assert_eq!([sites(16, 10, 128), sites(8, 6, 128)], [512.0, 128.0]);
        assert_eq!(lut_memory(Family::Ecp5, 8, 10, 128).lutram, 768.0);
    }
}
