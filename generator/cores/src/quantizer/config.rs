//! The config of `quantizer`: its tables, its semantic checks, and the numbers that follow from it.

use bitlathe_spec::{Rounding, Target};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rtl::{Hardware, Method, Scaled};
use crate::Issue;
use crate::common::{ShiftValue, TargetTable, check_name, check_target, issue, top_module};
use crate::wrap::Wrap;

/// Wide integers to few bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Kind of core: `quantizer`.
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
    /// The elements that come in.
    #[serde(default)]
    pub input: InputTable,
    /// How much is done in a cycle.
    pub parallel: ParallelTable,
    /// How an element becomes few bits.
    pub method: MethodTable,
    /// The output.
    #[serde(default)]
    pub output: OutputTable,
}

/// Largest sizes of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShapeTable {
    /// Largest C: columns of a row, its channels.
    #[schemars(range(min = 1, max = 65536))]
    pub c_max: u32,
}

/// The elements that come in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InputTable {
    /// Bits of an element, two's complement; files hold int16 up to 16 bits, int32 above.
    #[schemars(range(min = 4, max = 32))]
    pub bits: u32,
    /// Fraction bits of an element; only the exponents of `mx` depend on them.
    #[schemars(range(min = 0, max = 64))]
    pub frac: u32,
}

impl Default for InputTable {
    fn default() -> Self {
        Self { bits: 32, frac: 0 }
    }
}

/// How much is done in a cycle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParallelTable {
    /// Elements of a beat, neighbours in a row.
    #[schemars(range(min = 1, max = 256))]
    pub lanes: u32,
}

/// Methods by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MethodName {
    /// A real scale as an integer pair: y = sat(round(x * mult / 2^shift) + zp).
    Requant,
    /// Four fraction bits against the state of a 4-bit LFSR.
    Stochastic,
    /// One scale below a given threshold, one above.
    DualScale,
    /// The same with the threshold taken from the tensor's quartiles.
    Iqr,
    /// Each row scaled by its largest magnitude.
    Absmax,
    /// Blocks with a shared power-of-two scale (OCP Microscaling).
    Mx,
    /// A power of two as the scale: y = sat(round(x / 2^shift)).
    Pot,
    /// Outliers that take the code of their neighbour.
    Ovp,
    /// The exact Walsh-Hadamard transform before a quantizer.
    Hadamard,
}

/// Element formats of `mx` by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ElementName {
    /// Two's complement with six fraction bits.
    #[default]
    Int8,
    /// FP8 with four exponent bits.
    E4m3,
    /// FP8 with five exponent bits.
    E5m2,
    /// FP6 with three exponent bits.
    E3m2,
    /// FP6 with two exponent bits.
    E2m3,
    /// FP4.
    E2m1,
}

/// How an element becomes few bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MethodTable {
    /// The method.
    pub name: MethodName,
    /// Rounding of `requant`, `pot`, `dual-scale` and `iqr`; the other methods have their own.
    #[serde(default)]
    pub rounding: Rounding,
    /// Multiplier, shift and zero point for every channel; otherwise one of each, in registers.
    #[serde(default)]
    pub per_channel: bool,
    /// First states of the LFSRs of `stochastic`: different numbers from 1 to 15.
    #[serde(default = "all_seeds")]
    #[schemars(length(min = 1, max = 15), inner(range(min = 1, max = 15)))]
    pub seeds: Vec<u8>,
    /// Element format of `mx`.
    #[serde(default)]
    pub element: ElementName,
    /// Elements of `mx` that share a scale: 32 in the OCP formats; 8, 16, 32, 64, 128 or 256.
    #[serde(default = "ocp_block")]
    #[schemars(extend("enum" = [8, 16, 32, 64, 128, 256]))]
    pub block: u32,
    /// Elements of a transform of `hadamard`: a power of two.
    #[serde(default = "transform")]
    #[schemars(extend("enum" = [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]))]
    pub size: u32,
}

fn all_seeds() -> Vec<u8> {
    (1..=15).collect()
}

fn ocp_block() -> u32 {
    32
}

fn transform() -> u32 {
    64
}

/// The output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OutputTable {
    /// Bits of an output, 4 or 8; `mx`, `ovp` and `hadamard` have their own.
    #[schemars(extend("enum" = [4, 8]))]
    pub bits: u32,
    /// Saturate to -(2^(bits-1) - 1) instead of -2^(bits-1).
    pub narrow: bool,
    /// Constant shift, or `[lo, hi]` for the input `shift`.
    pub shift: ShiftValue,
}

impl Default for OutputTable {
    fn default() -> Self {
        Self { bits: 8, narrow: false, shift: ShiftValue::Constant(24) }
    }
}

/// A checked config: the config, its device, and the hardware's numbers.
#[derive(Clone, Debug)]
pub struct Derived {
    /// The config with its defaults.
    pub config: Config,
    /// The device.
    pub target: &'static Target,
    /// Numbers of the hardware.
    pub hardware: Hardware,
    /// Warnings.
    pub warnings: Vec<Issue>,
}

impl MethodName {
    /// The name in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requant => "requant",
            Self::Stochastic => "stochastic",
            Self::DualScale => "dual-scale",
            Self::Iqr => "iqr",
            Self::Absmax => "absmax",
            Self::Mx => "mx",
            Self::Pot => "pot",
            Self::Ovp => "ovp",
            Self::Hadamard => "hadamard",
        }
    }

    /// Whether the method reads a key; what it does not read must keep its default.
    pub fn reads(self, key: &str) -> bool {
        use MethodName as M;
        match key {
            "method.rounding" => matches!(self, M::Requant | M::Pot | M::DualScale | M::Iqr),
            "method.per_channel" => {
                matches!(self, M::Requant | M::Pot | M::DualScale | M::Iqr | M::Ovp | M::Stochastic)
            }
            "method.seeds" => self == M::Stochastic,
            "method.element" | "method.block" | "input.frac" => self == M::Mx,
            "method.size" => self == M::Hadamard,
            "output.bits" => !matches!(self, M::Mx | M::Ovp | M::Hadamard),
            "output.narrow" => matches!(self, M::Requant | M::Pot | M::Stochastic),
            "output.shift" => !matches!(self, M::Absmax | M::Mx | M::Hadamard),
            _ => true,
        }
    }
}

impl Config {
    /// All semantic errors at once, or the numbers of the hardware.
    pub fn derive(&self) -> Result<Derived, Vec<Issue>> {
        let mut issues = vec![];
        let target = check_target(&self.target.name, &mut issues);
        check_name(&self.name, &mut issues);
        self.check_surplus(&mut issues);
        self.check_lanes(&mut issues);
        self.check_method(&mut issues);
        if self.method.name.reads("output.shift") {
            self.output.shift.check("output.shift", &mut issues);
        }
        let Some(target) = target.filter(|_| issues.is_empty()) else { return Err(issues) };
        let warnings = self.warnings();
        Ok(Derived { config: self.clone(), target, hardware: self.hardware(), warnings })
    }

    /// A key that the method does not read must not pretend to do something.
    fn check_surplus(&self, issues: &mut Vec<Issue>) {
        let (m, o) = (&self.method, &self.output);
        let plain = OutputTable::default();
        let changed = [
            ("input.frac", self.input.frac != 0, "0"),
            ("method.rounding", m.rounding != Rounding::default(), "\"half-even\""),
            ("method.per_channel", m.per_channel, "false"),
            ("method.seeds", m.seeds != all_seeds(), "1 to 15"),
            ("method.element", m.element != ElementName::default(), "\"int8\""),
            ("method.block", m.block != ocp_block(), "32"),
            ("method.size", m.size != transform(), "64"),
            ("output.bits", o.bits != plain.bits, "8"),
            ("output.narrow", o.narrow, "false"),
            ("output.shift", o.shift != plain.shift, "24"),
        ];
        for (path, changed, default) in changed {
            if changed && !m.name.reads(path) {
                let key = path.split('.').next_back().unwrap_or(path);
                let message = format!("`{}` does not read `{key}`", m.name.name());
                issues.push(issue("C030", path, message, format!("leave it out (its default is {default})")));
            }
        }
    }

    fn check_lanes(&self, issues: &mut Vec<Issue>) {
        let (lanes, c_max) = (self.parallel.lanes, self.shape.c_max);
        if lanes > c_max {
            let message = format!("{lanes} lanes for at most {c_max} values leave lanes that never work");
            issues.push(issue("C005", "parallel.lanes", message, format!("{c_max} or fewer")));
        }
        let nearest = |legal: &dyn Fn(u32) -> bool| {
            let below = (1..=lanes).rev().find(|l| legal(*l));
            let above = (lanes..=256).find(|l| legal(*l));
            let both: Vec<String> = below.into_iter().chain(above).map(|l| l.to_string()).collect();
            format!("lanes = {}", both.join(" or "))
        };
        match self.method.name {
            MethodName::Ovp if !lanes.is_multiple_of(2) => {
                let message = "a pair of elements lies in one beat, so the lanes must be even".into();
                issues.push(issue("C031", "parallel.lanes", message, nearest(&|l| l.is_multiple_of(2))));
            }
            MethodName::Mx | MethodName::Hadamard if !lanes.is_power_of_two() => {
                let message = format!(
                    "`{}` works on blocks of 2^n elements: {lanes} lanes do not divide them",
                    self.method.name.name()
                );
                issues.push(issue("C031", "parallel.lanes", message, nearest(&u32::is_power_of_two)));
            }
            _ => {}
        }
    }

    fn check_method(&self, issues: &mut Vec<Issue>) {
        let (m, bits) = (&self.method, self.input.bits);
        match m.name {
            MethodName::Absmax if !matches!(bits, 16 | 32) => {
                let message = format!("`absmax` divides in 16 or 32 bits, not in {bits}");
                issues.push(issue(
                    "C032",
                    "input.bits",
                    message,
                    format!("bits = {}", if bits < 24 { 16 } else { 32 }),
                ));
            }
            MethodName::Iqr if bits < 8 => {
                let message = format!("the histogram takes the top 8 of an element's bits; it has {bits}");
                issues.push(issue("C032", "input.bits", message, "bits = 8 or more".into()));
            }
            MethodName::Hadamard => {
                let growth = m.size.trailing_zeros();
                if bits + growth > 32 {
                    let message = format!(
                        "sums of {} elements of {bits} bits need {} bits, outputs have 32",
                        m.size,
                        bits + growth
                    );
                    issues.push(issue("C032", "input.bits", message, format!("bits = {} or fewer", 32 - growth)));
                }
                if m.size > self.shape.c_max {
                    let message = format!("rows of at most {} columns hold no block of {}", self.shape.c_max, m.size);
                    issues.push(issue("C033", "method.size", message, format!("c_max = {} or more", m.size)));
                }
            }
            MethodName::Stochastic => {
                let distinct = (1..=15).filter(|s| m.seeds.contains(s)).count();
                if distinct != m.seeds.len() {
                    let message = "two LFSRs of one seed give the same numbers in all their lanes".into();
                    issues.push(issue("C034", "method.seeds", message, "seeds that differ".into()));
                }
            }
            _ => {}
        }
    }

    fn hardware(&self) -> Hardware {
        let (m, o) = (&self.method, &self.output);
        let shift = o.shift.shift();
        let scaled = |out_bits: u32, narrow, rounding| Scaled {
            out_bits: out_bits.into(),
            narrow,
            rounding,
            shift,
            per_channel: m.per_channel,
        };
        let method = match m.name {
            MethodName::Requant => Method::Requant(scaled(o.bits, o.narrow, m.rounding)),
            MethodName::Pot => Method::Pot(scaled(o.bits, o.narrow, m.rounding)),
            MethodName::Stochastic => {
                Method::Stochastic(scaled(o.bits, o.narrow, Rounding::Stochastic), m.seeds.clone())
            }
            MethodName::DualScale => Method::DualScale(scaled(o.bits - 1, true, m.rounding)),
            MethodName::Iqr => Method::Iqr(scaled(o.bits - 1, true, m.rounding)),
            // Magnitudes beyond the largest outlier need no more bits than it.
            MethodName::Ovp => Method::Ovp(scaled(8, false, Rounding::HalfEven)),
            MethodName::Absmax => Method::Absmax { out_bits: o.bits.into() },
            MethodName::Mx => Method::Mx { element: m.element, block: m.block.into(), frac: self.input.frac.into() },
            MethodName::Hadamard => Method::Hadamard { size: m.size.into() },
        };
        Hardware {
            top: top_module(&self.name),
            lanes: self.parallel.lanes.into(),
            c_max: self.shape.c_max.into(),
            in_bits: self.input.bits.into(),
            method,
        }
    }

    fn warnings(&self) -> Vec<Issue> {
        let hw = self.hardware();
        let Some(busy) = hw.row_latency().filter(|l| *l > hw.beats_max()) else { return vec![] };
        let beats = hw.beats_max();
        let message = format!("a row has {beats} beats at most, its reciprocal takes {busy} cycles: rows will wait");
        // ceil(c_max / lanes) >= busy, solved for the lanes.
        let lanes = ((i64::from(self.shape.c_max) - 1) / (busy - 1).max(1)).max(1);
        let help = format!("lanes = {lanes} or fewer cost no time");
        vec![Issue { warning: true, ..issue("C020", "parallel.lanes", message, help) }]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::quantizer::Quantizer;
    use crate::{Issue, Kind};

    /// A legal config with values put at dotted places.
    fn issues(changes: &[(&str, Value)]) -> Vec<Issue> {
        let mut document = json!({
            "kind": "quantizer", "name": "core", "target": {"name": "kv260"}, "shape": {"c_max": 256},
            "input": {"bits": 16}, "parallel": {"lanes": 8}, "method": {"name": "requant"}, "output": {},
        });
        for (path, value) in changes {
            let (table, key) = path.split_once('.').unwrap();
            document[table][key] = value.clone();
        }
        Quantizer.configure(&document).err().unwrap_or_default()
    }

    /// Each refusal: method, changes, then code, path and a piece of the help, and the change that the help asks for.
    #[test]
    fn refusals_name_the_place_and_a_way_out() {
        let refused = |method: &str, change: (&str, Value), code: &str, help: &str, out: (&str, Value)| {
            let method = ("method.name", json!(method));
            let found = issues(&[method.clone(), change.clone()]);
            let fits = |i: &Issue| i.code == code && i.help.contains(help);
            assert!(found.len() == 1 && fits(&found[0]), "{method:?} {change:?}: {found:?}");
            assert_eq!(issues(&[method, change, out]), [], "the help is not legal");
        };
        let lanes = |n: u32| ("parallel.lanes", json!(n));
        let bits = |n: u32| ("input.bits", json!(n));
        refused("requant", lanes(257), "C005", "256 or fewer", lanes(256));
        refused("ovp", lanes(7), "C031", "lanes = 6 or 8", lanes(6));
        refused("mx", lanes(12), "C031", "lanes = 8 or 16", lanes(16));
        refused("hadamard", lanes(200), "C031", "lanes = 128 or 256", lanes(128));
        refused("absmax", bits(20), "C032", "bits = 16", bits(16));
        refused("absmax", bits(24), "C032", "bits = 32", bits(32));
        refused("iqr", bits(7), "C032", "bits = 8", bits(8));
        refused("hadamard", bits(27), "C032", "bits = 26 or fewer", bits(26));
        refused("hadamard", ("shape.c_max", json!(63)), "C033", "c_max = 64", ("shape.c_max", json!(64)));
        let seeds = |s: &[u32]| ("method.seeds", json!(s));
        refused("stochastic", seeds(&[3, 4, 3]), "C034", "seeds that differ", seeds(&[3, 4]));
        let shift = |s: [u32; 2]| ("output.shift", json!(s));
        refused("pot", shift([9, 3]), "C006", "[3, 9]", shift([3, 9]));
    }

    /// A key that a method does not read is refused, with the default that makes it legal.
    #[test]
    fn surplus_keys_are_refused_and_their_defaults_are_legal() {
        let surplus = [
            ("requant", "input.frac", json!(4), json!(0)),
            ("mx", "method.rounding", json!("floor"), json!("half-even")),
            ("absmax", "method.per_channel", json!(true), json!(false)),
            ("requant", "method.seeds", json!([1]), json!((1..=15).collect::<Vec<_>>())),
            ("requant", "method.element", json!("e4m3"), json!("int8")),
            ("requant", "method.block", json!(8), json!(32)),
            ("requant", "method.size", json!(8), json!(64)),
            ("mx", "output.bits", json!(4), json!(8)),
            ("absmax", "output.narrow", json!(true), json!(false)),
            ("hadamard", "output.shift", json!(3), json!(24)),
        ];
        for (method, path, changed, default) in surplus {
            let method = ("method.name", json!(method));
            let found = issues(&[method.clone(), (path, changed)]);
            assert!(found.len() == 1 && found[0].code == "C030" && found[0].path == path, "{path}: {found:?}");
            assert_eq!(issues(&[method, (path, default)]), [], "{path}");
        }
    }

    #[test]
    fn several_mistakes_are_refused_at_once() {
        let found = issues(&[
            ("target.name", json!("nothing")),
            ("method.name", json!("ovp")),
            ("parallel.lanes", json!(257)),
            ("method.size", json!(8)),
            ("output.shift", json!([9, 9])),
        ]);
        let codes: Vec<&str> = found.iter().map(|i| i.code).collect();
        assert_eq!(codes, ["C001", "C030", "C005", "C031", "C006"]);
    }

    /// Rows shorter than the reciprocal's latency wait for it; the lanes of the help do not.
    #[test]
    fn short_rows_warn_with_lanes_that_keep_up() {
        let warnings = |lanes: u64| {
            let document = json!({
                "kind": "quantizer", "name": "core", "target": {"name": "kv260"}, "shape": {"c_max": 256},
                "input": {"bits": 32}, "parallel": {"lanes": lanes}, "method": {"name": "absmax"}, "output": {},
            });
            Quantizer.configure(&document).unwrap_or_else(|e| panic!("{e:?}")).warnings()
        };
        let found = warnings(32);
        assert_eq!((found.len(), found[0].code), (1, "C020"));
        let lanes = found[0].help.split(' ').find_map(|w| w.parse().ok()).unwrap();
        assert_eq!(warnings(lanes), []);
        assert_eq!(warnings(lanes + 1).len(), 1, "the help is the most");
    }
}
