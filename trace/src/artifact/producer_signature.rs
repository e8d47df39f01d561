//! The artifact that keeps a producer's signature over an envelope: who made it vouches for it,
//! whoever brought it to the ledger.

use proofline_canon::Value;

use crate::ids::{EnvelopeHash, TraceId};
use crate::rejection::Violation;
use crate::walk::{Node, Path, word};
use crate::words::{KeyReference, SignatureText};
use crate::write::text;

const ARTIFACT_TYPE: &str = "producer_signature";
const VERSION: &str = "1";

/// A producer's signature over the hash of an envelope, as DSSE makes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProducerSignature {
    /// The trace of the envelope.
    pub target_trace_id: TraceId,
    /// The envelope.
    pub envelope_sha256: EnvelopeHash,
    /// The producer's key.
    pub key: KeyReference,
    /// The signature over the DSSE pre-authentication encoding of the envelope hash.
    pub signature: SignatureText,
}

super::identity!(ProducerSignature);

impl ProducerSignature {
    /// `artifact_type` of the record.
    pub const ARTIFACT_TYPE: &'static str = ARTIFACT_TYPE;

    /// The record as a JSON value.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::object([
            ("artifact_type", text(ARTIFACT_TYPE)),
            ("version", text(VERSION)),
            ("target_trace_id", text(self.target_trace_id)),
            ("envelope_sha256", text(self.envelope_sha256)),
            ("key", text(&self.key)),
            ("signature", text(&self.signature)),
        ])
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The first violation of the schema.
    pub fn from_value(value: &Value) -> Result<Self, Violation> {
        let path = Path::Root("the producer signature");
        let required = ["artifact_type", "version", "target_trace_id", "envelope_sha256", "key", "signature"];
        let members = Node { value, path: &path }.members(&required, &[])?;
        members.get("artifact_type", |node| node.text_const(ARTIFACT_TYPE))?;
        members.get("version", |node| node.text_const(VERSION))?;
        Ok(Self {
            target_trace_id: members.get("target_trace_id", word)?,
            envelope_sha256: members.get("envelope_sha256", word)?,
            key: members.get("key", word)?,
            signature: members.get("signature", word)?,
        })
    }
}
