//! Progress on standard error: a bar or a spinner on a terminal, nothing elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Whether progress is shown; `--json` hides it.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Never shown.
    pub hidden: bool,
}

impl Progress {
    /// Something of unknown length.
    pub fn spinner(self, text: impl Into<String>) -> ProgressBar {
        let bar = self.bar_of(ProgressBar::no_length(), "{spinner} {msg} ({elapsed})");
        bar.set_message(text.into());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    /// Something with a number of steps, which the first call of `set_length` may still tell.
    pub fn bar(self, text: impl Into<String>) -> ProgressBar {
        let bar = self.bar_of(ProgressBar::new(1), "{msg} [{wide_bar:.cyan/blue}] {pos}/{len} ({eta})");
        bar.set_message(text.into());
        bar
    }

    /// The drawing target hides itself where standard error is no terminal.
    fn bar_of(self, bar: ProgressBar, template: &str) -> ProgressBar {
        bar.set_draw_target(if self.hidden { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() });
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        bar
    }
}
