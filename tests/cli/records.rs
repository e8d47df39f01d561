//! `records`: tables that are whole or absent. What is in them, `query/tests/tables.rs` holds to another parser.

use std::fs;

use serde_json::Value;

use crate::run::{AGENT_WORK, Ledger, json_lines};

const TITLES: &str = "seq,recorded_at_ms,classification,error_kind,envelope_sha256,record_type,trace_id,";

#[test]
fn tables_are_written_once_and_never_over_another_file() {
    let ledger = Ledger::of(AGENT_WORK);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.csv");
    let write = |more: &[&str]| {
        let out = ["--to", "csv", "--format", "json", "--out", path.to_str().unwrap()];
        ledger.run("records", &[&out[..], more].concat())
    };
    let said = write(&["--threads", "1"]).well().json().remove(0);
    let bytes = fs::read(&path).unwrap();
    assert_eq!((&said["is_new"], &said["form"]), (&true.into(), &"csv".into()));
    assert_eq!(said["file_bytes"], bytes.len());
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.starts_with(TITLES), "{}", text.lines().next().unwrap());
    // Nothing in this evidence has a line break, so that a row is a line.
    let evidence = ledger.run("query", &["kind in (accepted, rejected)", "--count"]).well().stdout;
    let records: usize = evidence.lines().next().unwrap().parse().unwrap();
    assert_eq!(text.split("\r\n").count(), records + 2);
    assert_eq!(said["rows"], records);

    let again = write(&["--threads", "4"]).well().json().remove(0);
    assert_eq!(again["is_new"], false);
    let other = write(&["kind = rejected"]).exits(4);
    assert_eq!(other.error().0, "bundle.exists");
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_dash_is_the_standard_output() {
    let ledger = Ledger::of(AGENT_WORK);
    let folder = tempfile::tempdir().unwrap();
    for form in ["csv", "jsonl"] {
        let path = folder.path().join(form);
        let file = ["--to", form, "--format", "json", "--out", path.to_str().unwrap()];
        let account = ledger.run("records", &file).well().json().remove(0);
        let streamed = ledger.run("records", &["--to", form, "--format", "json", "--out", "-"]).exits(0);
        assert!(streamed.stdout.as_bytes() == fs::read(&path).unwrap());
        let told = json_lines(&streamed.stderr).remove(0);
        assert_eq!(told["file"], "-");
        for member in ["rows", "file_bytes", "head", "form"] {
            assert_eq!(told[member], account[member], "{member}");
        }
        let text = ledger.run("records", &["--to", form, "--out", "-"]).exits(0);
        assert!(text.stdout == streamed.stdout && text.stderr.starts_with("note[query.written]: wrote -: "));
    }
}

#[test]
fn json_lines_have_the_columns_of_the_csv() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    let folder = tempfile::tempdir().unwrap();
    let written = |form: &str, more: &[&str]| {
        let path = folder.path().join(format!("{form}{}", more.len()));
        let out = ["--to", form, "--out", path.to_str().unwrap()];
        ledger.run("records", &[&out[..], more].concat()).well();
        fs::read_to_string(path).unwrap()
    };
    let (csv, json) = (written("csv", &[]), json_lines(&written("jsonl", &[])));
    let titles: Vec<&str> = csv.split("\r\n").next().unwrap().split(',').collect();
    for row in &json {
        assert_eq!(row.as_object().unwrap().len(), titles.len());
        assert!(titles.iter().all(|title| row.get(title).is_some()));
    }
    let refused: Vec<&Value> = json.iter().filter(|row| row["classification"] != "ACCEPT").collect();
    assert_eq!(refused.len(), 2);
    for row in refused {
        assert_eq!(row["error_kind"], "unauthorized.policy_denied");
        assert_eq!(row["decision_result"], "deny");
        assert!(row["auth_actor_id"].is_string());
    }
    assert_eq!(written("csv", &["record_type = auth_context"]).split("\r\n").count(), 3);
}

#[test]
fn no_row_stands_for_what_cannot_be_read() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    ledger.edit(&ledger.segment(), |bytes| {
        let at = bytes.len() - 900;
        bytes[at] ^= 1;
    });
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    ledger.run("records", &["--to", "jsonl", "--out", path.to_str().unwrap()]).exits(3);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[cfg(not(feature = "parquet"))]
#[test]
fn without_the_feature_parquet_is_refused_with_the_way_to_it() {
    let ledger = Ledger::empty();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.parquet");
    let out = ["--to", "parquet", "--out", path.to_str().unwrap(), "--format", "json"];
    let (code, _, hint) = ledger.run("records", &out).exits(2).error();
    assert_eq!(code, "table.no_parquet");
    assert!(hint.unwrap().contains("--features parquet"));
    assert!(!path.exists());
}

#[cfg(feature = "parquet")]
#[test]
fn with_the_feature_there_is_a_parquet_file() {
    let ledger = Ledger::of(AGENT_WORK);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.parquet");
    ledger.run("records", &["--to", "parquet", "--out", path.to_str().unwrap()]).well();
    let bytes = fs::read(path).unwrap();
    assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
}

#[test]
fn formulas_are_marked_where_that_is_wanted() {
    let ledger = Ledger::of(AGENT_WORK);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let refused = ledger.run("records", &["--to", "jsonl", "--csv-safe", "--out", path.to_str().unwrap()]);
    refused.exits(2);
    ledger.run("records", &["--to", "csv", "--csv-safe", "--out", path.to_str().unwrap()]).well();
    assert!(path.exists());
}
