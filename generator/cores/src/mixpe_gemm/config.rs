//! The config of `mixpe-gemm`: its tables, its semantic checks, and the numbers that follow from it.

use bitlathe_spec::Target;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::array::{Array, Kernel, kernels};
use super::control::LEAST_ROWS;
use super::hardware::Hardware;
use crate::Issue;
use crate::common::{TargetTable, check_name, check_target, issue, top_module};
use crate::parts::carry::implementation;
use crate::requantized::OutputTable;
use crate::wrap::Wrap;

/// A matrix product with four-bit weights, scaled once a group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Kind of core: `mixpe-gemm`.
    pub kind: String,
    /// Name of the core; letters, digits, `-` and `_`. It names the top module and the files.
    #[schemars(length(min = 1, max = 48))]
    pub name: String,
    /// The device.
    pub target: TargetTable,
    /// What stands around the core.
    #[serde(default, skip_serializing_if = "Wrap::is_none")]
    pub wrap: Wrap,
    /// Largest sizes of a job, and how many activation rows pass a weight tile.
    pub shape: ShapeTable,
    /// The compute array.
    pub array: ArrayTable,
    /// Activations.
    #[serde(default)]
    pub act: ActTable,
    /// Weights.
    #[serde(default)]
    pub weights: WeightsTable,
    /// The output.
    #[serde(default)]
    pub output: OutputTable<OutputName>,
}

/// Largest sizes of a job, and how many activation rows pass a weight tile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ShapeTable {
    /// Largest K: columns of the weight matrix, activations of a row.
    #[schemars(range(min = 4, max = 65536))]
    pub k_max: u32,
    /// Largest M: rows of the weight matrix, outputs of a row.
    #[schemars(range(min = 1, max = 65536))]
    pub m_max: u32,
    /// Activation rows of a block, which pass one weight tile after the other; their accumulators stay on chip.
    #[serde(default = "t_block")]
    #[schemars(range(min = 1, max = 8192))]
    pub t_block: u32,
}

fn t_block() -> u32 {
    512
}

/// Names of the kernels, and `auto`.
fn kernel_names() -> Vec<&'static str> {
    std::iter::once(AUTO).chain(kernels().iter().map(|k| k.name())).collect()
}

/// The kernel that the cost model finds best.
const AUTO: &str = "auto";

/// What cells are made of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PreferName {
    /// Look-up tables.
    #[default]
    Lut,
    /// DSP blocks, where the target has them.
    Dsp,
}

/// The compute array.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ArrayTable {
    /// Rows: activations that enter together. They divide the group.
    #[schemars(range(min = 4, max = 128))]
    pub rows: u32,
    /// Columns: outputs that leave together.
    #[schemars(range(min = 1, max = 256))]
    pub cols: u32,
    /// How a cell multiplies and adds; `auto` takes the smallest for the target.
    #[serde(default = "auto")]
    #[schemars(extend("enum" = kernel_names()))]
    pub kernel: String,
    /// What `auto` builds cells of.
    #[serde(default)]
    pub prefer: PreferName,
}

fn auto() -> String {
    AUTO.into()
}

/// Activations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ActTable {
    /// Bits of an activation: 8 or 16.
    #[schemars(extend("enum" = [8, 16]))]
    pub bits: u32,
}

impl Default for ActTable {
    fn default() -> Self {
        Self { bits: 8 }
    }
}

/// Weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WeightsTable {
    /// Columns of the weight matrix that share a zero point and a scale: 32, 64 or 128.
    #[schemars(extend("enum" = [32, 64, 128]))]
    pub group: u32,
}

impl Default for WeightsTable {
    fn default() -> Self {
        Self { group: 128 }
    }
}

/// Output kinds by name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputName {
    /// Exact sums.
    #[default]
    Exact,
    /// Multiplied, shifted, rounded, saturated.
    Requant,
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

impl Config {
    /// All semantic errors at once, or the numbers of the hardware.
    pub fn derive(&self) -> Result<Derived, Vec<Issue>> {
        let mut issues = vec![];
        let target = check_target(&self.target.name, &mut issues);
        check_name(&self.name, &mut issues);
        self.check_sizes(&mut issues);
        if self.output.kind == OutputName::Requant {
            self.output.check(&mut issues);
        }
        let kernel = target.and_then(|t| self.kernel(t, &mut issues));
        let (Some(target), Some(kernel), true) = (target, kernel, issues.is_empty()) else { return Err(issues) };
        let hardware = self.hardware(target, kernel);
        let warnings = self.warnings(target, &hardware);
        Ok(Derived { config: self.clone(), target, hardware, warnings })
    }

    fn check_sizes(&self, issues: &mut Vec<Issue>) {
        let (a, group) = (&self.array, self.weights.group);
        if !group.is_multiple_of(a.rows) {
            let message = format!("a group of {group} columns is not made of whole tiles of {} rows", a.rows);
            let fits = |rows: &u32| group.is_multiple_of(*rows) && *rows >= LEAST_ROWS as u32;
            let near = [(1..a.rows).rev().find(fits), (a.rows..=group).find(fits)];
            let near: Vec<String> = near.iter().flatten().map(u32::to_string).collect();
            issues.push(issue("C070", "array.rows", message, format!("rows = {}", near.join(" or "))));
        }
        let unused = |path, message, fewer: u32, size| {
            issue("C005", path, message, format!("{fewer} or fewer, or a larger {size}"))
        };
        if a.rows > self.shape.k_max {
            let legal = (1..=self.shape.k_max).rev().find(|r| group.is_multiple_of(*r)).unwrap_or(1);
            let message =
                format!("{} rows for a K of at most {} leave cells that never work", a.rows, self.shape.k_max);
            issues.push(unused("array.rows", message, legal, "k_max"));
        }
        if a.cols > self.shape.m_max {
            let message =
                format!("{} columns for an M of at most {} leave cells that never work", a.cols, self.shape.m_max);
            issues.push(unused("array.cols", message, self.shape.m_max, "m_max"));
        }
    }

    /// The kernel by its name, or the best one.
    fn kernel(&self, target: &Target, issues: &mut Vec<Issue>) -> Option<&'static dyn Kernel> {
        let (name, bits) = (self.array.kernel.as_str(), i64::from(self.act.bits));
        let exist = || kernels().iter().copied().filter(|k| k.exists_on(target.family) && k.takes(bits));
        let names = || exist().map(|k| k.name()).collect::<Vec<_>>().join(", ");
        if name == AUTO {
            return self.best(target, exist());
        }
        let Some(kernel) = kernels().iter().copied().find(|k| k.name() == name) else {
            let message = format!("there is no kernel `{name}`");
            issues.push(issue("C071", "array.kernel", message, format!("{AUTO}, {}", names())));
            return None;
        };
        if !kernel.exists_on(target.family) {
            let message = format!("{} has no DSP block that the cells of `{name}` could be", target.name);
            issues.push(issue("C072", "array.kernel", message, format!("{AUTO}, {}", names())));
        }
        if !kernel.takes(bits) {
            let message = format!("`{name}` takes activations of 8 bits, not of {bits}");
            issues.push(issue("C073", "array.kernel", message, format!("bits = 8 in [act], or kernel = {}", names())));
        }
        Some(kernel)
    }

    /// The kernel with the fewest DSP blocks, then look-up tables, among those of the preferred resource.
    fn best(&self, target: &Target, exist: impl Iterator<Item = &'static dyn Kernel>) -> Option<&'static dyn Kernel> {
        // Blocks that synthesis might take for products are not counted upon.
        let cost = |kernel| self.array(target, kernel).cost(target.family, false);
        let costs: Vec<_> = exist.map(|k| (k, cost(k))).collect();
        let wanted = |dsp: f64| (dsp > 0.0) == (self.array.prefer == PreferName::Dsp);
        let any = costs.iter().any(|(_, c)| wanted(c.dsp));
        let legal = costs.iter().filter(|(_, c)| wanted(c.dsp) || !any);
        legal.min_by(|(_, a), (_, b)| a.dsp.total_cmp(&b.dsp).then(a.lut.total_cmp(&b.lut))).map(|(k, _)| *k)
    }

    fn array(&self, target: &Target, kernel: &'static dyn Kernel) -> Array {
        let (rows, cols, act_bits) = (self.array.rows.into(), self.array.cols.into(), self.act.bits.into());
        Array { kernel, rows, cols, act_bits, family: target.family }
    }

    fn hardware(&self, target: &Target, kernel: &'static dyn Kernel) -> Hardware {
        let up = |a: u32, b: u32| i64::from(a.div_ceil(b));
        Hardware {
            top: top_module(&self.name),
            array: self.array(target, kernel),
            group: self.weights.group.into(),
            t_block: self.shape.t_block.into(),
            k_tiles_max: up(self.shape.k_max, self.array.rows),
            m_tiles_max: up(self.shape.m_max, self.array.cols),
            sum_bits: Hardware::needed_bits(self.act.bits.into(), self.shape.k_max),
            requant: (self.output.kind == OutputName::Requant).then(|| self.output.requantized()),
        }
    }

    fn warnings(&self, target: &Target, hw: &Hardware) -> Vec<Issue> {
        let mut out = vec![];
        if self.shape.t_block < self.array.rows {
            let (t_block, rows) = (self.shape.t_block, self.array.rows);
            let message =
                format!("loading a weight tile takes {rows} cycles, a block of rows only {t_block}: rows will wait");
            let help = format!("t_block = {rows} or more hides the loading");
            out.push(issue("C074", "shape.t_block", message, help));
        }
        if self.array.prefer == PreferName::Dsp && self.array.kernel == AUTO && !hw.array.kernel.on_blocks() {
            let message =
                format!("no DSP block of {} is a cell: the cells are `{}`", target.name, hw.array.kernel.name());
            out.push(issue("C075", "array.prefer", message, "prefer = \"lut\", or an AMD target".into()));
        }
        if implementation(target.family) != 0 && hw.foot().leaves_product(target.family) {
            let message =
                "a column's products do not fit two DSP blocks: synthesis takes more of them, and look-up tables"
                    .into();
            let help = "fewer activation bits, a smaller group, or a smaller k_max".into();
            out.push(issue("C076", "act.bits", message, help));
        }
        out.into_iter().map(|i| Issue { warning: true, ..i }).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::Kind;
    use crate::mixpe_gemm::MixpeGemm;

    /// A legal config with changes at dotted paths.
    fn document(changes: &[(&str, Value)]) -> Value {
        let mut c = json!({
            "kind": "mixpe-gemm", "name": "core", "target": {"name": "kv260"}, "shape": {"k_max": 256, "m_max": 256},
            "array": {"rows": 16, "cols": 8}, "act": {"bits": 8}, "weights": {"group": 128}, "output": {},
        });
        for (path, value) in changes {
            *path.split('.').fold(&mut c, |at, key| &mut at[key]) = value.clone();
        }
        c
    }

    fn issues(changes: &[(&str, Value)]) -> Vec<Issue> {
        MixpeGemm.configure(&document(changes)).err().unwrap_or_default()
    }

    #[test]
    fn refusals_name_the_place_and_a_way_out() {
        let refused = |changes: &[(&str, Value)], code: &str, path: &str, help: &str| {
            let found = issues(changes);
            let named = |i: &Issue| i.code == code && i.path == path && i.help.contains(help);
            assert!(found.iter().any(named), "{changes:?}: {found:?}");
        };
        refused(&[("target.name", json!("nothing"))], "C001", "target.name", "kv260");
        refused(&[("name", json!("mixpe-array"))], "C002", "name", "mixpe-array-core");
        refused(&[("shape.k_max", json!(13))], "C005", "array.rows", "8 or fewer");
        refused(&[("shape.m_max", json!(4))], "C005", "array.cols", "4 or fewer");
        let requant = ("output.kind", json!("requant"));
        refused(&[requant, ("output.shift", json!([9, 3]))], "C006", "output.shift", "[3, 9]");
        refused(&[("array.rows", json!(12))], "C070", "array.rows", "rows = 8 or 16");
        refused(&[("array.rows", json!(128)), ("weights.group", json!(32))], "C070", "array.rows", "rows = 32");
        let dsp = ("array.kernel", json!("dsp"));
        refused(&[dsp, ("target.name", json!("ecp5-85f"))], "C072", "array.kernel", "shift-add");
        let packed = ("array.kernel", json!("dsp-packed"));
        refused(&[packed, ("act.bits", json!(16))], "C073", "array.kernel", "bits = 8");
    }

    #[test]
    fn an_unknown_kernel_is_refused_by_schema_and_check() {
        let schema = MixpeGemm.schema().to_string();
        assert!(kernel_names().iter().all(|n| schema.contains(&format!("\"{n}\""))), "{schema}");
        let found = issues(&[("array.kernel", json!("magic"))]);
        assert!(found[0].code == "C071" && found[0].help.starts_with("auto, shared-pair"), "{found:?}");
    }

    #[test]
    fn a_kernel_is_chosen_by_target_and_resource() {
        let chosen = |changes: &[(&str, Value)]| -> &'static str {
            let config: Config = serde_json::from_value(document(changes)).unwrap();
            config.derive().unwrap().hardware.array.kernel.name()
        };
        let (dsp, wide) = (("array.prefer", json!("dsp")), ("act.bits", json!(16)));
        assert_eq!(chosen(&[]), "shared-pair");
        assert_eq!(chosen(std::slice::from_ref(&dsp)), "dsp-packed");
        assert_eq!(chosen(&[dsp.clone(), wide]), "dsp");
        let ecp5 = ("target.name", json!("ecp5-85f"));
        assert_eq!(chosen(std::slice::from_ref(&ecp5)), "planes");
        assert_eq!(chosen(&[ecp5, dsp]), "planes", "no DSP block of it is a cell");
    }

    #[test]
    fn a_block_shorter_than_a_tile_warns_with_one_that_is_not() {
        let warnings = |t_block: u32| {
            let config: Config = serde_json::from_value(document(&[("shape.t_block", json!(t_block))])).unwrap();
            config.derive().unwrap().warnings
        };
        let found = warnings(15);
        assert!(found[0].warning && found[0].code == "C074" && found[0].help.contains("16"), "{found:?}");
        assert!(warnings(16).is_empty());
    }

    #[test]
    fn blocks_that_are_not_there_or_too_narrow_are_warned_of() {
        let codes = |changes: &[(&str, Value)]| -> Vec<&str> {
            let config: Config = serde_json::from_value(document(changes)).unwrap();
            config.derive().unwrap().warnings.iter().map(|w| w.code).collect()
        };
        let (dsp, wide) = (("array.prefer", json!("dsp")), ("act.bits", json!(16)));
        assert!(codes(std::slice::from_ref(&dsp)).is_empty() && codes(std::slice::from_ref(&wide)).is_empty());
        assert_eq!(codes(&[("target.name", json!("ecp5-85f")), dsp]), ["C075"]);
        assert_eq!(codes(&[wide.clone(), ("target.name", json!("xc7a100t"))]), ["C076"]);
        assert_eq!(codes(&[wide, ("shape.k_max", json!(8192))]), ["C076"]);
    }
}
