//! `replay` in each of its modes, against the independent reference in `vectors/`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::run::{AGENT_WORK, Ledger, json_lines, vectors};

const AFTER: &str = "evidence/agent-work-after-model-change.jsonl";

pub(crate) fn reference() -> Value {
    serde_json::from_slice(&std::fs::read(vectors("evidence/expected-pairs.json")).unwrap()).unwrap()
}

/// The shipped work and the same after a model change.
pub(crate) fn both_runs() -> Ledger {
    let ledger = Ledger::of(AGENT_WORK);
    ledger.commit(&vectors(AFTER), &[]);
    ledger
}

fn pairs_file() -> String {
    vectors("evidence/pairs.jsonl").to_str().unwrap().to_owned()
}

fn kinds(differences: &Value, allowed: bool) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for difference in differences.as_array().unwrap().iter().filter(|it| it["allowed"] == allowed) {
        *counts.entry(difference["kind"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

#[test]
fn every_pair_has_the_references_verdict_under_either_policy() {
    let (ledger, expected, file) = (both_runs(), reference(), pairs_file());
    for (policy, more) in [("none", &[][..]), ("model-output", &["--variance", "model-output"])] {
        let arguments = [&["--mode", "constrained", "--pairs", &file, "--format", "json"], more].concat();
        let lines = ledger.run("replay", &arguments).exits(1).json();
        let (summary, verdicts) = lines.split_last().unwrap();
        let wanted = expected["pairs"].as_array().unwrap();
        assert_eq!(verdicts.len(), wanted.len());
        for pair in wanted {
            let is_it = |line: &&Value| {
                (&line["record"]["reference_trace_id"], &line["record"]["target_trace_id"])
                    == (&pair["baseline"], &pair["candidate"])
            };
            let (verdict, wanted) = (verdicts.iter().find(is_it).unwrap(), &pair[policy]);
            assert_eq!(verdict["record"], wanted["record"]);
            assert_eq!(verdict["artifact_sha256"], wanted["artifact_sha256"]);
            let differences = &verdict["diagnostics"]["differences"];
            for (name, allowed) in [("allowed", true), ("not_allowed", false)] {
                assert_eq!(serde_json::to_value(kinds(differences, allowed)).unwrap(), wanted[name]);
            }
        }
        let mut totals = expected["totals"][policy].clone();
        let passed = totals.as_object_mut().unwrap().remove("pass").unwrap();
        assert_eq!((&summary["summary"]["passed"], &summary["summary"]["failures"]), (&passed, &totals));
        assert_eq!(summary["summary"]["replay_type"], "constrained");
    }
}

#[test]
fn text_tells_what_differs_first_what_is_not_allowed() {
    let (ledger, file) = (both_runs(), pairs_file());
    let arguments = ["--mode", "constrained", "--pairs", &file, "--variance", "model-output"];
    let text = ledger.run("replay", &arguments).exits(1).stdout;
    for part in ["allowed differences", "response of model_call", "usage of model_call"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(text.ends_with("18 of 36 pairs fail constrained replay.\n"), "{text}");

    // Each failed pair that was compared tells its first difference with both sides before the others.
    for pair in reference()["pairs"].as_array().unwrap() {
        let wanted = &pair["model-output"];
        if wanted["record"]["result"] == "pass" || wanted["first"].is_null() {
            continue;
        }
        let (baseline, candidate) = (pair["baseline"].as_str().unwrap(), pair["candidate"].as_str().unwrap());
        let one = ["--baseline", baseline, "--candidate", candidate, "--mode", "constrained"];
        let arguments = [&one[..], &["--variance", "model-output"]].concat();
        let text = ledger.run("replay", &arguments).exits(1).stdout;
        let (_, why) = text.split_once("first not allowed: ").unwrap();
        let first = &wanted["first"];
        // Of the policy path the reference states the value alone: an identity names the type of its call.
        let named = first["record_type"].as_str().or(first["value"]["record_type"].as_str());
        let (kind, record) = (first["kind"].as_str().unwrap(), named.unwrap_or("policy_decision"));
        assert!(why.starts_with(&format!("{kind} of {record}\n")), "{why}");
        let count =
            |name: &str| wanted[name].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
        let (allowed, not): (u64, u64) = (count("allowed"), count("not_allowed"));
        assert_eq!(why.matches("    not allowed: ").count() as u64, not - 1);
        assert_eq!(why.matches("\n    allowed: ").count() as u64, allowed);
        for side in ["baseline", "candidate"] {
            if let Some(seq) = first[side]["seq"].as_u64() {
                assert!(why.contains(&format!("      {side} #{seq}")), "{why}");
            }
        }
    }
}

#[test]
fn invariant_verdicts_are_the_references_and_all_asks_both_questions() {
    let (ledger, expected) = (both_runs(), reference());
    let of = |mode: &str| ledger.run("replay", &["--mode", mode, "--format", "json"]).exits(0);
    let (forensic, invariant, all) = (of("forensic"), of("invariant"), of("all"));
    assert_eq!(all.stdout, format!("{}{}", forensic.stdout, invariant.stdout));
    let lines = invariant.json();
    let (summary, verdicts) = lines.split_last().unwrap();
    assert_eq!(summary["summary"]["replay_type"], "invariant");
    let found: BTreeMap<&str, &Value> =
        verdicts.iter().map(|line| (line["artifact_sha256"].as_str().unwrap(), &line["record"])).collect();
    // Traces without an accepted record fail by name alone; over everything they have no verdict.
    let wanted: BTreeMap<&str, &Value> = expected["invariant"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["record"]["result"] == "pass")
        .map(|row| (row["artifact_sha256"].as_str().unwrap(), &row["record"]))
        .collect();
    assert_eq!(found, wanted);

    let text = ledger.run("replay", &["--mode", "all", "--trace", "da950e42aef0bfe2197fd9b6b3c4838c"]);
    let text = text.exits(0).stdout;
    let [one, other] = ["forensic", "invariant"].map(|mode| {
        let sentence = format!("The trace passes {mode} replay.");
        text.find(&sentence).unwrap_or_else(|| panic!("{text}"))
    });
    assert!(text.starts_with("forensic replay\n") && one < other, "{text}");
}

#[test]
fn all_over_a_file_counts_its_lines_once_and_both_questions_are_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let file = vectors(AGENT_WORK);
    let dir = folder.path().join("kept");
    let arguments = |record: bool| {
        let mut command = crate::run::program();
        command.arg("replay").arg(&file).arg("--ledger").arg(&dir);
        command.args(["--mode", "all", "--format", "json"]).args(record.then_some("--record"));
        crate::run::ran(&mut command).exits(0).stdout
    };
    for (appended, there_before) in [(36, 0), (0, 36)] {
        let summaries: Vec<Value> = json_lines(&arguments(true))
            .into_iter()
            .filter_map(|mut line| line.as_object_mut().unwrap().remove("summary"))
            .collect();
        assert_eq!(summaries.len(), 2);
        assert_eq!((&summaries[0]["ingest"]["lines"], &summaries[1]["ingest"]), (&414.into(), &Value::Null));
        for summary in &summaries {
            let recorded = &summary["recorded"];
            assert_eq!(
                (&recorded["appended"], &recorded["there_before"]),
                (&appended.into(), &there_before.into())
            );
        }
    }
}

#[test]
fn all_with_pairs_asks_the_third_question_too() {
    let (ledger, file) = (both_runs(), pairs_file());
    let of = |code: i32, more: &[&str]| {
        let arguments = [&["--record", "--format", "json"], more].concat();
        ledger.run("replay", &arguments).exits(code).json()
    };
    let all = of(1, &["--mode", "all", "--pairs", &file, "--variance", "model-output"]);
    // Recorded once, they are all there before.
    let apart = [
        of(0, &["--mode", "forensic"]),
        of(0, &["--mode", "invariant"]),
        of(1, &["--mode", "constrained", "--pairs", &file, "--variance", "model-output"]),
    ];
    let verdicts = |lines: &[Value]| -> Vec<Value> {
        lines.iter().filter(|line| line["summary"].is_null()).cloned().collect()
    };
    let summaries = |lines: &[Value]| -> Vec<Value> {
        lines.iter().map(|line| line["summary"].clone()).filter(|summary| !summary.is_null()).collect()
    };
    assert_eq!(verdicts(&all), verdicts(&apart.concat()));
    let (first, again) = (summaries(&all), summaries(&apart.concat()));
    assert_eq!((first.len(), again.len()), (3, 3));
    for (first, again) in first.iter().zip(&again) {
        assert_eq!(first["recorded"], serde_json::json!({"appended": first["traces"], "there_before": 0}));
        assert_eq!(again["recorded"], serde_json::json!({"appended": 0, "there_before": first["traces"]}));
    }
}

#[test]
fn verdicts_say_under_which_policy_differences_were_allowed() {
    let (ledger, pairs) = (both_runs(), pairs_file());
    let nothing = serde_json::json!({"allow_variance": {}});
    let model = serde_json::json!({"allow_variance": {"model_call": ["response", "usage"]}});
    let policies = [
        (&[][..], &nothing, "nothing was allowed to differ"),
        (&["--variance", "model-output"], &model, "allowed to differ: response, usage of model_call"),
    ];
    for (more, policy, words) in policies {
        let arguments = [&["--mode", "constrained", "--pairs", &pairs], more].concat();
        let lines = ledger.run("replay", &[&arguments[..], &["--format", "json"]].concat()).exits(1).json();
        let verdicts = &lines[..lines.len() - 1];
        assert!(verdicts.iter().all(|line| line["diagnostics"]["variance"] == *policy));
        let text = ledger.run("replay", &arguments).exits(1).stdout;
        assert!(text.contains(&format!("\n  {words}\n")), "{text}");
    }
    for mode in ["forensic", "invariant"] {
        let lines = ledger.run("replay", &["--mode", mode, "--format", "json"]).exits(0).json();
        assert!(lines.iter().all(|line| line["diagnostics"]["variance"].is_null()));
        let text = ledger.run("replay", &["--mode", mode]).exits(0).stdout;
        assert!(text.contains("\n  policy not re-decided, nothing executed again\n"), "{text}");
        assert!(!text.contains("allowed to differ"), "{text}");
    }
}

#[test]
fn one_two_and_eight_threads_and_any_order_of_traces_print_the_same_bytes() {
    let (ledger, pairs) = (both_runs(), pairs_file());
    let same = |code: i32, orders: &[Vec<&str>]| {
        for format in ["text", "json"] {
            let mut printed: Vec<String> = Vec::new();
            for order in orders {
                for threads in ["1", "2", "8"] {
                    let arguments = [&order[..], &["--format", format, "--threads", threads]].concat();
                    printed.push(ledger.run("replay", &arguments).exits(code).stdout);
                }
            }
            assert!(printed.iter().all(|other| *other == printed[0]), "{orders:?}");
            assert!(printed[0].lines().count() >= 5);
        }
    };
    let expected = reference();
    let rows = expected["pairs"].as_array().unwrap();
    // Two that pass by themselves, and one that fails against its baseline.
    let ids: Vec<&str> = rows[..4].iter().map(|row| row["candidate"].as_str().unwrap()).collect();
    for mode in ["forensic", "invariant", "all"] {
        same(0, &[vec!["--mode", mode, "--include-rejected"]]);
        let traces = |order: &[usize]| -> Vec<&str> {
            let traces = order.iter().flat_map(|at| ["--trace", ids[*at]]);
            ["--mode", mode].into_iter().chain(traces).collect()
        };
        same(0, &[traces(&[0, 1, 2, 3]), traces(&[3, 1, 0, 2]), traces(&[2, 2, 3, 0, 1, 1])]);
    }
    same(1, &[vec!["--mode", "constrained", "--pairs", &pairs, "--variance", "model-output"]]);
    same(1, &[vec!["--mode", "all", "--pairs", &pairs]]);
    let baseline = rows[0]["baseline"].as_str().unwrap();
    let candidates = |order: &[usize]| -> Vec<&str> {
        let candidates = order.iter().flat_map(|at| ["--candidate", ids[*at]]);
        ["--mode", "constrained", "--baseline", baseline].into_iter().chain(candidates).collect()
    };
    same(1, &[candidates(&[0, 1, 2, 3]), candidates(&[3, 2, 1, 0, 0])]);
    // A file of pairs too, whatever the order of its lines.
    let folder = tempfile::tempdir().unwrap();
    let lines = std::fs::read_to_string(&pairs).unwrap();
    let turned: Vec<&str> = lines.lines().rev().collect();
    let file = folder.path().join("turned");
    std::fs::write(&file, turned.join("\n")).unwrap();
    let of = |file: &str| {
        vec!["--mode".to_owned(), "constrained".to_owned(), "--pairs".to_owned(), file.to_owned()]
    };
    let [one, other] = [of(&pairs), of(file.to_str().unwrap())];
    let [one, other] = [&one, &other].map(|order| order.iter().map(String::as_str).collect::<Vec<_>>());
    same(1, &[one, other]);
}

#[test]
fn a_variance_file_says_the_same_as_the_name_of_its_policy() {
    let (ledger, folder, pairs) = (both_runs(), tempfile::tempdir().unwrap(), pairs_file());
    let file = folder.path().join("variance.json");
    std::fs::write(&file, r#"{"allow_variance":{"model_call":["response","usage"]}}"#).unwrap();
    let under = |variance: &str| {
        let arguments =
            ["--mode", "constrained", "--pairs", &pairs, "--variance", variance, "--format", "json"];
        ledger.run("replay", &arguments).exits(1).stdout
    };
    assert_eq!(under(file.to_str().unwrap()), under("model-output"));
}

#[test]
fn steering_files_that_are_wrong_are_refused_with_their_place() {
    let (ledger, folder) = (Ledger::empty(), tempfile::tempdir().unwrap());
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let blank = write("blank", " \n\n");
    let pairs = write("pairs", "\n{\"baseline\":\"x\",\"candidate\":\"y\"}\n");
    let variance = write("variance", r#"{"allow_variance":{"policy_decision":[]}}"#);
    let refused = |more: &[&str]| {
        let arguments = [&["--mode", "constrained", "--format", "json"], more].concat();
        let (code, place, hint) = ledger.run("replay", &arguments).exits(4).error();
        assert!(hint.is_some());
        (code, place.unwrap())
    };
    assert_eq!(refused(&["--pairs", &blank]), ("input.no_pairs".to_owned(), blank.clone()));
    let place = format!("{pairs}, line 2, at \"/baseline\"");
    assert_eq!(refused(&["--pairs", &pairs]), ("form.trace_id".to_owned(), place));
    let place = format!("{variance}, at \"/allow_variance/policy_decision\"");
    let found = refused(&["--pairs", &pairs_file(), "--variance", &variance]);
    assert_eq!(found, ("form.unknown".to_owned(), place));
    // Each way in which a policy can be wrong has its code.
    for (text, code, at) in [
        (r#"{"allow_variance":{"memory_call":["response"]}}"#, "form.unknown", "/allow_variance/memory_call"),
        (r#"{"allow_variance":{},"deny_variance":{}}"#, "form.unknown", "/deny_variance"),
        (r#"{"allow_variance":{"model_call":["request"]}}"#, "form.word", "/allow_variance/model_call/0"),
        (
            r#"{"allow_variance":{"tool_call":["outcome","outcome"]}}"#,
            "form.repeated",
            "/allow_variance/tool_call/1",
        ),
        (r#"{"allow_variance":[]}"#, "form.type", "/allow_variance"),
        ("{}", "form.missing", ""),
        (r#"{"allow_variance":{"model_call":[],"model_call":[]}}"#, "canon.duplicate_member", ""),
        (r#"{"allow_variance":{}"#, "canon.unexpected_end", ""),
        ("model-output", "canon.unexpected_byte", ""),
        ("", "canon.unexpected_end", ""),
    ] {
        let variance = write("policy", text);
        let place = match at {
            "" => variance.clone(),
            at => format!("{variance}, at {at:?}"),
        };
        let found = refused(&["--pairs", &pairs_file(), "--variance", &variance]);
        assert_eq!(found, (code.to_owned(), place), "{text}");
    }
    let long = write("long", &" ".repeat(1 << 21));
    let found = refused(&["--pairs", &pairs_file(), "--variance", &long]);
    assert_eq!(found, ("input.too_long".to_owned(), long));
    let absent = folder.path().join("absent").to_str().unwrap().to_owned();
    assert_eq!(refused(&["--pairs", &absent]), ("input.unreadable".to_owned(), absent.clone()));
}

#[test]
fn what_a_mode_cannot_be_asked_is_an_error_of_usage() {
    let (ledger, id) = (Ledger::empty(), "da950e42aef0bfe2197fd9b6b3c4838c");
    let file = pairs_file();
    let pair = ["--baseline", id, "--candidate", id];
    let constrained = ["--mode", "constrained"];
    for arguments in [
        constrained.to_vec(),
        pair.to_vec(),
        vec!["--pairs", &file],
        vec!["--variance", "model-output"],
        vec!["--mode", "constrained", "--baseline", id],
        vec!["--mode", "constrained", "--candidate", id],
        [&constrained[..], &pair, &["--pairs", &file]].concat(),
        [&constrained[..], &pair, &["--trace", id]].concat(),
        [&constrained[..], &pair, &["--include-rejected"]].concat(),
        [&["--mode", "forensic"], &pair[..]].concat(),
        [&["--mode", "invariant"], &pair[..]].concat(),
        vec!["--mode", "all", "--variance", "model-output"],
        vec!["--mode", "all", "--baseline", id],
        vec!["--mode", "constrained", "--pairs", "-", "--variance", "-"],
    ] {
        let arguments = [&arguments[..], &["--format", "json"]].concat();
        assert_eq!(ledger.run("replay", &arguments).exits(2).error().0, "cli.usage", "{arguments:?}");
    }
}

#[test]
fn the_standard_input_may_be_evidence_or_pairs_or_a_policy() {
    let (ledger, pairs) = (both_runs(), pairs_file());
    let arguments = |pairs: &str, variance: &str| {
        let mut command = crate::run::program();
        command.arg("replay").arg(&ledger.dir).args(["--mode", "constrained", "--format", "json"]);
        command.args(["--pairs", pairs, "--variance", variance]);
        command
    };
    let expected = crate::run::ran(&mut arguments(&pairs, "model-output")).exits(1).stdout;
    let policy = r#"{"allow_variance":{"model_call":["usage","response"]}}"#;
    let mut from_pipe = arguments(&pairs, "-");
    assert_eq!(crate::run::ran(from_pipe.write_stdin(policy)).exits(1).stdout, expected);
    let mut from_pipe = arguments("-", "model-output");
    assert_eq!(
        crate::run::ran(from_pipe.write_stdin(std::fs::read(&pairs).unwrap())).exits(1).stdout,
        expected
    );
    let twice =
        crate::run::fed(["replay", "-", "--mode", "constrained", "--pairs", "-", "--format", "json"], "");
    assert_eq!(twice.exits(2).error().0, "cli.usage");
}

#[test]
fn both_views_fit_their_width() {
    let ledger = both_runs();
    let pair = ["da950e42aef0bfe2197fd9b6b3c4838c", "31d9d58fdf908595a5c45348d17e694c"];
    for columns in ["80", "200"] {
        let mut command = crate::run::program();
        command.arg("replay").arg(&ledger.dir).args(["--mode", "constrained", "--baseline", pair[0]]);
        let text =
            crate::run::ran(command.args(["--candidate", pair[1]]).env("COLUMNS", columns)).exits(1).stdout;
        let width: usize = columns.parse().unwrap();
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{line}");
        }
        insta::assert_snapshot!(format!("constrained_{columns}"), text);
    }
}

#[test]
fn recorded_verdicts_are_listed_the_newest_last() {
    let ledger = both_runs();
    assert_eq!(ledger.run("verdicts", &[]).well().stdout, "0 verdicts\n");
    let (one, other) = ("da950e42aef0bfe2197fd9b6b3c4838c", "31d9d58fdf908595a5c45348d17e694c");
    let invariant = ["--record", "--mode", "invariant", "--trace", one, "--format", "json"];
    ledger.run("replay", &invariant).exits(0);
    let pair = ["--record", "--mode", "constrained", "--baseline", one, "--candidate", other];
    ledger.run("replay", &pair).exits(1);

    let expected = reference();
    let invariant = expected["invariant"].as_array().unwrap();
    let invariant = invariant.iter().find(|row| row["record"]["target_trace_id"] == one).unwrap();
    let pair = expected["pairs"].as_array().unwrap().iter().find(|pair| pair["candidate"] == other).unwrap();
    let listed = ledger.run("verdicts", &["--format", "json"]).well();
    let names = "seq replay_type trace_id reference_trace_id result failure_class artifact_sha256 generated_at \
                 recorded_at_ms seals";
    assert_eq!(crate::run::member_names(listed.stdout.lines().next().unwrap()).join(" "), names);
    let listed = listed.json();
    assert_eq!(listed.len(), 2);
    for (line, wanted) in listed.iter().zip([invariant, &pair["none"]]) {
        assert_eq!(line["artifact_sha256"], wanted["artifact_sha256"]);
        let record = &wanted["record"];
        for name in ["replay_type", "result", "failure_class", "generated_at", "reference_trace_id"] {
            assert_eq!(line[name], record[name], "{name}");
        }
        assert_eq!(line["trace_id"], record["target_trace_id"]);
        assert!(line["recorded_at_ms"].as_u64().unwrap() > 0);
    }
    // Each verdict is followed by its diagnostics.
    assert_eq!(listed[1]["seq"].as_u64(), listed[0]["seq"].as_u64().map(|seq| seq + 2));
    let of_one = ledger.run("verdicts", &["--trace", "da95", "--format", "json"]).well().json();
    assert_eq!(of_one, listed[..1]);
    let none = ledger.run("verdicts", &["--trace", &"1".repeat(32), "--format", "json"]).exits(4);
    assert_eq!(none.error().0, "ledger.no_such_trace");

    let text = ledger.run("verdicts", &[]).well().stdout;
    assert!(text.contains("REPLAY_VARIANCE_VIOLATION") && text.ends_with("2 verdicts\n"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}
