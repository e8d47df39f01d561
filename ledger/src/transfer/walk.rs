//! Reads a stretch of a log in order, each entry as the frame that it lies in, and stops at the first
//! one that is not what it has to be: what is damaged is not passed on.

use std::ops::Range;
use std::sync::Arc;

use proofline_proof::Seq;
use proofline_trace::EnvelopeHash;

use crate::error::{Damage, IoContext, LedgerError};
use crate::scan::{ChainState, Found, Scan, Step};
use crate::segment::SEGMENT_HEADER_BYTES;
use crate::segments::{Segment, read_error};
use crate::snapshot::Snapshot;

use super::error::TransferError;

/// An entry on the way.
pub(super) struct Walked<'a> {
    pub(super) found: &'a Found,
    pub(super) frame: &'a [u8],
    pub(super) body: &'a [u8],
    /// Whether its segment begins with it.
    pub(super) begins_segment: bool,
}

/// Visits the entries of a range that lies within the snapshot.
pub(super) fn walk(
    snapshot: &Snapshot,
    range: Range<u64>,
    visit: &mut dyn FnMut(Walked<'_>) -> Result<(), TransferError>,
) -> Result<(), TransferError> {
    let mut chain = chain_before(snapshot, range.start)?;
    for segment in &snapshot.segments().list {
        let first = segment.header.first_seq.get();
        let end = first.saturating_add(segment.entries).min(range.end);
        if chain.next.get() < end && chain.next.get() >= first {
            chain = walk_segment(snapshot, segment, chain, end, visit)?;
        }
    }
    Ok(())
}

/// The chain in front of an entry.
fn chain_before(snapshot: &Snapshot, seq: u64) -> Result<ChainState, TransferError> {
    let Some(before) = seq.checked_sub(1) else { return Ok(ChainState::EMPTY) };
    let failed = |fault| TransferError::of_fault(snapshot.dir(), fault);
    let entry = snapshot.entry(Seq::new(before)).map_err(failed)?;
    let (head, recorded_at_ms) = match entry {
        Some(entry) => (Some(entry.leaf_hash()), entry.header.recorded_at_ms),
        None => (None, 0),
    };
    Ok(ChainState { next: Seq::new(seq), head, recorded_at_ms })
}

fn walk_segment(
    snapshot: &Snapshot,
    segment: &Segment,
    chain: ChainState,
    end: u64,
    visit: &mut dyn FnMut(Walked<'_>) -> Result<(), TransferError>,
) -> Result<ChainState, TransferError> {
    let path = snapshot.dir().join(segment.file_name());
    let first_seq = segment.header.first_seq;
    let before = chain.next.get().checked_sub(1).filter(|_| chain.next != first_seq).map(Seq::new);
    let end_before = match before {
        Some(before) => snapshot.segments().end_of(before).during("read", &path)?,
        None => None,
    };
    let offset = end_before.map_or(SEGMENT_HEADER_BYTES as u64, |(_, end)| end);
    let file = Arc::clone(&segment.file);
    let mut scan = Scan::new(file, first_seq, offset, u64::MAX, chain).during("read", &path)?;
    while scan.chain().next.get() < end {
        let next = scan.chain().next;
        let found = match scan.step().during("read", &path)? {
            Step::Entry(found) => found,
            Step::Gap(damage) => return Err(LedgerError::Damaged(damage).into()),
            Step::End => return Err(LedgerError::Damaged(cut(segment, next)).into()),
        };
        if let Some(damage) = &found.damage {
            return Err(LedgerError::Damaged(damage.clone()).into());
        }
        let frame = scan.current_frame().during("read", &path)?.to_vec();
        let (_, body) = scan.current_bytes().during("read", &path)?;
        let Some(body) = body else {
            let fault = segment.archived_fault(found.header.seq);
            let archived = fault.map(|fault| read_error(snapshot.dir(), fault));
            return Err(archived.unwrap_or_else(|| LedgerError::Damaged(cut(segment, next))).into());
        };
        if EnvelopeHash::of(body) != found.header.envelope_hash {
            return Err(LedgerError::Damaged(other_body(segment, &found)).into());
        }
        let begins_segment = found.header.seq == first_seq;
        visit(Walked { found: &found, frame: &frame, body, begins_segment })?;
    }
    Ok(scan.chain())
}

fn cut(segment: &Segment, next: Seq) -> Damage {
    let message = format!("the segment ends before entry {next}");
    Damage { code: "log.truncated", file: segment.file_name(), offset: None, seq: Some(next), message }
}

fn other_body(segment: &Segment, found: &Found) -> Damage {
    let message = "the body does not have the hash that its header says".to_owned();
    let (file, offset, seq) = (segment.file_name(), Some(found.offset), Some(found.header.seq));
    Damage { code: "body.hash", file, offset, seq, message }
}
