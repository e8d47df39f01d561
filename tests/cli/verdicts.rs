//! `replay --record --seal`, and `verdicts verify`: a verdict that is sealed and signed comes out again, and one that
//! does not is told.

use serde_json::{Value, json};

use crate::run::{AGENT_WORK, CLOCK, vectors};
use crate::signing::Desk;

/// A ledger of the shipped work with a producer key for whoever audits it.
fn desk() -> Desk {
    let desk = Desk::with_log_key();
    desk.keygen("auditor.example", "auditor.key", "producer");
    desk.run(&["keys", "add", "LEDGER", "--key", "auditor.key", "--by", "log.key"]).exits(0);
    desk.ledger.commit(&vectors(AGENT_WORK), &[]);
    desk
}

fn lines(desk: &Desk, arguments: &[&str], exit: i32) -> Vec<Value> {
    desk.run(&[arguments, &["--format", "json"]].concat()).exits(exit).json()
}

#[test]
fn verdicts_are_sealed_signed_listed_and_verified() {
    let desk = desk();
    let seal = ["replay", "LEDGER", "--record", "--seal", "--key", "auditor.key", "--clock", CLOCK];
    let replayed = lines(&desk, &seal, 0);
    let summary = &replayed.last().unwrap()["summary"];
    let (traces, size) = (summary["traces"].as_u64().unwrap(), summary["entries"].as_u64().unwrap());
    assert_eq!(summary["recorded"], json!({"appended": traces, "there_before": 0, "sealed": traces}));

    let listed = lines(&desk, &["verdicts", "LEDGER"], 0);
    assert_eq!(listed.len() as u64, traces);
    for line in &listed {
        let seals = line["seals"].as_array().unwrap();
        assert_eq!((seals.len(), &seals[0]["size"]), (1, &json!(size)));
        let signed_by = seals[0]["signed_by"][0].as_str().unwrap();
        assert!(signed_by.starts_with("auditor.example+"), "{signed_by}");
    }
    let text = desk.run(&["verdicts", "LEDGER"]).exits(0).stdout;
    assert!(text.contains(&format!("sealed over {size} entries, signed by auditor.example+")), "{text}");

    // More is appended, and each still holds.
    desk.ledger.commit(&vectors("evidence/agent-work-after-model-change.jsonl"), &[]);
    let verified = lines(&desk, &["verdicts", "verify", "LEDGER"], 0);
    let (totals, checks) = verified.split_last().unwrap();
    assert_eq!(totals["summary"], json!({"verdicts": traces, "hold": traces, "fail": 0}));
    for check in checks {
        assert_eq!((&check["holds"], &check["diagnostics"]), (&json!(true), &json!("same")));
        assert_eq!(check["signed_by"][0]["verified"], true);
        assert_eq!(check["versions"], json!([]));
    }
    // One of them, by its trace, by its artifact and by its seal.
    let one = &checks[0];
    for name in ["artifact_sha256", "seal_sha256"] {
        let found = lines(&desk, &["verdicts", "verify", "LEDGER", one[name].as_str().unwrap()], 0);
        assert_eq!((found.len(), &found[0]), (2, one));
    }
    let found =
        lines(&desk, &["verdicts", "verify", "LEDGER", "--trace", one["trace_id"].as_str().unwrap()], 0);
    assert_eq!(&found[0], one);
    let refused = desk.run(&["verdicts", "verify", "LEDGER", &"0".repeat(64), "--format", "json"]).exits(4);
    assert_eq!(refused.error().0, "ledger.no_such_hash");
    let text = desk.run(&["verdicts", "verify", "LEDGER"]).exits(0).stdout;
    assert!(text.ends_with("sealed verdicts: all hold\n"), "{text}");
    assert!(text.contains("  signed by auditor.example+"), "{text}");

    // The log tells of seals and signatures, and the ledger verifies with them.
    let log = lines(&desk, &["log", "LEDGER", "--limit", "10000"], 0);
    let of = |name: &str| log.iter().filter(|line| line["artifact"]["artifact_type"] == name).count() as u64;
    assert_eq!((of("verdict_seal"), of("verdict_signature")), (traces, traces));
    desk.run(&["verify", "LEDGER"]).exits(0);
}

#[test]
fn a_verdict_that_does_not_come_out_again_is_told() {
    let desk = desk();
    desk.run(&["replay", "LEDGER", "--record", "--seal", "--mode", "invariant"]).exits(0);
    assert_eq!(lines(&desk, &["verdicts", "verify", "LEDGER"], 0).last().unwrap()["summary"]["fail"], 0);
    // A folder of payloads that was not there makes other coverage: nothing was at hand then.
    let payloads = vectors("evidence/payloads.jsonl");
    desk.ledger.commit(&vectors(AGENT_WORK), &["--blobs", payloads.to_str().unwrap()]);
    let verified = lines(&desk, &["verdicts", "verify", "LEDGER"], 1);
    let (totals, checks) = verified.split_last().unwrap();
    assert!(totals["summary"]["fail"].as_u64().unwrap() > 0);
    let failed = checks.iter().find(|check| check["holds"] == false).unwrap();
    assert_eq!((&failed["same_result"], &failed["diagnostics"]), (&json!(true), &json!("differ")));
    assert!(failed["differing"].as_array().unwrap().contains(&json!("coverage")));
    let text = desk.run(&["verdicts", "verify", "LEDGER"]).exits(1).stdout;
    assert!(text.contains("DOES NOT HOLD") && text.contains("the diagnostics differ in coverage"), "{text}");
}

#[test]
fn what_cannot_be_sealed_or_signed_is_refused_before_anything_is_recorded() {
    let desk = desk();
    let entries = |desk: &Desk| lines(desk, &["stat", "LEDGER"], 0)[0]["entries"].clone();
    let before = entries(&desk);
    desk.run(&["replay", "LEDGER", "--seal"]).exits(2);
    desk.run(&["replay", "LEDGER", "--record", "--key", "auditor.key"]).exits(2);
    desk.keygen("stranger.example", "stranger.key", "producer");
    for key in ["stranger.key", "log.key"] {
        let refused =
            desk.run(&["replay", "LEDGER", "--record", "--seal", "--key", key, "--format", "json"]).exits(4);
        assert_eq!(refused.error().0, "ledger.unknown_producer");
    }
    assert_eq!(entries(&desk), before);
    let none = lines(&desk, &["verdicts", "verify", "LEDGER"], 0);
    assert_eq!(none[0]["summary"], json!({"verdicts": 0, "hold": 0, "fail": 0}));
}
