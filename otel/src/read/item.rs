//! What a reading gives: spans in batches, what was refused, and an account of the whole.

use std::fmt;
use std::sync::Arc;

use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use proofline_canon::Sha256Digest;

use super::fault::SpanFault;
use super::tally::{SpanWarning, Warned};

/// A place in the unpacked input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The OTLP message, counted from 0: a JSON document or a frame.
    pub message: u64,
    /// The byte, counted from 0.
    pub offset: u64,
}

/// What the sink is given, in the order of the input.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// Spans of one resource and scope.
    Batch(SpanBatch),
    /// Something that could not be read; what follows is read nevertheless.
    Refused(Refused),
}

/// Spans of one message, resource and scope, in the order of the input.
#[derive(Debug, Clone, PartialEq)]
pub struct SpanBatch {
    /// Who sent them; empty if the message does not say.
    pub resource: Arc<Resource>,
    /// The schema of the resource; empty if the message does not say.
    pub resource_schema_url: Arc<str>,
    /// What made them; a missing scope is one without a name.
    pub scope: Arc<InstrumentationScope>,
    /// The schema of the spans; empty if the message does not say.
    pub scope_schema_url: Arc<str>,
    /// The spans; never none.
    pub spans: Vec<ReadSpan>,
    /// The message that they are of, counted from 0.
    pub message: u64,
    /// The byte where that message begins in the unpacked input.
    pub offset: u64,
}

/// A span as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadSpan {
    /// The span. Its ids are as long as they came; nothing is judged but whether it can be read.
    pub span: Span,
    /// The byte where it begins in the unpacked input.
    pub offset: u64,
    /// How long it is there.
    pub bytes: u64,
    /// What was unusual about its form; at most [`SpanWarning::MOST`].
    pub warnings: Vec<SpanWarning>,
}

/// What is refused as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// One span.
    Span,
    /// A `ScopeSpans` with every span in it.
    ScopeSpans,
    /// A `ResourceSpans` with every span in it.
    ResourceSpans,
}

/// Something that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What.
    pub part: Part,
    /// Where it begins.
    pub place: Place,
    /// Why.
    pub fault: SpanFault,
    /// How long it is.
    pub bytes: u64,
    /// The digest of those bytes.
    pub sha256: Sha256Digest,
    /// Its trace id, where it can be told and has its sixteen bytes.
    pub trace_id: Option<[u8; 16]>,
    /// Its span id, where it can be told and has its eight bytes.
    pub span_id: Option<[u8; 8]>,
}

impl Refused {
    /// The stable code of the fault.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.fault.code()
    }
}

/// The kinds of OTLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Log records.
    Logs,
    /// Metrics.
    Metrics,
    /// Profiles.
    Profiles,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Logs => "logs",
            Self::Metrics => "metrics",
            Self::Profiles => "profiles",
        })
    }
}

/// What lay around the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Container {
    /// Layers of gzip, one around the other.
    pub gzip_layers: u32,
    /// Gzip members, of all layers.
    pub gzip_members: u64,
    /// Bytes before unpacking.
    pub packed_bytes: u64,
}

/// The framing that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Found {
    /// Nothing, or white space: no message.
    Empty,
    /// JSON documents.
    Json,
    /// One protobuf message.
    Single,
    /// Protobuf behind varint lengths.
    Varint,
    /// Protobuf behind four-byte lengths.
    U32be,
}

impl Found {
    /// The word of accounts: `empty`, `json`, `single`, `varint`, `u32be`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Json => "json",
            Self::Single => "single",
            Self::Varint => "varint",
            Self::U32be => "u32be",
        }
    }
}

/// A last JSON document that is not whole: the file was cut. None of its spans is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truncated {
    /// Where the document begins.
    pub place: Place,
    /// The bytes that there are of it.
    pub bytes: u64,
}

/// The account of a reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// What lay around the messages.
    pub container: Container,
    /// The framing.
    pub framing: Found,
    /// Messages read, empty ones too.
    pub messages: u64,
    /// Spans given.
    pub spans: u64,
    /// Items refused.
    pub refused: u64,
    /// Bytes after unpacking.
    pub unpacked_bytes: u64,
    /// The incomplete last document, if the file was cut.
    pub truncated: Option<Truncated>,
    /// What was unusual, by kind and name, with counts and first places.
    pub warnings: Vec<Warned>,
}
