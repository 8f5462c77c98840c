//! `ternary-gemm`: matrix product with weights in {-1, 0, +1} by table lookup.

mod about;
mod config;
mod control;
pub mod cost;
mod decode;
mod fill;
mod interface;
mod options;
mod rows;
pub mod rtl;
pub mod schedule;
mod stimulus;
mod tables;
mod terms;

use std::collections::BTreeMap;

use bitlathe_golden::encoding::{Encoding, check_three_four};
use bitlathe_golden::quantize::ternary_values;
use bitlathe_golden::ternary::Inputs;
use bitlathe_hdl::{Checked, Errors};
use bitlathe_spec::{DType, Dims, Family, Interface, Job, Target, Tensor};

pub use config::{Config, Derived};
use schedule::JobSize;

use crate::{About, Core, Imported, Issue, Kind, ModelTensor, Operand, PartCost, ProvenRange, Stimulus};

/// The kind, as registered.
pub struct TernaryGemm;

impl Kind for TernaryGemm {
    fn name(&self) -> &'static str {
        "ternary-gemm"
    }

    fn about(&self) -> &'static str {
        "matrix product with ternary weights by table lookup"
    }

    fn schema(&self) -> serde_json::Value {
        serde_json::to_value(schemars::schema_for!(Config)).unwrap_or_default()
    }

    fn starter(&self, target: &Target) -> String {
        options::starter(target)
    }

    fn configure(&self, document: &serde_json::Value) -> Result<Box<dyn Core>, Vec<Issue>> {
        let config: Config = serde_json::from_value(document.clone()).map_err(|e| {
            let help = "`bitlathe schema ternary-gemm` gives the legal keys and values".to_owned();
            vec![Issue { code: "C000", path: String::new(), message: e.to_string(), help, warning: false }]
        })?;
        Ok(Box::new(Configured(config.derive()?)))
    }

    fn legal_pairs(&self) -> Vec<serde_json::Value> {
        options::legal_pairs()
    }

    fn random_configs(&self, seed: u64, count: usize) -> Vec<serde_json::Value> {
        options::random_configs(seed, count)
    }
}

/// A configured core.
struct Configured(Derived);

impl Configured {
    fn encoding(&self) -> Option<Encoding> {
        Encoding::from_name(self.0.hardware.encoding)
    }
}

fn dim(dims: &Dims, name: &str) -> i64 {
    dims.get(name).copied().unwrap_or(1) as i64
}

impl Core for Configured {
    fn kind(&self) -> &'static str {
        "ternary-gemm"
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
        let (Some(x), Some(w)) = (job.tensors.get("x"), job.tensors.get("w")) else { return BTreeMap::new() };
        let [mult, shift, zero_point] = ["mult", "shift", "zp"].map(|n| job.tensors.get(n));
        let run = stimulus::model(&self.0).run(&Inputs { x, w, mult, shift, zero_point });
        run.map(|y| BTreeMap::from([("y".to_owned(), y)])).unwrap_or_default()
    }

    fn check_job(&self, job: &Job) -> Result<(), String> {
        let Some(w) = job.tensors.get("w").filter(|_| self.0.hardware.encoding == "sherry5") else { return Ok(()) };
        let values: Vec<i8> = w.data.iter().map(|v| *v as i8).collect();
        let columns = w.shape.last().copied().unwrap_or(1);
        check_three_four(&values, columns, self.0.hardware.k_lanes as usize).map_err(|e| e.to_string())
    }

    fn schedule(&self, dims: &Dims) -> u64 {
        let hw = &self.0.hardware;
        let up = |name: &str, by: i64| (dim(dims, name) + by - 1) / by;
        let beats = up("M", hw.m_lanes) * hw.planes;
        schedule::cycles(hw, JobSize { passes: up("T", hw.batch), slabs: up("K", hw.k_lanes), beats })
    }

    fn useful_ops(&self, dims: &Dims) -> u64 {
        (dim(dims, "T") * dim(dims, "K") * dim(dims, "M") * self.0.hardware.planes) as u64
    }

    fn ops_per_cycle(&self) -> u64 {
        let hw = &self.0.hardware;
        (hw.k_lanes * hw.m_lanes * hw.batch) as u64
    }

    fn op(&self) -> &'static str {
        "mac"
    }

    fn cost(&self, family: Family) -> Vec<PartCost> {
        cost::parts(&self.0.hardware, family)
    }

    fn ranges(&self) -> Vec<ProvenRange> {
        about::ranges(&self.0)
    }

    fn coverage(&self) -> Vec<&'static str> {
        stimulus::COVERAGE.to_vec()
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

    fn operands(&self, job: &Job, _: &str, index: usize) -> Vec<Operand> {
        let (Some(x), Some(w)) = (job.tensors.get("x"), job.tensors.get("w")) else { return vec![] };
        let (k, m) = (dim(&job.dims, "K") as usize, dim(&job.dims, "M") as usize);
        let (vector, row) = (index / m, index % m);
        let take = |t: &Tensor, at: usize| t.data.get(at * k..(at + 1) * k).map(<[i64]>::to_vec).unwrap_or_default();
        let rows = x.shape.first().copied().unwrap_or(1).max(1);
        // With two int32 planes the output index runs over planes too.
        let (plane, vector) = (vector / rows, vector % rows);
        vec![
            Operand { name: format!("x[{vector}, 0..{k}]"), values: take(x, vector) },
            Operand { name: format!("w[{row}, 0..{k}]"), values: take(w, plane * m + row) },
        ]
    }

    fn encode(&self, _: &str, values: &[i64]) -> u64 {
        let weights: Vec<i8> = values.iter().map(|v| *v as i8).collect();
        self.encoding().and_then(|e| e.encode_zero_padded(&weights).ok()).map_or(0, u64::from)
    }

    fn import(&self, weights: &ModelTensor) -> Result<Imported, String> {
        let (shape, data, scale, notes) = match weights {
            ModelTensor::Ternary { shape, data, scale, notes } => (*shape, data.clone(), Some(scale), notes.clone()),
            ModelTensor::Int { shape, data } => {
                (*shape, ternary_values(data, shape[1]).map_err(|e| e.to_string())?, None, vec![])
            }
            ModelTensor::Float { .. } => {
                return Err("the weights are real numbers; --ternarize absmean rounds them to -1, 0 and +1".into());
            }
        };
        if self.0.hardware.encoding == "sherry5" {
            check_three_four(&data, shape[1], self.0.hardware.k_lanes as usize).map_err(|e| e.to_string())?;
        }
        let values = data.iter().map(|v| i64::from(*v)).collect();
        let mut tensors = BTreeMap::from([("w".to_owned(), Tensor::new(DType::I8, shape, values))]);
        if let Some(scale) = scale {
            tensors.insert("scale".into(), Tensor::from_f32([scale.len()], scale));
        }
        Ok(Imported { tensors, notes })
    }

    fn reference(&self, job: &Job) -> BTreeMap<String, Vec<f64>> {
        let (Some(x), Some(w)) = (job.tensors.get("x"), job.tensors.get("w")) else { return BTreeMap::new() };
        let (t, k, m) = (dim(&job.dims, "T") as usize, dim(&job.dims, "K") as usize, dim(&job.dims, "M") as usize);
        let product = |plane: usize, i: usize, j: usize| -> f64 {
            (0..k).map(|q| x.data[i * k + q] as f64 * w.data[(plane * m + j) * k + q] as f64).sum()
        };
        let planes = self.0.hardware.planes as usize;
        let all = (0..planes).flat_map(|p| (0..t * m).map(move |n| (p, n / m, n % m)));
        BTreeMap::from([("y".to_owned(), all.map(|(p, i, j)| product(p, i, j)).collect())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_options_makes_a_checked_design_whose_ports_are_the_interface() {
        for config in TernaryGemm.legal_pairs() {
            let core = TernaryGemm.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"));
            let design = core.rtl().unwrap_or_else(|e| panic!("{config}: {e}"));
            let ports: Vec<String> = design.top_manifest().ports.into_iter().map(|p| p.name).collect();
            for s in core.interface().streams {
                assert!(ports.iter().any(|p| p.starts_with(&format!("{}_valid", s.name))), "{config}: {}", s.name);
            }
        }
    }
}
