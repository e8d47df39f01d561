//! How fast bytes become values and values become bytes: strict parsing, canonical form, digests. The floor `canon`,
//! and what sealing adds to a digest, of the floor `proof`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

mod common;

use criterion::Criterion;
use proofline::canon::{Blake3Digest, Limits, Profile, Sha256Digest, Value, check_canonical, parse};
use proofline::proof::sealed::{SubjectKey, open_bytes, seal_bytes};
use proofline_vectors::Submission;
use zeroize::Zeroizing;

const LIMITS: Limits = Limits::ENVELOPE;

fn main() {
    let mut criterion = common::criterion();
    let records = common::records(common::amount(1000, 20));
    parsing(&mut criterion, &records);
    canonical_form(&mut criterion, &records);
    digests(&mut criterion, &records);
    sealing(&mut criterion, &records);
    criterion.final_summary();
}

fn canonical(record: &Submission) -> &[u8] {
    record.sealed.canonical()
}

fn parsing(criterion: &mut Criterion, records: &[Submission]) {
    let mut group = common::group(criterion, "parse");
    group.throughput(common::throughput(records.iter().map(canonical)));
    common::each(&mut group, "canonical", records, |record| parse(canonical(record), &LIMITS).unwrap());
    let lines: Vec<Vec<u8>> = records.iter().map(Submission::line).collect();
    group.throughput(common::throughput(lines.iter().map(Vec::as_slice)));
    common::each(&mut group, "as_sent", &lines, |line| parse(line, &LIMITS).unwrap());
    group.finish();
}

fn canonical_form(criterion: &mut Criterion, records: &[Submission]) {
    let mut group = common::group(criterion, "canonical");
    group.throughput(common::throughput(records.iter().map(canonical)));
    let values: Vec<Value> = records.iter().map(|record| record.sealed.envelope().to_value()).collect();
    common::each(&mut group, "write", &values, |value| value.to_canonical(Profile::Envelope).unwrap());
    common::each(&mut group, "check", records, |record| {
        check_canonical(canonical(record), Profile::Envelope, &LIMITS).unwrap();
    });
    // What `check` was before it was one walk: the twin that it is tested against.
    common::each(&mut group, "check_slow", records, |record| {
        let value = parse(canonical(record), &LIMITS).unwrap();
        assert_eq!(value.to_canonical(Profile::Envelope).unwrap(), canonical(record));
    });
    group.finish();
}

/// Records name themselves by SHA-256, one by one; files are sealed with BLAKE3, in one piece.
fn digests(criterion: &mut Criterion, records: &[Submission]) {
    let mut group = common::group(criterion, "hash_records");
    group.throughput(common::throughput(records.iter().map(canonical)));
    common::each(&mut group, "sha256", records, |record| Sha256Digest::of(canonical(record)));
    common::each(&mut group, "blake3", records, |record| Blake3Digest::of(canonical(record)));
    group.finish();

    let file: Vec<u8> = records.iter().flat_map(canonical).copied().cycle().take(1 << 20).collect();
    let files = [file];
    let mut group = common::group(criterion, "hash_1_mib");
    group.throughput(common::throughput(files.iter().map(Vec::as_slice)));
    common::each(&mut group, "sha256", &files, |file| Sha256Digest::of(file));
    common::each(&mut group, "blake3", &files, |file| Blake3Digest::of(file));
    group.finish();
}

/// A payload is hashed to be named in any case; sealing hashes its content, encrypts it, and authenticates it.
fn sealing(criterion: &mut Criterion, records: &[Submission]) {
    let content: Vec<u8> = records.iter().flat_map(canonical).copied().cycle().take(1 << 20).collect();
    let key = SubjectKey::from_bytes(&Zeroizing::new([0xbe; 32]));
    let (contents, payloads) = ([content.clone()], [seal_bytes(&key, &content)]);
    let mut group = common::group(criterion, "seal_1_mib");
    group.throughput(common::throughput(contents.iter().map(Vec::as_slice)));
    common::each(&mut group, "sha256", &contents, |content| Sha256Digest::of(content));
    common::each(&mut group, "seal", &contents, |content| seal_bytes(&key, content));
    common::each(&mut group, "open", &payloads, |payload| open_bytes(&key, payload).unwrap());
    group.finish();
}
