//! What `verify` says of checkpoints, keys and signatures that a ledger keeps or somebody brings:
//! nothing is held to be anchored or authentic that nobody signed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::keys::{add, commit, copy, fresh, log_key, retire, root_of, secret, signature};
use common::{NOW_MS, chain, genesis, hash_of, raw};
use proofline_ledger::disk::OsDisk;
use proofline_ledger::{
    Action, BroughtCheckpoint, Damage, Genesis, History, Ledger, Options, Outcome, Seq, Snapshot, VerifyPlan,
    VerifyReport, checkpoint_path, verify_with,
};
use proofline_proof::{Checkpoint, KeyRole, NodeHash, Policy, SecretKey, Signer, VerifierKey};
use proofline_trace::{EnvelopeHash, LedgerId};

/// A ledger of two traces and a checkpoint, with two traces behind it.
struct Anchored {
    home: tempfile::TempDir,
    ledger: Ledger,
    key: SecretKey,
    size: u64,
    note: Vec<u8>,
}

fn anchored() -> Anchored {
    let (home, ledger) = fresh();
    let key = log_key(1);
    add(&ledger, &key, None);
    commit(&ledger, 1..3);
    let kept = ledger.checkpoint(&[&key]).unwrap();
    commit(&ledger, 3..5);
    Anchored { home, ledger, key, size: kept.size, note: kept.note }
}

impl Anchored {
    fn path(&self) -> &Path {
        self.ledger.dir()
    }

    fn copy(&self, name: &str) -> PathBuf {
        let to = self.home.path().join(name);
        copy(self.path(), &to);
        to
    }

    /// The same folder without its checkpoints.
    fn bare_copy(&self, name: &str) -> PathBuf {
        let to = self.copy(name);
        fs::remove_dir_all(to.join("checkpoints")).unwrap();
        to
    }
}

/// A checkpoint of the first entries of a ledger, signed whatever the ledger's list says.
fn sign_at(path: &Path, size: u64, keys: &[&dyn Signer]) -> Vec<u8> {
    let root = NodeHash::from_base64(&root_of(path, size)).unwrap();
    Checkpoint::new(genesis().origin.as_str(), size, root).unwrap().sign(keys).unwrap().to_bytes()
}

fn look(path: &Path, plan: &VerifyPlan) -> VerifyReport {
    verify_with(path, plan, &mut |_| {}).unwrap()
}

fn bring(notes: &[&[u8]]) -> VerifyPlan {
    let checkpoints = notes
        .iter()
        .enumerate()
        .map(|(at, note)| BroughtCheckpoint { name: format!("brought {at}"), note: note.to_vec() })
        .collect();
    VerifyPlan { checkpoints, ..VerifyPlan::default() }
}

fn rooted(plan: VerifyPlan, roots: &[&SecretKey]) -> VerifyPlan {
    VerifyPlan { roots: roots.iter().map(|key| key.verifier().clone()).collect(), ..plan }
}

fn codes(list: &[Damage]) -> Vec<&'static str> {
    list.iter().map(|damage| damage.code).collect()
}

/// All troubles of a report: of the log, of derived files, of signatures.
fn troubles(report: &VerifyReport) -> [Vec<&'static str>; 3] {
    [codes(&report.damage), codes(&report.derived), codes(&report.unauthentic)]
}

fn none() -> [Vec<&'static str>; 3] {
    [vec![], vec![], vec![]]
}

/// Name, whether it is kept, history and code of disbelief of each checkpoint.
fn checks(report: &VerifyReport) -> Vec<(&str, bool, &'static str, Option<&'static str>)> {
    let all = report.anchors.checkpoints.iter();
    all.map(|check| {
        let code = check.belief.as_ref().err().map(|disbelief| disbelief.code);
        (check.name.as_str(), check.is_kept, check.history.as_str(), code)
    })
    .collect()
}

fn kept_name(size: u64) -> String {
    format!("checkpoints/{size:020}.checkpoint")
}

#[test]
fn the_same_history_is_anchored_up_to_the_largest_checkpoint_that_holds() {
    let it = anchored();
    let entries = it.ledger.entries();
    assert_eq!((it.size, entries), (13, 23)); // with the index entry before the checkpoint
    let report = look(it.path(), &bring(&[&it.note]));
    assert_eq!(troubles(&report), none());
    let name = kept_name(13);
    assert_eq!(checks(&report), [(name.as_str(), true, "same", None), ("brought 0", false, "same", None)]);
    assert_eq!((report.anchors.anchored_entries(), report.unanchored()), (13, 13..23));
    assert!(!report.anchors.knows_roots);
    let believed = report.anchors.checkpoints[0].belief.as_ref().unwrap();
    assert_eq!(believed.log_keys(), [it.key.verifier().clone()]);

    let bare = it.bare_copy("bare");
    let report = look(&bare, &VerifyPlan::default());
    assert_eq!((troubles(&report), report.unanchored()), (none(), 0..23));
    let report = look(&bare, &rooted(bring(&[&it.note]), &[&it.key]));
    assert_eq!((troubles(&report), report.unanchored()), (none(), 13..23));
    assert!(report.anchors.knows_roots && report.anchors.is_signed());

    let all = it.ledger.checkpoint(&[&it.key]).unwrap();
    assert_eq!(look(it.path(), &VerifyPlan::default()).unanchored(), 24..24);
    let whole = it.bare_copy("whole");
    assert_eq!(look(&whole, &bring(&[&all.note])).unanchored(), 24..24);
}

#[test]
fn a_shorter_log_is_cut() {
    let it = anchored();
    let short = it.bare_copy("short");
    commit(&it.ledger, 5..6);
    let later = it.ledger.checkpoint(&[&it.key]).unwrap();
    assert_eq!(later.size, 30); // index entries: of the segment that was sealed, and before the checkpoint
    let report = look(&short, &bring(&[&later.note, &it.note]));
    assert_eq!(troubles(&report), [vec!["checkpoint.truncated"], vec![], vec![]]);
    let damage = &report.damage[0];
    assert_eq!((damage.file.as_str(), damage.seq), ("brought 0", Some(Seq::new(23))));
    assert_eq!((report.integrity().count(), report.completeness().count()), (0, 1));
    assert_eq!(checks(&report), [("brought 0", false, "cut", None), ("brought 1", false, "same", None)]);
    assert_eq!(report.unanchored(), 13..23, "the older one still holds");
}

#[test]
fn another_history_is_told_with_the_root_that_is_there() {
    let it = anchored();
    let fork = it.bare_copy("fork");
    commit(&it.ledger, 5..6);
    let forked = Ledger::open(&fork, Options::default()).unwrap();
    commit(&forked, 15..17);
    let later = it.ledger.checkpoint(&[&it.key]).unwrap();
    let report = look(&fork, &bring(&[&later.note]));
    assert_eq!(troubles(&report), [vec!["checkpoint.forked"], vec![], vec![]]);
    let found = NodeHash::from_base64(&root_of(&fork, later.size)).unwrap();
    assert_eq!(report.anchors.checkpoints[0].history, History::Other(found));
    assert_eq!((report.unanchored(), report.integrity().count()), (0..34, 0));
    // Signed by a key that nobody knows it is a stranger's paper, and says nothing of the log.
    let stranger = log_key(9);
    let paper = sign_at(it.path(), later.size, &[&stranger]);
    let report = look(&fork, &bring(&[&paper]));
    assert_eq!(troubles(&report), [vec![], vec![], vec!["checkpoint.no_log"]]);
}

/// A body that was changed leaves the leaf hash; a header that cannot be read takes it away.
#[test]
fn damage_below_a_checkpoint_is_located_and_called_no_fork() {
    let it = anchored();
    let (entries, _) = raw::read_log(&OsDisk, it.path());
    for (seq, is_body) in [(3, true), (3, false), (9, true), (9, false)] {
        let hit = it.copy(&format!("hit {seq} {is_body}"));
        let entry = &entries[seq];
        let file = hit.join("log").join(&entry.segment);
        let mut bytes = fs::read(&file).unwrap();
        let at = if is_body { entry.offset + entry.frame_bytes - 5 } else { entry.offset + 10 };
        bytes[at] ^= 1;
        fs::write(&file, bytes).unwrap();
        let report = look(&hit, &rooted(bring(&[&it.note]), &[&it.key]));
        let code = if is_body { "frame.body_checksum" } else { "frame.header_checksum" };
        assert_eq!(troubles(&report), [vec![code], vec![], vec![]], "{:?}", report.damage);
        let damage = &report.damage[0];
        assert_eq!(damage.file, format!("log/{}", entry.segment));
        assert_eq!((damage.offset, damage.seq), (Some(entry.offset as u64), Some(Seq::new(seq as u64))));
        let history = if is_body { "same" } else { "unknown" };
        let found = checks(&report);
        assert_eq!(found.iter().map(|check| (check.2, check.3)).collect::<Vec<_>>(), [(history, None); 2]);
        assert_eq!(report.unanchored(), if is_body { 13..23 } else { 0..23 });
        assert_eq!((report.integrity().count(), report.completeness().count()), (1, 0));
    }
}

fn witness(number: u8) -> SecretKey {
    secret(&format!("witness.example/w{number}"), KeyRole::Witness, 100 + number)
}

/// The note with the cosignatures of these witnesses.
fn cosigned(note: &[u8], log: &VerifierKey, witnesses: &[u8]) -> Vec<u8> {
    let policy = Policy::of_keys(vec![log.clone()]).unwrap();
    witnesses.iter().fold(note.to_vec(), |note, number| {
        policy.verify(&note).unwrap().cosign(&witness(*number), 1_769_817_600).unwrap().to_bytes()
    })
}

fn two_of_three(log: Option<&VerifierKey>) -> Policy {
    let log = log.map(|key| format!("log {key}\n")).unwrap_or_default();
    let witnesses: String =
        (1..4).map(|number| format!("witness w{number} {}\n", witness(number).verifier())).collect();
    Policy::parse(format!("{log}{witnesses}group g 2 w1 w2 w3\nquorum g\n").as_bytes()).unwrap()
}

#[test]
fn a_quorum_is_asked_of_one_checkpoint_and_of_each_that_is_brought() {
    let it = anchored();
    let log = it.key.verifier();
    let plan = |log, notes: &[&[u8]]| VerifyPlan { policy: Some(two_of_three(log)), ..bring(notes) };
    let both = cosigned(&it.note, log, &[1, 3]);
    for log in [None, Some(log)] {
        // The kept one lacks cosignatures, which is no trouble beside the one that has them.
        let report = look(it.path(), &plan(log, &[&both]));
        assert_eq!(troubles(&report), none());
        assert_eq!(report.anchors.knows_roots, log.is_some());
        assert_eq!(report.unanchored(), 13..23);
        assert_eq!(checks(&report)[0].3, Some("checkpoint.quorum"));
        let witnesses = report.anchors.checkpoints[1].belief.as_ref().unwrap().witnesses();
        assert_eq!(witnesses.iter().map(|it| it.witness.name()).collect::<Vec<_>>(), [b"w1", b"w3"]);
        // Alone it is: nothing that the ledger holds is what the policy asks for.
        let report = look(it.path(), &plan(log, &[]));
        assert_eq!(troubles(&report), [vec![], vec![], vec!["checkpoint.none"]]);
        assert_eq!(report.unanchored(), 0..23);
    }
    for few in [&[][..], &[2]] {
        let note = cosigned(&it.note, log, few);
        let report = look(it.path(), &plan(Some(log), &[&note]));
        assert_eq!(troubles(&report), [vec![], vec![], vec!["checkpoint.quorum"]], "{few:?}");
    }
    // Kept with its cosignatures it anchors.
    fs::write(checkpoint_path(it.path(), it.size), &both).unwrap();
    let report = look(it.path(), &plan(Some(log), &[]));
    assert_eq!((troubles(&report), report.unanchored()), (none(), 13..23));
}

#[test]
fn a_root_that_was_retired_signs_no_more_and_what_it_signed_stays_good() {
    let it = anchored();
    let (old, new) = (&it.key, log_key(2));
    add(&it.ledger, &new, Some(old));
    retire(&it.ledger, old.verifier(), &new);
    commit(&it.ledger, 5..6);
    let size = it.ledger.entries();
    let (by_old, by_new) = (sign_at(it.path(), size, &[old]), sign_at(it.path(), size, &[&new]));
    let by_both = sign_at(it.path(), size, &[old, &new]);
    let at_retirement = sign_at(it.path(), size - 6, &[old]);
    let behind_it = sign_at(it.path(), size - 5, &[old]);
    let plan = |note: &[u8]| bring(&[note, &it.note]);
    let anchored_by = |plan: VerifyPlan| {
        let report = look(it.path(), &plan);
        (troubles(&report), report.anchors.anchored_entries())
    };
    let refused = |code| ([vec![], vec![], vec![code]], 13);
    assert_eq!(anchored_by(plan(&by_new)), (none(), size));
    assert_eq!(anchored_by(plan(&by_old)), refused("checkpoint.no_log"));
    for roots in [&[old][..], &[old, &new]] {
        assert_eq!(anchored_by(rooted(plan(&by_new), roots)), (none(), size));
        assert_eq!(anchored_by(rooted(plan(&by_both), roots)), (none(), size));
        assert_eq!(anchored_by(rooted(plan(&by_old), roots)), refused("checkpoint.retired_key"));
        assert_eq!(anchored_by(rooted(plan(&behind_it), roots)), refused("checkpoint.retired_key"));
        assert_eq!(anchored_by(rooted(plan(&at_retirement), roots)), (none(), size - 6));
    }
    // Who knows the new key alone cannot judge what the old one signed.
    assert_eq!(
        anchored_by(rooted(plan(&by_new), &[&new])),
        ([vec![], vec![], vec!["checkpoint.no_log"; 2]], size)
    );
}

#[test]
fn a_checkpoint_of_another_log_is_told_apart() {
    let it = anchored();
    let bare = it.bare_copy("bare");
    let other = secret("elsewhere.example", KeyRole::Log, 3);
    let root = NodeHash::from_base64(&root_of(it.path(), it.size)).unwrap();
    let note = |size: u64| {
        Checkpoint::new("elsewhere.example", size, root).unwrap().sign(&[&other]).unwrap().to_bytes()
    };
    for size in [it.size, 7, 1000] {
        // Nothing of the log is said by it, even with the same size and root.
        let report = look(&bare, &rooted(bring(&[&note(size), &it.note]), &[&it.key, &other]));
        assert_eq!(troubles(&report), [vec![], vec![], vec!["checkpoint.other_log"]], "{size}");
        let report = look(&bare, &bring(&[&note(size)]));
        assert_eq!(troubles(&report), [vec![], vec![], vec!["checkpoint.no_log"]]);
        assert_eq!((report.unanchored(), report.anchors.is_signed()), (0..23, false));
    }
    // Signed by this log's key under the other's origin, which no signer of ours does.
    let text = String::from_utf8(it.note.clone()).unwrap().replacen("ledger.example/test", "x.example", 1);
    let report = look(&bare, &bring(&[text.as_bytes()]));
    assert_eq!(troubles(&report), [vec![], vec![], vec!["checkpoint.signature"]]);
}

#[test]
fn notes_that_nobody_can_read_are_told_and_say_nothing() {
    let it = anchored();
    let (bare, cut) = (it.bare_copy("bare"), &it.note[..it.note.len() - 1]);
    let text = String::from_utf8(it.note.clone()).unwrap();
    let unsigned = text.split_inclusive('\n').take(3).collect::<String>();
    let bad: [&[u8]; 5] = [b"", b"nonsense", b"\xff\xff\n", cut, unsigned.as_bytes()];
    for note in bad {
        for plan in [bring(&[note]), rooted(bring(&[note]), &[&it.key])] {
            let report = look(&bare, &plan);
            let [damage, derived, unauthentic] = troubles(&report);
            assert_eq!((damage, derived, unauthentic.len()), (vec![], vec![], 1));
            assert!(unauthentic[0].starts_with("note."), "{unauthentic:?}");
            assert!(report.anchors.checkpoints[0].stated.is_none());
            assert_eq!(report.anchors.checkpoints[0].history, History::Unknown);
            assert_eq!(report.unanchored(), 0..23);
        }
        // The same, kept.
        fs::write(checkpoint_path(it.path(), it.size), note).unwrap();
        let report = look(it.path(), &VerifyPlan::default());
        assert!(report.damage.is_empty() && report.unauthentic[0].code.starts_with("note."));
        assert_eq!(report.unauthentic[0].file, kept_name(13));
    }
}

#[test]
fn a_ledger_without_keys_is_authentic_to_those_who_bring_some() {
    let (_home, ledger) = fresh();
    commit(&ledger, 1..2);
    let key = log_key(1);
    let note = sign_at(ledger.dir(), 6, &[&key]);
    let report = look(ledger.dir(), &bring(&[&note]));
    assert_eq!(troubles(&report), [vec![], vec![], vec!["checkpoint.no_log"]]);
    assert_eq!(report.anchors.keys.as_ref().map(|keys| keys.all().len()), Some(0));
    let report = look(ledger.dir(), &rooted(bring(&[&note]), &[&key]));
    assert_eq!((troubles(&report), report.unanchored()), (none(), 6..6));
    let report = look(ledger.dir(), &VerifyPlan::default());
    assert_eq!((troubles(&report), report.anchors.is_signed()), (none(), false));
}

/// Whoever asks for a key and finds nothing that it signed is not told that all is well: a thief
/// strips a ledger of its checkpoints with one command.
#[test]
fn a_key_that_signed_nothing_here_is_trouble() {
    let it = anchored();
    let bare = it.bare_copy("bare");
    let report = look(&bare, &rooted(VerifyPlan::default(), &[&it.key]));
    assert_eq!(troubles(&report), [vec![], vec![], vec!["checkpoint.none"]]);
    assert!(!report.anchors.is_signed());
    // A checkpoint of nothing covers nothing.
    let nothing = Checkpoint::new(genesis().origin.as_str(), 0, NodeHash::empty_root()).unwrap();
    let nothing = nothing.sign(&[&it.key]).unwrap().to_bytes();
    let report = look(&bare, &rooted(bring(&[&nothing]), &[&it.key]));
    assert_eq!(troubles(&report), [vec![], vec![], vec!["checkpoint.none"]]);
    assert_eq!((report.unanchored(), report.anchors.is_signed()), (0..23, false));
    // Where another trouble is told, this one adds nothing.
    let report = look(&bare, &rooted(bring(&[b"nonsense"]), &[&it.key]));
    assert_eq!(report.unauthentic.len(), 1);
}

/// A thief's ledger: the thief's log key vouches for a producer's, and nobody else's for either.
#[test]
fn producers_that_rest_on_no_known_key_make_nothing_authentic() {
    let (_home, ledger) = fresh();
    let (thief, producer) = (log_key(66), secret("gateway.example", KeyRole::Producer, 5));
    add(&ledger, &thief, None);
    add(&ledger, &producer, Some(&thief));
    commit(&ledger, 1..2);
    let hash: EnvelopeHash = hash_of(&chain(1, 3)[2]).parse().unwrap();
    let snapshot = ledger.snapshot().unwrap();
    let entry = snapshot.entry(snapshot.accepted(&hash).unwrap().unwrap()).unwrap().unwrap();
    let record = signature(&hash, entry.header.trace.unwrap().trace_id, &producer);
    let outcome = ledger.commit_action(&Action::Artifact(&record.canonical()), NOW_MS).unwrap();
    assert!(matches!(outcome, Outcome::Accepted { .. }));

    let own_word = look(ledger.dir(), &VerifyPlan::default());
    assert_eq!((troubles(&own_word), own_word.anchors.producers.verified), (none(), 1));
    assert!(own_word.anchors.is_signed());
    let report = look(ledger.dir(), &rooted(VerifyPlan::default(), &[&log_key(1)]));
    assert_eq!((report.anchors.producers.verified, report.anchors.producers.rooted), (1, 0));
    assert_eq!(troubles(&report), [vec![], vec![], vec!["checkpoint.none"]]);
    assert!(!report.anchors.is_signed());
    // Nor does one that does rest on it: what a producer signed is an envelope, and no log.
    let report = look(ledger.dir(), &rooted(VerifyPlan::default(), &[&thief]));
    assert_eq!(report.anchors.producers.rooted, 1);
    assert_eq!(troubles(&report), [vec![], vec![], vec!["checkpoint.none"]]);
}

#[test]
fn a_kept_checkpoint_under_the_name_of_another_size_is_told() {
    let it = anchored();
    for size in [5, 23, 24, 1000] {
        let named = it.bare_copy(&format!("named {size}"));
        fs::create_dir(named.join("checkpoints")).unwrap();
        fs::write(checkpoint_path(&named, size), &it.note).unwrap();
        for plan in [VerifyPlan::default(), rooted(VerifyPlan::default(), &[&it.key])] {
            let report = look(&named, &plan);
            assert_eq!(troubles(&report), [vec![], vec![], vec!["checkpoint.misnamed"]], "{size}");
            assert_eq!((report.unanchored(), report.unauthentic[0].file.clone()), (0..23, kept_name(size)));
        }
        // Names alone are looked at when a ledger is opened.
        let snapshot = Snapshot::open(&named).unwrap();
        assert_eq!(codes(snapshot.damage()), vec!["log.truncated"; usize::from(size > 23)]);
        assert_eq!(Ledger::open(&named, Options::default()).is_ok(), size <= 23);
    }
}

/// The ledger of another id with the same origin and key is another ledger: its keys are not taken.
#[test]
fn keys_are_those_of_one_ledger() {
    let it = anchored();
    let path = it.home.path().join("other");
    let other = Genesis { ledger_id: LedgerId::from_bytes([8; 16]), ..genesis() };
    Ledger::init(&path, &other).unwrap();
    let ledger = Ledger::open(&path, Options::default()).unwrap();
    let record = it.ledger.snapshot().unwrap().entry(Seq::new(1)).unwrap().unwrap().body;
    let Outcome::ArtifactRefused(refusal) = ledger.commit_action(&Action::System(&record), NOW_MS).unwrap()
    else {
        panic!("taken")
    };
    assert_eq!(refusal.code(), "keys.possession");
}
