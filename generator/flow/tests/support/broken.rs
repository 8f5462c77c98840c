//! Hardware that is broken on purpose: `verify` must fail, and its report must be of use.

use std::path::Path;

use bitlathe_cores::Core;
use bitlathe_flow::generate;
use bitlathe_flow::sim::{Options, Simulator};
use bitlathe_flow::tools::Tools;
use bitlathe_flow::verify::{VerifyOptions, verify};

/// Verifies a copy of the core with one text replaced; gives the first failure, which its own command repeats and of which
/// there is a readable wave.
pub fn broken(core: &dyn Core, file: &str, from: &str, to: &str) -> String {
    let tools = Tools::discover().expect("tools");
    let rtl = generate::print(core).expect("prints");
    let options = Options { watchdog: 5_000, ..rtl.simulation() };
    let mut files = rtl.files;
    let victim = files.iter_mut().find(|f| f.path.ends_with(file)).expect("the file is there");
    assert!(victim.text.contains(from), "{file} does not hold `{from}`");
    victim.text = victim.text.replacen(from, to, 1);
    let simulator = Simulator::build(&core.interface(), &files, &tools, options).expect("builds");
    let folder = tempfile::tempdir().expect("a folder");
    let first_failure = |jobs, seed, waves: Option<&Path>| {
        let (command, waves) = ("verify".to_string(), waves.map(Path::to_path_buf));
        let options = VerifyOptions { jobs, seed, threads: Some(2), command, waves };
        let report = verify(core, &simulator, &options, &|_, _| ()).expect("runs");
        assert!(!report.passed(), "{file}: `{to}` for `{from}` goes unseen");
        report.failures.into_iter().next().expect("a failure")
    };
    let failure = first_failure(2, 3, Some(folder.path()));
    let words: Vec<&str> = failure.repeat.split(' ').collect();
    let [_, _, jobs, _, seed] = words[..] else { panic!("{}", failure.repeat) };
    let again = first_failure(jobs.parse().expect("a number"), seed.parse().expect("a number"), None);
    assert_eq!((again.job.as_str(), &again.kind), (failure.job.as_str(), &failure.kind));
    let wave = wellen::simple::read(failure.wave.as_ref().expect("a wave")).expect("a readable wave");
    let hierarchy = wave.hierarchy();
    let names: Vec<&str> = hierarchy.all_vars().map(|v| hierarchy[v].name(hierarchy)).collect();
    for port in ["clk_i", "x_valid_i", "y_data_o"] {
        assert!(names.contains(&port), "{port} is not in the wave");
    }
    failure.to_string()
}
