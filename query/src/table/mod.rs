//! Records as tables: one row a record of evidence, refused attempts included, in flat columns that keep their names,
//! their order and their types. `docs/tables.md` is for whoever reads them.

mod csv;
mod jsonl;
#[cfg(feature = "parquet")]
mod parquet;

use proofline_ledger::EntryFault;
use proofline_trace::StringSet;
use thiserror::Error;

use crate::cell::Datum;
use crate::field::{EntryField as E, Field, FieldType, RecordField as R, Whose};
use crate::filter::{Filter, Literal};
use crate::run::Hit;

pub use csv::{csv_line, csv_row, csv_titles};
pub use jsonl::{json_line, json_row};
#[cfg(feature = "parquet")]
pub use parquet::{ParquetTable, ROWS_A_GROUP};

/// Why there is no Parquet file.
#[derive(Debug, Error)]
#[error("the Parquet file cannot be written: {0}")]
pub struct ParquetError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl ParquetError {
    /// A stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "table.parquet"
    }
}

/// A column of the table.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name, which ends in the unit.
    pub name: &'static str,
    /// The field that it shows.
    pub field: Field,
    /// Whether every row has a value.
    pub is_always: bool,
}

/// What values a column has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnType {
    /// A signed integer of 64 bits.
    Integer,
    /// Text in UTF-8.
    Text,
}

impl Column {
    /// What values it has.
    #[must_use]
    pub const fn column_type(&self) -> ColumnType {
        match self.field.field_type() {
            FieldType::Integer | FieldType::Time => ColumnType::Integer,
            _ => ColumnType::Text,
        }
    }
}

const fn entry(name: &'static str, field: E, is_always: bool) -> Column {
    Column { name, field: Field::Entry(field), is_always }
}

const fn always(name: &'static str, field: R) -> Column {
    Column { name, field: Field::Record(Whose::Own, field), is_always: true }
}

const fn own(name: &'static str, field: R) -> Column {
    Column { name, field: Field::Record(Whose::Own, field), is_always: false }
}

const fn context(name: &'static str, field: R) -> Column {
    Column { name, field: Field::Record(Whose::Context, field), is_always: false }
}

const fn decision(name: &'static str, field: R) -> Column {
    Column { name, field: Field::Record(Whose::Decision, field), is_always: false }
}

/// Every column, in order. New ones are added at the end.
pub static COLUMNS: [Column; 45] = [
    entry("seq", E::Seq, true),
    entry("recorded_at_ms", E::RecordedAt, true),
    entry("classification", E::Classification, true),
    entry("error_kind", E::ErrorKind, false),
    entry("envelope_sha256", E::Hash, true),
    always("record_type", R::RecordType),
    always("trace_id", R::TraceId),
    always("span_id", R::SpanId),
    own("parent_span_id", R::ParentSpanId),
    always("producer_component", R::Component),
    always("time_ms", R::Time),
    own("ended_at_ms", R::EndedAt),
    own("duration_ms", R::Duration),
    own("auth_context_sha256", R::ContextHash),
    own("policy_decision_sha256", R::DecisionHash),
    context("auth_actor_kind", R::ActorKind),
    context("auth_actor_id", R::ActorId),
    own("credential_kind", R::CredentialKind),
    own("credential_issuer", R::Issuer),
    own("credential_presented_sha256", R::PresentedHash),
    own("credential_verified_at_ms", R::VerifiedAt),
    own("credential_expires_at_ms", R::ExpiresAt),
    own("grants", R::Grants),
    decision("policy_id", R::PolicyId),
    decision("policy_version", R::PolicyVersion),
    decision("policy_sha256", R::PolicySha256),
    decision("decision_action", R::Action),
    decision("decision_resource", R::Resource),
    decision("decision_result", R::Result),
    decision("decision_reason_codes", R::ReasonCodes),
    decision("decision_obligations", R::Obligations),
    own("model_provider", R::Provider),
    own("model", R::Model),
    own("tool_adapter_id", R::AdapterId),
    own("tool_name", R::ToolName),
    own("outcome_status", R::Status),
    own("request_content_type", R::RequestContentType),
    own("request_sha256", R::RequestSha256),
    own("request_bytes", R::RequestSize),
    own("response_content_type", R::ResponseContentType),
    own("response_sha256", R::ResponseSha256),
    own("response_bytes", R::ResponseSize),
    own("usage_input_tokens", R::InputTokens),
    own("usage_output_tokens", R::OutputTokens),
    own("usage_total_tokens", R::TotalTokens),
];

/// A cell of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableCell {
    /// The record has no such thing.
    Null,
    /// A number.
    Integer(i64),
    /// Text; a set is its tokens, ascending, with a space between two.
    Text(String),
}

/// A row: a cell for each of [`COLUMNS`].
pub type Row = Vec<TableCell>;

/// The records of evidence among what fits a filter: other entries have no row.
#[must_use]
pub fn records(filter: Filter) -> Filter {
    let kinds = ["accepted", "rejected"].map(|kind| Literal::Text(kind.to_owned()));
    Filter::In { field: Field::Entry(E::Kind), values: kinds.into() }.and(filter)
}

/// The row of a record; none where something of it is not at hand, which no null may stand for.
///
/// # Errors
/// [`EntryFault::Io`].
pub fn row(hit: &mut Hit<'_, '_>) -> Result<Option<Row>, EntryFault> {
    COLUMNS.iter().map(|column| Ok(cell(hit.value(&column.field)?))).collect()
}

fn cell(datum: Datum) -> Option<TableCell> {
    Some(match datum {
        Datum::Unknown => return None,
        Datum::Absent => TableCell::Null,
        Datum::Integer(number) => TableCell::Integer(clamped(number)),
        datum => TableCell::Text(datum.text().unwrap_or_default().into_owned()),
    })
}

/// Only the header of a forged entry has a time that does not fit.
fn clamped(number: i128) -> i64 {
    i64::try_from(number.clamp(i64::MIN.into(), i64::MAX.into())).unwrap_or(i64::MAX)
}

/// Appends the tokens of a set, with a space between two.
fn tokens(set: &StringSet, out: &mut Vec<u8>) {
    for (at, token) in set.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(token.as_str().as_bytes());
    }
}
