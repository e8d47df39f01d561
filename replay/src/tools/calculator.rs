//! The calculator: the request `{"expression":"..."}`, the response the value with two decimals at most, as
//! the common tool of agents does it, which hands the expression to Python.

use proofline_canon::{Limits, parse};

use super::expression::{Fault, evaluate};
use super::{Tool, ToolFault};

/// An arithmetic calculator.
///
/// The request is a JSON object with the one member `expression`, a text. The response is a text: the value
/// as a double, rounded to two decimals (half to even on its exact binary value), in the shortest
/// spelling that reads back as it, always with a fraction or an exponent. An expression with other characters
/// than digits and `+-*/(). ` has the answer `Error: invalid characters in expression`, a division by
/// zero `Error: division by zero`, or `Error: float division by zero` where a side of it is a double.
///
/// ```
/// use proofline_replay::{Calculator, Tool};
///
/// let answer = Calculator.run(br#"{"expression": "(305 - 250) * 1.5"}"#)?;
/// assert_eq!(answer, b"82.5");
/// # Ok::<(), proofline_replay::ToolFault>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calculator;

impl Tool for Calculator {
    fn version(&self) -> String {
        "calculator/1".to_owned()
    }

    fn run(&self, request: &[u8]) -> Result<Vec<u8>, ToolFault> {
        Ok(answer(&expression(request)?)?.into_bytes())
    }
}

fn expression(request: &[u8]) -> Result<String, ToolFault> {
    let document =
        parse(request, &Limits::ENVELOPE).map_err(|error| ToolFault::Request(error.to_string()))?;
    let members = document.as_object().filter(|members| members.len() == 1);
    let text = members.and_then(|members| members.get("expression")?.as_str());
    let unfit = || ToolFault::Request("it is no object with the text `expression` alone".to_owned());
    text.map(str::to_owned).ok_or_else(unfit)
}

fn answer(expression: &str) -> Result<String, ToolFault> {
    let is_known = |byte: u8| byte.is_ascii_digit() || b"+-*/(). ".contains(&byte);
    if !expression.bytes().all(is_known) {
        return Ok("Error: invalid characters in expression".to_owned());
    }
    match evaluate(expression) {
        Ok(value) if value.is_finite() => Ok(spelled(rounded(value))),
        Ok(_) => Err(ToolFault::Failed("the value is beyond the range of doubles".to_owned())),
        Err(Fault::DivisionByZero { of_doubles: false }) => Ok("Error: division by zero".to_owned()),
        Err(Fault::DivisionByZero { of_doubles: true }) => Ok("Error: float division by zero".to_owned()),
        Err(Fault::TooLarge) => Err(ToolFault::Failed(Fault::TooLarge.to_string())),
        Err(fault) => Err(ToolFault::Request(fault.to_string())),
    }
}

/// To two decimals: of the exact binary value, half to even, as `core` writes it.
fn rounded(value: f64) -> f64 {
    format!("{value:.2}").parse().unwrap_or(value)
}

/// The shortest spelling that reads back, with an exponent from 1e16 on, as Python's `repr` has it.
fn spelled(value: f64) -> String {
    format!("{value:?}").replace('e', "e+")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `str(round(float(eval(expression)), 2))` and the tool's handling of errors, by CPython 3.11.7.
    const PYTHON: [(&str, &str); 49] = [
        ("1", "1.0"),
        ("1.", "1.0"),
        ("  .5", "0.5"),
        ("0.125", "0.12"),
        ("0.375", "0.38"),
        ("2.675", "2.67"),
        ("1.005", "1.0"),
        ("-7/2", "-3.5"),
        ("7/2*2", "7.0"),
        ("1/3", "0.33"),
        ("2/3*3", "2.0"),
        ("0*-1", "0.0"),
        ("-0.0", "-0.0"),
        ("0.0*-1", "-0.0"),
        ("1e3", "Error: invalid characters in expression"),
        ("2*-3", "-6.0"),
        ("2--3", "5.0"),
        ("-(3)", "-3.0"),
        ("--3", "3.0"),
        ("+4", "4.0"),
        ("000", "0.0"),
        ("10000000000000000", "1e+16"),
        ("123456789012345678*10", "1.2345678901234568e+18"),
        ("9007199254740993", "9007199254740992.0"),
        ("9007199254740993.0", "9007199254740992.0"),
        ("99999999999999999999*1.0", "1e+20"),
        ("0.1+0.2", "0.3"),
        ("1/0", "Error: division by zero"),
        ("1.0/0", "Error: float division by zero"),
        ("1/0.0", "Error: float division by zero"),
        ("0/0", "Error: division by zero"),
        ("1/(2-2)", "Error: division by zero"),
        ("x", "Error: invalid characters in expression"),
        ("12345678.125", "12345678.12"),
        ("1000000*1000000*1000000*1000000", "1e+24"),
        ("0.005", "0.01"),
        ("0.015", "0.01"),
        ("-0.005", "-0.01"),
        ("-0.001", "-0.0"),
        ("4*(2+3)", "20.0"),
        ("((1))", "1.0"),
        ("1/-2", "-0.5"),
        ("5 - - - 2", "3.0"),
        ("1234567890.987654321", "1234567890.99"),
        ("3.14159*2*2", "12.57"),
        ("\t1", "Error: invalid characters in expression"),
        ("8/4/2", "1.0"),
        ("8-4-2", "2.0"),
        ("2+3*4-6/2", "11.0"),
    ];

    #[test]
    fn answers_are_those_of_the_recorded_tool() {
        for (expression, expected) in PYTHON {
            assert_eq!(answer(expression).as_deref(), Ok(expected), "{expression}");
        }
    }

    /// What the recorded tool answers with Python's words, and what it does beyond arithmetic, is no answer here.
    #[test]
    fn what_it_does_not_know_it_does_not_answer() {
        let deep = "(".repeat(100_000);
        let bare =
            ["1 2", "", "()", "1.2.3", "007", "1+", "(1", "1)", "2**3", "7//2", "(1)(2)", "1..", ".", &deep];
        for expression in bare {
            let fault = answer(expression).unwrap_err();
            assert_eq!(fault.code(), "tool.request", "{expression:.20}: {fault}");
        }
        let large = "9".repeat(40);
        let huge = format!("{}.0", "9".repeat(400));
        for expression in [large.as_str(), &huge, "9007199254740993/3", "3/9007199254740993"] {
            assert_eq!(answer(expression).unwrap_err().code(), "tool.failed", "{expression}");
        }
    }

    #[test]
    fn a_request_has_one_form() {
        assert_eq!(Calculator.run(br#" {"expression":"1 + 1"} "#).as_deref(), Ok(&b"2.0"[..]));
        for request in [
            &b"1 + 1"[..],
            br#""1 + 1""#,
            br#"{"expression":1}"#,
            br#"{"expression":"1","digits":2}"#,
            br#"{"Expression":"1"}"#,
            br#"{"expression":"1","expression":"1"}"#,
        ] {
            assert_eq!(Calculator.run(request).unwrap_err().code(), "tool.request");
        }
    }
}
