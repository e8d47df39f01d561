//! Why a page is not whole. A failing verdict, a damaged entry and an absent payload are no errors: the page
//! tells of them.

use std::io;

use proofline_canon::StoreError;
use proofline_ledger::EntryFault;
use thiserror::Error;

use crate::report::ReportError;

/// Why the writing of a page stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum HtmlError {
    /// The page could not be written.
    #[error("cannot write the page: {0}")]
    Write(#[from] io::Error),
    /// The verdicts could not be read.
    #[error(transparent)]
    Verdicts(#[from] ReportError),
    /// The system did not give an entry or an index of the log.
    #[error("cannot read the ledger for the page: {0}")]
    Ledger(#[from] EntryFault),
    /// The store of payloads did not answer.
    #[error("cannot look for a payload: {0}")]
    Payloads(#[from] StoreError),
}

impl HtmlError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Write(_) => "html.write",
            Self::Verdicts(error) => error.code(),
            Self::Ledger(_) => "html.ledger",
            Self::Payloads(_) => "html.payloads",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Write(_) => "free space where the page goes, or send it elsewhere",
            Self::Verdicts(error) => error.hint(),
            Self::Ledger(_) => "look at the system's log for the device, then make the page again",
            Self::Payloads(_) => "mend the store of payloads, or make the page without it",
        }
    }
}
