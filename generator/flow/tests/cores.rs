//! Every kind of core: each legal pair of options against the golden model under every stall pattern, lint, the testbench in
//! another simulator, the catalogue. `BITLATHE_KIND=quantizer` takes one kind alone.

use bitlathe_cores::{Core, Kind, kinds};
use bitlathe_flow::tools::Tools;
use bitlathe_flow::{generate, lint};
use rayon::prelude::*;
use serde_json::Value;

#[path = "support/model.rs"]
mod model;

use model::check;

/// The kinds under test with their configs.
fn configs() -> Vec<(&'static dyn Kind, Value)> {
    let only = std::env::var("BITLATHE_KIND").ok();
    let chosen = kinds().iter().filter(|k| only.as_deref().is_none_or(|o| o == k.name()));
    chosen.flat_map(|k| k.space().cover().into_iter().map(move |c| (*k, c))).collect()
}

fn configure(kind: &dyn Kind, config: &Value) -> Box<dyn Core> {
    kind.configure(config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
}

#[test]
fn every_legal_pair_of_options_equals_the_model() {
    let tools = Tools::discover().expect("tools");
    let configs = configs();
    let failures: Vec<String> =
        configs.par_iter().filter_map(|(k, c)| check(configure(*k, c).as_ref(), &tools).err()).collect();
    assert!(failures.is_empty(), "{} of {} fail\n{}", failures.len(), configs.len(), failures.join("\n\n"));
}

#[test]
fn generated_verilog_is_lint_clean() {
    let tools = Tools::discover().expect("tools");
    let messages: Vec<String> = configs()
        .par_iter()
        .step_by(3)
        .flat_map_iter(|(kind, config)| {
            let core = configure(*kind, config);
            let rtl = generate::print(core.as_ref()).expect("prints");
            let found = lint::lint(&rtl.files, &core.interface().top, &tools).expect("lint runs");
            found.into_iter().map(|m| format!("{config}: {m:?}")).collect::<Vec<_>>()
        })
        .collect();
    assert!(messages.is_empty(), "{}", messages.join("\n"));
}

#[test]
fn the_generated_testbenches_pass_in_icarus() {
    let tools = Tools::discover().expect("tools");
    if !tools.has("iverilog") {
        println!("skipped: iverilog is missing; Debian's package iverilog has it");
        return;
    }
    configs().par_iter().step_by(9).for_each(|(kind, config)| {
        let core = configure(*kind, config);
        let text = in_icarus(core.as_ref(), &tools);
        assert!(text.contains("PASS"), "{config}\n{text}");
    });
}

/// What the core's own testbench prints in Icarus Verilog.
fn in_icarus(core: &dyn Core, tools: &Tools) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    let out = folder.path().join("core");
    generate::generate(core, &out, &generate::Options::default()).expect("generates");
    let top = core.interface().top;
    let rtl: Vec<_> = std::fs::read_dir(out.join("rtl")).expect("rtl").map(|e| e.expect("entry").path()).collect();
    let vvp = folder.path().join("tb.vvp");
    let mut compile = tools.command("iverilog").expect("iverilog");
    compile.arg("-g2005").arg("-o").arg(&vvp).arg("-s").arg(format!("{top}_tb"));
    compile.arg(out.join(format!("tb/{top}_tb.v"))).args(rtl);
    let compiled = compile.output().expect("iverilog runs");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    let mut run = tools.command("vvp").expect("vvp");
    let run = run.arg("-N").arg(&vvp).current_dir(out.join("tb")).output().expect("vvp runs");
    String::from_utf8_lossy(&run.stdout).into_owned()
}

/// The folders below `ip/` hold what the generator writes today; `BITLATHE_UPDATE=1` rewrites them.
#[test]
fn the_catalogue_holds_what_the_generator_writes() {
    for kind in kinds() {
        let ip = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ip").join(kind.name());
        let config = std::fs::read_to_string(ip.join("core.toml")).expect("core.toml");
        let document: Value = toml::from_str(&config).expect("TOML");
        let printed = generate::print(configure(*kind, &document).as_ref()).expect("prints").files;
        if std::env::var_os("BITLATHE_UPDATE").is_some() {
            let _ = std::fs::remove_dir_all(ip.join("rtl"));
            std::fs::create_dir_all(ip.join("rtl")).expect("rtl");
            printed.iter().for_each(|f| std::fs::write(ip.join("rtl").join(&f.path), &f.text).expect("writes"));
        }
        for f in &printed {
            let path = ip.join("rtl").join(&f.path);
            let kept = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(kept == f.text, "{} is out of date; BITLATHE_UPDATE=1 cargo test rewrites it", path.display());
        }
        let kept = std::fs::read_dir(ip.join("rtl")).expect("rtl").count();
        assert_eq!(kept, printed.len(), "{} holds a file that is no longer written", ip.display());
    }
}
