//! The span tree of one trace: a node per span, the records on it, and what is odd about it.
//! Producers are not trusted: spans may be orphaned, doubled, circular or 100,000 deep.

mod findings;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use petgraph::Direction;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::artifact::{Finding, FindingCode};
use crate::ids::{EnvelopeHash, SpanId};
use crate::record::RecordType;
use crate::seal::SealedEnvelope;
use crate::words::Millis;

/// What the tree needs to know of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanRecord {
    /// The span it stands on.
    pub span_id: SpanId,
    /// The span above, as this record says; none for a root.
    pub parent_span_id: Option<SpanId>,
    /// Its type.
    pub record_type: RecordType,
    /// `ts_ms` or `started_at_ms`.
    pub start_ms: Millis,
    /// `ended_at_ms` of a call.
    pub end_ms: Option<Millis>,
    /// Its artifact key.
    pub hash: EnvelopeHash,
    /// Its sequence number in the ledger, or its line in a file.
    pub position: u64,
}

impl SpanRecord {
    /// The record of a sealed envelope at a position.
    #[must_use]
    pub const fn of(sealed: &SealedEnvelope, position: u64) -> Self {
        let envelope = sealed.envelope();
        let trace = envelope.trace();
        Self {
            span_id: trace.span_id(),
            parent_span_id: trace.parent_span_id(),
            record_type: envelope.record_type(),
            start_ms: envelope.time_ms(),
            end_ms: envelope.ended_at_ms(),
            hash: sealed.hash(),
            position,
        }
    }
}

/// A span that is known to be there whether or not a record stands on it, as an import of telemetry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanPlace {
    /// The span.
    pub span_id: SpanId,
    /// The span above, as it says; none for a root.
    pub parent_span_id: Option<SpanId>,
    /// When it began.
    pub start_ms: Millis,
}

/// One span and its records; none where it is a [`SpanPlace`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanNode {
    span_id: SpanId,
    parent_span_id: Option<SpanId>,
    start_ms: Millis,
    end_ms: Option<Millis>,
    records: Vec<SpanRecord>,
}

impl SpanNode {
    const fn new(first: &SpanRecord) -> Self {
        let SpanRecord { span_id, parent_span_id, start_ms, .. } = *first;
        Self::at(&SpanPlace { span_id, parent_span_id, start_ms })
    }

    const fn at(place: &SpanPlace) -> Self {
        let SpanPlace { span_id, parent_span_id, start_ms } = *place;
        Self { span_id, parent_span_id, start_ms, end_ms: None, records: Vec::new() }
    }

    fn add(&mut self, record: SpanRecord) {
        self.start_ms = self.start_ms.min(record.start_ms);
        self.end_ms = self.end_ms.max(record.end_ms);
        self.records.push(record);
    }

    /// The span.
    #[must_use]
    pub const fn span_id(&self) -> SpanId {
        self.span_id
    }

    /// The span above, as its first record says, or the span itself where it has none; none for a root.
    #[must_use]
    pub const fn parent_span_id(&self) -> Option<SpanId> {
        self.parent_span_id
    }

    /// The earliest time of its records; of a span without, when it began.
    #[must_use]
    pub const fn start_ms(&self) -> Millis {
        self.start_ms
    }

    /// The latest end of its calls, where it has any.
    #[must_use]
    pub const fn end_ms(&self) -> Option<Millis> {
        self.end_ms
    }

    const fn has_records(&self) -> bool {
        !self.records.is_empty()
    }

    /// Its records in the order given.
    #[must_use]
    pub fn records(&self) -> &[SpanRecord] {
        &self.records
    }
}

/// Something odd about a tree; legal, and worth a finding.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SpanAnomaly {
    /// No span is a root. Then some span is an orphan or a cycle, which is reported too.
    NoRoot,
    /// A later record of a span says another parent than its first, whose word is kept.
    ConflictingParent {
        /// The span.
        span_id: SpanId,
        /// What its first record says.
        kept: Option<SpanId>,
        /// What the other says.
        other: Option<SpanId>,
        /// The other.
        hash: EnvelopeHash,
    },
    /// One more root.
    SecondRoot {
        /// The later root.
        span_id: SpanId,
        /// The first one.
        first_root_id: SpanId,
    },
    /// No record is on the span above.
    Orphan {
        /// The span.
        span_id: SpanId,
        /// The span that is not there.
        missing_parent_id: SpanId,
    },
    /// The span above has its first record after this span's first.
    LateParent {
        /// The span.
        span_id: SpanId,
        /// The span above.
        parent_id: SpanId,
    },
    /// Spans that are their own ancestors, each above the next, the last above the first.
    Cycle {
        /// The circle, from the span that was recorded first.
        span_ids: Vec<SpanId>,
    },
}

impl SpanAnomaly {
    /// The code of its finding; `NoRoot` has none, for it comes with another.
    #[must_use]
    pub const fn finding_code(&self) -> Option<FindingCode> {
        match self {
            Self::NoRoot => None,
            Self::ConflictingParent { .. } => Some(FindingCode::ConflictingParent),
            Self::SecondRoot { .. } => Some(FindingCode::SecondRoot),
            Self::Orphan { .. } => Some(FindingCode::ParentSpanMissing),
            Self::LateParent { .. } => Some(FindingCode::LateParent),
            Self::Cycle { .. } => Some(FindingCode::SpanCycle),
        }
    }

    /// The spans whose records show it.
    #[must_use]
    pub fn span_ids(&self) -> &[SpanId] {
        match self {
            Self::NoRoot => &[],
            Self::ConflictingParent { span_id, .. }
            | Self::SecondRoot { span_id, .. }
            | Self::Orphan { span_id, .. }
            | Self::LateParent { span_id, .. } => std::slice::from_ref(span_id),
            Self::Cycle { span_ids } => span_ids,
        }
    }
}

impl fmt::Display for SpanAnomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parent = |id: &Option<SpanId>| id.map_or("no parent".to_owned(), |id| format!("parent {id}"));
        match self {
            Self::NoRoot => write!(f, "no span of the trace is a root"),
            Self::ConflictingParent { span_id, kept, other, hash } => write!(
                f,
                "span {span_id} has {} by its first record and {} by record {hash}",
                parent(kept),
                parent(other)
            ),
            Self::SecondRoot { span_id, first_root_id } => {
                write!(f, "span {span_id} is a root, and span {first_root_id} was one before it")
            }
            Self::Orphan { span_id, missing_parent_id } => {
                write!(
                    f,
                    "span {span_id} has the parent {missing_parent_id}, on which the trace has no record"
                )
            }
            Self::LateParent { span_id, parent_id } => {
                write!(f, "span {span_id} was recorded before its parent {parent_id}")
            }
            Self::Cycle { span_ids } => {
                let (first, count) = (span_ids.first().map(ToString::to_string), span_ids.len());
                write!(f, "span {} is its own ancestor, in a circle of {count}", first.unwrap_or_default())
            }
        }
    }
}

/// The spans of one trace, each below its parent.
///
/// Drawing needs a flag a level:
///
/// ```
/// # use proofline_trace::SpanTree;
/// fn draw(tree: &SpanTree) -> String {
///     let (mut picture, mut last) = (String::new(), Vec::new());
///     for drawn in tree.walk() {
///         last.truncate(drawn.depth);
///         last.push(drawn.is_last);
///         let lines: String = last.iter().map(|last| if *last { "  " } else { "| " }).collect();
///         picture += &format!("{lines}{}\n", drawn.span.span_id());
///     }
///     picture
/// }
/// ```
#[derive(Debug, Clone)]
pub struct SpanTree {
    // Nodes in the order of their first records, those without behind them; edges from parent to child, one into a
    // node at most.
    graph: DiGraph<SpanNode, ()>,
    by_id: BTreeMap<SpanId, NodeIndex>,
    cycle_heads: BTreeSet<NodeIndex>,
    anomalies: Vec<SpanAnomaly>,
}

impl SpanTree {
    /// Builds the tree of one trace from its records in ledger order.
    pub fn build(records: impl IntoIterator<Item = SpanRecord>) -> Self {
        Self::build_beside(records, [])
    }

    /// The same beside spans that are there without a record, each where it says that it stands. Of a span with
    /// records its records are believed. What is odd is told of records alone.
    pub fn build_beside(
        records: impl IntoIterator<Item = SpanRecord>,
        places: impl IntoIterator<Item = SpanPlace>,
    ) -> Self {
        let mut tree = Self {
            graph: DiGraph::new(),
            by_id: BTreeMap::new(),
            cycle_heads: BTreeSet::new(),
            anomalies: Vec::new(),
        };
        let conflicts = tree.add_records(records);
        tree.add_places(places);
        tree.link();
        let cycles = tree.cycles();
        tree.cycle_heads = cycles.keys().copied().collect();
        tree.anomalies = tree.find_anomalies(conflicts, &cycles);
        tree
    }

    fn add_records(&mut self, records: impl IntoIterator<Item = SpanRecord>) -> Conflicts {
        let mut conflicts = Conflicts::new();
        for record in records {
            let node = match self.by_id.get(&record.span_id) {
                Some(node) => *node,
                None => {
                    let node = self.graph.add_node(SpanNode::new(&record));
                    self.by_id.insert(record.span_id, node);
                    node
                }
            };
            let Some(span) = self.graph.node_weight_mut(node) else { continue };
            if span.parent_span_id != record.parent_span_id {
                let others = conflicts.entry(node).or_default();
                others.entry(record.parent_span_id).or_insert(record.hash);
            }
            span.add(record);
        }
        conflicts
    }

    fn add_places(&mut self, places: impl IntoIterator<Item = SpanPlace>) {
        for place in places {
            if !self.by_id.contains_key(&place.span_id) {
                let node = self.graph.add_node(SpanNode::at(&place));
                self.by_id.insert(place.span_id, node);
            }
        }
    }

    fn link(&mut self) {
        for child in self.graph.node_indices() {
            if let Some(parent) = self.parent_of(child) {
                self.graph.add_edge(parent, child, ());
            }
        }
    }

    fn parent_of(&self, child: NodeIndex) -> Option<NodeIndex> {
        let parent_id = self.graph.node_weight(child)?.parent_span_id?;
        self.by_id.get(&parent_id).copied()
    }

    /// The circles, each under its earliest span and in order downward.
    fn cycles(&self) -> BTreeMap<NodeIndex, Vec<NodeIndex>> {
        // Not tarjan_scc, which recurses once a level and would overflow the stack.
        let components = kosaraju_scc(&self.graph).into_iter();
        let circles = components.filter(|nodes| self.is_circle(nodes));
        circles.filter_map(|nodes| nodes.into_iter().min()).map(|head| (head, self.circle(head))).collect()
    }

    fn is_circle(&self, nodes: &[NodeIndex]) -> bool {
        match nodes {
            [alone] => self.parent_of(*alone) == Some(*alone),
            _ => true,
        }
    }

    fn circle(&self, head: NodeIndex) -> Vec<NodeIndex> {
        let upward = |node: &NodeIndex| self.parent_of(*node).filter(|above| *above != head);
        let mut circle: Vec<_> = std::iter::successors(upward(&head), upward).collect();
        circle.push(head);
        circle.reverse();
        circle
    }

    fn find_anomalies(
        &self,
        mut conflicts: Conflicts,
        cycles: &BTreeMap<NodeIndex, Vec<NodeIndex>>,
    ) -> Vec<SpanAnomaly> {
        let on_cycle: BTreeSet<NodeIndex> = cycles.values().flatten().copied().collect();
        let first_root = self.root().map(SpanNode::span_id);
        let mut found = Vec::new();
        if first_root.is_none() && !self.is_empty() {
            found.push(SpanAnomaly::NoRoot);
        }
        for node in self.graph.node_indices() {
            let Some(span) = self.graph.node_weight(node).filter(|span| span.has_records()) else { continue };
            for (other, hash) in conflicts.remove(&node).unwrap_or_default() {
                let (span_id, kept) = (span.span_id, span.parent_span_id);
                found.push(SpanAnomaly::ConflictingParent { span_id, kept, other, hash });
            }
            found.extend(self.odd_parent(node, span, first_root, on_cycle.contains(&node)));
            found.extend(cycles.get(&node).map(|circle| self.cycle(circle)));
        }
        found
    }

    fn odd_parent(
        &self,
        node: NodeIndex,
        span: &SpanNode,
        first_root: Option<SpanId>,
        on_cycle: bool,
    ) -> Option<SpanAnomaly> {
        let span_id = span.span_id;
        let Some(parent_id) = span.parent_span_id else {
            let first_root_id = first_root.filter(|first| *first != span_id)?;
            return Some(SpanAnomaly::SecondRoot { span_id, first_root_id });
        };
        match self.parent_of(node) {
            None => Some(SpanAnomaly::Orphan { span_id, missing_parent_id: parent_id }),
            // On a circle some parent is always late; that says nothing.
            Some(parent) if parent > node && !on_cycle => {
                let is_recorded = self.graph.node_weight(parent).is_some_and(SpanNode::has_records);
                is_recorded.then_some(SpanAnomaly::LateParent { span_id, parent_id })
            }
            Some(_) => None,
        }
    }

    fn cycle(&self, circle: &[NodeIndex]) -> SpanAnomaly {
        let spans = circle.iter().filter_map(|node| self.graph.node_weight(*node));
        SpanAnomaly::Cycle { span_ids: spans.map(SpanNode::span_id).collect() }
    }

    /// How many spans there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The spans in the order of their first records.
    pub fn spans(&self) -> impl Iterator<Item = &SpanNode> {
        self.graph.node_weights()
    }

    /// A span by its id.
    #[must_use]
    pub fn span(&self, span_id: SpanId) -> Option<&SpanNode> {
        self.by_id.get(&span_id).and_then(|node| self.graph.node_weight(*node))
    }

    /// The first root.
    #[must_use]
    pub fn root(&self) -> Option<&SpanNode> {
        self.spans().find(|span| span.parent_span_id.is_none())
    }

    /// The spans right below one, by time, then by first record.
    #[must_use]
    pub fn children(&self, span_id: SpanId) -> Vec<&SpanNode> {
        let below = self.by_id.get(&span_id).map(|node| self.sorted_children(*node));
        below.into_iter().flatten().filter_map(|node| self.graph.node_weight(node)).collect()
    }

    /// What is odd, by the first record of the span concerned.
    #[must_use]
    pub fn anomalies(&self) -> &[SpanAnomaly] {
        &self.anomalies
    }

    /// What is odd as findings: of every parent that some record names, where
    /// [`anomalies`](Self::anomalies) follow each span's first record as the picture does.
    ///
    /// A finding names the record that it is about first, then those that it concerns in ledger order. They come
    /// by the record that they are about, then by code. `CONFLICTING_PARENT` is one a span, with the first record
    /// for each parent; `PARENT_SPAN_MISSING` one a missing span, with every record that names it; `SECOND_ROOT`
    /// one a further root, with the first root's first record. So the list is about as long as the chain.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        findings::of(self, &BTreeSet::new())
    }

    /// The same where these spans are known to be there without a record on them, as an import of telemetry says:
    /// below one of them no parent is missing.
    #[must_use]
    pub fn findings_beside(&self, shapes: &BTreeSet<SpanId>) -> Vec<Finding> {
        findings::of(self, shapes)
    }

    /// The graph, edges from parent to child.
    #[must_use]
    pub const fn graph(&self) -> &DiGraph<SpanNode, ()> {
        &self.graph
    }

    /// Every span once, depth first: roots, then orphans, then circles cut open above their earliest span.
    #[must_use]
    pub fn walk(&self) -> SpanWalk<'_> {
        let mut walk = SpanWalk { tree: self, open: Vec::new() };
        walk.push(0, self.tops());
        walk
    }

    fn tops(&self) -> Vec<NodeIndex> {
        let is_top = |node: &NodeIndex| self.parent_of(*node).is_none() || self.cycle_heads.contains(node);
        let mut tops: Vec<NodeIndex> = self.graph.node_indices().filter(is_top).collect();
        let kind = |node: NodeIndex| {
            let is_root = self.graph.node_weight(node).is_some_and(|span| span.parent_span_id.is_none());
            (!is_root, self.cycle_heads.contains(&node))
        };
        tops.sort_by_key(|node| (kind(*node), self.order(*node)));
        tops
    }

    fn sorted_children(&self, node: NodeIndex) -> Vec<NodeIndex> {
        let mut below: Vec<NodeIndex> = self.graph.neighbors_directed(node, Direction::Outgoing).collect();
        below.sort_by_key(|child| self.order(*child));
        below
    }

    fn order(&self, node: NodeIndex) -> (Option<Millis>, NodeIndex) {
        (self.graph.node_weight(node).map(SpanNode::start_ms), node)
    }
}

/// Later claims about a span's parent that differ from the first, each with its first record.
type Conflicts = BTreeMap<NodeIndex, BTreeMap<Option<SpanId>, EnvelopeHash>>;

/// One step of [`SpanTree::walk`].
#[derive(Debug, Clone, Copy)]
pub struct DrawnSpan<'a> {
    /// How many spans are above; 0 at the top.
    pub depth: usize,
    /// Whether no sibling follows.
    pub is_last: bool,
    /// The span.
    pub span: &'a SpanNode,
}

/// A walk over a tree, from [`SpanTree::walk`]; its stack is on the heap.
#[derive(Debug, Clone)]
pub struct SpanWalk<'a> {
    tree: &'a SpanTree,
    open: Vec<(usize, bool, NodeIndex)>,
}

impl SpanWalk<'_> {
    fn push(&mut self, depth: usize, siblings: Vec<NodeIndex>) {
        let last = siblings.last().copied();
        self.open.extend(siblings.into_iter().rev().map(|node| (depth, Some(node) == last, node)));
    }
}

impl<'a> Iterator for SpanWalk<'a> {
    type Item = DrawnSpan<'a>;

    fn next(&mut self) -> Option<DrawnSpan<'a>> {
        let (depth, is_last, node) = self.open.pop()?;
        let mut below = self.tree.sorted_children(node);
        below.retain(|child| !self.tree.cycle_heads.contains(child));
        self.push(depth + 1, below);
        Some(DrawnSpan { depth, is_last, span: self.tree.graph.node_weight(node)? })
    }
}

#[cfg(test)]
mod tests;
