//! The traces of a log that is read from end to end: the links in the headers, and the index entries by
//! which the log says which traces it holds. Nothing here comes from an index beside a segment.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proofline_proof::header::EntryHeader;
use proofline_proof::tree::Frontier;
use proofline_proof::{LeafHash, NodeHash, Seq, TraceLeaf, TraceTree};
use proofline_trace::{TraceId, TraceIndexRecord};

/// A trace's last entry so far.
#[derive(Clone, Copy)]
struct End {
    seq: Seq,
    count: u64,
    leaf: LeafHash,
}

/// What the entries so far say of traces.
#[derive(Default)]
pub(super) struct Traces {
    ends: HashMap<TraceId, End>,
    by_last: BTreeMap<Seq, TraceId>,
    indexes: BTreeSet<Seq>,
    keys: u64,
}

impl Traces {
    pub(super) fn key(&mut self) {
        self.keys += 1;
    }

    /// Takes in an entry of a trace; what is wrong with its links.
    pub(super) fn entry(&mut self, header: &EntryHeader, leaf: LeafHash) -> Option<String> {
        let link = header.trace.as_ref()?;
        let end = End { seq: header.seq, count: link.count, leaf };
        let before = self.ends.insert(link.trace_id, end);
        if let Some(before) = before {
            self.by_last.remove(&before.seq);
        }
        self.by_last.insert(header.seq, link.trace_id);
        let expected = before.map_or((None, 1), |end| (Some(end.seq), end.count.saturating_add(1)));
        (expected != (link.previous, link.count)).then(|| {
            let show = |seq: Option<Seq>| seq.map_or("none".to_owned(), |seq| seq.to_string());
            format!(
                "the entry says it is number {} of trace {} after entry {}; the log has number {} after entry {}",
                link.count,
                link.trace_id,
                show(link.previous),
                expected.1,
                show(expected.0)
            )
        })
    }

    /// Takes in an index entry; what is wrong with what it says.
    pub(super) fn index(&mut self, seq: Seq, record: &TraceIndexRecord) -> Option<(&'static str, String)> {
        let from = Seq::new(record.from.get());
        let rests_on_one = from == Seq::GENESIS || self.indexes.contains(&from);
        self.indexes.insert(seq);
        if !rests_on_one {
            let message = format!("it begins at entry {from}, which is no index entry before it");
            return Some(("trace_index.from", message));
        }
        if record.keys.get() != self.keys {
            let message = format!("it counts {} key entries; the log has {}", record.keys, self.keys);
            return Some(("trace_index.keys", message));
        }
        let tree = self.tree(from);
        let stated = NodeHash::from_bytes(*record.root.as_bytes());
        if record.traces.get() != tree.size() || stated != tree.root() {
            let message = format!(
                "it states {} traces under the root {}; the entries from {from} on give {} under {}",
                record.traces,
                record.root,
                tree.size(),
                tree.root()
            );
            return Some(("trace_index.root", message));
        }
        None
    }

    /// The tree over the traces that have an entry from `from` on.
    fn tree(&self, from: Seq) -> Frontier {
        let end = |id: &TraceId| self.ends.get(id).map(|end| (*id, *end));
        let within: BTreeMap<TraceId, End> =
            self.by_last.range(from..).filter_map(|(_, id)| end(id)).collect();
        let mut tree = TraceTree::default();
        for (trace_id, end) in within {
            tree.push(&TraceLeaf { trace_id, count: end.count, last_leaf: end.leaf });
        }
        tree.finish()
    }
}
