//! From codes of the weight stream to what the rows read: table addresses with a sign, or two-bit weights.

use std::rc::Rc;

use bitlathe_hdl::{Expr, Module, Unit, concat, lit, uint};

use super::fill::{Table, group_code};

/// Two-bit weights of every code of an encoding, weight 0 in the low bits; illegal codes are all zero.
pub struct CodeTable {
    /// Name of the encoding.
    pub name: &'static str,
    /// Bits of a code.
    pub bits: i64,
    /// Weights in a code.
    pub group: i64,
    /// `group` two-bit weights a code.
    pub words: Vec<u64>,
}

/// The rows' view of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Table address under a sign bit.
    Table(Table),
    /// One two-bit weight a term.
    Weight,
}

impl CodeTable {
    /// Builds the table of an encoding by name; the definition is repeated here from the number formats, not from the model.
    pub fn new(name: &'static str) -> Self {
        let (bits, group) = match name {
            "trit2" => (2, 1),
            "index5" => (5, 3),
            "byte5" => (8, 5),
            _ => (5, 4),
        };
        let words = (0..1u64 << bits).map(|code| pack(&weights(name, code))).collect();
        Self { name, bits, group, words }
    }

    /// Codes that mean no weights.
    pub fn illegal(&self) -> bool {
        self.name != "sherry5"
    }
}

fn pack(weights: &[i8]) -> u64 {
    weights.iter().enumerate().map(|(i, w)| ((*w & 3) as u64) << (2 * i)).sum()
}

fn weights(name: &str, code: u64) -> Vec<i8> {
    let digit = |v: u64, j: u32| (v / 3u64.pow(j) % 3) as i8 - 1;
    match name {
        "trit2" => vec![[0, 1, 0, -1][code as usize]],
        "byte5" if code < 243 => (0..5).map(|j| digit(code, j)).collect(),
        "byte5" => vec![0; 5],
        "index5" => {
            let (negative, magnitude) = (code >> 4 == 1, code & 15);
            let pattern = Table::Dense(3).entries().remove(&(magnitude as u8)).unwrap_or(vec![0; 3]);
            pattern.into_iter().map(|w| if negative { -w } else { w }).collect()
        }
        _ => {
            let pattern = Table::OneZero.entries().remove(&(code as u8 & 15)).unwrap_or(vec![0; 4]);
            pattern.into_iter().map(|w| if code >> 4 == 1 { -w } else { w }).collect()
        }
    }
}

/// Whether the stream's codes are already what the rows read.
pub fn direct(code: &CodeTable, view: View) -> bool {
    matches!(
        (code.name, view),
        ("index5", View::Table(Table::Dense(3))) | ("sherry5", View::Table(Table::OneZero)) | ("trit2", View::Weight)
    )
}

/// Bits of one term as the rows read it.
pub fn view_bits(view: View) -> i64 {
    match view {
        View::Table(t) => i64::from(t.index_bits()) + 1,
        View::Weight => 2,
    }
}

/// Decoder of one row's slice of a beat, combinational: `CODES` codes in, `TERMS` terms out.
pub fn decoder(code: &CodeTable, view: View, codes: i64, terms: i64) -> Rc<Unit> {
    let suffix = match view {
        View::Table(Table::Dense(g)) => format!("_dense{g}"),
        View::Table(Table::OneZero) => "_sherry".into(),
        View::Weight => String::new(),
    };
    let m = Module::new(&format!("decode_{}{suffix}", code.name));
    m.doc("Decoder of one row's weight codes. Surplus weights of the last code are dropped, missing ones are zero.");
    let c = m.param("CODES", codes, 1..=512, "codes of a row");
    let t = m.param("TERMS", terms, 1..=512, "terms of a row");
    let group = match view {
        View::Table(t) => t.group() as i64,
        View::Weight => 1,
    };
    m.guard((&c * code.group + group).gt(&t * group - 1), "the codes hold the weights of every term");
    let input = m.input("codes_i", uint(&c * code.bits));
    let out_bits = view_bits(view);
    let out = m.output_wire("terms_o", uint(&t * out_bits));
    let word = 2 * code.group;
    let weights: Expr = if code.name == "trit2" {
        input.clone()
    } else {
        let w = m.wire_later("weights", uint(&c * word));
        m.generate_for("g_code", &c, |i| {
            let one = m.wire("code", &input.lane(i, &code.bits.into()));
            w.drive_lane(i, &word.into(), &m.rom("decoded", &one, word, &code.words));
        });
        (*w).clone()
    };
    // Zeros behind the last code stand for weights that no code holds.
    let padded = m.wire("padded", &concat(&[&lit(0, uint(2 * group)), &weights]));
    m.allow(&padded, "UNUSEDSIGNAL", "surplus weights of the last code");
    match view {
        View::Weight => out.drive(padded.slice(0, &t * 2)),
        View::Table(table) => {
            let words: Vec<u64> = (0..1u64 << (2 * group)).map(|p| group_code(table.group() as u8, p)).collect();
            m.generate_for("g_term", &t, |i| {
                let packed = m.wire("group_weights", &padded.lane(i, &(2 * group).into()));
                out.drive_lane(i, &out_bits.into(), &m.rom("term", &packed, out_bits, &words));
            });
        }
    }
    m.finish()
}

/// Says whether a beat holds a code that means no weights.
pub fn legality(code: &CodeTable, codes: i64) -> Rc<Unit> {
    let m = Module::new(&format!("illegal_{}", code.name));
    m.doc("High when any code of a beat is illegal; such codes count as zero.");
    let c = m.param("CODES", codes, 1..=65536, "codes of a beat");
    let input = m.input("codes_i", uint(&c * code.bits));
    let bad = m.wire_later("bad", uint(&c));
    m.generate_for("g_code", &c, |i| {
        let one = m.wire("code", &input.lane(i, &code.bits.into()));
        let illegal = match code.name {
            "trit2" => one.bit(1) & !one.bit(0),
            "index5" => one.slice(1, 3).all() | (one.bit(4) & !one.slice(0, 4).any()),
            _ => one.ge(243),
        };
        bad.drive_part(i, 1, &illegal);
    });
    m.output("illegal_o", &bad.any());
    m.finish()
}
