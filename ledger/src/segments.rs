//! The segments of a log as one thing: reads entries by seq, finds them by hash and by trace.
//! Whatever an index says is checked against the header it points to.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use proofline_trace::{EnvelopeHash, TraceId};
use thiserror::Error;

use crate::archive::{Kept, Record, Stub};
use crate::disk::DiskFile;
use crate::durable::read_full_at;
use crate::error::{Damage, LedgerError};
use crate::frame::{
    FRAME_OVERHEAD_BYTES, FrameFault, HEAD_BYTES, LENGTHS_BYTES, MAX_BODY_BYTES, decode_frame, decode_head,
};
use crate::gate::Standing;
use crate::index::{Cover, Hit, Pages, SegmentIndex, SegmentTree};
use crate::load::{SegmentFile, file_name};
use crate::segment::{SegmentHeader, segment_name};
use proofline_proof::header::{EntryHeader, EntryKind, MAX_HEADER_BYTES};
use proofline_proof::{LeafHash, Seq};

/// The folder of segments in a ledger's folder.
pub(crate) const LOG_DIR: &str = "log";

/// An entry as it lies in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The decoded header.
    pub header: EntryHeader,
    /// The header's bytes, whose leaf hash is the chain link.
    pub header_bytes: Vec<u8>,
    /// The body: canonical JSON.
    pub body: Vec<u8>,
}

impl Entry {
    /// The leaf hash of the header.
    #[must_use]
    pub fn leaf_hash(&self) -> LeafHash {
        LeafHash::of_header(&self.header_bytes)
    }
}

/// What an index lists under an envelope hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedHash {
    /// The first bytes of the hash.
    pub prefix: [u8; 8],
    /// The entry.
    pub seq: Seq,
    /// [`EntryKind::code`] of the entry.
    pub kind_code: u8,
}

impl ListedHash {
    /// What the index has to list of an entry.
    #[must_use]
    pub fn of(header: &EntryHeader) -> Self {
        let prefix = header.envelope_hash.as_bytes().first_chunk().copied().unwrap_or_default();
        Self { prefix, seq: header.seq, kind_code: header.status.kind().code() }
    }
}

/// Why an entry cannot be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum EntryFault {
    /// Its frame is damaged, or another entry stands in its place.
    #[error("{0}")]
    Damaged(Damage),
    /// Its body was moved out of the ledger with its segment.
    #[error("{0}")]
    Archived(ArchivedEntry),
    /// The system refused a call.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// An entry whose body is in an archive.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("the body of entry {seq} is archived, with the segment {segment}{}", went_to(place))]
pub struct ArchivedEntry {
    /// The entry.
    pub seq: Seq,
    /// The file of the segment in the archive.
    pub segment: String,
    /// Where the segment went, in the words of whoever archived it; may be empty.
    pub place: String,
}

fn went_to(place: &str) -> String {
    if place.is_empty() { String::new() } else { format!(", which went to {place:?}") }
}

/// A segment that is open for reading.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) header: SegmentHeader,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) index: SegmentIndex,
    /// How many entries it has: those up to the next segment, or up to the end of the prefix.
    pub(crate) entries: u64,
    /// Its part of the tree, once somebody needed it and no file had it.
    pub(crate) tree: Arc<OnceLock<Arc<SegmentTree>>>,
    /// What stays of it, when it was archived; `file` is then that.
    pub(crate) stub: Option<Arc<Stub>>,
}

impl Segment {
    pub(crate) fn new(
        header: SegmentHeader,
        file: Arc<dyn DiskFile>,
        index: SegmentIndex,
        entries: u64,
    ) -> Self {
        Segment { header, file, index, entries, tree: Arc::default(), stub: None }
    }

    /// The segment in this file, or what stays of it there.
    pub(crate) fn of(opened: &SegmentFile, index: SegmentIndex, entries: u64) -> Self {
        let stub = opened.stub.clone();
        Segment { stub, ..Segment::new(opened.header, Arc::clone(&opened.file), index, entries) }
    }

    pub(crate) fn file_name(&self) -> String {
        format!("{LOG_DIR}/{}", file_name(self.header.first_seq, self.stub.is_some()))
    }

    /// The fault of an entry whose body is away.
    fn archived(&self, seq: Seq, stub: &Stub) -> EntryFault {
        let (segment, place) = (segment_name(self.header.first_seq), stub.head.place.clone());
        EntryFault::Archived(ArchivedEntry { seq, segment, place })
    }

    /// The fault of an entry of a segment that is archived; none of one that is here.
    pub(crate) fn archived_fault(&self, seq: Seq) -> Option<EntryFault> {
        self.stub.as_ref().map(|stub| self.archived(seq, stub))
    }

    fn damage(&self, code: &'static str, offset: Option<u64>, seq: Seq, message: String) -> EntryFault {
        EntryFault::Damaged(Damage { code, file: self.file_name(), offset, seq: Some(seq), message })
    }

    pub(crate) fn ordinal(&self, seq: Seq) -> Option<u32> {
        let ordinal = seq.get().checked_sub(self.header.first_seq.get()).filter(|at| *at < self.entries)?;
        u32::try_from(ordinal).ok()
    }

    pub(crate) fn seq_of(&self, ordinal: u32) -> Seq {
        Seq::new(self.header.first_seq.get().saturating_add(u64::from(ordinal)))
    }

    /// True when its index has more entries than the prefix shows.
    fn is_cut(&self) -> bool {
        self.entries < self.index.count()
    }

    /// The entry of this hit, whole, with this hash. `None` says nothing, and the entry is looked for step by step: it
    /// is archived, or something is wrong.
    fn whole_entry(&self, hit: Hit, hash: &EnvelopeHash) -> io::Result<Option<Entry>> {
        let seq = self.seq_of(hit.ordinal);
        // Where the hash list and the offsets agree, the steps would read these very bytes, part by part.
        let span = if self.stub.is_none() { self.index.span(hit.ordinal)? } else { None };
        let span = span.filter(|span| span.offset == u64::from(hit.offset) && span.bytes <= MAX_FRAME_BYTES);
        let Some(span) = span else { return Ok(None) };
        let mut bytes = vec![0; usize::try_from(span.bytes).unwrap_or(LENGTHS_BYTES)];
        let count = read_full_at(&*self.file, &mut bytes, span.offset)?;
        bytes.truncate(count);
        let frame = decode_frame(&bytes).ok();
        let frame = frame.filter(|frame| frame.header.seq == seq && frame.header.envelope_hash == *hash);
        Ok(frame.map(|frame| Entry {
            header_bytes: frame.header_bytes.to_vec(),
            body: frame.body.to_vec(),
            header: frame.header,
        }))
    }

    /// Drops its part of the tree in memory, which was that of fewer entries.
    pub(crate) fn forget_tree(&mut self) {
        if self.tree.get().is_some() {
            self.tree = Arc::default();
        }
    }

    /// The same segment up to this entry of the log.
    pub(crate) fn cut_at(mut self, size: u64) -> Self {
        let entries = self.entries.min(size.saturating_sub(self.header.first_seq.get()));
        if entries < self.entries {
            // The part of the tree in memory is that of all its entries.
            self.tree = Arc::default();
        }
        self.entries = entries;
        self
    }

    /// True when the sound header of this entry begins at this place and carries this hash. False says
    /// nothing: the entry is archived, its header is long, or something is wrong, and the index is asked
    /// where the entry lies.
    fn has_header_at(&self, offset: u32, seq: Seq, hash: &EnvelopeHash) -> io::Result<bool> {
        if self.stub.is_some() {
            return Ok(false);
        }
        let mut front = [0; SHORT_HEAD_BYTES];
        for most in [ACCEPTED_HEAD_BYTES, SHORT_HEAD_BYTES] {
            let wanted = front.get_mut(..most).unwrap_or_default();
            let count = read_full_at(&*self.file, wanted, u64::from(offset))?;
            match decode_head(front.get(..count).unwrap_or_default()) {
                Ok((_, header, _)) => return Ok(header.seq == seq && header.envelope_hash == *hash),
                Err(FrameFault::Truncated { .. }) => {}
                Err(_) => break,
            }
        }
        Ok(false)
    }

    /// True for entries inside the prefix that this segment shows.
    pub(crate) fn shows(&self, ordinal: u32) -> bool {
        u64::from(ordinal) < self.entries
    }
}

/// The segments of a log, in order.
#[derive(Clone, Debug)]
pub(crate) struct Segments {
    pub(crate) dir: PathBuf,
    pub(crate) list: Vec<Segment>,
    /// What the first of them may hold, once so much was asked that it is worth it.
    cover: Option<Arc<Cover>>,
}

/// Bytes at the place where the index says that an entry lies.
struct Lying<'a> {
    segment: &'a Segment,
    offset: u64,
    bytes: Vec<u8>,
}

impl Lying<'_> {
    fn fault(&self, seq: Seq, fault: &FrameFault) -> EntryFault {
        self.segment.damage(fault.code(), Some(self.offset), seq, fault.to_string())
    }

    fn check_seq(&self, expected: Seq, found: Seq) -> Result<(), EntryFault> {
        if found == expected {
            return Ok(());
        }
        let message = format!("entry {found} stands where entry {expected} is expected");
        Err(self.segment.damage("log.sequence", Some(self.offset), expected, message))
    }
}

/// Bytes in which the header of nearly every accepted entry ends, and those of nearly every entry.
const ACCEPTED_HEAD_BYTES: usize = 160;
const SHORT_HEAD_BYTES: usize = 320;

/// The longest frame there can be.
const MAX_FRAME_BYTES: u64 = (FRAME_OVERHEAD_BYTES + MAX_HEADER_BYTES + MAX_BODY_BYTES) as u64;

impl Segments {
    pub(crate) const fn new(dir: PathBuf, list: Vec<Segment>) -> Self {
        Segments { dir, list, cover: None }
    }

    /// Makes the filter over all segments but the last once so many questions were asked that it is worth it: it
    /// takes a look at each of their entries, and saves one in each segment for every question.
    pub(crate) fn cover_after(&mut self, questions: u64) -> io::Result<()> {
        let Some((_, sealed)) = self.list.split_last() else { return Ok(()) };
        let entries: u64 = sealed.iter().map(|segment| segment.entries).sum();
        if self.cover.is_some()
            || sealed.len() < 2
            || questions.saturating_mul(4 * sealed.len() as u64) < entries
        {
            return Ok(());
        }
        let mut cover = Cover::default();
        sealed.iter().try_for_each(|segment| cover.add(&segment.index, 2 * entries))?;
        self.cover = Some(Arc::new(cover));
        Ok(())
    }

    /// Takes the last segment into the filter, which is full and gets no more entries. Its index is the one in memory,
    /// which no read can fail. A filter that cannot be kept up is dropped: all segments are asked then.
    pub(crate) fn cover_last(&mut self, index: &SegmentIndex) {
        if let Some(mut cover) = self.cover.take()
            && cover.segments() + 1 == self.list.len()
            && Arc::get_mut(&mut cover).is_some_and(|cover| cover.add(index, 0).is_ok())
        {
            self.cover = Some(cover);
        }
    }

    /// The segments that may list something of which the filter says whether those that it covers do.
    fn that_may(&self, hold: impl Fn(&Cover) -> bool) -> &[Segment] {
        match &self.cover {
            Some(cover) if !hold(cover) => self.list.get(cover.segments()..).unwrap_or(&self.list),
            _ => &self.list,
        }
    }

    fn that_may_hold(&self, hash: &EnvelopeHash) -> &[Segment] {
        self.that_may(|cover| cover.may_hold(hash))
    }

    /// The segment that holds an entry, and where it is in the list.
    pub(crate) fn position_of(&self, seq: Seq) -> Option<(usize, &Segment)> {
        let behind = self.list.partition_point(|segment| segment.header.first_seq <= seq);
        let position = behind.checked_sub(1)?;
        let segment = self.list.get(position)?;
        segment.ordinal(seq).map(|_| (position, segment))
    }

    pub(crate) fn holding(&self, seq: Seq) -> Option<(&Segment, u32)> {
        let (_, segment) = self.position_of(seq)?;
        Some((segment, segment.ordinal(seq)?))
    }

    /// Every system entry, ascending.
    pub(crate) fn system_entries(&self) -> io::Result<Vec<Seq>> {
        self.system_entries_of(&(0..u64::MAX))
    }

    /// The system entries among these, ascending.
    pub(crate) fn system_entries_of(&self, entries: &Range<u64>) -> io::Result<Vec<Seq>> {
        let mut found = Vec::new();
        for segment in self.with_some_of(entries) {
            let ordinals = segment.index.system_entries()?.into_iter();
            let seqs = ordinals.filter(|at| segment.shows(*at)).map(|at| segment.seq_of(at));
            found.extend(seqs.filter(|seq| entries.contains(&seq.get())));
        }
        Ok(found)
    }

    /// The entry at `seq`, whole and in its place; `None` past the end.
    pub(crate) fn read(&self, seq: Seq) -> Result<Option<Entry>, EntryFault> {
        if let Some((segment, stub, record)) = self.record(seq)? {
            let away = || segment.archived(seq, stub);
            let body = record.body().map(<[u8]>::to_vec).ok_or_else(away)?;
            return Ok(Some(Entry { header: record.header, header_bytes: record.header_bytes, body }));
        }
        let Some(lying) = self.lying(seq, MAX_FRAME_BYTES)? else { return Ok(None) };
        let frame = decode_frame(&lying.bytes).map_err(|fault| lying.fault(seq, &fault))?;
        lying.check_seq(seq, frame.header.seq)?;
        let (header_bytes, body) = (frame.header_bytes.to_vec(), frame.body.to_vec());
        Ok(Some(Entry { header: frame.header, header_bytes, body }))
    }

    /// The bytes of the header of the entry at `seq`, in its place; its body is not looked at.
    pub(crate) fn read_header(&self, seq: Seq) -> Result<Option<Vec<u8>>, EntryFault> {
        Ok(self.head(seq)?.map(|(_, bytes)| bytes))
    }

    /// The header of the entry at `seq`, in its place; its body is not looked at.
    pub(crate) fn header(&self, seq: Seq) -> Result<Option<EntryHeader>, EntryFault> {
        Ok(self.head(seq)?.map(|(header, _)| header))
    }

    fn head(&self, seq: Seq) -> Result<Option<(EntryHeader, Vec<u8>)>, EntryFault> {
        if let Some((_, _, record)) = self.record(seq)? {
            return Ok(Some((record.header, record.header_bytes)));
        }
        let Some(mut lying) = self.lying(seq, SHORT_HEAD_BYTES as u64)? else { return Ok(None) };
        if matches!(decode_head(&lying.bytes), Err(FrameFault::Truncated { .. })) {
            let Some(longer) = self.lying(seq, HEAD_BYTES as u64)? else { return Ok(None) };
            lying = longer;
        }
        let (_, header, bytes) = decode_head(&lying.bytes).map_err(|fault| lying.fault(seq, &fault))?;
        lying.check_seq(seq, header.seq)?;
        let bytes = bytes.to_vec();
        Ok(Some((header, bytes)))
    }

    /// What an accepted entry can be a prerequisite for, and its header, if its segment is archived:
    /// the gate needs no body for that.
    pub(crate) fn kept_standing(&self, seq: Seq) -> Result<Option<(EntryHeader, Standing)>, EntryFault> {
        let Some((segment, stub, record)) = self.record(seq)? else { return Ok(None) };
        match record.kept {
            Ok(Kept::Standing(standing)) => Ok(Some((record.header, standing))),
            _ => Err(segment.archived(seq, stub)),
        }
    }

    /// The record of an entry whose segment is archived; `None` for any other entry.
    fn record(&self, seq: Seq) -> Result<Option<(&Segment, &Stub, Record)>, EntryFault> {
        let Some((segment, ordinal)) = self.holding(seq) else { return Ok(None) };
        let Some(stub) = &segment.stub else { return Ok(None) };
        let offset = stub.place(ordinal)?.map(|(_, record_at)| record_at);
        let record = match stub.record(ordinal)? {
            Some(Ok(record)) => record,
            Some(Err(fault)) => return Err(segment.damage(fault.code(), offset, seq, fault.to_string())),
            None => {
                let message = "what stays of the segment has no such entry".to_owned();
                return Err(segment.damage("log.unreadable", None, seq, message));
            }
        };
        if record.header.seq != seq {
            let message = format!("entry {} stands where entry {seq} is expected", record.header.seq);
            return Err(segment.damage("log.sequence", offset, seq, message));
        }
        if let Err(fault) = &record.kept {
            return Err(segment.damage(fault.code(), offset, seq, fault.to_string()));
        }
        Ok(Some((segment, stub, record)))
    }

    /// Up to `most` of the bytes of the frame that the index names for an entry.
    fn lying(&self, seq: Seq, most: u64) -> Result<Option<Lying<'_>>, EntryFault> {
        let Some((segment, ordinal)) = self.holding(seq) else { return Ok(None) };
        let Some(span) = segment.index.span(ordinal)? else {
            let message = "no readable frame holds this entry".to_owned();
            return Err(segment.damage("log.unreadable", None, seq, message));
        };
        let size = span.bytes.min(most);
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(LENGTHS_BYTES)];
        let count = read_full_at(&*segment.file, &mut bytes, span.offset)?;
        bytes.truncate(count);
        Ok(Some(Lying { segment, offset: span.offset, bytes }))
    }

    /// Keeps pages of index files in a memory of at most so many bytes.
    pub(crate) fn remember_pages(&mut self, bytes: usize) {
        let sealed = self.list.iter().filter_map(|segment| match &segment.index {
            SegmentIndex::Sealed(index) => Some(index.head.file_bytes()),
            SegmentIndex::Memory(_) => None,
        });
        let enough = Pages::enough_for(sealed.fold(0, u64::saturating_add));
        let pages = Pages::within(bytes.min(usize::try_from(enough).unwrap_or(usize::MAX)));
        for segment in &mut self.list {
            if let SegmentIndex::Sealed(index) = &mut segment.index {
                *index = index.in_pages(pages.as_ref());
            }
        }
    }

    /// The first entry of this kind with this envelope hash: its place, and all of it where that was read at one go.
    pub(crate) fn find(
        &self,
        hash: &EnvelopeHash,
        kind: EntryKind,
    ) -> Result<Option<(Seq, Option<Entry>)>, EntryFault> {
        let found = self.that_may_hold(hash).iter().find_map(|segment| {
            let hits = match segment.index.with_hash(hash) {
                Ok(hits) => hits,
                Err(error) => return Some(Err(error)),
            };
            let hit = hits.into_iter().find(|hit| segment.shows(hit.ordinal) && hit.kind == kind.code())?;
            Some(Ok((segment, hit)))
        });
        let Some((segment, hit)) = found.transpose()? else { return Ok(None) };
        if let Some(entry) = segment.whole_entry(hit, hash)? {
            return Ok(Some((segment.seq_of(hit.ordinal), Some(entry))));
        }
        Ok(self.first_with_hash(hash, kind)?.map(|seq| (seq, None)))
    }

    /// [`Segments::find`], whole in any case.
    pub(crate) fn first_entry_with_hash(
        &self,
        hash: &EnvelopeHash,
        kind: EntryKind,
    ) -> Result<Option<(Seq, Entry)>, EntryFault> {
        match self.find(hash, kind)? {
            None => Ok(None),
            Some((seq, Some(entry))) => Ok(Some((seq, entry))),
            Some((seq, None)) => Ok(self.read(seq)?.map(|entry| (seq, entry))),
        }
    }

    /// Entries of this kind (or of any) with this envelope hash, ascending.
    pub(crate) fn with_hash(
        &self,
        hash: &EnvelopeHash,
        kind: Option<EntryKind>,
    ) -> Result<Vec<Seq>, EntryFault> {
        let mut found = Vec::new();
        for segment in self.that_may_hold(hash) {
            self.collect_with_hash(segment, hash, kind, &mut found)?;
        }
        Ok(found)
    }

    /// The first entry of this kind with this envelope hash.
    pub(crate) fn first_with_hash(
        &self,
        hash: &EnvelopeHash,
        kind: EntryKind,
    ) -> Result<Option<Seq>, EntryFault> {
        for segment in self.that_may_hold(hash) {
            for hit in segment.index.with_hash(hash)? {
                if self.is_of(segment, hit, hash, Some(kind))? {
                    return Ok(Some(segment.seq_of(hit.ordinal)));
                }
            }
        }
        Ok(None)
    }

    fn collect_with_hash(
        &self,
        segment: &Segment,
        hash: &EnvelopeHash,
        kind: Option<EntryKind>,
        found: &mut Vec<Seq>,
    ) -> Result<(), EntryFault> {
        for hit in segment.index.with_hash(hash)? {
            if self.is_of(segment, hit, hash, kind)? {
                found.push(segment.seq_of(hit.ordinal));
            }
        }
        Ok(())
    }

    /// Whether an index is right in what it lists under a hash.
    fn is_of(
        &self,
        segment: &Segment,
        hit: Hit,
        hash: &EnvelopeHash,
        kind: Option<EntryKind>,
    ) -> Result<bool, EntryFault> {
        if !segment.shows(hit.ordinal) || kind.is_some_and(|kind| kind.code() != hit.kind) {
            return Ok(false);
        }
        let seq = segment.seq_of(hit.ordinal);
        if segment.has_header_at(hit.offset, seq, hash)? {
            return Ok(true);
        }
        // An entry that cannot be read is kept as a hit: reading it will say why.
        match self.header(seq) {
            Ok(Some(header)) => Ok(header.envelope_hash == *hash),
            Ok(None) | Err(EntryFault::Damaged(_)) => Ok(true),
            Err(fault) => Err(fault),
        }
    }

    /// The segments that have some of these entries.
    fn with_some_of(&self, entries: &Range<u64>) -> impl Iterator<Item = &Segment> {
        let has_some = |segment: &&Segment| {
            let first = segment.header.first_seq.get();
            first < entries.end && entries.start < first.saturating_add(segment.entries)
        };
        self.list.iter().filter(has_some)
    }

    /// Everything that the indexes list under an envelope hash, of these entries; whether each of the indexes is in
    /// order.
    pub(crate) fn visit_hashes(
        &self,
        entries: &Range<u64>,
        visit: &mut dyn FnMut(ListedHash),
    ) -> io::Result<bool> {
        let mut all_ascend = true;
        for segment in self.with_some_of(entries) {
            all_ascend &= segment.index.visit_hashes(&mut |prefix, ordinal, kind_code| {
                let seq = segment.seq_of(ordinal);
                if segment.shows(ordinal) && entries.contains(&seq.get()) {
                    visit(ListedHash { prefix, seq, kind_code });
                }
            })?;
        }
        Ok(all_ascend)
    }

    /// Every entry of a trace, ascending.
    pub(crate) fn of_trace(&self, trace: TraceId) -> io::Result<Vec<Seq>> {
        let mut found = Vec::new();
        for segment in &self.list {
            let ordinals = segment.index.of_trace(trace)?.into_iter();
            found.extend(ordinals.filter(|at| segment.shows(*at)).map(|at| segment.seq_of(at)));
        }
        Ok(found)
    }

    /// A trace's last entry.
    pub(crate) fn last_of_trace(&self, trace: TraceId) -> io::Result<Option<Seq>> {
        for segment in self.that_may(|cover| cover.may_hold_trace(trace)).iter().rev() {
            let ordinals = segment.index.of_trace(trace)?;
            if let Some(at) = ordinals.into_iter().rev().find(|at| segment.shows(*at)) {
                return Ok(Some(segment.seq_of(at)));
            }
        }
        Ok(None)
    }

    /// Traces after `after` in byte order, each once, at most `limit`.
    pub(crate) fn traces_after(&self, after: Option<TraceId>, limit: usize) -> io::Result<Vec<TraceId>> {
        let mut after = after;
        loop {
            let listed = self.listed_after(after, limit)?;
            // The index of a segment that is cut lists traces that begin behind the cut.
            if listed.is_empty() || !self.list.last().is_some_and(Segment::is_cut) {
                return Ok(listed);
            }
            after = listed.last().copied();
            let mut shown = Vec::new();
            for trace in listed {
                shown.extend(self.last_of_trace(trace)?.map(|_| trace));
            }
            if !shown.is_empty() {
                return Ok(shown);
            }
        }
    }

    fn listed_after(&self, after: Option<TraceId>, limit: usize) -> io::Result<Vec<TraceId>> {
        let mut merged = Vec::new();
        for segment in &self.list {
            merged.extend(segment.index.traces_after(after, limit)?);
        }
        merged.sort_unstable();
        merged.dedup();
        merged.truncate(limit);
        Ok(merged)
    }

    /// The segment that holds an entry, by its first seq, and the offset behind the entry's frame.
    pub(crate) fn end_of(&self, seq: Seq) -> io::Result<Option<(Seq, u64)>> {
        let Some((segment, ordinal)) = self.holding(seq) else { return Ok(None) };
        let span = segment.index.span(ordinal)?;
        Ok(span.map(|span| (segment.header.first_seq, span.offset.saturating_add(span.bytes))))
    }

    /// Where an entry's frame lies: its segment's file and the offset.
    pub(crate) fn place(&self, seq: Seq) -> Option<(String, Option<u64>)> {
        let (segment, ordinal) = self.holding(seq)?;
        let offset = match &segment.stub {
            Some(stub) => stub.place(ordinal).ok().flatten().map(|(_, record_at)| record_at),
            None => segment.index.span(ordinal).ok().flatten().map(|span| span.offset),
        };
        Some((segment.file_name(), offset))
    }
}

/// Turns a fault met while reading one's own log into an error of the ledger.
pub(crate) fn read_error(dir: &Path, fault: EntryFault) -> LedgerError {
    match fault {
        EntryFault::Damaged(damage) => LedgerError::Damaged(damage),
        EntryFault::Archived(entry) => LedgerError::Archived(entry),
        EntryFault::Io(source) => LedgerError::Io { action: "read", path: dir.to_owned(), source },
    }
}

#[cfg(test)]
mod tests;
