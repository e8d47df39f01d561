//! Embed the ledger: make one, store a payload, commit what an agent did, and read it back.
//!
//! ```sh
//! cargo run --example embed            # in a temporary folder
//! cargo run --example embed -- FOLDER  # in a new folder, to look at with `proofline`
//! ```
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use proofline::canon::{ContentStore, Sha256Digest};
use proofline::ledger::{Action, Blobs, Genesis, Ledger, Options, Outcome, Submission};
use proofline::trace::{
    Actor, AuthContext, BlobRef, Credential, Decision, DecisionResult, Envelope, EnvelopeHash, LedgerId,
    Millis, PolicyDecision, PolicyRef, PolicyRequest, StringSet, ToolCall, ToolRef, TraceContext,
};

fn main() -> Result<(), Box<dyn Error>> {
    let temporary = tempfile::tempdir()?;
    let dir = std::env::args_os().nth(1).map_or_else(|| temporary.path().join("ledger"), PathBuf::from);
    let now_ms = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;

    let ledger_id = LedgerId::from_bytes([0x2a; 16]); // a real one is drawn at random
    Ledger::init(&dir, &Genesis { ledger_id, origin: "example.org/agents".parse()?, created_at_ms: now_ms })?;
    let ledger = Ledger::open(&dir, Options::default())?;

    // Payloads first: they are durable before the envelope that names them.
    let blobs = Blobs::open(&dir)?;
    let request = store(&blobs, br#"{"order":"A-1007"}"#)?;
    let response = store(&blobs, br#"{"status":"shipped"}"#)?;

    let now = Millis::new(now_ms)?;
    let context = commit(&ledger, now_ms, auth_context(now)?)?;
    let allowed = commit(&ledger, now_ms, decision(now, context, "orders:read", DecisionResult::Allow)?)?;
    commit(&ledger, now_ms, lookup(now, context, allowed, &request, &response)?)?;

    // What policy denied is refused, and the attempt is kept as evidence.
    let denied = commit(&ledger, now_ms, decision(now, context, "orders:cancel", DecisionResult::Deny)?)?;
    commit(&ledger, now_ms, lookup(now, context, denied, &request, &response)?)?;

    let snapshot = ledger.snapshot()?;
    println!("{} entries, {}", snapshot.entries(), snapshot.end());
    Ok(())
}

fn store(blobs: &Blobs, bytes: &[u8]) -> Result<BlobRef, Box<dyn Error>> {
    let sha256 = Sha256Digest::of(bytes);
    blobs.put(&sha256, bytes)?;
    let size_bytes = u64::try_from(bytes.len())?.try_into()?;
    Ok(BlobRef { content_type: "application/json".parse()?, sha256, size_bytes })
}

fn commit(ledger: &Ledger, now_ms: u64, envelope: Envelope) -> Result<EnvelopeHash, Box<dyn Error>> {
    let record_type = envelope.record_type();
    let sealed = envelope.seal();
    match ledger.commit_action(&Action::Evidence(Submission::bare(sealed.canonical())), now_ms)? {
        Outcome::Accepted { seq, .. } => println!("entry {seq}: {record_type} accepted"),
        Outcome::Refused { rejection, seq, .. } => {
            let kept = seq.map_or("not kept".to_owned(), |seq| format!("kept as entry {seq}"));
            println!("{record_type} refused ({}), {kept}: {rejection}", rejection.kind);
        }
        Outcome::ArtifactRefused(refusal) => return Err(refusal.into()),
    }
    Ok(sealed.hash())
}

fn root() -> Result<TraceContext, Box<dyn Error>> {
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736".parse()?;
    Ok(TraceContext::Root { trace_id, span_id: "00f067aa0ba902b7".parse()? })
}

fn child(span_id: &str) -> Result<TraceContext, Box<dyn Error>> {
    let trace_id = "4bf92f3577b34da6a3ce929d0e0e4736".parse()?;
    let parent_span_id = "00f067aa0ba902b7".parse()?;
    Ok(TraceContext::Child { trace_id, span_id: span_id.parse()?, parent_span_id })
}

fn auth_context(now: Millis) -> Result<Envelope, Box<dyn Error>> {
    let credential = Credential {
        credential_kind: "oidc".parse()?,
        issuer: "https://id.example.org".parse()?,
        presented_hash_sha256: Sha256Digest::of(b"the token as it was presented"),
        verified_at_ms: now,
        expires_at_ms: Millis::new(now.get() + 3_600_000)?,
    };
    Ok(Envelope::AuthContext(AuthContext {
        ts_ms: now,
        trace: root()?,
        component: "gateway".parse()?,
        actor: Actor { actor_kind: "agent".parse()?, actor_id: "support/returns-bot".parse()? },
        credential,
        grants: StringSet::of(&["orders:read"])?,
    }))
}

fn decision(
    now: Millis,
    context: EnvelopeHash,
    action: &str,
    result: DecisionResult,
) -> Result<Envelope, Box<dyn Error>> {
    let policy = PolicyRef {
        policy_id: "orders".parse()?,
        policy_version: "2026-01".parse()?,
        policy_sha256: Sha256Digest::of(b"the policy's text"),
    };
    let reason = if result == DecisionResult::Allow { "granted" } else { "not-granted" };
    Ok(Envelope::PolicyDecision(PolicyDecision {
        ts_ms: now,
        trace: child(if result == DecisionResult::Allow { "1111111111111111" } else { "2222222222222222" })?,
        component: "kernel".parse()?,
        auth_context_envelope_sha256: context,
        policy,
        request: PolicyRequest { action: action.parse()?, resource: "orders/a-1007".parse()? },
        decision: Decision {
            result,
            reason_codes: StringSet::of(&[reason])?,
            obligations: StringSet::of(&[])?,
        },
    }))
}

fn lookup(
    now: Millis,
    context: EnvelopeHash,
    decision: EnvelopeHash,
    request: &BlobRef,
    response: &BlobRef,
) -> Result<Envelope, Box<dyn Error>> {
    Ok(Envelope::ToolCall(ToolCall {
        started_at_ms: now,
        ended_at_ms: Millis::new(now.get() + 120)?,
        trace: child("3333333333333333")?,
        component: "orders-adapter".parse()?,
        auth_context_envelope_sha256: context,
        policy_decision_envelope_sha256: decision,
        tool: ToolRef { adapter_id: "orders".parse()?, tool_name: "lookup".parse()? },
        request: request.clone(),
        response: response.clone(),
        outcome: proofline::trace::Outcome { status: "ok".parse()? },
    }))
}
