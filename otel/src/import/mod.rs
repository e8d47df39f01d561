//! Spans into a ledger: each call with the decision of a policy, each trace with an entry that says what its spans
//! became, each file with an account.
//!
//! An import is idempotent. The entry of a trace names each span by its id and the SHA-256 of its content, and what was
//! committed for it under which policy; a span that is named is skipped, refused ones included. A piece of a trace is
//! committed in one order: contexts, then decision and call of each span, then the entry that names them. So whatever
//! of it an import left that was killed is a beginning of the same order, and the next import finds it and goes on.

mod file;
mod known;
mod map;
mod order;
mod said;
mod tally;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use proofline_canon::{ContentStore, Sha256Digest, StoreError, WriteError};
use proofline_ledger::{Action, ArtifactRefusal, Blobs, Ledger, LedgerError, Outcome, Submission};
use proofline_trace::{Counted, ErrorKind, ImportAccount, ImportTotals, OtelImport, SafeInt, Token, TraceId};
use rayon::prelude::*;
use thiserror::Error;

use crate::content::Surroundings;
use crate::export::{own_spans, without_marks};
use crate::read::{Item, SpanBatch};
use known::{Known, KnownTrace};
use map::{Mapped, Piece, PieceSpan, map};
use tally::{Tally, counted};

pub use file::{ImportFileError, import_file};
pub(crate) use said::UNSAID;

pub use order::{Identity, ImportOrder, MAPPER, MAPPER_VERSION, RECORDING_POLICY, actor_from};

/// Spans that are mapped and committed together, about.
const PIECE_SPANS: usize = 2000;
/// The same in bytes.
const PIECE_BYTES: u64 = 16 << 20;

/// Names of payloads in memory, of 32 bytes each.
const MOST_KEPT: usize = 1 << 18;

/// Why an import stopped. What was committed before stays; the same import again goes on from there.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImportError {
    /// The ledger would not.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A payload could not be kept.
    #[error("a payload cannot be kept: {0}")]
    Store(#[from] StoreError),
    /// A document that cannot be written.
    #[error("a document cannot be written: {0}")]
    Write(#[from] WriteError),
    /// The gate refuses what an import made.
    #[error("the gate refuses what the import made of trace {trace_id}: {because}")]
    Gate {
        /// The trace.
        trace_id: TraceId,
        /// Its words.
        because: String,
    },
    /// The gate refuses the entry of a trace, or the account.
    #[error("the ledger refuses the import's own entry: {0}")]
    Entry(ArtifactRefusal),
    /// What must not happen.
    #[error("the import is at fault: {0}")]
    Program(String),
}

impl ImportError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Ledger(error) => error.code(),
            Self::Store(error) => error.code(),
            Self::Write(error) => error.code(),
            Self::Gate { .. } => "otel.gate",
            Self::Entry(_) => "otel.entry",
            Self::Program(_) => "otel.program",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Ledger(error) => error.hint(),
            Self::Store(_) => "free space or mend the folder, and import again: it goes on where it stopped",
            Self::Write(_) => "report it with the file",
            Self::Gate { .. } => {
                "another record of the trace stands in the way; look at the trace with `proofline trace`"
            }
            Self::Entry(_) | Self::Program(_) => "report it with the file",
        }
    }
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The account, as it is in the ledger.
    pub account: ImportAccount,
    /// Its artifact key.
    pub account_sha256: Sha256Digest,
    /// Spans that were new.
    pub new_spans: u64,
    /// Entries that were appended.
    pub appended: u64,
    /// What the policy was asked about, and how it answered, known spans included.
    pub asked: Vec<AskedOf>,
    /// The reasons of its denials.
    pub reasons: Vec<Counted>,
}

/// How a policy answered about one action on one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskedOf {
    /// The action.
    pub action: String,
    /// The resource, without the numbers that rules put behind it.
    pub resource: String,
    /// Calls that it allows.
    pub allowed: u64,
    /// Calls that it denies.
    pub denied: u64,
}

/// The file that spans are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// SHA-256 of the file as it came.
    pub sha256: Sha256Digest,
    /// Its length.
    pub size_bytes: u64,
    /// How its messages follow each other.
    pub framing: Token,
    /// OTLP messages in it.
    pub messages: u64,
    /// What was odd about it.
    pub warnings: Vec<Counted>,
}

/// An import on its way: spans go in, and come out as entries of the ledger.
#[derive(Debug)]
pub struct Importer<'a> {
    ledger: &'a Ledger,
    blobs: &'a Blobs,
    order: &'a ImportOrder,
    known: Known,
    /// Payloads that this import made durable: equal ones come often.
    kept: HashSet<Sha256Digest>,
    waiting: Vec<PieceSpan>,
    waiting_bytes: u64,
    tally: Tally,
    /// Spans that an export of this ledger made of its records.
    own_spans: u64,
    new_spans: u64,
    appended: u64,
}

impl<'a> Importer<'a> {
    /// Begins an import. `blobs` are those of the ledger; the policy's bytes are kept there first.
    ///
    /// # Errors
    /// [`ImportError::Store`].
    pub fn new(ledger: &'a Ledger, blobs: &'a Blobs, order: &'a ImportOrder) -> Result<Self, ImportError> {
        blobs.put(&order.policy.reference().policy_sha256, order.policy.bytes())?;
        Ok(Self {
            ledger,
            blobs,
            order,
            known: Known::default(),
            kept: HashSet::new(),
            waiting: Vec::new(),
            waiting_bytes: 0,
            tally: Tally::default(),
            own_spans: 0,
            new_spans: 0,
            appended: 0,
        })
    }

    /// Takes what a reading gives. Spans wait until there are some thousands of them; what is then committed is
    /// recorded at `recorded_at_ms`.
    ///
    /// # Errors
    /// [`ImportError`].
    pub fn take(&mut self, item: Item, recorded_at_ms: u64) -> Result<(), ImportError> {
        match item {
            Item::Batch(batch) => self.add(batch, recorded_at_ms),
            Item::Refused(refused) => {
                self.tally.spans += 1;
                self.tally.unreadable(refused.code());
                Ok(())
            }
        }
    }

    /// Spans that were taken so far.
    #[must_use]
    pub const fn spans(&self) -> u64 {
        self.tally.spans + self.waiting.len() as u64
    }

    fn add(&mut self, batch: SpanBatch, recorded_at_ms: u64) -> Result<(), ImportError> {
        for read in batch.spans {
            self.waiting_bytes += read.bytes;
            let within = Surroundings {
                resource: &batch.resource,
                resource_schema_url: &batch.resource_schema_url,
                scope: &batch.scope,
                scope_schema_url: &batch.scope_schema_url,
            };
            let (span, says_records) = match without_marks(&read.span, &within) {
                Some(unmarked) => (unmarked.span, unmarked.says_records),
                None => (read.span, false),
            };
            self.waiting.push(PieceSpan {
                span,
                says_records,
                resource: Arc::clone(&batch.resource),
                resource_schema_url: Arc::clone(&batch.resource_schema_url),
                scope: Arc::clone(&batch.scope),
                scope_schema_url: Arc::clone(&batch.scope_schema_url),
            });
            if self.waiting.len() >= PIECE_SPANS || self.waiting_bytes >= PIECE_BYTES {
                self.commit_waiting(recorded_at_ms)?;
            }
        }
        Ok(())
    }

    /// Commits what waits, and the account of the file.
    ///
    /// # Errors
    /// [`ImportError`].
    pub fn finish(mut self, source: Source, recorded_at_ms: u64) -> Result<Imported, ImportError> {
        self.commit_waiting(recorded_at_ms)?;
        self.tally.messages = source.messages;
        let account = ImportAccount {
            source_sha256: source.sha256,
            source_bytes: SafeInt::saturating(source.size_bytes),
            framing: source.framing,
            mapping: self.order.mapping(),
            totals: self.tally.totals(),
            refusals: counted(&self.tally.refusals),
            absent: counted(&self.tally.absent),
            warnings: self.warnings(source.warnings),
        };
        let bytes = account.canonical();
        let outcome = self.ledger.commit_action(&Action::Artifact(&bytes), recorded_at_ms)?;
        self.appended += u64::from(entry_of(outcome)?);
        Ok(Imported {
            account_sha256: Sha256Digest::of(&bytes),
            account,
            new_spans: self.new_spans,
            appended: self.appended,
            asked: asked(&self.tally),
            reasons: counted(&self.tally.reasons),
        })
    }

    /// What was odd about a file, and how many spans of it an export of this ledger had made of its records.
    fn warnings(&self, mut of_reading: Vec<Counted>) -> Vec<Counted> {
        if self.own_spans > 0 {
            let count = SafeInt::saturating(self.own_spans);
            of_reading.push(Counted { what: Token::of_name("own-records"), count });
            of_reading.sort();
        }
        of_reading
    }

    /// Counts so far.
    #[must_use]
    pub fn totals(&self) -> ImportTotals {
        self.tally.totals()
    }

    fn commit_waiting(&mut self, recorded_at_ms: u64) -> Result<(), ImportError> {
        self.waiting_bytes = 0;
        let waiting = std::mem::take(&mut self.waiting);
        let (mut pieces, without) = pieces(waiting);
        self.tally.spans += without;
        for _ in 0..without {
            self.tally.unreadable("trace-id");
        }
        let mut known = Vec::with_capacity(pieces.len());
        for piece in &mut pieces {
            known.push(self.known.take(self.ledger, piece.trace_id)?);
            self.leave_own(piece)?;
        }
        let order = self.order;
        let mapped: Result<Vec<Mapped>, ImportError> =
            pieces.par_iter().zip(&known).map(|(piece, known)| map(piece, known, order)).collect();
        let mapped = mapped?;
        let payloads = mapped.iter().flat_map(|it| &it.payloads);
        let payloads = payloads.filter(|payload| !self.kept.contains(&payload.reference.sha256));
        let payloads: Vec<(Sha256Digest, &[u8])> =
            payloads.map(|payload| (payload.reference.sha256, payload.bytes.as_slice())).collect();
        self.blobs.put_each(&payloads)?;
        if self.kept.len() > MOST_KEPT {
            self.kept.clear();
        }
        self.kept.extend(payloads.iter().map(|(name, _)| *name));
        self.commit(&pieces, &mapped, &mut known, recorded_at_ms)?;
        for (piece, known) in pieces.iter().zip(known) {
            self.known.put(piece.trace_id, known);
        }
        Ok(())
    }

    /// Leaves aside what an export of this ledger made of its records: that is no telemetry.
    fn leave_own(&mut self, piece: &mut Piece) -> Result<(), ImportError> {
        if !piece.spans.iter().any(|it| it.says_records) {
            return Ok(());
        }
        let own = own_spans(self.ledger, piece.trace_id)?;
        let before = piece.spans.len();
        piece
            .spans
            .retain(|it| !(it.says_records && it.known_by().is_some_and(|known| own.contains(&known))));
        self.own_spans += (before - piece.spans.len()) as u64;
        Ok(())
    }

    /// Commits pieces in one call, and remembers what the ledger now knows.
    fn commit(
        &mut self,
        pieces: &[Piece],
        mapped: &[Mapped],
        known: &mut [KnownTrace],
        recorded_at_ms: u64,
    ) -> Result<(), ImportError> {
        let mut steps = Vec::new();
        for ((piece, it), known) in pieces.iter().zip(mapped).zip(known.iter_mut()) {
            steps.extend(
                it.contexts.iter().map(|context| Step::evidence(piece.trace_id, context.canonical(), false)),
            );
            for call in &it.calls {
                steps.push(Step::evidence(piece.trace_id, call.decision.canonical(), false));
                // An attempt that an import before this one left is not made again.
                if !(call.is_denied && known.claim(call.call.hash())) {
                    steps.push(Step::evidence(piece.trace_id, call.call.canonical(), call.is_denied));
                }
            }
            if let Some(import) = &it.import {
                steps.push(Step { trace_id: piece.trace_id, what: What::Entry(import.canonical()) });
            }
        }
        let actions: Vec<Action<'_>> = steps.iter().map(Step::action).collect();
        let outcomes = self.ledger.commit_actions(&actions, recorded_at_ms)?;
        for (step, outcome) in steps.iter().zip(outcomes) {
            let is_new = match &step.what {
                What::Entry(_) => entry_of(outcome)?,
                What::Evidence { is_denied, .. } => evidence_of(outcome, *is_denied, step.trace_id)?,
            };
            self.appended += u64::from(is_new);
        }
        for (it, known) in mapped.iter().zip(known) {
            self.tally.add(&it.tally);
            self.new_spans += it.import.as_ref().map_or(0, |import| import.spans.len() as u64);
            learn(known, it);
        }
        Ok(())
    }
}

fn asked(tally: &Tally) -> Vec<AskedOf> {
    let one = |((action, resource), (allowed, denied)): (&(String, String), &(u64, u64))| AskedOf {
        action: action.clone(),
        resource: resource.clone(),
        allowed: *allowed,
        denied: *denied,
    };
    tally.asked.iter().map(one).collect()
}

/// What the ledger knows of a trace after a piece of it is kept.
fn learn(known: &mut KnownTrace, mapped: &Mapped) {
    let import: Option<&OtelImport> = mapped.import.as_ref();
    import.into_iter().for_each(|import| known.add_rows(import));
    for context in &mapped.contexts {
        if let proofline_trace::Envelope::AuthContext(record) = context.envelope() {
            known.contexts.push((context.hash(), record.clone()));
        }
    }
}

struct Step<'a> {
    trace_id: TraceId,
    what: What<'a>,
}

enum What<'a> {
    Evidence { canonical: &'a [u8], is_denied: bool },
    Entry(Vec<u8>),
}

impl<'a> Step<'a> {
    const fn evidence(trace_id: TraceId, canonical: &'a [u8], is_denied: bool) -> Self {
        Self { trace_id, what: What::Evidence { canonical, is_denied } }
    }

    fn action(&self) -> Action<'_> {
        match &self.what {
            What::Evidence { canonical, .. } => Action::Evidence(Submission::bare(canonical)),
            What::Entry(bytes) => Action::Artifact(bytes),
        }
    }
}

/// Whether an entry was appended.
fn entry_of(outcome: Outcome) -> Result<bool, ImportError> {
    match outcome {
        Outcome::Accepted { duplicate, .. } => Ok(!duplicate),
        Outcome::ArtifactRefused(refusal) => Err(ImportError::Entry(refusal)),
        Outcome::Refused { rejection, .. } => Err(ImportError::Program(rejection.message)),
    }
}

/// The same of evidence. A call that the policy denies is refused by the gate, and kept.
fn evidence_of(outcome: Outcome, is_denied: bool, trace_id: TraceId) -> Result<bool, ImportError> {
    let because = match outcome {
        Outcome::Accepted { .. } if is_denied => "it accepts a call that the policy denies".to_owned(),
        Outcome::Accepted { duplicate, .. } => return Ok(!duplicate),
        Outcome::Refused { rejection, .. } if is_denied && rejection.kind == ErrorKind::PolicyDenied => {
            return Ok(true);
        }
        Outcome::Refused { rejection, .. } => format!("{}: {}", rejection.kind, rejection.message),
        Outcome::ArtifactRefused(refusal) => refusal.to_string(),
    };
    Err(ImportError::Gate { trace_id, because })
}

/// Spans by trace, traces in the order in which they came first; and how many have none.
fn pieces(spans: Vec<PieceSpan>) -> (Vec<Piece>, u64) {
    let mut places: HashMap<TraceId, usize> = HashMap::new();
    let mut pieces: Vec<Piece> = Vec::new();
    let mut without = 0;
    for span in spans {
        let id =
            span.span.trace_id.as_slice().try_into().ok().and_then(|bytes| TraceId::from_bytes(bytes).ok());
        let Some(trace_id) = id else {
            without += 1;
            continue;
        };
        let place = *places.entry(trace_id).or_insert_with(|| {
            pieces.push(Piece { trace_id, spans: Vec::new() });
            pieces.len() - 1
        });
        if let Some(piece) = pieces.get_mut(place) {
            piece.spans.push(span);
        }
    }
    (pieces, without)
}
