//! Archiving and bringing back, on a small ledger of several segments: what goes, what stays, what the
//! gate, proofs and verification say meanwhile, and that everything comes back byte for byte.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use common::keys::log_key;
use common::{NOW_MS, auth_context, bare, chain, decision, genesis, hash_of, tool_call};
use proofline_canon::{Blake3Digest, Sha256Digest, hex};
use proofline_ledger::{
    Action, ArchiveOrder, ArchiveReport, EntryFault, Ledger, LedgerError, Options, Outcome, Seq, Snapshot,
    VerifyPlan, archive, reindex, restore, salvage, verify, verify_archive, verify_with,
};
use proofline_proof::KeyList;

const OPTIONS: fn() -> Options = || Options { segment_bytes: 4096, ..Options::default() };

struct Sample {
    _folder: tempfile::TempDir,
    dir: PathBuf,
    out: PathBuf,
}

/// A key, an attempt that is refused, a denial, and eight traces of five records, over many segments.
fn sample() -> Sample {
    let folder = tempfile::tempdir().unwrap();
    let (dir, out) = (folder.path().join("ledger"), folder.path().join("archive"));
    Ledger::init(&dir, &genesis()).unwrap();
    let ledger = Ledger::open(&dir, OPTIONS()).unwrap();
    let list = KeyList::new(genesis().ledger_id, genesis().origin);
    let key = list.addition(&log_key(1), None).unwrap().canonical();
    ledger.commit_action(&Action::System(&key), NOW_MS).unwrap();
    let denied = decision(1, &hash_of(&chain(1, 0)[0]), "deny");
    let mut lines: Vec<String> = (1..=8).flat_map(|trace| chain(trace, 3)).collect();
    lines.insert(2, denied);
    // A call whose context nobody sent.
    lines.insert(3, chain(900, 1).remove(2));
    for line in &lines {
        ledger.commit_action(&bare(line), NOW_MS).unwrap();
    }
    Sample { _folder: folder, dir, out }
}

impl Sample {
    fn archive_before(&self, before: u64) -> Result<ArchiveReport, LedgerError> {
        let order =
            ArchiveOrder { before: Seq::new(before), out: &self.out, place: "shelf 7", now_ms: NOW_MS + 5 };
        archive(&self.dir, &order, &mut |_| {})
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::open(&self.dir).unwrap()
    }

    fn writer(&self) -> Ledger {
        Ledger::open(&self.dir, OPTIONS()).unwrap()
    }

    /// Every file of the log by name.
    fn log(&self) -> BTreeMap<String, Vec<u8>> {
        files(&self.dir.join("log"))
    }
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap()))
        .collect()
}

fn names(files: &BTreeMap<String, Vec<u8>>, end: &str) -> Vec<String> {
    files.keys().filter(|name| name.ends_with(end)).cloned().collect()
}

fn first_seq(name: &str) -> u64 {
    name[..20].parse().unwrap()
}

#[test]
fn whole_sealed_segments_go_and_come_back_byte_for_byte() {
    let sample = sample();
    let before = sample.log();
    let segments = names(&before, ".seg");
    assert!(segments.len() > 5, "{segments:?}");
    // The third segment ends where the fourth begins: one entry less, and it stays.
    let end = first_seq(&segments[3]);
    assert_eq!(sample.archive_before(end - 1).unwrap().moved.len(), 2);
    let report = sample.archive_before(end).unwrap();
    assert_eq!(
        report.moved.iter().map(|moved| moved.first_seq.get()).collect::<Vec<_>>(),
        [first_seq(&segments[2])]
    );
    let log = sample.log();
    assert_eq!(names(&log, ".seg"), segments[3..]);
    assert_eq!(names(&log, ".idx"), names(&before, ".idx"), "indexes stay");
    let out = files(&sample.out);
    assert_eq!(names(&out, ".seg"), segments[..3]);
    for name in &segments[..3] {
        assert_eq!(out[name], before[name], "{name} is in the archive as it was");
    }
    let total: u64 = segments[..3].iter().map(|name| before[name].len() as u64).sum();
    let kept: usize = names(&log, ".arc").iter().map(|name| log[name].len()).sum();
    assert!((kept as u64) < total, "{kept} bytes stay of {total}");
    let back = restore(&sample.dir, &sample.out, &mut |_| {}).unwrap();
    assert_eq!((back.restored.len(), back.mended.len(), back.still_archived), (3, 0, 0));
    assert_eq!(sample.log(), before);
    assert_eq!(files(&sample.out), out, "the archive is only read");
    assert!(verify(&sample.dir, &mut |_| {}).unwrap().is_sound());
    // Everything but the open segment, and a second time nothing.
    assert_eq!(sample.archive_before(u64::MAX).unwrap().moved.len(), segments.len() - 1);
    assert_eq!(sample.archive_before(u64::MAX).unwrap().moved, []);
}

/// The manifest, computed here from the bytes of the segment.
#[test]
fn a_manifest_says_what_its_segment_is() {
    let sample = sample();
    sample.archive_before(u64::MAX).unwrap();
    let out = files(&sample.out);
    let snapshot = sample.snapshot();
    let segments = names(&out, ".seg");
    for (at, name) in segments.iter().enumerate() {
        let first = first_seq(name);
        let next = segments
            .get(at + 1)
            .map_or_else(|| first_seq(&names(&sample.log(), ".seg")[0]), |next| first_seq(next));
        let leaf = |seq: u64| snapshot.header(Seq::new(seq)).unwrap().unwrap().leaf_hash().to_string();
        let previous = if first == 0 { "null".to_owned() } else { format!("\"{}\"", leaf(first - 1)) };
        let expected = format!(
            r#"{{"archive_version":1,"blake3":"{}","entries":{},"file":"{name}","first_seq":{first},"last_leaf_hash":"{}","ledger_id":"{}","origin":"ledger.example/test","previous_leaf_hash":{previous},"segment_bytes":{},"sha256":"{}"}}"#,
            Blake3Digest::of(&out[name]),
            next - first,
            leaf(next - 1),
            hex(&[7; 16]),
            out[name].len(),
            Sha256Digest::of(&out[name]),
        );
        assert_eq!(String::from_utf8(out[&name.replace(".seg", ".json")].clone()).unwrap(), expected);
    }
}

/// What stays, read here as docs/format.md draws it.
#[test]
fn what_stays_is_laid_out_as_the_format_says() {
    let sample = sample();
    let before = sample.log();
    sample.archive_before(u64::MAX).unwrap();
    let log = sample.log();
    let u16_at =
        |bytes: &[u8], at: usize| usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().unwrap()));
    let u32_at = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let u64_at = |bytes: &[u8], at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let mut kinds = BTreeMap::new();
    for name in names(&log, ".arc") {
        let (stub, segment) = (&log[&name], &before[&name.replace(".arc", ".seg")]);
        assert_eq!((&stub[..8], u32_at(stub, 8)), (&b"PROOFARC"[..], 1));
        let entries = u32_at(stub, 12) as usize;
        assert_eq!((u64_at(stub, 16), u64_at(stub, 24)), (stub.len() as u64, segment.len() as u64));
        assert_eq!(stub[32..64], *Sha256Digest::of(segment).as_bytes());
        assert_eq!(u64_at(stub, 96), NOW_MS + 5);
        assert_eq!((u16_at(stub, 104), u16_at(stub, 106)), (7, 0));
        assert_eq!(stub[108..188], segment[..80]);
        assert_eq!(&stub[188..195], b"shelf 7");
        assert_eq!(u32_at(stub, 195), crc32c::crc32c(&stub[..195]));
        let places = stub.len() - 32 - 8 * entries;
        assert_eq!(stub[stub.len() - 32..], *Blake3Digest::of(&stub[..stub.len() - 32]).as_bytes());
        let (mut frame_at, mut record_at) = (80, 199);
        for ordinal in 0..entries {
            let place = places + 8 * ordinal;
            assert_eq!(
                (u32_at(stub, place) as usize, u32_at(stub, place + 4) as usize),
                (frame_at, record_at)
            );
            let (header_bytes, body_bytes) =
                (u16_at(segment, frame_at), u32_at(segment, frame_at + 2) as usize);
            let front = 10 + header_bytes;
            assert_eq!(stub[record_at..record_at + front], segment[frame_at..frame_at + front]);
            let body = &segment[frame_at + front..frame_at + front + body_bytes];
            let kept_at = record_at + front;
            let value = proofline_canon::parse(body, &proofline_canon::Limits::ENVELOPE).unwrap();
            let text_at = |name: &str| value.get(name).and_then(proofline_canon::Value::as_str);
            // Item 3 of the header is the entry's kind: 1 is an accepted record, 2 a refused attempt.
            let header: ciborium::Value =
                ciborium::from_reader(&stub[record_at + 6..record_at + 6 + header_bytes]).unwrap();
            let kind =
                u64::try_from(i128::from(header.as_array().unwrap()[3].as_integer().unwrap())).unwrap();
            let context =
                || proofline_canon::unhex::<32>(text_at("auth_context_envelope_sha256").unwrap()).unwrap();
            let expected: Vec<u8> = match (kind, text_at("record_type")) {
                (0 | 4, _) => [&[1], body].concat(),
                (1, Some("auth_context")) => vec![2],
                (1, Some("policy_decision")) => {
                    let code =
                        if value.get("decision").unwrap().get("result").unwrap().as_str() == Some("allow") {
                            3
                        } else {
                            4
                        };
                    [&[code][..], &context()].concat()
                }
                (1, _) => vec![5],
                _ => vec![0],
            };
            *kinds.entry(expected[0]).or_insert(0) += 1;
            let kept_end = kept_at + expected.len();
            assert_eq!(stub[kept_at..kept_end], expected);
            assert_eq!(u32_at(stub, kept_end), crc32c::crc32c(&expected));
            (frame_at, record_at) = (frame_at + front + body_bytes + 4, kept_end + 4);
        }
        assert_eq!((frame_at, record_at), (segment.len(), places));
    }
    assert_eq!(kinds.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5], "each form was met");
}

#[test]
fn the_gate_decides_over_archived_records_as_over_others() {
    let sample = sample();
    sample.archive_before(u64::MAX).unwrap();
    let end = sample.snapshot().entries();
    let ledger = sample.writer();
    let archived = chain(1, 0);
    let (context, allow) = (hash_of(&archived[0]), hash_of(&archived[1]));
    let deny = hash_of(&decision(1, &context, "deny"));
    let answer = |line: &str| ledger.commit_action(&bare(line), NOW_MS).unwrap();
    // A duplicate is known, with the seq it has: the entry behind the key record.
    let Outcome::Accepted { seq, duplicate: true, .. } = answer(&archived[0]) else { panic!("not known") };
    assert_eq!(seq.get(), 2);
    // A call that rests on archived records, and one under an archived denial.
    let Outcome::Accepted { seq, duplicate: false, .. } = answer(&tool_call(1, &context, &allow, 77)) else {
        panic!("the call is refused")
    };
    assert_eq!(seq.get(), end);
    let refused = |line: &str| match answer(line) {
        Outcome::Refused { rejection, .. } => rejection.kind.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&tool_call(1, &context, &deny, 78)), "unauthorized.policy_denied");
    assert_eq!(refused(&tool_call(2, &context, &allow, 79)), "trace_violation.trace_id_mismatch");
    let other_context = hash_of(&chain(2, 0)[0]);
    assert_eq!(refused(&tool_call(1, &other_context, &allow, 80)), "trace_violation.trace_id_mismatch");
    let foreign = hash_of(&auth_context(50, "staff/nobody"));
    assert_eq!(refused(&tool_call(1, &foreign, &allow, 81)), "missing_prereq.auth_context");
    // The trace goes on counting where its archived part ended: 5 records and a denial, then these.
    let trace = sample.snapshot().header(Seq::new(end)).unwrap().unwrap().trace.unwrap();
    assert_eq!(trace.count, 7);
    // A key record that is there already is known too.
    let list = KeyList::new(genesis().ledger_id, genesis().origin);
    let key = list.addition(&log_key(1), None).unwrap().canonical();
    let outcome = ledger.commit_action(&Action::System(&key), NOW_MS).unwrap();
    assert!(matches!(outcome, Outcome::Accepted { duplicate: true, .. }), "{outcome:?}");
    drop(ledger);
    // All of it stands when everything is back.
    restore(&sample.dir, &sample.out, &mut |_| {}).unwrap();
    assert!(verify(&sample.dir, &mut |_| {}).unwrap().is_sound());
}

#[test]
fn a_writer_that_was_open_goes_on_while_segments_leave_and_return() {
    let sample = sample();
    let ledger = sample.writer();
    sample.archive_before(u64::MAX).unwrap();
    for (trace, comes_back) in [(21, false), (22, true), (23, false)] {
        if comes_back {
            restore(&sample.dir, &sample.out, &mut |_| {}).unwrap();
        }
        for line in chain(trace, 6) {
            let outcome = ledger.commit_action(&bare(&line), NOW_MS).unwrap();
            assert!(matches!(outcome, Outcome::Accepted { duplicate: false, .. }), "{outcome:?}");
        }
        let known = ledger.commit_action(&bare(&chain(1, 0)[0]), NOW_MS).unwrap();
        assert!(matches!(known, Outcome::Accepted { duplicate: true, .. }), "{known:?}");
    }
    sample.archive_before(u64::MAX).unwrap();
    assert!(verify(&sample.dir, &mut |_| {}).unwrap().is_sound());
}

#[test]
fn proofs_headers_traces_and_look_ups_are_those_of_the_whole_ledger() {
    let sample = sample();
    let whole = sample.snapshot();
    let size = whole.entries();
    sample.archive_before(u64::MAX).unwrap();
    let archived = sample.snapshot();
    assert_eq!(archived.tree().root(size).unwrap(), whole.tree().root(size).unwrap());
    let (mut away, mut there) = (0, 0);
    for seq in (0..size).map(Seq::new) {
        assert_eq!(archived.header_bytes(seq).unwrap(), whole.header_bytes(seq).unwrap());
        let proof = archived.tree().inclusion_proof(seq, size).unwrap();
        assert_eq!(proof, whole.tree().inclusion_proof(seq, size).unwrap());
        let entry = whole.entry(seq).unwrap().unwrap();
        let hash = entry.header.envelope_hash;
        assert_eq!(archived.with_hash(&hash).unwrap(), whole.with_hash(&hash).unwrap());
        assert_eq!(archived.accepted(&hash).unwrap(), whole.accepted(&hash).unwrap());
        if let Some(link) = &entry.header.trace {
            assert_eq!(archived.of_trace(link.trace_id).unwrap(), whole.of_trace(link.trace_id).unwrap());
        }
        match archived.entry(seq) {
            Ok(Some(found)) => {
                assert_eq!(found, entry);
                there += 1;
            }
            Err(EntryFault::Archived(fault)) => {
                assert_eq!((fault.seq, fault.place.as_str()), (seq, "shelf 7"));
                assert!(sample.out.join(&fault.segment).exists());
                let said = EntryFault::Archived(fault.clone()).to_string();
                assert!(said.contains("archived") && said.contains(&fault.segment), "{said}");
                assert!(!said.contains("damaged") && !said.contains("missing"), "{said}");
                away += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(away > 20 && there > 2, "{away} away, {there} there");
    assert_eq!(archived.genesis().unwrap(), whole.genesis().unwrap());
    assert_eq!(archived.key_list().unwrap().all().len(), 1);
    let brought = Snapshot::open_with_archives(&sample.dir, std::slice::from_ref(&sample.out)).unwrap();
    for seq in (0..size).map(Seq::new) {
        assert_eq!(brought.entry(seq).unwrap(), whole.entry(seq).unwrap());
    }
}

#[test]
fn verify_names_what_is_archived_and_checks_it_where_it_is_brought() {
    let sample = sample();
    let whole = verify(&sample.dir, &mut |_| {}).unwrap();
    let moved = sample.archive_before(u64::MAX).unwrap().moved;
    let report = verify(&sample.dir, &mut |_| {}).unwrap();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.entries, report.head, report.segments), (whole.entries, whole.head, whole.segments));
    assert!(report.log_bytes < whole.log_bytes);
    let named: Vec<_> = report
        .archived
        .iter()
        .map(|one| (one.first_seq, one.entries, one.segment_bytes, one.is_checked))
        .collect();
    let expected: Vec<_> =
        moved.iter().map(|one| (one.first_seq, one.entries, one.segment_bytes, false)).collect();
    assert_eq!(named, expected);
    let plan = VerifyPlan { archives: vec![sample.out.clone()], ..VerifyPlan::default() };
    let brought = verify_with(&sample.dir, &plan, &mut |_| {}).unwrap();
    assert!(brought.is_sound() && brought.archived.iter().all(|one| one.is_checked), "{brought:?}");
    // A body in the archive that was changed under right checksums is found when it is brought.
    let name = names(&files(&sample.out), ".seg")[1].clone();
    let mut bytes = fs::read(sample.out.join(&name)).unwrap();
    let front = 80 + 10 + usize::from(u16::from_le_bytes([bytes[80], bytes[81]]));
    let body_bytes = u32::from_le_bytes(bytes[82..86].try_into().unwrap()) as usize;
    bytes[front + 2] ^= 1;
    let crc = crc32c::crc32c(&bytes[front..front + body_bytes]).to_le_bytes();
    bytes[front + body_bytes..front + body_bytes + 4].copy_from_slice(&crc);
    fs::write(sample.out.join(&name), bytes).unwrap();
    assert!(verify(&sample.dir, &mut |_| {}).unwrap().is_sound());
    let report = verify_with(&sample.dir, &plan, &mut |_| {}).unwrap();
    assert_eq!(report.damage.iter().map(|one| one.code).collect::<Vec<_>>(), ["body.hash"]);
}

/// A stub in which a denial became an allowance, with every checksum made right again.
#[test]
fn a_forged_fact_is_found_once_the_archive_is_brought() {
    let sample = sample();
    sample.archive_before(u64::MAX).unwrap();
    let (name, mut bytes, at) = names(&sample.log(), ".arc")
        .into_iter()
        .find_map(|name| {
            let bytes = sample.log()[&name].clone();
            let at = denial_in(&bytes)?;
            Some((name, bytes, at))
        })
        .expect("a denial");
    bytes[at] = 3;
    let crc = crc32c::crc32c(&bytes[at..at + 33]).to_le_bytes();
    bytes[at + 33..at + 37].copy_from_slice(&crc);
    let end = bytes.len() - 32;
    let digest = *Blake3Digest::of(&bytes[..end]).as_bytes();
    bytes[end..].copy_from_slice(&digest);
    fs::write(sample.dir.join("log").join(&name), bytes).unwrap();
    let plan = VerifyPlan { archives: vec![sample.out.clone()], ..VerifyPlan::default() };
    let report = verify_with(&sample.dir, &plan, &mut |_| {}).unwrap();
    assert_eq!(report.damage.iter().map(|one| one.code).collect::<Vec<_>>(), ["archive.stub_differs"]);
    // Bringing the segment back puts it right, and says so.
    let back = restore(&sample.dir, &sample.out, &mut |_| {}).unwrap();
    assert_eq!(back.mended, [Seq::new(first_seq(&name))]);
    assert!(verify(&sample.dir, &mut |_| {}).unwrap().is_sound());
}

/// Where the first record of a denial has what is kept of it.
fn denial_in(stub: &[u8]) -> Option<usize> {
    let u32_at = |at: usize| u32::from_le_bytes(stub[at..at + 4].try_into().unwrap()) as usize;
    let entries = u32_at(12);
    let places = stub.len() - 32 - 8 * entries;
    (0..entries).map(|ordinal| u32_at(places + 8 * ordinal + 4)).find_map(|record| {
        let kept = record + 10 + usize::from(u16::from_le_bytes([stub[record], stub[record + 1]]));
        (stub[kept] == 4).then_some(kept)
    })
}

#[test]
fn every_changed_byte_of_what_stays_is_told_and_never_believed() {
    let sample = sample();
    sample.archive_before(u64::MAX).unwrap();
    let log = sample.log();
    let name = names(&log, ".arc")[1].clone();
    let path = sample.dir.join("log").join(&name);
    let whole = &log[&name];
    let headers: Vec<_> = (0..sample.snapshot().entries())
        .map(|seq| sample.snapshot().header_bytes(Seq::new(seq)).unwrap())
        .collect();
    for at in (0..whole.len()).step_by(7).chain(whole.len() - 40..whole.len()) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        match verify(&sample.dir, &mut |_| {}) {
            Ok(report) => {
                let told = report.damage.iter().any(|damage| damage.file == format!("log/{name}"));
                assert!(told, "byte {at}: {:?}", report.damage);
            }
            Err(error) => assert_eq!(error.code(), "ledger.newer_format", "byte {at}: {error}"),
        }
        if let Ok(snapshot) = Snapshot::open(&sample.dir) {
            for (seq, expected) in (0..).zip(&headers) {
                if let Ok(found) = snapshot.header_bytes(Seq::new(seq)) {
                    assert_eq!(found, *expected, "byte {at}: entry {seq} is read wrong");
                }
            }
        }
    }
    for length in [0, 8, 100, 187, 200, whole.len() - 1] {
        fs::write(&path, &whole[..length]).unwrap();
        let report = verify(&sample.dir, &mut |_| {}).unwrap();
        assert!(!report.damage.is_empty(), "length {length}");
        assert_eq!(
            Ledger::open(&sample.dir, OPTIONS()).unwrap_err().code(),
            "ledger.damaged",
            "length {length}"
        );
    }
    // The segment in the archive is the way out.
    restore(&sample.dir, &sample.out, &mut |_| {}).unwrap();
    assert!(verify(&sample.dir, &mut |_| {}).unwrap().is_sound());
}

#[test]
fn every_changed_byte_of_an_archive_is_told() {
    let sample = sample();
    sample.archive_before(u64::MAX).unwrap();
    let snapshot = sample.snapshot();
    let check = || verify_archive(&sample.out, Some(&snapshot)).unwrap();
    assert!(check().is_sound() && check().is_compared);
    let all = files(&sample.out);
    for name in all.keys().filter(|name| first_seq(name) == first_seq(&names(&all, ".seg")[2])) {
        let whole = &all[name];
        for at in (0..whole.len()).step_by(if name.ends_with(".json") { 5 } else { 251 }) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(sample.out.join(name), &bytes).unwrap();
            let found = check();
            let faults: Vec<_> = found.segments.iter().filter_map(|one| one.fault.as_ref()).collect();
            assert!(!faults.is_empty(), "{name} byte {at} is not told");
            // The name of the log is for whoever finds the archive; what comes back does not rest on it.
            let origin = name
                .ends_with(".json")
                .then(|| std::str::from_utf8(whole).unwrap().find("ledger.example/test"));
            if origin.flatten().is_some_and(|start| (start..start + 19).contains(&at)) {
                fs::write(sample.out.join(name), whole).unwrap();
                continue;
            }
            let error = restore(&sample.dir, &sample.out, &mut |_| {}).unwrap_err();
            assert!(error.code().starts_with("archive."), "{name} byte {at}: {error}");
            fs::write(sample.out.join(name), whole).unwrap();
            // What came before it is back; send it away again.
            sample.archive_before(u64::MAX).unwrap();
        }
    }
    for cut in [".seg", ".json"] {
        let name = names(&all, cut)[1].clone();
        fs::remove_file(sample.out.join(&name)).unwrap();
        assert!(!check().is_sound(), "{name} is gone");
        fs::write(sample.out.join(&name), &all[&name]).unwrap();
    }
    assert!(check().is_sound());
}

#[test]
fn what_is_no_place_for_an_archive_is_refused() {
    let (one, two) = (sample(), sample());
    let into = |out: &Path| {
        let order = ArchiveOrder { before: Seq::new(u64::MAX), out, place: "", now_ms: 0 };
        archive(&one.dir, &order, &mut |_| {}).unwrap_err().code()
    };
    assert_eq!(into(&one.dir), "archive.into_ledger");
    assert_eq!(into(&one.dir.join("log")), "archive.into_ledger");
    assert_eq!(into(&two.dir), "archive.into_ledger");
    // The archive of a ledger with another id.
    let other = tempfile::tempdir().unwrap();
    let dir = other.path().join("ledger");
    let identity =
        proofline_ledger::Genesis { ledger_id: proofline_trace::LedgerId::from_bytes([9; 16]), ..genesis() };
    Ledger::init(&dir, &identity).unwrap();
    let ledger = Ledger::open(&dir, OPTIONS()).unwrap();
    for line in (1..=4).flat_map(|trace| chain(trace, 3)) {
        ledger.commit_action(&bare(&line), NOW_MS).unwrap();
    }
    let out = other.path().join("archive");
    archive(&dir, &ArchiveOrder { before: Seq::new(u64::MAX), out: &out, place: "", now_ms: 0 }, &mut |_| {})
        .unwrap();
    assert_eq!(into(&out), "archive.other_ledger");
    assert_eq!(one.log(), two.log(), "nothing went");
    one.archive_before(u64::MAX).unwrap();
    assert_eq!(restore(&one.dir, &out, &mut |_| {}).unwrap_err().code(), "archive.other_ledger");
    assert_eq!(Snapshot::open_with_archives(&one.dir, &[out]).unwrap_err().code(), "archive.other_ledger");
    // A folder that is none, a number that is taken, a newer manifest.
    let empty = other.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert_eq!(restore(&one.dir, &empty, &mut |_| {}).unwrap_err().code(), "archive.not_an_archive");
    let name = names(&files(&one.out), ".seg")[0].clone();
    fs::create_dir(&two.out).unwrap();
    fs::write(two.out.join(&name), b"something else").unwrap();
    assert_eq!(two.archive_before(u64::MAX).unwrap_err().code(), "archive.occupied");
    assert_eq!(fs::read(two.out.join(&name)).unwrap(), b"something else");
    let manifest = one.out.join(name.replace(".seg", ".json"));
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("\"archive_version\":1", "\"archive_version\":2")).unwrap();
    assert_eq!(restore(&one.dir, &one.out, &mut |_| {}).unwrap_err().code(), "archive.newer_format");
    let long = "x".repeat(1025);
    let order = ArchiveOrder { before: Seq::new(9), out: &one.out, place: &long, now_ms: 0 };
    assert_eq!(archive(&one.dir, &order, &mut |_| {}).unwrap_err().code(), "ledger.option");
}

#[test]
fn a_damaged_segment_does_not_go() {
    let sample = sample();
    let before = sample.log();
    let name = names(&before, ".seg")[2].clone();
    let mut bytes = before[&name].clone();
    let at = bytes.len() - 20;
    bytes[at] ^= 1;
    fs::write(sample.dir.join("log").join(&name), &bytes).unwrap();
    let error = sample.archive_before(u64::MAX).unwrap_err();
    assert_eq!(error.code(), "ledger.damaged");
    assert!(error.to_string().contains(&format!("log/{name}")), "{error}");
    assert_eq!(fs::read(sample.dir.join("log").join(&name)).unwrap(), bytes);
    assert!(!sample.out.join(&name).exists());
    assert_eq!(names(&sample.log(), ".arc").len(), 2, "those before it went");
}

#[test]
fn indexes_are_made_again_from_what_stays() {
    let sample = sample();
    let before = sample.log();
    sample.archive_before(u64::MAX).unwrap();
    for name in names(&before, ".idx") {
        fs::remove_file(sample.dir.join("log").join(name)).unwrap();
    }
    let report = reindex(&sample.dir).unwrap();
    assert_eq!(report.indexes, names(&before, ".idx").len() as u64);
    let log = sample.log();
    for name in names(&before, ".idx") {
        assert_eq!(log[&name], before[&name], "{name}");
    }
    // The catalogue lists what records say, which is away.
    assert_eq!(report.catalogue_entries, None);
    assert!(verify(&sample.dir, &mut |_| {}).unwrap().is_sound());
}

#[test]
fn salvage_saves_headers_and_says_that_bodies_are_away() {
    let sample = sample();
    sample.archive_before(u64::MAX).unwrap();
    let out = sample.dir.with_file_name("salvaged");
    let report = salvage(&sample.dir, &out).unwrap();
    let archived = names(&sample.log(), ".arc").len();
    assert_eq!(report.entries, sample.snapshot().entries());
    assert_eq!(report.gaps.iter().map(|gap| gap.code).collect::<Vec<_>>(), vec!["entry.archived"; archived]);
    let lines = fs::read_to_string(out.join("entries.jsonl")).unwrap();
    let null = lines.lines().filter(|line| line.ends_with(r#""body":null}"#)).count();
    assert_eq!((null as u64, lines.lines().count() as u64), (report.archived, report.entries));
    // Genesis and the key record are kept in full.
    assert!(report.archived < report.entries && report.archived > 20);
}
