//! `log` against the evidence itself: what each filter lets through is computed from the lines that were committed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::run::{AGENT_WORK, Ledger, member_names, vectors};

/// The envelope of each entry that the shipped work makes, by its number, as the reference numbers them.
pub(crate) fn envelopes() -> BTreeMap<u64, (Value, Value)> {
    let read = |name: &str| std::fs::read_to_string(vectors(name)).unwrap();
    let expected: Value = serde_json::from_str(&read("evidence/expected.json")).unwrap();
    let text = read(AGENT_WORK);
    let lines: Vec<&str> = text.lines().collect();
    let mut entries = BTreeMap::new();
    for outcome in expected["outcomes"].as_array().unwrap().iter().filter(|it| it["duplicate"] == false) {
        let number = usize::try_from(outcome["line"].as_u64().unwrap()).unwrap();
        let line: Value = serde_json::from_str(lines[number - 1]).unwrap();
        let envelope = line.get("envelope").unwrap_or(&line).clone();
        entries.insert(outcome["seq"].as_u64().unwrap(), (outcome.clone(), envelope));
    }
    entries
}

fn listed(ledger: &Ledger, more: &[&str]) -> Vec<u64> {
    let lines = ledger.run("log", &[more, &["--format", "json"]].concat()).well().json();
    lines.iter().map(|line| line["seq"].as_u64().unwrap()).collect()
}

#[test]
fn filters_let_through_what_the_evidence_says() {
    let (ledger, entries) = (Ledger::of(AGENT_WORK), envelopes());
    assert_eq!(listed(&ledger, &[]), (0..410).rev().collect::<Vec<_>>());
    assert_eq!(listed(&ledger, &["--limit", "3"]), [409, 408, 407]);
    let assert_fits = |more: &[&str], fits: &dyn Fn(&Value, &Value) -> bool| {
        let wanted = entries.iter().rev().filter(|(_, (outcome, envelope))| fits(outcome, envelope));
        let wanted: Vec<u64> = wanted.map(|(seq, _)| *seq).collect();
        assert!(!wanted.is_empty(), "{more:?}");
        assert_eq!(listed(&ledger, more), wanted, "{more:?}");
    };
    let first = |of: &dyn Fn(&Value) -> Option<String>| {
        entries.values().find_map(|(_, envelope)| of(envelope)).unwrap()
    };
    let text = |value: &Value| value.as_str().map(str::to_owned);
    assert_fits(&["--type", "tool_call"], &|_, it| it["record_type"] == "tool_call");
    assert_fits(&["--classification", "UNAUTHORIZED_EXECUTION"], &|outcome, _| {
        outcome["classification"] == "UNAUTHORIZED_EXECUTION"
    });
    let trace = first(&|it| text(&it["trace"]["trace_id"]));
    assert_fits(&["--trace", &trace], &|_, it| it["trace"]["trace_id"] == *trace);
    let tool = first(&|it| text(&it["tool"]["tool_name"]));
    assert_fits(&["--tool", &tool], &|_, it| it["tool"]["tool_name"] == *tool);
    let model = first(&|it| text(&it["model"]["model"]));
    let provider = first(&|it| text(&it["model"]["provider"]));
    assert_fits(&["--model", &format!("{provider}/{model}")], &|_, it| {
        it["model"]["model"] == *model && it["model"]["provider"] == *provider
    });
    let adapter = first(&|it| text(&it["tool"]["adapter_id"]));
    let of_adapter = entries.values().find(|(_, it)| it["tool"]["adapter_id"] == *adapter).unwrap();
    let tool = of_adapter.1["tool"]["tool_name"].as_str().unwrap();
    assert_fits(&["--tool", &format!("{adapter}/{tool}")], &|_, it| {
        it["tool"]["tool_name"] == tool && it["tool"]["adapter_id"] == *adapter
    });
    assert!(listed(&ledger, &["--tool", &format!("other/{tool}")]).is_empty());
    assert_fits(&["--model", &model], &|_, it| it["model"]["model"] == *model);
    assert_fits(&["--classification", "ACCEPT", "--trace", &trace[..6]], &|outcome, it| {
        outcome["classification"] == "ACCEPT" && it["trace"]["trace_id"] == *trace
    });
    assert_fits(&["--outcome", "ok", "--type", "model_call"], &|_, it| {
        it["outcome"]["status"] == "ok" && it["record_type"] == "model_call"
    });
    assert_fits(&["--outcome", "deny"], &|_, it| it["decision"]["result"] == "deny");

    // What a call rests on is found under the hash that the reference gave it.
    let accepted: BTreeMap<&str, &Value> = entries
        .values()
        .filter(|(outcome, _)| outcome["classification"] == "ACCEPT")
        .map(|(outcome, envelope)| (outcome["envelope_hash"].as_str().unwrap(), envelope))
        .collect();
    let under = |envelope: &Value, name: &str, path: &str| {
        let own = envelope.pointer(path).cloned();
        let hash = envelope[name].as_str();
        hash.map_or(own, |hash| accepted.get(hash).and_then(|it| it.pointer(path)).cloned())
    };
    let actor = first(&|it| text(&it["actor"]["actor_id"]));
    assert_fits(&["--actor", &actor], &|_, it| {
        under(it, "auth_context_envelope_sha256", "/actor/actor_id") == Some(actor.clone().into())
    });
    for (flag, path) in [("--action", "/request/action"), ("--resource", "/request/resource")] {
        let wanted = first(&|it| it.pointer(path).and_then(text));
        assert_fits(&[flag, &wanted], &|_, it| {
            under(it, "policy_decision_envelope_sha256", path) == Some(wanted.clone().into())
        });
    }
}

#[test]
fn artifacts_say_what_they_are_about() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    ledger.run("replay", &["--record"]).exits(0);
    let lines = ledger.run("log", &["--limit", "2", "--format", "json"]).well().json();
    let (result, diagnostics) = (&lines[1], &lines[0]["artifact"]);
    assert_eq!(result["artifact"]["artifact_type"], "replay_result");
    assert_eq!(result["artifact"]["replay_type"], "forensic");
    assert_eq!(
        (&result["artifact"]["result"], &result["artifact"]["failure_class"]),
        (&"pass".into(), &Value::Null)
    );
    assert_eq!(diagnostics["artifact_type"], "replay_diagnostics");
    assert_eq!(diagnostics["result_sha256"], result["envelope_hash"]);
    assert_eq!([&diagnostics["failures"], &diagnostics["differences"]], [0, 0]);
    assert_eq!((&lines[0]["says"], &lines[0]["kind"]), (&Value::Null, &"artifact".into()));
    let evidence = ledger.run("log", &["--type", "tool_call", "--format", "json"]).well().json();
    assert!(evidence.iter().all(|line| line["artifact"].is_null()));
}

#[test]
fn times_are_those_of_recording_and_lines_keep_their_shape() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    let all: Vec<u64> = (0..7).rev().collect();
    let (at, later) = ("2026-01-31T00:00:00.000Z", "2026-01-31T00:00:00.001Z");
    assert_eq!(listed(&ledger, &["--since", at, "--until", later]), all);
    assert!(listed(&ledger, &["--since", later]).is_empty() && listed(&ledger, &["--until", at]).is_empty());
    let line = ledger.run("log", &["--limit", "1", "--format", "json"]).well().stdout;
    let names = "seq kind recorded_at_ms trace_id envelope_hash classification error_kind record_type time_ms says artifact system";
    assert_eq!(member_names(line.lines().next().unwrap()).join(" "), names);
    let text = ledger.run("log", &[]).well().stdout;
    // Titles, the day, and a line for each entry.
    assert!(text.lines().count() == 9 && text.contains("refused unauthorized.policy_denied"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    ledger.run("log", &["--trace", &"1".repeat(32)]).exits(4);
    for bad in [["--type", "call"], ["--since", "yesterday"], ["--classification", "NO"]] {
        ledger.run("log", &bad).exits(2);
    }
}

#[test]
fn new_entries_are_followed_in_order_until_enough_or_nobody_listens() {
    let ledger = Ledger::empty();
    let follow = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_proofline"));
        command.arg("log").arg(&ledger.dir).args(["--follow", "--format", "json"]).args(more);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let file = vectors("evidence/trouble/denied-call.jsonl");
    let mut enough = follow(&["--since", "2026-01-01T00:00:00Z", "--limit", "6"]);
    std::thread::sleep(std::time::Duration::from_millis(1_000)); // it must have looked once
    ledger.commit(&file, &[]);
    let lines = BufReader::new(enough.stdout.take().unwrap()).lines();
    let seqs: Vec<u64> = lines
        .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()["seq"].as_u64().unwrap())
        .collect();
    assert_eq!(seqs, [1, 2, 3, 4, 5, 6]);
    assert_eq!(enough.wait().unwrap().code(), Some(0));

    let mut unheard = follow(&[]);
    drop(unheard.stdout.take());
    std::thread::sleep(std::time::Duration::from_millis(1_000));
    // A refused attempt is kept each time it is made.
    ledger.commit(&vectors("evidence/trouble/wrong-declared-hash.jsonl"), &[]);
    let output = unheard.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(6), &b""[..]));
}
