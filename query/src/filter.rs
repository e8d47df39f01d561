//! A filter as a tree, and as text: what prints parses to the same tree.

use std::fmt;

use proofline_canon::{Profile, Value};

use crate::field::Field;

/// How a field is compared with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `!=`: of the same type, and another.
    Different,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
    /// `~`: a text that has this one in it, a set that has this token.
    Contains,
}

impl Comparison {
    /// Every comparison.
    pub const ALL: [Self; 7] = [
        Self::Equal,
        Self::Different,
        Self::Less,
        Self::AtMost,
        Self::Greater,
        Self::AtLeast,
        Self::Contains,
    ];

    /// How it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Different => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
            Self::Contains => "~",
        }
    }

    /// Whether it asks which comes first.
    #[must_use]
    pub const fn is_order(self) -> bool {
        matches!(self, Self::Less | Self::AtMost | Self::Greater | Self::AtLeast)
    }
}

/// A value in a filter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Literal {
    /// `true` or `false`
    Flag(bool),
    /// An integer; a time is one, in Unix milliseconds.
    Integer(i64),
    /// Text.
    Text(String),
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Integer(number) => number.fmt(f),
            Self::Text(text) => f.write_str(&quoted(text)),
        }
    }
}

/// A text as a JSON string.
fn quoted(text: &str) -> String {
    let bytes = Value::from(text).to_canonical(Profile::Content).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What is asked of each entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Filter {
    /// `all`: every entry.
    All,
    /// `field = value` and the like. False where the field is absent or of another type than the value.
    Compare {
        /// The field.
        field: Field,
        /// How.
        how: Comparison,
        /// With what.
        value: Literal,
    },
    /// `field in (value, value)`
    In {
        /// The field.
        field: Field,
        /// The values.
        values: Vec<Literal>,
    },
    /// `field exists`
    Exists(Field),
    /// `not filter`
    Not(Box<Filter>),
    /// `filter and filter`
    And(Box<Filter>, Box<Filter>),
    /// `filter or filter`
    Or(Box<Filter>, Box<Filter>),
    /// `trace.any(filter)`: an entry of the same trace fits, this one included.
    AnyOfTrace(Box<Filter>),
}

impl Filter {
    /// Both filters; `all` adds nothing.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All, one) | (one, Self::All) => one,
            (one, other) => Self::And(Box::new(one), Box::new(other)),
        }
    }

    /// A comparison.
    #[must_use]
    pub const fn compare(field: Field, how: Comparison, value: Literal) -> Self {
        Self::Compare { field, how, value }
    }

    /// The filters that all have to fit, none of which is a conjunction.
    #[must_use]
    pub fn conjuncts(&self) -> Vec<&Self> {
        let (mut found, mut open) = (Vec::new(), vec![self]);
        while let Some(filter) = open.pop() {
            match filter {
                Self::And(one, other) => open.extend([&**other, &**one]),
                filter => found.push(filter),
            }
        }
        found
    }

    /// This filter and all within it, from the outside in and from left to right.
    pub fn visit<'a>(&'a self, each: &mut dyn FnMut(&'a Self)) {
        let mut open = vec![self];
        while let Some(filter) = open.pop() {
            each(filter);
            match filter {
                Self::Not(within) | Self::AnyOfTrace(within) => open.push(within),
                Self::And(one, other) | Self::Or(one, other) => open.extend([&**other, &**one]),
                Self::All | Self::Compare { .. } | Self::In { .. } | Self::Exists(_) => {}
            }
        }
    }

    /// Its field, if it asks about one.
    #[must_use]
    pub const fn field(&self) -> Option<&Field> {
        match self {
            Self::Compare { field, .. } | Self::In { field, .. } | Self::Exists(field) => Some(field),
            _ => None,
        }
    }

    /// How strongly what it is made of holds together: a filter stands in brackets below one that holds more strongly.
    const fn strength(&self) -> u8 {
        match self {
            Self::Or(..) => 0,
            Self::And(..) => 1,
            _ => 2,
        }
    }

    fn within(&self, least: u8, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.strength() < least { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Compare { field, how, value } => write!(f, "{field} {} {value}", how.as_str()),
            Self::In { field, values } => {
                let values: Vec<String> = values.iter().map(ToString::to_string).collect();
                write!(f, "{field} in ({})", values.join(", "))
            }
            Self::Exists(field) => write!(f, "{field} exists"),
            Self::Not(within) => {
                f.write_str("not ")?;
                within.within(2, f)
            }
            // A chain leans to the left, so that what stands on the right in one is in brackets.
            Self::And(one, other) => {
                one.within(1, f)?;
                f.write_str(" and ")?;
                other.within(2, f)
            }
            Self::Or(one, other) => {
                one.within(0, f)?;
                f.write_str(" or ")?;
                other.within(1, f)
            }
            Self::AnyOfTrace(within) => write!(f, "trace.any({within})"),
        }
    }
}
