//! The config of `flash-attention`: its tables, its semantic checks, and the numbers that follow from it.

use bitlathe_golden::attention::{Attention, P_BITS, Scale};
use bitlathe_spec::{Dims, Family, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hardware::{GUARD_BITS, Hardware, LOGIT_BITS};
use super::interface::is_causal;
use crate::Issue;
use crate::common::{TargetTable, check_name, check_target, issue, top_module};
use crate::parts::carry::implementation;
use crate::wrap::Wrap;

/// Attention on one array.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Kind of core: `flash-attention`.
    pub kind: String,
    /// Name of the core; letters, digits, `-` and `_`. It names the top module and the files.
    #[schemars(length(min = 1, max = 48))]
    pub name: String,
    /// The device.
    pub target: TargetTable,
    /// What stands around the core.
    #[serde(default, skip_serializing_if = "Wrap::is_none")]
    pub wrap: Wrap,
    /// Largest sizes of a job.
    pub shape: ShapeTable,
    /// The array.
    pub array: ArrayTable,
    /// q, k and v.
    #[serde(default)]
    pub input: InputTable,
    /// The softmax.
    #[serde(default)]
    pub softmax: SoftmaxTable,
    /// The output.
    #[serde(default)]
    pub output: OutputTable,
    /// The mask.
    #[serde(default)]
    pub mask: MaskTable,
}

/// Largest sizes of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShapeTable {
    /// Most columns of a head; any number from 1 to this at run time.
    #[schemars(range(min = 1, max = 4096))]
    pub d_max: u32,
    /// Most queries or keys of a head; any number from 1 to this at run time.
    #[schemars(range(min = 4, max = 65536))]
    pub l_max: u32,
    /// Most query heads; any number from 1 to this at run time.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 256))]
    pub heads_max: u32,
}

fn one() -> u32 {
    1
}

/// What a cell multiplies with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CellName {
    /// A DSP block.
    #[default]
    Dsp,
    /// Look-up tables.
    Lut,
}

/// The array.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArrayTable {
    /// Rows and columns of cells: queries of a block and keys of a tile. 4, 8, 16 or 32.
    #[schemars(extend("enum" = [4, 8, 16, 32]))]
    pub n: u32,
    /// What a cell multiplies with.
    #[serde(default)]
    pub cell: CellName,
    /// Blocks of queries that one walk over k and v serves: 1, 2, 4 or 8. More divide the traffic of k and v and take more memory.
    #[serde(default = "one")]
    #[schemars(extend("enum" = [1, 2, 4, 8]))]
    pub resident_rows: u32,
}

/// q, k and v.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InputTable {
    /// Bits of an element: 8 or 16.
    #[schemars(extend("enum" = [8, 16]))]
    pub bits: u32,
    /// Fraction bits of an element, less than `bits`.
    #[schemars(range(min = 0, max = 15))]
    pub frac: u32,
}

impl Default for InputTable {
    fn default() -> Self {
        Self { bits: 16, frac: 12 }
    }
}

/// The softmax.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SoftmaxTable {
    /// Bits of a probability.
    #[schemars(range(min = 8, max = 16))]
    pub p_bits: u32,
}

impl Default for SoftmaxTable {
    fn default() -> Self {
        Self { p_bits: *P_BITS.end() }
    }
}

/// The output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutputTable {
    /// Bits of an element: 8, 16 or 32.
    #[schemars(extend("enum" = [8, 16, 32]))]
    pub bits: u32,
    /// Fraction bits of an element, less than `bits`.
    #[schemars(range(min = 0, max = 31))]
    pub frac: u32,
}

impl Default for OutputTable {
    fn default() -> Self {
        Self { bits: 16, frac: 13 }
    }
}

/// The mask.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MaskTable {
    /// Hardware for jobs in which query i sees key j iff j ≤ i + Lk - Lq, and tiles that no row needs are skipped. A job may still see
    /// every key.
    pub causal: bool,
}

/// A checked config: the config, its device, the model's parameters, the hardware's.
#[derive(Clone, Debug)]
pub struct Derived {
    /// The config with its defaults.
    pub config: Config,
    /// The device.
    pub target: &'static Target,
    /// The model of jobs without a mask.
    pub model: Attention,
    /// Numbers of the hardware.
    pub hardware: Hardware,
    /// Warnings.
    pub warnings: Vec<Issue>,
}

impl Derived {
    /// The model of a job.
    pub fn model_of(&self, dims: &Dims) -> Attention {
        Attention { causal: is_causal(dims), ..self.model }
    }
}

impl Config {
    /// All semantic errors at once, or what follows from the config.
    pub fn derive(&self) -> Result<Derived, Vec<Issue>> {
        let mut issues = vec![];
        let target = check_target(&self.target.name, &mut issues);
        check_name(&self.name, &mut issues);
        self.check_fractions(&mut issues);
        if self.shape.l_max < self.array.n {
            let message =
                format!("{} queries or keys at most do not fill a tile of {}", self.shape.l_max, self.array.n);
            issues.push(issue("C060", "shape.l_max", message, format!("l_max = {} or more", self.array.n)));
        }
        self.check_cell(target, &mut issues);
        let (Some(target), true) = (target, issues.is_empty()) else { return Err(issues) };
        let model = self.model();
        let hardware =
            self.hardware(target, &model).map_err(|e| vec![issue("C063", "shape", e, "smaller sizes".into())])?;
        Ok(Derived { config: self.clone(), target, model, hardware, warnings: vec![] })
    }

    fn check_fractions(&self, issues: &mut Vec<Issue>) {
        for (path, frac, bits) in
            [("input.frac", self.input.frac, self.input.bits), ("output.frac", self.output.frac, self.output.bits)]
        {
            if frac >= bits {
                let message = format!("{frac} fraction bits of {bits} leave no sign");
                issues.push(issue("C061", path, message, format!("0 to {}", bits - 1)));
            }
        }
    }

    /// A family without DSP blocks has no such cells.
    fn check_cell(&self, target: Option<&Target>, issues: &mut Vec<Issue>) {
        if target.is_some_and(|t| t.family == Family::Ice40) && self.array.cell == CellName::Dsp {
            let message = "Yosys puts no product into the DSP blocks of this device".to_owned();
            issues.push(issue("C062", "array.cell", message, "cell = \"lut\"".into()));
        }
    }

    fn model(&self) -> Attention {
        Attention {
            bits: self.input.bits,
            frac: self.input.frac,
            p_bits: self.softmax.p_bits,
            output_bits: self.output.bits,
            output_frac: self.output.frac,
            tile: self.array.n as usize,
            causal: false,
        }
    }

    fn hardware(&self, target: &Target, model: &Attention) -> Result<Hardware, String> {
        let (d, l) = (self.shape.d_max as usize, self.shape.l_max as usize);
        let wrong = |e: bitlathe_golden::attention::AttentionError| e.to_string();
        // The hardware holds them negated.
        let negated = |(low, high): (i64, i64)| signed_bits((-high, -low));
        let octaves = negated(model.octave_range(d).map_err(wrong)?);
        let logits = negated(model.logit_range(d).map_err(wrong)?);
        let (least_sum, most_sum) = model.sum_range(l).map_err(wrong)?;
        let (n, p_bits): (i64, i64) = (self.array.n.into(), self.softmax.p_bits.into());
        let tile_sum = p_bits + i64::from(self.array.n.ilog2()) + GUARD_BITS + 1;
        let sum_bits = unsigned_bits(most_sum).max(tile_sum);
        let scale = |d| Scale::new(d, self.input.frac).map(|s| (u64::from(s.mult), i64::from(s.shift))).map_err(wrong);
        let vendor = implementation(target.family);
        let dsp = self.array.cell == CellName::Dsp;
        Ok(Hardware {
            top: top_module(&self.name),
            n,
            d_max: self.shape.d_max.into(),
            l_max: self.shape.l_max.into(),
            heads_max: self.shape.heads_max.into(),
            resident: self.array.resident_rows.into(),
            causal: self.mask.causal,
            bits: self.input.bits.into(),
            p_bits,
            out_bits: self.output.bits.into(),
            gain: i64::from(self.output.frac) - i64::from(self.input.frac),
            score_bits: signed_bits(model.score_range(d)),
            octave_bits: octaves.max(logits - LOGIT_BITS),
            sum_bits,
            least_sum_bits: unsigned_bits(least_sum),
            // O shifted by the leading zeros of l: |O| < 2^(bits - 1)·(l + 1), as l loses less than 1 by its roundings.
            weighted_bits: sum_bits + i64::from(self.input.bits),
            scales: (1..=d).map(scale).collect::<Result<_, _>>()?,
            cell_implementation: if dsp { vendor } else { 0 },
            implementation: vendor,
            infers_dsp: dsp && vendor == 0,
        })
    }
}

fn unsigned_bits(value: i64) -> i64 {
    i64::from(64 - value.leading_zeros())
}

/// Bits of a two's complement range.
fn signed_bits((low, high): (i64, i64)) -> i64 {
    1 + unsigned_bits(high).max(unsigned_bits(!low))
}
