//! The published schemas and the typed readers must not drift apart: whatever value is given,
//! both accept it or both refuse it, and what the reader names is among what the schema names.
//! JSON Schema judges values, not texts; rules about literals have their own tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod common;
#[path = "schema_agreement/verdicts.rs"]
mod verdicts;

use std::sync::LazyLock;

use common::edits::{limit_values, places, replaced, reshaped, single_edits};
use common::{DIGEST, auth_context, model_call, policy_decision, tool_call, without};
use jsonschema::Validator;
use proofline_canon::{Limits, Value, parse};
use proofline_trace::{
    BacktestRecord, DifferenceKind, ErasureRecord, ErrorKind, FailureClass, FindingCode, GenesisRecord,
    HoldRecord, ImportAccount, KeyRecord, OtelImport, ProducerSignature, RecordType, ReleaseRecord,
    ReplayDiagnostics, ReplayResult, ReplayType, SchemaFault, Severity, TraceIndexRecord, Violation, schemas,
    validate,
};
use serde_json::{Value as Json, json};

/// A schema of `trace/schemas/`, by its name.
struct Published {
    name: &'static str,
    validator: Validator,
}

static PUBLISHED: LazyLock<Vec<Published>> = LazyLock::new(|| {
    let compile = |(name, text): &(&'static str, &str)| {
        let schema: Json = serde_json::from_str(text).unwrap();
        Published { name, validator: jsonschema::draft202012::new(&schema).unwrap() }
    };
    schemas::ALL.iter().map(compile).collect()
});

fn published(name: &str) -> &'static Validator {
    &PUBLISHED.iter().find(|schema| schema.name == name).unwrap().validator
}

/// Both must accept a document or both refuse it; then the first fault must be one the schema knows.
fn agree<T>(schema: &str, value: &Json, outcome: Result<T, Violation>) -> Result<(), String> {
    let validator = published(schema);
    match (outcome, validator.is_valid(value)) {
        (Ok(_), true) => Ok(()),
        (Ok(_), false) => Err(format!("only the schema {schema} refuses {value}")),
        (Err(violation), true) => Err(format!("only the reader refuses ({violation}) {value}")),
        (Err(violation), false) if names(validator, value, &violation) => Ok(()),
        (Err(violation), false) => Err(format!("the schema does not say {violation:?} of {value}")),
    }
}

fn names(validator: &Validator, value: &Json, violation: &Violation) -> bool {
    let ErrorKind::SchemaViolation(fault) = &violation.kind else { return false };
    let here = violation.pointer.as_str();
    let parent = here.rsplit_once('/').map_or("", |(parent, _)| parent);
    // A schema points at the object for an unknown member and for a name of a set.
    let wanted = match fault {
        SchemaFault::Required(_) | SchemaFault::MissingTraceId => vec![("required", here)],
        SchemaFault::AdditionalProperties => vec![("additionalProperties", parent), ("falseSchema", here)],
        SchemaFault::Type => vec![("type", here)],
        SchemaFault::Enum => vec![("enum", here)],
        SchemaFault::Const => vec![("const", here)],
        SchemaFault::Maximum => vec![("maximum", here)],
        SchemaFault::Minimum => vec![("minimum", here)],
        SchemaFault::Pattern => vec![("pattern", here), ("propertyNames", parent)],
        SchemaFault::MaxLength => vec![("maxLength", here), ("propertyNames", parent)],
        SchemaFault::MinLength => {
            vec![("minLength", here), ("propertyNames", parent), ("minItems", here)]
        }
        _ => return false,
    };
    validator.iter_errors(value).any(|error| {
        // What `anyOf` finds wrong inside a nullable member is not spelled out again.
        let found = (error.kind().keyword(), error.instance_path().as_str());
        wanted.contains(&found) || found == ("anyOf", here)
    })
}

/// For an envelope: exactly the schema of its own type may accept it.
fn envelopes_agree(value: &Json) -> Result<(), String> {
    let outcome = validate(&canon(value));
    let own = value["record_type"].as_str().and_then(|text| text.parse::<RecordType>().ok());
    for other in RecordType::ALL.iter().filter(|other| Some(**other) != own) {
        if published(other.as_str()).is_valid(value) {
            return Err(format!("the schema {other} accepts {value}"));
        }
    }
    match own {
        Some(own) => agree(own.as_str(), value, outcome),
        None => outcome.map_or(Ok(()), |_| Err(format!("only the reader accepts {value}"))),
    }
}

fn canon(value: &Json) -> Value {
    parse(value.to_string().as_bytes(), &Limits::CONTENT).unwrap()
}

fn samples() -> [Json; 5] {
    [auth_context(), policy_decision(), model_call(), without(model_call(), "/usage"), tool_call()]
}

#[test]
fn schemas_are_schemas_under_names_of_ours() {
    for (name, text) in schemas::ALL {
        let schema: Json = serde_json::from_str(text).unwrap();
        assert!(jsonschema::draft202012::meta::is_valid(&schema), "{name}");
        assert_eq!(schema["$id"], format!("urn:proofline:schema:1.0.0:{name}"));
        assert_eq!(schemas::by_name(name), Some(text));
    }
    assert_eq!(schemas::by_name("verdict"), None);
}

#[test]
fn envelopes_agree_under_every_single_edit() {
    let mut accepted = 0;
    for sample in samples() {
        envelopes_agree(&sample).unwrap();
        for edited in single_edits(&sample) {
            envelopes_agree(&edited).unwrap();
            accepted += usize::from(validate(&canon(&edited)).is_ok());
        }
    }
    // Both sides of the border are visited: tokens, for one, may be most of the texts.
    assert!(accepted > 1_000, "{accepted}");
}

#[test]
fn words_agree_on_every_ascii_character_in_every_position() {
    let ascii = (0..=127_u8).map(char::from);
    let words: Vec<String> = ascii
        .flat_map(|unit| {
            [
                format!("{unit}"),
                format!("a{unit}"),
                format!("{unit}/a"),
                format!("a/{unit}"),
                format!("a{unit}/a"),
            ]
        })
        .collect();
    for word in &words {
        for place in ["/producer/component", "/actor/actor_id", "/credential/issuer"] {
            envelopes_agree(&replaced(&auth_context(), place, &json!(word))).unwrap();
        }
        envelopes_agree(&replaced(&auth_context(), "/grants", &json!({word.as_str(): true}))).unwrap();
        envelopes_agree(&replaced(&tool_call(), "/request/content_type", &json!(word))).unwrap();
        let named = replaced(&genesis(), "/origin", &json!(word));
        agree("genesis", &named, GenesisRecord::from_value(&canon(&named))).unwrap();
    }
}

#[test]
fn enums_are_spelled_alike_on_both_sides() {
    let listed = |name: &str, definition: &str| {
        let schema: Json = serde_json::from_str(schemas::by_name(name).unwrap()).unwrap();
        serde_json::from_value::<Vec<String>>(schema["$defs"][definition]["enum"].clone()).unwrap()
    };
    let names = |all: &[&str]| all.iter().map(ToString::to_string).collect::<Vec<String>>();
    let diagnostics = "replay_diagnostics";
    let known: Vec<&str> = FailureClass::ALL.iter().map(|class| class.as_str()).collect();
    assert_eq!(listed("replay_result", "failure_class"), names(&known));
    assert_eq!(listed(diagnostics, "failure_class"), names(&known));
    let known: Vec<&str> = FindingCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(listed(diagnostics, "finding_code"), names(&known));
    let known: Vec<&str> = Severity::ALL.iter().map(|severity| severity.as_str()).collect();
    assert_eq!(listed(diagnostics, "severity"), names(&known));
    let known: Vec<&str> = DifferenceKind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(listed(diagnostics, "difference_kind"), names(&known));
    let known: Vec<&str> = ReplayType::ALL.iter().map(|replay_type| replay_type.as_str()).collect();
    assert_eq!(listed("replay_result", "replay_type"), names(&known));
    let known: Vec<&str> = RecordType::ALL.iter().map(|record_type| record_type.as_str()).collect();
    assert_eq!(listed(diagnostics, "record_type"), names(&known));
}

#[test]
fn every_error_kind_of_the_contract_may_stand_in_a_failure() {
    let schema_kinds = [
        "duplicate_member",
        "malformed_json",
        "record_type_mismatch",
        "trace_context.missing_trace_id",
        "required.trace",
        "additional_properties",
        "type",
        "pattern",
        "enum",
        "const",
        "minLength",
        "maxLength",
        "minimum",
        "maximum",
    ];
    let gate_kinds = [
        "record_type_forbidden",
        "hash_mismatch.envelope_hash",
        "missing_prereq.auth_context",
        "missing_prereq.policy_decision",
        "trace_violation.trace_id_mismatch",
        "unauthorized.authority_mismatch",
        "unauthorized.policy_denied",
    ];
    let schema_kinds = schema_kinds.iter().map(|kind| format!("schema_violation.{kind}"));
    for kind in schema_kinds.chain(gate_kinds.iter().map(ToString::to_string)) {
        let record = replaced(&diagnostics()[0], "/failures/0/error_kind", &json!(kind));
        let read = ReplayDiagnostics::from_value(&canon(&record)).unwrap();
        assert_eq!(read.failures[0].error_kind.as_ref().map(ToString::to_string), Some(kind));
        assert!(published("replay_diagnostics").is_valid(&record), "{record}");
    }
}

fn results() -> Vec<Json> {
    let pass = json!({
        "replay_type": "forensic",
        "target_trace_id": "f".repeat(32),
        "input_envelope_hashes": [DIGEST, DIGEST],
        "result": "pass",
        "generated_at": "2026-01-31T00:00:00.000Z"
    });
    let mut fail = pass.clone();
    fail["result"] = json!("fail");
    fail["failure_class"] = json!("REPLAY_VARIANCE_VIOLATION");
    fail["replay_type"] = json!("constrained");
    fail["reference_trace_id"] = json!("e".repeat(32));
    vec![pass, fail]
}

fn diagnostics() -> Vec<Json> {
    let count = json!({
        "records": 3, "verified": 3, "gate_rechecked": 2, "policy_re_decided": 0, "policy_absent": 1, "policy_unusable": 1,
        "re_executed": 0, "rejected_listed": 1, "blobs_absent": 4, "absent": 0
    });
    let failure = json!({
        "check": "schema", "class": "SCHEMA_REJECT", "error_kind": "schema_violation.required.ts_ms",
        "envelope_hash": DIGEST, "seq": 7, "record_type": "tool_call", "pointer": "/trace/a~1b",
        "expected": "a", "found": "b", "message": "c"
    });
    let bare = json!({
        "check": "chain", "class": "REPLAY_CHAIN_NOT_FOUND", "error_kind": null, "envelope_hash": null, "seq": null,
        "record_type": null, "pointer": null, "expected": null, "found": null, "message": ""
    });
    let finding = json!({
        "code": "END_BEFORE_START", "severity": "low", "records": [DIGEST], "seqs": [7], "message": "c"
    });
    let whole = |failures: Json, findings: Json| {
        json!({
            "artifact_type": "replay_diagnostics", "version": "1", "result_sha256": DIGEST,
            "replay_type": "forensic", "target_trace_id": "f".repeat(32), "coverage": count,
            "failures": failures, "findings": findings
        })
    };
    let difference = json!({
        "kind": "response", "record_type": "model_call", "allowed": true,
        "baseline": {"records": [DIGEST], "seqs": [7], "value": "a"},
        "candidate": {"records": [], "seqs": [], "value": null}
    });
    let mut compared = whole(json!([]), json!([]));
    compared["replay_type"] = json!("constrained");
    compared["variance"] = json!({"allow_variance": {"model_call": ["response", "usage"]}});
    compared["differences"] = json!([difference]);
    let bounds = [
        json!({"record_type": "model_call", "provider": "p", "model": "m", "allow": ["response"], "usage_percent": 20}),
        json!({"record_type": "model_call", "allow": ["usage"]}),
        json!({"record_type": "tool_call", "adapter_id": "a", "tool_name": "t", "allow": []}),
    ];
    let bounded = bounds
        .map(|bound| replaced(&compared, "/variance", &json!({"allow_variance": {}, "bounds": [bound]})));
    let samples = [whole(json!([failure, bare]), json!([finding])), whole(json!([]), json!([])), compared];
    samples.into_iter().chain(bounded).collect()
}

fn genesis() -> Json {
    json!({
        "system_type": "genesis", "version": "1", "format_version": 1,
        "ledger_id": "0".repeat(32), "origin": "log.example/2026"
    })
}

/// A key added with and without an endorsement, and retired. The texts have the right form and no more.
fn keys() -> Vec<Json> {
    let (key, by) = ("log.example/demo+6bd2f923+AddamAGC", "log.example/demo+00ff00ff");
    let endorsement = json!({"key": by, "signature": "AAAA"});
    let head = |event: &str| json!({"system_type": "key", "version": "1", "event": event, "key": key});
    let (mut first, mut next, mut last) = (head("added"), head("added"), head("retired"));
    first["signature"] = json!("AP8=");
    next["signature"] = json!("+/==");
    next["endorsement"] = endorsement.clone();
    last["endorsement"] = endorsement;
    vec![first, next, last]
}

fn producer_signature() -> Json {
    json!({
        "artifact_type": "producer_signature", "version": "1", "target_trace_id": "0af7651916cd43dd8448eb211c80319c", "envelope_sha256": DIGEST,
        "key": "producer.example/gateway+01234567", "signature": "AAAA"
    })
}

/// Texts that are nearly keys and signatures.
const NEARLY_KEYS: [&str; 16] = [
    "a+00000000+AAAA",
    "a+00000000+AAA",
    "a+00000000+AAA=",
    "a+00000000+A===",
    "a+00000000+",
    "a+0000000+AAAA",
    "a+0000000G+AAAA",
    "+00000000+AAAA",
    "a b+00000000+AAAA",
    "a\u{e9}+00000000+AAAA",
    "a+00000000",
    "a+00000000+AA+A",
    "AA=A",
    "AA-A",
    "AA==",
    "====",
];

fn backtest() -> Json {
    json!({
        "artifact_type": "policy_backtest", "version": "1", "policy_sha256": DIGEST,
        "engine": {"name": "cedar-policy", "version": "4.14.1"}, "log_size": 9, "root": DIGEST,
        "trace_ids": ["0af7651916cd43dd8448eb211c80319c", "f".repeat(32)],
        "counts": {
            "traces": 2, "traces_skipped": 1, "decisions": 10, "same": 4, "allow_to_deny": 3, "deny_to_allow": 2,
            "other_reasons": 1, "policy_errors": 1, "calls_lost": 5, "refused_calls": 6
        },
        "generated_at": "2026-01-31T00:00:00.000Z"
    })
}

#[test]
fn back_tests_agree_too() {
    let mut all = backtest();
    all["trace_ids"] = Json::Null;
    let record = |value: &Json| agree("policy_backtest", value, BacktestRecord::from_value(&canon(value)));
    for sample in [backtest(), all] {
        single_edits(&sample).iter().chain([&sample]).for_each(|edited| record(edited).unwrap());
        assert_eq!(BacktestRecord::from_value(&canon(&sample)).unwrap().to_value(), canon(&sample));
    }
}

fn mapping() -> Json {
    json!({
        "mapper": "proofline-otel", "mapper_version": "1", "rules_sha256": DIGEST, "policy_sha256": DIGEST,
        "capture": "structural"
    })
}

fn otel_import() -> Json {
    json!({
        "artifact_type": "otel_import", "version": "1", "target_trace_id": "0af7651916cd43dd8448eb211c80319c",
        "mapping": mapping(),
        "document": {"content_type": "application/json", "sha256": DIGEST, "size_bytes": 12},
        "spans": [{
            "span_id": "00f067aa0ba902b7", "parent_span_id": "b7ad6b7169203331", "content_sha256": DIGEST,
            "name": "chat gpt-4o", "kind": 3, "start_unix_nano": "1727740800001000000",
            "end_unix_nano": "1727740801201000000", "status": "unset", "operation": "chat", "became": "call",
            "reason": "no-start-time",
            "call": {"auth_context_sha256": DIGEST, "decision_sha256": DIGEST, "record_sha256": DIGEST}
        }]
    })
}

fn import_account() -> Json {
    json!({
        "artifact_type": "import_account", "version": "1", "source_sha256": DIGEST, "source_bytes": 70,
        "framing": "json", "mapping": mapping(),
        "totals": {
            "messages": 1, "spans": 10, "model_calls": 4, "tool_calls": 3, "shapes": 1, "refused": 1,
            "unreadable": 1, "traces": 2, "allowed": 5, "denied": 2, "payload_bytes": 99
        },
        "refusals": [{"what": "no-start-time", "count": 1}], "absent": [{"what": "usage", "count": 4}],
        "warnings": []
    })
}

#[test]
fn imports_agree_too() {
    let mut bare = otel_import();
    for member in ["parent_span_id", "operation", "reason", "call"] {
        bare["spans"][0][member] = Json::Null;
    }
    bare["mapping"]["rules_sha256"] = Json::Null;
    let record = |value: &Json| agree("otel_import", value, OtelImport::from_value(&canon(value)));
    for sample in [otel_import(), bare] {
        single_edits(&sample).iter().chain([&sample]).for_each(|edited| record(edited).unwrap());
        assert_eq!(OtelImport::from_value(&canon(&sample)).unwrap().to_value(), canon(&sample));
    }
    let account = |value: &Json| agree("import_account", value, ImportAccount::from_value(&canon(value)));
    let sample = import_account();
    single_edits(&sample).iter().chain([&sample]).for_each(|edited| account(edited).unwrap());
    assert_eq!(ImportAccount::from_value(&canon(&sample)).unwrap().to_value(), canon(&sample));
}

fn trace_index() -> Json {
    json!({"system_type": "trace_index", "version": "1", "from": 0, "keys": 1, "root": DIGEST, "traces": 7})
}

#[test]
fn index_entries_agree_too() {
    let sample = trace_index();
    let index = |value: &Json| agree("trace_index", value, TraceIndexRecord::from_value(&canon(value)));
    single_edits(&sample).iter().chain([&sample]).for_each(|edited| index(edited).unwrap());
    assert_eq!(TraceIndexRecord::from_value(&canon(&sample)).unwrap().to_value(), canon(&sample));
}

#[test]
fn keys_and_signatures_agree_too() {
    let key = |value: &Json| agree("key", value, KeyRecord::from_value(&canon(value)));
    let signed =
        |value: &Json| agree("producer_signature", value, ProducerSignature::from_value(&canon(value)));
    for sample in keys() {
        single_edits(&sample).iter().chain([&sample]).for_each(|edited| key(edited).unwrap());
        assert_eq!(KeyRecord::from_value(&canon(&sample)).unwrap().to_value(), canon(&sample));
        for text in NEARLY_KEYS {
            for place in ["/key", "/signature", "/endorsement/key", "/endorsement/signature"] {
                if sample.pointer(place).is_some() {
                    key(&replaced(&sample, place, &json!(text))).unwrap();
                }
            }
        }
    }
    let sample = producer_signature();
    single_edits(&sample).iter().chain([&sample]).for_each(|edited| signed(edited).unwrap());
    assert_eq!(ProducerSignature::from_value(&canon(&sample)).unwrap().to_value(), canon(&sample));
    for text in NEARLY_KEYS {
        signed(&replaced(&sample, "/key", &json!(text))).unwrap();
        signed(&replaced(&sample, "/signature", &json!(text))).unwrap();
    }
}

/// The members of each kind of target, and their values.
fn targets() -> Vec<Json> {
    vec![
        json!({"kind": "blob", "sha256": DIGEST}),
        json!({"kind": "subject", "key_id": "0".repeat(64)}),
        json!({"kind": "trace", "trace_id": "f".repeat(32)}),
    ]
}

fn erasure(target: &Json) -> Json {
    json!({
        "system_type": "erasure", "version": "1", "target": target,
        "reason": "\u{e9}\n", "authority": DIGEST
    })
}

fn hold(target: &Json) -> Json {
    json!({
        "system_type": "hold", "version": "1", "target": target, "reason": "r".repeat(1_000),
        "matter": "m".repeat(256)
    })
}

#[test]
fn erasures_and_holds_agree_too() {
    let erased = |value: &Json| agree("erasure", value, ErasureRecord::from_value(&canon(value)));
    let held = |value: &Json| agree("hold", value, HoldRecord::from_value(&canon(value)));
    let released = |value: &Json| agree("release", value, ReleaseRecord::from_value(&canon(value)));
    let release = json!({
        "system_type": "release", "version": "1", "hold": DIGEST, "reason": "r", "authority": DIGEST
    });
    for target in targets() {
        single_edits(&erasure(&target)).iter().for_each(|edited| erased(edited).unwrap());
        single_edits(&hold(&target)).iter().for_each(|edited| held(edited).unwrap());
        // Every pair of members, whatever the kind.
        for (name, value) in targets().iter().flat_map(|other| other.as_object().unwrap().clone()) {
            let mut mixed = target.clone();
            mixed[&name] = value;
            erased(&erasure(&mixed)).unwrap();
            held(&hold(&mixed)).unwrap();
        }
    }
    single_edits(&release).iter().chain([&release]).for_each(|edited| released(edited).unwrap());
    for length in [0, 1, 256, 257, 1_000, 1_001] {
        let long = json!("\u{e9}".repeat(length));
        erased(&replaced(&erasure(&targets()[0]), "/reason", &long)).unwrap();
        held(&replaced(&hold(&targets()[0]), "/reason", &long)).unwrap();
        held(&replaced(&hold(&targets()[0]), "/matter", &long)).unwrap();
        released(&replaced(&release, "/reason", &long)).unwrap();
    }
}

#[test]
fn erasures_and_holds_write_what_they_read() {
    for target in targets() {
        let (sample, bare) = (hold(&target), without(hold(&target), "/matter"));
        assert_eq!(HoldRecord::from_value(&canon(&sample)).unwrap().to_value(), canon(&sample));
        assert_eq!(HoldRecord::from_value(&canon(&bare)).unwrap().to_value(), canon(&bare));
        let sample = erasure(&target);
        match ErasureRecord::from_value(&canon(&sample)) {
            Ok(record) => assert_eq!(record.to_value(), canon(&sample)),
            Err(_) => assert_eq!(target["kind"], "trace", "a trace is no target of an erasure"),
        }
    }
    let of_trace = ErasureRecord::from_value(&canon(&erasure(&targets()[2]))).unwrap_err();
    assert_eq!(of_trace.pointer.as_str(), "/target/trace_id");
    let release = json!({
        "system_type": "release", "version": "1", "hold": DIGEST, "reason": "r", "authority": DIGEST
    });
    assert_eq!(ReleaseRecord::from_value(&canon(&release)).unwrap().to_value(), canon(&release));
}

#[test]
fn artifacts_agree_under_every_single_edit() {
    let result = |value: &Json| agree("replay_result", value, ReplayResult::from_value(&canon(value)));
    let diagnosis =
        |value: &Json| agree("replay_diagnostics", value, ReplayDiagnostics::from_value(&canon(value)));
    let first = |value: &Json| agree("genesis", value, GenesisRecord::from_value(&canon(value)));
    for sample in results() {
        single_edits(&sample).iter().chain([&sample]).for_each(|edited| result(edited).unwrap());
    }
    for sample in diagnostics() {
        single_edits(&sample).iter().chain([&sample]).for_each(|edited| diagnosis(edited).unwrap());
    }
    single_edits(&genesis()).iter().chain([&genesis()]).for_each(|edited| first(edited).unwrap());
}

#[test]
fn artifacts_write_what_they_read() {
    for sample in results() {
        assert_eq!(ReplayResult::from_value(&canon(&sample)).unwrap().to_value(), canon(&sample));
    }
    for sample in diagnostics() {
        assert_eq!(ReplayDiagnostics::from_value(&canon(&sample)).unwrap().to_value(), canon(&sample));
    }
    assert_eq!(GenesisRecord::from_value(&canon(&genesis())).unwrap().to_value(), canon(&genesis()));
}

mod generated {
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;

    /// Several edits at once, on places that earlier edits may have made.
    fn edited(sample: usize, edits: &[(Index, Index, bool)]) -> Json {
        let values = limit_values();
        edits.iter().fold(samples()[sample].clone(), |document, (place, choice, reshape)| {
            let places = places(&document);
            let place = place.get(&places);
            let shapes = if *reshape { reshaped(&document, place) } else { Vec::new() };
            match shapes.as_slice() {
                [] => replaced(&document, place, choice.get(&values)),
                shapes => choice.get(shapes).clone(),
            }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn envelopes_agree_under_several_edits(
            sample in 0..5_usize,
            edits in prop::collection::vec(any::<(Index, Index, bool)>(), 1..5),
        ) {
            let document = edited(sample, &edits);
            prop_assert_eq!(envelopes_agree(&document), Ok(()));
        }

        #[test]
        fn what_is_accepted_round_trips(
            sample in 0..5_usize,
            tokens in prop::collection::btree_set(token(), 0..6),
            number in 0_u64..=9_007_199_254_740_991,
            issuer in prop::collection::vec(any::<char>(), 1..=256).prop_map(String::from_iter),
        ) {
            let mut document = samples()[sample].clone();
            for place in places(&document) {
                // A set that was replaced took its old members with it.
                let Some(target) = document.pointer_mut(&place) else { continue };
                match place.rsplit('/').next().unwrap_or_default() {
                    "grants" | "reason_codes" | "obligations" => {
                        *target = tokens.iter().map(|token| (token.clone(), json!(true))).collect();
                    }
                    "issuer" => *target = json!(issuer),
                    _ if target.is_number() => *target = json!(number),
                    _ => {}
                }
            }
            let value = canon(&document);
            let envelope = validate(&value).unwrap();
            prop_assert_eq!(envelope.to_value(), value);
            prop_assert_eq!(envelopes_agree(&document), Ok(()));
        }
    }

    fn token() -> impl Strategy<Value = String> {
        let first: Vec<char> = ('a'..='z').chain('0'..='9').collect();
        let rest: Vec<char> = first.iter().copied().chain("_-:.".chars()).collect();
        (select(first), prop::collection::vec(select(rest), 0..128))
            .prop_map(|(first, rest)| std::iter::once(first).chain(rest).collect())
    }
}
