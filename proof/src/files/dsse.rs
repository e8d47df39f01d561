//! DSSE envelopes (v1.0.2): a typed payload with signatures over its very bytes. Reading is strict
//! where two readers could disagree, verifying counts keys and hands on what was verified.
//!
//! ```text
//! {"payload": base64, "payloadType": text, "signatures": [{"keyid": text, "sig": base64}, ...]}
//! signed: "DSSEv1" SP length SP payloadType SP length SP payload     lengths in bytes, decimal
//! ```

use std::num::NonZeroUsize;

use proofline_canon::{Limits, ParseError, Profile, Value, WriteError, base64, parse, unbase64};
use thiserror::Error;

use crate::files::MAX_PROOF_BYTES;
use crate::key::{KeyRole, VerifierKey};
use crate::signer::{SignError, Signer, sign_checked};

/// The most signatures that an envelope may have: whoever sends it chooses how much is verified.
pub const MAX_SIGNATURES: usize = 16;
/// The most keys that an envelope is tried with.
pub const MAX_KEYS: usize = 64;

const LIMITS: Limits = Limits::ENVELOPE.with_max_bytes(MAX_PROOF_BYTES);

/// Why bytes are no envelope, or why one is not accepted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DsseError {
    /// Not one strict JSON value.
    #[error(transparent)]
    Json(#[from] ParseError),
    /// A member that is missing or of another type.
    #[error("the envelope has no {0} of the type that DSSE asks for")]
    Member(&'static str),
    /// Neither standard nor URL-safe base64 with padding.
    #[error("{0} is no padded base64, standard or URL-safe")]
    Base64(&'static str),
    /// An envelope that nobody signed, or more signatures or keys than are tried.
    #[error("there are {found} {what}; 1 to {most} are tried")]
    Count {
        /// `signatures` or `keys`.
        what: &'static str,
        /// How many are allowed.
        most: usize,
        /// How many there are.
        found: usize,
    },
    /// Another type than the one that is wanted.
    #[error("the payload is of type {found}, not {wanted}")]
    PayloadType {
        /// The type wanted.
        wanted: &'static str,
        /// The type that was signed.
        found: String,
    },
    /// Fewer keys signed than are needed.
    #[error("{found} of the given keys signed this envelope, {needed} must")]
    Threshold {
        /// How many distinct keys must have signed.
        needed: usize,
        /// How many have.
        found: usize,
    },
    /// A text that cannot be written as JSON.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// There is no signature.
    #[error(transparent)]
    Sign(#[from] SignError),
}

impl DsseError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            DsseError::Json(error) => error.code(),
            DsseError::Member(_) => "dsse.member",
            DsseError::Base64(_) => "dsse.base64",
            DsseError::Count { .. } => "dsse.count",
            DsseError::PayloadType { .. } => "dsse.payload_type",
            DsseError::Threshold { .. } => "dsse.threshold",
            DsseError::Write(error) => error.code(),
            DsseError::Sign(error) => error.code(),
        }
    }
}

/// What a signature covers: the pre-authentication encoding of a type and a body.
///
/// ```
/// use proofline_proof::files::dsse::pae;
///
/// assert_eq!(pae("http://example.com/ü", "hé".as_bytes()), "DSSEv1 21 http://example.com/ü 3 hé".as_bytes());
/// ```
#[must_use]
pub fn pae(payload_type: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), body.len()).into_bytes();
    out.extend_from_slice(body);
    out
}

/// One signature of an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DsseSignature {
    /// Which key signed; a hint that nothing covers. Ours hold the key's short name.
    pub keyid: Option<String>,
    /// The signature.
    pub sig: Vec<u8>,
}

/// An envelope, read and not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DsseEnvelope {
    payload_type: String,
    payload: Vec<u8>,
    signatures: Vec<DsseSignature>,
}

/// A payload that enough keys signed. Read these bytes, and never the envelope again.
#[derive(Clone, Debug)]
pub struct VerifiedPayload<'e, 'k> {
    /// The type, which the signatures cover.
    pub payload_type: &'e str,
    /// The very bytes that were verified.
    pub payload: &'e [u8],
    /// The keys that signed, each once, in the order in which they were given.
    pub keys: Vec<&'k VerifierKey>,
}

impl DsseEnvelope {
    /// Signs a payload with a key of this role.
    ///
    /// # Errors
    /// [`DsseError::Sign`].
    pub fn sign(
        payload_type: &str,
        payload: Vec<u8>,
        role: KeyRole,
        signer: &dyn Signer,
    ) -> Result<Self, DsseError> {
        let key = signer.verifier();
        if key.role() != role {
            let error = SignError::Role { key: key.short_name(), found: key.role(), wanted: role.as_str() };
            return Err(error.into());
        }
        let sig = sign_checked(signer, &pae(payload_type, &payload))?;
        let signatures = vec![DsseSignature { keyid: Some(key.short_name()), sig }];
        Ok(DsseEnvelope { payload_type: payload_type.to_owned(), payload, signatures })
    }

    /// Reads an envelope. Members that DSSE does not have are passed over, repeated ones refused.
    ///
    /// # Errors
    /// [`DsseError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DsseError> {
        let value = parse(bytes, &LIMITS)?;
        let payload = decode(text(&value, "payload")?, "payload")?;
        let payload_type = text(&value, "payloadType")?.to_owned();
        let signatures = value.get("signatures").and_then(Value::as_array);
        let signatures = signatures.ok_or(DsseError::Member("signatures"))?;
        count("signatures", MAX_SIGNATURES, signatures.len())?;
        let signatures = signatures.iter().map(read_signature).collect::<Result<_, DsseError>>()?;
        Ok(DsseEnvelope { payload_type, payload, signatures })
    }

    /// The envelope in canonical JSON, with standard padded base64.
    ///
    /// # Errors
    /// [`DsseError::Write`].
    pub fn write(&self) -> Result<Vec<u8>, DsseError> {
        let signature = |signature: &DsseSignature| {
            let keyid = signature.keyid.as_ref().map(|keyid| ("keyid", Value::from(keyid.as_str())));
            let sig = ("sig", Value::from(base64(&signature.sig)));
            Value::object(keyid.into_iter().chain([sig]))
        };
        let envelope = Value::object([
            ("payload", Value::from(base64(&self.payload))),
            ("payloadType", Value::from(self.payload_type.as_str())),
            ("signatures", Value::array(self.signatures.iter().map(signature))),
        ]);
        Ok(envelope.to_canonical(Profile::Envelope)?)
    }

    /// The type that the envelope states, unverified: enough to choose how to verify it.
    #[must_use]
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// Its signatures, unverified.
    #[must_use]
    pub fn signatures(&self) -> &[DsseSignature] {
        &self.signatures
    }

    /// Adds the signatures of another envelope over the same payload.
    ///
    /// # Errors
    /// [`DsseError::Member`] when it holds something else, [`DsseError::Count`].
    pub fn join(&mut self, other: Self) -> Result<(), DsseError> {
        if (&other.payload_type, &other.payload) != (&self.payload_type, &self.payload) {
            return Err(DsseError::Member("payload"));
        }
        count("signatures", MAX_SIGNATURES, self.signatures.len() + other.signatures.len())?;
        self.signatures.extend(other.signatures);
        Ok(())
    }

    /// Checks that the payload is of the wanted type and that at least `threshold` distinct keys of
    /// the role, of those given, signed it. A signature that verifies under none is passed over.
    ///
    /// # Errors
    /// [`DsseError::PayloadType`], [`DsseError::Count`], [`DsseError::Threshold`].
    pub fn verify<'e, 'k>(
        &'e self,
        wanted: &'static str,
        role: KeyRole,
        keys: &'k [VerifierKey],
        threshold: NonZeroUsize,
    ) -> Result<VerifiedPayload<'e, 'k>, DsseError> {
        if self.payload_type != wanted {
            return Err(DsseError::PayloadType { wanted, found: self.payload_type.clone() });
        }
        let keys: Vec<&VerifierKey> = distinct(keys.iter().filter(|key| key.role() == role));
        count("keys", MAX_KEYS, keys.len())?;
        let signed = pae(&self.payload_type, &self.payload);
        let made = |key: &&VerifierKey| {
            let mut tried = self.signatures.iter().filter(|signature| signature.may_be_of(key, &keys));
            tried.any(|signature| key.verify(&signed, &signature.sig))
        };
        let signers: Vec<&VerifierKey> = keys.iter().copied().filter(made).collect();
        if signers.len() < threshold.get() {
            return Err(DsseError::Threshold { needed: threshold.get(), found: signers.len() });
        }
        Ok(VerifiedPayload { payload_type: &self.payload_type, payload: &self.payload, keys: signers })
    }
}

impl DsseSignature {
    /// False when the key id names another of the keys. An id that names none narrows nothing.
    fn may_be_of(&self, key: &VerifierKey, keys: &[&VerifierKey]) -> bool {
        let Some(keyid) = &self.keyid else { return true };
        key.short_name() == *keyid || keys.iter().all(|other| other.short_name() != *keyid)
    }
}

/// Keys of which no two have the same bytes: one key under two names is one key.
fn distinct<'k>(keys: impl Iterator<Item = &'k VerifierKey>) -> Vec<&'k VerifierKey> {
    let mut found: Vec<&VerifierKey> = Vec::new();
    for key in keys {
        if found.iter().all(|other| other.key_bytes() != key.key_bytes()) {
            found.push(key);
        }
    }
    found
}

const fn count(what: &'static str, most: usize, found: usize) -> Result<(), DsseError> {
    if found == 0 || found > most { Err(DsseError::Count { what, most, found }) } else { Ok(()) }
}

fn text<'v>(value: &'v Value, name: &'static str) -> Result<&'v str, DsseError> {
    value.get(name).and_then(Value::as_str).ok_or(DsseError::Member(name))
}

/// Reads base64 in either alphabet, but not in both at once.
fn decode(text: &str, name: &'static str) -> Result<Vec<u8>, DsseError> {
    let is_url_safe = text.contains(['-', '_']);
    let bytes = match is_url_safe {
        true if text.contains(['+', '/']) => None,
        true => unbase64(&text.replace('-', "+").replace('_', "/")),
        false => unbase64(text),
    };
    bytes.ok_or(DsseError::Base64(name))
}

fn read_signature(value: &Value) -> Result<DsseSignature, DsseError> {
    let keyid = match value.get("keyid") {
        None => None,
        Some(Value::String(keyid)) => Some(keyid.clone()).filter(|keyid| !keyid.is_empty()),
        Some(_) => return Err(DsseError::Member("keyid")),
    };
    Ok(DsseSignature { keyid, sig: decode(text(value, "sig")?, "sig")? })
}
