//! No byte of evidence, of a file name or of an argument reaches the terminal as anything but something to read.

use crate::run::{Ledger, fed, program, proofline, ran, vectors};

/// Characters that a terminal obeys, or that hide or turn what stands around them.
pub(crate) fn assert_harmless(text: &str) {
    let is_hidden = |c: &char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    let turns = |c: &char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{61c}');
    let bad = text.chars().find(|c| (c.is_control() && *c != '\n') || is_hidden(c) || turns(c));
    assert_eq!(bad, None, "{text:?}");
}

#[test]
fn hostile_evidence_is_shown_and_not_obeyed() {
    let ledger = Ledger::of("evidence/trouble/hostile-text.jsonl");
    let id = ledger.run("traces", &["--format", "json"]).json()[0]["trace_id"].as_str().unwrap().to_owned();
    let mut shown = String::new();
    let pair = ["--baseline", id.as_str(), "--candidate", id.as_str()];
    let constrained = [&["--mode", "constrained", "--record"], &pair[..]].concat();
    for (verb, more) in [
        ("show", &["1"][..]),
        ("trace", &[&id]),
        ("traces", &[]),
        ("stat", &[]),
        ("replay", &["--include-rejected"]),
        ("replay", &["--mode", "all", "--record"]),
        ("replay", &constrained),
        ("verify", &[]),
        ("log", &[]),
        ("log", &["--trace", &id]),
        ("log", &["--follow", "--limit", "0"]),
        ("verdicts", &[]),
        ("html", &["--all"]),
    ] {
        for format in ["text", "json"] {
            let more = [more, &["--format", format]].concat();
            let ran = ledger.run(verb, &more).well();
            assert_harmless(&ran.stdout);
            shown += &ran.stdout;
        }
    }
    assert!(
        shown.contains("\\u{1b}[2J\\u{1b}]0;owned\\u{7}\\u{202e}gpj.exe\\u{2066}\\u{200b}\\r\\n<script>"),
        "{shown}"
    );
    // JSON keeps the value.
    let json = ledger.run("show", &["1", "--format", "json"]).json().remove(0);
    let issuer = json["body"]["credential"]["issuer"].as_str().unwrap();
    assert!(
        issuer.starts_with("\u{1b}[2J\u{1b}]0;owned\u{7}\u{202e}gpj.exe\u{2066}\u{200b}\r\n<script>"),
        "{issuer:?}"
    );
}

#[test]
fn hostile_names_in_refused_lines_are_shown_and_not_obeyed() {
    let lines = [
        r#"{"record_type":"\u001b[31m\u202e"}"#,
        r#"{"envelope":{},"\u001b]0;x\u0007\u200b":1}"#,
        r#"{"\u009b31m":1,"\u009b31m":2}"#,
        "\u{1b}[2J",
        "{\"a\u{202e}\": \u{9b}}",
    ]
    .join("\n");
    for format in ["text", "json"] {
        let ledger = Ledger::empty();
        let committed = ran(program()
            .arg("commit")
            .arg(&ledger.dir)
            .args(["--format", format])
            .write_stdin(lines.as_str()));
        let committed = committed.exits(4);
        assert_harmless(&committed.stdout);
        assert_harmless(&committed.stderr);
        let replayed = fed(["replay", "-", "--format", format], lines.as_str()).exits(4);
        assert_harmless(&replayed.stdout);
        assert_harmless(&replayed.stderr);
    }
}

#[test]
fn hostile_arguments_are_shown_and_not_obeyed() {
    let name = "\u{1b}[31m\u{202e}\u{7}\r\nx";
    for arguments in [
        &[name][..],
        &["stat", name],
        &["show", "x", name],
        &["canon", name],
        &["init", "x", "--origin", name],
    ] {
        for format in ["text", "json"] {
            let ran = ran(program().args(arguments).args(["--format", format]));
            assert_ne!(ran.code, 0);
            assert_harmless(&ran.stderr);
            assert_harmless(&ran.stdout);
        }
    }
}

#[test]
fn hostile_words_in_files_that_steer_a_comparison_are_shown_and_not_obeyed() {
    let (ledger, folder) = (Ledger::empty(), tempfile::tempdir().unwrap());
    let name = r"\u001b]0;x\u0007\u202e\u200b\r\n";
    let long = "n".repeat(5000);
    let write = |file: &str, text: String| {
        let file = folder.path().join(file);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let pairs = write("good", format!("{{\"baseline\":\"{0}\",\"candidate\":\"{0}\"}}", "ab".repeat(16)));
    for text in [
        format!("{{\"{name}\":1}}"),
        format!("{{\"allow_variance\":{{\"{name}\":[]}},\"baseline\":\"{name}\",\"candidate\":\"\"}}"),
        format!("{{\"allow_variance\":{{\"model_call\":[\"{name}\"]}}}}"),
        format!("{{\"allow_variance\":{{}},\"{name}\":1,\"{name}\":2}}"),
        format!("{{\"allow_variance\":{{\"{long}\":[]}}}}"),
        "\u{1b}[2J\u{202e}".to_owned(),
    ] {
        let bad = write("bad", text);
        for format in ["text", "json"] {
            for steering in [&["--pairs", &bad][..], &["--pairs", &pairs, "--variance", &bad]] {
                let arguments = [&["--mode", "constrained", "--format", format], steering].concat();
                let ran = ledger.run("replay", &arguments).exits(4);
                assert_harmless(&ran.stderr);
                assert!(format == "json" || ran.stderr.len() < 4_000, "{}", ran.stderr.len());
            }
        }
    }
}

#[test]
fn long_texts_end_in_an_ellipsis() {
    let name = "n".repeat(5000);
    let line = format!(r#"{{"envelope":1,"{name}":1}}"#);
    let ledger = Ledger::empty();
    let committed = ran(program().arg("commit").arg(&ledger.dir).write_stdin(line)).exits(4);
    assert!(committed.stdout.contains("nnn…"), "{}", committed.stdout);
    assert!(committed.stdout.len() < 1500, "{}", committed.stdout.len());
}

/// A context on a span below another, as one line.
fn context_below(number: u64) -> String {
    let trace = match number {
        0 => r#""span_kind":"root""#.to_owned(),
        _ => format!(r#""parent_span_id":"{number:016x}","span_kind":"child""#),
    };
    let (ts_ms, trace_id, span_id) = (1_000 + number, "ab".repeat(16), number + 1);
    let (name, hash) = ("a".repeat(200), "0".repeat(64));
    let members = [
        r#""spec_version":"1.0.0","canon_version":"1","record_type":"auth_context""#.to_owned(),
        format!(r#""ts_ms":{ts_ms},"trace":{{"trace_id":"{trace_id}","span_id":"{span_id:016x}",{trace}}}"#),
        r#""producer":{"layer":"cpo","component":"gateway"}"#.to_owned(),
        format!(r#""actor":{{"actor_kind":"agent","actor_id":"agents/{name}"}}"#),
        format!(r#""credential":{{"credential_kind":"mtls","issuer":"x","presented_hash_sha256":"{hash}","#)
            + r#""verified_at_ms":0,"expires_at_ms":1}"#,
        r#""grants":{}"#.to_owned(),
    ];
    format!("{{{}}}", members.join(","))
}

#[test]
fn a_trace_of_any_depth_stays_within_the_width() {
    const SPANS: u64 = 3000;
    let lines: Vec<String> = (0..SPANS).map(context_below).collect();
    let ledger = Ledger::empty();
    ran(program().arg("commit").arg(&ledger.dir).write_stdin(lines.join("\n"))).well();
    for columns in ["40", "80", "200"] {
        let drawn =
            ran(program().arg("trace").arg(&ledger.dir).arg("abab").env("COLUMNS", columns)).well().stdout;
        let width: usize = columns.parse().unwrap();
        let longest = drawn.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(longest <= width.max(60), "{longest} of {width}");
        assert!(drawn.contains("2999⋯ "), "the depth is told where it is not drawn");
        assert_eq!(drawn.matches("#").count(), usize::try_from(SPANS).unwrap());
    }
    let json = ledger.run("trace", &["abab", "--format", "json"]).well().json();
    assert_eq!(json[2999]["depth"], 2999);
    ledger.run("replay", &[]).well();
}

#[test]
fn colour_is_for_terminals_and_for_those_who_ask() {
    let file = vectors("evidence/trouble/denied-call.jsonl");
    let with = |name: Option<&str>| {
        let mut command = program();
        command.arg("replay").arg(&file);
        name.map(|name| command.env(name, "1"));
        ran(&mut command).exits(0).stdout
    };
    assert!(!with(None).contains('\u{1b}'));
    let coloured = with(Some("CLICOLOR_FORCE"));
    assert!(coloured.contains("\u{1b}[32mpass"), "{coloured:?}");
    let mut command = program();
    command.arg("replay").arg(&file).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1");
    assert!(!ran(&mut command).exits(0).stdout.contains('\u{1b}'));
    let error = ran(program().args(["stat", "absent"]).env("CLICOLOR_FORCE", "1")).exits(4);
    assert!(error.stderr.starts_with("\u{1b}[1m\u{1b}[31merror["), "{:?}", error.stderr);
    assert!(!proofline(["stat", "absent"]).exits(4).stderr.contains('\u{1b}'));
    let json = ran(program().arg("replay").arg(&file).args(["--format", "json"]).env("CLICOLOR_FORCE", "1"));
    assert!(!json.exits(0).stdout.contains('\u{1b}'));
}
