//! Which entries a bundle has, and what they name: the first of the two passes over them.

use std::collections::{BTreeMap, BTreeSet};

use proofline_canon::Sha256Digest;
use proofline_proof::Seq;
use proofline_proof::bundle::{Body, SchemaClaim, schema_sha256};

use crate::erasure::Erasures;
use crate::segments::Entry;
use crate::snapshot::Snapshot;
use crate::system::SystemKind;
use crate::trace_index::IndexEntry;

use super::error::BundlingError;
use super::{BundleOrder, PayloadChoice};

/// What a bundle is to hold.
#[derive(Debug, Default)]
pub(super) struct Chosen {
    /// The entries.
    pub(super) seqs: BTreeSet<u64>,
    /// How many each trace has, in their order.
    pub(super) counts: Vec<u64>,
    /// Payloads and policies that they name, and the entry that erased one.
    pub(super) payloads: BTreeMap<Sha256Digest, Option<Seq>>,
    schemas: BTreeSet<&'static str>,
}

impl Chosen {
    /// The schemas of the bodies.
    pub(super) fn schemas(&self) -> Vec<SchemaClaim> {
        let claim = |name: &&'static str| {
            schema_sha256(name).map(|sha256| SchemaClaim { name: (*name).to_owned(), sha256 })
        };
        self.schemas.iter().filter_map(claim).collect()
    }

    fn take(&mut self, snapshot: &Snapshot, seq: Seq) -> Result<Body, BundlingError> {
        let entry = entry(snapshot, seq)?;
        let body = Body::read(entry.header.status.kind(), &entry.body)
            .map_err(|source| BundlingError::Body { seq, source })?;
        self.seqs.insert(seq.get());
        self.schemas.insert(body.schema());
        Ok(body)
    }
}

pub(super) fn choose(
    snapshot: &Snapshot,
    order: &BundleOrder,
    size: u64,
    cover: &[IndexEntry],
) -> Result<Chosen, BundlingError> {
    let mut chosen = Chosen::default();
    chosen.take(snapshot, Seq::GENESIS)?;
    for trace in &order.traces {
        let mut seqs = snapshot.of_trace(*trace)?;
        seqs.retain(|seq| seq.get() < size);
        chosen.counts.push(seqs.len() as u64);
        for seq in seqs {
            let body = chosen.take(snapshot, seq)?;
            chosen.payloads.extend(body.payloads().into_iter().map(|payload| (payload, None)));
        }
    }
    for entry in cover {
        chosen.take(snapshot, entry.seq)?;
    }
    // Of system entries the erasures are few, and the keys fewer.
    let mut erasures = Erasures::default();
    for (seq, id, kind) in snapshot.segments().system_kinds()? {
        if seq.get() < size {
            erasures.note(seq, id, &kind);
            if matches!(kind, SystemKind::Key(_)) {
                chosen.take(snapshot, seq)?;
            }
        }
    }
    let erased: Vec<(Sha256Digest, Seq)> =
        chosen.payloads.keys().filter_map(|payload| Some((*payload, erasures.of_blob(payload)?))).collect();
    for (payload, seq) in erased {
        chosen.payloads.insert(payload, Some(seq));
        chosen.take(snapshot, seq)?;
    }
    if let PayloadChoice::These(these) = &order.payloads
        && let Some(unknown) = these.iter().find(|payload| !chosen.payloads.contains_key(payload))
    {
        return Err(BundlingError::UnknownPayload(*unknown));
    }
    Ok(chosen)
}

/// An entry that must be there.
pub(super) fn entry(snapshot: &Snapshot, seq: Seq) -> Result<Entry, BundlingError> {
    snapshot.entry(seq)?.ok_or(BundlingError::NoEntry(seq))
}
