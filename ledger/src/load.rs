//! Opens the segment files of a log and finds out what they hold: from the index beside a
//! sealed segment, or by reading the segment.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::archive::{Stub, parse_stub_name, stub_name};
use crate::disk::{Access, Disk, DiskFile};
use crate::error::{Damage, IoContext, LedgerError};
use crate::index::{SealedIndex, Table, index_name};
use crate::scan::{ChainState, Scan, Step};
use crate::segment::{
    SEGMENT_HEADER_BYTES, SegmentFault, SegmentHeader, parse_segment_name, read_segment_header, segment_name,
};
use crate::segments::LOG_DIR;
use proofline_proof::Seq;
use proofline_trace::LedgerId;

/// A segment file whose header is sound.
#[derive(Clone, Debug)]
pub(crate) struct SegmentFile {
    pub(crate) header: SegmentHeader,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) path: PathBuf,
    /// What stays of it, when it was archived; `file` and `path` are then those of that.
    pub(crate) stub: Option<Arc<Stub>>,
}

impl SegmentFile {
    /// The chain before the segment's first frame.
    pub(crate) fn chain(&self) -> ChainState {
        ChainState { next: self.header.first_seq, head: self.header.previous_leaf, recorded_at_ms: 0 }
    }

    pub(crate) fn name(&self) -> String {
        format!("{LOG_DIR}/{}", file_name(self.header.first_seq, self.stub.is_some()))
    }

    /// Bytes of the segment file, wherever it is.
    pub(crate) fn segment_bytes(&self) -> io::Result<u64> {
        self.stub.as_ref().map_or_else(|| self.file.len(), |stub| Ok(stub.head.segment_bytes))
    }

    /// A walk from the first frame up to `end`.
    pub(crate) fn scan(&self, end: u64, chain: ChainState) -> io::Result<Scan> {
        let first = self.header.first_seq;
        match &self.stub {
            Some(stub) => Scan::of_stub(Arc::clone(stub), first, chain),
            None => Scan::new(Arc::clone(&self.file), first, SEGMENT_HEADER_BYTES as u64, end, chain),
        }
    }

    /// The sealed index beside the segment, if it is there and sound.
    pub(crate) fn sealed_index(&self, disk: &dyn Disk) -> io::Result<Option<SealedIndex>> {
        let path = self.path.with_file_name(index_name(self.header.first_seq));
        SealedIndex::open(disk, &path, self.header.ledger_id, self.header.first_seq)
    }

    pub(crate) fn damage(&self, code: &'static str, offset: Option<u64>, message: String) -> Damage {
        Damage { code, file: self.name(), offset, seq: None, message }
    }
}

/// The file of a segment in `log/`, or what stays of it there.
pub(crate) fn file_name(first_seq: Seq, is_archived: bool) -> String {
    if is_archived { stub_name(first_seq) } else { segment_name(first_seq) }
}

/// The first seqs of the segments in a ledger's folder, archived ones included, ascending.
pub(crate) fn segment_seqs(disk: &dyn Disk, dir: &Path) -> Result<Vec<Seq>, LedgerError> {
    let log = dir.join(LOG_DIR);
    let names = match disk.list(&log) {
        Ok(names) => names,
        Err(error) if is_absent(&error) => return Err(LedgerError::NotALedger(dir.to_owned())),
        Err(error) => return Err(error).during("list", &log),
    };
    let parse = |name: &String| parse_segment_name(name).or_else(|| parse_stub_name(name));
    let mut seqs: Vec<Seq> = names.iter().filter_map(parse).collect();
    seqs.dedup(); // names are sorted: `.arc` stands before `.seg` of the same number
    if seqs.is_empty() { Err(LedgerError::NotALedger(dir.to_owned())) } else { Ok(seqs) }
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Opens every segment; each must belong to the ledger and bear the name of its first entry.
pub(crate) fn open_segments(
    disk: &dyn Disk,
    dir: &Path,
    access: Access,
) -> Result<Vec<SegmentFile>, LedgerError> {
    let mut files: Vec<SegmentFile> = Vec::new();
    for seq in segment_seqs(disk, dir)? {
        let file = open_segment(disk, dir, seq, access)?;
        let ledger_id = files.first().map_or(file.header.ledger_id, |first| first.header.ledger_id);
        check_place(&file, files.is_empty(), seq, ledger_id).map_err(LedgerError::Damaged)?;
        files.push(file);
    }
    Ok(files)
}

fn check_place(file: &SegmentFile, is_first: bool, named: Seq, ledger_id: LedgerId) -> Result<(), Damage> {
    if is_first && named != Seq::GENESIS {
        return Err(file.damage(
            "log.missing_segment",
            None,
            format!("the segments before entry {named} are missing"),
        ));
    }
    if file.header.ledger_id != ledger_id {
        let found = file.header.ledger_id;
        let message = format!("the segment is of ledger {found}, the others of {ledger_id}");
        return Err(file.damage("log.other_ledger", Some(16), message));
    }
    Ok(())
}

/// Opens what there is of the segment that begins with `seq`: the segment, or what stays of an archived one.
pub(crate) fn open_segment(
    disk: &dyn Disk,
    dir: &Path,
    seq: Seq,
    access: Access,
) -> Result<SegmentFile, LedgerError> {
    let path = dir.join(LOG_DIR).join(segment_name(seq));
    let file = match disk.open(&path, access) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match open_stub(disk, dir, seq)? {
            Some(archived) => return Ok(archived),
            // It may have come back in between.
            None => disk.open(&path, access),
        },
        result => result,
    };
    let file = file.during("open", &path)?;
    let name = format!("{LOG_DIR}/{}", segment_name(seq));
    let damaged = |code, message| {
        LedgerError::Damaged(Damage { code, file: name.clone(), offset: Some(0), seq: Some(seq), message })
    };
    match read_segment_header(&*file).during("read", &path)? {
        Ok(header) if header.first_seq == seq => Ok(SegmentFile { header, file, path, stub: None }),
        Ok(header) => Err(damaged(
            "log.segment_name",
            format!(
                "the file's name says that it begins with entry {seq}, its header says {}",
                header.first_seq
            ),
        )),
        Err(fault @ SegmentFault::NewerFormat(_)) => {
            Err(LedgerError::NewerFormat { dir: dir.to_owned(), detail: format!("{name}: {fault}") })
        }
        Err(fault) => Err(damaged(fault.code(), fault.to_string())),
    }
}

/// Opens what stays of an archived segment; `None` when there is no such file.
fn open_stub(disk: &dyn Disk, dir: &Path, seq: Seq) -> Result<Option<SegmentFile>, LedgerError> {
    let path = dir.join(LOG_DIR).join(stub_name(seq));
    let file = match disk.open(&path, Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).during("open", &path),
    };
    let name = format!("{LOG_DIR}/{}", stub_name(seq));
    let damaged = |code, message| {
        LedgerError::Damaged(Damage { code, file: name.clone(), offset: Some(0), seq: Some(seq), message })
    };
    match Stub::read(Arc::clone(&file)).during("read", &path)? {
        Ok(stub) if stub.head.segment.first_seq == seq => {
            let header = stub.head.segment;
            Ok(Some(SegmentFile { header, file, path, stub: Some(Arc::new(stub)) }))
        }
        Ok(stub) => {
            let found = stub.head.segment.first_seq;
            let message =
                format!("the file's name says that it begins with entry {seq}, its header says {found}");
            Err(damaged("log.segment_name", message))
        }
        Err(fault) if fault.is_newer() => {
            Err(LedgerError::NewerFormat { dir: dir.to_owned(), detail: format!("{name}: {fault}") })
        }
        Err(fault) => Err(damaged(fault.code(), fault.to_string())),
    }
}

/// What reading a stretch of a segment gave.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) table: Table,
    pub(crate) chain: ChainState,
    pub(crate) damage: Vec<Damage>,
    /// Where the first damage begins, else where the reading stopped.
    pub(crate) sound_end: u64,
}

/// Up to where a segment is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// This offset.
    Offset(u64),
    /// The frame of this entry, which belongs to the next segment.
    Seq(Seq),
}

/// Reads a segment from its first frame on and indexes what is there.
pub(crate) fn read_segment(segment: &SegmentFile, until: Until) -> io::Result<Reading> {
    let start = SEGMENT_HEADER_BYTES as u64;
    let (end, stop) = match until {
        Until::Offset(end) => (end, None),
        Until::Seq(seq) => (u64::MAX, Some(seq)),
    };
    let first = segment.header.first_seq;
    let mut scan = segment.scan(end, segment.chain())?;
    let mut table = Table::new(start);
    let mut damage = Vec::new();
    let mut sound_end = None;
    while stop.is_none_or(|stop| scan.chain().next < stop) {
        let before = scan.position();
        let next = scan.chain().next;
        match scan.step()? {
            Step::End => break,
            Step::Gap(found) => {
                sound_end.get_or_insert(before);
                damage.push(found);
            }
            Step::Entry(found) => {
                let in_order = found.header.seq >= next && stop.is_none_or(|stop| found.header.seq < stop);
                let ordinal =
                    found.header.seq.get().checked_sub(first.get()).and_then(|at| u32::try_from(at).ok());
                // A frame far ahead of its place would make the table as long as it claims.
                let near = found.header.seq.get().saturating_sub(next.get()) <= found.offset;
                if let (Some(ordinal), Ok(offset), true, true) =
                    (ordinal, u32::try_from(found.offset), in_order, near)
                {
                    table.insert(ordinal, offset, found.frame_bytes, &found.header, found.leaf);
                }
                if let Some(found) = found.damage {
                    sound_end.get_or_insert(before);
                    damage.push(found);
                }
            }
        }
    }
    let sound_end = sound_end.unwrap_or_else(|| scan.position());
    Ok(Reading { table, chain: scan.chain(), damage, sound_end })
}
