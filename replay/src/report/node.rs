//! Reads the members of a line of a report, each with its place. Members that a line must not have are no concern
//! here: whatever was read is spelled again and must give the same bytes.

use std::collections::BTreeMap;
use std::str::FromStr;

use proofline_canon::{Pointer, Value, unhex};

use crate::form::{self, FormError};

/// A value of a line, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    value: &'a Value,
    at: Pointer,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self { value, at: Pointer::root() }
    }

    pub(super) const fn value(&self) -> &'a Value {
        self.value
    }

    pub(super) fn get(&self, name: &'static str) -> Result<Self, FormError> {
        let object = form::object(self.value, &self.at)?;
        let missing = || FormError::Missing { pointer: self.at.clone(), name };
        Ok(Self { value: object.get(name).ok_or_else(missing)?, at: self.at.child(name) })
    }

    /// The value, unless it is `null`.
    pub(super) fn some(self) -> Option<Self> {
        (!self.value.is_null()).then_some(self)
    }

    /// The fault of a value that is not what it should be.
    pub(super) fn other(&self, expected: &'static str) -> FormError {
        FormError::Type { pointer: self.at.clone(), expected }
    }

    pub(super) fn text(&self) -> Result<&'a str, FormError> {
        form::text(self.value, &self.at)
    }

    pub(super) fn flag(&self) -> Result<bool, FormError> {
        self.value.as_bool().ok_or_else(|| self.other("true or false"))
    }

    pub(super) fn count(&self) -> Result<u64, FormError> {
        let number = self.value.as_number().and_then(|number| number.literal().parse().ok());
        number.ok_or_else(|| self.other("a count"))
    }

    /// A text that stands for something of its own; `what` says for what.
    pub(super) fn word<T: FromStr>(&self, what: &'static str) -> Result<T, FormError> {
        self.text()?.parse().map_err(|_| self.other(what))
    }

    pub(super) fn hex<const N: usize>(&self) -> Result<[u8; N], FormError> {
        unhex(self.text()?).ok_or_else(|| self.other("hex digits of that length"))
    }

    pub(super) fn items<T>(&self, read: impl Fn(&Self) -> Result<T, FormError>) -> Result<Vec<T>, FormError> {
        let items = self.value.as_array().ok_or_else(|| self.other("an array"))?;
        let item = |(index, value)| read(&Self { value, at: self.at.index(index) });
        items.iter().enumerate().map(item).collect()
    }

    /// An object of counts under names of one kind.
    pub(super) fn counts<K: FromStr + Ord>(&self) -> Result<BTreeMap<K, u64>, FormError> {
        let object = form::object(self.value, &self.at)?;
        let member = |(name, value): (&str, &'a Value)| {
            let node = Self { value, at: self.at.child(name) };
            let key = name.parse().map_err(|_| node.other("under a known name"))?;
            Ok((key, node.count()?))
        };
        object.iter().map(member).collect()
    }

    /// An object of texts.
    pub(super) fn texts(&self) -> Result<BTreeMap<String, String>, FormError> {
        let object = form::object(self.value, &self.at)?;
        let member = |(name, value): (&str, &'a Value)| {
            let node = Self { value, at: self.at.child(name) };
            Ok((name.to_owned(), node.text()?.to_owned()))
        };
        object.iter().map(member).collect()
    }
}
