//! `publish` as an operator meets it: what it takes for granted, what it says, and what a web server then has.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use insta::assert_snapshot;
use proofline::canon::{Sha256Digest, base64, unbase64};
use proofline::ledger::{Action, KeptCheckpoint, Ledger as Writer, Options};
use proofline::proof::{Checkpoint, NodeHash, SecretKey, Signer};

use crate::run::{AGENT_WORK, Ledger, Ran, member_names, vectors};

/// The key of the seed of thirty-two nines, by the reference in `vectors/`.
const SECRET: &str = "PRIVATE+KEY+ledger.example/test+e4204de3+AQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ";
const PUBLIC: &str = "ledger.example/test+e4204de3+Af0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY";
/// Somebody else's.
const OTHER: &str = "log.example/demo+6bd2f923+AddamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";

/// A ledger with a key on its list, and a folder beside it.
struct Desk {
    ledger: Ledger,
    out: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let ledger = Ledger::empty();
        let out = ledger.dir.with_file_name("public");
        let writer = Writer::open(&ledger.dir, Options::default()).unwrap();
        let list = writer.snapshot().unwrap().key_list().unwrap();
        let record = list.addition(&key(), None).unwrap();
        writer.commit_action(&Action::System(&record.canonical()), 1_769_817_600_000).unwrap();
        drop(writer);
        Desk { ledger, out }
    }

    fn sign(&self) -> KeptCheckpoint {
        Writer::open(&self.ledger.dir, Options::default()).unwrap().checkpoint(&[&key()]).unwrap()
    }

    fn publish(&self, more: &[&str]) -> Ran {
        self.ledger.run("publish", &[&[self.out.to_str().unwrap()], more].concat())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path = self.ledger.dir.with_file_name(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// What a web server has, by path.
    fn served(&self) -> BTreeMap<String, Vec<u8>> {
        fn walk(folder: &Path, top: &Path, all: &mut BTreeMap<String, Vec<u8>>) {
            for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
                let path = entry.path();
                if path.is_dir() {
                    walk(&path, top, all);
                } else {
                    let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
                    all.insert(name, fs::read(&path).unwrap());
                }
            }
        }
        let mut all = BTreeMap::new();
        walk(&self.out, &self.out, &mut all);
        all
    }
}

fn key() -> SecretKey {
    SECRET.parse().unwrap()
}

#[test]
fn the_latest_kept_checkpoint_is_published_and_the_ledger_grows_on() {
    let desk = Desk::new();
    assert_eq!(key().verifier().to_string(), PUBLIC);
    let kept = desk.sign();
    let first = desk.publish(&["--format", "json"]).well().json().remove(0);
    assert_eq!(first["size"], kept.size);
    assert_eq!(first["previous_size"], serde_json::Value::Null);
    let served = desk.served();
    let names: Vec<&str> = served.keys().map(String::as_str).collect();
    assert_eq!(names, [".publish.lock", "checkpoint", "tile/0/000.p/3", "tile/entries/000.p/3"]);
    assert_eq!(served["checkpoint"], kept.note);
    // Genesis, key and index entry. A node is SHA-256(01, left, right), the leaves are those of the bundle.
    let mut rest = served["tile/entries/000.p/3"].as_slice();
    let mut leaf = || {
        let (header, behind) = rest[2..].split_at(usize::from(rest[0]) << 8 | usize::from(rest[1]));
        rest = behind;
        Sha256Digest::of(&[&[0], header].concat())
    };
    let [genesis, key, index] = [leaf(), leaf(), leaf()];
    assert!(rest.is_empty());
    let node = |left: &Sha256Digest, right: &Sha256Digest| {
        Sha256Digest::of(&[&[1], left.as_bytes().as_slice(), right.as_bytes()].concat())
    };
    assert_eq!(first["root"], base64(node(&node(&genesis, &key), &index).as_bytes()));
    assert_eq!(served["tile/0/000.p/3"], [genesis, key, index].map(|leaf| *leaf.as_bytes()).concat());

    desk.ledger.commit(&vectors(AGENT_WORK), &[]);
    let size = desk.sign().size;
    let second = desk.publish(&["--format", "json", "--check"]).well().json().remove(0);
    assert_eq!((&second["size"], &second["previous_size"]), (&size.into(), &3.into()));
    let grown = desk.served();
    for (name, bytes) in served.iter().filter(|(name, _)| name.starts_with("tile")) {
        assert_eq!(&grown[name], bytes, "{name}");
    }
    let again = desk.publish(&["--format", "json"]).well();
    assert_eq!(
        member_names(again.stdout.trim_end()).join(" "),
        "origin size root previous_size checkpoint_replaced tiles_written tiles_present bundles_written \
         bundles_present bytes_written pruned_partials checked"
    );
    let again = again.json().remove(0);
    assert_eq!((&again["checkpoint_replaced"], &again["bytes_written"]), (&false.into(), &0.into()));
    assert_eq!(desk.served(), grown);
}

#[test]
fn what_was_done_is_told_and_where_to_serve_it() {
    let desk = Desk::new();
    desk.ledger.commit(&vectors(AGENT_WORK), &[]);
    desk.sign();
    let folder = desk.ledger.dir.parent().unwrap().to_str().unwrap().to_owned();
    let told = |ran: Ran| ran.well().stdout.replace(&folder, "/srv");
    let (first, again) = (told(desk.publish(&[])), told(desk.publish(&["--check", "--prune-partials"])));
    assert_snapshot!("publish", format!("{first}\n{}\n{again}", "=".repeat(80)));
}

#[test]
fn a_policy_or_keys_say_whom_to_believe() {
    let desk = Desk::new();
    let kept = desk.sign();
    let note = desk.file("note.txt", &kept.note);
    let with = |more: &[&str]| desk.publish(&[&["--checkpoint", &note, "--format", "json"], more].concat());
    assert_eq!(with(&["--key", OTHER]).exits(9).error().0, "checkpoint.no_log");
    let policy = desk.file("other.policy", format!("log {OTHER}\nquorum none\n").as_bytes());
    assert_eq!(with(&["--policy", &policy]).exits(9).error().0, "checkpoint.no_log");
    let policy = desk.file("broken.policy", format!("log {PUBLIC}\n").as_bytes());
    let (code, place, hint) = with(&["--policy", &policy]).exits(4).error();
    assert_eq!((code.as_str(), place), ("policy.no_quorum", Some(policy)));
    assert!(hint.unwrap().contains("quorum"));
    assert_eq!(with(&["--key", "no-such-file"]).exits(4).error().0, "input.unreadable");
    assert_eq!(with(&["--key", "a+b+c"]).exits(4).error().0, "key.form");
    let strict = format!(
        "log {PUBLIC}\nwitness w witness.example/w1+04d2d833+BD1AF8PoQ4lakrcKp00bfrycmCzPLsSWjMDNVfEq9GYM\nquorum w\n"
    );
    let strict = desk.file("strict.policy", strict.as_bytes());
    assert_eq!(with(&["--policy", &strict]).exits(9).error().0, "checkpoint.quorum");
    assert!(!desk.out.exists(), "a refused checkpoint makes no folder");
    let policy = desk.file("good.policy", format!("log {PUBLIC}\nquorum none\n").as_bytes());
    with(&["--policy", &policy]).well();
    with(&["--key", OTHER, "--key", PUBLIC]).well();
    with(&[]).well();
}

#[test]
fn refusals_have_codes_and_exit_codes() {
    let desk = Desk::new();
    assert_eq!(desk.publish(&["--format", "json"]).exits(2).error().0, "cli.usage", "no checkpoint is kept");
    let small = desk.sign();
    desk.ledger.commit(&vectors(AGENT_WORK), &[]);
    let large = desk.sign();
    desk.publish(&[]).well();
    let published = desk.served();
    let try_note = |note: Vec<u8>, exit: i32| {
        let note = desk.file("try.txt", &note);
        desk.publish(&["--checkpoint", &note, "--format", "json"]).exits(exit).error()
    };
    assert_eq!(try_note(small.note.clone(), 4).0, "publish.backwards");
    let sign = |size, root: &str| {
        let root = NodeHash::from_slice(&unbase64(root).unwrap()).unwrap();
        Checkpoint::new("ledger.example/test", size, root).unwrap().sign(&[&key()]).unwrap().to_bytes()
    };
    let empty = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    assert_eq!(try_note(sign(large.size, empty), 8).0, "publish.root");
    assert_eq!(try_note(sign(large.size + 1, empty), 8).0, "publish.ahead");
    let edge = format!("tile/0/001.p/{}", large.size - 256);
    fs::write(desk.out.join("checkpoint"), "nothing signed\n").unwrap();
    assert_eq!(desk.publish(&["--format", "json"]).exits(9).error().0, "publish.unverified");
    fs::write(desk.out.join("checkpoint"), &large.note).unwrap();
    let tile = desk.out.join(&edge);
    desk.ledger.edit(&tile, |bytes| bytes[0] ^= 1);
    let (code, place, _) = desk.publish(&["--format", "json"]).exits(4).error();
    assert_eq!((code.as_str(), place.unwrap()), ("publish.differs", edge));
    fs::remove_file(&tile).unwrap();
    desk.publish(&[]).well();
    assert_eq!(desk.served(), published);
    let ledger = desk.ledger.dir.to_str().unwrap().to_owned();
    let error = desk.ledger.run("publish", &[&ledger, "--format", "json"]).exits(4).error();
    assert_eq!((error.0.as_str(), error.1), ("publish.into_ledger", Some(ledger)));
}
