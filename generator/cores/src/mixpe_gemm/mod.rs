//! `mixpe-gemm`: products with int4 weights by shift and add, scaled once a group (after MixPE, arXiv 2411.16158).
//!
//! | file | holds |
//! |---|---|
//! | [`array`] | the weight-stationary compute array, one file a kernel |
//! | [`control`] | the walk over a job and the loading of weights |
//! | [`foot`] | sums of a group, zero point and scale of a column |
//! | [`rtl`] | the whole core |
//! | [`import`] | weights of a model file as tensors of a job |

mod about;
pub mod array;
mod config;
pub mod control;
mod cost;
pub mod foot;
mod hardware;
pub mod import;
mod interface;
mod options;
pub mod rtl;
mod schedule;
mod stimulus;

use std::collections::BTreeMap;

use bitlathe_hdl::{Checked, Errors};
use bitlathe_spec::{Dims, Family, Interface, Job, Stream, Target, Tensor};

pub use config::{Config, Derived};
pub use hardware::Hardware;
use schedule::JobSize;

use crate::common::dim;
use crate::pairwise::Space;
use crate::random::Random;
use crate::room::Room;
use crate::{About, Activity, Core, Imported, Issue, ModelTensor, Operand, PartCost, ProvenRange, Stimulus};

/// The kind, as registered.
pub struct MixpeGemm;

impl Room for MixpeGemm {
    type Config = Config;
    type Core = Configured;
    const NAME: &'static str = "mixpe-gemm";
    const ABOUT: &'static str = "matrix product with four-bit weights by shift and add, scaled once a group";

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

/// How the names of the array's modules begin.
const ARRAY_MODULES: [&str; 3] = ["mixpe_array", "mixpe_segment_", "mixpe_cell_"];

/// A configured core.
pub struct Configured(Derived);

impl Configured {
    fn job_size(&self, dims: &Dims) -> JobSize {
        let array = &self.0.hardware.array;
        let up = |name: &str, by: i64| (dim(dims, name) + by - 1) / by;
        JobSize { rows: dim(dims, "T"), k_tiles: up("K", array.rows), m_tiles: up("M", array.cols) }
    }
}

impl Core for Configured {
    fn kind(&self) -> &'static str {
        MixpeGemm::NAME
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
        stimulus::run(&self.0, job).map(|y| BTreeMap::from([("y".to_owned(), y)])).unwrap_or_default()
    }

    fn check_job(&self, _: &Job) -> Result<(), String> {
        Ok(())
    }

    fn schedule(&self, dims: &Dims) -> u64 {
        schedule::cycles(&self.0.hardware, self.job_size(dims))
    }

    fn beat_cycles(&self, dims: &Dims) -> Option<Vec<Vec<u64>>> {
        let cycles = schedule::beat_cycles(&self.0.hardware, self.job_size(dims));
        let of = |stream: &Stream| match stream.name.as_str() {
            "w" => cycles.w.clone(),
            "x" => cycles.x.clone(),
            "z" => cycles.z.clone(),
            "s" => cycles.s.clone(),
            "y" => cycles.y.clone(),
            _ => cycles.parameters.clone(),
        };
        Some(self.interface().streams.iter().map(of).collect())
    }

    fn activities(&self) -> Vec<Activity> {
        vec![Activity { unit: "array", phase: "rows of activations", signals: vec!["u_walk.accept_i".into()] }]
    }

    fn useful_ops(&self, dims: &Dims) -> u64 {
        (dim(dims, "T") * dim(dims, "K") * dim(dims, "M")) as u64
    }

    fn ops_per_cycle(&self) -> u64 {
        (self.0.hardware.array.rows * self.0.hardware.array.cols) as u64
    }

    fn op(&self) -> &'static str {
        "mac"
    }

    fn cost(&self, family: Family) -> Vec<PartCost> {
        cost::parts(&self.0.hardware, family)
    }

    /// The array multiplies without DSP blocks or names them; zero points, scales and the requantizer leave products to synthesis where
    /// no block is named.
    fn infers_dsp(&self, family: Family, module: Option<&str>) -> bool {
        let hw = &self.0.hardware;
        let of_array = |m: &str| m != hw.top && ARRAY_MODULES.iter().any(|name| m.starts_with(name));
        !module.is_some_and(of_array) && hw.leaves_products(family)
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
        let (k, m) = (dim(&job.dims, "K") as usize, dim(&job.dims, "M") as usize);
        let (t, row) = (index / m, index % m);
        let groups = k.div_ceil(self.0.hardware.group as usize);
        let line = |name: &str, at: usize, n: usize, size: usize| {
            let values = job.tensors.get(name)?.data.get(at * n..(at + 1) * n)?.to_vec();
            Some(Operand { name: format!("{name}[{at}, 0..{size}]"), values })
        };
        let mut out: Vec<Operand> = [line("x", t, k, k), line("w", row, k, k)].into_iter().flatten().collect();
        out.extend(["z", "s"].iter().filter_map(|name| line(name, row, groups, groups)));
        for name in ["mult", "shift", "zp"] {
            if let Some(tensor) = job.tensors.get(name)
                && let Some(value) = tensor.data.get(row % tensor.data.len().max(1))
            {
                out.push(Operand { name: format!("{name} of row {row}"), values: vec![*value] });
            }
        }
        out
    }

    fn encode(&self, _: &str, _: &[i64]) -> u64 {
        0
    }

    fn import(&self, weights: &ModelTensor) -> Result<Imported, String> {
        import::import(self.0.hardware.group as usize, weights)
    }

    fn reference(&self, job: &Job) -> BTreeMap<String, Vec<f64>> {
        let get = |name: &str| job.tensors.get(name).map(|t| &t.data);
        let (Some(x), Some(w), Some(z), Some(s)) = (get("x"), get("w"), get("z"), get("s")) else {
            return BTreeMap::new();
        };
        let [t, k, m] = ["T", "K", "M"].map(|n| dim(&job.dims, n) as usize);
        let group = self.0.hardware.group as usize;
        let groups = k.div_ceil(group);
        let weight = |row: usize, q: usize| {
            let at = row * groups + q / group;
            (w[row * k + q] - z[at]) as f64 * s[at] as f64
        };
        let sum = |t: usize, row: usize| (0..k).map(|q| x[t * k + q] as f64 * weight(row, q)).sum::<f64>();
        let element = |t: usize, row: usize| match &self.0.hardware.requant {
            None => sum(t, row),
            Some(requant) => requant.real(&job.tensors, row, &[sum(t, row)]),
        };
        BTreeMap::from([("y".to_owned(), (0..t * m).map(|n| element(n / m, n % m)).collect())])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    fn cores() -> Vec<Box<dyn Core>> {
        let make = |c: &serde_json::Value| MixpeGemm.configure(c).unwrap_or_else(|e| panic!("{c}: {e:?}"));
        options::space().cover().iter().map(make).collect()
    }

    /// Rounding moves a result by less than one; saturation only cuts.
    #[test]
    fn the_reference_is_the_model_without_rounding_and_saturation() {
        for core in cores() {
            let range = core.interface().tensor("y").unwrap().range;
            let narrow = core.config()["output"]["narrow"] == true && core.config()["output"]["kind"] == "requant";
            for job in (0..4).map(|s| core.random_job(s)) {
                let (got, real) = (&core.golden(&job)["y"], &core.reference(&job)["y"]);
                assert_eq!(got.data.len(), real.len());
                for (g, r) in got.data.iter().zip(real) {
                    let bounded = r.clamp((range.0 + i64::from(narrow)) as f64, range.1 as f64);
                    assert!((*g as f64 - bounded).abs() < 1.0, "{}: {g} {r}", core.config());
                }
            }
        }
    }

    #[test]
    fn operands_of_an_exact_sum_give_the_sum() {
        for core in cores().iter().filter(|c| c.config()["output"]["kind"] == "exact") {
            let (job, group) = (core.random_job(5), core.config()["weights"]["group"].as_u64().unwrap() as usize);
            for (index, y) in core.golden(&job)["y"].data.iter().enumerate() {
                let found = core.operands(&job, "y", index);
                let [x, w, z, s] = &found[..] else { panic!("{found:?}") };
                let terms = x.values.iter().zip(&w.values).enumerate();
                let sum: i64 = terms.map(|(k, (a, u))| a * (u - z.values[k / group]) * s.values[k / group]).sum();
                assert_eq!(sum, *y, "{}: {index}", core.config());
            }
        }
    }

    /// The array is measured without blocks of its own products, whatever the core is called.
    #[test]
    fn only_the_arrays_modules_are_kept_from_blocks() {
        let config = serde_json::json!({
            "kind": "mixpe-gemm", "name": "mixpe-array-of-mine", "target": {"name": "ecp5-85f"}, "shape": {"k_max": 64, "m_max": 16},
            "array": {"rows": 8, "cols": 4},
        });
        let core = MixpeGemm.configure(&config).unwrap();
        let infers = |module| core.infers_dsp(Family::Ecp5, module);
        assert_eq!([None, Some("mixpe_array_of_mine"), Some("column_foot")].map(infers), [true; 3]);
        assert_eq!(["mixpe_array", "mixpe_segment_planes", "mixpe_cell_planes"].map(|m| infers(Some(m))), [false; 3]);
    }
}
