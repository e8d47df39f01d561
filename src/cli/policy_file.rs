//! Reads the file of a policy, and that of a schema beside it.

use std::path::Path;

use proofline::policy::{CedarEngine, Statement, ValidationError};

use super::deciding_error::DecidingError;
use super::error::CliError;
use super::input::Source;

/// One more than the engine reads, so that the engine says what is too long.
const MAX_BYTES: usize = (16 << 20) + 1;

/// A policy's bytes and what its file is called.
pub(crate) struct PolicyFile {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

impl PolicyFile {
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let source = Source::of(Some(path));
        Ok(Self { name: source.name(), bytes: source.read_all(MAX_BYTES)? })
    }

    /// Holds the policy against a schema.
    pub(crate) fn validate(
        &self,
        schema: &Path,
    ) -> Result<Result<Vec<Statement>, ValidationError>, CliError> {
        let schema = Self::read(schema)?;
        match CedarEngine.validate(&self.bytes, &schema.bytes) {
            Err(source) if source.is_of_schema() => {
                Err(DecidingError::Validation { name: schema.name, source }.into())
            }
            validated => Ok(validated),
        }
    }

    /// Refuses a policy that does not pass under a schema.
    pub(crate) fn must_pass(&self, schema: Option<&Path>) -> Result<(), CliError> {
        let Some(schema) = schema else { return Ok(()) };
        let validated = self.validate(schema)?;
        let refused = |source| DecidingError::Validation { name: self.name.clone(), source };
        Ok(validated.map(drop).map_err(refused)?)
    }
}
