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
}

impl DriftKey {
    /// Reads `actor`, `resource`, `request` or `payload:` with a JSON Pointer behind it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "actor" => Some(Self::Actor),
            "resource" => Some(Self::Resource),
            "request" => Some(Self::Request),
            _ => steps(text.strip_prefix("payload:")?).map(Self::Payload),
        }
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

/// The pairs that a key makes, and the traces that it makes none of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keyed {
    /// The pairs.
    pub pairs: Pairs,
    /// Traces whose key no other has.
    pub alone: u64,
    /// Traces that have no such key: no such record, or no payload at hand with such a value.
    pub without: u64,
}

impl Keyed {
    /// In ledger order the first of a key is the baseline of the others.
    fn of(traces: BTreeMap<Sha256Digest, Vec<(Seq, TraceId)>>, without: u64) -> Self {
        let (mut pairs, mut alone) = (Vec::new(), 0);
        for mut traces in traces.into_values() {
            traces.sort_unstable();
            let Some(((_, baseline), others)) = traces.split_first() else { continue };
            alone += u64::from(others.is_empty());
            pairs.extend(
                others.iter().map(|(_, candidate)| Pair { baseline: *baseline, candidate: *candidate }),
            );
        }
        Self { pairs: pairs.into_iter().collect(), alone, without }
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
    let mut traces: BTreeMap<Sha256Digest, Vec<(Seq, TraceId)>> = BTreeMap::new();
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
                Found::Key(key, seq, trace) => traces.entry(key).or_default().push((seq, trace)),
                Found::Without => without += 1,
                Found::NoRun => {}
            }
        }
    }
    Ok(Keyed::of(traces, without))
}

enum Found {
    Key(Sha256Digest, Seq, TraceId),
    Without,
    /// No accepted record: nobody ran anything.
    NoRun,
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
    let Some(first) = chain.iter().map(|record| record.seq).min() else { return Ok(Found::NoRun) };
    let value = value_of(&chain, means, key)?;
    Ok(value.map_or(Found::Without, |value| Found::Key(Sha256Digest::of(value.as_bytes()), first, trace)))
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
    let text = found.and_then(|value| value.to_canonical(Profile::Content).ok());
    Ok(text.and_then(|text| String::from_utf8(text).ok()))
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
    let mut traces: BTreeMap<Sha256Digest, Vec<(Seq, TraceId)>> = BTreeMap::new();
    for (trace, key) in keys {
        let seqs = snapshot.of_trace(*trace).map_err(ReplayError::Lookup)?;
        let first = seqs.first().copied().unwrap_or(Seq::new(u64::MAX));
        traces.entry(Sha256Digest::of(key.as_bytes())).or_default().push((first, *trace));
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
