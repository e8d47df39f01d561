//! Streams whose chain is right and whose content no gate let in: whoever can write a whole log can link
//! it. An import decides each entry again.

use proofline_ledger::frame::{decode_frame, encode_frame};
use proofline_ledger::header::{DeclaredHash, EntryHeader, EntryStatus, TraceLink};
use proofline_ledger::{LeafHash, Seq};
use proofline_proof::{KeyRole, Signer};
use proofline_trace::{EnvelopeHash, ErrorKind};

use crate::common::keys::{add, log_key, secret, signature};
use crate::common::recovered::{dir, prepared};
use crate::common::sim_disk::SimDisk;
use crate::common::{NOW_MS, auth_context, chain, decision, hash_of, tool_call};
use crate::house::{commit, furnished, import, open};
use crate::parts::Parts;
use crate::refused::refused;

/// An entry of a log that is to be linked anew.
#[derive(Clone)]
struct Loose {
    header: EntryHeader,
    body: Vec<u8>,
}

/// A genesis entry, a context, a decision and two calls.
fn small() -> Parts {
    let disk = prepared();
    commit(&disk, 1..2);
    Parts::of(&disk, dir())
}

fn loose(parts: &Parts) -> Vec<Loose> {
    let entry = |frame: &Vec<u8>| {
        let frame = decode_frame(frame).unwrap();
        Loose { header: frame.header, body: frame.body.to_vec() }
    };
    parts.frames.iter().map(entry).collect()
}

/// The stream of these entries, numbered, linked and hashed as they stand.
fn linked(parts: &Parts, entries: Vec<Loose>) -> Vec<u8> {
    let mut leaf: Option<LeafHash> = None;
    let mut frames = Vec::new();
    for (entry, seq) in entries.into_iter().zip(0..) {
        let envelope_hash = EnvelopeHash::of(&entry.body);
        let header = EntryHeader { seq: Seq::new(seq), previous_leaf: leaf, envelope_hash, ..entry.header };
        let mut frame = Vec::new();
        leaf = Some(encode_frame(&header, &entry.body, &mut frame).unwrap());
        frames.push(frame);
    }
    let (size, leaf) = (frames.len() as u64, *leaf.unwrap().as_bytes());
    Parts { size, leaf, frames, checkpoints: Vec::new(), ..parts.clone() }.bytes()
}

/// Entries whose places in their traces are those of their places here.
fn retraced(mut entries: Vec<Loose>) -> Vec<Loose> {
    let mut ends = std::collections::HashMap::new();
    for (entry, seq) in entries.iter_mut().zip(0..) {
        let Some(link) = &mut entry.header.trace else { continue };
        let before: Option<(u64, u64)> = ends.get(&link.trace_id).copied();
        link.previous = before.map(|(seq, _)| Seq::new(seq));
        link.count = before.map_or(1, |(_, count)| count + 1);
        ends.insert(link.trace_id, (seq, link.count));
    }
    entries
}

/// The stream without one entry, the others closing ranks.
pub(crate) fn without_entry(parts: &Parts, at: usize) -> Vec<u8> {
    let mut entries = loose(parts);
    entries.remove(at);
    let blobs = Vec::new();
    linked(&Parts { blobs, ..parts.clone() }, retraced(entries))
}

/// The same with one entry changed.
fn changed(at: usize, change: impl FnOnce(&mut Loose)) -> Vec<u8> {
    let parts = small();
    let mut entries = loose(&parts);
    change(&mut entries[at]);
    linked(&parts, entries)
}

/// The same with one more entry at the end, of evidence of trace 1.
fn extended(body: String, status: EntryStatus) -> Vec<u8> {
    let parts = small();
    let mut entries = loose(&parts);
    let last = entries.last().unwrap().header.trace.unwrap();
    let previous = Some(Seq::new(entries.len() as u64 - 1));
    let trace = Some(TraceLink { previous, count: last.count + 1, ..last });
    let header = EntryHeader { status, trace, ..entries.last().unwrap().header.clone() };
    let canonical = proofline_canon::canonicalize(
        body.as_bytes(),
        proofline_canon::Profile::Envelope,
        &proofline_canon::Limits::ENVELOPE,
    );
    entries.push(Loose { header, body: canonical.unwrap() });
    linked(&parts, entries)
}

fn rejected(kind: ErrorKind, declared: &str) -> EntryStatus {
    EntryStatus::Rejected {
        classification: kind.classification(),
        error_kind: kind,
        declared_hash: DeclaredHash::keep(Some(declared)),
    }
}

#[test]
fn linked_anew_as_it_was_it_is_the_same_stream() {
    let parts = small();
    assert!(linked(&parts, loose(&parts)) == parts.bytes());
    let furnished = Parts { checkpoints: Vec::new(), ..Parts::of(&furnished(), dir()) };
    assert!(linked(&furnished, loose(&furnished)) == furnished.bytes());
}

#[test]
fn a_record_that_the_gate_refuses_is_not_accepted_by_saying_so() {
    let (context, allowed) = (chain(1, 1).remove(0), chain(1, 1).remove(1));
    let (context, allowed) = (hash_of(&context), hash_of(&allowed));
    let stranger = hash_of(&auth_context(1, "staff/nobody"));
    // No such context; no such decision.
    let bytes = extended(decision(1, &stranger, "allow"), EntryStatus::Accepted);
    assert!(refused(&bytes, "import.verdict").to_string().contains("missing_prereq"));
    refused(&extended(tool_call(1, &context, &stranger, 9), EntryStatus::Accepted), "import.verdict");
    // Refused for another reason than the log says.
    let body = tool_call(1, &context, &stranger, 9);
    let kind = ErrorKind::MissingAuthContext;
    refused(&extended(body.clone(), rejected(kind, &hash_of(&body))), "import.verdict");
    let as_it_is = rejected(ErrorKind::MissingPolicyDecision, &hash_of(&body));
    assert!(import(&SimDisk::new(), &extended(body.clone(), as_it_is)).is_ok());
    // The order of checks: a wrong hash is told before a missing prerequisite.
    let other = rejected(ErrorKind::MissingPolicyDecision, &"f".repeat(64));
    refused(&extended(body.clone(), other), "import.verdict");
    assert!(import(&SimDisk::new(), &extended(body, rejected(ErrorKind::HashMismatch, "f"))).is_ok());
    // A refusal of what the gate lets in.
    let good = tool_call(1, &context, &allowed, 9);
    refused(&extended(good.clone(), rejected(ErrorKind::PolicyDenied, &hash_of(&good))), "import.verdict");
    refused(&extended(good.clone(), rejected(ErrorKind::HashMismatch, &hash_of(&good))), "import.verdict");
    assert!(import(&SimDisk::new(), &extended(good, EntryStatus::Accepted)).is_ok());
    // Twice.
    refused(&extended(chain(1, 1).remove(0), EntryStatus::Accepted), "import.verdict");
}

#[test]
fn a_header_that_the_log_does_not_give_is_refused() {
    let next = |link: TraceLink| TraceLink { count: link.count + 1, ..link };
    refused(&changed(3, |entry| entry.header.trace = entry.header.trace.map(next)), "log.trace_link");
    let earlier = |link: TraceLink| TraceLink { previous: Some(Seq::new(1)), ..link };
    refused(&changed(3, |entry| entry.header.trace = entry.header.trace.map(earlier)), "log.trace_link");
    let other = |link: TraceLink| TraceLink { trace_id: format!("{:032x}", 2).parse().unwrap(), ..link };
    refused(&changed(3, |entry| entry.header.trace = entry.header.trace.map(other)), "body.trace");
    refused(&changed(3, |entry| entry.header.recorded_at_ms = NOW_MS - 1), "log.clock");
    let kinds = [EntryStatus::Artifact, EntryStatus::System];
    let codes = ["ledger.artifact_form", "ledger.artifact_form"];
    for (status, code) in kinds.into_iter().zip(codes) {
        let bytes = changed(4, |entry| {
            entry.header.trace = entry.header.trace.filter(|_| status == EntryStatus::Artifact);
            entry.header.status = status;
        });
        refused(&bytes, code);
    }
}

#[test]
fn a_body_that_is_no_record_or_not_canonical_is_refused() {
    refused(&changed(4, |entry| entry.body.insert(1, b' ')), "body.form");
    refused(&changed(4, |entry| entry.body = b"{}".to_vec()), "body.form");
    refused(&changed(4, |entry| entry.body = Vec::new()), "body.form");
    // The right checksums around another body than the header hashes.
    let parts = small();
    let mut entries = loose(&parts);
    let other = entries[4].body.len() - 2;
    entries[4].body[other] ^= 1;
    let mut frame = Vec::new();
    encode_frame(&entries[4].header, &entries[4].body, &mut frame).unwrap();
    let mut frames = parts.frames.clone();
    frames[4] = frame;
    refused(&Parts { frames, ..parts }.bytes(), "body.hash");
}

#[test]
fn a_genesis_entry_stands_first_and_nowhere_else() {
    let parts = small();
    let genesis = loose(&parts).remove(0);
    let mut entries = loose(&parts);
    entries.insert(2, genesis);
    assert!(refused_any(&linked_or_none(&parts, entries)), "a second genesis entry is taken");
    refused(&changed(0, |entry| entry.body = br#"{"system_type":"genesis"}"#.to_vec()), "body.form");
    let mut entries = loose(&parts);
    entries.remove(0);
    assert!(refused_any(&linked_or_none(&parts, entries)), "a log without a genesis entry is taken");
}

/// Some entries cannot even be encoded where they stand.
fn linked_or_none(parts: &Parts, entries: Vec<Loose>) -> Option<Vec<u8>> {
    std::panic::catch_unwind(|| linked(parts, entries)).ok()
}

fn refused_any(bytes: &Option<Vec<u8>>) -> bool {
    bytes.as_ref().is_none_or(|bytes| import(&SimDisk::new(), bytes).is_err())
}

/// Keys, signatures and artifacts have rules of their own.
#[test]
fn entries_of_other_kinds_keep_their_rules() {
    let parts = Parts::of(&furnished(), dir());
    let mut entries = loose(&parts);
    let is_index = |body: &[u8]| String::from_utf8_lossy(body).contains("\"system_type\":\"trace_index\"");
    // An index entry counts the keys before it, and so tells that one is missing before anything else does.
    let second_key =
        entries.iter().enumerate().filter(|(_, it)| it.header.status == EntryStatus::System).nth(1);
    let mut fewer = entries.clone();
    fewer.remove(second_key.unwrap().0);
    refused(&linked(&parts, retraced(fewer)), "trace_index.keys");
    entries.retain(|entry| !is_index(&entry.body));
    let place = |kind: &EntryStatus, nth: usize| {
        let all = entries.iter().enumerate().filter(|(_, entry)| entry.header.status == *kind);
        all.map(|(at, _)| at).nth(nth).unwrap()
    };
    let without = |at: usize| {
        let mut entries = entries.clone();
        entries.remove(at);
        linked(&parts, retraced(entries))
    };
    // Without the log key nobody vouches for the producer's; without that one its signature is nobody's.
    refused(&without(place(&EntryStatus::System, 0)), "keys.endorser");
    refused(&without(place(&EntryStatus::System, 1)), "ledger.unknown_producer");
    // A replay result in front of what it rests on.
    let mut swapped = entries.clone();
    let artifact = swapped.remove(place(&EntryStatus::Artifact, 0));
    swapped.insert(1, artifact);
    refused(&linked(&parts, retraced(swapped)), "ledger.artifact_reference");
}

/// A checkpoint of the right root under a key that the ledger does not list.
#[test]
fn a_checkpoint_of_a_stranger_is_refused() {
    let disk = prepared();
    let ledger = open(&disk);
    add(&ledger, &log_key(1), None);
    let kept = ledger.checkpoint(&[&log_key(1)]).unwrap();
    let note =
        proofline_proof::Checkpoint::parse_text(proofline_proof::Note::parse(&kept.note).unwrap().text())
            .unwrap()
            .sign(&[&log_key(2) as &dyn Signer])
            .unwrap();
    let parts = Parts::of(&disk, dir());
    assert!(import(&SimDisk::new(), &parts.bytes()).is_ok());
    let checkpoints = vec![(kept.size, note.to_bytes())];
    refused(&Parts { checkpoints, ..parts }.bytes(), "checkpoint.kept");
}

/// A signature of a producer over an envelope that is not here.
#[test]
fn a_signature_beside_nothing_is_refused() {
    let disk = prepared();
    let ledger = open(&disk);
    let producer = secret("gateway.example", KeyRole::Producer, 2);
    add(&ledger, &log_key(1), None);
    add(&ledger, &producer, Some(&log_key(1)));
    let parts = Parts::of(&disk, dir());
    let mut entries = loose(&parts);
    let trace = format!("{:032x}", 5).parse().unwrap();
    let body = signature(&hash_of(&chain(5, 0)[0]).parse().unwrap(), trace, &producer).canonical();
    let link = TraceLink { trace_id: trace, previous: None, count: 1 };
    let status = EntryStatus::Artifact;
    let header = EntryHeader { status, trace: Some(link), ..entries[1].header.clone() };
    entries.push(Loose { header, body });
    refused(&linked(&parts, entries), "ledger.artifact_reference");
}
