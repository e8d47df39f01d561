//! A true ledger with keys, a producer's signature and two checkpoints, and what an honest party has
//! of it elsewhere: the later checkpoint, the root key, a policy of witnesses.

use std::fs;
use std::path::{Path, PathBuf};

use proofline::ledger::{
    Action, Genesis, KeptCheckpoint, Ledger, Options, Outcome, Seq, Snapshot, Submission, checkpoint_path,
};
use proofline::proof::files::producer::sign_envelope;
use proofline::proof::tree::Frontier;
use proofline::proof::{Checkpoint, KeyList, KeyName, KeyRole, Policy, SecretKey, Signer};
use proofline::trace::{EnvelopeHash, KeyReference, LedgerId, ProducerSignature, SignatureText};
use proofline_vectors::{EvidencePlan, Generator};

use crate::forge::entries;
use crate::indexes::is_index;

pub(crate) const NOW_MS: u64 = 1_769_817_600_000;
pub(crate) const ORIGIN: &str = "ledger.example/desk";
pub(crate) const OPTIONS: Options = Options {
    segment_bytes: 8192,
    group_records: 4096,
    group_bytes: 8 << 20,
    limits: proofline::canon::Limits::ENVELOPE,
};

pub(crate) fn secret(name: &str, role: KeyRole, seed: u8) -> SecretKey {
    SecretKey::from_seed(KeyName::new(name).unwrap(), role, &[seed; 32].into()).unwrap()
}

/// A log key of the true ledger's origin.
pub(crate) fn log_key(seed: u8) -> SecretKey {
    secret(ORIGIN, KeyRole::Log, seed)
}

/// The key that honest parties know to be the log's.
pub(crate) fn root() -> SecretKey {
    log_key(1)
}

pub(crate) fn thief() -> SecretKey {
    log_key(66)
}

pub(crate) fn producer() -> SecretKey {
    secret("gateway.example", KeyRole::Producer, 5)
}

pub(crate) fn witness(number: u8) -> SecretKey {
    secret(&format!("witness.example/w{number}"), KeyRole::Witness, 100 + number)
}

/// What is committed, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Evidence(Vec<u8>),
    Artifact(Vec<u8>),
    System(Vec<u8>),
}

impl Item {
    pub(crate) fn text(&self) -> &str {
        let (Item::Evidence(bytes) | Item::Artifact(bytes) | Item::System(bytes)) = self;
        std::str::from_utf8(bytes).unwrap()
    }

    pub(crate) fn hash(&self) -> EnvelopeHash {
        EnvelopeHash::of(self.text().as_bytes())
    }

    fn action(&self) -> Action<'_> {
        match self {
            Item::Evidence(bytes) => Action::Evidence(Submission::bare(bytes)),
            Item::Artifact(bytes) => Action::Artifact(bytes),
            Item::System(bytes) => Action::System(bytes),
        }
    }
}

/// The evidence of whole traces, one trace after the other, each a list.
pub(crate) fn traces(seed: u64, count: u64) -> Vec<Vec<Item>> {
    let plan = EvidencePlan { joined_per_mille: 0, retried_per_mille: 0, ..EvidencePlan::clean(seed, count) };
    let mut traces: Vec<(String, Vec<Item>)> = Vec::new();
    for record in Generator::new(&plan) {
        let item = Item::Evidence(record.sealed.canonical().to_vec());
        let trace = member(item.text(), "\"trace_id\":\"").to_owned();
        match traces.iter_mut().find(|(known, _)| *known == trace) {
            Some((_, items)) => items.push(item),
            None => traces.push((trace, vec![item])),
        }
    }
    assert_eq!(traces.len() as u64, count);
    traces.into_iter().map(|(_, items)| items).collect()
}

/// The text between `front` and the next quotation mark.
pub(crate) fn member<'a>(text: &'a str, front: &str) -> &'a str {
    text.split_once(front).unwrap().1.split_once('"').unwrap().0
}

pub(crate) fn genesis(id: u8, origin: &str) -> Genesis {
    Genesis {
        ledger_id: LedgerId::from_bytes([id; 16]),
        origin: origin.parse().unwrap(),
        created_at_ms: NOW_MS,
    }
}

pub(crate) fn commit(ledger: &Ledger, item: &Item) {
    let at_ms = NOW_MS + 1000 * ledger.entries();
    let outcome = ledger.commit_action(&item.action(), at_ms).unwrap();
    assert!(matches!(outcome, Outcome::Accepted { duplicate: false, .. }), "{outcome:?}: {}", item.text());
}

/// Makes a ledger of these, as anybody can with the library: no key is needed to write evidence down
/// again, nor to repeat what keys once signed for this ledger's id and origin.
pub(crate) fn write(dir: &Path, genesis: &Genesis, items: &[Item]) -> Ledger {
    Ledger::init(dir, genesis).unwrap();
    let ledger = Ledger::open(dir, OPTIONS).unwrap();
    items.iter().for_each(|item| commit(&ledger, item));
    ledger
}

pub(crate) fn key_list(ledger: &Ledger) -> KeyList {
    ledger.snapshot().unwrap().key_list().unwrap()
}

pub(crate) fn add_key(ledger: &Ledger, key: &SecretKey, by: Option<&SecretKey>) -> Item {
    let record = key_list(ledger).addition(key, by.map(|by| by as &dyn Signer)).unwrap();
    let item = Item::System(record.canonical());
    commit(ledger, &item);
    item
}

pub(crate) fn retire_key(ledger: &Ledger, key: &SecretKey, by: &SecretKey) -> Item {
    let item = Item::System(key_list(ledger).retirement(key.verifier(), by).unwrap().canonical());
    commit(ledger, &item);
    item
}

/// A producer's signature over the envelope of `signed`, said to be of the envelope of `named`.
pub(crate) fn signature(named: &Item, signed: &Item, key: &SecretKey) -> Item {
    let dsse = sign_envelope(&signed.hash(), key).unwrap();
    let record = ProducerSignature {
        target_trace_id: member(named.text(), "\"trace_id\":\"").parse().unwrap(),
        envelope_sha256: named.hash(),
        key: KeyReference::new(&key.verifier().short_name()).unwrap(),
        signature: SignatureText::new(&proofline::canon::base64(&dsse.signatures()[0].sig)).unwrap(),
    };
    Item::Artifact(record.canonical())
}

/// A checkpoint over the first entries, signed by whom you like.
pub(crate) fn sign_at(dir: &Path, size: u64, keys: &[&dyn Signer]) -> Vec<u8> {
    let snapshot = Snapshot::open(dir).unwrap();
    let mut frontier = Frontier::empty();
    (0..size).for_each(|seq| frontier.push(snapshot.entry(Seq::new(seq)).unwrap().unwrap().leaf_hash()));
    Checkpoint::new(ORIGIN, size, frontier.root()).unwrap().sign(keys).unwrap().to_bytes()
}

pub(crate) fn cosigned(note: &[u8], log: &SecretKey, witnesses: &[&SecretKey]) -> Vec<u8> {
    let policy = Policy::of_keys(vec![log.verifier().clone()]).unwrap();
    witnesses.iter().fold(note.to_vec(), |note, witness| {
        policy.verify(&note).unwrap().cosign(*witness, NOW_MS / 1000).unwrap().to_bytes()
    })
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() { copy(&from, &to) } else { fs::copy(&from, &to).map(|_| ()).unwrap() }
    }
}

/// The true ledger and its surroundings.
pub(crate) struct House {
    pub(crate) home: tempfile::TempDir,
    pub(crate) dir: PathBuf,
    /// All that was put in, in order. The log has the genesis entry before them, and its own index entries
    /// among them.
    pub(crate) items: Vec<Item>,
    pub(crate) first: KeptCheckpoint,
    pub(crate) second: KeptCheckpoint,
}

impl House {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("true");
        let ledger = write(&dir, &genesis(7, ORIGIN), &[]);
        let mut items = vec![add_key(&ledger, &root(), None), add_key(&ledger, &producer(), Some(&root()))];
        let traces = traces(7, 6);
        let add = |items: &mut Vec<Item>, more: &[Item]| {
            more.iter().for_each(|item| commit(&ledger, item));
            items.extend_from_slice(more);
        };
        add(&mut items, &traces[..3].concat());
        add(&mut items, &[signature(&traces[0][0], &traces[0][0], &producer())]);
        let first = ledger.checkpoint(&[&root()]).unwrap();
        add(&mut items, &traces[3..5].concat());
        let second = ledger.checkpoint(&[&root()]).unwrap();
        add(&mut items, &traces[5]);
        drop(ledger);
        let entries = entries(&dir);
        let own = entries.iter().filter(|entry| !is_index(entry)).skip(1);
        assert!(own.map(|entry| &entry.body[..]).eq(items.iter().map(|item| item.text().as_bytes())));
        House { home, dir, items, first, second }
    }

    pub(crate) fn copy(&self, name: &str) -> PathBuf {
        let to = self.home.path().join(name);
        copy(&self.dir, &to);
        to
    }

    /// The same ledger made again from other items, with the checkpoints of nobody.
    pub(crate) fn rewritten(&self, name: &str, items: &[Item]) -> (PathBuf, Ledger) {
        let to = self.home.path().join(name);
        let ledger = write(&to, &genesis(7, ORIGIN), items);
        (to, ledger)
    }

    /// A file that somebody has elsewhere.
    pub(crate) fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.home.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub(crate) fn cosigned(&self, kept: &KeptCheckpoint) -> Vec<u8> {
        cosigned(&kept.note, &root(), &[&witness(1), &witness(2)])
    }

    /// Two of three witnesses, and the root.
    pub(crate) fn policy(&self) -> PathBuf {
        let line = |number| format!("witness w{number} {}\n", witness(number).verifier());
        let lines: String = (1..4).map(line).collect();
        let text = format!("log {}\n{lines}group two 2 w1 w2 w3\nquorum two\n", root().verifier());
        self.file("policy", text.as_bytes())
    }
}

/// Takes the checkpoints that a ledger keeps away.
pub(crate) fn forget_checkpoints(dir: &Path) {
    fs::remove_dir_all(dir.join("checkpoints")).unwrap();
}

/// Puts a file among the checkpoints that a ledger keeps.
pub(crate) fn keep(dir: &Path, size: u64, note: &[u8]) {
    fs::create_dir_all(dir.join("checkpoints")).unwrap();
    fs::write(checkpoint_path(dir, size), note).unwrap();
}
