//! Reads a segment frame by frame and checks each against the chain: its place, its link, its
//! clock. Behind damage it looks for the next whole header, so that one bad byte costs one entry.
//!
//! No body can be taken for a header there: bodies are JSON text, which has no raw zero byte,
//! and a header begins with the bytes 8c 00 or 8c 01.

use std::io;
use std::sync::Arc;

use crate::archive::{Record, Stub, stub_name};
use crate::disk::DiskFile;
use crate::error::Damage;
use crate::frame::{FrameFault, FrameLengths, HEAD_BYTES, LENGTHS_BYTES, decode_frame, decode_head};
use crate::segment::{FrameCursor, SEGMENT_HEADER_BYTES, segment_name};
use crate::verify::{BodyCheck, check_bodies};
use proofline_proof::header::{EntryHeader, FORMAT_VERSION, HeaderError};
use proofline_proof::{LeafHash, Seq};
use proofline_trace::LedgerId;

const CRC_BYTES: usize = 4;
/// How the header of any format version begins.
fn is_header_front(pair: &[u8]) -> bool {
    matches!(pair, [0x8c, version] if u32::from(*version) <= FORMAT_VERSION)
}

/// Frames whose leaf hashes are made together.
const FRAMES_AHEAD: usize = 256;

/// Where the chain stands: what the next entry has to carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChainState {
    pub(crate) next: Seq,
    pub(crate) head: Option<LeafHash>,
    pub(crate) recorded_at_ms: u64,
}

impl ChainState {
    /// Before the genesis entry.
    pub(crate) const EMPTY: ChainState = ChainState { next: Seq::GENESIS, head: None, recorded_at_ms: 0 };
}

/// An entry that a walk came upon.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) offset: u64,
    pub(crate) frame_bytes: usize,
    pub(crate) header: EntryHeader,
    pub(crate) leaf: LeafHash,
    /// What is wrong with it: its place in the chain, or its body.
    pub(crate) damage: Option<Damage>,
    /// What its body says, where the walk checks bodies and has looked at it already.
    pub(crate) body: Option<BodyCheck>,
}

/// What a step came upon.
#[derive(Debug)]
pub(crate) enum Step {
    /// A frame with a sound header.
    Entry(Box<Found>),
    /// Bytes that are no frame.
    Gap(Damage),
    /// The end.
    End,
}

/// A walk over a segment's frames.
#[derive(Debug)]
pub(crate) struct Scan {
    cursor: FrameCursor,
    file_name: String,
    chain: ChainState,
    /// The frame that the last step returned; the cursor still stands before it.
    current: Option<FrameLengths>,
    /// True behind bytes that are no frame: entries that lay there are missed, and once is enough.
    behind_gap: bool,
    /// Frames from the cursor on that are known to be whole, with their leaf hashes; the next one last.
    ready: Vec<Ready>,
    /// False for a walk that looks at one frame at a time: the slow twin in tests.
    in_batches: bool,
    /// The ledger whose bodies it checks on the way, if any.
    checking: Option<LedgerId>,
    /// Over what stays of an archived segment, where frames have become records.
    archived: Option<Archived>,
}

/// A frame that was read ahead.
#[derive(Debug)]
struct Ready {
    lengths: FrameLengths,
    header: EntryHeader,
    leaf: LeafHash,
    body: Option<BodyCheck>,
}

/// Where a walk over an archived segment is.
#[derive(Debug)]
struct Archived {
    stub: Arc<Stub>,
    ordinal: u32,
    /// Where the frame lay in the segment file.
    frame_at: u64,
    current: Option<Record>,
}

impl Scan {
    /// A walk over `file` from `offset` to `end`, expecting `chain`.
    pub(crate) fn new(
        file: Arc<dyn DiskFile>,
        segment: Seq,
        offset: u64,
        end: u64,
        chain: ChainState,
    ) -> io::Result<Self> {
        let file_name = format!("log/{}", segment_name(segment));
        Ok(Scan {
            cursor: FrameCursor::new(file, offset, end)?,
            file_name,
            chain,
            current: None,
            behind_gap: false,
            ready: Vec::new(),
            in_batches: true,
            checking: None,
            archived: None,
        })
    }

    /// A walk over what stays of an archived segment. Offsets of what it finds are those in the
    /// segment file; those of damage are in the file that is there.
    pub(crate) fn of_stub(stub: Arc<Stub>, segment: Seq, chain: ChainState) -> io::Result<Self> {
        let frame_at = SEGMENT_HEADER_BYTES as u64;
        Ok(Scan {
            cursor: stub.records()?,
            file_name: format!("log/{}", stub_name(segment)),
            chain,
            current: None,
            behind_gap: false,
            ready: Vec::new(),
            in_batches: false,
            checking: None,
            archived: Some(Archived { stub, ordinal: 0, frame_at, current: None }),
        })
    }

    /// Checks the bodies of entries that it reads ahead, as those of this ledger.
    pub(crate) fn checking_bodies(self, ledger_id: LedgerId) -> Self {
        Scan { checking: Some(ledger_id), ..self }
    }

    /// The chain after what was walked over so far.
    pub(crate) fn chain(&self) -> ChainState {
        self.chain
    }

    /// The offset behind what was walked over so far.
    pub(crate) fn position(&self) -> u64 {
        let at = self.archived.as_ref().map_or(self.cursor.position(), |archived| archived.frame_at);
        at + self.current.map_or(0, |lengths| lengths.frame_bytes() as u64)
    }

    /// The header's bytes and the body of the frame that the last step returned; no body where it is
    /// archived.
    pub(crate) fn current_bytes(&mut self) -> io::Result<(&[u8], Option<&[u8]>)> {
        if let Some(archived) = &self.archived {
            let current = archived.current.as_ref();
            return Ok(current.map_or((&[][..], None), |record| (&record.header_bytes[..], record.body())));
        }
        let Some(lengths) = self.current else { return Ok((&[], Some(&[]))) };
        let bytes = self.cursor.bytes(lengths.frame_bytes())?;
        let body_at = LENGTHS_BYTES + lengths.header_bytes + CRC_BYTES;
        let header = bytes.get(LENGTHS_BYTES..LENGTHS_BYTES + lengths.header_bytes).unwrap_or_default();
        Ok((header, Some(bytes.get(body_at..body_at + lengths.body_bytes).unwrap_or_default())))
    }

    /// The bytes of the whole frame that the last step returned.
    pub(crate) fn current_frame(&mut self) -> io::Result<&[u8]> {
        let length = self.current.map_or(0, |lengths| lengths.frame_bytes());
        Ok(self.cursor.bytes(length)?.get(..length).unwrap_or_default())
    }

    /// Goes on to the next frame or damage.
    pub(crate) fn step(&mut self) -> io::Result<Step> {
        if self.archived.is_some() {
            return self.step_over_record();
        }
        if let Some(lengths) = self.current.take() {
            self.cursor.advance(lengths.frame_bytes());
        }
        if self.cursor.is_at_end() {
            return Ok(Step::End);
        }
        let offset = self.cursor.position();
        if self.ready.is_empty() && self.in_batches {
            self.read_ahead()?;
        }
        if let Some(Ready { lengths, header, leaf, body }) = self.ready.pop() {
            let mut step = self.found(offset, offset, lengths, header, leaf, None);
            if let Step::Entry(found) = &mut step {
                found.body = body;
            }
            return Ok(step);
        }
        let fault = match self.cursor.frame()? {
            Ok(frame) => {
                let lengths =
                    FrameLengths { header_bytes: frame.header_bytes.len(), body_bytes: frame.body.len() };
                let leaf = frame.leaf_hash();
                let header = frame.header;
                return Ok(self.found(offset, offset, lengths, header, leaf, None));
            }
            Err(fault) => fault,
        };
        // A sound header before a bad body still tells which entry it is, if the body is all there.
        if matches!(fault, FrameFault::BodyChecksum { .. })
            && let Ok((lengths, header, bytes)) = decode_head(self.cursor.bytes(HEAD_BYTES)?)
        {
            let leaf = LeafHash::of_header(bytes);
            return Ok(self.found(offset, offset, lengths, header, leaf, Some(&fault)));
        }
        self.skip_gap(offset, &fault)
    }

    /// Gets ready the whole frames that are in memory from the cursor on, up to the first that is none:
    /// their leaf hashes are made together. Places and links are judged when a step comes to them.
    fn read_ahead(&mut self) -> io::Result<()> {
        let window = self.cursor.bytes(LENGTHS_BYTES)?;
        let (mut rest, mut frames) = (window, Vec::with_capacity(FRAMES_AHEAD));
        while frames.len() < FRAMES_AHEAD
            && let Ok(frame) = decode_frame(rest)
        {
            rest = rest.get(frame.frame_bytes()..).unwrap_or_default();
            frames.push(frame);
        }
        let headers: Vec<&[u8]> = frames.iter().map(|frame| frame.header_bytes).collect();
        let leaves = LeafHash::of_headers(&headers);
        let checks = self.checking.map(|ledger_id| check_bodies(&frames, ledger_id)).unwrap_or_default();
        let checks = checks.into_iter().map(Some).chain(std::iter::repeat_with(|| None));
        let checks: Vec<Option<BodyCheck>> = checks.take(frames.len()).collect();
        let ready = frames.into_iter().zip(leaves).zip(checks).map(|((frame, leaf), body)| {
            let (header_bytes, body_bytes) = (frame.header_bytes.len(), frame.body.len());
            Ready { lengths: FrameLengths { header_bytes, body_bytes }, header: frame.header, leaf, body }
        });
        self.ready = ready.rev().collect();
        Ok(())
    }

    /// Goes on to the next record of an archived segment.
    fn step_over_record(&mut self) -> io::Result<Step> {
        let Some(archived) = &mut self.archived else { return Ok(Step::End) };
        if let Some(record) = archived.current.take() {
            self.cursor.advance(record.size_bytes);
            archived.frame_at += record.lengths.frame_bytes() as u64;
            archived.ordinal += 1;
        }
        self.current = None;
        if self.cursor.is_at_end() {
            return Ok(Step::End);
        }
        let offset = self.cursor.position();
        let record = match Record::read(&mut self.cursor)? {
            Ok(record) => record,
            Err(fault) => return self.skip_record(offset, &fault),
        };
        let (frame_at, lengths, header) = (archived.frame_at, record.lengths, record.header.clone());
        let leaf = LeafHash::of_header(&record.header_bytes);
        let fault = record.kept.as_ref().err().cloned();
        archived.current = Some(record);
        Ok(self.found(frame_at, offset, lengths, header, leaf, fault.as_ref()))
    }

    /// Steps over a record that cannot be read: where the next one lies stands at the end of the file.
    fn skip_record(&mut self, offset: u64, fault: &FrameFault) -> io::Result<Step> {
        let end = self.cursor.end();
        let mut next = end;
        if let Some(archived) = &mut self.archived {
            archived.ordinal += 1;
            if let Some((frame_at, record_at)) = archived.stub.place(archived.ordinal)?
                && record_at > offset
                && record_at < end
            {
                archived.frame_at = frame_at;
                next = record_at;
            }
        }
        self.cursor.seek(next);
        self.behind_gap = true;
        let message = format!("{fault}; the header of an archived entry cannot be read");
        Ok(Step::Gap(self.damage(fault.code(), offset, Some(self.chain.next), message)))
    }

    /// An entry whose frame lies, or lay, at `frame_at`; `offset` is where its header is.
    fn found(
        &mut self,
        frame_at: u64,
        offset: u64,
        lengths: FrameLengths,
        header: EntryHeader,
        leaf: LeafHash,
        fault: Option<&FrameFault>,
    ) -> Step {
        let damage = self.chain_damage(offset, &header).or_else(|| {
            let fault = fault?;
            Some(self.damage(fault.code(), offset, Some(header.seq), fault.to_string()))
        });
        self.chain = ChainState {
            next: header.seq.next(),
            head: Some(leaf),
            recorded_at_ms: header.recorded_at_ms.max(self.chain.recorded_at_ms),
        };
        self.current = Some(lengths);
        self.behind_gap = false;
        Step::Entry(Box::new(Found {
            offset: frame_at,
            frame_bytes: lengths.frame_bytes(),
            header,
            leaf,
            damage,
            body: None,
        }))
    }

    fn damage(&self, code: &'static str, offset: u64, seq: Option<Seq>, message: String) -> Damage {
        Damage { code, file: self.file_name.clone(), offset: Some(offset), seq, message }
    }

    fn chain_damage(&self, offset: u64, header: &EntryHeader) -> Option<Damage> {
        let ChainState { next, head, recorded_at_ms } = self.chain;
        if self.behind_gap && header.seq > next {
            return None;
        }
        let (code, message) = if header.seq != next {
            ("log.sequence", format!("entry {next} is expected here and entry {} found", header.seq))
        } else if header.previous_leaf != head {
            let show = |leaf: Option<LeafHash>| leaf.map_or("none".to_owned(), |leaf| leaf.to_string());
            let (expected, found) = (show(head), show(header.previous_leaf));
            ("log.link", format!("the link to the entry before is {found}; its leaf hash is {expected}"))
        } else if header.recorded_at_ms < recorded_at_ms {
            let found = header.recorded_at_ms;
            ("log.clock", format!("recorded at {found} ms, before the entry before it ({recorded_at_ms} ms)"))
        } else {
            return None;
        };
        Some(self.damage(code, offset, Some(header.seq), message))
    }

    /// Steps over bytes that are no frame, up to the next sound header or the end.
    fn skip_gap(&mut self, offset: u64, fault: &FrameFault) -> io::Result<Step> {
        let seq = self.chain.next;
        let code = fault.code();
        let stop = matches!(fault, FrameFault::Header(HeaderError::NewerFormat(_)));
        let next = if stop { self.cursor.end() } else { self.next_header(offset + 1)? };
        self.cursor.seek(next);
        self.behind_gap = true;
        let message =
            format!("{fault}; {} bytes up to byte {next} belong to no readable entry", next - offset);
        Ok(Step::Gap(self.damage(code, offset, Some(seq), message)))
    }

    /// The first place from `from` on where a header of a later entry stands, or the end.
    fn next_header(&mut self, from: u64) -> io::Result<u64> {
        let least = self.chain.next;
        self.cursor.seek(from);
        while !self.cursor.is_at_end() {
            let here = self.cursor.position();
            let window = self.cursor.bytes(HEAD_BYTES)?;
            let candidate = window.windows(2).skip(LENGTHS_BYTES).position(is_header_front);
            let Some(step) = candidate else {
                // Keep the last bytes: a header's front may straddle the window's end.
                let kept = LENGTHS_BYTES + 1;
                let passed = window.len().saturating_sub(kept).max(1);
                self.cursor.seek(here + passed as u64);
                continue;
            };
            self.cursor.seek(here + step as u64);
            if let Ok((lengths, header, _)) = decode_head(self.cursor.bytes(HEAD_BYTES)?)
                && header.seq >= least
                && lengths.frame_bytes() as u64 <= self.cursor.end() - (here + step as u64)
            {
                return Ok(here + step as u64);
            }
            self.cursor.seek(here + step as u64 + 1);
        }
        Ok(self.cursor.end())
    }
}

#[cfg(test)]
mod tests;
