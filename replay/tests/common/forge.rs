//! Forges ledgers: segment files written straight from headers and bodies, past the gate. All
//! links are right unless a test bends them.

use std::path::Path;

use proofline_canon::Value;
use proofline_ledger::frame::encode_frame;
use proofline_ledger::header::{DeclaredHash, EntryHeader, EntryStatus, TraceLink};
use proofline_ledger::segment::{SegmentHeader, segment_name};
use proofline_ledger::{Seq, Snapshot};
use proofline_trace::{EnvelopeHash, GenesisRecord, LedgerId, TraceId};

use super::{Look, NOW_MS, genesis};

/// An entry to be forged.
#[derive(Clone, Debug)]
pub struct Forged {
    pub seq: u64,
    pub trace_id: TraceId,
    pub key: EnvelopeHash,
    pub status: EntryStatus,
    pub body: Vec<u8>,
}

impl Forged {
    /// An accepted entry that tells the truth about an envelope.
    pub fn accepted(seq: u64, envelope: &str) -> Self {
        let limits = proofline_canon::Limits::ENVELOPE;
        let sealed = proofline_trace::read_envelope(envelope.as_bytes(), &limits).unwrap();
        Self {
            seq,
            trace_id: sealed.envelope().trace_id(),
            key: sealed.hash(),
            status: EntryStatus::Accepted,
            body: sealed.canonical().to_vec(),
        }
    }

    /// The same as a rejected attempt that declared its own hash.
    pub fn rejected(seq: u64, envelope: &str, error_kind: &str) -> Self {
        let entry = Self::accepted(seq, envelope);
        let error_kind: proofline_trace::ErrorKind = error_kind.parse().unwrap();
        let status = EntryStatus::Rejected {
            classification: error_kind.classification(),
            declared_hash: DeclaredHash::Text(entry.key.to_string()),
            error_kind,
        };
        Self { status, ..entry }
    }

    /// An entry of the golden files.
    pub fn of(entry: &Value) -> Self {
        let status = match entry.text("kind") {
            "accepted" => EntryStatus::Accepted,
            "rejected" => EntryStatus::Rejected {
                classification: entry.text("classification").parse().unwrap(),
                error_kind: entry.text("error_kind").parse().unwrap(),
                declared_hash: declared_hash(entry.at("declared_hash")),
            },
            other => panic!("{other}"),
        };
        Self {
            seq: entry.number("seq"),
            trace_id: entry.text("trace_id").parse().unwrap(),
            key: entry.text("envelope_hash").parse().unwrap(),
            status,
            body: entry.bytes("body"),
        }
    }
}

fn declared_hash(value: &Value) -> DeclaredHash {
    if value.is_null() {
        return DeclaredHash::Absent;
    }
    if let Some(text) = value.as_str() {
        return DeclaredHash::keep(Some(text));
    }
    DeclaredHash::Long {
        head: Box::new(value.bytes("first_bytes").try_into().unwrap()),
        length: value.number("length"),
        sha256: value.text("sha256").parse().unwrap(),
    }
}

/// Writes a ledger of one segment: genesis, these entries, and artifacts of no trace in the
/// places between. No size is published, so the end of it is not anchored.
pub fn ledger(dir: &Path, entries: &[Forged]) -> Snapshot {
    bent(dir, entries, |_| {})
}

/// The same with a hand on every header before it is written.
pub fn bent(dir: &Path, entries: &[Forged], bend: impl FnMut(&mut EntryHeader)) -> Snapshot {
    std::fs::create_dir_all(dir.join("log")).unwrap();
    let path = dir.join("log").join(segment_name(Seq::GENESIS));
    std::fs::write(path, segment(entries, bend)).unwrap();
    Snapshot::open(dir).unwrap()
}

fn segment(entries: &[Forged], mut bend: impl FnMut(&mut EntryHeader)) -> Vec<u8> {
    let ledger_id = LedgerId::from_bytes([7; 16]);
    let mut out = SegmentHeader { format: 1, ledger_id, first_seq: Seq::GENESIS, previous_leaf: None }
        .encode()
        .to_vec();
    let genesis = GenesisRecord { format_version: 1, ledger_id, origin: genesis().origin }.canonical();
    let last = entries.iter().map(|entry| entry.seq).max().unwrap_or(0);
    let mut previous_leaf = None;
    let mut ends = std::collections::BTreeMap::<TraceId, (Seq, u64)>::new();
    let by_seq: std::collections::BTreeMap<u64, &Forged> =
        entries.iter().rev().map(|entry| (entry.seq, entry)).collect();
    for seq in (0..=last).map(Seq::new) {
        let forged = by_seq.get(&seq.get()).copied();
        let trace = forged.map(|entry| {
            let before = ends.get(&entry.trace_id).copied();
            let count = before.map_or(1, |(_, count)| count + 1);
            ends.insert(entry.trace_id, (seq, count));
            TraceLink { trace_id: entry.trace_id, previous: before.map(|(seq, _)| seq), count }
        });
        let body = forged.map_or(if seq == Seq::GENESIS { &genesis[..] } else { b"{}" }, |entry| &entry.body);
        let filler = if seq == Seq::GENESIS { EntryStatus::Genesis } else { EntryStatus::Artifact };
        let mut header = EntryHeader {
            format: 1,
            seq,
            previous_leaf,
            trace,
            envelope_hash: forged.map_or_else(|| EnvelopeHash::of(body), |entry| entry.key),
            status: forged.map_or(filler, |entry| entry.status.clone()),
            recorded_at_ms: NOW_MS,
        };
        bend(&mut header);
        previous_leaf = Some(encode_frame(&header, body, &mut out).unwrap());
    }
    out
}
