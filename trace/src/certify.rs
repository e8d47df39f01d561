//! Certification (INV-INT-002): bytes are certified as an envelope under its key, or not at
//! all. There is no function that certifies content, and no way to make a certificate by hand.

use proofline_canon::Limits;

use crate::ids::{EnvelopeHash, TraceId};
use crate::record::RecordType;
use crate::rejection::Rejection;
use crate::seal::{SealedEnvelope, read_unhashed};

/// Proof that some bytes were found valid, canonical and complete under one key.
///
/// Its fields are private and [`certify`] and [`certify_within`] are its only sources:
///
/// ```compile_fail,E0451
/// # fn forge(sealed: proofline_trace::SealedEnvelope) -> proofline_trace::Certificate {
/// proofline_trace::Certificate { sealed }
/// # }
/// ```
///
/// Content alone, parsed or not, is not enough; a key must be given, and it is the key of an envelope:
///
/// ```compile_fail,E0308
/// # fn certify_content(content: &proofline_canon::Value, key: &proofline_trace::EnvelopeHash) {
/// let _ = proofline_trace::certify(content, key);
/// # }
/// ```
///
/// ```compile_fail,E0061
/// # fn certify_content(content: &[u8]) {
/// let _ = proofline_trace::certify(content);
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    sealed: SealedEnvelope,
}

impl Certificate {
    /// The certified envelope.
    #[must_use]
    pub const fn envelope(&self) -> &SealedEnvelope {
        &self.sealed
    }

    /// The key it was certified under.
    #[must_use]
    pub const fn hash(&self) -> EnvelopeHash {
        self.sealed.hash()
    }

    /// The trace it belongs to.
    #[must_use]
    pub const fn trace_id(&self) -> TraceId {
        self.sealed.envelope().trace_id()
    }

    /// The type it was certified as.
    #[must_use]
    pub const fn record_type(&self) -> RecordType {
        self.sealed.envelope().record_type()
    }
}

/// Why bytes were not certified.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Uncertified {
    /// Not a valid envelope; a record without its trace is one of these (INV-INT-003).
    #[error("not a valid envelope: {0}")]
    Invalid(#[from] Rejection),
    /// A valid envelope, but not in its canonical bytes.
    #[error("a valid envelope, but its bytes leave the canonical form at byte {offset}")]
    NotCanonical {
        /// The first byte that differs from the canonical form.
        offset: usize,
    },
    /// Canonical bytes of another envelope.
    #[error("the bytes hash to {computed}, not to {key}")]
    HashMismatch {
        /// The key asked for.
        key: EnvelopeHash,
        /// The key of these bytes.
        computed: EnvelopeHash,
    },
}

impl Uncertified {
    /// A stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "certify.invalid",
            Self::NotCanonical { .. } => "certify.not_canonical",
            Self::HashMismatch { .. } => "certify.hash_mismatch",
        }
    }

    /// What to do next.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Invalid(_) => {
                "only an envelope can be certified; content is named by one, in a blob reference"
            }
            Self::NotCanonical { .. } => "write the envelope in its canonical form (RFC 8785) and ask again",
            Self::HashMismatch { .. } => {
                "look for the bytes of this key elsewhere; these are another record's"
            }
        }
    }
}

/// Answers whether these bytes are a valid, canonical and complete envelope under this key,
/// within the usual limits of envelopes ([`Limits::ENVELOPE`]).
///
/// # Errors
/// The first of: not a valid envelope, not canonical, another key.
pub fn certify(bytes: &[u8], key: &EnvelopeHash) -> Result<Certificate, Uncertified> {
    certify_within(bytes, key, &Limits::ENVELOPE)
}

/// [`certify`] for whoever admits envelopes within other limits.
///
/// # Errors
/// As [`certify`].
pub fn certify_within(bytes: &[u8], key: &EnvelopeHash, limits: &Limits) -> Result<Certificate, Uncertified> {
    let read = read_unhashed(bytes, limits)?;
    if let Some(offset) = first_difference(bytes, read.canonical()) {
        return Err(Uncertified::NotCanonical { offset });
    }
    let sealed = read.seal();
    if sealed.hash() != *key {
        return Err(Uncertified::HashMismatch { key: *key, computed: sealed.hash() });
    }
    Ok(Certificate { sealed })
}

/// The first index at which the two differ, the end of the shorter one included.
fn first_difference(left: &[u8], right: &[u8]) -> Option<usize> {
    if left == right {
        return None;
    }
    let shared = left.iter().zip(right).take_while(|(a, b)| a == b).count();
    Some(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANONICAL: &str = concat!(
        r#"{"actor":{"actor_id":"staff/ines","actor_kind":"user"},"canon_version":"1","#,
        r#""credential":{"credential_kind":"oidc","expires_at_ms":2,"issuer":"id.example","#,
        r#""presented_hash_sha256":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","#,
        r#""verified_at_ms":1},"#,
        r#""grants":{},"producer":{"component":"gateway","layer":"cpo"},"record_type":"auth_context","#,
        r#""spec_version":"1.0.0","trace":{"span_id":"00f067aa0ba902b7","span_kind":"root","#,
        r#""trace_id":"4bf92f3577b34da6a3ce929d0e0e4736"},"ts_ms":1}"#,
    );
    /// sha256sum of the above.
    const KEY: &str = "498be0de92394844accc795265704bd2da49560b51ec719859f5169d1bb7cb74";

    fn refused(bytes: &[u8], key: &str) -> Uncertified {
        certify(bytes, &key.parse().unwrap()).unwrap_err()
    }

    #[test]
    fn canonical_bytes_are_certified_under_their_key() {
        let certificate = certify(CANONICAL.as_bytes(), &KEY.parse().unwrap()).unwrap();
        assert_eq!(certificate.hash().to_string(), KEY);
        assert_eq!(certificate.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(certificate.record_type(), RecordType::AuthContext);
        assert_eq!(certificate.envelope().canonical(), CANONICAL.as_bytes());
    }

    #[test]
    fn content_is_not_certified_whatever_its_key() {
        // The contract's own example of canonical bytes is content, and its hash is right.
        let content = br#"{"a":1,"b":"hello","c":true}"#;
        let key = "a21f08b57e7301be5ff081e26710117f5214dcc7ab04a5435249ac7a981bf26b";
        assert_eq!(EnvelopeHash::of(content).to_string(), key);
        let Uncertified::Invalid(rejection) = refused(content, key) else { panic!("content was certified") };
        assert_eq!(rejection.kind.to_string(), "schema_violation.required.record_type");
    }

    #[test]
    fn a_record_without_its_trace_is_incomplete() {
        let cut = CANONICAL.replace(r#","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736""#, "");
        let Uncertified::Invalid(rejection) = refused(cut.as_bytes(), KEY) else {
            panic!("no trace, no certificate")
        };
        assert_eq!(rejection.kind.to_string(), "schema_violation.trace_context.missing_trace_id");
    }

    #[test]
    fn other_bytes_of_the_same_record_are_not_canonical() {
        for (bytes, offset) in [
            (format!(" {CANONICAL}"), 0),
            (CANONICAL.replace("\"actor\":", "\"actor\": "), 9),
            (format!("{CANONICAL}\n"), CANONICAL.len()),
        ] {
            assert_eq!(refused(bytes.as_bytes(), KEY), Uncertified::NotCanonical { offset });
        }
    }

    #[test]
    fn other_limits_admit_other_lengths() {
        let (bytes, key) = (CANONICAL.as_bytes(), KEY.parse().unwrap());
        let exact = Limits::ENVELOPE.with_max_bytes(bytes.len());
        assert_eq!(certify_within(bytes, &key, &exact), certify(bytes, &key));
        let short = Limits::ENVELOPE.with_max_bytes(bytes.len() - 1);
        assert_eq!(certify_within(bytes, &key, &short).unwrap_err().code(), "certify.invalid");
    }

    #[test]
    fn another_key_names_another_record() {
        let refusal = refused(CANONICAL.as_bytes(), &KEY.replace('0', "1"));
        assert_eq!(refusal.code(), "certify.hash_mismatch");
        assert!(refusal.to_string().contains(KEY), "{refusal}");
    }
}
