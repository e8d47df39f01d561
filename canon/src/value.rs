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
