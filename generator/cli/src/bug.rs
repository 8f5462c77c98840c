//! Turns a panic, which is a bug of the program, into a message that a user can pass on.

use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::{Mutex, PoisonError};

use crate::report::{Exit, Failure, Finding};

/// What the last panic said and where.
static LAST: Mutex<String> = Mutex::new(String::new());

const ASK: &str = "please report it with the config, the command and this message";

/// Replaces the message of a panic.
pub fn install_hook() {
    std::panic::set_hook(Box::new(|info| {
        let text = describe(info);
        // Nobody is left to be told where standard error is closed.
        let _ =
            writeln!(std::io::stderr(), "B001: a bug of bitlathe {}: {text}\n  help: {ASK}", env!("CARGO_PKG_VERSION"));
        *LAST.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }));
}

/// The last panic as a failure.
pub fn failure() -> Failure {
    let text = LAST.lock().unwrap_or_else(PoisonError::into_inner).clone();
    Failure::one(Exit::Tool, Finding::new("B001", format!("a bug of bitlathe: {text}")).help(ASK))
}

fn describe(info: &PanicHookInfo) -> String {
    let payload = info.payload();
    let said = payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    let place = info.location().map(|l| format!(" ({}:{})", l.file(), l.line())).unwrap_or_default();
    format!("{}{place}", said.unwrap_or("it says nothing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_failure_of_the_program() {
        install_hook();
        assert!(std::panic::catch_unwind(|| panic!("the {} is loose", "belt")).is_err());
        let failure = failure();
        assert_eq!(failure.exit, Exit::Tool);
        assert!(failure.findings[0].message.starts_with("a bug of bitlathe: the belt is loose (generator"));
    }
}
