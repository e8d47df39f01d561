//! Rows as a Parquet file: the columns of the table, 64-bit integers and UTF-8, in groups of rows that bound the
//! memory. It is not compressed; dictionaries make what repeats small.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{ConvertedType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError as Fault;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::{COLUMNS, Column, ColumnType, ParquetError, Row, TableCell};

/// Rows that are in memory at a time.
pub const ROWS_A_GROUP: usize = 32_768;

impl From<Fault> for ParquetError {
    fn from(fault: Fault) -> Self {
        Self(Box::new(fault))
    }
}

/// A Parquet file that is being written.
pub struct ParquetTable<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    rows: Vec<Row>,
}

impl<W: Write + Send> std::fmt::Debug for ParquetTable<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetTable").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

impl<W: Write + Send> ParquetTable<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// [`ParquetError`].
    pub fn new(out: W) -> Result<Self, ParquetError> {
        let columns = COLUMNS.iter().map(|column| Ok(Arc::new(declared(column)?)));
        let columns = columns.collect::<Result<Vec<_>, Fault>>()?;
        let schema = Type::group_type_builder("record").with_fields(columns).build()?;
        let properties = WriterProperties::builder().set_created_by("proofline".to_owned()).build();
        let writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
        Ok(Self { writer, rows: Vec::new() })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// [`ParquetError`].
    pub fn push(&mut self, row: Row) -> Result<(), ParquetError> {
        self.rows.push(row);
        if self.rows.len() >= ROWS_A_GROUP { self.write_group() } else { Ok(()) }
    }

    /// Ends the file.
    ///
    /// # Errors
    /// [`ParquetError`].
    pub fn finish(mut self) -> Result<(), ParquetError> {
        self.write_group()?;
        self.writer.close()?;
        Ok(())
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        let mut group = self.writer.next_row_group()?;
        for (at, column) in COLUMNS.iter().enumerate() {
            let cells = rows.iter().map(|row| row.get(at).unwrap_or(&TableCell::Null));
            let levels: Vec<i16> = cells.clone().map(|cell| i16::from(*cell != TableCell::Null)).collect();
            let levels = (!column.is_always).then_some(&*levels);
            let missing = || Fault::General("the file has fewer columns than the table".to_owned());
            let mut writer = group.next_column()?.ok_or_else(missing)?;
            match column.column_type() {
                ColumnType::Integer => {
                    let values: Vec<i64> = cells.filter_map(integer).collect();
                    writer.typed::<Int64Type>().write_batch(&values, levels, None)?;
                }
                ColumnType::Text => {
                    let values: Vec<ByteArray> = cells.filter_map(text).collect();
                    writer.typed::<ByteArrayType>().write_batch(&values, levels, None)?;
                }
            }
            writer.close()?;
        }
        group.close()?;
        Ok(())
    }
}

fn declared(column: &Column) -> Result<Type, Fault> {
    let (physical, converted) = match column.column_type() {
        ColumnType::Integer => (Physical::INT64, ConvertedType::NONE),
        ColumnType::Text => (Physical::BYTE_ARRAY, ConvertedType::UTF8),
    };
    let repetition = if column.is_always { Repetition::REQUIRED } else { Repetition::OPTIONAL };
    Type::primitive_type_builder(column.name, physical)
        .with_repetition(repetition)
        .with_converted_type(converted)
        .build()
}

const fn integer(cell: &TableCell) -> Option<i64> {
    match cell {
        TableCell::Integer(number) => Some(*number),
        _ => None,
    }
}

fn text(cell: &TableCell) -> Option<ByteArray> {
    match cell {
        TableCell::Text(text) => Some(ByteArray::from(text.as_str())),
        _ => None,
    }
}
