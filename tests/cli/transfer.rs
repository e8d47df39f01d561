//! `export`, `import` and `backup` as an operator meets them.

use std::fs;
use std::process::Stdio;

use insta::assert_snapshot;
use proofline::canon::Sha256Digest;
use serde_json::Value;

use crate::run::{AGENT_WORK, Ledger, PAYLOADS, Ran, json_lines, member_names, program, ran, vectors};

const JSON: [&str; 2] = ["--format", "json"];

/// A ledger with payloads.
fn ledger() -> Ledger {
    let ledger = Ledger::empty();
    let payloads = vectors(PAYLOADS);
    ledger.commit(&vectors(AGENT_WORK), &["--blobs", payloads.to_str().unwrap()]);
    ledger
}

fn beside(ledger: &Ledger, name: &str) -> String {
    ledger.dir.with_file_name(name).to_str().unwrap().to_owned()
}

fn import(dir: &str, file: &str, more: &[&str]) -> Ran {
    ran(program().args(["import", dir, file]).args(more))
}

fn one(ran: Ran) -> (Value, Vec<String>) {
    let line = ran.well().stdout;
    (json_lines(&line).remove(0), member_names(line.trim_end()))
}

#[test]
fn out_and_in_again_both_ends_say_the_same() {
    let ledger = ledger();
    let (file, copy) = (beside(&ledger, "stream"), beside(&ledger, "copy"));
    let (exported, names) = one(ledger.run("export", &[&[file.as_str()], &JSON[..]].concat()));
    assert_eq!(
        names.join(" "),
        "ledger_id origin entries head checkpoints blobs blob_bytes stream_bytes sha256 file"
    );
    let bytes = fs::read(&file).unwrap();
    assert_eq!(exported["stream_bytes"], bytes.len() as u64);
    let before_hash = &bytes[..bytes.len() - 32];
    assert_eq!(exported["sha256"], Sha256Digest::of(before_hash).to_string());
    let stat: Value = ledger.run("stat", &JSON).json().remove(0);
    assert_eq!((&exported["entries"], &exported["head"]), (&stat["entries"], &stat["head"]));
    assert!(exported["blobs"].as_u64().unwrap() > 0, "{exported}");
    let (imported, names) = one(import(&copy, &file, &JSON));
    assert_eq!(
        names.join(" "),
        "ledger_id origin entries head checkpoints carries_blobs blobs blob_bytes sha256"
    );
    for name in ["ledger_id", "origin", "entries", "head", "checkpoints", "blobs", "blob_bytes", "sha256"] {
        assert_eq!(exported[name], imported[name], "{name}");
    }
    let replayed =
        |dir: &str| ran(program().args(["replay", dir, "--format", "json", "--clock", crate::run::CLOCK]));
    let verify = ran(program().args(["verify", &copy])).exits(0);
    assert_eq!(verify.stderr, "");
    assert_eq!(replayed(ledger.dir.to_str().unwrap()).stdout, replayed(&copy).stdout);
    // The same again, byte for byte, in the place of the file that is there.
    one(ledger.run("export", &[&[file.as_str()], &JSON[..]].concat()));
    assert_eq!(fs::read(&file).unwrap(), bytes);
}

#[test]
fn through_a_pipe_the_stream_is_all_that_is_said() {
    let ledger = ledger();
    let (file, copy) = (beside(&ledger, "stream"), beside(&ledger, "copy"));
    ledger.run("export", &[&file]).well();
    let mut export = std::process::Command::new(env!("CARGO_BIN_EXE_proofline"))
        .arg("export")
        .arg(&ledger.dir)
        .args(JSON)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let import = std::process::Command::new(env!("CARGO_BIN_EXE_proofline"))
        .args(["import", &copy, "-"])
        .args(JSON)
        .stdin(export.stdout.take().unwrap())
        .output()
        .unwrap();
    assert!(export.wait().unwrap().success() && import.status.success());
    let said = json_lines(&String::from_utf8(import.stdout).unwrap()).remove(0);
    let bytes = fs::read(&file).unwrap();
    assert_eq!(said["sha256"], Sha256Digest::of(&bytes[..bytes.len() - 32]).to_string());
}

#[test]
fn what_cannot_be_imported_is_told_with_its_place_and_leaves_nothing() {
    let ledger = ledger();
    let (file, copy) = (beside(&ledger, "stream"), beside(&ledger, "copy"));
    ledger.run("export", &[&file]).well();
    let whole = fs::read(&file).unwrap();
    let refused = |bytes: &[u8], code: &str, place: Option<usize>| {
        fs::write(&file, bytes).unwrap();
        let (found, at, hint) = import(&copy, &file, &JSON).exits(4).error();
        assert_eq!(found, code);
        assert_eq!(at.unwrap(), place.map_or(file.clone(), |at| format!("{file}, byte {at}")));
        assert!(hint.is_some());
        assert!(!fs::exists(&copy).unwrap(), "{code}: something is left");
    };
    refused(b"no stream", "stream.magic", None);
    refused(&whole[..whole.len() - 1], "stream.truncated", Some(whole.len() - 32));
    refused(&[&whole[..], b"\n"].concat(), "stream.surplus", Some(whole.len()));
    let mut newer = whole.clone();
    newer[8] = 2;
    refused(&newer, "stream.newer_format", None);
    let mut changed = whole.clone();
    let last = changed.len() - 33;
    changed[last] ^= 1;
    refused(&changed, "stream.form", Some(whole.len() - 64));
    let absent = import(&copy, &beside(&ledger, "absent"), &JSON).exits(4).error();
    assert_eq!(absent.0, "input.unreadable");
    fs::write(&file, &whole).unwrap();
    let taken = import(ledger.dir.to_str().unwrap(), &file, &JSON).exits(4).error();
    assert_eq!(
        (taken.0.as_str(), taken.1),
        ("ledger.not_empty", Some(ledger.dir.to_str().unwrap().to_owned()))
    );
    let size = ledger.run("export", &[&[file.as_str(), "--at", "9999"], &JSON[..]].concat()).exits(4).error();
    assert_eq!(size.0, "export.size");
    assert_eq!(fs::read(&file).unwrap(), whole, "a failed export leaves the file that was there");
}

#[test]
fn a_backup_grows_with_its_ledger_and_is_one() {
    let ledger = Ledger::of(AGENT_WORK);
    let out = beside(&ledger, "copies/ledger");
    let backup = |more: &[&str]| ledger.run("backup", &[&[out.as_str()], more].concat());
    let (first, names) = one(backup(&JSON));
    assert_eq!(
        names.join(" "),
        "ledger_id entries previous_entries head log_bytes checkpoints blobs blob_bytes blobs_present \
         blobs_erased damaged"
    );
    assert_eq!(first["previous_entries"], Value::Null);
    assert_eq!(
        fs::read(ledger.segment()).unwrap(),
        fs::read(format!("{out}/log/00000000000000000000.seg")).unwrap()
    );
    let payloads = vectors(PAYLOADS);
    ledger.commit(
        &vectors("evidence/agent-work-after-model-change.jsonl"),
        &["--blobs", payloads.to_str().unwrap()],
    );
    let (second, _) = one(backup(&JSON));
    assert_eq!(second["previous_entries"], first["entries"]);
    assert!(second["entries"].as_u64() > first["entries"].as_u64(), "{second}");
    assert!(second["blobs"].as_u64().unwrap() > 0);
    ran(program().args(["verify", &out])).exits(0);
    let said = backup(&[]).well().stdout.replace(&out, "COPY");
    assert_snapshot!("backup", said);
}

/// A relative name of a folder that is not there yet lies in the folder that the run starts in, and is no
/// name of that folder.
#[test]
fn a_backup_goes_beside_a_ledger_by_relative_names() {
    let ledger = Ledger::of(AGENT_WORK);
    let name = ledger.dir.file_name().unwrap().to_str().unwrap().to_owned();
    let at_home = |args: [&str; 3], exit| {
        let mut command = program();
        command.current_dir(ledger.dir.parent().unwrap()).args(args).args(JSON);
        ran(&mut command).exits(exit)
    };
    at_home(["backup", &name, "copy beside"], 0);
    at_home(["backup", &name, "copy beside"], 0);
    at_home(["backup", &name, "not/there/yet"], 0);
    let inside = format!("{name}/copy");
    assert_eq!(at_home(["backup", &name, &inside], 4).error().0, "backup.into_itself");
    assert_eq!(at_home(["backup", &name, "."], 4).error().0, "backup.into_itself");
}

#[test]
fn a_backup_into_the_wrong_folder_is_refused() {
    let ledger = Ledger::of(AGENT_WORK);
    let other = Ledger::empty();
    let inside = ledger.dir.join("copy");
    let backup = |out: &str, exit| ledger.run("backup", &[&[out], &JSON[..]].concat()).exits(exit).error();
    assert_eq!(backup(inside.to_str().unwrap(), 4).0, "backup.into_itself");
    assert!(!inside.exists());
    let link = beside(&ledger, "link");
    std::os::unix::fs::symlink(&ledger.dir, &link).unwrap();
    assert_eq!(backup(&format!("{link}/copy"), 4).0, "backup.into_itself");
    assert_eq!(backup(&link, 4).0, "backup.into_itself");
    // The same id and first entry; its own second one.
    let line = other.dir.with_file_name("line");
    let evidence = fs::read_to_string(vectors("evidence/agent-work-after-model-change.jsonl")).unwrap();
    fs::write(&line, evidence.lines().next().unwrap()).unwrap();
    other.commit(&line, &[]);
    let (code, place, _) = backup(other.dir.to_str().unwrap(), 8);
    assert_eq!((code.as_str(), place), ("backup.fork", Some(other.dir.to_str().unwrap().to_owned())));
    let stranger = beside(&ledger, "stranger");
    ran(program().args(["init", &stranger])).exits(0);
    assert_eq!(backup(&stranger, 4).0, "backup.other_ledger");
    let (copy, elder) = (beside(&ledger, "grown"), Ledger::empty());
    ledger.run("backup", &[&copy]).well();
    let ahead = elder.run("backup", &[&[copy.as_str()], &JSON[..]].concat()).exits(8).error();
    assert_eq!(ahead.0, "backup.ahead");
}

#[test]
fn what_people_are_told() {
    let ledger = ledger();
    let (file, copy) = (beside(&ledger, "stream"), beside(&ledger, "copy"));
    let shown = |ran: Ran| ran.well().stdout.replace(&file, "FILE").replace(&copy, "COPY");
    assert_snapshot!("export", shown(ledger.run("export", &[&file])));
    assert_snapshot!("import", shown(import(&copy, &file, &[])));
}
