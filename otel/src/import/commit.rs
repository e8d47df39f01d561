//! Pieces that are mapped, on their way into the ledger: first their payloads, durable, and then what names them.

use std::collections::HashSet;

use proofline_canon::Sha256Digest;
use proofline_ledger::{Action, Blobs, Ledger, Outcome, Submission};
use proofline_trace::{ErrorKind, TraceId};

use super::ImportError;
use super::known::KnownTrace;
use super::map::{Mapped, Piece, map};
use super::order::ImportOrder;
use super::tally::Tally;

/// Names of payloads in memory, of 32 bytes each.
const MOST_KEPT: usize = 1 << 18;

/// Pieces that are mapped and not committed yet.
#[derive(Debug)]
pub(super) struct Ready {
    /// What they were mapped from.
    pub(super) pieces: Vec<Piece>,
    pub(super) mapped: Vec<Mapped>,
    pub(super) recorded_at_ms: u64,
}

impl Ready {
    /// Maps by what the ledger knows now. On this thread alone: one that waits for others may be given work meanwhile,
    /// another import for one, which would wait for the turn that this one has.
    fn map_anew(&mut self, ledger: &Ledger, order: &ImportOrder) -> Result<(), ImportError> {
        self.mapped.clear();
        for piece in &self.pieces {
            let mut known = KnownTrace::read(ledger, piece.trace_id)?;
            let mut mapped = map(piece, &known, order)?;
            known.learn(&mut mapped);
            self.mapped.push(mapped);
        }
        Ok(())
    }
}

/// What of the account came with pieces.
#[derive(Debug, Default)]
pub(super) struct Committed {
    pub(super) tally: Tally,
    pub(super) new_spans: u64,
    /// Whether they were mapped anew: what was known before does not hold.
    pub(super) is_anew: bool,
}

impl Committed {
    fn of(mapped: &[Mapped], is_anew: bool) -> Self {
        let mut committed = Self { is_anew, ..Self::default() };
        for piece in mapped {
            committed.tally.add(&piece.tally);
            committed.new_spans += piece.new_spans;
        }
        committed
    }
}

/// Where pieces go.
#[derive(Debug)]
pub(super) struct Committer<'a> {
    ledger: &'a Ledger,
    blobs: &'a Blobs,
    order: &'a ImportOrder,
    /// How many entries there were before the ledger was asked for what is known, or when what was known by that was
    /// committed.
    seen_entries: Option<u64>,
    /// Payloads that this import made durable, or found erased: equal ones come often.
    kept: HashSet<Sha256Digest>,
    pub(super) appended: u64,
    pub(super) erased_payloads: u64,
}

impl<'a> Committer<'a> {
    pub(super) fn new(ledger: &'a Ledger, blobs: &'a Blobs, order: &'a ImportOrder) -> Self {
        let (kept, seen_entries) = (HashSet::new(), None);
        Self { ledger, blobs, order, seen_entries, kept, appended: 0, erased_payloads: 0 }
    }

    /// The ledger is about to be asked for what is known.
    pub(super) fn begin_to_know(&mut self) {
        self.seen_entries.get_or_insert_with(|| self.ledger.entries());
    }

    pub(super) const fn ledger(&self) -> &'a Ledger {
        self.ledger
    }

    /// Commits the account of a file.
    pub(super) fn account(&mut self, bytes: &[u8], recorded_at_ms: u64) -> Result<(), ImportError> {
        let outcome = self.ledger.commit_action(&Action::Artifact(bytes), recorded_at_ms)?;
        self.appended += u64::from(entry_of(outcome)?);
        Ok(())
    }

    /// Commits pieces in one call and one turn.
    pub(super) fn commit(&mut self, mut ready: Ready) -> Result<Committed, ImportError> {
        let turn = self.ledger.import_turn()?;
        let is_anew = self.seen_entries.is_none_or(|seen| turn.may_have_imports_behind(seen));
        if is_anew {
            ready.map_anew(self.ledger, self.order)?;
        }
        ready.pieces = Vec::new(); // some megabytes that nobody needs again
        self.keep_payloads(&ready.mapped)?;
        let steps: Vec<Step<'_>> = ready.mapped.iter().flat_map(steps).collect();
        let actions: Vec<Action<'_>> = steps.iter().map(Step::action).collect();
        let outcomes = self.ledger.commit_actions(&actions, ready.recorded_at_ms)?;
        for (step, outcome) in steps.iter().zip(outcomes) {
            let is_new = match step.what {
                What::Entry(_) => entry_of(outcome)?,
                What::Evidence { is_denied, .. } => evidence_of(outcome, is_denied, step.trace_id)?,
            };
            self.appended += u64::from(is_new);
        }
        self.seen_entries = Some(self.ledger.entries());
        Ok(Committed::of(&ready.mapped, is_anew))
    }

    fn keep_payloads(&mut self, mapped: &[Mapped]) -> Result<(), ImportError> {
        let payloads = mapped.iter().flat_map(|it| &it.payloads);
        let payloads = payloads.filter(|payload| !self.kept.contains(&payload.reference.sha256));
        let payloads: Vec<(Sha256Digest, &[u8])> =
            payloads.map(|payload| (payload.reference.sha256, payload.bytes.as_slice())).collect();
        self.erased_payloads += self.blobs.put_each(&payloads)?.len() as u64;
        if self.kept.len() > MOST_KEPT {
            self.kept.clear();
        }
        self.kept.extend(payloads.iter().map(|(name, _)| *name));
        Ok(())
    }
}

struct Step<'a> {
    trace_id: TraceId,
    what: What<'a>,
}

enum What<'a> {
    Evidence { canonical: &'a [u8], is_denied: bool },
    Entry(&'a [u8]),
}

/// What a piece commits, in the order in which a later import finds how far it came.
fn steps(mapped: &Mapped) -> impl Iterator<Item = Step<'_>> {
    let trace_id = mapped.trace_id;
    let evidence = |canonical, is_denied| What::Evidence { canonical, is_denied };
    let contexts = mapped.contexts.iter().map(move |context| evidence(context.canonical(), false));
    let calls = mapped.calls.iter().flat_map(move |call| {
        let decision = evidence(&call.decision, false);
        let attempt = (!call.is_there).then(|| evidence(&call.call, call.is_denied));
        std::iter::once(decision).chain(attempt)
    });
    let entry = mapped.entry.as_deref().map(What::Entry);
    contexts.chain(calls).chain(entry).map(move |what| Step { trace_id, what })
}

impl Step<'_> {
    const fn action(&self) -> Action<'_> {
        match self.what {
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
