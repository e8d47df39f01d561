//! The target that reads a policy as a text, and asks it.

use std::collections::BTreeSet;

use proofline_canon::Limits;
use proofline_policy::{CedarEngine, PolicyEngine, Question};
use proofline_trace::{AuthContext, DecisionResult, Envelope, PolicyRequest, read_envelope};

const CONTEXT: &[u8] = br#"{"spec_version":"1.0.0","canon_version":"1","record_type":"auth_context",
    "ts_ms":1769817600000,"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",
    "span_id":"00f067aa0ba902b7","span_kind":"root"},"producer":{"layer":"cpo","component":"gateway"},
    "actor":{"actor_kind":"user","actor_id":"staff/ines"},"credential":{"credential_kind":"oidc",
    "issuer":"https://id.example","presented_hash_sha256":
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","verified_at_ms":1769817600000,
    "expires_at_ms":1769821200000},"grants":{"tickets:read":true}}"#;

/// A text that loads has statements under ids of their own, and answers by them, twice the same; one that does not
/// has a first fault, in the text.
pub fn policy_text(data: &[u8]) {
    let listed = CedarEngine.statements(data);
    rules(data, listed.is_ok());
    let policy = match (CedarEngine.load(data), &listed) {
        (Ok(policy), Ok(_)) => policy,
        (Err(fault), Err(faults)) => {
            assert_eq!(Some(&fault), faults.first());
            let lines = 1 + data.iter().filter(|byte| **byte == b'\n').count();
            assert!(fault.line().is_none_or(|line| (1..=lines).contains(&line)), "{fault}");
            assert!(fault.code().starts_with("cedar."));
            return;
        }
        (loaded, _) => panic!("loaded as {loaded:?}, listed as {listed:?}"),
    };
    let statements = listed.unwrap_or_default();
    let ids: BTreeSet<&str> = statements.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids.len(), statements.len());
    let auth_context = auth_context();
    let request = PolicyRequest {
        action: "tickets:read".parse().expect("a word"),
        resource: "desk/7".parse().expect("a word"),
    };
    let question = Question {
        auth_context: &auth_context,
        request: &request,
        trace: &auth_context.trace,
        component: &auth_context.component,
        ts_ms: auth_context.ts_ms,
    };
    let answer = policy.ask(&question);
    assert_eq!(answer, policy.ask(&question));
    let named = answer.determining.iter().map(|it| &it.id).chain(answer.errors.iter().map(|it| &it.id));
    assert!(named.into_iter().all(|id| ids.contains(id.as_str())), "{answer:?} names others");
    let decision = answer.decision();
    let is_sound = answer.errors.is_empty() && !answer.determining.is_empty();
    assert!(decision.result == DecisionResult::Deny || is_sound, "{answer:?} allows");
}

/// The same text as rules: what loads forbids under ids of its own; what does not has a fault in the text.
fn rules(data: &[u8], is_policy: bool) {
    match CedarEngine.load_rules(data) {
        Ok(rules) => {
            assert!(is_policy && !rules.rules().is_empty());
            assert!(rules.rules().is_sorted_by(|one, next| one.id < next.id));
        }
        Err(fault) => {
            assert_eq!(is_policy, fault.code().starts_with("rules."), "{fault}");
            let lines = 1 + data.iter().filter(|byte| **byte == b'\n').count();
            assert!(fault.line().is_none_or(|line| (1..=lines).contains(&line)), "{fault}");
        }
    }
}

fn auth_context() -> AuthContext {
    let sealed = read_envelope(CONTEXT, &Limits::ENVELOPE).expect("a record");
    match sealed.into_parts().0 {
        Envelope::AuthContext(record) => record,
        other => panic!("{other:?}"),
    }
}
