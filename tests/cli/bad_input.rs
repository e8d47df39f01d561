//! What people and scripts get wrong: a clear error with a code, the place and what to do, and nothing half-written.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

use assert_cmd::Command;

use crate::run::{AGENT_WORK, Ledger, Ran, clean, fed, program, proofline, ran, vectors};

const JSON: [&str; 2] = ["--format", "json"];

#[test]
fn a_command_line_that_makes_no_sense_is_usage() {
    let hash = "0".repeat(64);
    for arguments in [
        &["nonsense"][..],
        &["init"],
        &["init", "x", "--origin", "two words"],
        &["init", "x", "--ledger-id", "XYZ"],
        &["show", "x", "-1"],
        &["show", "x", &hash[1..]],
        &["trace", "x", "xyz"],
        &["replay", "x", "--trace", "00000000000000000000000000000000"],
        &["replay", "x", "--threads", "0"],
        &["replay", "x", "--clock", "yesterday"],
        &["replay", "x", "--mode", "psychic"],
        &["canon", "--profile", "loose"],
        &["hash", "--raw", "--profile", "content"],
        &["completions", "cobol"],
        &["stat", "x", "--format", "xml"],
    ] {
        let text = proofline(arguments).exits(2);
        assert_eq!(text.stdout, "", "{arguments:?}");
        assert!(text.stderr.starts_with("error[cli.usage]: "), "{arguments:?} {}", text.stderr);
        let mut with_json = arguments.to_vec();
        with_json.extend(JSON);
        let json = proofline(with_json).exits(2);
        assert_eq!(json.error().0, "cli.usage", "{arguments:?}");
    }
    let help = proofline([] as [&str; 0]).exits(2);
    assert!(help.stderr.contains("Usage: proofline <COMMAND>"), "{}", help.stderr);

    let ledger = Ledger::empty();
    let dir = ledger.dir.to_str().unwrap();
    ledger.run("replay", &["--ledger", dir]).exits(2);
    ledger.run("replay", &["--blobs", dir]).exits(2);
    let record = ran(program().arg("replay").arg(vectors(AGENT_WORK)).arg("--record").args(JSON)).exits(2);
    assert_eq!(record.error().0, "cli.usage");
}

#[test]
fn a_folder_that_is_no_ledger_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent");
    let plain = folder.path().join("plain");
    fs::create_dir(&plain).unwrap();
    fs::write(plain.join("notes.txt"), "mine").unwrap();
    let file = plain.join("notes.txt");
    let evidence = vectors(AGENT_WORK);
    let out = folder.path().join("out");
    for dir in [&absent, &plain, &file] {
        let verbs: [&[&OsStr]; 8] = [
            &["commit".as_ref(), dir.as_ref(), evidence.as_ref()],
            &["verify".as_ref(), dir.as_ref()],
            &["show".as_ref(), dir.as_ref(), "1".as_ref()],
            &["traces".as_ref(), dir.as_ref()],
            &["trace".as_ref(), dir.as_ref(), "ab".as_ref()],
            &["stat".as_ref(), dir.as_ref()],
            &["reindex".as_ref(), dir.as_ref()],
            &["salvage".as_ref(), dir.as_ref(), out.as_ref()],
        ];
        for verb in verbs {
            let (code, place, hint) = ran(program().args(verb).args(JSON)).exits(4).error();
            assert_eq!(code, "ledger.not_a_ledger", "{verb:?}");
            assert_eq!(place.as_deref(), dir.to_str());
            assert!(hint.unwrap().contains("proofline init"));
        }
    }
    let replayed = ran(program().arg("replay").arg(&plain).args(JSON)).exits(4);
    assert_eq!(replayed.error().0, "ledger.not_a_ledger");
    assert!(!absent.exists() && !out.exists());
    assert_eq!(fs::read_dir(&plain).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(&file).unwrap(), "mine");

    let taken = ran(program().arg("init").arg(&plain).args(JSON)).exits(4);
    assert_eq!(taken.error().0, "ledger.not_empty");
    let ledger = Ledger::empty();
    let before = fs::read(ledger.segment()).unwrap();
    assert_eq!(ledger.run("init", &JSON).exits(4).error().0, "ledger.not_empty");
    assert_eq!(fs::read(ledger.segment()).unwrap(), before);
}

#[test]
fn input_without_evidence_is_an_error_and_no_pass() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::empty();
    for (name, text) in [("empty", ""), ("blank", "\n \t\r\n\n")] {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        let place = Some(file.to_str().unwrap().to_owned());
        let (code, found, hint) = ran(program().arg("replay").arg(&file).args(JSON)).exits(4).error();
        assert_eq!((code.as_str(), &found), ("input.empty", &place));
        assert!(hint.is_some());
        let (code, found, _) = ledger.commit(&file, &JSON).exits(4).error();
        assert_eq!((code.as_str(), &found), ("input.empty", &place));
    }
    let (code, ..) = ran(program().args(["replay", "-"]).args(JSON).write_stdin("")).exits(4).error();
    assert_eq!(code, "input.empty");
}

#[test]
fn an_input_that_cannot_be_read_changes_nothing() {
    let ledger = Ledger::empty();
    let folder = tempfile::tempdir().unwrap();
    let absent = folder.path().join("absent.jsonl");
    for (file, verbs) in
        [(absent.as_path(), &["canon", "hash", "replay"][..]), (folder.path(), &["canon", "hash"])]
    {
        for verb in verbs {
            let (code, place, hint) = ran(program().arg(verb).arg(file).args(JSON)).exits(4).error();
            assert_eq!((code.as_str(), place.as_deref()), ("input.unreadable", file.to_str()), "{verb}");
            assert!(hint.is_some());
        }
        let (code, ..) = ledger.commit(file, &JSON).exits(4).error();
        assert_eq!(code, "input.unreadable");
        let kept = folder.path().join("kept");
        if !file.is_dir() {
            ran(program().arg("replay").arg(file).arg("--ledger").arg(&kept)).exits(4);
        }
        assert!(!kept.exists(), "no ledger is made for evidence that cannot be read");
    }
    let blobs = ledger
        .commit(&vectors(AGENT_WORK), &["--blobs", absent.to_str().unwrap(), JSON[0], JSON[1]])
        .exits(4);
    assert_eq!(blobs.error().0, "input.unreadable");
    let stat = ledger.run("stat", &JSON).well().json().remove(0);
    assert_eq!(stat["entries"], 1);
}

#[test]
fn nothing_is_found_where_nothing_is() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    let nobody = "f".repeat(32);
    let code = |verb: &str, what: &str| ledger.run(verb, &[what, JSON[0], JSON[1]]).exits(4).error().0;
    assert_eq!(code("show", "7"), "ledger.no_such_entry");
    assert_eq!(code("show", "18446744073709551615"), "ledger.no_such_entry");
    assert_eq!(code("show", &"0".repeat(64)), "ledger.no_such_hash");
    assert_eq!(code("trace", &nobody), "ledger.no_such_trace");
    assert_eq!(code("trace", "ff"), "ledger.no_such_trace");
    let replayed = ledger.run("replay", &["--trace", &nobody]).exits(1).stdout;
    assert!(
        replayed.contains("REPLAY_CHAIN_NOT_FOUND") && replayed.contains("1 of 1 trace fails"),
        "{replayed}"
    );
}

/// CRC-32C, bit by bit (RFC 3720 appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

#[test]
fn a_ledger_of_a_newer_format_is_refused_by_name() {
    assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    // docs/format.md: the version at byte 8, the checksum of the 76 bytes before it at byte 76.
    ledger.edit(&ledger.segment(), |bytes| {
        bytes[8] = 2;
        let crc = crc32c(&bytes[..76]).to_le_bytes();
        bytes[76..80].copy_from_slice(&crc);
    });
    let before = fs::read(ledger.segment()).unwrap();
    for (verb, more) in [
        ("commit", &[][..]),
        ("replay", &[]),
        ("verify", &[]),
        ("show", &["1"]),
        ("traces", &[]),
        ("trace", &["ab"]),
        ("stat", &[]),
        ("reindex", &[]),
    ] {
        let (code, _, hint) = ledger.run(verb, &[more, &JSON].concat()).exits(4).error();
        assert_eq!(code, "ledger.newer_format", "{verb}");
        assert!(hint.unwrap().contains("a later one"));
    }
    assert_eq!(fs::read(ledger.segment()).unwrap(), before);
}

/// The program as a user who owns nothing: who runs tests as root may write everywhere.
fn as_nobody(arguments: &[&OsStr]) -> Ran {
    const NOBODY: u32 = 65534;
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_proofline"));
    command.args(arguments);
    if fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0) {
        command.uid(NOBODY).gid(NOBODY);
    }
    ran(&mut clean(Command::from_std(command)))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_read_only_ledger_can_be_read_and_not_written() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    let files = |dir: &Path| fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
    let inside: Vec<_> = [files(&ledger.dir), files(&ledger.dir.join("log"))].concat();
    for path in &inside {
        set_mode(path, if path.is_dir() { 0o555 } else { 0o444 });
    }
    set_mode(&ledger.dir, 0o555);
    set_mode(ledger.dir.parent().unwrap(), 0o755);
    let dir = ledger.dir.as_os_str();
    let run = |verb: &str, more: &[&str]| {
        let more: Vec<&OsStr> = more.iter().map(OsStr::new).collect();
        as_nobody(&[&[verb.as_ref(), dir], &more[..], &[JSON[0].as_ref(), JSON[1].as_ref()]].concat())
    };
    for (verb, more) in [
        ("replay", &[][..]),
        ("verify", &[]),
        ("show", &["1"]),
        ("traces", &[]),
        ("trace", &["a3d5"]),
        ("stat", &[]),
    ] {
        run(verb, more).well();
    }
    for (verb, more) in [("commit", &["/dev/null"][..]), ("reindex", &[]), ("replay", &["--record"])] {
        let (code, _, hint) = run(verb, more).exits(6).error();
        assert_eq!(code, "ledger.read_only", "{verb}");
        assert!(hint.unwrap().contains("right to read and write"));
    }
    let below = ledger.dir.join("new");
    let (code, ..) =
        as_nobody(&["init".as_ref(), below.as_ref(), JSON[0].as_ref(), JSON[1].as_ref()]).exits(6).error();
    assert_eq!(code, "ledger.read_only");
    set_mode(&ledger.dir, 0o755);
    set_mode(&ledger.dir.join("log"), 0o755);
}

#[test]
fn paths_may_be_strange() {
    let folder = tempfile::tempdir().unwrap();
    for name in [&b"a b"[..], b"new\nline", b"\xff\xfe", "\u{202e}gpj 東京".as_bytes(), b"-dash", b"\x1b[31m"]
    {
        let dir = folder.path().join(OsStr::from_bytes(name));
        let made = ran(program().arg("init").arg(&dir)).well();
        assert!(!made.stdout.contains(['\u{1b}', '\u{202e}']), "{made:?}");
        ran(program().arg("commit").arg(&dir).arg(vectors(AGENT_WORK))).exits(1);
        ran(program().arg("verify").arg(&dir)).well();
        ran(program().arg("replay").arg(&dir)).exits(0);
        // What goes wrong is told safely: the ledger's own lines are no longer its own.
        let file = dir.join(OsStr::from_bytes(name));
        let absent = ran(program().arg("canon").arg(&file)).exits(4);
        assert!(!absent.stderr.contains(['\u{1b}', '\u{202e}']), "{absent:?}");
        assert_eq!(absent.stderr.lines().count(), 3, "{absent:?}");
    }
}

#[test]
fn a_line_that_is_no_evidence_never_stops_the_rest() {
    let good = fs::read_to_string(vectors("evidence/trouble/denied-call.jsonl")).unwrap();
    let good = good.lines().next().unwrap();
    let input = [b"{}\n\n\x00\xff\n".as_slice(), good.as_bytes(), b"\n{\"a\":"].concat();
    let ledger = Ledger::empty();
    let committed = ran(program().arg("commit").arg(&ledger.dir).args(JSON).write_stdin(input)).exits(4);
    let lines: Vec<_> =
        committed.json().iter().map(|line| (line["line"].clone(), line["seq"].clone())).collect();
    let null = serde_json::Value::Null;
    assert_eq!(
        lines,
        [(1.into(), null.clone()), (3.into(), null.clone()), (4.into(), 1.into()), (5.into(), null)]
    );
}

#[test]
fn nesting_without_end_overflows_nothing() {
    for deep in
        ["[".repeat(1 << 20), "{\"a\":".repeat(200_000), format!("{{\"envelope\":{}", "[".repeat(1_000_000))]
    {
        let ledger = Ledger::empty();
        let committed =
            ran(program().arg("commit").arg(&ledger.dir).args(JSON).write_stdin(deep.as_bytes())).exits(4);
        assert_eq!(committed.json()[0]["error_kind"], "schema_violation.malformed_json");
        let refused = fed(["canon", "--profile", "content"], deep).exits(4);
        assert!(refused.stderr.contains("error[canon.too_deep]"), "{}", refused.stderr);
    }
}
