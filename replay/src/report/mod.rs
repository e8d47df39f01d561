//! Where a report takes its verdicts from: a list in memory, or a file that is read as often as it takes.

use std::io;
use std::ops::ControlFlow;

use thiserror::Error;

use crate::verdict::TraceReplay;

/// Verdicts that can be gone over again and again, each time the same and in the same order.
pub trait Verdicts {
    /// Hands over each verdict until the taker breaks, which is no error.
    ///
    /// # Errors
    /// [`ReportError`]: the verdicts could not be read to their end.
    fn each(&self, take: &mut dyn FnMut(TraceReplay) -> ControlFlow<()>) -> Result<(), ReportError>;
}

impl Verdicts for Vec<TraceReplay> {
    fn each(&self, take: &mut dyn FnMut(TraceReplay) -> ControlFlow<()>) -> Result<(), ReportError> {
        let _ = self.iter().try_for_each(|replay| take(replay.clone()));
        Ok(())
    }
}

/// Why there is no report.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// The system did not give the verdicts.
    #[error("cannot read the verdicts: {0}")]
    Read(#[from] io::Error),
}

impl ReportError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Read(_) => "report.read",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Read(_) => "look at the file and at the system's log, then make the report again",
        }
    }
}
