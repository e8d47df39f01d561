//! How an instrumentation spelt a structure as text. A payload has the structure in canonical form; with the spelling
//! beside it, the very text can be written again, and its digest says whether that is so.

use std::collections::BTreeMap;
use std::fmt;

use proofline_canon::{Object, Profile, Value};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Orders of members that one text may have; one that has more is kept whole.
const MOST_ORDERS: usize = 64;

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
        let orders = self
            .orders
            .iter()
            .map(|names| (canonical_order(names), names.as_slice()))
            .collect::<BTreeMap<_, _>>();
        let mut writer = Writer { spelling: self, orders, out: String::new() };
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
            let names = order.as_array()?.iter().map(|name| name.as_str().map(str::to_owned));
            names.collect::<Option<Vec<String>>>()
        };
        Some(Self {
            is_spaced: value.get("spaced")?.as_bool()?,
            is_ascii: value.get("ascii")?.as_bool()?,
            orders: value.get("orders")?.as_array()?.iter().map(names).collect::<Option<_>>()?,
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

fn canonical_order(names: &[String]) -> Vec<String> {
    let object: Object = names.iter().map(|name| (name.as_str(), Value::Null)).collect();
    object.names().map(str::to_owned).collect()
}

struct Writer<'a> {
    spelling: &'a Spelling,
    /// By the names in canonical order.
    orders: BTreeMap<Vec<String>, &'a [String]>,
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
        let canonical: Vec<String> = members.names().map(str::to_owned).collect();
        let order = self.orders.get(&canonical).copied();
        self.out.push('{');
        for (at, name) in order.unwrap_or(&canonical).iter().enumerate() {
            self.comma(at);
            self.text(name);
            self.out.push_str(if self.spelling.is_spaced { ": " } else { ":" });
            if let Some(value) = members.get(name) {
                self.value(value);
            }
        }
        self.out.push('}');
    }

    fn comma(&mut self, at: usize) {
        if at > 0 {
            self.out.push_str(if self.spelling.is_spaced { ", " } else { "," });
        }
    }

    fn text(&mut self, text: &str) {
        self.out.push('"');
        for character in text.chars() {
            match character {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{8}' => self.out.push_str("\\b"),
                '\u{c}' => self.out.push_str("\\f"),
                control if control < ' ' => self.escaped(control),
                beyond if self.spelling.is_ascii && !beyond.is_ascii() => self.escaped(beyond),
                plain => self.out.push(plain),
            }
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
struct Orders {
    by_names: BTreeMap<Vec<String>, Vec<String>>,
}

impl Orders {
    /// Those that are not canonical.
    fn into_list(self) -> Vec<Vec<String>> {
        self.by_names
            .into_iter()
            .filter(|(canonical, order)| canonical != order)
            .map(|(_, order)| order)
            .collect()
    }
}

impl<'de> DeserializeSeed<'de> for &mut Orders {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<(), D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Orders {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            names.push(name);
            map.next_value_seed(&mut *self)?;
        }
        let known = self.by_names.entry(canonical_order(&names)).or_insert_with(|| names.clone());
        // Two orders of the same members are more than a spelling has place for.
        if *known != names || self.by_names.len() > MOST_ORDERS {
            return Err(A::Error::custom("an order of its own"));
        }
        Ok(())
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
        ] {
            assert_eq!(Spelling::of(text, &canonical(text)), None, "{text}");
        }
        // Nor has one that means something else.
        assert_eq!(Spelling::of("[1]", &canonical("[2]")), None);
    }
}
