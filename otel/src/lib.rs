//! Evidence from OpenTelemetry: what teams have already, brought under proof.

mod content;
mod genai;
mod import;
mod payload;
pub mod read;
mod rules;
mod spans_document;
mod value;

pub use import::{
    AskedOf, Identity, ImportError, ImportFileError, ImportOrder, Imported, Importer, MAPPER, MAPPER_VERSION,
    RECORDING_POLICY, Source, actor_from, import_file,
};
pub use payload::PAYLOAD_CONTENT_TYPE;
pub use rules::{ImportRules, ImportRulesError};
pub use spans_document::SPANS_CONTENT_TYPE;
