//! Eight messages at once in vectors of 256 bits.

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_or_si256, _mm256_permute2x128_si256,
    _mm256_set1_epi32, _mm256_setr_epi8, _mm256_setr_epi64x, _mm256_shuffle_epi8, _mm256_slli_epi32,
    _mm256_srli_epi32, _mm256_storeu_si256, _mm256_unpackhi_epi32, _mm256_unpackhi_epi64,
    _mm256_unpacklo_epi32, _mm256_unpacklo_epi64, _mm256_xor_si256,
};

use crate::block::Block;
use crate::rounds::define_rounds;
use crate::schedule::{Engine, Words};

const LANES: usize = 8;

/// The processor has AVX2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Avx2(()))
    }
}

impl Engine<LANES> for Avx2 {
    const FEWEST: usize = 3;

    fn compress(self, words: &mut Words<LANES>, runs: &[&[Block]; LANES], count: usize) {
        #[expect(unsafe_code, reason = "a function for a processor that has more than every processor")]
        // SAFETY: an `Avx2` is made by `detect` alone, which asked for this feature.
        unsafe {
            compress(words, runs, count);
        }
    }
}

#[target_feature(enable = "avx2")]
fn compress(words: &mut Words<LANES>, runs: &[&[Block]; LANES], count: usize) {
    let mut state = words.rows().map(|row| load(&row));
    for at in 0..count {
        let [a, b, c, d, e, f, g, h] = runs.map(|run| run.get(at).unwrap_or(&[0; 64]));
        let blocks = [a, b, c, d, e, f, g, h];
        let front = transposed(blocks.map(|block| half(block, 0)));
        let back = transposed(blocks.map(|block| half(block, 4)));
        let [w0, w1, w2, w3, w4, w5, w6, w7] = front;
        let [w8, w9, w10, w11, w12, w13, w14, w15] = back;
        state = rounds(state, [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15]);
    }
    for (row, vector) in words.rows_mut().iter_mut().zip(state) {
        store(row, vector);
    }
}

/// Half a block, from this eight bytes on, as words in the processor's order.
#[target_feature(enable = "avx2")]
#[inline]
fn half(block: &Block, from: usize) -> __m256i {
    let parts = block.as_chunks::<8>().0;
    let part = |at: usize| parts.get(from + at).map_or(0, |bytes| i64::from_le_bytes(*bytes));
    let bytes = _mm256_setr_epi64x(part(0), part(1), part(2), part(3));
    let order = _mm256_setr_epi8(
        3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14,
        13, 12,
    );
    _mm256_shuffle_epi8(bytes, order)
}

/// Rows of eight words into columns.
#[target_feature(enable = "avx2")]
#[inline]
fn transposed(rows: [__m256i; 8]) -> [__m256i; 8] {
    let [r0, r1, r2, r3, r4, r5, r6, r7] = rows;
    let [a0, a1, a2, a3] = transposed_quarters(r0, r1, r2, r3);
    let [b0, b1, b2, b3] = transposed_quarters(r4, r5, r6, r7);
    [
        _mm256_permute2x128_si256(a0, b0, 0x20),
        _mm256_permute2x128_si256(a1, b1, 0x20),
        _mm256_permute2x128_si256(a2, b2, 0x20),
        _mm256_permute2x128_si256(a3, b3, 0x20),
        _mm256_permute2x128_si256(a0, b0, 0x31),
        _mm256_permute2x128_si256(a1, b1, 0x31),
        _mm256_permute2x128_si256(a2, b2, 0x31),
        _mm256_permute2x128_si256(a3, b3, 0x31),
    ]
}

/// Four rows into columns, within each half of the vectors.
#[target_feature(enable = "avx2")]
#[inline]
fn transposed_quarters(r0: __m256i, r1: __m256i, r2: __m256i, r3: __m256i) -> [__m256i; 4] {
    let (low01, high01) = (_mm256_unpacklo_epi32(r0, r1), _mm256_unpackhi_epi32(r0, r1));
    let (low23, high23) = (_mm256_unpacklo_epi32(r2, r3), _mm256_unpackhi_epi32(r2, r3));
    [
        _mm256_unpacklo_epi64(low01, low23),
        _mm256_unpackhi_epi64(low01, low23),
        _mm256_unpacklo_epi64(high01, high23),
        _mm256_unpackhi_epi64(high01, high23),
    ]
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(row: &[u32; LANES]) -> __m256i {
    let [a, b, c, d, e, f, g, h] = row.map(i64::from);
    _mm256_setr_epi64x(a | b << 32, c | d << 32, e | f << 32, g | h << 32)
}

#[target_feature(enable = "avx2")]
#[inline]
fn store(row: &mut [u32; LANES], vector: __m256i) {
    #[expect(unsafe_code, reason = "the intrinsic takes a pointer")]
    // SAFETY: the row is 32 bytes that may be written, and the intrinsic asks for no alignment.
    unsafe {
        _mm256_storeu_si256(row.as_mut_ptr().cast(), vector);
    }
}

define_rounds!("avx2", __m256i);

#[target_feature(enable = "avx2")]
#[inline]
fn splat(constant: u32) -> __m256i {
    _mm256_set1_epi32(constant.cast_signed())
}

#[target_feature(enable = "avx2")]
#[inline]
fn add(one: __m256i, other: __m256i) -> __m256i {
    _mm256_add_epi32(one, other)
}

#[target_feature(enable = "avx2")]
#[inline]
fn xor3(one: __m256i, two: __m256i, three: __m256i) -> __m256i {
    _mm256_xor_si256(_mm256_xor_si256(one, two), three)
}

#[target_feature(enable = "avx2")]
#[inline]
fn choice(e: __m256i, f: __m256i, g: __m256i) -> __m256i {
    _mm256_xor_si256(g, _mm256_and_si256(e, _mm256_xor_si256(f, g)))
}

/// `a ^ b` is the next round's `b ^ c`.
#[target_feature(enable = "avx2")]
#[inline]
fn majority(a: __m256i, b: __m256i, c: __m256i) -> __m256i {
    _mm256_xor_si256(b, _mm256_and_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(b, c)))
}

#[target_feature(enable = "avx2")]
#[inline]
fn rotated<const RIGHT: i32, const LEFT: i32>(word: __m256i) -> __m256i {
    const { assert!(RIGHT + LEFT == 32) };
    _mm256_or_si256(_mm256_srli_epi32(word, RIGHT), _mm256_slli_epi32(word, LEFT))
}

#[target_feature(enable = "avx2")]
#[inline]
fn big_sigma0(a: __m256i) -> __m256i {
    xor3(rotated::<2, 30>(a), rotated::<13, 19>(a), rotated::<22, 10>(a))
}

#[target_feature(enable = "avx2")]
#[inline]
fn big_sigma1(e: __m256i) -> __m256i {
    xor3(rotated::<6, 26>(e), rotated::<11, 21>(e), rotated::<25, 7>(e))
}

#[target_feature(enable = "avx2")]
#[inline]
fn small_sigma0(w: __m256i) -> __m256i {
    xor3(rotated::<7, 25>(w), rotated::<18, 14>(w), _mm256_srli_epi32(w, 3))
}

#[target_feature(enable = "avx2")]
#[inline]
fn small_sigma1(w: __m256i) -> __m256i {
    xor3(rotated::<17, 15>(w), rotated::<19, 13>(w), _mm256_srli_epi32(w, 10))
}
