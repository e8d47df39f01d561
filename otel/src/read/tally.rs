//! What is unusual about an input and is read nevertheless: counted by kind and name, with first places.

use std::collections::BTreeMap;

use super::item::Place;

/// What was unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum WarningKind {
    /// A key of no known field; it was left out, as the protocol wants.
    UnknownKey,
    /// A snake_case spelling of a known field. OTLP/JSON has no such keys: what it held was left out.
    SnakeCaseKey,
    /// The name of an enum value in place of its number; it was taken for the number.
    EnumName,
    /// A whole number with a point or an exponent; it was taken for the integer.
    IntegerAsFloat,
    /// A number in quotes where OTLP/JSON has a bare one; it was taken for the number.
    NumberAsText,
    /// Base64 of the URL alphabet or without padding; it was decoded.
    LooseBase64,
    /// An index into the string table of profiles, which traces do not have; read as absent.
    StringIndex,
    /// `null` inside of an array value; read as the empty value.
    NullItem,
    /// A protobuf field that is not known; it was left out, as the protocol wants.
    UnknownField,
    /// A message without any span.
    NoSpans,
    /// A byte order mark in front; left out.
    ByteOrderMark,
    /// A resource or scope that cannot be read; each span in it is refused.
    UnreadableContext,
}

impl WarningKind {
    /// The stable word of accounts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnknownKey => "unknown_key",
            Self::SnakeCaseKey => "snake_case_key",
            Self::EnumName => "enum_name",
            Self::IntegerAsFloat => "integer_as_float",
            Self::NumberAsText => "number_as_text",
            Self::LooseBase64 => "loose_base64",
            Self::StringIndex => "string_index",
            Self::NullItem => "null_item",
            Self::UnknownField => "unknown_field",
            Self::NoSpans => "no_spans",
            Self::ByteOrderMark => "byte_order_mark",
            Self::UnreadableContext => "unreadable_context",
        }
    }
}

/// Something unusual about one span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanWarning {
    /// What.
    pub kind: WarningKind,
    /// The key, field or name that it is about, cut to 40 characters.
    pub name: String,
    /// How often in this span.
    pub count: u64,
}

impl SpanWarning {
    /// The most different warnings that a span keeps; more of them count on the last one of their kind, or not at all.
    pub const MOST: usize = 16;
}

/// Something unusual about the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warned {
    /// What.
    pub kind: WarningKind,
    /// The key, field or name that it is about; empty for names beyond the first
    /// [`Tally::NAMES`] of a kind.
    pub name: String,
    /// How often.
    pub count: u64,
    /// Where first: the first [`Tally::PLACES`] places.
    pub places: Vec<Place>,
}

/// Warnings of one value, while it is read.
#[derive(Debug, Default)]
pub(crate) struct Notes(Vec<SpanWarning>);

impl Notes {
    pub(crate) fn add(&mut self, kind: WarningKind, name: &str) {
        let name = || name.chars().take(40).collect::<String>();
        let cut = name();
        if let Some(known) = self.0.iter_mut().find(|known| known.kind == kind && known.name == cut) {
            known.count += 1;
        } else if self.0.len() < SpanWarning::MOST {
            self.0.push(SpanWarning { kind, name: cut, count: 1 });
        } else if let Some(known) = self.0.iter_mut().rev().find(|known| known.kind == kind) {
            known.count += 1;
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_warnings(self) -> Vec<SpanWarning> {
        self.0
    }
}

/// Warnings of a whole input. Memory is bounded: names of a kind, and places of a name.
#[derive(Debug, Default)]
pub struct Tally {
    kinds: BTreeMap<WarningKind, BTreeMap<String, (u64, Vec<Place>)>>,
}

impl Tally {
    /// How many names of a kind are told apart.
    pub const NAMES: usize = 32;
    /// How many places of a name are kept.
    pub const PLACES: usize = 4;

    pub(crate) fn add(&mut self, kind: WarningKind, name: &str, count: u64, place: Place) {
        let names = self.kinds.entry(kind).or_default();
        let told = names.contains_key(name) || names.len() < Self::NAMES;
        let (sum, places) = names.entry(if told { name.to_owned() } else { String::new() }).or_default();
        *sum += count;
        if places.len() < Self::PLACES {
            places.push(place);
        }
    }

    pub(crate) fn add_all(&mut self, warnings: &[SpanWarning], place: Place) {
        for warning in warnings {
            self.add(warning.kind, &warning.name, warning.count, place);
        }
    }

    /// In the order of kinds and names.
    pub(crate) fn into_warned(self) -> Vec<Warned> {
        let each = |(kind, names): (WarningKind, BTreeMap<String, (u64, Vec<Place>)>)| {
            names.into_iter().map(move |(name, (count, places))| Warned { kind, name, count, places })
        };
        self.kinds.into_iter().flat_map(each).collect()
    }
}
