//! The shipped evidence against what the Python reference says of it, line by line and trace by trace.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::run::{AGENT_WORK, Ledger, PAYLOADS, Ran, json_lines, program, proofline, ran, vectors};

fn reference(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(vectors(name)).unwrap()).unwrap()
}

/// An answer of `commit` as the reference states it: without the sentence, the place under its own name.
fn stated(answer: &Value) -> Value {
    let mut stated = answer.clone();
    let members = stated.as_object_mut().unwrap();
    let message = members.remove("message").unwrap();
    let path = members.remove("path").unwrap();
    assert_eq!(message.is_null(), path.is_null(), "a refusal has a place and a sentence: {answer}");
    members.insert("pointer".to_owned(), path);
    stated
}

#[track_caller]
fn assert_answers(committed: &Ran, expected: &Value, what: &str) {
    let found: Vec<Value> = committed.json().iter().map(stated).collect();
    let expected = expected.as_array().unwrap();
    assert_eq!(found.len(), expected.len(), "{what}");
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected, "{what}");
    }
}

/// 4 when a line is not kept, else 1 when one is refused and kept, else 0.
fn commit_code(expected: &Value) -> i32 {
    let refused = |line: &Value| line["classification"] != "ACCEPT";
    let lines = expected.as_array().unwrap();
    if lines.iter().any(|line| refused(line) && line["seq"].is_null()) {
        4
    } else {
        i32::from(lines.iter().any(refused))
    }
}

#[test]
fn every_line_of_agent_work_is_answered_as_the_reference_has_it() {
    let expected = reference("evidence/expected.json");
    let ledger = Ledger::empty();
    let committed = ledger.commit(&vectors(AGENT_WORK), &["--format", "json"]).exits(1);
    assert_answers(&committed, &expected["outcomes"], AGENT_WORK);
    assert_eq!(committed.stderr, "");

    // Sent again, nothing changes but that all accepted lines are there before.
    let again = ledger.commit(&vectors(AGENT_WORK), &["--format", "json"]).exits(1);
    for (first, second) in committed.json().iter().zip(again.json()) {
        if first["classification"] == "ACCEPT" {
            assert_eq!((&second["seq"], &second["duplicate"]), (&first["seq"], &Value::Bool(true)));
        }
    }
}

#[test]
fn every_line_of_each_trouble_file_is_answered_as_the_reference_has_it() {
    let expected = reference("evidence/trouble/expected.json");
    for (name, file) in expected["files"].as_object().unwrap() {
        let committed =
            Ledger::empty().commit(&vectors(&format!("evidence/trouble/{name}")), &["--format", "json"]);
        assert_answers(&committed, &file["outcomes"], name);
        let is_empty = file["outcomes"].as_array().unwrap().is_empty();
        let code = if is_empty { 4 } else { commit_code(&file["outcomes"]) };
        assert_eq!(committed.code, code, "{name}");
    }
}

#[test]
fn every_single_line_case_is_answered_as_the_reference_has_it() {
    let expected = reference("gate/lines.json");
    for case in expected["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let line = match (&case["input"], &case["input_hex"]) {
            (Value::String(text), _) => text.as_bytes().to_vec(),
            (_, hex) => unhex(hex.as_str().unwrap()),
        };
        let ledger = Ledger::empty();
        let committed =
            ran(program().arg("commit").arg(&ledger.dir).args(["--format", "json"]).write_stdin(line));
        let mut answer = stated(&committed.json()[0]);
        assert_eq!(answer.as_object_mut().unwrap().remove("line"), Some(1.into()), "{name}");
        assert_eq!(answer, case["expected"], "{name}");
    }
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn every_verdict_over_agent_work_is_the_references() {
    let expected = reference("evidence/expected.json");
    let file = vectors(AGENT_WORK);
    let ledger = Ledger::of(AGENT_WORK);
    for (name, more) in [("accepted", &[][..]), ("with_rejected", &["--include-rejected"])] {
        for subject in [&file, &ledger.dir] {
            let replayed =
                ran(program().arg("replay").arg(subject).args(["--format", "json"]).args(more)).exits(0);
            let lines = replayed.json();
            let (summary, verdicts) = lines.split_last().unwrap();
            assert_eq!(verdicts.len(), expected["forensic"].as_array().unwrap().len());
            for (verdict, expected) in verdicts.iter().zip(expected["forensic"].as_array().unwrap()) {
                assert_eq!(verdict["record"], expected[name]["record"]);
                assert_eq!(verdict["artifact_sha256"], expected[name]["artifact_sha256"]);
                assert_eq!(verdict["diagnostics"]["result_sha256"], verdict["artifact_sha256"]);
                assert_eq!(verdict["diagnostics"]["findings"], verdict["findings"]);
            }
            assert_eq!(summary["summary"]["passed"], verdicts.len());
            assert_eq!(summary["summary"]["verdict"], "all_well");
        }
    }
}

#[test]
fn findings_over_agent_work_are_those_that_the_reference_can_compute() {
    let expected = reference("evidence/expected.json");
    let replayed = ran(program()
        .arg("replay")
        .arg(vectors(AGENT_WORK))
        .arg("--blobs")
        .arg(vectors(PAYLOADS))
        .args(["--format", "json"]))
    .exits(0);
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in replayed.json() {
        for finding in line["findings"].as_array().into_iter().flatten() {
            let seq = finding["seqs"][0].as_u64().unwrap();
            found.entry(finding["code"].as_str().unwrap().to_owned()).or_default().push(seq);
        }
    }
    found.values_mut().for_each(|seqs| seqs.sort_unstable());
    let absent: Vec<u64> = expected["absent_blobs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|blob| blob["seq"].as_u64().unwrap())
        .collect();
    let totals: Vec<u64> = expected["usage_total_mismatch"]
        .as_array()
        .unwrap()
        .iter()
        .map(|seq| seq.as_u64().unwrap())
        .collect();
    assert_eq!(
        found,
        BTreeMap::from([
            ("BLOB_NOT_AT_HAND".to_owned(), absent),
            ("USAGE_TOTAL_MISMATCH".to_owned(), totals)
        ])
    );
}

#[test]
fn refused_lines_of_a_replayed_file_are_told_beside_the_verdicts() {
    let expected = reference("evidence/expected.json");
    let refused =
        expected["outcomes"].as_array().unwrap().iter().filter(|line| line["classification"] != "ACCEPT");
    let refused: Vec<Value> = refused.cloned().collect();
    let replayed = ran(program().arg("replay").arg(vectors(AGENT_WORK)).args(["--format", "json"])).exits(0);
    let told: Vec<Value> = json_lines(&replayed.stderr).iter().map(stated).collect();
    assert_eq!(told, refused);
    let summary = replayed.json().pop().unwrap();
    let counts = &summary["summary"]["ingest"];
    assert_eq!(
        (&counts["lines"], &counts["rejected"], &counts["bad"]),
        (&414.into(), &refused.len().into(), &0.into())
    );
}

#[test]
fn one_two_and_eight_threads_print_the_same_bytes() {
    let ledger = Ledger::of(AGENT_WORK);
    for format in ["text", "json"] {
        let with = |threads: &str| {
            ledger
                .run("replay", &["--include-rejected", "--format", format, "--threads", threads])
                .exits(0)
                .stdout
        };
        let one = with("1");
        assert!(one.len() > 3000);
        assert_eq!(with("2"), one);
        assert_eq!(with("8"), one);
    }
}

#[test]
fn the_fixed_point_of_the_contract() {
    let nobody = "f".repeat(32);
    let replayed = Ledger::empty()
        .run("replay", &["--trace", &nobody, "--clock", "2026-01-31T01:00:00+01:00", "--format", "json"])
        .exits(1);
    let artifact = "0dfb09ff5058e37a328a66f48a402c518f717d592f7bdc279ed5d33392f9c83e";
    assert_eq!(replayed.json()[0]["artifact_sha256"], artifact);
    assert_eq!(replayed.json()[0]["record"]["failure_class"], "REPLAY_CHAIN_NOT_FOUND");

    let hashed = proofline(["hash", "/dev/null"]).exits(4);
    assert!(hashed.stderr.contains("canon.unexpected_end"), "{}", hashed.stderr);
}
