//! The commands, one file each: read the config, call, say what came out.

mod board;
mod check;
mod compare;
mod doctor;
mod generate;
mod golden;
mod list;
mod new;
mod pack;
mod package;
mod schema;
mod sim;
mod synth;
mod verify;

use bitlathe_cores::{Core, Cost, Kind};
use bitlathe_flow::generate::{Rtl, print};
use bitlathe_flow::sim::Simulator;
use bitlathe_flow::tools::Tools;
use bitlathe_spec::{TARGETS, Target};
use serde_json::{Value, json};

use crate::args::{self, Cli, Command, Common};
use crate::config::{self, Config};
use crate::nearest::suggest;
use crate::progress::Progress;
use crate::report::{Done, Exit, Failure, Finding};

/// What every command works with.
pub struct Context<'a> {
    /// The kinds of cores.
    pub kinds: &'a [&'a dyn Kind],
    /// Options of every command.
    pub common: &'a Common,
    /// Shown unless `--json` is given.
    pub progress: Progress,
}

impl<'a> Context<'a> {
    /// The core of a config.
    fn load(&self, config: &args::Config) -> Result<Config, Failure> {
        config::load(self.kinds, &config.config, &self.common.set)
    }

    /// A kind by its name.
    fn kind(&self, name: &str) -> Result<&'a dyn Kind, Failure> {
        self.kinds.iter().find(|k| k.name() == name).copied().ok_or_else(|| {
            let finding = Finding::new("E005", format!("there is no kind of core called `{name}`"));
            Failure::one(Exit::Input, finding.help(suggest(name, self.kinds.iter().map(|k| k.name()))))
        })
    }

    /// A target by its name.
    fn target(name: &str) -> Result<&'static Target, Failure> {
        Target::find(name).ok_or_else(|| {
            let finding = Finding::new("E007", format!("there is no target `{name}`"));
            Failure::one(Exit::Input, finding.help(suggest(name, TARGETS.iter().map(|t| t.name))))
        })
    }

    /// For commands without a config: a word on overrides that override nothing.
    fn idle_overrides(&self) -> Vec<Finding> {
        let said = |set: &String| {
            Finding::new("E006", format!("`--set {set}` changes nothing: this command reads no config")).warning()
        };
        self.common.set.iter().map(said).collect()
    }

    /// The core compiled for simulation.
    fn simulator(&self, core: &dyn Core, rtl: &Rtl) -> Result<Simulator, Failure> {
        let spinner = self.progress.spinner("compiling the simulation");
        let simulator = Simulator::build(&core.interface(), &rtl.files, &Tools::discover()?, rtl.simulation())?;
        spinner.finish_and_clear();
        Ok(simulator)
    }
}

/// Runs a command.
pub fn run(cli: &Cli) -> Result<Done, Failure> {
    let (kinds, common) = (bitlathe_cores::kinds(), &cli.common);
    let context = Context { kinds, common, progress: Progress { hidden: common.json } };
    match &cli.command {
        Command::New(args) => new::run(&context, args),
        Command::Check(args) => check::run(&context, args),
        Command::Gen(args) => generate::run(&context, args),
        Command::Package(args) => package::run(&context, args),
        Command::Board(args) => board::run(&context, args),
        Command::Golden(args) => golden::run(&context, args),
        Command::Sim(args) => sim::run(&context, args),
        Command::Verify(args) => verify::run(&context, args),
        Command::Synth(args) => synth::run(&context, args),
        Command::Pack(args) => pack::run(&context, args),
        Command::Compare(args) => compare::run(&context, args),
        Command::List => list::run(&context),
        Command::Doctor(args) => doctor::run(&context, args),
        Command::Schema(args) => schema::run(&context, args),
    }
}

/// The core's Verilog.
fn rtl(core: &dyn Core) -> Result<Rtl, Failure> {
    Ok(print(core)?)
}

/// A warning where the cost model says that something does not fit.
fn too_large(what: &str, cost: &Cost, target: &Target) -> Option<Finding> {
    let lacking = cost.lacking(target);
    let message = format!("by the cost model {what} does not fit {}: {}", target.name, lacking.join(", "));
    let help = "take fewer lanes or a larger device; `bitlathe synth` measures it";
    (!lacking.is_empty()).then(|| Finding::new("F001", message).help(help).warning())
}

/// What a core is, for the head of a result.
fn identity(core: &dyn Core) -> Value {
    json!({ "name": core.name(), "kind": core.kind(), "target": core.target().name })
}

/// The objects' keys together; the later wins.
fn merge(objects: impl IntoIterator<Item = Value>) -> Value {
    let mut all = serde_json::Map::new();
    for object in objects {
        if let Value::Object(map) = object {
            all.extend(map);
        }
    }
    Value::Object(all)
}
