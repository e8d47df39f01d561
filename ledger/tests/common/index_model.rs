//! What an index entry must say, by the plainest reading of `docs/bundle.md`, over entries that the
//! second reader read.

use std::collections::BTreeMap;

use proofline_canon::{Sha256Digest, hex};

use super::raw::{RawEntry, SYSTEM};

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    *Sha256Digest::of(&parts.concat()).as_bytes()
}

/// RFC 6962 §2.1.
fn mth(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [] => sha256(&[]),
        [leaf] => *leaf,
        _ => {
            let mut k = 1;
            while k * 2 < leaves.len() {
                k *= 2;
            }
            sha256(&[&[1], &mth(&leaves[..k]), &mth(&leaves[k..])])
        }
    }
}

fn says(entry: &RawEntry, what: &str) -> bool {
    entry.kind == SYSTEM && String::from_utf8_lossy(&entry.body).contains(what)
}

pub(crate) fn is_index(entry: &RawEntry) -> bool {
    says(entry, "\"system_type\":\"trace_index\"")
}

/// The member `from` of an index entry.
pub(crate) fn from_of(entry: &RawEntry) -> usize {
    let text = String::from_utf8(entry.body.clone()).unwrap();
    text.strip_prefix("{\"from\":").unwrap().split(',').next().unwrap().parse().unwrap()
}

/// Trace, count, leaf hash of the last entry.
pub(crate) type Leaf = ([u8; 16], u64, [u8; 32]);

/// The leaves of the tree of traces over these entries.
pub(crate) fn leaves(entries: &[RawEntry]) -> Vec<Leaf> {
    leaves_of(entries.iter().map(|entry| match entry.trace {
        Some((trace, _, count)) => (Some(trace), count, entry.leaf),
        None => (None, 0, entry.leaf),
    }))
}

pub(crate) fn leaves_of(entries: impl Iterator<Item = (Option<[u8; 16]>, u64, [u8; 32])>) -> Vec<Leaf> {
    let mut last = BTreeMap::new();
    for (trace, count, leaf) in entries {
        trace.map(|trace| last.insert(trace, (count, leaf)));
    }
    last.into_iter().map(|(trace, (count, leaf))| (trace, count, leaf)).collect()
}

/// The root of the tree over these leaves.
pub(crate) fn root(leaves: &[Leaf]) -> [u8; 32] {
    let hash = |(trace, count, leaf): &Leaf| sha256(&[&[0], trace, &count.to_be_bytes(), leaf]);
    mth(&leaves.iter().map(hash).collect::<Vec<_>>())
}

/// Where the range of an index entry at `at` begins.
pub(crate) fn expected_from(entries: &[RawEntry], at: usize) -> usize {
    let Some(last) = entries[..at].iter().rposition(is_index) else { return 0 };
    let (mut from, mut range) = (last, last);
    while range != 0 {
        let before = from_of(&entries[range]);
        if range - before > 2 * (at - from) {
            break;
        }
        (from, range) = (before, before);
    }
    from
}

/// The body of an index entry at `at`, in full.
pub(crate) fn expected_body(entries: &[RawEntry], at: usize) -> String {
    let from = expected_from(entries, at);
    let leaves = leaves(&entries[from..at]);
    let keys = entries[..at].iter().filter(|entry| says(entry, "\"system_type\":\"key\"")).count();
    format!(
        "{{\"from\":{from},\"keys\":{keys},\"root\":\"{}\",\"system_type\":\"trace_index\",\"traces\":{},\"version\":\"1\"}}",
        hex(&root(&leaves)),
        leaves.len()
    )
}

/// Every index entry of a log says what it must, and was recorded when the entry before it was.
/// Returns how many there are.
pub(crate) fn check_indexes(entries: &[RawEntry]) -> usize {
    let indexes: Vec<usize> = (0..entries.len()).filter(|at| is_index(&entries[*at])).collect();
    for at in &indexes {
        let found = String::from_utf8(entries[*at].body.clone()).unwrap();
        assert_eq!(found, expected_body(entries, *at), "the index entry {at}");
        assert_eq!(entries[*at].recorded_at_ms, entries[at - 1].recorded_at_ms);
        assert!(entries[*at].trace.is_none());
    }
    indexes.len()
}
