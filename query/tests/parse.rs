//! Texts and their trees, and what is said of texts that are none.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use proofline_query::{Filter, MAX_DEPTH, MAX_FILTER_BYTES, MAX_TERMS};

fn read(text: &str) -> Filter {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// The code, the place and the sentence of what is wrong.
fn wrong(text: &str) -> (&'static str, String, String) {
    let error = text.parse::<Filter>().unwrap_err();
    (error.code(), text[error.at.clone()].to_owned(), error.to_string())
}

#[test]
fn brackets_follow_from_how_strongly_words_hold() {
    let cases = [
        ("", "all"),
        ("  all ", "all"),
        ("seq=1", "seq = 1"),
        ("kind = accepted or seq < 3 and not seq > 1", r#"kind = "accepted" or seq < 3 and not seq > 1"#),
        ("(seq = 1 or seq = 2) and seq = 3", "(seq = 1 or seq = 2) and seq = 3"),
        ("seq = 1 and (seq = 2 and seq = 3)", "seq = 1 and (seq = 2 and seq = 3)"),
        ("seq = 1 and seq = 2 and seq = 3", "seq = 1 and seq = 2 and seq = 3"),
        ("not (seq = 1 or not not seq = 2)", "not (seq = 1 or not not seq = 2)"),
        ("trace.any(classification != ACCEPT)", r#"trace.any(classification != "ACCEPT")"#),
        ("recorded_at >= 2026-01-31T00:00:00Z", "recorded_at_ms >= 1769817600000"),
        ("time < \"2026-01-31T01:00:00.000Z\"", "time_ms < 1769821200000"),
        ("tool.tool_name in (a,\"b c\")", "tool.tool_name in (\"a\", \"b c\")"),
        ("tool.tool_name in ()", "tool.tool_name in ()"),
        (
            "body.a.0 = 5 or body.a = \"5\" or body.b = true",
            "body.a.0 = 5 or body.a = \"5\" or body.b = true",
        ),
        ("outcome.status = 200", "outcome.status = \"200\""),
        ("trace ~ a3d5", "trace_id ~ \"a3d5\""),
        ("decision.reason_codes ~ \"over.limit\"", "decision.reason_codes ~ \"over.limit\""),
        ("auth.grants.tickets:read exists", "auth.grants.tickets:read exists"),
        ("credential.issuer = \"say \\\"\\u00e9\\\"\"", "credential.issuer = \"say \\\"é\\\"\""),
    ];
    for (text, printed) in cases {
        assert_eq!(read(text).to_string(), printed, "{text}");
        assert_eq!(read(printed), read(text), "{printed}");
    }
}

#[test]
fn faults_are_named_with_their_place() {
    let cases = [
        ("seq", "query.syntax", ""),
        ("seq = ", "query.syntax", ""),
        ("seq 1", "query.syntax", "1"),
        ("= 1", "query.syntax", "="),
        ("seq = 1 seq = 2", "query.syntax", "seq"),
        ("(seq = 1", "query.syntax", ""),
        ("seq = 1)", "query.syntax", ")"),
        ("kind in accepted", "query.syntax", "accepted"),
        ("kind in (accepted rejected)", "query.syntax", "rejected"),
        ("kind in (accepted,)", "query.syntax", ")"),
        ("kind = \"acc", "query.text", "\"acc"),
        ("kind = \"\\q\"", "query.text", "\"\\q\""),
        ("kind = 'accepted'", "query.character", "'"),
        ("tool.tool_nme = x", "query.unknown_field", "tool.tool_nme"),
        ("auth.tool.tool_name = x", "query.unknown_field", "auth.tool.tool_name"),
        ("seq ~ 1", "query.comparison", "~"),
        ("kind < accepted", "query.comparison", "<"),
        ("grants = x", "query.comparison", "="),
        ("grants in (x)", "query.comparison", "in"),
        ("kind = acepted", "query.value", "acepted"),
        ("seq = \"1\"", "query.value", "\"1\""),
        ("seq = 99999999999999999999", "query.value", "99999999999999999999"),
        ("time > yesterday", "query.value", "yesterday"),
        ("hash = abc", "query.value", "abc"),
        ("grants.x = yes", "query.value", "yes"),
        ("trace.any(trace.any(seq = 1))", "query.nested", "trace.any"),
    ];
    for (text, code, place) in cases {
        let (found, at, _) = wrong(text);
        assert_eq!((found, &*at), (code, place), "{text}");
    }
    assert_eq!(wrong("tool.tool_nme = x").2, "there is no field tool.tool_nme; is tool.tool_name meant?");
    assert!(wrong("kind = acepted").2.ends_with("never acepted; is accepted meant?"));
}

#[test]
fn places_are_drawn() {
    let drawn = |text: &str| text.parse::<Filter>().unwrap_err().drawn();
    assert_eq!(drawn("seq = 1 and kimd = x"), ["seq = 1 and kimd = x", "            ^^^^"]);
    assert_eq!(drawn("seq = 1\n  and é"), ["  and é", "      ^"]);
    assert_eq!(drawn("seq ="), ["seq =", "     ^"]);
    assert_eq!(drawn("\u{202e} = 1")[0], "? = 1");
    assert_eq!("seq = 1 and kimd = x".parse::<Filter>().unwrap_err().column(), 13);
    let [line, caret] = drawn(&format!("{}kimd = x", "seq = 1 and ".repeat(20)));
    assert_eq!(&line[caret.find('^').unwrap()..][..4], "kimd");
}

#[test]
fn what_a_filter_may_cost_is_bounded() {
    let code = |text: &str| text.parse::<Filter>().unwrap_err().code();
    assert_eq!(code(&" ".repeat(MAX_FILTER_BYTES + 1)), "query.too_long");
    assert_eq!(code(&"not ".repeat(MAX_DEPTH)), "query.too_deep");
    assert_eq!(code(&"(".repeat(60_000)), "query.too_deep");
    assert!(format!("{}seq = 1", "not ".repeat(MAX_DEPTH - 1)).parse::<Filter>().is_ok());
    let chain = |terms: usize| vec!["seq = 1"; terms].join(" or ");
    assert_eq!(code(&chain(MAX_TERMS + 1)), "query.too_many_terms");
    assert_eq!(read(&chain(MAX_TERMS)).to_string(), chain(MAX_TERMS));
    assert_eq!(code(&format!("seq in ({})", vec!["1"; MAX_TERMS + 1].join(","))), "query.too_many_terms");
}
