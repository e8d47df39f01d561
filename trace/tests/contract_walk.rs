//! The order and kinds of section 4 of the contract, case by case. What is expected here is
//! read off the contract; the walk must meet the first fault first, whatever else is wrong.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::{DIGEST, auth_context, model_call, policy_decision, set, tool_call, without};
use proofline_canon::Limits;
use proofline_trace::{Classification, Envelope, RecordType, Rejection, SealedEnvelope, read_envelope};
use serde_json::{Value as Json, json};

fn read(text: &str) -> Result<SealedEnvelope, Rejection> {
    read_envelope(text.as_bytes(), &Limits::ENVELOPE)
}

/// Kind and pointer of the refusal; every refusal's sentence is checked on the way.
fn refusal(record: &Json) -> (String, String) {
    refusal_of_text(&record.to_string())
}

fn refusal_of_text(text: &str) -> (String, String) {
    let refused = read(text).expect_err(text);
    assert_eq!(refused.classification, Classification::SchemaReject);
    assert!(!refused.is_kept());
    assert!(!refused.message.chars().any(char::is_control), "{:?}", refused.message);
    assert!(refused.message.len() < 500, "{}", refused.message);
    let kind = refused.kind.to_string();
    (kind.strip_prefix("schema_violation.").unwrap().to_owned(), refused.pointer.to_string())
}

#[track_caller]
fn refused(record: &Json, kind: &str, pointer: &str) {
    assert_eq!(refusal(record), (kind.to_owned(), pointer.to_owned()), "{record}");
}

#[track_caller]
fn accepted(record: &Json) {
    if let Err(refused) = read(&record.to_string()) {
        panic!("{} at {:?} in {record}", refused.kind, refused.pointer);
    }
}

#[test]
fn the_samples_read_as_their_types_and_hash_as_python_says() {
    // json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False), then hashlib.sha256.
    let table = [
        (
            auth_context(),
            RecordType::AuthContext,
            "e1084a23bf3c59611b79980538f2383f6f08dc4456781ee4d0b6e0f2fe03f9ae",
        ),
        (
            policy_decision(),
            RecordType::PolicyDecision,
            "1c806cccdb45047d397d63e986dbcd2e8c1323505a8bf141edd11139142fba35",
        ),
        (
            model_call(),
            RecordType::ModelCall,
            "3e3429a6279640a797586e53709db49918ae309045fe1e34ba0b4a880b7fdd64",
        ),
        (
            tool_call(),
            RecordType::ToolCall,
            "9369b4ee582a3f983cc1b66fe0be993da69ef568904b0ffed3a8e104876ca11d",
        ),
        (
            without(model_call(), "/usage"),
            RecordType::ModelCall,
            "9308120d81390d5bc8b79e9900a7732c0ace0c1f57f044dccad876b231f7e96d",
        ),
    ];
    for (record, record_type, hash) in table {
        let sealed = read(&record.to_string()).unwrap();
        assert_eq!(sealed.envelope().record_type(), record_type);
        assert_eq!(sealed.hash().to_string(), hash, "{record_type}");
        assert_eq!(sealed.envelope().clone().seal(), sealed);
    }
}

#[test]
fn typed_fields_hold_what_the_record_says() {
    let sealed = read(&model_call().to_string()).unwrap();
    let Envelope::ModelCall(call) = sealed.envelope() else { panic!("a model call") };
    assert_eq!((call.started_at_ms.get(), call.ended_at_ms.get()), (1_769_817_600_020, 1_769_817_601_020));
    assert_eq!(call.model.model.as_str(), "large-3");
    assert_eq!(call.usage.unwrap().total_tokens.get(), 15);
    assert_eq!(call.trace.parent_span_id().unwrap().to_string(), "b7ad6b7169203331");
    let sizes: Vec<u64> = sealed.envelope().blobs().map(|blob| blob.size_bytes.get()).collect();
    assert_eq!(sizes, [512, 0]);
    assert_eq!(sealed.envelope().policy_decision_hash().unwrap().to_string(), DIGEST);
    assert_eq!(sealed.envelope().component().as_str(), "runner.1");

    let sealed = read(&auth_context().to_string()).unwrap();
    assert_eq!(sealed.envelope().auth_context_hash(), None);
    assert_eq!(sealed.envelope().blobs().count(), 0);
    assert_eq!(sealed.envelope().time_ms().get(), 1_769_817_600_000);
    let Envelope::AuthContext(context) = sealed.envelope() else { panic!("a context") };
    assert!(context.grants.contains("tickets:write"));
    assert_eq!(context.credential.issuer.as_str(), "https://id.example/é");
}

#[test]
fn the_record_type_comes_before_everything_else() {
    for scalar in [json!(null), json!(true), json!(7), json!("auth_context"), json!([auth_context()])] {
        refused(&scalar, "type", "");
    }
    refused(&json!({}), "required.record_type", "");
    for other in [json!(null), json!(1), json!(["auth_context"]), json!({})] {
        refused(&json!({"record_type": other, "unknown": 1}), "required.record_type", "");
    }
    refused(&json!({"record_type": "verdict", "unknown": 1}), "enum", "/record_type");
    refused(&json!({"record_type": "AUTH_CONTEXT"}), "enum", "/record_type");
    refused(&json!({"record_type": ""}), "enum", "/record_type");
}

#[test]
fn missing_members_come_first_in_schema_order() {
    let heads = ["spec_version", "canon_version", "record_type"];
    let table: [(Json, &[&str]); 4] = [
        (auth_context(), &["ts_ms", "trace", "producer", "actor", "credential", "grants"]),
        (
            policy_decision(),
            &["ts_ms", "trace", "producer", "auth_context_envelope_sha256", "policy", "request", "decision"],
        ),
        (
            model_call(),
            &[
                "started_at_ms",
                "ended_at_ms",
                "trace",
                "producer",
                "auth_context_envelope_sha256",
                "policy_decision_envelope_sha256",
                "model",
                "request",
                "response",
                "outcome",
            ],
        ),
        (
            tool_call(),
            &[
                "started_at_ms",
                "ended_at_ms",
                "trace",
                "producer",
                "auth_context_envelope_sha256",
                "policy_decision_envelope_sha256",
                "tool",
                "request",
                "response",
                "outcome",
            ],
        ),
    ];
    for (sample, own) in table {
        let mut record = json!({"record_type": sample["record_type"], "0unknown": 1});
        for name in heads.iter().chain(own).filter(|name| **name != "record_type") {
            refused(&record, &format!("required.{name}"), "");
            record = set(record, &format!("/{name}"), json!(null));
        }
        refused(&record, "additional_properties", "/0unknown");
        refused(&without(record, "/0unknown"), "type", "/spec_version");
    }
}

#[test]
fn present_members_are_walked_in_schema_order_depth_first() {
    // Every member of a tool call is wrong; setting one right uncovers the next.
    let sample = tool_call();
    let mut record = sample.clone();
    let order = [
        ("/spec_version", "const"),
        ("/canon_version", "const"),
        ("/started_at_ms", "minimum"),
        ("/ended_at_ms", "type"),
        ("/trace/trace_id", "pattern"),
        ("/trace/span_id", "pattern"),
        ("/trace/parent_span_id", "pattern"),
        ("/producer/layer", "const"),
        ("/producer/component", "minLength"),
        ("/auth_context_envelope_sha256", "pattern"),
        ("/policy_decision_envelope_sha256", "pattern"),
        ("/tool/adapter_id", "maxLength"),
        ("/tool/tool_name", "pattern"),
        ("/request/content_type", "minLength"),
        ("/request/sha256", "type"),
        ("/request/size_bytes", "maximum"),
        ("/response/content_type", "pattern"),
        ("/outcome/status", "pattern"),
    ];
    for (pointer, kind) in order {
        let wrong = match kind {
            "minimum" => json!(-1),
            "maximum" => json!(9_007_199_254_740_992_u64),
            "minLength" => json!(""),
            "maxLength" => json!("x".repeat(129)),
            "type" => json!([]),
            _ => json!("NO GOOD"),
        };
        record = set(record, pointer, wrong);
    }
    for (pointer, kind) in order {
        refused(&record, kind, pointer);
        record = set(record, pointer, sample.pointer(pointer).unwrap().clone());
    }
    accepted(&record);
}

#[test]
fn unknown_members_are_met_in_utf16_order() {
    // U+1F600 is D83D DE00 in UTF-16, before U+FB33; in UTF-8 and by code point it is after.
    let record = set(set(auth_context(), "/\u{fb33}", json!(1)), "/\u{1f600}", json!(1));
    refused(&record, "additional_properties", "/\u{1f600}");
    let record = set(set(auth_context(), "/actor/b", json!(1)), "/actor/a~1~0", json!(1));
    refused(&record, "additional_properties", "/actor/a~1~0");
    refused(&set(auth_context(), "/usage", json!(1)), "additional_properties", "/usage");
    refused(&set(tool_call(), "/usage", model_call()["usage"].clone()), "additional_properties", "/usage");
    refused(&set(auth_context(), "/credential/", json!(1)), "additional_properties", "/credential/");
}

#[test]
fn an_object_that_is_none_is_a_type() {
    for name in ["trace", "producer", "actor", "credential", "grants"] {
        for other in [json!(null), json!("x"), json!([]), json!(0)] {
            refused(&set(auth_context(), &format!("/{name}"), other), "type", &format!("/{name}"));
        }
    }
    refused(&set(model_call(), "/usage", json!(null)), "type", "/usage");
}

#[test]
fn composites_lack_and_add_members_like_records() {
    for (record, object, members) in [
        (auth_context(), "/producer", &["layer", "component"][..]),
        (auth_context(), "/actor", &["actor_kind", "actor_id"]),
        (
            auth_context(),
            "/credential",
            &["credential_kind", "issuer", "presented_hash_sha256", "verified_at_ms", "expires_at_ms"],
        ),
        (policy_decision(), "/policy", &["policy_id", "policy_version", "policy_sha256"]),
        (policy_decision(), "/request", &["action", "resource"]),
        (policy_decision(), "/decision", &["result", "reason_codes", "obligations"]),
        (model_call(), "/model", &["provider", "model"]),
        (model_call(), "/request", &["content_type", "sha256", "size_bytes"]),
        (model_call(), "/response", &["content_type", "sha256", "size_bytes"]),
        (model_call(), "/outcome", &["status"]),
        (model_call(), "/usage", &["input_tokens", "output_tokens", "total_tokens"]),
        (tool_call(), "/tool", &["adapter_id", "tool_name"]),
    ] {
        let mut built = set(record, object, json!({"!": 1}));
        for name in members {
            refused(&built, &format!("required.{name}"), object);
            built = set(built, &format!("{object}/{name}"), json!(null));
        }
        refused(&built, "additional_properties", &format!("{object}/!"));
    }
}

#[test]
fn consts_with_a_type_judge_it_and_bare_ones_do_not() {
    for pointer in ["/spec_version", "/canon_version"] {
        refused(&set(auth_context(), pointer, json!(1)), "type", pointer);
        refused(&set(auth_context(), pointer, json!("2")), "const", pointer);
    }
    refused(&set(auth_context(), "/spec_version", json!("1.0.0 ")), "const", "/spec_version");
    for other in [json!(1), json!(null), json!("flow"), json!({"cpo": true})] {
        refused(&set(auth_context(), "/producer/layer", other), "const", "/producer/layer");
    }
    refused(&set(model_call(), "/producer/layer", json!("adapter")), "const", "/producer/layer");
    refused(&set(tool_call(), "/producer/layer", json!("flow")), "const", "/producer/layer");
    refused(&set(policy_decision(), "/decision/result", json!(true)), "type", "/decision/result");
    refused(&set(policy_decision(), "/decision/result", json!("Allow")), "enum", "/decision/result");
    accepted(&set(policy_decision(), "/decision/result", json!("deny")));
}

#[test]
fn span_kind_chooses_the_variant_before_anything_is_judged() {
    // A missing trace_id has a kind of its own, and only directly under /trace.
    refused(&set(auth_context(), "/trace", json!({})), "trace_context.missing_trace_id", "/trace");
    refused(
        &set(auth_context(), "/trace", json!({"span_kind": "child"})),
        "trace_context.missing_trace_id",
        "/trace",
    );
    refused(&set(auth_context(), "/trace", json!({"x": 1})), "trace_context.missing_trace_id", "/trace");
    refused(&set(auth_context(), "/trace", json!({"trace_id": 1})), "required.span_id", "/trace");
    // Root, also for another kind or none.
    refused(&without(auth_context(), "/trace/span_kind"), "required.span_kind", "/trace");
    for other in [json!("leaf"), json!(1), json!(null), json!(["child"])] {
        refused(&set(auth_context(), "/trace/span_kind", other.clone()), "const", "/trace/span_kind");
        refused(
            &set(policy_decision(), "/trace/span_kind", other),
            "additional_properties",
            "/trace/parent_span_id",
        );
    }
    refused(
        &set(auth_context(), "/trace/parent_span_id", json!("00f067aa0ba902b7")),
        "additional_properties",
        "/trace/parent_span_id",
    );
    // Child: the parent must be there, and is judged after the rest.
    refused(&without(policy_decision(), "/trace/parent_span_id"), "required.parent_span_id", "/trace");
    refused(&set(auth_context(), "/trace/span_kind", json!("child")), "required.parent_span_id", "/trace");
    refused(&set(policy_decision(), "/trace/span_id", json!(0)), "type", "/trace/span_id");
    refused(
        &set(policy_decision(), "/trace/parent_span_id", json!("b7")),
        "pattern",
        "/trace/parent_span_id",
    );
}

#[test]
fn ids_and_digests_are_patterns_only() {
    let zero32 = "0".repeat(32);
    for bad in ["", "4bf9", &zero32, &zero32[1..], "4BF92F3577B34DA6A3CE929D0E0E4736", &"x".repeat(5000)] {
        refused(&set(auth_context(), "/trace/trace_id", json!(bad)), "pattern", "/trace/trace_id");
        refused(&set(auth_context(), "/trace/span_id", json!(bad)), "pattern", "/trace/span_id");
    }
    refused(&set(auth_context(), "/trace/span_id", json!("0".repeat(16))), "pattern", "/trace/span_id");
    refused(
        &set(policy_decision(), "/trace/parent_span_id", json!("0".repeat(16))),
        "pattern",
        "/trace/parent_span_id",
    );
    let place = "/credential/presented_hash_sha256";
    for bad in ["", &DIGEST[1..], &DIGEST.to_uppercase(), &format!("{DIGEST}\n"), &format!("{DIGEST}0")] {
        refused(&set(auth_context(), place, json!(bad)), "pattern", place);
    }
    accepted(&set(auth_context(), place, json!("0".repeat(64))));
}

#[test]
fn words_are_too_long_before_too_short_before_out_of_pattern() {
    let table = [
        ("/actor/actor_kind", 128, "é", "pattern"),
        ("/actor/actor_id", 256, "/", "pattern"),
        ("/credential/credential_kind", 128, "A", "pattern"),
    ];
    for (place, limit, bad, kind) in table {
        accepted(&set(auth_context(), place, json!("a".repeat(limit))));
        refused(&set(auth_context(), place, json!("a".repeat(limit + 1))), "maxLength", place);
        refused(&set(auth_context(), place, json!(bad.repeat(limit + 1))), "maxLength", place);
        refused(&set(auth_context(), place, json!(bad.repeat(limit))), kind, place);
        refused(&set(auth_context(), place, json!("")), "minLength", place);
        refused(&set(auth_context(), place, json!(1)), "type", place);
    }
    let issuer = "/credential/issuer";
    accepted(&set(auth_context(), issuer, json!("\u{1f600}".repeat(256))));
    accepted(&set(auth_context(), issuer, json!("\u{0}")));
    refused(&set(auth_context(), issuer, json!("\u{1f600}".repeat(257))), "maxLength", issuer);
    refused(&set(auth_context(), issuer, json!("")), "minLength", issuer);
    let media = "/request/content_type";
    accepted(&set(tool_call(), media, json!(format!("a/{}", "b".repeat(126)))));
    refused(&set(tool_call(), media, json!(format!("a/{}", "b".repeat(127)))), "maxLength", media);
    refused(&set(tool_call(), media, json!("a/")), "minLength", media);
    refused(&set(tool_call(), media, json!("a/b/c")), "pattern", media);
}

#[test]
fn integers_are_judged_by_their_literal_and_never_rounded() {
    let table = [
        ("0", None),
        ("9007199254740991", None),
        ("9007199254740992", Some("maximum")),
        ("9007199254740993", Some("maximum")),
        ("18446744073709551616", Some("maximum")),
        ("100000000000000000000000000000000000000000000000000000000000000000000000000", Some("maximum")),
        ("-1", Some("minimum")),
        ("-9007199254740992", Some("minimum")),
        ("-100000000000000000000000000000000000000000000000000", Some("minimum")),
        ("-0", Some("type")),
        ("-0.0", Some("type")),
        ("1.0", Some("type")),
        ("1e2", Some("type")),
        ("1E2", Some("type")),
        ("9007199254740993.0", Some("type")),
        ("1e400", Some("type")),
        ("\"1\"", Some("type")),
        ("true", Some("type")),
        ("null", Some("type")),
    ];
    for (literal, kind) in table {
        let text = model_call().to_string().replace(":512", &format!(":{literal}"));
        match kind {
            None => drop(read(&text).unwrap()),
            Some(kind) => {
                assert_eq!(
                    refusal_of_text(&text),
                    (kind.to_owned(), "/request/size_bytes".to_owned()),
                    "{literal}"
                );
            }
        }
    }
}

#[test]
fn sets_judge_every_name_before_any_value() {
    let grants = |set_value: Json| set(auth_context(), "/grants", set_value);
    accepted(&grants(json!({})));
    refused(&grants(json!([])), "type", "/grants");
    refused(&grants(json!({"a": 1, "B": true})), "pattern", "/grants/B");
    refused(&grants(json!({"a": 1, "": true})), "minLength", "/grants/");
    refused(
        &grants(json!({"a": false, "x".repeat(129): true})),
        "maxLength",
        &format!("/grants/{}", "x".repeat(129)),
    );
    refused(&grants(json!({"B": true, "A": true})), "pattern", "/grants/A");
    refused(&grants(json!({"\u{fb33}": true, "\u{1f600}": true})), "pattern", "/grants/\u{1f600}");
    refused(&grants(json!({"b": 1, "a": false})), "const", "/grants/a");
    refused(&grants(json!({"a": 1, "b": false})), "type", "/grants/a");
    for other in [json!(null), json!(1), json!("true"), json!([]), json!({})] {
        refused(&grants(json!({"a": true, "b": other})), "type", "/grants/b");
    }
    let place = "/decision/obligations/x";
    refused(&set(policy_decision(), place, json!(false)), "const", place);
}

#[test]
fn bytes_that_are_no_strict_json_never_reach_the_schema() {
    let deep =
        |depth: usize| format!("{{\"record_type\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1));
    let table: [(&[u8], &str); 9] = [
        (b"", "malformed_json"),
        (b"\xef\xbb\xbf{}", "malformed_json"),
        (b"{} {}", "malformed_json"),
        (b"{\"a\":\"\xff\"}", "malformed_json"),
        (b"{\"a\":\"\\ud800\"}", "malformed_json"),
        (b"{\"a\":1,\"\\u0061\":2}", "duplicate_member"),
        (b"{\"a\":1,\"a\":2", "duplicate_member"),
        (b"{\"a\":nul,\"a\":2}", "malformed_json"),
        (b"{\"x\\u001b\":1,\"x\\u001b\":2}", "duplicate_member"),
    ];
    for (bytes, kind) in table {
        let refused = read_envelope(bytes, &Limits::ENVELOPE).unwrap_err();
        assert_eq!(refused.kind.to_string(), format!("schema_violation.{kind}"), "{bytes:?}");
        assert_eq!(refused.pointer.to_string(), "");
        assert!(!refused.message.chars().any(char::is_control), "{:?}", refused.message);
    }
    assert_eq!(refusal_of_text(&deep(64)).0, "required.record_type");
    assert_eq!(refusal_of_text(&deep(65)).0, "malformed_json");
    let large = read_envelope(&vec![b' '; (1 << 20) + 1], &Limits::ENVELOPE).unwrap_err();
    assert_eq!(large.kind.to_string(), "schema_violation.malformed_json");
}

#[test]
fn sentences_say_what_is_wrong_and_what_would_be_right() {
    let message = |record: Json| read(&record.to_string()).unwrap_err().message;
    let table = [
        (
            set(auth_context(), "/credential/issuer", json!("x".repeat(300))),
            "`/credential/issuer` is 300 characters long; at most 256 are allowed",
        ),
        (without(auth_context(), "/actor"), "the envelope lacks the member `actor`"),
        (
            without(auth_context(), "/trace/trace_id"),
            "`/trace` lacks the member `trace_id`; every record names the trace it belongs to",
        ),
        (set(auth_context(), "/ts_ms", json!("now")), "`/ts_ms` is a string; expected an integer"),
        (set(auth_context(), "/ts_ms", json!(-5)), "`/ts_ms` is -5; at least 0 must be there"),
        (
            set(auth_context(), "/note\u{1b}[2J", json!(1)),
            r"`/note\u{1b}[2J` is a member that the schema does not know",
        ),
        (
            set(auth_context(), "/producer/layer", json!("flow")),
            "`/producer/layer` is \"flow\"; it must be \"cpo\"",
        ),
        (
            set(policy_decision(), "/decision/result", json!("maybe")),
            "`/decision/result` is \"maybe\"; expected one of allow, deny",
        ),
        (
            set(auth_context(), "/grants/a", json!(false)),
            "`/grants/a` is false; in a set a member is true or not there",
        ),
        (
            set(auth_context(), "/trace/trace_id", json!("0".repeat(32))),
            "`/trace/trace_id` is \"00000000000000000000000000000000\"; \
             expected a trace id: 32 lower-case hex digits, not all zero",
        ),
    ];
    for (record, sentence) in table {
        assert_eq!(message(record), sentence);
    }
}
