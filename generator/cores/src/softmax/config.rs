//! The config of `softmax`: its tables, its semantic checks, and the numbers that follow from it.

use bitlathe_golden::softmax::{
    Exponential, ExponentialError, IBert, ITAMAX_BLOCK, LinMax, Method, Output, Passes, ShiftMax, Softmax,
    SoftmaxError, Widths,
};
use bitlathe_spec::Target;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exponential::{Maximum, Stage};
use super::hardware::{Hardware, Online, Walk};
use crate::Issue;
use crate::common::{TargetTable, check_name, check_target, issue, top_module};
use crate::parts::carry::implementation;
use crate::wrap::Wrap;

/// Softmax over rows of integers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Kind of core: `softmax`.
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
    /// The logits.
    pub input: InputTable,
    /// How much is done in a cycle.
    pub parallel: ParallelTable,
    /// The exponential.
    #[serde(default)]
    pub method: MethodTable,
    /// Walks over a row.
    #[serde(default)]
    pub passes: PassesTable,
    /// The output.
    #[serde(default)]
    pub output: OutputTable,
}

/// Largest sizes of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShapeTable {
    /// Longest row; any length from 1 to this at run time.
    #[schemars(range(min = 1, max = 65536))]
    pub n_max: u32,
}

/// The logits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InputTable {
    /// Bits of a logit: 8, 16 or 32.
    #[serde(default = "eight")]
    #[schemars(extend("enum" = [8, 16, 32]))]
    pub bits: u32,
    /// The real value of one step of a logit, or `"runtime"`: given with the job.
    pub scale: ScaleValue,
}

fn eight() -> u32 {
    8
}

/// A scale fixed at generation, or given with each job.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ScaleValue {
    /// Fixed at generation.
    Fixed(#[schemars(range(min = 0.0))] f64),
    /// Given with the job.
    Job(RuntimeName),
}

/// The word for a scale that the job gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RuntimeName {
    /// Given with the job.
    Runtime,
}

/// How much is done in a cycle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParallelTable {
    /// Elements taken a cycle.
    #[schemars(range(min = 1, max = 64))]
    pub lanes: u32,
}

/// Methods by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// HyQ's line, in whole steps.
    #[serde(rename = "linmax")]
    LinMax,
    /// HyQ's line, in fractions of an octave.
    #[serde(rename = "linmax-plus")]
    LinMaxPlus,
    /// A table of 256 entries.
    #[default]
    ExpTable,
    /// Octaves of 8 or 16 steps.
    Base2,
    /// Lines between exact points.
    Pwl,
    /// I-BERT's parabola.
    #[serde(rename = "ibert")]
    IBert,
    /// I-ViT's shifts.
    #[serde(rename = "shiftmax")]
    ShiftMax,
    /// pulp ITA's streaming softmax.
    #[serde(rename = "itamax")]
    ItaMax,
}

impl MethodName {
    /// The name in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::LinMax => "linmax",
            Self::LinMaxPlus => "linmax-plus",
            Self::ExpTable => "exp-table",
            Self::Base2 => "base2",
            Self::Pwl => "pwl",
            Self::IBert => "ibert",
            Self::ShiftMax => "shiftmax",
            Self::ItaMax => "itamax",
        }
    }

    /// Whether the method reads a key; what it does not read must keep its default.
    pub fn reads(self, key: &str) -> bool {
        match key {
            "method.segments" => self == Self::Pwl,
            "method.fraction_bits" => matches!(self, Self::LinMaxPlus | Self::ExpTable | Self::Base2 | Self::Pwl),
            "method.line" => self == Self::Base2,
            "method.table" => self == Self::ExpTable,
            "method.n" => matches!(self, Self::LinMax | Self::IBert | Self::ShiftMax),
            _ => true,
        }
    }
}

/// What holds a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TableIn {
    /// Look-up tables.
    #[default]
    Logic,
    /// Block memory: half a block of 36 kb a lane.
    Block,
}

/// The exponential.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MethodTable {
    /// Method.
    pub name: MethodName,
    /// Segments of an octave of `pwl`: 1, 2, 4 or 8.
    #[schemars(extend("enum" = [1, 2, 4, 8]))]
    pub segments: u32,
    /// Fraction width W of `linmax-plus`, `exp-table`, `base2` and `pwl`.
    #[schemars(range(min = 8, max = 24))]
    pub fraction_bits: u32,
    /// `base2` draws a line over the octave instead of reading a table.
    pub line: bool,
    /// Where `exp-table` holds its table.
    pub table: TableIn,
    /// Octaves after which the exponential of `linmax`, `ibert` and `shiftmax` stays; their codes have 30, 30 and 16.
    #[schemars(range(min = 1, max = 62))]
    pub n: Option<u32>,
}

impl Default for MethodTable {
    fn default() -> Self {
        Self { name: MethodName::ExpTable, segments: 4, fraction_bits: 18, line: false, table: TableIn::Logic, n: None }
    }
}

/// Walks over a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PassesTable {
    /// 3: maximum, sum, output. 2: maximum and sum at once, for `base2` and `itamax`. 1: exponentials that another core
    /// rescales, for `base2`.
    #[schemars(range(min = 1, max = 3))]
    pub count: u32,
}

impl Default for PassesTable {
    fn default() -> Self {
        Self { count: 3 }
    }
}

/// Outputs by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OutputName {
    /// Probabilities in 2^-8.
    #[default]
    #[serde(rename = "u8")]
    U8,
    /// Probabilities in 2^-16.
    #[serde(rename = "u16")]
    U16,
    /// Minus the logarithm of probabilities to base 2, in four bits.
    #[serde(rename = "log2-4")]
    Log2x4,
    /// Exponentials, and the sum of each row.
    #[serde(rename = "raw")]
    Raw,
}

/// The output.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutputTable {
    /// What leaves.
    pub kind: OutputName,
}

/// A checked config: the config, its device, and the model's parameters.
#[derive(Clone, Debug)]
pub struct Derived {
    /// The config with its defaults.
    pub config: Config,
    /// The device.
    pub target: &'static Target,
    /// The method with its options.
    pub method: Method,
    /// Walks over a row.
    pub passes: Passes,
    /// What leaves.
    pub output: Output,
    /// e(d) at the scale, or with the largest constants that a job may give.
    pub exponential: Exponential,
    /// Largest exponential and sum over every legal scale.
    pub widths: Widths,
    /// Numbers of the hardware.
    pub hardware: Hardware,
    /// Warnings.
    pub warnings: Vec<Issue>,
}

impl Derived {
    /// The scale of the config, where it has one; the method's own where a method has one.
    pub fn scale(&self) -> Option<f64> {
        match self.config.input.scale {
            ScaleValue::Fixed(scale) => Some(self.method.own_scale().unwrap_or(scale)),
            ScaleValue::Job(_) => None,
        }
    }
}

/// Bits of the registers that hold o and b of `linmax` and o of `shiftmax`, where the job gives the scale.
const STEP_REGISTER_BITS: u32 = 16;
/// Bits of the register of c' of `ibert`, which goes with 1 / s².
const SQUARE_REGISTER_BITS: u32 = 31;
/// A scale that a method implies may be written with three digits.
const OWN_SCALE_TOLERANCE: f64 = 1e-3;
/// Rounded constants that change the exponent by more than this are worth a warning.
const TEMPERATURE_TOLERANCE: f64 = 0.02;

impl Config {
    /// All semantic errors at once, or the parameters of the model.
    pub fn derive(&self) -> Result<Derived, Vec<Issue>> {
        let mut issues = vec![];
        let target = check_target(&self.target.name, &mut issues);
        check_name(&self.name, &mut issues);
        self.check_surplus(&mut issues);
        self.check_lanes(&mut issues);
        self.check_walk(&mut issues);
        let method = self.method(&mut issues);
        let exponential = method.and_then(|m| self.widest(m, &mut issues));
        let (passes, output) = (self.walk(), self.output());
        let (Some(target), Some(method), Some(exponential), true) = (target, method, exponential, issues.is_empty())
        else {
            return Err(issues);
        };
        let model = Softmax { exponential, passes, output, n_max: self.shape.n_max as usize };
        let widths = model.widths().map_err(|e| vec![self.too_wide(&e)])?;
        let hardware = self.hardware(target, method, &model.exponential)?;
        let mut warnings = self.warnings(&model);
        warnings.extend(self.short_rows(&hardware));
        let exponential = model.exponential;
        Ok(Derived { config: self.clone(), target, method, passes, output, exponential, widths, hardware, warnings })
    }

    fn hardware(&self, target: &Target, method: Method, exponential: &Exponential) -> Result<Hardware, Vec<Issue>> {
        let (walk, online) = match (self.passes.count, method) {
            (3, _) => (Walk::Three, None),
            (2, Method::Base2 { octave_bits, .. }) => (Walk::Two, Some(Online::Octaves(octave_bits.into()))),
            (2, _) => (Walk::Two, Some(Online::Ita)),
            (_, Method::Base2 { octave_bits, .. }) => (Walk::One, Some(Online::Octaves(octave_bits.into()))),
            _ => (Walk::Three, None),
        };
        let maximum = if matches!(online, Some(Online::Octaves(_))) { Maximum::Octave } else { Maximum::Element };
        let (scale, runtime) = match self.input.scale {
            ScaleValue::Fixed(scale) => (Some(scale), false),
            ScaleValue::Job(_) => (None, true),
        };
        let (in_bits, lanes) = (self.input.bits.into(), self.parallel.lanes.into());
        let stage = Stage::new(method, scale, maximum, in_bits, lanes)
            .map_err(|e| vec![issue("C046", "input.scale", e.to_string(), "another scale".into())])?;
        let stage = if self.method.table == TableIn::Block { stage.with_block_table() } else { stage };
        Ok(Hardware {
            top: top_module(&self.name),
            lanes,
            n_max: self.shape.n_max.into(),
            in_bits,
            walk,
            online,
            output: self.output(),
            least_sum_bits: least_sum_bits(exponential, walk, runtime),
            exponential_latency: stage.latency(),
            stage,
            implementation: implementation(target.family),
        })
    }

    /// A key that the method does not read must not pretend to do something.
    fn check_surplus(&self, issues: &mut Vec<Issue>) {
        let (m, plain) = (&self.method, MethodTable::default());
        let changed = [
            ("method.segments", m.segments != plain.segments, "4"),
            ("method.fraction_bits", m.fraction_bits != plain.fraction_bits, "18"),
            ("method.line", m.line, "false"),
            ("method.table", m.table != plain.table, "\"logic\""),
            ("method.n", m.n.is_some(), "that of the method's code"),
        ];
        for (path, _, default) in changed.into_iter().filter(|(path, changed, _)| *changed && !m.name.reads(path)) {
            let key = path.split('.').next_back().unwrap_or(path);
            let message = format!("`{}` does not read `{key}`", m.name.name());
            issues.push(issue("C030", path, message, format!("leave it out (its default is {default})")));
        }
    }

    fn check_lanes(&self, issues: &mut Vec<Issue>) {
        let (lanes, most) = (self.parallel.lanes, self.shape.n_max);
        if lanes > most {
            let message = format!("{lanes} lanes for rows of at most {most} elements leave lanes that never work");
            // The lanes of itamax are part of its definition.
            let (path, help) = match self.method.name {
                MethodName::ItaMax => ("shape.n_max", format!("n_max = {lanes} or more")),
                _ => ("parallel.lanes", format!("{most} or fewer")),
            };
            issues.push(issue("C005", path, message, help));
        }
    }

    /// Which passes, lanes, inputs and outputs go with a method.
    fn check_walk(&self, issues: &mut Vec<Issue>) {
        let mut refuse = |code, path: &str, message: &str, help: &str| {
            issues.push(issue(code, path, message.into(), help.into()));
        };
        let (count, output) = (self.passes.count, self.output.kind);
        if self.method.name == MethodName::ItaMax {
            if count != 2 {
                refuse("C040", "passes.count", "itamax finds maximum and sum in one walk", "count = 2");
            }
            if self.parallel.lanes as usize != ITAMAX_BLOCK {
                refuse("C041", "parallel.lanes", "itamax is defined in blocks of 16 elements", "lanes = 16");
            }
            if output != OutputName::U8 {
                refuse("C042", "output.kind", "itamax has an output of its own, in u8", "kind = \"u8\"");
            }
            if self.input.bits != 8 {
                refuse("C043", "input.bits", "itamax is defined on int8", "bits = 8");
            }
        } else if count != 3 && self.method.name != MethodName::Base2 {
            let message = "only base2 can rescale a sum by a shift, when the maximum grows";
            refuse("C040", "passes.count", message, "count = 3, or method.name = \"base2\"");
        } else if count == 1 && output != OutputName::Raw {
            let message = "a single pass leaves exponentials that are not divided by their sum";
            refuse("C042", "output.kind", message, "kind = \"raw\", or passes.count = 2");
        }
    }

    /// The method with its options, and F from the scale where an octave is a power of two of steps.
    fn method(&self, issues: &mut Vec<Issue>) -> Option<Method> {
        let MethodTable { segments, fraction_bits: width, line, n, .. } = self.method;
        Some(match self.method.name {
            MethodName::LinMax => Method::LinMax { n: n.unwrap_or(30) },
            MethodName::LinMaxPlus => Method::LinMaxPlus { width },
            MethodName::ExpTable => Method::ExpTable { width },
            MethodName::Pwl => Method::Pwl { width, segments },
            MethodName::IBert => Method::IBert { n: n.unwrap_or(30) },
            MethodName::ShiftMax => Method::ShiftMax { n: n.unwrap_or(16) },
            MethodName::ItaMax => return self.at_own_scale(&[Method::ItaMax], issues),
            MethodName::Base2 => {
                let candidates = [3, 4].map(|octave_bits| Method::Base2 { octave_bits, width, line });
                return self.at_own_scale(&candidates, issues);
            }
        })
    }

    /// The one of several methods whose own scale the config has.
    fn at_own_scale(&self, methods: &[Method], issues: &mut Vec<Issue>) -> Option<Method> {
        let near = |method: &&Method| match (self.input.scale, method.own_scale()) {
            (ScaleValue::Fixed(scale), Some(own)) => (scale / own - 1.0).abs() <= OWN_SCALE_TOLERANCE,
            _ => false,
        };
        let found = methods.iter().find(near).copied();
        if found.is_none() {
            let own: Vec<String> =
                methods.iter().filter_map(|m| m.own_scale()).map(|s| format!("scale = {s:.5}")).collect();
            let message = format!("{} counts octaves in whole powers of two of steps", methods[0].name());
            issues.push(issue("C044", "input.scale", message, own.join(" or ")));
        }
        found
    }

    /// The exponential at the scale, or at the largest constants that the registers hold.
    fn widest(&self, method: Method, issues: &mut Vec<Issue>) -> Option<Exponential> {
        let scale = match (self.input.scale, method) {
            (ScaleValue::Fixed(scale), _) => scale,
            (ScaleValue::Job(_), Method::ExpTable { .. }) => {
                let message = "exp-table is a table of one scale".into();
                let help = "a number, or method.name = \"pwl\"".into();
                issues.push(issue("C045", "input.scale", message, help));
                return None;
            }
            (ScaleValue::Job(_), _) => return self.widest_of_registers(method, issues),
        };
        method.exponential(scale).map_err(|e| issues.push(self.refused(&e))).ok()
    }

    /// The step of `linmax-plus` and `pwl` does not change how wide they are; any scale stands for all.
    fn widest_of_registers(&self, method: Method, issues: &mut Vec<Issue>) -> Option<Exponential> {
        let (step, square) = ((1u64 << STEP_REGISTER_BITS) - 1, (1u64 << SQUARE_REGISTER_BITS) - 1);
        let fits = |bits: u32, n: u32| n + bits <= 63;
        let (bits, n, exponential) = match method {
            Method::LinMax { n } => {
                (STEP_REGISTER_BITS, n, Exponential::LinMax(LinMax { octave: step, intercept: step, n }))
            }
            Method::ShiftMax { n } => (STEP_REGISTER_BITS, n, Exponential::ShiftMax(ShiftMax { octave: step, n })),
            Method::IBert { n } => {
                let constants = IBert { octave: step, linear: step << 1, constant: square, n };
                (SQUARE_REGISTER_BITS, n, Exponential::IBert(constants))
            }
            other => return other.exponential(1.0).map_err(|e| issues.push(self.refused(&e))).ok(),
        };
        if !fits(bits, n) {
            issues.push(self.refused(&ExponentialError::Shifts { method: method.name(), n, most: 63 - bits }));
            return None;
        }
        Some(exponential)
    }

    /// What a model's constants refuse, at its place in the config.
    fn refused(&self, error: &ExponentialError) -> Issue {
        let (code, path, help) = match error {
            ExponentialError::NotPositive(_) => ("C046", "input.scale", "a positive number".into()),
            ExponentialError::Coarse { most, .. } => ("C046", "input.scale", format!("{most:.4} or less")),
            ExponentialError::Fine { .. } => {
                ("C046", "input.scale", "a coarser scale, or method.name = \"pwl\"".into())
            }
            ExponentialError::Step { least, most, .. } => ("C046", "input.scale", format!("{least:.3e} to {most:.1}")),
            ExponentialError::Shifts { most, .. } => ("C047", "method.n", format!("n = {most} or fewer")),
            ExponentialError::Width(_) => ("C048", "method.fraction_bits", "8 to 24".into()),
            ExponentialError::Segments(_) => ("C048", "method.segments", "1, 2, 4 or 8".into()),
            ExponentialError::OctaveBits(_) => ("C044", "input.scale", "ln2 / 8 or ln2 / 16".into()),
        };
        issue(code, path, error.to_string(), help)
    }

    fn too_wide(&self, error: &SoftmaxError) -> Issue {
        let help = match (error, self.method.name) {
            (SoftmaxError::Sum { longest: 0, .. }, _) => "a smaller method.n".into(),
            (SoftmaxError::Sum { longest, .. }, _) => format!("n_max = {longest} at most, or a smaller method.n"),
            _ => "the walk of another method".into(),
        };
        issue("C049", "shape.n_max", error.to_string(), help)
    }

    fn walk(&self) -> Passes {
        let lanes = self.parallel.lanes as usize;
        match self.passes.count {
            1 => Passes::One { lanes },
            2 => Passes::Two { lanes },
            _ => Passes::Three,
        }
    }

    fn output(&self) -> Output {
        match self.output.kind {
            OutputName::U8 => Output::U8,
            OutputName::U16 => Output::U16,
            OutputName::Log2x4 => Output::Log2x4,
            OutputName::Raw => Output::Raw,
        }
    }

    fn warnings(&self, model: &Softmax) -> Vec<Issue> {
        let mut warnings = vec![];
        let mut warn = |code, path: &str, message, help: &str| {
            warnings.push(Issue { warning: true, ..issue(code, path, message, help.into()) });
        };
        if model.output == Output::U8 && self.shape.n_max >= 512 {
            let n = self.shape.n_max;
            let message =
                format!("u8 rounds what is below 1/512 to zero, and an element of a flat row of {n} has 1/{n}");
            warn("C060", "output.kind", message, "u16, log2-4 or raw");
        }
        if let (ScaleValue::Fixed(scale), Some(error)) = (self.input.scale, self.temperature_error(model))
            && error.abs() > TEMPERATURE_TOLERANCE
        {
            let name = model.exponential.name();
            let message =
                format!("at scale {scale}, {name} takes exponents {:.1} % off: it rounds them to steps", 100.0 * error);
            warn("C061", "input.scale", message, "a finer scale, or method.name = \"exp-table\" or \"pwl\"");
        }
        if let (Exponential::ExpTable(table), ScaleValue::Fixed(scale)) = (&model.exponential, self.input.scale)
            && self.input.bits > 8
            && table.values.last().is_some_and(|v| *v > 0)
        {
            let message =
                format!("the table ends at a difference of 255, where exp is still {:.1e}", (-255.0 * scale).exp());
            warn("C062", "method.name", message, "method.name = \"pwl\", or a coarser scale");
        }
        warnings
    }

    /// Rows that even at their longest wait for a reciprocal.
    fn short_rows(&self, hw: &Hardware) -> Option<Issue> {
        let (beats, interval) = (hw.beats_max(), if hw.waits_for_sum() { hw.row_interval() } else { 1 });
        if beats >= interval {
            return None;
        }
        let message =
            format!("a row has {beats} beats at most, its reciprocal takes {interval} cycles: rows will wait");
        let help = match i64::from(self.shape.n_max) / interval {
            0 => "log2-4 and raw divide nothing".into(),
            lanes => format!("lanes = {lanes} or fewer cost no time"),
        };
        Some(Issue { warning: true, ..issue("C020", "parallel.lanes", message, help) })
    }

    /// How far the exponent of a method is off, as a part of itself, by the rounding of its octave or step.
    fn temperature_error(&self, model: &Softmax) -> Option<f64> {
        let ScaleValue::Fixed(scale) = self.input.scale else { return None };
        let octave = match &model.exponential {
            Exponential::LinMax(m) => m.octave as f64,
            Exponential::IBert(m) => m.octave as f64,
            // p = 1.4375 d counts octaves of 1 / s steps.
            Exponential::ShiftMax(m) => m.octave as f64 / 1.4375,
            Exponential::LinMaxPlus(m) => 65_536.0 / f64::from(m.step),
            Exponential::Pwl(m) => 65_536.0 / f64::from(m.step),
            Exponential::ExpTable(_) | Exponential::Base2(_) | Exponential::ItaMax => return None,
        };
        Some(octave * scale / std::f64::consts::LN_2 - 1.0)
    }
}

/// Bits of the least sum that a row can have: that of its largest element alone.
fn least_sum_bits(exponential: &Exponential, walk: Walk, runtime: bool) -> i64 {
    let least = match exponential {
        // The maximum may lie almost an octave above the largest element.
        Exponential::Base2(base2) if walk != Walk::Three => base2.values.last().copied().unwrap_or(1),
        // The least constants are ones.
        Exponential::LinMax(LinMax { n, .. }) | Exponential::ShiftMax(ShiftMax { n, .. }) if runtime => 1 << n,
        Exponential::IBert(IBert { n, .. }) if runtime => 1 << n,
        other => other.largest(),
    };
    i64::from(u64::BITS - least.leading_zeros())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A legal config with changes at dotted paths.
    fn derived(changes: &[(&str, Value)]) -> Result<Derived, Vec<Issue>> {
        let mut c = json!({
            "kind": "softmax", "name": "core", "target": {"name": "kv260"}, "shape": {"n_max": 384},
            "input": {"scale": 0.05}, "parallel": {"lanes": 16}, "method": {}, "passes": {}, "output": {},
        });
        for (path, value) in changes {
            *path.split('.').fold(&mut c, |at, key| &mut at[key]) = value.clone();
        }
        serde_json::from_value::<Config>(c.clone()).unwrap_or_else(|e| panic!("{c}: {e}")).derive()
    }

    fn named(name: &str, changes: &[(&str, Value)]) -> Result<Derived, Vec<Issue>> {
        derived(&[&[("method.name", json!(name))], changes].concat())
    }

    fn refused(name: &str, changes: &[(&str, Value)], code: &str, path: &str, help: &str) {
        let found = named(name, changes).err().unwrap_or_default();
        let wanted = |i: &Issue| i.code == code && i.path == path && i.help.contains(help);
        assert!(found.iter().any(wanted), "{name} {changes:?}: {found:?}");
    }

    #[test]
    fn the_shortest_file_is_a_table() {
        let text = "kind = \"softmax\"\nname = \"a\"\n[target]\nname = \"kv260\"\n[shape]\nn_max = 197\n[input]\nscale = 0.05\n\
                    [parallel]\nlanes = 8\n";
        let derived = toml::from_str::<Config>(text).unwrap().derive().unwrap();
        assert_eq!(derived.method, Method::ExpTable { width: 18 });
        assert_eq!((derived.widths.exponential_bits(), derived.widths.sum_bits()), (18, 26));
        assert!(derived.warnings.is_empty());
        assert!(toml::from_str::<Config>(&format!("{text}surplus = 1\n")).is_err());
        assert!(toml::from_str::<Config>(&text.replace("0.05", "\"later\"")).is_err());
    }

    #[test]
    fn refusals_name_the_place_and_a_way_out() {
        let scale = |v: Value| ("input.scale", v);
        let (one, two) = (("passes.count", json!(1)), ("passes.count", json!(2)));
        refused(
            "exp-table",
            &[("parallel.lanes", json!(64)), ("shape.n_max", json!(8))],
            "C005",
            "parallel.lanes",
            "8 or",
        );
        refused("exp-table", std::slice::from_ref(&two), "C040", "passes.count", "base2");
        refused("itamax", &[scale(json!(0.0217))], "C040", "passes.count", "count = 2");
        let ita = [scale(json!(0.02166)), two];
        assert!(named("itamax", &ita).is_ok());
        refused("itamax", &[&ita[..], &[("parallel.lanes", json!(8))]].concat(), "C041", "parallel.lanes", "16");
        refused("itamax", &[&ita[..], &[("output.kind", json!("raw"))]].concat(), "C042", "output.kind", "u8");
        refused("itamax", &[&ita[..], &[("input.bits", json!(16))]].concat(), "C043", "input.bits", "8");
        refused("base2", &[scale(json!(0.0433)), one], "C042", "output.kind", "raw");
        refused("base2", &[], "C044", "input.scale", "scale = 0.08664 or scale = 0.04332");
        refused("base2", &[scale(json!("runtime"))], "C044", "input.scale", "0.08664");
        refused("exp-table", &[scale(json!("runtime"))], "C045", "input.scale", "pwl");
        refused("linmax", &[scale(json!(1.4))], "C046", "input.scale", "1.3547 or less");
        refused("pwl", &[scale(json!(1e-7))], "C046", "input.scale", "5.288e-6 to");
        refused("pwl", &[scale(json!(-1.0))], "C046", "input.scale", "positive");
        refused("linmax", &[("method.n", json!(60))], "C047", "method.n", "n = 58 or fewer");
        refused("ibert", &[scale(json!("runtime")), ("method.n", json!(33))], "C047", "method.n", "n = 32 or fewer");
        refused("pwl", &[("method.fraction_bits", json!(4))], "C048", "method.fraction_bits", "8 to 24");
        refused("pwl", &[("method.segments", json!(3))], "C048", "method.segments", "8");
        refused("linmax", &[("method.n", json!(55))], "C049", "shape.n_max", "n_max = 9 at most");
    }

    #[test]
    fn the_help_of_a_refusal_is_itself_legal() {
        for scale in [0.08664, 0.04332, 0.0866, 0.0433] {
            assert!(named("base2", &[("input.scale", json!(scale))]).is_ok(), "{scale}");
        }
        let small = ("shape.n_max", json!(9));
        assert!(named("linmax", &[("method.n", json!(55)), small, ("parallel.lanes", json!(4))]).is_ok());
    }

    #[test]
    fn a_scale_of_the_job_is_as_wide_as_its_registers() {
        let runtime = ("input.scale", json!("runtime"));
        for (name, bits) in [("linmax", 46), ("linmax-plus", 18), ("pwl", 18), ("shiftmax", 32)] {
            let found = named(name, std::slice::from_ref(&runtime)).unwrap();
            assert_eq!(found.widths.exponential_bits(), bits, "{name}");
        }
        let narrow = named("ibert", &[runtime, ("method.n", json!(20))]).unwrap();
        assert_eq!((narrow.widths.exponential_bits(), narrow.widths.sum_bits()), (51, 60));
    }

    #[test]
    fn several_mistakes_are_refused_at_once() {
        let changes = [("target.name", json!("none")), ("name", json!("9")), ("passes.count", json!(1))];
        let found = named("linmax", &[&changes[..], &[("input.scale", json!(2.0))]].concat()).unwrap_err();
        let codes: Vec<&str> = found.iter().map(|i| i.code).collect();
        assert_eq!(codes, ["C001", "C002", "C040", "C046"]);
    }

    #[test]
    fn what_costs_accuracy_is_said() {
        let codes = |name: &str, changes: &[(&str, Value)]| {
            let found = named(name, changes).unwrap_or_else(|e| panic!("{name}: {e:?}"));
            found.warnings.into_iter().map(|w| w.code).collect::<Vec<_>>()
        };
        let long = ("shape.n_max", json!(1024));
        assert_eq!(codes("exp-table", std::slice::from_ref(&long)), ["C060"]);
        assert!(codes("exp-table", &[long, ("output.kind", json!("u16"))]).is_empty());
        assert!(codes("linmax", &[]).is_empty());
        assert_eq!(codes("exp-table", &[("shape.n_max", json!(256))]), ["C020"]);
        assert!(codes("exp-table", &[("shape.n_max", json!(256)), ("output.kind", json!("raw"))]).is_empty());
        assert_eq!(codes("linmax", &[("input.scale", json!(0.5))]), ["C061"]);
        assert_eq!(codes("pwl", &[("input.scale", json!(1e-4))]), ["C061"]);
        assert_eq!(codes("exp-table", &[("input.bits", json!(16)), ("input.scale", json!(0.01))]), ["C062"]);
    }
}
