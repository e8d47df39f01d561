//! Evidence from OpenTelemetry: what teams have already, brought under proof.
//!
//! [`read`](mod@read) takes OTLP traces from files, JSON or protobuf in every framing that is met, in bounded memory.
//! [`Importer`] makes evidence of the spans: calls of models and tools become records with the decision of a policy
//! before each, what was said becomes payloads, and an artifact of each trace names every span and what it became, so
//! that an import can be repeated. [`import_file`] does both for a file, and ends with its account. [`Exporter`] gives
//! traces back, with what the ledger proves of them, and [`write`](mod@write) writes them as OTLP.
//! [`generate`](mod@generate) makes telemetry to measure and test with.
//! `docs/otel.md` has the mapping, `docs/otel-export.md` what an export adds.
//!
//! ```
//! use std::io::Cursor;
//!
//! use proofline_ledger::{Blobs, Genesis, Ledger, Options};
//! use proofline_otel::{ImportOrder, import_file, read::ReadOptions};
//! use proofline_trace::{LedgerId, Origin};
//!
//! # let home = tempfile::tempdir()?;
//! # let (folder, now_ms) = (home.path().join("ledger"), 1_790_000_000_000);
//! # let genesis = Genesis {
//! #     ledger_id: LedgerId::from_bytes([7; 16]),
//! #     origin: Origin::new("ledger.example/agents")?,
//! #     created_at_ms: now_ms,
//! # };
//! # Ledger::init(&folder, &genesis)?;
//! let spans = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[{
//!     "traceId":"9fe88fc6d49fd8148bab5e17cf0d1f22","spanId":"9174c5e2e6d8b10a","name":"execute_tool refund",
//!     "startTimeUnixNano":"1727740811631000000","endTimeUnixNano":"1727740811781000000","attributes":[
//!         {"key":"gen_ai.operation.name","value":{"stringValue":"execute_tool"}},
//!         {"key":"gen_ai.tool.name","value":{"stringValue":"refund"}},
//!         {"key":"gen_ai.tool.call.arguments","value":{"stringValue":"{\"amount\": 40}"}}]}]}]}]}"#;
//! let (ledger, blobs) = (Ledger::open(&folder, Options::default())?, Blobs::open(&folder)?);
//! let order = ImportOrder::recording()?;
//! let mut import = || {
//!     let options = ReadOptions::default();
//!     import_file(&ledger, &blobs, &order, &mut Cursor::new(spans), &options, &mut || now_ms, &mut |_| {})
//! };
//!
//! let imported = import()?;
//! assert_eq!(imported.account.totals.tool_calls.get(), 1);
//! assert_eq!(imported.appended, 5); // a context, a decision, a call, what the span became, the account
//! assert_eq!(import()?.appended, 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod allowance;
mod content;
mod export;
mod form;
mod genai;
pub mod generate;
mod import;
mod kept;
mod payload;
pub mod read;
mod restore;
mod rules;
mod scaled;
mod shape;
mod spans_document;
mod spelling;
mod value;
pub mod write;

/// The types of OTLP, in the version that this crate speaks.
pub use opentelemetry_proto;

pub use export::{
    ExportError, ExportTally, ExportVerdict, ExportVerdicts, ExportedTrace, Exporter, RecordedVerdict,
    Together, WrittenTrace,
};
pub use import::{
    AskedOf, Identity, ImportError, ImportFileError, ImportOrder, Imported, Importer, MAPPER, MAPPER_VERSION,
    RECORDING_POLICY, Source, actor_from, import_file,
};
pub use payload::PAYLOAD_CONTENT_TYPE;
pub use rules::{ImportRules, ImportRulesError};
pub use spans_document::SPANS_CONTENT_TYPE;
