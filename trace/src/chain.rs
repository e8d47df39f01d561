//! The order of a trace's records (section 5): rank, time, hash; hashes compare as bytes,
//! never as a locale would.

use crate::ids::EnvelopeHash;
use crate::record::RecordType;
use crate::seal::SealedEnvelope;
use crate::words::Millis;

/// What a chain sorts by. Rejected attempts come after an accepted record of the same key, in ledger order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainKey {
    rank: u8,
    time_ms: Millis,
    hash: EnvelopeHash,
    // None sorts before Some: the accepted record before the attempts.
    rejected_at_seq: Option<u64>,
}

impl ChainKey {
    /// The key of an accepted record with these properties.
    #[must_use]
    pub const fn new(record_type: RecordType, time_ms: Millis, hash: EnvelopeHash) -> Self {
        Self { rank: record_type.rank(), time_ms, hash, rejected_at_seq: None }
    }

    /// The key of an accepted record.
    #[must_use]
    pub const fn of(sealed: &SealedEnvelope) -> Self {
        let envelope = sealed.envelope();
        Self::new(envelope.record_type(), envelope.time_ms(), sealed.hash())
    }

    /// The same key for a rejected attempt, at its sequence number in the ledger.
    #[must_use]
    pub const fn rejected_at(self, seq: u64) -> Self {
        Self { rejected_at_seq: Some(seq), ..self }
    }
}

/// Sorts records into chain order, by the key that `key` takes from each.
pub fn sort_chain<T>(records: &mut [T], key: impl FnMut(&T) -> ChainKey) {
    records.sort_by_cached_key(key);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(record_type: RecordType, time_ms: u32, hash: u8) -> ChainKey {
        ChainKey::new(record_type, Millis::from(time_ms), EnvelopeHash::from_bytes([hash; 32]))
    }

    #[test]
    fn rank_comes_before_time_and_time_before_hash() {
        let context = key(RecordType::AuthContext, 9, 0xff);
        let decision = key(RecordType::PolicyDecision, 5, 0x80);
        let early_call = key(RecordType::ToolCall, 1, 0x7f);
        let late_low = key(RecordType::ModelCall, 2, 0x09);
        let late_high = key(RecordType::ToolCall, 2, 0xa0);
        let mut chain = [late_high, early_call, decision, late_low, context];
        sort_chain(&mut chain, |key| *key);
        assert_eq!(chain, [context, decision, early_call, late_low, late_high]);
    }

    #[test]
    fn attempts_follow_the_accepted_record_of_their_key_in_ledger_order() {
        let accepted = key(RecordType::ToolCall, 3, 1);
        let next = key(RecordType::ToolCall, 3, 2);
        let mut chain = [next, accepted.rejected_at(12), accepted.rejected_at(4), accepted];
        sort_chain(&mut chain, |key| *key);
        assert_eq!(chain, [accepted, accepted.rejected_at(4), accepted.rejected_at(12), next]);
    }
}
