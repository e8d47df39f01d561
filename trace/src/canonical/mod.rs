//! Canonical bytes of envelopes without a value between: there is one order that the members of a record can have,
//! so bytes are walked once, form and schema together, and written in one go.
//!
//! The slow twins are the strict parser with `validate` for reading and `to_value` for writing. Reading answers only
//! where it is sure; whatever else the bytes are, the slow one says, in the words of the contract.

mod cursor;
mod read;
mod write;

pub(crate) use read::read;
pub(crate) use write::write;
