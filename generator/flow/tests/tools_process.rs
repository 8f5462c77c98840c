//! Children that succeed, fail, hang, or leave descendants behind.

use std::process::Command;
use std::time::{Duration, Instant};

use bitlathe_flow::process::{ProcessError, run, run_ok};

fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    command
}

#[test]
fn output_and_exit_code_are_captured() {
    let output = run(&mut shell("echo out; echo err >&2; exit 3"), Duration::from_secs(10)).unwrap();
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (Some(3), "out\n", "err\n"));
}

#[test]
fn more_output_than_a_pipe_holds_does_not_block() {
    let output = run_ok(
        &mut shell("head -c 3000000 /dev/zero | tr '\\0' x; head -c 300000 /dev/zero | tr '\\0' y >&2"),
        Duration::from_secs(20),
    );
    let output = output.unwrap();
    assert_eq!((output.stdout.len(), output.stderr.len()), (3_000_000, 300_000));
}

#[test]
fn a_failure_names_command_code_and_the_end_of_the_output() {
    let script = "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); done; echo the reason >&2; exit 4";
    let text = run_ok(&mut shell(script), Duration::from_secs(10)).unwrap_err().to_string();
    assert!(text.starts_with("`sh -c ") && text.contains("exited with code 4"), "{text}");
    assert!(text.contains("line 99") && text.ends_with("the reason") && !text.contains("line 50"), "{text}");
    let absent = run(&mut Command::new("bitlathe-no-such-tool"), Duration::from_secs(1)).unwrap_err().to_string();
    assert!(absent.contains("cannot start `bitlathe-no-such-tool`"), "{absent}");
}

#[test]
fn a_time_limit_ends_the_child_and_its_descendants() {
    let folder = tempfile::tempdir().unwrap();
    let note = folder.path().join("alive");
    // The grandchild keeps the output open and would write a file after a second.
    let script = format!("echo started; (sleep 1; touch {}) & wait", note.display());
    let start = Instant::now();
    let error = run(&mut shell(&script), Duration::from_millis(300)).unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(matches!(&error, ProcessError::Timeout { tail, .. } if tail == "started"), "{error}");
    std::thread::sleep(Duration::from_millis(1200));
    assert!(!note.exists());
}

#[test]
fn a_descendant_that_outlives_its_parent_does_not_hold_the_run() {
    let start = Instant::now();
    let output = run(&mut shell("sleep 20 & echo done"), Duration::from_secs(10)).unwrap();
    assert_eq!(output.stdout, "done\n");
    assert!(start.elapsed() < Duration::from_secs(5));
}
