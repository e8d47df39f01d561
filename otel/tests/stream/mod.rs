//! Telemetry without end in no memory: a file of OTLP/JSON that is made where it is read. Its messages are equally
//! long, so that each can be made by itself, whatever is read of it.

use std::fmt::Write as _;
use std::io::{self, Read, Seek, SeekFrom};

/// Spans of a message: of three, one is a chat, one a tool's call, and one is neither.
pub const MESSAGE_SPANS: u64 = 30;

/// What is made.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Spans, whole messages of them.
    pub spans: u64,
    /// Spans of a trace, whole messages of them.
    pub trace_spans: u64,
    /// Different contents of calls: from then on they come again.
    pub contents: u64,
}

/// The file.
#[derive(Debug)]
pub struct Stream {
    plan: Plan,
    at: u64,
    /// The message that was made last.
    message: (u64, Vec<u8>),
}

impl Stream {
    pub fn new(plan: Plan) -> Self {
        Self { plan, at: 0, message: (0, message(plan, 0)) }
    }

    /// How long it is.
    pub fn size_bytes(&self) -> u64 {
        self.message.1.len() as u64 * (self.plan.spans / MESSAGE_SPANS)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.message.1.len() as u64;
        let number = self.at / length;
        if number >= self.plan.spans / MESSAGE_SPANS {
            return Ok(0);
        }
        if self.message.0 != number {
            self.message = (number, message(self.plan, number));
            assert_eq!(self.message.1.len() as u64, length, "messages are equally long");
        }
        let from = usize::try_from(self.at % length).unwrap();
        let count = buffer.len().min(self.message.1.len() - from);
        buffer[..count].copy_from_slice(&self.message.1[from..from + count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for Stream {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let to = match position {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.size_bytes().checked_add_signed(by),
        };
        self.at = to.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

fn message(plan: Plan, number: u64) -> Vec<u8> {
    let mut out = String::from(
        r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"load"}}]},"#,
    );
    out.push_str(r#""scopeSpans":[{"scope":{"name":"load"},"spans":["#);
    for place in 0..MESSAGE_SPANS {
        if place > 0 {
            out.push(',');
        }
        span(&mut out, plan, number * MESSAGE_SPANS + place);
    }
    out.push_str("]}]}]}\n");
    out.into_bytes()
}

/// The `number`th span: below the span of an agent that never comes, so that all of a kind are equally long.
fn span(out: &mut String, plan: Plan, number: u64) {
    let (trace, content) = (number / plan.trace_spans, number % plan.contents);
    let start = 1_790_000_000_000_000_000 + number * 1_000_000;
    let text = |key: &str, value: &str| format!(r#"{{"key":"{key}","value":{{"stringValue":"{value}"}}}}"#);
    let (name, attributes) = match number % 3 {
        0 => {
            let says = |role: &str, words: &str| {
                format!(
                    r#"[{{\"role\":\"{role}\",\"parts\":[{{\"type\":\"text\",\"content\":\"{words} {content:010}\"}}]}}]"#
                )
            };
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
                text("gen_ai.tool.call.arguments", &format!(r#"{{\"order\":\"{content:010}\"}}"#)),
                text("gen_ai.tool.call.result", &format!(r#"{{\"paid\":\"{content:010}\"}}"#)),
            ];
            ("execute_tool look_up", tool.join(","))
        }
        _ => ("GET /orders", text("url.path", &format!("/orders/{content:010}"))),
    };
    write!(
        out,
        r#"{{"traceId":"{:032x}","spanId":"{:016x}","parentSpanId":"{:016x}","name":"{name}","kind":1,"#,
        u128::from(trace) + 1,
        number + 1,
        u64::MAX
    )
    .unwrap();
    write!(
        out,
        r#""startTimeUnixNano":"{start}","endTimeUnixNano":"{}","attributes":[{attributes}]}}"#,
        start + 900_000
    )
    .unwrap();
}
