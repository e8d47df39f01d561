//! Sealed payloads as a person handles them: a folder of keys, content into a ledger and out again, and a subject that
//! is erased. What was printed is searched for the secrets.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use proofline::canon::{Sha256Digest, unhex};
use proofline::ledger::{Action, Blobs, Ledger as Writer, Options, Outcome, Seq, Snapshot};
use proofline::proof::sealed::{SubjectKey, open_bytes, seal_bytes};
use proofline::trace::{
    Decision, DecisionResult, Envelope, ErasureTarget, HoldRecord, HoldTarget, StringSet,
};
use serde_json::Value;
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::run::{CLOCK, Ledger, Ran, program, ran, vectors};

const LETTER: &[u8] = b"Dear Ines, your results of 2026-01-30 are in.\n";
const INES: &str = "Ines Moreau";

struct Office {
    folder: TempDir,
    ledger: Ledger,
}

impl Office {
    /// A ledger, a letter, and a subject that it is about.
    fn new() -> Self {
        let office = Self { folder: tempfile::tempdir().unwrap(), ledger: Ledger::empty() };
        fs::write(office.path("letter"), LETTER).unwrap();
        office.run(&["subject", "add", "keys", INES]).well();
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs in the folder; `LEDGER` stands for the ledger's.
    fn run(&self, arguments: &[&str]) -> Ran {
        let dir = self.ledger.dir.to_str().unwrap();
        let arguments = arguments.iter().map(|argument| if *argument == "LEDGER" { dir } else { argument });
        let ran = ran(program().current_dir(self.folder.path()).args(arguments));
        if let Ok(files) = fs::read_dir(self.path("keys")) {
            for file in files {
                let text = fs::read_to_string(file.unwrap().path()).unwrap_or_default();
                let secret = text.lines().find_map(|line| line.strip_prefix("key ")).unwrap_or("no secret");
                assert!(!ran.stdout.contains(secret) && !ran.stderr.contains(secret));
            }
        }
        ran
    }

    fn seal(&self, more: &[&str]) -> Ran {
        self.run(&[&["seal", "letter", "--subject-keys", "keys", "--subject", INES], more].concat())
    }

    fn key_id(&self) -> String {
        self.run(&["subject", "list", "keys", "--format", "json"]).well().json()[0]["key_id"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// The key in the folder, read by hand.
    fn key(&self) -> SubjectKey {
        let text = fs::read_to_string(self.path("keys").join(format!("{}.key", self.key_id()))).unwrap();
        let secret = text.lines().find_map(|line| line.strip_prefix("key ")).unwrap();
        SubjectKey::from_bytes(&Zeroizing::new(unhex(secret).unwrap()))
    }

    /// An accepted decision about this action on this resource, in the words of one that ships.
    fn decision(&self, action: &str, resource: &str, result: DecisionResult) -> String {
        self.ledger.commit(&vectors("evidence/trouble/denied-call.jsonl"), &[]);
        let writer = Writer::open(&self.ledger.dir, Options::default()).unwrap();
        let snapshot = writer.snapshot().unwrap();
        let entries = (1..snapshot.entries()).map(|seq| snapshot.entry(Seq::new(seq)).unwrap().unwrap().body);
        let found = entries.into_iter().find_map(|body| {
            match proofline::trace::read_envelope(&body, &proofline::canon::Limits::ENVELOPE).ok()?.envelope()
            {
                Envelope::PolicyDecision(decision) => Some(decision.clone()),
                _ => None,
            }
        });
        let mut decision = found.expect("the evidence has a decision");
        decision.request.action = action.parse().unwrap();
        decision.request.resource = resource.parse().unwrap();
        decision.decision = Decision {
            result,
            reason_codes: StringSet::of(&["asked"]).unwrap(),
            obligations: StringSet::of(&[]).unwrap(),
        };
        let sealed = Envelope::PolicyDecision(decision).seal();
        let line = self.path("decision.json");
        fs::write(&line, sealed.canonical()).unwrap();
        self.ledger.commit(&line, &[]).exits(0);
        sealed.hash().to_string()
    }

    fn erase(&self, authority: &str) -> Ran {
        let reason = ["--reason", "GDPR art. 17", "--authority", authority];
        let all =
            ["subject", "erase", "keys", INES, "--ledger", "LEDGER", "--clock", CLOCK, "--format", "json"];
        self.run(&[&all[..], &reason].concat())
    }

    fn payload(&self, name: &str) -> Vec<u8> {
        fs::read(self.ledger.dir.join("blobs").join(&name[..2]).join(&name[2..])).unwrap()
    }
}

fn code(ran: &Ran) -> String {
    ran.error().0
}

#[test]
fn a_payload_is_sealed_into_a_ledger_and_opened() {
    let office = Office::new();
    let sealed = office.seal(&["--ledger", "LEDGER", "--format", "json"]).well().json().remove(0);
    let name = sealed["blob"]["sha256"].as_str().unwrap().to_owned();
    let bytes = office.payload(&name);
    assert_eq!(Sha256Digest::of(&bytes).to_string(), name);
    assert_eq!(sealed["blob"]["size_bytes"], bytes.len());
    assert_eq!(sealed["blob"]["content_type"], "application/vnd.proofline.sealed");
    assert_eq!((sealed["key_id"].as_str().unwrap(), &sealed["file"]), (&*office.key_id(), &Value::Null));
    // The library opens what the program sealed, and says which bytes they have to be.
    assert_eq!(*open_bytes(&office.key(), &bytes).unwrap(), LETTER);
    assert_eq!(seal_bytes(&office.key(), LETTER), bytes);

    // Text is the BlobRef alone, and equal content is the same payload.
    let text = office.seal(&["--ledger", "LEDGER"]).well().stdout;
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), sealed["blob"]);

    let from = ["unseal", &name, "--ledger", "LEDGER", "--subject-keys", "keys", "--format", "json"];
    let opened = office.run(&[&from[..], &["--out", "opened"]].concat()).well().json().remove(0);
    assert_eq!(fs::read(office.path("opened")).unwrap(), LETTER);
    assert_eq!(fs::metadata(office.path("opened")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(opened["sha256"], Sha256Digest::of(LETTER).to_string());
    assert_eq!((&opened["size_bytes"], &opened["file"]), (&LETTER.len().into(), &"opened".into()));
    // Nothing is written over.
    let again = office.run(&[&from[..], &["--out", "opened"]].concat()).exits(6);
    assert_eq!(code(&again), "output.unwritable");
    let verified = office.ledger.run("verify", &["--format", "json"]).well().json().remove(0);
    assert_eq!((&verified["verdict"], &verified["payloads"]), (&"sound".into(), &1.into()));
}

#[test]
fn a_file_is_sealed_and_opened_without_a_ledger() {
    let office = Office::new();
    let large: Vec<u8> = (0..300_000_u32).map(|at| u8::try_from(at % 251).unwrap()).collect();
    fs::write(office.path("letter"), &large).unwrap();
    let text = office.seal(&["--out", "sealed"]).well().stdout;
    let bytes = fs::read(office.path("sealed")).unwrap();
    let blob: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(blob["sha256"], Sha256Digest::of(&bytes).to_string());
    assert_eq!(blob["size_bytes"], bytes.len());
    // The standard input gives the same.
    let fed = program()
        .current_dir(office.folder.path())
        .args(["seal", "-", "--subject-keys", "keys", "--subject", INES, "--out", "again"])
        .write_stdin(large.clone())
        .output()
        .unwrap();
    assert!(fed.status.success());
    assert_eq!(fs::read(office.path("again")).unwrap(), bytes);

    let unseal = |file: &str, to: &str| {
        office.run(&["unseal", file, "--subject-keys", "keys", "--out", to, "--format", "json"])
    };
    unseal("sealed", "opened").well();
    assert_eq!(fs::read(office.path("opened")).unwrap(), large);
    // The last byte is wrong, and most of it was authentic: there is no file all the same.
    let mut changed = bytes.clone();
    *changed.last_mut().unwrap() ^= 1;
    fs::write(office.path("changed"), &changed).unwrap();
    fs::write(office.path("cut"), &bytes[..64 + 65_552]).unwrap();
    fs::write(office.path("newer"), [b"PROOFSLD\x02\0\0\0", &bytes[12..]].concat()).unwrap();
    for (file, exit, wanted) in [
        ("changed", 9, "sealed.damaged"),
        ("cut", 9, "sealed.damaged"),
        ("newer", 4, "sealed.version"),
        ("letter", 4, "sealed.not_sealed"),
        ("absent", 4, "input.unreadable"),
    ] {
        let ran = unseal(file, "nothing").exits(exit);
        assert_eq!((code(&ran), ran.error().1.as_deref()), (wanted.to_owned(), Some(file)));
    }
    assert!(!office.path("nothing").exists());
    let hidden = fs::read_dir(office.folder.path()).unwrap();
    let hidden = hidden.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with('.'));
    assert_eq!(hidden.count(), 0, "an unfinished file was left");
}

#[test]
fn keys_are_kept_apart_and_for_their_owner() {
    let office = Office::new();
    let json = |arguments: &[&str]| office.run(&[arguments, &["--format", "json"]].concat());
    assert_eq!(code(&json(&["subject", "add", "keys", INES]).exits(4)), "subject.exists");
    assert_eq!(code(&json(&["subject", "add", "keys", " x"]).exits(4)), "subject.name");
    assert_eq!(code(&json(&["subject", "list", "absent"]).exits(4)), "subject.no_folder");
    // Nor through a link.
    let inside = office.ledger.dir.join("keys");
    symlink(&office.ledger.dir, office.path("link")).unwrap();
    for folder in [inside.to_str().unwrap(), "link/keys", "link/new/keys"] {
        assert_eq!(code(&json(&["subject", "add", folder, "x"]).exits(4)), "subject.inside_ledger");
    }
    assert!(!inside.exists());
    let stranger = ["seal", "letter", "--subject-keys", "keys", "--subject", "Nobody", "--ledger", "LEDGER"];
    assert_eq!(code(&json(&stranger).exits(4)), "subject.unknown");
    assert!(!office.ledger.dir.join("blobs").exists());

    office.run(&["subject", "add", "others", "Another"]).well();
    office.seal(&["--out", "sealed"]).well();
    let ran = json(&["unseal", "sealed", "--subject-keys", "others", "--out", "opened"]).exits(4);
    assert_eq!(code(&ran), "sealed.no_key");
    fs::set_permissions(office.path("keys"), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(code(&json(&["subject", "list", "keys"]).exits(4)), "subject.permissions");
}

#[test]
fn an_erased_subject_is_closed_for_good() {
    let office = Office::new();
    let sealed = office.seal(&["--ledger", "LEDGER", "--format", "json"]).well().json().remove(0);
    let name = sealed["blob"]["sha256"].as_str().unwrap().to_owned();
    let (key_id, key) = (office.key_id(), office.key());
    let resource = format!("subject/{key_id}");

    // Whatever the gate refuses, the key is kept.
    let denied = office.decision("erase", &resource, DecisionResult::Deny);
    let other = office.decision("erase", &format!("blob/{name}"), DecisionResult::Allow);
    let read = office.decision("read", &resource, DecisionResult::Allow);
    for (authority, wanted) in [
        (denied, "erasure.denied"),
        (other, "erasure.resource"),
        (read, "erasure.action"),
        ("0".repeat(64), "erasure.authority"),
    ] {
        assert_eq!(code(&office.erase(&authority).exits(9)), wanted);
        assert_eq!(office.key().id(), key.id());
    }

    let authority = office.decision("erase", &resource, DecisionResult::Allow);
    let erased = office.erase(&authority).well().json().remove(0);
    assert_eq!(erased["key_id"], key_id);
    assert_eq!(
        (&erased["recorded_before"], &erased["payloads"]),
        (&false.into(), &Value::from(vec![name.clone()]))
    );
    let entry =
        office.ledger.run("show", &[&erased["seq"].to_string(), "--format", "json"]).well().json().remove(0);
    assert_eq!(entry["body"]["target"], serde_json::json!({"kind": "subject", "key_id": key_id}));

    let erasures = Snapshot::open(&office.ledger.dir).unwrap().erasures().unwrap();
    let closed = Blobs::open(&office.ledger.dir).unwrap().closed(&erasures).unwrap();
    assert_eq!(closed, [(name.parse().unwrap(), Seq::new(erased["seq"].as_u64().unwrap()))]);

    // Neither key nor name is left, in either folder.
    for folder in [office.path("keys"), office.ledger.dir.clone()] {
        let mut open = vec![folder];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(fs::read_dir(&path).unwrap().map(|file| file.unwrap().path()));
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            let holds = |what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
            assert!(!holds(INES.as_bytes()) && !holds(&*key.to_bytes()), "{}", path.display());
            assert!(!holds(proofline::canon::hex(&*key.to_bytes()).as_bytes()), "{}", path.display());
        }
    }
    let from = ["unseal", &name, "--ledger", "LEDGER", "--subject-keys", "keys", "--out", "opened"];
    let ran = office.run(&[&from[..], &["--format", "json"]].concat()).exits(4);
    assert_eq!(code(&ran), "sealed.erased");
    assert_eq!(code(&office.erase(&authority).exits(4)), "subject.unknown");
    let verified = office.ledger.run("verify", &["--format", "json"]).well().json().remove(0);
    assert_eq!((&verified["verdict"], &verified["payloads_closed"]), (&"sound".into(), &1.into()));
    // She comes back, with another key; the old one is of no use, even from a copy.
    office.run(&["subject", "add", "keys", INES]).well();
    assert_ne!(office.key_id(), key_id);
    office.seal(&["--ledger", "LEDGER"]).well();
}

#[test]
fn an_erasure_that_was_cut_off_is_finished_by_doing_it_again() {
    let office = Office::new();
    office.seal(&["--ledger", "LEDGER"]).well();
    let authority = office.decision("erase", &format!("subject/{}", office.key_id()), DecisionResult::Allow);
    // The key file as it was when the entry was written and nothing else was done.
    let file = office.path("keys").join(format!("{}.key", office.key_id()));
    let text = fs::read(&file).unwrap();
    let first = office.erase(&authority).well().json().remove(0);
    fs::write(&file, &text).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    // Nothing is sealed under it any more.
    assert_eq!(code(&office.seal(&["--ledger", "LEDGER", "--format", "json"]).exits(4)), "sealed.erased");
    let again = office.erase(&authority).well().json().remove(0);
    assert_eq!((&again["recorded_before"], &again["seq"]), (&true.into(), &first["seq"]));
    assert!(!file.exists());
}

#[test]
fn a_legal_hold_on_key_or_payload_keeps_the_key() {
    let office = Office::new();
    let sealed = office.seal(&["--ledger", "LEDGER", "--format", "json"]).well().json().remove(0);
    let name = sealed["blob"]["sha256"].as_str().unwrap().to_owned();
    let authority = office.decision("erase", &format!("subject/{}", office.key_id()), DecisionResult::Allow);
    hold(&office.ledger.dir, HoldTarget::One(ErasureTarget::Blob(name.parse().unwrap())));
    assert_eq!(code(&office.erase(&authority).exits(9)), "erasure.held");
    hold(&office.ledger.dir, HoldTarget::One(ErasureTarget::Subject(office.key().id())));
    assert_eq!(code(&office.erase(&authority).exits(9)), "erasure.held");
    assert_eq!(*open_bytes(&office.key(), &office.payload(&name)).unwrap(), LETTER);
}

fn hold(ledger: &Path, target: HoldTarget) {
    let record = HoldRecord { target, reason: "a lawsuit".parse().unwrap(), matter: None };
    let writer = Writer::open(ledger, Options::default()).unwrap();
    let outcome = writer.commit_action(&Action::System(&record.canonical()), 1_769_817_600_000).unwrap();
    assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
}
