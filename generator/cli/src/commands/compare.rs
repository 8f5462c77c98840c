//! `bitlathe compare`: the methods of a kind on the same random data, as a table, as JSON and as a plot.

use bitlathe_cores::Cost;
use bitlathe_cores::compare::{Choice, Comparison, Data};
use serde_json::{Value, json};

use super::Context;
use crate::args::Compare;
use crate::config::configure;
use crate::outputs::Outputs;
use crate::plot::{Curve, Plot};
use crate::report::{Done, Exit, Failure, Finding, Source};
use crate::row;
use crate::text::{table, thousands};

/// Scales between the least and the largest.
const SCALES: usize = 60;

/// Judges, prints, draws.
pub fn run(context: &Context, args: &Compare) -> Result<Done, Failure> {
    let kind = context.kind(&args.kind.kind)?;
    let target = Context::target(&args.kind.target)?;
    let source = Source::file("the starting config", kind.starter(target));
    let base = configure(context.kinds, &source, &context.common.set).map_err(Failure::input)?.core.config();
    let data = Data { n: args.n as usize, sigma: args.sigma, scales: spread(args.scales) };
    let spinner = context.progress.spinner("running every method");
    let Some(comparison) = kind.compare(&base, &data) else {
        let finding = Finding::new("E022", format!("a {} has one method: there is nothing to compare", kind.name()));
        let able = context.kinds.iter().filter(|k| k.compare(&base, &data).is_some()).map(|k| k.name());
        let help = format!("kinds with a choice: {}", able.collect::<Vec<_>>().join(", "));
        return Err(Failure::one(Exit::Input, finding.help(help)));
    };
    let costs: Vec<Cost> = comparison
        .choices
        .iter()
        .map(|choice| kind.configure(&choice.config).map(|core| core.whole_cost(core.target().family)))
        .collect::<Result<_, _>>()
        .map_err(|issues| {
            let found = issues.iter().map(|i| Finding::new(i.code, format!("{}: {}", i.path, i.message)).help(&i.help));
            Failure::input(found.collect())
        })?;
    spinner.finish_and_clear();
    let judged = Judged { data, comparison, costs };
    if let Some(path) = &args.out {
        let mut outputs = Outputs::default();
        let staged = outputs.stage(path).map_err(|f| Failure::one(Exit::Input, f))?;
        judged.plot().write(&staged).map_err(|e| Failure::one(Exit::Tool, Finding::new("E020", e.to_string())))?;
        outputs.commit()?;
    }
    Ok(Done::new(judged.text(), judged.json()))
}

/// Evenly spaced scales.
fn spread((low, high): (f64, f64)) -> Vec<f64> {
    let step = (high - low) / (SCALES - 1) as f64;
    let count = if high > low { SCALES } else { 1 };
    (0..count).map(|i| low + step * i as f64).collect()
}

/// Methods with what they cost.
struct Judged {
    data: Data,
    comparison: Comparison,
    costs: Vec<Cost>,
}

impl Judged {
    fn rows(&self) -> impl Iterator<Item = (&Choice, &Cost)> {
        self.comparison.choices.iter().zip(&self.costs)
    }

    fn text(&self) -> String {
        let figure = |f: f64| if f < 1e-6 { format!("{f:.0e}") } else { format!("{f:.2e}") };
        let line = |(choice, cost): (&Choice, &Cost)| {
            let (scale, largest) = choice.largest();
            let [lut, ff, dsp] = [cost.lut, cost.ff, cost.dsp].map(|n| thousands(n.round() as u64));
            let at = format!("{} at {scale:.4}", figure(largest));
            let finished = figure(choice.finished);
            row![choice.name, figure(choice.mean()), at, finished, lut, ff, dsp, format!("{:.1}", cost.bram)]
        };
        let finished = format!("mean in {}", self.comparison.output);
        let head = row!["method", "mean error", "largest, at scale", finished, "LUT", "FF", "DSP", "block RAM"];
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(self.rows().map(line)).collect();
        let (low, high) = self.range();
        let refused = self.comparison.refused.iter().map(|r| format!("no {}: {}\n", r.name, r.reason));
        format!(
            "Error: {}; rows of {} normal numbers, sigma {}, scales {low} to {high}. Resources are predicted.\n\n{}{}",
            self.comparison.measure,
            self.data.n,
            self.data.sigma,
            table(&rows),
            refused.collect::<String>()
        )
    }

    fn range(&self) -> (f64, f64) {
        let ends = [self.data.scales.first(), self.data.scales.last()].map(|s| s.copied().unwrap_or_default());
        (ends[0], ends[1])
    }

    fn json(&self) -> Value {
        let choice = |(choice, cost): (&Choice, &Cost)| {
            let (scale, largest) = choice.largest();
            json!({
                "name": choice.name, "mean_error": choice.mean(), "largest_error": largest, "largest_at_scale": scale,
                "mean_error_in_output": choice.finished,
                "predicted": cost, "config": choice.config,
                "points": choice.points.iter().map(|(s, e)| json!({"scale": s, "error": e})).collect::<Vec<_>>(),
            })
        };
        json!({
            "measure": self.comparison.measure, "output": self.comparison.output, "data": self.data, "choices": self.rows().map(choice).collect::<Vec<_>>(),
            "refused": self.comparison.refused,
        })
    }

    fn plot(&self) -> Plot {
        let curve = |(choice, cost): (&Choice, &Cost)| Curve {
            name: choice.name.clone(),
            points: choice.points.clone(),
            lut: cost.lut,
            mean: choice.mean(),
        };
        let title = format!("{}, N = {}, sigma = {}", self.comparison.measure, self.data.n, self.data.sigma);
        Plot { title, curves: self.rows().map(curve).collect() }
    }
}
