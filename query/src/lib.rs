//! QUESTIONS: which entries of a ledger fit a filter, and records as tables.
//!
//! A [`Filter`] is a small text over an entry's header, its record, the records that this one rests on, and its
//! trace. [`answer`] asks it of a fixed prefix of a ledger ([`Snapshot`](proofline_ledger::Snapshot)), by an index
//! where one helps ([`Plan`]), and gives what fits in the order of the log. The language is total: every text is a
//! filter or an error with a place, and every filter says yes or no of every entry that can be read. Of one that
//! cannot be read nothing is guessed: it is an [`Event`] of its own.
//!
//! ```
//! use proofline_ledger::{Action, Genesis, Ledger, Options, Snapshot, Submission};
//! use proofline_query::{Event, Filter, QueryError, Question, answer};
//! # use proofline_trace::{LedgerId, Origin};
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
//! # let origin = Origin::new("ledger.example/desk")?;
//! # let ledger_id = LedgerId::from_bytes([7; 16]);
//! # Ledger::init(&folder, &Genesis { ledger_id, origin, created_at_ms: now_ms })?;
//! let ledger = Ledger::open(&folder, Options::default())?;
//! ledger.commit_action(&Action::Evidence(Submission::bare(record)), now_ms)?;
//!
//! let filter: Filter = r#"auth.actor.actor_id = "staff/ines" and grants ~ tickets:read"#.parse()?;
//! let snapshot = Snapshot::open(&folder)?;
//! let mut found = Vec::new();
//! let (plan, cost) = answer::<_, QueryError>(
//!     &snapshot,
//!     &Question::new(filter),
//!     &|hit| Ok(hit.header().seq.get()),
//!     &mut |event| {
//!         if let Event::Answer(seq) = event {
//!             found.push(seq);
//!         }
//!         Ok(())
//!     },
//! )?;
//! assert_eq!(found, [1]);
//! assert_eq!((plan.way.as_str(), cost.looked_at, cost.decoded), ("scan", 2, 1));
//!
//! // What no record can have is an error, with its place and the nearest name.
//! let error = "outcome.stauts = ok".parse::<Filter>().unwrap_err();
//! assert_eq!(error.to_string(), "there is no field outcome.stauts; is outcome.status meant?");
//! # Ok(())
//! # }
//! ```

mod cell;
mod count;
mod decide;
mod error;
mod field;
mod filter;
mod parse;
mod plan;
mod reach;
mod record;
mod run;
mod subject;
pub mod table;
mod traces;

pub use cell::Datum;
pub use count::{Group, count_by};
pub use error::{FilterError, FilterFault};
pub use field::{BodyPath, EntryField, Field, FieldType, RecordField, SetField, TraceField, Whose};
pub use filter::{Comparison, Filter, Literal};
pub use parse::{MAX_DEPTH, MAX_FILTER_BYTES, MAX_TERMS};
pub use plan::{Plan, Way};
pub use run::{Cost, Event, Hit, QueryError, Question, Undecided, answer};
pub use traces::{TracesFound, traces_with};
