//! Runs a child process to its end or to a time limit, with its output captured; every tool call goes through here.
//!
//! A run never hangs: at the limit the child and all its descendants are killed, and output that a stray descendant
//! still holds open is not waited for.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

/// How long to wait for the rest of the output after the child has ended.
const DRAIN: Duration = Duration::from_secs(2);
/// Lines of output that an error shows.
const TAIL_LINES: usize = 20;

/// What a finished child left.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// Wall time.
    pub elapsed: Duration,
}

/// A child that did not do its work.
#[derive(Debug, Error)]
#[allow(missing_docs)]
pub enum ProcessError {
    #[error("cannot start `{command}`: {source}")]
    Start { command: String, source: std::io::Error },
    #[error("lost track of `{command}`: {source}")]
    Wait { command: String, source: std::io::Error },
    #[error("`{command}` did not finish within {seconds} s and was ended\n{tail}")]
    Timeout { command: String, seconds: f64, tail: String },
    #[error("`{command}` {how}\n{tail}")]
    Failed { command: String, how: String, tail: String },
}

/// Runs a command; any exit code is a success here.
pub fn run(command: &mut Command, limit: Duration) -> Result<Output, ProcessError> {
    let shown = describe(command);
    tracing::debug!(command = shown, "start");
    let start = Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|source| ProcessError::Start { command: shown.clone(), source })?;
    let stdout = child.stdout.take().map(collect);
    let stderr = child.stderr.take().map(collect);
    let status = wait(&mut child, start + limit);
    if !matches!(status, Ok(Some(_))) {
        kill_tree(&mut child);
    }
    let deadline = Instant::now() + DRAIN;
    let [stdout, stderr] = [stdout, stderr].map(|s| s.map_or_else(String::new, |s| text(s, deadline)));
    let elapsed = start.elapsed();
    tracing::debug!(command = shown, seconds = elapsed.as_secs_f64(), "end");
    match status {
        Ok(Some(status)) => Ok(Output { code: status.code(), stdout, stderr, elapsed }),
        Ok(None) => {
            let tail = tail(&(stdout + &stderr));
            Err(ProcessError::Timeout { command: shown, seconds: limit.as_secs_f64(), tail })
        }
        Err(source) => Err(ProcessError::Wait { command: shown, source }),
    }
}

/// Runs a command; an exit code other than 0 is an error with the tail of the output.
pub fn run_ok(command: &mut Command, limit: Duration) -> Result<Output, ProcessError> {
    let output = run(command, limit)?;
    if output.code == Some(0) {
        return Ok(output);
    }
    let how = output.code.map_or_else(|| "was ended by a signal".to_string(), |c| format!("exited with code {c}"));
    let tail = tail(&(output.stdout + &output.stderr));
    Err(ProcessError::Failed { command: describe(command), how, tail })
}

/// The command as one line for messages; long argument lists are cut.
pub fn describe(command: &Command) -> String {
    const LONGEST: usize = 400;
    let mut line = command.get_program().to_string_lossy().into_owned();
    for arg in command.get_args() {
        line.push(' ');
        line.push_str(&arg.to_string_lossy());
    }
    if line.chars().count() > LONGEST {
        line = line.chars().take(LONGEST).chain(" …".chars()).collect();
    }
    line
}

/// The last lines of a text, as shown in errors.
pub fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim_end).filter(|l| !l.is_empty()).collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}

/// Waits for the end; `None` at the deadline.
fn wait(child: &mut Child, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Reads a pipe on a thread of its own, piece by piece.
fn collect(mut pipe: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(n @ 1..) = pipe.read(&mut buffer) {
            if send.send(buffer[..n].to_vec()).is_err() {
                break;
            }
        }
    });
    receive
}

/// What was read until the pipe closed or the deadline passed.
fn text(pieces: Receiver<Vec<u8>>, deadline: Instant) -> String {
    let mut bytes = Vec::new();
    while let Ok(piece) = pieces.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        bytes.extend(piece);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Ends the child and everything that it started.
fn kill_tree(child: &mut Child) {
    let descendants = descendants(child.id());
    if let Err(e) = child.kill() {
        tracing::warn!(id = child.id(), "cannot end the child: {e}");
    }
    for pid in descendants {
        if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
            // One that has ended by itself meanwhile is what we want.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
    if let Err(e) = child.wait() {
        tracing::warn!(id = child.id(), "cannot collect the child: {e}");
    }
}

/// Process ids below `root`, from the process table; empty where there is no `/proc`.
fn descendants(root: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> =
        std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(parent).collect();
    let mut found = vec![root];
    let mut next = 0;
    while next < found.len() {
        let parent = found[next];
        found.extend(parents.iter().filter(|(_, p)| *p == parent).map(|(pid, _)| *pid));
        next += 1;
    }
    found.split_off(1)
}

/// The ids of a process and of its parent, from its entry in `/proc`.
fn parent(entry: std::fs::DirEntry) -> Option<(u32, u32)> {
    let pid = entry.file_name().to_str()?.parse().ok()?;
    let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
    // `pid (name) state ppid …`, where the name may hold anything.
    let ppid = stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
    Some((pid, ppid))
}
