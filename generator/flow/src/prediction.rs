//! Holds the cost model of a core against Yosys; the example `cost_model` and the tests of the model judge by it.

use bitlathe_cores::{Core, Cost};
use thiserror::Error;

use crate::generate::{self, GenerateError};
use crate::synth::{SynthError, SynthRequest, synthesize};
use crate::tools::Tools;

/// Resources of a whole core on its target.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// What the cost model says.
    pub predicted: Cost,
    /// What Yosys makes of it.
    pub measured: Cost,
}

/// Why there is nothing to judge.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum PredictionError {
    #[error(transparent)]
    Generate(#[from] GenerateError),
    #[error(transparent)]
    Synth(#[from] SynthError),
}

impl Prediction {
    /// Relative errors of the predicted LUT sites and flip-flops.
    pub fn errors(&self) -> [f64; 2] {
        let error = |predicted: f64, measured: f64| predicted / measured - 1.0;
        [error(self.predicted.lut, self.measured.lut), error(self.predicted.ff, self.measured.ff)]
    }

    /// Whether LUT sites and flip-flops are predicted within 10 %.
    pub fn holds(&self) -> bool {
        self.errors().iter().all(|e| e.abs() <= 0.1)
    }
}

/// Synthesizes a core for the family of its target, or takes the result from the cache.
pub fn judge(core: &dyn Core, tools: &Tools) -> Result<Prediction, PredictionError> {
    let family = core.target().family;
    let rtl = generate::print(core)?;
    let top = generate::top(core);
    let nodsp = !core.infers_dsp(family, None);
    let request = SynthRequest { nodsp, ..SynthRequest::new(&rtl.files, &top, family) };
    Ok(Prediction { predicted: generate::whole_cost(core, family), measured: synthesize(&request, tools)?.cost() })
}
