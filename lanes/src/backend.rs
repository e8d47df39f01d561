//! The ways to hash many inputs, and which of them this processor has.

use crate::pairs;
#[cfg(target_arch = "x86_64")]
use crate::schedule;
use crate::single::Single;
#[cfg(target_arch = "x86_64")]
use crate::x86::{Avx2, Avx512, ShaNi};

/// A way to hash many inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Backend {
    /// One after the other, by the crate sha2: on every processor.
    Portable,
    /// Eight at once with AVX2.
    Avx2,
    /// Sixteen at once with AVX-512.
    Avx512,
    /// Two at once with the SHA extensions of x86.
    ShaNi,
}

/// All of them, the quickest last.
const ALL: [Backend; 4] = [Backend::Portable, Backend::Avx2, Backend::Avx512, Backend::ShaNi];

/// A backend that is there, with what proves it.
#[derive(Clone, Copy, Debug)]
enum Found {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    #[cfg(target_arch = "x86_64")]
    ShaNi(ShaNi),
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
}

impl Backend {
    /// Those that this processor has, the quickest last.
    pub fn available() -> impl Iterator<Item = Backend> {
        ALL.into_iter().filter(|backend| backend.found().is_some())
    }

    /// The quickest that this processor has.
    #[must_use]
    pub fn best() -> Self {
        ALL.into_iter().rev().find(|backend| backend.found().is_some()).unwrap_or(Backend::Portable)
    }

    #[cfg(target_arch = "x86_64")]
    fn found(self) -> Option<Found> {
        let widest = if cfg!(lanes_widest = "portable") {
            Backend::Portable
        } else if cfg!(lanes_widest = "avx2") {
            Backend::Avx2
        } else {
            Backend::ShaNi
        };
        match self {
            _ if self > widest => None,
            Backend::Portable => Some(Found::Portable),
            Backend::Avx2 => Avx2::detect().map(Found::Avx2),
            Backend::ShaNi => ShaNi::detect().map(Found::ShaNi),
            Backend::Avx512 => Avx512::detect().map(Found::Avx512),
        }
    }

    #[cfg(not(target_arch = "x86_64"))]
    fn found(self) -> Option<Found> {
        (self == Backend::Portable).then_some(Found::Portable)
    }

    /// The digest of `prefix` and then each input. What this processor does not have, [`Backend::Portable`] does.
    pub(crate) fn each(self, prefix: &[u8], inputs: &[&[u8]], digests: &mut [[u8; 32]]) {
        match self.found().unwrap_or(Found::Portable) {
            Found::Portable => {
                for (input, digest) in inputs.iter().zip(digests) {
                    *digest = Single::Sha2.digest(prefix, input);
                }
            }
            #[cfg(target_arch = "x86_64")]
            Found::Avx2(engine) => {
                schedule::each(engine, Single::without_extensions(), prefix, inputs, digests)
            }
            #[cfg(target_arch = "x86_64")]
            Found::ShaNi(engine) => schedule::each(engine, Single::Sha2, prefix, inputs, digests),
            #[cfg(target_arch = "x86_64")]
            Found::Avx512(engine) => {
                schedule::each(engine, Single::without_extensions(), prefix, inputs, digests)
            }
        }
    }

    /// The node over each pair.
    pub(crate) fn pairs(self, prefix: u8, pairs: &[[[u8; 32]; 2]], nodes: &mut [[u8; 32]]) {
        match self.found().unwrap_or(Found::Portable) {
            Found::Portable => pairs::one_by_one(Single::Sha2, prefix, pairs, nodes),
            #[cfg(target_arch = "x86_64")]
            Found::Avx2(engine) => {
                pairs::in_lanes(engine, Single::without_extensions(), prefix, pairs, nodes)
            }
            #[cfg(target_arch = "x86_64")]
            Found::ShaNi(engine) => pairs::in_lanes(engine, Single::Sha2, prefix, pairs, nodes),
            #[cfg(target_arch = "x86_64")]
            Found::Avx512(engine) => {
                pairs::in_lanes(engine, Single::without_extensions(), prefix, pairs, nodes)
            }
        }
    }
}
