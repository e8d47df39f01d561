//! Spans into a ledger: each call with the decision of a policy, each trace with an entry that says what its spans
//! became, each file with an account.
//!
//! An import is idempotent. The entry of a trace names each span by its id and the SHA-256 of its content, and what was
//! committed for it under which policy; a span that is named is skipped, refused ones included. A piece of a trace is
//! committed in one order: contexts, then decision and call of each span, then the entry that names them. So whatever
//! of it an import left that was killed is a beginning of the same order, and the next import finds it and goes on.
//!
//! Spans are committed in turns, of which one import of a ledger has one at a time. What was mapped before is mapped
//! anew where another import had its turn since the ledger was asked what is known.

mod commit;
mod file;
mod known;
mod map;
mod order;
mod said;
mod tally;
mod witness;

use std::collections::HashMap;
use std::sync::Arc;

use proofline_canon::{ContentStore, Sha256Digest, StoreError, WriteError};
use proofline_ledger::{ArtifactRefusal, Blobs, Ledger, LedgerError};
use proofline_trace::{Counted, ImportAccount, ImportTotals, SafeInt, Token, TraceId};
use rayon::prelude::*;
use thiserror::Error;

use crate::content::Surroundings;
use crate::export::{own_spans, without_marks};
use crate::read::{Item, SpanBatch};
use commit::{Committer, Ready};
use known::{Known, KnownTrace};
use map::{Mapped, Piece, PieceSpan, map};
use tally::{Answers, Tally, counted};

pub use file::{ImportFileError, import_file};
pub(crate) use said::UNSAID;

pub use order::{Identity, ImportOrder, MAPPER, MAPPER_VERSION, RECORDING_POLICY, actor_from};

/// Spans that are mapped and committed together, about.
const PIECE_SPANS: usize = 4000;
/// The same in bytes.
const PIECE_BYTES: u64 = 16 << 20;

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
    /// Payloads of new spans that are erased: records name them, and they stayed out.
    pub erased_payloads: u64,
    /// Spans that are known from an import under other rules, another capture or for somebody else: their records stand
    /// as they were made, and the counts here are of what these rules would have made.
    pub known_otherwise: u64,
    /// Of the calls that are denied, those that others had denied, by the rules.
    pub denied_by_others: u64,
    /// What the policy was asked about, and how it answered, for each span of the file as it is read: known ones, and
    /// those that are in it twice, included.
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
    /// Of these, calls that were new.
    pub new_denied: u64,
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

/// An import on its way: spans go in, and come out as entries of the ledger. What is mapped is committed while the
/// spans behind it are mapped; so an error may be of spans that were taken before, and is the last answer.
#[derive(Debug)]
pub struct Importer<'a> {
    order: &'a ImportOrder,
    known: Known,
    committer: Committer<'a>,
    waiting: Vec<PieceSpan>,
    waiting_bytes: u64,
    /// What is mapped and not committed yet.
    ready: Option<Ready>,
    has_failed: bool,
    /// Spans that were taken.
    taken: u64,
    /// Counts of what is committed.
    tally: Tally,
    /// Spans that an export of this ledger made of its records.
    own_spans: u64,
    new_spans: u64,
}

impl<'a> Importer<'a> {
    /// Begins an import. `blobs` are those of the ledger; the policy's bytes are kept there first.
    ///
    /// # Errors
    /// [`ImportError::Store`].
    pub fn new(ledger: &'a Ledger, blobs: &'a Blobs, order: &'a ImportOrder) -> Result<Self, ImportError> {
        blobs.put(&order.policy.reference().policy_sha256, order.policy.bytes())?;
        Ok(Self {
            order,
            known: Known::default(),
            committer: Committer::new(ledger, blobs, order),
            waiting: Vec::new(),
            waiting_bytes: 0,
            ready: None,
            has_failed: false,
            taken: 0,
            tally: Tally::default(),
            own_spans: 0,
            new_spans: 0,
        })
    }

    /// Takes what a reading gives. Spans wait until there are some thousands of them; what is then committed is
    /// recorded at `recorded_at_ms`. Imports of a ledger commit in turn: this waits for one that is at it.
    ///
    /// # Errors
    /// [`ImportError`].
    pub fn take(&mut self, item: Item, recorded_at_ms: u64) -> Result<(), ImportError> {
        match item {
            Item::Batch(batch) => self.add(batch, recorded_at_ms),
            Item::Refused(refused) => {
                self.taken += 1;
                self.tally.spans += 1;
                self.tally.unreadable(refused.code());
                Ok(())
            }
        }
    }

    /// Spans that were taken so far.
    #[must_use]
    pub const fn spans(&self) -> u64 {
        self.taken
    }

    fn add(&mut self, batch: SpanBatch, recorded_at_ms: u64) -> Result<(), ImportError> {
        for read in batch.spans {
            self.taken += 1;
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
                self.map_waiting(recorded_at_ms)?;
            }
        }
        Ok(())
    }

    /// Commits what waits, and the account of the file.
    ///
    /// # Errors
    /// [`ImportError`].
    pub fn finish(mut self, source: Source, recorded_at_ms: u64) -> Result<Imported, ImportError> {
        self.map_waiting(recorded_at_ms)?;
        self.map_waiting(recorded_at_ms)?; // nothing waits any more: it commits what was mapped
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
        self.committer.account(&bytes, recorded_at_ms)?;
        Ok(Imported {
            account_sha256: Sha256Digest::of(&bytes),
            account,
            new_spans: self.new_spans,
            appended: self.committer.appended,
            erased_payloads: self.committer.erased_payloads,
            known_otherwise: self.tally.known_otherwise,
            denied_by_others: self.tally.denied_by_others,
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

    /// Counts of what is committed.
    #[must_use]
    pub fn totals(&self) -> ImportTotals {
        self.tally.totals()
    }

    /// Leaves aside what an export of this ledger made of its records: that is no telemetry.
    fn leave_own(&mut self, piece: &mut Piece) -> Result<(), ImportError> {
        if !piece.spans.iter().any(|it| it.says_records) {
            return Ok(());
        }
        let own = own_spans(self.committer.ledger(), piece.trace_id)?;
        let is_own =
            |it: &PieceSpan| it.says_records && it.known_by().is_some_and(|known| own.contains(&known));
        let before = piece.spans.len();
        piece.spans.retain(|it| !is_own(it));
        self.own_spans += (before - piece.spans.len()) as u64;
        Ok(())
    }

    fn map_waiting(&mut self, recorded_at_ms: u64) -> Result<(), ImportError> {
        if self.has_failed {
            return Err(ImportError::Program("it goes on after it failed".to_owned()));
        }
        self.has_failed = true;
        self.map_and_commit(recorded_at_ms)?;
        self.has_failed = false;
        Ok(())
    }

    /// Maps what waits, while what was mapped before is committed.
    fn map_and_commit(&mut self, recorded_at_ms: u64) -> Result<(), ImportError> {
        self.waiting_bytes = 0;
        let (mut pieces, without) = pieces(std::mem::take(&mut self.waiting));
        self.tally.spans += without;
        for _ in 0..without {
            self.tally.unreadable("trace-id");
        }
        for piece in &mut pieces {
            self.leave_own(piece)?;
        }
        let mut known = self.known_of(&pieces)?;
        let (order, committer, ready) = (self.order, &mut self.committer, self.ready.take());
        let commit = || ready.map_or(Ok(None), |ready| committer.commit(ready).map(Some));
        let (committed, mapped) = rayon::join(commit, || map_each(&pieces, &known, order));
        let (committed, mut mapped) = (committed?, mapped?);
        if let Some(committed) = committed {
            self.tally.add(&committed.tally);
            self.new_spans += committed.new_spans;
            if committed.is_anew {
                self.known = Known::default();
                known = self.known_of(&pieces)?;
                mapped = map_each(&pieces, &known, order)?;
            }
        }
        self.make_ready(pieces, known, mapped, recorded_at_ms);
        Ok(())
    }

    /// What is known of the trace of each piece. What is not committed yet is in memory: a trace that is not in
    /// memory can be read.
    fn known_of(&mut self, pieces: &[Piece]) -> Result<Vec<KnownTrace>, ImportError> {
        self.committer.begin_to_know();
        let mut known = Vec::with_capacity(pieces.len());
        for piece in pieces {
            known.push(self.known.take(self.committer.ledger(), piece.trace_id)?);
        }
        Ok(known)
    }

    /// Keeps what was mapped for the next commit, and what is known once it is there.
    fn make_ready(
        &mut self,
        pieces: Vec<Piece>,
        known: Vec<KnownTrace>,
        mut mapped: Vec<Mapped>,
        recorded_at_ms: u64,
    ) {
        self.known.begin_batch();
        for (mut known, mapped) in known.into_iter().zip(&mut mapped) {
            known.learn(mapped);
            self.known.put(mapped.trace_id, known);
        }
        self.ready = Some(Ready { pieces, mapped, recorded_at_ms });
    }
}

fn map_each(pieces: &[Piece], known: &[KnownTrace], order: &ImportOrder) -> Result<Vec<Mapped>, ImportError> {
    pieces.par_iter().zip(known).map(|(piece, known)| map(piece, known, order)).collect()
}

fn asked(tally: &Tally) -> Vec<AskedOf> {
    let one = |((action, resource), counts): (&(String, String), &Answers)| AskedOf {
        action: action.clone(),
        resource: resource.clone(),
        allowed: counts.allowed,
        denied: counts.denied,
        new_denied: counts.new_denied,
    };
    tally.asked.iter().map(one).collect()
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
