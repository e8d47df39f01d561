//! Which record rests on which: decisions on contexts, calls on decisions and contexts.
//! Edges go from the dependent to what it rests on, and only where the type is right.

use std::collections::BTreeMap;
use std::fmt;

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::ids::{EnvelopeHash, TraceId};
use crate::record::RecordType;
use crate::seal::SealedEnvelope;

/// What the graph needs to know of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EvidenceNode {
    /// Its artifact key.
    pub hash: EnvelopeHash,
    /// Its type.
    pub record_type: RecordType,
    /// Its trace.
    pub trace_id: TraceId,
    /// The context it refers to.
    pub auth_context: Option<EnvelopeHash>,
    /// The decision it refers to.
    pub policy_decision: Option<EnvelopeHash>,
}

impl EvidenceNode {
    /// The node of a sealed envelope.
    #[must_use]
    pub const fn of(sealed: &SealedEnvelope) -> Self {
        let envelope = sealed.envelope();
        Self {
            hash: sealed.hash(),
            record_type: envelope.record_type(),
            trace_id: envelope.trace_id(),
            auth_context: envelope.auth_context_hash(),
            policy_decision: envelope.policy_decision_hash(),
        }
    }

    fn references(&self) -> impl Iterator<Item = (Reference, EnvelopeHash)> {
        let context = self.auth_context.map(|hash| (Reference::AuthContext, hash));
        let decision = self.policy_decision.map(|hash| (Reference::PolicyDecision, hash));
        // Only downward in rank, so that no choice of fields can close a circle.
        let below = |reference: Reference| reference.expects().rank() < self.record_type.rank();
        context.into_iter().chain(decision).filter(move |(reference, _)| below(*reference))
    }
}

/// By which member a record refers to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// `auth_context_envelope_sha256`
    AuthContext,
    /// `policy_decision_envelope_sha256`
    PolicyDecision,
}

impl Reference {
    /// The type that must stand there.
    #[must_use]
    pub const fn expects(self) -> RecordType {
        match self {
            Self::AuthContext => RecordType::AuthContext,
            Self::PolicyDecision => RecordType::PolicyDecision,
        }
    }
}

/// A reference that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EvidenceFault {
    /// The record that refers.
    pub from: EnvelopeHash,
    /// By which member.
    pub reference: Reference,
    /// What it refers to.
    pub to: EnvelopeHash,
    /// What is wrong with it.
    pub kind: EvidenceFaultKind,
}

/// What is wrong with a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EvidenceFaultKind {
    /// No record given has that key.
    Missing,
    /// The record there is of another type; the graph has no edge.
    WrongType(RecordType),
    /// The record there is of another trace; the graph has the edge.
    CrossTrace(TraceId),
}

impl fmt::Display for EvidenceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { from, reference, to, kind } = self;
        let expected = reference.expects();
        write!(f, "record {from} refers to {expected} {to}, ")?;
        match kind {
            EvidenceFaultKind::Missing => f.write_str("which is not there"),
            EvidenceFaultKind::WrongType(found) => write!(f, "which is a {found}"),
            EvidenceFaultKind::CrossTrace(found) => write!(f, "which belongs to trace {found}"),
        }
    }
}

/// The records given, and what each rests on.
#[derive(Debug, Clone)]
pub struct EvidenceGraph {
    // Nodes in the order given; edges from dependent to prerequisite, so from a higher rank to a lower one.
    graph: DiGraph<EvidenceNode, Reference>,
    by_hash: BTreeMap<EnvelopeHash, NodeIndex>,
    faults: Vec<EvidenceFault>,
}

impl EvidenceGraph {
    /// Builds the graph; a record given twice counts once.
    pub fn build(records: impl IntoIterator<Item = EvidenceNode>) -> Self {
        let mut graph = Self { graph: DiGraph::new(), by_hash: BTreeMap::new(), faults: Vec::new() };
        for record in records {
            graph.by_hash.entry(record.hash).or_insert_with(|| graph.graph.add_node(record));
        }
        for node in graph.graph.node_indices() {
            graph.link(node);
        }
        graph
    }

    fn link(&mut self, node: NodeIndex) {
        let Some(record) = self.graph.node_weight(node).copied() else { return };
        for (reference, to) in record.references() {
            let fault = |kind| EvidenceFault { from: record.hash, reference, to, kind };
            let target = self.by_hash.get(&to).copied();
            let Some((target, found)) = target.and_then(|at| Some((at, self.graph.node_weight(at)?))) else {
                self.faults.push(fault(EvidenceFaultKind::Missing));
                continue;
            };
            if found.record_type != reference.expects() {
                self.faults.push(fault(EvidenceFaultKind::WrongType(found.record_type)));
                continue;
            }
            if found.trace_id != record.trace_id {
                self.faults.push(fault(EvidenceFaultKind::CrossTrace(found.trace_id)));
            }
            self.graph.add_edge(node, target, reference);
        }
    }

    /// How many records there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.graph.node_count()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A record by its key.
    #[must_use]
    pub fn record(&self, hash: EnvelopeHash) -> Option<&EvidenceNode> {
        self.by_hash.get(&hash).and_then(|node| self.graph.node_weight(*node))
    }

    /// What a record rests on, in the order given.
    #[must_use]
    pub fn prerequisites(&self, hash: EnvelopeHash) -> Vec<&EvidenceNode> {
        self.neighbors(hash, Direction::Outgoing)
    }

    /// What rests on a record, in the order given.
    #[must_use]
    pub fn dependents(&self, hash: EnvelopeHash) -> Vec<&EvidenceNode> {
        self.neighbors(hash, Direction::Incoming)
    }

    fn neighbors(&self, hash: EnvelopeHash, direction: Direction) -> Vec<&EvidenceNode> {
        let Some(node) = self.by_hash.get(&hash) else { return Vec::new() };
        let mut found: Vec<NodeIndex> = self.graph.neighbors_directed(*node, direction).collect();
        found.sort_unstable();
        found.into_iter().filter_map(|node| self.graph.node_weight(node)).collect()
    }

    /// The references that do not hold, in the order given.
    #[must_use]
    pub fn faults(&self) -> &[EvidenceFault] {
        &self.faults
    }

    /// The records, each after all it rests on; otherwise in the order given.
    ///
    /// Every edge goes down in rank, so order by rank is topological and there are no cycles.
    #[must_use]
    pub fn topological(&self) -> Vec<&EvidenceNode> {
        let mut records: Vec<&EvidenceNode> = self.graph.node_weights().collect();
        records.sort_by_key(|record| record.record_type.rank());
        records
    }

    /// The graph, edges from dependent to prerequisite.
    #[must_use]
    pub const fn graph(&self) -> &DiGraph<EvidenceNode, Reference> {
        &self.graph
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(byte: u8) -> EnvelopeHash {
        EnvelopeHash::from_bytes([byte; 32])
    }

    fn node(byte: u8, record_type: RecordType, context: Option<u8>, decision: Option<u8>) -> EvidenceNode {
        EvidenceNode {
            hash: hash(byte),
            record_type,
            trace_id: TraceId::from_bytes([7; 16]).unwrap(),
            auth_context: context.map(hash),
            policy_decision: decision.map(hash),
        }
    }

    fn hashes(nodes: &[&EvidenceNode]) -> Vec<u8> {
        nodes.iter().map(|node| node.hash.as_bytes()[0]).collect()
    }

    /// Context 1, decision 2 on it, calls 3 and 4 on both, given backwards.
    fn whole_trace() -> Vec<EvidenceNode> {
        vec![
            node(4, RecordType::ToolCall, Some(1), Some(2)),
            node(3, RecordType::ModelCall, Some(1), Some(2)),
            node(2, RecordType::PolicyDecision, Some(1), None),
            node(1, RecordType::AuthContext, None, None),
        ]
    }

    #[test]
    fn calls_rest_on_decisions_and_decisions_on_contexts() {
        let graph = EvidenceGraph::build(whole_trace());
        assert_eq!(graph.faults(), []);
        assert_eq!(hashes(&graph.prerequisites(hash(4))), [2, 1]);
        assert_eq!(hashes(&graph.prerequisites(hash(2))), [1]);
        assert_eq!(hashes(&graph.dependents(hash(2))), [4, 3]);
        assert_eq!(hashes(&graph.dependents(hash(1))), [4, 3, 2]);
        assert_eq!(hashes(&graph.topological()), [1, 2, 4, 3]);
        assert_eq!(graph.graph().edge_count(), 5);
    }

    #[test]
    fn a_record_given_twice_counts_once() {
        let graph = EvidenceGraph::build(whole_trace().into_iter().chain(whole_trace()));
        assert_eq!((graph.len(), graph.graph().edge_count()), (4, 5));
    }

    #[test]
    fn missing_wrong_and_foreign_references_are_reported() {
        let foreign = EvidenceNode {
            trace_id: TraceId::from_bytes([8; 16]).unwrap(),
            ..node(1, RecordType::AuthContext, None, None)
        };
        let graph = EvidenceGraph::build([
            foreign,
            node(2, RecordType::PolicyDecision, Some(1), None),
            node(3, RecordType::ToolCall, Some(9), Some(1)),
        ]);
        let fault =
            |from, reference, to, kind| EvidenceFault { from: hash(from), reference, to: hash(to), kind };
        assert_eq!(
            graph.faults(),
            [
                fault(2, Reference::AuthContext, 1, EvidenceFaultKind::CrossTrace(foreign.trace_id)),
                fault(3, Reference::AuthContext, 9, EvidenceFaultKind::Missing),
                fault(3, Reference::PolicyDecision, 1, EvidenceFaultKind::WrongType(RecordType::AuthContext)),
            ]
        );
        assert_eq!(graph.graph().edge_count(), 1);
        assert_eq!(
            graph.faults()[0].to_string(),
            format!(
                "record {} refers to auth_context {}, which belongs to trace {}",
                hash(2),
                hash(1),
                "08".repeat(16)
            )
        );
    }

    #[test]
    fn no_choice_of_fields_closes_a_circle() {
        let graph = EvidenceGraph::build([
            node(1, RecordType::AuthContext, Some(1), Some(2)),
            node(2, RecordType::PolicyDecision, Some(1), Some(2)),
        ]);
        assert_eq!(petgraph::algo::toposort(graph.graph(), None).map(|order| order.len()), Ok(2));
        assert_eq!(hashes(&graph.topological()), [1, 2]);
    }
}
