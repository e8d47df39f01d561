//! Raw outermost members: what a wrapper's walk judges, what it leaves alone, and where the
//! values stand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use proofline_canon::ParseErrorKind::{self, *};
use proofline_canon::{Limits, RawMembers, members, parse};

fn raw(bytes: &[u8]) -> Vec<(String, Vec<u8>)> {
    match members(bytes, &Limits::ENVELOPE) {
        Ok(RawMembers::Object(list)) => {
            list.into_iter().map(|member| (member.name, bytes[member.value].to_vec())).collect()
        }
        other => panic!("{:?}: {other:?}", String::from_utf8_lossy(bytes)),
    }
}

fn one(value: &[u8]) {
    let text = [b"{\"envelope\" : ", value, b" , \"n\":1}"].concat();
    let expected = [("envelope".to_owned(), value.to_vec()), ("n".to_owned(), b"1".to_vec())];
    assert_eq!(raw(&text), expected);
    let range = members(&text, &Limits::ENVELOPE).unwrap().get("envelope").unwrap();
    assert_eq!(range, 14..14 + value.len());
}

#[test]
fn values_are_found_whole_and_unjudged() {
    let values: [&[u8]; 23] = [
        b"{}",
        b"[]",
        b"null",
        b"-1.5e3",
        br#""a""#,
        br#""\"}]""#,
        br#""\\""#,
        br#"{"a":1,"a":2}"#,
        br#"{"a":1,"\u0061":2}"#,
        br#"[1,,2]"#,
        br#"{"]":"}"}"#,
        br#"{"x":"\\","y":"{"}"#,
        b"[\"]\",{\"}\":[[]]}]",
        b"{ not json at all }",
        b"[\xff\xfe]",
        b"{\"a\":\"\xff\"}",
        b"\"\xff\"",
        b"\"\xed\xa0\x80\"",
        br#""\ud800""#,
        b"\"a\nb\"",
        b"01",
        b"nulL",
        b"@\xff",
    ];
    for value in values {
        one(value);
    }
}

#[test]
fn what_a_wrapper_holds_has_its_own_fault_and_place() {
    let line = br#"{"record_type":"x","envelope":{"a":1,"b":{"a":1},"a":2}}"#;
    let found = members(line, &Limits::ENVELOPE).unwrap();
    let envelope = &line[found.get("envelope").unwrap()];
    let error = parse(envelope, &Limits::ENVELOPE).unwrap_err();
    assert_eq!((error.kind, error.offset), (DuplicateMember { name: "a".to_owned() }, 19));
    assert_eq!(found.get("missing"), None);
}

#[test]
fn names_are_decoded_and_in_text_order() {
    let text = br#" { "b" : 1 , "\u0061" : [ 2 ] , "" : {} } "#;
    let expected = [("b", "1"), ("a", "[ 2 ]"), ("", "{}")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    assert_eq!(raw(text), expected);
    assert_eq!(raw(b"{}"), []);
}

#[test]
fn other_values_are_not_objects() {
    let texts: [&[u8]; 9] =
        [b"[]", b" [1,{\"a\":1}] ", b"1", b"\"{}\"", b"null", b"[\xff]", b"\"\xff\"", b"tru", b"\xff"];
    for text in texts {
        let found = members(text, &Limits::ENVELOPE);
        assert_eq!(found, Ok(RawMembers::NotAnObject), "{}", String::from_utf8_lossy(text));
        assert_eq!(found.unwrap().get(""), None);
    }
}

fn fault(bytes: &[u8]) -> (ParseErrorKind, usize) {
    let error = members(bytes, &Limits::ENVELOPE).unwrap_err();
    (error.kind, error.offset)
}

#[test]
fn the_wrapper_itself_is_judged_strictly() {
    let repeated = |name: &str| DuplicateMember { name: name.to_owned() };
    let cases: [(&[u8], ParseErrorKind, usize); 32] = [
        (b"", UnexpectedEnd, 0),
        (b"  ", UnexpectedEnd, 2),
        (b"{", UnexpectedEnd, 1),
        (b"{\"a", UnexpectedEnd, 3),
        (b"{\"a\\", UnexpectedEnd, 4),
        (b"{\"a\"", UnexpectedEnd, 4),
        (b"{\"a\":", UnexpectedEnd, 5),
        (b"{\"a\":1", UnexpectedEnd, 6),
        (b"{\"a\":1,", UnexpectedEnd, 7),
        (b"{\"a\":\"x", UnexpectedEnd, 7),
        (b"{\"a\":\"x\\", UnexpectedEnd, 8),
        (b"{\"a\":\"x\\\"", UnexpectedEnd, 9),
        (b"{\"a\":{\"b\":[]", UnexpectedEnd, 12),
        (b"{\"a\":[\"]\"", UnexpectedEnd, 9),
        (b"[", UnexpectedEnd, 1),
        (b"\xef\xbb\xbf{}", Bom, 0),
        (b"{} {}", TrailingData, 3),
        (b"{}\xff", TrailingData, 2),
        (b"[]]", TrailingData, 2),
        (br#"{"a":1,"a":2}"#, repeated("a"), 7),
        (br#"{"a":[1,1],"b":2,"\u0061":"#, repeated("a"), 17),
        (br#"{"b":1,"a":{},"b":"#, repeated("b"), 14),
        (b"{\"\xff\":1}", InvalidUtf8, 2),
        (b"{\"ab\xe2\x82\":1}", InvalidUtf8, 4),
        (b"{\"a\xff", InvalidUtf8, 3),
        (b"{\xff", InvalidUtf8, 1),
        (b"{\"a\"\xff", InvalidUtf8, 4),
        (b"{\"a\":\"\" \xff", InvalidUtf8, 8),
        (br#"{"\ud800":1}"#, LoneSurrogate, 2),
        (br#"{"a\x":1}"#, BadEscape, 3),
        (b"{\"a\tb\":1}", ControlCharacter, 3),
        // A duplicate before anything that only comes later in the text.
        (b"{\"a\":1,\"a\":\"\xff", repeated("a"), 7),
    ];
    for (bytes, kind, offset) in cases {
        assert_eq!(fault(bytes), (kind, offset), "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn characters_that_cannot_stand_there() {
    let cases: [(&str, char, usize); 16] = [
        // A comment hides no bracket.
        ("{\"a\":[/*]*/}", '*', 9),
        ("}", '}', 0),
        (",", ',', 0),
        ("{a:1}", 'a', 1),
        ("{,}", ',', 1),
        ("{\"a\" 1}", '1', 5),
        ("{\"a\":}", '}', 5),
        ("{\"a\":,\"b\":1}", ',', 5),
        ("{\"a\":1,}", '}', 7),
        ("{\"a\":1 2}", '2', 7),
        ("{\"a\":1:2}", ':', 6),
        ("{\"a\":1]", ']', 6),
        ("{\"a\":[}]}", '}', 6),
        ("{\"a\":{[}]}", '}', 7),
        ("{\"a\":[{]}]}", ']', 7),
        ("{\"a\":1 \u{20ac}", '\u{20ac}', 7),
    ];
    for (text, character, offset) in cases {
        match fault(text.as_bytes()) {
            (UnexpectedByte { found, .. }, at) => assert_eq!((found, at), (character, offset), "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

/// Where the strict parser accepts a text, the walk finds the same names and values in it.
#[test]
fn agrees_with_the_parser() {
    let text = r#"{"b":[1,"\"]",{}],"a":"\\","c":-1.5e-3,"d":{"x":{"y":[]}},"e":true}"#.as_bytes();
    let value = parse(text, &Limits::ENVELOPE).unwrap();
    let found = raw(text);
    assert_eq!(found.len(), value.as_object().unwrap().len());
    for (name, bytes) in found {
        assert_eq!(Some(&parse(&bytes, &Limits::ENVELOPE).unwrap()), value.get(&name));
    }
}
