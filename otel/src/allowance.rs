//! How much is restored of one document of spans. What imports write is restored to about what it was made of; what a
//! forger writes may name one large payload, or one large resource, as often as it likes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use proofline_canon::{Sha256Digest, Value};

/// A piece of an import is not much larger, but for a single large span, of which the payloads are as large.
const SPARE_BYTES: usize = 64 << 20;
/// Content stands in several places of a span, and escapes make it longer.
const TIMES: usize = 16;
/// What a value takes beside its text.
const NODE_BYTES: usize = 8;

/// Bytes that may still be taken. Where there are not enough, nothing more is given from then on.
#[derive(Debug)]
pub(crate) struct Budget(Cell<usize>);

impl Budget {
    pub(crate) const fn of_bytes(bytes: usize) -> Self {
        Self(Cell::new(bytes))
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.0.get() == 0
    }

    pub(crate) fn take(&self, bytes: usize) -> bool {
        let left = self.0.get().checked_sub(bytes);
        self.0.set(left.unwrap_or_default());
        left.is_some()
    }

    /// Takes about what a value is long.
    pub(crate) fn take_value(&self, value: &Value) -> bool {
        let own_bytes = match value {
            Value::String(text) => text.len(),
            _ => 0,
        };
        self.take(own_bytes.saturating_add(NODE_BYTES))
            && match value {
                Value::Array(items) => items.iter().all(|item| self.take_value(item)),
                Value::Object(members) => {
                    members.iter().all(|(name, value)| self.take(name.len()) && self.take_value(value))
                }
                _ => true,
            }
    }
}

/// What may still be restored of a document.
#[derive(Debug)]
pub(crate) struct Allowance {
    /// Of payloads. Content beyond it is missing.
    pub(crate) content: Budget,
    /// Of resources and scopes, wherever spans behind each other stand in others.
    pub(crate) around: Budget,
    met: RefCell<BTreeSet<Sha256Digest>>,
}

impl Allowance {
    /// Of a document of so many bytes.
    pub(crate) fn of_document(bytes: usize) -> Self {
        Self::of_bytes(SPARE_BYTES.saturating_add(bytes.saturating_mul(TIMES)))
    }

    pub(crate) fn of_bytes(bytes: usize) -> Self {
        Self { content: Budget::of_bytes(bytes), around: Budget::of_bytes(bytes), met: RefCell::default() }
    }

    /// Takes a payload, which brings its own share the first time that it is met.
    pub(crate) fn take_payload(&self, name: &Sha256Digest, bytes: usize) -> bool {
        let Self { content, met, .. } = self;
        if !content.is_spent() && met.borrow_mut().insert(*name) {
            content.0.set(content.0.get().saturating_add(bytes.saturating_mul(TIMES)));
        }
        content.take(bytes)
    }
}
