//! Runs over much: any number of threads, any order of chosen traces, more traces than a chunk
//! holds, one trace that is longer than a batch, sealed segments, and the evidence that ships.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use common::evidence::{Place, chain, declared, hash_of, tool_call_at};
use common::shipped::{agent_work, bring_in, payloads, put_payloads};
use common::{Look, NOW_MS, committed, fresh, golden, output, run, vectors};
use proofline_canon::Value;
use proofline_ledger::{Options, Snapshot};
use proofline_replay::{
    Event, Means, Mode, Pairs, Plan, ReplayError, ReplaySink, RunVerdict, Selection, Summary, TraceReplay,
    VariancePolicy, replay,
};
use proofline_trace::TraceId;

fn on(threads: usize) -> Plan {
    Plan { threads: NonZeroUsize::new(threads), ..Plan::default() }
}

/// Forensic verdicts of the shipped evidence as the independent reference has them.
#[test]
fn the_evidence_that_ships() {
    let expected = golden("evidence/expected.json");
    let (_dir, ledger) = agent_work(Options::default());
    let snapshot = ledger.snapshot().unwrap();
    for (list, include_rejected) in [("accepted", false), ("with_rejected", true)] {
        let mut verdicts = Vec::new();
        let plan = Plan { include_rejected, ..Plan::default() };
        let summary = replay(&snapshot, &Means::payloads(&payloads()), &plan, &mut verdicts).unwrap();
        assert_eq!(summary.verdict(), RunVerdict::AllWell);
        let rows = expected.items("forensic");
        assert_eq!(verdicts.len(), rows.len());
        for (replay, row) in verdicts.iter().zip(rows) {
            assert_eq!(&replay.result.to_value(), row.at(list).at("record"));
            assert_eq!(replay.artifact_sha256.to_string(), row.at(list).text("artifact_sha256"));
        }
        let of = |code: &str| -> BTreeSet<u64> {
            let findings = verdicts.iter().flat_map(TraceReplay::findings);
            let found = findings.filter(|finding| finding.code.as_str() == code);
            found.flat_map(|finding| &finding.seqs).map(|seq| seq.get()).collect()
        };
        let seqs = |name: &str, seq: fn(&Value) -> u64| expected.items(name).iter().map(seq).collect();
        let number = |value: &Value| value.as_number().unwrap().literal().parse().unwrap();
        let absent: BTreeSet<u64> = seqs("absent_blobs", |blob| blob.number("seq"));
        assert_eq!(of("BLOB_NOT_AT_HAND"), absent);
        assert_eq!(of("USAGE_TOTAL_MISMATCH"), seqs("usage_total_mismatch", number));
        assert_eq!(of("REJECTION_NOT_REPRODUCED"), seqs("rejections_not_reproduced", number));
    }
}

#[test]
fn the_number_of_threads_shows_nowhere() {
    for segment_bytes in [64 << 20, 1 << 14] {
        let (_dir, ledger) = agent_work(Options { segment_bytes, ..Options::default() });
        let snapshot = ledger.snapshot().unwrap();
        for include_rejected in [false, true] {
            let outputs: Vec<_> = [1, 2, 8]
                .into_iter()
                .map(|threads| output(&snapshot, &Plan { include_rejected, ..on(threads) }))
                .collect();
            assert_eq!(outputs[0].len(), 37);
            assert_eq!(outputs[0], outputs[1]);
            assert_eq!(outputs[0], outputs[2]);
            let unsaid = output(&snapshot, &Plan { include_rejected, ..Plan::default() });
            assert_eq!(outputs[0], unsaid);
        }
    }
}

#[test]
fn damaged_ledgers_too_read_the_same_on_any_number_of_threads() {
    let (dir, ledger) = agent_work(Options { segment_bytes: 1 << 14, ..Options::default() });
    let file = dir.path().join("ledger/log/00000000000000000000.seg");
    drop(ledger);
    let mut bytes = std::fs::read(&file).unwrap();
    for at in (500..bytes.len()).step_by(1500) {
        bytes[at] ^= 0x20;
    }
    std::fs::write(&file, bytes).unwrap();
    let snapshot = Snapshot::open(dir.path().join("ledger")).unwrap();
    let outputs = [1, 2, 8].map(|threads| output(&snapshot, &on(threads)));
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(outputs[0], outputs[2]);
    assert_eq!(run(&snapshot, &Plan::default()).1.verdict(), RunVerdict::Damaged);
}

#[test]
fn chosen_traces_come_in_byte_order_and_as_in_a_run_over_everything() {
    let (_dir, ledger) = agent_work(Options::default());
    let snapshot = ledger.snapshot().unwrap();
    let (all, _) = run(&snapshot, &Plan::default());
    let mut ids: Vec<TraceId> = all.iter().map(TraceReplay::trace_id).collect();
    assert!(ids.is_sorted());
    let expected: Vec<TraceReplay> = all.into_iter().step_by(3).collect();
    ids = ids.into_iter().step_by(3).collect();
    for turn in 0..3 {
        ids.rotate_left(turn);
        ids.reverse();
        let twice = ids.iter().chain(&ids).copied();
        let (verdicts, summary) = run(&snapshot, &Plan { traces: twice.collect(), ..Plan::default() });
        assert_eq!(verdicts, expected);
        assert_eq!((summary.traces, summary.entries_checked), (expected.len() as u64, false));
    }
}

/// Counts verdicts and events, and stops where it is told to.
#[derive(Default)]
struct Watcher {
    verdicts: Vec<TraceId>,
    events: Vec<Event>,
    stop_at_verdict: Option<usize>,
    stop_at_event: Option<usize>,
}

impl ReplaySink for Watcher {
    fn verdict(&mut self, replay: TraceReplay) -> ControlFlow<()> {
        self.verdicts.push(replay.trace_id());
        stop_when(self.stop_at_verdict == Some(self.verdicts.len()))
    }

    fn event(&mut self, event: &Event) -> ControlFlow<()> {
        self.events.push(event.clone());
        stop_when(self.stop_at_event == Some(self.events.len()))
    }
}

fn stop_when(stop: bool) -> ControlFlow<()> {
    if stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

fn watch(snapshot: &Snapshot, plan: &Plan, watcher: &mut Watcher) -> Result<Summary, ReplayError> {
    replay(snapshot, &Means::default(), plan, watcher)
}

#[test]
fn more_traces_than_a_chunk() {
    let lines: Vec<String> = (1..=600).flat_map(|trace| chain(trace, 0)).collect();
    let (_dir, ledger) = committed(&lines);
    let snapshot = ledger.snapshot().unwrap();
    let mut watcher = Watcher::default();
    let summary = watch(&snapshot, &Plan::default(), &mut watcher).unwrap();
    assert_eq!((summary.passed, summary.records, summary.gate_rechecked), (600, 1200, 1200));
    assert!(watcher.verdicts.is_sorted());
    let progress = |traces| Event::TracesReplayed { traces, total: None, entries: 2 * traces };
    assert_eq!(
        watcher.events,
        [Event::EntriesChecked { checked: 1201, total: 1201 }, progress(256), progress(512), progress(600)]
    );

    let traces: Selection = watcher.verdicts.iter().copied().collect();
    let mut chosen = Watcher::default();
    watch(&snapshot, &Plan { traces, ..Plan::default() }, &mut chosen).unwrap();
    assert_eq!(chosen.verdicts, watcher.verdicts);
    let last = Event::TracesReplayed { traces: 600, total: Some(600), entries: 1200 };
    assert_eq!(chosen.events.last(), Some(&last));
}

#[test]
fn a_sink_stops_a_run() {
    let lines: Vec<String> = (1..=300).flat_map(|trace| chain(trace, 0)).collect();
    let (_dir, ledger) = committed(&lines);
    let snapshot = ledger.snapshot().unwrap();
    for (stop_at_verdict, stop_at_event, given) in
        [(Some(1), None, 1), (Some(257), None, 257), (None, Some(1), 0), (None, Some(2), 256)]
    {
        let mut watcher = Watcher { stop_at_verdict, stop_at_event, ..Watcher::default() };
        let error = watch(&snapshot, &Plan::default(), &mut watcher).unwrap_err();
        assert!(matches!(error, ReplayError::Stopped));
        assert_eq!(watcher.verdicts.len(), given);
    }
}

#[test]
fn unlisted_traces_are_told_of() {
    let (_dir, ledger) = committed(&chain(1, 0)[1..]);
    let mut watcher = Watcher::default();
    watch(&ledger.snapshot().unwrap(), &Plan::default(), &mut watcher).unwrap();
    let told = watcher.events.iter().filter_map(|event| match event {
        Event::Unlisted(unlisted) => Some((unlisted.trace_id.to_string(), unlisted.attempts)),
        _ => None,
    });
    assert_eq!(told.collect::<Vec<_>>(), [(format!("{:032x}", 1), 1)]);
}

#[test]
fn one_trace_of_a_hundred_thousand_records() {
    let head = chain(1, 0);
    let (context, decision) = (hash_of(&head[0]), hash_of(&head[1]));
    let call = |number: u32| {
        // One span for all, with a parent of its own in each: as many conflicts as there are records.
        let place = Place { trace: 1, span: 3, parent: Some(number) };
        tool_call_at(place, &context, &decision, (1200 + u64::from(number % 977), 5000))
    };
    let (_dir, ledger) = fresh(Options::default());
    common::commit(&ledger, &head);
    for numbers in (10..100_010).collect::<Vec<u32>>().chunks(5000) {
        let lines: Vec<String> = numbers.iter().map(|number| call(*number)).collect();
        common::commit(&ledger, &lines);
    }
    // And many attempts at the same thing.
    let (again, wrong) = (call(10), "0".repeat(64));
    ledger.commit_actions(&vec![declared("tool_call", &wrong, &again); 5000], NOW_MS).unwrap();
    let snapshot = ledger.snapshot().unwrap();
    let plan = Plan { include_rejected: true, ..on(2) };
    let (verdicts, summary) = run(&snapshot, &plan);
    assert_eq!((summary.passed, summary.records, summary.gate_rechecked), (1, 105_002, 100_002));
    assert_eq!(summary.entries, 105_003);
    // No record is on any of the parents.
    let codes: Vec<_> = summary.findings.iter().map(|(code, count)| (code.as_str(), *count)).collect();
    assert_eq!(codes, [("PARENT_SPAN_MISSING", 100_000), ("CONFLICTING_PARENT", 1)]);
    let listed: usize = verdicts[0].findings().iter().map(|finding| finding.records.len()).sum();
    assert!(listed <= 300_000, "{listed}");

    // The other questions, of the same trace.
    let (verdicts, summary) = run(&snapshot, &Plan { mode: Mode::Invariant, ..plan.clone() });
    assert_eq!((summary.passed, summary.records, summary.gate_rechecked), (1, 105_002, 100_002));
    assert_eq!(verdicts[0].findings().len(), 100_001);
    let itself = Pairs::against(verdicts[0].trace_id(), [verdicts[0].trace_id()]);
    let (verdicts, summary) = run(&snapshot, &Plan::constrained(itself, VariancePolicy::NOTHING));
    assert_eq!((summary.passed, summary.records), (1, 200_004));
    assert!(verdicts[0].differences().is_empty());
}

#[test]
fn a_hundred_thousand_traces_of_one_record() {
    let (_dir, ledger) = fresh(Options::default());
    for numbers in (1..=100_000).collect::<Vec<u32>>().chunks(5000) {
        let lines: Vec<String> =
            numbers.iter().map(|number| common::evidence::auth_context(*number, "staff/ines")).collect();
        common::commit(&ledger, &lines);
    }
    let snapshot = ledger.snapshot().unwrap();
    for mode in [Mode::Forensic, Mode::Invariant] {
        let mut watcher = Watcher::default();
        let summary = watch(&snapshot, &Plan { mode, ..on(2) }, &mut watcher).unwrap();
        assert_eq!((summary.passed, summary.records, summary.verified), (100_000, 100_000, 100_000));
        assert!(summary.findings.is_empty());
        assert!(watcher.verdicts.is_sorted() && watcher.verdicts.len() == 100_000);
    }
}

#[test]
fn invariant_output_is_the_same_on_any_number_of_threads() {
    let (_dir, ledger) = agent_work(Options { segment_bytes: 1 << 16, ..Options::default() });
    let snapshot = ledger.snapshot().unwrap();
    for include_rejected in [false, true] {
        let plan = |threads| Plan { mode: Mode::Invariant, include_rejected, ..on(threads) };
        let expected = output(&snapshot, &plan(1));
        assert_eq!(output(&snapshot, &plan(2)), expected);
        assert_eq!(output(&snapshot, &plan(8)), expected);
    }
}

/// The work that ships and the same after a model change, pair by pair, as the reference has them.
#[test]
fn the_evidence_that_ships_against_the_same_after_a_model_change() {
    let expected = golden("evidence/expected-pairs.json");
    let (_dir, ledger) = agent_work(Options { segment_bytes: 1 << 16, ..Options::default() });
    bring_in(&ledger, "evidence/agent-work-after-model-change.jsonl");
    let snapshot = ledger.snapshot().unwrap();
    let pairs = Pairs::parse(&std::fs::read(vectors().join("evidence/pairs.jsonl")).unwrap()).unwrap();
    assert_eq!(pairs.len(), expected.items("pairs").len());
    for (name, policy) in [("none", VariancePolicy::NOTHING), ("model-output", VariancePolicy::MODEL_OUTPUT)]
    {
        let plan = |threads| Plan {
            threads: NonZeroUsize::new(threads),
            ..Plan::constrained(pairs.clone(), policy.clone())
        };
        let (verdicts, _) = run(&snapshot, &plan(2));
        for row in expected.items("pairs") {
            let of_row = |replay: &&TraceReplay| {
                let baseline = replay.baseline().unwrap().to_string();
                (baseline.as_str(), replay.trace_id().to_string().as_str())
                    == (row.text("baseline"), row.text("candidate"))
            };
            let (replay, row) = (verdicts.iter().find(of_row).unwrap(), row.at(name));
            assert_eq!(&replay.result.to_value(), row.at("record"));
            assert_eq!(replay.artifact_sha256.to_string(), row.text("artifact_sha256"));
            for (member, allowed) in [("allowed", true), ("not_allowed", false)] {
                let mut found = std::collections::BTreeMap::<&str, u64>::new();
                for it in replay.differences().iter().filter(|it| it.allowed == allowed) {
                    *found.entry(it.kind.as_str()).or_default() += 1;
                }
                let wanted = row.at(member).as_object().unwrap();
                let wanted = wanted.names().map(|kind| (kind, row.at(member).number(kind))).collect();
                assert_eq!(found, wanted);
            }
        }
        let lines = output(&snapshot, &plan(1));
        assert_eq!(lines.len(), pairs.len() + 1);
        assert_eq!(output(&snapshot, &plan(8)), lines);
    }

    // Each trace by itself, and what is suspicious in it where all payloads but six are at hand.
    let store = payloads();
    put_payloads(&store, "evidence/payloads-after-model-change.jsonl");
    let mut verdicts = Vec::new();
    let plan = Plan { mode: Mode::Invariant, ..on(2) };
    replay(&snapshot, &Means::payloads(&store), &plan, &mut verdicts).unwrap();
    let found: BTreeSet<String> = verdicts.iter().map(|replay| replay.artifact_sha256.to_string()).collect();
    let rows = expected.items("invariant").iter().filter(|row| row.at("record").text("result") == "pass");
    let wanted: BTreeSet<String> = rows.map(|row| row.text("artifact_sha256").to_owned()).collect();
    assert_eq!(found, wanted);
    let mut found = std::collections::BTreeMap::<(String, &str), BTreeSet<u64>>::new();
    for replay in &verdicts {
        for finding in replay.findings() {
            let concerned = found.entry((replay.trace_id().to_string(), finding.code.as_str())).or_default();
            concerned.extend(finding.seqs.iter().map(|seq| seq.get()));
        }
    }
    let number = |value: &Value| value.as_number().unwrap().literal().parse().unwrap();
    let wanted = expected.items("findings").iter().map(|row| {
        let seqs = row.items("seqs").iter().map(number).collect();
        ((row.text("trace_id").to_owned(), row.text("code")), seqs)
    });
    assert_eq!(found, wanted.collect());
}
