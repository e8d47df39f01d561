//! Rows as CSV (RFC 4180): a line of titles, fields in quotes where they need them, lines that end in CR LF. A null
//! is an empty field, and no text is empty.

use std::io::Write as _;

use proofline_ledger::EntryFault;

use super::{COLUMNS, TableCell, clamped, tokens};
use crate::cell::{Cell, Found, put_digits};
use crate::run::Hit;

/// What a spreadsheet may take for the beginning of a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// The line of titles.
#[must_use]
pub fn csv_titles() -> Vec<u8> {
    let names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    format!("{}\r\n", names.join(",")).into_bytes()
}

/// Appends a row. With `is_safe`, a text that a spreadsheet may take for a formula begins with an apostrophe.
pub fn csv_row(row: &[TableCell], is_safe: bool, out: &mut Vec<u8>) {
    for (at, cell) in row.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        match cell {
            TableCell::Null => {}
            TableCell::Integer(number) => out.extend(number.to_string().bytes()),
            TableCell::Text(text) => field(text, is_safe, out),
        }
    }
    out.extend(b"\r\n");
}

/// [`csv_row`] of [`row`](super::row), without the row between; false where something of the record is not at hand, and
/// what was appended is then to be thrown away.
///
/// # Errors
/// [`EntryFault::Io`].
pub fn csv_line(hit: &mut Hit<'_, '_>, is_safe: bool, out: &mut Vec<u8>) -> Result<bool, EntryFault> {
    for (at, column) in COLUMNS.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let is_known = hit.read(&column.field, |found| match found {
            Found::Unknown => false,
            Found::Absent => true,
            Found::Cell(cell) => {
                put(cell, is_safe, out);
                true
            }
        })?;
        if !is_known {
            return Ok(false);
        }
    }
    out.extend(b"\r\n");
    Ok(true)
}

fn put(cell: Cell<'_>, is_safe: bool, out: &mut Vec<u8>) {
    match cell {
        // Writing to memory does not fail.
        Cell::Integer(number) => drop(write!(out, "{}", clamped(number))),
        Cell::Text(text) => field(text, is_safe, out),
        Cell::Hex(bytes) => put_digits(bytes, out),
        Cell::Set(set) => tokens(set, out),
        Cell::Flag(_) | Cell::Json(_) => {
            field(&cell.to_datum().text().unwrap_or_default(), is_safe, out);
        }
    }
}

fn field(text: &str, is_safe: bool, out: &mut Vec<u8>) {
    let mark = if is_safe && text.starts_with(FORMULA) { "'" } else { "" };
    if !text.contains([',', '"', '\r', '\n']) {
        out.extend_from_slice(mark.as_bytes());
        out.extend_from_slice(text.as_bytes());
        return;
    }
    out.push(b'"');
    out.extend(mark.bytes());
    for byte in text.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_need_it_and_marked_where_it_is_wanted() {
        let texts = ["plain", "a,b", "say \"x\"", "two\r\nlines", "=1+1", "@a,b", "-5"];
        let mut row: Vec<TableCell> = texts.iter().map(|text| TableCell::Text((*text).to_owned())).collect();
        row.extend([TableCell::Null, TableCell::Integer(-5)]);
        let written = |is_safe| {
            let mut out = Vec::new();
            csv_row(&row, is_safe, &mut out);
            String::from_utf8(out).unwrap()
        };
        let begins = "plain,\"a,b\",\"say \"\"x\"\"\",\"two\r\nlines\",";
        assert_eq!(written(false), format!("{begins}=1+1,\"@a,b\",-5,,-5\r\n"));
        assert_eq!(written(true), format!("{begins}'=1+1,\"'@a,b\",'-5,,-5\r\n"));
    }
}
