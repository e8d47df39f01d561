//! A case file's whole life as a person meets it: made, handed on with less in it, checked without the ledger, drawn,
//! unpacked, and refused when anything of it is another.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::hostile::assert_harmless;
use crate::proven::Proven;
use crate::run::{Ran, program, proofline, ran, vectors};

/// The trace of the shipped evidence that a refused attempt belongs to.
const TRACE: &str = "05c735f607912af6d7ea2ad093c09037";
const ABSENT: &str = "00000000000000000000000000000001";

fn bundle(arguments: &[&str]) -> Ran {
    ran(program().current_dir("/").arg("bundle").args(arguments))
}

struct Case {
    proven: Proven,
    file: String,
    key: String,
    size: u64,
}

impl Case {
    fn new() -> Self {
        let (proven, [_, latest]) = Proven::new();
        let file = proven.path("case.bundle");
        let key = proven.public("tlog-proof");
        let case = Self { proven, file, key, size: latest.size };
        case.create(&["--trace", TRACE, "--trace", ABSENT, &case.file]).exits(0);
        case
    }

    fn create(&self, more: &[&str]) -> Ran {
        let dir = self.proven.ledger.dir.to_str().unwrap().to_owned();
        bundle(&[&["create", &dir], more].concat())
    }

    fn verify(&self, file: &str) -> Ran {
        bundle(&["verify", file, "--key", &self.key, "--format", "json"])
    }

    /// The bundle with a change, in a file of its own.
    fn changed(&self, change: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut bytes = fs::read(&self.file).unwrap();
        change(&mut bytes);
        self.proven.file("changed.bundle", bytes)
    }
}

#[test]
fn a_stranger_is_told_what_holds() {
    let case = Case::new();
    let said = case.verify(&case.file).well().json().remove(0);
    let holds = json!("holds");
    assert_eq!([&said["integrity"], &said["completeness"], &said["authenticity"]], [&holds; 3]);
    assert_eq!(said["faults"], json!([]));
    assert_eq!(said["size"], case.size);
    assert_eq!(said["cover"][0], case.size - 1);
    // Counted in the shipped file: ten records of the trace, and one attempt that the gate refused.
    let traces = json!([{"trace_id": ABSENT, "entries": 0}, {"trace_id": TRACE, "entries": 11}]);
    assert_eq!(said["traces"], traces);
    assert_eq!((&said["accepted"], &said["rejected"]), (&json!(10), &json!(1)));
    let text = bundle(&["verify", &case.file, "--key", &case.key]).well().stdout;
    assert!(text.contains("the bundle holds\n") && text.contains("signed by ledger.example/test"), "{text}");
    let unasked = bundle(&["verify", &case.file]).well().stdout;
    assert!(unasked.contains("nobody was asked who signed it"), "{unasked}");
    let policy = case.proven.file("trust.policy", format!("log {}\nquorum none\n", case.key));
    let said =
        bundle(&["verify", &case.file, "--policy", &policy, "--format", "json"]).well().json().remove(0);
    assert_eq!(said["authenticity"], "holds");
}

#[test]
fn what_is_wrong_gives_the_exit_code_of_its_claim() {
    let case = Case::new();
    let stranger = crate::proven::secret("ledger.example/test", proofline::proof::KeyRole::Log, 9);
    let key = proofline::proof::Signer::verifier(&stranger).to_string();
    let said = bundle(&["verify", &case.file, "--key", &key, "--format", "json"]).exits(9).json().remove(0);
    assert_eq!(said["faults"][0]["code"], "checkpoint.no_log");
    assert_eq!(said["completeness"], "holds");
    let find = |bytes: &[u8], text: &str| crate::run::find(bytes, text);
    let body = case.changed(|bytes| {
        let at = find(bytes, "\"record_type\":\"auth_context\"");
        bytes[at + 15] = b'b';
    });
    assert_eq!(case.verify(&body).exits(3).json()[0]["faults"][0]["code"], "bundle.body_hash");
    let claim = case.changed(|bytes| {
        let at = find(bytes, "\"entries\":11");
        bytes[at + 11] = b'2';
    });
    let said = case.verify(&claim).exits(8).json().remove(0);
    assert_eq!(said["faults"][0]["code"], "bundle.trace_stated");
    assert_eq!((&said["integrity"], &said["completeness"]), (&json!("holds"), &json!("fails")));
    let newer = case.changed(|bytes| {
        let at = find(bytes, "\"version\":\"1\",\"withheld\"");
        bytes[at + 11] = b'2';
    });
    assert_eq!(case.verify(&newer).exits(4).json()[0]["faults"][0]["code"], "bundle.newer");
    let none = case.proven.file("none.bundle", "no bundle at all");
    assert_eq!(case.verify(&none).exits(4).json()[0]["faults"][0]["code"], "bundle.not_a_bundle");
    let cut = case.changed(|bytes| bytes.truncate(bytes.len() - 1));
    assert_eq!(case.verify(&cut).exits(3).json()[0]["faults"][0]["code"], "bundle.truncated");
    for file in [&body, &claim, &cut] {
        let shown = bundle(&["show", file]);
        assert!(shown.code != 0 && !shown.stdout.contains("services/nightly-report"), "{shown:?}");
        let out = case.proven.path("never");
        let refused = bundle(&["extract", file, &out, "--format", "json"]);
        assert!(refused.code != 0 && !Path::new(&out).exists(), "{refused:?}");
        let copied = bundle(&["withhold", file, &out, "--body", "5", "--format", "json"]);
        assert!(copied.code != 0 && !Path::new(&out).exists(), "{copied:?}");
    }
    assert_eq!(bundle(&["verify", "/nowhere", "--format", "json"]).exits(4).error().0, "input.unreadable");
    assert_eq!(bundle(&["verify", "/", "--format", "json"]).exits(4).error().0, "input.unreadable");
}

#[test]
fn a_bundle_is_written_whole_and_over_nothing() {
    let case = Case::new();
    let before = fs::read(&case.file).unwrap();
    let again = case.create(&["--trace", TRACE, "--trace", ABSENT, &case.file, "--format", "json"]);
    let said = again.exits(0).json().remove(0);
    assert_eq!((&said["is_new"], &said["absent"]), (&json!(false), &json!([ABSENT])));
    let refused = case.create(&["--trace", TRACE, &case.file, "--format", "json"]).exits(4);
    assert_eq!(refused.error().0, "bundle.exists");
    assert!(fs::read(&case.file).unwrap() == before);
    let out = case.proven.path("other.bundle");
    let nobody = "0".repeat(63) + "1";
    for (more, code, exit) in [
        (&["--trace", TRACE, "--blobs", &nobody][..], "bundle.unknown_payload", 4),
        (&["--trace", TRACE, "--at", "7"], "bundle.not_kept", 4),
        (&["--trace", "0000000"], "ledger.no_such_trace", 4),
    ] {
        let refused = case.create(&[&[out.as_str()], more, &["--format", "json"]].concat()).exits(exit);
        assert_eq!(refused.error().0, code);
        assert!(!Path::new(&out).exists());
    }
    case.create(&[&out]).exits(2);
    case.create(&[&out, "--trace", TRACE, "--blobs", "some"]).exits(2);
    let list = case.proven.file("ids.txt", format!("{TRACE}\n\n{ABSENT}\n"));
    case.create(&[&out, "--traces-file", &list]).exits(0);
    assert!(fs::read(&out).unwrap() == before, "the same selection");
    let bad = case.proven.file("bad.txt", format!("{TRACE}\n05c7\n"));
    let refused = case.create(&[&case.proven.path("x"), "--traces-file", &bad, "--format", "json"]).exits(4);
    assert_eq!(refused.error().0, "bundle.trace_line");
    let beside = Path::new(&case.file).parent().unwrap();
    let left = fs::read_dir(beside).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    assert!(left.into_iter().all(|name| !name.starts_with(".proofline")), "nothing unfinished is left");
}

#[test]
fn what_is_unpacked_is_replayed() {
    let case = Case::new();
    case.proven.ledger.commit(
        &vectors("evidence/agent-work.jsonl"),
        &["--blobs", vectors("evidence/payloads.jsonl").to_str().unwrap()],
    );
    let file = case.proven.path("full.bundle");
    case.create(&["--trace", TRACE, "--blobs", "all", &file]).exits(0);
    let out = case.proven.path("unpacked");
    fs::create_dir(&out).unwrap();
    let said =
        bundle(&["extract", &file, &out, "--key", &case.key, "--format", "json"]).well().json().remove(0);
    assert_eq!((&said["evidence"], &said["withheld"]), (&json!(11), &json!(0)));
    assert!(said["blobs"].as_u64().unwrap() > 0);
    let replayed = proofline(["replay", &format!("{out}/evidence.jsonl"), "--format", "json"]);
    assert!(replayed.stdout.contains(TRACE), "{replayed:?}");
    // The same records as of the ledger, byte for byte.
    let lines = fs::read_to_string(format!("{out}/entries.jsonl")).unwrap();
    for line in lines.lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let seq = proofline::ledger::Seq::new(entry["seq"].as_u64().unwrap());
        let kept = case.proven.snapshot().entry(seq).unwrap().unwrap();
        assert!(line.contains(std::str::from_utf8(&kept.body).unwrap()));
        assert_eq!(entry["leaf"], kept.leaf_hash().to_string());
    }
    let mut blobs = 0;
    for folder in fs::read_dir(format!("{out}/blobs")).unwrap() {
        for blob in fs::read_dir(folder.unwrap().path()).unwrap() {
            let path = blob.unwrap().path();
            let digest = proofline::canon::Sha256Digest::of(&fs::read(&path).unwrap()).to_string();
            assert!(path.ends_with(format!("{}/{}", &digest[..2], &digest[2..])));
            blobs += 1;
        }
    }
    assert_eq!(said["blobs"], blobs);
    let again = bundle(&["extract", &file, &out, "--format", "json"]).exits(4);
    assert_eq!(again.error().0, "bundle.not_empty");
}

#[test]
fn a_bundle_is_drawn_and_thinned() {
    let case = Case::new();
    let shown = bundle(&["show", &case.file, "--key", &case.key, "--ascii"]).well().stdout;
    assert_harmless(&shown);
    assert!(
        shown.contains("services/nightly-report") && shown.contains("refused: UNAUTHORIZED_EXECUTION"),
        "{shown}"
    );
    let seqs = case.proven.ledger.run("trace", &[TRACE, "--format", "json"]).json();
    let first = seqs[0]["records"][0]["seq"].as_u64().unwrap();
    let thin = case.proven.path("thin.bundle");
    let body = first.to_string();
    let said =
        bundle(&["withhold", &case.file, &thin, "--body", &body, "--format", "json"]).well().json().remove(0);
    assert_eq!(said["withheld"], json!([first]));
    let said = case.verify(&thin).well().json().remove(0);
    assert_eq!((&said["withheld"], &said["completeness"]), (&json!([first]), &json!("holds")));
    let text = bundle(&["show", &thin]).well().stdout;
    assert!(text.contains(&format!("bodies withheld\n  #{first}\n")), "{text}");
    assert!(!text.contains("services/nightly-report"), "the context was the first body");
    let none =
        bundle(&["withhold", &thin, &case.proven.path("x"), "--body", &body, "--format", "json"]).exits(4);
    assert_eq!(none.error().0, "bundle.not_there");
    let never =
        bundle(&["withhold", &thin, &case.proven.path("x"), "--body", "0", "--format", "json"]).exits(3);
    assert_eq!(never.error().0, "bundle.withheld");
}

#[test]
fn hostile_words_in_a_bundle_are_shown_and_not_obeyed() {
    let (proven, _) = Proven::new();
    proven.ledger.commit(&vectors("evidence/trouble/hostile-text.jsonl"), &[]);
    proven.checkpoint();
    let text = fs::read_to_string(vectors("evidence/trouble/hostile-text.jsonl")).unwrap();
    let first: Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let envelope = first.get("envelope").unwrap_or(&first);
    let id = envelope["trace"]["trace_id"].as_str().unwrap();
    let file = proven.path("hostile.bundle");
    bundle(&["create", proven.ledger.dir.to_str().unwrap(), "--trace", id, &file]).well();
    for format in ["text", "json"] {
        let shown = bundle(&["show", &file, "--format", format]).well();
        assert_harmless(&shown.stdout);
        assert!(shown.stdout.contains(id));
    }
}
