//! Many entries in a few large reads. What this gives of an entry is what reading it by itself gives; where
//! anything is out of the ordinary it gives nothing, and whoever asked reads that entry by itself, which says why.

use std::ops::Range;

use proofline_proof::Seq;
use proofline_proof::header::{EntryHeader, MAX_HEADER_BYTES};

use crate::durable::read_full_at;
use crate::frame::{FRAME_OVERHEAD_BYTES, MAX_BODY_BYTES, decode_frame};
use crate::index::Span;
use crate::segments::{Segment, Segments};
use crate::snapshot::Snapshot;

/// Bytes that are read at a stretch, unless the first entry alone is longer.
const READ_BYTES: usize = 512 << 10;
/// Entries that are looked up at a stretch.
const READ_ENTRIES: usize = 512;
/// Bytes between two entries that are cheaper to read than to step over.
const GAP_BYTES: u64 = 6 << 10;
/// The longest frame there can be.
const MAX_FRAME_BYTES: usize = FRAME_OVERHEAD_BYTES + MAX_HEADER_BYTES + MAX_BODY_BYTES;
/// Entries of one segment whose places are read together lie at most so far apart.
const PLACES_APART: u32 = 1024;

/// An entry in a buffer: its frame is whole, it stands in its place, and its header has the one encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntryView<'a> {
    /// The decoded header.
    pub header: EntryHeader,
    /// The header's bytes, whose leaf hash is the chain link.
    pub header_bytes: &'a [u8],
    /// The body.
    pub body: &'a [u8],
}

/// Memory for [`Snapshot::read_entries`], to be used again.
#[derive(Debug, Default)]
pub struct EntryBuffer {
    bytes: Vec<u8>,
    /// Where in the bytes the frame of each entry lies.
    frames: Vec<Option<Range<usize>>>,
}

impl EntryBuffer {
    /// The entries that were read, in the order in which they were asked for; `None` for one that is to be read
    /// by itself.
    #[must_use]
    pub fn entries(&self, seqs: &[Seq]) -> Vec<Option<EntryView<'_>>> {
        self.frames.iter().zip(seqs).map(|(frame, seq)| self.entry(frame.clone()?, *seq)).collect()
    }

    fn entry(&self, frame: Range<usize>, seq: Seq) -> Option<EntryView<'_>> {
        let bytes = self.bytes.get(frame)?;
        let frame = decode_frame(bytes).ok()?;
        let is_whole = frame.frame_bytes() == bytes.len() && frame.header.seq == seq;
        is_whole.then_some(EntryView {
            header: frame.header,
            header_bytes: frame.header_bytes,
            body: frame.body,
        })
    }
}

impl Snapshot {
    /// Reads the first of these entries, as many as are well read at once, and says how many that is: 0 for none
    /// alone. [`EntryBuffer::entries`] then has them. Those that ascend and lie side by side are read as one.
    ///
    /// An entry that cannot be read like this, for whatever reason, is left to [`Snapshot::entry`].
    pub fn read_entries(&self, seqs: &[Seq], buffer: &mut EntryBuffer) -> usize {
        let seqs = seqs.get(..READ_ENTRIES).unwrap_or(seqs);
        let mut reads = Reads::default();
        buffer.frames.clear();
        for (segment, span) in self.segments().spans_of(seqs) {
            let size = span.and_then(|span| usize::try_from(span.bytes).ok());
            let size = size.filter(|size| *size <= MAX_FRAME_BYTES);
            let (Some(segment), Some(span), Some(size)) = (segment, span, size) else {
                buffer.frames.push(None);
                continue;
            };
            match reads.add(segment, span, size) {
                Some(frame) => buffer.frames.push(Some(frame)),
                None => break,
            }
        }
        if buffer.bytes.len() < reads.bytes {
            buffer.bytes.resize(reads.bytes, 0);
        } else if buffer.bytes.len() > 2 * READ_BYTES && reads.bytes <= READ_BYTES {
            // One long body is no reason to hold that much for good.
            buffer.bytes = vec![0; READ_BYTES];
        }
        for read in &reads.list {
            let into = buffer.bytes.get_mut(read.to.clone()).unwrap_or_default();
            let is_read = read_full_at(&*read.segment.file, into, read.offset);
            if !is_read.is_ok_and(|count| count == read.to.len()) {
                // Nothing of an earlier read may stand for what was not read.
                into.fill(0);
            }
        }
        buffer.frames.len()
    }
}

/// A stretch of a segment's file, and where in the buffer it goes.
struct Read<'a> {
    segment: &'a Segment,
    offset: u64,
    to: Range<usize>,
}

impl Read<'_> {
    const fn end(&self) -> u64 {
        self.offset.saturating_add((self.to.end - self.to.start) as u64)
    }
}

#[derive(Default)]
struct Reads<'a> {
    list: Vec<Read<'a>>,
    bytes: usize,
}

impl<'a> Reads<'a> {
    /// Where the frame will lie; none when the buffer is full.
    fn add(&mut self, segment: &'a Segment, span: Span, size: usize) -> Option<Range<usize>> {
        if self.bytes > 0 && self.bytes.saturating_add(size) > READ_BYTES {
            return None;
        }
        let last = self.list.last_mut().filter(|last| {
            std::ptr::eq(last.segment, segment)
                && span.offset.checked_sub(last.end()).is_some_and(|gap| gap <= GAP_BYTES)
        });
        let start = match last {
            Some(last) => {
                let gap = usize::try_from(span.offset - last.end()).ok()?;
                last.to.end += gap + size;
                last.to.end - size
            }
            None => {
                let to = self.bytes..self.bytes + size;
                self.list.push(Read { segment, offset: span.offset, to });
                self.bytes
            }
        };
        self.bytes = start + size;
        Some(start..start + size)
    }
}

impl Segments {
    /// Of each entry the segment and the place, where they are known and nothing is archived.
    fn spans_of(&self, seqs: &[Seq]) -> Vec<(Option<&Segment>, Option<Span>)> {
        let mut found = Vec::with_capacity(seqs.len());
        let mut rest = seqs;
        while let Some(first) = rest.first() {
            let Some((segment, start)) = self.holding(*first).filter(|(segment, _)| segment.stub.is_none())
            else {
                found.push((None, None));
                rest = rest.get(1..).unwrap_or_default();
                continue;
            };
            let near = |seq: &Seq| {
                segment.ordinal(*seq).and_then(|at| at.checked_sub(start)).filter(|at| *at < PLACES_APART)
            };
            let together = rest.iter().take_while(|seq| near(seq).is_some()).count();
            let (group, behind) = rest.split_at(together);
            let last = group.iter().filter_map(near).max().unwrap_or(0);
            let spans = segment.index.spans(start..start.saturating_add(last).saturating_add(1));
            let spans = spans.unwrap_or_default();
            let span = |seq| near(seq).and_then(|at| spans.get(at as usize).copied().flatten());
            found.extend(group.iter().map(|seq| (Some(segment), span(seq))));
            rest = behind;
        }
        found
    }
}
