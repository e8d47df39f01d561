//! Files that can be made again from the log: the published size and the indexes.

use std::path::{Path, PathBuf};

use proofline_ledger::{LogEnd, Outcome, Seq, Snapshot};
use proofline_trace::{EnvelopeHash, TraceId};

use crate::common::raw::{self, RawEntry};
use crate::common::recovered::{dir, open};
use crate::common::{NOW_MS, bare, chain, hash_of};
use crate::original::{
    Original, answers, assert_no_false_pass, assert_writers_are_careful, other_ledger, other_values,
    relative, report,
};

/// Changes a derived file in one way: it is noticed, no answer changes, and opening for writing,
/// or `reindex`, makes it again.
fn assert_noticed(original: &Original, path: &Path, content: Option<Vec<u8>>, what: &str) {
    let file = relative(path);
    let disk = original.with(path, content);
    let found = report(&disk);
    assert_eq!(found.damage, [], "{what}");
    assert!(found.derived.iter().any(|derived| derived.file == file), "{what}: {:?}", found.derived);
    let is_mark = file == "published";
    assert_eq!(found.end, if is_mark { LogEnd::NotAnchored } else { LogEnd::Published }, "{what}");
    let snapshot = Snapshot::open_on(&disk, dir()).unwrap();
    assert_eq!(snapshot.damage(), [], "{what}");
    assert!(snapshot.derived_damage().iter().any(|derived| derived.file == file), "{what}");
    assert_eq!(snapshot.end(), found.end, "{what}");
    assert_eq!(answers(&disk, &original.entries), original.answers, "{what}");
    let ledger = open(&disk).unwrap();
    assert!(!ledger.recovery().is_clean(), "{what}");
    assert_eq!(ledger.recovery().torn, [], "{what}");
    assert!(report(&disk).is_sound(), "{what}");
    // Entries behind an older mark move to a segment of their own; they are the same entries.
    let leaves = |entries: &[RawEntry]| entries.iter().map(|entry| entry.leaf).collect::<Vec<_>>();
    assert_eq!(leaves(&raw::read_log(&disk, dir()).0), leaves(&original.entries), "{what}");
    let again = ledger.commit_action(&bare(&chain(1, 0)[0]), NOW_MS).unwrap();
    assert!(
        matches!(again, Outcome::Accepted { seq, duplicate: true, .. } if seq.get() == 1),
        "{what}: {again:?}"
    );
}

#[test]
fn every_change_of_a_derived_file_is_noticed_and_changes_no_answer() {
    let original = Original::new(1..3);
    let mut derived: Vec<PathBuf> =
        original.segments.iter().rev().skip(1).map(|path| path.with_extension("idx")).collect();
    derived.push(dir().join("published"));
    let mut changes = 0;
    for path in &derived {
        let (whole, file) = (original.bytes(path), relative(path));
        for at in 0..whole.len() {
            for value in other_values(whole[at], at) {
                let mut bytes = whole.clone();
                bytes[at] = value;
                assert_noticed(&original, path, Some(bytes), &format!("byte {at} of {file} made {value}"));
                changes += 1;
            }
            let cut = Some(whole[..at].to_vec());
            assert_noticed(&original, path, cut, &format!("{file} cut to {at}"));
        }
        assert_noticed(&original, path, None, &format!("{file} removed"));
        let longer = Some([&whole[..], &[0]].concat());
        assert_noticed(&original, path, longer, &format!("{file} with a byte more"));
    }
    let mark = dir().join("published");
    assert_noticed(&original, &mark, Some(other_ledger().bytes(&mark)), "the mark of another ledger");
    assert_noticed(
        &original,
        &derived[0],
        Some(other_ledger().bytes(&derived[0])),
        "an index of another ledger",
    );
    println!("{changes} changed bytes of derived files");
    assert!(derived.len() >= 2 && changes > 2000);
}

/// A slot of the mark file as its table draws it, with the checksum that goes with it.
fn slot(generation: u64, fields: &MarkFields) -> Vec<u8> {
    let mut bytes = b"PROOFPUB".to_vec();
    bytes.extend_from_slice(&generation.to_le_bytes());
    bytes.extend_from_slice(&fields.ledger_id);
    for number in [fields.segment, fields.segment_bytes, fields.entries] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    bytes.extend_from_slice(&fields.head);
    bytes.extend_from_slice(&raw::crc32c(&bytes).to_le_bytes());
    bytes.resize(512, 0);
    bytes
}

#[derive(Clone)]
struct MarkFields {
    ledger_id: [u8; 16],
    segment: u64,
    segment_bytes: u64,
    entries: u64,
    head: [u8; 32],
}

/// Whoever knows the format can publish what is not so, with right checksums. A claim of more
/// than there is, or of something else, is damage; nobody panics or loops over what is not there.
#[test]
fn a_forged_mark_is_damage_and_no_reader_counts_to_the_end_of_time() {
    let original = Original::new(1..3);
    let mark = dir().join("published");
    let last = original.segments.last().unwrap();
    let log_bytes: usize = original.segments.iter().map(|path| original.bytes(path).len()).sum();
    let honest = MarkFields {
        ledger_id: [7; 16],
        segment: original.frames(last)[0].seq,
        segment_bytes: original.bytes(last).len() as u64,
        entries: original.entries.len() as u64,
        head: original.entries.last().unwrap().leaf,
    };
    let forge =
        |fields: &MarkFields| original.with(&mark, Some([slot(40, fields), slot(39, fields)].concat()));
    assert!(report(&forge(&honest)).is_sound(), "the test does not know how a mark is written");
    let MarkFields { segment, segment_bytes, entries, .. } = honest;
    let forgeries = [
        MarkFields { entries: entries + 1, ..honest.clone() },
        MarkFields { entries: 1 << 60, ..honest.clone() },
        MarkFields { entries: u64::MAX, ..honest.clone() },
        MarkFields { entries: entries + 1, segment_bytes: segment_bytes + 900, ..honest.clone() },
        MarkFields { entries: u64::MAX, segment_bytes: u64::MAX, ..honest.clone() },
        MarkFields { segment: 1 << 60, ..honest.clone() },
        MarkFields { segment: 0, ..honest.clone() },
        MarkFields { segment_bytes: segment_bytes - 1, ..honest.clone() },
        MarkFields { segment_bytes: segment_bytes + 1, ..honest.clone() },
        MarkFields { segment_bytes: 0, ..honest.clone() },
        MarkFields { segment: segment + 1, entries: entries + 1, ..honest.clone() },
        MarkFields { head: [9; 32], ..honest.clone() },
    ];
    for (number, fields) in forgeries.iter().enumerate() {
        let what = format!("forgery {number}");
        let disk = forge(fields);
        assert_ne!(report(&disk).damage, [], "{what}");
        assert_writers_are_careful(&disk, &what);
        if let Ok(snapshot) = Snapshot::open_on(&disk, dir()) {
            assert!(snapshot.entries() <= log_bytes as u64, "{what}: {} entries", snapshot.entries());
            assert_no_false_pass(&original, &disk, &what);
        }
    }
    // Two generations that no writer ever gets to: such a mark does not count, and is made again.
    let disk = original.with(&mark, Some([slot(u64::MAX - 1, &honest), slot(u64::MAX, &honest)].concat()));
    assert_eq!(report(&disk).derived[0].code, "mark.damaged");
    let ledger = open(&disk).unwrap();
    ledger.commit_action(&bare(&chain(777, 0)[0]), NOW_MS).unwrap();
    assert!(report(&disk).is_sound());
    // Less than there is: what an older copy of the file says. Readers see less, and nothing wrong.
    let two_less = &original.entries[original.entries.len() - 2];
    let older = MarkFields {
        segment_bytes: two_less.offset as u64,
        entries: two_less.seq,
        head: original.entries[usize::try_from(two_less.seq).unwrap() - 1].leaf,
        segment: two_less.segment.trim_end_matches(".seg").parse().unwrap(),
        ..honest
    };
    let found = report(&forge(&older));
    assert_eq!((found.damage.len(), found.unpublished_entries), (0, 2), "{:?}", found.damage);
    let snapshot = Snapshot::open_on(&forge(&older), dir()).unwrap();
    assert_eq!((snapshot.entries(), snapshot.damage()), (two_less.seq, &[][..]));
    // An older mark of another history: what follows it vouches for nothing before it.
    let next = original.entries.iter().find(|entry| entry.segment != original.entries[0].segment).unwrap();
    let segment_bytes = original.bytes(&original.segments[0]).len() as u64;
    let inner = MarkFields { segment: 0, segment_bytes, entries: next.seq, head: [9; 32], ..older.clone() };
    for fields in [MarkFields { head: [9; 32], ..older.clone() }, inner, MarkFields { entries: 0, ..older }] {
        let disk = forge(&fields);
        assert!(report(&disk).damage.iter().any(|damage| damage.code == "log.head"));
        assert_eq!(open(&disk).unwrap_err().code(), "ledger.damaged");
    }
}

/// A trace or a hash that nobody sent is not found, whatever lies about.
#[test]
fn what_was_never_there_is_not_found() {
    let original = Original::new(1..3);
    let snapshot = Snapshot::open_on(&original.disk, dir()).unwrap();
    let stranger = hash_of(&chain(99, 0)[0]).parse::<EnvelopeHash>().unwrap();
    assert_eq!(snapshot.with_hash(&stranger).unwrap(), []);
    let trace = format!("{:032x}", 99).parse::<TraceId>().unwrap();
    assert_eq!(snapshot.of_trace(trace).unwrap(), []);
    assert_eq!(original.answers.traces.len(), 2);
    for (entry, found) in original.entries.iter().zip(&original.answers.by_hash) {
        assert!(found.contains(&Seq::new(entry.seq)));
    }
}
