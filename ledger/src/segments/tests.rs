//! What is found under hashes and traces with a filter over all sealed segments, and in one read, against a look at
//! each segment and step by step: for what is there, what is not, and what only begins alike.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::fs;
use std::path::Path;

use super::*;
use crate::snapshot::Snapshot;
use proofline_proof::tree::Frontier;

const KINDS: [EntryKind; 5] =
    [EntryKind::Genesis, EntryKind::Accepted, EntryKind::Rejected, EntryKind::Artifact, EntryKind::System];

/// A ledger of 81 entries in four segments, of today's form.
fn ledger() -> (tempfile::TempDir, Snapshot) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/ledgers/index-without-nodes");
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("log")).unwrap();
    fs::copy(golden.join("published"), dir.path().join("published")).unwrap();
    for entry in fs::read_dir(golden.join("log")).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), dir.path().join("log").join(entry.file_name())).unwrap();
    }
    crate::migrate::migrate(dir.path()).unwrap();
    let snapshot = Snapshot::open(dir.path()).unwrap();
    assert!(snapshot.segments().list.len() > 3);
    (dir, snapshot)
}

/// The hashes of all entries, and for each another that begins as it does, and one that does not.
fn hashes(snapshot: &Snapshot) -> Vec<EnvelopeHash> {
    let changed = |hash: &EnvelopeHash, at: usize| {
        let mut bytes = *hash.as_bytes();
        bytes[at] ^= 0x40;
        EnvelopeHash::from_bytes(bytes)
    };
    let of = |seq| snapshot.header(Seq::new(seq)).unwrap().unwrap().envelope_hash;
    let present = (0..snapshot.entries()).map(of);
    present.flat_map(|hash| [hash, changed(&hash, 31), changed(&hash, 3)]).collect()
}

fn traces(snapshot: &Snapshot) -> Vec<TraceId> {
    let listed = snapshot.traces_after(None, usize::MAX).unwrap();
    let changed = listed.iter().map(|trace| {
        let mut bytes = *trace.as_bytes();
        bytes[9] ^= 1;
        TraceId::from_bytes(bytes).unwrap()
    });
    listed.iter().copied().chain(changed).collect()
}

/// The first entry step by step: its place by its header, then the entry by its place.
fn by_steps(segments: &Segments, hash: &EnvelopeHash, kind: EntryKind) -> Option<(Seq, Entry)> {
    let seq = segments.first_with_hash(hash, kind).unwrap()?;
    Some((seq, segments.read(seq).unwrap().unwrap()))
}

fn check(covered: &Segments, plain: &Segments, snapshot: &Snapshot) {
    assert!(covered.cover.is_some() && plain.cover.is_none());
    for hash in hashes(snapshot) {
        assert_eq!(covered.with_hash(&hash, None).unwrap(), plain.with_hash(&hash, None).unwrap());
        for kind in KINDS {
            let expected = by_steps(plain, &hash, kind);
            assert_eq!(covered.first_with_hash(&hash, kind).unwrap(), expected.as_ref().map(|(seq, _)| *seq));
            assert_eq!(covered.first_entry_with_hash(&hash, kind).unwrap(), expected);
            assert_eq!(plain.first_entry_with_hash(&hash, kind).unwrap(), expected);
        }
    }
    for trace in traces(snapshot) {
        assert_eq!(covered.last_of_trace(trace).unwrap(), plain.last_of_trace(trace).unwrap());
    }
}

#[test]
fn one_filter_over_all_finds_what_each_of_them_does() {
    let (_dir, snapshot) = ledger();
    let plain = snapshot.segments();
    let mut covered = plain.clone();
    covered.cover_after(0).unwrap();
    assert!(covered.cover.is_none(), "it is not made before it is worth it");
    covered.cover_after(u64::MAX).unwrap();
    check(&covered, plain, &snapshot);
    // It passes over what none of them has.
    let absent = EnvelopeHash::from_bytes([0x5a; 32]);
    assert_eq!(covered.that_may_hold(&absent).len(), 1);
    // Grown segment by segment it is the same.
    let mut grown = Segments::new(plain.dir.clone(), plain.list[..3].to_vec());
    grown.cover_after(u64::MAX).unwrap();
    for segment in &plain.list[3..] {
        let last = grown.list.last().unwrap().index.clone();
        grown.cover_last(&last);
        grown.list.push(segment.clone());
    }
    assert_eq!(grown.cover.as_ref().unwrap().segments(), plain.list.len() - 1);
    check(&grown, plain, &snapshot);
}

/// An index that changed below the ledger since it was opened is in no filter: all are asked, as without one.
#[test]
fn an_index_that_changed_is_not_taken_in() {
    let (dir, snapshot) = ledger();
    let plain = snapshot.segments();
    let SegmentIndex::Sealed(index) = &plain.list[1].index else { unreachable!("a sealed segment") };
    let path = dir.path().join(LOG_DIR).join(crate::index::index_name(plain.list[1].header.first_seq));
    let whole = fs::read(&path).unwrap();
    let mut refused = 0;
    for at in (0..index.head.file_bytes()).step_by(7) {
        let mut bytes = whole.clone();
        bytes[usize::try_from(at).unwrap()] ^= 0x81;
        fs::write(&path, &bytes).unwrap();
        // A memory of pages would hide the change.
        let mut covered = snapshot.clone().with_index_cache(0).segments().clone();
        if covered.cover_after(u64::MAX).is_err() {
            assert!(covered.cover.is_none());
            refused += 1;
        }
    }
    assert!(refused > 10, "{refused} changes were noticed");
    fs::write(&path, &whole).unwrap();
    let mut covered = plain.clone();
    covered.cover_after(u64::MAX).unwrap();
    check(&covered, plain, &snapshot);
}

/// Places that an index gives wrongly lead to the same answers in one read and by steps: what is not as it should be
/// is left to the steps.
#[test]
fn an_entry_is_read_whole_only_where_all_agree() {
    let (_dir, snapshot) = ledger();
    let segments = snapshot.segments();
    let mut whole = 0;
    for segment in &segments.list {
        for ordinal in 0..u32::try_from(segment.entries).unwrap() {
            let seq = segment.seq_of(ordinal);
            let entry = segments.read(seq).unwrap().unwrap();
            let (hash, kind) = (entry.header.envelope_hash, entry.header.status.kind().code());
            let offset = u32::try_from(segment.index.span(ordinal).unwrap().unwrap().offset).unwrap();
            let right = Hit { ordinal, kind, offset };
            let found = segment.whole_entry(right, &hash).unwrap();
            assert_eq!(found.as_ref(), Some(&entry));
            whole += 1;
            for wrong in [
                Hit { offset: offset + 1, ..right },
                Hit { offset: offset.wrapping_sub(1), ..right },
                Hit { offset: u32::MAX, ..right },
                Hit { ordinal: ordinal ^ 1, ..right },
                Hit { ordinal: u32::MAX, ..right },
            ] {
                assert_eq!(segment.whole_entry(wrong, &hash).unwrap(), None, "{wrong:?}");
            }
            let other = EnvelopeHash::from_bytes([9; 32]);
            assert_eq!(segment.whole_entry(right, &other).unwrap(), None);
        }
    }
    assert_eq!(whole, snapshot.entries());
}

/// A writer's open segment grows behind its part of the tree: what was made of fewer entries answers for no more.
#[test]
fn a_segment_that_grew_has_the_tree_of_all_its_entries() {
    let (_dir, snapshot) = ledger();
    let header = |seq| EntryHeader {
        seq: Seq::new(seq),
        trace: None,
        status: proofline_proof::header::EntryStatus::System,
        ..snapshot.header(Seq::new(1)).unwrap().unwrap()
    };
    let leaf = |seq: u64| LeafHash::of_header(&seq.to_be_bytes());
    let mut table = crate::index::Table::new(80);
    let first = snapshot.segments().list[0].clone();
    let mut segments = Segments::new(snapshot.dir().to_owned(), vec![first]);
    let mut frontier = Frontier::empty();
    for seq in 0..1500 {
        let at = u32::try_from(seq).unwrap();
        table.insert(at, 80 + 100 * at, 100, &header(seq), leaf(seq));
        frontier.push(leaf(seq));
        if seq % 130 == 0 {
            segments.list[0].index = SegmentIndex::Memory(Arc::new(table.clone()));
            segments.list[0].entries = seq + 1;
            assert_eq!(Frontier::read(&segments, seq + 1).unwrap(), frontier, "{seq}");
            if seq % 260 == 0 {
                segments.list[0].forget_tree();
            }
        }
    }
}
