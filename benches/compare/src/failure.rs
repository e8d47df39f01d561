//! Why something was not measured.

use std::error::Error;
use std::io;
use std::path::Path;

/// Why a row has no figure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A file or a program would not.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// The system's answer.
        source: io::Error,
    },
    /// A store would not.
    #[error("{store}: {source}")]
    Store {
        /// Its name.
        store: &'static str,
        /// Its answer.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A side did not do the work that its figure would be about.
    #[error("{0}")]
    Wrong(String),
    /// This machine cannot answer the question.
    #[error("not measured: {0}")]
    Unmeasured(String),
}

impl Failure {
    /// For `map_err`: what was tried on which file.
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let what = format!("{what} {}", path.display());
        move |source| Self::Io { what, source }
    }

    /// For `map_err`: the answer of a store.
    pub(crate) fn of<E: Error + Send + Sync + 'static>(store: &'static str) -> impl Fn(E) -> Self {
        move |source| Self::Store { store, source: Box::new(source) }
    }
}
