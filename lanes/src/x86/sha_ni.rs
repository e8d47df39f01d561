//! Two messages at once with the SHA extensions: while one waits for its round, the other's is begun.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
    _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8, _mm_shuffle_epi32,
};

use crate::block::{Block, ROUND_CONSTANTS};
use crate::schedule::{Engine, Words};

const LANES: usize = 2;

/// The processor has the SHA extensions and SSE 4.1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShaNi(());

impl ShaNi {
    pub(crate) fn detect() -> Option<Self> {
        let is_there = is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1");
        // Whoever switches them off in sha2 means to measure a processor without them.
        (is_there && cfg!(not(sha2_backend = "soft"))).then_some(ShaNi(()))
    }
}

impl Engine<LANES> for ShaNi {
    const FEWEST: usize = 2;

    fn compress(self, words: &mut Words<LANES>, runs: &[&[Block]; LANES], count: usize) {
        #[expect(unsafe_code, reason = "a function for a processor that has more than every processor")]
        // SAFETY: a `ShaNi` is made by `detect` alone, which asked for these features.
        unsafe {
            compress(words, runs, count);
        }
    }
}

/// The state of one message, in the order that the instructions want.
#[derive(Clone, Copy)]
struct State {
    abef: __m128i,
    cdgh: __m128i,
}

#[target_feature(enable = "sha,sse4.1")]
fn compress(words: &mut Words<LANES>, runs: &[&[Block]; LANES], count: usize) {
    let [mut one, mut two] = [load(words.lane(0)), load(words.lane(1))];
    let [run_one, run_two] = runs;
    for (block_one, block_two) in run_one.iter().zip(*run_two).take(count) {
        (one, two) = compress_both(one, two, block_one, block_two);
    }
    words.set_lane(0, store(one));
    words.set_lane(1, store(two));
}

#[target_feature(enable = "sha,sse4.1")]
#[inline]
fn compress_both(one: State, two: State, block_one: &Block, block_two: &Block) -> (State, State) {
    let (mut a, mut b) = (one, two);
    let (mut v, mut w) = (words_of(block_one), words_of(block_two));
    let [k, later @ ..] = &ROUND_CONSTANTS;
    let [k0, k1, k2, k3] = quads(k);
    (a, b) = (four_rounds(a, v[0], k0), four_rounds(b, w[0], k0));
    (a, b) = (four_rounds(a, v[1], k1), four_rounds(b, w[1], k1));
    (a, b) = (four_rounds(a, v[2], k2), four_rounds(b, w[2], k2));
    (a, b) = (four_rounds(a, v[3], k3), four_rounds(b, w[3], k3));
    for k in later {
        let [k0, k1, k2, k3] = quads(k);
        (v[0], w[0]) = (expanded(v[0], v[1], v[2], v[3]), expanded(w[0], w[1], w[2], w[3]));
        (a, b) = (four_rounds(a, v[0], k0), four_rounds(b, w[0], k0));
        (v[1], w[1]) = (expanded(v[1], v[2], v[3], v[0]), expanded(w[1], w[2], w[3], w[0]));
        (a, b) = (four_rounds(a, v[1], k1), four_rounds(b, w[1], k1));
        (v[2], w[2]) = (expanded(v[2], v[3], v[0], v[1]), expanded(w[2], w[3], w[0], w[1]));
        (a, b) = (four_rounds(a, v[2], k2), four_rounds(b, w[2], k2));
        (v[3], w[3]) = (expanded(v[3], v[0], v[1], v[2]), expanded(w[3], w[0], w[1], w[2]));
        (a, b) = (four_rounds(a, v[3], k3), four_rounds(b, w[3], k3));
    }
    (sum(a, one), sum(b, two))
}

#[target_feature(enable = "sse4.1")]
#[inline]
fn sum(one: State, other: State) -> State {
    State { abef: _mm_add_epi32(one.abef, other.abef), cdgh: _mm_add_epi32(one.cdgh, other.cdgh) }
}

#[target_feature(enable = "sha,sse4.1")]
#[inline]
fn four_rounds(State { abef, cdgh }: State, words: __m128i, constants: __m128i) -> State {
    let inputs = _mm_add_epi32(words, constants);
    let next = _mm_sha256rnds2_epu32(cdgh, abef, inputs);
    let last = _mm_sha256rnds2_epu32(abef, next, _mm_shuffle_epi32(inputs, 0x0e));
    State { abef: last, cdgh: next }
}

/// The next four words from the sixteen before them.
#[target_feature(enable = "sha,sse4.1")]
#[inline]
fn expanded(w0: __m128i, w4: __m128i, w8: __m128i, w12: __m128i) -> __m128i {
    let near = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w4), _mm_alignr_epi8(w12, w8, 4));
    _mm_sha256msg2_epu32(near, w12)
}

#[target_feature(enable = "sse4.1")]
#[inline]
fn quads(constants: &[u32; 16]) -> [__m128i; 4] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = constants.map(u32::cast_signed);
    [
        _mm_set_epi32(d, c, b, a),
        _mm_set_epi32(h, g, f, e),
        _mm_set_epi32(l, k, j, i),
        _mm_set_epi32(p, o, n, m),
    ]
}

/// A block as words in the processor's order.
#[target_feature(enable = "sse4.1")]
#[inline]
fn words_of(block: &Block) -> [__m128i; 4] {
    let mut parts = [0; 8];
    for (part, bytes) in parts.iter_mut().zip(block.as_chunks::<8>().0) {
        *part = i64::from_le_bytes(*bytes);
    }
    let [a, b, c, d, e, f, g, h] = parts;
    let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    [(b, a), (d, c), (f, e), (h, g)].map(|(high, low)| _mm_shuffle_epi8(_mm_set_epi64x(high, low), order))
}

#[target_feature(enable = "sse4.1")]
#[inline]
fn load(state: [u32; 8]) -> State {
    let [a, b, c, d, e, f, g, h] = state.map(u32::cast_signed);
    State { abef: _mm_set_epi32(a, b, e, f), cdgh: _mm_set_epi32(c, d, g, h) }
}

#[target_feature(enable = "sse4.1")]
#[inline]
fn store(State { abef, cdgh }: State) -> [u32; 8] {
    let words = [
        _mm_extract_epi32::<3>(abef),
        _mm_extract_epi32::<2>(abef),
        _mm_extract_epi32::<3>(cdgh),
        _mm_extract_epi32::<2>(cdgh),
        _mm_extract_epi32::<1>(abef),
        _mm_extract_epi32::<0>(abef),
        _mm_extract_epi32::<1>(cdgh),
        _mm_extract_epi32::<0>(cdgh),
    ];
    words.map(i32::cast_unsigned)
}
