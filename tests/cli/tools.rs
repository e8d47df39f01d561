//! `replay --tool`: calls that are run again, by what is shipped and by commands.

use proofline::canon::Sha256Digest;
use serde_json::{Value, json};

use crate::run::{Ledger, fed, program, ran};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn hash(record: &Value) -> String {
    fed(["hash", "--format", "json"], record.to_string()).json().remove(0)["sha256"]
        .as_str()
        .unwrap()
        .to_owned()
}

fn head(record_type: &str, span: u8, layer: &str) -> Value {
    let mut trace = json!({"trace_id": TRACE, "span_id": format!("{span:016x}"), "span_kind": "root"});
    if span > 1 {
        trace["span_kind"] = json!("child");
        trace["parent_span_id"] = json!("0000000000000001");
    }
    json!({
        "spec_version": "1.0.0", "canon_version": "1", "record_type": record_type, "trace": trace,
        "producer": {"layer": layer, "component": "desk"}
    })
}

fn with(mut head: Value, more: Value) -> Value {
    let Value::Object(more) = more else { panic!("no object") };
    head.as_object_mut().unwrap().extend(more);
    head
}

fn blob(text: &str) -> Value {
    let sha256 = Sha256Digest::of(text.as_bytes()).to_string();
    json!({"content_type": "text/plain", "sha256": sha256, "size_bytes": text.len()})
}

/// A ledger of one trace with these calls: tool, request, response. All payloads are at hand.
fn ledger(calls: &[(&str, &str, &str)]) -> Ledger {
    let context = with(
        head("auth_context", 1, "cpo"),
        json!({
            "ts_ms": 1000, "actor": {"actor_kind": "user", "actor_id": "staff/ines"},
            "credential": {"credential_kind": "oidc", "issuer": "x", "presented_hash_sha256": "0".repeat(64),
                "verified_at_ms": 900, "expires_at_ms": 9000},
            "grants": {}
        }),
    );
    let context_hash = hash(&context);
    let decision = with(
        head("policy_decision", 2, "cpo"),
        json!({
            "ts_ms": 1001, "auth_context_envelope_sha256": context_hash,
            "policy": {"policy_id": "p", "policy_version": "v1", "policy_sha256": "1".repeat(64)},
            "request": {"action": "calculate", "resource": "desk"},
            "decision": {"result": "allow", "reason_codes": {}, "obligations": {}}
        }),
    );
    let decision_hash = hash(&decision);
    let call = |(at, (tool, request, response)): (u8, &(&str, &str, &str))| {
        with(
            head("tool_call", 3 + at, "adapter"),
            json!({
                "started_at_ms": 1002 + u64::from(at), "ended_at_ms": 1100, "auth_context_envelope_sha256": context_hash,
                "policy_decision_envelope_sha256": decision_hash, "outcome": {"status": "ok"},
                "tool": {"adapter_id": "desk", "tool_name": tool}, "request": blob(request), "response": blob(response)
            }),
        )
    };
    let records: Vec<Value> =
        [context.clone(), decision.clone()].into_iter().chain((0..).zip(calls).map(call)).collect();
    let folder = tempfile::tempdir().unwrap();
    let (lines, payloads) = (folder.path().join("lines"), folder.path().join("payloads"));
    let text: Vec<String> = records.iter().map(Value::to_string).collect();
    std::fs::write(&lines, text.join("\n")).unwrap();
    std::fs::create_dir(&payloads).unwrap();
    for (at, text) in calls.iter().flat_map(|(_, request, response)| [request, response]).enumerate() {
        std::fs::write(payloads.join(at.to_string()), text).unwrap();
    }
    let ledger = Ledger::empty();
    ledger.commit(&lines, &["--blobs", payloads.to_str().unwrap()]).well();
    ledger
}

const SUM: &str = r#"{"expression": "(305 - 250) * 1.5"}"#;

#[test]
fn calls_that_agree_are_counted_and_said() {
    let ledger = ledger(&[("calculate", SUM, "82.5"), ("say", "a\nb\n", "b\na\n"), ("other", "x", "y")]);
    let tools =
        ["--tool", "calculate=builtin:calculator", "--tool", "desk/say=sort -r", "--tool-seconds", "300"];
    let text = ledger.run("replay", &tools).exits(0).stdout;
    assert!(text.contains("policy not re-decided, 2 executed again"), "{text}");
    let lines = ledger.run("replay", &[&tools[..], &["--format", "json"]].concat()).exits(0).json();
    assert_eq!(lines[0]["diagnostics"]["coverage"]["re_executed"], 2);
    assert_eq!(lines[1]["summary"]["re_executed"], 2);
    // Of `all` questions the forensic one runs them.
    let lines =
        ledger.run("replay", &[&tools[..], &["--mode", "all", "--format", "json"]].concat()).exits(0).json();
    assert_eq!(
        (&lines[1]["summary"]["re_executed"], &lines[3]["summary"]["re_executed"]),
        (&json!(2), &json!(0))
    );
}

#[test]
fn an_answer_that_differs_is_shown_line_by_line() {
    let ledger = ledger(&[("say", "one\ntwo\nthree\nfour\nfive\n", "one\ntwo\nTHREE\nfour\n")]);
    let text = ledger.run("replay", &["--tool", "say=cat", "--tool-seconds", "300"]).exits(1).stdout;
    let expected = [
        "    REPLAY_OUTPUT_MISMATCH",
        "    The tool desk/say answers otherwise than it is recorded to have.",
        "    check     output",
        "    at        /response",
        "    recorded (-) and answered (+)",
        "      @@ -1,4 +1,5 @@",
        "       one",
        "       two",
        "      -THREE",
        "      +three",
        "       four",
        "      +five",
    ];
    let mut rest = text.lines();
    for line in expected {
        assert!(rest.any(|found| found == line), "{line}: {text}");
    }
    // Escapes of a tool do not reach the terminal.
    let ledger = self::ledger(&[("say", "\u{1b}[2Ja", "b")]);
    let text = ledger.run("replay", &["--tool", "say=cat", "--tool-seconds", "300"]).exits(1).stdout;
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn a_command_that_fails_fails_the_trace() {
    let ledger = ledger(&[("say", "a", "a")]);
    for (command, code) in
        [("false", "tool.failed"), ("sleep 600", "tool.time"), ("cat /dev/zero", "tool.length")]
    {
        let seconds = if code == "tool.time" { "1" } else { "300" };
        let tool = format!("say={command}");
        let arguments =
            ["--tool", &tool, "--tool-seconds", seconds, "--tool-bytes", "1000", "--format", "json"];
        let lines = ledger.run("replay", &arguments).exits(1).json();
        assert_eq!(lines[0]["record"]["failure_class"], "REPLAY_OUTPUT_MISMATCH");
        let failure = &lines[0]["diagnostics"]["failures"][0];
        assert_eq!(failure["expected"], format!("no answer ({code})"), "{failure}");
        assert_eq!(failure["pointer"], "/response");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let ledger = ledger(&[("say", "a", "a")]);
    let code = |arguments: &[&str], exit: i32| {
        let refused =
            ran(program().arg("replay").arg(&ledger.dir).args(arguments).args(["--format", "json"]));
        refused.exits(exit).error().0
    };
    assert_eq!(code(&["--tool", "say=cat", "--mode", "invariant"], 2), "cli.usage");
    assert_eq!(code(&["--tool", "cat"], 2), "tools.form");
    assert_eq!(code(&["--tool", "Say=cat"], 2), "tools.name");
    assert_eq!(code(&["--tool", "say= "], 2), "tools.command");
    assert_eq!(code(&["--tool", "say=builtin:abacus"], 2), "tools.shipped");
    assert_eq!(code(&["--tool", "say=cat", "--tool", "say=cat"], 2), "tools.twice");
    assert_eq!(code(&["--tool", "say=/no/such/program"], 4), "tools.no_program");
    ran(program().arg("replay").arg(&ledger.dir).args(["--tool", "say=cat", "--tool-seconds", "0"])).exits(2);
}
