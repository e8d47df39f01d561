//! Policies asked again by `replay`, and another policy asked instead, on the work that ships under real policies.

use insta::assert_snapshot;
use serde_json::Value;

use crate::run::{Ran, json_lines, member_names, program, ran, vectors};

fn expected() -> Value {
    serde_json::from_slice(&std::fs::read(vectors("redecisions/expected.json")).unwrap()).unwrap()
}

/// `replay` of the evidence with its payloads.
fn replayed(more: &[&str], columns: &str) -> Ran {
    let mut command = program();
    command.arg("replay").arg(vectors("redecisions/evidence.jsonl")).env("COLUMNS", columns);
    ran(command.arg("--blobs").arg(vectors("redecisions/payloads")).args(more))
}

fn next() -> String {
    vectors("redecisions/next.cedar").to_str().unwrap().to_owned()
}

#[test]
fn the_evidence_that_ships_is_decided_again() {
    let lines = replayed(&["--mode", "invariant", "--format", "json"], "80").exits(0).json();
    let (summary, totals) = (&lines.last().unwrap()["summary"], &expected()["totals"]);
    assert_eq!(summary["policy_re_decided"], totals["re_decided"]);
    assert_eq!(summary["policy_absent"], totals["absent"]);
    assert_eq!(summary["policy_unusable"], totals["unusable"]);
    assert_eq!((&summary["passed"], &summary["verdict"]), (&12.into(), &"all_well".into()));
    let text = replayed(&["--mode", "invariant"], "80").exits(0).stdout;
    for part in [
        "  60 re-decided by policy as recorded, 0 executed again\n",
        "  11 decisions not re-decided: the policy is not at hand\n",
        "  13 decisions not re-decided: the policy cannot be used\n",
        "POLICY_NOT_AT_HAND, info: ",
        "POLICY_NOT_USABLE, medium: ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn required_policies_fail_what_cannot_be_asked() {
    let arguments = ["--mode", "invariant", "--require-policies", "--format", "json"];
    let lines = replayed(&arguments, "80").exits(1).json();
    let (summary, verdicts) = lines.split_last().unwrap();
    let expected = expected();
    let failed = expected["traces"].as_array().unwrap().iter().filter(|row| {
        let count = &row["decisions"];
        count["absent"] != 0 || count["unusable"] != 0
    });
    let failed = failed.count();
    assert_eq!(summary["summary"]["failures"], serde_json::json!({"MISSING_PREREQ": failed}));
    let failures = verdicts.iter().flat_map(|line| line["diagnostics"]["failures"].as_array().unwrap());
    for failure in failures {
        assert_eq!(
            (&failure["check"], &failure["pointer"]),
            (&"policy".into(), &"/policy/policy_sha256".into())
        );
    }
    let usage = replayed(&["--require-policies"], "80").exits(2).stderr;
    assert!(usage.contains("give --mode invariant"), "{usage}");
}

#[test]
fn a_mismatch_is_shown_with_both_decisions() {
    let file = vectors("redecisions/cases.json");
    let cases: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let case =
        cases["cases"].as_array().unwrap().iter().find(|case| case["name"] == "all three wrong").unwrap();
    let lines: Vec<&str> =
        case["entries"].as_array().unwrap().iter().map(|entry| entry["body"].as_str().unwrap()).collect();
    let folder = tempfile::tempdir().unwrap();
    let evidence = folder.path().join("evidence.jsonl");
    std::fs::write(&evidence, lines.join("\n")).unwrap();
    let mut command = program();
    command
        .arg("replay")
        .arg(&evidence)
        .args(["--mode", "invariant", "--blobs"])
        .arg(vectors("redecisions/payloads"));
    assert_snapshot!("decision_mismatch", ran(&mut command).exits(1).stdout);
}

#[test]
fn another_policy_says_what_the_reference_counts() {
    let ran = replayed(&["--with-policy", &next(), "--format", "json"], "80").exits(1);
    let lines = json_lines(&ran.stdout);
    let (report, changed) = lines.split_last().unwrap();
    let (report, expected) = (&report["backtest"], &expected()["backtest"]);
    for (name, count) in expected["totals"].as_object().unwrap() {
        assert_eq!(&report["counts"][name], count, "{name}");
    }
    for table in ["actors", "actions", "resources"] {
        assert_eq!(report[table]["rows"], expected[table]);
    }
    assert_eq!(report["policy_sha256"], expected["policy_sha256"]);
    assert_eq!(changed.len(), expected["changed"].as_array().unwrap().len());
    for (line, row) in changed.iter().zip(expected["changed"].as_array().unwrap()) {
        for name in ["trace_id", "seq", "recorded", "other"] {
            assert_eq!(line["changed"][name], row[name]);
        }
        assert_eq!(line["changed"]["change"], row["kind"]);
    }
    let mut shape = member_names(&serde_json::to_string(report).unwrap());
    shape.sort();
    assert_eq!(
        shape.join(" "),
        "actions actors counts damage_count engine generated_at ingest ledger_id log_size policy_sha256 \
         resources trace_ids"
    );
    let mut shape = member_names(&serde_json::to_string(&changed[0]["changed"]).unwrap());
    shape.sort();
    assert_eq!(
        shape.join(" "),
        "action actor calls change envelope_hash failed_statements other policy recorded resource seq trace_id"
    );
}

#[test]
fn another_policy_in_pictures() {
    let view = |columns: &str| {
        let shown = replayed(&["--with-policy", &next()], columns).exits(1).stdout;
        let width: usize = columns.parse().unwrap();
        // The name of the policy's file is that of this machine; all else fits.
        let shown = shown.replace(&next(), "next.cedar");
        // The refused lines are told as in every replay.
        let (_, shown) = shown.split_once("what would change").unwrap();
        let (above, _) = shown.rsplit_once("\n\n").unwrap();
        above.lines().for_each(|line| assert!(line.chars().count() <= width, "{line}"));
        format!("what would change{above}")
    };
    assert_snapshot!("backtest", format!("{}\n{}\n{}", view("80"), "=".repeat(80), view("200")));
}

#[test]
fn nothing_that_changes_exits_with_0_and_a_policy_that_is_none_with_4() {
    let folder = tempfile::tempdir().unwrap();
    let policy = |text: &str| {
        let file = folder.path().join("policy.cedar");
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    // One trace of denials for no reason would be the same under a policy that permits nothing.
    let nothing = policy(r#"@id("nobody") permit(principal == Actor::"user|nobody", action, resource);"#);
    let evidence = folder.path().join("one.jsonl");
    let text = std::fs::read_to_string(vectors("redecisions/evidence.jsonl")).unwrap();
    std::fs::write(&evidence, text.lines().next().unwrap()).unwrap();
    let mut command = program();
    let said = ran(command.arg("replay").arg(&evidence).args(["--with-policy", &nothing])).exits(0).stdout;
    assert!(said.contains("There is no decision to ask about."), "{said}");
    let bare = policy("permit(principal, action, resource);");
    let error = replayed(&["--with-policy", &bare], "80").exits(4).stderr;
    assert!(error.contains("error[cedar.no_id]") && error.contains("policy.cedar"), "{error}");
    let missing = replayed(&["--with-policy", "/nowhere/policy.cedar"], "80").exits(4).stderr;
    assert!(missing.contains("/nowhere/policy.cedar"), "{missing}");
    for more in [&["--mode", "invariant"][..], &["--fail-on-findings"], &["--require-policies"]] {
        let arguments = [&["--with-policy", &nothing][..], more].concat();
        replayed(&arguments, "80").exits(2);
    }
}

#[test]
fn a_policy_that_does_not_fit_the_schema_is_not_asked() {
    let folder = tempfile::tempdir().unwrap();
    let schema = folder.path().join("desk.cedarschema");
    let text = r#"action "tickets:read", "tickets:write"
        appliesTo { principal: Actor, resource: Resource, context: Question };"#;
    std::fs::write(&schema, text).unwrap();
    let schema = schema.to_str().unwrap();
    let desk = vectors("redecisions/payloads/desk.cedar");
    let fits = ["--with-policy", desk.to_str().unwrap(), "--schema", schema, "--format", "json"];
    let report = replayed(&fits, "80").exits(1).json().pop().unwrap();
    assert_eq!(report["backtest"]["counts"]["decisions"], 84);
    // It asks for an attribute that no actor has.
    let refused = replayed(&["--with-policy", &next(), "--schema", schema], "80").exits(4).stderr;
    assert!(refused.contains("error[cedar.") && refused.contains("next.cedar"), "{refused}");
    replayed(&["--schema", schema], "80").exits(2);
}

#[test]
fn a_back_test_is_kept_with_its_policy() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("ledger");
    let dir = dir.to_str().unwrap();
    replayed(&["--ledger", dir], "80").exits(0);
    let kept = |more: &[&str]| {
        let mut command = program();
        command.args(["replay", dir, "--with-policy", &next(), "--record", "--format", "json"]);
        ran(command.args(more)).exits(1).json().pop().unwrap()["backtest"].clone()
    };
    let first = kept(&[]);
    assert_eq!(first["recorded"]["there_before"], false);
    assert_eq!(first["recorded"]["seq"], first["log_size"]);
    // Another one is about a log that has the first.
    let second = kept(&[]);
    assert_eq!(second["log_size"].as_u64().unwrap(), first["log_size"].as_u64().unwrap() + 1);
    let policy = first["policy_sha256"].as_str().unwrap();
    let blobs = std::path::Path::new(dir).join("blobs");
    let mut found = Vec::new();
    let mut open = vec![blobs];
    while let Some(folder) = open.pop() {
        for file in std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
            if file.is_dir() { open.push(file) } else { found.push(std::fs::read(file).unwrap()) }
        }
    }
    let text = std::fs::read(vectors("redecisions/next.cedar")).unwrap();
    assert!(found.contains(&text), "policy {policy} is not kept");
    let log = ran(program().args(["log", dir, "--format", "json"])).well().json();
    let artifact = &log.iter().find(|line| line["seq"] == first["log_size"]).unwrap()["artifact"];
    assert_eq!(artifact["artifact_type"], "policy_backtest");
    assert_eq!((&artifact["decisions"], &artifact["changed"]), (&84.into(), &52.into()));
    ran(program().args(["verify", dir])).exits(0);
}
