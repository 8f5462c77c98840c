//! Packages: registers for software against the RTL, the PYNQ driver against the beats that the RTL takes, the scripts for Vivado
//! against stand-ins for its commands.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use bitlathe_cores::{Core, Kind, kinds};
use bitlathe_flow::generate::{self, Options, Package, package};
use bitlathe_flow::lint;
use bitlathe_flow::npy;
use bitlathe_flow::synth::{SynthRequest, synthesize};
use bitlathe_flow::tools::Tools;
use bitlathe_spec::{Access, Family, Job, SourceFile};
use rayon::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn wrap(kind: &dyn Kind, mut config: Value) -> Box<dyn Core> {
    config["wrap"] = json!("axi");
    kind.configure(&config).unwrap_or_else(|e| panic!("{config}: {e:?}"))
}

fn catalogue_config(kind: &dyn Kind) -> Value {
    let text = fs::read_to_string(repository().join("ip").join(kind.name()).join("core.toml")).expect("core.toml");
    toml::from_str(&text).expect("TOML")
}

/// The core of the catalogue of each kind.
fn catalogue() -> Vec<Box<dyn Core>> {
    kinds().iter().map(|k| wrap(*k, catalogue_config(*k))).collect()
}

/// The same, and two more: lanes of four signed bits in elements of eight; a pass that a DMA takes in pieces.
fn telling() -> Vec<Box<dyn Core>> {
    let more = [("quantizer", "output", "bits", 4), ("ternary-gemm", "parallel", "m_lanes", 8)];
    let more = more.map(|(kind, table, key, value)| {
        let kind = *kinds().iter().find(|k| k.name() == kind).expect("registered");
        let mut config = catalogue_config(kind);
        config[table][key] = json!(value);
        wrap(kind, config)
    });
    catalogue().into_iter().chain(more).collect()
}

/// The cores of the catalogue as kernels for U280, and that of `fpga/u280`.
fn kernels() -> Vec<Box<dyn Core>> {
    let text = fs::read_to_string(repository().join("fpga/u280/core.toml")).expect("core.toml");
    let config: Value = toml::from_str(&text).expect("TOML");
    let own = kinds().iter().filter(|k| config["kind"] == k.name()).map(|k| (*k, config.clone()));
    let configs = kinds().iter().map(|k| (*k, catalogue_config(*k))).chain(own);
    configs.map(|(kind, config)| kernel(kind, config).expect("legal")).collect()
}

fn kernel(kind: &dyn Kind, mut config: Value) -> Option<Box<dyn Core>> {
    config["wrap"] = json!("kernel");
    config["target"]["name"] = json!("u280");
    kind.configure(&config).ok()
}

/// Cores over all options: streams that repeat, with codes, without `last`; tensors in registers.
fn varied() -> Vec<Box<dyn Core>> {
    let legal = |kind: &dyn Kind, mut config: Value| {
        config["target"]["name"] = json!("kv260");
        config["wrap"] = json!("axi");
        kind.configure(&config).ok()
    };
    let covers = kinds().iter().flat_map(|k| k.space().cover().into_iter().step_by(24).filter_map(|c| legal(*k, c)));
    telling().into_iter().chain(covers).collect()
}

/// A package in a folder of its own.
fn packed(core: &dyn Core, package: Package) -> (TempDir, PathBuf) {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("core");
    let options = Options { package: Some(package), ..Options::default() };
    generate::generate(core, &folder, &options).expect("generates");
    (home, folder)
}

/// `None` where the tool is missing.
fn tool(name: &str) -> Option<Command> {
    let command = Tools::discover().expect("tools").command(name);
    command.map_err(|error| println!("skipped: {error}")).ok()
}

/// Whether the command succeeded, and what it printed.
fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().expect("it starts");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    (output.status.success(), text)
}

/// Replaces a text in a file.
fn change(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("written");
    assert!(text.contains(from), "{} does not hold `{from}`", path.display());
    fs::write(path, text.replacen(from, to, 1)).expect("writable");
}

#[test]
fn packages_say_what_they_need() {
    let kind = *kinds().iter().find(|k| k.name() == "softmax").expect("registered");
    let core = |target: &str, wrap: &str| {
        let text = fs::read_to_string(repository().join("ip/softmax/core.toml")).expect("core.toml");
        let mut config: Value = toml::from_str(&text).expect("TOML");
        config["wrap"] = json!(wrap);
        config["target"]["name"] = json!(target);
        kind.configure(&config).expect("legal")
    };
    let help = |target, wrap, package| package::check(core(target, wrap).as_ref(), package).expect_err("refused").help;
    assert!(help("kv260", "none", Package::FuseSoc).contains("--set wrap=axi"));
    assert!(help("ecp5-85f", "axi", Package::Vivado).contains("--set target.name=kv260 or"));
    assert_eq!(help("u280", "axi", Package::Pynq), "--set target.name=kv260");
    assert!(help("u280", "axi", Package::Xrt).contains("--set wrap=kernel"));
    assert!(help("u280", "kernel", Package::Vivado).contains("--set wrap=axi"));
    assert_eq!(help("kv260", "kernel", Package::Xrt), "--set target.name=u280");
    for (target, package) in [("ecp5-85f", Package::FuseSoc), ("xc7a100t", Package::Vivado), ("kv260", Package::Pynq)] {
        let core = core(target, "axi");
        assert_eq!(package::check(core.as_ref(), package), Ok(()));
        packed(core.as_ref(), package);
    }
}

/// Name and offset of every register, as the RTL compares addresses.
fn offsets_of_rtl(folder: &Path) -> BTreeMap<String, u32> {
    let files = fs::read_dir(folder.join("rtl")).expect("written");
    let texts = files.map(|f| fs::read_to_string(f.expect("readable").path()).expect("text"));
    let mut offsets = BTreeMap::new();
    for text in texts {
        for line in text.lines() {
            let Some((name, rest)) = line.trim().strip_prefix("wire at_").and_then(|l| l.split_once(" = word == "))
            else {
                continue;
            };
            let word = rest.trim_end_matches(';').rsplit("'d").next().and_then(|n| n.parse::<u32>().ok());
            assert_eq!(offsets.insert(name.to_owned(), 4 * word.expect(line)), None, "{name} twice");
        }
    }
    offsets
}

/// What a C compiler makes of the macros that a header defines.
fn macros(header: &Path) -> BTreeMap<String, u64> {
    let text = fs::read_to_string(header).expect("written");
    let names: Vec<&str> = text.lines().filter_map(|l| Some(l.strip_prefix("#define ")?.split_once(' ')?.0)).collect();
    let valued = names.iter().filter(|n| !n.ends_with("_H"));
    let prints: String = valued.map(|n| format!("  printf(\"{n} %llu\\n\", (unsigned long long)({n}));\n")).collect();
    let home = tempfile::tempdir().expect("a folder");
    let program = home.path().join("main.c");
    let name = header.file_name().expect("a file").to_string_lossy();
    let text = format!("#include <stdio.h>\n#include \"{name}\"\n#include \"{name}\"\nint main(void) {{\n{prints}}}\n");
    fs::write(&program, text).expect("writable");
    let built = home.path().join("main");
    let mut compiler = tool("g++").expect("a compiler");
    compiler.args(["-x", "c", "-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I"]);
    let (good, said) = run(compiler.arg(header.parent().expect("a folder")).arg(&program).arg("-o").arg(&built));
    assert!(good, "{said}");
    let (good, printed) = run(&mut Command::new(built));
    assert!(good, "{printed}");
    let pair = |l: &str| l.split_once(' ').map(|(n, v)| (n.to_owned(), v.parse().expect("a number")));
    printed.lines().filter_map(pair).collect()
}

#[test]
fn a_c_compiler_takes_the_header_and_its_offsets_are_those_of_the_rtl() {
    for core in catalogue() {
        let (_home, folder) = packed(core.as_ref(), Package::FuseSoc);
        let axi = generate::axi_interface(core.as_ref()).expect("wrapped");
        let macros = macros(&folder.join(format!("registers/{}.h", axi.top)));
        let prefix = format!("{}_", axi.top.to_uppercase());
        let of = |suffix: &str| -> BTreeMap<String, u64> {
            let name = |n: &str| Some(n.strip_prefix(&prefix)?.strip_suffix(suffix)?.to_lowercase());
            macros.iter().filter_map(|(n, v)| Some((name(n)?, *v))).collect()
        };
        let rtl: BTreeMap<String, u64> =
            offsets_of_rtl(&folder).into_iter().map(|(n, offset)| (n, offset.into())).collect();
        assert!(rtl.len() > 8, "{rtl:?}");
        assert_eq!(of("_OFFSET"), rtl, "{}", axi.top);
        let fields = axi.registers.iter().flat_map(|r| &r.fields);
        for f in fields {
            let (mask, shift) = (of("_MASK")[&f.name], of("_SHIFT")[&f.name]);
            assert_eq!((mask >> shift, shift), ((1 << f.width) - 1, u64::from(f.lsb)), "{}", f.name);
        }
        let hash = format!("{:08x}", of("_VALUE")["config_hash"]);
        assert!(generate::config_hash(core.as_ref()).starts_with(&hash), "{hash}");
    }
}

#[test]
fn peakrdl_takes_the_systemrdl_and_makes_the_same_map() {
    for core in catalogue().into_iter().chain(kernels().into_iter().take(1)) {
        let Some(mut peakrdl) = tool("peakrdl") else { return };
        let (_home, folder) = packed(core.as_ref(), Package::FuseSoc);
        let axi = generate::axi_interface(core.as_ref()).expect("wrapped");
        let rdl = folder.join(format!("registers/{}.rdl", axi.top));
        let (good, said) = run(peakrdl.args(["dump", "--fields"]).arg(&rdl));
        let mut expected = String::new();
        for r in &axi.registers {
            expected += &format!("0x{:03x}-0x{:03x}: {}.{}\n", r.offset, r.offset + 3, axi.top, r.name);
            let fields = r.fields.iter().map(|f| format!("\t[{}:{}] {}\n", f.lsb + f.width - 1, f.lsb, f.name));
            expected.extend(fields);
        }
        assert!(good, "{said}");
        assert_eq!(said.trim(), expected.trim());

        // Its own C header has the same masks and values after reset.
        let theirs = folder.join("peakrdl.h");
        let mut peakrdl = tool("peakrdl").expect("found before");
        let (good, said) = run(peakrdl.arg("c-header").arg(&rdl).arg("-o").arg(&theirs));
        assert!(good, "{said}");
        let theirs = macros(&theirs);
        for (r, f) in axi.registers.iter().flat_map(|r| r.fields.iter().map(move |f| (r, f))) {
            let name = format!("{}__{}__{}", axi.top, r.name, f.name).to_uppercase();
            let mask = ((1u64 << f.width) - 1) << f.lsb;
            assert_eq!((theirs[&format!("{name}_bm")], theirs[&format!("{name}_bp")]), (mask, f.lsb.into()), "{name}");
            let written = f.access != Access::ReadOnly || f.min == f.max;
            assert_eq!(theirs.get(&format!("{name}_reset")).copied(), written.then_some(f.reset), "{name}");
        }
    }
}

/// The corner job or the random job of this name, with its outputs.
fn job(core: &dyn Core, name: &str) -> Job {
    let corner = core.corners().into_iter().find(|s| s.name == name).map(|s| s.job);
    let mut job = corner.unwrap_or_else(|| {
        let seed = name.strip_prefix("random_").and_then(|n| n.parse().ok());
        core.random_job(seed.unwrap_or_else(|| panic!("no job is called {name}")))
    });
    job.tensors.extend(core.golden(&job));
    job
}

/// A package for PYNQ with the tensors of the testbench's jobs.
fn with_jobs(core: &dyn Core) -> (TempDir, PathBuf) {
    let (home, folder) = packed(core, Package::Pynq);
    let text = fs::read_to_string(folder.join(format!("{}.json", core.name()))).expect("written");
    let description: Value = serde_json::from_str(&text).expect("JSON");
    for name in description["jobs"].as_array().expect("jobs").iter().map(|j| j["name"].as_str().expect("a name")) {
        let place = folder.join("jobs").join(name);
        fs::create_dir_all(&place).expect("writable");
        for (tensor, values) in job(core, name).tensors {
            npy::write(&place.join(format!("{tensor}.npy")), &values).expect("writable");
        }
    }
    (home, folder)
}

/// Runs the driver of a core's package, after a change to one of its files; what is wrong, if anything.
fn drive(core: &dyn Core, fault: Option<(&str, &str, &str)>) -> Option<String> {
    let (_home, folder) = with_jobs(core);
    if let Some((file, from, to)) = fault {
        change(&folder.join("pynq").join(generate::top(core)).join(file), from, to);
    }
    let mut python = tool("python")?;
    python.env("PYTHONDONTWRITEBYTECODE", "1").arg(repository().join("testbench/pynq/jobs.py")).arg(&folder);
    let (good, said) = run(&mut python);
    (!good || !said.contains("jobs pass")).then(|| format!("{}\n{said}", core.config()))
}

#[test]
fn the_pynq_driver_runs_jobs_on_the_verilog() {
    let Some(_) = tool("iverilog") else { return };
    let failures: Vec<String> = catalogue()
        .par_iter()
        .filter_map(|core| {
            let (home, folder) = with_jobs(core.as_ref());
            let mut python = tool("python")?;
            python.env("PYTHONDONTWRITEBYTECODE", "1").arg(repository().join("testbench/cocotb/run.py"));
            let (good, said) = run(python.arg(&folder).arg("icarus").arg(home.path().join("build")).arg("driven"));
            (!good || !said.contains("2 tests, 0 failed")).then(|| format!("{}\n{said}", core.config()))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn the_pynq_driver_sends_the_beats_that_the_core_takes_and_gives_back_the_model() {
    let cores = varied();
    let coded = |c: &dyn Core| c.interface().streams.iter().any(|s| s.layout.code != "plain");
    assert!(cores.len() > 8 && cores.iter().filter(|c| coded(c.as_ref())).count() > 3, "{} cores", cores.len());
    let failures: Vec<String> = cores.par_iter().filter_map(|core| drive(core.as_ref(), None)).collect();
    assert!(failures.is_empty(), "{} of {} fail\n{}", failures.len(), cores.len(), failures.join("\n\n"));
}

#[test]
fn broken_drivers_are_found() {
    let cores = telling();
    let faults = [
        ("layout.py", "real &= index < size", "real &= index <= size"),
        ("layout.py", "sum(terms, zero) for terms", "sum(terms[:1], zero) for terms"),
        ("layout.py", "lanes << (64 - width) >> (64 - width)", "lanes"),
        ("layout.py", "np.array(code[\"encode\"])[number]", "number"),
        ("core.py", "if found != INTERFACE[\"config_hash\"][:8]:", "if False:"),
        ("core.py", "return largest // unit * unit", "return largest"),
        ("core.py", "            self._raise_sticky()\n", ""),
        ("core.py", "transfer.buffer.freebuffer()", "pass"),
    ];
    let missed: Vec<_> =
        faults.par_iter().filter(|f| cores.iter().all(|c| drive(c.as_ref(), Some(**f)).is_none())).collect();
    assert!(missed.is_empty(), "{missed:?}");
}

/// What a script does among the stand-ins for Vivado, or why it fails. `None` where there is no Tcl.
fn vivado(script: &Path) -> Option<Result<String, String>> {
    let mut tcl = tool("tclsh")?;
    let (good, said) = run(tcl.arg(repository().join("testbench/vivado/stubs.tcl")).arg(script));
    Some(if good { Ok(said) } else { Err(said) })
}

/// The files that a script named as Verilog, relative to the folder of `rtl/`.
fn named(said: &str) -> Vec<SourceFile> {
    let paths = said.lines().filter_map(|l| l.strip_prefix("verilog "));
    let file = |path: &str| SourceFile {
        path: Path::new(path).file_name().expect("a file").to_string_lossy().into_owned(),
        text: fs::read_to_string(path).expect("readable"),
    };
    paths.map(file).collect()
}

#[test]
fn the_scripts_for_vivado_run_and_name_what_there_is() {
    for core in catalogue() {
        let (_home, folder) = packed(core.as_ref(), Package::Vivado);
        let axi = generate::axi_interface(core.as_ref()).expect("wrapped");
        let Some(packaged) = vivado(&folder.join("package_ip.tcl")) else { return };
        let said = packaged.unwrap_or_else(|e| panic!("{}: {e}", axi.top));
        for bus in axi.streams.iter().map(|s| s.name.as_str()).chain(["s_axi_control"]) {
            for fact in [format!("interface {bus}"), format!("associated -busif {bus} -clock aclk")] {
                assert!(said.lines().any(|l| l == fact), "{fact}\n{said}");
            }
        }
        for r in &axi.registers {
            let fact = format!("property {{stub:register {}}} address_offset 0x{:03x}", r.name, r.offset);
            assert!(said.lines().any(|l| l == fact), "{fact}\n{said}");
        }
        assert!(said.lines().last().is_some_and(|l| l.starts_with("packaged: ")), "{said}");
        let written: Vec<String> =
            generate::print(core.as_ref()).expect("prints").files.into_iter().map(|f| f.path).collect();
        let alone = vivado(&folder.join("out_of_context.tcl")).expect("Tcl is here").expect("it runs");
        for said in [said, alone] {
            assert_eq!(named(&said).into_iter().map(|f| f.path).collect::<Vec<_>>(), written);
        }
    }
}

#[test]
fn the_verilog_that_the_scripts_name_is_lint_clean_and_synthesizes() {
    let kind = *kinds().iter().find(|k| k.name() == "quantizer").expect("registered");
    let config = json!({
        "kind": "quantizer", "name": "pot-lanes", "target": {"name": "kv260"}, "shape": {"c_max": 64},
        "input": {"bits": 16}, "parallel": {"lanes": 3}, "method": {"name": "pot"},
    });
    let core = wrap(kind, config);
    let (_home, folder) = packed(core.as_ref(), Package::Vivado);
    let Some(said) = vivado(&folder.join("package_ip.tcl")) else { return };
    let (files, top) = (named(&said.expect("it runs")), generate::top(core.as_ref()));
    let tools = Tools::discover().expect("tools");
    assert_eq!(lint::lint(&files, &top, &tools).expect("lint runs"), []);
    let report = synthesize(&SynthRequest::new(&files, &top, Family::Xcup), &tools).expect("synthesizes");
    assert!(report.lut > 100 && report.ff > 100, "{report:?}");
}

#[test]
fn scripts_that_vivado_would_refuse_are_refused() {
    let core = &catalogue()[0];
    let top = generate::top(core.as_ref());
    let rtl = format!("rtl/{top}.v");
    let faults = [
        ("package_ip.tcl", "ipx::save_core", "ipx::store_core", "no command ipx::store_core"),
        ("package_ip.tcl", "add_files -norecurse [", "add_files -recurse [", "add_files does not know -recurse"),
        ("package_ip.tcl", "rtl/axi_lite.v", "rtl/axi_light.v", "there is no file"),
        ("package_ip.tcl", "foreach bus {", "foreach bus {s_axis_nothing ", "Vivado finds no interface s_axis_nothing"),
        (
            "package_ip.tcl",
            "-clock aclk -reset aresetn",
            "-clock aclk -reset areset_n",
            "there is no interface `areset_n`",
        ),
        ("package_ip.tcl", "set_property top ", "set_property top no_", "no file has the module"),
        ("package_ip.tcl", "slave_memory_map_ref s_axi_control", "slave_memory_map_ref s_axi", "no map `s_axi`"),
        ("package_ip.tcl", "  ipx::remove_memory_map", "  list", "a second map `s_axi_control`"),
        ("package_ip.tcl", " version 0.1", " versions 0.1", "a core has no property"),
        ("out_of_context.tcl", "-part", "-parts", "does not know -parts"),
        ("constraints", "get_ports aclk", "get_ports clk", "matches no port"),
        ("rtl", "s_axis_x TLAST", "s_axis_x TFIRST", "interface s_axis_x lacks TLAST"),
    ];
    for (file, from, to, why) in faults {
        let (_home, folder) = packed(core.as_ref(), Package::Vivado);
        let (file, script) = match file {
            "constraints" => (format!("constraints/{top}.xdc"), "out_of_context.tcl"),
            "rtl" => (rtl.clone(), "package_ip.tcl"),
            script => (script.to_owned(), script),
        };
        change(&folder.join(file), from, to);
        let Some(said) = vivado(&folder.join(script)) else { return };
        let said = said.expect_err(to);
        assert!(said.contains(why), "`{to}`: {said}");
    }
}

/// What the script of a design says when it joins the cores of these packages, or why it fails. `None` where there is no Tcl.
fn designed(folders: &[&Path]) -> Option<Result<String, String>> {
    let mut tcl = tool("tclsh")?;
    let (first, others) = folders.split_first().expect("a package");
    tcl.arg(repository().join("testbench/vivado/stubs.tcl")).arg(first.join("design.tcl")).args(others);
    let (good, said) = run(&mut tcl);
    Some(if good { Ok(said) } else { Err(said) })
}

#[test]
fn the_design_script_joins_all_cores_and_writes_what_a_board_needs() {
    let packages: Vec<_> = catalogue().iter().map(|c| packed(c.as_ref(), Package::Pynq)).collect();
    let folders: Vec<&Path> = packages.iter().map(|(_, folder)| folder.as_path()).collect();
    for (core, folder) in catalogue().iter().zip(&folders) {
        let Some(said) = designed(&[folder]) else { return };
        let said = said.unwrap_or_else(|e| panic!("{e}"));
        let axi = generate::axi_interface(core.as_ref()).expect("wrapped");
        for s in &axi.streams {
            let (cell, top) = (format!("{}_{}", axi.top, s.stream), &axi.top);
            let port = format!("{top}_0/{}", s.name);
            let joined = |l: &&str| l.starts_with("joined ") && l.contains(&port) && l.contains(&cell);
            assert_eq!(said.lines().filter(joined).count(), 1, "{port}\n{said}");
        }
        let text = |name: &str| fs::read_to_string(folder.join("design").join(name)).expect(name);
        assert_eq!((text("design.bit").trim(), text("design.hwh").trim()), ("bitstream", "handoff"));
        let node = format!("\t{top}_0: {}-0@a0000000 {{", axi.top.replace('_', "-"), top = axi.top);
        assert!(text("design.dtso").contains(&node), "{}", text("design.dtso"));
        assert_eq!(serde_json::from_str::<Value>(&text("shell.json")).expect("JSON")["num_slots"], "1");
    }
    // Three cores share one design; more registers than a SmartConnect has ports are refused.
    let said = designed(&folders[2..]).expect("Tcl is here").unwrap_or_else(|e| panic!("{e}"));
    let addresses = said.lines().filter(|l| l.starts_with("address ")).count();
    let streams = |c: &dyn Core| generate::axi_interface(c).expect("wrapped").streams.len();
    let expected: usize = catalogue()[2..].iter().map(|c| 1 + streams(c.as_ref())).sum();
    assert_eq!(addresses, expected, "{said}");
    let refused = designed(&folders).expect("Tcl is here").expect_err("too many");
    assert!(refused.contains("put fewer cores into a design"), "{refused}");
}

#[test]
fn designs_that_vivado_would_refuse_are_refused() {
    let faults = [
        ("CONFIG.c_include_sg 0", "CONFIG.c_include_sg 1", "M_AXI_SG is not connected"),
        ("  wire ps/pl_resetn0 reset/ext_reset_in\n", "", "reset/ext_reset_in is not driven"),
        ("CONFIG.S_TDATA_NUM_BYTES $from_bytes", "CONFIG.S_TDATA_NUM_BYTES $to_bytes", "bytes"),
        ("incr address $::address_step", "incr address 0", "overlaps"),
        ("cell proc_sys_reset reset", "cell sys_reset reset", "no IP `sys_reset`"),
        ("CONFIG.PSU__USE__M_AXI_GP2 0", "CONFIG.PSU__USE__M_AXI_GP2 1", "M_AXI_HPM0_LPD is not connected"),
        ("PSU__USE__S_AXI_GP[", "PSU__USE__S_AXI_HP[", "has no property PSU__USE__S_AXI_HP2"),
        ("-to_step write_bitstream", "-to_step bitstream", "no step bitstream"),
        ("wait_on_run impl_1\n", "", "place and route failed"),
        ("  bus $from $name/S_AXIS\n", "", "m_axis_y is not connected"),
        ("[list $name/axi_resetn]", "[list $name/aresetn]", "Vivado finds no pin"),
    ];
    let core = catalogue().into_iter().find(|c| c.kind() == "ternary-gemm").expect("registered");
    for (from, to, why) in faults {
        let (_home, folder) = packed(core.as_ref(), Package::Pynq);
        change(&folder.join("design.tcl"), from, to);
        let Some(said) = designed(&[&folder]) else { return };
        let said = said.expect_err(why);
        assert!(said.contains(why), "`{to}`: {said}");
    }
    let (_home, folder) = packed(core.as_ref(), Package::Pynq);
    let (_other, second) = packed(catalogue()[0].as_ref(), Package::Pynq);
    change(&second.join("design_core.tcl"), "part xck26", "part xczu7");
    let said = designed(&[&folder, &second]).expect("Tcl is here").expect_err("two devices");
    assert!(said.contains("make no design"), "{said}");
    let said = designed(&[&folder, &repository()]).expect("Tcl is here").expect_err("no package");
    assert!(said.contains("holds no design_core.tcl"), "{said}");
}

/// The network of examples/digits: its two cores lint-clean behind AXI, in one design, and fpga/kv260/digits.py on a stand-in for the board.
#[test]
fn digits_run_on_a_stand_in_for_the_kv260() {
    let kind = *kinds().iter().find(|k| k.name() == "ternary-gemm").expect("registered");
    let home = tempfile::tempdir().expect("a folder");
    let tools = Tools::discover().expect("tools");
    let folders = ["layer1", "layer2"].map(|layer| {
        let text = fs::read_to_string(repository().join(format!("examples/digits/{layer}.toml"))).expect("a config");
        let core = wrap(kind, toml::from_str(&text).expect("TOML"));
        let (files, top) = (generate::print(core.as_ref()).expect("prints").files, generate::top(core.as_ref()));
        assert_eq!(lint::lint(&files, &top, &tools).expect("lint runs"), []);
        let folder = home.path().join(top);
        let options = Options { package: Some(Package::Pynq), ..Options::default() };
        generate::generate(core.as_ref(), &folder, &options).expect("generates");
        folder
    });
    let Some(said) = designed(&[&folders[0], &folders[1]]) else { return };
    said.unwrap_or_else(|e| panic!("{e}"));
    let Some(mut python) = tool("python") else { return };
    python.env("PYTHONDONTWRITEBYTECODE", "1").arg(repository().join("testbench/pynq/digits.py")).arg(repository());
    python.args(&folders).arg(folders[0].join("design")).arg(home.path().join("arrays"));
    let (good, said) = run(&mut python);
    assert!(good && said.contains("equal: h") && said.contains("346 of 360 right"), "{said}");
}

#[test]
fn kernels_are_packaged_with_their_arguments_and_linked_to_channels_of_their_own() {
    for core in kernels() {
        let (_home, folder) = packed(core.as_ref(), Package::Xrt);
        let axi = generate::axi_interface(core.as_ref()).expect("wrapped");
        let Some(said) = vivado(&folder.join("package_xo.tcl")) else { return };
        let said = said.unwrap_or_else(|e| panic!("{}: {e}", axi.top));
        let link = fs::read_to_string(folder.join("link.cfg")).expect("written");
        let has = |fact: String| assert!(said.lines().any(|l| l == fact), "{fact}\n{said}");
        has(format!("kernel {} ap_ctrl_hs", axi.top));
        for s in &axi.streams {
            let address = s.memory().expect("a master").address;
            has(format!("interface {}", s.name));
            has(format!("property {{stub:register {}}} address_offset 0x{address:03x}", s.stream));
            has(format!("property {{stub:register {}}} size 64", s.stream));
            has(format!("property {{stub:regparam {}}} value {}", s.stream, s.name));
            assert!(link.contains(&format!("sp={}_1.{}:HBM[", axi.top, s.name)), "{link}");
        }
        let channels: Vec<u32> =
            link.split(['[', ']', ':']).filter_map(|n| n.parse().ok()).filter(|n| *n < 32).collect();
        // The first number is that of kernels.
        assert!(channels[1..].is_sorted_by(|a, b| a < b), "{link}");
        let alone = vivado(&folder.join("out_of_context.tcl")).expect("Tcl is here").expect("it runs");
        assert_eq!(named(&said), named(&alone));
    }
}

#[test]
fn the_verilog_of_a_kernel_synthesizes() {
    let kind = *kinds().iter().find(|k| k.name() == "softmax").expect("registered");
    let core = kernel(kind, catalogue_config(kind)).expect("legal");
    let (_home, folder) = packed(core.as_ref(), Package::Xrt);
    let Some(said) = vivado(&folder.join("package_xo.tcl")) else { return };
    let (files, top) = (named(&said.expect("it runs")), generate::top(core.as_ref()));
    let tools = Tools::discover().expect("tools");
    assert_eq!(lint::lint(&files, &top, &tools).expect("lint runs"), []);
    let report = synthesize(&SynthRequest::new(&files, &top, Family::Xcup), &tools).expect("synthesizes");
    assert!(report.lut > 1000 && report.bram > 0.0, "{report:?}");
}

#[test]
fn packaging_scripts_of_kernels_that_vivado_would_refuse_are_refused() {
    let core = &kernels()[0];
    let faults = [
        ("-ctrl_protocol ap_ctrl_hs", "-ctrl_protocol ap_ctrl_hand", "no protocol"),
        ("-xo_path", "-xo_file", "package_xo does not know -xo_file"),
        (" 64 {m_axi_", " 64 {m_axi_no_", "there is no interface"),
        ("sdx_kernel_type rtl", "sdx_kernel_type hls", "sdx_kernel_type is not rtl"),
        ("{ IP_ISR 0x00c", "{ IP_ISR 0x010", "no register IP_ISR at 12"),
        ("add_register_parameter ASSOCIATED_BUSIF", "add_register_parameter ASSOCIATED", "no parameter ASSOCIATED"),
        ("close_project\n", "", "the project is open"),
    ];
    for (from, to, why) in faults {
        let (_home, folder) = packed(core.as_ref(), Package::Xrt);
        change(&folder.join("package_xo.tcl"), from, to);
        let Some(said) = vivado(&folder.join("package_xo.tcl")) else { return };
        let said = said.expect_err(to);
        assert!(said.contains(why), "`{to}`: {said}");
    }
}

/// The beats of a vector file below `tb/`, as they lie in memory.
fn in_memory(folder: &Path, name: &str, span: (usize, usize), bytes: usize) -> Vec<u8> {
    let text = fs::read_to_string(folder.join("tb").join(format!("{name}.hex"))).expect("written");
    let lines = text.lines().filter(|l| !l.starts_with("//")).skip(span.0).take(span.1);
    let beat = |line: &str| {
        let digits = format!("{line:0>width$}", width = 2 * bytes);
        let byte = |n: usize| u8::from_str_radix(&digits[2 * n..2 * n + 2], 16).expect("hexadecimal");
        (0..bytes).rev().map(byte).collect::<Vec<u8>>()
    };
    lines.flat_map(beat).collect()
}

/// Runs the host program of a kernel on the stand-in for XRT, after a change to one of its files; what is wrong, if anything. The
/// beats that it must send, and those that it gets, are packed by the generator.
fn host(core: &dyn Core, fault: Option<(&str, &str, &str)>) -> Option<String> {
    let (_home, folder) = packed(core, Package::Xrt);
    let axi = generate::axi_interface(core).expect("wrapped");
    if let Some((file, from, to)) = fault {
        change(&folder.join("xrt").join(file.replace("TOP", &axi.top)), from, to);
    }
    let built = folder.join("host");
    let mut compiler = tool("g++")?;
    compiler.args(["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", "-I"]).arg(repository().join("testbench/xrt"));
    let (good, said) = run(compiler.arg(folder.join("xrt/host.cpp")).arg("-o").arg(&built));
    if !good {
        return Some(said);
    }
    let text = fs::read_to_string(folder.join(format!("{}.json", core.name()))).expect("written");
    let description: Value = serde_json::from_str(&text).expect("JSON");
    let mut begin: BTreeMap<String, usize> = BTreeMap::new();
    for entry in description["jobs"].as_array().expect("jobs") {
        let (card, files) = (folder.join("card"), folder.join("job"));
        for place in [&card, &files] {
            fs::create_dir_all(place).expect("writable");
        }
        let job = job(core, entry["name"].as_str().expect("a name"));
        let outputs = core.golden(&job);
        for (name, values) in job.tensors.iter().filter(|(name, _)| !outputs.contains_key(*name)) {
            npy::write(&files.join(format!("{name}.npy")), values).expect("writable");
        }
        let written = |at: u32| {
            let write = entry["writes"].as_array()?.iter().find(|w| w["offset"] == at)?;
            write["value"].as_u64()
        };
        let offset = |name: &str| axi.registers.iter().find(|r| r.name == name).map_or(0, |r| r.offset);
        let hash =
            axi.registers.iter().flat_map(|r| &r.fields).find(|f| f.name == "config_hash").map_or(0, |f| f.reset);
        fs::write(card.join("registers"), format!("{} {hash}\n", offset("config_hash"))).expect("writable");
        let mut expected = vec![];
        for (n, s) in axi.streams.iter().enumerate() {
            let bytes = s.memory().expect("a master").beat_bytes() as usize;
            let beats = written(offset(&format!("{}_beats", s.stream))).expect("a job says it") as usize;
            let first = *begin.get(&s.stream).unwrap_or(&0);
            let input = s.dir == bitlathe_spec::Dir::In;
            let name = if input { s.stream.clone() } else { format!("{}_expected", s.stream) };
            let data = in_memory(&folder, &name, (first, beats), bytes);
            if input {
                expected.push((n, data));
            } else {
                fs::write(card.join(format!("{n}.out")), data).expect("writable");
            }
            *begin.entry(s.stream.clone()).or_default() += entry["beats"][&s.stream].as_u64().expect("beats") as usize;
        }
        fs::write(folder.join("k.xclbin"), "").expect("writable");
        let (good, said) =
            run(Command::new(&built).env("XRT_STAND_IN", &card).arg(folder.join("k.xclbin")).arg(&files));
        if !good {
            return Some(said);
        }
        for (n, data) in expected {
            if fs::read(card.join(format!("{n}.in"))).expect("sent") != data {
                return Some(format!("{}: other beats of argument {n}", core.config()));
            }
        }
        let arguments = fs::read_to_string(card.join("arguments")).expect("written");
        let arguments: Vec<u64> = arguments.lines().filter_map(|l| l.split(' ').nth(1)?.parse().ok()).collect();
        let writes: Vec<u64> =
            entry["writes"].as_array().expect("writes").iter().filter_map(|w| w["value"].as_u64()).collect();
        if arguments != writes {
            return Some(format!("{}: arguments {arguments:?}, expected {writes:?}", core.config()));
        }
        for (name, values) in &outputs {
            if npy::read(&files.join(format!("{name}.npy"))).expect("written") != *values {
                return Some(format!("{}: other values of {name}", core.config()));
            }
        }
    }
    None
}

#[test]
fn the_host_program_sends_the_beats_that_the_kernel_takes_and_gives_back_the_model() {
    let covers = kinds().iter().flat_map(|k| k.space().cover().into_iter().step_by(48).filter_map(|c| kernel(*k, c)));
    let cores: Vec<_> = kernels().into_iter().chain(covers).collect();
    let failures: Vec<String> = cores.par_iter().filter_map(|core| host(core.as_ref(), None)).collect();
    assert!(failures.is_empty(), "{} of {} fail\n{}", failures.len(), cores.len(), failures.join("\n\n"));
}

#[test]
fn broken_host_programs_are_found() {
    let Some(_) = tool("g++") else { return };
    let faults = [
        ("tensor.hpp", "weight *= static_cast<uint64_t>(high - low + 1)", "weight *= 2"),
        (
            "tensor.hpp",
            "static_cast<int64_t>(value << above) >> above : static_cast<int64_t>(value);\n  });",
            "1 : 1;\n  });",
        ),
        ("tensor.hpp", "index == PAD ? 0 : tensor.data[index]", "tensor.data[index == PAD ? 0 : index]"),
        (
            "host.cpp",
            "job::stream_x::LANES.beat_bytes, kernel.group_id(0)",
            "job::stream_x::LANES.beat_bytes, kernel.group_id(1)",
        ),
        ("host.cpp", "_CONFIG_HASH_VALUE)", "_CONFIG_HASH_VALUE + 1)"),
    ];
    let cores = kernels();
    let missed: Vec<_> =
        faults.par_iter().filter(|f| cores.iter().take(1).all(|c| host(c.as_ref(), Some(**f)).is_none())).collect();
    assert!(missed.is_empty(), "{missed:?}");
}
