//! `ternary-gemm`: matrix product with weights in {-1, 0, +1} by table lookup.

mod about;
mod config;
mod control;
pub mod cost;
mod decode;
pub mod fill;
mod interface;
mod options;
mod rows;
mod rows_dsp;
pub mod rtl;
pub mod schedule;
mod stimulus;
pub mod tables;
mod terms;

use std::collections::BTreeMap;

use bitlathe_golden::encoding::{Encoding, check_three_four};
use bitlathe_golden::quantize::ternary_values;
use bitlathe_golden::ternary::Inputs;
use bitlathe_hdl::{Checked, Errors};
use bitlathe_spec::{DType, Dims, Family, Interface, Job, Stream, Target, Tensor};

pub use config::{Config, Derived};
use schedule::JobSize;

use crate::common::dim;
use crate::pairwise::Space;
use crate::random::Random;
use crate::room::Room;
use crate::{About, Activity, Core, Imported, Issue, ModelTensor, Operand, PartCost, ProvenRange, Stimulus};

/// The kind, as registered.
pub struct TernaryGemm;

impl Room for TernaryGemm {
    type Config = Config;
    type Core = Configured;
    const NAME: &'static str = "ternary-gemm";
    const ABOUT: &'static str = "matrix product with ternary weights by table lookup";

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

impl Configured {
    fn encoding(&self) -> Option<Encoding> {
        Encoding::from_name(self.0.hardware.encoding)
    }

    fn job_size(&self, dims: &Dims) -> JobSize {
        let hw = &self.0.hardware;
        let up = |name: &str, by: i64| (dim(dims, name) + by - 1) / by;
        let beats = up("M", hw.m_lanes) * hw.planes;
        JobSize { passes: up("T", hw.batch), slabs: up("K", hw.k_lanes), beats }
    }
}

impl Core for Configured {
    fn kind(&self) -> &'static str {
        TernaryGemm::NAME
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
        let (columns, planes) = (w.shape.last().copied().unwrap_or(1), self.0.hardware.planes as usize);
        let slab = self.0.hardware.k_lanes as usize;
        for (plane, values) in values.chunks((values.len() / planes).max(1)).enumerate() {
            let place = if planes == 2 { format!("plane {plane}, ") } else { String::new() };
            check_three_four(values, columns, slab).map_err(|e| format!("`w`: {place}{e}"))?;
        }
        Ok(())
    }

    fn schedule(&self, dims: &Dims) -> u64 {
        schedule::cycles(&self.0.hardware, self.job_size(dims))
    }

    fn beat_cycles(&self, dims: &Dims) -> Option<Vec<Vec<u64>>> {
        let cycles = schedule::beat_cycles(&self.0.hardware, self.job_size(dims));
        let of = |stream: &Stream| match stream.name.as_str() {
            "x" => cycles.x.clone(),
            "w" => cycles.w.clone(),
            "mult" => cycles.mult.clone(),
            "y" => cycles.y.clone(),
            _ => cycles.once.clone(),
        };
        Some(self.interface().streams.iter().map(of).collect())
    }

    fn activities(&self) -> Vec<Activity> {
        let at = |unit, phase, signal: &str| Activity { unit, phase, signals: vec![signal.into()] };
        let tables = self.0.hardware.table().map(|_| at("tables", "fill", "u_fill_control.run_o"));
        std::iter::once(at("rows", "slabs", "u_issue.accept_o")).chain(tables).collect()
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

    fn infers_dsp(&self, _: Family, _: Option<&str>) -> bool {
        self.0.hardware.requant.is_some()
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

    fn operands(&self, job: &Job, _: &str, index: usize) -> Vec<Operand> {
        let (Some(x), Some(w)) = (job.tensors.get("x"), job.tensors.get("w")) else { return vec![] };
        let [t, k, m] = ["T", "K", "M"].map(|n| dim(&job.dims, n) as usize);
        let (vector, row) = (index / m % t, index % m);
        let planes = self.0.hardware.planes as usize;
        let take = |t: &Tensor, at: usize| t.data.get(at * k..(at + 1) * k).map(<[i64]>::to_vec).unwrap_or_default();
        let mut out = vec![Operand { name: format!("x[{vector}, 0..{k}]"), values: take(x, vector) }];
        // An int32 output belongs to one plane, a requantized one to all.
        let own = if self.0.hardware.requant.is_some() { 0..planes } else { index / (t * m)..index / (t * m) + 1 };
        for plane in own {
            let place = if planes == 2 { format!("{plane}, ") } else { String::new() };
            out.push(Operand { name: format!("w[{place}{row}, 0..{k}]"), values: take(w, plane * m + row) });
        }
        for name in ["mult", "shift", "zp"] {
            if let Some(tensor) = job.tensors.get(name) {
                let rows = tensor.shape.last().copied().unwrap_or(1).max(1);
                let values = tensor.data.chunks(rows).filter_map(|p| p.get(row % rows).copied()).collect();
                out.push(Operand { name: format!("{name} of row {row}"), values });
            }
        }
        out
    }

    fn encode(&self, _: &str, values: &[i64]) -> u64 {
        let weights: Vec<i8> = values.iter().map(|v| *v as i8).collect();
        self.encoding().and_then(|e| e.encode_zero_padded(&weights).ok()).map_or(0, u64::from)
    }

    fn decode(&self, _: &str, lane: u64) -> Option<Vec<i64>> {
        let weights = self.encoding()?.decode(u8::try_from(lane).ok()?)?;
        Some(weights.into_iter().map(i64::from).collect())
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
            ModelTensor::Grouped { .. } => {
                return Err("the weights have four bits; this core takes -1, 0 and +1".into());
            }
        };
        if self.0.hardware.encoding == "sherry5" {
            check_three_four(&data, shape[1], self.0.hardware.k_lanes as usize).map_err(|e| e.to_string())?;
        }
        let mut notes = notes;
        if self.0.hardware.planes == 2 {
            notes.push(format!(
                "this is one plane, [{}, {}]; the core takes two of them as [2, M, K]",
                shape[0], shape[1]
            ));
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
        let Some(requant) = self.0.hardware.requant else {
            let all = (0..planes).flat_map(|p| (0..t * m).map(move |n| (p, n / m, n % m)));
            return BTreeMap::from([("y".to_owned(), all.map(|(p, i, j)| product(p, i, j)).collect())]);
        };
        let element = |i: usize, j: usize| {
            let sums: Vec<f64> = (0..planes).map(|p| product(p, i, j)).collect();
            requant.real(&job.tensors, j, &sums)
        };
        BTreeMap::from([("y".to_owned(), (0..t * m).map(|n| element(n / m, n % m)).collect())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn cores() -> Vec<Box<dyn Core>> {
        let make = |c: &serde_json::Value| TernaryGemm.configure(c).unwrap_or_else(|e| panic!("{c}: {e:?}"));
        options::space().cover().iter().map(make).collect()
    }

    fn core(weights: serde_json::Value, group: u32) -> Box<dyn Core> {
        let config = serde_json::json!({
            "kind": "ternary-gemm", "name": "core", "target": {"name": "kv260"}, "shape": {"k_max": 64, "m_max": 16},
            "parallel": {"k_lanes": 12, "m_lanes": 4}, "lookup": {"group": group}, "weights": weights,
        });
        TernaryGemm.configure(&config).unwrap_or_else(|e| panic!("{e:?}"))
    }

    /// Rounding moves a result by less than one; saturation only cuts.
    #[test]
    fn the_reference_is_the_model_without_rounding_and_saturation() {
        for core in cores() {
            let y = &core.interface().tensor("y").unwrap().range.clone();
            let narrow = core.config()["output"]["narrow"] == true && core.config()["output"]["kind"] == "requant";
            for job in (0..4).map(|s| core.random_job(s)) {
                let (got, real) = (&core.golden(&job)["y"], &core.reference(&job)["y"]);
                assert_eq!(got.data.len(), real.len());
                for (g, r) in got.data.iter().zip(real) {
                    let bounded = r.clamp((y.0 + i64::from(narrow)) as f64, y.1 as f64);
                    assert!((*g as f64 - bounded).abs() < 1.0, "{}: {g} {r}", core.config());
                }
            }
        }
    }

    #[test]
    fn operands_of_an_exact_sum_give_the_sum() {
        for core in cores().iter().filter(|c| c.config()["output"]["kind"] == "int32") {
            let job = core.random_job(5);
            for (index, y) in core.golden(&job)["y"].data.iter().enumerate() {
                let found = core.operands(&job, "y", index);
                let dot: i64 = found[0].values.iter().zip(&found[1].values).map(|(x, w)| x * w).sum();
                assert_eq!((dot, found.len()), (*y, 2), "{}: {index}", core.config());
            }
        }
    }

    #[test]
    fn operands_of_a_requantized_sum_hold_every_plane_and_the_scale() {
        let cores = cores();
        let both = |c: &serde_json::Value| c["output"]["kind"] == "requant" && c["weights"]["planes"] == 2;
        let core = cores.iter().find(|c| both(&c.config())).unwrap();
        let found = core.operands(&core.random_job(5), "y", 0);
        let names: Vec<&str> = found.iter().map(|o| o.name.split(['[', ' ']).next().unwrap()).collect();
        assert_eq!(names[..4], ["x", "w", "w", "mult"]);
        assert_eq!(found[3].values.len(), 2, "one multiplier a plane");
    }

    #[test]
    fn a_broken_pattern_is_refused_with_plane_row_and_columns() {
        let core = core(serde_json::json!({"encoding": "sherry5", "planes": 2}), 4);
        let mut job = core.corners().swap_remove(1).job;
        assert_eq!(core.check_job(&job), Ok(()));
        let (k, m) = (job.dims["K"] as usize, job.dims["M"] as usize);
        let w = job.tensors.get_mut("w").unwrap();
        w.data[(m + 3) * k + 4..][..4].fill(1);
        let text = core.check_job(&job).unwrap_err();
        assert!(text.starts_with("`w`: plane 1, row 3, columns 4..=7"), "{text}");
    }

    #[test]
    fn import_takes_ternary_weights_and_refuses_others() {
        let plain = core(serde_json::json!({}), 3);
        let scale = vec![0.5f32, 2.0];
        let given = ModelTensor::Ternary { shape: [2, 2], data: vec![1, 0, -1, 1], scale, notes: vec!["a".into()] };
        let found = plain.import(&given).unwrap();
        assert_eq!(found.tensors["w"], Tensor::new(DType::I8, [2, 2], vec![1, 0, -1, 1]));
        assert_eq!(found.tensors["scale"], Tensor::from_f32([2], &[0.5, 2.0]));
        assert_eq!(found.notes, ["a"]);
        let text = plain.import(&ModelTensor::Int { shape: [1, 3], data: vec![0, 2, 1] }).err().unwrap();
        assert!(text.contains('2') && text.contains("row 0"), "{text}");
        let text = plain.import(&ModelTensor::Float { shape: [1, 1], data: vec![0.3] }).err().unwrap();
        assert!(text.contains("--ternarize absmean"), "{text}");
        let zeros = ModelTensor::Int { shape: [1, 4], data: vec![0; 4] };
        assert!(core(serde_json::json!({"encoding": "sherry5"}), 4).import(&zeros).is_err());
        let notes = core(serde_json::json!({"planes": 2}), 3).import(&zeros).unwrap().notes;
        assert!(notes[0].contains("[2, M, K]"), "{notes:?}");
    }

    #[test]
    fn work_and_peak_are_counted_in_multiply_adds() {
        let core = core(serde_json::json!({"planes": 2}), 3);
        let dims = [("T", 3), ("K", 50), ("M", 7)].map(|(n, v)| (n.to_owned(), v)).into();
        assert_eq!((core.useful_ops(&dims), core.ops_per_cycle()), (3 * 50 * 7 * 2, 48));
    }
}
