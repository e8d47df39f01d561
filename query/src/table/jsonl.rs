//! Rows as JSON lines: an object a line, with every column, `null` where there is nothing.

use proofline_canon::{Profile, Value};

use super::{COLUMNS, TableCell};

/// Appends a row.
pub fn json_row(row: &[TableCell], out: &mut Vec<u8>) {
    for (at, (column, cell)) in COLUMNS.iter().zip(row).enumerate() {
        let before = if at == 0 { '{' } else { ',' };
        out.extend(format!("{before}\"{}\":", column.name).bytes());
        match cell {
            TableCell::Null => out.extend(b"null"),
            TableCell::Integer(number) => out.extend(number.to_string().bytes()),
            TableCell::Text(text) => {
                out.extend(Value::from(text.as_str()).to_canonical(Profile::Content).unwrap_or_default());
            }
        }
    }
    out.extend(b"}\n");
}
