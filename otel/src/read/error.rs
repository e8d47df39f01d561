//! Why an input is not read at all. What is wrong with one span stops nothing: it is a
//! [`SpanFault`](super::SpanFault). Codes are stable and listed in `docs/errors.md`.

use std::fmt;
use std::io;

use super::item::{Place, Signal};
use super::options::Framing;

/// What is wrong with JSON as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JsonFault {
    /// The text ends inside a value.
    #[error("the text ends inside a value")]
    UnexpectedEnd,
    /// A byte that cannot stand here.
    #[error("byte 0x{found:02x} instead of {expected}")]
    UnexpectedByte {
        /// The byte.
        found: u8,
        /// What could stand here.
        expected: &'static str,
    },
    /// A word that is none of `true`, `false`, `null`.
    #[error("a word that is none of true, false, null")]
    BadWord,
    /// A number outside the grammar of RFC 8259 §6.
    #[error("a malformed number")]
    BadNumber,
    /// A raw character below U+0020 in a string.
    #[error("a raw control character in a string")]
    ControlCharacter,
    /// More open arrays and objects than the reader counts.
    #[error("more than {0} open arrays and objects")]
    TooDeep(usize),
}

/// Where OTLP's outer members are not what they have to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShapeFault {
    /// A document that is no object.
    #[error("a document that is no object")]
    Document,
    /// A member that has to be an array of objects.
    #[error("`{0}` is not an array of objects")]
    NotObjects(&'static str),
    /// A member for the second time in one object.
    #[error("`{0}` for the second time in one object")]
    Repeated(&'static str),
}

/// Where protobuf framing breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameFault {
    /// A tag that does not stand at this level.
    #[error("tag 0x{found:02x} where {expected} has to stand")]
    Tag {
        /// The byte.
        found: u8,
        /// What could stand here.
        expected: &'static str,
    },
    /// A varint without an end, or above 64 bits.
    #[error("no varint")]
    Varint,
    /// A length that goes beyond what holds it.
    #[error("a length of {length} bytes where {left} are left")]
    Length {
        /// The length that is declared.
        length: u64,
        /// The bytes that there are.
        left: u64,
    },
    /// The input ends inside a length.
    #[error("the input ends inside a length")]
    End,
    /// A frame that begins as a zstd frame does.
    #[error("a zstd frame, which is not read")]
    Zstd,
    /// A frame that begins with `{` and is no JSON document.
    #[error("a frame that begins like JSON and is none")]
    Json,
}

/// One reading of the input that did not hold: which, where it broke, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// The reading.
    pub framing: Framing,
    /// The byte where it broke, in the unpacked input.
    pub offset: u64,
    /// Why.
    pub cause: Cause,
}

/// Why a reading did not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// Not JSON.
    #[error(transparent)]
    Json(#[from] JsonFault),
    /// JSON, but not the JSON of OTLP.
    #[error(transparent)]
    Shape(#[from] ShapeFault),
    /// Not frames.
    #[error(transparent)]
    Frame(#[from] FrameFault),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "as {} it breaks at byte {}: {}", self.framing.name(), self.offset, self.cause)
    }
}

impl Framing {
    /// The word of the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Json => "json",
            Self::Single => "single",
            Self::Varint => "varint",
            Self::U32be => "u32be",
        }
    }
}

/// Why an input is not read, or not read further.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The input could not be read, or what is kept beside it not written.
    #[error("the input could not be {doing} at byte {offset}")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Where.
        offset: u64,
        /// What the system says.
        source: io::Error,
    },
    /// Zstandard, which is not unpacked here.
    #[error("the input is compressed with zstd")]
    Zstd,
    /// A gzip stream that is cut, damaged, or followed by something else.
    #[error("the gzip stream is damaged or cut after {unpacked_bytes} unpacked bytes")]
    Gzip {
        /// How many bytes came out before.
        unpacked_bytes: u64,
        /// What the decoder says.
        source: io::Error,
    },
    /// Gzip within gzip within gzip.
    #[error("more than {0} layers of gzip")]
    Layers(u32),
    /// More unpacked bytes than the limit.
    #[error("the input unpacks to more than {limit_bytes} bytes")]
    Unpacked {
        /// The limit.
        limit_bytes: u64,
    },
    /// More unpacked bytes for each packed one than telemetry ever has.
    #[error("{packed_bytes} packed bytes unpack to {unpacked_bytes} and more, over {ratio} times as many")]
    Ratio {
        /// Packed bytes so far.
        packed_bytes: u64,
        /// Unpacked bytes so far.
        unpacked_bytes: u64,
        /// The limit.
        ratio: u64,
    },
    /// No framing consumes the whole input.
    #[error("the input is in no framing of OTLP; the best reading got to byte {}: {}", best.offset, Readings(readings))]
    NoFraming {
        /// The reading that got furthest.
        best: Broken,
        /// Every reading that was tried.
        readings: Vec<Broken>,
    },
    /// More than one framing consumes the whole input.
    #[error("the input can be read as {} and as {}", .0.name(), .1.name())]
    Ambiguous(Framing, Framing),
    /// The five-byte framing of gRPC.
    #[error(
        "the input is a captured gRPC stream: each message stands behind a flag and four bytes of length"
    )]
    Grpc,
    /// The framing that was asked for does not hold.
    #[error("{0}")]
    Framing(Broken),
    /// OTLP of another kind.
    #[error("the input holds {signal}, not traces: message {} at byte {}", place.message, place.offset)]
    NotTraces {
        /// What it holds.
        signal: Signal,
        /// Where that shows.
        place: Place,
    },
    /// The input was another one when it was read for the second time.
    #[error("the input changed while it was read, at byte {offset}")]
    Changed {
        /// Where.
        offset: u64,
    },
}

struct Readings<'a>(&'a [Broken]);

impl fmt::Display for Readings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, broken) in self.0.iter().enumerate() {
            write!(f, "{}{broken}", if at == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl ReadError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "otlp.io",
            Self::Zstd => "otlp.zstd",
            Self::Gzip { .. } => "otlp.gzip",
            Self::Layers(_) => "otlp.layers",
            Self::Unpacked { .. } => "otlp.unpacked_too_large",
            Self::Ratio { .. } => "otlp.unpacked_ratio",
            Self::NoFraming { .. } => "otlp.no_framing",
            Self::Ambiguous(..) => "otlp.ambiguous_framing",
            Self::Grpc => "otlp.grpc_framing",
            Self::Framing(_) => "otlp.framing",
            Self::NotTraces { .. } => "otlp.not_traces",
            Self::Changed { .. } => "otlp.changed",
        }
    }

    /// The byte of the unpacked input where it shows, where there is one.
    #[must_use]
    pub const fn offset(&self) -> Option<u64> {
        match self {
            Self::Io { offset, .. } | Self::Changed { offset } => Some(*offset),
            Self::Gzip { unpacked_bytes, .. } | Self::Ratio { unpacked_bytes, .. } => Some(*unpacked_bytes),
            Self::NoFraming { best: broken, .. } | Self::Framing(broken) => Some(broken.offset),
            Self::NotTraces { place, .. } => Some(place.offset),
            _ => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } => "look at what the system reports",
            Self::Zstd => "unpack it first: zstd -d",
            Self::Gzip { .. } => "fetch the file again, or give what can be unpacked of it (gzip -dc)",
            Self::Layers(_) => "unpack the file by hand, and ask who packed it so often",
            Self::Unpacked { .. } => "split the file, or raise the limit if you trust it",
            Self::Ratio { .. } => "this looks like a gzip bomb; raise the ratio if you trust the file",
            Self::NoFraming { .. } => {
                "check whether the file is OTLP and whole; name the framing if you know it"
            }
            Self::Ambiguous(..) => "name the framing",
            Self::Grpc => "take the five bytes off each message, or record with the file exporter",
            Self::Framing(_) => "check whether the file is whole, or leave the framing to be found out",
            Self::NotTraces { .. } => "give files of traces",
            Self::Changed { .. } => "read a file that nobody writes to, or a copy",
        }
    }
}

/// Why a reading came to an end before the input did: the reading's own error, or the sink's.
#[derive(Debug, thiserror::Error)]
pub enum Stop<E> {
    /// The input is at fault.
    #[error(transparent)]
    Read(ReadError),
    /// The sink wants no more.
    #[error("the sink stopped the reading")]
    Sink(E),
}

impl<E> From<ReadError> for Stop<E> {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}
