//! `html`: the pages as files, read back strictly, and what the verb says and refuses.

use insta::assert_snapshot;
use tempfile::tempdir;

use crate::run::{AGENT_WORK, Ledger, PAYLOADS, program, ran, vectors};
use crate::strict_html;

fn worked() -> Ledger {
    let ledger = Ledger::empty();
    let blobs = vectors(PAYLOADS);
    ledger.commit(&vectors(AGENT_WORK), &["--blobs", blobs.to_str().unwrap()]);
    ledger
}

#[test]
fn a_small_page_as_it_stands_in_its_file() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    let trace =
        ledger.run("traces", &["--format", "json"]).json()[0]["trace_id"].as_str().unwrap().to_owned();
    let page = ledger.run("html", &["--trace", &trace]).well().stdout;
    strict_html::read(page.as_bytes());
    // Style and script have files of their own.
    let (head, rest) = page.split_once("<style>").unwrap();
    let (_, rest) = rest.split_once("</style>").unwrap();
    let (body, _) = rest.split_once("<script>").unwrap();
    assert_snapshot!("html", format!("{head}\n...\n{body}"));
}

#[test]
fn each_page_is_a_file_and_the_same_for_any_number_of_threads() {
    let (ledger, folder) = (worked(), tempdir().unwrap());
    let of_pairs = vectors("evidence/pairs.jsonl");
    let pages: [(&[&str], i32); 5] = [
        (&["--all"], 0),
        (&["--all", "--mode", "invariant"], 0),
        (&["--trace", "da950e42aef0bfe2197fd9b6b3c4838c"], 0),
        (&["--drift", "da95", "e85a"], 1),
        (&["--mode", "constrained", "--pairs", of_pairs.to_str().unwrap()], 1),
    ];
    for (arguments, code) in pages {
        let (file, mut bytes) = (folder.path().join("page.html"), Vec::new());
        for threads in ["1", "3"] {
            let out = ["--out", file.to_str().unwrap(), "--threads", threads, "--format", "json"];
            let said = ledger.run("html", &[arguments, &out].concat()).exits(code).json();
            let page = std::fs::read(&file).unwrap();
            assert_eq!(said[0]["bytes"], page.len());
            bytes.push(page);
        }
        assert!(bytes[0] == bytes[1], "{arguments:?}");
        let printed = ran(program().arg("html").arg(&ledger.dir).args(arguments)).exits(code).stdout;
        assert!(printed.as_bytes() == bytes[0], "{arguments:?}");
        strict_html::read(&bytes[0]);
    }
}

#[test]
fn damage_is_told_on_the_page_and_by_the_exit_code() {
    let ledger = worked();
    ledger.edit(&ledger.segment(), |bytes| {
        let at = crate::run::find(bytes, "mail/lists/returns-weekly");
        bytes[at] ^= 1;
    });
    let page = ledger.run("html", &["--all"]).exits(3).stdout;
    let page = strict_html::read(page.as_bytes());
    assert!(page.text.contains("The log is damaged"));
    assert!(page.text.contains("frame.body_checksum"));
    assert_eq!(page.count("fail"), 1);
}

#[test]
fn a_page_needs_a_subject_and_only_one() {
    let ledger = worked();
    for arguments in [&[][..], &["--mode", "invariant"], &["--all", "--mode", "all"]] {
        let (code, _, _) = ledger.run("html", &[arguments, &["--format", "json"]].concat()).exits(2).error();
        assert_eq!(code, "cli.usage", "{arguments:?}");
    }
    ledger.run("html", &["--all", "--drift", "da95", "e85a"]).exits(2);
    let missing = ledger.run("html", &["--drift", "da95", "0123", "--format", "json"]).exits(4);
    assert_eq!(missing.error().0, "ledger.no_such_trace");
    // A trace that is not there is a verdict, and a page.
    let page = ledger.run("html", &["--trace", &"1".repeat(32)]).exits(1).stdout;
    assert!(strict_html::read(page.as_bytes()).text.contains("REPLAY_CHAIN_NOT_FOUND"));
}

#[test]
fn what_cannot_be_written_leaves_nothing() {
    let (ledger, folder) = (worked(), tempdir().unwrap());
    let file = folder.path().join("missing/page.html");
    let refused =
        ledger.run("html", &["--all", "--out", file.to_str().unwrap(), "--format", "json"]).exits(6);
    assert_eq!(refused.error().0, "output.unwritable");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// A device is written into: a file in its place would take it away from everybody.
#[test]
fn a_device_keeps_its_place() {
    let (ledger, folder) = (worked(), tempdir().unwrap());
    let link = folder.path().join("nowhere");
    std::os::unix::fs::symlink("/dev/null", &link).unwrap();
    ledger.run("html", &["--all", "--out", link.to_str().unwrap()]).well();
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
