//! The published schema of a report and what is written agree: every line is valid under it, and what it does not
//! allow the reader refuses too. A line without a member, or with one more, is neither.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::io::Write as _;
use std::ops::ControlFlow;

use common::reports::{on, samples, write, write_shards};
use common::shipped::bring_in;
use jsonschema::{Registry, Resource, Validator};
use proofline_ledger::Options;
use proofline_replay::report::{ReportFile, ReportReader, SCHEMA, write_json, write_junit};
use proofline_replay::{Pairs, Plan, VariancePolicy};
use serde_json::Value;

/// The schema of a report, with those that it refers to.
fn with_schema<T>(test: impl FnOnce(&Validator) -> T) -> T {
    let registry =
        ["replay_result", "replay_diagnostics"].into_iter().fold(Registry::new(), |registry, name| {
            let text = proofline_trace::schemas::by_name(name).unwrap();
            let schema: Value = serde_json::from_str(text).unwrap();
            registry
                .add(format!("urn:proofline:schema:1.0.0:{name}"), Resource::from_contents(schema))
                .unwrap()
        });
    let registry = registry.prepare().unwrap();
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    test(&jsonschema::options().with_registry(&registry).build(&schema).unwrap())
}

/// Reports of every kind.
fn reports() -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (number, sample) in samples().iter().enumerate() {
        let (snapshot, out) = (sample.snapshot(), folder.path().join(format!("{number}.jsonl")));
        write(&snapshot, &on(1), &out);
        files.push(out);
        let shards = folder.path().join(number.to_string());
        std::fs::create_dir(&shards).unwrap();
        files.extend(write_shards(&snapshot, &on(1), 2, &shards));
    }
    let (_dir, ledger) = common::shipped::agent_work(Options::default());
    bring_in(&ledger, "evidence/agent-work-after-model-change.jsonl");
    let pairs =
        Pairs::parse(&std::fs::read(common::vectors().join("evidence/pairs.jsonl")).unwrap()).unwrap();
    let out = folder.path().join("pairs.jsonl");
    write(&ledger.snapshot().unwrap(), &Plan::constrained(pairs, VariancePolicy::MODEL_OUTPUT), &out);
    files.push(out);
    files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

#[test]
fn every_line_is_valid_and_the_reader_takes_it() {
    let reports = reports();
    with_schema(|schema| {
        for report in &reports {
            for line in report.lines() {
                let value: Value = serde_json::from_str(line).unwrap();
                let faults: Vec<String> = schema.iter_errors(&value).map(|fault| fault.to_string()).collect();
                assert!(faults.is_empty(), "{faults:?}: {line}");
            }
            read(report.as_bytes()).unwrap();
        }
    });
}

fn read(bytes: &[u8]) -> Result<u64, &'static str> {
    let mut reader = ReportReader::new(bytes, "a report").map_err(|error| error.code())?;
    while reader.next_line().map_err(|error| error.code())?.is_some() {}
    Ok(reader.number())
}

/// Every object in a value, by a path to it.
fn objects(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.push(at.clone());
            members.iter().for_each(|(name, inner)| objects(inner, format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().take(1).for_each(|inner| objects(inner, format!("{at}/0"), found));
        }
        _ => {}
    }
}

#[test]
fn a_member_too_few_or_too_many_is_refused_by_both() {
    let reports = reports();
    with_schema(|schema| {
        for report in &reports {
            let lines: Vec<&str> = report.lines().collect();
            let failing = lines.iter().position(|line| line.contains(r#""result":"fail""#)).unwrap_or(1);
            for at in [0, 1, failing, lines.len() - 1] {
                let whole: Value = serde_json::from_str(lines[at]).unwrap();
                let mut places = Vec::new();
                objects(&whole, String::new(), &mut places);
                for place in places.iter().filter(|place| !is_open(place)) {
                    for name in whole.pointer(place).unwrap().as_object().unwrap().keys() {
                        let mut value = whole.clone();
                        let members = value.pointer_mut(place).unwrap().as_object_mut().unwrap();
                        let taken = members.remove(name).unwrap();
                        assert_refused(schema, &lines, at, &value, &format!("without {place}/{name}"));
                        let members = value.pointer_mut(place).unwrap().as_object_mut().unwrap();
                        members.insert(name.clone(), taken);
                        members.insert("another".to_owned(), Value::Null);
                        assert_refused(schema, &lines, at, &value, &format!("with {place}/another"));
                    }
                }
            }
        }
    });
}

/// Objects with members of their writer's choice.
fn is_open(place: &str) -> bool {
    ["failures", "findings", "severities"].iter().any(|name| place.ends_with(&format!("summary/{name}")))
        || place.contains("variance")
        || place.contains("differences")
}

fn assert_refused(schema: &Validator, lines: &[&str], at: usize, value: &Value, what: &str) {
    assert!(!schema.is_valid(value), "{what}: {value}");
    let changed = value.to_string();
    let mut report = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        writeln!(report, "{}", if number == at { &changed } else { *line }).unwrap();
    }
    assert!(read(&report).is_err(), "{what}");
}

#[test]
fn other_forms_hold_what_the_lines_hold() {
    for sample in samples() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("report.jsonl");
        write(&sample.snapshot(), &on(1), &out);
        let report = ReportFile::open(&out).unwrap();
        let text = std::fs::read_to_string(&out).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();

        let mut json = Vec::new();
        write_json(&report, &mut json).unwrap();
        let json: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json["report"], lines[0]["report"]);
        assert_eq!(json["summary"], lines[lines.len() - 1]["summary"]);
        assert_eq!(json["traces"].as_array().unwrap()[..], lines[1..lines.len() - 1]);

        let mut xml = Vec::new();
        write_junit(&report, &mut xml).unwrap();
        let xml = String::from_utf8(xml).unwrap();
        let summary = report.end().summary();
        let count = |what: &str| xml.matches(what).count() as u64;
        assert_eq!(count("<testcase "), summary.traces + summary.unlisted_traces + 1, "{}", sample.what);
        let damaged = u64::from(summary.damage_count > 0);
        assert_eq!(count("<failure "), summary.failed + damaged);
        assert_eq!(count("<skipped "), summary.unlisted_traces);
        let mut with_findings = 0;
        report
            .visit(&mut |line, _| {
                let value = format!("{line:?}");
                with_findings += u64::from(value.contains("Finding {"));
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        assert_eq!(count("<system-out>"), with_findings);
        let all = summary.traces + summary.unlisted_traces + 1;
        let head = format!("tests=\"{all}\" failures=\"{}\" errors=\"0\"", summary.failed + damaged);
        assert!(xml.lines().nth(1).unwrap().contains(&head), "{xml}");
    }
}
