//! `query` against the evidence itself: what each filter lets through is computed from the lines that were committed.

use std::collections::BTreeMap;

use insta::assert_snapshot;
use proofline::canon::unbase64;
use proofline::ledger::{LeafHash, Seq, Snapshot};
use proofline::proof::NodeHash;
use proofline::proof::tree::{Frontier, verify_inclusion};
use serde_json::{Value, json};

use crate::log::envelopes;
use crate::proven::{Proven, verify_proof};
use crate::run::{AGENT_WORK, Ledger, json_lines, member_names, proofline};

/// The answers, without the summary behind them.
fn answers(ledger: &Ledger, more: &[&str]) -> Vec<Value> {
    let mut lines = ledger.run("query", &[more, &["--format", "json"]].concat()).well().json();
    let summary = lines.pop().unwrap();
    assert_eq!(summary["summary"]["answers"], lines.len());
    lines
}

fn seqs(ledger: &Ledger, more: &[&str]) -> Vec<u64> {
    answers(ledger, more).iter().map(|line| line["seq"].as_u64().unwrap()).collect()
}

#[test]
fn filters_let_through_what_the_evidence_says() {
    let (ledger, entries) = (Ledger::of(AGENT_WORK), envelopes());
    let accepted: BTreeMap<&str, &Value> = entries
        .values()
        .filter(|(outcome, _)| outcome["classification"] == "ACCEPT")
        .map(|(outcome, envelope)| (outcome["envelope_hash"].as_str().unwrap(), envelope))
        .collect();
    // A record's own, or what it names.
    let rests_on = |envelope: &Value, name: &str, path: &str| {
        let hash = envelope[name].as_str();
        let record = hash.map_or(Some(envelope), |hash| accepted.get(hash).copied());
        record.and_then(|record| record.pointer(path)).cloned().unwrap_or_default()
    };
    let assert_fits = |more: &[&str], fits: &dyn Fn(&Value, &Value) -> bool| {
        let wanted = entries.iter().filter(|(_, (outcome, envelope))| fits(outcome, envelope));
        let wanted: Vec<u64> = wanted.map(|(seq, _)| *seq).collect();
        assert!(!wanted.is_empty(), "{more:?}");
        assert_eq!(seqs(&ledger, more), wanted, "{more:?}");
    };
    assert_eq!(seqs(&ledger, &[]), (0..410).collect::<Vec<_>>());
    assert_fits(&["record_type = tool_call"], &|_, it| it["record_type"] == "tool_call");
    assert_fits(&["classification = UNAUTHORIZED_EXECUTION"], &|outcome, _| {
        outcome["classification"] == "UNAUTHORIZED_EXECUTION"
    });
    assert_fits(&["kind in (accepted, rejected) and not outcome.status = ok"], &|_, it| {
        it["outcome"]["status"] != "ok"
    });
    assert_fits(&["outcome.status != ok"], &|_, it| {
        it["outcome"]["status"].as_str().is_some_and(|it| it != "ok")
    });
    let call = entries.values().find(|(_, it)| it["record_type"] == "tool_call").unwrap();
    let tool = call.1["tool"]["tool_name"].as_str().unwrap();
    let actor = rests_on(&call.1, "auth_context_envelope_sha256", "/actor/actor_id");
    let filter = format!(
        "record_type = tool_call and tool.tool_name = \"{tool}\" and auth.actor.actor_id = {actor} \
         and policy.decision.result = allow"
    );
    assert_fits(&[&filter], &|_, it| {
        it["tool"]["tool_name"] == tool
            && rests_on(it, "auth_context_envelope_sha256", "/actor/actor_id") == actor
            && rests_on(it, "policy_decision_envelope_sha256", "/decision/result") == "allow"
    });
    let time = |it: &Value| it["ts_ms"].as_i64().or(it["started_at_ms"].as_i64()).unwrap();
    let mut times: Vec<i64> = entries.values().map(|(_, it)| time(it)).collect();
    times.sort_unstable();
    let (from, to) = (times[100], times[200]);
    assert_fits(&["--from", &from.to_string(), "--to", &to.to_string()], &|_, it| {
        (from..to).contains(&time(it))
    });
    let trace = call.1["trace"]["trace_id"].as_str().unwrap();
    assert_fits(&["--trace", &trace[..8], "seq > 0"], &|_, it| it["trace"]["trace_id"] == trace);
    let with_refused: Vec<&Value> = entries
        .values()
        .filter(|(outcome, _)| outcome["classification"] != "ACCEPT")
        .map(|(_, it)| &it["trace"]["trace_id"])
        .collect();
    assert_fits(&["trace.any(kind = rejected)"], &|_, it| with_refused.contains(&&it["trace"]["trace_id"]));
}

#[test]
fn lines_keep_their_shape_and_have_the_record_itself() {
    let ledger = Ledger::of(AGENT_WORK);
    let ran = ledger.run("query", &["seq in (0, 1, 40)", "--format", "json"]).well();
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 4);
    let shape = "seq kind recorded_at_ms trace_id envelope_hash classification error_kind record_type time_ms \
                 payloads_gone body";
    for line in &lines[..3] {
        assert_eq!(member_names(line).join(" "), shape);
        let line: Value = serde_json::from_str(line).unwrap();
        let shown =
            ledger.run("show", &[&line["seq"].to_string(), "--format", "json"]).well().json().remove(0);
        for name in ["seq", "kind", "recorded_at_ms", "trace_id", "envelope_hash", "error_kind", "body"] {
            assert_eq!(line[name], shown[name], "{name}");
        }
    }
    let summary: Value = serde_json::from_str(lines[3]).unwrap();
    let head = Snapshot::open(&ledger.dir).unwrap().head().unwrap().to_string();
    let summary = &summary["summary"];
    assert_eq!(
        (&summary["entries"], &summary["answers"], &summary["explain"]),
        (&410.into(), &3.into(), &Value::Null)
    );
    assert_eq!((&summary["head"], &summary["end"]), (&head.into(), &"published".into()));
    let picked = answers(&ledger, &["seq = 0", "--fields", "hash,seq,record_type,body.origin"]);
    let hash = Snapshot::open(&ledger.dir).unwrap().header(Seq::GENESIS).unwrap().unwrap().envelope_hash;
    let origin = "ledger.example/test";
    let expected = json!({"hash": hash.to_string(), "seq": 0, "record_type": null, "body.origin": origin});
    assert_eq!(picked, [expected]);
}

#[test]
fn threads_change_no_byte() {
    let ledger = Ledger::of(AGENT_WORK);
    for more in [
        &["record_type = model_call"][..],
        &["trace.records > 10 or policy.decision.result = deny", "--explain"],
        &["--count-by", "auth.actor.actor_id,record_type"],
        &["kind = accepted", "--fields", "seq,auth.actor.actor_id,trace.rejected", "--limit", "77"],
    ] {
        for format in ["text", "json"] {
            let run = |threads: &str| {
                ledger
                    .run("query", &[more, &["--threads", threads, "--format", format]].concat())
                    .well()
                    .stdout
            };
            let one = run("1");
            assert_eq!(run("2"), one);
            assert_eq!(run("5"), one);
        }
    }
}

#[test]
fn counts_add_up() {
    let (ledger, entries) = (Ledger::of(AGENT_WORK), envelopes());
    let lines = ledger
        .run("query", &["kind in (accepted, rejected)", "--count-by", "record_type", "--format", "json"]);
    let lines = lines.well().json();
    let (summary, groups) = lines.split_last().unwrap();
    let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, envelope) in entries.values() {
        *expected.entry(envelope["record_type"].as_str().unwrap()).or_default() += 1;
    }
    let found: BTreeMap<&str, u64> = groups
        .iter()
        .map(|line| (line["group"]["record_type"].as_str().unwrap(), line["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(found, expected);
    assert!(groups.is_sorted_by(|one, other| one["count"].as_u64() >= other["count"].as_u64()));
    assert_eq!(summary["summary"]["answers"], entries.len());
    let counted =
        ledger.run("query", &["record_type = tool_call", "--count", "--format", "json"]).well().json();
    assert_eq!(counted[0], json!({"count": expected["tool_call"]}));
    let few = ledger.run("query", &["--count-by", "hash", "--max-groups", "9", "--format", "json"]).exits(4);
    assert_eq!(few.error().0, "query.too_many_groups");
}

#[test]
fn what_is_no_filter_is_told_with_its_place() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    let wrong = ledger.run("query", &["seq = 1 and outcome.stauts = ok", "--format", "json"]).exits(2);
    let (code, place, hint) = wrong.error();
    assert_eq!((&*code, place.as_deref()), ("query.unknown_field", Some("column 13 of the filter")));
    assert!(hint.unwrap().contains("--list-fields"));
    let told = ledger.run("query", &["seq = 1 and outcome.stauts = ok"]).exits(2);
    assert_snapshot!("query_wrong", told.stderr);
    for (more, code) in [
        (&["--fields", "seq,nope"][..], "query.unknown_field"),
        (&["--fields", "hash,envelope_hash"], "query.field_twice"),
        (&["seq ="], "query.syntax"),
        (&["seq = x"], "query.value"),
    ] {
        let ran = ledger.run("query", &[more, &["--format", "json"]].concat()).exits(2);
        assert_eq!(ran.error().0, code);
    }
    let names = proofline(["query", "--list-fields", "--format", "json"]).well().json();
    assert!(
        names.iter().any(|line| line["field"] == "policy.decision.result" && line["values"] == "allow, deny")
    );
}

#[test]
fn proofs_stand_for_themselves() {
    let (proven, [_, latest]) = Proven::new();
    let lines = json_lines(
        &proven.ledger.run("query", &["seq in (3, 17)", "--proofs", "--format", "json"]).well().stdout,
    );
    for line in &lines[..2] {
        let seq = line["seq"].as_u64().unwrap();
        let proved =
            proven.ledger.run("prove", &[&seq.to_string(), "--format", "json"]).well().json().remove(0);
        assert_eq!(line["proof"], proved);
        assert_eq!(line["proof"]["size"], latest.size);
        let bytes = unbase64(line["proof"]["proof_base64"].as_str().unwrap()).unwrap();
        let file = proven.file("answer.tlog-proof", bytes);
        let envelope = proven.envelope(seq);
        verify_proof(&[&file, "--key", &proven.public("tlog-proof"), "--envelope", &envelope]).well();
    }

    // Without a checkpoint: the path to the root of all entries, as a tree of another making has it.
    let ledger = Ledger::of(AGENT_WORK);
    let snapshot = Snapshot::open(&ledger.dir).unwrap();
    let mut frontier = Frontier::empty();
    for seq in 0..snapshot.entries() {
        frontier.push(LeafHash::of_header(&snapshot.header_bytes(Seq::new(seq)).unwrap().unwrap()));
    }
    let root = frontier.root();
    let lines = answers(&ledger, &["seq in (0, 300)", "--proofs"]);
    assert_eq!(lines.len(), 2);
    for line in lines {
        let proof = &line["proof"];
        assert_eq!((&proof["form"], &proof["size"]), (&"path".into(), &410.into()));
        assert_eq!(proof["root"], root.to_string());
        let header = unbase64(proof["header_base64"].as_str().unwrap()).unwrap();
        let path: Vec<NodeHash> = proof["path"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| NodeHash::from_bytes(proofline::canon::unhex(node.as_str().unwrap()).unwrap()))
            .collect();
        verify_inclusion(line["seq"].as_u64().unwrap(), 410, LeafHash::of_header(&header), &path, &root)
            .unwrap();
    }
}

#[test]
fn views() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    let view = |more: &[&str], columns: &str| {
        let mut command = crate::run::program();
        let shown = crate::run::ran(command.arg("query").arg(&ledger.dir).args(more).env("COLUMNS", columns))
            .well()
            .stdout;
        let width: usize = columns.parse().unwrap();
        assert!(shown.lines().all(|line| line.chars().count() <= width), "{shown}");
        shown
    };
    let shown = [
        view(&["trace.any(kind = rejected) and not record_type = auth_context", "--explain"], "80"),
        view(&["kind = rejected", "--proofs"], "80"),
        view(&["--fields", "seq,kind,recorded_at,record_type,outcome.status,hash"], "120"),
        view(&["--count-by", "kind,policy.decision.result"], "80"),
        view(&["policy.decision.result = deny", "--count"], "80"),
        view(&["kind = artifact", "--explain"], "80"),
    ];
    assert_snapshot!("query", shown.join(&format!("{}\n", "=".repeat(80))));
}

#[test]
fn of_what_is_away_or_damaged_nothing_is_guessed() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    ledger.edit(&ledger.segment(), |bytes| {
        let at = bytes.len() - 900;
        bytes[at] ^= 1;
    });
    let ran = ledger.run("query", &["not record_type = auth_context", "--format", "json"]).exits(3);
    let damaged = json_lines(&ran.stderr).len();
    let lines = ran.json();
    let summary = &lines.last().unwrap()["summary"];
    assert!(damaged >= 1 && summary["damaged"].as_u64().unwrap() >= 1, "{}", ran.stderr);
    let total = summary["answers"].as_u64().unwrap();
    assert!(total < summary["entries"].as_u64().unwrap());
}
