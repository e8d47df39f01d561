//! One submission as one line of an evidence file, in the spellings that evidence arrives in.

use proofline_canon::{Profile, Value};

use crate::random::SplitMix64;
use crate::session::Submission;

/// How a line is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// The envelope in canonical bytes.
    Canonical,
    /// The envelope with members in schema order, as a struct is written.
    SchemaOrder,
    /// The envelope in schema order with a space after each comma and colon.
    Spaced,
    /// `{"record_type","declared_hash","envelope"}` around canonical bytes.
    Wrapped,
    /// The same around the schema order.
    WrappedSchemaOrder,
}

impl Form {
    /// A form at random; `wrapped` where a hash has to be declared.
    pub(crate) fn draw(random: &mut SplitMix64, wrapped: bool) -> Self {
        if wrapped {
            return *random.pick(&[Self::Wrapped, Self::WrappedSchemaOrder]);
        }
        *random.pick(&[
            Self::Canonical,
            Self::SchemaOrder,
            Self::Spaced,
            Self::Wrapped,
            Self::WrappedSchemaOrder,
        ])
    }
}

impl Submission {
    /// The line, without its newline.
    #[must_use]
    pub fn line(&self) -> Vec<u8> {
        let value = || self.sealed.envelope().to_value();
        let envelope = match self.form {
            Form::Canonical | Form::Wrapped => String::from_utf8_lossy(self.sealed.canonical()).into_owned(),
            Form::SchemaOrder | Form::WrappedSchemaOrder => spelled(&value(), ""),
            Form::Spaced => spelled(&value(), " "),
        };
        let text = match self.form {
            Form::Wrapped | Form::WrappedSchemaOrder => format!(
                r#"{{"record_type":"{}","declared_hash":"{}","envelope":{envelope}}}"#,
                self.sealed.envelope().record_type(),
                self.declared_hash
            ),
            Form::Canonical | Form::SchemaOrder | Form::Spaced => envelope,
        };
        text.into_bytes()
    }
}

/// Member names in the order in which the contract's tables list them; names of sets are not here.
const SCHEMA_ORDER: [&str; 39] = [
    "spec_version",
    "canon_version",
    "record_type",
    "ts_ms",
    "started_at_ms",
    "ended_at_ms",
    "trace",
    "trace_id",
    "span_id",
    "span_kind",
    "parent_span_id",
    "producer",
    "layer",
    "component",
    "actor",
    "actor_kind",
    "actor_id",
    "credential",
    "credential_kind",
    "issuer",
    "presented_hash_sha256",
    "verified_at_ms",
    "expires_at_ms",
    "grants",
    "auth_context_envelope_sha256",
    "policy_decision_envelope_sha256",
    "policy",
    "model",
    "tool",
    "request",
    "response",
    "content_type",
    "sha256",
    "size_bytes",
    "decision",
    "result",
    "reason_codes",
    "obligations",
    "outcome",
];

/// A value as JSON text in schema order, with `space` after commas and colons.
pub(crate) fn spelled(value: &Value, space: &str) -> String {
    let Value::Object(object) = value else { return scalar(value) };
    let place =
        |name: &str| SCHEMA_ORDER.iter().position(|known| *known == name).unwrap_or(SCHEMA_ORDER.len());
    let mut members: Vec<(&str, &Value)> = object.iter().collect();
    members.sort_by_key(|(name, _)| place(name));
    let texts: Vec<String> = members
        .into_iter()
        .map(|(name, inner)| {
            format!("{}:{space}{}", scalar(&Value::String(name.to_owned())), spelled(inner, space))
        })
        .collect();
    format!("{{{}}}", texts.join(&format!(",{space}")))
}

#[expect(clippy::expect_used, reason = "envelopes hold safe integers only, and nothing else can fail")]
fn scalar(value: &Value) -> String {
    let bytes = value.to_canonical(Profile::Envelope).expect("a valid envelope");
    String::from_utf8_lossy(&bytes).into_owned()
}
