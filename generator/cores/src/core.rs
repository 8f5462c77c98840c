//! What a core kind must give; the program, the flow and the tests know cores through these two traits only.
//!
//! [`Kind`] describes a kind of core before there is a config; [`Core`] is one configured core.

use std::collections::BTreeMap;

use bitlathe_hdl::Checked;
use bitlathe_spec::{Dims, Family, Interface, Job, Target, Tensor, TensorSpec};
use serde::{Deserialize, Serialize};

use crate::compare::{Comparison, Data};
use crate::pairwise::Space;
use crate::wrap::Wrap;

/// A kind of core, such as `ternary-gemm`.
pub trait Kind: Sync {
    /// The `kind` in a config.
    fn name(&self) -> &'static str;
    /// One sentence on what it computes.
    fn about(&self) -> &'static str;
    /// JSON schema of the whole config file, made from the config structs' doc comments.
    fn schema(&self) -> serde_json::Value;
    /// A commented config for `bitlathe new`, legal for the target.
    fn starter(&self, target: &Target) -> String;
    /// Checks a document that already obeys the schema and makes the core; otherwise all errors at once.
    fn configure(&self, document: &serde_json::Value) -> Result<Box<dyn Core>, Vec<Issue>>;
    /// All options that tests vary, small enough to simulate.
    fn space(&self) -> Space;
    /// The methods of a kind on the same data, each in the place of the base config's; `None` for a kind without a choice.
    fn compare(&self, base: &serde_json::Value, data: &Data) -> Option<Comparison>;
    /// Legal configs for a target, drawn at random for judging the cost model.
    fn random_configs(&self, target: &Target, seed: u64, count: usize) -> Vec<serde_json::Value>;
}

/// Something wrong in a config, at a place given by keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Issue {
    /// Stable code, such as `C012`.
    pub code: &'static str,
    /// Dotted path of the offending value, such as `parallel.k_lanes`.
    pub path: String,
    /// What is wrong and why.
    pub message: String,
    /// The nearest legal values.
    pub help: String,
    /// A warning does not stop generation.
    pub warning: bool,
}

/// Predicted resources of one part of a core; a core's cost is the sum over its parts.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[allow(missing_docs)]
pub struct Cost {
    pub lut: f64,
    pub lutram: f64,
    pub ff: f64,
    pub dsp: f64,
    pub bram: f64,
    pub uram: f64,
}

impl Cost {
    /// Look-up tables and flip-flops alone.
    pub fn logic(lut: f64, ff: f64) -> Self {
        Self { lut, ff, ..Self::default() }
    }

    /// What of it a device lacks, as `name: used of available`.
    pub fn lacking(&self, target: &Target) -> Vec<String> {
        let has = target.capacity;
        let pairs = [
            ("LUT", self.lut, has.lut),
            ("FF", self.ff, has.ff),
            ("DSP", self.dsp, has.dsp),
            ("block RAM", self.bram, has.bram),
            ("UltraRAM", self.uram, has.uram),
        ];
        let over = pairs.into_iter().filter(|(_, used, has)| *used > *has as f64);
        over.map(|(name, used, has)| format!("{name}: {used:.0} of {has}")).collect()
    }
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, o: Self) {
        self.lut += o.lut;
        self.lutram += o.lutram;
        self.ff += o.ff;
        self.dsp += o.dsp;
        self.bram += o.bram;
        self.uram += o.uram;
    }
}

impl std::iter::Sum for Cost {
    fn sum<I: Iterator<Item = Self>>(costs: I) -> Self {
        costs.fold(Self::default(), |mut sum, cost| {
            sum += cost;
            sum
        })
    }
}

impl std::ops::Mul<f64> for Cost {
    type Output = Self;
    fn mul(self, n: f64) -> Self {
        Self {
            lut: self.lut * n,
            lutram: self.lutram * n,
            ff: self.ff * n,
            dsp: self.dsp * n,
            bram: self.bram * n,
            uram: self.uram * n,
        }
    }
}

/// The cost of one part with its name, for the datasheet's table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartCost {
    /// Part, such as `dot_tree`.
    pub part: String,
    /// How many of it.
    pub count: u64,
    /// All of them together.
    pub cost: Cost,
}

/// What a unit does in one of its phases, as a simulation shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Unit, such as `array`.
    pub unit: &'static str,
    /// The phase, such as `Q K^T`.
    pub phase: &'static str,
    /// Signals by their path below the top, such as `u_control.a_o`: as long as one of them is not zero.
    pub signals: Vec<String>,
}

/// A value range proven when the core was made, for the datasheet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProvenRange {
    /// Signal, such as `accumulator`.
    pub signal: String,
    /// Bits that hold it.
    pub bits: u32,
    /// Smallest value.
    pub min: i64,
    /// Largest value.
    pub max: i64,
    /// Why, as a formula with numbers.
    pub proof: String,
}

/// A job with a name and what it covers.
pub struct Stimulus {
    /// Name for reports, such as `all_minus_128`.
    pub name: String,
    /// The inputs.
    pub job: Job,
    /// Coverage points that it hits, each one of [`Core::coverage`].
    pub covers: Vec<&'static str>,
}

/// One operand of a mismatching output element, for the report.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Operand {
    /// Name, such as `x[3, 0..24]`.
    pub name: String,
    /// Values.
    pub values: Vec<i64>,
}

/// Text about a core for the datasheet, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct About {
    /// One line.
    pub title: String,
    /// Paragraphs of plain text.
    pub paragraphs: Vec<String>,
    /// The exact definition of the output, as plain-text formulas, one a line.
    pub definition: Vec<String>,
    /// Boxes of the block diagram from input to output: (name, what it does). Drawn left to right.
    pub blocks: Vec<Block>,
}

/// A box of the block diagram.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Block {
    /// Name shown in the box.
    pub name: String,
    /// Second, smaller line, such as `8 tables x 14 ports`.
    pub detail: String,
    /// Names of the boxes or streams that feed it.
    pub from: Vec<String>,
}

/// A tensor that files give in other words than the hardware takes it, such as a real scale in place of the integers that
/// registers hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// The tensor in files.
    pub spec: TensorSpec,
    /// Inputs of the interface that the core makes of it; files do not give these.
    pub makes: Vec<String>,
}

/// Real weights turned into the tensors that a core takes.
pub struct Imported {
    /// Tensors by job name (`w`, `scale`, …). `scale` and other side results are written but not fed.
    pub tensors: BTreeMap<String, Tensor>,
    /// Notes for the user, such as which convention was used.
    pub notes: Vec<String>,
}

/// A configured core.
pub trait Core: Send + Sync {
    /// The kind's name.
    fn kind(&self) -> &'static str;
    /// The `name` of the config, also the prefix of its files.
    fn name(&self) -> &str;
    /// The device.
    fn target(&self) -> &'static Target;
    /// The config with every default filled in, stable key order.
    fn config(&self) -> serde_json::Value;
    /// What stands around it: the `wrap` of its config.
    fn wrap(&self) -> Wrap {
        self.config().get("wrap").and_then(|w| Wrap::deserialize(w).ok()).unwrap_or_default()
    }
    /// Warnings found by the check (an error would have stopped it).
    fn warnings(&self) -> Vec<Issue>;
    /// Ports, registers, tensors, streams.
    fn interface(&self) -> Interface;
    /// Tensors that files give in other words than the hardware takes them.
    fn given(&self) -> Vec<Given> {
        vec![]
    }
    /// The interface's tensors that a given one makes, or why it makes none.
    fn translate(&self, _name: &str, _tensor: &Tensor) -> Result<BTreeMap<String, Tensor>, String> {
        Ok(BTreeMap::new())
    }
    /// The hardware.
    fn rtl(&self) -> Result<Checked, bitlathe_hdl::Errors>;
    /// Outputs of a job by the golden model; the job's inputs are already bound and in range.
    fn golden(&self, job: &Job) -> BTreeMap<String, Tensor>;
    /// Checks relations between tensors that shapes and ranges do not show (such as a 3:4 pattern).
    fn check_job(&self, job: &Job) -> Result<(), String>;
    /// Exact cycles of a job without stalls, from the first accepted input beat to the last output beat, inclusive.
    fn schedule(&self, dims: &Dims) -> u64;
    /// For each stream, in the interface's order, the cycle in which each beat of a small job without stalls moves, counted
    /// from the first accepted input beat. `None` where the schedule does not tell single beats; the datasheet then has
    /// no timing diagram.
    fn beat_cycles(&self, _: &Dims) -> Option<Vec<Vec<u64>>> {
        None
    }
    /// Units whose work a simulation can show beside the streams.
    fn activities(&self) -> Vec<Activity> {
        vec![]
    }
    /// Multiply-adds (or elements) a job needs.
    fn useful_ops(&self, dims: &Dims) -> u64;
    /// Peak operations a cycle: multiply-adds for products, elements otherwise.
    fn ops_per_cycle(&self) -> u64;
    /// What [`Core::ops_per_cycle`] counts: `mac` or `element`.
    fn op(&self) -> &'static str;
    /// Predicted resources by part for a family.
    fn cost(&self, family: Family) -> Vec<PartCost>;
    /// Predicted resources of the whole core for a family.
    fn whole_cost(&self, family: Family) -> Cost {
        self.cost(family).into_iter().map(|part| part.cost).sum()
    }
    /// Whether synthesis, of the whole core or of one of its modules, may put multipliers of the Verilog into DSP blocks, beside those that
    /// it instantiates.
    fn infers_dsp(&self, family: Family, _module: Option<&str>) -> bool {
        self.cost(family).iter().any(|part| part.cost.dsp > 0.0)
    }
    /// Ranges proven at generation.
    fn ranges(&self) -> Vec<ProvenRange>;
    /// Names of the coverage points that `verify` must fill.
    fn coverage(&self) -> Vec<&'static str>;
    /// Corner jobs that fill the coverage list.
    fn corners(&self) -> Vec<Stimulus>;
    /// A random job; sizes and values follow from the seed.
    fn random_job(&self, seed: u64) -> Job;
    /// Text and block diagram for the datasheet.
    fn about(&self) -> About;
    /// What went into one output element, for a mismatch report.
    fn operands(&self, job: &Job, tensor: &str, index: usize) -> Vec<Operand>;
    /// Encodes one lane of a stream whose layout names a code other than `plain`.
    fn encode(&self, code: &str, values: &[i64]) -> u64;
    /// The elements that a lane of such a stream stands for; `None` for an illegal one.
    fn decode(&self, _code: &str, _lane: u64) -> Option<Vec<i64>> {
        None
    }
    /// Turns a weight matrix or packed model tensor into job tensors.
    fn import(&self, weights: &ModelTensor) -> Result<Imported, String>;
    /// The same job in floating point, for error figures only.
    fn reference(&self, job: &Job) -> BTreeMap<String, Vec<f64>>;
}

/// A matrix read from a model file, before a core makes its own tensors of it.
#[derive(Clone, Debug, PartialEq)]
pub enum ModelTensor {
    /// Real numbers, row-major [rows, columns].
    Float {
        /// Rows and columns.
        shape: [usize; 2],
        /// Row-major values.
        data: Vec<f64>,
    },
    /// Integers without a scale.
    Int {
        /// Rows and columns.
        shape: [usize; 2],
        /// Row-major values.
        data: Vec<i64>,
    },
    /// Ternary values with real scales; one scale a row.
    Ternary {
        /// Rows and columns.
        shape: [usize; 2],
        /// Row-major values in -1..=1.
        data: Vec<i8>,
        /// One multiplier a row.
        scale: Vec<f32>,
        /// How the scales were read, for the user.
        notes: Vec<String>,
    },
    /// Four-bit codes; `(code - zero) · scale` of the column's group is the weight.
    Grouped {
        /// Rows and columns.
        shape: [usize; 2],
        /// Neighbouring columns that share a zero point and a scale; a row's last group may be short.
        group: usize,
        /// Row-major codes in 0..=15.
        codes: Vec<u8>,
        /// Zero points in 0..=16, [rows, groups].
        zeros: Vec<u8>,
        /// Scales, not negative, [rows, groups].
        scales: Vec<f32>,
        /// How the file was read, for the user.
        notes: Vec<String>,
    },
}
