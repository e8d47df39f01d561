//! A ledger, the list of what was put into it, and two ways to the same answers: a naive count
//! over that list, and the catalogue.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proofline_canon::{Limits, Profile, canonicalize};
use proofline_ledger::{Action, Catalogue, Genesis, Ledger, Options, Outcome, Seq, Snapshot};
use proofline_trace::{GenesisRecord, LedgerId, TraceId};

use crate::common::{NOW_MS, auth_context, bare, decision, declared, genesis, hash_of, tool_call};

/// What one entry is, written down by the test when it commits it: the catalogue's answers are
/// counted from this list and from nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    kind: &'static str,
    record_type: Option<&'static str>,
    refusal: Option<(&'static str, &'static str)>,
    trace: Option<u32>,
    name: Option<(&'static str, String)>,
    body_bytes: usize,
    hash: String,
}

pub(crate) fn canonical(json: &str) -> String {
    let bytes = canonicalize(json.as_bytes(), Profile::Envelope, &Limits::ENVELOPE).unwrap();
    String::from_utf8(bytes).unwrap()
}

pub(crate) fn model_call(trace: u32, context: &str, decision: &str, number: u32, model: &str) -> String {
    let call = tool_call(trace, context, decision, number);
    let call = call.replace("\"tool_call\"", "\"model_call\"").replace("\"adapter\"", "\"flow\"");
    let tool = r#""tool":{"adapter_id":"tickets","tool_name":"read"}"#;
    assert!(call.contains(tool));
    call.replace(tool, &format!(r#""model":{{"provider":"acme","model":"{model}"}}"#))
}

/// A ledger and the list of what is in it.
pub(crate) struct Work {
    pub(crate) ledger: Ledger,
    pub(crate) known: Vec<Known>,
    pending: Vec<Pending>,
}

/// Something to commit, and the place in the list where it belongs; none for a duplicate.
pub(crate) struct Pending {
    /// The record type of an envelope; none for an artifact.
    record_type: Option<&'static str>,
    body: String,
    seq: Option<usize>,
}

pub(crate) const DENIED: (&str, &str) = ("UNAUTHORIZED_EXECUTION", "unauthorized.policy_denied");
pub(crate) const MISMATCHED: (&str, &str) = ("HASH_MISMATCH", "hash_mismatch.envelope_hash");
pub(crate) const MISSING: (&str, &str) = ("MISSING_PREREQ", "missing_prereq.auth_context");

/// Small segments and groups, so that there are many.
pub(crate) const OPTIONS: Options =
    Options { segment_bytes: 30_000, group_records: 40, group_bytes: 1 << 20, limits: Limits::ENVELOPE };

impl Work {
    pub(crate) fn begin(path: &Path, ledger_id: u8) -> Self {
        let genesis = Genesis { ledger_id: LedgerId::from_bytes([ledger_id; 16]), ..genesis() };
        Ledger::init(path, &genesis).unwrap();
        let ledger = Ledger::open(path, OPTIONS).unwrap();
        let record =
            GenesisRecord { format_version: 1, ledger_id: genesis.ledger_id, origin: genesis.origin };
        let known = Known {
            kind: "genesis",
            record_type: None,
            refusal: None,
            trace: None,
            name: None,
            body_bytes: record.canonical().len(),
            hash: String::new(),
        };
        Work { ledger, known: vec![known], pending: Vec::new() }
    }

    pub(crate) fn reopen(path: &Path, known: Vec<Known>) -> Self {
        Work { ledger: Ledger::open(path, OPTIONS).unwrap(), known, pending: Vec::new() }
    }

    /// Commits what is pending and compares the outcomes with the list.
    fn settle(&mut self) {
        let wrong = "0".repeat(64);
        let pending = std::mem::take(&mut self.pending);
        let actions: Vec<_> = pending
            .iter()
            .map(|one| match (one.record_type, one.seq) {
                (None, _) => Action::Artifact(one.body.as_bytes()),
                (Some(record_type), Some(seq)) if self.known[seq].refusal == Some(MISMATCHED) => {
                    declared(record_type, &wrong, &one.body)
                }
                (Some(_), _) => bare(&one.body),
            })
            .collect();
        let outcomes = self.ledger.commit_actions(&actions, NOW_MS).unwrap();
        assert_eq!(outcomes.len(), pending.len());
        for (outcome, one) in outcomes.iter().zip(&pending) {
            let expected = one.seq.map(|seq| (seq as u64, self.known[seq].refusal));
            let found = match outcome {
                Outcome::Accepted { duplicate: true, .. } => None,
                Outcome::Accepted { seq, .. } => Some((seq.get(), None)),
                Outcome::Refused { rejection, seq, .. } => {
                    let (class, kind) = one.seq.and_then(|seq| self.known[seq].refusal).unwrap();
                    assert_eq!(
                        (rejection.classification.as_str(), rejection.kind.to_string()),
                        (class, kind.into())
                    );
                    Some((seq.unwrap().get(), Some((class, kind))))
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(found, expected);
        }
    }

    fn commit(
        &mut self,
        record_type: &'static str,
        trace: u32,
        name: (&'static str, &str),
        envelope: &str,
        refusal: Option<(&'static str, &'static str)>,
    ) -> String {
        let hash = hash_of(envelope);
        let seq = Some(self.known.len());
        self.pending.push(Pending { record_type: Some(record_type), body: envelope.to_owned(), seq });
        self.known.push(Known {
            kind: if refusal.is_none() { "accepted" } else { "rejected" },
            record_type: Some(record_type),
            refusal,
            trace: Some(trace),
            name: Some((name.0, name.1.to_owned())),
            body_bytes: canonical(envelope).len(),
            hash: hash.clone(),
        });
        hash
    }

    pub(crate) fn traces(&mut self, traces: impl IntoIterator<Item = u32>) {
        traces.into_iter().for_each(|trace| self.trace(trace));
        self.settle();
    }

    /// One trace of several kinds of entries; some of a trace's entries come after later traces began.
    fn trace(&mut self, trace: u32) {
        let actor = ["staff/ines", "staff/omar", "staff/in"][trace as usize % 3];
        let context = auth_context(trace, actor);
        let context_hash = self.commit("auth_context", trace, ("actors", actor), &context, None);
        self.pending.push(Pending { record_type: Some("auth_context"), body: context, seq: None });

        let denied = trace.is_multiple_of(4);
        let action = if trace.is_multiple_of(2) { "tickets:read" } else { "tickets:write" };
        let envelope = decision(trace, &context_hash, if denied { "deny" } else { "allow" })
            .replace(r#""action":"tickets:read""#, &format!(r#""action":"{action}""#));
        let decision_hash = self.commit("policy_decision", trace, ("actions", action), &envelope, None);

        let refusal = denied.then_some(DENIED);
        for number in 0..trace % 3 {
            let call = tool_call(trace, &context_hash, &decision_hash, number);
            self.commit("tool_call", trace, ("tools", "tickets/read"), &call, refusal);
        }
        let model = ["large", "small"][trace as usize % 2];
        let call = model_call(trace, &context_hash, &decision_hash, 50, model);
        self.commit("model_call", trace, ("models", &format!("acme/{model}")), &call, refusal);

        if trace.is_multiple_of(3) {
            let call = tool_call(trace, &context_hash, &decision_hash, 60);
            self.commit("tool_call", trace, ("tools", "tickets/read"), &call, Some(MISMATCHED));
            let call = tool_call(trace, &"e".repeat(64), &decision_hash, 61);
            self.commit("tool_call", trace, ("tools", "tickets/read"), &call, Some(MISSING));
        }
        if trace > 2 && trace.is_multiple_of(2) {
            self.verdict(trace - 2);
        }
    }

    /// A replay verdict of an earlier trace.
    fn verdict(&mut self, trace: u32) {
        let Some(input) = self.known.iter().find(|known| known.trace == Some(trace)) else { return };
        let input = input.hash.clone();
        let body = format!(
            concat!(
                r#"{{"generated_at":"2026-01-31T00:00:00.000Z","input_envelope_hashes":["{}"],"#,
                r#""replay_type":"forensic","result":"pass","target_trace_id":"{:032x}"}}"#
            ),
            input, trace
        );
        let known = Known {
            kind: "artifact",
            record_type: None,
            refusal: None,
            trace: Some(trace),
            name: None,
            body_bytes: body.len(),
            hash: hash_of(&body),
        };
        self.pending.push(Pending { record_type: None, body, seq: Some(self.known.len()) });
        self.known.push(known);
    }
}

/// Everything one can ask a catalogue, as plain text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answers {
    pub(crate) counts: BTreeMap<String, u64>,
    pub(crate) names: BTreeMap<(&'static str, String), Vec<u64>>,
    /// First, last, count.
    pub(crate) traces: BTreeMap<u32, (u64, u64, u64)>,
    pub(crate) artifacts: BTreeMap<u32, Vec<(u64, String)>>,
}

/// The names asked for, some of which nothing has.
pub(crate) const NAMES: [(&str, &str); 10] = [
    ("actors", "staff/ines"),
    ("actors", "staff/omar"),
    ("actors", "staff/in"),
    ("actors", "staff/nobody"),
    ("tools", "tickets/read"),
    ("tools", "tickets/write"),
    ("models", "acme/large"),
    ("models", "acme/small"),
    ("actions", "tickets:read"),
    ("actions", "tickets:write"),
];

/// The naive count over the list of what was committed.
pub(crate) fn counted(known: &[Known], traces: u32) -> Answers {
    let mut answers = Answers::default();
    answers.counts.insert("body bytes".to_owned(), 0);
    let mut count = |name: String, by: u64| *answers.counts.entry(name).or_default() += by;
    for one in known {
        count(format!("kind {}", one.kind), 1);
        if let Some(record_type) = one.record_type {
            count(format!("{} {record_type}", one.kind), 1);
        }
        if let Some((class, kind)) = one.refusal {
            count(format!("class {class}"), 1);
            count(format!("error {kind}"), 1);
        }
        count("body bytes".to_owned(), one.body_bytes as u64);
    }
    count("entries".to_owned(), known.len() as u64);
    for (tree, name) in NAMES {
        let listed = known.iter().enumerate().filter(|(_, one)| one.name == Some((tree, name.to_owned())));
        answers.names.insert((tree, name.to_owned()), listed.map(|(seq, _)| seq as u64).collect());
    }
    for trace in 1..=traces {
        let seqs: Vec<_> = (0..known.len()).filter(|seq| known[*seq].trace == Some(trace)).collect();
        if let (Some(first), Some(last)) = (seqs.first(), seqs.last()) {
            answers.traces.insert(trace, (*first as u64, *last as u64, seqs.len() as u64));
        }
        let artifacts = seqs.into_iter().filter(|seq| known[*seq].kind == "artifact");
        answers.artifacts.insert(trace, artifacts.map(|seq| (seq as u64, known[seq].hash.clone())).collect());
    }
    answers.counts.insert("traces".to_owned(), answers.traces.len() as u64);
    answers
}

pub(crate) fn trace_id(trace: u32) -> TraceId {
    format!("{trace:032x}").parse().unwrap()
}

pub(crate) fn ask(catalogue: &Catalogue, snapshot: &Snapshot, traces: u32) -> Answers {
    let mut answers = Answers::default();
    let counters = catalogue.counters();
    let mut count = |name: String, by: u64| assert_eq!(answers.counts.insert(name, by), None);
    counters.kinds.iter().for_each(|(kind, by)| count(format!("kind {kind}"), *by));
    counters.accepted.iter().for_each(|(name, by)| count(format!("accepted {}", name.as_str()), *by));
    counters.rejected.iter().for_each(|(name, by)| count(format!("rejected {}", name.as_str()), *by));
    counters.classifications.iter().for_each(|(class, by)| count(format!("class {}", class.as_str()), *by));
    counters.error_kinds.iter().for_each(|(kind, by)| count(format!("error {kind}"), *by));
    count("traces".to_owned(), counters.traces);
    count("body bytes".to_owned(), counters.body_bytes);
    count("entries".to_owned(), catalogue.entries());
    for (tree, name) in NAMES {
        let (owner, rest) = name.split_once('/').unwrap_or_default();
        let seqs = match tree {
            "actors" => catalogue.entries_by_actor(snapshot, name, None, usize::MAX),
            "tools" => catalogue.entries_by_tool(snapshot, owner, rest, None, usize::MAX),
            "models" => catalogue.entries_by_model(snapshot, owner, rest, None, usize::MAX),
            _ => catalogue.entries_by_action(snapshot, name, None, usize::MAX),
        };
        let seqs = seqs.unwrap().into_iter().map(Seq::get).collect();
        answers.names.insert((tree, name.to_owned()), seqs);
    }
    for trace in 1..=traces {
        if let Some(span) = catalogue.trace(snapshot, trace_id(trace)).unwrap() {
            answers.traces.insert(trace, (span.first.get(), span.last.get(), span.count));
        }
        let hits = catalogue.artifacts_of(snapshot, trace_id(trace), None, usize::MAX).unwrap();
        let hits = hits.into_iter().map(|hit| (hit.seq.get(), hit.hash.to_string())).collect();
        answers.artifacts.insert(trace, hits);
    }
    answers
}

/// A ledger of this many traces in a folder that goes away.
pub(crate) fn worked(traces: u32) -> (tempfile::TempDir, PathBuf, Vec<Known>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ledger");
    let mut work = Work::begin(&path, 7);
    work.traces(1..=traces);
    let known = work.known;
    (dir, path, known)
}

pub(crate) fn follow(catalogue: &mut Catalogue, snapshot: &Snapshot) -> u64 {
    catalogue.follow(snapshot, &mut |_| ()).unwrap()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(crate) fn leftovers(ledger: &Path) -> Vec<String> {
    let names = fs::read_dir(ledger).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> =
        names.filter(|name| name.starts_with("catalogue.") && name != "catalogue.lock").collect();
    names.sort();
    names
}

/// After any blow, opening and following must give the right answers, and leave a catalogue
/// that the next opening takes as it is. Returns whether it was replaced.
pub(crate) fn recovers(path: &Path, known: &[Known], traces: u32, what: &str) -> bool {
    let snapshot = Snapshot::open(path).unwrap();
    let mut catalogue = Catalogue::open(&snapshot).unwrap_or_else(|error| panic!("{what}: {error}"));
    follow(&mut catalogue, &snapshot);
    assert_eq!(ask(&catalogue, &snapshot, traces), counted(known, traces), "{what}");
    let was_replaced = catalogue.replaced().is_some();
    catalogue.check(&snapshot, &mut |damage| panic!("{what}: {damage}")).unwrap();
    drop(catalogue);
    let again = Catalogue::open(&snapshot).unwrap();
    assert_eq!((again.replaced(), again.entries()), (None, known.len() as u64), "{what}");
    assert_eq!(leftovers(path), Vec::<String>::new(), "{what}");
    was_replaced
}

/// Runs `verify` and lists the codes found, in order, each once.
pub(crate) fn verified(path: &Path) -> Vec<&'static str> {
    let snapshot = Snapshot::open(path).unwrap();
    let mut codes = Vec::new();
    Catalogue::verify(&snapshot, &mut |damage| codes.push(damage.code)).unwrap();
    codes.dedup();
    codes
}
