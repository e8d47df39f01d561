//! `check`: rules of one's own over a ledger, as an auditor meets them.

use std::fs;

use serde_json::{Value, json};

use crate::hostile::assert_harmless;
use crate::proven::Proven;
use crate::run::{AGENT_WORK, Ledger, Ran, fed, member_names, program, proofline, ran};

const REFUNDS: &str = r#"
@id("no-refunds") @title("Nobody pays back") @severity("high") @control("SOC2:CC6.1") @message("Ask the desk.")
forbid(principal, action == Action::"policy_decision", resource)
when { context.decision.action == "payment.refund" };
"#;

fn rules_file(proven: &Proven, text: &str) -> String {
    proven.file("house.cedar", text)
}

fn check(ledger: &Ledger, more: &[&str]) -> Ran {
    ledger.run("check", more)
}

#[test]
fn violations_are_told_with_rule_record_and_facts_and_counted() {
    let (proven, _) = Proven::new();
    let file = rules_file(&proven, REFUNDS);
    let lines = check(&proven.ledger, &["--rules", &file, "--format", "json"]).exits(1).json();
    let (summary, violations) = lines.split_last().unwrap();
    // What the log itself says of decisions on refunds.
    let listed = proven.ledger.run("log", &["--action", "payment.refund", "--format", "json"]).well().json();
    let is_decision =
        |entry: &&Value| entry["record_type"] == "policy_decision" && entry["kind"] == "accepted";
    let mut expected: Vec<&Value> = listed.iter().filter(is_decision).map(|entry| &entry["seq"]).collect();
    expected.sort_by_key(|seq| seq.as_u64());
    let mut seqs: Vec<&Value> = violations.iter().map(|line| &line["violation"]["seq"]).collect();
    seqs.sort_by_key(|seq| seq.as_u64());
    assert!(!expected.is_empty());
    assert_eq!(seqs, expected);
    for line in violations {
        let it = &line["violation"];
        assert_eq!((&it["rule"], &it["kind"]), (&json!("no-refunds"), &json!("violation")));
        assert_eq!(it["controls"], json!(["SOC2:CC6.1"]));
        assert_eq!(it["facts"], json!({"context.decision.action": "payment.refund"}));
        let shown =
            proven.ledger.run("show", &[&it["seq"].to_string(), "--format", "json"]).well().json().remove(0);
        assert_eq!((&shown["envelope_hash"], &shown["trace_id"]), (&it["envelope_hash"], &it["trace_id"]));
    }
    let summary = &summary["summary"];
    assert_eq!(summary["verdict"], "some_violated");
    assert_eq!(summary["rules"][0]["violated"], expected.len());
    assert_eq!(summary["records"], 390, "of 410 entries");
    let asked = summary["rules"][0]["asked"].as_u64().unwrap();
    assert_eq!(asked, summary["rules"][0]["held"].as_u64().unwrap() + expected.len() as u64);

    let text = check(&proven.ledger, &["--rules", &file]).exits(1).stdout;
    for part in
        ["no-refunds, high", "Nobody pays back", "Ask the desk.", "SOC2:CC6.1", "context.decision.action ="]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let traces: std::collections::BTreeSet<String> =
        violations.iter().map(|line| line["violation"]["trace_id"].to_string()).collect();
    let sentence = format!("{} violations of 1 of 1 rule, in {} traces.\n", expected.len(), traces.len());
    assert!(text.ends_with(&sentence), "{text}");
}

#[test]
fn the_shapes_are_those_of_the_page() {
    let (proven, _) = Proven::new();
    let file = rules_file(&proven, REFUNDS);
    let out = check(&proven.ledger, &["--rules", &file, "--format", "json"]).exits(1).stdout;
    let lines: Vec<&str> = out.lines().collect();
    let names = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap();
        let (_, inner) = value.as_object().unwrap().iter().next().unwrap();
        member_names(&inner.to_string()).join(" ")
    };
    assert_eq!(
        names(lines[0]),
        "rule kind title controls severity message error trace_id seq envelope_hash record_type refused actor resource \
         facts beside"
    );
    assert_eq!(
        names(lines.last().unwrap()),
        "verdict rules violations traces violating_traces absent records attempts damage damage_count bundle"
    );
    let listed = proofline(["check", "--list", "--format", "json"]).well().stdout;
    let first = listed.lines().next().unwrap();
    assert_eq!(member_names(first).join(" "), "rule title controls severity message asked_of reads");
    assert_eq!(listed.lines().count(), proofline::policy::STARTER_RULES.matches("@id(").count());
}

#[test]
fn what_holds_says_so_and_writes_no_bundle() {
    let (proven, _) = Proven::new();
    let file = rules_file(
        &proven,
        r#"@id("deep") forbid(principal, action, resource) when { context.depth > 900 };"#,
    );
    let bundle = proven.path("none.bundle");
    let text = check(&proven.ledger, &["--rules", &file, "--bundle", &bundle]).well().stdout;
    assert!(text.ends_with("No violation of 1 rule.\n"), "{text}");
    assert!(!fs::exists(&bundle).unwrap());
    let one = check(&proven.ledger, &["--rules", &file, "--trace", "05c7", "--format", "json"]).well().json();
    assert_eq!(
        (&one[0]["summary"]["traces"], &one[0]["summary"]["verdict"]),
        (&json!(1), &json!("all_hold"))
    );
    let absent =
        check(&proven.ledger, &["--rules", &file, "--trace", &"1".repeat(32), "--format", "json"]).exits(4);
    assert_eq!(absent.error().0, "ledger.no_such_trace");
}

#[test]
fn a_bundle_shows_the_violations_to_a_stranger_and_nothing_else() {
    let (proven, _) = Proven::new();
    let (file, bundle) = (rules_file(&proven, REFUNDS), proven.path("found.bundle"));
    let more = ["--rules", &file, "--bundle", &bundle, "--format", "json"];
    let lines = check(&proven.ledger, &more).exits(1).json();
    let (summary, violations) = lines.split_last().unwrap();
    let key = proven.public("tlog-proof");
    let verified =
        ran(program().args(["bundle", "verify", &bundle, "--key", &key, "--format", "json"])).well().json();
    let ids = |lines: &[Value]| -> std::collections::BTreeSet<String> {
        lines.iter().map(|it| it["trace_id"].as_str().unwrap().to_owned()).collect()
    };
    let of_violations: Vec<Value> = violations.iter().map(|line| line["violation"].clone()).collect();
    assert_eq!(ids(verified[0]["traces"].as_array().unwrap()), ids(&of_violations));
    assert_eq!(verified[0]["payload_bytes"], 0);
    let written = &summary["summary"]["bundle"];
    assert_eq!(written["bundle_bytes"], fs::metadata(&bundle).unwrap().len());
    assert_eq!(written["is_new"], true);
    // Once more the same bytes; over another file never.
    let again = check(&proven.ledger, &more).exits(1).json();
    assert_eq!(again.last().unwrap()["summary"]["bundle"]["is_new"], false);
    fs::write(&bundle, "something else").unwrap();
    assert_eq!(check(&proven.ledger, &more).exits(4).stderr.matches("bundle.exists").count(), 1);
    assert_eq!(fs::read(&bundle).unwrap(), b"something else");
}

#[test]
fn a_violation_behind_the_checkpoint_leaves_no_bundle() {
    let (proven, _) = Proven::new();
    let after = crate::run::vectors("evidence/agent-work-after-model-change.jsonl");
    proven.ledger.commit(&after, &[]);
    let (file, bundle) = (rules_file(&proven, REFUNDS), proven.path("late.bundle"));
    let more = ["--rules", &file, "--bundle", &bundle, "--format", "json"];
    let refused = check(&proven.ledger, &more).exits(4);
    let error: Value = serde_json::from_str(refused.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(error["error"]["code"], "check.behind_checkpoint");
    assert_eq!(refused.json().last().unwrap()["summary"]["bundle"], Value::Null, "what was found is told");
    assert!(!fs::exists(&bundle).unwrap());
    proven.checkpoint();
    check(&proven.ledger, &more).exits(1);
    assert!(fs::exists(&bundle).unwrap());
    // Without a checkpoint there is nothing to rest on.
    let bare = Ledger::of(AGENT_WORK);
    let other = proven.path("bare.bundle");
    assert_eq!(
        check(&bare, &["--rules", &file, "--bundle", &other, "--format", "json"])
            .exits(4)
            .stderr
            .lines()
            .count(),
        1
    );
    assert!(!fs::exists(&other).unwrap());
}

#[test]
fn the_same_bytes_for_any_number_of_threads() {
    let ledger = Ledger::of(AGENT_WORK);
    let with = |threads: &str, format: &str| {
        check(&ledger, &["--include-rejected", "--threads", threads, "--format", format]).stdout
    };
    for format in ["json", "text"] {
        assert_eq!(with("1", format), with("5", format));
    }
}

#[test]
fn rules_that_are_none_are_refused_before_anything_is_asked() {
    let ledger = Ledger::of(AGENT_WORK);
    let slip = "@id(\"a\")\nforbid(principal, action == Action::\"tool_call\", resource)\nwhen { context.tool.tol == \"x\" };\n";
    for (text, code, line) in [
        (slip, "rules.schema", "line 3"),
        ("@id(\"a\") permit(principal, action, resource);", "rules.permit", "line 1"),
        ("", "rules.empty", ""),
        ("\n\nforbid(principal, action, resource);", "cedar.no_id", "line 3"),
    ] {
        let dir = ledger.dir.to_str().unwrap();
        let ran = fed(["check", dir, "--rules", "-", "--format", "json"], text).exits(4);
        assert_eq!(ran.stdout, "");
        let (found, place, hint) = ran.error();
        assert_eq!(found, code);
        assert!(place.as_deref().unwrap().ends_with(line) && hint.is_some(), "{place:?}");
    }
    assert_eq!(
        check(&ledger, &["--rules", "/no/such/file", "--format", "json"]).exits(4).error().0,
        "input.unreadable"
    );
    assert_eq!(proofline(["check", "--format", "json"]).exits(2).stdout, "");
}

#[test]
fn damage_comes_before_violations() {
    let ledger = Ledger::of(AGENT_WORK);
    ledger.edit(&ledger.segment(), |bytes| {
        let at = bytes.len() - 900;
        bytes[at] ^= 1;
    });
    let lines = check(&ledger, &["--format", "json"]).exits(3).json();
    let summary = &lines.last().unwrap()["summary"];
    assert_eq!(summary["verdict"], "damaged");
    assert!(summary["damage_count"].as_u64().unwrap() > 0);
}

#[test]
fn nothing_of_a_rule_reaches_the_terminal_as_a_control() {
    let ledger = Ledger::of(AGENT_WORK);
    let text = "@id(\"a\u{1b}[2J\") @title(\"t\u{7}\u{202e}\") @message(\"m\u{9b}31m\") @control(\"c\u{1b}]0;x\")\n\
                forbid(principal, action, resource);";
    let dir = ledger.dir.to_str().unwrap();
    for format in ["text", "json"] {
        let ran = fed(["check", dir, "--rules", "-", "--format", format], text).exits(1);
        assert_harmless(&ran.stdout);
        assert_harmless(&fed(["check", "--list", "--rules", "-", "--format", format], text).well().stdout);
    }
}
