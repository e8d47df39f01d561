//! Checks archived segments: against their manifests, within themselves, and against the ledger that
//! they came from.

use std::io;
use std::path::Path;
use std::sync::Arc;

use proofline_canon::{Sha256Digest, Sha256Hasher};
use proofline_proof::{LeafHash, Seq};
use proofline_trace::LedgerId;

use crate::disk::{Access, Disk, DiskFile, OsDisk};
use crate::durable::read_full_at;
use crate::error::{Damage, IoContext, LedgerError};
use crate::scan::{ChainState, Scan, Step};
use crate::segment::{SEGMENT_HEADER_BYTES, SegmentHeader, read_segment_header, segment_name};
use crate::segments::read_error;
use crate::snapshot::Snapshot;
use crate::verify::check_body;

use super::fault::ArchiveFault;
use super::manifest::{Manifest, manifest_name};
use super::stub::StubBuilder;

const CHUNK_BYTES: usize = 1 << 18;

/// A segment in an archive, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedSegment {
    /// Its first entry.
    pub first_seq: Seq,
    /// Entries, as its manifest says; 0 when that cannot be read.
    pub entries: u64,
    /// Bytes, as its manifest says.
    pub segment_bytes: u64,
    /// SHA-256 of its file, as its manifest says.
    pub sha256: Option<Sha256Digest>,
    /// What is wrong with it.
    pub fault: Option<ArchiveFault>,
}

/// What a check of an archive found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchiveCheck {
    /// The ledger that the archive is of, as its first readable manifest says.
    pub ledger_id: Option<LedgerId>,
    /// That ledger's origin.
    pub origin: Option<String>,
    /// Every segment with a manifest, in order.
    pub segments: Vec<CheckedSegment>,
    /// Files of segments without a manifest.
    pub strays: Vec<String>,
    /// True when the entries were compared with those of a ledger.
    pub is_compared: bool,
}

impl ArchiveCheck {
    /// True when nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.strays.is_empty() && self.segments.iter().all(|segment| segment.fault.is_none())
    }
}

/// Checks every segment in the archive `out`: its bytes against its manifest, each frame, body and link
/// within it, and neighbours against each other; with a ledger, each entry against the ledger's tree.
///
/// # Errors
/// When `out` is no archive, the ledger cannot be opened, or the system refuses a call. Damage is no
/// error but what the answer is for.
pub fn verify_archive(out: impl AsRef<Path>, ledger: Option<&Snapshot>) -> Result<ArchiveCheck, LedgerError> {
    verify_archive_on(&OsDisk, out.as_ref(), ledger)
}

/// [`verify_archive`] on another [`Disk`].
///
/// # Errors
/// As [`verify_archive`].
pub fn verify_archive_on(
    disk: &dyn Disk,
    out: &Path,
    ledger: Option<&Snapshot>,
) -> Result<ArchiveCheck, LedgerError> {
    let manifests = Manifest::all(disk, out)?;
    let first = manifests.iter().find_map(|(_, manifest)| manifest.as_ref().ok());
    let ledger_id = ledger.map(Snapshot::ledger_id).or(first.map(|manifest| manifest.ledger_id));
    let origin = first.map(|manifest| manifest.origin.clone());
    let mut segments = Vec::new();
    let mut before: Option<Manifest> = None;
    for (first_seq, manifest) in &manifests {
        let checked = match (manifest, ledger_id) {
            (Ok(manifest), Some(expected)) => {
                check_one(disk, out, manifest, expected, before.as_ref(), ledger)
            }
            (Err(fault), _) => Err(fault.clone().into()),
            (Ok(_), None) => Ok(()),
        };
        let fault = match checked {
            Ok(()) => None,
            Err(LedgerError::Archive(fault)) => Some(fault),
            Err(error) => return Err(error),
        };
        before = manifest.as_ref().ok().cloned();
        segments.push(CheckedSegment {
            first_seq: *first_seq,
            entries: before.as_ref().map_or(0, |manifest| manifest.entries),
            segment_bytes: before.as_ref().map_or(0, |manifest| manifest.segment_bytes),
            sha256: before.as_ref().map(|manifest| Sha256Digest::from_bytes(manifest.sha256)),
            fault,
        });
    }
    let names = disk.list(out).during("list", out)?;
    let is_stray = |name: &String| {
        crate::segment::parse_segment_name(name)
            .is_some_and(|seq| !manifests.iter().any(|(first, _)| *first == seq))
    };
    let strays = names.into_iter().filter(is_stray).collect();
    Ok(ArchiveCheck { ledger_id, origin, segments, strays, is_compared: ledger.is_some() })
}

fn check_one(
    disk: &dyn Disk,
    out: &Path,
    manifest: &Manifest,
    expected: LedgerId,
    before: Option<&Manifest>,
    ledger: Option<&Snapshot>,
) -> Result<(), LedgerError> {
    let manifest = manifest.clone().of_ledger(expected).map_err(LedgerError::from)?;
    let leaves = check_segment(disk, out, &manifest)?.leaves;
    let name = segment_name(manifest.first_seq);
    let fault = |seq: Seq, code, message: &str| {
        let message = message.to_owned();
        let damage = Damage { code, file: name.clone(), offset: None, seq: Some(seq), message };
        LedgerError::from(ArchiveFault::Damaged(damage))
    };
    let follows = |before: &&Manifest| before.first_seq.get() + before.entries == manifest.first_seq.get();
    if let Some(before) = before.filter(follows)
        && Some(before.head) != manifest.previous_leaf
    {
        let message = "the segment does not link to the last entry of the one before";
        return Err(fault(manifest.first_seq, "log.link", message));
    }
    let Some(ledger) = ledger else { return Ok(()) };
    let genesis = ledger.genesis().map_err(|fault| read_error(ledger.dir(), fault))?;
    if genesis.origin.to_string() != manifest.origin {
        let file = manifest_name(manifest.first_seq);
        let message = format!("it names the origin {}, the ledger is {}", manifest.origin, genesis.origin);
        return Err(ArchiveFault::Manifest { file, message }.into());
    }
    for (seq, leaf) in (manifest.first_seq.get()..).map(Seq::new).zip(&leaves) {
        if ledger.tree().leaf(seq).ok() != Some(*leaf) {
            return Err(fault(seq, "archive.other_entry", "the ledger has another entry in this place"));
        }
    }
    Ok(())
}

/// A segment of an archive, whole.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) file: Arc<dyn DiskFile>,
    /// The leaf hash of each entry.
    pub(super) leaves: Vec<LeafHash>,
    /// What would stay of it in a ledger.
    pub(super) stub: StubBuilder,
}

/// Checks a segment's file against its manifest, and all that it holds against itself.
pub(super) fn check_segment(disk: &dyn Disk, out: &Path, manifest: &Manifest) -> Result<Whole, LedgerError> {
    let name = manifest.file();
    let path = out.join(&name);
    if !disk.exists(&path) {
        return Err(ArchiveFault::Missing(name).into());
    }
    let damaged = |code, offset, message: String| {
        let seq = Some(manifest.first_seq);
        LedgerError::from(ArchiveFault::Damaged(Damage { code, file: name.clone(), offset, seq, message }))
    };
    let file = disk.open(&path, Access::Read).during("open", &path)?;
    let digests = Digests::of(&*file).during("read", &path)?;
    if digests.bytes != manifest.segment_bytes {
        let (found, expected) = (digests.bytes, manifest.segment_bytes);
        let code = if found < expected { "log.truncated" } else { "log.surplus" };
        let message = format!("the file is {found} bytes long, its manifest says {expected}");
        return Err(damaged(code, Some(found.min(expected)), message));
    }
    if (digests.sha256, digests.blake3) != (manifest.sha256, manifest.blake3) {
        let message = format!("the file does not have the digests in {}", manifest_name(manifest.first_seq));
        return Err(damaged("archive.digest", None, message));
    }
    let header = read_segment_header(&*file).during("read", &path)?;
    let header = header.map_err(|fault| damaged(fault.code(), Some(0), fault.to_string()))?;
    let whole = read_whole(&path, file, header, digests.bytes)?.map_err(ArchiveFault::Damaged)?;
    let expected = SegmentHeader {
        format: header.format,
        ledger_id: manifest.ledger_id,
        first_seq: manifest.first_seq,
        previous_leaf: manifest.previous_leaf,
    };
    let ends_right =
        whole.leaves.len() as u64 == manifest.entries && whole.leaves.last() == Some(&manifest.head);
    if header != expected || !ends_right {
        let message = format!("the segment is not the one that {} names", manifest_name(manifest.first_seq));
        return Err(damaged("archive.digest", None, message));
    }
    Ok(whole)
}

/// Reads a segment of this length from end to end: every frame, link and body must be sound.
pub(super) fn read_whole(
    path: &Path,
    file: Arc<dyn DiskFile>,
    header: SegmentHeader,
    bytes: u64,
) -> Result<Result<Whole, Damage>, LedgerError> {
    let start = SEGMENT_HEADER_BYTES as u64;
    let chain = ChainState { next: header.first_seq, head: header.previous_leaf, recorded_at_ms: 0 };
    let mut scan =
        Scan::new(Arc::clone(&file), header.first_seq, start, bytes, chain).during("read", path)?;
    let (mut leaves, mut stub) = (Vec::new(), StubBuilder::default());
    let name = segment_name(header.first_seq);
    loop {
        let found = match scan.step().during("read", path)? {
            Step::End => break,
            Step::Gap(damage) => return Ok(Err(damage)),
            Step::Entry(found) => found,
        };
        if let Some(damage) = found.damage {
            return Ok(Err(damage));
        }
        let (offset, seq) = (Some(found.offset), Some(found.header.seq));
        let (header_bytes, body) = scan.current_bytes().during("read", path)?;
        let body = body.unwrap_or_default();
        let bad = |code, message| Damage { code, file: name.clone(), offset, seq, message };
        if let Err((code, message)) = check_body(&found.header, body, header.ledger_id) {
            return Ok(Err(bad(code, message)));
        }
        let frame_at = u32::try_from(found.offset).unwrap_or(u32::MAX);
        if !stub.push(frame_at, &found.header, header_bytes, body) {
            return Ok(Err(bad("body.form", "an accepted record is no envelope".to_owned())));
        }
        leaves.push(found.leaf);
    }
    Ok(Ok(Whole { file, leaves, stub }))
}

/// The length and the digests of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Digests {
    pub(super) bytes: u64,
    pub(super) sha256: [u8; 32],
    pub(super) blake3: [u8; 32],
}

impl Digests {
    pub(super) fn of(file: &dyn DiskFile) -> io::Result<Self> {
        let (mut sha256, mut blake3) = (Sha256Hasher::new(), blake3::Hasher::new());
        let mut chunk = vec![0; CHUNK_BYTES];
        let mut bytes = 0;
        loop {
            let count = read_full_at(file, &mut chunk, bytes)?;
            let read = chunk.get(..count).unwrap_or_default();
            sha256.update(read);
            blake3.update(read);
            bytes += count as u64;
            if count < chunk.len() {
                let (sha256, blake3) = (*sha256.finalize().as_bytes(), *blake3.finalize().as_bytes());
                return Ok(Digests { bytes, sha256, blake3 });
            }
        }
    }
}
