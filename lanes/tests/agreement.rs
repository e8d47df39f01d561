//! Every backend against the crate sha2, which knows nothing of lanes: random lengths, prefixes and counts, lengths
//! around the borders of blocks, slices at odd places. A million inputs with `PROOFLINE_EFFORT=full`.

use proofline_lanes::{
    Backend, Sha256, sha256, sha256_after, sha256_each, sha256_each_into, sha256_each_on, sha256_pair,
    sha256_pairs_into, sha256_pairs_into_on,
};
use proptest::collection::vec;
use proptest::prelude::*;
use sha2::Digest;

/// FIPS 180-4's examples and others of NIST's (SHA256ShortMsg.rsp, SHA256LongMsg.rsp and the "additional examples").
const KNOWN: [(&[u8], &str); 9] = [
    (b"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    (b"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
        b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
    ),
    (
        b"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu",
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1",
    ),
    (&[0xbd], "68325720aabd7c82f30f554b313d0570c95accbb7dc4b5aae11204c08ffe732b"),
    (&[0; 55], "02779466cdec163811d078815c633f21901413081449002f24aa3e80f0b88ef7"),
    (&[0; 56], "d4817aa5497628e7c77e6b606107042bbba3130888c5f47a375e6179be789fbb"),
    (&[0; 64], "f5a5fd42d16a20302798ef6ed309979b43003d2320d9f0e8ea9831a92759fb4b"),
    (&[0x41; 1000], "c2e686823489ced2017f6059b8b239318b6364f6dcd835d0a519105a1eadd6e4"),
];

/// SHA-256 of a million times `a`, FIPS 180-2's third example.
const MILLION: &str = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

fn hex(digest: [u8; 32]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn expected(prefix: &[u8], input: &[u8]) -> [u8; 32] {
    sha2::Sha256::new().chain_update(prefix).chain_update(input).finalize().into()
}

/// `PROOFLINE_EFFORT=full` for a million inputs.
fn is_full() -> bool {
    std::env::var("PROOFLINE_EFFORT").is_ok_and(|effort| effort == "full")
}

/// Bytes without a pattern that a block or a lane could share.
fn noise(count: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let step = || {
        // xorshift64*.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d).to_be_bytes()[0]
    };
    std::iter::repeat_with(step).take(count).collect()
}

fn check(prefix: &[u8], inputs: &[&[u8]]) {
    let expected: Vec<[u8; 32]> = inputs.iter().map(|input| expected(prefix, input)).collect();
    for backend in Backend::available() {
        let found = sha256_each_on(backend, prefix, inputs);
        assert_eq!(found.len(), expected.len(), "{backend:?}");
        let wrong = found.iter().zip(&expected).position(|(found, expected)| found != expected);
        let lengths: Vec<usize> = inputs.iter().map(|input| input.len()).collect();
        assert_eq!(wrong, None, "{backend:?}, prefix of {}, lengths {lengths:?}", prefix.len());
    }
    assert_eq!(sha256_each(prefix, inputs), expected);
}

#[test]
fn known_answers_of_every_backend() {
    let million = vec![b'a'; 1_000_000];
    let mut known: Vec<(&[u8], &str)> = KNOWN.to_vec();
    known.push((&million, MILLION));
    let inputs: Vec<&[u8]> = known.iter().map(|(input, _)| *input).collect();
    for backend in Backend::available() {
        for times in [1, 2, 7] {
            let found = sha256_each_on(backend, b"", &inputs.repeat(times));
            for (digest, (_, expected)) in found.into_iter().zip(known.repeat(times)) {
                assert_eq!(hex(digest), expected, "{backend:?}");
            }
        }
        // One input at a time takes other paths.
        for (input, expected) in &known {
            assert_eq!(hex(sha256_each_on(backend, b"", &[input])[0]), *expected, "{backend:?}");
        }
    }
    for (input, expected) in &known {
        assert_eq!(hex(sha256(input)), *expected);
        let (front, back) = input.split_at(input.len() / 3);
        assert_eq!(hex(sha256_after(front, back)), *expected);
    }
}

/// A machine without vectors would let every other test pass.
#[test]
fn the_portable_backend_is_always_there_and_the_best_is_one_of_all() {
    let available: Vec<Backend> = Backend::available().collect();
    assert_eq!(available.first(), Some(&Backend::Portable));
    assert_eq!(available.last(), Some(&Backend::best()));
    let all = [Backend::Portable, Backend::Avx2, Backend::Avx512, Backend::ShaNi];
    // One that is not there answers too.
    for backend in all {
        assert_eq!(sha256_each_on(backend, b"a", &[b"bc"]), [expected(b"", b"abc")]);
    }
}

#[test]
fn nothing_has_no_digests() {
    for backend in Backend::available() {
        assert_eq!(sha256_each_on(backend, b"prefix", &[]), Vec::<[u8; 32]>::new());
        sha256_pairs_into_on(backend, 1, &[], &mut []);
    }
}

#[test]
fn every_length_to_six_blocks_alone_and_in_company() {
    let bytes = noise(400, 1);
    let inputs: Vec<&[u8]> = (0..=bytes.len()).map(|length| &bytes[..length]).collect();
    for prefix in [0, 1, 2, 55, 63, 64, 65, 128, 130, 300] {
        check(&bytes[..prefix], &inputs);
        let reversed: Vec<&[u8]> = inputs.iter().rev().copied().collect();
        check(&bytes[..prefix], &reversed);
    }
    for input in inputs {
        assert_eq!(sha256(input), expected(b"", input));
        check(&[0], &[input]);
    }
}

#[test]
fn every_count_and_the_borders_of_blocks() {
    const LENGTHS: [usize; 16] = [0, 1, 54, 55, 56, 63, 64, 65, 118, 119, 120, 127, 128, 247, 248, 1003];
    let bytes = noise(2000, 2);
    for count in 0..=70 {
        // Every second slice begins at an odd place.
        let inputs: Vec<&[u8]> = (0..count)
            .map(|at| {
                let start = at * 7 % 61;
                &bytes[start..start + LENGTHS[(at * 5 + count) % LENGTHS.len()]]
            })
            .collect();
        check(b"", &inputs);
        check(&[0], &inputs);
    }
}

/// One long input among short ones keeps its lane while the others change; alone at the end, it goes on outside.
#[test]
fn long_inputs_among_short_ones() {
    let long = noise(300_000, 3);
    for place in [0, 1, 8, 20, 39] {
        let mut inputs: Vec<&[u8]> = (0..40).map(|at| &long[at..at * 40]).collect();
        inputs[place] = &long;
        check(&[0], &inputs);
        inputs[39 - place] = &long[1..];
        check(b"", &inputs);
    }
}

#[test]
fn more_inputs_than_are_queued_at_once() {
    let bytes = noise(5000, 4);
    let inputs: Vec<&[u8]> = (0..9000).map(|at| &bytes[at % 77..at % 77 + at * 31 % 301]).collect();
    check(&[0], &inputs);
}

#[test]
fn lists_of_unequal_length_are_hashed_as_far_as_both_go() {
    let inputs: [&[u8]; 3] = [b"a", b"b", b"c"];
    let mut digests = [[7; 32]; 5];
    sha256_each_into(b"x", &inputs, &mut digests);
    let of = |input: &[u8]| expected(b"x", input);
    assert_eq!(digests, [of(b"a"), of(b"b"), of(b"c"), [7; 32], [7; 32]]);
    let mut few = [[7; 32]; 2];
    sha256_each_into(b"", &inputs, &mut few);
    assert_eq!(few, [expected(b"", b"a"), expected(b"", b"b")]);

    let pairs = [[[1; 32], [2; 32]]; 9];
    for count in 0..12 {
        let mut nodes = vec![[7; 32]; count];
        sha256_pairs_into(1, &pairs, &mut nodes);
        let node = expected(&[1], pairs[0].as_flattened());
        let expected: Vec<[u8; 32]> = (0..count).map(|at| if at < 9 { node } else { [7; 32] }).collect();
        assert_eq!(nodes, expected);
    }
}

#[test]
fn pairs_hash_as_their_bytes() {
    let bytes = noise(64 * 75, 5);
    let digests = bytes.as_chunks::<32>().0;
    let pairs = digests.as_chunks::<2>().0;
    for pair @ [left, right] in pairs {
        assert_eq!(sha256_pair(1, left, right), expected(&[1], pair.as_flattened()));
    }
    for count in 0..=pairs.len() {
        for prefix in [0, 1, 255] {
            let pairs = &pairs[..count];
            let expected: Vec<[u8; 32]> =
                pairs.iter().map(|pair| expected(&[prefix], pair.as_flattened())).collect();
            for backend in Backend::available() {
                let mut nodes = vec![[0; 32]; count];
                sha256_pairs_into_on(backend, prefix, pairs, &mut nodes);
                assert_eq!(nodes, expected, "{backend:?}, {count} pairs");
            }
        }
    }
}

#[test]
fn a_hasher_does_not_tell_what_it_read() {
    let mut hasher = Sha256::default();
    hasher.update(b"secret");
    assert_eq!(format!("{hasher:?}"), "Sha256 { .. }");
}

#[derive(Debug)]
struct Batch {
    bytes: Vec<u8>,
    prefix: usize,
    /// Where each input begins, and how long it is.
    places: Vec<(usize, usize)>,
}

fn length() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0_usize..300,
        3 => prop_oneof![Just(55_usize), Just(56), Just(63), Just(64), Just(65), Just(119), Just(120), Just(128)],
        2 => 300_usize..2000,
        1 => 2000_usize..9000,
    ]
}

fn batch() -> impl Strategy<Value = Batch> {
    let prefix = prop_oneof![Just(0_usize), Just(1), 2_usize..200];
    (any::<u64>(), prefix, vec((0_usize..300, length()), 0..70)).prop_map(|(seed, prefix, places)| Batch {
        bytes: noise(9300, seed | 1),
        prefix,
        places,
    })
}

proptest! {
    // Some 35 inputs a case.
    #![proptest_config(ProptestConfig::with_cases(if is_full() { 30_000 } else { 150 }))]

    #[test]
    fn backends_agree_with_sha2(batch in batch()) {
        let inputs: Vec<&[u8]> =
            batch.places.iter().map(|(start, length)| &batch.bytes[*start..start + length]).collect();
        check(&batch.bytes[..batch.prefix], &inputs);
    }

    #[test]
    fn parts_hash_as_the_whole(seed in any::<u64>(), parts in vec(length(), 0..20)) {
        let bytes = noise(parts.iter().sum(), seed | 1);
        let mut hasher = Sha256::new();
        let mut rest = &bytes[..];
        for length in parts {
            let (part, others) = rest.split_at(length);
            hasher.update(part);
            rest = others;
            let read = &bytes[..bytes.len() - rest.len()];
            prop_assert_eq!(hasher.clone().finalize(), expected(b"", read));
        }
        prop_assert_eq!(hasher.finalize(), sha256(&bytes));
    }
}
