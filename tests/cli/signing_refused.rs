//! Keys, notes and policies that are refused: each with its code, nothing is written, and no secret is repeated.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::signing::{Desk, ORIGIN};

fn chmod(desk: &Desk, file: &str, mode: u32) {
    fs::set_permissions(desk.path(file), fs::Permissions::from_mode(mode)).unwrap();
}

/// Runs for JSON and gives the code of the error, asserting the exit code.
#[track_caller]
fn refused(desk: &Desk, arguments: &[&str], exit: i32) -> String {
    desk.run(&[arguments, &["--format", "json"]].concat()).exits(exit).error().0
}

#[test]
fn a_key_that_others_can_read_or_that_is_none_is_refused_everywhere() {
    let desk = Desk::with_log_key();
    desk.keygen("gateway.example", "gateway.key", "producer");
    fs::create_dir(desk.path("folder")).unwrap();
    fs::write(desk.path("noise"), "nothing of a key\n").unwrap();
    fs::write(desk.path("bytes"), [0xff, 0xfe, 0x00]).unwrap();
    fs::write(desk.path("empty"), "").unwrap();
    fs::write(desk.path("long"), desk.read("log.key").repeat(100)).unwrap();
    let cut = desk.read("log.key");
    fs::write(desk.path("cut"), &cut[..cut.len() - 3]).unwrap();
    // Another id: the key was put together from two.
    let id = desk.read("log.key.pub").split('+').nth(1).unwrap().to_owned();
    fs::write(desk.path("mixed"), cut.replacen(&id, "00000000", 1)).unwrap();
    fs::write(desk.path("two-lines"), format!("{cut}\n")).unwrap();
    for file in ["cut", "mixed", "long", "two-lines"] {
        chmod(&desk, file, 0o600);
    }
    let hash = "0".repeat(64);
    fs::write(desk.path("note"), "a\n").unwrap();
    let uses: [&[&str]; 7] = [
        &["checkpoint", "LEDGER", "--key"],
        &["keys", "add", "LEDGER", "--key"],
        &["keys", "add", "LEDGER", "--key", "gateway.key", "--by"],
        &["keys", "retire", "LEDGER", "log.key.pub", "--by"],
        &["checkpoint", "cosign", "note", "--log-key", "log.key.pub", "--key"],
        &["attest", "LEDGER", &hash, "--key"],
        &["commit", "LEDGER", "--checkpoint-key"],
    ];
    let code = |how: &[&str], file: &str| refused(&desk, &[how, &[file]].concat(), 4);
    for how in uses {
        for (file, expected) in [
            ("absent", "input.unreadable"),
            ("folder", "input.unreadable"),
            ("noise", "key.form"),
            ("bytes", "key.form"),
            ("empty", "key.form"),
            ("long", "key.form"),
            ("cut", "key.form"),
            ("two-lines", "key.form"),
            ("mixed", "key.id"),
            ("log.key.pub", "key.kind"),
        ] {
            assert_eq!(code(how, file), expected, "{how:?} {file}");
        }
        for mode in [0o640, 0o604, 0o620, 0o601, 0o666] {
            chmod(&desk, "log.key", mode);
            assert_eq!(code(how, "log.key"), "key.permissions", "{how:?} {mode:o}");
        }
        chmod(&desk, "log.key", 0o600);
        // The secret itself, where its file should be named.
        let text = desk.read("log.key");
        for format in ["json", "text"] {
            desk.run(&[how, &[text.trim_end(), "--format", format]].concat()).exits(4);
        }
    }
    chmod(&desk, "log.key", 0o644);
    assert_eq!(refused(&desk, &["keygen", "--show", "log.key"], 4), "key.permissions");
    assert!(desk.run(&["keygen", "--show", "log.key"]).stderr.contains("chmod 600"));
    chmod(&desk, "log.key", 0o400);
    desk.run(&["keygen", "--show", "log.key"]).well();
    assert_eq!(desk.run(&["stat", "LEDGER", "--format", "json"]).well().json()[0]["entries"], 2);
}

#[test]
fn a_secret_that_stands_where_it_does_not_belong_is_not_repeated() {
    let desk = Desk::with_log_key();
    let text = desk.read("log.key");
    let secret = text.trim_end();
    for arguments in [
        &["keygen", secret, "x"][..],
        &["keygen", "a", "b", secret],
        &["keys", secret],
        &["keys", "retire", "LEDGER", secret, "--by", "log.key"],
        &["checkpoint", "verify", secret, "--key", "log.key.pub"],
        &["checkpoint", "verify", "absent", "--key", secret],
        &["checkpoint", "verify", "log.key", "--key", "log.key.pub"],
        &["checkpoint", "verify", "log.key", "--policy", "log.key"],
        &["checkpoint", "LEDGER", "--key", "log.key", secret],
        &["attest", "LEDGER", secret, "--key", "log.key"],
        &["attest", "LEDGER", "--dsse", "log.key"],
        &["attest", "--offline", "log.key", "--key", "log.key"],
        &["show", "LEDGER", secret],
        &["canon", "log.key"],
        &["commit", "LEDGER", "log.key"],
        &[secret],
    ] {
        for format in ["text", "json"] {
            // That nothing is repeated is asserted when the desk goes.
            let ran = desk.run(&[arguments, &["--format", format]].concat());
            assert_ne!(ran.code, 0, "{arguments:?}");
            assert!(!ran.stderr.contains(&secret[12..]), "{}", ran.stderr);
        }
    }
}

#[test]
fn keygen_writes_over_nothing_and_leaves_nothing_half_done() {
    let desk = Desk::new();
    let files = || fs::read_dir(desk.path("")).unwrap().count();
    for (name, role, expected) in [
        ("two words", "log", "key.name"),
        ("", "log", "key.name"),
        ("a+b", "log", "key.name"),
        ("a\u{1b}[31m", "log", "key.name"),
        (&"n".repeat(256), "log", "key.name"),
    ] {
        assert_eq!(refused(&desk, &["keygen", name, "k", "--role", role], 4), expected, "{name:?}");
    }
    assert_eq!(
        refused(&desk, &["keygen", "a", "k", "--role", "witness-ml-dsa-44", "--pem"], 2),
        "key.no_pem"
    );
    assert_eq!(refused(&desk, &["keygen", "a", "k", "--role", "king"], 2), "cli.usage");
    assert_eq!(refused(&desk, &["keygen", "a"], 2), "cli.usage");
    assert_eq!(refused(&desk, &["keygen", "a", "absent/k"], 6), "output.unwritable");
    assert_eq!(files(), 0);
    for taken in ["k", "k.pub", "k.pem"] {
        fs::write(desk.path(taken), "mine").unwrap();
        assert_eq!(refused(&desk, &["keygen", "a", "k", "--pem"], 4), "key.exists");
        assert_eq!((desk.read(taken).as_str(), files()), ("mine", 1), "{taken}");
        fs::remove_file(desk.path(taken)).unwrap();
    }
    symlink("nowhere", desk.path("k")).unwrap();
    assert_eq!(refused(&desk, &["keygen", "a", "k"], 4), "key.exists");
    assert_eq!(files(), 1);
    // The public file's name is too long for the system when the secret one is written: that goes again.
    assert_eq!(refused(&desk, &["keygen", "a", &"k".repeat(252)], 6), "output.unwritable");
    assert_eq!(files(), 1);
    // A direction mark is part of the name, and shown as what it is.
    let shown = desk.run(&["keygen", "a\u{202e}b", "turned"]).well().stdout;
    assert!(shown.starts_with("a\\u{202e}b+"), "{shown}");
}

#[test]
fn the_list_of_keys_refuses_what_its_rule_says() {
    let desk = Desk::with_log_key();
    desk.keygen("other.example", "other.key", "log");
    desk.keygen(ORIGIN, "second.key", "log");
    desk.keygen("w.example", "witness.key", "witness");
    desk.keygen("gateway.example", "gateway.key", "producer");
    let name = |file: &str| {
        let key: proofline::proof::VerifierKey = desk.read(file).trim_end().parse().unwrap();
        key.short_name()
    };
    let add = |more: &[&str]| refused(&desk, &[&["keys", "add", "LEDGER", "--key"], more].concat(), 4);
    assert_eq!(add(&["other.key"]), "keys.name");
    assert_eq!(add(&["witness.key", "--by", "log.key"]), "keys.role");
    assert_eq!(add(&["gateway.key"]), "keys.unendorsed");
    assert_eq!(add(&["gateway.key", "--by", "second.key"]), "keys.endorser");
    assert_eq!(add(&["gateway.key", "--by", "witness.key"]), "sign.role");
    assert_eq!(add(&["log.key", "--by", "log.key"]), "keys.listed");
    let retire = |key: &str, by: &str| refused(&desk, &["keys", "retire", "LEDGER", key, "--by", by], 4);
    assert_eq!(retire(&name("second.key.pub"), "log.key"), "keys.not_current");
    assert_eq!(retire("second.key.pub", "log.key"), "keys.not_current");
    assert_eq!(retire(&name("log.key.pub"), "second.key"), "keys.endorser");
    assert_eq!(retire("second.key", "log.key"), "key.kind");
    assert_eq!(retire("nonsense", "log.key"), "input.unreadable");
    for hostile in ["a\u{202e}+00", "\u{1b}[2J+1", "x+y+z"] {
        desk.run(&["keys", "retire", "LEDGER", hostile, "--by", "log.key"]).exits(4);
    }
    assert_eq!(refused(&desk, &["checkpoint", "LEDGER", "--key", "second.key"], 4), "checkpoint.not_current");
    assert_eq!(
        refused(&desk, &["checkpoint", "LEDGER", "--key", "gateway.key"], 4),
        "checkpoint.not_current"
    );
    assert_eq!(
        refused(&desk, &["attest", "--offline", "log.key.pub", "--key", "log.key"], 4),
        "canon.unexpected_byte"
    );
    fs::write(desk.path("envelope"), "{}").unwrap();
    assert_eq!(refused(&desk, &["attest", "--offline", "envelope", "--key", "log.key"], 4), "sign.role");
    assert_eq!(refused(&desk, &["attest", "LEDGER", "--dsse", "envelope"], 4), "dsse.member");
    assert_eq!(refused(&desk, &["attest", "LEDGER"], 2), "cli.usage");
    for verb in [&["keys", "folder"][..], &["checkpoint", "folder", "--key", "log.key"]] {
        assert_eq!(refused(&desk, verb, 4), "ledger.not_a_ledger");
    }
    assert_eq!(desk.run(&["stat", "LEDGER", "--format", "json"]).well().json()[0]["entries"], 2);
    desk.retire(&name("log.key.pub"), "log.key").well();
    assert_eq!(add(&["second.key", "--by", "log.key"]), "keys.endorser", "it retired itself");
}

#[test]
fn notes_and_policies_that_say_something_else_are_refused() {
    let desk = Desk::with_log_key();
    let note = desk.checkpoint("log.key", "note");
    let other = Desk::with_log_key();
    let stranger = other.read("log.key.pub");
    let verify = |file: &str, how: &[&str], exit: i32| {
        refused(&desk, &[&["checkpoint", "verify", file], how].concat(), exit)
    };
    let key = ["--key", "log.key.pub"];
    assert_eq!(refused(&desk, &["checkpoint", "verify", "note"], 2), "cli.usage");
    assert_eq!(verify("absent", &key, 4), "input.unreadable");
    assert_eq!(verify(".", &key, 4), "input.unreadable");
    assert_eq!(verify("log.key.pub", &key, 4), "note.split");
    assert_eq!(verify("note", &["--key", stranger.trim_end()], 9), "checkpoint.no_log");
    assert_eq!(verify("note", &["--key", "absent"], 4), "input.unreadable");
    assert_eq!(verify("note", &["--key", "log.key"], 4), "key.kind");
    assert_eq!(verify("note", &["--key", "a+b+c"], 4), "key.form");
    assert_eq!(verify("note", &["--key", "log.key.pub", "--key", "log.key.pub"], 4), "policy.same_key");
    desk.keygen("p.example", "producer.key", "producer");
    assert_eq!(verify("note", &["--key", "producer.key.pub"], 4), "policy.role");
    assert_eq!(verify("note", &["--policy", "log.key.pub"], 4), "policy.keyword");
    let changed = [
        ("size", note.replacen("\n3\n", "\n4\n", 1), "checkpoint.signature", 9),
        (
            "origin",
            note.replacen("ledger.example/test\n", "ledger.example/desk\n", 1),
            "checkpoint.signature",
            9,
        ),
        ("no-size", note.replacen("\n3\n", "\n03\n", 1), "checkpoint.size", 4),
        ("cut", note[..note.len() - 1].to_owned(), "note.block", 4),
        ("control", note.replacen("ledger", "\u{1b}ledger", 1), "note.control", 4),
    ];
    for (name, text, code, exit) in changed {
        fs::write(desk.path(name), text).unwrap();
        assert_eq!(verify(name, &key, exit), code, "{name}");
        assert_eq!(verify(name, &["--ledger", "LEDGER"], exit), code, "{name}");
    }
    // A note of another log, with a hostile origin.
    let name = "log\u{202e}.example";
    desk.keygen(name, "hostile.key", "log");
    let key_text = desk.read("hostile.key");
    let key: proofline::proof::SecretKey = key_text.trim_end().parse().unwrap();
    let root = proofline::proof::NodeHash::from_bytes([7; 32]);
    let hostile = proofline::proof::Checkpoint::new(name, 1, root).unwrap().sign(&[&key]).unwrap();
    fs::write(desk.path("hostile"), hostile.to_bytes()).unwrap();
    for format in ["text", "json"] {
        desk.run(&["checkpoint", "verify", "hostile", "--key", "hostile.key.pub", "--format", format]).well();
        desk.run(&["checkpoint", "verify", "hostile", "--key", "log.key.pub", "--format", format]).exits(9);
    }
    let shown = desk.run(&["checkpoint", "verify", "hostile", "--key", "hostile.key.pub"]).well().stdout;
    assert!(shown.contains("log\\u{202e}.example"), "{shown}");
    fs::write(desk.path("policy"), format!("log {}quorum none\n", desk.read("hostile.key.pub"))).unwrap();
    let with_ledger = ["--policy", "policy", "--ledger", "LEDGER"];
    assert_eq!(verify("hostile", &with_ledger, 4), "checkpoint.other_ledger");
    // A witness cosigns nothing that it did not verify, and no log key cosigns.
    desk.keygen("w.example", "witness.key", "witness");
    let cosign = |file: &str, key: &str, log: &str, exit: i32| {
        refused(&desk, &["checkpoint", "cosign", file, "--key", key, "--log-key", log], exit)
    };
    assert_eq!(cosign("size", "witness.key", "log.key.pub", 9), "checkpoint.signature");
    assert_eq!(cosign("note", "witness.key", "hostile.key.pub", 9), "checkpoint.no_log");
    assert_eq!(cosign("note", "log.key", "log.key.pub", 4), "sign.role");
    let stamp = ["checkpoint", "timestamp", "note", "--token", "log.key.pub", "--authority"];
    assert_eq!(refused(&desk, &[&stamp[..], &["two words"]].concat(), 4), "key.name");
    assert_eq!(refused(&desk, &[&stamp[..], &["tsa.example"]].concat(), 4), "tsa.form");
    assert_eq!(
        fs::read_dir(desk.ledger.dir.join("checkpoints")).unwrap().count(),
        2,
        "one note and the lock"
    );
}

/// Two ledgers of one origin and one key: what one signed, the other does not hold.
#[test]
fn a_ledger_that_is_shorter_or_another_does_not_pass_for_what_was_signed() {
    let (desk, other) = (Desk::with_log_key(), Desk::new());
    fs::copy(desk.path("log.key"), other.path("log.key")).unwrap();
    let long = other.add("log.key", &["--clock", "2026-01-31T00:00:01Z"]);
    assert_eq!(long.code, 2, "one clock");
    other.run(&["keys", "add", "LEDGER", "--key", "log.key", "--clock", "2026-01-31T00:00:01Z"]).well();
    desk.checkpoint("log.key", "signed");
    // As many entries, the index entry before a checkpoint among them.
    other.checkpoint("log.key", "own");
    fs::copy(desk.path("signed"), other.path("signed")).unwrap();
    let verify = ["checkpoint", "verify", "signed", "--ledger", "LEDGER", "--key", "log.key"];
    let verify = &verify[..5];
    assert_eq!(refused(&other, verify, 8), "checkpoint.fork");
    desk.run(verify).well();
    desk.keygen("gateway.example", "gateway.key", "producer");
    desk.add("gateway.key", &["--by", "log.key"]).well();
    desk.checkpoint("log.key", "longer");
    fs::copy(desk.path("longer"), other.path("signed")).unwrap();
    assert_eq!(refused(&other, verify, 8), "checkpoint.past_end");
    // Nor does it take in a note of the other history.
    fs::copy(desk.path("signed"), other.path("signed")).unwrap();
    other.keygen("w.example", "witness.key", "witness");
    let cosign = ["checkpoint", "cosign", "signed", "--key", "witness.key", "--ledger", "LEDGER"];
    assert_eq!(refused(&other, &cosign, 8), "checkpoint.fork");
}
