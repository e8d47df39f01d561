//! Why a back-test, or the recording of its report, did not come to an end.

use proofline_ledger::{ArtifactRefusal, LedgerError, TreeError};
use proofline_policy::PolicyError;
use thiserror::Error;

use crate::error::ReplayError;

/// Why a back-test stopped.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BacktestError {
    /// The ledger could not be read, or the sink asked to stop.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The other policy is none that can be asked.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// There is no engine to ask it.
    #[error("a back-test needs an engine that asks the policy")]
    NoEngine,
    /// The plan names pairs of traces.
    #[error("a back-test is of traces, one by one")]
    Pairs,
}

impl BacktestError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Replay(error) => error.code(),
            Self::Policy(error) => error.code(),
            Self::NoEngine => "backtest.no_engine",
            Self::Pairs => "backtest.pairs",
        }
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Replay(error) => error.hint(),
            Self::Policy(error) => error.hint(),
            Self::NoEngine => "give the means an engine, such as `CedarEngine`",
            Self::Pairs => "choose traces, or all of them",
        }
    }
}

/// Why the report of a back-test is not in the ledger.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BacktestRecordError {
    /// The ledger did not take it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The root of the log that was read cannot be made.
    #[error(transparent)]
    Root(#[from] TreeError),
    /// The gate refuses it: it is about another log, or names too many traces.
    #[error("the ledger refuses the report of the back-test: {0}")]
    Refused(ArtifactRefusal),
    /// The ledger answered as it never does about an artifact.
    #[error("the ledger gave no answer about the report of the back-test")]
    Unanswered,
}

impl BacktestRecordError {
    /// The stable code of this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ledger(error) => error.code(),
            Self::Root(error) => error.code(),
            Self::Refused(_) => "backtest.record_refused",
            Self::Unanswered => "backtest.record_unanswered",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Ledger(error) => error.hint(),
            Self::Root(_) => "`proofline verify` shows what is wrong with the ledger",
            Self::Refused(_) => "record the report in the ledger that was read; choose fewer traces",
            Self::Unanswered => "open the ledger again and record the report again",
        }
    }
}
