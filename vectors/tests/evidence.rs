//! The shipped evidence is what the generator makes, byte for byte; and the generator makes what it says:
//! the same bytes for the same seed, in bounded memory, with the fates it announces.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use common::Gate;
use proofline_canon::{Limits, Profile, Sha256Digest, check_canonical};
use proofline_trace::{Envelope, RecordType, TraceId, read_envelope};
use proofline_vectors::{EvidencePlan, Fate, Form, Generator, files, generate};

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("evidence")
}

#[test]
fn shipped_files_are_what_the_generator_makes() {
    for (name, bytes) in files() {
        let shipped = std::fs::read(folder().join(&name)).unwrap_or_default();
        assert!(shipped == bytes, "drift in evidence/{name}; run vectors/regenerate");
    }
}

#[test]
fn no_shipped_file_is_left_over() {
    let made = files();
    for below in ["", "trouble"] {
        for entry in std::fs::read_dir(folder().join(below)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            assert!(
                !path.ends_with(".jsonl") || made.contains_key(&path),
                "{path} is not generated any more"
            );
        }
    }
}

#[test]
fn agent_work_has_what_its_description_promises() {
    let submissions: Vec<_> = Generator::new(&EvidencePlan::AGENT_WORK).collect();
    assert!((350..=450).contains(&submissions.len()), "{} records", submissions.len());
    let traces: BTreeSet<TraceId> = submissions.iter().map(|one| one.sealed.envelope().trace_id()).collect();
    assert_eq!(traces.len(), 36);

    let mut fates = BTreeMap::new();
    let mut forms = BTreeMap::new();
    let (mut actors, mut models, mut tools) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut failures = 0;
    for one in &submissions {
        *fates.entry(format!("{:?}", one.fate)).or_insert(0) += 1;
        *forms.entry(format!("{:?}", one.form)).or_insert(0) += 1;
        match one.sealed.envelope() {
            Envelope::AuthContext(record) => drop(actors.insert(record.actor.actor_id.clone())),
            Envelope::PolicyDecision(_) => {}
            Envelope::ModelCall(record) => drop(models.insert(record.model.model.clone())),
            Envelope::ToolCall(record) => drop(tools.insert(record.tool.tool_name.clone())),
        }
        let failed = one.sealed.envelope().outcome().is_some_and(|outcome| outcome.status.as_str() != "ok");
        failures += u32::from(failed);
    }
    for fate in ["Accepted", "Repeated", "WrongHash", "TooEarly", "Denied"] {
        assert!(fates.get(fate).is_some_and(|count| *count >= 2), "{fate}: {fates:?}");
    }
    assert_eq!(forms.len(), 5, "{forms:?}");
    assert!(actors.len() >= 6 && models.len() >= 4 && tools.len() >= 8, "{actors:?} {models:?} {tools:?}");
    assert!(failures >= 5, "{failures} failed calls");
    // Neighbouring lines mostly belong to different traces.
    let changes = submissions
        .windows(2)
        .filter(|pair| pair[0].sealed.envelope().trace_id() != pair[1].sealed.envelope().trace_id());
    assert!(changes.count() > submissions.len() / 3);
}

#[test]
fn fates_follow_from_the_records_before() {
    let plan = EvidencePlan {
        refused_per_mille: 300,
        repeated_per_mille: 200,
        ..EvidencePlan::AGENT_WORK.with_traces(200)
    };
    let mut gate = Gate::default();
    let mut last_ms = 0;
    for one in Generator::new(&plan) {
        assert!(one.at_ms >= last_ms, "time runs forward");
        last_ms = one.at_ms;
        assert_eq!(one.fate, gate.hand_in(&one), "{}", String::from_utf8_lossy(one.sealed.canonical()));
    }
}

#[test]
fn a_bare_line_reads_back_as_its_record() {
    for one in Generator::new(&EvidencePlan::AGENT_WORK.with_seed(9)) {
        let line = one.line();
        assert!(!line.contains(&b'\n'));
        if matches!(one.form, Form::Canonical | Form::SchemaOrder | Form::Spaced) {
            assert_eq!(read_envelope(&line, &Limits::ENVELOPE).unwrap(), one.sealed);
        } else {
            assert!(line.starts_with(b"{\"record_type\":\""));
            assert!(line.windows(one.declared_hash.len()).any(|part| part == one.declared_hash.as_bytes()));
        }
    }
}

#[test]
fn payloads_are_canonical_documents_that_envelopes_name() {
    let evidence = generate(&EvidencePlan::AGENT_WORK);
    let named: BTreeMap<Sha256Digest, u64> = Generator::new(&EvidencePlan::AGENT_WORK)
        .flat_map(|one| {
            one.sealed.envelope().blobs().map(|blob| (blob.sha256, blob.size_bytes.get())).collect::<Vec<_>>()
        })
        .collect();
    let mut at_hand = BTreeSet::new();
    for payload in &evidence.payloads {
        check_canonical(payload, Profile::Content, &Limits::CONTENT).unwrap();
        let digest = Sha256Digest::of(payload);
        assert_eq!(named.get(&digest), Some(&(payload.len() as u64)));
        assert!(at_hand.insert(digest), "each payload is there once");
    }
    let absent = named.len() - at_hand.len();
    assert!(absent >= 1 && absent * 10 < named.len(), "{absent} of {} are absent", named.len());
}

#[test]
fn a_clean_plan_is_accepted_whole_and_streams() {
    let plan = EvidencePlan::clean(3, u64::MAX);
    let mut known = BTreeSet::new();
    let mut by_type: BTreeMap<RecordType, usize> = BTreeMap::new();
    for one in Generator::new(&plan).take(5_000) {
        assert_eq!(one.fate, Fate::Accepted);
        let envelope = one.sealed.envelope();
        for before in [envelope.auth_context_hash(), envelope.policy_decision_hash()].into_iter().flatten() {
            assert!(known.contains(&before), "prerequisites come first");
        }
        assert!(known.insert(one.sealed.hash()), "no record twice");
        *by_type.entry(envelope.record_type()).or_default() += 1;
    }
    assert_eq!(by_type.len(), 4, "{by_type:?}");
}

#[test]
fn the_same_plan_gives_the_same_bytes_and_another_seed_others() {
    let plan = EvidencePlan::AGENT_WORK.with_traces(3);
    assert_eq!(generate(&plan), generate(&plan));
    assert_ne!(generate(&plan).lines, generate(&plan.clone().with_seed(1)).lines);
    // A trace does not depend on how many others there are.
    let first = |plan: &EvidencePlan| Generator::new(plan).next().unwrap().sealed;
    assert_eq!(first(&plan), first(&plan.clone().with_traces(9)));
}
