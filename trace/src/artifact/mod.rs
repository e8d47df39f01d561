//! What a ledger holds beside envelopes: replay results, their diagnostics, back-tests, producers' signatures,
//! the genesis record, the list of keys, erasures and holds (sections 5 and 7 of the contract). Closed schemas,
//! canonical bytes, one hash each.

mod backtest;
mod diagnostics;
mod difference;
mod emit;
mod erasure;
mod finding;
mod genesis;
mod key_record;
mod otel_import;
mod producer_signature;
mod replay_result;
mod timestamp;
mod trace_index;
mod variance;
mod variance_bound;
mod verdict_seal;

pub use backtest::{BacktestRecord, BacktestTotals};
pub use diagnostics::{Coverage, Failure, ReplayDiagnostics};
pub use difference::{Difference, DifferenceKind, DifferenceSide};
pub use erasure::{ErasureRecord, ErasureTarget, HoldRecord, HoldTarget, ReleaseRecord, TargetKind};
pub use finding::{Finding, FindingCode, Severity};
pub use genesis::GenesisRecord;
pub use key_record::{Endorsement, KeyChange, KeyEvent, KeyRecord};
pub use otel_import::{
    Became, CallRecords, Capture, Counted, ImportAccount, ImportTotals, ImportedSpan, Mapping, OtelImport,
    SpanStatus,
};
pub use producer_signature::ProducerSignature;
pub use replay_result::{FailureClass, NotAFailure, ReplayMode, ReplayResult, ReplayType, Verdict};
pub use timestamp::{Timestamp, TimestampError};
pub use trace_index::TraceIndexRecord;
pub use variance::{AllowedVariance, MayVary};
pub use variance_bound::{BoundCalls, VarianceBound};
pub use verdict_seal::{EngineVersion, ToolVersion, TreeHead, VerdictSeal, VerdictSignature};

/// Canonical bytes and their digest, the same for every artifact (section 3).
macro_rules! identity {
    ($name:ident) => {
        impl $name {
            fn by_value(&self) -> Vec<u8> {
                crate::seal::canonical_bytes(&self.to_value())
            }
        }
        crate::artifact::identity!($name, $name::by_value);
    };
    ($name:ident, $write:path) => {
        impl $name {
            /// The record's canonical bytes (RFC 8785).
            #[must_use]
            pub fn canonical(&self) -> Vec<u8> {
                $write(self)
            }

            /// SHA-256 of the canonical bytes: its artifact key.
            #[must_use]
            pub fn sha256(&self) -> proofline_canon::Sha256Digest {
                proofline_canon::Sha256Digest::of(&self.canonical())
            }
        }
    };
}
use identity;
