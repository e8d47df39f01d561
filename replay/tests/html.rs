//! Pages, read back by a reader that shares nothing with the writer: whatever evidence says is text, every
//! statement has its mark, and the same verdicts give the same bytes.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::num::NonZeroUsize;

use common::evidence::{self, Place};
use common::forge::{self, Forged};
use common::strict_html::{self, Page};
use common::{commit, committed, fresh, run};
use proofline_canon::{ContentStore, MemoryStore, Sha256Digest};
use proofline_ledger::{Ledger, Options, Snapshot};
use proofline_replay::html::{HtmlReport, HtmlVersions, HtmlWritten, TreeLimits};
use proofline_replay::{Mode, Plan, Summary, TraceReplay};
use proofline_trace::{EnvelopeHash, Finding, FindingCode, TraceId};
use proptest::prelude::*;

fn versions() -> HtmlVersions {
    HtmlVersions { proofline: "0.0.0".to_owned(), policy_engine: None }
}

fn trace_id(number: u32) -> TraceId {
    format!("{number:032x}").parse().unwrap()
}

fn hash(line: &str) -> String {
    evidence::hash_of(line)
}

/// A context, a decision and two calls of one trace.
fn work(trace: u32) -> Vec<String> {
    let context = evidence::auth_context(trace, "staff/ines");
    let decision = evidence::decision(trace, &hash(&context), "allow");
    let (of, by) = (hash(&context), hash(&decision));
    let tool = evidence::tool_call(trace, &of, &by, 3);
    let model = evidence::model_call(trace, &of, &by, (7, 5, 12));
    vec![context, decision, tool, model]
}

fn run_page(
    snapshot: &Snapshot,
    summary: &Summary,
    verdicts: &Vec<TraceReplay>,
    limits: TreeLimits,
) -> Vec<u8> {
    run_written(snapshot, summary, verdicts, limits).0
}

fn run_written(
    snapshot: &Snapshot,
    summary: &Summary,
    verdicts: &Vec<TraceReplay>,
    limits: TreeLimits,
) -> (Vec<u8>, HtmlWritten) {
    let (versions, mut out) = (versions(), Vec::new());
    let report = HtmlReport { snapshot, payloads: None, versions: &versions };
    let written = report.run(summary, verdicts, &limits, &mut out).unwrap();
    (out, written)
}

fn trace_page(snapshot: &Snapshot, payloads: Option<&MemoryStore>, trace: TraceId) -> Page {
    let plan = |mode| Plan { mode, traces: [trace].into_iter().collect(), ..Plan::default() };
    let mut verdicts = run(snapshot, &plan(Mode::Forensic)).0;
    verdicts.extend(run(snapshot, &plan(Mode::Invariant)).0);
    let (versions, mut out) = (versions(), Vec::new());
    let payloads = payloads.map(|store| store as &(dyn ContentStore + Sync));
    let report = HtmlReport { snapshot, payloads, versions: &versions };
    report.trace(trace, &verdicts, &mut out).unwrap();
    strict_html::read(&out)
}

fn drift_page(snapshot: &Snapshot, payloads: &MemoryStore, a: TraceId, b: TraceId) -> (Page, HtmlWritten) {
    let plan = Plan { mode: Mode::Invariant, traces: [a, b].into_iter().collect(), ..Plan::default() };
    let (versions, mut out) = (versions(), Vec::new());
    let report = HtmlReport { snapshot, payloads: Some(payloads), versions: &versions };
    let written = report.drift(a, b, &run(snapshot, &plan).0, &mut out).unwrap();
    (strict_html::read(&out), written)
}

/// Four traces: two pass, one is of a forged decision that the gate would refuse, one has a finding.
fn mixed(dir: &std::path::Path) -> Snapshot {
    let mut entries = Vec::new();
    let mut add = |lines: Vec<String>| {
        for line in lines {
            entries.push(Forged::accepted(entries.len() as u64 + 1, &line));
        }
    };
    add(work(1));
    add(work(2));
    // The decision names a context that nobody committed.
    add(vec![evidence::decision(3, &"7".repeat(64), "allow")]);
    let context = evidence::auth_context(4, "staff/omar");
    let decision = evidence::decision(4, &hash(&context), "allow");
    let odd = evidence::model_call(4, &hash(&context), &hash(&decision), (7, 5, 13));
    add(vec![context, decision, odd]);
    forge::ledger(dir, &entries)
}

#[test]
fn failures_come_first_then_findings_then_passes() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = mixed(dir.path());
    let (verdicts, summary) = run(&snapshot, &Plan::default());
    let (bytes, written) = run_written(&snapshot, &summary, &verdicts, TreeLimits::default());
    assert_eq!((written.traces, written.failed, written.trees), (4, 1, 4));
    let page = strict_html::read(&bytes);
    let at = |text: &str| page.text.find(text).unwrap_or_else(|| panic!("no {text}"));
    let in_part =
        |part: &str, trace: u32| at(part) + page.text[at(part)..].find(&trace_id(trace).to_string()).unwrap();
    let places = [
        at("Not done"),
        at("at the check prerequisite"),
        in_part("Passed with findings", 4),
        at("USAGE_TOTAL_MISMATCH The"),
        at("Records of passes"),
    ];
    assert!(places.is_sorted(), "{places:?}");
    assert!(page.text.contains("1 of 4 traces failed"), "the title");
    assert_eq!((page.count("fail"), page.count("odd"), page.count("pass")), (1, 1, 2));
    // The hash that is missing stands there as the failing check's.
    assert!(page.text.contains("at the check prerequisite"));
}

#[test]
fn limits_are_kept_and_said() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = mixed(dir.path());
    let (verdicts, summary) = run(&snapshot, &Plan::default());
    let pages = [(TreeLimits { passes: 1, records: 100 }, 3), (TreeLimits { passes: 9, records: 4 }, 2)];
    for (limits, trees) in pages {
        let (bytes, written) = run_written(&snapshot, &summary, &verdicts, limits);
        assert_eq!(written.trees, trees, "{limits:?}");
        let page = strict_html::read(&bytes);
        assert!(page.text.contains("proofline html DIR --trace"), "{limits:?}");
    }
    // Of four records the failure's one is drawn, and then the finding's three.
    let (bytes, written) = run_written(&snapshot, &summary, &verdicts, TreeLimits { passes: 9, records: 3 });
    assert_eq!(written.trees, 1);
    assert!(strict_html::read(&bytes).text.contains("this page has as many as it may"));
}

#[test]
fn the_bytes_rest_on_the_verdicts_alone() {
    let lines: Vec<String> = (1..40).flat_map(work).collect();
    let (_dir, ledger) = committed(&lines);
    let snapshot = ledger.snapshot().unwrap();
    let page = |threads| {
        let plan = Plan { threads: NonZeroUsize::new(threads), ..Plan::default() };
        let (verdicts, summary) = run(&snapshot, &plan);
        run_page(&snapshot, &summary, &verdicts, TreeLimits::default())
    };
    let one = page(1);
    assert_eq!(one, page(1));
    assert_eq!(one, page(4));
}

/// How often each mark stands within the records of a page.
fn marks(page: &Page) -> [usize; 3] {
    // The legend has one of each.
    ["v", "i", "n"]
        .map(|class| page.elements.iter().filter(|(_, it)| *it == format!("s {class}")).count() - 1)
}

#[test]
fn each_statement_has_the_mark_that_the_page_on_marks_gives_it() {
    let (_dir, ledger) = committed(&work(1));
    let snapshot = ledger.snapshot().unwrap();
    let page = trace_page(&snapshot, None, trace_id(1));
    // Two verdicts and four records are verified. The head infers five things of a run that did not check every
    // entry, the timeline one, each record one. Of two calls both payloads and the execution, and of the decision
    // the policy, are not replayed.
    let head = 4 + usize::from(page.text.contains("anchored by the published size"));
    assert_eq!(marks(&page), [2 + 4, head + 1 + 4, 2 * 3 + 1]);

    // The same with the payloads of the tool call and the request of the model call at hand.
    let store = MemoryStore::new();
    for payload in ["request 13", "response 13", "request 9"] {
        store.put(&Sha256Digest::of(payload.as_bytes()), payload.as_bytes()).unwrap();
    }
    let page = trace_page(&snapshot, Some(&store), trace_id(1));
    assert_eq!(marks(&page)[0], 2 + 4 + 3);
    assert_eq!(page.text.matches("the payload is at hand and has this hash").count(), 3);
    assert_eq!(page.text.matches("the payload is not at hand").count(), 1);
}

#[test]
fn nothing_behind_the_failing_check_is_called_verified() {
    let dir = tempfile::tempdir().unwrap();
    let lines = work(1);
    let mut entries: Vec<Forged> =
        lines.iter().zip(1..).map(|(line, seq)| Forged::accepted(seq, line)).collect();
    // The decision stands under another key: second in the chain, so the context alone was proven.
    entries[1].key = "9".repeat(64).parse::<EnvelopeHash>().unwrap();
    let snapshot = forge::ledger(dir.path(), &entries);
    let page = trace_page(&snapshot, None, trace_id(1));
    assert!(page.text.contains("The trace fails"));
    assert_eq!(page.text.matches("checked: bytes, schema, hash").count(), 1);
    assert_eq!(page.text.matches("the run ended before this record, or at it").count(), 3);
    assert_eq!(page.text.matches("fails the check envelope_hash").count(), 1);
}

#[test]
fn a_tree_of_any_depth_can_be_opened() {
    let context = evidence::auth_context(1, "staff/ines");
    let decision = evidence::decision(1, &hash(&context), "allow");
    let (of, by) = (hash(&context), hash(&decision));
    let mut lines = vec![context, decision];
    for number in 10..600_u32 {
        let parent = if number == 10 { 2 } else { number - 1 };
        let place = Place { trace: 1, span: number, parent: Some(parent) };
        lines.push(evidence::tool_call_at(place, &of, &by, (1200, 1210)));
    }
    let (_dir, ledger) = committed(&lines);
    let page = trace_page(&ledger.snapshot().unwrap(), None, trace_id(1));
    // Browsers give up at 512.
    assert!(page.depth < 200, "{}", page.depth);
    assert!(page.text.contains("591 spans above"));
}

#[test]
fn two_runs_stand_side_by_side() {
    let (_dir, ledger) =
        committed(&[pair_side(1, "the same", "one"), pair_side(2, "the same", "other")].concat());
    let store = MemoryStore::new();
    for text in ["the same", "one", "other"] {
        store.put(&Sha256Digest::of(text.as_bytes()), text.as_bytes()).unwrap();
    }
    let snapshot = ledger.snapshot().unwrap();
    let (page, written) = drift_page(&snapshot, &store, trace_id(1), trace_id(2));
    assert!(written.differs);
    assert_eq!((page.count("pr"), page.count("ch"), page.count("oa"), page.count("ob")), (3, 1, 0, 0));
    assert!(page.text.contains("The runs differ"));
    assert_eq!(page.elements.iter().filter(|(name, _)| name == "mark").count(), 2);
    let (page, written) = drift_page(&snapshot, &store, trace_id(1), trace_id(1));
    assert!(!written.differs);
    assert!(page.text.contains("The runs do not differ"));
}

/// Work whose one call has these payloads.
fn pair_side(trace: u32, request: &str, response: &str) -> Vec<String> {
    let context = evidence::auth_context(trace, "staff/ines");
    let decision = evidence::decision(trace, &hash(&context), "allow");
    let place = Place { trace, span: 3, parent: Some(2) };
    let rests_on = (hash(&context), hash(&decision));
    let rests_on = (rests_on.0.as_str(), rests_on.1.as_str());
    let call = evidence::call(place, rests_on, 1200, (request, response), "ok", None);
    vec![context, decision, call]
}

/// Texts that would like to be something else.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("</script><script>alert(1)</script>".to_owned()),
        Just("</style></title><img src=x onerror=alert(1)>".to_owned()),
        Just("\" onmouseover=\"alert(1)\" x='".to_owned()),
        Just("<!--".to_owned()),
        Just("]]>".to_owned()),
        Just("&lt;&#0;&amp".to_owned()),
        Just("\u{0}\u{1b}[2J\u{7f}\u{9b}\r\n\t".to_owned()),
        Just("\u{202e}gpj.exe\u{2066}\u{200b}\u{feff}\u{e0041}".to_owned()),
        Just("\u{fffe}\u{10ffff}".to_owned()),
        any::<String>(),
    ];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

/// What a page shows of a text in a line, where it is not cut. Written down again for the test, from docs/html.md.
fn spelled(text: &str) -> Vec<&str> {
    // Runs of letters and digits that need no spelling must stand there as they are.
    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|run| run.len() > 2).collect()
}

fn with_issuer(line: &str, issuer: &str) -> String {
    let issuer: String = issuer.chars().filter(|c| !c.is_control()).take(200).collect();
    let mut quoted = String::new();
    for c in issuer.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c => quoted.push(c),
        }
    }
    line.replace("https://id.example", &format!("x{quoted}"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn whatever_evidence_says_is_text(issuer in hostile(), message in hostile(), one in hostile(), other in hostile()) {
        let mut lines = pair_side(1, &one, &other);
        lines[0] = with_issuer(&lines[0], &issuer);
        let context = hash(&lines[0]);
        lines[1] = evidence::decision(1, &context, "allow");
        let decision = hash(&lines[1]);
        let place = Place { trace: 1, span: 3, parent: Some(2) };
        lines[2] = evidence::call(place, (&context, &decision), 1200, (&one, &other), "ok", None);
        lines.extend(pair_side(2, &other, &one));
        let (_dir, ledger) = fresh(Options::default());
        commit(&ledger, &lines);
        let snapshot = ledger.snapshot().unwrap();
        let store = MemoryStore::new();
        for text in [&one, &other] {
            store.put(&Sha256Digest::of(text.as_bytes()), text.as_bytes()).unwrap();
        }
        // The reader panics at whatever is no text.
        trace_page(&snapshot, Some(&store), trace_id(1));
        drift_page(&snapshot, &store, trace_id(1), trace_id(2));
        hostile_run(&ledger, &message, &one);
    }
}

/// The report of a run whose verdicts say what no replay would.
fn hostile_run(ledger: &Ledger, message: &str, expected: &str) {
    let snapshot = ledger.snapshot().unwrap();
    let (mut verdicts, summary) = run(&snapshot, &Plan::default());
    let missing = Plan { traces: [trace_id(99)].into_iter().collect(), ..Plan::default() };
    let mut failed = run(&snapshot, &missing).0.remove(0);
    let failure = &mut failed.diagnostics.failures[0];
    failure.message = message.to_owned();
    failure.expected = Some(expected.to_owned());
    verdicts[0].diagnostics.findings.push(Finding::new(FindingCode::EndBeforeStart, message));
    verdicts.push(failed);
    let page = strict_html::read(&run_page(&snapshot, &summary, &verdicts, TreeLimits::default()));
    if message.chars().count() <= 2_000 {
        for run in spelled(message) {
            assert!(page.text.contains(run), "{run}");
        }
    }
}
