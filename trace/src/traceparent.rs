//! The `traceparent` header of W3C Trace Context, levels 1 and 2: how a trace id reaches us
//! from a caller and leaves with a call.
//!
//! ```text
//! 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//! version  trace id (32)            parent id (16)     flags     55 characters
//! ```

use std::fmt;
use std::str::FromStr;

use proofline_canon::unhex;

use crate::ids::{SpanId, TraceId};
use crate::record::TraceContext;

/// The length of version 00 and of the known part of every later version.
const KNOWN_CHARS: usize = 55;
/// A version that is invalid for good (W3C Trace Context §3.2.2.1).
const FORBIDDEN_VERSION: u8 = 0xff;

/// The flags byte (W3C Trace Context §3.2.2.5).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceFlags(u8);

impl TraceFlags {
    /// The caller may have recorded the trace.
    pub const SAMPLED: Self = Self(0x01);
    /// The right half of the trace id is random (level 2).
    pub const RANDOM: Self = Self(0x02);
    const KNOWN: u8 = Self::SAMPLED.0 | Self::RANDOM.0;

    /// Flags of this byte; bits without a meaning are kept, and dropped on writing.
    #[must_use]
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The byte as it was read.
    #[must_use]
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether the sampled flag is set.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.0 & Self::SAMPLED.0 != 0
    }

    /// Whether the random flag is set.
    #[must_use]
    pub const fn is_random(self) -> bool {
        self.0 & Self::RANDOM.0 != 0
    }
}

/// A parsed header.
///
/// Displayed as version 00 with the known flags only, as §3.2.2.5 wants of whoever passes it on.
///
/// ```
/// use proofline_trace::TraceParent;
///
/// let header: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?;
/// let here = header.child("b7ad6b7169203331".parse()?);
/// assert_eq!(here.parent_span_id(), Some(header.parent_id));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceParent {
    /// The trace.
    pub trace_id: TraceId,
    /// The caller's span.
    pub parent_id: SpanId,
    /// Its flags.
    pub flags: TraceFlags,
}

impl TraceParent {
    /// The header to send with a call made in this context.
    #[must_use]
    pub const fn of(trace: &TraceContext, flags: TraceFlags) -> Self {
        Self { trace_id: trace.trace_id(), parent_id: trace.span_id(), flags }
    }

    /// The context of a span of ours below the caller's.
    #[must_use]
    pub const fn child(&self, span_id: SpanId) -> TraceContext {
        TraceContext::Child { trace_id: self.trace_id, span_id, parent_span_id: self.parent_id }
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = self.flags.0 & TraceFlags::KNOWN;
        write!(f, "00-{}-{}-{flags:02x}", self.trace_id, self.parent_id)
    }
}

/// Why a header is not a `traceparent`; the specification wants it ignored and a new trace begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceParentError {
    /// Not as long as its version wants.
    #[error("a traceparent of version 00 has 55 characters, a later one at least that; this has {length}")]
    Length {
        /// Bytes found.
        length: usize,
    },
    /// The version is not two lower-case hex digits, or is `ff`.
    #[error("the version of a traceparent is two lower-case hex digits, and not ff")]
    Version,
    /// A field does not begin behind a hyphen.
    #[error("expected a hyphen at byte {offset} of the traceparent")]
    Separator {
        /// Where it should be.
        offset: usize,
    },
    /// The trace id is not 32 lower-case hex digits, or is zero.
    #[error("the trace id of a traceparent is 32 lower-case hex digits, not all zero")]
    TraceId,
    /// The parent id is not 16 lower-case hex digits, or is zero.
    #[error("the parent id of a traceparent is 16 lower-case hex digits, not all zero")]
    ParentId,
    /// The flags are not two lower-case hex digits.
    #[error("the flags of a traceparent are two lower-case hex digits")]
    Flags,
}

impl TraceParentError {
    /// A stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "traceparent.length",
            Self::Version => "traceparent.version",
            Self::Separator { .. } => "traceparent.separator",
            Self::TraceId => "traceparent.trace_id",
            Self::ParentId => "traceparent.parent_id",
            Self::Flags => "traceparent.flags",
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        "ignore the header and begin a trace with a fresh id (W3C Trace Context, section 3.2.2.3)"
    }
}

impl FromStr for TraceParent {
    type Err = TraceParentError;

    fn from_str(text: &str) -> Result<Self, TraceParentError> {
        let version = version(text)?;
        check_shape(text, version)?;
        let field = |range| text.get(range).unwrap_or_default();
        Ok(Self {
            trace_id: field(3..35).parse().map_err(|_| TraceParentError::TraceId)?,
            parent_id: field(36..52).parse().map_err(|_| TraceParentError::ParentId)?,
            flags: byte(field(53..55)).map(TraceFlags).ok_or(TraceParentError::Flags)?,
        })
    }
}

fn version(text: &str) -> Result<u8, TraceParentError> {
    let digits = text.get(..2).ok_or(TraceParentError::Length { length: text.len() })?;
    byte(digits).filter(|version| *version != FORBIDDEN_VERSION).ok_or(TraceParentError::Version)
}

/// Lengths and hyphens; a later version may go on behind one more hyphen (§3.2.4).
fn check_shape(text: &str, version: u8) -> Result<(), TraceParentError> {
    let length = text.len();
    if length < KNOWN_CHARS || (version == 0 && length != KNOWN_CHARS) {
        return Err(TraceParentError::Length { length });
    }
    let has_hyphen = |offset: &usize| text.as_bytes().get(*offset).is_none_or(|byte| *byte == b'-');
    match [2, 35, 52, KNOWN_CHARS].into_iter().find(|offset| !has_hyphen(offset)) {
        Some(offset) => Err(TraceParentError::Separator { offset }),
        None => Ok(()),
    }
}

fn byte(digits: &str) -> Option<u8> {
    unhex::<1>(digits).map(|[byte]| byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_specifications_example_reads_and_writes_back() {
        let parsed: TraceParent = EXAMPLE.parse().unwrap();
        assert_eq!(parsed.trace_id.to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(parsed.parent_id.to_string(), "00f067aa0ba902b7");
        assert!(parsed.flags.is_sampled() && !parsed.flags.is_random());
        assert_eq!(parsed.to_string(), EXAMPLE);
    }

    #[test]
    fn unknown_flags_are_read_and_not_passed_on() {
        let parsed: TraceParent = EXAMPLE.replace("-01", "-ff").parse().unwrap();
        assert_eq!(parsed.flags.bits(), 0xff);
        assert_eq!(parsed.to_string(), EXAMPLE.replace("-01", "-03"));
    }

    #[test]
    fn later_versions_may_be_longer_and_are_passed_on_as_00() {
        for text in [
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-else",
        ] {
            assert_eq!(text.parse::<TraceParent>().unwrap().to_string(), EXAMPLE);
        }
    }

    #[test]
    fn everything_else_is_refused_by_name() {
        let table = [
            ("", "traceparent.length"),
            ("00", "traceparent.length"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0", "traceparent.length"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-", "traceparent.length"),
            (" 0-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "traceparent.version"),
            ("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "traceparent.version"),
            ("CC-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "traceparent.version"),
            ("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.x", "traceparent.separator"),
            ("00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "traceparent.separator"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7-01", "traceparent.separator"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7_01", "traceparent.separator"),
            ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", "traceparent.trace_id"),
            ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", "traceparent.trace_id"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "traceparent.parent_id"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902bé-01", "traceparent.length"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x", "traceparent.flags"),
            ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0A", "traceparent.flags"),
        ];
        for (text, code) in table {
            assert_eq!(text.parse::<TraceParent>().unwrap_err().code(), code, "{text:?}");
        }
    }

    #[test]
    fn a_context_leaves_as_its_own_span() {
        let parsed: TraceParent = EXAMPLE.parse().unwrap();
        let here = parsed.child("b7ad6b7169203331".parse().unwrap());
        let onward = TraceParent::of(&here, TraceFlags::default());
        assert_eq!(onward.to_string(), "00-4bf92f3577b34da6a3ce929d0e0e4736-b7ad6b7169203331-00");
    }
}
