//! One message on a processor without SHA extensions: plain words, with the rotations and and-nots of BMI.

use crate::block::Block;
use crate::rounds::define_rounds;

/// The processor has BMI1 and BMI2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scalar(());

impl Scalar {
    pub(crate) fn detect() -> Option<Self> {
        (is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2")).then_some(Scalar(()))
    }

    pub(crate) fn compress(self, state: &mut [u32; 8], blocks: &[Block]) {
        #[expect(unsafe_code, reason = "a function for a processor that has more than every processor")]
        // SAFETY: a `Scalar` is made by `detect` alone, which asked for these features.
        unsafe {
            compress(state, blocks);
        }
    }
}

#[target_feature(enable = "bmi1,bmi2")]
fn compress(state: &mut [u32; 8], blocks: &[Block]) {
    for block in blocks {
        let mut words = [0; 16];
        for (word, bytes) in words.iter_mut().zip(block.as_chunks::<4>().0) {
            *word = u32::from_be_bytes(*bytes);
        }
        *state = rounds(*state, words);
    }
}

define_rounds!("bmi1,bmi2", u32);

const fn splat(constant: u32) -> u32 {
    constant
}

const fn add(one: u32, other: u32) -> u32 {
    one.wrapping_add(other)
}

const fn choice(e: u32, f: u32, g: u32) -> u32 {
    (e & f) ^ (!e & g)
}

/// `a ^ b` is the next round's `b ^ c`.
const fn majority(a: u32, b: u32, c: u32) -> u32 {
    b ^ ((a ^ b) & (b ^ c))
}

const fn big_sigma0(a: u32) -> u32 {
    a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22)
}

const fn big_sigma1(e: u32) -> u32 {
    e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25)
}

const fn small_sigma0(w: u32) -> u32 {
    w.rotate_right(7) ^ w.rotate_right(18) ^ (w >> 3)
}

const fn small_sigma1(w: u32) -> u32 {
    w.rotate_right(17) ^ w.rotate_right(19) ^ (w >> 10)
}
