//! The one text form of a moment in artifacts: `1970-01-01T00:00:00.000Z`, always with
//! milliseconds, always UTC, years 0001 to 9999.

use std::fmt;
use std::str::FromStr;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::phrase;
use crate::words::{WordError, WordFault, text_form};

const NANOS_PER_MS: i128 = 1_000_000;

/// A moment, to the millisecond.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    unix_ms: i64,
}

/// Why a text or number is not a moment that a record can hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TimestampError {
    /// Not a date and time of RFC 3339.
    #[error("{found} is not a date and time such as 2026-01-31T00:00:00.000Z")]
    NotRfc3339 {
        /// An escaped excerpt of the text.
        found: String,
    },
    /// A fraction that milliseconds cannot hold.
    #[error("the time has digits below the millisecond, which a record cannot hold")]
    TooFine,
    /// Before year 1 or after year 9999, in UTC.
    #[error("the time lies outside the years 0001 to 9999")]
    OutOfRange,
}

impl TimestampError {
    /// A stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotRfc3339 { .. } => "timestamp.not_rfc3339",
            Self::TooFine => "timestamp.too_fine",
            Self::OutOfRange => "timestamp.out_of_range",
        }
    }
}

impl Timestamp {
    /// `1970-01-01T00:00:00.000Z`, the default clock of a replay.
    pub const EPOCH: Self = Self { unix_ms: 0 };
    /// `0001-01-01T00:00:00.000Z`
    pub const MIN: Self = Self { unix_ms: -62_135_596_800_000 };
    /// `9999-12-31T23:59:59.999Z`
    pub const MAX: Self = Self { unix_ms: 253_402_300_799_999 };

    /// The moment this many milliseconds after (or before) the epoch.
    ///
    /// # Errors
    /// It lies outside the years 0001 to 9999.
    pub const fn from_unix_ms(unix_ms: i64) -> Result<Self, TimestampError> {
        if unix_ms < Self::MIN.unix_ms || unix_ms > Self::MAX.unix_ms {
            return Err(TimestampError::OutOfRange);
        }
        Ok(Self { unix_ms })
    }

    /// Milliseconds since the epoch, negative before it.
    #[must_use]
    pub const fn unix_ms(self) -> i64 {
        self.unix_ms
    }

    /// Reads any date and time of RFC 3339, with whatever offset; what people type.
    ///
    /// # Errors
    /// Not RFC 3339, finer than a millisecond, or out of range in UTC.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimestampError> {
        let not_rfc3339 = |_| TimestampError::NotRfc3339 { found: phrase::quoted(text) };
        let nanos = OffsetDateTime::parse(text, &Rfc3339).map_err(not_rfc3339)?.unix_timestamp_nanos();
        if nanos % NANOS_PER_MS != 0 {
            return Err(TimestampError::TooFine);
        }
        let unix_ms = i64::try_from(nanos / NANOS_PER_MS).map_err(|_| TimestampError::OutOfRange)?;
        Self::from_unix_ms(unix_ms)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = i128::from(self.unix_ms) * NANOS_PER_MS;
        let moment = OffsetDateTime::from_unix_timestamp_nanos(nanos).map_err(|_| fmt::Error)?;
        let (year, month, day) = moment.to_calendar_date();
        let (hour, minute, second, ms) = moment.to_hms_milli();
        let month = u8::from(month);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{ms:03}Z")
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The strict form of records only; see [`Timestamp::parse_rfc3339`] for what people type.
impl FromStr for Timestamp {
    type Err = WordError;

    fn from_str(text: &str) -> Result<Self, WordError> {
        let parsed = Self::parse_rfc3339(text).ok().filter(|moment| moment.to_string() == text);
        parsed.ok_or_else(|| {
            let shape = "a moment in the form 1970-01-01T00:00:00.000Z, years 0001 to 9999";
            WordError::new("a timestamp", WordFault::Pattern { found: phrase::quoted(text), shape })
        })
    }
}

text_form!(Timestamp);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_always_show_milliseconds_and_z() {
        // Computed with Python: datetime(...).timestamp() * 1000.
        let table = [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (1_769_817_600_000, "2026-01-31T00:00:00.000Z"),
            (951_782_400_007, "2000-02-29T00:00:00.007Z"),
            (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
        ];
        for (unix_ms, text) in table {
            let moment = Timestamp::from_unix_ms(unix_ms).unwrap();
            assert_eq!(moment.to_string(), text);
            assert_eq!(text.parse::<Timestamp>().unwrap(), moment);
        }
    }

    #[test]
    fn years_end_at_0001_and_9999() {
        for unix_ms in [-62_135_596_800_001, 253_402_300_800_000, i64::MIN, i64::MAX] {
            assert_eq!(Timestamp::from_unix_ms(unix_ms), Err(TimestampError::OutOfRange));
        }
        for text in ["0000-12-31T23:59:59Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01"] {
            assert_eq!(Timestamp::parse_rfc3339(text), Err(TimestampError::OutOfRange), "{text}");
        }
    }

    #[test]
    fn people_may_type_offsets_and_short_fractions() {
        let moment = Timestamp::from_unix_ms(1_769_817_600_500).unwrap();
        for text in
            ["2026-01-31T00:00:00.5Z", "2026-01-31T01:00:00.500+01:00", "2026-01-30T23:30:00.50000000-00:30"]
        {
            assert_eq!(Timestamp::parse_rfc3339(text), Ok(moment), "{text}");
            assert_eq!(text.parse::<Timestamp>().unwrap_err().code(), "trace.word_pattern", "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused_by_name() {
        for text in ["", "now", "2026-01-31", "2026-02-29T00:00:00Z", "2026-01-31T00:00:00", "1769817600"] {
            assert_eq!(Timestamp::parse_rfc3339(text).unwrap_err().code(), "timestamp.not_rfc3339", "{text}");
        }
        assert_eq!(Timestamp::parse_rfc3339("2026-01-31T00:00:00.0001Z"), Err(TimestampError::TooFine));
    }
}
