//! Sealed verdicts: what a seal names, that it comes out again over the very entries that were read, and each
//! thing that can make it not: another history, changed evidence, missing tools, erased payloads.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::collections::BTreeMap;

use common::evidence::{Place, auth_context, call, chain, decision, hash_of};
use common::{NOW_MS, commit, committed, genesis};
use proofline_canon::{ContentStore, MemoryStore, Sha256Digest};
use proofline_ledger::{Action, Ledger, Outcome, Seq};
use proofline_policy::CedarEngine;
use proofline_proof::tree::Frontier;
use proofline_proof::{KeyName, KeyRole, SecretKey, Signer};
use proofline_replay::{
    Calculator, Explanation, JsonTransform, Means, Mode, Pair, Pairs, Plan, SealCheck, SealedVerdict,
    Sealing, Selection, Tools, TraceReplay, VariancePolicy, check_seal, record_all, record_seals, replay,
};
use proofline_trace::{TraceId, VerdictSeal};
use zeroize::Zeroizing;

const PROOFLINE: &str = "0.1.0";

fn trace_id(number: u32) -> TraceId {
    format!("{number:032x}").parse().unwrap()
}

/// Replays, records and seals; gives the seals.
fn sealed(ledger: &Ledger, means: Means<'_>, plan: &Plan, signer: Option<&dyn Signer>) -> Vec<VerdictSeal> {
    let snapshot = ledger.snapshot().unwrap();
    let mut verdicts: Vec<TraceReplay> = Vec::new();
    replay(&snapshot, &means, plan, &mut verdicts).unwrap();
    record_all(ledger, &verdicts, NOW_MS).unwrap();
    let sealing = Sealing::new(&snapshot, means, PROOFLINE).unwrap();
    let seals: Vec<_> = verdicts.iter().map(|verdict| sealing.seal(verdict).unwrap()).collect();
    record_seals(ledger, &seals, signer, NOW_MS).unwrap();
    seals
}

fn found(ledger: &Ledger, trace: u32) -> Vec<SealedVerdict> {
    SealedVerdict::of_trace(&ledger.snapshot().unwrap(), trace_id(trace)).unwrap()
}

fn checked(ledger: &Ledger, means: &Means<'_>, sealed: &SealedVerdict) -> SealCheck {
    check_seal(&ledger.snapshot().unwrap(), means, &BTreeMap::new(), PROOFLINE, sealed).unwrap()
}

fn secret(name: &str, role: KeyRole, seed: u8) -> SecretKey {
    SecretKey::from_seed(KeyName::new(name).unwrap(), role, &Zeroizing::new([seed; 32])).unwrap()
}

/// The ledger's log key and a producer key, both on its list.
fn with_keys(ledger: &Ledger) -> (SecretKey, SecretKey) {
    let log = secret(genesis().origin.as_str(), KeyRole::Log, 1);
    let auditor = secret("auditor.example", KeyRole::Producer, 2);
    for (key, by) in [(&log, None), (&auditor, Some(&log as &dyn Signer))] {
        let keys = ledger.snapshot().unwrap().key_list().unwrap();
        let record = keys.addition(key, by).unwrap().canonical();
        let outcome = ledger.commit_action(&Action::System(&record), NOW_MS).unwrap();
        assert!(matches!(outcome, Outcome::Accepted { .. }));
    }
    (log, auditor)
}

#[test]
fn a_seal_names_the_verdict_and_the_log_that_was_read() {
    let (_dir, ledger) = committed(&[chain(1, 2), chain(2, 1)].concat());
    let before = ledger.snapshot().unwrap();
    let seals = sealed(&ledger, Means::default(), &Plan::default(), None);
    assert_eq!(seals.len(), 2);
    // The root, over the leaf hashes of the entries read one by one.
    let mut frontier = Frontier::empty();
    for seq in 0..before.entries() {
        frontier.push(before.entry(Seq::new(seq)).unwrap().unwrap().leaf_hash());
    }
    for (seal, trace) in seals.iter().zip(1..) {
        assert_eq!((seal.target_trace_id, seal.log.size.get()), (trace_id(trace), 8));
        assert_eq!(seal.log.root.as_bytes(), frontier.root().as_bytes());
        assert_eq!((seal.ledger_id, seal.proofline.as_str()), (genesis().ledger_id, PROOFLINE));
        assert_eq!((seal.checkpoint, &seal.engine), (None, &None));
        assert!(seal.policies.is_empty() && seal.tools.is_empty());
        let kept = found(&ledger, trace).remove(0);
        assert_eq!((&kept.seal, kept.signatures.len()), (seal, 0));
        assert_eq!(kept.result.sha256(), seal.result_sha256);
        assert_eq!(kept.diagnostics.sha256(), seal.diagnostics_sha256);
        assert_eq!(kept.diagnostics.result_sha256, seal.result_sha256);
    }
}

#[test]
fn a_sealed_verdict_comes_out_again_whatever_was_appended_since() {
    let (_dir, ledger) = committed(&[chain(1, 2), chain(2, 2)].concat());
    let pairs = Pairs::from_iter([Pair { baseline: trace_id(1), candidate: trace_id(2) }]);
    let rejected = Plan { include_rejected: true, ..Plan::default() };
    let at = Plan { generated_at: "2026-01-31T00:00:00.000Z".parse().unwrap(), ..Plan::default() };
    let plans = [
        Plan::default(),
        at,
        rejected,
        Plan { mode: Mode::Invariant, ..Plan::default() },
        Plan::constrained(pairs, VariancePolicy::MODEL_OUTPUT),
        Plan { traces: Selection::from_iter([trace_id(9)]), ..Plan::default() },
    ];
    let means = Means { policies: Some(&CedarEngine), ..Means::default() };
    let mut sizes = Vec::new();
    for plan in &plans {
        sizes.extend(sealed(&ledger, means, plan, None).iter().map(|seal| seal.log.size.get()));
        // Another call of the first trace, and a refused attempt of the second.
        let context = hash_of(&auth_context(1, "staff/ines"));
        let allowed = hash_of(&decision(1, &context, "allow"));
        let place = Place { trace: 1, span: u32::try_from(sizes.len()).unwrap() + 50, parent: Some(2) };
        let lines = [
            call(place, (&context, &allowed), 2000, ("a", "b"), "ok", None),
            decision(2, &"0".repeat(64), "allow"),
        ];
        commit(&ledger, &lines);
    }
    assert!(sizes.windows(2).all(|pair| pair[0] <= pair[1]) && sizes[0] < sizes[sizes.len() - 1]);
    let all: Vec<SealedVerdict> = [1, 2, 9].iter().flat_map(|trace| found(&ledger, *trace)).collect();
    assert_eq!(all.len(), sizes.len());
    for kept in &all {
        let check = checked(&ledger, &means, kept);
        assert!(check.holds(), "{:?}: {:?}", kept.result, check);
        assert_eq!((check.explanation.clone(), check.versions.len()), (Explanation::Same, 0));
    }
    // Without the cut it would be another one: the first trace is longer today.
    let mut today = Vec::new();
    let plan = Plan { traces: Selection::from_iter([trace_id(1)]), ..Plan::default() };
    replay(&ledger.snapshot().unwrap(), &means, &plan, &mut today).unwrap();
    assert_ne!(today[0].result, all[0].result);
}

#[test]
fn a_signature_is_by_a_producer_of_the_ledger_and_verifies() {
    let (_dir, ledger) = committed(&chain(1, 1));
    let (log, auditor) = with_keys(&ledger);
    let checkpoint = ledger.checkpoint(&[&log]).unwrap();
    let seals = sealed(&ledger, Means::default(), &Plan::default(), Some(&auditor));
    let named = seals[0].checkpoint.unwrap();
    assert_eq!(named.size.get(), checkpoint.size);
    let root = proofline_proof::Checkpoint::parse_text(
        proofline_proof::Note::parse(&checkpoint.note).unwrap().text(),
    );
    assert_eq!(named.root.as_bytes(), root.unwrap().root().as_bytes());
    let kept = found(&ledger, 1).remove(0);
    let check = checked(&ledger, &Means::default(), &kept);
    assert!(check.holds());
    let signers: Vec<_> = check.signers.iter().map(|signer| (signer.key.as_str(), signer.is_good)).collect();
    assert_eq!(signers, [(auditor.verifier().short_name().as_str(), true)]);

    // Signed again, nothing is appended.
    let entries = ledger.entries();
    record_seals(&ledger, &seals, Some(&auditor), NOW_MS).unwrap();
    assert_eq!(ledger.entries(), entries);
    // A log key signs no verdicts, and a stranger's signature is refused.
    assert!(record_seals(&ledger, &seals, Some(&log), NOW_MS).is_err());
    let stranger = secret("stranger.example", KeyRole::Producer, 9);
    let refused = record_seals(&ledger, &seals, Some(&stranger), NOW_MS).unwrap_err();
    assert_eq!(refused.code(), "replay.record_refused");
    // What a ledger holds that no gate let in.
    let mut forged = kept;
    forged.signatures[0].signature.seal_sha256 = hash_of("{}").parse().unwrap();
    let check = checked(&ledger, &Means::default(), &forged);
    assert!(!check.holds() && check.is_same_result && !check.signers[0].is_good);
}

#[test]
fn another_history_or_another_verdict_is_told() {
    let (_dir, ledger) = committed(&[chain(1, 2), chain(2, 2)].concat());
    sealed(&ledger, Means::default(), &Plan::default(), None);
    let kept = found(&ledger, 1).remove(0);
    let none = Means::default();
    assert!(checked(&ledger, &none, &kept).holds());

    let mut other_root = kept.clone();
    other_root.seal.log.root = Sha256Digest::of(b"another");
    let check = checked(&ledger, &none, &other_root);
    assert!(!check.holds() && !check.is_same_history && check.replay.is_none());
    let mut longer = kept.clone();
    longer.seal.log.size = 10_000_u64.try_into().unwrap();
    assert!(!checked(&ledger, &none, &longer).is_same_history);
    // The same evidence in another order has another root at the same size.
    let (_dir, other) = committed(&[chain(2, 2), chain(1, 2)].concat());
    assert!(!checked(&other, &none, &kept).is_same_history);

    let mut other_result = kept.clone();
    other_result.result.input_envelope_hashes.pop();
    let check = checked(&ledger, &none, &other_result);
    assert!(!check.holds() && check.is_same_history && !check.is_same_result);
    let mut other_words = kept;
    other_words.diagnostics.coverage.blobs_absent = 99_u32.into();
    let check = checked(&ledger, &none, &other_words);
    assert!(!check.holds() && check.is_same_result);
    assert_eq!((check.explanation, check.differing), (Explanation::Differs, vec!["coverage"]));
}

/// A trace of two tool calls, and the payloads of it.
fn tool_calls(payloads: &[(&str, &str)]) -> (Vec<String>, MemoryStore) {
    let context = auth_context(1, "staff/ines");
    let allow = decision(1, &hash_of(&context), "allow");
    let (context_hash, decision_hash) = (hash_of(&context), hash_of(&allow));
    let store = MemoryStore::new();
    let mut lines = vec![context, allow];
    for (number, (request, response)) in (0..).zip(payloads) {
        for bytes in [request.as_bytes(), response.as_bytes()] {
            store.put(&Sha256Digest::of(bytes), bytes).unwrap();
        }
        let place = Place { trace: 1, span: 10 + number, parent: Some(2) };
        let at = 1200 + 10 * u64::from(number);
        lines.push(call(place, (&context_hash, &decision_hash), at, (request, response), "ok", None));
    }
    (lines, store)
}

const SUM: (&str, &str) = (r#"{"expression":"1 + 1"}"#, "2.0");
const WRONG: (&str, &str) = (r#"{"expression":"1 + 2"}"#, "4.0");

#[test]
fn the_tools_that_ran_are_named_and_run_again() {
    for (payloads, passes) in [(vec![SUM, SUM], true), (vec![SUM, WRONG, SUM], false), (vec![WRONG], false)] {
        let (lines, store) = tool_calls(&payloads);
        let (_dir, ledger) = committed(&lines);
        let mut tools = Tools::default();
        tools.register("read".parse().unwrap(), Calculator).unwrap();
        tools.register("never-called".parse().unwrap(), JsonTransform::Pick).unwrap();
        let means = Means { tools: Some(&tools), ..Means::payloads(&store) };
        let seal = sealed(&ledger, means, &Plan::default(), None).remove(0);
        let named: Vec<_> =
            seal.tools.iter().map(|tool| (tool.tool_name.as_str(), tool.version.as_str())).collect();
        assert_eq!(named, [("read", "calculator/1")]);
        assert_eq!(seal.tools[0].adapter_id.as_str(), "tickets");
        let kept = found(&ledger, 1).remove(0);
        assert_eq!(kept.result.verdict.is_pass(), passes);
        assert!(checked(&ledger, &means, &kept).holds());

        // Without the tool it is another verdict, or its coverage is another: said, and no agreement.
        let check = checked(&ledger, &Means::payloads(&store), &kept);
        assert!(!check.holds());
        let changes: Vec<_> = check.versions.iter().map(|it| (it.what.as_str(), it.now.as_deref())).collect();
        assert_eq!(changes, [("tickets/read", None)]);
        // Another handler of that name answers otherwise.
        let mut other = Tools::default();
        other.register("tickets/read".parse().unwrap(), JsonTransform::Canonical).unwrap();
        let check = checked(&ledger, &Means { tools: Some(&other), ..means }, &kept);
        assert_eq!(check.versions[0].now.as_deref(), Some("json-canonical/1"));
        assert!(!check.holds());
    }
}

#[test]
fn a_verdict_without_tools_is_replayed_without_tools() {
    let (lines, store) = tool_calls(&[WRONG]);
    let (_dir, ledger) = committed(&lines);
    let seal = sealed(&ledger, Means::payloads(&store), &Plan::default(), None).remove(0);
    assert!(seal.tools.is_empty());
    let mut tools = Tools::default();
    tools.register("read".parse().unwrap(), Calculator).unwrap();
    let means = Means { tools: Some(&tools), ..Means::payloads(&store) };
    assert!(checked(&ledger, &means, &found(&ledger, 1)[0]).holds());
}

#[test]
fn another_version_is_said_and_fails_nothing() {
    let (_dir, ledger) = committed(&chain(1, 1));
    sealed(&ledger, Means::default(), &Plan::default(), None);
    let kept = found(&ledger, 1).remove(0);
    let snapshot = ledger.snapshot().unwrap();
    let check = check_seal(&snapshot, &Means::default(), &BTreeMap::new(), "0.2.0", &kept).unwrap();
    assert!(check.holds());
    let change = &check.versions[0];
    assert_eq!(
        (change.what.as_str(), change.sealed.as_str(), change.now.as_deref()),
        ("proofline", "0.1.0", Some("0.2.0"))
    );
}

#[test]
fn a_payload_that_is_gone_makes_the_explanation_another_one() {
    let (lines, store) = tool_calls(&[SUM]);
    let (_dir, ledger) = committed(&lines);
    sealed(&ledger, Means::payloads(&store), &Plan::default(), None);
    let kept = found(&ledger, 1).remove(0);
    // Lost, and nobody said so.
    let empty = MemoryStore::new();
    let check = checked(&ledger, &Means::payloads(&empty), &kept);
    assert!(check.is_same_result && !check.holds());
    assert_eq!(check.differing, ["coverage", "findings"]);
    // Closed by an entry that came later: its subject's key was erased.
    let closed = BTreeMap::from([(Sha256Digest::of(SUM.0.as_bytes()), Seq::new(ledger.entries() - 1))]);
    let snapshot = ledger.snapshot().unwrap();
    let check = check_seal(&snapshot, &Means::payloads(&empty), &closed, PROOFLINE, &kept).unwrap();
    assert_eq!(check.explanation, Explanation::Erased { payloads: 1 });
    assert!(check.holds());
}

/// A decision that its policy makes otherwise is told with the policy that said so; what was never asked is not cited.
#[test]
fn the_policies_that_were_asked_are_named() {
    let policy = "@id(\"nobody\") forbid(principal, action, resource);";
    let (said, unasked) = (Sha256Digest::of(policy.as_bytes()), Sha256Digest::of(b"no policy"));
    let store = MemoryStore::new();
    for bytes in [policy.as_bytes(), b"no policy"] {
        store.put(&Sha256Digest::of(bytes), bytes).unwrap();
    }
    let lines = |trace: u32, policy: Sha256Digest| {
        let context = auth_context(trace, "staff/ines");
        let decision = decision(trace, &hash_of(&context), "allow");
        [context, decision.replace(&format!("{:064x}", 9), &policy.to_string())]
    };
    let (_dir, ledger) = committed(&[lines(1, said), lines(2, unasked)].concat());
    let means = Means { policies: Some(&CedarEngine), ..Means::payloads(&store) };
    let plan = Plan { mode: Mode::Invariant, ..Plan::default() };
    let seals = sealed(&ledger, means, &plan, None);
    let cited: Vec<_> = seals.iter().map(|seal| (seal.engine.is_some(), seal.policies.clone())).collect();
    assert_eq!(cited, [(true, vec![said]), (true, vec![])]);
    for trace in [1, 2] {
        assert!(checked(&ledger, &means, &found(&ledger, trace)[0]).holds());
    }
}
