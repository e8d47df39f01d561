//! Rows as JSON lines: an object a line, with every column, `null` where there is nothing.

use std::io::Write as _;

use proofline_canon::{Profile, Value};
use proofline_ledger::EntryFault;

use super::{COLUMNS, TableCell, clamped, tokens};
use crate::cell::{Cell, Found, put_digits};
use crate::run::Hit;

/// Appends a row.
pub fn json_row(row: &[TableCell], out: &mut Vec<u8>) {
    for (at, (column, cell)) in COLUMNS.iter().zip(row).enumerate() {
        name(at, column.name, out);
        match cell {
            TableCell::Null => out.extend(b"null"),
            TableCell::Integer(number) => out.extend(number.to_string().bytes()),
            TableCell::Text(text) => string(text, out),
        }
    }
    out.extend(b"}\n");
}

/// [`json_row`] of [`row`](super::row), without the row between; false where something of the record is not at hand,
/// and what was appended is then to be thrown away.
///
/// # Errors
/// [`EntryFault::Io`].
pub fn json_line(hit: &mut Hit<'_, '_>, out: &mut Vec<u8>) -> Result<bool, EntryFault> {
    for (at, column) in COLUMNS.iter().enumerate() {
        name(at, column.name, out);
        let is_known = hit.read(&column.field, |found| match found {
            Found::Unknown => false,
            Found::Absent => {
                out.extend_from_slice(b"null");
                true
            }
            Found::Cell(cell) => {
                put(cell, out);
                true
            }
        })?;
        if !is_known {
            return Ok(false);
        }
    }
    out.extend_from_slice(b"}\n");
    Ok(true)
}

fn name(at: usize, name: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(if at == 0 { b"{\"" } else { b",\"" });
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
}

fn put(cell: Cell<'_>, out: &mut Vec<u8>) {
    match cell {
        // Writing to memory does not fail.
        Cell::Integer(number) => drop(write!(out, "{}", clamped(number))),
        Cell::Text(text) => string(text, out),
        Cell::Hex(bytes) => {
            out.push(b'"');
            put_digits(bytes, out);
            out.push(b'"');
        }
        Cell::Set(set) => {
            out.push(b'"');
            tokens(set, out);
            out.push(b'"');
        }
        Cell::Flag(_) | Cell::Json(_) => string(&cell.to_datum().text().unwrap_or_default(), out),
    }
}

fn string(text: &str, out: &mut Vec<u8>) {
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\') {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        out.extend(Value::from(text).to_canonical(Profile::Content).unwrap_or_default());
    }
}
