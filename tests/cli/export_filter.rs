//! `export otlp` of traces with an entry that fits a filter: which they are is computed from the lines that were
//! committed, and what is written of them is what an export of everything writes.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;

use serde_json::{Value, json};

use crate::log::envelopes;
use crate::run::{AGENT_WORK, Ledger, Ran, json_lines, program, ran};

fn export(ledger: &Ledger, more: &[&str]) -> Ran {
    ran(program().args(["export", "otlp"]).arg(&ledger.dir).args(more))
}

/// The trace of each line of an export.
fn traces(lines: &str) -> Vec<String> {
    let id = |line: &Value| {
        let span = &line["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        span["traceId"].as_str().unwrap().to_owned()
    };
    json_lines(lines).iter().map(id).collect()
}

/// Traces of the evidence with a record that fits.
fn expected(fits: &dyn Fn(&Value, &Value) -> bool) -> BTreeSet<String> {
    let entries = envelopes();
    let fitting = entries.values().filter(|(outcome, envelope)| fits(outcome, envelope));
    fitting.map(|(_, it)| it["trace"]["trace_id"].as_str().unwrap().to_owned()).collect()
}

/// The record's own time.
fn time_ms(envelope: &Value) -> i64 {
    [&envelope["ts_ms"], &envelope["started_at_ms"]].into_iter().find_map(Value::as_i64).unwrap()
}

/// Times that about half of the records lie in, by the evidence.
fn middle() -> Range<i64> {
    let mut times: Vec<i64> = envelopes().values().map(|(_, it)| time_ms(it)).collect();
    times.sort_unstable();
    times[times.len() / 4]..times[times.len() / 2]
}

#[test]
fn traces_with_an_entry_that_fits_go_out_whole() {
    let ledger = Ledger::of(AGENT_WORK);
    let whole = export(&ledger, &[]).exits(0).stdout;
    let all: Vec<(String, &str)> = traces(&whole).into_iter().zip(whole.lines()).collect();
    let assert_exported = |more: &[&str], expected: BTreeSet<String>| {
        assert!(!expected.is_empty() && expected.len() < all.len(), "{more:?}");
        let lines = all.iter().filter(|(trace, _)| expected.contains(trace));
        let lines: String = lines.map(|(_, line)| format!("{line}\n")).collect();
        let exported = export(&ledger, &[more, &["--format", "json"]].concat()).exits(0);
        assert!(exported.stdout == lines, "{more:?}");
        let account = json_lines(&exported.stderr).remove(0);
        assert_eq!(account["traces"], expected.len());
        assert_eq!(account["undecided_traces"].as_u64().unwrap_or_default(), 0);
        assert!(export(&ledger, &[more, &["--threads", "3"]].concat()).exits(0).stdout == lines);
    };
    let of_refunds = "tool.tool_name = issue_refund";
    let is_refund = |it: &Value| it["tool"]["tool_name"] == "issue_refund";
    let refunds = expected(&|_, it| is_refund(it));
    assert_exported(&[of_refunds], refunds.clone());
    let refused = expected(&|outcome, _| outcome["classification"] != "ACCEPT");
    assert_exported(&["kind = rejected"], refused);
    let slow = expected(&|_, it| {
        let duration = it["ended_at_ms"].as_i64().zip(it["started_at_ms"].as_i64());
        duration.is_some_and(|(end, start)| end - start > 8_000)
    });
    assert_exported(&["duration_ms > 8000"], slow);
    // One record that fits and lies between both times, not one of each.
    let Range { start, end } = middle();
    let within = |it: &Value| (start..end).contains(&time_ms(it));
    let bounds = [start.to_string(), end.to_string()];
    let bounds = ["--from", &bounds[0], "--until", &bounds[1]];
    assert_exported(&bounds, expected(&|_, it| within(it)));
    let both = expected(&|_, it| within(it) && is_refund(it));
    assert_exported(&[&[of_refunds], &bounds[..]].concat(), both.clone());
    assert!(both.len() < refunds.len());
    // A trace that is named must fit as well.
    let fits = refunds.first().unwrap();
    let fits_not = &all.iter().find(|(trace, _)| !refunds.contains(trace)).unwrap().0;
    let named = ["--trace", fits, "--trace", fits_not];
    assert_exported(&named, [fits.clone(), fits_not.clone()].into());
    assert_exported(&[&[of_refunds], &named[..]].concat(), [fits.clone()].into());
}

#[test]
fn where_no_trace_fits_the_file_is_empty_and_the_account_says_so() {
    let ledger = Ledger::of(AGENT_WORK);
    let file = ledger.dir.with_file_name("spans.jsonl");
    let asked = ["tool.tool_name = \"no such tool\"", "--out", file.to_str().unwrap()];
    let shown = export(&ledger, &asked).well().stdout;
    assert!(shown.starts_with("0 spans of 0 traces\n"), "{shown}");
    assert!(
        shown.contains("no trace has an entry that fits: tool.tool_name = \"no such tool\"\n"),
        "{shown}"
    );
    assert_eq!(fs::read(&file).unwrap(), b"");
    let account = export(&ledger, &[&asked[..], &["--format", "json"]].concat()).well().json().remove(0);
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!((&account["file_bytes"], &account["file_sha256"]), (&json!(0), &json!(empty)));
    assert_eq!((&account["traces"], &account["spans"]), (&json!(0), &json!(0)));
    assert_eq!(account["filter"], "tool.tool_name = \"no such tool\"");
    // Beside spans that go to the standard output, of which there are none.
    let streamed = export(&ledger, &asked[..1]).exits(0);
    assert_eq!(streamed.stdout, "");
    assert!(streamed.stderr.contains("no trace has an entry that fits"), "{}", streamed.stderr);
    // A trace that is not there is an error all the same, and so is what is no filter, as `query` says it.
    export(&ledger, &["seq = 1", "--trace", &"1".repeat(32)]).exits(4);
    for wrong in ["outcome.stauts = ok", "seq = one", "and", "tool.tool_name <"] {
        let exported = export(&ledger, &[wrong, "--format", "json"]).exits(2);
        let queried = ledger.run("query", &[wrong, "--format", "json"]).exits(2);
        assert_eq!((exported.error(), exported.stdout.as_str()), (queried.error(), ""));
    }
    export(&ledger, &["--from", "yesterday"]).exits(2);
}

/// Whether a damaged entry fits nobody knows, so it is told, and what else fits goes out.
#[test]
fn damage_that_is_met_while_choosing_is_told() {
    let ledger = Ledger::of("evidence/trouble/denied-call.jsonl");
    let filter = ["not record_type = auth_context", "--verdicts", "none", "--format", "json"];
    let whole = export(&ledger, &filter).exits(0);
    ledger.edit(&ledger.segment(), |bytes| {
        let at = bytes.len() - 900;
        bytes[at] ^= 1;
    });
    let damaged = export(&ledger, &filter).exits(3);
    let is_met = |it: &&Value| {
        let message = it["error"]["message"].as_str().unwrap_or_default();
        it["error"]["code"] == "frame.body_checksum" && message.starts_with("log/")
    };
    let errors = json_lines(&damaged.stderr);
    assert_eq!(errors.iter().filter(is_met).count(), 1, "{}", damaged.stderr);
    assert!(traces(&damaged.stdout).iter().all(|it| traces(&whole.stdout).contains(it)));
}
