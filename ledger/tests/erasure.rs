//! Erasures, holds and releases on a real folder: what the gate lets in and refuses, that the bytes go
//! and stay away by every way in, that a crash in the middle is mended, and what `verify` says of it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use common::erasing::{blob_path, erasing_chain, erasure, mark_path};
use common::recovered;
use common::sim_disk::{Image, SimDisk};
use common::{NOW_MS, auth_context, bare, chain, decision_about, genesis, hash_of};
use proofline_canon::{ContentStore, Sha256Digest, StoreError};
use proofline_ledger::disk::{Disk, OsDisk};
use proofline_ledger::frame::encode_frame;
use proofline_ledger::header::TraceLink;
use proofline_ledger::{
    Action, BlobError, Blobs, EntryHeader, EntryKind, EntryStatus, LeafHash, Ledger, Options, Outcome, Seq,
    VerifyPlan, VerifyReport, reindex, salvage, verify, verify_on,
};
use proofline_trace::{EnvelopeHash, ErasureTarget, HoldTarget, TraceId};

struct House {
    _dir: tempfile::TempDir,
    path: PathBuf,
    ledger: Ledger,
    blobs: Blobs,
    traces: u32,
}

impl House {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger");
        Ledger::init(&path, &genesis()).unwrap();
        let (ledger, blobs) = (open(&path), Blobs::open(&path).unwrap());
        House { _dir: dir, path, ledger, blobs, traces: 1000 }
    }

    fn put(&self, bytes: &[u8]) -> Sha256Digest {
        let name = Sha256Digest::of(bytes);
        self.blobs.put(&name, bytes).unwrap();
        name
    }

    /// Commits a decision in a trace of its own; returns its envelope hash.
    fn decide(&mut self, result: &str, action: &str, resource: &str) -> String {
        self.traces += 1;
        let context = auth_context(self.traces, "staff/dpo");
        let decision = decision_about(self.traces, &hash_of(&context), result, action, resource);
        for line in [&context, &decision] {
            assert!(matches!(self.ledger.commit_action(&bare(line), NOW_MS), Ok(Outcome::Accepted { .. })));
        }
        hash_of(&decision)
    }

    fn allow(&mut self, action: &str, resource: &str) -> String {
        self.decide("allow", action, resource)
    }

    /// The seq of a new entry.
    fn system(&self, body: &str) -> u64 {
        match self.try_system(body) {
            Ok((seq, false)) => seq,
            other => panic!("{other:?}: {body}"),
        }
    }

    /// The seq and whether it was there before, or the code of the refusal.
    fn try_system(&self, body: &str) -> Result<(u64, bool), &'static str> {
        match self.ledger.commit_action(&Action::System(body.as_bytes()), NOW_MS).unwrap() {
            Outcome::Accepted { seq, duplicate, .. } => Ok((seq.get(), duplicate)),
            Outcome::ArtifactRefused(refusal) => Err(refusal.code()),
            other => panic!("{other:?}"),
        }
    }

    fn erase(&mut self, name: &Sha256Digest) -> u64 {
        let authority = self.allow("erase", &format!("blob/{name}"));
        self.system(&erasure(name, "art. 17", &authority))
    }

    fn lies(&self, name: &Sha256Digest) -> bool {
        blob_path(&self.path, name).exists()
    }

    fn verify(&self) -> VerifyReport {
        verify(&self.path, &mut |_| {}).unwrap()
    }
}

fn open(path: &Path) -> Ledger {
    Ledger::open(path, Options::default()).unwrap()
}

fn hold(target: &str, reason: &str) -> String {
    format!(r#"{{"reason":"{reason}","system_type":"hold","target":{target},"version":"1"}}"#)
}

fn release(hold: &str, authority: &str) -> String {
    format!(
        r#"{{"authority":"{authority}","hold":"{hold}","reason":"settled","system_type":"release","version":"1"}}"#
    )
}

fn of_blob(name: &Sha256Digest) -> String {
    format!(r#"{{"kind":"blob","sha256":"{name}"}}"#)
}

fn codes(list: &[proofline_ledger::Damage]) -> Vec<&'static str> {
    list.iter().map(|damage| damage.code).collect()
}

#[test]
fn an_erasure_takes_the_bytes_and_nothing_else() {
    let mut house = House::new();
    let (gone, stays) = (house.put(b"gone"), house.put(b"stays"));
    assert!(house.verify().is_sound());
    let seq = house.erase(&gone);
    assert!(!house.lies(&gone) && house.lies(&stays));
    assert_eq!(fs::read_to_string(mark_path(&house.path, &gone)).unwrap(), format!("{seq}\n"));
    assert_eq!(house.blobs.get(&gone).unwrap(), None);
    assert_eq!(house.blobs.get(&stays).unwrap().as_deref(), Some(&b"stays"[..]));
    assert_eq!(house.blobs.names().collect::<Result<Vec<_>, _>>().unwrap(), [stays]);
    let mut found = Vec::new();
    let totals = house.blobs.check(&mut |damage| found.push(damage)).unwrap();
    assert_eq!((totals.blobs, codes(&found)), (1, vec![]));
    let erasures = house.ledger.snapshot().unwrap().erasures().unwrap();
    assert_eq!(erasures.of_blob(&gone), Some(Seq::new(seq)));
    assert_eq!(erasures.of_blob(&stays), None);
    assert_eq!(erasures.of(&ErasureTarget::Blob(gone)).unwrap().record.reason.as_str(), "art. 17");
    let report = house.verify();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.erasure.blobs(), report.erasure.subjects(), report.erasure.unchecked), (1, 0, 0));
}

#[test]
fn an_erased_hash_is_refused_by_every_way_in() {
    let mut house = House::new();
    let name = house.put(b"gone");
    let seq = house.erase(&name);
    let other_handle = Blobs::open(&house.path).unwrap();
    for blobs in [&house.blobs, &other_handle] {
        let StoreError::Io(error) = blobs.put(&name, b"gone").unwrap_err() else { panic!("no cause") };
        let error = error.downcast::<BlobError>().unwrap();
        assert_eq!(error.code(), "blob.erased");
        assert_eq!(error.to_string(), format!("the payload {name} was erased by entry {seq}"));
        let error = blobs.put_reader(&mut &b"gone"[..], 100).unwrap_err();
        assert_eq!(error.code(), "blob.erased");
        assert!(!house.lies(&name));
        // What comes next is kept, also through the file that was given back.
        let next = house.put(b"next");
        assert_eq!(blobs.put_reader(&mut &b"another"[..], 100).unwrap().size_bytes, 7);
        assert_eq!(blobs.get(&next).unwrap().as_deref(), Some(&b"next"[..]));
    }
    // Evidence that refers to it is no payload.
    assert!(matches!(
        house.ledger.commit_action(&bare(&chain(1, 0)[0]), NOW_MS),
        Ok(Outcome::Accepted { .. })
    ));
    for file in fs::read_dir(house.path.join("blobs")).unwrap().map(|file| file.unwrap()) {
        if file.file_name().to_string_lossy().ends_with(".tmp") {
            assert_eq!(file.metadata().unwrap().len(), 0, "{file:?} holds bytes");
        }
    }
}

#[test]
fn what_the_ledger_does_not_hold_is_kept_out_as_well() {
    let mut house = House::new();
    let name = Sha256Digest::of(b"later");
    house.erase(&name);
    let StoreError::Io(_) = house.blobs.put(&name, b"later").unwrap_err() else { panic!("no cause") };
    assert!(!house.lies(&name));
    assert!(house.verify().is_sound());
}

#[test]
fn the_authority_is_an_accepted_decision_on_this_very_target() {
    let mut house = House::new();
    let (name, other) = (house.put(b"one"), house.put(b"other"));
    let resource = format!("blob/{name}");
    let of = |house: &mut House, result: &str, action: &str, resource: &str| {
        let authority = house.decide(result, action, resource);
        house.try_system(&erasure(&name, "r", &authority))
    };
    assert_eq!(of(&mut house, "deny", "erase", &resource), Err("erasure.denied"));
    assert_eq!(of(&mut house, "allow", "read", &resource), Err("erasure.action"));
    assert_eq!(of(&mut house, "allow", "erase", &format!("blob/{other}")), Err("erasure.resource"));
    assert_eq!(of(&mut house, "allow", "erase", &format!("subject/{name}")), Err("erasure.resource"));
    assert_eq!(of(&mut house, "allow", "erase", &format!("{name}")), Err("erasure.resource"));
    // A context is no decision, a rejected decision is not accepted, an unknown hash is nothing.
    let context = hash_of(&auth_context(house.traces, "staff/dpo"));
    assert_eq!(house.try_system(&erasure(&name, "r", &context)), Err("erasure.authority"));
    let stray = decision_about(7, &"a".repeat(64), "allow", "erase", &resource);
    let rejected = house.ledger.commit_action(&bare(&stray), NOW_MS).unwrap();
    assert!(matches!(rejected, Outcome::Refused { seq: Some(_), .. }));
    assert_eq!(house.try_system(&erasure(&name, "r", &hash_of(&stray))), Err("erasure.authority"));
    assert!(house.lies(&name) && house.lies(&other));
    // One decision erases one thing, once.
    let authority = house.allow("erase", &resource);
    let body = erasure(&name, "r", &authority);
    let seq = house.system(&body);
    assert_eq!(house.try_system(&body), Ok((seq, true)));
    assert_eq!(house.try_system(&erasure(&name, "another reason", &authority)), Err("erasure.erased"));
    assert_eq!(house.try_system(&erasure(&other, "r", &authority)), Err("erasure.resource"));
    assert!(!house.lies(&name) && house.lies(&other));
    assert!(house.verify().is_sound());
}

#[test]
fn a_group_may_bring_the_decision_and_the_erasure() {
    let house = House::new();
    let name = house.put(b"one");
    let lines = erasing_chain(5, &name);
    let group = [bare(&lines[0]), bare(&lines[1]), Action::System(lines[2].as_bytes())];
    // In the other order the decision does not count yet.
    let early = house.ledger.commit_actions(&[Action::System(lines[2].as_bytes())], NOW_MS).unwrap();
    assert!(matches!(&early[0], Outcome::ArtifactRefused(refusal) if refusal.code() == "erasure.authority"));
    let outcomes = house.ledger.commit_actions(&group, NOW_MS).unwrap();
    assert!(matches!(outcomes[2], Outcome::Accepted { seq, duplicate: false, .. } if seq.get() == 3));
    assert!(!house.lies(&name));
    assert!(house.verify().is_sound());
}

#[test]
fn a_hold_forbids_the_erasure_until_it_is_released() {
    let mut house = House::new();
    let name = house.put(b"held");
    let body = hold(&of_blob(&name), "case 7");
    let id = Sha256Digest::of(body.as_bytes()).to_string();
    let seq = house.system(&body);
    assert_eq!(house.try_system(&body), Ok((seq, true)));
    let second = hold(&of_blob(&name), "case 8");
    house.system(&second);
    let authority = house.allow("erase", &format!("blob/{name}"));
    let body_of_erasure = erasure(&name, "r", &authority);
    assert_eq!(house.try_system(&body_of_erasure), Err("erasure.held"));
    assert!(house.lies(&name));
    // A release needs its own decision.
    assert_eq!(house.try_system(&release(&id, &authority)), Err("erasure.action"));
    let other = house.allow("release", &format!("hold/{}", "b".repeat(64)));
    assert_eq!(house.try_system(&release(&id, &other)), Err("erasure.resource"));
    assert_eq!(house.try_system(&release(&"b".repeat(64), &other)), Err("hold.unknown"));
    let allowed = house.allow("release", &format!("hold/{id}"));
    house.system(&release(&id, &allowed));
    let again = house.allow("release", &format!("hold/{id}"));
    assert_eq!(house.try_system(&release(&id, &again)), Err("hold.released"));
    assert_eq!(house.try_system(&body_of_erasure), Err("erasure.held"), "the second hold is in force");
    assert_eq!(house.try_system(&body), Err("hold.placed_before"));
    let erasures = house.ledger.snapshot().unwrap().erasures().unwrap();
    assert_eq!((erasures.holds().len(), erasures.in_force().count()), (2, 1));
    let id: EnvelopeHash = Sha256Digest::of(second.as_bytes()).into();
    assert_eq!(erasures.holding(&HoldTarget::One(ErasureTarget::Blob(name))).unwrap().id, id);
    let allowed = house.allow("release", &format!("hold/{id}"));
    house.system(&release(&id.to_string(), &allowed));
    house.system(&body_of_erasure);
    assert!(!house.lies(&name));
    assert_eq!(house.try_system(&hold(&of_blob(&name), "too late")), Err("hold.erased"));
    let report = house.verify();
    assert!(report.is_sound(), "{report:?}");
    assert_eq!((report.erasure.blobs(), report.erasure.holds()), (1, 0));
}

#[test]
fn a_hold_on_a_trace_holds_what_its_records_refer_to() {
    let mut house = House::new();
    // Call n of `chain` refers to the digests n and n + 1.
    let digest = |number: u64| format!("{number:064x}").parse::<Sha256Digest>().unwrap();
    house.system(&hold(&format!(r#"{{"kind":"trace","trace_id":"{:032x}"}}"#, 1), "case 7"));
    let authority = house.allow("erase", &format!("blob/{}", digest(1)));
    let lines = chain(1, 1);
    for line in &lines {
        house.ledger.commit_action(&bare(line), NOW_MS).unwrap();
    }
    assert_eq!(house.try_system(&erasure(&digest(1), "r", &authority)), Err("erasure.held"));
    let authority = house.allow("erase", &format!("blob/{}", digest(2)));
    house.system(&erasure(&digest(2), "r", &authority));
    // A refused record of the trace counts as well, and one in the same group.
    let refused = common::tool_call(1, &"c".repeat(64), &"d".repeat(64), 30);
    let group = erasing_chain(6, &digest(31));
    let group = [bare(&refused), bare(&group[0]), bare(&group[1]), Action::System(group[2].as_bytes())];
    let outcomes = house.ledger.commit_actions(&group, NOW_MS).unwrap();
    assert!(matches!(&outcomes[3], Outcome::ArtifactRefused(refusal) if refusal.code() == "erasure.held"));
    assert!(house.verify().is_sound());
}

#[test]
fn subjects_are_held_and_erased_by_the_same_rule() {
    let mut house = House::new();
    let key_id = "5".repeat(64);
    let target = format!(r#"{{"key_id":"{key_id}","kind":"subject"}}"#);
    let of = |authority: &str| {
        format!(
            r#"{{"authority":"{authority}","reason":"r","system_type":"erasure","target":{target},"version":"1"}}"#
        )
    };
    let body = hold(&target, "case 7");
    house.system(&body);
    let authority = house.allow("erase", &format!("subject/{key_id}"));
    assert_eq!(house.try_system(&of(&authority)), Err("erasure.held"));
    let id = Sha256Digest::of(body.as_bytes());
    let allowed = house.allow("release", &format!("hold/{id}"));
    house.system(&release(&id.to_string(), &allowed));
    let seq = house.system(&of(&authority));
    let erasures = house.ledger.snapshot().unwrap().erasures().unwrap();
    assert_eq!(erasures.of_subject(&key_id.parse().unwrap()), Some(Seq::new(seq)));
    let report = house.verify();
    assert_eq!((report.is_sound(), report.erasure.subjects(), report.erasure.blobs()), (true, 1, 0));
}

/// Somebody puts the bytes back, or takes the mark away: `verify` says so, the next opening for
/// writing, and `reindex`, mend it.
#[test]
fn what_is_there_again_is_found_and_erased_again() {
    let mut house = House::new();
    let name = house.put(b"gone");
    house.erase(&name);
    let blob = blob_path(&house.path, &name);
    fs::write(&blob, b"gone").unwrap();
    let report = house.verify();
    assert_eq!(codes(&report.erasure.troubles), ["erasure.present"]);
    assert!(!report.is_sound());
    let recovery = open(&house.path).recovery();
    assert_eq!((recovery.redone_erasures, recovery.is_clean()), (1, false));
    assert!(!blob.exists() && house.verify().is_sound());
    fs::remove_file(mark_path(&house.path, &name)).unwrap();
    let stray = mark_path(&house.path, &Sha256Digest::of(b"never erased"));
    fs::create_dir_all(stray.parent().unwrap()).unwrap();
    fs::write(&stray, "7\n").unwrap();
    let report = house.verify();
    let mut found = codes(&report.derived);
    found.sort_unstable();
    assert_eq!(found, ["erasure.stray_mark", "erasure.unmarked"]);
    assert_eq!(codes(&report.erasure.troubles), [""; 0]);
    reindex(&house.path).unwrap();
    assert!(house.verify().is_sound() && !stray.exists());
    assert!(open(&house.path).recovery().is_clean());
}

/// Writes entries behind the log as a writer without a gate would, and has them taken in.
fn append_without_gate(path: &Path, bodies: &[(EntryStatus, &str)]) {
    let (entries, _) = common::raw::read_log(&OsDisk, path);
    let last = entries.last().unwrap();
    let mut previous = LeafHash::from_bytes(last.leaf);
    let mut frames = Vec::new();
    let mut count = 0;
    for ((status, body), seq) in bodies.iter().zip(last.seq + 1..) {
        let trace_id = TraceId::from_bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).unwrap();
        let trace = (status.kind() == EntryKind::Accepted).then(|| {
            count += 1;
            TraceLink { trace_id, previous: (count > 1).then(|| Seq::new(seq - 1)), count }
        });
        let header = EntryHeader {
            format: 1,
            seq: Seq::new(seq),
            previous_leaf: Some(previous),
            trace,
            envelope_hash: EnvelopeHash::of(body.as_bytes()),
            status: status.clone(),
            recorded_at_ms: NOW_MS,
        };
        previous = encode_frame(&header, body.as_bytes(), &mut frames).unwrap();
    }
    let segment = path.join("log").join("00000000000000000000.seg");
    let mut log = fs::read(&segment).unwrap();
    log.extend(frames);
    fs::write(&segment, log).unwrap();
    assert_eq!(open(path).recovery().recovered_entries, bodies.len() as u64);
}

/// The canonical bytes of an envelope.
fn canonical(envelope: &str) -> String {
    let limits = proofline_canon::Limits::ENVELOPE;
    let bytes =
        proofline_canon::canonicalize(envelope.as_bytes(), proofline_canon::Profile::Envelope, &limits);
    String::from_utf8(bytes.unwrap()).unwrap()
}

/// An erasure that no decision allows is in the log all the same: a writer without a gate made it.
#[test]
fn verify_asks_the_rule_again() {
    let name = Sha256Digest::of(b"one");
    let context = auth_context(1, "staff/dpo");
    let cases = [
        ("allow", "erase", format!("blob/{name}"), None),
        ("deny", "erase", format!("blob/{name}"), Some("erasure.denied")),
        ("allow", "erase", format!("blob/{}", "e".repeat(64)), Some("erasure.resource")),
        ("allow", "read", format!("blob/{name}"), Some("erasure.action")),
    ];
    for (result, action, resource, code) in cases {
        let house = House::new();
        let House { _dir, path, ledger, .. } = house;
        drop(ledger);
        let decision = decision_about(1, &hash_of(&context), result, action, &resource);
        let body = erasure(&name, "r", &hash_of(&decision));
        let (context, decision) = (canonical(&context), canonical(&decision));
        append_without_gate(
            &path,
            &[
                (EntryStatus::Accepted, &context),
                (EntryStatus::Accepted, &decision),
                (EntryStatus::System, &body),
            ],
        );
        let report = verify(&path, &mut |_| {}).unwrap();
        assert_eq!(codes(&report.damage), [""; 0], "{report:?}");
        assert_eq!(codes(&report.erasure.troubles), Vec::from_iter(code));
        assert_eq!(report.is_sound(), code.is_none());
        assert!(report.erasure.troubles.iter().all(|damage| damage.seq == Some(Seq::new(3))));
    }
}

#[test]
fn salvage_leaves_what_was_erased_behind() {
    let mut house = House::new();
    let (gone, stays) = (house.put(b"gone"), house.put(b"stays"));
    house.erase(&gone);
    // As if the process had died before it came to the bytes.
    fs::write(blob_path(&house.path, &gone), b"gone").unwrap();
    let out = house.path.with_extension("out");
    let report = salvage(&house.path, &out).unwrap();
    assert_eq!((report.blobs, report.gaps.len()), (1, 0));
    assert!(blob_path(&out, &stays).exists() && !blob_path(&out, &gone).exists());
}

/// A payload that waits in the middle until it is told to go on.
struct Slow {
    parts: Vec<&'static [u8]>,
    reached: Sender<()>,
    go_on: Receiver<()>,
}

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.parts.len() == 1 {
            self.reached.send(()).unwrap();
            self.go_on.recv().unwrap();
        }
        let Some(part) = (!self.parts.is_empty()).then(|| self.parts.remove(0)) else { return Ok(0) };
        buffer[..part.len()].copy_from_slice(part);
        Ok(part.len())
    }
}

/// A put is in the middle of the very bytes when they are erased: it is refused, and nothing of it
/// stays. Another one beside it, of other bytes, is not disturbed.
#[test]
fn bytes_on_their_way_are_refused() {
    let mut house = House::new();
    for (parts, is_erased) in [(vec![&b"go"[..], b"ne"], true), (vec![&b"st"[..], b"ays"], false)] {
        let (reached, at_the_middle) = channel();
        let (go_on, may_go_on) = channel();
        let mut slow = Slow { parts, reached, go_on: may_go_on };
        let blobs = Blobs::open(&house.path).unwrap();
        let put = std::thread::scope(|scope| {
            let put = scope.spawn(|| blobs.put_reader(&mut slow, 100));
            at_the_middle.recv().unwrap();
            if is_erased {
                house.erase(&Sha256Digest::of(b"gone"));
            } else {
                house.erase(&Sha256Digest::of(b"something else"));
            }
            go_on.send(()).unwrap();
            put.join().unwrap()
        });
        match put {
            Ok(stored) => assert!(!is_erased && stored.name == Sha256Digest::of(b"stays")),
            Err(error) => assert!(is_erased && error.code() == "blob.erased", "{error}"),
        }
    }
    assert!(!house.lies(&Sha256Digest::of(b"gone")) && house.lies(&Sha256Digest::of(b"stays")));
    assert!(house.verify().is_sound());
}

/// What a dead writer left unfinished goes with an erasure: it may be a part of what was erased.
#[test]
fn what_a_dead_writer_left_goes_with_an_erasure() {
    let mut house = House::new();
    let name = house.put(b"gone");
    let left = house.path.join("blobs").join("99999999-0.tmp");
    fs::write(&left, b"go").unwrap();
    house.erase(&name);
    assert!(!left.exists());
    // And at the next opening, when the writer died after the erasure.
    fs::write(&left, b"gone").unwrap();
    let recovery = open(&house.path).recovery();
    assert_eq!((recovery.removed_unfinished, recovery.redone_erasures, left.exists()), (1, 0, false));
}

/// The writer died between an erasure and the bytes, and before it published: whoever verifies takes the
/// lock for a second look, and must not wait for it again.
#[test]
fn verify_answers_whatever_an_erasure_left() {
    let dir = recovered::dir();
    let mut present = 0;
    for changes in 0.. {
        let disk = SimDisk::new();
        Ledger::init_on(&disk, dir, &genesis()).unwrap();
        let name = Sha256Digest::of(b"gone");
        Blobs::open_on(Arc::new(disk.clone()), dir).unwrap().put(&name, b"gone").unwrap();
        let mortal = disk.in_another_process();
        let ledger = recovered::open(&mortal).unwrap();
        let lines = erasing_chain(1, &name);
        ledger.commit_actions(&[bare(&lines[0]), bare(&lines[1])], NOW_MS).unwrap();
        mortal.die_at(changes);
        let erased = ledger.commit_action(&Action::System(lines[2].as_bytes()), NOW_MS);
        let report = verify_on(&disk, dir, &VerifyPlan::default(), &mut |_| {}).unwrap();
        let is_there = disk.exists(&blob_path(dir, &name));
        let is_recorded = report.erasure.erasures.of_blob(&name).is_some();
        assert_eq!(codes(&report.erasure.troubles).contains(&"erasure.present"), is_recorded && is_there);
        present += u64::from(is_recorded && is_there && report.unpublished_entries > 0);
        if erased.is_ok() {
            assert!(report.is_sound() && !is_there, "{report:?}");
            break;
        }
    }
    assert!(present > 0, "no death fell between the entry and the bytes");
}

/// Two processes, one puts the bytes and one erases them, each cut off at each change: whatever
/// the order, an erasure that was acknowledged leaves no bytes.
#[test]
fn a_put_that_dies_beside_an_erasure_brings_nothing_back() {
    let dir = recovered::dir();
    for put_changes in 0..9 {
        for order in 0..2 {
            let disk = SimDisk::new();
            Ledger::init_on(&disk, dir, &genesis()).unwrap();
            let ledger = recovered::open(&disk).unwrap();
            let name = Sha256Digest::of(b"gone");
            let lines = erasing_chain(1, &name);
            let mortal = disk.in_another_process();
            let blobs = Blobs::open_on(Arc::new(mortal.clone()), dir).unwrap();
            let put = || {
                mortal.die_at(put_changes);
                let _ = blobs.put(&name, b"gone");
            };
            let group = [bare(&lines[0]), bare(&lines[1]), Action::System(lines[2].as_bytes())];
            let erase = || {
                let outcomes = ledger.commit_actions(&group, NOW_MS).unwrap();
                assert!(matches!(outcomes[2], Outcome::Accepted { .. }), "{outcomes:?}");
            };
            if order == 0 {
                put();
                erase();
            } else {
                erase();
                put();
            }
            for image in [Image::SyncedOnly, Image::Everything, Image::Seed(put_changes)] {
                let found = disk.after_power_cut(image);
                let contents = found.contents();
                assert!(!contents.contains_key(&blob_path(dir, &name)), "{put_changes} {order} {image:?}");
                recovered::open(&found).unwrap();
                let holds = |bytes: &Vec<u8>| bytes.windows(4).any(|part| part == b"gone");
                let blobs = dir.join("blobs");
                let mut held = found.contents().into_iter().filter(|(path, _)| path.starts_with(&blobs));
                assert!(held.all(|(_, bytes)| !holds(&bytes)), "{put_changes} {order} {image:?}");
            }
        }
    }
}
