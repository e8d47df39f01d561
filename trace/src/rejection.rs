//! How the contract names refusals: six classes, their error kinds, and where they lie.
//! The texts are normative (section 4 of the contract) and shared with another implementation.

use std::fmt;
use std::str::FromStr;

use proofline_canon::Pointer;

use crate::words::text_form;

/// The gate's answer about one record (section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Classification {
    /// Stored, or stored before.
    Accept,
    /// The declared type is none of the four; nothing is kept.
    RecordTypeForbidden,
    /// Not a strict JSON value, or not of its schema; nothing is kept.
    SchemaReject,
    /// The declared hash is not the computed one.
    HashMismatch,
    /// A referenced record is not accepted, or not of the right type.
    MissingPrereq,
    /// A referenced record belongs to another trace.
    TraceViolation,
    /// The call rests on a foreign authority or on a denial.
    UnauthorizedExecution,
}

/// A text that is none of the names it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found} is not the name of {what}")]
pub struct UnknownName {
    what: &'static str,
    found: String,
}

impl UnknownName {
    pub(crate) fn new(what: &'static str, text: &str) -> Self {
        Self { what, found: crate::phrase::quoted(text) }
    }

    /// A stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "trace.unknown_name"
    }
}

/// A fixed list of names for an enum: `ALL`, `as_str`, `Display`, `FromStr`, serde as text.
macro_rules! named {
    ($name:ident, $what:literal, { $($variant:ident => $text:literal),+ $(,)? }) => {
        impl $name {
            /// Every value, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in records.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $text),+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::rejection::UnknownName;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let same = |known: &&Self| known.as_str() == text;
                let unknown = || crate::rejection::UnknownName::new($what, text);
                Self::ALL.iter().find(same).copied().ok_or_else(unknown)
            }
        }

        crate::words::text_form!($name);
    };
}
pub(crate) use named;

named!(Classification, "a classification", {
    Accept => "ACCEPT",
    RecordTypeForbidden => "RECORD_TYPE_FORBIDDEN",
    SchemaReject => "SCHEMA_REJECT",
    HashMismatch => "HASH_MISMATCH",
    MissingPrereq => "MISSING_PREREQ",
    TraceViolation => "TRACE_VIOLATION",
    UnauthorizedExecution => "UNAUTHORIZED_EXECUTION",
});

impl Classification {
    /// The number in entry headers; stable, never reused.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Accept => 0,
            Self::RecordTypeForbidden => 1,
            Self::SchemaReject => 2,
            Self::HashMismatch => 3,
            Self::MissingPrereq => 4,
            Self::TraceViolation => 5,
            Self::UnauthorizedExecution => 6,
        }
    }

    /// The classification of a header's number.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|known| known.code() == code)
    }

    /// Whether an attempt that ends so is kept as a rejected attempt.
    #[must_use]
    pub const fn is_kept(self) -> bool {
        match self {
            Self::Accept | Self::RecordTypeForbidden | Self::SchemaReject => false,
            Self::HashMismatch | Self::MissingPrereq | Self::TraceViolation | Self::UnauthorizedExecution => {
                true
            }
        }
    }
}

/// What a schema violation is about; the part after `schema_violation.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SchemaFault {
    /// A member name appears twice in one object.
    DuplicateMember,
    /// Not one strict JSON value.
    MalformedJson,
    /// The envelope's own type is not the declared one.
    RecordTypeMismatch,
    /// `trace_id` is missing directly under `/trace`.
    MissingTraceId,
    /// A required member is missing.
    Required(String),
    /// A member the schema does not know.
    AdditionalProperties,
    /// A value of the wrong JSON type.
    Type,
    /// A string that does not match its pattern.
    Pattern,
    /// None of the values allowed.
    Enum,
    /// Not the one value allowed.
    Const,
    /// A string that is too short.
    MinLength,
    /// A string that is too long.
    MaxLength,
    /// An integer that is too small.
    Minimum,
    /// An integer that is too large.
    Maximum,
}

/// The error kind of a refusal (section 4); its text is normative.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// `record_type_forbidden`
    RecordTypeForbidden,
    /// `schema_violation.*`
    SchemaViolation(SchemaFault),
    /// `hash_mismatch.envelope_hash`
    HashMismatch,
    /// `missing_prereq.auth_context`
    MissingAuthContext,
    /// `missing_prereq.policy_decision`
    MissingPolicyDecision,
    /// `trace_violation.trace_id_mismatch`
    TraceIdMismatch,
    /// `unauthorized.authority_mismatch`
    AuthorityMismatch,
    /// `unauthorized.policy_denied`
    PolicyDenied,
}

const REQUIRED: &str = "schema_violation.required.";

/// The kinds without a member name, for reading them back.
const PLAIN_KINDS: [ErrorKind; 20] = {
    use ErrorKind::SchemaViolation as Schema;
    [
        ErrorKind::RecordTypeForbidden,
        Schema(SchemaFault::DuplicateMember),
        Schema(SchemaFault::MalformedJson),
        Schema(SchemaFault::RecordTypeMismatch),
        Schema(SchemaFault::MissingTraceId),
        Schema(SchemaFault::AdditionalProperties),
        Schema(SchemaFault::Type),
        Schema(SchemaFault::Pattern),
        Schema(SchemaFault::Enum),
        Schema(SchemaFault::Const),
        Schema(SchemaFault::MinLength),
        Schema(SchemaFault::MaxLength),
        Schema(SchemaFault::Minimum),
        Schema(SchemaFault::Maximum),
        ErrorKind::HashMismatch,
        ErrorKind::MissingAuthContext,
        ErrorKind::MissingPolicyDecision,
        ErrorKind::TraceIdMismatch,
        ErrorKind::AuthorityMismatch,
        ErrorKind::PolicyDenied,
    ]
};

impl ErrorKind {
    /// The class this kind belongs to.
    #[must_use]
    pub const fn classification(&self) -> Classification {
        match self {
            Self::RecordTypeForbidden => Classification::RecordTypeForbidden,
            Self::SchemaViolation(_) => Classification::SchemaReject,
            Self::HashMismatch => Classification::HashMismatch,
            Self::MissingAuthContext | Self::MissingPolicyDecision => Classification::MissingPrereq,
            Self::TraceIdMismatch => Classification::TraceViolation,
            Self::AuthorityMismatch | Self::PolicyDenied => Classification::UnauthorizedExecution,
        }
    }

    /// The kind's text, without the member name of `required`; `Display` has the whole.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::RecordTypeForbidden => "record_type_forbidden",
            Self::SchemaViolation(fault) => fault.code(),
            Self::HashMismatch => "hash_mismatch.envelope_hash",
            Self::MissingAuthContext => "missing_prereq.auth_context",
            Self::MissingPolicyDecision => "missing_prereq.policy_decision",
            Self::TraceIdMismatch => "trace_violation.trace_id_mismatch",
            Self::AuthorityMismatch => "unauthorized.authority_mismatch",
            Self::PolicyDenied => "unauthorized.policy_denied",
        }
    }
}

impl SchemaFault {
    const fn code(&self) -> &'static str {
        match self {
            Self::DuplicateMember => "schema_violation.duplicate_member",
            Self::MalformedJson => "schema_violation.malformed_json",
            Self::RecordTypeMismatch => "schema_violation.record_type_mismatch",
            Self::MissingTraceId => "schema_violation.trace_context.missing_trace_id",
            Self::Required(_) => "schema_violation.required",
            Self::AdditionalProperties => "schema_violation.additional_properties",
            Self::Type => "schema_violation.type",
            Self::Pattern => "schema_violation.pattern",
            Self::Enum => "schema_violation.enum",
            Self::Const => "schema_violation.const",
            Self::MinLength => "schema_violation.minLength",
            Self::MaxLength => "schema_violation.maxLength",
            Self::Minimum => "schema_violation.minimum",
            Self::Maximum => "schema_violation.maximum",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SchemaViolation(SchemaFault::Required(member)) => write!(f, "{REQUIRED}{member}"),
            plain => f.pad(plain.code()),
        }
    }
}

impl FromStr for ErrorKind {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        if let Some(member) = text.strip_prefix(REQUIRED).filter(|member| is_member_name(member)) {
            return Ok(Self::SchemaViolation(SchemaFault::Required(member.to_owned())));
        }
        let found = PLAIN_KINDS.into_iter().find(|kind| kind.code() == text);
        found.ok_or_else(|| UnknownName::new("an error kind", text))
    }
}

text_form!(ErrorKind);

/// Members that a schema of ours can require are plain words.
fn is_member_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(plain)
}

/// The first fault of a document against its schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Violation {
    /// Always [`ErrorKind::SchemaViolation`].
    pub kind: ErrorKind,
    /// The member at fault; where one is missing, the object that lacks it.
    pub pointer: Pointer,
    /// A sentence for people, without control characters.
    pub message: String,
}

impl Violation {
    pub(crate) const fn new(fault: SchemaFault, pointer: Pointer, message: String) -> Self {
        Self { kind: ErrorKind::SchemaViolation(fault), pointer, message }
    }

    /// A stable code: the kind without a member name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }
}

/// A refusal of the gate, with its reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
#[non_exhaustive]
pub struct Rejection {
    /// The class, always that of the kind.
    pub classification: Classification,
    /// The kind.
    pub kind: ErrorKind,
    /// The offending place in the envelope; its root where there is no narrower one.
    pub pointer: Pointer,
    /// A sentence for people, without control characters.
    pub message: String,
}

impl Rejection {
    /// A refusal of this kind; the class follows from it.
    #[must_use]
    pub fn new(kind: ErrorKind, pointer: Pointer, message: impl Into<String>) -> Self {
        Self { classification: kind.classification(), kind, pointer, message: message.into() }
    }

    /// Whether the attempt is evidence and becomes an entry of its own.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.classification.is_kept()
    }

    /// A stable code: the kind without a member name.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.kind.code()
    }
}

impl From<Violation> for Rejection {
    fn from(violation: Violation) -> Self {
        Self::new(violation.kind, violation.pointer, violation.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Section 4 of the contract, row by row: class, code, kept.
    const CLASSES: [(&str, u8, bool); 7] = [
        ("ACCEPT", 0, false),
        ("RECORD_TYPE_FORBIDDEN", 1, false),
        ("SCHEMA_REJECT", 2, false),
        ("HASH_MISMATCH", 3, true),
        ("MISSING_PREREQ", 4, true),
        ("TRACE_VIOLATION", 5, true),
        ("UNAUTHORIZED_EXECUTION", 6, true),
    ];

    #[test]
    fn classes_have_the_contracts_names_and_numbers() {
        assert_eq!(Classification::ALL.len(), CLASSES.len());
        for (text, code, kept) in CLASSES {
            let class: Classification = text.parse().unwrap();
            assert_eq!((class.as_str(), class.code(), class.is_kept()), (text, code, kept));
            assert_eq!(Classification::from_code(code), Some(class));
        }
        assert_eq!(Classification::from_code(7), None);
        assert_eq!("accept".parse::<Classification>().unwrap_err().code(), "trace.unknown_name");
    }

    #[test]
    fn kinds_have_the_contracts_texts_and_classes() {
        let table = [
            ("record_type_forbidden", 1),
            ("schema_violation.duplicate_member", 2),
            ("schema_violation.malformed_json", 2),
            ("schema_violation.record_type_mismatch", 2),
            ("schema_violation.required.ts_ms", 2),
            ("schema_violation.trace_context.missing_trace_id", 2),
            ("schema_violation.additional_properties", 2),
            ("schema_violation.type", 2),
            ("schema_violation.pattern", 2),
            ("schema_violation.enum", 2),
            ("schema_violation.const", 2),
            ("schema_violation.minLength", 2),
            ("schema_violation.maxLength", 2),
            ("schema_violation.minimum", 2),
            ("schema_violation.maximum", 2),
            ("hash_mismatch.envelope_hash", 3),
            ("missing_prereq.auth_context", 4),
            ("missing_prereq.policy_decision", 4),
            ("trace_violation.trace_id_mismatch", 5),
            ("unauthorized.authority_mismatch", 6),
            ("unauthorized.policy_denied", 6),
        ];
        assert_eq!(table.len(), PLAIN_KINDS.len() + 1);
        for (text, class) in table {
            let kind: ErrorKind = text.parse().unwrap();
            assert_eq!((kind.to_string().as_str(), kind.classification().code()), (text, class));
        }
    }

    #[test]
    fn unknown_kinds_do_not_parse() {
        for bad in
            ["", "schema_violation.required", "schema_violation.required.", "schema_violation.minlength"]
        {
            assert_eq!(bad.parse::<ErrorKind>().unwrap_err().code(), "trace.unknown_name", "{bad}");
        }
        let hostile = "schema_violation.required.a\nb".parse::<ErrorKind>().unwrap_err();
        assert!(!hostile.to_string().contains('\n'));
    }
}
