//! The target of the calculator, which is given whatever a recorded call asked.

use proofline_canon::{Profile, Value};
use proofline_replay::{Calculator, Tool};

fn answered(expression: &str) -> Result<String, &'static str> {
    let request = Value::object([("expression", Value::from(expression))]);
    let request = request.to_canonical(Profile::Envelope).expect("a text is JSON");
    let answer = Calculator.run(&request).map_err(|fault| fault.code())?;
    Ok(String::from_utf8(answer).expect("an answer is text"))
}

/// An answer is an error in the tool's words, or a number that is its own answer; parentheses change nothing.
pub fn calculator(data: &[u8]) {
    if let Err(fault) = Calculator.run(data) {
        assert_eq!(fault.code(), "tool.request", "no request was read");
    }
    let Ok(expression) = std::str::from_utf8(data) else { return };
    let answer = answered(expression);
    match &answer {
        Ok(answer) if answer.starts_with("Error: ") => {}
        Ok(answer) => {
            assert!(answer.parse::<f64>().is_ok_and(f64::is_finite), "{answer} is no number");
            if !answer.contains('e') {
                assert_eq!(answered(answer).as_ref(), Ok(answer), "an answer has another answer");
            }
        }
        Err(code) => assert!(["tool.request", "tool.failed"].contains(code), "{code}"),
    }
    if answer.is_ok() && expression.matches('(').count() < 64 {
        assert_eq!(answered(&format!(" ({expression}) ")), answer, "parentheses changed the answer");
    }
}
