//! The config of `ternary-gemm`: its tables, its semantic checks, and the numbers that follow from it.

use bitlathe_spec::Target;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cost;
use super::rtl::{Hardware, Style, Tree};
use crate::Issue;
use crate::common::{TargetTable, check_name, check_target, issue, top_module};
use crate::parts::carry::implementation;
use crate::parts::simd_add;
use crate::requantized::OutputTable;
use crate::wrap::Wrap;

/// A ternary matrix product by table lookup.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Kind of core: `ternary-gemm`.
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
    /// Activations.
    #[serde(default)]
    pub act: ActTable,
    /// How much is done in a cycle.
    pub parallel: ParallelTable,
    /// How a weight meets an activation.
    #[serde(default)]
    pub lookup: LookupTable,
    /// The weight stream.
    #[serde(default)]
    pub weights: WeightsTable,
    /// The output.
    #[serde(default)]
    pub output: OutputTable<OutputName>,
}

/// Largest sizes of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShapeTable {
    /// Largest K: columns of the weight matrix, activations of a vector.
    #[schemars(range(min = 1, max = 65536))]
    pub k_max: u32,
    /// Largest M: rows of the weight matrix, outputs of a vector.
    #[schemars(range(min = 1, max = 65536))]
    pub m_max: u32,
}

/// Activations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActTable {
    /// Bits of an activation: 4, 8 or 16.
    #[schemars(extend("enum" = [4, 8, 16]))]
    pub bits: u32,
}

impl Default for ActTable {
    fn default() -> Self {
        Self { bits: 8 }
    }
}

/// How much is done in a cycle.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ParallelTable {
    /// Activations of a slab: columns of the weight matrix taken a cycle.
    #[schemars(range(min = 1, max = 256))]
    pub k_lanes: u32,
    /// Rows of a tile: rows of the weight matrix taken a cycle.
    #[schemars(range(min = 1, max = 256))]
    pub m_lanes: u32,
    /// Activation vectors that share one pass over the weights.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 16))]
    pub batch: u32,
}

fn one() -> u32 {
    1
}

/// Lookup styles by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StyleName {
    /// The cheapest by the cost model for the target.
    #[default]
    Auto,
    /// Tables in look-up-table memory.
    Lutram,
    /// Tables in flip-flops with multiplexers.
    Mux,
    /// Add, subtract or skip: a baseline.
    Addsub,
    /// A multiplier: a baseline.
    Multiply,
}

/// Adder trees by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TreeName {
    /// Three-operand adders on the carry chain.
    #[default]
    Fabric,
    /// Everything above the first adders on the split adders of DSP blocks; AMD devices only.
    Dsp,
}

/// How a weight meets an activation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LookupTable {
    /// Lookup style; `auto` takes the cheapest for the target.
    pub style: StyleName,
    /// Activations of a table; the styles without tables ignore it.
    #[schemars(range(min = 2, max = 4))]
    pub group: u32,
    /// Adder tree.
    pub tree: TreeName,
}

impl Default for LookupTable {
    fn default() -> Self {
        Self { style: StyleName::Auto, group: 3, tree: TreeName::Fabric }
    }
}

/// Weight encodings by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EncodingName {
    /// Two bits a weight.
    Trit2,
    /// Three weights in five bits.
    #[default]
    Index5,
    /// Five weights in a byte.
    Byte5,
    /// Four weights with exactly one zero in five bits.
    Sherry5,
}

impl EncodingName {
    /// The name in a config.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trit2 => "trit2",
            Self::Index5 => "index5",
            Self::Byte5 => "byte5",
            Self::Sherry5 => "sherry5",
        }
    }
}

/// Where weights come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceName {
    /// From the stream, once a pass.
    #[default]
    Stream,
    /// Loaded once a job and kept on chip.
    Resident,
}

/// The weight stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WeightsTable {
    /// Encoding of the weight stream.
    pub encoding: EncodingName,
    /// Streamed for every pass, or loaded once.
    pub source: SourceName,
    /// Ternary matrices that share the activations.
    #[schemars(range(min = 1, max = 2))]
    pub planes: u32,
}

impl Default for WeightsTable {
    fn default() -> Self {
        Self { encoding: EncodingName::Index5, source: SourceName::Stream, planes: 1 }
    }
}

/// Output kinds by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputName {
    /// Exact 32-bit sums.
    #[default]
    Int32,
    /// Multiplied, shifted, rounded, saturated.
    Requant,
}

/// Widest beat that the memory of resident weights takes.
const RESIDENT_BEAT_BITS: u64 = 65_536;
/// Most beats that it takes.
const RESIDENT_BEATS: u64 = 1 << 20;

/// A checked config: the config, its device, and the hardware's numbers.
#[derive(Clone, Debug)]
pub struct Derived {
    /// The config with its defaults.
    pub config: Config,
    /// The device.
    pub target: &'static Target,
    /// Numbers of the hardware.
    pub hardware: Hardware,
    /// Terms that a partial sum may take: the largest K.
    pub acc_range: (i64, i64),
    /// Warnings.
    pub warnings: Vec<Issue>,
}

impl Config {
    /// All semantic errors at once, or the numbers of the hardware.
    pub fn derive(&self) -> Result<Derived, Vec<Issue>> {
        let mut issues = vec![];
        let target = check_target(&self.target.name, &mut issues);
        check_name(&self.name, &mut issues);
        self.check_lookup(&mut issues);
        self.check_widths(&mut issues);
        if self.output.kind == OutputName::Requant {
            self.output.check(&mut issues);
        }
        if let Some(target) = target {
            self.check_style(target, &mut issues);
        }
        let Some(target) = target.filter(|_| issues.is_empty()) else { return Err(issues) };
        self.check_tree(target, &mut issues);
        self.check_resident(target, &mut issues);
        if !issues.is_empty() {
            return Err(issues);
        }
        let style = match self.lookup.style {
            StyleName::Auto => self.cheapest(target),
            StyleName::Lutram => Style::Lutram,
            StyleName::Mux => Style::Mux,
            StyleName::Addsub => Style::AddSub,
            StyleName::Multiply => Style::Multiply,
        };
        let hardware = self.hardware(target, style);
        let reach = i64::from(self.shape.k_max) << (self.act.bits - 1);
        let warnings = self.warnings(&hardware);
        Ok(Derived { config: self.clone(), target, hardware, acc_range: (-reach, reach), warnings })
    }

    /// Bits that hold K_max products at both ends.
    pub fn acc_bits(&self) -> i64 {
        // |x| reaches 2^(bits-1); the sum reaches +-k_max * 2^(bits-1).
        let reach = i64::from(self.shape.k_max) << (self.act.bits - 1);
        i64::from(64 - reach.leading_zeros()) + 1
    }

    fn check_lookup(&self, issues: &mut Vec<Issue>) {
        let needs = match self.weights.encoding {
            EncodingName::Index5 => 3,
            EncodingName::Sherry5 => 4,
            _ => return,
        };
        let tables = !matches!(self.lookup.style, StyleName::Addsub | StyleName::Multiply);
        if tables && self.lookup.group != needs {
            let e = self.weights.encoding.name();
            let message = format!(
                "a code of `{e}` is the address of a table of {needs} activations, not of {}",
                self.lookup.group
            );
            let help = format!("group = {needs}, or encoding = \"trit2\" or \"byte5\" for any group");
            issues.push(issue("C003", "lookup.group", message, help));
        }
    }

    fn check_style(&self, target: &Target, issues: &mut Vec<Issue>) {
        if self.lookup.style == StyleName::Lutram && !Style::Lutram.exists_on(target.family) {
            let message = format!("{} has no memory made of look-up tables", target.name);
            let help = "style = \"mux\" keeps the tables in flip-flops; \"auto\" takes the cheapest style".into();
            issues.push(issue("C011", "lookup.style", message, help));
        }
    }

    fn check_widths(&self, issues: &mut Vec<Issue>) {
        let bits = self.acc_bits();
        if bits > 32 {
            let most = (1i64 << 31) / (1i64 << (self.act.bits - 1)) - 1;
            let message =
                format!("sums of {} products of {}-bit activations need {bits} bits", self.shape.k_max, self.act.bits);
            issues.push(issue(
                "C004",
                "shape.k_max",
                message,
                format!("k_max = {most} at most, or fewer activation bits"),
            ));
        }
        for (path, lanes, most) in [
            ("parallel.k_lanes", self.parallel.k_lanes, self.shape.k_max),
            ("parallel.m_lanes", self.parallel.m_lanes, self.shape.m_max),
        ] {
            if lanes > most {
                let message = format!("{lanes} lanes for at most {most} values leave lanes that never work");
                issues.push(issue("C005", path, message, format!("{most} or fewer")));
            }
        }
    }

    fn check_tree(&self, target: &Target, issues: &mut Vec<Issue>) {
        if self.lookup.tree == TreeName::Dsp && !simd_add::splits(target.family) {
            let message = format!("no DSP block of {} splits its adder into lanes", target.name);
            issues.push(issue("C007", "lookup.tree", message, "tree = \"fabric\", or an AMD target".into()));
        }
    }

    fn resident_bits(&self) -> (u64, u64) {
        let hw = self.hardware_plain();
        let depth = (hw.slabs_max * hw.tiles_max * hw.planes) as u64;
        (depth, depth * (hw.codes() * hw.code().bits * hw.m_lanes) as u64)
    }

    fn check_resident(&self, target: &Target, issues: &mut Vec<Issue>) {
        if self.weights.source != SourceName::Resident {
            return;
        }
        let (depth, bits) = self.resident_bits();
        let c = target.capacity;
        let (room, beat) = ((c.bram * c.bram_bits).max(c.uram * 294_912), bits / depth);
        if beat > RESIDENT_BEAT_BITS {
            let message =
                format!("a beat of resident weights has {beat} bits, its memory {RESIDENT_BEAT_BITS} at most");
            let help = format!("m_lanes = {} or fewer", RESIDENT_BEAT_BITS * u64::from(self.parallel.m_lanes) / beat);
            issues.push(issue("C010", "parallel.m_lanes", message, help));
        }
        if bits > room || depth > RESIDENT_BEATS {
            let message = format!(
                "{depth} beats of {beat} bits of weights exceed the on-chip memory of {}: {room} bits, {RESIDENT_BEATS} beats",
                target.name
            );
            let tiles = (room / beat).min(RESIDENT_BEATS) / (depth / self.hardware_plain().tiles_max as u64);
            let help = match tiles * u64::from(self.parallel.m_lanes) {
                0 => "source = \"stream\", or a smaller k_max".into(),
                rows => format!("source = \"stream\", or m_max = {rows} at most"),
            };
            issues.push(issue("C009", "weights.source", message, help));
        }
    }

    /// The numbers without device and style, for what depends on neither.
    fn hardware_plain(&self) -> Hardware {
        let (k, m) = (i64::from(self.parallel.k_lanes), i64::from(self.parallel.m_lanes));
        let up = |a: u32, b: i64| (i64::from(a) + b - 1) / b;
        Hardware {
            top: top_module(&self.name),
            implementation: 0,
            k_lanes: k,
            m_lanes: m,
            batch: self.parallel.batch.into(),
            planes: self.weights.planes.into(),
            act_bits: self.act.bits.into(),
            acc_bits: self.acc_bits(),
            style: Style::Lutram,
            group: self.lookup.group.into(),
            tree: match self.lookup.tree {
                TreeName::Fabric => Tree::Fabric,
                TreeName::Dsp => Tree::Dsp,
            },
            encoding: self.weights.encoding.name(),
            slabs_max: up(self.shape.k_max, k),
            tiles_max: up(self.shape.m_max, m),
            resident: None,
            requant: None,
        }
    }

    fn hardware(&self, target: &Target, style: Style) -> Hardware {
        let mut hw = Hardware { implementation: implementation(target.family), style, ..self.hardware_plain() };
        if self.weights.source == SourceName::Resident {
            let (depth, bits) = self.resident_bits();
            hw.resident = Some((
                depth as i64,
                bits > target.capacity.bram * target.capacity.bram_bits / 2 && target.capacity.uram > 0,
            ));
        }
        hw.requant = (self.output.kind == OutputName::Requant).then(|| self.output.requantized());
        hw
    }

    /// The style that the cost model finds cheapest in LUT sites.
    fn cheapest(&self, target: &Target) -> Style {
        let lut = |s: Style| cost::lut_before_output(&self.hardware(target, s), target.family);
        let styles = [Style::Lutram, Style::Mux, Style::AddSub, Style::Multiply].into_iter();
        let legal = styles.filter(|s| s.exists_on(target.family));
        legal.min_by(|a, b| lut(*a).total_cmp(&lut(*b))).unwrap_or(Style::Mux)
    }

    fn warnings(&self, hw: &Hardware) -> Vec<Issue> {
        let Some(table) = hw.table() else { return vec![] };
        let (fill, beats) = (table.program().len() as i64 + 2 + hw.batch, hw.tiles_max * hw.planes);
        if beats >= fill {
            return vec![];
        }
        let message =
            format!("filling the tables takes {fill} cycles, all rows of a slab only {beats}: weights will wait");
        let keeps = |lanes: &u32| i64::from(self.shape.m_max.div_ceil(*lanes)) * hw.planes >= fill;
        let help = match (2..self.parallel.m_lanes).rev().find(keeps) {
            Some(lanes) => format!("m_lanes = {lanes} or fewer keeps the weight stream busy"),
            None => "so few rows cannot keep the weight stream busy; fewer m_lanes cost little time".into(),
        };
        vec![Issue { warning: true, ..issue("C020", "parallel.m_lanes", message, help) }]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A legal config with changes at dotted paths.
    fn document(changes: &[(&str, Value)]) -> Value {
        let mut c = json!({
            "kind": "ternary-gemm", "name": "core", "target": {"name": "kv260"}, "shape": {"k_max": 256, "m_max": 256},
            "act": {}, "parallel": {"k_lanes": 24, "m_lanes": 4}, "lookup": {}, "weights": {}, "output": {},
        });
        c["act"]["bits"] = json!(8);
        for (path, value) in changes {
            *path.split('.').fold(&mut c, |at, key| &mut at[key]) = value.clone();
        }
        c
    }

    fn issues(changes: &[(&str, Value)]) -> Vec<Issue> {
        use crate::Kind;
        crate::ternary_gemm::TernaryGemm.configure(&document(changes)).err().unwrap_or_default()
    }

    /// Each refusal: the changes, then code, path and a piece of the help.
    #[test]
    fn refusals_name_the_place_and_a_way_out() {
        let refused = |changes: &[(&str, Value)], code: &str, path: &str, help: &str| {
            let found = issues(changes);
            assert!(
                found.iter().any(|i| i.code == code && i.path == path && i.help.contains(help)),
                "{changes:?}: {found:?}"
            );
        };
        let requant = ("output.kind", json!("requant"));
        let no_memory = [("target.name", json!("ice40-hx8k")), ("lookup.style", json!("lutram"))];
        refused(&no_memory, "C011", "lookup.style", "mux");
        refused(&[("target.name", json!("nothing"))], "C001", "target.name", "kv260");
        refused(&[("name", json!("1st core"))], "C002", "name", "core_1stcore");
        refused(&[("name", json!("module"))], "C002", "name", "module-core");
        refused(&[("name", json!("dot-row"))], "C002", "name", "dot-row-core");
        refused(&[("lookup.group", json!(2)), ("lookup.style", json!("mux"))], "C003", "lookup.group", "group = 3");
        refused(&[("act.bits", json!(16)), ("shape.k_max", json!(65536))], "C004", "shape.k_max", "65535");
        refused(&[("shape.k_max", json!(8))], "C005", "parallel.k_lanes", "8 or fewer");
        refused(&[requant.clone(), ("output.shift", json!([9, 3]))], "C006", "output.shift", "[3, 9]");
        refused(&[requant, ("output.shift", json!([47, 47]))], "C006", "output.shift", "shift = 47");
        let dsp = ("lookup.tree", json!("dsp"));
        refused(&[dsp, ("target.name", json!("ecp5-85f"))], "C007", "lookup.tree", "tree = \"fabric\"");
        let resident = ("weights.source", json!("resident"));
        let wide = [("parallel.k_lanes", json!(256)), ("parallel.m_lanes", json!(256))];
        refused(
            &[std::slice::from_ref(&resident), &wide].concat(),
            "C010",
            "parallel.m_lanes",
            "m_lanes = 152 or fewer",
        );
        // 2731 slabs of a tile of 4 x 8 codes of 5 bits; 64 UltraRAMs hold 43 such tiles.
        let long = [("shape.k_max", json!(65536)), ("shape.m_max", json!(256))];
        refused(&[&[resident], &long[..]].concat(), "C009", "weights.source", "m_max = 172 at most");
    }

    #[test]
    fn the_help_of_a_refusal_is_itself_legal() {
        let resident = [("weights.source", json!("resident")), ("shape.k_max", json!(65536))];
        assert!(issues(&[&resident[..], &[("shape.m_max", json!(172))]].concat()).is_empty());
        assert!(!issues(&[&resident[..], &[("shape.m_max", json!(173))]].concat()).is_empty());
        let wide = [("weights.source", json!("resident")), ("parallel.k_lanes", json!(256))];
        assert!(issues(&[&wide[..], &[("parallel.m_lanes", json!(152))]].concat()).is_empty());
        assert!(issues(&[("name", json!("module-core"))]).is_empty());
    }

    #[test]
    fn several_mistakes_are_refused_at_once() {
        let found = issues(&[
            ("target.name", json!("nothing")),
            ("name", json!("9")),
            ("lookup.group", json!(4)),
            ("shape.m_max", json!(2)),
        ]);
        let codes: Vec<&str> = found.iter().map(|i| i.code).collect();
        assert_eq!(codes, ["C001", "C002", "C003", "C005"]);
    }

    #[test]
    fn the_shortest_file_is_enough_and_the_examples_parse() {
        let short = "kind = \"ternary-gemm\"\nname = \"a\"\n[target]\nname = \"kv260\"\n[shape]\nk_max = 64\nm_max = 64\n\
                     [parallel]\nk_lanes = 12\nm_lanes = 4\n";
        let examples = [
            short,
            include_str!("../../../../examples/digits/layer1.toml"),
            include_str!("../../../../examples/digits/layer2.toml"),
            include_str!("../../../../examples/ternary-kv260.toml"),
            include_str!("../../../../examples/ternary-sherry.toml"),
            include_str!("../../../../examples/ternary-ecp5.toml"),
        ];
        for text in examples {
            let config: Config = toml::from_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
            let derived = config.derive().unwrap_or_else(|e| panic!("{e:?}\n{text}"));
            assert_eq!(derived.hardware.slabs_max, i64::from(config.shape.k_max.div_ceil(config.parallel.k_lanes)));
        }
        assert!(toml::from_str::<Config>(&format!("{short}surplus = 1\n")).is_err());
    }

    #[test]
    fn partial_sums_have_the_bits_that_both_ends_need() {
        for (bits, k_max) in [(4, 1), (4, 53), (8, 1), (8, 255), (8, 256), (8, 65536), (16, 32767), (16, 32768)] {
            let config: Config =
                serde_json::from_value(document(&[("act.bits", json!(bits)), ("shape.k_max", json!(k_max))])).unwrap();
            let reach = i128::from(k_max) << (bits - 1);
            let holds = |b: i64| reach < 1 << (b - 1);
            assert!(holds(config.acc_bits()) && !holds(config.acc_bits() - 1), "{bits} {k_max}");
        }
    }

    #[test]
    fn a_short_matrix_warns_with_lanes_that_keep_up() {
        let derive = |m_lanes: u32| {
            let c: Config = serde_json::from_value(document(&[("parallel.m_lanes", json!(m_lanes))])).unwrap();
            c.derive().unwrap().warnings
        };
        let found = derive(64);
        assert!(found[0].warning && found[0].code == "C020", "{found:?}");
        let lanes = found[0].help.split(' ').find_map(|w| w.parse().ok()).unwrap();
        assert!(derive(lanes).is_empty() && !derive(lanes + 1).is_empty(), "{found:?}");
    }
}
