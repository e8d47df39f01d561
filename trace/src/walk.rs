//! The walk of the contract over one document: depth first, and the first fault ends it.
//! Typed readers are written with it; a place costs nothing until a fault needs it.

use std::fmt::Display;
use std::str::FromStr;

use proofline_canon::{Integer, Object, Pointer, Sha256Digest, Value};

use crate::ids;
use crate::phrase;
use crate::rejection::{SchemaFault, UnknownName, Violation};
use crate::words::{MAX_SAFE_INT, Millis, SafeInt, StringSet, Token, WordError};

/// Where a node lies: a list of steps up to the root, on the stack of the walk.
#[derive(Debug)]
pub(crate) enum Path<'a> {
    /// The document, by its name in sentences (`the envelope`).
    Root(&'static str),
    Member(&'a Path<'a>, &'a str),
    Item(&'a Path<'a>, usize),
}

impl Path<'_> {
    fn pointer(&self) -> Pointer {
        match self {
            Self::Root(_) => Pointer::root(),
            Self::Member(above, name) => above.pointer().child(name),
            Self::Item(above, index) => above.pointer().index(*index),
        }
    }

    fn document(&self) -> &'static str {
        match self {
            Self::Root(document) => document,
            Self::Member(above, _) | Self::Item(above, _) => above.document(),
        }
    }

    /// A violation at this place; the sentence is the place and the predicate.
    pub(crate) fn fail(&self, fault: SchemaFault, predicate: &str) -> Violation {
        let pointer = self.pointer();
        let message = format!("{} {predicate}", phrase::place(&pointer, self.document()));
        Violation::new(fault, pointer, message)
    }
}

/// One value at its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node<'a> {
    pub(crate) value: &'a Value,
    pub(crate) path: &'a Path<'a>,
}

impl<'a> Node<'a> {
    pub(crate) fn fail(&self, fault: SchemaFault, predicate: &str) -> Violation {
        self.path.fail(fault, predicate)
    }

    fn wrong_type(&self, expected: &str) -> Violation {
        let predicate = format!("is {}; expected {expected}", phrase::kind_of(self.value));
        self.fail(SchemaFault::Type, &predicate)
    }

    pub(crate) fn object(self) -> Result<&'a Object, Violation> {
        match self.value {
            Value::Object(object) => Ok(object),
            _ => Err(self.wrong_type("an object")),
        }
    }

    /// An object of exactly these members: first what is missing, then what is unknown.
    pub(crate) fn members(
        self,
        required: &[&'static str],
        optional: &[&'static str],
    ) -> Result<Members<'a>, Violation> {
        let members = Members { object: self.object()?, path: self.path };
        if let Some(missing) = required.iter().find(|name| members.object.get(name).is_none()) {
            return Err(members.missing(missing));
        }
        let known = |name: &str| required.contains(&name) || optional.contains(&name);
        match members.object.iter().find(|(name, _)| !known(name)) {
            Some((unknown, _)) => Err(members.unknown(unknown)),
            None => Ok(members),
        }
    }

    pub(crate) fn text(self) -> Result<&'a str, Violation> {
        match self.value {
            Value::String(text) => Ok(text),
            _ => Err(self.wrong_type("a string")),
        }
    }

    fn parsed<T>(self, parse: impl FnOnce(&str) -> Result<T, WordError>) -> Result<T, Violation> {
        parse(self.text()?).map_err(|error| self.fail(error.schema_fault(), &error.predicate()))
    }

    /// A typed enum: a string, and one of those known.
    pub(crate) fn name<T>(self, known: &[T]) -> Result<T, Violation>
    where
        T: FromStr<Err = UnknownName> + Display,
    {
        self.text()?.parse().map_err(|_: UnknownName| self.not_one_of(known))
    }

    /// `enum`: none of those known.
    pub(crate) fn not_one_of<T: Display>(&self, known: &[T]) -> Violation {
        let names: Vec<String> = known.iter().map(ToString::to_string).collect();
        let predicate = format!("is {}; expected one of {}", phrase::found(self.value), names.join(", "));
        self.fail(SchemaFault::Enum, &predicate)
    }

    /// A const without a type of its own: anything else, of whatever type, is `const`.
    pub(crate) fn bare_const(self, expected: &str) -> Result<(), Violation> {
        match self.value {
            Value::String(text) if text == expected => Ok(()),
            other => {
                let predicate = format!("is {}; it must be \"{expected}\"", phrase::found(other));
                Err(self.fail(SchemaFault::Const, &predicate))
            }
        }
    }

    /// A const of type string: another type is `type`, another string `const`.
    pub(crate) fn text_const(self, expected: &str) -> Result<(), Violation> {
        self.text()?;
        self.bare_const(expected)
    }

    /// An integer from 0 to 2^53 - 1: type, then maximum, then minimum.
    pub(crate) fn integer(self) -> Result<u64, Violation> {
        let Value::Number(number) = self.value else {
            return Err(self.wrong_type("an integer"));
        };
        let shown = || phrase::literal(number.literal());
        match number.as_integer() {
            Integer::Exact(value) => u64::try_from(value).map_err(|_| self.below_zero(&shown())),
            Integer::TooSmall => Err(self.below_zero(&shown())),
            Integer::TooLarge => {
                let predicate = format!("is {}; at most {MAX_SAFE_INT} is allowed", shown());
                Err(self.fail(SchemaFault::Maximum, &predicate))
            }
            Integer::NotAnInteger => {
                let rule = "expected an integer in plain digits, without fraction, exponent or minus zero";
                Err(self.fail(SchemaFault::Type, &format!("is {}; {rule}", shown())))
            }
        }
    }

    fn below_zero(&self, shown: &str) -> Violation {
        self.fail(SchemaFault::Minimum, &format!("is {shown}; at least 0 must be there"))
    }

    fn always_true(self) -> Result<(), Violation> {
        match self.value {
            Value::Bool(true) => Ok(()),
            Value::Bool(false) => {
                Err(self.fail(SchemaFault::Const, "is false; in a set a member is true or not there"))
            }
            _ => Err(self.wrong_type("true, as for every member of a set")),
        }
    }

    /// An array of items of one kind.
    pub(crate) fn items<T>(
        self,
        read: impl Fn(Node<'_>) -> Result<T, Violation>,
    ) -> Result<Vec<T>, Violation> {
        let Value::Array(values) = self.value else {
            return Err(self.wrong_type("an array"));
        };
        let item = |(index, value)| {
            let path = Path::Item(self.path, index);
            read(Node { value, path: &path })
        };
        values.iter().enumerate().map(item).collect()
    }

    /// `null`, or what `read` wants.
    pub(crate) fn nullable<T>(
        self,
        read: impl FnOnce(Node<'_>) -> Result<T, Violation>,
    ) -> Result<Option<T>, Violation> {
        match self.value {
            Value::Null => Ok(None),
            _ => read(self).map(Some),
        }
    }
}

/// A string with a pattern, and perhaps a length.
pub(crate) fn word<T: FromStr<Err = WordError>>(node: Node<'_>) -> Result<T, Violation> {
    node.parsed(str::parse)
}

/// Hash256.
pub(crate) fn digest(node: Node<'_>) -> Result<Sha256Digest, Violation> {
    node.parsed(ids::parse_digest)
}

/// A time in Unix milliseconds.
pub(crate) fn millis(node: Node<'_>) -> Result<Millis, Violation> {
    node.integer().map(Millis::saturating)
}

/// A count, size or position.
pub(crate) fn safe_int(node: Node<'_>) -> Result<SafeInt, Violation> {
    node.integer().map(SafeInt::saturating)
}

/// A `StringSet`: every name before any value.
pub(crate) fn token_set(node: Node<'_>) -> Result<StringSet, Violation> {
    let object = node.object()?;
    let token = |name: &str| {
        Token::new(name).map_err(|error| {
            let path = Path::Member(node.path, name);
            path.fail(error.schema_fault(), &format!("has a name that {}", error.predicate()))
        })
    };
    let set = object.iter().map(|(name, _)| token(name)).collect::<Result<StringSet, Violation>>()?;
    for (name, value) in object.iter() {
        let path = Path::Member(node.path, name);
        Node { value, path: &path }.always_true()?;
    }
    Ok(set)
}

/// An object whose names are all known and whose required ones are all there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Members<'a> {
    object: &'a Object,
    path: &'a Path<'a>,
}

impl Members<'_> {
    /// Reads a required member.
    pub(crate) fn get<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(Node<'_>) -> Result<T, Violation>,
    ) -> Result<T, Violation> {
        self.optional(name, read)?.ok_or_else(|| self.missing(name))
    }

    /// Reads a member that may be absent.
    pub(crate) fn optional<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(Node<'_>) -> Result<T, Violation>,
    ) -> Result<Option<T>, Violation> {
        let Some(value) = self.object.get(name) else {
            return Ok(None);
        };
        let path = Path::Member(self.path, name);
        read(Node { value, path: &path }).map(Some)
    }

    fn missing(&self, name: &str) -> Violation {
        let fault = SchemaFault::Required(name.to_owned());
        self.path.fail(fault, &format!("lacks the member `{name}`"))
    }

    fn unknown(&self, name: &str) -> Violation {
        let path = Path::Member(self.path, name);
        path.fail(SchemaFault::AdditionalProperties, "is a member that the schema does not know")
    }
}
