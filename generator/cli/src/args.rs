//! The command line.

use std::path::PathBuf;

use bitlathe_flow::constraints::{self, boards};
use bitlathe_flow::generate;
use bitlathe_flow::weights::{GptqZeros, I2sLayout, ScaleUse, Ternarize};
use bitlathe_spec::{Family, TARGETS};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueHint};

use crate::job::Assignment;

/// Turns a short TOML file into a verified, synthesizable Verilog core for low-bit LLM inference.
#[derive(Debug, Parser)]
#[command(
    name = "bitlathe",
    version,
    max_term_width = 110,
    after_help = "\
Five lines to a core:
  bitlathe new ternary-gemm --target kv260 > core.toml
  bitlathe check core.toml
  bitlathe verify core.toml
  bitlathe synth core.toml --flow xcup
  bitlathe gen core.toml -o build/core

Exit codes: 0 done; 1 done, and the answer is no (mismatch, does not fit); 2 the input is wrong; 3 a tool is missing or failed."
)]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub common: Common,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
pub struct Common {
    /// Print one JSON object on standard output, and nothing else there
    #[arg(long, global = true, display_order = 900)]
    pub json: bool,
    /// Override a value of the config; the value is TOML, a bare word is text. May be repeated
    #[arg(long, global = true, value_name = "TABLE.KEY=VALUE", display_order = 901)]
    pub set: Vec<String>,
    /// Log every call of an outside tool on standard error
    #[arg(long, short, global = true, display_order = 902)]
    pub verbose: bool,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Print a commented config to start from
    #[command(after_help = "Example:\n  bitlathe new ternary-gemm --target ecp5-85f > core.toml")]
    New(New),
    /// Show all errors of a config at once; of a legal one its tensors, cycles and predicted resources
    #[command(
        after_help = "Examples:\n  bitlathe check core.toml\n  bitlathe check core.toml --set parallel.k_lanes=48 --json"
    )]
    Check(Config),
    /// Write the core: Verilog, testbench, FuseSoC description, interface as JSON, datasheet
    #[command(after_help = "Examples:\n  bitlathe gen core.toml -o build/core\n  \
        bitlathe synth core.toml --flow xcup --json > synth.json && bitlathe gen core.toml -o build/core --synth synth.json")]
    Gen(Gen),
    /// Write the core as a package: beside what `gen` writes, scripts, drivers and register descriptions
    #[command(after_help = "Examples:\n  bitlathe package core.toml --for vivado -o build/ip\n  \
        bitlathe package core.toml --set wrap=axi --for pynq -o build/pynq")]
    Package(Package),
    /// Write the core with a self-test for an open board, and make its bitstream
    #[command(after_help = "Examples:\n  bitlathe board core.toml --board ulx3s -o build/ulx3s --build\n  \
        bitlathe board core.toml --set target.name=ice40-up5k --board icebreaker -o build/icebreaker")]
    Board(Board),
    /// Run the bit-exact model on a job of npy arrays
    #[command(after_help = "Example:\n  bitlathe golden core.toml --in x=x.npy --in w=w.npy --out y=y.npy")]
    Golden(Job),
    /// Run a job of npy arrays on the Verilog and compare it with the model
    #[command(after_help = "Examples:\n  bitlathe sim core.toml --in x=x.npy --in w=w.npy --out y=y.npy\n  \
        bitlathe sim core.toml --in x=x.npy --in w=w.npy --stalls 7 --wave job.fst")]
    Sim(Sim),
    /// Run corner and random jobs under every stall pattern: Verilog against model and schedule
    #[command(after_help = "Example:\n  bitlathe verify core.toml --jobs 100 --seed 1\n\n\
        The wave of the first failure goes to the folder NAME-waves, NAME being the core's.")]
    Verify(Verify),
    /// Synthesize the core with Yosys (and nextpnr, where it routes) and say what it takes
    #[command(
        after_help = "Examples:\n  bitlathe synth core.toml --flow xcup --json\n  bitlathe synth core.toml --flow ecp5 -o build/ecp5\n  \
        bitlathe synth core.toml --flow xcup --module dot_row"
    )]
    Synth(Synth),
    /// Turn real weights into the tensors (and packed beats) that the core takes
    #[command(
        after_help = "Examples:\n  bitlathe pack core.toml --weights model.gguf:blk.0.ffn_up.weight -o w.npy --out scale=scale.npy\n  \
        bitlathe pack core.toml --weights w.npy --ternarize absmean -o w.npy --stream w.bin"
    )]
    Pack(Pack),
    /// Judge the methods of a kind on the same random data: error and predicted resources of each
    #[command(after_help = "Examples:\n  bitlathe compare softmax --n 197 --sigma 1 --scales 0.02..0.2\n  \
        bitlathe compare softmax --set output.kind=u8 --set parallel.lanes=16 -o softmax.svg")]
    Compare(Compare),
    /// List kinds of cores, targets, boards, flows and packages
    #[command(after_help = "Example:\n  bitlathe list --json")]
    List,
    /// Say which tools are here, what each unlocks, and how to get what is missing
    #[command(after_help = "Example:\n  bitlathe doctor --install")]
    Doctor(Doctor),
    /// Print the JSON schema of a kind's config
    #[command(after_help = "Example:\n  bitlathe schema ternary-gemm > ternary-gemm.schema.json")]
    Schema(Schema),
}

/// The config.
#[derive(Debug, Args)]
pub struct Config {
    /// TOML file; `-` is standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub config: PathBuf,
}

/// Arguments of `new`.
#[derive(Debug, Args)]
pub struct New {
    /// Kind of core, one of `bitlathe list`
    pub kind: String,
    /// Device or board
    #[arg(long, default_value = "kv260", value_parser = PossibleValuesParser::new(TARGETS.iter().map(|t| t.name)))]
    pub target: String,
}

/// Arguments of `gen`.
#[derive(Debug, Args)]
pub struct Gen {
    #[command(flatten)]
    pub config: Config,
    /// Folder to write; one that an earlier run wrote is replaced
    #[arg(short, long = "out", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,
    /// Result of `bitlathe synth --json` to show in the datasheet. May be repeated
    #[arg(long, value_name = "F.json", value_hint = ValueHint::FilePath)]
    pub synth: Vec<PathBuf>,
}

/// Arguments of `package`.
#[derive(Debug, Args)]
pub struct Package {
    #[command(flatten)]
    pub config: Config,
    /// Who takes the package; the core needs `wrap = "axi"`, or `"kernel"` for xrt
    #[arg(
        long = "for",
        value_name = "WHOM",
        value_parser = PossibleValuesParser::new(generate::Package::ALL.map(generate::Package::name)).try_map(package)
    )]
    pub whom: generate::Package,
    /// Folder to write; one that an earlier run wrote is replaced
    #[arg(short, long = "out", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,
}

/// Arguments of `board`.
#[derive(Debug, Args)]
pub struct Board {
    #[command(flatten)]
    pub config: Config,
    /// The board; its device must be the config's target
    #[arg(long, value_name = "BOARD", value_parser = PossibleValuesParser::new(boards().iter().map(|b| b.name.as_str())).try_map(board))]
    pub board: &'static constraints::Board,
    /// Folder to write; one that an earlier run wrote is replaced
    #[arg(short, long = "out", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: PathBuf,
    /// Synthesize, place, route, and make the bitstream
    #[arg(long)]
    pub build: bool,
}

/// Tensors of a job.
#[derive(Debug, Args)]
pub struct Job {
    #[command(flatten)]
    pub config: Config,
    /// Array for an input tensor; once for each that `bitlathe check` names
    #[arg(long = "in", value_name = "NAME=F.npy")]
    pub inputs: Vec<Assignment>,
    /// File for an output tensor. May be repeated
    #[arg(long = "out", value_name = "NAME=F.npy")]
    pub outputs: Vec<Assignment>,
}

/// Arguments of `sim`.
#[derive(Debug, Args)]
pub struct Sim {
    #[command(flatten)]
    pub job: Job,
    /// Let sources pause and sinks refuse, as drawn from this seed
    #[arg(long, value_name = "SEED")]
    pub stalls: Option<u64>,
    /// Record every signal of the job, for GTKWave or Surfer
    #[arg(long, value_name = "F.fst", value_hint = ValueHint::FilePath)]
    pub wave: Option<PathBuf>,
    /// Draw when streams moved beats and units of the core worked
    #[arg(long, value_name = "F.svg", value_hint = ValueHint::FilePath)]
    pub gantt: Option<PathBuf>,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    pub config: Config,
    /// Random jobs beside the corner jobs
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub jobs: u64,
    /// Seed of the random jobs and of every stall pattern
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
}

/// Arguments of `synth`.
#[derive(Debug, Args)]
pub struct Synth {
    #[command(flatten)]
    pub config: Config,
    /// Family to synthesize for; that of the config's target if left out
    #[arg(long, value_name = "FLOW", value_parser = PossibleValuesParser::new(Family::ALL.map(Family::name)).try_map(family))]
    pub flow: Option<Family>,
    /// Measure this module alone, with the parameter values that it has in the core
    #[arg(long, value_name = "M")]
    pub module: Option<String>,
    /// Folder for the log and the bitstream; left out, they stay in the cache
    #[arg(short, long = "out", value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub out: Option<PathBuf>,
    /// Leave out place and route where the flow has it: area alone, no frequency
    #[arg(long)]
    pub no_route: bool,
}

/// Arguments of `pack`.
#[derive(Debug, Args)]
pub struct Pack {
    #[command(flatten)]
    pub config: Config,
    /// Model file (GGUF, safetensors, npy) and the tensor in it
    #[arg(long, value_name = "FILE[:TENSOR]")]
    pub weights: String,
    /// File for a tensor, such as w=w.npy or scale=scale.npy. May be repeated
    #[arg(long = "out", value_name = "NAME=F.npy")]
    pub outputs: Vec<Assignment>,
    /// Short for --out w=F
    #[arg(short = 'o', value_name = "F.npy", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
    /// File for the packed beats of the weight stream
    #[arg(long, value_name = "F.bin", value_hint = ValueHint::FilePath)]
    pub stream: Option<PathBuf>,
    /// Make real numbers ternary
    #[arg(long, value_name = "absmean")]
    pub ternarize: Option<Ternarize>,
    /// How `weight_scale` of an HF BitNet file is meant: divide (BitLinear) or multiply (AutoBitLinear)
    #[arg(long, value_name = "divide|multiply")]
    pub scale: Option<ScaleUse>,
    /// Which layout a GGUF tensor of type I2_S has
    #[arg(long, value_name = "x86|arm")]
    pub i2s: Option<I2sLayout>,
    /// How a GPTQ file stores zero points: less one (v1) or as they are (v2)
    #[arg(long, value_name = "v1|v2")]
    pub gptq_zeros: Option<GptqZeros>,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct Compare {
    #[command(flatten)]
    pub kind: New,
    /// Elements of a row
    #[arg(long, value_name = "N", default_value_t = 197, value_parser = clap::value_parser!(u32).range(1..=65536))]
    pub n: u32,
    /// Standard deviation of the real numbers
    #[arg(long, value_name = "S", default_value_t = 1.0, value_parser = positive)]
    pub sigma: f64,
    /// Real values of one step, from the least to the largest
    #[arg(long, value_name = "LO..HI", default_value = "0.02..0.2", value_parser = scales)]
    pub scales: (f64, f64),
    /// File for the plot: error against scale, error against LUT
    #[arg(short, long = "out", value_name = "F.svg", value_hint = ValueHint::FilePath)]
    pub out: Option<PathBuf>,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// Put the pinned tools that are missing into the per-user cache
    #[arg(long)]
    pub install: bool,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// Kind of core, one of `bitlathe list`
    pub kind: String,
}

fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value.is_finite() => Ok(value),
        _ => Err("write a positive number, such as 1 or 0.05".into()),
    }
}

fn scales(text: &str) -> Result<(f64, f64), String> {
    let (low, high) = text.split_once("..").unwrap_or((text, text));
    match (positive(low)?, positive(high)?) {
        (low, high) if low <= high => Ok((low, high)),
        (low, high) => Err(format!("the least comes first: {high}..{low}")),
    }
}

fn family(name: String) -> Result<Family, String> {
    Family::ALL.into_iter().find(|f| f.name() == name).ok_or_else(|| "no such flow".into())
}

fn board(name: String) -> Result<&'static constraints::Board, String> {
    boards().iter().find(|b| b.name == name).ok_or_else(|| "no such board".into())
}

fn package(name: String) -> Result<generate::Package, String> {
    generate::Package::ALL.into_iter().find(|p| p.name() == name).ok_or_else(|| "no such package".into())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_help_text_has_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("bitlathe {}", command.get_name())), "{}", command.get_name());
        }
    }
}
