//! A line of an evidence file: an envelope, or `{"record_type","declared_hash","envelope"}`. The
//! envelope inside goes to the gate as the bytes it came in, so that what is wrong inside is seen.

use std::ops::Range;

use proofline_canon::{Limits, Object, Pointer, Profile, RawMembers, Value, members, parse};
use proofline_proof::header::{DeclaredHash, EntryHeader, EntryStatus};
use proofline_trace::{ErrorKind, Rejection, SchemaFault, malformed};

use crate::gate::{DeclaredDigest, DeclaredType, Submission};

const RECORD_TYPE: &str = "record_type";
const DECLARED_HASH: &str = "declared_hash";
const ENVELOPE: &str = "envelope";

/// What a wrapper adds to its envelope, in bytes, at most: two strings far longer than any that
/// is right, and punctuation.
pub const WRAPPER_BYTES: usize = 8192;

/// A line, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvidenceLine<'a> {
    line: &'a [u8],
    wrapper: Option<Wrapper>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Wrapper {
    record_type: Option<String>,
    declared_hash: Option<String>,
    envelope: Range<usize>,
}

impl<'a> EvidenceLine<'a> {
    /// Takes a line apart. `limits` are those of an envelope; a wrapper may be
    /// [`WRAPPER_BYTES`] longer.
    ///
    /// An object with a member `envelope` or `declared_hash` is a wrapper; everything else is for
    /// the gate to judge as an envelope.
    ///
    /// # Errors
    /// The gate's answer to a wrapper that is not one strict object of the three members.
    pub fn read(line: &'a [u8], limits: &Limits) -> Result<Self, Rejection> {
        let bare = EvidenceLine { line, wrapper: None };
        if is_no_wrapper(line) {
            return Ok(bare);
        }
        let wide = limits.with_max_bytes(limits.max_bytes().saturating_add(WRAPPER_BYTES));
        // What cannot be taken apart is no strict JSON either: the gate will name its first fault.
        let Ok(members) = members(line, &wide) else { return Ok(bare) };
        if members.get(ENVELOPE).is_none() && members.get(DECLARED_HASH).is_none() {
            return Ok(bare);
        }
        if let RawMembers::Object(list) = &members
            && let Some(other) = list
                .iter()
                .filter(|member| ![RECORD_TYPE, DECLARED_HASH, ENVELOPE].contains(&member.name.as_str()))
                // Unknown members are met in the order of canonical bytes (RFC 8785 §3.2.3).
                .min_by(|one, other| one.name.encode_utf16().cmp(other.name.encode_utf16()))
        {
            let message =
                "A submission has the members record_type, declared_hash and envelope, and no other.";
            return Err(refused(
                SchemaFault::AdditionalProperties,
                Pointer::root().child(&other.name),
                message,
            ));
        }
        let Some(envelope) = members.get(ENVELOPE) else {
            let message = "The submission has no envelope; an envelope is an object.";
            return Err(refused(SchemaFault::Type, Pointer::root(), message));
        };
        let text = |name| match members.get(name).and_then(|range| line.get(range)) {
            None => Ok(None),
            Some(bytes) => parse(bytes, &wide).map(|value| value.as_str().map(str::to_owned)),
        };
        let record_type = text(RECORD_TYPE).map_err(|error| malformed(&error))?;
        let declared_hash = text(DECLARED_HASH).map_err(|error| malformed(&error))?;
        Ok(EvidenceLine { line, wrapper: Some(Wrapper { record_type, declared_hash, envelope }) })
    }

    /// What the line asks to have committed.
    #[must_use]
    pub fn submission(&self) -> Submission<'_> {
        let Some(wrapper) = &self.wrapper else { return Submission::bare(self.line) };
        Submission {
            record_type: wrapper.record_type.as_deref().map_or(DeclaredType::Absent, DeclaredType::Named),
            declared_hash: wrapper
                .declared_hash
                .as_deref()
                .map_or(DeclaredDigest::Absent, DeclaredDigest::Text),
            envelope: self.line.get(wrapper.envelope.clone()).unwrap_or_default(),
        }
    }
}

/// Whether it is plain to see that a line has no member of a wrapper: neither name stands in it anywhere, and no escape
/// that could spell one. Most bare envelopes are told so, before anything is taken apart.
fn is_no_wrapper(line: &[u8]) -> bool {
    const QUOTED: [&str; 2] = ["\"declared_hash\"", "\"envelope\""];
    std::str::from_utf8(line)
        .is_ok_and(|text| !text.contains('\\') && !QUOTED.iter().any(|name| text.contains(name)))
}

fn refused(fault: SchemaFault, pointer: Pointer, message: &str) -> Rejection {
    Rejection::new(ErrorKind::SchemaViolation(fault), pointer, message)
}

/// The beginning of a line that `commit` takes for an entry of evidence: all of it but the envelope and a last `}`.
/// A declared hash that the header kept shortened is given by its first bytes. `None` for any other entry.
#[must_use]
pub fn commit_line_front(header: &EntryHeader, body: &[u8]) -> Option<String> {
    let declared = match &header.status {
        EntryStatus::Accepted => Some(header.envelope_hash.to_string()),
        EntryStatus::Rejected { declared_hash, .. } => match declared_hash {
            DeclaredHash::Absent => None,
            DeclaredHash::Text(text) => Some(text.clone()),
            DeclaredHash::Long { head, .. } => Some(String::from_utf8_lossy(head.as_slice()).into_owned()),
        },
        _ => return None,
    };
    let limits = Limits::ENVELOPE.with_max_bytes(crate::frame::MAX_BODY_BYTES);
    let value = parse(body, &limits).ok()?;
    let record_type = value.get("record_type")?.as_str()?.to_owned();
    let mut members = vec![("record_type".to_owned(), Value::from(record_type.as_str()))];
    members.extend(declared.map(|text| ("declared_hash".to_owned(), Value::from(text.as_str()))));
    let text = Value::Object(Object::from_iter(members)).to_canonical(Profile::Envelope).ok()?;
    let text = String::from_utf8(text).ok()?;
    text.strip_suffix('}').map(|front| format!("{front},\"envelope\":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<EvidenceLine<'_>, String> {
        EvidenceLine::read(line.as_bytes(), &Limits::ENVELOPE)
            .map_err(|rejection| format!("{} at {}", rejection.kind, rejection.pointer))
    }

    #[test]
    fn an_envelope_is_handed_on_as_it_is() {
        for line in ["{}", "[1]", "5", r#"{"record_type":"auth_context"}"#, "{", ""] {
            let parsed = read(line).unwrap();
            assert_eq!(parsed.submission().envelope, line.as_bytes());
            assert_eq!(parsed.submission().record_type, DeclaredType::Own);
            assert_eq!(parsed.submission().declared_hash, DeclaredDigest::Computed);
        }
    }

    /// An escape spells a name too, and a name inside an envelope is none of a wrapper's.
    #[test]
    fn a_wrapper_is_found_however_its_names_are_spelled() {
        let is_wrapper = |line: &str| read(line).unwrap().wrapper.is_some();
        assert!(is_wrapper(r#"{"\u0065nvelope":{}}"#));
        assert!(is_wrapper(r#"{ "envelope" :{}}"#));
        assert!(!is_wrapper(r#"{"a":{"envelope":{},"declared_hash":"x"}}"#));
        assert!(!is_wrapper(r#"{"auth_context_envelope_sha256":"x","envelopes":1,"b":"envelope"}"#));
        assert_eq!(read(r#"{"declared_h\u0061sh":"ab"}"#), Err("schema_violation.type at ".to_owned()));
    }

    #[test]
    fn a_wrapper_hands_on_the_raw_envelope_and_what_was_declared() {
        let line = r#" {"envelope" : {"a":1,"a":2} ,"declared_hash":"\u0061b","record_type":"tool_call"} "#;
        let parsed = read(line).unwrap();
        let submission = parsed.submission();
        assert_eq!(submission.envelope, br#"{"a":1,"a":2}"#);
        assert_eq!(submission.declared_hash, DeclaredDigest::Text("ab"));
        assert_eq!(submission.record_type, DeclaredType::Named("tool_call"));
    }

    #[test]
    fn what_is_absent_or_no_string_is_not_declared() {
        for line in [r#"{"envelope":{}}"#, r#"{"envelope":{},"declared_hash":5,"record_type":null}"#] {
            let parsed = read(line).unwrap();
            assert_eq!(parsed.submission().record_type, DeclaredType::Absent);
            assert_eq!(parsed.submission().declared_hash, DeclaredDigest::Absent);
        }
    }

    #[test]
    fn a_wrapper_that_is_none_is_refused_in_its_place() {
        let cases = [
            (r#"{"envelope":{},"note":1}"#, "schema_violation.additional_properties at /note"),
            (r#"{"declared_hash":"ab"}"#, "schema_violation.type at "),
            (r#"{"envelope":{},"envelope":{}}"#, "schema_violation.duplicate_member at "),
            (r#"{"envelope":{},"declared_hash":"\ud800"}"#, "schema_violation.malformed_json at "),
            (r#"{"envelope":{}} x"#, "schema_violation.malformed_json at "),
        ];
        for (line, expected) in cases {
            let found = read(line).and_then(|parsed| {
                let examined = crate::gate::examine(&parsed.submission(), &Limits::ENVELOPE);
                match examined {
                    crate::gate::Examined::Refused(rejection) => {
                        Err(format!("{} at {}", rejection.kind, rejection.pointer))
                    }
                    _ => Ok(()),
                }
            });
            assert_eq!(found, Err(expected.to_owned()), "{line}");
        }
    }
}
