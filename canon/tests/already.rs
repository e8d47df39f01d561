//! The walk that says "already canonical" against its slow twin, which parses, writes and compares: they agree on
//! every text, in every profile. Faults are named by the twin alone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use proofline_canon::{CanonError, Limits, Profile, canonicalize, check_canonical, parse};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const PROFILES: [Profile; 3] = [Profile::Envelope, Profile::Content, Profile::ContentExact];

fn cases() -> ProptestConfig {
    let cases = match std::env::var("PROOFLINE_EFFORT").as_deref() {
        Ok("full") => 1_000_000,
        Err(_) | Ok("ci") => 4_000,
        Ok(other) => panic!("PROOFLINE_EFFORT is ci or full, not {other}"),
    };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn slowly(bytes: &[u8], profile: Profile, limits: &Limits) -> Result<Vec<u8>, CanonError> {
    Ok(parse(bytes, limits)?.to_canonical(profile)?)
}

/// Whether the bytes are canonical, when both ways say the same of them.
fn agreed(bytes: &[u8], profile: Profile, limits: &Limits) -> bool {
    let shown = String::from_utf8_lossy(bytes);
    let slow = slowly(bytes, profile, limits);
    assert_eq!(canonicalize(bytes, profile, limits), slow, "{shown}");
    let expected = match &slow {
        Ok(canonical) if canonical == bytes => Ok(()),
        Ok(canonical) => {
            let offset = canonical.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            Err(CanonError::NotCanonical { offset })
        }
        Err(error) => Err(error.clone()),
    };
    assert_eq!(check_canonical(bytes, profile, limits), expected, "{profile:?} {shown}");
    expected.is_ok()
}

fn literal() -> impl Strategy<Value = String> {
    let known = [
        "0",
        "-0",
        "1",
        "-1",
        "01",
        "1.0",
        "1.5",
        "0.1",
        "1e0",
        "1e21",
        "1e+21",
        "1E21",
        "1e-7",
        "-1e-7",
        "5e-324",
        "999999999999999",
        "1000000000000000",
        "9007199254740991",
        "9007199254740992",
        "9007199254740993",
        "-9007199254740991",
        "-9007199254740992",
        "18446744073709551616",
        "100000000000000000000",
        "1e400",
        "0.10000000000000001",
        "1424953923781206.2",
        "12345678901234567890.5",
        "1.7976931348623157e+308",
        "true",
        "false",
        "null",
        "nul",
        "\"\"",
        "-",
    ];
    let double = any::<f64>().prop_map(|double| format!("{double:e}"));
    let integer = any::<i64>().prop_map(|integer| integer.to_string());
    prop_oneof![4 => select(known.to_vec()).prop_map(str::to_owned), 1 => double, 1 => integer]
}

/// A string as it may be spelled, canonical or not.
fn string() -> impl Strategy<Value = String> {
    let escapes = [
        "\\\"",
        "\\\\",
        "\\/",
        "\\b",
        "\\f",
        "\\n",
        "\\r",
        "\\t",
        "\\u0000",
        "\\u0007",
        "\\u0008",
        "\\u000b",
        "\\u000B",
        "\\u000c",
        "\\u000d",
        "\\u001f",
        "\\u001F",
        "\\u0020",
        "\\u0061",
        "\\u00e9",
        "\\ud800",
        "\\ud83d\\ude00",
        "\\x",
        "\u{1}",
        "\u{7f}",
        "é",
        "\u{e000}",
        "😀",
        "\u{ffff}",
        "a",
        "b",
        "ab",
        " ",
    ];
    proptest::collection::vec(select(escapes.to_vec()), 0..6)
        .prop_map(|parts| format!("\"{}\"", parts.concat()))
}

fn text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![literal(), string()];
    leaf.prop_recursive(4, 24, 5, |inner| {
        let name =
            prop_oneof![4 => "[a-c\u{e000}😀]{0,2}".prop_map(|name| format!("\"{name}\"")), 1 => string()];
        let members = proptest::collection::vec((name, inner.clone()), 0..5);
        let object = |mut members: Vec<(String, String)>, sorted: bool| {
            if sorted {
                members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
                members.dedup_by(|(one, _), (other, _)| one == other);
            }
            let members: Vec<String> =
                members.into_iter().map(|(name, value)| format!("{name}:{value}")).collect();
            format!("{{{}}}", members.join(","))
        };
        prop_oneof![
            3 => members.clone().prop_map(move |members| object(members, true)),
            1 => members.prop_map(move |members| object(members, false)),
            1 => proptest::collection::vec(inner, 0..4).prop_map(|items| format!("[{}]", items.join(","))),
        ]
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn any_text_is_judged_as_by_the_slow_twin(text in text(), at: Index, byte: u8, depth in 0..6_usize) {
        let shallow = Limits::CONTENT.with_max_depth(depth).with_max_bytes(200);
        let mut changed = text.clone().into_bytes();
        let place = at.index(changed.len());
        changed.splice(place..=place, [byte]);
        let mut longer = text.clone().into_bytes();
        longer.insert(at.index(longer.len() + 1), byte);
        for profile in PROFILES {
            agreed(text.as_bytes(), profile, &Limits::CONTENT);
            agreed(text.as_bytes(), profile, &shallow);
            agreed(&changed, profile, &Limits::CONTENT);
            agreed(&longer, profile, &Limits::CONTENT);
            // What was written is canonical, and both ways say so.
            if let Ok(canonical) = slowly(text.as_bytes(), profile, &Limits::CONTENT) {
                prop_assert!(agreed(&canonical, profile, &Limits::CONTENT));
            }
        }
    }
}

/// The profiles differ in the numbers that they take as they stand.
#[test]
fn numbers_at_the_borders_of_the_profiles() {
    for (literal, expected) in [
        ("0", [true; 3]),
        ("-0", [false; 3]),
        ("999999999999999", [true; 3]),
        ("9007199254740991", [true; 3]),
        ("-9007199254740991", [true; 3]),
        ("9007199254740992", [false, true, true]),
        ("9007199254740993", [false; 3]),
        ("0.1", [false, true, true]),
        ("0.10000000000000001", [false; 3]),
        ("1e+21", [false, true, true]),
        ("1e21", [false; 3]),
        ("00", [false; 3]),
    ] {
        for (profile, expected) in PROFILES.into_iter().zip(expected) {
            for text in [literal.to_owned(), format!("[{literal}]"), format!("{{\"a\":{literal}}}")] {
                assert_eq!(
                    agreed(text.as_bytes(), profile, &Limits::CONTENT),
                    expected,
                    "{text} {profile:?}"
                );
            }
        }
    }
}

#[test]
fn the_deepest_nesting_and_one_more() {
    let nested = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
    let limits = Limits::CONTENT.with_max_depth(Limits::DEEPEST);
    assert!(agreed(&nested(Limits::DEEPEST), Profile::Content, &limits));
    assert!(!agreed(&nested(Limits::DEEPEST + 1), Profile::Content, &limits));
    assert!(!agreed(&nested(Limits::DEEPEST), Profile::Content, &Limits::CONTENT));
}
