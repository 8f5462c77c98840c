//! `softmax`: rows of integers to probabilities by one of eight methods, LANES elements a cycle.
//!
//! x [R, N] → maximum → exponentials and their sum → y [R, N]; `sum` and `octave` where they leave beside it.

mod about;
mod choose;
mod config;
mod constants;
mod cost;
pub mod exponential;
mod front;
pub(crate) mod hardware;
mod interface;
mod lanes;
mod options;
mod output;
mod rtl;
pub(crate) mod scale;
mod schedule;
mod stimulus;
mod sum;

use std::collections::BTreeMap;

use bitlathe_hdl::{Checked, Errors};
use bitlathe_spec::{Dims, Family, Interface, Job, Stream, Target, Tensor};

pub use config::{Config, Derived};

use crate::common::dim;
use crate::compare::{Comparison, Data};
use crate::pairwise::Space;
use crate::random::Random;
use crate::room::Room;
use crate::{About, Activity, Core, Given, Imported, Issue, ModelTensor, Operand, PartCost, ProvenRange, Stimulus};

/// The kind, as registered.
pub struct Softmax;

impl Room for Softmax {
    type Config = Config;
    type Core = Configured;
    const NAME: &'static str = "softmax";
    const ABOUT: &'static str = "rows of integers to probabilities: eight methods, four outputs, one beat a cycle";

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

    fn compare(base: &serde_json::Value, data: &Data) -> Option<Comparison> {
        Some(choose::compare(base, data))
    }
}

/// A configured core.
pub struct Configured(Derived);

impl Core for Configured {
    fn kind(&self) -> &'static str {
        Softmax::NAME
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
        interface::interface(&self.0)
    }

    fn given(&self) -> Vec<Given> {
        constants::given(&self.0)
    }

    fn translate(&self, name: &str, tensor: &Tensor) -> Result<BTreeMap<String, Tensor>, String> {
        constants::translate(&self.0, name, tensor)
    }

    fn rtl(&self) -> Result<Checked, Errors> {
        rtl::design(&self.0.hardware, &self.interface())
    }

    fn golden(&self, job: &Job) -> BTreeMap<String, Tensor> {
        let Some(x) = job.tensors.get("x") else { return BTreeMap::new() };
        let Ok(outputs) = stimulus::model(&self.0, job).run(x) else { return BTreeMap::new() };
        let side = [("sum", outputs.sum), ("octave", outputs.octave)];
        let side = side.into_iter().filter_map(|(name, t)| t.map(|t| (name.to_owned(), t)));
        side.chain([("y".to_owned(), outputs.y)]).collect()
    }

    fn check_job(&self, _: &Job) -> Result<(), String> {
        Ok(())
    }

    fn schedule(&self, dims: &Dims) -> u64 {
        schedule::cycles(&self.0.hardware, dim(dims, "R"), dim(dims, "N"))
    }

    fn beat_cycles(&self, dims: &Dims) -> Option<Vec<Vec<u64>>> {
        let cycles = schedule::beat_cycles(&self.0.hardware, dim(dims, "R"), dim(dims, "N"));
        let of = |stream: &Stream| match stream.name.as_str() {
            "x" => cycles.x.clone(),
            "sum" => cycles.sum.clone(),
            _ => cycles.y.clone(),
        };
        Some(self.interface().streams.iter().map(of).collect())
    }

    fn activities(&self) -> Vec<Activity> {
        let divides =
            matches!(self.0.hardware.row_scale(), hardware::RowScale::Reciprocal(_) | hardware::RowScale::Inverse);
        let divider =
            || Activity { unit: "divider", phase: "scales", signals: vec!["u_scale.u_divider.busy_q".into()] };
        divides.then(divider).into_iter().collect()
    }

    fn useful_ops(&self, dims: &Dims) -> u64 {
        (dim(dims, "R") * dim(dims, "N")) as u64
    }

    fn ops_per_cycle(&self) -> u64 {
        self.0.hardware.lanes as u64
    }

    fn op(&self) -> &'static str {
        "element"
    }

    fn cost(&self, family: Family) -> Vec<PartCost> {
        cost::parts(&self.0.hardware, &self.interface().registers, family)
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
        let Some(x) = job.tensors.get("x") else { return vec![] };
        let n = dim(&job.dims, "N") as usize;
        let beats = n.div_ceil(self.0.hardware.lanes as usize);
        let row = match tensor {
            "sum" => index,
            "octave" => index / beats,
            _ => index / n,
        };
        let values = x.data.get(row * n..(row + 1) * n).unwrap_or_default().to_vec();
        let mut out = vec![];
        if tensor == "y" {
            let max = values.iter().max().copied().unwrap_or(0);
            let d = values.get(index % n).map_or(0, |v| max - v);
            out.push(Operand { name: format!("max - x[{row}, {}]", index % n), values: vec![d] });
        }
        out.push(Operand { name: format!("x[{row}, 0..{n}]"), values });
        out
    }

    fn encode(&self, _: &str, _: &[i64]) -> u64 {
        0
    }

    fn import(&self, _: &ModelTensor) -> Result<Imported, String> {
        Err("softmax takes logits, no weights; give them as an npy file to `sim`".into())
    }

    fn reference(&self, job: &Job) -> BTreeMap<String, Vec<f64>> {
        stimulus::reference(&self.0, job)
    }
}
