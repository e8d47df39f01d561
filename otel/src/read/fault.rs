//! Why one span cannot be read. The rest of the input is, and the span is accounted for.

use proofline_canon::ParseError;

/// Why a span, or what holds spans, cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpanFault {
    /// Not strict JSON: a repeated name, half a surrogate pair, bytes that are no UTF-8, too deep.
    #[error("the span is no strict JSON: {0}")]
    Json(ParseError),
    /// A value of another JSON type than its field has.
    #[error("`{field}` is not {expected}")]
    Type {
        /// The field.
        field: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// A number that is none, or out of the range of its field.
    #[error("`{field}` is no number that it can hold: {literal}")]
    Number {
        /// The field.
        field: &'static str,
        /// What is there, cut to 40 characters.
        literal: String,
    },
    /// An id that is not hex.
    #[error("`{field}` is not hex")]
    Id {
        /// The field.
        field: &'static str,
    },
    /// A name of an enum that the enum does not have.
    #[error("`{field}` has no value of the name {name}")]
    Name {
        /// The field.
        field: &'static str,
        /// What is there, cut to 40 characters.
        name: String,
    },
    /// A value of two kinds at once.
    #[error("a value is both `{0}` and `{1}`")]
    TwoValues(&'static str, &'static str),
    /// Bytes that are no base64.
    #[error("`bytesValue` is not base64")]
    Base64,
    /// Protobuf that cannot be decoded: a wrong wire type, a length beyond the end, text that is no UTF-8, too deep.
    #[error("the protobuf cannot be decoded: {0}")]
    Protobuf(prost::DecodeError),
    /// Protobuf whose fields cannot be told apart.
    #[error("the protobuf breaks at its byte {at}")]
    Wire {
        /// The byte, counted from the start of what is refused.
        at: u64,
    },
    /// Longer than what may be held at once.
    #[error("longer than the {limit_bytes} bytes that are held at once")]
    TooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The span could be read; the resource or scope that it belongs to could not.
    #[error("its {part} cannot be read: {fault}")]
    Context {
        /// `resource`, `scope` or `schemaUrl`.
        part: &'static str,
        /// Why.
        fault: Box<Self>,
    },
}

impl SpanFault {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Json(_) => "otlp.span_json",
            Self::Type { .. } => "otlp.span_type",
            Self::Number { .. } => "otlp.span_number",
            Self::Id { .. } => "otlp.span_id",
            Self::Name { .. } => "otlp.span_name",
            Self::TwoValues(..) => "otlp.span_two_values",
            Self::Base64 => "otlp.span_base64",
            Self::Protobuf(_) => "otlp.span_protobuf",
            Self::Wire { .. } => "otlp.span_wire",
            Self::TooLarge { .. } => "otlp.span_too_large",
            Self::Context { .. } => "otlp.span_context",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Json(_) | Self::Type { .. } | Self::Number { .. } | Self::TwoValues(..) => {
                "correct what writes the span"
            }
            Self::Id { .. } => "OTLP/JSON writes ids as hex, not as base64",
            Self::Name { .. } => "OTLP/JSON writes enums as integers",
            Self::Base64 => "bytes are base64 with padding (RFC 4648 §4)",
            Self::Protobuf(_) | Self::Wire { .. } => "check whether the file is of traces and undamaged",
            Self::TooLarge { .. } => "raise the limit of what is held at once",
            Self::Context { .. } => "correct what writes the resource or the scope",
        }
    }

    /// Text from outside, cut to a length that an account can bear.
    pub(crate) fn shown(text: &str) -> String {
        text.chars().take(40).flat_map(char::escape_debug).collect()
    }
}
