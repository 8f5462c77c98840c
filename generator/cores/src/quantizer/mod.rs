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

use crate::common;
use crate::{About, Core, Imported, Issue, Kind, ModelTensor, Operand, PartCost, ProvenRange, Stimulus};

/// The kind, as registered.
pub struct Quantizer;

impl Kind for Quantizer {
    fn name(&self) -> &'static str {
        "quantizer"
    }

    fn about(&self) -> &'static str {
        "wide integers to few bits: nine methods, five roundings, one beat a cycle"
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
        "quantizer"
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
        cost::parts(&self.0.hardware, family)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_options_makes_a_checked_design_whose_ports_are_the_interface() {
        let mut failures = vec![];
        for config in Quantizer.legal_pairs() {
            let core = Quantizer.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"));
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
        for config in Quantizer.legal_pairs() {
            let core = Quantizer.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"));
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
