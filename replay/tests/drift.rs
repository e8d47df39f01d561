//! A laboratory of drift: hundreds of runs and their copies, into each of which nothing, one change or two were
//! planted by a fixed seed. The first divergence must be what was planted, by class and by record, and a pair
//! without a change must show none. What is expected comes from the planting alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use common::evidence::{Place, auth_context, call, decision_at, hash_of};
use common::random::Random;
use common::{commit, committed, fresh};
use proofline_canon::{ContentStore, MemoryStore, Profile, Sha256Digest};
use proofline_ledger::{Options, Snapshot};
use proofline_replay::{
    Cause, DriftKey, DriftPlan, DriftSink, DriftSummary, DriftVerdict, Keyed, KeyedRuns, LineChange, Means,
    Pair, PairDrift, Pairs, PayloadState, ReplayError, VariancePolicy, drift, pairs_by_key, pairs_of_keys,
    parse_keys,
};
use proofline_trace::TraceId;

/// A call; numbers stand for payloads, states and names.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Work {
    is_model: bool,
    name: u32,
    request: u32,
    response: u32,
    status: u32,
    usage: u64,
}

/// A decision and the calls under it.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    resource: u32,
    version: u32,
    reason: u32,
    calls: Vec<Work>,
}

/// The records of a run in the order in which they happen. Span ids and times are the run's own.
fn records(trace: u32, steps: &[Step]) -> Vec<String> {
    let shift = u64::from(trace % 97);
    let context = auth_context(trace, "staff/ines");
    let name = hash_of(&context);
    let (mut lines, mut span) = (vec![context], 100 + trace % 31);
    for step in steps {
        let place = Place { trace, span, parent: Some(1) };
        let decision = decision_at(place, &name, 2_000 + shift + u64::from(span), "allow")
            .replace("tickets/42", &format!("tickets/{}", step.resource))
            .replace(r#""policy_version":"v3""#, &format!(r#""policy_version":"v{}""#, step.version))
            .replace(r#""granted":true"#, &format!(r#""granted-{}":true"#, step.reason));
        let decided = hash_of(&decision);
        lines.push(decision);
        for it in &step.calls {
            span += 1;
            let place = Place { trace, span, parent: Some(place.span) };
            let texts = (format!("request {}", it.request), format!("response {}", it.response));
            let line = call(
                place,
                (&name, &decided),
                2_000 + shift + u64::from(span),
                (&texts.0, &texts.1),
                &format!("state-{}", it.status),
                it.is_model.then_some(it.usage),
            );
            let line = line
                .replace(r#""model":"heron""#, &format!(r#""model":"heron-{}""#, it.name))
                .replace(r#""tool_name":"read""#, &format!(r#""tool_name":"read-{}""#, it.name));
            lines.push(line);
        }
        span += 1;
    }
    lines
}

/// Where a call, or the decision of a step, is among the records of a run.
fn line_of(steps: &[Step], step: usize, call: Option<usize>) -> usize {
    let before: usize = steps[..step].iter().map(|step| 1 + step.calls.len()).sum();
    1 + before + call.map_or(0, |call| call + 1)
}

/// What was planted: the class, and the lines of the record on either side, of which there may be two where two
/// steps changed places.
#[derive(Clone, Debug, PartialEq)]
struct Planted {
    cause: Cause,
    baseline: Vec<usize>,
    candidate: Vec<usize>,
    /// How many records of the baseline are before it.
    before: usize,
}

fn plan(random: &mut Random) -> Vec<Step> {
    let mut request = 0;
    let steps = 3 + random.below(4);
    let step = |resource: usize| Step {
        resource: u32::try_from(resource).unwrap(),
        version: 3,
        reason: 0,
        calls: (0..2 + random.below(4))
            .map(|_| {
                request += 1;
                Work {
                    is_model: random.chance(40),
                    name: u32::try_from(random.below(2)).unwrap(),
                    request,
                    // Answers that repeat must mislead nobody.
                    response: u32::try_from(random.below(3)).unwrap(),
                    status: 1,
                    usage: 100,
                }
            })
            .collect(),
    };
    (0..steps).map(step).collect()
}

const KINDS: usize = 15;

/// Changes a copy of the work in one way, at this step or call.
fn plant(steps: &[Step], kind: usize, random: &mut Random) -> (Vec<Step>, Planted) {
    let mut after = steps.to_vec();
    let step = random.below(steps.len());
    let at = random.below(steps[step].calls.len());
    let line = line_of(steps, step, Some(at));
    let new = Work { is_model: random.chance(50), name: 7, request: 900, response: 1, status: 1, usage: 100 };
    let on_both =
        |cause, line: usize| Planted { cause, baseline: vec![line], candidate: vec![line], before: line };
    let own = &mut after[step].calls[at];
    let planted = match kind {
        0 => {
            own.response += 10;
            on_both(Cause::Response, line)
        }
        1 => {
            // With another response too: how it ended says more.
            (own.status, own.response) = (9, 99);
            on_both(Cause::Outcome, line)
        }
        2 => {
            own.is_model = true;
            own.usage += 1;
            let cause = if steps[step].calls[at].is_model { Cause::Usage } else { Cause::Identity };
            on_both(cause, line)
        }
        3 => {
            (own.request, own.response) = (901, 98);
            on_both(Cause::Input, line)
        }
        4 => {
            own.name += 5;
            on_both(Cause::Identity, line)
        }
        5 => {
            own.is_model = !own.is_model;
            on_both(Cause::Identity, line)
        }
        6 => {
            after[step].version += 1;
            on_both(Cause::Policy, line_of(steps, step, None))
        }
        7 => {
            after[step].reason += 1;
            on_both(Cause::Policy, line_of(steps, step, None))
        }
        8 => {
            after[step].calls.remove(at);
            Planted { cause: Cause::Missing, baseline: vec![line], candidate: vec![], before: line }
        }
        9 => {
            after.remove(step);
            let line = line_of(steps, step, None);
            Planted { cause: Cause::Missing, baseline: vec![line], candidate: vec![], before: line }
        }
        10 => {
            let at = random.below(steps[step].calls.len() + 1);
            after[step].calls.insert(at, new);
            let line = line_of(steps, step, Some(at));
            Planted { cause: Cause::Extra, baseline: vec![], candidate: vec![line], before: line }
        }
        11 => {
            let step = random.below(steps.len() + 1);
            after.insert(step, Step { resource: 77, version: 3, reason: 0, calls: vec![new] });
            let line = line_of(&after, step, None);
            Planted { cause: Cause::Extra, baseline: vec![], candidate: vec![line], before: line }
        }
        12 => {
            // Two neighbours change places, with other answers.
            let at = random.below(steps[step].calls.len() - 1);
            after[step].calls.swap(at, at + 1);
            after[step].calls[at].response += 20;
            after[step].calls[at + 1].response += 30;
            let lines = vec![line_of(steps, step, Some(at)), line_of(steps, step, Some(at + 1))];
            let before = lines[0];
            Planted { cause: Cause::Order, baseline: lines.clone(), candidate: lines, before }
        }
        13 => {
            let step = random.below(steps.len() - 1);
            after.swap(step, step + 1);
            let baseline = vec![line_of(steps, step, None), line_of(steps, step + 1, None)];
            let candidate = vec![line_of(&after, step, None), line_of(&after, step + 1, None)];
            let before = baseline[0];
            Planted { cause: Cause::Order, baseline, candidate, before }
        }
        _ => {
            // A call under the decision of another step.
            let to = (step + 1 + random.below(steps.len() - 1)) % steps.len();
            let moved = after[step].calls.remove(at);
            let there = random.below(after[to].calls.len() + 1);
            after[to].calls.insert(there, moved);
            let candidate = line_of(&after, to, Some(there));
            Planted {
                cause: Cause::Order,
                baseline: vec![line],
                candidate: vec![candidate],
                before: line.min(candidate),
            }
        }
    };
    (after, planted)
}

fn trace(number: u32) -> TraceId {
    format!("{number:032x}").parse().unwrap()
}

fn pair(baseline: u32, candidate: u32) -> Pair {
    Pair { baseline: trace(baseline), candidate: trace(candidate) }
}

struct Lab {
    _dir: tempfile::TempDir,
    snapshot: Snapshot,
    pairs: Pairs,
    /// What was planted into each pair, and the entries of the first records of both.
    planted: BTreeMap<Pair, (Option<Planted>, usize, usize)>,
}

const PAIRS: u32 = 480;

/// Every sixteenth pair is left as it is; every third of the others has a second change behind the first.
fn lab() -> Lab {
    let mut random = Random::seeded(0xD1F7);
    let (dir, ledger) = fresh(Options::default());
    let (mut seq, mut planted) = (1, BTreeMap::new());
    for number in 0..PAIRS {
        let steps = plan(&mut random);
        let kind = number as usize % (KINDS + 1);
        let (after, truth) = match kind {
            KINDS => (steps.clone(), None),
            kind => {
                let (after, truth) = plant(&steps, kind, &mut random);
                (after, Some(truth))
            }
        };
        let mut after = after;
        // A last step that is gone and a new one in its place would be one changed step.
        if truth.is_some() && number % 3 == 0 && kind != 9 {
            // Behind all that was planted.
            after.push(Step { resource: 88, version: 3, reason: 0, calls: vec![] });
        }
        let (one, other) = (2 * number + 1, 2 * number + 2);
        let (before, after) = (records(one, &steps), records(other, &after));
        let outcomes = commit(&ledger, &[before.clone(), after.clone()].concat());
        assert!(outcomes.iter().all(|outcome| matches!(outcome, proofline_ledger::Outcome::Accepted { .. })));
        planted.insert(pair(one, other), (truth, seq, seq + before.len()));
        seq += before.len() + after.len();
    }
    let pairs = planted.keys().copied().collect();
    Lab { _dir: dir, snapshot: ledger.snapshot().unwrap(), pairs, planted }
}

fn drifts(snapshot: &Snapshot, plan: &DriftPlan) -> (Vec<PairDrift>, DriftSummary) {
    let mut drifts = Vec::new();
    let summary = drift(snapshot, &Means::default(), plan, &mut drifts).unwrap();
    (drifts, summary)
}

fn output(snapshot: &Snapshot, plan: &DriftPlan) -> Vec<Vec<u8>> {
    let (drifts, summary) = drifts(snapshot, plan);
    let values = drifts.iter().map(PairDrift::to_value).chain([summary.to_value()]);
    values.map(|value| value.to_canonical(Profile::Envelope).unwrap()).collect()
}

#[test]
fn what_was_planted_is_found_by_class_and_record_and_nothing_else() {
    let lab = lab();
    let plan = |threads| DriftPlan {
        pairs: lab.pairs.clone(),
        threads: NonZeroUsize::new(threads),
        ..DriftPlan::default()
    };
    let (drifts, summary) = drifts(&lab.snapshot, &plan(2));
    assert_eq!(drifts.len(), PAIRS as usize);
    let mut classes: BTreeMap<Cause, u64> = BTreeMap::new();
    for drift in &drifts {
        let (truth, baseline, candidate) = &lab.planted[&drift.pair];
        let Some(truth) = truth else {
            assert_eq!((drift.verdict, &drift.first), (DriftVerdict::Same, &None));
            assert!(drift.causes.is_empty() && drift.allowed.is_empty());
            continue;
        };
        *classes.entry(truth.cause).or_default() += 1;
        let first = drift.first.as_ref().unwrap_or_else(|| panic!("{truth:?}"));
        assert_eq!((drift.verdict, first.cause), (DriftVerdict::Parts, truth.cause), "{truth:?} {first:?}");
        for (place, lines, from) in
            [(first.baseline, &truth.baseline, baseline), (first.candidate, &truth.candidate, candidate)]
        {
            let line = place.map(|place| usize::try_from(place.seq).unwrap() - from);
            let is_planted = line.map_or(lines.is_empty(), |line| lines.contains(&line));
            assert!(is_planted, "{truth:?} {first:?} {line:?}");
        }
        assert_eq!(first.place, truth.before as u64 + 1, "{truth:?} {first:?}");
    }
    assert_eq!(classes.len(), Cause::ALL.len(), "every class was planted");
    assert_eq!(summary.first_causes, classes);
    let untouched = lab.planted.values().filter(|(truth, ..)| truth.is_none()).count() as u64;
    assert_eq!(
        (summary.pairs, summary.same, summary.parts),
        (PAIRS.into(), untouched, u64::from(PAIRS) - untouched)
    );
    assert_eq!((summary.within, summary.not_compared, summary.holds()), (0, 0, false));
    let depths: u64 = summary.depths.values().sum();
    let firsts: u64 = summary.subjects.values().map(|count| count.first).sum();
    assert_eq!((depths, firsts), (summary.parts, summary.parts));

    let lines = output(&lab.snapshot, &plan(1));
    assert_eq!(output(&lab.snapshot, &plan(2)), lines);
    assert_eq!(output(&lab.snapshot, &plan(8)), lines);
}

fn simple() -> Vec<Step> {
    let model = Work { is_model: true, name: 1, request: 1, response: 1, status: 1, usage: 93 };
    let tool = Work { is_model: false, usage: 0, request: 2, ..model };
    vec![Step { resource: 1, version: 3, reason: 0, calls: vec![model, tool] }]
}

/// The drift of trace 2, changed, against trace 1.
fn changed(variance: &str, change: impl Fn(&mut Vec<Step>)) -> PairDrift {
    let mut after = simple();
    change(&mut after);
    let (_dir, ledger) = committed(&[records(1, &simple()), records(2, &after)].concat());
    let plan = DriftPlan {
        pairs: [pair(1, 2)].into_iter().collect(),
        variance: VariancePolicy::parse(variance.as_bytes()).unwrap(),
        ..DriftPlan::default()
    };
    drifts(&ledger.snapshot().unwrap(), &plan).0.remove(0)
}

#[test]
fn what_the_variance_allows_parts_nothing_and_bounds_count() {
    let answer = |steps: &mut Vec<Step>| {
        steps[0].calls[0].response = 5;
        steps[0].calls[0].usage = 100;
    };
    let found = changed(r#"{"allow_variance":{"model_call":["response","usage"]}}"#, answer);
    assert_eq!((found.verdict, found.first, found.allowed.values().sum()), (DriftVerdict::Within, None, 2));
    // 93 + 7 tokens, then 100 + 7: within 8 percent and not within 7.
    for (percent, verdict) in [(8, DriftVerdict::Within), (7, DriftVerdict::Parts)] {
        let file = format!(
            r#"{{"allow_variance":{{"model_call":["response"]}},"bounds":[{{"record_type":"model_call","usage_percent":{percent}}}]}}"#
        );
        let found = changed(&file, answer);
        assert_eq!(found.verdict, verdict, "{percent}");
        assert_eq!(
            found.first.map(|first| first.cause),
            (verdict == DriftVerdict::Parts).then_some(Cause::Usage)
        );
    }
    let found = changed(r#"{"allow_variance":{}}"#, answer);
    let first = found.first.unwrap();
    assert_eq!(
        (first.cause, first.subject.name.as_str(), first.place, first.of),
        (Cause::Response, "lab/heron-1", 3, 4)
    );
    assert_eq!(found.causes, BTreeMap::from([(Cause::Response, 1)]));
}

#[test]
fn payloads_at_hand_are_compared_and_others_are_said_not_to_be() {
    let mut after = simple();
    after[0].calls[1].request = 8;
    let (_dir, ledger) = committed(&[records(1, &simple()), records(2, &after)].concat());
    let snapshot = ledger.snapshot().unwrap();
    let plan =
        DriftPlan { pairs: [pair(1, 2)].into_iter().collect(), payloads: true, ..DriftPlan::default() };
    let store = MemoryStore::new();
    let found = |store: &MemoryStore| {
        let mut drifts: Vec<PairDrift> = Vec::new();
        drift(&snapshot, &Means::payloads(store), &plan, &mut drifts).unwrap();
        drifts.remove(0).first.unwrap().payloads
    };
    assert_eq!(found(&store)[0].state, PayloadState::NotAtHand);
    for text in [b"request 2", b"request 8"] {
        store.put(&Sha256Digest::of(text), text).unwrap();
    }
    let payloads = found(&store);
    assert_eq!(
        (payloads.len(), payloads[0].member, payloads[0].state),
        (1, "request", PayloadState::Compared)
    );
    let line = |change, text: &str| (change, text.to_owned());
    assert_eq!(
        payloads[0].lines,
        [line(LineChange::Removed, "request 2"), line(LineChange::Added, "request 8")]
    );
    // Not asked for, not read.
    let plan = DriftPlan { payloads: false, ..plan };
    let mut drifts: Vec<PairDrift> = Vec::new();
    drift(&snapshot, &Means::payloads(&store), &plan, &mut drifts).unwrap();
    assert!(drifts[0].first.as_ref().unwrap().payloads.is_empty());
}

#[test]
fn a_run_that_is_not_there_is_told_and_a_sink_may_stop() {
    let (_dir, ledger) = committed(&[records(1, &simple()), records(2, &simple())].concat());
    let snapshot = ledger.snapshot().unwrap();
    let pairs: Pairs = [pair(1, 2), pair(1, 9), pair(9, 1)].into_iter().collect();
    let plan = DriftPlan { pairs, ..DriftPlan::default() };
    let (drifts, summary) = drifts(&snapshot, &plan);
    assert_eq!((summary.same, summary.not_compared, summary.holds()), (1, 2, false));
    let starts = |at: usize| drifts[at].failure.as_ref().unwrap().split(' ').nth(1).unwrap().to_owned();
    assert_eq!((starts(1), starts(2)), ("candidate".to_owned(), "baseline".to_owned()));

    struct Once(u64);
    impl DriftSink for Once {
        fn pair(&mut self, _: PairDrift) -> ControlFlow<()> {
            self.0 += 1;
            ControlFlow::Break(())
        }
    }
    let mut once = Once(0);
    let stopped = drift(&snapshot, &Means::default(), &plan, &mut once).unwrap_err();
    assert!(matches!(stopped, ReplayError::Stopped) && once.0 == 1);
}

#[test]
fn keys_find_the_runs_of_the_same_work() {
    let mut other = simple();
    (other[0].resource, other[0].calls[0].request) = (2, 50);
    let all = [records(3, &simple()), records(1, &other), records(2, &simple()), records(4, &other)].concat();
    let (_dir, ledger) = committed(&all);
    let snapshot = ledger.snapshot().unwrap();
    let store = MemoryStore::new();
    let keyed = |key: &str| {
        pairs_by_key(
            &snapshot,
            &Means::payloads(&store),
            &DriftKey::parse(key).unwrap(),
            NonZeroUsize::new(2),
        )
        .unwrap()
    };
    let listed = |pairs: &Pairs| pairs.iter().collect::<Vec<_>>();
    // The first in the ledger is the baseline: 3 before 2, 1 before 4.
    for key in ["resource", "request"] {
        let keyed = keyed(key);
        assert_eq!(listed(&keyed.pairs), [pair(1, 4), pair(3, 2)], "{key}");
        assert_eq!((keyed.alone, keyed.without), (0, 0));
    }
    assert_eq!(listed(&keyed("actor").pairs), [pair(3, 1), pair(3, 2), pair(3, 4)]);
    // Without payloads there is no value in them.
    assert_eq!((keyed("payload:/task").pairs.len(), keyed("payload:/task").without), (0, 4));
    for bad in [
        "",
        "actors",
        "payload:task",
        "payload:/a~2",
        "payload",
        "attribute",
        "attribute:",
        "attribute:span",
        "attribute:span:",
        "attribute:event:a:b",
    ] {
        assert_eq!(DriftKey::parse(bad), None, "{bad}");
    }
    // No import, and so no attribute.
    assert_eq!(keyed("attribute:span:a:b").without, 4);
    // Every two of a key, the earlier one first.
    let each = keyed("actor").each_with_each().unwrap();
    assert_eq!(listed(&each.pairs), [pair(1, 2), pair(1, 4), pair(2, 4), pair(3, 1), pair(3, 2), pair(3, 4)]);

    let id = |number| trace(number).to_string();
    let line = |number, key: &str| format!(r#"{{"trace":"{}","key":"{key}"}}"#, id(number));
    let file =
        [line(1, "x"), line(2, "y"), String::new(), line(3, "x"), line(9, "x"), line(4, "z")].join("\n");
    let keyed = pairs_of_keys(&snapshot, &parse_keys(file.as_bytes()).unwrap()).unwrap();
    assert_eq!((listed(&keyed.pairs), keyed.alone), (vec![pair(3, 1), pair(3, 9)], 2));
    for (bad, code) in [
        (line(1, "x"), "form.repeated"),
        ("{}".to_owned(), "form.missing"),
        (r#"{"trace":"1","key":""}"#.to_owned(), "form.trace_id"),
        (format!(r#"{{"trace":"{}","key":1}}"#, id(5)), "form.type"),
    ] {
        let error = parse_keys(format!("{}\n{bad}", line(1, "q")).as_bytes()).unwrap_err();
        assert_eq!((error.line, error.code()), (2, code));
    }
}

#[test]
fn a_value_in_the_first_request_is_a_key() {
    let lines = |trace: u32, request: &str| {
        let context = auth_context(trace, "staff/ines");
        let name = hash_of(&context);
        let decision = decision_at(Place { trace, span: 2, parent: Some(1) }, &name, 1100, "allow");
        let place = Place { trace, span: 3, parent: Some(2) };
        let call = call(place, (&name, &hash_of(&decision)), 1200, ("REQUEST", "a"), "ok", None);
        let of = |text: &str| {
            format!(r#""sha256":"{}","size_bytes":{}"#, Sha256Digest::of(text.as_bytes()), text.len())
        };
        vec![context, decision, call.replace(&of("REQUEST"), &of(request))]
    };
    let requests = [
        r#"{"task":{"id":7},"turns":[{"a/b":"x"}]}"#,
        r#"{"turns":[{"a/b":"y"}],"task":{"id":7.0}}"#,
        r#"{"task":{"id":8},"turns":[{"a/b":"x"}]}"#,
        "no document",
    ];
    let store = MemoryStore::new();
    requests.iter().for_each(|text| store.put(&Sha256Digest::of(text.as_bytes()), text.as_bytes()).unwrap());
    let all = (1..).zip(requests).flat_map(|(trace, request)| lines(trace, request)).collect::<Vec<_>>();
    let (_dir, ledger) = committed(&all);
    let snapshot = ledger.snapshot().unwrap();
    let keyed = |key: &str| {
        let keyed =
            pairs_by_key(&snapshot, &Means::payloads(&store), &DriftKey::parse(key).unwrap(), None).unwrap();
        (keyed.pairs.iter().collect::<Vec<_>>(), keyed.alone, keyed.without)
    };
    assert_eq!(keyed("payload:/task/id"), (vec![pair(1, 2)], 1, 1));
    assert_eq!(keyed("payload:/turns/0/a~1b"), (vec![pair(1, 3)], 1, 1));
    assert_eq!(keyed("payload:/turns/00"), (vec![], 0, 4));
    assert_eq!(keyed("payload:"), (vec![], 3, 1));
}

/// Pairs grow with the square of the runs, and memory must not.
#[test]
fn a_key_that_too_many_share_is_refused() {
    let runs = |count: u128| KeyedRuns {
        key: count.to_string(),
        key_sha256: Sha256Digest::of(&count.to_be_bytes()),
        runs: (1..=count)
            .map(|number| TraceId::from_bytes((count << 64 | number).to_be_bytes()).unwrap())
            .collect(),
    };
    let keyed = |counts: &[u128]| Keyed {
        keys: counts.iter().map(|count| runs(*count)).collect(),
        ..Keyed::default()
    };
    assert_eq!(keyed(&[1_415]).each_with_each(), Err(1_000_405));
    assert_eq!(keyed(&[1_001, 1_002]).each_with_each(), Err(1_002_001));
    assert_eq!(keyed(&[3, 4]).each_with_each().unwrap().pairs.len(), 9);
}
