//! What is loaded, what is refused with its line, and that depth is never a matter of the stack: a text that loads
//! is loaded, asked and dropped on a small thread.

use std::thread;

use proofline_policy::{CedarEngine, PolicyEngine, PolicyError};
use proofline_trace::DecisionResult;

use crate::asked::ask;

/// As small as a thread gets in earnest.
const SMALL_STACK_BYTES: usize = 128 << 10;

fn when(expression: &str) -> String {
    format!("@id(\"it\") permit(principal, action, resource) when {{ {expression} }};")
}

/// An expression of a shape, by how many steps deep it is.
type Shape = fn(usize) -> String;

/// Shapes that are as deep as they have brackets. The braces of `when` are one more.
const NESTED: [(&str, Shape); 4] = [
    ("parentheses", |n| format!("{}true{}", "(".repeat(n), ")".repeat(n))),
    ("sets", |n| format!("{}1{} == 1", "[".repeat(n), "]".repeat(n))),
    ("records", |n| format!("{}1{} == 1", "{a: ".repeat(n), "}".repeat(n))),
    ("calls", |n| format!("{}[1]{}", "[1].containsAll(".repeat(n - 1), ")".repeat(n - 1))),
];

/// Shapes that have a link for each step, and how many more.
const CHAINED: [(&str, usize, Shape); 8] = [
    ("or", 2, |n| format!("context.component == \"\"{}", " || context.no".repeat(n))),
    ("and", 2, |n| format!("context.component != \"\"{}", " && context.component != \"\"".repeat(n))),
    ("plus", 2, |n| format!("context.ts_ms{} == 1", " + 1".repeat(n))),
    ("times", 2, |n| format!("context.ts_ms{} == 0", " * 0".repeat(n))),
    ("members", 0, |n| format!("context{}", ".a".repeat(n))),
    ("indexes", 0, |n| format!("context{}", "[\"a\"]".repeat(n))),
    ("ifs", 0, |n| format!("{}true{}", "if true then ".repeat(n), " else false".repeat(n))),
    ("else ifs", 0, |n| format!("{}true", "if false then false else ".repeat(n))),
];

/// The brackets of the id, the scope and the condition.
const AROUND: usize = 3;

/// Loads, asks and drops on a small thread; the program dies where the stack ends.
fn survives(text: String) {
    let work = move || {
        ask(&text);
        CedarEngine.statements(text.as_bytes()).unwrap();
    };
    thread::Builder::new().stack_size(SMALL_STACK_BYTES).spawn(work).unwrap().join().unwrap();
}

fn too_deep(text: &str) -> (usize, usize) {
    match CedarEngine.load(text.as_bytes()) {
        Err(PolicyError::TooDeep { line, limit, .. }) => (line, limit),
        other => panic!("{other:?}"),
    }
}

#[test]
fn brackets_load_up_to_the_cap_and_not_above() {
    for (name, shape) in NESTED {
        survives(when(&shape(63)));
        assert_eq!(too_deep(&when(&shape(64))), (1, 64), "{name}");
        // What never ends is as deep.
        assert_eq!(too_deep(&format!("\n\n{}", "([{".repeat(100_000))), (3, 64));
    }
}

#[test]
fn chains_load_up_to_the_cap_and_not_above() {
    for (name, more, shape) in CHAINED {
        let steps = 500 - AROUND - more;
        survives(when(&shape(steps)));
        assert_eq!(too_deep(&when(&shape(steps + 1))), (1, 500), "{name}");
        assert_eq!(too_deep(&when(&shape(100_000))), (1, 500), "{name}");
    }
}

#[test]
fn depths_add_up_along_a_path_and_not_beside_it() {
    let chain = " && true".repeat(50);
    let nested = |n: usize| format!("{}true{chain}{}", format!("true{chain} && (").repeat(n), ")".repeat(n));
    survives(when(&nested(8))); // 8 times 52, and 50
    assert_eq!(too_deep(&when(&nested(9))).1, 500);
    let beside = vec![format!("context.component == \"\"{}", " || true".repeat(200)); 50].join(", ");
    survives(when(&format!("[{beside}].contains(true)")));
}

#[test]
fn long_lists_and_a_chain_of_two_hundred_are_no_matter() {
    let literals: Vec<_> = (0..10_000).map(|n| format!("\"c{n}\"")).collect();
    let among =
        |last: &str| when(&format!("[{}, \"{last}\"].contains(context.component)", literals.join(", ")));
    assert_eq!(ask(&among("gateway")).result, DecisionResult::Allow);
    assert_eq!(ask(&among("other")).result, DecisionResult::Deny);
    let chain = " || context.component == \"none\"".repeat(200);
    let chained = |last: &str| when(&format!("false{chain} || context.component == \"{last}\""));
    assert_eq!(ask(&chained("gateway")).result, DecisionResult::Allow);
    assert_eq!(ask(&chained("other")).result, DecisionResult::Deny);
    let endless = when(&format!("[{}]", "1,".repeat(200_000)));
    assert_eq!(too_deep(&endless), (1, 200_000));
}

#[test]
fn ten_megabytes_of_statements_load_and_answer() {
    let mut text = String::new();
    let mut count = 0;
    while text.len() < 10_000_000 {
        text.push_str(&format!(
            "@id(\"rule-{count}\")\npermit(principal in Grant::\"tickets:read\", action in Action::\"tickets\", \
             resource == Resource::\"desk/{count}\")\n  when {{ context.ts_ms > {count} && context.component == \
             \"gateway\" }};\n"
        ));
        count += 1;
    }
    let answer = ask(&text);
    assert_eq!(answer.result, DecisionResult::Allow);
    let ids: Vec<_> = answer.determining.iter().map(|it| it.id.as_str()).collect();
    assert_eq!(ids, ["rule-7"]);
    assert!(answer.errors.is_empty());
}

#[test]
fn above_sixteen_mebibytes_nothing_is_read() {
    let limit = 16 << 20;
    let text = vec![b' '; limit];
    assert!(CedarEngine.load(&text).is_ok(), "an empty policy of the greatest length");
    let longer = vec![b' '; limit + 1];
    let refused = CedarEngine.load(&longer).unwrap_err();
    assert_eq!(refused, PolicyError::TooLong { bytes: limit + 1, limit });
    assert_eq!((refused.code(), refused.line()), ("cedar.too_long", None));
}

const SOUND: &str = "// one\n@id(\"one\")\npermit(principal, action, resource);\n";

#[test]
fn faults_have_a_code_and_the_line_where_they_are() {
    let behind = |rest: &str| format!("{SOUND}{rest}");
    let cases = [
        (behind("\npermit(principal, action, resource)\nwhen { true };"), "cedar.no_id", 5),
        (behind("// two\n@id(\"one\") forbid(principal, action, resource);"), "cedar.duplicate_id", 5),
        (behind("@id(\"policy-error\") forbid(principal, action, resource);"), "cedar.reserved_id", 4),
        (behind("@id(\"t\")\npermit(principal == ?principal, action, resource);"), "cedar.template", 4),
        (behind("@id(\"two\")\npermit(principal, action, resource)\nwhen { 1 1 };"), "cedar.syntax", 6),
        (behind("@id(\"two\")\npermit(principal, action, resource)\nwhen { nobody };"), "cedar.syntax", 6),
        (behind("@id(\"two\")\npermit(principal, action, resource)\nwhen { (true] };"), "cedar.syntax", 6),
        (behind("@id(\"two\")\npermit(principal, action, resource)\nwhen { \"a };"), "cedar.syntax", 6),
        (
            behind("@id(\"two\") permit(principal, action, resource) when {\n 9223372036854775808 == 1 };"),
            "cedar.syntax",
            5,
        ),
        (behind("@id(\"two\")\n@id(\"three\")\npermit(principal, action, resource);"), "cedar.syntax", 5),
        (behind("\n\nallow(principal, action, resource);"), "cedar.syntax", 6),
        (behind("\n;"), "cedar.syntax", 5),
    ];
    for (text, code, line) in cases {
        let fault = CedarEngine.load(text.as_bytes()).unwrap_err();
        assert_eq!((fault.code(), fault.line()), (code, Some(line)), "{fault}\n{text}");
        assert!(
            fault.to_string().contains(&format!("line {line}")) || code == "cedar.duplicate_id",
            "{fault}"
        );
        assert!(!fault.hint().is_empty());
    }
    let unended = behind("@id(\"two\")\npermit(principal, action, resource)");
    assert_eq!(CedarEngine.load(unended.as_bytes()).unwrap_err().code(), "cedar.syntax");
    let bytes = [SOUND.as_bytes(), b"\xff"].concat();
    let fault = CedarEngine.load(&bytes).unwrap_err();
    assert_eq!(fault, PolicyError::Encoding { offset: SOUND.len() });
}

#[test]
fn all_faults_are_listed_or_all_statements() {
    let text = "permit(principal, action, resource);\n@id(\"a\") @obligation(\"log\") @obligation_b(\"Ask\")\n\
                forbid(principal, action, resource);\n@id(\"a\") permit(principal, action, resource);";
    let faults = CedarEngine.statements(text.as_bytes()).unwrap_err();
    let listed: Vec<_> = faults.iter().map(|fault| (fault.code(), fault.line())).collect();
    assert_eq!(listed, [("cedar.no_id", Some(1)), ("cedar.duplicate_id", Some(4))]);
    assert_eq!(CedarEngine.load(text.as_bytes()).unwrap_err(), faults[0]);

    let text = text.replace("permit(principal, action, resource);\n@id", "@id").replace("; @id(\"a\")", "");
    let text = text.replacen("@id(\"a\") permit", "@id(\"b\") permit", 1);
    let statements = CedarEngine.statements(text.as_bytes()).unwrap();
    let listed: Vec<_> = statements.iter().map(|it| (it.id.as_str(), it.effect, it.line)).collect();
    assert_eq!(listed, [("a", DecisionResult::Deny, 1), ("b", DecisionResult::Allow, 3)]);
    assert_eq!(statements[0].obligations, ["log", "Ask"]);
    let hundred = "permit(principal, action, resource);".repeat(1000);
    assert_eq!(CedarEngine.statements(hundred.as_bytes()).unwrap_err().len(), 100);
}
