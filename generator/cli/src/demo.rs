//! A small kind of core for tests of the program: a matrix product with a multiplier a row, without hardware.

use std::collections::BTreeMap;

use bitlathe_cores::compare::{Choice, Comparison, Data};
use bitlathe_cores::pairwise::Space;
use bitlathe_cores::{About, Core, Imported, Issue, Kind, ModelTensor, Operand, PartCost, ProvenRange, Stimulus};
use bitlathe_spec::{
    Carrier, DType, DimSpec, Dims, Family, Interface, Job, Role, Rounding, Scalar, TARGETS, Target, Tensor, TensorSpec,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The kind.
pub struct Demo;

/// A matrix product for tests.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Which kind of core.
    kind: String,
    /// Prefix of the files.
    #[schemars(length(min = 1, max = 24))]
    name: String,
    /// The device.
    target: TargetTable,
    /// Largest sizes.
    shape: Shape,
    /// Activations.
    #[serde(default)]
    act: Act,
    /// Parallelism.
    parallel: Parallel,
    /// Output.
    #[serde(default)]
    output: Output,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TargetTable {
    /// Device or board.
    name: String,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Shape {
    /// Largest inner size.
    #[schemars(range(min = 1, max = 65536))]
    k_max: u32,
    /// Largest number of rows.
    #[schemars(range(min = 1, max = 65536))]
    m_max: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Act {
    /// Bits of an activation.
    #[schemars(extend("enum" = [4, 8, 16]))]
    bits: u32,
}

impl Default for Act {
    fn default() -> Self {
        Self { bits: 8 }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parallel {
    /// Lanes along K.
    #[schemars(range(min = 1, max = 64), extend("multipleOf" = 2))]
    k_lanes: u32,
    /// Lanes along M.
    #[schemars(range(min = 1, max = 64))]
    m_lanes: u32,
    /// Vectors that share a pass.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 8))]
    batch: u32,
}

fn one() -> u32 {
    1
}

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Output {
    /// How results are rounded.
    rounding: Rounding,
    /// Constant shift, or the range of a run-time shift.
    shift: Option<Shift>,
    /// One multiplier a row.
    per_row: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Shift {
    /// Constant.
    Constant(#[schemars(range(min = 0, max = 47))] u8),
    /// Range.
    Range([u8; 2]),
}

/// A legal config.
pub const LEGAL: &str = r#"# A small core.
kind = "demo"
name = "small"

[target]
name = "kv260"          # board

[shape]
k_max = 64
m_max = 32

[parallel]
k_lanes = 8
m_lanes = 4

[output]
rounding = "half-even"
shift = [0, 24]
"#;

fn issue(code: &'static str, path: &str, message: String, help: String, warning: bool) -> Issue {
    Issue { code, path: path.into(), message, help, warning }
}

fn check(config: &Config) -> Vec<Issue> {
    let mut issues = Vec::new();
    if Target::find(&config.target.name).is_none() {
        let names = TARGETS.iter().map(|t| t.name).collect::<Vec<_>>().join(", ");
        let message = format!("there is no target `{}`", config.target.name);
        issues.push(issue("C001", "target.name", message, format!("targets: {names}"), false));
    }
    let beat = config.parallel.k_lanes * config.act.bits;
    if beat > 512 {
        let message = format!(
            "a beat of {} lanes of {} bits has {beat} bits, over 512",
            config.parallel.k_lanes, config.act.bits
        );
        issues.push(issue("C002", "parallel.k_lanes", message, format!("at most {}", 512 / config.act.bits), false));
    }
    if config.parallel.batch == 8 {
        let message = "a batch of 8 leaves no room for the requantizer".to_string();
        issues.push(issue("C003", "parallel.batch", message, "at most 7".into(), false));
    }
    if config.parallel.m_lanes as u64 > config.shape.m_max as u64 {
        let message = "more rows side by side than the matrix has".to_string();
        issues.push(issue("C004", "parallel.m_lanes", message, format!("at most {}", config.shape.m_max), true));
    }
    issues
}

impl Kind for Demo {
    fn name(&self) -> &'static str {
        "demo"
    }
    fn about(&self) -> &'static str {
        "Matrix product for tests"
    }
    fn schema(&self) -> Value {
        schemars::schema_for!(Config).to_value()
    }
    fn starter(&self, target: &Target) -> String {
        LEGAL.replace("kv260", target.name)
    }
    fn configure(&self, document: &Value) -> Result<Box<dyn Core>, Vec<Issue>> {
        let config: Config = serde_json::from_value(document.clone())
            .map_err(|e| vec![issue("C000", "", format!("schema and config differ: {e}"), String::new(), false)])?;
        let issues = check(&config);
        if issues.iter().any(|i| !i.warning) {
            Err(issues)
        } else {
            Ok(Box::new(DemoCore { config, warnings: issues }))
        }
    }
    fn space(&self) -> Space {
        Space { options: vec![], base: |_| json!({}), legal: |_| false, acts: |_, _, _| false, decide: &[] }
    }
    fn compare(&self, base: &Value, data: &Data) -> Option<Comparison> {
        let choice = |batch: u64| {
            let mut config = base.clone();
            config["parallel"]["batch"] = json!(batch);
            let points = data.scales.iter().map(|s| (*s, s * data.sigma / batch as f64)).collect();
            Choice { name: format!("batch of {batch}"), config, points, finished: 0.5 }
        };
        Some(Comparison {
            measure: "error",
            output: "int8".into(),
            choices: vec![choice(1), choice(2)],
            refused: vec![],
        })
    }
    fn random_configs(&self, _: &Target, _: u64, _: usize) -> Vec<Value> {
        vec![]
    }
}

struct DemoCore {
    config: Config,
    warnings: Vec<Issue>,
}

fn named(name: &str) -> DimSpec {
    DimSpec::Named(name.into())
}

impl Core for DemoCore {
    fn kind(&self) -> &'static str {
        "demo"
    }
    fn name(&self) -> &str {
        &self.config.name
    }
    fn target(&self) -> &'static Target {
        Target::find(&self.config.target.name).expect("checked")
    }
    fn config(&self) -> Value {
        serde_json::to_value(&self.config).expect("plain data")
    }
    fn warnings(&self) -> Vec<Issue> {
        self.warnings.clone()
    }
    fn interface(&self) -> Interface {
        let spec = |name: &str, role, dtype, shape, range, default| TensorSpec {
            name: name.into(),
            role,
            dtype,
            shape,
            range,
            default,
            carrier: Carrier::Stream(name.into()),
            doc: format!("the tensor {name}"),
        };
        let size = |name: &str, max| Scalar { name: name.into(), min: 1, max, doc: String::new() };
        let (k, m) = (u64::from(self.config.shape.k_max), u64::from(self.config.shape.m_max));
        Interface {
            top: self.config.name.clone(),
            sizes: vec![size("T", u64::MAX), size("K", k), size("M", m)],
            tensors: vec![
                spec("x", Role::In, DType::I8, vec![named("T"), named("K")], (-128, 127), None),
                spec("w", Role::In, DType::I8, vec![named("M"), named("K")], (-1, 1), None),
                spec("mult", Role::In, DType::U16, vec![named("M")], (0, 65535), None),
                spec("zp", Role::In, DType::I8, vec![named("M")], (-128, 127), Some(0)),
                spec(
                    "y",
                    Role::Out,
                    DType::I32,
                    vec![named("T"), named("M")],
                    (i32::MIN.into(), i32::MAX.into()),
                    None,
                ),
            ],
            streams: vec![],
            registers: vec![],
        }
    }
    fn rtl(&self) -> Result<bitlathe_hdl::Checked, bitlathe_hdl::Errors> {
        Err(bitlathe_hdl::Errors::default())
    }
    fn golden(&self, job: &Job) -> BTreeMap<String, Tensor> {
        let [t, k, m] = ["T", "K", "M"].map(|d| job.dims[d] as usize);
        let data = |name: &str| &job.tensors[name].data;
        let dot = |i: usize, j: usize| (0..k).map(|n| data("x")[i * k + n] * data("w")[j * k + n]).sum::<i64>();
        let y = (0..t * m).map(|n| dot(n / m, n % m) * data("mult")[n % m] + data("zp")[n % m]).collect();
        BTreeMap::from([("y".to_string(), Tensor::new(DType::I32, [t, m], y))])
    }
    fn check_job(&self, job: &Job) -> Result<(), String> {
        if job.tensors["x"].data.contains(&13) { Err("x holds a 13".into()) } else { Ok(()) }
    }
    fn schedule(&self, dims: &Dims) -> u64 {
        dims["T"] * dims["M"]
    }
    fn useful_ops(&self, dims: &Dims) -> u64 {
        dims.values().product()
    }
    fn ops_per_cycle(&self) -> u64 {
        u64::from(self.config.parallel.k_lanes * self.config.parallel.m_lanes)
    }
    fn op(&self) -> &'static str {
        "mac"
    }
    fn cost(&self, _: Family) -> Vec<PartCost> {
        vec![]
    }
    fn ranges(&self) -> Vec<ProvenRange> {
        vec![]
    }
    fn coverage(&self) -> Vec<&'static str> {
        vec![]
    }
    fn corners(&self) -> Vec<Stimulus> {
        vec![]
    }
    fn random_job(&self, _: u64) -> Job {
        Job::default()
    }
    fn about(&self) -> About {
        About { title: "Demo".into(), paragraphs: vec![], definition: vec![], blocks: vec![] }
    }
    fn operands(&self, _: &Job, _: &str, _: usize) -> Vec<Operand> {
        vec![]
    }
    fn encode(&self, _: &str, _: &[i64]) -> u64 {
        0
    }
    fn import(&self, weights: &ModelTensor) -> Result<Imported, String> {
        match weights {
            ModelTensor::Int { shape, data } => {
                let w = Tensor::new(DType::I8, *shape, data.clone());
                Ok(Imported { tensors: BTreeMap::from([("w".to_string(), w)]), notes: vec![] })
            }
            _ => Err("only integers".into()),
        }
    }
    fn reference(&self, _: &Job) -> BTreeMap<String, Vec<f64>> {
        BTreeMap::new()
    }
}
