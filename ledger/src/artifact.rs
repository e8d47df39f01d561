//! The gate's rules for artifacts (section 7 of the contract): each kind has a closed schema and
//! names what it must refer to in this ledger.
//!
//! | artifact | told by | must refer to |
//! |---|---|---|
//! | replay result | member `replay_type` | every input envelope hash: an entry of this ledger |
//! | producer signature | `artifact_type` `producer_signature` | its envelope: an entry of evidence of its trace; a current producer key, whose signature verifies |
//! | policy back-test | `artifact_type` `policy_backtest` | the first `log_size` entries, at least one: their root |
//! | verdict seal | `artifact_type` `verdict_seal` | its result and diagnostics: artifacts of this ledger and of its trace, that belong together; this ledger, and a log of no more entries than are before it |
//! | verdict signature | `artifact_type` `verdict_signature` | its seal: an artifact of this ledger and of its trace; a current producer key, whose signature verifies |
//! | import of a trace | `artifact_type` `otel_import` | the records that its spans became: evidence of its trace; a call has records, and nothing else has |
//! | account of an import | `artifact_type` `import_account` | nothing |
//! | replay diagnostics | `artifact_type` `replay_diagnostics` | its replay result: an artifact of this ledger |

use proofline_canon::{Limits, Profile, Value, parse};
use proofline_proof::files::dsse::pae;
use proofline_proof::files::producer::ENVELOPE_HASH_TYPE;
use proofline_proof::files::verdict::VERDICT_SEAL_TYPE;
use proofline_proof::{KeyList, KeyRole};
use proofline_trace::{
    BacktestRecord, EnvelopeHash, ImportAccount, KeyReference, OtelImport, ProducerSignature,
    ReplayDiagnostics, ReplayResult, SignatureText, TraceId, VerdictSeal, VerdictSignature, Violation,
};

use crate::error::ArtifactRefusal;
use crate::frame::MAX_BODY_BYTES;
use proofline_proof::header::EntryKind;

/// An artifact that is canonical and of a known kind.
#[derive(Clone, Debug)]
pub(crate) struct SealedArtifact {
    hash: EnvelopeHash,
    canonical: Vec<u8>,
    kind: ArtifactKind,
}

/// What an artifact is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArtifactKind {
    /// What a replay concluded.
    ReplayResult(ReplayResult),
    /// Why it concluded so.
    ReplayDiagnostics(ReplayDiagnostics),
    /// What another policy would have decided.
    PolicyBacktest(BacktestRecord),
    /// That a producer stands for an envelope.
    ProducerSignature(ProducerSignature),
    /// A verdict, with all that it rests on.
    VerdictSeal(Box<VerdictSeal>),
    /// That somebody stands for a sealed verdict.
    VerdictSignature(VerdictSignature),
    /// What the spans of a trace became.
    OtelImport(Box<OtelImport>),
    /// What of a file of telemetry is in the ledger.
    ImportAccount(Box<ImportAccount>),
}

impl ArtifactKind {
    /// Reads the body of an artifact entry.
    ///
    /// # Errors
    /// [`ArtifactRefusal::Form`] for a body of no known kind, or against its schema.
    pub fn read(body: &[u8]) -> Result<Self, ArtifactRefusal> {
        Self::of(&parsed(body)?)
    }

    fn of(value: &Value) -> Result<Self, ArtifactRefusal> {
        let refused = |violation: Violation| ArtifactRefusal::Form(violation.to_string());
        if value.get("replay_type").is_some() && value.get("artifact_type").is_none() {
            return ReplayResult::from_value(value).map(ArtifactKind::ReplayResult).map_err(refused);
        }
        match value.get("artifact_type").and_then(Value::as_str) {
            Some("replay_diagnostics") => {
                ReplayDiagnostics::from_value(value).map(ArtifactKind::ReplayDiagnostics).map_err(refused)
            }
            Some(BacktestRecord::ARTIFACT_TYPE) => {
                BacktestRecord::from_value(value).map(ArtifactKind::PolicyBacktest).map_err(refused)
            }
            Some(ProducerSignature::ARTIFACT_TYPE) => {
                ProducerSignature::from_value(value).map(ArtifactKind::ProducerSignature).map_err(refused)
            }
            Some(VerdictSeal::ARTIFACT_TYPE) => {
                VerdictSeal::from_value(value).map(|seal| Self::VerdictSeal(Box::new(seal))).map_err(refused)
            }
            Some(VerdictSignature::ARTIFACT_TYPE) => {
                VerdictSignature::from_value(value).map(Self::VerdictSignature).map_err(refused)
            }
            Some(OtelImport::ARTIFACT_TYPE) => {
                let import = OtelImport::from_value(value).map_err(refused)?;
                consistent(&import)?;
                Ok(Self::OtelImport(Box::new(import)))
            }
            Some(ImportAccount::ARTIFACT_TYPE) => ImportAccount::from_value(value)
                .map(|account| Self::ImportAccount(Box::new(account)))
                .map_err(refused),
            _ => Err(ArtifactRefusal::Form("it is of no known kind".to_owned())),
        }
    }
}

/// A span that became a call has records, and no other has.
fn consistent(import: &OtelImport) -> Result<(), ArtifactRefusal> {
    import.contradiction().map_or(Ok(()), |span| {
        let what = format!("of span {} it says `{}` and the contrary", span.span_id, span.became);
        Err(ArtifactRefusal::Form(what))
    })
}

/// The value in the body of an artifact or a system entry.
pub(crate) fn parsed(body: &[u8]) -> Result<Value, ArtifactRefusal> {
    let limits = Limits::ENVELOPE.with_max_bytes(MAX_BODY_BYTES);
    parse(body, &limits).map_err(|error| ArtifactRefusal::Form(error.to_string()))
}

/// The same of bytes that are to become one: they must be canonical.
pub(crate) fn canonical(bytes: &[u8]) -> Result<(Value, Vec<u8>), ArtifactRefusal> {
    let value = parsed(bytes)?;
    let canonical = value.to_canonical(Profile::Envelope);
    let canonical = canonical.map_err(|error| ArtifactRefusal::Form(error.to_string()))?;
    if canonical == bytes {
        Ok((value, canonical))
    } else {
        Err(ArtifactRefusal::Form("its bytes are not canonical".to_owned()))
    }
}

impl SealedArtifact {
    /// Examines an artifact's bytes: canonical, of a known kind, of that kind's schema.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, ArtifactRefusal> {
        let (value, canonical) = canonical(bytes)?;
        let kind = ArtifactKind::of(&value)?;
        Ok(SealedArtifact { hash: EnvelopeHash::of(&canonical), canonical, kind })
    }

    pub(crate) fn kind(&self) -> &ArtifactKind {
        &self.kind
    }

    pub(crate) fn hash(&self) -> EnvelopeHash {
        self.hash
    }

    pub(crate) fn canonical(&self) -> &[u8] {
        &self.canonical
    }

    /// The trace that it is about; a back-test is about a whole log.
    pub(crate) fn trace_id(&self) -> Option<TraceId> {
        match &self.kind {
            ArtifactKind::ReplayResult(result) => Some(result.target_trace_id),
            ArtifactKind::ReplayDiagnostics(diagnostics) => Some(diagnostics.target_trace_id),
            ArtifactKind::ProducerSignature(signature) => Some(signature.target_trace_id),
            ArtifactKind::VerdictSeal(seal) => Some(seal.target_trace_id),
            ArtifactKind::VerdictSignature(signature) => Some(signature.target_trace_id),
            ArtifactKind::OtelImport(import) => Some(import.target_trace_id),
            ArtifactKind::PolicyBacktest(_) | ArtifactKind::ImportAccount(_) => None,
        }
    }

    /// What has to be in the ledger before it.
    pub(crate) fn references(&self) -> Vec<EnvelopeHash> {
        match &self.kind {
            ArtifactKind::ReplayResult(result) => result.input_envelope_hashes.clone(),
            ArtifactKind::ReplayDiagnostics(diagnostics) => {
                vec![EnvelopeHash::from_bytes(*diagnostics.result_sha256.as_bytes())]
            }
            ArtifactKind::VerdictSeal(seal) => {
                let named = [seal.result_sha256, seal.diagnostics_sha256];
                named.iter().map(|digest| EnvelopeHash::from_bytes(*digest.as_bytes())).collect()
            }
            ArtifactKind::VerdictSignature(signature) => vec![signature.seal_sha256],
            ArtifactKind::ProducerSignature(signature) => vec![signature.envelope_sha256],
            ArtifactKind::OtelImport(import) => import.references(),
            ArtifactKind::PolicyBacktest(_) | ArtifactKind::ImportAccount(_) => Vec::new(),
        }
    }

    /// The kind of entry that its references must be; [`EntryKind::Accepted`] stands for evidence
    /// of either outcome.
    pub(crate) fn reference_kind(&self) -> EntryKind {
        match &self.kind {
            ArtifactKind::ReplayResult(_)
            | ArtifactKind::ProducerSignature(_)
            | ArtifactKind::OtelImport(_)
            | ArtifactKind::ImportAccount(_) => EntryKind::Accepted,
            ArtifactKind::ReplayDiagnostics(_)
            | ArtifactKind::PolicyBacktest(_)
            | ArtifactKind::VerdictSeal(_)
            | ArtifactKind::VerdictSignature(_) => EntryKind::Artifact,
        }
    }
}

/// The rule of producers' signatures that is about keys: the key is a producer key that the first
/// `size` entries list, and its signature verifies.
///
/// # Errors
/// [`ArtifactRefusal::UnknownProducer`], [`ArtifactRefusal::Signature`].
pub fn check_producer(
    signature: &ProducerSignature,
    keys: &KeyList,
    size: u64,
) -> Result<(), ArtifactRefusal> {
    let message = pae(ENVELOPE_HASH_TYPE, signature.envelope_sha256.to_string().as_bytes());
    check_signed(&signature.key, &signature.signature, &message, keys, size)
}

/// The same rule of signatures over sealed verdicts.
///
/// # Errors
/// [`ArtifactRefusal::UnknownProducer`], [`ArtifactRefusal::Signature`].
pub fn check_verdict_signature(
    signature: &VerdictSignature,
    keys: &KeyList,
    size: u64,
) -> Result<(), ArtifactRefusal> {
    let message = pae(VERDICT_SEAL_TYPE, signature.seal_sha256.to_string().as_bytes());
    check_signed(&signature.key, &signature.signature, &message, keys, size)
}

fn check_signed(
    key: &KeyReference,
    signature: &SignatureText,
    message: &[u8],
    keys: &KeyList,
    size: u64,
) -> Result<(), ArtifactRefusal> {
    let name = key.as_str();
    let listed = keys.find(name, size).filter(|listed| listed.key.role() == KeyRole::Producer);
    let Some(listed) = listed else { return Err(ArtifactRefusal::UnknownProducer(name.to_owned())) };
    let bytes = proofline_canon::unbase64(signature.as_str()).unwrap_or_default();
    let is_good = listed.key.verify(message, &bytes);
    if is_good { Ok(()) } else { Err(ArtifactRefusal::Signature(name.to_owned())) }
}
