//! A sealed payload: seal what is about a person, commit a call that names it, erase the person's key, and see that
//! nothing opens it any more while the ledger still verifies.
//!
//! ```sh
//! cargo run --example sealed
//! ```
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;

use proofline::canon::{ContentStore, Sha256Digest};
use proofline::ledger::{
    Action, Blobs, Genesis, Ledger, Options, Outcome, SubjectKeys, SubjectName, Submission, verify,
};
use proofline::proof::sealed::{SealedHeader, SubjectKey, open_bytes, seal_bytes};
use proofline::trace::{
    Actor, AuthContext, BlobRef, Credential, Decision, DecisionResult, Envelope, EnvelopeHash, ErasureRecord,
    ErasureTarget, LedgerId, Millis, PolicyDecision, PolicyRef, PolicyRequest, StringSet, ToolCall, ToolRef,
    TraceContext,
};
use zeroize::Zeroizing;

const NOW_MS: u64 = 1_769_817_600_000; // 2026-01-31T00:00:00Z

fn main() -> Result<(), Box<dyn Error>> {
    let home = tempfile::tempdir()?;
    let dir = home.path().join("ledger");
    let ledger_id = LedgerId::from_bytes([0x2a; 16]); // a real one is drawn at random
    Ledger::init(&dir, &Genesis { ledger_id, origin: "example.org/clinic".parse()?, created_at_ms: NOW_MS })?;
    let ledger = Ledger::open(&dir, Options::default())?;
    let blobs = Blobs::open(&dir)?;

    // The key lies apart from the ledger and its backups. The ledger never sees the name.
    let keys = SubjectKeys::create(home.path().join("keys"))?;
    let key = new_key()?;
    let key_id = key.id();
    keys.add(&SubjectName::new("Ines Moreau")?, &key)?;

    // Payloads first. What is about her is sealed; the envelope names the sealed bytes.
    let request = store(&blobs, &seal_bytes(&key, br#"{"patient":"Ines Moreau"}"#))?;
    let response = store(&blobs, &seal_bytes(&key, br#"{"blood_group":"AB"}"#))?;
    let context = commit(&ledger, auth_context()?)?;
    let allowed = commit(&ledger, decision(context, "records:read", "records/7", "1111111111111111")?)?;
    commit(&ledger, lookup(context, allowed, &request, &response)?)?;
    println!("opened: {}", opened(&blobs, &keys, &response.sha256)?);

    // She asks to be forgotten. A decision allows it, an entry says so, and only then the key goes.
    let resource = ErasureTarget::Subject(key_id).resource();
    let authority = commit(&ledger, decision(context, "erase", &resource, "2222222222222222")?)?;
    let target = ErasureTarget::Subject(key_id);
    let record = ErasureRecord { target, reason: "GDPR art. 17".parse()?, authority };
    let seq = accepted(ledger.commit_action(&Action::System(&record.canonical()), NOW_MS)?)?;
    keys.destroy(&key_id)?;
    println!("erased by entry {seq}: {} payloads", blobs.sealed_under(&key_id)?.len());

    // The bytes are there, verify, and are closed for good: another key does not open them either.
    match opened(&blobs, &keys, &response.sha256) {
        Ok(content) => return Err(format!("still opens: {content}").into()),
        Err(error) => println!("not opened: {error}"),
    }
    let sealed = blobs.get(&response.sha256)?.ok_or("the payload is gone")?;
    match open_bytes(&new_key()?, &sealed) {
        Ok(_) => return Err("another key opened it".into()),
        Err(error) => println!("not with another key: {}", error.code()),
    }
    let report = verify(&dir, &mut |_| ())?;
    println!("the ledger is sound: {}", report.is_sound());
    if report.is_sound() { Ok(()) } else { Err("the ledger does not verify".into()) }
}

fn new_key() -> Result<SubjectKey, Box<dyn Error>> {
    let mut master = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *master)?;
    Ok(SubjectKey::from_bytes(&master))
}

/// A payload's content, with the key that its header names.
fn opened(blobs: &Blobs, keys: &SubjectKeys, name: &Sha256Digest) -> Result<String, Box<dyn Error>> {
    let sealed = blobs.get(name)?.ok_or("no such payload")?;
    let key_id = SealedHeader::parse(&sealed)?.key_id();
    let key = keys.key(&key_id)?.ok_or_else(|| format!("the key {key_id} is gone"))?;
    Ok(String::from_utf8(open_bytes(&key, &sealed)?.to_vec())?)
}

fn store(blobs: &Blobs, bytes: &[u8]) -> Result<BlobRef, Box<dyn Error>> {
    let sha256 = Sha256Digest::of(bytes);
    blobs.put(&sha256, bytes)?;
    let size_bytes = u64::try_from(bytes.len())?.try_into()?;
    Ok(BlobRef { content_type: "application/vnd.proofline.sealed".parse()?, sha256, size_bytes })
}

fn accepted(outcome: Outcome) -> Result<proofline::ledger::Seq, Box<dyn Error>> {
    match outcome {
        Outcome::Accepted { seq, .. } => Ok(seq),
        other => Err(format!("not accepted: {other:?}").into()),
    }
}

fn commit(ledger: &Ledger, envelope: Envelope) -> Result<EnvelopeHash, Box<dyn Error>> {
    let sealed = envelope.seal();
    accepted(ledger.commit_action(&Action::Evidence(Submission::bare(sealed.canonical())), NOW_MS)?)?;
    Ok(sealed.hash())
}

fn child(span_id: &str) -> Result<TraceContext, Box<dyn Error>> {
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736".parse()?;
    let parent_span_id = "00f067aa0ba902b7".parse()?;
    Ok(TraceContext::Child { trace_id, span_id: span_id.parse()?, parent_span_id })
}

fn auth_context() -> Result<Envelope, Box<dyn Error>> {
    let now = Millis::new(NOW_MS)?;
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736".parse()?;
    Ok(Envelope::AuthContext(AuthContext {
        ts_ms: now,
        trace: TraceContext::Root { trace_id, span_id: "00f067aa0ba902b7".parse()? },
        component: "gateway".parse()?,
        actor: Actor { actor_kind: "agent".parse()?, actor_id: "clinic/intake-bot".parse()? },
        credential: Credential {
            credential_kind: "oidc".parse()?,
            issuer: "https://id.example.org".parse()?,
            presented_hash_sha256: Sha256Digest::of(b"the token as it was presented"),
            verified_at_ms: now,
            expires_at_ms: Millis::new(NOW_MS + 3_600_000)?,
        },
        grants: StringSet::of(&["records:read"])?,
    }))
}

fn decision(
    context: EnvelopeHash,
    action: &str,
    resource: &str,
    span_id: &str,
) -> Result<Envelope, Box<dyn Error>> {
    Ok(Envelope::PolicyDecision(PolicyDecision {
        ts_ms: Millis::new(NOW_MS)?,
        trace: child(span_id)?,
        component: "kernel".parse()?,
        auth_context_envelope_sha256: context,
        policy: PolicyRef {
            policy_id: "records".parse()?,
            policy_version: "2026-01".parse()?,
            policy_sha256: Sha256Digest::of(b"the policy's text"),
        },
        request: PolicyRequest { action: action.parse()?, resource: resource.parse()? },
        decision: Decision {
            result: DecisionResult::Allow,
            reason_codes: StringSet::of(&["granted"])?,
            obligations: StringSet::of(&[])?,
        },
    }))
}

fn lookup(
    context: EnvelopeHash,
    decision: EnvelopeHash,
    request: &BlobRef,
    response: &BlobRef,
) -> Result<Envelope, Box<dyn Error>> {
    Ok(Envelope::ToolCall(ToolCall {
        started_at_ms: Millis::new(NOW_MS)?,
        ended_at_ms: Millis::new(NOW_MS + 120)?,
        trace: child("3333333333333333")?,
        component: "records-adapter".parse()?,
        auth_context_envelope_sha256: context,
        policy_decision_envelope_sha256: decision,
        tool: ToolRef { adapter_id: "records".parse()?, tool_name: "lookup".parse()? },
        request: request.clone(),
        response: response.clone(),
        outcome: proofline::trace::Outcome { status: "ok".parse()? },
    }))
}
