//! What the catalogue counts, and the record of how far it has followed.

use std::collections::BTreeMap;

use proofline_trace::{Classification, ErrorKind, LedgerId, RecordType};

use super::store::Sum;
use crate::segments::Entry;
use proofline_canon::cbor::{self, CborFault, Decoder};
use proofline_proof::LeafHash;
use proofline_proof::header::{EntryKind, EntryStatus};

/// How much of everything there is in the entries followed so far. What is absent from a map
/// has not occurred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Entries by kind.
    pub kinds: BTreeMap<EntryKind, u64>,
    /// Accepted envelopes by record type.
    pub accepted: BTreeMap<RecordType, u64>,
    /// Rejected attempts by record type.
    pub rejected: BTreeMap<RecordType, u64>,
    /// Rejected attempts by classification.
    pub classifications: BTreeMap<Classification, u64>,
    /// Rejected attempts by error kind.
    pub error_kinds: BTreeMap<ErrorKind, u64>,
    /// Traces that have an entry.
    pub traces: u64,
    /// Bytes of entry headers.
    pub header_bytes: u64,
    /// Bytes of bodies.
    pub body_bytes: u64,
}

impl Counters {
    /// Counts one entry; `record_type` is that of the envelope in it, if it holds one.
    pub(super) fn count(&mut self, entry: &Entry, record_type: Option<RecordType>) {
        let status = &entry.header.status;
        *self.kinds.entry(status.kind()).or_default() += 1;
        let types = match status {
            EntryStatus::Rejected { classification, error_kind, .. } => {
                *self.classifications.entry(*classification).or_default() += 1;
                *self.error_kinds.entry(error_kind.clone()).or_default() += 1;
                &mut self.rejected
            }
            _ => &mut self.accepted,
        };
        if let Some(record_type) = record_type {
            *types.entry(record_type).or_default() += 1;
        }
        self.traces += u64::from(entry.header.trace.as_ref().is_some_and(|link| link.count == 1));
        self.header_bytes += entry.header_bytes.len() as u64;
        self.body_bytes += entry.body.len() as u64;
    }
}

/// How far a catalogue has followed, what it counted up to there, and the sum of its keys: one
/// record, so that a kill cannot tear them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) ledger_id: LedgerId,
    /// Entries followed: the seq of the next one.
    pub(super) entries: u64,
    /// Leaf hash of the last entry followed.
    pub(super) head: Option<LeafHash>,
    pub(super) counters: Counters,
    pub(super) sum: Sum,
}

/// The version of the catalogue's trees and of this record. Another one is thrown away.
const VERSION: u64 = 1;

const ITEMS: u64 = 14;

impl State {
    pub(super) fn new(ledger_id: LedgerId) -> Self {
        State { ledger_id, entries: 0, head: None, counters: Counters::default(), sum: Sum::default() }
    }

    /// Deterministic CBOR, as entry headers: an array of [`ITEMS`] in the order below, a map being
    /// an array of names and counts in turn.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(512);
        let counters = &self.counters;
        cbor::put_array(&mut out, ITEMS);
        cbor::put_uint(&mut out, VERSION);
        cbor::put_bytes(&mut out, self.ledger_id.as_bytes());
        cbor::put_uint(&mut out, self.entries);
        match &self.head {
            Some(head) => cbor::put_bytes(&mut out, head.as_bytes()),
            None => cbor::put_null(&mut out),
        }
        put_counts(&mut out, &counters.kinds, |kind| kind.as_str().to_owned());
        put_counts(&mut out, &counters.accepted, |record_type| record_type.as_str().to_owned());
        put_counts(&mut out, &counters.rejected, |record_type| record_type.as_str().to_owned());
        put_counts(&mut out, &counters.classifications, |class| class.as_str().to_owned());
        put_counts(&mut out, &counters.error_kinds, ToString::to_string);
        cbor::put_uint(&mut out, counters.traces);
        cbor::put_uint(&mut out, counters.header_bytes);
        cbor::put_uint(&mut out, counters.body_bytes);
        cbor::put_uint(&mut out, self.sum.keys);
        cbor::put_bytes(&mut out, &self.sum.xor);
        out
    }

    /// `None` for anything but what [`State::encode`] writes.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut decoder = Decoder::new(bytes);
        let state = Self::read(&mut decoder).ok()??;
        decoder.is_at_end().then_some(state)
    }

    fn read(decoder: &mut Decoder<'_>) -> Result<Option<Self>, CborFault> {
        if decoder.array("the state")? != ITEMS || decoder.uint("version")? != VERSION {
            return Ok(None);
        }
        let ledger_id = LedgerId::from_bytes(decoder.exact_bytes("ledger id")?);
        let entries = decoder.uint("entries")?;
        let head = decoder.nullable(|d| d.exact_bytes("head"))?.map(LeafHash::from_bytes);
        let kind = |text: &str| EntryKind::ALL.into_iter().find(|kind| kind.as_str() == text);
        let (Some(kinds), Some(accepted), Some(rejected), Some(classifications), Some(error_kinds)) = (
            read_counts(decoder, kind)?,
            read_counts(decoder, |text| text.parse().ok())?,
            read_counts(decoder, |text| text.parse().ok())?,
            read_counts(decoder, |text| text.parse().ok())?,
            read_counts(decoder, |text| text.parse().ok())?,
        ) else {
            return Ok(None);
        };
        let counters = Counters {
            kinds,
            accepted,
            rejected,
            classifications,
            error_kinds,
            traces: decoder.uint("traces")?,
            header_bytes: decoder.uint("header bytes")?,
            body_bytes: decoder.uint("body bytes")?,
        };
        let sum = Sum { keys: decoder.uint("keys")?, xor: decoder.exact_bytes("sum")? };
        Ok(Some(State { ledger_id, entries, head, counters, sum }))
    }
}

fn put_counts<K>(out: &mut Vec<u8>, counts: &BTreeMap<K, u64>, name: impl Fn(&K) -> String) {
    cbor::put_array(out, counts.len() as u64 * 2);
    for (key, count) in counts {
        cbor::put_text(out, &name(key));
        cbor::put_uint(out, *count);
    }
}

/// `None` for a name that is not known.
fn read_counts<K: Ord>(
    decoder: &mut Decoder<'_>,
    key: impl Fn(&str) -> Option<K>,
) -> Result<Option<BTreeMap<K, u64>>, CborFault> {
    let mut counts = BTreeMap::new();
    for _ in 0..decoder.array("counts")? / 2 {
        let known = key(decoder.text("name")?);
        let count = decoder.uint("count")?;
        let Some(known) = known else { return Ok(None) };
        counts.insert(known, count);
    }
    Ok(Some(counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let mut state = State::new(LedgerId::from_bytes([3; 16]));
        state.entries = 70_000;
        state.head = Some(LeafHash::from_bytes([9; 32]));
        state.counters.kinds = EntryKind::ALL.into_iter().map(|kind| (kind, 1 << kind.code())).collect();
        state.counters.accepted.insert(RecordType::ToolCall, u64::MAX);
        state.counters.rejected.insert(RecordType::AuthContext, 1);
        state.counters.classifications.insert(Classification::HashMismatch, 2);
        state.counters.error_kinds.insert("hash_mismatch.envelope_hash".parse().unwrap(), 2);
        state.counters.traces = 5;
        state.sum = Sum { keys: 12, xor: [4; 32] };
        state
    }

    #[test]
    fn a_state_reads_back_whole_and_in_no_other_length() {
        let bytes = state().encode();
        assert_eq!(State::decode(&bytes), Some(state()));
        for length in 0..bytes.len() {
            assert_eq!(State::decode(&bytes[..length]), None, "{length}");
        }
        assert_eq!(State::decode(&[bytes, vec![0]].concat()), None);
        let fresh = State::new(LedgerId::from_bytes([0; 16]));
        assert_eq!(State::decode(&fresh.encode()), Some(fresh));
    }

    #[test]
    fn another_version_is_not_read() {
        let mut bytes = state().encode();
        assert_eq!(bytes[1], 1);
        bytes[1] = 2;
        assert_eq!(State::decode(&bytes), None);
    }
}
