//! Erasures and legal holds as an operator meets them: the whole story once, the shapes of what programs read, and
//! what is refused and why.

use std::fs;

use proofline::canon::{Limits, Sha256Digest};
use proofline::ledger::{Action, EvidenceLine, Ledger as Writer, Options};
use serde_json::Value;

use crate::run::{AGENT_WORK, CLOCK, Ledger, PAYLOADS, Ran, member_names, program, ran, vectors};

/// The line of the payloads that ship which most tests are about.
const FIRST_PAYLOAD: usize = 0;

/// A ledger with evidence and its payloads.
struct Archive {
    ledger: Ledger,
}

impl Archive {
    fn new() -> Self {
        let ledger = Ledger::empty();
        ledger.commit(&vectors(AGENT_WORK), &["--blobs", vectors(PAYLOADS).to_str().unwrap()]).exits(1);
        Archive { ledger }
    }

    /// One of many small segments.
    fn of_small_segments() -> Self {
        let ledger = Ledger::empty();
        let options = Options { segment_bytes: 16 << 10, ..Options::default() };
        let writer = Writer::open(&ledger.dir, options).unwrap();
        for line in fs::read_to_string(vectors(AGENT_WORK)).unwrap().lines().take(160) {
            let line = EvidenceLine::read(line.as_bytes(), &Limits::ENVELOPE).unwrap();
            writer.commit_action(&Action::Evidence(line.submission()), 1_769_817_600_000).unwrap();
        }
        Archive { ledger }
    }

    /// A payload that the ledger keeps and its name, by hashing the line.
    fn payload(number: usize) -> (String, String) {
        let text = fs::read_to_string(vectors(PAYLOADS)).unwrap();
        let line = text.lines().nth(number).unwrap().to_owned();
        (Sha256Digest::of(line.as_bytes()).to_string(), line)
    }

    /// The records of the evidence that name a payload, by reading the file: trace and member, each.
    fn naming(name: &str) -> Vec<(String, String)> {
        let text = fs::read_to_string(vectors(AGENT_WORK)).unwrap();
        let mut naming = Vec::new();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let envelope = line.get("envelope").unwrap_or(&line);
            for member in ["request", "response"] {
                if envelope[member]["sha256"] == name {
                    let trace = envelope["trace"]["trace_id"].as_str().unwrap().to_owned();
                    naming.push((trace, member.to_owned()));
                }
            }
        }
        naming
    }

    fn lies(&self, name: &str) -> bool {
        self.ledger.dir.join("blobs").join(&name[..2]).join(&name[2..]).exists()
    }

    /// Runs a verb that appends, at the fixed time.
    fn at_clock(&self, verb: &str, more: &[&str]) -> Ran {
        self.ledger.run(verb, &[&["--clock", CLOCK], more].concat())
    }

    fn erase(&self, name: &str, more: &[&str]) -> Ran {
        self.at_clock("erase", &[&["--blob", name, "--reason", "request 81"], more].concat())
    }

    /// Commits a decision in a trace of its own and gives its envelope hash.
    fn decide(&self, result: &str, action: &str, resource: &str) -> String {
        let context = self.commit_line(&context());
        let says = format!(
            r#""policy":{{"policy_id":"privacy","policy_version":"v1","policy_sha256":"{}"}},"request":{{"action":"{action}","resource":"{resource}"}},"decision":{{"result":"{result}","reason_codes":{{"asked":true}},"obligations":{{}}}}"#,
            "9".repeat(64)
        );
        self.commit_line(&format!(
            r#"{BEGIN}"policy_decision","ts_ms":1100,{},"producer":{{"layer":"cpo","component":"kernel"}},"auth_context_envelope_sha256":"{context}",{says}}}"#,
            span(2)
        ))
    }

    /// Commits a call in that trace under a decision of it.
    fn call(&self, decision: &str, request: &str, response: &str) {
        let context = self.commit_line(&context());
        let blob = |name: &str| {
            format!(
                r#"{{"content_type":"application/vnd.proofline.sealed","sha256":"{name}","size_bytes":10}}"#
            )
        };
        self.commit_line(&format!(
            r#"{BEGIN}"tool_call","started_at_ms":1200,"ended_at_ms":1210,{},"producer":{{"layer":"adapter","component":"tickets"}},"auth_context_envelope_sha256":"{context}","policy_decision_envelope_sha256":"{decision}","tool":{{"adapter_id":"tickets","tool_name":"read"}},"request":{},"response":{},"outcome":{{"status":"ok"}}}}"#,
            span(3),
            blob(request),
            blob(response)
        ));
    }

    fn commit_line(&self, line: &str) -> String {
        let file = self.ledger.dir.with_file_name("line.json");
        fs::write(&file, line).unwrap();
        let committed = self.ledger.commit(&file, &["--format", "json"]).exits(0).json().remove(0);
        committed["envelope_hash"].as_str().unwrap().to_owned()
    }

    fn entries(&self) -> u64 {
        self.ledger.run("stat", &["--format", "json"]).exits(0).json()[0]["entries"].as_u64().unwrap()
    }
}

/// The trace of what is written here.
const TRACE: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

const BEGIN: &str = r#"{"spec_version":"1.0.0","canon_version":"1","record_type":"#;

/// The context of a span of the trace, a child of the one before.
fn span(id: u8) -> String {
    let (kind, parent) = match id {
        1 => ("root", String::new()),
        _ => ("child", format!(r#","parent_span_id":"{:016x}""#, id - 1)),
    };
    format!(r#""trace":{{"trace_id":"{TRACE}","span_id":"{id:016x}","span_kind":"{kind}"{parent}}}"#)
}

fn context() -> String {
    format!(
        r#"{BEGIN}"auth_context","ts_ms":1000,{},"producer":{{"layer":"cpo","component":"gateway"}},"actor":{{"actor_kind":"user","actor_id":"staff/dpo"}},"credential":{{"credential_kind":"oidc","issuer":"https://id.example","presented_hash_sha256":"{}","verified_at_ms":900,"expires_at_ms":9000}},"grants":{{"erase":true}}}}"#,
        span(1),
        "7".repeat(64)
    )
}

#[test]
fn a_payload_is_held_released_erased_and_kept_out() {
    let archive = Archive::new();
    let (name, line) = Archive::payload(FIRST_PAYLOAD);
    let resource = format!("blob/{name}");
    let naming = Archive::naming(&name);
    let trace = &naming[0].0;
    let authority = archive.decide("allow", "erase", &resource);
    let with = ["--authority", &authority];

    let held = archive
        .at_clock(
            "hold",
            &["--trace", trace, "--reason", "a suit", "--matter", "2026-17", "--format", "json"],
        )
        .well();
    assert_eq!(member_names(&held.stdout), ["event", "hold", "target", "seq", "duplicate"]);
    let held = held.json().remove(0);
    let hold = held["hold"].as_str().unwrap();
    assert_eq!((&held["event"], &held["target"]), (&"held".into(), &format!("trace/{trace}").into()));
    assert_eq!(held["duplicate"], false);

    let dry =
        archive.ledger.run("erase", &["--blob", &name, "--dry-run", "--format", "json"]).exits(1).json();
    assert_eq!(
        (&dry[0]["event"], &dry[0]["refusal"]["code"]),
        (&"would_refuse".into(), &"erasure.held".into())
    );
    let (code, _, hint) = archive.erase(&name, &[&with[..], &["--format", "json"]].concat()).exits(4).error();
    assert_eq!(code, "erasure.held");
    assert!(hint.unwrap().contains("proofline holds"));
    assert!(archive.lies(&name), "what is held stays");

    let release_by = archive.decide("allow", "release", &format!("hold/{hold}"));
    let released = archive
        .at_clock("release", &[hold, "--reason", "settled", "--authority", &release_by, "--format", "json"])
        .well();
    assert_eq!(member_names(&released.stdout), ["event", "hold", "seq", "envelope_hash", "duplicate"]);
    let holds = archive.ledger.run("holds", &["--format", "json"]).well();
    assert_eq!(
        member_names(&holds.stdout),
        ["hold", "seq", "target", "reason", "matter", "in_force", "released_seq", "released_reason"]
    );
    let holds = holds.json().remove(0);
    assert_eq!((&holds["in_force"], &holds["matter"]), (&false.into(), &"2026-17".into()));
    assert_eq!((&holds["reason"], &holds["released_reason"]), (&"a suit".into(), &"settled".into()));
    assert_eq!(holds["released_seq"], released.json()[0]["seq"]);
    assert_eq!(archive.ledger.run("holds", &["--in-force"]).well().stdout, "Nothing is held.\n");

    let before = archive.entries();
    let dry = archive.erase(&name, &[&with[..], &["--dry-run", "--format", "json"]].concat()).well();
    let members = [
        "event",
        "target",
        "seq",
        "envelope_hash",
        "duplicate",
        "was_there",
        "refusal",
        "referring",
        "unreadable_entries",
    ];
    assert_eq!(member_names(&dry.stdout), members);
    assert_eq!((&dry.json()[0]["event"], &dry.json()[0]["seq"]), (&"would_erase".into(), &Value::Null));
    assert!(archive.lies(&name) && archive.entries() == before, "a dry run does nothing");

    let erased = archive.erase(&name, &[&with[..], &["--format", "json"]].concat()).well();
    assert_eq!(member_names(&erased.stdout), members);
    let erased = erased.json().remove(0);
    assert_eq!((&erased["event"], &erased["target"]), (&"erased".into(), &resource.as_str().into()));
    assert_eq!((&erased["seq"], &erased["was_there"]), (&before.into(), &true.into()));
    let told: Vec<(String, String)> = erased["referring"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["trace_id"].as_str().unwrap().to_owned(), it["member"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(told, naming);
    assert!(!archive.lies(&name));
    // Once more is the same entry.
    let again = archive.erase(&name, &[&with[..], &["--format", "json"]].concat()).well().json().remove(0);
    assert_eq!((&again["duplicate"], &again["seq"]), (&true.into(), &erased["seq"]));
    assert_eq!(archive.entries(), before + 1);

    let verified = archive.ledger.run("verify", &["--format", "json"]).well().json().remove(0);
    assert_eq!((&verified["verdict"], &verified["erasure"]["answer"]), (&"sound".into(), &"erased".into()));
    kept_out(&archive, &name, &line);
    replay_tells(&archive, &name, trace, &format!("erased by entry {}", erased["seq"]));
    // Somebody puts the bytes back by hand.
    fs::write(archive.ledger.dir.join("blobs").join(&name[..2]).join(&name[2..]), line).unwrap();
    let verified = archive.ledger.run("verify", &["--format", "json"]).exits(10).json().remove(0);
    assert_eq!(
        (&verified["verdict"], &verified["erasure"]["answer"]),
        (&"not_erased".into(), &"not_erased".into())
    );
}

/// The payload does not come in again.
fn kept_out(archive: &Archive, name: &str, line: &str) {
    let file = archive.ledger.dir.with_file_name("payload.jsonl");
    fs::write(&file, line).unwrap();
    let evidence = vectors(AGENT_WORK);
    let again =
        archive.ledger.commit(&evidence, &["--blobs", file.to_str().unwrap(), "--format", "json"]).exits(4);
    assert_eq!(again.error().0, "blob.erased");
    assert!(!archive.lies(name));
}

/// Every trace that names the payload says that it was erased, and none says that it is not at hand.
fn replay_tells(archive: &Archive, name: &str, trace: &str, says: &str) {
    let lines = archive.ledger.run("replay", &["--trace", trace, "--format", "json"]).exits(0).json();
    let findings = lines[0]["findings"]["findings"].as_array().or_else(|| lines[0]["findings"].as_array());
    let findings = findings.unwrap_or_else(|| panic!("{}", lines[0]));
    let told: Vec<&Value> = findings.iter().filter(|finding| finding["code"] == "BLOB_ERASED").collect();
    assert_eq!(told.len(), 1, "{findings:?}");
    let message = told[0]["message"].as_str().unwrap();
    assert!(message.contains(name) && message.contains(says), "{message}");
    assert_eq!(told[0]["severity"], "info");
}

#[test]
fn a_decision_allows_one_thing_and_nothing_else() {
    let archive = Archive::new();
    let (name, _) = Archive::payload(FIRST_PAYLOAD);
    let (other, _) = Archive::payload(1);
    let resource = format!("blob/{name}");
    let denies = archive.decide("deny", "erase", &resource);
    let other_blob = archive.decide("allow", "erase", &format!("blob/{other}"));
    let other_action = archive.decide("allow", "read", &resource);
    let unknown = "0".repeat(64);
    let cases = [
        (&denies, "erasure.denied"),
        (&other_blob, "erasure.resource"),
        (&other_action, "erasure.action"),
        (&unknown, "erasure.authority"),
    ];
    let before = archive.entries();
    for (authority, wanted) in cases {
        let with = ["--authority", authority, "--format", "json"];
        let (code, _, hint) = archive.erase(&name, &with).exits(4).error();
        assert_eq!(code, wanted);
        assert!(hint.is_some());
        let dry = archive.erase(&name, &[&with[..], &["--dry-run"]].concat()).exits(1).json().remove(0);
        assert_eq!((&dry["event"], &dry["refusal"]["code"]), (&"would_refuse".into(), &wanted.into()));
    }
    let hold = ["--blob", &name, "--reason", "a suit", "--format", "json"];
    let held = archive.at_clock("hold", &hold).well().json().remove(0);
    let hold = held["hold"].as_str().unwrap();
    let release = |hold: &str, authority: &str| {
        let with = [hold, "--reason", "settled", "--authority", authority, "--format", "json"];
        archive.at_clock("release", &with).exits(4).error().0
    };
    assert_eq!(release(hold, &other_action), "erasure.action");
    assert_eq!(release(hold, &unknown), "erasure.authority");
    assert_eq!(release(&"0".repeat(64), &unknown), "hold.unknown");
    assert_eq!(release("1", &unknown), "hold.unknown");
    assert!(archive.lies(&name) && archive.entries() == before + 1);
}

#[test]
fn the_command_line_is_checked_before_anything_is_done() {
    let archive = Archive::new();
    let (name, _) = Archive::payload(FIRST_PAYLOAD);
    let authority = archive.decide("allow", "erase", &format!("blob/{name}"));
    let before = archive.entries();
    let upper = name.to_uppercase();
    for arguments in [
        &["--blob", &name][..],
        &["--blob", &name, "--reason", "x"],
        &["--blob", &name, "--authority", &authority],
        &["--blob", &name, "--reason", "", "--authority", &authority],
        &["--blob", &name[1..], "--reason", "x", "--authority", &authority],
        &["--blob", &upper, "--reason", "x", "--authority", &authority],
        &["--blob", &name, "--reason", "x", "--authority", &authority[1..]],
        &["--reason", "x", "--authority", &authority],
    ] {
        archive.ledger.run("erase", arguments).exits(2);
    }
    for arguments in [
        &["--reason", "x"][..],
        &["--blob", &name, "--reason", ""],
        &["--blob", &name],
        &["--blob", &name[1..], "--reason", "x"],
        &["--blob", &name, "--trace", "5a", "--reason", "x"],
        &["--trace", "5a", "--reason", "x"],
        &["--blob", &name, "--reason", "x", "--matter", ""],
    ] {
        archive.ledger.run("hold", arguments).exits(2);
    }
    archive.ledger.run("release", &["x", "--reason", "x", "--authority", &authority]).exits(2);
    archive.ledger.run("release", &["1", "--reason", "", "--authority", &authority]).exits(2);
    assert!(archive.lies(&name) && archive.entries() == before);
    let absent = archive.ledger.dir.with_file_name("absent");
    let nowhere = ran(program().arg("holds").arg(absent).args(["--format", "json"])).exits(4);
    assert_eq!(nowhere.error().0, "ledger.not_a_ledger");
}

#[test]
fn every_view_marks_what_is_erased_or_closed() {
    let archive = Archive::new();
    let folder = archive.ledger.dir.parent().unwrap();
    let at = |verb: &[&str]| {
        let dir = archive.ledger.dir.to_str().unwrap();
        let verb = verb.iter().map(|argument| if *argument == "LEDGER" { dir } else { argument });
        ran(program().current_dir(folder).args(verb).args(["--format", "json"])).well().json().remove(0)
    };
    fs::write(folder.join("letter"), "born 1980-02-29").unwrap();
    let key = at(&["subject", "add", "keys", "Ines Moreau"])["key_id"].as_str().unwrap().to_owned();
    let sealed =
        at(&["seal", "letter", "--subject-keys", "keys", "--subject", "Ines Moreau", "--ledger", "LEDGER"]);
    let sealed = sealed["blob"]["sha256"].as_str().unwrap();
    let (name, _) = Archive::payload(FIRST_PAYLOAD);
    let allow_blob = archive.decide("allow", "erase", &format!("blob/{name}"));
    archive.call(&allow_blob, &name, sealed);
    let call = (archive.entries() - 1).to_string();
    let views = || {
        let view = |verb: &str, what: &[&str]| archive.ledger.run(verb, what).exits(0).stdout;
        let json = |verb: &str, what: &[&str]| {
            archive.ledger.run(verb, &[what, &["--format", "json"]].concat()).exits(0).json()
        };
        let texts = [view("show", &[&call]), view("trace", &[TRACE]), view("stat", &[])];
        let records = json("trace", &[TRACE])[2]["records"].clone();
        (
            texts,
            json("show", &[&call]).remove(0)["payloads_gone"].clone(),
            records,
            json("stat", &[]).remove(0),
        )
    };
    let (before, gone, records, stat) = views();
    assert_eq!((&gone, &records[0]["payloads_gone"]), (&serde_json::json!([]), &serde_json::json!([])));
    assert!(before.iter().all(|text| !text.contains("erased") && !text.contains("closed")), "{before:?}");
    for member in ["payloads_erased", "payloads_closed", "subjects_erased", "holds_in_force"] {
        assert_eq!(stat[member], 0, "{member}");
    }

    let erased = archive.erase(&name, &["--authority", &allow_blob, "--format", "json"]).well().json();
    let allow_key = archive.decide("allow", "erase", &format!("subject/{key}"));
    let closed = at(&[
        "subject",
        "erase",
        "keys",
        "Ines Moreau",
        "--ledger",
        "LEDGER",
        "--reason",
        "art. 17",
        "--authority",
        &allow_key,
        "--clock",
        CLOCK,
    ]);
    archive.at_clock("hold", &["--trace", TRACE, "--reason", "a suit"]).well();
    let (erased, closed) = (&erased[0]["seq"], &closed["seq"]);
    let ([show, trace, stat_text], gone, records, stat) = views();
    let expected = serde_json::json!([
        {"member": "request", "sha256": name, "state": "erased", "by_seq": erased},
        {"member": "response", "sha256": sealed, "state": "closed", "by_seq": closed},
    ]);
    assert_eq!((&gone, &records[0]["payloads_gone"]), (&expected, &expected));
    let closed_says = format!("closed: its subject's key was erased by entry {closed}");
    for text in [show, trace] {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ").replace("│ ", "");
        assert!(words.contains(&format!("request erased by entry {erased}")), "{text}");
        assert!(words.contains(&format!("response {closed_says}")), "{text}");
    }
    assert!(stat_text.contains("1 payload\n"), "{stat_text}");
    assert!(stat_text.contains("1 subject's key; 1 payload closed for good\n"), "{stat_text}");
    assert!(stat_text.contains("1 legal hold\n"), "{stat_text}");
    for member in ["payloads_erased", "payloads_closed", "subjects_erased", "holds_in_force"] {
        assert_eq!(stat[member], 1, "{member}");
    }
    let findings = archive.ledger.run("replay", &["--trace", TRACE, "--format", "json"]).exits(0).stdout;
    assert!(findings.contains(&format!("its subject's key was erased by entry {closed}")), "{findings}");
}

#[test]
fn retention_erases_what_is_due_and_allowed() {
    let archive = Archive::new();
    let rules = archive.ledger.dir.with_file_name("rules.json");
    let text = r#"{"retention_version":"1","erase":[{"id":"old texts","min_age_days":1}]}"#;
    fs::write(&rules, text).unwrap();
    let out = archive.ledger.dir.with_file_name("out");
    let names = [0, 1, 2].map(|number| Archive::payload(number).0);
    let allowed =
        [&names[0], &names[1]].map(|name| archive.decide("allow", "erase", &format!("blob/{name}")));
    archive.at_clock("hold", &["--blob", &names[1], "--reason", "a suit"]).well();
    let retention = |more: &[&str]| {
        let with = ["--rules", rules.to_str().unwrap(), "--now", "1769904000000", "--format", "json"];
        let line = archive.at_clock("retention", &[&with[..], more].concat()).well().json().remove(0);
        let found = |name: &String| {
            line["blobs"].as_array().unwrap().iter().find(|blob| blob["sha256"] == **name).unwrap().clone()
        };
        (names.each_ref().map(found), line)
    };
    let before = archive.entries();
    let (dry, line) = retention(&[]);
    assert_eq!(
        dry.each_ref().map(|blob| blob["state"].as_str().unwrap()),
        ["due", "held", "needs_authority"]
    );
    assert_eq!(dry[0]["authority"], allowed[0]);
    assert_eq!((&line["erased_payloads"], &line["applied"]), (&0.into(), &false.into()));
    assert!(dry[1]["held_by"].as_str().unwrap().ends_with(&format!("on blob/{}", names[1])), "{}", dry[1]);
    assert!(archive.lies(&names[0]) && archive.entries() == before);

    let (done, line) = retention(&["--apply", "--archive", out.to_str().unwrap()]);
    assert_eq!((&line["erased_payloads"], &done[0]["erased_by_seq"]), (&1.into(), &before.into()));
    assert_eq!((&done[1]["state"], &done[2]["state"]), (&"held".into(), &"needs_authority".into()));
    assert_eq!(names.each_ref().map(|name| archive.lies(name)), [false, true, true]);
    assert_eq!(archive.entries(), before + 1);
    let entry =
        archive.ledger.run("show", &[&before.to_string(), "--format", "json"]).well().json().remove(0);
    assert_eq!(entry["body"]["reason"], "retention rule: old texts");
    assert_eq!(entry["body"]["authority"], allowed[0]);
    let (after, _) = retention(&[]);
    assert_eq!(after[0]["state"], "erased");
    archive.ledger.run("verify", &[]).well();
}

#[test]
fn retention_tells_what_the_gate_refuses_and_goes_on() {
    let archive = Archive::of_small_segments();
    let out = archive.ledger.dir.with_file_name("out");
    let out = out.to_str().unwrap();
    archive.ledger.run("archive", &["--before", "1000000", out]).well();
    let rules = archive.ledger.dir.with_file_name("rules.json");
    fs::write(&rules, r#"{"retention_version":"1","erase":[{"id":"all","min_age_days":1}]}"#).unwrap();
    let retention = |more: &[&str]| {
        let rules = rules.to_str().unwrap();
        let with = ["--rules", rules, "--now", "1769904000000", "--archive", out];
        archive.at_clock("retention", &[&with[..], more].concat())
    };
    // The records of the held trace lie in the archive, so the gate cannot tell what it holds.
    let trace = archive.ledger.run("traces", &["--archive", out, "--format", "json"]).well().json().remove(0);
    archive.at_clock("hold", &["--trace", trace["trace_id"].as_str().unwrap(), "--reason", "a suit"]).well();
    let plan = retention(&["--format", "json"]).well().json().remove(0);
    let blobs = plan["blobs"].as_array().unwrap();
    assert!(blobs.iter().any(|blob| blob["state"] == "held"), "{plan}");
    let due = blobs.iter().find(|blob| blob["state"] == "needs_authority").unwrap()["sha256"].clone();
    archive.decide("allow", "erase", &format!("blob/{}", due.as_str().unwrap()));
    let before = archive.ledger.run("log", &["--format", "json"]).exits(0).json().len();
    let said = retention(&["--apply", "--format", "json"]).exits(1).json().remove(0);
    let blob = said["blobs"].as_array().unwrap().iter().find(|blob| blob["sha256"] == due).unwrap();
    assert_eq!((&blob["state"], &blob["refusal"]["code"]), (&"due".into(), &"ledger.archived".into()));
    assert_eq!((&blob["erased_by_seq"], &said["erased_payloads"]), (&Value::Null, &0.into()));
    let text = retention(&["--apply"]).exits(1).stdout;
    assert!(text.contains("stays: refused [ledger.archived]"), "{text}");
    assert!(text.contains("1 payload that was due stays"), "{text}");
    assert_eq!(archive.ledger.run("log", &["--format", "json"]).exits(0).json().len(), before);
}
