//! A tool handler of one's own: two calls of a tool that looks up the day of the week are recorded, one of them with a
//! response that the tool never gives. A forensic replay runs both again and finds it.
//!
//! ```sh
//! cargo run --example tool_handler
//! ```
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::error::Error;

use proofline::canon::{ContentStore, MemoryStore, Sha256Digest};
use proofline::ledger::{Action, Genesis, Ledger, Options, Outcome, Submission};
use proofline::replay::{Means, Plan, Tool, ToolFault, Tools, replay};
use proofline::trace::LedgerId;

/// The request is a date such as `2026-01-31`, the response a day of the week.
#[derive(Debug)]
struct DayOfWeek;

impl Tool for DayOfWeek {
    fn version(&self) -> String {
        "day-of-week/1".to_owned()
    }

    fn run(&self, request: &[u8]) -> Result<Vec<u8>, ToolFault> {
        let unfit = || ToolFault::Request("it is no date".to_owned());
        let text = std::str::from_utf8(request).map_err(|_| unfit())?;
        let parts: Option<Vec<u32>> = text.split('-').map(|part| part.parse().ok()).collect();
        let Some([year, month, day]) = parts.as_deref() else { return Err(unfit()) };
        // Zeller's congruence, with January and February as months of the year before.
        let (year, month) = if *month < 3 { (year - 1, month + 12) } else { (*year, *month) };
        let at = (day + 13 * (month + 1) / 5 + year + year / 4 - year / 100 + year / 400) % 7;
        let days = ["Saturday", "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday"];
        let name = days.get(at as usize).ok_or_else(unfit)?;
        Ok(name.as_bytes().to_vec())
    }
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn main() -> Result<(), Box<dyn Error>> {
    let home = tempfile::tempdir()?;
    let (dir, payloads) = (home.path().join("ledger"), MemoryStore::new());
    let genesis = Genesis {
        ledger_id: LedgerId::from_bytes([7; 16]),
        origin: "example.org/days".parse()?,
        created_at_ms: 1_000,
    };
    Ledger::init(&dir, &genesis)?;
    let ledger = Ledger::open(&dir, Options::default())?;
    let context = commit(&ledger, &context())?;
    let decision = commit(&ledger, &decision(&context))?;
    for (span, request, response) in [(3, "2026-01-31", "Saturday"), (4, "2026-02-01", "Monday")] {
        let blobs = [request, response].map(|text| blob(&payloads, text));
        let [request, response] = blobs;
        commit(&ledger, &call(span, &context, &decision, &request?, &response?))?;
    }

    let mut tools = Tools::default();
    tools.register("calendar/day-of-week".parse()?, DayOfWeek)?;
    let means = Means { tools: Some(&tools), ..Means::payloads(&payloads) };
    let mut verdicts = Vec::new();
    let summary = replay(&ledger.snapshot()?, &means, &Plan::default(), &mut verdicts)?;
    println!("calls that gave their response again: {}", summary.re_executed);
    let failure = verdicts.first().and_then(|verdict| verdict.failure()).ok_or("nothing was found")?;
    println!("{}", failure.message);
    println!("answered: {}", failure.expected.as_deref().unwrap_or_default());
    println!("recorded: {}", failure.found.as_deref().unwrap_or_default());
    Ok(())
}

fn commit(ledger: &Ledger, record: &str) -> Result<String, Box<dyn Error>> {
    let action = Action::Evidence(Submission::bare(record.as_bytes()));
    match ledger.commit_action(&action, 1_000)? {
        Outcome::Accepted { envelope_hash, .. } => Ok(envelope_hash.to_string()),
        other => Err(format!("the gate refused it: {other:?}").into()),
    }
}

/// Keeps a payload and gives its reference.
fn blob(payloads: &MemoryStore, text: &str) -> Result<String, Box<dyn Error>> {
    let name = Sha256Digest::of(text.as_bytes());
    payloads.put(&name, text.as_bytes())?;
    Ok(format!(r#"{{"content_type":"text/plain","sha256":"{name}","size_bytes":{}}}"#, text.len()))
}

fn head(record_type: &str, span: u8, layer: &str) -> String {
    let place = match span {
        1 => r#""span_kind":"root""#,
        _ => r#""span_kind":"child","parent_span_id":"0000000000000001""#,
    };
    format!(
        r#""spec_version":"1.0.0","canon_version":"1","record_type":"{record_type}",
        "trace":{{"trace_id":"{TRACE}","span_id":"{span:016x}",{place}}},
        "producer":{{"layer":"{layer}","component":"calendar"}}"#
    )
}

fn context() -> String {
    format!(
        r#"{{{},"ts_ms":1000,"actor":{{"actor_kind":"user","actor_id":"staff/ines"}},"credential":{{
        "credential_kind":"oidc","issuer":"https://id.example","presented_hash_sha256":
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","verified_at_ms":900,
        "expires_at_ms":9000}},"grants":{{"calendar:read":true}}}}"#,
        head("auth_context", 1, "cpo")
    )
}

fn decision(context: &str) -> String {
    format!(
        r#"{{{},"ts_ms":1001,"auth_context_envelope_sha256":"{context}","policy":{{"policy_id":"calendar",
        "policy_version":"v1","policy_sha256":"{context}"}},"request":{{"action":"calendar:read",
        "resource":"calendar"}},"decision":{{"result":"allow","reason_codes":{{"granted":true}},"obligations":{{}}}}}}"#,
        head("policy_decision", 2, "cpo")
    )
}

fn call(span: u8, context: &str, decision: &str, request: &str, response: &str) -> String {
    format!(
        r#"{{{},"started_at_ms":{},"ended_at_ms":1100,"auth_context_envelope_sha256":"{context}",
        "policy_decision_envelope_sha256":"{decision}","tool":{{"adapter_id":"calendar","tool_name":"day-of-week"}},
        "request":{request},"response":{response},"outcome":{{"status":"ok"}}}}"#,
        head("tool_call", span, "adapter"),
        1000 + u32::from(span)
    )
}
