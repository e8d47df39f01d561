//! Properties of headers, frames, the gate and grouping, over generated input.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::Arc;

use ciborium::Value as Cbor;
use common::busy::{Sent, groups};
use common::recovered::{OPTIONS, dir, prepared};
use common::sim_disk::SimDisk;
use common::{NOW_MS, raw};
use proofline_canon::{Limits, Sha256Digest};
use proofline_ledger::frame::{decode_frame, encode_frame};
use proofline_ledger::gate::{AcceptedRecords, Examined, Facts, examine, relate};
use proofline_ledger::header::{DeclaredHash, TraceLink};
use proofline_ledger::{Action, EntryHeader, EntryStatus, LeafHash, Ledger, Options, Outcome, Seq};
use proofline_trace::{EnvelopeHash, ErrorKind, TraceId};
use proptest::prelude::*;
use proptest::sample::select;

/// Numbers around the places where their encoding grows, and any others.
fn number() -> impl Strategy<Value = u64> {
    let edges = [0, 23, 24, 255, 256, 65_535, 65_536, 4_294_967_295, 4_294_967_296, u64::MAX - 1];
    prop_oneof![select(edges.to_vec()), any::<u64>().prop_map(|number| number.min(u64::MAX - 1)), 0..300_u64]
}

fn declared_hash() -> impl Strategy<Value = DeclaredHash> {
    let long = (any::<[u8; 32]>(), 129..u64::MAX, any::<[u8; 32]>()).prop_map(|(part, length, sha256)| {
        DeclaredHash::Long {
            head: Box::new([part, part, part, part].concat().try_into().unwrap()),
            length,
            sha256: Sha256Digest::from_bytes(sha256),
        }
    });
    let text = "\\PC{0,42}".prop_filter("at most 128 bytes are kept as text", |text| text.len() <= 128);
    prop_oneof![Just(DeclaredHash::Absent), text.prop_map(DeclaredHash::Text), long]
}

/// The kinds that the contract keeps (section 4, checks 3 to 6).
const KEPT: [&str; 6] = [
    "hash_mismatch.envelope_hash",
    "missing_prereq.auth_context",
    "missing_prereq.policy_decision",
    "trace_violation.trace_id_mismatch",
    "unauthorized.authority_mismatch",
    "unauthorized.policy_denied",
];

fn status() -> impl Strategy<Value = EntryStatus> {
    let rejected = (select(KEPT.to_vec()), declared_hash()).prop_map(|(kind, declared_hash)| {
        let error_kind: ErrorKind = kind.parse().unwrap();
        EntryStatus::Rejected { classification: error_kind.classification(), error_kind, declared_hash }
    });
    prop_oneof![Just(EntryStatus::Accepted), rejected, Just(EntryStatus::Artifact), Just(EntryStatus::System)]
}

fn header() -> impl Strategy<Value = EntryHeader> {
    let hash = any::<[u8; 32]>;
    let trace = (any::<[u8; 16]>(), number(), 2..u64::MAX, any::<bool>());
    (number(), hash(), trace, hash(), status(), number()).prop_map(
        |(seq, leaf, (trace, previous, count, is_first), envelope_hash, status, recorded_at_ms)| {
            let seq = seq + 1;
            let is_evidence = matches!(status, EntryStatus::Accepted | EntryStatus::Rejected { .. });
            let trace_id = TraceId::from_bytes(trace).ok().filter(|_| is_evidence || trace[0] % 2 == 0);
            let link = |trace_id| {
                let (previous, count) = if is_first { (None, 1) } else { (Some(previous % seq), count) };
                TraceLink { trace_id, previous: previous.map(Seq::new), count }
            };
            let trace = trace_id.or_else(|| is_evidence.then(|| TraceId::from_bytes([1; 16]).unwrap()));
            EntryHeader {
                format: 1,
                seq: Seq::new(seq),
                previous_leaf: Some(LeafHash::from_bytes(leaf)),
                trace: trace.map(link),
                envelope_hash: EnvelopeHash::from_bytes(envelope_hash),
                status,
                recorded_at_ms,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_header_reads_back_and_an_independent_writer_spells_it_the_same(header in header()) {
        let bytes = header.encode();
        prop_assert!(bytes.len() <= 4096);
        prop_assert_eq!(EntryHeader::decode(&bytes).unwrap(), header);
        let read: Cbor = ciborium::from_reader(&bytes[..]).unwrap();
        prop_assert_eq!(read.as_array().unwrap().len(), 12);
        let mut again = Vec::new();
        ciborium::into_writer(&read, &mut again).unwrap();
        prop_assert_eq!(again, bytes);
    }

    #[test]
    fn a_header_with_a_changed_bit_is_refused_or_another_header(header in header()) {
        let bytes = header.encode();
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(other) = EntryHeader::decode(&changed) {
                prop_assert_ne!(&other, &header, "bit {}", bit);
                prop_assert_eq!(other.encode(), changed, "bit {}", bit);
            }
        }
        for length in 0..bytes.len() {
            prop_assert!(EntryHeader::decode(&bytes[..length]).is_err(), "cut to {}", length);
        }
    }

    #[test]
    fn whatever_reads_as_a_header_has_no_other_spelling(
        header in header(),
        at in any::<prop::sample::Index>(),
        junk in prop::collection::vec(any::<u8>(), 0..12),
        cut in 0..4_usize,
    ) {
        let mut bytes = header.encode();
        let at = at.index(bytes.len());
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, junk);
        if let Ok(read) = EntryHeader::decode(&bytes) {
            prop_assert_eq!(read.encode(), bytes);
        }
    }

    #[test]
    fn a_frame_reads_back_and_with_a_changed_bit_it_does_not(
        header in header(),
        body in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut frame = Vec::new();
        encode_frame(&header, &body, &mut frame).unwrap();
        prop_assert_eq!(&raw::frame(&header.encode(), &body), &frame);
        let read = decode_frame(&frame).unwrap();
        prop_assert_eq!((&read.header, read.body), (&header, &body[..]));
        for bit in 0..frame.len() * 8 {
            let mut changed = frame.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(decode_frame(&changed).is_err(), "bit {}", bit);
        }
    }
}

/// Accepted records in memory: the gate of a replay, which never saw the ledger.
#[derive(Default)]
struct Known(HashMap<EnvelopeHash, Facts>);

impl AcceptedRecords for Known {
    type Error = Infallible;

    fn facts(&self, hash: &EnvelopeHash) -> Result<Option<Facts>, Infallible> {
        Ok(self.0.get(hash).copied())
    }
}

/// What the gate alone says of each submission in turn: its kind of error, if any, and its seq.
fn by_gate_alone(sent: &[Sent]) -> Vec<(Option<String>, Option<u64>)> {
    let (mut known, mut next) = (Known::default(), 1_u64);
    let mut answers = Vec::new();
    for sent in sent {
        let Action::Evidence(submission) = sent.action() else { panic!("artifacts have no gate to compare") };
        let examined = examine(&submission, &Limits::ENVELOPE);
        let rejection = match &examined {
            Examined::Refused(rejection) => {
                answers.push((Some(rejection.kind.to_string()), None));
                continue;
            }
            Examined::Mismatched(_, rejection) => Some(rejection.clone()),
            Examined::Sound(sealed) => {
                if let Some(first) = known.0.get(&sealed.hash()) {
                    answers.push((None, Some(first.seq.get())));
                    continue;
                }
                let Ok(verdict) = relate(sealed.envelope(), Seq::new(next), &known);
                if verdict.is_none() {
                    known.0.insert(sealed.hash(), Facts::of(sealed.envelope(), Seq::new(next)));
                }
                verdict
            }
        };
        answers.push((rejection.map(|rejection| rejection.kind.to_string()), Some(next)));
        next += 1;
    }
    answers
}

fn answer(outcome: &Outcome) -> (Option<String>, Option<u64>) {
    match outcome {
        Outcome::Accepted { seq, .. } => (None, Some(seq.get())),
        Outcome::Refused { rejection, seq, .. } => (Some(rejection.kind.to_string()), seq.map(Seq::get)),
        other => panic!("{other:?}"),
    }
}

/// Commits everything in groups that end at these places.
fn commit_in_groups(sent: &[Sent], ends: &[usize], options: Options) -> (SimDisk, Vec<Outcome>) {
    let disk = prepared();
    let ledger = Ledger::open_on(Arc::new(disk.clone()), dir(), options).unwrap();
    let mut ends: Vec<usize> = ends.iter().map(|end| end % (sent.len() + 1)).chain([sent.len()]).collect();
    ends.sort_unstable();
    let (mut from, mut outcomes) = (0, Vec::new());
    for to in ends {
        let actions: Vec<Action<'_>> = sent[from..to].iter().map(Sent::action).collect();
        outcomes.extend(ledger.commit_actions(&actions, NOW_MS).unwrap());
        from = to;
    }
    (disk, outcomes)
}

fn log_files(disk: &SimDisk) -> BTreeMap<std::path::PathBuf, Vec<u8>> {
    disk.contents().into_iter().filter(|(path, _)| path.starts_with(dir().join("log"))).collect()
}

fn sequence(seed: u64, with_artifacts: bool) -> Vec<Sent> {
    let all = groups(seed, 14).into_iter().flat_map(|group| group.sent);
    all.filter(|sent| with_artifacts || matches!(sent.action(), Action::Evidence(_))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Commit and replay call one function: by itself, over a plain map, it decides as commit did.
    #[test]
    fn the_gate_alone_decides_as_commit_does_and_always_the_same(seed in any::<u64>()) {
        let sent = sequence(seed, false);
        let alone = by_gate_alone(&sent);
        prop_assert_eq!(&by_gate_alone(&sent), &alone);
        let (_, outcomes) = commit_in_groups(&sent, &[], OPTIONS);
        let committed: Vec<_> = outcomes.iter().map(answer).collect();
        prop_assert_eq!(committed, alone);
    }

    #[test]
    fn any_grouping_gives_the_same_log(seed in any::<u64>(), ends in prop::collection::vec(any::<usize>(), 0..30)) {
        let sent = sequence(seed, true);
        let (whole, one_group) = commit_in_groups(&sent, &[], Options::default());
        let (split, in_groups) = commit_in_groups(&sent, &ends, Options::default());
        prop_assert_eq!(&in_groups, &one_group);
        prop_assert_eq!(log_files(&split), log_files(&whole));
        // Where segments end depends on the groups; the entries in them do not.
        let (rotated, _) = commit_in_groups(&sent, &ends, OPTIONS);
        let entries = |disk: &SimDisk| {
            let (entries, surplus) = raw::read_log(disk, dir());
            assert_eq!(surplus, 0);
            raw::check_chain(&entries);
            entries.into_iter().map(|entry| (entry.leaf, entry.body)).collect::<Vec<_>>()
        };
        prop_assert_eq!(entries(&rotated), entries(&whole));
    }
}
