//! Telemetry of agents that never were, made where it is read: a file of OTLP/JSON of any length in no memory, to
//! measure with and to test with.
//!
//! Its messages but the last are equally long, so each can be made by itself, whatever is read of the file.
//!
//! ```
//! use std::io::Read;
//!
//! use proofline_otel::generate::{Telemetry, TelemetryPlan};
//!
//! let mut text = String::new();
//! Telemetry::new(TelemetryPlan { spans: 90, ..TelemetryPlan::default() }).read_to_string(&mut text)?;
//! assert_eq!(text.lines().count(), 3);
//! assert_eq!(text.matches("\"spanId\"").count(), 90);
//! # Ok::<(), std::io::Error>(())
//! ```

use std::fmt::Write as _;
use std::io::{self, Read, Seek, SeekFrom};

/// Spans of a message: of three, one is a chat, one a tool's call, and one is neither.
pub const MESSAGE_SPANS: u64 = 30;

/// The most spans and contents: their numbers have as many digits.
const MOST: u64 = 9_999_999_999;
/// When the first span starts, in nanoseconds since 1970.
const FIRST_START_NS: u64 = 1_790_000_000_000_000_000;
/// How much later each next span starts.
const STEP_NS: u64 = 1_000_000;
/// How long a span takes.
const SPAN_NS: u64 = 900_000;

/// What telemetry is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TelemetryPlan {
    /// Spans in all; at most ten digits.
    pub spans: u64,
    /// Spans of a trace, one trace after the other; none counts as one.
    pub trace_spans: u64,
    /// Different contents of calls: from then on they come again. None counts as one.
    pub contents: u64,
    /// Bytes that each text of a message or a result has more than its number.
    pub text_bytes: usize,
}

impl Default for TelemetryPlan {
    /// Thirty spans in traces of thirty, no content like another, texts of some words.
    fn default() -> Self {
        Self { spans: MESSAGE_SPANS, trace_spans: 30, contents: MOST, text_bytes: 0 }
    }
}

/// The file.
#[derive(Clone, Debug)]
pub struct Telemetry {
    plan: TelemetryPlan,
    at: u64,
    /// How long each message is but the last, where that has fewer spans.
    message_bytes: u64,
    size_bytes: u64,
    /// The message that was made last.
    made: (u64, Vec<u8>),
}

impl Telemetry {
    /// The file of a plan, at its beginning.
    #[must_use]
    pub fn new(plan: TelemetryPlan) -> Self {
        let plan = TelemetryPlan {
            spans: plan.spans.min(MOST),
            trace_spans: plan.trace_spans.max(1),
            contents: plan.contents.clamp(1, MOST),
            ..plan
        };
        let first = message(plan, 0);
        let (whole, rest) = (plan.spans / MESSAGE_SPANS, plan.spans % MESSAGE_SPANS);
        let message_bytes = first.len() as u64;
        let rest_bytes = if rest > 0 { message(plan, whole).len() as u64 } else { 0 };
        Self { plan, at: 0, message_bytes, size_bytes: message_bytes * whole + rest_bytes, made: (0, first) }
    }

    /// How long it is.
    #[must_use]
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// Messages in it.
    #[must_use]
    pub const fn messages(&self) -> u64 {
        self.plan.spans.div_ceil(MESSAGE_SPANS)
    }
}

impl Read for Telemetry {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.size_bytes {
            return Ok(0);
        }
        let number = self.at / self.message_bytes;
        if self.made.0 != number {
            self.made = (number, message(self.plan, number));
        }
        let from = usize::try_from(self.at % self.message_bytes).unwrap_or(usize::MAX);
        let mut rest = self.made.1.get(from..).unwrap_or_default();
        let count = rest.read(buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Telemetry {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let to = match position {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.size_bytes.checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

fn message(plan: TelemetryPlan, number: u64) -> Vec<u8> {
    let first = number * MESSAGE_SPANS;
    let mut out = String::from(
        r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"load"}}]},"#,
    );
    out.push_str(r#""scopeSpans":[{"scope":{"name":"load"},"spans":["#);
    for span in first..plan.spans.min(first + MESSAGE_SPANS) {
        if span > first {
            out.push(',');
        }
        put_span(&mut out, plan, span);
    }
    out.push_str("]}]}]}\n");
    out.into_bytes()
}

/// A span below that of an agent which never comes, so that all of a kind are equally long.
fn put_span(out: &mut String, plan: TelemetryPlan, number: u64) {
    let start = FIRST_START_NS + number * STEP_NS;
    let (name, attributes) = said(plan, number);
    // Writing into a text does not fail.
    let _ = write!(
        out,
        r#"{{"traceId":"{:032x}","spanId":"{:016x}","parentSpanId":"{:016x}","name":"{name}","kind":1,"#,
        u128::from(number / plan.trace_spans) + 1,
        number + 1,
        u64::MAX
    );
    let _ = write!(
        out,
        r#""startTimeUnixNano":"{start}","endTimeUnixNano":"{}","attributes":[{attributes}]}}"#,
        start + SPAN_NS
    );
}

/// The name of a span, and its attributes.
fn said(plan: TelemetryPlan, number: u64) -> (&'static str, String) {
    let content = format!("{:010}", number % plan.contents);
    let long = format!("{content}{}", "x".repeat(plan.text_bytes));
    let text = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
    let says = |role: &str, words: &str| {
        let parts = format!(r#"[{{\"type\":\"text\",\"content\":\"{words} {long}\"}}]"#);
        format!(r#"[{{\"role\":\"{role}\",\"parts\":{parts}}}]"#)
    };
    match number % 3 {
        0 => {
            let chat = [
                text("gen_ai.operation.name", "chat"),
                text("gen_ai.provider.name", "openai"),
                text("gen_ai.request.model", "gpt-4o"),
                text("gen_ai.input.messages", &says("user", "What of order")),
                text("gen_ai.output.messages", &says("assistant", "I look up order")),
            ];
            ("chat gpt-4o", chat.join(","))
        }
        1 => {
            let tool = [
                text("gen_ai.operation.name", "execute_tool"),
                text("gen_ai.tool.name", "look_up"),
                text("gen_ai.tool.type", "function"),
                text("gen_ai.tool.call.arguments", &format!(r#"{{\"order\":\"{content}\"}}"#)),
                text("gen_ai.tool.call.result", &format!(r#"{{\"paid\":\"{long}\"}}"#)),
            ];
            ("execute_tool look_up", tool.join(","))
        }
        _ => ("GET /orders", text("url.path", &format!("/orders/{content}"))),
    }
}
