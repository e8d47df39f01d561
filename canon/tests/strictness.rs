//! What the parser refuses, with kind and place, and what it accepts beside it. Offsets were
//! counted by hand.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use proofline_canon::ParseErrorKind::{self, *};
use proofline_canon::{Limits, Value, members, parse};

fn fault(bytes: &[u8]) -> (ParseErrorKind, usize) {
    match parse(bytes, &Limits::ENVELOPE) {
        Err(error) => (error.kind, error.offset),
        Ok(value) => panic!("{:?} was read as {value:?}", String::from_utf8_lossy(bytes)),
    }
}

/// Each text, its fault, and where it is.
fn refused(cases: &[(&[u8], ParseErrorKind, usize)]) {
    for (bytes, kind, offset) in cases {
        assert_eq!(fault(bytes), (kind.clone(), *offset), "{:?}", String::from_utf8_lossy(bytes));
    }
}

/// Each text, the character that cannot stand there, and where it is.
fn unexpected(cases: &[(&str, char, usize)]) {
    for (text, character, offset) in cases {
        match fault(text.as_bytes()) {
            (UnexpectedByte { found, .. }, at) => assert_eq!((found, at), (*character, *offset), "{text}"),
            other => panic!("{text}: {other:?}"),
        }
    }
}

fn repeated(name: &str) -> ParseErrorKind {
    DuplicateMember { name: name.to_owned() }
}

#[test]
fn texts_that_end_too_early() {
    let cases = [
        "",
        " ",
        "\r\n\t ",
        "[",
        "[ ",
        "[1",
        "[1,",
        "{",
        "{ ",
        "{\"a",
        "{\"a\"",
        "{\"a\" ",
        "{\"a\":",
        "{\"a\":1",
        "{\"a\":1,",
        "\"",
        "\"abc",
        "\"\\",
        "\"\\u",
        "\"\\u00",
        "\"\\ud800",
        "\"\\ud800\\",
        "\"\\ud800\\u",
        "\"\\ud800\\ud",
        "\"\\ud800\\udc0",
        "-",
        "1.",
        "1e",
        "1e+",
        "1E-",
        "t",
        "tru",
        "fals",
        "nul",
        "[[[]",
        "{\"a\":{\"b\":[]}",
    ];
    for text in cases {
        assert_eq!(fault(text.as_bytes()), (UnexpectedEnd, text.len()), "{text:?}");
    }
}

#[test]
fn characters_that_cannot_stand_there() {
    unexpected(&[
        ("]", ']', 0),
        ("[,1]", ',', 1),
        ("[1,,2]", ',', 3),
        ("[1,]", ']', 3),
        ("[1 2]", '2', 3),
        ("[1}", '}', 2),
        ("[1:2]", ':', 2),
        ("{]", ']', 1),
        ("{,}", ',', 1),
        ("{a:1}", 'a', 1),
        ("{'a':1}", '\'', 1),
        ("{1:1}", '1', 1),
        ("{null:1}", 'n', 1),
        ("{\"a\"}", '}', 4),
        ("{\"a\" 1}", '1', 5),
        ("{\"a\"::1}", ':', 5),
        ("{\"a\":}", '}', 5),
        ("{\"a\":1,}", '}', 7),
        ("{\"a\":1;\"b\":2}", ';', 6),
        ("{\"a\":1 \"b\":2}", '"', 7),
        ("+1", '+', 0),
        (".5", '.', 0),
        ("NaN", 'N', 0),
        ("Infinity", 'I', 0),
        ("True", 'T', 0),
        ("[0x10]", 'x', 2),
        ("[truex]", 'x', 5),
        ("[1.5.2]", '.', 4),
        ("// note\n1", '/', 0),
        ("[1/*2*/]", '/', 2),
        ("\u{a0}1", '\u{a0}', 0),
        ("[\u{3000}]", '\u{3000}', 1),
        ("[1,\u{c}2]", '\u{c}', 3),
        ("[1,\u{b}2]", '\u{b}', 3),
        ("\0", '\0', 0),
        (" \u{feff}1", '\u{feff}', 1),
        ("[\u{1f600}]", '\u{1f600}', 1),
    ]);
}

#[test]
fn words_and_numbers() {
    refused(&[
        (b"[nulL]", BadLiteral, 1),
        (b"tRUE", BadLiteral, 0),
        (b"[1,falze]", BadLiteral, 3),
        (b"nan", BadLiteral, 0),
        (b"01", BadNumber, 1),
        (b"-01", BadNumber, 2),
        (b"[00]", BadNumber, 2),
        (b"-x", BadNumber, 1),
        (b"[-]", BadNumber, 2),
        (b"--1", BadNumber, 1),
        (b"-.5", BadNumber, 1),
        (b"[1.]", BadNumber, 3),
        (b"1.e5", BadNumber, 2),
        (b"[1e]", BadNumber, 3),
        (b"1e+ ", BadNumber, 3),
        (b"1e+-1", BadNumber, 3),
        (b"1e5.5", TrailingData, 3),
        (b"-Infinity", BadNumber, 1),
    ]);
}

#[test]
fn strings() {
    refused(&[
        (b"\"a\nb\"", ControlCharacter, 2),
        (b"\"\0\"", ControlCharacter, 1),
        (b"\"abc\x1f\"", ControlCharacter, 4),
        (b"{\"a\tb\":1}", ControlCharacter, 3),
        (br#""\x41""#, BadEscape, 1),
        (br#""ab\'""#, BadEscape, 3),
        (b"\"\\\n\"", BadEscape, 1),
        (br#""\U0041""#, BadEscape, 1),
        (br#""\u041""#, BadEscape, 1),
        (br#""\u+041""#, BadEscape, 1),
        (br#""\u00g0""#, BadEscape, 1),
        (br#""\ud83d\ude0x""#, BadEscape, 7),
        (br#""\ud800""#, LoneSurrogate, 1),
        (br#""\udc00""#, LoneSurrogate, 1),
        (br#""\uDFFF\uD800""#, LoneSurrogate, 1),
        (br#""\ud83d\ud83d\ude00""#, LoneSurrogate, 1),
        (br#""ab\ud83dx""#, LoneSurrogate, 3),
        (br#""\ud83d\n""#, LoneSurrogate, 1),
        (br#""\ud83d\u0041""#, LoneSurrogate, 1),
        (br#"{"\udbff":1}"#, LoneSurrogate, 2),
        (b"\"\\ud83d\n\"", LoneSurrogate, 1),
    ]);
}

#[test]
fn bytes_that_are_not_utf8() {
    refused(&[
        (b"\xef\xbb\xbf{}", Bom, 0),
        (b"\xef\xbb\xbf", Bom, 0),
        (b"\xff\xfe{\0}\0", InvalidUtf8, 0),
        (b"\"a\x80\"", InvalidUtf8, 2),
        (b"\"\xc0\xaf\"", InvalidUtf8, 1),
        (b"\"\xed\xa0\x80\"", InvalidUtf8, 1),
        (b"\"\xed\xa0\xbd\xed\xb8\x80\"", InvalidUtf8, 1),
        (b"\"\xf4\x90\x80\x80\"", InvalidUtf8, 1),
        (b"\"\xe2\x82", InvalidUtf8, 1),
        (b"\"\xe2\x82\"", InvalidUtf8, 1),
        (b"[1,\xff]", InvalidUtf8, 3),
        (b"1\xff", InvalidUtf8, 1),
        (b"1 \xff", InvalidUtf8, 2),
        (b"tru\xff", InvalidUtf8, 3),
        (b"-\xff", InvalidUtf8, 1),
        (b"1.\xff", InvalidUtf8, 2),
        (b"\"\\\xff\"", InvalidUtf8, 2),
        (b"\"\\u00\xff\"", InvalidUtf8, 5),
        (b"\"\\ud800\xff\"", InvalidUtf8, 7),
        (b"{\xff", InvalidUtf8, 1),
        (b"{\"a\"\xff", InvalidUtf8, 4),
    ]);
}

#[test]
fn repeated_names() {
    refused(&[
        (br#"{"a":1,"a":1}"#, repeated("a"), 7),
        (br#"{"":1,"":2}"#, repeated(""), 6),
        (br#"{"a":1,"\u0061":2}"#, repeated("a"), 7),
        (br#"{"\u0061":1,"a":2}"#, repeated("a"), 12),
        (br#"{"\/":1,"/":2}"#, repeated("/"), 8),
        ("{\"\u{1f600}\":1,\"\\ud83d\\ude00\":2}".as_bytes(), repeated("\u{1f600}"), 10),
        (br#"{"a":1,"b":{"c":[]},"d":2,"a":3}"#, repeated("a"), 26),
        (br#"[{"a":[{"x":1,"x":2}]}]"#, repeated("x"), 14),
        (br#"{"b":1,"a":2,"b":3}"#, repeated("b"), 13),
        (br#"{"c":1,"b":2,"a":3,"b":4}"#, repeated("b"), 19),
    ]);
    for fine in [
        r#"{"a":{"a":1},"b":{"a":1}}"#,
        r#"[{"a":1},{"a":1}]"#,
        "{\"\u{c5}\":1,\"A\u{30a}\":2}",
        r#"{"a":1,"A":2}"#,
    ] {
        assert!(parse(fine.as_bytes(), &Limits::ENVELOPE).is_ok(), "{fine}");
    }
}

/// Small objects are searched, large ones hashed, rising names neither: the place of the
/// repetition must not matter.
#[test]
fn repeated_names_in_objects_of_every_size() {
    for size in [1_usize, 2, 31, 32, 33, 34, 35, 64, 200] {
        for step in [1, 7] {
            // 7 and 211 have no common factor, so the names differ, in order or out of it.
            let names: Vec<String> = (0..size).map(|i| format!("n{:03}", i * step % 211)).collect();
            let head: Vec<String> = names.iter().map(|name| format!("\"{name}\":0")).collect();
            let whole = format!("{{{}}}", head.join(","));
            assert_eq!(parse(whole.as_bytes(), &Limits::ENVELOPE).unwrap().as_object().unwrap().len(), size);
            for name in &names {
                let text = format!("{{{},\"{name}\":1,\"x\":]", head.join(","));
                assert_eq!(fault(text.as_bytes()), (repeated(name), whole.len()), "{size} {step} {name}");
            }
        }
    }
}

#[test]
fn what_follows_the_value() {
    refused(&[
        (b"{} {}", TrailingData, 3),
        (b"1 2", TrailingData, 2),
        (b"[]]", TrailingData, 2),
        (b"{}\0", TrailingData, 2),
        (b"\"\",", TrailingData, 2),
        (b"nullnull", TrailingData, 4),
        ("1\u{a0}".as_bytes(), TrailingData, 1),
    ]);
    assert_eq!(parse(b" \t\r\n1\n ", &Limits::ENVELOPE).unwrap(), Value::from(1_u64));
}

#[test]
fn the_first_fault_in_the_text_is_the_one() {
    let deep = "[".repeat(65);
    let duplicate_then_deep = format!("{{\"a\":1,\"a\":{deep}");
    let deep_then_duplicate = format!("{{\"a\":{deep},\"a\":1}}");
    refused(&[
        (br#"{"a":1,"a":2,]"#, repeated("a"), 7),
        (br#"{"a":1,"a":2} x"#, repeated("a"), 7),
        (br#"{"a":1,"a""#, repeated("a"), 7),
        (br#"{"a":1,"a" !"#, repeated("a"), 7),
        (br#"{"a":"\ud800","a":1}"#, LoneSurrogate, 6),
        (b"{\"a\":1,\"a\":\"\xff\"}", repeated("a"), 7),
        (b"{\"a\":\"\xff\",\"a\":1}", InvalidUtf8, 6),
        (br#"{"a":1,"b":{"c":1,"c":2},"a":3}"#, repeated("c"), 18),
        (b"\"\t\\x\"", ControlCharacter, 1),
        (b"[\"\\x\", \"\xff\"]", BadEscape, 2),
        (duplicate_then_deep.as_bytes(), repeated("a"), 7),
        (deep_then_duplicate.as_bytes(), TooDeep { max_depth: 64 }, 5 + 63),
    ]);
}

#[test]
fn depth() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let objects = |levels: usize| format!("{}0{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    for text in [nested(64), objects(64)] {
        assert!(parse(text.as_bytes(), &Limits::ENVELOPE).is_ok());
    }
    assert_eq!(fault(nested(65).as_bytes()), (TooDeep { max_depth: 64 }, 64));
    assert_eq!(fault(objects(65).as_bytes()), (TooDeep { max_depth: 64 }, 5 * 64));
    // Depth is what is open at once, not how much there was.
    assert!(parse(format!("[{}1]", "[[]],".repeat(1000)).as_bytes(), &Limits::ENVELOPE).is_ok());
    let scalars = Limits::ENVELOPE.with_max_depth(0);
    assert!(parse(b"1", &scalars).is_ok());
    assert_eq!(parse(b"[]", &scalars).unwrap_err().kind, TooDeep { max_depth: 0 });
}

#[test]
fn size_is_judged_before_anything_else() {
    let limits = Limits::ENVELOPE.with_max_bytes(4);
    assert!(parse(b"1234", &limits).is_ok());
    for text in [b"12345".as_slice(), b"\xff\xff\xff\xff\xff", b"\xef\xbb\xbf  "] {
        let error = parse(text, &limits).unwrap_err();
        assert_eq!((error.kind, error.offset), (TooLarge { max_bytes: 4 }, 4));
        assert_eq!(members(text, &limits).unwrap_err().code(), "canon.too_large");
    }
    let largest = format!("\"{}\"", "a".repeat((1 << 20) - 2));
    assert!(parse(largest.as_bytes(), &Limits::ENVELOPE).is_ok());
    assert_eq!(fault(format!("{largest} ").as_bytes()), (TooLarge { max_bytes: 1 << 20 }, 1 << 20));
}

#[test]
fn what_is_accepted_is_decoded() {
    let text =
        br#"{"\u0061\n":["\ud83d\ude00\uD83D\uDE00","\"\\\/\b\f\n\r\t",-0,1.50,1E+2,true,false,null,{},[]]}"#;
    let value = parse(text, &Limits::ENVELOPE).unwrap();
    let items = value.get("a\n").unwrap().as_array().unwrap();
    assert_eq!(items[0].as_str(), Some("\u{1f600}\u{1f600}"));
    assert_eq!(items[1].as_str(), Some("\"\\/\u{8}\u{c}\n\r\t"));
    let literals: Vec<&str> =
        items.iter().filter_map(Value::as_number).map(|number| number.literal()).collect();
    assert_eq!(literals, ["-0", "1.50", "1E+2"]);
    assert_eq!(items[5..8], [Value::Bool(true), Value::Bool(false), Value::Null]);
    assert!(items[8].as_object().unwrap().is_empty() && items[9].as_array().unwrap().is_empty());
}

/// Codes are stable: a change here breaks whoever matches on them.
#[test]
fn codes_and_sentences() {
    let cases: [(&[u8], &str, &str); 13] = [
        (
            b"\xef\xbb\xbf",
            "canon.bom",
            "byte order mark at byte 0: save the text as UTF-8 without a byte order mark",
        ),
        (b"\xff", "canon.invalid_utf8", "invalid UTF-8 at byte 0: encode the text as UTF-8"),
        (b"[", "canon.unexpected_end", "unexpected end at byte 1: check whether the text was cut off"),
        (
            b"[,",
            "canon.unexpected_byte",
            "unexpected ',' instead of a value at byte 1: correct the text there",
        ),
        (b"nil", "canon.bad_literal", "unknown word at byte 0: only true, false and null are words of JSON"),
        (
            b"01",
            "canon.bad_number",
            "malformed number at byte 1: write digits without leading zeros, and at least one after `.` and `e`",
        ),
        (
            br#""\x""#,
            "canon.bad_escape",
            r#"unknown escape at byte 1: use one of \" \\ \/ \b \f \n \r \t or \u and four hex digits"#,
        ),
        (
            br#""\ud800""#,
            "canon.lone_surrogate",
            "half of a surrogate pair at byte 1: write the whole surrogate pair, or the character itself",
        ),
        (
            b"\"\n\"",
            "canon.control_character",
            "raw control character in a string at byte 1: escape it as \\u and four hex digits",
        ),
        (
            br#"{"\u001b":1,"\u001b":2}"#,
            "canon.duplicate_member",
            "repeated member name \"\\u{1b}\" at byte 12: keep one of the two",
        ),
        (
            &[b'['; 65],
            "canon.too_deep",
            "nesting deeper than the 64 levels allowed at byte 64: nest less, or raise the depth limit",
        ),
        (b"1 1", "canon.trailing_data", "trailing data at byte 2: give one value at a time"),
        (
            &[b' '; (1 << 20) + 1],
            "canon.too_large",
            "more than the 1048576 bytes allowed at byte 1048576: send less, or raise the size limit",
        ),
    ];
    for (bytes, code, sentence) in cases {
        let error = parse(bytes, &Limits::ENVELOPE).unwrap_err();
        assert_eq!((error.code(), error.to_string().as_str()), (code, sentence));
        assert!(sentence.ends_with(error.hint()));
    }
    let long = "n".repeat(5000);
    let error = parse(format!("{{\"{long}\":1,\"{long}\":2}}").as_bytes(), &Limits::ENVELOPE).unwrap_err();
    assert!(error.to_string().len() < 150 && error.to_string().contains("(5000 bytes)"), "{error}");
}
