//! Policies held against the shipped schema and actions of one's own.

use proofline_policy::{CEDAR_SCHEMA, CedarEngine, ValidationError};

const ACTIONS: &str = r#"
action "tickets";
action "tickets:read", "tickets:write" in ["tickets"]
    appliesTo { principal: Actor, resource: Resource, context: Question };
"#;

fn faults(policy: &str) -> Vec<(String, usize, bool)> {
    match CedarEngine.validate(policy.as_bytes(), ACTIONS.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(ValidationError::Statements(faults)) => {
            faults.into_iter().map(|it| (it.id, it.line, it.is_warning)).collect()
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn a_policy_of_what_a_question_has_passes() {
    let policy = r#"@id("read") permit(principal in Grant::"tickets:read", action in Action::"tickets", resource in Resource::"desk");
@id("kind") permit(principal in ActorKind::"user", action, resource) when { principal.id like "staff/*" };
@id("ended") forbid(principal, action, resource)
    when { context.ts_ms > context.auth_context.credential.expires_at_ms };
@id("child") forbid(principal, action == Action::"tickets:write", resource)
    when { context.trace has parent_span_id && context.trace.parent_span_id == context.auth_context.trace.span_id };
@id("granted") permit(principal, action, resource)
    unless { context.auth_context.grants.contains("none") || principal.grants.isEmpty() };"#;
    let statements = CedarEngine.validate(policy.as_bytes(), ACTIONS.as_bytes()).unwrap();
    assert_eq!(statements.iter().map(|it| it.line).collect::<Vec<_>>(), [1, 2, 3, 5, 7]);
    assert_eq!(faults(""), [], "an empty policy fits");
}

#[test]
fn faults_and_warnings_refuse_with_statement_and_line() {
    let statement =
        |id: &str, rest: &str| format!("@id(\"{id}\") forbid(principal, action, resource) {rest};\n");
    let cases = [
        ("when { context.amount > 3 }", false),
        ("when { context.trace.parent_span_id == \"a\" }", false),
        ("when { context.component == 1 }", false),
        ("when { action == Action::\"tickets:raed\" }", false),
        ("when { principal in Team::\"a\" }", false),
        ("when { [1, \"a\"].isEmpty() }", false),
        // What the engine alone lets pass: a forbid that never applies.
        ("when { false && context.component == \"a\" }", true),
    ];
    for (rest, is_warning) in cases {
        let policy =
            statement("sound", "when { context.component == \"a\" }") + "\n" + &statement("bad", rest);
        let found = faults(&policy);
        assert!(!found.is_empty() && found.iter().all(|it| it.0 == "bad" && it.1 == 3), "{rest}: {found:?}");
        assert!(found.iter().any(|it| it.2 == is_warning), "{rest}: {found:?}");
    }
    let never = "@id(\"never\") forbid(principal is Resource, action == Action::\"tickets:read\", resource);";
    let found = faults(never);
    assert!(!found.is_empty() && found.iter().all(|it| *it == ("never".to_owned(), 1, true)), "{found:?}");
    let two = statement("b", "when { context.no }") + &statement("a", "when { context.no }");
    let mut lines: Vec<_> = faults(&two).into_iter().map(|it| (it.0, it.1)).collect();
    lines.dedup(); // one for each action
    assert_eq!(lines, [("b".to_owned(), 1), ("a".to_owned(), 2)], "in the order of the text");
}

fn refused(policy: &str, schema: &[u8]) -> (&'static str, Option<usize>, bool) {
    let error = CedarEngine.validate(policy.as_bytes(), schema).unwrap_err();
    assert!(!error.to_string().is_empty() && !error.hint().is_empty());
    (error.code(), error.line(), error.is_of_schema())
}

#[test]
fn what_is_no_schema_for_questions_is_refused() {
    let own = |rest: &str| format!("{ACTIONS}{rest}");
    let applies = |principal: &str, resource: &str, context: &str| {
        own(&format!(
            "action \"own\" appliesTo {{ principal: {principal}, resource: {resource}, context: {context} }};\nentity Own;"
        ))
    };
    assert_eq!(refused("", own("action ;").as_bytes()), ("cedar.schema_syntax", Some(5), true));
    assert_eq!(refused("", own("entity A { a: Strin };").as_bytes()).0, "cedar.schema_syntax");
    assert_eq!(refused("", CEDAR_SCHEMA.as_bytes()).0, "cedar.schema_syntax", "it stands there already");
    assert_eq!(refused("", b"\n\xff"), ("cedar.schema_encoding", None, true));
    assert_eq!(refused("", &vec![b' '; (1 << 20) + 1]).0, "cedar.schema_too_long");
    for opened in ["Set<", "{a: "] {
        let deep = format!("\ntype Deep = {}", opened.repeat(100_000));
        assert_eq!(refused("", deep.as_bytes()), ("cedar.schema_too_deep", Some(2), true));
    }
    // Actions that take something else: a policy that passes under them would fail when it is asked.
    for (principal, resource, context) in [
        ("Own", "Resource", "Question"),
        ("Actor", "Own", "Question"),
        ("Actor", "Resource", "{}"),
        (
            "Actor",
            "Resource",
            "{ ts_ms: Long, trace: Trace, component: String, auth_context: AuthContext, amount: Long }",
        ),
    ] {
        let schema = applies(principal, resource, context);
        assert_eq!(refused("", schema.as_bytes()), ("cedar.schema_action", None, true), "{schema}");
    }
    assert!(CedarEngine.validate(b"", applies("Actor", "Resource", "Question").as_bytes()).is_ok());
    assert_eq!(
        refused("permit(principal, action, resource);", ACTIONS.as_bytes()),
        ("cedar.no_id", Some(1), false)
    );
}

#[test]
fn what_loads_validates_on_a_small_thread() {
    let chain = " && context.ts_ms == 1".repeat(490);
    let nested = format!("{}context.ts_ms == 1{}", "(".repeat(62), ")".repeat(62));
    let ifs = format!("{}true{}", "if context.ts_ms == 1 then ".repeat(240), " else false".repeat(240));
    let sets = format!("{}1{} == [[1]]", "[".repeat(60), "]".repeat(60));
    let schema_deep = format!("{ACTIONS}type Deep = {}Long{};", "Set<".repeat(64), ">".repeat(64));
    let cases =
        [format!("context.ts_ms == 1{chain}"), nested, ifs, sets, format!("1{} == 1", " + 1".repeat(490))];
    let policies = cases.map(|it| format!("@id(\"a\") permit(principal, action, resource) when {{ {it} }};"));
    let work = move || {
        policies.map(|policy| CedarEngine.validate(policy.as_bytes(), schema_deep.as_bytes()).is_ok())
    };
    let passes = std::thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap().join().unwrap();
    assert_eq!(passes, [true, true, true, false, true], "sets of sets are not as deep as each other");
}
