//! What is odd about the spans of a trace, as findings (section 6). A picture must choose one parent for a span
//! and takes the first record's word; findings weigh every parent that some record names.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::kosaraju_scc;
use petgraph::graph::DiGraph;

use super::{SpanNode, SpanRecord, SpanTree};
use crate::artifact::{Finding, FindingCode};
use crate::ids::SpanId;
use crate::words::SafeInt;

/// The findings of a tree, by the record that each is about, then by code. All of them together name at most a few
/// times as many records as there are, whatever producers write. `shapes` are spans that are there without a record.
pub(super) fn of(tree: &SpanTree, shapes: &BTreeSet<SpanId>) -> Vec<Finding> {
    let claims = Claims::of(tree);
    let mut found = missing_parents(&claims, shapes);
    found.extend(further_roots(tree));
    found.extend(claims.circles());
    found.extend(claims.late_parents());
    found.extend(claims.conflicts());
    found.sort_by_key(|finding| (finding.seqs.first().copied(), finding.code.as_str()));
    found
}

/// A finding that is about one record and concerns others, which stand behind it in ledger order.
fn finding<'a>(
    code: FindingCode,
    about: &'a SpanRecord,
    others: impl IntoIterator<Item = &'a SpanRecord>,
    message: String,
) -> Finding {
    let others: BTreeMap<u64, &SpanRecord> =
        others.into_iter().map(|record| (record.position, record)).collect();
    let others = others.into_values().filter(|record| record.position != about.position);
    let records: Vec<&SpanRecord> = std::iter::once(about).chain(others).collect();
    Finding::new(code, message)
        .with_records(records.iter().map(|record| record.hash))
        .with_seqs(records.iter().map(|record| SafeInt::saturating(record.position)))
}

/// A span with the parents that its records name, each once and with the first record that names it.
struct Span<'a> {
    node: &'a SpanNode,
    parents: Vec<(SpanId, &'a SpanRecord)>,
    first: &'a SpanRecord,
    /// Which of the parts whose spans are all above one another it is in.
    part: usize,
}

/// Spans in the order of their first records, and those that are above themselves.
struct Claims<'a> {
    tree: &'a SpanTree,
    spans: Vec<Span<'a>>,
    /// Members of each circle, as indices into `spans`.
    circles: Vec<Vec<usize>>,
}

impl<'a> Claims<'a> {
    fn of(tree: &'a SpanTree) -> Self {
        let mut spans: Vec<Span<'a>> = tree.spans().filter_map(Span::of).collect();
        // Every span with records is a node of the same index in either graph; those without stand behind them.
        let mut graph = DiGraph::<(), ()>::new();
        let nodes: Vec<_> = spans.iter().map(|_| graph.add_node(())).collect();
        for (child, span) in nodes.iter().zip(&spans) {
            for (parent, _) in &span.parents {
                if let Some(above) = tree.by_id.get(parent).filter(|above| above.index() < nodes.len()) {
                    graph.add_edge(*above, *child, ());
                }
            }
        }
        let mut circles = Vec::new();
        // Not tarjan_scc, which recurses once a level and would overflow the stack.
        for (part, members) in kosaraju_scc(&graph).into_iter().enumerate() {
            let mut members: Vec<usize> =
                members.into_iter().map(petgraph::graph::NodeIndex::index).collect();
            members.sort_unstable();
            for member in &members {
                if let Some(span) = spans.get_mut(*member) {
                    span.part = part;
                }
            }
            let is_circle = match &members[..] {
                [alone] => spans.get(*alone).is_some_and(Span::names_itself),
                _ => true,
            };
            circles.extend(is_circle.then_some(members));
        }
        Self { tree, spans, circles }
    }

    fn span(&self, span_id: SpanId) -> Option<&Span<'a>> {
        self.spans.get(self.tree.by_id.get(&span_id)?.index())
    }

    fn circles(&self) -> impl Iterator<Item = Finding> {
        self.circles.iter().filter_map(|members| {
            let spans = members.iter().filter_map(|member| self.spans.get(*member));
            let records = spans.clone().flat_map(|span| span.node.records());
            let first = spans.clone().next()?;
            let message = match members.len() {
                1 => format!("Span {} is its own parent.", first.node.span_id),
                count => {
                    format!("Span {} is its own ancestor, in a circle of {count} spans.", first.node.span_id)
                }
            };
            Some(finding(FindingCode::SpanCycle, first.first, records, message))
        })
    }

    /// On a circle some parent is always late; that says nothing.
    fn late_parents(&self) -> impl Iterator<Item = Finding> {
        self.spans.iter().flat_map(move |span| {
            span.parents.iter().filter_map(move |(parent, _)| {
                let above = self.span(*parent)?;
                let is_late = above.part != span.part && above.first.position > span.first.position;
                is_late.then(|| {
                    let message =
                        format!("Span {} was recorded before its parent {parent}.", span.node.span_id);
                    finding(FindingCode::LateParent, span.first, [above.first], message)
                })
            })
        })
    }

    fn conflicts(&self) -> impl Iterator<Item = Finding> {
        self.spans.iter().filter_map(|span| {
            let [(kept, _), (other, about), ..] = &span.parents[..] else { return None };
            let more = match span.parents.len() - 2 {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            let id = span.node.span_id;
            let message =
                format!("Span {id} has the parent {kept} by one record and {other} by another{more}.");
            let records = span.parents.iter().map(|(_, record)| *record);
            Some(finding(FindingCode::ConflictingParent, about, records, message))
        })
    }
}

impl<'a> Span<'a> {
    fn of(node: &'a SpanNode) -> Option<Self> {
        let mut known = BTreeSet::new();
        let named = node.records.iter().filter_map(|record| Some((record.parent_span_id?, record)));
        let parents = named.filter(|(parent, _)| known.insert(*parent)).collect();
        Some(Self { node, parents, first: node.records.first()?, part: 0 })
    }

    fn names_itself(&self) -> bool {
        self.parents.iter().any(|(parent, _)| *parent == self.node.span_id)
    }
}

fn missing_parents(claims: &Claims<'_>, shapes: &BTreeSet<SpanId>) -> Vec<Finding> {
    let is_there = |span: &SpanId| claims.tree.by_id.contains_key(span) || shapes.contains(span);
    let mut missing: BTreeMap<SpanId, Vec<&SpanRecord>> = BTreeMap::new();
    for record in claims.spans.iter().flat_map(|span| &span.node.records) {
        if let Some(parent) = record.parent_span_id.filter(|parent| !is_there(parent)) {
            missing.entry(parent).or_default().push(record);
        }
    }
    let found = missing.into_iter().filter_map(|(parent, records)| {
        let about = *records.iter().min_by_key(|record| record.position)?;
        let message =
            format!("Span {} has the parent {parent}, on which the trace has no record.", about.span_id);
        Some(finding(FindingCode::ParentSpanMissing, about, records, message))
    });
    found.collect()
}

/// A root that is not the first one, with the records that make it a root and the first record of the first root.
fn further_roots(tree: &SpanTree) -> Vec<Finding> {
    let is_root = |record: &&SpanRecord| record.parent_span_id.is_none();
    let of_span = |span| SpanNode::records(span).iter().filter(is_root);
    let mut roots: Vec<(&SpanRecord, &SpanNode)> =
        tree.spans().filter_map(|span| Some((of_span(span).next()?, span))).collect();
    roots.sort_by_key(|(about, _)| about.position);
    let Some(((first, _), others)) = roots.split_first() else { return Vec::new() };
    let found = others.iter().map(|(about, span)| {
        let message =
            format!("Span {} is a root, and span {} was one before it.", about.span_id, first.span_id);
        finding(FindingCode::SecondRoot, about, of_span(span).chain([*first]), message)
    });
    found.collect()
}
