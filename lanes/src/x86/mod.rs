//! What an x86-64 processor may have: SHA extensions, vectors of 8 or 16 words, rotations that keep the flags. A
//! value of one of these types exists only where the processor was asked and has it, which is what makes a call
//! sound.

mod avx2;
mod avx512;
mod scalar;
mod sha_ni;

pub(crate) use avx2::Avx2;
pub(crate) use avx512::Avx512;
pub(crate) use scalar::Scalar;
pub(crate) use sha_ni::ShaNi;
