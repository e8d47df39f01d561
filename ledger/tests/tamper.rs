//! Somebody changes, cuts, removes, swaps, repeats or inserts bytes, frames and files of a small
//! ledger: `verify` reports each with its place, no reader takes a changed entry for a sound one,
//! nothing panics, and what is derived is noticed without changing an answer.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests fail by panicking"
)]

mod common;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use common::random::full_effort;
use common::raw::{self, RawEntry};
use common::recovered::{dir, open, prepared};
use common::sim_disk::{Image, SimDisk};
use common::{NOW_MS, bare, chain, declared, hash_of};
use proofline_ledger::{
    Damage, Genesis, Ledger, LogEnd, Outcome, Seq, Snapshot, VerifyReport, salvage_on, verify_on,
};
use proofline_trace::{EnvelopeHash, LedgerId, TraceId};

/// A ledger of a few records in several segments, and what is known of it.
struct Original {
    disk: SimDisk,
    entries: Vec<RawEntry>,
    segments: Vec<PathBuf>,
    answers: Answers,
}

/// What a reader is told: entries by seq, by hash and by trace, and the list of traces.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Answers {
    bodies: Vec<Option<Vec<u8>>>,
    by_hash: Vec<Vec<Seq>>,
    by_trace: Vec<Vec<Seq>>,
    traces: Vec<TraceId>,
}

fn fill(ledger: &Ledger, traces: std::ops::Range<u32>) {
    for trace in traces {
        let lines = chain(trace, 2);
        for line in &lines {
            ledger.commit_action(&bare(line), NOW_MS).unwrap();
        }
        let outcome = ledger.commit_action(&declared("auth_context", "x", &lines[0]), NOW_MS).unwrap();
        assert!(matches!(outcome, Outcome::Refused { seq: Some(_), .. }));
    }
}

impl Original {
    fn new(traces: std::ops::Range<u32>) -> Self {
        let disk = prepared();
        fill(&open(&disk).unwrap(), traces);
        Self::on(disk.after_power_cut(Image::Everything))
    }

    fn on(disk: SimDisk) -> Self {
        let (entries, surplus) = raw::read_log(&disk, dir());
        assert_eq!(surplus, 0);
        let names = raw::segment_names(&disk, dir());
        let segments = names.into_iter().map(|name| dir().join("log").join(name)).collect();
        let answers = answers(&disk, &entries);
        assert_eq!(answers.bodies.len(), entries.len());
        Original { disk, entries, segments, answers }
    }

    fn bytes(&self, path: &Path) -> Vec<u8> {
        raw::read_file(&self.disk, path)
    }

    /// The entries of a segment file.
    fn frames(&self, path: &Path) -> Vec<&RawEntry> {
        let name = path.file_name().unwrap().to_str().unwrap();
        self.entries.iter().filter(|entry| entry.segment == name).collect()
    }

    /// The ledger with one file another, or gone.
    fn with(&self, path: &Path, content: Option<Vec<u8>>) -> SimDisk {
        let disk = self.disk.copy();
        disk.meddle(path, content);
        disk
    }
}

fn answers(disk: &SimDisk, entries: &[RawEntry]) -> Answers {
    let snapshot = Snapshot::open_on(disk, dir()).unwrap();
    let hashes = entries.iter().map(|entry| EnvelopeHash::from_bytes(entry.envelope_hash));
    let traces = snapshot.traces_after(None, 1000).unwrap();
    Answers {
        bodies: (0..snapshot.entries())
            .map(|seq| snapshot.entry(Seq::new(seq)).unwrap().map(|entry| entry.body))
            .collect(),
        by_hash: hashes.map(|hash| snapshot.with_hash(&hash).unwrap()).collect(),
        by_trace: traces.iter().map(|trace| snapshot.of_trace(*trace).unwrap()).collect(),
        traces,
    }
}

fn relative(path: &Path) -> String {
    path.strip_prefix(dir()).unwrap().to_str().unwrap().to_owned()
}

fn report(disk: &SimDisk) -> VerifyReport {
    verify_on(disk, dir(), &mut |_| {}).unwrap()
}

/// No reader that walks the log, reading each entry and following the links up to the head, ends
/// up with another log and no complaint.
fn assert_no_false_pass(original: &Original, disk: &SimDisk, what: &str) {
    let Ok(snapshot) = Snapshot::open_on(disk, dir()) else { return };
    assert!(snapshot.entries() <= 1 << 25, "{what}: {} entries", snapshot.entries());
    let (mut complaints, mut others) = (snapshot.damage().len(), 0);
    let mut head = None;
    for seq in 0..snapshot.entries() {
        let Ok(Some(entry)) = snapshot.entry(Seq::new(seq)) else {
            complaints += 1;
            continue;
        };
        complaints += usize::from(entry.header.previous_leaf != head || entry.header.seq.get() != seq);
        head = Some(entry.leaf_hash());
        let first = original.entries.get(usize::try_from(seq).unwrap());
        others += usize::from(first.map(|it| it.leaf) != head.map(|leaf| *leaf.as_bytes()));
    }
    complaints += usize::from(head != snapshot.head());
    assert!(others == 0 || complaints > 0, "{what}: {others} entries are other ones, and a reader passes");
    for entry in &original.entries {
        let _ = snapshot.with_hash(&EnvelopeHash::from_bytes(entry.envelope_hash));
    }
    for trace in &original.answers.traces {
        let _ = snapshot.of_trace(*trace);
    }
}

/// Opening for writing does not panic, and what it accepts it goes on with.
fn assert_writers_are_careful(disk: &SimDisk, what: &str) {
    match open(&disk.copy()) {
        Ok(ledger) => {
            let _ = ledger.commit_action(&bare(&chain(777, 0)[0]), NOW_MS);
        }
        Err(error) => {
            assert!(["ledger.damaged", "ledger.not_a_ledger"].contains(&error.code()), "{what}: {error}")
        }
    }
}

/// Salvage saves all but the entry that was hit, and says what it left behind.
fn assert_one_entry_lost(original: &Original, disk: &SimDisk, seq: u64, what: &str) {
    let out = Path::new("/data/saved");
    let saved = salvage_on(Arc::new(disk.copy()), dir(), out).unwrap();
    // A body whose own checksum was hit still has the hash that its header names.
    let total = original.entries.len() as u64;
    assert!((total - 1..=total).contains(&saved.entries), "{what}: {:?}", saved.gaps);
    assert!(saved.gaps.iter().any(|gap| gap.seq == Some(Seq::new(seq))), "{what}: {:?}", saved.gaps);
}

fn assert_damaged(original: &Original, disk: &SimDisk, what: &str, is_place: impl Fn(&Damage) -> bool) {
    let report = report(disk);
    assert!(report.damage.iter().any(is_place), "{what} is not reported there: {:#?}", report.damage);
    assert_no_false_pass(original, disk, what);
    assert_writers_are_careful(disk, what);
}

/// The values that a byte is given: always another one.
fn other_values(byte: u8, at: usize) -> Vec<u8> {
    let mut values = if full_effort() {
        vec![byte ^ 0x01, byte ^ 0x80, byte ^ 0xff, 0x00, 0xff, byte.wrapping_add(1)]
    } else {
        vec![byte ^ 0x01, [byte ^ 0x80, 0x00, 0xff][at % 3]]
    };
    values.retain(|value| *value != byte);
    values.sort_unstable();
    values.dedup();
    values
}

#[test]
fn every_changed_byte_of_the_log_is_reported_where_it_is() {
    let original = Original::new(1..3);
    let mut changes = 0;
    for path in &original.segments {
        let (whole, file) = (original.bytes(path), relative(path));
        let is_last = Some(path) == original.segments.last();
        for at in 0..whole.len() {
            let frame = original.frames(path).into_iter().rfind(|frame| frame.offset <= at);
            let start = frame.map_or(0, |frame| frame.offset as u64);
            for value in other_values(whole[at], at) {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let disk = original.with(path, Some(bytes));
                let what = format!("byte {at} of {file} made {value}");
                assert_damaged(&original, &disk, &what, |damage| {
                    let here = damage.file == file && (start..=at as u64).contains(&damage.offset.unwrap());
                    here && (frame.is_none() || damage.seq == Some(Seq::new(frame.unwrap().seq)))
                });
                if let Some(frame) = frame.filter(|_| value == whole[at] ^ 1) {
                    assert_one_entry_lost(&original, &disk, frame.seq, &what);
                }
                if is_last {
                    assert_eq!(open(&disk).unwrap_err().code(), "ledger.damaged", "{what}");
                }
                changes += 1;
            }
        }
    }
    println!("{changes} changed bytes");
    assert!(original.segments.len() >= 2 && changes > 10_000);
}

#[test]
fn every_truncation_is_reported() {
    let original = Original::new(1..3);
    for path in &original.segments {
        let (whole, file) = (original.bytes(path), relative(path));
        let frames = original.frames(path);
        for length in 0..whole.len() {
            let first_lost =
                frames.iter().find(|frame| frame.offset + frame.frame_bytes > length).unwrap().seq;
            let disk = original.with(path, Some(whole[..length].to_vec()));
            assert_damaged(&original, &disk, &format!("{file} cut to {length}"), |damage| {
                damage.file == file || damage.seq == Some(Seq::new(first_lost))
            });
        }
    }
}

/// Without the mark nothing says how long the log was: a cut between frames of the last segment
/// is not damage, and the report says on what it rests.
#[test]
fn a_cut_between_frames_without_the_mark_is_not_anchored() {
    let original = Original::new(1..3);
    let mark = dir().join("published");
    let last = original.segments.last().unwrap();
    let whole = original.bytes(last);
    let frames = original.frames(last);
    assert!(frames.len() >= 2);
    for length in 0..=whole.len() {
        let disk = original.with(last, Some(whole[..length].to_vec()));
        disk.meddle(&mark, None);
        let found = report(&disk);
        let is_between =
            length == 80 || frames.iter().any(|frame| frame.offset + frame.frame_bytes == length);
        assert_eq!(found.damage.is_empty(), is_between, "cut to {length}: {:?}", found.damage);
        assert_eq!(found.end, LogEnd::NotAnchored);
        assert_eq!(found.derived[0].code, "mark.damaged");
        if is_between {
            let snapshot = Snapshot::open_on(&disk, dir()).unwrap();
            assert_eq!(snapshot.end(), LogEnd::NotAnchored);
            let kept = original.entries.len() - frames.iter().filter(|frame| frame.offset >= length).count();
            assert_eq!(snapshot.entries(), kept as u64);
        }
        assert_no_false_pass(&original, &disk, &format!("cut to {length}"));
        assert_writers_are_careful(&disk, &format!("cut to {length}"));
    }
    // A sealed segment is as good as a mark: what followed it is missed.
    let disk = original.with(last, None);
    disk.meddle(&mark, None);
    assert_damaged(&original, &disk, "the last segment and the mark gone", |damage| {
        damage.code == "log.missing_segment" && damage.file == relative(last)
    });
}

/// A segment file put together from frames.
fn assemble(original: &Original, path: &Path, frames: &[Vec<u8>]) -> Vec<u8> {
    [&original.bytes(path)[..80], &frames.concat()].concat()
}

fn frame_bytes(original: &Original, path: &Path) -> Vec<Vec<u8>> {
    let whole = original.bytes(path);
    original.frames(path).iter().map(|it| whole[it.offset..it.offset + it.frame_bytes].to_vec()).collect()
}

/// Every frame of every ledger that a test can get hold of.
fn strangers(original: &Original) -> Vec<Vec<u8>> {
    let mut frames: Vec<Vec<u8>> = Vec::new();
    for other in [original, &Original::new(40..42), &other_ledger()] {
        frames.extend(other.segments.iter().flat_map(|path| frame_bytes(other, path)));
    }
    frames.push(forged(u64::MAX, [9; 32]));
    frames.push(forged(1 << 40, [9; 32]));
    frames.push(forged(0, [9; 32]));
    frames
}

/// A ledger of the same records under another id.
fn other_ledger() -> Original {
    let disk = SimDisk::new();
    let genesis = Genesis { ledger_id: LedgerId::from_bytes([8; 16]), ..common::genesis() };
    Ledger::init_on(&disk, dir(), &genesis).unwrap();
    fill(&open(&disk).unwrap(), 1..3);
    Original::on(disk)
}

/// A frame with right checksums and a header of its own making: an artifact that concerns no trace.
fn forged(seq: u64, previous: [u8; 32]) -> Vec<u8> {
    let body = b"{}";
    let mut header = vec![0x8c, 0x00];
    match seq {
        0..24 => header.push(u8::try_from(seq).unwrap()),
        0x1_0000..0x1_0000_0000 => {
            header.push(0x1a);
            header.extend_from_slice(&u32::try_from(seq).unwrap().to_be_bytes());
        }
        _ => {
            header.push(0x1b);
            header.extend_from_slice(&seq.to_be_bytes());
        }
    }
    header.extend_from_slice(&[0x58, 0x20]);
    header.extend_from_slice(&previous);
    header.extend_from_slice(&[0x03, 0xf6, 0xf6, 0x00, 0x58, 0x20]);
    header.extend_from_slice(proofline_canon::Sha256Digest::of(body).as_bytes());
    header.extend_from_slice(&[0xf6, 0xf6, 0xf6, 0x00]);
    assert_eq!(proofline_ledger::EntryHeader::decode(&header).is_ok(), seq > 0);
    raw::frame(&header, body)
}

/// With the mark gone as well, nobody panics, hangs or takes another log for this one.
fn assert_careful_without_mark(original: &Original, disk: &SimDisk, what: &str) {
    let disk = disk.copy();
    disk.meddle(&dir().join("published"), None);
    assert_eq!(report(&disk).end, LogEnd::NotAnchored, "{what}");
    let what = format!("{what}, the mark gone");
    assert_no_false_pass(original, &disk, &what);
    assert_writers_are_careful(&disk, &what);
    let saved = salvage_on(Arc::new(disk), dir(), Path::new("/data/saved")).unwrap();
    // A frame that stands there twice is saved twice, so there may be a few more.
    assert!(saved.entries <= original.entries.len() as u64 + 1, "{what}: {} saved", saved.entries);
}

#[test]
fn every_removed_swapped_repeated_or_inserted_frame_is_reported() {
    let original = Original::new(1..4);
    let strangers = strangers(&original);
    let mut cases = 0;
    for path in &original.segments {
        let file = relative(path);
        let frames = frame_bytes(&original, path);
        let seqs: Vec<u64> = original.frames(path).iter().map(|frame| frame.seq).collect();
        let mut check = |frames: &[Vec<u8>], seq: u64, what: String| {
            let disk = original.with(path, Some(assemble(&original, path, frames)));
            let what = format!("{what} in {file}");
            assert_damaged(&original, &disk, &what, |damage| {
                // The place: the first entry that is not as it was, or what stands there instead.
                damage.file == file || damage.seq == Some(Seq::new(seq))
            });
            assert_careful_without_mark(&original, &disk, &what);
            cases += 1;
        };
        for at in 0..frames.len() {
            let mut removed = frames.clone();
            removed.remove(at);
            check(&removed, seqs[at], format!("entry {} removed", seqs[at]));
            for with in at + 1..frames.len() {
                let mut swapped = frames.clone();
                swapped.swap(at, with);
                check(&swapped, seqs[at], format!("entries {} and {} swapped", seqs[at], seqs[with]));
            }
        }
        for at in 0..=frames.len() {
            // Behind the last frame lies what a writer that died may have left: judged below.
            if at == frames.len() && Some(path) == original.segments.last() {
                continue;
            }
            let seq = seqs.get(at).copied().unwrap_or_else(|| seqs[at - 1] + 1);
            for (number, stranger) in strangers.iter().enumerate() {
                let mut inserted = frames.clone();
                inserted.insert(at, stranger.clone());
                check(&inserted, seq, format!("stranger {number} before entry {seq}"));
            }
        }
    }
    println!("{cases} cases of frames");
    assert!(cases > 300, "{cases} cases");
}

/// Behind the published end: bytes that are no frame, or no entry of this log, are damage to
/// `verify`; for a writer they are a torn tail, which is kept aside and reported.
#[test]
fn what_stands_behind_the_published_end_is_named_and_never_taken_for_an_entry() {
    let original = Original::new(1..3);
    let last = original.segments.last().unwrap();
    let whole = original.bytes(last);
    let next = original.entries.len() as u64;
    let mut tails = strangers(&original);
    tails.extend([vec![0], vec![0; 600], vec![0xff; 100], whole[80..130].to_vec()]);
    for (number, tail) in tails.iter().enumerate() {
        let disk = original.with(last, Some([&whole[..], tail].concat()));
        let found = report(&disk);
        assert!(
            found.damage.iter().any(|it| it.file == relative(last) && it.offset == Some(whole.len() as u64)),
            "tail {number}: {:?}",
            found.damage
        );
        assert_eq!(answers(&disk, &original.entries), original.answers, "tail {number}");
        assert_careful_without_mark(&original, &disk, &format!("tail {number}"));
        let ledger = open(&disk).unwrap();
        assert_eq!(ledger.entries(), next);
        let recovery = ledger.recovery();
        assert_eq!(raw::read_file(&disk, &dir().join(&recovery.torn[0].kept_as)), *tail);
        assert!(report(&disk).is_sound());
        assert_eq!(raw::read_log(&disk, dir()).0, original.entries);
    }
    // A whole next entry is what a writer leaves that died before it published.
    let published = original.bytes(&dir().join("published"));
    let disk = original.disk.copy();
    open(&disk).unwrap().commit_action(&bare(&chain(9, 0)[0]), NOW_MS).unwrap();
    disk.meddle(&dir().join("published"), Some(published));
    let found = report(&disk);
    assert_eq!((found.unpublished_entries, found.damage, found.entries), (1, vec![], next + 1));
    assert_eq!(answers(&disk, &original.entries).bodies, original.answers.bodies);
    assert_eq!(open(&disk).unwrap().recovery().recovered_entries, 1);
}

#[test]
fn removed_renamed_swapped_and_foreign_segments_are_reported() {
    let original = Original::new(1..6);
    let other = other_ledger();
    let fork = Original::new(40..45);
    let count = original.segments.len();
    assert!(count >= 4 && other.segments.len() >= 2, "{count} segments");
    for (at, path) in original.segments.iter().enumerate() {
        let (file, first) = (relative(path), original.frames(path)[0].seq);
        let is_here =
            |damage: &Damage| damage.file == file || damage.seq.is_some_and(|seq| seq.get() >= first);
        let index = path.with_extension("idx");
        for index_too in [false, true] {
            for mark_too in [false, true] {
                let disk = original.with(path, None);
                if index_too {
                    disk.meddle(&index, None);
                }
                if mark_too {
                    disk.meddle(&dir().join("published"), None);
                }
                if mark_too && index_too && at == count - 1 {
                    // The segment before is sealed: that is the mark that is left.
                    assert!(report(&disk).damage.iter().any(|it| it.code == "log.missing_segment"));
                }
                assert_damaged(&original, &disk, &format!("{file} removed"), is_here);
                if count > 1 {
                    let saved = salvage_on(Arc::new(disk), dir(), Path::new("/data/saved")).unwrap();
                    let held = original.entries.len() - original.frames(path).len();
                    assert_eq!(saved.entries, held as u64, "{file} removed");
                }
            }
        }
        for (with, other_path) in original.segments.iter().enumerate() {
            if with > at {
                let disk = original.with(path, Some(original.bytes(other_path)));
                disk.meddle(other_path, Some(original.bytes(path)));
                assert_damaged(&original, &disk, &format!("{file} swapped with segment {with}"), is_here);
            }
            if with != at {
                let disk = original.with(path, Some(original.bytes(other_path)));
                assert_damaged(&original, &disk, &format!("{file} replaced by segment {with}"), is_here);
            }
        }
        let renamed = path.with_file_name(format!("{:020}.seg", first + 1));
        let disk = original.with(path, None);
        disk.meddle(&renamed, Some(original.bytes(path)));
        assert_damaged(&original, &disk, &format!("{file} renamed"), |damage| {
            damage.file == relative(&renamed) || is_here(damage)
        });
        let added = path.with_file_name(format!("{:020}.seg", 1000 + first));
        let disk = original.with(&added, Some(original.bytes(path)));
        assert_damaged(&original, &disk, &format!("{file} added again at the end"), |damage| {
            damage.file == relative(&added)
        });
        for (whose, stranger) in [("another ledger", &other), ("a fork", &fork)] {
            for stranger_path in &stranger.segments {
                let disk = original.with(path, Some(stranger.bytes(stranger_path)));
                let is_all = stranger_path == path && at == 0;
                assert_damaged(&original, &disk, &format!("{file} from {whose}"), |damage| {
                    // The first segment says whose the others are: then they are the strangers.
                    is_all || is_here(damage)
                });
            }
        }
        for junk in [vec![], vec![0; 79], vec![0; 5000], b"PROOFSEG".to_vec()] {
            let disk = original.with(path, Some(junk));
            assert_damaged(&original, &disk, &format!("{file} replaced by junk"), is_here);
        }
    }
}

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

/// A segment file with right checksums that says it begins where no segment can.
#[test]
fn a_segment_from_beyond_the_end_is_reported() {
    let original = Original::new(1..3);
    for first_seq in [20, 1 << 20, 1 << 40, 1 << 63, u64::MAX] {
        for seq in [first_seq, first_seq - 1, 0, 7] {
            for mark_too in [false, true] {
                let mut bytes = b"PROOFSEG\0\0\0\0\0\0\0\0".to_vec();
                bytes.extend_from_slice(&[7; 16]);
                bytes.extend_from_slice(&first_seq.to_le_bytes());
                bytes.extend_from_slice(&[9; 32]);
                bytes.extend_from_slice(&[0; 4]);
                bytes.extend_from_slice(&raw::crc32c(&bytes).to_le_bytes());
                bytes.extend_from_slice(&forged(seq, [9; 32]));
                let path = dir().join("log").join(format!("{first_seq:020}.seg"));
                let disk = original.with(&path, Some(bytes));
                if mark_too {
                    disk.meddle(&dir().join("published"), None);
                }
                let what = format!("a segment at {first_seq} with a frame of {seq}");
                assert_damaged(&original, &disk, &what, |damage| {
                    damage.file == relative(&path)
                        || damage.seq == Some(Seq::new(original.entries.len() as u64))
                });
            }
        }
    }
}

/// A trace or a hash that nobody sent is not found, whatever lies about.
#[test]
fn what_was_never_there_is_not_found() {
    let original = Original::new(1..3);
    let snapshot = Snapshot::open_on(&original.disk, dir()).unwrap();
    let stranger = EnvelopeHash::from_str(&hash_of(&chain(99, 0)[0])).unwrap();
    assert_eq!(snapshot.with_hash(&stranger).unwrap(), []);
    let trace = TraceId::from_str(&format!("{:032x}", 99)).unwrap();
    assert_eq!(snapshot.of_trace(trace).unwrap(), []);
    assert_eq!(original.answers.traces.len(), 2);
    for (entry, found) in original.entries.iter().zip(&original.answers.by_hash) {
        assert!(found.contains(&Seq::new(entry.seq)));
    }
}
