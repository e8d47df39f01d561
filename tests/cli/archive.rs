//! `archive`, `migrate` and `retention` as an operator meets them, and the other verbs over a ledger whose old
//! segments are away.

use std::fs;
use std::path::{Path, PathBuf};

use proofline::ledger::{Action, Ledger as Writer, Options};
use proofline::proof::{SecretKey, Signer};

use crate::run::{Ledger, Ran, json_lines, member_names, proofline, vectors};

/// The key of the seed of thirty-two nines, by the reference in `vectors/`.
const SECRET: &str = "PRIVATE+KEY+ledger.example/test+e4204de3+AQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJ";

/// A ledger of many segments with a key and a checkpoint over all of it, and an archive beside it.
struct Shelf {
    ledger: Ledger,
    out: PathBuf,
    entries: u64,
}

impl Shelf {
    fn new() -> Self {
        let ledger = Ledger::empty();
        let out = ledger.dir.with_file_name("archive");
        let key: SecretKey = SECRET.parse().unwrap();
        let writer =
            Writer::open(&ledger.dir, Options { segment_bytes: 16 << 10, ..Options::default() }).unwrap();
        let list = writer.snapshot().unwrap().key_list().unwrap();
        let record = list.addition(&key, None).unwrap();
        writer.commit_action(&Action::System(&record.canonical()), 1_769_817_600_000).unwrap();
        let evidence = fs::read_to_string(vectors("evidence/agent-work.jsonl")).unwrap();
        for line in evidence.lines().take(160) {
            let evidence =
                proofline::ledger::EvidenceLine::read(line.as_bytes(), &proofline::canon::Limits::ENVELOPE)
                    .unwrap();
            let action = Action::Evidence(evidence.submission());
            writer.commit_action(&action, 1_769_817_600_000).unwrap();
        }
        writer.checkpoint(&[&key as &dyn Signer]).unwrap();
        let entries = writer.entries();
        Shelf { ledger, out, entries }
    }

    fn run(&self, verb: &str, more: &[&str]) -> Ran {
        self.ledger.run(verb, more)
    }

    fn out(&self) -> &str {
        self.out.to_str().unwrap()
    }

    fn archive_all(&self) -> Ran {
        self.run("archive", &["--before", &self.entries.to_string(), self.out(), "--place", "room 3"])
    }

    fn dir(&self) -> &str {
        self.ledger.dir.to_str().unwrap()
    }
}

fn count(dir: &Path, end: &str) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    names.filter(|name| name.to_str().unwrap().ends_with(end)).count()
}

#[test]
fn segments_go_are_checked_and_come_back() {
    let shelf = Shelf::new();
    let log = shelf.ledger.dir.join("log");
    let before = count(&log, ".seg");
    assert!(before > 4, "{before}");
    let dry = shelf.run("archive", &["--before", "1", shelf.out()]).well();
    assert!(dry.stdout.contains("nothing to archive"), "{}", dry.stdout);
    let gone = shelf.run("archive", &["--before", "1000000", shelf.out(), "--format", "json"]).well().json();
    assert_eq!(gone[0]["segments"].as_array().unwrap().len(), before - 1);
    assert_eq!(
        (count(&log, ".seg"), count(&log, ".arc"), count(&shelf.out, ".seg")),
        (1, before - 1, before - 1)
    );
    let checked =
        proofline(["archive", "verify", shelf.out(), "--ledger", shelf.dir(), "--format", "json"]).well();
    assert_eq!(
        (&checked.json()[0]["verdict"], &checked.json()[0]["compared"]),
        (&"sound".into(), &true.into())
    );
    assert_eq!(
        member_names(&checked.stdout),
        ["verdict", "ledger_id", "origin", "compared", "entries", "segments", "without_manifest"]
    );
    let back = proofline(["archive", "restore", shelf.dir(), shelf.out(), "--format", "json"]).well().json();
    assert_eq!(back[0]["segments"].as_array().unwrap().len(), before - 1);
    assert_eq!((count(&log, ".seg"), count(&log, ".arc")), (before, 0));
    shelf.run("verify", &[]).well();
}

#[test]
fn an_archive_that_is_not_whole_is_told_and_not_brought_back() {
    let shelf = Shelf::new();
    shelf.archive_all().well();
    let path = shelf.out.join("00000000000000000000.seg");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let said = proofline(["archive", "verify", shelf.out()]).exits(3);
    assert!(said.stdout.contains("[archive.damaged]"), "{}", said.stdout);
    let (code, ..) =
        proofline(["archive", "restore", shelf.dir(), shelf.out(), "--format", "json"]).exits(4).error();
    assert_eq!(code, "archive.damaged");
    let (code, ..) = shelf.run("verify", &["--archive", shelf.dir(), "--format", "json"]).exits(4).error();
    assert_eq!(code, "archive.not_an_archive");
    let whole = Shelf::new();
    let into = |out: &str| {
        whole.run("archive", &["--before", "1000000", out, "--format", "json"]).exits(4).error().0
    };
    assert_eq!(into(whole.dir()), "archive.into_ledger");
    assert_eq!(into(shelf.dir()), "archive.into_ledger");
}

#[test]
fn verify_says_what_is_archived_and_checks_it_where_it_is_named() {
    let shelf = Shelf::new();
    shelf.archive_all().well();
    let said = shelf.run("verify", &[]).well().stdout;
    assert!(said.contains("bodies archived: not checked here") && said.contains("went to room 3"), "{said}");
    assert!(said.contains("a checkpoint anchors entries 0 to"), "{said}");
    let line = shelf.run("verify", &["--format", "json"]).well().json().remove(0);
    assert_eq!((&line["verdict"], &line["archived"][0]["bodies"]), (&"sound".into(), &"not_checked".into()));
    assert_eq!(line["entries"], shelf.entries);
    let line = shelf.run("verify", &["--archive", shelf.out(), "--format", "json"]).well().json().remove(0);
    let archived = line["archived"].as_array().unwrap();
    assert!(archived.len() > 3 && archived.iter().all(|one| one["bodies"] == "checked"), "{archived:?}");
}

#[test]
fn entries_are_proven_and_published_while_they_are_away() {
    let shelf = Shelf::new();
    let public = shelf.ledger.dir.with_file_name("public");
    let proof = |name: &str| {
        let file = shelf.ledger.dir.with_file_name(name);
        shelf.run("prove", &["7", "--out", file.to_str().unwrap()]).well();
        fs::read(file).unwrap()
    };
    let before = proof("before.proof");
    shelf.archive_all().well();
    assert_eq!(proof("after.proof"), before);
    let key: SecretKey = SECRET.parse().unwrap();
    let file = shelf.ledger.dir.with_file_name("after.proof");
    proofline(["verify-proof", file.to_str().unwrap(), "--key", &key.verifier().to_string()]).well();
    shelf.run("publish", &[public.to_str().unwrap()]).well();
    assert!(public.join("tile/entries").is_dir());
}

#[test]
fn a_body_that_is_away_is_told_as_archived() {
    let shelf = Shelf::new();
    shelf.archive_all().well();
    let (code, _, hint) = shelf.run("show", &["7", "--format", "json"]).exits(4).error();
    assert_eq!(code, "entry.archived");
    assert!(hint.unwrap().contains("--archive"));
    shelf.run("show", &["7", "--archive", shelf.out()]).well();
    let traces = shelf.run("traces", &["--format", "json"]).exits(0);
    assert!(traces.stderr.contains("entry.archived"), "{}", traces.stderr);
    let first = traces.json()[0]["trace_id"].as_str().unwrap().to_owned();
    let whole = shelf.run("traces", &["--archive", shelf.out(), "--format", "json"]).well().json();
    for (line, whole) in traces.json().iter().zip(&whole) {
        for member in ["trace_id", "accepted", "rejected", "first_seq", "last_seq"] {
            assert_eq!(line[member], whole[member]);
        }
    }
    shelf.run("trace", &[&first]).exits(4);
    shelf.run("trace", &[&first, "--archive", shelf.out()]).well();
    let log = shelf.run("log", &["--format", "json"]).exits(0);
    assert_eq!(log.json().len() as u64, shelf.entries);
    let stat = shelf.run("stat", &["--format", "json"]).exits(0).json().remove(0);
    assert!(stat["archived_entries"].as_u64().unwrap() > 100, "{stat}");
    assert_eq!(stat["archived_segments"], count(&shelf.out, ".seg"));
    assert_eq!(stat["entries"], shelf.entries);
    let replay = shelf.run("replay", &["--format", "json"]).exits(4);
    assert_eq!(replay.error().0, "replay.archived");
    let verdict = |line: &serde_json::Value| line["record"]["result"].is_string();
    assert!(!replay.json().iter().any(verdict), "no verdict on what nobody read: {}", replay.stdout);
    let summary = shelf.run("replay", &["--archive", shelf.out(), "--format", "json"]).json().pop().unwrap();
    assert!(summary["summary"]["traces"].as_u64().unwrap() > 3, "{summary}");
    assert_eq!(summary["summary"]["damage_count"], 0);
    let reindexed = shelf.run("reindex", &["--format", "json"]).well().json().remove(0);
    assert!(reindexed["catalogue_entries"].is_null() && reindexed["archived_segments"].as_u64().unwrap() > 3);
    let reindexed =
        shelf.run("reindex", &["--archive", shelf.out(), "--format", "json"]).well().json().remove(0);
    assert_eq!(reindexed["catalogue_entries"], shelf.entries);
    shelf.run("verify", &["--archive", shelf.out()]).well();
}

#[test]
fn retention_says_what_is_due_and_archives_it() {
    let shelf = Shelf::new();
    let rules = shelf.ledger.dir.with_file_name("rules.json");
    fs::write(
        &rules,
        r#"{"retention_version":"1","archive":[{"min_age_days":1}],"erase":[{"id":"all","min_age_days":1}]}"#,
    )
    .unwrap();
    let rules = rules.to_str().unwrap();
    let at = |ms: &str, more: &[&str]| {
        shelf.run("retention", &[&["--rules", rules, "--now", ms, "--format", "json"], more].concat())
    };
    let early = at("1769817600000", &[]).well().json().remove(0);
    assert_eq!((&early["archive_before"], &early["segments"][0]["state"]), (&0.into(), &"young".into()));
    assert_eq!(early["segments"][0]["due_at_ms"], 1_769_817_600_000_u64 + 86_400_000);
    let later = "1769904000000";
    let due = at(later, &[]).well().json().remove(0);
    assert_eq!(due["segments"][0]["state"], "due");
    assert_eq!(due["blobs"][0]["state"], "needs_authority");
    let resource = format!("blob/{}", due["blobs"][0]["sha256"].as_str().unwrap());
    assert_eq!(
        (&due["blobs"][0]["request"]["action"], &due["blobs"][0]["request"]["resource"]),
        (&"erase".into(), &resource.into())
    );
    assert_eq!(count(&shelf.ledger.dir.join("log"), ".arc"), 0, "a dry run changes nothing");
    let done = at(later, &["--apply", "--archive", shelf.out()]).well().json().remove(0);
    assert_eq!(done["archived_segments"], count(&shelf.out, ".seg"));
    let after = at(later, &["--archive", shelf.out()]).well().json().remove(0);
    assert_eq!((&after["segments"][0]["state"], &after["unread_entries"]), (&"archived".into(), &0.into()));
    assert_eq!(after["blobs"], due["blobs"]);
    let blind = at(later, &[]).well().json().remove(0);
    assert_eq!(
        blind["blobs"]
            .as_array()
            .map_or(0, |blobs| blobs.iter().filter(|blob| blob["state"] == "needs_authority").count()),
        0
    );
    shelf.run("retention", &["--rules", rules, "--apply"]).exits(2);
    fs::write(rules, "{}").unwrap();
    let (code, place, _) = at(later, &[]).exits(4).error();
    assert_eq!(code, "retention.rules");
    assert!(place.unwrap().ends_with("/retention_version\""));
}

#[test]
fn migrate_finds_nothing_in_a_ledger_of_today() {
    let shelf = Shelf::new();
    let line = shelf.run("migrate", &["--dry-run", "--format", "json"]).well().json().remove(0);
    assert_eq!((&line["steps"], &line["applied"]), (&serde_json::json!([]), &false.into()));
    assert!(shelf.run("migrate", &[]).well().stdout.contains("up to date"));
}

/// Verdicts of now need every entry; what does not need them is exported, and what is away is counted.
#[test]
fn traces_are_exported_without_what_is_away() {
    let shelf = Shelf::new();
    let export =
        |more: &[&str]| proofline([&["export", "otlp", shelf.dir(), "--format", "json"], more].concat());
    let whole = export(&[]).exits(0);
    shelf.archive_all().well();
    assert_eq!(export(&[]).exits(4).error().0, "replay.archived");
    assert!(export(&["--archive", shelf.out()]).exits(0).stdout == whole.stdout);
    let without = export(&["--verdicts", "none"]).exits(0);
    let account: serde_json::Value = serde_json::from_str(without.stderr.lines().next().unwrap()).unwrap();
    assert!(account["archived_entries"].as_u64().unwrap() > 0, "{account}");
    assert_eq!(account["damaged_entries"], 0);
}

/// Of a trace whose bodies are away nobody can say whether it fits: it is left out, and told.
#[test]
fn traces_of_which_nobody_can_say_whether_they_fit_are_told() {
    let shelf = Shelf::new();
    let export = |more: &[&str]| {
        let fixed = ["export", "otlp", shelf.dir(), "--format", "json", "--verdicts", "none"];
        proofline([&fixed, more].concat())
    };
    let (of_body, of_header) = ("record_type = tool_call", "kind = accepted");
    let whole = export(&[of_body]).exits(0);
    let fitting: usize = whole.json().len();
    assert!(fitting > 2);
    shelf.archive_all().well();
    let without = export(&[of_body]).exits(4);
    let lines = json_lines(&without.stderr);
    let account = lines.iter().find(|it| it["event"] == "exported").unwrap();
    let error = lines.iter().find(|it| it["error"]["code"] == "query.undecided").unwrap();
    let (traces, undecided) =
        (account["traces"].as_u64().unwrap(), account["undecided_traces"].as_u64().unwrap());
    // Those that fit are written, or nobody can say of them.
    assert!(undecided > 0 && traces + undecided >= fitting as u64, "{account}");
    let said = format!("of {undecided} traces nobody can say");
    assert!(error["error"]["message"].as_str().unwrap().starts_with(&said), "{error}");
    let first = |line: &serde_json::Value| {
        line["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"].as_str().unwrap().to_owned()
    };
    let written: Vec<String> = without.json().iter().map(first).collect();
    assert_eq!(written.len() as u64, traces);
    let whole_traces: Vec<String> = whole.json().iter().map(first).collect();
    assert!(written.iter().all(|it| whole_traces.contains(it)));
    // What headers say is known, and with the archive at hand all is as it was.
    let known = export(&[of_header]).exits(0);
    let account: serde_json::Value = serde_json::from_str(known.stderr.lines().next().unwrap()).unwrap();
    assert_eq!(account["undecided_traces"], 0);
    assert!(export(&[of_body, "--archive", shelf.out()]).exits(0).stdout == whole.stdout);
}
