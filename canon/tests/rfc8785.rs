//! Canonical bytes against RFC 8785: its own samples and its table of doubles, and two
//! thousand literals judged by an ECMAScript engine (`data/es6_numbers.js`).
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use proofline_canon::{CanonError, Limits, Profile, Sha256Digest, canonicalize, check_canonical};

fn content(text: &str) -> Result<String, CanonError> {
    let bytes = canonicalize(text.as_bytes(), Profile::Content, &Limits::CONTENT)?;
    Ok(String::from_utf8(bytes).unwrap())
}

fn code(text: &str, profile: Profile) -> &'static str {
    canonicalize(text.as_bytes(), profile, &Limits::CONTENT).unwrap_err().code()
}

/// RFC 8785 Appendix B.
const DOUBLES: [(u64, &str); 24] = [
    (0x0000_0000_0000_0000, "0"),
    (0x8000_0000_0000_0000, "0"),
    (0x0000_0000_0000_0001, "5e-324"),
    (0x8000_0000_0000_0001, "-5e-324"),
    (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
    (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
    (0x4340_0000_0000_0000, "9007199254740992"),
    (0xc340_0000_0000_0000, "-9007199254740992"),
    (0x4430_0000_0000_0000, "295147905179352830000"),
    (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
    (0x44b5_2d02_c7e1_4af6, "1e+23"),
    (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
    (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
    (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
    (0x444b_1ae4_d6e2_ef50, "1e+21"),
    (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
    (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
    (0x41b3_de43_5555_5553, "333333333.3333332"),
    (0x41b3_de43_5555_5554, "333333333.33333325"),
    (0x41b3_de43_5555_5555, "333333333.3333333"),
    (0x41b3_de43_5555_5556, "333333333.3333334"),
    (0x41b3_de43_5555_5557, "333333333.33333343"),
    (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
    (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
];

#[test]
fn appendix_b_doubles() {
    for (bits, text) in DOUBLES {
        let double = f64::from_bits(bits);
        assert_eq!(content(&format!("{double:e}")).as_deref(), Ok(text), "{bits:016x}");
        // All digits the double has, up to 1074 of them: no rounding but the one.
        assert_eq!(content(&format!("{double:.1074}")).as_deref(), Ok(text), "{bits:016x}");
        assert_eq!(content(text).as_deref(), Ok(text), "{bits:016x} again");
    }
}

#[test]
fn appendix_b_no_numbers() {
    assert_eq!(code("1.7976931348623159e308", Profile::Content), "canon.number_overflow");
    assert_eq!(code("NaN", Profile::Content), "canon.unexpected_byte");
    assert_eq!(code("Infinity", Profile::Content), "canon.unexpected_byte");
}

#[test]
fn literals_as_an_ecmascript_engine_reads_them() {
    let table = include_str!("data/es6_numbers.tsv");
    assert!(table.lines().count() > 2000);
    for line in table.lines() {
        let columns: Vec<&str> = line.split('\t').collect();
        let [literal, text, same, plain] = columns[..] else { panic!("{line}") };
        let (same, plain) = (same == "true", plain == "true");
        if text == "overflow" {
            assert_eq!(code(literal, Profile::Content), "canon.number_overflow", "{line}");
            assert_eq!(code(literal, Profile::ContentExact), "canon.number_overflow", "{line}");
            continue;
        }
        let changes = if plain { "canon.integer_changes_value" } else { "canon.number_changes_value" };
        if plain && !same {
            assert_eq!(code(literal, Profile::Content), changes, "{line}");
        } else {
            assert_eq!(content(literal).as_deref(), Ok(text), "{line}");
        }
        let exact = canonicalize(literal.as_bytes(), Profile::ContentExact, &Limits::CONTENT);
        if !same {
            assert_eq!(exact.unwrap_err().code(), changes, "{line}");
        } else if text == "0" && literal.starts_with('-') {
            assert_eq!(exact.unwrap_err().code(), "canon.number_changes_value", "{line}");
        } else {
            assert_eq!(exact.unwrap(), text.as_bytes(), "{line}");
        }
    }
}

#[test]
fn section_3_2_2_sample() {
    let text = r#"{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    let expected = concat!(
        r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
        r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#
    );
    assert_eq!(content(text).as_deref(), Ok(expected));
}

#[test]
fn section_3_2_3_sample() {
    let text = r#"{
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\ud83d\ude00": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis"
    }"#;
    let expected = concat!(
        r#"{"\r":"Carriage Return","1":"One",""#,
        "\u{80}",
        r#"":"Control","ö":"Latin Small Letter O With Diaeresis","€":"Euro Sign","#,
        r#""😀":"Emoji: Grinning Face",""#,
        "\u{fb33}",
        r#"":"Hebrew Letter Dalet With Dagesh"}"#
    );
    assert_eq!(content(text).as_deref(), Ok(expected));
}

/// U+FFFF and U+E000 are smaller code points than U+10000, and larger UTF-16 code units than
/// its surrogates.
#[test]
fn names_sort_by_utf16_code_units() {
    let text = "{\"\u{ffff}\":1,\"\u{e000}\":2,\"\u{10000}\":3,\"\u{10ffff}\":4,\"\u{d7ff}\":5,\"\":6,\"a\u{10000}\":7,\"a\u{e000}\":8,\"a\":9}";
    let expected = "{\"\":6,\"a\":9,\"a\u{10000}\":7,\"a\u{e000}\":8,\"\u{d7ff}\":5,\"\u{10000}\":3,\"\u{10ffff}\":4,\"\u{e000}\":2,\"\u{ffff}\":1}";
    assert_eq!(content(text).as_deref(), Ok(expected));
}

#[test]
fn every_character_below_space_and_around() {
    let escapes = [
        "\\u0000", "\\u0001", "\\u0002", "\\u0003", "\\u0004", "\\u0005", "\\u0006", "\\u0007", "\\b", "\\t",
        "\\n", "\\u000b", "\\f", "\\r", "\\u000e", "\\u000f", "\\u0010", "\\u0011", "\\u0012", "\\u0013",
        "\\u0014", "\\u0015", "\\u0016", "\\u0017", "\\u0018", "\\u0019", "\\u001a", "\\u001b", "\\u001c",
        "\\u001d", "\\u001e", "\\u001f",
    ];
    for (unit, escape) in escapes.iter().enumerate() {
        assert_eq!(content(&format!("\"\\u{unit:04X}\"")), Ok(format!("\"{escape}\"")));
    }
    assert_eq!(content(r#"["\u0020","\u007F","\u0080","\u2028","\u2029","\uFEFF","\/"]"#).unwrap(), {
        "[\" \",\"\u{7f}\",\"\u{80}\",\"\u{2028}\",\"\u{2029}\",\"\u{feff}\",\"/\"]"
    });
}

#[test]
fn text_is_not_normalised() {
    assert_eq!(content(r#"["A\u030a","\u00c5"]"#).as_deref(), Ok("[\"A\u{30a}\",\"\u{c5}\"]"));
}

#[test]
fn nested_objects_are_sorted_at_each_level() {
    let text = r#"{"1":{"f":{"f":"hi","F":5},"\n":56.0},"10":{},"":"empty","a":{},"111":[{"e":"yes","E":"no"}],"A":{}}"#;
    let expected = r#"{"":"empty","1":{"\n":56,"f":{"F":5,"f":"hi"}},"10":{},"111":[{"E":"no","e":"yes"}],"A":{},"a":{}}"#;
    assert_eq!(content(text).as_deref(), Ok(expected));
}

#[test]
fn fixed_points_of_the_contract() {
    let envelope = |text: &str| canonicalize(text.as_bytes(), Profile::Envelope, &Limits::ENVELOPE).unwrap();
    assert_eq!(envelope(r#"{"b":2,"a":1}"#), br#"{"a":1,"b":2}"#);
    let bytes = envelope(r#"{"c":true,"b":"hello","a":1}"#);
    assert_eq!(
        Sha256Digest::of(&bytes).to_string(),
        "a21f08b57e7301be5ff081e26710117f5214dcc7ab04a5435249ac7a981bf26b"
    );
}

#[test]
fn envelope_admits_plain_exact_integers_only() {
    let judged = |text: &str| {
        canonicalize(text.as_bytes(), Profile::Envelope, &Limits::ENVELOPE)
            .map(|bytes| String::from_utf8(bytes).unwrap())
            .map_err(|error| error.code())
    };
    for good in ["0", "1", "-1", "9007199254740991", "-9007199254740991"] {
        assert_eq!(judged(good).as_deref(), Ok(good));
    }
    for far in [
        "9007199254740992",
        "-9007199254740992",
        "9223372036854775808",
        "-9223372036854775809",
        "18446744073709551616",
        "100000000000000000000000000000000000000000000000000000000000000000000000000000",
    ] {
        assert_eq!(judged(far), Err("canon.integer_out_of_range"), "{far}");
    }
    for other in ["-0", "0.0", "1.0", "1e0", "1E2", "1e400", "0.5", "-0.0", "1e-400"] {
        assert_eq!(judged(other), Err("canon.not_an_integer"), "{other}");
    }
}

#[test]
fn a_refused_number_is_named_by_its_place() {
    let error =
        canonicalize(br#"{"z":0.5,"a/b":[1,{"~":1.5}]}"#, Profile::Envelope, &Limits::ENVELOPE).unwrap_err();
    // The first one in canonical order, not in text order.
    assert_eq!(
        error.to_string(),
        "not an integer at \"/a~1b/1/~0\": write plain digits, without fraction, exponent or negative zero"
    );
}

#[test]
fn check_canonical_names_the_first_difference() {
    let cases: [(&str, Option<usize>); 8] = [
        (r#"{"a":1,"b":2}"#, None),
        (r#"{"b":2,"a":1}"#, Some(2)),
        (r#"{"a":1, "b":2}"#, Some(7)),
        ("[1]\n", Some(3)),
        (" [1]", Some(0)),
        (r#""\u0041""#, Some(1)),
        (r#""\u000F""#, Some(6)),
        (r#""\/""#, Some(1)),
    ];
    for (text, offset) in cases {
        let expected = offset.map_or(Ok(()), |offset| Err(CanonError::NotCanonical { offset }));
        assert_eq!(
            check_canonical(text.as_bytes(), Profile::Envelope, &Limits::ENVELOPE),
            expected,
            "{text}"
        );
    }
    let number = |text: &str| check_canonical(text.as_bytes(), Profile::Content, &Limits::CONTENT);
    assert_eq!(number("1e+21"), Ok(()));
    assert_eq!(number("1e21"), Err(CanonError::NotCanonical { offset: 2 }));
    assert_eq!(number("1.0"), Err(CanonError::NotCanonical { offset: 1 }));
    assert_eq!(number("-0"), Err(CanonError::NotCanonical { offset: 0 }));
}
