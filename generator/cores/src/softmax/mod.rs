//! `softmax`: rows of integers to probabilities by one of eight methods, LANES elements a cycle.
//!
//! x [R, N] → maximum → exponentials and their sum → y [R, N]; `sum` and `octave` where they leave beside it.

mod about;
mod config;
mod constants;
mod cost;
pub mod exponential;
mod front;
mod hardware;
mod interface;
mod lanes;
mod options;
mod output;
mod rtl;
mod scale;
mod schedule;
mod stimulus;
mod sum;

use std::collections::BTreeMap;

use bitlathe_hdl::{Checked, Errors};
use bitlathe_spec::{Dims, Family, Interface, Job, Stream, Target, Tensor};

pub use config::{Config, Derived};

use crate::common;
use crate::{About, Core, Given, Imported, Issue, Kind, ModelTensor, Operand, PartCost, ProvenRange, Stimulus};

/// The kind, as registered.
pub struct Softmax;

impl Kind for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn about(&self) -> &'static str {
        "rows of integers to probabilities: eight methods, four outputs, one beat a cycle"
    }

    fn schema(&self) -> serde_json::Value {
        serde_json::to_value(schemars::schema_for!(Config)).unwrap_or_default()
    }

    fn starter(&self, target: &Target) -> String {
        options::starter(target)
    }

    fn configure(&self, document: &serde_json::Value) -> Result<Box<dyn Core>, Vec<Issue>> {
        let read = serde_json::from_value(document.clone());
        let config: Config = read.map_err(|e| common::unreadable(self.name(), &e))?;
        let core = Configured(config.derive()?);
        common::check_top(core.name(), &core.rtl())?;
        Ok(Box::new(core))
    }

    fn legal_pairs(&self) -> Vec<serde_json::Value> {
        options::legal_pairs()
    }

    fn cross_size(&self) -> u64 {
        options::space().cross_size()
    }

    fn crossed(&self, point: u64) -> Option<serde_json::Value> {
        options::space().crossed(point)
    }

    fn random_configs(&self, target: &Target, seed: u64, count: usize) -> Vec<serde_json::Value> {
        options::random_configs(target, seed, count)
    }
}

/// A configured core.
struct Configured(Derived);

fn dim(dims: &Dims, name: &str) -> i64 {
    dims.get(name).copied().unwrap_or(1) as i64
}

impl Core for Configured {
    fn kind(&self) -> &'static str {
        "softmax"
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_options_makes_a_checked_design_whose_ports_are_the_interface() {
        let mut failures = vec![];
        for config in Softmax.legal_pairs() {
            let core = Softmax.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"));
            let design = match core.rtl() {
                Ok(design) => design,
                Err(e) => {
                    failures.push(format!("{config}\n{e}"));
                    continue;
                }
            };
            let ports: Vec<String> = design.top_manifest().ports.into_iter().map(|p| p.name).collect();
            for s in core.interface().streams {
                assert!(ports.iter().any(|p| p.starts_with(&format!("{}_valid", s.name))), "{config}: {}", s.name);
            }
        }
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }

    #[test]
    fn every_job_is_legal_and_has_outputs() {
        for config in Softmax.legal_pairs() {
            let core = Softmax.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"));
            let interface = core.interface();
            let jobs = core.corners().into_iter().map(|c| c.job).chain((0..6).map(|s| core.random_job(s)));
            for job in jobs {
                core.check_job(&job).unwrap_or_else(|e| panic!("{config}: {e}"));
                let outputs = core.golden(&job);
                assert!(!outputs.is_empty(), "{config}");
                let mut dims = Dims::new();
                for (name, tensor) in job.tensors.iter().chain(&outputs) {
                    let spec = interface.tensor(name).unwrap_or_else(|| panic!("{config}: {name}"));
                    spec.bind(tensor, &mut dims).unwrap_or_else(|e| panic!("{config}: {e}"));
                }
            }
        }
    }
}
