//! How an instrumentation spelt a structure as text. A payload has the structure in canonical form; with the spelling
//! beside it, the very text can be written again, and its digest says whether that is so.

use std::collections::BTreeSet;
use std::fmt;

use proofline_canon::{Object, Profile, Value, plain_len};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Orders of members that one text may have, and members that one may have; a text with more is kept whole.
const MOST_ORDERS: usize = 64;
const MOST_MEMBERS: usize = 256;

/// The spelling of a text: white space, escapes, and the order of members where it is not the canonical one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spelling {
    /// A space behind each comma and colon.
    is_spaced: bool,
    /// Everything beyond ASCII by escapes.
    is_ascii: bool,
    /// Objects with these members have them in this order.
    orders: Vec<Vec<String>>,
}

impl Spelling {
    /// No spaces, no escapes that need not be, members in canonical order.
    pub(crate) const PLAIN: Self = Self { is_spaced: false, is_ascii: false, orders: Vec::new() };

    /// The spelling by which this structure is this text; none where the text says more than that.
    pub(crate) fn of(text: &str, meant: &Value) -> Option<Self> {
        let mut orders = Orders::default();
        let mut reader = serde_json::Deserializer::from_str(text);
        orders.deserialize(&mut reader).ok()?;
        let spelling =
            Self { is_spaced: is_spaced(text), is_ascii: text.is_ascii(), orders: orders.into_list() };
        (spelling.write(meant) == text).then_some(spelling)
    }

    /// The text of a structure.
    pub(crate) fn write(&self, value: &Value) -> String {
        let mut writer = Writer { spelling: self, out: String::new() };
        writer.value(value);
        writer.out
    }

    pub(crate) fn to_value(&self) -> Value {
        Value::object([
            ("spaced", Value::from(self.is_spaced)),
            ("ascii", Value::from(self.is_ascii)),
            (
                "orders",
                Value::array(self.orders.iter().map(|names| Value::array(names.iter().map(String::as_str)))),
            ),
        ])
    }

    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        let names = |order: &Value| {
            let order = order.as_array().filter(|it| it.len() <= MOST_MEMBERS)?;
            let names = order.iter().map(|name| name.as_str().map(str::to_owned));
            let names = names.collect::<Option<Vec<String>>>()?;
            // A member that stands there twice would be written twice.
            let is_once = names.iter().collect::<BTreeSet<_>>().len() == names.len();
            is_once.then_some(names)
        };
        let orders = value.get("orders")?.as_array().filter(|it| it.len() <= MOST_ORDERS)?;
        Some(Self {
            is_spaced: value.get("spaced")?.as_bool()?,
            is_ascii: value.get("ascii")?.as_bool()?,
            orders: orders.iter().map(names).collect::<Option<_>>()?,
        })
    }
}

/// Whether the first comma or colon that is no part of a string has a space behind it.
fn is_spaced(text: &str) -> bool {
    let (mut in_string, mut is_escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_string => is_escaped = true,
            b'"' => in_string = !in_string,
            b',' | b':' if !in_string => return text.as_bytes().get(at + 1) == Some(&b' '),
            _ => {}
        }
    }
    false
}

struct Writer<'a> {
    spelling: &'a Spelling,
    out: String,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.out.push_str("null"),
            Value::Bool(flag) => self.out.push_str(if *flag { "true" } else { "false" }),
            // What a payload keeps of a number is its value.
            Value::Number(_) => {
                let canonical = value.to_canonical(Profile::Content).unwrap_or_default();
                self.out.push_str(&String::from_utf8_lossy(&canonical));
            }
            Value::String(text) => self.text(text),
            Value::Array(items) => {
                self.out.push('[');
                for (at, item) in items.iter().enumerate() {
                    self.comma(at);
                    self.value(item);
                }
                self.out.push(']');
            }
            Value::Object(members) => self.object(members),
        }
    }

    fn object(&mut self, members: &Object) {
        let is_of = |order: &&Vec<String>| {
            order.len() == members.len() && order.iter().all(|name| members.contains(name))
        };
        self.out.push('{');
        match self.spelling.orders.iter().find(is_of) {
            Some(order) => {
                let in_order = order.iter().filter_map(|name| Some((name.as_str(), members.get(name)?)));
                in_order.enumerate().for_each(|(at, member)| self.member(at, member));
            }
            None => members.iter().enumerate().for_each(|(at, member)| self.member(at, member)),
        }
        self.out.push('}');
    }

    fn member(&mut self, at: usize, (name, value): (&str, &Value)) {
        self.comma(at);
        self.text(name);
        self.out.push_str(if self.spelling.is_spaced { ": " } else { ":" });
        self.value(value);
    }

    fn comma(&mut self, at: usize) {
        if at > 0 {
            self.out.push_str(if self.spelling.is_spaced { ", " } else { "," });
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        let mut rest = text;
        while let Some((plain, behind)) = rest.split_at_checked(plain_len(rest.as_bytes())) {
            if self.spelling.is_ascii && !plain.is_ascii() {
                for character in plain.chars() {
                    if character.is_ascii() { self.out.push(character) } else { self.escaped(character) }
                }
            } else {
                self.out.push_str(plain);
            }
            let mut characters = behind.chars();
            match characters.next() {
                Some('"') => self.out.push_str("\\\""),
                Some('\\') => self.out.push_str("\\\\"),
                Some('\n') => self.out.push_str("\\n"),
                Some('\r') => self.out.push_str("\\r"),
                Some('\t') => self.out.push_str("\\t"),
                Some('\u{8}') => self.out.push_str("\\b"),
                Some('\u{c}') => self.out.push_str("\\f"),
                Some(control) => self.escaped(control),
                None => break,
            }
            rest = characters.as_str();
        }
        self.out.push('"');
    }

    fn escaped(&mut self, character: char) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            self.out.push_str(&format!("\\u{unit:04x}"));
        }
    }
}

/// Collects the orders of members of a text while it is read.
#[derive(Default)]
struct Orders<'t> {
    lists: Vec<Vec<&'t str>>,
}

impl<'t> Orders<'t> {
    /// Whether the order of these members is like all that were met before.
    fn take(&mut self, names: Vec<&'t str>) -> bool {
        if self.lists.contains(&names) {
            return true;
        }
        let is_same_set =
            |known: &Vec<&str>| known.len() == names.len() && names.iter().all(|it| known.contains(it));
        if names.len() > MOST_MEMBERS || self.lists.len() >= MOST_ORDERS || self.lists.iter().any(is_same_set)
        {
            return false;
        }
        self.lists.push(names);
        true
    }

    /// Those that are not canonical.
    fn into_list(self) -> Vec<Vec<String>> {
        let is_other = |names: &Vec<&str>| {
            let canonical: Object = names.iter().map(|name| (*name, Value::Null)).collect();
            !canonical.names().eq(names.iter().copied())
        };
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        self.lists.into_iter().filter(is_other).map(owned).collect()
    }
}

impl<'de> DeserializeSeed<'de> for &mut Orders<'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Orders<'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = Vec::new();
        // A name with escapes is none of these, and its text is kept whole.
        while let Some(name) = map.next_key::<&'de str>()? {
            names.push(name);
            map.next_value_seed(&mut *self)?;
        }
        // Two orders of the same members are more than a spelling has place for.
        if self.take(names) { Ok(()) } else { Err(A::Error::custom("an order of its own")) }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(&mut *self)?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(IgnoredAny).map(|_| ())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use proofline_canon::{Limits, parse};
    use proptest::prelude::*;

    use super::*;

    fn canonical(text: &str) -> Value {
        let value = parse(text.as_bytes(), &Limits::CONTENT).unwrap();
        parse(&value.to_canonical(Profile::Content).unwrap(), &Limits::CONTENT).unwrap()
    }

    #[test]
    fn a_text_is_written_again_from_its_structure_and_its_spelling() {
        for text in [
            r#"[{"role":"user","parts":[{"type":"text","content":"a \"b\" \\ \n\t\b\f\r\u0001"}]}]"#,
            r#"{"origin": "JFK", "destination": "SEA", "date": "2024-05-20", "n": [1, -2, 0.5, {}]}"#,
            r#"{"b":1,"a":"caf\u00e9 \ud83d\ude00"}"#,
            r#"{"b":{"y":1,"x":2},"a":"café 😀: , {"}"#,
            "[]",
            "{}",
            r#"["a",null,true,false]"#,
        ] {
            let spelling = Spelling::of(text, &canonical(text)).unwrap();
            let kept = Spelling::from_value(&spelling.to_value()).unwrap();
            assert_eq!(kept.write(&canonical(text)), text);
        }
    }

    #[test]
    fn a_text_that_says_more_has_no_spelling() {
        for text in [
            "{ \"a\": 1}",
            "{\"a\":1.0}",
            "{\"a\":1e2}",
            "{\"a\":1}\n",
            "{\"a\":1, \"b\":2}",
            r#"{"a":"\u0041"}"#,
            r#"{"a":"\/"}"#,
            r#"{"a":"\u00E9"}"#,
            r#"[{"b":1,"a":2},{"a":1,"b":2}]"#,
            r#"{"\u0061":1}"#,
        ] {
            assert_eq!(Spelling::of(text, &canonical(text)), None, "{text}");
        }
        // Nor has one with very many members, or very many orders, whatever they are.
        let members: Vec<String> = (0..MOST_MEMBERS + 1).rev().map(|at| format!("\"{at}\":0")).collect();
        let many = format!("{{{}}}", members.join(","));
        assert_eq!(Spelling::of(&many, &canonical(&many)), None);
        let orders: Vec<String> = (0..MOST_ORDERS + 1).map(|at| format!("{{\"{at}b\":0,\"a\":0}}")).collect();
        let many = format!("[{}]", orders.join(","));
        assert_eq!(Spelling::of(&many, &canonical(&many)), None);
        // Nor has one that means something else.
        assert_eq!(Spelling::of("[1]", &canonical("[2]")), None);
    }

    /// Any structure in any order, by a writer that is not ours; an order a set of names, as emitters have it.
    fn structure() -> impl Strategy<Value = serde_json::Value> {
        let text = prop_oneof!["[a-z \"\\\\\\n]{0,6}", ".{0,4}"];
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i32>().prop_map(serde_json::Value::from),
            text.prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                proptest::collection::btree_map("[a-d]{1,2}", inner, 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    /// Names sorted by the rank that a seed gives them, so that equal sets have equal orders.
    fn written(value: &serde_json::Value, seed: u64, is_spaced: bool, out: &mut String) {
        let (comma, colon) = if is_spaced { (", ", ": ") } else { (",", ":") };
        match value {
            serde_json::Value::Array(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { comma } else { "" });
                    written(item, seed, is_spaced, out);
                }
                out.push(']');
            }
            serde_json::Value::Object(members) => {
                let rank =
                    |name: &str| name.bytes().fold(seed, |rank, byte| rank.rotate_left(9) ^ u64::from(byte));
                let mut members: Vec<_> = members.iter().collect();
                members.sort_by_key(|(name, _)| (rank(name).wrapping_mul(0x9e37_79b9_7f4a_7c15), *name));
                out.push('{');
                for (at, (name, value)) in members.into_iter().enumerate() {
                    out.push_str(if at > 0 { comma } else { "" });
                    out.push_str(&serde_json::to_string(name).unwrap());
                    out.push_str(colon);
                    written(value, seed, is_spaced, out);
                }
                out.push('}');
            }
            leaf => out.push_str(&serde_json::to_string(leaf).unwrap()),
        }
    }

    proptest! {
        #[test]
        fn structures_in_any_order_come_back_to_the_byte(value in structure(), seed: u64, is_spaced: bool) {
            let mut text = String::new();
            written(&value, seed, is_spaced, &mut text);
            let meant = canonical(&text);
            // A spelling with no comma or colon to tell, and text that is ASCII, are the same either way.
            let spelling = Spelling::of(&text, &meant);
            let kept = spelling.as_ref().and_then(|it| Spelling::from_value(&it.to_value()));
            prop_assert_eq!(kept.map(|it| it.write(&meant)), Some(text));
        }
    }
}
