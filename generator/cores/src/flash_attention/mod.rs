//! `flash-attention`: softmax(Q·Kᵀ / √d)·V, both products on one N x N array, online softmax between them.
//!
//! q, k, v [heads, length, d] → scores in the cells → logits, maximum, probabilities → O in the cells → o.

mod about;
pub mod accumulate;
pub mod array;
mod config;
pub mod control;
mod cost;
mod drop;
mod hardware;
mod interface;
pub mod logit;
mod options;
mod output;
pub mod probability;
mod row;
mod rtl;
mod schedule;
mod stimulus;
mod sums;
mod wave;

use std::collections::BTreeMap;

use bitlathe_hdl::{Checked, Errors};
use bitlathe_spec::{Dims, Family, Interface, Job, Stream, Target, Tensor};

pub use config::{Config, Derived};
pub use hardware::Hardware;

use crate::common::dim;
use crate::pairwise::Space;
use crate::random::Random;
use crate::room::Room;
use crate::{About, Activity, Core, Imported, Issue, ModelTensor, Operand, PartCost, ProvenRange, Stimulus};

/// The kind, as registered.
pub struct FlashAttention;

impl Room for FlashAttention {
    type Config = Config;
    type Core = Configured;
    const NAME: &'static str = "flash-attention";
    const ABOUT: &'static str = "softmax(Q K^T / sqrt(d)) V: both products on one array, online softmax between them";

    fn core(config: Config) -> Result<Configured, Vec<Issue>> {
        Ok(Configured(config.derive()?))
    }

    fn starter(target: &Target) -> String {
        options::starter(target)
    }

    fn space() -> Space {
        options::space()
    }

    fn random_config(target: &Target, random: &mut Random) -> serde_json::Value {
        options::random_config(target, random)
    }
}

/// A configured core.
pub struct Configured(Derived);

/// Sizes of a job as the array sees them.
fn sizes(dims: &Dims) -> schedule::Sizes {
    let [heads, kv_heads, queries, keys, columns] = ["H", "Hkv", "Lq", "Lk", "d"].map(|name| dim(dims, name));
    let causal = interface::is_causal(dims);
    schedule::Sizes { kv_heads, rows: heads * queries / kv_heads.max(1), queries, keys, columns, causal }
}

impl Core for Configured {
    fn kind(&self) -> &'static str {
        FlashAttention::NAME
    }

    fn name(&self) -> &str {
        &self.0.config.name
    }

    fn target(&self) -> &'static Target {
        self.0.target
    }

    fn config(&self) -> serde_json::Value {
        serde_json::to_value(&self.0.config).unwrap_or_default()
    }

    fn warnings(&self) -> Vec<Issue> {
        self.0.warnings.clone()
    }

    fn interface(&self) -> Interface {
        interface::interface(&self.0.hardware)
    }

    fn rtl(&self) -> Result<Checked, Errors> {
        rtl::design(&self.0.hardware, &self.interface())
    }

    fn golden(&self, job: &Job) -> BTreeMap<String, Tensor> {
        let o = stimulus::inputs(job).and_then(|inputs| self.0.model_of(&job.dims).run(&inputs).ok());
        o.map(|o| ("o".to_owned(), o)).into_iter().collect()
    }

    fn check_job(&self, job: &Job) -> Result<(), String> {
        let Some(inputs) = stimulus::inputs(job) else { return Ok(()) };
        self.0.model_of(&job.dims).sizes(&inputs).map(|_| ()).map_err(|e| e.to_string())
    }

    fn schedule(&self, dims: &Dims) -> u64 {
        schedule::cycles(&self.0.hardware, sizes(dims))
    }

    fn beat_cycles(&self, dims: &Dims) -> Option<Vec<Vec<u64>>> {
        let sizes = sizes(dims);
        let beats = schedule::beats(&self.0.hardware, sizes);
        let run = |&first: &i64| (0..sizes.columns).map(move |c| (first + c) as u64);
        let of = |stream: &Stream| -> Vec<u64> {
            match stream.name.as_str() {
                "q" => beats.q.iter().flat_map(run).collect(),
                "k" => {
                    let tile = |&(first, last): &(i64, i64)| {
                        (0..sizes.columns - 1).map(move |c| (first + c) as u64).chain([last as u64])
                    };
                    beats.k.iter().flat_map(tile).collect()
                }
                "v" => beats.v.iter().flat_map(run).collect(),
                _ => beats.o.iter().flat_map(run).collect(),
            }
        };
        Some(self.interface().streams.iter().map(of).collect())
    }

    fn activities(&self) -> Vec<Activity> {
        let at = |unit, phase, signals: &[&str]| Activity {
            unit,
            phase,
            signals: signals.iter().map(|&s| s.into()).collect(),
        };
        let dividers = 0..self.0.hardware.output_lanes();
        vec![
            at("array", "Q K^T", &["u_control.a_o"]),
            at("array", "P V", &["u_control.b_o"]),
            at("softmax", "scores to probabilities", &["u_control.since_q", "u_control.row_active_q"]),
            Activity {
                unit: "divider",
                phase: "reciprocals",
                signals: dividers.map(|i| format!("u_output.g_lane[{i}].u_lane.u_scale.u_divider.busy_q")).collect(),
            },
        ]
    }

    fn useful_ops(&self, dims: &Dims) -> u64 {
        let s = sizes(dims);
        let seen = if s.causal { (0..s.queries).map(|i| i + s.keys - s.queries + 1).sum() } else { s.queries * s.keys };
        (2 * s.kv_heads * (s.rows / s.queries) * seen * s.columns) as u64
    }

    fn ops_per_cycle(&self) -> u64 {
        (self.0.hardware.n * self.0.hardware.n) as u64
    }

    fn op(&self) -> &'static str {
        "mac"
    }

    fn cost(&self, family: Family) -> Vec<PartCost> {
        cost::parts(&self.0.hardware, &self.interface().registers, family)
    }

    fn infers_dsp(&self, _: Family, _: Option<&str>) -> bool {
        self.0.hardware.infers_dsp
    }

    fn ranges(&self) -> Vec<ProvenRange> {
        about::ranges(&self.0)
    }

    fn coverage(&self) -> Vec<&'static str> {
        stimulus::coverage(&self.0)
    }

    fn corners(&self) -> Vec<Stimulus> {
        stimulus::corners(&self.0)
    }

    fn random_job(&self, seed: u64) -> Job {
        stimulus::random_job(&self.0, seed)
    }

    fn about(&self) -> About {
        about::about(&self.0)
    }

    fn operands(&self, job: &Job, tensor: &str, index: usize) -> Vec<Operand> {
        let Some(inputs) = stimulus::inputs(job).filter(|_| tensor == "o") else { return vec![] };
        let s = sizes(&job.dims);
        let (d, queries) = (s.columns as usize, dim(&job.dims, "Lq") as usize);
        let (row, column) = (index / d, index % d);
        let kv_head = row / s.rows.max(1) as usize;
        let name = |t: &str| format!("{t}[{}, {}]", row / queries, row % queries);
        let q = inputs.q.data.get(row * d..(row + 1) * d).unwrap_or_default().to_vec();
        let v = inputs.v.data.iter().skip(kv_head * s.keys as usize * d + column).step_by(d);
        let v = v.take(s.keys as usize).copied().collect();
        vec![Operand { name: name("q"), values: q }, Operand { name: format!("v[{kv_head}, *, {column}]"), values: v }]
    }

    fn encode(&self, _: &str, _: &[i64]) -> u64 {
        0
    }

    fn import(&self, _: &ModelTensor) -> Result<Imported, String> {
        Err("flash-attention takes no weights".into())
    }

    fn reference(&self, job: &Job) -> BTreeMap<String, Vec<f64>> {
        stimulus::reference(&self.0, job)
    }
}
