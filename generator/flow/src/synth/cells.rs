//! What each library cell of a synthesized netlist occupies; every reported resource is counted by this table.
//!
//! `lut` counts LUT sites, whatever they are used for: a logic LUT and a shift register take one, distributed RAM as many
//! as its data sheet says. Carry and wide-multiplexer cells are counted beside the LUTs, not among them, except that an
//! ECP5 carry cell is made of two LUTs.

use std::collections::BTreeMap;

use bitlathe_cores::Cost;
use bitlathe_spec::Family;

/// What a cell is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    /// Logic in one LUT.
    Lut,
    /// Memory in this many LUT sites, read without a clock.
    LutRam(u64),
    /// A flip-flop or latch.
    Register,
    /// A DSP block.
    Dsp,
    /// A block RAM, in blocks of the family.
    Bram(f64),
    /// An UltraRAM.
    Uram,
    /// A carry cell with the LUT sites that it takes.
    Carry(u64),
    /// A multiplexer behind the LUTs.
    Mux,
    /// Buffers and constants, which take none of the counted resources.
    Wiring,
}

/// Resources of a netlist.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Counts {
    pub lut: u64,
    pub lutram: u64,
    pub ff: u64,
    pub dsp: u64,
    pub bram: f64,
    pub uram: u64,
    pub carry: u64,
    pub muxf: u64,
}

/// What a cell of a family is; `None` if the table does not know it.
pub(super) fn kind(family: Family, cell: &str) -> Option<Kind> {
    if cell == "$scopeinfo" {
        return Some(Kind::Wiring);
    }
    match family {
        Family::Xcup | Family::Xc7 => xilinx(cell),
        Family::Ecp5 => ecp5(cell),
        Family::Ice40 => ice40(cell),
    }
}

/// Whether a module name is a library cell of some family.
pub fn is_primitive(name: &str) -> bool {
    Family::ALL.iter().any(|f| kind(*f, name).is_some())
}

/// LUT sites of distributed RAM: AMD UG474 (7 series) and UG574 (UltraScale), chapter "Distributed RAM".
fn xilinx(cell: &str) -> Option<Kind> {
    Some(match cell {
        "LUT1" | "LUT2" | "LUT3" | "LUT4" | "LUT5" | "LUT6" | "LUT6_2" | "INV" => Kind::Lut,
        "SRL16" | "SRL16E" | "SRLC16E" | "SRLC32E" | "RAM32X1S" | "RAM64X1S" => Kind::LutRam(1),
        "RAM32X1D" | "RAM64X1D" | "RAM128X1S" => Kind::LutRam(2),
        "RAM32M" | "RAM64M" | "RAM128X1D" | "RAM256X1S" => Kind::LutRam(4),
        "RAM32M16" | "RAM64M8" | "RAM256X1D" | "RAM512X1S" | "RAM32X16DR8" | "RAM64X8SW" => Kind::LutRam(8),
        "FDRE" | "FDSE" | "FDCE" | "FDPE" | "FDRE_1" | "FDSE_1" | "FDCE_1" | "FDPE_1" | "LDCE" | "LDPE" => {
            Kind::Register
        }
        "DSP48E1" | "DSP48E2" => Kind::Dsp,
        "RAMB18E1" | "RAMB18E2" => Kind::Bram(0.5),
        "RAMB36E1" | "RAMB36E2" => Kind::Bram(1.0),
        "URAM288" | "URAM288_BASE" => Kind::Uram,
        "CARRY4" | "CARRY8" => Kind::Carry(0),
        "MUXF7" | "MUXF8" | "MUXF9" => Kind::Mux,
        "IBUF" | "OBUF" | "BUFG" | "BUFGCE" | "BUFGCTRL" | "VCC" | "GND" => Kind::Wiring,
        _ => return None,
    })
}

/// Lattice FPGA-TN-02204 (memory) and FPGA-DS-02012 (ECP5 family).
fn ecp5(cell: &str) -> Option<Kind> {
    Some(match cell {
        "LUT4" => Kind::Lut,
        "TRELLIS_DPR16X4" | "DPR16X4C" => Kind::LutRam(4),
        "TRELLIS_FF" => Kind::Register,
        "MULT18X18D" => Kind::Dsp,
        "DP16KD" | "PDPW16KD" => Kind::Bram(1.0),
        "CCU2C" => Kind::Carry(2),
        "PFUMX" | "L6MUX21" => Kind::Mux,
        "TRELLIS_IO" | "DCCA" | "VHI" | "VLO" => Kind::Wiring,
        _ => return None,
    })
}

/// Lattice FPGA-DS-02029 (iCE40 LP/HX) and the iCE40 technology library.
fn ice40(cell: &str) -> Option<Kind> {
    Some(match cell {
        "SB_LUT4" => Kind::Lut,
        "SB_CARRY" => Kind::Carry(0),
        "SB_MAC16" => Kind::Dsp,
        "SB_IO" | "SB_GB" => Kind::Wiring,
        _ if cell.starts_with("SB_DFF") => Kind::Register,
        _ if cell.starts_with("SB_RAM40_4K") => Kind::Bram(1.0),
        _ => return None,
    })
}

/// Counts a netlist's cells; the error lists the cells that the table does not know.
pub(super) fn count(family: Family, cells: &BTreeMap<String, u64>) -> Result<Counts, Vec<String>> {
    let mut counts = Counts::default();
    let mut unknown = Vec::new();
    for (cell, &n) in cells {
        match kind(family, cell) {
            Some(kind) => counts.add(kind, n),
            None => unknown.push(cell.clone()),
        }
    }
    if unknown.is_empty() { Ok(counts) } else { Err(unknown) }
}

impl Counts {
    /// What they take of a device.
    pub fn cost(&self) -> Cost {
        let [lut, lutram, ff, dsp, uram] = [self.lut, self.lutram, self.ff, self.dsp, self.uram].map(|n| n as f64);
        Cost { lut, lutram, ff, dsp, bram: self.bram, uram }
    }

    fn add(&mut self, kind: Kind, n: u64) {
        match kind {
            Kind::Lut => self.lut += n,
            Kind::LutRam(sites) => {
                self.lut += sites * n;
                self.lutram += sites * n;
            }
            Kind::Register => self.ff += n,
            Kind::Dsp => self.dsp += n,
            Kind::Bram(blocks) => self.bram += blocks * n as f64,
            Kind::Uram => self.uram += n,
            Kind::Carry(sites) => {
                self.lut += sites * n;
                self.carry += n;
            }
            Kind::Mux => self.muxf += n,
            Kind::Wiring => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_follow_the_table() {
        let cells = [
            ("LUT6", 10),
            ("LUT6_2", 3),
            ("SRL16E", 2),
            ("RAM32M16", 2),
            ("RAM64X1D", 1),
            ("RAMB18E2", 3),
            ("FDRE", 7),
        ];
        let cells = cells.iter().map(|(c, n)| (c.to_string(), *n)).collect();
        let counts = count(Family::Xcup, &cells).unwrap();
        assert_eq!((counts.lut, counts.lutram, counts.ff, counts.bram), (10 + 3 + 2 + 16 + 2, 2 + 16 + 2, 7, 1.5));
        let cells =
            BTreeMap::from([("CCU2C".to_string(), 4), ("LUT4".to_string(), 1), ("TRELLIS_DPR16X4".to_string(), 1)]);
        let counts = count(Family::Ecp5, &cells).unwrap();
        assert_eq!((counts.lut, counts.lutram, counts.carry), (13, 4, 4));
    }

    #[test]
    fn an_unknown_cell_is_an_error() {
        let cells =
            BTreeMap::from([("LUT6".to_string(), 1), ("$_DLATCH_P_".to_string(), 1), ("SB_LUT4".to_string(), 1)]);
        assert_eq!(count(Family::Xc7, &cells).unwrap_err(), ["$_DLATCH_P_", "SB_LUT4"]);
    }
}
