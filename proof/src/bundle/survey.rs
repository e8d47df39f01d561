//! One pass over the entries of a bundle: what is asked of each alone (step 3) is answered at once, what later steps
//! ask is gathered. In memory are forty bytes for each entry, a few words for each trace asked for and payload listed,
//! and one entry.

use std::collections::{BTreeMap, BTreeSet};

use proofline_canon::Sha256Digest;
use proofline_trace::{GenesisRecord, TraceIndexRecord};

use crate::header::EntryKind;
use crate::ids::{LeafHash, Seq};
use crate::key_list::KeyList;

use super::body::{Body, schema_sha256};
use super::entries::BundleEntry;
use super::fault::BundleFault;
use super::manifest::{Manifest, PayloadState, SchemaClaim};
use super::report::EntryCounts;

/// The entries of a trace so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) count: u64,
    pub(super) last: Option<(Seq, LeafHash)>,
    /// The first that does not follow the one before it.
    pub(super) broken: Option<Seq>,
}

pub(super) struct Survey<'a> {
    manifest: &'a Manifest,
    last: Option<(Seq, LeafHash)>,
    pub(super) leaves: Vec<(u64, LeafHash)>,
    /// One for each trace of the manifest.
    pub(super) traces: Vec<Seen>,
    /// Whether the genesis entry is there, and with which body.
    pub(super) genesis: Option<Option<GenesisRecord>>,
    pub(super) index: BTreeMap<Seq, TraceIndexRecord>,
    pub(super) keys: KeyList,
    pub(super) key_entries: u64,
    pub(super) key_fault: Option<BundleFault>,
    /// Whether a body at hand names it, for each payload of the manifest.
    named: Vec<bool>,
    erased_by: BTreeMap<Seq, Sha256Digest>,
    schemas: BTreeSet<&'static str>,
    withheld: usize,
    /// The first fault of step 9.
    surplus: Option<BundleFault>,
    pub(super) counts: EntryCounts,
}

impl<'a> Survey<'a> {
    pub(super) fn new(manifest: &'a Manifest) -> Self {
        let erased_by = manifest.payloads.iter().filter_map(|claim| match claim.state {
            PayloadState::Erased(seq) => Some((seq, claim.sha256)),
            _ => None,
        });
        Survey {
            manifest,
            last: None,
            leaves: Vec::new(),
            traces: vec![Seen::default(); manifest.traces.len()],
            genesis: None,
            index: BTreeMap::new(),
            keys: KeyList::new(manifest.ledger_id, manifest.origin.clone()),
            key_entries: 0,
            key_fault: None,
            named: vec![false; manifest.payloads.len()],
            erased_by: erased_by.collect(),
            schemas: BTreeSet::new(),
            withheld: 0,
            surplus: None,
            counts: EntryCounts::default(),
        }
    }

    /// Takes in the next entry, whose body has the hash that its header holds.
    pub(super) fn entry(&mut self, entry: &BundleEntry) -> Result<(), BundleFault> {
        let seq = entry.header.seq;
        if self.last.is_some_and(|(last, _)| seq <= last) {
            return Err(BundleFault::EntryOrder(seq));
        }
        if seq.get() >= self.manifest.size {
            return Err(BundleFault::PastSize { seq, size: self.manifest.size });
        }
        let follows = self.last.filter(|(last, _)| last.next() == seq);
        if follows.is_some_and(|(_, leaf)| entry.header.previous_leaf != Some(leaf)) {
            return Err(BundleFault::Link(seq));
        }
        let kind = entry.header.status.kind();
        let read =
            |body: &Vec<u8>| Body::read(kind, body).map_err(|source| BundleFault::BodyForm { seq, source });
        let body = entry.body.as_ref().map(read).transpose()?;
        let trace_id = entry.header.trace.as_ref().map(|link| link.trace_id);
        if body.as_ref().is_some_and(|body| body.trace_id() != trace_id) {
            return Err(BundleFault::OtherTrace(seq));
        }
        self.last = Some((seq, entry.leaf));
        self.leaves.push((seq.get(), entry.leaf));
        self.counts.take(kind);
        let is_of_trace = self.trace(entry);
        match &body {
            Some(body) => self.body(seq, body, is_of_trace),
            None => self.without_body(seq, kind, is_of_trace),
        }
        Ok(())
    }

    /// Follows the links of the traces asked for; true when the entry is of one of them.
    fn trace(&mut self, entry: &BundleEntry) -> bool {
        let Some(link) = &entry.header.trace else { return false };
        let place = self.manifest.traces.binary_search_by(|claim| claim.trace_id.cmp(&link.trace_id));
        let Some(seen) = place.ok().and_then(|at| self.traces.get_mut(at)) else { return false };
        let follows = link.count == seen.count + 1 && link.previous == seen.last.map(|(seq, _)| seq);
        if !follows {
            seen.broken.get_or_insert(entry.header.seq);
        }
        seen.count += 1;
        seen.last = Some((entry.header.seq, entry.leaf));
        true
    }

    fn body(&mut self, seq: Seq, body: &Body, is_of_trace: bool) {
        self.schemas.insert(body.schema());
        for payload in body.payloads() {
            let listed = self.manifest.payloads.binary_search_by(|claim| claim.sha256.cmp(&payload));
            match listed.ok().and_then(|at| self.named.get_mut(at)) {
                Some(named) => *named = true,
                None => self.odd(BundleFault::PayloadList(payload)),
            }
        }
        let is_of_a_sort = match body {
            Body::Genesis(record) => {
                self.genesis = Some(Some(record.clone()));
                true
            }
            Body::TraceIndex(record) => {
                let is_in_cover = self.manifest.cover.binary_search_by(|other| seq.cmp(other)).is_ok();
                if is_in_cover {
                    self.index.insert(seq, record.clone());
                }
                is_in_cover
            }
            Body::Key(record) => {
                self.key_entries += 1;
                if let Err(source) = self.keys.apply(seq, record)
                    && self.key_fault.is_none()
                {
                    self.key_fault = Some(BundleFault::KeyRule { seq, source });
                }
                true
            }
            other => other.erased_payload().is_some_and(|sha256| self.erasure(seq, sha256)),
        };
        if !is_of_a_sort && !is_of_trace {
            self.odd(BundleFault::StrayEntry(seq));
        }
    }

    /// True when the manifest names this entry for that payload.
    fn erasure(&mut self, seq: Seq, sha256: Sha256Digest) -> bool {
        let is_named = self.erased_by.get(&seq) == Some(&sha256);
        if is_named {
            self.erased_by.remove(&seq);
        }
        is_named
    }

    fn without_body(&mut self, seq: Seq, kind: EntryKind, is_of_trace: bool) {
        self.counts.withheld += 1;
        if kind == EntryKind::Genesis {
            self.genesis = Some(None);
        }
        if !is_of_trace {
            self.odd(BundleFault::MustNotWithhold(seq));
        }
        match self.manifest.withheld.get(self.withheld) {
            Some(listed) if *listed == seq => self.withheld += 1,
            Some(listed) => self.odd(BundleFault::WithheldList(seq.min(*listed))),
            None => self.odd(BundleFault::WithheldList(seq)),
        }
    }

    fn odd(&mut self, fault: BundleFault) {
        self.surplus.get_or_insert(fault);
    }

    /// What step 9 finds wrong, the payloads' bytes aside.
    pub(super) fn finish(&mut self) -> Option<BundleFault> {
        if let Some(unmet) = self.manifest.withheld.get(self.withheld) {
            self.odd(BundleFault::WithheldList(*unmet));
        }
        let claims = self.manifest.payloads.iter().zip(self.named.clone());
        if let Some((claim, _)) = claims.into_iter().find(|(_, named)| !named) {
            self.odd(BundleFault::PayloadList(claim.sha256));
        }
        if let Some((seq, sha256)) = self.erased_by.iter().next() {
            let fault = BundleFault::ErasedBy { sha256: *sha256, seq: *seq };
            self.odd(fault);
        }
        if schema_claims(&self.schemas) != self.manifest.schemas {
            self.odd(BundleFault::Schemas);
        }
        self.surplus.take()
    }
}

/// The claims about these schemas, which are published.
pub(super) fn schema_claims<'a>(names: impl IntoIterator<Item = &'a &'static str>) -> Vec<SchemaClaim> {
    let claim = |name: &&'static str| {
        schema_sha256(name).map(|sha256| SchemaClaim { name: (*name).to_owned(), sha256 })
    };
    names.into_iter().filter_map(claim).collect()
}
