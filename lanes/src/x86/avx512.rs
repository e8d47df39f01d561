//! Sixteen messages at once in vectors of 512 bits, which rotate in one instruction and join three operands in one.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi32, _mm512_ror_epi32, _mm512_set_epi64, _mm512_set1_epi32, _mm512_set4_epi32,
    _mm512_shuffle_epi8, _mm512_shuffle_i32x4, _mm512_srli_epi32, _mm512_storeu_si512,
    _mm512_ternarylogic_epi32, _mm512_unpackhi_epi32, _mm512_unpackhi_epi64, _mm512_unpacklo_epi32,
    _mm512_unpacklo_epi64,
};

use crate::block::Block;
use crate::rounds::define_rounds;
use crate::schedule::{Engine, Words};

const LANES: usize = 16;

/// The processor has AVX-512 with operations on words and bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw")).then_some(Avx512(()))
    }
}

impl Engine<LANES> for Avx512 {
    const FEWEST: usize = 3;

    fn compress(self, words: &mut Words<LANES>, runs: &[&[Block]; LANES], count: usize) {
        #[expect(unsafe_code, reason = "a function for a processor that has more than every processor")]
        // SAFETY: an `Avx512` is made by `detect` alone, which asked for these features.
        unsafe {
            compress(words, runs, count);
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn compress(words: &mut Words<LANES>, runs: &[&[Block]; LANES], count: usize) {
    let mut state = words.rows().map(|row| load(&row));
    for at in 0..count {
        let rows = runs.map(|run| row_of(run.get(at).unwrap_or(&[0; 64])));
        state = rounds(state, transposed(rows));
    }
    for (row, vector) in words.rows_mut().iter_mut().zip(state) {
        store(row, vector);
    }
}

/// A block as words in the processor's order.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn row_of(block: &Block) -> __m512i {
    let mut parts = [0; 8];
    for (part, bytes) in parts.iter_mut().zip(block.as_chunks::<8>().0) {
        *part = i64::from_le_bytes(*bytes);
    }
    let [a, b, c, d, e, f, g, h] = parts;
    let bytes = _mm512_set_epi64(h, g, f, e, d, c, b, a);
    _mm512_shuffle_epi8(bytes, _mm512_set4_epi32(0x0c0d_0e0f, 0x0809_0a0b, 0x0405_0607, 0x0001_0203))
}

/// Rows of sixteen words into columns.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed(rows: [__m512i; 16]) -> [__m512i; 16] {
    let [r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, r13, r14, r15] = rows;
    let [a0, a1, a2, a3] = transposed_quarters(r0, r1, r2, r3);
    let [b0, b1, b2, b3] = transposed_quarters(r4, r5, r6, r7);
    let [c0, c1, c2, c3] = transposed_quarters(r8, r9, r10, r11);
    let [d0, d1, d2, d3] = transposed_quarters(r12, r13, r14, r15);
    let [w0, w4, w8, w12] = transposed_lanes(a0, b0, c0, d0);
    let [w1, w5, w9, w13] = transposed_lanes(a1, b1, c1, d1);
    let [w2, w6, w10, w14] = transposed_lanes(a2, b2, c2, d2);
    let [w3, w7, w11, w15] = transposed_lanes(a3, b3, c3, d3);
    [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13, w14, w15]
}

/// Four rows into columns, within each quarter of the vectors.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed_quarters(r0: __m512i, r1: __m512i, r2: __m512i, r3: __m512i) -> [__m512i; 4] {
    let (low01, high01) = (_mm512_unpacklo_epi32(r0, r1), _mm512_unpackhi_epi32(r0, r1));
    let (low23, high23) = (_mm512_unpacklo_epi32(r2, r3), _mm512_unpackhi_epi32(r2, r3));
    [
        _mm512_unpacklo_epi64(low01, low23),
        _mm512_unpackhi_epi64(low01, low23),
        _mm512_unpacklo_epi64(high01, high23),
        _mm512_unpackhi_epi64(high01, high23),
    ]
}

/// Four rows of quarters into columns of them.
#[target_feature(enable = "avx512f")]
#[inline]
fn transposed_lanes(a: __m512i, b: __m512i, c: __m512i, d: __m512i) -> [__m512i; 4] {
    let (ab01, ab23) = (_mm512_shuffle_i32x4(a, b, 0x44), _mm512_shuffle_i32x4(a, b, 0xee));
    let (cd01, cd23) = (_mm512_shuffle_i32x4(c, d, 0x44), _mm512_shuffle_i32x4(c, d, 0xee));
    [
        _mm512_shuffle_i32x4(ab01, cd01, 0x88),
        _mm512_shuffle_i32x4(ab01, cd01, 0xdd),
        _mm512_shuffle_i32x4(ab23, cd23, 0x88),
        _mm512_shuffle_i32x4(ab23, cd23, 0xdd),
    ]
}

#[target_feature(enable = "avx512f")]
#[inline]
fn load(row: &[u32; LANES]) -> __m512i {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = row.map(i64::from);
    let two = |low: i64, high: i64| low | high << 32;
    _mm512_set_epi64(two(o, p), two(m, n), two(k, l), two(i, j), two(g, h), two(e, f), two(c, d), two(a, b))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn store(row: &mut [u32; LANES], vector: __m512i) {
    #[expect(unsafe_code, reason = "the intrinsic takes a pointer")]
    // SAFETY: the row is 64 bytes that may be written, and the intrinsic asks for no alignment.
    unsafe {
        _mm512_storeu_si512(row.as_mut_ptr().cast(), vector);
    }
}

define_rounds!("avx512f,avx512bw", __m512i);

#[target_feature(enable = "avx512f")]
#[inline]
fn splat(constant: u32) -> __m512i {
    _mm512_set1_epi32(constant.cast_signed())
}

#[target_feature(enable = "avx512f")]
#[inline]
fn add(one: __m512i, other: __m512i) -> __m512i {
    _mm512_add_epi32(one, other)
}

/// The truth table of `x ^ y ^ z`.
const XOR3: i32 = 0x96;

#[target_feature(enable = "avx512f")]
#[inline]
fn xor3(one: __m512i, two: __m512i, three: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<XOR3>(one, two, three)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn choice(e: __m512i, f: __m512i, g: __m512i) -> __m512i {
    // The truth table of `x ? y : z`.
    _mm512_ternarylogic_epi32::<0xca>(e, f, g)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn majority(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    // The truth table of two or more of three.
    _mm512_ternarylogic_epi32::<0xe8>(a, b, c)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn big_sigma0(a: __m512i) -> __m512i {
    xor3(_mm512_ror_epi32::<2>(a), _mm512_ror_epi32::<13>(a), _mm512_ror_epi32::<22>(a))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn big_sigma1(e: __m512i) -> __m512i {
    xor3(_mm512_ror_epi32::<6>(e), _mm512_ror_epi32::<11>(e), _mm512_ror_epi32::<25>(e))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn small_sigma0(w: __m512i) -> __m512i {
    xor3(_mm512_ror_epi32::<7>(w), _mm512_ror_epi32::<18>(w), _mm512_srli_epi32::<3>(w))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn small_sigma1(w: __m512i) -> __m512i {
    xor3(_mm512_ror_epi32::<17>(w), _mm512_ror_epi32::<19>(w), _mm512_srli_epi32::<10>(w))
}
