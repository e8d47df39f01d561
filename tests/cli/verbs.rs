//! Each verb doing what it is for.

use std::fs;

use crate::run::{AGENT_WORK, Ledger, PAYLOADS, fed, program, proofline, ran, vectors};

#[test]
fn a_new_ledger_has_the_id_and_origin_it_was_given_or_made() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("desk+1");
    let made = ran(program().arg("init").arg(&dir).args(["--format", "json"])).well().json().remove(0);
    assert_eq!(made["origin"], "proofline.local/desk-1");
    assert_eq!((made["ledger_id"].as_str().unwrap().len(), &made["entries"]), (32, &1.into()));
    let other = folder.path().join("other");
    let again = ran(program().arg("init").arg(other).args(["--format", "json"])).well().json().remove(0);
    assert_ne!(made["ledger_id"], again["ledger_id"], "ids are drawn at random");

    let stat = ran(program().arg("stat").arg(&dir).args(["--format", "json"])).well().json().remove(0);
    for name in ["ledger_id", "origin", "entries", "head"] {
        assert_eq!(stat[name], made[name], "{name}");
    }
    let text = Ledger::empty().run("stat", &[]).well().stdout;
    assert!(
        text.contains("00112233445566778899aabbccddeeff") && text.contains("ledger.example/test"),
        "{text}"
    );
}

#[test]
fn stat_counts_what_the_log_holds() {
    let ledger = Ledger::of(AGENT_WORK);
    let stat = ledger.run("stat", &["--format", "json"]).well().json().remove(0);
    // 414 lines: 390 records, 5 of them sent twice, 19 refused and kept.
    assert_eq!(stat["entries"], 410);
    assert_eq!((&stat["kinds"]["accepted"], &stat["kinds"]["rejected"]), (&390.into(), &19.into()));
    assert_eq!(
        (&stat["kinds"]["genesis"], &stat["kinds"]["artifact"], &stat["traces"]),
        (&1.into(), &0.into(), &36.into())
    );
    let sum = |name: &str| {
        stat[name].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!((sum("kinds"), sum("record_types"), sum("classifications")), (410, 409, 409));
    let size = fs::metadata(ledger.segment()).unwrap().len();
    assert_eq!(
        (&stat["segments"], &stat["log_bytes"], &stat["end"]),
        (&1.into(), &size.into(), &"published".into())
    );
}

#[test]
fn show_finds_an_entry_by_number_and_all_attempts_by_hash() {
    let ledger = Ledger::of("evidence/trouble/wrong-declared-hash.jsonl");
    let first = ledger.run("show", &["1", "--format", "json"]).well().json().remove(0);
    assert_eq!(first["classification"], "HASH_MISMATCH");
    let hash = first["envelope_hash"].as_str().unwrap();
    let all = ledger.run("show", &[hash, "--format", "json"]).well().json();
    let declared: Vec<_> = all.iter().map(|entry| entry["declared_hash"].clone()).collect();
    assert_eq!(all.len(), 8, "seven attempts and the record");
    assert_eq!(declared[0], "0".repeat(64));
    assert_eq!(declared[3]["length"], 256);
    assert_eq!(declared[4], serde_json::Value::Null);
    assert_eq!(all[7]["classification"], "ACCEPT");
    // The link that a header carries is the leaf hash of the one before.
    for pair in all.windows(2) {
        assert_eq!(pair[1]["previous_leaf_hash"], pair[0]["leaf_hash"]);
    }
    let bytes = fs::read(ledger.segment()).unwrap();
    let offset = usize::try_from(all[7]["offset"].as_u64().unwrap()).unwrap();
    let body = serde_json::to_vec(&all[7]["body"]).unwrap();
    assert_eq!(all[7]["body_bytes"], body.len());
    let body_at = crate::run::find(&bytes[offset..], std::str::from_utf8(&body).unwrap());
    assert!(body_at < 400, "behind the header, {body_at} bytes on");

    let text = ledger.run("show", &["0"]).well().stdout;
    assert!(text.contains("entry 0, genesis") && text.contains("\"system_type\": \"genesis\""), "{text}");
}

#[test]
fn traces_come_in_order_with_counts_and_actors() {
    let ledger = Ledger::of(AGENT_WORK);
    let lines = ledger.run("traces", &["--format", "json"]).well().json();
    assert_eq!(lines.len(), 36);
    let ids: Vec<&str> = lines.iter().map(|line| line["trace_id"].as_str().unwrap()).collect();
    assert!(ids.is_sorted());
    let sum = |name: &str| lines.iter().map(|line| line[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("accepted"), sum("rejected"), sum("artifacts")), (390, 19, 0));
    assert!(lines.iter().all(|line| line["actor"]["actor_id"].is_string()));

    let text = ledger.run("traces", &[]).well().stdout;
    assert_eq!(text.lines().count(), 1 + 36 + 1);
    assert!(text.ends_with("36 traces\n"), "{text}");
}

#[test]
fn a_trace_is_found_by_its_first_digits_and_drawn_whole() {
    let ledger = Ledger::of(AGENT_WORK);
    let id = "e85a3ac8a3927a792548162be1ac0875";
    let json = ledger.run("trace", &[id, "--format", "json"]).well().json();
    let (summary, spans) = json.split_last().unwrap();
    assert_eq!(summary["summary"]["spans"], spans.len());
    let refused: Vec<_> = spans
        .iter()
        .flat_map(|span| span["records"].as_array().unwrap())
        .filter(|record| record["classification"] != "ACCEPT")
        .collect();
    assert_eq!(refused.len(), 1);
    assert_eq!(refused[0]["error_kind"], "unauthorized.policy_denied");

    let text = ledger.run("trace", &[id]).well().stdout;
    assert_eq!(ledger.run("trace", &["e85a"]).well().stdout, text);
    let ascii = ledger.run("trace", &["e85a", "--ascii"]).well().stdout;
    assert!(ascii.is_ascii() && ascii.contains("|- allow") && ascii.contains("`- "), "{ascii}");
    assert_eq!(ascii.lines().count(), text.lines().count());
    // Two traces begin with 9.
    let ambiguous = ledger.run("trace", &["9", "--format", "json"]).exits(4);
    assert_eq!(ambiguous.error().0, "cli.ambiguous_trace");
}

#[test]
fn verdicts_are_recorded_once_and_shown_with_their_trace() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    let recorded = |entries: u64, appended: u64, before: u64| {
        let replayed = ledger.run("replay", &["--record", "--format", "json"]).well();
        let summary = replayed.json().pop().unwrap();
        assert_eq!(summary["summary"]["entries"], entries);
        assert_eq!(summary["summary"]["recorded"]["appended"], appended);
        assert_eq!(summary["summary"]["recorded"]["there_before"], before);
    };
    recorded(7, 1, 0);
    recorded(9, 0, 1);
    let replayed = ledger.run("replay", &["--format", "json"]).well().json().remove(0);
    let text = ledger.run("trace", &["a3d54e"]).well().stdout;
    assert!(text.contains("verdicts in the ledger"), "{text}");
    assert!(text.contains(replayed["artifact_sha256"].as_str().unwrap()), "{text}");
    ledger.run("verify", &[]).well();
}

#[test]
fn a_replayed_file_can_be_kept_in_a_ledger_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("kept");
    let replay = || {
        let mut command = program();
        command.arg("replay").arg(vectors(AGENT_WORK)).arg("--ledger").arg(&dir).args(["--format", "json"]);
        ran(&mut command).exits(0).json().pop().unwrap()["summary"].clone()
    };
    assert_eq!(replay()["ingest"]["duplicates"], 5);
    // The second time all that was accepted is there before, also to the three attempts that came too early the
    // first time; the other sixteen are kept again.
    let second = replay();
    assert_eq!(
        (&second["ingest"]["duplicates"], &second["entries"]),
        (&(395 + 3).into(), &(410 + 16).into())
    );
    ran(program().arg("verify").arg(&dir)).well();
}

#[test]
fn findings_fail_a_run_only_when_asked_to() {
    let file = vectors(AGENT_WORK);
    ran(program().arg("replay").arg(&file)).exits(0);
    ran(program().arg("replay").arg(&file).arg("--fail-on-findings")).exits(1);
    let clean = vectors("evidence/trouble/denied-call.jsonl");
    ran(program().arg("replay").arg(&clean).arg("--fail-on-findings")).exits(0);
}

#[test]
fn payloads_come_from_the_lines_of_a_file_or_the_files_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let payloads = folder.path().join("payloads");
    fs::create_dir_all(payloads.join("deeper")).unwrap();
    let bytes = fs::read(vectors(PAYLOADS)).unwrap();
    for (number, line) in bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).enumerate() {
        let place = if number % 2 == 0 { payloads.clone() } else { payloads.join("deeper") };
        fs::write(place.join(format!("{number}.json")), line).unwrap();
    }
    let absent = |blobs: &std::path::Path| {
        let mut command = program();
        command.arg("replay").arg(vectors(AGENT_WORK)).arg("--blobs").arg(blobs).args(["--format", "json"]);
        ran(&mut command).exits(0).json().pop().unwrap()["summary"]["findings"]["BLOB_NOT_AT_HAND"].clone()
    };
    assert_eq!(absent(&payloads), 6);
    assert_eq!(absent(&vectors(PAYLOADS)), 6);

    let ledger = Ledger::empty();
    ledger.commit(&vectors(AGENT_WORK), &["--blobs", vectors(PAYLOADS).to_str().unwrap()]).exits(1);
    let verified = ledger.run("verify", &["--format", "json"]).well().json().remove(0);
    let count = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
    assert_eq!(verified["payloads"], count);
    let replayed = ledger.run("replay", &["--format", "json"]).exits(0).json().pop().unwrap();
    assert_eq!(replayed["summary"]["findings"]["BLOB_NOT_AT_HAND"], 6);
}

#[test]
fn what_salvage_saves_can_be_committed_again() {
    let ledger = Ledger::of(AGENT_WORK);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("saved");
    let report = ran(program().arg("salvage").arg(&ledger.dir).arg(&out).args(["--format", "json"])).well();
    let report = report.json().remove(0);
    assert_eq!(
        (&report["entries"], &report["evidence"], &report["gaps"]),
        (&410.into(), &409.into(), &serde_json::json!([]))
    );
    let copy = Ledger::empty();
    copy.commit(&out.join("evidence.jsonl"), &[]).exits(1);
    let verdicts = |ledger: &Ledger| {
        let lines = ledger.run("replay", &["--include-rejected", "--format", "json"]).exits(0).json();
        lines.iter().map(|line| line["artifact_sha256"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(verdicts(&copy), verdicts(&ledger));
}

#[test]
fn canonical_bytes_come_with_nothing_behind_them() {
    // The contract's fixed points.
    assert_eq!(fed(["canon"], r#" {"b":2,"a":1} "#).well().stdout, r#"{"a":1,"b":2}"#);
    let hashed = fed(["hash", "--format", "json"], r#"{"c":true,"b":"hello","a":1}"#).well().json().remove(0);
    assert_eq!(hashed["sha256"], "a21f08b57e7301be5ff081e26710117f5214dcc7ab04a5435249ac7a981bf26b");

    assert_eq!(fed(["canon", "-", "--check"], r#"{"a":1,"b":2}"#).well().stdout, "canonical\n");
    let not = fed(["canon", "--check", "--format", "json"], r#"{"a":1, "b":2}"#).exits(1).json().remove(0);
    assert_eq!((&not["is_canonical"], &not["canonical"]), (&false.into(), &serde_json::Value::Null));
    let both = fed(["canon", "--format", "json"], r#"{"b":"é","a":[]}"#).well().json().remove(0);
    assert_eq!((&both["canonical"], &both["is_canonical"]), (&r#"{"a":[],"b":"é"}"#.into(), &false.into()));

    assert_eq!(fed(["canon", "--profile", "content"], "[1.50,1e2,-0]").well().stdout, "[1.5,100,0]");
    assert!(fed(["canon"], "1.5").exits(4).stderr.contains("error[canon.not_an_integer]"));
    assert!(
        fed(["canon", "--profile", "exact"], "0.10000000000000001")
            .exits(4)
            .stderr
            .contains("canon.number_changes_value")
    );
    let deep = "[".repeat(100) + &"]".repeat(100);
    assert!(fed(["canon"], deep.as_str()).exits(4).stderr.contains("canon.too_deep"));
    assert_eq!(fed(["canon", "--max-depth", "100"], deep.as_str()).well().stdout, deep);
    assert!(fed(["canon", "--max-bytes", "3"], "[1,2]").exits(4).stderr.contains("input.too_long"));
}

#[test]
fn raw_bytes_are_hashed_as_they_are() {
    // FIPS 180-4's and BLAKE3's own vectors for no bytes and for "abc"; the CID from the multiformats specification.
    let empty = fed(["hash", "--raw"], "").well().stdout;
    assert_eq!(
        empty,
        "sha256  e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n\
         blake3  af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262\n\
         cid     bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku\n"
    );
    let abc = fed(["hash", "--raw", "--format", "json"], "abc").well().json().remove(0);
    assert_eq!(abc["sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(abc["blake3"], "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85");
    assert_eq!(abc["size_bytes"], 3);
}

#[test]
fn shells_get_completions_and_people_a_manual() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = proofline(["completions", shell]).well().stdout;
        for verb in ["commit", "replay", "salvage"] {
            assert!(script.contains(verb), "{shell} {verb}");
        }
        let json = proofline(["completions", shell, "--format", "json"]).well().json().remove(0);
        assert_eq!(json["script"], script);
    }
    let page = proofline(["man"]).well().stdout;
    assert!(page.contains(".TH proofline 1") && page.contains("Exit codes"), "{page}");

    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("man1");
    let told = ran(program().args(["man", "--format", "json", "--out"]).arg(&dir)).well().json().remove(0);
    let files: Vec<&str> =
        told["files"].as_array().unwrap().iter().map(|file| file.as_str().unwrap()).collect();
    assert!(files.contains(&"proofline.1") && files.contains(&"proofline-replay.1"), "{files:?}");
    for file in files {
        assert!(fs::read_to_string(dir.join(file)).unwrap().contains(".TH"), "{file}");
    }
}
