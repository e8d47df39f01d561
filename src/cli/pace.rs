//! How far a batch job is and how long it will still take: a bar on a terminal, else a note every ten seconds, so that
//! the log of a job that nobody watches shows where it was.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use super::output::{self, Format};
use super::progress::Progress;

/// Seconds between two notes. A job that takes less says nothing.
const NOTE_SECONDS: u64 = 10;

/// The pace of a job that has several stretches of work.
pub(crate) struct Pace {
    format: Format,
    bar: Option<Progress>,
    stretch: Option<Stretch>,
    told: Instant,
}

/// One stretch of it: so many of something.
struct Stretch {
    what: &'static str,
    since: Instant,
    /// Where it was when it was first heard of, which is not at its beginning when a run goes on.
    from: u64,
}

impl Pace {
    pub(crate) fn new(format: Format) -> Self {
        let bar = io::stderr().is_terminal().then(Progress::paced);
        Self { format, bar, stretch: None, told: Instant::now() }
    }

    pub(crate) fn set(&mut self, what: &'static str, done: u64, total: u64) {
        if let Some(bar) = &self.bar {
            return bar.set_of(what, done, total);
        }
        let now = Instant::now();
        let stretch = match &mut self.stretch {
            Some(stretch) if stretch.what == what => stretch,
            slot => slot.insert(Stretch { what, since: now, from: done }),
        };
        if now.duration_since(self.told) >= Duration::from_secs(NOTE_SECONDS) {
            self.told = now;
            let elapsed_ms = u64::try_from(now.duration_since(stretch.since).as_millis()).unwrap_or(u64::MAX);
            output::note(
                self.format,
                "replay.progress",
                &sentence(what, done, total, stretch.from, elapsed_ms),
            );
        }
    }
}

/// Rate and remaining time are of what this process did.
fn sentence(what: &str, done: u64, total: u64, from: u64, elapsed_ms: u64) -> String {
    let rate = u128::from(done.saturating_sub(from)) * 1000 / u128::from(elapsed_ms.max(1));
    let left = match u128::from(total.saturating_sub(done)).checked_div(rate) {
        Some(seconds) => format!("about {seconds} s left"),
        None => "no telling how long it takes".to_owned(),
    };
    format!("{done} of {total} {what}, {rate} a second, {left}")
}

#[cfg(test)]
mod tests {
    use super::sentence;

    #[test]
    fn a_pace_is_of_this_process() {
        let told = sentence("entries replayed", 30_000, 100_000, 10_000, 10_000);
        assert_eq!(told, "30000 of 100000 entries replayed, 2000 a second, about 35 s left");
        let none = sentence("entries replayed", 5, 10, 5, 10_000);
        assert_eq!(none, "5 of 10 entries replayed, 0 a second, no telling how long it takes");
    }
}
