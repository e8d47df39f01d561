//! Reads a segment frame by frame and checks each against the chain: its place, its link, its
//! clock. Behind damage it looks for the next whole header, so that one bad byte costs one entry.
//!
//! No body can be taken for a header there: bodies are JSON text, which has no raw zero byte,
//! and a header begins with the bytes 8c 00.

use std::io;
use std::sync::Arc;

use crate::disk::DiskFile;
use crate::error::Damage;
use crate::frame::{FrameFault, FrameLengths, HEAD_BYTES, LENGTHS_BYTES, decode_head};
use crate::segment::{FrameCursor, segment_name};
use proofline_proof::header::{EntryHeader, HeaderError};
use proofline_proof::{LeafHash, Seq};

const CRC_BYTES: usize = 4;
const HEADER_FRONT: [u8; 2] = [0x8c, 0x00];

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
        })
    }

    /// The chain after what was walked over so far.
    pub(crate) fn chain(&self) -> ChainState {
        self.chain
    }

    /// The offset behind what was walked over so far.
    pub(crate) fn position(&self) -> u64 {
        self.cursor.position() + self.current.map_or(0, |lengths| lengths.frame_bytes() as u64)
    }

    /// The header's bytes and the body of the frame that the last step returned.
    pub(crate) fn current_bytes(&mut self) -> io::Result<(&[u8], &[u8])> {
        let Some(lengths) = self.current else { return Ok((&[], &[])) };
        let bytes = self.cursor.bytes(lengths.frame_bytes())?;
        let body_at = LENGTHS_BYTES + lengths.header_bytes + CRC_BYTES;
        let header = bytes.get(LENGTHS_BYTES..LENGTHS_BYTES + lengths.header_bytes).unwrap_or_default();
        Ok((header, bytes.get(body_at..body_at + lengths.body_bytes).unwrap_or_default()))
    }

    /// The bytes of the whole frame that the last step returned.
    pub(crate) fn current_frame(&mut self) -> io::Result<&[u8]> {
        let length = self.current.map_or(0, |lengths| lengths.frame_bytes());
        Ok(self.cursor.bytes(length)?.get(..length).unwrap_or_default())
    }

    /// Goes on to the next frame or damage.
    pub(crate) fn step(&mut self) -> io::Result<Step> {
        if let Some(lengths) = self.current.take() {
            self.cursor.advance(lengths.frame_bytes());
        }
        if self.cursor.is_at_end() {
            return Ok(Step::End);
        }
        let offset = self.cursor.position();
        let fault = match self.cursor.frame()? {
            Ok(frame) => {
                let lengths =
                    FrameLengths { header_bytes: frame.header_bytes.len(), body_bytes: frame.body.len() };
                let leaf = frame.leaf_hash();
                let header = frame.header;
                return Ok(self.found(offset, lengths, header, leaf, None));
            }
            Err(fault) => fault,
        };
        // A sound header before a bad body still tells which entry it is, if the body is all there.
        if matches!(fault, FrameFault::BodyChecksum { .. })
            && let Ok((lengths, header, bytes)) = decode_head(self.cursor.bytes(HEAD_BYTES)?)
        {
            let leaf = LeafHash::of_header(bytes);
            return Ok(self.found(offset, lengths, header, leaf, Some(&fault)));
        }
        self.skip_gap(offset, &fault)
    }

    fn found(
        &mut self,
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
        Step::Entry(Box::new(Found { offset, frame_bytes: lengths.frame_bytes(), header, leaf, damage }))
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
            let candidate = window.windows(2).skip(LENGTHS_BYTES).position(|pair| pair == HEADER_FRONT);
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
