//! SHA-256 of many records at once, by each way that this processor has, beside the crate sha2 one after the other.
//! The floor `lanes`. To measure as a processor without SHA extensions would, build with `--cfg sha2_backend="soft"`;
//! without AVX-512 too, with `--cfg lanes_widest="avx2"`.
#![allow(clippy::unwrap_used, reason = "a bench that cannot go on stops")]

mod common;

use std::hint::black_box;

use criterion::Criterion;
use criterion::measurement::WallTime;
use proofline_lanes::{Backend, sha256, sha256_each_on, sha256_pairs_into_on};
use sha2::Digest;

/// The mean length of a record.
const RECORD_BYTES: usize = 1003;

fn main() {
    let mut criterion = common::criterion();
    let count = common::amount(1000, 20);
    let bytes = noise(count * RECORD_BYTES);
    let equal: Vec<&[u8]> = bytes.chunks_exact(RECORD_BYTES).collect();
    batch(&mut criterion, "lanes_1003_bytes", &equal);
    // As unlike each other as bodies are, the same mean.
    let unlike: Vec<&[u8]> =
        equal.iter().enumerate().filter_map(|(at, record)| record.get(..300 + at * 389 % 704)).collect();
    batch(&mut criterion, "lanes_300_to_1003_bytes", &unlike);
    let headers: Vec<&[u8]> =
        equal.iter().enumerate().filter_map(|(at, record)| record.get(..130 + at * 37 % 91)).collect();
    batch(&mut criterion, "lanes_130_to_220_bytes", &headers);
    batch(&mut criterion, "lanes_4_of_1003_bytes", equal.get(..4).unwrap());
    nodes(&mut criterion, &bytes);
    criterion.final_summary();
}

/// Bytes by xorshift.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[0]
    };
    std::iter::repeat_with(step).take(count).collect()
}

fn batch(criterion: &mut Criterion, name: &str, inputs: &[&[u8]]) {
    let mut group = common::group(criterion, name);
    group.throughput(common::throughput(inputs.iter().copied()));
    common::each(&mut group, "sha2", inputs, sha2::Sha256::digest);
    common::each(&mut group, "single", inputs, |input| sha256(input));
    for backend in Backend::available() {
        group.bench_function(format!("{backend:?}"), |bencher| {
            bencher.iter(|| sha256_each_on(backend, b"", black_box(inputs)));
        });
    }
    group.finish();
}

/// A row of tree nodes over 256 hashes.
fn nodes(criterion: &mut Criterion, bytes: &[u8]) {
    let hashes = bytes.as_chunks::<32>().0.get(..256).unwrap();
    let pairs = hashes.as_chunks::<2>().0;
    let mut group = common::group(criterion, "lanes_128_nodes");
    group.throughput(criterion::Throughput::Elements(pairs.len() as u64));
    let sha2 = |[left, right]: &[[u8; 32]; 2]| {
        sha2::Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize()
    };
    common::each(&mut group, "sha2", pairs, sha2);
    for backend in Backend::available() {
        nodes_on(&mut group, backend, pairs);
    }
    group.finish();
}

fn nodes_on(group: &mut criterion::BenchmarkGroup<'_, WallTime>, backend: Backend, pairs: &[[[u8; 32]; 2]]) {
    let mut nodes = vec![[0; 32]; pairs.len()];
    group.bench_function(format!("{backend:?}"), |bencher| {
        bencher.iter(|| sha256_pairs_into_on(backend, 1, black_box(pairs), &mut nodes));
    });
}
