//! Strict readers of the small files that steer a comparison. What is not understood is refused
//! with its place: a slip of the pen must not allow more, or compare less, than was meant.

use proofline_canon::{Limits, Object, ParseError, Pointer, Value, parse};
use thiserror::Error;

/// Why a file, or a line of one, is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum FormError {
    /// No strict JSON.
    #[error("it is no strict JSON: {0}")]
    Malformed(#[from] ParseError),
    /// A value of another type than the form has there.
    #[error("{pointer} is not {expected}", pointer = place(pointer))]
    Type {
        /// Where.
        pointer: Pointer,
        /// What belongs there.
        expected: &'static str,
    },
    /// A member that must be there is not.
    #[error("{pointer} lacks the member `{name}`", pointer = place(pointer))]
    Missing {
        /// The object that lacks it.
        pointer: Pointer,
        /// The member.
        name: &'static str,
    },
    /// A member that the form does not have.
    #[error("{pointer} is a member that the form does not have; it has {known}", pointer = place(pointer))]
    Unknown {
        /// The member.
        pointer: Pointer,
        /// Those that there are.
        known: &'static str,
    },
    /// A word that is none of those the form has.
    #[error("{pointer} is none of {known}", pointer = place(pointer))]
    Word {
        /// Where.
        pointer: Pointer,
        /// Those that there are.
        known: &'static str,
    },
    /// An item for the second time.
    #[error("{pointer} says what was said before", pointer = place(pointer))]
    Repeated {
        /// The second one.
        pointer: Pointer,
    },
    /// Two items that some call has both of, and nothing says which counts.
    #[error("{pointer} names some calls that another bound names too, and neither names more of them", pointer = place(pointer))]
    Ambiguous {
        /// One of the two.
        pointer: Pointer,
    },
    /// A text that is no trace id.
    #[error("{pointer} is no trace id: 32 lower-case hex digits, not all zero", pointer = place(pointer))]
    TraceId {
        /// Where.
        pointer: Pointer,
    },
}

impl FormError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Malformed(error) => error.code(),
            Self::Type { .. } => "form.type",
            Self::Missing { .. } => "form.missing",
            Self::Unknown { .. } => "form.unknown",
            Self::Word { .. } => "form.word",
            Self::Repeated { .. } => "form.repeated",
            Self::Ambiguous { .. } => "form.ambiguous",
            Self::TraceId { .. } => "form.trace_id",
        }
    }

    /// The place in the document (RFC 6901); none where it could not be parsed.
    #[must_use]
    pub const fn pointer(&self) -> Option<&Pointer> {
        match self {
            Self::Malformed(_) => None,
            Self::Type { pointer, .. }
            | Self::Missing { pointer, .. }
            | Self::Unknown { pointer, .. }
            | Self::Word { pointer, .. }
            | Self::Repeated { pointer }
            | Self::Ambiguous { pointer }
            | Self::TraceId { pointer } => Some(pointer),
        }
    }
}

/// A place in a sentence: nobody reads an empty pointer as the document.
fn place(pointer: &Pointer) -> String {
    if pointer.is_root() { "the document".to_owned() } else { format!("{:?}", pointer.to_string()) }
}

/// One JSON document within the limits of envelopes.
pub(crate) fn document(bytes: &[u8]) -> Result<Value, FormError> {
    Ok(parse(bytes, &Limits::ENVELOPE)?)
}

/// An object.
pub(crate) fn object<'a>(value: &'a Value, at: &Pointer) -> Result<&'a Object, FormError> {
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(FormError::Type { pointer: at.clone(), expected: "an object" }),
    }
}

/// A text.
pub(crate) fn text<'a>(value: &'a Value, at: &Pointer) -> Result<&'a str, FormError> {
    value.as_str().ok_or_else(|| FormError::Type { pointer: at.clone(), expected: "a string" })
}

/// The members of an object that has these and no others; `known` names them in sentences.
pub(crate) fn members<'a, const N: usize>(
    value: &'a Value,
    names: [&'static str; N],
    known: &'static str,
) -> Result<[&'a Value; N], FormError> {
    let root = Pointer::root();
    let object = object(value, &root)?;
    let mut found = [value; N];
    for (place, name) in found.iter_mut().zip(names) {
        *place = object.get(name).ok_or_else(|| FormError::Missing { pointer: root.clone(), name })?;
    }
    match object.names().find(|name| !names.contains(name)) {
        Some(unknown) => Err(FormError::Unknown { pointer: root.child(unknown), known }),
        None => Ok(found),
    }
}
