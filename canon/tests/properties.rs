//! Properties over any value and any bytes: canonical bytes are a fixed point, nothing is lost
//! on the way through text, nothing panics, and a parser written by others agrees.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

use proptest::prelude::*;

use proofline_canon::{
    Limits, Number, Profile, RawMembers, Value, canonicalize, check_canonical, members, parse,
};

const PROFILES: [Profile; 3] = [Profile::Envelope, Profile::Content, Profile::ContentExact];

fn any_literal() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => any::<i64>().prop_map(|integer| integer.to_string()),
        2 => (-1000_i64..1000).prop_map(|integer| integer.to_string()),
        2 => any::<f64>().prop_filter("finite", |double| double.is_finite()).prop_map(|double| format!("{double:e}")),
        3 => "-?(0|[1-9][0-9]{0,25})(\\.[0-9]{1,25})?([eE][+-]?[0-9]{1,4})?",
    ]
}

/// Characters that sorting and escaping treat differently, and any other.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-c]{0,3}",
        "[\\x00-\\x20\"\\\\/\u{7f}\u{d7ff}\u{e000}\u{ffff}\u{10000}\u{10ffff}]{0,4}",
        any::<String>(),
    ]
}

/// Values of any shape; numbers from `literals`.
fn any_value(literals: BoxedStrategy<String>) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        literals.prop_map(|literal| Value::Number(Number::from_literal(&literal).unwrap())),
        any_text().prop_map(Value::String),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::vec((any_text(), inner), 0..6).prop_map(Value::object),
        ]
    })
}

/// A value as text that is anything but canonical: literals as they are, members backwards,
/// every character escaped or not by the turn of `spelling`, white space everywhere.
fn spell(value: &Value, spelling: &mut impl FnMut() -> u8, out: &mut String) {
    let space = |turn: u8| [" ", "", "\n", "\t\r"][usize::from(turn % 4)];
    out.push_str(space(spelling()));
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(&flag.to_string()),
        Value::Number(number) => out.push_str(number.literal()),
        Value::String(text) => spell_text(text, spelling, out),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                spell(item, spelling, out);
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            for (index, (name, value)) in object.iter().rev().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                out.push_str(space(spelling()));
                spell_text(name, spelling, out);
                out.push_str(space(spelling()));
                out.push(':');
                spell(value, spelling, out);
            }
            out.push('}');
        }
    }
    out.push_str(space(spelling()));
}

fn spell_text(text: &str, spelling: &mut impl FnMut() -> u8, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        if character < ' ' || matches!(character, '"' | '\\') || spelling().is_multiple_of(3) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(character);
        }
    }
    out.push('"');
}

fn spelled(value: &Value, turns: &[u8]) -> String {
    let mut turn = turns.iter().copied().cycle();
    let mut out = String::new();
    spell(value, &mut || turn.next().unwrap_or(0), &mut out);
    out
}

/// UTF-16 order as the standard library sees it.
fn utf16(name: &str) -> Vec<u16> {
    name.encode_utf16().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn canonical_bytes_are_a_fixed_point_in_every_profile(value in any_value(any_literal().boxed())) {
        for profile in PROFILES {
            let Ok(bytes) = value.to_canonical(profile) else { continue };
            let again = canonicalize(&bytes, profile, &Limits::CONTENT);
            prop_assert_eq!(again.as_ref(), Ok(&bytes));
            prop_assert_eq!(check_canonical(&bytes, profile, &Limits::CONTENT), Ok(()));
        }
    }

    #[test]
    fn profiles_agree_where_a_stricter_one_accepts(literal in any_literal()) {
        let number = Value::Number(Number::from_literal(&literal).unwrap());
        let [envelope, content, exact] = PROFILES.map(|profile| number.to_canonical(profile).ok());
        prop_assert!(envelope.is_none() || envelope == exact);
        prop_assert!(exact.is_none() || exact == content);
    }

    #[test]
    fn what_is_written_reads_back_as_the_nearest_double(literal in any_literal()) {
        let number = Value::Number(Number::from_literal(&literal).unwrap());
        if let Ok(bytes) = number.to_canonical(Profile::Content) {
            let text = String::from_utf8(bytes).unwrap();
            prop_assert_eq!(text.parse::<f64>().unwrap(), literal.parse::<f64>().unwrap());
        }
    }

    #[test]
    fn nothing_is_lost_through_text(value in any_value(any_literal().boxed()), turns in any::<[u8; 16]>()) {
        let text = spelled(&value, &turns);
        let read = parse(text.as_bytes(), &Limits::CONTENT);
        prop_assert_eq!(read.as_ref(), Ok(&value));
    }

    #[test]
    fn spelling_never_changes_canonical_bytes(
        value in any_value(any::<i32>().prop_map(|integer| integer.to_string()).boxed()),
        turns in any::<[u8; 16]>(),
    ) {
        let bytes = value.to_canonical(Profile::Envelope).unwrap();
        let text = spelled(&value, &turns);
        prop_assert_eq!(canonicalize(text.as_bytes(), Profile::Envelope, &Limits::CONTENT), Ok(bytes));
    }

    #[test]
    fn members_are_in_utf16_order(names in prop::collection::vec(any_text(), 0..40)) {
        let mut expected = names.clone();
        expected.sort_by_key(|name| utf16(name));
        expected.dedup();
        let value = Value::object(names.iter().map(|name| (name.as_str(), true)));
        let object = value.as_object().unwrap();
        prop_assert_eq!(object.names().collect::<Vec<_>>(), expected);
        prop_assert!(names.iter().all(|name| object.get(name) == Some(&Value::Bool(true))));
    }

    /// `serde_json` reads literals to doubles and keeps the last of repeated names; where both
    /// read a text without loss, they see the same.
    #[test]
    fn serde_json_agrees(value in any_value(any_literal().boxed()), turns in any::<[u8; 16]>()) {
        let text = spelled(&value, &turns);
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(json) => prop_assert_eq!(json, value.to_json().unwrap()),
            // It refuses only what no double holds.
            Err(_) => prop_assert_eq!(value.to_json().unwrap_err().code(), "canon.number_overflow"),
        }
    }

    #[test]
    fn mutated_bytes_are_judged_as_serde_json_judges_them(
        value in any_value(any_literal().boxed()),
        turns in any::<[u8; 16]>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
    ) {
        let mut bytes = spelled(&value, &turns).into_bytes();
        for (place, byte, edit) in edits {
            if bytes.is_empty() { break }
            let at = place.index(bytes.len());
            match edit {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                _ => bytes.insert(at, b"\"\\{}[]:,0e.-u"[usize::from(byte) % 13]),
            }
        }
        let ours = parse(&bytes, &Limits::CONTENT);
        let raw = members(&bytes, &Limits::CONTENT);
        let theirs = serde_json::from_slice::<serde_json::Value>(&bytes);
        match (&ours, &theirs) {
            (Ok(value), Ok(json)) => prop_assert_eq!(&value.to_json().unwrap(), json),
            (Ok(value), Err(_)) => prop_assert_eq!(value.to_json().unwrap_err().code(), "canon.number_overflow"),
            (Err(error), Ok(_)) => prop_assert_eq!(error.code(), "canon.duplicate_member"),
            (Err(error), Err(_)) => prop_assert!(error.offset <= bytes.len()),
        }
        // Whatever is strict JSON has raw members, which are its members.
        match (ours, raw) {
            (Ok(Value::Object(object)), Ok(RawMembers::Object(list))) => {
                prop_assert_eq!(object.len(), list.len());
                for member in list {
                    let inner = parse(&bytes[member.value], &Limits::CONTENT);
                    prop_assert_eq!(inner.as_ref().ok(), object.get(&member.name));
                }
            }
            (Ok(value), raw) => {
                prop_assert_eq!(raw, Ok(RawMembers::NotAnObject));
                prop_assert!(value.as_object().is_none());
            }
            (Err(_), _) => {}
        }
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for profile in PROFILES {
            let _ = canonicalize(&bytes, profile, &Limits::ENVELOPE);
        }
        let _ = members(&bytes, &Limits::ENVELOPE);
    }

    #[test]
    fn every_cut_of_a_text_is_an_unexpected_end(value in any_value(any_literal().boxed())) {
        let text = value_in_array(&value);
        for cut in 0..text.len() {
            let error = parse(&text[..cut], &Limits::CONTENT).unwrap_err();
            let inside_character = std::str::from_utf8(&text[..cut]).is_err();
            let expected = if inside_character { "canon.invalid_utf8" } else { "canon.unexpected_end" };
            prop_assert_eq!(error.code(), expected);
        }
    }
}

/// In brackets, so that no cut of it is a value of its own.
fn value_in_array(value: &Value) -> Vec<u8> {
    format!("[{}]", spelled(value, &[1])).into_bytes()
}
