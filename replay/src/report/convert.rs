//! Reports in other forms, made from the lines of one as they are read.

use std::io::Write;
use std::ops::ControlFlow;

use super::error::ReportError;
use super::read::{ReportFile, ReportLine};

/// One JSON document: `{"report":{...},"traces":[...],"summary":{...}}`, a trace a line; of a shard `part` stands for
/// `summary`. The members are those of the lines, byte for byte.
///
/// # Errors
/// [`ReportError`].
pub fn write_json(report: &ReportFile, out: &mut dyn Write) -> Result<(), ReportError> {
    let mut put = |text: &[u8]| out.write_all(text).map_err(ReportError::Output);
    let head = report.head().to_line()?;
    put(inside(head.as_bytes()))?;
    put(br#","traces":["#)?;
    let mut is_first = true;
    report.visit(&mut |line, bytes| {
        if let ReportLine::End(_) = line {
            put(b"\n],")?;
            put(bytes.get(1..).unwrap_or_default())?;
            put(b"\n")?;
        } else {
            put(if std::mem::take(&mut is_first) { b"\n" } else { b",\n" })?;
            put(bytes)?;
        }
        Ok(ControlFlow::Continue(()))
    })
}

/// The lines as they are, each judged on its way.
///
/// # Errors
/// [`ReportError`].
pub fn write_jsonl(report: &ReportFile, out: &mut dyn Write) -> Result<(), ReportError> {
    let mut put =
        |line: &[u8]| out.write_all(line).and_then(|()| out.write_all(b"\n")).map_err(ReportError::Output);
    put(report.head().to_line()?.as_bytes())?;
    report.visit(&mut |_, bytes| put(bytes).map(ControlFlow::Continue))
}

/// A line that is an object, without its last brace.
fn inside(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"}").unwrap_or(line)
}
