//! A busy seeded run: groups of mixed sizes, duplicates, rejected attempts, artifacts and erasures,
//! from two writers in turn. The answers are known beforehand, from the contract and not from the gate.

use std::collections::HashSet;
use std::path::Path;

use proofline_ledger::{Action, DeclaredDigest, DeclaredType, Ledger, LedgerError, Outcome, Submission};

use super::erasing::{PAYLOADS, check_payloads, erasing_chain, payload_name};
use super::random::Random;
use super::raw::{self, RawEntry};
use super::sim_disk::{Image, SimDisk};
use super::{NOW_MS, chain, hash_of};

/// What the contract says of a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    Accepted,
    Duplicate,
    Rejected,
    /// Refused and not kept.
    Refused,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Evidence,
    Artifact,
    System,
}

#[derive(Clone, Debug)]
pub(crate) struct Sent {
    envelope: String,
    declared_hash: Option<String>,
    kind: Kind,
    /// SHA-256 of the canonical bytes.
    pub(crate) hash: String,
    pub(crate) expected: Expected,
}

impl Sent {
    fn envelope(envelope: String, expected: Expected) -> Self {
        let hash = if expected == Expected::Refused { String::new() } else { hash_of(&envelope) };
        let is_system = envelope.contains(r#""system_type""#);
        let kind = if is_system { Kind::System } else { Kind::Evidence };
        Sent { envelope, declared_hash: None, kind, hash, expected }
    }

    pub(crate) fn action(&self) -> Action<'_> {
        match self.kind {
            Kind::Artifact => return Action::Artifact(self.envelope.as_bytes()),
            Kind::System => return Action::System(self.envelope.as_bytes()),
            Kind::Evidence => {}
        }
        Action::Evidence(Submission {
            record_type: DeclaredType::Own,
            declared_hash: self
                .declared_hash
                .as_deref()
                .map_or(DeclaredDigest::Computed, DeclaredDigest::Text),
            envelope: self.envelope.as_bytes(),
        })
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) writer: usize,
    pub(crate) sent: Vec<Sent>,
    pub(crate) recorded_at_ms: u64,
}

/// Some groups, of which each may rest on those before it in the list.
pub(crate) fn groups(seed: u64, count: usize) -> Vec<Group> {
    let mut random = Random::new(seed);
    let mut waiting: Vec<Vec<String>> = Vec::new();
    let mut accepted: Vec<Sent> = Vec::new();
    let mut next_trace = 1;
    let mut groups = Vec::new();
    for at in 0..count {
        let size = *random.pick(&[1, 1, 1, 2, 3, 5, 9]);
        let mut sent = Vec::new();
        for _ in 0..size {
            if waiting.len() < 3 {
                let mut lines = match next_trace / 3 {
                    payload if next_trace % 3 == 1 && payload < PAYLOADS => {
                        erasing_chain(next_trace, &payload_name(payload))
                    }
                    _ => chain(next_trace, 2 + next_trace % 4),
                };
                lines.reverse();
                waiting.push(lines);
                next_trace += 1;
            }
            sent.push(next_sent(&mut random, &mut waiting, &mut accepted, next_trace));
            waiting.retain(|lines| !lines.is_empty());
        }
        let recorded_at_ms = NOW_MS + 1000 * at as u64 - random.next() % 3000;
        groups.push(Group { writer: random.below(2), sent, recorded_at_ms });
    }
    groups
}

fn next_sent(
    random: &mut Random,
    waiting: &mut [Vec<String>],
    accepted: &mut Vec<Sent>,
    next_trace: u32,
) -> Sent {
    let kind = random.below(12);
    if kind == 0 && !accepted.is_empty() {
        return Sent { expected: Expected::Duplicate, ..random.pick(accepted).clone() };
    }
    if kind == 1 {
        // A call whose context nobody ever sent.
        let stranger = chain(1_000_000 + next_trace, 1).remove(2);
        return Sent::envelope(stranger, Expected::Rejected);
    }
    if kind == 2 {
        let other = chain(2_000_000 + next_trace, 0).remove(0);
        let sent = Sent::envelope(other, Expected::Rejected);
        return Sent { declared_hash: Some("f".repeat(if random.once_in(2) { 64 } else { 300 })), ..sent };
    }
    if kind == 3 {
        return Sent::envelope(r#"{"record_type":"auth_context"}"#.to_owned(), Expected::Refused);
    }
    if let (4, Some(about)) = (kind, accepted.last()) {
        let artifact = replay_result(accepted.len(), &about.hash);
        let hash = proofline_canon::Sha256Digest::of(artifact.as_bytes()).to_string();
        let sent = Sent {
            envelope: artifact,
            declared_hash: None,
            kind: Kind::Artifact,
            hash,
            expected: Expected::Accepted,
        };
        accepted.push(sent.clone());
        return sent;
    }
    let lines = random.below(waiting.len());
    let line = waiting[lines].pop().unwrap();
    let sent = Sent::envelope(line, Expected::Accepted);
    accepted.push(sent.clone());
    sent
}

/// A replay result in canonical bytes: its members are in order as they stand here.
fn replay_result(number: usize, input: &str) -> String {
    format!(
        r#"{{"generated_at":"1970-01-01T00:00:00.000Z","input_envelope_hashes":["{input}"],"replay_type":"forensic","result":"pass","target_trace_id":"{:032x}"}}"#,
        number + 1
    )
}

/// What a writer was told, and what it said before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Receipt {
    pub(crate) seq: u64,
    pub(crate) hash: String,
}

/// Compares an answer with the contract's and returns the receipt that is in it.
pub(crate) fn receipt(sent: &Sent, outcome: &Outcome) -> Option<Receipt> {
    let (found, hash, seq) = match outcome {
        Outcome::Accepted { envelope_hash, seq, duplicate: false } => {
            (Expected::Accepted, Some(envelope_hash), Some(seq))
        }
        Outcome::Accepted { envelope_hash, seq, duplicate: true } => {
            (Expected::Duplicate, Some(envelope_hash), Some(seq))
        }
        Outcome::Refused { envelope_hash, seq: Some(seq), .. } => {
            (Expected::Rejected, envelope_hash.as_ref(), Some(seq))
        }
        Outcome::Refused { seq: None, .. } => (Expected::Refused, None, None),
        Outcome::ArtifactRefused(refusal) => panic!("{refusal}: {}", sent.envelope),
    };
    assert_eq!(found, sent.expected, "{outcome:?}");
    if sent.expected != Expected::Refused {
        assert_eq!(hash.map(ToString::to_string).as_ref(), Some(&sent.hash));
    }
    seq.map(|seq| Receipt { seq: seq.get(), hash: sent.hash.clone() })
}

/// How far a run came.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) receipts: Vec<Receipt>,
    /// Groups that were answered.
    pub(crate) answered: usize,
    pub(crate) error: Option<LedgerError>,
}

/// Sends groups until one fails; after each answer checks on the disk that it was no lie.
pub(crate) fn run(disk: &SimDisk, dir: &Path, writers: &[&Ledger], groups: &[Group]) -> Progress {
    let mut progress = Progress::default();
    for group in groups {
        let actions: Vec<Action<'_>> = group.sent.iter().map(Sent::action).collect();
        let writer = writers[group.writer % writers.len()];
        match writer.commit_actions(&actions, group.recorded_at_ms) {
            Ok(outcomes) => {
                assert_eq!(outcomes.len(), group.sent.len());
                let received = group.sent.iter().zip(&outcomes).filter_map(|(sent, it)| receipt(sent, it));
                let from = progress.receipts.len();
                progress.receipts.extend(received);
                assert_durable(disk, dir, &progress.receipts[from..]);
                progress.answered += 1;
            }
            Err(error) => {
                progress.error = Some(error);
                break;
            }
        }
    }
    progress
}

/// No receipt without its record in synced bytes under a synced name.
pub(crate) fn assert_durable(disk: &SimDisk, dir: &Path, receipts: &[Receipt]) {
    if receipts.is_empty() {
        return;
    }
    let synced = disk.after_power_cut(Image::SyncedOnly);
    let (entries, _) = raw::read_log(&synced, dir);
    assert_held(&entries, receipts, "a receipt was given before its sync");
    check_payloads(&synced, dir, receipts, false);
}

pub(crate) fn assert_held(entries: &[RawEntry], receipts: &[Receipt], complaint: &str) {
    for receipt in receipts {
        let entry = entries.get(usize::try_from(receipt.seq).unwrap());
        assert_eq!(entry.map(RawEntry::hash).as_ref(), Some(&receipt.hash), "{complaint}: {receipt:?}");
    }
}

/// The hashes of all that was ever sent: nothing else may be in the log.
pub(crate) fn hashes(groups: &[Group]) -> HashSet<String> {
    groups.iter().flat_map(|group| &group.sent).map(|sent| sent.hash.clone()).collect()
}
