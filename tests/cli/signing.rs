//! Keys, checkpoints and producers' signatures as a person handles them, from `keygen` to an auditor who has a note, a
//! policy and no ledger. After each test all that was printed is searched for the secrets of all its keys.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use proofline::canon::Sha256Digest;
use proofline::proof::{Checkpoint, KeyRole, NodeHash, Note, SecretKey, VerifierKey};
use serde_json::Value;
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::hostile::assert_harmless;
use crate::run::{CLOCK, Ledger, Ran, member_names, program, ran, vectors};

pub(crate) const ORIGIN: &str = "ledger.example/test";
const CALL: &str = "evidence/trouble/denied-call.jsonl";

/// A ledger, a folder for keys and notes beside it, and all that was printed.
pub(crate) struct Desk {
    folder: TempDir,
    pub(crate) ledger: Ledger,
    printed: RefCell<String>,
}

impl Desk {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), ledger: Ledger::empty(), printed: RefCell::default() }
    }

    /// One whose ledger lists the log key in `log.key`.
    pub(crate) fn with_log_key() -> Self {
        let desk = Self::new();
        desk.keygen(ORIGIN, "log.key", "log");
        desk.add("log.key", &[]).exits(0);
        desk
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs in the folder; `LEDGER` stands for the ledger's.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let dir = self.ledger.dir.to_str().unwrap();
        let arguments = arguments.iter().map(|argument| if *argument == "LEDGER" { dir } else { argument });
        let ran = ran(program().current_dir(self.folder.path()).args(arguments));
        assert_harmless(&ran.stdout);
        assert_harmless(&ran.stderr);
        self.printed.borrow_mut().push_str(&format!("{}{}", ran.stdout, ran.stderr));
        ran
    }

    pub(crate) fn keygen(&self, name: &str, file: &str, role: &str) -> VerifierKey {
        self.run(&["keygen", name, file, "--role", role]).well();
        self.read(&format!("{file}.pub")).trim_end().parse().unwrap()
    }

    pub(crate) fn add(&self, key: &str, more: &[&str]) -> Ran {
        self.run(&[&["keys", "add", "LEDGER", "--key", key, "--clock", CLOCK], more].concat())
    }

    pub(crate) fn retire(&self, key: &str, by: &str) -> Ran {
        self.run(&["keys", "retire", "LEDGER", key, "--by", by, "--clock", CLOCK])
    }

    fn commit(&self, more: &[&str]) -> Ran {
        let file = vectors(CALL);
        let file = file.to_str().unwrap();
        self.run(&[&["commit", "LEDGER", file, "--clock", CLOCK], more].concat())
    }

    /// Signs with these keys and leaves the note in a file.
    pub(crate) fn checkpoint(&self, key: &str, file: &str) -> String {
        self.run(&["checkpoint", "LEDGER", "--key", key, "--out", file]).exits(0).stdout
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).unwrap()
    }

    fn kept(&self, size: u64) -> String {
        fs::read_to_string(self.ledger.dir.join(format!("checkpoints/{size:020}.checkpoint"))).unwrap()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let printed = self.printed.borrow();
        for file in fs::read_dir(self.folder.path()).unwrap() {
            let Ok(text) = fs::read_to_string(file.unwrap().path()) else { continue };
            if let Some(secret) = text.trim_end().strip_prefix("PRIVATE+KEY+") {
                let seed = secret.splitn(3, '+').nth(2).unwrap();
                // The first bytes of the base64 are the type; the seed is at the end.
                assert!(!printed.contains(&seed[seed.len() - 20..]), "a secret was printed");
            }
        }
    }
}

fn shape(line: &str, names: &str) {
    assert_eq!(member_names(line.trim_end()).join(" "), names);
}

#[test]
fn a_key_is_two_files_and_only_its_owner_reads_the_secret_one() {
    let desk = Desk::new();
    let line = desk.run(&["keygen", ORIGIN, "a.key", "--pem", "--format", "json"]).well().stdout;
    shape(&line, "key name id role pem secret_file public_file pem_file");
    let made: Value = serde_json::from_str(&line).unwrap();
    let mode = |file: &str| fs::metadata(desk.path(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("a.key"), 0o600);
    assert_eq!(desk.read("a.key.pub"), format!("{}\n", made["key"].as_str().unwrap()));
    assert_eq!(desk.read("a.key.pem"), made["pem"].as_str().unwrap());
    let secret: SecretKey = desk.read("a.key").trim_end().parse().unwrap();
    assert_eq!(proofline::proof::Signer::verifier(&secret).to_string(), made["key"].as_str().unwrap());
    assert!(
        desk.read("a.key").starts_with("PRIVATE+KEY+ledger.example/test+")
            && desk.read("a.key").ends_with('\n')
    );
    assert_eq!(desk.run(&["keygen", "--show", "a.key"]).well().stdout, desk.read("a.key.pub"));
    assert_eq!(desk.run(&["keygen", "--show", "a.key.pub"]).well().stdout, desk.read("a.key.pub"));
    for role in KeyRole::ALL {
        let key = desk.keygen("some.example/ключ", &format!("{role}.key"), role.as_str());
        assert_eq!(key.role(), role);
    }
    let others: Vec<String> = ["a.key", "log.key", "witness.key"].map(|file| desk.read(file)).to_vec();
    assert_ne!(others[0], others[1]);
    assert_ne!(others[1], others[2]);
    // Nothing half-written and no temporary file is left.
    assert!(fs::read_dir(desk.folder.path()).unwrap().all(|file| {
        let name = file.unwrap().file_name().into_string().unwrap();
        name.contains(".key") && !name.starts_with('.')
    }));
}

#[test]
fn a_ledger_signs_rotates_and_stands_by_what_it_signed() {
    let desk = Desk::with_log_key();
    let old = desk.read("log.key.pub");
    let old: VerifierKey = old.trim_end().parse().unwrap();
    desk.commit(&[]).exits(1);
    let first = desk.checkpoint("log.key", "first");
    // Genesis, the key, six of evidence, and the index entry with which a log ends that is signed.
    assert_eq!((desk.read("first"), desk.kept(9)), (first.clone(), first.clone()));
    assert!(first.starts_with("ledger.example/test\n9\n"), "{first}");
    // The note alone is on the standard output, a pipe can be fed with it.
    assert_eq!(Note::parse(first.as_bytes()).unwrap().signatures()[0].id(), old.id());

    let new = desk.keygen(ORIGIN, "new.key", "log");
    desk.add("new.key", &["--by", "log.key"]).well();
    let retired = desk.retire(&old.short_name(), "new.key").well();
    assert!(retired.stdout.starts_with("retired the log key ledger.example/test+"), "{}", retired.stdout);
    let listed = desk.run(&["keys", "LEDGER", "--format", "json"]).well();
    shape(
        listed.stdout.lines().next().unwrap(),
        "role name id key added_seq vouched_by retired_seq retired_by is_current",
    );
    let listed = listed.json();
    let is = |at: usize, name: &str| listed[at][name].clone();
    assert_eq!(
        (is(0, "added_seq"), is(0, "retired_seq"), is(0, "is_current")),
        (1.into(), 10.into(), false.into())
    );
    assert_eq!((is(0, "vouched_by"), is(0, "retired_by")), (Value::Null, new.short_name().into()));
    assert_eq!((is(1, "vouched_by"), is(1, "is_current")), (old.short_name().into(), true.into()));
    let text = desk.run(&["keys", "LEDGER"]).well().stdout;
    assert!(text.contains("a root: nobody here vouches for it, retired by"), "{text}");

    let (code, ..) =
        desk.run(&["checkpoint", "LEDGER", "--key", "log.key", "--format", "json"]).exits(4).error();
    assert_eq!(code, "checkpoint.not_current");
    let line =
        desk.run(&["checkpoint", "LEDGER", "--key", "new.key", "--out", "second", "--format", "json"]).well();
    shape(&line.stdout, "due size root origin file signed_by note");
    let line = &line.json()[0];
    assert_eq!((&line["size"], &line["signed_by"][0]), (&12.into(), &new.short_name().into()));
    assert_eq!(line["note"].as_str().unwrap(), desk.read("second"));

    // Each is good under the key that was current, by the ledger's own list and by the root that somebody knows.
    for note in ["first", "second"] {
        desk.run(&["checkpoint", "verify", note, "--ledger", "LEDGER"]).well();
        desk.run(&["checkpoint", "verify", note, "--ledger", "LEDGER", "--key", "log.key.pub"]).well();
    }
    desk.run(&["checkpoint", "verify", "first", "--key", "log.key.pub"]).well();
    desk.run(&["checkpoint", "verify", "second", "--key", "log.key.pub"]).exits(9);
    desk.run(&["checkpoint", "verify", "second", "--ledger", "LEDGER", "--key", "new.key.pub"]).well();
    let out =
        desk.run(&["checkpoint", "verify", "second", "--ledger", "LEDGER", "--format", "json"]).well().stdout;
    shape(
        &out,
        "origin size root extensions signed_by witnesses quorum timestamps unknown_lines ledger_entries",
    );
    // Again, and nothing is appended.
    let again = desk.add("new.key", &["--by", "log.key", "--format", "json"]).well();
    shape(&again.stdout, "event role key by seq envelope_hash duplicate");
    assert_eq!(again.json()[0]["duplicate"], true);
    assert!(desk.add("new.key", &["--by", "log.key"]).well().stdout.contains("nothing was appended"));
    desk.ledger.run("verify", &[]).well();
    let log = desk.run(&["log", "LEDGER", "--format", "json"]).well().json();
    let system: Vec<&Value> =
        log.iter().map(|line| &line["system"]).filter(|system| !system.is_null()).collect();
    let (keys, indexes): (Vec<&Value>, Vec<&Value>) =
        system.into_iter().partition(|system| system["system_type"] == "key");
    assert_eq!(keys.len(), 3);
    assert_eq!((&keys[0]["event"], &keys[0]["by"]), (&"retired".into(), &new.short_name().into()));
    assert_eq!((&keys[2]["event"], &keys[2]["by"]), (&"added".into(), &Value::Null));
    assert_eq!((&keys[2]["role"], &keys[2]["key"]), (&"log".into(), &old.short_name().into()));
    // Entries 0 to 7 hold one trace; 8 to 10 are an index entry and two of keys, and 8 are more than twice 3.
    let index = |from, keys, traces| serde_json::json!({"system_type": "trace_index", "from": from, "keys": keys, "traces": traces});
    assert_eq!(indexes, [&index(8, 3, 0), &index(0, 1, 1)]);
    let text = desk.run(&["log", "LEDGER"]).well().stdout;
    for words in ["index of 1 trace since entry 0", "index of 0 traces since entry 8"] {
        assert!(text.lines().any(|line| line.ends_with(words)), "{text}");
    }
}

#[test]
fn witnesses_cosign_until_the_quorum_of_a_policy_holds() {
    let desk = Desk::with_log_key();
    let log = desk.read("log.key.pub");
    let one = desk.keygen("witness.example/one", "one.key", "witness");
    let two = desk.keygen("witness.example/two", "two.key", "witness-ml-dsa-44");
    let policy = format!(
        "log {log}witness first {one}\nwitness second {two}\ngroup both all first second\nquorum both\n"
    );
    fs::write(desk.path("policy"), policy).unwrap();
    let signed = desk.checkpoint("log.key", "signed");
    let verify =
        |file: &str| desk.run(&["checkpoint", "verify", file, "--policy", "policy", "--format", "json"]);
    assert_eq!(verify("signed").exits(9).error().0, "checkpoint.quorum");
    let cosign = |file: &str, key: &str, more: &[&str]| {
        let at = ["--clock", "2026-02-01T00:00:00.999Z"];
        desk.run(
            &[&["checkpoint", "cosign", file, "--key", key, "--out", "cosigned"], &at[..], more].concat(),
        )
    };
    // The first is one of a quorum that does not hold yet.
    let printed = cosign("signed", "one.key", &["--policy", "policy", "--ledger", "LEDGER"]).exits(0);
    assert_eq!((&printed.stdout, &desk.read("cosigned")), (&desk.kept(3), &desk.kept(3)));
    assert_eq!(verify("cosigned").exits(9).error().0, "checkpoint.quorum");
    // The second has the note of the log alone; the ledger joins them.
    let line =
        cosign("signed", "two.key", &["--log-key", log.trim_end(), "--ledger", "LEDGER", "--format", "json"]);
    shape(&line.exits(0).stdout, "key timestamp_s file note");
    fs::write(desk.path("joined"), desk.kept(3)).unwrap();
    let good = verify("joined").well().json().remove(0);
    assert_eq!((&good["quorum"], &good["unknown_lines"]), (&"met".into(), &0.into()));
    let times: Vec<_> =
        good["witnesses"].as_array().unwrap().iter().map(|witness| &witness["timestamp_s"]).collect();
    // 2026-02-01T00:00:00Z, from `date -u +%s`.
    assert_eq!(times, [1_769_904_000, 1_769_904_000]);
    let text = desk.run(&["checkpoint", "verify", "joined", "--policy", "policy"]).well().stdout;
    assert!(
        text.contains("first, witness.example/one+") && text.contains("2026-02-01T00:00:00.000Z"),
        "{text}"
    );
    let alone = desk.run(&["checkpoint", "verify", "joined", "--key", "log.key.pub"]).well().stdout;
    assert!(alone.contains("2 lines of keys that are not known here"), "{alone}");
    // What the log signs again keeps what others said.
    assert_eq!(desk.checkpoint("log.key", "again"), desk.kept(3));
    assert_eq!(desk.kept(3), desk.read("joined"));
    assert!(desk.kept(3).starts_with(&signed));
    // Under another name a line is nobody's. A bit of a cosignature, and nothing of the note is believed.
    let forged = desk.read("joined").replacen("witness.example/one ", "witness.example/eno ", 1);
    fs::write(desk.path("forged"), forged).unwrap();
    assert_eq!(verify("forged").exits(9).error().0, "checkpoint.quorum");
    let line = desk.read("joined").lines().find(|line| line.contains("/one ")).unwrap().to_owned();
    let (begin, end) = line.split_at(line.len() - 8);
    let other = if end.starts_with('A') { "B" } else { "A" };
    let forged = desk.read("joined").replace(&line, &format!("{begin}{other}{}", &end[1..]));
    fs::write(desk.path("forged"), forged).unwrap();
    assert_eq!(verify("forged").exits(9).error().0, "checkpoint.signature");
}

fn token(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("proof/tests/data").join(name)).unwrap()
}

#[test]
fn a_timestamp_is_attached_to_the_text_it_is_of() {
    let desk = Desk::with_log_key();
    // The text of proof/tests/data/README.md, under a key of this test.
    let root = NodeHash::from_base64("tnSPbtepnefahP2X4aO6xvq4mZ9KQ2lcq5Uoot5DEUc=").unwrap();
    let name = "log.example/demo".parse().unwrap();
    let key = SecretKey::from_seed(name, KeyRole::Log, &Zeroizing::new([5; 32])).unwrap();
    let note = Checkpoint::new("log.example/demo", 5, root).unwrap().sign(&[&key]).unwrap();
    fs::write(desk.path("demo"), note.to_bytes()).unwrap();
    for name in ["granted.tsr", "granted-cert.tsr", "token.der", "other.tsr", "sha512.tsr", "refused.tsr"] {
        fs::write(desk.path(name), token(name)).unwrap();
    }
    let stamp = |file: &str, token: &str, more: &[&str]| {
        let token = ["--token", token, "--authority", "tsa.example", "--out", "stamped"];
        desk.run(&[&["checkpoint", "timestamp", file], &token[..], more].concat())
    };
    for name in ["granted.tsr", "granted-cert.tsr", "token.der"] {
        let ran = stamp("demo", name, &[]).exits(0);
        assert!(ran.stderr.contains("that the authority signed this is not verified"), "{}", ran.stderr);
        let key = proofline::proof::Signer::verifier(&key).to_string();
        let verified =
            desk.run(&["checkpoint", "verify", "stamped", "--key", &key, "--format", "json"]).well();
        let stamps = &verified.json()[0]["timestamps"];
        assert_eq!(
            (&stamps[0]["authority"], &stamps[0]["signature"]),
            (&"tsa.example".into(), &"not_verified".into())
        );
        assert!(stamps[0]["time"].as_str().unwrap().starts_with("2026-11-25T"), "{stamps}");
        let text = desk.run(&["checkpoint", "verify", "stamped", "--key", &key]).well().stdout;
        assert!(
            text.split_whitespace().collect::<Vec<_>>().join(" ").contains("signed this is not verified"),
            "{text}"
        );
    }
    let line = stamp("demo", "granted.tsr", &["--format", "json"]).well().stdout;
    shape(&line, "authority time serial_hex policy signature file note");
    for (name, code, exit) in [
        ("other.tsr", "tsa.imprint", 9),
        ("sha512.tsr", "tsa.hash", 4),
        ("refused.tsr", "tsa.refused", 4),
        ("demo", "tsa.form", 4),
    ] {
        assert_eq!(stamp("demo", name, &["--format", "json"]).exits(exit).error().0, code, "{name}");
    }
    // A ledger keeps one. Nobody signed this token: the imprint of another is replaced, which is what is not verified.
    desk.checkpoint("log.key", "own");
    let text = Note::parse(desk.read("own").as_bytes()).unwrap().text().to_owned();
    let (old, mut der) = (Sha256Digest::of(note.text().as_bytes()), token("token.der"));
    let at = der.windows(32).position(|window| window == old.as_bytes()).unwrap();
    der[at..at + 32].copy_from_slice(Sha256Digest::of(text.as_bytes()).as_bytes());
    fs::write(desk.path("own.tsr"), der).unwrap();
    stamp("own", "own.tsr", &["--ledger", "LEDGER"]).exits(0);
    assert_eq!(desk.kept(3), desk.read("stamped"));
    desk.run(&["checkpoint", "verify", "stamped", "--ledger", "LEDGER"]).well();
    // The ledger keeps no checkpoint of this other log.
    let refused = stamp("demo", "granted.tsr", &["--ledger", "LEDGER", "--format", "json"]).exits(4);
    assert_eq!(refused.error().0, "checkpoint.not_kept");
}

#[test]
fn a_commit_signs_on_its_way_and_at_its_end() {
    let desk = Desk::with_log_key();
    let file = vectors("evidence/agent-work.jsonl");
    let big = fs::read_to_string(&file).unwrap();
    assert!(big.lines().count() < 1024, "one group");
    let ran = desk
        .commit(&["--checkpoint-key", "log.key", "--checkpoint-entries", "3", "--format", "json"])
        .exits(1);
    let lines: Vec<&str> = ran.stdout.lines().filter(|line| line.starts_with(r#"{"checkpoint""#)).collect();
    assert_eq!(lines.len(), 1, "{}", ran.stdout);
    let signed: Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(signed["checkpoint"]["size"], 9);
    assert!(desk.kept(9).starts_with("ledger.example/test\n9\n"));
    // Nothing is due on the way; the end is signed all the same.
    let file = file.to_str().unwrap();
    let more = ["--clock", CLOCK, "--checkpoint-key", "log.key", "--checkpoint-seconds", "10"];
    let ran = desk.run(&[&["commit", "LEDGER", file], &more[..]].concat()).exits(1);
    let size =
        desk.run(&["stat", "LEDGER", "--format", "json"]).well().json()[0]["entries"].as_u64().unwrap();
    assert!(ran.stdout.contains(&format!("signed: {size} entries, checkpoints/")), "{}", ran.stdout);
    fs::write(desk.path("last"), desk.kept(size)).unwrap();
    desk.run(&["checkpoint", "verify", "last", "--ledger", "LEDGER"]).well();
    let due =
        |more: &[&str]| desk.run(&[&["checkpoint", "LEDGER", "--key", "log.key"], more].concat()).exits(0);
    let none = due(&["--every-entries", "1"]);
    assert_eq!(none.stdout, "");
    assert!(none.stderr.contains("checkpoint.not_due"), "{}", none.stderr);
    assert_eq!(due(&["--every-seconds", "1", "--format", "json"]).json()[0]["due"], false);
}

#[test]
fn a_commit_that_cannot_sign_keeps_what_it_answered() {
    let desk = Desk::new();
    desk.keygen(ORIGIN, "log.key", "log");
    let ran = desk.commit(&["--checkpoint-key", "log.key", "--format", "json"]).exits(4);
    assert_eq!(ran.error().0, "checkpoint.not_current");
    assert_eq!(ran.stdout.lines().filter(|line| line.contains(r#""seq":"#)).count(), 6);
    assert_eq!(desk.run(&["stat", "LEDGER", "--format", "json"]).well().json()[0]["entries"], 7);
    // A key that cannot be read is told before anything is committed.
    let desk = Desk::new();
    assert_eq!(
        desk.commit(&["--checkpoint-key", "absent", "--format", "json"]).exits(4).error().0,
        "input.unreadable"
    );
    assert_eq!(desk.run(&["stat", "LEDGER", "--format", "json"]).well().json()[0]["entries"], 1);
    desk.commit(&["--checkpoint-entries", "3"]).exits(2);
}

#[test]
fn producers_attest_in_the_ledger_and_away_from_it() {
    let desk = Desk::with_log_key();
    desk.commit(&[]).exits(1);
    let gateway = desk.keygen("gateway.example/eu", "gateway.key", "producer");
    let attest = |more: &[&str]| desk.run(&[&["attest", "LEDGER", "--clock", CLOCK], more].concat());
    let log = desk.run(&["log", "LEDGER", "--format", "json"]).well().json();
    let hash_of = |seq: u64| {
        let line = log.iter().find(|line| line["seq"] == seq).unwrap();
        line["envelope_hash"].as_str().unwrap().to_owned()
    };
    let (accepted, refused, absent) = (hash_of(2), hash_of(4), "0".repeat(64));
    let early = attest(&[&accepted, "--key", "gateway.key", "--format", "json"]).exits(4);
    assert_eq!(early.error().0, "ledger.unknown_producer");
    desk.add("gateway.key", &["--by", "log.key"]).well();
    // The one that is not there does not stop the others.
    let ran = attest(&[&accepted, &absent, &refused, "--key", "gateway.key", "--format", "json"]).exits(4);
    assert_eq!(ran.error().0, "ledger.no_such_hash");
    let lines: Vec<&str> = ran.stdout.lines().collect();
    shape(lines[0], "envelope_hash trace_id key seq duplicate");
    assert_eq!(lines.len(), 2);
    let again = attest(&[&accepted, "--key", "gateway.key"]).well();
    assert!(again.stdout.contains("nothing was appended"), "{}", again.stdout);

    // Away from the ledger, over another spelling of the same envelope.
    let shown = desk.run(&["show", "LEDGER", "3", "--format", "json"]).well().json().remove(0);
    let spelled = serde_json::to_string_pretty(&shown["body"]).unwrap();
    fs::write(desk.path("envelope"), spelled).unwrap();
    let dsse = desk.run(&["attest", "--offline", "envelope", "--key", "gateway.key"]).well().stdout;
    fs::write(desk.path("envelope.dsse"), &dsse).unwrap();
    let line =
        desk.run(&["attest", "--offline", "envelope", "--key", "gateway.key", "--format", "json"]).well();
    shape(&line.stdout, "envelope_hash key dsse");
    assert_eq!(line.json()[0]["envelope_hash"], shown["envelope_hash"]);
    assert_eq!(line.json()[0]["dsse"], serde_json::from_str::<Value>(&dsse).unwrap());
    let kept = attest(&["--dsse", "envelope.dsse", "--format", "json"]).well().json().remove(0);
    assert_eq!(
        (&kept["envelope_hash"], &kept["key"]),
        (&shown["envelope_hash"], &gateway.short_name().into())
    );
    // A stranger's, and one whose signature was changed.
    desk.keygen("stranger.example", "stranger.key", "producer");
    let strange = desk.run(&["attest", "--offline", "envelope", "--key", "stranger.key"]).well().stdout;
    fs::write(desk.path("strange.dsse"), strange).unwrap();
    let refused = attest(&["--dsse", "strange.dsse", "--format", "json"]).exits(4);
    assert_eq!(refused.error().0, "ledger.unknown_producer");
    let sig = dsse.find(r#""sig":""#).unwrap() + 7;
    let mut forged = dsse.clone();
    forged.replace_range(sig..sig + 2, if &dsse[sig..sig + 2] == "AA" { "BB" } else { "AA" });
    fs::write(desk.path("forged.dsse"), forged).unwrap();
    assert_eq!(
        attest(&["--dsse", "forged.dsse", "--format", "json"]).exits(9).error().0,
        "ledger.producer_signature"
    );

    let trace = shown["trace_id"].as_str().unwrap();
    let drawn = desk.run(&["trace", "LEDGER", trace]).well().stdout;
    assert!(drawn.contains("signed by producers") && drawn.contains("signs #3"), "{drawn}");
    let summary = desk.run(&["trace", "LEDGER", trace, "--format", "json"]).well().json().pop().unwrap();
    let signatures = summary["summary"]["signatures"].as_array().unwrap();
    assert_eq!(signatures.len(), 3);
    let log = desk.run(&["log", "LEDGER", "--format", "json", "--limit", "1"]).well().json().remove(0);
    assert_eq!(log["artifact"]["artifact_type"], "producer_signature");
    assert_eq!(log["artifact"]["key"], gateway.short_name());
    assert!(desk.run(&["log", "LEDGER"]).well().stdout.contains("producer signature  gateway.example/eu+"));
    desk.run(&["show", "LEDGER", "8"]).well();
    desk.ledger.run("verify", &[]).well();
    desk.ledger.run("replay", &[]).well();
}
