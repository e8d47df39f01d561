//! `drift`: the shipped runs before and after a model change against the reference of their pairs, keys, what is
//! refused, any number of threads, and pictures.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use serde_json::Value;

use crate::modes::{both_runs, reference};
use crate::run::{Ledger, Ran, member_names, program, ran, vectors};

fn pairs_file() -> String {
    vectors("evidence/pairs.jsonl").to_str().unwrap().to_owned()
}

/// Both runs with their payloads.
fn both_with_payloads() -> Ledger {
    let ledger = Ledger::empty();
    for (work, payloads) in [
        ("evidence/agent-work.jsonl", "evidence/payloads.jsonl"),
        ("evidence/agent-work-after-model-change.jsonl", "evidence/payloads-after-model-change.jsonl"),
    ] {
        ledger.commit(&vectors(work), &["--blobs", vectors(payloads).to_str().unwrap()]);
    }
    ledger
}

fn drift(ledger: &Ledger, more: &[&str]) -> Ran {
    ledger.run("drift", &[&["--pairs", &pairs_file()], more].concat())
}

/// How often each cause can be the first one where the path is the same, by what the reference lists.
fn kinds(pair: &Value, policy: &str) -> BTreeMap<String, u64> {
    let kinds = pair[policy]["not_allowed"].as_object().unwrap().iter();
    kinds.map(|(kind, count)| (kind.clone(), count.as_u64().unwrap())).collect()
}

#[test]
fn every_pair_parts_where_the_reference_says_that_it_may() {
    let ledger = both_runs();
    for (policy, more) in [("none", &[][..]), ("model-output", &["--variance", "model-output"])] {
        let lines = drift(&ledger, &[&["--format", "json"], more].concat()).exits(1).json();
        let (summary, pairs) = lines.split_last().unwrap();
        let (mut parts, mut missing, mut on_one_path) = (0, 0, 0);
        for wanted in reference()["pairs"].as_array().unwrap() {
            let is_it = |line: &&Value| {
                (&line["baseline"], &line["candidate"]) == (&wanted["baseline"], &wanted["candidate"])
            };
            let line = pairs.iter().find(is_it).unwrap();
            let record = &wanted[policy]["record"];
            match record["failure_class"].as_str() {
                Some("REPLAY_CHAIN_NOT_FOUND") => {
                    assert_eq!(line["verdict"], "not_compared", "{line}");
                    missing += 1;
                    continue;
                }
                Some("REPLAY_POLICY_PATH_MISMATCH") => {
                    // Somewhere the two do another thing, though an answer may differ before that.
                    assert_eq!(line["verdict"], "parts");
                    let other = ["policy", "identity", "input", "missing", "extra"];
                    let causes = line["causes"].as_object().unwrap();
                    assert!(other.iter().any(|cause| causes.contains_key(*cause)), "{line}");
                }
                Some("REPLAY_VARIANCE_VIOLATION") => {
                    assert_eq!(line["verdict"], "parts", "{line}");
                    if line["causes"]["order"].is_null() {
                        // One place has the first cause that applies of all that differ there.
                        let kinds = kinds(wanted, policy);
                        let first = line["first"]["cause"].as_str().unwrap();
                        assert!(kinds.contains_key(first), "{first} of {kinds:?}");
                        on_one_path += 1;
                    }
                }
                Some(other) => panic!("{other}"),
                // Constrained replay pairs calls wherever they stand; here another order counts.
                None => {
                    let is_order = line["causes"].as_object().unwrap().keys().all(|cause| cause == "order");
                    assert!(is_order, "{line}");
                    let is_allowed = !line["allowed"].as_object().unwrap().is_empty();
                    let wanted = if is_allowed { "within" } else { "same" };
                    assert!(line["verdict"] == wanted || !line["causes"]["order"].is_null(), "{line}");
                }
            }
            parts += u64::from(line["verdict"] == "parts");
        }
        let summary = &summary["summary"];
        assert_eq!((&summary["pairs"], &summary["parts"]), (&pairs.len().into(), &parts.into()));
        assert_eq!(summary["not_compared"], missing);
        assert!(policy != "none" || on_one_path > 0);
        let sum = |members: &Value| {
            members.as_object().unwrap().values().map(|it| it.as_u64().unwrap()).sum::<u64>()
        };
        assert_eq!(sum(&summary["first_causes"]), parts);
    }
}

#[test]
fn both_sides_are_named_by_span_record_and_entry() {
    let ledger = both_runs();
    let lines = drift(&ledger, &["--format", "json"]).exits(1).json();
    let mut checked = 0;
    for line in lines.iter().filter(|line| !line["first"].is_null()) {
        for side in ["baseline", "candidate"] {
            let place = &line["first"][side];
            if place.is_null() {
                continue;
            }
            let shown = ledger.run("show", &[&place["seq"].to_string(), "--format", "json"]).well().json();
            assert_eq!(shown[0]["envelope_hash"], place["envelope_hash"]);
            assert_eq!(shown[0]["body"]["trace"]["span_id"], place["span_id"]);
            assert_eq!(shown[0]["trace_id"], line[side]);
            checked += 1;
        }
        if checked > 12 {
            break;
        }
    }
    assert!(checked > 12);
}

#[test]
fn shapes_and_threads() {
    let ledger = both_with_payloads();
    let with = |threads: &str, format: &str| {
        drift(&ledger, &["--payloads", "--threads", threads, "--format", format]).exits(1).stdout
    };
    for format in ["json", "text"] {
        let one = with("1", format);
        assert!(one.len() > 3_000);
        assert_eq!(with("2", format), one);
        assert_eq!(with("8", format), one);
    }
    let json = with("1", "json");
    let lines: Vec<&str> = json.lines().collect();
    let names = |line: &str| member_names(line).join(" ");
    assert_eq!(names(lines[0]), "allowed baseline candidate causes failure first spans verdict");
    let all: Vec<Value> = lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let first = all.iter().find(|line| line["first"]["cause"] == "response").unwrap()["first"].to_string();
    assert_eq!(names(&first), "baseline candidate cause differences of payloads place subject");
    let compared =
        all.iter().flat_map(|line| line["first"]["payloads"].as_array().cloned().unwrap_or_default());
    let compared: Vec<Value> = compared.filter(|payload| payload["state"] == "compared").collect();
    assert!(compared.iter().any(|payload| payload["lines"].as_array().unwrap().len() > 1), "{compared:?}");
    assert_eq!(names(&compared[0].to_string()), "is_cut lines member state");
    assert_eq!(
        names(&all.last().unwrap()["summary"].to_string()),
        "allowed alone causes damage damage_count depths entries first_causes keys ledger_id not_compared other_keys \
         other_subjects pairs parts same subjects within without_key"
    );
}

#[test]
fn keys_and_baselines_choose_the_pairs() {
    let ledger = both_runs();
    let summary = |arguments: &[&str]| {
        let lines = ledger.run("drift", &[arguments, &["--format", "json"]].concat()).json();
        (lines.len() - 1, lines.last().unwrap()["summary"].clone())
    };
    let (count, all) = summary(&["--baseline", "e85a", "--candidates-all"]);
    assert_eq!((all["pairs"].clone(), all["alone"].clone()), (count.into(), Value::Null));
    let traces = ledger.run("traces", &["--format", "json"]).well().json();
    assert_eq!(count, traces.len() - 1);
    let (count, one) = summary(&["--baseline", "f989", "--candidate", "4761"]);
    assert_eq!((count, &one["same"]), (1, &1.into()));
    // By resource, each trace is of some pair, alone or without a decision.
    let (count, keyed) = summary(&["--key", "resource"]);
    let number = |name: &str| keyed[name].as_u64().unwrap();
    assert!(count > 0 && number("pairs") + number("alone") + number("without_key") < traces.len() as u64);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.jsonl");
    let id = |at: usize| traces[at]["trace_id"].as_str().unwrap().to_owned();
    let line = |at: usize, key: &str| format!(r#"{{"trace":"{}","key":"{key}"}}"#, id(at));
    std::fs::write(&file, [line(0, "a"), line(1, "a"), line(2, "b")].join("\n")).unwrap();
    let (count, keyed) = summary(&["--keys", file.to_str().unwrap()]);
    assert_eq!((count, &keyed["alone"]), (1, &1.into()));

    let error = |arguments: &[&str]| {
        ledger.run("drift", &[arguments, &["--format", "json"]].concat()).exits(4).error()
    };
    std::fs::write(&file, [line(0, "a"), line(0, "b")].join("\n")).unwrap();
    let (code, place, _) = error(&["--keys", file.to_str().unwrap()]);
    assert_eq!(
        (code.as_str(), place.unwrap().ends_with("keys.jsonl, line 2, at \"/trace\"")),
        ("form.repeated", true)
    );
    std::fs::write(&file, line(0, "a")).unwrap();
    assert_eq!(error(&["--keys", file.to_str().unwrap()]).0, "drift.no_runs");
    assert_eq!(error(&["--key", "payload:/no/such/member"]).0, "drift.no_runs");
    assert_eq!(error(&["--baseline", "e85a", "--candidate", "0123456"]).0, "ledger.no_such_trace");
    for wrong in [
        &[][..],
        &["--key", "colour"],
        &["--baseline", "e85a"],
        &["--candidates-all"],
        &["--key", "actor", "--baseline", "e85a", "--candidates-all"],
        &["--pairs", "-", "--variance", "-"],
    ] {
        ledger.run("drift", wrong).exits(2);
    }
}

#[test]
fn a_run_that_drifts_only_as_allowed_exits_with_0() {
    let ledger = both_runs();
    let text = ledger.run("drift", &["--baseline", "f989", "--candidate", "4761"]).well().stdout;
    assert!(text.ends_with("0 of 1 pair part, 1 the same, 0 within what may differ.\n"), "{text}");
    // What is damaged comes before what parts.
    let pair = ["--baseline", "135e", "--candidate", "2d9d6f"];
    ledger.run("drift", &pair).exits(1);
    ledger.edit(&ledger.segment(), |bytes| {
        let at = bytes.len() / 2;
        bytes[at..at + 8].iter_mut().for_each(|byte| *byte ^= 0x55);
    });
    let found = ledger.run("drift", &["--pairs", &pairs_file()]);
    assert_eq!(found.code, 3, "{}{}", found.stdout, found.stderr);
}

#[test]
fn pictures() {
    let ledger = both_with_payloads();
    for columns in ["80", "200"] {
        let mut command = program();
        command.arg("drift").arg(&ledger.dir).args(["--pairs", &pairs_file(), "--variance", "model-output"]);
        let text = ran(command.arg("--payloads").env("COLUMNS", columns)).exits(1).stdout;
        let width: usize = columns.parse().unwrap();
        for line in text.lines() {
            assert!(line.chars().count() <= width, "{line}");
            assert_eq!(line, line.trim_end(), "nothing trails");
        }
        assert_snapshot!(format!("drift_{columns}"), text);
    }
    let ascii = drift(&ledger, &["--ascii"]).exits(1).stdout;
    assert!(ascii.is_ascii(), "{ascii}");
}
