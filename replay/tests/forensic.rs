//! Verdicts one by one: the fixed point, listing, coverage, and each way to fail that the golden
//! files do not know, planted alone and found alone.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use common::evidence::{auth_context, bare, chain, decision, declared, hash_of, tool_call};
use common::forge::{self, Forged};
use common::{NOW_MS, committed, fresh, one, run};
use proofline_ledger::header::EntryHeader;
use proofline_ledger::{LeafHash, Options, Seq, Snapshot};
use proofline_replay::{Mode, Pairs, Plan, RunVerdict, Selection, Summary, TraceReplay, VariancePolicy};
use proofline_trace::{Failure, TraceId};

fn trace(number: u32) -> TraceId {
    format!("{number:032x}").parse().unwrap()
}

fn chosen(number: u32) -> Plan {
    Plan { traces: Selection::from_iter([trace(number)]), ..Plan::default() }
}

fn listing(plan: Plan) -> Plan {
    Plan { include_rejected: true, ..plan }
}

fn verdict(snapshot: &Snapshot, plan: &Plan) -> TraceReplay {
    one(run(snapshot, plan).0)
}

/// Class, check and entry of the failure of one trace.
fn failed(replay: &TraceReplay) -> Option<(&str, &str, Option<u64>)> {
    let Failure { check, class, seq, .. } = replay.failure()?;
    Some((class.as_str(), check.as_str(), seq.map(|seq| seq.get())))
}

/// records, verified, gate_rechecked, rejected_listed, blobs_absent, absent.
fn coverage(replay: &TraceReplay) -> [u64; 6] {
    let it = replay.diagnostics.coverage;
    assert_eq!((it.policy_re_decided.get(), it.re_executed.get()), (0, 0));
    [it.records, it.verified, it.gate_rechecked, it.rejected_listed, it.blobs_absent, it.absent]
        .map(|n| n.get())
}

/// Three traces of four records each, interleaved, forged honestly: entries 1 to 12.
fn three_traces() -> Vec<Forged> {
    let chains: Vec<Vec<String>> = (1..=3).map(|trace| chain(trace, 2)).collect();
    let mut seq = 0;
    let mut entries = Vec::new();
    for at in 0..4 {
        for lines in &chains {
            seq += 1;
            entries.push(Forged::accepted(seq, &lines[at]));
        }
    }
    entries
}

/// What all three traces come to when one header is bent.
fn bent(bend: impl FnMut(&mut EntryHeader)) -> (Vec<TraceReplay>, Summary) {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = forge::bent(dir.path(), &three_traces(), bend);
    run(&snapshot, &Plan::default())
}

#[test]
fn the_fixed_point_of_the_contract() {
    let (_dir, ledger) = fresh(Options::default());
    let plan = Plan {
        traces: Selection::from_iter(["ffffffffffffffffffffffffffffffff".parse().unwrap()]),
        generated_at: "2026-01-31T00:00:00.000Z".parse().unwrap(),
        ..Plan::default()
    };
    let replay = verdict(&ledger.snapshot().unwrap(), &plan);
    let expected = "0dfb09ff5058e37a328a66f48a402c518f717d592f7bdc279ed5d33392f9c83e";
    assert_eq!(replay.artifact_sha256.to_string(), expected);
    assert_eq!(failed(&replay), Some(("REPLAY_CHAIN_NOT_FOUND", "chain", None)));
    assert_eq!(coverage(&replay), [0; 6]);
}

#[test]
fn an_empty_ledger_has_no_traces_and_is_well() {
    let (_dir, ledger) = fresh(Options::default());
    let (verdicts, summary) = run(&ledger.snapshot().unwrap(), &Plan::default());
    assert_eq!((verdicts.len(), summary.verdict(), summary.entries), (0, RunVerdict::AllWell, 1));
}

#[test]
fn a_pass_says_what_was_done() {
    let (_dir, ledger) = committed(&chain(1, 2));
    let replay = verdict(&ledger.snapshot().unwrap(), &chosen(1));
    assert!(replay.is_pass() && replay.findings().is_empty());
    // Two calls with two payloads each, and no store: none of the four is at hand.
    assert_eq!(coverage(&replay), [4, 4, 4, 0, 4, 0]);
}

#[test]
fn an_output_line_has_the_four_members() {
    let (_dir, ledger) = committed(&chain(1, 0));
    let replay = verdict(&ledger.snapshot().unwrap(), &chosen(1));
    let value = replay.to_value();
    let names: Vec<&str> = value.as_object().unwrap().names().collect();
    assert_eq!(names, ["artifact_sha256", "diagnostics", "findings", "record"]);
    let record = value.get("record").unwrap().to_canonical(proofline_canon::Profile::Envelope).unwrap();
    let name = proofline_canon::Sha256Digest::of(&record).to_string();
    assert_eq!(value.get("artifact_sha256").unwrap().as_str(), Some(name.as_str()));
    let explained = value.get("diagnostics").unwrap().get("result_sha256").unwrap();
    assert_eq!(explained.as_str(), Some(name.as_str()));
}

#[test]
fn rejected_attempts_are_listed_on_request() {
    let lines = chain(1, 1);
    let (_dir, ledger) = fresh(Options::default());
    let wrong = "0".repeat(64);
    common::commit(&ledger, &lines[1..2]); // no context yet
    common::commit(&ledger, &lines);
    ledger.commit_action(&declared("tool_call", &wrong, &lines[2]), NOW_MS).unwrap();
    let snapshot = ledger.snapshot().unwrap();

    let plain = verdict(&snapshot, &chosen(1));
    let keys: Vec<String> = lines.iter().map(|line| hash_of(line)).collect();
    let hashes = |replay: &TraceReplay| {
        replay.result.input_envelope_hashes.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(hashes(&plain), keys);
    let listed = verdict(&snapshot, &listing(chosen(1)));
    assert!(listed.is_pass() && listed.findings().is_empty(), "{listed:?}");
    let [context, decision, call] = [&keys[0], &keys[1], &keys[2]].map(Clone::clone);
    assert_eq!(hashes(&listed), [context, decision.clone(), decision, call.clone(), call]);
    assert_eq!(coverage(&listed), [5, 5, 3, 2, 2, 0]);
}

#[test]
fn a_trace_of_rejected_attempts_alone() {
    let lines = chain(1, 0);
    let (_dir, ledger) = fresh(Options::default());
    common::commit(&ledger, &lines[1..2]);
    common::commit(&ledger, &chain(2, 0));
    let snapshot = ledger.snapshot().unwrap();

    // Asked for by name it is not found; listed it is; nobody asked for it in a run over everything.
    let by_name = verdict(&snapshot, &chosen(1));
    assert_eq!(failed(&by_name), Some(("REPLAY_CHAIN_NOT_FOUND", "chain", None)));
    assert!(by_name.result.input_envelope_hashes.is_empty());
    let listed = verdict(&snapshot, &listing(chosen(1)));
    assert!(listed.is_pass());
    assert_eq!(coverage(&listed), [1, 1, 0, 1, 0, 0]);

    let (verdicts, summary) = run(&snapshot, &Plan::default());
    assert_eq!(one(verdicts).trace_id(), trace(2));
    assert_eq!((summary.unlisted_traces, summary.unlisted_attempts), (1, 1));
    assert_eq!(summary.verdict(), RunVerdict::AllWell);
    let (verdicts, summary) = run(&snapshot, &listing(Plan::default()));
    assert_eq!((verdicts.len(), summary.unlisted_traces, summary.passed), (2, 0, 2));
}

#[test]
fn artifacts_alone_make_no_trace() {
    let (_dir, ledger) = committed(&chain(1, 0));
    let missing = verdict(&ledger.snapshot().unwrap(), &chosen(9));
    proofline_replay::record(&ledger, &missing, NOW_MS).unwrap();
    let (verdicts, summary) = run(&ledger.snapshot().unwrap(), &Plan::default());
    assert_eq!(one(verdicts).trace_id(), trace(1));
    assert_eq!((summary.verdict(), summary.unlisted_traces), (RunVerdict::AllWell, 0));
}

#[test]
fn prerequisites_after_the_record_do_not_count() {
    let lines = chain(1, 0);
    let entries = [Forged::accepted(1, &lines[1]), Forged::accepted(2, &lines[0])];
    let dir = tempfile::tempdir().unwrap();
    let replay = verdict(&forge::ledger(dir.path(), &entries), &chosen(1));
    assert_eq!(failed(&replay), Some(("MISSING_PREREQ", "prerequisite", Some(1))));
    assert_eq!(coverage(&replay), [2, 2, 1, 0, 0, 0]);
}

#[test]
fn what_is_named_and_not_there_is_counted_once() {
    let lines = chain(1, 3);
    let entries: Vec<Forged> =
        (1..).zip(&lines[2..]).map(|(seq, line)| Forged::accepted(seq, line)).collect();
    let dir = tempfile::tempdir().unwrap();
    let replay = verdict(&forge::ledger(dir.path(), &entries), &chosen(1));
    assert_eq!(failed(&replay), Some(("MISSING_PREREQ", "prerequisite", Some(1))));
    assert_eq!(coverage(&replay), [3, 3, 0, 0, 6, 2]);
}

#[test]
fn authority_and_denial() {
    let (ines, omar) = (auth_context(1, "staff/ines"), auth_context(1, "staff/omar"));
    let (allow, deny) = (decision(1, &hash_of(&ines), "allow"), decision(1, &hash_of(&ines), "deny"));
    let head = [&ines, &omar, &allow, &deny].map(|line| line.as_str());
    for call in [
        tool_call(1, &hash_of(&omar), &hash_of(&allow), 0),
        tool_call(1, &hash_of(&ines), &hash_of(&deny), 0),
    ] {
        let lines: Vec<&str> = head.into_iter().chain([call.as_str()]).collect();
        let entries: Vec<Forged> = (1..).zip(lines).map(|(seq, line)| Forged::accepted(seq, line)).collect();
        let dir = tempfile::tempdir().unwrap();
        let replay = verdict(&forge::ledger(dir.path(), &entries), &chosen(1));
        assert_eq!(failed(&replay), Some(("UNAUTHORIZED_EXECUTION", "authorization", Some(5))));
        assert_eq!(coverage(&replay), [5, 5, 4, 0, 2, 0]);
        assert!(replay.findings().is_empty());
    }
}

#[test]
fn a_record_of_another_trace_than_its_entry_names() {
    // A context has no prerequisite that could tell; its own trace does.
    let foreign = Forged { trace_id: trace(1), ..Forged::accepted(1, &auth_context(2, "staff/ines")) };
    let dir = tempfile::tempdir().unwrap();
    let replay = verdict(&forge::ledger(dir.path(), &[foreign]), &chosen(1));
    assert_eq!(failed(&replay), Some(("TRACE_VIOLATION", "trace_continuity", Some(1))));
    assert_eq!(replay.failure().unwrap().pointer.as_ref().unwrap().to_string(), "/trace/trace_id");

    // A rejected attempt keeps its classification, but its header must still tell the truth.
    let line = decision(2, &"5".repeat(64), "allow");
    let attempt = Forged { trace_id: trace(1), ..Forged::rejected(2, &line, "missing_prereq.auth_context") };
    let entries = [Forged::accepted(1, &auth_context(1, "staff/ines")), attempt];
    let dir = tempfile::tempdir().unwrap();
    let replay = verdict(&forge::ledger(dir.path(), &entries), &chosen(1));
    assert_eq!(failed(&replay), Some(("HASH_MISMATCH", "trace_link", Some(2))));
}

#[test]
fn a_record_accepted_twice() {
    let lines = chain(1, 1);
    let mut entries: Vec<Forged> = (1..).zip(&lines).map(|(seq, line)| Forged::accepted(seq, line)).collect();
    entries.push(Forged::accepted(4, &lines[1]));
    let dir = tempfile::tempdir().unwrap();
    let replay = verdict(&forge::ledger(dir.path(), &entries), &chosen(1));
    assert_eq!(failed(&replay), Some(("HASH_MISMATCH", "accepted_once", Some(4))));
    assert_eq!(coverage(&replay), [4, 4, 4, 0, 2, 0]);
}

#[test]
fn an_honest_forgery_passes() {
    let (verdicts, summary) = bent(|_| {});
    assert!(verdicts.iter().all(TraceReplay::is_pass));
    assert!(verdicts.iter().all(|replay| replay.findings().is_empty()));
    // Nothing was published, which is no damage of the log.
    assert_eq!((summary.verdict(), summary.end.as_str()), (RunVerdict::AllWell, "not_anchored"));
    assert_eq!(summary.derived_damage.len(), 1);
}

#[test]
fn a_wrong_link_fails_the_traces_on_both_sides() {
    // Entry 6 is of trace 3, entry 5 of trace 2.
    let (verdicts, summary) = bent(|header| {
        if header.seq == Seq::new(6) {
            header.previous_leaf = Some(LeafHash::from_bytes([1; 32]));
        }
    });
    let found: Vec<_> = verdicts.iter().map(failed).collect();
    let link = |seq| Some(("HASH_MISMATCH", "entry_link", Some(seq)));
    assert_eq!(found, [None, link(5), link(6)]);
    assert_eq!(verdicts[1].failure().unwrap().found, Some("01".repeat(32)));
    assert_eq!(summary.verdict(), RunVerdict::Damaged);
    let places: Vec<_> = summary.damage.iter().map(|damage| (damage.code, damage.seq)).collect();
    assert_eq!(places, [("log.link", Some(Seq::new(6)))]);
    assert_eq!(summary.damage_count, 1);
}

#[test]
fn a_clock_that_goes_back() {
    let (verdicts, summary) = bent(|header| {
        if header.seq == Seq::new(8) {
            header.recorded_at_ms = NOW_MS - 1;
        }
    });
    let found: Vec<_> = verdicts.iter().map(failed).collect();
    let clock = |seq| Some(("HASH_MISMATCH", "entry_clock", Some(seq)));
    assert_eq!(found, [clock(7), clock(8), None]);
    assert_eq!(summary.damage_count, 1);
    assert_eq!(summary.damage[0].code, "log.clock");
}

#[test]
fn wrong_places_in_a_trace() {
    // Entries 2, 5, 8 and 11 are of trace 2.
    for (seq, previous, count) in [(5, 2, 3), (8, 2, 3), (2, 1, 2)] {
        let (verdicts, summary) = bent(|header| {
            if header.seq == Seq::new(seq) {
                let link = header.trace.as_mut().unwrap();
                (link.previous, link.count) = (Some(Seq::new(previous)), count);
            }
        });
        let found: Vec<_> = verdicts.iter().map(failed).collect();
        assert_eq!(found, [None, Some(("HASH_MISMATCH", "trace_link", Some(seq))), None]);
        assert_eq!(summary.failures.len(), 1);
    }
}

#[test]
fn a_last_entry_that_the_published_size_does_not_name() {
    let lines = chain(1, 1);
    let (dir, ledger) = committed(&lines);
    let path = dir.path().join("ledger");
    drop(ledger);
    // Another call under the same header fields but for its hash, with all checksums right.
    let other = tool_call(1, &hash_of(&lines[0]), &hash_of(&lines[1]), 7);
    let mut entries: Vec<Forged> = (1..).zip(&lines).map(|(seq, line)| Forged::accepted(seq, line)).collect();
    entries[2] = Forged::accepted(3, &other);
    std::fs::remove_file(path.join("log/00000000000000000000.seg")).unwrap();
    let snapshot = forge::ledger(&path, &entries);
    let (verdicts, summary) = run(&snapshot, &Plan::default());
    assert_eq!(failed(&one(verdicts)), Some(("HASH_MISMATCH", "entry_link", Some(3))));
    assert_eq!(summary.verdict(), RunVerdict::Damaged);
    assert_eq!(summary.damage[0].code, "log.head");
}

/// Flips a byte in the body of the frame that holds this entry.
fn flip_body(path: &std::path::Path, snapshot: &Snapshot, seq: u64) {
    let (file, offset) = snapshot.place(Seq::new(seq)).unwrap();
    let entry = snapshot.entry(Seq::new(seq)).unwrap().unwrap();
    let file = path.join(file);
    let mut bytes = std::fs::read(&file).unwrap();
    let at = usize::try_from(offset.unwrap()).unwrap() + 10 + entry.header_bytes.len() + 5;
    bytes[at] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_frame_that_cannot_be_read() {
    // In the open segment, which is read on opening, and in a sealed one, which is not.
    for segment_bytes in [1 << 20, 4096] {
        let (dir, ledger) = fresh(Options { segment_bytes, ..Options::default() });
        for line in chain(1, 9) {
            ledger.commit_action(&bare(&line), NOW_MS).unwrap();
        }
        let path = dir.path().join("ledger");
        flip_body(&path, &ledger.snapshot().unwrap(), 2);
        let snapshot = Snapshot::open(&path).unwrap();
        assert_eq!(snapshot.damage().is_empty(), segment_bytes == 4096);
        for plan in [Plan::default(), chosen(1)] {
            let (verdicts, summary) = run(&snapshot, &plan);
            let replay = one(verdicts);
            assert_eq!(failed(&replay), Some(("HASH_MISMATCH", "frame", Some(2))));
            assert_eq!(replay.failure().unwrap().found.as_deref(), Some("frame.body_checksum"));
            assert_eq!(replay.result.input_envelope_hashes.len(), 10);
            assert_eq!((summary.verdict(), summary.damage_count), (RunVerdict::Damaged, 1));
            let damage = &summary.damage[0];
            assert_eq!((damage.code, damage.seq), ("frame.body_checksum", Some(Seq::new(2))));
            assert_eq!(damage.file, "log/00000000000000000000.seg");
            assert!(damage.offset.is_some());
        }
        // No other question passes over it either.
        let invariant = verdict(&snapshot, &Plan { mode: Mode::Invariant, ..chosen(1) });
        assert_eq!(failed(&invariant), Some(("HASH_MISMATCH", "frame", Some(2))));
        let itself = Pairs::against(trace(1), [trace(1)]);
        let constrained = verdict(&snapshot, &Plan::constrained(itself, VariancePolicy::MODEL_OUTPUT));
        assert_eq!(failed(&constrained), Some(("HASH_MISMATCH", "frame", Some(2))));
        assert!(constrained.failure().unwrap().message.starts_with("The baseline fails"));
    }
}

#[test]
fn damage_in_entries_of_no_trace_is_reported_by_a_run_over_everything() {
    let (dir, ledger) = fresh(Options { segment_bytes: 4096, ..Options::default() });
    for trace in 1..=3 {
        for line in chain(trace, 2) {
            ledger.commit_action(&bare(&line), NOW_MS).unwrap();
        }
    }
    let path = dir.path().join("ledger");
    flip_body(&path, &ledger.snapshot().unwrap(), 0); // the genesis entry
    let snapshot = Snapshot::open(&path).unwrap();
    assert!(snapshot.damage().is_empty());
    let (verdicts, summary) = run(&snapshot, &Plan::default());
    // Its neighbour's link can no longer be shown; the other traces do not touch it.
    let found: Vec<_> = verdicts.iter().map(failed).collect();
    assert_eq!(found, [Some(("HASH_MISMATCH", "entry_link", Some(1))), None, None]);
    assert_eq!(summary.verdict(), RunVerdict::Damaged);
    assert_eq!((summary.damage_count, summary.damage[0].seq), (1, Some(Seq::GENESIS)));
    // Chosen traces that do not touch it come upon nothing.
    let (verdicts, summary) = run(&snapshot, &chosen(3));
    assert!(one(verdicts).is_pass());
    assert_eq!((summary.verdict(), summary.entries_checked), (RunVerdict::AllWell, false));
}

#[test]
fn a_forged_artifact_body_is_damage() {
    let mut entries = three_traces();
    entries.retain(|entry| entry.seq != 4);
    let dir = tempfile::tempdir().unwrap();
    let snapshot = forge::bent(dir.path(), &entries, |header| {
        if header.seq == Seq::new(4) {
            header.envelope_hash = "5".repeat(64).parse().unwrap();
        }
    });
    let (_, summary) = run(&snapshot, &Plan::default());
    let places: Vec<_> = summary.damage.iter().map(|damage| (damage.code, damage.seq)).collect();
    assert_eq!(places, [("body.hash", Some(Seq::new(4)))]);
}

#[test]
fn a_failed_run_has_no_findings_but_rejections() {
    // An orphan span, a total that is wrong, and a decision that is missing.
    let context = auth_context(1, "staff/ines");
    let call = tool_call(1, &hash_of(&context), &"5".repeat(64), 0);
    let attempt = decision(1, &hash_of(&context), "deny");
    let entries = [
        Forged::accepted(1, &context),
        Forged::accepted(2, &call),
        Forged::rejected(3, &attempt, "missing_prereq.auth_context"),
    ];
    let dir = tempfile::tempdir().unwrap();
    let replay = verdict(&forge::ledger(dir.path(), &entries), &chosen(1));
    assert_eq!(failed(&replay), Some(("MISSING_PREREQ", "prerequisite", Some(2))));
    let codes: Vec<&str> = replay.findings().iter().map(|finding| finding.code.as_str()).collect();
    assert_eq!(codes, ["REJECTION_NOT_REPRODUCED"]);
}

#[test]
fn a_forged_attempt_is_not_reproduced() {
    let context = auth_context(1, "staff/ines");
    let line = decision(1, &"5".repeat(64), "allow");
    let honest = Forged::rejected(2, &line, "missing_prereq.auth_context");
    let spaced = line.replacen("\":", "\": ", 1).into_bytes();
    for (attempt, why) in [
        (Forged { key: "5".repeat(64).parse().unwrap(), ..honest.clone() }, "another key"),
        (Forged { body: spaced, ..honest.clone() }, "canonical form"),
        (Forged { body: b"{}".to_vec(), ..honest.clone() }, "record_type"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let snapshot = forge::ledger(dir.path(), &[Forged::accepted(1, &context), attempt]);
        let replay = verdict(&snapshot, &chosen(1));
        assert!(replay.is_pass());
        let [finding] = replay.findings() else { panic!("{:?}", replay.findings()) };
        assert_eq!(finding.code.as_str(), "REJECTION_NOT_REPRODUCED");
        assert!(finding.message.contains(why), "{}", finding.message);
    }
    let dir = tempfile::tempdir().unwrap();
    let snapshot = forge::ledger(dir.path(), &[Forged::accepted(1, &context), honest]);
    assert!(verdict(&snapshot, &chosen(1)).findings().is_empty());
}

#[test]
fn a_prerequisite_that_cannot_be_read_leaves_its_rejections_unproven() {
    // The attempt of trace 2 was refused for a context of trace 1, whose frame is now damaged.
    let (dir, ledger) = fresh(Options { segment_bytes: 4096, ..Options::default() });
    let foreign = auth_context(1, "staff/ines");
    let mut lines = vec![foreign.clone()];
    lines.extend(chain(3, 6));
    lines.push(auth_context(2, "staff/omar"));
    lines.push(decision(2, &hash_of(&foreign), "allow"));
    for line in &lines {
        ledger.commit_action(&bare(line), NOW_MS).unwrap();
    }
    let whole = verdict(&ledger.snapshot().unwrap(), &chosen(2));
    assert!(whole.is_pass() && whole.findings().is_empty());
    let path = dir.path().join("ledger");
    flip_body(&path, &ledger.snapshot().unwrap(), 1);
    let replay = verdict(&Snapshot::open(&path).unwrap(), &chosen(2));
    let [finding] = replay.findings() else { panic!("{:?}", replay.findings()) };
    assert!(finding.message.contains("cannot be asked again"), "{}", finding.message);
}

#[test]
fn larger_envelopes_than_usual_replay_when_the_ledger_admits_them() {
    let limits = proofline_canon::Limits::ENVELOPE.with_max_bytes(4 << 20);
    let (dir, ledger) = fresh(Options { limits, ..Options::default() });
    let grants: String = (0..200_000).map(|n| format!(r#""grant:{n}":true,"#)).collect();
    let line = auth_context(1, "staff/ines").replace(r#""tickets:read":true"#, grants.trim_end_matches(','));
    assert!(line.len() > 2 << 20);
    common::commit(&ledger, &[line]);
    assert!(verdict(&ledger.snapshot().unwrap(), &chosen(1)).is_pass());
    // The ledger's own look at it says the same.
    let report = proofline_ledger::verify(dir.path().join("ledger"), &mut |_| {}).unwrap();
    assert_eq!(report.damage, []);
}
