//! The records that every side gets, from the seeded generator that benches use too, and the ledgers made of them.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use proofline::ledger::gate::{Facts, Standing};
use proofline::ledger::{Action, Genesis, Ledger, Options, Outcome, Seq, Submission};
use proofline::trace::{Envelope, EnvelopeHash, LedgerId, SealedEnvelope, TraceId};
use proofline_vectors::{EvidencePlan, Generator};

use crate::failure::Failure;

/// Which of all evidence.
const SEED: u64 = 0x00BE_9C4E;
/// 2026-03-02T08:00:00Z.
pub(crate) const NOW_MS: u64 = 1_772_438_400_000;
/// Records in one call where nothing else is said.
pub(crate) const GROUP: usize = 1_000;

/// A record, and what a store has to know of it to find it again and to answer the gate.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: EnvelopeHash,
    pub(crate) trace: TraceId,
}

impl Record {
    pub(crate) fn of(sealed: &SealedEnvelope) -> Self {
        let trace = sealed.envelope().trace_id();
        Self { bytes: sealed.canonical().to_vec(), hash: sealed.hash(), trace }
    }
}

/// Records without end, in an order in which the gate accepts them.
pub(crate) fn evidence(seed: u64) -> impl Iterator<Item = SealedEnvelope> {
    Generator::new(&EvidencePlan::clean(seed, u64::MAX)).map(|submission| submission.sealed)
}

/// The records that ledgers here are made of, from the first.
pub(crate) fn same_evidence() -> impl Iterator<Item = SealedEnvelope> {
    evidence(SEED)
}

/// So many of them in memory.
pub(crate) fn records(count: u64) -> Vec<Record> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    evidence(SEED).take(count).map(|sealed| Record::of(&sealed)).collect()
}

/// A new ledger in a folder, open.
pub(crate) fn new_ledger(dir: &Path) -> Result<Ledger, Failure> {
    let origin = "compare.example".parse().map_err(Failure::of("proofline"))?;
    let genesis = Genesis { ledger_id: LedgerId::from_bytes([0xc0; 16]), origin, created_at_ms: NOW_MS };
    Ledger::init(dir, &genesis).map_err(Failure::of("proofline"))?;
    open(dir)
}

/// A ledger that is there, open.
pub(crate) fn open(dir: &Path) -> Result<Ledger, Failure> {
    Ledger::open(dir, Options::default()).map_err(Failure::of("proofline"))
}

/// Commits canonical bytes in one call, each a new record that is accepted, and says how long that took.
pub(crate) fn commit<'a>(
    ledger: &Ledger,
    group: impl Iterator<Item = &'a [u8]>,
) -> Result<Duration, Failure> {
    let actions: Vec<Action<'_>> = group.map(|bytes| Action::Evidence(Submission::bare(bytes))).collect();
    let begun = Instant::now();
    let outcomes = ledger.commit_actions(&actions, NOW_MS).map_err(Failure::of("proofline"))?;
    let taken = begun.elapsed();
    match outcomes.iter().find(|outcome| !is_new(outcome)) {
        None => Ok(taken),
        Some(outcome) => Err(Failure::Wrong(format!("a record was not accepted as new: {outcome:?}"))),
    }
}

pub(crate) const fn is_new(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Accepted { duplicate: false, .. })
}

/// A ledger that was made, and what making it took.
#[derive(Debug, Clone)]
pub(crate) struct Grown {
    pub(crate) records: u64,
    pub(crate) canonical_bytes: u64,
    /// Records of each call and the time it took, in order.
    pub(crate) calls: Vec<(u64, Duration)>,
    /// The same of appending the same bytes to a bare file and making them durable, in turn with the calls.
    pub(crate) appends: Vec<(u64, Duration)>,
}

/// Makes a ledger of so many records. The file `canonical` gets the same bytes, in turn and durable like commits: what
/// it left unwritten would be written while a commit waits for the disk.
pub(crate) fn grow(dir: &Path, count: u64, canonical: &Path) -> Result<Grown, Failure> {
    let ledger = new_ledger(dir)?;
    let mut file = File::create(canonical).map_err(Failure::io("make", canonical))?;
    let mut grown = Grown { records: count, canonical_bytes: 0, calls: Vec::new(), appends: Vec::new() };
    let mut evidence = evidence(SEED);
    let mut left = count;
    while left > 0 {
        let size = left.min(GROUP as u64);
        let group: Vec<SealedEnvelope> =
            evidence.by_ref().take(usize::try_from(size).unwrap_or(GROUP)).collect();
        grown.calls.push((size, commit(&ledger, group.iter().map(SealedEnvelope::canonical))?));
        let bytes: Vec<u8> = group.iter().flat_map(SealedEnvelope::canonical).copied().collect();
        let begun = Instant::now();
        let written = file.write_all(&bytes).and_then(|()| file.sync_data());
        grown.appends.push((size, begun.elapsed()));
        written.map_err(Failure::io("write", canonical))?;
        grown.canonical_bytes += bytes.len() as u64;
        left -= size;
    }
    Ok(grown)
}

/// What the gate has to know of a record, in columns: its kind, whether it allows, the context it rests on.
pub(crate) fn standing_columns(envelope: &Envelope) -> (i64, Option<[u8; 32]>) {
    match Facts::of(envelope, Seq::GENESIS).standing {
        Standing::AuthContext => (0, None),
        Standing::PolicyDecision { auth_context, allows } => {
            (1 + i64::from(allows), Some(*auth_context.as_bytes()))
        }
        Standing::Call => (3, None),
    }
}

/// The same back.
pub(crate) fn standing_of(kind: i64, auth_context: Option<[u8; 32]>) -> Option<Standing> {
    match (kind, auth_context) {
        (0, None) => Some(Standing::AuthContext),
        (1 | 2, Some(bytes)) => {
            Some(Standing::PolicyDecision { auth_context: hash_of(bytes), allows: kind == 2 })
        }
        (3, None) => Some(Standing::Call),
        _ => None,
    }
}

pub(crate) fn hash_of(bytes: [u8; 32]) -> EnvelopeHash {
    EnvelopeHash::from_bytes(bytes)
}
