//! `quantizer`: wide integers to few bits by one of nine methods, LANES elements a cycle.
//!
//! x [R, C] → the method's lanes → y [R, C], and what a method gives beside it (`amax`, `e`, `thr`).

mod about;
mod absmax;
mod config;
mod cost;
mod front;
mod hadamard;
mod interface;
mod iqr;
mod lanes;
mod mx;
mod options;
mod rtl;
mod schedule;
mod stimulus;

use std::collections::BTreeMap;

use bitlathe_golden::quantizer::Inputs;
use bitlathe_hdl::{Checked, Errors};
use bitlathe_spec::{Dims, Family, Interface, Job, Stream, Target, Tensor};

pub use config::{Config, Derived};

use crate::common::dim;
use crate::pairwise::Space;
use crate::random::Random;
use crate::room::Room;
use crate::{About, Activity, Core, Imported, Issue, ModelTensor, Operand, PartCost, ProvenRange, Stimulus};

/// The kind, as registered.
pub struct Quantizer;

impl Room for Quantizer {
    type Config = Config;
    type Core = Configured;
    const NAME: &'static str = "quantizer";
    const ABOUT: &'static str = "wide integers to few bits: nine methods, five roundings, one beat a cycle";

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

impl Core for Configured {
    fn kind(&self) -> &'static str {
        Quantizer::NAME
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

    fn rtl(&self) -> Result<Checked, Errors> {
        rtl::design(&self.0.hardware, &self.interface())
    }

    fn golden(&self, job: &Job) -> BTreeMap<String, Tensor> {
        let Some(x) = job.tensors.get("x") else { return BTreeMap::new() };
        let [mult, shift, zero_point, threshold] = ["mult", "shift", "zp", "thr"].map(|n| job.tensors.get(n));
        let inputs = Inputs { x, mult, shift, zero_point, threshold };
        stimulus::model(&self.0).run(&inputs).unwrap_or_default()
    }

    fn check_job(&self, job: &Job) -> Result<(), String> {
        let (rtl::Method::Hadamard { size }, columns) = (&self.0.hardware.method, dim(&job.dims, "C")) else {
            return Ok(());
        };
        match columns % size {
            0 => Ok(()),
            _ => Err(format!("`x` has {columns} columns; a transform of {size} elements takes whole blocks of {size}")),
        }
    }

    fn schedule(&self, dims: &Dims) -> u64 {
        schedule::cycles(&self.0.hardware, dim(dims, "R"), dim(dims, "C"))
    }

    fn beat_cycles(&self, dims: &Dims) -> Option<Vec<Vec<u64>>> {
        let cycles = schedule::beat_cycles(&self.0.hardware, dim(dims, "R"), dim(dims, "C"));
        let of = |stream: &Stream| match stream.name.as_str() {
            "x" => cycles.x.clone(),
            "y" => cycles.y.clone(),
            "mult" | "shift" | "zp" => cycles.parameters.clone(),
            _ => cycles.side.clone(),
        };
        Some(self.interface().streams.iter().map(of).collect())
    }

    fn activities(&self) -> Vec<Activity> {
        let divider =
            || Activity { unit: "divider", phase: "scales", signals: vec!["u_scale.u_divider.busy_q".into()] };
        matches!(self.0.hardware.method, rtl::Method::Absmax { .. }).then(divider).into_iter().collect()
    }

    fn useful_ops(&self, dims: &Dims) -> u64 {
        (dim(dims, "R") * dim(dims, "C")) as u64
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
        let columns = dim(&job.dims, "C") as usize;
        let (row, first, count) = self.0.hardware.sources(tensor, index, columns);
        let at = row * columns + first;
        let values = x.data.get(at..(at + count).min(x.data.len())).unwrap_or_default().to_vec();
        let mut out = vec![Operand { name: format!("x[{row}, {first}..{}]", first + values.len()), values }];
        for name in ["mult", "shift", "zp", "thr"] {
            if let Some(t) = job.tensors.get(name) {
                let channels = t.shape.last().copied().unwrap_or(1).max(1);
                let values = t.data.chunks(channels).filter_map(|c| c.get(first % channels).copied()).collect();
                out.push(Operand { name: format!("{name} of channel {first}"), values });
            }
        }
        out
    }

    fn encode(&self, _: &str, _: &[i64]) -> u64 {
        0
    }

    fn import(&self, _: &ModelTensor) -> Result<Imported, String> {
        Err("a quantizer takes activations, no weights; give its tensors as npy files to `sim`".into())
    }

    fn reference(&self, job: &Job) -> BTreeMap<String, Vec<f64>> {
        stimulus::reference(&self.0, job)
    }
}
