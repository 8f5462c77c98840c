//! `bitlathe synth`: what Yosys makes of the core, and nextpnr where it routes.

use bitlathe_cores::{Core, Cost};
use bitlathe_flow::generate;
use bitlathe_flow::synth::{RouteRequest, SynthError, SynthReport, SynthRequest, synthesize};
use bitlathe_flow::tools::{ToolError, Tools};
use bitlathe_spec::{Family, Flow, Target};
use serde_json::{Value, json};

use super::{Context, identity, merge, rtl};
use crate::args::Synth;
use crate::report::{Done, Exit, Failure};
use crate::row;
use crate::text::{table, thousands};

/// What the router aims at on a target; it reports what it reached.
fn aim(target: &'static Target) -> RouteRequest {
    RouteRequest { target, freq_mhz: 100.0, seed: 1 }
}

/// Synthesizes.
pub fn run(context: &Context, args: &Synth) -> Result<Done, Failure> {
    let config = context.load(&args.config)?;
    let core = config.core.as_ref();
    let rtl = rtl(core)?;
    let top = generate::top(core);
    let family = args.flow.unwrap_or(core.target().family);
    let cost = generate::whole_cost(core, family);
    // The vendor primitives are those of the target's family; elsewhere their behavioural form is measured.
    let foreign = rtl.impl_parameter && family != core.target().family;
    let parameters: Vec<(String, i64)> = if foreign { vec![("IMPL".into(), 0)] } else { vec![] };
    // The part of the config, or the family's first.
    let part = if family == core.target().family { Some(core.target()) } else { Target::of(family) };
    let request = SynthRequest {
        module: args.module.as_deref(),
        parameters: &parameters,
        nodsp: !core.infers_dsp(family, args.module.as_deref()),
        work_dir: args.out.as_deref(),
        route: part.filter(|_| Flow::of(family).routes && !args.no_route).map(aim),
        ..SynthRequest::new(&rtl.files, &top, family)
    };
    let spinner = context.progress.spinner(format!("synthesizing for {}", family.name()));
    let report = synthesize(&request, &Tools::discover()?).map_err(|e| explain(e, request.route.is_some()))?;
    spinner.finish_and_clear();
    let measured =
        Measured { core, report, family, predicted: cost, module: args.module.as_deref(), set: &context.common.set };
    let exit = if measured.lacking().is_empty() { Exit::Success } else { Exit::No };
    let done = Done::new(measured.text(), measured.json());
    Ok(Done { exit, ..done })
}

/// The failure, with the way around a missing router.
fn explain(error: SynthError, routes: bool) -> Failure {
    let router = matches!(&error, SynthError::Missing(ToolError::Missing { name, .. }) if name != "yosys");
    let mut failure = Failure::from(error);
    if routes && router {
        failure.findings.iter_mut().for_each(|f| f.help.push_str("; or take the area alone: --no-route"));
    }
    failure
}

/// A report with what it says of the core.
struct Measured<'a> {
    core: &'a dyn Core,
    report: SynthReport,
    family: Family,
    predicted: Cost,
    /// The module that was measured, where it is not the whole core.
    module: Option<&'a str>,
    /// What the command line changed in the config.
    set: &'a [String],
}

impl Measured<'_> {
    fn whole(&self) -> bool {
        self.module.is_none()
    }

    /// Resources that the target does not have; known only of the whole core in the target's own family.
    fn lacking(&self) -> Vec<String> {
        if !self.whole() || self.family != self.core.target().family {
            return vec![];
        }
        self.report.cost().lacking(self.core.target())
    }

    fn lut_per_op(&self) -> Option<f64> {
        let ops = self.core.ops_per_cycle();
        (self.whole() && ops > 0).then(|| self.report.lut as f64 / ops as f64)
    }

    fn json(&self) -> Value {
        let mut object = merge([identity(self.core), serde_json::to_value(&self.report).unwrap_or(Value::Null)]);
        object["set"] = json!(self.set);
        if let Some(module) = self.module {
            object["module"] = json!(module);
        }
        if let Some(ratio) = self.lut_per_op() {
            let op = self.core.op();
            object[format!("{op}s_per_cycle")] = self.core.ops_per_cycle().into();
            object[format!("lut_per_{op}")] = ratio.into();
            object["predicted"] = json!(self.predicted);
            object["does_not_fit"] = json!(self.lacking());
        }
        object
    }

    fn text(&self) -> String {
        let (r, p) = (&self.report, &self.predicted);
        let guess = |value: f64| if self.whole() { thousands(value.round() as u64) } else { String::new() };
        let mut rows = vec![row!["", "measured", if self.whole() { "predicted" } else { "" }]];
        rows.push(row!["LUT sites", thousands(r.lut), guess(p.lut)]);
        rows.push(row!["  of these memory", thousands(r.lutram), guess(p.lutram)]);
        rows.push(row!["flip-flops", thousands(r.ff), guess(p.ff)]);
        rows.push(row!["DSP", r.dsp, guess(p.dsp)]);
        rows.push(row!["block RAM", r.bram, guess(p.bram)]);
        rows.push(row!["UltraRAM", r.uram, guess(p.uram)]);
        rows.push(row!["carry cells", thousands(r.carry)]);
        rows.push(row!["logic depth", r.logic_depth.map_or("a loop".into(), |d| d.to_string())]);
        if let Some(ratio) = self.lut_per_op() {
            rows.push(row![format!("LUT sites a {}", self.core.op()), format!("{ratio:.2}")]);
        }
        if let Some(fmax) = r.fmax_mhz {
            rows.push(row!["frequency, routed", format!("{fmax:.1} MHz")]);
        }
        let versions: Vec<String> =
            r.tool_versions.iter().map(|(tool, version)| format!("{tool}: {version}")).collect();
        let mut text = format!("{} for {}\n{}{}\n", r.top, r.flow, table(&rows), versions.join("; "));
        if let Some(bitstream) = &r.bitstream {
            text.push_str(&format!("bitstream: {}\n", bitstream.display()));
        }
        for lack in self.lacking() {
            text.push_str(&format!("DOES NOT FIT {}: {lack}\n", self.core.target().name));
        }
        text
    }
}
