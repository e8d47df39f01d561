//! Damaged ledgers: what each verb says of them, with which exit code, and that nothing is repaired unasked.

use std::fs;

use crate::run::{AGENT_WORK, Ledger, find, program, ran, vectors};

/// Changes the last letter of a text in the log.
fn bend(ledger: &Ledger, text: &str) {
    ledger.edit(&ledger.segment(), |bytes| {
        let at = find(bytes, text) + text.len() - 1;
        bytes[at] ^= 1;
    });
}

#[test]
fn a_changed_byte_is_reported_with_its_place_by_every_verb_that_reads_it() {
    let ledger = Ledger::of(AGENT_WORK);
    bend(&ledger, "agents/refund-desk-1"); // in entry 3, of trace e85a...
    let before = fs::read(ledger.segment()).unwrap();

    let verified = ledger.run("verify", &["--format", "json"]).exits(3).json().remove(0);
    assert_eq!(verified["verdict"], "damaged");
    let damage = &verified["damage"][0];
    assert_eq!((&damage["code"], &damage["seq"]), (&"frame.body_checksum".into(), &3.into()));
    assert_eq!(damage["file"], "log/00000000000000000000.seg");
    let offset = usize::try_from(damage["offset"].as_u64().unwrap()).unwrap();
    assert!(find(&before[offset..], "agents/refund-desk-0") < 1200, "the place is that of the entry");
    let text = ledger.run("verify", &[]).exits(3).stdout;
    assert!(text.contains("damage\n  frame.body_checksum  log/00000000000000000000.seg at byte"), "{text}");
    assert!(text.ends_with("The ledger is damaged in 1 place.\n"), "{text}");

    let shown = ledger.run("show", &["3", "--format", "json"]).exits(3);
    assert_eq!(shown.stdout, "");
    assert!(shown.stderr.contains("frame.body_checksum"), "{}", shown.stderr);
    // An entry that is whole is shown; that the log is damaged is said beside it.
    let other = ledger.run("show", &["4", "--format", "json"]).exits(3);
    assert_eq!(other.json()[0]["seq"], 4);
    assert_eq!(other.error().0, "frame.body_checksum");

    let stat = ledger.run("stat", &["--format", "json"]).exits(3).json().remove(0);
    assert_eq!(stat["kinds"]["accepted"], 389);
    assert_eq!(stat["damage"].as_array().unwrap().len(), 1);
    assert!(stat["hints"][0].as_str().unwrap().contains("proofline verify"));

    let traces = ledger.run("traces", &["--format", "json"]).exits(3);
    assert_eq!(traces.json().len(), 36);
    let trace = ledger.run("trace", &["e85a", "--format", "json"]).exits(3);
    assert!(trace.stderr.contains("\"code\":\"frame.body_checksum\""), "{}", trace.stderr);

    let replayed = ledger.run("replay", &["--format", "json"]).exits(3);
    let lines = replayed.json();
    let (summary, verdicts) = lines.split_last().unwrap();
    assert_eq!(summary["summary"]["verdict"], "damaged");
    assert_eq!(summary["summary"]["damage"][0]["seq"], 3);
    let failed: Vec<_> = verdicts.iter().filter(|line| line["record"]["result"] == "fail").collect();
    assert!(
        failed.iter().any(|line| line["record"]["target_trace_id"] == "e85a3ac8a3927a792548162be1ac0875")
    );
    let text = ledger.run("replay", &[]).exits(3).stdout;
    assert!(text.contains("what failed and why") && text.contains("damage of the log"), "{text}");
    // Recording is refused, the verdicts are given all the same.
    let recorded = ledger.run("replay", &["--record"]).exits(3);
    assert!(recorded.stderr.contains("note[replay.not_recorded]"), "{}", recorded.stderr);
    assert!(recorded.stdout.contains("The log is damaged in 1 place"), "{}", recorded.stdout);

    for verb in ["reindex", "commit"] {
        let refused = ledger.run(verb, &["--format", "json"]).exits(3);
        assert_eq!(refused.error().0, "ledger.damaged", "{verb}");
    }
    assert!(fs::read(ledger.segment()).unwrap() == before, "nothing was repaired");

    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("saved");
    let saved = ran(program().arg("salvage").arg(&ledger.dir).arg(&out).args(["--format", "json"])).exits(3);
    let report = saved.json().remove(0);
    assert_eq!((&report["entries"], &report["gaps"][0]["seq"]), (&409.into(), &3.into()));
    let gaps: serde_json::Value = serde_json::from_slice(&fs::read(out.join("gaps.json")).unwrap()).unwrap();
    assert_eq!(gaps["gaps"], report["gaps"]);
    let again = ran(program().arg("salvage").arg(&ledger.dir).arg(&out).args(["--format", "json"])).exits(4);
    assert_eq!(again.error().0, "ledger.not_empty");
}

#[test]
fn a_missing_or_damaged_published_size_is_told_apart_from_a_damaged_log() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    let mark = ledger.dir.join("published");
    let changes: [&dyn Fn(); 3] =
        [&|| fs::remove_file(&mark).unwrap(), &|| fs::write(&mark, b"").unwrap(), &|| {
            ledger.edit(&mark, |bytes| bytes.fill(0xa5))
        }];
    for change in changes {
        change();
        let verified = ledger.run("verify", &["--format", "json"]).exits(5).json().remove(0);
        assert_eq!(
            (&verified["verdict"], &verified["end"]),
            (&"derived_damaged".into(), &"not_anchored".into())
        );
        assert_eq!(verified["derived"][0]["code"], "mark.damaged");
        let text = ledger.run("verify", &[]).exits(5).stdout;
        assert!(text.contains("proofline reindex") && text.contains("not anchored"), "{text}");
        // No verdict rests on it.
        let replayed = ledger.run("replay", &[]).exits(0).stdout;
        assert!(replayed.contains("the end of the log is not anchored"), "{replayed}");
        let stat = ledger.run("stat", &[]).exits(0).stdout;
        assert!(stat.contains("end not anchored") && stat.contains("proofline reindex"), "{stat}");

        let mended = ledger.run("reindex", &["--format", "json"]).well().json().remove(0);
        assert_eq!((&mended["entries"], &mended["mark_was_damaged"]), (&7.into(), &true.into()));
        ledger.run("verify", &[]).well();
    }
}

#[test]
fn a_damaged_catalogue_is_noticed_and_made_again_and_no_verdict_rests_on_it() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    let verdicts = ledger.run("replay", &[]).well().stdout;
    assert_eq!(ledger.run("reindex", &["--format", "json"]).well().json()[0]["catalogue_entries"], 7);
    ledger.run("verify", &[]).well();
    // The largest file of its folder is the one that holds its keys.
    let files = fs::read_dir(ledger.dir.join("catalogue")).unwrap().map(|file| file.unwrap().path());
    let largest =
        files.filter(|path| path.is_file()).max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    ledger.edit(&largest, |bytes| bytes.iter_mut().for_each(|byte| *byte = !*byte));
    let verified = ledger.run("verify", &["--format", "json"]).exits(5).json().remove(0);
    assert!(verified["derived"][0]["code"].as_str().unwrap().starts_with("catalogue."), "{verified}");
    assert_eq!(ledger.run("replay", &[]).well().stdout, verdicts);
    ledger.run("stat", &[]).well();
    ledger.run("reindex", &[]).well();
    ledger.run("verify", &[]).well();
}

#[test]
fn a_cut_log_is_damage_and_a_torn_tail_is_kept_and_told() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    let whole = fs::read(ledger.segment()).unwrap();
    fs::write(ledger.segment(), &whole[..whole.len() - 1]).unwrap();
    for verb in ["verify", "replay", "stat", "commit"] {
        ledger.run(verb, &[]).exits(3);
    }
    fs::write(ledger.segment(), [&whole[..], b"torn"].concat()).unwrap();
    let stat = ledger.run("stat", &["--format", "json"]).well().json().remove(0);
    assert_eq!(stat["unpublished_bytes"], 4);
    // Three records that are there already: nothing is appended.
    let committed = ledger.commit(&vectors("evidence/trouble/crlf.jsonl"), &["--format", "json"]).exits(0);
    let note: serde_json::Value = serde_json::from_str(&committed.stderr).unwrap();
    assert_eq!(note["note"]["code"], "ledger.recovered");
    assert!(
        note["note"]["message"].as_str().unwrap().contains("4 bytes that are no whole entry kept as torn/")
    );
    let stat = ledger.run("stat", &["--format", "json"]).well().json().remove(0);
    assert_eq!(stat["torn_tails"].as_array().unwrap().len(), 1);
    ledger.run("verify", &[]).well();
}

#[test]
fn a_damaged_payload_is_damage_of_its_own() {
    let ledger = Ledger::empty();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("one"), "payload").unwrap();
    let evidence = vectors("evidence/trouble/crlf.jsonl");
    ledger.commit(&evidence, &["--blobs", folder.path().to_str().unwrap()]).well();
    ledger.run("verify", &[]).well();
    // SHA-256 of "payload".
    let name = "239f59ed55e737c77147cf55ad0c1b030b6d7ee748a7426952f9b852d5a935e5";
    let path = ledger.dir.join("blobs").join(&name[..2]).join(&name[2..]);
    fs::write(path, "poyload").unwrap();
    let verified = ledger.run("verify", &["--format", "json"]).exits(3).json().remove(0);
    assert_eq!(verified["payload_damage"][0]["code"], "blob.damaged");
    assert_eq!(verified["damage"], serde_json::json!([]));
}
