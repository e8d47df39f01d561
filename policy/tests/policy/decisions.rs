//! The golden decisions of `vectors/decisions`: what the engine answers, what determined it, which statements failed,
//! and the contract's decision.

use std::fs;
use std::path::Path;

use proofline_canon::{Limits, Value, parse};
use proofline_policy::{CedarEngine, PolicyEngine, Question};
use proofline_trace::{Millis, PolicyRequest};

use crate::asked::auth_context;

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/decisions").join(file);
    let document = parse(&fs::read(path).unwrap(), &Limits::CONTENT).unwrap();
    document.get("cases").and_then(Value::as_array).unwrap().to_vec()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("no {name} in {value:?}"))
}

fn number(value: &Value, name: &str) -> u64 {
    match value.get(name) {
        Some(Value::Number(number)) => number.literal().parse().unwrap(),
        other => panic!("{name}: {other:?}"),
    }
}

fn texts(value: &Value, name: &str) -> Vec<String> {
    let list = value.get(name).and_then(Value::as_array).unwrap();
    list.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn names(value: &Value, name: &str) -> Vec<String> {
    let Some(Value::Object(object)) = value.get(name) else { panic!("no {name}") };
    let mut names: Vec<_> = object.iter().map(|(name, _)| name.to_string()).collect();
    names.sort();
    names
}

#[test]
fn every_question_has_the_answer_that_was_written_down() {
    let cases = cases("answers.json");
    assert!(cases.len() >= 60, "only {}", cases.len());
    for case in &cases {
        let name = text(case, "name");
        let policy = CedarEngine.load(text(case, "policy").as_bytes());
        let policy = policy.unwrap_or_else(|error| panic!("{name}: {error}"));
        let context = parse(text(case, "auth_context").as_bytes(), &Limits::ENVELOPE).unwrap();
        let auth = auth_context(&context);
        // The decision's own trace context: that of the vector, as a record of its own.
        let trace = case.get("trace").unwrap().clone();
        let Value::Object(mut other) = context else { panic!("no record") };
        other.insert("trace", trace);
        let trace = auth_context(&Value::Object(other)).trace;
        let asked = case.get("request").unwrap();
        let request = PolicyRequest {
            action: text(asked, "action").parse().unwrap(),
            resource: text(asked, "resource").parse().unwrap(),
        };
        let answer = policy.ask(&Question {
            auth_context: &auth,
            request: &request,
            trace: &trace,
            component: &text(case, "component").parse().unwrap(),
            ts_ms: Millis::new(number(case, "ts_ms")).unwrap(),
        });
        let expected = case.get("expected").unwrap();
        assert_eq!(answer.result.as_str(), text(expected, "result"), "{name}: {answer:?}");
        let determining: Vec<_> = answer.determining.iter().map(|it| it.id.clone()).collect();
        assert_eq!(determining, texts(expected, "determining"), "{name}");
        let errors: Vec<_> = answer.errors.iter().map(|it| it.id.clone()).collect();
        assert_eq!(errors, texts(expected, "errors"), "{name}: {answer:?}");
        let (decision, expected) = (answer.decision(), expected.get("decision").unwrap());
        assert_eq!(decision.result.as_str(), text(expected, "result"), "{name}");
        let given =
            |set: &proofline_trace::StringSet| set.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(given(&decision.reason_codes), names(expected, "reason_codes"), "{name}");
        assert_eq!(given(&decision.obligations), names(expected, "obligations"), "{name}");
    }
}

#[test]
fn what_is_no_policy_is_refused_with_its_line() {
    for case in cases("refused.json") {
        let name = text(&case, "name");
        let fault = CedarEngine.load(text(&case, "policy").as_bytes()).expect_err(name);
        let expected = case.get("expected").unwrap();
        assert_eq!(fault.code(), text(expected, "error"), "{name}: {fault}");
        let line = u64::try_from(fault.line().unwrap()).unwrap();
        assert_eq!(line, number(expected, "line"), "{name}: {fault}");
    }
}
