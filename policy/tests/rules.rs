//! Files of rules: what is refused, in which line, and what a rule says of itself.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

use std::collections::BTreeSet;

use proofline_policy::{CaseKind, CedarEngine, Rule, RulesError};
use proofline_trace::Severity;

fn refused(text: &str) -> RulesError {
    match CedarEngine.load_rules(text.as_bytes()) {
        Ok(rules) => panic!("taken: {:?}", rules.rules()),
        Err(error) => error,
    }
}

fn one(text: &str) -> Rule {
    CedarEngine.load_rules(text.as_bytes()).unwrap().rules()[0].clone()
}

#[test]
fn what_is_no_rule_is_refused_with_its_line() {
    let good = "@id(\"good\")\nforbid(principal, action, resource)\nwhen { context.depth > 9 };\n";
    let tool = r#"forbid(principal, action == Action::"tool_call", resource)"#;
    let cases: Vec<(&str, String, Option<usize>)> = vec![
        ("rules.empty", String::new(), None),
        ("rules.empty", "// nothing\n".to_owned(), None),
        ("rules.permit", format!("{good}@id(\"p\")\npermit(principal, action, resource);"), Some(4)),
        ("rules.annotation", format!("{good}\n@id(\"a\") @contol(\"SOC2:CC6.1\") {tool};"), Some(5)),
        ("rules.annotation", format!("@id(\"a\") @obligation(\"log\") {tool};"), Some(1)),
        ("rules.severity", format!("@id(\"a\") @severity(\"grave\") {tool};"), Some(1)),
        // An attribute that no record has, two lines below the statement's first.
        (
            "rules.schema",
            format!("{good}// a comment\n@id(\"a\")\n{tool}\nwhen {{ context.tool.tool_nam == \"x\" }};"),
            Some(7),
        ),
        // One that may be absent.
        (
            "rules.schema",
            "@id(\"a\") forbid(principal, action == Action::\"model_call\", resource)\n\
             when { context.usage.total_tokens > 9 };"
                .to_owned(),
            Some(2),
        ),
        // One that only calls have, asked of every record.
        (
            "rules.schema",
            "@id(\"a\") forbid(principal, action, resource) when { context.started_at_ms > 9 };".to_owned(),
            Some(1),
        ),
        // A number beside a text.
        ("rules.schema", format!("@id(\"a\") {tool} when {{ context.tool.tool_name > 3 }};"), Some(1)),
        // An action that is none, a principal that is none.
        (
            "rules.schema",
            "@id(\"a\") forbid(principal, action == Action::\"toolcall\", resource);".to_owned(),
            Some(1),
        ),
        ("rules.schema", "@id(\"a\") forbid(principal is User, action, resource);".to_owned(), Some(1)),
        // It could never apply.
        ("rules.warning", format!("{good}@id(\"a\") {tool}\nwhen {{ context has usage }};"), Some(4)),
        ("cedar.no_id", format!("{good}\n{tool};"), Some(5)),
        ("cedar.duplicate_id", format!("{good}{good}"), Some(4)),
        ("cedar.syntax", format!("{good}@id(\"a\")\nforbid(principal, action, resource"), Some(5)),
        (
            "cedar.template",
            "@id(\"a\") forbid(principal == ?principal, action, resource);".to_owned(),
            Some(1),
        ),
    ];
    for (code, text, line) in cases {
        let error = refused(&text);
        assert_eq!((error.code(), error.line()), (code, line), "{error}: {text}");
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn the_first_fault_of_the_text_is_told() {
    let text = "@id(\"z\") forbid(principal, action, resource) when { context.no > 1 };\n\
                @id(\"a\") forbid(principal, action, resource) when { context.nor > 1 };";
    for _ in 0..4 {
        let error = refused(text);
        let RulesError::Schema { id, line, others, .. } = &error else { panic!("{error}") };
        assert_eq!((id.as_str(), *line), ("z", Some(1)));
        assert_eq!(*others, 1, "one more place, however many kinds of record it concerns");
    }
}

#[test]
fn a_rule_says_what_it_is_for_and_what_it_is_asked_of() {
    let rule = one(r#"@id("writes") @title("Writes are in force") @message("Ask again.") @severity("high")
           @control("SOC2:CC6.1") @control_b("ISO27001:A.5.15") @x_owner("desk")
           forbid(principal, action in Action::"call", resource)
           when { context.decision.action like "*:write" && !context.decision.in_force_at_call };"#);
    assert_eq!(rule.title.as_deref(), Some("Writes are in force"));
    assert_eq!(rule.message.as_deref(), Some("Ask again."));
    assert_eq!(rule.controls, ["SOC2:CC6.1", "ISO27001:A.5.15"]);
    assert_eq!(rule.severity, Severity::High);
    assert_eq!(rule.asked_of, BTreeSet::from([CaseKind::ModelCall, CaseKind::ToolCall]));
    let reads: Vec<&str> = rule.reads.iter().map(String::as_str).collect();
    assert_eq!(reads, ["context.decision.action", "context.decision.in_force_at_call"]);

    let plain = one(r#"@id("r") forbid(principal, action, resource) when { context.depth > 9 };"#);
    assert_eq!((plain.title, plain.severity), (None, Severity::Medium));
    assert_eq!(plain.asked_of.len(), 5);
    let two = one(
        r#"@id("r") forbid(principal, action in [Action::"refused", Action::"auth_context"], resource);"#,
    );
    assert_eq!(two.asked_of, BTreeSet::from([CaseKind::AuthContext, CaseKind::Refused]));
}

#[test]
fn whether_the_log_must_be_looked_through_is_known() {
    let reads = |condition: &str| {
        let head = r#"@id("r") forbid(principal, action == Action::"policy_decision", resource)"#;
        let text = format!("{head} when {{ {condition} }};");
        CedarEngine.load_rules(text.as_bytes()).unwrap().reads_in_force()
    };
    assert!(!reads("context.decision.result == \"deny\""));
    assert!(reads("!context.decision.in_force"));
    assert!(reads("context.decision[\"in_f\\u{6f}rce\"] == false"));
}
