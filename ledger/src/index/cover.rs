//! One filter over all sealed segments of a log, in memory alone: a hash or a trace that is new to the log is told
//! by one look, and not by one in the filter of each segment.

use std::io;

use proofline_trace::{EnvelopeHash, TraceId};

use super::filter::Filter;
use super::layout::filter_key;
use super::{SegmentIndex, prefix_of};

/// The fewest keys that a part has room for.
const FEWEST_KEYS: u64 = 1 << 12;
/// Room is made for so many thirds of the keys: 16 bits a key, so that many parts together are seldom wrong.
const ROOM_THIRDS: u64 = 4;

/// A filter that grows: behind a part that is full comes one for as many keys as are in all before, and no part is made
/// again.
#[derive(Debug, Default)]
struct Growing {
    parts: Vec<Filter>,
    keys: u64,
    /// Keys that the last part still has room for.
    room: u64,
}

impl Growing {
    fn insert(&mut self, key: u64, expected: u64) {
        if self.room == 0 {
            self.room = self.keys.max(expected).max(FEWEST_KEYS);
            self.parts.push(Filter::with_room(self.room.saturating_mul(ROOM_THIRDS) / 3));
        }
        if let Some(part) = self.parts.last_mut() {
            part.insert(key);
        }
        self.room -= 1;
        self.keys += 1;
    }

    fn may_hold(&self, key: u64) -> bool {
        self.parts.iter().any(|part| part.may_hold(key))
    }
}

/// What the first segments of a log may hold.
#[derive(Debug, Default)]
pub(crate) struct Cover {
    /// So many segments: all that was listed in each is in here.
    segments: usize,
    hashes: Growing,
    traces: Growing,
}

impl Cover {
    /// How many segments it covers, from the first.
    pub(crate) const fn segments(&self) -> usize {
        self.segments
    }

    /// Takes in the next segment. After an error it may not be used any more: a part of the segment may be missing.
    pub(crate) fn add(&mut self, index: &SegmentIndex, expected: u64) -> io::Result<()> {
        let mut listed = 0;
        let is_in_order = index.visit_hashes(&mut |prefix, _, _| {
            self.hashes.insert(u64::from_be_bytes(prefix), expected);
            listed += 1;
        })?;
        // What an index lists now may be another thing than what it listed when it was opened and found sound.
        if !is_in_order || listed != index.count() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        for trace in index.traces_after(None, usize::MAX)? {
            self.traces.insert(filter_key(trace.as_bytes()), 0);
        }
        self.segments += 1;
        Ok(())
    }

    /// False only where none of the segments lists this hash.
    pub(crate) fn may_hold(&self, hash: &EnvelopeHash) -> bool {
        self.hashes.may_hold(u64::from_be_bytes(prefix_of(hash)))
    }

    /// False only where none of the segments lists this trace.
    pub(crate) fn may_hold_trace(&self, trace: TraceId) -> bool {
        self.traces.may_hold(filter_key(trace.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mix(number: u64) -> u64 {
        let mut mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    #[test]
    fn every_key_is_held_few_others_are_and_memory_is_bounded() {
        for expected in [0, 1, 50_000] {
            let mut growing = Growing::default();
            for key in 0..200_000 {
                growing.insert(mix(key), expected);
                assert!(growing.may_hold(mix(key)), "{key}");
            }
            assert!((0..200_000).all(|key| growing.may_hold(mix(key))));
            let others = (200_000..300_000).filter(|key| growing.may_hold(mix(*key))).count();
            assert!(others < 1000, "{others} of 100,000 others pass");
            let mut bytes = Vec::new();
            growing.parts.iter().for_each(|part| part.encode(&mut bytes));
            assert!(bytes.len() < 5 * 200_000, "{} bytes", bytes.len());
            assert!(growing.parts.len() < 9);
        }
    }
}
