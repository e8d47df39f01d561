//! How fast a value becomes a typed record, and what the parts of reading an envelope add up to. The floor `trace`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

mod common;

use criterion::Criterion;
use proofline::canon::{Limits, Profile, Value, parse};
use proofline::trace::{RecordType, certify, read_canonical, read_envelope, validate};
use proofline_vectors::Submission;

fn main() {
    let mut criterion = common::criterion();
    let records = common::records(common::amount(1000, 60));
    validation(&mut criterion, &records);
    envelopes(&mut criterion, &records);
    criterion.final_summary();
}

fn validation(criterion: &mut Criterion, records: &[Submission]) {
    let mut group = common::group(criterion, "validate");
    let mut measure = |name: &str, records: &[&Submission]| {
        let values: Vec<Value> = records.iter().map(|record| record.sealed.envelope().to_value()).collect();
        group.throughput(common::throughput(records.iter().map(|record| record.sealed.canonical())));
        common::each(&mut group, name, &values, |value| validate(value).unwrap());
    };
    measure("all", &records.iter().collect::<Vec<_>>());
    let types =
        [RecordType::AuthContext, RecordType::PolicyDecision, RecordType::ModelCall, RecordType::ToolCall];
    for record_type in types {
        let of_type = |record: &&Submission| record.sealed.envelope().record_type() == record_type;
        let of_type: Vec<&Submission> = records.iter().filter(of_type).collect();
        assert!(!of_type.is_empty(), "the evidence has no {record_type}");
        measure(record_type.as_str(), &of_type);
    }
    group.finish();
}

/// `canonical` is the one pass over canonical bytes, and `canonical_slow` its twin: parse, validate, write, compare.
/// `read` is the pass and a hash; `seal` writes and hashes, and `write_slow` is the twin of its first half; `certify`
/// is `read` and two comparisons.
fn envelopes(criterion: &mut Criterion, records: &[Submission]) {
    let mut group = common::group(criterion, "envelope");
    group.throughput(common::throughput(records.iter().map(|record| record.sealed.canonical())));
    common::each(&mut group, "canonical", records, |record| {
        read_canonical(record.sealed.canonical(), &Limits::ENVELOPE).unwrap()
    });
    common::each(&mut group, "canonical_slow", records, |record| {
        let value = parse(record.sealed.canonical(), &Limits::ENVELOPE).unwrap();
        let envelope = validate(&value).unwrap();
        assert_eq!(value.to_canonical(Profile::Envelope).unwrap(), record.sealed.canonical());
        envelope
    });
    common::each(&mut group, "write_slow", records, |record| {
        record.sealed.envelope().to_value().to_canonical(Profile::Envelope).unwrap()
    });
    common::each(&mut group, "read", records, |record| {
        read_envelope(record.sealed.canonical(), &Limits::ENVELOPE).unwrap()
    });
    common::each(&mut group, "seal", records, |record| record.sealed.envelope().clone().seal());
    common::each(&mut group, "certify", records, |record| {
        certify(record.sealed.canonical(), &record.sealed.hash()).unwrap()
    });
    group.finish();
}
