//! `diff`: two traces side by side, against the reference of the shipped pairs, as pictures, and with evidence that
//! is hostile, huge or damaged.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::hostile::assert_harmless;
use crate::modes::{both_runs, reference};
use crate::run::{AGENT_WORK, Ledger, Ran, program, ran};

fn drawn(ledger: &Ledger, columns: &str, arguments: &[&str]) -> Ran {
    let mut command = program();
    command.arg("diff").arg(&ledger.dir).args(arguments).env("COLUMNS", columns);
    ran(command.timeout(Duration::from_secs(60)))
}

#[track_caller]
fn assert_fits(text: &str, columns: usize) {
    for line in text.lines() {
        assert!(line.chars().count() <= columns, "{columns}: {line}");
        assert_eq!(line, line.trim_end(), "nothing trails");
    }
}

/// How often each member that constrained replay compares differs, by the reference.
fn wanted(kinds: &Value) -> BTreeMap<String, u64> {
    let kinds = kinds.as_object().unwrap().iter();
    kinds.map(|(kind, count)| (kind.clone(), count.as_u64().unwrap())).collect()
}

/// The same, counted over the accepted records of all lines: constrained replay looks at no others.
fn found(lines: &[Value]) -> BTreeMap<String, u64> {
    let records = |side: &Value| side["records"].as_array().cloned().unwrap_or_default();
    let all = lines.iter().flat_map(|line| [records(&line["a"]), records(&line["b"])].concat());
    let refused: Vec<Value> =
        all.filter(|it| it["classification"] != "ACCEPT").map(|it| it["seq"].clone()).collect();
    let mut counts = BTreeMap::new();
    for difference in lines.iter().flat_map(|line| line["differences"].as_array().unwrap()) {
        let kind = difference["kind"].as_str().unwrap();
        let is_refused = ["a", "b"].iter().any(|side| refused.contains(&difference[side]["seq"]));
        if ["response", "outcome", "usage"].contains(&kind) && !is_refused {
            *counts.entry(kind.to_owned()).or_default() += 1;
        }
    }
    counts
}

#[test]
fn pairs_on_one_path_differ_where_the_reference_says() {
    let ledger = both_runs();
    let (mut on_one_path, mut moved, mut alike) = (0, 0, 0);
    for pair in reference()["pairs"].as_array().unwrap() {
        let [one, other] = ["baseline", "candidate"].map(|name| pair[name].as_str().unwrap());
        let lines = ledger.run("diff", &[one, other, "--format", "json"]);
        let (code, lines) = (lines.code, lines.json());
        let (summary, spans) = lines.split_last().unwrap();
        let summary = &summary["summary"];
        let count = |name: &str| spans.iter().filter(|line| line["change"] == name).count();
        for (name, change) in [
            ("same", "same"),
            ("changed", "changed"),
            ("only_a", "only_a"),
            ("only_b", "only_b"),
            ("moved", "moved_a"),
        ] {
            assert_eq!(summary[name], count(change), "{name}");
        }
        for (side, id) in [("a", one), ("b", other)] {
            assert_eq!(summary[side]["trace_id"], id);
            assert_eq!(spans.iter().filter(|line| !line[side].is_null()).count(), summary[side]["spans"]);
        }
        for (kind, count) in summary["differences"].as_object().unwrap() {
            let all = spans.iter().flat_map(|line| line["differences"].as_array().unwrap());
            assert_eq!(count, all.filter(|it| it["kind"] == kind.as_str()).count(), "{kind}");
        }
        assert_eq!(summary["differ"], count("same") != spans.len());
        assert_eq!(code, i32::from(count("same") != spans.len()));
        let class = &pair["none"]["record"]["failure_class"];
        if !class.is_null() && class != "REPLAY_VARIANCE_VIOLATION" {
            assert_eq!(code, 1, "{class}: another path, or no chain at all");
            continue;
        }
        let (found, wanted) = (found(spans), wanted(&pair["none"]["not_allowed"]));
        // The reference pairs calls wherever they stand, and so does a step that moved.
        assert_eq!((&summary["only_a"], &summary["only_b"]), (&0.into(), &0.into()), "{one} {other}");
        if summary["moved"] != 0 {
            assert_eq!(count("moved_a"), count("moved_b"));
            moved += 1;
        }
        assert_eq!(found, wanted, "{one} {other}");
        on_one_path += 1;
        alike += i32::from(code == 0);
    }
    assert!(on_one_path >= 15 && moved > 0 && alike > 0, "{on_one_path} {moved} {alike}");
}

#[test]
fn each_line_has_both_sides_and_what_they_say() {
    let ledger = both_runs();
    let lines = ledger.run("diff", &["135e", "2d9d6f", "--format", "json"]).exits(1).json();
    let denied = lines.iter().find(|line| line["a"]["records"][0]["seq"] == 119).unwrap();
    assert_eq!((&denied["change"], &denied["depth"]), (&"changed".into(), &1.into()));
    assert_eq!(denied["b"]["records"][0]["seq"], 525);
    let kinds: Vec<&str> =
        denied["differences"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["result", "reason_codes", "obligations"]);
    let result = &denied["differences"][0];
    assert_eq!((&result["a"]["value"], &result["b"]["value"]), (&"allow".into(), &"deny".into()));
    assert_eq!((&result["a"]["seq"], &result["b"]["seq"]), (&119.into(), &525.into()));
    // The values are those of the records that `show` prints.
    let body =
        |seq: &str| ledger.run("show", &[seq, "--format", "json"]).well().json().remove(0)["body"].clone();
    for (difference, seq, side) in [(result, "119", "a"), (result, "525", "b")] {
        assert_eq!(difference[side]["value"], body(seq)["decision"]["result"]);
    }
    // An attempt that only one side has.
    let attempt = lines.iter().find(|line| line["a"]["records"][0]["seq"] == 98).unwrap();
    assert_eq!(attempt["differences"][0]["kind"], "record");
    assert_eq!(attempt["differences"][0]["a"]["value"], "tool_call");
    assert!(attempt["differences"][0]["b"].is_null());
}

#[test]
fn a_trace_does_not_differ_from_itself_and_durations_count_when_asked() {
    let ledger = both_runs();
    for more in [&[][..], &["--durations"], &["--all"]] {
        let text = ledger.run("diff", &[&["e85a", "e85a"], more].concat()).well().stdout;
        assert!(text.ends_with("The traces do not differ: 13 spans the same.\n"), "{text}");
        assert_eq!(text.contains("payment.refund"), more == ["--all"], "{text}");
    }
    let pair = ["f989", "4761"];
    let text = ledger.run("diff", &pair).well().stdout;
    assert!(text.contains("durations, not counted, differ in 4 records\n"), "{text}");
    let text = ledger.run("diff", &[&pair[..], &["--durations"]].concat()).exits(1).stdout;
    assert!(text.contains("\nwhat differs: duration 4\nThe traces differ: 4 spans changed,"), "{text}");
}

#[test]
fn swapping_the_traces_swaps_what_only_one_has() {
    let ledger = both_runs();
    let summary = |arguments: &[&str]| {
        let lines = ledger.run("diff", &[arguments, &["--format", "json"]].concat()).exits(1).json();
        lines.last().unwrap()["summary"].clone()
    };
    let (one, other) = (summary(&["54e2", "9918"]), summary(&["9918", "54e2"]));
    assert_ne!(one["only_a"], one["only_b"]);
    assert_eq!((&one["only_a"], &one["only_b"]), (&other["only_b"], &other["only_a"]));
    assert_eq!((&one["changed"], &one["differences"]), (&other["changed"], &other["differences"]));
}

#[test]
fn traces_that_are_not_there_are_told() {
    let ledger = Ledger::of(AGENT_WORK);
    let nobody = "1".repeat(32);
    for pair in [["e85a", nobody.as_str()], [nobody.as_str(), "e85a"], ["e85a", "0123456"]] {
        let refused = ledger.run("diff", &[&pair[..], &["--format", "json"]].concat()).exits(4);
        assert_eq!((refused.error().0.as_str(), refused.stdout.as_str()), ("ledger.no_such_trace", ""));
    }
    // Two traces begin with 9.
    let refused = ledger.run("diff", &["e85a", "9", "--format", "json"]).exits(4);
    assert_eq!(refused.error().0, "cli.ambiguous_trace");
    for wrong in [&["e85a"][..], &["e85a", "XYZ"], &["e85a", "e85a", "e85a"]] {
        ledger.run("diff", wrong).exits(2);
    }
}

#[test]
fn what_cannot_be_read_is_damage_and_the_rest_is_compared() {
    let ledger = both_runs();
    // In the body of entry 119, a decision of 135e.
    let shown = ledger.run("show", &["119", "--format", "json"]).well().json().remove(0);
    let offset = usize::try_from(shown["offset"].as_u64().unwrap()).unwrap();
    ledger.edit(&ledger.segment(), |bytes| {
        let at = offset + crate::run::find(&bytes[offset..], "db.query");
        bytes[at] ^= 1;
    });
    let found = ledger.run("diff", &["135e", "2d9d6f"]).exits(3);
    assert!(found.stdout.contains("The traces differ: "), "{}", found.stdout);
    assert!(found.stderr.contains("entry 119"), "{}", found.stderr);
}

#[test]
fn pictures() {
    let ledger = both_runs();
    for (name, pair) in
        [("denied", ["135e", "2d9d6f"]), ("replaced", ["54e2", "9918"]), ("model", ["9227", "2420"])]
    {
        for columns in [80, 200] {
            let text = drawn(&ledger, &columns.to_string(), &pair).exits(1).stdout;
            assert_fits(&text, columns);
            insta::assert_snapshot!(format!("diff_{name}_{columns}"), text);
        }
    }
    let text = drawn(&ledger, "80", &["e85a", "b3e5", "--ascii", "--all"]).exits(1).stdout;
    assert!(text.is_ascii(), "{text}");
    insta::assert_snapshot!("diff_ascii_all", text);
    insta::assert_snapshot!("diff_none", drawn(&ledger, "80", &["f989", "4761"]).well().stdout);
    for columns in [100, 159, 160, 161] {
        let text = drawn(&ledger, &columns.to_string(), &["9227", "2420"]).exits(1).stdout;
        assert_fits(&text, columns);
        assert_eq!(text.contains(" → "), columns < 160, "{text}");
    }
}

#[test]
fn colour_is_for_those_who_ask() {
    let ledger = both_runs();
    for columns in ["80", "200"] {
        let arguments = ["135e", "2d9d6f"];
        let plain = drawn(&ledger, columns, &arguments).exits(1).stdout;
        assert!(!plain.contains('\u{1b}'));
        let mut command = program();
        command.arg("diff").arg(&ledger.dir).args(arguments).env("COLUMNS", columns);
        let coloured = ran(command.env("CLICOLOR_FORCE", "1")).exits(1).stdout;
        // The same, but for the colours.
        let mut parts = coloured.split('\u{1b}');
        let first = parts.next().unwrap().to_owned();
        let rest = parts.map(|part| part.split_once('m').unwrap().1);
        let stripped = rest.fold(first, |text, part| text + part);
        let trimmed: Vec<&str> = stripped.lines().map(str::trim_end).collect();
        assert_eq!(trimmed, plain.lines().collect::<Vec<_>>());
        assert_ne!(coloured, stripped);
    }
}

/// A context, as one line. What is no word of a narrow form stands in the issuer and the grants.
fn context(
    trace: &str,
    span: u64,
    parent: Option<u64>,
    actor: &str,
    issuer: &str,
    grants: &[String],
) -> String {
    let above = parent.map_or_else(
        || r#""span_kind":"root""#.to_owned(),
        |parent| format!(r#""span_kind":"child","parent_span_id":"{parent:016x}""#),
    );
    let (trace, hash) = (trace.repeat(16), "0".repeat(64));
    let grants: Vec<String> = grants.iter().map(|grant| format!(r#""{grant}":true"#)).collect();
    let members = [
        r#""spec_version":"1.0.0","canon_version":"1","record_type":"auth_context""#.to_owned(),
        format!(
            r#""ts_ms":{},"trace":{{"trace_id":"{trace}","span_id":"{span:016x}",{above}}}"#,
            1_000 + span
        ),
        r#""producer":{"layer":"cpo","component":"gateway"}"#.to_owned(),
        format!(r#""actor":{{"actor_kind":"agent","actor_id":"{actor}"}}"#),
        format!(r#""credential":{{"credential_kind":"mtls","issuer":{},"#, Value::from(issuer))
            + &format!(r#""presented_hash_sha256":"{hash}","verified_at_ms":0,"expires_at_ms":1}}"#),
        format!(r#""grants":{{{}}}"#, grants.join(",")),
    ];
    format!("{{{}}}", members.join(","))
}

fn ledger_of(lines: &[String]) -> Ledger {
    let ledger = Ledger::empty();
    ran(program().arg("commit").arg(&ledger.dir).write_stdin(lines.join("\n"))).well();
    ledger
}

#[test]
fn hostile_and_long_names_on_both_sides_are_shown_and_not_obeyed() {
    let hostile = ["\u{1b}[2J\u{1b}]0;owned\u{7}", "\u{202e}gpj.exe\u{2066}\u{200b}\r\n\u{feff}\u{e0041}"];
    let long = "i".repeat(256);
    let grants: Vec<String> = (0..300).map(|n| format!("grant-{n:03}-{}", "g".repeat(100))).collect();
    let (actor, other) = ("a".repeat(256), "b".repeat(256));
    let ledger = ledger_of(&[
        context("ab", 1, None, "agents/x", hostile[0], &[]),
        context("ab", 2, Some(1), &actor, &long, &grants[..200]),
        context("ab", 3, Some(1), "agents/left", hostile[1], &[]),
        context("cd", 1, None, "agents/x", hostile[1], &[]),
        context("cd", 2, Some(1), &other, "short", &grants[100..]),
    ]);
    for columns in [60, 80, 200] {
        let text = drawn(&ledger, &columns.to_string(), &["ab", "cd"]).exits(1).stdout;
        assert_harmless(&text);
        assert_fits(&text, columns);
        let joined: String = text.chars().filter(|c| !c.is_whitespace() && !"~│".contains(*c)).collect();
        assert!(joined.contains(r"\u{1b}[2J\u{1b}]0;owned\u{7}"), "{text}");
        if columns < 160 {
            assert!(
                joined.contains(r"→mtlsof\u{202e}gpj.exe\u{2066}\u{200b}\r\n\u{feff}\u{e0041}"),
                "{text}"
            );
        }
        assert!(text.contains("and 80 more") && text.len() < 60_000, "{text}");
    }
    let json = ledger.run("diff", &["ab", "cd", "--format", "json"]).exits(1);
    assert_harmless(&json.stdout);
    let root = &json.json()[0]["differences"][0];
    assert_eq!((&root["kind"], &root["a"]["value"]["issuer"]), (&"credential".into(), &hostile[0].into()));
    assert_eq!(root["b"]["value"]["issuer"], hostile[1]);
}

#[test]
fn three_thousand_spans_against_a_changed_copy_are_drawn_in_time() {
    const SPANS: u64 = 3000;
    // Side by side below the root, then each below the one before.
    for (deep, columns) in [(false, 80), (false, 200), (true, 80), (true, 200)] {
        let spans = |trace: &'static str, changed: bool| {
            (1..=SPANS).filter(move |n| !changed || *n != 1_500 || deep).map(move |n| {
                let parent = (n > 1).then_some(if deep { n - 1 } else { 1 });
                let issuer = if changed && n % 1_000 == 0 { "another" } else { "one" };
                context(trace, n, parent, &format!("agents/{n}"), issuer, &[])
            })
        };
        let ledger = ledger_of(&spans("ab", false).chain(spans("cd", true)).collect::<Vec<_>>());
        let text = drawn(&ledger, &columns.to_string(), &["ab", "cd"]).exits(1).stdout;
        assert_fits(&text, columns);
        let gone = u64::from(!deep);
        let same = SPANS - 3 - gone;
        let end =
            format!("The traces differ: 3 spans changed, {gone} only in a, 0 only in b, {same} the same.\n");
        assert!(text.ends_with(&end), "{text}");
        // What lies between is folded; above a difference nothing is.
        assert_eq!(text.lines().count() > 3_000, deep, "{}", text.lines().count());
        assert!(deep || text.contains("⋯ 998 spans the same"), "{text}");
        assert!(!deep || text.contains("2999⋯ "), "the depth is told where it is not drawn");
        let all = drawn(&ledger, &columns.to_string(), &["ab", "cd", "--all"]).exits(1).stdout;
        assert_fits(&all, columns);
        assert!(all.lines().count() > 3_000 && !all.contains("spans the same\n│"), "{}", all.lines().count());
        let json = drawn(&ledger, "80", &["ab", "cd", "--format", "json"]).exits(1).json();
        assert_eq!(json.len() as u64, SPANS + 1);
    }
}
