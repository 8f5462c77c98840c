//! CRC-32 of a stream of words, each as its bytes from the lowest on: the one of zlib, Ethernet and PNG.
//!
//! Ports: `restart_i`, a word with `valid_i`, and `crc_o`, which holds every word up to the cycle before. No handshake.

use std::rc::Rc;

use bitlathe_hdl::{Expr, Module, Unit, bit, concat, lit, uint};

use crate::Cost;

/// The polynomial, lowest power in the highest bit.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// The register after `bytes` zero bytes.
fn advance(register: u32, bytes: usize) -> u32 {
    (0..8 * bytes).fold(register, |s, _| (s >> 1) ^ if s & 1 == 1 { POLYNOMIAL } else { 0 })
}

/// For each bit of the word, then of the register before it: the bits of the next register that it inverts.
fn columns(width: usize) -> Vec<u32> {
    let bytes = width.div_ceil(8);
    let word = (0..width).map(|n| advance(1 << (n % 8), bytes - n / 8));
    word.chain((0..32).map(|n| advance(1 << n, bytes))).collect()
}

/// The CRC of words of `width` bits, filled with zeros to whole bytes.
pub fn crc32(width: i64) -> Rc<Unit> {
    let m = Module::new(&format!("crc32_{width}"));
    m.doc("CRC-32 (that of zlib) of a stream of words: the bytes of each from the lowest on, zeros above its highest bit.");
    let ck = m.clock();
    let (restart, valid) = (m.input("restart_i", bit()), m.input("valid_i", bit()));
    let word = m.input("data_i", uint(width));
    let register = ck.reg("register_q", uint(32)).reset_to(0xffff_ffff);
    m.comment("Each bit of the next register is the parity of some bits of the word and of the register");
    let columns = columns(width as usize);
    // Pieces of 32 bits with their columns; the register is the last.
    let mut pieces: Vec<(Expr, &[u32])> = vec![];
    for (n, columns) in (0..).zip(columns[..width as usize].chunks(32)) {
        let bits = columns.len() as i64;
        let piece = if bits == width { word.clone() } else { m.wire(&format!("piece{n}"), &word.slice(32 * n, bits)) };
        pieces.push((piece, columns));
    }
    pieces.push(((*register).clone(), &columns[width as usize..]));
    let row = |bit: u32| {
        let picked = pieces.iter().filter_map(|(piece, columns)| {
            let picks = (0..).zip(*columns).fold(0i64, |mask, (n, column)| mask | i64::from(column >> bit & 1) << n);
            (picks != 0).then(|| (piece & lit(picks, uint(piece.width().value()))).parity())
        });
        picked.reduce(|a, b| a ^ b).unwrap_or_else(|| lit(0, uint(1)))
    };
    let rows: Vec<Expr> = (0..32).rev().map(row).collect();
    let next = m.wire("next", &concat(&rows.iter().collect::<Vec<_>>()));
    register.next_when(&(&restart | &valid), restart.select(0xffff_ffff_i64, &next));
    m.output("crc_o", &!&*register);
    m.finish()
}

/// Cost: half of all bits stand in a row, and a look-up table of four inputs joins three of them to the rest.
pub fn cost(width: i64) -> Cost {
    Cost::logic(32.0 * (width as f64 + 32.0) / 2.0 / 3.0, 32.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The columns alone, against the check value that every catalogue of CRCs has for `123456789`.
    #[test]
    fn nine_bytes_give_the_check_value() {
        let columns = columns(72);
        let mut register = 0;
        let text = b"123456789";
        let bits = (0..72).map(|n| text[n / 8] >> (n % 8) & 1).chain([1; 32]);
        bits.zip(&columns).filter(|(bit, _)| *bit == 1).for_each(|(_, column)| register ^= column);
        assert_eq!(!register, 0xcbf4_3926);
    }
}
