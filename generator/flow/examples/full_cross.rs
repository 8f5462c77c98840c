//! Simulates the full cross of option values of every kind against model and schedule, where the tests take pairs alone.
//!
//! `cargo run -p bitlathe-flow --example full_cross -- [N [SEED]]`: N cores of each kind drawn at random, or without N every
//! one, which for `ternary-gemm` is hundreds of thousands. Exit code 1 when a core fails; its config is printed.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Instant;

use bitlathe_cores::random::Random;
use bitlathe_cores::{Kind, kinds};
use bitlathe_flow::generate;
use bitlathe_flow::sim::{Options, Simulator};
use bitlathe_flow::tools::Tools;
use bitlathe_flow::verify::{VerifyOptions, VerifyReport, verify};
use rayon::prelude::*;
use serde_json::Value;

/// Random jobs of a core, beside its corners.
const JOBS: u64 = 6;
/// Cores whose compiled models share a cache, which is then removed.
const CHUNK: usize = 64;

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<ExitCode, Failed> {
    let numbers = std::env::args().skip(1).map(|a| a.parse()).collect::<Result<Vec<u64>, _>>()?;
    let (count, seed) = (numbers.first().copied(), numbers.get(1).copied().unwrap_or(1));
    let tools = Tools::discover()?;
    let mut failed = 0;
    for kind in kinds() {
        let points: Box<dyn Iterator<Item = u64>> = match count {
            Some(count) => Box::new(draw(*kind, count as usize, seed).into_iter()),
            None => Box::new(0..kind.cross_size()),
        };
        failed += sweep(*kind, points, count, &tools)?;
    }
    Ok(ExitCode::from(u8::from(failed > 0)))
}

/// Points of legal cores, each once.
fn draw(kind: &dyn Kind, count: usize, seed: u64) -> BTreeSet<u64> {
    let mut random = Random::new(seed);
    let mut points = BTreeSet::new();
    // A cross with fewer legal cores than asked for gives those that so many draws find.
    for _ in 0..10_000 * count {
        if points.len() == count || kind.cross_size() == 0 {
            break;
        }
        let point = random.below(kind.cross_size());
        if kind.crossed(point).is_some() {
            points.insert(point);
        }
    }
    points
}

/// Simulates the cores at the points and gives the number of those that fail.
fn sweep(kind: &dyn Kind, points: impl Iterator<Item = u64>, count: Option<u64>, tools: &Tools) -> Result<u64, Failed> {
    let (started, mut cores, mut compared, mut failed) = (Instant::now(), 0, 0, 0);
    let mut points = points.filter_map(|point| Some((point, kind.crossed(point)?))).peekable();
    while points.peek().is_some() {
        let chunk: Vec<(u64, Value)> = points.by_ref().take(CHUNK).collect();
        let last = chunk.last().map_or(0, |c| c.0);
        let cache = tempfile::tempdir()?;
        let tools = tools.clone().with_cache(cache.path());
        let results: Vec<_> = chunk.par_iter().map(|(_, config)| (config, simulate(kind, config, &tools))).collect();
        for (config, result) in results {
            cores += 1;
            match result {
                Ok(report) if report.passed() => compared += report.outputs_compared,
                Ok(report) => {
                    failed += 1;
                    let what = report.failures.first().map_or("coverage is not filled".into(), ToString::to_string);
                    println!("WRONG: {what}\n{}", toml::to_string_pretty(config)?);
                }
                Err(error) => {
                    failed += 1;
                    println!("WRONG: {error}\n{}", toml::to_string_pretty(config)?);
                }
            }
        }
        let done = match count {
            Some(count) => format!("{cores} of {count} cores"),
            None => format!("{cores} cores, {:.1} % of the cross", 100.0 * last as f64 / kind.cross_size() as f64),
        };
        eprintln!("{}: {done}, {failed} failed, {:.0} s", kind.name(), started.elapsed().as_secs_f64());
    }
    println!("{}: {cores} cores of the full cross, {compared} outputs compared, {failed} failed", kind.name());
    Ok(failed)
}

fn simulate(kind: &dyn Kind, config: &Value, tools: &Tools) -> Result<VerifyReport, Failed> {
    let core = kind.configure(config).map_err(|issues| format!("{issues:?}"))?;
    let rtl = generate::print(core.as_ref())?;
    let simulator = Simulator::build(&core.interface(), &rtl.files, tools, Options::default())?;
    let options = VerifyOptions {
        jobs: JOBS,
        seed: 1,
        threads: Some(1),
        command: "bitlathe verify core.toml".into(),
        waves: None,
    };
    Ok(verify(core.as_ref(), &simulator, &options, &|_, _| ())?)
}
