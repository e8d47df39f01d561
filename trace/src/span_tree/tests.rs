//! Trees that producers ought to write, and those that they write.

use super::*;

fn id(number: u64) -> SpanId {
    SpanId::from_bytes(number.to_be_bytes()).unwrap()
}

/// A record on span `span` below `parent` (0: a root) at a time; its position is its place in the list.
fn records(list: &[(u64, u64, u32)]) -> Vec<SpanRecord> {
    let record = |(position, (span, parent, start_ms)): (usize, &(u64, u64, u32))| SpanRecord {
        span_id: id(*span),
        parent_span_id: (*parent != 0).then(|| id(*parent)),
        record_type: RecordType::ToolCall,
        start_ms: Millis::from(*start_ms),
        end_ms: Some(Millis::from(start_ms + 5)),
        hash: EnvelopeHash::of(&position.to_be_bytes()),
        position: position as u64,
    };
    list.iter().enumerate().map(record).collect()
}

fn tree(list: &[(u64, u64, u32)]) -> SpanTree {
    SpanTree::build(records(list))
}

/// Spans as `depth:id`, with a bar behind the last of its siblings.
fn drawn(tree: &SpanTree) -> Vec<String> {
    let show = |drawn: DrawnSpan<'_>| {
        let number = u64::from_be_bytes(*drawn.span.span_id().as_bytes());
        format!("{}:{number}{}", drawn.depth, if drawn.is_last { "|" } else { "" })
    };
    tree.walk().map(show).collect()
}

#[test]
fn an_empty_trace_is_an_empty_tree() {
    let tree = tree(&[]);
    assert!(tree.is_empty() && tree.root().is_none());
    assert_eq!(tree.anomalies(), []);
    assert_eq!(tree.walk().count(), 0);
}

#[test]
fn siblings_stand_by_time_then_by_first_record() {
    let tree = tree(&[(1, 0, 10), (4, 1, 30), (3, 1, 20), (2, 1, 20), (5, 3, 25)]);
    assert_eq!(drawn(&tree), ["0:1|", "1:3", "2:5|", "1:2", "1:4|"]);
    assert_eq!(tree.anomalies(), []);
    let below: Vec<SpanId> = tree.children(id(1)).iter().map(|span| span.span_id()).collect();
    assert_eq!(below, [id(3), id(2), id(4)]);
}

#[test]
fn records_of_one_span_share_a_node() {
    let tree = tree(&[(1, 0, 10), (2, 1, 30), (2, 1, 20), (2, 1, 40)]);
    assert_eq!(tree.len(), 2);
    let span = tree.span(id(2)).unwrap();
    assert_eq!((span.start_ms().get(), span.end_ms().unwrap().get()), (20, 45));
    let positions: Vec<u64> = span.records().iter().map(|record| record.position).collect();
    assert_eq!(positions, [1, 2, 3]);
}

#[test]
fn a_parent_without_records_makes_an_orphan() {
    let tree = tree(&[(1, 0, 10), (2, 9, 5)]);
    assert_eq!(tree.anomalies(), [SpanAnomaly::Orphan { span_id: id(2), missing_parent_id: id(9) }]);
    assert_eq!(drawn(&tree), ["0:1", "0:2|"]);
}

#[test]
fn later_roots_are_named_with_the_first() {
    let tree = tree(&[(2, 0, 10), (1, 0, 5), (3, 0, 1)]);
    let second = |number| SpanAnomaly::SecondRoot { span_id: id(number), first_root_id: id(2) };
    assert_eq!(tree.anomalies(), [second(1), second(3)]);
    assert_eq!(drawn(&tree), ["0:3", "0:1", "0:2|"]);
}

#[test]
fn a_parent_recorded_later_is_late() {
    let tree = tree(&[(2, 1, 20), (1, 0, 10)]);
    assert_eq!(tree.anomalies(), [SpanAnomaly::LateParent { span_id: id(2), parent_id: id(1) }]);
    assert_eq!(drawn(&tree), ["0:1|", "1:2|"]);
}

#[test]
fn a_circle_is_cut_open_above_its_earliest_span() {
    // 3 is above 4, 4 above 2, 2 above 3; 5 hangs below 4; 1 is an honest root.
    let tree = tree(&[(1, 0, 0), (3, 2, 7), (2, 4, 6), (4, 3, 5), (5, 4, 9)]);
    assert_eq!(tree.anomalies(), [SpanAnomaly::Cycle { span_ids: vec![id(3), id(4), id(2)] }]);
    assert_eq!(drawn(&tree), ["0:1", "0:3|", "1:4|", "2:2", "2:5|"]);
}

#[test]
fn a_span_may_be_its_own_parent() {
    let tree = tree(&[(7, 7, 1)]);
    assert_eq!(tree.anomalies(), [SpanAnomaly::NoRoot, SpanAnomaly::Cycle { span_ids: vec![id(7)] }]);
    assert_eq!(drawn(&tree), ["0:7|"]);
}

#[test]
fn a_first_record_is_believed_and_each_other_claim_reported_once() {
    let list = [(1, 0, 0), (2, 1, 1), (2, 3, 2), (2, 3, 3), (2, 0, 4), (3, 1, 5)];
    let conflict = |position: usize, other| SpanAnomaly::ConflictingParent {
        span_id: id(2),
        kept: Some(id(1)),
        other,
        hash: EnvelopeHash::of(&position.to_be_bytes()),
    };
    let tree = tree(&list);
    assert_eq!(tree.anomalies(), [conflict(4, None), conflict(2, Some(id(3)))]);
    assert_eq!(drawn(&tree), ["0:1|", "1:2", "1:3|"]);
}

#[test]
fn findings_carry_code_severity_records_and_entries() {
    let tree = tree(&[(1, 0, 10), (2, 9, 5), (2, 9, 6), (4, 4, 1)]);
    let findings = tree.findings();
    let codes: Vec<&str> = findings.iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["PARENT_SPAN_MISSING", "SPAN_CYCLE"]);
    let seqs: Vec<u64> = findings[0].seqs.iter().map(|seq| seq.get()).collect();
    assert_eq!(seqs, [1, 2]);
    assert_eq!(findings[0].records, [1_usize, 2].map(|position| EnvelopeHash::of(&position.to_be_bytes())));
    assert_eq!(
        findings[0].message,
        "Span 0000000000000002 has the parent 0000000000000009, on which the trace has no record."
    );
    assert_eq!(findings[1].message, "Span 0000000000000004 is its own parent.");
}

/// Code and positions of each finding, the record that it is about first.
fn found(list: &[(u64, u64, u32)]) -> Vec<(&'static str, Vec<u64>)> {
    let seqs = |finding: &Finding| finding.seqs.iter().map(|seq| seq.get()).collect();
    tree(list).findings().iter().map(|finding| (finding.code.as_str(), seqs(finding))).collect()
}

#[test]
fn findings_weigh_every_parent_that_is_named() {
    // Span 2 is below 1 by its first record, and by later ones below 3, below 9 and a root.
    let list = [(1, 0, 0), (2, 1, 1), (2, 3, 2), (2, 9, 3), (2, 3, 4), (2, 0, 5), (3, 1, 6)];
    let expected = [
        ("LATE_PARENT", vec![1, 6]),
        ("CONFLICTING_PARENT", vec![2, 1, 3]),
        ("PARENT_SPAN_MISSING", vec![3]),
        ("SECOND_ROOT", vec![5, 0]),
    ];
    assert_eq!(found(&list), expected);
    // A circle that only a later claim closes; no parent on it is late.
    let list = [(1, 0, 0), (2, 1, 1), (3, 2, 2), (2, 3, 3)];
    assert_eq!(found(&list), [("SPAN_CYCLE", vec![1, 2, 3]), ("CONFLICTING_PARENT", vec![3, 1])]);
}

#[test]
fn one_missing_parent_is_one_finding() {
    let list = [(1, 0, 0), (2, 9, 1), (3, 9, 2), (2, 9, 3), (4, 8, 4)];
    assert_eq!(found(&list), [("PARENT_SPAN_MISSING", vec![1, 2, 3]), ("PARENT_SPAN_MISSING", vec![4])]);
}

#[test]
fn findings_are_about_as_long_as_the_chain() {
    let number = 20_000;
    let named = |list: &[(u64, u64, u32)]| {
        let findings = tree(list).findings();
        let text: usize = findings.iter().map(|finding| finding.message.len()).sum();
        assert!(text < 200 * list.len(), "{text}");
        findings.iter().map(|finding| finding.records.len()).sum::<usize>()
    };
    // A span whose every record names a parent of its own: none there, all there, or later.
    let absent: Vec<_> = (0..number).map(|at| (2, 10 + at, 0)).collect();
    let there: Vec<_> =
        (0..number).map(|at| (10 + at, 0, 0)).chain((0..number).map(|at| (2, 10 + at, 0))).collect();
    let later: Vec<_> =
        (0..number).map(|at| (2, 10 + at, 0)).chain((0..number).map(|at| (10 + at, 1, 0))).collect();
    // A root with as many records as there are further roots.
    let roots: Vec<_> = (0..number).map(|_| (1, 0, 0)).chain((0..number).map(|at| (10 + at, 0, 0))).collect();
    for list in [absent, there, later, roots] {
        assert!(named(&list) <= 4 * list.len());
    }
}

#[test]
fn without_a_root_there_is_an_orphan_or_a_circle() {
    for list in [&[(2, 1, 0)][..], &[(2, 3, 0), (3, 2, 0)], &[(2, 3, 0), (3, 4, 0), (4, 3, 0)]] {
        let tree = tree(list);
        assert_eq!(tree.anomalies().first(), Some(&SpanAnomaly::NoRoot));
        assert!(!tree.findings().is_empty(), "{list:?}");
    }
}

#[test]
fn a_hundred_thousand_levels_or_siblings_are_walked() {
    let chain: Vec<(u64, u64, u32)> = (1..=100_000).map(|span| (span, span - 1, 0)).collect();
    let deep = tree(&chain);
    assert_eq!(deep.walk().map(|drawn| drawn.depth).max(), Some(99_999));
    assert_eq!(deep.walk().count(), 100_000);

    let circle: Vec<(u64, u64, u32)> =
        (1..=100_000).map(|span| (span, if span == 1 { 100_000 } else { span - 1 }, 0)).collect();
    let round = tree(&circle);
    assert_eq!(round.walk().count(), 100_000);
    assert_eq!(round.anomalies().last().map(|last| last.span_ids().len()), Some(100_000));

    let star: Vec<(u64, u64, u32)> = (1..=100_000).map(|span| (span, u64::from(span != 1), 0)).collect();
    assert_eq!(tree(&star).walk().filter(|drawn| drawn.is_last).count(), 2);
}

mod any_tree {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever producers write, a walk meets every span once, below its parent or at the top.
        #[test]
        fn every_span_is_walked_once(list in prop::collection::vec((1_u64..12, 0_u64..14, 0_u32..5), 0..40)) {
            let tree = tree(&list);
            let mut above: Vec<SpanId> = Vec::new();
            let mut met = BTreeSet::new();
            for drawn in tree.walk() {
                above.truncate(drawn.depth);
                prop_assert_eq!(above.len(), drawn.depth);
                if let Some(parent) = above.last() {
                    prop_assert_eq!(drawn.span.parent_span_id(), Some(*parent));
                }
                above.push(drawn.span.span_id());
                prop_assert!(met.insert(drawn.span.span_id()));
            }
            let given: BTreeSet<SpanId> = list.iter().map(|(span, _, _)| id(*span)).collect();
            prop_assert_eq!(met, given);
        }

        /// Each span is in order, an orphan, a second root or on the way from a circle; nothing else.
        #[test]
        fn anomalies_are_what_the_definitions_say(
            list in prop::collection::vec((1_u64..9, 0_u64..10, 0_u32..5), 0..20),
        ) {
            let tree = tree(&list);
            let parent: BTreeMap<u64, u64> = list.iter().rev().map(|(span, parent, _)| (*span, *parent)).collect();
            let orphans = parent.values().filter(|above| **above != 0 && !parent.contains_key(above)).count();
            let roots = parent.values().filter(|above| **above == 0).count();
            let own_ancestor = |span: &u64| {
                let mut at = parent[span];
                (0..parent.len()).any(|_| {
                    let met = at == *span;
                    at = *parent.get(&at).unwrap_or(&0);
                    met
                })
            };
            let on_circle = parent.keys().filter(|span| own_ancestor(span)).count();
            let count = |wanted: fn(&SpanAnomaly) -> usize| tree.anomalies().iter().map(wanted).sum::<usize>();
            prop_assert_eq!(count(|anomaly| usize::from(matches!(anomaly, SpanAnomaly::Orphan { .. }))), orphans);
            let second = count(|anomaly| usize::from(matches!(anomaly, SpanAnomaly::SecondRoot { .. })));
            prop_assert_eq!(second, roots.saturating_sub(1));
            let circled = count(|anomaly| match anomaly {
                SpanAnomaly::Cycle { span_ids } => span_ids.len(),
                _ => 0,
            });
            prop_assert_eq!(circled, on_circle);
        }
    }
}

fn places(list: &[(u64, u64, u32)]) -> Vec<SpanPlace> {
    let place = |(span, parent, start_ms): &(u64, u64, u32)| SpanPlace {
        span_id: id(*span),
        parent_span_id: (*parent != 0).then(|| id(*parent)),
        start_ms: Millis::from(*start_ms),
    };
    list.iter().map(place).collect()
}

#[test]
fn spans_without_records_stand_where_they_say() {
    let own = [(3, 2, 30), (4, 2, 20), (1, 0, 10)];
    let beside = SpanTree::build_beside(records(&own), places(&[(2, 1, 15), (5, 2, 25), (1, 9, 1)]));
    // The records of span 1 make it a root, whatever an import says of it.
    assert_eq!(drawn(&beside), ["0:1|", "1:2|", "2:4", "2:5", "2:3|"]);
    assert_eq!(beside.anomalies(), []);
    assert!(beside.span(id(2)).unwrap().records().is_empty());
    // Without them two calls have no parent.
    let alone = tree(&own);
    assert_eq!(alone.anomalies().len(), 2);
    let shapes = [id(2), id(5)].into();
    assert_eq!(beside.findings(), alone.findings_beside(&shapes));
    assert_eq!(beside.findings(), []);
}

#[test]
fn what_is_odd_about_spans_without_records_is_not_told_of_records() {
    let of = |own: &[(u64, u64, u32)], others: &[(u64, u64, u32)]| {
        SpanTree::build_beside(records(own), places(others))
    };
    // A root without records is one.
    assert_eq!(of(&[(2, 1, 10)], &[(1, 0, 99)]).anomalies(), []);
    // Orphans, second roots and circles of spans without records.
    let odd = of(&[(1, 0, 10)], &[(2, 9, 1), (3, 0, 2), (4, 5, 3), (5, 4, 4), (6, 6, 5)]);
    assert_eq!(odd.anomalies(), []);
    assert_eq!(drawn(&odd), ["0:3", "0:1", "0:2", "0:4", "1:5|", "0:6|"]);
    // A circle with a record on it.
    let circle = of(&[(1, 2, 10)], &[(2, 1, 5)]);
    let span_ids = [id(2), id(1)];
    let found: Vec<&SpanAnomaly> = circle.anomalies().iter().collect();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0], &SpanAnomaly::NoRoot);
    assert!(
        matches!(found[1], SpanAnomaly::Cycle { span_ids: ids } if ids.iter().all(|it| span_ids.contains(it)))
    );
    assert_eq!(drawn(&circle), ["0:1|", "1:2|"]);
}
