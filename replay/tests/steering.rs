//! The files that steer a comparison, read strictly: what is not understood is refused with its place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use proofline_replay::{FormError, Pair, Pairs, VariancePolicy};
use proofline_trace::{DifferenceKind, RecordType};

fn place(error: &FormError) -> (&'static str, Option<String>) {
    (error.code(), error.pointer().map(ToString::to_string))
}

#[test]
fn a_policy_allows_what_it_says_and_nothing_else() {
    let members = [DifferenceKind::Response, DifferenceKind::Outcome, DifferenceKind::Usage];
    for allowed in 0_u32..64 {
        let list = |bits: u32| {
            let named = members.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1);
            named.map(|(_, kind)| format!("\"{kind}\"")).collect::<Vec<_>>().join(",")
        };
        let file = format!(
            r#" {{"allow_variance": {{"tool_call":[{}], "model_call":[{}]}} }} "#,
            list(allowed >> 3),
            list(allowed & 7)
        );
        let policy = VariancePolicy::parse(file.as_bytes()).unwrap();
        for record_type in RecordType::ALL {
            for (at, kind) in members.iter().enumerate() {
                let expected = match record_type {
                    RecordType::ModelCall => allowed >> at & 1 == 1,
                    RecordType::ToolCall => allowed >> (at + 3) & 1 == 1,
                    _ => false,
                };
                assert_eq!(policy.allows(*record_type, *kind), expected, "{file}");
            }
            assert!(!policy.allows(*record_type, DifferenceKind::PolicySignature));
            assert!(!policy.allows(*record_type, DifferenceKind::EvidenceIdentity));
        }
        let written = policy.to_value().to_canonical(proofline_canon::Profile::Envelope).unwrap();
        assert_eq!(VariancePolicy::parse(&written), Ok(policy));
    }
}

#[test]
fn presets_and_the_default() {
    assert_eq!(VariancePolicy::default(), VariancePolicy::NOTHING);
    assert_eq!(VariancePolicy::parse(br#"{"allow_variance":{}}"#), Ok(VariancePolicy::NOTHING));
    let file = br#"{"allow_variance":{"model_call":["response","usage"]}}"#;
    assert_eq!(VariancePolicy::preset("model-output"), VariancePolicy::parse(file).ok());
    assert_eq!(VariancePolicy::preset("everything"), None);
}

#[test]
fn a_policy_that_is_not_understood_is_refused_at_its_place() {
    for (file, code, pointer) in [
        ("", "canon.unexpected_end", None),
        (r#"{"allow_variance":{},"allow_variance":{}}"#, "canon.duplicate_member", None),
        (r#"{"allow_variance":{}} x"#, "canon.trailing_data", None),
        ("[]", "form.type", Some("")),
        ("{}", "form.missing", Some("")),
        (r#"{"allow_varience":{}}"#, "form.missing", Some("")),
        (r#"{"allow_variance":{},"mode":1}"#, "form.unknown", Some("/mode")),
        (r#"{"allow_variance":["model_call"]}"#, "form.type", Some("/allow_variance")),
        (r#"{"allow_variance":{"model/call":[]}}"#, "form.unknown", Some("/allow_variance/model~1call")),
        (
            r#"{"allow_variance":{"policy_decision":[]}}"#,
            "form.unknown",
            Some("/allow_variance/policy_decision"),
        ),
        (r#"{"allow_variance":{"model_call":"response"}}"#, "form.type", Some("/allow_variance/model_call")),
        (
            r#"{"allow_variance":{"model_call":["response",1]}}"#,
            "form.type",
            Some("/allow_variance/model_call/1"),
        ),
        (
            r#"{"allow_variance":{"model_call":["request"]}}"#,
            "form.word",
            Some("/allow_variance/model_call/0"),
        ),
        (
            r#"{"allow_variance":{"tool_call":["Response"]}}"#,
            "form.word",
            Some("/allow_variance/tool_call/0"),
        ),
        (
            r#"{"allow_variance":{"tool_call":["usage","usage"]}}"#,
            "form.repeated",
            Some("/allow_variance/tool_call/1"),
        ),
    ] {
        let error = VariancePolicy::parse(file.as_bytes()).unwrap_err();
        assert_eq!(place(&error), (code, pointer.map(str::to_owned)), "{file}");
        let sentence = error.to_string();
        // The root's pointer is empty, and nobody reads that as the document.
        assert!(!sentence.is_empty() && !sentence.contains("\"\""), "{sentence}");
    }
}

fn id(number: u32) -> String {
    format!("{number:032x}")
}

fn line(baseline: u32, candidate: u32) -> String {
    format!(r#"{{"baseline":"{}","candidate":"{}"}}"#, id(baseline), id(candidate))
}

#[test]
fn pairs_come_once_and_in_order() {
    let text = format!("{}\n\n  \t\r\n{}\r\n{}\n{}", line(2, 1), line(1, 9), line(2, 1), line(1, 3));
    let pairs = Pairs::parse(text.as_bytes()).unwrap();
    let pair = |baseline, candidate| Pair {
        baseline: id(baseline).parse().unwrap(),
        candidate: id(candidate).parse().unwrap(),
    };
    assert_eq!(pairs.iter().collect::<Vec<_>>(), [pair(1, 3), pair(1, 9), pair(2, 1)]);
    assert_eq!(pairs, [pair(1, 9), pair(2, 1), pair(1, 3)].into_iter().collect());
    let many = Pairs::against(pair(5, 5).baseline, [3, 2].map(|number| id(number).parse().unwrap()));
    assert_eq!(many.iter().collect::<Vec<_>>(), [pair(5, 2), pair(5, 3)]);
    assert!(Pairs::parse(b"").unwrap().is_empty());
}

#[test]
fn a_line_that_is_no_pair_is_refused_with_its_number() {
    let (one, zeros) = (id(1), id(0));
    for (bad, code, pointer) in [
        ("{".to_owned(), "canon.unexpected_end", None),
        (r#""x""#.to_owned(), "form.type", Some("")),
        (format!(r#"{{"baseline":"{one}"}}"#), "form.missing", Some("")),
        (format!(r#"{{"baseline":"{one}","candidate":"{one}","note":""}}"#), "form.unknown", Some("/note")),
        (format!(r#"{{"baseline":1,"candidate":"{one}"}}"#), "form.type", Some("/baseline")),
        (format!(r#"{{"baseline":"{one}","candidate":"{zeros}"}}"#), "form.trace_id", Some("/candidate")),
        (
            format!(r#"{{"baseline":"{}","candidate":"{one}"}}"#, "A".repeat(32)),
            "form.trace_id",
            Some("/baseline"),
        ),
        (format!("{} {}", line(1, 2), line(3, 4)), "canon.trailing_data", None),
    ] {
        let error = Pairs::parse(format!("{}\n\n{bad}\n", line(1, 2)).as_bytes()).unwrap_err();
        assert_eq!(error.line, 3, "{bad}");
        assert_eq!(place(&error.fault), (code, pointer.map(str::to_owned)), "{bad}");
        assert_eq!((error.code(), error.pointer()), (error.fault.code(), error.fault.pointer()));
        assert!(error.to_string().starts_with("line 3 of the pairs: "), "{error}");
    }
}
