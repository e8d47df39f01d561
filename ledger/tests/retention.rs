//! Retention rules: what is due is told, why not is told, and a hold wins over every rule. Times are
//! computed here, from the moments at which the test recorded what it did.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod common;

use std::path::PathBuf;

use common::{NOW_MS, bare, chain, decision, genesis, hash_of};
use proofline_canon::Sha256Digest;
use proofline_ledger::{
    ArchiveOrder, BlobState, Holds, Ledger, Options, RetentionPlan, RetentionRules, SegmentState, Seq,
    Snapshot, archive, plan_retention,
};
use proofline_trace::TraceId;

const DAY_MS: u64 = 86_400_000;

/// Nothing, or one payload, is held.
struct Held(Option<Sha256Digest>);

impl Holds for Held {
    fn holds(&self, sha256: &Sha256Digest, traces: &[TraceId]) -> Option<String> {
        assert!(!traces.is_empty());
        (self.0 == Some(*sha256)).then(|| "case 12".to_owned())
    }

    fn is_erased(&self, _sha256: &Sha256Digest) -> bool {
        false
    }
}

/// Trace `n` of eight is recorded on day `n`.
fn ledger() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("ledger");
    Ledger::init(&dir, &genesis()).unwrap();
    let ledger = Ledger::open(&dir, Options { segment_bytes: 4096, ..Options::default() }).unwrap();
    for trace in 1..=8_u32 {
        for line in chain(trace, 3) {
            ledger.commit_action(&bare(&line), NOW_MS + u64::from(trace) * DAY_MS).unwrap();
        }
    }
    (folder, dir)
}

fn plan(dir: &PathBuf, rules: &str, now_ms: u64) -> RetentionPlan {
    let rules = RetentionRules::parse(rules.as_bytes()).unwrap();
    plan_retention(&Snapshot::open(dir).unwrap(), &[], &rules, &Held(None), now_ms).unwrap()
}

/// The payload that the calls of `common::chain` name by this number.
fn payload(number: u64) -> Sha256Digest {
    format!("{number:064x}").parse().unwrap()
}

#[test]
fn segments_are_due_when_their_youngest_entry_is() {
    let (_folder, dir) = ledger();
    let snapshot = Snapshot::open(&dir).unwrap();
    let recorded = |seq: u64| snapshot.header(Seq::new(seq)).unwrap().unwrap().recorded_at_ms;
    let rules = r#"{"retention_version":"1","archive":[{"min_age_days":30}]}"#;
    for day in 28..=40 {
        let now_ms = NOW_MS + day * DAY_MS;
        let plan = plan(&dir, rules, now_ms);
        let (open, sealed) = plan.segments.split_last().unwrap();
        assert_eq!(open.state, SegmentState::Open);
        assert!(sealed.len() > 5);
        let mut before = 0;
        let mut is_first_to_stay = true;
        for segment in sealed {
            let last = segment.first_seq.get() + segment.entries - 1;
            // Clocks never go back, so the last entry is the youngest.
            if recorded(last) + 30 * DAY_MS <= now_ms {
                assert_eq!(segment.state, SegmentState::Due, "day {day}, {segment:?}");
                before = last + 1;
            } else {
                let SegmentState::Young(seq, due) = segment.state else { panic!("day {day}: {segment:?}") };
                assert_eq!((recorded(seq.get()), due), (recorded(last), recorded(last) + 30 * DAY_MS));
                is_first_to_stay = false;
            }
        }
        assert_eq!(plan.archive_before.get(), before, "day {day}");
        assert!(!is_first_to_stay || day >= 38);
    }
    // What the plan says is what goes.
    let plan_before = plan(&dir, rules, NOW_MS + 34 * DAY_MS);
    let out = dir.with_file_name("archive");
    let order = ArchiveOrder { before: plan_before.archive_before, out: &out, place: "", now_ms: 0 };
    let moved = archive(&dir, &order, &mut |_| {}).unwrap().moved;
    let due = plan_before.segments.iter().filter(|it| it.state == SegmentState::Due).count();
    assert!(due > 1);
    assert_eq!(moved.len(), due);
    let after = plan(&dir, rules, NOW_MS + 34 * DAY_MS);
    assert_eq!(after.segments.iter().filter(|it| it.state == SegmentState::Archived).count(), due);
    assert_eq!(after.archive_before, Seq::GENESIS);
}

#[test]
fn an_entry_that_no_rule_speaks_of_keeps_its_segment() {
    let (_folder, dir) = ledger();
    let rules = r#"{"retention_version":"1","archive":[{"min_age_ms":0,"kind":"rejected"}]}"#;
    let plan = plan(&dir, rules, NOW_MS + 900 * DAY_MS);
    assert_eq!(plan.segments[0].state, SegmentState::NoRule(Seq::new(1)), "entry 0 is the genesis entry");
    assert_eq!(plan.archive_before, Seq::GENESIS);
}

#[test]
fn a_payload_is_due_when_every_reference_is_and_a_decision_allows_it() {
    let (_folder, dir) = ledger();
    let rules = r#"{"retention_version":"1","erase":[{"id":"tickets","min_age_days":10,"content_type":"application/json","action_prefix":"tickets:","resource_prefix":"tickets/"}]}"#;
    let states = |now_ms: u64| {
        let plan = plan(&dir, rules, now_ms);
        plan.blobs.into_iter().map(|blob| (blob.sha256, blob.state)).collect::<Vec<_>>()
    };
    // Calls 0, 1 and 2 of each trace name the payloads 0 and 1, 1 and 2, 2 and 3; trace 8 is the last.
    let young = states(NOW_MS + 17 * DAY_MS);
    assert_eq!(
        young.iter().map(|(sha256, _)| *sha256).collect::<Vec<_>>(),
        (0..4).map(payload).collect::<Vec<_>>()
    );
    for (_, state) in young {
        let BlobState::Young(seq, due) = state else { panic!("{state:?}") };
        assert_eq!(due, NOW_MS + 18 * DAY_MS);
        assert!(seq.get() > 7 * 5, "the youngest reference is of the last trace");
    }
    assert!(states(NOW_MS + 18 * DAY_MS).iter().all(|(_, state)| *state == BlobState::NeedsAuthority));
    // A decision that allows the erasure of payload 2, one that denies that of 3.
    let ledger = Ledger::open(&dir, Options::default()).unwrap();
    let context = hash_of(&chain(1, 0)[0]);
    let of = |number: u64, result: &str| {
        let text = decision(1, &context, result);
        let text = text.replace("\"action\":\"tickets:read\"", "\"action\":\"erase\"");
        text.replace("tickets/42", &format!("blob/{number:064x}"))
    };
    let (allow, deny) = (of(2, "allow"), of(3, "deny"));
    for line in [&allow, &deny] {
        ledger.commit_action(&bare(line), NOW_MS + 9 * DAY_MS).unwrap();
    }
    let states = states(NOW_MS + 18 * DAY_MS);
    let expected = |number| match number {
        2 => BlobState::Due(hash_of(&allow).parse().unwrap()),
        _ => BlobState::NeedsAuthority,
    };
    assert_eq!(states, (0..4).map(|number| (payload(number), expected(number))).collect::<Vec<_>>());
}

#[test]
fn other_calls_and_holds_keep_a_payload() {
    let (_folder, dir) = ledger();
    let snapshot = Snapshot::open(&dir).unwrap();
    let late = NOW_MS + 900 * DAY_MS;
    for other in
        [r#""content_type":"text/plain""#, r#""action_prefix":"payments:""#, r#""resource_prefix":"orders/""#]
    {
        let rules = format!(r#"{{"retention_version":"1","erase":[{{"id":"x","min_age_ms":1,{other}}}]}}"#);
        assert_eq!(plan(&dir, &rules, late).blobs, [], "{other}");
    }
    let rules =
        RetentionRules::parse(br#"{"retention_version":"1","erase":[{"id":"all","min_age_ms":1}]}"#).unwrap();
    let plan = plan_retention(&snapshot, &[], &rules, &Held(Some(payload(1))), late).unwrap();
    let held: Vec<_> = plan.blobs.iter().filter(|blob| matches!(blob.state, BlobState::Held(_))).collect();
    assert_eq!(held.iter().map(|blob| blob.sha256).collect::<Vec<_>>(), [payload(1)]);
    assert_eq!(held[0].state, BlobState::Held("case 12".to_owned()));
    assert_eq!(held[0].references.len(), 2 * 8);
    // With bodies away nobody knows what else refers to a payload.
    let out = dir.with_file_name("archive");
    archive(&dir, &ArchiveOrder { before: Seq::new(20), out: &out, place: "", now_ms: 0 }, &mut |_| {})
        .unwrap();
    let bare = Snapshot::open(&dir).unwrap();
    let unsure = plan_retention(&bare, &[], &rules, &Held(None), late).unwrap();
    assert!(unsure.unread_entries > 5 && unsure.blobs.iter().all(|blob| blob.state == BlobState::Unknown));
    let archived: Vec<Seq> = bare.archived().iter().map(|one| one.first_seq).collect();
    let brought = Snapshot::open_with_archives(&dir, &[out]).unwrap();
    let sure = plan_retention(&brought, &archived, &rules, &Held(None), late).unwrap();
    assert!(
        sure.unread_entries == 0 && sure.blobs.iter().all(|blob| blob.state == BlobState::NeedsAuthority)
    );
    assert_eq!(sure.segments[0].state, SegmentState::Archived);
}

#[test]
fn rules_are_closed_and_versioned() {
    for (bad, at) in [
        ("[]", ""),
        ("{}", "/retention_version"),
        (r#"{"retention_version":"2"}"#, "/retention_version"),
        (r#"{"retention_version":1}"#, "/retention_version"),
        (r#"{"retention_version":"1","keep":[]}"#, "/keep"),
        (r#"{"retention_version":"1","archive":{}}"#, "/archive"),
        (r#"{"retention_version":"1","archive":[{}]}"#, "/archive/0"),
        (r#"{"retention_version":"1","archive":[{"min_age_days":1,"min_age_ms":1}]}"#, "/archive/0"),
        (r#"{"retention_version":"1","archive":[{"min_age_days":-1}]}"#, "/archive/0/min_age_days"),
        (r#"{"retention_version":"1","archive":[{"min_age_days":1.5}]}"#, "/archive/0/min_age_days"),
        (r#"{"retention_version":"1","archive":[{"min_age_days":1,"kind":"all"}]}"#, "/archive/0/kind"),
        (
            r#"{"retention_version":"1","archive":[{"min_age_days":1,"classification":"NO"}]}"#,
            "/archive/0/classification",
        ),
        (r#"{"retention_version":"1","erase":[{"min_age_days":1}]}"#, "/erase/0"),
        (r#"{"retention_version":"1","erase":[{"id":"a","min_age_days":1,"kind":"x"}]}"#, "/erase/0/kind"),
        (r#"{"retention_version":"1","retention_version":"1"}"#, ""),
    ] {
        let fault = RetentionRules::parse(bad.as_bytes()).unwrap_err();
        assert_eq!(
            (fault.pointer.to_string().as_str(), fault.code()),
            (at, "retention.rules"),
            "{bad}: {fault}"
        );
    }
    let full = r#"{"retention_version":"1","archive":[{"min_age_ms":5,"kind":"rejected","classification":"HASH_MISMATCH"}],"erase":[]}"#;
    let rules = RetentionRules::parse(full.as_bytes()).unwrap();
    assert_eq!((rules.archive.len(), rules.archive[0].min_age_ms), (1, 5));
}
