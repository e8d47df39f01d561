//! Two traces side by side: its laws over any two trees, what each changed member comes to, and huge levels
//! and depths.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::BTreeSet;

use common::evidence::{Place, auth_context, auth_context_at, call, decision_at, hash_of, tool_call_at};
use common::work::{Call, Step, records};
use proofline_canon::Limits;
use proofline_replay::{Alignment, Aspect, Change, Durations, Run, RunRecord, align};
use proofline_trace::{Classification, ErrorKind, SealedEnvelope, SpanRecord, read_envelope};
use proptest::prelude::*;

const REFUSED: (Classification, ErrorKind) = (Classification::HashMismatch, ErrorKind::HashMismatch);

/// Records as a ledger would hand them out, those of odd numbers in `refused` as refused.
struct Held(Vec<(SealedEnvelope, bool)>);

impl Held {
    fn of(lines: &[String], refused: &[bool]) -> Self {
        let seal = |line: &String| read_envelope(line.as_bytes(), &Limits::ENVELOPE).unwrap();
        let refused = refused.iter().copied().chain(std::iter::repeat(false));
        Self(lines.iter().map(seal).zip(refused).collect())
    }

    fn run(&self, first: u64) -> Run<'_> {
        Run::of((first..).zip(&self.0).map(|(position, (sealed, is_refused))| RunRecord {
            span: SpanRecord::of(sealed, position),
            envelope: sealed.envelope(),
            refusal: is_refused.then_some(REFUSED),
        }))
    }
}

fn aligned(before: &[String], after: &[String]) -> Alignment {
    let (before, after) = (Held::of(before, &[]), Held::of(after, &[]));
    align(&before.run(1), &after.run(1_000_000), Durations::Listed)
}

fn counts(alignment: &Alignment) -> [usize; 4] {
    let counts = alignment.counts();
    [counts.same, counts.changed, counts.only_a, counts.only_b]
}

fn kinds(alignment: &Alignment) -> Vec<Aspect> {
    alignment.aspects().into_keys().collect()
}

/// A record anywhere: on few spans, below any of them or none, so that trees are orphaned and circular too.
#[derive(Debug, Clone)]
struct Wish {
    kind: u8,
    span: u32,
    parent: Option<u32>,
    time_ms: u64,
    rests_on: usize,
    is_refused: bool,
}

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    let wish = (0_u8..5, 1_u32..8, proptest::option::of(1_u32..8), 1000_u64..1004, 0_usize..3, any::<bool>());
    let wish = wish.prop_map(|(kind, span, parent, time_ms, rests_on, is_refused)| Wish {
        kind,
        span,
        parent,
        time_ms,
        rests_on,
        is_refused,
    });
    proptest::collection::vec(wish, 0..14)
}

fn held(trace: u32, wishes: &[Wish]) -> Held {
    let mut hashes = vec!["5".repeat(64)];
    let mut lines = Vec::new();
    for wish in wishes {
        let place = Place { trace, span: wish.span, parent: wish.parent };
        let other = hashes[hashes.len().saturating_sub(1 + wish.rests_on)].clone();
        let line = match wish.kind {
            0 => auth_context_at(place, "staff/ines", 900, 9000),
            1 => decision_at(place, &other, wish.time_ms, "allow"),
            2 => decision_at(place, &other, wish.time_ms, "deny"),
            3 => tool_call_at(place, &other, &other, (wish.time_ms, wish.time_ms + 1)),
            _ => call(place, (&other, &other), wish.time_ms, ("q", "a"), "ok", Some(wish.time_ms)),
        };
        hashes.push(hash_of(&line));
        lines.push(line);
    }
    Held::of(&lines, &wishes.iter().map(|wish| wish.is_refused).collect::<Vec<_>>())
}

/// What both hold of an alignment, the sides swapped on request, in an order that does not tell them apart.
fn pairs(alignment: &Alignment, swap: bool) -> BTreeSet<String> {
    let side = |a: String, b: String| if swap { (b, a) } else { (a, b) };
    let span = |span: &proofline_replay::AlignedSpan| {
        let records = span.records.iter().map(|record| {
            let all = record
                .differences
                .iter()
                .map(|it| (it.aspect, side(format!("{:?}", it.a), format!("{:?}", it.b))));
            let all: Vec<_> = all.collect();
            let sides = side(format!("{:?}", record.a), format!("{:?}", record.b));
            format!("{sides:?}{:?}{all:?}", record.elsewhere)
        });
        let records: BTreeSet<String> = records.collect();
        let sides = side(format!("{:?}", span.a), format!("{:?}", span.b));
        format!("{}{sides:?}{:?}{records:?}", span.depth, span.elsewhere)
    };
    alignment.spans().iter().map(span).collect()
}

proptest! {
    #[test]
    fn a_run_does_not_differ_from_itself(wishes in wishes()) {
        let held = held(1, &wishes);
        let alignment = align(&held.run(1), &held.run(1), Durations::Counted);
        prop_assert!(!alignment.differs());
        prop_assert!(alignment.aspects().is_empty());
        prop_assert_eq!(alignment.counts().same, held.run(1).tree().len());
        for span in alignment.spans() {
            prop_assert_eq!(span.a, span.b);
            prop_assert!(span.records.iter().all(|record| record.a == record.b));
        }
    }

    #[test]
    fn every_span_and_record_stands_there_once_and_swapping_swaps(one in wishes(), other in wishes()) {
        let (one, other) = (held(1, &one), held(2, &other));
        let (a, b) = (one.run(1), other.run(100));
        let alignment = align(&a, &b, Durations::Listed);
        for (run, held, of_side) in [(&a, &one, 0), (&b, &other, 1)] {
            let spans: Vec<_> = alignment.spans().iter().filter_map(|it| [it.a, it.b][of_side]).collect();
            let walked: Vec<_> = run.tree().walk().map(|drawn| drawn.span.span_id()).collect();
            // In the order of the drawing, too.
            prop_assert_eq!(spans, walked);
            let records = alignment.spans().iter().flat_map(|span| &span.records);
            let seqs: BTreeSet<u64> = records.clone().filter_map(|it| [it.a, it.b][of_side]).collect();
            prop_assert_eq!(seqs.len(), held.0.len());
            prop_assert_eq!(records.filter(|it| [it.a, it.b][of_side].is_some()).count(), held.0.len());
        }
        // Who moved has a counterpart that moved too, and that is not told twice.
        let moved = |change| alignment.spans().iter().filter(move |span| span.change == change);
        let there: BTreeSet<_> = moved(Change::MovedB).map(|span| (span.elsewhere, span.b)).collect();
        let here: BTreeSet<_> = moved(Change::MovedA).map(|span| (span.a, span.elsewhere)).collect();
        prop_assert_eq!(&here, &there);
        prop_assert_eq!(here.len(), alignment.counts().moved);
        prop_assert!(here.iter().all(|(a, b)| a.is_some() && b.is_some()));
        let swapped = align(&b, &a, Durations::Listed);
        prop_assert_eq!(pairs(&swapped, true), pairs(&alignment, false));
        let ([same, changed, only_a, only_b], other) = (counts(&alignment), counts(&swapped));
        prop_assert_eq!(other, [same, changed, only_b, only_a]);
    }
}

fn plan() -> Vec<Step> {
    let call = |request| Call { is_model: true, request, response: 1, status: 1, usage: 5 };
    (0..5).map(|resource| Step { resource, calls: vec![call(resource), call(resource + 10)] }).collect()
}

#[test]
fn a_step_that_is_gone_or_new_is_told_with_all_below_it() {
    let mut fewer = plan();
    fewer.remove(2);
    let alignment = aligned(&records(1, &plan()), &records(2, &fewer));
    // A context, then a decision and two calls a step.
    assert_eq!(counts(&alignment), [1 + 4 * 3, 0, 3, 0]);
    let gone: Vec<_> = alignment.spans().iter().filter(|span| span.change == Change::OnlyA).collect();
    assert_eq!(gone.iter().map(|span| span.depth).collect::<Vec<_>>(), [1, 2, 2]);
    assert_eq!(gone[0].records[0].a, Some(1 + 1 + 2 * 3));
    assert_eq!(counts(&aligned(&records(1, &fewer), &records(2, &plan()))), [13, 0, 0, 3]);
}

/// The moved spans, by the entries of their first records on either side.
fn moved(alignment: &Alignment) -> Vec<(u64, u64)> {
    let moved = alignment.spans().iter().filter(|span| span.change == Change::MovedB);
    moved.map(|span| (span.records[0].elsewhere.unwrap(), span.records[0].b.unwrap())).collect()
}

#[test]
fn what_moved_is_told_once_with_what_else_became_of_it() {
    // A decision with its calls goes from the second place to the last, and one call of it gets another answer.
    let mut after = plan();
    let mut step = after.remove(1);
    step.calls[1].response = 9;
    after.push(step);
    let alignment = aligned(&records(1, &plan()), &records(2, &after));
    // Entries of a: a context, then three a step; of b likewise from a million on.
    assert_eq!(moved(&alignment), [(5, 1_000_013), (6, 1_000_014), (7, 1_000_015)]);
    let found = alignment.counts();
    assert_eq!((found.same, found.changed, found.only_a, found.only_b, found.moved), (1 + 4 * 3, 0, 0, 0, 3));
    assert_eq!(alignment.aspects().into_iter().collect::<Vec<_>>(), [(Aspect::Response, 1)]);
    assert!(alignment.differs());

    // A call under another decision rests on it, and is the same otherwise.
    let mut after = plan();
    let call = after[0].calls.remove(0);
    after[3].calls.insert(1, call);
    let alignment = aligned(&records(1, &plan()), &records(2, &after));
    assert_eq!(alignment.counts().moved, 1);
    assert_eq!(kinds(&alignment), [Aspect::PolicyDecision]);

    // Two neighbours with other answers changed places: not two calls with other requests.
    let mut after = plan();
    after[2].calls.swap(0, 1);
    (after[2].calls[0].response, after[2].calls[1].response) = (8, 7);
    let alignment = aligned(&records(1, &plan()), &records(2, &after));
    assert_eq!((alignment.counts().moved, kinds(&alignment)), (1, vec![Aspect::Response]));
}

#[test]
fn thousands_that_moved_are_found() {
    // Every call of a wide level under another decision, in the other order.
    let (context, name) = (auth_context(1, "staff/ines"), "6".repeat(64));
    let run = |under: u32, is_turned: bool| -> Vec<String> {
        let holders = [2, 3].map(|span| {
            let place = Place { trace: 1, span, parent: Some(1) };
            let decision = decision_at(place, &"5".repeat(64), 1000 + u64::from(span), "allow");
            decision.replace("tickets/42", &format!("tickets/{span}"))
        });
        let calls = (0..4_000_u32).map(|n| {
            let start_ms = 3_000 + u64::from(if is_turned { 4_000 - n } else { n });
            let place = Place { trace: 1, span: n + 10, parent: Some(under) };
            call(place, (&"5".repeat(64), &name), start_ms, (&format!("request {n}"), "a"), "ok", None)
        });
        [context.clone()].into_iter().chain(holders).chain(calls).collect()
    };
    let alignment = aligned(&run(2, false), &run(3, true));
    let found = alignment.counts();
    assert_eq!((found.same, found.moved, found.changed, found.only_a, found.only_b), (3, 4_000, 0, 0, 0));
}

#[test]
fn each_changed_member_is_one_difference_of_its_kind() {
    let context = auth_context(1, "staff/ines");
    let decision =
        |context: &str| decision_at(Place { trace: 1, span: 2, parent: Some(1) }, context, 1100, "allow");
    let calls = |context: &str, decision: &str| {
        let place = |span| Place { trace: 1, span, parent: Some(2) };
        let names = (context, decision);
        let tool = tool_call_at(place(3), context, decision, (1200, 1300));
        [call(place(4), names, 1400, ("q", "a"), "ok", Some(3)), tool]
    };
    // The work, with a change to the text of one record; hashes follow.
    let work = |from: &str, to: &str| {
        let changed = |line: &str| line.replacen(from, to, 1);
        let context = changed(&context);
        let decision = changed(&decision(&hash_of(&context)));
        let [model, tool] = calls(&hash_of(&context), &hash_of(&decision)).map(|line| changed(&line));
        [context, decision, model, tool]
    };
    let before = work("", "");
    let table = [
        ("staff/ines", "staff/omar", Aspect::Actor),
        (r#""oidc""#, r#""mtls""#, Aspect::Credential),
        ("tickets:read\":true", "tickets:write\":true", Aspect::Grants),
        (r#""policy_version":"v3""#, r#""policy_version":"v4""#, Aspect::Policy),
        (r#""action":"tickets:read""#, r#""action":"tickets:write""#, Aspect::Action),
        ("tickets/42", "tickets/43", Aspect::Resource),
        (r#""result":"allow""#, r#""result":"deny""#, Aspect::Result),
        (r#""granted":true"#, r#""urgent":true"#, Aspect::ReasonCodes),
        (r#""obligations":{}"#, r#""obligations":{"log":true}"#, Aspect::Obligations),
        (r#""model":"heron""#, r#""model":"egret""#, Aspect::Model),
        (r#""tool_name":"read""#, r#""tool_name":"list""#, Aspect::Tool),
        (
            r#""request":{"content_type":"text/plain""#,
            r#""request":{"content_type":"text/html""#,
            Aspect::Request,
        ),
        (
            r#""response":{"content_type":"text/plain""#,
            r#""response":{"content_type":"text/html""#,
            Aspect::Response,
        ),
        (r#""status":"ok""#, r#""status":"timeout""#, Aspect::Outcome),
        (r#""output_tokens":3"#, r#""output_tokens":4"#, Aspect::Usage),
        (r#""component":"gateway""#, r#""component":"door""#, Aspect::Component),
        (r#""ended_at_ms":1300"#, r#""ended_at_ms":1301"#, Aspect::Duration),
    ];
    for (from, to, aspect) in table {
        let after = work(from, to);
        assert_ne!(before, after, "{from}");
        let alignment = aligned(&before, &after);
        assert_eq!(kinds(&alignment), [aspect]);
        let counts = alignment.counts();
        assert_eq!((counts.only_a, counts.only_b), (0, 0), "{aspect}");
        assert_eq!(alignment.differs(), aspect != Aspect::Duration);
        let (held, other) = (Held::of(&before, &[]), Held::of(&after, &[]));
        assert!(align(&held.run(1), &other.run(9), Durations::Counted).differs(), "{aspect}");
    }
    // Other ids and other times are nothing.
    let moved = before.each_ref().map(|line| {
        let line = line.replace("span_id\":\"000000000000000", "span_id\":\"a00000000000000");
        line.replace(&format!("{:032x}", 1), &format!("{:032x}", 7))
    });
    assert!(kinds(&aligned(&before[..1], &moved[..1])).is_empty());
}

#[test]
fn refusals_types_prerequisites_and_records_on_one_side_are_told() {
    let lines = records(1, &plan()[..1]);
    let (plain, refused) = (Held::of(&lines, &[]), Held::of(&lines, &[false, false, true]));
    let alignment = align(&plain.run(1), &refused.run(9), Durations::Listed);
    assert_eq!(kinds(&alignment), [Aspect::Refusal]);
    let differing =
        alignment.spans().iter().flat_map(|span| &span.records).find(|it| !it.differences.is_empty());
    let difference = &differing.unwrap().differences[0];
    assert_eq!(difference.a, None);
    let text = |name| difference.b.as_ref().unwrap().get(name).unwrap().as_str().unwrap().to_owned();
    assert_eq!(
        (text("classification"), text("error_kind")),
        ("HASH_MISMATCH".into(), "hash_mismatch.envelope_hash".into())
    );

    // The same attempt sent again, refused: one record more on its span.
    let again = [lines.clone(), vec![lines[2].clone()]].concat();
    let again = Held::of(&again, &[false, false, false, false, true]);
    let alignment = align(&plain.run(1), &again.run(9), Durations::Listed);
    assert_eq!(kinds(&alignment), [Aspect::Record]);
    assert_eq!(counts(&alignment), [3, 1, 0, 0]);

    // A tool's call where a model's was.
    let mut other = plan()[..1].to_vec();
    other[0].calls[0].is_model = false;
    let kinds_of_types = kinds(&aligned(&lines, &records(2, &other)));
    assert_eq!(kinds_of_types, [Aspect::RecordType, Aspect::Model, Aspect::Tool, Aspect::Usage]);

    // Two decisions alike; the call rests on the second instead of the first.
    let context = auth_context(1, "staff/ines");
    let name = hash_of(&context);
    let decisions: Vec<String> = [(2, 1100), (3, 1101)]
        .map(|(span, ts_ms)| decision_at(Place { trace: 1, span, parent: Some(1) }, &name, ts_ms, "allow"))
        .to_vec();
    let resting_on = |at: usize| {
        let place = Place { trace: 1, span: 9, parent: Some(2) };
        let call = tool_call_at(place, &name, &hash_of(&decisions[at]), (1200, 1201));
        [vec![context.clone()], decisions.clone(), vec![call]].concat()
    };
    assert_eq!(kinds(&aligned(&resting_on(0), &resting_on(1))), [Aspect::PolicyDecision]);
    // Below a span that nobody recorded, instead of a root.
    let orphan = auth_context_at(Place { trace: 1, span: 1, parent: Some(77) }, "staff/ines", 900, 9000);
    assert_eq!(kinds(&aligned(&[context], &[orphan])), [Aspect::Parent]);
}

#[test]
fn wide_levels_and_deep_trees_are_paired_whole() {
    let wide = |changed: u32| -> Vec<String> {
        let (context, decision) = ("5".repeat(64), "6".repeat(64));
        let place = |span| Place { trace: 1, span, parent: Some(1) };
        let calls = (0..3_000_u32).map(|n| {
            let request = if n % 100 == changed { format!("other {n}") } else { format!("request {n}") };
            call(place(n + 10), (&context, &decision), 2000 + u64::from(n), (&request, "a"), "ok", None)
        });
        [auth_context(1, "staff/ines")].into_iter().chain(calls).collect()
    };
    assert_eq!(counts(&aligned(&wide(100), &wide(50))), [1 + 3_000 - 30, 30, 0, 0]);

    let deep = |last: u32| -> Vec<String> {
        let place = |n: u32| Place { trace: 1, span: n + 1, parent: (n > 0).then_some(n) };
        (0..20_000).map(|n| auth_context_at(place(n), &format!("agents/{}", n / last), 900, 9000)).collect()
    };
    assert_eq!(counts(&aligned(&deep(20_000), &deep(19_999))), [19_999, 1, 0, 0]);
}
