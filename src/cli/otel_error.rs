//! Why telemetry was not imported or exported: code, sentence, place, what to do, and exit code.

use proofline::otel::read::ReadError;
use proofline::otel::{ExportError, ImportError, ImportFileError, ImportRulesError};

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
    /// The export.
    #[error(transparent)]
    Export(#[from] ExportError),
}

impl OtelTrouble {
    /// The stable code.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::File { source, .. } => source.code(),
            Self::Rules { source, .. } => source.code(),
            Self::Export(source) => source.code(),
        }
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> Exit {
        let source = match self {
            Self::File { source, .. } => source,
            Self::Rules { .. } => return Exit::BadInput,
            Self::Export(_) => return Exit::SystemRefused,
        };
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
            Self::Export(_) => None,
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::File { source, .. } => Some(source.hint()),
            Self::Rules { source, .. } => Some(source.hint()),
            Self::Export(source) => Some(source.hint()),
        }
    }
}

impl From<OtelTrouble> for CliError {
    fn from(error: OtelTrouble) -> Self {
        Self::Otel(Box::new(error))
    }
}

impl From<ExportError> for CliError {
    fn from(error: ExportError) -> Self {
        OtelTrouble::from(error).into()
    }
}
