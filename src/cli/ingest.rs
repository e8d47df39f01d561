//! Commits the lines of an evidence file, group by group, and says of each line what became of it once that is
//! durable.

use proofline::canon::{Limits, Pointer};
use proofline::ledger::{Action, Ledger, Outcome, Seq};
use proofline::trace::{Classification, EnvelopeHash, ErrorKind, Rejection, SchemaFault};
use serde::Serialize;

use super::clock::Clock;
use super::error::CliError;
use super::exit::Exit;
use super::input::{Content, Line, Lines};
use super::phrase::counted;
use super::progress::Progress;

/// What became of one line; the shape of `commit --format json`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Answer {
    /// The line's number, from 1.
    pub(crate) line: u64,
    /// `ACCEPT`, or the class of the refusal.
    pub(crate) classification: Classification,
    /// The contract's kind, for a refusal.
    pub(crate) error_kind: Option<String>,
    /// The JSON Pointer of the offending place, for a refusal.
    pub(crate) path: Option<String>,
    /// A sentence, for a refusal.
    pub(crate) message: Option<String>,
    /// SHA-256 of the canonical bytes, if there are any.
    pub(crate) envelope_hash: Option<EnvelopeHash>,
    /// The entry: of the record, or of the attempt that was kept.
    pub(crate) seq: Option<u64>,
    /// Whether the record was there before.
    pub(crate) duplicate: bool,
}

impl Answer {
    fn accepted(line: u64, envelope_hash: EnvelopeHash, seq: Seq, duplicate: bool) -> Self {
        Self {
            line,
            classification: Classification::Accept,
            error_kind: None,
            path: None,
            message: None,
            envelope_hash: Some(envelope_hash),
            seq: Some(seq.get()),
            duplicate,
        }
    }

    fn refused(line: u64, rejection: &Rejection, hash: Option<EnvelopeHash>, seq: Option<Seq>) -> Self {
        Self {
            line,
            classification: rejection.classification,
            error_kind: Some(rejection.kind.to_string()),
            path: Some(rejection.pointer.to_string()),
            message: Some(rejection.message.clone()),
            envelope_hash: hash,
            seq: seq.map(Seq::get),
            duplicate: false,
        }
    }

    /// Whether the gate let it in.
    pub(crate) fn is_accepted(&self) -> bool {
        self.classification == Classification::Accept
    }

    /// Whether it was refused, and kept as evidence of the attempt.
    pub(crate) fn is_kept_attempt(&self) -> bool {
        !self.is_accepted() && self.seq.is_some()
    }
}

/// How many lines met which fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Counts {
    /// Lines, blank ones included.
    pub(crate) lines: u64,
    /// Lines of white space.
    pub(crate) blank: u64,
    /// Lines that were accepted, those that were there before included.
    pub(crate) accepted: u64,
    /// Accepted lines that were there before.
    pub(crate) duplicates: u64,
    /// Attempts that were refused and kept.
    pub(crate) rejected: u64,
    /// Lines that are no evidence and were not kept.
    pub(crate) bad: u64,
}

impl Counts {
    fn count(&mut self, answer: &Answer) {
        self.accepted += u64::from(answer.is_accepted());
        self.duplicates += u64::from(answer.duplicate);
        self.rejected += u64::from(answer.is_kept_attempt());
        self.bad += u64::from(!answer.is_accepted() && !answer.is_kept_attempt());
    }

    /// Bad input before kept refusals: what was not kept is lost.
    pub(crate) fn exit(&self) -> Exit {
        Exit::first([Exit::when(self.bad > 0, Exit::BadInput), Exit::when(self.rejected > 0, Exit::Failed)])
    }

    /// The counts as a sentence.
    pub(crate) fn sentence(&self) -> String {
        let lines = counted(self.lines, "line", "lines");
        let mut parts = vec![format!("{} accepted", self.accepted)];
        if self.duplicates > 0 {
            parts.push(format!("{} of them there before", self.duplicates));
        }
        parts.push(format!("{} refused and kept", self.rejected));
        parts.push(format!("{} no evidence", self.bad));
        if self.blank > 0 {
            parts.push(format!("{} blank", self.blank));
        }
        format!("{lines}: {}", parts.join(", "))
    }
}

/// Commits all lines. `told` hears of each line that is not blank, in order, after what it rests on is durable; at
/// the end of each group it hears `None`.
pub(crate) fn ingest(
    ledger: &Ledger,
    lines: &mut Lines,
    clock: Clock,
    progress: &Progress,
    told: &mut dyn FnMut(Option<&Answer>) -> Result<(), CliError>,
) -> Result<Counts, CliError> {
    let mut counts = Counts::default();
    loop {
        let group = lines.next_group()?;
        if group.is_empty() {
            return if counts.lines > counts.blank { Ok(counts) } else { Err(lines.without_evidence()) };
        }
        for answer in commit_group(ledger, &group, clock.now_ms())? {
            counts.count(&answer);
            told(Some(&answer))?;
        }
        told(None)?;
        counts.lines += group.len() as u64;
        counts.blank += group.iter().filter(|line| line.content == Content::Blank).count() as u64;
        progress.advance(group.len() as u64);
    }
}

/// The answers to the lines of a group that are not blank.
fn commit_group(ledger: &Ledger, group: &[Line], now_ms: u64) -> Result<Vec<Answer>, CliError> {
    let kept = group.iter().filter_map(|line| match &line.content {
        Content::Bytes(bytes) => Some(Action::Line(bytes)),
        Content::Blank | Content::TooLong { .. } => None,
    });
    let actions: Vec<Action<'_>> = kept.collect();
    let mut outcomes = ledger.commit_actions(&actions, now_ms)?.into_iter();
    let answers = group.iter().filter_map(|line| match line.content {
        Content::Blank => None,
        Content::TooLong { size_bytes } => {
            Some(Ok(Answer::refused(line.number, &too_long(size_bytes), None, None)))
        }
        Content::Bytes(_) => {
            let outcome = outcomes.next().ok_or_else(missing_answer);
            Some(outcome.and_then(|outcome| answer(line.number, outcome)))
        }
    });
    answers.collect()
}

/// The refusal of a line that was too long to be kept in memory.
fn too_long(size_bytes: u64) -> Rejection {
    let limit = Limits::ENVELOPE.max_bytes();
    let message = format!(
        "the line is {size_bytes} bytes long, over the size limit: an envelope has {limit} bytes at most; \
         keep payloads as blobs and name them by their hash"
    );
    Rejection::new(ErrorKind::SchemaViolation(SchemaFault::MalformedJson), Pointer::root(), message)
}

fn answer(line: u64, outcome: Outcome) -> Result<Answer, CliError> {
    match outcome {
        Outcome::Accepted { envelope_hash, seq, duplicate } => {
            Ok(Answer::accepted(line, envelope_hash, seq, duplicate))
        }
        Outcome::Refused { rejection, envelope_hash, seq } => {
            Ok(Answer::refused(line, &rejection, envelope_hash, seq))
        }
        Outcome::ArtifactRefused(refusal) => {
            Err(CliError::Internal(format!("an envelope was answered as an artifact: {refusal}")))
        }
    }
}

fn missing_answer() -> CliError {
    CliError::Internal("the ledger answered fewer lines than it was asked".to_owned())
}
