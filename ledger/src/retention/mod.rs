//! Retention: rules, as data, say from when on segments may be archived and payloads erased. A plan holds
//! a ledger against them and says of each why, or why not; it changes nothing.

mod holds;
mod plan;
mod rules;

pub use holds::LedgerHolds;
pub use plan::{BlobPlan, BlobState, Holds, RetentionPlan, SegmentPlan, SegmentState, plan_retention};
pub use rules::{ArchiveRule, EraseRule, RetentionFault, RetentionRules};
