//! The calculator over recorded runs: every `calculate` call of 150 runs of an airline agent, whose tool was
//! Python. The data stays outside the repository; its folder comes in `PROOFLINE_CORPORA`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "a test fails by panicking, skips loudly, and is told by the environment where the data is"
)]

use std::path::PathBuf;

use proofline_canon::{Limits, Profile, Sha256Digest, Value, parse};
use proofline_replay::{Calculator, Tool};

/// Calls whose answer is another one than was recorded, by expression, and why. There are none: each
/// recorded expression is plain arithmetic, and none of the calls ended with an error.
const DIFFERENT: [(&str, &str); 0] = [];
const CALLS: usize = 90;

#[test]
fn every_recorded_calculation_gives_its_response_again() {
    let Some(corpora) = std::env::var_os("PROOFLINE_CORPORA").map(PathBuf::from) else {
        eprintln!(
            "SKIPPED: set PROOFLINE_CORPORA to the folder of recorded runs to run recorded calls again"
        );
        return;
    };
    let text = std::fs::read(corpora.join("agent-runs/airline-calls.jsonl")).unwrap();
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let calls = lines.map(|line| parse(line, &Limits::CONTENT).unwrap());
    let calls: Vec<Value> =
        calls.filter(|call| call.get("name").and_then(Value::as_str) == Some("calculate")).collect();
    assert_eq!(calls.len(), CALLS);
    let mut different = Vec::new();
    for call in &calls {
        let arguments = call.get("arguments").unwrap();
        let expression = arguments.get("expression").and_then(Value::as_str).unwrap();
        let answer = Calculator.run(&arguments.to_canonical(Profile::Content).unwrap());
        let is_error = call.get("error").and_then(Value::as_bool).unwrap();
        let is_recorded = answer.is_ok_and(|answer| {
            let sha256 = Sha256Digest::of(&answer).to_string();
            call.get("result_sha256").and_then(Value::as_str) == Some(&sha256)
                && call.get("result_bytes") == Some(&Value::from(answer.len() as u64))
                && is_error == answer.starts_with(b"Error")
        });
        if !is_recorded {
            different.push(expression.to_owned());
        }
    }
    let expected: Vec<&str> = DIFFERENT.iter().map(|(expression, _)| *expression).collect();
    assert_eq!(different, expected);
}
