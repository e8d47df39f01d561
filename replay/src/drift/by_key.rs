//! What the pairs of each key came to: which work is done otherwise each time.

use std::collections::BTreeMap;

use proofline_canon::{Sha256Digest, Value};
use proofline_trace::TraceId;

use super::divergence::Cause;
use super::keys::Keyed;
use super::{DriftVerdict, PairDrift, counts};

/// Keys beyond this are counted and not told one by one.
const KEYS_KEPT: usize = 10_000;

/// What the pairs of one key came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDrift {
    /// The key, or the first two hundred characters of a longer one.
    pub key: String,
    /// SHA-256 of the whole key.
    pub key_sha256: Sha256Digest,
    /// Traces that have it.
    pub runs: u64,
    /// Pairs of them.
    pub pairs: u64,
    /// Pairs in which nothing differs that counts.
    pub same: u64,
    /// Pairs that differ as the variance policy allows.
    pub within: u64,
    /// Pairs that part.
    pub parts: u64,
    /// Pairs that could not be compared.
    pub not_compared: u64,
    /// Places at which its pairs part, all together.
    pub places: u64,
    /// Pairs by the cause of their first divergence.
    pub first_causes: BTreeMap<Cause, u64>,
}

impl KeyDrift {
    fn to_value(&self) -> Value {
        Value::object([
            ("key", Value::from(self.key.as_str())),
            ("key_sha256", Value::from(self.key_sha256.to_string())),
            ("runs", Value::from(self.runs)),
            ("pairs", Value::from(self.pairs)),
            ("same", Value::from(self.same)),
            ("within", Value::from(self.within)),
            ("parts", Value::from(self.parts)),
            ("not_compared", Value::from(self.not_compared)),
            ("places", Value::from(self.places)),
            ("first_causes", counts(&self.first_causes, |cause| cause.as_str())),
        ])
    }
}

/// The keys of a run, each with what its pairs came to.
#[derive(Debug, Clone, Default)]
pub struct DriftByKey {
    rows: Vec<KeyDrift>,
    of_run: BTreeMap<TraceId, usize>,
    left_out: u64,
}

impl DriftByKey {
    /// Nothing counted yet. Of more than ten thousand keys the first are told, by name.
    #[must_use]
    pub fn new(keyed: &Keyed) -> Self {
        let mut keys: Vec<_> = keyed.keys.iter().collect();
        keys.sort_by(|one, other| (&one.key, one.key_sha256).cmp(&(&other.key, other.key_sha256)));
        let left_out = keys.len().saturating_sub(KEYS_KEPT) as u64;
        keys.truncate(KEYS_KEPT);
        let runs = keys.iter().enumerate().flat_map(|(at, key)| key.runs.iter().map(move |run| (*run, at)));
        let of_run = runs.collect();
        let rows = keys.iter().map(|key| KeyDrift {
            key: key.key.clone(),
            key_sha256: key.key_sha256,
            runs: key.runs.len() as u64,
            pairs: 0,
            same: 0,
            within: 0,
            parts: 0,
            not_compared: 0,
            places: 0,
            first_causes: BTreeMap::new(),
        });
        Self { rows: rows.collect(), of_run, left_out }
    }

    /// Counts a pair, whose runs have one key.
    pub fn add(&mut self, drift: &PairDrift) {
        let row = self.of_run.get(&drift.pair.baseline).and_then(|at| self.rows.get_mut(*at));
        let Some(row) = row else { return };
        row.pairs += 1;
        *match drift.verdict {
            DriftVerdict::Same => &mut row.same,
            DriftVerdict::Within => &mut row.within,
            DriftVerdict::Parts => &mut row.parts,
            DriftVerdict::NotCompared => &mut row.not_compared,
        } += 1;
        row.places += drift.causes.values().sum::<u64>();
        if let Some(first) = &drift.first {
            *row.first_causes.entry(first.cause).or_default() += 1;
        }
    }

    /// The keys by name.
    #[must_use]
    pub fn rows(&self) -> &[KeyDrift] {
        &self.rows
    }

    /// Keys beyond the first ten thousand.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// The rows as JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        Value::array(self.rows.iter().map(KeyDrift::to_value))
    }
}
