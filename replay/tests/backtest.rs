//! Back-tests against the independent reference: what another policy would have said of the work that ships, of which
//! traces nothing is said, and the report as an artifact of the ledger.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use common::decided::evidence;
use common::forge::Forged;
use common::{Look, NOW_MS, golden, vectors};
use proofline_canon::{Profile, Sha256Digest, Value};
use proofline_ledger::{Action, ArtifactKind, EntryStatus, Outcome, Snapshot, verify};
use proofline_policy::CedarEngine;
use proofline_replay::{
    Backtest, BacktestError, BacktestPlan, BacktestSink, BacktestTable, ChangedDecision, Means, Pairs,
    Selection, backtest, record_backtest,
};
use proofline_trace::{BacktestRecord, Failure, SafeInt, TraceId};

fn next() -> Vec<u8> {
    std::fs::read(vectors().join("redecisions/next.cedar")).unwrap()
}

fn plan() -> BacktestPlan {
    BacktestPlan { policy: next(), ..BacktestPlan::default() }
}

fn means() -> Means<'static> {
    Means { payloads: None, policies: Some(&CedarEngine), ..Means::default() }
}

/// All that is told.
#[derive(Default)]
struct Heard {
    changed: Vec<ChangedDecision>,
    skipped: Vec<(TraceId, String)>,
}

impl BacktestSink for Heard {
    fn changed(&mut self, changed: ChangedDecision) -> ControlFlow<()> {
        self.changed.push(changed);
        ControlFlow::Continue(())
    }

    fn skipped(&mut self, trace_id: TraceId, failure: &Failure) -> ControlFlow<()> {
        self.skipped.push((trace_id, failure.class.to_string()));
        ControlFlow::Continue(())
    }
}

fn asked(snapshot: &Snapshot, plan: &BacktestPlan) -> (Heard, Backtest) {
    let mut heard = Heard::default();
    let report = backtest(snapshot, &means(), plan, &mut heard).unwrap();
    (heard, report)
}

fn output(snapshot: &Snapshot, plan: &BacktestPlan) -> Vec<Vec<u8>> {
    let (heard, report) = asked(snapshot, plan);
    let values = heard.changed.iter().map(ChangedDecision::to_value).chain([report.to_value()]);
    values.map(|value| value.to_canonical(Profile::Envelope).unwrap()).collect()
}

fn assert_table(table: &BacktestTable, expected: &[Value]) {
    assert_eq!(table.rows.len(), expected.len());
    for ((name, count), row) in table.rows.iter().zip(expected) {
        assert_eq!(name, row.text("name"));
        let counted = [count.same, count.allow_to_deny, count.deny_to_allow, count.other_reasons];
        let names = ["same", "allow_to_deny", "deny_to_allow", "other_reasons"];
        assert_eq!(counted, names.map(|it| row.number(it)), "{name}");
    }
    assert_eq!(table.others.same + table.others.changed(), 0);
}

#[test]
fn the_work_that_ships_under_another_policy() {
    let file = golden("redecisions/expected.json");
    let (expected, (_dir, ledger)) = (file.at("backtest"), evidence());
    let (heard, report) = asked(&ledger.snapshot().unwrap(), &plan());
    assert_eq!(report.policy_sha256.to_string(), expected.text("policy_sha256"));
    let (counts, totals) = (report.counts, expected.at("totals"));
    for (found, name) in [
        (counts.traces, "traces"),
        (counts.decisions, "decisions"),
        (counts.same, "same"),
        (counts.allow_to_deny, "allow_to_deny"),
        (counts.deny_to_allow, "deny_to_allow"),
        (counts.other_reasons, "other_reasons"),
        (counts.policy_errors, "policy_errors"),
        (counts.calls_lost, "calls_lost"),
        (counts.refused_calls, "refused_calls"),
    ] {
        assert_eq!(found, totals.number(name), "{name}");
    }
    assert_eq!((counts.traces_skipped, report.damage_count, report.changes()), (0, 0, true));
    assert_table(&report.actors, expected.items("actors"));
    assert_table(&report.actions, expected.items("actions"));
    assert_table(&report.resources, expected.items("resources"));
    assert_eq!(heard.changed.len(), expected.items("changed").len());
    for (found, row) in heard.changed.iter().zip(expected.items("changed")) {
        assert_eq!(found.trace_id.to_string(), row.text("trace_id"));
        assert_eq!((found.seq.get(), found.change.as_str()), (row.number("seq"), row.text("kind")));
        let value = found.to_value();
        let changed = value.at("changed");
        // The order of members in a value says nothing.
        for side in ["recorded", "other"] {
            let canonical = |value: &Value| value.to_canonical(Profile::Envelope).unwrap();
            assert_eq!(canonical(changed.at(side)), canonical(row.at(side)));
        }
        let calls: Vec<(u64, &str)> =
            found.calls.iter().map(|call| (call.seq.get(), call.record_type.as_str())).collect();
        let wanted = row.items("calls").iter();
        let wanted: Vec<(u64, &str)> =
            wanted.map(|call| (call.number("seq"), call.text("record_type"))).collect();
        assert_eq!(calls, wanted);
    }
}

/// Every decision fails, so all that was allowed would be denied for one reason.
#[test]
fn a_policy_that_fails_denies_and_names_the_statement() {
    let text = br#"
        @id("all") permit(principal, action, resource);
        @id("odd") permit(principal, action, resource) when { principal.budget > 0 };
    "#;
    let (_dir, ledger) = evidence();
    let (heard, report) =
        asked(&ledger.snapshot().unwrap(), &BacktestPlan { policy: text.to_vec(), ..plan() });
    let file = golden("redecisions/expected.json");
    let totals = file.at("backtest").at("totals");
    let counts = report.counts;
    assert_eq!(
        (counts.decisions, counts.policy_errors),
        (totals.number("decisions"), totals.number("decisions"))
    );
    assert_eq!(counts.deny_to_allow, 0);
    for changed in &heard.changed {
        assert_eq!(changed.failed_statements, ["odd"]);
        let codes: Vec<&str> = changed.other.reason_codes.iter().map(|code| code.as_str()).collect();
        assert_eq!(codes, ["policy-error"]);
    }
}

#[test]
fn the_same_bytes_for_any_number_of_threads() {
    let (_dir, ledger) = evidence();
    let snapshot = ledger.snapshot().unwrap();
    let on =
        |threads: usize| output(&snapshot, &BacktestPlan { threads: NonZeroUsize::new(threads), ..plan() });
    let alone = on(1);
    assert!(alone.len() > 50);
    assert_eq!(alone, on(2));
    assert_eq!(alone, on(5));
}

/// A trace by itself gives what it gives among all others; one that is not there is told.
#[test]
fn chosen_traces_and_their_sums() {
    let (_dir, ledger) = evidence();
    let snapshot = ledger.snapshot().unwrap();
    let (all, report) = asked(&snapshot, &plan());
    let traces = snapshot.traces_after(None, 100).unwrap();
    let (mut changed, mut decisions) = (Vec::new(), 0);
    for trace in &traces {
        let plan = BacktestPlan { traces: Selection::from_iter([*trace]), ..plan() };
        let (heard, one) = asked(&snapshot, &plan);
        assert_eq!((one.counts.traces, one.chosen.as_deref()), (1, Some(&[*trace][..])));
        changed.extend(heard.changed);
        decisions += one.counts.decisions;
    }
    assert_eq!((changed, decisions), (all.changed, report.counts.decisions));
    let nowhere: TraceId = "f".repeat(32).parse().unwrap();
    let plan = BacktestPlan { traces: Selection::from_iter([traces[0], nowhere]), ..plan() };
    let (heard, report) = asked(&snapshot, &plan);
    assert_eq!((report.counts.traces, report.counts.traces_skipped), (1, 1));
    assert_eq!(heard.skipped, [(nowhere, "REPLAY_CHAIN_NOT_FOUND".to_owned())]);
}

/// A decision counts by its record, whatever its own policy says of it; records that do not hold count for nothing.
#[test]
fn a_trace_whose_records_do_not_hold_is_not_asked_about() {
    let cases = golden("redecisions/cases.json");
    let asked_about = |wanted: &str| {
        let case = cases.items("cases").iter().find(|case| case.text("name") == wanted).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let entries: Vec<Forged> = case.items("entries").iter().map(Forged::of).collect();
        asked(&common::forge::ledger(dir.path(), &entries), &plan())
    };
    let (heard, report) = asked_about("a prerequisite missing and a decision wrong");
    assert_eq!(heard.skipped.len(), 1);
    assert_eq!(heard.skipped[0].1, "MISSING_PREREQ");
    assert_eq!((report.counts.traces_skipped, report.counts.decisions, report.changes()), (1, 0, false));
    let (heard, report) = asked_about("a denial recorded as an allow");
    assert!(heard.skipped.is_empty());
    assert_eq!((report.counts.decisions, report.counts.allow_to_deny), (1, 1));
}

#[test]
fn what_cannot_be_asked_is_refused() {
    let (_dir, ledger) = evidence();
    let snapshot = ledger.snapshot().unwrap();
    let refused = |means: &Means<'_>, plan: &BacktestPlan| {
        backtest(&snapshot, means, plan, &mut Vec::new()).unwrap_err()
    };
    assert_eq!(refused(&Means::default(), &plan()).code(), "backtest.no_engine");
    let pairs = BacktestPlan { traces: Selection::Pairs(Pairs::default()), ..plan() };
    assert_eq!(refused(&means(), &pairs).code(), "backtest.pairs");
    let broken = BacktestPlan { policy: b"permit(principal, action, resource);".to_vec(), ..plan() };
    assert!(
        matches!(refused(&means(), &broken), BacktestError::Policy(error) if error.code() == "cedar.no_id")
    );
    let nonsense = BacktestPlan { policy: b"let me in".to_vec(), ..plan() };
    assert_eq!(refused(&means(), &nonsense).code(), "cedar.syntax");
}

/// A policy under which nothing is otherwise: that of one trace's own decisions.
#[test]
fn nothing_changes_under_the_policy_that_decided() {
    let text = std::fs::read(vectors().join("redecisions/payloads/desk.cedar")).unwrap();
    let cases = golden("redecisions/cases.json");
    let case = cases.items("cases").iter().find(|case| case.text("name") == "another context spliced in");
    let entries: Vec<Forged> = case.unwrap().items("entries").iter().map(Forged::of).take(2).collect();
    let dir = tempfile::tempdir().unwrap();
    let snapshot = common::forge::ledger(dir.path(), &entries);
    let (heard, report) = asked(&snapshot, &BacktestPlan { policy: text, ..plan() });
    assert_eq!((heard.changed.len(), report.counts.traces, report.changes()), (0, 1, false));
}

#[test]
fn the_report_is_an_artifact_of_the_log_that_it_is_about() {
    let (dir, ledger) = evidence();
    let snapshot = ledger.snapshot().unwrap();
    let (_, report) = asked(&snapshot, &plan());
    let root = snapshot.tree().root(snapshot.entries()).unwrap();
    let place = record_backtest(&ledger, &report, NOW_MS).unwrap();
    assert_eq!((place.seq.get(), place.duplicate), (snapshot.entries(), false));
    assert!(record_backtest(&ledger, &report, NOW_MS).unwrap().duplicate);
    let entry = ledger.snapshot().unwrap().entry(place.seq).unwrap().unwrap();
    assert!(matches!(entry.header.status, EntryStatus::Artifact) && entry.header.trace.is_none());
    let Ok(ArtifactKind::PolicyBacktest(record)) = ArtifactKind::read(&entry.body) else { panic!() };
    assert_eq!(record.policy_sha256, Sha256Digest::of(&next()));
    assert_eq!(record.root.as_bytes(), root.as_bytes());
    assert_eq!((record.log_size.get(), record.counts.decisions.get()), (snapshot.entries(), 84));
    assert_eq!(record.trace_ids, None);

    // About another root, nothing, or more than there is, it is refused.
    let int = |value: u64| SafeInt::new(value).unwrap();
    let bent = [
        BacktestRecord { root: Sha256Digest::of(b"elsewhere"), ..record.clone() },
        BacktestRecord { log_size: int(0), ..record.clone() },
        BacktestRecord { log_size: int(snapshot.entries() - 1), ..record.clone() },
        BacktestRecord { log_size: int(snapshot.entries() + 9), ..record },
    ];
    for record in bent {
        match ledger.commit_action(&Action::Artifact(&record.canonical()), NOW_MS).unwrap() {
            Outcome::ArtifactRefused(refusal) => assert_eq!(refusal.code(), "ledger.artifact_log"),
            other => panic!("{other:?}"),
        }
    }
    assert!(verify(dir.path().join("ledger"), &mut |_| ()).unwrap().is_sound());
    // The report itself is about no trace and changes no back-test.
    let (_, again) = asked(&ledger.snapshot().unwrap(), &plan());
    assert_eq!(again.counts, report.counts);
}

/// Entries of the very group in which the report comes count too.
#[test]
fn a_report_about_entries_of_its_own_group_is_let_in() {
    let (_dir, ledger) = common::fresh(proofline_ledger::Options::default());
    let (_other_dir, other) = common::fresh(proofline_ledger::Options::default());
    let lines = common::evidence::chain(1, 2);
    common::commit(&other, &lines);
    let snapshot = other.snapshot().unwrap();
    let (_, report) = asked(&snapshot, &plan());
    record_backtest(&other, &report, NOW_MS).unwrap();
    let body = other
        .snapshot()
        .unwrap()
        .entry(proofline_ledger::Seq::new(snapshot.entries()))
        .unwrap()
        .unwrap()
        .body;
    let mut actions: Vec<Action<'_>> = lines.iter().map(|line| common::evidence::bare(line)).collect();
    actions.push(Action::Artifact(&body));
    let outcomes = ledger.commit_actions(&actions, NOW_MS).unwrap();
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Accepted { duplicate: false, .. })));
}
