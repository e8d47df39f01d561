//! An append-only evidence ledger for AI-assisted decisions, with a replay engine that proves what it holds.
//!
//! An agent acts; somebody was authenticated, a policy decided, a model or a tool was called. Each of these is one
//! evidence record. A ledger keeps them in an order that cannot be changed unnoticed, refuses what the contract
//! refuses, and keeps the refused attempts too. A replay reads it all again and says what still holds.
//!
//! This crate is the roof of the house; the floors below are crates of their own, lowest first:
//!
//! - [`canon`]: one value, one encoding, one digest;
//! - [`trace`]: what a record says;
//! - [`policy`]: what a policy says of a request;
//! - [`proof`]: what a ledger claims, and how anyone checks it without one;
//! - [`ledger`]: the gate, the log, its indexes;
//! - [`query`]: which entries fit a filter, and records as tables;
//! - [`replay`]: read again, decide again, compare.
//!
//! The program `proofline` does the same from a shell.
//!
//! ```
//! use proofline::ledger::{Action, Genesis, Ledger, Options, Outcome, Snapshot, Submission};
//! use proofline::trace::{Envelope, LedgerId, Origin, read_envelope};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! # let (folder, now_ms) = (home.path().join("ledger"), 1_769_817_600_000);
//! # let record = br#"{"spec_version":"1.0.0","canon_version":"1","record_type":"auth_context",
//! #   "ts_ms":1769817600000,"trace":{"trace_id":"4bf92f3577b34da6a3ce929d0e0e4736",
//! #   "span_id":"00f067aa0ba902b7","span_kind":"root"},"producer":{"layer":"cpo","component":"gateway"},
//! #   "actor":{"actor_kind":"user","actor_id":"staff/ines"},"credential":{"credential_kind":"oidc",
//! #   "issuer":"https://id.example","presented_hash_sha256":
//! #   "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","verified_at_ms":1769817600000,
//! #   "expires_at_ms":1769821200000},"grants":{"tickets:read":true}}"#;
//! let ledger_id = LedgerId::from_bytes([7; 16]); // draw sixteen random bytes
//! let origin = Origin::new("ledger.example/desk")?;
//! Ledger::init(&folder, &Genesis { ledger_id, origin, created_at_ms: now_ms })?;
//!
//! // The one way in. The answer comes back when all it rests on is durable.
//! let ledger = Ledger::open(&folder, Options::default())?;
//! let outcome = ledger.commit_action(&Action::Evidence(Submission::bare(record)), now_ms)?;
//! let Outcome::Accepted { envelope_hash, seq, .. } = outcome else { return Err("refused".into()) };
//!
//! // A fixed prefix to read, in this process or another, while others append.
//! let snapshot = Snapshot::open(&folder)?;
//! let entry = snapshot.entry(seq)?.ok_or("no entry")?;
//! let sealed = read_envelope(&entry.body, &proofline::canon::Limits::ENVELOPE)?;
//! assert_eq!(sealed.hash(), envelope_hash);
//! assert!(matches!(sealed.envelope(), Envelope::AuthContext(_)));
//! # Ok(())
//! # }
//! ```

mod command_tool;
mod decide;

pub use command_tool::{CommandError, CommandLimits, CommandTool};
pub use decide::{DecideError, Decided, DecisionOrder, Weighed, decide, weigh};
#[doc(inline)]
pub use proofline_canon as canon;
#[doc(inline)]
pub use proofline_ledger as ledger;
#[doc(inline)]
pub use proofline_otel as otel;
#[doc(inline)]
pub use proofline_policy as policy;
#[doc(inline)]
pub use proofline_policy::NamedPolicy;
#[doc(inline)]
pub use proofline_proof as proof;
#[doc(inline)]
pub use proofline_query as query;
#[doc(inline)]
pub use proofline_replay as replay;
#[doc(inline)]
pub use proofline_trace as trace;
