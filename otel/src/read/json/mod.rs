//! OTLP/JSON: surveyed first, for whether it is JSON to its end, and then given span by span.

mod cursor;
pub(crate) mod fast;
mod give;
mod hex;
mod number;
pub(crate) mod skip;
pub(crate) mod slow;
mod survey;
#[cfg(test)]
mod twins;
mod walk;

pub(crate) use give::{Giver, digest};
pub(crate) use skip::Fault;
pub(crate) use survey::{Documents, Survey};
