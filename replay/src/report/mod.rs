//! Reports: files that hold what a run came to. `docs/report.md` draws them, `replay/schemas/report.schema.json` is
//! their schema. [`Batch`] writes one, also as one of several shards and over an interruption; [`merge`] makes one
//! of shards; [`ReportFile`] reads one.

mod batch;
mod codes;
mod convert;
mod error;
mod head;
mod junit;
mod line;
mod merge;
mod node;
mod part;
mod partial;
mod progress;
mod read;
mod shard;
mod spelling;
mod totals;

use std::ops::ControlFlow;

use crate::verdict::TraceReplay;

pub use batch::{Batch, End};
pub use convert::{write_json, write_jsonl};
pub use error::{LineFault, ReportError};
pub use head::Head;
pub use junit::write_junit;
pub use line::verdict_line;
pub use merge::{Merged, merge};
pub use part::Part;
pub use progress::Progress;
pub(crate) use progress::{Place, opening_of};
pub use read::{ReportFile, ReportLine, ReportReader, TakeLine};
pub use shard::{Shard, ShardError};
pub use spelling::safe_json;

/// The published schema of a line of a report: JSON Schema 2020-12. The records inside are referred to by the ids of
/// their own schemas, which `proofline_trace::schemas` has.
pub const SCHEMA: &str = include_str!("../../schemas/report.schema.json");

/// Where verdicts come from, as often as they are asked for, in the order of a report.
pub trait Verdicts {
    /// Hands on one after the other, until there are no more or `take` breaks.
    ///
    /// # Errors
    /// [`ReportError`].
    fn each(&self, take: &mut dyn FnMut(TraceReplay) -> ControlFlow<()>) -> Result<(), ReportError>;
}

impl Verdicts for Vec<TraceReplay> {
    fn each(&self, take: &mut dyn FnMut(TraceReplay) -> ControlFlow<()>) -> Result<(), ReportError> {
        let _ = self.iter().try_for_each(|replay| take(replay.clone()));
        Ok(())
    }
}
