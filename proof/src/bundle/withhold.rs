//! A copy of a bundle with less in it. Bodies of the traces' entries and payloads go one by one; what a body alone
//! named goes with it: the payload's place in the list, its bytes, the entry that erased it. The rest still verifies,
//! and says what is withheld.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Seek, Write};
use std::ops::Range;

use proofline_canon::Sha256Digest;
use proofline_trace::TraceId;

use crate::ids::{LeafHash, NodeHash, Seq};
use crate::tree::split;

use super::body::Body;
use super::entries::BundleEntry;
use super::fault::{BundleError, BundleFault};
use super::manifest::{Manifest, PayloadState};
use super::survey::schema_claims;
use super::verify::Bundle;
use super::write::BundleWriter;

/// What is to be withheld.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withholding {
    /// Entries whose bodies go.
    pub bodies: BTreeSet<Seq>,
    /// Payloads whose bytes go.
    pub payloads: BTreeSet<Sha256Digest>,
}

/// Writes a copy of a bundle in which this is withheld, beside what is withheld already. The bundle must have been
/// verified; the copy says the same of the same traces. Returns the manifest of the copy beside the writer.
///
/// # Errors
/// [`BundleError`]: a body or a payload that is not there, or must not be withheld.
pub fn withhold<R: Read + Seek, W: Write + Seek>(
    bundle: &mut Bundle<R>,
    withholding: &Withholding,
    writer: W,
) -> Result<(W, Manifest), BundleError> {
    let survey = survey(bundle, withholding)?;
    let manifest = survey.manifest(bundle.manifest(), withholding)?;
    let kept: Vec<(u64, LeafHash)> =
        survey.leaves.iter().filter(|(seq, _)| !survey.dropped.contains(&Seq::new(*seq))).copied().collect();
    let hashes = bundle.log_proof()?;
    let proof = Thinning { known: &survey.leaves, hashes: hashes.iter(), out: Vec::new() }
        .thin(manifest.size, &kept)
        .ok_or(BundleFault::Proof(crate::tree::TreeFault::TooFewHashes))?;
    let checkpoint = bundle.checkpoint()?;
    let mut out = BundleWriter::begin(writer, &manifest, &checkpoint)?;
    bundle.visit_entries(|entry| {
        if !survey.dropped.contains(&entry.header.seq) {
            let body = entry.body.as_deref().filter(|_| !withholding.bodies.contains(&entry.header.seq));
            out.entry(&entry.header.encode(), body)?;
        }
        Ok::<_, BundleError>(())
    })?;
    out.log_proof(&proof)?;
    for (place, seq) in manifest.cover.iter().enumerate() {
        out.index_from(*seq, |writer| bundle.copy_index(place, writer))?;
    }
    for name in manifest.included() {
        let mut is_right = None;
        out.payload_from(name, |writer| {
            is_right = bundle.copy_payload(&name, writer)?;
            Ok(())
        })?;
        match is_right {
            Some(true) => {}
            Some(false) => return Err(BundleFault::PayloadBytes(name).into()),
            None => return Err(BundleFault::PayloadMember(name).into()),
        }
    }
    Ok((out.finish()?, manifest))
}

/// What is left.
#[derive(Default)]
struct Left {
    leaves: Vec<(u64, LeafHash)>,
    named: BTreeSet<Sha256Digest>,
    schemas: BTreeSet<&'static str>,
    withheld: Vec<Seq>,
    /// Bodies that are asked to go and are there.
    gone: BTreeSet<Seq>,
    /// Erasure entries that belong to no trace asked for: the payload of each, and the name of its schema.
    erasures: BTreeMap<Seq, (Sha256Digest, &'static str)>,
    /// Those of them that nothing at hand asks for any more.
    dropped: BTreeSet<Seq>,
}

fn survey<R: Read + Seek>(bundle: &mut Bundle<R>, withholding: &Withholding) -> Result<Left, BundleError> {
    let traces: Vec<TraceId> = bundle.manifest().traces.iter().map(|claim| claim.trace_id).collect();
    let mut left = Left::default();
    bundle.visit_entries(|entry| left.take(&entry, &traces, withholding))?;
    let kept = |left: &Left, sha256: &Sha256Digest| left.named.contains(sha256);
    let dropped = left.erasures.iter().filter(|(_, (sha256, _))| !kept(&left, sha256));
    left.dropped = dropped.map(|(seq, _)| *seq).collect();
    let staying = left.erasures.iter().filter(|(seq, _)| !left.dropped.contains(*seq));
    let schemas: Vec<&'static str> = staying.map(|(_, (_, schema))| *schema).collect();
    left.schemas.extend(schemas);
    if let Some(missing) = withholding.bodies.difference(&left.gone).next() {
        return Err(BundleError::NotThere(format!("body of entry {missing}")));
    }
    Ok(left)
}

impl Left {
    fn take(
        &mut self,
        entry: &BundleEntry,
        traces: &[TraceId],
        withholding: &Withholding,
    ) -> Result<(), BundleError> {
        let (header, seq) = (&entry.header, entry.header.seq);
        self.leaves.push((seq.get(), entry.leaf));
        let is_asked = withholding.bodies.contains(&seq);
        let is_of_trace =
            header.trace.as_ref().is_some_and(|link| traces.binary_search(&link.trace_id).is_ok());
        if is_asked && !is_of_trace {
            return Err(BundleFault::MustNotWithhold(seq).into());
        }
        let Some(body) = &entry.body else {
            self.withheld.push(seq);
            return Ok(());
        };
        if is_asked {
            self.gone.insert(seq);
            self.withheld.push(seq);
            return Ok(());
        }
        let body =
            Body::read(header.status.kind(), body).map_err(|source| BundleFault::BodyForm { seq, source })?;
        self.named.extend(body.payloads());
        match body.erased_payload() {
            Some(sha256) if !is_of_trace => {
                self.erasures.insert(seq, (sha256, body.schema()));
            }
            _ => {
                self.schemas.insert(body.schema());
            }
        }
        Ok(())
    }

    fn manifest(&self, before: &Manifest, withholding: &Withholding) -> Result<Manifest, BundleError> {
        let mut manifest = before.clone();
        let mut found = BTreeSet::new();
        for claim in &mut manifest.payloads {
            if withholding.payloads.contains(&claim.sha256) && claim.state == PayloadState::Included {
                found.insert(claim.sha256);
                claim.state = PayloadState::Withheld;
            }
        }
        if let Some(missing) = withholding.payloads.difference(&found).next() {
            return Err(BundleError::NotThere(format!("payload {missing}")));
        }
        manifest.payloads.retain(|claim| self.named.contains(&claim.sha256));
        manifest.schemas = schema_claims(&self.schemas);
        manifest.withheld.clone_from(&self.withheld);
        Ok(manifest)
    }
}

/// Makes the multiproof of some leaves from that of more of them.
struct Thinning<'a, H> {
    known: &'a [(u64, LeafHash)],
    hashes: H,
    out: Vec<NodeHash>,
}

impl<'a, H: Iterator<Item = &'a NodeHash>> Thinning<'_, H> {
    /// `None` when the hashes do not go with the leaves, which a verified bundle rules out.
    fn thin(mut self, size: u64, kept: &[(u64, LeafHash)]) -> Option<Vec<NodeHash>> {
        let known = self.known;
        self.walk(0..size, known, kept)?;
        self.hashes.next().is_none().then_some(self.out)
    }

    /// Writes the hashes that are needed below a range of which leaves are kept; gives the hash of any other.
    fn walk(&mut self, range: Range<u64>, known: &[(u64, LeafHash)], kept: &[(u64, LeafHash)]) -> Option<()> {
        if kept.is_empty() {
            let hash = self.hash(range, known)?;
            self.out.push(hash);
            return Some(());
        }
        if range.end - range.start == 1 {
            return Some(());
        }
        let middle = range.start + split(range.end - range.start);
        let (known_left, known_right) = known.split_at(known.partition_point(|(seq, _)| *seq < middle));
        let (kept_left, kept_right) = kept.split_at(kept.partition_point(|(seq, _)| *seq < middle));
        self.walk(range.start..middle, known_left, kept_left)?;
        self.walk(middle..range.end, known_right, kept_right)
    }

    fn hash(&mut self, range: Range<u64>, known: &[(u64, LeafHash)]) -> Option<NodeHash> {
        let Some((_, leaf)) = known.first() else { return self.hashes.next().copied() };
        if range.end - range.start == 1 {
            return Some(NodeHash::from(*leaf));
        }
        let middle = range.start + split(range.end - range.start);
        let (left, right) = known.split_at(known.partition_point(|(seq, _)| *seq < middle));
        let left = self.hash(range.start..middle, left)?;
        let right = self.hash(middle..range.end, right)?;
        Some(NodeHash::over(&left, &right))
    }
}
