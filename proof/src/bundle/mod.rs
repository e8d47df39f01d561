//! Evidence bundles: one file with all that a ledger holds about some traces up to a signed size, and what shows that
//! nothing is left out. `docs/bundle.md` draws it. Nothing here needs a ledger: a [`Bundle`] reads from anything that
//! can seek, in memory that grows with the traces and entries in it and not with their bytes.
//!
//! - [`Bundle::open`] and [`Bundle::verify`]: read and judge one; [`verify_bundle`] does both.
//! - [`BundleWriter`]: write one, member by member.
//! - [`withhold`]: a copy with less in it, which still verifies.

mod body;
mod container;
mod entries;
mod fault;
mod index;
mod manifest;
mod report;
mod survey;
mod verify;
mod withhold;
mod write;

pub use body::{Body, BodyError, MAX_BODY_BYTES, schema_sha256};
pub use container::MAX_MEMBER_BYTES;
pub use entries::BundleEntry;
pub use fault::{BundleError, BundleFault, BundleStep, Question};
pub use index::ShownLeaf;
pub use manifest::{MAX_MANIFEST_BYTES, Manifest, PayloadClaim, PayloadState, SchemaClaim, TraceClaim};
pub use report::{Answer, BundleReport, EntryCounts};
pub use verify::{Bundle, BundleTrust, verify_bundle};
pub use withhold::{Withholding, withhold};
pub use write::BundleWriter;
