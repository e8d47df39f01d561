//! The direct writers of a replay's two records against their slow twin, `to_value` and the writer of values.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

use proofline_canon::{Pointer, Profile, Sha256Digest, Value};
use proofline_trace::{
    AllowedVariance, Coverage, Difference, DifferenceKind, DifferenceSide, EnvelopeHash, ErrorKind, Failure,
    FailureClass, Finding, FindingCode, MayVary, RecordType, ReplayDiagnostics, ReplayMode, ReplayResult,
    ReplayType, SafeInt, Timestamp, Token, TraceId, Verdict,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

fn cases() -> ProptestConfig {
    let cases = match std::env::var("PROOFLINE_EFFORT").as_deref() {
        Ok("full") => 1_000_000,
        Err(_) | Ok("ci") => 1_000,
        Ok(other) => panic!("PROOFLINE_EFFORT is ci or full, not {other}"),
    };
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn slowly(value: &Value) -> Vec<u8> {
    value.to_canonical(Profile::Envelope).unwrap()
}

fn trace_id() -> impl Strategy<Value = TraceId> {
    any::<[u8; 16]>().prop_filter_map("zero names no trace", |bytes| TraceId::from_bytes(bytes).ok())
}

fn hash() -> impl Strategy<Value = EnvelopeHash> {
    any::<[u8; 32]>().prop_map(EnvelopeHash::from_bytes)
}

fn safe_int() -> impl Strategy<Value = SafeInt> {
    prop_oneof![0..30_u64, any::<u64>()].prop_map(SafeInt::saturating)
}

/// Texts with all that a writer has to escape, and nothing of it.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ]{0,30}", "(\\PC|[\\x00-\\x7f]){0,30}"]
}

fn class() -> impl Strategy<Value = FailureClass> {
    select(FailureClass::ALL.to_vec())
}

fn result() -> impl Strategy<Value = ReplayResult> {
    let mode = prop_oneof![
        Just(ReplayMode::Forensic),
        Just(ReplayMode::Invariant),
        trace_id().prop_map(|reference_trace_id| ReplayMode::Constrained { reference_trace_id }),
    ];
    let verdict = prop_oneof![Just(Verdict::Pass), class().prop_map(Verdict::Fail)];
    let moment = prop_oneof![
        Just(Timestamp::EPOCH),
        Just(Timestamp::MIN),
        Just(Timestamp::MAX),
        (0..1_i64 << 42).prop_map(|ms| Timestamp::from_unix_ms(ms).unwrap()),
    ];
    (mode, trace_id(), vec(hash(), 0..9), verdict, moment).prop_map(
        |(mode, target_trace_id, input_envelope_hashes, verdict, generated_at)| ReplayResult {
            mode,
            target_trace_id,
            input_envelope_hashes,
            verdict,
            generated_at,
        },
    )
}

fn failure() -> impl Strategy<Value = Failure> {
    let kinds =
        ["hash_mismatch.envelope_hash", "schema_violation.required.a \"b\"\n", "schema_violation.type"];
    let error_kind = select(kinds.to_vec()).prop_map(|kind| kind.parse::<ErrorKind>().ok());
    let pointer = option::of(text().prop_map(|name| Pointer::root().child(&name).index(3)));
    let names =
        (select(vec!["bytes", "a-check"]), class(), error_kind, option::of(hash()), option::of(safe_int()));
    let place = (option::of(select(RecordType::ALL.to_vec())), pointer);
    (names, place, option::of(text()), option::of(text()), text()).prop_map(
        |(
            (check, class, error_kind, envelope_hash, seq),
            (record_type, pointer),
            expected,
            found,
            message,
        )| Failure {
            check: Token::new(check).unwrap(),
            class,
            error_kind,
            envelope_hash,
            seq,
            record_type,
            pointer,
            expected,
            found,
            message,
        },
    )
}

fn finding() -> impl Strategy<Value = Finding> {
    (select(FindingCode::ALL.to_vec()), vec(hash(), 0..3), vec(safe_int(), 0..3), text()).prop_map(
        |(code, records, seqs, message)| Finding { severity: code.severity(), code, records, seqs, message },
    )
}

fn coverage() -> impl Strategy<Value = Coverage> {
    vec(safe_int(), 10).prop_map(|counts| {
        let mut counts = counts.into_iter();
        let mut next = || counts.next().unwrap();
        Coverage {
            records: next(),
            verified: next(),
            gate_rechecked: next(),
            policy_re_decided: next(),
            policy_absent: next(),
            policy_unusable: next(),
            re_executed: next(),
            rejected_listed: next(),
            blobs_absent: next(),
            absent: next(),
        }
    })
}

fn difference() -> impl Strategy<Value = Difference> {
    let side = || {
        (vec(hash(), 0..2), vec(safe_int(), 0..2), option::of(text()))
            .prop_map(|(records, seqs, value)| DifferenceSide { records, seqs, value })
    };
    (select(DifferenceKind::ALL.to_vec()), select(RecordType::ALL.to_vec()), any::<bool>(), side(), side())
        .prop_map(|(kind, record_type, allowed, baseline, candidate)| Difference {
            kind,
            record_type,
            allowed,
            baseline,
            candidate,
        })
}

fn diagnostics() -> impl Strategy<Value = ReplayDiagnostics> {
    let head = (any::<[u8; 32]>(), select(ReplayType::ALL.to_vec()), trace_id(), coverage());
    (head, vec(failure(), 0..3), vec(finding(), 0..3), vec(difference(), 0..2)).prop_map(
        |((result_sha256, replay_type, target_trace_id, coverage), failures, findings, differences)| {
            ReplayDiagnostics {
                result_sha256: Sha256Digest::from_bytes(result_sha256),
                replay_type,
                target_trace_id,
                coverage,
                failures,
                findings,
                variance: AllowedVariance {
                    model_call: MayVary { response: true, ..MayVary::default() },
                    ..AllowedVariance::default()
                },
                differences,
            }
        },
    )
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn results_are_written_as_by_the_slow_twin(result in result()) {
        let bytes = slowly(&result.to_value());
        prop_assert_eq!(String::from_utf8(result.canonical()), String::from_utf8(bytes.clone()));
        prop_assert_eq!(result.sha256(), Sha256Digest::of(&bytes));
    }

    #[test]
    fn diagnostics_are_written_as_by_the_slow_twin(record in diagnostics()) {
        let bytes = slowly(&record.to_value());
        prop_assert_eq!(String::from_utf8(record.canonical()), String::from_utf8(bytes.clone()));
        prop_assert_eq!(record.sha256(), Sha256Digest::of(&bytes));
    }
}
