//! Why a question was not answered, or a table not written.

use proofline::query::{Field, FilterError, QueryError};

use super::error::CliError;
use super::exit::Exit;

/// Why a question was not answered, or a table not written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QueryTrouble {
    /// The text is no filter.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// The question was not answered to the end.
    #[error(transparent)]
    Question(QueryError),
    /// A name in a list of fields stands for nothing.
    #[error("there is no field {name}{}", meant(nearest))]
    UnknownField {
        /// The name.
        name: String,
        /// One that there is.
        nearest: Option<String>,
    },
    /// A name in a list of fields for the second time.
    #[error("{0} is named twice")]
    FieldTwice(String),
    /// A record of a table cannot be read.
    #[error("the table is not written: record {seq}, or one that it rests on, cannot be read")]
    NoRow {
        /// The record's entry.
        seq: u64,
    },
    /// This program was built without Parquet.
    #[cfg_attr(feature = "parquet", allow(dead_code, reason = "of programs without Parquet"))]
    #[error("this program was built without Parquet")]
    NoParquet,
    /// The Parquet file was not written.
    #[error(transparent)]
    Parquet(#[from] proofline::query::table::ParquetError),
}

fn meant(nearest: &Option<String>) -> String {
    nearest.as_ref().map(|name| format!("; is {name} meant?")).unwrap_or_default()
}

impl From<QueryError> for CliError {
    fn from(error: QueryError) -> Self {
        match error {
            QueryError::Entry(fault) => fault.into(),
            other => QueryTrouble::Question(other).into(),
        }
    }
}

impl From<QueryTrouble> for CliError {
    fn from(trouble: QueryTrouble) -> Self {
        match trouble {
            QueryTrouble::Question(QueryError::Entry(fault)) => fault.into(),
            trouble => Self::Query(Box::new(trouble)),
        }
    }
}

impl QueryTrouble {
    pub(crate) fn unknown(name: &str) -> Self {
        Self::UnknownField { name: name.to_owned(), nearest: Field::nearest(name) }
    }

    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Filter(error) => error.code(),
            Self::Question(error) => error.code(),
            Self::UnknownField { .. } => "query.unknown_field",
            Self::FieldTwice(_) => "query.field_twice",
            Self::NoRow { .. } => "table.no_row",
            Self::NoParquet => "table.no_parquet",
            Self::Parquet(error) => error.code(),
        }
    }

    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Filter(_) | Self::UnknownField { .. } | Self::FieldTwice(_) => Exit::Usage,
            Self::Question(QueryError::TooManyGroups(_)) | Self::NoRow { .. } => Exit::BadInput,
            Self::Question(_) => Exit::SystemRefused,
            Self::NoParquet => Exit::Usage,
            Self::Parquet(_) => Exit::SystemRefused,
        }
    }

    pub(crate) fn place(&self) -> Option<String> {
        match self {
            Self::Filter(error) => Some(format!("column {} of the filter", error.column())),
            _ => None,
        }
    }

    pub(crate) const fn hint(&self) -> &'static str {
        match self {
            Self::Filter(error) => error.hint(),
            Self::Question(error) => error.hint(),
            Self::UnknownField { .. } => "`proofline query --list-fields` lists the names",
            Self::FieldTwice(_) => "name it once",
            Self::NoRow { .. } => {
                "see `proofline verify`; `--archive` names an archive to read; or leave the record out with a filter"
            }
            Self::NoParquet => "build it with `cargo build --release --features parquet`, or take `--to csv`",
            Self::Parquet(_) => "free space where the file goes",
        }
    }

    /// The filter with the place marked, in lines that are safe to print.
    pub(crate) fn drawn(&self) -> Option<[String; 2]> {
        match self {
            Self::Filter(error) => Some(error.drawn()),
            _ => None,
        }
    }
}
