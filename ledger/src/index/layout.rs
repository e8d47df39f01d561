//! Where what lies in an index file, by its head; `mod.rs` has the drawing.

use std::ops::Range;

use proofline_proof::{LeafHash, Seq};
use proofline_trace::{LedgerId, TraceId};

use super::filter::{BLOCK_BYTES, blocks_for};
use super::tree::TreeShape;
use super::{
    DIGEST_BYTES, HASH_ENTRY_BYTES, HEAD_BYTES, HashPrefix, INDEX_VERSION, MAGIC, ORDINAL_BYTES, STEP,
    TRACE_ENTRY_BYTES,
};

/// What a sealed index says of its segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SealedHead {
    pub(crate) ledger_id: LedgerId,
    pub(crate) first_seq: Seq,
    pub(crate) count: u32,
    /// Entries that have a trace.
    pub(super) traced: u32,
    /// Traces.
    pub(super) traces: u32,
    pub(super) system: u32,
    pub(crate) segment_bytes: u64,
    pub(crate) head: LeafHash,
}

impl SealedHead {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(MAGIC);
        for field in [INDEX_VERSION, self.count, self.traced, self.system] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(self.ledger_id.as_bytes());
        out.extend_from_slice(&self.first_seq.get().to_le_bytes());
        out.extend_from_slice(&self.segment_bytes.to_le_bytes());
        out.extend_from_slice(self.head.as_bytes());
        out.extend_from_slice(&self.traces.to_le_bytes());
        out.extend_from_slice(&[0; 4]);
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let fields = bytes.first_chunk::<HEAD_BYTES>()?;
        let part = |from: usize, to: usize| fields.get(from..to).unwrap_or_default();
        let u32_at = |at: usize| u32::from_le_bytes(part(at, at + 4).try_into().unwrap_or_default());
        let u64_at = |at: usize| u64::from_le_bytes(part(at, at + 8).try_into().unwrap_or_default());
        let known = part(0, 8) == MAGIC && u32_at(8) == INDEX_VERSION;
        known.then(|| SealedHead {
            ledger_id: LedgerId::from_bytes(part(24, 40).try_into().unwrap_or_default()),
            first_seq: Seq::new(u64_at(40)),
            count: u32_at(12),
            traced: u32_at(16),
            traces: u32_at(88),
            system: u32_at(20),
            segment_bytes: u64_at(48),
            head: LeafHash::from_bytes(part(56, 88).try_into().unwrap_or_default()),
        })
    }

    /// The filter of the hashes, that of the traces, and the signposts of both: what is kept in memory.
    pub(super) fn resident(&self) -> Resident {
        let (count, traces) = (u64::from(self.count), u64::from(self.traces));
        let lengths = [
            blocks_for(count) * BLOCK_BYTES,
            blocks_for(traces) * BLOCK_BYTES,
            count.div_ceil(STEP) * size_of::<HashPrefix>() as u64,
            traces.div_ceil(STEP) * size_of::<TraceId>() as u64,
        ];
        let mut at = HEAD_BYTES as u64;
        let [hash_filter, trace_filter, hash_posts, trace_posts] = lengths.map(|length| {
            let start = at;
            at += length;
            start..at
        });
        Resident { hash_filter, trace_filter, hash_posts, trace_posts }
    }

    pub(super) fn offsets_at(&self) -> u64 {
        self.resident().trace_posts.end
    }

    pub(super) fn hashes_at(&self) -> u64 {
        self.offsets_at() + ORDINAL_BYTES * u64::from(self.count)
    }

    pub(super) fn traces_at(&self) -> u64 {
        self.hashes_at() + HASH_ENTRY_BYTES as u64 * u64::from(self.count)
    }

    pub(super) fn ordinals_at(&self) -> u64 {
        self.traces_at() + TRACE_ENTRY_BYTES as u64 * u64::from(self.traces)
    }

    pub(super) fn system_at(&self) -> u64 {
        self.ordinals_at() + ORDINAL_BYTES * u64::from(self.traced)
    }

    pub(super) fn digest_at(&self) -> u64 {
        self.system_at() + ORDINAL_BYTES * u64::from(self.system)
    }

    /// Where the segment's part of the tree begins.
    pub(super) fn tree_at(&self) -> u64 {
        self.digest_at() + DIGEST_BYTES
    }

    pub(super) fn tree_shape(&self) -> TreeShape {
        TreeShape { first: self.first_seq.get(), count: u64::from(self.count) }
    }

    pub(crate) fn file_bytes(&self) -> u64 {
        self.tree_at() + self.tree_shape().bytes()
    }
}

/// Where the parts lie that are kept in memory, side by side behind the head.
pub(super) struct Resident {
    pub(super) hash_filter: Range<u64>,
    pub(super) trace_filter: Range<u64>,
    pub(super) hash_posts: Range<u64>,
    pub(super) trace_posts: Range<u64>,
}

/// What the filter of traces is made of: trace ids come from outside, and need not be spread.
pub(super) fn filter_key(trace: &[u8; 16]) -> u64 {
    let number = u128::from_be_bytes(*trace);
    let half = |number: u128| u64::try_from(number & u128::from(u64::MAX)).unwrap_or_default();
    let (high, low) = (half(number >> 64), half(number));
    let mut key = high.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ low;
    key = (key ^ (key >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    key = (key ^ (key >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    key ^ (key >> 31)
}

/// Bits of a hash entry's place that hold the ordinal; those above hold the kind.
const ORDINAL_BITS: u32 = 26;
const ORDINAL_MASK: u32 = (1 << ORDINAL_BITS) - 1;

/// What stands under an envelope hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hit {
    pub(crate) ordinal: u32,
    /// [`EntryKind::code`](proofline_proof::header::EntryKind::code) of the entry.
    pub(crate) kind: u8,
    /// Where its frame begins.
    pub(crate) offset: u32,
}

impl Hit {
    /// `None` for an ordinal or a kind that does not fit; no segment has such an entry.
    pub(super) fn encode(self, prefix: HashPrefix) -> Option<[u8; HASH_ENTRY_BYTES]> {
        let fits = self.ordinal <= ORDINAL_MASK && u32::from(self.kind) < 1 << (32 - ORDINAL_BITS);
        let place = self.ordinal | u32::from(self.kind) << ORDINAL_BITS;
        let [a, b, c, d, e, f, g, h] = prefix;
        let ([p0, p1, p2, p3], [o0, o1, o2, o3]) = (place.to_le_bytes(), self.offset.to_le_bytes());
        fits.then_some([a, b, c, d, e, f, g, h, p0, p1, p2, p3, o0, o1, o2, o3])
    }

    pub(super) fn decode(bytes: [u8; HASH_ENTRY_BYTES]) -> (HashPrefix, Self) {
        let [a, b, c, d, e, f, g, h, p0, p1, p2, p3, o0, o1, o2, o3] = bytes;
        let place = u32::from_le_bytes([p0, p1, p2, p3]);
        let [kind, ..] = (place >> ORDINAL_BITS).to_le_bytes();
        let offset = u32::from_le_bytes([o0, o1, o2, o3]);
        ([a, b, c, d, e, f, g, h], Hit { ordinal: place & ORDINAL_MASK, kind, offset })
    }
}

/// A trace in the directory: its id, and which of the ordinals is the first of its own.
pub(super) fn trace_entry_of(bytes: &[u8; TRACE_ENTRY_BYTES]) -> ([u8; 16], u32) {
    let trace = bytes.first_chunk().copied().unwrap_or_default();
    let start = bytes.last_chunk().copied().unwrap_or_default();
    (trace, u32::from_le_bytes(start))
}
