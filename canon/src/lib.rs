//! One value, one encoding, one digest: the bytes that everything above is built on.
//!
//! Evidence is only worth something if two programs, years apart, get the same digest for the
//! same record. This crate makes that so, and nothing else:
//!
//! - **In**: [`parse`] reads one JSON value strictly (UTF-8, unique names, no half surrogate
//!   pairs, nothing after it, within [`Limits`]) and without loss: a [`Number`] is its literal.
//!   [`members`] finds the raw outermost members of a wrapper without judging what they hold.
//! - **Out**: [`Value::to_canonical`] writes RFC 8785 bytes in a [`Profile`] that says which
//!   numbers are admitted. [`canonicalize`] does both; [`check_canonical`] says whether bytes
//!   are canonical already.
//! - **Names**: [`Sha256Digest`], [`Blake3Digest`] and [`Cid`], each with one text form.
//!   A [`ContentStore`] keeps bytes under their digest and checks them both ways.
//!
//! Every error has a stable code (`canon.*`), the byte offset or JSON [`Pointer`] of the fault,
//! and a sentence that says what to do.
//!
//! ```
//! use proofline_canon::{Limits, Profile, Sha256Digest, canonicalize, check_canonical, parse};
//!
//! // Order and spelling do not matter ...
//! let text = br#" { "b": "h\u0065llo", "c": true, "a": 1 } "#;
//! let bytes = canonicalize(text, Profile::Envelope, &Limits::ENVELOPE)?;
//! assert_eq!(bytes, br#"{"a":1,"b":"hello","c":true}"#);
//! check_canonical(&bytes, Profile::Envelope, &Limits::ENVELOPE)?;
//! assert_eq!(
//!     Sha256Digest::of(&bytes).to_string(),
//!     "a21f08b57e7301be5ff081e26710117f5214dcc7ab04a5435249ac7a981bf26b",
//! );
//!
//! // ... and what could be read in two ways is not read at all.
//! let error = parse(br#"{"a":1,"a":2}"#, &Limits::ENVELOPE).unwrap_err();
//! assert_eq!(
//!     error.to_string(),
//!     "repeated member name \"a\" at byte 7: keep one of the two",
//! );
//! # Ok::<(), proofline_canon::CanonError>(())
//! ```
//!
//! `serde_json` is known here only as a neighbour ([`Value::to_json`], `TryFrom`): it never
//! parses evidence, and no byte depends on its features.

mod already;
pub mod cbor;
mod cid;
mod decimal;
mod digest;
mod emit;
mod error;
mod json;
mod limits;
mod members;
mod number;
mod parse;
mod path;
mod plain;
mod pointer;
mod store;
mod unique;
mod value;
mod write;

pub use cid::Cid;
pub use digest::{Blake3Digest, NameError, Sha256Digest, Sha256Hasher, base64, hex, unbase64, unhex};
pub use emit::Emitter;
pub use error::{CanonError, ParseError, ParseErrorKind, WriteError, WriteErrorKind};
pub use limits::Limits;
pub use members::{RawMember, RawMembers, members};
pub use number::{Integer, MAX_SAFE_INTEGER, Number};
pub use parse::parse;
pub use plain::plain_len;
pub use pointer::Pointer;
pub use store::{ContentStore, MemoryStore, StoreError};
pub use value::{Object, Value};
pub use write::{Profile, canonicalize, check_canonical};
