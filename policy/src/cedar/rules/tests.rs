//! The mapping against the schema that it ships with: what the validator was promised is what a rule meets.

use proofline_canon::Limits;
use proofline_trace::{Envelope, ErrorKind, read_envelope};

use super::*;
use crate::rules::{About, Call, DecisionCase, Earlier, RefusedAttempt, RuleCase, STARTER_RULES};

fn envelope(text: &str) -> Envelope {
    read_envelope(text.as_bytes(), &Limits::ENVELOPE).unwrap().into_parts().0
}

fn head(record_type: &str, layer: &str, trace: &str) -> String {
    format!(
        r#""spec_version":"1.0.0","canon_version":"1","record_type":"{record_type}","trace":{{"trace_id":"{:032x}",{trace}}},"producer":{{"layer":"{layer}","component":"gateway"}}"#,
        7
    )
}

const ROOT: &str = r#""span_id":"0000000000000001","span_kind":"root""#;
const CHILD: &str = r#""span_id":"0000000000000002","span_kind":"child","parent_span_id":"0000000000000001""#;

fn context_record(trace: &str) -> Envelope {
    envelope(&format!(
        r#"{{{},"ts_ms":1000,"actor":{{"actor_kind":"user","actor_id":"staff/ines"}},"credential":{{"credential_kind":"oidc","issuer":"https://id.example","presented_hash_sha256":"{:064x}","verified_at_ms":900,"expires_at_ms":9007199254740991}},"grants":{{"tickets:read":true}}}}"#,
        head("auth_context", "cpo", trace),
        5
    ))
}

fn decision_record() -> Envelope {
    envelope(&format!(
        r#"{{{},"ts_ms":1100,"auth_context_envelope_sha256":"{:064x}","policy":{{"policy_id":"desk","policy_version":"v3","policy_sha256":"{:064x}"}},"request":{{"action":"tickets:read","resource":"tickets/42"}},"decision":{{"result":"allow","reason_codes":{{"granted":true}},"obligations":{{}}}}}}"#,
        head("policy_decision", "cpo", CHILD),
        1,
        2
    ))
}

fn call_record(record_type: &str, own: &str) -> Envelope {
    let layer = if record_type == "model_call" { "flow" } else { "adapter" };
    let blob = format!(r#"{{"content_type":"text/plain","sha256":"{:064x}","size_bytes":3}}"#, 4);
    envelope(&format!(
        r#"{{{},"started_at_ms":1200,"ended_at_ms":1300,"auth_context_envelope_sha256":"{:064x}","policy_decision_envelope_sha256":"{:064x}",{own},"request":{blob},"response":{blob},"outcome":{{"status":"ok"}}}}"#,
        head(record_type, layer, CHILD),
        1,
        2
    ))
}

/// The records of a chain, with and without what is optional.
struct Chain {
    contexts: [Envelope; 2],
    decision: Envelope,
    calls: [Envelope; 3],
    refused: ErrorKind,
}

impl Chain {
    fn new() -> Self {
        let model = r#""model":{"provider":"lab","model":"heron"}"#;
        let usage = r#","usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}"#;
        Self {
            contexts: [context_record(ROOT), context_record(CHILD)],
            decision: decision_record(),
            calls: [
                call_record("model_call", model),
                call_record("model_call", &format!("{model}{usage}")),
                call_record("tool_call", r#""tool":{"adapter_id":"desk","tool_name":"read"}"#),
            ],
            refused: ErrorKind::PolicyDenied,
        }
    }

    /// Every kind of case, each with all and with none of what may be absent.
    fn cases(&self) -> Vec<RuleCase<'_>> {
        let [Envelope::AuthContext(auth_context), _] = &self.contexts else { panic!("contexts") };
        let Envelope::PolicyDecision(record) = &self.decision else { panic!("a decision") };
        let decision = DecisionCase { seq: 2, record, in_force: true };
        let mut abouts: Vec<About<'_>> =
            self.contexts
                .iter()
                .map(|it| {
                    if let Envelope::AuthContext(it) = it { About::AuthContext(it) } else { panic!("{it:?}") }
                })
                .collect();
        abouts.push(About::Decision { decision, auth_context, calls: 3 });
        for (at, call) in (1..).zip(&self.calls) {
            let call = match call {
                Envelope::ModelCall(call) => Call::Model(call),
                Envelope::ToolCall(call) => Call::Tool(call),
                other => panic!("{other:?}"),
            };
            abouts.push(About::Call { call, decision, auth_context, in_force: false, calls: 3, index: at });
        }
        let all = self.contexts.iter().chain([&self.decision]).chain(&self.calls);
        for envelope in all {
            for rests_on in [None, Some((auth_context, decision))] {
                abouts.push(About::Refused(RefusedAttempt {
                    envelope,
                    classification: self.refused.classification(),
                    error_kind: &self.refused,
                    auth_context: rests_on.map(|(auth, _)| auth),
                    decision: rests_on.map(|(_, decision)| decision),
                }));
            }
        }
        let before = [&self.decision, &self.calls[0], &self.calls[2]];
        let previous = before.map(|envelope| Some(Earlier { seq: 2, envelope })).into_iter().chain([None]);
        let cases = previous.flat_map(|previous| abouts.iter().map(move |about| (previous, *about)));
        let envelope_sha256 = proofline_trace::EnvelopeHash::from_bytes([9; 32]);
        let case = |(previous, about)| RuleCase { seq: 5, envelope_sha256, depth: 1, previous, about };
        cases.map(case).collect()
    }
}

#[test]
fn every_case_is_a_request_of_the_schema() {
    let schema = VALIDATOR.schema();
    let chain = Chain::new();
    let cases = chain.cases();
    assert_eq!(cases.len(), 4 * (2 + 1 + 3 + 12));
    for case in &cases {
        let facts = CaseFacts::of(case);
        let (request, entities) = request(&facts).unwrap();
        // Cedar itself judges: the context, the entities and what is above them.
        let again = Request::new(
            request.principal().unwrap().clone(),
            request.action().unwrap().clone(),
            request.resource().unwrap().clone(),
            request.context().unwrap().clone(),
            Some(schema),
        );
        again.unwrap_or_else(|error| panic!("{error}: {facts:?}"));
        let judged = Entities::from_entities(entities.iter().cloned(), Some(schema));
        judged.unwrap_or_else(|error| panic!("{error:?}: {facts:?}"));
    }
}

#[test]
fn whatever_is_in_the_schema_is_in_some_case() {
    // Each member that the schema names is read by a rule that applies where it is there: a mapping that left one
    // out, or a schema that promised too much, would leave a rule without a case.
    let chain = Chain::new();
    let cases = chain.cases();
    let tables = [
        ("auth_context", "envelope_sha256 seq ts_ms trace component depth previous auth_context"),
        (
            "policy_decision",
            "envelope_sha256 seq ts_ms trace component depth previous auth_context decision calls_of_decision",
        ),
        (
            "model_call",
            "envelope_sha256 seq ts_ms trace component depth previous auth_context decision calls_of_decision \
             call_index started_at_ms ended_at_ms request response outcome model usage",
        ),
        (
            "tool_call",
            "envelope_sha256 seq ts_ms trace component depth previous auth_context decision calls_of_decision \
             call_index started_at_ms ended_at_ms request response outcome tool",
        ),
        (
            "refused",
            "envelope_sha256 seq ts_ms trace component depth previous record_type classification error_kind \
             auth_context decision started_at_ms ended_at_ms request response outcome model tool usage",
        ),
    ];
    for (kind, members) in tables {
        for member in members.split(' ') {
            let text = format!(
                r#"@id("r") forbid(principal, action == Action::"{kind}", resource) when {{ context has {member} }};"#
            );
            let rules = CedarEngine.load_rules(text.as_bytes()).unwrap();
            let breaches = cases.iter().flat_map(|case| rules.ask(&CaseFacts::of(case)));
            assert!(breaches.count() > 0, "{kind}.{member}");
        }
    }
}

#[test]
fn the_starter_set_fits_and_each_rule_serves_a_control() {
    let rules = CedarEngine.load_rules(STARTER_RULES.as_bytes()).unwrap();
    assert!(rules.rules().len() >= 10 && rules.reads_in_force());
    for rule in rules.rules() {
        assert!(rule.title.is_some() && rule.message.is_some() && !rule.controls.is_empty(), "{rule:?}");
    }
}

/// Conditions that some case meets and some does not, alone, in pairs and with scopes.
const CONDITIONS: [&str; 16] = [
    "context.ts_ms > 1000",
    "context.ts_ms * 9223372036854775807 > 0",
    "context.trace has parent_span_id",
    "context.trace has parent_span_id && context.trace.parent_span_id like \"*1\"",
    "context has previous && context.previous has outcome && context.previous.outcome.status == \"ok\"",
    "context has previous.tool.tool_name",
    "principal.kind == \"user\"",
    "[\"\", \"staff/ines\"].contains(principal.id)",
    "principal.grants.contains(\"tickets:read\")",
    "principal in Grant::\"tickets:read\"",
    "principal in ActorKind::\"user\"",
    "resource in Resource::\"tickets\"",
    "resource == Resource::\"-\"",
    "[principal].contains(Actor::\"user|staff/ines\")",
    "[context.trace].contains({trace_id: \"00000000000000000000000000000007\", \
     span_id: \"0000000000000001\", span_kind: \"root\"})",
    "context.depth + context.seq == 6",
];

#[test]
fn what_the_rules_see_of_a_case_is_all_that_they_answer_by() {
    let chain = Chain::new();
    let cases = chain.cases();
    let (mut breaches, mut errors, mut held) = (0, 0, 0);
    for (at, one) in CONDITIONS.iter().enumerate() {
        for other in &CONDITIONS[at..] {
            let scope = ["principal", "principal in Grant::\"tickets:read\""][at % 2];
            let text = format!(
                "@id(\"one\") forbid(principal, action, resource) when {{ {one} }};
                 @id(\"none\") forbid(principal, action in Action::\"call\", resource)
                 when {{ context.ended_at_ms < 9 }};
                 @id(\"other\") forbid({scope}, action, resource) unless {{ {other} }};"
            );
            let Ok(rules) = CedarEngine.load_rules(text.as_bytes()) else { continue };
            for case in &cases {
                let facts = CaseFacts::of(case);
                let answer = rules.ask(&facts);
                let whole = rules.evaluate(&rules.sets[&facts.kind].set, facts.kind, request(&facts));
                assert_eq!(answer, whole, "{text}\n{facts:?}");
                breaches += answer.len();
                errors += answer.iter().filter(|breach| breach.error.is_some()).count();
                held += usize::from(answer.is_empty());
            }
        }
    }
    assert!(breaches > 1000 && errors > 100 && held > 100, "{breaches} {errors} {held}");
}

#[test]
fn a_request_has_what_the_rules_see_and_no_more() {
    let rules = CedarEngine.load_rules(STARTER_RULES.as_bytes()).unwrap();
    let chain = Chain::new();
    let case = chain.cases().into_iter().find(|case| case.about.kind() == CaseKind::ToolCall).unwrap();
    let facts = CaseFacts::of(&case);
    let (seen, entities) = seen_request(&facts, &rules.sets[&facts.kind]).unwrap();
    let expected = serde_json::json!({
        "auth_context": {"credential": {"expires_at_ms": 9007199254740991_u64}},
        "call_index": 3, "started_at_ms": 1200, "ended_at_ms": 1300,
        "decision": {"in_force_at_call": false, "obligations": [], "ts_ms": 1100},
        "tool": {"adapter_id": "desk"},
    });
    assert_eq!(seen.context().unwrap().to_json_value().unwrap(), expected);
    assert_eq!(entities.len(), 2);
}
