//! Two programs that share no code judge the same files: the built `proofline`, and `verify.py` with the standard
//! library, `cryptography` and `cbor2`. Both accept every checkpoint and proof that a ledger of the shipped evidence
//! gives, and both refuse each tampered one. `.ci/interop` gives the Python; without one this skips itself and says so.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking; the helpers of tests/cli have more than is used here"
)]

mod bundles;
#[path = "../cli/proven.rs"]
mod proven;
mod reports;
#[path = "../cli/run.rs"]
mod run;
mod tamper;

use std::collections::BTreeMap;
use std::process::Command;

use proofline::proof::{Checkpoint, KeyRole, Policy, SecretKey, Signer};
use serde_json::{Value, json};

use proven::{ORIGIN, Proven, secret, verify_proof};

/// A file that both programs judge.
struct Case {
    /// The row of the table.
    group: &'static str,
    /// What was done to it; nothing to a good one.
    what: String,
    is_good: bool,
    file: String,
    keys: Vec<String>,
    envelope: Option<String>,
    old: Option<String>,
}

const CHECKPOINT: &str = "checkpoint";

impl Case {
    fn kind(&self) -> &'static str {
        self.group.split(',').next().unwrap()
    }

    fn for_python(&self, log_key: &str) -> Value {
        let mut case = json!({"name": self.what, "kind": self.kind(), "file": self.file, "keys": self.keys, "old_keys": [log_key]});
        for (name, path) in [("envelope", &self.envelope), ("old", &self.old)] {
            if let Some(path) = path {
                case[name] = json!(path);
            }
        }
        case
    }

    /// Whether the program accepts it. A checkpoint alone is judged by a policy, which the program's verbs share.
    fn is_accepted(&self, log_key: &str) -> bool {
        if self.kind() == CHECKPOINT {
            return policy(&self.keys).verify(&std::fs::read(&self.file).unwrap()).is_ok();
        }
        let mut arguments = vec![self.file.as_str()];
        for key in self
            .keys
            .iter()
            .map(String::as_str)
            .chain((self.old.is_some() && self.keys[0] != log_key).then_some(log_key))
        {
            arguments.extend(["--key", key]);
        }
        for (name, path) in [("--envelope", &self.envelope), ("--old", &self.old)] {
            if let Some(path) = path {
                arguments.extend([name, path]);
            }
        }
        let ran = verify_proof(&arguments);
        assert!([0, 4, 9].contains(&ran.code), "{}: {} {}", self.what, ran.code, ran.stderr);
        ran.code == 0
    }
}

/// The first key is the log's; every other is of a witness that must have cosigned.
fn policy(keys: &[String]) -> Policy {
    let mut rules = format!("log {}\n", keys[0]);
    let names: Vec<String> = (1..keys.len()).map(|at| format!("w{at}")).collect();
    for (name, key) in names.iter().zip(&keys[1..]) {
        rules += &format!("witness {name} {key}\n");
    }
    rules += &match names.len() {
        0 => "quorum none\n".to_owned(),
        _ => format!("group everyone all {}\nquorum everyone\n", names.join(" ")),
    };
    Policy::parse(rules.as_bytes()).unwrap()
}

struct World {
    proven: Proven,
    witnesses: [SecretKey; 2],
    latest: u64,
    cases: Vec<Case>,
}

impl World {
    fn new() -> Self {
        let (proven, [_, latest]) = Proven::new();
        let witnesses = [
            secret("witness.example/w1", KeyRole::Witness, 21),
            secret("witness.example/w2", KeyRole::WitnessMlDsa44, 22),
        ];
        World { proven, witnesses, latest: latest.size, cases: Vec::new() }
    }

    fn public(&self, form: &str) -> String {
        self.proven.public(form)
    }

    fn add(
        &mut self,
        group: &'static str,
        what: &str,
        is_good: bool,
        file: String,
        more: [Option<String>; 2],
    ) {
        let [envelope, old] = more;
        let form = match group.split(',').next().unwrap() {
            "tlog" => "tlog-proof",
            other => other,
        };
        let keys = vec![self.public(form)];
        self.cases.push(Case { group, what: what.to_owned(), is_good, file, keys, envelope, old });
    }

    /// A checkpoint of the log at any size, as somebody may have kept it.
    fn signed_at(&self, size: u64) -> String {
        let root = self.proven.snapshot().tree().root(size).unwrap();
        let note = Checkpoint::new(ORIGIN, size, root).unwrap().sign(&[&self.proven.log]).unwrap();
        self.proven.file(&format!("{size}.checkpoint"), note.to_bytes())
    }

    fn checkpoints(&mut self) {
        let log = self.public("tlog-proof");
        let own = policy(std::slice::from_ref(&log));
        let mut notes = vec![(vec![log.clone()], std::fs::read(self.proven.kept(self.latest)).unwrap())];
        for witness in &self.witnesses {
            let (mut keys, note) = notes.last().unwrap().clone();
            keys.push(witness.verifier().to_string());
            notes.push((keys, own.verify(&note).unwrap().cosign(witness, 1_769_817_600).unwrap().to_bytes()));
        }
        for size in [2, 4, 255, 256, 257] {
            notes.push((vec![log.clone()], std::fs::read(self.signed_at(size)).unwrap()));
        }
        let stranger = secret(ORIGIN, KeyRole::Log, 98);
        let text =
            Checkpoint::parse_text(proofline::proof::Note::parse(&notes[0].1).unwrap().text()).unwrap();
        let forged = text.sign(&[&stranger]).unwrap().to_bytes();
        let tampered = tamper::checkpoints(std::str::from_utf8(&notes[1].1).unwrap(), forged);
        let cosigned_keys = notes[1].0.clone();
        let whole = notes.into_iter().map(|(keys, note)| ("whole", true, keys, note));
        let tampered = tampered.into_iter().map(|(what, note)| (what, false, cosigned_keys.clone(), note));
        for (at, (what, is_good, keys, note)) in whole.chain(tampered).enumerate() {
            let file = self.proven.file(&format!("checkpoint-{at}"), note);
            let (what, envelope, old) = (what.to_owned(), None, None);
            self.cases.push(Case { group: CHECKPOINT, what, is_good, file, keys, envelope, old });
        }
    }

    fn inclusions(&mut self, group: &'static str, form: &str) {
        let last = self.latest - 1;
        // The first kept checkpoint has five entries, the last of which is an index entry.
        let mut wanted = vec![(0, None), (1, None), (17, None), (200, None), (last, None), (3, Some(5))];
        if form != "tlog-proof" {
            wanted.extend([(3, Some(4)), (4, Some(5)), (0, Some(256)), (256, Some(257)), (255, Some(257))]);
        }
        for (seq, at) in wanted {
            let (seq_text, at) = (seq.to_string(), at.map(|at: u64| at.to_string()));
            let mut more = vec![seq_text.as_str()];
            more.extend(at.iter().flat_map(|at| ["--at", at.as_str()]));
            let file = self.proven.proof(form, &more);
            let envelope = self.proven.envelope(seq);
            self.add(group, "whole", true, file, [Some(envelope), None]);
        }
        let good = std::fs::read(self.proven.proof(form, &["17"])).unwrap();
        let neighbour = std::fs::read(self.proven.proof(form, &["16"])).unwrap();
        let tampered = match form {
            "tlog-proof" => {
                let older = std::fs::read(self.signed_at(100)).unwrap();
                tamper::text_inclusion(std::str::from_utf8(&good).unwrap(), &neighbour, &older)
            }
            "cose" => tamper::receipt(&good, true),
            _ => tamper::statement(&good, &self.proven.dsse, true),
        };
        let envelope = self.proven.envelope(17);
        for (at, (what, bytes)) in tampered.into_iter().enumerate() {
            let file = self.proven.file(&format!("{form}-inclusion-{at}"), bytes);
            self.add(group, what, false, file, [Some(envelope.clone()), None]);
        }
        let (file, other) = (self.proven.file(&format!("{form}-17"), &good), self.proven.envelope(18));
        self.add(group, "another envelope beside it", false, file, [Some(other), None]);
    }

    fn consistencies(&mut self, group: &'static str, form: &str) {
        for old in [2, 4, 17, 64, 100, 255, 256, 257] {
            let old = self.signed_at(old);
            let file = self.proven.proof(form, &["--consistency", &old]);
            self.add(group, "whole", true, file, [None, Some(old)]);
        }
        let old = self.signed_at(100);
        let good = std::fs::read(self.proven.proof(form, &["--consistency", &old])).unwrap();
        let tampered = match form {
            "tlog-proof" => {
                let other = std::fs::read(self.signed_at(257)).unwrap();
                tamper::text_consistency(std::str::from_utf8(&good).unwrap(), &other)
            }
            "cose" => tamper::receipt(&good, false),
            _ => tamper::statement(&good, &self.proven.dsse, false),
        };
        for (at, (what, bytes)) in tampered.into_iter().enumerate() {
            let file = self.proven.file(&format!("{form}-consistency-{at}"), bytes);
            self.add(group, what, false, file, [None, Some(old.clone())]);
        }
        let (file, other) = (self.proven.file(&format!("{form}-100"), &good), self.signed_at(99));
        self.add(group, "another older tree", false, file, [None, Some(other)]);
    }
}

/// What `verify.py` says of each: accepted, refused, or not judged.
fn judged_by_python(python: &str, world: &World) -> Vec<(Option<bool>, String)> {
    let log_key = world.public("tlog-proof");
    let cases: Vec<Value> = world.cases.iter().map(|case| case.for_python(&log_key)).collect();
    let file = world.proven.file("cases.json", serde_json::to_vec(&cases).unwrap());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/interop/verify.py");
    let output = Command::new(python).args(["-B", script, &file]).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let lines = run::json_lines(std::str::from_utf8(&output.stdout).unwrap());
    assert_eq!(lines.len(), cases.len());
    lines.iter().map(|line| (line["accepted"].as_bool(), line["why"].as_str().unwrap().to_owned())).collect()
}

#[derive(Default)]
struct Row {
    accepted: [usize; 2],
    refused: [usize; 2],
    skipped: usize,
}

#[test]
fn two_programs_agree_on_whole_and_tampered_files() {
    let Ok(python) = std::env::var("PROOFLINE_INTEROP_PYTHON") else {
        println!(
            "SKIPPED: PROOFLINE_INTEROP_PYTHON names no Python with cryptography and cbor2; .ci/interop does"
        );
        return;
    };
    let mut world = World::new();
    world.checkpoints();
    for (inclusion, consistency, form) in [
        ("tlog, inclusion", "tlog, consistency", "tlog-proof"),
        ("cose, inclusion", "cose, consistency", "cose"),
        ("dsse, inclusion", "dsse, consistency", "dsse"),
    ] {
        world.inclusions(inclusion, form);
        world.consistencies(consistency, form);
    }
    let theirs = judged_by_python(&python, &world);
    let log_key = world.public("tlog-proof");
    let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
    for (case, (python, why)) in world.cases.iter().zip(&theirs) {
        let row = rows.entry(case.group).or_default();
        let ours = case.is_accepted(&log_key);
        assert_eq!(ours, case.is_good, "proofline: {}, {}", case.group, case.what);
        row.accepted[0] += usize::from(ours);
        row.refused[0] += usize::from(!ours);
        match python {
            Some(python) => {
                assert_eq!(*python, case.is_good, "verify.py: {}, {}: {why}", case.group, case.what);
                row.accepted[1] += usize::from(*python);
                row.refused[1] += usize::from(!*python);
            }
            None => row.skipped += 1,
        }
    }
    println!("{:<20} {:>18} {:>18} {:>12}", "", "whole: accepted by", "tampered: refused", "not judged");
    println!(
        "{:<20} {:>9} {:>8} {:>9} {:>8} {:>12}",
        "", "proofline", "Python", "proofline", "Python", "by Python"
    );
    for (group, row) in &rows {
        let ([a, b], [c, d]) = (row.accepted, row.refused);
        println!("{group:<20} {a:>9} {b:>8} {c:>9} {d:>8} {:>12}", row.skipped);
        assert!(c >= 10 && d >= 10 && b >= 5, "{group}: too few files to mean anything");
    }
    for (case, (_, why)) in world.cases.iter().zip(&theirs).filter(|(_, (python, _))| python.is_none()) {
        println!("{}, not judged by Python: {why}", case.group);
    }
}
