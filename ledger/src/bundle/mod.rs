//! Makes evidence bundles (`docs/bundle.md`): all that a ledger holds about some traces up to a kept checkpoint, and
//! what shows that nothing is left out.
//!
//! The log is read twice: once to know what the manifest says, once to write. In memory are the places of the entries,
//! the names of their payloads, and for one index entry at a time the hashes of its leaves; never the payloads.
//! What the ledger's own indexes say is compared with what the log signed, so that no bundle goes out that would not
//! verify: a damaged ledger gives an error and no file.

mod choose;
mod error;

use std::collections::BTreeSet;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proofline_canon::Sha256Digest;
use proofline_proof::bundle::{BundleWriter, Manifest, PayloadClaim, PayloadState, ShownLeaf, TraceClaim};
use proofline_proof::tree::{HashTree, multiproof};
use proofline_proof::{LeafHash, NodeHash, Seq};
use proofline_trace::TraceId;

use crate::archive::WithArchives;
use crate::blobs::Blobs;
use crate::checkpoints::{self, KeptCheckpoint};
use crate::disk::{Disk, OsDisk};
use crate::error::IoContext;
use crate::segments::Entry;
use crate::snapshot::Snapshot;
use crate::trace_index::IndexEntry;

use choose::{Chosen, choose};
pub use error::BundlingError;

/// Which payloads travel along.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum PayloadChoice {
    /// All that the ledger has.
    All,
    /// None: their hashes alone.
    #[default]
    None,
    /// These.
    These(BTreeSet<Sha256Digest>),
}

/// What a bundle is to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BundleOrder {
    /// The traces; one that the ledger does not have is shown to be absent.
    pub traces: BTreeSet<TraceId>,
    /// The payloads.
    pub payloads: PayloadChoice,
    /// The size of the kept checkpoint to rest on; without it the newest whose last entry is an index entry.
    pub at: Option<u64>,
    /// Archives of the ledger, whose segments are read as if they were in place.
    pub archives: Vec<PathBuf>,
}

/// Writes a bundle where the writer stands, which must be its start, and says what is in it.
///
/// # Errors
/// [`BundlingError`]; what was written then is no bundle.
pub fn create_bundle<W: Write + Seek>(
    dir: impl AsRef<Path>,
    order: &BundleOrder,
    writer: W,
) -> Result<Manifest, BundlingError> {
    create_bundle_on(Arc::new(OsDisk), dir.as_ref(), order, writer)
}

/// [`create_bundle`] on another [`Disk`].
///
/// # Errors
/// As [`create_bundle`].
pub fn create_bundle_on<W: Write + Seek>(
    disk: Arc<dyn Disk>,
    dir: &Path,
    order: &BundleOrder,
    writer: W,
) -> Result<Manifest, BundlingError> {
    if order.traces.is_empty() {
        return Err(BundlingError::NoTraces);
    }
    let snapshot = Snapshot::open_on(&WithArchives::open(&*disk, dir, &order.archives)?, dir)?;
    let (kept, cover) = checkpoint(&*disk, &snapshot, order.at)?;
    let blobs = Blobs::within(disk, dir);
    let chosen = choose(&snapshot, order, kept.size, &cover)?;
    let manifest = manifest(&snapshot, order, &kept, &cover, &chosen, &blobs)?;
    let writing = Writing { snapshot: &snapshot, manifest: &manifest, cover: &cover, chosen: &chosen };
    writing.write(&blobs, BundleWriter::begin(writer, &manifest, &kept.note)?)?;
    Ok(manifest)
}

/// The kept checkpoint to rest on, and the cover of its last entry.
fn checkpoint(
    disk: &dyn Disk,
    snapshot: &Snapshot,
    at: Option<u64>,
) -> Result<(KeptCheckpoint, Vec<IndexEntry>), BundlingError> {
    let sizes = checkpoints::sizes(disk, snapshot.dir()).during("list", snapshot.dir())?;
    let within = |size: &u64| (1..=snapshot.entries()).contains(size);
    let candidates: Vec<u64> = match at {
        Some(size) if sizes.contains(&size) && within(&size) => vec![size],
        Some(size) => return Err(BundlingError::NotKept { size }),
        None => sizes.iter().copied().filter(within).rev().collect(),
    };
    for size in &candidates {
        if let Some(cover) = snapshot.index_cover(Seq::new(size.saturating_sub(1)))? {
            let kept = checkpoints::read(disk, snapshot.dir(), *size).during("read", snapshot.dir())?;
            return Ok((signed(snapshot, kept)?, cover));
        }
    }
    Err(candidates.first().map_or(BundlingError::NoCheckpoint, |size| BundlingError::NoIndex { size: *size }))
}

/// The checkpoint, if it states what the ledger holds.
fn signed(snapshot: &Snapshot, kept: KeptCheckpoint) -> Result<KeptCheckpoint, BundlingError> {
    let size = kept.size;
    let root = snapshot.tree().root(size)?;
    let origin = snapshot.genesis()?.origin;
    let is_of_log =
        kept.stated().is_some_and(|stated| *stated.root() == root && stated.origin() == origin.as_str());
    if is_of_log { Ok(kept) } else { Err(BundlingError::Checkpoint { size }) }
}

fn manifest(
    snapshot: &Snapshot,
    order: &BundleOrder,
    kept: &KeptCheckpoint,
    cover: &[IndexEntry],
    chosen: &Chosen,
    blobs: &Blobs,
) -> Result<Manifest, BundlingError> {
    let genesis = snapshot.genesis()?;
    let traces = order.traces.iter().zip(&chosen.counts);
    let payloads: Result<Vec<_>, BundlingError> = chosen
        .payloads
        .iter()
        .map(|(sha256, erased_by)| {
            let state = match erased_by {
                Some(seq) => PayloadState::Erased(*seq),
                None => state_of(blobs, sha256, &order.payloads)?,
            };
            Ok(PayloadClaim { sha256: *sha256, state })
        })
        .collect();
    Ok(Manifest {
        ledger_id: genesis.ledger_id,
        origin: genesis.origin,
        size: kept.size,
        traces: traces
            .map(|(trace_id, entries)| TraceClaim { trace_id: *trace_id, entries: *entries })
            .collect(),
        cover: cover.iter().map(|entry| entry.seq).collect(),
        payloads: payloads?,
        schemas: chosen.schemas(),
        withheld: Vec::new(),
    })
}

fn state_of(
    blobs: &Blobs,
    sha256: &Sha256Digest,
    choice: &PayloadChoice,
) -> Result<PayloadState, BundlingError> {
    let Some(length) = blobs.length(sha256)? else { return Ok(PayloadState::Absent) };
    let is_asked_for = match choice {
        PayloadChoice::All => true,
        PayloadChoice::None => false,
        PayloadChoice::These(these) => these.contains(sha256),
    };
    let fits = length <= proofline_proof::bundle::MAX_MEMBER_BYTES;
    Ok(if is_asked_for && fits { PayloadState::Included } else { PayloadState::Withheld })
}

struct Writing<'a> {
    snapshot: &'a Snapshot,
    manifest: &'a Manifest,
    cover: &'a [IndexEntry],
    chosen: &'a Chosen,
}

impl Writing<'_> {
    fn write<W: Write + Seek>(&self, blobs: &Blobs, mut out: BundleWriter<W>) -> Result<(), BundlingError> {
        for seq in &self.chosen.seqs {
            let Entry { header_bytes, body, .. } = choose::entry(self.snapshot, Seq::new(*seq))?;
            out.entry(&header_bytes, Some(&body))?;
        }
        let seqs: Vec<u64> = self.chosen.seqs.iter().copied().collect();
        let hashes = multiproof(&self.snapshot.tree(), &seqs, self.manifest.size)?;
        out.log_proof(&hashes.map_err(crate::tree::TreeError::from)?)?;
        let mut sought: Vec<(TraceId, u64)> =
            self.manifest.traces.iter().map(|claim| (claim.trace_id, claim.entries)).collect();
        for entry in self.cover {
            let (leaves, hashes) = self.shown(entry, &mut sought)?;
            out.index(entry.seq, &leaves, &hashes)?;
        }
        if let Some((trace, entries)) = sought.iter().find(|(_, entries)| *entries > 0) {
            return Err(BundlingError::Trace { trace: *trace, listed: 0, found: *entries });
        }
        for name in self.manifest.included() {
            let mut reader = blobs.stream(&name)?.ok_or(BundlingError::PayloadGone(name))?;
            if !out.payload(name, &mut reader)? {
                return Err(BundlingError::PayloadDamaged(name));
            }
        }
        out.finish()?;
        Ok(())
    }

    /// The leaves of an index entry that the traces sought need, and their proof. A trace that it lists is
    /// sought no more.
    fn shown(
        &self,
        entry: &IndexEntry,
        sought: &mut Vec<(TraceId, u64)>,
    ) -> Result<(Vec<ShownLeaf>, Vec<NodeHash>), BundlingError> {
        let mut showing = Showing {
            sought,
            next: 0,
            hashes: Vec::new(),
            before: None,
            shown: Vec::new(),
            found: Vec::new(),
        };
        self.snapshot.trace_leaves(entry, &mut |leaf| showing.leaf(leaf))?;
        showing.end();
        let Showing { hashes, shown, found, .. } = showing;
        let tree = HashTree::of(hashes);
        let states = (entry.record.traces.get(), *entry.record.root.as_bytes());
        if states != (tree.size(), *tree.root().as_bytes()) {
            return Err(BundlingError::Index { seq: entry.seq });
        }
        for (trace, listed, expected) in &found {
            if listed != expected {
                return Err(BundlingError::Trace { trace: *trace, listed: *listed, found: *expected });
            }
        }
        sought.retain(|(trace, _)| found.binary_search_by_key(trace, |(listed, ..)| *listed).is_err());
        let places: Vec<u64> = shown.iter().map(|shown| shown.index).collect();
        let hashes = tree.multiproof(&places).map_err(crate::tree::TreeError::from)?;
        Ok((shown, hashes))
    }
}

/// Goes through the leaves of a tree, ascending, beside the traces sought.
struct Showing<'a> {
    sought: &'a [(TraceId, u64)],
    /// The first that was not passed yet.
    next: usize,
    hashes: Vec<LeafHash>,
    before: Option<ShownLeaf>,
    shown: Vec<ShownLeaf>,
    /// Traces that are listed, with the count of the leaf and the one that is expected.
    found: Vec<(TraceId, u64, u64)>,
}

impl Showing<'_> {
    fn leaf(&mut self, leaf: proofline_proof::TraceLeaf) {
        let own = ShownLeaf { index: self.hashes.len() as u64, leaf };
        self.hashes.push(leaf.hash());
        while let Some((trace, expected)) =
            self.sought.get(self.next).filter(|(trace, _)| *trace <= leaf.trace_id)
        {
            if *trace == leaf.trace_id {
                self.found.push((*trace, leaf.count, *expected));
            } else {
                // There is no place for it between these two.
                let before = self.before;
                before.into_iter().for_each(|before| self.show(before));
            }
            self.show(own);
            self.next += 1;
        }
        self.before = Some(own);
    }

    /// Those sought that are behind all leaves.
    fn end(&mut self) {
        if let Some(last) = self.before.filter(|_| self.next < self.sought.len()) {
            self.show(last);
        }
    }

    fn show(&mut self, shown: ShownLeaf) {
        if self.shown.last().is_none_or(|last| last.index < shown.index) {
            self.shown.push(shown);
        }
    }
}
