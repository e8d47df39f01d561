//! The small ledger that somebody tampers with, and what must hold of it then.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proofline_ledger::{
    Damage, Genesis, Ledger, LogEnd, Outcome, Seq, Snapshot, VerifyPlan, VerifyReport, salvage_on, verify_on,
};
use proofline_trace::{EnvelopeHash, LedgerId, TraceId};

use crate::common::random::full_effort;
use crate::common::raw::{self, RawEntry};
use crate::common::recovered::{dir, open, prepared};
use crate::common::sim_disk::{Image, SimDisk};
use crate::common::{self, NOW_MS, bare, chain, declared};

/// A ledger of a few records in several segments, and what is known of it.
pub(crate) struct Original {
    pub(crate) disk: SimDisk,
    pub(crate) entries: Vec<RawEntry>,
    pub(crate) segments: Vec<PathBuf>,
    pub(crate) answers: Answers,
}

/// What a reader is told: entries by seq, by hash and by trace, and the list of traces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) bodies: Vec<Option<Vec<u8>>>,
    pub(crate) by_hash: Vec<Vec<Seq>>,
    pub(crate) by_trace: Vec<Vec<Seq>>,
    pub(crate) traces: Vec<TraceId>,
}

pub(crate) fn fill(ledger: &Ledger, traces: std::ops::Range<u32>) {
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
    pub(crate) fn new(traces: std::ops::Range<u32>) -> Self {
        let disk = prepared();
        fill(&open(&disk).unwrap(), traces);
        Self::on(disk.after_power_cut(Image::Everything))
    }

    pub(crate) fn on(disk: SimDisk) -> Self {
        let (entries, surplus) = raw::read_log(&disk, dir());
        assert_eq!(surplus, 0);
        let names = raw::segment_names(&disk, dir());
        let segments = names.into_iter().map(|name| dir().join("log").join(name)).collect();
        let answers = answers(&disk, &entries);
        assert_eq!(answers.bodies.len(), entries.len());
        Original { disk, entries, segments, answers }
    }

    pub(crate) fn bytes(&self, path: &Path) -> Vec<u8> {
        raw::read_file(&self.disk, path)
    }

    /// The entries of a segment file.
    pub(crate) fn frames(&self, path: &Path) -> Vec<&RawEntry> {
        let name = path.file_name().unwrap().to_str().unwrap();
        self.entries.iter().filter(|entry| entry.segment == name).collect()
    }

    /// The ledger with one file another, or gone.
    pub(crate) fn with(&self, path: &Path, content: Option<Vec<u8>>) -> SimDisk {
        let disk = self.disk.copy();
        disk.meddle(path, content);
        disk
    }
}

pub(crate) fn answers(disk: &SimDisk, entries: &[RawEntry]) -> Answers {
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

pub(crate) fn relative(path: &Path) -> String {
    path.strip_prefix(dir()).unwrap().to_str().unwrap().to_owned()
}

pub(crate) fn report(disk: &SimDisk) -> VerifyReport {
    verify_on(disk, dir(), &VerifyPlan::default(), &mut |_| {}).unwrap()
}

/// No reader that walks the log, reading each entry and following the links up to the head, ends
/// up with another log and no complaint.
pub(crate) fn assert_no_false_pass(original: &Original, disk: &SimDisk, what: &str) {
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
pub(crate) fn assert_writers_are_careful(disk: &SimDisk, what: &str) {
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
pub(crate) fn assert_one_entry_lost(original: &Original, disk: &SimDisk, seq: u64, what: &str) {
    let out = Path::new("/data/saved");
    let saved = salvage_on(Arc::new(disk.copy()), dir(), out).unwrap();
    // A body whose own checksum was hit still has the hash that its header names.
    let total = original.entries.len() as u64;
    assert!((total - 1..=total).contains(&saved.entries), "{what}: {:?}", saved.gaps);
    assert!(saved.gaps.iter().any(|gap| gap.seq == Some(Seq::new(seq))), "{what}: {:?}", saved.gaps);
}

pub(crate) fn assert_damaged(
    original: &Original,
    disk: &SimDisk,
    what: &str,
    is_place: impl Fn(&Damage) -> bool,
) {
    let report = report(disk);
    assert!(report.damage.iter().any(is_place), "{what} is not reported there: {:#?}", report.damage);
    assert_no_false_pass(original, disk, what);
    assert_writers_are_careful(disk, what);
}

/// With the mark gone as well, nobody panics, hangs or takes another log for this one.
pub(crate) fn assert_careful_without_mark(original: &Original, disk: &SimDisk, what: &str) {
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

/// The values that a byte is given: always another one.
pub(crate) fn other_values(byte: u8, at: usize) -> Vec<u8> {
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

pub(crate) fn frame_bytes(original: &Original, path: &Path) -> Vec<Vec<u8>> {
    let whole = original.bytes(path);
    original.frames(path).iter().map(|it| whole[it.offset..it.offset + it.frame_bytes].to_vec()).collect()
}

/// A ledger of the same records under another id.
pub(crate) fn other_ledger() -> Original {
    let disk = SimDisk::new();
    let genesis = Genesis { ledger_id: LedgerId::from_bytes([8; 16]), ..common::genesis() };
    Ledger::init_on(&disk, dir(), &genesis).unwrap();
    fill(&open(&disk).unwrap(), 1..3);
    Original::on(disk)
}

/// A frame with right checksums and a header of its own making: an artifact that concerns no trace.
pub(crate) fn forged(seq: u64, previous: [u8; 32]) -> Vec<u8> {
    let body = b"{}";
    let mut header = vec![0x8c, 0x01];
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
