//! `bitlathe check`: all errors of a config, or what it describes.

use bitlathe_flow::generate::{typical_job, whole_cost};
use bitlathe_spec::{Role, Scalar};
use serde_json::json;

use super::{Context, golden, identity, merge, too_large};
use crate::args::Config;
use crate::report::{Done, Failure, Finding};
use crate::row;
use crate::text::{table, thousands};

/// Checks and sums up.
pub fn run(context: &Context, args: &Config) -> Result<Done, Failure> {
    let config = context.load(args)?;
    let core = config.core.as_ref();
    let (target, interface) = (core.target(), core.interface());
    let cost = whole_cost(core, target.family);
    let mut warnings = config.warnings;
    let lacking = too_large("the core", &cost, target);
    let fits = lacking.is_none();
    warnings.extend(lacking);
    let has = target.capacity;
    let share = |name: &str, used: f64, has: u64| {
        let share =
            if has > 0 { format!("{:.1} % of {}", 100.0 * used / has as f64, target.name) } else { String::new() };
        row![format!("  {name}"), thousands(used.round() as u64), share]
    };
    let rows = [
        share("LUT", cost.lut, has.lut),
        share("FF", cost.ff, has.ff),
        share("DSP", cost.dsp, has.dsp),
        share("block RAM", cost.bram, has.bram),
        share("UltraRAM", cost.uram, has.uram),
    ];
    let size = |s: &Scalar| match s.max {
        u64::MAX => format!("{} from {}", s.name, s.min),
        max => format!("{} {}..={max}", s.name, s.min),
    };
    let sizes: Vec<String> = interface.sizes.iter().map(size).collect();
    let tensors = |role: Role| {
        let listed = interface.tensors.iter().filter(|t| t.role == role);
        let named = listed.map(|t| format!("{} {} {}", t.name, t.dtype.name(), t.shape_text()));
        named.collect::<Vec<_>>().join(", ")
    };
    let job = typical_job(&interface);
    let (cycles, ops) = (core.schedule(&job), core.useful_ops(&job));
    let utilization = ops as f64 / (core.ops_per_cycle() as f64 * cycles as f64).max(1.0);
    let text = format!(
        "{}: no errors. `{}` is a {} for {}, {} {}s a cycle, {}.\n\
         Takes {}; gives {}.\nA job of {} takes {} cycles without stalls, {:.1} % of the \
         peak rate.\nPredicted:\n{}",
        args.config.display(),
        core.name(),
        core.kind(),
        target.name,
        core.ops_per_cycle(),
        core.op(),
        sizes.join(", "),
        tensors(Role::In),
        tensors(Role::Out),
        golden::sizes(core, &job),
        thousands(cycles),
        100.0 * utilization,
        table(&rows)
    );
    let json = json!({
        "errors": [],
        "warnings": warnings.iter().map(Finding::json).collect::<Vec<_>>(),
        "op": core.op(),
        "ops_per_cycle": core.ops_per_cycle(),
        "sizes": interface.sizes,
        "tensors": interface.tensors,
        "job": { "sizes": job, "cycles": cycles, "useful_ops": ops, "utilization": utilization },
        "predicted": cost,
        "fits": fits,
        "config": core.config(),
    });
    Ok(Done::new(text, merge([json, identity(core)])).warn(warnings))
}
