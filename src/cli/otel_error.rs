//! Why telemetry was not imported: code, sentence, place, what to do, and exit code.

use proofline::otel::read::ReadError;
use proofline::otel::{ImportError, ImportFileError, ImportRulesError};

use super::error::{CliError, exit_of_ledger};
use super::exit::Exit;

/// Why telemetry was not imported, or not to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OtelTrouble {
    /// The file, or the ledger under it.
    #[error("{source}")]
    File {
        /// The file.
        name: String,
        /// Why.
        source: Box<ImportFileError>,
    },
    /// The rules.
    #[error("{source}")]
    Rules {
        /// The file.
        name: String,
        /// Why.
        source: ImportRulesError,
    },
}

impl OtelTrouble {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::File { source, .. } => source.code(),
            Self::Rules { source, .. } => source.code(),
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        let Self::File { source, .. } = self else { return Exit::BadInput };
        match &**source {
            ImportFileError::Read(ReadError::Io { .. }) => Exit::SystemRefused,
            ImportFileError::Import(ImportError::Ledger(error)) => exit_of_ledger(error),
            ImportFileError::Import(ImportError::Store(_)) => Exit::SystemRefused,
            ImportFileError::Import(ImportError::Program(_) | ImportError::Entry(_)) => Exit::Internal,
            _ => Exit::BadInput,
        }
    }

    /// Where it happened.
    pub(crate) fn place(&self) -> Option<String> {
        match self {
            Self::File { name, .. } | Self::Rules { name, .. } => Some(name.clone()),
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::File { source, .. } => Some(source.hint()),
            Self::Rules { source, .. } => Some(source.hint()),
        }
    }
}

impl From<OtelTrouble> for CliError {
    fn from(error: OtelTrouble) -> Self {
        Self::Otel(Box::new(error))
    }
}
