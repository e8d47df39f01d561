//! The calls of a chain, run again in its order. The answer must have the hash and the size of the recorded
//! response; the first one that has not ends the run of the trace, and so does a handler without an answer.
//! A call whose request is not at hand is not run, which the coverage says.

use std::panic::{AssertUnwindSafe, catch_unwind};

use proofline_canon::{ContentStore, Limits, Pointer, Sha256Digest, StoreError};
use proofline_ledger::frame::MAX_BODY_BYTES;
use proofline_ledger::{Seq, Snapshot};
use proofline_proof::sealed::SealedHeader;
use proofline_trace::{
    BlobRef, Coverage, Envelope, Failure, FailureClass, SafeInt, ToolCall, ToolRef, read_envelope,
};

use super::{Tool, ToolFault, Tools};
use crate::chain::Verified;
use crate::check::{Check, Subject};
use crate::error::ReplayError;
use crate::means::Means;
use crate::reading::read_entry;

/// Characters of an answer that a failure shows, and of a message that a handler gives.
const SHOWN_CHARS: usize = 160;

/// Runs each call that there is a handler and a request for.
pub(crate) fn check(
    means: &Means<'_>,
    chain: &[Verified<'_>],
    coverage: &mut Coverage,
) -> Result<Option<Failure>, ReplayError> {
    let mut agreed = 0;
    for record in chain {
        let Some(Runnable { call, tool, request }) = runnable(means, record.envelope)? else { continue };
        let answer = run(tool, &request);
        if answer.as_ref().is_ok_and(|answer| is_recorded(&call.response, answer)) {
            agreed += 1;
            coverage.re_executed = SafeInt::saturating(agreed);
            continue;
        }
        let subject = Subject { seq: record.seq, hash: Some(record.hash), envelope: Some(record.envelope) };
        return Ok(Some(failure(subject, call, &answer)));
    }
    Ok(None)
}

/// A call that can be run: its handler, and its request.
pub(crate) struct Runnable<'a> {
    pub(crate) call: &'a ToolCall,
    pub(crate) tool: &'a dyn Tool,
    pub(crate) request: Vec<u8>,
}

/// The call in this record, if it can be run.
pub(crate) fn runnable<'a>(
    means: &Means<'a>,
    envelope: &'a Envelope,
) -> Result<Option<Runnable<'a>>, ReplayError> {
    let (Envelope::ToolCall(call), Some(tools)) = (envelope, means.tools) else { return Ok(None) };
    let Some(tool) = Tools::of(tools, &call.tool) else { return Ok(None) };
    // Nothing here opens a sealed payload.
    let request = at_hand(means, &call.request.sha256)?;
    let request = request.filter(|bytes| SealedHeader::parse(bytes).is_err());
    Ok(request.map(|request| Runnable { call, tool, request }))
}

/// A payload, if its bytes are there and are those of its name.
fn at_hand(means: &Means<'_>, name: &Sha256Digest) -> Result<Option<Vec<u8>>, ReplayError> {
    match means.payloads.map(|payloads: &(dyn ContentStore + Sync)| payloads.get(name)) {
        None | Some(Err(StoreError::Damaged { .. })) => Ok(None),
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(error)) => Err(error.into()),
    }
}

/// The answer of a tool; a panic is a fault of it alone.
fn run(tool: &dyn Tool, request: &[u8]) -> Result<Vec<u8>, ToolFault> {
    let attempt = catch_unwind(AssertUnwindSafe(|| tool.run(request)));
    attempt.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
        Err(ToolFault::Panicked(text.to_owned()))
    })
}

fn is_recorded(response: &BlobRef, answer: &[u8]) -> bool {
    response.size_bytes.get() == answer.len() as u64 && response.sha256 == Sha256Digest::of(answer)
}

fn failure(subject: Subject<'_>, call: &ToolCall, answer: &Result<Vec<u8>, ToolFault>) -> Failure {
    let ToolRef { adapter_id, tool_name } = &call.tool;
    let message = match answer {
        Ok(_) => format!("The tool {adapter_id}/{tool_name} answers otherwise than it is recorded to have."),
        Err(fault) => {
            format!("The tool {adapter_id}/{tool_name} gave no answer: {}.", cut(&fault.to_string()))
        }
    };
    Failure {
        pointer: Some(Pointer::root().child("response")),
        expected: Some(answered(answer)),
        found: Some(named(&call.response.sha256, call.response.size_bytes.get())),
        ..subject.fails(Check::Output, FailureClass::OutputMismatch, message)
    }
}

fn named(sha256: &Sha256Digest, size_bytes: u64) -> String {
    format!("{size_bytes} bytes of sha256 {sha256}")
}

/// What the tool answers: size and hash, and how it begins where it is text.
fn answered(answer: &Result<Vec<u8>, ToolFault>) -> String {
    let answer = match answer {
        Ok(answer) => answer,
        Err(fault) => return format!("no answer ({})", fault.code()),
    };
    let named = named(&Sha256Digest::of(answer), answer.len() as u64);
    text(answer).map_or(named.clone(), |text| format!("{named}: {}", cut(text)))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Bytes as text that people read: UTF-8 without other controls than lines and tabs.
fn text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\r' | '\t');
    text.chars().all(is_plain).then_some(text)
}

/// Both sides of a call that a tool answers otherwise, in full.
///
/// A failure holds hashes and the beginning of the answer alone: payloads can be erased, and what a ledger
/// keeps of a verdict cannot. So the tool is run once more for whoever wants to see the difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputDifference {
    /// What the tool answers.
    pub answer: Result<Vec<u8>, ToolFault>,
    /// What is recorded, where it is at hand.
    pub recorded: Option<Vec<u8>>,
    /// True when the answer is the one that the failure tells of. A tool that answers otherwise each time
    /// is not deterministic, and belongs in no replay.
    pub is_steady: bool,
}

impl OutputDifference {
    /// Runs the call of a failure once more; none for a failure of another check, or a call that cannot be run.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub fn find(
        snapshot: &Snapshot,
        means: &Means<'_>,
        failure: &Failure,
    ) -> Result<Option<Self>, ReplayError> {
        let Some(seq) = failure.seq.filter(|_| failure.check == Check::Output.token()) else {
            return Ok(None);
        };
        let Ok(entry) = read_entry(snapshot, Seq::new(seq.get()))? else { return Ok(None) };
        let limits = Limits::ENVELOPE.with_max_bytes(MAX_BODY_BYTES);
        let Ok(sealed) = read_envelope(&entry.body, &limits) else { return Ok(None) };
        let Some(Runnable { call, tool, request }) = runnable(means, sealed.envelope())? else {
            return Ok(None);
        };
        let answer = run(tool, &request);
        let is_steady = failure.expected.as_deref() == Some(answered(&answer).as_str());
        Ok(Some(Self { answer, recorded: at_hand(means, &call.response.sha256)?, is_steady }))
    }

    /// Both sides, the recorded one first, where both are text.
    #[must_use]
    pub fn texts(&self) -> Option<(&str, &str)> {
        Some((text(self.recorded.as_deref()?)?, text(self.answer.as_deref().ok()?)?))
    }
}
