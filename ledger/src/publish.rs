//! Publishes a ledger as a static tiled log (C2SP tlog-tiles), which anyone can serve and anyone can
//! check: the headers of its entries, the hashes of its tree, and the checkpoint that was signed.
//! What the entries say, their bodies, stays in the ledger.
//!
//! In this order, so that a reader at any moment, and after any crash, finds a whole publication:
//!
//! 1. the ledger's hashes give the checkpoint's root; what is published already is a beginning of it;
//! 2. from the root down: each tile has the hash that the tile above it says, each header in the log
//!    the leaf hash of its tile, and then they are written, unless they are there;
//! 3. all of that is durable, and the tiles as they lie in the folder give the root;
//! 4. the checkpoint is replaced.

mod error;
mod folder;

use std::fmt;
use std::num::NonZeroU8;
use std::ops::Range;
use std::path::Path;

use proofline_proof::files::tiles::{TileKind, TilePath, decode_tile, encode_bundle, encode_tile};
use proofline_proof::header::MAX_HEADER_BYTES;
use proofline_proof::tree::{self, TILE_HASHES, TileHashes, TileWidth, tile_root, tile_widths};
use proofline_proof::{Checkpoint, LeafHash, NodeHash, Note, Policy, Seq, VerifiedCheckpoint};

use crate::disk::{Disk, OsDisk};
use crate::ledger::is_ledger;
use crate::segments::EntryFault;
use crate::snapshot::Snapshot;

pub use error::PublishError;
pub use folder::CHECKPOINT_FILE;
use folder::{Folder, Known, Put, end_of};

/// What is to be published, and how.
#[derive(Clone, Copy, Debug)]
pub struct PublishOrder<'a> {
    /// The checkpoint; its size is that of the publication.
    pub checkpoint: &'a VerifiedCheckpoint,
    /// Whom to believe about the checkpoint that the folder holds already.
    pub policy: &'a Policy,
    /// Whether to compare all that is there already byte by byte. Without it, what the published
    /// checkpoint covers is compared by its length alone, a bundle by the lengths that it can have.
    pub check: bool,
    /// Whether to take away partial tiles once their full ones are published.
    pub prune_partials: bool,
}

/// How far a publication is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishProgress {
    /// Entries whose bundles are in the folder.
    pub done_entries: u64,
    /// Entries of the checkpoint.
    pub total_entries: u64,
}

/// What a publication came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishReport {
    /// Entries published.
    pub size: u64,
    /// The root over them.
    pub root: NodeHash,
    /// Entries that were published before; none in a new folder.
    pub previous_size: Option<u64>,
    /// Hash tiles written.
    pub tiles_written: u64,
    /// Hash tiles that were there.
    pub tiles_present: u64,
    /// Entry bundles written.
    pub bundles_written: u64,
    /// Entry bundles that were there.
    pub bundles_present: u64,
    /// Bytes of the tiles and bundles written.
    pub bytes_written: u64,
    /// False when this very checkpoint was published before.
    pub is_new_checkpoint: bool,
    /// Partial tiles and bundles taken away.
    pub pruned_partials: u64,
}

/// A log to be published: what a [`Snapshot`] gives, or another store of headers and hashes.
#[derive(Clone, Copy)]
pub struct PublishSource<'a> {
    /// The log's origin.
    pub origin: &'a str,
    /// How many entries it has.
    pub entries: u64,
    /// The hashes of its tree. None of them is believed before it leads to the checkpoint's root.
    pub hashes: &'a dyn TileHashes<Error = EntryFault>,
    /// The bytes of an entry's header, as the log itself has them.
    pub header: &'a dyn Fn(Seq) -> Result<Option<Vec<u8>>, EntryFault>,
}

impl fmt::Debug for PublishSource<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishSource").field("origin", &self.origin).field("entries", &self.entries).finish()
    }
}

/// Publishes the first entries of a ledger, as many as the checkpoint covers, into the folder `out`.
///
/// # Errors
/// [`PublishError`]. What was published before is then as it was, and the publication can be done again.
pub fn publish(
    snapshot: &Snapshot,
    order: &PublishOrder<'_>,
    out: impl AsRef<Path>,
    progress: &mut dyn FnMut(PublishProgress),
) -> Result<PublishReport, PublishError> {
    publish_on(&OsDisk, snapshot, order, out.as_ref(), progress)
}

/// [`publish`] into a folder on another [`Disk`].
///
/// # Errors
/// As [`publish`].
pub fn publish_on(
    disk: &dyn Disk,
    snapshot: &Snapshot,
    order: &PublishOrder<'_>,
    out: &Path,
    progress: &mut dyn FnMut(PublishProgress),
) -> Result<PublishReport, PublishError> {
    let genesis = snapshot.genesis()?;
    let source = PublishSource {
        origin: genesis.origin.as_str(),
        entries: snapshot.entries(),
        hashes: &snapshot.tree(),
        header: &|seq| snapshot.header_bytes(seq),
    };
    publish_source_on(disk, &source, order, out, progress)
}

/// [`publish`] of any log.
///
/// # Errors
/// As [`publish`].
pub fn publish_source_on(
    disk: &dyn Disk,
    source: &PublishSource<'_>,
    order: &PublishOrder<'_>,
    out: &Path,
    progress: &mut dyn FnMut(PublishProgress),
) -> Result<PublishReport, PublishError> {
    let edge = check_checkpoint(source, order.checkpoint.checkpoint())?;
    if is_ledger(disk, out) {
        return Err(PublishError::IntoLedger(out.to_owned()));
    }
    let mut folder = Folder::open(disk, out)?;
    let before = folder.checkpoint()?;
    let previous_size = match &before {
        Some(bytes) => Some(check_published(source, order, bytes)?),
        None => None,
    };
    let checkpoint = order.checkpoint.checkpoint();
    let (size, root) = (checkpoint.size(), *checkpoint.root());
    let report = PublishReport {
        size,
        root,
        previous_size,
        tiles_written: 0,
        tiles_present: 0,
        bundles_written: 0,
        bundles_present: 0,
        bytes_written: 0,
        is_new_checkpoint: false,
        pruned_partials: 0,
    };
    let covered = previous_size.filter(|_| !order.check).unwrap_or(0);
    let mut work = Work { source, folder: &mut folder, covered, report, progress };
    work.put_all(&edge)?;
    let mut report = work.report;
    folder.sync()?;
    read_back(&folder, checkpoint)?;
    let note = order.checkpoint.note().to_bytes();
    report.is_new_checkpoint = folder.set_checkpoint(before.as_deref(), &note)?;
    if order.prune_partials {
        report.pruned_partials = folder.prune(size)?;
    }
    Ok(report)
}

/// The hashes on the right edge of a tree: of each level the tile that is not full. The root follows
/// from them, and every other hash of the tree from the one above it.
struct Edge {
    size: u64,
    tiles: Vec<(TileWidth, Vec<NodeHash>)>,
}

impl TileHashes for Edge {
    type Error = std::convert::Infallible;

    fn tile_hashes(&self, level: u32, range: Range<u64>, out: &mut Vec<NodeHash>) -> Result<(), Self::Error> {
        let tile = self.tiles.iter().find(|(width, _)| width.level == level);
        for (at, hash) in tile.iter().flat_map(|(width, hashes)| (width.full * TILE_HASHES..).zip(hashes)) {
            if range.contains(&at) {
                out.push(*hash);
            }
        }
        Ok(())
    }
}

impl Edge {
    fn read<E>(size: u64, mut tile: impl FnMut(TileWidth) -> Result<Vec<NodeHash>, E>) -> Result<Self, E> {
        let widths = tile_widths(size);
        let tiles: Result<_, E> = widths.map(|width| Ok((width, tile(width)?))).collect();
        Ok(Edge { size, tiles: tiles? })
    }

    fn root(&self) -> NodeHash {
        let Ok(root) = tree::root(self, self.size);
        root
    }
}

/// The edge of the source's tree, if it gives the checkpoint's root.
fn check_checkpoint(source: &PublishSource<'_>, checkpoint: &Checkpoint) -> Result<Edge, PublishError> {
    let (size, entries) = (checkpoint.size(), source.entries);
    if checkpoint.origin() != source.origin {
        let (expected, found) = (source.origin.to_owned(), checkpoint.origin().to_owned());
        return Err(PublishError::Origin { expected, found });
    }
    if size > entries {
        return Err(PublishError::Ahead { size, entries });
    }
    let edge = Edge::read(size, |width| {
        let start = width.full * TILE_HASHES;
        let mut hashes = Vec::new();
        source.hashes.tile_hashes(width.level, start..start + width.partial, &mut hashes)?;
        Ok::<_, EntryFault>(hashes)
    })?;
    let (expected, found) = (*checkpoint.root(), edge.root());
    if found == expected { Ok(edge) } else { Err(PublishError::Root { size, expected, found }) }
}

/// The size of the checkpoint that is published, if the one to be published continues it.
fn check_published(
    source: &PublishSource<'_>,
    order: &PublishOrder<'_>,
    bytes: &[u8],
) -> Result<u64, PublishError> {
    let next = order.checkpoint.checkpoint();
    let said = Note::parse(bytes).ok().and_then(|note| Checkpoint::parse_text(note.text()).ok());
    if let Some(said) = said.filter(|said| said.origin() != source.origin) {
        let (expected, found) = (source.origin.to_owned(), said.origin().to_owned());
        return Err(PublishError::OtherLog { expected, found });
    }
    let verified = order.policy.verify(bytes).map_err(PublishError::Unverified)?;
    let old = verified.checkpoint();
    let (published, size) = (old.size(), next.size());
    if published > size {
        return Err(PublishError::Backwards { published, size });
    }
    // Every tree begins with the empty one.
    if published > 0 {
        let fork = |_| PublishError::Fork { published, size };
        let proof = tree::consistency_proof(source.hashes, published, size)?.map_err(fork)?;
        tree::verify_consistency(published, old.root(), size, next.root(), &proof).map_err(fork)?;
    }
    Ok(published)
}

/// Checks that the tiles in the folder give the checkpoint's root.
fn read_back(folder: &Folder<'_>, checkpoint: &Checkpoint) -> Result<(), PublishError> {
    let edge = Edge::read(checkpoint.size(), |width| {
        let Some(path) = partial_path(hashes_of(width.level), width) else { return Ok(Vec::new()) };
        let expected = path.hashes();
        Ok::<_, PublishError>(decode_tile(&folder.tile(path, expected * HASH_BYTES)?, expected)?)
    })?;
    let (expected, found) = (*checkpoint.root(), edge.root());
    if found == expected { Ok(()) } else { Err(PublishError::ReadBack { expected, found }) }
}

const HASH_BYTES: usize = 32;

/// A bundle of the shortest and of the longest entries, in bytes; each has a length of two bytes.
const BUNDLE_BYTES: Range<u64> = TILE_HASHES * 3..TILE_HASHES * (MAX_HEADER_BYTES as u64 + 2) + 1;

fn hashes_of(level: u32) -> TileKind {
    TileKind::Hashes(u8::try_from(level).unwrap_or(u8::MAX))
}

/// The path of the tile that is not full, if there is one.
fn partial_path(kind: TileKind, width: TileWidth) -> Option<TilePath> {
    let partial = NonZeroU8::new(u8::try_from(width.partial).ok()?)?;
    Some(TilePath { kind, index: width.full, partial: Some(partial) })
}

/// A publication at work.
struct Work<'a, 'f> {
    source: &'a PublishSource<'a>,
    folder: &'a mut Folder<'f>,
    /// Entries whose full tiles need not be compared byte by byte.
    covered: u64,
    report: PublishReport,
    progress: &'a mut dyn FnMut(PublishProgress),
}

impl Work<'_, '_> {
    /// Puts every tile and bundle, from the edge down and from the left to the right.
    fn put_all(&mut self, edge: &Edge) -> Result<(), PublishError> {
        for (width, hashes) in edge.tiles.iter().rev() {
            if let Some(path) = partial_path(hashes_of(width.level), *width) {
                self.put_tile(path, hashes)?;
            }
            match (width.level.checked_sub(1), partial_path(TileKind::Entries, *width)) {
                (Some(below), _) => self.put_below(below, width.full * TILE_HASHES, hashes)?,
                (None, Some(path)) => self.put_bundle(path, hashes)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    /// Puts the full tiles whose roots these hashes are, and all that lies below them.
    fn put_below(&mut self, level: u32, first: u64, roots: &[NodeHash]) -> Result<(), PublishError> {
        (first..).zip(roots).try_for_each(|(index, root)| self.put_full(level, index, root))
    }

    fn put_full(&mut self, level: u32, index: u64, root: &NodeHash) -> Result<(), PublishError> {
        let path = TilePath { kind: hashes_of(level), index, partial: None };
        let bundle = TilePath { kind: TileKind::Entries, ..path };
        if level == 0 && self.is_there(path, bundle)? {
            self.report.tiles_present += 1;
            self.report.bundles_present += 1;
            self.tell(end_of(path));
            return Ok(());
        }
        let start = index.saturating_mul(TILE_HASHES);
        let mut hashes = Vec::new();
        self.source.hashes.tile_hashes(level, start..start + TILE_HASHES, &mut hashes)?;
        if tile_root(&hashes) != Some(*root) {
            return Err(PublishError::Hashes { path });
        }
        self.put_tile(path, &hashes)?;
        match level.checked_sub(1) {
            Some(below) => self.put_below(below, start, &hashes),
            None => self.put_bundle(bundle, &hashes),
        }
    }

    /// Whether a tile of level 0 and its bundle are there, and covered by what is published.
    fn is_there(&self, path: TilePath, bundle: TilePath) -> Result<bool, PublishError> {
        if self.known(path) == Known::ByBytes {
            return Ok(false);
        }
        let (Some(bytes), Some(bundle_bytes)) = (self.folder.length(path)?, self.folder.length(bundle)?)
        else {
            return Ok(false);
        };
        if bytes != (path.hashes() * HASH_BYTES) as u64 {
            return Err(PublishError::Differs { path });
        }
        if !BUNDLE_BYTES.contains(&bundle_bytes) {
            return Err(PublishError::Differs { path: bundle });
        }
        Ok(true)
    }

    fn known(&self, path: TilePath) -> Known {
        let is_covered = path.partial.is_none() && end_of(path) <= self.covered;
        if is_covered { Known::ByLength } else { Known::ByBytes }
    }

    fn put_tile(&mut self, path: TilePath, hashes: &[NodeHash]) -> Result<(), PublishError> {
        let bytes = encode_tile(hashes);
        match self.folder.put(path, &bytes, self.known(path))? {
            Put::Written => {
                self.report.tiles_written += 1;
                self.report.bytes_written += bytes.len() as u64;
            }
            Put::Present => self.report.tiles_present += 1,
        }
        Ok(())
    }

    /// Puts the headers whose leaf hashes these are, as the log has them.
    fn put_bundle(&mut self, path: TilePath, leaves: &[NodeHash]) -> Result<(), PublishError> {
        let first = path.index.saturating_mul(TILE_HASHES);
        let mut headers = Vec::with_capacity(leaves.len());
        for (seq, leaf) in (first..).map(Seq::new).zip(leaves) {
            let header = (self.source.header)(seq)?;
            let header = header.filter(|header| NodeHash::from(LeafHash::of_header(header)) == *leaf);
            headers.push(header.ok_or(PublishError::Header { seq })?);
        }
        let bytes = encode_bundle(&headers)?;
        match self.folder.put(path, &bytes, self.known(path))? {
            Put::Written => {
                self.report.bundles_written += 1;
                self.report.bytes_written += bytes.len() as u64;
            }
            Put::Present => self.report.bundles_present += 1,
        }
        self.tell(first + leaves.len() as u64);
        Ok(())
    }

    fn tell(&mut self, done_entries: u64) {
        (self.progress)(PublishProgress { done_entries, total_entries: self.report.size });
    }
}
