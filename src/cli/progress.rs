//! Signs of life on a terminal's standard error; elsewhere nothing.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output;

/// A bar where the end is known, else a counter. Without a terminal it does nothing.
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Nothing at all.
    pub(crate) fn none() -> Self {
        Self { bar: ProgressBar::hidden() }
    }

    /// Counts `what`, with no end known.
    pub(crate) fn counter(what: &'static str) -> Self {
        let bar = Self::styled(ProgressBar::new_spinner(), "{spinner} {human_pos} {msg}  {elapsed}");
        bar.set_message(what);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    /// [`Progress::counter`], but not where results scroll past on the same terminal.
    pub(crate) fn beside_results(what: &'static str) -> Self {
        if output::is_terminal() { Self::none() } else { Self::counter(what) }
    }

    /// Goes up to `total` of `what`.
    pub(crate) fn up_to(total: u64, what: &'static str) -> Self {
        let bar =
            Self::styled(ProgressBar::new(total), "{bar:30} {human_pos} of {human_len} {msg}  {eta} left");
        bar.set_message(what);
        Self { bar }
    }

    /// Goes up to a number that the first [`Progress::set_of`] names, and shows how quick it is.
    pub(crate) fn paced() -> Self {
        let template = "{bar:30} {human_pos} of {human_len} {msg}  {per_sec}  {eta} left";
        Self { bar: Self::styled(ProgressBar::new(0), template) }
    }

    /// Goes up to a number of bytes that the first [`Progress::set`] names.
    pub(crate) fn bytes() -> Self {
        Self {
            bar: Self::styled(
                ProgressBar::new(0),
                "{bar:30} {binary_bytes} of {binary_total_bytes}  {eta} left",
            ),
        }
    }

    fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
        match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        }
    }

    pub(crate) fn advance(&self, count: u64) {
        self.bar.inc(count);
    }

    /// How far the work is that `what` names.
    pub(crate) fn set_of(&self, what: &'static str, done: u64, total: u64) {
        self.bar.set_message(what);
        self.set(done, total);
    }

    pub(crate) fn set(&self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
