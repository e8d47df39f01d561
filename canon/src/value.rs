//! One JSON value without loss: number literals as written, objects in canonical order.

use std::cmp::Ordering;

use crate::number::Number;

/// A JSON value.
///
/// Values from [`parse`](crate::parse) nest at most [`Limits::DEEPEST`](crate::Limits::DEEPEST)
/// levels; whoever builds deeper ones gets an error when writing them.
///
/// ```
/// use proofline_canon::{Profile, Value};
///
/// let value = Value::object([("b", Value::from(2_u64)), ("a", Value::from(true))]);
/// assert_eq!(value.to_canonical(Profile::Envelope).unwrap(), br#"{"a":true,"b":2}"#);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number, by its literal.
    Number(Number),
    /// A string, unescaped.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object of unique names.
    Object(Object),
}

impl Value {
    /// An object of these members; the last of equal names stays.
    pub fn object<K: Into<String>, V: Into<Self>>(members: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Object(members.into_iter().collect())
    }

    /// An array of these items.
    pub fn array<V: Into<Self>>(items: impl IntoIterator<Item = V>) -> Self {
        Self::Array(items.into_iter().map(Into::into).collect())
    }

    /// The member of that name, if this is an object that has it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// Whether this is `null`.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The boolean, if it is one.
    #[must_use]
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub const fn as_number(&self) -> Option<&Number> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The string, if it is one.
    #[must_use]
    pub const fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// The items, if it is an array.
    #[must_use]
    pub const fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items.as_slice()),
            _ => None,
        }
    }

    /// The object, if it is one.
    #[must_use]
    pub const fn as_object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }
}

/// Members of unique names, kept in canonical order: by UTF-16 code units (RFC 8785 §3.2.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Object {
    members: Vec<(String, Value)>,
}

impl Object {
    /// No members.
    #[must_use]
    pub const fn new() -> Self {
        Self { members: Vec::new() }
    }

    /// Members that the parser knows to be unique; sorted here if they are not yet.
    pub(crate) fn from_unique(mut members: Vec<(String, Value)>, sorted: bool) -> Self {
        if !sorted {
            members.sort_unstable_by(|(a, _), (b, _)| canonical_order(a, b));
        }
        Self { members }
    }

    fn position(&self, name: &str) -> Result<usize, usize> {
        self.members.binary_search_by(|(own, _)| canonical_order(own, name))
    }

    /// The value of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        let at = self.position(name).ok()?;
        self.members.get(at).map(|(_, value)| value)
    }

    /// The value of that name, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        let at = self.position(name).ok()?;
        self.members.get_mut(at).map(|(_, value)| value)
    }

    /// Whether there is a member of that name.
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.position(name).is_ok()
    }

    /// Sets a member and returns the value it had before.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        let (name, value) = (name.into(), value.into());
        match self.position(&name) {
            Ok(at) => self.members.get_mut(at).map(|(_, own)| std::mem::replace(own, value)),
            Err(at) => {
                self.members.insert(at, (name, value));
                None
            }
        }
    }

    /// Takes a member out.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        let at = self.position(name).ok()?;
        Some(self.members.remove(at).1)
    }

    /// The members in canonical order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> + DoubleEndedIterator {
        self.members.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// The names in canonical order.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> + DoubleEndedIterator {
        self.members.iter().map(|(name, _)| name.as_str())
    }

    /// How many members there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

/// The last of equal names stays, as with [`Object::insert`].
impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Self {
        let mut members: Vec<(String, Value)> =
            members.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        // Stable, so that the last one written is the first one after the reversal.
        members.reverse();
        members.sort_by(|(a, _), (b, _)| canonical_order(a, b));
        members.dedup_by(|later, earlier| later.0 == earlier.0);
        Self { members }
    }
}

impl IntoIterator for Object {
    type Item = (String, Value);
    type IntoIter = std::vec::IntoIter<(String, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.members.into_iter()
    }
}

/// Compares by UTF-16 code units without decoding.
///
/// UTF-8 bytes compare as code points do, and code points as UTF-16 units do, with one
/// exception: U+E000..U+FFFF (lead bytes EE, EF) come after the surrogates of
/// astral characters (lead bytes F0..F4). Lifting those two lead bytes above F4 is enough,
/// for a continuation byte is never one of them.
pub(crate) fn canonical_order(a: &str, b: &str) -> Ordering {
    let lifted = |byte: u8| if matches!(byte, 0xEE | 0xEF) { byte | 0x10 } else { byte };
    let first_difference = a.bytes().zip(b.bytes()).find(|(x, y)| x != y);
    match first_difference {
        Some((x, y)) => lifted(x).cmp(&lifted(y)),
        None => a.len().cmp(&b.len()),
    }
}

macro_rules! value_from {
    ($($source:ty => $make:expr),* $(,)?) => {$(
        impl From<$source> for Value {
            fn from(source: $source) -> Self {
                $make(source)
            }
        }
    )*};
}

value_from! {
    bool => Self::Bool,
    u64 => |value| Self::Number(Number::from_u64(value)),
    i64 => |value| Self::Number(Number::from_i64(value)),
    Number => Self::Number,
    &str => |text: &str| Self::String(text.to_owned()),
    String => Self::String,
    Vec<Self> => Self::Array,
    Object => Self::Object,
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use super::{Object, Value, canonical_order};
    use crate::number::Number;

    #[test]
    fn objects_keep_canonical_order_and_unique_names() {
        let mut object = Object::new();
        assert_eq!(object.insert("b", 1_u64), None);
        assert_eq!(object.insert("\u{e000}", 2_u64), None);
        assert_eq!(object.insert("\u{10000}", 3_u64), None);
        assert_eq!(object.insert("a", 4_u64), None);
        assert_eq!(object.insert("b", true), Some(Value::from(1_u64)));
        let names: Vec<&str> = object.names().collect();
        assert_eq!(names, ["a", "b", "\u{10000}", "\u{e000}"]);
        assert_eq!((object.len(), object.is_empty()), (4, false));
        assert_eq!(object.get("b"), Some(&Value::Bool(true)));
        assert_eq!(object.remove("b"), Some(Value::Bool(true)));
        assert_eq!((object.remove("b"), object.contains("b"), object.contains("a")), (None, false, true));
    }

    #[test]
    fn the_last_of_equal_names_stays() {
        let object = Object::from_iter([("b", 1_u64), ("a", 2), ("b", 3), ("a", 4), ("b", 5)]);
        let members: Vec<(String, Value)> = object.into_iter().collect();
        assert_eq!(members, [("a".to_owned(), Value::from(4_u64)), ("b".to_owned(), Value::from(5_u64))]);
    }

    #[test]
    fn accessors_answer_for_their_own_kind_only() {
        let values = [
            Value::Null,
            Value::from(true),
            Value::from(-1_i64),
            Value::from("text"),
            Value::array([1_u64]),
            Value::object([("a", 1_u64)]),
        ];
        let answers = values.each_ref().map(|value| {
            [
                value.is_null(),
                value.as_bool().is_some(),
                value.as_number().is_some(),
                value.as_str().is_some(),
                value.as_array().is_some(),
                value.as_object().is_some(),
            ]
        });
        for (row, answer) in answers.iter().enumerate() {
            for (column, own) in answer.iter().enumerate() {
                assert_eq!(*own, row == column, "{row} {column}");
            }
        }
        assert_eq!(values[2], Value::Number(Number::from_i64(-1)));
        assert_eq!(values[5].get("a"), Some(&Value::from(1_u64)));
        assert_eq!((values[5].get("b"), values[0].get("a")), (None, None));
    }

    #[test]
    fn order_is_that_of_utf16_units() {
        let names = ["", "\0", "a", "a\u{0}", "ab", "b", "\u{7ff}", "\u{d7ff}", "\u{10000}", "\u{10ffff}"]
            .into_iter()
            .chain(["\u{e000}", "\u{e000}a", "\u{ffff}"]);
        let names: Vec<&str> = names.collect();
        for (i, a) in names.iter().enumerate() {
            for (j, b) in names.iter().enumerate() {
                assert_eq!(canonical_order(a, b), i.cmp(&j), "{a:?} {b:?}");
                let units: Ordering = a.encode_utf16().cmp(b.encode_utf16());
                assert_eq!(units, i.cmp(&j), "{a:?} {b:?}");
            }
        }
    }
}
