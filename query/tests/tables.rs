//! Tables against the slow twin: every cell of every row from the records' own JSON, in each form.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::ledger;
use common::naive::World;
use proofline_ledger::{Seq, Snapshot};
use proofline_query::table::{
    COLUMNS, Row, TableCell, csv_line, csv_row, csv_titles, json_line, json_row, records, row,
};
use proofline_query::{Event, Filter, QueryError, Question, answer};
use serde_json::Value;

fn rows(snapshot: &Snapshot, filter: Filter) -> Vec<Row> {
    let question = Question { reads_chains: true, ..Question::new(records(filter)) };
    let mut rows = Vec::new();
    answer::<_, QueryError>(snapshot, &question, &|hit| row(hit), &mut |event| {
        let Event::Answer(Some(row)) = event else { panic!("{event:?}") };
        rows.push(row);
        Ok(())
    })
    .unwrap();
    rows
}

/// The cells of the table, from the other parser.
fn expected(world: &World, snapshot: &Snapshot) -> Vec<Vec<Value>> {
    let is_record = |seq: usize| {
        let kind = snapshot.header(Seq::new(seq as u64)).unwrap().unwrap().status.kind().as_str();
        kind == "accepted" || kind == "rejected"
    };
    let items = world.items.iter().enumerate().filter(|(seq, _)| is_record(*seq)).map(|(_, item)| item);
    let cell = |value: Option<Value>| match value {
        None => Value::Null,
        Some(Value::Object(set)) => {
            let mut tokens: Vec<String> = set.keys().cloned().collect();
            tokens.sort();
            Value::from(tokens.join(" "))
        }
        Some(value) => value,
    };
    let rows = items
        .map(|item| COLUMNS.iter().map(|column| cell(world.look(item, &column.field.to_string()))).collect());
    rows.collect()
}

#[test]
fn rows_are_what_the_records_say() {
    let home = ledger(31, 25, 16 << 10);
    let snapshot = Snapshot::open(home.path()).unwrap();
    let world = World::of(&snapshot);
    let (rows, expected) = (rows(&snapshot, Filter::All), expected(&world, &snapshot));
    assert_eq!(rows.len(), expected.len());
    assert!(rows.len() > 200);
    let mut csv = csv_titles();
    for (row, expected) in rows.iter().zip(&expected) {
        let mut line = Vec::new();
        json_row(row, &mut line);
        let object: Value = serde_json::from_slice(&line).unwrap();
        for (column, value) in COLUMNS.iter().zip(expected) {
            assert_eq!(object[column.name], *value, "{}", column.name);
            assert!(!column.is_always || !value.is_null(), "{}", column.name);
        }
        csv_row(row, false, &mut csv);
    }
    let lines = read_csv(&String::from_utf8(csv).unwrap());
    assert_eq!(lines.len(), rows.len() + 1);
    for (line, expected) in lines.iter().skip(1).zip(&expected) {
        let texts: Vec<String> = expected
            .iter()
            .map(|value| match value {
                Value::Null => String::new(),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
            .collect();
        assert_eq!(*line, texts);
    }
    // A filter narrows the table.
    let few = self::rows(&snapshot, "record_type = tool_call".parse().unwrap());
    assert!(!few.is_empty() && few.len() < rows.len());
    assert!(few.iter().all(|row| row[5] == TableCell::Text("tool_call".to_owned())));
}

/// A reader of RFC 4180, by its grammar.
fn read_csv(text: &str) -> Vec<Vec<String>> {
    let (mut lines, mut line, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (quoted, c) {
            (true, '"') if chars.peek() == Some(&'"') => field.push(chars.next().unwrap()),
            (true, '"') => quoted = false,
            (true, c) => field.push(c),
            (false, '"') => quoted = true,
            (false, ',') => line.push(std::mem::take(&mut field)),
            (false, '\r') => {
                assert_eq!(chars.next(), Some('\n'));
                line.push(std::mem::take(&mut field));
                lines.push(std::mem::take(&mut line));
            }
            (false, c) => field.push(c),
        }
    }
    assert!(line.is_empty() && field.is_empty());
    lines
}

/// The direct ways to a line against the one by a row.
#[test]
fn lines_are_written_as_rows_are() {
    let home = ledger(33, 25, 16 << 10);
    let snapshot = Snapshot::open(home.path()).unwrap();
    let question = Question { reads_chains: true, ..Question::new(records(Filter::All)) };
    let mut lines = 0;
    let view = |hit: &mut proofline_query::Hit<'_, '_>| {
        let row = row(hit)?.unwrap();
        for is_safe in [false, true] {
            let (mut direct, mut by_row) = (Vec::new(), Vec::new());
            assert!(csv_line(hit, is_safe, &mut direct)?);
            csv_row(&row, is_safe, &mut by_row);
            assert_eq!(String::from_utf8_lossy(&direct), String::from_utf8_lossy(&by_row));
        }
        let (mut direct, mut by_row) = (Vec::new(), Vec::new());
        assert!(json_line(hit, &mut direct)?);
        json_row(&row, &mut by_row);
        assert_eq!(String::from_utf8_lossy(&direct), String::from_utf8_lossy(&by_row));
        Ok(())
    };
    answer::<_, QueryError>(&snapshot, &question, &view, &mut |event| {
        assert!(matches!(event, Event::Answer(())));
        lines += 1;
        Ok(())
    })
    .unwrap();
    assert!(lines > 200);
}

#[test]
fn columns_have_names_of_their_own() {
    let mut names: Vec<&str> = COLUMNS.iter().map(|column| column.name).collect();
    assert!(names.iter().all(|name| {
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit())
    }));
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), COLUMNS.len());
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_gives_back_every_cell() {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    use proofline_query::table::{ParquetTable, ROWS_A_GROUP};

    let home = ledger(32, 25, 16 << 10);
    let snapshot = Snapshot::open(home.path()).unwrap();
    let all = rows(&snapshot, Filter::All);
    // More than a group.
    let all: Vec<Row> = all.iter().cycle().take(ROWS_A_GROUP + 5).cloned().collect();
    let write = || {
        let mut file = tempfile::tempfile().unwrap();
        let mut table = ParquetTable::new(&mut file).unwrap();
        all.iter().for_each(|row| table.push(row.clone()).unwrap());
        table.finish().unwrap();
        file
    };
    let reader = SerializedFileReader::new(write()).unwrap();
    assert_eq!(reader.num_row_groups(), 2);
    let mut count = 0;
    for (read, row) in reader.get_row_iter(None).unwrap().zip(&all) {
        let read = read.unwrap();
        for ((name, field), (cell, column)) in read.get_column_iter().zip(row.iter().zip(&COLUMNS)) {
            assert_eq!(name, column.name);
            let same = match (field, cell) {
                (Field::Null, TableCell::Null) => true,
                (Field::Long(one), TableCell::Integer(other)) => one == other,
                (Field::Str(one), TableCell::Text(other)) => one == other,
                _ => false,
            };
            assert!(same, "{name}: {field:?} {cell:?}");
        }
        count += 1;
    }
    assert_eq!(count, all.len());
    // Of no rows there is a file as well.
    let file = tempfile::tempfile().unwrap();
    ParquetTable::new(file.try_clone().unwrap()).unwrap().finish().unwrap();
    assert_eq!(SerializedFileReader::new(file).unwrap().metadata().file_metadata().num_rows(), 0);
}
