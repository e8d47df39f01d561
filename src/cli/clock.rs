//! The one place that reads the system clock. Libraries take the time they are given.

use std::time::{SystemTime, UNIX_EPOCH};

use proofline::trace::{Timestamp, TimestampError};

/// Where a verb takes its time from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Clock {
    /// The system's clock, read when asked.
    System,
    /// A moment that was given.
    Fixed(Timestamp),
}

impl Clock {
    /// Reads `now` or a date and time of RFC 3339, for clap.
    pub(crate) fn parse(text: &str) -> Result<Self, TimestampError> {
        match text {
            "now" => Ok(Self::System),
            other => Timestamp::parse_rfc3339(other).map(Self::Fixed),
        }
    }

    /// Unix milliseconds; a moment before the epoch counts as the epoch.
    pub(crate) fn now_ms(self) -> u64 {
        match self {
            Self::System => system_ms(),
            Self::Fixed(moment) => u64::try_from(moment.unix_ms()).unwrap_or(0),
        }
    }

    /// The moment as records show it.
    pub(crate) fn now(self) -> Timestamp {
        match self {
            Self::System => moment(system_ms()).unwrap_or(Timestamp::MAX),
            Self::Fixed(moment) => moment,
        }
    }
}

/// Unix milliseconds as a moment, if it lies in the years that a record can hold.
pub(crate) fn moment(unix_ms: u64) -> Option<Timestamp> {
    Timestamp::from_unix_ms(i64::try_from(unix_ms).ok()?).ok()
}

fn system_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
