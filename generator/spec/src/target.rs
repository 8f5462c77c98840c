//! Target devices: which family a part belongs to, which flow reports its area, what it holds.

use serde::Serialize;

/// What decides how logic maps: vendor primitives, cost model, Yosys command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// AMD UltraScale+.
    Xcup,
    /// AMD 7 series.
    Xc7,
    /// Lattice ECP5.
    Ecp5,
    /// Lattice iCE40.
    Ice40,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 4] = [Self::Xcup, Self::Xc7, Self::Ecp5, Self::Ice40];

    /// The name as given to `--flow`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Xcup => "xcup",
            Self::Xc7 => "xc7",
            Self::Ecp5 => "ecp5",
            Self::Ice40 => "ice40",
        }
    }
}

/// The open flow that synthesizes for a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Flow {
    /// Family and name of the flow.
    pub family: Family,
    /// What the flow runs, in one line.
    pub about: &'static str,
    /// Whether the flow places and routes.
    pub routes: bool,
}

impl Flow {
    /// The flow of a family.
    pub fn of(family: Family) -> Self {
        let (about, routes) = match family {
            Family::Xcup => ("Yosys synth_xilinx -family xcup", false),
            Family::Xc7 => ("Yosys synth_xilinx -family xc7", false),
            Family::Ecp5 => ("Yosys synth_ecp5 and nextpnr-ecp5", true),
            Family::Ice40 => ("Yosys synth_ice40 and nextpnr-ice40", true),
        };
        Self { family, about, routes }
    }
}

/// What a device holds. Block RAM is counted in the family's own blocks (36 kb, 18 kb, 4 kb).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Capacity {
    /// LUT sites.
    pub lut: u64,
    /// Flip-flops.
    pub ff: u64,
    /// DSP blocks.
    pub dsp: u64,
    /// Block RAMs.
    pub bram: u64,
    /// Bits in one block RAM.
    pub bram_bits: u64,
    /// UltraRAMs (288 kb each).
    pub uram: u64,
}

/// A device or board that a config can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// Name in the config.
    pub name: &'static str,
    /// Logic family.
    pub family: Family,
    /// Full part name.
    pub part: &'static str,
    /// Resources of the part.
    pub capacity: Capacity,
    /// Where the part and its capacity come from.
    pub source: &'static str,
    /// Options of nextpnr that name the part; none where no open tool routes it.
    pub nextpnr: &'static [&'static str],
}

impl Target {
    /// The target that stands for a family where none is named: the first of it.
    pub fn of(family: Family) -> Option<&'static Self> {
        TARGETS.iter().find(|t| t.family == family)
    }

    /// Looks a target up by its config name.
    pub fn find(name: &str) -> Option<&'static Self> {
        TARGETS.iter().find(|t| t.name == name)
    }
}

/// Every target, in the order in which `bitlathe list` shows them.
pub const TARGETS: &[Target] = &[
    Target {
        name: "kv260",
        family: Family::Xcup,
        part: "xck26-sfvc784-2LV-c",
        capacity: Capacity { lut: 117_120, ff: 234_240, dsp: 1_248, bram: 144, bram_bits: 36_864, uram: 64 },
        source: "AMD DS987, Kria K26 SOM",
        nextpnr: &[],
    },
    Target {
        name: "u280",
        family: Family::Xcup,
        part: "xcu280-fsvh2892-2L-e",
        capacity: Capacity { lut: 1_303_680, ff: 2_607_360, dsp: 9_024, bram: 2_016, bram_bits: 36_864, uram: 960 },
        source: "AMD DS963, Alveo U280",
        nextpnr: &[],
    },
    Target {
        name: "xc7a100t",
        family: Family::Xc7,
        part: "xc7a100tcsg324-1",
        capacity: Capacity { lut: 63_400, ff: 126_800, dsp: 240, bram: 135, bram_bits: 36_864, uram: 0 },
        source: "AMD DS180, Artix-7 100T",
        nextpnr: &[],
    },
    Target {
        name: "ecp5-85f",
        family: Family::Ecp5,
        part: "LFE5U-85F-6BG381C",
        capacity: Capacity { lut: 83_640, ff: 83_640, dsp: 156, bram: 208, bram_bits: 18_432, uram: 0 },
        source: "Lattice FPGA-DS-02012, ECP5 family",
        nextpnr: &["--85k", "--package", "CABGA381", "--speed", "6"],
    },
    Target {
        name: "ice40-hx8k",
        family: Family::Ice40,
        part: "iCE40HX8K-CT256",
        capacity: Capacity { lut: 7_680, ff: 7_680, dsp: 0, bram: 32, bram_bits: 4_096, uram: 0 },
        source: "Lattice FPGA-DS-02029, iCE40 LP/HX family",
        nextpnr: &["--hx8k", "--package", "ct256"],
    },
    Target {
        name: "ice40-up5k",
        family: Family::Ice40,
        part: "iCE40UP5K-SG48",
        // Its eight multipliers and its four 256 kb memories are left alone: the family's other parts have none.
        capacity: Capacity { lut: 5_280, ff: 5_280, dsp: 0, bram: 30, bram_bits: 4_096, uram: 0 },
        source: "Lattice FPGA-DS-02008, iCE40 UltraPlus family",
        nextpnr: &["--up5k", "--package", "sg48"],
    },
];
