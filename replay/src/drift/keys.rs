//! Which runs are of the same work: those with the same key. The first of them in the ledger is the baseline of the
//! others. The file form is JSON Lines, a trace a line:
//!
//! ```json
//! {"trace": "4bf92f3577b34da6a3ce929d0e0e4736", "key": "ticket 7"}
//! ```

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use proofline_canon::{Limits, Pointer, Profile, Sha256Digest, Value, parse};
use proofline_ledger::{Seq, Snapshot};
use proofline_trace::{BlobRef, Envelope, TraceId};
use rayon::prelude::*;
use thiserror::Error;

use super::attribute::{self, AttributeOf};
use super::side::Side;
use super::text::read;
use crate::chain::Verified;
use crate::engine::pool;
use crate::error::ReplayError;
use crate::form::{self, FormError};
use crate::means::Means;
use crate::pairs::{Pair, Pairs};

/// Traces that are read at once.
const TRACES_PER_PAGE: usize = 256;
/// A request that claims more is not read for its key.
const REQUEST_BYTES: u64 = 16 << 20;

/// What runs of the same work have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DriftKey {
    /// The actor of the first context.
    Actor,
    /// The resource of the first decision.
    Resource,
    /// The request of the first call, byte for byte.
    Request,
    /// A value in the request of the first call, which is JSON: the steps of a JSON Pointer (RFC 6901).
    Payload(Vec<String>),
    /// An attribute of the trace's spans, where an import of telemetry keeps it at hand: of the root span, else of the
    /// first span that has it.
    Attribute {
        /// Whose.
        of: AttributeOf,
        /// Its name.
        name: String,
    },
}

impl DriftKey {
    /// Reads `actor`, `resource`, `request`, `payload:` with a JSON Pointer behind it, or `attribute:resource:` or
    /// `attribute:span:` with a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "actor" => Some(Self::Actor),
            "resource" => Some(Self::Resource),
            "request" => Some(Self::Request),
            _ => match text.strip_prefix("attribute:") {
                Some(attribute) => Self::attribute(attribute),
                None => steps(text.strip_prefix("payload:")?).map(Self::Payload),
            },
        }
    }

    fn attribute(text: &str) -> Option<Self> {
        let (of, name) = text.split_once(':')?;
        let of = match of {
            "resource" => AttributeOf::Resource,
            "span" => AttributeOf::Span,
            _ => return None,
        };
        (!name.is_empty()).then(|| Self::Attribute { of, name: name.to_owned() })
    }
}

/// RFC 6901 §3: empty, or steps that each begin with a slash; `~` only as `~0` or `~1`.
fn steps(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    let step = |step: &str| {
        let is_escaped = step.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
        is_escaped.then(|| step.replace("~1", "/").replace("~0", "~"))
    };
    pointer.strip_prefix('/')?.split('/').map(step).collect()
}

/// Characters of a key that are kept to show it.
const KEY_CHARS: usize = 200;
/// Pairs that [`Keyed::each_with_each`] makes at most.
pub const MOST_PAIRS: u64 = 1_000_000;

/// Runs of the same work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedRuns {
    /// The key, or the first two hundred characters of a longer one.
    pub key: String,
    /// SHA-256 of the whole key.
    pub key_sha256: Sha256Digest,
    /// The runs, the first of the ledger first.
    pub runs: Vec<TraceId>,
}

/// The pairs that a key makes, and the traces that it makes none of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyed {
    /// The pairs.
    pub pairs: Pairs,
    /// Traces whose key no other has.
    pub alone: u64,
    /// Traces that have no such key: no such record, none at all, or no payload at hand with such a value.
    pub without: u64,
    /// The runs of each key that two traces have at least, by the digest of the key.
    pub keys: Vec<KeyedRuns>,
}

impl Keyed {
    /// In ledger order the first of a key is the baseline of the others.
    fn of(traces: Traces, without: u64) -> Self {
        let (mut keys, mut alone) = (Vec::new(), 0);
        for (key_sha256, (key, mut traces)) in traces {
            traces.sort_unstable();
            let runs: Vec<TraceId> = traces.into_iter().map(|(_, trace)| trace).collect();
            match runs.len() {
                0 | 1 => alone += runs.len() as u64,
                _ => keys.push(KeyedRuns { key, key_sha256, runs }),
            }
        }
        let pairs = keys.iter().filter_map(|key: &KeyedRuns| key.runs.split_first());
        let pairs = pairs.flat_map(|(first, others)| with_others(*first, others)).collect();
        Self { pairs, alone, without, keys }
    }

    /// The same with every two runs of a key as a pair: the one that came first into the ledger is the baseline.
    ///
    /// # Errors
    /// How many pairs that would be, where it is more than [`MOST_PAIRS`].
    pub fn each_with_each(self) -> Result<Self, u64> {
        let of_key = |key: &KeyedRuns| {
            let runs = key.runs.len() as u64;
            runs.saturating_mul(runs.saturating_sub(1)) / 2
        };
        let count = self.keys.iter().map(of_key).fold(0, u64::saturating_add);
        if count > MOST_PAIRS {
            return Err(count);
        }
        let behind =
            |runs: &[TraceId], at: usize| runs.get(at + 1..).map(<[TraceId]>::to_vec).unwrap_or_default();
        let pairs = self.keys.iter().flat_map(|key| {
            let each = key.runs.iter().enumerate();
            each.flat_map(move |(at, run)| with_others(*run, &behind(&key.runs, at)).collect::<Vec<_>>())
        });
        Ok(Self { pairs: pairs.collect(), ..self })
    }
}

fn with_others(baseline: TraceId, others: &[TraceId]) -> impl Iterator<Item = Pair> {
    others.iter().map(move |candidate| Pair { baseline, candidate: *candidate })
}

/// The traces of each key, by its digest, with the key as it is shown.
type Traces = BTreeMap<Sha256Digest, (String, Vec<(Seq, TraceId)>)>;

fn add(traces: &mut Traces, key: Key, seq: Seq, trace: TraceId) {
    traces.entry(key.sha256).or_insert_with(|| (key.shown, Vec::new())).1.push((seq, trace));
}

/// A key and how it is shown.
struct Key {
    sha256: Sha256Digest,
    shown: String,
}

impl Key {
    fn of(whole: &str, shown: &str) -> Self {
        Self { sha256: Sha256Digest::of(whole.as_bytes()), shown: shown.chars().take(KEY_CHARS).collect() }
    }
}

/// The pairs of all traces of a ledger that a key makes. Memory grows with the number of traces.
///
/// # Errors
/// [`ReplayError`]: the system refused a call.
pub fn pairs_by_key(
    snapshot: &Snapshot,
    means: &Means<'_>,
    key: &DriftKey,
    threads: Option<NonZeroUsize>,
) -> Result<Keyed, ReplayError> {
    let (pool, mut last) = (pool(threads)?, None);
    let mut traces = Traces::new();
    let mut without = 0;
    loop {
        let page = snapshot.traces_after(last, TRACES_PER_PAGE).map_err(ReplayError::Lookup)?;
        let Some(end) = page.last() else { break };
        last = Some(*end);
        let of_trace = |trace: &TraceId| of_trace(snapshot, means, key, *trace);
        let found: Result<Vec<_>, ReplayError> =
            pool.install(|| page.par_iter().with_max_len(1).map(of_trace).collect());
        for found in found? {
            match found {
                Found::Key(key, seq, trace) => add(&mut traces, key, seq, trace),
                Found::Without => without += 1,
            }
        }
    }
    Ok(Keyed::of(traces, without))
}

enum Found {
    Key(Key, Seq, TraceId),
    Without,
}

fn of_trace(
    snapshot: &Snapshot,
    means: &Means<'_>,
    key: &DriftKey,
    trace: TraceId,
) -> Result<Found, ReplayError> {
    let seqs = snapshot.of_trace(trace).map_err(ReplayError::Lookup)?;
    let side = Side::read(snapshot, trace, &seqs)?;
    let chain = side.chain();
    // A run of which no record was accepted may have a key as well: it is compared with nobody, which is said.
    let accepted = chain.iter().map(|record| record.seq).min();
    let Some(first) = accepted.or_else(|| seqs.iter().min().copied()) else { return Ok(Found::Without) };
    let found = match key {
        DriftKey::Attribute { of, name } => {
            let value = attribute::value_of(snapshot, means, trace, *of, name)?;
            value.as_ref().and_then(|value| {
                let whole = canonical(value)?;
                Some(Key::of(&whole, attribute::in_words(value).unwrap_or(&whole)))
            })
        }
        _ => value_of(&chain, means, key)?.map(|value| Key::of(&value, &value)),
    };
    Ok(found.map_or(Found::Without, |key| Found::Key(key, first, trace)))
}

fn canonical(value: &Value) -> Option<String> {
    String::from_utf8(value.to_canonical(Profile::Content).ok()?).ok()
}

fn value_of(
    chain: &[Verified<'_>],
    means: &Means<'_>,
    key: &DriftKey,
) -> Result<Option<String>, ReplayError> {
    let envelopes = || chain.iter().map(|record| record.envelope);
    let request = || envelopes().find_map(|envelope| envelope.blobs().next());
    Ok(match key {
        DriftKey::Actor => envelopes().find_map(|envelope| match envelope {
            Envelope::AuthContext(context) => {
                Some(format!("{} {}", context.actor.actor_kind, context.actor.actor_id))
            }
            _ => None,
        }),
        DriftKey::Resource => envelopes().find_map(|envelope| match envelope {
            Envelope::PolicyDecision(decision) => Some(decision.request.resource.to_string()),
            _ => None,
        }),
        DriftKey::Request => request().map(|blob| blob.sha256.to_string()),
        DriftKey::Payload(steps) => match request() {
            Some(blob) => in_payload(means, blob, steps)?,
            None => None,
        },
        // Said by the spans, not by records.
        DriftKey::Attribute { .. } => None,
    })
}

fn in_payload(means: &Means<'_>, blob: &BlobRef, steps: &[String]) -> Result<Option<String>, ReplayError> {
    let Some(store) = means.payloads.filter(|_| blob.size_bytes.get() <= REQUEST_BYTES) else {
        return Ok(None);
    };
    let Some(bytes) = read(store, blob)? else { return Ok(None) };
    let Ok(document) = parse(&bytes, &Limits::CONTENT) else { return Ok(None) };
    let found = steps.iter().try_fold(&document, |value, step| match value {
        Value::Object(members) => members.get(step),
        Value::Array(items) if step == "0" || !step.starts_with(['0', '+']) => {
            items.get(step.parse::<usize>().ok()?)
        }
        _ => None,
    });
    Ok(found.and_then(canonical))
}

/// Reads the file form: each trace once, with its key.
///
/// # Errors
/// [`KeysError`] with the first line that is none, or names a trace again.
pub fn parse_keys(bytes: &[u8]) -> Result<BTreeMap<TraceId, String>, KeysError> {
    let mut keys = BTreeMap::new();
    let lines = (1..).zip(bytes.split(|byte| *byte == b'\n'));
    for (number, line) in lines.filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace)) {
        let faulty = |fault| KeysError { line: number, fault };
        let (trace, key) = key_line(line).map_err(faulty)?;
        if keys.insert(trace, key).is_some() {
            return Err(faulty(FormError::Repeated { pointer: Pointer::root().child("trace") }));
        }
    }
    Ok(keys)
}

fn key_line(line: &[u8]) -> Result<(TraceId, String), FormError> {
    let document = form::document(line)?;
    let [trace, key] = form::members(&document, ["trace", "key"], "\"trace\" and \"key\"")?;
    let pointer = Pointer::root().child("trace");
    let trace = form::text(trace, &pointer)?.parse().map_err(|_| FormError::TraceId { pointer })?;
    Ok((trace, form::text(key, &Pointer::root().child("key"))?.to_owned()))
}

/// The pairs that given keys make. A trace that is not in the ledger comes behind those that are.
///
/// # Errors
/// [`ReplayError`]: the system refused a call.
pub fn pairs_of_keys(snapshot: &Snapshot, keys: &BTreeMap<TraceId, String>) -> Result<Keyed, ReplayError> {
    let mut traces = Traces::new();
    for (trace, key) in keys {
        let seqs = snapshot.of_trace(*trace).map_err(ReplayError::Lookup)?;
        let first = seqs.first().copied().unwrap_or(Seq::new(u64::MAX));
        add(&mut traces, Key::of(key, key), first, *trace);
    }
    Ok(Keyed::of(traces, 0))
}

/// A line of a keys file that is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line} of the keys: {fault}")]
pub struct KeysError {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong with it.
    #[source]
    pub fault: FormError,
}

impl KeysError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.fault.code()
    }

    /// The place in the line.
    #[must_use]
    pub const fn pointer(&self) -> Option<&Pointer> {
        self.fault.pointer()
    }
}
